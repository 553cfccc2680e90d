/*
 * show: open the screen, from whatever command.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"
#include "ui/app.h"

struct options;

struct show {
	struct ui_source source; /* taken over, also on failure; trace NULL: the start page */
	const char *command;     /* a `:` line to begin with; may be NULL */
	const char *lesson;      /* its number; may be NULL */
};
/* An empty one: the start page. */
/* clang-format off */
#define SHOW_NOTHING { .source = { .terminal_fd = -1 } }
/* clang-format on */

/* Show it until the user leaves, then say what sessions have to say. */
MUST_CHECK struct err *show_screen(const struct options *o, struct show *what, int *ret);
/* ERR_USAGE, naming `otherwise`, unless keys come from a terminal and go to one. */
MUST_CHECK struct err *show_possible(const struct options *o, const char *otherwise);
