/*
 * filter_explain: why no event is shown: runs each part of an "and" as a filter of its own.
 */
#include <stdlib.h>

#include "base/vec.h"
#include "model/filter_ast.h"
#include "model/filter_cache.h"
#include "model/selection.h"
#include "model/trace.h"

struct filter_explanation {
	struct trace *trace;
	const struct filter *filter;
	struct filter_cache *cache;
	VEC(uint32_t) roots; /* [part] */
	VEC(struct filter_part) parts;
	size_t at;          /* the part that is being counted */
	struct filter part; /* its filter: the same terms, another root */
	struct filter_run *run;
};

struct err *filter_explain(struct trace *t, const struct filter *f, struct filter_cache *cache,
			   struct filter_explanation **ret)
{
	CLEANUP(filter_explanation) struct filter_explanation *x = calloc(1, sizeof(*x));
	VEC(uint32_t) waiting = { 0 };
	bool ok = x && vec_push(&waiting, f->root);
	while (ok && waiting.n) {
		uint32_t root = waiting.v[--waiting.n];
		const struct filter_node *node = &f->nodes.v[root];
		struct filter_part part = { .at = node->at, .n_bytes = node->n_bytes };
		if (node->kind == NODE_AND && !node->is_named) /* the left one comes first */
			ok = vec_push(&waiting, node->b) && vec_push(&waiting, node->a);
		else
			ok = vec_push(&x->roots, root) && vec_push(&x->parts, part);
	}
	vec_fini(&waiting);
	if (!ok)
		return err_no_memory();
	x->trace = t;
	x->filter = f;
	x->cache = cache;
	*ret = take_ptr(x);
	return NULL;
}

void filter_explanation_destroy(struct filter_explanation *x)
{
	if (!x)
		return;
	filter_run_destroy(x->run);
	vec_fini(&x->roots);
	vec_fini(&x->parts);
	free(x);
}

struct err *filter_explanation_step(struct filter_explanation *x, uint64_t budget_ns,
				    bool *ret_done)
{
	struct err *err = NULL;
	*ret_done = x->at == x->parts.n;
	if (*ret_done)
		return NULL;
	if (!x->run) {
		x->part = *x->filter;
		x->part.root = x->roots.v[x->at];
		err = filter_run_create(x->trace, &x->part, x->cache, &x->run);
	}
	double done = 0;
	if (!err)
		err = filter_run_step(x->run, budget_ns, &done);
	if (err)
		return err;
	x->parts.v[x->at].n_events = selection_count(filter_run_rows(x->run));
	if (done >= 1) {
		filter_run_destroy(x->run);
		x->run = NULL;
		x->at++;
	}
	*ret_done = x->at == x->parts.n;
	return NULL;
}

const struct filter_part *filter_explanation_parts(const struct filter_explanation *x,
						   size_t *ret_n)
{
	*ret_n = x->parts.n;
	return x->parts.v;
}
