/*
 * app_prompts: the prompts: filter, search, command, file to write, note, name of a filter.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/nearest.h"
#include "base/utf8.h"
#include "ui/ui.h"

/* ---- filter ---- */

static void filter_check(const struct pane_host *host, const char *text, struct prompt_verdict *ret)
{
	struct ui *ui = host->ui;
	struct view *s = ui->host.view;
	CLEANUP(filter) struct filter *f = NULL;
	struct err *err = filter_compile(text, strlen(text), s->trace, &f);
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

static void filter_complete_prompt(const struct pane_host *host, const char *text, size_t cursor,
				   struct prompt_choices *ret)
{
	struct ui *ui = host->ui;
	static const char *const titles[] = {
		[CANDIDATE_FIELD] = "fields",       [CANDIDATE_EVENT] = "event, in this capture",
		[CANDIDATE_CATEGORY] = "category",  [CANDIDATE_THEME] = "theme",
		[CANDIDATE_ARGUMENT] = "arguments", [CANDIDATE_MEMBER] = "members",
		[CANDIDATE_OPERATOR] = "operators", [CANDIDATE_VALUE] = "value, in this capture",
	};
	struct filter_completion c = { 0 };
	if (!*text)
		return;
	struct err *err = filter_complete(ui->host.view->trace, text, strlen(text), cursor, &c);
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
			strbuf_adds(&doc, c.v[i].doc);
		size_t n = text_head(strbuf_str(&doc), doc.n, 44);
		strbuf_cut(&doc, n);
		prompt_add_choice(ret, c.v[i].text, strlen(c.v[i].text), strbuf_str(&doc),
				  c.v[i].n_events == 0);
		strbuf_fini(&doc);
	}
	if (c.n)
		snprintf(ret->title, sizeof(ret->title), "%s", titles[c.v[0].kind]);
	filter_completion_fini(&c);
}

static void filter_preview(const struct pane_host *host, const char *text)
{
	struct ui *ui = host->ui;
	CLEANUP(filter) struct filter *f = NULL;
	text += strspn(text, " ");
	if (!strcmp(text, ui->host.view->filter_text))
		return;
	struct err *err = filter_compile(text, strlen(text), ui->host.view->trace, &f);
	if (err) {
		err_destroy(err); /* the last correct filter stays */
		return;
	}
	ui_anchor(ui, ui->anchor_seq); /* an earlier letter may have moved the cursor */
	ui_set_filter(ui, text, false);
}

static bool filter_accept(const struct pane_host *host, const char *text)
{
	struct ui *ui = host->ui;
	ui_anchor(ui, ui->anchor_seq);
	/* the history gets the place before the prompt was opened, not one of the preview */
	if (strcmp(text, ui->prompt_old_filter))
		ui_remember(ui, ui->anchor_seq, ui->prompt_old_filter);
	return ui_set_filter(ui, text, false);
}

static void filter_cancel(const struct pane_host *host)
{
	struct ui *ui = host->ui;
	ui_anchor(ui, ui->anchor_seq);
	ui_set_filter(ui, ui->prompt_old_filter, false);
}

static const struct prompt_ops filter_prompt = {
	.label = "filter: ",
	.history = 0,
	.check = filter_check,
	.complete = filter_complete_prompt,
	.preview = filter_preview,
	.accept = filter_accept,
	.cancel = filter_cancel,
};

void prompt_filter(struct ui *ui, const char *text)
{
	ui->anchor_seq = ui->host.cursor_seq;
	free(ui->prompt_old_filter);
	ui->prompt_old_filter = strdup(ui->host.view->filter_text);
	if (!ui->prompt_old_filter)
		return;
	prompt_open(&ui->prompt, &ui->host, &filter_prompt,
		    text ? text : ui->host.view->filter_text);
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
}

/* Mark the hits on the page while typing. */
static void search_preview(const struct pane_host *host, const char *text)
{
	struct ui *ui = host->ui;
	struct err *err = search_set(&ui->search, text, ui->search.backwards);
	err_destroy(err);
}

