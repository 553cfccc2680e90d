/*
 * pane_processes: the process tree with its threads: state, events, losses, last event. What is not Python is listed as seen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "model/group.h"
#include "ui/ui.h"

struct proc_line {
	uint32_t process, thread; /* thread UINT32_MAX: the process */
	uint8_t depth;
	bool is_open, has_children, is_last;
	uint64_t events, last;    /* last: row or UINT64_MAX */
};

struct processes {
	struct pane pane;
	VEC(struct proc_line) lines;
	VEC(uint32_t) closed;
	uint64_t *thread_events, *thread_last;
	uint32_t n_threads;
	uint64_t built_at_ns;
};

static struct err *open_processes(struct ui *ui, struct pane **ret)
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
	vec_fini(&c->closed);
	free(c->thread_events);
	free(c->thread_last);
	free(c);
}

static bool is_closed(const struct processes *c, uint32_t process)
{
	for (size_t i = 0; i < c->closed.n; i++)
		if (c->closed.v[i] == process)
			return true;
	return false;
}

static void add_process(struct processes *c, uint32_t process, unsigned depth)
{
	struct trace *t = c->pane.ui->s->trace;
	struct proc_line line = { .process = process, .thread = UINT32_MAX, .depth = (uint8_t)(depth < 30 ? depth : 30),
				  .is_open = !is_closed(c, process), .last = UINT64_MAX };
	if (c->lines.n > 50000 || depth > 200)
		return;
	for (uint32_t i = 0; i < c->n_threads; i++) {
		const struct thread_info *info = trace_thread(t, i);
		if (!info || info->process != process)
			continue;
		line.has_children = true;
		line.events += c->thread_events[i];
		if (c->thread_events[i] && (line.last == UINT64_MAX || c->thread_last[i] > line.last))
			line.last = c->thread_last[i];
	}
	size_t at = c->lines.n;
	if (!vec_push(&c->lines, line))
		return;
	for (uint32_t i = 0; line.is_open && i < c->n_threads; i++) {
		const struct thread_info *info = trace_thread(t, i);
		if (!info || info->process != process)
			continue;
		struct proc_line thread = { .process = process, .thread = i, .depth = (uint8_t)(line.depth + 1),
					    .events = c->thread_events[i], .last = c->thread_events[i] ? c->thread_last[i] : UINT64_MAX };
		if (!vec_push(&c->lines, thread))
			return;
	}
	for (uint32_t i = 0; i < trace_n_processes(t); i++)
		if (i != process && trace_process_parent(t, i) == process && i > process) {
			c->lines.v[at].has_children = true;
			if (line.is_open)
				add_process(c, i, depth + 1);
		}
}

static void build(struct processes *c)
{
	struct view *s = c->pane.ui->s;
	uint32_t n = trace_n_threads(s->trace);
	free(c->thread_events);
	free(c->thread_last);
	c->thread_events = calloc(n ? n : 1, sizeof(uint64_t));
	c->thread_last = calloc(n ? n : 1, sizeof(uint64_t));
	c->n_threads = n;
	c->lines.n = 0;
	c->built_at_ns = c->pane.ui->now_ns;
	if (!c->thread_events || !c->thread_last) {
		c->n_threads = 0;
		return;
	}
	struct err *err = group_count_first(s->trace, s->run ? s->shown : NULL, 0, s->n_events, GROUP_THREAD, NULL, n,
					    c->thread_events, NULL, c->thread_last);
	err_destroy(err);
	for (uint32_t i = 0; i < trace_n_processes(s->trace); i++) {
		uint32_t parent = trace_process_parent(s->trace, i);
		if (parent == UINT32_MAX || parent >= i)
			add_process(c, i, 0);
	}
}

static void update_processes(struct pane *p, unsigned changes)
{
	struct processes *c = (struct processes *)p;
	if (changes & (CHANGE_FILTER | CHANGE_SIZE) || p->ui->now_ns - c->built_at_ns >= 2000000000u)
		build(c);
	list_set(&p->list, c->lines.n, p->n_lines > 6 ? p->n_lines - 5 : p->n_lines - 1);
}

/* State of a thread as the kernel says it, for live sessions on this machine. */
static bool kernel_state(const struct view *s, uint32_t pid, uint32_t tid, const char **ret)
{
	char path[64], text[256];
	if (!view_is_live(s))
		return false;
	snprintf(path, sizeof(path), "/proc/%u/task/%u/stat", pid, tid);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	const char *paren = strrchr(text, ')');
	if (!paren || !paren[1])
		return false;
	switch (paren[2]) {
	case 'R': *ret = "running"; break;
	case 'S': *ret = "sleeping"; break;
	case 'D': *ret = "in disk wait"; break;
	case 'T': *ret = "stopped"; break;
	case 't': *ret = "traced"; break;
	case 'Z': *ret = "zombie"; break;
	default: *ret = "?"; break;
	}
	return true;
}

