/*
 * remote_target: see remote_target.h.
 */
#include "visit/remote_target.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/proc_status.h"
#include "python/python.h"
#include "system/maps.h"
#include "system/remote_io.h"
#include "system/remote_mem.h"
#include "visit/remote_place.h"

/* One look-up for a rare case: is a file still mapped at exactly this range? (proc(5),
 * map_files) */
static bool is_mapped_so(pid_t pid, const struct mapping *m)
{
	char path[96];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)pid,
		 (unsigned long long)m->start, (unsigned long long)m->end);
	struct remote_io io = remote_io_of(pid);
	if (remote_io_lstat(&io, path, &st) == 0)
		return true;
	pid_t tid = proc_living_thread(pid);
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)tid,
		 (unsigned long long)m->start, (unsigned long long)m->end);
	return tid && tid != pid && remote_io_lstat(&io, path, &st) == 0;
}

/* dlclose and dlopen put other things where a module was, or the same parts with other rights for a
 * while. */
struct err *remote_target_check(const struct remote_target *t)
{
	CLEANUP(maps) struct maps *now = NULL;
	struct err *err = NULL;
	const struct elf_module *module = t->fleeting ? t->fleeting : t->unloadable;
	for (size_t i = 0; !err && module && i < t->maps->n; i++) {
		const struct mapping *was = &t->maps->v[i], *is;
		bool concerned = was->start >= module->start.v && was->start < module->end.v &&
				 (was->exec || was->write);
		if (!concerned &&
		    (!t->place || !(was->start <= t->place->code.v && t->place->code.v < was->end)))
			continue;
		if (!t->fleeting && (!was->exec || !was->inode || is_mapped_so(t->pid, was)))
			continue;
		err = now ? NULL : maps_read(t->pid, &now);
		is = now ? maps_find(now, RADDR(was->start)) : NULL;
		if (!err && (!is || is->start != was->start || is->end != was->end ||
			     is->inode != was->inode || is->dev != was->dev ||
			     is->exec != was->exec || is->write != was->write))
			err = err_create(ERR_BUSY, "process %d is unloading %s", (int)t->pid,
					 module->path);
	}
	if (!err && t->to_link) {
		struct python_runtime again = *t->to_link;
		python_runtime_refresh(remote_mem_reader(t->mem), &again);
		if (again.is_finalising)
			err = err_create(ERR_BUSY, "the interpreter of process %d is ending",
					 (int)t->pid);
	}
	return err;
}
