#include "base/say.h"
#include "commands/catalog_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "commands/json_writer.h"
#include "commands/pythons.h"
#include "model/api_map.h"
#include "model/catalog.h"
#include "model/explain.h"

/* Is it empty, or what may follow "3.12" in a version: ".1", ".0rc2", "+", "t"? */
static bool is_patch(const char *text)
{
	if (*text == '.') {
		size_t n = strspn(text + 1, "0123456789");
		if (!n)
			return false;
		text += 1 + n;
		n = !strncmp(text, "rc", 2) ? 2 : *text == 'a' || *text == 'b';
		if (n && !strspn(text + n, "0123456789"))
			return false;
		text += n + (n ? strspn(text + n, "0123456789") : 0);
	}
	return !*text || !strcmp(text, "+") || !strcmp(text, "t");
}

/* "3.12", "3.12.1" or "12" as a minor version; 0 if it is none of these. */
static int parse_minor(const char *text)
{
	char *end;
	long n;

	if (strncmp(text, "3.", 2) == 0)
		text += 2;
	n = strtol(text, &end, 10);
	if (end == text || !is_patch(end) || n <= 0 || n > 99)
		return 0;
	return (int)n;
}

struct err *catalog_words_minor(const char *text, int *ret_minor)
{
	int minor = 0;

	if (text)
		minor = parse_minor(text);
	if (text && text[0] >= '0' && text[0] <= '9' &&
	    (minor < CATALOG_MINOR_OLDEST || minor > CATALOG_MINOR_NEWEST))
		return err_create(ERR_USAGE, "the catalogue covers CPython 3.%d to 3.%d, not %s",
				  CATALOG_MINOR_OLDEST, CATALOG_MINOR_NEWEST, text);
	if (text && minor == 0) {
		struct python_program program;
		struct err *err = pythons_ask(text, &program);

		if (err)
			return err_with_hint(err,
					     "expected a version such as 3.12, or a Python to run");
		minor = program.minor;
		free(program.path);
	}
	if (minor && (minor < CATALOG_MINOR_OLDEST || minor > CATALOG_MINOR_NEWEST))
		return err_create(ERR_UNSUPPORTED,
				  "the catalogue covers CPython 3.%d to 3.%d, not 3.%d",
				  CATALOG_MINOR_OLDEST, CATALOG_MINOR_NEWEST, minor);
	*ret_minor = minor;
	return NULL;
}

static void add_text(struct json_writer *p, const char *key, const char *text)
{
	if (text)
		json_writer_text(p, key, text);
}

static void add_args(struct json_writer *p, const struct catalog_arg *args, size_t n)
{
	json_writer_open(p, "args", '[');
	for (size_t i = 0; i < n; i++) {
		json_writer_open(p, NULL, '{');
		json_writer_text(p, "name", args[i].name);
		json_writer_text(p, "type", args[i].type);
		json_writer_text(p, "meaning", args[i].meaning);
		json_writer_close(p, '}');
	}
	json_writer_close(p, ']');
}

static void add_version(struct json_writer *p, const char *key, int minor)
{
	char text[16];
	snprintf(text, sizeof(text), "3.%d", minor);
	if (minor)
		json_writer_text(p, key, text);
	else
		json_writer_word(p, key, "null");
}

/* APIs that were measured to raise it, each once. */
static void add_measured(struct json_writer *p, const struct catalog_event *e, int minor)
{
	const char *last = NULL;
	json_writer_open(p, "measured", '[');
	for (size_t i = 0; i < n_api_calls; i++) {
		if (!api_call_raises(&api_calls[i], e, minor) ||
		    (last && strcmp(last, api_calls[i].api) == 0))
			continue;
		last = api_calls[i].api;
		json_writer_text(p, NULL, last);
	}
	json_writer_close(p, ']');
}

/* Signatures of single versions, which differ from the newest. */
static void add_signatures(struct json_writer *p, const struct catalog_event *e)
{
	if (!e->n_signatures)
		return;
	json_writer_open(p, "args_in", '[');
	for (size_t i = 0; i < e->n_signatures; i++) {
		const struct catalog_signature *s = &e->signatures[i];
		json_writer_open(p, NULL, '{');
		json_writer_open(p, "versions", '[');
		for (int m = 0; m < 32; m++)
			if (s->minors >> m & 1)
				add_version(p, NULL, m);
		json_writer_close(p, ']');
		add_args(p, s->args, s->n_args);
		json_writer_close(p, '}');
	}
	json_writer_close(p, ']');
}

static void add_event(struct json_writer *p, const struct catalog_event *e, int minor)
{
	size_t n_args;
	const struct catalog_arg *args = catalog_args(e, minor, &n_args);
	json_writer_open(p, NULL, '{');
	json_writer_text(p, "event", e->name);
	json_writer_text(p, "category", e->category);
	json_writer_text(p, "theme", catalog_themes[e->theme].name);
	json_writer_word(p, "documented", e->documented ? "true" : "false");
	json_writer_text(p, "description", e->description);
	add_args(p, args, n_args);
	if (minor == 0)
		add_signatures(p, e);
	add_version(p, "since", e->since);
	add_version(p, "removed", e->removed);
	json_writer_open(p, "platforms", '[');
	for (unsigned bit = PLATFORM_ANY; bit <= PLATFORM_WINDOWS; bit <<= 1)
		if (e->platforms & bit)
			json_writer_text(p, NULL,
					 catalog_platform_name((enum catalog_platform)bit));
	json_writer_close(p, ']');
	add_text(p, "wrong_name", e->alias);
	add_text(p, "gist", e->gist);
	json_writer_texts(p, "raised_by", e->raised_by);
	add_measured(p, e, minor);
	json_writer_texts(p, "sites", e->sites);
	add_text(p, "sites_version", e->sites_version);
	add_text(p, "note", e->note);
	add_text(p, "since_note", e->since_note);
	add_text(p, "example", e->example);
	add_text(p, "example_note", e->example_note);
	json_writer_close(p, '}');
}

struct err *catalog_words_json(const struct catalog_event *const *events, size_t n, int minor)
{
	struct strbuf text = { 0 };
	struct json_writer json = { .to = &text };
	json_writer_open(&json, NULL, '[');
	for (size_t i = 0; i < n; i++)
		add_event(&json, events[i], minor);
	json_writer_close(&json, ']');
	struct err *err = NULL;
	if (text.failed)
		err = err_no_memory();
	else if (!say("%s\n", strbuf_str(&text)) || !say_flush())
		err = err_sys(errno, "cannot write to standard output");
	strbuf_fini(&text);
	return err;
}
