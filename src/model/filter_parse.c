/*
 * filter_parse: text → struct filter. Grammar: filter.h.
 *
 * Recursive descent with one token of look-ahead. The first unexpected token ends it with an error
 * at its place; an unknown name is compared with the names that are allowed there, and the nearest
 * goes into the hint.
 */
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "model/catalog.h"
#include "model/filter_ast.h"
#include "model/filter_lexer.h"
#include "model/filter_literal.h"
#include "model/glob.h"
#include "model/trace.h"

#define NESTING_MAX 100

struct parser {
	struct filter *f;
	struct trace *trace; /* may be NULL */
	struct lexer lexer;
	struct token t;  /* the next token */
	size_t last_end; /* end of the previous token */
	unsigned nesting;
	/* the event named last: its arguments are suggested first */
	const struct catalog_event *mentioned;
};

static struct err *parse_or(struct parser *p, uint32_t *ret);

static void advance(struct parser *p, bool is_operand)
{
	p->last_end = p->t.end;
	p->lexer.is_operand = is_operand;
	p->t = lexer_next(&p->lexer);
}

static struct err *expected(const struct parser *p, const char *what)
{
	if (p->t.kind == TOKEN_BAD)
		return SYNTAX(p->t.at, "expected %s", p->t.p);
	if (p->t.kind == TOKEN_END)
		return SYNTAX(p->t.at, "expected %s here", what);
	return SYNTAX(p->t.at, "expected %s, not %.*s", what, (int)(p->t.end - p->t.at),
		      p->f->text + p->t.at);
}

static struct err *add_node(struct parser *p, struct filter_node node, uint32_t *ret)
{
	if (node.kind == NODE_AND || node.kind == NODE_OR) {
		uint8_t a = p->f->nodes.v[node.a].cost, b = p->f->nodes.v[node.b].cost;
		node.cost = a > b ? a : b;
	} else if (node.kind == NODE_NOT) {
		node.cost = p->f->nodes.v[node.a].cost;
	} else if (node.kind == NODE_TERM) {
		node.cost = (uint8_t)fields[p->f->terms.v[node.term].field].domain;
	}
	if (!vec_push(&p->f->nodes, node))
		return err_no_memory();
	*ret = (uint32_t)p->f->nodes.n - 1;
	return NULL;
}

static void term_fini(struct filter_term *t)
{
	for (size_t i = 0; i < t->literals.n; i++)
		free(t->literals.v[i].text);
	vec_fini(&t->literals);
	for (size_t i = 0; i < t->steps.n; i++)
		free(t->steps.v[i].name);
	vec_fini(&t->steps);
	regex_destroy(t->regex);
	free(t->event);
	free(t->arg);
	free(t->key);
}

/* Set a key that is equal for terms of the same meaning: the text without white space. */
static struct err *set_key(struct parser *p, struct filter_term *t)
{
	struct strbuf b = { 0 };
	struct lexer l = {
		.text = p->f->text, .n = t->at + t->n_bytes, .at = t->at, .is_operand = true
	};
	/* the same text can be several terms */
	strbuf_addf(&b, "%d %d %d:", t->field, t->op, t->is_negated);
	for (struct token k = lexer_next(&l); k.kind != TOKEN_END && k.kind != TOKEN_BAD;
	     k = lexer_next(&l)) {
		strbuf_addc(&b, ' ');
		strbuf_add(&b, p->f->text + k.at, k.end - k.at);
		l.is_operand = lexer_token_is(&k, "~") || lexer_token_is(&k, "=~") ||
			       lexer_token_is(&k, "!~") || lexer_token_is(&k, "matches");
	}
	t->key = strbuf_take(&b);
	return t->key ? NULL : err_no_memory();
}

/* Takes *t over, also on failure. */
static struct err *add_term(struct parser *p, struct filter_term *t, uint32_t *ret)
{
	t->n_bytes = p->last_end - t->at;
	struct err *err = p->f->terms.n >= TERMS_MAX
			      ? SYNTAX(t->at, "expected fewer than %d terms", TERMS_MAX)
			      : set_key(p, t);
	if (!err && !vec_push(&p->f->terms, *t))
		err = err_no_memory();
	if (err) {
		term_fini(t);
		return err;
	}
	return add_node(p,
			(struct filter_node){ .kind = NODE_TERM,
					      .term = (uint32_t)p->f->terms.n - 1,
					      .at = t->at,
					      .n_bytes = t->n_bytes },
			ret);
}

