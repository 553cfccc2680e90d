/*
 * filter_value: the result of a term for one name, thread, frame or argument value.
 */
#include "model/filter_value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "capture/value_scan.h"
#include "model/arguments.h"
#include "model/catalog.h"
#include "model/filter_cache.h"
#include "model/gist.h"
#include "model/glob.h"
#include "model/trace.h"
#include "model/trace_task.h"
#include "model/value_text.h"

/* ---- comparing ---- */

static int compare_bytes(const char *a, size_t n_a, const char *b, size_t n_b)
{
	int order = memcmp(a, b, n_a < n_b ? n_a : n_b);
	return order ? order : n_a < n_b ? -1 : n_a > n_b;
}

static bool equals(const char *s, size_t n, const struct literal *l)
{
	if (n == l->n_text && !memcmp(s, l->text, n))
		return true;
	return l->alias && n == strlen(l->alias) && !memcmp(s, l->alias, n);
}

static bool text_fits(struct filter_cache *c, const struct filter_term *t, struct memo *m,
		      const char *s, size_t n)
{
	const struct literal *l = t->literals.v;
	switch (t->op) {
	case OP_EXISTS: return true;
	case OP_EQ: return equals(s, n, l);
	case OP_LT: return compare_bytes(s, n, l->text, l->n_text) < 0;
	case OP_LE: return compare_bytes(s, n, l->text, l->n_text) <= 0;
	case OP_GT: return compare_bytes(s, n, l->text, l->n_text) > 0;
	case OP_GE: return compare_bytes(s, n, l->text, l->n_text) >= 0;
	case OP_MATCH: return regex_match(t->regex, c->matcher, s, n, &m->n_limit_hits);
	case OP_CONTAINS: return memmem(s, n, l->text, l->n_text) != NULL;
	case OP_GLOB: return glob_match(l->text, l->n_text, s, n);
	case OP_WORD: return equals(s, n, l) || equals(s, catalog_category_bytes(s, n), l);
	case OP_BITS: return false;
	case OP_IN:
		for (size_t i = 0; i < t->literals.n; i++)
			if (!l[i].is_range && equals(s, n, &l[i]))
				return true;
		return false;
	}
	return false;
}

/* A text that the screen also shows in a shorter form, which may have been typed. */
static bool text_or_tail_fits(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			      const char *s, size_t n, char separator)
{
	if (text_fits(c, t, m, s, n))
		return true;
	for (size_t i = 0; (t->op == OP_EQ || t->op == OP_IN) && i < t->literals.n; i++) {
		const struct literal *l = &t->literals.v[i];
		if (!l->is_range && l->n_text && l->n_text < n && l->text[0] != separator &&
		    s[n - l->n_text - 1] == separator &&
		    !memcmp(s + n - l->n_text, l->text, l->n_text))
			return true;
	}
	return false;
}

/* -1 0 1; 2: not comparable (nan) */
static int compare_number(filter_int i, double d, bool is_integer, filter_int to_i, double to_d,
			  bool to_is_integer)
{
	if (is_integer && to_is_integer)
		return i < to_i ? -1 : i > to_i;
	if (is_integer && isinf(to_d))
		return to_d > 0 ? -1 : 1;
	double a = is_integer ? (double)i : d, b = to_is_integer ? (double)to_i : to_d;
	return isnan(a) || isnan(b) ? 2 : a < b ? -1 : a > b;
}

/* What an operator that compares says of an order, -1 0 1. A set is compared by its parts. */
static bool order_fits(enum filter_op op, int order)
{
	switch (op) {
	case OP_EQ:
	case OP_IN: return order == 0;
	case OP_LT: return order < 0;
	case OP_LE: return order <= 0;
	case OP_GT: return order > 0;
	case OP_GE: return order >= 0;
	case OP_EXISTS:
	case OP_MATCH:
	case OP_CONTAINS:
	case OP_BITS:
	case OP_GLOB:
	case OP_WORD: break;
	}
	return false;
}

