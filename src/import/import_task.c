/*
 * import_task: see import_task.h.
 */
#include "import/import_task.h"

#include "base/value_add.h"
#include "capture/block.h"
#include "import/import_value.h"

struct task {
	struct strbuf name, awaited_by; /* awaited_by: encoded */
	uint64_t id, n, n_more;
	bool has_name;
};

static bool read_awaited(struct import *im, struct json *j, struct task *task)
{
	if (!json_read_expect(j, '['))
		return false;
	if (json_read_is(j, ']'))
		return true;
	do {
		if (!json_read_string(j, &im->text))
			return false;
		value_add_str(&task->awaited_by, strbuf_str(&im->text), im->text.n);
		task->n++;
	} while (json_read_is(j, ','));
	return json_read_expect(j, ']');
}

static bool read_member(struct import *im, struct json *j, struct task *task)
{
	if (!json_read_string(j, &im->key) || !json_read_expect(j, ':'))
		return false;
	if (import_value_is_key(&im->key, "name"))
		return task->has_name = json_read_string(j, &task->name);
	if (import_value_is_key(&im->key, "id"))
		return json_read_u64(j, &task->id);
	if (import_value_is_key(&im->key, "more"))
		return json_read_u64(j, &task->n_more);
	if (import_value_is_key(&im->key, "awaited_by"))
		return !task->n && read_awaited(im, j, task);
	return json_read_skip(j);
}

static bool read_task(struct import *im, struct json *j, struct task *task)
{
	json_read_space(j);
	if (j->p < j->end && *j->p == '"')
		return task->has_name = json_read_string(j, &task->name);
	if (!json_read_expect(j, '{'))
		return false;
	do {
		if (!read_member(im, j, task))
			return false;
	} while (json_read_is(j, ','));
	return task->has_name && json_read_expect(j, '}') && task->n_more <= UINT32_MAX;
}

bool import_task_read(struct import *im, const struct line *l, uint32_t *ret)
{
	struct task task = { .n = 0 };
	struct strbuf items = { 0 }, list = { 0 };
	struct json j = l->task;
	bool ok = read_task(im, &j, &task);
	value_add_str(&items, strbuf_str(&task.name), task.name.n);
	strbuf_addc(&items, VALUE_INT);
	strbuf_add_varint(&items, zigzag((int64_t)task.id));
	value_add_container(&items, VALUE_LIST, task.n + task.n_more, task.n, &task.awaited_by);
	value_add_container(&list, VALUE_LIST, 3, 3, &items);
	if (ok && !list.failed)
		*ret = writer_value(im->w, list.s, list.n);
	strbuf_fini(&task.name);
	strbuf_fini(&task.awaited_by);
	strbuf_fini(&items);
	strbuf_fini(&list);
	return ok;
}
