/*
 * term_curses: canvas to terminal and terminal to input by ncursesw; the only file that includes
 * <curses.h>.
 *
 * When the terminal is opened, terminfo is asked for the strings that undo our modes. They are kept
 * as bytes, so the crash handler and the handlers of fatal signals need only write(2) and
 * tcsetattr(3).
 */
#include "ui/term.h"

#include <curses.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "base/monotonic.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "ui/terminfo_fallback.h"

enum { KEY_PASTE_BEGIN = KEY_MAX + 1, KEY_PASTE_END };
enum { LINES_MAX = 1000, COLUMNS_MAX = 2000 };
#define PASTE_PAUSE_NS 1000000000ull

struct terminal {
	SCREEN *screen;
	FILE *out;
	int n_lines, n_columns;
	int colors;
	struct input release; /* the release that belongs to a click; INPUT_NONE: none */
	uint64_t paste_ns;    /* of the last character of a paste */
	bool is_light, is_ascii, mouse, button_down, in_paste, size_changed, all_dirty, hung_up;
	const struct theme *theme;
	/* what the terminal shows: only lines that differ are passed to curses */
	struct canvas shown;
	short pairs[ROLE_COUNT][2];
	attr_t attrs[ROLE_COUNT][2]; /* [role][in the bar] */
};

/* Signal handlers read it, so it is complete before `armed` is set. */
static struct {
	volatile sig_atomic_t armed;
	struct termios saved;
	char bytes[256];
	size_t n_bytes;
} restore;

static void restore_terminal(void *unused)
{
	(void)unused;
	if (!restore.armed)
		return;
	restore.armed = 0;
	ssize_t done = write(STDOUT_FILENO, restore.bytes, restore.n_bytes);
	(void)done;
	tcsetattr(STDIN_FILENO, TCSANOW, &restore.saved);
}

static void on_fatal_signal(int sig)
{
	crash_handlers_run();
	restore_terminal(NULL);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* The last three are blocked and read from a signalfd. They are listed in case one arrives before
 * or after that: the handlers of ncurses end the program without a message. */
static const int fatal_signals[] = { SIGSEGV, SIGBUS, SIGFPE,  SIGILL, SIGABRT,
				     SIGQUIT, SIGINT, SIGTERM, SIGHUP };

/* The handlers run on a stack of their own, so that the terminal is restored even after a stack
 * overflow. */
static void catch_fatal_signals(void)
{
	static char spare[64 << 10] __attribute__((aligned(16)));
	stack_t stack = { .ss_sp = spare, .ss_size = sizeof(spare) };
	sigaltstack(&stack, NULL);
	struct sigaction act = { .sa_handler = on_fatal_signal, .sa_flags = SA_ONSTACK };
	for (size_t i = 0; i < ARRAY_LEN(fatal_signals); i++)
		sigaction(fatal_signals[i], &act, NULL);
}

/* Hold back what would end or stop us while the terminal is not as it was, and nothing would
 * restore it. */
static void hold_signals(sigset_t *ret_old)
{
	static const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP };
	sigset_t mask;
	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_LEN(ending); i++)
		sigaddset(&mask, ending[i]);
	sigprocmask(SIG_BLOCK, &mask, ret_old);
}

static void restore_add(const char *s)
{
	size_t n = s ? strlen(s) : 0;
	if (restore.n_bytes + n < sizeof(restore.bytes)) {
		memcpy(restore.bytes + restore.n_bytes, s ? s : "", n);
		restore.n_bytes += n;
	}
}

static void restore_prepare(bool has_escapes)
{
	restore.n_bytes = 0;
	if (has_escapes)
		restore_add("\033[?2004l\033[?1002l\033[?1000l\033[?1006l");
	static const char *const capabilities[] = { "sgr0", "rmkx", "rmcup", "cnorm" };
	for (size_t i = 0; i < ARRAY_LEN(capabilities); i++) {
		char *s = tigetstr(capabilities[i]);
		if (s && s != (char *)-1 && !strchr(s, '$')) /* a string with delays is left out */
			restore_add(s);
	}
	char *rmcup = tigetstr("rmcup");
	if (!rmcup || rmcup == (char *)-1)
		restore_add("\r\n");
}

static void write_all(const char *s, size_t n)
{
	while (n > 0) {
		ssize_t done = write(STDOUT_FILENO, s, n);
		if (done <= 0)
			return;
		s += done;
		n -= (size_t)done;
	}
}

