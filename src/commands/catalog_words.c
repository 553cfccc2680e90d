#include "base/say.h"
#include "commands/catalog_words.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "commands/pythons.h"
#include "model/api_map.h"
#include "model/catalog.h"
#include "model/explain.h"

/* "3.12", "3.12.1" or "12" as a minor version; 0 if it is none of these. */
static int parse_minor(const char *text)
{
	char *end;
	long n;

	if (strncmp(text, "3.", 2) == 0)
		text += 2;
	n = strtol(text, &end, 10);
	if (end == text || (*end != '\0' && *end != '.') || n <= 0 || n > 99)
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

static json_t *strings(const char *const *list)
{
	json_t *array = json_array();

	for (; *list; list++)
		json_array_append_new(array, json_string(*list));
	return array;
}

static void set_text(json_t *to, const char *key, const char *text)
{
	if (text)
		json_object_set_new(to, key, json_string(text));
}

static json_t *args_to_json(const struct catalog_arg *args, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array,
				      json_pack("{s:s, s:s, s:s}", "name", args[i].name, "type",
						args[i].type, "meaning", args[i].meaning));
	return array;
}

static json_t *version_to_json(int minor)
{
	return minor ? json_sprintf("3.%d", minor) : json_null();
}

/* APIs that were measured to raise it, each once. */
static json_t *measured_to_json(const struct catalog_event *e, int minor)
{
	json_t *array = json_array();
	const char *last = NULL;

	for (size_t i = 0; i < n_api_calls; i++) {
		if (!api_call_raises(&api_calls[i], e, minor) ||
		    (last && strcmp(last, api_calls[i].api) == 0))
			continue;
		last = api_calls[i].api;
		json_array_append_new(array, json_string(last));
	}
	return array;
}

static json_t *event_to_json(const struct catalog_event *e, int minor)
{
	size_t n_args;
	const struct catalog_arg *args = catalog_args(e, minor, &n_args);
	json_t *to = json_pack("{s:s, s:s, s:s, s:b, s:s}", "event", e->name, "category",
			       e->category, "theme", catalog_themes[e->theme].name, "documented",
			       e->documented, "description", e->description);
	json_t *platforms = json_array(), *differing = json_array();

	json_object_set_new(to, "args", args_to_json(args, n_args));
	for (size_t i = 0; minor == 0 && i < e->n_signatures; i++) {
		const struct catalog_signature *s = &e->signatures[i];
		json_t *versions = json_array();

		for (int m = 0; m < 32; m++)
			if (s->minors >> m & 1)
				json_array_append_new(versions, version_to_json(m));
		json_array_append_new(differing,
				      json_pack("{s:o, s:o}", "versions", versions, "args",
						args_to_json(s->args, s->n_args)));
	}
	if (json_array_size(differing))
		json_object_set(to, "args_in", differing);
	json_decref(differing);
	json_object_set_new(to, "since", version_to_json(e->since));
	json_object_set_new(to, "removed", version_to_json(e->removed));
	for (unsigned bit = PLATFORM_ANY; bit <= PLATFORM_WINDOWS; bit <<= 1)
		if (e->platforms & bit)
			json_array_append_new(platforms, json_string(catalog_platform_name(
							     (enum catalog_platform)bit)));
	json_object_set_new(to, "platforms", platforms);
	set_text(to, "wrong_name", e->alias);
	set_text(to, "gist", e->gist);
	json_object_set_new(to, "raised_by", strings(e->raised_by));
	json_object_set_new(to, "measured", measured_to_json(e, minor));
	json_object_set_new(to, "sites", strings(e->sites));
	set_text(to, "sites_version", e->sites_version);
	set_text(to, "note", e->note);
	set_text(to, "since_note", e->since_note);
	set_text(to, "example", e->example);
	set_text(to, "example_note", e->example_note);
	return to;
}

struct err *catalog_words_json(const struct catalog_event *const *events, size_t n, int minor)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, event_to_json(events[i], minor));
	char *text = json_dumps(array, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	json_decref(array);
	if (!text)
		return err_no_memory();
	bool is_written = say("%s\n", text) && say_flush();

	free(text);
	return is_written ? NULL : err_sys(errno, "cannot write to standard output");
}
