/*
 * cfi: find the caller of a function by its .eh_frame call frame information, x86-64.
 *
 * Memory is read through a mem_reader at the addresses of one ELF image (image.h), or of a byte
 * array in a test. A row says for one pc where the canonical frame address (CFA: the caller's stack
 * pointer) and the caller's registers are. Only what a row can express is handled here; for
 * anything else CFI_TOO_HARD is returned, and the caller uses libunwind. All input is hostile:
 * nothing is read outside the bytes of one entry, loops are bounded by the entry's length, and the
 * state stack is bounded by CFI_MAX_STATES.
 *
 * Formats: Linux Standard Base 5.0 Core, "Exception Frames"; DWARF 5, section 6.4; register
 * numbers: System V ABI, AMD64 supplement 1.0, figure 3.36.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/mem_read.h"

/* The registers that a call preserves, and rsp and rip. They are the columns of `struct
 * cfi_row`. */
enum cfi_reg {
	CFI_RBX,
	CFI_RBP,
	CFI_R12,
	CFI_R13,
	CFI_R14,
	CFI_R15,
	CFI_RSP,
	CFI_RIP,
	CFI_REG_COUNT
};

enum cfi_place {
	CFI_SAME,      /* unchanged. For rsp: the CFA itself */
	CFI_UNDEFINED, /* lost; for rip: there is no caller */
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
	uint8_t pad;
	int32_t cfa_off, cfa_off2;
	struct cfi_rule rules[CFI_REG_COUNT];
};

enum cfi_status {
	CFI_OK,
	CFI_NO_ENTRY, /* no entry covers this pc */
	CFI_TOO_HARD, /* valid as far as it was read, but a row cannot express it */
	CFI_CORRUPT   /* not call frame information, or outside its bounds */
};

/* The start of each function that has frame information, ascending. Offsets are relative to
 * `base`. */
struct cfi_entry {
	int32_t start_off, fde_off;
};
struct cfi_table {
	uint64_t base; /* address of .eh_frame_hdr */
	/* address of its search table; 0 if it has no usable one and `entries` was made by
	 * scanning */
	uint64_t table;
	struct cfi_entry *entries;
	size_t n;
};

/* One frame description entry together with the values of its CIE. The bytes are in the reader's
 * scratch memory. */
struct cfi_fde {
	uint64_t start, end; /* the function, half-open */
	uint64_t fde, cie;   /* addresses */
	uint64_t code_align;
	int64_t data_align;
	bool is_signal_frame;
	const uint8_t *cie_program, *program;
	size_t cie_program_bytes, program_bytes;
	uint64_t program_address; /* of program[0], for pc-relative operands */
	uint8_t pointer_encoding;
};

/* size limit of one FDE; that of CPython 3.15's evaluator has some tens of kB */
#define CFI_MAX_ENTRY_BYTES   (1u << 20)
#define CFI_MAX_TABLE_ENTRIES (1u << 22)
#define CFI_MAX_STATES        16u /* DW_CFA_remember_state, nested */

struct cfi_program;
#define CFI_PROGRAMS 16u
/* Reused between calls, so that a row usually needs no allocation. Zeroed memory is a valid
 * scratch; cfi_scratch_fini() frees it. Call that whenever a reader used with it goes away, because
 * big programs are cached by reader and address. */
struct cfi_scratch {
	uint8_t *fde, *cie;
	size_t fde_cap, cie_cap;
	/* the big entries used last, NULL or one; a new one replaces the oldest */
	struct cfi_program *programs[CFI_PROGRAMS];
	unsigned next_program;
};
void cfi_scratch_fini(struct cfi_scratch *s);

/*
 * Read the search table of the .eh_frame_hdr at `hdr` (hdr_bytes long). If there is none, or its
 * encoding is unusual, the table is built by scanning .eh_frame. CFI_OK, CFI_NO_ENTRY (empty, or
 * out of memory) or CFI_CORRUPT.
 */
enum cfi_status cfi_table_load(const struct mem_reader *m, uint64_t hdr, uint64_t hdr_bytes,
			       struct cfi_table *ret);
void cfi_table_fini(struct cfi_table *t);

/* The entry of the last function that starts at or before `pc`; its end is not checked here.
 * Returns false if there is none. */
bool cfi_table_find(const struct cfi_table *t, uint64_t pc, uint64_t *ret_start, uint64_t *ret_fde);

/* Read the entry at `fde` and its CIE. `ret` points into the scratch memory and is valid until its
 * next use. */
enum cfi_status cfi_fde_read(const struct mem_reader *m, uint64_t fde, struct cfi_scratch *s,
			     struct cfi_fde *ret);

/* The row that applies at `lookup`; `rip` is the value of the pc register there (lookup, or lookup
 * + 1 for a return address). */
enum cfi_status cfi_fde_row(const struct cfi_fde *f, uint64_t lookup, uint64_t rip,
			    struct cfi_row *ret);

/* The whole way: table, entry, row. A big program is run once (an evaluator's takes thousands of
 * steps, and a stack contains many of its pcs): its next row is computed from a mark close to
 * it. */
enum cfi_status cfi_row_find(const struct mem_reader *m, const struct cfi_table *t, uint64_t lookup,
			     uint64_t rip, struct cfi_scratch *s, struct cfi_row *ret);
