/*
 * cmd_stat: what a capture holds, or a live target raises, counted by one key, as strace -c does
 * for system calls.
 *
 *      events      %    first s     last s  mostly by                 event
 *       8 801   41.2     0.0012    12.3344  app.py:14 main            open
 *
 * For keys that are columns (event, category, theme, caller, thread, process, stack, package) a table maps
 * ids to keys, and group_count_first() counts in one pass. With --count the target has counted most
 * events itself (recorder/counts.h); those are added to the rows of events that it wrote down. The
 * names of files, hosts, commands and modules come from reach. "mostly by" is the caller of most
 * events of a row: a second pass counts pairs of key and caller.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash_map.h"
#include "base/io.h"
#include "base/monotonic.h"
#include "base/new_file.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "command.h"
#include "commands/captures.h"
#include "commands/given.h"
#include "commands/open_capture.h"
#include "commands/session.h"
#include "commands/stat_count.h"
#include "commands/stat_coverage.h"
#include "commands/stat_import.h"
#include "export/exporter.h"
#include "model/catalog.h"
#include "model/filter.h"
#include "model/group.h"
#include "model/reach.h"
#include "model/selection.h"
#include "model/summary_ready.h"
#include "model/trace.h"
#include "model/value_json.h"

struct row {
	char *key; /* as text, not escaped */
	uint64_t n, first_seq, last_seq;
	uint32_t caller; /* frame, 0 none */
};

typedef VEC(uint64_t) counted_before; /* of trace_counted, by number */

struct table {
	struct trace *t;
	const struct selection *rows_in; /* NULL = all */
	enum group_column column;
	VEC(uint32_t) keys; /* [id of the column] row, UINT32_MAX: not counted */
	VEC(struct row) rows;
	uint64_t total;
	/* --count: rows have no times and no callers */
	bool are_counted;
	bool is_escaped; /* the keys are escaped already */
	bool is_part;    /* more comes, and what is lost is known at the end */
};

static void table_fini(struct table *b)
{
	for (size_t i = 0; i < b->rows.n; i++)
		free(b->rows.v[i].key);
	vec_fini(&b->rows);
	vec_fini(&b->keys);
}

/* The row of a key; a new row if there is none. */
static struct err *row_of(struct table *b, const char *s, size_t n, uint32_t *ret)
{
	for (size_t i = 0; i < b->rows.n; i++)
		if (strlen(b->rows.v[i].key) == n && !memcmp(b->rows.v[i].key, s, n)) {
			*ret = (uint32_t)i;
			return NULL;
		}
	struct row row = { .key = strndup(s, n), .first_seq = UINT64_MAX };
	if (!row.key || !vec_push(&b->rows, row)) {
		free(row.key);
		return err_no_memory();
	}
	*ret = (uint32_t)b->rows.n - 1;
	return NULL;
}

/* The event, its category or its theme. */
static const char *key_of_name(const char *by, const char *name, size_t *n)
{
	if (!strcmp(by, "category")) {
		*n = catalog_category_bytes(name, *n);
	} else if (!strcmp(by, "theme")) {
		name = catalog_theme_name(catalog_theme_of(name, *n));
		*n = strlen(name);
	}
	return name;
}

static struct err *keys_by_name(struct table *b, const char *by)
{
	struct err *err = vec_push(&b->keys, UINT32_MAX) ? NULL : err_no_memory();
	for (uint32_t i = 1; !err && i <= trace_n_names(b->t); i++) {
		size_t n;
		uint32_t row = 0;
		const char *name = key_of_name(by, trace_name(b->t, i, &n), &n);
		err = row_of(b, name, n, &row);
		if (!err && !vec_push(&b->keys, row))
			err = err_no_memory();
	}
	return err;
}

static struct err *keys_by_host(struct table *b)
{
	struct err *err = NULL;
	for (uint32_t i = 0; !err && i < trace_n_threads(b->t); i++) {
		size_t n;
		uint32_t row = 0;
		const char *s = trace_process_host(b->t, trace_thread(b->t, i)->process, &n);
		err = row_of(b, n ? s : "unknown", n ? n : 7, &row);
		if (!err && !vec_push(&b->keys, row))
			err = err_no_memory();
		if (!(i & 0xfff))
			trace_trim(b->t);
	}
	return err;
}

