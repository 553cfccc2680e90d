/*
 * pane_processes: the process tree with its threads: state, events, losses, last event. A process
 * that is not Python is listed as seen, not traced.
 *
 * Long runs of similar lines are folded: threads that have ended and were never named, children
 * that were not Python and have ended. A process that became another program by exec is one line,
 * and its earlier programs are named below. Space tags a line; + - and Enter then act on all tagged
 * lines.
 *
 * A thread that runs asyncio has a line for each name of a task below it, and on a wide screen each
 * line shows its events over time.
 *
 * What a thread waits for is known from the kernel (struct app_live_ops, task) and from the caller
 * of its last event. Its frames are not walked: only the probe does that, at events, and a thread
 * is never stopped in order to be shown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/tr.h"
#include "base/utf8.h"
#include "model/trace_task.h"
#include "ui/area.h"
#include "ui/pane_host.h"
#include "ui/process_kind.h"
#include "ui/process_lines.h"

static struct err *open_processes(const struct pane_host *host, struct pane **ret)
{
	struct processes *c = calloc(1, sizeof(*c));
	if (!c)
		return err_no_memory();
	*ret = &c->pane;
	return NULL;
}

static void close_processes(struct pane *p)
{
	struct processes *c = (struct processes *)p;
	process_lines_fini(c);
	free(c);
}

static void update_processes(struct pane *p, unsigned changes)
{
	struct processes *c = (struct processes *)p;
	if (changes & (CHANGE_FILTER | CHANGE_SIZE) ||
	    p->host->now_ns - c->built_at_ns >= 2000000000u)
		process_lines_build(c);
	list_set(&p->list, c->lines.n, p->n_lines > 8 ? p->n_lines - 6 : p->n_lines - 1);
	process_lines_look(c);
}

/* States change without an event, so they are read four times a second. */
static bool work_processes(struct pane *p, uint64_t budget_ns)
{
	struct processes *c = (struct processes *)p;
	if (view_has_target(p->host->view) && p->host->now_ns - c->looked_at_ns >= 250000000u &&
	    process_lines_look(c))
		host_redraw(p->host);
	return false;
}

static void state_text(const struct view *s, const struct proc_line *l, struct strbuf *to)
{
	const struct process_info *p = trace_process(s->trace, l->process);
	switch (l->kind) {
	case LINE_THREADS:
	case LINE_CHILDREN: strbuf_adds(to, tr("ended")); return;
	case LINE_TASK:
	case LINE_TASKS: return;
	case LINE_THREAD:
		strbuf_adds(to, l->state                          ? tr(l->state)
				: view_has_target(s) || p->end_ns ? tr("ended")
								  : "");
		return;
	case LINE_PROCESS: break;
	}
	if (p->end_ns && p->exit_status >= 0) {
		if (WIFSIGNALED(p->exit_status))
			strbuf_addf(to, tr("killed %d"), WTERMSIG(p->exit_status));
		else
			strbuf_addf(to, tr("ended %d"), WEXITSTATUS(p->exit_status));
	} else if (p->end_ns) {
		strbuf_adds(to, tr("ended"));
	} else if (l->state) {
		strbuf_adds(to, tr(l->state));
	} else {
		strbuf_adds(to, view_has_target(s) ? tr("gone") : tr("still ran"));
	}
}

/* Append "all gzip", or the first few names. */
static void crowd_text(const struct processes *c, const struct proc_line *l, struct strbuf *to)
{
	struct view *s = c->pane.host->view;
	char names[4][32];
	unsigned n = 0;
	bool more = false;
	for (uint32_t i = c->tree.first_child[l->process]; i != NOTHING && !more;
	     i = c->tree.next_child[i]) {
		const struct process_info *p = trace_process(s->trace, i);
		size_t bytes;
		const char *name = trace_string(s->trace, p->name, &bytes);
		size_t word = bytes ? strcspn(name, " ") : 0;
		if (c->tree.is_traced[i] || !bytes)
			continue;
		char one[32];
		snprintf(one, sizeof(one), "%.*s", (int)(word < bytes ? word : bytes), name);
		unsigned k = 0;
		while (k < n && strcmp(names[k], one))
			k++;
		if (k == ARRAY_LEN(names))
			more = true;
		else if (k == n)
			memcpy(names[n++], one, sizeof(one));
	}
	if (n == 1)
		strbuf_adds(to, tr("all "));
	for (unsigned k = 0; k < n; k++) {
		if (k)
			strbuf_addc(to, ' ');
		utf8_escape(to, names[k], strlen(names[k]), 0);
	}
	if (more)
		strbuf_adds(to, " …");
}

