/*
 * event_columns: where the columns of the list of events stand, and how wide they are.
 *
 * The widths depend on the size of the screen and on the config, not on the rows of the page, so
 * that scrolling does not move them.
 */
#pragma once
#include <stdbool.h>

struct pane_host;

/* Cells from the left edge of the pane; a column of width 0 is not shown. */
struct event_columns {
	int seq, seq_w, time, time_w, decimals, host, host_w, pid, pid_w, interp, interp_w, thread,
	    thread_w, task, task_w, event, event_w, package, package_w, args, args_w, caller,
	    caller_w;
	bool names, function;
	unsigned no_room; /* bits of enum column: asked for, and left out */
};

/* Place the columns that the config asks for in a pane of n_columns cells. Those that have no room
 * become narrower, or are left out, the least important first. */
void event_columns_size(struct event_columns *c, const struct pane_host *host, int n_columns);