/* The pid; in a capture of several hosts with "web-1:" in front of it. */
static void add_process(struct table *b, struct strbuf *to, uint32_t process)
{
	const struct process_info *p = trace_process(b->t, process);
	size_t n;
	if (trace_n_hosts(b->t)) {
		const char *s = trace_process_host(b->t, process, &n);
		strbuf_add(to, n ? s : "unknown", n ? n : 7);
		strbuf_addc(to, ':');
	}
	strbuf_addf(to, "%u", p ? p->pid : 0);
}

static struct err *keys_by_thread(struct table *b, const char *by)
{
	struct err *err = NULL;
	struct strbuf text = { 0 };
	bool by_process = !strcmp(by, "process");
	VEC(uint32_t) row_of_process = { 0 };
	while (!err && row_of_process.n < trace_n_processes(b->t))
		if (!vec_push(&row_of_process, UINT32_MAX))
			err = err_no_memory();
	for (uint32_t i = 0; !err && i < trace_n_threads(b->t); i++) {
		const struct thread_info *info = trace_thread(b->t, i);
		const struct process_info *p = trace_process(b->t, info->process);
		size_t n;
		if (by_process && p && row_of_process.v[info->process] != UINT32_MAX) {
			if (!vec_push(&b->keys, row_of_process.v[info->process]))
				err = err_no_memory();
			continue;
		}
		strbuf_clear(&text);
		add_process(b, &text, info->process);
		const char *s = trace_string(b->t, p ? p->name : 0, &n);
		if (!by_process) {
			s = trace_string(b->t, info->name, &n);
			strbuf_addf(&text, "/%llu", (unsigned long long)info->tid);
			if (info->interpreter)
				strbuf_addf(&text, " interpreter %u", info->interpreter);
		}
		strbuf_addc(&text, ' ');
		strbuf_add(&text, s, n);
		struct row row = { .key = strndup(strbuf_str(&text), text.n),
				   .first_seq = UINT64_MAX };
		if (p)
			row_of_process.v[info->process] = (uint32_t)b->rows.n;
		if (!row.key || !vec_push(&b->keys, (uint32_t)b->rows.n) ||
		    !vec_push(&b->rows, row)) {
			free(row.key);
			err = err_no_memory();
		}
	}
	strbuf_fini(&text);
	vec_fini(&row_of_process);
	return err;
}

/* Add what the target has counted since `before` (by number of the entry; 0 for those behind its
 * end), as far as -Y lets it through. */
static struct err *add_counted(struct table *b, const char *by, struct filter_run *filter,
			       const counted_before *before)
{
	struct strbuf text = { 0 };
	struct err *err = NULL;
	for (uint32_t i = 0; !err && i < trace_n_counted(b->t); i++) {
		const struct trace_counted *c = trace_counted_get(b->t, i);
		uint64_t n = c->n - (i < before->n ? before->v[i] : 0);
		size_t n_key, n_program;
		uint32_t row = 0;
		const char *key = trace_counted_name(b->t, i, &n_key);
		if (!n || (filter && !filter_run_wants_name(filter, key, n_key)))
			continue;
		if (!strcmp(by, "process")) {
			const struct process_info *p = trace_process(b->t, c->process);
			strbuf_clear(&text);
			add_process(b, &text, c->process);
			const char *program = trace_string(b->t, p ? p->name : 0, &n_program);
			strbuf_addc(&text, ' ');
			strbuf_add(&text, program, n_program);
			key = strbuf_str(&text);
			n_key = text.n;
		} else {
			key = key_of_name(by, key, &n_key);
		}
		err = row_of(b, key, n_key, &row);
		if (!err)
			b->rows.v[row].n += n;
	}
	strbuf_fini(&text);
	return err;
}

enum stack_key { BY_STACK, BY_CALLER, BY_PACKAGE };

/* There are many frames and stacks, so rows are by id first, and only those with events get a
 * text. */
