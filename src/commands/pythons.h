/*
 * pythons: the Pythons on this machine that examples and lessons can be run on.
 */
#pragma once
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct python_program {
	char *path;
	char version[24]; /* "3.12.1" */
	int minor;        /* of 3.N */
};
struct python_list {
	struct python_program *v;
	size_t n, cap;
};
void python_list_fini(struct python_list *list);

/* Ask a program for its version by running it. ERR_NOT_PYTHON if it does not answer as a Python 3
 * does. */
MUST_CHECK struct err *pythons_ask(const char *program, struct python_program *ret);

/* What --python names, one or several parted by commas: programs, or versions ("3.12") looked for
 * as pythons_find_all() does. NULL means python3. ERR_NOT_FOUND says what there is; ERR_UNSUPPORTED
 * for one older than 3.8. */
MUST_CHECK struct err *pythons_find(const char *words, struct python_list *ret);

/* Every CPython from 3.8 on: python3.N in PATH, then those of pyenv; of each release line the
 * newest; oldest line first. */
MUST_CHECK struct err *pythons_find_all(struct python_list *ret);