static bool number_fits_one(enum filter_op op, const struct literal *l, filter_int i, double d,
			    bool is_integer)
{
	if (is_integer)
		i &= ~(filter_int)l->ignored;
	if (op == OP_BITS)
		return is_integer && (l->is_constant ? (i & l->i) == l->i : (i & l->i) != 0);
	int order = compare_number(i, d, is_integer, l->i, l->d, l->is_integer);
	if (order == 2)
		return false;
	if (op != OP_IN || !l->is_range)
		return order_fits(op, order);
	int to_hi = compare_number(i, d, is_integer, l->i_hi, l->d_hi, l->is_integer);
	return order >= 0 && to_hi <= 0;
}

static bool number_fits(const struct filter_term *t, filter_int i, double d, bool is_integer)
{
	for (size_t k = 0; k < t->literals.n; k++)
		if (t->literals.v[k].is_number &&
		    number_fits_one(t->op, &t->literals.v[k], i, d, is_integer))
			return true;
	return false;
}

static enum verdict verdict_of(bool fits)
{
	return fits ? VERDICT_YES : VERDICT_NO;
}

/* A number of a field; compared as text if the operator needs text. */
static enum verdict of_integer(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			       int64_t i)
{
	if (t->op == OP_EXISTS)
		return VERDICT_YES;
	if (t->op != OP_MATCH && t->op != OP_CONTAINS)
		return verdict_of(number_fits(t, i, 0, true));
	strbuf_clear(&c->scratch);
	strbuf_addf(&c->scratch, "%lld", (long long)i);
	return verdict_of(text_fits(c, t, m, c->scratch.s, c->scratch.n));
}

static enum verdict of_text(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			    const char *s, size_t n)
{
	return verdict_of(text_fits(c, t, m, s, n));
}

static enum verdict of_bool(const struct filter_term *t, bool value)
{
	return verdict_of(t->op == OP_EXISTS ? value : number_fits(t, value, 0, true));
}

static bool version_fits(enum filter_op op, const struct literal *l, uint32_t version)
{
	uint32_t mask = ~UINT32_C(0) << (32 - 8 * l->n_version), v = version & mask;
	uint32_t mask_hi = l->n_version_hi ? ~UINT32_C(0) << (32 - 8 * l->n_version_hi) : mask;
	if (op == OP_IN && l->is_range)
		return v >= l->version && (version & mask_hi) <= l->version_hi;
	return order_fits(op, v < l->version ? -1 : v > l->version);
}

/* The verdict on an id: computed once, and cached unless memory is short. */
typedef enum verdict ask_fn(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			    uint32_t id);
static inline enum verdict remembered(verdict_vec *kept, ask_fn *ask, struct filter_cache *c,
				      const struct filter_term *t, struct memo *m, uint32_t id)
{
	if (!filter_cache_verdicts_extend(kept, (size_t)id + 1))
		return ask(c, t, m, id);
	if (!kept->v[id])
		kept->v[id] = (uint8_t)ask(c, t, m, id);
	return (enum verdict)kept->v[id];
}

/* ---- names and threads ---- */

enum verdict filter_value_of_name_text(struct filter_cache *c, const struct filter_term *t,
				       struct memo *m, const char *s, size_t n)
{
	switch (t->field) {
	case FIELD_EVENT: return of_text(c, t, m, s, n);
	case FIELD_CATEGORY: return of_text(c, t, m, s, catalog_category_bytes(s, n));
	case FIELD_THEME: {
		const char *theme = catalog_theme_name(catalog_theme_of(s, n));
		return of_text(c, t, m, theme, strlen(theme));
	}
	case FIELD_FILE:
	case FIELD_PEER:
	case FIELD_PORT:
	case FIELD_COMMAND: /* can an event of this name have it? */
		return gathered_in_event(t->field, s, n) ? VERDICT_YES : VERDICT_ABSENT;
	case FIELD_DOCUMENTED: {
		const struct catalog_event *e = catalog_find(s, n);
		return of_bool(t, e && e->documented);
	}
	default: return VERDICT_ABSENT;
	}
}

static enum verdict ask_name(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			     uint32_t name)
{
	size_t n;
	const char *s = trace_name(c->trace, name, &n);
	return name ? filter_value_of_name_text(c, t, m, s, n) : VERDICT_ABSENT;
}

