/*
 * programs: see programs.h. A file that was changed has another time of modification.
 */
#include "recorder/programs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "system/remote_io.h"

enum { PROGRAMS_MAX = 4096 };

static bool read_program(pid_t pid, struct program *ret)
{
	struct stat st;
	if (remote_io_stat_exe(pid, &st) < 0)
		return false;
	*ret = (struct program){ st.st_dev, st.st_ino, st.st_mtim, 0 };
	return true;
}

static struct program *find(const struct programs *p, pid_t pid)
{
	struct program program;
	if (!read_program(pid, &program))
		return NULL;
	for (size_t i = 0; i < p->known.n; i++) {
		struct program *k = &p->known.v[i];
		if (k->dev == program.dev && k->inode == program.inode &&
		    k->mtime.tv_sec == program.mtime.tv_sec &&
		    k->mtime.tv_nsec == program.mtime.tv_nsec)
			return k;
	}
	return NULL;
}

const struct program *programs_find(const struct programs *p, pid_t pid)
{
	return find(p, pid);
}

void programs_add(struct programs *p, pid_t pid, uint64_t debug_off)
{
	struct program program;
	if (p->known.n >= PROGRAMS_MAX || !read_program(pid, &program))
		return;
	program.debug_off = debug_off;
	if (!vec_push(&p->known, program))
		log_debug("no memory to remember the program of %d", (int)pid);
}

void programs_remove(struct programs *p, pid_t pid)
{
	struct program *known = find(p, pid);
	if (known)
		*known = p->known.v[--p->known.n];
}

void programs_fini(struct programs *p)
{
	vec_fini(&p->known);
}
