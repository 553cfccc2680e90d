/*
 * symbol_table: the functions of one ELF image by address, from the best source available.
 *
 * Addresses are the image's own. All input is hostile; what does not fit its file is ignored.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "stacks/image.h"

enum symbol_source {
	SYMBOLS_NONE,
	SYMBOLS_DYNSYM,
	SYMBOLS_DEBUG_LINK,
	SYMBOLS_BUILD_ID,
	SYMBOLS_SYMTAB
};

struct symbol {
	uint64_t start, size; /* size 0: unknown */
	uint32_t name;        /* offset in the texts */
	/* decides which of several symbols at one address is shown: the highest */
	uint8_t rank;
};

struct symbol_table {
	enum symbol_source source;
	struct symbol *symbols; /* by start, then size, then rank */
	size_t n;
	char *texts; /* NUL-terminated strings, the last byte is NUL */
	size_t texts_bytes;
	/* a file with .debug_line for this image, -1 none; owned by the table */
	int lines_fd;
	uint64_t lines_id; /* the namer's id for that file; 0 not assigned yet (symbols.c) */
};

/*
 * Debug files are searched below `debug_folder`, first below the root of process `pid`
 * (0: none), then in our own file system, and next to the image's file. NULL only if out of memory;
 * a table without symbols is an ordinary result.
 */
struct symbol_table *symbol_table_create(const struct image *i, pid_t pid,
					 const char *debug_folder);
void symbol_table_destroy(struct symbol_table *t);
/* Free the symbols; the table then has none. */
void symbol_table_clear(struct symbol_table *t);

/* The symbol whose size covers the address; otherwise one without size that starts at
 * `function_start` (0: unknown). */
const struct symbol *symbol_table_find(const struct symbol_table *t, uint64_t vaddr,
				       uint64_t function_start);
const struct symbol *symbol_table_find_name(const struct symbol_table *t, const char *name);
