/*
 * import_cost: see import_cost.h.
 */
#include "model/import_cost.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "base/monotonic.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "model/arguments.h"
#include "model/import_stack.h"
#include "model/selection.h"
#include "model/trace.h"

enum {
	ROWS_MAX = 1 << 17,      /* further modules count for those that imported them */
	OCCASIONS_MAX = 1 << 20, /* further ones have no filter */
	DEPTH_MAX = 200,         /* deeper ones count for the module at this depth */
	FILTER_PARTS_MAX = 16,   /* of a module that was imported more often, there is no filter */
	EVENTS_PER_LOOK = 512
};

const char *const import_order_names[IMPORT_ORDER_COUNT] = { "first", "self", "total", "events",
							     "key" };

struct open_import {
	uint32_t row, occasion;
	uint32_t anchor; /* stack node: see anchor_of() */
};

/* One import of a row: the events of a thread from first_seq to last_seq. */
struct occasion {
	uint32_t row, thread;
	uint64_t first_seq, last_seq, n_events;
};

struct importer { /* a thread */
	VEC(struct open_import) open;
	uint64_t last_ns;
	uint32_t ended_anchor; /* of the outermost import, if this event has ended it; else 0 */
	uint32_t charged;      /* row that the time since last_ns is charged to */
};

struct import_cost {
	struct trace *trace;
	VEC(struct import_row) rows;
	VEC(char *) names; /* [row] */
	VEC(struct occasion) occasions;
	VEC(struct importer) threads;
	struct hash_map by_name; /* → row + 1 */
	struct strbuf name;
	uint64_t at;
};

struct err *import_cost_create(struct trace *t, struct import_cost **ret)
{
	struct import_cost *c = calloc(1, sizeof(*c));
	if (!c)
		return err_no_memory();
	c->trace = t;
	*ret = c;
	return NULL;
}

void import_cost_destroy(struct import_cost *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->names.n; i++)
		free(c->names.v[i]);
	for (size_t i = 0; i < c->threads.n; i++)
		vec_fini(&c->threads.v[i].open);
	vec_fini(&c->names);
	vec_fini(&c->rows);
	vec_fini(&c->occasions);
	vec_fini(&c->threads);
	hash_map_fini(&c->by_name);
	strbuf_fini(&c->name);
	free(c);
}

/* ---- rows ---- */

struct wanted {
	const struct import_cost *c;
	uint32_t parent;
	bool is_shown;
};

static bool is_wanted(const void *ctx, uint32_t value)
{
	const struct wanted *w = ctx;
	const struct import_row *r = &w->c->rows.v[value - 1];
	return r->parent == w->parent && r->is_shown == w->is_shown &&
	       !strcmp(r->name, strbuf_str(&w->c->name));
}

/* The row of the module in c->name; a new one if there is none. */
static struct err *row_of(struct import_cost *c, uint32_t parent, bool is_shown, uint64_t seq,
			  uint32_t *ret)
{
	struct wanted w = { c, parent, is_shown };
	uint64_t key = hash_map_text_key(strbuf_str(&c->name), c->name.n) +
		       hash_map_key(parent, is_shown);
	if (c->rows.n == ROWS_MAX) {
		*ret = parent;
		return NULL;
	}
	uint32_t *at = hash_map_place_same(&c->by_name, key, is_wanted, &w);
	if (!at)
		return err_no_memory();
	if (!*at) {
		char *name = strdup(strbuf_str(&c->name));
		struct import_row r = {
			.name = name, .parent = parent, .is_shown = is_shown, .first_seq = seq
		};
		r.depth = parent == IMPORT_COST_NO_ROW ? 0 : c->rows.v[parent].depth + 1;
		if (!name || !vec_reserve(&c->rows, 1) || !vec_push(&c->names, name)) {
			free(name);
			return err_no_memory();
		}
		c->rows.v[c->rows.n++] = r;
		*at = (uint32_t)c->rows.n;
	}
	*ret = *at - 1;
	return NULL;
}

static void charge(struct import_cost *c, uint32_t row, uint64_t ns)
{
	c->rows.v[row].self_ns += ns;
	for (uint32_t r = row; r != IMPORT_COST_NO_ROW; r = c->rows.v[r].parent)
		c->rows.v[r].total_ns += ns;
}

static void count_event(struct import_cost *c, struct importer *i, uint64_t seq)
{
	uint32_t row = i->open.v[i->open.n - 1].row;
	if (row == IMPORT_COST_NO_ROW)
		return;
	c->rows.v[row].n_self_events++;
	for (uint32_t r = row; r != IMPORT_COST_NO_ROW; r = c->rows.v[r].parent)
		c->rows.v[r].n_events++;
	for (size_t k = 0; k < i->open.n; k++) {
		if (i->open.v[k].occasion >= c->occasions.n)
			continue;
		struct occasion *o = &c->occasions.v[i->open.v[k].occasion];
		o->last_seq = seq;
		o->n_events++;
	}
}

