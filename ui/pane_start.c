/*
 * pane_start: the Python processes of this machine, each with the answer whether it can be attached
 * to; recent captures; lessons.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/tr.h"
#include "base/utf8.h"
#include "model/lesson.h"
#include "ui/area.h"
#include "ui/found_captures.h"
#include "ui/frame.h"
#include "ui/lesson_steps.h"
#include "ui/pane_host.h"
#include "ui/pane_lesson.h"
#include "ui/prompt.h"
#include "ui/text.h"

enum part { PART_PROCESSES, PART_CAPTURES, PART_LEARN, PART_COUNT };

struct found_process {
	struct app_process info;
	char *command, *where, *verdict, *why;
	int depth;       /* processes above it in the tree that are listed, too */
	bool is_worker;  /* it runs the same command as its parent */
	unsigned n_more; /* the line stands for so many further workers of that parent */
};

enum { FOLDED = -1 }; /* the line in place of the captures of lessons */

struct start {
	struct pane pane;
	enum part part;
	struct list lists[PART_COUNT];
	/* the lines of the three lists: those that have the text that the user narrowed to */
	VEC(struct found_process) processes; /* a tree, parents first */
	VEC(int) captures;                   /* indices into `found`, or FOLDED */
	VEC(int) learn;                      /* lessons, then rows of learn[] */
	struct found_captures found;
	size_t n_lessons_found; /* captures of lessons among them */
	bool shows_lessons;     /* they are lines of their own */
	bool shows_workers;     /* likewise equal workers */
	/* processes; those that have the text that the user narrowed to; those of them that can be
	 * attached to */
	size_t n_here, n_narrowed, n_ready;
	uint64_t listed_at_ns;
	bool has_listed;
	/* all processes are known; else they are still being examined */
	bool is_whole;
	unsigned done[LESSONS_MAX]; /* completed steps, by the lesson's number */
	struct strbuf narrow, old_narrow;
};

/* The last lines of the third part, after the lessons. */
static const struct {
	const char *name, *text;
	enum action action;
} learn[] = {
	{ N_("Catalogue"), N_("every audit event there is: what raises it, what hides from it"),
	  ACTION_CATALOG },
	{ N_("Help"), N_("keys, signs, and the words of the filter"), ACTION_HELP },
};

static char *own(const char *s)
{
	return s ? strdup(s) : NULL;
}

static void process_fini(struct found_process *f)
{
	free(f->command);
	free(f->where);
	free(f->verdict);
	free(f->why);
}

static void forget_processes(struct start *t)
{
	for (size_t i = 0; i < t->processes.n; i++)
		process_fini(&t->processes.v[i]);
	t->processes.n = 0;
}

static struct err *open_start(const struct pane_host *host, struct pane **ret)
{
	struct start *t = calloc(1, sizeof(*t));
	if (!t)
		return err_no_memory();
	*ret = &t->pane;
	return NULL;
}

static void close_start(struct pane *p)
{
	struct start *t = (struct start *)p;
	forget_processes(t);
	vec_fini(&t->processes);
	vec_fini(&t->captures);
	vec_fini(&t->learn);
	found_captures_fini(&t->found);
	strbuf_fini(&t->narrow);
	strbuf_fini(&t->old_narrow);
	free(t);
}

/* Does one of the texts contain what the user narrowed to? Case does not matter. NULL ends them. */
static bool has_text(const struct start *t, const char *const texts[])
{
	for (size_t i = 0; texts[i]; i++)
		if (strcasestr(texts[i], strbuf_str(&t->narrow)))
			return true;
	return !t->narrow.n;
}

static bool add_process(struct start *t, const struct app_process *p, int depth, bool is_worker)
{
	struct found_process f = { *p,          own(p->command), own(p->where), own(p->verdict),
				   own(p->why), depth,           is_worker,     0 };
	if (vec_push(&t->processes, f))
		return true;
	process_fini(&f);
	return false;
}

/* What add_tree() works on. */
struct tree {
	struct start *t;
	const struct app_process *list;
	size_t n;
	bool *is_done; /* [n] */
};

