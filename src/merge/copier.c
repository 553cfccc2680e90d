/*
 * copier: see copier.h.
 */
#include "merge/copier.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/value.h"
#include "base/vec.h"
#include "capture/block.h"
#include "capture/value_scan.h"
#include "capture/writer.h"
#include "merge/id_map.h"
#include "model/trace_locals.h"

#define REF_DEPTH_MAX     24u    /* as many levels as value_iter follows */
#define STACK_DEPTH_MAX   65536u /* outer frames beyond it are left out */
#define NODES_PER_VALUE   65536u
#define TRIM_EVERY_MISSES 256u
/* A capture may add that many entries for each byte of its file; recorded ones have less than
 * one */
#define ENTRIES_PER_BYTE 64u
#define TEXTS_PER_BYTE   4u /* strings and frames, which the writer keeps in memory */
#define ENTRIES_LEAST    65536u
#define TEXTS_MOST       4000000u

typedef VEC(uint32_t) u32_vec;

enum map_kind { MAP_STRING, MAP_FRAME, MAP_STACK, MAP_VALUE, MAP_KIND_COUNT };

struct copier {
	struct trace *t;
	struct writer *w;
	struct copier_options o;
	struct id_map maps[MAP_KIND_COUNT];
	uint64_t entries_left, texts_left;
	bool is_over;
	unsigned n_misses;
	uint32_t nodes_left; /* of the value that is being copied */
	uint32_t unreadable;
	uint32_t next_note;
	u32_vec path;                       /* scratch: nodes of a stack */
	VEC(struct process_info) processes; /* as they were copied */
	VEC(struct thread_info) threads;
	u32_vec process_to, thread_to; /* index in the copy; UINT32_MAX: left out */
	u32_vec host_to;
	/* rows of a chunk; names are string ids of the writer, threads its indices */
	uint64_t first_seq;
	uint32_t n;
	uint64_t time_ns[TRACE_CHUNK];
	uint32_t name[TRACE_CHUNK], thread[TRACE_CHUNK], args[TRACE_CHUNK], stack[TRACE_CHUNK];
	uint32_t descriptors[TRACE_CHUNK], task[TRACE_CHUNK];
	uint8_t flags[TRACE_CHUNK];
};

struct err *copier_create(struct trace *t, struct writer *w, const struct copier_options *o,
			  struct copier **ret)
{
	struct copier *c = calloc(1, sizeof(*c));
	if (!c)
		return err_no_memory();
	*c = (struct copier){ .t = t, .w = w, .o = *o };
	for (int k = 0; k < MAP_KIND_COUNT; k++)
		id_map_init(&c->maps[k], o->pool);
	uint64_t n_bytes = trace_about_get(t)->file_bytes;
	c->entries_left = n_bytes * ENTRIES_PER_BYTE + ENTRIES_LEAST;
	c->texts_left = n_bytes * TEXTS_PER_BYTE + ENTRIES_LEAST;
	if (c->texts_left > TEXTS_MOST)
		c->texts_left = TEXTS_MOST;
	*ret = c;
	return NULL;
}

void copier_destroy(struct copier *c)
{
	if (!c)
		return;
	for (int k = 0; k < MAP_KIND_COUNT; k++)
		id_map_fini(&c->maps[k]);
	vec_fini(&c->path);
	vec_fini(&c->processes);
	vec_fini(&c->threads);
	vec_fini(&c->process_to);
	vec_fini(&c->thread_to);
	vec_fini(&c->host_to);
	free(c);
}

bool copier_is_over(const struct copier *c)
{
	return c->is_over;
}

/* ---- dictionaries ---- */

/* Remember what an id became, and count it. */
static uint32_t keep(struct copier *c, enum map_kind kind, uint32_t id, uint32_t to)
{
	c->n_misses++;
	if (to)
		id_map_set(&c->maps[kind], id, to);
	return to;
}

/* May a further entry be added? */
static bool may_add(struct copier *c, uint64_t *left)
{
	if (*left) {
		--*left;
		return true;
	}
	c->is_over = true;
	return false;
}

