/*
 * python: find the CPython runtimes in a process and learn what they look like in memory.
 *
 * Nothing here stops or changes the target: memory is read through a mem_reader, mappings come as a
 * list. What the target says of itself (_Py_DebugOffsets, 3.13+) comes first and is checked against
 * the tables; the place of the audit hook list is decoded live from PySys_AddAuditHook. An unknown
 * layout is refused.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mem_read.h"
#include "probe/abi.h"

/* One ELF module of the target, as mapped. */
struct elf_module {
	raddr base;       /* load bias: address = base + p_vaddr */
	raddr start, end; /* lowest and highest mapped address */
	const char *path; /* as in maps, " (deleted)" removed; borrowed from the list of maps */
	uint64_t dev, inode;
};

/* What was found of one runtime (one libpython, or a program with Python inside). */
struct python_runtime {
	struct elf_module module;   /* the one that holds _PyRuntime */
	struct probe_layout layout; /* complete: all addresses and offsets */
	char version[24];    /* "3.12.1", "3.13.0rc2", "3.11+" if the micro version is unknown */
	bool is_initialised; /* _PyRuntime says so */
	bool is_finalising;  /* its last interpreter is being taken down */
	bool is_relocated;   /* the loader is done with the module */
	/* writable, permanent memory behind .bss, for the hook entry and mailbox */
	raddr slack;
	/* ≥ 32; 0: this module has none, try elf_slack_find() on libc */
	size_t slack_bytes;
	/* not all zero: an earlier probe left its entry there, or somebody else is there */
	bool slack_is_used;
	char how[160]; /* how the layout was found, for doctor and debug notes */
	/* For this folder only: offsets in PyInterpreterState and PyHeapTypeObject. */
	uint32_t interp_modules, interp_sysdict;
	const struct layout_row *row;
};

/* Look for a runtime in one module. ERR_NOT_PYTHON if there is none in it; ERR_UNSUPPORTED with
 * cause (older than 3.8, PyPy, layout not understood). Works from memory alone: PT_DYNAMIC, GNU or
 * SysV hash; never opens a file. */
MUST_CHECK struct err *python_runtime_find(const struct mem_reader *mem,
					   const struct elf_module *module,
					   struct python_runtime *ret);

/* Read is_initialised and is_finalising again. */
void python_runtime_refresh(const struct mem_reader *mem, struct python_runtime *rt);

/* Address and size of a dynamic symbol of a module, from memory. False if it has none. */
bool elf_symbol_find(const struct mem_reader *mem, const struct elf_module *module,
		     const char *name, raddr *ret_address, uint64_t *ret_size);

/* A program with dynamic symbols, position-independent or not; not a library, nor a loader. */
bool elf_is_executable(const struct mem_reader *mem, const struct elf_module *module);

/* Was a library of that name asked for when the module was linked? (DT_NEEDED) */
bool elf_needs(const struct mem_reader *mem, const struct elf_module *module,
	       const char *file_name);

/* Permanent writable memory behind the .bss of a module, 16-aligned, as python_runtime.slack. False
 * if it has none. */
bool elf_slack_find(const struct mem_reader *mem, const struct elf_module *module,
		    raddr *ret_address, size_t *ret_bytes, bool *ret_is_used);

/* Read a str object as WTF-8 into a strbuf-like buffer: at most cap bytes, returns bytes written,
 * or -1 if it is none. */
long python_str_read(const struct mem_reader *mem, const struct probe_layout *l, raddr object,
		     char *to, size_t cap);

/* Names of Python threads (threading._active: Thread._name), by native thread id or ident, read
 * without stopping anything. Returns false if it could not be read consistently. *active: address
 * of threading._active, 0 not known yet; finding it is most of the work, and it stays where it is
 * as a rule. NULL is fine. */
bool python_thread_name(const struct mem_reader *mem, const struct python_runtime *rt,
			uint64_t ident, uint64_t *active, char *to, size_t cap);

/* sys.prefix-like folders: entries of sys.path, and the folder of the `os` module, as WTF-8,
 * NUL-separated, double NUL at the end. Returns bytes written, or -1. */
long python_sys_path_read(const struct mem_reader *mem, const struct python_runtime *rt, char *to,
			  size_t cap);
