/*
 * app_prompts: the prompts: filter, search, command, file to write, note, name of a filter.
 */
#include "ui/app_prompts.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/nearest.h"
#include "base/tr.h"
#include "base/utf8.h"
#include "model/filter_ready.h"
#include "model/summary_ready.h"
#include "ui/app_keep.h"
#include "ui/app_messages.h"
#include "ui/app_panes.h"
#include "ui/app_places.h"
#include "ui/app_state.h"
#include "ui/app_write.h"
#include "ui/pane_events.h"
#include "ui/pane_summary.h"
#include "ui/text.h"

/* ---- filter ---- */

static void filter_check(const struct pane_host *host, const char *text, struct prompt_verdict *ret)
{
	struct app *app = host->app;
	struct view *s = app->host.view;
	CLEANUP(filter) struct filter *f = NULL;
	struct err *err = view_compile(s, text, &f);
	*ret = (struct prompt_verdict){ 0 };
	if (err) {
		ret->is_error = true;
		ret->at = err->at < strlen(text) ? err->at : strlen(text);
		ret->n_bytes = ret->at < strlen(text)
				   ? filter_error_bytes(text, strlen(text), ret->at)
				   : 1;
		snprintf(ret->message, sizeof(ret->message), "%s%s%s", err->message,
			 err->hint ? "; " : "", err->hint ? err->hint : "");
		err_destroy(err);
		return;
	}
	const char *typed = text + strspn(text, " ");
	size_t n_typed = strlen(typed);
	while (n_typed && typed[n_typed - 1] == ' ')
		n_typed--;
	/* the text is not the filter that is shown */
	if (strlen(s->filter_text) != n_typed || memcmp(s->filter_text, typed, n_typed))
		return;
	struct strbuf b = { 0 };
	if (s->filter_done < 1)
		strbuf_addf(&b, "%.0f %%  ", s->filter_done * 100);
	uint64_t n = view_n_shown(s);
	if (n)
		strbuf_add_count(&b, n);
	else
		strbuf_addc(&b, '0');
	if (s->run) {
		strbuf_adds(&b, " in ");
		text_duration(&b, s->filter_ns);
	}
	snprintf(ret->message, sizeof(ret->message), "%s", strbuf_str(&b));
	strbuf_fini(&b);
}

/* Nothing is typed: offer what was used last, and the ready filters. */
static void filter_offer(const struct pane_host *host, struct prompt_choices *ret)
{
	enum { RECENT_MAX = 3 };
	const struct prompt *p = &host->app->prompt;
	size_t n = p->history[0].n;
	snprintf(ret->title, sizeof(ret->title), "%s",
		 n ? tr("recent, ready filters") : tr("ready filters"));
	for (size_t i = n; i-- > 0 && ret->list.n < RECENT_MAX;) {
		const char *text = p->history[0].v[i];
		bool is_known = ready_filter_find(text, strlen(text)) != NULL;
		for (size_t k = 0; k < ret->list.n && !is_known; k++)
			is_known = !strcmp(ret->list.v[k].text, text);
		if (!is_known)
			prompt_add_choice(ret, text, strlen(text), NULL, false);
	}
	for (size_t i = 0; i < READY_FILTERS; i++)
		prompt_add_choice(ret, ready_filters[i].name, strlen(ready_filters[i].name),
				  ready_filters[i].doc, false);
}

