/*
 * process_lines: see process_lines.h.
 */
#include "ui/process_lines.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/hash_map.h"
#include "base/tr.h"

enum { CROWD = 6, LINES_MAX = 50000 };

void process_lines_fini(struct processes *c)
{
	vec_fini(&c->lines);
	vec_fini(&c->flipped);
	vec_fini(&c->tagged);
	lanes_fini(&c->lanes);
	free(c->thread_events);
	free(c->thread_last);
	free(c->tree.memory);
	free(c->tree.is_traced);
	vec_fini(&c->thread_ended);
}

/* A key: the kind from bit 61 on; in the 29 bits below, the process, or of a task the task, because
 * its thread says the process; below, the thread. */
#define KEY_KIND   61
#define KEY_MIDDLE 0x1fffffffu

uint64_t process_line_key(const struct proc_line *l)
{
	uint32_t middle = l->kind == LINE_TASK ? l->task : l->process;
	return (uint64_t)l->kind << KEY_KIND | (uint64_t)(middle & KEY_MIDDLE) << 32 | l->thread;
}

struct proc_line process_line_of_key(const struct processes *c, uint64_t key)
{
	struct proc_line l = { .kind = (enum line_kind)(key >> KEY_KIND),
			       .process = (uint32_t)(key >> 32) & KEY_MIDDLE,
			       .thread = (uint32_t)key };
	if (l.kind == LINE_TASK) {
		l.task = l.process == (LANE_OTHERS & KEY_MIDDLE) ? LANE_OTHERS : l.process;
		l.process = l.thread < c->n_threads
				? trace_thread(c->pane.host->view->trace, l.thread)->process
				: NOTHING;
	}
	return l;
}

static bool is_in(const uint64_t *keys, size_t n, uint64_t key)
{
	for (size_t i = 0; i < n; i++)
		if (keys[i] == key)
			return true;
	return false;
}

static bool is_flipped(const struct processes *c, const struct proc_line *l)
{
	return is_in(c->flipped.v, c->flipped.n, process_line_key(l));
}

bool process_line_is_tagged(const struct processes *c, const struct proc_line *l)
{
	return is_in(c->tagged.v, c->tagged.n, process_line_key(l));
}

static bool push(struct processes *c, struct proc_line line)
{
	return c->lines.n < LINES_MAX && vec_push(&c->lines, line);
}

/* The system calls that threads wait in; a thread in any other call is "sleeping". */
static const struct {
	long number;
	const char *state;
} waits[] = {
	{ SYS_futex, N_("in futex") },      { SYS_ppoll, N_("in poll") },
	{ SYS_pselect6, N_("in select") },  { SYS_epoll_pwait, N_("in epoll") },
	{ SYS_read, N_("in read") },        { SYS_write, N_("in write") },
	{ SYS_recvfrom, N_("in recv") },    { SYS_recvmsg, N_("in recv") },
	{ SYS_sendto, N_("in send") },      { SYS_accept, N_("in accept") },
	{ SYS_accept4, N_("in accept") },   { SYS_connect, N_("in connect") },
	{ SYS_wait4, N_("in wait") },       { SYS_waitid, N_("in wait") },
	{ SYS_nanosleep, N_("in sleep") },  { SYS_clock_nanosleep, N_("in sleep") },
	{ SYS_flock, N_("in flock") },      { SYS_fcntl, N_("in fcntl") },
	{ SYS_fsync, N_("in fsync") },      { SYS_rt_sigtimedwait, N_("in sigwait") },
#ifdef SYS_poll /* not on aarch64 */
	{ SYS_poll, N_("in poll") },        { SYS_select, N_("in select") },
	{ SYS_epoll_wait, N_("in epoll") }, { SYS_pause, N_("in pause") },
#endif
};

