/*
 * filter_run: runs a filter on a capture.
 *
 * Chunk by chunk (TRACE_CHUNK events), the tree is evaluated on bitmaps of 256 words. A node gets
 * the rows that still matter (`mask`) and decides only these, so that the expensive side of an
 * "and" sees only the rows that the cheap side left. Before a chunk is read its summary is used:
 * what its names, threads and times alone decide costs nothing. Arguments and stacks are looked up
 * in tables of verdicts by id; ids are used in order, so a chunk adds at most a range of new ones,
 * and the first hits are known after the first chunk.
 */
#include <stdlib.h>
#include <string.h>

#include "base/monotonic.h"
#include "model/arguments.h"
#include "model/chunk_bits.h"
#include "model/filter_cache.h"
#include "model/filter_prescan.h"
#include "model/filter_value.h"
#include "model/selection.h"
#include "model/trace.h"

struct filter_run {
	struct trace *trace;
	const struct filter *filter;
	struct filter_cache *cache;
	bool owns_cache;
	VEC(struct memo *) memos; /* [term] */
	VEC(int16_t) minors;      /* [thread] N of Python 3.N */
	bool one_minor;           /* all threads have the same */
	unsigned n_callers_found; /* trace_callers_found() of the rows that are decided */
	VEC(uint64_t) who;        /* [thread] a number for what its verdicts depend on */
	int64_t wall_anchor_ns;
	struct selection *rows;
	uint64_t n_rows;
	uint64_t limit_hits_before; /* of the memos when the run was created */
	unsigned n_restarts;
	uint64_t until_ns; /* deadline of this step; UINT64_MAX none */
	bool is_late;      /* the deadline passed in the middle of a chunk */
};

struct work {
	struct filter_run *run;
	const struct chunk *chunk;
	uint32_t args_end, stack_end; /* all ids of this chunk and earlier ones are smaller */
	struct err *err;
};

/*
 * A chunk full of new values may take long with a regular expression. Then it is left unfinished
 * and started again in the next step: the verdicts are kept, so each step gets further. Checked
 * only after verdicts were added.
 */
static bool is_late(struct filter_run *r)
{
	if (!r->is_late && r->until_ns != UINT64_MAX)
		r->is_late = monotonic_ns() >= r->until_ns;
	return r->is_late;
}

struct err *filter_run_create(struct trace *t, const struct filter *f, struct filter_cache *cache,
			      struct filter_run **ret)
{
	CLEANUP(filter_run) struct filter_run *r = calloc(1, sizeof(*r));
	struct err *err = r ? NULL : err_no_memory();
	if (err)
		return err;
	r->trace = t;
	r->filter = f;
	r->cache = cache;
	r->wall_anchor_ns = (int64_t)trace_about_get(t)->wall_anchor_ns;
	if (!cache) {
		if ((err = filter_cache_create(t, &r->cache)))
			return err;
		r->owns_cache = true;
	}
	for (size_t i = 0; i < f->terms.n; i++) {
		struct memo *m;
		if ((err = filter_cache_memo(r->cache, &f->terms.v[i], &m)))
			return err;
		if (!vec_push(&r->memos, m)) {
			filter_cache_release(r->cache, m);
			return err_no_memory();
		}
		r->limit_hits_before += m->n_limit_hits;
	}
	if ((err = selection_create(0, false, &r->rows)))
		return err;
	*ret = take_ptr(r);
	return NULL;
}

void filter_run_destroy(struct filter_run *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->memos.n; i++)
		filter_cache_release(r->cache, r->memos.v[i]);
	vec_fini(&r->memos);
	vec_fini(&r->minors);
	vec_fini(&r->who);
	selection_destroy(r->rows);
	if (r->owns_cache)
		filter_cache_destroy(r->cache);
	free(r);
}

static bool note_minors(struct filter_run *r)
{
	uint32_t n = trace_n_threads(r->trace);
	while (r->minors.n < n) {
		const struct thread_info *t = trace_thread(r->trace, (uint32_t)r->minors.n);
		int16_t minor = (int16_t)(t ? arguments_minor(r->trace, t->process) : 0);
		if (!r->minors.n)
			r->one_minor = true;
		else if (minor != r->minors.v[0])
			r->one_minor = false;
		if (!vec_push(&r->minors, minor))
			return false;
	}
	return true;
}