/* ---- names ---- */

static bool in_trace(const struct parser *p, const char *s, size_t n)
{
	return p->trace && trace_name_find(p->trace, s, n);
}

static bool is_event(const struct parser *p, const char *s, size_t n)
{
	return catalog_find(s, n) || in_trace(p, s, n);
}

static bool is_category(const struct parser *p, const char *s, size_t n)
{
	for (size_t i = 0; i < n_catalog_events; i++)
		if (strlen(catalog_events[i].category) == n &&
		    !memcmp(catalog_events[i].category, s, n))
			return true;
	for (uint32_t i = 1; p->trace && i <= trace_n_names(p->trace); i++) {
		size_t n_name;
		const char *name = trace_name(p->trace, i, &n_name);
		if (catalog_category_bytes(name, n_name) == n && !memcmp(name, s, n))
			return true;
	}
	return false;
}

static void offer_events(const struct parser *p, struct nearest *near)
{
	for (size_t i = 0; i < n_catalog_events; i++) {
		nearest_offer(near, catalog_events[i].name, strlen(catalog_events[i].name), 0);
		nearest_offer(near, catalog_events[i].category, strlen(catalog_events[i].category),
			      0);
	}
	for (uint32_t i = 1; p->trace && i <= trace_n_names(p->trace); i++) {
		size_t n;
		const char *name = trace_name(p->trace, i, &n);
		nearest_offer(near, name, n, 0);
	}
}

static void offer_fields(struct nearest *near)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		nearest_offer(near, fields[i].name, strlen(fields[i].name), 0);
}

static void offer_arguments(struct nearest *near, const struct catalog_event *e)
{
	for (size_t i = 0; e && i < e->n_signatures; i++)
		for (size_t k = 0; k < e->signatures[i].n_args; k++)
			nearest_offer(near, e->signatures[i].args[k].name,
				      strlen(e->signatures[i].args[k].name), 0);
	for (size_t k = 0; e && k < e->n_args; k++)
		nearest_offer(near, e->args[k].name, strlen(e->args[k].name), 0);
}

/* Names of arguments are checked unless the capture has events that are not in the catalogue,
 * because their arguments are unknown. */
static bool has_own_events(const struct parser *p)
{
	for (uint32_t i = 1; p->trace && i <= trace_n_names(p->trace); i++) {
		size_t n;
		const char *name = trace_name(p->trace, i, &n);
		if (!catalog_find(name, n))
			return true;
	}
	return false;
}

static bool is_argument(const struct catalog_event *e, const char *s, size_t n)
{
	if (e)
		return catalog_arg_find(e, 0, s, n) >= 0;
	for (size_t i = 0; i < n_catalog_events; i++)
		if (catalog_arg_find(&catalog_events[i], 0, s, n) >= 0)
			return true;
	return false;
}

static struct err *check_argument(struct parser *p, const struct catalog_event *e, const char *s,
				  size_t n, size_t at)
{
	struct nearest near = nearest_to(s, n, NEAREST_WORD);
	if (e) {
		if (is_argument(e, s, n))
			return NULL;
		offer_arguments(&near, e);
		return literal_err_with_nearest(
		    SYNTAX(at, "%s has no argument %.*s", e->name, (int)n, s), &near);
	}
	if (is_argument(NULL, s, n) || has_own_events(p))
		return NULL;
	offer_arguments(&near, p->mentioned);
	for (size_t i = 0; !near.n && i < n_catalog_events; i++)
		offer_arguments(&near, &catalog_events[i]);
	if (p->mentioned)
		return literal_err_with_nearest(
		    SYNTAX(at, "%s has no argument %.*s", p->mentioned->name, (int)n, s), &near);
	return literal_err_with_nearest(SYNTAX(at, "no event has an argument %.*s", (int)n, s),
					&near);
}

/* ---- literals ---- */

static struct err *add_literal(struct parser *p, struct filter_term *t)
{
	struct literal l;
	if (p->t.kind != TOKEN_WORD && p->t.kind != TOKEN_TEXT)
		return expected(p, "a value (a text is written \"in quotes\")");
	struct err *err = literal_make(t, &p->t, &l);
	if (err)
		return err;
	if (!vec_push(&t->literals, l)) {
		free(l.text);
		return err_no_memory();
	}
	advance(p, false);
	return NULL;
}

