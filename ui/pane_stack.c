/*
 * pane_stack: the frames of the event. Library frames are folded, the caller is marked, and the
 * source around the frame under the cursor is shown below, and, if its thread is or was held, the
 * local variables of that frame. A line below the frames names the asyncio task, and the tasks that
 * wait for it.
 */
#include "ui/pane_stack.h"

#include <stdlib.h>
#include <string.h>

#include "base/hold_list.h"
#include "base/tr.h"
#include "base/utf8.h"
#include "model/trace_locals.h"
#include "model/trace_task.h"
#include "ui/area.h"
#include "ui/now_lines.h"
#include "ui/pane_host.h"
#include "ui/source.h"
#include "ui/text.h"

struct frame_entry {
	uint32_t frame;    /* id */
	uint32_t number;   /* 0 = innermost */
	uint32_t n_folded; /* > 0: a run of this many library frames begins here */
	uint32_t last;     /* frame id of the last one of the run */
};

enum { TASK_LINES_MIN = 2 }; /* lines of frames, from which on one is left to the task */

enum stack_show { SHOW_BOTH, SHOW_PYTHON, SHOW_NATIVE, SHOW_COUNT };

struct stack {
	struct pane pane;
	VEC(struct frame_entry) entries;
	uint32_t frames[512];
	uint32_t depth, n_frames, n_python, n_native;
	uint32_t caller; /* number of the frame that the list names; UINT32_MAX: none */
	bool unfold;
	enum stack_show show;
	uint8_t flags; /* of the event */
	bool has_event;
	uint32_t task; /* of the event, as in struct event; 0: none that can be shown */
	uint64_t seq;
	/* The file of the frame under the cursor, from look(). NULL: not read, or memory is
	 * short. */
	const struct source_file *source;
	bool is_ours;         /* its name leads to the files that we see */
	bool has_locals;      /* the thread waits before this event happens, or did and was read */
	struct strbuf locals; /* of the frame under the cursor, a line each; "": not known */
};

static struct err *open_stack(const struct pane_host *host, struct pane **ret)
{
	struct stack *k = calloc(1, sizeof(*k));
	if (!k)
		return err_no_memory();
	k->seq = SELECTION_NONE;
	*ret = &k->pane;
	return NULL;
}

static void close_stack(struct pane *p)
{
	struct stack *k = (struct stack *)p;
	vec_fini(&k->entries);
	strbuf_fini(&k->locals);
	free(k);
}

static int excerpt_lines(const struct pane *p)
{
	const struct stack *k = (const struct stack *)p;
	int n = p->n_lines;
	if (k->has_locals) /* variables need more room */
		return n >= 18 ? n * 2 / 3 : n >= 9 ? n - 4 : n >= 5 ? 3 : 0;
	return n >= 18 ? n / 2 - 1 : n >= 9 ? 5 : n >= 5 ? 2 : 0;
}

