/*
 * filter_combine: see filter_combine.h.
 *
 * A tree is as deep as its longest chain of operators, which the parser bounds (TERMS_MAX,
 * NESTING_MAX).
 */
#include "model/filter_combine.h"

#include <stdlib.h>
#include <string.h>

#include "model/catalog.h"
#include "model/filter_ast.h"
#include "model/glob.h"

/* How closely a node binds. A node that binds less closely than its place requires is put in
 * parentheses. */
enum binding { BINDS_OR, BINDS_AND, BINDS_NOT };

/* A bare "text" is two terms joined by or, written as one. */
static bool is_any_text(const struct filter *f, const struct filter_node *n)
{
	return n->kind == NODE_OR && f->nodes.v[n->a].at == n->at && f->nodes.v[n->b].at == n->at;
}

static enum binding binding_of(const struct filter *f, const struct filter_node *n)
{
	if (n->is_named)
		return BINDS_NOT;
	return n->kind == NODE_OR && !is_any_text(f, n) ? BINDS_OR
	       : n->kind == NODE_AND                    ? BINDS_AND
							: BINDS_NOT;
}

static void unparse(const struct filter *f, uint32_t i_node, enum binding least, struct strbuf *to)
{
	const struct filter_node *n = &f->nodes.v[i_node];
	enum binding own = binding_of(f, n);
	if (n->kind == NODE_ALL)
		return;
	if (own < least)
		strbuf_addc(to, '(');
	if (n->is_named || (own == BINDS_NOT && n->kind != NODE_NOT)) {
		strbuf_add(to, f->text + n->at, n->n_bytes);
	} else if (n->kind == NODE_NOT) {
		strbuf_adds(to, "not ");
		unparse(f, n->a, BINDS_NOT, to);
	} else {
		unparse(f, n->a, own, to);
		strbuf_adds(to, own == BINDS_AND ? " and " : " or ");
		unparse(f, n->b, own, to);
	}
	if (own < least)
		strbuf_addc(to, ')');
}

void filter_unparse(const struct filter *f, struct strbuf *to)
{
	unparse(f, f->root, BINDS_OR, to);
}

/* ---- parts: the operands of the top-level "and" ---- */

struct part {
	const struct filter *f;
	uint32_t node;
	bool is_negated;
};
typedef VEC(struct part) part_vec;

/* Append the parts of a node in the order of the text: for "a and b" a and b; with `splits_not`
 * also, for "not (a or b)", not a and not b. */
static bool add_parts(part_vec *to, const struct filter *f, uint32_t root, bool is_negated,
		      bool splits_not)
{
	part_vec waiting = { 0 };
	bool ok = vec_push(&waiting, ((struct part){ f, root, is_negated }));
	while (ok && waiting.n) {
		struct part p = waiting.v[--waiting.n];
		const struct filter_node *n = &f->nodes.v[p.node];
		if (n->is_named) {
			ok = vec_push(to, p);
		} else if (n->kind == NODE_NOT) {
			ok = vec_push(&waiting, ((struct part){ f, n->a, !p.is_negated }));
		} else if ((n->kind == NODE_AND && !p.is_negated) ||
			   (n->kind == NODE_OR && p.is_negated && splits_not &&
			    !is_any_text(f, n))) {
			ok = vec_push(&waiting, ((struct part){ f, n->b, p.is_negated })) &&
			     vec_push(&waiting, ((struct part){ f, n->a, p.is_negated }));
		} else if (n->kind != NODE_ALL || p.is_negated) {
			ok = vec_push(to, p);
		}
	}
	vec_fini(&waiting);
	return ok;
}

typedef VEC(uint32_t) node_vec;

/* Append the operands of a chain of one operator, whichever way it leans. */
static bool add_joined(node_vec *to, const struct filter *f, uint32_t root)
{
	enum node_kind kind = f->nodes.v[root].kind;
	node_vec waiting = { 0 };
	bool ok = vec_push(&waiting, root);
	while (ok && waiting.n) {
		uint32_t i = waiting.v[--waiting.n];
		if (f->nodes.v[i].kind == kind)
			ok = vec_push(&waiting, f->nodes.v[i].b) &&
			     vec_push(&waiting, f->nodes.v[i].a);
		else
			ok = vec_push(to, i);
	}
	vec_fini(&waiting);
	return ok;
}

static bool is_same(const struct filter *f, uint32_t a, const struct filter *g, uint32_t b);

/* Do two chains have the same operands, in any order? Each pair is compared once, so the cost is
 * bounded by the product of the sizes. */
