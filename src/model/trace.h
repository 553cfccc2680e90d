/*
 * trace: an opened capture, finished or still growing.
 *
 * All access to a capture goes through here. Opening reads only the index; everything else is read
 * on demand, kept in a cache of bounded size, and evicted when the cache is full:
 *
 *   BORROWED MEMORY. Pointers into strings, values and dictionary pages stay valid until the next
 *   trace_trim(), pointers into chunks until the next trace_trim() or trace_refresh(). Nothing else
 *   moves or frees them. So: call trace_trim() once per screen drawn, or once per chunk of a scan,
 *   at a place where you hold none of them.
 *
 *   seq     number of an event: 0 … trace_n_events() - 1. Events are only ever added at the end.
 *   chunk   TRACE_CHUNK consecutive events, as columns: chunk c holds seq c * TRACE_CHUNK …; only
 *           the last is shorter.
 *   ids     count from 1 in order of first use; 0 = none. String, value, frame and stack ids are
 *           the writer's; a name id numbers the distinct event names. Process and thread are
 *           indices from 0. Ids of a growing file keep their meaning and new ones are added at the
 *           end, so results per id only need to be extended.
 *
 * Everything in a file is checked. What cannot be read (a torn block, an id out of range) yields
 * empty results: an event of name 0, a string of 0 bytes, a value that decodes as UNREADABLE;
 * trace_damage() describes what is missing. Memory is bounded by the limits in trace_options. Times
 * are ns since capture time 0.
 *
 * Not thread-safe.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "capture/writer.h" /* frame_info, process_info, thread_info, note_info, event_flag */

struct trace;

#define TRACE_CHUNK_SHIFT 14
#define TRACE_CHUNK       (1u << TRACE_CHUNK_SHIFT)

/* ---- open, follow, close ---- */

struct trace_options {
	size_t cache_bytes; /* how much trace_trim() leaves in the cache; 0 = 16 MiB */
	/* the most that trace_load() may pin; 0 = 1 GiB, or a quarter of the machine's memory if
	 * that is less */
	size_t load_bytes;
};

/* Open a capture. Errors: ERR_NOT_FOUND, ERR_DENIED, ERR_SYS; ERR_CORRUPT if it is not a capture or
 * nothing in it is readable (also for an empty file: "nothing captured yet"); ERR_UNSUPPORTED for a
 * newer format. A pipe is read to its end first. */
MUST_CHECK struct err *trace_open(const char *path, const struct trace_options *options,
				  struct trace **ret);
/* The same on an open descriptor (a file or a pipe), which the trace takes over, also on failure.
 * `label` is for messages. */
MUST_CHECK struct err *trace_open_fd(int fd, const char *label, const struct trace_options *options,
				     struct trace **ret);
void trace_close(struct trace *t); /* NULL is fine */
static inline void trace_destroy(struct trace *t)
{
	trace_close(t);
}
DEFINE_CLEANUP(trace);

struct trace_change {
	uint64_t first_seq, n_events; /* new events: [first_seq, first_seq + n_events) */
	uint32_t n_notes;             /* new notes, at the end of the list */
	bool processes;               /* processes or threads were added or changed */
	/* the writer has closed the file properly: it will not grow any more */
	bool finished;
	bool disturbed; /* trace_is_disturbed() is true from now on */
};
/* Read what has become complete if the file has grown. Cheap (one fstat) if nothing happened. Never
 * waits. */
MUST_CHECK struct err *trace_refresh(struct trace *t, struct trace_change *ret);
/* Has another process overwritten, truncated or replaced the file? trace_damage() says which. */
bool trace_is_disturbed(const struct trace *t);
/* Has the writer closed the file properly? False for a file that is being written and for one whose
 * writer died. */
bool trace_is_finished(const struct trace *t);

/* Will nothing more come, as of the last refresh? The file is finished, or it came through a pipe
 * that has ended. */
bool trace_is_over(const struct trace *t);
/* Does it come through a pipe or socket? */
bool trace_is_stream(const struct trace *t);
/* After fork(2), in the process that does not go on: free it, and leave what still comes through a
 * pipe to the other. NULL is fine. */
void trace_forget(struct trace *t);
/* Wait until there may be more to read, at most timeout_ms (of a file: that long). */
void trace_wait(struct trace *t, int timeout_ms);
/* Of a capture that comes through a pipe: read it to its end. */
MUST_CHECK struct err *trace_read_whole(struct trace *t);
/* A name to watch for growth with inotify(7), for a stream. */
void trace_watch_path(const struct trace *t, char ret[32]);

