/*
 * hooks: which audit hooks a Python process has already, by name, without touching it.
 *
 * CPython keeps two kinds: native ones (PySys_AddAuditHook) in one list of the runtime, and Python
 * ones (sys.addaudithook) in a list of each interpreter. They are called in that order; so is the
 * result.
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
	bool is_probe;        /* native: an auditview's */
	uint64_t interpreter; /* Python: which interpreter, 0 = the main one */
	raddr address;        /* of the C function, or of the Python object */
	raddr data;           /* native: what it is called with */
	char name[192];   /* "watch.Log.write", "sandbox_hook", "sandbox.so+0x1139"; never empty */
	char place[256];  /* Python: "/srv/watch.py:12"; native: the module; "" unknown */
	char runtime[64]; /* for the caller to say whose it is, of several; "" */
};

struct audit_hooks {
	struct audit_hook *v;
	size_t n;
	bool native_is_whole; /* false: a list could not be read to its end */
	bool python_is_known; /* false: a version keeps its list where we do not know */
};

/* Adds the hooks of one runtime to *ret, which begins empty with both flags set. ERR_NO_MEMORY
 * only. What cannot be read is left out, and the flags say so. */
MUST_CHECK struct err *audit_hooks_read(pid_t pid, const struct mem_reader *mem,
					const struct python_runtime *rt, struct audit_hooks *ret);
void audit_hooks_fini(struct audit_hooks *h);