enum { DEPTH_MAX = 8 }; /* deeper processes are shown at this depth */

static void add_tree(struct tree *w, size_t i, int depth, const char *parent_command)
{
	const struct app_process *p = &w->list[i];
	bool is_worker = depth && p->command && parent_command &&
			 !strcmp(p->command, parent_command);
	w->is_done[i] = true;
	if (!add_process(w->t, p, depth, is_worker))
		return;
	for (size_t k = 0; k < w->n; k++)
		if (!w->is_done[k] && w->list[k].ppid == p->pid)
			add_tree(w, k, depth < DEPTH_MAX ? depth + 1 : depth, p->command);
}

/* A process comes below its parent, if that is listed. While the user narrows, each line stands for
 * itself. */
static void make_tree(struct start *t, const struct app_process *list, size_t n)
{
	struct tree w = { t, list, n, calloc(n ? n : 1, sizeof(*w.is_done)) };
	for (size_t i = 0; i < n && w.is_done; i++) {
		bool has_parent = false;
		for (size_t k = 0; k < n && !t->narrow.n; k++)
			has_parent |= list[k].pid == list[i].ppid && k != i;
		if (t->narrow.n) {
			char pid[16];
			snprintf(pid, sizeof(pid), "%d", list[i].pid);
			const char *texts[] = { pid, list[i].command ? list[i].command : "",
						list[i].where, NULL };
			if (has_text(t, texts))
				add_process(t, &list[i], 0, false);
		} else if (!has_parent) {
			add_tree(&w, i, 0, NULL);
		}
	}
	/* parents in a circle: a pid was used again while the list was made */
	for (size_t i = 0; i < n && w.is_done && !t->narrow.n; i++)
		if (!w.is_done[i])
			add_tree(&w, i, 0, NULL);
	free(w.is_done);
}

static bool is_alike(const struct found_process *a, const struct found_process *b)
{
	return b->is_worker && a->depth == b->depth && a->info.ppid == b->info.ppid &&
	       !strcmp(a->verdict ? a->verdict : "", b->verdict ? b->verdict : "") &&
	       !strcmp(a->where ? a->where : "", b->where ? b->where : "");
}

/* Workers of one process that have no children of their own and one verdict become one line, unless
 * they are few. */
static void fold_workers(struct start *t)
{
	enum { FOLD_LEAST = 4 };
	struct found_process *v = t->processes.v;
	size_t n = t->processes.n, to = 0;
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; v[i].is_worker && end < n && is_alike(&v[i], &v[end]);)
			end++;
		/* the last one has children: it is a line of its own */
		if (end < n && end - i > 1 && v[end].depth > v[end - 1].depth)
			end--;
		bool folds = end - i >= FOLD_LEAST;
		for (size_t k = i; k < end; k++) {
			if (folds && k > i) {
				if (v[k].info.cpu > 0)
					v[to - 1].info.cpu += v[k].info.cpu;
				v[to - 1].n_more++;
				process_fini(&v[k]);
			} else {
				v[to++] = v[k];
			}
		}
	}
	t->processes.n = to;
}

static void list_processes(struct start *t)
{
	const struct app_start_ops *ops = t->pane.host->start;
	const struct app_process *list = NULL;
	size_t n = 0;
	if (!ops || !ops->list)
		return;
	struct err *err = ops->list(t->pane.host->start_ctx, &list, &n, &t->is_whole);
	if (err) {
		host_flash_err(t->pane.host, err);
		return;
	}
	struct list *l = &t->lists[PART_PROCESSES];
	int pid = l->cursor < t->processes.n ? t->processes.v[l->cursor].info.pid : 0;
	forget_processes(t);
	make_tree(t, list, n);
	t->n_here = n;
	t->n_narrowed = t->processes.n;
	t->n_ready = 0;
	for (size_t i = 0; i < t->n_narrowed; i++)
		t->n_ready += t->processes.v[i].info.is_ready;
	if (!t->narrow.n && !t->shows_workers)
		fold_workers(t);
	/* the cursor stays on its process */
	for (size_t i = 0; pid && i < t->processes.n; i++)
		if (t->processes.v[i].info.pid == pid)
			l->cursor = i;
}

