/*
 * modules: see modules.h.
 *
 * Neighbouring mappings of one file belong to one module. A mapping of offset 0 starts a new module
 * if its file differs from the previous mapping's, or if the previous mapping was of a later part
 * (the same library loaded twice by dlmopen).
 */
#include "stacks/modules.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc_status.h"
#include "base/vec.h"
#include "system/remote_io.h"

struct range {
	uint64_t start, end;
};

struct modules {
	pid_t pid;
	const struct mem_reader *mem;
	struct image_store *store;
	VEC(struct module *) modules; /* ascending, disjoint */
	VEC(struct range) executable; /* ascending, disjoint */
	struct range former[64];      /* was executable once; a ring buffer */
	uint32_t n_former;            /* number of former ranges ever added */
	uint32_t next_id;
	struct module *last; /* the module found last */
};

struct err *modules_create(pid_t pid, const struct mem_reader *mem, struct image_store *store,
			   struct modules **ret)
{
	struct modules *m = calloc(1, sizeof(*m));
	if (!m)
		return err_no_memory();
	m->pid = pid;
	m->mem = mem;
	m->store = store;
	m->next_id = 1;
	*ret = m;
	return NULL;
}

static void module_destroy(struct modules *m, struct module *module)
{
	image_unref(m->store, module->image);
	free(module->path);
	free(module);
}

void modules_destroy(struct modules *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->modules.n; i++)
		module_destroy(m, m->modules.v[i]);
	vec_fini(&m->modules);
	vec_fini(&m->executable);
	free(m);
}

/* ---- the list ---- */

static bool is_vdso(const struct mapping *l)
{
	return !strcmp(l->path, "[vdso]");
}

static bool same_path(const struct module *module, const struct mapping *l)
{
	return !strcmp(module->path, l->path);
}

static struct module *module_create(struct modules *m, const struct mapping *l)
{
	struct module *module = calloc(1, sizeof(*module));
	if (!module)
		return NULL;
	module->path = strdup(l->path);
	if (!module->path) {
		free(module);
		return NULL;
	}
	const char *slash = strrchr(module->path, '/');
	module->name = slash ? slash + 1 : module->path;
	module->start = l->start;
	module->end = module->first_end = l->end;
	module->dev = l->dev;
	module->inode = l->inode;
	module->is_deleted = l->deleted;
	module->id = m->next_id++;
	return module;
}

/* Find a module of the old list at the same place with the same file, and remove it from that
 * list. */
static struct module *take_old(struct modules *m, const struct mapping *l)
{
	for (size_t i = 0; i < m->modules.n; i++) {
		struct module *old = m->modules.v[i];
		if (old && old->start == l->start && old->dev == l->dev && old->inode == l->inode &&
		    same_path(old, l)) {
			m->modules.v[i] = NULL;
			old->end = old->first_end = l->end;
			old->is_deleted = l->deleted;
			return old;
		}
	}
	return NULL;
}

/* Remember a range that was executable and no longer is. */
static void note_former(struct modules *m, struct range old, const struct range *now, size_t n_now)
{
	for (size_t i = 0; i < n_now; i++)
		if (old.start < now[i].end && now[i].start < old.end)
			return;
	m->former[m->n_former++ % ARRAY_LEN(m->former)] = old;
}

struct err *modules_set_maps(struct modules *m, const struct maps *maps, bool *ret_lost,
			     bool *ret_new)
{
	VEC(struct module *) list = { 0 };
	VEC(struct range) executable = { 0 };
	struct module *current = NULL;
	uint64_t current_offset = 0, last_end = 0;
	bool came = false, lost = false, failed = false;
	uint32_t first_new = m->next_id;
	for (size_t i = 0; i < maps->n && !failed; i++) {
		const struct mapping *l = &maps->v[i];
		if (l->start < last_end)
			continue; /* overlapping: no kernel reports this */
		last_end = l->end;
		if (l->exec) {
			struct range *r = executable.n ? &executable.v[executable.n - 1] : NULL;
			if (r && r->end == l->start)
				r->end = l->end;
			else
				failed = !vec_push(&executable,
						   ((struct range){ l->start, l->end }));
		}
		if (!l->inode && !is_vdso(l))
			continue;
		bool same = current && current->dev == l->dev && current->inode == l->inode &&
			    same_path(current, l);
		if (same && !(l->offset == 0 && current_offset != 0)) {
			current->end = l->end;
			current_offset = l->offset;
			continue;
		}
		current = NULL;
		if (l->offset != 0 || failed)
			continue; /* a data file, or an image whose beginning is not mapped */
		current = take_old(m, l);
		if (!current)
			current = module_create(m, l);
		failed = !current || !vec_push(&list, current);
		current_offset = l->offset;
	}
	if (failed && current && (!list.n || list.v[list.n - 1] != current))
		module_destroy(m, current);
	for (size_t i = 0; i < m->modules.n; i++) {
		if (m->modules.v[i]) {
			lost = true;
			module_destroy(m, m->modules.v[i]);
		}
	}
	vec_fini(&m->modules);
	came = m->next_id != first_new || executable.n != m->executable.n;
	for (size_t i = 0; !came && i < executable.n; i++)
		came = executable.v[i].start != m->executable.v[i].start ||
		       executable.v[i].end != m->executable.v[i].end;
	for (size_t i = 0; i < m->executable.n; i++)
		note_former(m, m->executable.v[i], executable.v, executable.n);
	vec_fini(&m->executable);
	m->modules.v = list.v, m->modules.n = list.n, m->modules.cap = list.cap;
	m->executable.v = executable.v, m->executable.n = executable.n,
	m->executable.cap = executable.cap;
	m->last = NULL;
	if (ret_lost)
		*ret_lost = lost;
	if (ret_new)
		*ret_new = came;
	return failed ? err_no_memory() : NULL;
}

