/*
 * task: see task.h. No reference is held, and nothing is believed to be where it was: an object is
 * reached from the thread state, from sys.modules, or from an object that holds a reference to it,
 * at each event anew, or a dict that has not changed since refers to it. An object is read as a
 * future or task of the C implementation only if it inherits from its type, which no Python code
 * can make or change.
 *
 * Most events have the task of the event before. That is known from a sum over what the record
 * would say: addresses do not show it, because those of a task and of its name are used again.
 *
 * Who waits for a future: 3.14 and later keep it in the future (v3.14.0 Modules/_asynciomodule.c,
 * fut_awaited_by). Before, and for the Python implementation, it follows from the callbacks:
 *
 *   task_wakeup, TaskWakeupMethWrapper, _PyTask.__wakeup     their task
 *   TaskGroup._on_task_done                                  the task of the group
 *   functions of gather(), shield(), wait(), wait_for()      the tasks that wait for the future
 *                                                            which they will make done
 *   task_done() of anyio's TaskGroup                         the task of the group
 */
#include "probe/task.h"

#include "base/value.h"
#include "probe_cpu.h"
#include "probe/attributes.h"
#include "probe/dict.h"
#include "probe/object.h"
#include "probe/parts.h"
#include "probe/serialise.h"

enum {
	NODES_MAX = 32,
	CALLBACKS_MAX = 32, /* of one future */
	CELLS_MAX = 16,     /* of one function */
	SET_SLOTS_MAX = 512,
	MODULES_MAX = 1 << 16,
	LOOPS_MAX = 4096,
	BASES_MAX = 16,
	LOCK_TURNS = 200,
};

enum node_kind {
	NODE_OTHER, /* an object of Python code: at most its attributes are read */
	NODE_FUTURE,
	NODE_TASK,
};

/* Futures and tasks, the running task first; the name of that one and of those that wait for it:
 * str, int, 0 if it cannot be read. */
struct nodes {
	uint64_t at[NODES_MAX], names[1 + TASK_WAITERS];
	uint8_t kind[NODES_MAX];
	bool is_task[NODES_MAX];
	uint32_t n, n_names;
};

/* The first field behind the head of an object. */
static inline uint64_t field_of(const struct probe_layout *l, uint64_t object, unsigned i)
{
	return rd64(object + l->ob_size + 8u * i);
}

/* Lock an object; false: another thread holds the lock for long. */
LANE_CODE static __attribute__((noinline)) bool lock_object(struct out *o, uint64_t object)
{
	for (uint32_t i = 0; i < LOCK_TURNS; i++) {
		if (serialise_lock(o, object))
			return true;
		cpu_relax();
	}
	return false;
}

static inline bool lock(struct out *o, uint64_t object)
{
	return !o->ctx->layout.free_threaded || lock_object(o, object);
}

LANE_CODE static enum node_kind kind_of(const struct probe_layout *l, uint64_t object)
{
	uint64_t type = object ? type_of(l, object) : 0;
	for (uint32_t i = 0; type && i < BASES_MAX; i++, type = rd64(type + l->tp_base)) {
		uint32_t flags = type_flags(l, type);
		uint64_t size = rd64(type + l->tp_basicsize), name = rd64(type + l->tp_name);
		if (!name || (flags & TPFLAGS_HEAPTYPE && !(flags & TPFLAGS_IMMUTABLETYPE)))
			continue;
		if (size == l->tasks.task_bytes && IS_CSTR(name, "_asyncio.Task"))
			return NODE_TASK;
		if (size == l->tasks.future_bytes && IS_CSTR(name, "_asyncio.Future"))
			return NODE_FUTURE;
	}
	return NODE_OTHER;
}

LANE_CODE static void add(struct nodes *nodes, uint64_t object, enum node_kind kind, bool is_task)
{
	for (uint32_t i = 0; i < nodes->n; i++)
		if (nodes->at[i] == object)
			return;
	if (nodes->n == NODES_MAX)
		return;
	nodes->at[nodes->n] = object;
	nodes->kind[nodes->n] = (uint8_t)kind;
	nodes->is_task[nodes->n++] = is_task;
}

/* A future or task of the C implementation. */
LANE_CODE static void add_future(const struct probe_layout *l, struct nodes *nodes, uint64_t object)
{
	enum node_kind kind = kind_of(l, object);
	if (kind != NODE_OTHER)
		add(nodes, object, kind, kind == NODE_TASK);
}

