/*
 * prompt: editing as in readline, history by the arrow keys, the completion box above.
 */
#include "ui/prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tr.h"
#include "base/utf8.h"
#include "ui/area.h"
#include "ui/event_text.h"
#include "ui/frame.h"
#include "ui/text.h"

static void choices_clear(struct prompt_choices *c)
{
	for (size_t i = 0; i < c->list.n; i++) {
		free(c->list.v[i].text);
		free(c->list.v[i].doc);
	}
	c->list.n = 0;
	c->from = c->to = 0;
	c->title[0] = 0;
}

void prompt_add_choice(struct prompt_choices *c, const char *text, size_t n_bytes, const char *doc,
		       bool is_dim)
{
	if (c->list.n >= PROMPT_CHOICES_MAX || !vec_reserve(&c->list, 1))
		return;
	char *copy = strndup(text, n_bytes);
	if (!copy)
		return;
	c->list.v[c->list.n++] = (struct prompt_choice){ copy, doc ? strdup(tr(doc)) : NULL,
							 is_dim };
}

/* Does the chosen completion continue the text at its end? Then the rest of it is shown as a
 * ghost. */
static bool has_ghost(const struct prompt *p)
{
	const struct prompt_choices *c = &p->choices;
	if (p->chosen < 0 || (size_t)p->chosen >= c->list.n || p->box_hidden ||
	    p->cursor != c->to || p->cursor != p->text.n)
		return false;
	size_t typed = c->to - c->from;
	return strlen(c->list.v[p->chosen].text) >= typed &&
	       !strncmp(c->list.v[p->chosen].text, strbuf_str(&p->text) + c->from, typed);
}

/* Append the text, with the ghost if there is one. */
static void with_choice(const struct prompt *p, struct strbuf *to)
{
	const struct prompt_choices *c = &p->choices;
	if (!has_ghost(p)) {
		strbuf_adds(to, strbuf_str(&p->text));
		return;
	}
	strbuf_add(to, p->text.s, c->from);
	strbuf_adds(to, c->list.v[p->chosen].text);
	strbuf_add(to, p->text.s + c->to, p->text.n - c->to);
}

/* Has one of the whole texts been chosen that are offered while nothing is typed? */
static bool takes_offer(const struct prompt *p)
{
	return p->ops->offers && !p->text.n && p->chosen >= 0 && has_ghost(p);
}

/* Is the text wrong only because a word in it is not complete yet, as the chosen completion
 * shows? */
static bool is_begun(struct prompt *p, const struct pane_host *host)
{
	p->ghost_is_wrong = false;
	if (!has_ghost(p) || p->choices.from == p->choices.to)
		return false;
	struct prompt_verdict verdict = { 0 };
	struct strbuf text = { 0 };
	with_choice(p, &text);
	p->ops->check(host, strbuf_str(&text), &verdict);
	/* after the completed word an operator or a value may still be missing */
	p->ghost_is_wrong = verdict.is_error;
	bool begun = !verdict.is_error || (verdict.at >= text.n && text.n > p->text.n);
	strbuf_fini(&text);
	return begun;
}

static void preview(struct prompt *p, const struct pane_host *host)
{
	if (!p->ops->preview)
		return;
	struct strbuf text = { 0 };
	if (takes_offer(p)) {
		with_choice(p, &text);
	} else if (!p->verdict.is_error) {
		strbuf_adds(&text, strbuf_str(&p->text));
		free(p->good);
		p->good = strdup(strbuf_str(&p->text));
	} else if (p->is_begun) {
		if (p->ghost_is_wrong) /* more must follow: what is shown stays */
			return;
		with_choice(p, &text);
	} else if (p->good) { /* the last correct text stays in use */
		strbuf_adds(&text, p->good);
	}
	p->ops->preview(host, strbuf_str(&text));
	strbuf_fini(&text);
}

