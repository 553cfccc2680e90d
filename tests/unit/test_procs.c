/*
 * Texts of /proc and the facts that they must give; and one real process that must be found, named
 * and measured.
 */
#include <setjmp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "system/proc_file.h"
#include "base/proc_status.h"
#include "system/proc_name.h"
#include "system/procs.h"

/* clang-format off */
static const char status_text[] =
	"Name:\tpython3.12\nUmask:\t0022\nState:\tT (stopped)\nTgid:\t4121\nNgid:\t0\nPid:\t4121\nPPid:\t1\nTracerPid:\t99\n"
	"Uid:\t1000\t1001\t1002\t1003\nGid:\t5\t6\t7\t8\nFDSize:\t64\nGroups:\t0 \nNStgid:\t4121\t17\t1\nNSpid:\t4121\t17\t1\n"
	"SigPnd:\t0000000000000200\nShdPnd:\t0000000000000001\nVmPeak:\t   14216 kB\nVmSize:\t   14216 kB\nThreads:\t3\nSigQ:\t0/15241\nCapInh:\t0000000000000000\n"
	"CapPrm:\t000001fffeffffff\nCapEff:\t0000000000080000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

/* Words are separated by '|', which stands for the NULs of cmdline. */
static const struct { const char *argv, *want; } names[] = {
	{ "python3|app.py", "app.py" },
	{ "python3|/srv/shop/app.py|--fast", "app.py --fast" },
	{ "/usr/bin/python3.12|-u|-B|app.py", "app.py" },
	{ "python3|-X|dev|-W|ignore|app.py", "app.py" },
	{ "python3|-Xdev|-Wignore|app.py", "app.py" },
	{ "python3|-bbEuX|dev|app.py", "app.py" },
	{ "python3|--check-hash-based-pycs|always|app.py", "app.py" },
	{ "python3|-m|http.server|8080", "-m http.server 8080" },
	{ "python3|-mhttp.server|8080", "-m http.server 8080" },
	{ "python3|-um|http.server", "-m http.server" },
	{ "python3|-c|print(1)", "-c print(1)" },
	{ "python3|-c|import os; os.getpid()", "-c \"import os; os.getpid()\"" },
	{ "python3|-c|import time\ntime.sleep(3)", "-c \"import time\\ntime.sleep(3)\"" },
	{ "python3|-c|import time; time.sleep(1); x = 'much more than forty characters'",
	  "-c \"import time; time.sleep(1); x = 'much mo…\"" },
	{ "python3", "python3" },
	{ "/opt/py/bin/python3.13t", "python3.13t" },
	{ "python3|-i", "python3" },
	{ "python3|-", "-" },
	{ "/usr/bin/python3|/usr/bin/gunicorn|shop:app", "gunicorn shop:app" },
	{ "gunicorn: master [shop:app]|||||", "gunicorn: master [shop:app]" },
	{ "/usr/bin/blender|scene.blend", "blender scene.blend" },
	{ "/usr/bin/pythonista.sh|x", "pythonista.sh x" },
	{ "pypy3|app.py", "app.py" },
	{ "/lib64/ld-linux-x86-64.so.2|--library-path|/x|/usr/bin/python3|app.py", "app.py" },
	{ "/lib/ld-musl-x86_64.so.1|/usr/bin/python3|-m|x", "-m x" },
	{ "python3|app.py|a b|", "app.py \"a b\" \"\"" },
	{ "python3|/a/b/", "/a/b/" },
	{ "python3|ev\x1b[31mil.py", "ev\\x1b[31mil.py" },
	{ "python3|-c", "-c" },
	{ "python3|-X", "python3" },
	{ "", "" },
};

