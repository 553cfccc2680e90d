/*
 * pane_help: help made from the tables of actions and keys: the focused pane's keys first, then a
 * legend. A second F1 shows everything.
 */
#include "ui/pane_help.h"

#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "model/fields.h"
#include "ui/area.h"
#include "ui/keymap.h"
#include "ui/keys.h"
#include "ui/pane_host.h"
#include "ui/text.h"

struct help_cell {
	char *left, *right;
	bool is_title;
};

struct help_line {
	struct help_cell cell[3];
};

struct help_lines {
	struct help_line *v;
	size_t n, cap;
};

struct help {
	struct pane pane;
	enum pane_id about;
	bool all;
	struct help_lines lines;
	int built_columns;
};

static void clear(struct help_lines *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		for (int c = 0; c < 3; c++) {
			free(lines->v[i].cell[c].left);
			free(lines->v[i].cell[c].right);
		}
	lines->n = 0;
}

static void add(struct help_lines *lines, const char *left, const char *right, bool is_title)
{
	struct help_line l = { .cell = { { strdup(left), strdup(right), is_title } } };
	if (!vec_push(lines, l)) {
		free(l.cell[0].left);
		free(l.cell[0].right);
	}
}

/* Append one group of actions as lines of its own. */
static void add_group(struct help *h, struct help_lines *to, enum action_group group)
{
	const struct pane_host *host = h->pane.host;
	add(to, tr(action_group_names[group]), "", true);
	for (int a = 0; a < ACTION_COUNT; a++) {
		if (actions[a].group != group)
			continue;
		struct strbuf keys = { 0 }, right = { 0 };
		keymap_keys_of(host->keys, h->about, (enum action)a, &keys);
		for (int p = 0; h->all && p < PANE_COUNT && !keys.n; p++)
			keymap_keys_of(host->keys, (enum pane_id)p, (enum action)a, &keys);
		strbuf_adds(&right, tr(actions[a].doc));
		if (h->all) {
			int used = text_width(strbuf_str(&right), right.n);
			strbuf_add_repeat(&right, ' ', used < 44 ? (size_t)(44 - used) : 1);
			strbuf_addf(&right, ":%s", actions[a].name);
		}
		if (keys.n || h->all)
			add(to, strbuf_str(&keys), strbuf_str(&right), false);
		strbuf_fini(&keys);
		strbuf_fini(&right);
	}
}

static void build(struct help *h)
{
	static const char *const legend[][2] = {
		{ "▌", N_("cursor") },
		{ "▏", N_("shown in the other panes") },
		{ "▸ ▾", N_("folded, open") },
		{ "•", N_("first of its kind: no earlier event had these arguments") },
		{ "◆ ◈", N_("your mark, a mark with a note") },
		{ "…", N_("the screen hid something: widen, or press Enter") },
		{ "[cut]", N_("the capture holds only the beginning") },
		{ "[lost]", N_("events are missing at this very place") },
		{ "[unknown]", N_("no entry in the catalogue: shown raw") },
		{ "own", N_("the program's own event, by sys.audit()") },
		{ "??", N_("could not be read") },
		{ "◂", N_("caller: the innermost frame that is yours") },
	};
	clear(&h->lines);
	/* show groups side by side if there is room: 2 at 80 columns, 3 at 120 */
	int columns = h->all ? 1 : h->pane.n_columns >= 120 ? 3 : h->pane.n_columns >= 76 ? 2 : 1;
	for (int g = 0; g < HELP_GROUP_COUNT; g += columns) {
		struct help_lines part[3] = { 0 };
		size_t most = 0;
		for (int i = 0; i < columns && g + i < HELP_GROUP_COUNT; i++) {
			add_group(h, &part[i], (enum action_group)(g + i));
			if (part[i].n > most)
				most = part[i].n;
		}
		for (size_t y = 0; y < most; y++) {
			struct help_line line = { 0 };
			for (int i = 0; i < columns; i++)
				if (y < part[i].n) {
					line.cell[i] = part[i].v[y].cell[0];
					part[i].v[y].cell[0] = (struct help_cell){ 0 };
				}
			if (!vec_push(&h->lines, line))
				break;
		}
		for (int i = 0; i < columns; i++) {
			clear(&part[i]);
			vec_fini(&part[i]);
		}
		add(&h->lines, "", "", false);
	}
	add(&h->lines, tr("Signs"), "", true);
	for (size_t i = 0; i < ARRAY_LEN(legend); i++)
		add(&h->lines, legend[i][0], tr(legend[i][1]), false);
	add(&h->lines, "", "", false);
	add(&h->lines, tr("Search"), "", true);
	add(&h->lines, "/ ?", tr("looks at all columns: as they are drawn, and what they cut off"),
	    false);
	add(&h->lines, " ", tr("a regular expression; a capital letter makes the case count"),
	    false);
	add(&h->lines, "", "", false);
	if (!h->all) {
		add(&h->lines, "F1", tr("again: all actions, and the words of the filter"), false);
		return;
	}
	add(&h->lines, tr("Filter"), "", true);
	struct strbuf text = { 0 };
	fields_list(&text);
	for (const char *p = strbuf_str(&text); *p;) {
		size_t n = strcspn(p, "\n");
		char *line = strndup(p, n);
		if (line)
			add(&h->lines, "", line, false);
		free(line);
		p += n + (p[n] == '\n');
	}
	strbuf_fini(&text);
}

