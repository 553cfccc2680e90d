/*
 * own: which events a program caused itself.
 *
 * A Python raises dozens of events before the first line of a program and a few after its last. For
 * each event of a capture this says whose it is; events that an import statement brought about also
 * name that import. Works on finished captures of launched programs; what was attached to has no
 * start-up in it, so all its events are the program's own.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct trace;

enum own_role {
	/* the interpreter getting ready, up to the exec of the program's code; in children up to
	   cpython.run_* */
	OWN_STARTUP,
	OWN_CODE,     /* the program's */
	OWN_SHUTDOWN, /* from the clearing of the last interpreter on */
	OWN_ROLE_COUNT
};

#define OWN_NO_IMPORT UINT64_MAX

struct own {
	uint64_t n;        /* events */
	uint8_t *roles;    /* [n] enum own_role */
	uint64_t *imports; /* [n] seq of the outermost "import" event on whose behalf it happened,
			      or OWN_NO_IMPORT */
	uint64_t counts[OWN_ROLE_COUNT];
};

MUST_CHECK struct err *own_make(struct trace *t, struct own *ret);
void own_fini(struct own *o);
