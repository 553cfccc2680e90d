/*
 * remote_call: let one thread of the target make a list of system calls, in one go, whatever
 * happens to us.
 *
 *   prepare   choose a thread, a place for the code (dead bytes behind a module's text)
 *   start     SEIZE, INTERRUPT, GETREGS, SETREGS, DETACH: five requests, then the thread is on its
 *             own
 *   finish    the mailbox in the target tells the result; the code's bytes are cleared again
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mem_read.h"
#include "python/python.h"

struct maps;
struct remote_mem;

enum remote_op_flag { /* arch/x86_64/ops.inc */
		      REMOTE_ADD_BASE,
		      REMOTE_FD_R8,
		      REMOTE_FD_RDI,
		      REMOTE_SAVE_BASE,
		      REMOTE_SAVE_FD,
		      REMOTE_LINK,
		      REMOTE_UNLINK,
		      REMOTE_STORE
};
#define REMOTE_FLAG(f) (1ull << (32 + (f)))

struct remote_op {
	uint64_t op; /* system call number | REMOTE_FLAG()s */
	uint64_t args[6];
};
#define REMOTE_MAX_OPS 12

struct remote_program {
	struct remote_op ops[REMOTE_MAX_OPS];
	size_t n_ops;
	uint64_t base;        /* what the answer is when no call saves one (0: then it is 1) */
	uint64_t total_bytes; /* of the reservation, unmapped again when a later call fails */
	/* until the answer comes the mailbox says this: the base of a reservation that must not be
	 * forgotten should we be killed; 0 none */
	uint64_t pending;
	/* for an open: ops that name REMOTE_PATH as an argument get its address; NULL = none */
	const char *path;
};
#define REMOTE_PATH 0x7061746870617468ull

