/*
 * writer: see writer.h. Interns entries, collects new ones in one page per dictionary and events in
 * columns, and passes full pages to the sink. A page is written before anything that refers to it:
 *
 *     string ◀─ frame ◀─ stack ◀─┐
 *        ▲  ▲── name  ◀──────────┤
 *     value ◀── process ◀─ thread ◀── event, note
 */
#include "capture/writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "base/new_file.h"
#include "base/value.h"
#include "base/vec.h"
#include "capture/block.h"
#include "capture/column.h"
#include "capture/dictionary.h"
#include "capture/sink.h"
#include "capture/value_scan.h"

/* of strings or values; a reader decompresses that much to see one of them */
#define PAGE_BYTES        (128u << 10)
#define PAGE_ENTRIES      4096u
#define STACK_ENTRIES     16384u
#define OBJECTS_PER_BLOCK (128u << 10)
#define OBJECTS_PER_EVENT 0xffffu
/* a container inside a value becomes an entry of its own from this size */
#define VALUE_SPLIT_BYTES 32u
/* A stack or value that a program repeats is found again; one that occurred once (a path, an
 * address, a recursive stack) can be forgotten. Each generation has half as many entries, 24 bytes
 * a slot. Strings and frames come from the program's text and readers compare their ids, so they
 * are never forgotten. */
#define VALUE_SLOTS_MAX (1u << 17)
#define STACK_SLOTS_MAX (1u << 17)

typedef VEC(uint32_t) u32_vec;

struct text_page { /* of strings or values */
	uint32_t first;
	u32_vec lengths;
	struct strbuf bytes;
};

struct local {
	uint32_t epoch, id, index; /* free unless the epoch is that of the current block */
};
#define LOCAL_SLOTS (2 * EVENTS_PER_BLOCK)
/* Names or threads of the current block; its size does not depend on how many threads there are. */
struct local_table {
	/* open addressing starting at the id: ids that are in use at the same time are
	 * neighbours */
	struct local slots[LOCAL_SLOTS];
	uint32_t n;
	uint32_t ids[EVENTS_PER_BLOCK], counts[EVENTS_PER_BLOCK];
};

struct event_columns {
	uint64_t first_seq;
	uint32_t n, n_objects;
	uint32_t epoch;
	uint64_t time_ns[EVENTS_PER_BLOCK];
	uint16_t name[EVENTS_PER_BLOCK], thread[EVENTS_PER_BLOCK];
	uint32_t args[EVENTS_PER_BLOCK], stack[EVENTS_PER_BLOCK];
	uint8_t flags[EVENTS_PER_BLOCK];
	uint16_t object_counts[EVENTS_PER_BLOCK];
	uint64_t objects[OBJECTS_PER_BLOCK + OBJECTS_PER_EVENT];
	struct local_table names, threads;
};

struct pending_note {
	struct note_info info;
	uint64_t seq;
};

struct writer {
	struct sink *sink;
	uint64_t seed;
	struct dictionary strings, values, frames, stacks;
	struct text_page string_page, value_page;
	u32_vec name_of_string; /* name id by string id */
	u32_vec new_names;      /* string ids of the names since the last NAME block */
	uint32_t n_names, first_new_name;
	VEC(struct frame_info) frame_page;
	uint32_t frame_first;
	u32_vec stack_parents, stack_frames;
	uint32_t stack_first;
	struct strbuf processes, threads, notes; /* records */
	/* a note's place is final only when the place of the events around it is */
	VEC(struct pending_note) pending;
	uint32_t n_processes, n_threads;
	struct strbuf meta, raw; /* scratch */
	struct writer_gate gate;
	struct event_columns *kept; /* scratch, used with a gate */
	bool is_over;
	struct event_columns *events;
	uint64_t n_written; /* events in blocks that were written to the file */
	uint64_t n_refused; /* events that were passed in after the writer broke */
};

static void meta_add(struct strbuf *b, uint64_t v)
{
	uint8_t bytes[VARINT_MAX];
	strbuf_add(b, bytes, varint_put(bytes, v));
}

static void scratch_clear(struct writer *w)
{
	strbuf_clear(&w->meta);
	strbuf_clear(&w->raw);
}

/* ---- pages ---- */

