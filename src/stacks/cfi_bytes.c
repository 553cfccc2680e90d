/*
 * cfi_bytes: see cfi_bytes.h.
 */
#include "stacks/cfi_bytes.h"

#include <dwarf.h>
#include <string.h>

uint64_t bytes_take(struct bytes *b, unsigned n)
{
	uint64_t v = 0;
	if ((size_t)(b->end - b->p) < n) {
		b->bad = true;
		b->p = b->end;
		return 0;
	}
	memcpy(&v, b->p, n); /* little-endian like the target */
	b->p += n;
	return v;
}

uint64_t bytes_take_long_uleb(struct bytes *b)
{
	uint64_t v = 0;
	for (unsigned shift = 0;; shift += 7) {
		uint64_t c = bytes_take_byte(b);
		if (b->bad || shift > 63) {
			b->bad = true;
			return 0;
		}
		v |= (c & 0x7f) << shift;
		if (!(c & 0x80))
			return v;
	}
}

int64_t bytes_take_sleb(struct bytes *b)
{
	uint64_t v = 0;
	for (unsigned shift = 0;;) {
		uint64_t c = bytes_take_byte(b);
		if (b->bad || shift > 63) {
			b->bad = true;
			return 0;
		}
		v |= (c & 0x7f) << shift;
		shift += 7;
		if (!(c & 0x80)) {
			if (shift < 64 && (c & 0x40))
				v |= ~0ull << shift;
			return (int64_t)v;
		}
	}
}

bool bytes_take_block(struct bytes *b, uint64_t n, struct bytes *ret)
{
	if (b->bad || n > (uint64_t)(b->end - b->p)) {
		b->bad = true;
		return false;
	}
	*ret = (struct bytes){ .p = b->p, .end = b->p + n };
	b->p += n;
	return true;
}

bool bytes_take_pointer(struct bytes *b, uint8_t encoding, uint64_t address, uint64_t data,
			uint64_t *ret)
{
	uint64_t v;
	if (encoding == DW_EH_PE_omit || (encoding & 0x80)) /* 0x80: indirect */
		return false;
	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8: v = bytes_take(b, 8); break;
	case DW_EH_PE_uleb128: v = bytes_take_uleb(b); break;
	case DW_EH_PE_sleb128: v = (uint64_t)bytes_take_sleb(b); break;
	case DW_EH_PE_udata2: v = bytes_take(b, 2); break;
	case DW_EH_PE_sdata2: v = (uint64_t)(int64_t)(int16_t)bytes_take(b, 2); break;
	case DW_EH_PE_udata4: v = bytes_take(b, 4); break;
	case DW_EH_PE_sdata4: v = (uint64_t)(int64_t)(int32_t)bytes_take(b, 4); break;
	default: return false;
	}
	switch (encoding & 0x70) {
	case 0: break;
	case DW_EH_PE_pcrel: v += address; break;
	case DW_EH_PE_datarel: v += data; break;
	default: return false;
	}
	if (b->bad)
		return false;
	*ret = v;
	return true;
}
