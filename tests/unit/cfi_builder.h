/*
 * cfi_builder: write .eh_frame, its search table and a small ELF image into a byte array, for
 * tests.
 */
#pragma once
#include <elf.h>
#include <stdint.h>
#include <string.h>

#include "base/mem_read.h"

struct builder {
	uint64_t address; /* of bytes[0] */
	size_t n;
	uint8_t bytes[49152];
};

static inline void build_u8(struct builder *b, unsigned v)
{
	b->bytes[b->n++] = (uint8_t)v;
}
static inline void build_u32(struct builder *b, uint32_t v)
{
	memcpy(b->bytes + b->n, &v, 4);
	b->n += 4;
}
static inline void build_bytes(struct builder *b, const void *p, size_t n)
{
	memcpy(b->bytes + b->n, p, n);
	b->n += n;
}
static inline void patch_u32(struct builder *b, size_t at, uint32_t v)
{
	memcpy(b->bytes + at, &v, 4);
}
static inline uint64_t build_address(const struct builder *b)
{
	return b->address + b->n;
}

static inline void build_pad(struct builder *b, size_t to)
{
	while (b->n % to)
		build_u8(b, 0); /* DW_CFA_nop */
}

/* Write a CIE as gcc does: "zR" (or "zRS"), factors 1 and -8, pointers pcrel sdata4; CFA = rsp + 8,
 * return address below. */
static inline size_t build_cie(struct builder *b, bool is_signal)
{
	static const uint8_t rules[] = { 0x0c, 7, 8, 0x80 | 16, 1 };
	size_t at = b->n;
	build_u32(b, 0);
	build_u32(b, 0);
	build_u8(b, 1);
	build_bytes(b, is_signal ? "zRS" : "zR", is_signal ? 4 : 3);
	build_u8(b, 1);
	build_u8(b, 0x78);
	build_u8(b, 16);
	build_u8(b, 1);
	build_u8(b, 0x1b);
	build_bytes(b, rules, sizeof(rules));
	build_pad(b, 4);
	patch_u32(b, at, (uint32_t)(b->n - at - 4));
	return at;
}

/* The same for arm64: factors 4 and -8; CFA = sp, return address in x30. */
static inline size_t build_cie_aarch64(struct builder *b)
{
	static const uint8_t entry[] = { 1, 'z', 'R', 0, 4, 0x78, 30, 1, 0x1b, 0x0c, 31, 0 };
	size_t at = b->n;
	build_u32(b, 0);
	build_u32(b, 0);
	build_bytes(b, entry, sizeof(entry));
	build_pad(b, 4);
	patch_u32(b, at, (uint32_t)(b->n - at - 4));
	return at;
}

static inline size_t build_fde(struct builder *b, size_t cie, uint64_t start, uint32_t n_code,
			       const uint8_t *program, size_t n_program)
{
	size_t at = b->n;
	build_u32(b, 0);
	build_u32(b, (uint32_t)(b->n - cie));
	build_u32(b, (uint32_t)(start - build_address(b)));
	build_u32(b, n_code);
	build_u8(b, 0);
	build_bytes(b, program, n_program);
	build_pad(b, 4);
	patch_u32(b, at, (uint32_t)(b->n - at - 4));
	return at;
}

/* Write an .eh_frame_hdr over n entries, in ascending order of their starts. Returns its
 * address. */
static inline uint64_t build_header(struct builder *b, size_t eh_frame, const uint64_t *starts,
				    const size_t *fdes, size_t n, uint8_t table_encoding)
{
	build_pad(b, 4);
	uint64_t hdr = build_address(b);
	build_u8(b, 1);
	build_u8(b, 0x1b);
	build_u8(b, 0x03);
	build_u8(b, table_encoding);
	build_u32(b, (uint32_t)(b->address + eh_frame - build_address(b)));
	build_u32(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		build_u32(b, (uint32_t)(starts[i] - hdr));
		build_u32(b, (uint32_t)(b->address + fdes[i] - hdr));
	}
	return hdr;
}

/* Write the headers of the ELF file that these bytes are, and whose search table is at `hdr`. The
 * builder began with room for them: build_elf_room(). */
static inline void build_elf_room(struct builder *b)
{
	b->n = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);
}
static inline void build_elf(struct builder *b, uint16_t e_machine, uint64_t hdr,
			     uint64_t hdr_bytes)
{
	Elf64_Ehdr e = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
			 .e_type = ET_DYN,
			 .e_machine = e_machine,
			 .e_version = 1,
			 .e_phoff = sizeof(e),
			 .e_ehsize = sizeof(e),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 2 };
	Elf64_Phdr p[2] = {
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = b->n, .p_memsz = b->n },
		{ .p_type = PT_GNU_EH_FRAME, .p_vaddr = hdr - b->address, .p_memsz = hdr_bytes }
	};
	memcpy(b->bytes, &e, sizeof(e));
	memcpy(b->bytes + sizeof(e), p, sizeof(p));
}

static inline bool builder_read(void *ctx, raddr from, void *to, size_t n)
{
	const struct builder *b = ctx;
	uint64_t off = from.v - b->address;
	if (from.v < b->address || off > b->n || n > b->n - off)
		return false;
	memcpy(to, b->bytes + off, n);
	return true;
}

static inline struct mem_reader builder_reader(struct builder *b)
{
	return (struct mem_reader){ .read = builder_read, .ctx = b };
}
