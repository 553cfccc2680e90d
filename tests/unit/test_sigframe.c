/*
 * test_sigframe: is a thread outside of some code? These are real processes whose thread was
 * interrupted in it by a signal, and is in the handler: on the same stack, on another, in a handler
 * on top of a handler, asleep or running.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/err.h"
#include "visit/remote_place.h"
#include "visit/remote_target.h"
#include "visit/threads_outside.h"
#include "system/remote_mem.h"
#include "visit/sigframe.h"

enum { ALTSTACK_BYTES = 64 * 1024, DEEP_BYTES = 8 * 1024 };

struct shared {
	volatile int n_in_code, n_in_handler, go_back, leave_code, n_out;
};
static struct shared *s;

/* The code: a section of its own, so that the linker says where it begins and ends. */
extern const uint8_t __start_wait_code[], __stop_wait_code[];
__attribute__((noinline, section("wait_code"), no_sanitize("address", "undefined"))) static void
wait_for(const volatile int *flag)
{
	while (!*flag)
		;
}

static const struct way {
	const char *name;
	int flags;   /* of the first handler */
	bool runs;   /* the handler runs, otherwise it sleeps */
	bool nested; /* a second handler on top of the first, on the other stack */
} ways[] = {
	{ "asleep", 0, false, false },
	{ "running", 0, true, false },
	{ "asleep, on a stack of its own", SA_ONSTACK, false, false },
	{ "running, on a stack of its own", SA_ONSTACK, true, false },
	{ "asleep, on top of another handler", 0, false, true },
	{ "running, on top of another handler", 0, true, true },
};
static const struct way *way;

/* Reach the wait by way of some kilobytes of stack, as in a handler that formats a message. */
static __attribute__((noinline)) void stay(void)
{
	volatile char deep[DEEP_BYTES];
	deep[0] = deep[DEEP_BYTES - 1] = 0;
	__atomic_fetch_add(&s->n_in_handler, 1, __ATOMIC_SEQ_CST);
	while (!s->go_back)
		if (!way->runs)
			usleep(1000);
	deep[0] = deep[DEEP_BYTES - 1];
}

static void on_second(int number)
{
	(void)number;
	stay();
}

static void on_first(int number)
{
	(void)number;
	if (way->nested)
		raise(SIGUSR2);
	else
		stay();
}

static NORETURN void child_main(void)
{
	stack_t other = { .ss_sp = malloc(ALTSTACK_BYTES), .ss_size = ALTSTACK_BYTES };
	struct sigaction first = { .sa_handler = on_first, .sa_flags = way->flags };
	struct sigaction second = { .sa_handler = on_second, .sa_flags = SA_ONSTACK };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!other.ss_sp || sigaltstack(&other, NULL) < 0 || sigaction(SIGUSR1, &first, NULL) < 0 ||
	    sigaction(SIGUSR2, &second, NULL) < 0)
		_exit(1);
	s->n_in_code = 1;
	wait_for(&s->leave_code);
	s->n_out = 1;
	for (;;)
		pause();
}

static bool is_outside(pid_t pid)
{
	struct remote_mem *mem = NULL;
	struct remote_place place = { 0 };
	bool outside = false;
	struct err *err = remote_mem_open(pid, &mem);
	struct remote_target t = { .pid = pid, .mem = mem, .place = &place };
	do { /* on a loaded machine it may not stop in time */
		err_destroy(err);
		err = threads_outside_check(&t, (uint64_t)__start_wait_code,
					    (uint64_t)__stop_wait_code, &outside);
	} while (err && err->code == ERR_TIMEOUT);
	if (err)
		fail_msg("%s", err->message);
	remote_mem_close(mem);
	return outside;
}

static void wait_until(const volatile int *what)
{
	while (!*what)
		usleep(1000);
}

static void test_ways(void **state)
{
	(void)state;
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(s != MAP_FAILED);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		int status;
		way = &ways[i];
		*s = (struct shared){ 0 };
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			child_main();
		wait_until(&s->n_in_code);
		/* It may still be a few instructions before the code. */
		while (is_outside(pid))
			usleep(1000);
		kill(pid, SIGUSR1);
		wait_until(&s->n_in_handler);
		if (is_outside(pid))
			fail_msg("%s: found to be outside", way->name);
		s->go_back = 1;
		s->leave_code = 1;
		wait_until(&s->n_out);
		if (!is_outside(pid))
			fail_msg("%s: found to be inside after its end", way->name);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WTERMSIG(status), SIGKILL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ways) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