static uint64_t who_is(struct trace *t, uint32_t thread)
{
	const struct thread_info *info = trace_thread(t, thread);
	const struct process_info *p = info ? trace_process(t, info->process) : NULL;
	if (!p)
		return 0;
	uint64_t parts[] = { info->name, info->tid, info->interpreter, p->pid,
			     p->ppid,    p->name,   p->python,         p->python_hex },
		 h = 1;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		h = (h ^ parts[i]) * 0x9e3779b97f4a7c15u, h ^= h >> 29;
	return h;
}

/* Names of threads and processes are sometimes learnt late in a growing capture. Then rows that
 * depend on them are decided again. */
static bool note_who(struct filter_run *r)
{
	bool asks = false, changed = false;
	for (size_t i = 0; i < r->filter->terms.n; i++)
		asks |= fields[r->filter->terms.v[i].field].domain == DOMAIN_THREAD;
	for (uint32_t i = 0; asks && i < trace_n_threads(r->trace); i++) {
		uint64_t who = who_is(r->trace, i);
		if (i >= r->who.n) {
			if (!vec_push(&r->who, who))
				return false;
		} else if (r->who.v[i] != who) {
			r->who.v[i] = who;
			changed = true;
		}
	}
	for (size_t i = 0; changed && i < r->memos.n; i++)
		r->memos.v[i]->threads.n = 0;
	if (changed && r->n_rows) {
		r->n_rows = 0;
		r->n_restarts++;
	}
	return true;
}

/* Rows that depend on the caller are decided again if the caller may be another frame now. */
static void note_callers(struct filter_run *r)
{
	unsigned n = trace_callers_found(r->trace);
	bool asks = false;
	if (r->cache->n_callers_found != n)
		for (size_t i = 0; i < r->cache->memos.n; i++)
			r->cache->memos.v[i]->stacks.n = 0;
	r->cache->n_callers_found = n;
	for (size_t i = 0; i < r->filter->terms.n; i++)
		asks |= r->filter->terms.v[i].field == FIELD_CALLER;
	if (asks && r->n_rows && r->n_callers_found != n) {
		r->n_rows = 0;
		r->n_restarts++;
	}
	r->n_callers_found = n;
}

/* ---- what a summary alone decides ---- */

enum share { SHARE_NONE, SHARE_SOME, SHARE_ALL };

static enum share share_of_ids(struct filter_run *r, uint32_t i_term, const uint32_t *ids,
			       uint32_t n, bool are_names)
{
	const struct filter_term *t = &r->filter->terms.v[i_term];
	bool any = false, all = true;
	for (uint32_t i = 0; i < n; i++) {
		enum verdict v = are_names
				     ? filter_value_of_name(r->cache, t, r->memos.v[i_term], ids[i])
				     : filter_value_of_thread(r->cache, t, r->memos.v[i_term],
							      ids[i]);
		bool fits = v == term_wants(t);
		any |= fits;
		all &= fits;
	}
	return !any ? SHARE_NONE : all ? SHARE_ALL : SHARE_SOME;
}

/* For a range of numbers: decided if both ends agree and the term cannot change in between. */
static enum share share_of_range(const struct filter_run *r, const struct filter_term *t,
				 uint64_t lo, uint64_t hi)
{
	if (t->op != OP_LT && t->op != OP_LE && t->op != OP_GT && t->op != OP_GE)
		return t->op == OP_EXISTS ? SHARE_ALL : SHARE_SOME;
	bool at_lo = filter_value_of_number(t, (int64_t)lo, r->wall_anchor_ns) == VERDICT_YES;
	bool at_hi = filter_value_of_number(t, (int64_t)hi, r->wall_anchor_ns) == VERDICT_YES;
	return at_lo != at_hi ? SHARE_SOME : at_lo ? SHARE_ALL : SHARE_NONE;
}