static void changed(struct prompt *p, const struct pane_host *host)
{
	p->verdict = (struct prompt_verdict){ 0 };
	p->note = NULL;
	choices_clear(&p->choices);
	p->chosen = -1;
	p->first_choice = 0;
	p->box_hidden = false;
	if (p->ops->complete)
		p->ops->complete(host, strbuf_str(&p->text), p->cursor, &p->choices);
	if (p->choices.list.n && p->choices.from <= p->text.n && p->choices.to <= p->text.n)
		p->chosen = 0;
	else
		choices_clear(&p->choices);
	/* A single choice that is typed already is not offered. */
	if (p->choices.list.n == 1 &&
	    strlen(p->choices.list.v[0].text) == p->choices.to - p->choices.from &&
	    !strncmp(p->choices.list.v[0].text, strbuf_str(&p->text) + p->choices.from,
		     p->choices.to - p->choices.from)) {
		choices_clear(&p->choices);
		p->chosen = -1;
	}
	if (p->ops->check)
		p->ops->check(host, strbuf_str(&p->text), &p->verdict);
	/* The text is complete and no word is begun: the choices are hidden until Tab. */
	if (!p->verdict.is_error && p->choices.from == p->choices.to && p->text.n) {
		p->box_hidden = true;
		p->chosen = -1;
	}
	if (p->ops->offers && !p->text.n) /* Enter means the empty text until one is chosen */
		p->chosen = -1;
	p->is_begun = p->verdict.is_error && is_begun(p, host);
	preview(p, host);
	if (p->ops && p->ops->check && !p->verdict.is_error)
		p->ops->check(host, strbuf_str(&p->text), &p->verdict);
}

void prompt_recheck(struct prompt *p, const struct pane_host *host)
{
	if (p->ops && p->ops->check)
		p->ops->check(host, strbuf_str(&p->text), &p->verdict);
}

void prompt_open(struct prompt *p, const struct pane_host *host, const struct prompt_ops *ops,
		 const char *text)
{
	prompt_close(p);
	p->ops = ops;
	strbuf_clear(&p->text);
	strbuf_adds(&p->text, text ? text : "");
	p->cursor = p->text.n;
	p->history_at = ops->history >= 0 ? p->history[ops->history].n : 0;
	changed(p, host);
}

void prompt_close(struct prompt *p)
{
	p->ops = NULL;
	strbuf_clear(&p->text);
	p->cursor = 0;
	choices_clear(&p->choices);
	p->chosen = -1;
	free(p->typed);
	p->typed = NULL;
	free(p->good);
	p->good = NULL;
	p->verdict = (struct prompt_verdict){ 0 };
}

void prompt_fini(struct prompt *p)
{
	prompt_close(p);
	strbuf_fini(&p->text);
	vec_fini(&p->choices.list);
	for (int h = 0; h < PROMPT_HISTORIES; h++) {
		for (size_t i = 0; i < p->history[h].n; i++)
			free(p->history[h].v[i]);
		vec_fini(&p->history[h]);
	}
}

void prompt_remember(struct prompt *p, int history, const char *text)
{
	if (history < 0 || !*text)
		return;
	__auto_type h = &p->history[history];
	if (h->n && !strcmp(h->v[h->n - 1], text))
		return;
	char *copy = strdup(text);
	if (!copy || !vec_reserve(h, 1)) {
		free(copy);
		return;
	}
	if (h->n == PROMPT_HISTORY_MAX) {
		free(h->v[0]);
		memmove(h->v, h->v + 1, (h->n - 1) * sizeof(h->v[0]));
		h->n--;
	}
	h->v[h->n++] = copy;
}

static size_t char_before(const char *s, size_t at)
{
	while (at > 0 && ((unsigned char)s[--at] & 0xc0) == 0x80)
		;
	return at;
}

static size_t char_after(const char *s, size_t n, size_t at)
{
	size_t used = 0;
	if (at < n)
		utf8_decode(s + at, n - at, &used);
	return at + used;
}

