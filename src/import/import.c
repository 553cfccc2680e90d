/*
 * import: see import.h. This file reads the members of a line; import_value.c single
 * values, import_time.c its time, import_frames.c its stack.
 *
 * There are two passes: capture time 0 is written into the file first, and no line may be earlier,
 * so the first pass finds the earliest time. Input that cannot be read twice is copied to a file.
 * If somebody waits for the events (import_stream()), there is one pass: the first lines, as many
 * as come at once, decide time 0. In our own lines each line tells it.
 *
 * It is fast because repeated text is parsed once: the text of a frame, of a whole stack and of
 * arguments without addresses is first looked up by its 128-bit hash. The end of a stack or of
 * arguments that were seen before can be found without parsing: in our own lines the stack ends at
 * "}" and line end, and the arguments end at the last ,"stack":[ . A text that is in the table was
 * parsed to exactly its end once, so it is complete; a text that is not in the table is parsed.
 */
#include "import/import.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash_map.h"
#include "base/io.h"
#include "base/monotonic.h"
#include "base/value_add.h"
#include "import/import_frames.h"
#include "import/import_private.h"
#include "import/import_process.h"
#include "import/import_time.h"
#include "import/import_value.h"
#include "model/catalog.h"

#define READ_BYTES      (1u << 20)
#define DESCRIPTORS_MAX 64u /* in the arguments of one event */
#define LINE_BYTES_MAX  (256u << 20)
/* of import_stream() */
#define FLUSH_NS 50000000u  /* a line waits that long at most, if more lines come */
#define AHEAD_NS 200000000u /* the first lines decide time 0: those that come in it */
#define QUIET_MS 20         /* or before a pause of this length */
#define WAITING_BYTES_MAX                                                                          \
	(4u << 20) /* no more lines are read while the reader is that far behind */

/* ---- losses ---- */

static void lose_line(struct import *im, const struct json *j, const char *why)
{
	char text[IMPORT_WHY_BYTES];
	if (!why) {
		bool torn = j->p >= j->end;
		snprintf(text, sizeof(text), "column %zu: expected %s%s",
			 (size_t)(j->p - j->start + 1), j->error ? j->error : "something else",
			 torn ? "; the line is incomplete" : "");
		why = text;
	}
	import_value_loss(&im->result->lost, im->line, why);
}

static bool key_in(const struct strbuf *key, const char *const *names)
{
	for (; *names; names++)
		if (import_value_is_key(key, *names))
			return true;
	return false;
}

/* ---- arguments ---- */

/*
 * Parse {"name":value,…} or [value,…] in one pass: with names as a dictionary, or the values alone
 * as a tuple; *ret_named says whether a name was not in the catalogue. Anything else is one
 * argument.
 */
static bool parse_args(struct import *im, struct json j, const struct catalog_event *e, int minor,
		       bool as_dict, bool *ret_named, const char **ret_end)
{
	uint64_t n = 0;
	char buf[CATALOG_KEY_BYTES], open = *j.p, close = open == '{' ? '}' : ']';
	strbuf_clear(&im->encoded);
	im->objects.addresses.n = 0;
	*ret_named = false;
	bool ok = true;
	if (open != '{' && open != '[') {
		ok = value_json_read(&j, &im->encoded, &im->objects);
		n = 1;
	} else if (json_read_expect(&j, open) && !json_read_is(&j, close)) {
		do {
			const char *known = catalog_arg_key(e, minor, (size_t)n, buf);
			if (open == '{') {
				ok = json_read_string(&j, &im->key) && json_read_expect(&j, ':');
				if (!ok)
					break;
				*ret_named |= !import_value_is_key(&im->key, known);
				if (as_dict)
					value_add_str(&im->encoded, strbuf_str(&im->key),
						      im->key.n);
			}
			ok = value_json_read(&j, &im->encoded, &im->objects);
			n++;
		} while (ok && json_read_is(&j, ','));
		ok = ok && json_read_expect(&j, close);
	}
	*ret_end = j.p;
	strbuf_clear(&im->text);
	value_add_container(&im->text, as_dict ? VALUE_DICT : VALUE_TUPLE, n, n, &im->encoded);
	return ok && !im->text.failed;
}

