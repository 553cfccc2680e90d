/*
 * open_capture: shared by the commands that read a capture.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"

struct filter;
struct filter_run;
struct options;
struct trace;
struct trace_options;

/* Open a capture by name; "-" is standard input. What is there may be a capture or JSON lines. What
 * comes through a pipe is followed (trace_is_stream()). Damage is reported on standard error: here
 * the damage that opening finds, and by capture_damage_say(), after everything was read, the
 * rest. */
MUST_CHECK struct err *open_capture(const struct options *o, const char *path, struct trace **ret);
/* The same, and read a pipe to its end. */
MUST_CHECK struct err *open_capture_whole(const struct options *o, const char *path,
					  struct trace **ret);
/* The same, with options for the trace. */
MUST_CHECK struct err *open_capture_with(const struct options *o, const char *path,
					 const struct trace_options *options, struct trace **ret);
/* ERR_USAGE if `in` is a dash, and standard input was closed when the program began. */
MUST_CHECK struct err *capture_check_stdin(const char *in);
/* ERR_USAGE if the output file is the input file, which would be overwritten before it is read.
 * `out` NULL or "-": standard output, which a shell can have opened as that file. */
MUST_CHECK struct err *capture_check_not_same(const char *in, const char *out);
void capture_damage_say(const struct options *o, const char *path, struct trace *t);

struct shown {
	struct filter *filter;
	struct filter_run *run; /* NULL: no filter, all events are shown */
};
/* Compile -Y and run it over the whole capture. A syntax error is returned with the text and a
 * caret. */
MUST_CHECK struct err *capture_shown_make(const struct options *o, struct trace *t,
					  struct shown *ret);
void capture_shown_fini(struct shown *s);

/* Is it a valid filter? For use when there is no capture yet. */
MUST_CHECK struct err *capture_filter_check(const char *option, const char *text);
/* A syntax error in a filter as a message for main to print, with the text and a caret below the
 * wrong word. */
MUST_CHECK struct err *capture_filter_error(const char *option, const char *text, struct err *err);
