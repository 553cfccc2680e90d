/*
 * recorder: see recorder.h.
 *
 *   tap       one armed runtime: a link and its ring; every process that inherited it by fork
 *             writes to a slot of its own
 *   client    one claim of one slot: a process image, with its decoder
 *   process   what the capture knows of a process; pidfd tells its end
 *
 * Slots are drained together in the order of their time stamps. A record is copied out before it is
 * looked at. A process that has ended has its slot drained to the end, then the slot is free again.
 */
#include "recorder/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "base/new_file.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/value.h"
#include "base/vec.h"
#include "capture/capture_count.h"
#include "capture/writer.h"
#include "recorder/clock.h"
#include "recorder/decode.h"
#include "recorder/native.h"
#include "stacks/image.h"
#include "recorder/recorder_private.h"
#include "recorder/redact.h"
#include "recorder/relay.h"
#include "visit/access.h"
#include "system/fault.h"
#include "system/maps.h"
#include "system/procs.h"
#include "visit/ptrace.h"
#include "system/remote_mem.h"

enum {
	FLUSH_NS = 200 * 1000 * 1000,
	HEARTBEAT_NS = 100 * 1000 * 1000,
	REPORT_NS = 100 * 1000 * 1000,
	IDLE_MAX_MS = 10,
};
#define LEAVE_NS       3000000000ull /* for one target */
#define LEAVE_HURRY_NS 500000000ull

void recorder_take_stops(struct recorder *r)
{
	struct sigaction stop;
	sigset_t set;
	if (sigaction(SIGTSTP, NULL, &stop) < 0 || stop.sa_handler == SIG_IGN)
		return;
	sigaddset(&r->signals, SIGTSTP);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (signalfd(r->signal_fd, &r->signals, SFD_CLOEXEC | SFD_NONBLOCK) < 0)
		log_debug("cannot watch for SIGTSTP: %s", strerror(errno));
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
	r->record_cap = 1u << 20;
	while (r->record_cap < 512 * 1024 + 2 * (size_t)options->probe.slice_bytes)
		r->record_cap *= 2;
	r->record = malloc(r->record_cap);
	if (!r->record)
		return err_no_memory();
	char host[65] = "";
	gethostname(host, sizeof(host) - 1);
	struct writer_options w = { .wall_anchor_ns = r->clock.wall_start_ns,
				    .creator = "auditview " AUDITVIEW_VERSION,
				    .host = host,
				    .gate = options->until };
	struct err *err = writer_open_file(take_ptr(file), &w, &r->writer);
	if (!err && !options->keep_secrets)
		err = redactor_create(&r->redactor);
	if (err)
		return err;
	const struct follow_ops ops = {
		.at_entry = recorder_at_entry,
		.execed = recorder_execed,
		.forked = recorder_forked,
		.born = recorder_born,
		.exited = recorder_exited,
		.leaving = recorder_leaving,
		.wants_leaving = options->probe.flags & PROBE_STACK_NATIVE,
		.faulted = recorder_faulted,
		.unfollowed = recorder_unfollowed,
		.cloned = recorder_cloned,
	};
	err = follow_create(&ops, r, &r->follow);
	if (err)
		return err;
	sigset_t *set = &r->signals;
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	/* under nohup(1) it stays ignored: a blocked signal would be queued all the same */
	struct sigaction hangup;
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaddset(set, SIGHUP);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGCHLD);
	sigprocmask(SIG_BLOCK, set, &r->old_mask);
	r->masked = true;
	r->signal_fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signal_fd < 0)
		return err_sys(errno, "cannot watch for signals");
	descriptors_reserve();
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
	recorder_stop_waiting(r, 0, &waiting);
	vec_fini(&r->waiting);
	for (size_t i = 0; i < r->taps.n; i++) {
		/* It never ran: another target of the same command was refused. No probe stays in
		 * those that were not. */
		struct detach_report report;
		if (!r->taps.v[i]->left)
			link_detach(r->taps.v[i]->link, recorder_is_attached, r, 3000000000ull,
				    &report);
		tap_destroy(r->taps.v[i]);
	}
	vec_fini(&r->taps);
	for (size_t i = 0; i < r->processes.n; i++) {
		if (r->processes.v[i]->pidfd >= 0)
			close(r->processes.v[i]->pidfd);
		free(r->processes.v[i]);
	}
	vec_fini(&r->processes);
	recorder_unwatched_fini(r);
	vec_fini(&r->poll_fds);
	vec_fini(&r->poll_who);
	vec_fini(&r->drains);
	lineup_fini(&r->lineup);
	follow_destroy(r->follow);
	image_store_destroy(r->images);
	writer_discard(r->writer); /* it never ran: there is nothing to keep */
	relay_destroy(r->launch.relay);
	redactor_destroy(r->redactor);
	if (r->signal_fd >= 0)
		close(r->signal_fd);
	/* Told to end by a signal we end: one more of an impatient hand must not turn that into
	 * being killed. */
	if (r->masked && !r->by_signal)
		sigprocmask(SIG_SETMASK, &r->old_mask, NULL);
	free(r->record);
	free(r->forks);
	free(r->named);
	free(r);
}