static bool read_args(struct import *im, struct line *l, int minor, uint32_t *ret)
{
	size_t n = (size_t)(l->args.end - l->args.p);
	struct dictionary_key h = dictionary_hash(
	    l->args.p, n, im->seed ^ ((uint64_t)l->name << 8 | (uint64_t)minor));
	im->objects.addresses.n = 0;
	if (import_known_get(&im->args, h, ret))
		return true;
	const struct catalog_event *e = catalog_find(l->event, l->n_event);
	bool named;
	const char *end;
	if (!parse_args(im, l->args, e, minor, false, &named, &end) ||
	    (named && !parse_args(im, l->args, e, minor, true, &named, &end)))
		return false;
	*ret = writer_value(im->w, im->text.s, im->text.n);
	return im->objects.addresses.n || end != l->args.end ||
	       import_known_add(&im->args, h, *ret);
}

/* Read the members of a foreign line that have no meaning for us. */
static bool read_others(struct import *im, struct line *l, uint32_t *ret)
{
	strbuf_clear(&im->encoded);
	im->objects.addresses.n = 0;
	strbuf_addc(&im->encoded, VALUE_DICT);
	strbuf_add_varint(&im->encoded, l->others.n);
	strbuf_add_varint(&im->encoded, l->others.n);
	for (size_t i = 0; i < l->others.n; i++) {
		struct json *j = &l->others.v[i];
		if (!json_read_string(j, &im->key) || !json_read_expect(j, ':'))
			return false;
		value_add_str(&im->encoded, strbuf_str(&im->key), im->key.n);
		if (!value_json_read(j, &im->encoded, &im->objects))
			return false;
	}
	*ret = l->others.n ? writer_value(im->w, im->encoded.s, im->encoded.n) : 0;
	return true;
}

/* What the descriptors in the arguments were: {"NAME": "text", …}, kept by the arguments' names. */
static bool read_descriptors(struct import *im, const struct line *l, uint32_t *ret)
{
	struct json j = l->descriptors;
	struct strbuf body = { 0 }, dict = { 0 };
	uint32_t n = 0;
	bool ok = json_read_expect(&j, '{') && !json_read_is(&j, '}');
	while (ok) {
		ok = json_read_string(&j, &im->key) && json_read_expect(&j, ':') &&
		     json_read_string(&j, &im->text) && n++ < DESCRIPTORS_MAX;
		if (!ok)
			break;
		value_add_str(&body, strbuf_str(&im->key), im->key.n);
		value_add_str(&body, strbuf_str(&im->text), im->text.n);
		if (!json_read_is(&j, ','))
			break;
	}
	ok = ok && json_read_expect(&j, '}');
	value_add_container(&dict, VALUE_DICT, n, n, &body);
	if (ok && !dict.failed)
		*ret = writer_value(im->w, dict.s, dict.n);
	strbuf_fini(&body);
	strbuf_fini(&dict);
	return ok;
}

/* ---- lines ---- */

/* Remember where a value starts, and skip it. known_end: where it ends if the line is written as
 * ours are. */
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

/* In our own lines: where the stack begins, which is the last member. */
static const char *find_last_stack(const char *p, const char *end)
{
	const char *last = NULL, *next;
	while ((next = memmem(p, (size_t)(end - p), ",\"stack\":[", 10)))
		last = next, p = next + 10;
	return last;
}

static bool read_numbers(struct import *im, struct json *j, struct line *l, bool *ret_is_one)
{
	static const char *const pids[] = { "pid", "process_id", NULL }, *const tids[] = {
		"tid", "thread_id", "thread_ident", "ident", "native_id", NULL
	};
	struct number *n = key_in(&im->key, pids)                        ? &l->pid
			   : key_in(&im->key, tids)                      ? &l->tid
			   : import_value_is_key(&im->key, "unnumbered") ? &l->unnumbered
			   : import_value_is_key(&im->key, "ns_tid")     ? &l->ns_tid
			   : import_value_is_key(&im->key, "interp")     ? &l->interp
			   : import_value_is_key(&im->key, "flags")      ? &l->flags
									 : NULL;
	struct number read;
	*ret_is_one = n != NULL;
	if (!n)
		return true;
	if (!import_value_number(j, &read))
		return false;
	if (!n->is_set || n == &l->flags || read.is_set)
		*n = read;
	return true;
}