static void filter_complete_prompt(const struct pane_host *host, const char *text, size_t cursor,
				   struct prompt_choices *ret)
{
	struct app *app = host->app;
	static const char *const titles[] = {
		[CANDIDATE_FIELD] = N_("fields"),
		[CANDIDATE_EVENT] = N_("event, in this capture"),
		[CANDIDATE_CATEGORY] = N_("category"),
		[CANDIDATE_THEME] = N_("theme"),
		[CANDIDATE_ARGUMENT] = N_("arguments"),
		[CANDIDATE_MEMBER] = N_("members"),
		[CANDIDATE_OPERATOR] = N_("operators"),
		[CANDIDATE_VALUE] = N_("value, in this capture"),
		[CANDIDATE_READY] = N_("ready filter"),
	};
	struct filter_completion c = { 0 };
	if (!*text) {
		filter_offer(host, ret);
		return;
	}
	struct err *err = filter_complete(app->host.view->trace, text, strlen(text), cursor, &c);
	if (err) {
		err_destroy(err);
		return;
	}
	ret->from = c.at;
	ret->to = c.at + c.n_bytes;
	for (size_t i = 0; i < c.n; i++) {
		struct strbuf doc = { 0 };
		if (c.v[i].n_events != UINT64_MAX)
			text_count(&doc, c.v[i].n_events, 14);
		else if (c.v[i].doc)
			strbuf_adds(&doc, tr(c.v[i].doc));
		size_t n = text_head(strbuf_str(&doc), doc.n, 44);
		strbuf_cut(&doc, n);
		prompt_add_choice(ret, c.v[i].text, strlen(c.v[i].text), strbuf_str(&doc),
				  c.v[i].n_events == 0);
		strbuf_fini(&doc);
	}
	if (c.n)
		snprintf(ret->title, sizeof(ret->title), "%s", tr(titles[c.v[0].kind]));
	filter_completion_fini(&c);
}

static void filter_preview(const struct pane_host *host, const char *text)
{
	struct app *app = host->app;
	CLEANUP(filter) struct filter *f = NULL;
	text += strspn(text, " ");
	if (!strcmp(text, app->host.view->filter_text))
		return;
	struct err *err = view_compile(app->host.view, text, &f);
	if (err) {
		err_destroy(err); /* the last correct filter stays */
		return;
	}
	app_anchor(app, app->anchor_seq); /* an earlier letter may have moved the cursor */
	app_set_filter(app, text, false);
}

static bool filter_accept(const struct pane_host *host, const char *text)
{
	struct app *app = host->app;
	app_anchor(app, app->anchor_seq);
	/* the history gets the place before the prompt was opened, not one of the preview */
	if (strcmp(text, app->prompt_old_filter))
		app_remember(app, app->anchor_seq, app->prompt_old_filter);
	return app_set_filter(app, text, false);
}

static void filter_cancel(const struct pane_host *host)
{
	struct app *app = host->app;
	app_anchor(app, app->anchor_seq);
	app_set_filter(app, app->prompt_old_filter, false);
}

static const struct prompt_ops filter_prompt = {
	.label = N_("filter: "),
	.offers = true,
	.history = 0,
	.check = filter_check,
	.complete = filter_complete_prompt,
	.preview = filter_preview,
	.accept = filter_accept,
	.cancel = filter_cancel,
};

void app_prompt_filter(struct app *app, const char *text)
{
	app->anchor_seq = app->host.cursor_seq;
	free(app->prompt_old_filter);
	app->prompt_old_filter = strdup(app->host.view->filter_text);
	if (!app->prompt_old_filter)
		return;
	prompt_open(&app->prompt, &app->host, &filter_prompt,
		    text ? text : app->host.view->filter_text);
}

/* ---- search ---- */

static void search_check(const struct pane_host *host, const char *text, struct prompt_verdict *ret)
{
	struct search probe = { 0 };
	*ret = (struct prompt_verdict){ 0 };
	struct err *err = search_set(&probe, text, false);
	if (err) {
		ret->is_error = true;
		ret->at = err->at;
		ret->n_bytes = 1;
		snprintf(ret->message, sizeof(ret->message), "%s", err->message);
		err_destroy(err);
	}
	search_fini(&probe);
	struct app *app = host->app;
	uint64_t n;
	if (!*text && app_focused_id(app) == PANE_EVENTS)
		snprintf(ret->message, sizeof(ret->message), "%s",
			 tr("rows as drawn, and what they cut off"));
	if (err || !*text || !search_is_on(&app->search) || strcmp(app->search.text, text) ||
	    app_focused_id(app) != PANE_EVENTS)
		return;
	struct strbuf b = { 0 };
	bool is_whole = pane_events_hits(app->panes[PANE_EVENTS], &n);
	if (n)
		strbuf_add_count(&b, n);
	snprintf(ret->message, sizeof(ret->message), "%s%s%s", n ? strbuf_str(&b) : "0",
		 is_whole ? "" : "+", tr(n == 1 && is_whole ? " hit" : " hits"));
	strbuf_fini(&b);
}

