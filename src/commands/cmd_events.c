/*
 * events: the catalogue as a table.
 *
 * One line per event, in the order of themes. In a pipe each line has its theme, for grep; on a
 * terminal themes are headings and the arguments are cut to its width, unless -w is given.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/vec.h"
#include "base/wrap.h"
#include "command.h"
#include "commands/catalog_words.h"
#include "model/api_map.h"
#include "model/catalog.h"
#include "model/explain.h"

typedef const struct catalog_event *event_ptr;

struct wanted {
	const char *pattern; /* NULL: all */
	const char *category;
	enum catalog_theme theme; /* THEME_COUNT: all */
	int minor;
};

static bool matches_text(const char *name, const char *pattern)
{
	if (strpbrk(pattern, "*?["))
		return fnmatch(pattern, name, 0) == 0;
	return strcasestr(name, pattern) != NULL;
}

/* Does the pattern match its name, its alias, or a call that raises it? */
static bool matches_pattern(const struct catalog_event *e, const char *pattern, int minor)
{
	if (matches_text(e->name, pattern) || (e->alias && matches_text(e->alias, pattern)))
		return true;
	for (size_t i = 0; e->raised_by[i]; i++)
		if (matches_text(e->raised_by[i], pattern))
			return true;
	size_t n;
	const struct api_call *c = api_map_find(pattern, strlen(pattern), &n);

	for (size_t i = 0; i < n; i++)
		if (api_call_raises(&c[i], e, minor))
			return true;
	return false;
}

static bool is_wanted(const struct catalog_event *e, const struct wanted *w)
{
	return (w->minor == 0 || catalog_is_in(e, w->minor)) &&
	       (!w->category || strcmp(e->category, w->category) == 0) &&
	       (w->theme == THEME_COUNT || e->theme == w->theme) &&
	       (!w->pattern || matches_pattern(e, w->pattern, w->minor));
}

static struct err *parse_wanted(const struct options *o, struct wanted *ret)
{
	struct wanted w = { .pattern = o->n_args ? o->args[0] : NULL,
			    .category = o->category,
			    .theme = THEME_COUNT };

	if (o->theme) {
		const char *name = o->theme[0] == '@' ? o->theme + 1 : o->theme;

		w.theme = catalog_theme_find(name, strlen(name));
		if (w.theme >= THEME_UNKNOWN) {
			struct strbuf names = { 0 };

			for (int t = 0; t < THEME_UNKNOWN; t++)
				strbuf_addf(&names, "%s%s", t ? ", " : "", catalog_themes[t].name);
			struct err *err = err_with_hint(
			    err_create(ERR_USAGE, "there is no theme \"%s\"", o->theme),
			    "themes are %s", strbuf_str(&names));

			strbuf_fini(&names);
			return err;
		}
	}
	struct err *err = catalog_words_minor(o->python, &w.minor);

	if (!err)
		*ret = w;
	return err;
}

static void add_versions(struct strbuf *to, const struct catalog_event *e)
{
	if (!e->removed)
		strbuf_addf(to, "3.%d", e->since);
	else
		strbuf_addf(to, "3.%d-3.%d", e->since, e->removed - 1);
}

struct layout {
	bool is_grouped;  /* a terminal: the theme is a heading above its events, not a column */
	size_t cut_cells; /* 0: lines are not cut */
};

static void add_row(struct strbuf *to, const struct layout *l, const char *theme, const char *name,
		    const char *versions, const char *docs, const char *args)
{
	size_t start = to->n;

	if (l->is_grouped)
		strbuf_addf(to, "  %-33s %-8s %-4s %s", name, versions, docs, args);
	else
		strbuf_addf(to, "%-14s %-33s %-8s %-4s %s", theme, name, versions, docs, args);
	if (l->cut_cells && to->n - start > l->cut_cells) {
		strbuf_cut(to, start + l->cut_cells - 3);
		strbuf_adds(to, "...");
	}
	while (to->n > start && to->s[to->n - 1] == ' ')
		strbuf_cut(to, to->n - 1);
	strbuf_addc(to, '\n');
}

static struct err *write_table(const event_ptr *events, size_t n, const struct wanted *w,
			       bool is_wide)
{
	struct strbuf table = { 0 }, versions = { 0 }, args = { 0 };
	struct layout l = { .is_grouped = isatty(STDOUT_FILENO) };

	if (l.is_grouped && !is_wide)
		l.cut_cells = wrap_width(STDOUT_FILENO);
	add_row(&table, &l, "theme", "event", "since", "docs", "arguments");
	for (size_t i = 0; i < n; i++) {
		const struct catalog_event *e = events[i];

		if (l.is_grouped && (i == 0 || events[i - 1]->theme != e->theme))
			strbuf_addf(&table, "%s\n", catalog_themes[e->theme].name);
		strbuf_clear(&versions);
		strbuf_clear(&args);
		add_versions(&versions, e);
		explain_arg_names(&args, e, w->minor);
		add_row(&table, &l, catalog_themes[e->theme].name, e->name, strbuf_str(&versions),
			e->documented ? "yes" : "-", strbuf_str(&args));
	}
	struct err *err = table.failed || args.failed ? err_no_memory()
						      : wrap_page(strbuf_str(&table), table.n);

	strbuf_fini(&table);
	strbuf_fini(&versions);
	strbuf_fini(&args);
	return err;
}

struct err *cmd_events(const struct options *o, int *ret)
{
	VEC(event_ptr) events = { 0 };
	struct wanted w = { 0 };
	struct err *err = parse_wanted(o, &w);

	for (int t = 0; !err && t < THEME_UNKNOWN; t++) {
		for (size_t i = 0; i < catalog_themes[t].n_events; i++) {
			const struct catalog_event *e =
			    &catalog_events[catalog_themes[t].events[i]];

			if (is_wanted(e, &w) && !vec_push(&events, e)) {
				err = err_no_memory();
				break;
			}
		}
	}
	if (!err && events.n == 0) {
		const struct catalog_event *near[3];
		size_t n = w.pattern ? catalog_nearest(w.pattern, strlen(w.pattern), near, 3) : 0;

		err = err_create(ERR_NOT_FOUND, "no event matches");
		if (n)
			err = err_with_hint(err, "near to \"%s\": %s%s%s", w.pattern, near[0]->name,
					    n > 1 ? ", " : "", n > 1 ? near[1]->name : "");
	}
	if (!err)
		err = o->json ? catalog_words_json(events.v, events.n, w.minor)
			      : write_table(events.v, events.n, &w, o->wide);
	vec_fini(&events);
	*ret = 0;
	return err;
}