/* Read members that are usually texts. */
static bool read_texts(struct import *im, struct json *j, struct line *l, bool *ret_is_one)
{
	static const char *const threads[] = { "thread", "thread_name", "threadName", NULL };
	*ret_is_one = true;
	json_read_space(j);
	char c = j->p < j->end ? *j->p : 0;
	if (key_in(&im->key, threads)) {
		if (c != '"' && !l->tid.is_set && (c == '-' || (c >= '0' && c <= '9')))
			return import_value_number(j, &l->tid); /* threading.get_ident() */
		return import_value_text(j, &im->thread);
	}
	if (import_value_is_key(&im->key, "host.name"))
		return import_value_text(j, &im->host);
	if (import_value_is_key(&im->key, "python"))
		return import_value_text(j, &im->python);
	if (import_value_is_key(&im->key, "event")) {
		l->has_event = c == '"';
		return l->has_event ? json_read_string(j, &im->value) : json_read_skip(j);
	}
	if (import_value_is_key(&im->key, "process")) {
		if (c == '{')
			return mark_value(j, NULL, &l->process);
		if (import_value_json_text(j, "{\"", &im->process_text, &l->process))
			return true;
		if (c != '"' && !l->pid.is_set)
			return import_value_number(j, &l->pid);
		return import_value_text(j, &im->process_name);
	}
	*ret_is_one = false;
	return true;
}

static bool read_member(struct import *im, struct json *j, struct line *l, const char *key_at)
{
	static const char *const stacks[] = { "stack", "traceback", "frames", "stack_info", NULL },
				 *const skipped[] = {
					 "v",          "seq",     "category",        "theme",
					 "documented", "package", "package_version", NULL
				 };
	const struct strbuf *k = &im->key;
	bool is_one, is_odd;
	if (import_time_is_key(k)) {
		bool ok = import_time_read(j, k, &im->text, &l->time, &is_odd);
		if (is_odd)
			import_value_odd(im, "the time is not understood");
		return ok;
	}
	if (!read_numbers(im, j, l, &is_one))
		return false;
	if (is_one)
		return true;
	if (!read_texts(im, j, l, &is_one))
		return false;
	if (is_one)
		return true;
	json_read_space(j);
	char c = j->p < j->end ? *j->p : 0;
	if (import_value_is_key(k, "args")) {
		if (c == 'n')
			return json_read_skip(j);
		struct json at = *j;
		if (import_value_json_text(j, "{", &im->args_text, &l->args) ||
		    import_value_json_text(j, "[", &im->args_text, &l->args)) {
			l->args_string = (struct json){ .start = at.start, .p = at.p, .end = j->p };
			return true;
		}
		return mark_value(j, l->is_own && c == '{' ? find_last_stack(j->p, j->end) : NULL,
				  &l->args);
	}
	if (key_in(k, stacks)) {
		if (c != '[' && c != '"')
			return json_read_skip(j);
		l->stack_is_outermost_first = import_value_is_key(k, "traceback");
		if (import_value_json_text(j, "[{", &im->stack_text, &l->stack) ||
		    import_value_json_text(j, "[]", &im->stack_text, &l->stack))
			return true;
		bool is_last = l->is_own && j->end - j->p >= 3 && j->end[-1] == '}' &&
			       j->end[-2] == ']';
		return mark_value(j, is_last ? j->end - 1 : NULL, &l->stack);
	}
	if (import_value_is_key(k, "notes") &&
	    import_value_json_text(j, "[{", &im->notes_text, &l->notes))
		return true;
	if (import_value_is_key(k, "notes"))
		return c == '[' ? mark_value(j, NULL, &l->notes) : json_read_skip(j);
	if (import_value_is_key(k, "descriptors")) {
		if (import_value_json_text(j, "{\"", &im->descriptors_text, &l->descriptors))
			return true;
		return c == '{' ? mark_value(j, NULL, &l->descriptors) : json_read_skip(j);
	}
	if (key_in(k, skipped))
		return json_read_skip(j);
	if (!json_read_skip(j))
		return false;
	struct json other = { .start = j->start, .p = key_at, .end = j->p };
	return vec_push(&l->others, other) || json_read_fail(j, "more memory");
}

static bool read_members(struct import *im, struct json *j, struct line *l)
{
	static const char own[] = "{\"v\":1,\"seq\":";
	l->is_own = (size_t)(j->end - j->p) > sizeof(own) && !memcmp(j->p, own, sizeof(own) - 1);
	if (!json_read_expect(j, '{'))
		return false;
	if (json_read_is(j, '}'))
		return true;
	do {
		json_read_space(j);
		const char *key_at = j->p;
		if (!json_read_string(j, &im->key) || !json_read_expect(j, ':') ||
		    !read_member(im, j, l, key_at))
			return false;
	} while (json_read_is(j, ','));
	if (!json_read_expect(j, '}'))
		return false;
	json_read_space(j);
	return j->p == j->end || json_read_fail(j, "the end of the line");
}

