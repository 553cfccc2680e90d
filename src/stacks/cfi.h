/*
 * cfi: find the caller of a function by its .eh_frame call frame information, on any CPU that
 * cfi_machine.c has a row for.
 *
 * Memory is read through a mem_reader at the addresses of one ELF image (image.h), or of a byte
 * array in a test. A row says for one pc where the canonical frame address (CFA: the caller's stack
 * pointer) and the caller's registers are. Only what a row can express is handled here; for
 * anything else CFI_TOO_HARD is returned, and the caller uses libunwind. All input is hostile:
 * nothing is read outside the bytes of one entry, loops are bounded by the entry's length, and the
 * state stack is bounded by CFI_MAX_STATES.
 *
 * Formats: Linux Standard Base 5.0 Core, "Exception Frames"; DWARF 5, section 6.4.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/mem_read.h"
#include "stacks/cfi_fde.h"
#include "stacks/cfi_machine.h"
#include "stacks/cfi_table.h"

enum cfi_place {
	CFI_SAME,      /* unchanged. For the stack pointer: the CFA itself */
	CFI_UNDEFINED, /* lost; for the pc: there is no caller */
	CFI_AT_CFA,    /* saved at CFA + off */
	CFI_AT_REG,    /* saved at reg + off, with the value of reg in this frame */
	CFI_IS_CFA,    /* the value is CFA + off */
	CFI_IS_REG     /* the value is reg + off */
};

struct cfi_rule {
	uint8_t place; /* enum cfi_place */
	uint8_t reg;   /* enum cfi_reg */
	uint16_t pad;
	int32_t off; /* bytes */
};

struct cfi_row {
	/* CFA = reg + cfa_off, or with cfa_deref the word at that address + cfa_off2 */
	uint8_t cfa_reg;
	bool cfa_deref;
	/* the caller was interrupted and made no call: its pc is the address of the next
	 * instruction, not a return address */
	bool is_signal_frame;
	/* how many low bits of a return address are the address; the others may be a signature */
	uint8_t pc_bits;
	int32_t cfa_off, cfa_off2;
	struct cfi_rule rules[CFI_REG_COUNT];
};

#define CFI_MAX_STATES 16u /* DW_CFA_remember_state, nested */

struct cfi_program;
#define CFI_PROGRAMS 16u
/* Reused between calls, so that a row usually needs no allocation. Zeroed memory is a valid
 * scratch; cfi_scratch_fini() frees it. Call that whenever a reader used with it goes away, because
 * big programs are cached by reader and address. */
struct cfi_scratch {
	struct cfi_buffers buffers;
	/* the big entries used last, NULL or one; a new one replaces the oldest */
	struct cfi_program *programs[CFI_PROGRAMS];
	unsigned next_program;
};
void cfi_scratch_fini(struct cfi_scratch *s);

/* The row that applies at `lookup`; `rip` is the value of the pc register there (lookup, or lookup
 * + 1 for a return address). */
enum cfi_status cfi_fde_row(const struct cfi_fde *f, uint64_t lookup, uint64_t rip,
			    struct cfi_row *ret);

/* The whole way: table, entry, row. A big program is run once (an evaluator's takes thousands of
 * steps, and a stack contains many of its pcs): its next row is computed from a mark close to
 * it. */
enum cfi_status cfi_row_find(const struct mem_reader *m, const struct cfi_table *t, uint64_t lookup,
			     uint64_t rip, struct cfi_scratch *s, struct cfi_row *ret);
