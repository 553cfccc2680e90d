/* hold, all_stop, ptrace: after a detach a thread is as it was before the attach: options,
 * filter, job-control stop, system call. If a call cannot be made in it, it runs on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/proc_status.h"
#include "base/vec.h"
#include "system/maps.h"
#include "visit/all_stop.h"
#include "visit/ptrace.h"
#include "visit/at_stop.h"
#include "visit/carrier.h"
#include "visit/hold.h"
#include "visit/one_thread.h"
#include "visit/remote_place.h"
#include "visit/remote_program.h"
#include "visit/remote_target.h"
#include "visit/stub.h"
#include "visit/threads.h"
#include "visit/threads_outside.h"
#include "system/remote_mem.h"

#define NOWHERE 0x600000000000ull /* an address that no register holds, as 1 would be: errno */
enum {
	OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXIT,
	PATIENCE_NS = 2000000000,
	ROUNDS = 60000
};

struct shared {
	/* getppid(2), which the child has forbidden itself */
	volatile uint64_t n_allowed, n_forbidden;
	volatile bool is_over;
	volatile bool is_handled; /* the handler of SIGUSR1, which is blocked, may return */
	uint64_t blocked;         /* a signal set in the kernel's layout */
	/* for the children without a filter: whether they may continue; number of rounds, and of
	 * calls that ended early */
	volatile uint64_t go, n_made, n_early;
	int wakes[2]; /* a pipe that ends the wait of waits_main() */
	/* threads of executes_main() */
	volatile pid_t executes, spins;
};
static struct shared *shared;

static void no_others(void *ctx, pid_t waited_for)
{
	(void)ctx, (void)waited_for;
}

static enum ptrace_verdict pass(void *ctx, pid_t tid, int status)
{
	(void)ctx, (void)tid, (void)status;
	return PTRACE_PASS;
}

static unsigned long options(void *ctx, pid_t tid)
{
	(void)ctx, (void)tid;
	return OPTIONS;
}

static const struct ptrace_watch watch = { .others = no_others,
					   .reported = pass,
					   .options = options };

static void on_usr1(int signal)
{
	(void)signal;
	while (!shared->is_handled)
		;
}

static NORETURN void child_main(struct shared *s)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_LEN(filter), filter };
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed check ends the test, and then this process */
	signal(SIGUSR1, on_usr1);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &s->blocked, NULL, sizeof(s->blocked));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(3);
	while (!s->is_over) {
		if (syscall(SYS_getppid) > 0)
			s->n_allowed++;
		else
			s->n_forbidden++;
	}
	_exit(0);
}

/* Spin until it may continue, then wait forever. */
static NORETURN void waits_main(struct shared *s)
{
	struct epoll_event event = { .events = EPOLLIN };
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int e = epoll_create1(0);
	if (e < 0 || epoll_ctl(e, EPOLL_CTL_ADD, s->wakes[0], &event) < 0)
		_exit(3);
	for (s->n_made = 1; !s->go; s->n_made++)
		;
	while (epoll_wait(e, &event, 1, 600000) < 0)
		s->n_early++;
	s->is_over = true;
	_exit(0);
}

static void *spin(void *arg)
{
	struct shared *s = arg;
	for (s->spins = (pid_t)syscall(SYS_gettid);;)
		s->n_made++;
	return NULL;
}

static void *execute(void *arg)
{
	struct shared *s = arg;
	for (s->executes = (pid_t)syscall(SYS_gettid); !s->go;)
		;
	execl("/bin/sleep", "sleep", "60", (char *)NULL);
	_exit(3);
}

/* Three threads, of which one calls exec when it may. */
static NORETURN void executes_main(struct shared *s)
{
	pthread_t thread;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pthread_create(&thread, NULL, spin, s) || pthread_create(&thread, NULL, execute, s))
		_exit(3);
	for (;;)
		pause();
}

struct held {
	struct shared *shared;
	pid_t pid;
	struct remote_mem *mem;
	struct maps *maps;
	struct remote_target target;
	struct remote_place place;
	struct remote_program program;
	struct remote_call_stats stats;
};

static void wait_for_count(volatile uint64_t *count)
{
	uint64_t wanted = *count + 1000;
	for (unsigned i = 0; *count < wanted; i++) {
		assert_true(i < ROUNDS);
		poll(NULL, 0, 1);
	}
}

static void start(struct held *h, void (*run)(struct shared *s))
{
	struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
				0);
	assert_ptr_not_equal(s, MAP_FAILED);
	s->blocked = 1ull << (SIGUSR1 - 1);
	assert_int_equal(pipe(s->wakes), 0);
	shared = s;
	*h = (struct held){ .shared = s, .pid = fork() };
	if (h->pid == 0)
		run(s);
	assert_true(h->pid > 0);
}

