/*
 * test_terminal: the program's terminal below the list: when it opens, which keys are whose, what
 * the last line says, sizes and colours. The program is this test, at the other end of a
 * pseudo-terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/hold_list.h"
#include "drive.h"
#include "golden.h"
#include "model/trace.h"
#include "sample.h"
#include "ui/app_header.h"
#include "ui/app_hold.h"
#include "ui/app_panes.h"
#include "ui/app_state.h"
#include "ui/app_terminal.h"
#include "ui/pane_terminal.h"

static char capture[64];

/* What the program of a test does. */
static struct program {
	int fd;     /* its terminal */
	bool waits; /* for a line */
} program;

static bool is_alive(void *ctx)
{
	return true;
}

static bool reads_terminal(void *ctx, uint32_t pid, int terminal_fd)
{
	return program.waits;
}

static struct hold_list holds;
static const struct hold_list *list_holds(void *ctx)
{
	return &holds;
}

static const struct app_live_ops live = { .is_alive = is_alive,
					  .reads_terminal = reads_terminal,
					  .holds = list_holds };

static struct app *open_app(int columns, int lines)
{
	struct app_options options = { .no_config = true, .source = { .live = &live } };
	int master;
	assert_int_equal(openpty(&master, &program.fd, NULL, NULL, NULL), 0);
	fcntl(master, F_SETFL, O_NONBLOCK);
	fcntl(program.fd, F_SETFL, O_NONBLOCK);
	program.waits = false;
	assert_null(trace_open(capture, NULL, &options.source.trace));
	options.source.path = strdup(capture);
	options.source.terminal_fd = master;
	struct app *app = drive_open_options(&options, columns, lines);
	app->flash[0] = 0; /* of the losses in the capture */
	app_draw(app);
	return app;
}

static void close_app(struct app *app)
{
	app_destroy(app);
	close(program.fd);
}

