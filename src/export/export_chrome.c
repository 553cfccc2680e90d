/*
 * export_chrome: the Trace Event Format (one JSON object with traceEvents), for chrome://tracing
 * and similar viewers.
 *
 * Every event is an instant event of its thread; its theme is the category. Stacks refer
 * to a table of frames at the end (sf, stackFrames). ui.perfetto.dev does not read that table;
 * export_perfetto.c is for it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "export/export_words.h"
#include "export/exporter_private.h"
#include "model/catalog.h"
#include "model/value_json.h"

struct state {
	VEC(bool) threads; /* [thread] its name was written */
	VEC(bool) stacks;  /* [stack] goes into the table at the end */
	bool comma;
};

static void next(struct exporter *x)
{
	struct state *s = x->state;
	strbuf_adds(&x->out, s->comma ? ",\n" : "\n");
	s->comma = true;
}

static struct err *begin(struct exporter *x)
{
	x->state = calloc(1, sizeof(struct state));
	if (!x->state)
		return err_no_memory();
	strbuf_adds(
	    &x->out,
	    "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"creator\":\"auditview " AUDITVIEW_VERSION
	    "\"},\"traceEvents\":[");
	return NULL;
}

/* The format knows processes by pid alone: those of further hosts get numbers that no pid of the
 * first one has (a pid has at most 22 bits: proc(5), pid_max). */
static uint64_t track_pid(const struct process_info *p)
{
	return p->pid + ((uint64_t)p->host << 22);
}

static void name_thread(struct exporter *x, uint32_t thread, const struct thread_info *t,
			const struct process_info *p)
{
	next(x);
	strbuf_addf(&x->out,
		    "{\"ph\":\"M\",\"pid\":%" PRIu64 ",\"tid\":%" PRIu64
		    ",\"name\":\"process_name\",\"args\":{\"name\":",
		    track_pid(p), t->tid);
	size_t n;
	const char *s = trace_string(x->trace, p->name, &n);
	strbuf_clear(&x->scratch);
	strbuf_add(&x->scratch, s, n);
	if (p->host) {
		s = trace_host_name(x->trace, p->host, &n);
		strbuf_addf(&x->scratch, " (%u on ", p->pid);
		strbuf_add(&x->scratch, s, n);
		strbuf_addc(&x->scratch, ')');
	}
	value_json_string(&x->out, strbuf_str(&x->scratch), x->scratch.n);
	strbuf_adds(&x->out, "}}");
	next(x);
	strbuf_addf(&x->out,
		    "{\"ph\":\"M\",\"pid\":%" PRIu64 ",\"tid\":%" PRIu64
		    ",\"name\":\"thread_name\",\"args\":{\"name\":",
		    track_pid(p), t->tid);
	strbuf_clear(&x->scratch);
	export_words_thread(x, &x->scratch, thread);
	value_json_string(&x->out, strbuf_str(&x->scratch), x->scratch.n);
	strbuf_adds(&x->out, "}}");
}

static void add_frame_text(struct exporter *x, struct strbuf *to, uint32_t frame)
{
	struct frame_info f;
	size_t n;
	trace_frame(x->trace, frame, &f);
	const char *s = trace_string(x->trace, f.function, &n);
	strbuf_add(to, n ? s : "??", n ? n : 2);
	s = trace_string(x->trace, f.kind == FRAME_NATIVE ? f.module : f.file, &n);
	if (!n)
		return;
	strbuf_adds(to, " (");
	strbuf_add(to, s, n);
	if (f.line)
		strbuf_addf(to, ":%u", f.line);
	strbuf_addc(to, ')');
}

static struct err *write_event(struct exporter *x, uint64_t seq)
{
	struct state *s = x->state;
	struct event e;
	if (!trace_event(x->trace, seq, &e))
		return NULL;
	const struct thread_info *t = trace_thread(x->trace, e.thread);
	const struct process_info *p = trace_process(x->trace, e.process);
	if (!t || !p)
		return NULL;
	while (s->threads.n <= e.thread)
		if (!vec_push(&s->threads, false))
			return err_no_memory();
	if (!s->threads.v[e.thread]) {
		s->threads.v[e.thread] = true;
		name_thread(x, e.thread, t, p);
	}
	struct strbuf *to = &x->out;
	size_t n;
	const char *name = trace_name(x->trace, e.name, &n);
	next(x);
	strbuf_adds(to, "{\"ph\":\"i\",\"s\":\"t\",\"name\":");
	value_json_string(to, name, n);
	strbuf_addf(to,
		    ",\"cat\":\"%s\",\"ts\":%" PRIu64 ".%03u,\"pid\":%" PRIu64 ",\"tid\":%" PRIu64,
		    catalog_theme_name(catalog_theme_of(name, n)), e.time_ns / 1000,
		    (unsigned)(e.time_ns % 1000), track_pid(p), t->tid);
	if (e.stack) {
		while (s->stacks.n <= e.stack)
			if (!vec_push(&s->stacks, false))
				return err_no_memory();
		s->stacks.v[e.stack] = true;
		strbuf_addf(to, ",\"sf\":%u", e.stack);
	}
	strbuf_adds(to, ",\"args\":");
	export_words_args(x, to, &e);
	strbuf_addc(to, '}');
	return NULL;
}

static void add_stacks(struct exporter *x)
{
	struct state *s = x->state;
	uint32_t parent, frame;
	bool comma = false;
	strbuf_adds(&x->out, ",\"stackFrames\":{");
	for (size_t id = s->stacks.n; id-- > 1;) { /* parents have smaller ids */
		if (!s->stacks.v[id] || !trace_stack(x->trace, (uint32_t)id, &parent, &frame))
			continue;
		strbuf_clear(&x->scratch);
		add_frame_text(x, &x->scratch, frame);
		strbuf_addf(&x->out, "%s\"%zu\":{\"name\":", comma ? ",\n" : "\n", id);
		value_json_string(&x->out, x->scratch.s, x->scratch.n);
		if (parent) {
			strbuf_addf(&x->out, ",\"parent\":\"%u\"", parent);
			s->stacks.v[parent] = true;
		}
		strbuf_addc(&x->out, '}');
		comma = true;
	}
	strbuf_adds(&x->out, "}");
}

static struct err *end(struct exporter *x, bool ok)
{
	struct state *s = x->state;
	if (ok) {
		strbuf_adds(&x->out, "\n]");
		add_stacks(x);
		strbuf_adds(&x->out, "}\n");
	}
	vec_fini(&s->threads);
	vec_fini(&s->stacks);
	free(s);
	return NULL;
}

const struct exporter_format export_chrome = {
	.name = "chrome",
	.suffix = ".trace.json",
	.doc = "Trace Event Format, for chrome://tracing and kin",
	.begin = begin,
	.event = write_event,
	.end = end,
};
