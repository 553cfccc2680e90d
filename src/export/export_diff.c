/*
 * export_diff: see export_diff.h.
 */
#include "export/export_words.h"
#include "export/export_diff.h"

#include <inttypes.h>
#include <string.h>

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

/* The distribution that a row is of: the innermost one on the stack of its first event. */
static const struct trace_package *package_of(struct trace *of, const struct diff_row *row)
{
	struct event e;
	return trace_event(of, row->first_seq, &e)
		   ? trace_package(of, trace_stack_package(of, e.stack))
		   : NULL;
}

/* The other capture's version of a distribution, if it has the same or another one; NULL. Of two
 * versions the first. */
static const struct trace_package *package_in(struct trace *t, const struct trace_package *p)
{
	for (uint32_t i = 1; p && i <= trace_n_packages(t); i++) {
		const struct trace_package *other = trace_package(t, i);
		if (other->n_name == p->n_name && !memcmp(other->name, p->name, p->n_name))
			return other;
	}
	return NULL;
}

/* "  [requests 2.31 → 2.32]" */
static void add_package(struct strbuf *to, const struct trace_package *a,
			const struct trace_package *b)
{
	const struct trace_package *p = b ? b : a;
	if (!p)
		return;
	strbuf_adds(to, "  [");
	utf8_escape(to, p->name, p->n_name, 0);
	strbuf_addc(to, ' ');
	if (a && b &&
	    (a->n_version != b->n_version || memcmp(a->version, b->version, a->n_version))) {
		utf8_escape(to, a->version, a->n_version, 0);
		strbuf_adds(to, " → ");
	}
	utf8_escape(to, p->version, p->n_version, 0);
	strbuf_addc(to, ']');
}

static void add_line(struct strbuf *to, const struct diff_row *row, struct trace *of,
		     struct trace *other)
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
	const struct trace_package *p = package_of(of, row), *q = package_in(other, p);
	bool is_of_a = row->change == DIFF_REMOVED;
	add_package(to, is_of_a ? p : q, is_of_a ? q : p);
	strbuf_addc(to, '\n');
}

static void add_json_text(struct strbuf *to, const char *key, const char *s, size_t n)
{
	strbuf_adds(to, key);
	value_json_string(to, s, n);
}

static void add_json(struct strbuf *to, const struct diff_row *row, struct trace *of,
		     struct trace *other)
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
	const struct trace_package *p = package_of(of, row), *q = package_in(other, p);
	if (p) {
		add_json_text(to, ",\"package\":", p->name, p->n_name);
		add_json_text(to, ",\"package_version\":", p->version, p->n_version);
	}
	if (q)
		add_json_text(to, ",\"other_version\":", q->version, q->n_version);
	strbuf_adds(to, "}\n");
}

void export_diff(struct strbuf *to, const struct diff *d, struct trace *a, struct trace *b,
		 bool json)
{
	size_t n, counts[DIFF_CHANGE_COUNT] = { 0 };
	const struct diff_row *rows = diff_rows(d, &n);
	if (!json && n)
		strbuf_adds(to, "  kind           A       B  what, and its first caller\n");
	for (size_t i = 0; i < n; i++) {
		counts[rows[i].change] += 1 + rows[i].n_below;
		bool is_of_a = rows[i].change == DIFF_REMOVED;
		(json ? add_json : add_line)(to, &rows[i], is_of_a ? a : b, is_of_a ? b : a);
	}
	if (!json)
		strbuf_addf(
		    to, "%sonly in B: %zu · more often in B: %zu · only in A: %zu · in both: %zu\n",
		    n ? "\n" : "", counts[DIFF_ADDED], counts[DIFF_MORE], counts[DIFF_REMOVED],
		    diff_n_same(d));
}
