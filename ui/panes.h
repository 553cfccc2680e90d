/*
 * panes: what a pane is, and what each can do. The table of panes is PANES (pane_id.h); what a pane
 * sees and asks for is in pane_host.h.
 *
 *   update  the events, the filter, the cursor or the size have changed: prepare what is shown,
 *           and read what it needs from outside (/proc); long work is left to work
 *   draw    paint what update and work have prepared. No file is read here
 *   act     do an action, never a key; false: the app does it
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
struct pane_host;
struct strbuf;

enum change {
	CHANGE_EVENTS = 1, /* more events */
	CHANGE_FILTER = 2, /* other rows are shown */
	CHANGE_CURSOR = 4, /* the cursor is on another event */
	CHANGE_SIZE = 8,
	CHANGE_TICK = 16, /* about four times a second while live and visible */
	CHANGE_ALL = 31,
	CHANGE_LIST = 32 /* the app has moved the cursor of its list */
};

struct pane_ops {
	struct err *(*open)(const struct pane_host *host, struct pane **ret);
	void (*close)(struct pane *p);
	void (*update)(struct pane *p, unsigned changes);
	void (*draw)(const struct pane *p, struct area body);
	bool (*act)(struct pane *p, enum action action, uint64_t count, const char *text);
	/* Append the left and right part of the title rule. May be NULL. */
	void (*title)(const struct pane *p, struct strbuf *subject, struct strbuf *facts);
	/* Append the filter term for the line under the cursor: "event == \"open\"". Returns false
	 * if there is none. May be NULL. */
	bool (*term)(const struct pane *p, struct strbuf *to);
	/* Append the text of an entry of the list, for search and copy. May be NULL: nothing can be
	 * searched. */
	void (*line)(const struct pane *p, uint64_t entry, struct strbuf *to);
	/* Do long work for one slice; returns true if there is more to do. May be NULL. */
	bool (*work)(struct pane *p, uint64_t budget_ns);
	/* Take a raw key before the key table does: for the terminal and lessons. May be NULL. */
	bool (*key)(struct pane *p, int key);
};

extern const struct pane_ops *const pane_functions[PANE_COUNT];

/* Every pane begins with this struct. */
struct pane {
	const struct pane_ops *ops;
	const struct pane_host *host;
	enum pane_id id;
	int n_lines, n_columns; /* of the body */
	bool visible;
	struct list list;
};

#define X(id, file, name, title, flags) extern const struct pane_ops pane_##file##_ops;
PANES(X)
#undef X
