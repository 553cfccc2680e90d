/* fuzz_cfi: stacks/{image,cfi,symbol_table,unwind,symbols}.c: an ELF image in a target's memory,
 * and the same bytes as a file. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "stacks/symbol_table.h"
#include "stacks/symbols.h"
#include "stacks/unwinder.h"
#include "../unit/cfi_builder.h"

#define IMAGE 0x7f0000000000ull
#define STACK 0x7ff000000000ull

struct input {
	const uint8_t *bytes;
	size_t n;
};

static bool read_input(void *ctx, raddr from, void *to, size_t n)
{
	const struct input *in = ctx;
	uint64_t off = from.v - IMAGE;
	if (from.v < IMAGE || off > in->n || n > in->n - off)
		return false;
	memcpy(to, in->bytes + off, n);
	return true;
}

static void check(struct err *err)
{
	if (err)
		abort();
}

static void walk_and_name(struct modules *modules, const struct input *in)
{
	struct unwinder *u;
	struct symbols *s;
	struct unwind_frame frames[64];
	enum unwind_stop stop;
	check(unwinder_create(modules, &u));
	check(symbols_create(
	    modules, &(struct symbols_options){ .debug_folder = "/nonexistent", .no_lines = true },
	    &s));
	/* The stack: words that point alternately into the image and the stack. */
	uint64_t stack[128];
	for (size_t i = 0; i < 128; i++) {
		size_t at = in->n > 8 ? (i * 2654435761u) % (in->n - 8) : 0;
		stack[i] = i % 3 ? IMAGE + at : STACK + (i + 2) % 128 * 8;
	}
	for (unsigned k = 0; k < 16 && in->n > 16; k++) {
		struct record_native regs = { .pc = IMAGE + in->n / 16 * k,
					      .sp = STACK + k * 8,
					      .fp = STACK + k * 16 };
		size_t n = unwinder_walk(u, &regs, k & 1, (const uint8_t *)stack + k * 8,
					 sizeof(stack) - k * 8, frames, 64, &stop);
		if (!n || n > 64 || stop >= UNWIND_STOP_COUNT)
			abort();
		for (size_t i = 0; i < n; i++) {
			struct symbol_info info;
			if (i && frames[i].sp <= frames[i - 1].sp)
				abort();
			if (symbols_resolve(s, frames[i].lookup, frames[i].pc, &info) &&
			    info.function && strlen(info.function) > 1u << 20)
				abort();
		}
	}
	symbols_destroy(s);
	unwinder_destroy(u);
}

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	struct input in = { bytes, n_bytes };
	struct mem_reader m = { .read = read_input, .ctx = &in };
	struct image_store *store = image_store_create();
	struct modules *modules;
	struct maps *maps;
	char text[128];
	if (!store)
		abort();
	int n = snprintf(text, sizeof(text), "%llx-%llx r-xp 00000000 00:00 0 [vdso]\n", IMAGE,
			 IMAGE + (n_bytes | 1));
	check(maps_parse(text, (size_t)n, &maps));
	check(modules_create(0, &m, store, &modules));
	check(modules_set_maps(modules, maps, NULL, NULL));
	maps_destroy(maps);
	walk_and_name(modules, &in);
	modules_destroy(modules);

	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, bytes, n_bytes) != (ssize_t)n_bytes)
		abort();
	struct image *i = image_of_file(store, fd, "/nonexistent/fuzz");
	if (i) {
		struct symbol_table *t = symbol_table_create(i, 0, "/nonexistent");
		const struct cfi_table *c = image_cfi(i);
		struct cfi_scratch scratch = { 0 };
		struct cfi_row row;
		for (size_t k = 0; c && k < c->n && k < 64; k++) {
			uint64_t start = c->base + (uint64_t)(int64_t)c->entries[k].start_off;
			(void)cfi_row_find(&i->reader, c, start + k, start + k, &scratch, &row);
		}
		for (size_t k = 0; t && k < t->n; k++)
			if (memchr(t->texts + t->symbols[k].name, 0,
				   t->texts_bytes - t->symbols[k].name) == NULL)
				abort();
		cfi_scratch_fini(&scratch);
		symbol_table_destroy(t);
		image_unref(store, i);
	}
	image_store_destroy(store);
}

/* Make a small image here. */
static size_t seed_built(uint16_t e_machine, uint8_t *to, size_t cap)
{
	static const uint8_t x86_64[] = { 0x41, 0x0e, 16, 0x86, 2,    0x43, 0x0d, 6,
					  0x0a, 0x0f, 3,  0x76, 0x78, 0x06, 0x0b };
	static const uint8_t aarch64[] = { 0x41, 0x2d, 0x0e, 32,   0x9d, 4,   0x9e,
					   3,    0x0d, 29,   0x0a, 0xde, 0x0b };
	bool is_arm = e_machine == EM_AARCH64;
	const uint8_t *program = is_arm ? aarch64 : x86_64;
	size_t n_program = is_arm ? sizeof(aarch64) : sizeof(x86_64);
	static struct builder b;
	b = (struct builder){ .address = IMAGE };
	build_elf_room(&b);
	size_t cie = is_arm ? build_cie_aarch64(&b) : build_cie(&b, false), fdes[2];
	uint64_t starts[2] = { IMAGE + 0x800, IMAGE + 0x840 };
	for (unsigned k = 0; k < 2; k++)
		fdes[k] = build_fde(&b, cie, starts[k], 0x40, program, n_program);
	build_u32(&b, 0);
	uint64_t hdr = build_header(&b, cie, starts, fdes, 2, 0x3b),
		 hdr_bytes = build_address(&b) - hdr;
	b.n = 0x900;
	build_elf(&b, e_machine, hdr, hdr_bytes);
	if (b.n > cap)
		return 0;
	memcpy(to, b.bytes, b.n);
	return b.n;
}

/* Real images: the vdso, and a stripped program with a .gnu_debuglink or build id. */
static size_t seed_program(const char *path, uint8_t *to, size_t cap)
{
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(to, 1, cap, f) : 0;
	if (f)
		fclose(f);
	return n;
}

size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)
{
	const uint8_t *vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	switch (number) {
	case 0: return seed_built(EM_X86_64, to, cap);
	case 1:
		if (!vdso || cap < 4096)
			return 0;
		/* at least one page is mapped: all of it if the vdso has one page, else its
		 * beginning */
		memcpy(to, vdso, 4096);
		return 4096;
	case 2: return seed_program("/bin/true", to, cap);
	case 3: return seed_built(EM_AARCH64, to, cap);
	default: return 0;
	}
}
