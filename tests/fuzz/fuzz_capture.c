/*
 * fuzz_capture: capture/reader.c, column.c, value_scan.c, model/trace*.c, value_iter.c, caller.c: a capture file.
 *
 * Checksums would turn away nearly all changes, so half of the inputs (by their length) get right ones put back before they
 * are opened: what is behind them must not believe anything either.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/err.h"
#include "capture/block.h"
#include "model/trace.h"
#include "model/value_iter.h"
#include "tests/unit/capture_util.h"

enum { EVENTS_LOOKED_AT = 3000 };

/* Put right checksums into the superblock and every block that can be found. */
static void repair(uint8_t *bytes, size_t n)
{
	struct superblock super;
	if (n < sizeof super)
		return;
	memcpy(&super, bytes, sizeof super);
	super.checksum = XXH3_64bits(bytes, offsetof(struct superblock, checksum));
	memcpy(bytes, &super, sizeof super);
	for (size_t at = 0; at + sizeof(struct block_header) <= n; at += BLOCK_ALIGN) {
		struct block_header h;
		memcpy(&h, bytes + at, sizeof h);
		size_t rest = n - at - sizeof h;
		if (h.magic != BLOCK_MAGIC || h.meta_bytes > rest || h.stored_bytes > rest - h.meta_bytes)
			continue;
		uint64_t inner = XXH3_64bits_withSeed(bytes + at + sizeof h, (size_t)h.meta_bytes + h.stored_bytes, super.file_id);
		h.checksum = XXH3_64bits_withSeed(bytes + at, offsetof(struct block_header, checksum), inner);
		memcpy(bytes + at, &h, sizeof h);
	}
	struct trailer trailer;
	if (n >= sizeof trailer) {
		uint8_t *end = bytes + n - sizeof trailer;
		memcpy(&trailer, end, sizeof trailer);
		if (memcmp(trailer.magic, TRAILER_MAGIC, 8) == 0) {
			trailer.checksum = XXH3_64bits_withSeed(end, offsetof(struct trailer, checksum), super.file_id);
			memcpy(end, &trailer, sizeof trailer);
		}
	}
}

static void look_at_event(struct trace *t, uint64_t seq)
{
	struct event event;
	uint32_t n_objects, frames[64];
	size_t n_bytes;
	if (!trace_event(t, seq, &event))
		abort();
	if (event.name > trace_n_names(t) || !trace_name(t, event.name, &n_bytes))
		abort();
	const uint64_t *objects = trace_event_objects(t, seq, &n_objects);
	struct value_iter it;
	struct value_node node;
	value_iter_init(&it, t, event.args, objects, n_objects);
	for (unsigned n = 0; value_iter_next(&it, &node); n++) {
		if (n > VALUE_ITER_NODES)
			abort();
	}
	uint32_t depth = trace_stack_frames(t, event.stack, frames, 64);
	for (uint32_t i = 0; i < depth && i < 64; i++) {
		struct frame_info frame;
		trace_frame(t, frames[i], &frame);
		trace_string(t, frame.function, &n_bytes);
		trace_string(t, frame.file, &n_bytes);
		trace_frame_origin(t, frames[i]);
	}
	trace_caller(t, event.stack);
}

static void look_at(struct trace *t)
{
	uint64_t n = trace_n_events(t);
	for (uint64_t seq = 0; seq < n && seq < EVENTS_LOOKED_AT; seq++)
		look_at_event(t, seq);
	if (n > 0)
		look_at_event(t, n - 1);
	for (uint32_t i = 0; i < trace_n_chunks(t) && i < 16; i++)
		trace_chunk(t, i);
	for (uint32_t i = 0; i < trace_n_processes(t) && i < 100; i++) {
		if (trace_process(t, i))
			trace_process_parent(t, i);
	}
	for (uint32_t i = 0; i < trace_n_threads(t) && i < 100; i++)
		trace_thread(t, i);
	for (uint32_t i = 0; i < trace_n_notes(t) && i < 100; i++)
		trace_note_get(t, i);
	trace_seq_at(t, 1000000);
	trace_damage(t);
}

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	uint8_t *copy = malloc(n_bytes ? n_bytes : 1);
	if (fd < 0 || !copy)
		abort();
	memcpy(copy, bytes, n_bytes);
	if (n_bytes % 2 == 0)
		repair(copy, n_bytes);
	if (write(fd, copy, n_bytes) != (ssize_t)n_bytes)
		abort();
	free(copy);

	struct trace *t = NULL;
	struct trace_options options = { .cache_bytes = 1 << 20 };
	struct err *err = trace_open_fd(fd, "fuzz", &options, &t);
	if (err) {
		err_destroy(err);
		return;
	}
	look_at(t);
	trace_trim(t);
	struct trace_change change;
	err_destroy(trace_refresh(t, &change));
	look_at(t);
	trace_close(t);
}

/* Captures as the writer makes them: few events plain, more compressed in several flushes, one without its end. */
size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)
{
	static const struct {
		uint64_t n_events;
		uint32_t flush_every;
		bool no_compress, is_open;
	} kinds[] = { { 5, 0, true, false }, { 60, 20, true, true }, { 300, 100, false, false } };
	if (number >= sizeof kinds / sizeof kinds[0])
		return 0;
	char path[4096];
	struct writer *w;
	struct writer_options o = { .wall_anchor_ns = 1790000000000000000u, .creator = "fuzz", .no_compress = kinds[number].no_compress };
	test_path(path, sizeof path, "fuzz");
	must(writer_open(path, &o, &w));
	write_random(w, kinds[number].n_events, number + 1, kinds[number].flush_every);
	if (kinds[number].is_open) {
		must(writer_flush(w));
		writer_destroy(w);
	} else {
		must(writer_close(w));
	}
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(to, 1, cap, f) : 0;
	if (f)
		fclose(f);
	unlink(path);
	return n;
}
