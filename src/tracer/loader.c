/*
 * loader: see loader.h.
 */
#include "tracer/loader.h"

#include <elf.h>
#include <string.h>

#include "python/python.h"
#include "tracer/maps.h"
#include "tracer/procs.h"
#include "tracer/remote_mem.h"

struct err *loader_find(pid_t pid, struct loader *ret)
{
	struct remote_mem *mem = NULL;
	CLEANUP(maps) struct maps *maps = NULL;
	uint64_t base = proc_auxv_value(pid, AT_BASE);
	*ret = (struct loader){ 0 };
	struct err *err = remote_mem_open(pid, &mem);
	if (!err)
		err = maps_read(pid, &maps);
	if (!err)
		err = maps_find_modules(maps, remote_mem_reader(mem));
	for (size_t i = 0; !err && i < maps->n_modules; i++) {
		const struct elf_module *m = &maps->modules[i];
		raddr at;
		uint64_t size;
		/* At this moment there are only the program and its loader. Each loader has a function for debuggers. */
		if (base ? m->start.v != base : !elf_symbol_find(remote_mem_reader(mem), m, "_dl_debug_state", &at, &size))
			continue;
		ret->start = m->start.v;
		ret->end = m->end.v;
		if (elf_symbol_find(remote_mem_reader(mem), m, "_dl_debug_addr", &at, &size))
			ret->debug = at.v;
	}
	for (size_t i = 0; !err && i < maps->n; i++)
		if (strcmp(maps->v[i].path, "[vdso]") == 0) {
			ret->vdso_start = maps->v[i].start;
			ret->vdso_end = maps->v[i].end;
		}
	remote_mem_close(mem);
	return err;
}

static bool is_ready_for_debuggers(pid_t pid, uint64_t debug)
{
	struct remote_mem *mem = NULL;
	uint64_t at;
	int version = 0;
	struct err *err = remote_mem_open(pid, &mem);
	bool ready = !err && remote_mem_read(mem, RADDR(debug), &at, sizeof(at)) &&
		     remote_mem_read(mem, RADDR(at), &version, sizeof(version)) && version != 0;
	err_destroy(err);
	remote_mem_close(mem);
	return ready;
}

bool loader_is_past(const struct loader *l, pid_t pid, uint64_t pc)
{
	if (pc >= l->vdso_start && pc < l->vdso_end)
		return false;
	if (pc < l->start || pc >= l->end)
		return true;
	return l->debug && is_ready_for_debuggers(pid, l->debug);
}