static enum share share_of(struct filter_run *r, uint32_t i_node, const struct chunk_summary *s)
{
	const struct filter_node *n = &r->filter->nodes.v[i_node];
	enum share a, b;
	switch (n->kind) {
	case NODE_ALL: return SHARE_ALL;
	case NODE_NOT:
		a = share_of(r, n->a, s);
		return a == SHARE_NONE ? SHARE_ALL : a == SHARE_ALL ? SHARE_NONE : SHARE_SOME;
	case NODE_AND:
		a = share_of(r, n->a, s);
		b = a == SHARE_NONE ? SHARE_NONE : share_of(r, n->b, s);
		return a < b ? a : b;
	case NODE_OR:
		a = share_of(r, n->a, s);
		b = a == SHARE_ALL ? SHARE_ALL : share_of(r, n->b, s);
		return a > b ? a : b;
	case NODE_TERM: break;
	}
	const struct filter_term *t = &r->filter->terms.v[n->term];
	switch (fields[t->field].domain) {
	case DOMAIN_NAME: return share_of_ids(r, n->term, s->names, s->n_names, true);
	case DOMAIN_THREAD: return share_of_ids(r, n->term, s->threads, s->n_threads, false);
	case DOMAIN_EVENT:
		if (t->field == FIELD_SEQ)
			return share_of_range(r, t, s->first_seq, s->first_seq + s->n - 1);
		return t->field == FIELD_TIME ? share_of_range(r, t, s->min_ns, s->max_ns)
					      : SHARE_SOME;
	case DOMAIN_ARGS:
		for (uint32_t i = 0; gathered_is(t->field) && i < s->n_names; i++)
			if (filter_value_of_name(r->cache, t, r->memos.v[n->term], s->names[i]) ==
			    VERDICT_YES)
				return SHARE_SOME;
		if (gathered_is(t->field))
			return SHARE_NONE;
		for (uint32_t i = 0; t->event && i < s->n_names; i++) {
			size_t n_name;
			const char *name = trace_name(r->trace, s->names[i], &n_name);
			if (n_name == t->n_event && !memcmp(name, t->event, n_name))
				return SHARE_SOME;
		}
		return t->event ? SHARE_NONE : SHARE_SOME;
	case DOMAIN_STACK:
	case DOMAIN_COUNT: break;
	}
	return SHARE_SOME;
}

/* ---- terms on a chunk ---- */

static void eval_small(struct work *w, uint32_t i_term, bool are_names, const chunk_bits mask,
		       chunk_bits out)
{
	struct filter_run *r = w->run;
	const struct filter_term *t = &r->filter->terms.v[i_term];
	const struct chunk *c = w->chunk;
	uint32_t n = are_names ? c->n_names : c->n_threads, n_hits = 0;
	uint8_t small[256], *table = n <= sizeof(small) ? small : malloc(n);
	if (!table) {
		w->err = err_no_memory();
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		enum verdict v = are_names ? filter_value_of_name(r->cache, t, r->memos.v[i_term],
								  c->names[i])
					   : filter_value_of_thread(r->cache, t, r->memos.v[i_term],
								    c->threads[i]);
		table[i] = v == term_wants(t);
		n_hits += table[i];
	}
	if (!n_hits)
		memset(out, 0, sizeof(chunk_bits));
	else if (n_hits == n)
		memcpy(out, mask, sizeof(chunk_bits));
	else
		chunk_bits_gather16(table, are_names ? c->name : c->thread, c->n, mask, out);
	if (table != small)
		free(table);
}

static void eval_event(struct work *w, uint32_t i_term, const chunk_bits mask, chunk_bits out)
{
	const struct filter_term *t = &w->run->filter->terms.v[i_term];
	const struct chunk *c = w->chunk;
	enum verdict want = term_wants(t);
	memset(out, 0, sizeof(chunk_bits));
	for (size_t word = 0; word < CHUNK_WORDS; word++)
		for (uint64_t rest = mask[word]; rest; rest &= rest - 1) {
			unsigned i = (unsigned)__builtin_ctzll(rest);
			size_t row = word * 64 + i;
			bool cut = c->flags[row] &
				   (EVENT_STACK_CUT | EVENT_ARGS_CUT | EVENT_NATIVE_CUT);
			int64_t value = t->field == FIELD_SEQ    ? (int64_t)(c->first_seq + row)
					: t->field == FIELD_TIME ? (int64_t)c->time_ns[row]
								 : cut;
			enum verdict v = t->field == FIELD_TASK
					     ? filter_value_of_task(w->run->cache, t,
								    w->run->memos.v[i_term],
								    c->task ? c->task[row] : 0)
					 : t->field == FIELD_DESCRIPTOR
					     ? filter_value_of_descriptors(w->run->cache, t,
									   w->run->memos.v[i_term],
									   c->descriptors[row])
					 : t->field == FIELD_CUT && t->op == OP_EXISTS
					     ? cut ? VERDICT_YES : VERDICT_NO
					     : filter_value_of_number(t, value,
								      w->run->wall_anchor_ns);
			out[word] |= (uint64_t)(v == want) << i;
		}
}

