/* A known key is found; a dictionary with a limit forgets keys that are not looked up, never mixes
 * up ids, and its memory has a bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "capture/dictionary.h"

#define SEED 17

static struct dictionary_key key_of(uint32_t n)
{
	return dictionary_hash(&n, sizeof(n), SEED);
}

static void everything_stays(void **state)
{
	struct dictionary d = { 0 };
	assert_int_equal(dictionary_find(&d, key_of(1)), 0);
	for (uint32_t n = 1; n <= 100000; n++)
		assert_int_equal(dictionary_add(&d, key_of(n)), n);
	assert_true(dictionary_alias(&d, key_of(200000), 7));
	for (uint32_t n = 1; n <= 100000; n++)
		assert_int_equal(dictionary_find(&d, key_of(n)), n);
	assert_int_equal(dictionary_find(&d, key_of(200000)), 7);
	assert_int_equal(dictionary_find(&d, key_of(100001)), 0);
	dictionary_fini(&d);
}

static void the_unasked_for_goes(void **state)
{
	struct dictionary d = { .n_slots_max = 4096 };
	uint32_t hot = dictionary_add(&d, key_of(0)), alias = dictionary_add(&d, key_of(1u << 30));
	assert_true(dictionary_alias(&d, key_of(1u << 31), alias));
	for (uint32_t n = 1; n <= 1000000; n++) {
		uint32_t id = dictionary_add(&d, key_of(n));
		assert_int_equal(id, n + 2); /* always a new one */
		assert_int_equal(dictionary_find(&d, key_of(n)), id);
		if (n % 1000 == 0) {
			assert_int_equal(dictionary_find(&d, key_of(0)), hot);
			assert_int_equal(dictionary_find(&d, key_of(1u << 31)), alias);
		}
		/* a recent key is there at any moment; looking it up makes it young, and counts as
		 * one more */
		if (n > 2000)
			assert_int_equal(dictionary_find(&d, key_of(n - 900)), n - 900 + 2);
		assert_true(d.young.mask < 4096 && d.elder.mask < 4096);
	}
	assert_int_equal(dictionary_find(&d, key_of(1)), 0);
	/* its alias was looked up, not the key itself */
	assert_int_equal(dictionary_find(&d, key_of(1u << 30)), 0);
	assert_int_equal(dictionary_add(&d, key_of(1)), 1000003);
	assert_int_equal(dictionary_find(&d, key_of(1)), 1000003);
	dictionary_fini(&d);
}

/* A key is in one generation, or promoted into the other: the id that is found is always the latest
 * that it was given. */
static void forgotten_and_known_again(void **state)
{
	struct dictionary d = { .n_slots_max = 2048 };
	static uint32_t given[20000];
	uint64_t random = 1;
	unsigned n_again = 0;
	for (unsigned i = 0; i < 2000000; i++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		uint32_t n = (uint32_t)(random >> 33) % (i % 3 ? 300 : 20000);
		uint32_t id = dictionary_find(&d, key_of(n));
		if (id) {
			assert_int_equal(id, given[n]);
		} else {
			id = dictionary_add(&d, key_of(n));
			assert_true(id > given[n]);
			n_again += given[n] != 0;
			given[n] = id;
		}
	}
	assert_true(n_again > 1000);
	dictionary_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_stays),
		cmocka_unit_test(the_unasked_for_goes),
		cmocka_unit_test(forgotten_and_known_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
