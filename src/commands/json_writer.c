/*
 * json_writer: see json_writer.h.
 */
#include "commands/json_writer.h"

#include <inttypes.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "model/value_json.h"

static void begin(struct json_writer *p, const char *key)
{
	if (p->is_after)
		strbuf_addc(p->to, ',');
	if (p->depth)
		strbuf_addf(p->to, "\n%*s", (int)(2 * p->depth), "");
	if (key) {
		value_json_string(p->to, key, strlen(key));
		strbuf_adds(p->to, ": ");
	}
	p->is_after = true;
}

void json_writer_open(struct json_writer *p, const char *key, char bracket)
{
	begin(p, key);
	strbuf_addc(p->to, bracket);
	p->depth++;
	p->is_after = false;
}

void json_writer_close(struct json_writer *p, char bracket)
{
	p->depth--;
	if (p->is_after) /* else it is empty: [] */
		strbuf_addf(p->to, "\n%*s", (int)(2 * p->depth), "");
	strbuf_addc(p->to, bracket);
	p->is_after = true;
}

void json_writer_text(struct json_writer *p, const char *key, const char *text)
{
	size_t n = strlen(text);
	begin(p, key);
	if (utf8_is_valid(text, n)) {
		value_json_string(p->to, text, n);
		return;
	}
	struct strbuf escaped = { 0 };
	utf8_escape(&escaped, text, n, 0);
	p->to->failed |= escaped.failed;
	value_json_string(p->to, strbuf_str(&escaped), escaped.n);
	strbuf_fini(&escaped);
}

void json_writer_number(struct json_writer *p, const char *key, int64_t value)
{
	begin(p, key);
	strbuf_addf(p->to, "%" PRId64, value);
}

void json_writer_word(struct json_writer *p, const char *key, const char *word)
{
	begin(p, key);
	strbuf_adds(p->to, word);
}

void json_writer_texts(struct json_writer *p, const char *key, const char *const *list)
{
	json_writer_open(p, key, '[');
	for (; *list; list++)
		json_writer_text(p, NULL, *list);
	json_writer_close(p, ']');
}
