/*
 * export_csv: comma- and tab-separated values with a header line. Arguments are a JSON object in
 * one column, and what descriptors among them were in another.
 *
 * CSV follows RFC 4180 with \n line ends: fields with quotes, commas or line breaks are quoted. TSV
 * has no quoting: tabs, line breaks and backslashes are written \t \n \r \\. In both, other
 * controls, lone surrogates and bytes that are not UTF-8 become escapes (utf8_add_plain()). Fields
 * are data: a spreadsheet that takes fields beginning with = for formulas must be told that they
 * are text.
 */
#include <string.h>

#include "base/utf8.h"
#include "export/export_words.h"
#include "export/exporter_private.h"
#include "model/catalog.h"
#include "model/trace_task.h"

static const char *const columns[] = {
	"seq",    "time",    "seconds",         "pid",   "tid",     "interp",     "thread",
	"python", "event",   "category",        "theme", "args",    "caller",     "depth",
	"host",   "package", "package_version", "task",  "task_id", "awaited_by", "descriptors"
};

static char separator(const struct exporter *x)
{
	return x->format == &export_tsv ? '\t' : ',';
}

static void add_clean_field(struct exporter *x, const char *s, size_t n, bool last)
{
	struct strbuf *to = &x->out;
	if (separator(x) == '\t') {
		for (size_t i = 0; i < n; i++) {
			const char *escape = s[i] == '\t'   ? "\\t"
					     : s[i] == '\n' ? "\\n"
					     : s[i] == '\r' ? "\\r"
					     : s[i] == '\\' ? "\\\\"
							    : NULL;
			if (escape)
				strbuf_adds(to, escape);
			else
				strbuf_addc(to, s[i]);
		}
	} else if (memchr(s, '"', n) || memchr(s, ',', n) || memchr(s, '\n', n) ||
		   memchr(s, '\r', n)) {
		strbuf_addc(to, '"');
		for (size_t i = 0; i < n; i++) {
			if (s[i] == '"')
				strbuf_addc(to, '"');
			strbuf_addc(to, s[i]);
		}
		strbuf_addc(to, '"');
	} else {
		strbuf_add(to, s, n);
	}
	strbuf_addc(to, last ? '\n' : separator(x));
}

static void add_field(struct exporter *x, const char *s, size_t n, bool last)
{
	struct strbuf clean = { 0 };
	utf8_add_plain(&clean, s, n, "\n\r\t");
	add_clean_field(x, strbuf_str(&clean), clean.n, last);
	x->out.failed |= clean.failed;
	strbuf_fini(&clean);
}

static void add_number(struct exporter *x, uint64_t v, bool last)
{
	strbuf_add_u64(&x->out, v);
	strbuf_addc(&x->out, last ? '\n' : separator(x));
}

static void add_task(struct exporter *x, uint32_t value)
{
	struct trace_task task;
	struct strbuf *s = &x->scratch;
	bool has_task = trace_task(x->trace, value, &task);
	strbuf_clear(s);
	add_field(x, has_task ? task.name : "", has_task ? task.n_name : 0, false);
	if (has_task)
		strbuf_add_u64(&x->out, (uint64_t)task.id);
	add_field(x, "", 0, false);
	if (has_task)
		export_words_awaited(s, &task);
	add_field(x, strbuf_str(s), s->n, false);
}

static struct err *begin(struct exporter *x)
{
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		add_field(x, columns[i], strlen(columns[i]), i + 1 == ARRAY_LEN(columns));
	return NULL;
}

static struct err *write_event(struct exporter *x, uint64_t seq)
{
	struct event e;
	if (!trace_event(x->trace, seq, &e))
		return NULL;
	const struct thread_info *t = trace_thread(x->trace, e.thread);
	const struct process_info *p = trace_process(x->trace, e.process);
	struct strbuf *s = &x->scratch;
	size_t n;
	add_number(x, seq, false);
	strbuf_clear(s);
	export_words_time(x, s, e.time_ns);
	add_field(x, s->s, s->n, false);
	strbuf_addf(&x->out, "%llu.%09u%c", (unsigned long long)(e.time_ns / 1000000000u),
		    (unsigned)(e.time_ns % 1000000000u), separator(x));
	add_number(x, p ? p->pid : 0, false);
	add_number(x, t ? t->tid : 0, false);
	add_number(x, t ? t->interpreter : 0, false);
	const char *text = trace_string(x->trace, t ? t->name : 0, &n);
	add_field(x, text, n, false);
	text = trace_string(x->trace, p ? p->python : 0, &n);
	add_field(x, text, n, false);
	text = trace_name(x->trace, e.name, &n);
	add_field(x, text, n, false);
	add_field(x, text, catalog_category_bytes(text, n), false);
	const char *theme = catalog_theme_name(catalog_theme_of(text, n));
	add_field(x, theme, strlen(theme), false);
	strbuf_clear(s);
	export_words_args(x, s, &e);
	add_field(x, strbuf_str(s), s->n, false);
	strbuf_clear(s);
	export_words_caller_cached(x, s, e.stack);
	add_field(x, strbuf_str(s), s->n, false);
	add_number(x, trace_stack_depth(x->trace, e.stack), false);
	text = trace_process_host(x->trace, e.process, &n);
	add_field(x, text, n, false);
	const struct trace_package *package = trace_package(x->trace,
							    trace_stack_package(x->trace, e.stack));
	add_field(x, package ? package->name : "", package ? package->n_name : 0, false);
	add_field(x, package ? package->version : "", package ? package->n_version : 0, false);
	add_task(x, e.task);
	strbuf_clear(s);
	export_words_was(x, s, &e);
	add_field(x, strbuf_str(s), s->n, true);
	return NULL;
}

const struct exporter_format export_csv = {
	.name = "csv",
	.suffix = ".csv",
	.doc = "comma-separated values, arguments as JSON",
	.is_stream = true,
	.shows_callers = true,
	.begin = begin,
	.event = write_event,
};
const struct exporter_format export_tsv = {
	.name = "tsv",
	.suffix = ".tsv",
	.doc = "tab-separated values, arguments as JSON",
	.is_stream = true,
	.shows_callers = true,
	.begin = begin,
	.event = write_event,
};
