/*
 * locals_encode() on memory that makes no sense: it ends, keeps its bounds, and what it encodes can
 * be read. That it is right for real frames is shown by tests/e2e/check_hold.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/strbuf.h"
#include "model/value_iter.h"
#include "python/layout.h"
#include "python/locals.h"
#include "python/python.h"

enum { SEEDS = 1000, READS_MAX = 3000000 };
#define TUPLES     0x70000000ull
#define TUPLE_TYPE 0x60000000ull

/* What is hostile about the memory, besides making no sense. */
enum kind {
	ANY,
	CYCLES,  /* a few objects refer to one another, and to themselves */
	LENGTHS, /* many numbers are huge */
	PAGES,   /* some pages cannot be read, also in the middle of an object */
	KIND_COUNT
};

struct nonsense {
	enum kind kind;
	uint64_t seed, n_reads, code;
	const struct probe_layout *l;
};

static uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15ull;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 32;
}

/* Each word of all memory: where a type may have its flags, one that decides what an object is;
 * where an object may have its type, often the address of a type; else a small number, an address,
 * or anything. Types are at multiples of a page, objects at multiples of 16 bytes. */
static uint64_t word_at(const struct nonsense *n, uint64_t index)
{
	uint64_t at = index * 8, r = mix(at ^ mix(n->seed)), what = mix(r) % 16;
	if (at - n->code < 512) /* the names of the variables are tuples */
		return TUPLES + r % 8 * 4096;
	if (at - TUPLES < 8 * 4096ull && at % 4096 == n->l->ob_type)
		return TUPLE_TYPE;
	if (at - TUPLES < 8 * 4096ull && at % 4096 == n->l->ob_size)
		return r % 12;
	if (at == TUPLE_TYPE + n->l->tp_flags)
		return 1 << 26;
	if (at % 4096 == n->l->tp_flags)
		return 1ull << (24 + r % 7); /* int, -, list, tuple, bytes, str, dict */
	if (at % 16 == n->l->ob_type % 16 && what < 10)
		return r % 8 ? (16 + r % 64) * 4096 : n->l->type_float + r % 2 * 16;
	if (what < 8)
		return n->kind == LENGTHS && r % 2 ? 1ull << (r >> 8) % 64 : r % 40;
	return what < 15 ? (n->kind == CYCLES ? r % 8 : r % (1u << 20)) * 16 + 65536 : r;
}

static bool nonsense_read(void *ctx, raddr from, void *to, size_t n_bytes)
{
	struct nonsense *n = ctx;
	if (n->n_reads++ > READS_MAX)
		fail_msg("it reads on and on");
	if (n_bytes == 4 && from.v - n->code < 512) { /* its flags and counts */
		uint32_t number = (uint32_t)mix(from.v ^ n->seed) % 8;
		memcpy(to, &number, 4);
		return true;
	}
	for (size_t i = 0; i < n_bytes; i++) {
		uint64_t word = word_at(n, (from.v + i) / 8);
		((uint8_t *)to)[i] = (uint8_t)(word >> (from.v + i) % 8 * 8);
	}
	if (n->kind != PAGES)
		return mix(from.v ^ n->seed) % 50 != 0; /* some cannot be read */
	for (uint64_t page = from.v / 4096; page <= (from.v + n_bytes - 1) / 4096; page++)
		if (page != n->code / 4096 && mix(page ^ n->seed) % 8 == 0)
			return false;
	return true;
}

/* Were there variables? */
static bool check(struct python_runtime *rt, enum kind kind, uint64_t seed)
{
	const uint64_t code = 0x90000 + seed * 512;
	struct nonsense n = { .kind = kind, .seed = seed, .l = &rt->layout, .code = code };
	const struct mem_reader mem = { .read = nonsense_read, .ctx = &n };
	const struct stack_frame f = { .frame = 0x20000 + seed * 64, .code = code };
	struct strbuf b = { 0 };
	strbuf_adds(&b, "x");
	bool ok = locals_encode(&mem, rt, &f, &b);
	if (ok) {
		struct value_iter it;
		struct value_node node;
		/* the last value may pass the bound by its own size */
		assert_in_range(b.n, 2, 2 * LOCALS_BYTES_MAX);
		value_iter_init_bytes(&it, NULL, b.s + 1, b.n - 1, NULL, 0);
		assert_true(value_iter_next(&it, &node));
		assert_int_equal(node.tag, VALUE_DICT);
		while (value_iter_next(&it, &node))
			;
		assert_false(value_iter_failed(&it));
	} else {
		assert_int_equal(b.n, 1);
	}
	ok = b.n > 20;
	strbuf_fini(&b);
	return ok;
}

static void test_nonsense(void **state)
{
	for (unsigned minor = 8; minor <= 15; minor++)
		for (int threaded = 0; threaded <= 1; threaded++) {
			const struct layout_row *row = layout_find(minor, threaded);
			if (!row)
				continue;
			struct python_runtime rt = { .layout = row->layout };
			rt.layout.minor = (uint8_t)minor;
			rt.layout.type_float = 0x5000;
			rt.layout.type_set = 0x5010;
			for (enum kind kind = ANY; kind < KIND_COUNT; kind++) {
				size_t n_read = 0;
				for (uint64_t seed = 0; seed < SEEDS; seed++)
					n_read += check(&rt, kind, seed);
				assert_in_range(n_read, SEEDS / 200, SEEDS);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nonsense) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
