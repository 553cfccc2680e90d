/*
 * app_now: see app_now.h.
 */
#include "ui/app_now.h"

#include "ui/app_panes.h"
#include "ui/app_state.h"

enum { SHARE = 20 }; /* reading takes one part in so many of the time */
static const uint64_t second_ns = 1000000000, every_ns = 2000000000, quiet_ns = 3000000000;

static bool is_visible(const struct app *app, enum pane_id id)
{
	return app->panes[id] && app->panes[id]->visible;
}

static bool is_wanted(const struct app *app)
{
	const struct view *s = app->host.view;
	if (!s || !view_has_target(s) || !s->live->now_ask || !s->live->now || s->has_ended)
		return false;
	if (is_visible(app, PANE_NOW))
		return true;
	if (is_visible(app, PANE_EVENTS) && !app->panes[PANE_EVENTS]->list.n)
		return !s->n_events;
	return is_visible(app, PANE_STACK) && app->host.is_quiet;
}

static void ask(struct app *app)
{
	struct view *s = app->host.view;
	struct app_now_wish of[APP_NOW_MAX];
	size_t n = 0;
	for (uint32_t i = 0; i < trace_n_processes(s->trace) && n < APP_NOW_MAX; i++) {
		const struct process_info *p = trace_process(s->trace, i);
		if (p->python_hex && !p->end_ns && p->pid && p->pid <= INT32_MAX)
			of[n++] = (struct app_now_wish){ (int)p->pid, p->start_ticks };
	}
	app->now.asked_ns = app->host.now_ns;
	app->now.next_ns = app->host.now_ns + every_ns;
	if (!n)
		return;
	app->now.is_asked = true;
	s->live->now_ask(s->live_ctx, of, n);
}

static void take(struct app *app)
{
	struct view *s = app->host.view;
	const struct app_now *now = s->live->now(s->live_ctx);
	if (!now)
		return;
	uint64_t took_ns = app->host.now_ns - app->now.asked_ns;
	app->now.is_asked = false;
	app->now.next_ns = app->host.now_ns +
			   (took_ns * SHARE > every_ns ? took_ns * SHARE : every_ns);
	app->host.now = now;
	app->host.now_generation++;
	app_changed(app, CHANGE_TICK);
}

void app_now_watch(struct app *app)
{
	const struct view *s = app->host.view;
	app->host.is_quiet = s && view_has_target(s) && !s->has_ended && !s->frozen &&
			     app->last_growth_ns &&
			     app->host.now_ns - app->last_growth_ns >= quiet_ns;
	if (app->now.is_asked && app->host.view)
		take(app);
	if (!is_wanted(app)) {
		/* what was read long ago is not shown as if it were new */
		if (!app->now.is_asked)
			app->now.next_ns = 0;
		return;
	}
	if (!app->now.is_asked && app->host.now_ns >= app->now.next_ns)
		ask(app);
	/* its age is on the screen */
	if (app->host.now_ns - app->now.drawn_ns >= second_ns) {
		app->now.drawn_ns = app->host.now_ns;
		app->dirty = true;
	}
}

uint64_t app_now_deadline(const struct app *app)
{
	if (!is_wanted(app)) {
		/* until the program counts as quiet */
		const struct view *s = app->host.view;
		bool may_be = s && view_has_target(s) && s->live->now_ask && app->last_growth_ns &&
			      app->host.now_ns - app->last_growth_ns < quiet_ns;
		return may_be ? app->last_growth_ns + quiet_ns : UINT64_MAX;
	}
	uint64_t at = app->now.drawn_ns + second_ns;
	return !app->now.is_asked && app->now.next_ns < at ? app->now.next_ns : at;
}

void app_now_forget(struct app *app)
{
	app->host.now = NULL;
	app->host.now_generation++;
	app->now = (struct now_question){ 0 };
}