/* Returns NULL, or an error if memory is short; *ret_why is set if the line is lost. */
static struct err *write_event(struct import *im, struct line *l, const char **ret_why)
{
	struct event_info e = { .flags = (uint32_t)l->flags.u & 0xff };
	struct process *p = NULL;
	struct dictionary_key h = dictionary_hash(im->value.s, im->value.n, im->seed);
	l->event = im->value.s;
	l->n_event = im->value.n;
	if (!import_known_get(&im->names, h, &l->name)) {
		l->name = writer_string(im->w, l->event, l->n_event);
		if (!import_known_add(&im->names, h, l->name))
			return err_no_memory();
	}
	if (l->n_event > 4096)
		import_value_odd(
		    im, "the event's name has more than 4096 bytes: the rest is not shown");
	e.name = l->name;
	e.time_ns = import_time_axis_place(&im->axis, &l->time, im->last_ns);
	if (im->is_live && import_time_axis_is_early(&im->axis, &l->time))
		import_value_odd(im, "it is earlier than the first lines, and shown at their time");
	if (!import_process_find(im, l, e.time_ns, &p))
		return err_no_memory();
	struct json notes = l->notes;
	if (notes.start && !import_process_notes(im, &notes))
		import_value_odd(im, "\"notes\" are not understood");
	/* A reader must have them before the event that they come with: it shows each event once,
	 * and a block of events is written before the notes that belong between them. */
	struct err *err = notes.start && im->is_live ? writer_flush(im->w) : NULL;
	if (err)
		return err;
	uint32_t hex = p->info.python_hex;
	int minor = hex >> 24 == 3 ? (int)(hex >> 16 & 0xff) : 0;
	if (!import_process_thread(im, l, p, &e.thread))
		return err_no_memory();
	if (l->stack.start && !import_frames_read(im, l, &e.stack))
		import_value_odd(im, "the stack is not understood");
	im->objects.addresses.n = 0;
	bool ok = l->args.start ? read_args(im, l, minor, &e.args) : read_others(im, l, &e.args);
	if (!ok && l->args_string.start) { /* it only looked like JSON */
		l->args = l->args_string;
		ok = read_args(im, l, minor, &e.args);
	}
	if (!ok) {
		*ret_why = "the arguments are no JSON";
		return NULL;
	}
	if (l->args.start && l->others.n && !l->is_own)
		import_value_odd(im, "what stands beside \"args\" and is not known is left out");
	e.objects = im->objects.addresses.v;
	e.n_objects = (uint32_t)im->objects.addresses.n;
	if (l->descriptors.start && !read_descriptors(im, l, &e.descriptors))
		import_value_odd(im, "\"descriptors\" are not understood");
	writer_event(im->w, &e);
	im->last_ns = e.time_ns;
	im->result->n_events++;
	return NULL;
}

static struct err *start_writer(struct import *im, const struct line *l)
{
	import_process_first_host(im, l);
	struct writer_options options = { .wall_anchor_ns = (uint64_t)im->axis.start_ns,
					  .host = strbuf_str(&im->first_host),
					  .boot_id = strbuf_str(&im->first_boot_id),
					  .creator = "auditview " AUDITVIEW_VERSION,
					  .is_hidden = !im->is_live };
	return writer_open(im->path, &options, &im->w);
}

/* Second pass. */
static struct err *take_line(struct import *im, struct json j)
{
	struct line l = { 0 };
	struct err *err = NULL;
	const char *why = NULL;
	uint64_t n_odd = im->result->odd.n;
	strbuf_clear(&im->thread);
	strbuf_clear(&im->python);
	strbuf_clear(&im->process_name);
	strbuf_clear(&im->host);
	if (!read_members(im, &j, &l)) {
		im->result->odd.n = n_odd;
		lose_line(im, &j, NULL);
	} else if (!l.has_event || !im->value.n) {
		lose_line(im, &j, "no \"event\" that is a text");
	} else {
		err = im->w ? NULL : start_writer(im, &l);
		if (!err)
			err = write_event(im, &l, &why);
		if (!err && why)
			lose_line(im, &j, why);
	}
	if (!err && im->w && writer_is_broken(im->w))
		err = writer_flush(im->w);
	vec_fini(&l.others);
	return err;
}

