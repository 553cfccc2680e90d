/*
 * diff: see diff.h.
 */
#include "model/diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/vec.h"

struct diff {
	struct reach *a, *b; /* they own the texts */
	VEC(struct diff_row) rows;
	size_t n_same;
	double done_a; /* 0…1 of a is counted; b comes after a */
};

const char *const diff_change_signs[DIFF_CHANGE_COUNT] = {
	[DIFF_ADDED] = "+", [DIFF_MORE] = "↑", [DIFF_REMOVED] = "−"
};
const char *const diff_change_words[DIFF_CHANGE_COUNT] = {
	[DIFF_ADDED] = "added", [DIFF_MORE] = "more", [DIFF_REMOVED] = "removed"
};

static int compare_rows(const void *x, const void *y)
{
	const struct diff_row *a = x, *b = y;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->change != b->change)
		return a->change < b->change ? -1 : 1;
	return a->first_seq < b->first_seq ? -1 : a->first_seq > b->first_seq;
}

static bool is_below(const struct diff_row *module, const struct diff_row *package)
{
	return module->n_text > package->n_text &&
	       !memcmp(module->text, package->text, package->n_text) &&
	       module->text[package->n_text] == '.';
}

/* Is it work of the import system (looking for files, running code)? Then the module represents
 * it. */
static bool is_import_work(const struct reach_thing *t)
{
	return t->n_by_import == t->n_events;
}

/* Count modules below a package that is in the list with the same change in the package's row. */
static void fold_modules(struct diff *d)
{
	size_t n = 0;
	for (size_t i = 0; i < d->rows.n; i++) {
		struct diff_row *row = &d->rows.v[i];
		size_t parent = SIZE_MAX;
		for (size_t k = 0; row->kind == REACH_MODULE && k < d->rows.n && parent == SIZE_MAX;
		     k++) {
			const struct diff_row *other = &d->rows.v[k];
			/* only rows kept so far are candidates: a package is imported before the
			 * modules below it */
			if (k < n && other->kind == REACH_MODULE && other->change == row->change &&
			    is_below(row, other))
				parent = k;
		}
		if (parent == SIZE_MAX) {
			d->rows.v[n++] = *row;
			continue;
		}
		d->rows.v[parent].n_below++;
		d->rows.v[parent].n_a += row->n_a;
		d->rows.v[parent].n_b += row->n_b;
	}
	d->rows.n = n;
}

static bool matters_by_count(enum reach_kind kind)
{
	return kind == REACH_HOST || kind == REACH_LIBRARY || kind == REACH_COMMAND;
}

static bool compare(struct diff *d)
{
	size_t n;
	const struct reach_thing *things = reach_things(d->b, &n);
	for (size_t i = 0; i < n; i++) {
		const struct reach_thing *t = &things[i];
		size_t in_a = reach_find(d->a, t->hash), n_a;
		uint64_t before = in_a == SIZE_MAX ? 0 : reach_things(d->a, &n_a)[in_a].n_events;
		d->n_same += before != 0;
		if (!before && is_import_work(t))
			continue;
		if (before && !(matters_by_count(t->kind) && t->n_events >= 2 * before))
			continue;
		struct diff_row row = { t->kind,      before ? DIFF_MORE : DIFF_ADDED,
					t->text,      t->n_text,
					before,       t->n_events,
					t->first_seq, 0 };
		if (!vec_push(&d->rows, row))
			return false;
	}
	things = reach_things(d->a, &n);
	for (size_t i = 0; i < n; i++) {
		const struct reach_thing *t = &things[i];
		struct diff_row row = { t->kind, DIFF_REMOVED, t->text, t->n_text, t->n_events,
					0,       t->first_seq, 0 };
		if (reach_find(d->b, t->hash) == SIZE_MAX && !is_import_work(t) &&
		    !vec_push(&d->rows, row))
			return false;
	}
	return true;
}

struct err *diff_begin(struct trace *a, const struct selection *rows_a, struct trace *b,
		       const struct selection *rows_b, struct diff **ret)
{
	CLEANUP(diff) struct diff *d = calloc(1, sizeof(*d));
	if (!d)
		return err_no_memory();
	struct err *err = reach_begin(a, rows_a, &d->a);
	if (!err)
		err = reach_begin(b, rows_b, &d->b);
	if (!err)
		*ret = take_ptr(d);
	return err;
}

struct err *diff_step(struct diff *d, uint64_t budget_ns, double *ret_done)
{
	double in_a = 1, in_b = 1;
	struct err *err = d->done_a < 1 ? reach_step(d->a, budget_ns, &in_a) : NULL;
	d->done_a = in_a;
	if (!err && in_a >= 1)
		err = reach_step(d->b, budget_ns, &in_b);
	else
		in_b = 0;
	if (err)
		return err;
	*ret_done = (in_a + in_b) / 2;
	if (in_a < 1 || in_b < 1)
		return NULL;
	if (!compare(d))
		return err_no_memory();
	if (d->rows.n)
		qsort(d->rows.v, d->rows.n, sizeof(*d->rows.v), compare_rows);
	fold_modules(d);
	return NULL;
}

struct err *diff_create(struct trace *a, const struct selection *rows_a, struct trace *b,
			const struct selection *rows_b, struct diff **ret)
{
	CLEANUP(diff) struct diff *d = NULL;
	double done;
	struct err *err = diff_begin(a, rows_a, b, rows_b, &d);
	if (!err)
		err = diff_step(d, UINT64_MAX, &done);
	if (!err)
		*ret = take_ptr(d);
	return err;
}

void diff_destroy(struct diff *d)
{
	if (!d)
		return;
	reach_destroy(d->a);
	reach_destroy(d->b);
	vec_fini(&d->rows);
	free(d);
}

const struct diff_row *diff_rows(const struct diff *d, size_t *ret_n)
{
	*ret_n = d->rows.n;
	return d->rows.v;
}

size_t diff_n_same(const struct diff *d)
{
	return d->n_same;
}
