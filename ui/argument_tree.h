/*
 * argument_tree: the arguments of one event as a typed tree, each node a line of text; and what can
 * be guessed of a value. Lines are made once per event.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/vec.h"

struct event;
struct view;

/* All text is the line's own and harmless on a terminal; NULL: there is none. */
struct argument_line {
	uint8_t indent;
	bool is_value, is_container, is_open, is_cut, is_info, is_trouble, is_dim;
	bool is_summary; /* a container whose value is shown also while it is open */
	/* in front of the name of a changed variable: "+" "~" "−"; NULL: none */
	const char *sign;
	char *name, *type, *value; /* value: one line, harmless */
	char *term;                /* filter for this value; NULL: none */
	uint64_t go;               /* event to go to; SELECTION_NONE: none */
	uint32_t key;              /* hash of the path; remembers which nodes were opened */
	char *raw;                 /* bytes of a str or bytes value */
	size_t n_raw;
	uint64_t full; /* the full length of the value */
};

struct argument_tree {
	VEC(struct argument_line) lines;
	VEC(uint32_t) flipped; /* keys of nodes that the user opened or closed */
	struct view *view;     /* borrowed, as long as lines are made */
	int n_columns;
};

/* Remove all lines. What the user opened or closed stays so. */
void argument_tree_clear(struct argument_tree *t);
void argument_tree_fini(struct argument_tree *t);
/* Append the lines of all arguments of an event, for a pane of `n_columns`. Returns how many
 * arguments it has. */
uint32_t argument_tree_build(struct argument_tree *t, struct view *view, const struct event *e,
			     int n_columns);
/* Append one line; its strings belong to the tree from now on, also if that fails. Returns the
 * line, until the next call; NULL: there are too many, or memory is short. */
struct argument_line *argument_tree_add(struct argument_tree *t, struct argument_line line);
/* Open the node if it is closed, or close it, when lines are made again. False: memory is short. */
MUST_CHECK bool argument_tree_flip(struct argument_tree *t, uint32_t key);
/* Is it a line that stands for several variables of an environment? It has a name alone. */
bool argument_line_is_fold(const struct argument_line *l);
