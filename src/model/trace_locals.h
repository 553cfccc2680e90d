/*
 * trace_locals: the local variables of the frames of events whose threads were held.
 *
 * The recorder reads them while the thread waits (recorder/held_locals.h). They are a value
 * (writer.h, writer_event_locals()), and hostile: what has another shape is no variable.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;
struct trace;
struct value_iter;
struct value_node;

/* Id of the value that has them; 0: there are none. */
uint32_t trace_locals(const struct trace *t, uint64_t seq);

struct trace_locals_frame {
	/* WTF-8, not terminated, valid until trace_trim() */
	const char *function, *file;
	size_t n_function, n_file;
	uint32_t line;    /* 0: none */
	bool is_readable; /* its variables are known */
};
/* Find the frame `number` of an event, 0 the innermost of the Python frames. Returns false if there
 * is none. Its variables, if they are known, are appended to `to` (NULL: not), each as a line
 * "name = literal" behind `indent`, escaped for a terminal. */
bool trace_locals_frame(struct trace *t, uint64_t seq, uint32_t number, const char *indent,
			struct trace_locals_frame *ret, struct strbuf *to);
/* Append such lines for the DICT whose node value_iter_next() returned last; the iterator is then
 * positioned after it. */
void trace_locals_add(struct strbuf *to, struct value_iter *it, const struct value_node *dict,
		      const char *indent);
