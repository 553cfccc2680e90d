/*
 * canvas: the memory of the cells.
 */
#include "ui/canvas.h"

#include <stdlib.h>

void canvas_blank(struct cell *cell)
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
		canvas_blank(&c->cells[i]);
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
