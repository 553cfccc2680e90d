/*
 * recorder: see recorder.h. One loop calls the parts, each of which has a header that says what it
 * is:
 *
 *   arm, follower      put the probe into processes: those named, and what they fork and execute
 *   tap, client        one armed runtime and its ring; one program that writes to a slot of it
 *   drain              rings → decoder → capture
 *   processes, upkeep  which have ended; is everything that is armed as it should be?
 *   signals, viewer    who tells the recorder what to do
 *   leave, ending      take the probes out; the last words in the capture
 */
#include "recorder/recorder.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "base/monotonic.h"
#include "base/new_file.h"
#include "base/strbuf.h"
#include "recorder/arm.h"
#include "recorder/asks.h"
#include "recorder/client.h"
#include "recorder/counts.h"
#include "recorder/drain.h"
#include "recorder/ending.h"
#include "recorder/follower.h"
#include "recorder/forks.h"
#include "recorder/holds.h"
#include "recorder/leave.h"
#include "recorder/notes.h"
#include "recorder/process.h"
#include "recorder/processes.h"
#include "recorder/recorder_private.h"
#include "recorder/redact.h"
#include "recorder/relay.h"
#include "recorder/signals.h"
#include "recorder/tap.h"
#include "recorder/taps.h"
#include "recorder/turner.h"
#include "recorder/unwatched.h"
#include "recorder/upkeep.h"
#include "recorder/viewer.h"
#include "recorder/waiting.h"
#include "stacks/image.h"
#include "system/proc_file.h"
#include "visit/leave.h"

enum {
	FLUSH_NS = 200 * 1000 * 1000,
	STREAM_FLUSH_NS = 50 * 1000 * 1000, /* into a pipe: a reader waits for it */
	/* Bytes that the reader of a pipe has not taken: then no more events are taken from the
	 * rings, and the heart does not beat, as if a write to a slow disk had not returned. */
	STALL_BYTES = 8 << 20,
	IDLE_MAX_MS = 10,
};

/* outflow_wait: the targets are left, and only the reader of the pipe is waited for. */
static bool wait_for_reader(void *ctx, int fd)
{
	struct recorder *r = ctx;
	struct pollfd fds[] = { { .fd = fd, .events = POLLOUT },
				{ .fd = r->signal_fd, .events = POLLIN } };
	if (poll(fds, ARRAY_LEN(fds), 1000) > 0 && fds[1].revents)
		signals_serve(r);
	return r->phase != PHASE_HURRYING;
}

struct err *recorder_create(const struct recorder_options *options, struct recorder **ret)
{
	CLEANUP(recorder) struct recorder *r = calloc(1, sizeof(*r));
	CLEANUP(new_file) struct new_file *file = options->file;
	if (!r)
		return err_no_memory();
	r->options = *options;
	session_end_init(&r->end);
	r->signal_fd = -1;
	clock_init(&r->clock);
	struct err *err = drain_init(&r->draining, options->probe.slice_bytes);
	if (err)
		return err;
	char host[65] = "";
	gethostname(host, sizeof(host) - 1);
	char boot_id[40] = "";
	proc_boot_id(boot_id, sizeof(boot_id));
	struct writer_options w = { .wall_anchor_ns = r->clock.wall_start_ns,
				    .creator = "auditview " AUDITVIEW_VERSION,
				    .host = host,
				    .boot_id = boot_id,
				    .gate = options->until,
				    .turns = options->turner != NULL,
				    .shows = options->hold.is_any &&
					     options->hold.is_any(options->hold.ctx),
				    .wait = { wait_for_reader, r } };
	err = writer_open_file(take_ptr(file), &w, &r->writer);
	if (!err && !options->keep_secrets)
		err = redactor_create(&r->redactor);
	if (!err)
		err = follower_create(r);
	if (!err)
		err = signals_init(r);
	if (err)
		return err;
	descriptors_reserve();
	err = descriptors_check();
	if (err)
		return err;
	holds_init(r);
	r->started_ns = monotonic_ns();
	*ret = take_ptr(r);
	return NULL;
}

void recorder_destroy(struct recorder *r)
{
	if (!r)
		return;
	struct detach_report waiting;
	descriptors_release();
	waiting_stop(r, 0, &waiting);
	vec_fini(&r->waiting);
	for (size_t i = 0; i < r->taps.n; i++) {
		/* If another target of the same command was refused, the recorder never ran, and
		 * the probes that are in already are taken out here. */
		struct detach_report report;
		if (!r->taps.v[i]->left)
			link_detach(r->taps.v[i]->link, process_is_followed, r, 3000000000ull,
				    &report);
		tap_destroy(r->taps.v[i]);
	}
	vec_fini(&r->taps);
	processes_fini(r);
	unwatched_fini(r);
	vec_fini(&r->poll_fds);
	follow_destroy(r->follow);
	drain_fini(&r->draining);
	packages_fini(&r->packages);
	image_store_destroy(r->images);
	writer_discard(r->writer); /* not closed: the recorder never ran */
	relay_destroy(r->launch.relay);
	redactor_destroy(r->redactor);
	signals_fini(r);
	forks_fini(&r->forks);
	asks_fini(&r->asks);
	holds_fini(r);
	wanted_fini(r);
	vec_fini(&r->heirs);
	free(r);
}