/* ---- what will have to be said ---- */

void recorder_stop(struct recorder *r, enum end_stop why)
{
	if (r->end.stop == END_STOP_UNKNOWN)
		r->end.stop = (uint8_t)why;
}

void recorder_lost(struct recorder *r, enum end_loss cause, uint32_t process, uint64_t n,
		   uint64_t time_ns, uint64_t span_ns)
{
	const char *text = session_end_loss_text(cause);
	struct note_info note = { .kind = NOTE_LOST,
				  .time_ns = time_ns,
				  .process = process,
				  .a = n,
				  .b = span_ns,
				  .text = writer_string(r->writer, text, strlen(text)) };
	if (!n)
		return;
	writer_note(r->writer, &note);
	r->end.lost[cause] += n;
}

/* What is known at this moment, of the file what was handed to it. */
static void end_take(struct recorder *r, struct session_end *e)
{
	*e = r->end;
	e->is_launched = r->launching;
	e->target_pid = r->launching ? r->launched_pid : r->first ? r->first->pid : 0;
	e->target_ended = (r->launching ? r->launched_ended : r->first && r->first->ended) ? END_YES
											   : END_NO;
	e->exit_status = r->launching ? (r->launched_ended ? r->launched_status : -1)
			 : r->first   ? r->first->status
				      : -1;
	e->n_children = r->n_children;
	e->are_children_known = true;
	e->pause_ns = r->pause_ns;
	for (size_t i = 0; i < r->taps.n; i++)
		if (r->taps.v[i]->link->pause_ns > e->pause_ns)
			e->pause_ns = r->taps.v[i]->link->pause_ns;
	if (r->writer)
		session_end_count(e, writer_n_events(r->writer));
}

/* ---- the loop ---- */

void recorder_heartbeat(struct recorder *r, uint64_t now)
{
	recorder_answer(r);
	if (now - r->heartbeat_ns < HEARTBEAT_NS)
		return;
	r->heartbeat_ns = now;
	for (size_t i = 0; i < r->taps.n; i++)
		ring_beat(&r->taps.v[i]->link->ring);
}

static bool any_alive(struct recorder *r)
{
	if (r->launching && !r->launched_ended)
		return true;
	for (size_t i = 0; i < r->processes.n; i++)
		if (!r->processes.v[i]->ended)
			return true;
	return follow_n_tracees(r->follow) > 0;
}

static void set_enabled(struct recorder *r, bool on)
{
	if (r->paused == !on)
		return;
	r->paused = !on;
	for (size_t i = 0; i < r->taps.n; i++)
		ring_set_state(&r->taps.v[i]->link->ring, on ? RING_ON : RING_HELD);
	struct note_info note = { .kind = on ? NOTE_RESUMED : NOTE_PAUSED,
				  .time_ns = clock_time_now(&r->clock),
				  .process = UINT32_MAX };
	writer_note(r->writer, &note);
}

