/*
 * now_lines: see now_lines.h.
 */
#include "ui/now_lines.h"

#include <string.h>

#include "base/code_path.h"
#include "base/hold_list.h"
#include "base/tr.h"
#include "base/utf8.h"
#include "ui/pane_host.h"

enum { NAME_COLUMN = 3, FRAME_COLUMN = 5, FUNCTION_COLUMN = 10 };

static void add(now_line_vec *to, enum now_line_kind kind, size_t process, size_t thread,
		size_t frame)
{
	struct now_line l = { kind, (uint32_t)process, (uint32_t)thread, (uint32_t)frame };
	if (!vec_push(to, l))
		return; /* memory is short */
}

static void add_thread(now_line_vec *to, const struct app_now_thread *t, size_t process,
		       size_t thread)
{
	bool has_gap = t->n_shown < t->n_frames;
	add(to, NOW_THREAD, process, thread, 0);
	for (uint32_t i = 0; i < t->n_shown; i++) {
		if (has_gap && i == t->left_out_at)
			add(to, NOW_LEFT_OUT, process, thread, i);
		add(to, NOW_FRAME, process, thread, i);
	}
	if (has_gap && t->left_out_at >= t->n_shown)
		add(to, NOW_LEFT_OUT, process, thread, t->n_shown);
	if (*t->note || t->is_broken)
		add(to, NOW_NOTE, process, thread, 0);
}

void now_lines_make(const struct app_now *now, now_line_vec *to)
{
	to->n = 0;
	for (size_t i = 0; now && i < now->n; i++) {
		const struct app_now_process *p = &now->v[i];
		add(to, NOW_PROCESS, i, 0, 0);
		for (size_t k = 0; k < p->n_threads; k++)
			add_thread(to, &p->threads[k], i, k);
		if (p->n_more)
			add(to, NOW_MORE, i, 0, 0);
	}
}

static void add_escaped(struct strbuf *to, const char *text)
{
	utf8_escape(to, text, strlen(text), 0);
}

void now_age_text(struct strbuf *to, const struct pane_host *host)
{
	uint64_t at_ns = UINT64_MAX; /* of the oldest one */
	for (size_t i = 0; host->now && i < host->now->n; i++)
		if (host->now->v[i].at_ns < at_ns)
			at_ns = host->now->v[i].at_ns;
	if (host->now_ns < at_ns || host->now_ns - at_ns < 1000000000u) {
		strbuf_adds(to, tr("just now"));
		return;
	}
	struct strbuf age = { 0 };
	text_age(&age, host->now_ns - at_ns);
	strbuf_addf(to, tr("%s ago"), strbuf_str(&age));
	strbuf_fini(&age);
}

static void add_process(struct strbuf *to, const struct pane_host *host,
			const struct app_now_process *p)
{
	struct trace *t = host->view->trace;
	strbuf_addf(to, "%d", p->pid);
	for (uint32_t i = trace_n_processes(t); i-- > 0;) {
		const struct process_info *info = trace_process(t, i);
		if (info->pid == (uint32_t)p->pid) {
			strbuf_addc(to, ' ');
			text_program(to, t, info->name);
			break;
		}
	}
	if (*p->why) {
		strbuf_adds(to, ": ");
		add_escaped(to, p->why);
	} else if (p->age_ns) {
		struct strbuf age = { 0 }, cpu = { 0 };
		text_age(&age, p->age_ns);
		text_duration(&cpu, p->cpu_ns);
		strbuf_addf(to, tr(", started %s ago, used %s of CPU"), strbuf_str(&age),
			    strbuf_str(&cpu));
		strbuf_fini(&age);
		strbuf_fini(&cpu);
	}
}

/* As the list names it. */
static void add_name(struct strbuf *to, const struct app_now_process *p,
		     const struct app_now_thread *t)
{
	add_escaped(to, t->tid == p->pid ? "main" : t->name);
}

static bool is_held(const struct pane_host *host, const struct app_now_thread *t)
{
	const struct hold_list *list = view_holds(host->view);
	for (uint32_t i = 0; i < list->n_held && i < HELD_SHOWN; i++)
		if ((int)list->held[i].tid == t->tid)
			return true;
	return false;
}

static void add_does(struct strbuf *to, const struct pane_host *host,
		     const struct app_now_thread *t)
{
	/* escaped by what wrote it */
	strbuf_adds(to, is_held(host, t) ? tr("held, C continues") : t->does);
	if (t->holds_gil)
		strbuf_adds(to, tr(", holds the GIL"));
}

static const char *note_of(const struct app_now_thread *t)
{
	return t->is_broken ? tr("what is farther out could not be read") : t->note;
}

static void add_place(struct strbuf *to, const struct app_now_frame *f)
{
	add_escaped(to, f->file);
	if (f->line)
		strbuf_addf(to, ":%u", f->line);
}

static void add_left_out(struct strbuf *to, const struct app_now_thread *t)
{
	uint32_t n = t->n_frames - t->n_shown;
	strbuf_addf(to, "… %u more frame%s", n, n == 1 ? "" : "s");
}

