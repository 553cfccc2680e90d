/*
 * writer: see writer.h. Interns entries, collects new ones in pages (pages.h) and events in
 * columns, and passes full ones to the sink. A page is written before anything that refers to it:
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
#include "capture/dictionary.h"
#include "capture/event_columns.h"
#include "capture/pages.h"
#include "capture/sink.h"
#include "capture/turns.h"
#include "capture/value_scan.h"

/* a container inside a value becomes an entry of its own from this size */
#define VALUE_SPLIT_BYTES 32u
/* A stack or value that a program repeats is found again; one that occurred once (a path, an
 * address, a recursive stack) can be forgotten. Each generation has half as many entries, 24 bytes
 * a slot. Strings and frames come from the program's text and readers compare their ids, so they
 * are never forgotten. */
#define VALUE_SLOTS_MAX (1u << 17)
#define STACK_SLOTS_MAX (1u << 17)

struct pending_note {
	struct note_info info;
	uint64_t seq;
};

struct writer {
	struct sink *sink;
	uint64_t seed;
	struct dictionary strings, values, frames, stacks;
	struct pages pages;
	VEC(uint32_t) name_of_string; /* name id by string id */
	uint32_t n_names;
	struct strbuf hosts, processes, threads, notes, locals; /* records */
	/* a note's place is final only when the place of the events around it is */
	VEC(struct pending_note) pending;
	uint32_t n_processes, n_threads, n_hosts;
	struct turns turns;
	struct writer_options options; /* of the next file; the texts are in the arena of turns */
	struct writer_gate gate;
	struct event_columns *kept; /* scratch, used with a gate */
	bool is_over;
	struct event_columns *events;
	uint64_t n_written; /* events in blocks that were written to the file */
	uint64_t n_refused; /* events that were passed in after the writer broke */
};

/* ---- records ---- */

static void records_flush(struct writer *w, enum block_type type, struct strbuf *records)
{
	if (!records->n && !records->failed)
		return;
	pages_flush_texts(&w->pages);
	strbuf_clear(&w->pages.meta);
	sink_block(w->sink, type, &w->pages.meta, records);
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
	strbuf_add_varint(to, n_bytes);
	strbuf_add(to, bytes, n_bytes);
}

static void record_add(struct writer *w, struct strbuf *to, const uint64_t *fields, size_t n)
{
	record_encode(to, fields, n);
	if (to->n >= PAGES_BYTES)
		everything_flush(w);
}

/* ---- interning ---- */

/* ---- numbers in the current file (turns.h); without turns an id is that number ---- */

static uint32_t string_local(struct writer *w, uint32_t id)
{
	uint32_t local;
	if (!w->turns.is_on || !id || id > w->turns.strings.n)
		return id;
	struct kept_text *kept = &w->turns.strings.v[id - 1];
	if (!turns_place(&kept->place, w->turns.turn, &w->turns.n_strings, &local))
		pages_add_string(&w->pages, kept->s, kept->n_bytes);
	return local + 1;
}

static uint32_t frame_local(struct writer *w, uint32_t id)
{
	uint32_t local;
	if (!w->turns.is_on || !id || id > w->turns.frames.n)
		return id;
	struct kept_frame *kept = &w->turns.frames.v[id - 1];
	if (turns_place(&kept->place, w->turns.turn, &w->turns.n_frames, &local))
		return local + 1;
	struct frame_info frame = kept->info;
	frame.function = string_local(w, frame.function);
	frame.file = string_local(w, frame.file);
	frame.module = string_local(w, frame.module);
	pages_add_frame(&w->pages, &frame);
	return local + 1;
}