static void build(struct stack *k)
{
	struct view *s = k->pane.host->view;
	struct event e;
	k->entries.n = 0;
	k->n_frames = k->depth = k->n_python = k->n_native = 0;
	k->caller = UINT32_MAX;
	k->task = 0;
	k->has_event = k->pane.host->cursor_seq != SELECTION_NONE &&
		       trace_event(s->trace, k->pane.host->cursor_seq, &e);
	if (k->has_event && trace_task_name(s->trace, e.task))
		k->task = e.task;
	if (!k->has_event || !e.stack)
		return;
	k->flags = e.flags;
	k->depth = trace_stack_frames(s->trace, e.stack, k->frames, ARRAY_LEN(k->frames));
	k->n_frames = k->depth < ARRAY_LEN(k->frames) ? k->depth : ARRAY_LEN(k->frames);
	uint32_t caller_node = trace_stack_caller(s->trace, e.stack), node = e.stack, parent, frame;
	for (uint32_t i = 0; node && caller_node; i++, node = parent) {
		if (node == caller_node) {
			k->caller = i;
			break;
		}
		if (!trace_stack(s->trace, node, &parent, &frame))
			break;
	}
	for (uint32_t i = 0; i < k->n_frames; i++) {
		struct frame_info f;
		trace_frame(s->trace, k->frames[i], &f);
		bool native = f.kind == FRAME_NATIVE;
		if (f.kind != FRAME_MARK)
			*(native ? &k->n_native : &k->n_python) += 1;
		if ((k->show == SHOW_PYTHON && native) ||
		    (k->show == SHOW_NATIVE && f.kind == FRAME_PYTHON))
			continue;
		enum frame_origin origin = trace_frame_origin(s->trace, k->frames[i]);
		bool library = origin != FRAME_ORIGIN_USER && origin != FRAME_ORIGIN_MARK;
		struct frame_entry entry = { k->frames[i], i,
					     library && !k->unfold && i > 0 ? 1 : 0, k->frames[i] };
		struct frame_entry *last = k->entries.n ? &k->entries.v[k->entries.n - 1] : NULL;
		if (entry.n_folded && last && last->n_folded) {
			last->n_folded++;
			last->last = k->frames[i];
			continue;
		}
		if (!vec_push(&k->entries, entry))
			return;
	}
	/* A run of one frame is shown, not folded. */
	for (size_t i = 0; i < k->entries.n; i++)
		if (k->entries.v[i].n_folded == 1)
			k->entries.v[i].n_folded = 0;
}

static void put_function(struct view *s, struct strbuf *to, const struct frame_info *f)
{
	size_t n;
	const char *name = trace_string(s->trace, f->function, &n);
	utf8_escape(to, name, n, 0);
	if (f->kind == FRAME_NATIVE) {
		if (!n)
			strbuf_adds(to, "??");
		strbuf_addf(to, "+0x%llx", (unsigned long long)f->offset);
	}
}

/* Return where the file names of a process lead. They lead to the files that we see unless the
 * recorder found that the process sees other ones. */
static struct source_root root_of(const struct view *s, const struct process_info *p)
{
	bool is_other = p && (p->flags & PROCESS_OTHER_FILES || (p->ns_pid && p->ns_pid != p->pid));
	bool is_live = p && view_has_target(s) && !p->end_ns;
	return (struct source_root){ .is_ours = !is_other,
				     .pid = is_other && is_live ? p->pid : 0,
				     .start_ticks = is_other && is_live ? p->start_ticks : 0 };
}

static const struct frame_entry *current(const struct stack *k)
{
	return k->pane.list.cursor < k->entries.n ? &k->entries.v[k->pane.list.cursor] : NULL;
}

/* Get the frame under the cursor; false if the line is a fold, a mark or native code, which have no
 * source. */
static bool source_frame(const struct stack *k, struct frame_info *ret)
{
	const struct frame_entry *e = current(k);
	return e && !e->n_folded && trace_frame(k->pane.host->view->trace, e->frame, ret) &&
	       ret->kind == FRAME_PYTHON;
}

/* Read the file of a frame, or find it among the files that were read last. */
static const struct source_file *read_source(const struct stack *k, const struct frame_info *f,
					     bool *ret_is_ours)
{
	const struct pane_host *host = k->pane.host;
	struct view *s = host->view;
	struct strbuf path = { 0 }, cwd = { 0 };
	size_t n, n_dirs = 0;
	const char *text = trace_string(s->trace, f->file, &n);
	strbuf_add(&path, text, n);
	struct event e;
	const struct process_info *process = NULL;
	if (trace_event(s->trace, k->seq, &e))
		process = trace_process(s->trace, e.process);
	if (process) {
		text = trace_string(s->trace, process->cwd, &n);
		strbuf_add(&cwd, text, n);
	}
	char *dirs[SOURCE_DIRS_MAX + 16];
	for (size_t i = 0; i < SOURCE_DIRS_MAX && host->source_dirs[i]; i++)
		dirs[n_dirs++] = host->source_dirs[i];
	for (size_t i = 0; i < host->config->source_dirs.n && n_dirs < ARRAY_LEN(dirs); i++)
		dirs[n_dirs++] = host->config->source_dirs.v[i];
	struct source_root root = root_of(s, process);
	const struct source_file *source = source_get(strbuf_str(&path), strbuf_str(&cwd), root,
						      dirs, n_dirs);
	*ret_is_ours = root.is_ours;
	strbuf_fini(&path);
	strbuf_fini(&cwd);
	return source;
}