static void say(const char *s)
{
	write_all(s, strlen(s));
}

/*
 * Ask for the background colour (OSC 11) and after it for the device attributes, which every
 * terminal answers. Once the second answer has arrived, no late answer can be mistaken for keys.
 * This takes ASK_MS at most, whatever arrives meanwhile. The caller holds signals back, because the
 * terminal is in raw mode.
 */
static bool ask_is_light(void)
{
	enum { ASK_MS = 200 };
	const char *fgbg = getenv("COLORFGBG"); /* rxvt, Konsole: "15;0" or "15;default;0" */
	if (fgbg) {
		const char *bg = strrchr(fgbg, ';');
		if (bg && bg[1])
			return atoi(bg + 1) == 7 || atoi(bg + 1) == 15;
	}
	const char *name = getenv("TERM");
	if (!name ||
	    (strncmp(name, "xterm", 5) && strncmp(name, "tmux", 4) && strncmp(name, "screen", 6) &&
	     strncmp(name, "rxvt", 4) && strncmp(name, "alacritty", 9) && strncmp(name, "foot", 4)))
		return false;
	struct termios old, raw_mode;
	if (tcgetattr(STDIN_FILENO, &old))
		return false;
	raw_mode = old;
	cfmakeraw(&raw_mode);
	raw_mode.c_oflag = old.c_oflag;
	raw_mode.c_cc[VMIN] = 0;
	raw_mode.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw_mode);
	say("\033]11;?\033\\\033[c");
	char got[256];
	size_t n = 0;
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t end = monotonic_ns() + ASK_MS * 1000000ull, now;
	while (n < sizeof(got) - 1 && (now = monotonic_ns()) < end &&
	       poll(&p, 1, (int)((end - now) / 1000000)) > 0) {
		ssize_t k = read(STDIN_FILENO, got + n, sizeof(got) - 1 - n);
		if (k <= 0)
			break;
		n += (size_t)k;
		got[n] = 0;
		char *answer = strstr(got, "\033[?");
		if (answer && strchr(answer, 'c'))
			break;
	}
	got[n] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &old);
	char *rgb = strstr(got, "rgb:");
	unsigned r, g, b;
	if (!rgb || sscanf(rgb, "rgb:%4x/%4x/%4x", &r, &g, &b) != 3)
		return false;
	return r * 299 + g * 587 + b * 114 > 0x8000 * 1000u;
}

static void begin_modes(struct terminal *t)
{
	define_key("\033[200~", KEY_PASTE_BEGIN);
	define_key("\033[201~", KEY_PASTE_END);
	fflush(t->out);
	say("\033[?2004h");
	if (t->mouse)
		say("\033[?1002h");
}

static void end_modes(void)
{
	fflush(stdout);
	say("\033[?2004l\033[?1002l\033[?1000l\033[?1006l");
}

/* Show the cursor. Some terminals keep with each of their two screens whether it was shown when
 * that screen was left (libvterm: savecursor()): so this is done on the first screen. */
static void show_cursor(struct terminal *t)
{
	char *cnorm = tigetstr("cnorm");
	fflush(t->out);
	if (cnorm && cnorm != (char *)-1 && !strchr(cnorm, '$'))
		say(cnorm);
}

void term_set_mouse(struct terminal *t, bool on)
{
	t->mouse = on;
	mousemask(on ? ALL_MOUSE_EVENTS | REPORT_MOUSE_POSITION : 0, NULL);
	mouseinterval(0);
	fflush(t->out);
	say(on ? "\033[?1002h" : "\033[?1002l");
}

/* <term.h> declares them (curs_terminfo(3)), but here that name finds ui/term.h. */
struct term;
int setupterm(const char *name, int fd, int *ret_found);
struct term *set_curterm(struct term *now);
int del_curterm(struct term *old);

static struct err *unknown_terminal(void)
{
	const char *name = getenv("TERM");
	struct err *err =
	    name && *name
		? err_create(ERR_UNSUPPORTED,
			     "cannot open the screen: terminal type \"%s\" is not known", name)
		: err_create(ERR_UNSUPPORTED, "cannot open the screen: TERM is not set");
	return err_with_hint(err, "set TERM to one that terminfo knows, such as xterm-256color; "
				  "record and print need none");
}

struct entry {
	bool is_set;
	char *kept; /* what TERMINFO was; NULL: not set */
};

