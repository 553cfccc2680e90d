/*
 * target_facts: see target_facts.h.
 */
#include "visit/target_facts.h"

#include <stdlib.h>

#include "base/monotonic.h"
#include "base/vec.h"
#include "system/maps.h"
#include "system/procs.h"
#include "system/remote_mem.h"
#include "visit/entry_place.h"
#include "visit/native_code.h"

/* From the judgement to the attach it takes a few milliseconds, unless a lock or the heartbeat of
 * another recorder is waited for. */
#define FRESH_NS 50000000ull

/* Only "found, but cannot be watched" is worth reporting, not "not in this module". */
static void note_why(struct target_facts *f, struct err *err)
{
	if (err->code != ERR_NOT_PYTHON && !f->why)
		f->why = err;
	else
		err_destroy(err);
}

static struct err *runtimes_read(struct target_facts *f)
{
	VEC(struct python_runtime) found = { 0 };
	const struct mem_reader *mem = remote_mem_reader(f->mem);
	for (size_t i = 0; i < f->maps->n_modules; i++) {
		struct python_runtime rt;
		struct err *err = runtime_find(f->pid, mem, f->maps, i, &rt);
		if (err) {
			note_why(f, err);
			continue;
		}
		entry_place_find(f->pid, mem, f->maps, found.n, &rt);
		if (!vec_push(&found, rt)) {
			vec_fini(&found);
			return err_no_memory();
		}
	}
	f->runtimes = found.v;
	f->n_runtimes = found.n;
	return NULL;
}

struct err *target_facts_read(pid_t pid, const struct proc_status *status,
			      struct target_facts **ret)
{
	CLEANUP(target_facts) struct target_facts *f = calloc(1, sizeof(*f));
	if (!f)
		return err_no_memory();
	f->pid = pid;
	struct err *err = NULL;
	if (status)
		f->status = *status;
	else
		err = proc_status_read(pid, &f->status);
	f->read_ns = monotonic_ns();
	if (!err)
		err = proc_examine(pid, &f->maps, &f->mem);
	if (!err)
		f->examined = maps_ref(f->maps);
	if (!err)
		err = runtimes_read(f);
	if (err)
		return err;
	/* A runtime that was found before the limit was reached is still valid. */
	f->incomplete = remote_mem_unlimit(f->mem);
	*ret = take_ptr(f);
	return NULL;
}

struct err *target_facts_none(struct target_facts *f)
{
	if (f->incomplete)
		return take_ptr(f->incomplete);
	return f->why ? take_ptr(f->why)
		      : runtimes_find_none(f->pid, remote_mem_reader(f->mem), f->maps);
}

struct err *target_facts_refresh(struct target_facts *f)
{
	struct maps *maps = NULL;
	struct proc_status status;
	uint64_t now = monotonic_ns();
	if (now - f->read_ns < FRESH_NS)
		return NULL;
	struct err *err = proc_status_read(f->pid, &status);
	if (!err)
		err = maps_read(f->pid, &maps);
	if (err)
		return err;
	remote_mem_limit(f->mem, EXAMINATION_READS);
	err = maps_find_modules(maps, remote_mem_reader(f->mem));
	struct err *late = remote_mem_unlimit(f->mem);
	if (err)
		err_destroy(late);
	else
		err = late;
	if (err) {
		maps_destroy(maps);
		return err;
	}
	maps_destroy(f->maps);
	f->maps = maps;
	f->status = status;
	f->read_ns = now;
	return NULL;
}

void target_facts_destroy(struct target_facts *f)
{
	if (!f)
		return;
	err_destroy(f->why);
	err_destroy(f->incomplete);
	free(f->runtimes);
	remote_mem_close(f->mem);
	maps_destroy(f->maps);
	maps_destroy(f->examined);
	free(f);
}
