/*
 * pane_messages: everything that was said, newest first, with the place it speaks of.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ui/ui.h"

struct messages {
	struct pane pane;
	VEC(uint32_t) lines; /* message × 64 + line of it */
};

static struct err *open_messages(struct ui *ui, struct pane **ret)
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

static unsigned n_lines_of(const char *text)
{
	unsigned n = 1;
	for (; *text; text++)
		n += *text == '\n';
	return n < 63 ? n : 63;
}

static void update_messages(struct pane *p, unsigned changes)
{
	struct messages *m = (struct messages *)p;
	m->lines.n = 0;
	for (size_t i = p->ui->messages.n; i > 0; i--)
		for (unsigned k = 0; k < n_lines_of(p->ui->messages.v[i - 1].text); k++)
			if (!vec_push(&m->lines, (uint32_t)(i - 1) * 64 + k))
				break;
	list_set(&p->list, m->lines.n, p->n_lines);
}

static const char *line_of(const char *text, unsigned line, size_t *ret_n)
{
	while (line-- > 0 && *text) {
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	*ret_n = strcspn(text, "\n");
	return text;
}

static void draw_messages(const struct pane *p, struct area a)
{
	const struct messages *m = (const struct messages *)p;
	if (!m->lines.n) {
		area_put(a, 1, 2, -1, ROLE_TEXT, "nothing was said yet");
		area_put(a, 2, 2, -1, ROLE_DIM, "losses, ends and failures are kept here");
	}
	for (int y = 0; y < a.n_lines && p->list.top + (uint64_t)y < m->lines.n; y++) {
		uint32_t at = m->lines.v[p->list.top + (uint64_t)y];
		const struct message *msg = &p->ui->messages.v[at / 64];
		if (at % 64 == 0) {
			time_t t = (time_t)(msg->wall_ns / 1000000000u);
			struct tm tm;
			localtime_r(&t, &tm);
			area_printf(a, y, 2, -1, ROLE_DIM, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
			area_put_cut(a, y, 12, 10, msg->is_trouble ? ROLE_TROUBLE : ROLE_TEXT, msg->kind);
		}
		size_t n;
		const char *text = line_of(msg->text, at % 64, &n);
		area_put_n(a, y, at % 64 ? 12 : 23, -1, at % 64 ? ROLE_DIM : ROLE_TEXT, text, n);
		search_mark(&p->ui->search, a, y);
		if (p->list.top + (uint64_t)y == p->list.cursor) {
			area_put(a, y, 0, 1, ROLE_FOCUS, "▌");
			area_bar(a, y);
		}
	}
}

static const struct message *current(const struct pane *p)
{
	const struct messages *m = (const struct messages *)p;
	return p->list.cursor < m->lines.n ? &p->ui->messages.v[m->lines.v[p->list.cursor] / 64] : NULL;
}

static bool act_messages(struct pane *p, enum action action, uint64_t count, const char *text)
{
	const struct message *msg = current(p);
	if (list_act(&p->list, action, count))
		return true;
	if (action == ACTION_OPEN) {
		if (msg && msg->seq != SELECTION_NONE && p->ui->s) {
			uint64_t seq = msg->seq;
			ui_close_all_pages(p->ui);
			ui_goto(p->ui, seq);
		}
		return true;
	}
	if (action == ACTION_COPY && msg) {
		ui_copy(p->ui, msg->text, strlen(msg->text));
		return true;
	}
	return false;
}

static void title_messages(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	(void)subject;
	strbuf_addf(facts, "%zu · newest first", p->ui->messages.n);
}

static void line_messages(const struct pane *p, uint64_t entry, struct strbuf *to)
{
	const struct messages *m = (const struct messages *)p;
	if (entry >= m->lines.n)
		return;
	size_t n;
	const char *text = line_of(p->ui->messages.v[m->lines.v[entry] / 64].text, m->lines.v[entry] % 64, &n);
	strbuf_add(to, text, n);
}

const struct pane_ops pane_messages_ops = {
	.open = open_messages, .close = close_messages, .update = update_messages, .draw = draw_messages,
	.act = act_messages, .title = title_messages, .line = line_messages,
};
