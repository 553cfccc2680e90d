/*
 * names: texts for people: str objects, the names of threads, the folders that modules come from.
 * See python.h.
 */
#include <string.h>

#include "python/object.h"
#include "python/python.h"

long python_str_read(const struct mem_reader *mem, const struct probe_layout *l, raddr object,
		     char *to, size_t cap)
{
	const struct object_view v = { .mem = mem, .layout = l };
	return object_text(&v, object.v, to, cap);
}

static struct object_view view_of(const struct mem_reader *mem, const struct python_runtime *rt)
{
	return (struct object_view){ .mem = mem, .layout = &rt->layout, .row = rt->row };
}

static bool main_interpreter(const struct mem_reader *mem, const struct python_runtime *rt,
			     uint64_t *ret)
{
	return mem_read_u64(mem, RADDR(rt->layout.runtime + rt->row->runtime_interpreters_main),
			    ret) &&
	       *ret;
}

/* The dict of an imported module of the main interpreter, 0 if there is none. */
static uint64_t module_dict(const struct object_view *v, const struct python_runtime *rt,
			    const char *name)
{
	uint64_t interpreter, modules, dict;
	if (!main_interpreter(v->mem, rt, &interpreter) ||
	    !mem_read_u64(v->mem, RADDR(interpreter + rt->interp_modules), &modules) || !modules)
		return 0;
	uint64_t module = object_dict_get(v, modules, name);
	return module && mem_read_u64(v->mem, RADDR(module + v->layout->module_dict), &dict) ? dict
											     : 0;
}

struct thread_search {
	const struct object_view *v;
	uint64_t id, thread;
};

/* threading._active is {ident: Thread}. */
static bool thread_visit(void *arg, uint64_t key, uint64_t value)
{
	struct thread_search *s = arg;
	uint64_t ident, native;
	uint64_t attribute;
	if ((object_int(s->v, key, &ident) && ident == s->id) ||
	    ((attribute = object_attribute(s->v, value, "_native_id")) &&
	     object_int(s->v, attribute, &native) && native == s->id)) {
		s->thread = value;
		return false;
	}
	return true;
}

bool python_thread_name(const struct mem_reader *mem, const struct python_runtime *rt,
			uint64_t ident, uint64_t *active, char *to, size_t cap)
{
	struct object_view v = view_of(mem, rt);
	struct thread_search s = { .v = &v, .id = ident };
	uint64_t at = active ? *active : 0, dict;
	if (!at) {
		dict = module_dict(&v, rt, "threading");
		at = dict ? object_dict_get(&v, dict, "_active") : 0;
	}
	bool ok = at && object_dict_each(&v, at, thread_visit, &s);
	if (active)
		*active = ok ? at : 0;
	if (!cap || !ok || !s.thread)
		return false;
	uint64_t name = object_attribute(&v, s.thread, "_name");
	long n = name ? object_text(&v, name, to, cap - 1) : -1;
	if (n < 0)
		return false;
	to[n] = 0;
	return true;
}

long python_sys_path_read(const struct mem_reader *mem, const struct python_runtime *rt, char *to,
			  size_t cap)
{
	struct object_view v = view_of(mem, rt);
	uint64_t interpreter, sysdict, array, count, item;
	size_t n = 0;
	if (cap < 2 || !main_interpreter(mem, rt, &interpreter) ||
	    !mem_read_u64(mem, RADDR(interpreter + rt->interp_sysdict), &sysdict))
		return -1;
	uint64_t path = object_dict_get(&v, sysdict, "path");
	if (!path || !object_items(&v, path, &array, &count))
		return -1;
	/* Each text needs its NUL, and one more NUL ends the list. A text that does not fit is left
	 * out. */
	for (uint64_t i = 0; i < count && i < 1000 && n + 2 < cap; i++) {
		if (!mem_read_u64(mem, RADDR(array + i * 8), &item))
			break;
		long m = object_text(&v, item, to + n, cap - 2 - n);
		if (m > 0 && (size_t)m < cap - 2 - n && !memchr(to + n, 0, (size_t)m)) {
			n += (size_t)m;
			to[n++] = 0;
		}
	}
	uint64_t os = module_dict(&v, rt, "os"),
		 file = os ? object_dict_get(&v, os, "__file__") : 0;
	if (file && n + 2 < cap) {
		long m = object_text(&v, file, to + n, cap - 2 - n);
		size_t n_folder = m > 0 && (size_t)m < cap - 2 - n ? (size_t)m : 0;
		while (n_folder > 0 && to[n + n_folder - 1] != '/')
			n_folder--;
		if (n_folder > 1) { /* without the slash */
			n += n_folder - 1;
			to[n++] = 0;
		}
	}
	to[n++] = 0;
	return (long)n;
}
