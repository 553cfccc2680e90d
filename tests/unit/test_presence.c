/*
 * test_presence: a child that ends while it is examined is not unknown: it has nothing of a ring.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "visit/link_presence.h"
#include "visit/probe_link.h"

/* The child that is waited for behind the nth kill(2) that finds it; 0: none. */
static pid_t reaped;
static unsigned nth;

/* In place of libc's: whoever asks learns that the process exists, and right after that its parent
 * waits for it. */
int kill(pid_t pid, int signal)
{
	int result = (int)syscall(SYS_kill, pid, signal);
	if (result == 0 && pid == reaped && --nth == 0) {
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		reaped = 0;
	}
	return result;
}

static pid_t zombie(void)
{
	siginfo_t info;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	return pid;
}

static struct link link_of(pid_t pid)
{
	struct link l = { .pid = pid, .base = RADDR(0x7f0000000000), .total_bytes = 1 << 20 };
	l.ring.inode = 1;
	l.nonce = 1;
	return l;
}

static void test_reaped_meanwhile(void **state)
{
	(void)state;
	struct link l = link_of(getpid());
	pid_t pid = zombie();
	reaped = pid;
	nth = 1;
	assert_int_equal(link_presence_proved(&l, pid), LINK_OUT);
	assert_int_equal(reaped, 0); /* it was waited for in the middle */
	assert_int_equal(link_presence_proved(&l, pid), LINK_OUT);
	assert_int_equal(link_presence(&l, pid), LINK_OUT);
}

static void test_zombie(void **state)
{
	(void)state;
	struct link l = link_of(getpid());
	pid_t pid = zombie();
	assert_int_equal(link_presence_proved(&l, pid), LINK_OUT);
	assert_int_equal(link_presence(&l, pid), LINK_OUT);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* It lives, and has no ring. */
static void test_lives(void **state)
{
	(void)state;
	int ends[2];
	char byte;
	struct link l = link_of(getpid());
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
	}
	assert_true(pid > 0);
	close(ends[0]);
	assert_int_equal(link_presence_proved(&l, pid), LINK_OUT);
	close(ends[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reaped_meanwhile),
		cmocka_unit_test(test_zombie),
		cmocka_unit_test(test_lives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