/* Mark the hits on the page while typing. */
static void search_preview(const struct pane_host *host, const char *text)
{
	struct app *app = host->app;
	struct err *err = search_set(&app->search, text, app->search.backwards);
	err_destroy(err);
}

/* The search that was in use before the prompt was opened is in use again. */
static void search_restore(struct app *app)
{
	struct err *err = search_set(&app->search,
				     app->prompt_old_search ? app->prompt_old_search : "",
				     app->search.backwards);
	err_destroy(err); /* it was correct before */
}

static bool search_run(struct app *app, const char *text, bool backwards)
{
	struct err *err = NULL;
	if (!*text) /* as in less and vim: the last pattern once more */
		search_restore(app);
	if (*text || !search_is_on(&app->search))
		err = search_set(&app->search, text, backwards);
	else
		app->search.backwards = backwards;
	if (err) {
		app_flash_err(app, err);
		return false;
	}
	if (!search_is_on(&app->search))
		app_flash(app, "nothing to look for");
	else
		host_act(&app->host,
			 !*text      ? ACTION_HIT_NEXT
			 : backwards ? ACTION_SEARCH_BACK
				     : ACTION_SEARCH,
			 0, *text ? text : NULL);
	return true;
}

static bool search_accept(const struct pane_host *host, const char *text)
{
	struct app *app = host->app;
	return search_run(app, text, false);
}

static bool search_back_accept(const struct pane_host *host, const char *text)
{
	struct app *app = host->app;
	return search_run(app, text, true);
}

static void search_cancel(const struct pane_host *host)
{
	search_restore(host->app);
}

static const struct prompt_ops search_prompt = { .label = "/",
						 .history = 1,
						 .check = search_check,
						 .preview = search_preview,
						 .accept = search_accept,
						 .cancel = search_cancel };
static const struct prompt_ops search_back_prompt = { .label = "?",
						      .history = 1,
						      .check = search_check,
						      .preview = search_preview,
						      .accept = search_back_accept,
						      .cancel = search_cancel };

void app_prompt_search(struct app *app, bool backwards)
{
	free(app->prompt_old_search);
	app->prompt_old_search = search_is_on(&app->search) ? strdup(app->search.text) : NULL;
	prompt_open(&app->prompt, &app->host, backwards ? &search_back_prompt : &search_prompt, "");
}

/* ---- command line ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Complete with the files whose path begins with the n bytes of `typed` before the cursor; folders
 * end in /. */
static void complete_file(struct prompt_choices *ret, const char *typed, size_t n)
{
	size_t folder = n;
	while (folder > 0 && typed[folder - 1] != '/')
		folder--;
	const char *home = typed[0] == '~' && folder > 1 ? getenv("HOME") : NULL;
	struct strbuf path = { 0 };
	strbuf_adds(&path, home ? home : "");
	strbuf_add(&path, typed + (home ? 1 : 0), folder - (home ? 1 : 0));
	DIR *d = opendir(path.n ? strbuf_str(&path) : ".");
	VEC(char *) names = { 0 };
	for (struct dirent *e; d && names.n < 2000 && (e = readdir(d));) {
		struct stat st;
		if (strncmp(e->d_name, typed + folder, n - folder) ||
		    (e->d_name[0] == '.' && n == folder))
			continue;
		bool is_folder = !fstatat(dirfd(d), e->d_name, &st, 0) && S_ISDIR(st.st_mode);
		char *name = NULL;
		if (asprintf(&name, "%.*s%s%s", (int)folder, typed, e->d_name,
			     is_folder ? "/" : "") < 0 ||
		    !vec_push(&names, name))
			free(name);
	}
	if (d)
		closedir(d);
	if (names.n)
		qsort(names.v, names.n, sizeof(names.v[0]), by_name);
	snprintf(ret->title, sizeof(ret->title), tr("files"));
	for (size_t i = 0; i < names.n; i++) {
		prompt_add_choice(ret, names.v[i], strlen(names.v[i]), NULL, false);
		free(names.v[i]);
	}
	vec_fini(&names);
	strbuf_fini(&path);
}

