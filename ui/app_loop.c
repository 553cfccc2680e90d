/*
 * app_loop: the loop. One thread, one poll(2) over the terminal, signals, the growing capture, the
 * program's terminal and the recorder. Long work is done in slices of 3 ms, and the keyboard is
 * read between them; its progress is drawn 25 times a second. If there is nothing to do, the loop
 * sleeps until something happens.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "ui/term.h"
#include "ui/pane_terminal.h"
#include "ui/ui.h"

enum { SLICE_NS = 3000000, PROGRESS_NS = 40000000 };

struct loop {
	struct ui *ui;
	struct terminal *term;
	int signal_fd, inotify_fd, watch;
	const struct trace *watched;
	sigset_t old_mask;
	bool terminated;
};

static struct err *signals_open(struct loop *l)
{
	sigset_t set;
	sigemptyset(&set);
	static const int taken[] = { SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGCONT };
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_BLOCK, &set, &l->old_mask);
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signal_fd < 0 ? err_sys(errno, "cannot wait for signals") : NULL;
}

static void signals_read(struct loop *l)
{
	struct signalfd_siginfo info;
	while (read(l->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH || info.ssi_signo == SIGCONT)
			term_resized(l->term);
		else
			l->terminated = true;
	}
}

/* Watch the capture with inotify, so that the loop wakes up when it grows. */
static void watch(struct loop *l)
{
	struct view *s = l->ui->host.view;
	if (!s || s->trace == l->watched)
		return;
	if (l->watch >= 0)
		inotify_rm_watch(l->inotify_fd, l->watch);
	l->watched = s->trace;
	l->watch = s->path ? inotify_add_watch(l->inotify_fd, s->path,
					       IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB |
						   IN_MOVE_SELF | IN_DELETE_SELF)
			   : -1;
	l->ui->growth_waits = true; /* something may have been written before the watch was set */
}

static bool watch_read(struct loop *l)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool any = false;
	while (read(l->inotify_fd, buf, sizeof(buf)) > 0)
		any = true;
	return any;
}

/* Run the user's editor on the real terminal: $EDITOR, at a line. */
static void edit(struct loop *l)
{
	struct ui *ui = l->ui;
	const char *editor = getenv("VISUAL");
	if (!editor || !*editor)
		editor = getenv("EDITOR");
	if (!editor || !*editor)
		editor = "vi";
	char line[32];
	snprintf(line, sizeof(line), "+%u", ui->edit_line ? ui->edit_line : 1);
	term_leave(l->term);
	/* Ctrl-C and Ctrl-\ are for the editor, as in system(3) */
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old_int, old_quit;
	sigaction(SIGINT, &ignore, &old_int);
	sigaction(SIGQUIT, &ignore, &old_quit);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		sigprocmask(SIG_SETMASK, &l->old_mask, NULL);
		/* $EDITOR may have arguments: let the shell split them; file and line come as
		 * parameters, not as text */
		execl("/bin/sh", "sh", "-c", "exec $0 \"$1\" \"$2\"", editor, line, ui->edit_file,
		      (char *)NULL);
		_exit(127);
	}
	int status = 0;
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGQUIT, &old_quit, NULL);
	term_enter(l->term);
	if (pid < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
		ui_flash(ui, "cannot run %s: $EDITOR names the editor", editor);
	free(ui->edit_file);
	ui->edit_file = NULL;
}

static void suspend(struct loop *l)
{
	term_leave(l->term);
	kill(0, SIGTSTP); /* the whole process group: this may be part of a pipeline */
	term_enter(l->term);
}

static void set_theme(struct loop *l)
{
	struct ui *ui = l->ui;
	for (int i = 0; i < ui->config.n_colors; i++) {
		struct err *err = theme_set(&ui->theme, ui->config.colors[i].role,
					    ui->config.colors[i].style);
		err_destroy(err);
	}
	term_set_theme(l->term, &ui->theme);
	ui->theme_changed = false;
}

/* Do what the app asked of the terminal. */
static void serve(struct loop *l)
{
	struct ui *ui = l->ui;
	if (ui->theme_changed)
		set_theme(l);
	if (ui->mouse_changed) {
		term_set_mouse(l->term, ui->mouse);
		ui->mouse_changed = false;
	}
	if (ui->copied) {
		const char *refused = term_copy(l->term, ui->copied, ui->copied_bytes);
		if (refused)
			ui_flash(ui, "not copied: %s; w writes to a file", refused);
		free(ui->copied);
		ui->copied = NULL;
	}
	if (ui->wants_redraw) {
		term_redraw(l->term);
		ui->wants_redraw = false;
		ui->dirty = true;
	}
	if (ui->edit_file)
		edit(l);
	if (ui->wants_suspend) {
		ui->wants_suspend = false;
		suspend(l);
	}
}

