/*
 * pane_bytes: one value, byte by byte; if the capture has only a part of it, a line at the end of
 * the part says so.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "base/utf8.h"
#include "ui/area.h"
#include "ui/pane_arguments.h"
#include "ui/pane_host.h"

struct bytes {
	struct pane pane;
	char *name, *data;
	size_t n;
	uint64_t full;
	uint64_t seq;
};

static struct err *open_bytes(const struct pane_host *host, struct pane **ret)
{
	struct bytes *b = calloc(1, sizeof(*b));
	if (!b)
		return err_no_memory();
	b->seq = SELECTION_NONE;
	*ret = &b->pane;
	return NULL;
}

static void close_bytes(struct pane *p)
{
	struct bytes *b = (struct bytes *)p;
	free(b->name);
	free(b->data);
	free(b);
}

static int per_line(const struct pane *p)
{
	return p->n_columns >= 144 ? 32 : p->n_columns >= 78 ? 16 : 8;
}

static void take(struct bytes *b)
{
	struct raw_value raw;
	struct pane *args = host_pane(b->pane.host, PANE_ARGUMENTS);
	free(b->name);
	free(b->data);
	b->name = b->data = NULL;
	b->n = 0;
	b->full = 0;
	if (args)
		args->ops->update(args, CHANGE_CURSOR);
	if (!args || !pane_arguments_raw(args, &raw))
		return;
	b->name = strdup(raw.name ? raw.name : "");
	b->data = malloc(raw.n_bytes);
	if (!b->data)
		return;
	memcpy(b->data, raw.bytes, raw.n_bytes);
	b->n = raw.n_bytes;
	b->full = raw.full;
}

static void update_bytes(struct pane *p, unsigned changes)
{
	struct bytes *b = (struct bytes *)p;
	if (changes == CHANGE_ALL || (changes & CHANGE_CURSOR && b->seq != p->host->cursor_seq)) {
		b->seq = p->host->cursor_seq;
		take(b);
	}
	uint64_t lines = (b->n + (unsigned)per_line(p) - 1) / (unsigned)per_line(p) +
			 (b->full > b->n ? 2 : 0);
	list_set(&p->list, lines, p->n_lines - 1);
}

static void draw_bytes(const struct pane *p, struct area a)
{
	const struct bytes *b = (const struct bytes *)p;
	int width = per_line(p);
	if (!b->n) {
		area_put(a, 1, 2, -1, ROLE_TEXT, tr("no str or bytes here"));
		area_put(a, 2, 2, -1, ROLE_DIM,
			 tr("Tab to the arguments and choose a value, then x"));
		return;
	}
	size_t data_lines = (b->n + (size_t)width - 1) / (size_t)width;
	for (int y = 0; y < p->list.n_lines && p->list.top + (uint64_t)y < p->list.n; y++) {
		uint64_t line = p->list.top + (uint64_t)y;
		if (line >= data_lines) {
			if (line == data_lines) {
				area_put(a, y, 2, -1, ROLE_DIM, "…");
			} else {
				struct strbuf t = { 0 };
				strbuf_addf(&t, "%06zx  ", b->n);
				strbuf_adds(&t, tr("not in the capture: "));
				strbuf_add_count(&t, b->full - b->n);
				strbuf_adds(&t, tr(" more were cut here"));
				area_put_cut(a, y, 2, -1, ROLE_TEXT, strbuf_str(&t));
				strbuf_fini(&t);
			}
		} else {
			size_t at = (size_t)line * (size_t)width;
			area_printf(a, y, 2, 8, ROLE_DIM, "%06zx", at);
			int text_x = 10 + width * 3 + width / 8;
			for (int i = 0; i < width && at + (size_t)i < b->n; i++) {
				unsigned char c = (unsigned char)b->data[at + (size_t)i];
				area_printf(a, y, 10 + i * 3 + i / 8, 2, ROLE_TEXT, "%02x", c);
				char sign[2] = { (char)c, 0 };
				bool plain = c >= 0x20 && c < 0x7f;
				area_put(a, y, text_x + i, 1, plain ? ROLE_TEXT : ROLE_DIM,
					 plain ? sign : "·");
			}
		}
		search_mark(p->host->search, a, y);
		if (line == p->list.cursor) {
			area_put(a, y, 0, 1, ROLE_FOCUS, "▌");
			area_bar(a, y);
		}
	}
	size_t at = (size_t)p->list.cursor * (size_t)width;
	if (at < b->n) {
		/* the bytes at the cursor as little-endian numbers */
		unsigned char raw[8] = { 0 };
		size_t left = b->n - at < 8 ? b->n - at : 8;
		memcpy(raw, b->data + at, left);
		int16_t i16;
		uint32_t u32;
		double f64;
		memcpy(&i16, raw, 2);
		memcpy(&u32, raw, 4);
		memcpy(&f64, raw, 8);
		area_printf(a, a.n_lines - 1, 1, -1, ROLE_DIM,
			    "0x%zx  u8 %u  i16 %d  u32 %u  f64 %.3g", at, raw[0], i16, u32, f64);
	}
}

