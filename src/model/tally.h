/*
 * tally: count the selected events by a key, in slices, of a capture that may grow.
 *
 * It does what group.h does, for callers that must not block: counting stops at a deadline and
 * continues later, and intermediate counts can be shown. A key is made when an id of the column is
 * first seen, so ids that no selected event has cost nothing.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "model/group.h"

struct selection;
struct tally;
struct trace;

#define TALLY_LEAVE_OUT UINT32_MAX
#define TALLY_BINS_MAX  64u

struct tally_spec {
	enum group_column column;
	/* Returns the key of an id: one of the keys so far, their number (a new key), or
	 * TALLY_LEAVE_OUT. `name` is that of the event in which the id is first seen. It is called
	 * once per id, with by_name once per id and name, and must not call trace_trim(). NULL: the
	 * id is the key. */
	uint32_t (*key)(void *ctx, uint32_t id, uint32_t name);
	/* The key depends on the name as well: events of different names may have the same
	 * arguments. */
	bool by_name;
	/* Events of this name count. NULL: all do. */
	bool (*wants)(void *ctx, uint32_t name);
	void *ctx;
	uint32_t n_bins; /* of time, ≤ TALLY_BINS_MAX; 0 none */
	/* the bins cover [0, span_ns); the span doubles when later events come */
	uint64_t span_ns;
};

struct tally_entry {
	uint64_t count, first; /* first: row of the first event; UINT64_MAX while count is 0 */
	const uint32_t *bins;  /* [n_bins]; NULL without. Valid until the next step */
};

/* The trace and spec->ctx must outlive the tally; *spec is copied. ERR_NO_MEMORY. */
MUST_CHECK struct err *tally_create(struct trace *t, const struct tally_spec *spec,
				    struct tally **ret);
void tally_destroy(struct tally *t);
DEFINE_CLEANUP(tally);
/* Continue counting up to row `end`, for at most budget_ns (at least some hundred rows). `sel`
 * (NULL = all) must be final below `end`: counted rows are not read again. Calls trace_trim(). */
MUST_CHECK struct err *tally_step(struct tally *t, const struct selection *sel, uint64_t end,
				  uint64_t budget_ns);
uint64_t tally_n_rows(const struct tally *t); /* rows [0, n) have been counted */
uint32_t tally_n_keys(const struct tally *t);
struct tally_entry tally_get(const struct tally *t, uint32_t key); /* key < tally_n_keys() */
/* The end of the last bin, which may have doubled since tally_create(). */
uint64_t tally_span_ns(const struct tally *t);
