/*
 * view: an opened capture, and what of it is shown: filter, folds, rows, marks.
 *
 *   shown   rows that pass the filter (all without a filter)
 *   rows    shown, without those that folds hide
 *   lines   rows and, where they happened, notes (losses, pauses, ends): what the event list shows,
 *           numbered from 0
 *
 * Long work is done by view_work() in slices; meanwhile the part that is known is shown.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "model/catalog.h"
#include "model/filter.h"
#include "model/folds.h"
#include "model/relations.h"
#include "model/selection.h"
#include "model/trace.h"
#include "ui/app.h"
#include "ui/canvas.h"
#include "ui/file_names.h"

struct name_facts {
	const struct catalog_event *event; /* NULL: not in the catalogue */
	enum catalog_theme theme;
	enum role role;
	bool is_own; /* an event of the program itself: catalog_is_own() */
};

struct mark {
	uint64_t seq;
	char *note; /* NULL: a plain mark */
};

enum { COMPILED_MAX = 8 };

struct view {
	struct trace *trace;
	char *path, *title;
	const struct app_live_ops *live;
	void *live_ctx;
	int terminal_fd;
	/* the program's terminal: it is below the list; it has the whole screen while the keys go
	 * to it; it was opened, or closed, once */
	bool shows_terminal, zooms_terminal, was_terminal_shown;

	/* events in the view; fewer than the trace has while frozen */
	uint64_t n_events;
	bool frozen, finished, paused, detached, has_ended;
	bool is_stream; /* it comes through a pipe */
	bool is_over;   /* trace_is_over() */
	int end_status; /* wait(2) status of the (first) process, when has_ended */
	bool recorder_gone;
	bool is_left; /* the question what to do with the program was answered */

	/* filter */
	char *filter_text;     /* "": none */
	struct filter *filter; /* NULL: none */
	/* what was compiled last, the latest first: a key is looked at by several functions */
	struct compiled {
		char *text;
		struct filter *filter;
	} compiled[COMPILED_MAX];
	struct selection *shown;
	struct filter_run *run; /* brings `shown` up to date; NULL without a filter */
	struct filter_cache *cache;
	double filter_done;         /* 0…1 */
	uint64_t filter_ns;         /* time spent on it since it was set */
	unsigned filter_generation; /* changes when rows that were decided are decided anew */
	unsigned filter_restarts;
	/* which part of the filter lets nothing through, if nothing is shown; NULL: not known
	 * (yet) */
	struct filter_explanation *why;
	bool why_done;
	uint64_t why_ns; /* when it was counted last */

	/* folds */
	bool fold_on;
	struct folds *folds;
	double folds_done;
	VEC(uint64_t) opened; /* heads of folds that the user opened */
	struct selection *rows;
	bool rows_stale;
	VEC(uint32_t) notes;       /* notes that can be lines, by place */
	VEC(uint32_t) shown_notes; /* those of them that are lines */
	uint32_t notes_seen;

	struct first_seen *first;
	double first_done;
	double load_done;

	struct file_names files;
	VEC(struct mark) marks; /* by seq */
	/* as the file had them when it was last read or written (keep.c) */
	VEC(struct mark) marks_kept;
	VEC(struct name_facts) names;
	int python_minor;          /* of the first Python process; 0: unknown */
	unsigned generation;       /* changes whenever lines may have moved */
	unsigned shown_generation; /* changes whenever `shown` changes */
};

/* Takes over source, also on failure. */
MUST_CHECK struct err *view_create(struct app_source *source, struct view **ret);
void view_destroy(struct view *s);
DEFINE_CLEANUP(view);

/* Read what was captured since the last call. *ret_changed: there is something to draw. */
MUST_CHECK struct err *view_refresh(struct view *s, bool *ret_changed);
/* Continue long work for budget_ns. True: there is more to do. *ret_changed: there is something to
 * draw. */
bool view_work(struct view *s, uint64_t budget_ns, bool *ret_changed);
/* Replace the filter. On failure (ERR_SYNTAX, with err->at) the old one stays in use. */
MUST_CHECK struct err *view_set_filter(struct view *s, const char *text);
/* Compile a filter, or take it from what was compiled last. The caller calls filter_destroy().
 * Errors: as filter_compile(). */
MUST_CHECK struct err *view_compile(struct view *s, const char *text, struct filter **ret);
void view_set_frozen(struct view *s, bool on);
/* More code is the user's own now: the filter may depend on it. */
void view_filter_again(struct view *s);
bool view_is_live(const struct view *s); /* events may still come */
/* What is held, as the recorder last told; an empty list if nothing can be. Borrowed until it is
 * read again. */
const struct hold_list *view_holds(const struct view *s);
/* The target runs on this machine, and our recorder captures it. */
bool view_has_target(const struct view *s);

uint64_t view_n_shown(struct view *s);
/* Rows [0, n) of `shown` are final until filter_generation changes. */
uint64_t view_n_decided(const struct view *s);
uint64_t view_n_lines(struct view *s);
struct line {
	bool is_note;
	uint64_t seq; /* of the event; of a note: of the event after it */
	uint32_t note;
};
bool view_line(struct view *s, uint64_t line, struct line *ret);
/* The line of an event, or of the nearest one that is shown. */
uint64_t view_line_of(struct view *s, uint64_t seq);
/* Open folds until this event is a line of its own. */
void view_reveal(struct view *s, uint64_t seq);
void view_fold_toggle(struct view *s, uint64_t seq);
void view_fold_all(struct view *s, bool on);

const struct name_facts *view_name(struct view *s, uint32_t name);
/* The process that the session is about: the first Python process, or else the first one. NULL:
 * none is known yet. */
const struct process_info *view_process(const struct view *s);
/* Python minor version of a process; the session's if it is unknown */
int view_minor_of(struct view *s, uint32_t process);
const struct mark *view_mark(const struct view *s, uint64_t seq);
void view_mark_toggle(struct view *s, uint64_t seq);
void view_mark_note(struct view *s, uint64_t seq, const char *note);
bool view_has_threads(const struct view *s);   /* more than one thread was seen */
bool view_has_processes(const struct view *s); /* more than one Python process was seen */

enum role view_role(enum catalog_theme theme);
