/*
 * config: settings[] has one row per setting; the parser knows no setting by name.
 */
#include "ui/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/nearest.h"
#include "base/new_file.h"
#include "base/roff.h"
#include "base/strbuf.h"
#include "model/trace.h"
#include "ui/keymap.h"
#include "ui/keys.h"
#include "ui/panes.h"

static const char *const column_names[COLUMN_COUNT] = {
	[COLUMN_SEQ] = "seq",         [COLUMN_TIME] = "time",
	[COLUMN_PROCESS] = "process", [COLUMN_PID] = "pid",
	[COLUMN_INTERP] = "interp",   [COLUMN_THREAD] = "thread",
	[COLUMN_EVENT] = "event",     [COLUMN_ARGUMENTS] = "arguments",
	[COLUMN_CALLER] = "caller",   [COLUMN_PACKAGE] = "package",
	[COLUMN_TASK] = "task",
};

void config_columns_text(unsigned columns, struct strbuf *to)
{
	const char *gap = "";
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		if (columns & 1u << i) {
			strbuf_addf(to, "%s%s", gap, column_names[i]);
			gap = " ";
		}
}

/* n 0: no column was named. What helps comes first. */
static struct err *no_column(const char *name, size_t n)
{
	struct strbuf all = { 0 };
	config_columns_text((1u << COLUMN_COUNT) - 1, &all);
	bool is_sign = n > 1 && (*name == '+' || *name == '-');
	const char *near = n ? nearest_of(name, n, NEAREST_WORD, column_names, COLUMN_COUNT) : NULL;
	struct err *err =
	    !n ? err_create(ERR_SYNTAX, "no column named: expected %s", strbuf_str(&all))
	    : is_sign
		? err_create(ERR_SYNTAX, "columns= replaces the list; :set columns%c=%.*s %s it",
			     *name, (int)n - 1, name + 1, *name == '+' ? "adds to" : "takes from")
		: err_create(ERR_SYNTAX, "no column \"%.*s\"%s%s: expected %s", (int)n, name,
			     near ? "; nearest is " : "", near ? near : "", strbuf_str(&all));
	strbuf_fini(&all);
	return err;
}

struct err *config_columns(const char *text, unsigned *ret)
{
	unsigned bits = 0;
	for (const char *p = text; *p;) {
		p += strspn(p, " ,");
		size_t n = strcspn(p, " ,"), i = 0;
		if (!n)
			break;
		while (i < COLUMN_COUNT &&
		       (strlen(column_names[i]) != n || memcmp(column_names[i], p, n)))
			i++;
		if (i == COLUMN_COUNT)
			return no_column(p, n);
		bits |= 1u << i;
		p += n;
	}
	if (!bits)
		return no_column("", 0);
	*ret = bits;
	return NULL;
}

struct err *config_init(struct config *c)
{
	*c = (struct config){ .mouse = true,
			      .follow = true,
			      .fold = true,
			      .timeline = true,
			      .columns = COLUMNS_AT_FIRST };
	c->theme = strdup("auto");
	return c->theme ? NULL : err_no_memory();
}

void config_fini(struct config *c)
{
	free(c->theme);
	free(c->mine);
	for (size_t i = 0; i < c->source_dirs.n; i++)
		free(c->source_dirs.v[i]);
	vec_fini(&c->source_dirs);
	for (size_t i = 0; i < c->filters.n; i++) {
		free(c->filters.v[i].name);
		free(c->filters.v[i].text);
	}
	vec_fini(&c->filters);
	for (int i = 0; i < c->n_colors; i++) {
		free(c->colors[i].role);
		free(c->colors[i].style);
	}
	free(c->folder);
}

/* ---- settings ---- */

static struct err *set_bool(bool *to, const char *value)
{
	if (!strcmp(value, "on") || !strcmp(value, "yes"))
		*to = true;
	else if (!strcmp(value, "off") || !strcmp(value, "no"))
		*to = false;
	else
		return err_create(ERR_SYNTAX, "\"%s\": expected on or off", value);
	return NULL;
}

