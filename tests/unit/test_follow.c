/* follow: threads and processes that its processes have made and that it does not know yet are
 * followed all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/arch.h"

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
#include "system/maps.h"
#include "visit/all_stop.h"
#include "visit/ptrace.h"
#include "visit/one_thread.h"
#include "visit/remote_place.h"
#include "visit/remote_program.h"
#include "visit/remote_target.h"
#include "visit/stub.h"
#include "visit/threads.h"
#include "system/remote_mem.h"

#define PATIENCE_NS 20000000000ull
enum { ROUNDS = 60000 }; /* each takes a millisecond or more */

struct shared {
	volatile bool may_go;
	volatile uint64_t n_done; /* written by the thread */
};

static void *count_on(void *ctx)
{
	struct shared *s = ctx;
	for (;;)
		s->n_done++;
	return NULL;
}

/* Make a thread when it is allowed to. */
static NORETURN void child_main(struct shared *s)
{
	pthread_t thread;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed check ends the test, and then this process */
	while (!s->may_go)
		poll(NULL, 0, 1);
	if (pthread_create(&thread, NULL, count_on, s) != 0)
		_exit(3);
	for (;;)
		pause();
}

static bool at_entry(void *ctx, pid_t pid, pid_t tid, bool is_complete)
{
	(void)ctx, (void)pid, (void)tid;
	return true;
}

static void execed(void *ctx, pid_t pid)
{
	(void)ctx, (void)pid;
}

static void forked(void *ctx, pid_t parent, pid_t child, bool is_new)
{
	(void)ctx, (void)parent, (void)child, (void)is_new;
}

static void exited(void *ctx, pid_t pid, int status)
{
	(void)pid;
	*(int *)ctx = status;
}

/* A program that makes threads during a visit would die of SIGTRAP if the list ran in a thread that
 * follow does not know. */
static void a_thread_just_made_survives_a_list(void **state)
{
	(void)state;
	struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
				0);
	assert_ptr_not_equal(s, MAP_FAILED);
	pid_t pid = fork();
	if (pid == 0)
		child_main(s);
	assert_true(pid > 0);

	int status = 0, end = -1;
	struct follow *f;
	const struct follow_ops ops = {
		.at_entry = at_entry, .execed = execed, .forked = forked, .exited = exited
	};
	assert_null(follow_create(&ops, &end, &f));
	assert_null(follow_seize(f, pid, false));
	s->may_go = true;
	do { /* the thread that made it continues and waits; the new one is at its first stop */
		assert_null(ptrace_wait_stop(pid, PATIENCE_NS, &status));
		assert_null(ptrace_continue(pid, ptrace_signal_of(status)));
	} while (status >> 16 != PTRACE_EVENT_CLONE);
	struct thread_place maker = { 0 };
	for (unsigned i = 0; maker.syscall != SYS_pause && maker.syscall != SYS_ppoll; i++) {
		assert_true(i < ROUNDS && thread_place_read(pid, pid, &maker));
		poll(NULL, 0, 1);
	}

	struct remote_mem *mem;
	struct maps *maps;
	struct remote_place place = { 0 };
	assert_null(remote_mem_open(pid, &mem));
	assert_null(maps_read(pid, &maps));
	assert_null(maps_find_modules(maps, remote_mem_reader(mem)));
	assert_null(remote_place_find(pid, mem, maps, RADDR(0), stub_bytes(), &place));
	const struct remote_target target = { .pid = pid,
					      .mem = mem,
					      .maps = maps,
					      .place = &place,
					      .attached = true,
					      .unloadable = &maps->modules[0] };
	struct remote_program program = { 0 };
	struct remote_call_stats stats = { 0 };
	uint64_t value = 0;
	remote_program_add(&program, SYS_getpid, 0, 0, 0, 0, 0, 0);
	assert_null(
	    all_stop_run(&target, &program, maker.pc, maker.pc + 1, PATIENCE_NS, &stats, &value));
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

/* ---- exec ---- */

struct execing {
	volatile pid_t other, execs; /* threads in addition to the first */
	volatile bool may_go;
};

static void *wait_here(void *ctx)
{
	struct execing *s = ctx;
	s->other = gettid();
	for (;;)
		pause();
	return NULL;
}

static void *exec_here(void *ctx)
{
	struct execing *s = ctx;
	s->execs = gettid();
	while (!s->may_go)
		poll(NULL, 0, 1);
	execl("/bin/sh", "sh", "-c", "exit 9", NULL);
	_exit(3);
}

/* Start a process with one thread that waits and one that will exec. */
static pid_t start_execing(struct execing **ret)
{
	struct execing *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
				 0);
	assert_ptr_not_equal(s, MAP_FAILED);
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t one, two;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&one, NULL, wait_here, s) != 0 ||
		    pthread_create(&two, NULL, exec_here, s) != 0)
			_exit(3);
		for (;;)
			pause();
	}
	for (unsigned k = 0; !s->other || !s->execs; k++) {
		assert_true(k < ROUNDS);
		poll(NULL, 0, 1);
	}
	*ret = s;
	return pid;
}

