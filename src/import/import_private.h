/*
 * import_private: what the parts of import share. For src/import/import*.c only.
 */
#pragma once
#include "base/strbuf.h"
#include "base/vec.h"
#include "capture/dictionary.h"
#include "capture/writer.h"
#include "import/import.h"
#include "model/value_json.h"

struct process {
	uint32_t index;
	struct process_info info;
};

/* One frame in the text of a stack, and the stack of this frame and all outer ones. */
struct level {
	size_t from_end; /* where the frame's text starts, in bytes before the end */
	uint32_t frame, stack;
};

/* A number as other programs write it: 41, "41", 41.0, -1, 1e308. */
struct number {
	bool is_set;
	bool is_odd; /* it is not an integer from 0 to 2^64 - 1; it is in `text` */
	uint64_t u;
	char text[40]; /* as written, cut to this size */
};

/* The time of a line. */
struct line_time {
	bool has_wall, has_ts;
	int64_t wall_ns; /* since the epoch */
	int64_t ts_ns;   /* since a start that the line does not tell */
};

/* The time axis of all lines, found before the first event is written, because no event may be
 * earlier than capture time 0. */
struct axis {
	bool has_pair, has_wall, has_ts, has_large;
	uint64_t n_events; /* how many events were seen */
	int64_t least_pair, least_wall,
	    least_ts;        /* pair: wall - ts, the time at which the clock of ts started */
	int64_t start_ns;    /* wall time of capture time 0 */
	int64_t ts_shift_ns; /* added to each ts */
};

struct import {
	const char *label, *path;
	struct writer *w; /* NULL until the first event */
	struct axis axis;
	uint64_t last_ns, line;
	uint64_t seed; /* of the hashes below: keys are the texts of these things */
	struct dictionary frames, stacks, args, threads, names;
	VEC(struct process) processes;
	struct dictionary by_pid; /* the newest process of a pid */
	/* text of the last parsed stack, and its frames, innermost first */
	struct strbuf last_stack;
	VEC(struct level) levels;
	struct strbuf key, text, value, encoded, thread, thread_key, python, process_name, host,
	    boot_id, note_host;
	/* members that came as JSON text: the line's struct json point into them */
	struct strbuf args_text, stack_text, process_text, notes_text, descriptors_text, task_text,
	    locals_text;
	/* of the first line: they describe the whole capture. Other hosts get entries of their own:
	 * by_host has their numbers, by name and boot id, and the newest by name. */
	struct strbuf first_host, first_boot_id;
	struct dictionary by_host;
	struct json_objects objects;
	struct import_result *result;
	/* of import_stream() */
	bool is_live;
	const struct import_stream *stream;
	uint64_t flushed_ns; /* monotonic_ns() */
	size_t n_told[2];    /* of the first losses, and of the parts of lines */
};

/* The contents of one line. */
struct line {
	struct line_time time;
	struct number pid, tid, ns_tid, interp, flags;
	struct number unnumbered; /* which process of pid 0 */
	bool has_event, is_own;   /* is_own: in the form of export_jsonl.c */
	uint32_t name;            /* string id */
	const char *event;        /* its text, in im->value while the line is read */
	size_t n_event;
	bool stack_is_outermost_first;
	struct json args, stack, process, notes, descriptors, locals,
	    task;                /* start NULL: the member is missing */
	struct json args_string; /* the value of "args" if it is a string that may hold JSON */
	VEC(struct json) others; /* unknown members: key at start, value at p */
};

/* What was met before → its id, any number. A key that is added again gets the new id. */
static inline bool import_known_get(struct dictionary *d, struct dictionary_key key, uint32_t *ret)
{
	uint32_t id = dictionary_find(d, key);
	if (id)
		*ret = id - 1;
	return id != 0;
}
static inline bool import_known_add(struct dictionary *d, struct dictionary_key key, uint32_t id)
{
	return dictionary_alias(d, key, id + 1);
}