/* An attribute of an object of Python code, 0 if there is none. Its dict stays locked. */
LANE_CODE static uint64_t attribute(struct out *o, uint64_t object, const char *name, uint32_t n)
{
	struct dict_view v;
	uint64_t key, value;
	bool locks_dict;
	if (!object || !attributes_of(o, object, &v, &locks_dict))
		return 0;
	for (uint64_t i = 0; i < v.n_entries; i++)
		if (dict_entry(&v, i, &key, &value) && attributes_key_is(o->ctx, key, name, n))
			return value;
	return 0;
}
#define ATTRIBUTE(o, object, name) attribute(o, object, name, sizeof(name) - 1)

/* ---- tasks that wait ---- */

/* The future or the object that a function of that name refers to. */
LANE_CODE static void follow_function(struct out *o, struct nodes *nodes, uint64_t function)
{
	const struct probe_layout *l = &o->ctx->layout;
	uint64_t code = rd64(function + l->function_code), name = rd64(code + l->code_name),
		 n_name = rd64(name + l->str_length),
		 cells = rd64(function + l->tasks.function_closure);
	if (n_name != 9 && n_name != 14 && n_name != 20) /* most have none of the names */
		return;
	bool is_anyio = attributes_key_is(o->ctx, name, "task_done", 9);
	if (!is_anyio && !attributes_key_is(o->ctx, name, "_done_callback", 14) &&
	    !attributes_key_is(o->ctx, name, "_inner_done_callback", 20) &&
	    !attributes_key_is(o->ctx, name, "_on_completion", 14))
		return;
	uint64_t n = flags_of(l, cells) & TPFLAGS_TUPLE ? rd64(cells + l->ob_size) : 0;
	for (uint64_t i = 0; i < n && i < CELLS_MAX; i++) {
		uint64_t cell = rd64(cells + l->tuple_items + 8 * i),
			 value = cell ? field_of(l, cell, 0) : 0;
		if (!value)
			continue;
		if (!is_anyio)
			add_future(l, nodes, value);
		else
			add_future(l, nodes,
				   ATTRIBUTE(o, ATTRIBUTE(o, value, "cancel_scope"), "_host_task"));
	}
}

LANE_CODE static void follow_method(struct out *o, struct nodes *nodes, uint64_t method)
{
	const struct probe_layout *l = &o->ctx->layout;
	uint64_t function = rd64(method + l->method_function), self = rd64(method + l->method_self);
	if (!function || !self || type_of(l, function) != l->type_function)
		return;
	uint64_t name = rd64(rd64(function + l->function_code) + l->code_name);
	if (attributes_key_is(o->ctx, name, "__wakeup", 8))
		add(nodes, self, kind_of(l, self), true);
	else if (attributes_key_is(o->ctx, name, "_on_task_done", 13)) {
		uint64_t parent = ATTRIBUTE(o, self, "_parent_task");
		if (parent)
			add(nodes, parent, kind_of(l, parent), true);
	}
}

LANE_CODE static void follow_callback(struct out *o, struct nodes *nodes, uint64_t callback)
{
	const struct probe_layout *l = &o->ctx->layout;
	uint64_t type = callback ? type_of(l, callback) : 0;
	if (!type)
		return;
	if (type == l->type_cfunction) {
		uint64_t def = rd64(callback + l->cfunction_ml),
			 self = rd64(callback + l->cfunction_self);
		uint64_t name = def ? rd64(def) : 0;
		if (name && self && IS_CSTR(name, "task_wakeup"))
			add_future(l, nodes, self);
	} else if (type == l->type_function) {
		follow_function(o, nodes, callback);
	} else if (type == l->type_method) {
		follow_method(o, nodes, callback);
	} else if (!(type_flags(l, type) & TPFLAGS_HEAPTYPE) ||
		   type_flags(l, type) & TPFLAGS_IMMUTABLETYPE) {
		uint64_t name = rd64(type + l->tp_name);
		if (name && IS_CSTR(name, "TaskWakeupMethWrapper")) { /* 3.8, 3.9 */
			add_future(l, nodes, field_of(l, callback, 0));
		} else if (name && IS_CSTR(name, "functools.partial")) { /* {function, args, …} */
			uint64_t args = field_of(l, callback, 1);
			if (flags_of(l, args) & TPFLAGS_TUPLE && rd64(args + l->ob_size))
				add_future(l, nodes, rd64(args + l->tuple_items));
		}
	}
}