/* ---- events ---- */

/* Read the name of the module into c->name, escaped. *ret_file: the event is the one of an
 * extension module, which has its file as second argument (CPython v3.8.0 … v3.14.0
 * Python/importdl.c, _PyImport_LoadDynamicModuleWithSpec). */
static void name_read(struct import_cost *c, uint32_t name, uint32_t args, bool *ret_file)
{
	struct arguments a;
	struct argument arg;
	*ret_file = false;
	strbuf_clear(&c->name);
	arguments_init_value(&a, c->trace, name, 0, args);
	for (int i = 0; args && i < 2 && arguments_next(&a, &arg); i++) {
		bool is_text = arg.value.tag == VALUE_STR || arg.value.tag == VALUE_STR_CUT;
		if (is_text && i == 0)
			utf8_escape(&c->name, (const char *)arg.value.bytes, arg.value.n_bytes, 0);
		*ret_file |= is_text && i == 1;
		arguments_skip(&a, &arg);
	}
	if (!c->name.n)
		strbuf_addc(&c->name, '?');
}

/* The import system opens the file of the module that it loads. It tries the .pyc before the
 * .py. */
static void file_read(struct import_cost *c, struct import_row *r, uint32_t name, uint32_t args,
		      uint32_t stack)
{
	static const char *const endings[] = { ".pyc", ".py" };
	struct arguments a;
	struct argument arg;
	uint32_t parent, frame;
	if (!args || !trace_stack(c->trace, stack, &parent, &frame) ||
	    trace_frame_origin(c->trace, frame) != FRAME_ORIGIN_IMPORT)
		return;
	arguments_init_value(&a, c->trace, name, 0, args);
	if (!arguments_next(&a, &arg) || arg.value.tag != VALUE_STR)
		return;
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		size_t n = strlen(endings[i]);
		if (arg.value.n_bytes > n &&
		    !memcmp(arg.value.bytes + arg.value.n_bytes - n, endings[i], n) &&
		    (!r->from || strcmp(r->from, "extension") != 0))
			r->from = endings[i];
	}
}

static bool is_function(struct trace *t, uint32_t frame, const char *name)
{
	struct frame_info f;
	size_t n;
	if (!trace_frame(t, frame, &f))
		return false;
	const char *function = trace_string(t, f.function, &n);
	return n == strlen(name) && !memcmp(function, name, n);
}

/* The stack node that calls the import system, from the stack of the import event: the stack
 * itself, and in 3.15, where the import system raises the event, what calls it (v3.15.0
 * Lib/importlib/_bootstrap.py, _find_and_load). Usually it is an import statement. For the parent
 * packages of a.b.c, and for b of "from a import b", it is a function of the import system. 0: no
 * Python code runs yet, or there are no stacks. */
static uint32_t anchor_of(struct trace *t, uint32_t stack)
{
	uint32_t parent, frame;
	bool is_inside = trace_stack(t, stack, &parent, &frame) &&
			 trace_frame_origin(t, frame) == FRAME_ORIGIN_IMPORT &&
			 is_function(t, frame, "_find_and_load");
	return is_inside ? parent : stack;
}

/* Has `anchor` called the import system, and does `stack` come from that call? "from a import b"
 * looks for b when the import of a has ended. */
static bool is_in_progress(struct trace *t, uint32_t stack, uint32_t anchor)
{
	uint32_t parent, frame, above = 0;
	while (stack > anchor && trace_stack(t, stack, &parent, &frame)) {
		above = frame;
		stack = parent; /* always smaller */
	}
	return stack == anchor && above && trace_frame_origin(t, above) == FRAME_ORIGIN_IMPORT &&
	       !is_function(t, above, "_handle_fromlist");
}

/* Is the later of two import statements in the code of the first? */
static bool is_same_code(struct trace *t, uint32_t a, uint32_t b)
{
	uint32_t parent_a, parent_b, frame_a, frame_b;
	struct frame_info x, y;
	a = import_stack_statement(t, a);
	b = import_stack_statement(t, b);
	return trace_stack(t, a, &parent_a, &frame_a) && trace_stack(t, b, &parent_b, &frame_b) &&
	       parent_a == parent_b && trace_frame(t, frame_a, &x) && trace_frame(t, frame_b, &y) &&
	       x.file == y.file && x.function == y.function;
}

/* Remove what is no longer in progress, by the stack of the next event, of an import its
 * anchor. is_first: it is an import that
 * C code asked for. The interpreter imports encodings and site that way, before any Python code. */
