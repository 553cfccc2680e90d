/*
 * fuzz_ring: visit/ring.c and recorder/decoder.c after it: a ring whose whole content was written
 * by the target.
 *
 * Input: the bytes of the whole ring, cut or filled with zeros to its size: header, then two slots
 * of a page and 8 KiB each. Every read must be inside it (under ASan the ring is a heap block),
 * whatever its numbers are, and reading must end.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "capture/writer.h"
#include "probe/abi.h"
#include "recorder/decoder.h"
#include "recorder/lineup.h"
#include "recorder/redact.h"
#include "visit/ring.h"

enum { N_SLOTS = 2, DATA_BYTES = 8192, ROUNDS = 8 };

/* Read what a slot holds, as drain.c does. Returns how many records were malformed. */
static unsigned take(struct ring *ring, uint32_t slot, uint64_t *tail, struct decoder *decoder,
		     uint8_t *record)
{
	struct slot_look look = lineup_look(ring_slot_borrow(ring, slot));
	struct record next;
	uint64_t head;
	if (!ring_head_check(ring, slot, look.head, *tail, &head)) {
		*tail = guest_shown64(look.head) & ~7ull;
		return 1;
	}
	if (head - *tail > ring_slot_size(ring, slot) || head % 8)
		abort();
	while (*tail < head) {
		if (!ring_record_check(ring, slot, *tail, head, &next)) {
			*tail = head;
			return 1;
		}
		if (next.size < 8 || next.size % 8 || next.size > head - *tail)
			abort();
		if (next.type == RECORD_EVENT && next.size >= sizeof(struct record_event)) {
			ring_record_read(ring, slot, *tail, record, next.size);
			memcpy(record, &next, sizeof(next));
			decoder_event(decoder, (struct record *)(void *)record, next.size,
				      next.tsc);
		}
		*tail += next.size;
	}
	return 0;
}

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	struct writer *writer;
	struct writer_options options = { .creator = "fuzz", .no_compress = true };
	struct redactor *redactor;
	struct decoder *decoder;
	struct ring ring;
	ring_lay_out(&ring, N_SLOTS, DATA_BYTES, 2 * DATA_BYTES, false);
	uint8_t *memory = aligned_alloc(PROBE_PAGE, ring.n_bytes), *record = malloc(2 * DATA_BYTES);
	struct err *err = writer_open("/dev/null", &options, &writer);
	if (err || !memory || !record)
		abort();
	err_destroy(redactor_create(&redactor));
	memset(memory, 0, ring.n_bytes);
	memcpy(memory, bytes, n_bytes < ring.n_bytes ? n_bytes : ring.n_bytes);
	ring.shared = (struct ring_shared *)(void *)memory;
	struct process_info process = { .pid = 1, .exit_status = -1 };
	struct decoder_options how = { .writer = writer,
				       .minor = 12,
				       .process = writer_process(writer, &process),
				       .redactor = redactor };
	err = decoder_create(&how, &decoder);
	if (err)
		abort();
	uint64_t tails[N_SLOTS] = { 0 };
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (uint32_t slot = 0; slot < N_SLOTS; slot++) {
			if (!ring_slot_is_claimed(&ring, slot))
				continue;
			struct ring_claim claim = ring_slot_claim(&ring, slot);
			unsigned n_bad = take(&ring, slot, &tails[slot], decoder, record);
			/* The target continues to write meanwhile. */
			uint64_t more = guest_shown32(claim.birth) % ring_slot_size(&ring, slot);
			uint8_t *head = memory + ring_slot_off(&ring, slot);
			uint64_t now = tails[slot] + more;
			memcpy(head, &now, sizeof(now));
			if (n_bad && round == ROUNDS - 1)
				ring_slot_give_up(&ring, slot);
		}
		ring_beat(&ring);
		(void)ring_is_waited_for(&ring);
		uint32_t place;
		(void)guest_growth(ring_n_unserved(&ring), round, 1 << 20);
		(void)ring_add_verdict(&ring, name_hash("open", 4), VERDICT_WANTED, &place);
	}
	if (decoder_n_events(decoder) != writer_n_events(writer))
		abort();
	decoder_destroy(decoder);
	redactor_destroy(redactor);
	err_destroy(writer_close(writer));
	free(record);
	free(memory);
}

/* ---- seeds: rings as probes leave them ---- */

static size_t put(uint8_t *to, const void *bytes, size_t n)
{
	memcpy(to, bytes, n);
	return n;
}

static size_t put_event(uint8_t *to, uint32_t code)
{
	static const uint8_t tail[] = { 'o', 'p', 'e', 'n', 0, 0, 0, 0, 15 /* VALUE_TUPLE */,
					0,   0,   0,   0,   0, 0, 0 };
	struct record_frame frame = { .code = code, .lasti = 2 };
	struct record_event e = { .r = { .size = sizeof(e) + sizeof(tail) + sizeof(frame),
					 .type = RECORD_EVENT,
					 .n_frames = 1,
					 .tsc = 5 },
				  .tid = 7,
				  .name_bytes = 4,
				  .args_bytes = 3,
				  .frames_bytes = sizeof(frame) };
	size_t n = put(to, &e, sizeof(e));
	n += put(to + n, tail, sizeof(tail));
	return n + put(to + n, &frame, sizeof(frame));
}

size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)
{
	struct ring ring;
	ring_lay_out(&ring, N_SLOTS, DATA_BYTES, 2 * DATA_BYTES, false);
	if (number >= 4 || cap < ring.n_bytes)
		return 0;
	memset(to, 0, ring.n_bytes);
	struct ring_slot slot = { .state = SLOT_ACTIVE, .pid = 1, .tid = 7, .birth = 48 * number };
	uint8_t *at = to + ring.slots_off, *data = at + PROBE_PAGE;
	for (unsigned i = 0; i < 3; i++)
		slot.head += put_event(data + slot.head, i);
	struct record_lost lost = { .r = { .size = sizeof(lost), .type = RECORD_LOST, .tsc = 6 },
				    .n_lost = number,
				    .first_tsc = 5 };
	slot.head += put(data + slot.head, &lost, sizeof(lost));
	struct record pad = { .size = (uint32_t)(ring_slot_size(&ring, 0) - slot.head),
			      .type = RECORD_PAD };
	if (number % 2)
		slot.head += put(data + slot.head, &pad, sizeof(pad)) - sizeof(pad) + pad.size;
	memcpy(at, &slot, sizeof(slot));
	return ring.n_bytes;
}
