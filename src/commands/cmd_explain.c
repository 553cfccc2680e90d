/*
 * explain: one event, call, theme or category as a page of text.
 */
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/wrap.h"
#include "command.h"
#include "commands/catalog_words.h"
#include "model/api_map.h"
#include "model/explain.h"

#define WIDTH_MAX 100 /* longer lines are hard to read */

static struct err *unknown(const char *name)
{
	const struct catalog_event *events[3];
	const char *apis[3];
	size_t n_events = catalog_nearest(name, strlen(name), events, ARRAY_LEN(events));
	size_t n_apis = api_map_nearest(name, strlen(name), apis, ARRAY_LEN(apis));
	struct strbuf near = { 0 };

	for (size_t i = 0; i < n_events; i++)
		strbuf_addf(&near, "%s%s", near.n ? ", " : "", events[i]->name);
	for (size_t i = 0; i < n_apis; i++)
		if (!catalog_find_str(apis[i]))
			strbuf_addf(&near, "%s%s", near.n ? ", " : "", apis[i]);
	struct err *err = err_create(
	    ERR_NOT_FOUND, "no event, measured call, theme or category is called \"%s\"", name);

	if (near.n)
		err = err_with_hint(err, "near to it: %s", strbuf_str(&near));
	else
		err = err_with_hint(err, "\"auditview events\" lists all events");
	strbuf_fini(&near);
	return err;
}

/* Make headings bold: every line that is not indented. */
static void embolden(struct strbuf *to, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		bool is_heading = n > 0 && *text != ' ';

		strbuf_adds(to, is_heading ? "\x1b[1m" : "");
		strbuf_add(to, text, n);
		strbuf_adds(to, is_heading ? "\x1b[0m\n" : "\n");
		text += n + (text[n] == '\n');
	}
}

struct err *cmd_explain(const struct options *o, int *ret)
{
	struct strbuf page = { 0 }, styled = { 0 };
	const char *name = o->args[0];
	unsigned width = wrap_width(STDOUT_FILENO);
	int minor = 0;
	struct err *err = catalog_words_minor(o->python, &minor);

	if (err)
		return err;
	if (o->json) {
		const struct catalog_event *e = catalog_find_str(name);

		return e ? catalog_words_json(&e, 1, minor) : unknown(name);
	}
	if (!explain_name(&page, name, strlen(name), minor, width < WIDTH_MAX ? width : WIDTH_MAX))
		err = unknown(name);
	else if (options_want_color(o, STDOUT_FILENO))
		embolden(&styled, strbuf_str(&page));
	if (!err && (page.failed || styled.failed))
		err = err_no_memory();
	if (!err)
		err = styled.n ? wrap_page(styled.s, styled.n)
			       : wrap_page(strbuf_str(&page), page.n);
	strbuf_fini(&page);
	strbuf_fini(&styled);
	*ret = 0;
	return err;
}