static bool has_look(const struct start *t)
{
	const struct app_start_ops *ops = t->pane.host->start;
	return ops && ops->look;
}

/* Begin to look for processes again; what is known stays until then. */
static void look(struct start *t)
{
	struct err *err = has_look(t) ? t->pane.host->start->look(t->pane.host->start_ctx) : NULL;
	if (err)
		host_flash_err(t->pane.host, err);
	list_processes(t);
}

static void list_captures(struct start *t)
{
	/* the cursor stays on its capture while lines above it come and go */
	struct list *l = &t->lists[PART_CAPTURES];
	int at = l->cursor < t->captures.n ? t->captures.v[l->cursor] : FOLDED;
	t->captures.n = 0;
	t->n_lessons_found = 0;
	for (size_t i = 0; i < t->found.n; i++) {
		const struct found_capture *c = &t->found.v[i];
		const char *texts[] = { c->name, c->what, NULL };
		if (!has_text(t, texts))
			continue;
		t->n_lessons_found += c->is_lesson;
		if (c->is_lesson && !t->shows_lessons && !t->narrow.n)
			continue;
		if (!vec_push(&t->captures, (int)i))
			return;
		if ((int)i == at)
			l->cursor = t->captures.n - 1;
	}
	if (t->n_lessons_found && !t->shows_lessons && !t->narrow.n) {
		bool ok = vec_push(&t->captures, FOLDED);
		(void)ok; /* without memory the line is missing */
	}
}

static void list_learn(struct start *t)
{
	t->learn.n = 0;
	for (size_t i = 0; i < n_lessons + ARRAY_LEN(learn); i++) {
		const char *texts[] = {
			tr(i < n_lessons ? lessons[i].title : learn[i - n_lessons].name),
			i < n_lessons ? NULL : tr(learn[i - n_lessons].text), NULL
		};
		if (has_text(t, texts) && !vec_push(&t->learn, (int)i))
			return;
	}
}

/* Read what is in the captures, one a call. */
static bool work_start(struct pane *p, uint64_t budget_ns)
{
	struct start *t = (struct start *)p;
	if (!found_captures_read(&t->found))
		return false;
	host_changed(p->host, CHANGE_LIST);
	return true;
}

/* How many lines a list has. If they do not all fit, the list in use gets what the others can do
 * without. */
static int part_lines(const struct start *t, enum part part)
{
	enum { LEAST = 3, PROCESS_FRAME = 2 };
	int room = t->pane.n_lines - 3, wish[PART_COUNT], lines[PART_COUNT];
	wish[PART_PROCESSES] = (int)t->processes.n + PROCESS_FRAME;
	wish[PART_CAPTURES] = (int)t->captures.n;
	wish[PART_LEARN] = (int)t->learn.n;
	for (int i = 0; i < PART_COUNT; i++) {
		int least = i == PART_PROCESSES ? LEAST + PROCESS_FRAME : 1;
		if (wish[i] < least)
			wish[i] = least;
		lines[i] = wish[i] < LEAST ? wish[i] : i == PART_PROCESSES ? least : LEAST;
		room -= lines[i];
	}
	const enum part order[] = { t->part, PART_PROCESSES, PART_CAPTURES, PART_LEARN };
	for (size_t i = 0; i < ARRAY_LEN(order) && room > 0; i++) {
		int more = wish[order[i]] - lines[order[i]];
		if (more > room)
			more = room;
		lines[order[i]] += more;
		room -= more;
	}
	if (room > 0)
		lines[PART_PROCESSES] += room;
	for (int i = PART_LEARN; i >= 0 && room < 0; i--) /* a very low screen */
		while (room < 0 && lines[i] > 1) {
			lines[i]--;
			room++;
		}
	return lines[part];
}

