/*
 * audit_hooks: see audit_hooks.h.
 */
#include "stacks/audit_hooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "python/hook_list.h"
#include "python/layout.h"
#include "stacks/image.h"
#include "stacks/modules.h"
#include "stacks/symbols.h"

#define MAX_HOOKS        64
#define MAX_INTERPRETERS 256

/*
 * PyInterpreterState.audit_hooks, made by the compiler (offsetof) from the internal headers
 * of 3.8.18, 3.9.18, 3.10.13, 3.11.2, 3.11.7, 3.12.1, 3.12.10, 3.13.0, 3.13.15, 3.13.18, 3.14.10
 * and 3.15.2, each also with Py_DEBUG and, from 3.13, Py_GIL_DISABLED. It was the same in all micro
 * versions tried of a minor version.
 */
static const struct {
	uint8_t minor, free_threaded, debug_build;
	uint32_t off;
} offsets[] = {
	{ 8, 0, 0, 2704 },    { 8, 0, 1, 2704 },    { 9, 0, 0, 3536 },   { 9, 0, 1, 3536 },
	{ 10, 0, 0, 3504 },   { 10, 0, 1, 3504 },   { 11, 0, 0, 3552 },  { 11, 0, 1, 3552 },
	{ 12, 0, 0, 267208 }, { 12, 0, 1, 267208 }, { 13, 0, 0, 10808 }, { 13, 0, 1, 10816 },
	{ 13, 1, 0, 17440 },  { 13, 1, 1, 17504 },  { 14, 0, 0, 10912 }, { 14, 0, 1, 10920 },
	{ 14, 1, 0, 17336 },  { 14, 1, 1, 17344 },  { 15, 0, 0, 10888 }, { 15, 0, 1, 10896 },
	{ 15, 1, 0, 17288 },  { 15, 1, 1, 17296 },
};

typedef VEC(struct audit_hook) hook_vec;

/* ---- native ---- */

/* What is needed to name native code; opened when the first hook is found, because it reads
 * files. */
struct naming {
	struct image_store *store;
	struct modules *modules;
	struct symbols *symbols;
};

static void naming_open(struct naming *n, pid_t pid, const struct mem_reader *mem)
{
	struct err *err = NULL;
	struct symbols_options options = { .no_lines = true };
	n->store = image_store_create();
	if (!n->store)
		return;
	err = modules_create(pid, mem, n->store, &n->modules);
	if (!err)
		err = modules_refresh(n->modules, NULL, NULL);
	if (!err)
		err = symbols_create(n->modules, &options, &n->symbols);
	err_destroy(err); /* on failure hooks are shown by address */
}

static void naming_close(struct naming *n)
{
	symbols_destroy(n->symbols);
	modules_destroy(n->modules);
	image_store_destroy(n->store);
}

static void name_native(struct naming *n, struct audit_hook *h)
{
	struct symbol_info info;
	if (h->is_probe) {
		snprintf(h->name, sizeof(h->name), "auditview");
	} else if (n->symbols && symbols_resolve(n->symbols, h->address.v, h->address.v, &info)) {
		if (info.function && info.is_named)
			snprintf(h->name, sizeof(h->name), "%s", info.function);
		else
			snprintf(h->name, sizeof(h->name), "%s+%#llx",
				 info.module ? info.module : "?", (unsigned long long)info.offset);
		struct module *module = modules_find(n->modules, h->address.v);
		if (module)
			snprintf(h->place, sizeof(h->place), "%s", module->path);
	} else {
		snprintf(h->name, sizeof(h->name), "%#llx", (unsigned long long)h->address.v);
	}
}

static bool native_read(pid_t pid, const struct mem_reader *mem, const struct python_runtime *rt,
			hook_vec *to, bool *ret_short)
{
	struct hook_walk w = hook_walk_begin(mem, RADDR(rt->layout.audit_head), MAX_HOOKS);
	struct naming naming = { 0 };
	enum hook_step step;
	while ((step = hook_walk_next(&w)) == HOOK_ENTRY) {
		struct hook_entry entry;
		raddr base;
		if (w.n == 1)
			naming_open(&naming, pid, mem);
		if (!mem_read(mem, w.entry, &entry, sizeof(entry)))
			break;
		struct audit_hook hook = { .address = RADDR(entry.fn),
					   .data = RADDR(entry.user_data) };
		hook.is_probe = hook_is_probe(mem, &entry, &base);
		name_native(&naming, &hook);
		if (!vec_push(to, hook))
			*ret_short = true;
	}
	naming_close(&naming);
	return step == HOOK_END;
}

/* ---- Python ---- */

struct reader {
	const struct mem_reader *mem;
	const struct probe_layout *l;
};

static uint64_t word_at(const struct reader *r, uint64_t object, uint64_t off)
{
	uint64_t value = 0;
	if (!object || off == OFF_NONE || !mem_read_u64(r->mem, RADDR(object + off), &value))
		return 0;
	return value;
}

static bool text_at(const struct reader *r, uint64_t object, char *to, size_t cap)
{
	long n = object ? python_str_read(r->mem, r->l, RADDR(object), to, cap - 1) : -1;
	to[n > 0 ? n : 0] = 0;
	return n > 0;
}

static void join(char *to, size_t cap, const char *module, const char *name)
{
	snprintf(to, cap, "%s%s%s", module, *module ? "." : "", name);
}