static void state_text(const struct processes *c, const struct proc_line *l, struct strbuf *to)
{
	struct view *s = c->pane.ui->s;
	const struct process_info *p = trace_process(s->trace, l->process);
	if (l->thread != UINT32_MAX) {
		const struct thread_info *t = trace_thread(s->trace, l->thread);
		const char *state;
		if (kernel_state(s, p->pid, t->tid, &state))
			strbuf_adds(to, state);
		else
			strbuf_adds(to, view_is_live(s) ? "ended" : p->end_ns ? "ended" : "");
		return;
	}
	const char *state;
	if (p->end_ns && p->exit_status >= 0) {
		if (WIFSIGNALED(p->exit_status))
			strbuf_addf(to, "killed %d", WTERMSIG(p->exit_status));
		else
			strbuf_addf(to, "ended %d", WEXITSTATUS(p->exit_status));
	} else if (p->end_ns) {
		strbuf_adds(to, "ended");
	} else if (kernel_state(s, p->pid, p->pid, &state)) {
		strbuf_adds(to, state);
	} else {
		strbuf_adds(to, view_is_live(s) ? "gone" : "ran at the end");
	}
}

static void draw_processes(const struct pane *p, struct area a)
{
	const struct processes *c = (const struct processes *)p;
	struct view *s = p->ui->s;
	bool focus = ui_focused(p->ui) == p;
	int wide = a.n_columns > 80 ? (a.n_columns - 80) / 3 : 0;
	if (wide > 30)
		wide = 30;
	int state_x = 31 + wide, count_x = state_x + 11, lost_x = count_x + 11, last_x = lost_x + 8;
	area_put(a, 0, 2, -1, ROLE_DIM, "process or thread");
	area_put(a, 0, state_x, -1, ROLE_DIM, "state");
	area_put_right(a, 0, count_x, 11, ROLE_DIM, "events");
	area_put_right(a, 0, lost_x, 7, ROLE_DIM, "lost");
	area_put(a, 0, last_x, -1, ROLE_DIM, "last event");
	struct strbuf b = { 0 };
	for (int y = 0; y < p->list.n_lines && p->list.top + (uint64_t)y < c->lines.n; y++) {
		const struct proc_line *l = &c->lines.v[p->list.top + (uint64_t)y];
		const struct process_info *info = trace_process(s->trace, l->process);
		int x = 2 + l->depth * 2;
		if (x > 20)
			x = 20;
		bool traced = info->python_hex != 0;
		strbuf_clear(&b);
		if (l->thread == UINT32_MAX) {
			if (l->has_children)
				area_put(a, y + 1, x, 1, ROLE_DIM, l->is_open ? "▾" : "▸");
			strbuf_addf(&b, "%u ", info->pid);
			text_string(&b, s->trace, info->name);
		} else {
			const struct thread_info *t = trace_thread(s->trace, l->thread);
			event_text_thread(&b, s, l->thread, 24);
			if (b.n < 11)
				strbuf_add_repeat(&b, ' ', 11 - b.n);
			strbuf_addf(&b, " %u", t->tid);
			if (t->interpreter)
				strbuf_addf(&b, " interpreter %u", t->interpreter);
		}
		area_put_cut(a, y + 1, x + 2, state_x - x - 3, traced ? ROLE_TEXT : ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		state_text(c, l, &b);
		area_put_cut(a, y + 1, state_x, 13, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		text_count(&b, l->events, 11);
		area_put_right(a, y + 1, count_x + 2, 9, ROLE_TEXT, strbuf_str(&b));
		if (l->thread == UINT32_MAX) {
			strbuf_clear(&b);
			text_count(&b, info->n_lost, 7);
			area_put_right(a, y + 1, lost_x, 7, info->n_lost ? ROLE_TROUBLE : ROLE_DIM, strbuf_str(&b));
		}
		struct event e;
		strbuf_clear(&b);
		if (l->thread == UINT32_MAX && !traced)
			strbuf_adds(&b, "not Python: seen only");
		else if (l->last != UINT64_MAX && trace_event(s->trace, l->last, &e))
			event_text_name(&b, s, e.name);
		area_put_cut(a, y + 1, last_x, -1, traced && b.n && l->last != UINT64_MAX ? view_name(s, e.name)->role : ROLE_DIM,
			     strbuf_str(&b));
		search_mark(&p->ui->search, a, y + 1);
		if (p->list.top + (uint64_t)y == p->list.cursor) {
			area_put(a, y + 1, 0, 1, ROLE_FOCUS, focus ? "▌" : "▏");
			if (focus)
				area_bar(a, y + 1);
		}
	}
	/* what is known of the one under the cursor */
	if (a.n_lines > 6 && p->list.cursor < c->lines.n) {
		const struct proc_line *l = &c->lines.v[p->list.cursor];
		const struct process_info *info = trace_process(s->trace, l->process);
		int y = a.n_lines - 4;
		strbuf_clear(&b);
		strbuf_addf(&b, "%u", info->pid);
		if (info->ns_pid && info->ns_pid != info->pid)
			strbuf_addf(&b, ", %u in its container", info->ns_pid);
		strbuf_addf(&b, ", child of %u", info->ppid);
		if (info->python) {
			strbuf_adds(&b, ", python ");
			text_string(&b, s->trace, info->python);
		}
		strbuf_adds(&b, info->flags & PROCESS_LAUNCHED ? ", started here" : info->flags & PROCESS_ATTACHED ? ", attached to"
				: info->flags & PROCESS_FORKED ? ", forked" : info->flags & PROCESS_EXECED ? ", became another program" : "");
		strbuf_adds(&b, info->flags & PROCESS_FREE_THREADED ? ", free-threaded" : "");
		area_put_cut(a, y, 1, -1, ROLE_TEXT, strbuf_str(&b));
		strbuf_clear(&b);
		strbuf_adds(&b, "in      ");
		text_string(&b, s->trace, info->cwd);
		area_put_cut(a, y + 1, 1, -1, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		strbuf_adds(&b, "seen    ");
		event_text_time(&b, s, info->start_ns, 0, TIME_START, 3);
		strbuf_adds(&b, " s … ");
		if (info->end_ns)
			event_text_time(&b, s, info->end_ns, 0, TIME_START, 3);
		else
			strbuf_adds(&b, "now");
		area_put_cut(a, y + 2, 1, -1, ROLE_DIM, strbuf_str(&b));
	}
	strbuf_fini(&b);
}

static const struct proc_line *current(const struct pane *p)
{
	const struct processes *c = (const struct processes *)p;
	return p->list.cursor < c->lines.n ? &c->lines.v[p->list.cursor] : NULL;
}

static bool term_processes(const struct pane *p, struct strbuf *to)
{
	const struct proc_line *l = current(p);
	if (!l)
		return false;
	strbuf_addf(to, "pid == %u", trace_process(p->ui->s->trace, l->process)->pid);
	if (l->thread != UINT32_MAX)
		strbuf_addf(to, " and tid == %u", trace_thread(p->ui->s->trace, l->thread)->tid);
	return true;
}

static bool act_processes(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct processes *c = (struct processes *)p;
	if (list_act(&p->list, action, count))
		return true;
	const struct proc_line *l = current(p);
	switch ((int)action) {
	case ACTION_OPEN: {
		struct strbuf term = { 0 };
		if (term_processes(p, &term)) {
			ui_close_all_pages(p->ui);
			ui_narrow(p->ui, strbuf_str(&term), false);
		}
		strbuf_fini(&term);
		return true;
	}
	case ACTION_LEFT:
	case ACTION_RIGHT:
	case ACTION_FOLD:
		if (!l)
			return true;
		for (size_t i = 0; i < c->closed.n; i++)
			if (c->closed.v[i] == l->process) {
				if (action != ACTION_LEFT)
					c->closed.v[i] = c->closed.v[--c->closed.n];
				goto done;
			}
		if (action != ACTION_RIGHT) {
			uint32_t process = l->process;
			if (!vec_push(&c->closed, process))
				return true;
		}
	done:
		build(c);
		list_set(&p->list, c->lines.n, p->list.n_lines);
		return true;
	default: return false;
	}
}

static void title_processes(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	struct trace *t = p->ui->s->trace;
	unsigned traced = 0, seen = 0;
	(void)subject;
	for (uint32_t i = 0; i < trace_n_processes(t); i++)
		*(trace_process(t, i)->python_hex ? &traced : &seen) += 1;
	strbuf_addf(facts, "%u traced, %u seen · %u thread%s", traced, seen, trace_n_threads(t), trace_n_threads(t) == 1 ? "" : "s");
}

static void line_processes(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct processes *c = (const struct processes *)p;
	if (entry >= c->lines.n)
		return;
	const struct proc_line *l = &c->lines.v[entry];
	if (l->thread != UINT32_MAX) {
		event_text_thread(to, p->ui->s, l->thread, 60);
		return;
	}
	strbuf_addf(to, "%u ", trace_process(p->ui->s->trace, l->process)->pid);
	text_string(to, p->ui->s->trace, trace_process(p->ui->s->trace, l->process)->name);
}

const struct pane_ops pane_processes_ops = {
	.open = open_processes, .close = close_processes, .update = update_processes, .draw = draw_processes, .act = act_processes,
	.title = title_processes, .term = term_processes, .line = line_processes,
};