static const char hex64[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const struct { const char *fmt, *want; } cgroups[] = {
	{ "12:cpu:/docker/%s\n", "docker 0123456789ab" },
	{ "0::/system.slice/docker-%s.scope\n", "docker 0123456789ab" },
	{ "0::/machine.slice/libpod-%s.scope\n", "podman 0123456789ab" },
	{ "0::/kubepods.slice/kubepods-besteffort.slice/cri-containerd-%s.scope\n", "kubernetes 0123456789ab" },
	{ "5:memory:/kubepods/burstable/pod1234-5678/%s\n", "kubernetes 0123456789ab" },
	{ "0::/lxc.payload.web1/init.scope\n", "lxc web1" },
	{ "4:cpu:/lxc/web2\n", "lxc web2" },
	{ "0::/user.slice/user-1000.slice/session-3.scope\n", NULL },
	{ "0::/system.slice/docker.service\n", NULL },
	{ "0::/\n", NULL },
	{ "", NULL },
};
/* clang-format on */

static void test_status(void **state)
{
	struct proc_status s;
	assert_true(proc_status_parse(status_text, &s));
	assert_string_equal(s.name, "python3.12");
	assert_int_equal(s.state, 'T');
	assert_int_equal(s.tgid, 4121);
	assert_int_equal(s.ppid, 1);
	assert_int_equal(s.tracer_pid, 99);
	assert_int_equal(s.uid[1], 1001);
	assert_int_equal(s.uid[3], 1003);
	assert_int_equal(s.gid[0], 5);
	assert_int_equal(s.gid[2], 7);
	assert_int_equal(s.ns_pid, 1);
	assert_int_equal(s.n_namespaces, 3);
	assert_int_equal(s.n_threads, 3);
	assert_int_equal(s.seccomp, 2);
	assert_true(s.no_new_privs);
	assert_true(s.has_memory);
	assert_int_equal(s.cap_permitted, 0x1fffeffffffull);
	assert_int_equal(s.cap_effective, 1 << 19);
	assert_int_equal(s.sig_pending, 0x200);
	assert_int_equal(s.fd_size, 64);
	assert_int_equal(s.n_filters, 1);
	/* The file of an old kernel, cut to the required lines. */
	assert_true(proc_status_parse(
	    "Name:\tx\nState:\tZ (zombie)\nTgid:\t7\nUid:\t1\t1\t1\t1\nGid:\t1\t1\t1\t1\n", &s));
	assert_int_equal(s.ns_pid, 7);
	assert_int_equal(s.n_namespaces, 1);
	assert_int_equal(s.seccomp, -1);
	assert_false(s.has_memory);
	assert_false(s.is_kernel_thread);
	assert_true(proc_status_parse(
	    "Name:\tx\nState:\tI (idle)\nTgid:\t7\nPPid:\t2\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n",
	    &s));
	assert_true(s.is_kernel_thread);
	assert_true(proc_status_parse("Name:\tx\nKthread:\t0\nState:\tR\nTgid:\t7\nPPid:\t2\nUid:"
				      "\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n",
				      &s));
	assert_false(s.is_kernel_thread);
	assert_int_equal(s.n_sleeps, UINT64_MAX);
	/* No text that only begins alike is taken for a status file, however short. */
	for (size_t n = 0; n < 60; n++) {
		char head[64];
		snprintf(head, sizeof(head), "%.*s", (int)n, status_text);
		assert_false(proc_status_parse(head, &s));
	}
}

/* The status of one thread is its own, not that of another one of its process. */
static void *wait_with_blocked_signal(void *arg)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	int *pipes = arg;
	pid_t tid = (pid_t)syscall(SYS_gettid);
	char byte;
	if (write(pipes[1], &tid, sizeof(tid)) != sizeof(tid) || read(pipes[2], &byte, 1) != 0)
		abort();
	return NULL;
}

static void test_thread_status(void **state)
{
	int pipes[4];
	pthread_t thread;
	pid_t tid;
	struct proc_status s;
	uint64_t winch = 1ull << (SIGWINCH - 1);
	assert_return_code(pipe(pipes), 0);
	assert_return_code(pipe(pipes + 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_with_blocked_signal, pipes), 0);
	assert_int_equal(read(pipes[0], &tid, sizeof(tid)), sizeof(tid));
	assert_true(proc_thread_status(getpid(), tid, &s));
	assert_int_equal(s.tgid, getpid());
	assert_int_equal(s.sig_blocked & winch, winch);
	assert_true(proc_thread_status(tid, tid, &s)); /* its tid is enough */
	assert_int_equal(s.tgid, getpid());
	assert_int_equal(s.sig_blocked & winch, winch);
	if (s.n_namespaces == 1)
		assert_int_equal(s.ns_pid, tid);
	assert_true(proc_thread_status(getpid(), getpid(), &s));
	assert_int_equal(s.sig_blocked & winch, 0);
	assert_true(s.n_sleeps != UINT64_MAX);
	assert_false(proc_thread_status(1, tid, &s)); /* of another process */
	close(pipes[3]);
	pthread_join(thread, NULL);
	for (int i = 0; i < 3; i++)
		close(pipes[i]);
	/* a zombie is there until it is waited for */
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	siginfo_t what;
	assert_return_code(waitid(P_PID, (id_t)child, &what, WEXITED | WNOWAIT), 0);
	assert_true(proc_thread_status(child, child, &s));
	assert_int_equal(s.state, 'Z');
	assert_int_equal(s.ppid, getpid());
	waitpid(child, NULL, 0);
	assert_false(proc_thread_status(child, child, &s));
}

