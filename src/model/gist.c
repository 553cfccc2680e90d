/*
 * gist: every part of the template is rendered separately, first in full. If the line is too long,
 * paths and commands are shortened, the longest first, and then the end of the line is cut.
 *
 * Names such as AF_INET are those of Linux; in captures from other systems, numbers without a name
 * are shown as numbers.
 */
#include "model/gist.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "model/arguments.h"
#include "model/catalog.h"
#include "model/gist_words.h"
#include "model/trace.h"
#include "model/value_iter.h"

#define ARGS_MAX        16  /* arguments that a gist can show; events have 9 at most */
#define VALUE_BYTES_MAX 600 /* of one rendered argument */
#define NEST_MAX        3
#define PARTS_MAX       (2 * ARGS_MAX) /* of one gist: the values and the text between them */
/* a text that gets less room than that is cut at its end */
#define MIDDLE_CELLS_MIN 12

static void add_value(struct strbuf *to, struct value_iter *it, const struct value_node *v,
		      unsigned depth);

static bool is_text(const struct value_node *v)
{
	return v->tag == VALUE_STR || v->tag == VALUE_STR_CUT;
}

static bool is_bytes(const struct value_node *v)
{
	return v->tag == VALUE_BYTES || v->tag == VALUE_BYTES_CUT || v->tag == VALUE_BYTEARRAY ||
	       v->tag == VALUE_BYTEARRAY_CUT;
}

static bool is_cut(const struct value_node *v)
{
	return v->tag == VALUE_STR_CUT || v->tag == VALUE_BYTES_CUT ||
	       v->tag == VALUE_BYTEARRAY_CUT;
}