/* Compute the verdicts of all stacks below `end`. */
static struct err *know_stacks(struct filter_run *r, uint32_t i_term, uint32_t end)
{
	const struct filter_term *t = &r->filter->terms.v[i_term];
	struct memo *m = r->memos.v[i_term];
	size_t done = m->stacks.n;
	if (done >= end)
		return NULL;
	if (!filter_cache_verdicts_extend(&m->stacks, end))
		return err_no_memory();
	if (!done) {
		m->stacks.v[0] = (uint8_t)(t->field == FIELD_DEPTH ? filter_value_of_number(t, 0, 0)
								   : VERDICT_ABSENT);
		done = 1;
	}
	uint8_t *v = m->stacks.v;
	depth_vec *depths = &r->cache->depths;
	if (!depths->n && !vec_push(depths, 0))
		return err_no_memory();
	while (done < end) {
		const struct stack_page *page = trace_stack_page(r->trace, (uint32_t)done);
		if (!page) {
			m->stacks.n = done; /* the rest is computed later */
			return err_no_memory();
		}
		uint32_t stop = page->first + page->n < end ? page->first + page->n : end;
		for (uint32_t id = (uint32_t)done; id < stop; id++) {
			uint32_t parent = page->parents[id - page->first],
				 frame = page->frames[id - page->first];
			/* the best verdict of its frames: yes over no over absent */
			if (t->field == FIELD_STACK) {
				uint8_t own = (uint8_t)filter_value_of_frame(r->cache, t, m, frame);
				v[id] = own > v[parent] ? own : v[parent];
			} else if (t->field == FIELD_TOP) {
				v[id] = (uint8_t)filter_value_of_frame(r->cache, t, m, frame);
			} else if (t->field == FIELD_CALLER) {
				uint32_t caller = trace_caller(r->trace, id);
				v[id] = caller
					    ? (uint8_t)filter_value_of_frame(r->cache, t, m, caller)
					    : VERDICT_ABSENT;
			} else if (t->field == FIELD_PACKAGE) {
				v[id] = (uint8_t)filter_value_of_package(
				    r->cache, t, m, trace_stack_package(r->trace, id));
			} else { /* FIELD_DEPTH */
				uint32_t depth = parent < depths->n ? depths->v[parent] + 1u : 1;
				if (id >= depths->n && !vec_push(depths, depth))
					return err_no_memory();
				v[id] = (uint8_t)filter_value_of_number(t, depth, 0);
			}
		}
		done = stop;
		if (done < end && is_late(r)) {
			m->stacks.n = done;
			return NULL;
		}
	}
	return NULL;
}

static void eval_stack(struct work *w, uint32_t i_term, const chunk_bits mask, chunk_bits out)
{
	struct filter_run *r = w->run;
	w->err = know_stacks(r, i_term, w->stack_end);
	if (w->err || r->is_late)
		return;
	chunk_bits_gather32(r->memos.v[i_term]->stacks.v, w->chunk->stack, w->chunk->n,
			    (uint8_t)term_wants(&r->filter->terms.v[i_term]), mask, out);
}

/* The argument's position for each name of the chunk; INT32_MIN: the term does not test this
 * event. */
