/*
 * import_frames: stacks. In our own lines a stack is a list of objects, innermost first. Other
 * programs write lists of texts, lists of lists, or one text, as the modules traceback and inspect
 * produce them, and then the outermost frame is first.
 *
 * Repeated text is parsed once: the text of a frame and of a whole stack is first looked up by its
 * hash.
 */
#include "import/import_frames.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "import/import_private.h"
#include "import/import_value.h"

/* A line or column; 0 if it is not a valid number. */
static bool read_line(struct json *j, uint32_t *ret)
{
	struct number n;
	if (!import_value_number(j, &n))
		return false;
	*ret = n.is_set && !n.is_odd && n.u <= UINT32_MAX ? (uint32_t)n.u : 0;
	return true;
}

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
		bool ok = json_read_string(j, &im->key) && json_read_expect(j, ':');
		if (!ok)
			return false;
		if (import_value_is_key(&im->key, "function") ||
		    import_value_is_key(&im->key, "name") ||
		    import_value_is_key(&im->key, "co_name") ||
		    import_value_is_key(&im->key, "qualname")) {
			ok = import_value_string_id(im, j, &f.function);
		} else if (import_value_is_key(&im->key, "filename") ||
			   import_value_is_key(&im->key, "path")) {
			ok = import_value_string_id(im, j, &f.file);
		} else if (import_value_is_key(&im->key, "lineno") ||
			   import_value_is_key(&im->key, "line_number")) {
			ok = read_line(j, &f.line);
		} else if (import_value_is_key(&im->key, "func") ||
			   import_value_is_key(&im->key, "native") ||
			   import_value_is_key(&im->key, "mark")) {
			f.kind = im->key.s[0] == 'f'   ? FRAME_PYTHON
				 : im->key.s[0] == 'n' ? FRAME_NATIVE
						       : FRAME_MARK;
			ok = import_value_string_id(im, j, &f.function);
		} else if (import_value_is_key(&im->key, "file")) {
			ok = import_value_string_id(im, j, &f.file);
		} else if (import_value_is_key(&im->key, "module")) {
			ok = import_value_string_id(im, j, &f.module);
		} else if (import_value_is_key(&im->key, "line")) {
			ok = read_line(j, &f.line);
		} else if (import_value_is_key(&im->key, "first_line")) {
			ok = read_line(j, &f.first_line);
		} else if (import_value_is_key(&im->key, "end_line")) {
			ok = read_line(j, &f.end_line);
		} else if (import_value_is_key(&im->key, "column")) {
			ok = read_line(j, &f.column);
		} else if (import_value_is_key(&im->key, "end_column")) {
			ok = read_line(j, &f.end_column);
		} else if (import_value_is_key(&im->key, "offset")) {
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

/* The text has the innermost frame first; the writer needs the outermost first. Successive stacks
 * mostly share their outer frames: from where the text is the same to its end, the frames need not
 * be parsed again. */
static bool parse_stack(struct import *im, struct json *j, uint32_t *ret)
{
	VEC(struct level) levels = { 0 };
	const char *start = j->p, *end = j->end, *known = NULL;
	size_t same = common_end(im->last_stack.s, im->last_stack.n, start, (size_t)(end - start)),
	       first = 0;
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
			/* our own frames have no braces inside, except in file names: then the text
			 * is not found */
			const char *close = memchr(j->p, '}', (size_t)(end - j->p));
			struct dictionary_key h = { 0, 0 };
			if (close) {
				h = dictionary_hash(j->p, (size_t)(close + 1 - j->p), im->seed);
				if (import_known_get(&im->frames, h, &level.frame)) {
					j->p = close + 1;
					ok = vec_push(&levels, level);
					continue;
				}
			}
			ok = parse_frame(im, j, &level.frame) && vec_push(&levels, level);
			if (ok && close && j->p == close + 1)
				import_known_add(&im->frames, h, level.frame);
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
	if (ok && j->p == end) { /* the text must end where the stack ends */
		strbuf_add(&im->last_stack, start, (size_t)(end - start));
		vec_fini(&im->levels);
		im->levels.v = levels.v, im->levels.n = levels.n, im->levels.cap = levels.cap;
	} else {
		vec_fini(&levels);
	}
	*ret = stack;
	return ok;
}

static uint32_t string_of(struct import *im, const char *s, size_t n)
{
	while (n && (*s == ' ' || *s == '"'))
		s++, n--;
	while (n && (s[n - 1] == ' ' || s[n - 1] == '"' || s[n - 1] == '\n' || s[n - 1] == '\r'))
		n--;
	return n ? writer_string(im->w, s, n) : 0;
}

static const char *find(const char *s, size_t n, const char *what)
{
	return memmem(s, n, what, strlen(what));
}

/* Accepts: File "app.py", line 12, in main; app.py:12 main; main (app.py:12). Any other text
 * becomes the function. */
static uint32_t frame_of_text(struct import *im, const char *s, size_t n)
{
	struct frame_info f = { .kind = FRAME_PYTHON };
	const char *eol = memchr(s, '\n', n), *at;
	size_t n_line = eol ? (size_t)(eol - s) : n;
	const char *file = find(s, n_line, "File \""), *line = find(s, n_line, "\", line ");
	if (file && line && file < line) {
		f.file = string_of(im, file + 6, (size_t)(line - file) - 6);
		f.line = (uint32_t)strtoul(line + 8, NULL, 10); /* the text is NUL-terminated */
		at = find(line, (size_t)(s + n_line - line), ", in ");
		f.function = at ? string_of(im, at + 5, (size_t)(s + n_line - at) - 5) : 0;
		return writer_frame(im->w, &f);
	}
	for (at = s; (at = memchr(at, ':', (size_t)(s + n_line - at))); at++) {
		const char *end = at + 1;
		while (end < s + n_line && isdigit((unsigned char)*end))
			end++;
		if (end == at + 1 || end - at > 9)
			continue;
		const char *open = memchr(s, '(', (size_t)(at - s)), *from = open ? open + 1 : s;
		f.file = string_of(im, from, (size_t)(at - from));
		f.line = (uint32_t)strtoul(at + 1, NULL, 10);
		while (end < s + n_line && (*end == ':' || *end == ' ' || *end == ')'))
			end++;
		f.function = open ? string_of(im, s, (size_t)(open - s))
				  : string_of(im, end, (size_t)(s + n_line - end));
		return writer_frame(im->w, &f);
	}
	f.function = string_of(im, s, n_line);
	return writer_frame(im->w, &f);
}

/* ["app.py", 12, "main", "source"], which is a traceback.FrameSummary as JSON. */
static bool frame_of_list(struct import *im, struct json *j, uint32_t *ret)
{
	struct frame_info f = { .kind = FRAME_PYTHON };
	bool ok = json_read_expect(j, '[');
	for (int i = 0; ok && !json_read_is(j, ']'); i++) {
		ok = (i == 0 || json_read_expect(j, ',')) &&
		     (i == 0   ? import_value_string_id(im, j, &f.file)
		      : i == 1 ? read_line(j, &f.line)
		      : i == 2 ? import_value_string_id(im, j, &f.function)
			       : json_read_skip(j));
	}
	*ret = ok ? writer_frame(im->w, &f) : 0;
	return ok;
}

/* Frames in the order of the text, which is reversed if it begins with the outermost. */
static bool stack_of_strangers(struct import *im, struct json *j, bool outermost_first,
			       uint32_t *ret)
{
	VEC(uint32_t) frames = { 0 };
	bool ok = true;
	json_read_space(j);
	if (j->p < j->end &&
	    *j->p == '"') { /* one text: traceback.format_exc(), "".join(format_stack()) */
		ok = json_read_string(j, &im->text);
		const char *s = strbuf_str(&im->text), *end = s + im->text.n;
		bool is_traceback = find(s, im->text.n, "File \"") != NULL;
		outermost_first |= is_traceback;
		for (const char *eol; ok && s < end; s = eol + 1) {
			eol = memchr(s, '\n', (size_t)(end - s));
			eol = eol ? eol : end;
			if (eol > s && (!is_traceback || find(s, (size_t)(eol - s), "File \"")))
				ok = vec_push(&frames, frame_of_text(im, s, (size_t)(eol - s)));
		}
	} else {
		ok = json_read_expect(j, '[');
		bool first = true;
		while (ok && !json_read_is(j, ']')) {
			uint32_t frame = 0;
			ok = first || json_read_expect(j, ',');
			json_read_space(j);
			char c = j->p < j->end ? *j->p : 0;
			if (!ok || !c) {
				ok = false;
			} else if (c == '"') {
				ok = json_read_string(j, &im->text);
				outermost_first |= first && find(strbuf_str(&im->text), im->text.n,
								 "File \"");
				frame = frame_of_text(im, strbuf_str(&im->text), im->text.n);
			} else if (c == '[') {
				outermost_first |= first;
				ok = frame_of_list(im, j, &frame);
			} else if (c == '{') {
				ok = parse_frame(im, j, &frame);
			} else {
				ok = json_read_skip(j);
			}
			ok = ok && (!frame || vec_push(&frames, frame));
			first = false;
		}
	}
	uint32_t stack = 0;
	for (size_t i = 0; ok && i < frames.n; i++)
		stack = writer_stack(im->w, stack,
				     frames.v[outermost_first ? i : frames.n - 1 - i]);
	vec_fini(&frames);
	*ret = stack;
	return ok;
}

bool import_frames_read(struct import *im, struct line *l, uint32_t *ret)
{
	struct json stack = l->stack;
	size_t n = (size_t)(stack.end - stack.p);
	struct dictionary_key h = dictionary_hash(stack.p, n,
						  im->seed ^ l->stack_is_outermost_first);
	if (import_known_get(&im->stacks, h, ret))
		return true;
	bool is_ours = !l->stack_is_outermost_first && n > 2 && stack.p[0] == '[' &&
		       (stack.p[1] == '{' || stack.p[1] == ']');
	if (!is_ours || !parse_stack(im, &stack, ret)) {
		stack = l->stack;
		if (!stack_of_strangers(im, &stack, l->stack_is_outermost_first, ret))
			return false;
	}
	return stack.p != stack.end || import_known_add(&im->stacks, h, *ret);
}
