/*
 * decoder: see decoder.h. What makes it fast: most events repeat an argument tuple and a stack that
 * was seen before, so the raw bytes of both are hashed first and looked up; only new ones are taken
 * apart.
 */
#include "recorder/decoder.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/hash_map.h"
#include "base/strbuf.h"
#include "base/value.h"
#include "base/vec.h"
#include "capture/writer.h"
#include "probe/abi.h"
#include "python/line_table.h"
#include "recorder/intake.h"
#include "recorder/native.h"
#include "recorder/task_record.h"
#include "recorder/translate.h"

#define MEMO_FIRST 64u /* sets: most processes are short */
#define MEMO_MAX   8192u

/* What a target can make us keep. An honest one hardly comes near; then what was not used for
 * longest is forgotten, and shown as unknown should it come again. */
#define CODES_BYTES_MAX (64u << 20) /* of code objects and their line tables */
#define FRAMES_MAX      (1u << 18)
#define NAMES_MAX       8192u /* of events */
#define THREADS_MAX     65536u

struct code {
	uint32_t id;         /* as the probe numbers it, a guest's number: never an index or 0 */
	uint64_t used;       /* decoder.n_asked, at the last time */
	uint32_t file, name; /* string ids */
	uint32_t first_line;
	uint32_t table_bytes;
	uint8_t *table; /* malloc'ed, NULL if none */
};

struct name_line {
	uint32_t string;
	uint32_t descriptors; /* decoder_options.descriptors() */
	bool wanted;
};

struct thread_line {
	uint64_t key; /* hash_map_key(tid, interpreter) */
	uint32_t thread;
	uint16_t tries;
	bool is_over;    /* it has ended; what it wrote may still come */
	bool is_written; /* `thread` is its index in the capture */
	bool is_known;   /* it was written, perhaps into an earlier file */
	bool is_renamed; /* the capture does not have its newest name yet */
	struct thread_info info;
};
#define NAME_TRIES 12u
/* of a process whose threads' ends cannot be told: the oldest half goes */
#define MAX_UNKNOWN_THREADS 4096u

struct threads {                   /* of one process image, which may have several slots */
	VEC(struct thread_line) v; /* in the order of first use */
	struct hash_map by_key;    /* index in v + 1 */
	size_t last;
	unsigned n_users;
};

/* A memo is no struct hash_map: a new line replaces the oldest one of its set, so that it has a
 * bound without ever being emptied. A set is one cache line, since a look into a big memo costs
 * as much as the cache miss. */
struct memo_line {
	uint64_t hash; /* 0 = free */
	uint32_t id;
};
#define MEMO_WAYS 4u
struct memo_set {
	_Alignas(64) struct memo_line lines[MEMO_WAYS]; /* the newest first, the free ones last */
};
static_assert(sizeof(struct memo_set) == 64, "a set is one cache line");
struct memo { /* grows while it fills */
	struct memo_set *sets;
	uint32_t n_sets, n_used; /* n_sets: a power of two, 0 not there yet; n_used: lines */
};

struct decoder {
	struct decoder_options o;
	VEC(struct code) codes;
	struct hash_map codes_by_id; /* index in codes + 1 */
	size_t codes_bytes;
	struct hash_map frames; /* hash_map_key(code, lasti) → frame id */
	VEC(struct name_line) names;
	struct hash_map names_by_text; /* index in names + 1 */
	struct threads *threads;
	struct memo args, stacks;
	struct task_record task; /* of the last event that had one */
	struct strbuf buffer;
	VEC(uint32_t) stack_frames; /* scratch: frame ids, innermost first */
	uint64_t n_asked, n_events, n_bad;
};

struct err *decoder_create(const struct decoder_options *options, struct decoder **ret)
{
	struct decoder *d = calloc(1, sizeof(*d));
	if (!d)
		return err_no_memory();
	d->o = *options;
	d->threads = options->kin ? options->kin->threads : calloc(1, sizeof(*d->threads));
	d->o.kin = NULL; /* it may go before us */
	if (!d->threads) {
		free(d);
		return err_no_memory();
	}
	d->threads->n_users++;
	*ret = d;
	return NULL;
}

/* ---- what was seen before ---- */

static struct memo_set *memo_set_of(struct memo_set *sets, uint32_t n, uint64_t hash)
{
	return &sets[hash >> 8 & (n - 1)];
}

/* A look for this hash will follow: fetch its set meanwhile. */
static void memo_prefetch(const struct memo *m, uint64_t hash)
{
	if (m->n_sets)
		__builtin_prefetch(memo_set_of(m->sets, m->n_sets, hash));
}

