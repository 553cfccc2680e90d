/*
 * ways_out: however the screen ends, the terminal is restored, and the target continues.
 *
 *     ways_out AUDITVIEW CAPTURE PYTHON [NAME…]
 *
 * It runs the real program on a pseudo-terminal. After each way out it checks: main screen, cursor
 * shown, no mouse reports, no marked pastes, the line discipline as before, and the exit status of
 * that way out. With a live target: it still counts, ends when it is told to, with its own status
 * and output.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "session.h"

#define S 1000000000ull
enum { DEADLINE = 60 }; /* s; enough for a busy machine */

static const char *auditview, *capture, *python;
static char home[] = "/tmp/auditview-ways-XXXXXX";
static int failed;

static void fail(const char *way, const char *what, struct session *s)
{
	char *text = session_text(s);
	printf("FAIL %s: %s\n%s", way, what, text);
	free(text);
	failed++;
}

static bool same_line(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
	       a->c_lflag == b->c_lflag && !memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc));
}

static void check_terminal(const char *way, struct session *s, const struct termios *before)
{
	struct termios now;
	tcgetattr(s->slave, &now);
	if (s->in_alternate)
		fail(way, "the second screen is still shown", s);
	if (!s->cursor_shown)
		fail(way, "the cursor is hidden", s);
	if (s->mouse)
		fail(way, "the mouse is still reported", s);
	if (session_marks_paste(s))
		fail(way, "pasted text still comes marked", s);
	if (!same_line(&now, before))
		fail(way, "the line discipline is another", s);
}

static struct session *start(char *const argv[], struct termios *before)
{
	const char *const env[] = { "PS1=READY$ ", NULL };
	struct session *s = session_start(argv, env, home, 24, 80);
	/* nothing has changed the modes of the new terminal in a way that matters: it is cooked */
	tcgetattr(s->slave, before);
	return s;
}

/* ---- ways out of a capture ---- */

/* The modes of a new terminal that no program has changed. */
static void unchanged_modes(struct termios *ret)
{
	struct session *fresh = session_start((char *[]){ (char[]){ "true" }, NULL }, NULL, home,
					      24, 80);
	session_wait_end(fresh, DEADLINE * S);
	tcgetattr(fresh->slave, ret);
	session_destroy(fresh);
}

static void by_signal(const char *way, int sig, bool clean)
{
	struct termios before;
	char *argv[] = { strdup(auditview), (char[]){ "--no-config" }, strdup(capture), NULL };
	unchanged_modes(&before);
	struct session *s = session_start(argv, NULL, home, 24, 80);
	if (!session_wait(s, "Events", true, DEADLINE * S) || !s->in_alternate)
		fail(way, "no screen came", s);
	if (sig)
		kill(s->pid, sig);
	else
		session_send(s, "Q", 1);
	if (!session_wait_end(s, DEADLINE * S))
		fail(way, "it did not end", s);
	else if (clean ? !WIFEXITED(s->status)
		       : !WIFSIGNALED(s->status) || WTERMSIG(s->status) != sig)
		fail(way, "it ended in another way", s);
	check_terminal(way, s, &before);
	session_destroy(s);
	free(argv[0]);
	free(argv[2]);
}

static void way_quit(void)
{
	by_signal("Q", 0, true);
}

static void way_ended(void)
{
	by_signal("SIGTERM", SIGTERM, true);
	by_signal("SIGHUP", SIGHUP, true);
	by_signal("SIGINT", SIGINT, true);
}

static void way_crash(void)
{
	static const struct {
		const char *name;
		int sig;
	} crashes[] = { { "SIGSEGV", SIGSEGV }, { "SIGABRT", SIGABRT }, { "SIGBUS", SIGBUS },
			{ "SIGFPE", SIGFPE },   { "SIGILL", SIGILL },   { "SIGQUIT", SIGQUIT } };
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		by_signal(crashes[i].name, crashes[i].sig, false);
}

/* Input that arrives while one program gives the terminal to another may be discarded with what the
 * first one had not read. */
