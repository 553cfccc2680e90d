/*
 * trace_chunk: rows as columns, 16 Ki at a time, put together from one or more EVENT blocks.
 */
#include <stdlib.h>
#include <string.h>

#include "capture/column.h"
#include "model/trace_private.h"

#define OBJECTS_PER_CHUNK_MAX (1u << 21)

/* Check n (id, count) pairs, whose counts must add up to n_events, and advance past them. */
static bool table_check(const uint8_t **p, const uint8_t *end, uint32_t n, uint32_t n_events)
{
	uint64_t sum = 0;
	if (n == 0 || n > n_events)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id, count;
		if (!varint_get_u32(p, end, &id) || !varint_get_u32(p, end, &count) || count == 0)
			return false;
		sum += count;
	}
	return sum == n_events;
}

bool chunk_event_parse(const uint8_t *meta, uint32_t n_bytes, struct event_meta *ret)
{
	const uint8_t *p = meta, *end = meta + n_bytes;
	struct event_meta m;
	uint64_t span_ns;
	if (!varint_get(&p, end, &m.first_seq) || !varint_get_u32(&p, end, &m.n) ||
	    !varint_get(&p, end, &m.min_ns) || !varint_get(&p, end, &span_ns) ||
	    !varint_get_u32(&p, end, &m.args_end) || !varint_get_u32(&p, end, &m.stack_end) ||
	    m.n == 0 || m.n > TRACE_CHUNK || span_ns > UINT64_MAX - m.min_ns ||
	    (m.first_seq & (TRACE_CHUNK - 1)) + m.n > TRACE_CHUNK)
		return false;
	m.max_ns = m.min_ns + span_ns;
	if (!varint_get_u32(&p, end, &m.n_names))
		return false;
	m.names = p;
	if (!table_check(&p, end, m.n_names, m.n) || !varint_get_u32(&p, end, &m.n_threads))
		return false;
	m.threads = p;
	if (!table_check(&p, end, m.n_threads, m.n))
		return false;
	m.end = end;
	*ret = m;
	return true;
}

uint32_t chunk_map_index(struct local_map *map, uint32_t epoch, uint32_t id, u32_vec *ids,
			 u32_vec *counts, uint32_t count)
{
	if (id >= map->of_id.n) {
		size_t more = (size_t)id + 1 - map->of_id.n;
		if (!vec_reserve(&map->of_id, more))
			return UINT32_MAX;
		memset(map->of_id.v + map->of_id.n, 0, more * sizeof(*map->of_id.v));
		map->of_id.n += more;
	}
	struct local_entry *entry = &map->of_id.v[id];
	if (entry->epoch != epoch) {
		if (!vec_push(ids, id))
			return UINT32_MAX;
		if (!vec_push(counts, 0)) {
			ids->n--;
			return UINT32_MAX;
		}
		*entry = (struct local_entry){ epoch, (uint32_t)ids->n - 1 };
	}
	counts->v[entry->index] += count;
	return entry->index;
}

void chunk_slot_destroy(struct chunk_slot *slot)
{
	if (slot->columns)
		slot->columns->destroy(slot->columns);
	if (slot->objects)
		slot->objects->destroy(slot->objects);
	vec_fini(&slot->names);
	vec_fini(&slot->name_n);
	vec_fini(&slot->threads);
	vec_fini(&slot->thread_n);
	vec_fini(&slot->blocks);
	free(slot);
}

/* ---- columns ---- */

static void columns_destroy(struct cached *cached)
{
	struct chunk_columns *c = (struct chunk_columns *)cached;
	free(c->task);
	free(c);
}

static size_t columns_bytes(uint32_t n)
{
	return sizeof(struct chunk_columns) +
	       n * (sizeof(uint64_t) + 3 * sizeof(uint32_t) + 2 * sizeof(uint16_t) + 1u);
}

/* A full chunk gets exactly what it needs, a growing one gets room for all. */
static struct chunk_columns *columns_create(uint32_t n)
{
	struct chunk_columns *c = malloc(columns_bytes(n));
	if (!c)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->cached.destroy = columns_destroy;
	c->room = n;
	c->time_ns = (uint64_t *)(c + 1);
	c->args = (uint32_t *)(c->time_ns + n);
	c->stack = c->args + n;
	c->descriptors = c->stack + n;
	c->name = (uint16_t *)(c->descriptors + n);
	c->thread = c->name + n;
	c->flags = (uint8_t *)(c->thread + n);
	return c;
}

