/*
 * import: JSON lines → a capture file.
 *
 * Our own output (schema 1, export_jsonl.c) is imported without loss: exported again it has the
 * same bytes. Other JSON is accepted as far as it is understood: lines of objects, one array of
 * objects, or objects that span several lines, each with at least "event" (a text). Known members
 * are the time ("time", "timestamp", "ts", "asctime", …: ISO 8601, or a number, seconds to
 * nanoseconds since the epoch; "ts_ns"), "pid", "tid", "thread", "python", "args" (an object, an
 * array in the order of the event's arguments, or one value) and "stack" or "traceback". In a line
 * without "args" the other members become its arguments. A line that cannot be read is left out,
 * counted and reported, and so is a member that is not understood.
 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct strbuf;
struct writer;

#define IMPORT_WHY_BYTES 120
struct import_losses {
	uint64_t n;
	struct {
		uint64_t line; /* from 1 */
		char why[IMPORT_WHY_BYTES];
	} first[5];
};

struct import_result {
	uint64_t n_events;
	uint64_t n_comments;       /* lines that begin with # or // */
	struct import_losses lost; /* lines that were left out */
	struct import_losses odd;  /* parts of lines that were left out or changed */
};

/* Read fd to its end and write the capture `path`. `label` names the input in messages. *ret is
 * always set. Errors: ERR_NOT_FOUND if there is no event, ERR_SYNTAX if the input is not UTF-8, and
 * those of the writer; after an error no file is left. */
MUST_CHECK struct err *import_jsonl(int fd, const char *label, const char *path,
				    struct import_result *ret);
/* Where import_stream() writes, and how it reports. */
struct import_stream {
	int fd; /* a pipe; borrowed */
	/* A line that was left out, or a part of one; `text` has no line end. w: NULL before the
	 * first event. time_ns: of the event before it. */
	void (*say)(void *ctx, struct writer *w, uint64_t time_ns, const char *text);
	void *ctx;
};
/* The same for a reader that waits for the events: read the pipe or socket fd to its end, and write
 * a capture into another pipe; a line is in it 50 ms after it came, at the latest. Lines are read
 * once, so the first lines, those of 200 ms at most, decide when capture time 0 is; a later line
 * that is earlier is placed there and reported. In our own lines each line tells time 0. One array,
 * or an object that spans lines, is read to its end first. ERR_CANCELLED if the other pipe has no
 * reader. */
MUST_CHECK struct err *import_stream(int fd, const char *label, const struct import_stream *to,
				     struct import_result *ret);
/* Append lines that report what was left out, each ending with \n; nothing if nothing was. */
void import_losses_say(struct strbuf *to, const char *label, const struct import_result *result);
