/*
 * elf_symbols: the dynamic symbols of a module, read from the target's memory and never from a
 * file.
 *
 * Everything read is hostile: each address is checked to be inside the module before it is used,
 * and chains are bounded.
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
	uint16_t e_machine;        /* of its ELF header */
	uint64_t symtab, strtab;   /* addresses; 0: none */
	uint64_t strtab_bytes;
	uint64_t gnu_hash, sysv_hash;
	uint64_t rela, rela_bytes, n_relative; /* the relative ones come first */
	struct elf_segment loads[32];
	size_t n_loads;
	uint64_t needed[64]; /* DT_NEEDED: names, from strtab */
	size_t n_needed;
	/* a program, position-independent or not; false for a library or a loader */
	bool is_executable;
};

struct elf_found {
	uint64_t address, size;
	uint32_t index; /* in the symbol table */
};

/* Read the program headers and PT_DYNAMIC. False if this is not a 64-bit little-endian ELF module
 * with dynamic symbols; loads[] is then filled as far as it could be read. Nothing has to be
 * released. */
bool elf_symbols_open(const struct mem_reader *mem, const struct elf_module *module,
		      struct elf_symbols *ret);

/* Find a symbol that the module defines. Indirect functions and thread-local variables count as
 * absent. */
bool elf_symbols_find(const struct elf_symbols *s, const char *name, struct elf_found *ret);

/* Replace the addresses of variables by the addresses in use: if a non-PIE program made a copy
 * (a copy relocation), the module's own GOT points to the copy. Entries with index 0 and those
 * without a GOT slot stay as they are. */
void elf_symbols_resolve(const struct elf_symbols *s, struct elf_found *found, size_t n_found);

/* Zero-filled room between the end of .bss and the end of its last page: mapped, writable and
 * private as long as the module is loaded, and unused. 16-aligned. False if it is less than 32
 * bytes. */
bool elf_symbols_slack(const struct elf_symbols *s, uint64_t *ret_address, uint64_t *ret_bytes);