enum verdict filter_value_of_name(struct filter_cache *c, const struct filter_term *t,
				  struct memo *m, uint32_t name)
{
	return remembered(&m->names, ask_name, c, t, m, name);
}

/* By its name or number, or as the screen shows it: "main" for the main thread, T-7 and Thread-7
 * for "Thread-7 (work)". */
static enum verdict of_thread(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			      const struct thread_info *info, const struct process_info *p)
{
	size_t n;
	const char *s = trace_string(c->trace, info->name, &n);
	bool is_main = n ? n == 10 && !memcmp(s, "MainThread", n) : p->pid == info->tid;
	if (t->op == OP_EXISTS || (is_main && text_fits(c, t, m, "main", 4)))
		return VERDICT_YES;
	if (!n) {
		strbuf_clear(&c->scratch);
		strbuf_add_u64(&c->scratch, info->tid);
		return of_text(c, t, m, c->scratch.s, c->scratch.n);
	}
	const char *paren = n > 9 && !memcmp(s, "Thread-", 7) ? memchr(s + 8, '(', n - 8) : NULL;
	if (paren && paren[-1] == ' ' && (t->op == OP_EQ || t->op == OP_IN)) {
		char narrow[32];
		size_t n_short = (size_t)(paren - 1 - s);
		int n_narrow = snprintf(narrow, sizeof(narrow), "T-%.*s",
					(int)(n_short - 7 < 24 ? n_short - 7 : 24), s + 7);
		if (text_fits(c, t, m, s, n_short) || text_fits(c, t, m, narrow, (size_t)n_narrow))
			return VERDICT_YES;
	}
	return of_text(c, t, m, s, n);
}

static enum verdict ask_thread(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			       uint32_t thread)
{
	const struct thread_info *info = trace_thread(c->trace, thread);
	const struct process_info *p = info ? trace_process(c->trace, info->process) : NULL;
	size_t n;
	const char *s;
	if (!p)
		return VERDICT_ABSENT;
	switch (t->field) {
	case FIELD_PID: return of_integer(c, t, m, p->pid);
	case FIELD_PPID: return of_integer(c, t, m, p->ppid);
	case FIELD_TID: return of_integer(c, t, m, info->tid);
	case FIELD_INTERP: return of_integer(c, t, m, info->interpreter);
	case FIELD_CHILDREN:
		return of_bool(t, trace_process_parent(c->trace, info->process) != UINT32_MAX);
	case FIELD_THREAD: return of_thread(c, t, m, info, p);
	case FIELD_PROCESS:
		s = trace_string(c->trace, p->name, &n);
		return n ? of_text(c, t, m, s, n) : VERDICT_ABSENT;
	case FIELD_HOST:
		s = trace_process_host(c->trace, info->process, &n);
		return n ? of_text(c, t, m, s, n) : VERDICT_ABSENT;
	case FIELD_PYTHON:
		if (!p->python_hex)
			return VERDICT_ABSENT;
		if (t->op == OP_EXISTS || t->op == OP_MATCH || t->op == OP_CONTAINS) {
			s = trace_string(c->trace, p->python, &n);
			return of_text(c, t, m, s, n);
		}
		for (size_t i = 0; i < t->literals.n; i++)
			if (version_fits(t->op, &t->literals.v[i], p->python_hex))
				return VERDICT_YES;
		return VERDICT_NO;
	default: return VERDICT_ABSENT;
	}
}

enum verdict filter_value_of_thread(struct filter_cache *c, const struct filter_term *t,
				    struct memo *m, uint32_t thread)
{
	return remembered(&m->threads, ask_thread, c, t, m, thread);
}

