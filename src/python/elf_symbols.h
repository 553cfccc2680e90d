/*
 * elf_symbols: the dynamic symbols of a module, read from the target's memory, never from a file.
 *
 * Everything read is hostile: each address is checked to lie inside the module before it is used,
 * chains are bounded.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem_read.h"

struct elf_module;

struct elf_segment {
	uint64_t vaddr, memsz, filesz;
	uint32_t flags; /* PF_R, PF_W, PF_X */
};

struct elf_symbols {
	const struct mem_reader *mem;
	uint64_t base, start, end; /* of the module */
	uint64_t symtab, strtab;   /* addresses; 0: none */
	uint64_t strtab_bytes;
	uint64_t gnu_hash, sysv_hash;
	uint64_t rela, rela_bytes, n_relative; /* the R_X86_64_RELATIVE ones come first */
	struct elf_segment loads[32];
	size_t n_loads;
	uint64_t needed[64]; /* DT_NEEDED: names, from strtab */
	size_t n_needed;
	/* a program, be it position-independent; not a library, nor a loader */
	bool is_executable;
};

struct elf_found {
	uint64_t address, size;
	uint32_t index; /* in the symbol table */
};

/* Read the program headers and PT_DYNAMIC. False if this is no 64-bit little-endian ELF module with
 * dynamic symbols; loads[] is then still filled as far as it could be read. Nothing to release. */
bool elf_symbols_open(const struct mem_reader *mem, const struct elf_module *module,
		      struct elf_symbols *ret);

/* A symbol the module defines. Indirect functions and thread-local variables count as absent. */
bool elf_symbols_find(const struct elf_symbols *s, const char *name, struct elf_found *ret);

/* Change the addresses of variables to those everybody uses: where a non-PIE program made a copy
 * (R_X86_64_COPY), the module's own GOT points to it. Entries with index 0 and those without GOT
 * slot stay as they are. */
void elf_symbols_resolve(const struct elf_symbols *s, struct elf_found *found, size_t n_found);

/* Zero-filled room between the end of .bss and the end of its last page: mapped, writable and
 * private as long as the module is loaded, and used by nobody. 16-aligned. False if fewer than 32
 * bytes. */
bool elf_symbols_slack(const struct elf_symbols *s, uint64_t *ret_address, uint64_t *ret_bytes);
