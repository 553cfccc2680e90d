/*
 * pane_start: the Python processes of this machine, each with the answer whether it can be attached
 * to; recent captures; lessons.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/folder.h"
#include "base/utf8.h"
#include "model/lesson.h"
#include "ui/frame.h"
#include "ui/lesson_steps.h"
#include "ui/pane_host.h"
#include "ui/pane_lesson.h"

enum { LESSONS_SEEN = 64 };

enum part { PART_PROCESSES, PART_CAPTURES, PART_LEARN, PART_COUNT };

struct found_capture {
	char *path, *name;
	uint64_t bytes;
	time_t when;
	uint64_t events, lost, age_ns; /* from its index */
	bool is_read, is_complete;
};

struct found_process {
	struct ui_process info;
	char *command, *where, *verdict, *why;
};

struct start {
	struct pane pane;
	enum part part;
	struct list lists[PART_COUNT];
	VEC(struct found_process) processes;
	VEC(struct found_capture) captures;
	uint64_t listed_at_ns;
	bool has_listed;
	/* all processes are known; else they are still being examined */
	bool is_whole;
	unsigned done[LESSONS_SEEN]; /* completed steps, by the lesson's place */
	char narrow[64];
};

/* The last lines of the third part, after the lessons. */
static const struct {
	const char *name, *text;
	enum action action;
} learn[] = {
	{ "Catalogue", "every audit event there is: what raises it, what hides from it",
	  ACTION_CATALOG },
	{ "Help", "keys, signs, and the words of the filter", ACTION_HELP },
};

static char *own(const char *s)
{
	return s ? strdup(s) : NULL;
}

static void forget_processes(struct start *t)
{
	for (size_t i = 0; i < t->processes.n; i++) {
		free(t->processes.v[i].command);
		free(t->processes.v[i].where);
		free(t->processes.v[i].verdict);
		free(t->processes.v[i].why);
	}
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
	for (size_t i = 0; i < t->captures.n; i++) {
		free(t->captures.v[i].path);
		free(t->captures.v[i].name);
	}
	vec_fini(&t->captures);
	free(t);
}

static void list_processes(struct start *t)
{
	const struct ui_start_ops *ops = t->pane.host->start;
	const struct ui_process *list = NULL;
	size_t n = 0;
	if (!ops || !ops->list)
		return;
	struct err *err = ops->list(t->pane.host->start_ctx, &list, &n, &t->is_whole);
	if (err) {
		host_flash_err(t->pane.host, err);
		return;
	}
	forget_processes(t);
	for (size_t i = 0; i < n; i++) {
		struct found_process f = { list[i], own(list[i].command), own(list[i].where),
					   own(list[i].verdict), own(list[i].why) };
		if (t->narrow[0] && f.command && !strstr(f.command, t->narrow)) {
			free(f.command);
			free(f.where);
			free(f.verdict);
			free(f.why);
			continue;
		}
		if (!vec_push(&t->processes, f))
			break;
	}
}

