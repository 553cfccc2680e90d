/*
 * clock: see clock.h. The processor's counter is called the TSC here, as on x86-64. The kernel's
 * own measure of it is not readable, so the rate is measured: for a few milliseconds at the start,
 * and better while the capture goes on.
 */
#include "recorder/clock.h"

#include <time.h>

#include "arch/arch.h"
#include "probe/abi.h"
#include "visit/check.h"
#include "base/monotonic.h"

static uint64_t now_ns(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Both clocks at one moment: the closest of a few tries. */
static void read_both(uint64_t *ret_tsc, uint64_t *ret_ns)
{
	uint64_t best = UINT64_MAX;
	for (unsigned i = 0; i < 8; i++) {
		uint64_t before = arch_ticks(), ns = now_ns(CLOCK_MONOTONIC), after = arch_ticks();
		if (i == 0 || after - before < best) {
			best = after - before;
			*ret_tsc = before + (after - before) / 2;
			*ret_ns = ns;
		}
	}
}

static uint64_t rate_of(uint64_t ns, uint64_t ticks)
{
	return ticks ? (uint64_t)(((unsigned __int128)ns << 32) / ticks) : 1ull << 32;
}

void clock_init(struct clock_map *c)
{
	*c = (struct clock_map){ .use_tsc = arch_ticks_are_steady() };
	read_both(&c->tsc_start, &c->mono_start_ns);
	c->wall_start_ns = now_ns(CLOCK_REALTIME);
	c->tsc_base = c->tsc_start;
	if (!c->use_tsc)
		return;
	uint64_t tsc, ns;
	do
		read_both(&tsc, &ns);
	while (ns - c->mono_start_ns < 3000000);
	c->rate_32_32 = rate_of(ns - c->mono_start_ns, tsc - c->tsc_start);
	c->rate_before = c->rate_32_32;
	c->next_adjust_ns = ns + 50000000;
}

static uint64_t scale(uint64_t rate_32_32, uint64_t ticks)
{
	return (uint64_t)((unsigned __int128)ticks * rate_32_32 >> 32);
}

uint64_t clock_time_of(const struct clock_map *c, uint64_t ticks)
{
	if (!c->use_tsc)
		return ticks > c->mono_start_ns ? ticks - c->mono_start_ns : 0;
	if (ticks >= c->tsc_base)
		return c->time_base + scale(c->rate_32_32, ticks - c->tsc_base);
	/* Older than the newest measure: as it would have been told before, or two events could
	 * change places. */
	uint64_t back = scale(c->rate_before, c->tsc_base - ticks);
	return back < c->time_base ? c->time_base - back : 0;
}

uint64_t clock_ticks(const struct clock_map *c)
{
	return c->use_tsc ? arch_ticks() : now_ns(CLOCK_MONOTONIC);
}

uint64_t clock_ticks_of_ns(const struct clock_map *c, uint64_t ns)
{
	return c->use_tsc ? (uint64_t)(((unsigned __int128)ns << 32) / c->rate_32_32) : ns;
}

uint64_t clock_time_now(const struct clock_map *c)
{
	return now_ns(CLOCK_MONOTONIC) - c->mono_start_ns;
}

void clock_adjust(struct clock_map *c)
{
	uint64_t tsc, ns;
	if (!c->use_tsc || now_ns(CLOCK_MONOTONIC) < c->next_adjust_ns)
		return;
	read_both(&tsc, &ns);
	uint64_t time = clock_time_of(c, tsc);
	c->rate_before = c->rate_32_32;
	c->rate_32_32 = rate_of(ns - c->mono_start_ns, tsc - c->tsc_start);
	c->tsc_base = tsc;
	c->time_base = time;
	c->next_adjust_ns = ns + (ns - c->mono_start_ns);
	if (c->next_adjust_ns > ns + 10000000000ull)
		c->next_adjust_ns = ns + 10000000000ull;
}

void clock_tick(const struct clock_map *c, struct ring_tick *ret)
{
	/* before the other: what is reckoned from both is never ahead */
	ret->ticks = clock_ticks(c);
	ret->mono_ns = now_ns(CLOCK_MONOTONIC);
}

uint64_t clock_ticks_per_ns(const struct clock_map *c)
{
	return c->use_tsc && c->rate_32_32
		   ? (uint64_t)(((unsigned __int128)1 << 64) / c->rate_32_32)
		   : 1ull << 32;
}

/* ---- what doctor says of it ---- */

static void check_clock(const struct check_facts *p, struct finding *f)
{
	struct clock_map clock;
	struct timespec tick = { 0 };
	(void)p;
	clock_init(&clock);
	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	double tick_ms = (double)tick.tv_sec * 1e3 + (double)tick.tv_nsec / 1e6;
	if (clock.use_tsc)
		return check_say(
		    f, CHECK_OK,
		    "the processor's time stamp counter is invariant: times are exact "
		    "with -f and in launched programs, else right to a tick of %.0f ms",
		    tick_ms);
	check_say(f, CHECK_NOTE,
		  "the time stamp counter cannot be trusted: times of events advance with the "
		  "kernel's tick of %.0f ms; their order is right",
		  tick_ms);
}

const struct check clock_check = { "clock", check_clock };