static void name_function(const struct reader *r, uint64_t function, struct audit_hook *h)
{
	char name[128], module[64], file[224];
	if (!text_at(r, word_at(r, function, r->l->function_qualname), name, sizeof(name)) &&
	    !text_at(r, word_at(r, function, r->l->function_name), name, sizeof(name)))
		return;
	text_at(r, word_at(r, function, r->l->function_module), module, sizeof(module));
	join(h->name, sizeof(h->name), module, name);
	uint64_t code = word_at(r, function, r->l->function_code);
	uint32_t line;
	if (text_at(r, word_at(r, code, r->l->code_filename), file, sizeof(file)) &&
	    mem_read(r->mem, RADDR(code + r->l->code_firstlineno), &line, sizeof(line)))
		snprintf(h->place, sizeof(h->place), "%s:%u", file, line);
}

static void name_object(const struct reader *r, struct audit_hook *h)
{
	uint64_t object = h->address.v, type = word_at(r, object, r->l->ob_type);
	char text[128], module[64];
	if (type && type == r->l->type_function) {
		name_function(r, object, h);
	} else if (type && type == r->l->type_method) {
		name_function(r, word_at(r, object, r->l->method_function), h);
	} else if (type && type == r->l->type_cfunction) {
		uint64_t name = word_at(r, word_at(r, object, r->l->cfunction_ml), 0);
		text_at(r, word_at(r, object, r->l->cfunction_module), module, sizeof(module));
		if (mem_read_cstr(r->mem, RADDR(name), text, sizeof(text)))
			join(h->name, sizeof(h->name), module, text);
	}
	if (!h->name[0] &&
	    mem_read_cstr(r->mem, RADDR(word_at(r, type, r->l->tp_name)), text, sizeof(text)))
		snprintf(h->name, sizeof(h->name), "an instance of %s", text);
	if (!h->name[0])
		snprintf(h->name, sizeof(h->name), "object at %#llx", (unsigned long long)object);
}

static uint32_t offset_find(const struct probe_layout *l)
{
	for (size_t i = 0; i < ARRAY_LEN(offsets); i++)
		if (offsets[i].minor == l->minor && offsets[i].free_threaded == l->free_threaded &&
		    offsets[i].debug_build == (l->debug_build != 0))
			return offsets[i].off;
	return 0;
}

/* Read the list of one interpreter; false if the object there is not a list. */
static bool python_read_list(const struct reader *r, uint64_t interpreter, uint32_t off,
			     hook_vec *to, bool *ret_short)
{
	char type_name[8];
	uint64_t list, n, items, id = 0;
	if (!mem_read_u64(r->mem, RADDR(interpreter + off), &list))
		return false;
	if (!list)
		/* the list is created with the first hook (v3.8.0 Python/sysmodule.c,
		 * sys_addaudithook_impl) */
		return true;
	uint64_t type = word_at(r, list, r->l->ob_type);
	if (!mem_read_cstr(r->mem, RADDR(word_at(r, type, r->l->tp_name)), type_name,
			   sizeof(type_name)) ||
	    strcmp(type_name, "list") != 0)
		return false;
	n = word_at(r, list, r->l->ob_size);
	items = word_at(r, list, r->l->list_items);
	mem_read_u64(r->mem, RADDR(interpreter + r->l->interp_id), &id);
	for (uint64_t i = 0; i < n && i < MAX_HOOKS; i++) {
		struct audit_hook hook = { .is_python = true,
					   .interpreter = id,
					   .address = RADDR(word_at(r, items, 8 * i)) };
		name_object(r, &hook);
		if (!vec_push(to, hook))
			*ret_short = true;
	}
	return true;
}

static bool python_read(const struct mem_reader *mem, const struct python_runtime *rt, hook_vec *to,
			bool *ret_short)
{
	struct reader r = { mem, &rt->layout };
	uint32_t off = offset_find(&rt->layout);
	uint64_t interpreter;
	if (!off || !rt->row ||
	    !mem_read_u64(mem, RADDR(rt->layout.runtime + rt->row->runtime_interpreters_head),
			  &interpreter))
		return false;
	/* `next` is the first field until 3.12, then the one before `id` (v3.13.0
	 * Include/internal/pycore_interp.h). */
	uint64_t next_off = rt->layout.minor >= 13 ? rt->layout.interp_id - 8 : 0;
	for (unsigned i = 0; interpreter && i < MAX_INTERPRETERS; i++) {
		if (!python_read_list(&r, interpreter, off, to, ret_short))
			return false;
		interpreter = word_at(&r, interpreter, next_off);
	}
	return true;
}

struct err *audit_hooks_read(pid_t pid, const struct mem_reader *mem,
			     const struct python_runtime *rt, struct audit_hooks *ret)
{
	hook_vec list = { .v = ret->v, .n = ret->n, .cap = ret->n };
	bool is_short = false;
	ret->native_is_whole &= native_read(pid, mem, rt, &list, &is_short);
	ret->python_is_known &= python_read(mem, rt, &list, &is_short);
	ret->v = list.v;
	ret->n = list.n;
	return is_short ? err_no_memory() : NULL;
}

void audit_hooks_fini(struct audit_hooks *h)
{
	free(h->v);
	*h = (struct audit_hooks){ 0 };
}
