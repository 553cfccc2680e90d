/*
 * taps: what is done to all armed runtimes together.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct recorder;

/* Does a process map the ring of a tap whose pid is not `but`, as a forked child maps its
 * parent's? */
bool taps_has_ring(const struct recorder *r, pid_t pid, pid_t but);
void taps_set_gone(struct recorder *r, pid_t pid);       /* those armed in that process */
void taps_set_state(struct recorder *r, uint32_t state); /* enum ring_state, in all rings */
/* Choose the clock of all threads of a process: only a thread that is traced may read the TSC
 * (probe/clock.h, rescue.c). */
void taps_set_clock(struct recorder *r, pid_t pid, bool is_traced);
/* Answer what threads ask, and show all probes that the recorder lives: they wait for room as long
 * as it does. now: as of monotonic_ns(). Cheap; call it often. */
void taps_beat(struct recorder *r, uint64_t now);
/* Move the clocks of all rings to the present, which is returned in ticks: no event that is stamped
 * from now on is older. */
uint64_t taps_tick(struct recorder *r);
/* Count the events of processes that found no slot: they are lost. */
void taps_count_unserved(struct recorder *r);