static void text_page_flush(struct writer *w, enum block_type type, struct text_page *page)
{
	if (!page->lengths.n)
		return;
	scratch_clear(w);
	meta_add(&w->meta, page->first);
	meta_add(&w->meta, page->lengths.n);
	column_encode(&w->raw, 1, page->lengths.v, 4, page->lengths.n);
	strbuf_add(&w->raw, page->bytes.s, page->bytes.n);
	if (page->bytes.failed)
		sink_break(w->sink);
	sink_block(w->sink, type, &w->meta, &w->raw);
	page->first += (uint32_t)page->lengths.n;
	page->lengths.n = 0;
	strbuf_clear(&page->bytes);
}

static void text_page_add(struct writer *w, enum block_type type, struct text_page *page,
			  const void *bytes, size_t n_bytes)
{
	if (!vec_push(&page->lengths, (uint32_t)n_bytes)) {
		sink_break(w->sink);
		return;
	}
	strbuf_add(&page->bytes, bytes, n_bytes);
	if (page->bytes.n >= PAGE_BYTES || page->lengths.n >= PAGE_ENTRIES)
		text_page_flush(w, type, page);
}

static void strings_flush(struct writer *w)
{
	text_page_flush(w, BLOCK_STRING, &w->string_page);
}

static void values_flush(struct writer *w)
{
	text_page_flush(w, BLOCK_VALUE, &w->value_page);
}

static void names_flush(struct writer *w)
{
	if (!w->new_names.n)
		return;
	strings_flush(w);
	scratch_clear(w);
	meta_add(&w->meta, w->first_new_name);
	meta_add(&w->meta, w->new_names.n);
	column_encode(&w->raw, 1, w->new_names.v, 4, w->new_names.n);
	sink_block(w->sink, BLOCK_NAME, &w->meta, &w->raw);
	w->first_new_name += (uint32_t)w->new_names.n;
	w->new_names.n = 0;
}

static void frames_flush(struct writer *w)
{
	size_t n = w->frame_page.n;
	if (!n)
		return;
	strings_flush(w);
	scratch_clear(w);
	meta_add(&w->meta, w->frame_first);
	meta_add(&w->meta, n);
	uint32_t *column = malloc(n * sizeof(uint32_t));
	uint64_t *offsets = malloc(n * sizeof(uint64_t));
	if (!column || !offsets) {
		sink_break(w->sink);
		free(column);
		free(offsets);
		return;
	}
	const struct frame_info *f = w->frame_page.v;
#define FRAME_COLUMN(id, member)                                                                   \
	do {                                                                                       \
		for (size_t i = 0; i < n; i++)                                                     \
			column[i] = (uint32_t)f[i].member;                                         \
		column_encode(&w->raw, id, column, 4, n);                                          \
	} while (0)
	FRAME_COLUMN(FRAME_COLUMN_KIND, kind);
	FRAME_COLUMN(FRAME_COLUMN_FUNCTION, function);
	FRAME_COLUMN(FRAME_COLUMN_FILE, file);
	FRAME_COLUMN(FRAME_COLUMN_MODULE, module);
	FRAME_COLUMN(FRAME_COLUMN_LINE, line);
	FRAME_COLUMN(FRAME_COLUMN_END_LINE, end_line);
	FRAME_COLUMN(FRAME_COLUMN_COLUMN, column);
	FRAME_COLUMN(FRAME_COLUMN_END_COLUMN, end_column);
	FRAME_COLUMN(FRAME_COLUMN_FIRST_LINE, first_line);
#undef FRAME_COLUMN
	for (size_t i = 0; i < n; i++)
		offsets[i] = f[i].offset;
	column_encode(&w->raw, FRAME_COLUMN_OFFSET, offsets, 8, n);
	free(column);
	free(offsets);
	sink_block(w->sink, BLOCK_FRAME, &w->meta, &w->raw);
	w->frame_first += (uint32_t)n;
	w->frame_page.n = 0;
}

static void stacks_flush(struct writer *w)
{
	size_t n = w->stack_parents.n;
	if (!n)
		return;
	frames_flush(w);
	scratch_clear(w);
	meta_add(&w->meta, w->stack_first);
	meta_add(&w->meta, n);
	/* stored as the distance to the parent; a root has its own id */
	for (size_t i = 0; i < n; i++)
		w->stack_parents.v[i] = w->stack_first + (uint32_t)i - w->stack_parents.v[i];
	column_encode(&w->raw, STACK_COLUMN_PARENT, w->stack_parents.v, 4, n);
	column_encode_delta(&w->raw, STACK_COLUMN_FRAME, w->stack_frames.v, 4, n);
	sink_block(w->sink, BLOCK_STACK, &w->meta, &w->raw);
	w->stack_first += (uint32_t)n;
	w->stack_parents.n = w->stack_frames.n = 0;
}