static void task_text(const struct view *s, const struct proc_line *l, struct strbuf *to)
{
	size_t n;
	const char *name = trace_task_name_text(s->trace, l->task, &n);
	strbuf_adds(to, l->task == LANE_OTHERS ? tr("other tasks") : tr("task "));
	utf8_escape(to, name, n, 0);
	if (!n && l->task != LANE_OTHERS)
		strbuf_adds(to, tr("(no name)"));
}

static void name_text(const struct processes *c, const struct proc_line *l, struct strbuf *to)
{
	struct view *s = c->pane.host->view;
	switch (l->kind) {
	case LINE_PROCESS:
		event_text_pid(to, s, l->process);
		strbuf_addc(to, ' ');
		if (!process_kind_add_worker(to, s->trace, l->process))
			text_program(to, s->trace, trace_process(s->trace, l->process)->name);
		return;
	case LINE_THREAD: {
		const struct thread_info *t = trace_thread(s->trace, l->thread);
		size_t before = to->n;
		event_text_thread(to, s, l->thread, 24);
		if (to->n - before < 11)
			strbuf_add_repeat(to, ' ', 11 - (to->n - before));
		strbuf_addf(to, " %llu", (unsigned long long)t->tid);
		if (t->interpreter)
			strbuf_addf(to, tr(" interpreter %u"), t->interpreter);
		return;
	}
	case LINE_TASK: task_text(s, l, to); return;
	case LINE_THREADS:
	case LINE_CHILDREN:
	case LINE_TASKS:
		strbuf_add_count(to, l->n);
		strbuf_adds(to, l->kind == LINE_THREADS    ? tr(" ended threads")
				: l->kind == LINE_CHILDREN ? tr(" ended children")
							   : tr(" tasks"));
		return;
	}
}

/* Append how long ago something was, in the time of the capture. */
static void add_ago(struct strbuf *to, const struct view *s, uint64_t time_ns)
{
	uint64_t last = trace_about_get(s->trace)->last_ns;
	strbuf_adds(to, ", ");
	text_duration(to, last > time_ns ? last - time_ns : 0);
	strbuf_adds(to, view_has_target(s) ? tr(" before the newest") : tr(" before the end"));
}

static void draw_process_details(const struct processes *c, const struct proc_line *l,
				 struct area a, int y)
{
	struct view *s = c->pane.host->view;
	const struct process_info *info = trace_process(s->trace, l->process);
	struct strbuf b = { 0 };
	strbuf_addf(&b, "%u", info->pid);
	if (info->ns_pid && info->ns_pid != info->pid)
		strbuf_addf(&b, tr(", %u in its container"), info->ns_pid);
	strbuf_addf(&b, tr(", child of %u"), info->ppid);
	if (info->python) {
		strbuf_adds(&b, tr(", python "));
		text_string(&b, s->trace, info->python);
	}
	process_kind_add(&b, s->trace, l->process);
	strbuf_adds(&b, info->flags & PROCESS_LAUNCHED   ? tr(", started here")
			: info->flags & PROCESS_ATTACHED ? tr(", attached to")
			: info->flags & PROCESS_FORKED   ? tr(", forked")
			: info->flags & PROCESS_EXECED   ? tr(", became another program")
							 : "");
	strbuf_adds(&b, info->flags & PROCESS_FREE_THREADED ? tr(", free-threaded") : "");
	strbuf_adds(&b,
		    trace_is_ticked(s->trace, l->process) ? tr(", times are right to 10 ms") : "");
	area_put_cut(a, y, 1, -1, ROLE_TEXT, strbuf_str(&b));
	strbuf_clear(&b);
	strbuf_adds(&b, tr("in         "));
	text_string(&b, s->trace, info->cwd);
	area_put_cut(a, y + 1, 1, -1, ROLE_DIM, strbuf_str(&b));
	strbuf_clear(&b);
	strbuf_adds(&b, tr("seen       "));
	event_text_time(&b, s, info->start_ns, 0, TIME_START, 3);
	strbuf_adds(&b, " s … ");
	if (info->end_ns)
		event_text_time(&b, s, info->end_ns, 0, TIME_START, 3);
	strbuf_adds(&b, info->end_ns ? " s" : view_is_live(s) ? tr("now") : tr("the end"));
	area_put_cut(a, y + 2, 1, -1, ROLE_DIM, strbuf_str(&b));
	strbuf_clear(&b);
	for (uint32_t i = 0, n = 0; i < l->process && n < 4; i++) {
		if (c->tree.image[i] != l->process)
			continue;
		strbuf_adds(&b, n++ ? "  →  " : tr("first was  "));
		text_program(&b, s->trace, trace_process(s->trace, i)->name);
	}
	area_put_cut(a, y + 3, 1, -1, ROLE_DIM, strbuf_str(&b));
	strbuf_fini(&b);
}