static void complete_words(struct prompt_choices *ret, const char *words, const char *typed,
			   size_t n_typed)
{
	for (const char *p = words; *p;) {
		size_t n = strcspn(p, "|");
		if (n >= n_typed && !memcmp(p, typed, n_typed))
			prompt_add_choice(ret, p, n, NULL, false);
		p += n + (p[n] == '|');
	}
}

/* Whether one of the words of a text, which spaces or commas part, is this one. */
static bool has_word(const char *text, size_t n, const char *word, size_t n_word)
{
	for (size_t at = 0; at < n;) {
		size_t length = 0;
		while (at + length < n && !strchr(" ,", text[at + length]))
			length++;
		if (length == n_word && !memcmp(text + at, word, length))
			return true;
		at += length + 1;
	}
	return false;
}

/* Names of columns: `arg` has n bytes before the cursor, the first names begin at `from`. Those in
 * `among`, bits of enum column, are offered unless they are typed already. */
static void complete_columns(struct prompt_choices *ret, const char *arg, size_t from, size_t n,
			     unsigned among)
{
	struct strbuf names = { 0 };
	size_t word = n;
	while (word > from && !strchr(" ,", arg[word - 1]))
		word--;
	config_columns_text(among, &names);
	snprintf(ret->title, sizeof(ret->title), tr("columns"));
	ret->from += word;
	for (const char *p = strbuf_str(&names); *p;) {
		size_t length = strcspn(p, " ");
		if (length >= n - word && !memcmp(p, arg + word, n - word) &&
		    !has_word(arg + from, word - from, p, length))
			prompt_add_choice(ret, p, length, NULL, false);
		p += length + (p[length] == ' ');
	}
	strbuf_fini(&names);
}

/* NAME VALUE --save, or NAME+=VALUE and NAME-=VALUE; `arg` has n bytes before the cursor. */
static void complete_setting(struct app *app, struct prompt_choices *ret, const char *arg, size_t n)
{
	size_t n_name = strcspn(arg, " =+-");
	struct config_setting setting;
	size_t i = 0, from = 0;
	if (n <= n_name) {
		snprintf(ret->title, sizeof(ret->title), tr("settings"));
		for (; config_setting_at(i, &setting); i++)
			if (!strncmp(setting.name, arg, n))
				prompt_add_choice(ret, setting.name, strlen(setting.name),
						  setting.doc, false);
		return;
	}
	while (config_setting_at(i, &setting) &&
	       (strlen(setting.name) != n_name || memcmp(setting.name, arg, n_name) != 0))
		i++;
	for (size_t k = 0; k < n; k++) /* the word at the cursor */
		if (arg[k] == ' ' || arg[k] == '=')
			from = k + 1;
	ret->from += from;
	const char *behind = arg + n_name + strspn(arg + n_name, " ");
	char sign = *behind; /* its "=" may not be typed yet */
	(void)config_how_at(&behind);
	size_t gap = (size_t)(behind - arg) + strspn(behind, " =");
	if (gap <= n && n_name == strlen("columns") && !memcmp(arg, "columns", n_name) &&
	    arg[from] != '-') {
		unsigned all = (1u << COLUMN_COUNT) - 1, on = app->config.columns;
		ret->from -= from;
		complete_columns(ret, arg, gap, n,
				 sign == '+'   ? all & ~on
				 : sign == '-' ? on & ~(1u << COLUMN_ARGUMENTS)
					       : all);
	} else if (from > gap || arg[from] == '-') {
		snprintf(ret->title, sizeof(ret->title), tr("keep it"));
		if (n - from <= strlen("--save") && !strncmp("--save", arg + from, n - from))
			prompt_add_choice(ret, "--save", strlen("--save"),
					  tr("into the file config, for later sessions"), false);
	} else if (config_setting_at(i, &setting) && strchr(setting.values, '|')) {
		snprintf(ret->title, sizeof(ret->title), "%s", setting.name);
		complete_words(ret, setting.values, arg + from, n - from);
	}
}

