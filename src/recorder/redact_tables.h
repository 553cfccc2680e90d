/*
 * redact_tables: the words and rules of data/redaction.rec as data/gen/gen_redaction.py writes
 * them. For redact.c and redact_names.c only.
 */
#pragma once
#include <stdbool.h>

enum redact_list {
	REDACT_TELLS_END,
	REDACT_TELLS,
	REDACT_TELLS_NAME,
	REDACT_ABOUT,
	REDACT_BEFORE,
	REDACT_KEY_OF,
	REDACT_KEY_OPEN,
	REDACT_WORDS_COUNT
};
extern const char *const *const redact_lists[REDACT_WORDS_COUNT]; /* each ends with NULL */

struct redact_rule {
	const char *name, *pattern;
	/* names separated by a space: only in arguments of these; NULL = anywhere */
	const char *events;
	unsigned long long needs[2]; /* bit set: an anchor of each line must be in the text */
	unsigned least_bytes;        /* of the text */
	bool is_argv;                /* matched against words with a NUL between them */
};
extern const struct redact_rule redact_rules[];
extern const unsigned redact_n_rules;
/* They are in the order of their first anchor line: those of line i are [i + 1] … [i + 2], those
 * without anchors [0] … [1]. */
extern const unsigned char redact_first_rule[130];

/* The automaton over the anchors, which are in small letters: class of a byte, next state, the
 * anchor lines met in a state. */
extern const unsigned char redact_classes[256];
extern const unsigned redact_n_classes;
extern const unsigned short redact_goto[];        /* [state][class] */
extern const unsigned long long redact_bits[][2]; /* [state] */
