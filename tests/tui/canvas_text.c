/*
 * canvas_text: see canvas_text.h.
 */
#include "canvas_text.h"

#include "base/strbuf.h"
#include "ui/canvas.h"

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