static struct err *keys_by_stack(struct table *b, enum stack_key by)
{
	uint32_t n = trace_n_stacks(b->t);
	VEC(uint32_t) row_of_thing = { 0 };
	struct err *err = NULL;
	for (uint32_t id = 0; !err && id <= n; id++) {
		uint32_t row = UINT32_MAX, thing = by == BY_CALLER ? trace_caller(b->t, id)
						   : by == BY_PACKAGE
						       ? trace_stack_package(b->t, id)
						       : id;
		while (!err && by != BY_STACK && row_of_thing.n <= thing)
			if (!vec_push(&row_of_thing, UINT32_MAX))
				err = err_no_memory();
		if (!err && by != BY_STACK)
			row = row_of_thing.v[thing];
		if (row == UINT32_MAX && !err) {
			struct row r = { .first_seq = UINT64_MAX, .caller = thing };
			row = (uint32_t)b->rows.n;
			if (!vec_push(&b->rows, r))
				err = err_no_memory();
			else if (by != BY_STACK)
				row_of_thing.v[thing] = row;
		}
		if (!err && !vec_push(&b->keys, row))
			err = err_no_memory();
		if (!(id & 0xfff))
			trace_trim(b->t);
	}
	vec_fini(&row_of_thing);
	return err;
}

static struct err *count(struct table *b)
{
	size_t n = b->rows.n;
	uint64_t *counts = calloc(n + 1, 8), *first = malloc((n + 1) * 8), *last = calloc(n + 1, 8);
	struct err *err = counts && first && last ? NULL : err_no_memory();
	if (!err) {
		memset(first, 0xff, (n + 1) * 8);
		err = group_count_first(b->t, b->rows_in, 0, trace_n_events(b->t), b->column,
					b->keys.v, (uint32_t)n, counts, first, last);
	}
	for (size_t i = 0; !err && i < n; i++) {
		b->rows.v[i].n = counts[i];
		b->rows.v[i].first_seq = first[i];
		b->rows.v[i].last_seq = last[i];
	}
	free(counts);
	free(first);
	free(last);
	return err;
}

static void add_caller_key(struct trace *t, struct strbuf *to, uint32_t frame)
{
	struct frame_info f;
	size_t n;
	if (!trace_frame(t, frame, &f)) {
		strbuf_adds(to, "(none: start-up or library code only)");
		return;
	}
	const char *file = trace_string(t, f.file, &n);
	strbuf_add(to, file, n);
	strbuf_addf(to, ":%u ", f.line);
	const char *function = trace_string(t, f.function, &n);
	strbuf_add(to, function, n);
}

static void add_package_key(struct trace *t, struct strbuf *to, uint32_t package)
{
	const struct trace_package *p = trace_package(t, package);
	if (!p) {
		strbuf_adds(to, "(none: code that is not installed, or the standard library only)");
		return;
	}
	strbuf_add(to, p->name, p->n_name);
	strbuf_addc(to, ' ');
	strbuf_add(to, p->version, p->n_version);
}

static void add_stack_key(struct trace *t, struct strbuf *to, uint32_t stack)
{
	uint32_t parent, frame;
	for (uint32_t s = stack; s && trace_stack(t, s, &parent, &frame); s = parent) {
		struct frame_info f;
		size_t n;
		trace_frame(t, frame, &f);
		const char *function = trace_string(t, f.function, &n);
		if (to->n)
			strbuf_adds(to, " < ");
		strbuf_add(to, function, n);
		strbuf_addf(to, ":%u", f.line);
	}
	if (!to->n)
		strbuf_adds(to, "(no stack)");
}

/* Rows with the same text are one: frames with the same file, line and function but different
 * columns, and stacks of such frames. */
static struct err *name_rows(struct table *b, enum stack_key by)
{
	struct strbuf text = { 0 };
	struct err *err = NULL;
	for (size_t i = 0; !err && i < b->rows.n; i++) {
		struct row *r = &b->rows.v[i];
		uint32_t id = r->caller;
		r->caller = 0;
		if (!r->n)
			continue;
		strbuf_clear(&text);
		(by == BY_CALLER    ? add_caller_key
		 : by == BY_PACKAGE ? add_package_key
				    : add_stack_key)(b->t, &text, id);
		r->key = strndup(strbuf_str(&text), text.n);
		if (!r->key)
			err = err_no_memory();
	}
	strbuf_fini(&text);
	return err;
}

/* REACH_KIND_COUNT: things of all kinds. */
static struct err *count_by_reach(struct table *b, enum reach_kind kind)
{
	CLEANUP(reach) struct reach *reach = NULL;
	struct err *err = reach_create(b->t, b->rows_in, &reach);
	size_t n;
	const struct reach_thing *things = err ? NULL : reach_things(reach, &n);
	b->is_escaped = true;
	for (size_t i = 0; !err && i < n; i++) {
		if (kind != REACH_KIND_COUNT && things[i].kind != kind)
			continue;
		struct row row = { .key = strndup(things[i].text, things[i].n_text),
				   .n = things[i].n_events,
				   .first_seq = things[i].first_seq,
				   .last_seq = things[i].last_seq };
		struct event e;
		if (trace_event(b->t, row.first_seq, &e))
			row.caller = trace_caller(b->t, e.stack);
		if (!row.key || !vec_push(&b->rows, row)) {
			free(row.key);
			err = err_no_memory();
		}
	}
	return err;
}