/* 0: not known. hash is never 0. */
static uint32_t memo_find(const struct memo *m, uint64_t hash, bool *ret_found)
{
	*ret_found = false;
	if (!m->n_sets)
		return 0;
	const struct memo_set *set = memo_set_of(m->sets, m->n_sets, hash);
	for (unsigned i = 0; i < MEMO_WAYS; i++)
		if (set->lines[i].hash == hash) {
			*ret_found = true;
			return set->lines[i].id;
		}
	return 0;
}

/* Put it first. Returns whether a free line was used. */
static bool memo_set_add(struct memo_set *set, struct memo_line line)
{
	bool was_free = !set->lines[MEMO_WAYS - 1].hash;
	memmove(set->lines + 1, set->lines, (MEMO_WAYS - 1) * sizeof(set->lines[0]));
	set->lines[0] = line;
	return was_free;
}

/* Memory that is short costs time only. */
static void memo_grow(struct memo *m)
{
	uint32_t n = m->n_sets ? m->n_sets * 4 : MEMO_FIRST;
	n = n < MEMO_MAX ? n : MEMO_MAX;
	struct memo_set *sets = aligned_alloc(_Alignof(struct memo_set), n * sizeof(*sets));
	if (!sets)
		return;
	memset(sets, 0, n * sizeof(*sets));
	m->n_used = 0;
	for (uint32_t i = 0; i < m->n_sets; i++)
		for (unsigned k = MEMO_WAYS; k-- > 0;) {
			struct memo_line line = m->sets[i].lines[k];
			if (line.hash)
				m->n_used += memo_set_add(memo_set_of(sets, n, line.hash), line);
		}
	free(m->sets);
	m->sets = sets;
	m->n_sets = n;
}

/* It is not there yet. */
static void memo_add(struct memo *m, uint64_t hash, uint32_t id)
{
	if (m->n_used * 2 >= m->n_sets * MEMO_WAYS && m->n_sets < MEMO_MAX)
		memo_grow(m);
	if (m->n_sets)
		m->n_used += memo_set_add(memo_set_of(m->sets, m->n_sets, hash),
					  (struct memo_line){ hash, id });
}

/* Text of a STR or STR_CUT value, borrowed. */
static bool text_of(const uint8_t *p, size_t n, const char **ret, size_t *ret_n)
{
	uint64_t v[2] = { 0, 0 };
	size_t at = 1;
	if (!n || (p[0] != VALUE_STR && p[0] != VALUE_STR_CUT))
		return false;
	unsigned n_varints = p[0] == VALUE_STR ? 1 : 2;
	for (unsigned i = 0; i < n_varints; i++) {
		unsigned shift = 0;
		do {
			if (at >= n || shift >= 64)
				return false;
			v[i] |= (uint64_t)(p[at] & 0x7f) << shift;
			shift += 7;
		} while (p[at++] & 0x80);
	}
	uint64_t bytes = v[n_varints - 1];
	if (bytes > n - at)
		return false;
	*ret = (const char *)p + at;
	*ret_n = bytes;
	return true;
}

/* ---- names, threads ---- */

/* Until the next call. NULL when memory is short. */
static const struct name_line *name_find(struct decoder *d, const char *name, uint32_t n)
{
	uint64_t key = hash_map_text_key(name, n);
	uint32_t known = hash_map_get(&d->names_by_text, key);
	if (known)
		return &d->names.v[known - 1];
	if (d->names.n == NAMES_MAX) { /* a target that invents names */
		hash_map_clear(&d->names_by_text);
		d->names.n = 0;
	}
	struct name_line line = { .string = intake_name(d->o.writer, d->o.redactor, name, n),
				  .wanted = true };
	if (!line.string && n) /* 0 is the empty text, a name like any other: sys.audit("") */
		return NULL;
	if (d->o.wants)
		line.wanted = d->o.wants(d->o.ctx, name, n);
	if (d->o.descriptors)
		line.descriptors = d->o.descriptors(name, n);
	uint32_t *at = hash_map_place(&d->names_by_text, key);
	if (!at || !vec_push(&d->names, line))
		return NULL;
	*at = (uint32_t)d->names.n;
	return &d->names.v[d->names.n - 1];
}

