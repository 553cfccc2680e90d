/*
 * app_hold: see app_hold.h.
 */
#include "ui/app_hold.h"

#include <stdlib.h>
#include <string.h>

#include "base/hold_list.h"
#include "base/tr.h"
#include "ui/app_messages.h"
#include "ui/app_panes.h"
#include "ui/app_places.h"
#include "ui/app_prompts.h"
#include "ui/app_state.h"

/* The requests of this session; NULL: it is a file, and a message says so. */
static const struct app_live_ops *live_with_holds(struct app *app)
{
	const struct app_live_ops *l = app->host.view->live;
	if (l && l->hold && l->unhold && l->holds && l->continue_held)
		return l;
	app_flash(app, "this is a capture: nothing can be held in it; auditview -p PID attaches");
	return NULL;
}

bool app_is_held(const struct app *app)
{
	return app->host.view && view_holds(app->host.view)->n_held;
}

/* The recorder knows the events of the catalogue, and not those that a capture has shown: put
 * event == "NAME" in the place of each word that only the capture knows. */
static struct err *spell_out(struct app *app, struct strbuf *text)
{
	enum { WORDS_MAX = 16 };
	for (int i = 0;; i++) {
		CLEANUP(filter) struct filter *f = NULL;
		struct err *err = filter_compile(strbuf_str(text), text->n, NULL, &f);
		if (!err || err->code != ERR_SYNTAX || err->at >= text->n || i == WORDS_MAX)
			return err;
		const char *word = text->s + err->at;
		size_t n = filter_error_bytes(text->s, text->n, err->at);
		if (!trace_name_find(app->host.view->trace, word, n))
			return err;
		struct strbuf b = { 0 };
		strbuf_add(&b, text->s, err->at);
		strbuf_adds(&b, "event == ");
		filter_quote(&b, word, n);
		strbuf_add(&b, word + n, text->n - err->at - n);
		err_destroy(err);
		if (b.n >= HOLD_TEXT_BYTES) {
			strbuf_fini(&b);
			return err_create(ERR_USAGE, "the filter is too long");
		}
		strbuf_fini(text);
		*text = b;
	}
}

static bool hold(struct app *app, const struct app_live_ops *l, const char *text, bool once)
{
	CLEANUP(filter) struct filter *f = NULL;
	struct strbuf spelt = { 0 };
	strbuf_adds(&spelt, text);
	struct err *err = view_compile(app->host.view, text, &f);
	if (!err)
		err = spell_out(app, &spelt);
	if (!err)
		err = l->hold(app->host.view->live_ctx, strbuf_str(&spelt), once);
	strbuf_fini(&spelt);
	if (err)
		app_flash_err(app, err);
	return !err;
}

static bool continue_held(struct app *app, const struct app_live_ops *l)
{
	struct err *err = l->continue_held(app->host.view->live_ctx);
	if (err)
		app_flash_err(app, err);
	return !err;
}

void app_hold(struct app *app, const char *text, bool once)
{
	const struct app_live_ops *l = live_with_holds(app);
	if (!l)
		return;
	if (!text) {
		if (once)
			app_prompt_command(app, "until ");
		else
			app_open_page(app, PANE_HOLDS);
		return;
	}
	bool was_held = app_is_held(app);
	if (!hold(app, l, text, once))
		return;
	if (once && was_held && continue_held(app, l))
		app_flash(app, "continued until %s", text);
	else if (once)
		app_flash(app, "held once: %s", text);
	else
		app_flash(app, "held from now on: %s; B lists what is held", text);
}

static bool number_of(struct app *app, const char *text, uint32_t *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (end == text || *end || n > UINT32_MAX) {
		app_flash(app, "expected a number, not %s; B lists what is held", text);
		return false;
	}
	*ret = (uint32_t)n;
	return true;
}

void app_unhold(struct app *app, const char *text)
{
	const struct app_live_ops *l = live_with_holds(app);
	uint32_t id = 0;
	if (!l || (text && !number_of(app, text, &id)))
		return;
	struct err *err = l->unhold(app->host.view->live_ctx, id);
	if (err)
		app_flash_err(app, err);
	else if (id)
		app_flash(app, "hold %u is removed", id);
	else
		app_flash(app, "all holds are removed%s",
			  app_is_held(app) ? tr("; C continues the threads that are held") : "");
}

void app_hold_ignore(struct app *app, const char *text)
{
	const struct app_live_ops *l = live_with_holds(app);
	uint32_t n;
	if (!l)
		return;
	if (!text) {
		app_prompt_command(app, "ignore ");
		return;
	}
	const struct hold_list *list = view_holds(app->host.view);
	if (!list->n) {
		app_flash(app, "there is no hold; :hold FILTER makes one");
		return;
	}
	if (!number_of(app, text, &n))
		return;
	uint32_t id = list->v[list->n - 1].id;
	struct err *err = l->hold_ignore(app->host.view->live_ctx, id, n);
	if (err)
		app_flash_err(app, err);
	else
		app_flash(app,
			  n == 1 ? "the next %u match of hold %u is ignored"
				 : "the next %u matches of hold %u are ignored",
			  n, id);
}

