/*
 * doctor_stacks: see doctor_stacks.h.
 */
#include "commands/doctor_stacks.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "commands/doctor.h"
#include "commands/json_writer.h"
#include "model/trace_locals.h"
#include "model/value_text.h"
#include "recorder/translate.h"
#include "stacks/snapshot.h"
#include "system/proc_file.h"
#include "system/proc_name.h"
#include "visit/access.h"
#include "visit/target_facts.h"

static uint64_t ticks_ns(uint64_t ticks)
{
	long per_second = sysconf(_SC_CLK_TCK);
	return per_second > 0 ? ticks * (1000000000u / (uint64_t)per_second) : 0;
}

static void header_read(struct doctor_stacks_header *h, pid_t pid, const struct access_facts *facts)
{
	char cmdline[4096];
	struct proc_stat stat;
	struct timespec now;
	*h = (struct doctor_stacks_header){ .pid = pid };
	snprintf(h->python, sizeof(h->python), "%s", facts->runtime.version);
	ssize_t n = proc_file_read(pid, "cmdline", cmdline, sizeof(cmdline));
	if (n > 0)
		proc_command_name(cmdline, (size_t)n, h->command, sizeof(h->command));
	if (!h->command[0])
		snprintf(h->command, sizeof(h->command), "%s", facts->status.name);
	/* Start times are in CLOCK_BOOTTIME (proc(5), /proc/PID/stat, starttime). */
	if (!proc_stat_read(pid, &stat) || clock_gettime(CLOCK_BOOTTIME, &now) != 0)
		return;
	uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	uint64_t start_ns = ticks_ns(stat.start_ticks);
	h->age_ns = now_ns > start_ns ? now_ns - start_ns : 1;
	h->cpu_ns = ticks_ns(stat.cpu_ticks);
}

/* "3 h 12 min", "4 min 1 s", "12 s", "0.31 s" */
static void add_span(struct strbuf *to, uint64_t ns)
{
	uint64_t s = ns / 1000000000u;
	if (s >= 2 * 86400)
		strbuf_addf(to, "%llu d %llu h", (unsigned long long)(s / 86400),
			    (unsigned long long)(s % 86400 / 3600));
	else if (s >= 3600)
		strbuf_addf(to, "%llu h %llu min", (unsigned long long)(s / 3600),
			    (unsigned long long)(s % 3600 / 60));
	else if (s >= 60)
		strbuf_addf(to, "%llu min %llu s", (unsigned long long)(s / 60),
			    (unsigned long long)(s % 60));
	else if (s >= 10)
		strbuf_addf(to, "%llu s", (unsigned long long)s);
	else
		strbuf_addf(to, "%.2f s", (double)ns / 1e9);
}

static void add_name(struct strbuf *to, const char *name)
{
	utf8_escape(to, name, strlen(name), 0);
}

static const char *state_words(const struct snapshot_thread *t)
{
	if (t->kind == SNAPSHOT_ENDED)
		return "ended";
	switch (t->state) {
	case 'R': return "running";
	case 'T': return "stopped by a signal";
	case 't': return "stopped by a tracer";
	case 'D': return "waiting in the kernel";
	default: return t->wait[0] ? "" : "waiting";
	}
}

/* ---- as text ---- */

void doctor_stacks_add_does(struct strbuf *to, const struct snapshot_thread *t)
{
	const char *state = state_words(t);
	strbuf_adds(to, state);
	if (t->wait[0]) {
		strbuf_adds(to, *state ? ": " : "");
		add_name(to, t->wait);
	}
}

const char *doctor_stacks_note(const struct snapshot_thread *t)
{
	switch (t->kind) {
	case SNAPSHOT_STACK: return t->n_frames ? "" : "it runs no Python code";
	case SNAPSHOT_RUNS: return "its stack changed whenever it was read; try again";
	case SNAPSHOT_NATIVE: return "Python does not know this thread";
	case SNAPSHOT_ENDED: break;
	}
	return "";
}

static void add_state(struct strbuf *to, const struct snapshot_thread *t,
		      const struct doctor_style *style)
{
	if (style->held_tid == t->tid)
		strbuf_adds(to, "held");
	else
		doctor_stacks_add_does(to, t);
	if (t->holds_gil)
		strbuf_adds(to, ", holds the GIL");
}

/* Begin to read the local variables of a frame: *it is behind *dict. With `redactor` they are in
 * `clean`, without their secrets. False: they are not known. */
