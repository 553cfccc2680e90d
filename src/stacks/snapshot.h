/*
 * snapshot: what each thread of a process is doing at this moment: its Python stack, and where it
 * waits.
 *
 * Nothing is stopped. A stack is shown only if its thread provably did not run while the stack was
 * read (system/thread_rest.h), or if all that was read is found the same while the thread provably
 * does not run. Otherwise the read is repeated, and at last the snapshot says that no stack could
 * be read. Threads are read one after the other, so two stacks may be of two
 * moments.
 *
 * All reads are made by a child process with a deadline, because a read of a process that is not
 * trusted may never end, and because the child moves to the CPU of each thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct python_runtime;

enum snapshot_kind {
	SNAPSHOT_STACK,  /* the frames are those of one moment */
	SNAPSHOT_RUNS,   /* it ran whenever it was looked at: no frames */
	SNAPSHOT_NATIVE, /* it has no Python thread state: no frames */
	SNAPSHOT_ENDED,  /* it ended meanwhile: no frames */
};

struct snapshot_frame {
	const char *function, *file; /* WTF-8, any character but NUL */
	uint32_t line;               /* 0: none */
	/* an encoded DICT of name and value (python/locals.h); NULL: not read */
	const uint8_t *locals;
	size_t n_locals; /* its bytes */
};

struct snapshot_thread {
	pid_t tid;
	enum snapshot_kind kind;
	char name[64];        /* threading.Thread.name; else that of the kernel; "" unknown */
	char state;           /* as in /proc/PID/status; 0 unknown */
	char wait[512];       /* "sleeping", "reading /path"; "" if it does not wait */
	uint64_t interp_id;   /* 0: the main interpreter */
	bool holds_gil;       /* at the moment of the stack */
	bool waits_for_gil;   /* the same */
	bool is_broken;       /* what is farther out than the last frame could not be read */
	uint32_t n_frames;    /* of the stack */
	uint32_t n_shown;     /* of them in `frames`, innermost first */
	uint32_t left_out_at; /* n_frames - n_shown frames are left out before this one */
	const struct snapshot_frame *frames;
};

struct snapshot {
	struct snapshot_thread *threads; /* in order of tid */
	size_t n_threads;
	size_t n_more; /* threads that are not in the list */
};

/* with_locals: also read the variables of each frame; secrets are not removed from them.
 * ERR_TARGET_GONE; ERR_TIMEOUT: a read was not answered; ERR_NO_MEMORY, ERR_SYS. */
MUST_CHECK struct err *snapshot_take(pid_t pid, const struct python_runtime *runtimes,
				     size_t n_runtimes, bool with_locals, struct snapshot **ret);
/* The same of one thread, which is known by its tid here and sleeps, while the caller does other
 * things. */
struct snapshot_job;
MUST_CHECK struct err *snapshot_begin(pid_t pid, pid_t tid, const struct python_runtime *runtime,
				      struct snapshot_job **ret);
/* True: it is done, with the snapshot in *ret, or NULL if it cannot be read. */
bool snapshot_is_done(struct snapshot_job *job, struct snapshot **ret);
void snapshot_job_destroy(struct snapshot_job *job); /* NULL is fine */
DEFINE_CLEANUP(snapshot_job);
void snapshot_destroy(struct snapshot *s); /* NULL is fine */
DEFINE_CLEANUP(snapshot);
