/*
 * export_jsonl: JSON lines, schema 1.
 *
 *     {"v":1,"seq":17,"time":"2026-11-22T07:00:00.123456789Z","ts_ns":184467,"host.name":"web-1",
 *      "pid":41,"tid":41,"interp":0,"thread":"MainThread","python":"3.12.1","event":"open",
 *      "category":"open","theme":"filesystem","documented":true,
 *      "args":{"path":"/etc/passwd","mode":"r","flags":524288},
 *      "stack":[{"func":"main","file":"/srv/app.py","line":12},…]}
 *
 * Values: model/value_json.h. Frames are listed innermost first, without what is unknown. Python
 * frames: func, file, line, then first_line, end_line, column, end_column; native frames: native,
 * module, offset, file, line; marks: mark. Some members are optional: "flags" (bits of enum
 * event_flag); "host.name" if it is known; "unnumbered" behind a pid of 0 (which of the processes
 * whose pid is unknown); with the first event of each process
 *      "process":{"name":…,"ppid":…,"python_hex":…,"exe":…,"cwd":…,"argv":[…],"environ":{…},
 *                 "prefixes":[…],"flags":…,…}
 * and, with the event that follows them, the notes (losses, exits, …; enum note_kind):
 *      "notes":[{"kind":"lost","ts_ns":…,"pid":…,"text":…,"a":…,"b":…}]
 * and, of arguments that are descriptors, what these were when the recorder looked:
 *      "descriptors":{"fd":"/etc/passwd"}
 * and, of an event that an asyncio task raised, the task (trace_task.h):
 *      "task":{"name":"job-1","id":3,"awaited_by":["job-2","main"]}
 * and, of an event whose thread was held, the variables of the frames (trace_locals.h):
 *      "locals":[{"func":"main","file":"/srv/app.py","line":12,"vars":{"n":3}},…]
 * The text of repeated parts (thread, event name, frame) is made once per id and copied.
 *
 * The format clickhouse is the same line for ClickHouse's JSONEachRow, which reads no objects into
 * a column and no escape of a lone high surrogate: process, notes, task, descriptors, locals, args
 * and stack are JSON text, and such a surrogate is the three bytes of WTF-8. src/import reads both.
 */
#include <string.h>

#include "export/export_words.h"
#include "export/exporter_private.h"
#include "model/catalog.h"
#include "model/trace_locals.h"
#include "model/value_json.h"

static void add_key_u64(struct strbuf *to, const char *key, uint64_t v)
{
	strbuf_adds(to, key);
	strbuf_add_u64(to, v);
}

static void add_frame(struct exporter *x, struct strbuf *to, uint32_t frame)
{
	struct frame_info f;
	trace_frame(x->trace, frame, &f);
	switch (f.kind) {
	case FRAME_PYTHON:
		strbuf_adds(to, "{\"func\":");
		export_words_string(x, to, f.function);
		strbuf_adds(to, ",\"file\":");
		export_words_string(x, to, f.file);
		add_key_u64(to, ",\"line\":", f.line);
		if (f.first_line)
			add_key_u64(to, ",\"first_line\":", f.first_line);
		if (f.end_line && f.end_line != f.line)
			add_key_u64(to, ",\"end_line\":", f.end_line);
		if (f.column)
			add_key_u64(to, ",\"column\":", f.column);
		if (f.end_column)
			add_key_u64(to, ",\"end_column\":", f.end_column);
		break;
	case FRAME_NATIVE:
		strbuf_adds(to, "{\"native\":");
		if (f.function)
			export_words_string(x, to, f.function);
		else
			strbuf_adds(to, "null");
		strbuf_adds(to, ",\"module\":");
		export_words_string(x, to, f.module);
		add_key_u64(to, ",\"offset\":", f.offset);
		if (f.file) {
			strbuf_adds(to, ",\"file\":");
			export_words_string(x, to, f.file);
		}
		if (f.line)
			add_key_u64(to, ",\"line\":", f.line);
		break;
	case FRAME_MARK:
		strbuf_adds(to, "{\"mark\":");
		export_words_string(x, to, f.function);
		break;
	}
	strbuf_addc(to, '}');
}

static void add_package(struct exporter *x, struct strbuf *to, uint32_t stack)
{
	const struct trace_package *p = trace_package(x->trace,
						      trace_stack_package(x->trace, stack));
	if (!p)
		return;
	strbuf_adds(to, ",\"package\":");
	value_json_string(to, p->name, p->n_name);
	strbuf_adds(to, ",\"package_version\":");
	value_json_string(to, p->version, p->n_version);
}

