/*
 * heirs: a forked process shares the ring of its parent, as long as there are slots for all.
 *
 * A ring has few slots, for it takes address space of the target from the start. A server may fork
 * hundreds of workers. So the recorder counts who has a ring: when more than half of its slots are
 * spoken for, the next child that is forked gets a ring of its own at its first stop, before it has
 * run. Half, because threads that run side by side claim further slots, and because a process
 * whose fork nobody tells us of can claim only a slot of its parent's ring.
 *
 * The child's ring is a tap like any other: it is drained, left and taken over by itself.
 */
#include <errno.h>
#include <signal.h>

#include "base/log.h"
#include "recorder/recorder_private.h"
#include "visit/inject.h"

void recorder_note_heir(struct recorder *r, struct tap *t, pid_t pid, uint64_t identity)
{
	struct heir heir = { .pid = pid, .tap = t, .identity = identity };
	if (identity && !vec_push(&r->heirs, heir))
		log_debug("no memory to note that %d has a ring", (int)pid);
}

static void forget(struct recorder *r, size_t i)
{
	r->heirs.v[i] = r->heirs.v[--r->heirs.n];
}

void recorder_forget_heir(struct recorder *r, pid_t pid)
{
	for (size_t i = r->heirs.n; i-- > 0;)
		if (r->heirs.v[i].pid == pid)
			forget(r, i);
}

void recorder_forget_heirs(struct recorder *r, const struct tap *t)
{
	for (size_t i = r->heirs.n; i-- > 0;) {
		const struct heir *h = &r->heirs.v[i];
		bool is_over = !t && !follow_has(r->follow, h->pid) && kill(h->pid, 0) < 0 &&
			       errno == ESRCH;
		if (h->tap == t || is_over)
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

/* Slots that living processes have, and those that others of them will ask for. */
static uint32_t n_spoken_for(const struct recorder *r, const struct tap *t)
{
	uint32_t n = !t->process->ended && !has_slot(t, t->process->pid);
	for (uint32_t k = 0; k < t->n_slots; k++)
		n += t->clients[k] && !t->clients[k]->process->ended;
	for (size_t i = 0; i < r->heirs.n; i++)
		n += r->heirs.v[i].tap == t && !has_slot(t, r->heirs.v[i].pid);
	return n;
}

bool recorder_take_scarce(struct recorder *r, pid_t pid, struct heir *ret)
{
	const struct process *p = process_find(r, pid);
	/* somebody else has the number, or had it */
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
