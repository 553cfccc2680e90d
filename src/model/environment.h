/*
 * environment: the variables that a child is given, compared with those of the process that starts
 * it.
 *
 * The process has the variables that it was started with, changed by its os.putenv and os.unsetenv
 * events. Secrets that the capture leaves out count as equal if their lengths are equal.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/vec.h"
#include "model/value_iter.h"

struct event;
struct trace;

/* What happens to a variable from the process to the child. */
enum environment_change {
	ENVIRONMENT_NEW,     /* only the child has it */
	ENVIRONMENT_CHANGED, /* both have it, with different values */
	ENVIRONMENT_MISSING, /* only the process has it */
	ENVIRONMENT_SAME,
	ENVIRONMENT_CHANGE_COUNT
};

struct environment_row {
	enum environment_change change;
	char *name; /* raw: escape before drawing; malloc'ed, n_name bytes and a NUL */
	size_t n_name;
	uint32_t pair; /* index of the pair in the dictionary; MISSING: UINT32_MAX */
	char *own;     /* the value in this process, as a literal; NULL for NEW */
};
struct environment_diff {
	VEC(struct environment_row) rows; /* by change, then as in the dictionary */
	size_t counts[ENVIRONMENT_CHANGE_COUNT];
};

/* Compare the DICT node `dict` of an argument of e with the variables that the process of e has at
 * that event. `it` is positioned after `dict`, and stays there. *ret_known false: the environment
 * of the process is not in the capture; *ret is then empty, as after an error. The caller calls
 * environment_diff_fini(). ERR_NO_MEMORY. */
MUST_CHECK struct err *environment_diff(struct trace *t, const struct event *e,
					const struct value_iter *it, const struct value_node *dict,
					struct environment_diff *ret, bool *ret_known);
void environment_diff_fini(struct environment_diff *d);
