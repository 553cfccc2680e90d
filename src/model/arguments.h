/*
 * arguments: the arguments of an event, one by one, with their names.
 *
 *     struct arguments a;
 *     struct argument arg;
 *     arguments_init(&a, trace, &event);
 *     while (arguments_next(&a, &arg))
 *             value_text_literal(&buf, &a.it, &arg.value, 0);     (or arguments_skip())
 *
 * Names are those of the catalogue for the Python version that raised the event, or "0", "1", … if
 * it has none. An imported event that names its arguments itself has a dictionary instead of a
 * tuple; the keys are then the names.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/catalog.h"
#include "model/trace.h"
#include "model/value_iter.h"

struct argument {
	uint32_t index;
	const char *name; /* not terminated; valid until the next call */
	size_t n_name;
	struct value_node value;
	/* what the descriptor in the value was when the recorder looked, WTF-8; NULL: not known */
	const char *was;
	size_t n_was;
};

struct arguments {
	struct value_iter it;
	const struct catalog_event *event; /* NULL: not in the catalogue */
	int minor;
	uint32_t n, index;
	bool is_dict;
	char buf[CATALOG_KEY_BYTES];
	struct trace *trace;
	uint32_t descriptors; /* of the event; 0 nothing is known */
};

/* Begin with the arguments of an event of the trace; if it has none, there is nothing to read.
 * Memory is borrowed from the trace: it is valid until the next trace_trim(). */
void arguments_init(struct arguments *a, struct trace *t, const struct event *e);
/* The same without the addresses of objects, which is cheaper, and without descriptors. name, args:
 * ids of the trace, as in struct event; minor: as arguments_minor() returns it. */
void arguments_init_value(struct arguments *a, struct trace *t, uint32_t name, int minor,
			  uint32_t args);
/* Read the next argument. a->it is then behind its node: before the next call the caller reads what
 * is below the node, or calls arguments_skip(). False after the last. */
bool arguments_next(struct arguments *a, struct argument *ret);
/* Skip what is below the node of the argument that was read last. */
static inline void arguments_skip(struct arguments *a, const struct argument *last)
{
	value_iter_skip(&a->it, &last->value);
}

/* N of Python 3.N of a process, an index of the trace; 0 if it is unknown. */
int arguments_minor(const struct trace *t, uint32_t process);