static void add_stack(struct exporter *x, struct strbuf *to, uint32_t stack)
{
	uint32_t parent, frame;
	strbuf_addc(to, '[');
	for (bool first = true; stack && trace_stack(x->trace, stack, &parent, &frame);
	     stack = parent, first = false) {
		size_t n;
		const char *text = text_cache_find(&x->frames, frame, &n);
		if (!text) {
			size_t start = x->frames.text.n;
			add_frame(x, &x->frames.text, frame);
			text = text_cache_keep(&x->frames, frame, start, &n);
		}
		if (!first)
			strbuf_addc(to, ',');
		strbuf_add(to, text, n);
	}
	strbuf_addc(to, ']');
}

static void add_host(struct exporter *x, struct strbuf *to, uint32_t process)
{
	size_t n;
	const char *s = trace_process_host(x->trace, process, &n);
	if (!n)
		return;
	strbuf_adds(to, ",\"host.name\":");
	value_json_string(to, s, n);
}

/* Imported processes whose pid was no number all have pid 0. */
static void add_pid(struct exporter *x, struct strbuf *to, uint32_t process)
{
	const struct process_info *p = trace_process(x->trace, process);
	add_key_u64(to, ",\"pid\":", p ? p->pid : 0);
	if (!p || p->pid)
		return;
	while (x->unnumbered.n <= process)
		if (!vec_push(&x->unnumbered, 0)) {
			to->failed = true;
			return;
		}
	if (!x->unnumbered.v[process])
		x->unnumbered.v[process] = ++x->n_unnumbered;
	add_key_u64(to, ",\"unnumbered\":", x->unnumbered.v[process]);
}

/* "host.name" to "python" */
static void add_thread(struct exporter *x, struct strbuf *to, uint32_t thread)
{
	size_t n;
	const char *text = text_cache_find(&x->threads, thread, &n);
	if (!text) {
		struct strbuf *t = &x->threads.text;
		size_t start = t->n;
		const struct thread_info *info = trace_thread(x->trace, thread);
		const struct process_info *p = info ? trace_process(x->trace, info->process) : NULL;
		add_host(x, t, info ? info->process : 0);
		add_pid(x, t, info ? info->process : 0);
		add_key_u64(t, ",\"tid\":", info ? info->tid : 0);
		if (info && info->ns_tid && info->ns_tid != info->tid)
			add_key_u64(t, ",\"ns_tid\":", info->ns_tid);
		add_key_u64(t, ",\"interp\":", info ? info->interpreter : 0);
		strbuf_adds(t, ",\"thread\":");
		export_words_string(x, t, info ? info->name : 0);
		strbuf_adds(t, ",\"python\":");
		export_words_string(x, t, p ? p->python : 0);
		text = text_cache_keep(&x->threads, thread, start, &n);
	}
	strbuf_add(to, text, n);
}

/* "event" to "documented" */
static void add_name(struct exporter *x, struct strbuf *to, uint32_t name)
{
	size_t n;
	const char *text = text_cache_find(&x->names, name, &n);
	if (!text) {
		struct strbuf *t = &x->names.text;
		size_t start = t->n, n_name;
		const char *s = trace_name(x->trace, name, &n_name);
		const struct catalog_event *c = catalog_find(s, n_name);
		strbuf_adds(t, ",\"event\":");
		value_json_string(t, s, n_name);
		strbuf_adds(t, ",\"category\":");
		value_json_string(t, s, catalog_category_bytes(s, n_name));
		strbuf_adds(t, ",\"theme\":\"");
		strbuf_adds(t, catalog_theme_name(c ? c->theme : THEME_UNKNOWN));
		strbuf_adds(t, c && c->documented ? "\",\"documented\":true"
						  : "\",\"documented\":false");
		text = text_cache_keep(&x->names, name, start, &n);
	}
	strbuf_add(to, text, n);
}

static void add_value(struct exporter *x, struct strbuf *to, const char *key, uint32_t value)
{
	struct value_iter it;
	struct value_node v;
	if (!value)
		return;
	value_iter_init(&it, x->trace, value, NULL, 0);
	if (!value_iter_next(&it, &v))
		return;
	strbuf_adds(to, key);
	value_json_write(to, &it, &v);
}

