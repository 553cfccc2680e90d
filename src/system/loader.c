/*
 * loader: see loader.h.
 */
#include "system/loader.h"
#include "arch/arch.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "python/python.h"
#include "system/maps.h"
#include "system/proc_file.h"
#include "system/procs.h"
#include "system/remote_mem.h"

struct err *loader_find(pid_t pid, struct loader *ret)
{
	struct remote_mem *mem;
	CLEANUP(maps) struct maps *maps = NULL;
	uint64_t base = proc_auxv_value(pid, AT_BASE);
	*ret = (struct loader){ 0 };
	struct err *err = proc_examine(pid, &maps, &mem);
	for (size_t i = 0; !err && i < maps->n_modules; i++) {
		const struct elf_module *m = &maps->modules[i];
		raddr at;
		uint64_t size;
		/* At this moment only the program and its loader are mapped. Each loader has a
		 * function for debuggers, but a statically linked program may have one too (glibc's
		 * libc.a does). */
		if (base ? m->start.v != base
			 : elf_is_executable(remote_mem_reader(mem), m) ||
			       !elf_symbol_find(remote_mem_reader(mem), m, "_dl_debug_state", &at,
						&size))
			continue;
		ret->start = m->start.v;
		ret->end = m->end.v;
		if (elf_symbol_find(remote_mem_reader(mem), m, "_r_debug", &at, &size))
			ret->debug = at.v;
		else if (elf_symbol_find(remote_mem_reader(mem), m, "_dl_debug_addr", &at, &size))
			ret->debug_at = at.v;
	}
	for (size_t i = 0; !err && i < maps->n; i++)
		if (strcmp(maps->v[i].path, "[vdso]") == 0) {
			ret->vdso_start = maps->v[i].start;
			ret->vdso_end = maps->v[i].end;
		}
	remote_mem_close(mem);
	return err;
}

static bool is_complete(const struct loader *l, pid_t pid)
{
	struct remote_mem *mem = NULL;
	struct r_debug debug = { .r_version = 0 };
	uint64_t at = l->debug;
	struct err *err = remote_mem_open(pid, &mem);
	bool is_read = !err &&
		       (!l->debug_at ||
			remote_mem_read(mem, RADDR(l->debug_at), &at, sizeof(at))) &&
		       remote_mem_read(mem, RADDR(at), &debug, sizeof(debug));
	err_destroy(err);
	remote_mem_close(mem);
	return is_read && debug.r_version && debug.r_state == RT_CONSISTENT;
}

bool loader_is_at_rest(pid_t pid)
{
	struct loader l;
	struct err *err = loader_find(pid, &l);
	bool can_tell = !err && (l.debug || l.debug_at);
	err_destroy(err);
	return !can_tell || is_complete(&l, pid);
}

static bool is_in(uint64_t at, uint64_t start, uint64_t end)
{
	return at >= start && at < end;
}

enum loader_stage loader_stage(const struct loader *l, pid_t pid, const struct arch_regs *regs,
			       uint64_t first_arg)
{
	uint64_t pc = arch_pc(regs);
	bool by_loader = is_in(pc, l->start, l->end), is_libc = l->debug_at;
	if (is_in(pc, l->vdso_start, l->vdso_end))
		return LOADER_WORKS;
	if (by_loader ? is_libc && is_complete(l, pid)
		      : (!l->debug && !l->debug_at) || is_complete(l, pid))
		return LOADER_DONE;
	bool protects = arch_call(regs) == SYS_mprotect && arch_call_arg(regs, 2) == PROT_READ &&
			arch_thread_pointer(regs);
	return !by_loader || (protects && (is_libc || is_in(first_arg, l->start, l->end)))
		   ? LOADER_RELOCATED
		   : LOADER_WORKS;
}

uint64_t loader_debug_state(pid_t pid)
{
	struct remote_mem *mem;
	CLEANUP(maps) struct maps *maps = NULL;
	uint64_t found = 0, base = proc_auxv_value(pid, AT_BASE),
		 in = base ? base : proc_auxv_value(pid, AT_PHDR);
	struct err *err = proc_examine(pid, &maps, &mem);
	for (size_t i = 0; !err && !found && i < maps->n_modules; i++) {
		raddr at;
		uint64_t size;
		/* other modules may have a function of that name */
		if (in < maps->modules[i].start.v || in >= maps->modules[i].end.v)
			continue;
		if (elf_symbol_find(remote_mem_reader(mem), &maps->modules[i], "_dl_debug_state",
				    &at, &size))
			found = at.v;
	}
	err_destroy(err);
	remote_mem_close(mem);
	return found;
}
