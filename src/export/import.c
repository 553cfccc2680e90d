/*
 * import: see import.h.
 *
 * Fast because what repeats is parsed once: the text of a frame, of a whole stack and of arguments without addresses is
 * looked up by its 128-bit XXH3 first. The end of a stack or of arguments that were seen before need not be searched for
 * by parsing: in our own lines the stack ends at "}" and line end, the arguments at ,"stack":[ . A text found in the table
 * was once parsed to exactly its end, so it is whole now, too; what is not found is parsed.
 */
#include "export/import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/vec.h"
#include "capture/writer.h"
#include "export/exporter_private.h"
#include "export/seen.h"
#include "model/catalog.h"
#include "model/value_json.h"

#define READ_BYTES (1u << 20)
#define LINE_BYTES_MAX (256u << 20)

struct process {
	uint32_t index;
	struct process_info info;
};

/* A frame of a stack's text, and the stack that it and all outside it are. */
struct level {
	size_t from_end; /* where the frame's text starts, in bytes before the end */
	uint32_t frame, stack;
};

struct import {
	const char *label, *path;
	struct writer *w; /* NULL until the first event, whose time is the anchor */
	uint64_t anchor_ns, last_ns, line;
	struct seen frames, stacks, args, threads, names;
	VEC(struct process) processes;
	struct seen by_pid; /* the newest process of a pid */
	struct strbuf last_stack; /* text of the stack parsed last, and its frames, innermost first */
	VEC(struct level) levels;
	struct strbuf key, text, value, encoded, thread, python;
	struct json_objects objects;
	struct import_result result;
};

/* What one line says. */
struct line {
	uint64_t ts_ns, time_ns, pid, tid, ns_tid, interp, flags;
	bool has_ts, has_time, has_event, has_tid;
	uint32_t name;              /* string id */
	const char *event;          /* its text, in im->value while the line is read */
	size_t n_event;
	struct json args, stack, process, notes; /* start NULL: not there */
	VEC(struct json) others;    /* members we do not know: key at start, value at p */
};

