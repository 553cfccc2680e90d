/*
 * import_line: see import_line.h. This file reads the members of a line; import_value.c reads
 * single values, import_time.c the time, import_process.c the process and thread, import_frames.c
 * the stack.
 *
 * It is fast because repeated text is parsed once: the text of a frame, of a whole stack and of
 * arguments without addresses is first looked up by its 128-bit hash. The end of a stack or of
 * arguments that were seen before can be found without parsing: in our own lines the stack ends at
 * "}" and line end, and the arguments end at the last ,"stack":[ . A text that is in the table was
 * parsed to exactly its end once, so it is complete; a text that is not in the table is parsed.
 */
#include "import/import_line.h"

#include <stdio.h>
#include <string.h>

#include "base/value_add.h"
#include "capture/block.h"
#include "import/import_frames.h"
#include "import/import_process.h"
#include "import/import_task.h"
#include "import/import_time.h"
#include "import/import_value.h"
#include "model/catalog.h"

#define DESCRIPTORS_MAX 64u /* in the arguments of one event */

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

/* The variables of a thread that was held, as export_jsonl.c writes them. */
static void read_locals(struct import *im, const struct line *l, uint64_t seq)
{
	struct json j = l->locals;
	struct strbuf value = { 0 };
	if (value_json_read(&j, &value, NULL) && !value.failed && value.n <= VALUE_BYTES_MAX)
		writer_event_locals(im->w, seq, writer_value(im->w, value.s, value.n));
	else
		import_value_odd(im, "\"locals\" are not understood");
	strbuf_fini(&value);
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
				 *const tasks[] = { "task", "taskName", NULL },
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
	if (import_value_is_key(k, "locals") && (c == '[' || c == '{' || c == '"')) {
		if (import_value_json_text(j, "[", &im->locals_text, &l->locals) ||
		    import_value_json_text(j, "{", &im->locals_text, &l->locals))
			return true;
		return c == '"' ? json_read_skip(j) : mark_value(j, NULL, &l->locals);
	}
	if (key_in(k, tasks)) {
		if (import_value_json_text(j, "{\"", &im->task_text, &l->task))
			return true;
		return c == '{' || c == '"' ? mark_value(j, NULL, &l->task) : json_read_skip(j);
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
	(void)json_read_is(j, ','); /* elements of an array whose brackets nobody wrote */
	json_read_space(j);
	return j->p == j->end || json_read_fail(j, "the end of the line");
}

/* Returns NULL, or an error if memory is short; *ret_why is set if the line is lost. */
static struct err *write_event(struct import *im, struct line *l, const char **ret_why)
{
	struct event_info e = { .flags = (uint32_t)l->flags.u & 0xff };
	struct process *p = NULL;
	struct dictionary_key h = dictionary_hash(strbuf_str(&im->value), im->value.n, im->seed);
	l->event = strbuf_str(&im->value);
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
	if (l->task.start && !import_task_read(im, l, &e.task))
		import_value_odd(im, "\"task\" is not understood");
	uint64_t n_before = writer_n_in_file(im->w);
	writer_event(im->w, &e);
	if (l->locals.start && writer_n_in_file(im->w) > n_before)
		read_locals(im, l, n_before);
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

struct err *import_line_take(struct import *im, struct json j)
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
	} else if (!l.has_event) {
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

/* The time of a line that will be lost must not count. */
struct err *import_line_look(struct import *im, struct json j)
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