static struct err *open_help(const struct pane_host *host, struct pane **ret)
{
	struct help *h = calloc(1, sizeof(*h));
	if (!h)
		return err_no_memory();
	*ret = &h->pane;
	return NULL;
}

static void close_help(struct pane *p)
{
	struct help *h = (struct help *)p;
	clear(&h->lines);
	vec_fini(&h->lines);
	free(h);
}

/* Choose the pane that the page is about. A second call for the same pane shows all actions. */
void pane_help_about(struct pane *p, enum pane_id about, bool all)
{
	struct help *h = (struct help *)p;
	h->about = about;
	h->all = all;
	build(h);
	list_go(&p->list, 0);
}

static void update_help(struct pane *p, unsigned changes)
{
	struct help *h = (struct help *)p;
	if (!h->lines.n || h->built_columns != p->n_columns)
		build(h);
	h->built_columns = p->n_columns;
	list_set(&p->list, h->lines.n, p->n_lines);
}

static void draw_help(const struct pane *p, struct area a)
{
	const struct help *h = (const struct help *)p;
	int columns = 1;
	for (size_t i = 0; i < h->lines.n; i++)
		for (int c = 1; c < 3; c++)
			if (h->lines.v[i].cell[c].left && c >= columns)
				columns = c + 1;
	int width = a.n_columns / columns, key_w = columns > 1 ? 11 : 14;
	for (int y = 0; y < a.n_lines && p->list.top + (uint64_t)y < h->lines.n; y++) {
		const struct help_line *l = &h->lines.v[p->list.top + (uint64_t)y];
		bool alone = !l->cell[1].left && !l->cell[2].left;
		for (int c = 0; c < columns; c++) {
			const struct help_cell *cell = &l->cell[c];
			int x = c * width, limit = alone ? a.n_columns : width - 1;
			if (!cell->left)
				continue;
			if (cell->is_title) {
				area_put(a, y, x + 1, -1, ROLE_FOCUS, cell->left);
			} else if (!*cell->left) {
				area_put_cut(a, y, x + 3, limit - 3, ROLE_TEXT, cell->right);
			} else {
				area_put_cut(a, y, x + 3, key_w, ROLE_TEXT, cell->left);
				area_put_cut(a, y, x + key_w + 4, limit - key_w - 4, ROLE_DIM,
					     cell->right);
			}
		}
		search_mark(p->host->search, a, y);
		if (p->list.top + (uint64_t)y == p->list.cursor) {
			area_put(a, y, 0, 1, ROLE_FOCUS, "▌");
			area_bar(a, y);
		}
	}
}

static bool act_help(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct help *h = (struct help *)p;
	if (action == ACTION_HELP) {
		pane_help_about(p, h->about, !h->all);
		list_set(&p->list, h->lines.n, p->n_lines);
		return true;
	}
	return list_act(&p->list, action, count);
}

static void title_help(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct help *h = (const struct help *)p;
	strbuf_adds(subject, h->all                  ? tr("everything")
			     : h->about < PANE_COUNT ? panes[h->about].name
						     : "");
	strbuf_adds(facts, tr("/ finds a word here · q back"));
}

static void line_help(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct help *h = (const struct help *)p;
	for (int c = 0; entry < h->lines.n && c < 3; c++)
		if (h->lines.v[entry].cell[c].left)
			strbuf_addf(to, "%s %s  ", h->lines.v[entry].cell[c].left,
				    h->lines.v[entry].cell[c].right);
}

const struct pane_ops pane_help_ops = {
	.open = open_help,
	.close = close_help,
	.update = update_help,
	.draw = draw_help,
	.act = act_help,
	.title = title_help,
	.line = line_help,
};
