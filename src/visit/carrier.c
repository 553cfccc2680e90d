/*
 * carrier: see carrier.h.
 */
#include "visit/carrier.h"

#include "visit/all_stop.h"
#include "visit/at_stop.h"
#include "visit/hold.h"
#include "visit/one_thread.h"
#include "visit/remote_place.h"
#include "visit/seccomp.h"
#include "visit/threads.h"

#define FIND_NS 100000000u /* to find the thread that the hook holds */

struct carrier_ops {
	struct err *(*store)(const struct remote_target *t, const struct remote_store *stores,
			     size_t n);
	struct err *(*act)(const struct remote_target *t, struct err *(*f)(void *ctx), void *ctx);
	struct err *(*run)(const struct remote_target *t, const struct remote_program *program,
			   uint64_t avoid_start, uint64_t avoid_end, uint64_t timeout_ns,
			   struct remote_call_stats *stats, uint64_t *ret_value);
	struct err *(*settle)(const struct remote_target *t, uint64_t timeout_ns);
};

static struct err *store_from_outside(const struct remote_target *t,
				      const struct remote_store *stores, size_t n)
{
	struct err *err = NULL;
	for (size_t i = 0; !err && i < n; i++)
		err = one_thread_write(t, stores[i].to, stores[i].bytes, stores[i].n_bytes);
	return err;
}

static struct err *store_at_stop(const struct remote_target *t, const struct remote_store *stores,
				 size_t n)
{
	struct err *err = NULL;
	for (size_t i = 0; !err && i < n; i++)
		err = hold_write(t, t->at_stop, stores[i].to, stores[i].bytes, stores[i].n_bytes);
	return err;
}

static struct err *act_from_outside(const struct remote_target *t, struct err *(*f)(void *ctx),
				    void *ctx)
{
	(void)t;
	return f(ctx);
}

static struct err *run_at_stop(const struct remote_target *t, const struct remote_program *program,
			       uint64_t avoid_start, uint64_t avoid_end, uint64_t timeout_ns,
			       struct remote_call_stats *stats, uint64_t *ret_value)
{
	(void)avoid_start;
	(void)avoid_end;
	return at_stop_run(t->at_stop, t, program, timeout_ns, stats, ret_value);
}

/* A call without a visible stop: by the thread that the hook holds, or by another one whose stop is
 * not visible. ERR_TIMEOUT: there is none at this moment. */
static struct err *run_in_event(const struct remote_target *t, const struct remote_program *program,
				uint64_t avoid_start, uint64_t avoid_end, uint64_t timeout_ns,
				struct remote_call_stats *stats, uint64_t *ret_value)
{
	struct remote_target by = *t;
	by.filtered = seccomp_any_filter(t->pid);
	by.only = t->is_held ? threads_find_busy(t->pid, FIND_NS) : 0;
	if (!by.only && threads_best_rank(&by) >= THREAD_RUNS)
		return err_create(ERR_TIMEOUT, "no thread is seen to be held, or may be stopped");
	return one_thread_run(&by, program, avoid_start, avoid_end, timeout_ns, stats, ret_value);
}

static struct err *wait_and_clear(const struct remote_target *t, uint64_t timeout_ns)
{
	struct err *err = remote_place_wait(t, timeout_ns);
	return err ? err : carrier_clear(t);
}

/* The code was cleared before the thread went on. */
static struct err *nothing_to_settle(const struct remote_target *t, uint64_t timeout_ns)
{
	(void)t;
	(void)timeout_ns;
	return NULL;
}

static const struct carrier_ops carriers[] = {
	/* clang-format off */
	[CARRIER_ONE_THREAD]  = { store_from_outside, act_from_outside, one_thread_run, wait_and_clear },
	[CARRIER_ALL_STOPPED] = { all_stop_write,     all_stop_do,      all_stop_run,   wait_and_clear },
	[CARRIER_AT_STOP]     = { store_at_stop,      act_from_outside, run_at_stop,    nothing_to_settle },
	[CARRIER_NEXT_EVENT]  = { store_from_outside, act_from_outside, run_in_event,   wait_and_clear },
	/* clang-format on */
};
_Static_assert(ARRAY_LEN(carriers) == CARRIER_COUNT, "a carrier without a row");

enum carrier carrier_choose(const struct remote_target *t)
{
	return t->fleeting || t->unloadable ? CARRIER_ALL_STOPPED : CARRIER_ONE_THREAD;
}

bool carrier_is_next_event(const struct remote_target *t)
{
	return !t->fleeting && threads_all_show(t);
}

struct err *carrier_store(const struct remote_target *t, const struct remote_store *stores,
			  size_t n)
{
	return carriers[t->carrier].store(t, stores, n);
}

struct err *carrier_act(const struct remote_target *t, struct err *(*f)(void *ctx), void *ctx)
{
	return carriers[t->carrier].act(t, f, ctx);
}

struct err *carrier_run(const struct remote_target *t, const struct remote_program *program,
			uint64_t avoid_start, uint64_t avoid_end, uint64_t timeout_ns,
			struct remote_call_stats *stats, uint64_t *ret_value)
{
	return carriers[t->carrier].run(t, program, avoid_start, avoid_end, timeout_ns, stats,
					ret_value);
}

struct err *carrier_settle(const struct remote_target *t, uint64_t timeout_ns)
{
	return carriers[t->carrier].settle(t, timeout_ns);
}

struct err *carrier_clear(const struct remote_target *t)
{
	struct remote_place *p = t->place;
	/* The stub goes last: it names the other. */
	const struct remote_store stores[] = {
		{ p->back, p->back_before, sizeof(p->back_before) },
		{ p->code, p->before, p->n_bytes },
	};
	bool has_back = p->back.v != 0;
	struct err *err = carrier_store(t, stores + !has_back, 1 + has_back);
	if (!err)
		p->back = RADDR(0);
	return err;
}
