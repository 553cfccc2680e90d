/*
 * filter_cache: verdicts per distinct thing, kept. For filter_*.c only.
 *
 * A verdict says what a term thinks of one event name, thread, frame, stack or argument value. Ids
 * of a growing capture keep their meaning, so tables are only ever extended.
 */
#pragma once
#include "base/vec.h"
#include "model/filter_ast.h"

enum verdict {
	VERDICT_UNKNOWN, /* not asked yet */
	VERDICT_ABSENT,  /* there is no such value */
	VERDICT_NO,
	VERDICT_YES
};

typedef VEC(uint8_t) verdict_vec; /* [id] enum verdict */
typedef VEC(uint32_t) depth_vec;
typedef VEC(uint64_t) bit_vec; /* bit id % 64 of word id / 64 */

#define POSITION_ANY (-1)
/* the catalogue knows no such argument: only a dictionary of arguments can have it */
#define POSITION_KEY (-2)

struct value_table {
	int position;          /* which argument; POSITION_ANY: one of them */
	verdict_vec tuples;    /* by value id of all arguments */
	verdict_vec arguments; /* by value id of one argument that is an entry of its own */
	uint32_t n_scanned;    /* ANY with needles: ids up to this one were looked at in bulk */
	bit_vec candidates; /* bit id: it, or what it refers to, has a needle; ids ≤ n_scanned */
};

struct memo {
	char *key;
	/* what it looks for in any argument, if it is a plain text; else NULL */
	char *text;
	size_t n_text;
	uint64_t last_used;
	unsigned n_users;
	verdict_vec names, threads, frames, stacks;
	/* of frames: functions, files or modules, whichever the term is about */
	verdict_vec strings;
	VEC(struct value_table *) values;
	uint64_t n_limit_hits;
};

struct filter_cache {
	struct trace *trace;
	uint64_t clock;
	VEC(struct memo *) memos;
	/* What does not depend on a term: which entries a value refers to, and which have letters
	 * beyond ASCII that are equal to k or s when case is ignored. */
	uint32_t n_indexed;     /* value ids 1 … n_indexed */
	VEC(uint32_t) refs;     /* all references, entry by entry */
	VEC(uint32_t) refs_end; /* [id] end of its references in refs; start = end of id - 1 */
	bit_vec exotic;
	uint32_t n_tags_seen; /* value ids 1 … n_tags_seen were looked at for dictionaries */
	bool has_dict;        /* one of them is: some event may name its arguments itself */
	depth_vec depths;     /* [stack id] frames, as far as was asked */
	struct regex_matcher *matcher;
	struct strbuf scratch;
};

struct err *filter_cache_memo(struct filter_cache *c, const struct filter_term *t,
			      struct memo **ret);
void filter_cache_release(struct filter_cache *c, struct memo *m);
/* Index values up to `end` (excluded). */
struct err *filter_cache_index(struct filter_cache *c, uint32_t end);
/* May an event with arguments below `end` have them as a dictionary? */
bool filter_cache_has_dict(struct filter_cache *c, uint32_t end);
struct value_table *memo_value_table(struct memo *m, int position); /* NULL when memory is short */
bool verdicts_extend(verdict_vec *v, size_t n); /* zeroed entries up to [0, n) */
bool bits_extend(bit_vec *v, size_t n);
static inline bool bits_has(const bit_vec *v, uint32_t id)
{
	return id / 64 < v->n && (v->v[id / 64] >> (id & 63) & 1);
}

/* ---- filter_value.c: what a term thinks of one thing ---- */

enum verdict term_of_name(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			  uint32_t name);
enum verdict term_of_thread(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			    uint32_t thread);
enum verdict term_of_frame(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			   uint32_t frame);
enum verdict term_of_number(const struct filter_term *t, int64_t value, int64_t wall_anchor_ns);
/* The arguments `args` at a position. Memoises. */
enum verdict term_of_args(struct filter_cache *c, const struct filter_term *t, struct memo *m,
			  struct value_table *table, uint32_t args);
/* The same of one event, when it is about the address of an object. */
enum verdict term_of_event_args(struct filter_cache *c, const struct filter_term *t, struct memo *m,
				int position, uint64_t seq, uint32_t args);
bool term_is_about_address(const struct filter_term *t);
/* Which argument the term is about in events of this name; by version of Python. */
int term_position(struct filter_cache *c, const struct filter_term *t, uint32_t name, int minor);
/* Bulk: look at all values below `end`, so that verdicts are there for all but the candidates.
 * False: cannot help. */
struct err *term_scan_values(struct filter_cache *c, const struct filter_term *t,
			     struct value_table *table, uint32_t end);
/* Does the verdict let the event through? */
static inline enum verdict term_wants(const struct filter_term *t)
{
	return t->is_negated ? VERDICT_NO : VERDICT_YES;
}