/* A program in a session of its own is not in the foreground of our terminal: what the keyboard
 * sends to all there is passed on. */
static void pass_to_launched(const struct recorder *r, int signal)
{
	if (r->launch.own_session && r->launched_pid && !r->launched_ended)
		kill(-r->launched_pid, signal);
}

/* Ctrl-Z. Both stop; the shell lets us go on. */
static void stop_with_launched(const struct recorder *r)
{
	pass_to_launched(r, SIGSTOP);
	kill(getpid(), SIGSTOP);
	pass_to_launched(r, SIGCONT);
}

static void on_signal(struct recorder *r, const struct signalfd_siginfo *info)
{
	bool from_terminal = info->ssi_code == SI_KERNEL;
	if (info->ssi_signo == SIGTSTP)
		return stop_with_launched(r);
	if (from_terminal && info->ssi_signo != SIGCHLD)
		pass_to_launched(r, (int)info->ssi_signo);
	switch (info->ssi_signo) {
	case SIGCHLD: return;
	case SIGINT:
	case SIGQUIT:
		/* The program in the foreground got it too: its end is part of the story. A second
		 * one means us. */
		if (r->launching && !r->launched_ended && from_terminal &&
		    !r->options.own_terminal && !r->n_interrupts) {
			r->n_interrupts++;
			return;
		}
		break;
	default: break;
	}
	r->n_interrupts++;
	if (r->leaving)
		r->hurry = true;
	r->leaving = true;
	r->by_signal = true;
	recorder_stop(r, END_STOP_SIGNAL);
}

static void on_control(struct recorder *r)
{
	struct control_message m;
	ssize_t n = recv(r->options.control_fd, &m, sizeof(m), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		r->options.control_fd = -1;
		if (!r->viewer_left) {
			r->leaving = r->by_signal = true;
			recorder_stop(r, END_STOP_VIEWER_DIED);
		}
		return;
	}
	if (n != (ssize_t)sizeof(m))
		return;
	switch ((enum control_request)m.request) {
	case CONTROL_PAUSE: set_enabled(r, false); break;
	case CONTROL_RESUME: set_enabled(r, true); break;
	case CONTROL_RELEASE:
	case CONTROL_DETACH:
		if (m.request == CONTROL_RELEASE)
			r->options.on_end = RECORDER_LEAVE;
		r->by_signal = true;
		r->leaving = true;
		recorder_stop(r, END_STOP_ASKED);
		break;
	case CONTROL_STOP:
		r->leaving = true;
		recorder_stop(r, END_STOP_UNTIL);
		break;
	case CONTROL_LEAVE: r->want_detached = true; break;
	case CONTROL_ATTACH: r->want_detached = false; break;
	case CONTROL_TERM:
	case CONTROL_KILL:
		if (r->launched_pid && !r->launched_ended)
			kill(r->launched_pid, m.request == CONTROL_KILL ? SIGKILL : SIGTERM);
		break;
	case CONTROL_FOLLOW:
		r->options.follow = true;
		r->options.only_targets = false;
		r->options.probe.flags &= ~(uint32_t)PROBE_ALONE;
		for (size_t i = 0; i < r->taps.n; i++)
			if (!r->taps.v[i]->gone)
				link_follow_children(r->taps.v[i]->link, r->taps.v[i]->link->pid);
		for (size_t i = 0; i < r->processes.n; i++) {
			struct process *p = r->processes.v[i];
			struct err *err = p->ended || follow_has(r->follow, p->pid)
					      ? NULL
					      : recorder_follow(r, p->pid);
			if (err)
				recorder_warn(r, NOTE_WARNING, p->index, "cannot follow: %s",
					      err->message);
			err_destroy(err);
		}
		break;
	case CONTROL_WAIT: r->viewer_left = true; break;
	}
}

