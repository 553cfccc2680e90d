/*
 * environment: see environment.h. There are a few hundred variables at most, so the lists are
 * searched linearly.
 */
#include "model/environment.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/vec.h"
#include "model/arguments.h"
#include "model/trace.h"
#include "model/value_text.h"

enum { VARIABLES_MAX = 4096, CHUNKS_MAX = 64, LITERAL_BYTES = 4000 };

struct variable {
	char *name, *literal; /* literal NULL: it was unset */
	size_t n_name;
	bool in_child;
};
struct variables {
	struct variable *v;
	size_t n, cap;
};

static void variables_fini(struct variables *own)
{
	for (size_t i = 0; i < own->n; i++) {
		free(own->v[i].name);
		free(own->v[i].literal);
	}
	vec_fini(own);
}

static struct variable *find(struct variables *own, const uint8_t *name, size_t n)
{
	for (size_t i = 0; i < own->n; i++)
		if (own->v[i].n_name == n && !memcmp(own->v[i].name, name, n))
			return &own->v[i];
	return NULL;
}

/* The literal of a value; str and bytes have the same, because os.putenv has bytes and dictionaries
 * have str. */
static char *literal_of(struct value_iter *it, const struct value_node *v)
{
	struct strbuf b = { 0 };
	struct value_node as_text = *v;
	if (v->tag == VALUE_BYTES)
		as_text.tag = VALUE_STR;
	value_text_literal(&b, it, &as_text, LITERAL_BYTES);
	return strbuf_take(&b);
}

static bool is_name(const struct value_node *v)
{
	return v->tag == VALUE_STR || v->tag == VALUE_BYTES;
}

/* Takes literal over. */
static struct err *set(struct variables *own, const uint8_t *name, size_t n, char *literal)
{
	struct variable *old = find(own, name, n);
	if (old) {
		free(old->literal);
		old->literal = literal;
		return NULL;
	}
	struct variable new = { strndup((const char *)name, n), literal, n, false };
	if (!new.name || own->n >= VARIABLES_MAX || !vec_push(own, new)) {
		free(new.name);
		free(literal);
		return own->n >= VARIABLES_MAX ? NULL : err_no_memory();
	}
	return NULL;
}

static struct err *at_start(struct trace *t, uint32_t value, struct variables *own)
{
	struct value_iter it;
	struct value_node dict, key, v;
	value_iter_init(&it, t, value, NULL, 0);
	if (!value_iter_next(&it, &dict) || dict.tag != VALUE_DICT)
		return NULL;
	for (uint32_t i = 0; i + 1 < dict.n_children && value_iter_next(&it, &key); i += 2) {
		value_iter_skip(&it, &key);
		if (!value_iter_next(&it, &v))
			break;
		char *literal = literal_of(&it, &v);
		struct err *err = !literal        ? err_no_memory()
				  : is_name(&key) ? set(own, key.bytes, key.n_bytes, literal)
						  : (free(literal), NULL);
		if (err)
			return err;
	}
	return NULL;
}

/* Apply one os.putenv or os.unsetenv. */
static struct err *put(struct trace *t, const struct event *e, struct variables *own)
{
	struct arguments all;
	struct argument arg;
	arguments_init(&all, t, e);
	if (!arguments_next(&all, &arg) || !is_name(&arg.value))
		return NULL;
	struct value_node key = arg.value;
	char *literal = NULL;
	if (arguments_next(&all, &arg) && !(literal = literal_of(&all.it, &arg.value)))
		return err_no_memory();
	return set(own, key.bytes, key.n_bytes, literal);
}

/* Apply the changes since the start. Reads back over a bounded number of chunks, most of which are
 * skipped by their summary. */
