/*
 * list: see list.h.
 */
#include "ui/list.h"

static void in_sight(struct list *l)
{
	uint64_t page = l->n_lines > 0 ? (uint64_t)l->n_lines : 1;
	if (l->n == 0) {
		l->cursor = l->top = 0;
		return;
	}
	if (l->cursor >= l->n)
		l->cursor = l->n - 1;
	if (l->cursor < l->top)
		l->top = l->cursor;
	if (l->cursor >= l->top + page)
		l->top = l->cursor - page + 1;
	if (l->top + page > l->n)
		l->top = l->n > page ? l->n - page : 0;
}

void list_set(struct list *l, uint64_t n, int n_lines)
{
	l->n = n;
	l->n_lines = n_lines;
	in_sight(l);
}

void list_go(struct list *l, uint64_t to)
{
	l->cursor = l->n && to >= l->n ? l->n - 1 : to;
	in_sight(l);
}

static void move(struct list *l, uint64_t by, bool down)
{
	if (down)
		l->cursor = by < l->n - l->cursor ? l->cursor + by : l->n ? l->n - 1 : 0;
	else
		l->cursor = by < l->cursor ? l->cursor - by : 0;
	in_sight(l);
}

bool list_act(struct list *l, enum action a, uint64_t count)
{
	uint64_t page = l->n_lines > 1 ? (uint64_t)l->n_lines - 1 : 1;
	uint64_t n = count ? count : 1;
	switch ((int)a) {
	case ACTION_DOWN: move(l, n, true); return true;
	case ACTION_UP: move(l, n, false); return true;
	case ACTION_PAGE_DOWN: move(l, n * page, true); return true;
	case ACTION_PAGE_UP: move(l, n * page, false); return true;
	case ACTION_HALF_DOWN: move(l, n * ((page + 1) / 2), true); return true;
	case ACTION_HALF_UP: move(l, n * ((page + 1) / 2), false); return true;
	case ACTION_TOP: list_go(l, count ? count - 1 : 0); return true;
	case ACTION_BOTTOM: list_go(l, count ? count - 1 : l->n ? l->n - 1 : 0); return true;
	default: return false;
	}
}

bool list_click(struct list *l, int line)
{
	line -= l->n_head;
	if (line < 0 || l->top + (uint64_t)line >= l->n)
		return false;
	l->cursor = l->top + (uint64_t)line;
	return true;
}

void list_wheel(struct list *l, int lines)
{
	uint64_t page = l->n_lines > 0 ? (uint64_t)l->n_lines : 1;
	uint64_t max_top = l->n > page ? l->n - page : 0;
	if (lines > 0)
		l->top = l->top + (uint64_t)lines < max_top ? l->top + (uint64_t)lines : max_top;
	else
		l->top = l->top > (uint64_t)-lines ? l->top - (uint64_t)-lines : 0;
	if (l->cursor < l->top)
		l->cursor = l->top;
	if (l->cursor >= l->top + page)
		l->cursor = l->top + page - 1;
	if (l->n && l->cursor >= l->n)
		l->cursor = l->n - 1;
}
