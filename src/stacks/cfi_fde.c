/*
 * cfi_fde: see cfi_fde.h.
 */
#include "stacks/cfi_fde.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "stacks/cfi_bytes.h"
#include "stacks/cfi_machine.h"

void cfi_buffers_fini(struct cfi_buffers *b)
{
	free(b->fde);
	free(b->cie);
	*b = (struct cfi_buffers){ 0 };
}

enum cfi_status cfi_fde_extent(const struct mem_reader *m, uint64_t at, uint64_t *ret_body,
			       uint64_t *ret_bytes)
{
	uint32_t n32;
	uint64_t n, body = at + 4;
	if (!mem_read(m, RADDR(at), &n32, sizeof(n32)))
		return CFI_CORRUPT;
	n = n32;
	if (n32 == 0xffffffff) {
		if (!mem_read_u64(m, RADDR(at + 4), &n))
			return CFI_CORRUPT;
		body = at + 12;
	}
	if (!n)
		return CFI_NO_ENTRY;
	if (n < 4 || n > CFI_MAX_ENTRY_BYTES)
		return CFI_CORRUPT;
	*ret_body = body;
	*ret_bytes = n;
	return CFI_OK;
}

static bool scratch_grow(uint8_t **p, size_t *cap, size_t want)
{
	if (want <= *cap)
		return true;
	uint8_t *grown = realloc(*p, want + want / 2);
	if (!grown)
		return false;
	*p = grown;
	*cap = want + want / 2;
	return true;
}

static enum cfi_status read_entry(const struct mem_reader *m, uint64_t at, uint8_t **buf,
				  size_t *cap, uint64_t *ret_body, struct bytes *ret)
{
	uint64_t body, n;
	enum cfi_status status = cfi_fde_extent(m, at, &body, &n);
	if (status != CFI_OK)
		return status == CFI_NO_ENTRY ? CFI_CORRUPT : status;
	if (!scratch_grow(buf, cap, n) || !mem_read(m, RADDR(body), *buf, n))
		return CFI_CORRUPT;
	*ret = (struct bytes){ .p = *buf, .end = *buf + n };
	*ret_body = body;
	return CFI_OK;
}

/* b starts after the length word. */
static enum cfi_status parse_cie(struct bytes b, struct cfi_fde *f, bool *ret_has_size)
{
	if (bytes_take(&b, 4) != 0) /* LSB: the CIE id in .eh_frame is 0 */
		return CFI_CORRUPT;
	unsigned version = (unsigned)bytes_take(&b, 1);
	if (version != 1 && version != 3 && version != 4)
		return b.bad ? CFI_CORRUPT : CFI_TOO_HARD;
	const char *augmentation = (const char *)b.p;
	const uint8_t *nul = b.p < b.end ? memchr(b.p, 0, (size_t)(b.end - b.p)) : NULL;
	if (!nul)
		return CFI_CORRUPT;
	b.p = nul + 1;
	if (version == 4) {
		unsigned address_bytes = (unsigned)bytes_take(&b, 1),
			 segment_bytes = (unsigned)bytes_take(&b, 1);
		if (address_bytes != 8 || segment_bytes)
			return CFI_TOO_HARD;
	}
	f->code_align = bytes_take_uleb(&b);
	f->data_align = bytes_take_sleb(&b);
	uint64_t ra = version == 1 ? bytes_take(&b, 1) : bytes_take_uleb(&b);
	if (b.bad)
		return CFI_CORRUPT;
	f->machine = cfi_machine_of_return_address(ra);
	if (!f->machine)
		return CFI_TOO_HARD;
	f->pointer_encoding = DW_EH_PE_absptr;
	f->is_signal_frame = false;
	*ret_has_size = *augmentation == 'z';
	if (*ret_has_size) {
		struct bytes data;
		uint64_t n = bytes_take_uleb(&b);
		if (!bytes_take_block(&b, n, &data))
			return CFI_CORRUPT;
		for (const char *a = augmentation + 1; *a; a++) {
			uint64_t ignored;
			switch (*a) {
			case 'R': f->pointer_encoding = (uint8_t)bytes_take(&data, 1); break;
			case 'L': bytes_take(&data, 1); break;
			case 'S': f->is_signal_frame = true; break;
			case 'P': {
				uint8_t encoding = (uint8_t)bytes_take(&data, 1);
				if (!bytes_take_pointer(&data, encoding & 0x0f, 0, 0, &ignored))
					return CFI_TOO_HARD;
				break;
			}
			default: return CFI_TOO_HARD;
			}
		}
		if (data.bad)
			return CFI_CORRUPT;
	} else if (*augmentation) {
		return CFI_TOO_HARD;
	}
	f->cie_program = b.p;
	f->cie_program_bytes = (size_t)(b.end - b.p);
	return CFI_OK;
}

enum cfi_status cfi_fde_read(const struct mem_reader *m, uint64_t fde, struct cfi_buffers *s,
			     struct cfi_fde *ret)
{
	struct bytes b, cie;
	uint64_t body, cie_body;
	struct cfi_fde f = { .fde = fde };
	bool has_size = false;
	enum cfi_status status = read_entry(m, fde, &s->fde, &s->fde_cap, &body, &b);
	if (status != CFI_OK)
		return status;
	const uint8_t *first = b.p;
	uint64_t back = bytes_take(&b, 4); /* distance from here back to the CIE, bytes */
	if (!back)
		return CFI_CORRUPT; /* it is itself a CIE */
	f.cie = body - back;
	status = read_entry(m, f.cie, &s->cie, &s->cie_cap, &cie_body, &cie);
	if (status == CFI_OK)
		status = parse_cie(cie, &f, &has_size);
	if (status != CFI_OK)
		return status;
	uint64_t n;
	if (!bytes_take_pointer(&b, f.pointer_encoding, body + (uint64_t)(b.p - first), 0,
				&f.start) ||
	    !bytes_take_pointer(&b, f.pointer_encoding & 0x0f, 0, 0, &n))
		return b.bad ? CFI_CORRUPT : CFI_TOO_HARD;
	f.end = f.start + n;
	if (f.end < f.start)
		return CFI_CORRUPT;
	if (has_size) {
		struct bytes data;
		uint64_t n_data = bytes_take_uleb(&b);
		if (!bytes_take_block(&b, n_data, &data))
			return CFI_CORRUPT;
	}
	f.program = b.p;
	f.program_bytes = (size_t)(b.end - b.p);
	f.program_address = body + (uint64_t)(b.p - first);
	*ret = f;
	return CFI_OK;
}
