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
	hash_map_fini(&f->first_of_name);
	free(f->shared);
	*f = (struct file_names){ 0 };
}

bool file_names_waits(const struct file_names *f, const struct trace *t)
{
	return f->n_frames < trace_n_frames(t);
}

/* Return where the component that ends at `end` begins. */
static size_t component(const char *s, size_t end)
{
	while (end > 0 && s[end - 1] != '/')
		end--;
	return end;
}

/* The short name is s[*ret_from … *ret_to): "db.py", or the name of the folder for __init__.py. */
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

static bool add(struct file_names *f, struct trace *t, uint32_t file)
{
	size_t n, from, to;
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
	uint32_t *first = hash_map_place(&f->first_of_name, hash_map_text_key(s + from, to - from));
	if (!first)
		return false;
	if (!*first)
		*first = file;
	else if (*first != file)
		f->shared[*first] = f->shared[file] = 1;
	return true;
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
