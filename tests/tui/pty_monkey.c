/*
 * pty_monkey: random keys, mouse, pastes and sizes on the real program, on a pseudo-terminal. For a
 * build with sanitizers.
 *
 *     pty_monkey AUDITVIEW COUNT SEED CAPTURE                 a capture
 *     pty_monkey AUDITVIEW COUNT SEED --live PYTHON           a Python target that continues while
 *     auditview attaches and detaches many times
 *
 * Afterwards: no sanitizer reported anything (their reports go to files that are read here), every
 * exit was orderly, the screen equals one that is drawn from scratch, the terminal is restored, and
 * the target has counted correctly and ended with its own status.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session.h"

#define S 1000000000ull

static char home[] = "/tmp/auditview-monkey-XXXXXX";
static uint64_t state;
static unsigned long n_sent, n_starts, n_redraws;

static uint64_t any(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull % below;
}

static void die(const char *what, struct session *s)
{
	char *text = s ? session_text(s) : strdup("");
	fprintf(stderr, "%s; input %lu\n%s", what, n_sent, text);
	glob_t found;
	char pattern[128];
	snprintf(pattern, sizeof(pattern), "%s/sanitizer.*", home);
	if (!glob(pattern, 0, NULL, &found))
		for (size_t i = 0; i < found.gl_pathc; i++) {
			char command[300];
			snprintf(command, sizeof(command), "head -60 '%s' >&2", found.gl_pathv[i]);
			if (system(command))
				break;
		}
	fprintf(stderr, "left in %s\n", home);
	exit(1);
}

static void check_reports(struct session *s)
{
	glob_t found;
	char pattern[128];
	snprintf(pattern, sizeof(pattern), "%s/sanitizer.*", home);
	if (!glob(pattern, 0, NULL, &found)) {
		globfree(&found);
		die("a sanitizer has reported", s);
	}
}

static size_t any_input(const struct session *s, char *to, size_t size)
{
	static const char *const keys[] = { "\033[A", "\033[B", "\033[C", "\033[D",  "\033OA",
					    "\033OB", "\033OC", "\033OD", "\033[5~", "\033[6~",
					    "\033OH", "\033OF", "\177",   "\033[3~", "\033[2~",
					    "\t",     "\033[Z", "\r",     "\033",    " ",
					    "\033OP", "\033OS", "\014",   "\003",    "\032" };
	static const char *const words[] = { ":",
					     "/",
					     "?",
					     "f",
					     ":goto 50%\r",
					     ":filter @network\r",
					     "/open\r",
					     "f@import\r",
					     "s",
					     "t",
					     "i",
					     ":summary by caller\r",
					     ":theme light\r",
					     "p",
					     "H",
					     "D",
					     "R",
					     "q",
					     "q",
					     "=",
					     "G",
					     "g",
					     "F",
					     "w" };
	uint64_t how = any(20);
	int x = (int)any((uint64_t)s->n_columns), y = (int)any((uint64_t)s->n_lines);
	if (how == 0) /* the old mouse report, which ends at 223 */
		return (size_t)snprintf(to, size, "\033[M%c%c%c",
					(int)(32 + (any(2) ? any(4) : 64 + any(2))), 33 + x % 200,
					33 + y % 200);
	if (how == 1)
		return (size_t)snprintf(to, size, "\033[<%d;%d;%d%c", (int)(any(4) + 32 * any(4)),
					x + 1, y + 1, any(2) ? 'M' : 'm');
	if (how == 2)
		return (size_t)snprintf(to, size, "\033[200~%c%c\n\033[31m\t%s\033[201~",
					(int)(32 + any(95)), (int)(32 + any(223)), "ä");
	if (how == 3) { /* bytes */
		size_t n = 1 + any(4);
		for (size_t i = 0; i < n; i++)
			to[i] = (char)(1 + any(255));
		/* C-\ becomes SIGQUIT on a terminal that $EDITOR uses */
		for (size_t i = 0; i < n; i++)
			if (to[i] == 034)
				to[i] = 'x';
		return n;
	}
	if (how < 9)
		return (size_t)snprintf(to, size, "%s", keys[any(sizeof(keys) / sizeof(keys[0]))]);
	if (how < 12)
		return (size_t)snprintf(to, size, "%s",
					words[any(sizeof(words) / sizeof(words[0]))]);
	to[0] = (char)(' ' + any(95));
	return 1;
}

