/*
 * pane_terminal: the terminal of the program that was launched here: libvterm between its pty and
 * the canvas.
 *
 * While the pane has the focus, every key but Ctrl-] goes to the program. Output is read even while
 * the pane is not shown, so the program never waits for us.
 */
#include "ui/pane_terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <vterm.h>

#include "base/utf8.h"
#include "ui/input.h"
#include "ui/pane_host.h"

struct terminal_pane {
	struct pane pane;
	VTerm *vt;
	VTermScreen *screen;
	int lines, columns;
};

static void send_bytes(const char *s, size_t n, void *user)
{
	struct terminal_pane *t = user;
	int fd = t->pane.host && t->pane.host->view ? t->pane.host->view->terminal_fd : -1;
	while (fd >= 0 && n > 0) {
		ssize_t done = write(fd, s, n);
		if (done <= 0)
			/* if the program does not read its input, it is lost, as on a real terminal
			 * with a full queue */
			return;
		s += done;
		n -= (size_t)done;
	}
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
	vterm_output_set_callback(t->vt, send_bytes, t);
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
	if (p->host->view && p->host->view->terminal_fd >= 0) {
		struct winsize size = { .ws_row = (unsigned short)t->lines,
					.ws_col = (unsigned short)t->columns };
		ioctl(p->host->view->terminal_fd, TIOCSWINSZ, &size);
	}
}

bool pane_terminal_read(struct pane *p, int fd)
{
	struct terminal_pane *t = (struct terminal_pane *)p;
	char buf[16384];
	ssize_t n = read(fd, buf, sizeof(buf));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) /* EIO: the last process that held the other end has closed it */
		return false;
	if (t)
		vterm_input_write(t->vt, buf, (size_t)n);
	return true;
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
	else if (key > 0 && key < 32)
		vterm_keyboard_unichar(t->vt, (uint32_t)key + 'a' - 1, VTERM_MOD_CTRL);
	else if (key < KEY_SPECIAL)
		vterm_keyboard_unichar(t->vt, (uint32_t)key, VTERM_MOD_NONE);
	return true;
}

static bool act_terminal(struct pane *p, enum action action, uint64_t count, const char *text)
{
	return false;
}

static void title_terminal(const struct pane *p, struct strbuf *subject, struct strbuf *facts)
{
	const struct terminal_pane *t = (const struct terminal_pane *)p;
	struct view *s = p->host->view;
	const struct process_info *process = view_process(s);
	if (process)
		text_program(subject, s->trace, process->name);
	strbuf_addf(facts, "%d×%d · ", t->columns, t->lines);
	strbuf_adds(facts, s->terminal_fd >= 0 ? "keys go to the program, Ctrl-] leaves"
					       : "the program has ended");
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