static bool search_run(struct ui *ui, const char *text, bool backwards)
{
	struct err *err = NULL;
	if (*text || !search_is_on(&ui->search))
		err = search_set(&ui->search, text, backwards);
	else
		ui->search.backwards = backwards;
	if (err) {
		ui_flash_err(ui, err);
		return false;
	}
	if (!search_is_on(&ui->search))
		ui_flash(ui, "nothing to look for");
	else
		host_act(&ui->host, backwards ? ACTION_SEARCH_BACK : ACTION_SEARCH, 0, text);
	return true;
}

static bool search_accept(const struct pane_host *host, const char *text)
{
	struct ui *ui = host->ui;
	return search_run(ui, text, false);
}

static bool search_back_accept(const struct pane_host *host, const char *text)
{
	struct ui *ui = host->ui;
	return search_run(ui, text, true);
}

static void search_cancel(const struct pane_host *host)
{
	struct ui *ui = host->ui;
	search_fini(&ui->search);
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

void prompt_search(struct ui *ui, bool backwards)
{
	prompt_open(&ui->prompt, &ui->host, backwards ? &search_back_prompt : &search_prompt, "");
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
	snprintf(ret->title, sizeof(ret->title), "files");
	for (size_t i = 0; i < names.n; i++) {
		prompt_add_choice(ret, names.v[i], strlen(names.v[i]), NULL, false);
		free(names.v[i]);
	}
	vec_fini(&names);
	strbuf_fini(&path);
}

static void command_complete(const struct pane_host *host, const char *text, size_t cursor,
			     struct prompt_choices *ret)
{
	struct ui *ui = host->ui;
	size_t word = strcspn(text, " ");
	if (cursor <= word) {
		ret->from = 0;
		ret->to = word;
		snprintf(ret->title, sizeof(ret->title), "actions");
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
		static const char *const names[] = { "dark", "light", "cb", "mono", "auto" };
		snprintf(ret->title, sizeof(ret->title), "themes");
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (!strncmp(names[i], arg, n))
				prompt_add_choice(ret, names[i], strlen(names[i]), NULL, false);
		break;
	}
	case TAKES_EVENT:
		snprintf(ret->title, sizeof(ret->title), "events");
		for (size_t i = 0; i < n_catalog_events; i++)
			if (!strncmp(catalog_events[i].name, arg, n))
				prompt_add_choice(
				    ret, catalog_events[i].name, strlen(catalog_events[i].name),
				    catalog_theme_name(catalog_events[i].theme), false);
		break;
	case TAKES_GROUP: {
		static const char *const names[] = { "event",   "category", "theme",
						     "caller",  "file",     "host",
						     "command", "thread",   "process" };
		snprintf(ret->title, sizeof(ret->title), "group by");
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (!strncmp(names[i], arg, n))
				prompt_add_choice(ret, names[i], strlen(names[i]), NULL, false);
		break;
	}
	case TAKES_WRITE: {
		static const char *const names[] = { "shown ", "marked ", "all " };
		snprintf(ret->title, sizeof(ret->title), "what to write");
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (!strncmp(names[i], arg, n) && strlen(names[i]) > n)
				prompt_add_choice(ret, names[i], strlen(names[i]), NULL, false);
		break;
	}
	case TAKES_FILTER:
		if (ui->host.view) {
			filter_complete_prompt(host, arg, n, ret);
			ret->from += word + 1;
			ret->to += word + 1;
		}
		break;
	case TAKES_NONE:
	case TAKES_COUNT:
	case TAKES_TEXT: break;
	case TAKES_FILE: complete_file(ret, arg, n); break;
	}
}

static void command_check(const struct pane_host *host, const char *text,
			  struct prompt_verdict *ret)
{
	*ret = (struct prompt_verdict){ 0 };
	text += strspn(text, " ");
	size_t n = strcspn(text, " ");
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
	snprintf(ret->message, sizeof(ret->message), "no such action%s%s",
		 near ? "; nearest is " : "", near ? near : "");
}

static void command_preview(const struct pane_host *host, const char *text)
{
	struct ui *ui = host->ui;
	if (!strncmp(text, "theme ", 6) && theme_find(text + 6, ui->is_light)) {
		ui->theme = *theme_find(text + 6, ui->is_light);
		ui->theme_changed = true;
	}
}

