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

/* Run a program to get its version. ERR_NOT_PYTHON if it does not answer like a Python 3. */
MUST_CHECK struct err *pythons_ask(const char *program, struct python_program *ret);

/* Find what --python names, one or several, separated by commas: programs, or versions ("3.12"),
 * searched for as in pythons_find_all(). NULL means python3. ERR_NOT_FOUND lists what there is;
 * ERR_UNSUPPORTED for versions older than 3.8. */
MUST_CHECK struct err *pythons_find(const char *words, struct python_list *ret);

/* Find every CPython from 3.8 on: python3.N in PATH, then pyenv's; the newest of each minor
 * version; the oldest minor version first. */
MUST_CHECK struct err *pythons_find_all(struct python_list *ret);