static uint32_t value_local(struct writer *w, uint32_t id)
{
	if (!w->turns.is_on || !id || id > w->turns.values.n)
		return id;
	const struct kept_text *kept = &w->turns.values.v[id - 1];
	return writer_value(w, kept->s, kept->n_bytes);
}

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
	if (!id || (w->turns.is_on && !turns_keep_string(&w->turns, s, n_bytes)))
		sink_break(w->sink);
	else if (!w->turns.is_on)
		pages_add_string(&w->pages, s, n_bytes);
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
			strbuf_add_varint(to, id);
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
		pages_add_value(&w->pages, bytes, n_bytes);
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

uint32_t writer_value_kept(struct writer *w, const void *bytes, size_t n_bytes)
{
	if (!w->turns.is_on)
		return writer_value(w, bytes, n_bytes);
	uint32_t id = turns_keep_value(&w->turns, bytes, n_bytes);
	if (!id)
		sink_break(w->sink);
	return id;
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
	struct kept_frame kept = { .info = *frame };
	if (!id || (w->turns.is_on && !vec_push(&w->turns.frames, kept)))
		sink_break(w->sink);
	else if (!w->turns.is_on)
		pages_add_frame(&w->pages, frame);
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
	if (!id)
		sink_break(w->sink);
	else
		pages_add_stack(&w->pages, parent_stack, frame_local(w, frame));
	return id;
}

/* ---- hosts, processes, threads, notes ---- */

uint32_t writer_host(struct writer *w, const struct host_info *h)
{
	const uint64_t fields[] = { ++w->n_hosts, h->name,  h->boot_id,
				    h->label,     h->flags, h->wall_anchor_ns };
	record_add(w, &w->hosts, fields, ARRAY_LEN(fields));
	return w->n_hosts;
}

static void process_add(struct writer *w, uint32_t index, const struct process_info *p)
{
	const uint64_t fields[] = {
		index,
		p->pid,
		p->ns_pid,
		p->ppid,
		p->python_hex,
		string_local(w, p->python),
		string_local(w, p->exe),
		string_local(w, p->cwd),
		string_local(w, p->name),
		value_local(w, p->argv),
		value_local(w, p->environ),
		value_local(w, p->prefixes),
		p->start_ns,
		p->end_ns,
		zigzag(p->exit_status),
		p->flags,
		p->n_events,
		p->n_lost,
		p->start_ticks,
		p->host,
		value_local(w, p->packages),
		string_local(w, p->project),
	};
	record_add(w, &w->processes, fields, ARRAY_LEN(fields));
}

/* The number of a process in the current file, which gets a record of it if it has none. */
static uint32_t process_local(struct writer *w, uint32_t index)
{
	uint32_t local;
	if (!w->turns.is_on || index >= w->turns.processes.n)
		return index;
	struct kept_process *kept = &w->turns.processes.v[index];
	if (!turns_place(&kept->place, w->turns.turn, &w->turns.n_processes, &local)) {
		struct process_info info = kept->info;
		process_add(w, local, &info);
	}
	return local;
}

uint32_t writer_process(struct writer *w, const struct process_info *p)
{
	struct kept_process kept = { .info = *p };
	uint32_t index = w->n_processes++;
	if (!w->turns.is_on)
		process_add(w, index, p);
	else if (vec_push(&w->turns.processes, kept))
		process_local(w, index);
	else
		sink_break(w->sink);
	return index;
}

void writer_process_update(struct writer *w, uint32_t process, const struct process_info *p)
{
	if (process >= w->n_processes)
		return;
	if (w->turns.is_on && process < w->turns.processes.n) {
		w->turns.processes.v[process].info = *p;
		process = process_local(w, process);
	}
	process_add(w, process, p);
}

