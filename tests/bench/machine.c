/*
 * machine: what two things cost here that the cost of an event depends on most: reading the clock
 * that the probe reads, and a cache line that moves between two processors (the recorder reads what
 * the target's thread wrote). Prints one line.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/monotonic.h"
#include "probe_cpu.h"

/* Many short tries, of which the least counts: on a loaded machine a long one is interrupted. */
enum { N_READS = 20000, N_WARM = 100, N_TURNS = N_WARM + 1000, N_TRIES = 50 };

static _Alignas(128) _Atomic uint32_t turn;
static _Atomic bool is_bad;
static uint64_t start_ns; /* both threads run by then */

static double clock_ns(void)
{
	uint64_t sum = 0, start = monotonic_ns();
	for (unsigned i = 0; i < N_READS; i++)
		sum += cpu_ticks();
	double took = (double)(monotonic_ns() - start) / N_READS;
	return sum ? took : 0;
}

/* Each of the two threads waits for its parity and hands the line on. */
static void *play(void *arg)
{
	uint32_t parity = *(uint32_t *)arg;
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(parity, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
		atomic_store(&is_bad, true);
	for (uint32_t i = parity; i < N_TURNS; i += 2) {
		while (atomic_load_explicit(&turn, memory_order_acquire) != i)
			if (atomic_load_explicit(&is_bad, memory_order_relaxed))
				return NULL;
		if (i == N_WARM)
			start_ns = monotonic_ns();
		atomic_store_explicit(&turn, i + 1, memory_order_release);
	}
	return NULL;
}

/* ns for one way; negative if there are no two processors */
static double line_ns(void)
{
	uint32_t parities[2] = { 0, 1 };
	pthread_t other;
	atomic_store(&turn, 0);
	if (pthread_create(&other, NULL, play, &parities[1]) != 0)
		return -1;
	play(&parities[0]);
	uint64_t end = monotonic_ns();
	pthread_join(other, NULL);
	return atomic_load(&is_bad) ? -1 : (double)(end - start_ns) / (N_TURNS - N_WARM);
}

int main(void)
{
	double best_clock = 1e9, best_line = 1e9;
	for (unsigned i = 0; i < N_TRIES; i++) {
		double clock = clock_ns(), line = line_ns();
		best_clock = clock < best_clock ? clock : best_clock;
		best_line = line < best_line ? line : best_line;
	}
	printf(
	    "the clock that the probe reads: %.0f ns; a cache line from one processor to another: ",
	    best_clock);
	if (best_line < 0)
		printf("unknown, there are no two processors\n");
	else
		printf("%.0f ns\n", best_line);
	return EXIT_SUCCESS;
}