static void records_flush(struct writer *w, enum block_type type, struct strbuf *records)
{
	if (!records->n && !records->failed)
		return;
	strings_flush(w);
	values_flush(w);
	strbuf_clear(&w->meta);
	sink_block(w->sink, type, &w->meta, records);
	strbuf_clear(records);
}

void writer_discard(struct writer *w)
{
	if (!w)
		return;
	sink_discard(w->sink);
	w->sink = NULL;
	writer_destroy(w);
}

static void everything_flush(struct writer *w);

/* A record: a varint length, then its fields as varints. Readers ignore fields that they do not
 * know. */
static void record_encode(struct strbuf *to, const uint64_t *fields, size_t n)
{
	uint8_t bytes[24 * VARINT_MAX];
	size_t n_bytes = 0;
	for (size_t i = 0; i < n; i++)
		n_bytes += varint_put(bytes + n_bytes, fields[i]);
	meta_add(to, n_bytes);
	strbuf_add(to, bytes, n_bytes);
}

static void record_add(struct writer *w, struct strbuf *to, const uint64_t *fields, size_t n)
{
	record_encode(to, fields, n);
	if (to->n >= PAGE_BYTES)
		everything_flush(w);
}

/* ---- interning ---- */

uint32_t writer_string(struct writer *w, const char *s, size_t n_bytes)
{
	if (!s)
		return 0;
	if (n_bytes > VALUE_BYTES_MAX)
		n_bytes = VALUE_BYTES_MAX;
	struct dictionary_key key = dictionary_hash(s, n_bytes, w->seed);
	uint32_t id = dictionary_find(&w->strings, key);
	if (id)
		return id;
	id = dictionary_add(&w->strings, key);
	if (!id)
		sink_break(w->sink);
	else
		text_page_add(w, BLOCK_STRING, &w->string_page, s, n_bytes);
	return id;
}

static uint32_t value_intern(struct writer *w, const uint8_t *bytes, size_t n_bytes,
			     unsigned depth);

/* Append the value to *to with every big container inside it replaced by a REF. False: there was
 * nothing to replace. */
static bool value_split(struct writer *w, const uint8_t *bytes, const uint8_t *end, unsigned depth,
			struct strbuf *to)
{
	const uint8_t *p;
	uint64_t n;
	if (depth > VALUE_SCAN_DEPTH || value_scan_end(bytes, end) != end ||
	    !value_scan_container(bytes, end, &p, &n))
		return false;
	const uint8_t *copied = bytes;
	for (uint64_t i = 0; i < n; i++) {
		const uint8_t *next = value_scan_end(p, end);
		if (value_is_container(*p) && next - p >= (ptrdiff_t)VALUE_SPLIT_BYTES) {
			uint32_t id = value_intern(w, p, (size_t)(next - p), depth + 1);
			strbuf_add(to, copied, (size_t)(p - copied));
			strbuf_addc(to, VALUE_REF);
			meta_add(to, id);
			copied = next;
		}
		p = next;
	}
	if (copied == bytes)
		return false;
	strbuf_add(to, copied, (size_t)(end - copied));
	return !to->failed;
}

static uint32_t value_add(struct writer *w, struct dictionary_key key, const void *bytes,
			  size_t n_bytes)
{
	uint32_t id = dictionary_add(&w->values, key);
	if (!id)
		sink_break(w->sink);
	else
		text_page_add(w, BLOCK_VALUE, &w->value_page, bytes, n_bytes);
	return id;
}

static uint32_t value_intern(struct writer *w, const uint8_t *bytes, size_t n_bytes, unsigned depth)
{
	struct dictionary_key key = dictionary_hash(bytes, n_bytes, w->seed);
	uint32_t id = dictionary_find(&w->values, key);
	if (id)
		return id;
	struct strbuf parts = { 0 };
	if (n_bytes > VALUE_SPLIT_BYTES && value_split(w, bytes, bytes + n_bytes, depth, &parts)) {
		struct dictionary_key short_key = dictionary_hash(parts.s, parts.n, w->seed);
		id = dictionary_find(&w->values, short_key);
		if (!id)
			id = value_add(w, short_key, parts.s, parts.n);
		if (id && !dictionary_alias(&w->values, key, id))
			sink_break(w->sink);
	} else {
		id = value_add(w, key, bytes, n_bytes);
	}
	strbuf_fini(&parts);
	return id;
}