/* The program writes, and the loop of the app reads it. */
static void says(struct app *app, const char *text)
{
	assert_int_equal(write(program.fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_true(pane_terminal_read(app_pane(app, PANE_TERMINAL), app->host.view->terminal_fd));
	drive_settle(app);
}

static void asks(struct app *app, const char *text)
{
	program.waits = true;
	says(app, text);
}

/* What the program has got from its terminal since the last call. */
static const char *got(void)
{
	static char text[256];
	ssize_t n = read(program.fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	return text;
}

static bool shows(struct app *app, const char *text)
{
	char *screen = drive_text(app, false);
	bool found = strstr(screen, text) != NULL;
	free(screen);
	return found;
}

static void make_raw(void)
{
	struct termios modes;
	tcgetattr(program.fd, &modes);
	cfmakeraw(&modes);
	modes.c_oflag |= OPOST | ONLCR;
	tcsetattr(program.fd, TCSANOW, &modes);
}

/* It opens when the program asks, not when it only writes, and takes the keys if none was typed. */
static void test_opens(void **state)
{
	struct app *app = open_app(80, 24);
	says(app, "listening on 8077\r\n");
	assert_false(app->host.view->shows_terminal);
	assert_true(shows(app, "C-] terminal"));
	asks(app, "region [eu]: ");
	assert_true(app->host.view->shows_terminal);
	assert_int_equal(app_focused_id(app), PANE_TERMINAL);
	assert_true(shows(app, "region [eu]: "));
	assert_true(shows(app, "Events"));
	close_app(app);

	/* a key was typed: the next ones must not go elsewhere */
	app = open_app(80, 24);
	drive_keys(app, "k");
	asks(app, "region [eu]: ");
	assert_true(app->host.view->shows_terminal);
	assert_int_equal(app_focused_id(app), PANE_EVENTS);
	drive_keys(app, "j");
	assert_string_equal(got(), "");
	/* closed by the user, it stays closed */
	drive_keys(app, "C-] C-] x");
	assert_false(app->host.view->shows_terminal);
	asks(app, "and again: ");
	assert_false(app->host.view->shows_terminal);
	close_app(app);

	/* a program that reads single keys, as readline does, has changed the modes */
	app = open_app(80, 24);
	make_raw();
	says(app, ">>> ");
	assert_int_equal(app_focused_id(app), PANE_TERMINAL);
	close_app(app);
}

/* Every key but Ctrl-] is the program's; the key after it is a key of the terminal or of the
 * list. */
static void test_keys(void **state)
{
	struct app *app = open_app(80, 24);
	make_raw();
	asks(app, ">>> ");
	static const struct {
		const char *keys, *bytes;
	} rows[] = {
		{ "q", "q" },       { "Q", "Q" },       { "Enter", "\r" },     { "Tab", "\t" },
		{ "C-c", "\003" },  { "C-\\", "\034" }, { "C-^", "\036" },     { "C-_", "\037" },
		{ "Esc", "\033" },  { "F1", "\033OP" }, { "S-Tab", "\033[Z" }, { "C-] ]", "\035" },
		{ "Bksp", "\177" }, { "=é", "é" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		drive_keys(app, rows[i].keys);
		assert_string_equal(got(), rows[i].bytes);
		assert_int_equal(app_focused_id(app), PANE_TERMINAL);
	}
	/* to the events and back, by the same key; nothing of it reaches the program */
	drive_keys(app, "C-]");
	assert_int_equal(app_focused_id(app), PANE_EVENTS);
	drive_keys(app, "C-]");
	assert_int_equal(app_focused_id(app), PANE_TERMINAL);
	/* a key that is none of the terminal's acts on the list */
	drive_keys(app, "C-] g");
	assert_int_equal(app_focused_id(app), PANE_EVENTS);
	assert_int_equal(app->panes[PANE_EVENTS]->list.cursor, 0);
	/* and only the first one is looked up there */
	drive_keys(app, "z");
	assert_int_equal(app_focused_id(app), PANE_EVENTS);
	/* zoomed: the whole body, until the same keys again; leaving and coming back keeps it */
	drive_keys(app, "C-] C-] z");
	assert_int_equal(app->layout.panes[PANE_TERMINAL].n_lines, app->layout.body.n_lines);
	drive_keys(app, "C-]");
	assert_int_equal(app_focused_id(app), PANE_EVENTS);
	assert_true(app->layout.panes[PANE_EVENTS].n_lines > 3);
	drive_keys(app, "C-]");
	assert_int_equal(app->layout.panes[PANE_TERMINAL].n_lines, app->layout.body.n_lines);
	drive_keys(app, "C-] z");
	assert_true(app->layout.panes[PANE_EVENTS].n_lines > 3);
	assert_int_equal(app_focused_id(app), PANE_TERMINAL);
	assert_string_equal(got(), "");
	/* from a page, too */
	drive_keys(app, "C-] s C-]");
	assert_int_equal(app_focused_id(app), PANE_TERMINAL);
	close_app(app);
}

/* The last line names only keys that work. */
static void test_key_line(void **state)
{
	struct app *app = open_app(120, 40);
	asks(app, "? ");
	assert_true(shows(
	    app, " C-] to the events, then  z zoom  < smaller  > larger  x close  ] send C-]"));
	assert_false(shows(app, "F1 help"));
	assert_false(shows(app, "F stay here"));
	drive_keys(app, "C-]");
	assert_true(shows(app, " the terminal:  z zoom  < smaller  > larger  x close  ] send C-]  "
			       "any other key: to the events"));
	drive_keys(app, "j");
	assert_true(shows(app, "F1 help  C-] terminal"));
	/* the program has ended: what it wrote stays, and the keys are ours */
	drive_keys(app, "C-]");
	app->host.view->terminal_fd = -1;
	app_draw(app);
	assert_true(shows(app, "the program has ended"));
	drive_keys(app, "q");
	assert_int_equal(app_focused_id(app), PANE_EVENTS);
	close_app(app);
}

/* The program's terminal has the size of the pane, which keys and layout change. */
static void test_size(void **state)
{
	struct app *app = open_app(80, 24);
	asks(app, "? ");
	struct winsize size, larger;
	const struct pane *p = app->panes[PANE_TERMINAL];
	ioctl(program.fd, TIOCGWINSZ, &size);
	assert_int_equal(size.ws_row, p->n_lines);
	assert_int_equal(size.ws_col, 80);
	drive_keys(app, "C-] > C-] >");
	ioctl(program.fd, TIOCGWINSZ, &larger);
	assert_int_equal(larger.ws_row, size.ws_row + 2);
	drive_keys(app, "C-] < C-] < C-] <");
	ioctl(program.fd, TIOCGWINSZ, &larger);
	assert_int_equal(larger.ws_row, size.ws_row - 1);
	/* there are always events above it, however large it is wished */
	for (int i = 0; i < 40; i++)
		drive_keys(app, "C-] >");
	assert_true(app->panes[PANE_EVENTS]->n_lines >= 4);
	app_resize(app, 60, 200);
	drive_settle(app);
	ioctl(program.fd, TIOCGWINSZ, &larger);
	assert_int_equal(larger.ws_col, 200);
	/* all sizes at which it does not fit below the list */
	for (int lines = 1; lines < 30; lines += 2)
		for (int columns = 1; columns < 130; columns += 13) {
			app_resize(app, lines, columns);
			drive_settle(app);
			char *text = drive_text(app, false);
			golden_check_shape(text, columns, lines);
			free(text);
		}
	close_app(app);
}

static const struct cell *cell_of(struct app *app, const char *sign)
{
	const struct canvas *c = &app->canvas;
	int from = app->layout.panes[PANE_TERMINAL].line + 1;
	for (int i = from * c->n_columns; i < c->n_lines * c->n_columns; i++)
		if (c->cells[i].n_bytes == strlen(sign) &&
		    !memcmp(c->cells[i].text, sign, c->cells[i].n_bytes))
			return &c->cells[i];
	fail_msg("no %s", sign);
	return NULL;
}

static void test_colours(void **state)
{
	struct app *app = open_app(80, 24);
	asks(app, "\033[31mR\033[0m \033[1;92mG\033[0m \033[44mB\033[0m \033[38;5;208mO\033[0m "
		  "\033[38;2;0;215;255mT\033[0m \033[7mX\033[0m P");
	assert_int_equal(cell_of(app, "R")->fg, 1 + 1);
	assert_int_equal(cell_of(app, "G")->fg, 1 + 10);
	assert_true(cell_of(app, "G")->flags & CELL_BOLD);
	assert_int_equal(cell_of(app, "B")->bg, 1 + 4);
	assert_int_equal(cell_of(app, "B")->fg, 0);
	assert_int_equal(cell_of(app, "O")->fg, 1 + 208);
	assert_int_equal(cell_of(app, "T")->fg, 1 + 45);
	assert_true(cell_of(app, "X")->flags & CELL_REVERSE);
	assert_int_equal(cell_of(app, "P")->fg, 0);
	assert_int_equal(cell_of(app, "P")->bg, 0);
	/* they belong to the program's cells, not to the places on our screen */
	drive_keys(app, "C-] x");
	for (int i = 0; i < app->canvas.n_lines * app->canvas.n_columns; i++)
		assert_int_equal(app->canvas.cells[i].fg | app->canvas.cells[i].bg, 0);
	close_app(app);
}

static void test_golden(void **state)
{
	for (size_t i = 0; i < GOLDEN_SIZES; i++) {
		struct app *app = open_app(golden_sizes[i].columns, golden_sizes[i].lines);
		asks(app,
		     "{\"id\": 7, \"sum\": \"12.50\", \"city\": \"大阪\"}\r\nenter region [eu]: ");
		app->header.file_bytes = 5300000;
		app->header.quiet_ns = app->header.rate = 0;
		app_draw(app);
		golden_compare("terminal", &golden_sizes[i], app);
		close_app(app);
	}
}

/* The keys are the program's while it is held, so what is said begins with the key that leaves. */
static void test_held(void **state)
{
	struct app *app = open_app(100, 24);
	asks(app, "> ");
	assert_int_equal(app_focused_id(app), PANE_TERMINAL);
	holds = (struct hold_list){ .n_held = 1 };
	holds.held[0] = (struct held_row){ .pid = 7, .tid = 8, .hold = 1, .since_ns = 1, .seq = 9 };
	app_hold_poll(app);
	app_hold_poll(app);
	drive_settle(app);
	assert_true(shows(app, "held before "));
	assert_true(shows(app, "C-] leaves the terminal, then C continues"));
	assert_true(shows(app, ", C-] C continues"));
	drive_keys(app, "C-]");
	assert_true(shows(app, ", C continues"));
	holds.n_held = 0;
	close_app(app);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	snprintf(capture, sizeof(capture), "/tmp/auditview-terminal-%d.avc", (int)getpid());
	live_write(capture, 12);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opens),  cmocka_unit_test(test_keys),
		cmocka_unit_test(test_held),   cmocka_unit_test(test_key_line),
		cmocka_unit_test(test_size),   cmocka_unit_test(test_colours),
		cmocka_unit_test(test_golden),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(capture);
	return failed;
}