/* The thread that waits before the event under the cursor happens; NULL: none does. */
static const struct held_row *held_now(const struct stack *k)
{
	const struct hold_list *list = view_holds(k->pane.host->view);
	for (uint32_t i = 0; i < list->n_held && i < HELD_SHOWN; i++)
		if (list->held[i].seq == k->seq)
			return &list->held[i];
	return NULL;
}

/* Read the variables that the next frame of the screen shows. */
static void look_at_locals(struct stack *k)
{
	const struct view *s = k->pane.host->view;
	const struct held_row *held = held_now(k);
	const struct frame_entry *e = current(k);
	struct frame_info f;
	uint32_t number = 0;
	strbuf_clear(&k->locals);
	if (!k->has_locals || !source_frame(k, &f))
		return;
	for (uint32_t i = 0; i < e->number && i < k->n_frames; i++)
		number += trace_frame(s->trace, k->frames[i], &f) && f.kind == FRAME_PYTHON;
	/* those of the capture, which stay as they are; until it has them, those of now */
	struct trace_locals_frame frame;
	if (trace_locals_frame(s->trace, k->seq, number, "", &frame, &k->locals))
		return;
	if (!held || !s->live->locals || !s->live->locals(s->live_ctx, held, number, &k->locals))
		strbuf_clear(&k->locals);
}

/* Read the source that the next frame of the screen shows. */
static void look(struct stack *k)
{
	struct frame_info f;
	k->source = NULL;
	if (excerpt_lines(&k->pane) && source_frame(k, &f))
		k->source = read_source(k, &f, &k->is_ours);
	look_at_locals(k);
}

static void update_stack(struct pane *p, unsigned changes)
{
	struct stack *k = (struct stack *)p;
	bool had_locals = k->has_locals, other = k->seq != p->host->cursor_seq;
	k->seq = p->host->cursor_seq;
	k->has_locals = held_now(k) || trace_locals(p->host->view->trace, k->seq);
	if (changes & (CHANGE_CURSOR | CHANGE_FILTER | CHANGE_SIZE) ||
	    had_locals != k->has_locals) {
		build(k);
		int lines = p->n_lines - (k->entries.n ? excerpt_lines(p) : 0);
		lines -= k->task && lines >= TASK_LINES_MIN;
		list_set(&p->list, k->entries.n, lines > 0 ? lines : 1);
		if (other)
			for (size_t i = 0; i < k->entries.n; i++)
				if (k->entries.v[i].number == k->caller) {
					p->list.top = 0;
					list_go(&p->list, i);
				}
		if (other && k->caller == UINT32_MAX)
			list_go(&p->list, 0);
	}
	look(k);
}

/* Why there is no source, and what to do. A small pane has one line for both. */
static const char *no_source_words(const struct stack *k, const struct frame_info *f, bool is_small)
{
	size_t n;
	const char *file = trace_string(k->pane.host->view->trace, f->file, &n);
	if (n && *file == '<')
		return tr("this code has no file");
	if (k->source && k->source->is_silent)
		return tr("its file system does not answer; :source asks it again");
	if (is_small)
		return tr("no source here; :source DIR");
	return k->is_ours ? tr("it is not on this machine; :source DIR looks elsewhere")
			  : tr("its files are not this machine's; :source DIR looks elsewhere");
}