struct err *recorder_attach(struct recorder *r, pid_t pid)
{
	return arm_target(r, pid);
}

struct err *recorder_launch(struct recorder *r, char *const argv[], const char *user,
			    const struct follow_stdio *io)
{
	r->launched = LAUNCHED_STARTS;
	r->n_roots++;
	r->launch = (struct launch){ .argv = argv,
				     .user = user,
				     .io = *io,
				     .may_outlive_us = r->options.own_terminal ||
						       r->options.on_end == RECORDER_LEAVE };
	struct err *err = launch_prepare(&r->launch);
	if (!err && r->launch.own_session)
		signals_take_stops(r);
	if (!err)
		err = follow_launch(r->follow, &r->launch, r->options.follow, &r->launched_pid);
	launch_settle(&r->launch, !err);
	if (err)
		r->launched_pid = 0;
	else if (r->launched == LAUNCHED_STARTS) /* else it has ended already */
		r->launched = LAUNCHED_RUNS;
	if (!err && r->launch.relay)
		relay_set_leader(r->launch.relay, r->launched_pid);
	return err;
}

static bool any_alive(struct recorder *r)
{
	if (r->launched == LAUNCHED_RUNS)
		return true;
	for (size_t i = 0; i < r->processes.n; i++)
		if (!r->processes.v[i]->ended)
			return true;
	return follow_n_tracees(r->follow) > 0;
}

static bool poll_add(struct recorder *r, int fd)
{
	struct pollfd line = { .fd = fd, .events = POLLIN };
	return vec_push(&r->poll_fds, line);
}

static bool writer_waits(const struct recorder *r)
{
	return r->writer && writer_n_waiting(r->writer) > 0;
}

/* The reader of the pipe has room again, or has closed it. That must be noticed even if no event
 * comes that could be written. */
static void reader_serve(struct recorder *r, short revents)
{
	if (writer_waits(r))
		writer_push(r->writer);
	else if (revents & (POLLERR | POLLHUP | POLLNVAL) && !writer_is_broken(r->writer))
		writer_reader_left(r->writer);
}

/* Wait for signals, requests of the viewer, and ends of processes, and serve them. */
static void wait_for_more(struct recorder *r, int timeout_ms)
{
	r->poll_fds.n = 0;
	/* The pipe of a reader that has left is always ready: waiting would end at once. */
	bool has_reader = r->writer && !writer_is_broken(r->writer);
	bool ok = poll_add(r, r->signal_fd) && poll_add(r, r->options.control_fd) &&
		  poll_add(r, has_reader ? writer_stream_fd(r->writer) : -1);
	if (ok)
		r->poll_fds.v[2].events = writer_waits(r) ? POLLOUT : 0;
	for (size_t i = 0; ok && i < r->processes.n; i++)
		if (r->processes.v[i]->pidfd >= 0)
			ok = poll_add(r, r->processes.v[i]->pidfd);
	if (!ok || poll(r->poll_fds.v, r->poll_fds.n, timeout_ms) <= 0)
		return;
	if (r->poll_fds.v[0].revents)
		signals_serve(r);
	if (r->poll_fds.v[1].revents)
		viewer_serve(r);
	if (r->poll_fds.v[2].revents)
		reader_serve(r, r->poll_fds.v[2].revents);
	bool is_end = false;
	for (size_t i = 3; i < r->poll_fds.n; i++)
		is_end |= r->poll_fds.v[i].revents != 0;
	if (is_end)
		processes_notice_ends(r);
}

/* Taking the probes out takes its time: a further signal hurries it, and the viewer sees that it
 * goes on. */
static void serve_while_leaving(struct recorder *r)
{
	wait_for_more(r, 0);
	viewer_report(r, RECORDER_LIVE, monotonic_ns());
}

/* Leave the targets for a while, or attach to them again, if the viewer asked for that. */
static void change_attachment(struct recorder *r)
{
	if (r->phase == PHASE_DETACHING) {
		r->phase = PHASE_DETACHED;
		leave_targets(r, &r->end, serve_while_leaving);
		for (size_t i = 0; i < r->taps.n; i++)
			r->taps.v[i]->gone = true;
		client_recycle_ended(r);
		return;
	}
	if (r->phase != PHASE_ATTACHING)
		return;
	r->phase = PHASE_RECORDING;
	for (size_t i = 0; i < r->processes.n; i++) {
		struct process *p = r->processes.v[i];
		struct err *err = p->ended ? NULL : arm_again(r, p);
		if (err && err->code != ERR_TARGET_GONE)
			notes_add(r, NOTE_WARNING, p->index, "cannot attach again: %s",
				  err->message);
		err_destroy(err);
	}
}

