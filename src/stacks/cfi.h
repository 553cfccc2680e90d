/*
 * cfi: how to get from a function to its caller: .eh_frame call frame information, x86-64.
 *
 * Memory is read through a mem_reader at the addresses of one ELF image (image.h), or of a byte
 * array in a test. A row says for one pc where the canonical frame address (CFA: the caller's stack
 * pointer) and the caller's registers are. Only what a row can express is handled; for the rest
 * CFI_TOO_HARD sends the caller to libunwind. All input is hostile: nothing is read outside the
 * bytes of one entry, loops are bounded by their length, the state stack by CFI_MAX_STATES.
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

/* The registers that survive a call, and the two that make a frame. Column numbers of `struct
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
	CFI_AT_REG,    /* saved at reg + off, reg as it is in this frame */
	CFI_IS_CFA,    /* is CFA + off */
	CFI_IS_REG     /* is reg + off */
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
	/* the caller was interrupted, not calling: its pc is that of an instruction to be executed
	 */
	bool is_signal_frame;
	uint8_t pad;
	int32_t cfa_off, cfa_off2;
	struct cfi_rule rules[CFI_REG_COUNT];
};

enum cfi_status {
	CFI_OK,
	CFI_NO_ENTRY, /* nothing covers this pc */
	CFI_TOO_HARD, /* understood as far as needed to know that a row cannot say it */
	CFI_CORRUPT   /* not call frame information, or outside its bounds */
};

/* Start of every function with frame information, ascending. Offsets are relative to `base`. */
struct cfi_entry {
	int32_t start_off, fde_off;
};
struct cfi_table {
	uint64_t base; /* address of .eh_frame_hdr */
	/* address of its search table; 0 if it has none that can be used and `entries` was made by
	 * hand */
	uint64_t table;
	struct cfi_entry *entries;
	size_t n;
};

/* One frame description entry with what it inherits. The bytes live in the reader's scratch memory.
 */
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

/* of one FDE; CPython 3.15's evaluator needs some tens of kB */
#define CFI_MAX_ENTRY_BYTES   (1u << 20)
#define CFI_MAX_TABLE_ENTRIES (1u << 22)
#define CFI_MAX_STATES        16u /* DW_CFA_remember_state, nested */

struct cfi_program;
#define CFI_PROGRAMS 16u
/* Reused between calls, so that a row allocates nothing as a rule. Zeroed is ready; freed by
 * cfi_scratch_fini(), and to be freed whenever a reader that was used with it goes: what is kept of
 * big programs is known by reader and address. */
struct cfi_scratch {
	uint8_t *fde, *cie;
	size_t fde_cap, cie_cap;
	/* of the big entries met last, NULL or one; the oldest makes room */
	struct cfi_program *programs[CFI_PROGRAMS];
	unsigned next_program;
};
void cfi_scratch_fini(struct cfi_scratch *s);

/*
 * Read the search table of the .eh_frame_hdr at `hdr` (hdr_bytes long). If it has none, or one of
 * an unusual encoding, the table is made by going through .eh_frame. CFI_OK, CFI_NO_ENTRY (empty,
 * or memory is short) or CFI_CORRUPT.
 */
enum cfi_status cfi_table_load(const struct mem_reader *m, uint64_t hdr, uint64_t hdr_bytes,
			       struct cfi_table *ret);
void cfi_table_fini(struct cfi_table *t);

/* The entry whose function starts last before or at `pc`; its end is not known here. False: none.
 */
bool cfi_table_find(const struct cfi_table *t, uint64_t pc, uint64_t *ret_start, uint64_t *ret_fde);

/* Read the entry at `fde` and its CIE. `ret` points into the scratch memory until its next use. */
enum cfi_status cfi_fde_read(const struct mem_reader *m, uint64_t fde, struct cfi_scratch *s,
			     struct cfi_fde *ret);

/* The row in force at `lookup`; `rip` is what the pc register holds there (lookup, or lookup + 1
 * for a return address). */
enum cfi_status cfi_fde_row(const struct cfi_fde *f, uint64_t lookup, uint64_t rip,
			    struct cfi_row *ret);

/* All of it: table, entry, row. A big program (an evaluator's takes thousands of steps, and a stack
 * has many pcs in it) is run once: the next row of it starts from a place near it. */
enum cfi_status cfi_row_find(const struct mem_reader *m, const struct cfi_table *t, uint64_t lookup,
			     uint64_t rip, struct cfi_scratch *s, struct cfi_row *ret);
