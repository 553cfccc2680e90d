/*
 * tap: see tap.h.
 */
#include "recorder/tap.h"

#include <stdlib.h>

#include "recorder/client.h"
#include "recorder/notes.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/wanted.h"
#include "visit/attach.h"
#include "visit/probe_link.h"

void tap_destroy(struct tap *t)
{
	if (!t)
		return;
	for (uint32_t k = 0; t->clients && k < t->n_slots; k++)
		client_remove(t, k);
	free(t->clients);
	free(t->asks);
	free(t->holds);
	vec_fini(&t->counted);
	link_destroy(t->link);
	free(t);
}

struct tap *tap_add(struct recorder *r, struct link *link, struct process *p)
{
	struct tap *t = calloc(1, sizeof(*t));
	if (t)
		t->clients = calloc(link->ring.n_slots, sizeof(*t->clients));
	if (!t || !t->clients || !vec_push(&r->taps, t)) {
		if (t)
			free(t->clients);
		free(t);
		return NULL;
	}
	t->link = link;
	t->process = p;
	t->n_slots = link->ring.n_slots;
	t->root_ns_pid = p->info.ns_pid;
	t->other_pid_ns = p->info.ns_pid != p->info.pid;
	if (!p->tap || p->tap->gone)
		p->tap = t;
	wanted_fill(r, t);
	follow_found_python(r->follow, link->pid);
	return t;
}

void tap_check(struct recorder *r, struct tap *t)
{
	if (ring_is_overwritten(&t->link->ring))
		tap_note_overwritten(r, t);
}

void tap_note_overwritten(struct recorder *r, struct tap *t)
{
	ring_restore(&t->link->ring);
	r->end.is_loss_known = false; /* hooks may have returned at once since then */
	if (!t->is_overwritten)
		notes_add(r, NOTE_WARNING, t->process->index,
			  "memory of the probe in process %d was written over, or unmapped",
			  (int)t->link->pid);
	t->is_overwritten = true;
}

void tap_announce(struct recorder *r, const struct tap *t)
{
	const struct link *link = t->link;
	struct note_info note = { .kind = NOTE_ATTACHED,
				  .time_ns = clock_time_now(&r->clock),
				  .process = t->process->index,
				  .a = link->pause_ns };
	writer_note(r->writer, &note);
	if (link->left_alone[0])
		notes_add(r, NOTE_WARNING, t->process->index, "%s", link->left_alone);
	if (link->timeout_extended)
		notes_add(
		    r, NOTE_MESSAGE, t->process->index,
		    "a system call with a timeout was interrupted by attaching and started over");
}
