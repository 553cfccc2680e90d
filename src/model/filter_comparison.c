/*
 * filter_comparison: see filter_comparison.h.
 */
#include "model/filter_comparison.h"

#include <stdlib.h>
#include <string.h>

#include "model/filter_literal.h"
#include "model/filter_parser.h"

struct err *comparison_add_literal(struct parser *p, struct filter_term *t)
{
	struct literal l;
	if (p->t.kind != TOKEN_WORD && p->t.kind != TOKEN_TEXT)
		return parser_expected(p, "a value (a text is written \"in quotes\")");
	struct err *err = literal_make(t, &p->t, &l);
	if (err)
		return err;
	if (!vec_push(&t->literals, l)) {
		free(l.text);
		return err_no_memory();
	}
	parser_advance(p, false);
	return NULL;
}

/* Parse one value; names of numbers may be joined as they are shown: O_WRONLY|O_CREAT. */
static struct err *parse_value(struct parser *p, struct filter_term *t)
{
	size_t from = p->t.at;
	struct err *err = comparison_add_literal(p, t);
	while (!err && lexer_token_is(&p->t, "|")) {
		struct literal *first = &t->literals.v[t->literals.n - 1];
		size_t at = p->t.at;
		parser_advance(p, false);
		if (!first->is_integer || !first->is_number || literal_type(t) != FIELD_VALUES)
			return SYNTAX(
			    at,
			    "expected names of numbers on both sides of |, as in O_WRONLY|O_CREAT");
		if ((err = comparison_add_literal(p, t)))
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
		return parser_expected(p, "{ after in, as in {41, 42}");
	parser_advance(p, false);
	while (!lexer_token_is(&p->t, "}")) {
		struct err *err = parse_value(p, t);
		if (err)
			return err;
		if (lexer_token_is(&p->t, "..")) {
			struct literal *lo = &t->literals.v[t->literals.n - 1], hi;
			size_t at = p->t.at;
			parser_advance(p, false);
			if (p->t.kind != TOKEN_WORD && p->t.kind != TOKEN_TEXT)
				return parser_expected(p, "the end of the range");
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
			parser_advance(p, false);
		}
		if (lexer_token_is(&p->t, ","))
			parser_advance(p, false);
		else if (!lexer_token_is(&p->t, "}") && p->t.kind != TOKEN_WORD &&
			 p->t.kind != TOKEN_TEXT)
			return parser_expected(p, "',' or '}'");
	}
	if (!t->literals.n)
		return SYNTAX(p->t.at, "expected a value inside { }");
	parser_advance(p, false);
	return NULL;
}

struct err *comparison_parse_regex(struct parser *p, struct filter_term *t)
{
	if (p->t.kind != TOKEN_TEXT && p->t.kind != TOKEN_REGEX && p->t.kind != TOKEN_WORD)
		return parser_expected(p, "a regular expression, as in \"\\.env$\" or /\\.env$/i");
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
	parser_advance(p, false);
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

bool comparison_begins(const struct token *t)
{
	return comparison_find(t) != NULL;
}

/* Parse the bits after &: one value or several joined by |, optionally followed by "!= 0" or "== 0"
 * as in C. */
static struct err *parse_bits(struct parser *p, struct filter_term *t)
{
	for (;;) {
		size_t at = p->t.at, n = p->t.end - p->t.at;
		struct err *err = comparison_add_literal(p, t);
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
		parser_advance(p, false);
	}
	const struct comparison *o = comparison_find(&p->t);
	if (!o || o->op != OP_EQ)
		return NULL;
	parser_advance(p, false);
	if (p->t.kind != TOKEN_WORD || p->t.n != 1 || p->t.p[0] != '0')
		return parser_expected(p, "0: & alone asks whether a bit is set");
	parser_advance(p, false);
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

struct err *comparison_parse(struct parser *p, struct filter_term *t, uint32_t *ret)
{
	struct err *err = NULL;
	const struct comparison *o = comparison_find(&p->t);
	t->op = OP_EXISTS;
	if (o) {
		t->op = o->op;
		t->is_negated = o->is_negated;
		err = check_op(t, &p->t);
		if (!err) {
			parser_advance(p, t->op == OP_MATCH);
			err = t->op == OP_IN      ? parse_set(p, t)
			      : t->op == OP_MATCH ? comparison_parse_regex(p, t)
			      : t->op == OP_BITS  ? parse_bits(p, t)
						  : parse_value(p, t);
		}
	}
	if (err) {
		parser_term_fini(t);
		return err;
	}
	return parser_add_term(p, t, ret);
}
