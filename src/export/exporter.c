/*
 * exporter: the table of formats, and the code that drives them. To add a format: write
 * export_<name>.c that defines export_<name>, declare it in exporter_private.h, and add its row
 * below; tests/filter/commands.py reads the output of every row.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/nearest.h"
#include "export/exporter_private.h"
#include "model/filter.h"
#include "model/selection.h"

#define OUT_BYTES (64u << 10) /* output is written when the buffer exceeds this */

static const struct exporter_format *const formats[] = {
	&export_text,     &export_jsonl,  &export_clickhouse, &export_csv,        &export_tsv,
	&export_perfetto, &export_chrome, &export_folded,     &export_speedscope,
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
	const char *names[ARRAY_LEN(formats)];
	struct strbuf all = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		names[i] = formats[i]->name;
		strbuf_addf(&all, "%s%s", i ? ", " : "", formats[i]->name);
	}
	struct err *err = err_create(ERR_USAGE, "there is no format '%s'", name);
	const char *near = nearest_of(name, strlen(name), NEAREST_WORD, names, ARRAY_LEN(names));
	if (near)
		err = err_with_hint(err, "did you mean %s? formats: %s", near, strbuf_str(&all));
	else
		err = err_with_hint(err, "formats: %s", strbuf_str(&all));
	strbuf_fini(&all);
	return err;
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
	vec_fini(&x->unnumbered);
	vec_fini(&x->notes);
	strbuf_fini(&x->scratch);
	strbuf_fini(&x->out);
	free(x);
}