/* The last event of a thread or a task, and what raised it, in two lines from y on. */
static void draw_last_event(struct view *s, const struct proc_line *l, struct area a, int y)
{
	struct strbuf b = { 0 };
	struct event e;
	if (l->last == UINT64_MAX || !trace_event(s->trace, l->last, &e))
		return;
	strbuf_adds(&b, tr("last event "));
	event_text_name(&b, s, e.name);
	strbuf_addc(&b, ' ');
	event_text_gist(&b, s, &e, 40);
	add_ago(&b, s, e.time_ns);
	area_put_cut(a, y, 1, -1, ROLE_DIM, strbuf_str(&b));
	struct frame_info top;
	uint32_t frame, parent;
	strbuf_clear(&b);
	strbuf_adds(&b, tr("raised at  "));
	size_t before = b.n;
	if (trace_stack(s->trace, e.stack, &parent, &frame) && trace_frame(s->trace, frame, &top))
		text_place(&b, s, &top);
	struct strbuf caller = { 0 };
	event_text_caller(&caller, s, &e, true);
	size_t n_place = b.n - before;
	bool is_same = n_place && caller.n >= n_place &&
		       !memcmp(strbuf_str(&b) + before, strbuf_str(&caller), n_place);
	if (caller.n && caller.s[0] != '(' && !is_same)
		strbuf_addf(&b, "%s%s", b.n > before ? "  ◂ " : "", strbuf_str(&caller));
	if (b.n > before)
		area_put_cut(a, y + 1, 1, -1, ROLE_DIM, strbuf_str(&b));
	strbuf_fini(&caller);
	strbuf_fini(&b);
}

static void draw_thread_details(const struct processes *c, const struct proc_line *l, struct area a,
				int y)
{
	struct view *s = c->pane.host->view;
	const struct thread_info *t = trace_thread(s->trace, l->thread);
	const struct process_info *p = trace_process(s->trace, l->process);
	struct strbuf b = { 0 };
	size_t n;
	const char *name = trace_string(s->trace, t->name, &n);
	if (n)
		utf8_escape(&b, name, n, 0);
	else
		strbuf_adds(&b, p->pid == t->tid ? "MainThread" : tr("thread"));
	strbuf_addf(&b, tr(" %llu, of %u, interpreter %u"), (unsigned long long)t->tid, p->pid,
		    t->interpreter);
	area_put_cut(a, y, 1, -1, ROLE_TEXT, strbuf_str(&b));
	strbuf_clear(&b);
	if (l->state) {
		bool waits_in = !strncmp(l->state, "in ", 3);
		strbuf_addf(&b, "%s   %s", waits_in ? tr("waits in") : tr("state   "),
			    waits_in ? l->state + 3 : l->state);
		area_put_cut(a, ++y, 1, -1, ROLE_DIM, strbuf_str(&b));
	}
	strbuf_fini(&b);
	draw_last_event(s, l, a, y + 1);
}

