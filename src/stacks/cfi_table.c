/*
 * cfi_table: see cfi_table.h.
 */
#include "stacks/cfi_table.h"

#include <dwarf.h>
#include <stdlib.h>

#include "stacks/cfi_bytes.h"

void cfi_table_fini(struct cfi_table *t)
{
	free(t->entries);
	*t = (struct cfi_table){ 0 };
}

static int compare_entries(const void *a, const void *b)
{
	const struct cfi_entry *x = a, *y = b;
	return x->start_off < y->start_off ? -1 : x->start_off > y->start_off;
}

/* Build the table by walking .eh_frame until its terminator, or until a read fails. */
static enum cfi_status scan_eh_frame(const struct mem_reader *m, uint64_t eh_frame,
				     struct cfi_table *t)
{
	struct cfi_buffers buffers = { 0 };
	size_t cap = 0;
	for (uint64_t at = eh_frame; t->n < CFI_MAX_TABLE_ENTRIES;) {
		uint64_t body, n;
		uint32_t id;
		struct cfi_fde f;
		if (cfi_fde_extent(m, at, &body, &n) != CFI_OK ||
		    !mem_read(m, RADDR(body), &id, sizeof(id)))
			break;
		if (id && cfi_fde_read(m, at, &buffers, &f) == CFI_OK) {
			int64_t start_off = (int64_t)(f.start - t->base),
				fde_off = (int64_t)(at - t->base);
			if (t->n == cap) {
				size_t grown_cap = cap ? cap * 2 : 256;
				struct cfi_entry *grown = realloc(t->entries,
								  grown_cap * sizeof(*grown));
				if (!grown)
					break;
				t->entries = grown;
				cap = grown_cap;
			}
			if (bytes_fits(start_off) && bytes_fits(fde_off))
				t->entries[t->n++] = (struct cfi_entry){
					.start_off = (int32_t)start_off, .fde_off = (int32_t)fde_off
				};
		}
		if (body + n <= at)
			break;
		at = body + n;
	}
	cfi_buffers_fini(&buffers);
	if (t->n)
		qsort(t->entries, t->n, sizeof(*t->entries), compare_entries);
	return t->n ? CFI_OK : CFI_NO_ENTRY;
}

enum cfi_status cfi_table_load(const struct mem_reader *m, uint64_t hdr, uint64_t hdr_bytes,
			       struct cfi_table *ret)
{
	uint8_t head[64];
	size_t n_head = hdr_bytes < sizeof(head) ? (size_t)hdr_bytes : sizeof(head);
	struct cfi_table t = { .base = hdr };
	uint64_t eh_frame = 0, n = 0;
	if (n_head < 8 || !mem_read(m, RADDR(hdr), head, n_head))
		return CFI_CORRUPT;
	/* LSB: version, then the encodings of eh_frame_ptr, of fde_count and of the table; then
	 * these three values in this order. */
	struct bytes b = { .p = head + 4, .end = head + n_head };
	if (head[0] != 1)
		return CFI_CORRUPT;
	bool has_frame = bytes_take_pointer(&b, head[1], hdr + 4, hdr, &eh_frame);
	bool has_count = has_frame &&
			 bytes_take_pointer(&b, head[2], hdr + (uint64_t)(b.p - head), hdr, &n);
	uint64_t at = (uint64_t)(b.p - head);
	enum cfi_status status;
	if (has_count && head[3] == (DW_EH_PE_datarel | DW_EH_PE_sdata4) && n &&
	    n <= CFI_MAX_TABLE_ENTRIES && n * sizeof(struct cfi_entry) <= hdr_bytes - at) {
		t.entries = malloc(n * sizeof(*t.entries));
		if (!t.entries)
			return CFI_NO_ENTRY;
		t.n = n;
		t.table = hdr + at;
		status = mem_read(m, RADDR(t.table), t.entries, n * sizeof(*t.entries))
			     ? CFI_OK
			     : CFI_CORRUPT;
	} else {
		status = has_frame ? scan_eh_frame(m, eh_frame, &t) : CFI_CORRUPT;
	}
	if (status != CFI_OK) {
		cfi_table_fini(&t);
		return status;
	}
	*ret = t;
	return CFI_OK;
}

bool cfi_table_find(const struct cfi_table *t, uint64_t pc, uint64_t *ret_start, uint64_t *ret_fde)
{
	int64_t off = (int64_t)(pc - t->base);
	size_t low = 0, high = t->n;
	while (low < high) { /* find the first entry that starts behind pc */
		size_t mid = low + (high - low) / 2;
		if (t->entries[mid].start_off <= off)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return false;
	*ret_start = t->base + (uint64_t)(int64_t)t->entries[low - 1].start_off;
	*ret_fde = t->base + (uint64_t)(int64_t)t->entries[low - 1].fde_off;
	return true;
}