static uint32_t string_copy(struct copier *c, uint32_t id)
{
	size_t n;
	uint32_t to = id ? id_map_get(&c->maps[MAP_STRING], id) : 0;
	if (to || !id || !may_add(c, &c->texts_left))
		return to;
	const char *s = trace_string(c->t, id, &n);
	return keep(c, MAP_STRING, id, writer_string(c->w, s, n));
}

static uint32_t frame_copy(struct copier *c, uint32_t id)
{
	struct frame_info f;
	uint32_t to = id ? id_map_get(&c->maps[MAP_FRAME], id) : 0;
	if (to || !id || !may_add(c, &c->texts_left))
		return to;
	trace_frame(c->t, id, &f);
	f.function = string_copy(c, f.function);
	f.file = string_copy(c, f.file);
	f.module = string_copy(c, f.module);
	return keep(c, MAP_FRAME, id, writer_frame(c->w, &f));
}

static uint32_t stack_copy(struct copier *c, uint32_t id)
{
	uint32_t parent, frame, to = 0;
	c->path.n = 0;
	while (id && !(to = id_map_get(&c->maps[MAP_STACK], id)) && c->path.n < STACK_DEPTH_MAX) {
		if (!vec_push(&c->path, id) || !trace_stack(c->t, id, &parent, &frame))
			break;
		id = parent;
	}
	while (c->path.n) {
		id = c->path.v[--c->path.n];
		if (!trace_stack(c->t, id, &parent, &frame) || !may_add(c, &c->entries_left))
			return to;
		to = keep(c, MAP_STACK, id, writer_stack(c->w, to, frame_copy(c, frame)));
	}
	return to;
}

/* ---- values ---- */

static uint32_t value_copy(struct copier *c, uint32_t id, unsigned depth);

/* Append the value at *p, whose end was found to be sane, with REFs to the values of the copy.
 * Everything before `copied` has been appended. */
static const uint8_t *rewrite(struct copier *c, const uint8_t *p, const uint8_t *end,
			      unsigned depth, const uint8_t **copied, struct strbuf *to)
{
	const uint8_t *after = value_scan_end(p, end), *child;
	uint64_t n, id;
	if (!after || !c->nodes_left)
		return NULL;
	c->nodes_left--;
	if (*p == VALUE_REF) {
		child = p + 1;
		if (!varint_get(&child, end, &id))
			return NULL;
		strbuf_add(to, *copied, (size_t)(p - *copied));
		*copied = after;
		uint32_t copy = id > UINT32_MAX ? 0 : value_copy(c, (uint32_t)id, depth + 1);
		if (!copy) {
			strbuf_addc(to, VALUE_UNREADABLE);
			return after;
		}
		strbuf_addc(to, VALUE_REF);
		strbuf_add_varint(to, copy);
		return after;
	}
	if (value_scan_container(p, end, &child, &n)) {
		for (uint64_t i = 0; i < n && child; i++)
			child = rewrite(c, child, end, depth, copied, to);
		return child ? after : NULL;
	}
	if (*p != VALUE_OBJECT && *p != VALUE_OBJECT_AT)
		return after;
	child = p + 1 + (*p == VALUE_OBJECT_AT ? 8 : 0);
	if (!varint_get(&child, end, &n))
		return NULL;
	child += n; /* the type; value_scan_end() has checked it */
	if (!varint_get(&child, end, &n))
		return NULL;
	for (uint64_t i = 0, n_name; i < n && child; i++) {
		if (!varint_get(&child, end, &n_name))
			return NULL;
		child = rewrite(c, child + n_name, end, depth, copied, to);
	}
	return child ? after : NULL;
}

static uint32_t unreadable(struct copier *c)
{
	static const uint8_t bytes[] = { VALUE_TUPLE, 1, 1, VALUE_UNREADABLE };
	if (!c->unreadable)
		c->unreadable = writer_value(c->w, bytes, sizeof(bytes));
	return c->unreadable;
}

