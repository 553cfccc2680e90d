/*
 * fake_module: an ELF module in a byte array, for tests of what reads modules from a target's
 * memory.
 *
 *   0x0000 headers   0x0200 PT_DYNAMIC   0x0400 strings      0x1000 symbols
 *   0x1800 hash table   0x1c00 relocations   0x2000 code      0x4000 data
 */
#pragma once
#include <elf.h>
#include <stdint.h>
#include <string.h>

#include "base/mem_read.h"
#include "python/python.h"

#define FAKE_BASE  0x7f0000000000ull /* where it is mapped; p_vaddr counts from 0 */
#define FAKE_BYTES 0x8000u
#define FAKE_CODE  0x2000u
#define FAKE_DATA  0x4000u
#define FAKE_END   0x7e40u /* end of .bss: the slack is after it */

struct fake_module {
	uint8_t bytes[FAKE_BYTES];
	struct mem_reader reader;
	struct elf_module module;
	uint32_t n_strings, n_symbols;
	uint32_t n_rela;
	bool sysv;
};

static inline bool fake_read(void *ctx, raddr from, void *to, size_t n)
{
	struct fake_module *f = ctx;
	if (from.v < FAKE_BASE || from.v - FAKE_BASE > FAKE_BYTES ||
	    n > FAKE_BYTES - (from.v - FAKE_BASE))
		return false;
	memcpy(to, f->bytes + (from.v - FAKE_BASE), n);
	return true;
}

static inline void fake_put(struct fake_module *f, uint64_t at, const void *p, size_t n)
{
	memcpy(f->bytes + at, p, n);
}

static inline void fake_put64(struct fake_module *f, uint64_t at, uint64_t v)
{
	memcpy(f->bytes + at, &v, 8);
}

static inline void fake_symbol(struct fake_module *f, const char *name, uint64_t value,
			       uint64_t size)
{
	Elf64_Sym sym = { .st_name = f->n_strings,
			  .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
			  .st_shndx = value ? 1 : SHN_UNDEF,
			  .st_value = value,
			  .st_size = size };
	fake_put(f, 0x400 + f->n_strings, name, strlen(name) + 1);
	f->n_strings += (uint32_t)strlen(name) + 1;
	fake_put(f, 0x1000 + 24 * f->n_symbols++, &sym, sizeof(sym));
}

/* Add a relocation of the symbol added last: its slot at `at` holds `value`. */
static inline void fake_relocation(struct fake_module *f, uint64_t at, uint32_t type,
				   uint64_t value)
{
	Elf64_Rela rela = { .r_offset = at,
			    .r_info = ELF64_R_INFO((uint64_t)f->n_symbols - 1, type) };
	fake_put(f, 0x1c00 + sizeof(rela) * f->n_rela++, &rela, sizeof(rela));
	fake_put64(f, at, value);
}

static inline void fake_begin(struct fake_module *f, bool sysv)
{
	memset(f, 0, sizeof(*f));
	f->sysv = sysv;
	f->reader = (struct mem_reader){ fake_read, f };
	f->module = (struct elf_module){ .base = RADDR(FAKE_BASE),
					 .start = RADDR(FAKE_BASE),
					 .end = RADDR(FAKE_BASE + FAKE_BYTES),
					 .path = "/lib/fake.so" };
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_DYN,
			  .e_machine = EM_X86_64,
			  .e_phoff = 64,
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 3 };
	Elf64_Phdr ph[3] = {
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R | PF_X,
		  .p_filesz = FAKE_DATA,
		  .p_memsz = FAKE_DATA },
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R | PF_W,
		  .p_vaddr = FAKE_DATA,
		  .p_memsz = FAKE_END - FAKE_DATA },
		{ .p_type = PT_DYNAMIC, .p_vaddr = 0x200, .p_memsz = 0x100 },
	};
	fake_put(f, 0, &eh, sizeof(eh));
	fake_put(f, 64, ph, sizeof(ph));
	f->n_strings = 1;
	f->n_symbols = 1;
}