static void test_names(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char cmdline[256], got[256];
		size_t n = strlen(names[i].argv);
		memcpy(cmdline, names[i].argv, n + 1);
		for (size_t c = 0; c < n; c++)
			if (cmdline[c] == '|')
				cmdline[c] = 0;
		proc_command_name(cmdline, n ? n + 1 : 0, got, sizeof(got));
		if (strcmp(got, names[i].want) != 0)
			fail_msg("%s: \"%s\", expected \"%s\"", names[i].argv, got, names[i].want);
		/* Cut to any size, the name stays inside its room and ends in whole characters. */
		for (size_t cap = 5; cap < 24; cap++) {
			memset(got, 'x', sizeof(got));
			proc_command_name(cmdline, n ? n + 1 : 0, got, cap);
			assert_true(strlen(got) < cap);
			if (strlen(names[i].want) >= cap)
				assert_string_equal(got + strlen(got) - 3, "…");
		}
	}
}

static void test_containers(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cgroups); i++) {
		char text[256], got[48] = "";
		size_t n = 0;
		for (const char *p = cgroups[i].fmt; *p; p++) {
			if (p[0] == '%' && p[1] == 's') {
				memcpy(text + n, hex64, 64);
				n += 64;
				p++;
			} else {
				text[n++] = *p;
			}
		}
		text[n] = 0;
		bool found = proc_container_name(text, got, sizeof(got));
		assert_int_equal(found, cgroups[i].want != NULL);
		if (found)
			assert_string_equal(got, cgroups[i].want);
	}
}

static const struct proc *row_of(const struct procs *procs, pid_t pid)
{
	size_t n;
	const struct proc *rows = procs_get(procs, &n);
	for (size_t i = 0; i < n; i++)
		if (rows[i].pid == pid)
			return &rows[i];
	return NULL;
}

/* A shell that becomes Python by exec, with a pipe that tells when, and that has ended at the
 * end. */