/* At most VALUE_BYTES_MAX bytes, ending between characters. */
static size_t head_bytes(const struct value_node *v)
{
	size_t n = v->n_bytes;

	if (n <= VALUE_BYTES_MAX)
		return n;
	n = VALUE_BYTES_MAX;
	while (n > 0 && (v->bytes[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* Text or bytes, escaped, without quotes. */
static void add_text(struct strbuf *to, const struct value_node *v)
{
	size_t n = head_bytes(v);

	if (is_cut(v))
		strbuf_adds(to, "[cut] ");
	utf8_escape(to, (const char *)v->bytes, n, 0);
	if (n < v->n_bytes)
		strbuf_adds(to, "…");
}

static void add_quoted(struct strbuf *to, const struct value_node *v)
{
	size_t n = head_bytes(v);

	if (is_cut(v))
		strbuf_adds(to, "[cut] ");
	strbuf_adds(to, is_bytes(v) ? "b\"" : "\"");
	utf8_escape(to, (const char *)v->bytes, n, '"');
	strbuf_adds(to, n < v->n_bytes ? "…\"" : "\"");
}

/* A word that needs no quotes: not empty, without spaces and escapes. */
static bool is_bare(const struct value_node *v)
{
	size_t at = 0, n;

	if (v->n_bytes == 0)
		return false;
	while (at < v->n_bytes) {
		uint32_t c = utf8_decode((const char *)v->bytes + at, v->n_bytes - at, &n);

		if (c == ' ' || c == '"' || c == '\'' || c == '\\' || c == UTF8_BAD ||
		    utf8_width(c) < 0)
			return false;
		at += n;
	}
	return true;
}

static void add_bigint(struct strbuf *to, const struct value_node *v)
{
	strbuf_adds(to, v->negative ? "-0x" : "0x");
	for (size_t i = v->n_bytes < 32 ? v->n_bytes : 32; i-- > 0;)
		strbuf_addf(to, "%02x", v->bytes[i]);
	if (v->n_bytes > 32)
		strbuf_adds(to, "…");
}

/* Find an attribute of an OBJECT among the children that follow. The iterator is a copy, so its
 * position does not matter. */
static bool find_attr(struct value_iter it, const struct value_node *object, const char *name,
		      struct value_node *ret)
{
	for (uint32_t i = 0; i < object->n_children && value_iter_next(&it, ret); i++) {
		if (ret->attr && ret->n_attr_bytes == strlen(name) &&
		    memcmp(ret->attr, name, ret->n_attr_bytes) == 0)
			return true;
		value_iter_skip(&it, ret);
	}
	return false;
}

/* Append the last part of a dotted name, without the module path. */
static void add_last_part(struct strbuf *to, const struct value_node *v)
{
	const char *s = (const char *)v->bytes,
		   *dot = v->n_bytes ? memrchr(s, '.', v->n_bytes) : NULL;
	size_t skip = dot ? (size_t)(dot + 1 - s) : 0;

	utf8_escape(to, s + skip, v->n_bytes - skip, 0);
}

static void add_base_name(struct strbuf *to, const struct value_node *v)
{
	const char *s = (const char *)v->bytes,
		   *slash = v->n_bytes ? memrchr(s, '/', v->n_bytes) : NULL;
	size_t skip = slash && slash + 1 < s + v->n_bytes ? (size_t)(slash + 1 - s) : 0;

	utf8_escape(to, s + skip, v->n_bytes - skip, 0);
}

static void add_code(struct strbuf *to, const struct value_iter *it, const struct value_node *v)
{
	struct value_node name, file, line;
	bool has_file = find_attr(*it, v, "file", &file) && is_text(&file);

	if (!find_attr(*it, v, "name", &name) || !is_text(&name)) {
		add_last_part(to, v);
		return;
	}
	utf8_escape(to, (const char *)name.bytes, head_bytes(&name), 0);
	if (!has_file)
		return;
	if (name.n_bytes && name.bytes[0] == '<') { /* <module> of app.py */
		strbuf_adds(to, " of ");
		add_base_name(to, &file);
		return;
	}
	strbuf_addc(to, ' ');
	add_base_name(to, &file);
	if (find_attr(*it, v, "line", &line) && line.tag == VALUE_INT)
		strbuf_addf(to, ":%lld", (long long)line.i);
}

static void add_object(struct strbuf *to, const struct value_iter *it, const struct value_node *v)
{
	static const char *const telling[] = { "name", "path" };
	struct value_node attr;

	if (find_attr(*it, v, "file", &attr)) {
		add_code(to, it, v);
		return;
	}
	add_last_part(to, v);
	for (size_t i = 0; i < sizeof(telling) / sizeof(telling[0]); i++) {
		if (find_attr(*it, v, telling[i], &attr) && is_text(&attr)) {
			strbuf_addc(to, ' ');
			add_text(to, &attr);
			return;
		}
	}
	if (find_attr(*it, v, "fd", &attr) && attr.tag == VALUE_INT)
		strbuf_addf(to, " fd %lld", (long long)attr.i);
}

static void add_container(struct strbuf *to, struct value_iter *it, const struct value_node *v,
			  unsigned depth)
{
	bool is_dict = v->tag == VALUE_DICT, is_tuple = v->tag == VALUE_TUPLE,
	     is_list = v->tag == VALUE_LIST;
	size_t start = to->n;
	struct value_node child;

	strbuf_addc(to, is_tuple ? '(' : is_list ? '[' : '{');
	for (uint32_t i = 0; i < v->n_children && value_iter_next(it, &child); i++) {
		if (depth >= NEST_MAX || to->n - start > VALUE_BYTES_MAX) {
			value_iter_skip(it, &child);
			continue;
		}
		if (i)
			strbuf_adds(to, is_dict && i % 2 ? ": " : ", ");
		add_value(to, it, &child, depth + 1);
	}
	uint64_t kept = is_dict ? v->n_children / 2 : v->n_children;
	if (depth >= NEST_MAX || to->n - start > VALUE_BYTES_MAX)
		strbuf_adds(to, "…");
	else if (kept < v->full)
		strbuf_addf(to, "%s[cut] %llu of %llu", v->n_children ? ", " : "",
			    (unsigned long long)kept, (unsigned long long)v->full);
	else if (is_tuple && v->n_children == 1)
		strbuf_addc(to, ',');
	strbuf_addc(to, is_tuple ? ')' : is_list ? ']' : '}');
}

static void add_value(struct strbuf *to, struct value_iter *it, const struct value_node *v,
		      unsigned depth)
{
	switch (v->tag) {
	case VALUE_NONE: strbuf_adds(to, "None"); return;
	case VALUE_FALSE: strbuf_adds(to, "False"); return;
	case VALUE_TRUE: strbuf_adds(to, "True"); return;
	case VALUE_ELLIPSIS: strbuf_adds(to, "Ellipsis"); return;
	case VALUE_INT: strbuf_addf(to, "%lld", (long long)v->i); return;
	case VALUE_BIGINT: add_bigint(to, v); return;
	case VALUE_FLOAT: strbuf_addf(to, "%.6g", v->real); return;
	case VALUE_COMPLEX: strbuf_addf(to, "(%.6g%+.6gj)", v->real, v->imag); return;
	case VALUE_STR:
	case VALUE_STR_CUT:
	case VALUE_BYTES:
	case VALUE_BYTES_CUT:
	case VALUE_BYTEARRAY:
	case VALUE_BYTEARRAY_CUT:
		if (depth == 0 && is_bare(v))
			add_text(to, v);
		else
			add_quoted(to, v);
		return;
	case VALUE_TUPLE:
	case VALUE_LIST:
	case VALUE_SET:
	case VALUE_FROZENSET:
	case VALUE_DICT: add_container(to, it, v, depth); return;
	case VALUE_OBJECT:
		add_object(to, it, v);
		value_iter_skip(it, v);
		return;
	case VALUE_UNREADABLE:
	case VALUE_OBJECT_AT:
	case VALUE_REF:
	case VALUE_TAG_COUNT: break;
	}
	strbuf_adds(to, "??");
	value_iter_skip(it, v);
}

/* Append a sequence of texts as a shell line. */
static void add_argv(struct strbuf *to, struct value_iter *it, const struct value_node *v)
{
	size_t start = to->n;
	struct value_node child;

	for (uint32_t i = 0; i < v->n_children && value_iter_next(it, &child); i++) {
		if (to->n - start > VALUE_BYTES_MAX) {
			value_iter_skip(it, &child);
			continue;
		}
		if (i)
			strbuf_addc(to, ' ');
		if (!is_text(&child) && !is_bytes(&child)) {
			add_value(to, it, &child, 1);
		} else if (is_bare(&child) && child.bytes[0] != '#' && child.bytes[0] != '~' &&
			   !gist_has_shell_sign((const char *)child.bytes, child.n_bytes)) {
			add_text(to, &child);
		} else {
			strbuf_addc(to, '\'');
			add_text(to, &child);
			strbuf_addc(to, '\'');
		}
	}
	if (to->n - start > VALUE_BYTES_MAX)
		strbuf_adds(to, "…");
	else if (v->n_children < v->full)
		strbuf_addf(to, " [cut] %u of %llu", v->n_children, (unsigned long long)v->full);
}

static void add_host(struct strbuf *to, const struct value_node *host,
		     const struct value_node *port)
{
	bool is_v6 = memchr(host->bytes, ':', host->n_bytes) != NULL;

	strbuf_adds(to, is_v6 ? "[" : "");
	if (host->n_bytes == 0)
		strbuf_addc(to, '*');
	add_text(to, host);
	strbuf_addf(to, "%s:%lld", is_v6 ? "]" : "", (long long)port->i);
}

/* Append the address of a socket; false if it has another form. */
static bool add_hostport(struct strbuf *to, const struct value_iter *it, const struct value_node *v)
{
	struct value_iter look = *it;
	struct value_node host, port;

	if (is_text(v) || is_bytes(v)) {
		if (v->n_bytes > 1 && v->bytes[0] == '\0') { /* unix(7): the abstract namespace */
			strbuf_addc(to, '@');
			utf8_escape(to, (const char *)v->bytes + 1, v->n_bytes - 1, 0);
		} else {
			add_text(to, v);
		}
		return true;
	}
	if (v->tag != VALUE_TUPLE || v->n_children < 2 || !value_iter_next(&look, &host) ||
	    !(is_text(&host) || is_bytes(&host)) || !value_iter_next(&look, &port) ||
	    port.tag != VALUE_INT)
		return false;
	add_host(to, &host, &port);
	return true;
}

/* Readings of numbers. */
static bool add_number(struct strbuf *to, const struct value_node *v, unsigned reading)
{
	if (v->tag != VALUE_INT)
		return false;
	switch (reading) {
	case READING_SIZE:
		if (v->i < 0)
			return false;
		strbuf_add_count(to, (uint64_t)v->i);
		strbuf_adds(to, " B");
		return true;
	case READING_HEX:
		if (v->i < 0)
			strbuf_addf(to, "%lld", (long long)v->i);
		else
			strbuf_addf(to, "0x%llx", (unsigned long long)v->i);
		return true;
	case READING_OCTAL: strbuf_addf(to, "%04llo", (unsigned long long)v->i); return true;
	case READING_FD: strbuf_addf(to, "fd %lld", (long long)v->i); return true;
	default: return gist_add_word(to, v->i, reading);
	}
}

/* True if the reading applies to the value and was appended; only then may the iterator have
 * moved. */
static bool add_reading(struct strbuf *to, struct value_iter *it, const struct value_node *v,
			unsigned reading)
{
	struct value_node attr;
	bool is_string = is_text(v) || is_bytes(v);

	switch (reading) {
	case READING_PATH:
		if (v->tag == VALUE_INT) {
			strbuf_addf(to, "fd %lld", (long long)v->i);
			return true;
		}
		if (v->tag == VALUE_OBJECT && find_attr(*it, v, "path", &attr) && is_text(&attr)) {
			add_text(to, &attr);
			return true;
		}
		if (!is_string)
			return false;
		if (is_bare(v))
			add_text(to, v);
		else
			add_quoted(to, v);
		return true;
	case READING_URL:
	case READING_TEXT:
		if (is_string)
			add_text(to, v);
		return is_string;
	case READING_ARGV:
		if (is_string) {
			add_text(to, v);
			return true;
		}
		if (v->tag != VALUE_LIST && v->tag != VALUE_TUPLE)
			return false;
		add_argv(to, it, v);
		return true;
	case READING_HOSTPORT: return add_hostport(to, it, v);
	case READING_CALL:
		if (v->tag != VALUE_TUPLE)
			return false;
		add_container(to, it, v, 0);
		return true;
	case READING_CODE:
		if (v->tag == VALUE_OBJECT)
			add_code(to, it, v);
		return v->tag == VALUE_OBJECT;
	case READING_CALLABLE:
		if (v->tag != VALUE_OBJECT)
			return false;
		if (find_attr(*it, v, "name", &attr) && is_text(&attr))
			add_text(to, &attr);
		else
			add_last_part(to, v);
		return true;
	case READING_TYPE:
		if (v->tag != VALUE_OBJECT || !find_attr(*it, v, "name", &attr) || !is_text(&attr))
			return false;
		add_text(to, &attr);
		return true;
	case READING_LEN:
		if (!is_string)
			return false;
		if (is_cut(v)) {
			strbuf_adds(to, "[cut] ");
			strbuf_add_count(to, v->n_bytes);
			strbuf_adds(to, " of ");
		}
		strbuf_add_count(to, v->full);
		strbuf_adds(to, " B");
		return true;
	case READING_COUNT:
		if (v->tag != VALUE_TUPLE && v->tag != VALUE_LIST && v->tag != VALUE_SET &&
		    v->tag != VALUE_DICT)
			return false;
		strbuf_add_count(to, v->full);
		return true;
	default: return add_number(to, v, reading);
	}
}

bool gist_is_empty(const struct value_node *v, unsigned reading)
{
	if (v->tag == VALUE_NONE)
		return true;
	if ((is_text(v) || is_bytes(v)) && v->n_bytes == 0 && v->full == 0)
		return true;
	return v->tag == VALUE_INT && v->i < 0 &&
	       (reading == READING_FD || reading == READING_OPTION);
}

void gist_add_was(struct strbuf *to, const char *was, size_t n_bytes)
{
	strbuf_adds(to, "<was ");
	utf8_escape(to, was, n_bytes, 0);
	strbuf_addc(to, '>');
}

void gist_add_value(struct strbuf *to, struct value_iter *it, const struct value_node *v,
		    unsigned reading)
{
	struct value_iter behind = *it;

	value_iter_skip(&behind, v);
	if (v->tag == VALUE_UNREADABLE || gist_is_empty(v, reading) ||
	    !add_reading(to, it, v, reading))
		add_value(to, it, v, 0);
	*it = behind;
}

/* The width of text that is escaped already: a backslash is one cell (utf8_str_width() counts those
 * that it would escape). */
static size_t cells_of(const char *s, size_t n)
{
	size_t cells = 0, n_bytes;

	for (size_t at = 0; at < n; at += n_bytes) {
		int width = utf8_width(utf8_decode(s + at, n - at, &n_bytes));
		cells += width > 0 ? (size_t)width : 0;
	}
	return cells;
}

void gist_cut_path(struct strbuf *text, size_t max_cells)
{
	const char *s = strbuf_str(text);
	size_t n = text->n, cells = cells_of(s, n);
	const char *scheme = memmem(s, n, "://", 3);
	size_t root = scheme ? (size_t)(scheme + 3 - s) : 0;

	if (cells <= max_cells || n == 0)
		return;
	/* The first part ends at the first separator after some text; the last name begins after
	 * the last separator. */
	const char *first = memchr(s + root + (n > root && s[root] == '/'), '/',
				   n - root - (n > root && s[root] == '/'));
	const char *last = memrchr(s, '/', n - 1);

	if (!first || !last || last <= first)
		return;
	while (last > first + 1) { /* keep as many of the last folders as fit */
		const char *before = memrchr(first + 1, '/', (size_t)(last - first - 1));
		size_t tail;

		if (!before)
			break;
		tail = n - (size_t)(before - s);
		if (cells_of(s, (size_t)(first + 1 - s)) + 1 + cells_of(before, tail) > max_cells)
			break;
		last = before;
	}
	struct strbuf cut = { 0 };

	strbuf_add(&cut, s, (size_t)(first + 1 - s));
	strbuf_adds(&cut, "…");
	strbuf_add(&cut, last, n - (size_t)(last - s));
	if (!cut.failed && cells_of(cut.s, cut.n) < cells) {
		strbuf_clear(text);
		strbuf_add(text, cut.s, cut.n);
	}
	strbuf_fini(&cut);
}

/* Cut the end of a line that is too long; its text is escaped already. */
static void cut_end(struct strbuf *line, size_t start, size_t max_cells)
{
	size_t at = start, cells = 0, n;

	if (cells_of(line->s + start, line->n - start) <= max_cells)
		return;
	while (at < line->n) {
		uint32_t c = utf8_decode(line->s + at, line->n - at, &n);
		int width = utf8_width(c);

		if (cells + (width > 0 ? (size_t)width : 0) + 1 > max_cells)
			break;
		cells += width > 0 ? (size_t)width : 0;
		at += n;
	}
	strbuf_cut(line, at);
	strbuf_adds(line, "…");
}

/* The bytes to skip so that what follows is at most max_cells wide; from a slash on, if there is
 * one in it. */
static size_t tail_at(const char *s, size_t n, size_t max_cells)
{
	size_t cells = cells_of(s, n), at = 0, n_bytes;

	while (at < n && cells > max_cells) {
		int width = utf8_width(utf8_decode(s + at, n - at, &n_bytes));

		cells -= width > 0 ? (size_t)width : 0;
		at += n_bytes;
	}
	const char *slash = memchr(s + at, '/', n - at);
	return slash && slash + 1 < s + n ? (size_t)(slash - s) : at;
}

/* Replace the middle by "…", so that at most max_cells are left: the head says what it is, the tail
 * tells it from others of its kind. */
static void cut_middle(struct strbuf *text, size_t max_cells)
{
	struct strbuf cut = { 0 };
	size_t n = text->n, from;

	if (max_cells < MIDDLE_CELLS_MIN || cells_of(strbuf_str(text), n) <= max_cells)
		return;
	from = tail_at(text->s, n, max_cells / 2);
	strbuf_add(&cut, text->s, from);
	cut_end(&cut, 0, max_cells - cells_of(text->s + from, n - from));
	/* one sign is enough where folders are hidden already: "…/…" and "……" */
	size_t n_sign = strlen("…");
	for (size_t skip = 2 * n_sign + 1; skip >= 2 * n_sign; skip--)
		if (cut.n >= skip && memcmp(cut.s + cut.n - skip, "…", n_sign) == 0 &&
		    (skip == 2 * n_sign || cut.s[cut.n - n_sign - 1] == '/'))
			strbuf_cut(&cut, cut.n - (skip - n_sign));
	strbuf_add(&cut, text->s + from, n - from);
	if (!cut.failed) {
		strbuf_clear(text);
		strbuf_add(text, cut.s, cut.n);
	}
	strbuf_fini(&cut);
}

/* Shorten the words that are paths to their last names, the last word first: it tells most commands
 * apart. A word may begin with a quote. */
static void shrink_words(struct strbuf *text, size_t max_cells)
{
	for (size_t end = text->n; end > 0 && cells_of(text->s, text->n) > max_cells;) {
		const char *space = memrchr(text->s, ' ', end);
		size_t start = space ? (size_t)(space + 1 - text->s) : 0,
		       next = start ? start - 1 : 0;
		start += start < end && strchr("'\"", text->s[start]) != NULL;
		const char *slash = memrchr(text->s + start, '/', end - start);
		size_t skip = slash && slash + 1 < text->s + end ? (size_t)(slash - text->s) - start
								 : 0;

		if (skip > strlen("…") && !memmem(text->s + start, skip, "://", 3)) {
			struct strbuf cut = { 0 };

			strbuf_add(&cut, text->s, start);
			strbuf_adds(&cut, "…");
			strbuf_add(&cut, text->s + start + skip, text->n - start - skip);
			strbuf_clear(text);
			strbuf_add(text, strbuf_str(&cut), cut.n);
			strbuf_fini(&cut);
		}
		end = next;
	}
}

/* A URL whose host and last name do not fit loses its middle instead (cut_middle()). */
static void cut_folders(struct strbuf *text, size_t max_cells)
{
	struct strbuf whole = { 0 };

	strbuf_add(&whole, text->s, text->n);
	gist_cut_path(text, max_cells);
	if (cells_of(text->s, text->n) > max_cells && max_cells >= MIDDLE_CELLS_MIN &&
	    memmem(whole.s, whole.n, "://", 3)) {
		strbuf_clear(text);
		strbuf_add(text, whole.s, whole.n);
	}
	strbuf_fini(&whole);
}

enum part_kind { PART_TEXT, PART_PATH, PART_COMMAND };

struct part {
	struct strbuf text;
	enum part_kind kind;
	bool is_shown;
};

/* The width of all parts, and the widest that can be shortened; n: there is none. */
static size_t widest(const struct part *parts, size_t n, const bool *is_done, size_t *ret_total)
{
	size_t found = n, found_cells = 0;

	*ret_total = 0;
	for (size_t i = 0; i < n; i++) {
		size_t cells = cells_of(strbuf_str(&parts[i].text), parts[i].text.n);

		if (!parts[i].is_shown)
			continue;
		*ret_total += cells;
		if (parts[i].kind != PART_TEXT && !is_done[i] && cells > found_cells) {
			found = i;
			found_cells = cells;
		}
	}
	return found;
}

/* Shorten paths and commands, the longest first, until the line fits: by whole folders; if that is
 * not enough, by their middle. */
static void shrink_parts(struct part *parts, size_t n, size_t max_cells)
{
	for (unsigned by_middle = 0; by_middle < 2; by_middle++) {
		bool is_done[PARTS_MAX] = { false };
		size_t total, i;

		while ((i = widest(parts, n, is_done, &total)) < n && total > max_cells) {
			size_t cells = cells_of(parts[i].text.s, parts[i].text.n);
			size_t room = total - max_cells < cells ? cells - (total - max_cells) : 1;

			if (!by_middle && parts[i].kind == PART_PATH)
				cut_folders(&parts[i].text, room);
			else
				shrink_words(&parts[i].text, room);
			if (by_middle)
				cut_middle(&parts[i].text, room);
			is_done[i] = true;
		}
	}
}

static void join(struct strbuf *to, struct part *parts, size_t n, size_t max_cells)
{
	size_t start = to->n;

	if (max_cells)
		shrink_parts(parts, n, max_cells);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].is_shown)
			strbuf_add(to, strbuf_str(&parts[i].text), parts[i].text.n);
		strbuf_fini(&parts[i].text);
	}
	while (to->n > start && to->s[to->n - 1] == ' ')
		strbuf_cut(to, to->n - 1);
	if (max_cells && to->n > start)
		cut_end(to, start, max_cells);
}

struct args {
	uint32_t n;
	struct value_node nodes[ARGS_MAX];
	struct value_iter behind[ARGS_MAX];
	/* what descriptors were; NULL: not known */
	const char *was[ARGS_MAX];
	size_t n_was[ARGS_MAX];
};

static void read_args(struct args *ret, struct value_iter *it)
{
	struct value_node tuple;

	ret->n = 0;
	if (!value_iter_next(it, &tuple) || tuple.tag != VALUE_TUPLE)
		return;
	for (uint32_t i = 0;
	     i < tuple.n_children && i < ARGS_MAX && value_iter_next(it, &ret->nodes[i]); i++) {
		ret->behind[i] = *it;
		ret->was[i] = NULL;
		value_iter_skip(it, &ret->nodes[i]);
		ret->n++;
	}
}

static void add_by_template(struct strbuf *to, const struct catalog_event *e, struct args *args,
			    size_t max_cells)
{
	struct part parts[PARTS_MAX] = { 0 };
	size_t n = e->n_gist < PARTS_MAX ? e->n_gist : PARTS_MAX;
	bool group_is_empty[16] = { false };

	for (size_t i = 0; i < n; i++) {
		const struct catalog_gist_part *g = &e->gist_parts[i];
		struct part *p = &parts[i];

		if (g->kind == GIST_TEXT) {
			strbuf_adds(&p->text, g->text);
			p->is_shown = true;
			continue;
		}
		bool can_hide = g->group || g->or_next;

		if (g->arg < args->n &&
		    !(can_hide && gist_is_empty(&args->nodes[g->arg], g->reading))) {
			gist_add_value(&p->text, &args->behind[g->arg], &args->nodes[g->arg],
				       g->reading);
			if (args->was[g->arg])
				gist_add_was(&p->text, args->was[g->arg], args->n_was[g->arg]);
			p->is_shown = true;
		}
		p->kind = g->reading == READING_PATH || g->reading == READING_URL ? PART_PATH
			  : g->reading == READING_ARGV                            ? PART_COMMAND
										  : PART_TEXT;
		if (p->is_shown && g->or_next) {
			while (i + 1 < n && e->gist_parts[i].or_next)
				i++;
		} else if (!p->is_shown && !g->or_next && g->group < 16) {
			group_is_empty[g->group] = true;
		}
	}
	for (size_t i = 0; i < n; i++)
		if (e->gist_parts[i].group && e->gist_parts[i].group < 16 &&
		    group_is_empty[e->gist_parts[i].group])
			parts[i].is_shown = false;
	join(to, parts, n, max_cells);
}

static void add_all(struct strbuf *to, struct args *args, size_t max_cells)
{
	struct part parts[PARTS_MAX] = { 0 };

	for (uint32_t i = 0; i < args->n; i++) {
		gist_add_value(&parts[2 * i + 1].text, &args->behind[i], &args->nodes[i],
			       READING_VALUE);
		parts[2 * i + 1].is_shown = true;
		if (i) {
			strbuf_addc(&parts[2 * i].text, ' ');
			parts[2 * i].is_shown = true;
		}
	}
	join(to, parts, 2 * (size_t)args->n, max_cells);
}

static void add_args(struct strbuf *to, const struct catalog_event *e, struct args *args,
		     size_t max_cells)
{
	size_t start = to->n;
	if (e && e->n_gist)
		add_by_template(to, e, args, max_cells);
	else
		add_all(to, args, max_cells);
	/* sendmsg() on a connected socket has no address: then the peer says most */
	for (uint32_t i = 0; i < args->n && to->n == start; i++)
		if (args->was[i]) {
			gist_add_was(to, args->was[i], args->n_was[i]);
			if (max_cells)
				cut_end(to, start, max_cells);
		}
}

void gist_add(struct strbuf *to, const struct catalog_event *e, struct value_iter *it,
	      size_t max_cells)
{
	struct args args;

	read_args(&args, it);
	add_args(to, e, &args, max_cells);
}

static void read_was(struct args *args, struct trace *t, const struct event *e)
{
	struct arguments all;
	struct argument arg;

	arguments_init(&all, t, e);
	for (; arguments_next(&all, &arg); arguments_skip(&all, &arg))
		if (arg.index < args->n) {
			args->was[arg.index] = arg.was;
			args->n_was[arg.index] = arg.n_was;
		}
}

static void add_event(struct strbuf *to, struct trace *t, const struct event *e, size_t max_cells,
		      bool with_was)
{
	struct value_iter it;
	uint32_t n_objects;
	size_t n_bytes;
	const uint64_t *objects = trace_event_objects(t, e->seq, &n_objects);
	const char *name = trace_name(t, e->name, &n_bytes);

	if (e->args == 0)
		return;
	value_iter_init(&it, t, e->args, objects, n_objects);
	struct args args;
	read_args(&args, &it);
	if (with_was && e->descriptors)
		read_was(&args, t, e);
	add_args(to, catalog_find(name, n_bytes), &args, max_cells);
}

void gist_add_event(struct strbuf *to, struct trace *t, const struct event *e, size_t max_cells)
{
	add_event(to, t, e, max_cells, true);
}

void gist_add_event_args(struct strbuf *to, struct trace *t, const struct event *e,
			 size_t max_cells)
{
	add_event(to, t, e, max_cells, false);
}
