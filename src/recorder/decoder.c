/*
 * decoder: see decoder.h. What makes it fast: most events repeat an argument tuple and a stack that
 * was seen before, so the raw bytes of both are hashed first and looked up; only new ones are taken
 * apart.
 */
#include "recorder/decoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/strbuf.h"
#include "base/value.h"
#include "base/vec.h"
#include "capture/writer.h"
#include "probe/abi.h"
#include "python/line_table.h"
#include "recorder/intake.h"
#include "recorder/native.h"
#include "recorder/translate.h"

#define MEMO_FIRST 256u /* lines: most processes are short */
#define MEMO_MAX   32768u

/* What a target can make us keep. An honest one hardly comes near; then what was not used for
 * longest is forgotten, and shown as unknown should it come again. */
#define CODES_BYTES_MAX (64u << 20) /* of code objects and their line tables */
#define FRAMES_MAX      (1u << 18)
#define NAMES_MAX       8192u /* of events */
#define THREADS_MAX     65536u

struct code {
	/* as the probe numbers it, a guest's number: never an index; 0 = free */
	uint32_t id;
	uint64_t used;       /* decoder.n_asked, at the last time */
	uint32_t file, name; /* string ids */
	uint32_t first_line;
	uint32_t table_bytes;
	uint8_t *table; /* malloc'ed, NULL if none */
};

struct frame_line {   /* (code, lasti) → frame, open addressing */
	uint64_t key; /* 0 = free */
	uint32_t frame;
};

struct name_line {
	uint64_t hash; /* 0 = free */
	uint32_t string;
	bool wanted;
};

struct thread_line {
	uint64_t key; /* tid << 32 | interpreter; 0 = free (tid is never 0) */
	uint32_t thread;
	uint16_t tries;
	bool is_over;    /* it has ended; what it wrote may still come */
	bool is_written; /* `thread` is its index in the capture */
	bool is_renamed; /* the capture does not have its newest name yet */
	struct thread_info info;
};
#define NAME_TRIES 12u
/* of a process whose threads' ends cannot be told: the oldest half goes */
#define MAX_UNKNOWN_THREADS 4096u

struct threads {                   /* of one process image, which may have several slots */
	VEC(struct thread_line) v; /* in the order of first use */
	uint32_t *slots;           /* index in v + 1, by key; 0 = free */
	size_t n_slots;            /* a power of two; 0 not there yet */
	size_t last;
	uint64_t seed;
	unsigned n_users;
};

struct memo_line {
	uint64_t hash; /* 0 = free */
	uint32_t id;
};
struct memo { /* direct mapped; grows while it fills */
	struct memo_line *lines;
	uint32_t n_lines, n_used; /* n_lines: a power of two, 0 not there yet */
};

struct decoder {
	struct decoder_options o;
	uint64_t seed;      /* of the tables below */
	struct code *codes; /* open addressing, by id */
	size_t n_code_slots, n_codes, codes_bytes;
	struct frame_line *frames;
	size_t n_frame_lines, n_frames;
	/* open addressing, NAMES_MAX * 2 of them; NULL not there yet */
	struct name_line *names;
	size_t n_names;
	struct threads *threads;
	struct memo args, stacks;
	struct strbuf buffer;
	VEC(uint32_t) stack_frames; /* scratch: frame ids, innermost first */
	uint64_t n_asked, n_events, n_unwanted, n_bad;
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
	if (getrandom(&d->seed, sizeof(d->seed), GRND_NONBLOCK) != (ssize_t)sizeof(d->seed))
		d->seed = (uint64_t)(uintptr_t)d;
	d->seed |= 1ull << 62; /* whatever it is, the product below spreads */
	if (!d->threads->n_users++)
		d->threads->seed = d->seed;
	*ret = d;
	return NULL;
}

/* ---- what was seen before ---- */

static struct memo_line *memo_line_of(struct memo_line *lines, uint32_t n, uint64_t hash)
{
	return &lines[hash >> 8 & (n - 1)];
}

/* 0: not known. hash is never 0. */
static uint32_t memo_find(const struct memo *m, uint64_t hash, bool *ret_found)
{
	struct memo_line *line = m->n_lines ? memo_line_of(m->lines, m->n_lines, hash) : NULL;
	*ret_found = line && line->hash == hash;
	return *ret_found ? line->id : 0;
}

