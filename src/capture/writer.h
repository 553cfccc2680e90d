/*
 * writer: append events and dictionary entries to a capture file.
 *
 * The recorder and import own a writer. Entries are interned by content: the same string or frame
 * gets the same id every time; so does a stack node or a value, unless at least 65,536 others came
 * in between (dictionary.h). Ids count from 1 in order of first use; 0 means "none". The writer
 * buffers up to 16 Ki events; writer_flush() makes everything appended so far readable. The format:
 * data/capture-format.md.
 *
 * A failed write (disk full, …) is reported once. Afterwards the writer drops its input and
 * writer_is_broken() is true; what was flushed before stays readable.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

#include "capture/outflow.h"

struct new_file;
struct writer;

/* Called before events become visible to readers: `fd` is a copy of the capture that includes the
 * new events. Stores how many events of the capture to keep, and no further event is taken, also if
 * these are all that there are now; or UINT64_MAX: keep all, and go on. An error breaks the
 * writer. */
struct writer_gate {
	struct err *(*fn)(void *ctx, int fd, uint64_t *ret_n_events);
	/* writer_turn() has begun another file: the next descriptor is another copy. May be
	 * NULL. */
	void (*turned)(void *ctx);
	void *ctx;
};

struct writer_options {
	uint64_t wall_anchor_ns; /* CLOCK_REALTIME at capture time 0, ns since the epoch */
	const char *creator;     /* "auditview 0.2.0"; stored in the file */
	const char *host;        /* host name, may be NULL */
	const char *boot_id;     /* /proc/sys/kernel/random/boot_id of the host, may be NULL */
	bool no_compress;        /* for tests */
	struct writer_gate gate; /* .fn NULL: none */
	bool shows; /* keep a copy for writer_show(), in case the capture goes into a pipe */
	bool turns; /* writer_turn() may be called */
	struct outflow_wait wait; /* of a stream, when it is closed (outflow.h); .fn NULL: wait */
	/* nobody reads the file before it is finished, so it has a temporary name until then */
	bool is_hidden;
	/* compress less: for a copy, whose bytes come faster than those of a target */
	bool is_in_hurry;
};

/* Write to `path` by the rules of base/new_file.h: an existing file stays until writer_close(). */
MUST_CHECK struct err *writer_open(const char *path, const struct writer_options *options,
				   struct writer **ret);
/* The same with an open file. Takes over the file, also on failure. */
MUST_CHECK struct err *writer_open_file(struct new_file *file, const struct writer_options *options,
					struct writer **ret);
/* Write all that is pending, the index and the trailer; then the file gets its final name. After a
 * failed write it keeps its current name. Always frees w (NULL is fine). */
MUST_CHECK struct err *writer_close(struct writer *w);
/* Free without an index, as after a crash: the file keeps its current name and is readable up to
 * the last flush. */
void writer_destroy(struct writer *w);
DEFINE_CLEANUP(writer);
/* Free and remove the file; what it would have replaced stays. NULL is fine. */
void writer_discard(struct writer *w);
const struct new_file *writer_file(const struct writer *w); /* borrowed */

/* Finish this file, and continue in another one, which becomes a whole capture of its own. Ids of
 * strings, frames, processes and kept values stay valid; those of values, stacks and threads end.
 * Takes over `file`. If one of the two files fails, the writer is broken; the first keeps what was
 * written. */
MUST_CHECK struct err *writer_turn(struct writer *w, struct new_file *file);

/* Make everything appended so far visible to readers. Cheap if nothing is pending. */
MUST_CHECK struct err *writer_flush(struct writer *w);
/* Is a process, a thread or a note pending, which readers want to know before the next event? */
bool writer_has_news(const struct writer *w);
/* From now on compress less, because events come faster than they can be written; or as usual
 * again. The next file of writer_turn() begins as usual. */
void writer_hurry(struct writer *w, bool on);
/* The same as writer_flush(). Returns a descriptor by which the capture can be read: of the file,
 * or of a copy; borrowed until the next turn; -1 if the writer is broken or over, or writes into a
 * pipe without a copy. */
int writer_show(struct writer *w);
/* Of a capture that goes into a pipe: sink_n_waiting() and the others of sink.h. */
size_t writer_n_waiting(const struct writer *w);
void writer_push(struct writer *w);
int writer_stream_fd(const struct writer *w);
void writer_reader_left(struct writer *w);
bool writer_is_broken(const struct writer *w);
/* the gate has cut: further events are ignored and do not count as lost */
bool writer_is_over(const struct writer *w);
/* events taken so far, in all files and in the current block */
uint64_t writer_n_events(const struct writer *w);
uint64_t
writer_n_in_file(const struct writer *w);         /* of them, those that are not in earlier files */
uint64_t writer_n_before(const struct writer *w); /* the others */
/* Mark the writer broken, with this error for the next writer_flush() or writer_close(). */
void writer_fail(struct writer *w, struct err *err);
/* events that a reader finds in the file: in blocks that were written whole */
uint64_t writer_n_written(const struct writer *w);
/* events that were passed in and are not in the file; after a failure they never will be */
uint64_t writer_n_unwritten(const struct writer *w);
uint64_t writer_n_bytes(const struct writer *w); /* size of the file so far */
/* Interning. Returns 0 only if memory is short (the writer is then broken) or, for strings, for
 * NULL. Text is WTF-8. */