static void close_ended(struct import_cost *c, struct importer *i, uint32_t stack, bool is_first)
{
	i->ended_anchor = 0;
	while (i->open.n) {
		uint32_t top = i->open.v[i->open.n - 1].anchor;
		if (!is_first && is_in_progress(c->trace, stack, top))
			return;
		if (!--i->open.n)
			i->ended_anchor = top;
	}
}

static bool is_ticked(const struct import_cost *c, uint32_t thread)
{
	const struct thread_info *info = trace_thread(c->trace, thread);
	return info && trace_is_ticked(c->trace, info->process);
}

static struct err *open_one(struct import_cost *c, struct importer *i, uint32_t thread,
			    uint32_t anchor, uint64_t seq, bool is_shown)
{
	uint32_t parent = i->open.n ? i->open.v[i->open.n - 1].row : IMPORT_COST_NO_ROW;
	uint32_t row = parent;
	if (i->open.n >= DEPTH_MAX)
		return NULL;
	struct err *err = row_of(c, parent, is_shown, seq, &row);
	if (err)
		return err;
	struct open_import o = { row, (uint32_t)c->occasions.n, anchor };
	struct occasion fresh = { row, thread, seq, seq, 0 };
	if (row != IMPORT_COST_NO_ROW && row != parent) {
		c->rows.v[row].n_imports++;
		c->rows.v[row].is_ticked |= is_ticked(c, thread);
	}
	if (c->occasions.n == OCCASIONS_MAX)
		o.occasion = UINT32_MAX;
	else if (!vec_push(&c->occasions, fresh))
		return err_no_memory();
	return vec_push(&i->open, o) ? NULL : err_no_memory();
}

static struct err *event_add(struct import_cost *c, const struct chunk *k, uint32_t row,
			     uint32_t import_name, uint32_t open_name, bool is_shown)
{
	uint32_t thread = k->threads[k->thread[row]], name = k->names[k->name[row]];
	uint32_t stack = k->stack[row], args = k->args[row];
	uint64_t time_ns = k->time_ns[row];
	struct err *err = NULL;
	while (c->threads.n <= thread) {
		struct importer fresh = { .charged = IMPORT_COST_NO_ROW };
		if (!vec_push(&c->threads, fresh))
			return err_no_memory();
	}
	struct importer *i = &c->threads.v[thread];
	uint64_t gap = time_ns > i->last_ns ? time_ns - i->last_ns : 0;
	uint32_t charged = i->charged;
	bool is_import = import_name && name == import_name, has_file = false;
	uint32_t anchor = is_import ? anchor_of(c->trace, stack) : 0;
	if (is_import)
		name_read(c, name, args, &has_file);
	bool is_second = has_file && i->open.n && charged != IMPORT_COST_NO_ROW &&
			 !strcmp(c->rows.v[charged].name, strbuf_str(&c->name));
	if (!is_second)
		close_ended(c, i, is_import ? anchor : stack, is_import && !anchor);
	if (charged != IMPORT_COST_NO_ROW &&
	    (i->open.n || (is_import && is_same_code(c->trace, i->ended_anchor, anchor))))
		charge(c, charged, gap);
	if (is_import && !is_second)
		err = open_one(c, i, thread, anchor, k->first_seq + row, is_shown);
	i->last_ns = time_ns;
	i->charged = i->open.n ? i->open.v[i->open.n - 1].row : IMPORT_COST_NO_ROW;
	if (err || i->charged == IMPORT_COST_NO_ROW)
		return err;
	count_event(c, i, k->first_seq + row);
	if (is_import && has_file)
		c->rows.v[i->charged].from = "extension";
	else if (open_name && name == open_name)
		file_read(c, &c->rows.v[i->charged], name, args, stack);
	return NULL;
}

struct err *import_cost_step(struct import_cost *c, const struct selection *rows, uint64_t end,
			     uint64_t budget_ns)
{
	uint64_t begin_ns = monotonic_ns(), n = 0;
	uint32_t import_name = trace_name_find(c->trace, "import", 6),
		 open_name = trace_name_find(c->trace, "open", 4);
	if (end > trace_n_events(c->trace))
		end = trace_n_events(c->trace);
	while (c->at < end) {
		uint64_t first = c->at & ~(uint64_t)(TRACE_CHUNK - 1);
		trace_trim(c->trace);
		const struct chunk *k = trace_chunk(c->trace,
						    (uint32_t)(first >> TRACE_CHUNK_SHIFT));
		if (!k)
			return err_no_memory();
		for (; c->at < end && c->at - first < k->n; c->at++) {
			if (++n % EVENTS_PER_LOOK == 0 && budget_ns != UINT64_MAX &&
			    monotonic_ns() - begin_ns >= budget_ns)
				return NULL;
			bool is_shown = !rows || selection_has(rows, c->at);
			struct err *err = event_add(c, k, (uint32_t)(c->at - first), import_name,
						    open_name, is_shown);
			if (err)
				return err;
		}
		if (c->at < end && c->at - first >= k->n && k->n < TRACE_CHUNK)
			break; /* a chunk shorter than the index says */
	}
	return NULL;
}