static bool positions_of(struct filter_run *r, const struct filter_term *t, const struct chunk *c,
			 int minor, int32_t *to)
{
	for (uint32_t i = 0; i < c->n_names; i++) {
		size_t n;
		const char *name = trace_name(r->trace, c->names[i], &n);
		bool is_about = !t->event || (n == t->n_event && !memcmp(name, t->event, n));
		to[i] = is_about ? filter_value_position(r->cache, t, c->names[i], minor)
				 : INT32_MIN;
	}
	return true;
}

/* Arguments whose verdicts are computed on demand: one term, one position at a time. */
static void eval_args_at(struct work *w, uint32_t i_term, int position, const chunk_bits mask,
			 chunk_bits out)
{
	struct filter_run *r = w->run;
	const struct filter_term *t = &r->filter->terms.v[i_term];
	struct memo *m = r->memos.v[i_term];
	const struct chunk *c = w->chunk;
	enum verdict want = term_wants(t);
	if (position == POSITION_KEY && !filter_cache_has_dict(r->cache, w->args_end))
		return; /* no event has such an argument */
	if (filter_value_is_address(t)) {
		for (size_t word = 0; word < CHUNK_WORDS; word++)
			for (uint64_t rest = mask[word]; rest; rest &= rest - 1) {
				unsigned i = (unsigned)__builtin_ctzll(rest);
				size_t row = word * 64 + i;
				enum verdict v = filter_value_of_event_args(
				    r->cache, t, m, position, c->first_seq + row, c->args[row]);
				out[word] |= (uint64_t)(v == want) << i;
			}
		return;
	}
	struct value_table *table = filter_cache_value_table(m, position);
	if (!table ||
	    !filter_cache_verdicts_extend(&table->tuples, w->args_end ? w->args_end : 1)) {
		w->err = err_no_memory();
		return;
	}
	if (position == POSITION_ANY && (w->err = filter_prescan(r->cache, t, table, w->args_end)))
		return;
	table->tuples.v[0] = VERDICT_ABSENT;
	chunk_bits unknown;
	unsigned n_new = 0;
	if (!chunk_bits_gather_known(table->tuples.v, c->args, c->n, (uint8_t)want, mask, out,
				     unknown))
		return;
	for (size_t word = 0; word < CHUNK_WORDS; word++)
		for (uint64_t rest = unknown[word]; rest; rest &= rest - 1) {
			unsigned i = (unsigned)__builtin_ctzll(rest);
			uint32_t args = c->args[word * 64 + i];
			enum verdict v = (enum verdict)table->tuples.v[args];
			if (!v) {
				if (n_new++ % 64 == 63 && is_late(r))
					return;
				v = filter_value_of_args(r->cache, t, m, table, args);
			}
			out[word] |= (uint64_t)(v == want) << i;
		}
}

static void eval_args(struct work *w, uint32_t i_term, const chunk_bits mask, chunk_bits out)
{
	struct filter_run *r = w->run;
	const struct filter_term *t = &r->filter->terms.v[i_term];
	const struct chunk *c = w->chunk;
	memset(out, 0, sizeof(chunk_bits));
	if (t->select != ARG_NAME && !t->event) {
		eval_args_at(w, i_term, filter_value_position(r->cache, t, 0, 0), mask, out);
		return;
	}
	int32_t *positions = malloc(sizeof(int32_t) * (c->n_names ? c->n_names : 1));
	uint8_t *table = malloc(c->n_names ? c->n_names : 1);
	if (!positions || !table) {
		w->err = err_no_memory();
		goto out;
	}
	/* Usually there is one version of Python; if there are several, each handles the rows of
	 * its own threads. */
	int16_t done[64];
	size_t n_done = 0;
	for (uint32_t i = 0; i < c->n_threads && !w->err && !r->is_late; i++) {
		int16_t minor = c->threads[i] < r->minors.n ? r->minors.v[c->threads[i]] : 0;
		bool seen = false;
		for (size_t k = 0; k < n_done; k++)
			seen |= done[k] == minor;
		if (seen || n_done == ARRAY_LEN(done))
			continue;
		done[n_done++] = minor;
		positions_of(r, t, c, minor, positions);
		chunk_bits of_minor, rows;
		if (r->one_minor) {
			memcpy(of_minor, mask, sizeof(of_minor));
		} else {
			memset(of_minor, 0, sizeof(of_minor));
			for (uint32_t row = 0; row < c->n; row++) {
				uint32_t thread = c->threads[c->thread[row]];
				bool has = (thread < r->minors.n ? r->minors.v[thread] : 0) ==
					   minor;
				of_minor[row / 64] |= (uint64_t)has << (row & 63);
			}
			for (size_t k = 0; k < CHUNK_WORDS; k++)
				of_minor[k] &= mask[k];
		}
		for (uint32_t name = 0; name < c->n_names && !w->err && !r->is_late; name++) {
			int32_t position = positions[name];
			if (position == INT32_MIN)
				continue;
			for (uint32_t k = 0; k < c->n_names; k++) {
				table[k] = positions[k] == position;
				if (table[k])
					positions[k] = k == name ? position : INT32_MIN;
			}
			positions[name] = INT32_MIN;
			chunk_bits_gather16(table, c->name, c->n, of_minor, rows);
			if (!chunk_bits_are_empty(rows))
				eval_args_at(w, i_term, position, rows, out);
		}
	}
out:
	free(positions);
	free(table);
}

