/*
 * session: see session.h.
 */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h> /* login_tty */

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

uint64_t session_clock(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int on_property(VTermProp prop, VTermValue *value, void *ctx)
{
	struct session *s = ctx;
	if (prop == VTERM_PROP_ALTSCREEN)
		s->in_alternate = value->boolean;
	else if (prop == VTERM_PROP_CURSORVISIBLE)
		s->cursor_shown = value->boolean;
	else if (prop == VTERM_PROP_MOUSE)
		s->mouse = value->number;
	return 1;
}

/* Answer as the terminal does: its background, its attributes. */
static void on_answer(const char *bytes, size_t n, void *ctx)
{
	struct session *s = ctx;
	if (s->master >= 0)
		session_send(s, bytes, n);
}

struct session *session_start(char *const argv[], const char *const env[], const char *home,
			      int n_lines, int n_columns)
{
	static const VTermScreenCallbacks callbacks = { .settermprop = on_property };
	struct session *s = calloc(1, sizeof(*s));
	if (!s)
		die("calloc");
	struct winsize size = { .ws_row = (unsigned short)n_lines,
				.ws_col = (unsigned short)n_columns };
	if (openpty(&s->master, &s->slave, NULL, NULL, &size))
		die("openpty");
	/* otherwise C-c and C-z right after the program has left would discard its last output
	 * (termios(3), NOFLSH) */
	struct termios modes;
	tcgetattr(s->slave, &modes);
	modes.c_lflag |= NOFLSH;
	tcsetattr(s->slave, TCSANOW, &modes);
	s->n_lines = n_lines;
	s->n_columns = n_columns;
	s->cursor_shown = true;
	s->pid = fork();
	if (s->pid < 0)
		die("fork");
	if (s->pid == 0) {
		static const char *const names[] = { "HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME",
						     "XDG_STATE_HOME" };
		close(s->master);
		clearenv();
		setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1);
		setenv("TERM", "xterm-256color", 1);
		setenv("LC_ALL", "C.UTF-8", 1);
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			setenv(names[i], home, 1);
		for (size_t i = 0; env && env[i]; i++)
			putenv(strdup(env[i]));
		login_tty(s->slave);
		execvp(argv[0], argv);
		_exit(127);
	}
	fcntl(s->master, F_SETFL, O_NONBLOCK);
	fcntl(s->master, F_SETFD, FD_CLOEXEC);
	fcntl(s->slave, F_SETFD, FD_CLOEXEC);
	s->vt = vterm_new(n_lines, n_columns);
	vterm_set_utf8(s->vt, 1);
	vterm_output_set_callback(s->vt, on_answer, s);
	s->screen = vterm_obtain_screen(s->vt);
	vterm_screen_set_callbacks(s->screen, &callbacks, s);
	vterm_screen_enable_altscreen(s->screen, 1);
	vterm_screen_reset(s->screen, 1);
	s->last_ns = session_clock();
	return s;
}

void session_destroy(struct session *s)
{
	if (!s)
		return;
	if (!s->ended) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, &s->status, 0);
	}
	close(s->master);
	close(s->slave);
	s->master = -1;
	vterm_free(s->vt);
	free(s->log);
	free(s);
}

void session_send(struct session *s, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = write(s->master, bytes, n);
		/* the queue is full: the program must read first, and may have to write for that */
		if (done < 0 && errno == EAGAIN) {
			if (!session_pump(s, 1000000) && s->ended)
				return;
			continue;
		}
		if (done < 0)
			return;
		bytes += done;
		n -= (size_t)done;
	}
}

void session_resize(struct session *s, int n_lines, int n_columns)
{
	struct winsize size = { .ws_row = (unsigned short)n_lines,
				.ws_col = (unsigned short)n_columns };
	s->n_lines = n_lines;
	s->n_columns = n_columns;
	vterm_set_size(s->vt, n_lines, n_columns);
	ioctl(s->master, TIOCSWINSZ, &size);
}

static void take(struct session *s, const char *bytes, size_t n)
{
	char both[4 + 65536];
	memcpy(both, s->tail, sizeof(s->tail));
	memcpy(both + 4, bytes, n);
	for (size_t i = 1; i < n + 1; i++) /* sequences that end within the new bytes */
		if (!memcmp(both + i, "\033[2J", 4) || !memcmp(both + i + 1, "\033[J", 3))
			s->n_cleared++;
	memcpy(s->tail, both + n, 4);
	if (s->keep_log) {
		char *log = realloc(s->log, s->n_log + n + 1);
		if (!log)
			die("realloc");
		memcpy(log + s->n_log, bytes, n);
		s->log = log;
		s->n_log += n;
		log[s->n_log] = 0;
	}
	vterm_input_write(s->vt, bytes, n);
	s->n_bytes += n;
}