static bool is_same_chain(const struct filter *f, uint32_t a, const struct filter *g, uint32_t b)
{
	node_vec left = { 0 }, right = { 0 };
	bool same = add_joined(&left, f, a) && add_joined(&right, g, b) && left.n == right.n;
	for (size_t i = 0; same && i < left.n; i++) {
		size_t k = 0;
		while (k < right.n && !is_same(f, left.v[i], g, right.v[k]))
			k++;
		same = k < right.n;
		if (same)
			right.v[k] = right.v[--right.n];
	}
	vec_fini(&left);
	vec_fini(&right);
	return same;
}

static uint32_t without_double_not(const struct filter *f, uint32_t i)
{
	while (f->nodes.v[i].kind == NODE_NOT && f->nodes.v[f->nodes.v[i].a].kind == NODE_NOT)
		i = f->nodes.v[f->nodes.v[i].a].a;
	return i;
}

static bool is_same(const struct filter *f, uint32_t a, const struct filter *g, uint32_t b)
{
	a = without_double_not(f, a);
	b = without_double_not(g, b);
	const struct filter_node *n = &f->nodes.v[a], *m = &g->nodes.v[b];
	if (n->kind != m->kind)
		return false;
	switch (n->kind) {
	case NODE_ALL: return true;
	case NODE_TERM: return !strcmp(f->terms.v[n->term].key, g->terms.v[m->term].key);
	case NODE_NOT: return is_same(f, n->a, g, m->a);
	case NODE_AND:
	case NODE_OR: return is_same_chain(f, a, g, b);
	}
	return false;
}

static bool has_part(const part_vec *parts, const struct part *p)
{
	for (size_t i = 0; i < parts->n; i++)
		if (parts->v[i].is_negated == p->is_negated &&
		    is_same(parts->v[i].f, parts->v[i].node, p->f, p->node))
			return true;
	return false;
}

bool filter_says(const struct filter *old, const struct filter *term, bool exclude)
{
	part_vec has = { 0 }, wanted = { 0 };
	bool says = add_parts(&has, old, old->root, false, true) &&
		    add_parts(&wanted, term, term->root, exclude, true);
	for (size_t i = 0; says && i < wanted.n; i++)
		says = has_part(&has, &wanted.v[i]);
	vec_fini(&has);
	vec_fini(&wanted);
	return says;
}

static void add_part_text(const struct part *p, enum binding least, struct strbuf *to)
{
	if (p->is_negated)
		strbuf_adds(to, "not ");
	unparse(p->f, p->node, p->is_negated ? BINDS_NOT : least, to);
}

/* Append to `left` what remains of one part after removing everything in `gone`. */
static bool take_out(const struct part *p, const part_vec *gone, part_vec *left)
{
	part_vec pieces = { 0 };
	bool ok = add_parts(&pieces, p->f, p->node, p->is_negated, true);
	size_t n_gone = 0;
	for (size_t i = 0; ok && i < pieces.n; i++)
		n_gone += has_part(gone, &pieces.v[i]);
	if (!n_gone)
		ok = ok && vec_push(left, *p); /* unchanged */
	for (size_t i = 0; ok && n_gone && i < pieces.n; i++)
		if (!has_part(gone, &pieces.v[i]))
			ok = vec_push(left, pieces.v[i]);
	vec_fini(&pieces);
	return ok;
}

void filter_without(const struct filter *old, const struct filter *term, struct strbuf *to)
{
	part_vec has = { 0 }, gone = { 0 }, left = { 0 };
	bool ok = add_parts(&has, old, old->root, false, false) &&
		  add_parts(&gone, term, term->root, false, true);
	for (size_t i = 0; ok && i < has.n; i++)
		ok = take_out(&has.v[i], &gone, &left);
	for (size_t i = 0; ok && i < left.n; i++) {
		strbuf_adds(to, i ? " and " : "");
		add_part_text(&left.v[i], left.n > 1 ? BINDS_AND : BINDS_OR, to);
	}
	if (!ok)
		to->failed = true;
	vec_fini(&has);
	vec_fini(&gone);
	vec_fini(&left);
}

void filter_and(const struct filter *old, const struct filter *term, bool exclude,
		struct strbuf *to)
{
	bool has_old = old->nodes.v[old->root].kind != NODE_ALL;
	uint32_t added = term->root;
	while (exclude && term->nodes.v[added].kind == NODE_NOT) {
		added = term->nodes.v[added].a;
		exclude = false;
	}
	bool has_added = exclude || term->nodes.v[added].kind != NODE_ALL;
	enum binding least = has_old && has_added ? BINDS_AND : BINDS_OR;
	if (has_old)
		unparse(old, old->root, least, to);
	if (has_old && has_added)
		strbuf_adds(to, " and ");
	if (exclude)
		strbuf_adds(to, "not ");
	unparse(term, added, exclude ? BINDS_NOT : least, to);
}

