/*
 * import_private: what the parts of import share. For src/export/import*.c only.
 */
#pragma once
#include "base/strbuf.h"
#include "base/vec.h"
#include "capture/writer.h"
#include "export/exporter_private.h"
#include "export/import.h"
#include "export/seen.h"
#include "model/value_json.h"

struct process {
	uint32_t index;
	struct process_info info;
};

/* A frame of a stack's text, and the stack that it and all outside it are. */
struct level {
	size_t from_end; /* where the frame's text starts, in bytes before the end */
	uint32_t frame, stack;
};

/* A number as strangers write it: 41, "41", 41.0, -1, 1e308. */
struct number {
	bool is_set;
	bool is_odd; /* it is no whole number from 0 to 2^64 - 1: `text` has it */
	uint64_t u;
	char text[40]; /* as it was written, cut */
};

/* Where a line stands in time. */
struct line_time {
	bool has_wall, has_ts;
	int64_t wall_ns; /* since the epoch */
	int64_t ts_ns;   /* since a start of its own */
};

/* The axis of all lines, found before the first is taken: capture time 0 must be before them all.
 */
struct axis {
	bool has_pair, has_wall, has_ts, has_large;
	int64_t least_pair, least_wall,
	    least_ts;        /* pair: wall - ts, which is when its clock started */
	int64_t start_ns;    /* wall time of capture time 0 */
	int64_t ts_shift_ns; /* to be added to a ts */
};

struct import {
	const char *label, *path;
	struct writer *w; /* NULL until the first event */
	struct axis axis;
	uint64_t last_ns, line;
	struct seen frames, stacks, args, threads, names;
	VEC(struct process) processes;
	struct seen by_pid; /* the newest process of a pid */
	struct strbuf
	    last_stack; /* text of the stack parsed last, and its frames, innermost first */
	VEC(struct level) levels;
	struct strbuf key, text, value, encoded, thread, python, process_name;
	struct json_objects objects;
	struct import_result *result;
};

/* What one line says. */
struct line {
	struct line_time time;
	struct number pid, tid, ns_tid, interp, flags;
	bool has_event, is_own; /* is_own: as export_jsonl.c writes it */
	uint32_t name;          /* string id */
	const char *event;      /* its text, in im->value while the line is read */
	size_t n_event;
	bool stack_is_outermost_first;
	struct json args, stack, process, notes; /* start NULL: not there */
	VEC(struct json) others; /* members we do not know: key at start, value at p */
};

/* Something of the line that stands in im->line is not as expected; the event is taken without it.
 */
void import_odd(struct import *im, const char *what);

bool import_key_is(const struct strbuf *key, const char *name);
/* A string's text, or that of a number; null and all else give nothing. False: no JSON. */
bool import_read_text(struct json *j, struct strbuf *to);
bool import_read_number(struct json *j, struct number *ret);
bool import_read_string_id(struct import *im, struct json *j, uint32_t *ret);

/* import_time.c: if `key` is one of a time, read it. False: no JSON. */
bool import_is_time(const struct strbuf *key);
bool import_read_time(struct json *j, const struct strbuf *key, struct strbuf *scratch,
		      struct line_time *ret, bool *ret_is_odd);
void import_axis_see(struct axis *a, const struct line_time *t);
void import_axis_set(struct axis *a);
/* Capture time; last_ns for a line that says none. */
uint64_t import_axis_place(const struct axis *a, const struct line_time *t, uint64_t last_ns);

/* import_frames.c: a stack in any of the forms that it comes in. False: it is none. */
bool import_read_stack(struct import *im, struct line *l, uint32_t *ret);

/* import_process.c. False: memory is short; of notes: they are none. */
bool import_find_process(struct import *im, struct line *l, uint64_t time_ns, struct process **ret);
bool import_find_thread(struct import *im, const struct line *l, const struct process *p,
			uint32_t *ret);
bool import_read_notes(struct import *im, struct json *j);
