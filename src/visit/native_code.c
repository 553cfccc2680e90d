/*
 * native_code: see native_code.h.
 */
#include "visit/native_code.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "probe/abi.h"
#include "python/python.h"
#include "system/maps.h"
#include "system/proc_file.h"
#include "visit/remote_target.h"
#include "visit/threads.h"

enum { NODES_MAX = 20000, NAMESPACES_MAX = 17, THREADS_MAX = 64, LOOKS = 3, LOOK_MS = 5 };

struct target {
	pid_t pid;
	const struct mem_reader *mem;
	const struct maps *maps;
	/* entries of module lists read so far; the target writes these lists, so they may be
	 * endless */
	unsigned n_nodes;
};

static bool covers(const struct elf_module *m, uint64_t at)
{
	return at >= m->start.v && at < m->end.v;
}

static const struct elf_module *module_of(const struct maps *maps, uint64_t at)
{
	for (size_t i = 0; i < maps->n_modules; i++)
		if (covers(&maps->modules[i], at))
			return &maps->modules[i];
	return NULL;
}

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static struct err *translated(pid_t pid, const char *what)
{
	char exe[256];
	if (proc_link_read(pid, "exe", exe, sizeof(exe)) <= 0)
		snprintf(exe, sizeof(exe), "its program");
	struct err *err = err_create(ERR_UNSUPPORTED,
				     "a translator of instructions runs it (%s): the processor "
				     "executes code of %s, not the code that is mapped",
				     what, exe);
	/* otherwise it is the static out-of-memory error, which must not be changed */
	if (err->code == ERR_UNSUPPORTED)
		err->sys = ENOEXEC;
	return err_with_hint(
	    err, "run Python itself, without %s (valgrind, qemu-user and the like), to watch it",
	    file_name(exe));
}

static struct err *check_machine(pid_t pid, const struct mem_reader *mem,
				 const struct elf_module *module)
{
	Elf64_Ehdr eh;
	char what[64];
	if (!mem_read(mem, module->start, &eh, sizeof(eh)) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_machine == ARCH_E_MACHINE)
		return NULL;
	snprintf(what, sizeof(what), "Python is code of another processor (ELF machine %u)",
		 eh.e_machine);
	return translated(pid, what);
}

static const char *find_32bit(const struct mem_reader *mem, const struct maps *maps)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct mapping *m = &maps->v[i];
		const char *name = file_name(m->path);
		unsigned char ident[EI_NIDENT];
		if (m->inode && !m->offset &&
		    (strncmp(name, "python", 6) == 0 || strncmp(name, "libpython", 9) == 0) &&
		    mem_read(mem, RADDR(m->start), ident, sizeof(ident)) &&
		    memcmp(ident, ELFMAG, SELFMAG) == 0 && ident[EI_CLASS] == ELFCLASS32)
			return m->path;
	}
	return NULL;
}

/* ---- text ---- */

/* Is a function that every runtime has in executable memory? ld.so maps a whole file before it sets
 * the rights of its segments, so a "no" is checked twice. */
static bool text_is_executable(const struct target *t, uint64_t function)
{
	const struct mapping *m = maps_find(t->maps, RADDR(function));
	if (!m || m->exec)
		return true;
	CLEANUP(maps) struct maps *again = NULL;
	poll(NULL, 0, LOOK_MS);
	struct err *err = maps_read(t->pid, &again);
	m = err ? NULL : maps_find(again, RADDR(function));
	err_destroy(err);
	return !m || m->exec;
}

/* ---- loader ---- */

/* Does a list of modules, starting at `first`, contain the module with this load bias? */
static bool list_holds(struct target *t, uint64_t first, const struct elf_module *m)
{
	struct link_map map;
	for (; first && t->n_nodes < NODES_MAX;
	     t->n_nodes++, first = (uint64_t)(uintptr_t)map.l_next) {
		if (!mem_read(t->mem, RADDR(first), &map, sizeof(map)))
			return false;
		if ((uint64_t)map.l_addr == m->base.v && covers(m, (uint64_t)(uintptr_t)map.l_ld))
			return true;
	}
	return false;
}