/* ---- switches ---- */

/* The name that a term tests, if it tests only a name. */
static bool read_switch(const struct filter_term *t, struct filter_switch *ret)
{
	if (t->is_negated || t->literals.n != 1 || t->literals.v[0].is_range)
		return false;
	if (t->field == FIELD_THEME && t->op == OP_EQ)
		ret->kind = SWITCH_THEME;
	else if (t->field == FIELD_EVENT && t->op == OP_EQ)
		ret->kind = SWITCH_EVENT;
	else if (t->field == FIELD_EVENT && t->op == OP_WORD)
		ret->kind = SWITCH_WORD;
	else if (t->field == FIELD_EVENT && t->op == OP_GLOB)
		ret->kind = SWITCH_GLOB;
	else
		return false;
	ret->text = t->literals.v[0].text; /* borrowed */
	return true;
}

/* The names that a node joins by or; false if it contains anything else. ret->text is borrowed from
 * the filter. */
static bool read_switches(const struct filter *f, uint32_t root, filter_switch_vec *ret)
{
	node_vec waiting = { 0 };
	bool ok = vec_push(&waiting, root);
	while (ok && waiting.n) {
		const struct filter_node *n = &f->nodes.v[waiting.v[--waiting.n]];
		struct filter_switch s;
		if (n->kind == NODE_OR)
			ok = vec_push(&waiting, n->b) && vec_push(&waiting, n->a);
		else
			ok = n->kind == NODE_TERM && read_switch(&f->terms.v[n->term], &s) &&
			     vec_push(ret, s);
	}
	vec_fini(&waiting);
	return ok;
}

void filter_switches_fini(filter_switch_vec *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->v[i].text);
	vec_fini(v);
}

struct err *filter_switches(const struct filter *f, filter_switch_vec *ret_switches,
			    bool *ret_negated, struct filter_rest *ret_rest)
{
	/* the leftmost operand of "and" */
	node_vec others = { 0 };
	uint32_t first = f->root;
	bool ok = true;
	while (ok && f->nodes.v[first].kind == NODE_AND) {
		ok = vec_push(&others, f->nodes.v[first].b);
		first = f->nodes.v[first].a;
	}
	filter_switch_vec found = { 0 };
	bool is_negated = f->nodes.v[first].kind == NODE_NOT;
	struct strbuf rest = { 0 }, side = { 0 }; /* alone, and as one side of "and" */
	if (read_switches(f, is_negated ? f->nodes.v[first].a : first, &found)) {
		for (size_t i = others.n; i-- > 0;) {
			strbuf_adds(&rest, rest.n ? " and " : "");
			unparse(f, others.v[i], others.n > 1 ? BINDS_AND : BINDS_OR, &rest);
		}
		if (others.n == 1)
			unparse(f, others.v[0], BINDS_AND, &side);
	} else {
		vec_fini(&found);
		found = (filter_switch_vec){ 0 };
		filter_unparse(f, &rest);
		unparse(f, f->root, BINDS_AND, &side);
	}
	for (size_t i = 0; i < found.n; i++) {
		found.v[i].text = strdup(found.v[i].text);
		ok = ok && found.v[i].text;
	}
	vec_fini(&others);
	bool has_rest = rest.n > 0, needs_a_bracket = side.n > rest.n;
	strbuf_fini(&side);
	char *text = has_rest ? strbuf_take(&rest) : NULL;
	if (!ok || (has_rest && !text)) {
		free(text);
		filter_switches_fini(&found);
		return err_no_memory();
	}
	*ret_switches = found;
	*ret_negated = found.n && is_negated;
	*ret_rest = (struct filter_rest){ text, needs_a_bracket };
	return NULL;
}

bool filter_switch_fits(const struct filter_switch *s, const char *event, size_t n)
{
	size_t n_text = strlen(s->text);
	switch (s->kind) {
	case SWITCH_THEME: return !strcmp(catalog_theme_name(catalog_theme_of(event, n)), s->text);
	case SWITCH_GLOB: return glob_match(s->text, n_text, event, n);
	case SWITCH_WORD:
		if (catalog_category_bytes(event, n) == n_text && !memcmp(event, s->text, n_text))
			return true;
		break;
	case SWITCH_EVENT: break;
	}
	return n == n_text && !memcmp(event, s->text, n);
}