/* Open what a list needs that runs in it. */
static void open_target(struct held *h)
{
	assert_null(remote_mem_open(h->pid, &h->mem));
	assert_null(maps_read(h->pid, &h->maps));
	assert_null(maps_find_modules(h->maps, remote_mem_reader(h->mem)));
	assert_null(remote_place_find(h->pid, h->mem, h->maps, RADDR(0), stub_bytes(), &h->place));
	h->target = (struct remote_target){
		.pid = h->pid, .mem = h->mem, .maps = h->maps, .place = &h->place
	};
}

static void set_up(struct held *h)
{
	ptrace_set_watch(&watch);
	start(h, child_main);
	wait_for_count(&h->shared->n_forbidden);
	assert_null(ptrace_seize(h->pid, OPTIONS));
	open_target(h);
	h->target.attached = h->target.filtered = true;
}

static void close_target(struct held *h)
{
	remote_mem_close(h->mem);
	maps_destroy(h->maps);
	close(h->shared->wakes[0]), close(h->shared->wakes[1]);
	munmap(h->shared, 4096);
	ptrace_set_watch(NULL);
}

static void kill_and_skip(struct held *h, struct err *err)
{
	kill(h->pid, SIGKILL);
	waitpid(h->pid, NULL, 0);
	err_destroy(err);
	close_target(h);
	skip();
}

static void end(struct held *h)
{
	int status = 0;
	h->shared->is_over = true;
	assert_null(ptrace_wait_stop(h->pid, 10 * (uint64_t)PATIENCE_NS, &status));
	/* PTRACE_O_TRACEEXIT was kept */
	assert_int_equal(status >> 8, SIGTRAP | PTRACE_EVENT_EXIT << 8);
	assert_null(ptrace_detach(h->pid, 0));
	assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close_target(h);
}

/* Let the thread report its pending job-control stop and leave it there, as a tracer that stays
 * does. */
static void leave_stopped(const struct held *h)
{
	int status = 0;
	assert_null(ptrace_wait_stop(h->pid, 10 * (uint64_t)PATIENCE_NS, &status));
	for (unsigned i = 0; i < 4 && status >> 8 != (SIGSTOP | PTRACE_EVENT_STOP << 8); i++) {
		assert_null(ptrace_continue(h->pid, ptrace_signal_of(status)));
		assert_null(ptrace_wait_stop(h->pid, 10 * (uint64_t)PATIENCE_NS, &status));
	}
	assert_int_equal(status >> 8, SIGSTOP | PTRACE_EVENT_STOP << 8);
	assert_null(ptrace_listen(h->pid));
}

static void goes_on_with_sigcont(const struct held *h)
{
	int status = 0;
	assert_int_equal(kill(h->pid, SIGCONT), 0);
	for (unsigned i = 0; i < 4; i++) { /* the end of the stop, and the signal */
		assert_null(ptrace_wait_stop(h->pid, 10 * (uint64_t)PATIENCE_NS, &status));
		assert_null(ptrace_continue(h->pid, ptrace_signal_of(status)));
		if (ptrace_signal_of(status) == SIGCONT)
			break;
	}
	wait_for_count(&h->shared->n_forbidden);
}

static void keeps_options_and_filter(void **state)
{
	(void)state;
	struct held h;
	bool outside = false;
	set_up(&h);
	struct err *err = threads_outside_check(&h.target, NOWHERE, NOWHERE + 1, &outside);
	if (err && err->code == ERR_DENIED) /* PTRACE_O_SUSPEND_SECCOMP takes CAP_SYS_ADMIN */
		kill_and_skip(&h, err);
	assert_null(err);
	assert_true(outside);
	uint64_t allowed = h.shared->n_allowed;
	wait_for_count(&h.shared->n_forbidden);
	assert_true(h.shared->n_allowed == allowed);
	end(&h);
}

/* Run a list in a thread that has been sent SIGSTOP: after the detach it stops, and SIGCONT
 * continues it. */
static void keeps_a_job_control_stop(void **state)
{
	(void)state;
	struct held h;
	bool group_stopped = true;
	int status = 0;
	set_up(&h);
	h.target.filtered = false;
	assert_null(ptrace_stop_for_change(h.pid, PATIENCE_NS, &group_stopped));
	assert_false(group_stopped);
	assert_int_equal(kill(h.pid, SIGSTOP), 0); /* it is pending, so the list finds it */

	uint64_t value = 0, count = h.shared->n_forbidden;
	remote_program_add(&h.program, SYS_getpid, 0, 0, 0, 0, 0, 0);
	assert_null(at_stop_run(h.pid, &h.target, &h.program, PATIENCE_NS, &h.stats, &value));
	assert_int_equal(value, 1);
	assert_null(ptrace_continue(h.pid, 0));
	assert_null(ptrace_wait_stop(h.pid, PATIENCE_NS, &status));
	assert_int_equal(status >> 8, SIGSTOP | PTRACE_EVENT_STOP << 8);
	assert_true(h.shared->n_forbidden - count <= 1);

	assert_null(ptrace_listen(h.pid));
	goes_on_with_sigcont(&h);
	end(&h);
}

