/*
 * unwind_lib: one unwinding step by libunwind, for rows that cfi.h cannot express and as the oracle
 * of the tests.
 *
 * Without libunwind at build time every function reports failure.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "stacks/unwinder.h"

/* The state of a walk. */
struct unwind_state {
	uint64_t regs[CFI_REG_COUNT];
	uint32_t known;        /* one bit per enum cfi_reg */
	bool pc_is_exact;      /* not a return address */
	uint8_t pc_bits;       /* of the last row: see struct cfi_row */
	uint64_t inner_lookup; /* unwind_frame.lookup of the next inner frame, 0 none */
	const uint8_t *slice;  /* the stack from slice_start on */
	uint64_t slice_start, slice_bytes;
};

struct unwind_lib;

bool unwind_lib_is_built(void);
/* NULL: not built in, or no memory */
struct unwind_lib *unwind_lib_create(struct modules *modules, bool caching);
void unwind_lib_destroy(struct unwind_lib *l);
void unwind_lib_flush(struct unwind_lib *l); /* mappings have changed; NULL is fine */

/* UNWIND_STOP_COUNT if the state moved to the caller; otherwise the reason, and the state is
 * unchanged. */
enum unwind_stop unwind_lib_step(struct unwind_lib *l, struct unwind_state *s);