/* First pass: find the time. The time of a line that will be lost must not count. */
static struct err *look_at_line(struct import *im, struct json j)
{
	struct line_time t = { 0 };
	bool is_odd, has_event = false;
	if (!json_read_expect(&j, '{') || json_read_is(&j, '}'))
		return NULL;
	do {
		if (!json_read_string(&j, &im->key) || !json_read_expect(&j, ':'))
			return NULL;
		has_event |= import_value_is_key(&im->key, "event");
		if (import_value_is_key(&im->key, "args") && j.start[1] == '"' &&
		    j.start[2] == 'v') {
			import_time_axis_see(&im->axis,
					     &t); /* in our own lines the times come first */
			im->axis.n_events++;
			return NULL;
		}
		if (!(import_time_is_key(&im->key)
			  ? import_time_read(&j, &im->key, &im->text, &t, &is_odd)
			  : json_read_skip(&j)))
			return NULL;
	} while (json_read_is(&j, ','));
	if (has_event && json_read_expect(&j, '}')) {
		import_time_axis_see(&im->axis, &t);
		im->axis.n_events++;
	}
	return NULL;
}

typedef struct err *line_fn(struct import *im, struct json j);

/* Handle one line, or one object of a document. */
static struct err *give_line(struct import *im, const char *p, size_t n, line_fn *fn)
{
	struct json j = { .start = p, .p = p, .end = p + n };
	while (j.end > p &&
	       (j.end[-1] == '\r' || j.end[-1] == ' ' || j.end[-1] == '\n' || j.end[-1] == '\t'))
		j.end--;
	while (j.end - j.p >= 3 && !memcmp(j.p, "\xef\xbb\xbf", 3))
		j.p += 3;
	while (j.p < j.end && *j.p == 0x1e) /* record separator, RFC 7464 */
		j.p++;
	json_read_space(&j);
	j.start = j.p;
	if (j.p == j.end)
		return NULL;
	if (*j.p == '#' || (j.end - j.p > 1 && j.p[0] == '/' && j.p[1] == '/')) {
		im->result->n_comments += fn == take_line;
		return NULL;
	}
	return fn(im, j);
}

/* Handle a document: an array of objects, or objects that span several lines. */
static struct err *give_document(struct import *im, const char *p, size_t n, line_fn *fn)
{
	const char *end = p + n, *counted = p;
	struct err *err = NULL;
	uint64_t line = 1;
	while (!err && p < end) {
		const char *from = memchr(p, '{', (size_t)(end - p));
		if (!from)
			break;
		for (const char *eol;
		     counted < from && (eol = memchr(counted, '\n', (size_t)(from - counted)));
		     counted = eol + 1)
			line++;
		im->line = line;
		struct json j = { .start = from, .p = from, .end = end };
		bool whole = json_read_skip(&j);
		const char *to = j.p,
			   *next = whole ? NULL
					 : memmem(from + 1, (size_t)(end - from - 1), "\n{", 2);
		if (next)
			to = next + 1;
		err = give_line(im, from, (size_t)(to - from), fn);
		p = to;
	}
	return err;
}

/* How an input begins. */
struct head {
	bool is_array, has_line, is_object;
	bool is_whole;    /* the first line is one value */
	struct json next; /* behind the first line, and the space after it */
};