/* ---- the caller of most events of a row ---- */

struct pair {
	uint32_t row, caller;
	uint64_t n;
};

struct pairs {
	VEC(struct pair) all;
	struct hash_map index; /* (row, caller) → index + 1 */
};

static bool pairs_add(struct pairs *p, uint32_t row, uint32_t caller, uint64_t n)
{
	uint32_t *at = hash_map_place(&p->index, hash_map_key(row, caller));
	struct pair fresh = { row, caller, 0 };
	if (!at || (!*at && !vec_push(&p->all, fresh)))
		return false;
	if (!*at)
		*at = (uint32_t)p->all.n;
	p->all.v[*at - 1].n += n;
	return true;
}

static struct err *find_callers(struct table *b)
{
	struct pairs pairs = { 0 };
	struct err *err = NULL;
	uint64_t n_last = 0;
	uint32_t last_row = 0, last_caller = 0;
	for (uint32_t i = 0; !err && i < trace_n_chunks(b->t); i++) {
		uint64_t first = (uint64_t)i << TRACE_CHUNK_SHIFT;
		if (b->rows_in && selection_next(b->rows_in, first) >= first + TRACE_CHUNK)
			continue;
		trace_trim(b->t);
		const struct chunk *c = trace_chunk(b->t, i);
		for (uint32_t row = 0; c && row < c->n; row++) {
			if (b->rows_in && !selection_has(b->rows_in, first + row))
				continue;
			uint32_t id = b->column == GROUP_NAME ? c->names[c->name[row]]
							      : c->threads[c->thread[row]];
			uint32_t key = id < b->keys.n ? b->keys.v[id] : UINT32_MAX;
			if (key == UINT32_MAX)
				continue;
			uint32_t caller = trace_caller(b->t, c->stack[row]);
			bool is_same = key == last_row && caller == last_caller;
			if (!is_same && n_last && !pairs_add(&pairs, last_row, last_caller, n_last))
				err = err_no_memory();
			n_last = is_same ? n_last + 1 : 1;
			last_row = key;
			last_caller = caller;
		}
	}
	if (!err && n_last && !pairs_add(&pairs, last_row, last_caller, n_last))
		err = err_no_memory();
	uint64_t *best = calloc(b->rows.n + 1, 8);
	for (size_t i = 0; best && i < pairs.all.n; i++) {
		const struct pair *p = &pairs.all.v[i];
		if (p->n > best[p->row] ||
		    (p->n == best[p->row] && p->caller < b->rows.v[p->row].caller)) {
			best[p->row] = p->n;
			b->rows.v[p->row].caller = p->caller;
		}
	}
	free(best);
	vec_fini(&pairs.all);
	hash_map_fini(&pairs.index);
	return err;
}

/* ---- output ---- */

static int by_count(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	if (a->n != b->n)
		return a->n > b->n ? -1 : 1;
	if (a->first_seq != b->first_seq)
		return a->first_seq < b->first_seq ? -1 : 1;
	return strcmp(a->key ? a->key : "", b->key ? b->key : "");
}

static int by_key(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	int order = strcmp(a->key ? a->key : "", b->key ? b->key : "");
	return order ? order : by_count(x, y);
}

static int by_first(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	return a->first_seq < b->first_seq ? -1 : a->first_seq > b->first_seq;
}

static int by_last(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	return a->last_seq < b->last_seq ? -1 : a->last_seq > b->last_seq;
}