static void draw_task_details(const struct processes *c, const struct proc_line *l, struct area a,
			      int y)
{
	struct view *s = c->pane.host->view;
	const struct thread_info *t = trace_thread(s->trace, l->thread);
	struct strbuf b = { 0 };
	struct trace_task task;
	struct event e;
	task_text(s, l, &b);
	strbuf_adds(&b, tr(", in "));
	event_text_thread(&b, s, l->thread, 24);
	strbuf_addf(&b, " %llu", (unsigned long long)t->tid);
	area_put_cut(a, y, 1, -1, ROLE_TEXT, strbuf_str(&b));
	strbuf_clear(&b);
	if (trace_event(s->trace, l->last, &e) && trace_task(s->trace, e.task, &task) &&
	    (task.n_awaited || task.n_more)) {
		strbuf_adds(&b, tr("last awaited by "));
		trace_task_add_awaited(&b, &task, TASKS_SHOWN);
		area_put_cut(a, ++y, 1, -1, ROLE_DIM, strbuf_str(&b));
	}
	strbuf_fini(&b);
	draw_last_event(s, l, a, y + 1);
}

/* The column where the events over time begin; the right edge: there is no room for them. */
static int lane_x(struct area a, int last_x)
{
	int x = last_x + 26;
	return a.n_columns - x >= 24 ? x : a.n_columns;
}

static void draw_lane(const struct processes *c, const struct proc_line *l, struct area a, int y,
		      int x)
{
	uint32_t bins[LANE_BINS] = { 0 }, cells[LANE_BINS] = { 0 }, max = 0;
	int width = a.n_columns - x - 1;
	uint32_t n = width > LANE_BINS ? LANE_BINS : width > 0 ? (uint32_t)width : 0;
	struct strbuf b = { 0 };
	if (!n || l->kind == LINE_THREADS || l->kind == LINE_CHILDREN)
		return;
	process_line_bins(c, l, bins);
	for (uint32_t i = 0; i < LANE_BINS; i++) {
		uint32_t *cell = &cells[i * n / LANE_BINS];
		*cell += bins[i];
		max = *cell > max ? *cell : max;
	}
	text_spark(&b, cells, n, max);
	area_put(a, y, x, (int)n, ROLE_DIM, strbuf_str(&b));
	strbuf_fini(&b);
}

static void draw_line(const struct processes *c, const struct proc_line *l, struct area a, int y,
		      int state_x)
{
	struct view *s = c->pane.host->view;
	const struct process_info *info = trace_process(s->trace, l->process);
	int x = 2 + l->depth * 2, count_x = state_x + 11, lost_x = count_x + 11,
	    last_x = lost_x + 8;
	bool traced = info->python_hex != 0, fold = process_line_is_fold(l);
	struct strbuf b = { 0 };
	if (x > 20)
		x = 20;
	if (process_line_is_tagged(c, l))
		area_put(a, y, 1, 1, ROLE_FOCUS, "◆");
	if (l->has_children)
		area_put(a, y, x, 1, ROLE_DIM, l->is_open ? "▾" : "▸");
	name_text(c, l, &b);
	area_put_middle(a, y, x + 2, state_x - x - 3, traced && !fold ? ROLE_TEXT : ROLE_DIM,
			strbuf_str(&b));
	strbuf_clear(&b);
	state_text(s, l, &b);
	area_put_cut(a, y, state_x, 13, ROLE_DIM, strbuf_str(&b));
	strbuf_clear(&b);
	text_count(&b, l->events, 11);
	area_put_right(a, y, count_x + 2, 9, ROLE_TEXT, strbuf_str(&b));
	if (l->kind == LINE_PROCESS) {
		strbuf_clear(&b);
		text_count(&b, info->n_lost, 7);
		area_put_right(a, y, lost_x, 7, info->n_lost ? ROLE_TROUBLE : ROLE_DIM,
			       strbuf_str(&b));
	}
	struct event e;
	enum role role = ROLE_DIM;
	strbuf_clear(&b);
	if (l->kind == LINE_CHILDREN)
		crowd_text(c, l, &b);
	else if (l->kind == LINE_PROCESS && !traced)
		strbuf_adds(&b, a.n_columns - last_x < 22 ? tr("not Python")
							  : tr("not Python: seen only"));
	else if (l->last != UINT64_MAX && trace_event(s->trace, l->last, &e)) {
		event_text_name(&b, s, e.name);
		role = view_name(s, e.name)->role;
	}
	int to_x = lane_x(a, last_x);
	area_put_cut(a, y, last_x, to_x < a.n_columns ? to_x - last_x - 1 : -1, role,
		     strbuf_str(&b));
	draw_lane(c, l, a, y, to_x);
	strbuf_fini(&b);
}