/* Set up a terminal type that terminfo knows, or else our own table: TERMINFO then has its entry,
 * until end_entry(), which is called in any case. Returns whether the type is known; if so, the
 * caller calls del_curterm(), too. */
static bool begin_entry(struct entry *ret)
{
	int found = 0;
	*ret = (struct entry){ 0 };
	if (setupterm(NULL, STDOUT_FILENO, &found) != ERR)
		return true;
	const char *entry = terminfo_fallback_find(getenv("TERM")), *before = getenv("TERMINFO");
	if (!entry)
		return false;
	ret->kept = before ? strdup(before) : NULL;
	ret->is_set = true;
	setenv("TERMINFO", entry, 1);
	return setupterm(NULL, STDOUT_FILENO, &found) != ERR;
}

/* Programs that are started from here inherit the environment: it is as before. */
static void end_entry(struct entry *entry)
{
	if (!entry->is_set)
		return;
	if (entry->kept)
		setenv("TERMINFO", entry->kept, 1);
	else
		unsetenv("TERMINFO");
	free(entry->kept);
}

/* Any process that has the terminal open can give it a size of up to 65,535 × 65,535. ncurses
 * counts in 16 bits with a sign, and keeps each cell several times. Of a larger terminal only the
 * upper left corner is used. */
static bool get_size(int *ret_lines, int *ret_columns)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col)
		return false;
	*ret_lines = size.ws_row < LINES_MAX ? size.ws_row : LINES_MAX;
	*ret_columns = size.ws_col < COLUMNS_MAX ? size.ws_col : COLUMNS_MAX;
	return true;
}

static void set_number(const char *name, int value)
{
	char text[16];
	snprintf(text, sizeof(text), "%d", value);
	setenv(name, text, 1);
}

/* newterm(3) prefers COLUMNS and LINES to the size of the terminal (ncurses(3X), "Environment");
 * they are often left over from another terminal, so they get its size. They are set again
 * afterwards: programs that are started from here inherit them. */
static SCREEN *newterm_of_its_size(void)
{
	static const char *const names[] = { "COLUMNS", "LINES" };
	char *kept[ARRAY_LEN(names)] = { NULL };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = getenv(names[i]);
		kept[i] = value ? strdup(value) : NULL;
		unsetenv(names[i]);
	}
	int lines, columns;
	if (get_size(&lines, &columns)) {
		set_number("LINES", lines);
		set_number("COLUMNS", columns);
	}
	/* newterm(3) sets the type up by itself, from the same environment */
	struct entry entry;
	if (begin_entry(&entry))
		del_curterm(set_curterm(NULL));
	SCREEN *screen = newterm(NULL, stdout, stdin);
	end_entry(&entry);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (kept[i])
			setenv(names[i], kept[i], 1);
		else
			unsetenv(names[i]);
		free(kept[i]);
	}
	return screen;
}

struct err *term_check(void)
{
	struct entry entry;
	/* newterm(3) does the same, but if it fails it prints to standard error and exits, while
	 * setupterm() can return an error. */
	bool is_known = begin_entry(&entry);
	end_entry(&entry);
	if (!is_known)
		return unknown_terminal();
	const char *place = tigetstr("cup");
	bool can_place = place && place != (const char *)-1;
	del_curterm(set_curterm(NULL));
	if (can_place) {
		log_leave_terminal();
		return NULL;
	}
	return err_with_hint(
	    err_create(ERR_UNSUPPORTED,
		       "cannot open the screen: a terminal of type \"%s\" cannot place text",
		       getenv("TERM") ? getenv("TERM") : ""),
	    "auditview print FILE, -p PID or -- PROGRAM writes lines; or set TERM, to "
	    "xterm-256color for instance");
}