/* Parse one value; names of numbers may be joined as they are shown: O_WRONLY|O_CREAT. */
static struct err *parse_value(struct parser *p, struct filter_term *t)
{
	size_t from = p->t.at;
	struct err *err = add_literal(p, t);
	while (!err && lexer_token_is(&p->t, "|")) {
		struct literal *first = &t->literals.v[t->literals.n - 1];
		size_t at = p->t.at;
		advance(p, false);
		if (!first->is_integer || !first->is_number || literal_type(t) != FIELD_VALUES)
			return SYNTAX(
			    at,
			    "expected names of numbers on both sides of |, as in O_WRONLY|O_CREAT");
		if ((err = add_literal(p, t)))
			return err;
		struct literal more = t->literals.v[--t->literals.n];
		free(more.text);
		if (!more.is_integer || !more.is_number)
			return SYNTAX(
			    at,
			    "expected names of numbers on both sides of |, as in O_WRONLY|O_CREAT");
		first = &t->literals.v[t->literals.n - 1];
		first->i |= more.i;
		first->d = (double)first->i;
		first->ignored = (first->ignored | more.ignored) & ~(uint64_t)first->i;
		free(first->text);
		first->n_text = p->last_end - from;
		first->text = strndup(p->f->text + from, first->n_text);
		if (!first->text)
			return err_no_memory();
	}
	return err;
}

static struct err *parse_set(struct parser *p, struct filter_term *t)
{
	if (!lexer_token_is(&p->t, "{"))
		return expected(p, "{ after in, as in {41, 42}");
	advance(p, false);
	while (!lexer_token_is(&p->t, "}")) {
		struct err *err = parse_value(p, t);
		if (err)
			return err;
		if (lexer_token_is(&p->t, "..")) {
			struct literal *lo = &t->literals.v[t->literals.n - 1], hi;
			size_t at = p->t.at;
			advance(p, false);
			if (p->t.kind != TOKEN_WORD && p->t.kind != TOKEN_TEXT)
				return expected(p, "the end of the range");
			if ((err = literal_make(t, &p->t, &hi)))
				return err;
			bool is_version = literal_type(t) == FIELD_VERSION;
			free(hi.text);
			if (!is_version &&
			    (!lo->is_number || !hi.is_number || lo->is_wall != hi.is_wall))
				return SYNTAX(at, "expected numbers on both sides of ..");
			lo->is_range = true;
			lo->i_hi = hi.i, lo->d_hi = hi.d;
			lo->version_hi = hi.version, lo->n_version_hi = hi.n_version;
			lo->is_integer = lo->is_integer && hi.is_integer;
			advance(p, false);
		}
		if (lexer_token_is(&p->t, ","))
			advance(p, false);
		else if (!lexer_token_is(&p->t, "}") && p->t.kind != TOKEN_WORD &&
			 p->t.kind != TOKEN_TEXT)
			return expected(p, "',' or '}'");
	}
	if (!t->literals.n)
		return SYNTAX(p->t.at, "expected a value inside { }");
	advance(p, false);
	return NULL;
}

static struct err *parse_regex(struct parser *p, struct filter_term *t)
{
	if (p->t.kind != TOKEN_TEXT && p->t.kind != TOKEN_REGEX && p->t.kind != TOKEN_WORD)
		return expected(p, "a regular expression, as in \"\\.env$\" or /\\.env$/i");
	const char *s = p->t.p;
	struct strbuf b = { 0 };
	/* the delimiter loses its backslash, other backslashes belong to the expression */
	for (size_t i = 0; i < p->t.n; i++) {
		if (s[i] == '\\' && i + 1 < p->t.n &&
		    s[i + 1] == (p->t.kind == TOKEN_WORD ? '\\' : p->t.p[-1]))
			continue;
		strbuf_addc(&b, s[i]);
	}
	struct err *err = b.failed ? err_no_memory()
				   : regex_compile(strbuf_str(&b), b.n, p->t.flags, p->t.n_flags,
						   &t->regex);
	strbuf_fini(&b);
	if (err)
		return err->code == ERR_SYNTAX
			   ? err_with_at(err, (uint64_t)(s - p->f->text) + err->at)
			   : err;
	advance(p, false);
	return NULL;
}

