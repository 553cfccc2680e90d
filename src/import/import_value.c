/*
 * import_value: see import_value.h.
 */
#include "import/import_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void import_value_loss(struct import_losses *l, uint64_t line, const char *why)
{
	for (size_t i = 0; i < ARRAY_LEN(l->first) && i < l->n; i++)
		if (l->first[i].line == line && !strcmp(l->first[i].why, why))
			return;
	if (l->n < ARRAY_LEN(l->first)) {
		l->first[l->n].line = line;
		snprintf(l->first[l->n].why, sizeof(l->first[l->n].why), "%s", why);
	}
	l->n++;
}

void import_value_odd(struct import *im, const char *what)
{
	import_value_loss(&im->result->odd, im->line, what);
}

bool import_value_is_key(const struct strbuf *key, const char *name)
{
	return key->n == strlen(name) && !memcmp(key->s, name, key->n);
}

bool import_value_text(struct json *j, struct strbuf *to)
{
	json_read_space(j);
	if (j->p < j->end && *j->p == '"')
		return json_read_string(j, to);
	const char *from = j->p;
	strbuf_clear(to);
	if (!json_read_skip(j))
		return false;
	if ((*from >= '0' && *from <= '9') || *from == '-')
		strbuf_add(to, from, (size_t)(j->p - from));
	return true;
}

bool import_value_number(struct json *j, struct number *ret)
{
	struct strbuf text = { 0 };
	*ret = (struct number){ 0 };
	json_read_space(j);
	char c = j->p < j->end ? *j->p : 0;
	if (!import_value_text(j, &text)) {
		strbuf_fini(&text);
		return false;
	}
	if (text.n) {
		char *end;
		const char *s = strbuf_str(&text);
		snprintf(ret->text, sizeof(ret->text), "%s", s);
		errno = 0;
		ret->is_set = true;
		bool is_hex = s[0] == '0' && (s[1] | 32) == 'x';
		ret->u = strtoull(s, &end, is_hex ? 16 : 10);
		if (*end || errno || *s == '-' || *s == ' ' || *s == '+') {
			double d = strtod(s, &end);
			ret->is_odd = *end || !(d >= 0 && d < 18446744073709551616.0) ||
				      d != (double)(uint64_t)d;
			ret->u = ret->is_odd ? 0 : (uint64_t)d;
		}
	} else if (c == '[' || c == '{') {
		ret->is_odd = true;
	}
	strbuf_fini(&text);
	return true;
}

bool import_value_json_text(struct json *j, const char *begin, struct strbuf *to, struct json *ret)
{
	struct json after = *j;
	size_t n = strlen(begin);
	json_read_space(&after);
	/* quickly: the text of most values of other programs does not begin so */
	if (after.end - after.p < 2 || after.p[0] != '"' || after.p[1] != begin[0] ||
	    !json_read_string(&after, to) || to->n < n || memcmp(to->s, begin, n) != 0)
		return false;
	struct json text = { .start = to->s, .p = to->s, .end = to->s + to->n };
	if (!json_read_skip(&text) || text.p != text.end)
		return false;
	*ret = (struct json){ .start = to->s, .p = to->s, .end = to->s + to->n };
	*j = after;
	return true;
}

bool import_value_string_id(struct import *im, struct json *j, uint32_t *ret)
{
	if (!import_value_text(j, &im->text))
		return false;
	*ret = im->text.n ? writer_string(im->w, im->text.s, im->text.n) : 0;
	return true;
}
