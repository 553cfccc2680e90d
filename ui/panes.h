/*
 * panes: the table of panes and what each can do.
 *
 * To add a pane: its id in pane_id.h, a file pane_<name>.c with its ops, a row in panes[]
 * (panes.c), key rows in keys.c, and an action that opens it (action.h and the pane_of_action table
 * in panes.c). tests/unit/test_ui_screens.c draws it.
 *
 *   update  the events, the filter, the cursor or the size have changed: work out what is shown;
 *           the only place that may take time (what takes long goes into work)
 *   draw    paint, and nothing else
 *   act     do an action, never a key; false: not mine
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "ui/action.h"
#include "ui/canvas.h"
#include "ui/list.h"
#include "ui/pane_id.h"

struct pane;
struct strbuf;
struct ui;

enum change {
	CHANGE_EVENTS = 1, /* more events */
	CHANGE_FILTER = 2, /* other rows are shown */
	CHANGE_CURSOR = 4, /* another event is looked at */
	CHANGE_SIZE = 8,
	CHANGE_TICK = 16, /* about four times a second while live and visible */
	CHANGE_ALL = 31
};

struct pane_ops {
	struct err *(*open)(struct ui *ui, struct pane **ret);
	void (*close)(struct pane *p);
	void (*update)(struct pane *p, unsigned changes);
	void (*draw)(const struct pane *p, struct area body);
	bool (*act)(struct pane *p, enum action action, uint64_t count, const char *text);
	/* Left and right part of the title rule. May be NULL. */
	void (*title)(const struct pane *p, struct strbuf *subject, struct strbuf *facts);
	/* The filter term for what is under the cursor: "event == \"open\"". False: there is none.
	 * May be NULL. */
	bool (*term)(const struct pane *p, struct strbuf *to);
	/* The text of an entry of the list, for search and copy. May be NULL: nothing to search. */
	void (*line)(const struct pane *p, uint64_t entry, struct strbuf *to);
	/* Long work in a slice; true: more to do. May be NULL. */
	bool (*work)(struct pane *p, uint64_t budget_ns);
	/* A raw key, before the key table: only the terminal and prompts of lessons take them. May
	 * be NULL. */
	bool (*key)(struct pane *p, int key);
};

struct pane_row {
	const char *name; /* as the config file and `bind` spell it */
	const char *title;
	const struct pane_ops *ops;
	bool is_page;  /* takes the whole body */
	bool may_dock; /* may open at the bottom of wide screens */
};

extern const struct pane_row panes[PANE_COUNT];

/* What all panes begin with. */
struct pane {
	const struct pane_ops *ops;
	struct ui *ui;
	enum pane_id id;
	int n_lines, n_columns; /* of the body */
	bool visible;
	struct list list;
};

enum pane_id pane_find(const char *name); /* PANE_NONE */
/* The pane that an action opens; PANE_NONE if it opens none. */
enum pane_id pane_of_action(enum action action);

extern const struct pane_ops pane_events_ops, pane_categories_ops, pane_arguments_ops,
    pane_stack_ops, pane_timeline_ops, pane_summary_ops, pane_callers_ops, pane_inside_ops,
    pane_processes_ops, pane_bytes_ops, pane_messages_ops, pane_marks_ops, pane_filters_ops,
    pane_catalog_ops, pane_lessons_ops, pane_lesson_ops, pane_terminal_ops, pane_start_ops,
    pane_help_ops, pane_diff_ops;