static bool is_word(char c)
{
	return c == '_' || (unsigned char)c >= 0x80 || (c >= '0' && c <= '9') ||
	       (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t word_before(const char *s, size_t at)
{
	while (at > 0 && !is_word(s[at - 1]))
		at--;
	while (at > 0 && is_word(s[at - 1]))
		at--;
	return at;
}

static void erase(struct prompt *p, size_t from, size_t to)
{
	memmove(p->text.s + from, p->text.s + to, p->text.n - to);
	strbuf_cut(&p->text, p->text.n - (to - from));
	p->cursor = from;
}

static void insert(struct prompt *p, const char *s, size_t n)
{
	struct strbuf tail = { 0 };
	strbuf_add(&tail, strbuf_str(&p->text) + p->cursor, p->text.n - p->cursor);
	strbuf_cut(&p->text, p->cursor);
	strbuf_add(&p->text, s, n);
	strbuf_add(&p->text, strbuf_str(&tail), tail.n);
	p->cursor += n;
	strbuf_fini(&tail);
}

static void insert_key(struct prompt *p, int key)
{
	if (utf8_width((uint32_t)key) < 0 || p->text.n > 4000)
		return;
	struct strbuf b = { 0 };
	strbuf_add_utf8(&b, (uint32_t)key);
	insert(p, strbuf_str(&b), b.n);
	strbuf_fini(&b);
}

static void take_choice(struct prompt *p)
{
	const struct prompt_choices *c = &p->choices;
	if (p->chosen < 0 || (size_t)p->chosen >= c->list.n)
		return;
	char *text = strdup(c->list.v[p->chosen].text);
	if (!text)
		return;
	size_t from = c->from;
	erase(p, from, c->to);
	insert(p, text, strlen(text));
	free(text);
}

static void look_back(struct prompt *p, const struct pane_host *host, bool older)
{
	if (p->ops->history < 0) {
		p->note = tr("no earlier lines are kept here");
		return;
	}
	__auto_type h = &p->history[p->ops->history];
	if (older ? p->history_at == 0 : p->history_at >= h->n) {
		p->note = older ? tr("no earlier line") : tr("no later line");
		return;
	}
	if (p->history_at == h->n) {
		free(p->typed);
		p->typed = strdup(strbuf_str(&p->text));
	}
	p->history_at += older ? (size_t)-1 : 1;
	const char *text = p->history_at == h->n ? (p->typed ? p->typed : "") : h->v[p->history_at];
	strbuf_clear(&p->text);
	strbuf_adds(&p->text, text);
	p->cursor = p->text.n;
	size_t at = p->history_at;
	changed(p, host);
	p->history_at = at;
	p->box_hidden = true;
}

static void choose(struct prompt *p, const struct pane_host *host, int by)
{
	int n = (int)p->choices.list.n;
	p->chosen = p->chosen < 0 ? (by > 0 ? 0 : n - 1) : (p->chosen + by + n) % n;
	if (p->chosen < p->first_choice)
		p->first_choice = p->chosen;
	if (p->chosen >= p->first_choice + 8)
		p->first_choice = p->chosen - 7;
	p->ghost_is_wrong = false;
	preview(p, host);
}

/* The text was not accepted: show the reason at the text until it changes. */
static void refuse(struct prompt *p, const struct pane_host *host)
{
	const char *message = p->owner->take_message(host);
	if (!p->verdict.is_error) {
		p->verdict = (struct prompt_verdict){ .is_error = true,
						      .at = p->text.n,
						      .n_bytes = 1 };
		snprintf(p->verdict.message, sizeof(p->verdict.message), "%s",
			 message ? message : tr("nothing can be done with this text"));
	}
	p->is_begun = false;
	p->note = tr("not done");
}

static void accept(struct prompt *p, const struct pane_host *host)
{
	struct strbuf text = { 0 };
	if (p->is_begun || takes_offer(p))
		with_choice(p, &text); /* the text that the preview shows */
	else
		strbuf_adds(&text, strbuf_str(&p->text));
	const struct prompt_ops *ops = p->ops;
	p->owner->take_message(host);
	if (ops->accept(host, strbuf_str(&text))) {
		prompt_remember(p, ops->history, strbuf_str(&text));
		p->owner->keep(host, ops->history, strbuf_str(&text));
		if (p->ops == ops)
			prompt_close(p);
	} else if (p->ops == ops) {
		refuse(p, host);
	}
	strbuf_fini(&text);
}

/* Move the cursor, or erase at it. False: the key does neither. */
static bool edit(struct prompt *p, int key)
{
	const char *s = strbuf_str(&p->text);
	size_t n = p->text.n, at = p->cursor;
	switch (key) {
	case KEY_LEFT_:
	case KEY_CTRL('b'): p->cursor = char_before(s, at); return true;
	case KEY_RIGHT_:
	case KEY_CTRL('f'): p->cursor = char_after(s, n, at); return true;
	case KEY_HOME_:
	case KEY_CTRL('a'): p->cursor = 0; return true;
	case KEY_END_:
	case KEY_CTRL('e'): p->cursor = n; return true;
	case KEY_BKSP_:
		if (at > 0)
			erase(p, char_before(s, at), at);
		return true;
	case KEY_DEL_:
	case KEY_CTRL('d'):
		if (at < n)
			erase(p, at, char_after(s, n, at));
		return true;
	case KEY_CTRL('w'):
		if (at > 0)
			erase(p, word_before(s, at), at);
		return true;
	case KEY_CTRL('u'):
		if (at > 0)
			erase(p, 0, at);
		return true;
	case KEY_CTRL('k'):
		if (at < n)
			erase(p, at, n);
		return true;
	default: return false;
	}
}

static void leave(struct prompt *p, const struct pane_host *host)
{
	const struct prompt_ops *ops = p->ops;
	prompt_close(p);
	if (ops->cancel)
		ops->cancel(host);
}

void prompt_input(struct prompt *p, const struct pane_host *host, struct input in)
{
	if (!p->ops)
		return;
	size_t n = p->text.n;
	bool box = p->choices.list.n > 0 && !p->box_hidden;
	p->note = NULL;
	if (in.kind == INPUT_PASTE) {
		insert_key(p, in.key == '\n' || in.key == '\r' || in.key == '\t' ? ' ' : in.key);
		changed(p, host);
		return;
	}
	switch (in.key) {
	case KEY_ESC_:
	case KEY_CTRL('c'):
	case KEY_CTRL('g'): leave(p, host); return;
	case KEY_ENTER_: accept(p, host); return;
	case KEY_TAB_:
		if (!p->choices.list.n) {
			p->note = tr("nothing completes this");
			return;
		}
		if (p->box_hidden || p->chosen < 0) { /* show the choices first */
			p->box_hidden = false;
			p->chosen = -1;
			choose(p, host, 1);
			return;
		}
		take_choice(p);
		break;
	case KEY_DOWN_:
	case KEY_CTRL('n'):
		if (box &&
		    p->history_at >= (p->ops->history >= 0 ? p->history[p->ops->history].n : 0))
			choose(p, host, 1);
		else
			look_back(p, host, false);
		return;
	case KEY_STAB_:
		if (box)
			choose(p, host, -1);
		else
			p->note = tr("nothing to choose from; Tab opens the list");
		return;
	case KEY_UP_:
	case KEY_CTRL('p'):
		if (box && p->chosen > 0)
			choose(p, host, -1);
		else
			look_back(p, host, true);
		return;
	case KEY_RIGHT_:
	case KEY_CTRL('f'):
		if (p->cursor == n && box)
			take_choice(p);
		else
			edit(p, in.key);
		break;
	case KEY_BKSP_:
		if (n == 0) {
			leave(p, host);
			return;
		}
		edit(p, in.key);
		break;
	default:
		if (edit(p, in.key))
			break;
		if (in.key >= KEY_SPECIAL || in.key < 32) {
			p->note = tr("this key does nothing here; Esc leaves");
			return;
		}
		insert_key(p, in.key);
		break;
	}
	changed(p, host);
}

/* Return how many bytes of the text fit into `cells`, up to the end of a word if possible. */
static size_t wrap_at(const char *text, int cells)
{
	size_t n = text_head(text, strlen(text), cells), at = n;
	if (!text[n])
		return n;
	while (at > 0 && text[at] != ' ')
		at--;
	return at > n / 2 ? at : n;
}

/* Is there an error to show? There is none while a word is typed that a completion completes. */
static bool shows_error(const struct prompt *p)
{
	return p->ops && p->verdict.is_error && p->verdict.message[0] && !p->is_begun;
}

int prompt_n_lines(const struct prompt *p, int n_columns)
{
	if (!shows_error(p))
		return 1;
	return text_width(p->verdict.message, strlen(p->verdict.message)) > n_columns - 24 ? 4 : 3;
}

static void draw_choices(const struct prompt *p, struct area all, int bottom, int column)
{
	const struct prompt_choices *c = &p->choices;
	int n = (int)c->list.n, wide = text_width(c->title, strlen(c->title)) + 4, docs = 0;
	for (int i = 0; i < n; i++) {
		int w = text_width(c->list.v[i].text, strlen(c->list.v[i].text));
		int d = c->list.v[i].doc
			    ? text_width(c->list.v[i].doc, strlen(c->list.v[i].doc)) + 2
			    : 0;
		if (d > docs)
			docs = d;
		if (w > wide)
			wide = w;
	}
	int lines = n < 8 ? n : 8;
	if (lines > bottom - 3)
		lines = bottom - 3;
	if (lines < 1)
		return;
	/* the words come first: what is said of them is cut, or left out */
	enum { DOC_LEAST = 10 };
	int columns = wide + docs + 4;
	if (columns > all.n_columns) {
		docs = all.n_columns - wide - 4;
		if (docs < DOC_LEAST)
			docs = 0;
		columns = wide + docs + 4;
	}
	if (columns > all.n_columns)
		columns = all.n_columns;
	column--;
	if (column + columns > all.n_columns)
		column = all.n_columns - columns;
	if (column < 0)
		column = 0;
	int first = p->first_choice;
	if (p->chosen >= first + lines)
		first = p->chosen - lines + 1;
	struct area in = frame_draw_box(all, bottom - lines - 2, column, lines + 2, columns,
					c->title);
	for (int i = 0; i < lines && first + i < n; i++) {
		const struct prompt_choice *choice = &c->list.v[first + i];
		enum role role = choice->is_dim ? ROLE_DIM : ROLE_TEXT;
		area_put_cut(in, i, 1, in.n_columns - 1 - docs, role, choice->text);
		int doc_w = choice->doc ? text_width(choice->doc, strlen(choice->doc)) : 0;
		if (doc_w > docs - 2 && docs)
			area_put_cut(in, i, in.n_columns + 1 - docs, docs - 2, role, choice->doc);
		else if (doc_w && docs)
			area_put_right(in, i, in.n_columns - 1 - docs, docs, role, choice->doc);
		if (first + i == p->chosen) {
			area_put(in, i, 0, 1, ROLE_FOCUS, "▌");
			area_bar(in, i);
		}
	}
}

/* Draw the caret and the message below the text, over everything that is there. The message is
 * beside the caret if there is room for it, else in lines of its own. `skip` bytes of the text are
 * off the screen on the left. */
static void draw_error(const struct prompt *p, struct area last, int column, int room, size_t skip)
{
	const char *text = strbuf_str(&p->text), *message = p->verdict.message;
	size_t at = p->verdict.at < p->text.n ? p->verdict.at : p->text.n;
	size_t n = at + p->verdict.n_bytes <= p->text.n ? p->verdict.n_bytes : p->text.n - at;
	bool is_left = at < skip, is_right = false;
	int from = column, w = 1;
	if (!is_left) {
		from = column + text_width(text + skip, at - skip);
		w = text_width(text + at, n);
		is_right = from > column + room;
	}
	if (is_right)
		from = column + room;
	w = w < 1 || is_left || is_right ? 1 : w < 40 ? w : 40;
	if (last.n_lines < 3) { /* there is no room: the line itself shows the place */
		area_mark(last, 0, from, w, CELL_UNDERLINE, ROLE_COUNT);
		return;
	}
	area_put(last, 1, from, 1, ROLE_TEXT, is_left ? "<" : is_right ? ">" : "^");
	for (int k = 1; k < w && from + k < last.n_columns; k++)
		area_put(last, 1, from + k, 1, ROLE_TEXT, "~");
	const char *way_out = p->note ? tr("not applied: correct it, or Esc") : tr("Esc old");
	int width = text_width(message, strlen(message)), right = from + w + 1;
	if (right + width < last.n_columns) {
		area_put_cut(last, 1, right, last.n_columns - right - 1, ROLE_DIM, message);
	} else if (width + 1 < from) {
		area_put_cut(last, 1, from - width - 1, width, ROLE_DIM, message);
	} else { /* use lines of its own, broken between words */
		size_t n_first = wrap_at(message, last.n_columns - 2);
		area_put_n(last, 2, 1, last.n_columns - 2, ROLE_DIM, message, n_first);
		message += n_first + strspn(message + n_first, " ");
		int left = last.n_columns - 4 - text_width(way_out, strlen(way_out));
		if (last.n_lines > 3)
			area_put_cut(last, 3, 1, left, ROLE_DIM, message);
	}
	area_put_right(last, last.n_lines - 1, 0, last.n_columns - 1,
		       p->note ? ROLE_TROUBLE : ROLE_DIM, way_out);
}

void prompt_draw(const struct prompt *p, struct area all, struct area last)
{
	if (!p->ops)
		return;
	area_clear(last);
	const char *text = strbuf_str(&p->text);
	int column = 1 + area_put(last, 0, 1, -1, ROLE_FOCUS, tr(p->ops->label));
	int facts = !p->verdict.is_error
			? text_width(p->verdict.message, strlen(p->verdict.message))
			: 0;
	int room = last.n_columns - column - 2 - (facts ? facts + 1 : 0);
	if (room < 10)
		room = 10;
	/* Scroll so that the cursor is on the screen. */
	size_t skip = 0;
	while (text_width(text + skip, p->cursor - skip) >= room)
		skip = char_after(text, p->text.n, skip);
	int used = area_put_n(last, 0, column, room, ROLE_TEXT, text + skip, p->text.n - skip);
	int cursor = column + text_width(text + skip, p->cursor - skip);
	bool box = p->choices.list.n > 0 && !p->box_hidden;
	if (has_ghost(p) && !shows_error(p))
		area_put(last, 0, cursor, room - used, ROLE_DIM,
			 p->choices.list.v[p->chosen].text + (p->choices.to - p->choices.from));
	if (facts)
		area_put_right(last, 0, last.n_columns - facts - 1, facts, ROLE_DIM,
			       p->verdict.message);
	last.canvas->cursor_line = last.line;
	last.canvas->cursor_column = last.column + cursor;
	if (shows_error(p))
		draw_error(p, last, column, room, skip);
	else if (p->note)
		area_put_right(last, 0, last.n_columns / 2, last.n_columns - last.n_columns / 2 - 1,
			       ROLE_DIM, p->note);
	if (box) {
		int from = column;
		if (p->choices.from >= skip)
			from = column + text_width(text + skip, p->choices.from - skip);
		draw_choices(p, all, last.line - all.line, from);
	}
}
