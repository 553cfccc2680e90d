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

/* The program that --python selects for a script or an example: a path or a name in PATH is
 * returned unchanged; a version ("3.12") is searched for. NULL means python3. malloc'ed. */
MUST_CHECK struct err *given_python(const char *word, char **ret);
