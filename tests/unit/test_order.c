/*
 * test_order: the stores by which an event announces itself, and the recorder's reading of them, in
 * every order in which a weakly ordered processor may show them.
 *
 * The model: a store becomes visible some time after it was made. Stores to one place become
 * visible in their order. A release store becomes visible after all stores before it. The loads are
 * acquire loads, so they are made in their order (C11, 5.1.2.4). Every interleaving of stores that
 * become visible with loads is tried. The memory orders are those that the probe is compiled with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/attr.h"
#include "probe/abi.h"

enum place { WRITING, TIME, HEAD, N_PLACES };
enum { N_EVENTS = 3, N_STORES = N_EVENTS * N_PLACES };

struct store {
	enum place place;
	int value, order;
};

/* The loads of lineup_look() (recorder/lineup.c), in their order. */
static const enum place loads[] = { WRITING, TIME, HEAD };

struct model {
	struct store stores[N_STORES];
	bool is_visible[N_STORES];
	int memory[N_PLACES], seen[ARRAY_LEN(loads)];
	size_t n_loaded;
	unsigned long n_interleavings, n_wrong;
};

static void model_init(struct model *m, int order_of_writing)
{
	*m = (struct model){ 0 };
	for (int e = 0; e < N_EVENTS; e++) { /* event_write(): one byte a record */
		m->stores[e * N_PLACES] = (struct store){ WRITING, e + 1, order_of_writing };
		m->stores[e * N_PLACES + 1] = (struct store){ TIME, e + 1, RING_STORE_TIME };
		m->stores[e * N_PLACES + 2] = (struct store){ HEAD, e + 1, RING_STORE_HEAD };
	}
}

static bool may_become_visible(const struct model *m, size_t i)
{
	if (m->is_visible[i])
		return false;
	for (size_t k = 0; k < i; k++)
		if (!m->is_visible[k] && (m->stores[i].order != __ATOMIC_RELAXED ||
					  m->stores[k].place == m->stores[i].place))
			return false;
	return true;
}

/* What lineup.h relies on. */
static bool is_right(int writing, int time, int head)
{
	if (writing > head + 1) /* an event is being written after one that is not visible yet */
		return false;
	return writing != head + 1 ||
	       time >= writing - 1; /* its time, or that of the event before it */
}

static void run(struct model *m)
{
	if (m->n_loaded == ARRAY_LEN(loads)) {
		m->n_interleavings++;
		m->n_wrong += !is_right(m->seen[0], m->seen[1], m->seen[2]);
		return;
	}
	m->seen[m->n_loaded] = m->memory[loads[m->n_loaded]];
	m->n_loaded++;
	run(m);
	m->n_loaded--;
	for (size_t i = 0; i < N_STORES; i++) {
		if (!may_become_visible(m, i))
			continue;
		int before = m->memory[m->stores[i].place];
		m->is_visible[i] = true;
		m->memory[m->stores[i].place] = m->stores[i].value;
		run(m);
		m->memory[m->stores[i].place] = before;
		m->is_visible[i] = false;
	}
}

static void test_orders(void **s)
{
	struct model m;
	(void)s;
	model_init(&m, RING_STORE_WRITING);
	run(&m);
	printf("%lu interleavings, %lu wrong\n", m.n_interleavings, m.n_wrong);
	assert_true(m.n_interleavings > 100);
	assert_int_equal(m.n_wrong, 0);
}

/* The model can find errors: with a relaxed store of `writing` it finds what release forbids. */
static void test_relaxed(void **s)
{
	struct model m;
	(void)s;
	model_init(&m, __ATOMIC_RELAXED);
	run(&m);
	assert_true(m.n_wrong > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_orders),
					    cmocka_unit_test(test_relaxed) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
