/*
 * symbols: names for native code.
 *
 * Sources for a module, in this order: its .symtab; a debug file found by build id, then by
 * .gnu_debuglink; its .dynsym; else the start of the function from the unwind table
 * ("python3.11+0x1f5a10"). That start is the same for every pc of the function; the nearest
 * exported name would be wrong. Symbols are matched by their size. File and line come from
 * .debug_line if there is one. C++ names are demangled if libstdc++ can be loaded at run time;
 * otherwise they stay as they are.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "stacks/modules.h"

struct symbols;

struct symbol_info {
	const char *function; /* NULL: nothing covers the pc */
	const char *module;   /* base name of the file; NULL: in no module */
	/* from the function's start; from the module's load bias when function is NULL */
	uint64_t offset;
	const char *file; /* source file; NULL unknown */
	uint32_t line;    /* 0 unknown */
	/* function is a symbol's name (or "<signal handler called>"), not derived from the unwind
	 * table */
	bool is_named;
};

struct symbols_options {
	const char *debug_folder; /* NULL: /usr/lib/debug */
	bool no_lines;            /* leave file and line out */
};

/* `modules` must outlive it. The files of a module are opened when the module is first asked
 * for. */
MUST_CHECK struct err *symbols_create(struct modules *modules,
				      const struct symbols_options *options, struct symbols **ret);
void symbols_destroy(struct symbols *s);
DEFINE_CLEANUP(symbols);

/*
 * Name `lookup` (unwind_frame.lookup: the pc - 1 for a return address); ret->offset is that of
 * `pc`. The texts are borrowed until the next call. False if the address is in no module.
 */
bool symbols_resolve(struct symbols *s, uint64_t lookup, uint64_t pc, struct symbol_info *ret);

/* The function that covers an address of a module, from its unwind table: [*ret_start, *ret_end) in
 * the target. */
bool symbols_function_range(struct symbols *s, uint64_t lookup, uint64_t *ret_start,
			    uint64_t *ret_end);

/* Address of a function of a module by name (as in its symbol table). Searches the whole table. */
bool symbols_find(struct symbols *s, struct module *module, const char *name, uint64_t *ret_start);