/* 0: it cannot be copied. A REF names an older value, so the recursion ends; `depth` bounds it. */
static uint32_t value_copy(struct copier *c, uint32_t id, unsigned depth)
{
	size_t n;
	uint32_t to = id ? id_map_get(&c->maps[MAP_VALUE], id) : 0;
	if (to || !id || depth > REF_DEPTH_MAX || !may_add(c, &c->entries_left))
		return to;
	const uint8_t *bytes = trace_value(c->t, id, &n), *copied = bytes;
	if (!bytes)
		return 0;
	const uint8_t *end = bytes + n;
	if (value_scan_end(bytes, end) != end)
		return 0;
	if (!memchr(bytes, VALUE_REF, n)) /* the usual case */
		return keep(c, MAP_VALUE, id, writer_value(c->w, bytes, n));
	struct strbuf text = { 0 };
	if (rewrite(c, bytes, end, depth, &copied, &text) == end && !text.failed) {
		strbuf_add(&text, copied, (size_t)(end - copied));
		to = keep(c, MAP_VALUE, id, writer_value(c->w, strbuf_str(&text), text.n));
	}
	strbuf_fini(&text);
	return to;
}

static uint32_t args_copy(struct copier *c, uint32_t id)
{
	if (!id)
		return 0;
	c->nodes_left = NODES_PER_VALUE;
	uint32_t to = value_copy(c, id, 0);
	return to ? to : unreadable(c);
}

static uint32_t optional_copy(struct copier *c, uint32_t id)
{
	c->nodes_left = NODES_PER_VALUE;
	return value_copy(c, id, 0);
}

/* ---- hosts, processes, threads ---- */

static bool extend(u32_vec *v, size_t n, uint32_t with)
{
	while (v->n < n)
		if (!vec_push(v, with))
			return false;
	return true;
}

static uint32_t host_copy(struct copier *c, uint32_t host)
{
	if (host == c->o.sole_host && host)
		return 0;
	if (!extend(&c->host_to, (size_t)trace_n_hosts(c->t) + 1, UINT32_MAX))
		return 0;
	host = host < c->host_to.n ? host : 0;
	if (c->host_to.v[host] != UINT32_MAX)
		return c->host_to.v[host];
	const struct host_info *from = trace_host(c->t, host);
	uint32_t to = 0;
	if (from) {
		struct host_info h = { .name = string_copy(c, from->name),
				       .boot_id = string_copy(c, from->boot_id),
				       .label = string_copy(c, from->label),
				       .flags = from->flags,
				       .wall_anchor_ns = from->wall_anchor_ns };
		if (h.wall_anchor_ns)
			h.wall_anchor_ns += (uint64_t)c->o.offset_ns;
		else if (c->o.host)
			h.wall_anchor_ns = c->o.host->wall_anchor_ns;
		to = writer_host(c->w, &h);
	} else if (c->o.host) {
		to = writer_host(c->w, c->o.host);
	}
	c->host_to.v[host] = to;
	return to;
}

static void members_fini(struct family_members *m)
{
	vec_fini(&m->v);
	hash_map_fini(&m->at);
}

void copier_family_fini(struct copier_family *f)
{
	members_fini(&f->processes);
	members_fini(&f->threads);
}

struct members_key {
	const struct family_members *in;
	const uint64_t *identity;
};

static bool is_same_member(const void *ctx, uint32_t value)
{
	const struct members_key *key = ctx;
	return memcmp(key->in->v.v[value - 1].identity, key->identity,
		      sizeof(key->in->v.v[0].identity)) == 0;
}

/* The member of this identity, which is added if it is new: *ret_is_new. NULL: memory is short. */
static struct family_member *member_place(struct family_members *m, const uint64_t identity[4],
					  bool *ret_is_new)
{
	struct family_member one = { .to = UINT32_MAX };
	struct members_key key = { m, identity };
	memcpy(one.identity, identity, sizeof(one.identity));
	uint64_t hash = hash_map_text_key((const char *)identity, sizeof(one.identity));
	uint32_t *at = hash_map_place_same(&m->at, hash, is_same_member, &key);
	*ret_is_new = at && !*at;
	if (!at || (!*at && !vec_push(&m->v, one)))
		return NULL;
	if (!*at)
		*at = (uint32_t)m->v.n;
	return &m->v.v[*at - 1];
}