/* Memory that is short costs time only. */
static void memo_add(struct memo *m, uint64_t hash, uint32_t id)
{
	if (m->n_used * 2 >= m->n_lines && m->n_lines < MEMO_MAX) {
		uint32_t n = m->n_lines ? m->n_lines * 4 : MEMO_FIRST;
		n = n < MEMO_MAX ? n : MEMO_MAX;
		struct memo_line *lines = calloc(n, sizeof(*lines));
		for (uint32_t i = 0; lines && i < m->n_lines; i++)
			if (m->lines[i].hash)
				*memo_line_of(lines, n, m->lines[i].hash) = m->lines[i];
		if (lines) {
			free(m->lines);
			m->lines = lines;
			m->n_lines = n;
		}
	}
	if (!m->n_lines)
		return;
	struct memo_line *line = memo_line_of(m->lines, m->n_lines, hash);
	m->n_used += !line->hash;
	*line = (struct memo_line){ hash, id };
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

/* `seed` keeps a target from choosing numbers that all come to one place. */
static size_t place_of(uint64_t hash, uint64_t seed, size_t n_slots)
{
	return (size_t)((hash ^ seed) * (seed | 1) >> 20) & (n_slots - 1);
}

/* Until the next call. NULL when memory is short. */
static const struct name_line *name_find(struct decoder *d, const char *name, uint32_t n)
{
	uint64_t hash = XXH3_64bits(name, n) | 1;
	if (!d->names && !(d->names = calloc(NAMES_MAX * 2, sizeof(*d->names))))
		return NULL;
	size_t at = place_of(hash, d->seed, NAMES_MAX * 2);
	for (; d->names[at].hash; at = (at + 1) & (NAMES_MAX * 2 - 1))
		if (d->names[at].hash == hash)
			return &d->names[at];
	if (d->n_names == NAMES_MAX) { /* a target that invents names */
		memset(d->names, 0, NAMES_MAX * 2 * sizeof(*d->names));
		d->n_names = 0;
		at = place_of(hash, d->seed, NAMES_MAX * 2);
	}
	struct name_line line = { .hash = hash,
				  .string = intake_string(d->o.writer, d->o.redactor, name, n,
							  false),
				  .wanted = true };
	if (!line.string)
		return NULL;
	if (d->o.wants)
		line.wanted = d->o.wants(d->o.ctx, name, n);
	d->names[at] = line;
	d->n_names++;
	return &d->names[at];
}

/* Find all lines again, those in v. False: memory is short, and nothing is known any more. */
static bool threads_index(struct threads *t)
{
	size_t n = t->n_slots ? t->n_slots : 64;
	while (n < t->v.n * 2 + 2)
		n *= 2;
	t->last = 0;
	if (n != t->n_slots) {
		free(t->slots);
		t->n_slots = 0;
		t->slots = calloc(n, sizeof(*t->slots));
		if (!t->slots) {
			t->v.n = 0;
			return false;
		}
		t->n_slots = n;
	} else {
		memset(t->slots, 0, n * sizeof(*t->slots));
	}
	for (size_t i = 0; i < t->v.n; i++) {
		size_t at = place_of(t->v.v[i].key, t->seed, n);
		while (t->slots[at])
			at = (at + 1) & (n - 1);
		t->slots[at] = (uint32_t)i + 1;
	}
	return true;
}

/* The capture gets the newest name of a thread now and then, not each time: a program can rename
 * its threads thousands of times a second. */
static void thread_write_name(struct decoder *d, struct thread_line *line)
{
	if (line->is_renamed)
		writer_thread_update(d->o.writer, line->thread, &line->info);
	line->is_renamed = false;
}

/* Index in t->v, t->v.n if it is not there. */
static size_t thread_look_up(const struct threads *t, uint64_t key)
{
	if (t->last < t->v.n && t->v.v[t->last].key == key)
		return t->last;
	if (!t->n_slots)
		return t->v.n;
	size_t at = place_of(key, t->seed, t->n_slots);
	for (; t->slots[at]; at = (at + 1) & (t->n_slots - 1))
		if (t->v.v[t->slots[at] - 1].key == key)
			return t->slots[at] - 1;
	return t->v.n;
}

/* The line of a thread, new if it has none: until the next call. NULL: memory is short. */
static struct thread_line *thread_line_of(struct decoder *d, uint32_t tid, uint32_t interpreter)
{
	struct threads *t = d->threads;
	uint64_t key = (uint64_t)tid << 32 | interpreter;
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
	} else if (t->v.n * 2 + 2 > t->n_slots && !threads_index(t)) {
		return NULL;
	}
	struct thread_line line = { .key = key };
	line.info = (struct thread_info){ .process = d->o.process,
					  .ns_tid = tid,
					  .interpreter = interpreter };
	/* A thread that goes into another interpreter keeps its name. */
	i = interpreter ? thread_look_up(t, (uint64_t)tid << 32) : t->v.n;
	if (i < t->v.n)
		line.info.name = t->v.v[i].info.name;
	if (!vec_push(&t->v, line))
		return NULL;
	size_t at = place_of(key, t->seed, t->n_slots);
	while (t->slots[at])
		at = (at + 1) & (t->n_slots - 1);
	t->slots[at] = (uint32_t)t->v.n;
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
		line->info.tid = tid;
		if (d->o.thread_name)
			line->tries += thread_ask(d, line);
		line->thread = writer_thread(d->o.writer, &line->info);
		line->is_written = true;
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
	if (is_other && !threads_index(t))
		t->v.n = 0;
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

void decoder_destroy(struct decoder *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_code_slots; i++)
		free(d->codes[i].table);
	free(d->codes);
	free(d->frames);
	free(d->args.lines);
	free(d->stacks.lines);
	free(d->names);
	if (--d->threads->n_users == 0) {
		for (size_t i = 0; i < d->threads->v.n; i++)
			thread_write_name(d, &d->threads->v.v[i]);
		vec_fini(&d->threads->v);
		free(d->threads->slots);
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

static struct code *code_place(struct code *codes, size_t n_slots, uint64_t seed, uint32_t id)
{
	size_t at = place_of(id, seed, n_slots);
	while (codes[at].id && codes[at].id != id)
		at = (at + 1) & (n_slots - 1);
	return &codes[at];
}

static size_t bytes_of(const struct code *c)
{
	return 2 * sizeof(*c) + c->table_bytes;
}

/* Into a table of n_slots, without those last used before `oldest`. */
static bool codes_rebuild(struct decoder *d, size_t n_slots, uint64_t oldest)
{
	struct code *codes = calloc(n_slots, sizeof(*codes));
	if (!codes)
		return false;
	d->n_codes = d->codes_bytes = 0;
	for (size_t i = 0; i < d->n_code_slots; i++) {
		struct code *c = &d->codes[i];
		if (!c->id)
			continue;
		if (c->used < oldest) {
			free(c->table);
			continue;
		}
		*code_place(codes, n_slots, d->seed, c->id) = *c;
		d->n_codes++;
		d->codes_bytes += bytes_of(c);
	}
	free(d->codes);
	d->codes = codes;
	d->n_code_slots = n_slots;
	return true;
}

/* Room for one more, and in bounds. */
static bool codes_make_room(struct decoder *d)
{
	uint64_t oldest = 0;
	while (d->codes_bytes > CODES_BYTES_MAX) {
		oldest += (d->n_asked - oldest) / 2 + 1;
		if (!codes_rebuild(d, d->n_code_slots, oldest))
			return false;
	}
	if ((d->n_codes + 1) * 2 > d->n_code_slots)
		return codes_rebuild(d, d->n_code_slots ? d->n_code_slots * 2 : 256, 0);
	return true;
}

static struct code *code_find(struct decoder *d, uint32_t id)
{
	struct code *c = d->n_code_slots && id ? code_place(d->codes, d->n_code_slots, d->seed, id)
					       : NULL;
	if (!c || !c->id)
		return NULL;
	c->used = d->n_asked;
	return c;
}

static bool code_define(struct decoder *d, uint32_t id, const struct record_code *def,
			const uint8_t *bytes)
{
	const char *text;
	size_t n;
	if (id == 0 || !codes_make_room(d))
		return false;
	struct code *c = code_place(d->codes, d->n_code_slots, d->seed, id);
	if (c->id) {
		d->codes_bytes -= bytes_of(c);
		free(c->table);
	} else {
		d->n_codes++;
	}
	*c = (struct code){ .id = id, .used = d->n_asked, .first_line = def->first_line };
	if (text_of(bytes, def->file_bytes, &text, &n))
		c->file = intake_string(d->o.writer, d->o.redactor, text, n, false);
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

static bool frame_lines_grow(struct decoder *d)
{
	size_t n = d->n_frame_lines ? d->n_frame_lines * 2 : 1024;
	struct frame_line *lines = calloc(n, sizeof(*lines));
	if (!lines)
		return false;
	for (size_t i = 0; i < d->n_frame_lines; i++) {
		if (!d->frames[i].key)
			continue;
		size_t at = place_of(d->frames[i].key, d->seed, n);
		while (lines[at].key)
			at = (at + 1) & (n - 1);
		lines[at] = d->frames[i];
	}
	free(d->frames);
	d->frames = lines;
	d->n_frame_lines = n;
	return true;
}

static uint32_t frame_find(struct decoder *d, uint32_t code, uint32_t lasti)
{
	uint64_t key = ((uint64_t)code << 32 | lasti) + 1;
	if (d->n_frames >= FRAMES_MAX) { /* they are found again in the writer */
		memset(d->frames, 0, d->n_frame_lines * sizeof(*d->frames));
		d->n_frames = 0;
	}
	if ((d->n_frames + 1) * 2 > d->n_frame_lines && !frame_lines_grow(d))
		return 0;
	size_t at = place_of(key, d->seed, d->n_frame_lines);
	for (; d->frames[at].key; at = (at + 1) & (d->n_frame_lines - 1))
		if (d->frames[at].key == key)
			return d->frames[at].frame;
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
	d->frames[at] = (struct frame_line){ key, frame };
	d->n_frames++;
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
		 frames_at = thread_at + pad8(e->thread_name_bytes),
		 native_at = frames_at + pad8(e->frames_bytes);
	if (e->args_bytes > n_bytes || e->thread_name_bytes > n_bytes ||
	    e->frames_bytes > n_bytes || native_at > n_bytes)
		goto bad;

	const struct name_line *name = name_find(d, (const char *)base + name_at, e->name_bytes);
	if (!name)
		goto bad;
	struct event_info info = { .time_ns = time_ns, .name = name->string };
	bool wanted = name->wanted;

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
	if (!wanted) {
		d->n_unwanted++;
		return true;
	}
	if (record->flags & RECORD_NATIVE && d->o.native)
		info.stack = native_stack(d->o.native, e, base + native_at, n_bytes - native_at,
					  d->stack_frames.v, d->stack_frames.n, &info.flags);
	if (record->flags & RECORD_STACK_CUT)
		info.flags |= EVENT_STACK_CUT;
	if (record->flags & RECORD_ARGS_CUT)
		info.flags |= EVENT_ARGS_CUT;

	if (!thread_find(d, e->tid, e->interpreter, &info.thread))
		goto bad;

	struct translation objects = { .n_objects = 0 };
	const uint8_t *args = base + args_at;
	uint64_t hash = XXH3_64bits(args, e->args_bytes) | 1;
	bool known;
	info.args = memo_find(&d->args, hash, &known);
	if (!known) {
		char event[64]; /* the events that rules name are shorter */
		snprintf(event, sizeof(event), "%.*s",
			 (int)(e->name_bytes < 64 ? e->name_bytes : 0),
			 (const char *)base + name_at);
		strbuf_clear(&d->buffer);
		if (!translate_args(d->o.writer, d->o.redactor, event, args, e->args_bytes,
				    &d->buffer, &objects))
			goto bad;
		info.args = writer_value(d->o.writer, d->buffer.s, d->buffer.n);
		if (!objects.n_objects)
			memo_add(&d->args, hash, info.args);
	}
	info.n_objects = objects.n_objects;
	info.objects = objects.objects;
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

uint64_t decoder_n_unwanted(const struct decoder *d)
{
	return d->n_unwanted;
}

uint64_t decoder_n_bad(const struct decoder *d)
{
	return d->n_bad;
}