uint32_t writer_value(struct writer *w, const void *bytes, size_t n_bytes)
{
	static const uint8_t unreadable[] = { VALUE_TUPLE, 1, 1, VALUE_UNREADABLE };
	if (n_bytes > VALUE_BYTES_MAX) /* no ring can hold a value of that size */
		return value_intern(w, unreadable, sizeof(unreadable), 0);
	return value_intern(w, bytes, n_bytes, 0);
}

uint32_t writer_frame(struct writer *w, const struct frame_info *frame)
{
	struct { /* no padding, so that equal frames have equal bytes */
		uint64_t offset;
		uint32_t kind, function, file, module, line, end_line, column, end_column,
		    first_line, zero;
	} content = { frame->offset,
		      (uint32_t)frame->kind,
		      frame->function,
		      frame->file,
		      frame->module,
		      frame->line,
		      frame->end_line,
		      frame->column,
		      frame->end_column,
		      frame->first_line,
		      0 };
	struct dictionary_key key = dictionary_hash(&content, sizeof(content), w->seed);
	uint32_t id = dictionary_find(&w->frames, key);
	if (id)
		return id;
	id = dictionary_add(&w->frames, key);
	if (!id || !vec_push(&w->frame_page, *frame))
		sink_break(w->sink);
	else if (w->frame_page.n >= PAGE_ENTRIES)
		frames_flush(w);
	return id;
}

uint32_t writer_stack(struct writer *w, uint32_t parent_stack, uint32_t frame)
{
	struct dictionary_key key = dictionary_pair(parent_stack, frame);
	uint32_t id = dictionary_find(&w->stacks, key);
	if (id)
		return id;
	id = dictionary_add(&w->stacks, key);
	if (parent_stack >= id)
		parent_stack = 0;
	if (!id || !vec_push(&w->stack_parents, parent_stack) || !vec_push(&w->stack_frames, frame))
		sink_break(w->sink);
	else if (w->stack_parents.n >= STACK_ENTRIES)
		stacks_flush(w);
	return id;
}

/* ---- processes, threads, notes ---- */

static void process_add(struct writer *w, uint32_t index, const struct process_info *p)
{
	const uint64_t fields[] = {
		index,      p->pid,      p->ns_pid,   p->ppid,   p->python_hex,
		p->python,  p->exe,      p->cwd,      p->name,   p->argv,
		p->environ, p->prefixes, p->start_ns, p->end_ns, zigzag(p->exit_status),
		p->flags,   p->n_events, p->n_lost,
	};
	record_add(w, &w->processes, fields, ARRAY_LEN(fields));
}

uint32_t writer_process(struct writer *w, const struct process_info *p)
{
	process_add(w, w->n_processes, p);
	return w->n_processes++;
}

void writer_process_update(struct writer *w, uint32_t process, const struct process_info *p)
{
	if (process < w->n_processes)
		process_add(w, process, p);
}

static void thread_add(struct writer *w, uint32_t index, const struct thread_info *t)
{
	const uint64_t fields[] = {
		index,          t->process, t->tid,
		t->interpreter, t->name,    t->ns_tid == t->tid ? 0 : t->ns_tid
	};
	record_add(w, &w->threads, fields, ARRAY_LEN(fields));
}

uint32_t writer_thread(struct writer *w, const struct thread_info *t)
{
	thread_add(w, w->n_threads, t);
	return w->n_threads++;
}

void writer_thread_update(struct writer *w, uint32_t thread, const struct thread_info *t)
{
	if (thread < w->n_threads)
		thread_add(w, thread, t);
}

void writer_note(struct writer *w, const struct note_info *n)
{
	struct pending_note pending = { *n, writer_n_events(w) };
	if (writer_is_broken(w))
		return;
	if (!vec_push(&w->pending, pending))
		sink_break(w->sink);
	else if (w->pending.n >= PAGE_ENTRIES)
		everything_flush(w);
}