struct err *term_open(const struct term_options *options, struct terminal **ret)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return err_create(
		    ERR_UNSUPPORTED,
		    "cannot open the screen: standard input and output must be a terminal");
	setlocale(LC_CTYPE, "");
	bool is_utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	if (!is_utf8 && setlocale(LC_CTYPE, "C.UTF-8")) {
		/* Curses needs a UTF-8 locale to pass bytes through; in ASCII mode we then draw
		 * plain ASCII. */
	}
	struct terminal *t = calloc(1, sizeof(*t));
	if (!t)
		return err_no_memory();
	sigset_t old_mask;
	hold_signals(&old_mask);
	tcgetattr(STDIN_FILENO, &restore.saved);
	const char *name = getenv("TERM");
	t->is_ascii = !is_utf8 || (name && !strcmp(name, "dumb"));
	t->is_light = ask_is_light();
	t->out = stdout;
	set_escdelay(25);
	/* the SIGTSTP handler of ncurses (6.4, lib_tstp.c) draws at any moment; app_run() stops
	 * when no draw is going on */
	struct sigaction stop;
	sigaction(SIGTSTP, NULL, &stop);
	t->screen = newterm_of_its_size();
	sigaction(SIGTSTP, &stop, NULL);
	if (!t->screen) {
		sigprocmask(SIG_SETMASK, &old_mask, NULL);
		free(t);
		return unknown_terminal();
	}
	set_term(t->screen);
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	meta(stdscr, TRUE);
	leaveok(stdscr, FALSE);
	t->colors = 0;
	if ((!options->no_color || options->force_color) && has_colors() && start_color() == OK) {
		use_default_colors();
		t->colors = COLORS;
	}
	bool has_escapes = name && strcmp(name, "dumb") != 0;
	restore_prepare(has_escapes);
	restore.armed = 1;
	crash_handler_push(restore_terminal, NULL);
	catch_fatal_signals();
	sigprocmask(SIG_SETMASK, &old_mask, NULL);
	getmaxyx(stdscr, t->n_lines, t->n_columns);
	begin_modes(t);
	if (options->mouse)
		term_set_mouse(t, true);
	term_set_theme(t, theme_find(t->colors ? "auto" : "mono", t->is_light));
	*ret = t;
	return NULL;
}

void term_close(struct terminal *t)
{
	if (!t)
		return;
	crash_handler_pop();
	for (size_t i = 0; i < ARRAY_LEN(fatal_signals); i++)
		signal(fatal_signals[i], SIG_DFL);
	end_modes();
	char *rmcup = tigetstr("rmcup");
	/* there is no alternate screen: the shell's prompt gets a line of its own */
	if (!rmcup || rmcup == (char *)-1) {
		move(t->n_lines - 1, 0);
		clrtoeol();
		refresh();
	}
	endwin();
	show_cursor(t);
	delscreen(t->screen);
	restore.armed = 0;
	canvas_fini(&t->shown);
	free(t);
}

void term_size(const struct terminal *t, int *ret_lines, int *ret_columns)
{
	*ret_lines = t->n_lines;
	*ret_columns = t->n_columns;
}

int term_fd(const struct terminal *t)
{
	(void)t;
	return STDIN_FILENO;
}

bool term_is_light(const struct terminal *t)
{
	return t->is_light;
}

bool term_is_ascii(const struct terminal *t)
{
	return t->is_ascii;
}

int term_colors(const struct terminal *t)
{
	return t->colors;
}

/* Terminals with direct colours (xterm-direct: COLORS is 2^24) take 0xRRGGBB instead of an index.
 */
static int color_number(const struct terminal *t, int index)
{
	if (index < 0 || t->colors <= 256 || index < 8)
		return index;
	static const int steps[] = { 0, 95, 135, 175, 215, 255 };
	static const int sixteen[] = { 0x808080, 0xff0000, 0x00ff00, 0xffff00,
				       0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff };
	if (index < 16)
		return sixteen[index - 8];
	if (index >= 232) {
		int grey = 8 + 10 * (index - 232);
		return grey << 16 | grey << 8 | grey;
	}
	index -= 16;
	return steps[index / 36] << 16 | steps[index / 6 % 6] << 8 | steps[index % 6];
}

static attr_t attr_of(unsigned style_attrs)
{
	attr_t a = A_NORMAL;
	if (style_attrs & STYLE_BOLD)
		a |= A_BOLD;
	if (style_attrs & STYLE_UNDERLINE)
		a |= A_UNDERLINE;
	if (style_attrs & STYLE_REVERSE)
		a |= A_REVERSE;
	if (style_attrs & STYLE_DIM)
		a |= A_DIM;
	return a;
}