/* Find all lines again, those in v. False: memory is short, and nothing is known any more. */
static bool threads_index(struct threads *t)
{
	t->last = 0;
	hash_map_clear(&t->by_key);
	if (!hash_map_reserve(&t->by_key, t->v.n)) {
		t->v.n = 0;
		return false;
	}
	for (size_t i = 0; i < t->v.n; i++) {
		uint32_t *at = hash_map_place(&t->by_key, t->v.v[i].key);
		if (at)
			*at = (uint32_t)i + 1;
	}
	return true;
}

/* The capture gets the newest name of a thread now and then, not each time: a program can rename
 * its threads thousands of times a second. */
static void thread_write_name(struct decoder *d, struct thread_line *line)
{
	if (line->is_renamed && line->is_written)
		writer_thread_update(d->o.writer, line->thread, &line->info);
	line->is_renamed = false;
}

/* Index in t->v, t->v.n if it is not there. */
static size_t thread_look_up(const struct threads *t, uint64_t key)
{
	if (t->last < t->v.n && t->v.v[t->last].key == key)
		return t->last;
	uint32_t known = hash_map_get(&t->by_key, key);
	return known ? known - 1 : t->v.n;
}

/* The line of a thread, new if it has none: until the next call. NULL: memory is short. */
static struct thread_line *thread_line_of(struct decoder *d, uint32_t tid, uint32_t interpreter)
{
	struct threads *t = d->threads;
	uint64_t key = hash_map_key(tid, interpreter);
	size_t i = thread_look_up(t, key);
	if (i < t->v.n) {
		t->last = i;
		return &t->v.v[i];
	}
	if (t->v.n >= THREADS_MAX) { /* a target that invents them: the older half goes */
		for (i = 0; i < THREADS_MAX / 2; i++)
			thread_write_name(d, &t->v.v[i]);
		t->v.n -= THREADS_MAX / 2;
		memmove(t->v.v, t->v.v + THREADS_MAX / 2, t->v.n * sizeof(*t->v.v));
		if (!threads_index(t))
			return NULL;
	}
	struct thread_line line = { .key = key };
	line.info = (struct thread_info){ .process = d->o.process,
					  .ns_tid = tid,
					  .interpreter = interpreter };
	/* A thread that goes into another interpreter keeps its name. */
	i = interpreter ? thread_look_up(t, hash_map_key(tid, 0)) : t->v.n;
	if (i < t->v.n)
		line.info.name = t->v.v[i].info.name;
	uint32_t *at = hash_map_place(&t->by_key, key);
	if (!at || !vec_push(&t->v, line))
		return NULL;
	*at = (uint32_t)t->v.n;
	t->last = t->v.n - 1;
	return &t->v.v[t->last];
}

/* Ids of the capture; the name only if it is not known. */
static bool thread_ask(struct decoder *d, struct thread_line *line)
{
	uint32_t host_tid = (uint32_t)line->info.tid;
	bool is_asked = d->o.thread_name(d->o.ctx, (uint32_t)(line->key >> 32), &host_tid,
					 &line->info.ns_tid,
					 line->info.name ? NULL : &line->info.name);
	line->info.tid = host_tid;
	return is_asked;
}

static bool thread_find(struct decoder *d, uint32_t tid, uint32_t interpreter, uint32_t *ret)
{
	struct thread_line *line = thread_line_of(d, tid, interpreter);
	if (!line)
		return false;
	if (!line->is_written) {
		if (!line->is_known)
			line->info.tid = tid;
		if (!line->is_known && d->o.thread_name)
			line->tries += thread_ask(d, line);
		line->thread = writer_thread(d->o.writer, &line->info);
		line->is_written = line->is_known = true;
		line->is_renamed = false;
	}
	*ret = line->thread;
	return true;
}

/* What a thread says it is called, as a STR or STR_CUT. It may raise no event that is wanted, so
 * the capture gets it with the first of those. */
static bool thread_take_name(struct decoder *d, uint32_t tid, uint32_t interpreter,
			     const uint8_t *value, size_t n_bytes)
{
	const char *text;
	size_t n;
	if (!text_of(value, n_bytes, &text, &n) || n > THREAD_NAME_MAX)
		return false;
	struct thread_line *line = thread_line_of(d, tid, interpreter);
	uint32_t name = line ? intake_string(d->o.writer, d->o.redactor, text, n, false) : 0;
	if (name && name != line->info.name) {
		line->info.name = name;
		line->is_renamed = line->is_written;
	}
	return true;
}