static bool locals_begin(const struct snapshot_frame *f, struct redactor *redactor,
			 struct strbuf *clean, struct value_iter *it, struct value_node *dict)
{
	const uint8_t *bytes = f->locals;
	size_t n = f->n_locals;
	if (!bytes)
		return false;
	if (redactor) {
		if (!translate_locals(redactor, bytes, n, clean))
			return false;
		bytes = (const uint8_t *)clean->s;
		n = clean->n;
	}
	value_iter_init_bytes(it, NULL, bytes, n, NULL, 0);
	return value_iter_next(it, dict) && dict->tag == VALUE_DICT;
}

void doctor_stacks_add_locals(const struct snapshot_frame *f, struct redactor *redactor,
			      const char *indent, struct strbuf *to)
{
	struct strbuf clean = { 0 };
	struct value_iter it;
	struct value_node dict;
	if (locals_begin(f, redactor, &clean, &it, &dict))
		trace_locals_add(to, &it, &dict, indent);
	strbuf_fini(&clean);
}

static void add_frames(struct strbuf *to, const struct snapshot_thread *t,
		       const struct doctor_style *style)
{
	uint32_t n_left_out = t->n_frames - t->n_shown, number = 0;
	for (uint32_t i = 0; i < t->n_shown; i++, number++) {
		const struct snapshot_frame *f = &t->frames[i];
		if (i == t->left_out_at && n_left_out) {
			strbuf_addf(to, "      … %u more frame%s\n", n_left_out,
				    n_left_out == 1 ? "" : "s");
			number += n_left_out;
		}
		strbuf_addf(to, "  %4u  ", number);
		add_name(to, f->function);
		strbuf_adds(to, "  ");
		add_name(to, f->file);
		if (f->line)
			strbuf_addf(to, ":%u", f->line);
		strbuf_addc(to, '\n');
		doctor_stacks_add_locals(f, style->redactor, "          ", to);
	}
	if (n_left_out && t->left_out_at >= t->n_shown)
		strbuf_addf(to, "      … %u more frame%s\n", n_left_out,
			    n_left_out == 1 ? "" : "s");
	if (t->is_broken)
		strbuf_adds(to, "        what is farther out could not be read\n");
}

static void add_thread(struct strbuf *to, const struct snapshot_thread *t,
		       const struct doctor_style *style)
{
	strbuf_addf(to, "\nthread %d  ", (int)t->tid);
	add_name(to, t->name);
	if (t->interp_id)
		strbuf_addf(to, "  interpreter %llu", (unsigned long long)t->interp_id);
	strbuf_adds(to, "  ");
	add_state(to, t, style);
	strbuf_addc(to, '\n');
	const char *note = doctor_stacks_note(t);
	if (*note)
		strbuf_addf(to, "        %s\n", note);
	else if (t->kind == SNAPSHOT_STACK)
		add_frames(to, t, style);
}

static void report_text(const struct doctor_stacks_header *h, const struct snapshot *s,
			const struct doctor_style *style, struct strbuf *to)
{
	strbuf_addf(to, "process %d  ", (int)h->pid);
	add_name(to, h->command);
	strbuf_addf(to, "  Python %s", h->python);
	if (h->age_ns) {
		strbuf_adds(to, ", started ");
		add_span(to, h->age_ns);
		strbuf_adds(to, " ago, used ");
		add_span(to, h->cpu_ns);
		strbuf_adds(to, " of CPU");
	}
	strbuf_addc(to, '\n');
	for (unsigned turn = 0; turn < 2; turn++)
		for (size_t i = 0; i < s->n_threads; i++)
			if ((s->threads[i].tid == style->held_tid) == !turn)
				add_thread(to, &s->threads[i], style);
	if (s->n_more)
		strbuf_addf(to, "\n%zu more thread%s\n", s->n_more, s->n_more == 1 ? "" : "s");
}

/* ---- as JSON ---- */

static void json_locals(struct json_writer *json, const struct snapshot_frame *f,
			struct redactor *redactor)
{
	struct strbuf clean = { 0 };
	struct value_iter it;
	struct value_node dict, node;
	uint64_t n = locals_begin(f, redactor, &clean, &it, &dict) ? dict.n_children / 2 : 0;
	for (; n && value_iter_next(&it, &node); n--) {
		struct strbuf name = { 0 }, value = { 0 };
		value_text_plain(&name, &it, &node);
		if (value_iter_next(&it, &node)) {
			value_text_literal(&value, &it, &node, 2000);
			json_writer_text(json, strbuf_str(&name), strbuf_str(&value));
		}
		strbuf_fini(&name);
		strbuf_fini(&value);
	}
	strbuf_fini(&clean);
}