static void test_a_real_process(void **state)
{
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(ready[1], STDOUT_FILENO);
		if (chdir("/") == 0)
			execlp("python3", "python3", "-c",
			       "import time; print(1, flush=True); time.sleep(60)", "extra",
			       (char *)NULL);
		_exit(127);
	}
	close(ready[1]);
	char byte;
	if (read(ready[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		close(ready[0]);
		skip(); /* no python3 in PATH */
	}
	CLEANUP(procs) struct procs *procs = NULL;
	assert_null(procs_create(&procs));
	size_t n;
	procs_get(procs, &n);
	assert_int_equal(n, 0);
	/* the second round uses what the first one cached */
	for (int round = 0; round < 2; round++) {
		assert_null(procs_update(procs));
		const struct proc *row = row_of(procs, pid);
		assert_non_null(row);
		assert_int_equal(row->ppid, getpid());
		assert_int_equal(row->ns_pid, pid);
		assert_int_equal(row->uid, geteuid());
		assert_int_equal(row->n_threads, 1);
		assert_true(row->is_readable);
		assert_false(row->in_container);
		assert_string_equal(row->cwd, "/");
		assert_string_equal(row->command,
				    "-c \"import time; print(1, flush=True); time.…\" extra");
		assert_memory_equal(row->version, "3.", 2);
		assert_true(row->uptime_ns < 60ull * 1000000000u);
		assert_true(row->cpu_percent >= 0);
		assert_null(row_of(procs, getpid()));
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_null(procs_update(procs));
	assert_null(row_of(procs, pid));
	close(ready[0]);
}

static void test_files(void **state)
{
	char text[8];
	struct proc_status s;
	uint64_t ticks;
	assert_int_equal(proc_file_read(getpid(), "status", text, sizeof(text)), 7);
	assert_string_equal(text, "Name:\tt"); /* cut, and NUL-terminated */
	assert_int_equal(proc_file_read(getpid(), "no-such-file", text, sizeof(text)), -1);
	assert_true(proc_start_ticks(getpid(), &ticks) && ticks > 0);
	assert_false(proc_start_ticks(0, &ticks));
	struct err *err = proc_status_read(0x3fffffff, &s);
	assert_non_null(err);
	assert_int_equal(err->code, ERR_TARGET_GONE);
	err_destroy(err);
}

/* fork(2) of a child with this pid; 0: any. -1 with errno. The child waits until `fd` is closed at
 * its other end. */
static pid_t child_of_pid(pid_t pid, int ends[2])
{
	pid_t set[1] = { pid };
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .set_tid = pid ? (uint64_t)(uintptr_t)set : 0,
				   .set_tid_size = pid != 0 };
	pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (child == 0) {
		char byte;
		close(ends[1]);
		syscall(SYS_exit_group, read(ends[0], &byte, 1) != 0);
	}
	return child;
}

static pid_t end_child(pid_t pid, int ends[2])
{
	close(ends[0]);
	close(ends[1]);
	return waitpid(pid, NULL, 0);
}

/* To ask for the start time again opens no file, and a later process of the same pid is another
 * one. */
static void test_start_is_remembered(void **state)
{
	int ends[2];
	uint64_t own, first, later;
	struct rlimit limit, none;
	assert_true(proc_start_ticks(getpid(), &own));
	assert_return_code(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ 0, limit.rlim_max };
	assert_return_code(setrlimit(RLIMIT_NOFILE, &none), 0);
	bool is_known = proc_start_ticks(getpid(), &later);
	assert_return_code(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(is_known);
	assert_int_equal(later, own);
	assert_return_code(pipe(ends), 0);
	pid_t pid = child_of_pid(0, ends);
	assert_true(pid > 0);
	assert_true(proc_start_ticks(pid, &first) && first >= own);
	assert_int_equal(end_child(pid, ends), pid);
	assert_false(proc_start_ticks(pid, &later));
	usleep(3000000 / (unsigned)sysconf(_SC_CLK_TCK)); /* three ticks of the kernel's clock */
	assert_return_code(pipe(ends), 0);
	if (child_of_pid(pid, ends) == pid) { /* CAP_CHECKPOINT_RESTORE, and nobody has taken it */
		assert_true(proc_start_ticks(pid, &later));
		assert_true(later > first);
		assert_int_equal(end_child(pid, ends), pid);
	}
	(void)state;
}

/* Two of our children, one of which has a child of its own: parents come first, and the excluded
 * branch is left out. */
static void descendants_are_found(void **state)
{
	int ready[2], end[2];
	pid_t leaf = 0, *found = NULL;
	size_t n = 0;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(end), 0);
	pid_t first = fork();
	if (first == 0) {
		pid_t own = fork();
		char byte;
		close(end[1]);
		if (own && write(ready[1], &own, sizeof(own)) != sizeof(own))
			_exit(1);
		_exit(read(end[0], &byte, 1) != 0);
	}
	pid_t second = fork();
	if (second == 0) {
		char byte;
		close(end[1]);
		_exit(read(end[0], &byte, 1) != 0);
	}
	assert_int_equal(read(ready[0], &leaf, sizeof(leaf)), sizeof(leaf));
	assert_null(proc_descendants(getpid(), 0, &found, &n));
	assert_int_equal(n, 3);
	assert_true((found[0] == first && found[1] == second) ||
		    (found[0] == second && found[1] == first));
	assert_int_equal(found[2], leaf);
	free(found);
	assert_null(proc_descendants(getpid(), leaf, &found, &n));
	assert_int_equal(n, 1);
	assert_int_equal(found[0], second);
	free(found);
	assert_null(proc_descendants(leaf, 0, &found, &n));
	assert_int_equal(n, 0);
	free(found);
	close(end[0]), close(end[1]), close(ready[0]), close(ready[1]);
	waitpid(first, NULL, 0);
	waitpid(second, NULL, 0);
	(void)state;
}

/* A child with a ")" in its name that sleeps in read(2), and its state after it has ended. */
static void the_state_of_a_thread_is_told(void **state)
{
	int end[2];
	char letter = 0;
	long call = 0;
	assert_true(proc_thread_state(getpid(), getpid(), &letter, &call));
	assert_int_equal(letter, 'R');
	assert_int_equal(call, -1);
	assert_int_equal(pipe(end), 0);
	pid_t pid = fork();
	if (pid == 0) {
		char byte;
		prctl(PR_SET_NAME, "a) S b) Z");
		close(end[1]);
		_exit(read(end[0], &byte, 1) != 0);
	}
	/* it sleeps there sooner or later; if /proc/PID/syscall is denied, -1 is right */
	bool is_told = geteuid() == 0, found = false;
	for (int i = 0; i < 2000 && !(found && (!is_told || call == SYS_read)); i++) {
		found = proc_thread_state(pid, pid, &letter, &call) && letter == 'S';
		usleep(5000);
	}
	assert_true(found);
	assert_true(call == SYS_read || (!is_told && call == -1));
	close(end[0]), close(end[1]);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(proc_thread_state(pid, pid, &letter, &call));
	assert_int_equal(letter, 'Z');
	waitpid(pid, NULL, 0);
	assert_false(proc_thread_state(pid, pid, &letter, &call));
	assert_false(proc_thread_state(getpid(), 0x3fffffff, &letter, &call));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descendants_are_found),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_thread_status),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_a_real_process),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_start_is_remembered),
		cmocka_unit_test(the_state_of_a_thread_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
