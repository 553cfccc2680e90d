/*
 * stat_show: see stat_show.h.
 */
#include "commands/stat_show.h"

#include <inttypes.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "commands/stat_table.h"
#include "model/trace.h"
#include "model/value_json.h"

static double seconds_of(struct trace *t, uint64_t seq)
{
	struct event e;
	return trace_event(t, seq, &e) ? (double)e.time_ns / 1e9 : 0;
}

static void add_caller(struct strbuf *to, struct trace *t, uint32_t frame)
{
	struct frame_info f;
	size_t n;
	if (!trace_frame(t, frame, &f))
		return;
	const char *file = trace_string(t, f.file, &n), *slash = memrchr(file, '/', n);
	if (slash)
		n -= (size_t)(slash + 1 - file), file = slash + 1;
	strbuf_add(to, file, n);
	strbuf_addf(to, ":%u ", f.line);
	const char *function = trace_string(t, f.function, &n);
	strbuf_add(to, function, n);
}

#define CALLER_CELLS 28

void stat_show_text(struct strbuf *to, const struct stat_table *b, const char *by,
		    bool with_callers, uint64_t n_max)
{
	struct strbuf s = { 0 }, raw = { 0 };
	strbuf_addf(to, "%11s %6s ", "events", "%");
	if (!b->are_counted)
		strbuf_addf(to, "%12s %12s ", "first s", "last s");
	strbuf_addc(to, ' ');
	if (with_callers)
		strbuf_addf(to, "%-*s  ", CALLER_CELLS, "mostly by");
	strbuf_addf(to, "%s\n", by);
	for (size_t i = 0; i < b->rows.n && i < n_max; i++) {
		const struct stat_row *r = &b->rows.v[i];
		strbuf_clear(&s);
		strbuf_add_count(&s, r->n);
		strbuf_addf(to, "%11s %6.1f ", s.s, 100.0 * (double)r->n / (double)b->total);
		if (!b->are_counted)
			strbuf_addf(to, "%12.6f %12.6f ", seconds_of(b->t, r->first_seq),
				    seconds_of(b->t, r->last_seq));
		strbuf_addc(to, ' ');
		if (with_callers) {
			strbuf_clear(&s);
			strbuf_clear(&raw);
			add_caller(&raw, b->t, r->caller);
			utf8_escape(&s, strbuf_str(&raw), raw.n, 0);
			size_t cells = utf8_str_width(strbuf_str(&raw), raw.n);
			/* remove whole code points from the end */
			while (cells > CALLER_CELLS && s.n) {
				size_t n = s.n - 1;
				while (n && ((unsigned char)s.s[n] & 0xc0) == 0x80)
					n--;
				strbuf_cut(&s, n);
				cells = utf8_str_width(s.s, s.n) + 1;
				if (cells <= CALLER_CELLS)
					strbuf_adds(&s, "…");
			}
			strbuf_adds(to, strbuf_str(&s));
			strbuf_add_repeat(to, ' ', CALLER_CELLS > cells ? CALLER_CELLS - cells : 0);
			strbuf_adds(to, "  ");
		}
		if (b->is_escaped)
			strbuf_adds(to, r->key);
		else
			utf8_escape(to, r->key, strlen(r->key), 0);
		strbuf_addc(to, '\n');
	}
	strbuf_clear(&s);
	strbuf_add_count(&s, b->total);
	strbuf_addf(to, "%11s  100.0 %*s total, %zu kind%s%s\n", s.s,
		    (b->are_counted ? 0 : 26) + (with_callers ? CALLER_CELLS + 2 : 0), "",
		    b->rows.n, b->rows.n == 1 ? "" : "s",
		    b->rows.n > n_max ? ", the rest is not shown" : "");
	strbuf_clear(&s);
	strbuf_add_count(&s, trace_n_lost(b->t));
	if (!trace_is_loss_known(b->t) && !b->is_part)
		strbuf_addf(
		    to, "%11s  were lost at least; the capture does not tell how many more\n", s.s);
	else if (trace_n_lost(b->t))
		strbuf_addf(to, "%11s  were lost\n", s.s);
	strbuf_fini(&s);
	strbuf_fini(&raw);
}

void stat_show_json(struct strbuf *to, const struct stat_table *b, const char *by,
		    bool with_callers, uint64_t n_max)
{
	struct strbuf s = { 0 };
	strbuf_addf(to,
		    "{\"by\":\"%s\",\"events\":%" PRIu64 ",\"kinds\":%zu,\"lost\":%" PRIu64
		    ",\"is_loss_known\":%s,\"rows\":[",
		    by, b->total, b->rows.n, trace_n_lost(b->t),
		    trace_is_loss_known(b->t) ? "true" : "false");
	for (size_t i = 0; i < b->rows.n && i < n_max; i++) {
		const struct stat_row *r = &b->rows.v[i];
		strbuf_adds(to, i ? ",\n{\"key\":" : "\n{\"key\":");
		value_json_string(to, r->key, strlen(r->key));
		strbuf_addf(to, ",\"events\":%" PRIu64, r->n);
		if (!b->are_counted)
			strbuf_addf(to, ",\"first_s\":%.9f,\"last_s\":%.9f",
				    seconds_of(b->t, r->first_seq), seconds_of(b->t, r->last_seq));
		if (with_callers) {
			strbuf_clear(&s);
			add_caller(&s, b->t, r->caller);
			strbuf_adds(to, ",\"mostly_by\":");
			value_json_string(to, strbuf_str(&s), s.n);
		}
		strbuf_addc(to, '}');
	}
	strbuf_adds(to, "\n]}\n");
	strbuf_fini(&s);
}