void import_cost_add_ms(struct strbuf *to, uint64_t ns, bool is_ticked, int decimals)
{
	enum { NS_OF_MS = 1000000 };
	if (!is_ticked)
		strbuf_addf(to, "%.*f", ns < 1000000000000u ? decimals : 0, (double)ns / 1e6);
	else if (ns < PROCESS_TICK_NS)
		strbuf_addf(to, "<%d", PROCESS_TICK_NS / NS_OF_MS);
	else
		strbuf_add_u64(to, trace_tick_round(ns) / NS_OF_MS);
}

uint64_t import_cost_n_counted(const struct import_cost *c)
{
	return c->at;
}

const struct import_row *import_cost_rows(const struct import_cost *c, uint32_t *ret_n)
{
	*ret_n = (uint32_t)c->rows.n;
	return c->rows.v;
}

bool import_cost_filter(const struct import_cost *c, uint32_t row, struct strbuf *to)
{
	unsigned n = 0;
	size_t start = to->n;
	for (size_t k = 0; k < c->occasions.n; k++) {
		const struct occasion *o = &c->occasions.v[k];
		if (o->row != row)
			continue;
		const struct thread_info *thread = trace_thread(c->trace, o->thread);
		const struct process_info *p = thread ? trace_process(c->trace, thread->process)
						      : NULL;
		if (++n > FILTER_PARTS_MAX || !p) {
			strbuf_cut(to, start);
			return false;
		}
		strbuf_addf(to, "%sseq >= %llu and seq <= %llu", n > 1 ? " or " : "",
			    (unsigned long long)o->first_seq, (unsigned long long)o->last_seq);
		/* another thread or process has raised events meanwhile */
		if (o->last_seq - o->first_seq + 1 != o->n_events)
			strbuf_addf(to, " and tid == %llu and pid == %u",
				    (unsigned long long)thread->tid, p->pid);
	}
	return n != 0;
}

/* ---- order ---- */

struct sorting {
	const struct import_row *rows;
	enum import_order by;
};

static int compare(const void *x, const void *y, void *ctx)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
	const struct sorting *s = ctx;
	const struct import_row *p = &s->rows[a], *q = &s->rows[b];
	uint64_t m = 0, n = 0;
	int names = s->by == IMPORT_BY_NAME ? strcmp(p->name, q->name) : 0;
	if (s->by == IMPORT_BY_SELF)
		m = p->self_ns, n = q->self_ns;
	else if (s->by == IMPORT_BY_TOTAL)
		m = p->total_ns, n = q->total_ns;
	else if (s->by == IMPORT_BY_EVENTS)
		m = p->n_events, n = q->n_events;
	return m != n ? (m > n ? -1 : 1) : names ? names : a < b ? -1 : a > b;
}

/* The rows in the order of a walk through the tree, children as they were imported. A row has a
 * smaller index than its children, so each list of children can be made by going backwards. */
static uint32_t walk(const struct import_cost *c, uint32_t *order)
{
	uint32_t n = (uint32_t)c->rows.n, n_order = 0, none = IMPORT_COST_NO_ROW;
	uint32_t *first = malloc((n + 1) * sizeof(*first)), *next = malloc((n + 1) * sizeof(*next));
	for (uint32_t i = 0; first && next && i <= n; i++)
		first[i] = next[i] = none;
	for (uint32_t i = n; first && next && i-- > 0;) {
		uint32_t parent = c->rows.v[i].parent == none ? n : c->rows.v[i].parent;
		next[i] = first[parent];
		first[parent] = i;
	}
	for (uint32_t i = first && next ? first[n] : none; i != none;) {
		if (c->rows.v[i].is_shown)
			order[n_order++] = i;
		if (first[i] != none) {
			i = first[i];
			continue;
		}
		while (i != none && next[i] == none)
			i = c->rows.v[i].parent;
		i = i == none ? none : next[i];
	}
	free(first);
	free(next);
	return n_order;
}

uint32_t import_cost_sort(const struct import_cost *c, enum import_order by, uint32_t *order)
{
	uint32_t n = 0;
	struct sorting s = { c->rows.v, by };
	if (by == IMPORT_BY_TREE)
		return walk(c, order);
	for (uint32_t i = 0; i < c->rows.n; i++)
		if (c->rows.v[i].is_shown)
			order[n++] = i;
	if (n)
		qsort_r(order, n, sizeof(*order), compare, &s);
	return n;
}