/* The index of a process in the copy, which gets it now if it is new. */
static uint32_t process_write(struct copier *c, uint32_t to, const struct process_info *p)
{
	const uint64_t identity[4] = { p->pid, p->host, p->start_ns, p->start_ticks };
	struct family_member *member = NULL;
	bool is_new = false;
	if (to == UINT32_MAX && c->o.family)
		member = member_place(&c->o.family->processes, identity, &is_new);
	if (member && !is_new)
		to = member->to;
	if (to != UINT32_MAX) {
		writer_process_update(c->w, to, p);
		return to;
	}
	to = writer_process(c->w, p);
	if (member)
		member->to = to;
	return to;
}

static uint32_t thread_write(struct copier *c, uint32_t to, const struct thread_info *t)
{
	const uint64_t identity[4] = { t->tid, t->process, t->interpreter };
	struct family_member *member = NULL;
	bool is_new = false;
	if (to == UINT32_MAX && c->o.family)
		member = member_place(&c->o.family->threads, identity, &is_new);
	if (member && !is_new)
		to = member->to;
	if (to != UINT32_MAX) {
		writer_thread_update(c->w, to, t);
		return to;
	}
	to = writer_thread(c->w, t);
	if (member)
		member->to = to;
	return to;
}

static void process_copy(struct copier *c, uint32_t process)
{
	const struct process_info *from = trace_process(c->t, process);
	struct process_info p = *from;
	p.python = string_copy(c, from->python);
	p.exe = string_copy(c, from->exe);
	p.cwd = string_copy(c, from->cwd);
	p.name = string_copy(c, from->name);
	p.argv = optional_copy(c, from->argv);
	p.environ = optional_copy(c, from->environ);
	p.prefixes = optional_copy(c, from->prefixes);
	p.packages = optional_copy(c, from->packages);
	p.project = string_copy(c, from->project);
	p.start_ns += c->o.shift_ns;
	p.end_ns += from->end_ns ? c->o.shift_ns : 0;
	p.host = host_copy(c, from->host);
	trace_trim(c->t);
	uint32_t *to = &c->process_to.v[process];
	*to = process_write(c, *to, &p);
}

static void thread_copy(struct copier *c, uint32_t thread)
{
	const struct thread_info *from = trace_thread(c->t, thread);
	struct thread_info t = *from;
	t.process = from->process < c->process_to.n ? c->process_to.v[from->process] : UINT32_MAX;
	if (t.process == UINT32_MAX)
		return;
	t.name = string_copy(c, from->name);
	uint32_t *to = &c->thread_to.v[thread];
	*to = thread_write(c, *to, &t);
}

struct err *copier_processes(struct copier *c)
{
	uint32_t n = trace_n_processes(c->t), n_threads = trace_n_threads(c->t);
	if (!extend(&c->process_to, n, UINT32_MAX) ||
	    !extend(&c->thread_to, n_threads, UINT32_MAX) ||
	    !vec_reserve(&c->processes, n - c->processes.n) ||
	    !vec_reserve(&c->threads, n_threads - c->threads.n))
		return err_no_memory();
	for (uint32_t i = 0; i < n; i++) {
		const struct process_info *now = trace_process(c->t, i);
		/* other bytes between the members: it is written once more */
		if (i < c->processes.n &&
		    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
		    !memcmp(&c->processes.v[i], now, sizeof(*now)))
			continue;
		c->processes.v[i] = *now;
		if (!c->o.processes || c->o.processes[i])
			process_copy(c, i);
	}
	c->processes.n = n;
	for (uint32_t i = 0; i < n_threads; i++) {
		const struct thread_info *now = trace_thread(c->t, i);
		if (i < c->threads.n &&
		    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
		    !memcmp(&c->threads.v[i], now, sizeof(*now)))
			continue;
		c->threads.v[i] = *now;
		thread_copy(c, i);
	}
	c->threads.n = n_threads;
	trace_trim(c->t);
	return NULL;
}

