/*
 * python: find the CPython runtimes in a process and learn what they look like in memory.
 *
 * Nothing here stops or changes the target: memory is read through a mem_reader, and mappings are
 * passed as a list. The offsets that the target publishes (_Py_DebugOffsets, 3.13+) are used first
 * and checked against the tables; the place of the audit hook list is decoded from the code of
 * PySys_AddAuditHook. An unknown layout is refused.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mem_read.h"
#include "probe/abi.h"

/* One ELF module of the target at its place. */
struct elf_module {
	raddr base;       /* load bias: address = base + p_vaddr */
	raddr start, end; /* lowest and highest mapped address */
	const char *path; /* as in maps, without " (deleted)"; borrowed from the list of maps */
	uint64_t dev, inode;
};

/* What was found about one runtime (one libpython, or a program with Python inside). */
struct python_runtime {
	struct elf_module module;   /* the one that holds _PyRuntime */
	struct probe_layout layout; /* complete: all addresses and offsets are set */
	char version[24];    /* "3.12.1", "3.13.0rc2", "3.11+" if the micro version is unknown */
	bool is_initialised; /* as stored in _PyRuntime */
	bool is_finalising;  /* its last interpreter is being finalised */
	bool is_relocated;   /* the loader has relocated the module */
	/* writable, permanent memory behind .bss, for the hook entry and mailbox */
	raddr slack;
	/* ≥ 32; 0: this module has none, try elf_slack_find() on libc */
	size_t slack_bytes;
	/* it is not all zero: an earlier probe left its entry there, or it is in use */
	bool slack_is_used;
	char how[160]; /* how the layout was found, for doctor and debug notes */
	/* For src/python only: offsets in PyInterpreterState and PyHeapTypeObject. */
	uint32_t interp_modules, interp_sysdict;
	const struct layout_row *row;
};

/* Look for a runtime in one module. ERR_NOT_PYTHON if the module has none; ERR_UNSUPPORTED with the
 * cause (older than 3.8, PyPy, unknown layout). Uses memory only (PT_DYNAMIC, GNU or SysV hash);
 * never opens a file. */
MUST_CHECK struct err *python_runtime_find(const struct mem_reader *mem,
					   const struct elf_module *module,
					   struct python_runtime *ret);

/* Read is_initialised and is_finalising again. */
void python_runtime_refresh(const struct mem_reader *mem, struct python_runtime *rt);

/* Address and size of a dynamic symbol of a module, from memory. False if the module does not
 * define it. */
bool elf_symbol_find(const struct mem_reader *mem, const struct elf_module *module,
		     const char *name, raddr *ret_address, uint64_t *ret_size);

/* True for a program with dynamic symbols, position-independent or not; false for a library or a
 * loader. */
bool elf_is_executable(const struct mem_reader *mem, const struct elf_module *module);

/* Was the module linked with a library of that name? (DT_NEEDED) */
bool elf_needs(const struct mem_reader *mem, const struct elf_module *module,
	       const char *file_name);

/* Permanent writable memory behind the .bss of a module, 16-aligned, as python_runtime.slack. False
 * if there is none. */
bool elf_slack_find(const struct mem_reader *mem, const struct elf_module *module,
		    raddr *ret_address, size_t *ret_bytes, bool *ret_is_used);

/* Copy a str object as WTF-8 to a buffer of cap bytes. Returns the bytes written, or -1 if it is
 * not a str. */
long python_str_read(const struct mem_reader *mem, const struct probe_layout *l, raddr object,
		     char *to, size_t cap);

/* Name of a Python thread (threading._active: Thread._name), by native thread id or ident, read
 * without stopping anything. Returns false if it could not be read consistently. *active caches the
 * address of threading._active, 0 not known yet; finding it is most of the work, and it seldom
 * moves. active may be NULL. */
bool python_thread_name(const struct mem_reader *mem, const struct python_runtime *rt,
			uint64_t ident, uint64_t *active, char *to, size_t cap);

/* Folders like sys.prefix: the entries of sys.path and the folder of the `os` module, as WTF-8,
 * NUL-separated, with a double NUL at the end. Returns the bytes written, or -1. */
long python_sys_path_read(const struct mem_reader *mem, const struct python_runtime *rt, char *to,
			  size_t cap);