/* One of our threads that is ending delays its process's exec, and so our requests to the other
 * threads. */
static void an_exec_is_not_waited_for(void **state)
{
	(void)state;
	static const unsigned long options[] = { 0, PTRACE_O_TRACEEXIT,
						 PTRACE_O_TRACEEXIT | PTRACE_O_TRACEEXEC };
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct execing *s;
		pid_t pid = start_execing(&s);
		assert_null(ptrace_seize(s->other, options[i]));
		s->may_go = true;
		struct thread_place at = { 0 };
		/* it is ending, and waits for us */
		for (unsigned k = 0; at.state != 'Z' && at.state != 't'; k++) {
			assert_true(k < ROUNDS && thread_place_read(pid, s->other, &at));
			poll(NULL, 0, 1);
		}
		/* before or after the exec, or of the thread that is ending */
		struct err *err = ptrace_seize(pid, 0);
		assert_false(err && err->code == ERR_TIMEOUT);
		err_destroy(err);
		int status = 0;
		for (unsigned k = 0;
		     waitpid(pid, &status, WNOHANG | __WALL) != pid || !WIFEXITED(status); k++) {
			assert_true(k < ROUNDS);
			if (WIFSTOPPED(status))
				err_destroy(ptrace_continue(pid, ptrace_signal_of(status)));
			status = 0;
			poll(NULL, 0, 1);
		}
		assert_int_equal(WEXITSTATUS(status), 9);
		munmap(s, 4096);
	}
}

/* Another tracer may delay it forever: then the request fails. */
static void an_exec_that_does_not_end_is_given_up(void **state)
{
	(void)state;
	struct execing *s;
	pid_t pid = start_execing(&s);
	pid_t tracer = fork();
	if (tracer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		err_destroy(ptrace_seize(s->other, PTRACE_O_TRACEEXIT));
		s->may_go = true;
		for (;;)
			pause();
	}
	struct thread_place at = { 0 };
	for (unsigned k = 0; at.state != 't'; k++) {
		assert_true(k < ROUNDS && thread_place_read(pid, s->other, &at));
		poll(NULL, 0, 1);
	}
	struct err *err = ptrace_seize(pid, 0);
	assert_non_null(err);
	assert_int_equal(err->code, ERR_TIMEOUT);
	err_destroy(err);
	kill(tracer, SIGKILL);
	assert_int_equal(waitpid(tracer, NULL, 0), tracer);
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 9);
	munmap(s, 4096);
}

static bool is_waitpid_slow;

/* In place of the C library's. If it is slow, the program has stopped at its exec when
 * follow_poll() asks for the first time, inside follow_launch(). */
pid_t waitpid(pid_t pid, int *status, int options)
{
	if (is_waitpid_slow && pid == -1)
		poll(NULL, 0, 5);
	return (pid_t)syscall(SYS_wait4, pid, status, options, NULL);
}

struct launched {
	pid_t pid; /* as follow_launch() has set it */
	unsigned n_execs, n_unknown;
	bool has_ended;
};

static void launched_execed(void *ctx, pid_t pid)
{
	struct launched *l = ctx;
	l->n_execs++;
	l->n_unknown += pid != l->pid;
}

static void launched_exited(void *ctx, pid_t pid, int status)
{
	struct launched *l = ctx;
	(void)status;
	l->n_unknown += pid != l->pid;
	l->has_ended = true;
}

/* A program can end before follow_launch() returns. If its end were reported without the caller
 * knowing its pid, the caller would wait for it forever. */
static void a_launched_program_is_known_when_it_is_reported(void **state)
{
	(void)state;
	enum { LAUNCHES = 10 };
	char program[] = "/bin/true", *argv[] = { program, NULL };
	struct launch launch = { .argv = argv,
				 .io = { .in = -1, .out = -1, .err = -1, .terminal = -1 } };
	const struct follow_ops ops = { .at_entry = at_entry,
					.execed = launched_execed,
					.forked = forked,
					.exited = launched_exited };
	for (unsigned i = 0; i < LAUNCHES; i++) {
		struct launched l = { .pid = 0 };
		struct follow *f;
		assert_null(launch_prepare(&launch));
		assert_null(follow_create(&ops, &l, &f));
		is_waitpid_slow = true;
		struct err *err = follow_launch(f, &launch, true, &l.pid);
		is_waitpid_slow = false;
		assert_null(err);
		launch_settle(&launch, true);
		for (unsigned k = 0; k < ROUNDS && !l.has_ended; k++) {
			follow_poll(f);
			poll(NULL, 0, 1);
		}
		follow_destroy(f);
		assert_true(l.has_ended);
		assert_int_equal(l.n_execs, 1);
		assert_int_equal(l.n_unknown, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_launched_program_is_known_when_it_is_reported),
		cmocka_unit_test(a_thread_just_made_survives_a_list),
		cmocka_unit_test(an_exec_is_not_waited_for),
		cmocka_unit_test(an_exec_that_does_not_end_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
