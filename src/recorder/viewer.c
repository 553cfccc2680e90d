/*
 * viewer: see viewer.h.
 */
#include "recorder/viewer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "recorder/arm.h"
#include "recorder/drain.h"
#include "recorder/ending.h"
#include "recorder/holds.h"
#include "recorder/notes.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"
#include "recorder/taps.h"
#include "recorder/turner.h"
#include "visit/probe_link.h"
#include "visit/link_state.h"

enum { REPORT_NS = 100 * 1000 * 1000 };

static void set_enabled(struct recorder *r, bool on)
{
	if (r->is_paused == !on)
		return;
	r->is_paused = !on;
	taps_set_state(r, on ? RING_ON : RING_HELD);
	if (!on)
		holds_release(r);
	struct note_info note = { .kind = on ? NOTE_RESUMED : NOTE_PAUSED,
				  .time_ns = clock_time_now(&r->clock),
				  .process = UINT32_MAX };
	writer_note(r->writer, &note);
}

static void report_holds(struct recorder *r)
{
	struct hold_list m;
	if (!holds_report(r, &m))
		return;
	if (send(r->options.control_fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		r->holds.told.n = UINT32_MAX; /* it did not arrive: try again */
}

/* Answer a request: it is not done, because of this. */
static void refuse(struct recorder *r, const char *why)
{
	struct control_report m = { .is_answer = 1, .failed = 1 };
	snprintf(m.text, sizeof(m.text), "%s", why);
	if (send(r->options.control_fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("the viewer does not listen: %s", strerror(errno));
}

/* Write what is kept to a capture. If it can be begun, the process that writes it answers. */
static void dump(struct recorder *r, const char *path)
{
	const char *why = !turner_keeps(r->options.turner) ? "this session keeps everything"
			  : phase_is_leaving(r->phase)     ? "the recording ends, and what is kept "
							     "becomes a capture anyway"
			  : writer_is_broken(r->writer) ? "the capture cannot be written any more"
							: NULL;
	if (!why) {
		drain_settle(r); /* what was raised before the request is in it */
		if (turner_snapshot(r, path, r->options.control_fd))
			return;
		why = "nothing is kept yet";
	}
	refuse(r, why);
}

static void change_holds(struct recorder *r, const struct control_message *request)
{
	struct err *err = holds_change(r, request);
	if (err)
		refuse(r, err->message);
	else
		report_holds(r);
	err_destroy(err);
}

void viewer_serve(struct recorder *r)
{
	struct control_message m;
	ssize_t n = recv(r->options.control_fd, &m, sizeof(m), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		r->options.control_fd = -1;
		if (!r->viewer_left) {
			r->is_told_to_end = true;
			ending_request(r, END_STOP_VIEWER_DIED);
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
		r->is_told_to_end = true;
		ending_request(r, END_STOP_ASKED);
		break;
	case CONTROL_STOP: ending_request(r, END_STOP_UNTIL); break;
	case CONTROL_LEAVE:
		if (r->phase == PHASE_RECORDING)
			r->phase = PHASE_DETACHING;
		else if (r->phase == PHASE_ATTACHING)
			r->phase = PHASE_DETACHED;
		break;
	case CONTROL_ATTACH:
		if (r->phase == PHASE_DETACHED)
			r->phase = PHASE_ATTACHING;
		else if (r->phase == PHASE_DETACHING)
			r->phase = PHASE_RECORDING;
		break;
	case CONTROL_TERM:
	case CONTROL_KILL:
		if (r->launched == LAUNCHED_RUNS)
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
					      : arm_follow(r, p->pid);
			if (err)
				notes_add(r, NOTE_WARNING, p->index, "cannot follow: %s",
					  err->message);
			err_destroy(err);
		}
		break;
	case CONTROL_WAIT: r->viewer_left = true; break;
	case CONTROL_CONTINUE: holds_release(r); break;
	case CONTROL_HOLD:
	case CONTROL_HOLD_SWITCH:
	case CONTROL_HOLD_IGNORE:
	case CONTROL_HOLD_REMOVE:
		m.path[sizeof(m.path) - 1] = '\0';
		change_holds(r, &m);
		break;
	case CONTROL_DUMP:
		m.path[sizeof(m.path) - 1] = '\0';
		dump(r, m.path);
		break;
	}
}

void viewer_report(struct recorder *r, enum recorder_state state, uint64_t now)
{
	if (r->options.control_fd < 0 || now - r->report_ns < REPORT_NS)
		return;
	r->report_ns = now;
	report_holds(r);
	struct control_report m = { .state = state, .exit_status = -1 };
	ending_take(r, &m.end);
	if (send(r->options.control_fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno != EAGAIN)
		log_debug("the viewer does not listen: %s", strerror(errno));
}

void viewer_report_end(struct recorder *r)
{
	if (r->options.control_fd < 0)
		return;
	struct control_report m = { .state = RECORDER_ENDED, .exit_status = -1, .end = r->end };
	if (send(r->options.control_fd, &m, sizeof(m), MSG_NOSIGNAL) < 0)
		log_debug("the viewer is gone");
}
