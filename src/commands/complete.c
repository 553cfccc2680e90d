/*
 * complete: see complete.h. The scripts for the shells: complete_scripts.c.
 */
#include "commands/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/accounts.h"
#include "base/strbuf.h"
#include "command.h"
#include "commands/pythons.h"
#include "model/catalog.h"
#include "model/fields.h"
#include "model/lesson.h"
#include "system/procs.h"

/* ---- candidates ---- */

struct offer {
	struct strbuf *to;
	const char *start; /* of the unfinished word: stays as it is */
	size_t n_start;
	const char *part; /* what follows, and is completed */
};

static void offer(const struct offer *f, const char *word, const char *doc)
{
	if (strncmp(word, f->part, strlen(f->part)) != 0)
		return;
	strbuf_addf(f->to, "%.*s%s", (int)f->n_start, f->start, word);
	if (doc && *doc)
		strbuf_addf(f->to, "\t%.*s", (int)strcspn(doc, "\n\t"), doc);
	strbuf_addc(f->to, '\n');
}

/* Leaves what precedes the last of these signs as it is. */
static void offer_after(struct offer *f, const char *signs)
{
	for (const char *p = f->part + strlen(f->part); p > f->part; p--) {
		if (strchr(signs, p[-1])) {
			f->n_start += (size_t)(p - f->part);
			f->part = p;
			return;
		}
	}
}

static void offer_events(struct offer *f)
{
	for (size_t i = 0; i < n_catalog_events; i++)
		offer(f, catalog_events[i].name, catalog_events[i].description);
}

static void offer_themes(struct offer *f)
{
	for (size_t i = 0; i < THEME_COUNT; i++)
		offer(f, catalog_themes[i].name, catalog_themes[i].about);
}

/* The events are in order of name, so those of a category are neighbours. */
static void offer_categories(struct offer *f)
{
	for (size_t i = 0; i < n_catalog_events; i++)
		if (!i || strcmp(catalog_events[i].category, catalog_events[i - 1].category) != 0)
			offer(f, catalog_events[i].category, NULL);
}

/* --events: a list of names, categories and @themes, each after a "!" or not. */
static void offer_event_list(struct offer *f)
{
	offer_after(f, ",!");
	if (*f->part == '@') {
		f->n_start++;
		f->part++;
		offer_themes(f);
		return;
	}
	offer_events(f);
	offer_categories(f);
	if (*f->part)
		return;
	struct offer themes = *f;
	for (size_t i = 0; i < THEME_COUNT; i++) {
		char name[64];
		snprintf(name, sizeof(name), "@%s", catalog_themes[i].name);
		offer(&themes, name, catalog_themes[i].about);
	}
}

static void offer_pids(struct offer *f)
{
	offer_after(f, ",");
	CLEANUP(procs) struct procs *procs = NULL;
	struct err *err = procs_create(&procs);
	if (!err)
		err = procs_update(procs);
	size_t n = 0;
	const struct proc *v = err ? NULL : procs_get(procs, &n);
	for (size_t i = 0; i < n; i++) {
		char pid[16];
		snprintf(pid, sizeof(pid), "%d", v[i].pid);
		offer(f, pid, v[i].command);
	}
	err_destroy(err);
}

static void offer_user(const struct passwd *user, void *f)
{
	offer(f, user->pw_name, user->pw_gecos);
}

static void offer_users(struct offer *f)
{
	accounts_each(offer_user, f);
}

static void offer_pythons(struct offer *f)
{
	struct python_list list = { 0 };
	struct err *err = pythons_find_all(&list);
	for (size_t i = 0; !err && i < list.n; i++) {
		char minor[16];
		snprintf(minor, sizeof(minor), "3.%d", list.v[i].minor);
		offer(f, minor, list.v[i].path);
	}
	python_list_fini(&list);
	err_destroy(err);
}

/* The name of a field, in the middle of a filter. */
static void offer_filter(struct offer *f)
{
	offer_after(f, " (!");
	for (size_t i = 0; i < FIELD_COUNT; i++)
		offer(f, fields[i].name, NULL);
}

static void offer_sort(struct offer *f)
{
	static const char *const columns[] = { "events", "key", "first", "last" };
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		offer(f, columns[i], NULL);
}

static void offer_lessons(struct offer *f)
{
	for (size_t i = 0; i < n_lessons; i++) {
		char number[16];
		snprintf(number, sizeof(number), "%d", lessons[i].number);
		offer(f, number, lessons[i].title);
	}
}

static void offer_nothing(struct offer *f)
{
	(void)f;
}

/* An option whose values are not in its row (`words`): a row here, or nothing is offered for it. */
static const struct {
	const char *option;
	void (*offer)(struct offer *f);
	const char *also; /* the answer's first line; NULL: words */
} option_values[] = {
	{ "pid", offer_pids, NULL },          { "user", offer_users, NULL },
	{ "python", offer_pythons, "files" }, { "events", offer_event_list, NULL },
	{ "until", offer_filter, NULL },      { "hold", offer_filter, NULL },
	{ "filter", offer_filter, NULL },     { "output", offer_nothing, "files" },
	{ "sort", offer_sort, NULL },         { "category", offer_categories, NULL },
	{ "theme", offer_themes, NULL },      { "code", offer_nothing, NULL },
};