static void draw_no_source(const struct stack *k, struct area a, const struct frame_info *f)
{
	bool is_small = a.n_lines <= 3;
	if (!is_small)
		area_put_cut(a, 1, 2, -1, ROLE_DIM, tr("no source"));
	area_put_cut(a, is_small ? 1 : 2, 2, -1, ROLE_DIM, no_source_words(k, f, is_small));
}

/* Draw one line of the file at line y; its number takes `digits` cells. */
static void draw_source_line(const struct stack *k, struct area a, int y, int64_t line, int digits,
			     const struct frame_info *f)
{
	size_t bytes;
	const char *text = source_line(k->source, (uint32_t)line, &bytes);
	bool here = line == f->line, is_only = a.n_lines == 2;
	area_printf(a, y, 1, digits, ROLE_DIM, "%*lld", digits, (long long)line);
	if (here)
		area_put(a, y, digits + 2, 1, ROLE_FOCUS, "→");
	/* tabs become spaces; area_put_cut() makes the rest harmless */
	struct strbuf code = { 0 };
	for (size_t i = 0; i < bytes && code.n < 2000; i++) {
		if (text[i] == '\t')
			strbuf_add_repeat(&code, ' ', 8 - code.n % 8);
		else
			strbuf_addc(&code, text[i]);
	}
	const char *shown = strbuf_str(&code);
	if (is_only) /* the indentation of a single line says nothing */
		shown += strspn(shown, " ");
	area_put_cut(a, y, digits + 4, -1, here ? ROLE_TEXT : ROLE_DIM, shown);
	strbuf_fini(&code);
	if (!here || f->line != f->end_line || !f->column || f->end_column <= f->column ||
	    is_only || memchr(text, '\t', bytes))
		return;
	int from = text_width(text, f->column - 1 < bytes ? f->column - 1 : bytes);
	int to = text_width(text, f->end_column - 1 < bytes ? f->end_column - 1 : bytes);
	area_mark(a, y, digits + 4 + from, to - from, CELL_UNDERLINE, ROLE_COUNT);
}

static void draw_excerpt(const struct stack *k, struct area a, const struct frame_info *f)
{
	struct view *s = k->pane.host->view;
	const struct source_file *source = k->source;
	if (a.n_lines < 2)
		return;
	struct strbuf place = { 0 }, function = { 0 };
	text_place(&place, s, f);
	const char *colon = strrchr(strbuf_str(&place), ':');
	if (colon)
		strbuf_cut(&place, (size_t)(colon - place.s));
	int x = 2 + area_put_cut(a, 0, 2, a.n_columns - 4, ROLE_DIM, strbuf_str(&place));
	put_function(s, &function, f);
	if (a.n_lines > 3)
		x += 2 + area_put_cut(a, 0, x + 2, a.n_columns - x - 4, ROLE_DIM,
				      strbuf_str(&function));
	strbuf_fini(&place);
	strbuf_fini(&function);
	if (!source || !source->found) {
		draw_no_source(k, a, f);
		return;
	}
	struct event e;
	if (trace_event(s->trace, k->seq, &e) &&
	    source->modified_ns > trace_about_get(s->trace)->wall_anchor_ns + e.time_ns)
		area_put_cut(a, 0, x + 2, -1, ROLE_TROUBLE, tr("changed since the event"));
	int lines = a.n_lines - 1, digits = 1;
	int64_t first = (int64_t)f->line - (lines - 1) / 3;
	if (first < 1)
		first = 1;
	for (int64_t v = first + lines; v >= 10; v /= 10)
		digits++;
	if (digits < 2)
		digits = 2;
	for (int y = 0; y < lines && first + y <= source->n_lines; y++)
		draw_source_line(k, a, y + 1, first + y, digits, f);
}

/* Of a thread that is or was held: its source line and variables; of others, an excerpt of the
 * source. */