static void notes_flush(struct writer *w)
{
	for (size_t i = 0; i < w->pending.n; i++) {
		const struct note_info *n = &w->pending.v[i].info;
		uint64_t last = writer_n_events(w), seq = w->pending.v[i].seq;
		const uint64_t fields[] = {
			(uint64_t)n->kind,
			n->time_ns,
			(uint64_t)n->process + 1,
			n->text,
			n->a,
			n->b,
			seq < last ? seq : last,
		};
		record_encode(&w->notes, fields, ARRAY_LEN(fields));
	}
	w->pending.n = 0;
	records_flush(w, BLOCK_NOTE, &w->notes);
}

/* ---- events ---- */

static void dictionaries_flush(struct writer *w)
{
	strings_flush(w);
	names_flush(w);
	stacks_flush(w);
	frames_flush(w);
	values_flush(w);
	records_flush(w, BLOCK_PROCESS, &w->processes);
	records_flush(w, BLOCK_THREAD, &w->threads);
}

static void local_table_meta(struct strbuf *meta, const struct local_table *table)
{
	meta_add(meta, table->n);
	for (uint32_t i = 0; i < table->n; i++) {
		meta_add(meta, table->ids[i]);
		meta_add(meta, table->counts[i]);
	}
}

/* Index of `id` in the table of this block. */
static uint32_t local_index(struct local_table *table, uint32_t epoch, uint32_t id)
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

/* Encode the current block into meta and raw. Overwrites the columns. */
static void events_encode(struct writer *w)
{
	struct event_columns *e = w->events;
	uint64_t min_ns = UINT64_MAX, max_ns = 0;
	for (uint32_t i = 0; i < e->n; i++) {
		min_ns = e->time_ns[i] < min_ns ? e->time_ns[i] : min_ns;
		max_ns = e->time_ns[i] > max_ns ? e->time_ns[i] : max_ns;
	}
	scratch_clear(w);
	meta_add(&w->meta, e->first_seq);
	meta_add(&w->meta, e->n);
	meta_add(&w->meta, min_ns);
	meta_add(&w->meta, max_ns - min_ns);
	meta_add(&w->meta, w->values.n + 1);
	meta_add(&w->meta, w->stacks.n + 1);
	local_table_meta(&w->meta, &e->names);
	local_table_meta(&w->meta, &e->threads);

	uint64_t before = min_ns;
	for (uint32_t i = 0; i < e->n; i++) {
		uint64_t now = e->time_ns[i];
		e->time_ns[i] = zigzag((int64_t)(now - before));
		before = now;
	}
	column_encode(&w->raw, COLUMN_TIME, e->time_ns, 8, e->n);
	column_encode(&w->raw, COLUMN_NAME, e->name, 2, e->n);
	column_encode(&w->raw, COLUMN_THREAD, e->thread, 2, e->n);
	column_encode_delta(&w->raw, COLUMN_ARGS, e->args, 4, e->n);
	column_encode_delta(&w->raw, COLUMN_STACK, e->stack, 4, e->n);
	column_encode(&w->raw, COLUMN_FLAGS, e->flags, 1, e->n);
	column_encode(&w->raw, COLUMN_N_OBJECTS, e->object_counts, 2, e->n);
	column_encode_delta(&w->raw, COLUMN_OBJECTS, e->objects, 8, e->n_objects);
}

static void events_next_block(struct event_columns *e)
{
	e->n = e->n_objects = 0;
	e->names.n = e->threads.n = 0;
	e->epoch++;
}

/* Restore the columns from a copy, with its first n events. */
static void events_restore(struct writer *w, const struct event_columns *from, uint32_t n)
{
	struct event_columns *e = w->events;
	events_next_block(e);
	for (uint32_t i = 0; i < n; i++) {
		e->name[i] = (uint16_t)local_index(&e->names, e->epoch,
						   from->names.ids[from->name[i]]);
		e->thread[i] = (uint16_t)local_index(&e->threads, e->epoch,
						     from->threads.ids[from->thread[i]]);
		e->n_objects += from->object_counts[i];
	}
	memcpy(e->time_ns, from->time_ns, n * sizeof(e->time_ns[0]));
	memcpy(e->args, from->args, n * sizeof(e->args[0]));
	memcpy(e->stack, from->stack, n * sizeof(e->stack[0]));
	memcpy(e->flags, from->flags, n * sizeof(e->flags[0]));
	memcpy(e->object_counts, from->object_counts, n * sizeof(e->object_counts[0]));
	memcpy(e->objects, from->objects, e->n_objects * sizeof(e->objects[0]));
	e->n = n;
}

