/*
 * app_loop: the loop. One thread, one poll(2) over the terminal, signals, the growing capture, the
 * program's terminal and the recorder. Long work is done in slices of 3 ms, and the keyboard is
 * read between them; its progress is drawn 25 times a second. If there is nothing to do, the loop
 * sleeps until something happens.
 */
#include "ui/app_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
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
#include "base/tr.h"
#include "model/trace.h"
#include "ui/app_hold.h"
#include "ui/app_input.h"
#include "ui/app_messages.h"
#include "ui/app_panes.h"
#include "ui/app_state.h"
#include "ui/app_write.h"
#include "ui/pane_terminal.h"
#include "ui/term.h"

enum { SLICE_NS = 3000000, PROGRESS_NS = 40000000 };

struct loop {
	struct app *app;
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
	struct view *s = l->app->host.view;
	if (!s || s->trace == l->watched)
		return;
	if (l->watch >= 0)
		inotify_rm_watch(l->inotify_fd, l->watch);
	l->watched = s->trace;
	char stream[32];
	const char *path = s->path;
	if (trace_is_stream(s->trace) || (path && !strcmp(path, "-"))) {
		trace_watch_path(s->trace, stream);
		path = stream;
	}
	l->watch = path ? inotify_add_watch(l->inotify_fd, path,
					    IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVE_SELF |
						IN_DELETE_SELF)
			: -1;
	l->app->growth_waits = true; /* something may have been written before the watch was set */
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
	struct app *app = l->app;
	const char *editor = getenv("VISUAL");
	if (!editor || !*editor)
		editor = getenv("EDITOR");
	if (!editor || !*editor)
		editor = "vi";
	char line[32];
	snprintf(line, sizeof(line), "+%u", app->edit_line ? app->edit_line : 1);
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
		execl("/bin/sh", "sh", "-c", "exec $0 \"$1\" \"$2\"", editor, line, app->edit_file,
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
		app_flash(app, "cannot run %s: $EDITOR names the editor", editor);
	free(app->edit_file);
	app->edit_file = NULL;
}

static void suspend(struct loop *l)
{
	term_leave(l->term);
	kill(0, SIGTSTP); /* the whole process group: this may be part of a pipeline */
	term_enter(l->term);
}

static void set_theme(struct loop *l)
{
	struct app *app = l->app;
	for (int i = 0; i < app->config.n_colors; i++) {
		struct err *err = theme_set(&app->theme, app->config.colors[i].role,
					    app->config.colors[i].style);
		err_destroy(err);
	}
	term_set_theme(l->term, &app->theme);
	app->theme_changed = false;
}

/* Do what the app asked of the terminal. */
static void serve(struct loop *l)
{
	struct app *app = l->app;
	if (app->theme_changed)
		set_theme(l);
	if (app->mouse_changed) {
		term_set_mouse(l->term, app->mouse);
		app->mouse_changed = false;
	}
	if (app->copied) {
		const char *refused = term_copy(l->term, app->copied, app->copied_bytes);
		if (refused)
			app_flash(app, "not copied: %s; w writes to a file", refused);
		free(app->copied);
		app->copied = NULL;
	}
	if (app->wants_redraw) {
		term_redraw(l->term);
		app->wants_redraw = false;
		app->dirty = true;
	}
	if (app->edit_file)
		edit(l);
	if (app->wants_suspend) {
		app->wants_suspend = false;
		suspend(l);
	}
}

static void take_size(struct loop *l)
{
	int lines, columns;
	term_size(l->term, &lines, &columns);
	app_resize(l->app, lines, columns);
}

static void loop(struct loop *l)
{
	struct app *app = l->app;
	bool more = true;
	uint64_t drawn_ns = 0;
	while (!app->quit && !l->terminated) {
		watch(l);
		if (app->dirty && (!more || monotonic_ns() - drawn_ns >= PROGRESS_NS)) {
			app_draw(app);
			term_draw(l->term, &app->canvas);
			drawn_ns = monotonic_ns();
		}
		struct view *s = app->host.view;
		int live_fd = s && s->live && s->live->fd ? s->live->fd(s->live_ctx) : -1;
		int now_fd = s && s->live && s->live->now_fd ? s->live->now_fd(s->live_ctx) : -1;
		int pty = s ? s->terminal_fd : -1;
		const struct app_start_ops *start = app->options.start;
		int start_fd = !s && start && start->fd ? start->fd(app->options.start_ctx) : -1;
		struct pollfd fds[] = { { .fd = term_fd(l->term), .events = POLLIN },
					{ .fd = l->signal_fd, .events = POLLIN },
					{ .fd = l->inotify_fd, .events = POLLIN },
					{ .fd = live_fd, .events = POLLIN },
					{ .fd = pty, .events = POLLIN },
					{ .fd = start_fd, .events = POLLIN },
					{ .fd = now_fd, .events = POLLIN } };
		uint64_t now = monotonic_ns(), deadline = app_deadline(app);
		int timeout = more                     ? 0
			      : deadline == UINT64_MAX ? -1
			      : deadline <= now        ? 0
						       : (int)((deadline - now) / 1000000 + 1);
		int n = poll(fds, ARRAY_LEN(fds), timeout);
		if (n < 0 && errno != EINTR)
			break;
		app->host.now_ns = monotonic_ns();
		if (fds[1].revents)
			signals_read(l);
		bool growth = fds[2].revents && watch_read(l);
		if (fds[3].revents && s->live->read) {
			s->live->read(s->live_ctx);
			app_dump_answer(app);
			app_hold_poll(app);
			growth = true;
		}
		if (fds[5].revents && start->read(app->options.start_ctx))
			app_changed(app, CHANGE_EVENTS);
		if (fds[4].revents) {
			if (!pane_terminal_read(app_pane(app, PANE_TERMINAL), pty))
				s->terminal_fd = -1;
			app->output_at_ns = app->host.now_ns;
			app->dirty = true;
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
				app_input(app, in);
			if (app->quit)
				break;
			serve(l);
		}
		if (app->quit)
			break;
		/* draw a frame right after a key or a new size, then work */
		if (app->dirty && n > 0 && (fds[0].revents || fds[1].revents)) {
			app_draw(app);
			term_draw(l->term, &app->canvas);
			drawn_ns = monotonic_ns();
		}
		more = app_advance(app, monotonic_ns(), growth, SLICE_NS);
		serve(l);
	}
}

/* A plain screen is in English, and has a cure, unless the terminal itself has no more. */
static void begin_plain(struct app *app)
{
	const char *name = getenv("TERM");
	/* term_open() has tried C.UTF-8 */
	bool has_cure = !strcmp(nl_langinfo(CODESET), "UTF-8");
	const char *text =
	    has_cure ? "the locale has no UTF-8, so signs are plain; LANG=C.UTF-8 shows all"
		     : "no locale with UTF-8 is installed here, so signs are plain";
	tr_choose(NULL, NULL);
	if (name && !strcmp(name, "dumb"))
		return;
	app->host.now_ns = monotonic_ns();
	app_flash(app, "%s", text);
	app_message(app, "note", SELECTION_NONE, false, "%s", text);
}

struct err *app_run(const struct app_options *options)
{
	struct loop l = { .signal_fd = -1, .inotify_fd = -1, .watch = -1 };
	struct err *err = app_create(options, &l.app);
	if (err)
		return err;
	l.app->no_color = options->color == APP_COLOR_NEVER ||
			  (options->color == APP_COLOR_AUTO && getenv("NO_COLOR") &&
			   *getenv("NO_COLOR"));
	struct term_options term = { .mouse = l.app->mouse,
				     .no_color = l.app->no_color,
				     .force_color = options->color == APP_COLOR_ALWAYS };
	err = term_open(&term, &l.term);
	if (!err)
		err = signals_open(&l);
	if (!err) {
		l.inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		l.app->is_light = term_is_light(l.term);
		l.app->canvas.ascii = term_is_ascii(l.term);
		if (l.app->canvas.ascii)
			begin_plain(l.app);
		const char *name = term_colors(l.term) ? l.app->theme_name : "mono";
		const struct theme *theme = theme_find(name, l.app->is_light);
		l.app->theme = theme ? *theme : themes[0];
		set_theme(&l);
		term_resized(l.term); /* it may have changed before signals were waited for */
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
	app_destroy(l.app);
	return err;
}
