/*
 * import_cost: what importing each module cost: time and events, its own and with all that it
 * imported, as python -X importtime shows it.
 *
 * No event says that an import has ended, so the stacks do: an import is in progress while the
 * stacks of its thread go through its import statement (import_stack.h). The time from one event of
 * a thread to its next one is charged to the innermost module that was being imported when the
 * first of the two was raised. After the last event of an outermost import, it is charged only if
 * the next event is an import by the same code; else it is unknown when the import ended.
 *
 * A row is a module and the row that imported it; the same of several processes or threads is one
 * row. Without stacks there are no imports below others.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct import_cost;
struct selection;
struct strbuf;
struct trace;

#define IMPORT_COST_NO_ROW UINT32_MAX

struct import_row {
	const char *name; /* escaped for display; terminated */
	const char *from; /* "extension", ".pyc", ".py"; NULL: not from a file, or not known */
	uint32_t parent;  /* row, or IMPORT_COST_NO_ROW */
	uint32_t depth;   /* 0 = no other import was in progress */
	uint32_t n_imports;
	bool is_shown; /* its import events are in the selection */
	uint64_t self_ns, total_ns;
	uint64_t n_self_events, n_events; /* its own; and with all below it */
	uint64_t first_seq;               /* its first import event */
	bool is_ticked;                   /* times are right to PROCESS_TICK_NS only */
};

/* Append a time in ms: with `decimals`, or as far as a clock that ticks can tell: "40", "<10". */
void import_cost_add_ms(struct strbuf *to, uint64_t ns, bool is_ticked, int decimals);

/* rows (NULL = all): import events that are shown; of the others a row is kept, too, because what
 * they cost belongs to those that imported them. It is read during import_cost_step() only, must be
 * final for the events that are counted, and may be longer at each call. */
MUST_CHECK struct err *import_cost_create(struct trace *t, struct import_cost **ret);
void import_cost_destroy(struct import_cost *c);
DEFINE_CLEANUP(import_cost);
/* Count up to row `end`, for at most budget_ns (UINT64_MAX: all). Calls trace_trim(). */
MUST_CHECK struct err *import_cost_step(struct import_cost *c, const struct selection *rows,
					uint64_t end, uint64_t budget_ns);
uint64_t import_cost_n_counted(const struct import_cost *c); /* events [0, n) are counted */
/* In the order of the first import; a row is after its parent. Valid until the next step. */
const struct import_row *import_cost_rows(const struct import_cost *c, uint32_t *ret_n);
/* Append a filter for the events of a row and of all below it; false if it would be too long. */
bool import_cost_filter(const struct import_cost *c, uint32_t row, struct strbuf *to);

enum import_order {
	IMPORT_BY_TREE, /* as they were imported, each below the one that imported it */
	IMPORT_BY_SELF,
	IMPORT_BY_TOTAL,
	IMPORT_BY_EVENTS,
	IMPORT_BY_NAME,
	IMPORT_ORDER_COUNT
};
extern const char *const import_order_names[IMPORT_ORDER_COUNT]; /* "first", "self", … */
/* Put the shown rows into order[]: room for all rows; returns how many there are. */
uint32_t import_cost_sort(const struct import_cost *c, enum import_order by, uint32_t *order);