static void check_end(struct session *s)
{
	/* C-c after a Q reaches a terminal that turns it into a signal again, as in any program */
	bool is_interrupt = WIFSIGNALED(s->status) && WTERMSIG(s->status) == SIGINT;
	if (!is_interrupt && (!WIFEXITED(s->status) ||
			      (WEXITSTATUS(s->status) != 0 && WEXITSTATUS(s->status) != 1))) {
		fprintf(stderr, "status %#x\n", (unsigned)s->status);
		die("it ended in disorder", s);
	}
	bool marks = session_marks_paste(s);
	if (s->in_alternate || !s->cursor_shown || s->mouse || marks) {
		fprintf(stderr,
			"status %#x; second screen %d, cursor %d, mouse %d, marked pastes %d; last "
			"written:\n",
			(unsigned)s->status, s->in_alternate, s->cursor_shown, s->mouse, marks);
		for (size_t i = s->n_log > 3000 ? s->n_log - 3000 : 0; i < s->n_log; i++)
			fprintf(stderr, s->log[i] >= ' ' && s->log[i] < 127 ? "%c" : "\\x%02x",
				(unsigned char)s->log[i]);
		fputc('\n', stderr);
		die("it left the terminal as it must not", s);
	}
	check_reports(s);
}

static struct session *start(char *const argv[])
{
	char asan[200], ubsan[200];
	snprintf(asan, sizeof(asan),
		 "ASAN_OPTIONS=detect_leaks=1:handle_segv=2:handle_abort=2:handle_sigbus=2:handle_"
		 "sigfpe=2:"
		 "log_path=%s/sanitizer:exitcode=99",
		 home);
	snprintf(
	    ubsan, sizeof(ubsan),
	    "UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:log_path=%s/sanitizer:exitcode=99",
	    home);
	const char *const env[] = { asan, ubsan, "VISUAL=true", NULL };
	struct session *s = session_start(argv, env, home, 24, 80);
	n_starts++;
	s->keep_log = true;
	if (!session_wait(s, "Events", true, 120 * S) && s->ended)
		check_end(s);
	return s;
}

/* What is drawn step by step must equal what is drawn from scratch. Checked only if nothing moves
 * by itself. */
static void check_screen(struct session *s)
{
	if (!session_settle(s, S / 5, 20 * S))
		return;
	char *before = session_text(s);
	uint64_t cleared = s->n_cleared;
	session_send(s, "\014", 1);
	session_settle(s, S / 5, 20 * S);
	if (s->n_cleared != cleared && !s->ended) { /* in a prompt the key has no effect */
		/* any key removes a message from the last line, and the title line may show the
		 * progress of work */
		char *now = session_text(s);
		char *x = strrchr(before, '\n'), *y = strrchr(now, '\n');
		for (int i = 0; i < 3; i++) {
			if (x)
				*x = 0;
			if (y)
				*y = 0;
			x = strrchr(before, '\n');
			y = strrchr(now, '\n');
		}
		if (strcmp(before, now)) {
			fprintf(stderr, "drawn bit by bit:\n%s\ndrawn anew:\n%s\n", before, now);
			die("the screen is broken", s);
		}
		free(now);
		n_redraws++;
	}
	free(before);
}