/* positions[i] = position of entry i of a block's table in the table of the chunk. */
static bool positions_get(const uint8_t *p, const uint8_t *end, uint32_t n, uint32_t id_end,
			  const u32_vec *ids, uint16_t *positions)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id, count, at = 0;
		if (!varint_get_u32(&p, end, &id) || !varint_get_u32(&p, end, &count))
			return false;
		if (id >= id_end)
			id = 0;
		if (i < ids->n && ids->v[i] == id) /* always so when the chunk is one block */
			at = i;
		while (at < ids->n && ids->v[at] != id)
			at++;
		if (at == ids->n) /* it was unknown when the block was indexed: counted as 0 */
			for (at = 0; at < ids->n && ids->v[at] != 0; at++)
				;
		if (at == ids->n)
			return false;
		positions[i] = (uint16_t)at;
	}
	return true;
}

static bool indices_map(uint16_t *column, uint32_t n, const uint16_t *positions,
			uint32_t n_positions)
{
	for (uint32_t i = 0; i < n; i++) {
		if (column[i] >= n_positions)
			return false;
		column[i] = positions[column[i]];
	}
	return true;
}

/* The column of tasks, which most captures do not have. */
static bool task_decode(struct chunk_columns *c, const struct column *column, uint32_t at,
			uint32_t n)
{
	if (!c->task)
		c->view.task = c->task = calloc(c->room + 1u, sizeof(c->task[0]));
	return c->task && column_decode(column, c->task + at, 4, n);
}

static void ids_check(uint32_t *ids, uint32_t n, uint32_t end)
{
	for (uint32_t i = 0; i < n; i++)
		ids[i] = ids[i] < end ? ids[i] : 0;
}

static bool times_sum(uint64_t *times, uint32_t n, uint64_t min_ns, uint64_t max_ns)
{
	uint64_t now = min_ns;
	bool inside = true;
	for (uint32_t i = 0; i < n; i++) {
		now += (uint64_t)unzigzag(times[i]);
		times[i] = now;
		inside &= now >= min_ns && now <= max_ns;
	}
	return inside;
}

/* Decode one block's columns into c, from row `at`. */
static bool block_decode(struct trace *t, struct chunk_slot *slot, struct chunk_columns *c,
			 uint32_t at, const struct event_ref *ref, const uint8_t *raw,
			 const struct event_meta *m)
{
	const uint8_t *p = raw, *end = raw + ref->ref.raw_bytes;
	uint32_t n = ref->n, seen = 0;
	struct column column;
	while (column_next(&p, end, &column)) {
		bool ok = true;
		switch (column.id) {
		case COLUMN_TIME: ok = column_decode(&column, c->time_ns + at, 8, n); break;
		case COLUMN_NAME: ok = column_decode(&column, c->name + at, 2, n); break;
		case COLUMN_THREAD: ok = column_decode(&column, c->thread + at, 2, n); break;
		case COLUMN_ARGS: ok = column_decode(&column, c->args + at, 4, n); break;
		case COLUMN_STACK: ok = column_decode(&column, c->stack + at, 4, n); break;
		case COLUMN_FLAGS: ok = column_decode(&column, c->flags + at, 1, n); break;
		case COLUMN_DESCRIPTORS:
			ok = column_decode(&column, c->descriptors + at, 4, n);
			break;
		case COLUMN_TASK: ok = task_decode(c, &column, at, n); break;
		default: continue;
		}
		if (!ok)
			return false;
		seen |= 1u << column.id;
	}
	const uint32_t wanted = 1u << COLUMN_TIME | 1u << COLUMN_NAME | 1u << COLUMN_THREAD |
				1u << COLUMN_ARGS | 1u << COLUMN_STACK | 1u << COLUMN_FLAGS;
	uint16_t positions[TRACE_CHUNK];
	if (!(seen & 1u << COLUMN_DESCRIPTORS))
		memset(c->descriptors + at, 0, n * sizeof(c->descriptors[0]));
	if (p != end || (seen & wanted) != wanted ||
	    !times_sum(c->time_ns + at, n, m->min_ns, m->max_ns))
		return false;
	if (!positions_get(m->names, m->end, m->n_names, (uint32_t)t->names.n, &slot->names,
			   positions) ||
	    !indices_map(c->name + at, n, positions, m->n_names) ||
	    !positions_get(m->threads, m->end, m->n_threads, (uint32_t)t->threads.n, &slot->threads,
			   positions) ||
	    !indices_map(c->thread + at, n, positions, m->n_threads))
		return false;
	ids_check(c->args + at, n, t->pages[PAGE_VALUE].end);
	ids_check(c->stack + at, n, t->pages[PAGE_STACK].end);
	ids_check(c->descriptors + at, n, t->pages[PAGE_VALUE].end);
	if (c->task)
		ids_check(c->task + at, n, t->pages[PAGE_VALUE].end);
	return true;
}