static struct head head_read(const char *p, size_t n)
{
	struct json j = { .start = p, .p = p, .end = p + n };
	struct head h = { 0 };
	if (n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
		j.p += 3;
	json_read_space(&j);
	if (j.p == j.end)
		return h;
	h.is_array = *j.p == '[';
	h.is_object = *j.p == '{';
	const char *eol = h.is_array ? NULL : memchr(j.p, '\n', (size_t)(j.end - j.p));
	if (!eol)
		return h;
	struct json first = { .start = j.p, .p = j.p, .end = eol };
	h.has_line = true;
	h.is_whole = json_read_skip(&first);
	h.next = (struct json){ .start = eol, .p = eol, .end = j.end };
	json_read_space(&h.next);
	return h;
}

/* Does the input begin with an array, or with an object that spans lines or shares its line with
 * another? */
static bool is_document(const char *p, size_t n)
{
	const struct head h = head_read(p, n);
	return h.is_array || (h.is_object && h.has_line && !h.is_whole && h.next.p < h.next.end &&
			      *h.next.p == '"');
}

static bool is_utf16(const char *p, size_t n)
{
	return n >= 2 && (!memcmp(p, "\xff\xfe", 2) || !memcmp(p, "\xfe\xff", 2) ||
			  (!p[0] && p[1] == '{') || (p[0] == '{' && !p[1]));
}

struct input {
	int fd;
	char *buf;
	size_t n, cap;
	bool at_end;
};

/* ---- import_stream(): somebody waits for the events ---- */

/* Report losses that were not reported yet. */
static void tell_losses(struct import *im)
{
	const struct import_losses *all[] = { &im->result->lost, &im->result->odd };
	static const char *const what[] = { "not taken", "taken in part" };
	for (size_t k = 0; k < ARRAY_LEN(all); k++)
		for (; im->n_told[k] < all[k]->n && im->n_told[k] < ARRAY_LEN(all[k]->first);
		     im->n_told[k]++) {
			char text[IMPORT_WHY_BYTES + 300];
			snprintf(text, sizeof(text), "%.200s: line %llu %s: %s", im->label,
				 (unsigned long long)all[k]->first[im->n_told[k]].line, what[k],
				 all[k]->first[im->n_told[k]].why);
			im->stream->say(im->stream->ctx, im->w, im->last_ns, text);
		}
}

/* Make what was read visible, and wait for more input. Fails if the reader has gone. */
static struct err *stream_wait(struct import *im, int fd)
{
	for (;;) {
		size_t n_waiting = im->w ? writer_n_waiting(im->w) : 0;
		bool is_behind = n_waiting > WAITING_BYTES_MAX;
		struct pollfd p[] = { { .fd = is_behind ? -1 : fd, .events = POLLIN },
				      { .fd = im->stream->fd, .events = n_waiting ? POLLOUT : 0 } };
		bool is_ready = poll(p, 2, 0) > 0 && p[0].revents;
		uint64_t now = monotonic_ns();
		if (im->w && (!is_ready || now - im->flushed_ns >= FLUSH_NS)) {
			im->flushed_ns = now;
			tell_losses(im);
			struct err *err = writer_flush(im->w);
			if (err)
				return err;
		}
		if (is_ready)
			return NULL;
		n_waiting = im->w ? writer_n_waiting(im->w) : 0;
		p[1].events = n_waiting ? POLLOUT : 0;
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_sys(errno, "cannot read %s", im->label);
		if (p[1].revents & (POLLERR | POLLNVAL))
			return err_create(ERR_CANCELLED, "the reader of the events has ended");
		if (p[1].revents & POLLOUT && im->w)
			writer_push(im->w);
	}
}

/* Read more input after the bytes in the buffer. */
static struct err *input_more(struct input *in, struct import *im)
{
	if (in->n == in->cap) {
		char *bigger = realloc(in->buf, in->cap * 2 + 1);
		if (!bigger)
			return err_no_memory();
		in->buf = bigger;
		in->cap *= 2;
	}
	ssize_t got;
	do {
		struct err *err = im->is_live ? stream_wait(im, in->fd) : NULL;
		if (err)
			return err;
		got = read(in->fd, in->buf + in->n, in->cap - in->n);
	} while (got < 0 && (errno == EINTR || (errno == EAGAIN && im->is_live)));
	if (got < 0 && errno == ECONNRESET && im->is_live)
		got = 0; /* a socket whose other end is gone has ended, too */
	if (got < 0)
		return err_sys(errno, "cannot read %s", im->label);
	in->n += (size_t)got;
	in->buf[in->n] = 0;
	in->at_end = got == 0;
	return NULL;
}

static struct err *pass_lines(struct import *im, struct input *in, line_fn *fn)
{
	struct err *err = NULL;
	size_t scanned = 0;
	bool skipping = false; /* skip the rest of a line that is too long */
	while (!err) {
		size_t from = 0;
		char *end;
		while (!err && (end = memchr(in->buf + scanned, '\n', in->n - scanned))) {
			*end = 0;
			im->line += !skipping;
			if (!skipping)
				err = give_line(im, in->buf + from, (size_t)(end - in->buf) - from,
						fn);
			skipping = false;
			from = scanned = (size_t)(end - in->buf) + 1;
		}
		if (err || in->at_end) {
			im->line++;
			if (!err && in->n > from && !skipping)
				err = give_line(im, in->buf + from, in->n - from, fn);
			break;
		}
		memmove(in->buf, in->buf + from, in->n - from);
		in->n -= from;
		scanned = in->n;
		if (in->n >= LINE_BYTES_MAX || (skipping && in->n)) {
			im->line += !skipping;
			if (!skipping && fn == take_line)
				import_value_loss(&im->result->lost, im->line,
						  "the line is longer than 256 MiB");
			skipping = true;
			in->n = scanned = 0;
		}
		err = input_more(in, im);
	}
	return err;
}

/* A file that is no text at all, by its first bytes. */
static struct err *refuse_form(const struct import *im, const char *bytes, size_t n)
{
	static const struct {
		const char *magic, *name, *tool;
	} forms[] = {
		{ "\x1f\x8b", "gzip", "zcat" },            /* RFC 1952, 2.3.1 */
		{ "\x28\xb5\x2f\xfd", "zstd", "zstdcat" }, /* RFC 8878, 3.1.1 */
		{ "\xfd"
		  "7zXZ",
		  "xz", "xzcat" },           /* xz-file-format.txt, 2.1.1.1 */
		{ "BZh", "bzip2", "bzcat" }, /* bzip2 1.0.8 compress.c, BZ_HDR_* */
	};
	if (is_utf16(bytes, n))
		return err_with_hint(
		    err_create(ERR_SYNTAX, "%s is UTF-16, and JSON lines are UTF-8", im->label),
		    "iconv -f UTF-16 -t UTF-8 converts it");
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (n >= strlen(forms[i].magic) &&
		    memcmp(bytes, forms[i].magic, strlen(forms[i].magic)) == 0)
			return err_with_hint(
			    err_create(ERR_SYNTAX, "%s is compressed (%s), and JSON lines are text",
				       im->label, forms[i].name),
			    "%s FILE | auditview import - -o CAPTURE", forms[i].tool);
	return NULL;
}

/* Is enough there to tell the form: the first line, and the byte after it if it is no whole
 * value? */
static bool has_form(const char *p, size_t n)
{
	const struct head h = head_read(p, n);
	return h.is_array || (h.has_line && (!h.is_object || h.is_whole || h.next.p < h.next.end));
}

/* Read the lines that come at once, and find the earliest of their times. They stay in the
 * buffer. */
static struct err *look_ahead(struct import *im, struct input *in)
{
	size_t seen = 0;
	uint64_t until_ns = 0; /* set with the first event */
	const char *eol;
	struct err *err = NULL;
	while (!err && !in->at_end && in->n < READ_BYTES) {
		if (until_ns) {
			struct pollfd p = { .fd = in->fd, .events = POLLIN };
			bool has_time = im->axis.has_wall || im->axis.has_ts;
			if (poll(&p, 1, has_time ? QUIET_MS : AHEAD_NS / 1000000) == 0 ||
			    monotonic_ns() >= until_ns)
				break;
		}
		err = input_more(in, im);
		if (err || !has_form(in->buf, in->n) || is_document(in->buf, in->n))
			continue;
		while (!err && (eol = memchr(in->buf + seen, '\n', in->n - seen))) {
			err = give_line(im, in->buf + seen, (size_t)(eol - in->buf) - seen,
					look_at_line);
			seen = (size_t)(eol - in->buf) + 1;
		}
		if (!until_ns && im->axis.n_events)
			until_ns = monotonic_ns() + AHEAD_NS;
	}
	if (!err && in->at_end && in->n > seen && !is_document(in->buf, in->n))
		err = give_line(im, in->buf + seen, in->n - seen, look_at_line);
	return err;
}

static struct err *pass(struct import *im, int fd, line_fn *fn)
{
	struct input in = { .fd = fd, .buf = malloc(READ_BYTES + 1), .cap = READ_BYTES };
	struct err *err = in.buf ? NULL : err_no_memory();
	im->line = 0;
	if (!err && im->is_live)
		err = look_ahead(im, &in);
	while (!err && !im->is_live && !in.at_end && in.n < READ_BYTES)
		err = input_more(&in, im);
	if (!err)
		err = refuse_form(im, in.buf, in.n);
	if (!err && is_document(in.buf, in.n)) {
		while (!err && !in.at_end && in.n < LINE_BYTES_MAX)
			err = input_more(&in, im);
		if (!err && !in.at_end)
			err = err_with_hint(
			    err_create(ERR_UNSUPPORTED,
				       "%s is one JSON document of more than 256 MiB", im->label),
			    "write one object a line: jq -c '.[]'");
		if (!err && im->is_live)
			err = give_document(im, in.buf, in.n, look_at_line);
		if (im->is_live)
			import_time_axis_set(&im->axis);
		if (!err)
			err = give_document(im, in.buf, in.n, fn);
	} else if (!err) {
		if (im->is_live)
			import_time_axis_set(&im->axis);
		err = pass_lines(im, &in, fn);
	}
	free(in.buf);
	return err;
}

/* A descriptor that can be read twice: the input itself, or a copy of it in an unnamed file; -1
 * with *ret_err. */
static int open_twice(int fd, const char *label, struct err **ret_err)
{
	struct stat st;
	char buf[1 << 16];
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) >= 0)
		return dup(fd);
	FILE *f = tmpfile();
	int copy = f ? dup(fileno(f)) : -1;
	if (f)
		fclose(f);
	for (ssize_t n; copy >= 0 && (n = read(fd, buf, sizeof(buf))) != 0;) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || !io_write(copy, buf, (size_t)n)) {
			*ret_err = err_sys(
			    errno, n < 0 ? "cannot read %s" : "cannot make a copy of %s", label);
			close(copy);
			return -1;
		}
	}
	if (copy < 0 || lseek(copy, 0, SEEK_SET) < 0)
		*ret_err = err_sys(errno, "cannot make a copy of %s", label);
	return copy;
}