/* Show the block to the gate, which may cut it, before readers can see it. False: nothing is left
 * to write. */
static bool events_pass_gate(struct writer *w)
{
	struct event_columns *e = w->events;
	uint64_t n_events = UINT64_MAX;
	memcpy(w->kept, e, sizeof(*e));
	events_encode(w);
	int fd = sink_copy_try(w->sink, BLOCK_EVENT, &w->meta, &w->raw);
	struct err *err = fd < 0 ? NULL : w->gate.fn(w->gate.ctx, fd, &n_events);
	if (err)
		sink_fail(w->sink, err);
	if (writer_is_broken(w))
		return false;
	if (n_events >= e->first_seq + e->n) {
		sink_copy_accept(w->sink, &w->meta);
		return false;
	}
	sink_copy_reject(w->sink);
	w->is_over = true;
	events_restore(w, w->kept,
		       n_events > e->first_seq ? (uint32_t)(n_events - e->first_seq) : 0);
	return e->n > 0;
}

static void events_flush(struct writer *w)
{
	struct event_columns *e = w->events;
	if (!e->n)
		return;
	dictionaries_flush(w);
	if (!w->gate.fn || w->is_over || events_pass_gate(w)) {
		events_encode(w);
		sink_block(w->sink, BLOCK_EVENT, &w->meta, &w->raw);
	}
	e->first_seq += e->n;
	if (!writer_is_broken(w))
		w->n_written = e->first_seq;
	events_next_block(e);
}

static uint32_t name_of_string(struct writer *w, uint32_t string)
{
	if (string >= w->name_of_string.n) {
		size_t more = (size_t)string + 1 - w->name_of_string.n;
		if (!vec_reserve(&w->name_of_string, more))
			return 0;
		memset(w->name_of_string.v + w->name_of_string.n, 0, more * sizeof(uint32_t));
		w->name_of_string.n += more;
	}
	uint32_t name = w->name_of_string.v[string];
	if (!name && string <= w->strings.n) {
		if (!vec_push(&w->new_names, string))
			return 0;
		name = ++w->n_names;
		w->name_of_string.v[string] = name;
	}
	return name;
}

void writer_event(struct writer *w, const struct event_info *info)
{
	struct event_columns *e = w->events;
	if (w->is_over)
		return;
	uint32_t name = writer_is_broken(w) ? 0 : name_of_string(w, info->name);
	if (!name) {
		w->n_refused++;
		sink_break(w->sink); /* if it was not broken before, memory is short */
		return;
	}
	uint32_t name_index = local_index(&e->names, e->epoch, name);
	uint32_t thread_index = local_index(&e->threads, e->epoch,
					    info->thread < w->n_threads ? info->thread : 0);
	uint32_t n_objects = info->n_objects < OBJECTS_PER_EVENT ? info->n_objects
								 : OBJECTS_PER_EVENT;
	uint32_t i = e->n++;
	e->time_ns[i] = info->time_ns;
	e->name[i] = (uint16_t)name_index;
	e->thread[i] = (uint16_t)thread_index;
	e->args[i] = info->args;
	e->stack[i] = info->stack;
	e->flags[i] = (uint8_t)info->flags;
	e->object_counts[i] = (uint16_t)n_objects;
	if (n_objects)
		memcpy(e->objects + e->n_objects, info->objects, n_objects * sizeof(uint64_t));
	e->n_objects += n_objects;
	if ((e->first_seq + e->n) % EVENTS_PER_BLOCK == 0 || e->n_objects >= OBJECTS_PER_BLOCK)
		events_flush(w);
}

/* ---- open, flush, close ---- */

struct err *writer_open(const char *path, const struct writer_options *options, struct writer **ret)
{
	struct new_file *file;
	struct err *err = new_file_open(path, options->is_hidden ? 0 : NEW_FILE_GROWS, &file);
	return err ? err : writer_open_file(file, options, ret);
}

