/*
 * mailbox: what each word says, also those that only a hostile target writes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "visit/mailbox.h"

#define BASE 0x7f0012345000ull

static void words(void **state)
{
	static const struct {
		uint64_t word;
		struct mailbox want;
		uint64_t reservation;
	} rows[] = {
		{ 0, { .says = MAILBOX_EMPTY }, 0 },
		{ 1, { .says = MAILBOX_ANSWER, .answer = 1 }, 0 },
		{ 2, { .says = MAILBOX_PENDING }, 0 },
		{ BASE, { .says = MAILBOX_ANSWER, .answer = BASE }, BASE },
		{ BASE | 2, { .says = MAILBOX_PENDING }, BASE },
		{ BASE | 1, { .says = MAILBOX_ANSWER, .answer = BASE | 1 }, BASE },
		{ 0xf000,
		  { .says = MAILBOX_ANSWER, .answer = 0xf000 },
		  0 }, /* nothing lies there */
		{ (uint64_t)-ENOMEM, { .says = MAILBOX_ERRNO, .sys = ENOMEM }, 0 },
		{ (uint64_t)-4095, { .says = MAILBOX_ERRNO, .sys = 4095 }, 0 },
		{ (uint64_t)-4096, { .says = MAILBOX_ANSWER, .answer = (uint64_t)-4096 }, 0 },
		{ 1ull << 63, { .says = MAILBOX_ANSWER, .answer = 1ull << 63 }, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mailbox got = mailbox_decode(GUEST64(rows[i].word));
		assert_int_equal(got.says, rows[i].want.says);
		assert_int_equal(got.answer, rows[i].want.answer);
		assert_int_equal(got.sys, rows[i].want.sys);
		assert_int_equal(mailbox_reservation(GUEST64(rows[i].word)), rows[i].reservation);
		assert_int_equal(mailbox_is_answer(GUEST64(rows[i].word)),
				 got.says == MAILBOX_ANSWER || got.says == MAILBOX_ERRNO);
	}
}

/* Earlier and later recorders read what we write. */
static void written(void **state)
{
	assert_int_equal(mailbox_word_pending(0), 0);
	assert_int_equal(mailbox_word_pending(BASE), BASE + 2);
	assert_int_equal(mailbox_word_done(0), 1);
	assert_int_equal(mailbox_word_done(BASE), BASE);
	assert_true(mailbox_names(GUEST64(mailbox_word_pending(BASE)), BASE));
	assert_true(mailbox_names(GUEST64(mailbox_word_done(BASE)), BASE));
	assert_false(mailbox_names(GUEST64(0), BASE));
	assert_false(mailbox_names(GUEST64(BASE + 4096), BASE));
	assert_false(mailbox_names(GUEST64(BASE + 1), BASE));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(words), cmocka_unit_test(written) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
