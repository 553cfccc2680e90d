/*
 * pane_processes: the process tree with its threads: state, events, losses, last event. A process
 * that is not Python is listed as seen, not traced.
 *
 * Long runs of similar lines are folded: threads that have ended and were never named, children
 * that were not Python and have ended. A process that became another program by exec is one line,
 * and its earlier programs are named below. Space tags a line; + - and Enter then act on all tagged
 * lines.
 *
 * What a thread waits for is known from the kernel (struct ui_live_ops, task) and from the caller
 * of its last event. Its frames are not walked: only the probe does that, at events, and a thread
 * is never stopped in order to be shown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/hash_map.h"
#include "base/utf8.h"
#include "model/group.h"
#include "ui/pane_host.h"

enum line_kind { LINE_PROCESS, LINE_THREAD, LINE_THREADS, LINE_CHILDREN };
enum { CROWD = 6, LINES_MAX = 50000 };
#define NO_THREAD UINT32_MAX
#define NOTHING   UINT32_MAX

struct proc_line {
	enum line_kind kind;
	uint32_t process, thread; /* thread NO_THREAD: the line is not about a thread */
	uint8_t depth;
	bool is_open, has_children;
	uint32_t n;            /* of a fold: how many lines are in it */
	uint64_t events, last; /* last: row, or UINT64_MAX */
	/* of a line on the screen, as the kernel reports it; NULL: unknown */
	const char *state;
};

struct processes {
	struct pane pane;
	VEC(struct proc_line) lines;
	VEC(uint64_t) flipped; /* keys of lines that the user opened or closed */
	VEC(uint64_t) tagged;  /* keys of tagged lines */
	uint64_t *thread_events, *thread_last;
	/* It is built anew each time. `image` is the process whose line stands for a process:
	 * itself, or the program that it became by exec. The lists end in NOTHING; the newest is
	 * last. */
	struct tree {
		uint32_t *image, *first_child, *last_child, *next_child; /* [n_processes] */
		/* [n_processes] for the first two, [n_threads] */
		uint32_t *first_thread, *last_thread, *next_thread;
		uint8_t *is_traced; /* [n_processes] the process is Python, or one below it is */
		uint32_t *memory;
	} tree;
	VEC(uint8_t) thread_ended; /* 1: the thread has ended, and its state is not read again */
	uint32_t n_threads, n_processes;
	uint64_t built_at_ns, looked_at_ns;
};

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
	vec_fini(&c->lines);
	vec_fini(&c->flipped);
	vec_fini(&c->tagged);
	free(c->thread_events);
	free(c->thread_last);
	free(c->tree.memory);
	free(c->tree.is_traced);
	vec_fini(&c->thread_ended);
	free(c);
}

/* Return what a line is about as a number that stays the same when the lines are rebuilt. */
static uint64_t key_of(const struct proc_line *l)
{
	return (uint64_t)l->kind << 62 | (uint64_t)(l->process & 0x3fffffffu) << 32 | l->thread;
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
	return is_in(c->flipped.v, c->flipped.n, key_of(l));
}

static bool is_tagged(const struct processes *c, const struct proc_line *l)
{
	return is_in(c->tagged.v, c->tagged.n, key_of(l));
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
	{ SYS_futex, "in futex" },      { SYS_ppoll, "in poll" },
	{ SYS_pselect6, "in select" },  { SYS_epoll_pwait, "in epoll" },
	{ SYS_read, "in read" },        { SYS_write, "in write" },
	{ SYS_recvfrom, "in recv" },    { SYS_recvmsg, "in recv" },
	{ SYS_sendto, "in send" },      { SYS_accept, "in accept" },
	{ SYS_accept4, "in accept" },   { SYS_connect, "in connect" },
	{ SYS_wait4, "in wait" },       { SYS_waitid, "in wait" },
	{ SYS_nanosleep, "in sleep" },  { SYS_clock_nanosleep, "in sleep" },
	{ SYS_flock, "in flock" },      { SYS_fcntl, "in fcntl" },
	{ SYS_fsync, "in fsync" },      { SYS_rt_sigtimedwait, "in sigwait" },
#ifdef SYS_poll /* not on aarch64 */
	{ SYS_poll, "in poll" },        { SYS_select, "in select" },
	{ SYS_epoll_wait, "in epoll" }, { SYS_pause, "in pause" },
#endif
};

