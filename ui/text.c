/*
 * text: see text.h.
 */
#include "ui/text.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"

size_t text_spell(char to[16], const char *s, uint32_t cp)
{
	static const char short_names[] = "abtnvfr"; /* 7 … 13 */
	int n;
	if (cp == UTF8_BAD)
		n = snprintf(to, 16, "\\x%02x", (unsigned char)*s);
	else if (cp >= 7 && cp <= 13)
		n = snprintf(to, 16, "\\%c", short_names[cp - 7]);
	else if (cp < 0x100)
		n = snprintf(to, 16, "\\x%02x", cp);
	else if (cp < 0x10000)
		n = snprintf(to, 16, "\\u%04x", cp);
	else
		n = snprintf(to, 16, "\\U%08x", cp);
	return (size_t)n;
}

static int width_of(const char *s, size_t n, size_t *ret_bytes)
{
	if ((unsigned char)*s >= 0x20 && (unsigned char)*s < 0x7f) {
		*ret_bytes = 1;
		return 1;
	}
	uint32_t cp = utf8_decode(s, n, ret_bytes);
	int width = utf8_width(cp);
	char spelt[16];
	return width >= 0 ? width : (int)text_spell(spelt, s, cp);
}

int text_width(const char *text, size_t n_bytes)
{
	int width = 0;
	size_t n;
	for (size_t i = 0; i < n_bytes; i += n)
		width += width_of(text + i, n_bytes - i, &n);
	return width;
}

size_t text_head(const char *text, size_t n_bytes, int limit)
{
	int width = 0;
	size_t i = 0, n;
	for (; i < n_bytes; i += n) {
		width += width_of(text + i, n_bytes - i, &n);
		if (width > limit)
			break;
	}
	return i;
}

size_t text_break(const char *text, size_t n_bytes, int limit)
{
	size_t fits = text_head(text, n_bytes, limit > 10 ? limit : 10), at = fits;
	if (fits == n_bytes)
		return n_bytes;
	while (at > 0 && text[at] != ' ')
		at--;
	return at ? at : fits ? fits : n_bytes;
}

/* Bytes to skip so that the rest is at most `limit` cells wide. */
static size_t tail_of(const char *text, size_t n_bytes, int limit)
{
	int width = text_width(text, n_bytes);
	size_t i = 0, n;
	while (i < n_bytes && width > limit) {
		width -= width_of(text + i, n_bytes - i, &n);
		i += n;
	}
	return i;
}

bool text_is_path(const char *text)
{
	return strchr(text, '/') && !strchr(text, ' ') && !strstr(text, "://");
}

void text_cut(struct strbuf *to, const char *text, size_t n_bytes, int limit, bool middle)
{
	if (limit <= 0)
		return;
	if (text_width(text, n_bytes) <= limit) {
		strbuf_add(to, text, n_bytes);
		return;
	}
	if (!middle || limit < 8) {
		strbuf_add(to, text, text_head(text, n_bytes, limit - 1));
		strbuf_adds(to, "…");
		return;
	}
	/* The tail is the file name if that leaves room for a head of 3 cells; else it is the end
	 * of the text, up to half of the cells. */
	size_t name = n_bytes > 2 ? n_bytes - 2 : 0; /* not the slash of "/srv/" itself */
	while (name > 0 && text[name - 1] != '/')
		name--;
	if (name > 0)
		name--; /* keep the slash */
	int tail = text_width(text + name, n_bytes - name);
	if (name == 0 || tail > limit - 4)
		tail = (limit - 1) / 2;
	size_t from = tail_of(text, n_bytes, tail);
	int head = limit - 1 - text_width(text + from, n_bytes - from);
	size_t head_bytes = text_head(text, n_bytes, head);
	/* Prefer to end the head at a slash: "/srv/…/001.sql". */
	for (size_t i = head_bytes; i > 1; i--)
		if (text[i - 1] == '/') {
			head_bytes = i;
			break;
		}
	strbuf_add(to, text, head_bytes);
	strbuf_adds(to, "…");
	strbuf_add(to, text + from, n_bytes - from);
}