/* Return what a thread of a live session does, in a word; NULL: there is no such thread. */
static const char *kernel_state(const struct view *s, uint32_t pid, uint64_t tid)
{
	struct app_task task;
	if (!view_has_target(s) || !s->live->task || !s->live->task(s->live_ctx, pid, tid, &task))
		return NULL;
	switch (task.state) {
	case 'R': return N_("running");
	case 'D': return N_("in disk wait");
	case 'T': return N_("stopped");
	case 't': return N_("traced");
	case 'Z': return N_("zombie");
	case 'S': break;
	default: return "?";
	}
	for (size_t i = 0; i < ARRAY_LEN(waits); i++)
		if (waits[i].number == task.syscall)
			return waits[i].state;
	return N_("sleeping");
}

static bool process_has_ended(const struct view *s, uint32_t process)
{
	const struct process_info *p = trace_process(s->trace, process);
	return p->end_ns || !kernel_state(s, p->pid, p->pid);
}

static bool thread_has_ended(struct processes *c, uint32_t thread)
{
	struct view *s = c->pane.host->view;
	const struct thread_info *t = trace_thread(s->trace, thread);
	const struct process_info *p = trace_process(s->trace, t->process);
	if (p->end_ns || !view_has_target(s))
		return true;
	if (thread < c->thread_ended.n && c->thread_ended.v[thread])
		return true;
	bool ended = !kernel_state(s, p->pid, t->tid);
	while (ended && c->thread_ended.n <= thread)
		if (!vec_push(&c->thread_ended, 0))
			return ended;
	if (ended)
		c->thread_ended.v[thread] = 1;
	return ended;
}

/* Was the thread given no name? Once it has ended it may be folded with others. */
static bool is_nameless(struct trace *t, uint32_t thread)
{
	const struct thread_info *info = trace_thread(t, thread);
	const struct process_info *p = trace_process(t, info->process);
	size_t n;
	const char *name = trace_string(t, info->name, &n);
	if (p && p->pid == info->tid)
		return false;
	return n == 0 || (n > 7 && !memcmp(name, "Thread-", 7)) ||
	       (n > 18 && !memcmp(name, "ThreadPoolExecutor", 18));
}

static void add_counts(const struct processes *c, uint32_t thread, struct proc_line *to)
{
	to->events += c->thread_events[thread];
	if (c->thread_events[thread] &&
	    (to->last == UINT64_MAX || c->thread_last[thread] > to->last))
		to->last = c->thread_last[thread];
}

/* The line that stands for many. */
static struct proc_line crowd_line(struct processes *c, enum line_kind kind, uint32_t process,
				   uint32_t thread, unsigned depth)
{
	struct proc_line crowd = { .kind = kind,
				   .process = process,
				   .thread = thread,
				   .depth = (uint8_t)depth,
				   .has_children = true,
				   .last = UINT64_MAX };
	crowd.is_open = is_flipped(c, &crowd);
	return crowd;
}

static void add_lane(struct proc_line *to, const struct lane *lane)
{
	to->n++;
	to->events += lane->events;
	if (to->last == UINT64_MAX || lane->last > to->last)
		to->last = lane->last;
}

/* The tasks of a thread, in the order of their first events. */
static void add_tasks(struct processes *c, uint32_t process, uint32_t thread, unsigned depth)
{
	const uint32_t *next = c->tree.next_task;
	struct proc_line crowd = crowd_line(c, LINE_TASKS, process, thread, depth);
	for (uint32_t i = c->tree.first_task[thread]; i != NOTHING; i = next[i])
		add_lane(&crowd, &c->lanes.v.v[i]);
	bool is_crowd = crowd.n > CROWD && push(c, crowd);
	for (uint32_t i = c->tree.first_task[thread]; i != NOTHING && (crowd.is_open || !is_crowd);
	     i = next[i]) {
		struct proc_line line = { .kind = LINE_TASK,
					  .process = process,
					  .thread = thread,
					  .task = c->lanes.v.v[i].task,
					  .depth = (uint8_t)(is_crowd ? depth + 1 : depth),
					  .last = UINT64_MAX };
		add_lane(&line, &c->lanes.v.v[i]);
		push(c, line);
	}
}

