/*
 * remote_call: make one thread of the target do a list of system calls, in one go, even if we are
 * killed.
 *
 *   prepare   choose a thread, and a place for the code (dead bytes behind a module's text)
 *   start     SEIZE, INTERRUPT, GETREGS, SETREGS, DETACH: after these five requests the thread is
 *             on its own
 *   finish    the mailbox in the target shows the result; the code's bytes are cleared again
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
	/* Until the answer comes the mailbox says that this is pending: the base of a reservation
	 * that the next auditview must find if we are killed; 0 none. */
	uint64_t pending;
	/* for an open: an op argument REMOTE_PATH is replaced by the address of this path; NULL =
	 * none */
	const char *path;
};
#define REMOTE_PATH 0x7061746870617468ull

void remote_program_add(struct remote_program *p, uint64_t op, uint64_t a0, uint64_t a1,
			uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

/* Where the stub may be written: found once per process image. */
#define REMOTE_PLACE_BYTES 1344
struct remote_place {
	raddr code;    /* dead executable bytes, remote_stub_bytes() of them */
	raddr mailbox; /* u64, zero before a call; address 0: no answer is needed */
	uint8_t before[REMOTE_PLACE_BYTES]; /* what the dead bytes held */
	/* the number of them that may be written: for the code, or more that a killed recorder has
	 * left */
	size_t n_bytes;
	/* they hold code of ours in which a thread may be: call remote_place_wait() before the next
	 * use */
	bool is_left;
	bool is_unloadable;       /* the program can unload the module that contains them, */
	struct elf_module module; /* which is this one; its path is a text that is never freed */
	/* the last thread that was sent there; it may still be at its last steps; 0 none */
	pid_t last_tid;
};
size_t remote_stub_bytes(void);
/* Find n_bytes dead bytes behind the text of a module: of the module at `prefer`, else of one that
 * cannot be unloaded, else of any. Fills code, before, n_bytes, is_left, is_unloadable and module.
 * If is_unloadable is set, the caller must have every write checked (remote_target.fleeting or
 * unloadable). ERR_UNSUPPORTED. */
MUST_CHECK struct err *remote_place_find(pid_t pid, struct remote_mem *mem, const struct maps *maps,
					 raddr prefer, size_t n_bytes, struct remote_place *ret);
/* Can the program unload the module? It cannot if the module is the program or its loader, or if
 * the program was linked to it. (The program that the kernel started may be ld.so, running
 * another.) `maps` with its modules. */
bool module_is_unloadable(pid_t pid, const struct mem_reader *mem, const struct maps *maps,
			  const struct elf_module *module);

struct remote_call_stats {
	uint64_t pause_ns; /* how long the thread was stopped */
	pid_t tid;
	uint64_t thread_pointer, sp; /* of that thread */
	/* the thread's own tid in its namespace; 0: unknown, use tid */
	uint32_t ns_tid;
	bool timeout_extended; /* a call with a timeout was interrupted and had to start over */
};

struct remote_target {
	pid_t pid;
	struct remote_mem *mem;
	const struct maps *maps;
	struct remote_place *place;
	/* this process has seized every thread already (following children) */
	bool attached;
	/* some thread has a seccomp filter: threads without one are preferred, and a filter is
	 * suspended while its thread makes our calls */
	bool filtered;
	/* CPython's own text: its calls handle EINTR exactly (PEP 475) */
	uint64_t text_start, text_end;
	/* NULL, or a module that the program may unload at any moment: all threads are stopped
	 * (all_stop.h), and its mappings must equal those of `maps`; otherwise ERR_BUSY, and
	 * nothing is done */
	const struct elf_module *fleeting;
	/* NULL, or a module that the program can unload, but not while its interpreter is alive:
	 * when the thread is stopped, its code must be there; otherwise ERR_BUSY, and nothing is
	 * done */
	const struct elf_module *unloadable;
	/* 0, or the only thread that may be used */
	pid_t only;
	/* NULL, or a runtime whose hooks CPython must not be freeing when the thread is stopped: if
	 * it is being finalised, ERR_BUSY, and nothing is done */
	const struct python_runtime *to_link;
};

/* Run the program in some thread of the target and wait for its answer: *ret_value is the base (or
 * 1). The thread is chosen so that its stop shows as little as possible; a thread whose pc is in
 * [avoid_start, avoid_end) is not used. Takes at most timeout_ns. ERR_TIMEOUT: no thread could be
 * stopped in time, the target is unchanged; ERR_SYS with err->sys: a call of the program failed,
 * and the program has undone itself. */
MUST_CHECK struct err *remote_call_run(const struct remote_target *t,
				       const struct remote_program *program, uint64_t avoid_start,
				       uint64_t avoid_end, uint64_t timeout_ns,
				       struct remote_call_stats *stats, uint64_t *ret_value);

/* Run it in a tracee that is in an event stop, or at the end of a system call: afterwards it is at
 * the same place, and has not run a step of its own. (If a job-control stop comes meanwhile, the
 * list is run too; when the thread is continued, it reports that stop again.) ERR_TARGET_GONE with
 * sys ESTALE: as in ptrace_pass(). The result of the last call of the list must not be needed.
 * Needs PTRACE_O_TRACESYSGOOD. */
MUST_CHECK struct err *remote_call_run_stopped(pid_t tid, const struct remote_target *t,
					       const struct remote_program *program,
					       uint64_t timeout_ns, struct remote_call_stats *stats,
					       uint64_t *ret_value);
/* Wait until no thread is in the code, so that it can be overwritten or cleared. ERR_TIMEOUT. */
MUST_CHECK struct err *remote_place_wait(const struct remote_target *t, uint64_t timeout_ns);
/* Clear the code's bytes. No thread may be in them. */
MUST_CHECK struct err *remote_place_clear(const struct remote_target *t);

/* Write memory that the target itself may not write. Kernels can reserve that to the tracer
 * (proc_mem.force_override): then a thread is held for a moment. */
MUST_CHECK struct err *remote_call_write(const struct remote_target *t, raddr to, const void *bytes,
					 size_t n_bytes);

/* For a thread that we have stopped and will detach from: a call that the stop has ended with EINTR
 * is restarted, unless its caller is CPython, which does so itself. A timeout starts over. */
MUST_CHECK struct err *remote_call_repair(pid_t pid, pid_t tid);

/* ---- threads ---- */

/* Is this a thread that was seized, did not stop in time and was given up? If so, the caller must
 * detach from it at its stop. */
bool remote_call_take_pending(pid_t tid);
/* The caller has such a thread itself: add it to the list. False: there are too many. */
bool remote_call_add_pending(pid_t tid);

enum thread_rank { THREAD_EXACT = 0, THREAD_RUNS = 4, THREAD_SHOWS = 8 };
struct thread_place {
	pid_t tid;
	char state;   /* as in /proc/PID/stat */
	long syscall; /* number; -1 none; -2 running; -3 unknown */
	uint64_t args[6], sp, pc;
	int rank; /* how much of a stop the program sees: enum thread_rank, and values between */
};
/* The threads of a process as /proc shows them. Returns a malloc'ed list, with 0 threads if the
 * process is gone. ERR_SYS if a thread cannot be read, ERR_NO_MEMORY. */
MUST_CHECK struct err *threads_list(pid_t pid, struct thread_place **ret, size_t *ret_n);
/* false with errno: ENOENT or ESRCH if it is gone */
bool thread_place_read(pid_t pid, pid_t tid, struct thread_place *ret);
/* A seized thread is gone. If that is because it called exec(2), it is the first thread of its
 * process now, and still our tracee. (The first thread before it is a zombie until then.) */
bool thread_place_is_first_now(pid_t pid);
/* Fill in the ranks and sort by them: the threads whose stop shows least come first. */
void threads_sort(const struct remote_target *t, struct thread_place *threads, size_t n);
/* the best rank among its threads; THREAD_EXACT if it has none left */
int threads_best_rank(const struct remote_target *t);
/* Does the thread have a seccomp filter, or is it in strict mode? A filter belongs to a thread
 * (seccomp(2)). */
bool thread_is_filtered(pid_t tid);
bool threads_any_filtered(pid_t pid);
/* A thread that has run for at least 0.2 ms without a sleep, and is still running. 0: none was seen
 * within timeout_ns. A thread that merely runs may have been woken up this moment, in a call that a
 * stop would end early. */
pid_t threads_find_busy(pid_t pid, uint64_t timeout_ns);
/* Is a thread ready to run but hardly gets a processor, or has one only now come to a stop that we
 * asked for? What it did not do in time, it may still do. Takes 20 ms. */
bool threads_any_starved(pid_t pid);
/* Does every thread wait in a call that a stop would end early, visibly to the program? */
bool threads_all_show(const struct remote_target *t);
/* Was the system call at pc made by CPython itself, as far as the stack shows? */
bool thread_is_called_by_python(const struct remote_target *t, uint64_t pc, uint64_t sp);
/* Is no thread's pc, or another register, inside [start, end), and will no signal handler return
 * there (sigframe.h)? Running threads are stopped for a moment to find out. */
MUST_CHECK struct err *threads_check_outside(const struct remote_target *t, uint64_t start,
					     uint64_t end, bool *ret_outside);
struct code_range;
MUST_CHECK struct err *threads_check_outside_of(const struct remote_target *t,
						const struct code_range *code, bool *ret_outside);