/* Ctrl-Z, then a visit, then fg: the program would stay stopped forever, and not even SIGCONT
 * would wake it. */
static void wakes_from_a_stop_in_which_it_was_visited(void **state)
{
	(void)state;
	struct held h;
	uint64_t value = 0;
	set_up(&h);
	h.target.filtered = false;
	h.target.unloadable = &h.maps->modules[0];
	assert_int_equal(kill(h.pid, SIGSTOP), 0);
	leave_stopped(&h);
	uint64_t count = h.shared->n_forbidden;
	remote_program_add(&h.program, SYS_getpid, 0, 0, 0, 0, 0, 0);
	assert_null(all_stop_run(&h.target, &h.program, 0, 0, PATIENCE_NS, &h.stats, &value));
	assert_int_equal(value, 1);
	leave_stopped(&h);
	assert_true(h.shared->n_forbidden - count <= 1);
	goes_on_with_sigcont(&h);
	end(&h);
}

/* A recorder that is not root: a sandboxed program whose filter may not be suspended would stay
 * stopped forever. */
static void runs_on_where_its_filter_may_not_be_suspended(void **state)
{
	(void)state;
	struct held h;
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct ours[2], fewer[2];
	bool outside = false;
	uint64_t value = 0;
	set_up(&h);
	assert_int_equal(syscall(SYS_capget, &header, ours), 0);
	fewer[0] = ours[0], fewer[1] = ours[1];
	fewer[0].effective &= ~(1u << CAP_SYS_ADMIN);
	assert_int_equal(syscall(SYS_capset, &header, fewer), 0);
	/* this makes no call in it */
	struct err *looked = threads_outside_check(&h.target, NOWHERE, NOWHERE + 1, &outside);
	remote_program_add(&h.program, SYS_getppid, 0, 0, 0, 0, 0, 0);
	struct err *err = carrier_run(&h.target, &h.program, NOWHERE, NOWHERE + 1, PATIENCE_NS,
				      &h.stats, &value);
	assert_int_equal(syscall(SYS_capset, &header, ours), 0);
	assert_null(looked);
	assert_true(outside);
	assert_non_null(err);
	/* kernel/ptrace.c, check_ptrace_options */
	assert_true(err->sys == EPERM || err->sys == EINVAL);
	err_destroy(err);
	wait_for_count(&h.shared->n_forbidden);
	end(&h);
}

/* A slow signal handler runs in the middle of a list: the thread would stay at its next system call
 * forever. */
static void runs_on_after_a_list_that_took_too_long(void **state)
{
	(void)state;
	struct held h;
	bool group_stopped;
	uint64_t value = 0;
	set_up(&h);
	assert_null(ptrace_stop_for_change(h.pid, PATIENCE_NS, &group_stopped));
	assert_null(ptrace_detach(h.pid, 0));
	h.target.attached = h.target.filtered = false;
	h.target.unloadable = &h.maps->modules[0];
	h.target.carrier = carrier_choose(&h.target);
	remote_program_add(&h.program, SYS_rt_sigprocmask, SIG_UNBLOCK,
			   (uint64_t)&h.shared->blocked, 0, sizeof(h.shared->blocked), 0, 0);
	remote_program_add(&h.program, SYS_getpid, 0, 0, 0, 0, 0, 0);
	/* blocked: it is delivered within the list, whose first call unblocks it */
	assert_int_equal(kill(h.pid, SIGUSR1), 0);
	struct err *err = carrier_run(&h.target, &h.program, 0, 0, 500000000, &h.stats, &value);
	assert_non_null(err);
	assert_int_equal(err->code, ERR_TIMEOUT);
	err_destroy(err);

	h.shared->is_handled = true;
	/* Each checks first whether the thread has stopped meanwhile. ERR_BUSY: it got no processor
	 * in that time. */
	for (unsigned i = 0; i < 100; i++) {
		err = carrier_run(&h.target, &h.program, 0, 0, 200000000, &h.stats, &value);
		if (!err || (err->code != ERR_TIMEOUT && err->code != ERR_BUSY))
			break;
		err_destroy(err);
	}
	if (err)
		fail_msg("%s", err->message);
	wait_for_count(&h.shared->n_forbidden);
	assert_null(ptrace_seize(h.pid, OPTIONS)); /* it is no tracee any more */
	end(&h);
}