enum verdict filter_value_of_number(const struct filter_term *t, int64_t value,
				    int64_t wall_anchor_ns)
{
	if (t->op == OP_EXISTS)
		return VERDICT_YES;
	for (size_t k = 0; k < t->literals.n; k++) {
		struct literal l = t->literals.v[k];
		if (l.is_wall) {
			l.i -= wall_anchor_ns;
			l.i_hi -= wall_anchor_ns;
		}
		/* a time is truncated, as on the screen, to the decimals that were written */
		if (l.span_ns > 1 && !l.is_range && (t->op == OP_EQ || t->op == OP_IN)) {
			l.is_range = true;
			l.i_hi = l.i + l.span_ns - 1;
			if (number_fits_one(OP_IN, &l, value, 0, true))
				return VERDICT_YES;
			continue;
		}
		if (number_fits_one(t->op, &l, value, 0, true))
			return VERDICT_YES;
	}
	return VERDICT_NO;
}

/* ---- packages and frames ---- */

/* PEP 503: letters of either case are equal, and so are "-", "_" and ".". */
static bool is_package_name(const char *s, size_t n, const struct literal *l)
{
	bool is = n == l->n_text;
	for (size_t i = 0; i < n && is; i++) {
		char a = s[i], b = l->text[i];
		a = a >= 'A' && a <= 'Z' ? (char)(a + 32) : a == '_' || a == '.' ? '-' : a;
		b = b >= 'A' && b <= 'Z' ? (char)(b + 32) : b == '_' || b == '.' ? '-' : b;
		is = a == b;
	}
	return is;
}

static enum verdict ask_package(struct filter_cache *c, const struct filter_term *t, struct memo *m,
				uint32_t package)
{
	const struct trace_package *p = trace_package(c->trace, package);
	if (!p)
		return VERDICT_ABSENT;
	for (size_t i = 0; (t->op == OP_EQ || t->op == OP_IN) && i < t->literals.n; i++)
		if (!t->literals.v[i].is_range &&
		    is_package_name(p->name, p->n_name, &t->literals.v[i]))
			return VERDICT_YES;
	return of_text(c, t, m, p->name, p->n_name);
}

enum verdict filter_value_of_package(struct filter_cache *c, const struct filter_term *t,
				     struct memo *m, uint32_t package)
{
	/* a term that tests packages uses no strings */
	return remembered(&m->strings, ask_package, c, t, m, package);
}

static enum verdict ask_descriptors(struct filter_cache *c, const struct filter_term *t,
				    struct memo *m, uint32_t descriptors)
{
	enum verdict best = VERDICT_ABSENT;
	struct value_iter it;
	struct value_node all, one;
	value_iter_init(&it, c->trace, descriptors, NULL, 0);
	if (!descriptors || !value_iter_next(&it, &all) ||
	    (all.tag != VALUE_LIST && all.tag != VALUE_DICT))
		return best;
	for (uint32_t i = 0; i < all.n_children && value_iter_next(&it, &one); i++) {
		bool is_text = one.tag == VALUE_STR && !(all.tag == VALUE_DICT && i % 2 == 0);
		enum verdict v = is_text ? of_text(c, t, m, (const char *)one.bytes, one.n_bytes)
					 : VERDICT_ABSENT;
		best = v > best ? v : best;
		value_iter_skip(&it, &one);
	}
	return best;
}

enum verdict filter_value_of_descriptors(struct filter_cache *c, const struct filter_term *t,
					 struct memo *m, uint32_t descriptors)
{
	/* a term that tests descriptors uses no strings */
	return remembered(&m->strings, ask_descriptors, c, t, m, descriptors);
}

/* .awaited_by: the best verdict of any name. */
static enum verdict ask_task(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			     uint32_t value)
{
	enum verdict best = VERDICT_ABSENT;
	struct trace_task task;
	const char *name;
	size_t n;
	if (!trace_task(c->trace, value, &task))
		return best;
	if (t->member == MEMBER_ID)
		return of_integer(c, t, m, task.id);
	if (t->member != MEMBER_AWAITED_BY)
		return of_text(c, t, m, task.name, task.n_name);
	for (uint32_t i = 0; i < task.n_awaited && best != VERDICT_YES; i++) {
		if (!trace_task_next(&task, &name, &n))
			break;
		enum verdict v = of_text(c, t, m, name, n);
		best = v > best ? v : best;
	}
	return best;
}

enum verdict filter_value_of_task(struct filter_cache *c, const struct filter_term *t,
				  struct memo *m, uint32_t task)
{
	/* a term that tests tasks uses no strings */
	return remembered(&m->strings, ask_task, c, t, m, task);
}