static void add_process(struct exporter *x, struct strbuf *to, uint32_t process)
{
	const struct process_info *p = trace_process(x->trace, process);
	static const struct {
		const char *key;
		size_t offset;
	} strings[] = { { ",\"exe\":", offsetof(struct process_info, exe) },
			{ ",\"cwd\":", offsetof(struct process_info, cwd) },
			{ ",\"project\":", offsetof(struct process_info, project) } };
	if (!p)
		return;
	strbuf_adds(to, ",\"process\":{\"name\":");
	export_words_string(x, to, p->name);
	add_key_u64(to, ",\"ppid\":", p->ppid);
	add_key_u64(to, ",\"python_hex\":", p->python_hex);
	size_t n;
	const char *boot_id = trace_process_boot_id(x->trace, process, &n);
	if (n) {
		strbuf_adds(to, ",\"boot_id\":");
		value_json_string(to, boot_id, n);
	}
	if (p->start_ticks)
		add_key_u64(to, ",\"start_ticks\":", p->start_ticks);
	if (p->ns_pid != p->pid)
		add_key_u64(to, ",\"ns_pid\":", p->ns_pid);
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		uint32_t id = *(const uint32_t *)((const char *)p + strings[i].offset);
		if (!id)
			continue;
		strbuf_adds(to, strings[i].key);
		export_words_string(x, to, id);
	}
	add_value(x, to, ",\"argv\":", p->argv);
	add_value(x, to, ",\"environ\":", p->environ);
	add_value(x, to, ",\"prefixes\":", p->prefixes);
	add_value(x, to, ",\"packages\":", p->packages);
	add_key_u64(to, ",\"flags\":", p->flags);
	add_key_u64(to, ",\"start_ns\":", p->start_ns);
	if (p->end_ns)
		add_key_u64(to, ",\"end_ns\":", p->end_ns);
	if (p->exit_status >= 0)
		add_key_u64(to, ",\"exit_status\":", (uint32_t)p->exit_status);
	if (p->n_lost)
		add_key_u64(to, ",\"n_lost\":", p->n_lost);
	strbuf_addc(to, '}');
}

/* Of another host than the event that the note comes with. */
static void add_note_host(struct exporter *x, struct strbuf *to, uint32_t host, uint32_t process)
{
	size_t n, n_event;
	const char *s = trace_host_name(x->trace, host, &n),
		   *of_event = trace_process_host(x->trace, process, &n_event);
	if (n == n_event && !memcmp(s, of_event, n))
		return;
	strbuf_adds(to, ",\"host.name\":");
	value_json_string(to, s, n);
}

static void add_notes(struct exporter *x, struct strbuf *to, uint32_t process)
{
	bool comma = false;
	for (size_t i = 0; i < x->notes.n; i++) {
		const struct trace_note *tn = trace_note_get(x->trace, x->notes.v[i]);
		if (!tn || tn->note.kind >= NOTE_KIND_COUNT)
			continue;
		const struct note_info *n = &tn->note;
		strbuf_adds(to, comma ? ",{\"kind\":\"" : ",\"notes\":[{\"kind\":\"");
		strbuf_adds(to, writer_note_kind_name(n->kind));
		add_key_u64(to, "\",\"ts_ns\":", n->time_ns);
		add_note_host(x, to, n->host, process);
		/* a process that no line has described yet cannot be referred to by pid: another
		 * process may get the same pid later */
		if (n->process < x->processes_seen.n && x->processes_seen.v[n->process])
			add_pid(x, to, n->process);
		if (n->text) {
			strbuf_adds(to, ",\"text\":");
			export_words_string(x, to, n->text);
		}
		if (n->a)
			add_key_u64(to, ",\"a\":", n->a);
		if (n->b)
			add_key_u64(to, ",\"b\":", n->b);
		strbuf_addc(to, '}');
		comma = true;
	}
	if (comma)
		strbuf_addc(to, ']');
	x->notes.n = 0;
}

static struct err *keep_note(struct exporter *x, uint32_t note)
{
	return vec_push(&x->notes, note) ? NULL : err_no_memory();
}

/* ---- as ClickHouse reads it ---- */

/* Make the value of the member that begins at `start` (,"name":VALUE) a string: VALUE is JSON, so
 * only quotes and backslashes need an escape. No member: nothing to do. */
static void make_text(struct exporter *x, struct strbuf *to, size_t start)
{
	const char *colon = to->n > start && !to->failed ? memchr(to->s + start, ':', to->n - start)
							 : NULL;
	if (!colon)
		return;
	size_t value = (size_t)(colon + 1 - to->s);
	struct strbuf *s = &x->scratch;
	strbuf_clear(s);
	strbuf_add(s, to->s + value, to->n - value);
	strbuf_cut(to, value);
	strbuf_addc(to, '"');
	size_t run = 0;
	for (size_t i = 0; i < s->n; i++) {
		if (s->s[i] != '"' && s->s[i] != '\\')
			continue;
		strbuf_add(to, s->s + run, i - run);
		strbuf_addc(to, '\\');
		run = i;
	}
	strbuf_add(to, s->s + run, s->n - run);
	strbuf_addc(to, '"');
	to->failed |= s->failed;
}

