/* The hash map: compared with an array, at its limits, and with keys chosen to collide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash_map.h"

#define N 100000u

/* Return the longest run of slots in use: the most that one look-up has to visit. */
static uint32_t longest_run(const struct hash_map *m)
{
	uint32_t longest = 0, run = 0;
	for (uint64_t i = 0; i < 2 * ((uint64_t)m->mask + 1); i++) {
		run = m->slots[i & m->mask].value ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

static void an_empty_map_has_nothing(void **state)
{
	struct hash_map m = { 0 };
	assert_int_equal(hash_map_get(&m, 0), 0);
	assert_int_equal(hash_map_get(&m, UINT64_MAX), 0);
	hash_map_clear(&m);
	assert_int_equal(hash_map_get(&m, 0), 0);
	hash_map_fini(&m);
}

static void every_key_is_found_and_no_other(void **state)
{
	struct hash_map m = { 0 };
	uint64_t x = 1, *keys = malloc(N * sizeof(*keys));
	assert_non_null(keys);
	for (uint32_t i = 0; i < N; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		keys[i] = i == 0 ? 0 : i == 1 ? UINT64_MAX : x;
		uint32_t *at = hash_map_place(&m, keys[i]);
		assert_non_null(at);
		assert_int_equal(*at, 0);
		*at = i + 1;
		assert_true(m.n_used <= m.mask / 2 + 1);
	}
	for (uint32_t i = 0; i < N; i++) {
		assert_int_equal(hash_map_get(&m, keys[i]), i + 1);
		assert_int_equal(*hash_map_place(&m, keys[i]), i + 1);
		assert_int_equal(hash_map_get(&m, keys[i] ^ 0x5555), 0);
	}
	assert_int_equal(m.n_used, N);
	hash_map_clear(&m);
	assert_int_equal(m.n_used, 0);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(hash_map_get(&m, keys[i]), 0);
	hash_map_fini(&m);
	free(keys);
}

static void a_place_left_empty_is_no_key(void **state)
{
	struct hash_map m = { 0 };
	assert_non_null(hash_map_place(&m, 7));
	assert_int_equal(hash_map_get(&m, 7), 0);
	for (uint64_t i = 100; i < 400; i++) /* the table grows meanwhile */
		*hash_map_place(&m, i) = (uint32_t)i;
	assert_int_equal(hash_map_get(&m, 7), 0);
	assert_int_equal(m.n_used, 300);
	hash_map_fini(&m);
}

static void what_is_reserved_does_not_move(void **state)
{
	struct hash_map m = { 0 };
	assert_true(hash_map_reserve(&m, 5000));
	const struct hash_map_slot *slots = m.slots;
	for (uint32_t i = 0; i < 5000; i++)
		*hash_map_place(&m, i) = i + 1;
	assert_ptr_equal(m.slots, slots);
	assert_true(hash_map_reserve(&m, 10));
	assert_ptr_equal(m.slots, slots);
	assert_false(hash_map_reserve(&m, SIZE_MAX / 4));
	assert_int_equal(hash_map_get(&m, 4999), 5000);
	hash_map_fini(&m);
}

/* Numbers as they occur in the program: consecutive ids, multiples of a page or of 2^k, pairs. */
static void keys_in_a_row_do_not_pile_up(void **state)
{
	for (uint64_t seed = 0; seed < 2; seed++) {
		for (unsigned shift = 0; shift < 48; shift++) {
			struct hash_map m = { .seed = seed * 0x3c6ef372fe94f82bull };
			for (uint64_t i = 1; i <= 10000; i++)
				*hash_map_place(&m, i << shift) = (uint32_t)i;
			assert_in_range(longest_run(&m), 1, 200);
			hash_map_fini(&m);
		}
		struct hash_map m = { .seed = seed * 0x3c6ef372fe94f82bull };
		for (uint32_t a = 0; a < 100; a++)
			for (uint32_t b = 0; b < 100; b++)
				*hash_map_place(&m, hash_map_key(a, b)) = a + b + 1;
		assert_int_equal(m.n_used, 10000);
		assert_in_range(longest_run(&m), 1, 200);
		hash_map_fini(&m);
	}
}

/* Keys that share a slot under one seed do not share it under another. */
static void a_seed_spreads_chosen_keys(void **state)
{
	struct hash_map plain = { 0 }, seeded = { .seed = 0xd1342543de82ef95ull };
	uint64_t x = 1;
	assert_true(hash_map_reserve(&plain, 4096) && hash_map_reserve(&seeded, 4096));
	for (uint32_t n = 0; n < 200;) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		struct hash_map empty = plain;
		empty.slots = calloc((size_t)plain.mask + 1, sizeof(*empty.slots));
		assert_non_null(empty.slots);
		for (unsigned k = 0; k < 100000 && n < 200; k++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			if (hash_map_slot_of(&empty, x) != empty.slots)
				continue;
			*hash_map_place(&plain, x) = ++n;
			*hash_map_place(&seeded, x) = n;
		}
		free(empty.slots);
	}
	assert_in_range(longest_run(&plain), 200, 220);
	assert_in_range(longest_run(&seeded), 1, 20);
	hash_map_fini(&plain);
	hash_map_fini(&seeded);
}

static bool is_same_text(const void *ctx, uint32_t value)
{
	static const char *const texts[] = { NULL, "one", "two", "three", "four" };
	return !strcmp(texts[value], ctx);
}

/* Things whose hashes are equal, or follow each other, stay apart. */
static void equal_hashes_are_not_one_thing(void **state)
{
	static const struct {
		const char *text;
		uint64_t hash;
	} rows[] = { { "one", 77 }, { "two", 77 }, { "three", 78 }, { "four", UINT64_MAX } };
	struct hash_map m = { 0 };
	for (int again = 0; again < 2; again++)
		for (uint32_t i = 0; i < 4; i++) {
			uint32_t *at = hash_map_place_same(&m, rows[i].hash, is_same_text,
							   rows[i].text);
			assert_non_null(at);
			assert_int_equal(*at, again ? i + 1 : 0);
			*at = i + 1;
		}
	assert_int_equal(m.n_used, 4);
	hash_map_fini(&m);
}

/* A map that nobody has seeded has the secret of this process. */
static void every_map_is_seeded(void **state)
{
	struct hash_map m = { 0 };
	*hash_map_place(&m, 1) = 1;
	assert_true(hash_map_secret() != 0);
	assert_true(m.seed == hash_map_secret());
	assert_true(hash_map_seed() != hash_map_seed());
	hash_map_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_has_nothing),
		cmocka_unit_test(every_key_is_found_and_no_other),
		cmocka_unit_test(a_place_left_empty_is_no_key),
		cmocka_unit_test(what_is_reserved_does_not_move),
		cmocka_unit_test(keys_in_a_row_do_not_pile_up),
		cmocka_unit_test(a_seed_spreads_chosen_keys),
		cmocka_unit_test(equal_hashes_are_not_one_thing),
		cmocka_unit_test(every_map_is_seeded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
