/*
 * cmd_stat: what a capture holds, counted by one key, as strace -c does for system calls.
 *
 *      events      %    first s     last s  mostly by                 event
 *       8 801   41.2     0.0012    12.3344  app.py:14 main            open
 *
 * For keys that are columns (event, category, theme, caller, thread, process, stack) a table maps
 * ids to keys, and group_count_first() counts in one pass. The names of files, hosts, commands and
 * modules come from reach. "mostly by" is the caller of most events of a row: a second pass counts
 * pairs of key and caller.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "base/say.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "command.h"
#include "commands/open_capture.h"
#include "export/exporter.h"
#include "model/arguments.h"
#include "model/catalog.h"
#include "model/filter.h"
#include "model/group.h"
#include "model/reach.h"
#include "model/selection.h"
#include "model/trace.h"
#include "model/value_json.h"

struct row {
	char *key; /* as text, not escaped */
	uint64_t n, first_seq, last_seq;
	uint32_t caller; /* frame, 0 none */
};

struct table {
	struct trace *t;
	const struct selection *rows_in; /* NULL = all */
	enum group_column column;
	VEC(uint32_t) keys; /* [id of the column] row, UINT32_MAX: not counted */
	VEC(struct row) rows;
	uint64_t total;
	bool is_escaped; /* the keys are escaped already */
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

static struct err *keys_by_name(struct table *b, const char *by)
{
	struct err *err = vec_push(&b->keys, UINT32_MAX) ? NULL : err_no_memory();
	for (uint32_t i = 1; !err && i <= trace_n_names(b->t); i++) {
		size_t n;
		uint32_t row = 0;
		const char *name = trace_name(b->t, i, &n);
		if (!strcmp(by, "category"))
			n = catalog_category_bytes(name, n);
		else if (!strcmp(by, "theme"))
			name = catalog_theme_name(catalog_theme_of(name, n)), n = strlen(name);
		err = row_of(b, name, n, &row);
		if (!err && !vec_push(&b->keys, row))
			err = err_no_memory();
	}
	return err;
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
		const char *s = trace_string(b->t, p ? p->name : 0, &n);
		strbuf_clear(&text);
		strbuf_addf(&text, "%u", p ? p->pid : 0);
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

/* There are many frames and stacks, so rows are by id first, and only those with events get a
 * text. */
static struct err *keys_by_stack(struct table *b, bool by_caller)
{
	uint32_t n = trace_n_stacks(b->t);
	VEC(uint32_t) row_of_frame = { 0 };
	struct err *err = NULL;
	for (uint32_t id = 0; !err && id <= n; id++) {
		uint32_t thing = by_caller ? trace_caller(b->t, id) : id, row = UINT32_MAX;
		while (by_caller && row_of_frame.n <= thing)
			if (!vec_push(&row_of_frame, UINT32_MAX))
				err = err_no_memory();
		if (!err && by_caller)
			row = row_of_frame.v[thing];
		if (row == UINT32_MAX && !err) {
			struct row r = { .first_seq = UINT64_MAX, .caller = thing };
			row = (uint32_t)b->rows.n;
			if (!vec_push(&b->rows, r))
				err = err_no_memory();
			else if (by_caller)
				row_of_frame.v[thing] = row;
		}
		if (!err && !vec_push(&b->keys, row))
			err = err_no_memory();
		if (!(id & 0xfff))
			trace_trim(b->t);
	}
	vec_fini(&row_of_frame);
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

/* Rows with the same text are one: frames with the same file, line and function but different
 * columns, and stacks of such frames. */
static struct err *name_frames(struct table *b, bool by_caller)
{
	struct strbuf text = { 0 };
	struct err *err = NULL;
	for (size_t i = 0; !err && i < b->rows.n; i++) {
		struct row *r = &b->rows.v[i];
		uint32_t id = r->caller, parent, frame;
		r->caller = 0;
		if (!r->n)
			continue;
		strbuf_clear(&text);
		if (by_caller) {
			struct frame_info f;
			size_t n;
			if (trace_frame(b->t, id, &f)) {
				const char *file = trace_string(b->t, f.file, &n);
				strbuf_add(&text, file, n);
				strbuf_addf(&text, ":%u ", f.line);
				const char *function = trace_string(b->t, f.function, &n);
				strbuf_add(&text, function, n);
			} else {
				strbuf_adds(&text, "(none: start-up or library code only)");
			}
		} else {
			for (uint32_t s = id; s && trace_stack(b->t, s, &parent, &frame);
			     s = parent) {
				struct frame_info f;
				size_t n;
				trace_frame(b->t, frame, &f);
				const char *function = trace_string(b->t, f.function, &n);
				if (text.n)
					strbuf_adds(&text, " < ");
				strbuf_add(&text, function, n);
				strbuf_addf(&text, ":%u", f.line);
			}
			if (!text.n)
				strbuf_adds(&text, "(no stack)");
		}
		r->key = strndup(strbuf_str(&text), text.n);
		if (!r->key)
			err = err_no_memory();
	}
	strbuf_fini(&text);
	return err;
}

static struct err *count_by_reach(struct table *b, enum reach_kind kind)
{
	CLEANUP(reach) struct reach *reach = NULL;
	struct err *err = reach_create(b->t, b->rows_in, &reach);
	size_t n;
	const struct reach_thing *things = err ? NULL : reach_things(reach, &n);
	b->is_escaped = true;
	for (size_t i = 0; !err && i < n; i++) {
		if (things[i].kind != kind)
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
	return a->first_seq < b->first_seq ? -1 : a->first_seq > b->first_seq;
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
	strbuf_addf(to, "%11s %6s %12s %12s  ", "events", "%", "first s", "last s");
	if (with_callers)
		strbuf_addf(to, "%-*s  ", CALLER_CELLS, "mostly by");
	strbuf_addf(to, "%s\n", by);
	for (size_t i = 0; i < b->rows.n && i < n_max; i++) {
		const struct row *r = &b->rows.v[i];
		strbuf_clear(&s);
		strbuf_add_count(&s, r->n);
		strbuf_addf(to, "%11s %6.1f %12.6f %12.6f  ", s.s,
			    100.0 * (double)r->n / (double)b->total, seconds_of(b->t, r->first_seq),
			    seconds_of(b->t, r->last_seq));
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
		    with_callers ? 26 + CALLER_CELLS + 2 : 26, "", b->rows.n,
		    b->rows.n == 1 ? "" : "s", b->rows.n > n_max ? ", the rest is not shown" : "");
	strbuf_clear(&s);
	strbuf_add_count(&s, trace_n_lost(b->t));
	if (!trace_is_loss_known(b->t))
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
		strbuf_addf(to, ",\"events\":%" PRIu64 ",\"first_s\":%.9f,\"last_s\":%.9f", r->n,
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

/* ---- coverage: which events of the catalogue were seen ---- */

static struct err *coverage(struct table *b, struct strbuf *to)
{
	uint32_t minors = 0, n_names = trace_n_names(b->t);
	uint64_t *counts = calloc((size_t)n_names + 1, 8);
	if (!counts)
		return err_no_memory();
	struct err *err = group_count(b->t, b->rows_in, 0, trace_n_events(b->t), GROUP_NAME, NULL,
				      n_names + 1, counts);
	for (uint32_t i = 0; i < trace_n_processes(b->t); i++)
		minors |= 1u << (arguments_minor(b->t, i) & 31);
	for (int minor = 1; !err && minor < 32; minor++) {
		if (!(minors >> minor & 1))
			continue;
		size_t n_seen = 0, n_all = 0;
		struct strbuf seen = { 0 }, never = { 0 };
		for (int theme = 0; theme < THEME_COUNT; theme++) {
			const struct catalog_theme_info *info = &catalog_themes[theme];
			bool head_seen = false, head_never = false;
			for (size_t i = 0; i < info->n_events; i++) {
				const struct catalog_event *e = &catalog_events[info->events[i]];
				if (!e->documented || !catalog_is_in(e, minor) ||
				    !(e->platforms &
				      (PLATFORM_ANY | PLATFORM_UNIX | PLATFORM_LINUX)))
					continue;
				uint32_t id = trace_name_find(b->t, e->name, strlen(e->name));
				uint64_t n = id ? counts[id] : 0;
				struct strbuf *list = n ? &seen : &never;
				bool *head = n ? &head_seen : &head_never;
				n_all++;
				n_seen += n != 0;
				if (!*head)
					strbuf_addf(list, "  %-16s", info->name);
				strbuf_addf(list, "%s%s", *head ? ", " : "", e->name);
				if (n)
					strbuf_addf(list, " %" PRIu64, n);
				*head = true;
			}
			if (head_seen)
				strbuf_addc(&seen, '\n');
			if (head_never)
				strbuf_addc(&never, '\n');
		}
		strbuf_addf(to, "Python 3.%d: %zu of %zu documented events seen\n", minor, n_seen,
			    n_all);
		strbuf_addf(to, "seen\n%snever\n%s", strbuf_str(&seen), strbuf_str(&never));
		strbuf_fini(&seen);
		strbuf_fini(&never);
	}
	free(counts);
	return err;
}

static struct err *fill(struct table *b, const char *by, bool *ret_callers)
{
	static const struct {
		const char *by;
		enum reach_kind kind;
	} reaches[] = { { "file", REACH_FILE },
			{ "host", REACH_HOST },
			{ "command", REACH_COMMAND },
			{ "module", REACH_MODULE } };
	struct err *err;
	*ret_callers = true;
	for (size_t i = 0; i < ARRAY_LEN(reaches); i++)
		if (!strcmp(by, reaches[i].by))
			return count_by_reach(b, reaches[i].kind);
	if (!strcmp(by, "caller") || !strcmp(by, "stack")) {
		bool by_caller = by[0] == 'c';
		*ret_callers = false;
		b->column = GROUP_STACK;
		err = keys_by_stack(b, by_caller);
		if (!err)
			err = count(b);
		return err ? err : name_frames(b, by_caller);
	}
	bool by_thread = !strcmp(by, "thread") || !strcmp(by, "process");
	b->column = by_thread ? GROUP_THREAD : GROUP_NAME;
	err = by_thread ? keys_by_thread(b, by) : keys_by_name(b, by);
	if (!err)
		err = count(b);
	return err ? err : find_callers(b);
}

struct err *cmd_stat(const struct options *o, int *ret)
{
	CLEANUP(trace) struct trace *t = NULL;
	struct shown shown = { 0 };
	struct strbuf out = { 0 };
	struct err *err = open_capture(o, o->args[0], &t);
	if (!err)
		err = capture_shown_make(o, t, &shown);
	struct table b = { .t = t, .rows_in = shown.run ? filter_run_rows(shown.run) : NULL };
	const char *by = o->by ? o->by : "event";
	bool with_callers;
	if (!err && o->coverage) {
		err = coverage(&b, &out);
	} else if (!err) {
		uint64_t n_max = o->number ? o->number : UINT64_MAX;
		err = fill(&b, by, &with_callers);
		if (!err)
			err = arrange(&b, o->sort);
		if (!err && o->json)
			show_json(&out, &b, by, with_callers, n_max);
		else if (!err)
			show_text(&out, &b, by, with_callers, n_max);
	}
	if (!err && out.failed)
		err = err_no_memory();
	if (!err && !say_text(&out))
		err = err_sys(errno, "cannot write to standard output");
	if (t)
		capture_damage_say(o, o->args[0], t);
	strbuf_fini(&out);
	table_fini(&b);
	capture_shown_fini(&shown);
	*ret = 0;
	return err;
}