static bool shell_answers(struct session *s, const char *command, const char *answer)
{
	bool does = false;
	for (unsigned i = 0; i < DEADLINE / 3 && !does; i++) {
		session_send(s, command, strlen(command));
		does = session_wait(s, answer, true, 3 * S);
	}
	return does;
}

/* From a shell with job control: Ctrl-Z, fg, twice, with another size in between. */
static void way_stopped(void)
{
	struct termios before;
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-i" }, NULL }, command[512];
	struct session *s = start(argv, &before);
	if (!session_wait(s, "READY$", true, DEADLINE * S))
		fail("Ctrl-Z", "no shell came", s);
	snprintf(command, sizeof(command), "%s --no-config %s\r", auditview, capture);
	session_send(s, command, strlen(command));
	if (!session_wait(s, "Events", true, DEADLINE * S))
		fail("Ctrl-Z", "no screen came", s);
	for (int i = 0; i < 2; i++) {
		session_send(s, "\032", 1);
		uint64_t end = session_clock() + DEADLINE * S;
		while (s->in_alternate && session_clock() < end)
			session_pump(s, S / 50);
		char back[16];
		snprintf(command, sizeof(command), "echo back-$((40+%d))\r", i);
		snprintf(back, sizeof(back), "back-%d", 40 + i);
		if (!shell_answers(s, command, back))
			fail("Ctrl-Z", "the shell does not answer", s);
		check_terminal("Ctrl-Z", s, &before);
		/* what another program left behind is not there after us */
		static const char hide[] = "printf '\\033[?25l'\r";
		session_send(s, hide, sizeof(hide) - 1);
		while (s->cursor_shown && session_clock() < end)
			session_pump(s, S / 50);
		session_resize(s, 30 - i, 100 - i);
		session_send(s, "fg\r", 3);
		if (!session_wait(s, "━ Events", true, DEADLINE * S) || !s->in_alternate)
			fail("fg", "the screen did not come back", s);
	}
	session_send(s, "Q", 1);
	uint64_t end = session_clock() + DEADLINE * S;
	while (s->in_alternate && session_clock() < end)
		session_pump(s, S / 50);
	if (!shell_answers(s, "echo gone-$((40+3))\r", "gone-43"))
		fail("Q after fg", "the shell does not answer", s);
	check_terminal("Q after fg", s, &before);
	session_send(s, "exit\r", 5);
	session_wait_end(s, DEADLINE * S);
	session_destroy(s);
}

/* ---- ways out of a live session: the target must not notice ---- */

static const char target_text[] = "import os, sys, time\n"
				  "folder, n = sys.argv[1], 0\n"
				  "while not os.path.exists(folder + '/stop'):\n"
				  "    sys.audit('ways.out', n)\n"
				  "    n += 1\n"
				  "    with open(folder + '/count.new', 'w') as f:\n"
				  "        f.write(str(n))\n"
				  "    os.rename(folder + '/count.new', folder + '/count')\n"
				  "    time.sleep(0.01)\n"
				  "print('counted', n == int(open(folder + '/count').read()))\n"
				  "sys.exit(7)\n";

struct target {
	char folder[128];
	pid_t pid;
	int out;
};

static long target_count(const struct target *t)
{
	char path[160], text[32] = "";
	snprintf(path, sizeof(path), "%s/count", t->folder);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? atol(text) : 0;
}

static bool target_goes_on(const struct target *t)
{
	long from = target_count(t);
	for (uint64_t end = session_clock() + DEADLINE * S; session_clock() < end; usleep(5000))
		if (target_count(t) > from + 3)
			return true;
	return false;
}

