/*
 * app_input: input from the terminal goes to the mouse functions, the prompt, the dialog, the
 * focused pane or the key table.
 */
#include "ui/app_input.h"

#include <stdlib.h>
#include <string.h>

#include "ui/app_actions.h"
#include "ui/app_messages.h"
#include "ui/app_mouse.h"
#include "ui/app_panes.h"
#include "ui/app_quit.h"
#include "ui/app_state.h"
#include "ui/app_terminal.h"
#include "ui/keymap.h"
#include "ui/pane_events.h"

/* The action of a key in the focused pane; ACTION_NONE if a prompt, a question, the program or a
 * typed number takes the key. */
static enum action action_of(struct app *app, struct input in)
{
	struct pane *p = app_focused(app);
	if (in.kind != INPUT_KEY || !p || app->count || app->asked_quit || app->dialog ||
	    app->after_prefix || prompt_is_open(&app->prompt) || app_terminal_has_keys(app))
		return ACTION_NONE;
	return keymap_find(app->keys, p->id, in.key);
}

static bool is_among(enum action action, const enum action *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (all[i] == action)
			return true;
	return false;
}

/* Is it a key that acts on no event, and leaves the list in which the search goes on? */
static bool is_for_screen(struct app *app, struct input in)
{
	static const enum action at_once[] = { ACTION_PANE_NEXT, ACTION_PANE_PREV, ACTION_NARROWER,
					       ACTION_WIDER,     ACTION_ROTATE,    ACTION_REDRAW,
					       ACTION_SUSPEND };
	return is_among(action_of(app, in), at_once, ARRAY_LEN(at_once));
}

/* Is it a key that leaves focus, pages and prompts as they are, so that keys for the screen mean
 * the same before it and after it? */
static bool keeps_screen(struct app *app, struct input in)
{
	static const enum action all[] = {
		ACTION_HIT_NEXT,   ACTION_HIT_PREV,   ACTION_DOWN,       ACTION_UP,
		ACTION_PAGE_DOWN,  ACTION_PAGE_UP,    ACTION_HALF_DOWN,  ACTION_HALF_UP,
		ACTION_TOP,        ACTION_BOTTOM,     ACTION_FIRST_NEXT, ACTION_FIRST_PREV,
		ACTION_STORY_NEXT, ACTION_STORY_PREV, ACTION_MARK,       ACTION_MARK_NEXT,
	};
	return is_among(action_of(app, in), all, ARRAY_LEN(all));
}

/* Keys typed while a search runs wait, because they act on the hit. Esc and Ctrl-C stop the search
 * and drop the waiting keys. What concerns only the screen is done at once, unless a key waits
 * after which it could mean something else. */
static bool wait_for_search(struct app *app, struct input in)
{
	if (!pane_events_is_searching(app->panes[PANE_EVENTS]))
		return false;
	if (in.kind == INPUT_KEY &&
	    (in.key == KEY_ESC_ || in.key == KEY_CTRL('c') || in.key == KEY_CTRL('g'))) {
		app->waiting.n = 0;
		pane_events_search_stop(app->panes[PANE_EVENTS]);
		return true;
	}
	bool all_keep_screen = true;
	for (size_t i = 0; i < app->waiting.n; i++)
		all_keep_screen &= app->waiting.v[i].keeps_screen;
	if (all_keep_screen && is_for_screen(app, in))
		return false;
	struct waiting_input waits = { in, app_focused_id(app), keeps_screen(app, in) };
	return app->waiting.n < 1000 && vec_push(&app->waiting, waits);
}

/* Act on a key in the pane that had the focus when it was typed. The focus stays where later keys
 * have moved it, unless this key moves it. */
static void act_late(struct app *app, struct waiting_input late)
{
	enum pane_id focus = app->focus;
	if (late.keeps_screen)
		app->focus = late.focus;
	app_input(app, late.in);
	if (late.keeps_screen)
		app->focus = focus;
}

bool app_input_waiting(struct app *app)
{
	while (app->waiting.n && !app->quit && !pane_events_is_searching(app->panes[PANE_EVENTS])) {
		struct waiting_input late = app->waiting.v[0];
		memmove(app->waiting.v, app->waiting.v + 1, --app->waiting.n * sizeof(late));
		act_late(app, late);
	}
	return pane_events_is_searching(app->panes[PANE_EVENTS]);
}

/* A key that was typed before a frame showed the new filter acts on the rows that the filter shows:
 * work on them first, for 100 ms at most. A key that is typed after a frame acts on what that frame
 * showed. */
static void settle_filter(struct app *app)
{
	bool changed = false;
	app->filter_is_new = false;
	if (!app->host.view)
		return;
	view_work(app->host.view, 100000000, &changed);
	app_changed(app, CHANGE_FILTER);
}

/* The answer to the question of ACTION_PAUSE; true: it was one. Only the same key again pauses. Esc
 * goes on recording; any other key does, too, and acts as usual. */
static bool answer_pause(struct app *app, struct input in)
{
	if (!app->asked_pause)
		return false;
	struct pane *p = app_focused(app);
	bool is_yes = p && in.kind == INPUT_KEY &&
		      keymap_find(app->keys, p->id, in.key) == ACTION_PAUSE;
	if (is_yes)
		app_act(app, ACTION_PAUSE, 0, NULL);
	app->asked_pause = false;
	return is_yes || (in.kind == INPUT_KEY && in.key == KEY_ESC_);
}

void app_input(struct app *app, struct input in)
{
	app->dirty = true;
	if (wait_for_search(app, in))
		return;
	if (app->filter_is_new && !prompt_is_open(&app->prompt))
		settle_filter(app);
	if (in.kind == INPUT_MOUSE) {
		if (in.mouse == MOUSE_CLICK)
			app->asked_pause = false; /* the click closes the question */
		app_mouse(app, in);
		return;
	}
	if (in.kind != INPUT_KEY && in.kind != INPUT_PASTE)
		return;
	if (app->asked_quit) {
		if (in.kind == INPUT_KEY)
			app_answer_quit(app, in.key);
		return;
	}
	if (app->flash[0]) {
		app->flash[0] = 0;
		app->flash_until_ns = 0;
	}
	if (answer_pause(app, in))
		return;
	if (prompt_is_open(&app->prompt)) {
		prompt_input(&app->prompt, &app->host, in);
		return;
	}
	struct pane *p = app_focused(app);
	if (!p)
		return;
	app->has_typed = true;
	if (app->after_prefix && in.kind == INPUT_KEY && app_terminal_prefixed(app, in.key))
		return;
	/* y copies its text; any other key closes it */
	if (app->dialog && in.kind == INPUT_KEY) {
		if (in.key == 'y')
			app_copy(app, app->dialog, strlen(app->dialog));
		free(app->dialog);
		app->dialog = NULL;
		return;
	}
	if (p->ops->key && p->ops->key(p, in.key))
		return;
	if (in.kind == INPUT_PASTE)
		return;
	if (in.key >= '0' && in.key <= '9' && (in.key != '0' || app->count) &&
	    keymap_find(app->keys, p->id, in.key) == ACTION_NONE) {
		if (app->count < 100000000)
			app->count = app->count * 10 + (uint64_t)(in.key - '0');
		return;
	}
	uint64_t count = app->count;
	app->count = 0;
	if (in.key == KEY_ESC_ && count)
		return;
	enum action action = keymap_find(app->keys, p->id, in.key);
	if (action == ACTION_NONE) {
		app_flash(app, "%s does nothing here; F1 lists the keys", key_name(in.key));
		return;
	}
	app_act(app, action, count, NULL);
}
