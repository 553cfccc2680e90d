/*
 * access: may we attach to a process, and if not, exactly why and what cures it.
 *
 * Asked before anything is touched, by the tracer (its refusals), by doctor and by the list of
 * processes, so that all three say the same. First facts are read from /proc and from the target's
 * memory, then a pure function judges them: every judgement can be tested without a machine that
 * shows it. Nothing is stopped, nothing is changed: the permission itself is tried with
 * process_vm_readv(2), which asks the kernel the very question PTRACE_SEIZE will ask.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "python/python.h"
#include "visit/blocked.h"
#include "system/procs.h"

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
	ACCESS_OTHER_USER,   /* runs as somebody else, and we have no CAP_SYS_PTRACE */
	ACCESS_CAPABILITIES, /* it holds capabilities that we do not have */
	ACCESS_NON_DUMPABLE,
	ACCESS_USER_NAMESPACE, /* it is in a user namespace that is not below ours */
	ACCESS_YAMA,
	ACCESS_SECURITY_MODULE, /* AppArmor, SELinux, or a seccomp filter on ourselves */
	ACCESS_TRACED,          /* by gdb, strace … */
	ACCESS_SECCOMP,         /* a filter on the target that we may not suspend */
	ACCESS_NOT_PYTHON,
	/* valgrind, qemu-user and the like: the code that is mapped is not what runs
	   (native_code.h) */
	ACCESS_TRANSLATED,
	ACCESS_LAYOUT,    /* Python, but older than 3.8, PyPy, or a layout that is not known */
	ACCESS_FINALISED, /* its interpreter has ended */
	ACCESS_BLOCKED,   /* frozen, or waiting so that it cannot be stopped (blocked.h) */
	ACCESS_NO_ROOM,   /* a limit leaves no room for what must be mapped (remote_errno.h) */
	/* every thread waits in a call that a stop would end early, and nobody may go around it */
	ACCESS_WAITS,
	ACCESS_LEASED,   /* a lease (fcntl F_SETLEASE) on its files in /proc keeps us from them */
	ACCESS_ATTACHED, /* an auditview is attached already */
	ACCESS_CAUSE_COUNT
};

#define MAX_HOOKS 16
struct access_hook { /* one entry of _PyRuntime's list of audit hooks */
	raddr entry, fn, data;
	bool is_probe; /* ours, or another auditview's */
};

/* What was found out. Filled by access_facts_read(), or by a test. */
struct access_facts {
	int pid;
	bool exists;
	bool is_leased; /* some file of it cannot be opened for that: inside_message says which */
	struct proc_status status;
	/* those of /proc/PID, although the process is not root's: it is not dumpable */
	bool files_are_roots;
	int read_errno; /* what trying to read its memory said: 0 allowed */
	char tracer_name[64];
	bool has_exe;
	char exe[256];   /* path of the program, "" if it cannot be read */
	char label[128]; /* of a security module: "docker-default (enforce)", "" none */
	bool in_container;
	/* ourselves */
	int own_pid;
	uint32_t own_uid, own_gid;
	uint64_t own_cap_effective, own_cap_permitted;
	int own_seccomp;
	int yama_scope;            /* -1: no Yama here */
	int same_user_ns;          /* 1 yes, 0 no, -1 cannot be told */
	bool own_user_ns_is_first; /* the machine's own user namespace */
	bool can_suspend_seccomp;  /* the kernel has CONFIG_CHECKPOINT_RESTORE */
	/* what is inside; only known when read_errno is 0 */
	enum access_inside {
		INSIDE_UNKNOWN,
		INSIDE_NOTHING,
		INSIDE_PYTHON,
		INSIDE_UNSUPPORTED,
		INSIDE_TRANSLATED
	} inside;
	/* for all but INSIDE_NOTHING and INSIDE_PYTHON */
	char inside_message[320], inside_hint[320];
	size_t n_modules;  /* ELF modules looked at */
	size_t n_runtimes; /* CPython runtimes found; runtime is the first */
	struct python_runtime runtime;
	struct access_hook hooks[MAX_HOOKS];
	size_t n_hooks;  /* found, may be more than MAX_HOOKS */
	bool is_blocked; /* no thread can be stopped: */
	struct blocked blocked;
	/* every thread waits in a call that a stop would end early; only asked where a filter
	 * forbids the way around that (lazy_link.h) */
	bool waits_visibly;
	char no_room[160],
	    no_room_cure[160]; /* which limit leaves no room for what must be mapped; "" none */
	int recorder_pid;      /* of a probe that is linked already; 0 none */
	bool recorder_is_alive;
};

struct access {
	int pid;
	enum access_verdict verdict;
	enum access_cause cause;
	char version[24]; /* of Python, "" unknown */
	char why[320];    /* one line; "" when ready */
	char cure[320];   /* what to do; "" if nothing can be done */
	char note[320]; /* of interest although it is ready: "stopped by a signal: …"; "" none */
	int other_pid;  /* who holds it; 0 nobody */
};

/* ERR_NO_MEMORY only; everything else is a fact. */
MUST_CHECK struct err *access_facts_read(pid_t pid, struct access_facts *ret);
void access_judge(const struct access_facts *facts, struct access *ret);
/* Both at once. */
MUST_CHECK struct err *access_check(pid_t pid, struct access *ret);

/* As an error for the person at the keyboard: "cannot attach to 977: …", the cure as hint; NULL if
 * ready. */
MUST_CHECK struct err *access_to_err(const struct access *a);
const char *
access_verdict_name(enum access_verdict v);         /* "ready", "busy", "denied", "unsupported" */
const char *access_cause_name(enum access_cause c); /* "yama", "not-python" …: for JSON and tests */
