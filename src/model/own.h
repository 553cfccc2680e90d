/*
 * own: which events a program caused itself.
 *
 * A Python raises dozens of events before the first line of a program and a few after its last. For
 * each event of a capture this module determines its origin; events caused by an import statement
 * also name that import. Works on finished captures of launched programs; captures of attached
 * processes have no start-up, so all their events are the program's own.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct trace;

enum own_role {
	/* initialisation of the interpreter, up to the exec of the program's code; in children up
	 * to cpython.run_* */
	OWN_STARTUP,
	OWN_CODE,     /* the program's own code */
	OWN_SHUTDOWN, /* from the clearing of the last interpreter */
	OWN_ROLE_COUNT
};

#define OWN_NO_IMPORT UINT64_MAX

struct own {
	uint64_t n;     /* events */
	uint8_t *roles; /* [n] enum own_role */
	/* [n] seq of the outermost "import" event that led to it, or OWN_NO_IMPORT */
	uint64_t *imports;
	uint64_t counts[OWN_ROLE_COUNT];
};

/* Find the origin of each event of the trace. After an error *ret is as it was.
 * ERR_NO_MEMORY. */
MUST_CHECK struct err *own_make(struct trace *t, struct own *ret);
void own_fini(struct own *o);