static void command_complete(const struct pane_host *host, const char *text, size_t cursor,
			     struct prompt_choices *ret)
{
	struct app *app = host->app;
	size_t word = strcspn(text, " ");
	if (cursor <= word) {
		ret->from = 0;
		ret->to = word;
		snprintf(ret->title, sizeof(ret->title), tr("actions"));
		/* names that begin with the text, then names that contain it */
		for (int pass = 0; pass < 2; pass++)
			for (int a = 0; a < ACTION_COUNT; a++) {
				const char *found = memmem(actions[a].name, strlen(actions[a].name),
							   text, cursor);
				if ((found == actions[a].name) == (pass == 0) && found)
					prompt_add_choice(ret, actions[a].name,
							  strlen(actions[a].name), actions[a].doc,
							  false);
			}
		return;
	}
	enum action action = action_find(text, word);
	if (action == ACTION_NONE)
		return;
	const char *arg = text + word + 1;
	size_t n = cursor - word - 1;
	ret->from = word + 1;
	ret->to = strlen(text);
	switch (actions[action].arg) {
	case TAKES_THEME: {
		snprintf(ret->title, sizeof(ret->title), tr("themes"));
		complete_words(ret, "dark|light|cb|mono|auto", arg, n);
		break;
	}
	case TAKES_EVENT:
		snprintf(ret->title, sizeof(ret->title), tr("events"));
		for (size_t i = 0; i < n_catalog_events; i++)
			if (!strncmp(catalog_events[i].name, arg, n))
				prompt_add_choice(
				    ret, catalog_events[i].name, strlen(catalog_events[i].name),
				    catalog_theme_name(catalog_events[i].theme), false);
		break;
	case TAKES_GROUP:
		snprintf(ret->title, sizeof(ret->title), tr("group by, or a ready summary"));
		for (size_t i = 0; pane_summary_field_at(i); i++)
			if (!strncmp(pane_summary_field_at(i), arg, n))
				prompt_add_choice(ret, pane_summary_field_at(i),
						  strlen(pane_summary_field_at(i)), NULL, false);
		for (size_t i = 0; i < READY_SUMMARIES; i++)
			if (!strncmp(ready_summaries[i].name, arg, n))
				prompt_add_choice(ret, ready_summaries[i].name,
						  strlen(ready_summaries[i].name),
						  ready_summaries[i].doc, false);
		break;
	case TAKES_WRITE: {
		static const char *const names[] = { "shown ", "marked ", "all " };
		snprintf(ret->title, sizeof(ret->title), tr("what to write"));
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (!strncmp(names[i], arg, n) && strlen(names[i]) > n)
				prompt_add_choice(ret, names[i], strlen(names[i]), NULL, false);
		break;
	}
	case TAKES_FILTER:
		if (app->host.view) {
			filter_complete_prompt(host, arg, n, ret);
			ret->from += word + 1;
			ret->to += word + 1;
		}
		break;
	case TAKES_NONE:
	case TAKES_COUNT:
	case TAKES_TEXT: break;
	case TAKES_FILE: complete_file(ret, arg, n); break;
	case TAKES_SET: complete_setting(app, ret, arg, n); break;
	case TAKES_COLUMNS: complete_columns(ret, arg, 0, n, (1u << COLUMN_COUNT) - 1); break;
	}
}