static void target_start(struct target *t)
{
	int fds[2];
	snprintf(t->folder, sizeof(t->folder), "%s/target-XXXXXX", home);
	if (!mkdtemp(t->folder) || pipe(fds))
		exit(2);
	t->pid = fork();
	if (t->pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		setsid();
		execlp(python, python, "-c", target_text, t->folder, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	t->out = fds[0];
	target_goes_on(t);
}

static void target_end(const char *way, struct target *t, struct session *s)
{
	char path[160], text[256] = "";
	if (!target_goes_on(t))
		fail(way, "the target stands still", s);
	snprintf(path, sizeof(path), "%s/stop", t->folder);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ssize_t n, all = 0;
	while ((n = read(t->out, text + all, sizeof(text) - 1 - (size_t)all)) > 0)
		all += n;
	close(t->out);
	int status = 0;
	waitpid(t->pid, &status, 0);
	if (strcmp(text, "counted True\n") || !WIFEXITED(status) || WEXITSTATUS(status) != 7) {
		printf("target: status %#x, output %s\n", (unsigned)status, text);
		fail(way, "the target was harmed", s);
	}
}

static pid_t recorder_of(pid_t viewer)
{
	char path[64], text[256] = "";
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)viewer, (int)viewer);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t n = read(fd, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = 0;
		close(fd);
	}
	return (pid_t)atol(text);
}

static void live(const char *way, int sig, bool of_recorder)
{
	struct target t;
	struct termios before;
	char pid[16];
	target_start(&t);
	snprintf(pid, sizeof(pid), "%d", (int)t.pid);
	char *argv[] = { strdup(auditview), (char[]){ "--no-config" }, (char[]){ "-p" }, pid,
			 NULL };
	unchanged_modes(&before);
	struct session *s = session_start(argv, NULL, home, 24, 80);
	if (!session_wait(s, "ways.out", true, DEADLINE * S))
		fail(way, "no event came", s);
	if (of_recorder) {
		pid_t recorder = recorder_of(s->pid);
		if (recorder <= 1)
			fail(way, "no recorder was found", s);
		else
			kill(recorder, sig);
		/* on SIGTERM it detaches in good order; if it is killed, the screen notices */
		if (!session_wait(s, sig == SIGTERM ? "○ detached" : "recorder gone", true,
				  DEADLINE * S))
			fail(way, "the screen does not say that the recorder is gone", s);
		session_send(s, "\033[A\033[Ah", 7); /* the screen still answers */
		if (!session_wait(s, "Help", true, DEADLINE * S))
			fail(way, "keys are not answered", s);
		session_send(s, "Q", 1);
	} else if (sig) {
		kill(s->pid, sig);
	} else {
		session_send(s, "Q", 1);
	}
	if (!session_wait_end(s, DEADLINE * S))
		fail(way, "it did not end", s);
	if (sig != SIGKILL || of_recorder)
		check_terminal(way, s, &before);
	target_end(way, &t, s);
	session_destroy(s);
	free(argv[0]);
}

static void way_live(void)
{
	live("live, Q", 0, false);
	live("live, SIGTERM", SIGTERM, false);
	live("live, SIGHUP", SIGHUP, false);
	live("live, SIGSEGV", SIGSEGV, false);
	live("live, SIGABRT", SIGABRT, false);
	live("live, SIGKILL", SIGKILL, false);
}

static void way_recorder(void)
{
	live("recorder, SIGTERM", SIGTERM, true);
	live("recorder, SIGKILL", SIGKILL, true);
	live("recorder, SIGSEGV", SIGSEGV, true);
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = { { "quit", way_quit },       { "ended", way_ended }, { "crash", way_crash },
	     { "stopped", way_stopped }, { "live", way_live },   { "recorder", way_recorder } };

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: ways_out AUDITVIEW CAPTURE PYTHON [NAME…]\n");
		return 2;
	}
	auditview = realpath(argv[1], NULL);
	capture = realpath(argv[2], NULL);
	python = argv[3];
	if (!auditview || !capture || !mkdtemp(home))
		return 2;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		bool wanted = argc == 4;
		for (int k = 4; k < argc; k++)
			wanted |= !strcmp(argv[k], ways[i].name);
		int before = failed;
		uint64_t begin = session_clock();
		if (!wanted)
			continue;
		ways[i].run();
		printf("%-5s %-10s %.1f s\n", failed == before ? "ok" : "FAIL", ways[i].name,
		       (double)(session_clock() - begin) / 1e9);
		fflush(stdout);
	}
	char clean[64];
	snprintf(clean, sizeof(clean), "rm -rf '%s'", home);
	return system(clean) || failed != 0;
}
