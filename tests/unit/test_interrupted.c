/*
 * test_interrupted: what our stop does to a call that a thread is in. A call that the stop has
 * ended is known with all of its arguments, but never from what was noted at an earlier stop. A
 * thread that makes our calls in the middle of its sleep sleeps no longer than it asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/monotonic.h"
#include "system/maps.h"
#include "system/remote_mem.h"
#include "visit/carrier.h"
#include "visit/interrupted.h"
#include "visit/one_thread.h"
#include "visit/ptrace.h"
#include "visit/remote_place.h"
#include "visit/remote_program.h"
#include "visit/remote_target.h"
#include "visit/stub.h"
#include "visit/threads.h"

enum {
	PATIENCE_NS = 2000000000,
	SLEEP_MS = 1000,
	STOP_AFTER_MS = 700,
	TOO_LONG_MS = SLEEP_MS + STOP_AFTER_MS - 100,
	TRIES = 4
};

static struct shared {
	int epolls[2], wakes[2][2]; /* a pipe for each */
	volatile uint64_t n_begun, slept_ns;
} * s;

static void no_others(void *ctx, pid_t waited_for)
{
	(void)ctx, (void)waited_for;
}

static enum ptrace_verdict pass(void *ctx, pid_t tid, int status)
{
	(void)ctx, (void)tid, (void)status;
	return PTRACE_PASS;
}

static unsigned long no_options(void *ctx, pid_t tid)
{
	(void)ctx, (void)tid;
	return 0;
}

static const struct ptrace_watch watch = { .others = no_others,
					   .reported = pass,
					   .options = no_options };

static int set_up(void **state)
{
	(void)state;
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return 1;
	for (unsigned i = 0; i < 2; i++) {
		struct epoll_event event = { .events = EPOLLIN };
		s->epolls[i] = epoll_create1(0);
		if (s->epolls[i] < 0 || pipe(s->wakes[i]) < 0 ||
		    epoll_ctl(s->epolls[i], EPOLL_CTL_ADD, s->wakes[i][0], &event) < 0)
			return 1;
	}
	ptrace_set_watch(&watch);
	return 0;
}

/* Wait for the first, then for the second, from the same place with the same other arguments.
 * epoll_pwait ends with EINTR at every stop (signal(7)). */
static NORETURN void waits_main(void)
{
	static struct epoll_event event;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0; i < 2; i++) {
		s->n_begun++;
		while (syscall(SYS_epoll_pwait, s->epolls[i], &event, 1, -1, NULL, 8) < 0)
			;
	}
	_exit(0);
}

static NORETURN void sleeps_main(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct timespec wanted = { .tv_nsec = SLEEP_MS * 1000000ll - 1 };
		s->slept_ns = 0;
		s->n_begun++;
		uint64_t start = monotonic_ns();
		syscall(SYS_nanosleep, &wanted, NULL);
		s->slept_ns = monotonic_ns() - start;
		while (s->slept_ns)
			poll(NULL, 0, 1);
	}
}

static pid_t start(void (*run)(void))
{
	s->n_begun = 0;
	pid_t pid = fork();
	if (pid == 0)
		run();
	assert_true(pid > 0);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) != pid)
		;
}

static void wait_until_in(pid_t pid, long call, uint64_t n)
{
	struct thread_place at = { .syscall = -3 };
	for (unsigned i = 0; s->n_begun < n || at.syscall != call || at.state != 'S'; i++) {
		assert_true(i < 60000);
		poll(NULL, 0, 1);
		assert_true(thread_place_read(pid, pid, &at));
	}
}

static void stop_with(pid_t pid)
{
	bool group_stopped = true;
	assert_null(ptrace_stop_for_change(pid, PATIENCE_NS, &group_stopped));
	assert_false(group_stopped);
}

static void let_go_on(pid_t pid)
{
	interrupted_forget(pid);
	assert_null(ptrace_continue(pid, 0));
}

/* The first argument has to be known to make the call again. */
static void a_call_that_has_ended_is_known(void **state)
{
	(void)state;
	struct arch_regs regs;
	pid_t pid = start(waits_main);
	wait_until_in(pid, SYS_epoll_pwait, 1);
	assert_null(ptrace_seize(pid, 0));
	for (unsigned round = 0; round < 3; round++) {
		interrupted_note(pid);
		stop_with(pid);
		/* A thread that has stopped is in no call, so this must not replace the note. */
		interrupted_note(pid);
		assert_null(interrupted_get_regs(pid, &regs));
		assert_int_equal(arch_interrupted(&regs), ARCH_EINTR);
		assert_int_equal(arch_call(&regs), SYS_epoll_pwait);
		assert_int_equal(arch_call_arg(&regs, 0), s->epolls[0]);
		assert_int_equal(arch_call_arg(&regs, 2), 1);

		/* Made again, it is the same call, and the program sees nothing. */
		arch_make_again(&regs);
		arch_forget_call(&regs);
		assert_null(ptrace_set_regs(pid, &regs));
		let_go_on(pid);
		wait_until_in(pid, SYS_epoll_pwait, 1);
		assert_int_equal(s->n_begun, 1);
	}
	end(pid);
}