static struct err *set_mouse(struct config *c, const char *v)
{
	return set_bool(&c->mouse, v);
}

static struct err *set_follow(struct config *c, const char *v)
{
	return set_bool(&c->follow, v);
}

static struct err *set_fold(struct config *c, const char *v)
{
	return set_bool(&c->fold, v);
}

static struct err *set_timeline(struct config *c, const char *v)
{
	return set_bool(&c->timeline, v);
}

static struct err *set_theme(struct config *c, const char *v)
{
	if (!theme_find(v, false)) {
		const char *names[] = { "auto", "dark", "light", "cb", "mono" };
		const char *near = nearest_of(v, strlen(v), NEAREST_WORD, names, ARRAY_LEN(names));
		return err_create(ERR_SYNTAX,
				  "no theme \"%s\": expected auto dark light cb mono%s%s", v,
				  near ? "; nearest is " : "", near ? near : "");
	}
	char *copy = strdup(v);
	if (!copy)
		return err_no_memory();
	free(c->theme);
	c->theme = copy;
	return NULL;
}

static struct err *set_choice(const char *v, const char *const *words, size_t n, int *ret)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(words[i], v)) {
			*ret = (int)i;
			return NULL;
		}
	struct strbuf all = { 0 };
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&all, " %s", words[i]);
	struct err *err = err_create(ERR_SYNTAX, "\"%s\": expected one of%s", v, strbuf_str(&all));
	strbuf_fini(&all);
	return err;
}

static const char *const time_words[TIME_MODE_COUNT] = { "start", "delta", "clock" };
static const char *const details_words[] = { "auto", "right", "below" };

static struct err *set_time(struct config *c, const char *v)
{
	int mode = (int)c->time;
	struct err *err = set_choice(v, time_words, ARRAY_LEN(time_words), &mode);
	if (!err)
		c->time = (enum time_mode)mode;
	return err;
}

static struct err *set_details(struct config *c, const char *v)
{
	return set_choice(v, details_words, ARRAY_LEN(details_words), &c->details);
}

static struct err *set_columns(struct config *c, const char *v)
{
	return config_columns(v, &c->columns);
}

static struct err *change_columns(struct config *c, bool adds, const char *v)
{
	unsigned bits = 0;
	struct err *err = config_columns(v, &bits);
	if (err)
		return err;
	if (!adds && bits & 1u << COLUMN_ARGUMENTS)
		return err_create(ERR_USAGE, "the column arguments is always shown");
	bits = adds ? c->columns | bits : c->columns & ~bits;
	if (!bits)
		return err_create(ERR_USAGE, "columns would be empty: one is needed");
	c->columns = bits;
	return NULL;
}

static struct err *set_source(struct config *c, const char *v)
{
	char *copy = strdup(v);
	if (!copy || !vec_reserve(&c->source_dirs, 1)) {
		free(copy);
		return err_no_memory();
	}
	c->source_dirs.v[c->source_dirs.n++] = copy;
	return NULL;
}

static struct err *set_mine(struct config *c, const char *v)
{
	char *copy = *v == '/' ? strdup(v) : NULL;
	if (*v != '/')
		return err_create(ERR_SYNTAX, "expected a folder that begins with /");
	if (!copy)
		return err_no_memory();
	trace_add_mine(v);
	free(c->mine);
	c->mine = copy;
	return NULL;
}

static const char *get_theme(const struct config *c, struct strbuf *b)
{
	return c->theme;
}

static const char *get_mouse(const struct config *c, struct strbuf *b)
{
	return c->mouse ? "on" : "off";
}

static const char *get_follow(const struct config *c, struct strbuf *b)
{
	return c->follow ? "on" : "off";
}

static const char *get_fold(const struct config *c, struct strbuf *b)
{
	return c->fold ? "on" : "off";
}

static const char *get_timeline(const struct config *c, struct strbuf *b)
{
	return c->timeline ? "on" : "off";
}

static const char *get_time(const struct config *c, struct strbuf *b)
{
	return time_words[c->time];
}