static void set_lists(struct start *t)
{
	list_set(&t->lists[PART_PROCESSES], t->processes.n, part_lines(t, PART_PROCESSES) - 2);
	list_set(&t->lists[PART_CAPTURES], t->captures.n, part_lines(t, PART_CAPTURES));
	list_set(&t->lists[PART_LEARN], t->learn.n, part_lines(t, PART_LEARN));
	t->pane.list = t->lists[t->part];
}

static void update_start(struct pane *p, unsigned changes)
{
	struct start *t = (struct start *)p;
	t->lists[t->part].cursor = p->list.cursor; /* a search or a click has moved it */
	bool is_back = changes & CHANGE_FILTER;    /* the page is shown (again) */
	if (changes & CHANGE_EVENTS)               /* more is known of the processes */
		list_processes(t);
	if (is_back || !t->has_listed) {
		t->captures.n = 0; /* its numbers are of the former list */
		found_captures_list(&t->found);
		if (!p->host->no_config)
			lesson_steps_read(t->done);
	}
	if (is_back || !t->has_listed || p->host->now_ns - t->listed_at_ns > 3000000000u) {
		look(t);
		t->has_listed = true;
		t->listed_at_ns = p->host->now_ns;
	}
	list_captures(t);
	list_learn(t);
	set_lists(t);
}

static void when_text(struct strbuf *to, time_t when)
{
	time_t now = time(NULL);
	struct tm then, today;
	localtime_r(&when, &then);
	localtime_r(&now, &today);
	if (then.tm_year == today.tm_year && then.tm_yday == today.tm_yday)
		strbuf_addf(to, tr("today %02d:%02d"), then.tm_hour, then.tm_min);
	else if (now - when < 2 * 86400)
		strbuf_adds(to, tr("yesterday"));
	else
		strbuf_addf(to, "%04d-%02d-%02d", then.tm_year + 1900, then.tm_mon + 1,
			    then.tm_mday);
}

static void cursor(const struct start *t, struct area a, int y, enum part part, uint64_t at)
{
	if (t->part != part || t->lists[part].cursor != at)
		return;
	area_put(a, y, 0, 1, ROLE_FOCUS, "▌");
	area_bar(a, y);
}

/* The column of the answers is as wide as they need, with a cell behind them. */
static int verdict_width(const struct start *t, int n_columns)
{
	int width = n_columns >= 100 ? 13 : 9;
	for (size_t i = 0; i < t->processes.n; i++) {
		const char *verdict = t->processes.v[i].verdict ? tr(t->processes.v[i].verdict)
								: "";
		int w = text_width(verdict, strlen(verdict)) + 1;
		if (w > width && w <= 16)
			width = w;
	}
	return width;
}

