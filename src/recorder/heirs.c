/*
 * heirs: see heirs.h.
 *
 * A forked process shares the ring of its parent as long as there are slots for all. A ring has few
 * slots, because it takes address space of the target from the start, and a server may fork
 * hundreds of workers. So the recorder counts which processes have a ring. When more than half of
 * its slots are claimed, the next child that is forked gets a ring of its own at its first stop,
 * before it has run. Half, because threads that run side by side claim further slots, and because a
 * process whose fork is not reported can only claim a slot of its parent's ring.
 *
 * The child's ring is a tap like any other: it is drained, left and taken over by itself.
 */
#include "recorder/heirs.h"

#include <errno.h>
#include <signal.h>

#include "base/log.h"
#include "recorder/client.h"
#include "recorder/packages.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"
#include "recorder/unwatched.h"
#include "visit/attach.h"
#include "visit/leave.h"
#include "visit/probe_link.h"
#include "visit/link_give_ring.h"

void heirs_add(struct recorder *r, struct tap *t, pid_t pid, uint64_t identity)
{
	struct heir heir = { .pid = pid, .tap = t, .identity = identity };
	if (identity && !vec_push(&r->heirs, heir))
		log_debug("no memory to note that %d has a ring", (int)pid);
}

static void forget(struct recorder *r, size_t i)
{
	r->heirs.v[i] = r->heirs.v[--r->heirs.n];
}

void heirs_forget(struct recorder *r, pid_t pid)
{
	for (size_t i = r->heirs.n; i-- > 0;)
		if (r->heirs.v[i].pid == pid)
			forget(r, i);
}

void heirs_forget_tap(struct recorder *r, const struct tap *t)
{
	for (size_t i = r->heirs.n; i-- > 0;)
		if (r->heirs.v[i].tap == t)
			forget(r, i);
}

void heirs_forget_ended(struct recorder *r)
{
	for (size_t i = r->heirs.n; i-- > 0;) {
		pid_t pid = r->heirs.v[i].pid;
		if (!follow_has(r->follow, pid) && kill(pid, 0) < 0 && errno == ESRCH)
			forget(r, i);
	}
}

static bool has_slot(const struct tap *t, pid_t pid)
{
	for (uint32_t k = 0; k < t->n_slots; k++)
		if (t->clients[k] && t->clients[k]->process->pid == pid)
			return true;
	return false;
}

/* Slots that living processes have, and those that other heirs will ask for. */
static uint32_t n_spoken_for(const struct recorder *r, const struct tap *t)
{
	uint32_t n = !t->process->ended && !has_slot(t, t->process->pid);
	for (uint32_t k = 0; k < t->n_slots; k++)
		n += t->clients[k] && !t->clients[k]->process->ended;
	for (size_t i = 0; i < r->heirs.n; i++)
		n += r->heirs.v[i].tap == t && !has_slot(t, r->heirs.v[i].pid);
	return n;
}

/* Was this process born with a ring of which more than half of the slots are spoken for? That ring
 * is returned, and the process is no longer counted among those that have it. */
static bool take_scarce(struct recorder *r, pid_t pid, struct heir *ret)
{
	const struct process *p = process_find(r, pid);
	/* the pid belongs, or belonged, to a process that is not born with a ring */
	if (p && (!p->tap || p->tap->link->pid != pid))
		return false;
	for (size_t i = 0; i < r->heirs.n; i++) {
		const struct heir *h = &r->heirs.v[i];
		if (h->pid != pid || h->tap->gone || n_spoken_for(r, h->tap) <= h->tap->n_slots / 2)
			continue;
		*ret = *h;
		forget(r, i);
		return true;
	}
	return false;
}

/* Returns false if memory is short. */
static bool add_born(struct recorder *r, const struct tap *of, struct link *link)
{
	struct process *p = process_find(r, link->pid);
	if (!p)
		p = process_add(r, link->pid, &link->runtime, PROCESS_FORKED);
	if (!p || !tap_add(r, link, p))
		return false;
	p->info.prefixes = of->process->info.prefixes;
	packages_inherit(p, of->process);
	process_update(r, p);
	return true;
}

/* Returns false if it keeps the ring that it was born with. */
static bool give_ring(struct recorder *r, const struct heir *heir)
{
	struct probe_options options = r->options.probe;
	struct link *link = NULL;
	struct detach_report report;
	bool is_out = false;
	clock_tick(&r->clock, &options.tick);
	options.ticks_per_ns = clock_ticks_per_ns(&r->clock);
	struct err *err = link_give_ring(heir->tap->link, heir->pid, heir->identity, &options,
					 &link, &is_out);
	if (!err && !add_born(r, heir->tap, link)) {
		is_out = true;
		link_detach(link, NULL, NULL, 1000000000, &report);
		link_destroy(link);
		err = err_no_memory();
	}
	/* If the child did not answer in time, it may still get the new ring later, which is
	 * then not drained. */
	bool is_unsure = err && (is_out || err->code == ERR_TIMEOUT);
	if (is_unsure && err->code != ERR_TARGET_GONE) {
		unwatched_add(r, heir->pid, err);
		r->end.is_loss_known = false; /* its events */
		r->end.n_children_not_followed++;
	}
	if (err)
		log_debug("no ring for %d: %s", (int)heir->pid, err->message);
	bool keeps = err && !is_out && err->code != ERR_TARGET_GONE;
	err_destroy(err);
	return !keeps;
}

void heirs_give_rings(struct recorder *r, pid_t pid)
{
	struct heir heir;
	VEC(struct heir) kept = { 0 };
	/* A process can have several runtimes, each with a ring. While the child is waited for, the
	 * list may change. */
	while (r->phase == PHASE_RECORDING && take_scarce(r, pid, &heir))
		if (!give_ring(r, &heir) && !vec_push(&kept, heir))
			log_debug("no memory to note that %d has a ring", (int)pid);
	for (size_t i = 0; i < kept.n; i++)
		heirs_add(r, kept.v[i].tap, pid, kept.v[i].identity);
	vec_fini(&kept);
}