/* Comparison operators in all their spellings, including Wireshark's words and Perl's =~. */
static const struct comparison {
	const char *spelling;
	enum filter_op op;
	bool is_negated;
} comparisons[] = {
	{ "==", OP_EQ, false },
	{ "!=", OP_EQ, true },
	{ "<=", OP_LE, false },
	{ ">=", OP_GE, false },
	{ "<", OP_LT, false },
	{ ">", OP_GT, false },
	{ "~", OP_MATCH, false },
	{ "!~", OP_MATCH, true },
	{ "contains", OP_CONTAINS, false },
	{ "in", OP_IN, false },
	{ "=", OP_EQ, false },
	{ "matches", OP_MATCH, false },
	{ "=~", OP_MATCH, false },
	{ "&", OP_BITS, false },
	{ "eq", OP_EQ, false },
	{ "ne", OP_EQ, true },
	{ "lt", OP_LT, false },
	{ "le", OP_LE, false },
	{ "gt", OP_GT, false },
	{ "ge", OP_GE, false },
	{ "EQ", OP_EQ, false },
	{ "NE", OP_EQ, true },
	{ "LT", OP_LT, false },
	{ "LE", OP_LE, false },
	{ "GT", OP_GT, false },
	{ "GE", OP_GE, false },
	{ "IN", OP_IN, false },
	{ "CONTAINS", OP_CONTAINS, false },
	{ "MATCHES", OP_MATCH, false },
};

static const struct comparison *comparison_find(const struct token *t)
{
	for (size_t i = 0; i < ARRAY_LEN(comparisons); i++)
		if (lexer_token_is(t, comparisons[i].spelling))
			return &comparisons[i];
	return NULL;
}

/* Parse the bits after &: one value or several joined by |, optionally followed by "!= 0" or "== 0"
 * as in C. */
static struct err *parse_bits(struct parser *p, struct filter_term *t)
{
	for (;;) {
		size_t at = p->t.at, n = p->t.end - p->t.at;
		struct err *err = add_literal(p, t);
		if (err)
			return err;
		const struct literal *l = &t->literals.v[t->literals.n - 1];
		if (!l->is_number || !l->is_integer)
			return SYNTAX(at, "expected bits, as in flags & O_CREAT or mode & 0o22");
		if (!l->i)
			return err_with_hint(
			    SYNTAX(at, "%.*s is 0: no bit to look for", (int)n, p->f->text + at),
			    "write == %.*s", (int)n, p->f->text + at);
		if (!lexer_token_is(&p->t, "|"))
			break;
		advance(p, false);
	}
	const struct comparison *o = comparison_find(&p->t);
	if (!o || o->op != OP_EQ)
		return NULL;
	advance(p, false);
	if (p->t.kind != TOKEN_WORD || p->t.n != 1 || p->t.p[0] != '0')
		return expected(p, "0: & alone asks whether a bit is set");
	advance(p, false);
	t->is_negated = !o->is_negated;
	return NULL;
}

static struct err *check_op(const struct filter_term *t, const struct token *op)
{
	enum field_type type = literal_type(t);
	bool is_order = t->op == OP_LT || t->op == OP_LE || t->op == OP_GT || t->op == OP_GE;
	bool has_members = fields[t->field].type == FIELD_FRAMES && t->member == MEMBER_NONE;
	int n = (int)op->n;
	if (has_members)
		return SYNTAX(op->at, "expected %s.func, .file, .line or .module before %.*s",
			      fields[t->field].name, n, op->p);
	if (type == FIELD_BOOL && t->op != OP_EQ)
		return SYNTAX(op->at, "%s is true or false: it takes == and !=, or stands alone",
			      fields[t->field].name);
	if (type == FIELD_NANOSECONDS && (t->op == OP_MATCH || t->op == OP_CONTAINS))
		return SYNTAX(op->at, "%s is a time: it takes == != < <= > >= and in",
			      fields[t->field].name);
	if (t->op == OP_BITS && type != FIELD_VALUES && type != FIELD_NUMBER)
		return SYNTAX(op->at,
			      "%s has no bits: & is for numbers, as in args.flags & O_CREAT",
			      fields[t->field].name);
	if (is_order && t->field == FIELD_THEME)
		return SYNTAX(
		    op->at,
		    "a theme is not before or after another: it takes == != ~ !~ contains and in");
	return NULL;
}

