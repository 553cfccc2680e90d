/*
 * page_cache: each page is read once, only pages that are asked for are read, and the bytes are
 * those of the memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "system/page_cache.h"

enum { PAGE = 4096, PAGES = 4096, HOLE = 7 };
#define BASE 0x7f0000000000u

/* Memory of PAGES pages, without the page HOLE. */
struct fake {
	struct mem_reader reader;
	unsigned n_reads, of_page[PAGES];
	uint64_t changed; /* an address with another byte; 0: none */
	bool has_no_hole;
};

static uint8_t byte_at(uint64_t address)
{
	return (uint8_t)(address * 31 + address / PAGE);
}

static bool fake_read(void *ctx, raddr from, void *to, size_t n_bytes)
{
	struct fake *f = ctx;
	f->n_reads++;
	for (size_t i = 0; i < n_bytes; i++) {
		uint64_t at = from.v + i;
		if (at < BASE || at >= BASE + (uint64_t)PAGES * PAGE ||
		    ((at - BASE) / PAGE == HOLE && !f->has_no_hole))
			return false;
		if (i == 0 || at % PAGE == 0)
			f->of_page[(at - BASE) / PAGE]++;
		((uint8_t *)to)[i] = (uint8_t)(byte_at(at) + (at == f->changed));
	}
	return true;
}

static void begin(struct fake *f)
{
	*f = (struct fake){ 0 };
	f->reader = (struct mem_reader){ .read = fake_read, .ctx = f };
}

static void expect(struct page_cache *c, uint64_t off, size_t n_bytes)
{
	uint8_t bytes[3 * PAGE];
	assert_true(page_cache_read(c, RADDR(BASE + off), bytes, n_bytes));
	for (size_t i = 0; i < n_bytes; i++)
		assert_int_equal(bytes[i], byte_at(BASE + off + i));
}

static void each_page_is_read_once(void **state)
{
	(void)state;
	struct fake f;
	begin(&f);
	struct page_cache *c = page_cache_create(&f.reader);
	assert_non_null(c);
	for (unsigned i = 0; i < 1023; i++)
		expect(c, 2 * PAGE + i * 4, 16); /* the last ones end in the page after it */
	assert_int_equal(f.n_reads, 2);
	assert_int_equal(f.of_page[1], 0);
	assert_int_equal(f.of_page[2], 1);
	assert_int_equal(f.of_page[3], 1);
	assert_int_equal(f.of_page[4], 0);
	page_cache_destroy(c);
}

static void a_page_that_is_not_there(void **state)
{
	(void)state;
	struct fake f;
	uint8_t bytes[16];
	begin(&f);
	struct page_cache *c = page_cache_create(&f.reader);
	for (unsigned i = 0; i < 10; i++) {
		assert_false(page_cache_read(c, RADDR(BASE + HOLE * PAGE), bytes, 8));
		assert_false(page_cache_read(c, RADDR(BASE + HOLE * PAGE - 8), bytes, 16));
	}
	assert_int_equal(f.n_reads, 2);
	expect(c, HOLE * PAGE - 8, 8);
	assert_false(page_cache_read(c, RADDR(UINT64_MAX - 3), bytes, 8));
	assert_false(page_cache_read(c, RADDR(0), bytes, 8));
	page_cache_destroy(c);
}

/* More pages than are kept, in any order. */
static void old_pages_make_room(void **state)
{
	(void)state;
	struct fake f;
	begin(&f);
	struct page_cache *c = page_cache_create(&f.reader);
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned page = (unsigned)rand() % (PAGES - 2);
		if (page != HOLE && page != HOLE - 1)
			expect(c, (uint64_t)page * PAGE + (unsigned)rand() % PAGE, 64);
	}
	assert_true(f.n_reads > PAGES / 2);
	/* a large read needs no page */
	unsigned before = f.n_reads;
	expect(c, 100 * PAGE + 5, 2 * PAGE);
	assert_int_equal(f.n_reads, before + 1);
	page_cache_destroy(c);
}

/* Modules of one size, each with its tables at the same places: those of one do not drive out each
 * other. */
static void tables_of_a_module_fit(void **state)
{
	(void)state;
	struct fake f;
	begin(&f);
	struct page_cache *c = page_cache_create(&f.reader);
	for (unsigned module = 1; module < 16; module++)
		for (unsigned i = 0; i < 100; i++)
			for (unsigned table = 0; table < 8; table++)
				expect(c, (uint64_t)(module * 256 + table * 32) * PAGE + i * 8, 8);
	assert_int_equal(f.n_reads, 15 * 8);
	page_cache_destroy(c);
}

/* It is asked whether all that was read is as it was. */
static void a_change_is_seen(void **state)
{
	(void)state;
	struct fake f;
	uint8_t bytes[2 * PAGE];
	begin(&f);
	struct page_cache *c = page_cache_create(&f.reader);
	assert_true(page_cache_is_same(c)); /* nothing was read */
	expect(c, 3 * PAGE + 8, 8);
	expect(c, 40 * PAGE + 8, 8);
	assert_false(page_cache_read(c, RADDR(BASE + HOLE * PAGE), bytes, 8));
	assert_true(page_cache_is_same(c));
	f.changed = BASE + 40 * PAGE + PAGE - 1;
	assert_false(page_cache_is_same(c));
	f.changed = BASE + 41 * PAGE; /* of a page that was not read */
	assert_true(page_cache_is_same(c));
	f.has_no_hole = true;
	assert_false(page_cache_is_same(c));
	f.has_no_hole = false;
	assert_true(page_cache_is_same(c));
	/* what is not kept cannot be compared */
	assert_true(page_cache_read(c, RADDR(BASE + 100 * PAGE), bytes, 2 * PAGE));
	assert_false(page_cache_is_same(c));
	page_cache_destroy(c);
	c = page_cache_create(&f.reader);
	for (unsigned i = 100; i < 1000; i++)
		assert_true(page_cache_read(c, RADDR(BASE + i * PAGE), bytes, 1));
	assert_false(page_cache_is_same(c));
	page_cache_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_is_seen),
		cmocka_unit_test(each_page_is_read_once),
		cmocka_unit_test(a_page_that_is_not_there),
		cmocka_unit_test(old_pages_make_room),
		cmocka_unit_test(tables_of_a_module_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
