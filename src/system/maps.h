/*
 * maps: the mappings of a process, and the ELF modules among them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/mem_read.h"
#include "python/python.h"

struct err;

struct mapping {
	uint64_t start, end; /* half open */
	uint64_t offset;     /* of start in the file, bytes */
	uint64_t dev, inode; /* dev as makedev(3) makes it; inode 0: no file */
	bool read, write, exec, shared;
	bool deleted; /* the file was unlinked; path has no " (deleted)" */
	/* "" if none; "[heap]", "[vdso]"…; \012 is decoded. Borrowed from the maps */
	const char *path;
};

struct maps {
	struct mapping *v; /* ascending */
	size_t n;
	struct elf_module *modules; /* ascending; empty until maps_find_modules() */
	size_t n_modules;
	size_t n_skipped; /* malformed lines */
	struct maps_private *own;
};

/* Parse the text of /proc/PID/maps; malformed lines are skipped and counted. ERR_NO_MEMORY. */
MUST_CHECK struct err *maps_parse(const char *text, size_t n_bytes, struct maps **ret);

/* Read and parse /proc/PID/maps. ERR_TARGET_GONE, ERR_DENIED, ERR_NOT_FOUND (a process without
 * memory: a zombie, a kernel thread), ERR_NO_MEMORY. */
MUST_CHECK struct err *maps_read(pid_t pid, struct maps **ret);

/* Fill modules[]: a readable mapping of a file's start that holds an ELF header begins a module,
 * unless an earlier module spans it. The vdso counts as a module too. */
MUST_CHECK struct err *maps_find_modules(struct maps *m, const struct mem_reader *mem);

/* The mapping that holds an address, or NULL. */
const struct mapping *maps_find(const struct maps *m, raddr address);
/* One more owner: each calls maps_destroy(). Returns m. */
struct maps *maps_ref(struct maps *m);
void maps_destroy(struct maps *m); /* NULL is fine */
DEFINE_CLEANUP(maps);