/* Remove rows without events, merge rows with the same text, and sort as asked for. */
static struct err *arrange(struct table *b, const char *sort)
{
	static const struct {
		const char *name;
		int (*compare)(const void *, const void *);
	} orders[] = { { "events", by_count },
		       { "key", by_key },
		       { "first", by_first },
		       { "last", by_last } };
	size_t n = 0, k = 0;
	if (b->rows.n)
		qsort(b->rows.v, b->rows.n, sizeof(*b->rows.v), by_key);
	for (size_t i = 0; i < b->rows.n; i++) {
		struct row *r = &b->rows.v[i], *before = n ? &b->rows.v[n - 1] : NULL;
		if (!r->n) {
			free(r->key);
		} else if (before && !strcmp(before->key, r->key)) {
			before->n += r->n;
			before->first_seq = r->first_seq < before->first_seq ? r->first_seq
									     : before->first_seq;
			before->last_seq = r->last_seq > before->last_seq ? r->last_seq
									  : before->last_seq;
			free(r->key);
		} else {
			b->rows.v[n++] = *r;
		}
	}
	b->rows.n = n;
	for (size_t i = 0; i < n; i++)
		b->total += b->rows.v[i].n;
	while (sort && k < ARRAY_LEN(orders) && strcmp(orders[k].name, sort) != 0)
		k++;
	if (k == ARRAY_LEN(orders))
		return err_with_hint(err_create(ERR_USAGE, "cannot sort by '%s'", sort),
				     "say events, key, first or last");
	if (n)
		qsort(b->rows.v, n, sizeof(*b->rows.v), orders[k].compare);
	return NULL;
}

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

static void show_text(struct strbuf *to, struct table *b, const char *by, bool with_callers,
		      uint64_t n_max)
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
		const struct row *r = &b->rows.v[i];
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

