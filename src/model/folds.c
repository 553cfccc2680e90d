/*
 * folds: see folds.h.
 *
 * One pass in order of rows. It tracks the open import burst of each thread, whether the program of
 * each process has begun, and the row shown last. Whether a row belongs to the open burst depends
 * on its stack (import_stack.h), so the pass needs a few look-ups per row.
 *
 *   structure  rows hidden by some fold          heads  rows that stand for a fold
 *   hidden     the same without opened folds     index  head → fold
 */
#include "model/folds.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "base/monotonic.h"
#include "base/vec.h"
#include "model/import_stack.h"
#include "model/selection.h"
#include "model/trace.h"

#define STARTUP_ROWS_MAX 65536u /* a longer start-up is not folded */
#define HEADS_LOOKED_AT  8192u

struct fold_entry {
	struct fold fold;
	uint64_t head_ns;
	bool open;
};

struct thread_state {
	uint64_t head, head_ns; /* of the current burst; SELECTION_NONE = no burst */
	uint32_t stack;         /* of the import statement; 0 = no burst */
	/* its own import was never seen: go by descent instead of by root */
	bool is_nested;
	bool is_shown; /* the head is in the selection */
};

struct process_state {
	uint64_t first;        /* its first selected row; SELECTION_NONE = none yet */
	uint64_t first_any, n; /* first row, rows so far */
	bool begun;
};

struct folds {
	struct trace *trace;
	struct selection *structure, *hidden, *heads;
	VEC(struct fold_entry) entries;
	struct hash_map index; /* head → entry + 1 */
	VEC(struct thread_state) threads;
	VEC(struct process_state) processes;
	VEC(uint8_t) name_kinds; /* by name id */
	uint64_t n_rows;
	struct event shown; /* the row shown last */
	bool has_shown;
};

enum name_kind { NAME_OTHER, NAME_IMPORT, NAME_BEGIN };

struct err *folds_create(struct trace *t, struct folds **ret)
{
	CLEANUP(folds) struct folds *f = calloc(1, sizeof(*f));
	if (!f)
		return err_no_memory();
	f->trace = t;
	struct selection **sets[] = { &f->structure, &f->hidden, &f->heads };
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct err *err = selection_create(0, false, sets[i]);
		if (err)
			return err;
	}
	*ret = take_ptr(f);
	return NULL;
}

void folds_destroy(struct folds *f)
{
	if (!f)
		return;
	selection_destroy(f->structure);
	selection_destroy(f->hidden);
	selection_destroy(f->heads);
	vec_fini(&f->entries);
	vec_fini(&f->threads);
	vec_fini(&f->processes);
	vec_fini(&f->name_kinds);
	hash_map_fini(&f->index);
	free(f);
}

/* ---- head → fold ---- */

static struct fold_entry *entry_find(const struct folds *f, uint64_t head)
{
	uint32_t at = hash_map_get(&f->index, head);
	return at && f->entries.v[at - 1].fold.kind != FOLD_NONE ? &f->entries.v[at - 1] : NULL;
}

/* The fold of this head; a new one if there is none. NULL if memory is short. */
static struct fold_entry *entry_get(struct folds *f, uint64_t head, uint64_t head_ns,
				    enum fold_kind kind)
{
	uint32_t *slot = hash_map_place(&f->index, head);
	if (!slot)
		return NULL;
	if (!*slot) {
		struct fold_entry fresh = { .fold = { .kind = kind, .head = head, .last = head },
					    .head_ns = head_ns };
		if (!vec_push(&f->entries, fresh))
			return NULL;
		*slot = (uint32_t)f->entries.n;
	}
	struct fold_entry *e = &f->entries.v[*slot - 1];
	if (e->fold.kind != kind && e->fold.kind != FOLD_STARTUP) {
		e->fold = (struct fold){ .kind = kind, .head = head, .last = head };
	}
	selection_set(f->heads, head, true);
	return e;
}

static void row_hide(struct folds *f, struct fold_entry *e, uint64_t row, uint64_t time_ns)
{
	e->fold.last = row > e->fold.last ? row : e->fold.last;
	e->fold.n_hidden++;
	e->fold.span_ns = time_ns > e->head_ns ? time_ns - e->head_ns : 0;
	selection_set(f->structure, row, true);
	selection_set(f->hidden, row, !e->open);
}

/* ---- the pass ---- */

static enum name_kind name_kind_of(struct folds *f, uint32_t name)
{
	if (name < f->name_kinds.n)
		return (enum name_kind)f->name_kinds.v[name];
	while (f->name_kinds.n <= trace_n_names(f->trace)) {
		size_t n;
		const char *s = trace_name(f->trace, (uint32_t)f->name_kinds.n, &n);
		uint8_t kind = NAME_OTHER;
		if (n == 6 && memcmp(s, "import", 6) == 0)
			kind = NAME_IMPORT;
		else if (n > 12 && memcmp(s, "cpython.run_", 12) == 0 &&
			 memcmp(s, "cpython.run_interactivehook", n) != 0 &&
			 memcmp(s, "cpython.run_startup", n) != 0)
			kind = NAME_BEGIN;
		if (!vec_push(&f->name_kinds, kind))
			return NAME_OTHER;
	}
	return name < f->name_kinds.n ? (enum name_kind)f->name_kinds.v[name] : NAME_OTHER;
}

