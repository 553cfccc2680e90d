/*
 * stat_table: see stat_table.h.
 *
 * For keys that depend on one column (the name, the thread, the stack or the task of an event) a
 * table maps ids to keys, and group_count_first() counts in one pass. A second pass counts pairs of
 * key and caller. The names of files, peers, commands and modules come from reach.h.
 *
 * To add a word of --by: `is_group` of the field (model/fields.c) or a row of model/group_words.c,
 * its keys here, and a case in tests/filter/commands.py.
 */
#include "commands/stat_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "commands/stat_callers.h"
#include "commands/stat_numbers.h"
#include "model/catalog.h"
#include "model/fields.h"
#include "model/filter.h"
#include "model/reach.h"
#include "model/selection.h"
#include "model/trace.h"
#include "model/trace_task.h"

void stat_table_fini(struct stat_table *b)
{
	for (size_t i = 0; i < b->rows.n; i++)
		free(b->rows.v[i].key);
	vec_fini(&b->rows);
	vec_fini(&b->keys);
}

/* The row of a key; a new row if there is none. */
static struct err *row_of(struct stat_table *b, const char *s, size_t n, uint32_t *ret)
{
	for (size_t i = 0; i < b->rows.n; i++)
		if (strlen(b->rows.v[i].key) == n && !memcmp(b->rows.v[i].key, s, n)) {
			*ret = (uint32_t)i;
			return NULL;
		}
	struct stat_row row = { .key = strndup(s, n), .first_seq = UINT64_MAX };
	if (!row.key || !vec_push(&b->rows, row)) {
		free(row.key);
		return err_no_memory();
	}
	*ret = (uint32_t)b->rows.n - 1;
	return NULL;
}

/* The event, its category, its theme, or whether it is documented. */
static const char *key_of_name(const char *by, const char *name, size_t *n)
{
	if (!strcmp(by, "category")) {
		*n = catalog_category_bytes(name, *n);
	} else if (!strcmp(by, "theme")) {
		name = catalog_theme_name(catalog_theme_of(name, *n));
		*n = strlen(name);
	} else if (!strcmp(by, "documented")) {
		const struct catalog_event *e = catalog_find(name, *n);
		name = e && e->documented ? "documented" : "not documented";
		*n = strlen(name);
	}
	return name;
}

static struct err *keys_by_name(struct stat_table *b, const char *by)
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

static struct err *keys_by_host(struct stat_table *b)
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
static void add_process(struct stat_table *b, struct strbuf *to, uint32_t process)
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