/* Evict the least recently used pages beyond cache_bytes. See "borrowed memory" above. */
void trace_trim(struct trace *t);
/* Load everything except object addresses and pin it, for at most budget_ns (UINT64_MAX = to the
 * end). *ret_done in 0…1; 1 = everything (or as much as load_bytes allows). Call again after a
 * refresh. */
MUST_CHECK struct err *trace_load(struct trace *t, uint64_t budget_ns, double *ret_done);

/* ---- about the file ---- */

struct trace_about {
	const char *creator;     /* "auditview 0.2.0"; escape before drawing */
	const char *host;        /* "" if not stored */
	const char *boot_id;     /* "" if not stored */
	uint64_t wall_anchor_ns; /* CLOCK_REALTIME at capture time 0, ns since the epoch */
	/* times of the earliest and the latest event; 0, 0 if there are none */
	uint64_t first_ns, last_ns;
	uint64_t file_bytes; /* how much of the file was read */
	bool finished;
};
/* Valid until trace_close(); refresh updates it in place. */
const struct trace_about *trace_about_get(const struct trace *t);

/* What could not be read, as text for the user ("the last 1 200 of 94 310 bytes are an incomplete
 * block …"); NULL if there is no damage. An unfinished file that ends at a block's end is not
 * damaged. Valid until the next call of any function here. */
const char *trace_damage(const struct trace *t);
/* The same if the damage has grown since the last call (or at the first call), else NULL: blocks
 * are read on demand, so damage may be found late. The incomplete end of a growing file does not
 * count. */
const char *trace_damage_news(struct trace *t);

/* ---- events ---- */

uint64_t trace_n_events(const struct trace *t);

struct event {
	uint64_t seq;
	uint64_t time_ns;
	uint32_t name;    /* name id; 0 unreadable */
	uint32_t thread;  /* thread index */
	uint32_t process; /* process index, of that thread */
	uint32_t args;    /* value id of a TUPLE; 0 none */
	uint32_t stack;   /* stack id; 0 none */
	uint8_t flags;    /* enum event_flag */
	/* value id: what the descriptors in args were (writer.h, event_info); 0 nothing is known */
	uint32_t descriptors;
	uint32_t task; /* value id: the asyncio task that raised it (trace_task()); 0 none */
};
/* Get any event; fast. False only if seq is out of range. */
bool trace_event(struct trace *t, uint64_t seq, struct event *ret);
/* Addresses for the OBJECT nodes of its arguments, in order. Valid until the next trace_trim() or
 * trace_refresh(). */
const uint64_t *trace_event_objects(struct trace *t, uint64_t seq, uint32_t *ret_n);
/* First event at or after time_ns, by a search over nearly ascending times; trace_n_events() if
 * there is none. */
uint64_t trace_seq_at(struct trace *t, uint64_t time_ns);

/*
 * Columns of one chunk, for scans. name[] and thread[] hold positions in the chunk's own small
 * tables, so that a verdict is computed once per distinct name and chunk:
 *
 *     for (uint32_t i = 0; i < c->n_names; i++) verdict[i] = wanted[c->names[i]];
 *     for (uint32_t i = 0; i < c->n; i++) hit |= (uint64_t)verdict[c->name[i]] << (i & 63) …
 */
struct chunk {
	uint64_t first_seq;
	uint32_t n; /* events */
	uint32_t n_names, n_threads;
	const uint32_t *names;       /* [n_names] name ids, distinct */
	const uint32_t *name_n;      /* [n_names] how many events of the chunk have it */
	const uint32_t *threads;     /* [n_threads] thread indices, distinct */
	const uint32_t *thread_n;    /* [n_threads] */
	const uint64_t *time_ns;     /* [n] */
	const uint16_t *name;        /* [n] index into names[] */
	const uint16_t *thread;      /* [n] index into threads[] */
	const uint32_t *args;        /* [n] */
	const uint32_t *stack;       /* [n] */
	const uint8_t *flags;        /* [n] */
	const uint32_t *descriptors; /* [n] */
	const uint32_t *task;        /* [n]; NULL: no event of the chunk has one */
};
uint32_t trace_n_chunks(const struct trace *t);
/* NULL only when memory is short. */
const struct chunk *trace_chunk(struct trace *t, uint32_t chunk);