static struct thread_state *thread_state_of(struct folds *f, uint32_t thread)
{
	while (f->threads.n <= thread) {
		struct thread_state none = { .head = SELECTION_NONE };
		if (!vec_push(&f->threads, none))
			return NULL;
	}
	return &f->threads.v[thread];
}

static struct process_state *process_state_of(struct folds *f, uint32_t process)
{
	while (f->processes.n <= process) {
		struct process_state none = { .first = SELECTION_NONE };
		if (!vec_push(&f->processes, none))
			return NULL;
	}
	return &f->processes.v[process];
}

static bool is_of_burst(struct folds *f, struct thread_state *ts, uint32_t root, uint32_t stack)
{
	if (ts->stack == 0)
		return false;
	if (!ts->is_nested)
		return root == ts->stack;
	return root && stack != ts->stack && import_stack_is_below(f->trace, stack, ts->stack);
}

/* Fold everything that the process did up to `end`; folds inside it are removed. */
static bool startup_fold(struct folds *f, const struct process_state *ps, uint32_t process,
			 uint64_t end, const struct selection *sel)
{
	struct event head, e;
	if (ps->first == SELECTION_NONE || end - ps->first > STARTUP_ROWS_MAX ||
	    !trace_event(f->trace, ps->first, &head))
		return true;
	uint64_t n = 0;
	struct fold_entry *entry = NULL;
	for (uint64_t row = ps->first; row < end; row++) {
		if ((sel && !selection_has(sel, row)) || !trace_event(f->trace, row, &e) ||
		    e.process != process)
			continue;
		if (n++ == 0) {
			selection_set(f->structure, row, false);
			selection_set(f->hidden, row, false);
			continue;
		}
		struct fold_entry *old = entry_find(f, row);
		if (old) {
			old->fold.kind = FOLD_NONE;
			selection_set(f->heads, row, false);
		}
		if (!entry) {
			entry = entry_get(f, head.seq, head.time_ns, FOLD_STARTUP);
			if (!entry)
				return false;
			entry->fold = (struct fold){ .kind = FOLD_STARTUP,
						     .head = head.seq,
						     .last = head.seq };
		}
		row_hide(f, entry, row, e.time_ns);
	}
	return true;
}

static bool is_same(const struct event *a, const struct event *b)
{
	return a->name == b->name && a->thread == b->thread && a->args == b->args &&
	       a->stack == b->stack && a->name != 0;
}

/* The head of a burst was folded as equal to its neighbour, but now has something below it: undo
 * that. */
static void equal_undo(struct folds *f, const struct thread_state *ts)
{
	struct fold fold;
	if (!selection_has(f->structure, ts->head) || !folds_find_member(f, ts->head, &fold) ||
	    fold.kind != FOLD_EQUAL)
		return;
	struct fold_entry *e = entry_find(f, fold.head);
	selection_set(f->structure, ts->head, false);
	selection_set(f->hidden, ts->head, false);
	if (e && --e->fold.n_hidden == 0) {
		e->fold.kind = FOLD_NONE;
		selection_set(f->heads, fold.head, false);
	} else if (e) {
		e->fold.last = selection_prev(f->structure, ts->head);
	}
}

static bool row_fold(struct folds *f, const struct event *e, bool is_selected,
		     const struct selection *sel)
{
	struct thread_state *ts = thread_state_of(f, e->thread);
	struct process_state *ps = process_state_of(f, e->process);
	if (!ts || !ps)
		return false;
	enum name_kind kind = name_kind_of(f, e->name);
	uint32_t root = import_stack_root(f->trace, e->stack);

	if (kind == NAME_BEGIN && !ps->begun) {
		ps->begun = true;
		if (!startup_fold(f, ps, e->process, e->seq, sel))
			return false;
	}
	if (is_selected && ps->first == SELECTION_NONE)
		ps->first = e->seq;
	if (is_of_burst(f, ts, root, e->stack)) {
		if (!ts->is_shown || !is_selected)
			goto shown;
		equal_undo(f, ts);
		struct fold_entry *entry = entry_get(f, ts->head, ts->head_ns, FOLD_IMPORT);
		if (!entry)
			return false;
		row_hide(f, entry, e->seq, e->time_ns);
		return true;
	}
	ts->stack = 0;
	if (kind == NAME_IMPORT && e->stack) {
		uint32_t statement = import_stack_statement(f->trace, e->stack);
		*ts = (struct thread_state){ .head = e->seq,
					     .head_ns = e->time_ns,
					     .stack = statement,
					     .is_nested = root != 0 && root != statement,
					     .is_shown = is_selected };
	}
shown:
	if (!is_selected)
		return true;
	if (f->has_shown && is_same(&f->shown, e)) {
		struct fold_entry *entry = entry_find(f, f->shown.seq);
		if (!entry || entry->fold.kind == FOLD_EQUAL) {
			entry = entry_get(f, f->shown.seq, f->shown.time_ns, FOLD_EQUAL);
			if (!entry)
				return false;
			row_hide(f, entry, e->seq, e->time_ns);
			return true;
		}
	}
	f->shown = *e;
	f->has_shown = true;
	return true;
}

