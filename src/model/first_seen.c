/*
 * first_seen: which events are the first of their kind (see first_seen.h).
 *
 * Arguments are dictionary entries, so an entry that occurs again under the same name cannot be
 * new: of ten million rows only the distinct tuples are examined. Kinds are distinguished by a
 * 64-bit hash of the name and the arguments without digits, addresses and temporary names.
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/hash_map.h"
#include "base/monotonic.h"
#include "base/vec.h"
#include "model/first_seen.h"
#include "model/relations.h"
#include "model/selection.h"
#include "model/trace.h"
#include "model/value_iter.h"

#define NODES_HASHED 512u
#define TEXT_HASHED  4096u

struct first_seen {
	struct trace *trace;
	struct selection *rows;
	VEC(uint32_t) name_of_args; /* by value id: the name it was last seen with, 0 = never */
	struct hash_map kinds;      /* those seen */
	uint64_t n_rows;
};

/* A hash of name and arguments, ignoring digits, addresses and temporary names: equal for equal
 * kinds. The corresponding text, used by diff to list several as one: relation_text_normalise(). */
static uint64_t kind_of(struct trace *t, uint32_t name, uint32_t args)
{
	struct value_iter it;
	struct value_node node;
	char text[TEXT_HASHED];
	uint64_t h = name * 0x9e3779b97f4a7c15ull + hash_map_secret();
	unsigned n_nodes = 0;
	value_iter_init(&it, t, args, NULL, 0);
	while (n_nodes++ < NODES_HASHED && value_iter_next(&it, &node)) {
		uint64_t head = (uint64_t)node.tag | (uint64_t)node.depth << 8;
		if (node.tag == VALUE_INT || node.tag == VALUE_BIGINT || node.tag == VALUE_FLOAT ||
		    node.tag == VALUE_COMPLEX)
			head = 1000; /* all numbers count as equal */
		h = XXH3_64bits_withSeed(&head, sizeof(head), h);
		if (node.n_attr_bytes)
			h = XXH3_64bits_withSeed(node.attr, node.n_attr_bytes, h);
		if (node.bytes && node.tag != VALUE_BIGINT) {
			size_t n = node.n_bytes < TEXT_HASHED ? node.n_bytes : TEXT_HASHED;
			n = relation_text_normalise((const char *)node.bytes, n, text);
			h = XXH3_64bits_withSeed(text, n, h);
		}
	}
	return h;
}

struct err *first_seen_create(struct trace *t, struct first_seen **ret)
{
	CLEANUP(first_seen) struct first_seen *f = calloc(1, sizeof(*f));
	if (!f)
		return err_no_memory();
	f->trace = t;
	struct err *err = selection_create(0, false, &f->rows);
	if (err)
		return err;
	*ret = take_ptr(f);
	return NULL;
}

void first_seen_destroy(struct first_seen *f)
{
	if (!f)
		return;
	selection_destroy(f->rows);
	vec_fini(&f->name_of_args);
	hash_map_fini(&f->kinds);
	free(f);
}

/* Is the kind new? Adds it. -1 if memory is short. */
static int kind_add(struct first_seen *f, uint64_t kind)
{
	uint32_t *is_known = hash_map_place(&f->kinds, kind);
	if (!is_known)
		return -1;
	if (*is_known)
		return 0;
	*is_known = 1;
	return 1;
}

static struct err *chunk_mark(struct first_seen *f, const struct chunk *c, uint32_t from)
{
	for (uint32_t i = from; i < c->n; i++) {
		uint32_t name = c->names[c->name[i]], args = c->args[i];
		if (args && f->name_of_args.v[args] == name)
			continue;
		f->name_of_args.v[args] = name;
		int is_new = kind_add(f, kind_of(f->trace, name, args));
		if (is_new < 0)
			return err_no_memory();
		if (is_new)
			selection_set(f->rows, c->first_seq + i, true);
	}
	return NULL;
}

struct err *first_seen_update(struct first_seen *f, uint64_t budget_ns, double *ret_done)
{
	uint64_t start_ns = monotonic_ns(), n_all = trace_n_events(f->trace);
	size_t want = (size_t)trace_n_values(f->trace) + 1, have = f->name_of_args.n;
	struct err *err = selection_resize(f->rows, n_all, false);
	if (!err && want > have) {
		if (!vec_reserve(&f->name_of_args, want - have))
			return err_no_memory();
		memset(f->name_of_args.v + have, 0, (want - have) * sizeof(uint32_t));
		f->name_of_args.n = want;
	}
	while (!err && f->n_rows < n_all) {
		const struct chunk *c = trace_chunk(f->trace,
						    (uint32_t)(f->n_rows >> TRACE_CHUNK_SHIFT));
		if (!c)
			return err_no_memory();
		err = chunk_mark(f, c, (uint32_t)(f->n_rows - c->first_seq));
		f->n_rows = c->first_seq + c->n;
		trace_trim(f->trace);
		if (budget_ns != UINT64_MAX && monotonic_ns() - start_ns >= budget_ns)
			break;
	}
	*ret_done = n_all ? (double)f->n_rows / (double)n_all : 1.0;
	return err;
}

struct selection *first_seen_rows(struct first_seen *f)
{
	return f->rows;
}