static const char *get_details(const struct config *c, struct strbuf *b)
{
	return details_words[c->details];
}

static const char *get_columns(const struct config *c, struct strbuf *b)
{
	config_columns_text(c->columns, b);
	return strbuf_str(b);
}

static const char *get_source(const struct config *c, struct strbuf *b)
{
	return c->source_dirs.n ? c->source_dirs.v[c->source_dirs.n - 1] : "";
}

static const char *get_mine(const struct config *c, struct strbuf *b)
{
	return c->mine ? c->mine : "";
}

/* To add a setting, add a row here, a set_ and a get_ function; `:set`, the manual and "did you
 * mean" follow. */
static const struct {
	const char *name;
	struct err *(*set)(struct config *c, const char *value);
	const char *(*get)(const struct config *c, struct strbuf *b); /* borrowed; may be in b */
	const char *values, *doc;
	bool is_list; /* a further line of the file adds to it */
	/* NAME+=VALUE and NAME-=VALUE; NULL: only what is_list adds to can be added to */
	struct err *(*change)(struct config *c, bool adds, const char *value);
} settings[] = {
	{ "theme", set_theme, get_theme, "auto|dark|light|cb|mono",
	  "Colours. auto asks the terminal for its background.", false, NULL },
	{ "mouse", set_mouse, get_mouse, "on|off", "Click, wheel and drag.", false, NULL },
	{ "follow", set_follow, get_follow, "on|off", "Begin live sessions at the newest event.",
	  false, NULL },
	{ "fold", set_fold, get_fold, "on|off", "Fold imports, start-up and repeats at first.",
	  false, NULL },
	{ "timeline", set_timeline, get_timeline, "on|off", "The timeline above the list.", false,
	  NULL },
	{ "time", set_time, get_time, "start|delta|clock", "How times are shown.", false, NULL },
	{ "details", set_details, get_details, "auto|right|below",
	  "Where arguments and stack are shown.", false, NULL },
	{ "columns", set_columns, get_columns, "LIST",
	  "Columns of the list, of: seq time process pid interp thread event arguments caller "
	  "package task. process is shown only if there are several, pid also if there is one; "
	  "arguments are always shown. columns += LIST adds to the columns that are set, columns "
	  "-= LIST takes from them.",
	  false, change_columns },
	{ "source", set_source, get_source, "DIR",
	  "A folder to look for source files in; may be given several times.", true, NULL },
	{ "mine", set_mine, get_mine, "DIR",
	  "The code below this folder is your own, and no other is, as with --mine; may be given "
	  "several times.",
	  true, NULL },
};

void config_manual(struct strbuf *to)
{
	/* What one_line() reads in addition to settings[]. */
	static const char *const forms[][2] = {
		{ "color.ROLE = STYLE", "How a part of the screen, or a theme, is drawn, as in "
					"color.network = 75 bold." },
		{ "filter NAME = FILTER", "A display filter to choose by its name." },
		{ "bind [PANE] KEY ACTION",
		  "What a key does, everywhere or in one pane; the action none takes it away." },
	};
	struct strbuf name = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		strbuf_clear(&name);
		strbuf_addf(&name, "%s = %s", settings[i].name, settings[i].values);
		roff_add_entry(to, strbuf_str(&name), settings[i].doc);
	}
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		roff_add_entry(to, forms[i][0], forms[i][1]);
	strbuf_fini(&name);
}

/* ARRAY_LEN(settings): there is none of that name. */
static size_t setting_find(const char *name)
{
	size_t i = 0;
	while (i < ARRAY_LEN(settings) && strcmp(settings[i].name, name))
		i++;
	return i;
}

enum config_how config_how_at(const char **at)
{
	char sign = **at;
	if ((sign != '+' && sign != '-') || (*at)[1] != '=')
		return CONFIG_REPLACES;
	++*at;
	return sign == '+' ? CONFIG_ADDS : CONFIG_TAKES;
}

