/* The nearest known word: what counts as near under each rule, ties, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/nearest.h"

static const char *const words[] = { "record", "print", "export", "import", "subprocess.Popen" };

#define LONG "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"

static void each_rule_has_its_limit(void **state)
{
	static const struct {
		const char *word;
		enum nearest_rule rule;
		const char *nearest; /* NULL: none */
	} rows[] = {
		{ "imprt", NEAREST_WORD, "import" },  /* one letter is missing */
		{ "Record", NEAREST_WORD, "record" }, /* case does not count */
		{ "rceord", NEAREST_WORD, "record" }, /* a swap is one error */
		{ "rxxxrd", NEAREST_WORD, NULL },     /* three errors in six letters */
		{ "rexxrd", NEAREST_WORD, "record" }, /* two are a third */
		{ "exp", NEAREST_WORD, NULL },        /* three letters are missing */
		{ "exp", NEAREST_START, "export" },   /* it begins with them */
		{ "records", NEAREST_START, "record" },
		{ "rxxxrd", NEAREST_START, NULL },
		{ "rxxxrd", NEAREST_ANY, "record" },
		{ "", NEAREST_WORD, NULL },
		{ "", NEAREST_START, NULL },
		{ "", NEAREST_NAME, NULL },
		{ "", NEAREST_ANY, "print" }, /* the shortest */
		{ LONG, NEAREST_WORD, NULL },
		{ LONG, NEAREST_START, NULL },
		{ LONG, NEAREST_NAME, NULL },
		{ LONG, NEAREST_ANY, "record" },
		{ "popne", NEAREST_NAME, "subprocess.Popen" }, /* the last part */
		{ "popne", NEAREST_WORD, NULL },
		{ "SUBP", NEAREST_NAME, "subprocess.Popen" }, /* contained */
		{ "su", NEAREST_NAME, NULL },                 /* too short for that */
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *s = nearest_of(rows[i].word, strlen(rows[i].word), rows[i].rule, words,
					   ARRAY_LEN(words));
		if (!s != !rows[i].nearest || (s && strcmp(s, rows[i].nearest) != 0))
			fail_msg("%s, rule %d: %s", rows[i].word, (int)rows[i].rule,
				 s ? s : "none");
	}
	assert_null(nearest_of("x", 1, NEAREST_ANY, words, 0));
}

static void an_id_has_one_place_the_better(void **state)
{
	struct nearest near = nearest_to("open", 4, NEAREST_NAME);
	nearest_offer(&near, "os.open", 7, 1);  /* its last part */
	nearest_offer(&near, "fopen", 5, 2);    /* one error */
	nearest_offer(&near, "a.reopen", 8, 3); /* contains it */
	nearest_offer(&near, "opening", 7, 3);  /* no better: the first stays */
	nearest_offer(&near, "open", 4, 3);     /* equal */
	nearest_offer(&near, "unrelated", 9, 4);
	assert_int_equal(near.n, 3);
	assert_int_equal(near.found[0].id, 3);
	assert_string_equal(near.found[0].name, "open");
	assert_int_equal(near.found[1].id, 1);
	assert_int_equal(near.found[2].id, 2);
}

static void the_list_is_bounded(void **state)
{
	static char names[26][3];
	struct nearest near = nearest_to("ab", 2, NEAREST_WORD);
	for (size_t i = 0; i < 26; i++) { /* az, ay, …, aa */
		names[i][0] = 'a', names[i][1] = (char)('z' - i);
		nearest_offer(&near, names[i], 2, i);
	}
	assert_int_equal(near.n, NEAREST_MAX);
	assert_string_equal(near.found[0].name, "ab");
	assert_string_equal(near.found[1].name, "az"); /* of equals, the first that was offered */
	assert_string_equal(near.found[NEAREST_MAX - 1].name, "at");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_has_its_limit),
		cmocka_unit_test(an_id_has_one_place_the_better),
		cmocka_unit_test(the_list_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
