/*
 * inject_entry: the probe into a program that is starting, or loading a module: see inject.h. One
 * thread stands still, makes our calls, and stands where it was.
 */
#include <stddef.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "visit/inject.h"
#include "visit/inject_private.h"
#include "visit/ptrace.h"
#include "system/remote_errno.h"
#include "system/remote_mem.h"

/* Something failed: the program will run as if we had not been there, as far as that can be had. It
 * stands still. */
static void undo_at_entry(struct attach *a, pid_t tid, uint64_t base)
{
	struct link *l = a->l;
	struct remote_call_stats stats = { 0 };
	struct remote_program p;
	uint64_t one, zeros[3] = { 0 };
	struct err *err = NULL;
	l->base = RADDR(base);
	descriptors_release();
	for (unsigned try = 0; try < 3; try++) {
		err_destroy(err);
		err = link_unlink_plain(l, l->mem);
		if (!err)
			err = remote_mem_write(l->mem, l->entry, zeros, sizeof(zeros));
		if (!err)
			break;
	}
	for (unsigned try = 0; !err && try < 2; try++) {
		link_unmap_program(l, &p);
		err = remote_call_run_stopped(tid, &a->target, &p, CALL_TIMEOUT_NS, &stats, &one);
		if (!err || err->code == ERR_TARGET_GONE)
			break;
		err_destroy(err);
		err = NULL;
	}
	if (!err)
		err = remote_mem_write(l->mem, l->place.mailbox, zeros, sizeof(zeros[0]));
	else
		link_keep_orphan(l, l->mem);
	if (err)
		log_debug("left in process %d: %s", (int)l->pid, err->message);
	err_destroy(err);
}

struct err *link_attach_at_entry(pid_t pid, pid_t tid, const struct python_runtime *rt,
				 const struct probe_options *options, struct link **ret)
{
	struct attach a;
	struct remote_call_stats stats = { 0 };
	uint64_t base = 0;
	struct err *err = attach_prepare(&a, pid, rt, options, true);
	if (err)
		goto out;
	a.target.fleeting = a.target.unloadable = NULL; /* the thread stands still anyway */
	pid_t recorder;
	enum probe_presence presence = probe_presence_find(a.l->mem, rt, &recorder, NULL);
	/* linked twice, the list would never end */
	if (presence == PROBE_LIVE_RECORDER || presence == PROBE_DEAD_RECORDER) {
		err = err_create(ERR_BUSY, "there is a probe in process %d already, of recorder %d",
				 (int)pid, (int)recorder);
		goto out;
	}
	struct remote_program p;
	attach_map_program(&a, &p);
	err = remote_call_run_stopped(tid, &a.target, &p, CALL_TIMEOUT_NS, &stats, &base);
	if (err)
		err = remote_errno_explain(err, pid, a.l->total_bytes, a.memfd >= 0);
	else
		err = attach_fill(&a, base, &stats);
	/* Nobody can be in it yet: plain stores are enough. */
	uint64_t head = 0;
	if (!err && !remote_mem_read(a.l->mem, RADDR(rt->layout.audit_head), &head, sizeof(head)))
		err = err_create(ERR_TARGET_GONE, "process %d is gone", (int)pid);
	if (!err)
		err = remote_mem_write(a.l->mem, a.l->entry, &head, sizeof(head));
	if (!err)
		err = remote_mem_write(a.l->mem, RADDR(rt->layout.audit_head), &a.l->entry,
				       sizeof(uint64_t));
	if (!err)
		link_own(a.l);
	else if (base && err->code != ERR_TARGET_GONE)
		undo_at_entry(&a, tid, base);
out:
	if (err) {
		link_destroy(a.l);
		a.l = NULL;
	}
	attach_fini(&a);
	if (!err)
		*ret = a.l;
	return err;
}
