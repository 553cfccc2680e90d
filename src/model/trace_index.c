/*
 * trace_index: what each block of the file adds to the index of a trace.
 *
 * A block that verifies may still have been made by an attacker. A malformed block is left out and
 * counted, like a damaged one; missing ids and rows then leave gaps, whose size is bounded by the
 * number of missing bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "capture/column.h"
#include "model/trace_private.h"

#define HOSTS_MAX             (1u << 16)
#define PROCESSES_MAX         (1u << 20)
#define THREADS_MAX           (1u << 22)
#define NOTES_MAX             (1u << 20)
#define NAMES_MAX             (1u << 20)
#define NAME_BYTES_MAX        4096u
#define PAGE_ENTRIES_MAX      65536u
#define GAP_IDS_PER_BYTE      64u
#define EVENT_BLOCK_BYTES_MIN 64u

static struct err *bad_block(struct trace *t, const struct block_ref *ref)
{
	t->n_bad_blocks++;
	t->n_bad_bytes += ref->disk_bytes;
	return NULL;
}

static uint64_t n_bytes_missing(const struct trace *t)
{
	return reader_n_bytes_damaged(t->reader) + t->n_bad_bytes;
}

/* ---- dictionaries ---- */

static struct err *dictionary_block(struct trace *t, enum page_kind kind,
				    const struct block_header *h, const struct block_ref *ref,
				    const uint8_t *meta)
{
	static const struct block_ref nowhere;
	struct page_table *table = &t->pages[kind];
	const uint8_t *end = meta + h->meta_bytes;
	uint32_t first, n;
	if (!varint_get_u32(&meta, end, &first) || !varint_get_u32(&meta, end, &n) || n == 0 ||
	    n > PAGE_ENTRIES_MAX || first < table->end || first > UINT32_MAX / 2)
		return bad_block(t, ref);
	if (first - table->end > n_bytes_missing(t) * GAP_IDS_PER_BYTE)
		return bad_block(t, ref);
	while (table->end < first) {
		uint32_t gap = first - table->end < PAGE_ENTRIES_MAX ? first - table->end
								     : PAGE_ENTRIES_MAX;
		if (!page_table_add(table, table->end, gap, &nowhere))
			return err_no_memory();
	}
	return page_table_add(table, first, n, ref) ? NULL : err_no_memory();
}

/* ---- names ---- */

uint32_t trace_name_find(const struct trace *t, const char *s, size_t n_bytes)
{
	uint32_t id = hash_map_get(&t->ids_by_name, hash_map_text_key(s, n_bytes));
	return id && t->names.v[id].n_bytes == n_bytes && !memcmp(t->names.v[id].text, s, n_bytes)
		   ? id
		   : 0;
}

static bool name_add(struct trace *t, const char *s, size_t n_bytes)
{
	if (n_bytes > NAME_BYTES_MAX)
		n_bytes = NAME_BYTES_MAX;
	char *text = arena_strndup(&t->name_texts, s, n_bytes);
	if (!text || !vec_reserve(&t->names, 1) || !vec_reserve(&t->count_by_name, 1))
		return false;
	t->names.v[t->names.n++] = (struct name_entry){ text, (uint32_t)n_bytes };
	t->count_by_name.v[t->count_by_name.n++] = 0;
	uint32_t *id = hash_map_place(&t->ids_by_name, hash_map_text_key(s, n_bytes));
	if (!id)
		return false;
	if (!*id) /* of two of one text the first one is found */
		*id = (uint32_t)t->names.n - 1;
	return true;
}

static struct err *name_block(struct trace *t, const struct block_header *h,
			      const struct block_ref *ref, const uint8_t *meta)
{
	const uint8_t *end = meta + h->meta_bytes;
	uint32_t first, n;
	if (!varint_get_u32(&meta, end, &first) || !varint_get_u32(&meta, end, &n) || n == 0 ||
	    n > PAGE_ENTRIES_MAX || first < t->names.n || first > NAMES_MAX ||
	    first - t->names.n > n_bytes_missing(t))
		return bad_block(t, ref);
	uint8_t *raw = reader_load(t->reader, ref);
	uint32_t *strings = calloc(n, sizeof(*strings));
	struct column column;
	const uint8_t *p = raw;
	bool ok = strings && raw && column_next(&p, raw + ref->raw_bytes, &column) &&
		  column_decode(&column, strings, 4, n);
	free(raw);
	while (ok && t->names.n < first)
		ok = name_add(t, "", 0);
	for (uint32_t i = 0; ok && i < n; i++) {
		size_t n_bytes;
		const char *s = trace_string(t, strings[i], &n_bytes);
		ok = name_add(t, s, n_bytes);
	}
	bool no_memory = !strings;
	free(strings);
	if (no_memory)
		return err_no_memory();
	return ok ? NULL : bad_block(t, ref);
}