static enum verdict ask_frame(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			      uint32_t frame)
{
	struct frame_info f;
	size_t n;
	if (!trace_frame(c->trace, frame, &f))
		return VERDICT_ABSENT;
	uint32_t string = 0;
	switch (t->member) {
	case MEMBER_NONE: return VERDICT_YES;
	case MEMBER_LINE: return f.line ? of_integer(c, t, m, f.line) : VERDICT_ABSENT;
	case MEMBER_FUNC: string = f.function; break;
	case MEMBER_FILE: string = f.file; break;
	case MEMBER_MODULE: string = f.module; break;
	case MEMBER_PACKAGE:
		return filter_value_of_package(c, t, m, trace_frame_package(c->trace, frame));
	case MEMBER_ID:
	case MEMBER_AWAITED_BY:
	case MEMBER_COUNT: break;
	}
	if (!string)
		return VERDICT_ABSENT;
	/* many frames have the same file */
	bool keeps = filter_cache_verdicts_extend(&m->strings, (size_t)string + 1);
	if (keeps && m->strings.v[string])
		return (enum verdict)m->strings.v[string];
	const char *s = trace_string(c->trace, string, &n);
	/* the screen shows the last part of a path and of a qualified name */
	enum verdict verdict = verdict_of(
	    text_or_tail_fits(c, t, m, s, n, t->member == MEMBER_FUNC ? '.' : '/'));
	if (keeps)
		m->strings.v[string] = (uint8_t)verdict;
	return verdict;
}

enum verdict filter_value_of_frame(struct filter_cache *c, const struct filter_term *t,
				   struct memo *m, uint32_t frame)
{
	return remembered(&m->frames, ask_frame, c, t, m, frame);
}

/* ---- arguments ---- */

/* The integer, if a filter_int can hold it. */
static bool bigint_exact(const struct value_node *v, filter_int *ret)
{
	filter_int i = 0;
	if (v->n_bytes > sizeof(i) || (v->n_bytes == sizeof(i) && v->bytes[v->n_bytes - 1] & 0x80))
		return false;
	for (size_t k = v->n_bytes; k-- > 0;)
		i = i * 256 + v->bytes[k];
	*ret = v->negative ? -i : i;
	return true;
}

static double bigint_value(const struct value_node *v)
{
	double d = 0;
	for (size_t i = v->n_bytes; i-- > 0;)
		d = d * 256 + v->bytes[i];
	return v->negative ? -d : d;
}

static bool has_number_literal(const struct filter_term *t)
{
	for (size_t i = 0; i < t->literals.n; i++)
		if (t->literals.v[i].is_number)
			return true;
	return false;
}

/* An argument, or the value that a path of steps led to. The iterator is positioned after the
 * node. */
static enum verdict of_node(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			    struct value_iter *it, const struct value_node *v)
{
	if (t->op == OP_EXISTS)
		return VERDICT_YES;
	if (t->op != OP_MATCH && t->op != OP_CONTAINS && has_number_literal(t)) {
		bool is_order = t->op != OP_EQ && t->op != OP_IN;
		bool fits = false, is_number = true;
		filter_int exact;
		switch (v->tag) {
		case VALUE_INT: fits = number_fits(t, v->i, 0, true); break;
		case VALUE_TRUE:
		case VALUE_FALSE: fits = number_fits(t, v->tag == VALUE_TRUE, 0, true); break;
		case VALUE_FLOAT: fits = number_fits(t, 0, v->real, false); break;
		case VALUE_BIGINT:
			fits = bigint_exact(v, &exact) ? number_fits(t, exact, (double)exact, true)
						       : number_fits(t, 0, bigint_value(v), false);
			break;
		default: is_number = false;
		}
		if (fits)
			return VERDICT_YES;
		if (is_order ||
		    /* 5432 also matches the text "5432", but has no order relative to a text */
		    is_number)
			return VERDICT_NO;
	}
	if (value_is_text(v->tag))
		return of_text(c, t, m, (const char *)v->bytes, v->n_bytes);
	struct value_iter again = *it;
	strbuf_clear(&c->scratch);
	value_text_plain(&c->scratch, it, v);
	if (text_fits(c, t, m, strbuf_str(&c->scratch), c->scratch.n))
		return VERDICT_YES;
	/* A sequence also matches what the list shows: a command as a shell line, an address as
	 * host:port. */
	if ((t->op == OP_EQ || t->op == OP_IN) && (v->tag == VALUE_TUPLE || v->tag == VALUE_LIST)) {
		strbuf_clear(&c->scratch);
		gist_add_value(&c->scratch, &again, v,
			       v->tag == VALUE_TUPLE ? READING_HOSTPORT : READING_ARGV);
		return of_text(c, t, m, strbuf_str(&c->scratch), c->scratch.n);
	}
	return VERDICT_NO;
}