static void note_copy(struct copier *c, const struct note_info *from)
{
	struct note_info n = *from;
	if (from->process < c->process_to.n)
		n.process = c->process_to.v[from->process];
	else
		n.process = UINT32_MAX;
	if (n.process == UINT32_MAX && from->process < c->process_to.n)
		return;
	n.time_ns += c->o.shift_ns;
	n.text = string_copy(c, from->text);
	n.host = host_copy(c, from->host);
	writer_note(c->w, &n);
}

void copier_notes(struct copier *c, uint64_t seq)
{
	const struct trace_note *note;
	while ((note = trace_note_get(c->t, c->next_note)) && note->seq <= seq) {
		if (!c->o.wants_note || c->o.wants_note(c->o.note_ctx, &note->note))
			note_copy(c, &note->note);
		c->next_note++;
	}
}

void copier_warn(struct copier *c, uint64_t time_ns, const char *text)
{
	struct note_info n = { .kind = NOTE_WARNING,
			       .time_ns = time_ns,
			       .process = UINT32_MAX,
			       .text = writer_string(c->w, text, strlen(text)),
			       .host = host_copy(c, 0) };
	writer_note(c->w, &n);
	trace_trim(c->t);
}

/* ---- events ---- */

struct err *copier_chunk(struct copier *c, uint32_t chunk, uint32_t from)
{
	trace_trim(c->t);
	const struct chunk *k = trace_chunk(c->t, chunk);
	if (!k)
		return err_no_memory();
	uint32_t names[TRACE_CHUNK];
	for (uint32_t i = 0; i < k->n_names; i++) {
		size_t n;
		const char *s = trace_name(c->t, k->names[i], &n);
		names[i] = writer_string(c->w, s, n);
	}
	c->first_seq = k->first_seq + from;
	c->n = k->n > from ? k->n - from : 0;
	memcpy(c->args, k->args + from, c->n * sizeof(c->args[0]));
	memcpy(c->stack, k->stack + from, c->n * sizeof(c->stack[0]));
	memcpy(c->descriptors, k->descriptors + from, c->n * sizeof(c->descriptors[0]));
	if (k->task)
		memcpy(c->task, k->task + from, c->n * sizeof(c->task[0]));
	else
		memset(c->task, 0, c->n * sizeof(c->task[0]));
	memcpy(c->flags, k->flags + from, c->n * sizeof(c->flags[0]));
	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t thread = k->threads[k->thread[from + i]];
		c->time_ns[i] = k->time_ns[from + i] + c->o.shift_ns;
		c->name[i] = names[k->name[from + i]];
		c->thread[i] = thread < c->thread_to.n ? c->thread_to.v[thread] : UINT32_MAX;
	}
	return NULL;
}

const uint64_t *copier_times(const struct copier *c, uint32_t *ret_n)
{
	*ret_n = c->n;
	return c->time_ns;
}

void copier_event(struct copier *c, uint32_t i)
{
	struct event_info e = {
		.time_ns = c->time_ns[i],
		.name = c->name[i],
		.thread = c->thread[i],
		.flags = c->flags[i],
	};
	uint32_t to = id_map_get(&c->maps[MAP_VALUE], c->args[i]);
	e.args = to && c->args[i] ? to : args_copy(c, c->args[i]);
	to = id_map_get(&c->maps[MAP_STACK], c->stack[i]);
	e.stack = to && c->stack[i] ? to : stack_copy(c, c->stack[i]);
	e.descriptors = c->descriptors[i] ? optional_copy(c, c->descriptors[i]) : 0;
	to = id_map_get(&c->maps[MAP_VALUE], c->task[i]);
	e.task = to && c->task[i] ? to : optional_copy(c, c->task[i]);
	e.objects = trace_event_objects(c->t, c->first_seq + i, &e.n_objects);
	writer_event(c->w, &e);
	uint32_t locals = trace_locals(c->t, c->first_seq + i);
	if (locals && (locals = optional_copy(c, locals)))
		writer_event_locals(c->w, writer_n_in_file(c->w) - 1, locals);
	if (c->n_misses >= TRIM_EVERY_MISSES) {
		c->n_misses = 0;
		trace_trim(c->t);
	}
}
