/*
 * audit_hooks: list the audit hooks that a Python process already has, by name, without touching
 * the process.
 *
 * CPython keeps two kinds: native hooks (PySys_AddAuditHook) in one list of the runtime, and Python
 * hooks (sys.addaudithook) in a list for each interpreter. CPython calls them in that order, and
 * the result has the same order.
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

struct audit_hook {
	bool is_python;
	bool is_probe;        /* native: it is a probe of auditview */
	uint64_t interpreter; /* Python: which interpreter, 0 = the main one */
	raddr address;        /* of the C function, or of the Python object */
	raddr data;           /* native: the user data that it is called with */
	char name[192];   /* "watch.Log.write", "sandbox_hook", "sandbox.so+0x1139"; never empty */
	char place[256];  /* Python: "/srv/watch.py:12"; native: the module; "" unknown */
	char runtime[64]; /* filled in by the caller if there are several runtimes; "" */
};

struct audit_hooks {
	struct audit_hook *v;
	size_t n;
	bool native_is_whole; /* false: a list could not be read to its end */
	bool python_is_known; /* false: the place of the list is unknown for this version */
};

/* Append the hooks of one runtime to *ret, which starts empty with both flags set. The only error
 * is ERR_NO_MEMORY. What cannot be read is left out, and the flags say so. */
MUST_CHECK struct err *audit_hooks_read(pid_t pid, const struct mem_reader *mem,
					const struct python_runtime *rt, struct audit_hooks *ret);
void audit_hooks_fini(struct audit_hooks *h);