static struct err *keys_by_thread(struct stat_table *b, const char *by)
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
		struct stat_row row = { .key = strndup(strbuf_str(&text), text.n),
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

bool stat_table_can_count(const char *by)
{
	enum field_id field = field_find(by, strlen(by));
	return field != FIELD_COUNT &&
	       (fields[field].domain == DOMAIN_NAME || field == FIELD_PROCESS ||
		stat_numbers_are_of_process(field));
}

struct err *stat_table_add_counted(struct stat_table *b, const char *by, struct filter_run *filter,
				   const stat_counted_before *before)
{
	enum field_id field = field_find(by, strlen(by));
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
		} else if (stat_numbers_are_of_process(field)) {
			stat_numbers_of_process(b->t, field, c->process, &text);
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

/* What of a stack is the key. */
enum stack_key { BY_STACK, BY_CALLER, BY_PACKAGE, BY_TOP, BY_DEPTH };

/* The id or number that is the key of a stack. depths: those of the stacks below `id`. */
static uint32_t thing_of_stack(struct trace *t, enum stack_key by, uint32_t id,
			       const uint32_t *depths)
{
	uint32_t parent = 0, frame = 0;
	switch (by) {
	case BY_CALLER: return trace_caller(t, id);
	case BY_PACKAGE: return trace_stack_package(t, id);
	case BY_TOP: return trace_stack(t, id, &parent, &frame) ? frame : 0;
	case BY_DEPTH: return trace_stack(t, id, &parent, &frame) ? depths[parent] + 1 : 0;
	case BY_STACK: break;
	}
	return id;
}

/* There are many frames and stacks, so rows are by id first, and only those with events get a
 * text. */
static struct err *keys_by_stack(struct stat_table *b, enum stack_key by)
{
	uint32_t n = trace_n_stacks(b->t);
	VEC(uint32_t) row_of_thing = { 0 }, depths = { 0 };
	struct err *err = NULL;
	for (uint32_t id = 0; !err && id <= n; id++) {
		uint32_t row = UINT32_MAX, thing = thing_of_stack(b->t, by, id, depths.v);
		if (by == BY_DEPTH && !vec_push(&depths, thing))
			err = err_no_memory();
		while (!err && by != BY_STACK && row_of_thing.n <= thing)
			if (!vec_push(&row_of_thing, UINT32_MAX))
				err = err_no_memory();
		if (!err && by != BY_STACK)
			row = row_of_thing.v[thing];
		if (row == UINT32_MAX && !err) {
			struct stat_row r = { .first_seq = UINT64_MAX, .caller = thing };
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
	vec_fini(&depths);
	return err;
}

/* One row for each name of a task, and one for events without a task. */
static struct err *keys_by_task(struct stat_table *b)
{
	struct err *err = NULL;
	struct strbuf text = { 0 };
	if (!vec_reserve(&b->keys, group_column_end(b->t, GROUP_TASK)))
		return err_no_memory();
	while (b->keys.n < group_column_end(b->t, GROUP_TASK))
		b->keys.v[b->keys.n++] = UINT32_MAX;
	for (uint32_t i = 0; !err && i < trace_n_chunks(b->t); i++) {
		const struct chunk *c = trace_chunk(b->t, i);
		for (uint32_t row = 0; c && row < c->n; row++) {
			uint32_t id = group_id_at(c, GROUP_TASK, row);
			if (b->keys.v[id] != UINT32_MAX)
				continue;
			uint32_t name = trace_task_name(b->t, id);
			while (!err && b->rows.n <= name) {
				struct stat_row r = { .first_seq = UINT64_MAX };
				err = vec_push(&b->rows, r) ? NULL : err_no_memory();
			}
			if (err)
				break;
			b->keys.v[id] = name;
		}
		trace_trim(b->t);
	}
	for (size_t i = 0; !err && i < b->rows.n; i++) {
		size_t n;
		const char *name = trace_task_name_text(b->t, (uint32_t)i, &n);
		strbuf_clear(&text);
		strbuf_add(&text, i ? name : "(no task)", i ? n : 9);
		b->rows.v[i].key = strndup(strbuf_str(&text), text.n);
		err = b->rows.v[i].key ? NULL : err_no_memory();
	}
	strbuf_fini(&text);
	return err;
}

static struct err *count(struct stat_table *b)
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

/* Append "file:line function". */
static void add_code(struct trace *t, struct strbuf *to, const struct frame_info *f)
{
	size_t n;
	const char *file = trace_string(t, f->file, &n);
	strbuf_add(to, file, n);
	strbuf_addf(to, ":%u ", f->line);
	const char *function = trace_string(t, f->function, &n);
	strbuf_add(to, function, n);
}

static void add_caller_key(struct trace *t, struct strbuf *to, uint32_t frame)
{
	struct frame_info f;
	if (trace_frame(t, frame, &f))
		add_code(t, to, &f);
	else
		strbuf_adds(to, "(none: start-up or library code only)");
}

/* A native frame has the function and the module, as far as they are known. */
static void add_top_key(struct trace *t, struct strbuf *to, uint32_t frame)
{
	struct frame_info f;
	if (!trace_frame(t, frame, &f)) {
		strbuf_adds(to, "(no stack)");
		return;
	}
	if (f.kind == FRAME_PYTHON) {
		add_code(t, to, &f);
		return;
	}
	size_t n_function, n_module;
	const char *function = trace_string(t, f.function, &n_function),
		   *module = trace_string(t, f.module, &n_module);
	strbuf_add(to, function, n_function);
	strbuf_adds(to, n_function && n_module ? " in " : "");
	strbuf_add(to, module, n_module);
}

static void add_depth_key(struct trace *t, struct strbuf *to, uint32_t depth)
{
	strbuf_add_u64(to, depth);
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
static struct err *name_rows(struct stat_table *b, enum stack_key by)
{
	static void (*const add_key[])(struct trace * t, struct strbuf * to, uint32_t thing) = {
		[BY_STACK] = add_stack_key,     [BY_CALLER] = add_caller_key,
		[BY_PACKAGE] = add_package_key, [BY_TOP] = add_top_key,
		[BY_DEPTH] = add_depth_key,
	};
	struct strbuf text = { 0 };
	struct err *err = NULL;
	for (size_t i = 0; !err && i < b->rows.n; i++) {
		struct stat_row *r = &b->rows.v[i];
		uint32_t id = r->caller;
		r->caller = 0;
		if (!r->n)
			continue;
		strbuf_clear(&text);
		add_key[by](b->t, &text, id);
		r->key = strndup(strbuf_str(&text), text.n);
		if (!r->key)
			err = err_no_memory();
	}
	strbuf_fini(&text);
	return err;
}

/* Things that are counted, and who reached for them. */
struct reached {
	struct trace *t;
	struct stat_callers callers;
};

static void reached_by(void *ctx, uint32_t thing, uint32_t stack)
{
	struct reached *r = ctx;
	stat_callers_add(&r->callers, thing, trace_caller(r->t, stack));
}

/* REACH_KIND_COUNT: things of all kinds. */
static struct err *count_by_reach(struct stat_table *b, enum reach_kind kind)
{
	CLEANUP(reach) struct reach *reach = NULL;
	struct reached reached = { .t = b->t };
	struct err *err = reach_create(b->t, b->rows_in, reached_by, &reached, &reach);
	size_t n = 0;
	const struct reach_thing *things = err ? NULL : reach_things(reach, &n);
	uint32_t *row_of = calloc(n + 1, sizeof(*row_of));
	b->is_escaped = true;
	if (!err && !row_of)
		err = err_no_memory();
	for (size_t i = 0; !err && i < n; i++) {
		row_of[i] = UINT32_MAX;
		if (kind != REACH_KIND_COUNT && things[i].kind != kind)
			continue;
		struct stat_row row = { .key = strndup(things[i].text, things[i].n_text),
					.n = things[i].n_events,
					.first_seq = things[i].first_seq,
					.last_seq = things[i].last_seq };
		row_of[i] = (uint32_t)b->rows.n;
		if (!row.key || !vec_push(&b->rows, row)) {
			free(row.key);
			err = err_no_memory();
		}
	}
	if (!err)
		err = stat_callers_end(&reached.callers, b, row_of, n);
	stat_callers_fini(&reached.callers);
	free(row_of);
	return err;
}

static struct err *find_callers(struct stat_table *b)
{
	struct stat_callers callers = { 0 };
	for (uint32_t i = 0; i < trace_n_chunks(b->t); i++) {
		uint64_t first = (uint64_t)i << TRACE_CHUNK_SHIFT;
		if (!selection_has_any(b->rows_in, first, TRACE_CHUNK))
			continue;
		trace_trim(b->t);
		const struct chunk *c = trace_chunk(b->t, i);
		if (!c) {
			stat_callers_fini(&callers);
			return err_no_memory();
		}
		for (uint32_t row = 0; row < c->n; row++) {
			if (b->rows_in && !selection_has(b->rows_in, first + row))
				continue;
			uint32_t id = group_id_at(c, b->column, row);
			uint32_t key = id < b->keys.n ? b->keys.v[id] : UINT32_MAX;
			if (key != UINT32_MAX)
				stat_callers_add(&callers, key, trace_caller(b->t, c->stack[row]));
		}
	}
	return stat_callers_end(&callers, b, NULL, 0);
}

static struct err *fill_by_stack(struct stat_table *b, enum field_id field)
{
	enum stack_key key = field == FIELD_CALLER    ? BY_CALLER
			     : field == FIELD_PACKAGE ? BY_PACKAGE
			     : field == FIELD_TOP     ? BY_TOP
			     : field == FIELD_DEPTH   ? BY_DEPTH
						      : BY_STACK;
	b->column = GROUP_STACK;
	struct err *err = keys_by_stack(b, key);
	if (!err)
		err = count(b);
	return err ? err : name_rows(b, key);
}

/* A column other than that of stacks. */
static struct err *keys_by_column(struct stat_table *b, const char *by, enum field_id field)
{
	bool is_of_machine = field == FIELD_HOST || field == FIELD_COUNT;
	b->column = field == FIELD_TASK                                      ? GROUP_TASK
		    : is_of_machine || fields[field].domain == DOMAIN_THREAD ? GROUP_THREAD
									     : GROUP_NAME;
	return field == FIELD_TASK                 ? keys_by_task(b)
	       : is_of_machine                     ? keys_by_host(b)
	       : stat_numbers_are_of_thread(field) ? stat_numbers_by_thread(b, field)
	       : b->column == GROUP_THREAD         ? keys_by_thread(b, by)
						   : keys_by_name(b, by);
}

struct err *stat_table_fill(struct stat_table *b, const char *by, bool *ret_callers)
{
	static const struct {
		const char *by;
		enum reach_kind kind;
	} reaches[] = { { "file", REACH_FILE },     { "host", REACH_HOST },
			{ "peer", REACH_HOST },     { "command", REACH_COMMAND },
			{ "module", REACH_MODULE }, { "what", REACH_KIND_COUNT } };
	/* Of a capture of several machines, a host is one of these; else it is what is connected
	 * to. */
	if (!strcmp(by, "host") && trace_n_hosts(b->t))
		by = "machine";
	enum field_id field = field_find(by, strlen(by));
	*ret_callers = stat_table_has_callers(by) && !b->are_counted;
	for (size_t i = 0; i < ARRAY_LEN(reaches); i++)
		if (!strcmp(by, reaches[i].by))
			return count_by_reach(b, reaches[i].kind);
	if (field == FIELD_PORT)
		return stat_numbers_by_port(b);
	if (field != FIELD_COUNT && fields[field].domain == DOMAIN_STACK)
		return fill_by_stack(b, field);
	struct err *err = keys_by_column(b, by, field);
	if (!err)
		err = count(b);
	return err || !*ret_callers ? err : find_callers(b);
}

bool stat_table_has_callers(const char *by)
{
	enum field_id field = field_find(by, strlen(by));
	return strcmp(by, "import") != 0 &&
	       (field == FIELD_COUNT || fields[field].domain != DOMAIN_STACK);
}

/* ---- rows in order ---- */

static int by_count(const void *x, const void *y)
{
	const struct stat_row *a = x, *b = y;
	if (a->n != b->n)
		return a->n > b->n ? -1 : 1;
	if (a->first_seq != b->first_seq)
		return a->first_seq < b->first_seq ? -1 : 1;
	return strcmp(a->key ? a->key : "", b->key ? b->key : "");
}

/* The length of a key that is a number without a leading zero; else 0. */
static size_t n_digits(const char *key)
{
	size_t n = key ? strspn(key, "0123456789") : 0;
	return n && !key[n] && (key[0] != '0' || n == 1) ? n : 0;
}

/* Numbers by their value, then texts. */
static int by_key(const void *x, const void *y)
{
	const struct stat_row *a = x, *b = y;
	size_t n_a = n_digits(a->key), n_b = n_digits(b->key);
	if (!n_a != !n_b)
		return n_a ? -1 : 1;
	if (n_a != n_b)
		return n_a < n_b ? -1 : 1;
	int order = strcmp(a->key ? a->key : "", b->key ? b->key : "");
	return order ? order : by_count(x, y);
}

static int by_first(const void *x, const void *y)
{
	const struct stat_row *a = x, *b = y;
	return a->first_seq < b->first_seq ? -1 : a->first_seq > b->first_seq;
}

static int by_last(const void *x, const void *y)
{
	const struct stat_row *a = x, *b = y;
	return a->last_seq < b->last_seq ? -1 : a->last_seq > b->last_seq;
}

/* The order that --sort names: an index; ARRAY_LEN(orders) if it is none. NULL: by events. */
static const struct {
	const char *name;
	int (*compare)(const void *, const void *);
} orders[] = {
	{ "events", by_count }, { "key", by_key }, { "first", by_first }, { "last", by_last }
};

static size_t order_of(const char *sort)
{
	size_t k = 0;
	while (sort && k < ARRAY_LEN(orders) && strcmp(orders[k].name, sort) != 0)
		k++;
	return k;
}

struct err *stat_table_check_sort(const char *sort)
{
	if (order_of(sort) < ARRAY_LEN(orders))
		return NULL;
	return err_with_hint(err_create(ERR_USAGE, "cannot sort by '%s'", sort),
			     "say events, key, first or last");
}

/* Remove rows without events, merge rows with the same text, and sort as asked for. */
struct err *stat_table_arrange(struct stat_table *b, const char *sort)
{
	size_t n = 0;
	struct err *err = stat_table_check_sort(sort);
	if (err)
		return err;
	if (b->rows.n)
		qsort(b->rows.v, b->rows.n, sizeof(*b->rows.v), by_key);
	for (size_t i = 0; i < b->rows.n; i++) {
		struct stat_row *r = &b->rows.v[i], *before = n ? &b->rows.v[n - 1] : NULL;
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
	if (n)
		qsort(b->rows.v, n, sizeof(*b->rows.v), orders[order_of(sort)].compare);
	return NULL;
}
