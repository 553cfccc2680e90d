/*
 * open_capture: what commands that read a capture have in common.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"

struct filter;
struct filter_run;
struct options;
struct trace;

/* Open a capture by name; "-" is standard input: a capture, or JSON lines. What is damaged is said
 * on standard error: now what opening finds, and by damage_say(), after all that was wanted has
 * been read, what else came to light. */
MUST_CHECK struct err *open_capture(const struct options *o, const char *path, struct trace **ret);
/* ERR_USAGE if the result would go into the very file it is made of, which would empty that first.
 * `out` NULL is fine. */
MUST_CHECK struct err *check_not_same_file(const char *in, const char *out);
void damage_say(const struct options *o, const char *path, struct trace *t);

struct shown {
	struct filter *filter;
	struct filter_run *run; /* NULL: no filter, everything is shown */
};
/* Compile -Y and run it over the whole capture. An error in it comes with the text and a caret. */
MUST_CHECK struct err *shown_make(const struct options *o, struct trace *t, struct shown *ret);
void shown_fini(struct shown *s);

/* Is it a filter? Where there is no capture yet. */
MUST_CHECK struct err *filter_check(const char *option, const char *text);
/* A syntax error in a filter, as a message for main to print: with the text and a caret below the
 * wrong word. */
MUST_CHECK struct err *filter_error(const char *option, const char *text, struct err *err);
