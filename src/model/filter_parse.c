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
#include "model/filter_comparison.h"
#include "model/filter_literal.h"
#include "model/filter_names.h"
#include "model/filter_parser.h"
#include "model/filter_ready.h"
#include "model/glob.h"

#define NESTING_MAX 100

static struct err *parse_or(struct parser *p, uint32_t *ret);

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
			parser_advance(p, false);
			if (p->t.kind != TOKEN_WORD ||
			    !literal_read_number(p->t.p, p->t.n, LITERAL_NUMBER, &l) ||
			    !l.is_integer || l.i < 0 || l.i > UINT32_MAX)
				return parser_expected(p, "a number inside [ ], counted from 0");
			if (first) {
				t->select = ARG_INDEX;
				t->arg_index = (uint64_t)l.i;
			} else if ((err = add_step(t, NULL, 0, (uint64_t)l.i))) {
				return err;
			}
			parser_advance(p, false);
			if (!lexer_token_is(&p->t, "]"))
				return parser_expected(p, "]");
			parser_advance(p, false);
			first = false;
		} else if (is_near && p->t.kind == TOKEN_WORD && p->t.p[0] == '.') {
			if ((err = add_name_steps(t, p->t.p, p->t.n, p->t.at)))
				return err;
			parser_advance(p, false);
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
	if (!dot || name_is_argument(e, s, first))
		return first;
	for (size_t k = n; k > first; k--)
		if ((k == n || s[k] == '.') && name_is_argument(e, s, k))
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
			err = name_check_argument(p, e, rest + 1, n, rest_at + 1);
		t.select = ARG_NAME;
		t.arg = strndup(rest + 1, n);
		t.n_arg = n;
		if (!err && !t.arg)
			err = err_no_memory();
		if (!err)
			err = add_name_steps(&t, rest + 1 + n, n_rest - 1 - n, rest_at + 1 + n);
	}
	if (!err) {
		parser_advance(p, false);
		err = parse_steps(p, &t, !n_rest);
	}
	if (err) {
		parser_term_fini(&t);
		return err;
	}
	return comparison_parse(p, &t, ret);
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
		if (!field_has_member(field, t.member)) {
			struct nearest near = nearest_to(rest + 1, n_rest - 1, NEAREST_WORD);
			for (int i = MEMBER_NONE + 1; i < MEMBER_COUNT; i++)
				if (field_has_member(field, (enum frame_member)i))
					nearest_offer(&near, frame_members[i],
						      strlen(frame_members[i]), 0);
			return literal_err_with_nearest(
			    SYNTAX(
				p->t.at + n_field + 1,
				field == FIELD_TASK
				    ? "a task has id and awaited_by, not %.*s"
				    : "a frame has func, file, line, module and package, not %.*s",
				(int)(n_rest - 1), rest + 1),
			    &near);
		}
	}
	parser_advance(p, false);
	return comparison_parse(p, &t, ret);
}

/* event OP word, as a term of its own: the meaning of bare words, globs and regular expressions. */
static struct err *event_term(struct parser *p, enum filter_op op, uint32_t *ret)
{
	struct filter_term t = { .at = p->t.at, .field = FIELD_EVENT, .op = op };
	struct err *err;
	if (op == OP_MATCH) {
		err = comparison_parse_regex(p, &t);
	} else {
		err = comparison_add_literal(p, &t);
	}
	if (err) {
		parser_term_fini(&t);
		return err;
	}
	return parser_add_term(p, &t, ret);
}