static void draw_below(const struct stack *k, struct area a, const struct frame_info *f)
{
	if (!k->locals.n) {
		draw_excerpt(k, a, f);
		return;
	}
	int y = 0;
	if (a.n_lines > 3) {
		int n = a.n_lines > 12 ? a.n_lines / 3 : 2;
		draw_excerpt(k, area_sub(a, 0, 0, n, a.n_columns), f);
		y = n;
	}
	for (const char *line = k->locals.s; *line; y++) {
		size_t n = strcspn(line, "\n"), n_more = 0;
		if (y == a.n_lines - 1)
			for (const char *p = line + n; *p; p++)
				n_more += *p == '\n' && p[1];
		struct strbuf b = { 0 };
		if (n_more)
			strbuf_addf(&b, tr("… %zu more; \\ gives this pane more room"), n_more + 1);
		else
			strbuf_add(&b, line, n);
		area_put_cut(a, y, 4, -1, n_more ? ROLE_DIM : ROLE_TEXT, strbuf_str(&b));
		strbuf_fini(&b);
		line += n + (line[n] == '\n');
		if (y >= a.n_lines - 1)
			break;
	}
}

/* While the program is quiet, its last line says what the thread does now, which is another moment
 * than that of the stack. False: there is nothing to say. */
static bool draw_what_now(const struct stack *k, struct area a, int y)
{
	const struct pane_host *host = k->pane.host;
	struct trace *t = host->view->trace;
	struct strbuf b = { 0 };
	struct event e;
	if (!host->now || !host->is_quiet || !trace_event(t, k->seq, &e))
		return false;
	const struct thread_info *thread = trace_thread(t, e.thread);
	const struct process_info *process = trace_process(t, e.process);
	now_age_text(&b, host);
	strbuf_adds(&b, ": ");
	bool is_known = thread && process &&
			now_thread_text(&b, host, (int)process->pid, (int)thread->tid);
	if (is_known) {
		strbuf_adds(&b, tr("; @ shows all"));
		area_put_cut(a, y, 2, -1, ROLE_DIM, strbuf_str(&b));
	}
	strbuf_fini(&b);
	return is_known;
}

/* "in task job-1, awaited by job-2 ← main" */
static void draw_task(const struct stack *k, struct area a, int y)
{
	struct trace *t = k->pane.host->view->trace;
	struct trace_task task;
	struct strbuf b = { 0 };
	if (!k->task || y >= a.n_lines || !trace_task(t, k->task, &task))
		return;
	strbuf_adds(&b, tr("in task "));
	utf8_escape(&b, task.name, task.n_name, 0);
	if (task.n_awaited || task.n_more) {
		strbuf_adds(&b, tr(", awaited by "));
		trace_task_add_awaited(&b, &task, TASKS_SHOWN);
	}
	area_put_cut(a, y, 1, -1, ROLE_DIM, strbuf_str(&b));
	strbuf_fini(&b);
}