/* Parse [operator right] and add the term to the tree. Takes *t over. */
static struct err *parse_comparison(struct parser *p, struct filter_term *t, uint32_t *ret)
{
	struct err *err = NULL;
	const struct comparison *o = comparison_find(&p->t);
	t->op = OP_EXISTS;
	if (o) {
		t->op = o->op;
		t->is_negated = o->is_negated;
		err = check_op(t, &p->t);
		if (!err) {
			advance(p, t->op == OP_MATCH);
			err = t->op == OP_IN      ? parse_set(p, t)
			      : t->op == OP_MATCH ? parse_regex(p, t)
			      : t->op == OP_BITS  ? parse_bits(p, t)
						  : parse_value(p, t);
		}
	}
	if (err) {
		term_fini(t);
		return err;
	}
	return add_term(p, t, ret);
}

/* ---- operands ---- */

static struct err *add_step(struct filter_term *t, const char *name, size_t n, uint64_t index)
{
	struct step s = { .n_name = n, .index = index };
	if (name && !(s.name = strndup(name, n)))
		return err_no_memory();
	if (!vec_push(&t->steps, s)) {
		free(s.name);
		return err_no_memory();
	}
	return NULL;
}

/* Add the steps .a.b after an argument, from the rest of a word that starts with a dot or is
 * empty. */
static struct err *add_name_steps(struct filter_term *t, const char *s, size_t n, size_t at)
{
	while (n) {
		const char *dot = memchr(s + 1, '.', n - 1);
		size_t n_name = (dot ? (size_t)(dot - s) : n) - 1;
		if (!n_name)
			return SYNTAX(at, "expected a name after the dot");
		struct err *err = add_step(t, s + 1, n_name, 0);
		if (err)
			return err;
		s += n_name + 1;
		at += n_name + 1;
		n -= n_name + 1;
	}
	return NULL;
}

/* Parse [N] and .name after an argument. With `first`, the first [N] selects the argument. */
static struct err *parse_steps(struct parser *p, struct filter_term *t, bool first)
{
	struct err *err = NULL;
	for (;;) {
		bool is_near = p->t.at == p->last_end; /* "args [0]" is not an index */
		if (is_near && lexer_token_is(&p->t, "[")) {
			struct literal l = { 0 };
			advance(p, false);
			if (p->t.kind != TOKEN_WORD ||
			    !literal_read_number(p->t.p, p->t.n, LITERAL_NUMBER, &l) ||
			    !l.is_integer || l.i < 0 || l.i > UINT32_MAX)
				return expected(p, "a number inside [ ], counted from 0");
			if (first) {
				t->select = ARG_INDEX;
				t->arg_index = (uint64_t)l.i;
			} else if ((err = add_step(t, NULL, 0, (uint64_t)l.i))) {
				return err;
			}
			advance(p, false);
			if (!lexer_token_is(&p->t, "]"))
				return expected(p, "]");
			advance(p, false);
			first = false;
		} else if (is_near && p->t.kind == TOKEN_WORD && p->t.p[0] == '.') {
			if ((err = add_name_steps(t, p->t.p, p->t.n, p->t.at)))
				return err;
			advance(p, false);
		} else {
			return NULL;
		}
	}
}

/* How many bytes of s are the argument's name: up to the first dot, or more if the name contains
 * dots ("sys.path"). */
static size_t argument_bytes(const struct catalog_event *e, const char *s, size_t n)
{
	const char *dot = memchr(s, '.', n);
	size_t first = dot ? (size_t)(dot - s) : n;
	if (!dot || is_argument(e, s, first))
		return first;
	for (size_t k = n; k > first; k--)
		if ((k == n || s[k] == '.') && is_argument(e, s, k))
			return k;
	return first;
}

/* Parse args… or EVENT.NAME…: rest is what follows "args" or the event's name: "" or
 * ".name.more". */