/* Return what a thread of a live session does, in a word; NULL: there is no such thread. */
static const char *kernel_state(const struct view *s, uint32_t pid, uint64_t tid)
{
	struct ui_task task;
	if (!view_is_live(s) || !s->live->task || !s->live->task(s->live_ctx, pid, tid, &task))
		return NULL;
	switch (task.state) {
	case 'R': return "running";
	case 'D': return "in disk wait";
	case 'T': return "stopped";
	case 't': return "traced";
	case 'Z': return "zombie";
	case 'S': break;
	default: return "?";
	}
	for (size_t i = 0; i < ARRAY_LEN(waits); i++)
		if (waits[i].number == task.syscall)
			return waits[i].state;
	return "sleeping";
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
	if (p->end_ns || !view_is_live(s))
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

static void add_thread(struct processes *c, uint32_t process, uint32_t thread, unsigned depth)
{
	struct proc_line line = { .kind = LINE_THREAD,
				  .process = process,
				  .thread = thread,
				  .depth = (uint8_t)depth,
				  .last = UINT64_MAX };
	add_counts(c, thread, &line);
	push(c, line);
}

static void add_threads(struct processes *c, uint32_t process, unsigned depth)
{
	struct trace *t = c->pane.host->view->trace;
	struct proc_line crowd = { .kind = LINE_THREADS,
				   .process = process,
				   .thread = NO_THREAD,
				   .depth = (uint8_t)depth,
				   .has_children = true,
				   .last = UINT64_MAX };
	crowd.is_open = is_flipped(c, &crowd);
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
	struct proc_line crowd = { .kind = LINE_CHILDREN,
				   .process = process,
				   .thread = NO_THREAD,
				   .depth = (uint8_t)depth,
				   .has_children = true,
				   .last = UINT64_MAX };
	crowd.is_open = is_flipped(c, &crowd);
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
 * to, because nothing else is followed. */
static uint32_t parent_of(const struct processes *c, uint32_t process)
{
	struct trace *t = c->pane.host->view->trace;
	uint32_t parent = trace_process_parent(t, process);
	if (trace_process(t, process)->flags & (PROCESS_LAUNCHED | PROCESS_ATTACHED))
		return NOTHING;
	if (parent == UINT32_MAX && process > 0)
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
	size_t words = (size_t)n * 6 + c->n_threads;
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

static void build(struct processes *c)
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
	if (!c->thread_events || !c->thread_last || !build_tree(c)) {
		c->n_threads = c->n_processes = 0;
		return;
	}
	struct err *err = group_count_first(s->trace, s->run ? s->shown : NULL, 0, s->n_events,
					    GROUP_THREAD, NULL, n, c->thread_events, NULL,
					    c->thread_last);
	err_destroy(err);
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
	case LINE_THREADS:
	case LINE_CHILDREN: return NULL;
	}
	return NULL;
}

/* Read the states of the lines on the screen. Returns true if one has changed. */
static bool look(struct processes *c)
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

static void update_processes(struct pane *p, unsigned changes)
{
	struct processes *c = (struct processes *)p;
	if (changes & (CHANGE_FILTER | CHANGE_SIZE) ||
	    p->host->now_ns - c->built_at_ns >= 2000000000u)
		build(c);
	list_set(&p->list, c->lines.n, p->n_lines > 8 ? p->n_lines - 6 : p->n_lines - 1);
	look(c);
}

/* States change without an event, so they are read four times a second. */
static bool work_processes(struct pane *p, uint64_t budget_ns)
{
	struct processes *c = (struct processes *)p;
	if (view_is_live(p->host->view) && p->host->now_ns - c->looked_at_ns >= 250000000u &&
	    look(c))
		host_redraw(p->host);
	return false;
}

static void state_text(const struct view *s, const struct proc_line *l, struct strbuf *to)
{
	const struct process_info *p = trace_process(s->trace, l->process);
	switch (l->kind) {
	case LINE_THREADS:
	case LINE_CHILDREN: strbuf_adds(to, "ended"); return;
	case LINE_THREAD:
		strbuf_adds(to, l->state ? l->state : view_is_live(s) || p->end_ns ? "ended" : "");
		return;
	case LINE_PROCESS: break;
	}
	if (p->end_ns && p->exit_status >= 0) {
		if (WIFSIGNALED(p->exit_status))
			strbuf_addf(to, "killed %d", WTERMSIG(p->exit_status));
		else
			strbuf_addf(to, "ended %d", WEXITSTATUS(p->exit_status));
	} else if (p->end_ns) {
		strbuf_adds(to, "ended");
	} else if (l->state) {
		strbuf_adds(to, l->state);
	} else {
		strbuf_adds(to, view_is_live(s) ? "gone" : "ran at the end");
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
		strbuf_adds(to, "all ");
	for (unsigned k = 0; k < n; k++) {
		if (k)
			strbuf_addc(to, ' ');
		utf8_escape(to, names[k], strlen(names[k]), 0);
	}
	if (more)
		strbuf_adds(to, " …");
}

static void name_text(const struct processes *c, const struct proc_line *l, struct strbuf *to)
{
	struct view *s = c->pane.host->view;
	switch (l->kind) {
	case LINE_PROCESS:
		strbuf_addf(to, "%u ", trace_process(s->trace, l->process)->pid);
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
			strbuf_addf(to, " interpreter %u", t->interpreter);
		return;
	}
	case LINE_THREADS:
	case LINE_CHILDREN:
		strbuf_add_count(to, l->n);
		strbuf_adds(to, l->kind == LINE_THREADS ? " ended threads" : " ended children");
		return;
	}
}

/* Append how long ago something was, in the time of the capture. */
static void add_ago(struct strbuf *to, const struct view *s, uint64_t time_ns)
{
	uint64_t last = trace_about_get(s->trace)->last_ns;
	strbuf_adds(to, ", ");
	text_duration(to, last > time_ns ? last - time_ns : 0);
	strbuf_adds(to, view_is_live(s) ? " before the newest" : " before the end");
}

static void draw_process_details(const struct processes *c, const struct proc_line *l,
				 struct area a, int y)
{
	struct view *s = c->pane.host->view;
	const struct process_info *info = trace_process(s->trace, l->process);
	struct strbuf b = { 0 };
	strbuf_addf(&b, "%u", info->pid);
	if (info->ns_pid && info->ns_pid != info->pid)
		strbuf_addf(&b, ", %u in its container", info->ns_pid);
	strbuf_addf(&b, ", child of %u", info->ppid);
	if (info->python) {
		strbuf_adds(&b, ", python ");
		text_string(&b, s->trace, info->python);
	}
	strbuf_adds(&b, info->flags & PROCESS_LAUNCHED   ? ", started here"
			: info->flags & PROCESS_ATTACHED ? ", attached to"
			: info->flags & PROCESS_FORKED   ? ", forked"
			: info->flags & PROCESS_EXECED   ? ", became another program"
							 : "");
	strbuf_adds(&b, info->flags & PROCESS_FREE_THREADED ? ", free-threaded" : "");
	area_put_cut(a, y, 1, -1, ROLE_TEXT, strbuf_str(&b));
	strbuf_clear(&b);
	strbuf_adds(&b, "in         ");
	text_string(&b, s->trace, info->cwd);
	area_put_cut(a, y + 1, 1, -1, ROLE_DIM, strbuf_str(&b));
	strbuf_clear(&b);
	strbuf_adds(&b, "seen       ");
	event_text_time(&b, s, info->start_ns, 0, TIME_START, 3);
	strbuf_adds(&b, " s … ");
	if (info->end_ns)
		event_text_time(&b, s, info->end_ns, 0, TIME_START, 3);
	strbuf_adds(&b, info->end_ns ? " s" : "now");
	area_put_cut(a, y + 2, 1, -1, ROLE_DIM, strbuf_str(&b));
	strbuf_clear(&b);
	for (uint32_t i = 0, n = 0; i < l->process && n < 4; i++) {
		if (c->tree.image[i] != l->process)
			continue;
		strbuf_adds(&b, n++ ? "  →  " : "first was  ");
		text_program(&b, s->trace, trace_process(s->trace, i)->name);
	}
	area_put_cut(a, y + 3, 1, -1, ROLE_DIM, strbuf_str(&b));
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
		strbuf_adds(&b, p->pid == t->tid ? "MainThread" : "thread");
	strbuf_addf(&b, " %llu, of %u, interpreter %u", (unsigned long long)t->tid, p->pid,
		    t->interpreter);
	area_put_cut(a, y, 1, -1, ROLE_TEXT, strbuf_str(&b));
	strbuf_clear(&b);
	if (l->state) {
		bool waits_in = !strncmp(l->state, "in ", 3);
		strbuf_addf(&b, "%s   %s", waits_in ? "waits in" : "state   ",
			    waits_in ? l->state + 3 : l->state);
		area_put_cut(a, ++y, 1, -1, ROLE_DIM, strbuf_str(&b));
	}
	struct event e;
	if (l->last == UINT64_MAX || !trace_event(s->trace, l->last, &e)) {
		strbuf_fini(&b);
		return;
	}
	strbuf_clear(&b);
	strbuf_adds(&b, "last event ");
	event_text_name(&b, s, e.name);
	strbuf_addc(&b, ' ');
	event_text_gist(&b, s, &e, 40);
	add_ago(&b, s, e.time_ns);
	area_put_cut(a, y + 1, 1, -1, ROLE_DIM, strbuf_str(&b));
	struct frame_info top;
	uint32_t frame, parent;
	strbuf_clear(&b);
	strbuf_adds(&b, "raised at  ");
	size_t before = b.n;
	if (trace_stack(s->trace, e.stack, &parent, &frame) && trace_frame(s->trace, frame, &top))
		frame_text_place(&b, s, &top);
	struct strbuf caller = { 0 };
	event_text_caller(&caller, s, &e, true);
	size_t n_place = b.n - before;
	bool is_same = n_place && caller.n >= n_place &&
		       !memcmp(strbuf_str(&b) + before, strbuf_str(&caller), n_place);
	if (caller.n && caller.s[0] != '(' && !is_same)
		strbuf_addf(&b, "%s%s", b.n > before ? "  ◂ " : "", strbuf_str(&caller));
	if (b.n > before)
		area_put_cut(a, y + 2, 1, -1, ROLE_DIM, strbuf_str(&b));
	strbuf_fini(&caller);
	strbuf_fini(&b);
}

static void draw_line(const struct processes *c, const struct proc_line *l, struct area a, int y,
		      int state_x)
{
	struct view *s = c->pane.host->view;
	const struct process_info *info = trace_process(s->trace, l->process);
	int x = 2 + l->depth * 2, count_x = state_x + 11, lost_x = count_x + 11,
	    last_x = lost_x + 8;
	bool traced = info->python_hex != 0,
	     fold = l->kind == LINE_THREADS || l->kind == LINE_CHILDREN;
	struct strbuf b = { 0 };
	if (x > 20)
		x = 20;
	if (is_tagged(c, l))
		area_put(a, y, 1, 1, ROLE_FOCUS, "◆");
	if (l->has_children)
		area_put(a, y, x, 1, ROLE_DIM, l->is_open ? "▾" : "▸");
	name_text(c, l, &b);
	area_put_cut(a, y, x + 2, state_x - x - 3, traced && !fold ? ROLE_TEXT : ROLE_DIM,
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
		strbuf_adds(&b, a.n_columns - last_x < 22 ? "not Python" : "not Python: seen only");
	else if (l->last != UINT64_MAX && trace_event(s->trace, l->last, &e)) {
		event_text_name(&b, s, e.name);
		role = view_name(s, e.name)->role;
	}
	area_put_cut(a, y, last_x, -1, role, strbuf_str(&b));
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
	area_put(a, 0, 2, -1, ROLE_DIM, "process or thread");
	area_put(a, 0, state_x, -1, ROLE_DIM, "state");
	area_put_right(a, 0, count_x, 11, ROLE_DIM, "events");
	area_put_right(a, 0, lost_x, 7, ROLE_DIM, "lost");
	area_put(a, 0, last_x, -1, ROLE_DIM, "last event");
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
		if (l->kind == LINE_THREAD)
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

static void term_of(const struct processes *c, enum line_kind kind, uint32_t process,
		    uint32_t thread, struct strbuf *to)
{
	struct trace *t = c->pane.host->view->trace;
	if (kind == LINE_THREAD && thread < c->n_threads)
		strbuf_addf(to, "pid == %u and tid == %llu", trace_process(t, process)->pid,
			    (unsigned long long)trace_thread(t, thread)->tid);
	else
		strbuf_addf(to, "pid == %u", trace_process(t, process)->pid);
}

/* Write a filter for all tagged lines, or else for the line under the cursor. */
static bool term_processes(const struct pane *p, struct strbuf *to)
{
	const struct processes *c = (const struct processes *)p;
	struct trace *t = p->host->view->trace;
	const struct proc_line *l = current(p);
	if (!c->tagged.n) {
		if (l)
			term_of(c, l->kind, l->process, l->thread, to);
		return l != NULL;
	}
	unsigned n_pids = 0, n_terms = 0;
	struct strbuf pids = { 0 };
	/* processes go into one set, threads are named one by one */
	for (size_t i = 0; i < c->tagged.n; i++) {
		uint32_t process = (uint32_t)(c->tagged.v[i] >> 32) & 0x3fffffffu;
		if ((enum line_kind)(c->tagged.v[i] >> 62) != LINE_THREAD &&
		    process < c->n_processes)
			strbuf_addf(&pids, n_pids++ ? ", %u" : "%u",
				    trace_process(t, process)->pid);
	}
	if (n_pids) {
		strbuf_addf(to, n_pids > 1 ? "pid in {%s}" : "pid == %s", strbuf_str(&pids));
		n_terms++;
	}
	for (size_t i = 0; i < c->tagged.n; i++) {
		uint32_t process = (uint32_t)(c->tagged.v[i] >> 32) & 0x3fffffffu;
		if ((enum line_kind)(c->tagged.v[i] >> 62) != LINE_THREAD ||
		    process >= c->n_processes)
			continue;
		strbuf_adds(to, n_terms++ ? " or " : "");
		term_of(c, LINE_THREAD, process, (uint32_t)c->tagged.v[i], to);
	}
	strbuf_fini(&pids);
	return n_terms > 0;
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
		if (l && (l->kind == LINE_THREADS || l->kind == LINE_CHILDREN))
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
		if (l->kind == LINE_THREADS || l->kind == LINE_CHILDREN)
			host_flash(p->host, "z opens these; one by one they can be tagged");
		else
			flip(&c->tagged.v, &c->tagged.n, &c->tagged.cap, key_of(l));
		list_act(&p->list, ACTION_DOWN, 1);
		return true;
	case ACTION_LEFT:
	case ACTION_RIGHT:
	case ACTION_FOLD:
		if (!l || !l->has_children || (action == ACTION_LEFT && !l->is_open) ||
		    (action == ACTION_RIGHT && l->is_open))
			return true;
		flip(&c->flipped.v, &c->flipped.n, &c->flipped.cap, key_of(l));
		build(c);
		list_set(&p->list, c->lines.n, p->list.n_lines);
		return true;
	default: return false;
	}
}

static bool act_processes(struct pane *p, enum action action, uint64_t count, const char *text)
{
	if (!act_line(p, action, count))
		return false;
	look((struct processes *)p); /* other lines may be on the screen now */
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
		strbuf_addf(facts, "%zu tagged · ", c->tagged.n);
	strbuf_addf(facts, "%u traced, %u seen · %u thread%s", traced, seen, c->n_threads,
		    c->n_threads == 1 ? "" : "s");
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
