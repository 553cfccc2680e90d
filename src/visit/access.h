/*
 * access: whether we may attach to a process, and if not, the exact reason and its cure.
 *
 * The tracer (its refusals), doctor and the list of processes ask this before anything is touched,
 * so all three give the same answer. First the facts are read from /proc and from the target's
 * memory; then a pure function judges them, so every judgement can be tested on any machine.
 * Nothing is stopped or changed. The permission itself is tried with process_vm_readv(2), for which
 * the kernel makes the same check as for PTRACE_SEIZE.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/proc_status.h"
#include "python/python.h"
#include "visit/blocked.h"

struct target_facts;

enum access_verdict {
	ACCESS_READY,
	ACCESS_BUSY,
	ACCESS_DENIED,
	ACCESS_UNSUPPORTED,
	ACCESS_VERDICT_COUNT
};

enum access_cause {
	ACCESS_FINE,
	ACCESS_NO_PROCESS,
	ACCESS_IS_THREAD, /* the number is a thread's, not a process's */
	ACCESS_IS_SELF,
	ACCESS_KERNEL_THREAD,
	ACCESS_ZOMBIE,
	ACCESS_OTHER_USER,   /* it runs as another user, and we have no CAP_SYS_PTRACE */
	ACCESS_CAPABILITIES, /* it holds capabilities that we do not have */
	ACCESS_NON_DUMPABLE,
	ACCESS_USER_NAMESPACE, /* its user namespace is not ours or below ours */
	ACCESS_YAMA,
	ACCESS_SECURITY_MODULE, /* AppArmor, SELinux, or a seccomp filter on auditview */
	ACCESS_TRACED,          /* by gdb, strace … */
	ACCESS_SECCOMP,         /* a seccomp filter on the target that we may not suspend */
	ACCESS_NOT_PYTHON,
	/* valgrind, qemu-user and similar: the processor does not run the mapped code
	 * (native_code.h) */
	ACCESS_TRANSLATED,
	ACCESS_LAYOUT,    /* Python, but older than 3.8, PyPy, or a layout that we do not know */
	ACCESS_FINALISED, /* its interpreter has ended */
	/* frozen, or all threads wait in a way that cannot be stopped (blocked.h) */
	ACCESS_BLOCKED,
	ACCESS_NO_ROOM, /* a limit leaves no room for our mappings (remote_errno.h) */
	/* every thread waits in a call that a stop would end early, and a lazy link is not
	 * possible */
	ACCESS_WAITS,
	ACCESS_LEASED,   /* a lease (fcntl F_SETLEASE) on its files in /proc blocks us */
	ACCESS_STUCK,    /* its memory does not answer (remote_io.h) */
	ACCESS_ATTACHED, /* another auditview is attached already */
	ACCESS_CAUSE_COUNT
};

#define MAX_HOOKS 16
struct access_hook { /* one entry of _PyRuntime's list of audit hooks */
	raddr entry, fn, data;
	bool is_probe; /* ours, or that of another auditview */
};

/* The facts. Filled by access_facts_read(), or by a test. */
struct access_facts {
	int pid;
	bool exists;
	/* one of its files cannot be opened because of a lease; inside_message says which */
	bool is_leased;
	bool is_stuck; /* its memory does not answer; inside_message says so */
	struct proc_status status;
	/* root owns the files in /proc/PID, but the process is not root's: it is not dumpable */
	bool files_are_roots;
	int read_errno; /* result of a try to read its memory; 0: allowed */
	char tracer_name[64];
	bool has_exe;
	char exe[256];   /* path of the program, "" if it cannot be read */
	char label[128]; /* label of a security module: "docker-default (enforce)", "" none */
	bool in_container;
	/* about auditview itself */
	int own_pid;
	uint32_t own_uid, own_gid;
	uint64_t own_cap_effective, own_cap_permitted;
	int own_seccomp;
	int yama_scope;            /* -1: this kernel has no Yama */
	int same_user_ns;          /* 1 yes, 0 no, -1 unknown */
	bool own_user_ns_is_first; /* we are in the machine's initial user namespace */
	bool can_suspend_seccomp;  /* the kernel has CONFIG_CHECKPOINT_RESTORE */
	/* what the process contains; known only if read_errno is 0 */
	enum access_inside {
		INSIDE_UNKNOWN,
		INSIDE_NOTHING,
		INSIDE_PYTHON,
		INSIDE_UNSUPPORTED,
		INSIDE_TRANSLATED
	} inside;
	/* set except for INSIDE_NOTHING and INSIDE_PYTHON */
	char inside_message[320], inside_hint[320];
	size_t n_modules;  /* ELF modules examined */
	size_t n_runtimes; /* CPython runtimes found; runtime is the first */
	struct python_runtime runtime;
	struct access_hook hooks[MAX_HOOKS];
	size_t n_hooks;  /* number found; may be more than MAX_HOOKS */
	bool is_blocked; /* no thread can be stopped; `blocked` says why */
	struct blocked blocked;
	/* every thread waits in a call that a stop would end early; checked only if a filter
	 * forbids a lazy link (lazy_link.h) */
	bool waits_visibly;
	char no_room[160],
	    no_room_cure[160]; /* the limit that leaves no room for our mappings; "" none */
	/* threads that it holds, as the target's memory says; it may say anything */
	uint32_t n_held, held_tid;
	uint64_t held_since_ns;
	int recorder_pid; /* the recorder of a probe that is already linked; 0 none */
	bool recorder_is_alive;
};

struct access {
	int pid;
	enum access_verdict verdict;
	enum access_cause cause;
	char version[24]; /* of Python, "" unknown */
	char why[320];    /* one line; "" when ready */
	char cure[320];   /* what to try; "" if nothing helps */
	char note[320]; /* worth knowing although it is ready: "stopped by a signal: …"; "" none */
	int other_pid;  /* the process that traces it; 0 none */
};

/* The only error is ERR_NO_MEMORY; everything else is a fact. *ret_examined (NULL: not needed):
 * what was found inside, for the next step; the caller destroys it. NULL if it could not be
 * examined. */
MUST_CHECK struct err *access_facts_read(pid_t pid, struct access_facts *ret,
					 struct target_facts **ret_examined);
void access_judge(const struct access_facts *facts, struct access *ret);
/* Read the facts and judge them. */
MUST_CHECK struct err *access_check(pid_t pid, struct access *ret);
/* The same before an attach: *ret_examined as in access_facts_read(), also with an error. */
MUST_CHECK struct err *access_examine(pid_t pid, struct access *ret,
				      struct target_facts **ret_examined);

/* The verdict as an error for the person at the keyboard: "cannot attach to 977: …", with the cure
 * as hint; NULL if ready. */
MUST_CHECK struct err *access_to_err(const struct access *a);
/* "ready", "busy", "denied", "unsupported" */
const char *access_verdict_name(enum access_verdict v);
/* "yama", "not-python" …: for JSON and tests */
const char *access_cause_name(enum access_cause c);