static void thread_add(struct writer *w, uint32_t index, const struct thread_info *t)
{
	const uint64_t fields[] = {
		index,          process_local(w, t->process), t->tid,
		t->interpreter, string_local(w, t->name),     t->ns_tid == t->tid ? 0 : t->ns_tid,
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
	struct pending_note pending = { *n, writer_n_events(w) - w->turns.n_before };
	if (writer_is_broken(w))
		return;
	if (!vec_push(&w->pending, pending))
		sink_break(w->sink);
	else if (w->pending.n >= PAGES_ENTRIES)
		everything_flush(w);
}

static void notes_flush(struct writer *w)
{
	/* it may flush everything, and then there is nothing left to do */
	for (size_t i = 0; i < w->pending.n; i++)
		process_local(w, w->pending.v[i].info.process);
	if (w->turns.is_on)
		records_flush(w, BLOCK_PROCESS, &w->processes);
	for (size_t i = 0; i < w->pending.n; i++) {
		const struct note_info *n = &w->pending.v[i].info;
		uint64_t last = writer_n_events(w) - w->turns.n_before, seq = w->pending.v[i].seq;
		uint32_t process = n->process;
		if (process != UINT32_MAX)
			process = process_local(w, process);
		const uint64_t fields[] = {
			(uint64_t)n->kind,        n->time_ns, (uint64_t)process + 1,
			string_local(w, n->text), n->a,       n->b,
			seq < last ? seq : last,  n->host,
		};
		record_encode(&w->notes, fields, ARRAY_LEN(fields));
	}
	w->pending.n = 0;
	records_flush(w, BLOCK_NOTE, &w->notes);
}

/* ---- events ---- */

static void dictionaries_flush(struct writer *w)
{
	pages_flush(&w->pages);
	records_flush(w, BLOCK_HOST, &w->hosts);
	records_flush(w, BLOCK_PROCESS, &w->processes);
	records_flush(w, BLOCK_THREAD, &w->threads);
}

/* Show the block to the gate, which may cut it, before readers can see it. False: nothing is left
 * to write. */
static bool events_pass_gate(struct writer *w)
{
	struct event_columns *e = w->events;
	uint64_t n_events = UINT64_MAX;
	memcpy(w->kept, e, sizeof(*e));
	pages_clear_scratch(&w->pages);
	event_columns_encode(e, w->values.n, w->stacks.n, &w->pages.meta, &w->pages.raw);
	int fd = sink_copy_try(w->sink, BLOCK_EVENT, &w->pages.meta, &w->pages.raw);
	struct err *err = fd < 0 ? NULL : w->gate.fn(w->gate.ctx, fd, &n_events);
	if (err)
		sink_fail(w->sink, err);
	if (writer_is_broken(w))
		return false;
	if (n_events >= e->first_seq + e->n) {
		w->is_over = n_events !=
			     UINT64_MAX; /* the last event that is kept ends the block */
		sink_copy_accept(w->sink, &w->pages.meta);
		return false;
	}
	sink_copy_reject(w->sink);
	w->is_over = true;
	event_columns_restore(w->events, w->kept,
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
		pages_clear_scratch(&w->pages);
		event_columns_encode(e, w->values.n, w->stacks.n, &w->pages.meta, &w->pages.raw);
		sink_block(w->sink, BLOCK_EVENT, &w->pages.meta, &w->pages.raw);
	}
	e->first_seq += e->n;
	if (!writer_is_broken(w))
		w->n_written = w->turns.n_before + e->first_seq;
	event_columns_next(e);
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
		if (!pages_add_name(&w->pages, string_local(w, string)))
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
	uint32_t name_index = event_columns_local(&e->names, e->epoch, name);
	uint32_t thread_index = event_columns_local(&e->threads, e->epoch,
						    info->thread < w->n_threads ? info->thread : 0);
	uint32_t n_objects = info->n_objects < EVENT_OBJECTS_MAX ? info->n_objects
								 : EVENT_OBJECTS_MAX;
	uint32_t i = e->n++;
	e->time_ns[i] = info->time_ns;
	e->name[i] = (uint16_t)name_index;
	e->thread[i] = (uint16_t)thread_index;
	e->args[i] = info->args;
	e->stack[i] = info->stack;
	e->descriptors[i] = info->descriptors;
	e->task[i] = info->task;
	e->flags[i] = (uint8_t)info->flags;
	e->object_counts[i] = (uint16_t)n_objects;
	if (n_objects)
		memcpy(e->objects + e->n_objects, info->objects, n_objects * sizeof(uint64_t));
	e->n_objects += n_objects;
	if ((e->first_seq + e->n) % EVENTS_PER_BLOCK == 0 ||
	    e->n_objects >= EVENT_OBJECTS_PER_BLOCK)
		events_flush(w);
}

void writer_event_doubt(struct writer *w, uint64_t seq)
{
	struct event_columns *e = w->events;
	uint64_t first = w->turns.n_before + e->first_seq;
	if (seq >= first && seq - first < e->n)
		e->descriptors[seq - first] = 0;
}

void writer_event_locals(struct writer *w, uint64_t seq, uint32_t value)
{
	const uint64_t fields[] = { seq, value };
	if (value && !writer_is_broken(w))
		record_add(w, &w->locals, fields, ARRAY_LEN(fields));
}

/* ---- open, flush, close ---- */

struct err *writer_open(const char *path, const struct writer_options *options, struct writer **ret)
{
	struct new_file *file;
	struct err *err = new_file_open(path, options->is_hidden ? 0 : NEW_FILE_GROWS, &file);
	return err ? err : writer_open_file(file, options, ret);
}

static bool needs_copy(const struct writer *w)
{
	return w->gate.fn || w->options.shows;
}

static void about_write(struct writer *w)
{
	const char *texts[] = { w->options.creator, w->options.host, w->options.boot_id };
	pages_clear_scratch(&w->pages);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		size_t n = texts[i] ? strlen(texts[i]) : 0;
		strbuf_add_varint(&w->pages.raw, n);
		strbuf_add(&w->pages.raw, texts[i], n);
	}
	sink_block(w->sink, BLOCK_ABOUT, &w->pages.meta, &w->pages.raw);
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
	pages_restart(&w->pages);
	struct err *err = sink_open(file, options->wall_anchor_ns, options->no_compress, &w->sink);
	if (err) {
		writer_destroy(w);
		return err;
	}
	w->pages.sink = w->sink;
	sink_set_wait(w->sink, options->wait);
	if (options->is_in_hurry)
		sink_hurry(w->sink, true);
	if (options->turns) {
		w->turns.is_on = true;
		w->turns.turn = 1;
	}
	w->options = *options;
	const char **texts[] = { &w->options.creator, &w->options.host, &w->options.boot_id };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (*texts[i] && !(*texts[i] = arena_strndup(&w->turns.texts, *texts[i],
							     strnlen(*texts[i], 4096)))) {
			writer_discard(w);
			return err_no_memory();
		}
	if (options->gate.fn) {
		w->gate = options->gate;
		w->kept = calloc(1, sizeof(*w->kept));
		err = w->kept ? NULL : err_no_memory();
	}
	if (!err && needs_copy(w))
		err = sink_copy_open(w->sink);
	if (!err) {
		about_write(w);
		if (!sink_has_no_reader(w->sink)) /* sink_open() says why */
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
	pages_fini(&w->pages);
	vec_fini(&w->name_of_string);
	strbuf_fini(&w->hosts);
	strbuf_fini(&w->processes);
	strbuf_fini(&w->threads);
	strbuf_fini(&w->notes);
	strbuf_fini(&w->locals);
	vec_fini(&w->pending);
	turns_fini(&w->turns);
	free(w->kept);
	free(w->events);
	free(w);
}

static void everything_flush(struct writer *w)
{
	dictionaries_flush(w);
	events_flush(w);
	notes_flush(w);
	records_flush(w, BLOCK_LOCALS, &w->locals);
}

struct err *writer_flush(struct writer *w)
{
	if (!writer_is_broken(w))
		everything_flush(w);
	return sink_error_take(w->sink);
}

bool writer_has_news(const struct writer *w)
{
	return w->processes.n || w->threads.n || w->notes.n || w->pending.n || w->locals.n;
}

int writer_show(struct writer *w)
{
	if (!writer_is_broken(w))
		everything_flush(w);
	if (w->is_over || writer_is_broken(w))
		return -1;
	/* A file can be read itself. Into a pipe, and behind a gate, there is a copy. */
	return needs_copy(w)                            ? sink_copy_fd(w->sink)
	       : new_file_is_stream(sink_file(w->sink)) ? -1
							: new_file_fd(sink_file(w->sink));
}

struct err *writer_close(struct writer *w)
{
	if (!w)
		return NULL;
	if (!writer_is_broken(w))
		everything_flush(w);
	uint64_t n_events = writer_n_events(w);
	struct err *err = sink_close(w->sink, n_events - w->turns.n_before);
	w->sink = NULL;
	writer_destroy(w);
	return err;
}

/* Everything is flushed. Forget the numbers that the entries have in this file. */
static void file_forget(struct writer *w)
{
	w->turns.n_before += w->events->first_seq;
	w->events->first_seq = 0;
	w->turns.turn++;
	w->turns.n_strings = w->turns.n_frames = w->turns.n_processes = 0;
	pages_restart(&w->pages);
	w->n_names = 0;
	w->name_of_string.n = 0;
	w->n_threads = 0;
	dictionary_fini(&w->values);
	dictionary_fini(&w->stacks);
	w->values = (struct dictionary){ .n_slots_max = VALUE_SLOTS_MAX };
	w->stacks = (struct dictionary){ .n_slots_max = STACK_SLOTS_MAX };
}

struct err *writer_turn(struct writer *w, struct new_file *file)
{
	struct sink *next = NULL;
	if (!writer_is_broken(w))
		everything_flush(w);
	struct err *err = sink_error_take(w->sink);
	if (err || writer_is_broken(w) || w->is_over) {
		new_file_destroy(file);
		return err;
	}
	/* If the next file cannot be begun, this one stays as it is, and is the last one. */
	err = sink_open(file, w->options.wall_anchor_ns, w->options.no_compress, &next);
	if (!err && needs_copy(w))
		err = sink_copy_open(next);
	if (err) {
		sink_discard(next);
		sink_fail(w->sink, err);
		return sink_error_take(w->sink);
	}
	err = sink_close(w->sink, w->events->first_seq);
	w->sink = w->pages.sink = next;
	file_forget(w);
	if (err)
		sink_fail(w->sink, err);
	if (w->gate.fn && w->gate.turned)
		w->gate.turned(w->gate.ctx);
	about_write(w);
	/* those that live, so that this file has the family of its processes */
	for (uint32_t i = 0; i < w->turns.processes.n; i++)
		if (!w->turns.processes.v[i].info.end_ns)
			process_local(w, i);
	return sink_error_take(w->sink);
}

void writer_hurry(struct writer *w, bool on)
{
	sink_hurry(w->sink, on);
}

size_t writer_n_waiting(const struct writer *w)
{
	return sink_n_waiting(w->sink);
}

void writer_push(struct writer *w)
{
	sink_push(w->sink);
}

int writer_stream_fd(const struct writer *w)
{
	return sink_stream_fd(w->sink);
}

void writer_reader_left(struct writer *w)
{
	sink_reader_left(w->sink);
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
	return w->turns.n_before + w->events->first_seq + w->events->n;
}

uint64_t writer_n_in_file(const struct writer *w)
{
	return w->events->first_seq + w->events->n;
}

uint64_t writer_n_before(const struct writer *w)
{
	return w->turns.n_before;
}

void writer_fail(struct writer *w, struct err *err)
{
	sink_fail(w->sink, err);
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
		[NOTE_GOODBYE] = "goodbye",   [NOTE_COUNTED] = "counted",
	};
	return kind < NOTE_KIND_COUNT ? names[kind] : NULL;
}