/* The code unit of the escape \uXXXX at p, 0 if there is none. value_json_string() wrote it. */
static uint32_t code_unit(const char *p, const char *end)
{
	uint32_t c = 0;
	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return 0;
	for (int i = 2; i < 6; i++)
		c = c << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
	return c;
}

/* From `start` on, write lone high surrogates as bytes, not as escapes: ClickHouse refuses the
 * escape (parseJSONEscapeSequence() in dbms/src/IO/ReadHelpers.cpp, 18.16: "missing second part of
 * surrogate pair"), and there is no other that JSON has. */
static void make_bytes(struct exporter *x, struct strbuf *to, size_t start)
{
	struct strbuf *s = &x->scratch;
	if (to->failed || !memmem(to->s + start, to->n - start, "\\ud", 3))
		return;
	strbuf_clear(s);
	strbuf_add(s, to->s + start, to->n - start);
	strbuf_cut(to, start);
	const char *p = s->s, *end = s->s + s->n;
	for (size_t n; p && p < end; p += n) {
		uint32_t c = code_unit(p, end), low = c ? code_unit(p + 6, end) : 0;
		n = *p != '\\' ? 1 : c ? 6 : 2;
		if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000)
			n = 12;
		if (n == 6 && c >= 0xd800 && c < 0xdc00)
			strbuf_add_utf8(to, c);
		else
			strbuf_add(to, p, n);
	}
	to->failed |= s->failed;
}

static void add_locals(struct exporter *x, struct strbuf *to, uint64_t seq)
{
	struct value_iter it;
	struct value_node node;
	uint32_t value = trace_locals(x->trace, seq);
	value_iter_init(&it, x->trace, value, NULL, 0);
	if (!value || !value_iter_next(&it, &node))
		return;
	strbuf_adds(to, ",\"locals\":");
	value_json_write(to, &it, &node);
}

static struct err *write_line(struct exporter *x, uint64_t seq, bool is_clickhouse)
{
	struct strbuf *to = &x->out;
	struct event e;
	if (!trace_event(x->trace, seq, &e))
		return NULL;
	size_t start = to->n;
	add_key_u64(to, "{\"v\":1,\"seq\":", seq);
	strbuf_adds(to, ",\"time\":\"");
	export_words_time(x, to, e.time_ns);
	add_key_u64(to, "\",\"ts_ns\":", e.time_ns);
	add_thread(x, to, e.thread);
	add_name(x, to, e.name);
	if (is_clickhouse)
		make_bytes(x, to, start);
	while (x->processes_seen.n <= e.process)
		if (!vec_push(&x->processes_seen, false))
			return err_no_memory();
	if (!x->processes_seen.v[e.process]) {
		x->processes_seen.v[e.process] = true;
		start = to->n;
		add_process(x, to, e.process);
		if (is_clickhouse)
			make_text(x, to, start);
	}
	start = to->n;
	if (x->notes.n)
		add_notes(x, to, e.process);
	if (is_clickhouse)
		make_text(x, to, start);
	if (e.flags)
		add_key_u64(to, ",\"flags\":", e.flags);
	start = to->n;
	export_words_task(x, to, &e);
	if (is_clickhouse)
		make_text(x, to, start);
	start = to->n;
	export_words_descriptors(x, to, &e);
	if (is_clickhouse)
		make_text(x, to, start);
	start = to->n;
	add_locals(x, to, seq);
	if (is_clickhouse)
		make_text(x, to, start);
	start = to->n;
	strbuf_adds(to, ",\"args\":");
	export_words_args(x, to, &e);
	if (is_clickhouse)
		make_text(x, to, start);
	start = to->n;
	add_package(x, to, e.stack);
	if (is_clickhouse)
		make_bytes(x, to, start);
	start = to->n;
	strbuf_adds(to, ",\"stack\":");
	add_stack(x, to, e.stack);
	if (is_clickhouse)
		make_text(x, to, start);
	strbuf_adds(to, "}\n");
	return NULL;
}

static struct err *write_event(struct exporter *x, uint64_t seq)
{
	return write_line(x, seq, false);
}

static struct err *write_row(struct exporter *x, uint64_t seq)
{
	return write_line(x, seq, true);
}

const struct exporter_format export_jsonl = {
	.name = "jsonl",
	.suffix = ".jsonl",
	.doc = "JSON lines, one object per event (schema 1)",
	.is_stream = true,
	.event = write_event,
	.note = keep_note,
};

const struct exporter_format export_clickhouse = {
	.name = "clickhouse",
	.suffix = ".clickhouse",
	.doc = "JSON lines for INSERT FORMAT JSONEachRow, objects as JSON text",
	.is_stream = true,
	.event = write_row,
	.note = keep_note,
};
