/* follow: what its processes have made, and it has not heard of yet, is its own all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/follow.h"
#include "tracer/maps.h"
#include "tracer/ptrace.h"
#include "tracer/remote_call.h"
#include "tracer/remote_mem.h"
#include "tracer/still.h"

#define PATIENCE_NS 2000000000ull
enum { ROUNDS = 20000 }; /* of a millisecond and more */

struct shared {
	volatile bool may_go;
	volatile uint64_t n_done; /* by the thread */
};

static void *count_on(void *ctx)
{
	struct shared *s = ctx;
	for (;;)
		s->n_done++;
	return NULL;
}

/* Makes a thread when it may. */
static NORETURN void child_main(struct shared *s)
{
	pthread_t thread;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a check that fails ends the test */
	while (!s->may_go)
		poll(NULL, 0, 1);
	if (pthread_create(&thread, NULL, count_on, s) != 0)
		_exit(3);
	for (;;)
		pause();
}

static bool at_entry(void *ctx, pid_t pid, pid_t tid)
{
	(void)ctx, (void)pid, (void)tid;
	return true;
}

static void execed(void *ctx, pid_t pid)
{
	(void)ctx, (void)pid;
}

static void forked(void *ctx, pid_t parent, pid_t child)
{
	(void)ctx, (void)parent, (void)child;
}

static void exited(void *ctx, pid_t pid, int status)
{
	(void)pid;
	*(int *)ctx = status;
}

/* A program that makes threads while it is visited would die of SIGTRAP: the list runs in one that follow has not heard of. */
static void a_thread_just_made_survives_a_list(void **state)
{
	(void)state;
	struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(s, MAP_FAILED);
	pid_t pid = fork();
	if (pid == 0)
		child_main(s);
	assert_true(pid > 0);

	int status = 0, end = -1;
	struct follow *f;
	const struct follow_ops ops = { .at_entry = at_entry, .execed = execed, .forked = forked, .exited = exited };
	assert_null(follow_create(&ops, &end, &f));
	assert_null(follow_seize(f, pid, false));
	s->may_go = true;
	do { /* its maker goes on and waits, the new one stands at its first stop */
		assert_null(ptrace_wait_stop(pid, PATIENCE_NS, &status));
		assert_null(ptrace_continue(pid, ptrace_signal_of(status)));
	} while (status >> 16 != PTRACE_EVENT_CLONE);
	struct thread_place maker = { 0 };
	for (unsigned i = 0; maker.syscall != SYS_pause; i++) {
		assert_true(i < ROUNDS && thread_place_read(pid, pid, &maker));
		poll(NULL, 0, 1);
	}

	struct remote_mem *mem;
	struct maps *maps;
	struct remote_place place = { 0 };
	assert_null(remote_mem_open(pid, &mem));
	assert_null(maps_read(pid, &maps));
	assert_null(maps_find_modules(maps, remote_mem_reader(mem)));
	assert_null(remote_place_find(mem, maps, RADDR(0), remote_stub_bytes(), &place));
	const struct remote_target target = {
		.pid = pid, .mem = mem, .maps = maps, .place = &place, .attached = true, .unloadable = &maps->modules[0]
	};
	struct remote_program program = { 0 };
	struct remote_call_stats stats = { 0 };
	uint64_t value = 0;
	remote_program_add(&program, SYS_getpid, 0, 0, 0, 0, 0, 0);
	assert_null(still_run(&target, &program, maker.pc, maker.pc + 1, PATIENCE_NS, &stats, &value));
	assert_int_not_equal(stats.tid, pid);
	for (unsigned i = 0; !s->n_done; i++) {
		assert_true(end == -1 && i < ROUNDS);
		follow_poll(f);
		poll(NULL, 0, 1);
	}

	assert_int_equal(kill(pid, SIGKILL), 0);
	for (unsigned i = 0; end == -1 && i < ROUNDS; i++) {
		follow_poll(f);
		poll(NULL, 0, 1);
	}
	assert_int_equal(end, SIGKILL);
	follow_destroy(f);
	remote_mem_close(mem);
	maps_destroy(maps);
	munmap(s, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_thread_just_made_survives_a_list) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
