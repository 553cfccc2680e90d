/*
 * filter_ast: a compiled filter. For filter_*.c only.
 */
#pragma once
#include "base/strbuf.h"
#include "base/vec.h"
#include "model/fields.h"
#include "model/filter.h"
#include "model/filter_regex.h"

/* Integers of a filter: signed and unsigned 64-bit values are compared exactly. */
__extension__ typedef __int128 filter_int;

/* a chain of "and" is as deep as it is long, and each level needs 4 KiB of stack */
#define TERMS_MAX 250

enum filter_op {
	OP_EXISTS,
	OP_EQ,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,    /* OP_NE is EQ with is_negated */
	OP_MATCH, /* regular expression; !~ with is_negated */
	OP_CONTAINS,
	OP_BITS, /* & : one of the literals' bits is set */
	OP_IN,
	OP_GLOB, /* a.b* alone: event names */
	OP_WORD, /* a word alone: an event or a category */
};

/* The right side of an operator. A range [lo, hi] occurs only in a set. */
struct literal {
	char *text; /* unescaped */
	size_t n_text;
	bool is_number; /* written as a number */
	bool is_integer;
	bool is_wall;     /* ns since the epoch, for time */
	bool is_constant; /* the name of a number, such as O_RDONLY: & tests for all of its bits */
	filter_int i, i_hi;
	/* bits of the value that do not count, such as O_CLOEXEC with O_RDONLY */
	uint64_t ignored;
	/* another spelling with the same meaning: null is None; NULL: none; static */
	const char *alias;
	int64_t span_ns; /* a time: the span that its last decimal covers */
	double d, d_hi;
	bool is_range;
	uint32_t version, version_hi; /* FIELD_VERSION: 0xMMmmpp00 */
	int n_version, n_version_hi;  /* number of parts given */
};

/* A step after an argument: .name or [index]. */
struct step {
	char *name; /* NULL: an index */
	size_t n_name;
	uint64_t index;
};

enum arg_select { ARG_ANY, ARG_NAME, ARG_INDEX };

struct filter_term {
	size_t at, n_bytes; /* in the filter's text */
	enum field_id field;
	enum frame_member member;
	enum filter_op op;
	bool is_negated; /* true if there is a value, and op holds for none */
	VEC(struct literal) literals;
	struct regex *regex; /* OP_MATCH */
	char *event;         /* EVENT.NAME: only this event; NULL: all */
	size_t n_event;
	enum arg_select select;
	char *arg; /* ARG_NAME */
	size_t n_arg;
	uint64_t arg_index; /* ARG_INDEX */
	VEC(struct step) steps;
	char *key; /* equal for terms with the same meaning */
};

enum node_kind { NODE_ALL, NODE_TERM, NODE_NOT, NODE_AND, NODE_OR };
struct filter_node {
	enum node_kind kind;
	uint32_t term; /* NODE_TERM */
	uint32_t a, b; /* children; NOT: a */
	size_t at, n_bytes;
	bool is_named; /* the text is the name of a ready filter, which is the nodes below */
	uint8_t cost;  /* enum field_domain of the most expensive term below */
};

struct filter {
	unsigned n_users;
	char *text;
	size_t n_text;
	VEC(struct filter_term) terms;
	VEC(struct filter_node) nodes;
	uint32_t root;
};
