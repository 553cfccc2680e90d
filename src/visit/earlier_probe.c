/*
 * earlier_probe: see earlier_probe.h.
 */
#include "visit/earlier_probe.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "probe/abi.h"
#include "python/hook_list.h"
#include "python/python.h"
#include "system/remote_mem.h"
#include "visit/lazy_link_code.h"
#include "visit/ptrace.h"
#include "visit/check.h"
#include "visit/access.h"

static bool is_auditview_alive(pid_t pid)
{
	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

/* the last recorder that was found dead */
static struct {
	pid_t recorder;
	uint64_t base, entry;
} known_dead;

bool earlier_probe_is_known_dead(pid_t recorder, const struct probe_context *ctx)
{
	return recorder > 0 && recorder == known_dead.recorder && ctx->base == known_dead.base &&
	       ctx->entry == known_dead.entry && !is_auditview_alive(recorder);
}

enum probe_presence earlier_probe_find(struct remote_mem *mem, const struct python_runtime *rt,
				       pid_t *ret_recorder, struct probe_context *ret_context)
{
	struct hook_entry entry;
	*ret_recorder = 0;
	if (!remote_mem_read(mem, rt->slack, &entry, sizeof(entry)) || !entry.fn)
		return PROBE_NONE;
	if (!entry.user_data)
		return PROBE_LEFT_ENTRY;
	struct probe_context ctx;
	struct ring_shared shared;
	raddr base = RADDR(lazy_link_base_of(entry.user_data));
	if (!remote_mem_read(mem, base, &ctx, sizeof(ctx)) || ctx.magic != PROBE_MAGIC ||
	    ctx.abi < PROBE_ABI_OLDEST || ctx.abi > PROBE_ABI || ctx.base != base.v)
		return PROBE_LEFT_ENTRY;
	if (ret_context)
		*ret_context = ctx;
	if (!remote_mem_read(mem, RADDR(ctx.base + ctx.shared_off), &shared, sizeof(shared)) ||
	    shared.magic != PROBE_MAGIC)
		return PROBE_DEAD_RECORDER;
	*ret_recorder = (pid_t)shared.recorder_pid;
	/* A live recorder beats, every 100 ms if it gets a processor; the probe waits for it for 2
	 * s (probe.c). Its pid is only a hint: another process can have it by now, and it may
	 * belong to another pid namespace. */
	bool is_alive = is_auditview_alive(*ret_recorder);
	unsigned patience = is_alive                                           ? 250
			    : earlier_probe_is_known_dead(*ret_recorder, &ctx) ? 0
									       : 50;
	uint32_t beat = shared.heartbeat;
	for (unsigned i = 0; i < patience; i++) {
		ptrace_serve();
		poll(NULL, 0, 10);
		if (!remote_mem_read(mem, RADDR(ctx.base + ctx.shared_off), &shared,
				     sizeof(shared)))
			return PROBE_DEAD_RECORDER;
		if (shared.heartbeat != beat)
			return PROBE_LIVE_RECORDER;
	}
	if (!is_alive) {
		known_dead.recorder = *ret_recorder;
		known_dead.base = ctx.base;
		known_dead.entry = ctx.entry;
	}
	return PROBE_DEAD_RECORDER;
}

/* ---- what doctor says of it ---- */

static void check_recorder(const struct check_facts *p, struct finding *f)
{
	const struct access_facts *a = p->facts;
	if (!check_is_there(p) || a->inside != INSIDE_PYTHON)
		return;
	if (!a->recorder_pid)
		return check_say(f, CHECK_OK, "no auditview is attached");
	if (a->recorder_is_alive) {
		check_say(f, CHECK_NO, "an auditview is attached already (%d)", a->recorder_pid);
		check_cure(f, "open its capture while it grows, or end it: kill -INT %d",
			   a->recorder_pid);
	} else {
		check_say(f, CHECK_NOTE,
			  "an auditview that has died (%d) left its probe; it will be replaced",
			  a->recorder_pid);
	}
}

const struct check earlier_probe_check = { "recorder", check_recorder };
