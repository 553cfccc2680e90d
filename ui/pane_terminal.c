/*
 * pane_terminal: the terminal of the program that was launched here: libvterm between its pty and
 * the canvas.
 *
 * While the pane has the focus, every key but Ctrl-] goes to the program (app_terminal.h has the
 * keys after it). Output is read even while the pane is not shown, so the program never waits for
 * us. Colours are the program's own.
 */
#include "ui/pane_terminal.h"

#include <stdlib.h>
#include <string.h>

#include <vterm.h>

#include "base/tr.h"
#include "base/utf8.h"
#include "ui/area.h"
#include "ui/input.h"
#include "ui/pane_host.h"
#include "ui/program_pty.h"

struct terminal_pane {
	struct pane pane;
	VTerm *vt;
	VTermScreen *screen;
	int lines, columns;
};

static void send_bytes(const char *s, size_t n, void *user)
{
	program_pty_send(user, s, n);
}

static struct err *open_terminal(const struct pane_host *host, struct pane **ret)
{
	struct terminal_pane *t = calloc(1, sizeof(*t));
	if (!t)
		return err_no_memory();
	t->lines = 24;
	t->columns = 80;
	t->vt = vterm_new(t->lines, t->columns);
	if (!t->vt) {
		free(t);
		return err_no_memory();
	}
	vterm_set_utf8(t->vt, 1);
	vterm_output_set_callback(t->vt, send_bytes, &t->pane);
	t->screen = vterm_obtain_screen(t->vt);
	vterm_screen_enable_altscreen(t->screen, 1);
	vterm_screen_reset(t->screen, 1);
	*ret = &t->pane;
	return NULL;
}

static void close_terminal(struct pane *p)
{
	struct terminal_pane *t = (struct terminal_pane *)p;
	vterm_free(t->vt);
	free(t);
}

static void update_terminal(struct pane *p, unsigned changes)
{
	struct terminal_pane *t = (struct terminal_pane *)p;
	if (!(changes & CHANGE_SIZE) || !p->visible || p->n_lines < 1 ||
	    (t->lines == p->n_lines && t->columns == p->n_columns))
		return;
	t->lines = p->n_lines;
	t->columns = p->n_columns;
	vterm_set_size(t->vt, t->lines, t->columns);
	program_pty_resize(p, t->lines, t->columns);
}

bool pane_terminal_read(struct pane *p, int fd)
{
	struct terminal_pane *t = (struct terminal_pane *)p;
	char buf[16384];
	size_t n;
	bool is_open = program_pty_read(fd, buf, sizeof(buf), &n);
	if (t && n)
		vterm_input_write(t->vt, buf, n);
	return is_open;
}

/* The nearest of xterm's 256 colours: a cube of 6 × 6 × 6 from 16 on. */
static int cube_index(uint8_t r, uint8_t g, uint8_t b)
{
	const uint8_t v[] = { r, g, b };
	int index = 0;
	for (int i = 0; i < 3; i++) {
		/* the steps are 0, 95, 135, … 255 */
		int step = v[i] < 48 ? 0 : v[i] < 115 ? 1 : (v[i] - 35) / 40;
		index = index * 6 + (step > 5 ? 5 : step);
	}
	return 16 + index;
}

static uint16_t ink_of(const VTermColor *c, bool is_background)
{
	if (is_background ? VTERM_COLOR_IS_DEFAULT_BG(c) : VTERM_COLOR_IS_DEFAULT_FG(c))
		return 0;
	if (VTERM_COLOR_IS_INDEXED(c))
		return (uint16_t)(c->indexed.idx + 1);
	return (uint16_t)(cube_index(c->rgb.red, c->rgb.green, c->rgb.blue) + 1);
}