/* What was noted before one stop says nothing at the next: the thread is in another call by then,
 * of which everything but the first argument is the same. */
static void a_note_serves_one_stop(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 2; way++) {
		struct arch_regs regs;
		char byte;
		pid_t pid = start(waits_main);
		wait_until_in(pid, SYS_epoll_pwait, 1);
		assert_null(ptrace_seize(pid, 0));
		interrupted_note(pid);
		stop_with(pid);
		if (way == 0) /* it is used */
			assert_null(interrupted_get_regs(pid, &regs));
		else
			interrupted_forget(pid);
		assert_null(ptrace_continue(pid, 0));
		assert_int_equal(write(s->wakes[0][1], "", 1), 1);
		wait_until_in(pid, SYS_epoll_pwait, 2);
		stop_with(pid);
		assert_null(interrupted_get_regs(pid, &regs));
		if (ARCH_EINTR_LOSES_ARGUMENT) {
			assert_int_equal(arch_interrupted(&regs), ARCH_NOT_INTERRUPTED);
		} else {
			assert_int_equal(arch_interrupted(&regs), ARCH_EINTR);
			assert_int_equal(arch_call_arg(&regs, 0), s->epolls[1]);
		}
		end(pid);
		assert_int_equal(read(s->wakes[0][0], &byte, 1), 1);
	}
}

/* Make a call in the thread after most of its sleep has passed. Returns how long it slept, in ms;
 * 0: the thread had woken up before. */
static uint64_t sleep_with_a_visit(bool all_stopped)
{
	struct remote_place place = { .last_tid = 0 };
	struct remote_program program = { .n_ops = 0 };
	struct remote_call_stats stats = { 0 };
	struct remote_mem *mem = NULL;
	struct maps *maps = NULL;
	uint64_t value = 0;
	pid_t pid = start(sleeps_main);
	assert_null(remote_mem_open(pid, &mem));
	assert_null(maps_read(pid, &maps));
	assert_null(maps_find_modules(maps, remote_mem_reader(mem)));
	assert_null(remote_place_find(pid, mem, maps, RADDR(0), stub_bytes(), &place));
	struct remote_target t = { .pid = pid, .mem = mem, .maps = maps, .place = &place };
	t.unloadable = all_stopped ? &maps->modules[0] : NULL;
	t.carrier = carrier_choose(&t);
	assert_int_equal(t.carrier, all_stopped ? CARRIER_ALL_STOPPED : CARRIER_ONE_THREAD);
	remote_program_add(&program, SYS_getpid, 0, 0, 0, 0, 0, 0);
	wait_until_in(pid, SYS_nanosleep, 1);
	poll(NULL, 0, STOP_AFTER_MS);
	struct err *err = carrier_run(&t, &program, 0, 0, PATIENCE_NS, &stats, &value);
	bool is_early = !s->slept_ns;
	for (unsigned i = 0; !err && !s->slept_ns; i++) {
		assert_true(i < 60000);
		poll(NULL, 0, 1);
	}
	end(pid);
	remote_mem_close(mem);
	maps_destroy(maps);
	assert_true(!err || err->code == ERR_TIMEOUT); /* on a loaded machine */
	bool counts = !err && is_early;
	err_destroy(err);
	return counts ? s->slept_ns / 1000000 : 0;
}

/* The kernel restarts a sleep with the time that is left. If the thread were sent elsewhere before
 * it has decided so, all of the sleep would start over. */
static void a_sleep_is_not_longer(void **state)
{
	(void)state;
	for (unsigned all_stopped = 0; all_stopped < 2; all_stopped++) {
		uint64_t shortest = UINT64_MAX;
		for (unsigned i = 0; i < TRIES && shortest >= TOO_LONG_MS; i++) {
			uint64_t ms = sleep_with_a_visit(all_stopped);
			assert_true(!ms || ms >= SLEEP_MS - 1);
			if (ms && ms < shortest)
				shortest = ms;
		}
		if (shortest == UINT64_MAX) {
			print_message("no visit within a sleep: the machine is too slow\n");
			skip();
		}
		if (shortest >= TOO_LONG_MS)
			fail_msg("%s: a sleep of %d ms took %d ms",
				 all_stopped ? "all threads stopped" : "one thread", SLEEP_MS,
				 (int)shortest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_that_has_ended_is_known),
		cmocka_unit_test(a_note_serves_one_stop),
		cmocka_unit_test(a_sleep_is_not_longer),
	};
	return cmocka_run_group_tests_name("interrupted", tests, set_up, NULL);
}