uint32_t writer_string(struct writer *w, const char *s, size_t n_bytes);
/* `bytes` is one encoded value (base/value.h, without OBJECT_AT at places that should be slots).
 * The arguments of an event are a TUPLE. It may contain VALUE_REF to ids that were returned
 * earlier. */
uint32_t writer_value(struct writer *w, const void *bytes, size_t n_bytes);

/* The same for values that processes refer to; the id is for process_info only. */
uint32_t writer_value_kept(struct writer *w, const void *bytes, size_t n_bytes);

enum frame_kind {
	FRAME_PYTHON,
	FRAME_NATIVE,
	FRAME_MARK /* "cut", "outside this greenlet": the text is in `function` */
};

struct frame_info {
	enum frame_kind kind;
	/* string id: qualified name of the code object, or symbol; 0 unknown */
	uint32_t function;
	uint32_t file;   /* string id: co_filename; native: source file, 0 unknown */
	uint32_t module; /* string id, native: base name of the ELF file */
	uint32_t line;   /* 0 unknown */
	uint32_t end_line, column, end_column; /* 1-based columns in bytes, 0 unknown (3.11+) */
	uint32_t first_line;                   /* of the code object */
	uint64_t offset; /* native: pc - symbol start, or pc - module base when function is 0 */
};
uint32_t writer_frame(struct writer *w, const struct frame_info *frame);
/* A stack is its innermost frame on top of the caller's stack; parent 0 for the outermost frame. */
uint32_t writer_stack(struct writer *w, uint32_t parent_stack, uint32_t frame);

/* A machine, or one of the captures that were merged into this one: a process that comes from
 * there is identified by host, boot id, pid and start time. */
struct host_info {
	uint32_t name;    /* string id, 0 unknown */
	uint32_t boot_id; /* string id, 0 unknown */
	/* string id: the file it was merged from; 0 if it was not merged */
	uint32_t label;
	uint32_t flags; /* enum host_flag */
	/* CLOCK_REALTIME at time 0 of the capture that it was merged from; 0: of this capture */
	uint64_t wall_anchor_ns;
};
enum host_flag {
	HOST_NAME_IS_LABEL = 1 /* the capture did not have a host name, so its file name is used */
};
/* Numbers count from 1. */
uint32_t writer_host(struct writer *w, const struct host_info *h);

struct process_info {
	uint32_t pid;    /* as seen by the recorder */
	uint32_t ns_pid; /* in its innermost pid namespace; equals pid if that is ours */
	uint32_t ppid;
	uint32_t python_hex; /* in the form of PY_VERSION_HEX; 0 = not Python (seen, not traced) */
	uint32_t python;     /* string id "3.12.1" */
	uint32_t exe, cwd, name; /* string ids; name: "app.py", "-m http.server", "gzip" */
	uint32_t argv;           /* value id, LIST of STR; 0 unknown */
	uint32_t environ;        /* value id, DICT of STR; 0 not taken */
	/* value id, LIST of STR: folders of the standard library and site-packages */
	uint32_t prefixes;
	uint64_t start_ns;         /* capture time at which it was first seen */
	uint64_t end_ns;           /* 0 = not known to have ended */
	int32_t exit_status;       /* wait(2) status after its end; -1 unknown */
	uint32_t flags;            /* enum process_flag */
	uint64_t n_events, n_lost; /* as counted by the probe; final at the end */
	/* when it started: clock ticks since boot, as in /proc/PID/stat; 0 unknown */
	uint64_t start_ticks;
	uint32_t host; /* number of a host_info; 0: what writer_options say */
	/* value id, LIST of LISTs of STR: installed distributions, as name, version ("?" unknown),
	 * "e" (editable) or "-", and their paths; one that ends with a slash is a folder */
	uint32_t packages;
	/* string id: folder of the project that it was started in, or that its program is part of;
	 * 0 none was found */
	uint32_t project;
};
enum process_flag {
	PROCESS_LAUNCHED = 1,
	PROCESS_ATTACHED = 2,
	PROCESS_FORKED = 4,
	PROCESS_EXECED = 8,
	PROCESS_FREE_THREADED = 16,
	PROCESS_DEBUG_BUILD = 32,
	PROCESS_NOT_RESTORED = 64,
	/* its files are not, or not provably, the files that the recorder sees under the same
	 * names */
	PROCESS_OTHER_FILES = 128,
	/* times of its events advance with the kernel's tick (probe/clock.h) */
	PROCESS_TICK_TIMES = 256
};
/* The longest tick: CONFIG_HZ is 100 at least (kernel/Kconfig.hz). */
enum { PROCESS_TICK_NS = 10 * 1000 * 1000 };
/* Indices count from 0. Update: the last one written is valid. */
uint32_t writer_process(struct writer *w, const struct process_info *p);
void writer_process_update(struct writer *w, uint32_t process, const struct process_info *p);