/* The term of the event whose details are shown. */
static bool event_term(const struct app *app, struct strbuf *to)
{
	struct trace *t = app->host.view->trace;
	struct event e;
	size_t n;
	if (app->host.cursor_seq == SELECTION_NONE || !trace_event(t, app->host.cursor_seq, &e))
		return false;
	const char *name = trace_name(t, e.name, &n);
	strbuf_adds(to, "event == ");
	filter_quote(to, name, n);
	return true;
}

void app_hold_this(struct app *app, struct pane *p)
{
	const struct app_live_ops *l = live_with_holds(app);
	struct strbuf text = { 0 }, term = { 0 };
	bool is_detail = p->id == PANE_ARGUMENTS || p->id == PANE_STACK;
	if (!l)
		return;
	bool has_event = is_detail && event_term(app, &text);
	if (!p->ops->term || !p->ops->term(p, &term)) {
		if (!has_event)
			app_flash(app, "there is nothing under the cursor to hold");
	} else if (has_event) {
		CLEANUP(filter) struct filter *event = NULL, *value = NULL;
		struct err *err = view_compile(app->host.view, strbuf_str(&text), &event);
		if (!err)
			err = view_compile(app->host.view, strbuf_str(&term), &value);
		strbuf_clear(&text);
		if (err)
			app_flash_err(app, err);
		else
			filter_and(event, value, false, &text);
	} else {
		strbuf_add(&text, strbuf_str(&term), term.n);
	}
	if (text.n && hold(app, l, strbuf_str(&text), false))
		app_flash(app, "held from now on: %s; B lists what is held", strbuf_str(&text));
	strbuf_fini(&text);
	strbuf_fini(&term);
}

/* The requests of this session, if a thread is held in it; NULL: none is, and a message says so. */
static const struct app_live_ops *live_with_held(struct app *app)
{
	const struct app_live_ops *l = live_with_holds(app);
	if (!l || app_is_held(app))
		return l;
	app_flash(app, "no thread is held; :hold FILTER, or b on an event, holds some");
	return NULL;
}

void app_hold_continue(struct app *app)
{
	const struct app_live_ops *l = live_with_held(app);
	if (l && continue_held(app, l))
		app_flash(app, "continued");
}

void app_hold_step(struct app *app)
{
	const struct app_live_ops *l = live_with_held(app);
	struct strbuf text = { 0 };
	if (!l)
		return;
	const struct held_row first = view_holds(app->host.view)->held[0];
	if (!first.tid) {
		app_flash(app, "it is not known which thread is held");
		return;
	}
	strbuf_addf(&text, "pid == %d and tid == %d", (int)first.pid, (int)first.tid);
	if (hold(app, l, strbuf_str(&text), true) && continue_held(app, l))
		app_flash(app, "continued until the next event of thread %d", (int)first.tid);
	strbuf_fini(&text);
}

/* Put the cursor on the event of the thread that was held last, once the capture shows it. */
static void go_there(struct app *app)
{
	struct view *s = app->host.view;
	uint64_t seq = app->held_seq;
	struct event e;
	if (seq == SELECTION_NONE || s->frozen || seq >= s->n_events)
		return;
	app->held_seq = SELECTION_NONE;
	if (!trace_event(s->trace, seq, &e))
		return;
	struct strbuf name = { 0 };
	event_text_name(&name, s, e.name);
	app_goto(app, seq);
	/* keys go to the program, which does not read them now */
	if (app_focused_id(app) == PANE_TERMINAL)
		app_flash(app, "held before %s happens: C-] leaves the terminal, then C continues",
			  strbuf_str(&name));
	else
		app_flash(app, "held before %s happens: C continues, u to its next event, B lists",
			  strbuf_str(&name));
	app_message(app, "held", seq, false, "a thread is held before %s happens",
		    strbuf_str(&name));
	strbuf_fini(&name);
}

void app_hold_poll(struct app *app)
{
	if (!app->host.view)
		return;
	const struct hold_list *list = view_holds(app->host.view);
	uint32_t n = list->n_held < HELD_SHOWN ? list->n_held : HELD_SHOWN;
	const struct held_row *newest = NULL;
	for (uint32_t i = 0; i < n; i++)
		if (list->held[i].since_ns > app->held_since_ns &&
		    (!newest || list->held[i].since_ns > newest->since_ns))
			newest = &list->held[i];
	if (newest) {
		app->held_since_ns = newest->since_ns;
		app->held_seq = newest->seq;
	}
	/* the stack of its event shows variables now, or no longer */
	if (newest || app->n_held != list->n_held)
		app_changed(app, CHANGE_CURSOR);
	app->n_held = list->n_held;
	go_there(app);
}