static void draw_stack(const struct pane *p, struct area a)
{
	const struct stack *k = (const struct stack *)p;
	const struct pane_host *host = p->host;
	struct view *s = host->view;
	bool focus = pane_has_focus(p);
	if (!k->entries.n) {
		if (k->has_event) {
			area_put(a, 0, 2, -1, ROLE_TEXT, tr("no stack was taken"));
			area_put_cut(a, 1, 2, -1, ROLE_DIM, tr("no Python code runs yet,"));
			area_put_cut(a, 2, 2, -1, ROLE_DIM,
				     tr("or it was recorded with --stack off"));
			draw_task(k, a, 3);
		}
		return;
	}
	int place_x = a.n_columns * 24 / 40;
	if (place_x > a.n_columns - 16)
		place_x = a.n_columns - 16;
	bool both = k->n_native > 0;
	int fx = both ? 7 : 4;
	for (int y = 0; y < p->list.n_lines && p->list.top + (uint64_t)y < k->entries.n; y++) {
		const struct frame_entry *e = &k->entries.v[p->list.top + (uint64_t)y];
		struct frame_info f;
		struct strbuf b = { 0 };
		trace_frame(s->trace, e->frame, &f);
		bool is_cursor = p->list.top + (uint64_t)y == p->list.cursor;
		if (e->n_folded) {
			area_put(a, y, 1, 1, ROLE_DIM, "▸");
			strbuf_addf(&b, tr("%*u library frames"), fx == 7 ? 3 : 4, e->n_folded);
			int x = 2 + area_put_cut(a, y, 2, place_x - 3, ROLE_DIM, strbuf_str(&b));
			(void)x;
			struct frame_info last;
			trace_frame(s->trace, e->last, &last);
			strbuf_clear(&b);
			text_place(&b, s, &f);
			const char *colon = strrchr(strbuf_str(&b), ':');
			if (colon)
				strbuf_cut(&b, (size_t)(colon - b.s));
			strbuf_adds(&b, " … ");
			size_t at = b.n;
			text_place(&b, s, &last);
			colon = strrchr(strbuf_str(&b) + at, ':');
			if (colon)
				strbuf_cut(&b, (size_t)(colon - b.s));
			if (a.n_columns >= 46)
				area_put_cut(a, y, place_x, -1, ROLE_DIM, strbuf_str(&b));
		} else if (f.kind == FRAME_MARK) {
			strbuf_adds(&b, "── ");
			text_string(&b, s->trace, f.function);
			strbuf_adds(&b, " ──");
			area_put_cut(a, y, 4, -1, ROLE_DIM, strbuf_str(&b));
		} else {
			bool library = trace_frame_origin(s->trace, e->frame) != FRAME_ORIGIN_USER;
			enum role role = library ? ROLE_DIM : ROLE_TEXT;
			area_printf(a, y, 1, 3, ROLE_DIM, "%2u", e->number);
			if (both)
				area_put(a, y, 4, 2, ROLE_DIM, f.kind == FRAME_NATIVE ? "C" : "py");
			put_function(s, &b, &f);
			area_put_cut(a, y, fx, place_x - fx - 1, role, strbuf_str(&b));
			strbuf_clear(&b);
			text_place(&b, s, &f);
			int used = area_put_middle(a, y, place_x, a.n_columns - place_x, role,
						   strbuf_str(&b));
			if (e->number == k->caller && place_x + used + 10 < a.n_columns)
				area_put(a, y, place_x + used + 2, -1, ROLE_DIM, tr("◂ caller"));
			else if (e->number == k->caller && place_x + used + 3 < a.n_columns)
				area_put(a, y, a.n_columns - 3, -1, ROLE_DIM, "◂");
		}
		strbuf_fini(&b);
		search_mark(host->search, a, y);
		if (focus && is_cursor) {
			area_put(a, y, 0, 1, ROLE_FOCUS, "▌");
			area_bar(a, y);
		} else if (is_cursor || (!focus && e->number == k->caller && !e->n_folded)) {
			area_put(a, y, 0, 1, ROLE_FOCUS, "▏");
		}
	}
	int excerpt = excerpt_lines(p);
	struct frame_info f;
	if (p->list.n_lines + excerpt < p->n_lines)
		draw_task(k, a,
			  k->entries.n < (uint64_t)p->list.n_lines ? (int)k->entries.n
								   : p->list.n_lines);
	if (excerpt && !held_now(k) && draw_what_now(k, a, p->n_lines - 1))
		excerpt--;
	if (excerpt && source_frame(k, &f))
		draw_below(k, area_sub(a, p->n_lines - excerpt_lines(p), 0, excerpt, a.n_columns),
			   &f);
}

