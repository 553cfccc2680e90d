/*
 * line_table: every format compared with what the Pythons themselves report of their code objects,
 * and broken tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "python/line_table.h"
#include "tests/unit/pythons.h"

struct counts {
	unsigned n_codes, n_positions, n_wrong;
};

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t from_hex(const char *hex, uint8_t *to, size_t cap)
{
	size_t n = 0;
	for (; n < cap && nibble(hex[0]) >= 0 && nibble(hex[1]) >= 0; hex += 2)
		to[n++] = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
	return n;
}

static void compare_one(const struct test_python *python, struct counts *counts)
{
	static char line[1 << 20];
	static uint8_t table[1 << 19];
	char command[1200];
	snprintf(command, sizeof(command), "'%s' '%s/tests/unit/line_positions.py'",
		 python->program, getenv("SOURCE_ROOT"));
	FILE *f = popen(command, "r");
	assert_non_null(f);
	size_t n = 0;
	unsigned first_line = 0;
	while (fgets(line, sizeof(line), f)) {
		unsigned start, end;
		struct source_position want, got;
		int at = 0;
		if (sscanf(line, "C %u %n", &first_line, &at) == 1) {
			n = from_hex(line + at, table, sizeof(table));
			counts->n_codes++;
			continue;
		}
		if (sscanf(line, "R %u %u %u %u %u %u", &start, &end, &want.line, &want.end_line,
			   &want.column, &want.end_column) != 6)
			fail_msg("%s printed: %s", python->version, line);
		for (unsigned lasti = start; lasti < end; lasti += 2) {
			counts->n_positions++;
			line_table_decode(python->minor, table, n, first_line, lasti, &got);
			if (memcmp(&got, &want, sizeof(got)) == 0)
				continue;
			if (counts->n_wrong++ < 10)
				print_error("%s: first line %u, offset %u: %u-%u:%u-%u instead of "
					    "%u-%u:%u-%u\n",
					    python->version, first_line, lasti, got.line,
					    got.end_line, got.column, got.end_column, want.line,
					    want.end_line, want.column, want.end_column);
		}
	}
	assert_int_equal(pclose(f), 0);
}

static void against_every_python(void **state)
{
	static struct test_python pythons[TEST_PYTHONS_MAX];
	size_t n = test_pythons_find(pythons, "");
	if (!n) {
		print_message("no Python of 3.8 or newer here\n");
		skip();
	}
	unsigned n_wrong = 0;
	for (size_t i = 0; i < n; i++) {
		struct counts counts = { 0 };
		compare_one(&pythons[i], &counts);
		print_message("%-10s %u code objects, %u positions, %u wrong\n", pythons[i].version,
			      counts.n_codes, counts.n_positions, counts.n_wrong);
		assert_true(counts.n_codes > 300 && counts.n_positions > 10000);
		n_wrong += counts.n_wrong;
	}
	assert_int_equal(n_wrong, 0);
}

static void by_hand(void **state)
{
	static const struct {
		unsigned minor;
		const char *hex;
		uint32_t lasti;
		bool says;
		struct source_position want;
	} cases[] = {
		/* lnotab: 6 bytes, then +1 line; 50 bytes, then -2 lines */
		{ 8, "060132fe", 0, true, { 10, 10, 0, 0 } },
		{ 8, "060132fe", 6, true, { 11, 11, 0, 0 } },
		{ 9, "060132fe", 56, true, { 9, 9, 0, 0 } },
		{ 9, "06", 56, true, { 10, 10, 0, 0 } },
		/* PEP 626: 4 bytes +1; 4 bytes without line; 2 bytes +2 */
		{ 10, "040104800202", 0, true, { 11, 11, 0, 0 } },
		{ 10, "040104800202", 4, true, { 0, 0, 0, 0 } },
		{ 10, "040104800202", 8, true, { 13, 13, 0, 0 } },
		{ 10, "040104800202", 10, false, { 10, 10, 0, 0 } },
		/* PEP 657: short form kind 1, column 8 + 2, 5 wide; no position; long form over 3
		   lines */
		{ 11, "8825", 0, true, { 10, 10, 11, 16 } },
		{ 11, "8825", 2, false, { 10, 10, 0, 0 } },
		{ 12, "f9f002030405", 2, true, { 0, 0, 0, 0 } },
		{ 13, "f9f002030405", 4, true, { 11, 14, 4, 5 } },
		{ 13, "f9f002030405", 6, false, { 10, 10, 0, 0 } },
		{ 14, "f002030405", 0, true, { 11, 14, 4, 5 } },
		/* cut in the middle of an entry, and a byte that cannot be the first */
		{ 15, "f00203", 0, false, { 10, 10, 0, 0 } },
		{ 15, "7f", 0, false, { 10, 10, 0, 0 } },
		/* a number without an end; a line below 1 */
		{ 11, "e8ffffffffffffffff", 0, false, { 10, 10, 0, 0 } },
		{ 11, "e83f", 0, true, { 0, 0, 0, 0 } },
		/* the code has not begun */
		{ 8, "0601", UINT32_MAX, false, { 10, 10, 0, 0 } },
		{ 12, "", 0, false, { 10, 10, 0, 0 } },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t table[32];
		size_t n = from_hex(cases[i].hex, table, sizeof(table));
		struct source_position got;
		bool says = line_table_decode(cases[i].minor, table, n, 10, cases[i].lasti, &got);
		if (says != cases[i].says || memcmp(&got, &cases[i].want, sizeof(got)) != 0)
			fail_msg("row %zu: %d %u-%u:%u-%u", i, says, got.line, got.end_line,
				 got.column, got.end_column);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand),
		cmocka_unit_test(against_every_python),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