/* file, peer, port and command: the arguments of the events that can have the field. */
static void eval_gathered(struct work *w, uint32_t i_term, const chunk_bits mask, chunk_bits out)
{
	struct filter_run *r = w->run;
	const struct filter_term *t = &r->filter->terms.v[i_term];
	struct memo *m = r->memos.v[i_term];
	const struct chunk *c = w->chunk;
	enum verdict want = term_wants(t);
	struct value_table *table = filter_cache_value_table(m, POSITION_ANY);
	uint8_t *can = malloc(c->n_names ? c->n_names : 1);
	chunk_bits rows;
	unsigned n_new = 0;
	memset(out, 0, sizeof(chunk_bits));
	if (!table || !can) {
		w->err = err_no_memory();
		goto out;
	}
	for (uint32_t i = 0; i < c->n_names; i++)
		can[i] = filter_value_of_name(r->cache, t, m, c->names[i]) == VERDICT_YES;
	chunk_bits_gather16(can, c->name, c->n, mask, rows);
	for (size_t word = 0; word < CHUNK_WORDS; word++)
		for (uint64_t rest = rows[word]; rest; rest &= rest - 1) {
			unsigned i = (unsigned)__builtin_ctzll(rest);
			size_t row = word * 64 + i;
			uint32_t args = c->args[row];
			/* counted by arguments alone, so that each step gets further even if events
			 * of two names take turns with the same arguments */
			bool is_new = args >= table->tuples.n || !table->tuples.v[args];
			if (is_new && n_new++ % 64 == 63 && is_late(r))
				goto out;
			enum verdict v = filter_value_of_gathered(r->cache, t, m, table,
								  c->names[c->name[row]], args);
			out[word] |= (uint64_t)(v == want) << i;
		}
out:
	free(can);
}

static void eval(struct work *w, uint32_t i_node, const chunk_bits mask, chunk_bits out)
{
	const struct filter *f = w->run->filter;
	const struct filter_node *n = &f->nodes.v[i_node];
	if (w->err || w->run->is_late || chunk_bits_are_empty(mask)) {
		memset(out, 0, sizeof(chunk_bits));
		return;
	}
	switch (n->kind) {
	case NODE_ALL: memcpy(out, mask, sizeof(chunk_bits)); return;
	case NODE_NOT:
		eval(w, n->a, mask, out);
		for (size_t i = 0; i < CHUNK_WORDS; i++)
			out[i] = mask[i] & ~out[i];
		return;
	case NODE_AND:
	case NODE_OR: {
		bool swap = f->nodes.v[n->a].cost > f->nodes.v[n->b].cost;
		chunk_bits first;
		eval(w, swap ? n->b : n->a, mask, first);
		if (n->kind == NODE_AND) {
			eval(w, swap ? n->a : n->b, first, out);
			return;
		}
		chunk_bits left;
		for (size_t i = 0; i < CHUNK_WORDS; i++)
			left[i] = mask[i] & ~first[i];
		eval(w, swap ? n->a : n->b, left, out);
		for (size_t i = 0; i < CHUNK_WORDS; i++)
			out[i] |= first[i];
		return;
	}
	case NODE_TERM: break;
	}
	switch (fields[f->terms.v[n->term].field].domain) {
	case DOMAIN_NAME: eval_small(w, n->term, true, mask, out); return;
	case DOMAIN_THREAD: eval_small(w, n->term, false, mask, out); return;
	case DOMAIN_EVENT: eval_event(w, n->term, mask, out); return;
	case DOMAIN_STACK: eval_stack(w, n->term, mask, out); return;
	case DOMAIN_ARGS:
		if (gathered_is(f->terms.v[n->term].field))
			eval_gathered(w, n->term, mask, out);
		else
			eval_args(w, n->term, mask, out);
		return;
	case DOMAIN_COUNT: break;
	}
}