static uint64_t length_of(const struct value_node *v)
{
	uint64_t n = 0;
	if (v->tag != VALUE_STR)
		return v->full;
	for (size_t i = 0; i < v->n_bytes; i++)
		n += (v->bytes[i] & 0xc0) != 0x80;
	return n;
}

/* Follow the steps from the node on; returns the verdict of the value that they lead to. */
static enum verdict of_path(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			    struct value_iter *it, struct value_node v, size_t i_step)
{
	for (; i_step < t->steps.n; i_step++) {
		const struct step *s = &t->steps.v[i_step];
		bool found = false;
		struct value_node child;
		if (!s->name) {
			if (v.tag < VALUE_TUPLE || v.tag > VALUE_FROZENSET ||
			    s->index >= v.n_children)
				return VERDICT_ABSENT;
			for (uint64_t k = 0; k <= s->index; k++) {
				if (!value_iter_next(it, &child))
					return VERDICT_ABSENT;
				if (k < s->index)
					value_iter_skip(it, &child);
			}
			v = child;
			continue;
		}
		bool is_type = !strcmp(s->name, "type"), is_id = !strcmp(s->name, "id");
		for (uint32_t k = 0;
		     v.tag == VALUE_OBJECT && !is_type && !is_id && k < v.n_children && !found;
		     k++) {
			if (!value_iter_next(it, &child))
				return VERDICT_ABSENT;
			/* the attributes type and id of an object are written type_ and id_ */
			bool underscored = (child.n_attr_bytes == 4 &&
					    !memcmp(child.attr, "type", 4)) ||
					   (child.n_attr_bytes == 2 &&
					    !memcmp(child.attr, "id", 2));
			size_t n = child.n_attr_bytes;
			found = s->n_name == n + underscored && !memcmp(child.attr, s->name, n) &&
				(!underscored || s->name[n] == '_');
			if (!found)
				value_iter_skip(it, &child);
		}
		for (uint32_t k = 0; v.tag == VALUE_DICT && k < v.n_children && !found; k += 2) {
			struct value_node key;
			if (!value_iter_next(it, &key))
				return VERDICT_ABSENT;
			value_iter_skip(it, &key);
			if (!value_iter_next(it, &child))
				return VERDICT_ABSENT;
			found = key.tag == VALUE_STR && key.n_bytes == s->n_name &&
				!memcmp(key.bytes, s->name, s->n_name);
			if (!found)
				value_iter_skip(it, &child);
		}
		if (found) {
			v = child;
			continue;
		}
		if (i_step + 1 < t->steps.n)
			return VERDICT_ABSENT;
		size_t n;
		const char *text = value_type_name(&v, &n);
		if (is_type)
			return t->op == OP_EXISTS ? VERDICT_YES : of_text(c, t, m, text, n);
		if (is_id && v.tag == VALUE_OBJECT && v.address) {
			char id[24];
			int n_id = snprintf(id, sizeof(id), "0x%llx",
					    (unsigned long long)v.address);
			if (t->op != OP_EXISTS && has_number_literal(t))
				return verdict_of(number_fits(t, (filter_int)v.address, 0, true));
			return of_text(c, t, m, id, (size_t)n_id);
		}
		bool has_length = v.tag >= VALUE_STR && v.tag <= VALUE_DICT;
		if (!strcmp(s->name, "length") && has_length) {
			struct value_node number = { .tag = VALUE_INT,
						     .i = (int64_t)length_of(&v) };
			return of_node(c, t, m, it, &number);
		}
		return VERDICT_ABSENT;
	}
	return of_node(c, t, m, it, &v);
}

