/*
 * area: clipping, and the last check before the terminal: put_one() is the only place that stores
 * text in a cell, and it stores nothing whose utf8_width() is -1.
 */
#include "ui/area.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "ui/text.h"

struct area area_sub(struct area a, int line, int column, int n_lines, int n_columns)
{
	if (line < 0)
		line = 0;
	if (column < 0)
		column = 0;
	if (line > a.n_lines)
		line = a.n_lines;
	if (column > a.n_columns)
		column = a.n_columns;
	if (n_lines > a.n_lines - line)
		n_lines = a.n_lines - line;
	if (n_columns > a.n_columns - column)
		n_columns = a.n_columns - column;
	if (n_lines < 0)
		n_lines = 0;
	if (n_columns < 0)
		n_columns = 0;
	return (struct area){ a.canvas, a.line + line, a.column + column, n_lines, n_columns };
}

static struct cell *cell_at(struct area a, int line, int column)
{
	if (line < 0 || column < 0 || line >= a.n_lines || column >= a.n_columns)
		return NULL;
	struct canvas *c = a.canvas;
	int y = a.line + line, x = a.column + column;
	if (y < 0 || x < 0 || y >= c->n_lines || x >= c->n_columns)
		return NULL;
	return &c->cells[y * c->n_columns + x];
}

/* Overwriting half of a wide character blanks its other half. */
static void unpair(struct area a, int line, int column)
{
	struct canvas *c = a.canvas;
	int y = a.line + line, x = a.column + column;
	struct cell *cell = &c->cells[y * c->n_columns + x];
	if (cell->width_cells == 0 && x > 0)
		canvas_blank(cell - 1);
	if (cell->width_cells == 2 && x + 1 < c->n_columns)
		canvas_blank(cell + 1);
}

static void put_one(struct area a, int line, int column, int width, enum role role, const char *s,
		    size_t n)
{
	struct cell *cell = cell_at(a, line, column);
	if (!cell || (width == 2 && !cell_at(a, line, column + 1)))
		return;
	unpair(a, line, column);
	if (width == 2)
		unpair(a, line, column + 1);
	cell->role = (uint8_t)role;
	cell->flags = 0;
	cell->fg = cell->bg = 0;
	cell->n_bytes = (uint8_t)n;
	cell->width_cells = (uint8_t)width;
	memcpy(cell->text, s, n);
	if (width == 2) {
		cell[1].role = (uint8_t)role;
		cell[1].flags = 0;
		cell[1].fg = cell[1].bg = 0;
		cell[1].n_bytes = 0;
		cell[1].width_cells = 0;
	}
}

/* A combining mark goes to the character before it; marks that do not fit into the cell are left
 * out. */
static void put_mark(struct area a, int line, int column, const char *s, size_t n)
{
	struct cell *cell = cell_at(a, line, column);
	if (cell && cell->width_cells == 0)
		cell = cell_at(a, line, column - 1);
	if (!cell || cell->n_bytes + n > CELL_BYTES)
		return;
	memcpy(cell->text + cell->n_bytes, s, n);
	cell->n_bytes = (uint8_t)(cell->n_bytes + n);
}

/* Replacements for terminals that have no UTF-8 or draw these signs two cells wide. */
static const struct {
	const char *sign, *ascii;
} stand_ins[] = {
	{ "▌", ">" }, { "▏", "|" }, { "▸", "+" }, { "▾", "-" }, { "•", "*" }, { "◆", "*" },
	{ "◈", "*" }, { "…", "." }, { "─", "-" }, { "━", "=" }, { "│", "|" }, { "·", "." },
	{ "▎", "#" }, { "▍", "#" }, { "▊", "#" }, { "▋", "#" }, { "▉", "#" }, { "█", "#" },
	{ "▁", "_" }, { "▂", "." }, { "▃", "." }, { "▄", ":" }, { "▅", ":" }, { "▆", "|" },
	{ "▇", "|" }, { "●", "*" }, { "■", "#" }, { "‖", "=" }, { "→", ">" }, { "←", "<" },
	{ "↑", "^" }, { "↓", "v" }, { "×", "x" }, { "┌", "+" }, { "┐", "+" }, { "└", "+" },
	{ "┘", "+" }, { "┗", "[" }, { "┛", "]" }, { "◂", "<" }, { "−", "-" }, { "├", "+" },
	{ "┤", "+" }, { "┼", "+" }, { "‹", "<" }, { "›", ">" }, { "┬", "+" }, { "┴", "+" },
};

