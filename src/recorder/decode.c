/*
 * decode: see decode.h. What makes it fast: most events repeat an argument tuple and a stack that was seen before, so the
 * raw bytes of both are hashed first and looked up; only new ones are taken apart.
 */
#include "recorder/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

#define MEMO_FIRST 256u    /* lines: most processes are short */
#define MEMO_MAX 32768u

struct code {
	uint32_t id;           /* as the probe numbers it; 0 = not defined */
	uint32_t file, name;   /* string ids */
	uint32_t first_line;
	uint32_t table_bytes;
	uint8_t *table;        /* malloc'ed, NULL if none */
};

struct frame_line {            /* (code, lasti) → frame, open addressing */
	uint64_t key;          /* 0 = free */
	uint32_t frame;
};

struct name_line {
	uint64_t hash;         /* 0 = free */
	uint32_t string;
	bool wanted;
};

struct thread_line {
	uint64_t key;          /* tid << 32 | interpreter; 0 = free (tid is never 0) */
	uint32_t thread;
	uint16_t tries;
	bool is_over;          /* it has ended; what it wrote may still come */
	struct thread_info info;
};
#define NAME_TRIES 12u
#define MAX_UNKNOWN_THREADS 4096u /* of a process whose threads' ends cannot be told: the oldest half goes */

struct threads {               /* of one process image, which may have several slots */
	VEC(struct thread_line) v;
	size_t last;
	unsigned n_users;
};

struct memo_line {
	uint64_t hash;         /* 0 = free */
	uint32_t id;
};
struct memo {                  /* direct mapped; grows while it fills */
	struct memo_line *lines;
	uint32_t n_lines, n_used; /* n_lines: a power of two, 0 not there yet */
};

struct decoder {
	struct decoder_options o;
	VEC(struct code) codes;        /* by id - 1, with gaps (ids lost with a drop) */
	struct frame_line *frames;
	size_t n_frame_lines, n_frames;
	VEC(struct name_line) names;   /* few: linear, most recent first */
	struct threads *threads;
	struct memo args, stacks;
	struct strbuf buffer;
	VEC(uint32_t) stack_frames;    /* scratch: frame ids, innermost first */
	uint64_t n_events, n_unwanted, n_bad;
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

void decoder_destroy(struct decoder *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->codes.n; i++)
		free(d->codes.v[i].table);
	vec_fini(&d->codes);
	free(d->frames);
	free(d->args.lines);
	free(d->stacks.lines);
	vec_fini(&d->names);
	if (--d->threads->n_users == 0) {
		vec_fini(&d->threads->v);
		free(d->threads);
	}
	vec_fini(&d->stack_frames);
	strbuf_fini(&d->buffer);
	free(d);
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

/* ---- names, threads ---- */

static const struct name_line *name_find(struct decoder *d, const char *name, uint32_t n)
{
	uint64_t hash = XXH3_64bits(name, n) | 1;
	for (size_t i = 0; i < d->names.n; i++)
		if (d->names.v[i].hash == hash) {
			if (i > 4) { /* drift to the front, so that common names are found at once */
				struct name_line t = d->names.v[i / 2];
				d->names.v[i / 2] = d->names.v[i];
				d->names.v[i] = t;
				i /= 2;
			}
			return &d->names.v[i];
		}
	struct name_line line = { .hash = hash, .string = intake_string(d->o.writer, d->o.redactor, name, n, false), .wanted = true };
	if (d->o.wants)
		line.wanted = d->o.wants(d->o.ctx, name, n);
	if (d->names.n >= 65536) /* a target that invents names: keep the memory bounded */
		d->names.n = 1024;
	if (!line.string || !vec_push(&d->names, line))
		return NULL;
	return &d->names.v[d->names.n - 1];
}

static bool thread_find(struct decoder *d, uint32_t tid, uint32_t interpreter, uint32_t *ret)
{
	struct threads *t = d->threads;
	uint64_t key = (uint64_t)tid << 32 | interpreter;
	if (t->last < t->v.n && t->v.v[t->last].key == key) {
		*ret = t->v.v[t->last].thread;
		return true;
	}
	for (size_t i = 0; i < t->v.n; i++)
		if (t->v.v[i].key == key) {
			t->last = i;
			*ret = t->v.v[i].thread;
			return true;
		}
	struct thread_line line = { .key = key };
	line.info = (struct thread_info){ .process = d->o.process, .tid = tid, .interpreter = interpreter };
	if (d->o.thread_name)
		line.tries += d->o.thread_name(d->o.ctx, tid, &line.info.tid, &line.info.name);
	line.thread = writer_thread(d->o.writer, &line.info);
	if (!vec_push(&t->v, line))
		return false;
	t->last = t->v.n - 1;
	*ret = line.thread;
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
		if (i < n_dropped || (line->is_over && is_drained))
			continue;
		line->is_over = line->is_over || (d->o.thread_is_over && d->o.thread_is_over(d->o.ctx, tid));
		t->v.v[n++] = *line;
	}
	if (n != t->v.n)
		t->last = 0;
	t->v.n = n;
}

