/*
 * layout: what each CPython version looks like in memory: one row per version and kind of build.
 *
 * The compiler made the rows from the versions' own headers. If _Py_DebugOffsets exists (3.13+),
 * detect.c uses its offsets and checks them with the row.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "probe/abi.h"

struct layout_row {
	const char *source; /* which headers the row was made from */
	uint8_t minor, free_threaded;
	struct probe_layout layout; /* offsets; the addresses are 0 */
	/* The probe does not need these. Offsets in bytes. */
	uint32_t interp_modules, interp_sysdict, interp_threads_head;
	uint16_t tstate_next, tstate_ident;
	uint32_t runtime_interpreters_main, runtime_interpreters_head;
	uint32_t runtime_initialized, runtime_finalizing; /* int; pointer or pointer-sized number */
	/* of the version in `source`, on x86-64; it moves between micro versions of 3.12+ */
	uint32_t audit_head;
};

/* NULL if this version or kind of build is unknown. */
const struct layout_row *layout_find(unsigned minor, bool free_threaded);

/* The hook list's offset in _PyRuntime: in the version that the row was made from, and for exactly
 * this build, 0 if this build was never seen. e_machine: of the module's ELF header. */
uint32_t layout_row_audit_head(const struct layout_row *row, uint16_t e_machine);
uint32_t layout_audit_head(uint32_t version_hex, bool free_threaded, bool debug_build,
			   uint16_t e_machine);