static const char *stand_in(const char *s, size_t n)
{
	for (size_t i = 0; i < sizeof(stand_ins) / sizeof(stand_ins[0]); i++)
		if (strlen(stand_ins[i].sign) == n && !memcmp(stand_ins[i].sign, s, n))
			return stand_ins[i].ascii;
	return "?";
}

int area_put_n(struct area a, int line, int column, int limit, enum role role, const char *text,
	       size_t n_bytes)
{
	int room = a.n_columns - column;
	if (room <= 0)
		return 0;
	if (limit < 0 || limit > room)
		limit = room;
	int used = 0;
	for (size_t i = 0; i < n_bytes;) {
		size_t n;
		uint32_t cp;
		if ((unsigned char)text[i] < 0x80) {
			cp = (unsigned char)text[i];
			n = 1;
		} else {
			cp = utf8_decode(text + i, n_bytes - i, &n);
		}
		int width = cp >= 0x20 && cp < 0x7f ? 1 : utf8_width(cp);
		if (width < 0) {
			char spelt[16];
			size_t n_spelt = text_spell(spelt, text + i, cp);
			for (size_t k = 0; k < n_spelt; k++, used++) {
				if (used >= limit)
					return used;
				put_one(a, line, column + used, 1, role, spelt + k, 1);
			}
		} else if (width == 0) {
			if (used > 0)
				put_mark(a, line, column + used - 1, text + i, n);
		} else {
			if (used + width > limit)
				return used;
			if (a.canvas->ascii && cp >= 0x80)
				for (int k = 0; k < width; k++)
					put_one(a, line, column + used + k, 1, role,
						stand_in(text + i, n), 1);
			else
				put_one(a, line, column + used, width, role, text + i, n);
			used += width;
		}
		i += n;
	}
	return used;
}

int area_put(struct area a, int line, int column, int limit, enum role role, const char *text)
{
	return area_put_n(a, line, column, limit, role, text, strlen(text));
}

int area_put_cut(struct area a, int line, int column, int limit, enum role role, const char *text)
{
	int room = a.n_columns - column;
	if (limit < 0 || limit > room)
		limit = room;
	if (limit <= 0)
		return 0;
	size_t n = strlen(text);
	if (text_width(text, n) <= limit)
		return area_put_n(a, line, column, limit, role, text, n);
	int used = area_put_n(a, line, column, limit - 1, role, text,
			      text_head(text, n, limit - 1));
	return used + area_put(a, line, column + used, 1, role, "…");
}

int area_put_middle(struct area a, int line, int column, int limit, enum role role,
		    const char *text)
{
	int room = a.n_columns - column;
	if (limit < 0 || limit > room)
		limit = room;
	struct strbuf b = { 0 };
	text_cut(&b, text, strlen(text), limit, true);
	int used = area_put_n(a, line, column, limit, role, strbuf_str(&b), b.n);
	strbuf_fini(&b);
	return used;
}

void area_put_right(struct area a, int line, int column, int width, enum role role,
		    const char *text)
{
	int w = text_width(text, strlen(text));
	if (w > width)
		area_put(a, line, column, width, role, text);
	else
		area_put(a, line, column + width - w, w, role, text);
}

int area_printf(struct area a, int line, int column, int limit, enum role role, const char *fmt,
		...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return area_put(a, line, column, limit, role, text);
}

void area_fill(struct area a, int line, int column, int n, enum role role, const char *sign)
{
	for (int i = 0; i < n; i++)
		area_put(a, line, column + i, 1, role, sign);
}

void area_clear(struct area a)
{
	for (int y = 0; y < a.n_lines; y++)
		area_fill(a, y, 0, a.n_columns, ROLE_TEXT, " ");
}

void area_mark(struct area a, int line, int column, int n, unsigned flags, enum role role)
{
	for (int i = 0; i < n; i++) {
		struct cell *cell = cell_at(a, line, column + i);
		if (!cell)
			continue;
		cell->flags = (uint8_t)(cell->flags | flags);
		if (role != ROLE_COUNT)
			cell->role = (uint8_t)role;
	}
}

void area_ink(struct area a, int line, int column, int n, uint16_t fg, uint16_t bg)
{
	for (int i = 0; i < n; i++) {
		struct cell *cell = cell_at(a, line, column + i);
		if (!cell)
			continue;
		cell->fg = fg;
		cell->bg = bg;
	}
}

void area_bar(struct area a, int line)
{
	area_mark(a, line, 0, a.n_columns, CELL_BAR, ROLE_COUNT);
}