static struct err *parse_argument(struct parser *p, const char *event, size_t n_event,
				  const char *rest, size_t n_rest, uint32_t *ret)
{
	struct filter_term t = { .at = p->t.at, .field = FIELD_ARGS };
	struct err *err = NULL;
	size_t rest_at = (size_t)(rest - p->f->text);
	if (event && (!(t.event = strndup(event, n_event))))
		return err_no_memory();
	t.n_event = n_event;
	if (n_rest) {
		const struct catalog_event *e = event ? catalog_find(event, n_event) : NULL;
		size_t n = argument_bytes(e, rest + 1, n_rest - 1);
		if (!n)
			err = SYNTAX(rest_at, "expected the name of an argument after the dot");
		else if (!event || e)
			err = check_argument(p, e, rest + 1, n, rest_at + 1);
		t.select = ARG_NAME;
		t.arg = strndup(rest + 1, n);
		t.n_arg = n;
		if (!err && !t.arg)
			err = err_no_memory();
		if (!err)
			err = add_name_steps(&t, rest + 1 + n, n_rest - 1 - n, rest_at + 1 + n);
	}
	if (!err) {
		advance(p, false);
		err = parse_steps(p, &t, !n_rest);
	}
	if (err) {
		term_fini(&t);
		return err;
	}
	return parse_comparison(p, &t, ret);
}

static struct err *parse_field(struct parser *p, enum field_id field, size_t n_field, uint32_t *ret)
{
	struct filter_term t = { .at = p->t.at, .field = field };
	const char *rest = p->t.p + n_field;
	size_t n_rest = p->t.n - n_field;
	if (field == FIELD_ARGS)
		return parse_argument(p, NULL, 0, rest, n_rest, ret);
	if (n_rest) { /* other fields have no members and do not get here */
		t.member = field_member_find(rest + 1, n_rest - 1);
		if (t.member == MEMBER_COUNT) {
			struct nearest near = nearest_to(rest + 1, n_rest - 1, NEAREST_WORD);
			for (int i = MEMBER_NONE + 1; i < MEMBER_COUNT; i++)
				nearest_offer(&near, frame_members[i], strlen(frame_members[i]), 0);
			return literal_err_with_nearest(
			    SYNTAX(p->t.at + n_field + 1,
				   "a frame has func, file, line and module, not %.*s",
				   (int)(n_rest - 1), rest + 1),
			    &near);
		}
	}
	advance(p, false);
	return parse_comparison(p, &t, ret);
}

/* event OP word, as a term of its own: the meaning of bare words, globs and regular expressions. */
static struct err *event_term(struct parser *p, enum filter_op op, uint32_t *ret)
{
	struct filter_term t = { .at = p->t.at, .field = FIELD_EVENT, .op = op };
	struct err *err;
	if (op == OP_MATCH) {
		err = parse_regex(p, &t);
	} else {
		err = add_literal(p, &t);
	}
	if (err) {
		term_fini(&t);
		return err;
	}
	return add_term(p, &t, ret);
}

static struct err *unknown_word(struct parser *p, const struct token *word)
{
	struct nearest near = nearest_to(word->p, word->n, NEAREST_WORD);
	int n = (int)word->n;
	if (comparison_find(&p->t)) {
		if (is_argument(NULL, word->p, word->n))
			return err_with_hint(SYNTAX(word->at, "there is no field %.*s", n, word->p),
					     "of an argument write args.%.*s", n, word->p);
		const char *dot = memchr(word->p, '.', word->n);
		size_t n_first = dot ? (size_t)(dot - word->p) : word->n;
		near.n_bytes = n_first;
		offer_fields(&near);
		if (near.n)
			return literal_err_with_nearest(
			    SYNTAX(word->at, "there is no field %.*s", n, word->p), &near);
		return err_with_hint(SYNTAX(word->at, "there is no field %.*s", n, word->p),
				     "--list-fields lists them; of an argument write args.%.*s", n,
				     word->p);
	}
	offer_fields(&near);
	offer_events(p, &near);
	if (near.n)
		return literal_err_with_nearest(
		    SYNTAX(word->at, "there is no event, category or field %.*s", n, word->p),
		    &near);
	return err_with_hint(
	    SYNTAX(word->at, "there is no event, category or field %.*s", n, word->p),
	    "of an event of your own write event == \"%.*s\", to find a text \"%.*s\"", n, word->p,
	    n, word->p);
}

