/*
 * canvas: cells, clipping, and the last check before the terminal: put_one() is the only place that
 * stores text in a cell, and it stores nothing whose utf8_width() is -1.
 */
#include "ui/canvas.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"

static void cell_blank(struct cell *cell)
{
	*cell = (struct cell){ .role = ROLE_TEXT, .n_bytes = 1, .width_cells = 1, .text = " " };
}

bool canvas_resize(struct canvas *c, int n_lines, int n_columns)
{
	if (n_lines < 1)
		n_lines = 1;
	if (n_columns < 1)
		n_columns = 1;
	struct cell *cells = realloc(c->cells,
				     (size_t)n_lines * (size_t)n_columns * sizeof(*cells));
	if (!cells)
		return false;
	c->cells = cells;
	c->n_lines = n_lines;
	c->n_columns = n_columns;
	canvas_clear(c);
	return true;
}

void canvas_clear(struct canvas *c)
{
	size_t n = (size_t)c->n_lines * (size_t)c->n_columns;
	for (size_t i = 0; i < n; i++)
		cell_blank(&c->cells[i]);
	c->cursor_line = -1;
	c->cursor_column = 0;
}

void canvas_fini(struct canvas *c)
{
	free(c->cells);
	*c = (struct canvas){ 0 };
}

struct area canvas_area(struct canvas *c)
{
	return (struct area){ c, 0, 0, c->n_lines, c->n_columns };
}

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
		cell_blank(cell - 1);
	if (cell->width_cells == 2 && x + 1 < c->n_columns)
		cell_blank(cell + 1);
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
	cell->n_bytes = (uint8_t)n;
	cell->width_cells = (uint8_t)width;
	memcpy(cell->text, s, n);
	if (width == 2) {
		cell[1].role = (uint8_t)role;
		cell[1].flags = 0;
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

/* Spell one code point that must not reach the terminal as an escape. */
static size_t spell(char to[16], const char *s, uint32_t cp)
{
	static const char short_names[] = "abtnvfr"; /* 7 … 13 */
	int n;
	if (cp == UTF8_BAD)
		n = snprintf(to, 16, "\\x%02x", (unsigned char)*s);
	else if (cp >= 7 && cp <= 13)
		n = snprintf(to, 16, "\\%c", short_names[cp - 7]);
	else if (cp < 0x100)
		n = snprintf(to, 16, "\\x%02x", cp);
	else if (cp < 0x10000)
		n = snprintf(to, 16, "\\u%04x", cp);
	else
		n = snprintf(to, 16, "\\U%08x", cp);
	return (size_t)n;
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
			size_t n_spelt = spell(spelt, text + i, cp);
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

void area_bar(struct area a, int line)
{
	area_mark(a, line, 0, a.n_columns, CELL_BAR, ROLE_COUNT);
}

static int width_of(const char *s, size_t n, size_t *ret_bytes)
{
	if ((unsigned char)*s >= 0x20 && (unsigned char)*s < 0x7f) {
		*ret_bytes = 1;
		return 1;
	}
	uint32_t cp = utf8_decode(s, n, ret_bytes);
	int width = utf8_width(cp);
	char spelt[16];
	return width >= 0 ? width : (int)spell(spelt, s, cp);
}

int text_width(const char *text, size_t n_bytes)
{
	int width = 0;
	size_t n;
	for (size_t i = 0; i < n_bytes; i += n)
		width += width_of(text + i, n_bytes - i, &n);
	return width;
}

size_t text_head(const char *text, size_t n_bytes, int limit)
{
	int width = 0;
	size_t i = 0, n;
	for (; i < n_bytes; i += n) {
		width += width_of(text + i, n_bytes - i, &n);
		if (width > limit)
			break;
	}
	return i;
}

/* Bytes to skip so that the rest is at most `limit` cells wide. */
static size_t text_tail(const char *text, size_t n_bytes, int limit)
{
	int width = text_width(text, n_bytes);
	size_t i = 0, n;
	while (i < n_bytes && width > limit) {
		width -= width_of(text + i, n_bytes - i, &n);
		i += n;
	}
	return i;
}

void text_cut(struct strbuf *to, const char *text, size_t n_bytes, int limit, bool middle)
{
	if (limit <= 0)
		return;
	if (text_width(text, n_bytes) <= limit) {
		strbuf_add(to, text, n_bytes);
		return;
	}
	if (!middle || limit < 8) {
		strbuf_add(to, text, text_head(text, n_bytes, limit - 1));
		strbuf_adds(to, "…");
		return;
	}
	/* The tail is the file name if that leaves room for a head of 3 cells; else it is the end
	 * of the text, up to half of the cells. */
	size_t name = n_bytes;
	while (name > 0 && text[name - 1] != '/')
		name--;
	if (name > 0)
		name--; /* keep the slash */
	int tail = text_width(text + name, n_bytes - name);
	if (name == 0 || tail > limit - 4)
		tail = (limit - 1) / 2;
	size_t from = text_tail(text, n_bytes, tail);
	int head = limit - 1 - text_width(text + from, n_bytes - from);
	size_t head_bytes = text_head(text, n_bytes, head);
	/* Prefer to end the head at a slash: "/srv/…/001.sql". */
	for (size_t i = head_bytes; i > 1; i--)
		if (text[i - 1] == '/') {
			head_bytes = i;
			break;
		}
	strbuf_add(to, text, head_bytes);
	strbuf_adds(to, "…");
	strbuf_add(to, text + from, n_bytes - from);
}

void canvas_text(const struct canvas *c, struct strbuf *to)
{
	for (int y = 0; y < c->n_lines; y++) {
		for (int x = 0; x < c->n_columns; x++) {
			const struct cell *cell = &c->cells[y * c->n_columns + x];
			strbuf_add(to, cell->text, cell->n_bytes);
		}
		strbuf_addc(to, '\n');
	}
}

void canvas_roles(const struct canvas *c, struct strbuf *to)
{
	static const char letters[ROLE_COUNT + 1] = ".dnfpcbi#*!";
	static const char in_bar[ROLE_COUNT + 1] = "_DNFPCBI@%?";
	for (int y = 0; y < c->n_lines; y++) {
		for (int x = 0; x < c->n_columns; x++) {
			const struct cell *cell = &c->cells[y * c->n_columns + x];
			strbuf_addc(to, (cell->flags & CELL_BAR ? in_bar : letters)[cell->role]);
		}
		strbuf_addc(to, '\n');
	}
}