/* The address of a loader's struct r_debug; 0: the module is not a loader. */
static uint64_t debug_of(const struct target *t, const struct elf_module *loader)
{
	raddr at;
	uint64_t size, where = 0;
	if (elf_symbol_find(t->mem, loader, "_r_debug", &at, &size))
		return at.v;
	if (elf_symbol_find(t->mem, loader, "_dl_debug_addr", &at, &size) &&
	    mem_read_u64(t->mem, at, &where))
		return where;
	return 0;
}

/* Has this loader loaded that module? From version 2 on, a list for each namespace of dlmopen(3)
 * follows (glibc 2.35 <link.h>, struct r_debug_extended). */
static bool has_loaded(struct target *t, const struct elf_module *loader,
		       const struct elf_module *m)
{
	struct {
		struct r_debug base;
		uint64_t next;
	} debug;
	uint64_t at = debug_of(t, loader);
	for (unsigned i = 0; at && i < NAMESPACES_MAX; i++) {
		debug.next = 0;
		if (!mem_read(t->mem, RADDR(at), &debug.base, sizeof(debug.base)) ||
		    !debug.base.r_version)
			return false;
		if (list_holds(t, (uint64_t)(uintptr_t)debug.base.r_map, m))
			return true;
		if (debug.base.r_version < 2 || !mem_read(t->mem, RADDR(at), &debug, sizeof(debug)))
			return false;
		at = debug.next;
	}
	return false;
}

static bool is_called_loader(const struct elf_module *m)
{
	const char *name = file_name(m->path);
	return strncmp(name, "ld-", 3) == 0 || strncmp(name, "ld.so", 5) == 0 ||
	       strncmp(name, "libc.musl", 9) == 0 ||
	       (strncmp(name, "libc.so", 7) == 0 && strstr(m->path, "musl"));
}

/* The loader that has loaded Python although the kernel started another program; NULL: none.
 * *ret_is_foreign: there is one, or Python is a program without a loader and not the one that was
 * started. */
static const struct elf_module *foreign_loader(struct target *t, const struct elf_module *python,
					       bool *ret_is_foreign)
{
	uint64_t headers = proc_auxv_value(t->pid, AT_PHDR),
		 base = proc_auxv_value(t->pid, AT_BASE);
	const struct elf_module *program = headers ? module_of(t->maps, headers) : NULL;
	const struct elf_module *own = base ? module_of(t->maps, base) : program, *foreign = NULL;
	*ret_is_foreign = false;
	if (!program || program->start.v == python->start.v)
		return NULL;
	for (size_t i = 0; i < t->maps->n_modules && !foreign; i++) {
		const struct elf_module *m = &t->maps->modules[i];
		if (m != own && is_called_loader(m) && has_loaded(t, m, python))
			foreign = m;
	}
	if (foreign && own && has_loaded(t, own, python))
		foreign = NULL;
	/* Without a loader, the kernel's program cannot have loaded another one. */
	*ret_is_foreign = foreign ||
			  (!base && elf_is_executable(t->mem, python) && !debug_of(t, program));
	return foreign;
}

/* ---- threads ---- */

enum place { PLACE_UNKNOWN, PLACE_FOREIGN, PLACE_FILE, PLACE_NO_FILE };

/* Is this memory of one of our probes? A thread may wait in it. */
static bool is_probe(const struct target *t, const struct mapping *m)
{
	uint64_t magic = 0;
	return m->start > PROBE_BLOB_OFF &&
	       mem_read_u64(t->mem, RADDR(m->start - PROBE_BLOB_OFF), &magic) &&
	       magic == PROBE_MAGIC;
}

/* From what memory did a thread make the system call that it waits in? */
static enum place place_of(struct target *t, pid_t tid, const struct elf_module *foreign,
			   const struct elf_module *python)
{
	struct thread_place at;
	if (!thread_place_read(t->pid, tid, &at) || at.syscall < 0)
		return PLACE_UNKNOWN;
	const struct mapping *m = maps_find(t->maps, RADDR(at.pc));
	const struct elf_module *module = module_of(t->maps, at.pc);
	if (!m || !m->exec || m->path[0] == '[')
		return PLACE_UNKNOWN;
	if (module && (module == foreign || module->start.v == python->start.v ||
		       (foreign && has_loaded(t, foreign, module))))
		return PLACE_FOREIGN;
	/* the files of memfd_create(2) and /dev/zero are always deleted */
	bool has_file = m->inode && !m->deleted && !m->shared;
	if (module || has_file || is_probe(t, m))
		return PLACE_FILE;
	return PLACE_NO_FILE;
}