/* Lines keep their order, which is that of first use. */
static void threads_forget(struct decoder *d, bool is_drained)
{
	struct threads *t = d->threads;
	size_t n = 0, n_unknown = d->o.thread_is_over ? 0 : t->v.n;
	size_t n_dropped = n_unknown > MAX_UNKNOWN_THREADS ? n_unknown / 2 : 0;
	for (size_t i = 0; i < t->v.n; i++) {
		struct thread_line *line = &t->v.v[i];
		uint32_t tid = (uint32_t)(line->key >> 32);
		if (i < n_dropped || (line->is_over && is_drained)) {
			thread_write_name(d, line);
			continue;
		}
		line->is_over = line->is_over ||
				(d->o.thread_is_over && d->o.thread_is_over(d->o.ctx, tid));
		t->v.v[n++] = *line;
	}
	bool is_other = n != t->v.n;
	t->v.n = n;
	if (is_other)
		(void)threads_index(t);
}

void decoder_refresh_threads(struct decoder *d, bool is_drained)
{
	bool is_late = false; /* there is no more time to ask */
	threads_forget(d, is_drained);
	for (size_t i = d->threads->v.n; i-- > 0;) {
		struct thread_line *line = &d->threads->v.v[i];
		if (!line->info.name && line->is_written && !line->is_over && !is_late &&
		    line->tries <= NAME_TRIES && d->o.thread_name) {
			is_late = !thread_ask(d, line);
			line->tries += !is_late;
			line->is_renamed = line->info.name != 0;
		}
		thread_write_name(d, line);
	}
}

void decoder_turn(struct decoder *d)
{
	struct memo *memos[] = { &d->args, &d->stacks };
	for (size_t i = 0; i < ARRAY_LEN(memos); i++) {
		if (memos[i]->n_sets)
			memset(memos[i]->sets, 0, memos[i]->n_sets * sizeof(memos[i]->sets[0]));
		memos[i]->n_used = 0;
	}
	for (size_t i = 0; i < d->threads->v.n; i++)
		d->threads->v.v[i].is_written = false;
	task_record_turn(&d->task);
}

void decoder_destroy(struct decoder *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->codes.n; i++)
		free(d->codes.v[i].table);
	vec_fini(&d->codes);
	hash_map_fini(&d->codes_by_id);
	hash_map_fini(&d->frames);
	free(d->args.sets);
	free(d->stacks.sets);
	vec_fini(&d->names);
	hash_map_fini(&d->names_by_text);
	if (--d->threads->n_users == 0) {
		for (size_t i = 0; i < d->threads->v.n; i++)
			thread_write_name(d, &d->threads->v.v[i]);
		vec_fini(&d->threads->v);
		hash_map_fini(&d->threads->by_key);
		free(d->threads);
	}
	vec_fini(&d->stack_frames);
	strbuf_fini(&d->buffer);
	free(d);
}

size_t decoder_n_threads(const struct decoder *d)
{
	return d->threads->v.n;
}

/* ---- code objects and frames ---- */

static size_t bytes_of(const struct code *c)
{
	return 2 * sizeof(*c) + c->table_bytes;
}

/* Forget those last used before `oldest`. The map keeps its room, so this cannot fail. */
static void codes_forget(struct decoder *d, uint64_t oldest)
{
	size_t n = 0;
	d->codes_bytes = 0;
	hash_map_clear(&d->codes_by_id);
	for (size_t i = 0; i < d->codes.n; i++) {
		struct code *c = &d->codes.v[i];
		uint32_t *at = c->used < oldest ? NULL : hash_map_place(&d->codes_by_id, c->id);
		if (!at) {
			free(c->table);
			continue;
		}
		d->codes_bytes += bytes_of(c);
		d->codes.v[n++] = *c;
		*at = (uint32_t)n;
	}
	d->codes.n = n;
}

static struct code *code_find(struct decoder *d, uint32_t id)
{
	uint32_t known = hash_map_get(&d->codes_by_id, id);
	if (!known)
		return NULL;
	struct code *c = &d->codes.v[known - 1];
	c->used = d->n_asked;
	return c;
}

/* The place of a code object that is defined, empty. NULL: memory is short. */
static struct code *code_place(struct decoder *d, uint32_t id)
{
	uint64_t oldest = 0;
	while (d->codes_bytes > CODES_BYTES_MAX) {
		oldest += (d->n_asked - oldest) / 2 + 1;
		codes_forget(d, oldest);
	}
	struct code *c = code_find(d, id);
	if (c) {
		d->codes_bytes -= bytes_of(c);
		free(c->table);
	} else {
		uint32_t *at = hash_map_place(&d->codes_by_id, id);
		if (!at || !vec_push(&d->codes, (struct code){ 0 }))
			return NULL;
		*at = (uint32_t)d->codes.n;
		c = &d->codes.v[d->codes.n - 1];
	}
	*c = (struct code){ .id = id, .used = d->n_asked };
	return c;
}