static struct err *since_start(struct trace *t, const struct event *e, struct variables *own)
{
	uint32_t names[] = { trace_name_find(t, "os.putenv", 9),
			     trace_name_find(t, "os.unsetenv", 11) };
	uint32_t last = (uint32_t)(e->seq >> TRACE_CHUNK_SHIFT),
		 first = last >= CHUNKS_MAX ? last - CHUNKS_MAX + 1 : 0;
	if (!names[0] && !names[1])
		return NULL;
	for (uint32_t c = first; c <= last; c++) {
		struct chunk_summary s;
		bool has = false;
		if (!trace_chunk_summary(t, c, &s))
			break;
		for (uint32_t i = 0; i < s.n_names; i++)
			has = has ||
			      (s.names[i] && (s.names[i] == names[0] || s.names[i] == names[1]));
		if (!has)
			continue;
		for (uint64_t seq = s.first_seq; seq < s.first_seq + s.n && seq < e->seq; seq++) {
			struct event other;
			if (!trace_event(t, seq, &other) || other.process != e->process ||
			    !other.name || (other.name != names[0] && other.name != names[1]))
				continue;
			struct err *err = put(t, &other, own);
			if (err)
				return err;
		}
	}
	return NULL;
}

static struct err *add(struct environment_diff *d, enum environment_change change, const char *name,
		       size_t n_name, uint32_t pair, const char *own)
{
	struct environment_row row = { change, strndup(name, n_name), n_name, pair,
				       own ? strdup(own) : NULL };
	if (!row.name || (own && !row.own) || !vec_push(&d->rows, row)) {
		free(row.name);
		free(row.own);
		return err_no_memory();
	}
	d->counts[change]++;
	return NULL;
}

static struct err *compare(const struct value_iter *behind, const struct value_node *dict,
			   struct variables *own, struct environment_diff *d)
{
	struct err *err = NULL;
	/* otherwise a missing variable may only have been cut */
	bool is_whole = dict->full * 2 <= dict->n_children;
	/* one pass per kind of change, so that rows are in order */
	for (int change = 0; change < ENVIRONMENT_CHANGE_COUNT; change++) {
		struct value_iter it = *behind;
		struct value_node key, v;
		for (size_t i = 0; change == ENVIRONMENT_MISSING && is_whole && i < own->n; i++)
			if (!own->v[i].in_child && own->v[i].literal &&
			    (err = add(d, ENVIRONMENT_MISSING, own->v[i].name, own->v[i].n_name,
				       UINT32_MAX, own->v[i].literal)))
				return err;
		for (uint32_t i = 0; change != ENVIRONMENT_MISSING && i + 1 < dict->n_children &&
				     value_iter_next(&it, &key);
		     i += 2) {
			value_iter_skip(&it, &key);
			if (!value_iter_next(&it, &v))
				return NULL;
			char *literal = literal_of(&it, &v);
			if (!literal)
				return err_no_memory();
			struct variable *mine = is_name(&key) ? find(own, key.bytes, key.n_bytes)
							      : NULL;
			if (mine)
				mine->in_child = true;
			enum environment_change is = !mine || !mine->literal ? ENVIRONMENT_NEW
						     : strcmp(mine->literal, literal)
							 ? ENVIRONMENT_CHANGED
							 : ENVIRONMENT_SAME;
			free(literal);
			if ((int)is == change && is_name(&key) &&
			    (err = add(d, is, (const char *)key.bytes, key.n_bytes, i / 2,
				       mine ? mine->literal : NULL)))
				return err;
		}
	}
	return NULL;
}

struct err *environment_diff(struct trace *t, const struct event *e, const struct value_iter *it,
			     const struct value_node *dict, struct environment_diff *ret,
			     bool *ret_known)
{
	const struct process_info *p = trace_process(t, e->process);
	struct variables own = { 0 };
	*ret = (struct environment_diff){ 0 };
	*ret_known = p && p->environ && dict->tag == VALUE_DICT;
	if (!*ret_known)
		return NULL;
	struct err *err = at_start(t, p->environ, &own);
	if (!err)
		err = since_start(t, e, &own);
	if (!err)
		err = compare(it, dict, &own, ret);
	variables_fini(&own);
	if (err)
		environment_diff_fini(ret);
	return err;
}

void environment_diff_fini(struct environment_diff *d)
{
	for (size_t i = 0; i < d->rows.n; i++) {
		free(d->rows.v[i].name);
		free(d->rows.v[i].own);
	}
	vec_fini(&d->rows);
	*d = (struct environment_diff){ 0 };
}