static void add_thread(struct processes *c, uint32_t process, uint32_t thread, unsigned depth)
{
	struct proc_line line = { .kind = LINE_THREAD,
				  .process = process,
				  .thread = thread,
				  .depth = (uint8_t)depth,
				  .last = UINT64_MAX };
	line.has_children = c->tree.first_task[thread] != NOTHING;
	line.is_open = line.has_children && !is_flipped(c, &line);
	add_counts(c, thread, &line);
	push(c, line);
	if (line.is_open)
		add_tasks(c, process, thread, depth + 1);
}

static void add_threads(struct processes *c, uint32_t process, unsigned depth)
{
	struct trace *t = c->pane.host->view->trace;
	struct proc_line crowd = crowd_line(c, LINE_THREADS, process, NO_THREAD, depth);
	const uint32_t *next = c->tree.next_thread;
	VEC(uint32_t) folded = { 0 };
	for (uint32_t i = c->tree.first_thread[process]; i != NOTHING; i = next[i]) {
		if (!is_nameless(t, i) || !thread_has_ended(c, i) || !vec_push(&folded, i)) {
			add_thread(c, process, i, depth);
			continue;
		}
		crowd.n++;
		add_counts(c, i, &crowd);
	}
	bool is_crowd = crowd.n > CROWD && push(c, crowd);
	for (size_t i = 0; (crowd.is_open || !is_crowd) && i < folded.n; i++)
		add_thread(c, process, folded.v[i], is_crowd ? depth + 1 : depth);
	vec_fini(&folded);
}

/* An entry that is still to be listed: a process with all that is below it, or a line. The entry at
 * the end of the vector is the next. A capture decides how deep processes are nested, so they are
 * not listed by recursion. */
struct todo {
	uint32_t process;
	unsigned depth;
	struct proc_line line; /* process NOTHING: only this line */
};
typedef VEC(struct todo) todo_vec;

/* Add the children of a process to *to, in the order in which they are listed. Those that have
 * ended come last, folded if they are many. */
static void add_children(struct processes *c, uint32_t process, unsigned depth, todo_vec *to)
{
	struct view *s = c->pane.host->view;
	struct proc_line crowd = crowd_line(c, LINE_CHILDREN, process, NO_THREAD, depth);
	VEC(uint32_t) folded = { 0 };
	size_t first = to->n;
	bool ok = true;
	for (uint32_t i = c->tree.first_child[process]; ok && i != NOTHING;
	     i = c->tree.next_child[i])
		if (c->tree.is_traced[i] || !process_has_ended(s, i) || !vec_push(&folded, i))
			ok = vec_push(to, ((struct todo){ .process = i, .depth = depth }));
	crowd.n = (uint32_t)folded.n;
	bool is_crowd = crowd.n > CROWD;
	if (is_crowd)
		ok = ok && vec_push(to, ((struct todo){ .process = NOTHING, .line = crowd }));
	for (size_t i = 0; ok && (crowd.is_open || !is_crowd) && i < folded.n; i++)
		ok = vec_push(to, ((struct todo){ .process = folded.v[i],
						  .depth = is_crowd ? depth + 1 : depth }));
	vec_fini(&folded);
	/* entries are taken from the end, so their order is reversed */
	for (size_t i = first, k = to->n; i + 1 < k; i++) {
		struct todo other = to->v[i];
		to->v[i] = to->v[--k];
		to->v[k] = other;
	}
}

static void add_process(struct processes *c, uint32_t root)
{
	todo_vec waiting = { 0 };
	bool ok = vec_push(&waiting, ((struct todo){ .process = root }));
	while (ok && waiting.n) {
		struct todo next = waiting.v[--waiting.n];
		if (next.process == NOTHING) {
			ok = push(c, next.line);
			continue;
		}
		struct proc_line line = { .kind = LINE_PROCESS,
					  .process = next.process,
					  .thread = NO_THREAD,
					  .depth = (uint8_t)(next.depth < 30 ? next.depth : 30),
					  .last = UINT64_MAX };
		line.is_open = !is_flipped(c, &line);
		line.has_children = c->tree.first_child[next.process] != NOTHING ||
				    c->tree.first_thread[next.process] != NOTHING;
		for (uint32_t i = c->tree.first_thread[next.process]; i != NOTHING;
		     i = c->tree.next_thread[i])
			add_counts(c, i, &line);
		ok = push(c, line);
		if (!ok || !line.is_open)
			continue;
		add_threads(c, next.process, line.depth + 1u);
		add_children(c, next.process, line.depth + 1u, &waiting);
	}
	vec_fini(&waiting);
}

