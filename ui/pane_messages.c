/*
 * pane_messages: every message that was shown, newest first, with the event that it is about.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/tr.h"
#include "base/utf8.h"
#include "ui/area.h"
#include "ui/pane_host.h"
#include "ui/text.h"

enum { TIME_X = 2, KIND_X = 12, TEXT_X = 23 };

struct message_line {
	uint32_t message;
	uint32_t from, n; /* n bytes of the message's text from `from` on; from 0: its first line */
};

struct messages {
	struct pane pane;
	VEC(struct message_line) lines;
};

static struct err *open_messages(const struct pane_host *host, struct pane **ret)
{
	struct messages *m = calloc(1, sizeof(*m));
	if (!m)
		return err_no_memory();
	*ret = &m->pane;
	return NULL;
}

static void close_messages(struct pane *p)
{
	struct messages *m = (struct messages *)p;
	vec_fini(&m->lines);
	free(m);
}

static void update_messages(struct pane *p, unsigned changes)
{
	struct messages *m = (struct messages *)p;
	m->lines.n = 0;
	for (size_t i = p->host->messages->n; i > 0; i--) {
		const char *text = p->host->messages->v[i - 1].text;
		size_t at = 0;
		do { /* lines end at newlines, and where they get too long */
			size_t n = text_break(text + at, strcspn(text + at, "\n"),
					      p->n_columns - (at ? KIND_X : TEXT_X));
			struct message_line line = { (uint32_t)(i - 1), (uint32_t)at, (uint32_t)n };
			if (!vec_push(&m->lines, line))
				return;
			at += n;
			while (text[at] == ' ' || text[at] == '\n')
				at++;
		} while (text[at]);
	}
	list_set(&p->list, m->lines.n, p->n_lines);
}

static void draw_messages(const struct pane *p, struct area a)
{
	const struct messages *m = (const struct messages *)p;
	if (!m->lines.n) {
		area_put(a, 1, 2, -1, ROLE_TEXT, tr("there is no message yet"));
		area_put(a, 2, 2, -1, ROLE_DIM, tr("losses, ends and failures are kept here"));
	}
	for (int y = 0; y < a.n_lines && p->list.top + (uint64_t)y < m->lines.n; y++) {
		const struct message_line *l = &m->lines.v[p->list.top + (uint64_t)y];
		const struct message *msg = &p->host->messages->v[l->message];
		if (l->from == 0) {
			time_t t = (time_t)(msg->wall_ns / 1000000000u);
			struct tm tm;
			localtime_r(&t, &tm);
			area_printf(a, y, TIME_X, -1, ROLE_DIM, "%02d:%02d:%02d", tm.tm_hour,
				    tm.tm_min, tm.tm_sec);
			area_put_cut(a, y, KIND_X, 10, msg->is_trouble ? ROLE_TROUBLE : ROLE_TEXT,
				     msg->kind);
		}
		area_put_n(a, y, l->from ? KIND_X : TEXT_X, -1, l->from ? ROLE_DIM : ROLE_TEXT,
			   msg->text + l->from, l->n);
		search_mark(p->host->search, a, y);
		if (p->list.top + (uint64_t)y == p->list.cursor) {
			area_put(a, y, 0, 1, ROLE_FOCUS, "▌");
			area_bar(a, y);
		}
	}
}

static const struct message *current(const struct pane *p)
{
	const struct messages *m = (const struct messages *)p;
	return p->list.cursor < m->lines.n
		   ? &p->host->messages->v[m->lines.v[p->list.cursor].message]
		   : NULL;
}

static bool act_messages(struct pane *p, enum action action, uint64_t count, const char *text)
{
	const struct message *msg = current(p);
	if (list_act(&p->list, action, count))
		return true;
	if (action == ACTION_OPEN) {
		if (msg && msg->seq != SELECTION_NONE && p->host->view) {
			uint64_t seq = msg->seq;
			host_close_pages(p->host, ALL_PAGES);
			host_goto(p->host, seq);
		}
		return true;
	}
	if (action == ACTION_COPY && msg) {
		host_copy(p->host, msg->text, strlen(msg->text));
		return true;
	}
	return false;
}

static void title_messages(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	(void)subject;
	strbuf_addf(facts, tr("%zu · newest first"), p->host->messages->n);
}

static void line_messages(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct messages *m = (const struct messages *)p;
	if (entry >= m->lines.n)
		return;
	const struct message_line *l = &m->lines.v[entry];
	strbuf_add(to, p->host->messages->v[l->message].text + l->from, l->n);
}

const struct pane_ops pane_messages_ops = {
	.open = open_messages,
	.close = close_messages,
	.update = update_messages,
	.draw = draw_messages,
	.act = act_messages,
	.title = title_messages,
	.line = line_messages,
};