/* Rows that cannot be read: name 0 if the chunk's table has it, and any thread. */
static void rows_blank(struct chunk_slot *slot, struct chunk_columns *c, uint32_t at, uint32_t n)
{
	uint32_t name = 0;
	while (name < slot->names.n && slot->names.v[name] != 0)
		name++;
	if (name == slot->names.n &&
	    (name >= TRACE_CHUNK || !vec_reserve(&slot->names, 1) || !vec_push(&slot->name_n, n)))
		name = 0;
	else if (name == slot->names.n)
		slot->names.v[slot->names.n++] = 0;
	uint64_t time_ns = at ? c->time_ns[at - 1] : slot->min_ns == UINT64_MAX ? 0 : slot->min_ns;
	for (uint32_t i = at; i < at + n; i++) {
		c->time_ns[i] = time_ns;
		c->name[i] = (uint16_t)name;
		c->thread[i] = 0;
		c->args[i] = c->stack[i] = c->descriptors[i] = 0;
		c->flags[i] = 0;
		if (c->task)
			c->task[i] = 0;
	}
}

static void columns_extend(struct trace *t, struct chunk_slot *slot, struct chunk_columns *c)
{
	while (c->n_blocks < slot->blocks.n) {
		const struct event_ref *ref = &slot->blocks.v[c->n_blocks++];
		uint32_t at = c->view.n, meta_bytes = 0;
		const uint8_t *meta = NULL,
			      *raw = reader_peek(t->reader, &ref->ref, &meta, &meta_bytes);
		struct event_meta m;
		if (!raw || !chunk_event_parse(meta, meta_bytes, &m) || m.n != ref->n ||
		    !block_decode(t, slot, c, at, ref, raw, &m)) {
			trace_mark_unreadable(t, &ref->ref);
			rows_blank(slot, c, at, ref->n);
		}
		c->view.n += ref->n;
	}
	c->view.n_names = (uint32_t)slot->names.n;
	c->view.n_threads = (uint32_t)slot->threads.n;
	c->view.names = slot->names.v;
	c->view.name_n = slot->name_n.v;
	c->view.threads = slot->threads.v;
	c->view.thread_n = slot->thread_n.v;
}

struct chunk_columns *chunk_columns_get(struct trace *t, uint32_t chunk)
{
	if (chunk >= t->chunks.n)
		return NULL;
	struct chunk_slot *slot = t->chunks.v[chunk];
	struct chunk_columns *c = (struct chunk_columns *)slot->columns;
	if (!c) {
		bool is_last = chunk + 1 == t->chunks.n && !reader_is_finished(t->reader);
		uint32_t room = is_last ? TRACE_CHUNK : slot->n;
		c = columns_create(room);
		if (!c)
			return NULL;
		c->view.first_seq = (uint64_t)chunk << TRACE_CHUNK_SHIFT;
		c->view.time_ns = c->time_ns;
		c->view.name = c->name;
		c->view.thread = c->thread;
		c->view.args = c->args;
		c->view.stack = c->stack;
		c->view.flags = c->flags;
		c->view.descriptors = c->descriptors;
		trace_cache_add(t, &c->cached, &slot->columns, columns_bytes(room));
	}
	if (c->n_blocks < slot->blocks.n) {
		bool had_task = c->task != NULL;
		columns_extend(t, slot, c);
		if (c->task && !had_task)
			trace_cache_resized(t, &c->cached,
					    columns_bytes(c->room) + c->room * sizeof(c->task[0]));
	}
	cache_touch(t, &c->cached);
	return c;
}

uint32_t trace_n_chunks(const struct trace *t)
{
	return (uint32_t)t->chunks.n;
}

const struct chunk *trace_chunk(struct trace *t, uint32_t chunk)
{
	struct chunk_columns *c = chunk_columns_get(t, chunk);
	return c ? &c->view : NULL;
}

bool trace_chunk_summary(const struct trace *t, uint32_t chunk, struct chunk_summary *ret)
{
	if (chunk >= t->chunks.n)
		return false;
	const struct chunk_slot *slot = t->chunks.v[chunk];
	*ret = (struct chunk_summary){
		.first_seq = (uint64_t)chunk << TRACE_CHUNK_SHIFT,
		.n = slot->n,
		.min_ns = slot->min_ns == UINT64_MAX ? 0 : slot->min_ns,
		.max_ns = slot->max_ns,
		.n_names = (uint32_t)slot->names.n,
		.n_threads = (uint32_t)slot->threads.n,
		.names = slot->names.v,
		.name_n = slot->name_n.v,
		.threads = slot->threads.v,
		.thread_n = slot->thread_n.v,
		.args_end = slot->args_end,
		.stack_end = slot->stack_end,
		.is_loaded = slot->columns != NULL,
	};
	return true;
}