/* One argument at p: a reference is evaluated once. */
static enum verdict of_argument(struct filter_cache *c, const struct filter_term *t, struct memo *m,
				struct value_table *table, const uint8_t *p, const uint8_t *end)
{
	struct value_iter it;
	struct value_node v;
	uint64_t id = 0;
	if (*p == VALUE_REF) {
		unsigned shift = 0;
		for (const uint8_t *q = p + 1; q < end && shift < 35; shift += 7) {
			id |= (uint64_t)(*q & 0x7f) << shift;
			if (!(*q++ & 0x80))
				break;
		}
		if (id > trace_n_values(c->trace))
			return VERDICT_NO;
		if (id < table->arguments.n && table->arguments.v[id])
			return (enum verdict)table->arguments.v[id];
		value_iter_init(&it, c->trace, (uint32_t)id, NULL, 0);
	} else {
		value_iter_init_bytes(&it, c->trace, p, (size_t)(end - p), NULL, 0);
	}
	enum verdict verdict = value_iter_next(&it, &v) ? of_path(c, t, m, &it, v, 0) : VERDICT_NO;
	if (id && filter_cache_verdicts_extend(&table->arguments, (size_t)id + 1))
		table->arguments.v[id] = (uint8_t)verdict;
	return verdict;
}

/* The better verdict: `best`, or that of the value v, after which `it` is positioned. */
static enum verdict or_of_path(enum verdict best, struct filter_cache *c,
			       const struct filter_term *t, struct memo *m, struct value_iter it,
			       struct value_node v)
{
	enum verdict verdict = of_path(c, t, m, &it, v, 0);
	return verdict > best ? verdict : best;
}

static enum verdict ask_dict(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			     uint32_t args)
{
	struct value_iter it;
	struct value_node head, key, v;
	enum verdict best = VERDICT_ABSENT;
	value_iter_init(&it, c->trace, args, NULL, 0);
	if (!value_iter_next(&it, &head))
		return VERDICT_ABSENT;
	for (uint32_t i = 0; i * 2 < head.n_children; i++) {
		if (!value_iter_next(&it, &key))
			break;
		value_iter_skip(&it, &key);
		if (!value_iter_next(&it, &v))
			break;
		bool wanted = t->select == ARG_ANY ||
			      (t->select == ARG_INDEX && t->arg_index == i) ||
			      (t->select == ARG_NAME && key.tag == VALUE_STR &&
			       key.n_bytes == t->n_arg && !memcmp(key.bytes, t->arg, t->n_arg));
		if (wanted)
			best = or_of_path(best, c, t, m, it, v);
		value_iter_skip(&it, &v);
	}
	return best;
}

static enum verdict ask_args(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			     struct value_table *table, uint32_t args)
{
	size_t n_bytes;
	const uint8_t *p = trace_value(c->trace, args, &n_bytes), *end, *first;
	uint64_t n;
	enum verdict best = VERDICT_ABSENT;
	if (!p || !n_bytes)
		return VERDICT_ABSENT;
	end = p + n_bytes;
	if (*p == VALUE_DICT)
		return ask_dict(c, t, m, args);
	if (*p != VALUE_TUPLE || !value_scan_container(p, end, &first, &n))
		return VERDICT_ABSENT;
	p = first;
	for (uint64_t i = 0; i < n && p && p < end && best != VERDICT_YES; i++) {
		const uint8_t *next = value_scan_end(p, end);
		if (next && (table->position == POSITION_ANY || (uint64_t)table->position == i)) {
			enum verdict verdict = of_argument(c, t, m, table, p, next);
			if (verdict > best)
				best = verdict;
			if (table->position != POSITION_ANY)
				break;
		}
		p = next;
	}
	return best;
}

