/*
 * claim: which process has claimed a slot. What a slot says of its owner comes from the target, so
 * it is believed only if the kernel or the follower confirms it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct process;
struct recorder;
struct ring_claim;
struct tap;

/* The program that claimed a slot, added if it was not known. ns_pid: the pid in the claim, checked
 * to be one. A living process is taken for the owner only if the kernel says that it maps the ring,
 * or its fork was seen. *ret_false is set if the claim cannot be true. Returns NULL then, or if
 * memory is short. */
struct process *claim_process(struct recorder *r, struct tap *t, const struct ring_claim *claim,
			      uint32_t ns_pid, bool *ret_false);
/* The claim of this slot is false: give the slot up, so that its events are not read. */
void claim_refuse(struct recorder *r, struct tap *t, uint32_t slot, const struct ring_claim *claim);