static void say(struct strbuf *to, const char *label, const struct import_losses *l,
		const char *what)
{
	for (size_t i = 0; i < ARRAY_LEN(l->first) && i < l->n; i++)
		strbuf_addf(to, "%s: line %llu %s: %s\n", label,
			    (unsigned long long)l->first[i].line, what, l->first[i].why);
	if (l->n > ARRAY_LEN(l->first))
		strbuf_addf(to, "%s: %llu more %s\n", label,
			    (unsigned long long)(l->n - ARRAY_LEN(l->first)), what);
}

void import_losses_say(struct strbuf *to, const char *label, const struct import_result *result)
{
	say(to, label, &result->lost, "not taken");
	say(to, label, &result->odd, "taken in part");
	if (result->lost.n)
		strbuf_addf(to, "%s: %llu line%s not taken in all\n", label,
			    (unsigned long long)result->lost.n, result->lost.n == 1 ? "" : "s");
}

/* The last steps of both forms: the error if there is no event, the end of the file. */
static struct err *finish(struct import *im, struct err *err)
{
	const struct import_result *r = im->result;
	/* a line that was lost may have created the writer */
	if (!err && !r->n_events) {
		err = err_create(ERR_NOT_FOUND,
				 im->w ? "%s: no event could be taken"
				       : "%s: no line has an \"event\"",
				 im->label);
		if (r->lost.n)
			err = err_with_hint(err, "line %llu: %s",
					    (unsigned long long)r->lost.first[0].line,
					    r->lost.first[0].why);
	}
	if (!err)
		err = writer_close(take_ptr(im->w));
	writer_discard(im->w);
	dictionary_fini(&im->frames);
	dictionary_fini(&im->stacks);
	dictionary_fini(&im->args);
	dictionary_fini(&im->threads);
	dictionary_fini(&im->names);
	dictionary_fini(&im->by_pid);
	dictionary_fini(&im->by_host);
	vec_fini(&im->processes);
	vec_fini(&im->levels);
	vec_fini(&im->objects.addresses);
	struct strbuf *bufs[] = {
		&im->key,          &im->text,          &im->value,           &im->encoded,
		&im->thread,       &im->python,        &im->process_name,    &im->last_stack,
		&im->thread_key,   &im->host,          &im->boot_id,         &im->note_host,
		&im->first_host,   &im->first_boot_id, &im->args_text,       &im->stack_text,
		&im->process_text, &im->notes_text,    &im->descriptors_text
	};
	for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
		strbuf_fini(bufs[i]);
	return err;
}