void term_set_theme(struct terminal *t, const struct theme *theme)
{
	t->theme = theme;
	short next = 1;
	for (int role = 0; role < ROLE_COUNT; role++)
		for (int in_bar = 0; in_bar < 2; in_bar++) {
			bool full = t->colors >= 256;
			struct style s = full ? theme->full[role] : theme->few[role];
			const struct style *bar = full ? &theme->bar : &theme->bar_few;
			if (in_bar) {
				if (s.bg == COLOR_NONE)
					s.bg = bar->bg;
				s.attrs ^= bar->attrs & STYLE_REVERSE;
				s.attrs |= bar->attrs & ~(unsigned)STYLE_REVERSE;
			}
			t->attrs[role][in_bar] = attr_of(s.attrs);
			t->pairs[role][in_bar] = 0;
			if (t->colors && (s.fg != COLOR_NONE || s.bg != COLOR_NONE)) {
				init_extended_pair(next, color_number(t, s.fg),
						   color_number(t, s.bg));
				t->pairs[role][in_bar] = next++;
			}
		}
	term_redraw(t);
}

void term_resized(struct terminal *t)
{
	int lines, columns;
	if (!get_size(&lines, &columns))
		return;
	if (lines != t->n_lines || columns != t->n_columns)
		resizeterm(lines, columns);
	getmaxyx(stdscr, t->n_lines, t->n_columns);
	t->size_changed = true;
	term_redraw(t);
}

/* Keys of curses with the value that we use; both are looked up in this one table. */
static const struct {
	int curses, key;
} special_keys[] = {
	{ KEY_UP, KEY_UP_ },       { KEY_DOWN, KEY_DOWN_ },  { KEY_LEFT, KEY_LEFT_ },
	{ KEY_RIGHT, KEY_RIGHT_ }, { KEY_PPAGE, KEY_PGUP_ }, { KEY_NPAGE, KEY_PGDN_ },
	{ KEY_HOME, KEY_HOME_ },   { KEY_END, KEY_END_ },    { KEY_BACKSPACE, KEY_BKSP_ },
	{ KEY_DC, KEY_DEL_ },      { KEY_IC, KEY_INS_ },     { KEY_BTAB, KEY_STAB_ },
	{ KEY_ENTER, KEY_ENTER_ },
};

/*
 * ncurses 6.4 reports a move with the button held as another press (lib_mouse.c), and turns a press
 * and a release that are read together into one click. So a press while the button is down is a
 * drag, and a click is a press whose release follows.
 */
static struct input mouse_input(struct terminal *t)
{
	struct input in = { .kind = INPUT_NONE };
	MEVENT m;
	if (getmouse(&m) != OK)
		return in;
	in.kind = INPUT_MOUSE;
	in.line = m.y;
	in.column = m.x;
	if (m.bstate & BUTTON4_PRESSED)
		in.mouse = MOUSE_WHEEL_UP;
	else if (m.bstate & BUTTON5_PRESSED)
		in.mouse = MOUSE_WHEEL_DOWN;
	else if (m.bstate & BUTTON1_PRESSED) {
		in.mouse = t->button_down ? MOUSE_DRAG : MOUSE_CLICK;
		t->button_down = true;
	} else if (m.bstate & BUTTON1_RELEASED) {
		in.mouse = MOUSE_RELEASE;
		t->button_down = false;
	} else if (m.bstate & (BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED | BUTTON1_TRIPLE_CLICKED)) {
		in.mouse = MOUSE_CLICK;
		t->release = in;
		t->release.mouse = MOUSE_RELEASE;
		t->button_down = false;
	} else if (m.bstate & REPORT_MOUSE_POSITION)
		in.mouse = MOUSE_DRAG;
	else
		in.kind = INPUT_NONE;
	return in;
}

/* A character within a paste. The end of a paste can be lost, and then each key is part of it: if
 * there was a pause, Escape and Ctrl-C end it. Text that is pasted comes without pauses. */
static struct input paste_input(struct terminal *t, int key)
{
	uint64_t now = monotonic_ns(), since = t->paste_ns;
	t->paste_ns = now;
	if ((key == 27 || key == 3) && now - since > PASTE_PAUSE_NS) {
		t->in_paste = false;
		return (struct input){ .kind = INPUT_KEY, .key = key };
	}
	return (struct input){ .kind = INPUT_PASTE, .key = key == 127 ? ' ' : key };
}

