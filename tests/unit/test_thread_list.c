/*
 * test_thread_list: the list of thread states while threads begin and end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/attr.h"
#include "python/layout.h"
#include "python/python.h"
#include "python/thread_list.h"

enum { RUNTIME = 0x100000, INTERP = 0x200000, FIRST = 0x300000, GAP = 0x1000, N_STATES = 4 };

/* A target of CPython 3.12. The state `dying` ends right after its address was read, n_ends times:
 * then its memory is that of a new thread, which is not in the list yet. */
static struct {
	const struct layout_row *row;
	unsigned dying, n_ends;
} target;

static uint64_t state_at(unsigned i)
{
	return FIRST + (uint64_t)i * GAP;
}

static uint64_t word_at(uint64_t at)
{
	const struct layout_row *row = target.row;
	if (at == RUNTIME + row->runtime_interpreters_head)
		return INTERP;
	if (at == INTERP + row->interp_threads_head)
		return state_at(0);
	if (at == INTERP + row->layout.interp_id)
		return 0;
	if (at < FIRST || at >= state_at(N_STATES))
		return 0;
	unsigned i = (unsigned)((at - FIRST) / GAP);
	uint64_t field = (at - FIRST) % GAP;
	if (field == row->layout.tstate_interp)
		return INTERP;
	if (field == row->tstate_ident)
		return 0x7f0000 + i;
	if (field == row->tstate_ident + 8u)
		return 100 + i;
	if (field != row->tstate_next)
		return 0;
	if (i == target.dying && target.n_ends) {
		target.n_ends--;
		return 0;
	}
	return i + 1 < N_STATES ? state_at(i + 1) : 0;
}

static bool read_target(void *ctx, raddr from, void *to, size_t n_bytes)
{
	uint64_t word = word_at(from.v);
	memset(to, 0, n_bytes);
	memcpy(to, &word, n_bytes < sizeof(word) ? n_bytes : sizeof(word));
	return true;
}

/* Read the list of a target in which a state is reused n_ends times. */
static size_t list_of(unsigned dying, unsigned n_ends, size_t cap, bool *ret_whole)
{
	static struct python_thread list[N_STATES + 1];
	struct mem_reader mem = { .read = read_target };
	target.row = layout_find(12, false);
	assert_non_null(target.row);
	struct python_runtime rt = { .layout = target.row->layout, .row = target.row };
	rt.layout.minor = 12;
	rt.layout.runtime = RUNTIME;
	target.dying = dying;
	target.n_ends = n_ends;
	size_t n = thread_list_read(&mem, &rt, list, cap, ret_whole);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(list[i].tstate, state_at((unsigned)i));
		assert_int_equal(list[i].native_id, 100 + i);
	}
	return n;
}

static void test_whole(void **s)
{
	bool is_whole;
	assert_int_equal(list_of(0, 0, N_STATES + 1, &is_whole), N_STATES);
	assert_true(is_whole);
}

/* A list that ends where a state was given to a new thread is not the list. */
static void test_reused(void **s)
{
	for (unsigned dying = 0; dying + 1 < N_STATES; dying++) {
		bool is_whole;
		assert_int_equal(list_of(dying, 1, N_STATES + 1, &is_whole), N_STATES);
		assert_true(is_whole);
	}
}

static void test_no_room(void **s)
{
	bool is_whole;
	assert_int_equal(list_of(0, 0, 2, &is_whole), 2);
	assert_false(is_whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_reused),
		cmocka_unit_test(test_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