/* The positional words of a command; those without a row take captures. */
static const struct {
	const char *command;
	void (*offer)(struct offer *f);
	const char *also;
} command_words[] = {
	{ "record", offer_nothing, NULL }, { "import", offer_nothing, "files" },
	{ "events", offer_events, NULL },  { "explain", offer_events, NULL },
	{ "try", offer_events, "files" },  { "lesson", offer_lessons, NULL },
	{ "doctor", offer_nothing, NULL },
};

/* ---- the command line ---- */

static const struct option_row *option_of_word(const char *word)
{
	if (word[0] != '-' || !word[1])
		return NULL;
	size_t n = strcspn(word, "=");
	for (size_t i = 0; i < n_options; i++) {
		const struct option_row *row = &options_table[i];
		bool is_long = word[1] == '-' && strlen(row->name) == n - 2 &&
			       memcmp(word + 2, row->name, n - 2) == 0,
		     is_short = word[1] != '-' && row->letter && word[1] == row->letter && !word[2];
		if (is_long || is_short)
			return row;
	}
	return NULL;
}

static void add_values(struct offer *f, const struct option_row *row)
{
	size_t i = 0;
	while (i < ARRAY_LEN(option_values) && strcmp(option_values[i].option, row->name) != 0)
		i++;
	const char *also = i < ARRAY_LEN(option_values) ? option_values[i].also : NULL;
	strbuf_addf(f->to, "%s\n", also ? also : "words");
	for (size_t w = 0; option_word(row, w); w++)
		offer(f, option_word(row, w), NULL);
	if (!option_word(row, 0) && i < ARRAY_LEN(option_values))
		option_values[i].offer(f);
}

static void add_options(struct offer *f, const struct command *command)
{
	strbuf_adds(f->to, "words\n");
	for (size_t i = 0; i < n_options; i++) {
		const struct option_row *row = &options_table[i];
		char name[80];
		if (row->is_hidden || !option_is_taken(row, command))
			continue;
		snprintf(name, sizeof(name), "--%s", row->name);
		offer(f, name, row->doc);
		snprintf(name, sizeof(name), "--no-%s", row->name);
		if (row->kind == OPTION_SWITCH)
			offer(f, name, row->doc);
		snprintf(name, sizeof(name), "-%c", row->letter);
		if (row->letter && !f->part[strspn(f->part, "-")])
			offer(f, name, row->doc);
	}
	if (option_is_taken(options_table, command)) /* --pid: it takes a program too */
		offer(f, "--", "a program follows");
}

static void add_positional(struct offer *f, const struct command *command, size_t n_before)
{
	size_t i = 0;
	while (i < ARRAY_LEN(command_words) &&
	       (!command->name || strcmp(command_words[i].command, command->name) != 0))
		i++;
	bool has_row = i < ARRAY_LEN(command_words), is_over = n_before >= command->max_args;
	const char *also = is_over ? "words" : has_row ? command_words[i].also : "captures";
	strbuf_addf(f->to, "%s\n", also ? also : "words");
	if (has_row && !is_over)
		command_words[i].offer(f);
	if (command->name || n_before)
		return;
	for (size_t c = 0; c < n_commands; c++)
		if (commands[c].name)
			offer(f, commands[c].name, commands[c].doc);
}

void complete_add(struct strbuf *to, const char *const *words, size_t n)
{
	const char *word = n ? words[n - 1] : "";
	struct offer f = { .to = to, .start = word, .part = word };
	const struct command *command = NULL;
	const struct option_row *value_of =
	    NULL; /* the option that the next word is the value of */
	size_t n_positional = 0;

	for (size_t i = 0; i + 1 < n; i++) {
		if (value_of) {
			value_of = NULL;
		} else if (strcmp(words[i], "--") == 0) {
			strbuf_addf(to, "program %zu\n", i + 1);
			return;
		} else if (words[i][0] == '-' && words[i][1]) {
			const struct option_row *row = option_of_word(words[i]);
			if (row && row->arg && !strchr(words[i], '='))
				value_of = row;
		} else if (!command && !n_positional && command_find(words[i])) {
			command = command_find(words[i]);
		} else {
			n_positional++;
		}
	}
	for (size_t c = 0; !command && c < n_commands; c++)
		if (!commands[c].name)
			command = &commands[c];
	const struct option_row *row = option_of_word(word);
	const char *equals = strchr(word, '=');
	if (value_of) {
		add_values(&f, value_of);
	} else if (row && row->arg && equals && word[1] == '-') {
		f.n_start = (size_t)(equals + 1 - word);
		f.part = equals + 1;
		add_values(&f, row);
	} else if (word[0] == '-') {
		add_options(&f, command);
	} else {
		add_positional(&f, command, n_positional);
	}
}