static void append(uint32_t *first, uint32_t *last, uint32_t *next, uint32_t under, uint32_t item)
{
	if (last[under] == NOTHING)
		first[under] = item;
	else
		next[last[under]] = item;
	last[under] = item;
}

/* Return the parent of a process, among those that have a line. A process whose parent was never
 * seen (a shell that forked and did not exec) is still a descendant of what was started or attached
 * to, because nothing else is followed. Of those that were attached to, one may be the parent of
 * another: the workers of a master. */
static uint32_t parent_of(const struct processes *c, uint32_t process)
{
	struct trace *t = c->pane.host->view->trace;
	uint32_t parent = trace_process_parent(t, process);
	bool is_root = trace_process(t, process)->flags & (PROCESS_LAUNCHED | PROCESS_ATTACHED);
	if (parent == UINT32_MAX && process > 0 && !is_root)
		parent = 0;
	if (parent == UINT32_MAX || parent >= process || c->tree.image[parent] == process)
		return NOTHING;
	return c->tree.image[parent];
}

/* A process that called exec() has a record for each program. Records without an event are
 * represented by the program that the process became; they stay in the tree, so a child of theirs
 * is listed below it. */
static bool build_tree(struct processes *c)
{
	struct trace *t = c->pane.host->view->trace;
	const uint64_t *counts = trace_count_by_thread(t);
	uint32_t n = c->n_processes;
	struct tree *tree = &c->tree;
	size_t n_lanes = c->lanes.v.n;
	size_t words = (size_t)n * 6 + (size_t)c->n_threads * 3 + n_lanes;
	free(tree->memory);
	tree->memory = malloc(words * sizeof(uint32_t));
	if (!tree->memory)
		return false;
	memset(tree->memory, 0xff, words * sizeof(uint32_t)); /* all NOTHING */
	tree->image = tree->memory;
	tree->first_child = tree->image + n;
	tree->last_child = tree->first_child + n;
	tree->next_child = tree->last_child + n;
	tree->first_thread = tree->next_child + n;
	tree->last_thread = tree->first_thread + n;
	tree->next_thread = tree->last_thread + n;
	tree->first_task = tree->next_thread + c->n_threads;
	tree->last_task = tree->first_task + c->n_threads;
	tree->next_task = tree->last_task + c->n_threads;
	for (size_t i = 0; i < n_lanes; i++)
		if (c->lanes.v.v[i].task)
			append(tree->first_task, tree->last_task, tree->next_task,
			       c->lanes.v.v[i].thread, (uint32_t)i);
	/* the latest record of a pid seen so far */
	struct hash_map by_pid = { 0 }; /* → record + 1 */
	if (!hash_map_reserve(&by_pid, n))
		return false;
	uint8_t *has_events = calloc(n + 1, 1);
	for (uint32_t i = 0; has_events && i < c->n_threads; i++)
		if (counts[i])
			has_events[trace_thread(t, i)->process] = 1;
	for (uint32_t i = n; i-- > 0;) {
		const struct process_info *p = trace_process(t, i);
		uint32_t *latest = hash_map_place(&by_pid, p->pid);
		uint32_t later = latest && *latest ? *latest - 1 : NOTHING;
		bool became = later != NOTHING && has_events && !has_events[i] &&
			      p->exit_status < 0 && trace_process(t, later)->ppid == p->ppid;
		tree->image[i] = became ? tree->image[later] : i;
		if (latest)
			*latest = i + 1;
	}
	free(has_events);
	hash_map_fini(&by_pid);
	free(tree->is_traced);
	tree->is_traced = calloc(n + 1, 1);
	if (!tree->is_traced)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (tree->image[i] == i && parent_of(c, i) != NOTHING)
			append(tree->first_child, tree->last_child, tree->next_child,
			       parent_of(c, i), i);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = trace_process(t, i)->python_hex ? i : NOTHING;
		/* each process is marked once, so this loop ends */
		for (; at != NOTHING && !tree->is_traced[at]; at = parent_of(c, at))
			tree->is_traced[at] = 1;
	}
	for (uint32_t i = 0; i < c->n_threads; i++)
		append(tree->first_thread, tree->last_thread, tree->next_thread,
		       tree->image[trace_thread(t, i)->process], i);
	return true;
}