static void json_stack(struct json_writer *json, const struct snapshot_thread *t,
		       const struct doctor_style *style)
{
	if (t->kind != SNAPSHOT_STACK) {
		json_writer_word(json, "stack", "null");
		return;
	}
	json_writer_number(json, "frames", t->n_frames);
	json_writer_number(json, "left_out_at", t->left_out_at);
	json_writer_word(json, "whole", t->is_broken ? "false" : "true");
	json_writer_open(json, "stack", '[');
	for (uint32_t i = 0; i < t->n_shown; i++) {
		json_writer_open(json, NULL, '{');
		json_writer_text(json, "func", t->frames[i].function);
		json_writer_text(json, "file", t->frames[i].file);
		json_writer_number(json, "line", t->frames[i].line);
		if (t->frames[i].locals) {
			json_writer_open(json, "locals", '{');
			json_locals(json, &t->frames[i], style->redactor);
			json_writer_close(json, '}');
		}
		json_writer_close(json, '}');
	}
	json_writer_close(json, ']');
}

static void json_thread(struct json_writer *json, const struct snapshot_thread *t,
			const struct doctor_style *style)
{
	static const char *const kinds[] = { [SNAPSHOT_STACK] = "read",
					     [SNAPSHOT_RUNS] = "changed",
					     [SNAPSHOT_NATIVE] = "native",
					     [SNAPSHOT_ENDED] = "ended" };
	const char state[2] = { t->state, 0 };
	json_writer_open(json, NULL, '{');
	json_writer_number(json, "tid", t->tid);
	json_writer_text(json, "name", t->name);
	json_writer_number(json, "interp", (int64_t)t->interp_id);
	json_writer_text(json, "state", state);
	json_writer_text(json, "wait", t->wait);
	json_writer_word(json, "holds_gil", t->holds_gil ? "true" : "false");
	json_writer_word(json, "waits_for_gil", t->waits_for_gil ? "true" : "false");
	json_writer_text(json, "kind", kinds[t->kind]);
	json_stack(json, t, style);
	json_writer_close(json, '}');
}

static void report_json(const struct doctor_stacks_header *h, const struct snapshot *s,
			const struct doctor_style *style, struct strbuf *to)
{
	struct json_writer json = { .to = to };
	json_writer_open(&json, NULL, '{');
	json_writer_number(&json, "v", 1);
	json_writer_number(&json, "pid", h->pid);
	json_writer_text(&json, "command", h->command);
	json_writer_text(&json, "python", h->python);
	json_writer_number(&json, "age_ns", (int64_t)h->age_ns);
	json_writer_number(&json, "cpu_ns", (int64_t)h->cpu_ns);
	json_writer_number(&json, "more_threads", (int64_t)s->n_more);
	json_writer_open(&json, "threads", '[');
	for (size_t i = 0; i < s->n_threads; i++)
		json_thread(&json, &s->threads[i], style);
	json_writer_close(&json, ']');
	json_writer_close(&json, '}');
	strbuf_addc(to, '\n');
}

/* ---- the report ---- */

/* Why there is nothing to read. That another auditview or a debugger has the process is no reason:
 * nothing is stopped. */
static struct err *refusal_of(const struct access_facts *facts)
{
	struct access access;
	access_judge(facts, &access);
	if (facts->inside == INSIDE_PYTHON && facts->read_errno == 0)
		return NULL;
	struct err *err = access_to_err(&access);
	if (err)
		return err;
	return err_create(ERR_NOT_PYTHON, "process %d has no Python", facts->pid);
}

static struct err *take(pid_t pid, bool with_locals, struct doctor_stacks_header *header,
			struct snapshot **ret)
{
	struct access_facts facts;
	CLEANUP(target_facts) struct target_facts *examined = NULL;
	struct err *err = access_facts_read(pid, &facts, &examined);
	if (!err)
		err = refusal_of(&facts);
	if (!err && !examined)
		err = err_create(ERR_TARGET_GONE, "process %d has ended", (int)pid);
	if (!err)
		err = snapshot_take(pid, examined->runtimes, examined->n_runtimes, with_locals,
				    ret);
	if (!err && header)
		header_read(header, pid, &facts);
	return err;
}

struct err *doctor_stacks_take(pid_t pid, struct snapshot **ret)
{
	return take(pid, true, NULL, ret);
}

struct err *doctor_stacks_take_now(pid_t pid, struct doctor_stacks_header *ret_header,
				   struct snapshot **ret)
{
	return take(pid, false, ret_header, ret);
}

struct err *doctor_stacks_report(pid_t pid, const struct doctor_style *style, struct strbuf *to)
{
	CLEANUP(snapshot) struct snapshot *s = NULL;
	struct doctor_stacks_header header;
	struct err *err = take(pid, style->locals, &header, &s);
	if (err)
		return err;
	if (style->json)
		report_json(&header, s, style, to);
	else
		report_text(&header, s, style, to);
	return NULL;
}