struct thread_info {
	uint32_t process; /* process index */
	/* as seen by the recorder; 0 unknown; for imported events threading.get_ident() */
	uint64_t tid;
	uint32_t interpreter; /* 0 = main */
	uint32_t name;        /* string id "MainThread", 0 unknown */
	uint32_t ns_tid;      /* in its innermost pid namespace; 0: the same as tid */
};
/* One thread of one interpreter. Indices count from 0; an update replaces the entry (a name that is
 * learnt later). */
uint32_t writer_thread(struct writer *w, const struct thread_info *t);
void writer_thread_update(struct writer *w, uint32_t thread, const struct thread_info *t);

enum event_flag {
	EVENT_STACK_CUT = 1,  /* frames beyond the limit are missing at the outer end */
	EVENT_ARGS_CUT = 2,   /* something in the arguments is cut */
	EVENT_NATIVE_CUT = 4, /* the native part ends early */
	EVENT_UNMERGED = 8    /* the native part follows the Python part, unmerged */
};
struct event_info {
	uint64_t time_ns;   /* since capture time 0; ascending with small exceptions */
	uint32_t name;      /* string id of the event's name */
	uint32_t thread;    /* thread index */
	uint32_t args;      /* value id of a TUPLE; 0 = no arguments */
	uint32_t stack;     /* stack id; 0 = none taken */
	uint32_t flags;     /* enum event_flag */
	uint32_t n_objects; /* addresses for the OBJECT tags in args, in order */
	const uint64_t *objects;
	/* value id: what the descriptors in args were; 0 nothing is known. A LIST with one element
	 * per argument, STR or NONE, of which the last may be missing; or a DICT by the arguments'
	 * names. */
	uint32_t descriptors;
	/* value id: the asyncio task that raised it, a LIST of its name (STR), its id (INT, the
	 * address of the task object; 0 unknown), and a LIST of the names (STR) of the tasks that
	 * wait for it, nearest first; 0 none */
	uint32_t task;
};
void writer_event(struct writer *w, const struct event_info *e);
/* The local variables of the frames of event `seq`, which is in this file (writer_n_in_file()
 * counts): value id of a LIST, innermost frame first, of DICTs with the keys "func" (STR), "file"
 * (STR), "line" (INT) and "vars": a DICT of name and value, or NONE if they are not known. A cut
 * LIST has its outer frames cut off. An event has at most one. */
void writer_event_locals(struct writer *w, uint64_t seq, uint32_t value);
/* What was said of the descriptors of event `seq` (counted as writer_n_events() counts) is not
 * certain any more: leave it out. Nothing happens if the event is written already. */
void writer_event_doubt(struct writer *w, uint64_t seq);

/* Incidents that are not audit events; shown between the events, at their place. */
enum note_kind {
	NOTE_LOST, /* a = events lost, b = duration in ns, process */
	NOTE_ATTACHED,
	NOTE_DETACHED,
	NOTE_PAUSED,
	NOTE_RESUMED,
	NOTE_EXITED /* a = wait status */,
	NOTE_EXEC,
	NOTE_FINALISED, /* the interpreter was finalised, the process continues */
	NOTE_MESSAGE,
	NOTE_WARNING, /* text */
	/* text = the goodbye line; a = longest pause in ns, b = enum goodbye_bit */
	NOTE_GOODBYE,
	/* text = name of an event that was counted in the target, a = how often since the last such
	 * note of that name and process */
	NOTE_COUNTED,
	NOTE_KIND_COUNT
};
/* "lost", "attached", …: as JSON lines have it. NULL for what is no kind. */
const char *writer_note_kind_name(unsigned kind);
enum goodbye_bit {
	GOODBYE_RESTORED = 1,
	GOODBYE_RESTORED_UNKNOWN = 2, /* if neither is set, a target is known not to be restored */
	GOODBYE_LOST_UNKNOWN = 4      /* more events may have been lost than the notes say */
};
struct note_info {
	enum note_kind kind;
	uint64_t time_ns;
	uint32_t process; /* process index, UINT32_MAX = none */
	uint32_t text;    /* string id, 0 = none */
	uint64_t a, b;
	uint32_t host; /* number of a host_info; 0: what writer_options say */
};
/* The note's place is after the events appended so far. */
void writer_note(struct writer *w, const struct note_info *n);