static void show_json(struct strbuf *to, struct table *b, const char *by, bool with_callers,
		      uint64_t n_max)
{
	struct strbuf s = { 0 };
	strbuf_addf(to,
		    "{\"by\":\"%s\",\"events\":%" PRIu64 ",\"kinds\":%zu,\"lost\":%" PRIu64
		    ",\"is_loss_known\":%s,\"rows\":[",
		    by, b->total, b->rows.n, trace_n_lost(b->t),
		    trace_is_loss_known(b->t) ? "true" : "false");
	for (size_t i = 0; i < b->rows.n && i < n_max; i++) {
		const struct row *r = &b->rows.v[i];
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

static struct err *fill(struct table *b, const char *by, bool *ret_callers)
{
	static const struct {
		const char *by;
		enum reach_kind kind;
	} reaches[] = { { "file", REACH_FILE },     { "host", REACH_HOST },
			{ "peer", REACH_HOST },     { "command", REACH_COMMAND },
			{ "module", REACH_MODULE }, { "what", REACH_KIND_COUNT } };
	struct err *err;
	*ret_callers = true;
	/* Of a capture of several machines, a host is one of these; else it is what is connected
	 * to. */
	if (!strcmp(by, "host") && trace_n_hosts(b->t))
		by = "machine";
	for (size_t i = 0; i < ARRAY_LEN(reaches); i++)
		if (!strcmp(by, reaches[i].by))
			return count_by_reach(b, reaches[i].kind);
	if (!strcmp(by, "caller") || !strcmp(by, "stack") || !strcmp(by, "package")) {
		enum stack_key key = by[0] == 'c'   ? BY_CALLER
				     : by[0] == 'p' ? BY_PACKAGE
						    : BY_STACK;
		*ret_callers = false;
		b->column = GROUP_STACK;
		err = keys_by_stack(b, key);
		if (!err)
			err = count(b);
		return err ? err : name_rows(b, key);
	}
	bool by_thread = !strcmp(by, "thread") || !strcmp(by, "process") || !strcmp(by, "machine");
	b->column = by_thread ? GROUP_THREAD : GROUP_NAME;
	err = !strcmp(by, "machine") ? keys_by_host(b)
	      : by_thread            ? keys_by_thread(b, by)
				     : keys_by_name(b, by);
	if (!err)
		err = count(b);
	*ret_callers = !b->are_counted;
	return err || b->are_counted ? err : find_callers(b);
}

/* ---- one table ---- */

struct stat {
	const struct options *o;
	const char *by;
	struct trace *trace;
	struct shown shown;
	counted_before counted; /* --interval: what the table before had */
};

/* The events [from, to) that -Y lets through; *ret NULL: all events of the capture. */
static struct err *rows_of(struct stat *s, uint64_t from, uint64_t to, struct selection **ret)
{
	struct err *err = NULL;
	*ret = NULL;
	if (s->shown.run)
		err = filter_run_step(s->shown.run, UINT64_MAX, NULL);
	if (err || (!s->shown.run && from == 0 && to == trace_n_events(s->trace)))
		return err;
	if (s->shown.run)
		err = selection_dup(filter_run_rows(s->shown.run), ret);
	else
		err = selection_create(trace_n_events(s->trace), true, ret);
	if (!err) {
		selection_fill(*ret, 0, from, false);
		selection_fill(*ret, to, selection_n_rows(*ret), false);
	}
	return err;
}

static struct err *stat_add(struct stat *s, uint64_t from, uint64_t to, bool is_part,
			    struct strbuf *out)
{
	CLEANUP(selection) struct selection *rows = NULL;
	struct err *err = rows_of(s, from, to, &rows);
	static const counted_before none;
	struct table b = {
		.t = s->trace, .rows_in = rows, .is_part = is_part, .are_counted = s->o->count
	};
	bool with_callers;
	if (!err && s->o->coverage) {
		err = stat_coverage(s->trace, rows, s->shown.run, out);
	} else if (!err && !strcmp(s->by, "import")) {
		err = stat_import(s->o, s->trace, rows, to, out);
	} else if (!err) {
		uint64_t n_max = s->o->number ? s->o->number : UINT64_MAX;
		err = fill(&b, s->by, &with_callers);
		if (!err && s->o->count)
			err = add_counted(&b, s->by, s->shown.run, is_part ? &s->counted : &none);
		if (!err)
			err = arrange(&b, s->o->sort);
		if (!err && s->o->json)
			show_json(out, &b, s->by, with_callers, n_max);
		else if (!err)
			show_text(out, &b, s->by, with_callers, n_max);
	}
	table_fini(&b);
	return err;
}

static struct err *write_out(struct strbuf *text, const struct new_file *file)
{
	struct err *err = NULL;
	if (text->failed)
		err = err_no_memory();
	else if (!io_write(new_file_fd(file), strbuf_str(text), text->n))
		err = err_sys(errno, "cannot write to %s", new_file_path(file));
	strbuf_clear(text);
	return err;
}

/* ---- of a live target ---- */

/* What was raised since the table before: [*from, all that is there). */
static struct err *interval_add(struct stat *s, uint64_t start_ns, uint64_t *from,
				uint64_t *from_ns, struct strbuf *out)
{
	uint64_t n = trace_n_events(s->trace), now_ns = monotonic_ns();
	double first = (double)(*from_ns - start_ns) / 1e9,
	       last = (double)(now_ns - start_ns) / 1e9;
	if (s->o->json)
		strbuf_addf(out, "{\"from_s\":%.3f,\"to_s\":%.3f,\"interval\":", first, last);
	else
		strbuf_addf(out, "from %.1f to %.1f s\n", first, last);
	struct err *err = stat_add(s, *from, n, true, out);
	if (s->o->json && out->n)
		strbuf_cut(out, out->n - 1);
	strbuf_adds(out, s->o->json ? "}\n" : "\n");
	for (uint32_t i = 0; !err && i < trace_n_counted(s->trace); i++)
		if (i == s->counted.n && !vec_push(&s->counted, 0))
			err = err_no_memory();
		else
			s->counted.v[i] = trace_counted_get(s->trace, i)->n;
	*from = n;
	*from_ns = now_ns;
	return err;
}

static struct err *follow(struct stat *s, struct session *session, const struct new_file *out)
{
	uint64_t start_ns = monotonic_ns(), from = 0, from_ns = start_ns, interval_ns, due_ns;
	struct strbuf text = { 0 };
	struct err *err = NULL;
	interval_ns = s->o->interval_ns;
	due_ns = start_ns + interval_ns;
	while (!err) {
		struct trace_change change;
		session_poll(session);
		/* what it wrote before its last message is counted after that */
		bool is_last = session->ended || session_n_asked_to_end();
		if (is_last)
			session_finish(session, false);
		err = trace_refresh(s->trace, &change);
		uint64_t now_ns = monotonic_ns();
		if (!err && interval_ns && !is_last && now_ns >= due_ns) {
			due_ns += (now_ns - due_ns) / interval_ns * interval_ns + interval_ns;
			err = interval_add(s, start_ns, &from, &from_ns, &text);
			if (!err)
				err = write_out(&text, out);
		}
		if (is_last)
			break;
		uint64_t left_ms = interval_ns ? (due_ns - now_ns) / 1000000 + 1 : 200;
		struct pollfd fd = { .fd = session->control_fd, .events = POLLIN };
		if (!err)
			poll(&fd, 1, left_ms > 200 ? 200 : (int)left_ms);
	}
	if (!err && interval_ns)
		err = interval_add(s, start_ns, &from, &from_ns, &text);
	if (!err && interval_ns && !s->o->json)
		strbuf_adds(&text, "in all\n");
	if (!err)
		err = stat_add(s, 0, trace_n_events(s->trace), false, &text);
	if (!err)
		err = write_out(&text, out);
	strbuf_fini(&text);
	return err;
}

static struct err *stat_live(struct stat *s, const struct new_file *out, int *ret)
{
	CLEANUP(session) struct session *session = NULL;
	struct follow_stdio io = { -1, new_file_is_stdout(out) ? STDERR_FILENO : -1, -1, -1 };
	session_catch_signals();
	struct err *err = session_start(s->o, NULL, &io, &session);
	if (err)
		return err;
	session->is_temporary = true;
	err = trace_open(session->now_at, NULL, &s->trace);
	if (!err)
		err = capture_shown_make(s->o, s->trace, &s->shown);
	if (!err)
		err = follow(s, session, out);
	session_finish(session, false);
	if (err && err->sys == EPIPE) { /* the reader of the tables has seen enough */
		err_destroy(err);
		err = NULL;
	}
	session_say(&session->end, NULL, s->o->quiet);
	*ret = err ? 1 : session_end_status(&session->end);
	return err;
}

/* Options that say which events to capture are for a live target; of a capture they would have to
 * be ignored. */
static struct err *check(const struct options *o, bool is_live)
{
	const char *name = o->limit             ? "limit"
			   : o->until           ? "until"
			   : o->follow != UNSET ? "follow"
						: NULL;
	if (is_live) {
		struct err *err = given_check(o, false);
		return err || !o->count ? err : stat_count_check(o);
	}
	if (!o->n_args)
		return err_with_hint(
		    err_create(ERR_USAGE,
			       "stat needs one thing to count: a capture, -p PID or -- PROGRAM"),
		    "auditview stat FILE, auditview stat -p PID, auditview stat -- PROGRAM");
	if (name)
		return err_create(
		    ERR_USAGE, "--%s needs a process to attach to, or a program to launch", name);
	struct err *err = NULL;
	for (size_t i = 0; i < o->n_args && !err; i++)
		err = capture_check_not_same(o->args[i], o->output);
	return err;
}

static struct err *stat_with(const struct options *o, int *ret)
{
	struct stat s = { .o = o, .by = o->by ? o->by : "event" };
	bool is_live = o->n_pids || o->program;
	struct strbuf text = { 0 };
	struct new_file *out;
	struct err *err = check(o, is_live);
	*ret = 0;
	if (err)
		return err;
	err = new_file_open(o->output ? o->output : "-", is_live ? NEW_FILE_GROWS : 0, &out);
	if (err)
		return err;
	if (is_live) {
		err = stat_live(&s, out, ret);
	} else {
		err = captures_open_as_one(o, false, &s.trace);
		if (!err)
			err = capture_shown_make(o, s.trace, &s.shown);
		if (!err)
			err = stat_add(&s, 0, trace_n_events(s.trace), false, &text);
		if (!err)
			err = write_out(&text, out);
		if (s.trace)
			capture_damage_say(o, o->args[0], s.trace);
	}
	strbuf_fini(&text);
	vec_fini(&s.counted);
	capture_shown_fini(&s.shown);
	trace_close(s.trace);
	return new_file_end(out, err);
}

/* A ready summary is a key and a filter, which -Y narrows further. */
struct err *cmd_stat(const struct options *o, int *ret)
{
	const struct ready_summary *ready = o->by ? ready_summary_find(o->by) : NULL;
	struct strbuf filter = { 0 };
	struct options with = *o;
	if (!ready)
		return stat_with(o, ret);
	with.by = ready->by;
	strbuf_adds(&filter, ready->filter);
	if (o->filter && *o->filter) {
		struct filter *own; /* so that an error is shown at its place */
		struct err *err = filter_compile(o->filter, strlen(o->filter), NULL, &own);
		if (err)
			return capture_filter_error("-Y", o->filter, err);
		filter_destroy(own);
		strbuf_addf(&filter, " and (%s)", o->filter);
	}
	with.filter = strbuf_str(&filter);
	struct err *err = filter.failed ? err_no_memory() : stat_with(&with, ret);
	strbuf_fini(&filter);
	return err;
}
