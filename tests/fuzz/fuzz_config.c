/*
 * fuzz_config: ui/config.c, keys.c, theme_set(): a configuration file. Each error names a line of
 * it; settings have valid values; kept filters come back unchanged from the file `filters`.
 */
#include "fuzz.h"

#include "base/err.h"
#include "fuzz_folder.h"
#include "ui/config.h"
#include "ui/keymap.h"
#include "ui/keys.h"

enum { KEPT_MAX = 3 };

struct seen {
	int n_lines, last;
};

static void report(void *ctx, int line, const char *message)
{
	struct seen *seen = ctx;
	if (line <= seen->last || line > seen->n_lines || !*message)
		abort();
	seen->last = line;
}

static void read_config(struct config *c, struct keymap **keys)
{
	if (config_init(c) || keymap_create(keys))
		abort();
}

/* Check each 16th action from `first` on: looking up its keys is slow. */
static void check(const struct config *c, const struct keymap *keys, int first)
{
	struct strbuf to = { 0 };
	struct theme theme = themes[0];
	if (!theme_find(c->theme, false) || !c->columns || c->columns >> COLUMN_COUNT ||
	    c->details < 0 || c->details > 2 || (unsigned)c->time > 2)
		abort();
	for (int i = 0; i < c->n_colors; i++)
		if (theme_set(&theme, c->colors[i].role, c->colors[i].style))
			abort();
	for (int action = first; action < ACTION_COUNT; action += 16)
		keymap_keys_of(keys, (enum pane_id)(action % PANE_COUNT), (enum action)action, &to);
	strbuf_fini(&to);
}

/* Keep some of the filters of c; another session must find them. */
static void check_kept(struct config *c)
{
	struct config other;
	struct keymap *keys;
	struct seen none = { 0 };
	size_t n = c->filters.n < KEPT_MAX ? c->filters.n : KEPT_MAX, found = 0;
	c->uses_files = true;
	for (size_t i = 0; i < n; i++)
		c->filters.v[i].is_kept = true;
	if (config_keep_filter(c, c->filters.v[0].name, c->filters.v[0].text))
		abort();
	read_config(&other, &keys);
	config_load(&other, keys, report, &none);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < other.filters.n; k++)
			found += !strcmp(other.filters.v[k].name, c->filters.v[i].name) &&
				 !strcmp(other.filters.v[k].text, c->filters.v[i].text) &&
				 other.filters.v[k].is_kept;
	if (found != n || other.filters.n != n)
		abort();
	unlink(fuzz_path("auditview/filters"));
	config_fini(&other);
	keymap_destroy(keys);
}

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	struct config c;
	struct keymap *keys;
	struct seen seen = { .n_lines = 1 };
	fuzz_folder();
	for (size_t i = 0; i < n_bytes; i++)
		seen.n_lines += bytes[i] == '\n';
	read_config(&c, &keys);
	config_parse(&c, keys, (const char *)bytes, n_bytes, report, &seen, false);
	check(&c, keys, (int)(n_bytes % 16));
	if (c.filters.n && n_bytes % 4 == 0) /* files are slow */
		check_kept(&c);
	config_fini(&c);
	keymap_destroy(keys);
}

FUZZ_NO_SEEDS