static bool act_frames(struct pane *p, enum action action, uint64_t count)
{
	struct stack *k = (struct stack *)p;
	const struct pane_host *host = p->host;
	if (list_act(&p->list, action, count))
		return true;
	const struct frame_entry *e = current(k);
	switch ((int)action) {
	case ACTION_OPEN:
		if (!e || !e->n_folded)
			return host_act(host, ACTION_SOURCE_EDIT, 0, NULL), true;
		__attribute__((fallthrough));
	case ACTION_FOLD:
		k->unfold = !k->unfold;
		build(k);
		list_set(&p->list, k->entries.n, p->list.n_lines);
		return true;
	case ACTION_STACK_MODE: {
		static const char *const says[] = { N_("Python and native frames"),
						    N_("Python frames only"),
						    N_("native frames only") };
		k->show = (enum stack_show)((k->show + 1) % SHOW_COUNT);
		build(k);
		list_set(&p->list, k->entries.n, p->list.n_lines);
		host_flash(host, "%s", tr(says[k->show]));
		return true;
	}
	default: return false;
	}
}

static bool act_stack(struct pane *p, enum action action, uint64_t count, const char *text)
{
	if (!act_frames(p, action, count))
		return false;
	look((struct stack *)p);
	return true;
}

static void title_stack(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct stack *k = (const struct stack *)p;
	if (!k->n_frames)
		return;
	if (k->n_native) {
		strbuf_adds(subject, k->show == SHOW_PYTHON      ? tr("python")
				     : k->show == SHOW_NATIVE    ? tr("native")
				     : k->flags & EVENT_UNMERGED ? tr("python, then native")
								 : tr("python and native"));
		strbuf_addf(facts, tr("%u Python, %u native"), k->n_python, k->n_native);
	} else {
		strbuf_addf(facts, tr(k->depth == 1 ? "%u frame" : "%u frames"), k->depth);
	}
	if (k->flags & EVENT_STACK_CUT)
		strbuf_adds(facts, " [cut]");
}

static bool term_stack(const struct pane *p, struct strbuf *to)
{
	const struct stack *k = (const struct stack *)p;
	struct view *s = p->host->view;
	const struct frame_entry *e = current(k);
	struct frame_info f;
	if (!e || e->n_folded || !trace_frame(s->trace, e->frame, &f) || f.kind == FRAME_MARK)
		return false;
	size_t n;
	const char *text = trace_string(s->trace, f.function, &n);
	const char *what = e->number == k->caller ? "caller" : "stack";
	strbuf_addf(to, "%s.func == ", what);
	filter_quote(to, text, n);
	text = trace_string(s->trace, f.kind == FRAME_NATIVE ? f.module : f.file, &n);
	if (n) {
		strbuf_addf(to, " and %s.%s == ", what, f.kind == FRAME_NATIVE ? "module" : "file");
		filter_quote(to, text, n);
	}
	return true;
}

static void line_stack(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct stack *k = (const struct stack *)p;
	struct view *s = p->host->view;
	struct frame_info f;
	if (entry >= k->entries.n || !trace_frame(s->trace, k->entries.v[entry].frame, &f))
		return;
	put_function(s, to, &f);
	strbuf_addc(to, ' ');
	text_string(to, s->trace, f.kind == FRAME_NATIVE ? f.module : f.file);
	if (f.line)
		strbuf_addf(to, ":%u", f.line);
}

bool pane_stack_source(const struct pane *p, struct strbuf *ret_path, unsigned *ret_line)
{
	const struct stack *k = (const struct stack *)p;
	struct frame_info f;
	bool is_ours;
	if (!source_frame(k, &f))
		return false;
	const struct source_file *source = read_source(k, &f, &is_ours);
	if (!source || !source->found || source->is_foreign)
		return false;
	strbuf_adds(ret_path, source->found);
	*ret_line = f.line;
	return true;
}

const struct pane_ops pane_stack_ops = {
	.open = open_stack,
	.close = close_stack,
	.update = update_stack,
	.draw = draw_stack,
	.act = act_stack,
	.title = title_stack,
	.term = term_stack,
	.line = line_stack,
};
