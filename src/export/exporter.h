/*
 * exporter: write the events of a capture in other formats, one row per format in exporter.c.
 *
 *     exporter_create(trace, exporter_find("jsonl"), fd, &options, &x);
 *     exporter_write(x, rows, 0, n);          any number of times, for ever later events if the
 *                                             capture grows
 *     exporter_close(x);                      ends the document and writes what is buffered
 *
 * Output is buffered; exporter_flush() writes it. If the reader has closed the pipe, the error has
 * err->sys EPIPE.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct exporter;
struct selection;
struct strbuf;
struct trace;

struct exporter_options {
	bool color;       /* text: terminal colours */
	bool wide;        /* text: arguments in full length */
	bool stacks;      /* text: the stack on lines of its own below the event */
	bool events_only; /* text: no lines for losses, exits and other notes */
	/* folded: the frames stand under the tasks that wait for the one that runs them */
	bool async;
	const char *path; /* of the output, for messages; NULL if it has none */
};

struct exporter_format {
	const char *name, *suffix, *doc;
	bool is_stream;     /* can be written while the capture grows */
	bool shows_callers; /* so which code is the user's own makes a difference */
	/* needs a regular, empty file that can be read back, because it writes at random offsets */
	bool needs_path;
	/* Any may be NULL. `begin` may set x->state; `end` frees it, also after an error (then ok
	 * is false). */
	struct err *(*begin)(struct exporter *x);
	struct err *(*event)(struct exporter *x, uint64_t seq);
	struct err *(*note)(struct exporter *x, uint32_t note);
	struct err *(*end)(struct exporter *x, bool ok);
};

/* in the order of the table; NULL beyond its end */
const struct exporter_format *exporter_format_at(size_t i);
size_t exporter_n_formats(void);
/* By name or suffix ("jsonl", ".jsonl", "json" for jsonl); NULL if there is none. */
const struct exporter_format *exporter_find(const char *name);
/* The same with an error that names the nearest format and lists all. */
MUST_CHECK struct err *exporter_find_checked(const char *name, const struct exporter_format **ret);

/* The caller keeps fd. The trace must outlive the exporter. */
MUST_CHECK struct err *exporter_create(struct trace *t, const struct exporter_format *format,
				       int fd, const struct exporter_options *options,
				       struct exporter **ret);
/* Write the events of rows (NULL = all) in [from, to), in order. Calls trace_trim(). */
MUST_CHECK struct err *exporter_write(struct exporter *x, const struct selection *rows,
				      uint64_t from, uint64_t to);
MUST_CHECK struct err *exporter_flush(struct exporter *x);
/* Finish the document. Always frees x. */
MUST_CHECK struct err *exporter_close(struct exporter *x);
/* Free without finishing. */
void exporter_destroy(struct exporter *x);
DEFINE_CLEANUP(exporter);