static bool has_look(const struct start *t)
{
	const struct ui_start_ops *ops = t->pane.host->start;
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

static int newer(const void *a, const void *b)
{
	const struct found_capture *x = a, *y = b;
	return x->when > y->when ? -1 : x->when < y->when;
}

static void list_captures(struct start *t)
{
	char *folder = NULL;
	struct err *err = folder_find(FOLDER_CACHE, false, &folder);
	if (err && err->code == ERR_NOT_FOUND) /* no capture was kept yet */
		folder = folder_name(FOLDER_CACHE);
	err_destroy(err);
	DIR *d = folder ? opendir(folder) : NULL;
	struct dirent *entry;
	while (d && (entry = readdir(d)) && t->captures.n < 500) {
		size_t n = strlen(entry->d_name);
		struct stat st;
		struct found_capture c = { 0 };
		if (n < 5 || strcmp(entry->d_name + n - 4, ".avc"))
			continue;
		if (asprintf(&c.path, "%s/%s", folder, entry->d_name) < 0)
			continue;
		if (stat(c.path, &st) || !S_ISREG(st.st_mode)) {
			free(c.path);
			continue;
		}
		c.name = strndup(entry->d_name, n - 4);
		c.bytes = (uint64_t)st.st_size;
		c.when = st.st_mtime;
		if (!vec_push(&t->captures, c)) {
			free(c.path);
			free(c.name);
		}
	}
	if (d)
		closedir(d);
	free(folder);
	if (t->captures.n)
		qsort(t->captures.v, t->captures.n, sizeof(t->captures.v[0]), newer);
}

/* Read the events and length of the captures on the screen, a few at a time. */
static bool work_start(struct pane *p, uint64_t budget_ns)
{
	struct start *t = (struct start *)p;
	for (size_t i = 0; i < t->captures.n && i < 12; i++) {
		struct found_capture *c = &t->captures.v[i];
		if (c->is_read)
			continue;
		struct trace *trace = NULL;
		struct err *err = trace_open(c->path, NULL, &trace);
		c->is_read = true;
		if (err) {
			err_destroy(err);
			return true;
		}
		c->events = trace_n_events(trace);
		c->lost = trace_n_lost(trace);
		c->age_ns = trace_about_get(trace)->last_ns;
		c->is_complete = trace_is_finished(trace);
		const struct process_info *process = trace_process(trace, 0);
		if (process) {
			struct strbuf name = { 0 };
			text_program(&name, trace, process->name);
			if (name.n) {
				free(c->name);
				c->name = strbuf_take(&name);
			}
			strbuf_fini(&name);
		}
		trace_close(trace);
		host_redraw(p->host);
		return true;
	}
	return false;
}

static int part_lines(const struct start *t, enum part part)
{
	int room = t->pane.n_lines - 5;
	int learn_n = (int)(n_lessons + ARRAY_LEN(learn)),
	    captures = (int)t->captures.n < 1 ? 1 : (int)t->captures.n;
	if (captures > room / 3)
		captures = room / 3 > 1 ? room / 3 : 1;
	if (learn_n > room / 3)
		learn_n = room / 3 > 2 ? room / 3 : 2;
	switch (part) {
	case PART_LEARN: return learn_n;
	case PART_CAPTURES: return captures;
	case PART_PROCESSES:
	case PART_COUNT: break;
	}
	int n = room - learn_n - captures;
	return n < 3 ? 3 : n;
}

static void update_start(struct pane *p, unsigned changes)
{
	struct start *t = (struct start *)p;
	if (changes & CHANGE_EVENTS) /* more is known of the processes */
		list_processes(t);
	if (!t->has_listed || p->host->now_ns - t->listed_at_ns > 3000000000u) {
		if (!t->has_listed)
			list_captures(t);
		for (size_t i = 0; i < n_lessons && i < LESSONS_SEEN && !p->host->no_config; i++)
			t->done[i] = lesson_steps_done(lessons[i].number);
		look(t);
		t->has_listed = true;
		t->listed_at_ns = p->host->now_ns;
	}
	list_set(&t->lists[PART_PROCESSES], t->processes.n, part_lines(t, PART_PROCESSES) - 2);
	list_set(&t->lists[PART_CAPTURES], t->captures.n, part_lines(t, PART_CAPTURES));
	list_set(&t->lists[PART_LEARN], n_lessons + ARRAY_LEN(learn), part_lines(t, PART_LEARN));
	p->list = t->lists[t->part];
}

static void when_text(struct strbuf *to, time_t when)
{
	time_t now = time(NULL);
	struct tm then, today;
	localtime_r(&when, &then);
	localtime_r(&now, &today);
	if (then.tm_year == today.tm_year && then.tm_yday == today.tm_yday)
		strbuf_addf(to, "today %02d:%02d", then.tm_hour, then.tm_min);
	else if (now - when < 2 * 86400)
		strbuf_adds(to, "yesterday");
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

static void draw_processes(const struct start *t, struct area a)
{
	struct strbuf b = { 0 };
	area_put(a, 0, 6, -1, ROLE_DIM, "pid");
	area_put(a, 0, 10, -1, ROLE_DIM, "python  up     doing           command");
	int verdict_x = a.n_columns -
			/* wide enough for "unsupported" if there is room */
			(a.n_columns >= 100 ? 13 : 9);
	area_put(a, 0, verdict_x, -1, ROLE_DIM, "attach");
	if (!t->processes.n) {
		area_put(a, 1, 2, -1, ROLE_TEXT,
			 t->is_whole || !has_look(t) ? "no Python process is running here"
						     : "looking for Python processes");
		area_put(a, 2, 2, -1, ROLE_DIM, "auditview -- program.py starts one");
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
			strbuf_addf(&b, "%.0f %% cpu", f->info.cpu * 100);
		else if (f->info.cpu >= 0)
			strbuf_adds(&b, "idle");
		area_put_cut(a, y + 1, 25, 15, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		if (f->command)
			strbuf_adds(&b, f->command); /* it is escaped already */
		area_put_cut(a, y + 1, 41, verdict_x - 41 - 1, ROLE_TEXT, strbuf_str(&b));
		area_put_cut(a, y + 1, verdict_x, a.n_columns - verdict_x,
			     f->info.is_ready ? ROLE_TEXT : ROLE_TROUBLE,
			     f->verdict ? f->verdict : "");
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

static void draw_captures(const struct start *t, struct area a)
{
	const struct list *l = &t->lists[PART_CAPTURES];
	/* where the name ends */
	int name_w = a.n_columns > 80 ? a.n_columns - 64 : 16, x = 17 + name_w;
	if (!t->captures.n)
		area_put(a, 0, 3, -1, ROLE_DIM, "none yet: sessions without -o are kept here");
	for (int y = 0; y < a.n_lines && l->top + (uint64_t)y < t->captures.n; y++) {
		const struct found_capture *c = &t->captures.v[l->top + (uint64_t)y];
		struct strbuf b = { 0 };
		when_text(&b, c->when);
		area_put_cut(a, y, 3, 12, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		area_put_cut(a, y, 17, name_w, ROLE_TEXT, c->name ? c->name : "");
		strbuf_clear(&b);
		if (c->is_read) {
			text_age(&b, c->age_ns);
			area_put_right(a, y, x, 8, ROLE_DIM, strbuf_str(&b));
			strbuf_clear(&b);
			text_count(&b, c->events, 11);
			strbuf_adds(&b, c->events == 1 ? " event" : " events");
			area_put_right(a, y, x + 8, 19, ROLE_TEXT, strbuf_str(&b));
			strbuf_clear(&b);
		}
		text_bytes(&b, c->bytes);
		area_put_right(a, y, x + 27, 9, ROLE_DIM, strbuf_str(&b));
		strbuf_clear(&b);
		if (c->is_read) {
			if (!c->is_complete)
				strbuf_adds(&b, "cut short");
			else {
				strbuf_add_count(&b, c->lost);
				strbuf_adds(&b, c->lost ? " lost" : "0 lost");
			}
			area_put_cut(a, y, x + 38, -1, c->lost ? ROLE_TROUBLE : ROLE_DIM,
				     c->is_complete && !c->lost ? "0 lost" : strbuf_str(&b));
		}
		strbuf_fini(&b);
		search_mark(t->pane.host->search, a, y);
		cursor(t, a, y, PART_CAPTURES, l->top + (uint64_t)y);
	}
}

static void draw_start(const struct pane *p, struct area a)
{
	const struct start *t = (const struct start *)p;
	struct strbuf b = { 0 };
	int y = 0, n = part_lines(t, PART_PROCESSES);
	draw_processes(t, area_sub(a, y, 0, n, a.n_columns));
	y += n;
	char *folder = folder_name(FOLDER_CACHE);
	draw_title(area_sub(a, y, 0, 1, a.n_columns), t->part == PART_CAPTURES, "Captures", "",
		   folder ? folder : "");
	free(folder);
	y++;
	n = part_lines(t, PART_CAPTURES);
	draw_captures(t, area_sub(a, y, 0, n, a.n_columns));
	y += n;
	size_t done = 0;
	for (size_t i = 0; i < n_lessons && i < LESSONS_SEEN; i++)
		done += t->done[i] >= lessons[i].n_steps;
	strbuf_clear(&b);
	strbuf_addf(&b, "%zu of %zu done", done, n_lessons);
	draw_title(area_sub(a, y, 0, 1, a.n_columns), t->part == PART_LEARN, "Learn", "",
		   strbuf_str(&b));
	y++;
	const struct list *l = &t->lists[PART_LEARN];
	for (int k = 0; k < l->n_lines && l->top + (uint64_t)k < l->n; k++, y++) {
		uint64_t i = l->top + (uint64_t)k;
		if (i < n_lessons) {
			lesson_steps_draw(a, y, &lessons[i], t->done[i < LESSONS_SEEN ? i : 0]);
		} else {
			area_put(a, y, 6, 10, ROLE_TEXT, learn[i - n_lessons].name);
			area_put_cut(a, y, 17, -1, ROLE_DIM, learn[i - n_lessons].text);
		}
		cursor(t, a, y, PART_LEARN, i);
	}
	if (a.n_lines > y)
		area_put(a, a.n_lines - 1, 1, -1, ROLE_DIM,
			 "Nothing is changed in a process before you press Enter.");
	strbuf_fini(&b);
}

static void open_entry(struct start *t)
{
	const struct pane_host *host = t->pane.host;
	const struct ui_start_ops *ops = host->start;
	uint64_t at = t->lists[t->part].cursor;
	struct ui_source source = { .terminal_fd = -1 };
	struct err *err = NULL;
	if (t->part == PART_LEARN) {
		if (at < n_lessons)
			pane_lesson_begin(host, lessons[at].number);
		else if (at - n_lessons < ARRAY_LEN(learn))
			host_act(host, learn[at - n_lessons].action, 0, NULL);
		return;
	}
	if (t->part == PART_PROCESSES) {
		if (at >= t->processes.n || !ops || !ops->attach)
			return;
		err = ops->attach(host->start_ctx, t->processes.v[at].info.pid, &source);
	} else {
		if (at >= t->captures.n)
			return;
		if (ops && ops->open)
			err = ops->open(host->start_ctx, t->captures.v[at].path, &source);
		else
			err = trace_open(t->captures.v[at].path, NULL, &source.trace);
		if (!err && !source.path)
			source.path = strdup(t->captures.v[at].path);
	}
	if (err) { /* show cause and cure in a box */
		struct strbuf b = { 0 };
		strbuf_addf(&b, "%s\n", err->message);
		if (err->hint)
			strbuf_addf(&b, "cure    %s\n", err->hint);
		strbuf_adds(&b, "        y copy   d doctor   Esc back");
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
		p->list = t->lists[t->part];
		return true;
	case ACTION_OPEN: open_entry(t); return true;
	case ACTION_REDRAW: look(t); return false;
	case ACTION_DOCTOR: {
		const struct ui_start_ops *ops = p->host->start;
		uint64_t at = t->lists[PART_PROCESSES].cursor;
		if (t->part == PART_PROCESSES && at < t->processes.n && ops && ops->doctor) {
			struct strbuf b = { 0 };
			ops->doctor(p->host->start_ctx, t->processes.v[at].info.pid, &b);
			host_dialog(p->host, strbuf_str(&b));
			strbuf_fini(&b);
		}
		return true;
	}
	default: return false;
	}
}

static void title_start(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct start *t = (const struct start *)p;
	size_t ready = 0;
	(void)subject;
	for (size_t i = 0; i < t->processes.n; i++)
		ready += t->processes.v[i].info.is_ready;
	strbuf_addf(facts, "%zu here, %zu can be attached to", t->processes.n, ready);
}

static void line_start(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct start *t = (const struct start *)p;
	if (t->part == PART_PROCESSES && entry < t->processes.n)
		strbuf_addf(to, "%d %s", t->processes.v[entry].info.pid,
			    t->processes.v[entry].command ? t->processes.v[entry].command : "");
	else if (t->part == PART_CAPTURES && entry < t->captures.n)
		strbuf_adds(to, t->captures.v[entry].path);
	else if (t->part == PART_LEARN && entry < n_lessons)
		strbuf_adds(to, lessons[entry].title);
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
