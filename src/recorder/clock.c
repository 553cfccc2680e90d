/*
 * clock: see clock.h. The kernel's own measure of the TSC is not readable, so the rate is measured: a few milliseconds at
 * the start, refined while the capture goes on.
 */
#include "recorder/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "tracer/procs.h"

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
		uint64_t before = __rdtsc(), ns = now_ns(CLOCK_MONOTONIC), after = __rdtsc();
		if (after - before < best) {
			best = after - before;
			*ret_tsc = before + (after - before) / 2;
			*ret_ns = ns;
		}
	}
}

/* The TSC counts at one rate whatever the processor does, and the kernel itself trusts it. */
static bool tsc_is_invariant(void)
{
	char line[8192];
	bool constant = false, nonstop = false, trusted = true;
	FILE *f = fopen("/proc/cpuinfo", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "flags", 5) != 0)
			continue;
		constant = strstr(line, " constant_tsc") != NULL;
		nonstop = strstr(line, " nonstop_tsc") != NULL;
		break;
	}
	if (f)
		fclose(f);
	f = fopen("/sys/devices/system/clocksource/clocksource0/available_clocksource", "re");
	if (f) {
		/* A kernel that found the TSC unstable takes it off this list (Documentation/timers/timekeeping.rst). */
		trusted = fgets(line, sizeof(line), f) && strstr(line, "tsc");
		fclose(f);
	}
	return constant && nonstop && trusted;
}

static uint64_t rate_of(uint64_t ns, uint64_t ticks)
{
	return ticks ? (uint64_t)(((unsigned __int128)ns << 32) / ticks) : 1ull << 32;
}

void clock_init(struct clock_map *c)
{
	*c = (struct clock_map){ .use_tsc = tsc_is_invariant() };
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
	/* Older than the newest measure: as it would have been told before, or two events could change places. */
	uint64_t back = scale(c->rate_before, c->tsc_base - ticks);
	return back < c->time_base ? c->time_base - back : 0;
}

uint64_t clock_ticks(const struct clock_map *c)
{
	return c->use_tsc ? __rdtsc() : now_ns(CLOCK_MONOTONIC);
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

/* ---- time namespaces ---- */

/* The file tells of the namespace that children of pid will be in (kernel fs/proc/base.c, proc_timens_show_offsets: it takes
 * time_ns_for_children), which after unshare(2) is not that of pid. */
static bool read_offset(pid_t pid, int64_t *ret_ns)
{
	char text[256];
	int64_t seconds, ns;
	if (proc_file_read(pid, "timens_offsets", text, sizeof(text)) <= 0)
		return false;
	const char *line = strstr(text, "monotonic");
	if (!line || sscanf(line, "monotonic %" SCNd64 " %" SCNd64, &seconds, &ns) != 2)
		return false;
	*ret_ns = seconds * 1000000000 + ns;
	return true;
}

static bool is_same_namespace(pid_t a, const char *of_a, pid_t b, const char *of_b)
{
	char x[64], y[64];
	ssize_t n = proc_link_read(a, of_a, x, sizeof(x));
	return n > 0 && proc_link_read(b, of_b, y, sizeof(y)) == n && memcmp(x, y, (size_t)n) == 0;
}

bool clock_ahead_of_children(pid_t pid, int64_t *ret_ns)
{
	int64_t theirs, ours;
	if (access("/proc/self/ns/time", F_OK) < 0) { /* before Linux 5.6 */
		*ret_ns = 0;
		return true;
	}
	if (!read_offset(pid, &theirs) || !read_offset(getpid(), &ours))
		return false;
	*ret_ns = theirs - ours;
	return true;
}

bool clock_ahead_of_ours(pid_t pid, int64_t *ret_ns)
{
	struct proc_status status;
	if (access("/proc/self/ns/time", F_OK) < 0 || is_same_namespace(pid, "ns/time", getpid(), "ns/time")) {
		*ret_ns = 0;
		return true;
	}
	if (is_same_namespace(pid, "ns/time", pid, "ns/time_for_children"))
		return clock_ahead_of_children(pid, ret_ns);
	/* It has made a namespace for its children: its own is where its parent's children are, if that has not done the same. */
	struct err *err = proc_status_read(pid, &status);
	bool knows = !err && status.ppid > 0 && is_same_namespace(pid, "ns/time", status.ppid, "ns/time_for_children");
	err_destroy(err);
	return knows && clock_ahead_of_children(status.ppid, ret_ns);
}

int64_t clock_ahead_about(uint64_t day_ns)
{
	uint64_t before = now_ns(CLOCK_MONOTONIC), day = now_ns(CLOCK_REALTIME), after = now_ns(CLOCK_MONOTONIC);
	return (int64_t)(day - (before + (after - before) / 2) - day_ns);
}
