/*
 * event_columns: see event_columns.h.
 */
#include "capture/event_columns.h"

#include <string.h>

#include "base/strbuf.h"
#include "capture/column.h"

static void local_table_meta(struct strbuf *meta, const struct local_table *table)
{
	strbuf_add_varint(meta, table->n);
	for (uint32_t i = 0; i < table->n; i++) {
		strbuf_add_varint(meta, table->ids[i]);
		strbuf_add_varint(meta, table->counts[i]);
	}
}

uint32_t event_columns_local(struct local_table *table, uint32_t epoch, uint32_t id)
{
	struct local *l = &table->slots[id % LOCAL_SLOTS];
	while (l->epoch == epoch && l->id != id)
		l = l + 1 < table->slots + LOCAL_SLOTS ? l + 1 : table->slots;
	if (l->epoch != epoch) {
		*l = (struct local){ epoch, id, table->n };
		table->ids[table->n] = id;
		table->counts[table->n++] = 0;
	}
	table->counts[l->index]++;
	return l->index;
}

void event_columns_encode(struct event_columns *e, uint32_t n_values, uint32_t n_stacks,
			  struct strbuf *meta, struct strbuf *raw)
{
	uint64_t min_ns = UINT64_MAX, max_ns = 0;
	for (uint32_t i = 0; i < e->n; i++) {
		min_ns = e->time_ns[i] < min_ns ? e->time_ns[i] : min_ns;
		max_ns = e->time_ns[i] > max_ns ? e->time_ns[i] : max_ns;
	}
	strbuf_add_varint(meta, e->first_seq);
	strbuf_add_varint(meta, e->n);
	strbuf_add_varint(meta, min_ns);
	strbuf_add_varint(meta, max_ns - min_ns);
	strbuf_add_varint(meta, n_values + 1);
	strbuf_add_varint(meta, n_stacks + 1);
	local_table_meta(meta, &e->names);
	local_table_meta(meta, &e->threads);

	uint64_t before = min_ns;
	for (uint32_t i = 0; i < e->n; i++) {
		uint64_t now = e->time_ns[i];
		e->time_ns[i] = zigzag((int64_t)(now - before));
		before = now;
	}
	column_encode(raw, COLUMN_TIME, e->time_ns, 8, e->n);
	column_encode(raw, COLUMN_NAME, e->name, 2, e->n);
	column_encode(raw, COLUMN_THREAD, e->thread, 2, e->n);
	column_encode_delta(raw, COLUMN_ARGS, e->args, 4, e->n);
	column_encode_delta(raw, COLUMN_STACK, e->stack, 4, e->n);
	column_encode(raw, COLUMN_FLAGS, e->flags, 1, e->n);
	column_encode(raw, COLUMN_N_OBJECTS, e->object_counts, 2, e->n);
	column_encode_delta(raw, COLUMN_OBJECTS, e->objects, 8, e->n_objects);
	uint32_t any_descriptors = 0, any_task = 0;
	for (uint32_t i = 0; i < e->n; i++) {
		any_descriptors |= e->descriptors[i];
		any_task |= e->task[i];
	}
	if (any_descriptors)
		column_encode(raw, COLUMN_DESCRIPTORS, e->descriptors, 4, e->n);
	if (any_task)
		column_encode(raw, COLUMN_TASK, e->task, 4, e->n);
}

void event_columns_next(struct event_columns *e)
{
	e->n = e->n_objects = 0;
	e->names.n = e->threads.n = 0;
	e->epoch++;
}

void event_columns_restore(struct event_columns *e, const struct event_columns *from, uint32_t n)
{
	event_columns_next(e);
	for (uint32_t i = 0; i < n; i++) {
		e->name[i] = (uint16_t)event_columns_local(&e->names, e->epoch,
							   from->names.ids[from->name[i]]);
		e->thread[i] = (uint16_t)event_columns_local(&e->threads, e->epoch,
							     from->threads.ids[from->thread[i]]);
		e->n_objects += from->object_counts[i];
	}
	memcpy(e->time_ns, from->time_ns, n * sizeof(e->time_ns[0]));
	memcpy(e->args, from->args, n * sizeof(e->args[0]));
	memcpy(e->stack, from->stack, n * sizeof(e->stack[0]));
	memcpy(e->descriptors, from->descriptors, n * sizeof(e->descriptors[0]));
	memcpy(e->task, from->task, n * sizeof(e->task[0]));
	memcpy(e->flags, from->flags, n * sizeof(e->flags[0]));
	memcpy(e->object_counts, from->object_counts, n * sizeof(e->object_counts[0]));
	memcpy(e->objects, from->objects, e->n_objects * sizeof(e->objects[0]));
	e->n = n;
}