static struct err *parse_word(struct parser *p, uint32_t *ret)
{
	struct token word = p->t;
	const char *dot = memchr(word.p, '.', word.n);
	size_t n_first = dot ? (size_t)(dot - word.p) : word.n;
	enum field_id field = field_find(word.p, n_first);
	bool has_rest = n_first < word.n;
	/* 1. a field; "time.sleep" is not one */
	if (field != FIELD_COUNT &&
	    (!has_rest || fields[field].type == FIELD_FRAMES || field == FIELD_ARGS))
		return parse_field(p, field, n_first, ret);
	/* 2. a glob */
	if (glob_is(word.p, word.n))
		return event_term(p, OP_GLOB, ret);
	/* 3. an event or a category; names such as "import" never take an operator */
	if (is_event(p, word.p, word.n) || is_category(p, word.p, word.n)) {
		if (word.end < p->f->n_text && p->f->text[word.end] == '[') /* EVENT[N] */
			return parse_argument(p, word.p, word.n, word.p + word.n, 0, ret);
		const struct catalog_event *e = catalog_find(word.p, word.n);
		if (e)
			p->mentioned = e;
		return event_term(p, OP_WORD, ret);
	}
	/* 4. EVENT.NAME: the longest known event before a dot */
	for (size_t n = word.n; n-- > 1;)
		if (word.p[n] == '.' && is_event(p, word.p, n))
			return parse_argument(p, word.p, n, word.p + n, word.n - n, ret);
	/* 5. unknown */
	advance(p, true);
	return unknown_word(p, &word);
}

static struct err *parse_theme(struct parser *p, uint32_t *ret)
{
	struct filter_term t = { .at = p->t.at, .field = FIELD_THEME, .op = OP_EQ };
	struct token name = p->t;
	struct literal l;
	name.at++;
	struct err *err = literal_make(&t, &name, &l);
	if (err)
		return err;
	if (!vec_push(&t.literals, l)) {
		free(l.text);
		return err_no_memory();
	}
	advance(p, false);
	return add_term(p, &t, ret);
}

/* A bare "text": in the event's name or in an argument. */
static struct err *parse_any_text(struct parser *p, uint32_t *ret)
{
	static const enum field_id where[] = { FIELD_EVENT, FIELD_ARGS };
	uint32_t ids[2];
	struct token token = p->t;
	advance(p, false);
	for (size_t i = 0; i < 2; i++) {
		struct filter_term t = { .at = token.at, .field = where[i], .op = OP_CONTAINS };
		struct literal l;
		struct err *err = literal_make(&t, &token, &l);
		if (err)
			return err;
		if (!vec_push(&t.literals, l)) {
			free(l.text);
			return err_no_memory();
		}
		if ((err = add_term(p, &t, &ids[i])))
			return err;
	}
	return add_node(p,
			(struct filter_node){ .kind = NODE_OR,
					      .a = ids[0],
					      .b = ids[1],
					      .at = token.at,
					      .n_bytes = token.end - token.at },
			ret);
}

static bool is_not(const struct token *t)
{
	return lexer_token_is(t, "not") || lexer_token_is(t, "!") || lexer_token_is(t, "NOT");
}

static bool is_and(const struct token *t)
{
	return lexer_token_is(t, "and") || lexer_token_is(t, "&&") || lexer_token_is(t, "AND");
}

static bool is_or(const struct token *t)
{
	return lexer_token_is(t, "or") || lexer_token_is(t, "||") || lexer_token_is(t, "OR");
}

static struct err *parse_not(struct parser *p, uint32_t *ret)
{
	size_t at = p->t.at;
	struct err *err;
	if (++p->nesting > NESTING_MAX)
		return SYNTAX(at, "expected at most %d parentheses and nots inside one another",
			      NESTING_MAX);
	if (is_not(&p->t)) {
		uint32_t a;
		advance(p, true);
		err = parse_not(p, &a);
		if (!err)
			err = add_node(
			    p,
			    (struct filter_node){
				.kind = NODE_NOT, .a = a, .at = at, .n_bytes = p->last_end - at },
			    ret);
	} else if (lexer_token_is(&p->t, "(")) {
		advance(p, true);
		err = parse_or(p, ret);
		if (!err && !lexer_token_is(&p->t, ")"))
			err = expected(p, "')', 'and' or 'or'");
		if (!err)
			advance(p, false);
	} else if (p->t.kind == TOKEN_THEME) {
		err = parse_theme(p, ret);
	} else if (p->t.kind == TOKEN_REGEX) {
		err = event_term(p, OP_MATCH, ret);
	} else if (p->t.kind == TOKEN_TEXT) {
		err = parse_any_text(p, ret);
	} else if (p->t.kind == TOKEN_WORD && !is_and(&p->t) && !is_or(&p->t)) {
		err = parse_word(p, ret);
	} else {
		err = expected(p, "a field, an event, @theme, \"text\" or /regex/");
	}
	p->nesting--;
	return err;
}

