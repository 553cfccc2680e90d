/*
 * exporters: the table of formats, and the code that drives them. To add a format: write
 * export_<name>.c that defines export_<name>, declare it in exporter_private.h, and add its row
 * below; tests/filter/commands.py reads the output of every row.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "export/exporter_private.h"
#include "model/filter.h"
#include "model/selection.h"
#include "model/suggest.h"
#include "model/value_json.h"

#define OUT_BYTES (64u << 10) /* output is written when the buffer exceeds this */

static const struct exporter_format *const formats[] = {
	&export_text,     &export_jsonl,  &export_csv,    &export_tsv,
	&export_perfetto, &export_chrome, &export_folded, &export_speedscope,
#ifdef HAVE_SQLITE
	&export_sqlite,
#endif
};

size_t exporter_n_formats(void)
{
	return ARRAY_LEN(formats);
}

const struct exporter_format *exporter_format_at(size_t i)
{
	return i < ARRAY_LEN(formats) ? formats[i] : NULL;
}

const struct exporter_format *exporter_find(const char *name)
{
	if (*name == '.')
		name++;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (!strcmp(name, formats[i]->name) || !strcmp(name, formats[i]->suffix + 1))
			return formats[i];
	return !strcmp(name, "json") ? &export_jsonl : NULL;
}

struct err *exporter_find_checked(const char *name, const struct exporter_format **ret)
{
	const struct exporter_format *f = exporter_find(name);
	if (f) {
		*ret = f;
		return NULL;
	}
	struct suggest s = suggest_for(name, strlen(name));
	struct strbuf all = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		suggest_offer(&s, formats[i]->name, strlen(formats[i]->name));
		strbuf_addf(&all, "%s%s", i ? ", " : "", formats[i]->name);
	}
	struct err *err = err_create(ERR_USAGE, "there is no format '%s'", name);
	if (s.best)
		err = err_with_hint(err, "did you mean %.*s? formats: %s", (int)s.n_best, s.best,
				    strbuf_str(&all));
	else
		err = err_with_hint(err, "formats: %s", strbuf_str(&all));
	strbuf_fini(&all);
	return err;
}

const char *text_cache_find(struct text_cache *c, uint32_t id, size_t *ret_bytes)
{
	if (id >= c->start.n || !c->start.v[id])
		return NULL;
	*ret_bytes = c->length.v[id];
	return c->text.s + c->start.v[id] - 1;
}

const char *text_cache_keep(struct text_cache *c, uint32_t id, size_t start, size_t *ret_bytes)
{
	while (c->start.n <= id)
		if (!vec_push(&c->start, 0) || !vec_push(&c->length, 0))
			break;
	*ret_bytes = c->text.n - start;
	if (id < c->start.n && id < c->length.n && c->text.n < UINT32_MAX) {
		c->start.v[id] = (uint32_t)start + 1;
		c->length.v[id] = (uint32_t)*ret_bytes;
	}
	return c->text.s ? c->text.s + start : "";
}

void text_cache_fini(struct text_cache *c)
{
	vec_fini(&c->start);
	vec_fini(&c->length);
	strbuf_fini(&c->text);
}

void export_wall_time(struct exporter *x, struct strbuf *to, uint64_t time_ns)
{
	uint64_t ns = trace_about_get(x->trace)->wall_anchor_ns + time_ns;
	int64_t second = (int64_t)(ns / 1000000000u);
	if (second != x->time_second || !x->time_text[0]) {
		time_t t = second;
		struct tm tm;
		if (!gmtime_r(&t, &tm) ||
		    !strftime(x->time_text, sizeof(x->time_text), "%Y-%m-%dT%H:%M:%S", &tm))
			strcpy(x->time_text, "0000-00-00T00:00:00");
		x->time_second = second;
	}
	strbuf_adds(to, x->time_text);
	char tail[11] = ".000000000Z";
	uint32_t rest = (uint32_t)(ns % 1000000000u);
	for (int i = 9; i >= 1; i--, rest /= 10)
		tail[i] = (char)('0' + rest % 10);
	strbuf_add(to, tail, sizeof(tail));
}

void export_string_json(struct exporter *x, struct strbuf *to, uint32_t string)
{
	size_t n;
	const char *s = trace_string(x->trace, string, &n);
	value_json_string(to, s, n);
}

void export_args_json(struct exporter *x, struct strbuf *to, const struct event *e)
{
	struct arguments a;
	struct argument arg;
	arguments_init(&a, x->trace, e);
	strbuf_addc(to, '{');
	for (bool first = true; arguments_next(&a, &arg); first = false) {
		if (!first)
			strbuf_addc(to, ',');
		value_json_string(to, arg.name, arg.n_name);
		strbuf_addc(to, ':');
		value_json_write(to, &a.it, &arg.value);
	}
	strbuf_addc(to, '}');
}

