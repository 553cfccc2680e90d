/*
 * waiting: see waiting.h.
 */
#include "recorder/waiting.h"

#include "base/log.h"
#include "recorder/notes.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"
#include "system/remote_io.h"
#include "visit/attach.h"
#include "visit/lazy_link.h"
#include "visit/leave.h"
#include "visit/probe_link.h"

/* Note the events that were raised before the probe was ready. A target that has ended may have
 * raised some since they were counted last: an idle one that a signal has ended has not, but
 * nothing that outlives it tells the two apart. */
static void missed(struct recorder *r, const struct waiting *w)
{
	if (!w->link->missed_is_known)
		r->end.is_loss_known = false;
	if (w->link->n_missed)
		notes_add_lost(r, LOSS_NOT_READY, w->process->index, w->link->n_missed,
			       clock_time_now(&r->clock), 0);
}

void waiting_poll(struct recorder *r)
{
	for (size_t i = r->waiting.n; i-- > 0;) {
		struct waiting w = r->waiting.v[i];
		struct err *err = w.process->ended ? err_create(ERR_TARGET_GONE, "it has ended")
						   : link_poll(w.link, process_is_followed, r);
		if (!err && link_is_waiting(w.link)) {
			if (w.link->waits_why[0] && !w.is_told)
				notes_add(r, NOTE_WARNING, w.process->index,
					  "recording has not begun: %s", w.link->waits_why);
			r->waiting.v[i].is_told = w.link->waits_why[0];
			continue;
		}
		err = remote_io_explain(w.link->pid, err);
		missed(r, &w);
		if (err) /* its events are not counted from here on */
			r->end.is_loss_known = false;
		r->waiting.v[i] = r->waiting.v[--r->waiting.n];
		struct tap *tap = err ? NULL : tap_add(r, w.link, w.process);
		if (tap) {
			tap_announce(r, tap);
			continue;
		}
		err = err ? err : err_no_memory();
		struct detach_report report;
		if (err->code != ERR_TARGET_GONE)
			notes_add(r, NOTE_WARNING, w.process->index, "not traced: %s",
				  err->message);
		link_detach(w.link, process_is_followed, r, 1000000000, &report);
		link_destroy(w.link);
		err_destroy(err);
	}
}

void waiting_stop(struct recorder *r, pid_t pid, struct detach_report *report)
{
	*report = (struct detach_report){ .restored = true };
	for (size_t i = r->waiting.n; i-- > 0;) {
		struct link *link = r->waiting.v[i].link;
		struct detach_report one;
		if (pid && link->pid != pid)
			continue;
		/* as new as it can be read */
		link_count_missed(link);
		missed(r, &r->waiting.v[i]);
		link_detach(link, process_is_followed, r, 2000000000, &one);
		if (!one.restored)
			*report = one;
		link_destroy(link);
		r->waiting.v[i] = r->waiting.v[--r->waiting.n];
	}
}
