/*
 * trace_task: see trace_task.h.
 */
#include "model/trace_task.h"

#include <string.h>

#include "base/tr.h"
#include "base/utf8.h"
#include "model/trace_private.h"

#define TASK_MALFORMED 1u /* in task_names */
/* Many values of a hostile file can share one long list (VALUE_REF). */
#define AWAITED_MAX 65536u

void task_fini(struct trace *t)
{
	hash_map_fini(&t->task_names);
	hash_map_fini(&t->task_names_by_text);
	vec_fini(&t->task_name_texts);
}

/* Read the head of the list: afterwards the iterator is at the first name that waits. */
static bool head_read(struct trace *t, uint32_t value, struct trace_task *ret)
{
	struct value_node list, name, id, chain;
	value_iter_init(&ret->it, t, value, NULL, 0);
	if (!value_iter_next(&ret->it, &list) || list.tag != VALUE_LIST || list.n_children != 3 ||
	    !value_iter_next(&ret->it, &name) || name.tag != VALUE_STR ||
	    !value_iter_next(&ret->it, &id) || id.tag != VALUE_INT ||
	    !value_iter_next(&ret->it, &chain) || chain.tag != VALUE_LIST)
		return false;
	ret->name = (const char *)name.bytes;
	ret->n_name = name.n_bytes;
	ret->id = id.i;
	ret->n_awaited = chain.n_children;
	ret->n_more = chain.full > chain.n_children ? chain.full - chain.n_children : 0;
	return true;
}

static bool is_well_formed(struct trace *t, uint32_t value, struct trace_task *ret)
{
	struct value_node node;
	if (!head_read(t, value, ret) || ret->n_awaited > AWAITED_MAX)
		return false;
	for (uint32_t i = 0; i < ret->n_awaited; i++)
		if (!value_iter_next(&ret->it, &node) || node.tag != VALUE_STR)
			return false;
	return !value_iter_failed(&ret->it);
}

static uint32_t name_place(struct trace *t, const struct trace_task *task)
{
	uint32_t *at = hash_map_place(&t->task_names_by_text,
				      hash_map_text_key(task->name, task->n_name));
	if (!at || *at)
		return at ? *at : 0;
	char *text = arena_alloc(&t->name_texts, task->n_name + 1);
	struct name_entry entry = { text, (uint32_t)task->n_name };
	if (!text || !vec_push(&t->task_name_texts, entry))
		return 0;
	memcpy(text, task->name, task->n_name);
	text[task->n_name] = 0;
	*at = (uint32_t)t->task_name_texts.n;
	return *at;
}

/* What task_names has of a value, which is looked at now if it is new; 0: memory is short. */
static uint32_t look(struct trace *t, uint32_t value)
{
	struct trace_task task;
	uint32_t known = hash_map_get(&t->task_names, value);
	if (known)
		return known;
	uint32_t name = 0;
	bool is_task = is_well_formed(t, value, &task);
	if (is_task && !(name = name_place(t, &task)))
		return 0;
	uint32_t *at = hash_map_place(&t->task_names, value);
	if (!at)
		return 0;
	t->n_bad_tasks += !is_task;
	*at = is_task ? name + 1 : TASK_MALFORMED;
	return *at;
}

bool trace_task(struct trace *t, uint32_t task, struct trace_task *ret)
{
	return task && look(t, task) > TASK_MALFORMED && head_read(t, task, ret);
}

bool trace_task_next(struct trace_task *task, const char **ret, size_t *ret_n)
{
	struct value_node node;
	if (!value_iter_next(&task->it, &node) || node.tag != VALUE_STR)
		return false;
	*ret = (const char *)node.bytes;
	*ret_n = node.n_bytes;
	return true;
}

void trace_task_add_awaited(struct strbuf *to, struct trace_task *task, uint32_t n_names)
{
	const char *name;
	size_t n;
	uint32_t i = 0;
	for (; i < task->n_awaited && i < n_names && trace_task_next(task, &name, &n); i++) {
		strbuf_adds(to, i ? " ← " : "");
		utf8_escape(to, name, n, 0);
	}
	uint64_t n_more = task->n_awaited - i + task->n_more;
	if (n_more)
		strbuf_addf(to, tr("%s… %llu more"), i ? " ← " : "", (unsigned long long)n_more);
}

uint32_t trace_task_name(struct trace *t, uint32_t task)
{
	uint32_t known = task ? look(t, task) : 0;
	return known > TASK_MALFORMED ? known - 1 : 0;
}

const char *trace_task_name_text(const struct trace *t, uint32_t name, size_t *ret_n)
{
	bool is_one = name && name <= t->task_name_texts.n;
	*ret_n = is_one ? t->task_name_texts.v[name - 1].n_bytes : 0;
	return is_one ? t->task_name_texts.v[name - 1].text : "";
}
