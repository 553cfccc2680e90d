/*
 * export_diff: see export_diff.h.
 */
#include "export/export_words.h"
#include "export/export_diff.h"

#include <inttypes.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "export/exporter.h"
#include "model/diff.h"
#include "model/trace.h"
#include "model/value_json.h"

static void add_count(struct strbuf *to, uint64_t n)
{
	if (n)
		strbuf_addf(to, " %7" PRIu64, n);
	else
		strbuf_adds(to, "       ·");
}

static void add_line(struct strbuf *to, const struct diff_row *row, struct trace *of)
{
	strbuf_addf(to, "%s %-8s", diff_change_signs[row->change], reach_kind_names[row->kind]);
	add_count(to, row->n_a);
	add_count(to, row->n_b);
	strbuf_adds(to, "  ");
	utf8_add_plain(to, row->text, row->n_text, "");
	if (row->n_below)
		strbuf_addf(to, " and %u below it", row->n_below);
	strbuf_adds(to, "  ");
	struct event e;
	struct strbuf caller = { 0 };
	if (trace_event(of, row->first_seq, &e))
		export_words_caller(of, &caller, e.stack);
	utf8_escape(to, strbuf_str(&caller), caller.n, 0);
	strbuf_fini(&caller);
	strbuf_addc(to, '\n');
}

static void add_json(struct strbuf *to, const struct diff_row *row, struct trace *of)
{
	strbuf_addf(to,
		    "{\"change\":\"%s\",\"kind\":\"%s\",\"text\":", diff_change_words[row->change],
		    reach_kind_names[row->kind]);
	value_json_string(to, row->text, row->n_text);
	strbuf_addf(to,
		    ",\"a\":%" PRIu64 ",\"b\":%" PRIu64 ",\"below\":%u,\"first_seq\":%" PRIu64
		    ",\"caller\":",
		    row->n_a, row->n_b, row->n_below, row->first_seq);
	struct event e;
	struct strbuf caller = { 0 };
	if (trace_event(of, row->first_seq, &e))
		export_words_caller(of, &caller, e.stack);
	value_json_string(to, strbuf_str(&caller), caller.n);
	strbuf_fini(&caller);
	strbuf_adds(to, "}\n");
}

void export_diff(struct strbuf *to, const struct diff *d, struct trace *a, struct trace *b,
		 bool json)
{
	size_t n, counts[DIFF_CHANGE_COUNT] = { 0 };
	const struct diff_row *rows = diff_rows(d, &n);
	if (!json && n)
		strbuf_adds(to, "  kind           A       B  what, and who did it first\n");
	for (size_t i = 0; i < n; i++) {
		counts[rows[i].change] += 1 + rows[i].n_below;
		(json ? add_json : add_line)(to, &rows[i], rows[i].change == DIFF_REMOVED ? a : b);
	}
	if (!json)
		strbuf_addf(
		    to, "%sonly in B: %zu · more often in B: %zu · only in A: %zu · in both: %zu\n",
		    n ? "\n" : "", counts[DIFF_ADDED], counts[DIFF_MORE], counts[DIFF_REMOVED],
		    diff_n_same(d));
}