static void add_caller(struct trace *trace, struct strbuf *to, uint32_t frame)
{
	struct frame_info f;
	size_t n;
	trace_frame(trace, frame, &f);
	const char *file = trace_string(trace, f.kind == FRAME_NATIVE ? f.module : f.file, &n);
	const char *slash = memrchr(file, '/', n);
	if (slash) {
		n -= (size_t)(slash + 1 - file);
		file = slash + 1;
	}
	strbuf_add(to, file, n);
	if (f.line)
		strbuf_addf(to, ":%u", f.line);
	if (n)
		strbuf_addc(to, ' ');
	const char *function = trace_string(trace, f.function, &n);
	strbuf_add(to, function, n);
}

void exporter_caller_text(struct trace *t, struct strbuf *to, uint32_t stack)
{
	uint32_t parent, frame = trace_caller(t, stack);
	bool is_own = frame != 0;
	if (!is_own && !trace_stack(t, stack, &parent, &frame))
		return;
	strbuf_adds(to, is_own ? "" : "(");
	add_caller(t, to, frame);
	strbuf_adds(to, is_own ? "" : ")");
}

void export_caller_text(struct exporter *x, struct strbuf *to, uint32_t stack)
{
	uint32_t parent, frame = trace_caller(x->trace, stack);
	bool is_own = frame != 0;
	if (!is_own && !trace_stack(x->trace, stack, &parent, &frame))
		return;
	size_t n;
	/* the same frame is in parentheses for one stack and not for another */
	uint32_t id = frame * 2 + is_own;
	const char *text = text_cache_find(&x->callers, id, &n);
	if (!text) {
		struct strbuf *t = &x->callers.text;
		size_t start = t->n;
		exporter_caller_text(x->trace, t, stack);
		text = text_cache_keep(&x->callers, id, start, &n);
	}
	strbuf_add(to, text, n);
}

void export_thread_name(struct exporter *x, struct strbuf *to, uint32_t thread)
{
	const struct thread_info *t = trace_thread(x->trace, thread);
	size_t n = 0;
	const char *name = t ? trace_string(x->trace, t->name, &n) : "";
	if (n)
		strbuf_add(to, name, n);
	else if (t && !t->tid && t->ns_tid)
		strbuf_addc(to, '?'); /* only its number in another pid namespace is known */
	else
		strbuf_add_u64(to, t ? t->tid : 0);
}

static struct err *write_all(struct exporter *x)
{
	if (x->out.failed)
		return err_no_memory();
	bool ok = io_write(x->fd, x->out.s, x->out.n);
	int sys = errno;
	strbuf_clear(&x->out);
	return ok ? NULL
		  : err_sys(sys, "cannot write %s",
			    x->options.path ? x->options.path : "the output");
}

struct err *exporter_create(struct trace *t, const struct exporter_format *format, int fd,
			    const struct exporter_options *options, struct exporter **ret)
{
	CLEANUP(exporter) struct exporter *x = calloc(1, sizeof(*x));
	if (!x)
		return err_no_memory();
	x->trace = t;
	x->format = format;
	x->options = *options;
	x->fd = fd;
	struct err *err = format->begin ? format->begin(x) : NULL;
	if (err)
		return err;
	*ret = take_ptr(x);
	return NULL;
}

static struct err *write_notes(struct exporter *x, uint64_t before_seq)
{
	uint32_t n = trace_n_notes(x->trace);
	for (; x->format->note && x->next_note < n; x->next_note++) {
		const struct trace_note *note = trace_note_get(x->trace, x->next_note);
		if (note && note->seq > before_seq)
			break;
		struct err *err = x->format->note(x, x->next_note);
		if (err)
			return err;
	}
	return NULL;
}

struct err *exporter_write(struct exporter *x, const struct selection *rows, uint64_t from,
			   uint64_t to)
{
	uint64_t chunk = UINT64_MAX;
	for (uint64_t seq = from; seq < to; seq++) {
		if (rows) {
			seq = selection_next(rows, seq);
			if (seq >= to) /* also for SELECTION_NONE */
				break;
		}
		if (seq >> TRACE_CHUNK_SHIFT != chunk) {
			chunk = seq >> TRACE_CHUNK_SHIFT;
			trace_trim(x->trace);
		}
		struct err *err = write_notes(x, seq);
		if (!err)
			err = x->format->event(x, seq);
		if (!err && x->out.n >= OUT_BYTES)
			err = write_all(x);
		if (err)
			return err;
	}
	return write_notes(x, to);
}

struct err *exporter_flush(struct exporter *x)
{
	return write_all(x);
}

struct err *exporter_close(struct exporter *x)
{
	struct err *err = x->format->end ? x->format->end(x, true) : NULL;
	x->state = NULL;
	if (!err)
		err = write_all(x);
	x->format = NULL;
	exporter_destroy(x);
	return err;
}

void exporter_destroy(struct exporter *x)
{
	if (!x)
		return;
	if (x->format && x->format->end && x->state)
		err_destroy(x->format->end(x, false));
	text_cache_fini(&x->frames);
	text_cache_fini(&x->threads);
	text_cache_fini(&x->names);
	text_cache_fini(&x->callers);
	vec_fini(&x->processes_seen);
	vec_fini(&x->notes);
	strbuf_fini(&x->scratch);
	strbuf_fini(&x->out);
	free(x);
}