void decoder_refresh_threads(struct decoder *d, bool is_drained)
{
	threads_forget(d, is_drained);
	for (size_t i = d->threads->v.n; i-- > 0;) {
		struct thread_line *line = &d->threads->v.v[i];
		if (line->info.name || line->is_over || line->tries > NAME_TRIES || !d->o.thread_name)
			continue;
		if (!d->o.thread_name(d->o.ctx, (uint32_t)(line->key >> 32), &line->info.tid, &line->info.name))
			break;
		line->tries++;
		if (line->info.name)
			writer_thread_update(d->o.writer, line->thread, &line->info);
	}
}

size_t decoder_n_threads(const struct decoder *d)
{
	return d->threads->v.n;
}

/* ---- code objects and frames ---- */

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

static bool code_define(struct decoder *d, uint32_t id, const struct record_code *def, const uint8_t *bytes)
{
	if (id == 0 || id > 50u << 20)
		return false;
	while (d->codes.n < id)
		if (!vec_push(&d->codes, (struct code){ 0 }))
			return false;
	struct code *c = &d->codes.v[id - 1];
	const char *text;
	size_t n;
	free(c->table);
	*c = (struct code){ .id = id, .first_line = def->first_line };
	if (text_of(bytes, def->file_bytes, &text, &n))
		c->file = intake_string(d->o.writer, d->o.redactor, text, n, false);
	if (text_of(bytes + def->file_bytes, def->name_bytes, &text, &n))
		c->name = intake_string(d->o.writer, d->o.redactor, text, n, false);
	if (def->table_bytes) {
		c->table = malloc(def->table_bytes);
		if (c->table) {
			memcpy(c->table, bytes + def->file_bytes + def->name_bytes, def->table_bytes);
			c->table_bytes = def->table_bytes;
		}
	}
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
		size_t at = d->frames[i].key * 0x9e3779b97f4a7c15ull >> 20 & (n - 1);
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
	if ((d->n_frames + 1) * 2 > d->n_frame_lines && !frame_lines_grow(d))
		return 0;
	size_t at = key * 0x9e3779b97f4a7c15ull >> 20 & (d->n_frame_lines - 1);
	for (; d->frames[at].key; at = (at + 1) & (d->n_frame_lines - 1))
		if (d->frames[at].key == key)
			return d->frames[at].frame;
	struct frame_info info = { .kind = FRAME_PYTHON };
	if (code && code <= d->codes.n && d->codes.v[code - 1].id) {
		const struct code *c = &d->codes.v[code - 1];
		struct source_position position = { 0 };
		info.function = c->name;
		info.file = c->file;
		info.first_line = info.line = c->first_line;
		if (c->table && line_table_decode(d->o.minor, c->table, c->table_bytes, c->first_line, lasti, &position)) {
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
			uint64_t need = (uint64_t)sizeof(def) + def.file_bytes + def.name_bytes + def.table_bytes;
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
	if (n_bytes < at)
		goto bad;
	size_t name_at = at, args_at = name_at + pad8(e->name_bytes);
	uint64_t frames_at = (uint64_t)args_at + pad8(e->args_bytes), native_at = frames_at + pad8(e->frames_bytes);
	if (e->args_bytes > n_bytes || e->frames_bytes > n_bytes || native_at > n_bytes)
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
	if (!wanted) {
		d->n_unwanted++;
		return true;
	}
	if (record->flags & RECORD_NATIVE && d->o.native)
		info.stack = native_stack(d->o.native, e, base + native_at, n_bytes - native_at, d->stack_frames.v,
					  d->stack_frames.n, &info.flags);
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
		snprintf(event, sizeof(event), "%.*s", (int)(e->name_bytes < 64 ? e->name_bytes : 0), (const char *)base + name_at);
		strbuf_clear(&d->buffer);
		if (!translate_args(d->o.writer, d->o.redactor, event, args, e->args_bytes, &d->buffer, &objects))
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