void now_line_text(struct strbuf *to, const struct pane_host *host, const struct now_line *l)
{
	const struct app_now_process *p = &host->now->v[l->process];
	const struct app_now_thread *t = p->n_threads ? &p->threads[l->thread] : NULL;
	switch (l->kind) {
	case NOW_PROCESS: add_process(to, host, p); break;
	case NOW_THREAD:
		add_name(to, p, t);
		strbuf_addf(to, " %d ", t->tid);
		add_does(to, host, t);
		break;
	case NOW_FRAME:
		add_escaped(to, t->frames[l->frame].function);
		strbuf_addc(to, ' ');
		add_place(to, &t->frames[l->frame]);
		break;
	case NOW_LEFT_OUT: add_left_out(to, t); break;
	case NOW_NOTE: strbuf_adds(to, note_of(t)); break;
	case NOW_MORE:
		strbuf_addf(to, "%zu more thread%s", p->n_more, p->n_more == 1 ? "" : "s");
		break;
	}
}

/* Is it code that the user has probably not written? */
static bool is_library(const char *file)
{
	size_t n = strlen(file);
	return *file == '<' || code_path_site(file, n) || strstr(file, "/lib/python3");
}

static void draw_frame(const struct app_now_thread *t, uint32_t frame, struct area a, int y)
{
	const struct app_now_frame *f = &t->frames[frame];
	uint32_t n_before = frame >= t->left_out_at ? t->n_frames - t->n_shown : 0;
	enum role role = is_library(f->file) ? ROLE_DIM : ROLE_TEXT;
	int x = a.n_columns * 24 / 40;
	struct strbuf b = { 0 };
	area_printf(a, y, FRAME_COLUMN, 4, ROLE_DIM, "%4u", frame + n_before);
	add_escaped(&b, f->function);
	area_put_cut(a, y, FUNCTION_COLUMN, x - FUNCTION_COLUMN - 1, role, strbuf_str(&b));
	strbuf_clear(&b);
	add_place(&b, f);
	area_put_middle(a, y, x, a.n_columns - x, role, strbuf_str(&b));
	strbuf_fini(&b);
}

static void draw_thread(const struct pane_host *host, const struct app_now_process *p,
			const struct app_now_thread *t, struct area a, int y)
{
	struct strbuf b = { 0 };
	int room = a.n_columns - 10;
	add_name(&b, p, t);
	int x = NAME_COLUMN + area_put_cut(a, y, NAME_COLUMN, room / 2, ROLE_FOCUS, strbuf_str(&b));
	strbuf_clear(&b);
	add_does(&b, host, t);
	area_put_cut(a, y, x + 2, room - x - 2, ROLE_TEXT, strbuf_str(&b));
	strbuf_clear(&b);
	strbuf_addf(&b, "%d", t->tid);
	area_put_right(a, y, a.n_columns - 9, 8, ROLE_DIM, strbuf_str(&b));
	strbuf_fini(&b);
}

void now_line_draw(const struct pane_host *host, const struct now_line *l, struct area a, int y)
{
	const struct app_now_process *p = &host->now->v[l->process];
	struct strbuf b = { 0 };
	if (l->kind == NOW_THREAD) {
		draw_thread(host, p, &p->threads[l->thread], a, y);
	} else if (l->kind == NOW_FRAME) {
		draw_frame(&p->threads[l->thread], l->frame, a, y);
	} else {
		now_line_text(&b, host, l);
		area_put_cut(a, y, l->kind == NOW_PROCESS ? 1 : FUNCTION_COLUMN, a.n_columns - 11,
			     l->kind == NOW_PROCESS ? ROLE_TEXT : ROLE_DIM, strbuf_str(&b));
	}
	strbuf_fini(&b);
}

bool now_thread_text(struct strbuf *to, const struct pane_host *host, int pid, int tid)
{
	const struct app_now_thread *t = NULL;
	for (size_t i = 0; host->now && i < host->now->n; i++)
		for (size_t k = 0; k < host->now->v[i].n_threads; k++)
			if (host->now->v[i].pid == pid && host->now->v[i].threads[k].tid == tid)
				t = &host->now->v[i].threads[k];
	if (!t)
		return false;
	add_does(to, host, t);
	/* its own code says more than what that has called */
	const struct app_now_frame *f = t->n_shown ? &t->frames[0] : NULL;
	for (uint32_t i = 0; i < t->n_shown; i++)
		if (!is_library(t->frames[i].file)) {
			f = &t->frames[i];
			break;
		}
	if (f) {
		const char *slash = strrchr(f->file, '/');
		strbuf_adds(to, to->n ? " in " : "in ");
		add_escaped(to, f->function);
		strbuf_adds(to, " (");
		add_escaped(to, slash ? slash + 1 : f->file);
		strbuf_addf(to, f->line ? ":%u)" : ")", f->line);
	}
	return true;
}
