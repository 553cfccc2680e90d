/*
 * fault: failures on purpose, so that tests can show what each leaves in the target.
 *
 * AUDITVIEW_FAULT=[leave-]SITE:N:ACTION lets one thing fail, once: the Nth of its kind, counted
 * from the start, or from the moment the recorder begins to leave. What was done is said on
 * standard error ("fault: read 17 denied").
 *
 *   SITE    ptrace   requests of ptrace(2)
 *           call     system calls that a thread of the target makes for us
 *           read     reads of the target's memory: process_vm_readv(2), /proc/PID/mem
 *           write    writes to it
 *           answer   what a thread's calls have ended with, when it is there to be read
 *           own      what the recorder does for itself: lists of mappings, the ring's memory
 *   ACTION  kill     SIGKILL to ourselves right after it
 *           stop     SIGSTOP to ourselves right after it: a test may then do to the target what it
 *                    likes
 *           EPERM, ENOMEM or ENOSYS: it fails with that instead of being done. A call fails in the
 *           target: the only actions a call can have
 *
 * Without the variable a site costs one comparison.
 */
#pragma once
#include <stdbool.h>

enum fault_site {
	FAULT_PTRACE,
	FAULT_CALL,
	FAULT_READ,
	FAULT_WRITE,
	FAULT_ANSWER,
	FAULT_OWN,
	FAULT_SITE_COUNT
};

/* Before it is done: 0, or the errno it shall fail with. */
int fault_before(enum fault_site site);
/* After it was done; not when fault_before() denied it. */
void fault_after(enum fault_site site);
/* From now on we are leaving the targets. */
void fault_leaving(void);