static struct err *unknown_word(struct parser *p, const struct token *word)
{
	struct nearest near = nearest_to(word->p, word->n, NEAREST_WORD);
	int n = (int)word->n;
	if (comparison_begins(&p->t)) {
		if (name_is_argument(NULL, word->p, word->n))
			return err_with_hint(SYNTAX(word->at, "there is no field %.*s", n, word->p),
					     "of an argument write args.%.*s", n, word->p);
		const char *dot = memchr(word->p, '.', word->n);
		size_t n_first = dot ? (size_t)(dot - word->p) : word->n;
		near.n_bytes = n_first;
		names_offer_fields(&near);
		if (near.n)
			return literal_err_with_nearest(
			    SYNTAX(word->at, "there is no field %.*s", n, word->p), &near);
		return err_with_hint(SYNTAX(word->at, "there is no field %.*s", n, word->p),
				     "--list-fields lists them; of an argument write args.%.*s", n,
				     word->p);
	}
	names_offer_fields(&near);
	names_offer_events(p, &near);
	for (size_t i = 0; i < READY_FILTERS; i++)
		nearest_offer(&near, ready_filters[i].name, strlen(ready_filters[i].name), 0);
	if (near.n)
		return literal_err_with_nearest(
		    SYNTAX(word->at, "there is no event, category or field %.*s", n, word->p),
		    &near);
	return err_with_hint(
	    SYNTAX(word->at, "there is no event, category or field %.*s", n, word->p),
	    "of an event of your own write event == \"%.*s\", to find a text \"%.*s\"", n, word->p,
	    n, word->p);
}

/* The name of a ready filter: its terms and nodes become a part of this filter. In the text they
 * are all at the name. */
static struct err *parse_ready(struct parser *p, const struct ready_filter *ready, uint32_t *ret)
{
	struct token word = p->t;
	struct filter *f = p->f;
	CLEANUP(filter) struct filter *part = NULL;
	struct err *err = filter_compile(ready->text, strlen(ready->text), NULL, &part);
	if (err)
		return err;
	if (f->terms.n + part->terms.n > TERMS_MAX)
		return SYNTAX(word.at, "expected fewer than %d terms", TERMS_MAX);
	if (!vec_reserve(&f->terms, part->terms.n) || !vec_reserve(&f->nodes, part->nodes.n))
		return err_no_memory();
	uint32_t n_terms = (uint32_t)f->terms.n, n_nodes = (uint32_t)f->nodes.n;
	for (size_t i = 0; i < part->nodes.n; i++) {
		struct filter_node node = part->nodes.v[i];
		node.term += n_terms;
		node.a += n_nodes;
		node.b += n_nodes;
		node.at = word.at;
		node.n_bytes = word.n;
		node.is_named = i == part->root;
		f->nodes.v[f->nodes.n++] = node;
	}
	for (size_t i = 0; i < part->terms.n; i++) {
		f->terms.v[f->terms.n] = part->terms.v[i];
		f->terms.v[f->terms.n].at = word.at;
		f->terms.v[f->terms.n++].n_bytes = word.n;
	}
	part->terms.n = 0; /* they are of f now */
	*ret = n_nodes + part->root;
	parser_advance(p, false);
	return NULL;
}

static struct err *parse_word(struct parser *p, uint32_t *ret)
{
	struct token word = p->t;
	const char *dot = memchr(word.p, '.', word.n);
	size_t n_first = dot ? (size_t)(dot - word.p) : word.n;
	enum field_id field = field_find(word.p, n_first);
	bool has_rest = n_first < word.n;
	/* 1. a field; "time.sleep" is not one */
	if (field != FIELD_COUNT && (!has_rest || fields[field].type == FIELD_FRAMES ||
				     field == FIELD_TASK || field == FIELD_ARGS))
		return parse_field(p, field, n_first, ret);
	/* 2. a glob */
	if (glob_is(word.p, word.n))
		return event_term(p, OP_GLOB, ret);
	/* 3. an event or a category; names such as "import" never take an operator */
	if (name_is_event(p, word.p, word.n) || name_is_category(p, word.p, word.n)) {
		if (word.end < p->f->n_text && p->f->text[word.end] == '[') /* EVENT[N] */
			return parse_argument(p, word.p, word.n, word.p + word.n, 0, ret);
		const struct catalog_event *e = catalog_find(word.p, word.n);
		if (e)
			p->mentioned = e;
		return event_term(p, OP_WORD, ret);
	}
	/* 4. EVENT.NAME: the longest known event before a dot */
	for (size_t n = word.n; n-- > 1;)
		if (word.p[n] == '.' && name_is_event(p, word.p, n))
			return parse_argument(p, word.p, n, word.p + n, word.n - n, ret);
	/* 5. a ready filter */
	const struct ready_filter *ready = ready_filter_find(word.p, word.n);
	if (ready)
		return parse_ready(p, ready, ret);
	/* 6. unknown */
	parser_advance(p, true);
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
	parser_advance(p, false);
	return parser_add_term(p, &t, ret);
}