/* A list of (callback, context). */
LANE_CODE static void follow_callbacks(struct out *o, struct nodes *nodes, uint64_t list)
{
	const struct probe_layout *l = &o->ctx->layout;
	if (!(flags_of(l, list) & TPFLAGS_LIST))
		return;
	uint64_t n = rd64(list + l->ob_size), items = rd64(list + l->list_items);
	for (uint64_t i = 0; items && i < n && i < CALLBACKS_MAX; i++) {
		uint64_t pair = rd64(items + 8 * i);
		if (flags_of(l, pair) & TPFLAGS_TUPLE && rd64(pair + l->ob_size))
			follow_callback(o, nodes, rd64(pair + l->tuple_items));
	}
}

LANE_CODE static void follow_awaited_by(const struct probe_layout *l, struct nodes *nodes,
					uint64_t future)
{
	uint64_t by = rd64(future + l->tasks.awaited_by);
	if (!rd8(future + l->tasks.awaited_by_is_set)) {
		add_future(l, nodes, by);
		return;
	}
	uint64_t mask = rd64(by + l->set_mask), table = rd64(by + l->set_table);
	if (type_of(l, by) != l->type_set)
		return;
	for (uint64_t i = 0; i <= mask && i < SET_SLOTS_MAX; i++) {
		uint64_t key = rd64(table + 16 * i);
		if (key && rd64(table + 16 * i + 8) != UINT64_MAX)
			add_future(l, nodes, key);
	}
}

/* The node is locked. */
LANE_CODE static void add_waiters(struct out *o, struct nodes *nodes, uint32_t i)
{
	const struct probe_layout *l = &o->ctx->layout;
	uint64_t node = nodes->at[i];
	if (nodes->kind[i] == NODE_OTHER) {
		follow_callbacks(o, nodes, ATTRIBUTE(o, node, "_callbacks"));
	} else if (l->tasks.awaited_by != OFF_NONE && rd64(node + l->tasks.awaited_by)) {
		follow_awaited_by(l, nodes, node);
	} else {
		follow_callback(o, nodes, rd64(node + l->tasks.callback0));
		follow_callbacks(o, nodes, rd64(node + l->tasks.callbacks));
	}
}

/* ---- the running task ---- */

/* The value of a key of a dict, an ASCII text; 0: it has none. */
LANE_CODE static uint64_t dict_find(const struct probe_context *ctx, uint64_t dict,
				    struct dict_place *place, const char *text, uint32_t n)
{
	const struct probe_layout *l = &ctx->layout;
	struct dict_view v;
	uint64_t key, value;
	if (!(flags_of(l, dict) & TPFLAGS_DICT) || !dict_view_of(l, dict, &v))
		return 0;
	uint64_t keys = rd64(dict + l->dict_keys),
		 version = l->tasks.dict_version ? rd64(dict + l->tasks.dict_version) : 0;
	if (place->keys == keys) {
		if (place->key && place->n < v.n_entries &&
		    dict_entry(&v, place->n, &key, &value) && key == place->key)
			return value;
		if (!place->key && place->n == v.n_entries && place->version == version)
			return 0;
	}
	*place = (struct dict_place){ .keys = keys, .version = version, .n = v.n_entries };
	for (uint64_t i = 0; i < v.n_entries && i < MODULES_MAX; i++)
		if (dict_entry(&v, i, &key, &value) && attributes_key_is(ctx, key, text, n)) {
			place->key = key;
			place->n = i;
			return value;
		}
	return 0;
}
#define DICT_FIND(ctx, dict, place, text) dict_find(ctx, dict, place, text, sizeof(text) - 1)

/* _asyncio._current_tasks of the running interpreter, locked; 0: there is none. */
LANE_CODE static uint64_t current_tasks(struct out *o, struct task_places *places, uint64_t tstate)
{
	const struct probe_layout *l = &o->ctx->layout;
	uint64_t interp = rd64(tstate + l->tstate_interp),
		 modules = interp ? rd64(interp + l->tasks.interp_modules) : 0;
	if (!modules || !lock(o, modules))
		return 0;
	uint64_t module = DICT_FIND(o->ctx, modules, &places->asyncio, "_asyncio");
	if (!module || type_of(l, module) != l->type_module)
		return 0;
	uint64_t dict = rd64(module + l->module_dict);
	if (!dict || !lock(o, dict))
		return 0;
	uint64_t tasks = DICT_FIND(o->ctx, dict, &places->current, "_current_tasks");
	if (!(flags_of(l, tasks) & TPFLAGS_DICT) || !lock(o, tasks))
		return 0;
	places->module_dict = dict;
	places->current_tasks = tasks;
	return tasks;
}