static void take_size(struct loop *l)
{
	int lines, columns;
	term_size(l->term, &lines, &columns);
	ui_resize(l->ui, lines, columns);
}

static void loop(struct loop *l)
{
	struct ui *ui = l->ui;
	bool more = true;
	uint64_t drawn_ns = 0;
	while (!ui->quit && !l->terminated) {
		watch(l);
		if (ui->dirty && (!more || monotonic_ns() - drawn_ns >= PROGRESS_NS)) {
			ui_draw(ui);
			term_draw(l->term, &ui->canvas);
			drawn_ns = monotonic_ns();
		}
		struct view *s = ui->host.view;
		int live_fd = s && s->live && s->live->fd ? s->live->fd(s->live_ctx) : -1;
		int pty = s ? s->terminal_fd : -1;
		const struct ui_start_ops *start = ui->options.start;
		int start_fd = !s && start && start->fd ? start->fd(ui->options.start_ctx) : -1;
		struct pollfd fds[] = { { .fd = term_fd(l->term), .events = POLLIN },
					{ .fd = l->signal_fd, .events = POLLIN },
					{ .fd = l->inotify_fd, .events = POLLIN },
					{ .fd = live_fd, .events = POLLIN },
					{ .fd = pty, .events = POLLIN },
					{ .fd = start_fd, .events = POLLIN } };
		uint64_t now = monotonic_ns(), deadline = ui_deadline(ui);
		int timeout = more                     ? 0
			      : deadline == UINT64_MAX ? -1
			      : deadline <= now        ? 0
						       : (int)((deadline - now) / 1000000 + 1);
		int n = poll(fds, ARRAY_LEN(fds), timeout);
		if (n < 0 && errno != EINTR)
			break;
		ui->host.now_ns = monotonic_ns();
		if (fds[1].revents)
			signals_read(l);
		bool growth = fds[2].revents && watch_read(l);
		if (fds[3].revents && s->live->read) {
			s->live->read(s->live_ctx);
			growth = true;
		}
		if (fds[5].revents && start->read(ui->options.start_ctx))
			ui_changed(ui, CHANGE_EVENTS);
		if (fds[4].revents) {
			if (!pane_terminal_read(ui_pane(ui, PANE_TERMINAL), pty))
				s->terminal_fd = -1;
			ui->dirty = true;
		}
		/* keys first: at most 64, so that a held key does not keep the screen from being
		 * drawn */
		for (int i = 0; i < 64; i++) {
			struct input in = term_next(l->term);
			if (in.kind == INPUT_NONE)
				break;
			if (in.kind == INPUT_HANGUP) {
				l->terminated = true;
				break;
			}
			if (in.kind == INPUT_RESIZE)
				take_size(l);
			else
				ui_input(ui, in);
			if (ui->quit)
				break;
			serve(l);
		}
		if (ui->quit)
			break;
		/* draw a frame right after a key or a new size, then work */
		if (ui->dirty && n > 0 && (fds[0].revents || fds[1].revents)) {
			ui_draw(ui);
			term_draw(l->term, &ui->canvas);
			drawn_ns = monotonic_ns();
		}
		more = ui_advance(ui, monotonic_ns(), growth, SLICE_NS);
		serve(l);
	}
}

struct err *ui_run(const struct ui_options *options)
{
	struct loop l = { .signal_fd = -1, .inotify_fd = -1, .watch = -1 };
	struct err *err = ui_create(options, &l.ui);
	if (err)
		return err;
	l.ui->no_color = options->color == UI_COLOR_NEVER ||
			 (options->color == UI_COLOR_AUTO && getenv("NO_COLOR") &&
			  *getenv("NO_COLOR"));
	struct term_options term = { .mouse = l.ui->mouse,
				     .no_color = l.ui->no_color,
				     .force_color = options->color == UI_COLOR_ALWAYS };
	err = term_open(&term, &l.term);
	if (!err)
		err = signals_open(&l);
	if (!err) {
		l.inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		l.ui->is_light = term_is_light(l.term);
		l.ui->canvas.ascii = term_is_ascii(l.term);
		const char *name = term_colors(l.term) ? l.ui->theme_name : "mono";
		const struct theme *theme = theme_find(name, l.ui->is_light);
		l.ui->theme = theme ? *theme : themes[0];
		set_theme(&l);
		take_size(&l);
		loop(&l);
	}
	term_close(l.term);
	if (l.signal_fd >= 0) {
		sigprocmask(SIG_SETMASK, &l.old_mask, NULL);
		close(l.signal_fd);
	}
	if (l.inotify_fd >= 0)
		close(l.inotify_fd);
	ui_destroy(l.ui);
	return err;
}