static struct err *parse_and(struct parser *p, uint32_t *ret)
{
	size_t at = p->t.at;
	struct err *err = parse_not(p, ret);
	while (!err && is_and(&p->t)) {
		uint32_t a = *ret, b;
		advance(p, true);
		err = parse_not(p, &b);
		if (!err)
			err = add_node(p,
				       (struct filter_node){ .kind = NODE_AND,
							     .a = a,
							     .b = b,
							     .at = at,
							     .n_bytes = p->last_end - at },
				       ret);
	}
	return err;
}

static struct err *parse_or(struct parser *p, uint32_t *ret)
{
	size_t at = p->t.at;
	struct err *err = parse_and(p, ret);
	while (!err && is_or(&p->t)) {
		uint32_t a = *ret, b;
		p->mentioned = NULL;
		advance(p, true);
		err = parse_and(p, &b);
		if (!err)
			err = add_node(p,
				       (struct filter_node){ .kind = NODE_OR,
							     .a = a,
							     .b = b,
							     .at = at,
							     .n_bytes = p->last_end - at },
				       ret);
	}
	return err;
}

struct err *filter_compile(const char *text, size_t n_bytes, struct trace *trace,
			   struct filter **ret)
{
	CLEANUP(filter) struct filter *f = calloc(1, sizeof(*f));
	if (!f || !(f->text = malloc(n_bytes + 1)))
		return err_no_memory();
	memcpy(f->text, text, n_bytes);
	f->text[n_bytes] = 0;
	f->n_text = n_bytes;
	struct parser p = { .f = f, .trace = trace, .lexer = { .text = f->text, .n = n_bytes } };
	struct err *err;
	advance(&p, true);
	if (p.t.kind == TOKEN_END)
		err = add_node(&p, (struct filter_node){ .kind = NODE_ALL }, &f->root);
	else
		err = parse_or(&p, &f->root);
	if (!err && p.t.kind != TOKEN_END)
		err = expected(&p,
			       lexer_token_is(&p.t, ")") ? "a '(' before this" : "'and' or 'or'");
	if (err)
		return err;
	*ret = take_ptr(f);
	return NULL;
}

void filter_destroy(struct filter *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->terms.n; i++)
		term_fini(&f->terms.v[i]);
	vec_fini(&f->terms);
	vec_fini(&f->nodes);
	free(f->text);
	free(f);
}

const char *filter_text(const struct filter *f)
{
	return f->text;
}

size_t filter_error_bytes(const char *text, size_t n_bytes, uint64_t at)
{
	size_t n = 0;
	while (at + n < n_bytes && !strchr(" \t\r\n()[]{},=!<>~&|", text[at + n]))
		n++;
	return n ? n : 1;
}

void filter_error_show(struct strbuf *to, const char *text, const struct err *err)
{
	size_t n_text = strlen(text), at = err->at < n_text ? (size_t)err->at : n_text;
	size_t n = filter_error_bytes(text, n_text, at), cells = 0;
	strbuf_addf(to, "%s\n", text);
	for (size_t i = 0; i < at; i++)
		cells += ((unsigned char)text[i] & 0xc0) != 0x80;
	strbuf_add_repeat(to, ' ', cells);
	strbuf_addc(to, '^');
	strbuf_add_repeat(to, '~', n - 1);
	strbuf_addf(to, "\n%s%s%s\n", err->message, err->hint ? "; " : "",
		    err->hint ? err->hint : "");
}

void filter_quote(struct strbuf *to, const char *s, size_t n)
{
	strbuf_addc(to, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c == '"' || c == '\\')
			strbuf_addc(to, '\\'), strbuf_addc(to, (char)c);
		else if (c == '\n' || c == '\t' || c == '\r')
			strbuf_adds(to, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
		else if (c < 0x20 || c == 0x7f)
			strbuf_addf(to, "\\x%02x", c);
		else
			strbuf_addc(to, (char)c);
	}
	strbuf_addc(to, '"');
}
