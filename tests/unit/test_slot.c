/*
 * test_slot: a slot that the recorder frees may be claimed at any instruction. The function is
 * stepped through, and what a claimer would find is looked at after each step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "visit/ring.h"

static void freer(struct ring *r)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(77);
	raise(SIGSTOP);
	ring_slot_free(r, 1);
	_exit(0);
}

/* Is there nothing of the process before, in what a claimer does not write itself? */
static bool is_cleared(const struct ring_slot *s)
{
	return !s->head && !s->tail && !s->pid && !s->waiting && !s->n_dropped && !s->writing;
}

static void test_is_freed(void **state)
{
	/* FURTHER: then it runs on, because a load-exclusive/store-exclusive pair that is stepped
	 * through never succeeds (Arm ARM, B2.9.5) */
	enum { STEPS = 1000000, FURTHER = 16 };
	struct ring r;
	(void)state;
	ring_lay_out(&r, 2, PROBE_PAGE, PROBE_PAGE, false);
	r.shared = mmap(NULL, r.n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(r.shared, MAP_FAILED);
	struct ring_slot *s = (struct ring_slot *)((uint8_t *)r.shared + ring_slot_off(&r, 1));
	memset(s, 0x55, sizeof(*s));
	s->state = SLOT_ACTIVE;
	pid_t child = fork();
	if (!child)
		freer(&r);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* ptrace is not allowed here */
	unsigned n_free = 0, n_times = 0, n_early = 0;
	uint32_t before = s->state;
	struct ring_slot first = *s;
	for (unsigned i = 0; i < STEPS && n_free < FURTHER && WIFSTOPPED(status); i++) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		uint32_t now = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
		if (now == SLOT_FREE && before != SLOT_FREE) {
			n_times++;
			first = *s;
		}
		before = now;
		n_free += now == SLOT_FREE;
		/* written to after a process may have claimed it */
		n_early += now == SLOT_FREE &&
			   (!is_cleared(s) || memcmp(&first, s, sizeof(first)) != 0);
	}
	if (WIFSTOPPED(status)) {
		assert_int_equal(ptrace(PTRACE_CONT, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	printf("%u steps while it was free, %u of them too early\n", n_free, n_early);
	assert_int_equal(n_times, 1);
	assert_true(n_free > 0);
	assert_int_equal(n_early, 0);
	munmap(r.shared, r.n_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_is_freed) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