struct err *config_set(struct config *c, const char *name, enum config_how how, const char *value)
{
	size_t i = setting_find(name);
	const char *names[ARRAY_LEN(settings)];
	if (i < ARRAY_LEN(settings)) {
		if (how == CONFIG_REPLACES || (how == CONFIG_ADDS && settings[i].is_list))
			return settings[i].set(c, value);
		if (settings[i].change)
			return settings[i].change(c, how == CONFIG_ADDS, value);
		return settings[i].is_list
			   ? err_create(ERR_USAGE, "%s: a folder can be added, not taken away",
					name)
			   : err_create(ERR_USAGE, "%s has one value: %s=%s sets it", name, name,
					value);
	}
	for (size_t k = 0; k < ARRAY_LEN(settings); k++)
		names[k] = settings[k].name;
	const char *near = nearest_of(name, strlen(name), NEAREST_WORD, names, ARRAY_LEN(settings));
	return err_create(ERR_SYNTAX, "no setting \"%s\"%s%s", name, near ? "; nearest is " : "",
			  near ? near : "");
}

bool config_setting_at(size_t i, struct config_setting *ret)
{
	if (i >= ARRAY_LEN(settings))
		return false;
	*ret = (struct config_setting){ settings[i].name, settings[i].values, settings[i].doc };
	return true;
}

bool config_get(const struct config *c, const char *name, struct strbuf *to)
{
	size_t i = setting_find(name);
	struct strbuf b = { 0 };
	if (i < ARRAY_LEN(settings))
		strbuf_adds(to, settings[i].get(c, &b));
	strbuf_fini(&b);
	return i < ARRAY_LEN(settings);
}

static struct err *add_filter(struct config *c, const char *name, const char *text, bool kept)
{
	for (size_t i = 0; i < c->filters.n; i++)
		if (!strcmp(c->filters.v[i].name, name)) {
			char *copy = strdup(text);
			if (!copy)
				return err_no_memory();
			free(c->filters.v[i].text);
			c->filters.v[i].text = copy;
			c->filters.v[i].is_kept |= kept;
			return NULL;
		}
	struct named_filter f = { strdup(name), strdup(text), kept };
	if (!f.name || !f.text || !vec_reserve(&c->filters, 1)) {
		free(f.name);
		free(f.text);
		return err_no_memory();
	}
	c->filters.v[c->filters.n++] = f;
	return NULL;
}

