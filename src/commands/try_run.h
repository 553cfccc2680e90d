/*
 * try_run: run a piece of Python under the tracer and open the capture of the run.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "commands/pythons.h"
#include "model/own.h"

struct options;
struct strbuf;
struct trace;

struct try_code {
	const char *text;   /* code, given with -c; NULL if script is set */
	const char *script; /* file; NULL if text is set */
	char *const *args;  /* its arguments, NULL-terminated; NULL for none */
	/* no standard input, and its output is discarded; otherwise its output goes to stderr */
	bool is_quiet;
	/* without site-packages and their start-up code (-I -S), so that results are comparable */
	bool is_isolated;
	uint64_t timeout_ns; /* kill it after this time; 0 = never */
};

struct try_result {
	struct trace *trace;
	struct own own;
	char *path;     /* of the capture, removed by try_result_fini() */
	int status;     /* exit status of the code, 128+N for a signal */
	bool was_ended; /* killed by the timeout */
	/* the recording is incomplete, or the target was not restored; the user was told */
	bool has_failed;
	bool was_interrupted; /* by Ctrl-C, or another signal to us */
};

/* The argv that runs it. The caller frees the array; the strings are borrowed. NULL if memory is
 * short. */
char **try_argv(const struct python_program *python, const struct try_code *code);

/* `o` has the options of capturing (-s, --stack …). */
MUST_CHECK struct err *try_run(const struct options *o, const struct python_program *python,
			       const struct try_code *code, struct try_result *ret);
void try_result_fini(struct try_result *r);

/* How often an event was raised, start-up and shut-down included. */
uint64_t try_count(const struct try_result *r, const char *event);

/* Append the events that the code caused, one line each, at most `width` cells wide (0: no limit),
 * with imports, start-up and shut-down folded. Events called `focus` (may be NULL) are marked; if
 * all of them are folded, some are shown nevertheless. */
void try_result_list(struct strbuf *to, struct try_result *r, const char *focus, unsigned width);