void remote_program_add(struct remote_program *p, uint64_t op, uint64_t a0, uint64_t a1,
			uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

/* Where the stub may be written: found once per process image. */
/* in the mailbox, or'ed to `pending`; no answer ends so: a base is aligned, else 1 or -errno */
#define REMOTE_PENDING     2ull
#define REMOTE_PLACE_BYTES 1344
struct remote_place {
	raddr code;    /* dead executable bytes, remote_stub_bytes() of them */
	raddr mailbox; /* u64, zero before a call; address 0: no answer is wanted */
	uint8_t before[REMOTE_PLACE_BYTES]; /* what the dead bytes held */
	/* of them, those that may be written: the code's, or more that a killed recorder has left
	 */
	size_t n_bytes;
	/* they hold code of ours in which a thread may be: remote_place_wait() comes before the
	 * next use */
	bool is_left;
	bool is_unloadable;       /* the program can unload the module that they belong to, */
	struct elf_module module; /* which is this; its path is text that is never freed */
	/* who was sent there last, and may be at its last steps still; 0 nobody */
	pid_t last_tid;
};
size_t remote_stub_bytes(void);
/* n_bytes dead ones behind the text of a module: of the one at `prefer`, else of one that stays as
 * long as the program, else of any. Fills code, before, n_bytes, is_left, is_unloadable and module.
 * If it is_unloadable, the caller must have every write checked (remote_target.fleeting or
 * unloadable). ERR_UNSUPPORTED. */
MUST_CHECK struct err *remote_place_find(pid_t pid, struct remote_mem *mem, const struct maps *maps,
					 raddr prefer, size_t n_bytes, struct remote_place *ret);
/* Can the program do without the module? Not if it is the program or its loader, or if the program
 * was linked to it. (The kernel's program may be ld.so, told to run another.) `maps` with its
 * modules. */
bool module_is_unloadable(pid_t pid, const struct mem_reader *mem, const struct maps *maps,
			  const struct elf_module *module);

struct remote_call_stats {
	uint64_t pause_ns; /* the thread stood still this long */
	pid_t tid;
	uint64_t thread_pointer, sp; /* of that thread */
	uint32_t ns_tid;             /* as it knows itself; 0: not known, tid tells */
	bool timeout_extended; /* a call with a timeout was interrupted and had to start over */
};

struct remote_target {
	pid_t pid;
	struct remote_mem *mem;
	const struct maps *maps;
	struct remote_place *place;
	/* every thread is already seized by this process (following children) */
	bool attached;
	/* some thread has a seccomp filter: others are asked first, and one that has is asked with
	 * the filter suspended */
	bool filtered;
	/* CPython's own text: its calls handle EINTR exactly (PEP 475) */
	uint64_t text_start, text_end;
	/* NULL, or a module the program may unload at any moment: all stand still (all_stop.h), and
	 * its mappings must be those of `maps`, else ERR_BUSY and nothing is done */
	const struct elf_module *fleeting;
	/* NULL, or one it can unload, if not while its interpreter is alive: when the thread stands
	 * still its code must be there, else ERR_BUSY likewise */
	const struct elf_module *unloadable;
	/* 0, or the only thread that may be asked */
	pid_t only;
	/* NULL, or a runtime whose hooks CPython must not be freeing when the thread stands still:
	 * it is not being finalised, else ERR_BUSY likewise */
	const struct python_runtime *to_link;
};

/* Run the program in some thread of the target and wait for its answer: *ret_value is the base (or
 * 1). The thread is chosen so that as little as possible shows; none whose pc lies in [avoid_start,
 * avoid_end). Everything within timeout_ns. ERR_TIMEOUT: no thread could be stopped in time, the
 * target is as before; ERR_SYS with err->sys: a call of the program failed, it has undone itself.
 */
MUST_CHECK struct err *remote_call_run(const struct remote_target *t,
				       const struct remote_program *program, uint64_t avoid_start,
				       uint64_t avoid_end, uint64_t timeout_ns,
				       struct remote_call_stats *stats, uint64_t *ret_value);

/* The same in a thread that is ours and stands in an event stop, or at the end of a system call:
 * afterwards it stands at the same place still, and has not run a step of its own. (In a
 * job-control stop that comes meanwhile the list is run, too; let go on, the thread reports that
 * stop again.) ERR_TARGET_GONE with sys ESTALE: as ptrace_pass(). The last of the list must be a
 * call whose result nobody needs. Needs PTRACE_O_TRACESYSGOOD. */
MUST_CHECK struct err *remote_call_run_stopped(pid_t tid, const struct remote_target *t,
					       const struct remote_program *program,
					       uint64_t timeout_ns, struct remote_call_stats *stats,
					       uint64_t *ret_value);
/* Until no thread is in the code, so that it can be written anew or taken away. ERR_TIMEOUT. */
MUST_CHECK struct err *remote_place_wait(const struct remote_target *t, uint64_t timeout_ns);
/* Take the code's bytes away again. Nobody may be in them. */
MUST_CHECK struct err *remote_place_clear(const struct remote_target *t);

/* Write memory that the target itself may not write. Kernels can forbid that to all but its tracer
 * (proc_mem.force_override): then a thread is held for a moment. */
MUST_CHECK struct err *remote_call_write(const struct remote_target *t, raddr to, const void *bytes,
					 size_t n_bytes);

/* Of a thread that we have stopped and will detach from: a call that this has ended with EINTR is
 * made again, unless its caller is CPython, which does so itself. A timeout starts over. */
MUST_CHECK struct err *remote_call_repair(pid_t pid, pid_t tid);

/* ---- threads ---- */

/* A thread that was seized, would not stop in time and was given up: is it this one? Then it is the
 * caller's to detach from at its stop. */
bool remote_call_take_pending(pid_t tid);
/* One of the caller's own became such a thread. False: there are too many. */
bool remote_call_add_pending(pid_t tid);

enum thread_rank { THREAD_EXACT = 0, THREAD_RUNS = 4, THREAD_SHOWS = 8 };
struct thread_place {
	pid_t tid;
	char state;   /* as in /proc/PID/stat */
	long syscall; /* number; -1 none; -2 running; -3 unknown */
	uint64_t args[6], sp, pc;
	int rank; /* what a stop would show: enum thread_rank, and between */
};
/* Threads of a process as /proc shows them. Returns malloc'ed list; 0 threads when it is gone.
 * ERR_SYS if one cannot be looked at, ERR_NO_MEMORY. */
MUST_CHECK struct err *threads_list(pid_t pid, struct thread_place **ret, size_t *ret_n);
/* false with errno: ENOENT or ESRCH if it is gone */
bool thread_place_read(pid_t pid, pid_t tid, struct thread_place *ret);
/* Fill in the ranks: first those where being stopped shows least. */
void threads_sort(const struct remote_target *t, struct thread_place *threads, size_t n);
/* of its threads; THREAD_EXACT when it has none any more */
int threads_best_rank(const struct remote_target *t);
/* Has the thread a seccomp filter, or is it in strict mode? A filter belongs to a thread
 * (seccomp(2)). */
bool thread_is_filtered(pid_t tid);
bool threads_any_filtered(pid_t pid);
/* A thread that has run for 0.2 ms at least without a sleep in between, and runs still. 0: none was
 * seen to within timeout_ns. One that merely runs may have been woken up this moment, in a call that
 * a stop would end early. */
pid_t threads_find_busy(pid_t pid, uint64_t timeout_ns);
/* One is ready to run and hardly gets a processor, or has only now come to a stop that was asked
 * for: what it did not do in time it may do yet. Takes 20 ms. */
bool threads_any_starved(pid_t pid);
/* Every thread waits in a call that a stop would end early, and the program would see it. */
bool threads_all_show(const struct remote_target *t);
/* The system call at pc was made by CPython itself, as far as the stack tells. */
bool thread_is_called_by_python(const struct remote_target *t, uint64_t pc, uint64_t sp);
/* No thread has its pc, or a register, inside [start, end), nor will a signal handler bring it
 * there (sigframe.h); running ones are stopped for a moment to see. */
MUST_CHECK struct err *threads_check_outside(const struct remote_target *t, uint64_t start,
					     uint64_t end, bool *ret_outside);
struct code_range;
MUST_CHECK struct err *threads_check_outside_of(const struct remote_target *t,
						const struct code_range *code, bool *ret_outside);
