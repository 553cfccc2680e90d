/*
 * pane_help: made from the tables of actions and keys; the focused pane's keys first, then a legend. F1 again: everything.
 */
#include <stdlib.h>
#include <string.h>

#include "model/fields.h"
#include "ui/ui.h"

struct help_line {
	char *left, *right;
	bool is_title;
};

struct help {
	struct pane pane;
	enum pane_id about;
	bool all;
	VEC(struct help_line) lines;
};

static void clear(struct help *h)
{
	for (size_t i = 0; i < h->lines.n; i++) {
		free(h->lines.v[i].left);
		free(h->lines.v[i].right);
	}
	h->lines.n = 0;
}

static void add(struct help *h, const char *left, const char *right, bool is_title)
{
	struct help_line l = { strdup(left), strdup(right), is_title };
	if (!vec_push(&h->lines, l)) {
		free(l.left);
		free(l.right);
	}
}

static void build(struct help *h)
{
	static const char *const legend[][2] = {
		{ "▌", "cursor" },
		{ "▏", "shown in the other panes" },
		{ "▸ ▾", "folded, open" },
		{ "•", "first of its kind: no earlier event had these arguments" },
		{ "◆ ◈", "your mark, a mark with a note" },
		{ "…", "the screen hid something: widen, or press Enter" },
		{ "[cut]", "the capture holds only the beginning" },
		{ "[vetoed]", "another hook raised: it did not happen" },
		{ "[lost]", "events are missing at this very place" },
		{ "[unknown]", "no entry in the catalogue: shown raw" },
		{ "??", "could not be read" },
		{ "◂", "caller: the innermost frame that is yours" },
	};
	struct ui *ui = h->pane.ui;
	clear(h);
	for (int g = 0; g < HELP_GROUP_COUNT; g++) {
		if (g)
			add(h, "", "", false);
		add(h, action_group_names[g], "", true);
		for (int a = 0; a < ACTION_COUNT; a++) {
			if (actions[a].group != (enum action_group)g)
				continue;
			struct strbuf keys = { 0 };
			keymap_keys_of(ui->keys, h->about, (enum action)a, &keys);
			if (!keys.n && h->all)
				for (int p = 0; p < PANE_COUNT && !keys.n; p++)
					keymap_keys_of(ui->keys, (enum pane_id)p, (enum action)a, &keys);
			if (keys.n || h->all) {
				struct strbuf right = { 0 };
				strbuf_adds(&right, actions[a].doc);
				if (h->all) {
					strbuf_add_repeat(&right, ' ', right.n < 44 ? 44 - right.n : 1);
					strbuf_addf(&right, ":%s", actions[a].name);
				}
				add(h, keys.n ? strbuf_str(&keys) : "", strbuf_str(&right), false);
				strbuf_fini(&right);
			}
			strbuf_fini(&keys);
		}
	}
	add(h, "", "", false);
	add(h, "Signs", "", true);
	for (size_t i = 0; i < ARRAY_LEN(legend); i++)
		add(h, legend[i][0], legend[i][1], false);
	if (!h->all) {
		add(h, "", "", false);
		add(h, "F1", "again: all actions, and the words of the filter", false);
		return;
	}
	add(h, "", "", false);
	add(h, "Filter", "", true);
	struct strbuf text = { 0 };
	fields_list(&text);
	for (const char *p = strbuf_str(&text); *p;) {
		size_t n = strcspn(p, "\n");
		char *line = strndup(p, n);
		if (line)
			add(h, "", line, false);
		free(line);
		p += n + (p[n] == '\n');
	}
	strbuf_fini(&text);
}

static struct err *open_help(struct ui *ui, struct pane **ret)
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
	clear(h);
	vec_fini(&h->lines);
	free(h);
}

/* Which pane it is about; again for the same one: all actions. */
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
	if (!h->lines.n)
		build(h);
	list_set(&p->list, h->lines.n, p->n_lines);
}

/* Two columns where there is room: the second continues the first. */
static void draw_help(const struct pane *p, struct area a)
{
	const struct help *h = (const struct help *)p;
	for (int y = 0; y < a.n_lines && p->list.top + (uint64_t)y < h->lines.n; y++) {
		const struct help_line *l = &h->lines.v[p->list.top + (uint64_t)y];
		if (l->is_title) {
			area_put(a, y, 1, -1, ROLE_FOCUS, l->left);
		} else if (!*l->left) {
			area_put_cut(a, y, *l->right && h->all && strncmp(l->right, "  ", 2) ? 3 : 3, -1, ROLE_TEXT, l->right);
		} else {
			area_put_cut(a, y, 3, 14, ROLE_TEXT, l->left);
			area_put_cut(a, y, 18, -1, ROLE_TEXT, l->right);
		}
		search_mark(&p->ui->search, a, y);
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
	strbuf_adds(subject, h->all ? "everything" : h->about < PANE_COUNT ? panes[h->about].name : "");
	strbuf_adds(facts, "/ finds a word here · q back");
}

static void line_help(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct help *h = (const struct help *)p;
	if (entry < h->lines.n)
		strbuf_addf(to, "%s %s", h->lines.v[entry].left, h->lines.v[entry].right);
}

const struct pane_ops pane_help_ops = {
	.open = open_help, .close = close_help, .update = update_help, .draw = draw_help, .act = act_help,
	.title = title_help, .line = line_help,
};