enum verdict filter_value_of_args(struct filter_cache *c, const struct filter_term *t,
				  struct memo *m, struct value_table *table, uint32_t args)
{
	if (!args)
		return VERDICT_ABSENT;
	if (args < table->tuples.n && table->tuples.v[args])
		return (enum verdict)table->tuples.v[args];
	enum verdict verdict = ask_args(c, t, m, table, args);
	if (filter_cache_verdicts_extend(&table->tuples, (size_t)args + 1))
		table->tuples.v[args] = (uint8_t)verdict;
	return verdict;
}

/* Is one of the texts that the event has for the field what the term asks for? */
static enum verdict ask_gathered(struct filter_cache *c, const struct filter_term *t,
				 struct memo *m, uint32_t name, uint32_t args)
{
	struct gathered *g = &c->gathered;
	enum verdict best = VERDICT_ABSENT;
	gathered_read(c->trace, t->field, name, args, g);
	for (size_t i = 0; i < g->n && best != VERDICT_YES; i++) {
		size_t start = i ? g->ends[i - 1] : 0, n = g->ends[i] - start;
		const char *s = g->text.s + start;
		int64_t port = 0;
		for (size_t k = 0; t->field == FIELD_PORT && k < n; k++)
			port = port * 10 + (s[k] - '0');
		best = t->field == FIELD_PORT   ? of_integer(c, t, m, port)
		       : t->field == FIELD_FILE ? verdict_of(text_or_tail_fits(c, t, m, s, n, '/'))
						: of_text(c, t, m, s, n);
	}
	return best;
}

enum verdict filter_value_of_gathered(struct filter_cache *c, const struct filter_term *t,
				      struct memo *m, struct value_table *table, uint32_t name,
				      uint32_t args)
{
	if (!args || args > trace_n_values(c->trace))
		return VERDICT_ABSENT;
	/* events of two names may share their arguments: the verdict of the last name is kept */
	if (args < table->names.n && table->names.v[args] == name && table->tuples.v[args])
		return (enum verdict)table->tuples.v[args];
	enum verdict verdict = ask_gathered(c, t, m, name, args);
	while (table->names.n <= args)
		if (!vec_push(&table->names, 0))
			return verdict;
	if (filter_cache_verdicts_extend(&table->tuples, (size_t)args + 1)) {
		table->tuples.v[args] = (uint8_t)verdict;
		table->names.v[args] = name;
	}
	return verdict;
}

bool filter_value_is_address(const struct filter_term *t)
{
	return t->field == FIELD_ARGS && t->steps.n && t->steps.v[t->steps.n - 1].name &&
	       !strcmp(t->steps.v[t->steps.n - 1].name, "id");
}

enum verdict filter_value_of_event_args(struct filter_cache *c, const struct filter_term *t,
					struct memo *m, int position, uint64_t seq, uint32_t args)
{
	struct value_iter it;
	struct value_node head, v;
	enum verdict best = VERDICT_ABSENT;
	uint32_t n_objects;
	if (!args || position == POSITION_KEY)
		return VERDICT_ABSENT;
	const uint64_t *objects = trace_event_objects(c->trace, seq, &n_objects);
	value_iter_init(&it, c->trace, args, objects, n_objects);
	if (!value_iter_next(&it, &head) || head.tag != VALUE_TUPLE)
		return VERDICT_ABSENT;
	for (uint32_t i = 0; i < head.n_children && best != VERDICT_YES && value_iter_next(&it, &v);
	     i++) {
		if (position == POSITION_ANY || position == (int)i)
			best = or_of_path(best, c, t, m, it, v);
		value_iter_skip(&it, &v);
	}
	return best;
}

int filter_value_position(struct filter_cache *c, const struct filter_term *t, uint32_t name,
			  int minor)
{
	if (t->select == ARG_ANY)
		return POSITION_ANY;
	if (t->select == ARG_INDEX)
		return t->arg_index < 10000 ? (int)t->arg_index : POSITION_KEY;
	size_t n;
	const char *s = trace_name(c->trace, name, &n);
	int at = catalog_arg_find(catalog_find(s, n), minor, t->arg, t->n_arg);
	return at < 0 ? POSITION_KEY : at;
}
