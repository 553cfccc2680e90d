/*
 * link_state: what the probe cannot find out by itself is written into its memory, in any process
 * that has it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch/arch.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/guest.h"

struct link;

/* Possible offsets of tid in struct pthread, from the thread pointer; a negative number is one
 * modulo 2^32. An offset is checked before it is used. All C libraries update tid in a forked
 * child. */
extern const int32_t link_tid_offs[ARCH_N_TID_OFFS];

/* For a process that was forked and has not run since. If its parent has the probe, the process has
 * it too: write its pid into its state, and its parent's pid in the child's own pid namespace (0:
 * the parent is not in it). Returns its identity (abi.h, probe_state). Returns 0, and writes
 * nothing, if it has no probe, shares its parent's memory (vfork), or has an identity already. */
uint64_t link_name_child(const struct link *l, pid_t child, uint32_t ns_pid, uint32_t ns_parent);
/* Record what a process forks from now on (abi.h, PROBE_ALONE). */
void link_follow_children(const struct link *l, pid_t pid);
/* Choose the clock that the probe of this process reads. The TSC is allowed only as long as we
 * trace all its threads (probe/clock.h). */
MUST_CHECK struct err *link_set_clock(const struct link *l, pid_t pid, bool use_tsc);
/* Find out where the threads of the process have their tid, from the thread pointer of one of them,
 * as given in a slot. The words read there are only compared. */
void link_learn_tid(const struct link *l, pid_t pid, guest_u64 thread);