static void draw_processes(const struct pane *p, struct area a)
{
	const struct processes *c = (const struct processes *)p;
	bool focus = pane_has_focus(p);
	int wide = a.n_columns > 80 ? (a.n_columns - 80) / 3 : 0;
	if (wide > 30)
		wide = 30;
	int state_x = 31 + wide, count_x = state_x + 11, lost_x = count_x + 11, last_x = lost_x + 8;
	area_put(a, 0, 2, -1, ROLE_DIM, tr("process or thread"));
	area_put(a, 0, state_x, -1, ROLE_DIM, tr("state"));
	area_put_right(a, 0, count_x, 11, ROLE_DIM, tr("events"));
	area_put_right(a, 0, lost_x, 7, ROLE_DIM, tr("lost"));
	area_put(a, 0, last_x, -1, ROLE_DIM, tr("last event"));
	if (lane_x(a, last_x) < a.n_columns)
		area_put(a, 0, lane_x(a, last_x), -1, ROLE_DIM, tr("over time"));
	for (int y = 0; y < p->list.n_lines && p->list.top + (uint64_t)y < c->lines.n; y++) {
		draw_line(c, &c->lines.v[p->list.top + (uint64_t)y], a, y + 1, state_x);
		search_mark(p->host->search, a, y + 1);
		if (p->list.top + (uint64_t)y == p->list.cursor) {
			area_put(a, y + 1, 0, 1, ROLE_FOCUS, focus ? "▌" : "▏");
			if (focus)
				area_bar(a, y + 1);
		}
	}
	/* show what is known of the line under the cursor */
	if (a.n_lines > 8 && p->list.cursor < c->lines.n) {
		const struct proc_line *l = &c->lines.v[p->list.cursor];
		if (l->kind == LINE_TASK)
			draw_task_details(c, l, a, a.n_lines - 4);
		else if (l->kind == LINE_THREAD)
			draw_thread_details(c, l, a, a.n_lines - 4);
		else
			draw_process_details(c, l, a, a.n_lines - 4);
	}
}

static const struct proc_line *current(const struct pane *p)
{
	const struct processes *c = (const struct processes *)p;
	return p->list.cursor < c->lines.n ? &c->lines.v[p->list.cursor] : NULL;
}

static void term_of(const struct processes *c, const struct proc_line *l, struct strbuf *to)
{
	struct trace *t = c->pane.host->view->trace;
	bool is_of_thread = l->kind == LINE_THREAD || l->kind == LINE_TASK || l->kind == LINE_TASKS;
	event_text_process_filter(to, c->pane.host->view, l->process);
	if (is_of_thread && l->thread < c->n_threads)
		strbuf_addf(to, " and tid == %llu",
			    (unsigned long long)trace_thread(t, l->thread)->tid);
	if (l->kind == LINE_TASK && l->task != LANE_OTHERS) {
		size_t n;
		const char *name = trace_task_name_text(t, l->task, &n);
		strbuf_adds(to, " and task == ");
		filter_quote(to, name, n);
	} else if (l->kind == LINE_TASK || l->kind == LINE_TASKS) {
		strbuf_adds(to, " and task");
	}
}

