/*
 * fault: failures on purpose, so that tests can show what each failure leaves in the target.
 *
 * AUDITVIEW_FAULT=[leave-]SITE:N:ACTION makes one operation fail, once: the Nth of its kind,
 * counted from the start, or from the moment the recorder begins to leave. The failure is reported
 * on standard error ("fault: read 17 denied").
 *
 *   SITE    ptrace   requests of ptrace(2)
 *           call     system calls that a thread of the target makes for us
 *           read     reads of the target's memory: process_vm_readv(2), /proc/PID/mem
 *           write    writes to the target's memory
 *           answer   the results of a thread's calls, when we read them
 *           own      what the recorder does for itself: lists of mappings, the ring's memory
 *           wait     waits for a thread to stop. One that is denied has met its deadline, with
 *                    whatever errno
 *           ask      requests to the reader (remote_io.h)
 *   ACTION  kill     SIGKILL to ourselves right after the operation
 *           stop     SIGSTOP to ourselves right after the operation: a test can then do anything to
 *                    the target
 *           EPERM, ENOMEM or ENOSYS: the operation fails with this error instead of being done. A
 *           `call` fails in the target, and these are the only actions it supports
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
	FAULT_WAIT,
	FAULT_ASK,
	FAULT_SITE_COUNT
};

/* Call this before the operation. Returns 0, or the errno that the operation must fail with. */
int fault_before(enum fault_site site);
/* Call this after the operation, unless fault_before() denied it. */
void fault_after(enum fault_site site);
/* We are leaving the targets from now on. */
void fault_leaving(void);