/* ---- records: processes, threads, notes ---- */

#define FIELDS_MAX 32
struct record_iter {
	const uint8_t *p, *end;
	uint64_t field[FIELDS_MAX]; /* missing fields are 0 */
	unsigned n;
};

/* Next record; false at the end or when it is malformed. */
static bool record_next(struct record_iter *it)
{
	uint64_t n_bytes;
	if (it->p == it->end || !varint_get(&it->p, it->end, &n_bytes) ||
	    n_bytes > (uint64_t)(it->end - it->p))
		return false;
	const uint8_t *p = it->p, *end = p + n_bytes;
	it->p = end;
	memset(it->field, 0, sizeof(it->field));
	it->n = 0;
	while (p < end && it->n < FIELDS_MAX)
		if (!varint_get(&p, end, &it->field[it->n++]))
			return false;
	return true;
}

static uint32_t as_u32(uint64_t v)
{
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static struct process_info process_of_fields(const uint64_t *f)
{
	return (struct process_info){
		.pid = as_u32(f[1]),
		.ns_pid = as_u32(f[2]),
		.ppid = as_u32(f[3]),
		.python_hex = as_u32(f[4]),
		.python = as_u32(f[5]),
		.exe = as_u32(f[6]),
		.cwd = as_u32(f[7]),
		.name = as_u32(f[8]),
		.argv = as_u32(f[9]),
		.environ = as_u32(f[10]),
		.prefixes = as_u32(f[11]),
		.start_ns = f[12],
		.end_ns = f[13],
		.exit_status = (int32_t)unzigzag(f[14]),
		.flags = as_u32(f[15]),
		.n_events = f[16],
		.n_lost = f[17],
		.start_ticks = f[18],
		.host = as_u32(f[19]),
		.packages = as_u32(f[20]),
		.project = as_u32(f[21]),
	};
}

static bool host_record(struct trace *t, const uint64_t *f)
{
	struct host_info info = { .name = as_u32(f[1]),
				  .boot_id = as_u32(f[2]),
				  .label = as_u32(f[3]),
				  .flags = as_u32(f[4]),
				  .wall_anchor_ns = f[5] };
	if (f[0] == 0 || f[0] > HOSTS_MAX)
		return false;
	/* A lost record leaves an unknown host, and no more of them than could have been lost. */
	while (t->hosts.n + 1 < f[0])
		if (t->hosts.n >= n_bytes_missing(t) ||
		    !vec_push(&t->hosts, (struct host_info){ 0 }))
			return false;
	if (f[0] <= t->hosts.n) {
		t->hosts.v[f[0] - 1] = info;
		return true;
	}
	return vec_push(&t->hosts, info);
}

/* Add blank processes for lost records, up to `end`; no more than could have been in the missing
 * bytes. */
static bool processes_fill(struct trace *t, uint64_t end)
{
	if (end > t->processes.n && end - t->processes.n > n_bytes_missing(t))
		return false;
	while (t->processes.n < end)
		if (!vec_push(&t->processes, (struct process_info){ .exit_status = -1 }))
			return false;
	return true;
}

static bool process_record(struct trace *t, const uint64_t *f)
{
	struct process_info info = process_of_fields(f);
	t->processes_changed = true;
	t->n_process_records++;
	if (f[0] < t->processes.n) {
		t->processes.v[f[0]] = info;
		return true;
	}
	return f[0] < PROCESSES_MAX && processes_fill(t, f[0]) && vec_push(&t->processes, info);
}

static bool thread_add(struct trace *t, struct thread_info info)
{
	if (!vec_reserve(&t->threads, 1) || !vec_reserve(&t->count_by_thread, 1))
		return false;
	t->threads.v[t->threads.n++] = info;
	t->count_by_thread.v[t->count_by_thread.n++] = 0;
	return true;
}

static bool threads_fill(struct trace *t, uint64_t end)
{
	if (end > t->threads.n && end - t->threads.n > n_bytes_missing(t))
		return false;
	while (t->threads.n < end)
		if (!thread_add(t, (struct thread_info){ 0 }))
			return false;
	return true;
}

static bool thread_record(struct trace *t, const uint64_t *f)
{
	struct thread_info info = { .process = as_u32(f[1]),
				    .tid = f[2],
				    .interpreter = as_u32(f[3]),
				    .name = as_u32(f[4]),
				    .ns_tid = as_u32(f[5]) };
	if (!processes_fill(t, (uint64_t)info.process + 1))
		return false;
	t->processes_changed = true;
	if (f[0] < t->threads.n) {
		t->threads.v[f[0]] = info;
		return true;
	}
	return f[0] < THREADS_MAX && threads_fill(t, f[0]) && thread_add(t, info);
}

const char *trace_counted_name(struct trace *t, uint32_t i, size_t *ret_n_bytes)
{
	const char *s = trace_string(t, t->counted.v[i].name, ret_n_bytes);
	if (*ret_n_bytes > NAME_BYTES_MAX)
		*ret_n_bytes = NAME_BYTES_MAX;
	return s;
}

static bool counted_add(struct trace *t, const struct note_info *note)
{
	struct trace_counted new = { .process = note->process, .name = note->text };
	if (t->counted.n >= NOTES_MAX)
		return false;
	uint32_t *at = hash_map_place(&t->counted_index, hash_map_key(note->process, note->text));
	if (!at || (!*at && !vec_push(&t->counted, new)))
		return false;
	if (!*at)
		*at = (uint32_t)t->counted.n;
	uint64_t *n = &t->counted.v[*at - 1].n;
	if (__builtin_add_overflow(*n, note->a, n))
		*n = UINT64_MAX;
	return true;
}

static bool note_record(struct trace *t, const uint64_t *f)
{
	struct trace_note note = {
		.note = { .kind = f[0] < NOTE_KIND_COUNT ? (enum note_kind)f[0] : NOTE_MESSAGE,
			  .time_ns = f[1],
			  .process = f[2] == 0 || f[2] - 1 >= t->processes.n ? UINT32_MAX
									     : (uint32_t)(f[2] - 1),
			  .text = as_u32(f[3]),
			  .a = f[4],
			  .b = f[5],
			  .host = as_u32(f[7]) },
		.seq = f[6] < t->n_events ? f[6] : t->n_events,
	};
	/* There is one for each name and each interval: only their sum is kept. */
	if (note.note.kind == NOTE_COUNTED)
		return counted_add(t, &note.note);
	if (t->notes.n >= NOTES_MAX)
		return false;
	if (t->notes.n && note.seq < t->notes.v[t->notes.n - 1].seq)
		note.seq = t->notes.v[t->notes.n - 1].seq;
	if (note.note.kind == NOTE_LOST)
		t->n_lost += note.note.a;
	if (note.note.kind == NOTE_GOODBYE && note.note.b & GOODBYE_LOST_UNKNOWN)
		t->is_more_lost = true;
	return vec_push(&t->notes, note);
}

/* An event that is not in the file, and a second record of one, are ignored. */
static bool locals_record(struct trace *t, const uint64_t *f)
{
	if (f[0] >= t->n_events || !f[1] || f[1] > UINT32_MAX || t->locals.n_used >= NOTES_MAX)
		return true;
	uint32_t *at = hash_map_place(&t->locals, f[0]);
	if (at && !*at)
		*at = (uint32_t)f[1];
	return at != NULL;
}

static struct err *record_block(struct trace *t, const struct block_ref *ref,
				bool (*fn)(struct trace *, const uint64_t *))
{
	uint8_t *raw = reader_load(t->reader, ref);
	if (!raw)
		return bad_block(t, ref);
	struct record_iter it = { .p = raw, .end = raw + ref->raw_bytes };
	bool ok = true;
	while (ok && record_next(&it))
		ok = fn(t, it.field);
	ok = ok && it.p == it.end;
	free(raw);
	return ok ? NULL : bad_block(t, ref);
}

static struct err *about_block(struct trace *t, const struct block_ref *ref)
{
	uint8_t *raw = reader_load(t->reader, ref);
	if (!raw)
		return bad_block(t, ref);
	const uint8_t *p = raw, *end = raw + ref->raw_bytes;
	char **texts[] = { &t->creator, &t->host, &t->boot_id };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		uint64_t n;
		if (!varint_get(&p, end, &n) || n > (uint64_t)(end - p))
			break;
		char *text = strndup((const char *)p, (size_t)n);
		if (text) {
			free(*texts[i]);
			*texts[i] = text;
		}
		p += n;
	}
	free(raw);
	return NULL;
}