/* Count the threads that wait at each kind of place; stop when one at `enough` is found. */
static void places_count(struct target *t, const struct elf_module *foreign,
			 const struct elf_module *python, enum place enough,
			 unsigned n[PLACE_NO_FILE + 1])
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", (int)t->pid);
	DIR *dir = opendir(path);
	unsigned n_threads = 0;
	for (struct dirent *e;
	     dir && !n[enough] && n_threads < THREADS_MAX && (e = readdir(dir));) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		if (tid <= 0)
			continue;
		n[place_of(t, tid, foreign, python)]++;
		n_threads++;
	}
	if (dir)
		closedir(dir);
}

/* Does every system call come from memory without a file, in several looks? A thread that is
 * running proves nothing. */
static bool runs_from_cache(struct target *t, const struct elf_module *python)
{
	enum { SIGHTINGS = 3, LOOKS_BLIND = 2, LOOKS_MAX = 20 };
	unsigned n[PLACE_NO_FILE + 1] = { 0 }, n_seen = 0;
	for (unsigned look = 0; look < (n_seen ? LOOKS_MAX : LOOKS_BLIND) && n_seen < SIGHTINGS;
	     look++) {
		if (look)
			poll(NULL, 0, LOOK_MS);
		n[PLACE_NO_FILE] = 0;
		places_count(t, NULL, python, PLACE_FILE, n);
		if (n[PLACE_FILE] || n[PLACE_FOREIGN])
			return false;
		n_seen += n[PLACE_NO_FILE] > 0;
	}
	return n_seen == SIGHTINGS;
}

static struct err *check_native(pid_t pid, const struct mem_reader *mem, const struct maps *maps,
				const struct python_runtime *rt)
{
	struct target t = { .pid = pid, .mem = mem, .maps = maps };
	struct err *err = check_machine(pid, mem, &rt->module);
	if (err)
		return err;
	if (!text_is_executable(&t, rt->layout.fn_neutral))
		return translated(pid, "Python's code is not mapped as code");
	bool is_foreign;
	const struct elf_module *foreign = foreign_loader(&t, &rt->module, &is_foreign);
	unsigned n[PLACE_NO_FILE + 1] = { 0 };
	for (unsigned look = 0; is_foreign && !n[PLACE_FOREIGN] && look < LOOKS; look++) {
		if (look)
			poll(NULL, 0, LOOK_MS);
		places_count(&t, foreign, &rt->module, PLACE_FOREIGN, n);
	}
	if (is_foreign && !n[PLACE_FOREIGN])
		return translated(
		    pid,
		    foreign
			? "Python was loaded by another loader than the one that the kernel started"
			: "Python is not the program that the kernel started, and was not loaded "
			  "by it");
	if (!is_foreign && runs_from_cache(&t, &rt->module))
		return translated(pid, "its system calls come from memory that belongs to no file");
	return NULL;
}

struct err *runtime_find(pid_t pid, const struct mem_reader *mem, const struct maps *maps, size_t i,
			 struct python_runtime *ret)
{
	struct python_runtime rt;
	struct err *err = python_runtime_find(mem, &maps->modules[i], &rt);
	if (!err)
		err = check_native(pid, mem, maps, &rt);
	/* the error for code of another processor explains nothing */
	else if (err->code == ERR_UNSUPPORTED) {
		struct err *better = check_machine(pid, mem, &maps->modules[i]);
		if (better) {
			err_destroy(err);
			err = better;
		}
	}
	if (!err)
		*ret = rt;
	return err;
}

struct err *runtimes_find_none(pid_t pid, const struct mem_reader *mem, const struct maps *maps)
{
	const char *path = find_32bit(mem, maps);
	if (path)
		return err_with_hint(err_create(ERR_UNSUPPORTED, "it runs 32-bit code (%s)", path),
				     "auditview watches 64-bit Pythons (" ARCH_NAME ") only");
	return err_with_hint(
	    err_create(
		ERR_NOT_PYTHON,
		"process %d is not a Python process: none of its %zu modules exports _PyRuntime",
		(int)pid, maps->n_modules),
	    "auditview alone shows the Python processes running here");
}
