/*
 * tracees: see tracees.h.
 */
#include "recorder/tracees.h"

#include "base/err.h"
#include "base/log.h"
#include "base/vec.h"

struct tracee *tracees_find(const struct tracees *list, pid_t tid)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].tid == tid)
			return &list->v[i];
	return NULL;
}

const struct tracee *tracees_of(const struct tracees *list, pid_t tgid)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].tgid == tgid && list->v[i].traced)
			return &list->v[i];
	return NULL;
}

size_t tracees_count(const struct tracees *list)
{
	size_t n = 0;
	for (size_t i = 0; i < list->n; i++)
		n += list->v[i].traced;
	return n;
}

bool tracees_is_blind(const struct tracees *list, pid_t tgid)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].tgid == tgid && list->v[i].breakpoint && !list->v[i].wire.fd)
			return true;
	return false;
}

bool tracees_any_starting(const struct tracees *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].starting && !list->v[i].stopped)
			return true;
	return false;
}

void tracees_found_python(struct tracees *list, pid_t tgid)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].tgid == tgid)
			list->v[i].has_python = true;
}

/* The breakpoint of a thread is its own (kernel arch/x86/kernel/process.c, copy_thread(), gives a
 * child none). Threads and processes that it makes may load libpython just as well, so they get one
 * too; not once there is a Python: then the process and its children have the probe. */
uint64_t tracees_awaited(const struct tracees *list, pid_t tgid)
{
	uint64_t address = 0;
	for (size_t i = 0; i < list->n; i++) {
		const struct tracee *of = &list->v[i];
		if (of->tgid != tgid)
			continue;
		if (of->has_python)
			return 0;
		if (!of->newborn && !address)
			address = of->breakpoint;
	}
	return address;
}

void tracees_drop(struct tracees *list, struct tracee *t)
{
	tripwire_clear(&t->wire);
	*t = list->v[--list->n];
}

void tracees_fini(struct tracees *list)
{
	for (size_t i = 0; i < list->n; i++)
		tripwire_clear(&list->v[i].wire);
	vec_fini(list);
}

/* A debug register set by ptrace(2) is no replacement for the tripwire: if we were killed, it would
 * kill the process. */
void tracee_set_breakpoint(struct tracee *t, uint64_t address)
{
	tripwire_clear(&t->wire);
	struct err *err = address ? tripwire_set(t->tid, address, &t->wire) : NULL;
	if (err)
		log_debug("breakpoint in %d: %s", (int)t->tid, err->message);
	err_destroy(err);
	t->breakpoint = address;
}
