/*
 * import_pipe: JSON lines that come through a pipe, as a capture that comes through a pipe.
 *
 * A process of its own imports the lines and writes a capture into another pipe, which is opened
 * and followed as any other. So lines are shown as they come, and the screen never waits for them.
 */
#pragma once
#include "base/attr.h"
#include "base/err.h"

struct options;
struct trace;
struct trace_options;

/* Takes over `in`, also on failure. Waits for the first event. Errors: those of import_stream()
 * before there is an event, and of trace_open_fd(). */
MUST_CHECK struct err *import_pipe_open(const struct options *o, int in, const char *label,
					const struct trace_options *options, struct trace **ret);
/* From now on, what is wrong with lines is not printed on standard error but becomes notes in the
 * capture, because there will be a screen. */
void import_pipe_use_notes(void);
