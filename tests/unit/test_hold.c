/* remote_call, ptrace: a followed thread that was held and let go is as it was: its options, its filter, its job-control stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/vec.h"
#include "tracer/maps.h"
#include "tracer/ptrace.h"
#include "tracer/remote_call.h"
#include "tracer/remote_mem.h"

enum { OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXIT, PATIENCE_NS = 2000000000 };

struct shared {
	volatile uint64_t n_allowed, n_forbidden; /* getppid(2), which the child has forbidden itself */
	volatile bool is_over;
};

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

static const struct ptrace_watch watch = { .others = no_others, .reported = pass, .options = options };

static NORETURN void child_main(struct shared *s)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_LEN(filter), filter };
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a check that fails ends the test */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(3);
	while (!s->is_over) {
		if (syscall(SYS_getppid) > 0)
			s->n_allowed++;
		else
			s->n_forbidden++;
	}
	_exit(0);
}

struct held {
	struct shared *shared;
	pid_t pid;
	struct remote_mem *mem;
	struct maps *maps;
	struct remote_target target;
};

static void wait_for_count(volatile uint64_t *count)
{
	uint64_t wanted = *count + 1000;
	for (unsigned i = 0; *count < wanted; i++) {
		assert_true(i < 20000);
		poll(NULL, 0, 1);
	}
}

static void set_up(struct held *h)
{
	struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(s, MAP_FAILED);
	ptrace_set_watch(&watch);
	*h = (struct held){ .shared = s, .pid = fork() };
	if (h->pid == 0)
		child_main(s);
	assert_true(h->pid > 0);
	wait_for_count(&s->n_forbidden);
	assert_null(ptrace_seize(h->pid, OPTIONS));
	assert_null(remote_mem_open(h->pid, &h->mem));
	assert_null(maps_read(h->pid, &h->maps));
	h->target = (struct remote_target){ .pid = h->pid, .mem = h->mem, .maps = h->maps, .attached = true, .filtered = true };
}

static void end(struct held *h)
{
	int status = 0;
	h->shared->is_over = true;
	assert_null(ptrace_wait_stop(h->pid, PATIENCE_NS, &status));
	assert_int_equal(status >> 8, SIGTRAP | PTRACE_EVENT_EXIT << 8); /* PTRACE_O_TRACEEXIT was kept */
	assert_null(ptrace_detach(h->pid, 0));
	assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	remote_mem_close(h->mem);
	maps_destroy(h->maps);
	munmap(h->shared, 4096);
	ptrace_set_watch(NULL);
}

static void keeps_options_and_filter(void **state)
{
	(void)state;
	struct held h;
	bool outside = false;
	set_up(&h);
	struct err *err = threads_check_outside(&h.target, 1, 2, &outside);
	if (err && err->code == ERR_DENIED) { /* PTRACE_O_SUSPEND_SECCOMP takes CAP_SYS_ADMIN */
		kill(h.pid, SIGKILL);
		waitpid(h.pid, NULL, 0);
		err_destroy(err);
		skip();
	}
	assert_null(err);
	assert_true(outside);
	uint64_t allowed = h.shared->n_allowed;
	wait_for_count(&h.shared->n_forbidden);
	assert_true(h.shared->n_allowed == allowed);
	end(&h);
}

/* Run a list in a thread that has been sent SIGSTOP: let go on it stops, and goes on with SIGCONT. */
static void keeps_a_job_control_stop(void **state)
{
	(void)state;
	struct held h;
	bool group_stopped = true;
	int status = 0;
	set_up(&h);
	h.target.filtered = false;
	struct remote_place place = { 0 };
	assert_null(maps_find_modules(h.maps, remote_mem_reader(h.mem)));
	assert_null(remote_place_find(h.mem, h.maps, RADDR(0), remote_stub_bytes(), &place));
	h.target.place = &place;
	assert_null(ptrace_stop_for_change(h.pid, PATIENCE_NS, &group_stopped));
	assert_false(group_stopped);
	assert_int_equal(kill(h.pid, SIGSTOP), 0); /* it is pending: the list will meet it */

	struct remote_program program = { 0 };
	struct remote_call_stats stats = { 0 };
	uint64_t value = 0, count = h.shared->n_forbidden;
	remote_program_add(&program, SYS_getpid, 0, 0, 0, 0, 0, 0);
	assert_null(remote_call_run_stopped(h.pid, &h.target, &program, PATIENCE_NS, &stats, &value));
	assert_int_equal(value, 1);
	assert_null(ptrace_continue(h.pid, 0));
	assert_null(ptrace_wait_stop(h.pid, PATIENCE_NS, &status));
	assert_int_equal(status >> 8, SIGSTOP | PTRACE_EVENT_STOP << 8);
	assert_true(h.shared->n_forbidden - count <= 1);

	assert_null(ptrace_listen(h.pid));
	assert_int_equal(kill(h.pid, SIGCONT), 0);
	for (unsigned i = 0; i < 4; i++) { /* the end of the stop, and the signal */
		assert_null(ptrace_wait_stop(h.pid, PATIENCE_NS, &status));
		assert_null(ptrace_continue(h.pid, ptrace_signal_of(status)));
		if (ptrace_signal_of(status) == SIGCONT)
			break;
	}
	wait_for_count(&h.shared->n_forbidden);
	end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_options_and_filter),
		cmocka_unit_test(keeps_a_job_control_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
