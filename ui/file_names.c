/*
 * file_names: see file_names.h.
 */
#include "ui/file_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "model/trace.h"

enum { FRAMES_A_STEP = 4096 };

void file_names_fini(struct file_names *f)
{
	free(f->slots);
	free(f->shared);
	*f = (struct file_names){ 0 };
}

bool file_names_waits(const struct file_names *f, const struct trace *t)
{
	return f->n_frames < trace_n_frames(t);
}

/* Where the component that ends at `end` begins. */
static size_t component(const char *s, size_t end)
{
	while (end > 0 && s[end - 1] != '/')
		end--;
	return end;
}

/* The short name is s[*ret_from … n): "db.py", "json/__init__.py" counts as "json". */
static void short_name(const char *s, size_t n, size_t *ret_from, size_t *ret_to)
{
	size_t from = component(s, n), to = n;
	if (n - from == 11 && !memcmp(s + from, "__init__.py", 11) && from > 1) {
		to = from - 1;
		from = component(s, to);
	}
	*ret_from = from;
	*ret_to = to;
}

static uint32_t hash_of(const char *s, size_t n)
{
	uint64_t h = 1469598103934665603u;
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)s[i]) * 1099511628211u;
	return (uint32_t)(h ^ h >> 32);
}

static bool grow(struct file_names *f, struct trace *t)
{
	uint32_t n = f->n_slots ? f->n_slots * 2 : 256;
	uint32_t *slots = calloc(n, sizeof(*slots));
	if (!slots)
		return false;
	for (uint32_t i = 0; i < f->n_slots; i++) {
		size_t len, from, to;
		if (!f->slots[i])
			continue;
		const char *s = trace_string(t, f->slots[i], &len);
		short_name(s, len, &from, &to);
		uint32_t at = hash_of(s + from, to - from) & (n - 1);
		while (slots[at])
			at = (at + 1) & (n - 1);
		slots[at] = f->slots[i];
	}
	free(f->slots);
	f->slots = slots;
	f->n_slots = n;
	return true;
}

static bool add(struct file_names *f, struct trace *t, uint32_t file)
{
	size_t n, from, to;
	if (f->n_names * 2 >= f->n_slots && !grow(f, t))
		return false;
	if (file >= f->n_strings) {
		uint32_t want = trace_n_strings(t) + 1;
		uint8_t *shared = file < want ? realloc(f->shared, want) : NULL;
		if (!shared)
			return false;
		memset(shared + f->n_strings, 0, want - f->n_strings);
		f->shared = shared;
		f->n_strings = want;
	}
	const char *s = trace_string(t, file, &n);
	short_name(s, n, &from, &to);
	for (uint32_t at = hash_of(s + from, to - from) & (f->n_slots - 1);;
	     at = (at + 1) & (f->n_slots - 1)) {
		size_t other_n, other_from, other_to;
		if (!f->slots[at]) {
			f->slots[at] = file;
			f->n_names++;
			return true;
		}
		if (f->slots[at] == file)
			return true;
		const char *other = trace_string(t, f->slots[at], &other_n);
		short_name(other, other_n, &other_from, &other_to);
		if (other_to - other_from == to - from &&
		    !memcmp(other + other_from, s + from, to - from)) {
			f->shared[f->slots[at]] = f->shared[file] = 1;
			return true;
		}
	}
}

bool file_names_update(struct file_names *f, struct trace *t)
{
	uint32_t end = trace_n_frames(t);
	for (unsigned i = 0; i < FRAMES_A_STEP && f->n_frames < end; i++) {
		struct frame_info frame;
		size_t n;
		uint32_t id = ++f->n_frames;
		if (!trace_frame(t, id, &frame) || frame.kind != FRAME_PYTHON || !frame.file)
			continue;
		const char *s = trace_string(t, frame.file, &n);
		if (n && *s != '<' && !add(f, t, frame.file))
			f->n_frames = end;
	}
	return f->n_frames < end;
}

void file_names_text(struct strbuf *to, const struct file_names *f, struct trace *t, uint32_t file)
{
	size_t n, from, end;
	const char *s = trace_string(t, file, &n);
	short_name(s, n, &from, &end);
	if (file < f->n_strings && f->shared[file] && from > 1)
		from = component(s, from - 1);
	utf8_escape(to, s + from, end - from, 0);
}