/* What is known about a chunk without reading it, to decide whether it must be read. */
struct chunk_summary {
	uint64_t first_seq;
	uint32_t n;
	uint64_t min_ns, max_ns; /* of its events' times */
	uint32_t n_names, n_threads;
	const uint32_t *names, *name_n; /* as above; valid until the next refresh */
	const uint32_t *threads, *thread_n;
	/* all ids used so far, in this and earlier chunks, are smaller */
	uint32_t args_end, stack_end;
	bool is_loaded;
};
bool trace_chunk_summary(const struct trace *t, uint32_t chunk, struct chunk_summary *ret);

/* ---- names: the distinct event names, id 1 … trace_n_names() ---- */

uint32_t trace_n_names(const struct trace *t);
/* Bytes of the name (WTF-8; do not rely on the NUL that follows), valid until trace_close(). */
const char *trace_name(const struct trace *t, uint32_t name, size_t *ret_n_bytes);
/* Id of a name, 0 if it never occurs. */
uint32_t trace_name_find(const struct trace *t, const char *s, size_t n_bytes);

/* Totals from the index: exact, and available before anything is loaded. Arrays are valid until the
 * next refresh. */
/* [trace_n_names() + 1], [0] = unreadable names */
const uint64_t *trace_count_by_name(const struct trace *t);
const uint64_t *trace_count_by_thread(const struct trace *t); /* [trace_n_threads()] */

/* ---- dictionaries ---- */

uint32_t trace_n_strings(const struct trace *t); /* ids 1 … n; the same below */
uint32_t trace_n_values(const struct trace *t);
uint32_t trace_n_frames(const struct trace *t);
uint32_t trace_n_stacks(const struct trace *t);

/* "" and 0 bytes for 0 or an unknown id. */
const char *trace_string(struct trace *t, uint32_t string, size_t *ret_n_bytes);
/* The encoded bytes of one value (base/value.h); decode with value_iter.h. NULL and 0 for 0 or an
 * unknown id. */
const uint8_t *trace_value(struct trace *t, uint32_t value, size_t *ret_n_bytes);
/* All zero, and false, for 0 or an unknown id. Strings in it are string ids. */
bool trace_frame(struct trace *t, uint32_t frame, struct frame_info *ret);
/* One node of the stack tree; false for 0 or an unknown id. *ret_parent < stack always, so walking
 * up ends. */
bool trace_stack(struct trace *t, uint32_t stack, uint32_t *ret_parent, uint32_t *ret_frame);
/* Frames of a stack, innermost first, at most cap of them into frames[]; returns the full depth. */
uint32_t trace_stack_frames(struct trace *t, uint32_t stack, uint32_t *frames, uint32_t cap);
uint32_t trace_stack_depth(struct trace *t, uint32_t stack);

/* Dictionary pages, for scans of a whole dictionary. A page holds consecutive ids; entry i has id
 * first + i. */
struct string_page {
	uint32_t first, n;
	const uint32_t *offsets; /* [n + 1] into bytes */
	const uint8_t *bytes;
};
struct stack_page {
	uint32_t first, n;
	/* [n], checked: parent < own id, frame ≤ trace_n_frames() */
	const uint32_t *parents, *frames;
};
/* The page that holds `id` (start with 1, continue with first + n while that is ≤ trace_n_…). NULL
 * if id is out of range or memory is short. A page that cannot be read has entries of 0 bytes.
 * Valid until the next trace_trim(). */
const struct string_page *trace_value_page(struct trace *t, uint32_t id);
const struct stack_page *trace_stack_page(struct trace *t, uint32_t id);

/* ---- processes, threads, notes ---- */

uint32_t trace_n_processes(const struct trace *t);
uint32_t trace_n_threads(const struct trace *t);
/* NULL when out of range. Valid until the next trace_refresh(). Strings and values in them are
 * ids. */
const struct process_info *trace_process(const struct trace *t, uint32_t process);
/* Are times of this process right to PROCESS_TICK_NS only? */
bool trace_is_ticked(const struct trace *t, uint32_t process);
/* Such a time, or the time between two events, rounded to what is known. */
uint64_t trace_tick_round(uint64_t ns);
const struct thread_info *trace_thread(const struct trace *t, uint32_t thread);
/* The hosts that processes come from: numbers 1 … n; there are none unless captures were merged or
 * lines of several hosts imported. NULL when out of range; valid until the next trace_refresh(). */