/* Decide the rows of a chunk that are in `mask`, which has none behind the chunk's last row. */
static struct err *run_rows(struct filter_run *r, uint32_t i_chunk, const chunk_bits mask,
			    uint64_t *to)
{
	struct chunk_summary s;
	chunk_bits out;
	if (!trace_chunk_summary(r->trace, i_chunk, &s))
		return NULL;
	enum share share = share_of(r, r->filter->root, &s);
	size_t n_words = (s.n + 63) / 64;
	if (share != SHARE_SOME) {
		for (size_t i = 0; i < n_words; i++)
			to[i] = share == SHARE_ALL ? mask[i] : 0;
		return NULL;
	}
	struct work w = { .run = r, .chunk = trace_chunk(r->trace, i_chunk) };
	if (!w.chunk)
		return err_no_memory();
	w.args_end = s.args_end;
	w.stack_end = s.stack_end;
	/* The summary comes from the file; the columns were checked against it, but tables must
	 * cover them in any case. */
	uint32_t n_values = trace_n_values(r->trace) + 1, n_stacks = trace_n_stacks(r->trace) + 1;
	if (w.args_end > n_values)
		w.args_end = n_values;
	if (w.stack_end > n_stacks)
		w.stack_end = n_stacks;
	eval(&w, r->filter->root, mask, out);
	if (w.err || r->is_late)
		return w.err;
	memcpy(to, out, n_words * 8);
	return NULL;
}

static struct err *run_chunk(struct filter_run *r, uint32_t i_chunk, uint64_t *to)
{
	struct chunk_summary s;
	chunk_bits mask;
	if (!trace_chunk_summary(r->trace, i_chunk, &s))
		return NULL;
	chunk_bits_set_first(mask, s.n);
	return run_rows(r, i_chunk, mask, to);
}

struct err *filter_run_matches(struct filter_run *r, uint64_t seq, bool *ret)
{
	chunk_bits mask = { 0 }, out = { 0 };
	uint32_t row = (uint32_t)(seq & (TRACE_CHUNK - 1));
	r->until_ns = UINT64_MAX;
	r->is_late = false;
	if (!note_minors(r) || !note_who(r))
		return err_no_memory();
	note_callers(r);
	mask[row / 64] = 1ull << row % 64;
	struct err *err = run_rows(r, (uint32_t)(seq >> TRACE_CHUNK_SHIFT), mask, out);
	if (!err)
		*ret = out[row / 64] >> row % 64 & 1;
	return err;
}

struct err *filter_run_step(struct filter_run *r, uint64_t budget_ns, double *ret_done)
{
	uint64_t n = trace_n_events(r->trace);
	struct err *err = NULL;
	r->until_ns = budget_ns == UINT64_MAX ? UINT64_MAX : monotonic_ns() + budget_ns;
	r->is_late = false;
	if (!note_minors(r) || !note_who(r))
		return err_no_memory();
	note_callers(r);
	if (selection_n_rows(r->rows) < n && (err = selection_resize(r->rows, n, false)))
		return err;
	while (r->n_rows < n) {
		uint32_t chunk = (uint32_t)(r->n_rows >> TRACE_CHUNK_SHIFT);
		uint64_t from = (uint64_t)chunk << TRACE_CHUNK_SHIFT;
		trace_trim(r->trace);
		if ((err = run_chunk(r, chunk, selection_words(r->rows) + from / 64)))
			return err;
		if (r->is_late)
			break;
		r->n_rows = from + TRACE_CHUNK < n ? from + TRACE_CHUNK : n;
		if (is_late(r))
			break;
	}
	if (ret_done)
		*ret_done = n ? (double)r->n_rows / (double)n : 1;
	return NULL;
}