struct input term_next(struct terminal *t)
{
	if (t->size_changed) {
		t->size_changed = false;
		return (struct input){ .kind = INPUT_RESIZE };
	}
	if (t->release.kind == INPUT_MOUSE) {
		struct input in = t->release;
		t->release.kind = INPUT_NONE;
		return in;
	}
	for (;;) {
		wint_t ch;
		int kind = get_wch(&ch);
		if (kind == ERR) {
			struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
			if (poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR | POLLNVAL))
				return (struct input){ .kind = INPUT_HANGUP };
			return (struct input){ .kind = INPUT_NONE };
		}
		if (kind == OK) {
			int key = (int)ch;
			if (key == 127 || key == 8)
				key = KEY_BKSP_;
			else if (key == '\n')
				key = KEY_ENTER_;
			if (t->in_paste)
				return paste_input(t, (int)ch);
			return (struct input){ .kind = INPUT_KEY, .key = key };
		}
		if ((int)ch == KEY_PASTE_BEGIN || (int)ch == KEY_PASTE_END) {
			t->in_paste = (int)ch == KEY_PASTE_BEGIN;
			t->paste_ns = monotonic_ns();
			continue;
		}
		if (ch == KEY_MOUSE) {
			struct input in = mouse_input(t);
			if (in.kind == INPUT_NONE)
				continue;
			return in;
		}
		if (ch == KEY_RESIZE)
			continue;
		if (ch > KEY_F0 && ch <= KEY_F(12))
			return (struct input){ .kind = INPUT_KEY,
					       .key = KEY_F1_ + (int)ch - KEY_F(1) };
		for (size_t i = 0; i < ARRAY_LEN(special_keys); i++)
			if (special_keys[i].curses == (int)ch)
				return (struct input){ .kind = INPUT_KEY,
						       .key = special_keys[i].key };
	}
}

/* The nearest of the eight colours that every colour terminal has. */
static int of_eight(int index)
{
	static const int steps[] = { 0, 95, 135, 175, 215, 255 };
	if (index < 16)
		return index % 8;
	if (index >= 232) /* greys */
		return index < 244 ? 0 : 7;
	index -= 16;
	return (steps[index / 36] > 127) | (steps[index / 6 % 6] > 127) << 1 |
	       (steps[index % 6] > 127) << 2;
}

/* The pair for colours that a program chose. ncurses keeps such pairs, and reuses the oldest ones
 * when it has no more (alloc_pair(3)). */
static int pair_of_inks(const struct terminal *t, uint16_t fg, uint16_t bg)
{
	int f = fg ? fg - 1 : COLOR_NONE, b = bg ? bg - 1 : COLOR_NONE;
	if (t->colors < 256) {
		f = f < 0 ? f : of_eight(f);
		b = b < 0 ? b : of_eight(b);
	}
	int pair = alloc_pair(color_number(t, f), color_number(t, b));
	return pair > 0 ? pair : 0;
}

static void draw_line(struct terminal *t, const struct canvas *c, int y)
{
	move(y, 0);
	for (int x = 0; x < c->n_columns && x < t->n_columns;) {
		const struct cell *cell = &c->cells[y * c->n_columns + x];
		if (cell->width_cells == 0) { /* its wide character was cut off */
			x++;
			continue;
		}
		int in_bar = cell->flags & CELL_BAR ? 1 : 0;
		attr_t attr = t->attrs[cell->role][in_bar];
		if (cell->flags & CELL_REVERSE)
			attr ^= A_REVERSE;
		if (cell->flags & CELL_BOLD)
			attr |= A_BOLD;
		if (cell->flags & CELL_UNDERLINE)
			attr |= A_UNDERLINE;
		int pair = t->pairs[cell->role][in_bar];
		if (t->colors && (cell->fg || cell->bg))
			pair = pair_of_inks(t, cell->fg, cell->bg);
		attr_set(attr, (short)pair, &pair);
		/* Cells of one style that need no care are sent as one run. */
		char run[1024];
		size_t n = 0;
		int end = x;
		while (end < c->n_columns && end < t->n_columns && n + CELL_BYTES < sizeof(run)) {
			const struct cell *next = &c->cells[y * c->n_columns + end];
			if (next->width_cells == 0 || next->role != cell->role ||
			    next->flags != cell->flags || next->fg != cell->fg ||
			    next->bg != cell->bg)
				break;
			memcpy(run + n, next->text, next->n_bytes);
			n += next->n_bytes;
			end += next->width_cells;
		}
		if (end == x)
			end = x + 1;
		mvaddnstr(y, x, run, (int)n);
		x = end;
	}
}