static void run(char *const argv[], unsigned long count, bool is_live)
{
	struct session *s = start(argv);
	while (n_sent < count) {
		char bytes[256];
		if (any(60) == 0)
			/* libvterm 0.1 writes to no cell if a wide letter is in a terminal of one
			 * column */
			session_resize(s, 1 + (int)any(90), 2 + (int)any(249));
		size_t n = any_input(s, bytes, sizeof(bytes));
		session_send(s, bytes, n);
		n_sent++;
		/* now and then it may become idle, else keys come as fast as it takes them */
		session_pump(s, any(8) ? 0 : 2000000);
		if (!is_live && n_sent % 500 == 0 && !s->ended) {
			session_resize(s, 24, 80);
			for (int i = 0; i < 2 && !s->ended; i++) { /* leave a prompt */
				session_send(s, "\033", 1);
				session_settle(s, S / 10, 5 * S);
			}
			check_screen(s);
		}
		if (n_sent % 5000 == 0) {
			check_reports(s);
			printf("%lu inputs, %lu starts, %lu screens drawn anew, %.0f MB\n", n_sent,
			       n_starts, n_redraws, (double)session_rss(s->pid) / 1e6);
			fflush(stdout);
		}
		if (s->ended) {
			check_end(s);
			session_destroy(s);
			s = start(argv);
		}
	}
	/* leave whatever is open */
	for (uint64_t end = session_clock() + 60 * S; !s->ended && session_clock() < end;) {
		session_send(s, "\033", 1);
		session_pump(s, S / 10);
		session_send(s, "\033Q", 2);
		session_pump(s, S / 5);
	}
	if (!session_wait_end(s, 60 * S))
		die("it does not end", s);
	check_end(s);
	session_destroy(s);
}

static const char target_text[] =
    "import os, sys, time\n"
    "folder, n, total = sys.argv[1], 0, 0\n"
    "while not os.path.exists(folder + '/stop'):\n"
    "    for i in range(200):\n"
    "        sys.audit('monkey.step', n, 'text %d' % (n % 1000), (folder, i))\n"
    "        n += 1\n"
    "        total += i\n"
    "    time.sleep(0.01)\n"
    "print('counted', n, total == n // 200 * 19900)\n"
    "sys.exit(7)\n";

static int run_live(const char *auditview, const char *python, unsigned long count)
{
	int fds[2];
	char folder[128], path[160], pid_text[16], text[256] = "";
	snprintf(folder, sizeof(folder), "%s/target", home);
	if (mkdir(folder, 0700) || pipe(fds))
		return 2;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		setsid();
		execlp(python, python, "-c", target_text, folder, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	usleep(500000);
	snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
	char *argv[] = { strdup(auditview), (char[]){ "--no-config" }, (char[]){ "-p" }, pid_text,
			 NULL };
	run(argv, count, true);
	snprintf(path, sizeof(path), "%s/stop", folder);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ssize_t n, all = 0;
	while ((n = read(fds[0], text + all, sizeof(text) - 1 - (size_t)all)) > 0)
		all += n;
	int status = 0;
	waitpid(pid, &status, 0);
	free(argv[0]);
	printf("target: %s", text);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 7 || !strstr(text, "True")) {
		fprintf(stderr, "the target was harmed: status %#x\n", (unsigned)status);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 5 || !mkdtemp(home)) {
		fprintf(stderr, "usage: pty_monkey AUDITVIEW COUNT SEED CAPTURE | --live PYTHON\n");
		return 2;
	}
	char *auditview = realpath(argv[1], NULL),
	     *capture = argc == 5 ? realpath(argv[4], NULL) : NULL;
	unsigned long count = strtoul(argv[2], NULL, 10);
	state = strtoull(argv[3], NULL, 10) * 2 + 1;
	int rc = 0;
	if (!auditview || (argc == 5 && !capture) || chdir(home))
		return 2;
	if (capture) {
		char *program[] = { auditview, (char[]){ "--no-config" }, capture, NULL };
		run(program, count, false);
	} else {
		rc = run_live(auditview, argv[5], count);
	}
	printf("%lu inputs, %lu starts, %lu screens drawn anew\n", n_sent, n_starts, n_redraws);
	char clean[64];
	snprintf(clean, sizeof(clean), "rm -rf '%s'", home);
	free(auditview);
	free(capture);
	return system(clean) || rc;
}