static struct err *broken(const struct import *im, const struct json *j)
{
	return err_with_at(err_create(ERR_SYNTAX, "%s: line %llu, column %llu: expected %s", im->label,
				      (unsigned long long)im->line, (unsigned long long)(j->p - j->start + 1),
				      j->error ? j->error : "something else"),
			   im->line);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t days_from_date(int64_t y, unsigned m, unsigned d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned of_era = (unsigned)(y - era * 400), of_year = (153 * (m + (m > 2 ? -3u : 9u)) + 2) / 5 + d - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* 2026-11-22T07:00:00[.fraction][Z|±hh:mm] */
static bool read_time(const char *s, size_t n, uint64_t *ret)
{
	unsigned y, mo, d, h, mi, sec, zone_h = 0, zone_m = 0;
	char text[64];
	int at = 0;
	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = 0;
	if (sscanf(text, "%4u-%2u-%2u%*1[T ]%2u:%2u:%2u%n", &y, &mo, &d, &h, &mi, &sec, &at) != 6 || !at || mo < 1 || mo > 12 ||
	    d < 1 || d > 31 || y < 1970)
		return false;
	const char *rest = text + at;
	uint64_t ns = 0, unit = 100000000;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
			ns += (uint64_t)(*rest - '0') * unit;
	int64_t zone = 0;
	if ((*rest == '+' || *rest == '-') && sscanf(rest + 1, "%2u:%2u", &zone_h, &zone_m) == 2)
		zone = (*rest == '-' ? -1 : 1) * (int64_t)(zone_h * 3600 + zone_m * 60);
	int64_t seconds = days_from_date(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec - zone;
	*ret = (uint64_t)seconds * 1000000000u + ns;
	return true;
}

static bool key_is(const struct strbuf *key, const char *name)
{
	return key->n == strlen(name) && !memcmp(key->s, name, key->n);
}

/* null, or a string into *to (cleared for null). */
static bool read_text(struct json *j, struct strbuf *to)
{
	json_read_space(j);
	if (j->p < j->end && *j->p == 'n') {
		strbuf_clear(to);
		return json_read_skip(j);
	}
	return json_read_string(j, to);
}

static bool read_string_id(struct import *im, struct json *j, uint32_t *ret)
{
	if (!read_text(j, &im->text))
		return false;
	*ret = im->text.n ? writer_string(im->w, im->text.s, im->text.n) : 0;
	return true;
}

static bool read_any_value(struct import *im, struct json *j, uint32_t *ret)
{
	strbuf_clear(&im->encoded);
	im->objects.addresses.n = 0;
	if (!value_json_read(j, &im->encoded, &im->objects))
		return false;
	*ret = im->objects.addresses.n ? 0 : writer_value(im->w, im->encoded.s, im->encoded.n);
	return true;
}

/* ---- stacks ---- */

static bool parse_frame(struct import *im, struct json *j, uint32_t *ret)
{
	struct frame_info f = { .kind = FRAME_PYTHON };
	if (!json_read_expect(j, '{'))
		return false;
	if (json_read_is(j, '}')) {
		*ret = writer_frame(im->w, &f);
		return true;
	}
	do {
		uint64_t n = 0;
		bool ok = json_read_string(j, &im->key) && json_read_expect(j, ':');
		if (!ok)
			return false;
		if (key_is(&im->key, "func") || key_is(&im->key, "native") || key_is(&im->key, "mark")) {
			f.kind = im->key.s[0] == 'f' ? FRAME_PYTHON : im->key.s[0] == 'n' ? FRAME_NATIVE : FRAME_MARK;
			ok = read_string_id(im, j, &f.function);
		} else if (key_is(&im->key, "file")) {
			ok = read_string_id(im, j, &f.file);
		} else if (key_is(&im->key, "module")) {
			ok = read_string_id(im, j, &f.module);
		} else if (key_is(&im->key, "line")) {
			ok = json_read_u64(j, &n), f.line = (uint32_t)n;
		} else if (key_is(&im->key, "first_line")) {
			ok = json_read_u64(j, &n), f.first_line = (uint32_t)n;
		} else if (key_is(&im->key, "end_line")) {
			ok = json_read_u64(j, &n), f.end_line = (uint32_t)n;
		} else if (key_is(&im->key, "column")) {
			ok = json_read_u64(j, &n), f.column = (uint32_t)n;
		} else if (key_is(&im->key, "end_column")) {
			ok = json_read_u64(j, &n), f.end_column = (uint32_t)n;
		} else if (key_is(&im->key, "offset")) {
			ok = json_read_u64(j, &f.offset);
		} else {
			ok = json_read_skip(j);
		}
		if (!ok)
			return false;
	} while (json_read_is(j, ','));
	*ret = writer_frame(im->w, &f);
	return json_read_expect(j, '}');
}

static size_t common_end(const char *a, size_t n_a, const char *b, size_t n_b)
{
	size_t n = 0, max = n_a < n_b ? n_a : n_b;
	while (n + 8 <= max && !memcmp(a + n_a - n - 8, b + n_b - n - 8, 8))
		n += 8;
	while (n < max && a[n_a - n - 1] == b[n_b - n - 1])
		n++;
	return n;
}

/* Innermost frame first in the text; the writer wants the outermost first. Stacks that follow each other mostly share their
 * outer frames: from where the text is the same to its end, the frames need not be looked at again. */
static bool parse_stack(struct import *im, struct json *j, uint32_t *ret)
{
	VEC(struct level) levels = { 0 };
	const char *start = j->p, *end = j->end, *known = NULL;
	size_t same = common_end(im->last_stack.s, im->last_stack.n, start, (size_t)(end - start)), first = 0;
	while (first < im->levels.n && im->levels.v[first].from_end > same)
		first++;
	if (first < im->levels.n)
		known = end - im->levels.v[first].from_end;
	bool ok = json_read_expect(j, '['), reused = false;
	if (ok && !json_read_is(j, ']')) {
		do {
			struct level level = { 0 };
			json_read_space(j);
			if (j->p == known) {
				j->p = end;
				reused = true;
				break;
			}
			level.from_end = (size_t)(end - j->p);
			/* our own frames have no braces inside, except in file names: then the text is simply not found */
			const char *close = memchr(j->p, '}', (size_t)(end - j->p));
			XXH128_hash_t h = { 0 };
			if (close) {
				h = XXH3_128bits(j->p, (size_t)(close + 1 - j->p));
				if (seen_get(&im->frames, h, &level.frame)) {
					j->p = close + 1;
					ok = vec_push(&levels, level);
					continue;
				}
			}
			ok = parse_frame(im, j, &level.frame) && vec_push(&levels, level);
			if (ok && close && j->p == close + 1)
				seen_add(&im->frames, h, level.frame);
		} while (ok && json_read_is(j, ','));
		ok = ok && (reused || json_read_expect(j, ']'));
	}
	uint32_t stack = reused ? im->levels.v[first].stack : 0;
	for (size_t i = levels.n; ok && i-- > 0;)
		levels.v[i].stack = stack = writer_stack(im->w, stack, levels.v[i].frame);
	for (size_t i = first; ok && reused && i < im->levels.n; i++)
		ok = vec_push(&levels, im->levels.v[i]);
	strbuf_clear(&im->last_stack);
	im->levels.n = 0;
	if (ok && j->p == end) { /* the text ends where the stack does */
		strbuf_add(&im->last_stack, start, (size_t)(end - start));
		vec_fini(&im->levels);
		im->levels.v = levels.v, im->levels.n = levels.n, im->levels.cap = levels.cap;
	} else {
		vec_fini(&levels);
	}
	*ret = stack;
	return ok;
}

static bool read_stack(struct import *im, struct json *stack, uint32_t *ret)
{
	size_t n = (size_t)(stack->end - stack->p);
	XXH128_hash_t h = XXH3_128bits(stack->p, n);
	if (seen_get(&im->stacks, h, ret))
		return true;
	if (!parse_stack(im, stack, ret))
		return false;
	return stack->p != stack->end || seen_add(&im->stacks, h, *ret);
}

/* ---- processes and threads ---- */

static XXH128_hash_t hash_pid(uint64_t pid)
{
	return XXH3_128bits(&pid, sizeof(pid));
}

static uint32_t hex_of_version(const char *s, size_t n)
{
	uint32_t v = 0, part = 0;
	int shift = 24;
	for (size_t i = 0; i <= n && shift >= 8; i++) {
		if (i < n && s[i] >= '0' && s[i] <= '9') {
			part = part * 10 + (uint32_t)(s[i] - '0');
		} else {
			v |= (part & 0xff) << shift;
			shift -= 8;
			part = 0;
			if (i < n && s[i] != '.')
				break;
		}
	}
	return v ? v | 0xf0 : 0; /* as of a final release */
}

static bool parse_process(struct import *im, struct json *j, struct process_info *p)
{
	if (!json_read_expect(j, '{'))
		return false;
	if (json_read_is(j, '}'))
		return true;
	do {
		uint64_t n = 0;
		bool ok = json_read_string(j, &im->key) && json_read_expect(j, ':');
		if (!ok)
			return false;
		if (key_is(&im->key, "name"))
			ok = read_string_id(im, j, &p->name);
		else if (key_is(&im->key, "exe"))
			ok = read_string_id(im, j, &p->exe);
		else if (key_is(&im->key, "cwd"))
			ok = read_string_id(im, j, &p->cwd);
		else if (key_is(&im->key, "argv"))
			ok = read_any_value(im, j, &p->argv);
		else if (key_is(&im->key, "environ"))
			ok = read_any_value(im, j, &p->environ);
		else if (key_is(&im->key, "prefixes"))
			ok = read_any_value(im, j, &p->prefixes);
		else if (key_is(&im->key, "ppid"))
			ok = json_read_u64(j, &n), p->ppid = (uint32_t)n;
		else if (key_is(&im->key, "ns_pid"))
			ok = json_read_u64(j, &n), p->ns_pid = (uint32_t)n;
		else if (key_is(&im->key, "python_hex"))
			ok = json_read_u64(j, &n), p->python_hex = (uint32_t)n;
		else if (key_is(&im->key, "flags"))
			ok = json_read_u64(j, &n), p->flags = (uint32_t)n;
		else if (key_is(&im->key, "start_ns"))
			ok = json_read_u64(j, &p->start_ns);
		else if (key_is(&im->key, "end_ns"))
			ok = json_read_u64(j, &p->end_ns);
		else if (key_is(&im->key, "exit_status"))
			ok = json_read_u64(j, &n), p->exit_status = (int32_t)n;
		else if (key_is(&im->key, "n_lost"))
			ok = json_read_u64(j, &p->n_lost);
		else
			ok = json_read_skip(j);
		if (!ok)
			return false;
	} while (json_read_is(j, ','));
	return json_read_expect(j, '}');
}

static bool find_process(struct import *im, struct line *l, uint64_t time_ns, struct process **ret)
{
	uint32_t at;
	if (!l->process.start && seen_get(&im->by_pid, hash_pid(l->pid), &at)) {
		*ret = &im->processes.v[at];
		return true;
	}
	struct process p = { .info = { .pid = (uint32_t)l->pid, .ns_pid = (uint32_t)l->pid, .start_ns = time_ns,
				       .exit_status = -1 } };
	p.info.python = im->python.n ? writer_string(im->w, im->python.s, im->python.n) : 0;
	p.info.python_hex = hex_of_version(strbuf_str(&im->python), im->python.n);
	if (l->process.start && !parse_process(im, &l->process, &p.info))
		return false;
	p.index = writer_process(im->w, &p.info);
	if (!vec_push(&im->processes, p) || !seen_add(&im->by_pid, hash_pid(l->pid), (uint32_t)im->processes.n - 1))
		return json_read_fail(&l->process, "more memory");
	*ret = &im->processes.v[im->processes.n - 1];
	return true;
}

static bool find_thread(struct import *im, const struct line *l, const struct process *p, uint32_t *ret)
{
	XXH3_state_t state;
	uint64_t ids[3] = { p->index, l->has_tid ? l->tid : l->pid, l->interp };
	XXH3_128bits_reset(&state);
	XXH3_128bits_update(&state, ids, sizeof(ids));
	XXH3_128bits_update(&state, strbuf_str(&im->thread), im->thread.n);
	XXH128_hash_t h = XXH3_128bits_digest(&state);
	if (seen_get(&im->threads, h, ret))
		return true;
	struct thread_info t = { .process = p->index, .tid = (uint32_t)ids[1], .interpreter = (uint32_t)l->interp,
				 .ns_tid = l->ns_tid > UINT32_MAX ? 0 : (uint32_t)l->ns_tid,
				 .name = im->thread.n ? writer_string(im->w, im->thread.s, im->thread.n) : 0 };
	*ret = writer_thread(im->w, &t);
	return seen_add(&im->threads, h, *ret);
}

static bool parse_note(struct import *im, struct json *j)
{
	struct note_info n = { .kind = NOTE_KIND_COUNT, .process = UINT32_MAX };
	uint32_t at;
	if (!json_read_expect(j, '{'))
		return false;
	do {
		uint64_t pid = 0;
		bool ok = json_read_string(j, &im->key) && json_read_expect(j, ':');
		if (ok && key_is(&im->key, "kind")) {
			ok = json_read_string(j, &im->text);
			for (unsigned i = 0; ok && i < NOTE_KIND_COUNT; i++)
				if (key_is(&im->text, export_note_kinds[i]))
					n.kind = (enum note_kind)i;
		} else if (ok && key_is(&im->key, "ts_ns")) {
			ok = json_read_u64(j, &n.time_ns);
		} else if (ok && key_is(&im->key, "pid")) {
			ok = json_read_u64(j, &pid);
			if (ok && seen_get(&im->by_pid, hash_pid(pid), &at))
				n.process = im->processes.v[at].index;
		} else if (ok && key_is(&im->key, "text")) {
			ok = read_string_id(im, j, &n.text);
		} else if (ok && key_is(&im->key, "a")) {
			ok = json_read_u64(j, &n.a);
		} else if (ok && key_is(&im->key, "b")) {
			ok = json_read_u64(j, &n.b);
		} else {
			ok = ok && json_read_skip(j);
		}
		if (!ok)
			return false;
	} while (json_read_is(j, ','));
	if (n.kind != NOTE_KIND_COUNT)
		writer_note(im->w, &n);
	return json_read_expect(j, '}');
}

static bool read_notes(struct import *im, struct json *j)
{
	if (!json_read_expect(j, '['))
		return false;
	if (json_read_is(j, ']'))
		return true;
	do {
		if (!parse_note(im, j))
			return false;
	} while (json_read_is(j, ','));
	return json_read_expect(j, ']');
}

/* ---- arguments ---- */

static void add_varint(struct strbuf *to, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		strbuf_addc(to, (char)(v | 0x80));
	strbuf_addc(to, (char)v);
}

/* One pass over {"name":value,…}: with names as a dictionary, or the values alone as a tuple; then *ret_named says whether
 * a name was not the catalogue's. */
static bool parse_members(struct import *im, struct json j, const struct catalog_event *e, int minor, bool as_dict,
			  bool *ret_named, const char **ret_end)
{
	uint64_t n = 0;
	char buf[CATALOG_KEY_BYTES];
	strbuf_clear(&im->encoded);
	im->objects.addresses.n = 0;
	*ret_named = false;
	bool ok = json_read_expect(&j, '{');
	if (ok && !json_read_is(&j, '}')) {
		do {
			ok = json_read_string(&j, &im->key) && json_read_expect(&j, ':');
			if (!ok)
				break;
			const char *known = catalog_arg_key(e, minor, (size_t)n, buf);
			*ret_named |= !key_is(&im->key, known);
			if (as_dict) {
				strbuf_addc(&im->encoded, VALUE_STR);
				add_varint(&im->encoded, im->key.n);
				strbuf_add(&im->encoded, im->key.s, im->key.n);
			}
			ok = value_json_read(&j, &im->encoded, &im->objects);
			n++;
		} while (ok && json_read_is(&j, ','));
		ok = ok && json_read_expect(&j, '}');
	}
	*ret_end = j.p;
	struct strbuf head = { 0 };
	strbuf_addc(&head, as_dict ? VALUE_DICT : VALUE_TUPLE);
	add_varint(&head, n);
	add_varint(&head, n);
	strbuf_clear(&im->text);
	strbuf_add(&im->text, head.s, head.n);
	strbuf_add(&im->text, strbuf_str(&im->encoded), im->encoded.n);
	strbuf_fini(&head);
	return ok && !im->text.failed;
}

static bool read_args(struct import *im, struct line *l, int minor, uint32_t *ret)
{
	size_t n = (size_t)(l->args.end - l->args.p);
	XXH128_hash_t h = XXH3_128bits_withSeed(l->args.p, n, (uint64_t)l->name << 8 | (uint64_t)minor);
	im->objects.addresses.n = 0;
	if (seen_get(&im->args, h, ret))
		return true;
	const struct catalog_event *e = catalog_find(l->event, l->n_event);
	bool named;
	const char *end;
	if (!parse_members(im, l->args, e, minor, false, &named, &end) ||
	    (named && !parse_members(im, l->args, e, minor, true, &named, &end)))
		return false;
	*ret = writer_value(im->w, im->text.s, im->text.n);
	return im->objects.addresses.n || end != l->args.end || seen_add(&im->args, h, *ret);
}

/* The members a stranger's line has beside those we know. */
static bool read_others(struct import *im, struct line *l, uint32_t *ret)
{
	strbuf_clear(&im->encoded);
	im->objects.addresses.n = 0;
	strbuf_addc(&im->encoded, VALUE_DICT);
	add_varint(&im->encoded, l->others.n);
	add_varint(&im->encoded, l->others.n);
	for (size_t i = 0; i < l->others.n; i++) {
		struct json *j = &l->others.v[i];
		if (!json_read_string(j, &im->key) || !json_read_expect(j, ':'))
			return false;
		strbuf_addc(&im->encoded, VALUE_STR);
		add_varint(&im->encoded, im->key.n);
		strbuf_add(&im->encoded, im->key.s, im->key.n);
		if (!value_json_read(j, &im->encoded, &im->objects))
			return false;
	}
	*ret = l->others.n ? writer_value(im->w, im->encoded.s, im->encoded.n) : 0;
	return true;
}

/* ---- lines ---- */

/* Remember where a value stands and step over it. known_end: where it ends if it is as we write it. */
static bool mark_value(struct json *j, const char *known_end, struct json *ret)
{
	json_read_space(j);
	*ret = (struct json){ .start = j->start, .p = j->p };
	if (known_end) {
		j->p = known_end;
	} else if (!json_read_skip(j)) {
		return false;
	}
	ret->end = j->p;
	return true;
}

static bool read_member(struct import *im, struct json *j, struct line *l, const char *key_at)
{
	const struct strbuf *k = &im->key;
	struct json other;
	if (key_is(k, "ts_ns"))
		return l->has_ts = json_read_u64(j, &l->ts_ns);
	if (key_is(k, "pid"))
		return json_read_u64(j, &l->pid);
	if (key_is(k, "tid"))
		return l->has_tid = json_read_u64(j, &l->tid);
	if (key_is(k, "ns_tid"))
		return json_read_u64(j, &l->ns_tid);
	if (key_is(k, "interp"))
		return json_read_u64(j, &l->interp);
	if (key_is(k, "flags"))
		return json_read_u64(j, &l->flags);
	if (key_is(k, "thread"))
		return read_text(j, &im->thread);
	if (key_is(k, "python"))
		return read_text(j, &im->python);
	if (key_is(k, "event")) {
		l->has_event = json_read_string(j, &im->value);
		return l->has_event;
	}
	if (key_is(k, "time")) {
		json_read_space(j);
		if (im->w && (l->has_ts || memmem(j->p, (size_t)(j->end - j->p), "\"ts_ns\":", 8)))
			return json_read_skip(j); /* ts_ns says it exactly */
		if (j->p < j->end && *j->p == '"') {
			if (!json_read_string(j, &im->text))
				return false;
			l->has_time = read_time(im->text.s, im->text.n, &l->time_ns);
			return l->has_time || json_read_fail(j, "a time such as 2026-11-22T07:00:00Z");
		}
		const char *from = j->p;
		if (!json_read_skip(j))
			return false;
		double seconds = strtod(from, NULL); /* the line ends with a NUL or a character that no number has */
		l->has_time = seconds >= 0 && seconds < 1e10;
		l->time_ns = l->has_time ? (uint64_t)(seconds * 1e9) : 0;
		return true;
	}
	if (key_is(k, "args")) {
		json_read_space(j);
		if (j->p >= j->end || *j->p != '{')
			return json_read_skip(j);
		return mark_value(j, memmem(j->p, (size_t)(j->end - j->p), ",\"stack\":[", 10), &l->args);
	}
	if (key_is(k, "stack")) {
		json_read_space(j);
		if (j->p >= j->end || *j->p != '[')
			return json_read_skip(j);
		bool is_last = j->end - j->p >= 3 && j->end[-1] == '}' && j->end[-2] == ']';
		return mark_value(j, is_last ? j->end - 1 : NULL, &l->stack);
	}
	if (key_is(k, "process")) {
		json_read_space(j);
		return j->p < j->end && *j->p == '{' ? mark_value(j, NULL, &l->process) : json_read_skip(j);
	}
	if (key_is(k, "notes")) {
		json_read_space(j);
		return j->p < j->end && *j->p == '[' ? mark_value(j, NULL, &l->notes) : json_read_skip(j);
	}
	if (key_is(k, "v") || key_is(k, "seq") || key_is(k, "category") || key_is(k, "theme") || key_is(k, "documented"))
		return json_read_skip(j);
	if (!json_read_skip(j))
		return false;
	other = (struct json){ .start = j->start, .p = key_at, .end = j->p };
	return vec_push(&l->others, other) || json_read_fail(j, "more memory");
}

static bool read_members(struct import *im, struct json *j, struct line *l)
{
	if (!json_read_expect(j, '{'))
		return false;
	if (json_read_is(j, '}'))
		return true;
	do {
		json_read_space(j);
		const char *key_at = j->p;
		if (!json_read_string(j, &im->key) || !json_read_expect(j, ':') || !read_member(im, j, l, key_at))
			return false;
	} while (json_read_is(j, ','));
	if (!json_read_expect(j, '}'))
		return false;
	json_read_space(j);
	return j->p == j->end || json_read_fail(j, "the end of the line");
}

static struct err *start_writer(struct import *im, const struct line *l)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t time_ns = l->has_time ? l->time_ns : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	im->anchor_ns = l->has_ts && l->has_time && l->ts_ns <= time_ns ? time_ns - l->ts_ns : time_ns;
	struct writer_options options = { .wall_anchor_ns = im->anchor_ns, .creator = "auditview " AUDITVIEW_VERSION, .is_hidden = true };
	return writer_open(im->path, &options, &im->w);
}

static bool write_event(struct import *im, struct json *j, struct line *l)
{
	struct event_info e = { .flags = (uint32_t)l->flags & 0xff };
	struct process *p = NULL;
	XXH128_hash_t h = XXH3_128bits(im->value.s, im->value.n);
	l->event = im->value.s;
	l->n_event = im->value.n;
	if (!seen_get(&im->names, h, &l->name)) {
		l->name = writer_string(im->w, l->event, l->n_event);
		if (!seen_add(&im->names, h, l->name))
			return json_read_fail(j, "more memory");
	}
	e.name = l->name;
	e.time_ns = l->has_ts ? l->ts_ns : l->has_time ? l->time_ns >= im->anchor_ns ? l->time_ns - im->anchor_ns : 0 :
		    im->last_ns;
	im->last_ns = e.time_ns;
	if (!find_process(im, l, e.time_ns, &p)) {
		*j = l->process;
		return false;
	}
	if (l->notes.start && !read_notes(im, &l->notes)) {
		*j = l->notes;
		return false;
	}
	uint32_t hex = p->info.python_hex;
	int minor = hex >> 24 == 3 ? (int)(hex >> 16 & 0xff) : 0;
	if (!find_thread(im, l, p, &e.thread))
		return json_read_fail(j, "more memory");
	if (l->stack.start && !read_stack(im, &l->stack, &e.stack)) {
		*j = l->stack;
		return false;
	}
	im->objects.addresses.n = 0;
	if (l->args.start ? !read_args(im, l, minor, &e.args) : !read_others(im, l, &e.args)) {
		if (!j->error)
			j->error = "a JSON value";
		j->p = l->args.start ? l->args.p : l->others.v[0].p;
		return false;
	}
	e.objects = im->objects.addresses.v;
	e.n_objects = (uint32_t)im->objects.addresses.n;
	writer_event(im->w, &e);
	im->result.n_events++;
	return true;
}

static struct err *take_line(struct import *im, const char *p, size_t n)
{
	struct line l = { 0 };
	struct json j = { .start = p, .p = p, .end = p + n };
	struct err *err = NULL;
	im->line++;
	while (j.end > p && (j.end[-1] == '\r' || j.end[-1] == ' ' || j.end[-1] == '\n'))
		j.end--;
	json_read_space(&j);
	if (j.p == j.end)
		return NULL;
	strbuf_clear(&im->thread);
	strbuf_clear(&im->python);
	if (!read_members(im, &j, &l))
		err = broken(im, &j);
	else if (!l.has_event)
		im->result.n_skipped++;
	else if (!im->w)
		err = start_writer(im, &l);
	if (!err && l.has_event && !write_event(im, &j, &l))
		err = broken(im, &j);
	if (!err && im->w && writer_is_broken(im->w))
		err = writer_flush(im->w);
	vec_fini(&l.others);
	return err;
}

static struct err *take_input(struct import *im, int fd)
{
	struct err *err = NULL;
	size_t n = 0, cap = READ_BYTES, scanned = 0;
	char *buf = malloc(cap + 1);
	if (!buf)
		return err_no_memory();
	for (;;) {
		ssize_t got = read(fd, buf + n, cap - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err = err_sys(errno, "cannot read %s", im->label);
			break;
		}
		n += (size_t)got;
		buf[n] = 0;
		size_t from = 0;
		char *end;
		while (!err && (end = memchr(buf + scanned, '\n', n - scanned))) {
			*end = 0;
			err = take_line(im, buf + from, (size_t)(end - buf) - from);
			from = scanned = (size_t)(end - buf) + 1;
		}
		if (err)
			break;
		if (!got) { /* a last line without an end counts if it is whole */
			err = take_line(im, buf + from, n - from);
			if (err && err->code == ERR_SYNTAX && im->result.n_events) {
				im->result.n_bytes_torn = n - from;
				err_destroy(err);
				err = NULL;
			}
			break;
		}
		memmove(buf, buf + from, n - from);
		n -= from;
		scanned = n;
		if (n == cap) {
			char *bigger = cap < LINE_BYTES_MAX ? realloc(buf, cap * 2 + 1) : NULL;
			if (!bigger) {
				err = cap < LINE_BYTES_MAX ? err_no_memory() :
				      err_create(ERR_SYNTAX, "%s: line %llu is longer than 256 MiB", im->label,
						 (unsigned long long)im->line + 1);
				break;
			}
			buf = bigger;
			cap *= 2;
		}
	}
	free(buf);
	return err;
}

struct err *import_jsonl(int fd, const char *label, const char *path, struct import_result *ret)
{
	struct import im = { .label = label, .path = path };
	struct err *err = take_input(&im, fd);
	if (!err && !im.w)
		err = err_create(ERR_NOT_FOUND, "%s: no line has an \"event\"", label);
	if (!err)
		err = writer_close(take_ptr(im.w));
	writer_discard(im.w);
	free(im.frames.slots);
	free(im.stacks.slots);
	free(im.args.slots);
	free(im.threads.slots);
	free(im.names.slots);
	free(im.by_pid.slots);
	vec_fini(&im.processes);
	vec_fini(&im.levels);
	vec_fini(&im.objects.addresses);
	struct strbuf *bufs[] = { &im.key, &im.text, &im.value, &im.encoded, &im.thread, &im.python,
				  &im.last_stack };
	for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
		strbuf_fini(bufs[i]);
	if (!err)
		*ret = im.result;
	return err;
}
