/*
 * given: check the user's input before anything is started, attached to or overwritten.
 */
#pragma once
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct options;

/* Check the filters, event expressions, interpreter and script of a command that starts or attaches
 * to something, and option combinations that make no sense for the way it will run. on_screen:
 * events go to the screen, not to a stream. ERR_USAGE, ERR_NOT_FOUND. */
MUST_CHECK struct err *given_check(const struct options *o, bool on_screen);

/* Refuse --mine if neither the output nor a filter has a use for callers. what: names the output.
 * ERR_USAGE. */
MUST_CHECK struct err *given_check_mine(const struct options *o, const char *what,
					bool shows_callers);

/* The program that --python selects for a script or an example: a path or a name in PATH is
 * returned unchanged; a version ("3.12") is searched for. NULL means python3. malloc'ed. */
MUST_CHECK struct err *given_python(const char *word, char **ret);
/* Is the program (a path or a name in PATH) a script, which begins with "#!"? */
bool given_is_script(const char *word);
