/*
 * filter_parser: see filter_parser.h.
 */
#include "model/filter_parser.h"

#include <stdlib.h>

#include "base/strbuf.h"
#include "model/filter_literal.h"

void parser_advance(struct parser *p, bool is_operand)
{
	p->last_end = p->t.end;
	p->lexer.is_operand = is_operand;
	p->t = lexer_next(&p->lexer);
}

struct err *parser_expected(const struct parser *p, const char *what)
{
	if (p->t.kind == TOKEN_BAD)
		return SYNTAX(p->t.at, "expected %s", p->t.p);
	if (p->t.kind == TOKEN_END)
		return SYNTAX(p->t.at, "expected %s here", what);
	return SYNTAX(p->t.at, "expected %s, not %.*s", what, (int)(p->t.end - p->t.at),
		      p->f->text + p->t.at);
}

struct err *parser_add_node(struct parser *p, struct filter_node node, uint32_t *ret)
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

void parser_term_fini(struct filter_term *t)
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

struct err *parser_add_term(struct parser *p, struct filter_term *t, uint32_t *ret)
{
	t->n_bytes = p->last_end - t->at;
	struct err *err = p->f->terms.n >= TERMS_MAX
			      ? SYNTAX(t->at, "expected fewer than %d terms", TERMS_MAX)
			      : set_key(p, t);
	if (!err && !vec_push(&p->f->terms, *t))
		err = err_no_memory();
	if (err) {
		parser_term_fini(t);
		return err;
	}
	return parser_add_node(p,
			       (struct filter_node){ .kind = NODE_TERM,
						     .term = (uint32_t)p->f->terms.n - 1,
						     .at = t->at,
						     .n_bytes = t->n_bytes },
			       ret);
}
