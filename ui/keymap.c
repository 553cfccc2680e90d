/*
 * keymap: the bindings in use; the user's have precedence over the defaults.
 */
#include "ui/keymap.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/vec.h"

struct bound {
	struct key_row row;
	int key;
	char *owned; /* the user's spelling of the key, or NULL */
};

struct keymap {
	VEC(struct bound) rows; /* the user's rows come first */
	size_t n_user;
};

struct err *keymap_create(struct keymap **ret)
{
	CLEANUP(keymap) struct keymap *m = calloc(1, sizeof(*m));
	if (!m || !vec_reserve(&m->rows, n_key_defaults))
		return err_no_memory();
	for (size_t i = 0; i < n_key_defaults; i++) {
		struct bound b = { key_defaults[i], key_parse(key_defaults[i].key), NULL };
		CHECK(b.key != 0);
		m->rows.v[m->rows.n++] = b;
	}
	*ret = take_ptr(m);
	return NULL;
}

void keymap_destroy(struct keymap *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->rows.n; i++)
		free(m->rows.v[i].owned);
	vec_fini(&m->rows);
	free(m);
}

struct err *keymap_bind(struct keymap *m, enum pane_id pane, const char *key, enum action action)
{
	int code = key_parse(key);
	if (!code)
		return err_create(ERR_SYNTAX,
				  "no such key \"%s\": expected one character, C-x, F1 to F12, Up "
				  "Down Left Right "
				  "PgUp PgDn Home End Bksp Del Ins Tab S-Tab Enter Esc or Space",
				  key);
	char *owned = strdup(key);
	if (!owned || !vec_reserve(&m->rows, 1)) {
		free(owned);
		return err_no_memory();
	}
	memmove(&m->rows.v[1], &m->rows.v[0], m->rows.n * sizeof(m->rows.v[0]));
	m->rows.v[0] = (struct bound){ { pane, owned, action, NULL }, code, owned };
	m->rows.n++;
	m->n_user++;
	return NULL;
}

/* Find the row that decides `key` in `pane`: the user's for the pane, the default for the pane, the
 * user's for all panes, the default for all. */
static const struct bound *find(const struct keymap *m, enum pane_id pane, int key)
{
	for (int any = 0; any < 2; any++)
		for (size_t i = 0; i < m->rows.n; i++)
			if (m->rows.v[i].key == key &&
			    m->rows.v[i].row.pane == (any ? PANE_ANY : pane))
				return &m->rows.v[i];
	return NULL;
}

enum action keymap_find(const struct keymap *m, enum pane_id pane, int key)
{
	const struct bound *b = find(m, pane, key);
	return b ? b->row.action : ACTION_NONE;
}

enum action keymap_find_own(const struct keymap *m, enum pane_id pane, int key)
{
	const struct bound *b = find(m, pane, key);
	return b && b->row.pane == pane ? b->row.action : ACTION_NONE;
}

void keymap_each(const struct keymap *m, enum pane_id pane,
		 void (*fn)(void *, const struct key_row *), void *ctx)
{
	for (size_t i = 0; i < m->rows.n; i++) {
		const struct bound *b = &m->rows.v[i];
		if ((b->row.pane == pane || b->row.pane == PANE_ANY) &&
		    b->row.action != ACTION_NONE && find(m, pane, b->key) == b)
			fn(ctx, &b->row);
	}
}

struct keys_of {
	enum action action;
	struct strbuf *to;
	size_t start;
};

static void add_key(void *ctx, const struct key_row *row)
{
	struct keys_of *k = ctx;
	if (row->action != k->action)
		return;
	if (k->to->n > k->start)
		strbuf_addc(k->to, ' ');
	static const char *const arrows[][2] = {
		{ "Up", "↑" }, { "Down", "↓" }, { "Left", "←" }, { "Right", "→" }
	};
	for (size_t i = 0; i < ARRAY_LEN(arrows); i++)
		if (!strcmp(arrows[i][0], row->key)) {
			strbuf_adds(k->to, arrows[i][1]);
			return;
		}
	strbuf_adds(k->to, row->key);
}

void keymap_keys_of(const struct keymap *m, enum pane_id pane, enum action action,
		    struct strbuf *to)
{
	struct keys_of k = { action, to, to->n };
	keymap_each(m, pane, add_key, &k);
}
