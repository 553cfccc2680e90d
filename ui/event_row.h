/*
 * event_row: the text of a row of the list of events, column by column, as it is drawn.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "model/folds.h"
#include "ui/event_columns.h"
#include "ui/event_text.h"

struct event;
struct strbuf;
struct view;

/* How the list shows rows now. Zero-initialised: nothing is known of it. */
struct row_look {
	struct event_columns columns;
	enum time_mode time_mode;
};

/* Would a row have another text? */
bool row_look_is_same(const struct row_look *a, const struct row_look *b);

/* The task, package and host of an event; nothing if it has none. */
void event_row_task(struct strbuf *to, struct view *s, const struct event *e);
void event_row_package(struct strbuf *to, struct view *s, const struct event *e);
void event_row_host(struct strbuf *to, struct view *s, const struct event *e);
/* The interpreter: "i0". */
void event_row_interp(struct strbuf *to, struct view *s, const struct event *e);
/* Is it the head of a fold that hides rows? */
bool event_row_fold(struct view *s, uint64_t seq, struct fold *ret);
/* What stands in the column of arguments; fold: the fold that this row stands for, NULL: none. */
void event_row_args(struct strbuf *to, struct view *s, const struct event *e,
		    const struct fold *fold, bool names, int width);
/* The name; fold as above. */
void event_row_name(struct strbuf *to, struct view *s, const struct event *e,
		    const struct fold *fold);
/* The caller, cut to its column: the function before the line number. */
void event_row_caller(struct strbuf *to, struct view *s, const struct event *e,
		      const struct event_columns *c);
/* The whole row as drawn, columns parted by two spaces, and what it shows in a narrower list. The
 * head of a fold has its texts both folded and open. */
void event_row_text(struct strbuf *to, struct view *s, const struct event *e,
		    const struct row_look *look);
/* Could this word be part of the text of a fold, which is in no other part of a row? It has no
 * space. */
bool event_row_fold_may_have(const char *word, size_t n);
