/*
 * filter_literal: the right side of an operator. For filter_*.c only.
 */
#pragma once
#include "model/filter_ast.h"
#include "model/filter_lexer.h"

#define SYNTAX(at, ...) err_with_at(err_create(ERR_SYNTAX, __VA_ARGS__), (at))

/* Which kind of literal a term compares with: a frame's line is a number, … */
enum field_type literal_type(const struct filter_term *t);
/* One literal from token k into *ret, whose text is then owned by it. */
struct err *literal_make(const struct filter_term *t, const struct token *k, struct literal *ret);
enum literal_form {
	LITERAL_NUMBER, /* 42, 4k, 0x2a, 0o52, 0b101010 */
	LITERAL_TIME,   /* 2.5s, 300ms; without a unit: seconds */
	LITERAL_VALUE   /* as LITERAL_NUMBER, and 0700 is octal, as permission bits are shown */
};
/* A number with its unit; false if the text is none. */
bool literal_read_number(const char *s, size_t n, enum literal_form form, struct literal *ret);
