/*
 * mailbox: the word behind our hook entry in which a list of calls leaves its answer. What it can
 * say, from top to bottom:
 *
 *   0                   nothing
 *   base of a reservation, plus 2
 *                       a call that maps or unmaps it has been asked for and has not answered; or
 *                       no entry names the reservation any more and it is still mapped
 *   1                   the calls are done
 *   base of a reservation
 *                       the calls are done, and it is mapped
 *   -1 … -4095          a call has failed with this errno and the list has undone itself
 *
 * It outlives us: after a SIGKILL the next auditview learns from it which reservation to unmap. The
 * stub writes it (arch/x86_64/stub.S), so it is the same for every ABI of the probe. The target can
 * write it too, so the word read is a guest number: everything that it says must be checked against
 * the mappings, and nothing else may decode it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/guest.h"
#include "base/mem_read.h"

struct remote_mem;

enum mailbox_says { MAILBOX_EMPTY, MAILBOX_PENDING, MAILBOX_ANSWER, MAILBOX_ERRNO };
struct mailbox {
	enum mailbox_says says;
	uint64_t answer; /* 1, or a base; not checked */
	int sys;         /* the errno of MAILBOX_ERRNO */
};
struct mailbox mailbox_decode(guest_u64 word);
bool mailbox_is_answer(guest_u64 word); /* MAILBOX_ANSWER or MAILBOX_ERRNO */
/* Does it name the reservation at `base`, as an answer or pending? */
bool mailbox_names(guest_u64 word, uint64_t base);
/* The reservation that it names, whatever it says of it. 0: it names none. Not checked. */
uint64_t mailbox_reservation(guest_u64 word);
/* False: the memory cannot be read. */
MUST_CHECK bool mailbox_read(struct remote_mem *mem, raddr mailbox, guest_u64 *ret);

/* Words to write. `base` 0: none. */
uint64_t mailbox_word_pending(uint64_t base);
uint64_t mailbox_word_done(uint64_t base);
