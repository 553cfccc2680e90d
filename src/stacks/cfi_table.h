/*
 * cfi_table: the search table of .eh_frame_hdr: which entry of .eh_frame describes a pc.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem_read.h"
#include "stacks/cfi_fde.h"

#define CFI_MAX_TABLE_ENTRIES (1u << 22)

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