bool session_pump(struct session *s, uint64_t timeout_ns)
{
	char buf[65536];
	bool any = false;
	for (;;) {
		ssize_t n = read(s->master, buf, sizeof(buf));
		if (n > 0) {
			s->last_ns = session_clock();
			take(s, buf, (size_t)n);
			any = true;
			continue;
		}
		if (any)
			return true;
		if (!s->ended && waitpid(s->pid, &s->status, WNOHANG) == s->pid) {
			s->ended = true;
			continue; /* its last output */
		}
		if (s->ended)
			return false;
		struct pollfd p = { .fd = s->master, .events = POLLIN };
		struct timespec ts = { (time_t)(timeout_ns / 1000000000u),
				       (long)(timeout_ns % 1000000000u) };
		if (timeout_ns == 0 || ppoll(&p, 1, &ts, NULL) <= 0)
			return false;
		timeout_ns = 0;
	}
}

bool session_settle(struct session *s, uint64_t quiet_ns, uint64_t limit_ns)
{
	uint64_t end = session_clock() + limit_ns, before = 0, ran, waited;
	session_cpu(s->pid, &before, &waited);
	while (!s->ended) {
		if (session_pump(s, quiet_ns))
			session_cpu(s->pid, &before, &waited);
		uint64_t now = session_clock();
		session_cpu(s->pid, &ran, &waited);
		if (now - s->last_ns >= quiet_ns && ran == before && session_state(s->pid) == 'S')
			return true;
		before = ran;
		if (now > end)
			return false;
	}
	return false;
}

bool session_wait(struct session *s, const char *text, bool wanted, uint64_t limit_ns)
{
	uint64_t end = session_clock() + limit_ns;
	while (session_has(s, text) != wanted) {
		if (session_clock() > end || (!session_pump(s, 20000000) && s->ended))
			return session_has(s, text) == wanted;
	}
	return true;
}

bool session_wait_end(struct session *s, uint64_t limit_ns)
{
	uint64_t end = session_clock() + limit_ns;
	while (!s->ended && session_clock() < end)
		session_pump(s, 20000000);
	while (session_pump(s, 0))
		;
	return s->ended;
}

static size_t put_utf8(char *to, uint32_t c)
{
	if (c < 0x80)
		return to[0] = (char)c, 1;
	if (c < 0x800)
		return to[0] = (char)(0xc0 | c >> 6), to[1] = (char)(0x80 | (c & 63)), 2;
	if (c < 0x10000)
		return to[0] = (char)(0xe0 | c >> 12), to[1] = (char)(0x80 | (c >> 6 & 63)),
		       to[2] = (char)(0x80 | (c & 63)), 3;
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 63));
	to[2] = (char)(0x80 | (c >> 6 & 63));
	to[3] = (char)(0x80 | (c & 63));
	return 4;
}

void session_line(const struct session *s, int line, int from_column, char *to, size_t size)
{
	size_t n = 0, end = 0;
	for (int x = from_column; x < s->n_columns && n + 32 < size; x++) {
		VTermScreenCell cell;
		if (!vterm_screen_get_cell(s->screen, (VTermPos){ line, x }, &cell) ||
		    cell.chars[0] == (uint32_t)-1)
			continue;
		if (!cell.chars[0])
			to[n++] = ' ';
		for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i]; i++)
			n += put_utf8(to + n, cell.chars[i]);
		if (to[n - 1] != ' ')
			end = n;
	}
	to[end] = 0;
}

bool session_has(const struct session *s, const char *text)
{
	char line[2048];
	for (int y = 0; y < s->n_lines; y++) {
		session_line(s, y, 0, line, sizeof(line));
		if (strstr(line, text))
			return true;
	}
	return false;
}

char *session_text(const struct session *s)
{
	char *all = malloc((size_t)s->n_lines * 2048 + 1);
	size_t n = 0;
	if (!all)
		die("malloc");
	for (int y = 0; y < s->n_lines; y++) {
		session_line(s, y, 0, all + n, 2046);
		n += strlen(all + n);
		all[n++] = '\n';
	}
	all[n] = 0;
	return all;
}

static void count_answer(const char *bytes, size_t n, void *ctx)
{
	*(size_t *)ctx += n;
}

bool session_marks_paste(struct session *s)
{
	size_t n = 0;
	vterm_output_set_callback(s->vt, count_answer, &n);
	vterm_keyboard_start_paste(s->vt);
	vterm_output_set_callback(s->vt, on_answer, s);
	return n > 0;
}

static bool slurp(pid_t pid, const char *name, char *to, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, to, size - 1) : -1;
	if (fd >= 0)
		close(fd);
	to[n > 0 ? n : 0] = 0;
	return n > 0;
}

char session_state(pid_t pid)
{
	char text[1024];
	if (!slurp(pid, "stat", text, sizeof(text)))
		return 0;
	char *p = strrchr(text, ')');
	return p && p[1] ? p[2] : 0;
}

void session_cpu(pid_t pid, uint64_t *ret_ran_ns, uint64_t *ret_waited_ns)
{
	char text[128];
	unsigned long long ran = 0, waited = 0;
	if (slurp(pid, "schedstat", text, sizeof(text)))
		sscanf(text, "%llu %llu", &ran, &waited);
	*ret_ran_ns = ran;
	*ret_waited_ns = waited;
}

uint64_t session_rss(pid_t pid)
{
	char text[128];
	unsigned long long size, rss = 0;
	if (slurp(pid, "statm", text, sizeof(text)))
		sscanf(text, "%llu %llu", &size, &rss);
	return rss * (uint64_t)sysconf(_SC_PAGESIZE);
}
