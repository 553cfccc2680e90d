/*
 * show: open the screen, for any command.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"
#include "ui/app.h"

struct options;

struct show {
	struct app_source source; /* taken over, also on failure; trace NULL: the start page */
	const char *command;      /* a `:` line to execute first; may be NULL */
	const char *lesson;       /* its number; may be NULL */
};
/* An empty struct show: the start page. */
/* clang-format off */
#define SHOW_NOTHING { .source = { .terminal_fd = -1 } }
/* clang-format on */

/* Show it until the user leaves, then print the messages of the sessions. */
MUST_CHECK struct err *show_screen(const struct options *o, struct show *what, int *ret);
/* ERR_USAGE, suggesting `otherwise`, unless input and output are terminals. */
MUST_CHECK struct err *show_possible(const struct options *o, const char *otherwise);
