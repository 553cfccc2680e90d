/*
 * filter_parser: the state of a parser: the next token, and the filter that grows. For
 * filter_parse.c and the files of what it parses.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/filter_ast.h"
#include "model/filter_lexer.h"

struct catalog_event;
struct trace;

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

/* Read the next token. is_operand: an operand may stand there, such as a regular expression. */
void parser_advance(struct parser *p, bool is_operand);
/* An error at the next token: expected `what`. */
struct err *parser_expected(const struct parser *p, const char *what);
MUST_CHECK struct err *parser_add_node(struct parser *p, struct filter_node node, uint32_t *ret);
/* Takes *t over, also on failure. */
MUST_CHECK struct err *parser_add_term(struct parser *p, struct filter_term *t, uint32_t *ret);
void parser_term_fini(struct filter_term *t);