/* Convert "5a 04" to bytes; returns false if the text is not of that form. */
static bool hex_parse(const char *text, unsigned char *to, size_t *ret_n)
{
	size_t n = 0;
	while (*text && n < 64) {
		if (utf8_hex_digit(text[0]) < 0 || utf8_hex_digit(text[1]) < 0 ||
		    (text[2] && text[2] != ' '))
			return false;
		unsigned v;
		sscanf(text, "%2x", &v);
		to[n++] = (unsigned char)v;
		text += 2;
		text += *text == ' ';
	}
	*ret_n = n;
	return n > 0;
}

static bool act_bytes(struct pane *p, enum action action, uint64_t count, const char *text)
{
	struct bytes *b = (struct bytes *)p;
	if (list_act(&p->list, action, count))
		return true;
	switch ((int)action) {
	case ACTION_OPEN: host_close_pages(p->host, PAGE_ON_TOP); return true;
	case ACTION_HIT_NEXT:
	case ACTION_HIT_PREV: {
		unsigned char wanted[64];
		size_t n;
		const char *pattern = p->host->search->text;
		if (!pattern || !b->n)
			return false;
		if (!hex_parse(pattern, wanted, &n)) {
			n = strlen(pattern) < sizeof(wanted) ? strlen(pattern) : sizeof(wanted);
			memcpy(wanted, pattern, n);
		}
		size_t from = ((size_t)p->list.cursor + 1) * (size_t)per_line(p);
		const char *found = from < b->n ? memmem(b->data + from, b->n - from, wanted, n)
						: NULL;
		if (!found)
			found = memmem(b->data, b->n, wanted, n);
		if (found)
			list_go(&p->list, (uint64_t)(found - b->data) / (unsigned)per_line(p));
		else
			host_flash(p->host, "no such bytes here");
		return true;
	}
	case ACTION_COPY: host_copy(p->host, b->data ? b->data : "", b->n); return true;
	case ACTION_WRITE: {
		if (!text) {
			host_act(p->host, ACTION_COMMAND, 0, "write ");
			return true;
		}
		int fd = open(text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
		if (!f || fwrite(b->data ? b->data : "", 1, b->n, f) != b->n)
			host_flash(p->host, "cannot write %s: it exists, or its folder does not",
				   text);
		else
			host_flash(p->host,
				   b->n == 1 ? "%zu byte written to %s" : "%zu bytes written to %s",
				   b->n, text);
		if (f)
			fclose(f);
		return true;
	}
	default: return false;
	}
}

static void title_bytes(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct bytes *b = (const struct bytes *)p;
	strbuf_adds(subject, b->name ? b->name : "");
	strbuf_add_count(facts, b->n);
	if (b->full > b->n) {
		strbuf_adds(facts, tr(" of "));
		strbuf_add_count(facts, b->full);
	}
	strbuf_addf(facts, " · 0x%llx", (unsigned long long)p->list.cursor * (unsigned)per_line(p));
}

static void line_bytes(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct bytes *b = (const struct bytes *)p;
	size_t at = (size_t)entry * (size_t)per_line(p);
	for (size_t i = at; i < b->n && i < at + (size_t)per_line(p); i++)
		strbuf_addf(to, "%02x ", (unsigned char)b->data[i]);
	for (size_t i = at; i < b->n && i < at + (size_t)per_line(p); i++)
		strbuf_addc(to, b->data[i] >= 0x20 && b->data[i] < 0x7f ? b->data[i] : '.');
}

const struct pane_ops pane_bytes_ops = {
	.open = open_bytes,
	.close = close_bytes,
	.update = update_bytes,
	.draw = draw_bytes,
	.act = act_bytes,
	.title = title_bytes,
	.line = line_bytes,
};
