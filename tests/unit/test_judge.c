/*
 * test_judge: looking for Python processes beside the screen. The judgement of one process never
 * ends: nothing waits for it, and the others are judged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "commands/judge.h"
#include "visit/access.h"

static pid_t slow, quick;

/* Runs in the helper, which was forked when the pids were known. */
static struct err *check(pid_t pid, struct access *ret)
{
	memset(ret, 0, sizeof(*ret));
	while (pid == slow)
		pause();
	ret->verdict = ACCESS_READY;
	snprintf(ret->version, sizeof(ret->version), "3.99.0");
	return NULL;
}

static pid_t start_python(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		execlp("python3", "python3", "-c", "import time; time.sleep(120)", (char *)NULL);
		_exit(127);
	}
	/* a python3 may be a script that finds the real one */
	for (int i = 0; i < 1000; i++) {
		char path[40], name[32] = "";
		snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
		FILE *f = fopen(path, "r");
		bool is_python = f && fgets(name, sizeof(name), f) && !strncmp(name, "python", 6);
		if (f)
			fclose(f);
		if (is_python)
			break;
		poll(NULL, 0, 10);
	}
	return pid;
}

static const struct app_process *row_of(const struct judge *j, pid_t pid)
{
	size_t n;
	bool done;
	const struct app_process *rows = judge_rows(j, &n, &done);
	for (size_t i = 0; i < n; i++)
		if (rows[i].pid == pid)
			return &rows[i];
	return NULL;
}

/* Read news for at most this long; false: the look is not complete by then. */
static bool wait_done(struct judge *j, unsigned seconds)
{
	uint64_t until = monotonic_ns() + seconds * UINT64_C(1000000000);
	size_t n;
	bool done = false;
	while (!done && monotonic_ns() < until) {
		struct pollfd p = { .fd = judge_fd(j), .events = POLLIN };
		poll(&p, 1, 100);
		judge_read(j);
		judge_rows(j, &n, &done);
	}
	return done;
}

static void test_slow_one(void **state)
{
	slow = start_python();
	quick = start_python();
	struct judge *j = NULL;
	bool is_quick = false;
	/* It takes half a millisecond, and would take 2 s if it waited for the slow one; but
	 * machines are loaded. */
	for (unsigned i = 0; i < 5 && !is_quick; i++) {
		judge_destroy(j);
		assert_null(judge_create(check, &j));
		uint64_t begin = monotonic_ns();
		assert_null(judge_look(j));
		is_quick = monotonic_ns() - begin < 1000000000u;
	}
	assert_true(is_quick);
	assert_true(wait_done(j, 60));
	const struct app_process *one = row_of(j, slow), *other = row_of(j, quick);
	if (!one || !other) { /* there is no python3 that can be used */
		judge_destroy(j);
		kill(slow, SIGKILL);
		kill(quick, SIGKILL);
		skip();
	}
	assert_string_equal(one->verdict, "slow");
	assert_false(one->is_ready);
	assert_non_null(strstr(one->why, "2 s"));
	assert_string_equal(other->verdict, "ready");
	assert_true(other->is_ready);
	assert_string_equal(other->python, "3.99.0");
	/* a process that has ended is not in the next list; what is known meanwhile stays */
	kill(quick, SIGKILL);
	waitpid(quick, NULL, 0);
	assert_null(judge_look(j));
	assert_non_null(row_of(j, slow));
	assert_true(wait_done(j, 60));
	assert_null(row_of(j, quick));
	assert_non_null(row_of(j, slow));
	/* a helper that dies is replaced */
	assert_null(judge_look(j));
	shutdown(judge_fd(j), SHUT_RDWR);
	wait_done(j, 60);
	assert_null(judge_look(j));
	assert_true(wait_done(j, 60));
	assert_non_null(row_of(j, slow));
	judge_destroy(j);
	kill(slow, SIGKILL);
	waitpid(slow, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_slow_one) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
