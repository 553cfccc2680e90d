/*
 * layout: see layout.h.
 */
#include "ui/layout.h"

#include <string.h>

enum { CATEGORIES_WIDTH = 27, DOCK_LINES = 12, DETAILS_MIN = 7, WITH_DETAILS_MIN = 18 };

static int clamp(int v, int low, int high)
{
	if (v > high)
		v = high;
	return v < low ? low : v;
}

static void bar(struct layout *l, int line, int column, int n_lines)
{
	if (l->n_bars < (int)(sizeof(l->bars) / sizeof(l->bars[0])))
		l->bars[l->n_bars++] = (struct rect){ line, column, n_lines, 1 };
}

/* Place arguments and stack side by side, below the list. */
static void details_below(struct layout *l, struct rect r)
{
	int left = r.n_columns <= 80 ? (r.n_columns - 1) / 2 : (r.n_columns - 1) * 47 / 100;
	l->panes[PANE_ARGUMENTS] = (struct rect){ r.line, r.column, r.n_lines, left };
	bar(l, r.line, r.column + left, r.n_lines);
	l->panes[PANE_STACK] = (struct rect){ r.line, r.column + left + 1, r.n_lines,
					      r.n_columns - left - 1 };
}

static void details_beside(struct layout *l, struct rect r)
{
	int upper = r.n_lines * 5 / 11;
	l->panes[PANE_ARGUMENTS] = (struct rect){ r.line, r.column, upper, r.n_columns };
	l->panes[PANE_STACK] = (struct rect){ r.line + upper, r.column, r.n_lines - upper,
					      r.n_columns };
}

/* Give the program's terminal the lower part of the body; returns the rest. */
static struct rect terminal_below(struct layout *l, const struct layout_wish *w, struct rect body)
{
	int n = w->n_lines < 36 ? body.n_lines / 2 : body.n_lines / 3;
	n = clamp(n + w->terminal_delta, 4, body.n_lines - 5);
	body.n_lines -= n;
	l->panes[PANE_TERMINAL] = (struct rect){ body.line + body.n_lines, 0, n, body.n_columns };
	return body;
}

/* Place the page: docked below the body, which gets smaller, or in place of all panes. Returns
 * false if there is nothing left to place. */
static bool place_page(struct layout *l, const struct layout_wish *w, struct rect *body)
{
	if (l->form == LAYOUT_WIDE && w->page_may_dock && w->n_lines >= 48) {
		int dock = clamp(DOCK_LINES + w->details_delta, 6, body->n_lines / 2);
		l->is_docked = true;
		body->n_lines -= dock;
		l->panes[w->page] = (struct rect){ body->line + body->n_lines, 0, dock,
						   w->n_columns };
		return true;
	}
	struct rect all = { 1, 0, w->n_lines - 1 - l->last.n_lines, w->n_columns };
	memset(l->panes, 0, sizeof(l->panes));
	l->timeline_lanes = 0;
	l->panes[w->page] = l->body = all;
	if (w->page_splits && all.n_lines >= 16) {
		int below = all.n_lines / 3 + 1;
		l->panes[w->page].n_lines -= below;
		l->panes[PANE_EVENTS] = (struct rect){ all.line + all.n_lines - below, 0, below,
						       w->n_columns };
	}
	return false;
}

void layout_make(const struct layout_wish *w, struct layout *l)
{
	memset(l, 0, sizeof(*l));
	int lines = w->n_lines, columns = w->n_columns;
	if (lines < 8 || columns < 40) {
		l->form = LAYOUT_TOO_SMALL;
		return;
	}
	int last = w->prompt_lines > 1 ? w->prompt_lines : 1;
	l->header = (struct rect){ 0, 0, 1, columns };
	l->last = (struct rect){ lines - last, 0, last, columns };
	struct rect body = { 1, 0, lines - 1 - last, columns };
	if (lines < 24 || columns < 80)
		l->form = LAYOUT_LIST;
	else
		l->form = columns < 120 ? LAYOUT_DRAWER : columns < 160 ? LAYOUT_SIDE : LAYOUT_WIDE;

	if (l->form != LAYOUT_LIST && !w->hide_timeline) {
		int n = l->form == LAYOUT_DRAWER ? 1 : l->form == LAYOUT_SIDE || lines < 36 ? 2 : 6;
		if (w->page == PANE_TIMELINE)
			n = 0;
		l->timeline_lanes = n;
		if (n) {
			l->panes[PANE_TIMELINE] = (struct rect){ body.line, 0, n, columns };
			body.line += n;
			body.n_lines -= n;
		}
	}
	l->body = body;
	if (w->maximised != PANE_NONE && w->page == PANE_NONE) {
		l->panes[w->maximised] = body;
		return;
	}
	if (w->page != PANE_NONE && !place_page(l, w, &body))
		return;
	if (l->form == LAYOUT_LIST) {
		l->panes[PANE_EVENTS] = body;
		return;
	}
	bool has_terminal = w->terminal && w->page == PANE_NONE;
	if (has_terminal) {
		body = terminal_below(l, w, body);
		l->body = body;
	}
	if (l->form != LAYOUT_DRAWER) {
		int width = clamp(CATEGORIES_WIDTH + w->categories_delta, 18, columns / 3);
		l->panes[PANE_CATEGORIES] = (struct rect){ body.line, 0, body.n_lines, width };
		bar(l, body.line, width, body.n_lines);
		body.column += width + 1;
		body.n_columns -= width + 1;
	}
	bool beside = (l->form == LAYOUT_WIDE) != w->rotate;
	if (beside && body.n_columns >= 80) {
		int width = clamp(
		    (l->form == LAYOUT_WIDE ? columns * 59 / 200 : body.n_columns * 2 / 5) +
			w->side_delta,
		    30, body.n_columns - 50);
		body.n_columns -= width + 1;
		bar(l, body.line, body.column + body.n_columns, body.n_lines);
		details_beside(l, (struct rect){ body.line, body.column + body.n_columns + 1,
						 body.n_lines, width });
		l->panes[PANE_EVENTS] = body;
	} else if (has_terminal && body.n_lines < WITH_DETAILS_MIN) {
		l->panes[PANE_EVENTS] = body;
	} else {
		int n = clamp(body.n_lines / 3, DETAILS_MIN, body.n_lines - 6);
		n = clamp(n + w->details_delta, 4, body.n_lines - 4);
		struct rect details = { body.line + body.n_lines - n, body.column, n,
					body.n_columns };
		body.n_lines -= n;
		details_below(l, details);
		l->panes[PANE_EVENTS] = body;
	}
	if (l->form == LAYOUT_DRAWER && w->drawer) {
		struct rect r = { l->body.line, 0, l->body.n_lines,
				  CATEGORIES_WIDTH + 1 + w->categories_delta };
		r.n_columns = clamp(r.n_columns, 18, columns - 20);
		bar(l, r.line, r.n_columns - 1, r.n_lines);
		r.n_columns--;
		l->panes[PANE_CATEGORIES] = r;
	}
}