static void draw_terminal(const struct pane *p, struct area a)
{
	const struct terminal_pane *t = (const struct terminal_pane *)p;
	for (int y = 0; y < a.n_lines && y < t->lines; y++)
		for (int x = 0; x < a.n_columns && x < t->columns;) {
			VTermScreenCell cell;
			VTermPos at = { .row = y, .col = x };
			if (!vterm_screen_get_cell(t->screen, at, &cell))
				break;
			struct strbuf b = { 0 };
			for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i] &&
					cell.chars[i] != UINT32_MAX;
			     i++)
				strbuf_add_utf8(&b, cell.chars[i]);
			int width = cell.width > 0 ? cell.width : 1;
			if (b.n)
				area_put_n(a, y, x, width, ROLE_TEXT, b.s, b.n);
			unsigned flags = (cell.attrs.bold ? CELL_BOLD : 0) |
					 (cell.attrs.underline ? CELL_UNDERLINE : 0) |
					 (cell.attrs.reverse ? CELL_REVERSE : 0);
			if (flags)
				area_mark(a, y, x, width, flags, ROLE_COUNT);
			area_ink(a, y, x, width, ink_of(&cell.fg, false), ink_of(&cell.bg, true));
			strbuf_fini(&b);
			x += width;
		}
	VTermPos cursor;
	vterm_state_get_cursorpos(vterm_obtain_state(t->vt), &cursor);
	if (pane_has_focus(p) && cursor.row < a.n_lines && cursor.col < a.n_columns &&
	    p->host->view->terminal_fd >= 0) {
		a.canvas->cursor_line = a.line + cursor.row;
		a.canvas->cursor_column = a.column + cursor.col;
	}
}

static bool key_terminal(struct pane *p, int key)
{
	static const struct {
		int key;
		VTermKey vterm;
	} keys[] = {
		{ KEY_UP_, VTERM_KEY_UP },          { KEY_DOWN_, VTERM_KEY_DOWN },
		{ KEY_LEFT_, VTERM_KEY_LEFT },      { KEY_RIGHT_, VTERM_KEY_RIGHT },
		{ KEY_PGUP_, VTERM_KEY_PAGEUP },    { KEY_PGDN_, VTERM_KEY_PAGEDOWN },
		{ KEY_HOME_, VTERM_KEY_HOME },      { KEY_END_, VTERM_KEY_END },
		{ KEY_BKSP_, VTERM_KEY_BACKSPACE }, { KEY_DEL_, VTERM_KEY_DEL },
		{ KEY_INS_, VTERM_KEY_INS },        { KEY_TAB_, VTERM_KEY_TAB },
		{ KEY_ENTER_, VTERM_KEY_ENTER },    { KEY_ESC_, VTERM_KEY_ESCAPE },
	};
	struct terminal_pane *t = (struct terminal_pane *)p;
	if (key == KEY_CTRL(']') || p->host->view->terminal_fd < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].key == key) {
			vterm_keyboard_key(t->vt, keys[i].vterm, VTERM_MOD_NONE);
			return true;
		}
	if (key >= KEY_F1_ && key <= KEY_F12_)
		vterm_keyboard_key(t->vt, (VTermKey)VTERM_KEY_FUNCTION(key - KEY_F1_ + 1),
				   VTERM_MOD_NONE);
	else if (key == KEY_STAB_)
		vterm_keyboard_key(t->vt, VTERM_KEY_TAB, VTERM_MOD_SHIFT);
	else if (key > 0 && key < 32) /* the byte itself: libvterm knows only Ctrl with a letter */
		program_pty_send(p, (char[]){ (char)key }, 1);
	else if (key < KEY_SPECIAL)
		vterm_keyboard_unichar(t->vt, (uint32_t)key, VTERM_MOD_NONE);
	return true;
}

static bool act_terminal(struct pane *p, enum action action, uint64_t count, const char *text)
{
	if (action != ACTION_TERMINAL_KEY)
		return false;
	program_pty_send(p, (char[]){ KEY_CTRL(']') }, 1);
	return true;
}

static void title_terminal(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct terminal_pane *t = (const struct terminal_pane *)p;
	strbuf_addf(facts, "%d×%d · ", t->columns, t->lines);
	program_pty_title(p, tr("keys go to the program, Ctrl-] leaves"), subject, facts);
}

const struct pane_ops pane_terminal_ops = {
	.open = open_terminal,
	.close = close_terminal,
	.update = update_terminal,
	.draw = draw_terminal,
	.act = act_terminal,
	.title = title_terminal,
	.key = key_terminal,
};