/* Write a filter for all tagged lines, or else for the line under the cursor. */
static bool term_processes(const struct pane *p, struct strbuf *to)
{
	const struct processes *c = (const struct processes *)p;
	struct trace *t = p->host->view->trace;
	const struct proc_line *at = current(p);
	if (!c->tagged.n) {
		if (at)
			term_of(c, at, to);
		return at != NULL;
	}
	unsigned n_pids = 0, n_terms = 0;
	struct strbuf pids = { 0 };
	/* processes of one host go into one set, others and threads are named one by one */
	for (size_t i = 0; i < c->tagged.n; i++) {
		struct proc_line l = process_line_of_key(c, c->tagged.v[i]);
		if (l.process >= c->n_processes)
			continue;
		if (l.kind != LINE_PROCESS || trace_n_hosts(t)) {
			strbuf_adds(to, n_terms++ ? " or " : "");
			term_of(c, &l, to);
		} else {
			strbuf_addf(&pids, n_pids++ ? ", %u" : "%u",
				    trace_process(t, l.process)->pid);
		}
	}
	if (n_pids) {
		struct strbuf threads = *to;
		*to = (struct strbuf){ 0 };
		strbuf_addf(to, n_pids > 1 ? "pid in {%s}" : "pid == %s", strbuf_str(&pids));
		strbuf_addf(to, "%s%s", n_terms ? " or " : "", strbuf_str(&threads));
		strbuf_fini(&threads);
	}
	strbuf_fini(&pids);
	return n_terms + n_pids > 0;
}

static void flip(uint64_t **keys, size_t *n, size_t *cap, uint64_t key)
{
	struct {
		uint64_t *v;
		size_t n, cap;
	} list = { *keys, *n, *cap };
	for (size_t i = 0; i < list.n; i++)
		if (list.v[i] == key) {
			list.v[i] = list.v[--list.n];
			goto done;
		}
	if (!vec_push(&list, key))
		return;
done:
	*keys = list.v;
	*n = list.n;
	*cap = list.cap;
}

static bool act_line(struct pane *p, enum action action, uint64_t count)
{
	struct processes *c = (struct processes *)p;
	if (list_act(&p->list, action, count))
		return true;
	const struct proc_line *l = current(p);
	switch ((int)action) {
	case ACTION_OPEN: {
		if (l && process_line_is_fold(l))
			return act_line(p, ACTION_FOLD, 0);
		struct strbuf term = { 0 };
		if (term_processes(p, &term)) {
			host_close_pages(p->host, ALL_PAGES);
			host_narrow(p->host, strbuf_str(&term), false);
		}
		strbuf_fini(&term);
		return true;
	}
	case ACTION_TOGGLE:
		if (!l)
			return true;
		if (process_line_is_fold(l))
			host_flash(p->host, "z opens these; one by one they can be tagged");
		else
			flip(&c->tagged.v, &c->tagged.n, &c->tagged.cap, process_line_key(l));
		list_act(&p->list, ACTION_DOWN, 1);
		return true;
	case ACTION_LEFT:
	case ACTION_RIGHT:
	case ACTION_FOLD:
		if (!l || !l->has_children || (action == ACTION_LEFT && !l->is_open) ||
		    (action == ACTION_RIGHT && l->is_open))
			return true;
		flip(&c->flipped.v, &c->flipped.n, &c->flipped.cap, process_line_key(l));
		process_lines_build(c);
		list_set(&p->list, c->lines.n, p->list.n_lines);
		return true;
	default: return false;
	}
}

static bool act_processes(struct pane *p, enum action action, uint64_t count, const char *text)
{
	if (!act_line(p, action, count))
		return false;
	process_lines_look((struct processes *)p); /* other lines may be on the screen now */
	return true;
}

static void title_processes(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct processes *c = (const struct processes *)p;
	struct trace *t = p->host->view->trace;
	uint32_t traced = 0, seen = 0;
	(void)subject;
	for (uint32_t i = 0; i < c->n_processes; i++)
		if (c->tree.image[i] == i)
			*(trace_process(t, i)->python_hex ? &traced : &seen) += 1;
	if (c->tagged.n)
		strbuf_addf(facts, tr("%zu tagged · "), c->tagged.n);
	strbuf_addf(facts, tr("%u traced, %u seen · "), traced, seen);
	text_number_of(facts, c->n_threads, tr("thread"), tr("threads"));
}

static void line_processes(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct processes *c = (const struct processes *)p;
	if (entry < c->lines.n)
		name_text(c, &c->lines.v[entry], to);
}

const struct pane_ops pane_processes_ops = {
	.open = open_processes,
	.close = close_processes,
	.update = update_processes,
	.draw = draw_processes,
	.act = act_processes,
	.title = title_processes,
	.term = term_processes,
	.line = line_processes,
	.work = work_processes,
};