/* Write hash tables with one bucket: every symbol is in its chain. */
static inline void fake_end(struct fake_module *f)
{
	/* Addresses as in glibc, relocated; and one as in musl, relative. */
	Elf64_Dyn dyn[] = {
		{ DT_SYMTAB, { FAKE_BASE + 0x1000 } },
		{ DT_STRTAB, { 0x400 } },
		{ DT_STRSZ, { f->n_strings } },
		{ f->n_rela ? DT_RELA : DT_DEBUG, { FAKE_BASE + 0x1c00 } },
		{ f->n_rela ? DT_RELASZ : DT_DEBUG, { f->n_rela * sizeof(Elf64_Rela) } },
		{ f->sysv ? DT_HASH : DT_GNU_HASH, { FAKE_BASE + 0x1800 } },
		{ DT_NULL, { 0 } },
	};
	fake_put(f, 0x200, dyn, sizeof(dyn));
	if (f->sysv) {
		uint32_t head[] = { 1, f->n_symbols, f->n_symbols - 1 };
		fake_put(f, 0x1800, head, sizeof(head));
		for (uint32_t i = 0; i < f->n_symbols; i++) {
			uint32_t next = i ? i - 1 : 0;
			fake_put(f, 0x1800 + 12 + 4 * i, &next, 4);
		}
		return;
	}
	uint32_t head[] = { 1, 1, 1, 6 };
	fake_put(f, 0x1800, head, sizeof(head));
	uint32_t first = 1;
	fake_put(f, 0x1800 + 16 + 8, &first, 4);
	for (uint32_t i = 1; i < f->n_symbols; i++) {
		Elf64_Sym sym;
		memcpy(&sym, f->bytes + 0x1000 + 24 * i, sizeof(sym));
		uint32_t hash = 5381;
		for (const uint8_t *c = f->bytes + 0x400 + sym.st_name; *c; c++)
			hash = hash * 33 + *c;
		hash = (hash & ~1u) | (i + 1 == f->n_symbols);
		fake_put(f, 0x1800 + 16 + 8 + 4 + 4 * (i - 1), &hash, 4);
	}
}

/* Make a module that looks like CPython: version as text in Py_GetVersion, code of
 * PySys_AddAuditHook in hex. */
#define FAKE_RUNTIME (FAKE_DATA + 0x1000)
static inline void fake_python(struct fake_module *f, const char *version, const uint8_t *code,
			       size_t n_code)
{
	fake_begin(f, false);
	fake_symbol(f, "Py_GetVersion", FAKE_CODE, 16);
	/* lea rsi, [rip + …] */
	fake_put(f, FAKE_CODE + 1, (const char[]){ 0x48, (char)0x8d, 0x35 }, 3);
	int32_t to_text = 0x100 - 8;
	fake_put(f, FAKE_CODE + 4, &to_text, 4);
	fake_put(f, FAKE_CODE + 0x100, version, strlen(version) + 1);
	fake_symbol(f, "PySys_AddAuditHook", FAKE_CODE + 0x200, n_code);
	fake_put(f, FAKE_CODE + 0x200, code, n_code);
	fake_symbol(f, "_PyRuntime", FAKE_RUNTIME, 2000);
	fake_symbol(f, "_PyThreadState_UncheckedGet", FAKE_CODE + 0x20, 8);
	fake_symbol(f, "Py_IsInitialized", FAKE_CODE + 0x30, 8);
	fake_symbol(f, "PyType_Type", FAKE_DATA, 400);
	fake_symbol(f, "PyFloat_Type", FAKE_DATA + 400, 400);
	for (unsigned i = 0; i < 2; i++) {
		fake_put64(f, FAKE_DATA + 400 * i + 8, FAKE_BASE + FAKE_DATA);
		fake_put64(f, FAKE_DATA + 400 * i + 24, FAKE_BASE + FAKE_DATA + 0x400 + 16 * i);
	}
	fake_put(f, FAKE_DATA + 0x400, "type", 5);
	fake_put(f, FAKE_DATA + 0x410, "float", 6);
	uint32_t initialised = 1;
	fake_put(f, FAKE_RUNTIME + 12, &initialised, 4);
}

/* The module is of arm64; its Py_GetVersion has: adr x0, FAKE_CODE + 0x100 */
static inline void fake_python_aarch64(struct fake_module *f)
{
	static const uint8_t adr[8] = { 0x00, 0x08, 0x00, 0x10 };
	f->bytes[offsetof(Elf64_Ehdr, e_machine)] = EM_AARCH64;
	fake_put(f, FAKE_CODE, adr, sizeof(adr));
}