static struct err *bind_line(struct keymap *keys, char *rest)
{
	char *words[3], *save = NULL;
	int n = 0;
	for (char *w = strtok_r(rest, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (n == 3)
			return err_create(ERR_SYNTAX,
					  "bind takes [PANE] KEY ACTION, unexpected \"%s\"", w);
		words[n++] = w;
	}
	if (n < 2)
		return err_create(ERR_SYNTAX, "bind takes [PANE] KEY ACTION");
	enum pane_id pane = PANE_ANY;
	if (n == 3) {
		pane = pane_find(words[0]);
		if (pane == PANE_NONE) {
			const char *names[PANE_COUNT];
			for (int i = 0; i < PANE_COUNT; i++)
				names[i] = panes[i].name;
			const char *near = nearest_of(words[0], strlen(words[0]), NEAREST_WORD,
						      names, PANE_COUNT);
			return err_create(ERR_SYNTAX, "no pane \"%s\"%s%s", words[0],
					  near ? "; nearest is " : "", near ? near : "");
		}
	}
	const char *name = words[n - 1];
	enum action action = action_find(name, strlen(name));
	if (action == ACTION_NONE && strcmp(name, "none")) {
		const char *names[ACTION_COUNT];
		for (int i = 0; i < ACTION_COUNT; i++)
			names[i] = actions[i].name;
		const char *near = nearest_of(name, strlen(name), NEAREST_WORD, names,
					      ACTION_COUNT);
		return err_create(ERR_SYNTAX, "no action \"%s\"%s%s", name,
				  near ? "; nearest is " : "", near ? near : "");
	}
	return keymap_bind(keys, pane, words[n - 2], action);
}

static char *trim(char *s)
{
	s += strspn(s, " \t\r");
	size_t n = strlen(s);
	while (n && strchr(" \t\r", s[n - 1]))
		s[--n] = 0;
	return s;
}

static struct err *one_line(struct config *c, struct keymap *keys, char *line, bool kept)
{
	if (!strncmp(line, "bind", 4) && strchr(" \t", line[4]) && line[4])
		return bind_line(keys, line + 5);
	char *value = strchr(line, '=');
	if (!value)
		return err_create(ERR_SYNTAX,
				  "expected NAME = VALUE or bind KEY ACTION, found \"%s\"", line);
	enum config_how how = CONFIG_REPLACES;
	/* the name of a filter may end with a sign */
	bool is_setting = strncmp(line, "filter ", 7) != 0 && strncmp(line, "color.", 6) != 0;
	if (is_setting && value > line) {
		const char *sign = value - 1;
		how = config_how_at(&sign);
		if (how != CONFIG_REPLACES)
			value[-1] = 0;
	}
	*value++ = 0;
	value = trim(value);
	char *name = trim(line);
	if (!strncmp(name, "filter ", 7))
		return add_filter(c, trim(name + 7), value, kept);
	if (!strncmp(name, "color.", 6)) {
		struct theme probe = themes[0];
		struct err *err = theme_set(&probe, name + 6, value);
		if (err || c->n_colors > ROLE_COUNT)
			return err;
		c->colors[c->n_colors].role = strdup(name + 6);
		c->colors[c->n_colors].style = strdup(value);
		if (!c->colors[c->n_colors].role || !c->colors[c->n_colors].style)
			return err_no_memory();
		c->n_colors++;
		return NULL;
	}
	return config_set(c, name, how, value);
}

void config_parse(struct config *c, struct keymap *keys, const char *text, size_t n,
		  void (*report)(void *, int, const char *), void *ctx, bool kept)
{
	int number = 0;
	for (size_t at = 0; at < n;) {
		const char *end = memchr(text + at, '\n', n - at);
		size_t len = end ? (size_t)(end - (text + at)) : n - at;
		char *line = strndup(text + at, len);
		at += len + 1;
		number++;
		if (!line)
			return;
		char *s = trim(line);
		if (*s && *s != '#') {
			struct err *err = one_line(c, keys, s, kept);
			if (err) {
				report(ctx, number, err->message);
				err_destroy(err);
			}
		}
		free(line);
	}
}

void config_load(struct config *c, struct keymap *keys, void (*report)(void *, int, const char *),
		 void *ctx)
{
	static const char *const files[] = { "config", "filters" };
	struct err *err = folder_find(FOLDER_CONFIG, false, &c->folder);
	c->uses_files = true;
	if (err && err->code == ERR_DENIED)
		report(ctx, 0, err->message);
	err_destroy(err);
	for (int i = 0; c->folder && i < 2; i++) {
		char *path;
		if (asprintf(&path, "%s/%s", c->folder, files[i]) < 0)
			return;
		struct strbuf text = { 0 };
		/* many users keep the file elsewhere, behind a symbolic link */
		err = folder_read_file(path, true, 1 << 20, &text);
		if (!err)
			config_parse(c, keys, strbuf_str(&text), text.n, report, ctx, i == 1);
		else if (err->code == ERR_DENIED)
			report(ctx, 0, err->message);
		err_destroy(err);
		strbuf_fini(&text);
		free(path);
	}
}

/* The path of one of the user's files, whose folder is made if need be; malloc'ed. */
static struct err *file_path(const char *name, char **ret)
{
	char *folder = NULL, *path = NULL;
	struct err *err = folder_find(FOLDER_CONFIG, true, &folder);
	if (!err && asprintf(&path, "%s/%s", folder, name) < 0)
		err = err_no_memory();
	free(folder);
	if (!err)
		*ret = path;
	return err;
}

struct err *config_keep_filter(struct config *c, const char *name, const char *text)
{
	if (strpbrk(name, "=\n") || !*name)
		return err_create(ERR_USAGE, "a filter's name is one or more characters without =");
	struct err *err = text ? add_filter(c, name, text, true) : NULL;
	if (err)
		return err;
	for (size_t i = 0; !text && i < c->filters.n; i++)
		if (!strcmp(c->filters.v[i].name, name)) {
			free(c->filters.v[i].name);
			free(c->filters.v[i].text);
			memmove(&c->filters.v[i], &c->filters.v[i + 1],
				(c->filters.n - i - 1) * sizeof(c->filters.v[0]));
			c->filters.n--;
			break;
		}
	if (!c->uses_files)
		return NULL; /* --no-config: the filter is kept for this session only */
	char *path = NULL;
	struct strbuf lines = { 0 };
	err = file_path("filters", &path);
	strbuf_adds(&lines, "# filters kept by auditview; edit freely\n");
	for (size_t i = 0; i < c->filters.n; i++)
		if (c->filters.v[i].is_kept)
			strbuf_addf(&lines, "filter %s = %s\n", c->filters.v[i].name,
				    c->filters.v[i].text);
	if (!err)
		err = new_file_write(path, NEW_FILE_REGULAR, &lines);
	strbuf_fini(&lines);
	free(path);
	return err;
}

/* Copy the lines of a config file, with "NAME = VALUE" in the place of the last line that sets the
 * name; at the end if there is none. */
static void put_setting(struct strbuf *to, const struct strbuf *old, const char *name,
			const char *value)
{
	size_t from = 0, to_at = 0, n_name = strlen(name);
	bool is_there = false;
	for (size_t at = 0; at < old->n;) {
		size_t n = strcspn(old->s + at, "\n"), k = at;
		k += strspn(old->s + k, " \t\r");
		const char *sign = "";
		if (!strncmp(old->s + k, name, n_name)) {
			sign = old->s + k + n_name;
			sign += strspn(sign, " \t");
			(void)config_how_at(&sign);
		}
		if (*sign == '=') {
			is_there = true;
			from = at;
			to_at = at + n;
		}
		at += n + 1;
	}
	if (!is_there) {
		strbuf_add(to, strbuf_str(old), old->n);
		if (old->n && old->s[old->n - 1] != '\n')
			strbuf_addc(to, '\n');
		strbuf_addf(to, "%s = %s\n", name, value);
		return;
	}
	strbuf_add(to, old->s, from);
	strbuf_addf(to, "%s = %s", name, value);
	strbuf_add(to, old->s + to_at, old->n - to_at);
}

struct err *config_save(const struct config *c, const char *name, char **ret_path)
{
	enum { FILE_MAX = 1 << 20 };
	struct strbuf value = { 0 }, old = { 0 }, lines = { 0 };
	char *path = NULL;
	struct err *err = NULL;
	size_t i = setting_find(name);
	if (!c->uses_files)
		return err_create(ERR_USAGE, "auditview runs with --no-config: nothing is saved");
	if (!config_get(c, name, &value) || !value.n || memchr(value.s, '\n', value.n))
		err = err_create(ERR_USAGE, "cannot save %s: it has no value", name);
	if (!err)
		err = file_path("config", &path);
	if (!err)
		err = err_ignore(folder_read_file(path, false, FILE_MAX, &old), ERR_NOT_FOUND);
	if (!err && (old.n >= FILE_MAX || memchr(strbuf_str(&old), 0, old.n)))
		err = err_create(ERR_DENIED, "%s is not changed: it is no text of less than 1 MiB",
				 path);
	if (!err && settings[i].is_list) { /* another line */
		strbuf_add(&lines, strbuf_str(&old), old.n);
		if (old.n && old.s[old.n - 1] != '\n')
			strbuf_addc(&lines, '\n');
		strbuf_addf(&lines, "%s = %s\n", name, strbuf_str(&value));
	} else if (!err) {
		put_setting(&lines, &old, name, strbuf_str(&value));
	}
	if (!err)
		err = new_file_write(path, NEW_FILE_REGULAR, &lines);
	strbuf_fini(&value);
	strbuf_fini(&old);
	strbuf_fini(&lines);
	if (err)
		free(path);
	else
		*ret_path = path;
	return err;
}