/* The task that runs in a loop, in that dict; 0: none. */
LANE_CODE static uint64_t task_of_loop(const struct probe_layout *l, uint64_t tasks, uint64_t loop)
{
	struct dict_view v;
	uint64_t key, value;
	if (!tasks || !dict_view_of(l, tasks, &v))
		return 0;
	/* the newest entries are at the end */
	for (uint64_t i = v.n_entries, turns = 0; i-- > 0 && turns < LOOPS_MAX; turns++)
		if (dict_entry(&v, i, &key, &value) && key == loop)
			return value;
	return 0;
}

/* The loop that runs in this thread, 3.8-3.12; 0: none. */
LANE_CODE static uint64_t loop_of_dict(const struct out *o, struct task_places *places,
				       uint64_t tstate)
{
	const struct probe_context *ctx = o->ctx;
	const struct probe_layout *l = &ctx->layout;
	uint64_t dict = rd64(tstate + l->tasks.tstate),
		 loop = dict ? DICT_FIND(ctx, dict, &places->loop, "__asyncio_running_event_loop__")
			     : 0;
	/* 3.8-3.11: a holder {loop, int pid}: the loop does not run in a forked child (v3.8.0 to
	 * v3.11.0 Modules/_asynciomodule.c, get_running_loop) */
	if (loop && l->minor < 12) {
		if (rd64(type_of(l, loop) + l->tp_basicsize) < l->ob_size + 16u ||
		    rd32(loop + l->ob_size + 8) != (uint32_t)(state_of(ctx)->identity >> 32))
			return 0;
		loop = field_of(l, loop, 0);
	}
	return loop == l->none ? 0 : loop;
}

/*
 * 3.8-3.12: each dict has a version, which every change of it renews (v3.8.0 to v3.12.0
 * Objects/dictobject.c, DICT_NEXT_VERSION). So sys.modules still holds _asyncio if it has the
 * version that it had, and the same holds for the dict of the module and for _current_tasks.
 */
LANE_CODE static uint64_t task_by_dict(struct out *o, struct task_places *p, uint64_t tstate)
{
	const struct probe_layout *l = &o->ctx->layout;
	const uint32_t version = l->tasks.dict_version;
	uint64_t dict = rd64(tstate + l->tasks.tstate), interp = rd64(tstate + l->tstate_interp),
		 id = rd64(interp + l->interp_id) + 1;
	if (p->interpreter != id) {
		p->interpreter = id;
		p->thread_dict = p->module_dict = 0;
	}
	if (p->thread_dict != dict || p->thread_version != rd64(dict + version)) {
		p->running_loop = loop_of_dict(o, p, tstate);
		p->thread_dict = dict;
		p->thread_version = rd64(dict + version);
	}
	uint64_t modules = p->running_loop ? rd64(interp + l->tasks.interp_modules) : 0;
	if (!modules)
		return 0;
	if (!p->module_dict || p->modules_version != rd64(modules + version) ||
	    p->module_version != rd64(p->module_dict + version)) {
		p->module_dict = 0;
		if (!current_tasks(o, p, tstate))
			return 0;
		p->modules_version = rd64(modules + version);
		p->module_version = rd64(p->module_dict + version);
		p->task_loop = 0;
	}
	if (p->task_loop != p->running_loop ||
	    p->current_version != rd64(p->current_tasks + version)) {
		p->task = task_of_loop(l, p->current_tasks, p->running_loop);
		p->task_loop = p->running_loop;
		p->current_version = rd64(p->current_tasks + version);
	}
	return p->task;
}

LANE_CODE static uint64_t running_task(struct out *o, struct task_places *places, uint64_t tstate)
{
	const struct probe_layout *l = &o->ctx->layout;
	if (l->tasks.kind == TASKS_BY_DICT)
		return task_by_dict(o, places, tstate);
	uint64_t at = rd64(tstate + l->tasks.tstate);
	if (at && l->tasks.kind == TASKS_BY_LOOP)
		at = task_of_loop(l, current_tasks(o, places, tstate), at);
	return at;
}

/* ---- the names ---- */

/* The name of a task whose node is locked. */
LANE_CODE static uint64_t name_of(struct out *o, uint64_t task, enum node_kind kind)
{
	return kind == NODE_TASK    ? rd64(task + o->ctx->layout.tasks.task_name)
	       : kind == NODE_OTHER ? ATTRIBUTE(o, task, "_name")
				    : 0;
}

