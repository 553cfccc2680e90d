/*
 * session_end: see session_end.h.
 */
#include "recorder/session_end.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/strbuf.h"
#include "base/vec.h"

void session_end_init(struct session_end *e)
{
	*e = (struct session_end){ .exit_status = -1, .recorder_status = -1 };
}

void session_end_add_target(struct session_end *e, pid_t pid, enum end_answer restored,
			    const char *left)
{
	if (restored == END_YES) {
		if (!e->n_left && !e->n_left_unknown)
			e->restored = END_YES;
		return;
	}
	for (uint32_t i = 0; i < e->n_left + e->n_left_unknown && i < END_TARGETS_MAX; i++)
		if (e->targets[i].pid == pid && e->targets[i].restored == (uint8_t)restored)
			return; /* it was told before: of another interpreter in it, or of the try
				   before */
	uint32_t at = e->n_left + e->n_left_unknown;
	if (at < END_TARGETS_MAX) {
		struct end_target *t = &e->targets[at];
		t->pid = (int32_t)pid;
		t->restored = (uint8_t)restored;
		snprintf(t->left, sizeof(t->left), "%s", left);
	}
	if (restored == END_NO)
		e->n_left++;
	else
		e->n_left_unknown++;
	e->restored = e->n_left ? END_NO : END_UNKNOWN;
}

void session_end_died(struct session_end *e, int status, pid_t silent_pid)
{
	uint8_t is_launched = e->is_launched;
	int32_t pid = e->target_pid;
	session_end_init(e);
	e->is_launched = is_launched;
	e->target_pid = pid;
	e->stop = silent_pid ? END_STOP_RECORDER_SILENT : END_STOP_RECORDER_DIED;
	e->recorder_status = status;
	e->recorder_pid = (int32_t)silent_pid;
	e->is_file_whole = END_NO;
}

void session_end_count(struct session_end *e, uint64_t n_events)
{
	e->is_counted = true;
	e->n_events = n_events;
}

uint64_t session_end_n_lost(const struct session_end *e)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < LOSS_COUNT; i++)
		n += e->lost[i];
	return n;
}

const char *session_end_loss_text(enum end_loss loss)
{
	static const char *const texts[] = {
		[LOSS_RING_FULL] = "the ring was full",
		[LOSS_NO_SLOT] = "no slot was free",
		[LOSS_MALFORMED] = "malformed records",
		[LOSS_TORN] = "killed while writing",
		[LOSS_UNWRITTEN] = "not written",
		[LOSS_NOT_READY] = "the probe was not there yet",
	};
	return (unsigned)loss < ARRAY_LEN(texts) ? texts[loss] : "";
}