struct err *writer_open_file(struct new_file *file, const struct writer_options *options,
			     struct writer **ret)
{
	struct writer *w = calloc(1, sizeof(*w));
	if (!w) {
		new_file_destroy(file);
		return err_no_memory();
	}
	*w = (struct writer){
		.seed = hash_map_seed(),
		.first_new_name = 1,
		.frame_first = 1,
		.stack_first = 1,
		.string_page.first = 1,
		.value_page.first = 1,
		.values.n_slots_max = VALUE_SLOTS_MAX,
		.stacks.n_slots_max = STACK_SLOTS_MAX,
	};
	w->events = calloc(1, sizeof(*w->events));
	if (!w->events) {
		new_file_destroy(file);
		writer_destroy(w);
		return err_no_memory();
	}
	w->events->epoch = 1;
	struct err *err = sink_open(file, options->wall_anchor_ns, options->no_compress, &w->sink);
	if (err) {
		writer_destroy(w);
		return err;
	}
	const char *texts[] = { options->creator, options->host };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		size_t n = texts[i] ? strnlen(texts[i], 4096) : 0;
		meta_add(&w->raw, n);
		strbuf_add(&w->raw, texts[i], n);
	}
	if (options->gate.fn) {
		w->gate = options->gate;
		w->kept = calloc(1, sizeof(*w->kept));
		err = w->kept ? sink_copy_open(w->sink) : err_no_memory();
	}
	if (!err) {
		sink_block(w->sink, BLOCK_ABOUT, &w->meta, &w->raw);
		err = sink_error_take(w->sink);
	}
	if (err) {
		writer_discard(w);
		return err;
	}
	*ret = w;
	return NULL;
}

void writer_destroy(struct writer *w)
{
	if (!w)
		return;
	sink_destroy(w->sink);
	dictionary_fini(&w->strings);
	dictionary_fini(&w->values);
	dictionary_fini(&w->frames);
	dictionary_fini(&w->stacks);
	vec_fini(&w->string_page.lengths);
	strbuf_fini(&w->string_page.bytes);
	vec_fini(&w->value_page.lengths);
	strbuf_fini(&w->value_page.bytes);
	vec_fini(&w->name_of_string);
	vec_fini(&w->new_names);
	vec_fini(&w->frame_page);
	vec_fini(&w->stack_parents);
	vec_fini(&w->stack_frames);
	strbuf_fini(&w->processes);
	strbuf_fini(&w->threads);
	strbuf_fini(&w->notes);
	strbuf_fini(&w->meta);
	strbuf_fini(&w->raw);
	vec_fini(&w->pending);
	free(w->kept);
	free(w->events);
	free(w);
}

static void everything_flush(struct writer *w)
{
	dictionaries_flush(w);
	events_flush(w);
	notes_flush(w);
}

struct err *writer_flush(struct writer *w)
{
	if (!writer_is_broken(w))
		everything_flush(w);
	return sink_error_take(w->sink);
}

struct err *writer_close(struct writer *w)
{
	if (!w)
		return NULL;
	if (!writer_is_broken(w))
		everything_flush(w);
	uint64_t n_events = writer_n_events(w);
	struct err *err = sink_close(w->sink, n_events);
	w->sink = NULL;
	writer_destroy(w);
	return err;
}

bool writer_is_broken(const struct writer *w)
{
	return sink_is_broken(w->sink);
}

bool writer_is_over(const struct writer *w)
{
	return w->is_over;
}

uint64_t writer_n_events(const struct writer *w)
{
	return w->events->first_seq + w->events->n;
}

uint64_t writer_n_written(const struct writer *w)
{
	return w->n_written;
}

uint64_t writer_n_unwritten(const struct writer *w)
{
	return writer_n_events(w) + w->n_refused - w->n_written;
}

uint64_t writer_n_bytes(const struct writer *w)
{
	return sink_n_bytes(w->sink);
}

const struct new_file *writer_file(const struct writer *w)
{
	return sink_file(w->sink);
}

const char *writer_note_kind_name(unsigned kind)
{
	static const char *const names[NOTE_KIND_COUNT] = {
		[NOTE_LOST] = "lost",         [NOTE_ATTACHED] = "attached",
		[NOTE_DETACHED] = "detached", [NOTE_PAUSED] = "paused",
		[NOTE_RESUMED] = "resumed",   [NOTE_EXITED] = "exited",
		[NOTE_EXEC] = "exec",         [NOTE_FINALISED] = "finalised",
		[NOTE_MESSAGE] = "message",   [NOTE_WARNING] = "warning",
		[NOTE_GOODBYE] = "goodbye",
	};
	return kind < NOTE_KIND_COUNT ? names[kind] : NULL;
}