/* The theme that a command names, "" if none is typed yet; NULL: it is not about themes. */
static const char *theme_word(const char *text)
{
	static const char *const heads[] = { "theme ", "set theme ", "set theme=" };
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		if (!strncmp(text, heads[i], strlen(heads[i])))
			return strchr(text + strlen(heads[i]), ' ') ? NULL
								    : text + strlen(heads[i]);
	return NULL;
}

static void command_check(const struct pane_host *host, const char *text,
			  struct prompt_verdict *ret)
{
	*ret = (struct prompt_verdict){ 0 };
	text += strspn(text, " ");
	size_t n = strcspn(text, " ");
	const char *theme = theme_word(text);
	if (theme && *theme && !theme_find(theme, false)) { /* so the begun word is completed */
		ret->is_error = true;
		ret->at = (size_t)(theme - text);
		ret->n_bytes = strlen(theme);
		snprintf(ret->message, sizeof(ret->message),
			 tr("no theme %.40s: dark, light, cb, mono, auto"), theme);
		return;
	}
	if (!n || (*text >= '0' && *text <= '9') || action_find(text, n) != ACTION_NONE)
		return;
	for (int a = 0; a < ACTION_COUNT; a++)
		if (!text[n] && !strncmp(actions[a].name, text, n))
			return; /* what is typed so far is not wrong yet */
	ret->is_error = true;
	ret->n_bytes = n;
	const char *names[ACTION_COUNT];
	for (int i = 0; i < ACTION_COUNT; i++)
		names[i] = actions[i].name;
	const char *near = nearest_of(text, n, NEAREST_WORD, names, ACTION_COUNT);
	snprintf(ret->message, sizeof(ret->message), "%s%s%s", tr("no such action"),
		 near ? tr("; nearest is ") : "", near ? near : "");
}

/* Show the theme that is in use again. */
static void command_cancel(const struct pane_host *host)
{
	struct app *app = host->app;
	const struct theme *t = theme_find(app->theme_name, app->is_light);
	if (t && strcmp(t->name, app->theme.name)) {
		app->theme = *t;
		app->theme_changed = true;
	}
}

/* Show the theme that is typed or chosen. */
static void command_preview(const struct pane_host *host, const char *text)
{
	struct app *app = host->app;
	const char *name = theme_word(text);
	const struct theme *t = name ? theme_find(name, app->is_light) : NULL;
	if (!t) {
		command_cancel(host);
		return;
	}
	app->theme = *t;
	app->theme_changed = true;
}

static bool command_accept(const struct pane_host *host, const char *text)
{
	struct app *app = host->app;
	prompt_close(&app->prompt); /* the command may open another prompt */
	prompt_remember(&app->prompt, 2, text);
	app_keep_history(app, 2, text);
	app_command(app, text);
	return true;
}

static const struct prompt_ops command_prompt = { .label = ":",
						  .history = 2,
						  .check = command_check,
						  .complete = command_complete,
						  .preview = command_preview,
						  .accept = command_accept,
						  .cancel = command_cancel };

void app_prompt_command(struct app *app, const char *text)
{
	prompt_open(&app->prompt, &app->host, &command_prompt, text);
}

bool app_command(struct app *app, const char *text)
{
	text += strspn(text, " ");
	size_t n = strcspn(text, " ");
	if (!n)
		return true;
	if (*text >= '0' && *text <= '9') {
		host_act(&app->host, ACTION_GOTO, 0, text);
		return true;
	}
	enum action action = action_find(text, n), only = ACTION_NONE;
	unsigned matches = 0;
	for (int a = 0; a < ACTION_COUNT && action == ACTION_NONE; a++)
		if (!strncmp(actions[a].name, text, n)) {
			only = (enum action)a;
			matches++;
		}
	if (action == ACTION_NONE && matches == 1)
		action = only; /* the name is the beginning of exactly one action */
	if (action == ACTION_NONE) {
		struct prompt_verdict v;
		command_check(&app->host, text, &v);
		app_flash(app, "%.*s: %s", (int)n, text,
			  v.is_error ? v.message : tr("matches several actions"));
		return false;
	}
	const char *arg = text + n;
	arg += strspn(arg, " ");
	uint64_t count = 0;
	if (actions[action].arg == TAKES_COUNT && *arg)
		count = strtoull(arg, NULL, 10);
	host_act(&app->host, action, count, *arg ? arg : NULL);
	return true;
}

