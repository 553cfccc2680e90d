/*
 * frame: the lines around panes and boxes.
 */
#pragma once
#include <stdbool.h>

#include "ui/canvas.h"

/* Draw the rule over a pane: its title, its subject, and facts at the right end. focus: the keys go
 * to this pane. */
void frame_draw_title(struct area line, bool focus, const char *title, const char *subject,
		      const char *facts);
/* Draw a box with a title and clear its inside; returns the inside. */
struct area frame_draw_box(struct area all, int line, int column, int n_lines, int n_columns,
			   const char *title);