uint32_t trace_n_hosts(const struct trace *t);
const struct host_info *trace_host(const struct trace *t, uint32_t host);
/* The name of the host that a process (a note: its host) comes from; "" and 0 bytes if unknown.
 * Valid until the next trace_trim() or trace_refresh(). */
const char *trace_process_host(struct trace *t, uint32_t process, size_t *ret_n_bytes);
const char *trace_host_name(struct trace *t, uint32_t host, size_t *ret_n_bytes);
/* The boot id likewise. */
const char *trace_process_boot_id(struct trace *t, uint32_t process, size_t *ret_n_bytes);
/* Index of the parent process (by ppid, the latest that started earlier); UINT32_MAX if unknown or
 * memory is short. The first call after records came looks at all processes once. */
uint32_t trace_process_parent(struct trace *t, uint32_t process);

struct trace_note {
	struct note_info note;
	/* the note is before the event of this number, and after all events appended earlier */
	uint64_t seq;
};
/* Events that were counted in the target and are not in the capture (NOTE_COUNTED), by process and
 * name. The numbers of entries never change, their sums grow with trace_refresh(). */
struct trace_counted {
	uint32_t process; /* index, UINT32_MAX = unknown */
	uint32_t name;    /* string id; two entries can have the same text */
	uint64_t n;
};
uint32_t trace_n_counted(const struct trace *t);
/* Borrowed until the next trace_refresh(). */
const struct trace_counted *trace_counted_get(const struct trace *t, uint32_t i);
/* Its name, as trace_name() has names; valid until trace_trim(). */
const char *trace_counted_name(struct trace *t, uint32_t i, size_t *ret_n_bytes);
uint32_t trace_n_notes(const struct trace *t);
/* Notes are ordered by seq. Borrowed until the next trace_refresh(). */
const struct trace_note *trace_note_get(const struct trace *t, uint32_t note);
/* Events that were raised and are not in the capture, as far as its notes say (sum over
 * NOTE_LOST). */
uint64_t trace_n_lost(const struct trace *t);
/* Is that the total? False until the recorder has said so at its end: it may be running, have died,
 * or know of further losses. */
bool trace_is_loss_known(const struct trace *t);

/* ---- the caller: the innermost frame that is the user's own ---- */

/* Say that the code below this folder is the user's own, and no other is, in all captures.
 * If no folder is named, it is the project that a process was started in, and editable installs; if
 * these are unknown, all code outside the standard library and site-packages. */
void trace_add_mine(const char *dir);

/* How often callers were found anew, because more folders became the user's own or a project became
 * known late. What was computed from callers at another number may be out of date. */
unsigned trace_callers_found(struct trace *t);

/* What kind of code a frame belongs to, by its file: by the prefixes stored per process, then by
 * path names that are the same everywhere. */
enum frame_origin {
	FRAME_ORIGIN_USER,
	FRAME_ORIGIN_STDLIB, /* the standard library, frozen modules */
	FRAME_ORIGIN_SITE,   /* site-packages, dist-packages */
	FRAME_ORIGIN_NATIVE, /* not Python code */
	FRAME_ORIGIN_MARK,   /* FRAME_MARK */
	FRAME_ORIGIN_IMPORT, /* the import system: <frozen importlib…>, importlib/ */
	FRAME_ORIGIN_COUNT
};
enum frame_origin trace_frame_origin(struct trace *t, uint32_t frame);
/* The stack node of the innermost frame of the user's own code in `stack`, else of the innermost
 * frame of USER origin; 0 if there is none. Cached per node, so it takes ns. */
uint32_t trace_stack_caller(struct trace *t, uint32_t stack);
/* The same as a frame id (0 = none), which most callers need. */
uint32_t trace_caller(struct trace *t, uint32_t stack);

/* ---- packages: installed distributions, numbers 1 … trace_n_packages() ---- */

struct trace_package {    /* valid until trace_close() */
	const char *name; /* as its metadata has it: "PyYAML" */
	size_t n_name;
	const char *version; /* "?" unknown */
	size_t n_version;
};
uint32_t trace_n_packages(struct trace *t);
/* NULL when out of range. */
const struct trace_package *trace_package(const struct trace *t, uint32_t package);
/* The distribution that the frame's file belongs to; 0 none. Cached. */
uint32_t trace_frame_package(struct trace *t, uint32_t frame);
/* That of the innermost frame outside the standard library; 0 if that frame is of none, or there is
 * no such frame. Cached. */
uint32_t trace_stack_package(struct trace *t, uint32_t stack);