/* ---- events ---- */

static struct chunk_slot *chunk_slot_for(struct trace *t, uint64_t seq)
{
	uint64_t chunk = seq >> TRACE_CHUNK_SHIFT;
	if (chunk < t->chunks.n)
		return t->chunks.v[chunk];
	struct chunk_slot *slot = calloc(1, sizeof(*slot));
	if (!slot || !vec_push(&t->chunks, slot)) {
		free(slot);
		return NULL;
	}
	slot->min_ns = UINT64_MAX;
	if (t->chunks.n > 1) {
		slot->args_end = t->chunks.v[t->chunks.n - 2]->args_end;
		slot->stack_end = t->chunks.v[t->chunks.n - 2]->stack_end;
	}
	return slot;
}

static bool count_add(struct local_map *map, uint32_t epoch, uint32_t id, uint32_t count,
		      u32_vec *ids, u32_vec *counts, uint64_t *totals)
{
	totals[id] += count;
	return chunk_map_index(map, epoch, id, ids, counts, count) != UINT32_MAX;
}

/* Add rows for a lost block: name 0, thread 0, so that all later rows keep their numbers. */
static bool hole_add(struct trace *t, uint64_t n)
{
	while (n) {
		struct chunk_slot *slot = chunk_slot_for(t, t->n_events);
		uint32_t room = TRACE_CHUNK - (uint32_t)(t->n_events & (TRACE_CHUNK - 1));
		struct event_ref hole = { .n = n < room ? (uint32_t)n : room };
		if (!slot || !vec_push(&slot->blocks, hole))
			return false;
		uint32_t epoch = (uint32_t)(t->n_events >> TRACE_CHUNK_SHIFT) + 1;
		if (!count_add(&t->name_map, epoch, 0, hole.n, &slot->names, &slot->name_n,
			       t->count_by_name.v) ||
		    !count_add(&t->thread_map, epoch, 0, hole.n, &slot->threads, &slot->thread_n,
			       t->count_by_thread.v))
			return false;
		slot->n += hole.n;
		t->n_events += hole.n;
		t->n_lost_rows += hole.n;
		n -= hole.n;
	}
	return true;
}

