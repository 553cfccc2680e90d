/*
 * frame: the lines around panes and boxes.
 */
#pragma once
#include <stdbool.h>

#include "ui/canvas.h"

/* The rule over a pane: its title, what it is about, and facts at the right end. focus: the keys go
 * to this pane. */
void draw_title(struct area line, bool focus, const char *title, const char *subject,
		const char *facts);
/* A box with a title, its inside cleared; returns the inside. */
struct area draw_box(struct area all, int line, int column, int n_lines, int n_columns,
		     const char *title);
