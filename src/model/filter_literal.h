/*
 * filter_literal: the right side of an operator. For filter_*.c only.
 */
#pragma once
#include "base/nearest.h"
#include "model/filter_ast.h"
#include "model/filter_lexer.h"

#define SYNTAX(at, ...) err_with_at(err_create(ERR_SYNTAX, __VA_ARGS__), (at))

/* The type of literal that a term is compared with; for example a number for the line of a
 * frame. */
enum field_type literal_type(const struct filter_term *t);
/* Make one literal from token k; *ret owns its text. */
struct err *literal_make(const struct filter_term *t, const struct token *k, struct literal *ret);
enum literal_form {
	LITERAL_NUMBER, /* 42, 4k, 0x2a, 0o52, 0b101010 */
	LITERAL_TIME,   /* 2.5s, 300ms; without a unit: seconds */
	LITERAL_VALUE   /* like LITERAL_NUMBER, and 0700 is octal, as permission bits are shown */
};
/* Give the error the hint "did you mean …?" if a name is near. */
struct err *literal_err_with_nearest(struct err *err, const struct nearest *near);
/* Read a number with its unit; false if the text is not one. */
bool literal_read_number(const char *s, size_t n, enum literal_form form, struct literal *ret);