struct err *import_jsonl(int fd, const char *label, const char *path, struct import_result *ret)
{
	struct err *err = NULL;
	*ret = (struct import_result){ 0 };
	struct import im = { .label = label, .path = path, .result = ret, .seed = hash_map_seed() };
	int in = open_twice(fd, label, &err);
	off_t start = in >= 0 ? lseek(in, 0, SEEK_CUR) : -1;
	if (!err && start < 0)
		err = err_sys(errno, "cannot read %s", label);
	if (!err)
		err = pass(&im, in, look_at_line);
	import_time_axis_set(&im.axis);
	if (!err && lseek(in, start, SEEK_SET) < 0)
		err = err_sys(errno, "cannot read %s again", label);
	if (!err)
		err = pass(&im, in, take_line);
	if (in >= 0)
		close(in);
	return finish(&im, err);
}

struct err *import_stream(int fd, const char *label, const struct import_stream *to,
			  struct import_result *ret)
{
	char path[32];
	snprintf(path, sizeof(path), "/dev/fd/%d", to->fd);
	*ret = (struct import_result){ 0 };
	struct import im = { .label = label,
			     .path = path,
			     .result = ret,
			     .seed = hash_map_seed(),
			     .is_live = true,
			     .stream = to };
	struct err *err = pass(&im, fd, take_line);
	tell_losses(&im);
	if (ret->n_events && ret->lost.n) {
		char text[400];
		snprintf(text, sizeof(text), "%.200s: %llu line%s not taken in all", label,
			 (unsigned long long)ret->lost.n, ret->lost.n == 1 ? "" : "s");
		to->say(to->ctx, im.w, im.last_ns, text);
	}
	return finish(&im, err);
}
