/*
 * filter_cache: cached verdicts per distinct string, value, frame or stack. For filter_*.c only.
 *
 * A verdict is the result of a term for one event name, thread, frame, stack or argument value. Ids
 * of a growing capture keep their meaning, so tables are only ever extended.
 */
#pragma once
#include "base/vec.h"
#include "model/filter_ast.h"
#include "model/gathered.h"

enum verdict {
	VERDICT_UNKNOWN, /* not computed yet */
	VERDICT_ABSENT,  /* there is no such value */
	VERDICT_NO,
	VERDICT_YES
};

typedef VEC(uint8_t) verdict_vec; /* [id] enum verdict */
typedef VEC(uint32_t) depth_vec;
typedef VEC(uint64_t) bit_vec; /* bit id % 64 of word id / 64 */

#define POSITION_ANY (-1)
/* the catalogue has no such argument: only a dictionary of arguments can have it */
#define POSITION_KEY (-2)

struct value_table {
	int position;          /* which argument; POSITION_ANY: any of them */
	verdict_vec tuples;    /* by value id of all arguments */
	verdict_vec arguments; /* by value id of one argument that is an entry of its own */
	uint32_t n_scanned;    /* ANY with needles: ids up to this one were scanned in bulk */
	/* bit id: the value, or one that it refers to, has a needle; ids ≤ n_scanned */
	bit_vec candidates;
	/* file, peer, port, command: the name that the verdict of [args id] is of */
	depth_vec names;
};

struct memo {
	char *key;
	/* the plain text that it looks for in any argument; else NULL */
	char *text;
	size_t n_text;
	uint64_t last_used;
	unsigned n_users;
	verdict_vec names, threads, frames, stacks;
	/* of frames: by function, file or module, whichever the term tests */
	verdict_vec strings;
	VEC(struct value_table *) values;
	uint64_t n_limit_hits;
};

struct filter_cache {
	struct trace *trace;
	uint64_t clock;
	VEC(struct memo *) memos;
	/* Facts that do not depend on a term: which entries a value refers to, and which contain
	 * non-ASCII letters that equal k or s when case is ignored. */
	uint32_t n_indexed;     /* value ids 1 … n_indexed */
	VEC(uint32_t) refs;     /* all references, entry by entry */
	VEC(uint32_t) refs_end; /* [id] end of its references in refs; start = end of id - 1 */
	bit_vec exotic;
	uint32_t n_tags_seen; /* value ids 1 … n_tags_seen were checked for dictionaries */
	/* one of them is a dictionary: some event may name its arguments itself */
	bool has_dict;
	unsigned n_callers_found; /* trace_callers_found() of the verdicts on stacks */
	depth_vec depths;         /* [stack id] frames, as far as needed so far */
	struct regex_matcher *matcher;
	struct strbuf scratch;
	struct gathered gathered;
};

/* Get the memo of a term, made if it is new; the caller releases it. Terms with equal keys share
 * one. ERR_NO_MEMORY. */
MUST_CHECK struct err *filter_cache_memo(struct filter_cache *c, const struct filter_term *t,
					 struct memo **ret);
/* Give a memo back. One without users is kept for later terms; the oldest are freed when there are
 * many. */
void filter_cache_release(struct filter_cache *c, struct memo *m);
/* Index values up to `end` (excluded). ERR_NO_MEMORY. */
MUST_CHECK struct err *filter_cache_index(struct filter_cache *c, uint32_t end);
/* May an event with arguments below `end` have them as a dictionary? */
bool filter_cache_has_dict(struct filter_cache *c, uint32_t end);
/* The table of a memo for one position of arguments, made if it is new; NULL if memory is short. */
struct value_table *filter_cache_value_table(struct memo *m, int position);
/* Add zeroed entries or bits, so that there are n at least; false if memory is short. */
bool filter_cache_verdicts_extend(verdict_vec *v, size_t n);
bool filter_cache_bits_extend(bit_vec *v, size_t n_bits);
static inline bool bits_has(const bit_vec *v, uint32_t id)
{
	return id / 64 < v->n && (v->v[id / 64] >> (id & 63) & 1);
}

/* The verdict for which the term lets an event through. */
static inline enum verdict term_wants(const struct filter_term *t)
{
	return t->is_negated ? VERDICT_NO : VERDICT_YES;
}