/* ---- write, note, name ---- */

static void write_complete(const struct pane_host *host, const char *text, size_t cursor,
			   struct prompt_choices *ret)
{
	static const char *const names[] = { "shown ", "marked ", "all " };
	if (strchr(text, ' '))
		return;
	ret->from = 0;
	ret->to = strlen(text);
	snprintf(ret->title, sizeof(ret->title), tr("what to write"));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strncmp(names[i], text, strlen(text)))
			prompt_add_choice(ret, names[i], strlen(names[i]), NULL, false);
}

static void write_check(const struct pane_host *host, const char *text, struct prompt_verdict *ret)
{
	*ret = (struct prompt_verdict){ 0 };
	snprintf(ret->message, sizeof(ret->message), tr(".avc .jsonl .csv .tsv by its ending"));
}

static bool write_accept(const struct pane_host *host, const char *text)
{
	struct app *app = host->app;
	return app_write(app, text);
}

static const struct prompt_ops write_prompt = { .label = N_("write: "),
						.history = 3,
						.complete = write_complete,
						.check = write_check,
						.accept = write_accept };

void app_prompt_write(struct app *app)
{
	prompt_open(&app->prompt, &app->host, &write_prompt, "shown ");
}

static void dump_complete(const struct pane_host *host, const char *text, size_t cursor,
			  struct prompt_choices *ret)
{
	complete_file(ret, text, cursor);
	ret->from = 0;
	ret->to = strlen(text);
}

static void dump_check(const struct pane_host *host, const char *text, struct prompt_verdict *ret)
{
	*ret = (struct prompt_verdict){ 0 };
	snprintf(ret->message, sizeof(ret->message), tr("a new file: the capture of what is kept"));
}

static bool dump_accept(const struct pane_host *host, const char *text)
{
	return app_dump(host->app, text);
}

static const struct prompt_ops dump_prompt = { .label = N_("dump to: "),
					       .history = -1,
					       .complete = dump_complete,
					       .check = dump_check,
					       .accept = dump_accept };

void app_prompt_dump(struct app *app)
{
	char name[64];
	time_t now = time(NULL);
	struct tm tm;
	gmtime_r(&now, &tm);
	strftime(name, sizeof(name), "kept_%Y%m%dT%H%M%SZ.avc", &tm);
	prompt_open(&app->prompt, &app->host, &dump_prompt, name);
}

static bool note_accept(const struct pane_host *host, const char *text)
{
	struct app *app = host->app;
	if (app->host.cursor_seq != SELECTION_NONE)
		view_mark_note(app->host.view, app->host.cursor_seq, text);
	app_keep_marks(app);
	return true;
}

static const struct prompt_ops note_prompt = { .label = N_("note: "),
					       .history = -1,
					       .accept = note_accept };

void app_prompt_note(struct app *app)
{
	const struct mark *m = view_mark(app->host.view, app->host.cursor_seq);
	prompt_open(&app->prompt, &app->host, &note_prompt, m && m->note ? m->note : "");
}

static bool name_accept(const struct pane_host *host, const char *text)
{
	struct app *app = host->app;
	struct err *err = config_keep_filter(&app->config, text, app->host.view->filter_text);
	if (err) {
		app_flash_err(app, err);
		return false;
	}
	app_flash(app, "kept as %s; l lists the kept filters", text);
	return true;
}

static const struct prompt_ops name_prompt = { .label = N_("keep this filter as: "),
					       .history = -1,
					       .accept = name_accept };

void app_prompt_save_filter(struct app *app)
{
	if (!*app->host.view->filter_text) {
		app_flash(app, "there is no filter to keep: f makes one");
		return;
	}
	prompt_open(&app->prompt, &app->host, &name_prompt, "");
}
