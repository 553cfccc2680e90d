/* A selection compared with a plain array of bools, over sizes at the edges of words and ranks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "capture_util.h"
#include "model/selection.h"

static void compare(struct selection *s, const bool *rows, uint64_t n)
{
	uint64_t count = 0, last = SELECTION_NONE;
	for (uint64_t i = 0; i < n; i++) {
		assert_int_equal(selection_has(s, i), rows[i]);
		assert_int_equal(selection_rank(s, i), count);
		if (rows[i]) {
			assert_int_equal(selection_nth(s, count), i);
			count++;
			last = i;
		}
		assert_int_equal(selection_prev(s, i), last);
	}
	uint64_t next = SELECTION_NONE;
	for (uint64_t i = n; i-- > 0;) {
		next = rows[i] ? i : next;
		assert_int_equal(selection_next(s, i), next);
	}
	assert_int_equal(selection_count(s), count);
	assert_int_equal(selection_nth(s, count), SELECTION_NONE);
	assert_int_equal(selection_next(s, n), SELECTION_NONE);
	assert_int_equal(selection_prev(s, n + 1000), last);
	assert_false(selection_has(s, n));
}

static void against_bools(void **state)
{
	static const uint64_t sizes[] = { 0, 1, 63, 64, 65, 511, 512, 513, 1024, 3000 };
	uint64_t seed = 11;
	for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
		uint64_t n = sizes[k];
		bool *a = calloc(n + 1, sizeof(bool)), *b = calloc(n + 1, sizeof(bool));
		struct selection *s, *with, *copy;
		must(selection_create(n, false, &s));
		must(selection_create(n, true, &with));
		for (uint64_t i = 0; i < n; i++) {
			a[i] = test_random(&seed) % 3 == 0;
			b[i] = test_random(&seed) % 2 == 0;
			selection_set(s, i, a[i]);
			selection_set(with, i, b[i]);
		}
		compare(s, a, n);
		must(selection_dup(s, &copy));
		selection_and_not(copy, with);
		bool *c = calloc(n + 1, sizeof(bool));
#define EXPECT(expr)                                                                               \
	do {                                                                                       \
		for (uint64_t i = 0; i < n; i++)                                                   \
			c[i] = expr;                                                               \
		compare(copy, c, n);                                                               \
	} while (0)
		EXPECT(a[i] && !b[i]);
		selection_and_not(copy, s);
		EXPECT(false);
		selection_fill(copy, 0, n, true);
		selection_and_not(copy, s);
		EXPECT(!a[i]);
		selection_fill(copy, n / 4, n / 2, true);
		EXPECT((i >= n / 4 && i < n / 2) || !a[i]);
		selection_fill(copy, n / 3, n + 5, false);
		EXPECT(i < n / 3 && ((i >= n / 4 && i < n / 2) || !a[i]));
		must(selection_resize(copy, n / 2, true));
		must(selection_resize(copy, n, true));
		EXPECT(i >= n / 2 || (i < n / 3 && ((i >= n / 4 && i < n / 2) || !a[i])));
		selection_destroy(s);
		selection_destroy(with);
		selection_destroy(copy);
		free(a);
		free(b);
		free(c);
	}
}

static void of_different_lengths(void **state)
{
	struct selection *longer, *shorter;
	must(selection_create(2000, true, &longer));
	must(selection_create(100, true, &shorter));
	selection_and_not(longer, shorter);
	assert_int_equal(selection_count(longer), 1900);
	must(selection_resize(longer, 5000, true));
	assert_int_equal(selection_count(longer), 4900);
	selection_destroy(longer);
	selection_destroy(shorter);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(against_bools),
					    cmocka_unit_test(of_different_lengths) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