/* A bare "text": in the event's name or in an argument. */
static struct err *parse_any_text(struct parser *p, uint32_t *ret)
{
	static const enum field_id where[] = { FIELD_EVENT, FIELD_ARGS };
	uint32_t ids[2];
	struct token token = p->t;
	parser_advance(p, false);
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
		if ((err = parser_add_term(p, &t, &ids[i])))
			return err;
	}
	return parser_add_node(p,
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
		parser_advance(p, true);
		err = parse_not(p, &a);
		if (!err)
			err = parser_add_node(
			    p,
			    (struct filter_node){
				.kind = NODE_NOT, .a = a, .at = at, .n_bytes = p->last_end - at },
			    ret);
	} else if (lexer_token_is(&p->t, "(")) {
		parser_advance(p, true);
		err = parse_or(p, ret);
		if (!err && !lexer_token_is(&p->t, ")"))
			err = parser_expected(p, "')', 'and' or 'or'");
		if (!err)
			parser_advance(p, false);
	} else if (p->t.kind == TOKEN_THEME) {
		err = parse_theme(p, ret);
	} else if (p->t.kind == TOKEN_REGEX) {
		err = event_term(p, OP_MATCH, ret);
	} else if (p->t.kind == TOKEN_TEXT) {
		err = parse_any_text(p, ret);
	} else if (p->t.kind == TOKEN_WORD && !is_and(&p->t) && !is_or(&p->t)) {
		err = parse_word(p, ret);
	} else {
		err = parser_expected(p, "a field, an event, @theme, \"text\" or /regex/");
	}
	p->nesting--;
	return err;
}

/* PART, or PART op PART op … with one operator. */
static struct err *parse_chain(struct parser *p, enum node_kind kind,
			       bool (*is_operator)(const struct token *t),
			       struct err *(*parse_part)(struct parser *p, uint32_t *ret),
			       uint32_t *ret)
{
	size_t at = p->t.at;
	struct err *err = parse_part(p, ret);
	while (!err && is_operator(&p->t)) {
		uint32_t a = *ret, b;
		if (kind == NODE_OR)
			p->mentioned = NULL;
		parser_advance(p, true);
		err = parse_part(p, &b);
		struct filter_node node = {
			.kind = kind, .a = a, .b = b, .at = at, .n_bytes = p->last_end - at
		};
		if (!err)
			err = parser_add_node(p, node, ret);
	}
	return err;
}

static struct err *parse_and(struct parser *p, uint32_t *ret)
{
	return parse_chain(p, NODE_AND, is_and, parse_not, ret);
}

static struct err *parse_or(struct parser *p, uint32_t *ret)
{
	return parse_chain(p, NODE_OR, is_or, parse_and, ret);
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
	f->n_users = 1;
	struct parser p = { .f = f, .trace = trace, .lexer = { .text = f->text, .n = n_bytes } };
	struct err *err;
	parser_advance(&p, true);
	if (p.t.kind == TOKEN_END)
		err = parser_add_node(&p, (struct filter_node){ .kind = NODE_ALL }, &f->root);
	else
		err = parse_or(&p, &f->root);
	if (!err && p.t.kind != TOKEN_END)
		err = parser_expected(&p, lexer_token_is(&p.t, ")") ? "a '(' before this"
								    : "'and' or 'or'");
	if (err)
		return err;
	*ret = take_ptr(f);
	return NULL;
}

struct filter *filter_ref(struct filter *f)
{
	if (f)
		f->n_users++;
	return f;
}

void filter_destroy(struct filter *f)
{
	if (!f || --f->n_users)
		return;
	for (size_t i = 0; i < f->terms.n; i++)
		parser_term_fini(&f->terms.v[i]);
	vec_fini(&f->terms);
	vec_fini(&f->nodes);
	free(f->text);
	free(f);
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