/* The probe is out of the launched program. If that still runs, --on-exit says what to do. */
static void end_launched(struct recorder *r)
{
	if (r->launched != LAUNCHED_RUNS)
		return;
	switch (r->options.on_end) {
	case RECORDER_LEAVE: return;
	case RECORDER_TERM: kill(r->launched_pid, SIGTERM); break;
	case RECORDER_KILL: kill(r->launched_pid, SIGKILL); break;
	case RECORDER_WAIT:
		if (r->is_told_to_end)
			return;
		break;
	}
	r->phase = PHASE_WAITING;
	while (r->launched == LAUNCHED_RUNS && r->phase == PHASE_WAITING) {
		follow_poll(r->follow);
		if (r->launched == LAUNCHED_RUNS)
			wait_for_more(r, 100);
		viewer_report(r, RECORDER_LIVE, monotonic_ns());
	}
}

/* Is there a reason to end the session? The first is noted. */
static bool is_over(struct recorder *r, uint64_t now)
{
	if (r->draining.is_enough)
		ending_stop(r, END_STOP_LIMIT);
	else if (writer_is_over(r->writer))
		ending_stop(r, END_STOP_UNTIL);
	else if (r->options.duration_ns && now - r->started_ns >= r->options.duration_ns)
		ending_stop(r, END_STOP_DURATION);
	else if (writer_is_broken(r->writer)) {
		ending_stop(r, END_STOP_WRITE_FAILED);
		/* what is raised from now on is not counted */
		r->end.is_loss_known &= !any_alive(r);
	} else if (!any_alive(r) && !processes_find_silent(r))
		ending_stop(r, END_STOP_TARGET_ENDED);
	else
		return false;
	return true;
}

/* One turn of the loop that records. */
static void watch_on(struct recorder *r, int *idle_ms)
{
	uint64_t now = monotonic_ns();
	bool is_stalled = writer_n_waiting(r->writer) > STALL_BYTES;
	if (is_stalled)
		asks_answer(r);
	else
		taps_beat(r, now);
	clock_adjust(&r->clock);
	uint64_t taken = is_stalled ? 0 : drain_all(r);
	*idle_ms = taken > 256 * 1024                ? 0
		   : taken || r->draining.is_holding ? 1
		   : *idle_ms < IDLE_MAX_MS          ? *idle_ms + 1
						     : IDLE_MAX_MS;
	if (r->waiting.n) /* the thread of the first event waits for us */
		*idle_ms = 1;
	turner_check(r, now);
	follow_poll(r->follow);
	holds_poll(r);
	if (holds_are_on(r)) {
		holds_wait(r, *idle_ms);
		wait_for_more(r, 0);
	} else {
		wait_for_more(r, *idle_ms);
	}
	follow_poll(r->follow);
	change_attachment(r);
	if (r->recycle_due)
		client_recycle_ended(r);
	waiting_poll(r);
	upkeep_relink(r, now);
	upkeep_check(r, now);
	counts_poll(r, now);
	if (!r->draining.unflushed_since && writer_has_news(r->writer))
		r->draining.unflushed_since = monotonic_ns();
	/* unflushed_since may have been set after `now` was read */
	uint64_t flush_ns = writer_stream_fd(r->writer) < 0 ? FLUSH_NS : STREAM_FLUSH_NS;
	if (r->draining.unflushed_since && now > r->draining.unflushed_since + flush_ns) {
		r->draining.unflushed_since = 0;
		ending_flush(r);
	}
	viewer_report(r,
		      phase_is_detached(r->phase) ? RECORDER_DETACHED
		      : r->is_paused              ? RECORDER_PAUSED
						  : RECORDER_LIVE,
		      now);
}

void recorder_run(struct recorder *r, struct session_end *ret)
{
	int idle_ms = 0;
	r->end.is_loss_known = true; /* what is lost from here on is counted */
	while (!phase_is_leaving(r->phase)) {
		watch_on(r, &idle_ms);
		if (is_over(r, monotonic_ns()))
			break;
	}
	if (!phase_is_leaving(r->phase))
		r->phase = PHASE_LEAVING;
	/* without any target, nothing is left behind */
	r->end.restored = r->end.n_left || r->end.n_left_unknown ? r->end.restored : END_YES;
	leave_targets(r, &r->end, serve_while_leaving);
	follow_poll(r->follow);
	ending_flush(r); /* the program may run on for long, and readers want what was captured */
	end_launched(r);
	/* messages from here on come after the output of the program */
	relay_destroy(take_ptr(r->launch.relay));
	ending_close(r);
	viewer_report_end(r);
	*ret = r->end;
}

struct err *recorder_abandon(struct recorder *r, struct err *err)
{
	struct session_end e;
	if (!r)
		return err;
	session_end_init(&e);
	e.restored = END_YES;
	r->phase = PHASE_LEAVING;
	r->options.control_fd = -1; /* the first word to the viewer is this error */
	leave_targets(r, &e, serve_while_leaving);
	recorder_destroy(r);
	if (e.restored == END_YES)
		return err;
	struct strbuf text = { 0 };
	session_end_add_restored(&e, &text);
	struct err *more = err_create(err->code, "%s; what was attached to before: %s",
				      err->message, strbuf_str(&text));
	if (err->hint)
		more = err_with_hint(more, "%s", err->hint);
	strbuf_fini(&text);
	err_destroy(err);
	return more;
}