static void draw_processes(const struct start *t, struct area a)
{
	struct strbuf b = { 0 };
	area_put(a, 0, 6, -1, ROLE_DIM, tr("pid"));
	area_put(a, 0, 10, -1, ROLE_DIM, "python");
	area_put(a, 0, 18, 6, ROLE_DIM, tr("up"));
	area_put(a, 0, 25, 15, ROLE_DIM, tr("doing"));
	area_put(a, 0, 41, -1, ROLE_DIM, tr("command"));
	int verdict_x = a.n_columns - verdict_width(t, a.n_columns);
	area_put(a, 0, verdict_x, -1, ROLE_DIM, tr("attach"));
	if (!t->processes.n && t->narrow.n) {
		area_put(a, 1, 2, -1, ROLE_TEXT, tr("no process here has this text"));
	} else if (!t->processes.n) {
		area_put(a, 1, 2, -1, ROLE_TEXT,
			 t->is_whole || !has_look(t) ? tr("no Python process is running here")
						     : tr("looking for Python processes"));
		area_put(a, 2, 2, -1, ROLE_DIM, tr("auditview -- program.py starts one"));
	}
	const struct list *l = &t->lists[PART_PROCESSES];
	for (int y = 0; y < l->n_lines && l->top + (uint64_t)y < t->processes.n; y++) {
		const struct found_process *f = &t->processes.v[l->top + (uint64_t)y];
		char pid[16];
		snprintf(pid, sizeof(pid), "%d", f->info.pid);
		area_put_right(a, y + 1, 2, 7, ROLE_TEXT, pid);
		area_put_cut(a, y + 1, 10, 7, ROLE_TEXT, f->info.python);
		strbuf_clear(&b);
		text_age(&b, f->info.up_ns);
		area_put_cut(a, y + 1, 18, 6, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		if (f->where)
			strbuf_adds(&b, f->where);
		else if (f->info.cpu >= 0.01)
			strbuf_addf(&b, tr("%.0f %% cpu"), f->info.cpu * 100);
		else if (f->info.cpu >= 0)
			strbuf_adds(&b, tr("idle"));
		area_put_cut(a, y + 1, 25, 15, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		strbuf_add_repeat(&b, ' ', f->depth > 1 ? (size_t)(f->depth - 1) * 2 : 0);
		strbuf_adds(&b, f->depth ? "└ " : "");
		if (f->n_more)
			strbuf_addf(&b, tr("%u workers · Enter lists"), f->n_more + 1);
		else if (f->is_worker)
			strbuf_adds(&b, tr("worker"));
		else if (f->command)
			strbuf_adds(&b, f->command); /* it is escaped already */
		area_put_middle(a, y + 1, 41, verdict_x - 41 - 1, ROLE_TEXT, strbuf_str(&b));
		area_put_cut(a, y + 1, verdict_x, a.n_columns - verdict_x,
			     f->info.is_ready ? ROLE_TEXT : ROLE_TROUBLE,
			     f->verdict ? tr(f->verdict) : "");
		search_mark(t->pane.host->search, a, y + 1);
		cursor(t, a, y + 1, PART_PROCESSES, l->top + (uint64_t)y);
	}
	if (t->part == PART_PROCESSES && l->cursor < t->processes.n) {
		const struct found_process *f = &t->processes.v[l->cursor];
		if (f->why) {
			strbuf_clear(&b);
			strbuf_addf(&b, "%d: ", f->info.pid);
			utf8_escape(&b, f->why, strlen(f->why), 0);
			area_put_cut(a, a.n_lines - 1, 1, -1, ROLE_DIM, strbuf_str(&b));
		}
	}
	strbuf_fini(&b);
}

static void draw_capture(const struct start *t, const struct found_capture *c, struct area a, int y)
{
	/* where the name ends; from 110 columns on, what is in it stands beside it */
	int name_w = a.n_columns > 80 ? a.n_columns - 64 : 16, x = 17 + name_w;
	int what_w = a.n_columns >= 110 ? name_w - 20 : 0;
	struct strbuf b = { 0 };
	when_text(&b, c->when);
	area_put_cut(a, y, 3, 12, ROLE_DIM, strbuf_str(&b));
	strbuf_clear(&b);
	area_put_cut(a, y, 17, name_w - what_w - (what_w ? 1 : 0), ROLE_TEXT, c->name);
	if (what_w > 0)
		area_put_cut(a, y, x - what_w, what_w, ROLE_DIM, c->what);
	if (c->is_read) {
		text_age(&b, c->age_ns);
		area_put_right(a, y, x, 8, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		text_count(&b, c->events, 11);
		strbuf_adds(&b, tr(c->events == 1 ? " event" : " events"));
		area_put_right(a, y, x + 8, 19, ROLE_TEXT, strbuf_str(&b));
		strbuf_clear(&b);
	}
	text_bytes(&b, c->bytes);
	area_put_right(a, y, x + 27, 9, ROLE_DIM, strbuf_str(&b));
	strbuf_clear(&b);
	if (c->is_read) {
		if (!c->is_complete)
			strbuf_adds(&b, tr("cut short"));
		else {
			strbuf_add_count(&b, c->lost);
			strbuf_adds(&b, c->lost ? tr(" lost") : tr("0 lost"));
		}
		area_put_cut(a, y, x + 38, -1, c->lost ? ROLE_TROUBLE : ROLE_DIM,
			     c->is_complete && !c->lost ? tr("0 lost") : strbuf_str(&b));
	}
	strbuf_fini(&b);
}

static void draw_captures(const struct start *t, struct area a)
{
	const struct list *l = &t->lists[PART_CAPTURES];
	if (!t->captures.n)
		area_put(a, 0, 3, -1, ROLE_DIM,
			 t->narrow.n ? tr("no capture here has this text")
				     : tr("none yet: sessions without -o are kept here"));
	for (int y = 0; y < a.n_lines && l->top + (uint64_t)y < t->captures.n; y++) {
		int i = t->captures.v[l->top + (uint64_t)y];
		if (i == FOLDED) {
			area_put(a, y, 1, 1, ROLE_DIM, "▸");
			area_printf(a, y, 3, -1, ROLE_DIM, tr("%zu of lessons and tries"),
				    t->n_lessons_found);
		} else {
			draw_capture(t, &t->found.v[i], a, y);
		}
		cursor(t, a, y, PART_CAPTURES, l->top + (uint64_t)y);
	}
}

/* The last line: what is under the cursor. */
static void draw_details(const struct start *t, struct area a, int y)
{
	const struct list *l = &t->lists[t->part];
	int i = t->part == PART_CAPTURES && l->cursor < t->captures.n ? t->captures.v[l->cursor]
								      : FOLDED;
	struct strbuf b = { 0 };
	if (t->part == PART_PROCESSES) {
		strbuf_adds(&b, tr("Nothing is changed in a process before you press Enter."));
	} else if (i != FOLDED) {
		const struct found_capture *c = &t->found.v[i];
		const char *file = strrchr(c->path, '/');
		utf8_escape(&b, file ? file + 1 : c->path, strlen(file ? file + 1 : c->path), 0);
		strbuf_adds(&b, *c->what ? ": " : "");
		strbuf_adds(&b, c->what);
	} else if (t->part == PART_CAPTURES && t->captures.n) {
		strbuf_adds(&b, tr("Enter lists them"));
	}
	area_put_cut(a, y, 1, -1, ROLE_DIM, strbuf_str(&b));
	strbuf_fini(&b);
}

static unsigned steps_done(const struct start *t, const struct lesson *l)
{
	return l->number >= 0 && l->number < LESSONS_MAX ? t->done[l->number] : 0;
}

static void draw_start(const struct pane *p, struct area a)
{
	const struct start *t = (const struct start *)p;
	struct strbuf b = { 0 };
	int y = 0, n = part_lines(t, PART_PROCESSES);
	draw_processes(t, area_sub(a, y, 0, n, a.n_columns));
	y += n;
	frame_draw_title(area_sub(a, y, 0, 1, a.n_columns), t->part == PART_CAPTURES,
			 tr("Captures"), "", t->found.folder ? t->found.folder : "");
	y++;
	n = part_lines(t, PART_CAPTURES);
	draw_captures(t, area_sub(a, y, 0, n, a.n_columns));
	y += n;
	size_t done = 0;
	for (size_t i = 0; i < n_lessons; i++)
		done += steps_done(t, &lessons[i]) >= lessons[i].n_steps;
	strbuf_clear(&b);
	strbuf_addf(&b, tr("%zu of %zu done"), done, n_lessons);
	frame_draw_title(area_sub(a, y, 0, 1, a.n_columns), t->part == PART_LEARN, tr("Learn"), "",
			 strbuf_str(&b));
	y++;
	const struct list *l = &t->lists[PART_LEARN];
	if (!t->learn.n)
		area_put(a, y, 3, -1, ROLE_DIM, tr("no lesson has this text"));
	for (int k = 0; k < l->n_lines && l->top + (uint64_t)k < l->n; k++, y++) {
		uint64_t at = l->top + (uint64_t)k;
		size_t i = (size_t)t->learn.v[at];
		if (i < n_lessons) {
			lesson_steps_draw(a, y, &lessons[i], steps_done(t, &lessons[i]));
		} else {
			area_put(a, y, 6, 10, ROLE_TEXT, tr(learn[i - n_lessons].name));
			area_put_cut(a, y, 17, -1, ROLE_DIM, tr(learn[i - n_lessons].text));
		}
		cursor(t, a, y, PART_LEARN, at);
	}
	if (a.n_lines > y)
		draw_details(t, a, a.n_lines - 1);
	strbuf_fini(&b);
}

/* ---- narrowing ---- */

static void set_narrow(struct start *t, const char *text)
{
	strbuf_clear(&t->narrow);
	strbuf_adds(&t->narrow, text);
	list_processes(t);
	list_captures(t);
	list_learn(t);
	for (int i = 0; i < PART_COUNT; i++)
		t->lists[i].cursor = t->lists[i].top = 0;
	/* go where something is left */
	const size_t n[PART_COUNT] = { t->processes.n, t->captures.n, t->learn.n };
	for (int i = 0; i < PART_COUNT && !n[t->part]; i++)
		if (n[i])
			t->part = (enum part)i;
	set_lists(t);
	host_redraw(t->pane.host);
}

static struct start *start_of(const struct pane_host *host)
{
	return (struct start *)host_pane(host, PANE_START);
}

static void narrow_preview(const struct pane_host *host, const char *text)
{
	struct start *t = start_of(host);
	if (t && strcmp(strbuf_str(&t->narrow), text))
		set_narrow(t, text);
}

static bool narrow_accept(const struct pane_host *host, const char *text)
{
	narrow_preview(host, text);
	return true;
}

static void narrow_cancel(const struct pane_host *host)
{
	struct start *t = start_of(host);
	if (t)
		set_narrow(t, strbuf_str(&t->old_narrow));
}

static void narrow_check(const struct pane_host *host, const char *text, struct prompt_verdict *ret)
{
	const struct start *t = start_of(host);
	*ret = (struct prompt_verdict){ 0 };
	if (!t || !*text)
		return;
	struct strbuf b = { 0 };
	text_number_of(&b, t->processes.n, tr("process"), tr("processes"));
	strbuf_adds(&b, tr(", "));
	text_number_of(&b, t->captures.n, tr("capture"), tr("captures"));
	strbuf_addf(&b, tr(", %zu to learn"), t->learn.n);
	snprintf(ret->message, sizeof(ret->message), "%s", strbuf_str(&b));
	strbuf_fini(&b);
}

static const struct prompt_ops narrow_prompt = { .label = "/",
						 .history = -1,
						 .check = narrow_check,
						 .preview = narrow_preview,
						 .accept = narrow_accept,
						 .cancel = narrow_cancel };

static void narrow(struct start *t, const char *text)
{
	if (text) {
		set_narrow(t, text);
		return;
	}
	strbuf_clear(&t->old_narrow);
	strbuf_adds(&t->old_narrow, strbuf_str(&t->narrow));
	host_ask(t->pane.host, &narrow_prompt, "");
}

/* ---- actions ---- */

static void open_entry(struct start *t)
{
	const struct pane_host *host = t->pane.host;
	const struct app_start_ops *ops = host->start;
	uint64_t at = t->lists[t->part].cursor;
	struct app_source source = { .terminal_fd = -1 };
	struct err *err = NULL;
	if (t->part == PART_LEARN) {
		size_t i = at < t->learn.n ? (size_t)t->learn.v[at] : SIZE_MAX;
		if (i < n_lessons)
			pane_lesson_begin(host, lessons[i].number);
		else if (i - n_lessons < ARRAY_LEN(learn))
			host_act(host, learn[i - n_lessons].action, 0, NULL);
		return;
	}
	if (t->part == PART_PROCESSES) {
		if (at < t->processes.n && t->processes.v[at].n_more) {
			t->shows_workers = true;
			list_processes(t);
			set_lists(t);
			return;
		}
		if (at >= t->processes.n || !ops || !ops->attach)
			return;
		err = ops->attach(host->start_ctx, t->processes.v[at].info.pid, &source);
	} else {
		if (at >= t->captures.n)
			return;
		if (t->captures.v[at] == FOLDED) {
			t->shows_lessons = true;
			list_captures(t);
			set_lists(t);
			return;
		}
		const char *path = t->found.v[t->captures.v[at]].path;
		if (ops && ops->open)
			err = ops->open(host->start_ctx, path, &source);
		else
			err = trace_open(path, NULL, &source.trace);
		if (!err && !source.path)
			source.path = strdup(path);
	}
	if (err) { /* show cause and cure in a box */
		struct strbuf b = { 0 };
		strbuf_addf(&b, "%s\n", err->message);
		if (err->hint)
			strbuf_addf(&b, tr("cure    %s\n"), err->hint);
		strbuf_adds(&b, tr("        y copy   d doctor   Esc back"));
		host_dialog(host, strbuf_str(&b));
		strbuf_fini(&b);
		err_destroy(err);
		return;
	}
	err = host_open_source(host, &source, SESSION_ABOVE);
	if (err)
		host_flash_err(host, err);
}

static bool act_start(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct start *t = (struct start *)p;
	t->lists[t->part].cursor = p->list.cursor < t->lists[t->part].n ? p->list.cursor
									: t->lists[t->part].cursor;
	if (list_act(&t->lists[t->part], action, count)) {
		p->list = t->lists[t->part];
		return true;
	}
	switch ((int)action) {
	case ACTION_PANE_NEXT:
	case ACTION_PANE_PREV:
		t->part = (enum part)(
		    (t->part + (action == ACTION_PANE_NEXT ? 1 : PART_COUNT - 1)) % PART_COUNT);
		set_lists(t);
		return true;
	case ACTION_OPEN: open_entry(t); return true;
	case ACTION_NARROW: narrow(t, text); return true;
	case ACTION_CANCEL:
		if (t->narrow.n)
			set_narrow(t, "");
		else
			host_flash(p->host, "q leaves auditview");
		return true;
	case ACTION_FOLD:
		if (t->part == PART_PROCESSES &&
		    (t->shows_workers || t->n_narrowed != t->processes.n)) {
			t->shows_workers = !t->shows_workers;
			list_processes(t);
			set_lists(t);
			return true;
		}
		t->shows_lessons = !t->shows_lessons;
		list_captures(t);
		set_lists(t);
		return true;
	case ACTION_REDRAW: look(t); return false;
	case ACTION_DOCTOR: {
		const struct app_start_ops *ops = p->host->start;
		uint64_t at = t->lists[PART_PROCESSES].cursor;
		if (t->part == PART_PROCESSES && at < t->processes.n && ops && ops->doctor) {
			struct strbuf b = { 0 };
			ops->doctor(p->host->start_ctx, t->processes.v[at].info.pid, &b);
			host_dialog(p->host, strbuf_str(&b));
			strbuf_fini(&b);
		} else {
			host_flash(p->host, "doctor checks a process: Tab goes to their list");
		}
		return true;
	}
	default: return false;
	}
}

static void title_start(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct start *t = (const struct start *)p;
	if (t->narrow.n)
		utf8_escape(subject, t->narrow.s, t->narrow.n, 0);
	if (t->narrow.n)
		strbuf_addf(facts, tr("%zu of %zu, %zu can be attached to"), t->n_narrowed,
			    t->n_here, t->n_ready);
	else
		strbuf_addf(facts, tr("%zu here, %zu can be attached to"), t->n_here, t->n_ready);
}

static void line_start(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct start *t = (const struct start *)p;
	if (t->part == PART_PROCESSES && entry < t->processes.n)
		strbuf_addf(to, "%d %s", t->processes.v[entry].info.pid,
			    t->processes.v[entry].command ? t->processes.v[entry].command : "");
	else if (t->part == PART_CAPTURES && entry < t->captures.n) {
		if (t->captures.v[entry] != FOLDED)
			strbuf_adds(to, t->found.v[t->captures.v[entry]].path);
	} else if (t->part == PART_LEARN && entry < t->learn.n &&
		   (size_t)t->learn.v[entry] < n_lessons)
		strbuf_adds(to, lessons[t->learn.v[entry]].title);
}

const struct pane_ops pane_start_ops = {
	.open = open_start,
	.close = close_start,
	.update = update_start,
	.draw = draw_start,
	.act = act_start,
	.title = title_start,
	.line = line_start,
	.work = work_start,
};
