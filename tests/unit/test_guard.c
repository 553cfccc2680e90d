/*
 * test_guard: a recorder is killed while breakpoints stand in many threads of a program. Each thread then runs into its own, which
 * would end the program, unless the guard was there before it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/monotonic.h"
#include "tracer/guard.h"
#include "tracer/ptrace.h"

/* N_FORKED processes stand in vfork(2), of which each could not be stopped for as long as the guard has patience. One after the
 * other they would take 12 s of it. */
enum { N_THREADS = 1500, N_FORKED = 12, STACK_BYTES = 64 * 1024, PATIENCE_S = 60, ALL_AT_ONCE_S = 8 };

struct shared {
	int n_ready, is_armed, n_vforked, n_passed, may_end, no_breakpoints;
	sem_t may_vfork, may_go;
};
static struct shared *s;

static __attribute__((noinline)) void breakpoint_here(void)
{
	__atomic_fetch_add(&s->n_passed, 1, __ATOMIC_SEQ_CST);
}

static int now(const int *what)
{
	return __atomic_load_n(what, __ATOMIC_SEQ_CST);
}

static void sleep_on(sem_t *sem)
{
	while (sem_wait(sem) < 0 && errno == EINTR)
		;
}

static void *thread_main(void *arg)
{
	__atomic_fetch_add(&s->n_ready, 1, __ATOMIC_SEQ_CST);
	sleep_on(&s->may_go);
	breakpoint_here();
	pause();
	return arg;
}

/* The leader of a process of its own: until its child is no more it cannot be stopped. */
static NORETURN void forked_main(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	__atomic_fetch_add(&s->n_ready, 1, __ATOMIC_SEQ_CST);
	sleep_on(&s->may_vfork);
	pid_t pid = vfork();
	if (pid == 0) {
		__atomic_fetch_add(&s->n_vforked, 1, __ATOMIC_SEQ_CST);
		while (!now(&s->may_end))
			usleep(20000);
		_exit(0);
	}
	for (;;)
		pause();
}

static NORETURN void target_main(void)
{
	pthread_attr_t attr;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (unsigned i = 0; i < N_THREADS; i++) {
		pthread_t t;
		if (pthread_create(&t, &attr, thread_main, NULL) != 0)
			_exit(1);
	}
	for (;;)
		pause();
}

static bool arm(struct guard *g, pid_t tid)
{
	bool group;
	struct err *err = ptrace_seize(tid, 0);
	if (!err)
		err = ptrace_stop_for_change(tid, PATIENCE_S * 1000000000ull, &group);
	guard_add(g, tid);
	if (!err)
		err = ptrace_breakpoint(tid, (uint64_t)breakpoint_here);
	bool ok = !err;
	if (err) /* a virtual machine need not have them */
		fprintf(stderr, "%s\n", err->message);
	err_destroy(err);
	err = ptrace_continue(tid, 0);
	err_destroy(err);
	return ok;
}

static NORETURN void recorder_main(pid_t target, const pid_t *forked)
{
	struct guard *g = NULL;
	char path[64];
	bool ok = true;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct err *err = guard_create(&g);
	if (err)
		_exit(1);
	for (unsigned i = 0; i < N_FORKED && ok; i++)
		ok = arm(g, forked[i]);
	snprintf(path, sizeof(path), "/proc/%d/task", (int)target);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir && ok && (e = readdir(dir));)
		if (atoi(e->d_name) > 0)
			ok = arm(g, atoi(e->d_name));
	if (!ok)
		s->no_breakpoints = 1;
	__atomic_store_n(&s->is_armed, 1, __ATOMIC_SEQ_CST);
	for (;;)
		pause();
}

/* Has a thread no breakpoint any more? To look, it must not be somebody else's. */
static bool is_clear(pid_t tid)
{
	bool group;
	long control = -1;
	struct err *err = ptrace_seize(tid, 0);
	bool mine = !err;
	if (mine)
		err = ptrace_stop_for_change(tid, PATIENCE_S * 1000000000ull, &group);
	if (!err)
		control = ptrace(PTRACE_PEEKUSER, tid, (void *)(offsetof(struct user, u_debugreg) + 7 * sizeof(long)), NULL);
	err_destroy(err);
	err = mine ? ptrace_detach(tid, 0) : NULL;
	err_destroy(err);
	return control != -1 && !(control & 1);
}

static bool all_are_clear(pid_t target, uint64_t deadline)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", (int)target);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));)
		while (atoi(e->d_name) > 0 && !is_clear(atoi(e->d_name))) {
			if (monotonic_ns() > deadline) {
				closedir(dir);
				return false;
			}
			usleep(1000);
		}
	closedir(dir);
	return true;
}

static bool wait_for(const int *what, int value)
{
	for (unsigned i = 0; now(what) != value && i < PATIENCE_S * 1000; i++)
		usleep(1000);
	return now(what) == value;
}

static void test_killed(void **state)
{
	pid_t forked[N_FORKED];
	int status;
	(void)state;
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(s != MAP_FAILED);
	sem_init(&s->may_go, 1, 0);
	sem_init(&s->may_vfork, 1, 0);
	for (unsigned i = 0; i < N_FORKED; i++) {
		forked[i] = fork();
		if (forked[i] == 0)
			forked_main();
	}
	pid_t target = fork(), recorder = -1;
	if (target == 0)
		target_main();
	bool is_clear_in_time = false, can = wait_for(&s->n_ready, N_THREADS + N_FORKED);
	if (can) {
		recorder = fork();
		if (recorder == 0)
			recorder_main(target, forked);
		can = wait_for(&s->is_armed, 1) && !now(&s->no_breakpoints);
	}
	if (can) {
		for (unsigned i = 0; i < N_FORKED; i++)
			sem_post(&s->may_vfork);
		can = wait_for(&s->n_vforked, N_FORKED);
	}
	if (recorder > 0) {
		kill(recorder, SIGKILL);
		waitpid(recorder, &status, 0);
	}
	if (can)
		is_clear_in_time = all_are_clear(target, monotonic_ns() + ALL_AT_ONCE_S * 1000000000ull);
	for (unsigned i = 0; can && i < N_THREADS; i++)
		sem_post(&s->may_go);
	bool passed = can && is_clear_in_time && wait_for(&s->n_passed, N_THREADS);
	__atomic_store_n(&s->may_end, 1, __ATOMIC_SEQ_CST);
	kill(target, SIGKILL);
	waitpid(target, &status, 0);
	for (unsigned i = 0; i < N_FORKED; i++) {
		kill(forked[i], SIGKILL);
		waitpid(forked[i], &status, 0);
	}
	if (!can) {
		print_message("here there are no breakpoints, or not as many threads\n");
		skip();
	}
	if (!is_clear_in_time)
		fail_msg("breakpoints are left");
	if (!passed)
		fail_msg("%d threads of %d have passed", now(&s->n_passed), N_THREADS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_killed) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