bool filter_is_of_names(const struct filter *f)
{
	return f->nodes.v[f->root].cost == DOMAIN_NAME;
}

/* The recursion is as deep as the filter, which has TERMS_MAX terms. */
static bool wants_name(struct filter_run *r, uint32_t i_node, const char *name, size_t n)
{
	const struct filter_node *node = &r->filter->nodes.v[i_node];
	switch (node->kind) {
	case NODE_ALL: return true;
	case NODE_NOT: return !wants_name(r, node->a, name, n);
	case NODE_AND: return wants_name(r, node->a, name, n) && wants_name(r, node->b, name, n);
	case NODE_OR: return wants_name(r, node->a, name, n) || wants_name(r, node->b, name, n);
	case NODE_TERM: break;
	}
	const struct filter_term *t = &r->filter->terms.v[node->term];
	return filter_value_of_name_text(r->cache, t, r->memos.v[node->term], name, n) ==
	       term_wants(t);
}

bool filter_run_wants_name(struct filter_run *r, const char *name, size_t n_bytes)
{
	return wants_name(r, r->filter->root, name, n_bytes);
}

/* What a part of a filter can be for events of one name. */
struct outcomes {
	bool can_match, can_fail;
};

static struct outcomes outcomes_of_term(struct filter_run *r, uint32_t i_term, const char *name,
					size_t n)
{
	const struct filter_term *t = &r->filter->terms.v[i_term];
	struct memo *m = r->memos.v[i_term];
	if (t->event && (t->n_event != n || memcmp(t->event, name, n) != 0))
		return (struct outcomes){ false, true };
	if (fields[t->field].domain == DOMAIN_NAME) {
		bool matches = filter_value_of_name_text(r->cache, t, m, name, n) == term_wants(t);
		return (struct outcomes){ matches, !matches };
	}
	bool is_gathered = t->field == FIELD_FILE || t->field == FIELD_PEER ||
			   t->field == FIELD_PORT || t->field == FIELD_COMMAND;
	bool can_have = !is_gathered ||
			filter_value_of_name_text(r->cache, t, m, name, n) == VERDICT_YES;
	return (struct outcomes){ can_have, true };
}

/* The recursion is as deep as the filter, which has TERMS_MAX terms. */
static struct outcomes outcomes_of(struct filter_run *r, uint32_t i_node, const char *name,
				   size_t n)
{
	const struct filter_node *node = &r->filter->nodes.v[i_node];
	struct outcomes a = { true, false }, b;
	switch (node->kind) {
	case NODE_ALL: return a;
	case NODE_TERM: return outcomes_of_term(r, node->term, name, n);
	case NODE_NOT:
		a = outcomes_of(r, node->a, name, n);
		return (struct outcomes){ a.can_fail, a.can_match };
	case NODE_AND:
		a = outcomes_of(r, node->a, name, n);
		b = outcomes_of(r, node->b, name, n);
		return (struct outcomes){ a.can_match && b.can_match, a.can_fail || b.can_fail };
	case NODE_OR:
		a = outcomes_of(r, node->a, name, n);
		b = outcomes_of(r, node->b, name, n);
		return (struct outcomes){ a.can_match || b.can_match, a.can_fail && b.can_fail };
	}
	return a;
}

bool filter_run_may_match_name(struct filter_run *r, const char *name, size_t n_bytes)
{
	return outcomes_of(r, r->filter->root, name, n_bytes).can_match;
}

struct selection *filter_run_rows(struct filter_run *r)
{
	return r->rows;
}

uint64_t filter_run_n_rows(const struct filter_run *r)
{
	return r->n_rows;
}

unsigned filter_run_n_restarts(const struct filter_run *r)
{
	return r->n_restarts;
}

uint64_t filter_run_n_limit_hits(const struct filter_run *r)
{
	uint64_t n = 0;
	for (size_t i = 0; i < r->memos.n; i++)
		n += r->memos.v[i]->n_limit_hits;
	return n - r->limit_hits_before;
}