/* Find those that wait for a task, in the order in which they are named. All stay locked. */
LANE_CODE static void collect(struct out *o, struct nodes *nodes, uint64_t task)
{
	nodes->n = 0; /* clearing all of it would cost more than the rest */
	nodes->n_names = 1;
	nodes->names[0] = 0;
	enum node_kind kind = kind_of(&o->ctx->layout, task);
	if (!lock(o, task))
		return;
	nodes->names[0] = name_of(o, task, kind);
	add(nodes, task, kind, true);
	add_waiters(o, nodes, 0);
	for (uint32_t i = 1; i < nodes->n && nodes->n_names <= TASK_WAITERS; i++) {
		if (!lock(o, nodes->at[i]))
			return; /* then those that wait for it are not known either */
		if (nodes->is_task[i])
			nodes->names[nodes->n_names++] = name_of(o, nodes->at[i],
								 (enum node_kind)nodes->kind[i]);
		add_waiters(o, nodes, i);
	}
}

/* The value of an int of at most two digits of 30 bits. */
static inline bool small_int(const struct probe_layout *l, uint64_t object, uint64_t *ret)
{
	uint64_t tag = rd64(object + l->int_tag), n_digits = l->int_has_tag ? tag >> 3 : tag;
	if (n_digits > 2 || (l->int_has_tag && tag & 3))
		return false;
	*ret = n_digits > 0 ? rd32(object + l->int_digits) : 0;
	*ret |= n_digits > 1 ? (uint64_t)rd32(object + l->int_digits + 4) << 30 : 0;
	return true;
}

/* A sum over what record_out() would write; never 0. */
LANE_CODE static uint64_t sum_of(const struct probe_context *ctx, const struct nodes *nodes,
				 uint64_t task)
{
	const struct probe_layout *l = &ctx->layout;
	uint64_t sum = serialise_sum(nodes->n_names, task);
	for (uint32_t i = 0; i < nodes->n_names; i++) {
		uint64_t name = nodes->names[i], n = 0;
		uint32_t flags = flags_of(l, name);
		if (flags & TPFLAGS_UNICODE)
			sum = serialise_str_sum(ctx, name, TASK_NAME_MAX, sum);
		else if (flags & TPFLAGS_LONG && small_int(l, name, &n))
			sum = serialise_sum(serialise_sum(sum, UINT64_MAX), n);
		else
			sum = serialise_sum(sum, UINT64_MAX - 1);
	}
	return sum ? sum : 1;
}

/* ---- output ---- */

/* Task-n */
LANE_CODE static void number_out(struct out *o, uint64_t n)
{
	uint8_t digits[20];
	uint32_t k = 0;
	do
		digits[k++] = (uint8_t)('0' + n % 10);
	while (n /= 10);
	put8(o, VALUE_STR);
	put8(o, (uint8_t)(5 + k));
	for (uint32_t i = 0; i < 5; i++)
		put8(o, (uint8_t) "Task-"[i]);
	while (k)
		put8(o, digits[--k]);
}

LANE_CODE static void name_out(struct out *o, uint64_t name)
{
	const struct probe_layout *l = &o->ctx->layout;
	uint32_t flags = flags_of(l, name);
	uint64_t n;
	if (flags & TPFLAGS_UNICODE)
		serialise_str(o, name, TASK_NAME_MAX);
	else if (flags & TPFLAGS_LONG && small_int(l, name, &n))
		number_out(o, n);
	else
		put8(o, VALUE_UNREADABLE);
}

LANE_CODE static void record_out(struct out *o, const struct nodes *nodes, uint64_t task)
{
	bool was_cut = o->cut;
	put8(o, VALUE_LIST);
	put8(o, 3);
	put8(o, 3);
	name_out(o, nodes->names[0]);
	put8(o, VALUE_INT);
	put_varint(o, task << 1);
	put8(o, VALUE_LIST);
	put8(o, (uint8_t)(nodes->n_names - 1)); /* in full, kept */
	put8(o, (uint8_t)(nodes->n_names - 1));
	for (uint32_t i = 1; i < nodes->n_names; i++)
		name_out(o, nodes->names[i]);
	o->cut = was_cut;
}

LANE_CODE __attribute__((noinline)) enum task_answer
task_out(struct out *o, struct probe_lane *lane, uint64_t tstate)
{
	struct task_places *places = task_places_of(o->ctx, lane);
	uint64_t task = running_task(o, places, tstate);
	enum task_answer answer = TASK_NONE;
	if (task && task != o->ctx->layout.none) {
		struct nodes nodes;
		collect(o, &nodes, task);
		uint64_t sum = sum_of(o->ctx, &nodes, task);
		answer = sum == places->last ? TASK_SAME : TASK_OTHER;
		places->last = sum;
		if (answer == TASK_OTHER)
			record_out(o, &nodes, task);
	}
	while (o->locks && o->locks->n)
		serialise_unlock(o);
	return answer;
}