static bool command_accept(const struct pane_host *host, const char *text)
{
	struct ui *ui = host->ui;
	prompt_close(&ui->prompt); /* the command may open another prompt */
	prompt_remember(&ui->prompt, 2, text);
	ui_keep_history(ui, 2, text);
	ui_command(ui, text);
	return true;
}

static void command_cancel(const struct pane_host *host)
{
	struct ui *ui = host->ui;
	const struct theme *t = theme_find(ui->theme_name, ui->is_light);
	if (t && strcmp(t->name, ui->theme.name)) {
		ui->theme = *t;
		ui->theme_changed = true;
	}
}

static const struct prompt_ops command_prompt = { .label = ":",
						  .history = 2,
						  .check = command_check,
						  .complete = command_complete,
						  .preview = command_preview,
						  .accept = command_accept,
						  .cancel = command_cancel };

void prompt_command(struct ui *ui, const char *text)
{
	prompt_open(&ui->prompt, &ui->host, &command_prompt, text);
}

bool ui_command(struct ui *ui, const char *text)
{
	text += strspn(text, " ");
	size_t n = strcspn(text, " ");
	if (!n)
		return true;
	if (*text >= '0' && *text <= '9') {
		host_act(&ui->host, ACTION_GOTO, 0, text);
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
		command_check(&ui->host, text, &v);
		ui_flash(ui, "%.*s: %s", (int)n, text,
			 v.is_error ? v.message : "matches several actions");
		return false;
	}
	const char *arg = text + n;
	arg += strspn(arg, " ");
	uint64_t count = 0;
	if (actions[action].arg == TAKES_COUNT && *arg)
		count = strtoull(arg, NULL, 10);
	host_act(&ui->host, action, count, *arg ? arg : NULL);
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
	snprintf(ret->title, sizeof(ret->title), "what to write");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strncmp(names[i], text, strlen(text)))
			prompt_add_choice(ret, names[i], strlen(names[i]), NULL, false);
}

static void write_check(const struct pane_host *host, const char *text, struct prompt_verdict *ret)
{
	*ret = (struct prompt_verdict){ 0 };
	snprintf(ret->message, sizeof(ret->message), ".avc .jsonl .csv .tsv by its ending");
}

static bool write_accept(const struct pane_host *host, const char *text)
{
	struct ui *ui = host->ui;
	return ui_write(ui, text);
}

static const struct prompt_ops write_prompt = { .label = "write: ",
						.history = 3,
						.complete = write_complete,
						.check = write_check,
						.accept = write_accept };

void prompt_write(struct ui *ui)
{
	prompt_open(&ui->prompt, &ui->host, &write_prompt, "shown ");
}

static bool note_accept(const struct pane_host *host, const char *text)
{
	struct ui *ui = host->ui;
	if (ui->host.cursor_seq != SELECTION_NONE)
		view_mark_note(ui->host.view, ui->host.cursor_seq, text);
	ui_keep_marks(ui);
	return true;
}

static const struct prompt_ops note_prompt = {
	.label = "note: ", .history = -1, .accept = note_accept
};

void prompt_note(struct ui *ui)
{
	const struct mark *m = view_mark(ui->host.view, ui->host.cursor_seq);
	prompt_open(&ui->prompt, &ui->host, &note_prompt, m && m->note ? m->note : "");
}

static bool name_accept(const struct pane_host *host, const char *text)
{
	struct ui *ui = host->ui;
	struct err *err = config_keep_filter(&ui->config, text, ui->host.view->filter_text);
	if (err) {
		ui_flash_err(ui, err);
		return false;
	}
	ui_flash(ui, "kept as %s; l lists the kept filters", text);
	return true;
}

static const struct prompt_ops name_prompt = {
	.label = "keep this filter as: ", .history = -1, .accept = name_accept
};

void prompt_save_filter(struct ui *ui)
{
	if (!*ui->host.view->filter_text) {
		ui_flash(ui, "there is no filter to keep: f makes one");
		return;
	}
	prompt_open(&ui->prompt, &ui->host, &name_prompt, "");
}
