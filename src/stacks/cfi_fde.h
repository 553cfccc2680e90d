/*
 * cfi_fde: one entry of .eh_frame: a frame description entry (FDE) with its common information
 * entry (CIE).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem_read.h"

struct cfi_machine;

enum cfi_status {
	CFI_OK,
	CFI_NO_ENTRY, /* no entry covers this pc */
	CFI_TOO_HARD, /* valid as far as it was read, but a row cannot express it */
	CFI_CORRUPT   /* not call frame information, or outside its bounds */
};

/* size limit of one FDE; that of CPython 3.15's evaluator has some tens of kB */
#define CFI_MAX_ENTRY_BYTES (1u << 20)

/* One frame description entry together with the values of its CIE. The bytes are in the buffers. */
struct cfi_fde {
	const struct cfi_machine *machine; /* whose return address the CIE names */
	uint64_t start, end;               /* the function, half-open */
	uint64_t fde, cie;                 /* addresses */
	uint64_t code_align;
	int64_t data_align;
	bool is_signal_frame;
	const uint8_t *cie_program, *program;
	size_t cie_program_bytes, program_bytes;
	uint64_t program_address; /* of program[0], for pc-relative operands */
	uint8_t pointer_encoding;
};

/* Memory for the bytes of one entry, reused between calls. Zeroed memory is valid;
 * cfi_buffers_fini() frees it. */
struct cfi_buffers {
	uint8_t *fde, *cie;
	size_t fde_cap, cie_cap;
};
void cfi_buffers_fini(struct cfi_buffers *b);

/* Decode the length word(s) of an entry: the address and size of its body. A length of 0 terminates
 * .eh_frame: CFI_NO_ENTRY. */
enum cfi_status cfi_fde_extent(const struct mem_reader *m, uint64_t at, uint64_t *ret_body,
			       uint64_t *ret_bytes);

/* Read the entry at `fde` and its CIE. `ret` points into the buffers and is valid until their
 * next use. */
enum cfi_status cfi_fde_read(const struct mem_reader *m, uint64_t fde, struct cfi_buffers *s,
			     struct cfi_fde *ret);
