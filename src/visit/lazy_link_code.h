/*
 * lazy_link_code: the machine code of the first hook (lazy_link.S of src/arch), and what it and the
 * recorder tell each other.
 *
 *   code | struct lazy_link_data | padding to 16 bytes | place of the stub (stub.h)
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "probe/abi.h"

/* it ends with struct lazy_link_data */
extern const uint8_t lazy_link_blob[];
extern const size_t lazy_link_blob_bytes;

struct lazy_link_data {
	uint64_t entry, head, spins;
};

size_t lazy_link_code_bytes(void);  /* without the data */
size_t lazy_link_hook_bytes(void);  /* with the data and the padding */
size_t lazy_link_place_bytes(void); /* all of it */
/* lazy_link_place_bytes() if a first hook is in these bytes (REMOTE_PLACE_BYTES of them); otherwise
 * 0. */
size_t lazy_link_bytes_at(const uint8_t *bytes);

/* Bits in the entry's user data, beside the base of the reservation: the hook and the recorder tell
 * each other through them what they have done. A forked child has its own copy. */
enum lazy_link_flag {
	LAZY_LINK_CAME = 1, /* a thread is, or was, held */
	/* hold no thread: set by the recorder, or by the first thread that waited in vain */
	LAZY_LINK_GO_ON = 2
};
/* the bits above: number of events that were not held until the probe was in place; at most
 * 32767 */
#define LAZY_LINK_MISSED_SHIFT 48
#define LAZY_LINK_MISSED_MAX   0x7fff /* it is not counted further */
static inline uint64_t lazy_link_base_of(uint64_t user_data)
{
	return user_data & PROBE_BASE_MASK;
}
