/*
 * fuzz_records: recorder/decoder.c, translate.c: what the target wrote into its ring.
 *
 * Input: records one after the other, as in the ring; the first byte of the input selects the
 * Python version. The output goes to /dev/null; the writer aborts if it gets anything malformed.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/value.h"
#include "capture/writer.h"
#include "probe/abi.h"
#include "recorder/decoder.h"
#include "recorder/redact.h"

static bool wants(void *ctx, const char *name, uint32_t n_bytes)
{
	(void)ctx;
	return n_bytes == 0 || name[0] != 'u';
}

void fuzz_one(const uint8_t *bytes, size_t n_bytes)
{
	struct writer *writer;
	struct writer_options options = { .creator = "fuzz", .no_compress = true };
	struct decoder *decoder;
	if (n_bytes < 8)
		return;
	struct err *err = writer_open("/dev/null", &options, &writer);
	if (err)
		abort();
	struct redactor *redactor;
	err_destroy(redactor_create(&redactor));
	struct process_info process = { .pid = 1, .exit_status = -1 };
	struct decoder_options how = { .writer = writer,
				       .minor = 8 + bytes[0] % 8,
				       .process = writer_process(writer, &process),
				       .redactor = redactor,
				       .wants = wants };
	err = decoder_create(&how, &decoder);
	if (err)
		abort();
	uint64_t n_asked = 0;
	for (size_t at = 8; at + sizeof(struct record) <= n_bytes; n_asked++) {
		struct record head;
		memcpy(&head, bytes + at, sizeof head);
		/* The ring's reader passes on whole records only. */
		size_t size = head.size >= sizeof head && head.size <= n_bytes - at ? head.size
										    : n_bytes - at;
		struct record *record = malloc(size);
		if (!record)
			abort();
		memcpy(record, bytes + at, size);
		decoder_event(decoder, record, size, n_asked * 1000);
		free(record);
		at += (size + 7) & ~(size_t)7;
	}
	if (decoder_n_events(decoder) + decoder_n_bad(decoder) > n_asked)
		abort();
	if (decoder_n_events(decoder) != writer_n_events(writer))
		abort();
	decoder_refresh_threads(decoder, true);
	decoder_destroy(decoder);
	redactor_destroy(redactor);
	err_destroy(writer_close(writer));
}

/* ---- seeds: records as the probe writes them ---- */

struct out {
	uint8_t *p, *start;
};

static void put(struct out *o, const void *bytes, size_t n)
{
	memcpy(o->p, bytes, n);
	o->p += n;
}

static void pad(struct out *o)
{
	while ((o->p - o->start) % 8)
		*o->p++ = 0;
}

static void put_str(struct out *o, const char *s)
{
	uint8_t head[2] = { VALUE_STR, (uint8_t)strlen(s) };
	put(o, head, 2);
	put(o, s, strlen(s));
}

/* Write one event with two frames; if `defines`, the inner one defines its code. */
static void put_event(struct out *o, const char *name, const void *args, size_t n_args,
		      bool defines)
{
	static const uint8_t table[] = { 0x80, 0x00, 0xd8, 0x04, 0x0a, 0x01, 0xf0, 0x02 };
	uint8_t *start = o->p;
	struct record_event event = { .r = { .type = RECORD_EVENT, .n_frames = 2, .tsc = 1000 },
				      .tid = 41,
				      .name_hash = (uint32_t)name_hash(name,
								       (uint32_t)strlen(name)),
				      .name_bytes = (uint16_t)strlen(name),
				      .args_bytes = (uint32_t)n_args };
	put(o, &event, sizeof event);
	put(o, name, strlen(name));
	pad(o);
	put(o, args, n_args);
	pad(o);
	uint8_t *frames = o->p;
	for (uint32_t i = 1; i <= 2; i++) {
		struct record_frame frame = { .code = i | (defines ? FRAME_DEFINES : 0),
					      .lasti = 4 };
		put(o, &frame, sizeof frame);
		if (!defines)
			continue;
		uint8_t *at = o->p;
		struct record_code code = { .first_line = 7,
					    .file_bytes = 2 + 11,
					    .name_bytes = 2 + 8,
					    .table_bytes = sizeof table,
					    .table_full_bytes = sizeof table };
		put(o, &code, sizeof code);
		put_str(o, "/srv/app.py");
		put_str(o, "<module>");
		put(o, table, sizeof table);
		pad(o);
		code.size = (uint32_t)(o->p - at);
		memcpy(at, &code, sizeof code);
	}
	event.frames_bytes = (uint32_t)(o->p - frames);
	pad(o);
	event.r.size = (uint32_t)(o->p - start);
	memcpy(start, &event, sizeof event);
}

size_t fuzz_seed(unsigned number, uint8_t *to, size_t cap)
{
	static const uint8_t open_args[] = { VALUE_TUPLE, 3, 3,   VALUE_STR, 4, '/', 'e', 't', 'c',
					     VALUE_STR,   1, 'r', VALUE_INT, 8 };
	static const uint8_t odd_args[] = { VALUE_TUPLE,
					    6,
					    6,
					    VALUE_NONE,
					    VALUE_BIGINT,
					    1,
					    9,
					    1,
					    2,
					    3,
					    4,
					    5,
					    6,
					    7,
					    8,
					    9,
					    VALUE_STR_CUT,
					    200,
					    1,
					    2,
					    'a',
					    'b',
					    VALUE_DICT,
					    1,
					    1,
					    VALUE_TRUE,
					    VALUE_LIST,
					    5,
					    1,
					    VALUE_FALSE,
					    VALUE_FLOAT,
					    0,
					    0,
					    0,
					    0,
					    0,
					    0,
					    0xf0,
					    0x3f,
					    VALUE_BYTES,
					    2,
					    0,
					    255 };
	/* an object at an address, with one attribute */
	static const uint8_t object_args[] = { VALUE_TUPLE, 1,    1,    VALUE_OBJECT_AT,
					       0x10,        0x20, 0x30, 0,
					       0,           0x7f, 0,    0,
					       6,           's',  'o',  'c',
					       'k',         'e',  't',  1,
					       2,           'f',  'd',  VALUE_INT,
					       10 };
	struct out o = { to, to };
	if (number >= 8 || cap < 4096)
		return 0;
	uint64_t version = number;
	put(&o, &version, 8);
	put_event(&o, "open", open_args, sizeof open_args, true);
	put_event(&o, "odd.values", odd_args, sizeof odd_args, false);
	put_event(&o, "unwanted", open_args, sizeof open_args, false);
	put_event(&o, "socket.connect", object_args, sizeof object_args, true);
	put_event(&o, "open", open_args, sizeof open_args, false);
	return (size_t)(o.p - o.start);
}