/* Make sure that there is a thread 0 of a process 0 to refer to. */
static bool thread_exists(struct trace *t)
{
	if (t->processes.n == 0 &&
	    !vec_push(&t->processes, (struct process_info){ .exit_status = -1 }))
		return false;
	return t->threads.n || thread_add(t, (struct thread_info){ 0 });
}

static struct err *event_block(struct trace *t, const struct block_header *h,
			       const struct block_ref *ref, const uint8_t *meta)
{
	struct event_meta m;
	if (!chunk_event_parse(meta, h->meta_bytes, &m) || m.first_seq < t->n_events ||
	    m.first_seq - t->n_events > (n_bytes_missing(t) + EVENT_BLOCK_BYTES_MIN - 1) /
					    EVENT_BLOCK_BYTES_MIN * TRACE_CHUNK)
		return bad_block(t, ref);
	if (!thread_exists(t) || !hole_add(t, m.first_seq - t->n_events))
		return err_no_memory();
	struct chunk_slot *slot = chunk_slot_for(t, t->n_events);
	struct event_ref event_ref = { *ref, m.n };
	if (!slot || !vec_push(&slot->blocks, event_ref))
		return err_no_memory();
	uint32_t epoch = (uint32_t)(t->n_events >> TRACE_CHUNK_SHIFT) + 1;
	const uint8_t *p = m.names;
	for (uint32_t i = 0; i < m.n_names + m.n_threads; i++) {
		uint32_t id = 0, count = 0;
		if (i == m.n_names)
			p = m.threads;
		if (!varint_get_u32(&p, m.end, &id) || !varint_get_u32(&p, m.end, &count))
			break; /* impossible: chunk_event_parse() read the same bytes */
		bool ok;
		if (i < m.n_names) {
			id = id < t->names.n ? id : 0;
			ok = count_add(&t->name_map, epoch, id, count, &slot->names, &slot->name_n,
				       t->count_by_name.v);
		} else {
			/* Not in the argument list: it may move count_by_thread, and the order of
			 * evaluation is undefined. */
			id = threads_fill(t, (uint64_t)id + 1) ? id : 0;
			ok = count_add(&t->thread_map, epoch, id, count, &slot->threads,
				       &slot->thread_n, t->count_by_thread.v);
		}
		if (!ok)
			return err_no_memory();
	}
	slot->min_ns = m.min_ns < slot->min_ns ? m.min_ns : slot->min_ns;
	slot->max_ns = m.max_ns > slot->max_ns ? m.max_ns : slot->max_ns;
	slot->args_end = m.args_end > slot->args_end ? m.args_end : slot->args_end;
	slot->stack_end = m.stack_end > slot->stack_end ? m.stack_end : slot->stack_end;
	if (t->about.first_ns == 0 && t->about.last_ns == 0)
		t->about.first_ns = m.min_ns;
	t->about.first_ns = m.min_ns < t->about.first_ns ? m.min_ns : t->about.first_ns;
	t->about.last_ns = m.max_ns > t->about.last_ns ? m.max_ns : t->about.last_ns;
	slot->n += m.n;
	t->n_events += m.n;
	return NULL;
}