void term_draw(struct terminal *t, const struct canvas *c)
{
	bool all = t->all_dirty || t->shown.n_lines != c->n_lines ||
		   t->shown.n_columns != c->n_columns;
	if (all && !canvas_resize(&t->shown, c->n_lines, c->n_columns))
		return;
	if (t->all_dirty)
		clearok(stdscr, TRUE);
	for (int y = 0; y < c->n_lines && y < t->n_lines; y++) {
		size_t at = (size_t)y * (size_t)c->n_columns,
		       n = (size_t)c->n_columns * sizeof(struct cell);
		if (!all && !memcmp(&t->shown.cells[at], &c->cells[at], n))
			continue;
		memcpy(&t->shown.cells[at], &c->cells[at], n);
		draw_line(t, c, y);
	}
	t->all_dirty = false;
	curs_set(c->cursor_line >= 0 ? 1 : 0);
	if (c->cursor_line >= 0)
		move(c->cursor_line, c->cursor_column);
	refresh();
}

void term_redraw(struct terminal *t)
{
	t->all_dirty = true;
}

/* Terminals that are known to take OSC 52, or to skip it without harm. Others may show it as
 * text. */
static bool takes_clipboard(const char *name)
{
	static const char *const sorts[] = { "xterm",     "tmux",    "screen", "rxvt",
					     "alacritty", "foot",    "kitty",  "st-",
					     "wezterm",   "konsole", "gnome",  "vte",
					     "contour",   "iterm",   "mintty", "ghostty" };
	for (size_t i = 0; name && i < ARRAY_LEN(sorts); i++)
		if (!strncmp(name, sorts[i], strlen(sorts[i])))
			return true;
	return name && (!strcmp(name, "st") || strstr(name, "-direct"));
}

static void add_base64(struct strbuf *to, const char *text, size_t n_bytes)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < n_bytes; i += 3) {
		unsigned v = (unsigned)(unsigned char)text[i] << 16;
		size_t left = n_bytes - i;
		if (left > 1)
			v |= (unsigned)(unsigned char)text[i + 1] << 8;
		if (left > 2)
			v |= (unsigned char)text[i + 2];
		strbuf_addc(to, digits[v >> 18]);
		strbuf_addc(to, digits[v >> 12 & 63]);
		strbuf_addc(to, left > 1 ? digits[v >> 6 & 63] : '=');
		strbuf_addc(to, left > 2 ? digits[v & 63] : '=');
	}
}

/* Does GNU screen read what we write? It does not take OSC 52 and passes on only what is wrapped,
 * in small pieces. */
static bool is_in_gnu_screen(const char *name)
{
	return getenv("STY") && !getenv("TMUX") && name && !strncmp(name, "screen", 6);
}

const char *term_copy(struct terminal *t, const char *text, size_t n_bytes)
{
	(void)t;
	/* xterm's limit; screen(1) keeps 768 bytes of a string */
	enum { COPY_MAX = 74994, PIECE = 240, SCREEN_MAX = 500 };
	const char *name = getenv("TERM");
	if (!takes_clipboard(name))
		return "this terminal is not known to have a clipboard";
	if (n_bytes > COPY_MAX)
		return "it is longer than the 74 994 bytes that a terminal takes";
	/* tmux inside GNU screen, or vice versa: we cannot tell which one reads our output, and
	 * screen would show the rest of a long string */
	if (getenv("STY") && getenv("TMUX") && n_bytes > SCREEN_MAX)
		return "it is too long for tmux inside GNU screen, or the reverse";
	struct strbuf code = { 0 }, out = { 0 };
	strbuf_adds(&code, "\033]52;c;");
	add_base64(&code, text, n_bytes);
	strbuf_addc(&code, '\a');
	if (is_in_gnu_screen(name)) {
		for (size_t i = 0; i < code.n; i += PIECE) {
			strbuf_adds(&out, "\033P");
			strbuf_add(&out, code.s + i, code.n - i < PIECE ? code.n - i : PIECE);
			strbuf_adds(&out, "\033\\");
		}
	} else {
		strbuf_add(&out, code.s, code.n);
	}
	bool failed = code.failed || out.failed;
	fflush(stdout);
	if (!failed)
		write_all(out.s, out.n);
	strbuf_fini(&code);
	strbuf_fini(&out);
	return failed ? "memory is short" : NULL;
}

void term_leave(struct terminal *t)
{
	end_modes();
	endwin();
	show_cursor(t);
	restore.armed = 0;
}

void term_enter(struct terminal *t)
{
	restore.armed = 1;
	show_cursor(t); /* another program may have hidden it */
	refresh();
	begin_modes(t);
	if (t->mouse)
		term_set_mouse(t, true);
	term_resized(t);
}
