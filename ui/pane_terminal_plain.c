/*
 * pane_terminal_plain: the terminal of the program that was launched here, in a build without
 * libvterm: its last lines as text. Control sequences are left out, so a program that draws a whole
 * screen cannot be read; one that asks for a line can be answered. The title says so.
 */
#include "ui/pane_terminal.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "ui/area.h"
#include "ui/input.h"
#include "ui/pane_host.h"
#include "ui/program_pty.h"

enum { TEXT_MAX = 1 << 16 };

/* Where in a control sequence the output is (ECMA-48: 5.4 control sequences, 5.6 strings). */
enum state { STATE_TEXT, STATE_ESCAPE, STATE_SEQUENCE, STATE_STRING };

struct plain {
	struct pane pane;
	struct strbuf text;
	enum state state;
	bool after_return; /* the next character begins the line anew, unless it ends it */
};

static struct err *open_plain(const struct pane_host *host, struct pane **ret)
{
	struct plain *t = calloc(1, sizeof(*t));
	if (!t)
		return err_no_memory();
	*ret = &t->pane;
	return NULL;
}

static void close_plain(struct pane *p)
{
	strbuf_fini(&((struct plain *)p)->text);
	free(p);
}

static void update_plain(struct pane *p, unsigned changes)
{
	if (changes & CHANGE_SIZE && p->visible && p->n_lines >= 1)
		program_pty_resize(p, p->n_lines, p->n_columns);
}

static size_t line_begin(const struct strbuf *b, size_t at)
{
	while (at > 0 && b->s[at - 1] != '\n')
		at--;
	return at;
}

static void take_text(struct plain *t, char c)
{
	struct strbuf *b = &t->text;
	if (c == '\r') {
		t->after_return = true;
		return;
	}
	if (t->after_return && c != '\n')
		strbuf_cut(b, line_begin(b, b->n));
	t->after_return = false;
	if (c == '\033') {
		t->state = STATE_ESCAPE;
	} else if (c == '\b') {
		size_t n = b->n;
		while (n > line_begin(b, b->n) && (b->s[n - 1] & 0xc0) == 0x80)
			n--;
		if (n > line_begin(b, b->n))
			strbuf_cut(b, n - 1);
	} else if (c == '\n' || c == '\t' || (unsigned char)c >= ' ') {
		strbuf_addc(b, c == '\t' ? ' ' : c);
	}
}

static void take(struct plain *t, char c)
{
	switch (t->state) {
	case STATE_TEXT: take_text(t, c); break;
	case STATE_ESCAPE:
		t->state = c == '['                           ? STATE_SEQUENCE
			   : c == ']' || c == 'P' || c == '_' ? STATE_STRING
							      : STATE_TEXT;
		break;
	case STATE_SEQUENCE:
		if (c >= '@' && c <= '~')
			t->state = STATE_TEXT;
		break;
	case STATE_STRING:
		if (c == '\a')
			t->state = STATE_TEXT;
		else if (c == '\033') /* ESC \ ends it */
			t->state = STATE_ESCAPE;
		break;
	}
}

bool pane_terminal_read(struct pane *p, int fd)
{
	struct plain *t = (struct plain *)p;
	char buf[16384];
	size_t n;
	bool is_open = program_pty_read(fd, buf, sizeof(buf), &n);
	for (size_t i = 0; t && i < n; i++)
		take(t, buf[i]);
	if (t && t->text.n > TEXT_MAX) { /* keep the newer half */
		struct strbuf newer = { 0 };
		strbuf_add(&newer, t->text.s + t->text.n / 2, t->text.n - t->text.n / 2);
		strbuf_fini(&t->text);
		t->text = newer;
	}
	return is_open;
}

static void draw_plain(const struct pane *p, struct area a)
{
	const struct plain *t = (const struct plain *)p;
	size_t end = t->text.n;
	int n = 1, width = 0;
	for (size_t at = end; at > 0 && n < a.n_lines; at--)
		n += t->text.s[at - 1] == '\n';
	for (int y = n - 1; y >= 0; y--) {
		struct strbuf line = { 0 };
		size_t from = line_begin(&t->text, end);
		utf8_escape(&line, strbuf_str(&t->text) + from, end - from, 0);
		int used = area_put_cut(a, y, 0, a.n_columns, ROLE_TEXT, strbuf_str(&line));
		width = y == n - 1 ? used : width;
		strbuf_fini(&line);
		if (!from)
			break;
		end = from - 1;
	}
	if (pane_has_focus(p) && p->host->view->terminal_fd >= 0 && n <= a.n_lines) {
		a.canvas->cursor_line = a.line + n - 1;
		a.canvas->cursor_column = a.column +
					  (width < a.n_columns ? width : a.n_columns - 1);
	}
}

static bool key_plain(struct pane *p, int key)
{
	static const struct {
		int key;
		const char *bytes; /* as xterm sends them */
	} keys[] = {
		{ KEY_UP_, "\033[A" },    { KEY_DOWN_, "\033[B" },  { KEY_RIGHT_, "\033[C" },
		{ KEY_LEFT_, "\033[D" },  { KEY_HOME_, "\033[H" },  { KEY_END_, "\033[F" },
		{ KEY_PGUP_, "\033[5~" }, { KEY_PGDN_, "\033[6~" }, { KEY_DEL_, "\033[3~" },
		{ KEY_INS_, "\033[2~" },  { KEY_BKSP_, "\177" },    { KEY_TAB_, "\t" },
		{ KEY_STAB_, "\033[Z" },  { KEY_ENTER_, "\r" },     { KEY_ESC_, "\033" },
	};
	if (key == KEY_CTRL(']') || p->host->view->terminal_fd < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].key == key) {
			program_pty_send(p, keys[i].bytes, strlen(keys[i].bytes));
			return true;
		}
	if (key > 0 && key < KEY_SPECIAL) {
		struct strbuf b = { 0 };
		strbuf_add_utf8(&b, (uint32_t)key);
		program_pty_send(p, strbuf_str(&b), b.n);
		strbuf_fini(&b);
	}
	return true;
}

static bool act_plain(struct pane *p, enum action action, uint64_t count, const char *text)
{
	if (action != ACTION_TERMINAL_KEY)
		return false;
	program_pty_send(p, (char[]){ KEY_CTRL(']') }, 1);
	return true;
}

static void title_plain(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	strbuf_adds(facts, "built without libvterm: text only · ");
	program_pty_title(p, "Ctrl-] leaves", subject, facts);
}

const struct pane_ops pane_terminal_ops = {
	.open = open_plain,
	.close = close_plain,
	.update = update_plain,
	.draw = draw_plain,
	.act = act_plain,
	.title = title_plain,
	.key = key_plain,
};
