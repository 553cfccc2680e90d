/*
 * event_columns: see event_columns.h.
 */
#include "ui/event_columns.h"

#include <stdint.h>

#include "model/trace.h"
#include "ui/config.h"
#include "ui/event_text.h"
#include "ui/pane_host.h"
#include "ui/view.h"

/* Put a column of this width at x, or none; returns where the next one begins. */
static int place(int *ret_x, int width, int x)
{
	*ret_x = x;
	return width ? x + width + 1 : x;
}

/* At least five, so that a capture that begins to grow does not move the columns. */
static int digits(uint64_t n)
{
	int w = 5;
	for (uint64_t limit = 100000; n >= limit && w < 19; limit *= 10)
		w++;
	return w;
}

/* Are the times of all processes right to a tick only? */
static bool is_ticked(const struct trace *t)
{
	uint32_t n = trace_n_processes(t), i = 0;
	while (i < n && trace_is_ticked(t, i))
		i++;
	return n && i == n;
}

void event_columns_size(struct event_columns *c, const struct pane_host *host, int w)
{
	struct view *s = host->view;
	enum { ARGS_ENOUGH = 60, CALLER_MORE = 40, TICK_DECIMALS = 2 };
	int screen = host->n_columns;
	bool is_wide = false;
	unsigned on = host->config->columns;
	*c = (struct event_columns){ 0 };
	c->names = screen >= 100;
	c->function = true;
	c->decimals = screen >= 160 ? 6 : screen >= 120 ? 4 : 3;
	if (is_ticked(s->trace) && c->decimals > TICK_DECIMALS)
		c->decimals = TICK_DECIMALS;
	c->event_w = screen >= 160 ? 24 : screen >= 120 ? 20 : 17;
	c->thread_w = screen >= 160 ? 8 : screen >= 120 ? 6 : 4;
	c->caller_w = screen >= 220 ? 32 : screen >= 160 ? 23 : 20;
	c->host_w = trace_n_hosts(s->trace) ? screen >= 120 ? 10 : 6 : 0;
	c->pid_w = view_has_processes(s) ? 6 : 0;
	if (!view_has_threads(s) || !(on & 1u << COLUMN_THREAD))
		c->thread_w = 0;
	if (!(on & 1u << COLUMN_PROCESS))
		c->pid_w = c->host_w = 0;
	if (on & 1u << COLUMN_PID)
		c->pid_w = 7; /* the largest pid is 4 194 304 (proc(5), pid_max) */
	if (on & 1u << COLUMN_INTERP)
		c->interp_w = 3;
	if (on & 1u << COLUMN_PACKAGE)
		c->package_w = 14;
	if (on & 1u << COLUMN_TASK)
		c->task_w = screen >= 120 ? 12 : 8;
	if (on & 1u << COLUMN_SEQ)
		c->seq_w = digits(s->n_events);
	if (!(on & 1u << COLUMN_CALLER))
		c->caller_w = 0;
	if (!(on & 1u << COLUMN_EVENT))
		c->event_w = 0;
	for (;;) {
		c->time_w = on & 1u << COLUMN_TIME
				? event_text_time_width(s, host->time_mode, c->decimals)
				: 0;
		int x = 3;
		x = place(&c->seq, c->seq_w, x);
		x = place(&c->time, c->time_w, x);
		x = place(&c->host, c->host_w, x);
		x = place(&c->pid, c->pid_w, x);
		x = place(&c->interp, c->interp_w, x);
		x = place(&c->thread, c->thread_w, x);
		x = place(&c->task, c->task_w, x);
		x = place(&c->event, c->event_w, x);
		x = place(&c->package, c->package_w, x);
		c->args = x;
		c->args_w = w - x - (c->caller_w ? c->caller_w + 1 : 0);
		/* a wide list: the caller takes half of what the arguments need not have */
		if (c->caller_w && c->args_w > ARGS_ENOUGH && !is_wide) {
			int more = (c->args_w - ARGS_ENOUGH) / 2;
			c->caller_w += more < CALLER_MORE ? more : CALLER_MORE;
			is_wide = true;
			continue;
		}
		c->caller = w - c->caller_w;
		if (c->args_w >= 20)
			return;
		/* narrow the columns in this order: names, decimals, function, event, thread,
		 * file; those that were asked for by name go late */
		if (c->names)
			c->names = false;
		else if (c->decimals > 3)
			c->decimals = 3;
		else if (c->function && c->caller_w)
			c->function = false, c->caller_w = 12;
		else if (c->event_w > 17)
			c->event_w = 17;
		else if (c->thread_w)
			c->thread_w = 0, c->no_room |= 1u << COLUMN_THREAD;
		else if (c->interp_w)
			c->interp_w = 0, c->no_room |= 1u << COLUMN_INTERP;
		else if (c->pid_w)
			c->pid_w = 0,
			c->no_room |= 1u << (on & 1u << COLUMN_PID ? COLUMN_PID : COLUMN_PROCESS);
		else if (c->host_w)
			c->host_w = 0, c->no_room |= 1u << COLUMN_PROCESS;
		else if (c->caller_w)
			c->caller_w = 0, c->no_room |= 1u << COLUMN_CALLER;
		else if (c->package_w)
			c->package_w = 0, c->no_room |= 1u << COLUMN_PACKAGE;
		else if (c->task_w)
			c->task_w = 0, c->no_room |= 1u << COLUMN_TASK;
		else if (c->seq_w)
			c->seq_w = 0, c->no_room |= 1u << COLUMN_SEQ;
		else if (c->decimals > 0)
			c->decimals = 0;
		else {
			if (c->args_w < 0)
				c->args_w = 0;
			return;
		}
	}
}
