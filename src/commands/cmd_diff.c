/*
 * cmd_diff: what capture B does that capture A does not, in the order of what should make one look.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "command.h"
#include "commands/open_capture.h"
#include "export/exporter.h"
#include "model/diff.h"
#include "model/filter.h"
#include "model/trace.h"
#include "model/value_json.h"

static const char *const signs[DIFF_CHANGE_COUNT] = { [DIFF_ADDED] = "+", [DIFF_MORE] = "↑", [DIFF_REMOVED] = "−" };
static const char *const words[DIFF_CHANGE_COUNT] = { [DIFF_ADDED] = "added", [DIFF_MORE] = "more", [DIFF_REMOVED] = "removed" };

static void add_count(struct strbuf *to, uint64_t n)
{
	if (n)
		strbuf_addf(to, " %7" PRIu64, n);
	else
		strbuf_adds(to, "       ·");
}

static void add_line(struct strbuf *to, const struct diff_row *row, struct trace *of)
{
	strbuf_addf(to, "%s %-8s", signs[row->change], reach_kind_names[row->kind]);
	add_count(to, row->n_a);
	add_count(to, row->n_b);
	strbuf_adds(to, "  ");
	strbuf_add(to, row->text, row->n_text);
	if (row->n_below)
		strbuf_addf(to, " and %u below it", row->n_below);
	strbuf_adds(to, "  ");
	struct event e;
	struct strbuf caller = { 0 };
	if (trace_event(of, row->first_seq, &e))
		exporter_caller_text(of, &caller, e.stack);
	utf8_escape(to, strbuf_str(&caller), caller.n, 0);
	strbuf_fini(&caller);
	strbuf_addc(to, '\n');
}

static void add_json(struct strbuf *to, const struct diff_row *row, struct trace *of)
{
	strbuf_addf(to, "{\"change\":\"%s\",\"kind\":\"%s\",\"text\":", words[row->change], reach_kind_names[row->kind]);
	value_json_string(to, row->text, row->n_text);
	strbuf_addf(to, ",\"a\":%" PRIu64 ",\"b\":%" PRIu64 ",\"below\":%u,\"first_seq\":%" PRIu64 ",\"caller\":", row->n_a, row->n_b,
		    row->n_below, row->first_seq);
	struct event e;
	struct strbuf caller = { 0 };
	if (trace_event(of, row->first_seq, &e))
		exporter_caller_text(of, &caller, e.stack);
	value_json_string(to, strbuf_str(&caller), caller.n);
	strbuf_fini(&caller);
	strbuf_adds(to, "}\n");
}

struct err *cmd_diff(const struct options *o, int *ret)
{
	CLEANUP(trace) struct trace *a = NULL;
	CLEANUP(trace) struct trace *b = NULL;
	CLEANUP(diff) struct diff *d = NULL;
	struct shown in_a = { 0 }, in_b = { 0 };
	struct err *err = open_capture(o, o->args[0], &a);
	if (!err)
		err = open_capture(o, o->args[1], &b);
	if (!err)
		err = shown_make(o, a, &in_a);
	if (!err)
		err = shown_make(o, b, &in_b);
	if (!err)
		err = diff_create(a, in_a.run ? filter_run_rows(in_a.run) : NULL, b, in_b.run ? filter_run_rows(in_b.run) : NULL, &d);
	if (!err) {
		struct strbuf out = { 0 };
		size_t n, counts[DIFF_CHANGE_COUNT] = { 0 };
		const struct diff_row *rows = diff_rows(d, &n);
		if (!o->json && n)
			strbuf_adds(&out, "  kind           A       B  what, and who did it first\n");
		for (size_t i = 0; i < n; i++) {
			counts[rows[i].change] += 1 + rows[i].n_below;
			struct trace *of = rows[i].change == DIFF_REMOVED ? a : b;
			if (o->json)
				add_json(&out, &rows[i], of);
			else
				add_line(&out, &rows[i], of);
		}
		if (!o->json)
			strbuf_addf(&out, "%sonly in B: %zu · more often in B: %zu · only in A: %zu · in both: %zu\n", n ? "\n" : "",
				    counts[DIFF_ADDED], counts[DIFF_MORE], counts[DIFF_REMOVED], diff_n_same(d));
		if (out.failed)
			err = err_no_memory();
		else
			fwrite(strbuf_str(&out), 1, out.n, stdout);
		strbuf_fini(&out);
		*ret = 0;
	}
	if (a)
		damage_say(o, o->args[0], a);
	if (b)
		damage_say(o, o->args[1], b);
	shown_fini(&in_a);
	shown_fini(&in_b);
	return err;
}
