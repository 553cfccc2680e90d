/* The message about a session's end, and its exit status: for every combination of known and
 * unknown facts. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "recorder/session_end.h"

enum { EXITED_5 = 5 << 8, KILLED_15 = 15 };

static struct session_end good(void)
{
	struct session_end e;
	session_end_init(&e);
	e.stop = END_STOP_SIGNAL;
	e.restored = END_YES;
	e.is_loss_known = true;
	e.is_file_whole = END_YES;
	e.target_ended = END_NO;
	e.pause_ns = 250000;
	session_end_count(&e, 1204311);
	return e;
}

static void expect_line(const struct session_end *e, const char *line, int status)
{
	struct strbuf b = { 0 };
	session_end_add_line(e, "x.avc", &b);
	assert_string_equal(strbuf_str(&b), line);
	strbuf_fini(&b);
	assert_int_equal(session_end_status(e), status);
}

static void what_went_well(void **state)
{
	struct session_end e = good();
	expect_line(
	    &e, "1 204 311 events, 0 lost, longest pause 0.25 ms, target restored: yes, x.avc", 0);
	e.n_children = 1;
	e.n_children_not_followed = 2;
	session_end_count(&e, 1);
	expect_line(&e,
		    "1 event, 0 lost, 1 child, 2 children not followed, longest pause 0.25 ms, "
		    "target restored: yes, x.avc",
		    0);
	e = good();
	e.is_launched = true;
	e.target_ended = END_YES;
	e.exit_status = EXITED_5;
	expect_line(&e,
		    "1 204 311 events, 0 lost, longest pause 0.25 ms, target restored: yes (it has "
		    "ended), x.avc",
		    5);
	e.exit_status = KILLED_15;
	assert_int_equal(session_end_status(&e), 128 + 15);
	e.target_ended = END_NO; /* it continues to run: it has no status yet */
	assert_int_equal(session_end_status(&e), 0);
}

/* A launched program that ended well, but was not watched because of us. */
static void an_unwatched_launch_has_failed(void **state)
{
	struct session_end e = good();
	e.is_launched = e.is_launched_unwatched = true;
	e.target_ended = END_YES;
	e.exit_status = 0;
	assert_int_equal(session_end_status(&e), 1);
	e.exit_status = EXITED_5;
	assert_int_equal(session_end_status(&e), 5);
}

static void losses_have_causes(void **state)
{
	struct session_end e = good();
	e.lost[LOSS_RING_FULL] = 1000;
	expect_line(&e,
		    "1 204 311 events, 1 000 lost (the ring was full), longest pause 0.25 ms, "
		    "target restored: yes, x.avc",
		    0);
	e.lost[LOSS_TORN] = 1;
	expect_line(&e,
		    "1 204 311 events, 1 001 lost (1 000 the ring was full, 1 killed while "
		    "writing), longest pause 0.25 ms, target restored: yes, x.avc",
		    0);
	e.is_loss_known = false;
	expect_line(&e,
		    "1 204 311 events, lost: unknown (at least 1 001: 1 000 the ring was full, 1 "
		    "killed while writing), longest pause 0.25 ms, "
		    "target restored: yes, x.avc",
		    0);
	for (unsigned i = 0; i < LOSS_COUNT; i++)
		assert_true(*session_end_loss_text((enum end_loss)i));
}

static void nothing_is_concluded_from_nothing(void **state)
{
	struct session_end e;
	session_end_init(&e);
	expect_line(&e,
		    "events: unknown, lost: unknown, longest pause 0.00 ms, target restored: "
		    "unknown, x.avc",
		    1);
}

static void no_beats_unknown_beats_yes(void **state)
{
	struct session_end e = good();
	session_end_add_target(&e, 41, END_YES, "");
	assert_int_equal(e.restored, END_YES);
	session_end_add_target(&e, 42, END_UNKNOWN, "process 42: its memory map cannot be read");
	session_end_add_target(&e, 42, END_UNKNOWN, "process 42: its memory map cannot be read");
	session_end_add_target(&e, 43, END_YES, "");
	expect_line(&e,
		    "1 204 311 events, 0 lost, longest pause 0.25 ms, target restored: unknown "
		    "(process 42: its memory map cannot be read), x.avc",
		    1);
	session_end_add_target(&e, 44, END_NO, "process 44: permission denied");
	session_end_add_target(&e, 45, END_YES, "");
	expect_line(&e,
		    "1 204 311 events, 0 lost, longest pause 0.25 ms, target restored: no (process "
		    "42: its memory map cannot be read; "
		    "process 44: permission denied), x.avc",
		    1);
	for (pid_t pid = 100; pid < 200; pid++)
		session_end_add_target(&e, pid, END_NO, "process 1xx");
	struct strbuf b = { 0 };
	session_end_add_line(&e, NULL, &b);
	assert_non_null(strstr(strbuf_str(&b), "; and 94 more)"));
	strbuf_fini(&b);
}

static void the_recorder_died(void **state)
{
	struct session_end e = good();
	e.is_launched = true;
	e.target_pid = 4121;
	e.exit_status = 0; /* it reported so before; its report is no longer true */
	e.target_ended = END_YES;
	session_end_died(&e, SIGKILL, 0);
	expect_line(&e, "events: unknown, lost: unknown, target restored: unknown, x.avc", 1);
	session_end_count(&e, 65536);
	expect_line(&e, "65 536 events, lost: unknown, target restored: unknown, x.avc", 1);
	struct strbuf b = { 0 };
	session_end_add_all(&e, NULL, true, &b); /* quiet, but it failed */
	assert_string_equal(strbuf_str(&b),
			    "auditview: the recorder ended early: it was killed by SIGKILL\n"
			    "auditview: if process 4121 lives, \"auditview record -p 4121\" takes "
			    "out what was left in it\n"
			    "auditview: 65 536 events, lost: unknown, target restored: unknown\n");
	strbuf_fini(&b);
	e = good();
	session_end_add_all(&e, NULL, true, &b);
	assert_int_equal(b.n, 0);
	strbuf_fini(&b);
}

static void the_file_is_not_whole(void **state)
{
	struct session_end e = good();
	e.stop = END_STOP_WRITE_FAILED;
	e.is_file_whole = END_NO;
	e.lost[LOSS_UNWRITTEN] = 16383;
	snprintf(e.write_error, sizeof(e.write_error),
		 "cannot write to x.avc: No space left on device");
	expect_line(&e,
		    "1 204 311 events, 16 383 lost (not written), longest pause 0.25 ms, target "
		    "restored: yes, x.avc",
		    1);
	e.is_launched = true;
	e.target_ended = END_YES;
	e.exit_status = 0; /* the program's status is 0, ours is not */
	assert_int_equal(session_end_status(&e), 1);
	e.exit_status = EXITED_5;
	assert_int_equal(session_end_status(&e), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_went_well),
		cmocka_unit_test(an_unwatched_launch_has_failed),
		cmocka_unit_test(losses_have_causes),
		cmocka_unit_test(nothing_is_concluded_from_nothing),
		cmocka_unit_test(no_beats_unknown_beats_yes),
		cmocka_unit_test(the_recorder_died),
		cmocka_unit_test(the_file_is_not_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