void process_lines_build(struct processes *c)
{
	struct view *s = c->pane.host->view;
	uint32_t n = trace_n_threads(s->trace);
	free(c->thread_events);
	free(c->thread_last);
	c->n_processes = trace_n_processes(s->trace);
	c->thread_events = calloc(n ? n : 1, sizeof(uint64_t));
	c->thread_last = calloc(n ? n : 1, sizeof(uint64_t));
	c->n_threads = n;
	c->lines.n = 0;
	c->built_at_ns = c->pane.host->now_ns;
	lanes_fini(&c->lanes);
	struct err *err = lanes_count(s->trace, s->run ? s->shown : NULL, s->n_events, &c->lanes);
	err_destroy(err);
	if (!c->thread_events || !c->thread_last || !build_tree(c)) {
		c->n_threads = c->n_processes = 0;
		return;
	}
	for (size_t i = 0; i < c->lanes.v.n; i++) {
		const struct lane *lane = &c->lanes.v.v[i];
		c->thread_events[lane->thread] += lane->events;
		if (lane->last > c->thread_last[lane->thread])
			c->thread_last[lane->thread] = lane->last;
	}
	for (uint32_t i = 0; i < c->n_processes; i++)
		if (c->tree.image[i] == i && parent_of(c, i) == NOTHING)
			add_process(c, i);
}

/* Ask the kernel for the state of a line's thread or process. NULL: it is unknown. */
static const char *state_now(const struct view *s, const struct proc_line *l)
{
	const struct process_info *p = trace_process(s->trace, l->process);
	switch (l->kind) {
	case LINE_THREAD: return kernel_state(s, p->pid, trace_thread(s->trace, l->thread)->tid);
	case LINE_PROCESS: return p->end_ns ? NULL : kernel_state(s, p->pid, p->pid);
	case LINE_TASK:
	case LINE_THREADS:
	case LINE_CHILDREN:
	case LINE_TASKS: break;
	}
	return NULL;
}

void process_line_bins(const struct processes *c, const struct proc_line *l, uint32_t *bins)
{
	struct trace *t = c->pane.host->view->trace;
	for (size_t i = 0; i < c->lanes.v.n; i++) {
		const struct lane *lane = &c->lanes.v.v[i];
		bool is_its = l->kind == LINE_PROCESS
				  ? c->tree.image[trace_thread(t, lane->thread)->process] ==
					l->process
			      : l->kind == LINE_THREAD ? lane->thread == l->thread
			      : l->kind == LINE_TASK
				  ? lane->thread == l->thread && lane->task == l->task
			      : l->kind == LINE_TASKS ? lane->thread == l->thread && lane->task
						      : false;
		for (unsigned k = 0; is_its && lane->bins && k < LANE_BINS; k++)
			bins[k] += lane->bins[k];
	}
}

bool process_lines_look(struct processes *c)
{
	const struct list *list = &c->pane.list;
	bool changed = false;
	c->looked_at_ns = c->pane.host->now_ns;
	for (uint64_t i = list->top; i < list->top + (uint64_t)list->n_lines && i < c->lines.n;
	     i++) {
		struct proc_line *l = &c->lines.v[i];
		const char *state = state_now(c->pane.host->view, l);
		changed |= state != l->state;
		l->state = state;
	}
	return changed;
}