struct err *trace_index_block(void *trace, const struct block_header *h,
			      const struct block_ref *ref, const uint8_t *meta)
{
	struct trace *t = trace;
	switch (h->type) {
	case BLOCK_ABOUT: return about_block(t, ref);
	case BLOCK_STRING: return dictionary_block(t, PAGE_STRING, h, ref, meta);
	case BLOCK_VALUE: return dictionary_block(t, PAGE_VALUE, h, ref, meta);
	case BLOCK_FRAME: return dictionary_block(t, PAGE_FRAME, h, ref, meta);
	case BLOCK_STACK: return dictionary_block(t, PAGE_STACK, h, ref, meta);
	case BLOCK_NAME: return name_block(t, h, ref, meta);
	case BLOCK_HOST: return record_block(t, ref, host_record);
	case BLOCK_PROCESS: return record_block(t, ref, process_record);
	case BLOCK_THREAD: return record_block(t, ref, thread_record);
	case BLOCK_NOTE: return record_block(t, ref, note_record);
	case BLOCK_LOCALS: return record_block(t, ref, locals_record);
	case BLOCK_EVENT: return event_block(t, h, ref, meta);
	/* a type of a later version: it can be skipped, else features_required would be set */
	default: return NULL;
	}
}

void trace_index_fini(struct trace *t)
{
	for (size_t i = 0; i < t->chunks.n; i++)
		chunk_slot_destroy(t->chunks.v[i]);
	vec_fini(&t->chunks);
	for (int kind = 0; kind < PAGE_KIND_COUNT; kind++)
		page_table_fini(&t->pages[kind]);
	vec_fini(&t->name_map.of_id);
	vec_fini(&t->thread_map.of_id);
	arena_fini(&t->name_texts);
	vec_fini(&t->names);
	hash_map_fini(&t->ids_by_name);
	vec_fini(&t->count_by_name);
	vec_fini(&t->count_by_thread);
	vec_fini(&t->hosts);
	vec_fini(&t->processes);
	vec_fini(&t->parents);
	vec_fini(&t->threads);
	vec_fini(&t->notes);
	vec_fini(&t->counted);
	hash_map_fini(&t->counted_index);
	hash_map_fini(&t->locals);
}