static bool code_define(struct decoder *d, uint32_t id, const struct record_code *def,
			const uint8_t *bytes)
{
	const char *text;
	size_t n;
	struct code *c = id ? code_place(d, id) : NULL;
	if (!c)
		return false;
	c->first_line = def->first_line;
	if (text_of(bytes, def->file_bytes, &text, &n)) {
		c->file = intake_string(d->o.writer, d->o.redactor, text, n, false);
		if (d->o.file_seen)
			d->o.file_seen(d->o.ctx, text, n);
	}
	if (text_of(bytes + def->file_bytes, def->name_bytes, &text, &n))
		c->name = intake_string(d->o.writer, d->o.redactor, text, n, false);
	if (def->table_bytes) {
		c->table = malloc(def->table_bytes);
		if (c->table) {
			memcpy(c->table, bytes + def->file_bytes + def->name_bytes,
			       def->table_bytes);
			c->table_bytes = def->table_bytes;
		}
	}
	d->codes_bytes += bytes_of(c);
	return true;
}

static uint32_t frame_find(struct decoder *d, uint32_t code, uint32_t lasti)
{
	uint64_t key = hash_map_key(code, lasti);
	uint32_t known = hash_map_get(&d->frames, key);
	if (known)
		return known;
	struct frame_info info = { .kind = FRAME_PYTHON };
	const struct code *c = code_find(d, code);
	if (c) {
		struct source_position position = { 0 };
		info.function = c->name;
		info.file = c->file;
		info.first_line = info.line = c->first_line;
		if (c->table && line_table_decode(d->o.minor, c->table, c->table_bytes,
						  c->first_line, lasti, &position)) {
			info.line = position.line;
			info.end_line = position.end_line;
			info.column = position.column;
			info.end_column = position.end_column;
		}
	}
	uint32_t frame = writer_frame(d->o.writer, &info);
	if (d->frames.n_used >= FRAMES_MAX) /* they are found again in the writer */
		hash_map_clear(&d->frames);
	uint32_t *at = hash_map_place(&d->frames, key);
	if (at) /* otherwise memory is short; that costs time only */
		*at = frame;
	return frame;
}

/* Take the frame stream apart: definitions are kept, frame ids go to d->stack_frames. */
static bool frames_read(struct decoder *d, const uint8_t *p, size_t n, unsigned n_frames)
{
	const uint8_t *end = p + n;
	d->stack_frames.n = 0;
	for (unsigned i = 0; i < n_frames; i++) {
		struct record_frame f;
		if ((size_t)(end - p) < sizeof(f))
			return false;
		memcpy(&f, p, sizeof(f));
		p += sizeof(f);
		if (f.code & FRAME_DEFINES) {
			struct record_code def;
			if ((size_t)(end - p) < sizeof(def))
				return false;
			memcpy(&def, p, sizeof(def));
			uint64_t need = (uint64_t)sizeof(def) + def.file_bytes + def.name_bytes +
					def.table_bytes;
			if (def.size % 8 || def.size > (size_t)(end - p) || need > def.size ||
			    !code_define(d, f.code & ~FRAME_DEFINES, &def, p + sizeof(def)))
				return false;
			p += def.size;
		}
		uint32_t frame = frame_find(d, f.code & ~FRAME_DEFINES, f.lasti);
		if (!vec_push(&d->stack_frames, frame))
			return false;
	}
	return p == end;
}

static uint32_t stack_of(struct decoder *d, const uint32_t *frames, size_t n)
{
	uint32_t stack = 0;
	for (size_t i = n; i-- > 0;)
		stack = writer_stack(d->o.writer, stack, frames[i]);
	return stack;
}

/* ---- one event ---- */

static inline size_t pad8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* The id of the arguments that stand at `args`; info also gets the addresses of their objects.
 * `hash`: of the bytes. `objects` is scratch that info refers to. */