struct err *modules_refresh(struct modules *m, bool *ret_lost, bool *ret_new)
{
	CLEANUP(maps) struct maps *maps = NULL;
	struct err *err = maps_read(m->pid, &maps);
	return err ? err : modules_set_maps(m, maps, ret_lost, ret_new);
}

struct err *modules_copy(struct modules *m, const struct modules *from)
{
	if (!vec_reserve(&m->modules, from->modules.n) ||
	    !vec_reserve(&m->executable, from->executable.n))
		return err_no_memory();
	for (size_t i = 0; i < from->modules.n; i++) {
		const struct module *old = from->modules.v[i];
		struct module *module = malloc(sizeof(*module));
		if (!module)
			return err_no_memory();
		*module = *old;
		module->path = strdup(old->path);
		if (!module->path) {
			free(module);
			return err_no_memory();
		}
		const char *slash = strrchr(module->path, '/');
		module->name = slash ? slash + 1 : module->path;
		module->id = m->next_id++;
		module->image = NULL;
		module->tried = false;
		m->modules.v[m->modules.n++] = module;
	}
	for (size_t i = 0; i < from->executable.n; i++)
		m->executable.v[m->executable.n++] = from->executable.v[i];
	modules_adopt_images(m, from);
	return NULL;
}

/* Both lists ascend. An image that was read from memory is that of the other process. */
void modules_adopt_images(struct modules *m, const struct modules *from)
{
	size_t k = 0;
	for (size_t i = 0; i < m->modules.n; i++) {
		struct module *module = m->modules.v[i];
		while (k < from->modules.n && from->modules.v[k]->start < module->start)
			k++;
		if (k == from->modules.n)
			return;
		const struct module *other = from->modules.v[k];
		if (module->tried || other->start != module->start || other->dev != module->dev ||
		    other->inode != module->inode || strcmp(other->path, module->path) != 0 ||
		    !other->image || other->image->fd < 0)
			continue;
		module->image = other->image;
		module->image->n_refs++;
		module->bias = other->bias;
		module->tried = true;
	}
}

/* ---- look-ups ---- */

struct module *modules_find(struct modules *m, uint64_t pc)
{
	size_t low = 0, high = m->modules.n;
	if (m->last && pc >= m->last->start && pc < m->last->end)
		return m->last;
	while (low < high) { /* find the first module that starts behind pc */
		size_t mid = low + (high - low) / 2;
		if (m->modules.v[mid]->start <= pc)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || pc >= m->modules.v[low - 1]->end)
		return NULL;
	return m->last = m->modules.v[low - 1];
}

bool modules_is_executable(const struct modules *m, uint64_t pc)
{
	size_t low = 0, high = m->executable.n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (m->executable.v[mid].start <= pc)
			low = mid + 1;
		else
			high = mid;
	}
	return low && pc < m->executable.v[low - 1].end;
}

bool modules_was_executable(const struct modules *m, uint64_t pc)
{
	for (uint32_t i = 0; i < m->n_former && i < ARRAY_LEN(m->former); i++)
		if (pc >= m->former[i].start && pc < m->former[i].end)
			return true;
	return false;
}

/* Open the mapped file: through the mapping itself, through the target's root, or by name. -1 if
 * none of these is the mapped file. */
static int open_file(const struct modules *m, const struct module *module)
{
	char path[4200];
	struct stat st;
	struct remote_io io = { .pid = m->pid, .is_direct = true };
	if (m->pid)
		io = remote_io_of(m->pid);
	pid_t tid = m->pid ? proc_living_thread(m->pid) : 0;
	for (int attempt = 0; attempt < 3; attempt++) {
		if (attempt == 0)
			snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)tid,
				 (unsigned long long)module->start,
				 (unsigned long long)module->first_end);
		else if (attempt == 1)
			snprintf(path, sizeof(path), "/proc/%d/root%s", (int)tid, module->path);
		else
			snprintf(path, sizeof(path), "%s", module->path);
		int fd = remote_io_open_file(&io, path);
		if (fd < 0)
			continue;
		if (!fstat(fd, &st) && st.st_ino == module->inode)
			return fd;
		close(fd);
	}
	return -1;
}

struct image *module_image(struct modules *m, struct module *module)
{
	if (module->tried)
		return module->image;
	module->tried = true;
	int fd = module->inode && module->path[0] == '/' ? open_file(m, module) : -1;
	struct image *i = fd >= 0 ? image_of_file(m->store, fd, module->path) : NULL;
	/* If the memory cannot be read any more, the file is used unchecked: the target has gone,
	 * and its last records are being processed. It may go while the two are compared. */
	uint8_t probe;
	if (i && !image_matches_memory(i, m->mem, RADDR(module->start)) &&
	    mem_read(m->mem, RADDR(module->start), &probe, 1)) {
		image_unref(m->store, i);
		i = NULL;
	}
	if (!i)
		i = image_of_memory(m->mem, RADDR(module->start), module->path);
	if (i)
		i->store = m->store;
	if (i)
		module->bias = image_bias_at(i, RADDR(module->start));
	return module->image = i;
}

struct image_store *modules_images(const struct modules *m)
{
	return m->store;
}

const struct mem_reader *modules_memory(const struct modules *m)
{
	return m->mem;
}

pid_t modules_pid(const struct modules *m)
{
	return m->pid;
}

size_t modules_count(const struct modules *m)
{
	return m->modules.n;
}

struct module *modules_get(struct modules *m, size_t i)
{
	return m->modules.v[i];
}