/* From a status of wait(2); 0 for -1. */
static int exit_status_of(int status)
{
	if (status == -1)
		return 0;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The recorder has not told the facts. */
static bool is_untold(const struct session_end *e)
{
	return e->stop == END_STOP_RECORDER_DIED || e->stop == END_STOP_RECORDER_SILENT;
}

bool session_end_failed(const struct session_end *e)
{
	return is_untold(e) || e->has_action_failed || e->is_launched_unwatched ||
	       (e->is_file_whole != END_YES && !e->reader_left) || e->restored != END_YES;
}

int session_end_status(const struct session_end *e)
{
	int own = e->is_launched && e->target_ended == END_YES ? exit_status_of(e->exit_status) : 0;
	return own ? own : session_end_failed(e);
}

/* ---- words ---- */

static void add_causes(const struct session_end *e, struct strbuf *to)
{
	unsigned n = 0;
	for (unsigned i = 0; i < LOSS_COUNT; i++)
		n += e->lost[i] != 0;
	for (unsigned i = 0, nth = 0; i < LOSS_COUNT; i++) {
		if (!e->lost[i])
			continue;
		strbuf_adds(to, nth++ ? ", " : "");
		if (n > 1) {
			strbuf_add_count(to, e->lost[i]);
			strbuf_addc(to, ' ');
		}
		strbuf_adds(to, session_end_loss_text((enum end_loss)i));
	}
}

static void add_lost(const struct session_end *e, struct strbuf *to)
{
	uint64_t n = session_end_n_lost(e);
	if (!e->is_loss_known) {
		strbuf_adds(to, "lost: unknown");
		if (!n)
			return;
		strbuf_adds(to, " (at least ");
		strbuf_add_count(to, n);
		strbuf_adds(to, ": ");
	} else {
		strbuf_add_count(to, n);
		strbuf_adds(to, " lost");
		if (!n)
			return;
		strbuf_adds(to, " (");
	}
	add_causes(e, to);
	strbuf_addc(to, ')');
}

void session_end_add_restored(const struct session_end *e, struct strbuf *to)
{
	strbuf_adds(to, "target restored: ");
	if (e->restored == END_YES) {
		strbuf_adds(to, e->target_execed             ? "yes (it executed another program)"
				: e->target_ended == END_YES ? "yes (it has ended)"
							     : "yes");
		return;
	}
	strbuf_adds(to, e->restored == END_NO ? "no" : "unknown");
	uint32_t n = e->n_left + e->n_left_unknown;
	for (uint32_t i = 0; i < n && i < END_TARGETS_MAX; i++)
		strbuf_addf(to, "%s%s", i ? "; " : " (", e->targets[i].left);
	if (n > END_TARGETS_MAX)
		strbuf_addf(to, "; and %u more", n - END_TARGETS_MAX);
	strbuf_adds(to, n ? ")" : "");
}

static void add_held(const struct session_end *e, struct strbuf *to)
{
	if (e->n_held) {
		strbuf_adds(to, ", held ");
		strbuf_add_count(to, e->n_held);
		strbuf_addf(to, " time%s (longest %.*f s)", e->n_held == 1 ? "" : "s",
			    e->held_ns < 10000000000 ? 3 : 0, (double)e->held_ns / 1e9);
	}
	if (e->n_not_held) {
		strbuf_adds(to, ", ");
		strbuf_add_count(to, e->n_not_held);
		strbuf_adds(to, " could not be held");
	}
}

void session_end_add_line(const struct session_end *e, const char *path, struct strbuf *to)
{
	if (e->is_counted) {
		uint64_t n = e->n_events + e->n_counted;
		strbuf_add_count(to, n);
		strbuf_adds(to, n == 1 ? " event, " : " events, ");
	} else {
		strbuf_adds(to, "events: unknown, ");
	}
	add_lost(e, to);
	if (e->n_children) {
		strbuf_adds(to, ", ");
		strbuf_add_count(to, e->n_children);
		strbuf_adds(to, e->n_children == 1 ? " child" : " children");
	}
	if (e->n_children_not_followed) {
		strbuf_adds(to, ", ");
		strbuf_add_count(to, e->n_children_not_followed);
		strbuf_adds(to, e->n_children_not_followed == 1 ? " child not followed"
								: " children not followed");
	}
	add_held(e, to);
	if (!is_untold(e))
		strbuf_addf(to, ", longest pause %.*f ms", e->pause_ns < 10000000 ? 2 : 0,
			    (double)e->pause_ns / 1e6);
	strbuf_adds(to, ", ");
	session_end_add_restored(e, to);
	if (path)
		strbuf_addf(to, ", %s", path);
}

static void add_died(const struct session_end *e, struct strbuf *to)
{
	int status = e->recorder_status;
	if (e->recorder_pid) {
		strbuf_addf(
		    to, "the recorder (process %d) does not answer: it is stopped, or it hangs\n",
		    e->recorder_pid);
		return;
	}
	strbuf_adds(to, "the recorder ended early");
	if (status != -1 && WIFSIGNALED(status)) {
		const char *name = sigabbrev_np(WTERMSIG(status));
		strbuf_addf(to, ": it was killed by SIG%s", name ? name : "?");
	} else if (status != -1) {
		strbuf_addf(to, ": it ended with status %d", WEXITSTATUS(status));
	}
	strbuf_addc(to, '\n');
	if (e->target_pid)
		strbuf_addf(to,
			    "if process %d lives, \"auditview record -p %d\" takes out what was "
			    "left in it\n",
			    e->target_pid, e->target_pid);
	else
		strbuf_adds(
		    to,
		    "if its target lives, attaching to it again takes out what was left in it\n");
}

/* What more there is to say: a line each, every one ended by a newline. Nothing for a session that
 * ended as it should. */
static void session_end_add_messages(const struct session_end *e, struct strbuf *to)
{
	if (is_untold(e))
		add_died(e, to);
	if (e->write_error[0]) {
		strbuf_addf(
		    to, "%s%s\n", e->write_error,
		    e->stop == END_STOP_WRITE_FAILED && !e->is_loss_known
			? "; recording stopped then, and what was raised later is not counted"
			: "");
		if (e->write_hint[0])
			strbuf_addf(to, "%s\n", e->write_hint);
	}
	if (e->unwatched[0])
		strbuf_addf(to, "%s\n", e->unwatched);
	if (e->keeper_pid)
		strbuf_addf(to,
			    "the program lives on (process %d); process %d keeps its terminal "
			    "until it ends\n",
			    e->target_pid, e->keeper_pid);
}

void session_end_add_all(const struct session_end *e, const char *path, bool is_quiet,
			 struct strbuf *to)
{
	struct strbuf more = { 0 };
	if (is_quiet && !session_end_failed(e))
		return;
	session_end_add_messages(e, &more);
	for (const char *s = strbuf_str(&more); *s;) {
		size_t n = strcspn(s, "\n");
		strbuf_adds(to, "auditview: ");
		strbuf_add(to, s, n);
		strbuf_addc(to, '\n');
		s += n + (s[n] == '\n');
	}
	to->failed |= more.failed;
	strbuf_fini(&more);
	strbuf_adds(to, "auditview: ");
	session_end_add_line(e, path, to);
	strbuf_addc(to, '\n');
}