static bool args_find(struct decoder *d, const struct record_event *e, const uint8_t *args,
		      uint64_t hash, struct translation *objects, struct event_info *info)
{
	char event[64]; /* the events that rules name are shorter */
	bool known;
	info->args = memo_find(&d->args, hash, &known);
	if (known)
		return true;
	size_t n_name = e->name_bytes < sizeof(event) ? e->name_bytes : 0;
	memcpy(event, e + 1, n_name);
	event[n_name] = '\0';
	strbuf_clear(&d->buffer);
	if (!translate_args(d->o.writer, d->o.redactor, event, args, e->args_bytes, &d->buffer,
			    objects))
		return false;
	info->args = writer_value(d->o.writer, d->buffer.s, d->buffer.n);
	if (!objects->n_objects)
		memo_add(&d->args, hash, info->args);
	info->n_objects = objects->n_objects;
	info->objects = objects->objects;
	return true;
}

bool decoder_event(struct decoder *d, const struct record *record, size_t n_bytes, uint64_t time_ns)
{
	const struct record_event *e = (const struct record_event *)record;
	const uint8_t *base = (const uint8_t *)record;
	size_t at = sizeof(*e);
	d->n_asked++;
	if (n_bytes < at)
		goto bad;
	size_t name_at = at, args_at = name_at + pad8(e->name_bytes);
	uint64_t thread_at = (uint64_t)args_at + pad8(e->args_bytes),
		 task_at = thread_at + pad8(e->thread_name_bytes),
		 frames_at = task_at + pad8(e->task_bytes),
		 native_at = frames_at + pad8(e->frames_bytes);
	if (e->args_bytes > n_bytes || e->thread_name_bytes > n_bytes ||
	    e->frames_bytes > n_bytes || native_at > n_bytes)
		goto bad;

	const struct name_line *name = name_find(d, (const char *)base + name_at, e->name_bytes);
	if (!name)
		goto bad;
	struct event_info info = { .time_ns = time_ns, .name = name->string };
	bool wanted = name->wanted;
	uint32_t descriptors = name->descriptors;
	const uint8_t *args = base + args_at;
	uint64_t args_hash = 0;
	if (wanted) {
		args_hash = XXH3_64bits(args, e->args_bytes) | 1;
		memo_prefetch(&d->args, args_hash);
	}

	/* The stack comes first, even for an unwanted event: its record may define code objects. */
	bool defines = false;
	if (e->frames_bytes) {
		const uint8_t *stream = base + frames_at;
		size_t n = e->frames_bytes;
		defines = n != (size_t)record->n_frames * sizeof(struct record_frame);
		uint64_t hash = 0;
		bool native = record->flags & RECORD_NATIVE && d->o.native, known = false;
		if (!defines && !native) {
			hash = XXH3_64bits(stream, n) | 1;
			info.stack = memo_find(&d->stacks, hash, &known);
		}
		if (!known) {
			if (!frames_read(d, stream, n, record->n_frames))
				goto bad;
			if (native || !wanted) {
				/* merged below, or not needed */
			} else {
				info.stack = stack_of(d, d->stack_frames.v, d->stack_frames.n);
				if (hash)
					memo_add(&d->stacks, hash, info.stack);
			}
		}
	} else {
		d->stack_frames.n = 0;
	}
	if (e->thread_name_bytes &&
	    !thread_take_name(d, e->tid, e->interpreter, base + thread_at, e->thread_name_bytes))
		goto bad;
	if (e->task_bytes && !task_record_keep(&d->task, base + task_at, e->task_bytes))
		goto bad;
	if (!wanted)
		return true;
	if (record->flags & RECORD_TASK &&
	    !task_record_value(&d->task, d->o.writer, d->o.redactor, &info.task))
		goto bad;
	if (record->flags & RECORD_NATIVE && d->o.native)
		info.stack = native_stack(d->o.native, e, base + native_at, n_bytes - native_at,
					  d->stack_frames.v, d->stack_frames.n, &info.flags);
	if (record->flags & RECORD_STACK_CUT)
		info.flags |= EVENT_STACK_CUT;
	if (record->flags & RECORD_ARGS_CUT)
		info.flags |= EVENT_ARGS_CUT;

	if (!thread_find(d, e->tid, e->interpreter, &info.thread))
		goto bad;

	/* Only what translate_args() sets is read: 2 KiB need not be zeroed for each event. */
	struct translation objects;
	if (!args_find(d, e, args, args_hash, &objects, &info))
		goto bad;
	if (descriptors)
		info.descriptors = d->o.look(d->o.ctx, descriptors, args, e->args_bytes, time_ns);
	writer_event(d->o.writer, &info);
	d->n_events++;
	return true;
bad:
	d->n_bad++;
	return false;
}

uint64_t decoder_n_events(const struct decoder *d)
{
	return d->n_events;
}

uint64_t decoder_n_bad(const struct decoder *d)
{
	return d->n_bad;
}