static struct err *sets_resize(struct folds *f, uint64_t n_rows)
{
	struct selection *sets[] = { f->structure, f->hidden, f->heads };
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct err *err = selection_resize(sets[i], n_rows, false);
		if (err)
			return err;
	}
	return NULL;
}

static struct event event_of_chunk(const struct trace *t, const struct chunk *c, uint32_t i)
{
	struct event e = { .seq = c->first_seq + i,
			   .time_ns = c->time_ns[i],
			   .name = c->names[c->name[i]],
			   .thread = c->threads[c->thread[i]],
			   .args = c->args[i],
			   .stack = c->stack[i],
			   .flags = c->flags[i] };
	const struct thread_info *thread = trace_thread(t, e.thread);
	e.process = thread ? thread->process : 0;
	return e;
}

struct err *folds_update(struct folds *f, const struct selection *sel, uint64_t budget_ns,
			 double *ret_done)
{
	uint64_t start_ns = monotonic_ns(), n_all = trace_n_events(f->trace);
	struct err *err = sets_resize(f, n_all);
	while (!err && f->n_rows < n_all) {
		const struct chunk *c = trace_chunk(f->trace,
						    (uint32_t)(f->n_rows >> TRACE_CHUNK_SHIFT));
		bool ok = c != NULL;
		for (uint64_t end = ok ? c->first_seq + c->n : 0; ok && f->n_rows < end;
		     f->n_rows++) {
			struct event e = event_of_chunk(f->trace, c,
							(uint32_t)(f->n_rows - c->first_seq));
			ok = row_fold(f, &e, !sel || selection_has(sel, f->n_rows), sel);
		}
		if (!ok)
			err = err_no_memory();
		trace_trim(f->trace);
		if (budget_ns != UINT64_MAX && monotonic_ns() - start_ns >= budget_ns)
			break;
	}
	*ret_done = n_all ? (double)f->n_rows / (double)n_all : 1.0;
	return err;
}

uint64_t folds_n_rows(const struct folds *f)
{
	return f->n_rows;
}

/* ---- queries ---- */

const struct selection *folds_hidden(const struct folds *f)
{
	return f->hidden;
}

bool folds_find(const struct folds *f, uint64_t head, struct fold *ret)
{
	const struct fold_entry *e = entry_find(f, head);
	if (!e || e->fold.n_hidden == 0)
		return false;
	*ret = e->fold;
	return true;
}

static bool is_member(const struct folds *f, const struct fold *fold, const struct event *e)
{
	struct event head;
	if (e->seq == fold->head)
		return true;
	if (e->seq < fold->head || e->seq > fold->last || !selection_has(f->structure, e->seq) ||
	    !trace_event(f->trace, fold->head, &head))
		return false;
	switch (fold->kind) {
	case FOLD_EQUAL: return is_same(&head, e);
	case FOLD_STARTUP: return head.process == e->process;
	case FOLD_IMPORT:
		return head.thread == e->thread && import_stack_root(f->trace, e->stack) &&
		       import_stack_is_below(f->trace, e->stack,
					     import_stack_statement(f->trace, head.stack));
	case FOLD_NONE: break;
	}
	return false;
}

bool folds_find_member(const struct folds *f, uint64_t row, struct fold *ret)
{
	struct event e;
	if (folds_find(f, row, ret))
		return true;
	if (!selection_has(f->structure, row) || !trace_event(f->trace, row, &e))
		return false;
	uint64_t head = selection_prev(f->heads, row);
	for (uint32_t i = 0; head != SELECTION_NONE && i < HEADS_LOOKED_AT; i++) {
		const struct fold_entry *entry = entry_find(f, head);
		if (entry && is_member(f, &entry->fold, &e)) {
			*ret = entry->fold;
			return true;
		}
		head = head ? selection_prev(f->heads, head - 1) : SELECTION_NONE;
	}
	return false;
}

void folds_open(struct folds *f, uint64_t head, bool open)
{
	struct fold_entry *entry = entry_find(f, head);
	if (!entry || entry->open == open)
		return;
	entry->open = open;
	for (uint64_t row = selection_next(f->structure, head + 1);
	     row <= entry->fold.last && row != SELECTION_NONE;
	     row = selection_next(f->structure, row + 1)) {
		struct event e;
		if (trace_event(f->trace, row, &e) && is_member(f, &entry->fold, &e))
			selection_set(f->hidden, row, !open);
	}
}

bool folds_is_open(const struct folds *f, uint64_t head)
{
	const struct fold_entry *e = entry_find(f, head);
	return e && e->open;
}

uint32_t folds_n(const struct folds *f)
{
	uint32_t n = 0;
	for (size_t i = 0; i < f->entries.n; i++)
		n += f->entries.v[i].fold.kind != FOLD_NONE && f->entries.v[i].fold.n_hidden;
	return n;
}