uint64_t trace_n_events(const struct trace *t)
{
	return t->n_events;
}

bool trace_event(struct trace *t, uint64_t seq, struct event *ret)
{
	if (seq >= t->n_events)
		return false;
	*ret = (struct event){ .seq = seq };
	const struct chunk *c = trace_chunk(t, (uint32_t)(seq >> TRACE_CHUNK_SHIFT));
	if (!c)
		return true;
	uint32_t i = (uint32_t)(seq & (TRACE_CHUNK - 1));
	ret->time_ns = c->time_ns[i];
	ret->name = c->names[c->name[i]];
	ret->thread = c->threads[c->thread[i]];
	ret->process = ret->thread < t->threads.n ? t->threads.v[ret->thread].process : 0;
	ret->args = c->args[i];
	ret->stack = c->stack[i];
	ret->flags = c->flags[i];
	ret->descriptors = c->descriptors[i];
	ret->task = c->task ? c->task[i] : 0;
	return true;
}

uint64_t trace_seq_at(struct trace *t, uint64_t time_ns)
{
	for (uint32_t chunk = 0; chunk < t->chunks.n; chunk++) {
		if (t->chunks.v[chunk]->max_ns < time_ns)
			continue;
		const struct chunk *c = trace_chunk(t, chunk);
		for (uint32_t i = 0; c && i < c->n; i++)
			if (c->time_ns[i] >= time_ns)
				return c->first_seq + i;
	}
	return t->n_events;
}

/* ---- objects: read separately, because most scans do not need them ---- */

static void objects_destroy(struct cached *c)
{
	struct chunk_objects *o = (struct chunk_objects *)c;
	vec_fini(&o->addresses);
	free(o);
}

static bool objects_decode(struct chunk_objects *o, const struct event_ref *ref, const uint8_t *raw)
{
	const uint8_t *p = raw, *end = raw + ref->ref.raw_bytes;
	struct column column, counts = { 0 }, addresses = { 0 };
	uint16_t n[TRACE_CHUNK];
	while (column_next(&p, end, &column)) {
		if (column.id == COLUMN_N_OBJECTS)
			counts = column;
		else if (column.id == COLUMN_OBJECTS)
			addresses = column;
	}
	if (!counts.id || !addresses.id || !column_decode(&counts, n, 2, ref->n))
		return false;
	size_t total = 0, before = o->addresses.n;
	for (uint32_t i = 0; i < ref->n; i++)
		total += n[i];
	if (before + total > OBJECTS_PER_CHUNK_MAX || !vec_reserve(&o->addresses, total + 1) ||
	    !column_decode(&addresses, o->addresses.v + before, 8, total))
		return false;
	o->addresses.n += total;
	uint32_t at = (uint32_t)before;
	for (uint32_t i = 0; i < ref->n; i++) {
		at += n[i];
		o->starts[o->n + i + 1] = at;
	}
	return true;
}

const uint64_t *trace_event_objects(struct trace *t, uint64_t seq, uint32_t *ret_n)
{
	static const uint64_t none[1];
	*ret_n = 0;
	if (seq >= t->n_events)
		return none;
	struct chunk_slot *slot = t->chunks.v[seq >> TRACE_CHUNK_SHIFT];
	struct chunk_objects *o = (struct chunk_objects *)slot->objects;
	if (!o) {
		o = calloc(1, sizeof(*o));
		if (!o)
			return none;
		o->cached.destroy = objects_destroy;
		trace_cache_add(t, &o->cached, &slot->objects, sizeof(*o));
	}
	while (o->n_blocks < slot->blocks.n) {
		const struct event_ref *ref = &slot->blocks.v[o->n_blocks++];
		const uint8_t *raw = reader_peek(t->reader, &ref->ref, NULL, NULL);
		if (!raw || !objects_decode(o, ref, raw))
			for (uint32_t i = 0; i < ref->n; i++)
				o->starts[o->n + i + 1] = o->starts[o->n];
		o->n += ref->n;
		trace_cache_resized(t, &o->cached,
				    sizeof(*o) + o->addresses.cap * sizeof(uint64_t));
	}
	cache_touch(t, &o->cached);
	uint32_t i = (uint32_t)(seq & (TRACE_CHUNK - 1));
	*ret_n = o->starts[i + 1] - o->starts[i];
	return *ret_n ? o->addresses.v + o->starts[i] : none;
}