/* Why the file is not whole: the first error counts. */
static void write_failed(struct recorder *r, const struct err *err)
{
	if (!err || r->end.write_error[0] || r->end.reader_left)
		return;
	if (err->sys == EPIPE) { /* whoever read it has seen enough: no failure */
		r->end.reader_left = true;
		return;
	}
	snprintf(r->end.write_error, sizeof(r->end.write_error), "%s", err->message);
	snprintf(r->end.write_hint, sizeof(r->end.write_hint), "%s", err->hint ? err->hint : "");
}

static void recorder_flush(struct recorder *r)
{
	struct err *err = writer_flush(r->writer);
	write_failed(r, err);
	err_destroy(err);
}

static void report(struct recorder *r, enum recorder_state state, uint64_t now)
{
	if (r->options.control_fd < 0 || now - r->report_ns < REPORT_NS)
		return;
	r->report_ns = now;
	struct control_report m = { .state = state, .exit_status = -1 };
	end_take(r, &m.end);
	if (send(r->options.control_fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno != EAGAIN)
		log_debug("the viewer does not listen: %s", strerror(errno));
}

static bool poll_add(struct recorder *r, int fd, struct process *who)
{
	struct pollfd line = { .fd = fd, .events = POLLIN };
	if (!vec_reserve(&r->poll_fds, 1) || !vec_reserve(&r->poll_who, 1))
		return false;
	return vec_push(&r->poll_fds, line) && vec_push(&r->poll_who, who);
}

/* Signals, the viewer, and the ends of processes. */
static void wait_for_more(struct recorder *r, int timeout_ms)
{
	r->poll_fds.n = r->poll_who.n = 0;
	bool ok = poll_add(r, r->signal_fd, NULL) && poll_add(r, r->options.control_fd, NULL);
	for (size_t i = 0; ok && i < r->processes.n; i++)
		if (r->processes.v[i]->pidfd >= 0)
			ok = poll_add(r, r->processes.v[i]->pidfd, r->processes.v[i]);
	if (!ok || poll(r->poll_fds.v, r->poll_fds.n, timeout_ms) <= 0)
		return;
	if (r->poll_fds.v[0].revents) {
		struct signalfd_siginfo info;
		while (read(r->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
			on_signal(r, &info);
	}
	if (r->poll_fds.v[1].revents)
		on_control(r);
	bool drained = false;
	for (size_t i = 2; i < r->poll_fds.n; i++) {
		struct process *p = r->poll_who.v[i];
		/* Our own children are reaped by follow_poll(), which knows their status; others
		 * end here. */
		if (!r->poll_fds.v[i].revents || follow_has(r->follow, p->pid) ||
		    p->pid == r->launched_pid)
			continue;
		if (!drained)
			drain_settle(r);
		drained = true;
		process_ended(r, p, -1);
	}
}

static bool anyone_waits(const struct tap *t)
{
	for (uint32_t k = 0; k < t->n_slots; k++)
		if (t->clients[k] && !t->clients[k]->process->ended &&
		    ring_slot_waits(&t->link->ring, k))
			return true;
	return ring_is_waited_for(&t->link->ring);
}

/* Who has ended waits no more, and leaves a slot to who waits for one. */
static void notice_ends(struct recorder *r)
{
	bool drained = false;
	for (size_t i = 0; i < r->processes.n; i++) {
		struct process *p = r->processes.v[i];
		struct pollfd end = { .fd = p->pidfd, .events = POLLIN };
		if (p->ended || p->pidfd < 0 || p->pid == r->launched_pid ||
		    follow_has(r->follow, p->pid) || poll(&end, 1, 0) <= 0)
			continue;
		if (!drained)
			drain_settle(r);
		drained = true;
		process_ended(r, p, -1);
	}
	if (r->recycle_due)
		recycle_ended(r);
}

/* Take one probe out; what it has written before that is drained. */
static void leave_tap(struct recorder *r, struct tap *t, uint64_t timeout, struct session_end *e)
{
	/* Those that wait for room, or for a slot, get it before anybody is asked to leave. */
	uint64_t until = monotonic_ns() + timeout / 3;
	while ((drain_all(r) || anyone_waits(t)) && monotonic_ns() < until) {
		recorder_heartbeat(r, monotonic_ns());
		notice_ends(r);
	}
	struct detach_report report;
	uint64_t started = monotonic_ns();
	link_detach(t->link, recorder_is_attached, r, timeout, &report);
	log_debug("left process %d in %.2f ms", (int)t->link->pid,
		  (double)(monotonic_ns() - started) / 1e6);
	t->left = true;
	if (!report.restored)
		t->process->info.flags |= PROCESS_NOT_RESTORED;
	session_end_add_target(e, t->link->pid,
			       report.restored     ? END_YES
			       : report.is_unknown ? END_UNKNOWN
						   : END_NO,
			       report.left);
	process_tell_unreadable(r, t, e);
	if (report.n_processes) {
		struct note_info note = { .kind = NOTE_DETACHED,
					  .time_ns = clock_time_now(&r->clock),
					  .process = t->process->index };
		writer_note(r->writer, &note);
	}
}

/* Take the probe out of everything that has it; drain to the last record. What is told of the
 * targets goes to *e. */
static void leave_targets(struct recorder *r, struct session_end *e)
{
	uint64_t timeout = r->hurry ? LEAVE_HURRY_NS : LEAVE_NS;
	struct detach_report waiting;
	fault_leaving();
	descriptors_release();
	recorder_stop_waiting(r, 0, &waiting);
	if (!waiting.restored)
		session_end_add_target(e, 0, END_NO, waiting.left);
	/* Hooks return at once from here on: a busy target would otherwise keep us draining for
	 * ever. */
	for (size_t i = 0; i < r->taps.n; i++)
		ring_set_state(&r->taps.v[i]->link->ring, RING_HELD);
	/* Children and signals need no answer of ours any more: what follows can take its time. */
	follow_release(r->follow, timeout);
	for (size_t i = 0; i < r->taps.n; i++) {
		wait_for_more(r, 0);                      /* a further signal hurries */
		report(r, RECORDER_LIVE, monotonic_ns()); /* it takes its time, but it goes on */
		if (!r->taps.v[i]->left)
			leave_tap(r, r->taps.v[i], r->hurry ? LEAVE_HURRY_NS : LEAVE_NS, e);
	}
	drain_rest(r);
}

/* A viewer asked to leave the targets for a while, or to go back. */
static void change_attachment(struct recorder *r)
{
	if (r->want_detached == r->detached)
		return;
	r->detached = r->want_detached;
	if (r->detached) {
		leave_targets(r, &r->end);
		for (size_t i = 0; i < r->taps.n; i++)
			r->taps.v[i]->gone = true;
		recycle_ended(r);
		return;
	}
	for (size_t i = 0; i < r->processes.n; i++) {
		struct process *p = r->processes.v[i];
		struct err *err = p->ended ? NULL : recorder_attach_again(r, p);
		if (err && err->code != ERR_TARGET_GONE)
			recorder_warn(r, NOTE_WARNING, p->index, "cannot attach again: %s",
				      err->message);
		err_destroy(err);
	}
}

/* We are out of the program that we launched, and it still runs. */
static void end_launched(struct recorder *r)
{
	if (!r->launching || r->launched_ended || !r->launched_pid)
		return;
	switch (r->options.on_end) {
	case RECORDER_LEAVE: return;
	case RECORDER_TERM: kill(r->launched_pid, SIGTERM); break;
	case RECORDER_KILL: kill(r->launched_pid, SIGKILL); break;
	case RECORDER_WAIT:
		if (r->by_signal)
			return;
		break;
	}
	r->leaving = false; /* from here on a signal or request ends the wait */
	while (!r->launched_ended && !r->leaving) {
		follow_poll(r->follow);
		if (!r->launched_ended)
			wait_for_more(r, 100);
		report(r, RECORDER_LIVE, monotonic_ns());
	}
}

/* A forked child without an event has no slot. The kernel tells which processes map the ring. */
static bool find_silent_children(struct recorder *r)
{
	bool found = false;
	for (size_t i = 0; i < r->taps.n && !r->options.only_targets; i++) {
		pid_t *pids = NULL;
		size_t n = 0;
		struct err *e = link_processes(r->taps.v[i]->link, &pids, &n);
		for (size_t k = 0; !e && k < n; k++)
			if (!process_find(r, pids[k])) {
				struct process *p = process_add(
				    r, pids[k], &r->taps.v[i]->link->runtime, PROCESS_FORKED);
				if (p)
					p->tap = r->taps.v[i];
				found = p != NULL;
				r->n_children++;
			}
		err_destroy(e);
		free(pids);
	}
	return found;
}

/* Is there a reason to end? It is noted. */
static bool is_over(struct recorder *r, uint64_t now)
{
	if (r->limit_reached)
		recorder_stop(r, END_STOP_LIMIT);
	else if (writer_is_over(r->writer))
		recorder_stop(r, END_STOP_UNTIL);
	else if (r->options.duration_ns && now - r->started_ns >= r->options.duration_ns)
		recorder_stop(r, END_STOP_DURATION);
	else if (writer_is_broken(r->writer))
		recorder_stop(r, END_STOP_WRITE_FAILED);
	else if (!any_alive(r) && !find_silent_children(r))
		recorder_stop(r, END_STOP_TARGET_ENDED);
	else
		return false;
	return true;
}

/* One turn of the loop that records. */
static void watch_on(struct recorder *r, int *idle_ms)
{
	uint64_t now = monotonic_ns();
	recorder_heartbeat(r, now);
	clock_adjust(&r->clock);
	uint64_t taken = drain_all(r);
	*idle_ms = taken > 256 * 1024       ? 0
		   : taken || r->is_holding ? 1
		   : *idle_ms < IDLE_MAX_MS ? *idle_ms + 1
					    : IDLE_MAX_MS;
	if (r->waiting.n) /* a thread that brings the first event is held until we come */
		*idle_ms = 1;
	follow_poll(r->follow);
	wait_for_more(r, *idle_ms);
	follow_poll(r->follow);
	change_attachment(r);
	if (r->recycle_due)
		recycle_ended(r);
	recorder_wait_for_events(r);
	recorder_relink(r, now);
	recorder_check(r, now);
	/* it may be set after `now` was read */
	if (r->unflushed_since && now > r->unflushed_since + FLUSH_NS) {
		r->unflushed_since = 0;
		recorder_flush(r);
	}
	report(r,
	       r->detached ? RECORDER_DETACHED
	       : r->paused ? RECORDER_PAUSED
			   : RECORDER_LIVE,
	       now);
}

/* All is drained: what each process has lost that it could not say itself, and the totals of each.
 */
static void close_clients(struct recorder *r)
{
	recycle_ended(r);
	recorder_count_unserved(r);
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		for (uint32_t k = 0; k < t->n_slots; k++) {
			struct client *c = t->clients[k];
			if (!c)
				continue;
			client_count_losses(r, t, k);
			c->process->info.n_events += decoder_n_events(c->decoder);
			c->process->info.n_lost += c->n_lost;
			process_update(r, c->process);
		}
	}
}

/* A recording in which no Python was ever found is no reason to lose an older one of the same name.
 */
static bool keep_older(struct recorder *r)
{
	struct session_end *e = &r->end;
	if (e->n_events || r->taps.n || e->write_error[0] ||
	    !new_file_replaces(writer_file(r->writer)))
		return false;
	writer_discard(r->writer);
	r->writer = NULL;
	snprintf(e->write_error, sizeof(e->write_error),
		 "nothing was recorded, so %s stays as it was", r->options.path);
	e->is_file_whole = END_NO;
	return true;
}

/* The last words into the file, and what it holds then. */
static void close_file(struct recorder *r)
{
	struct session_end *e = &r->end;
	recorder_unwatched_say(r, e->unwatched, sizeof(e->unwatched));
	recorder_flush(r);
	end_take(r, e);
	session_end_count(e, writer_n_written(r->writer));
	e->lost[LOSS_UNWRITTEN] = writer_n_unwritten(r->writer);
	if (keep_older(r))
		return;
	struct strbuf text = { 0 };
	session_end_add_line(e, NULL, &text); /* the file need not know its own name */
	struct note_info note = { .kind = NOTE_GOODBYE,
				  .time_ns = clock_time_now(&r->clock),
				  .process = UINT32_MAX,
				  .text = writer_string(r->writer, strbuf_str(&text), text.n),
				  .a = e->pause_ns,
				  .b = (e->restored == END_YES ? GOODBYE_RESTORED : 0) |
				       (e->restored == END_UNKNOWN ? GOODBYE_RESTORED_UNKNOWN : 0) |
				       (e->is_loss_known ? 0 : GOODBYE_LOST_UNKNOWN) };
	writer_note(r->writer, &note);
	strbuf_fini(&text);
	char *now_at = strdup(new_file_now_at(writer_file(r->writer)));
	bool is_stream = new_file_is_stream(writer_file(r->writer));
	struct err *err = writer_close(r->writer);
	r->writer = NULL;
	write_failed(r, err);
	err_destroy(err);
	e->is_file_whole = e->write_error[0] || e->reader_left ? END_NO : END_YES;
	/* a stream was handed what was written to it, and cannot be asked */
	if (e->is_file_whole == END_YES || is_stream) {
		free(now_at);
		return;
	}
	/* What a failed close(2) has left of what was written before is not ours to guess
	 * (close(2), "Dealing with error returns"). */
	uint64_t n_events, n_handed = e->n_events + e->lost[LOSS_UNWRITTEN];
	err = now_at ? capture_count(now_at, &n_events) : err_no_memory();
	free(now_at);
	if (!err) {
		session_end_count(e, n_events);
		e->lost[LOSS_UNWRITTEN] = n_handed > n_events ? n_handed - n_events : 0;
	} else {
		e->is_counted = e->is_loss_known = false;
		e->lost[LOSS_UNWRITTEN] = 0;
	}
	err_destroy(err);
}

void recorder_run(struct recorder *r, struct session_end *ret)
{
	int idle_ms = 0;
	r->end.is_loss_known = true; /* what is lost from here on is counted */
	while (!r->leaving) {
		watch_on(r, &idle_ms);
		if (is_over(r, monotonic_ns()))
			break;
	}
	r->leaving = true;
	/* of no target at all nothing is left */
	r->end.restored = r->end.n_left || r->end.n_left_unknown ? r->end.restored : END_YES;
	leave_targets(r, &r->end);
	follow_poll(r->follow);
	end_launched(r);
	/* what is said from here on stands behind what the program has written */
	relay_destroy(take_ptr(r->launch.relay));
	close_clients(r);
	close_file(r);
	if (r->options.control_fd >= 0) {
		struct control_report m = { .state = RECORDER_ENDED,
					    .exit_status = -1,
					    .end = r->end };
		if (send(r->options.control_fd, &m, sizeof(m), MSG_NOSIGNAL) < 0)
			log_debug("the viewer is gone");
	}
	*ret = r->end;
}

struct err *recorder_abandon(struct recorder *r, struct err *err)
{
	struct session_end e;
	if (!r)
		return err;
	session_end_init(&e);
	e.restored = END_YES;
	r->leaving = true;
	r->options.control_fd = -1; /* the first word to the viewer is this error */
	leave_targets(r, &e);
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