/* A thread that waits when a sandboxed program is detached from: its call would fail with EINTR,
 * for no reason that the program knows. */
static void a_call_begun_behind_the_list_goes_on(void **state)
{
	(void)state;
	struct held h;
	uint64_t value = 0;
	start(&h, waits_main);
	wait_for_count(&h.shared->n_made);
	open_target(&h);
	h.target.filtered = true;
	remote_program_add(&h.program, REMOTE_FLAG(REMOTE_STORE), (uint64_t)&h.shared->go, 1, 0, 0,
			   0, 0);
	/* Without a mailbox the recorder stays with it for a quarter of this time, until it
	 * waits. */
	struct err *err = carrier_run(&h.target, &h.program, 0, 0, PATIENCE_NS / 2, &h.stats,
				      &value);
	if (err && err->code == ERR_DENIED)
		kill_and_skip(&h, err);
	assert_null(err);
	assert_int_equal(write(h.shared->wakes[1], "", 1), 1);
	assert_int_equal(waitpid(h.pid, NULL, 0), h.pid);
	assert_true(h.shared->go && h.shared->is_over);
	assert_int_equal(h.shared->n_early, 0);
	close_target(&h);
}

/* An exec waits for the threads of its process to be gone, and one that we trace is gone when it
 * has been reaped. Waiting for the thread in exec must not keep it there. */
static void an_exec_does_not_wait_for_threads_that_are_held(void **state)
{
	struct held h;
	struct thread_place at = { .state = '?' };
	bool group_stopped;
	(void)state;
	start(&h, executes_main);
	while (!h.shared->executes || !h.shared->spins)
		poll(NULL, 0, 1);
	open_target(&h);
	pid_t executes = h.shared->executes;
	assert_null(hold_begin(&h.target, h.shared->spins, PATIENCE_NS, &group_stopped));
	h.shared->go = 1;
	for (unsigned i = 0; at.state != 'D' || at.syscall != SYS_execve; i++) {
		assert_true(i < ROUNDS && thread_place_read(h.pid, executes, &at));
		poll(NULL, 0, 1);
	}
	struct err *err = hold_begin(&h.target, executes, 5 * (uint64_t)PATIENCE_NS,
				     &group_stopped);
	assert_non_null(err);
	assert_int_equal(err->code, ERR_TARGET_GONE);
	err_destroy(err);
	/* The program that it executed is the first thread now. */
	char path[64], exe[64];
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)h.pid);
	for (unsigned i = 0;; i++) { /* it gets its number first, then its memory */
		ssize_t n = readlink(path, exe, sizeof(exe) - 1);
		exe[n > 0 ? n : 0] = 0;
		if (strstr(exe, "bin/"))
			break;
		assert_true(i < ROUNDS);
		poll(NULL, 0, 1);
	}
	/* It is ours if the thread was seized before the exec took its number away, and only
	 * then. */
	bool is_ours = proc_is_traced_by_us(h.pid);
	assert_int_equal(hold_take_pending(h.pid), is_ours);
	int status = 0;
	if (is_ours) {
		assert_null(ptrace_wait_stop(h.pid, PATIENCE_NS, &status));
		assert_null(ptrace_detach(h.pid, 0));
	}
	kill(h.pid, SIGKILL);
	waitpid(h.pid, &status, 0);
	close_target(&h);
}

/* A thread that is traced already cannot be attached to, and the caller is told so: it may be one
 * that did not stop for an earlier request. To find out about it, its state is read, and that of
 * another user's process by the reader. */
static void a_second_seize_is_denied(void **state)
{
	(void)state;
	int ends[2], ready[2];
	char byte;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[1]);
		/* without the right to do so it stays ours, and is read directly */
		if (syscall(SYS_setuid, 65534) && errno != EPERM)
			_exit(2);
		_exit(write(ready[1], "", 1) != 1 || read(ends[0], &byte, 1) != 0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_null(ptrace_seize(pid, 0));
	struct err *err = ptrace_seize(pid, 0);
	assert_non_null(err);
	if (err->code != ERR_DENIED)
		fail_msg("%s", err->message);
	err_destroy(err);
	close(ends[0]), close(ends[1]), close(ready[0]), close(ready[1]);
	assert_int_equal(waitpid(pid, NULL, __WALL), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exec_does_not_wait_for_threads_that_are_held),
		cmocka_unit_test(a_second_seize_is_denied),
		cmocka_unit_test(keeps_options_and_filter),
		cmocka_unit_test(keeps_a_job_control_stop),
		cmocka_unit_test(wakes_from_a_stop_in_which_it_was_visited),
		cmocka_unit_test(runs_on_where_its_filter_may_not_be_suspended),
		cmocka_unit_test(runs_on_after_a_list_that_took_too_long),
		cmocka_unit_test(a_call_begun_behind_the_list_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
