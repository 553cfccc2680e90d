/*
 * fuzz_capture_seed: captures as the writer makes them, for the targets whose input is a capture.
 */
#pragma once
#include "tests/unit/capture_util.h"

static inline uint32_t add_pairs(struct writer *w, enum value_tag tag, const char *const *texts,
				 uint64_t n)
{
	struct strbuf b = { 0 };
	put_container(&b, tag, n + 1, n); /* one more was cut */
	for (uint64_t i = 0; i < n * (tag == VALUE_DICT ? 2 : 1); i++)
		put_str(&b, texts[i]);
	uint32_t id = writer_value(w, b.s, b.n);
	strbuf_fini(&b);
	return id;
}

/* A task for which two wait, of five of which the names are known; or something else. */
static inline uint32_t write_task(struct writer *w, bool is_malformed)
{
	static const uint8_t task[] = { VALUE_LIST, 3,   3,          VALUE_STR, 1,  'j',
					VALUE_INT,  6,   VALUE_LIST, 5,         2,  VALUE_STR,
					1,          'm', VALUE_STR,  1,         'n' };
	uint8_t bytes[sizeof(task)];
	memcpy(bytes, task, sizeof(task));
	bytes[6] = is_malformed ? VALUE_BIGINT : VALUE_INT;
	return writer_value(w, bytes, sizeof(bytes));
}

/* Write a process with all that can be known of it, its thread, and a note of each kind, with it
 * and without a process. */
static inline void write_process(struct writer *w, uint64_t time_ns, bool has_ended)
{
	static const char *const argv[] = { "python3", "-m", "app", "--name=\xc3\xa4" },
				 *const variables[] = { "PATH",    "/usr/bin",       "LANG",
							"C.UTF-8", "PYTHONHASHSEED", "0" };
	/* [["lib", "1", "-", "/srv/"]] */
	static const uint8_t packages[] = { VALUE_LIST, 1,   1,         VALUE_LIST, 4,   4,
					    VALUE_STR,  3,   'l',       'i',        'b', VALUE_STR,
					    1,          '1', VALUE_STR, 1,          '-', VALUE_STR,
					    5,          '/', 's',       'r',        'v', '/' };
	struct process_info p = { .pid = 42,
				  .ns_pid = 2,
				  .ppid = 41,
				  .python_hex = 0x030c01f0,
				  .python = add_string(w, "3.12.1"),
				  .exe = add_string(w, "/usr/bin/python3"),
				  .cwd = add_string(w, "/srv"),
				  .name = add_string(w, "-m app"),
				  .argv = add_pairs(w, VALUE_LIST, argv, 4),
				  .environ = add_pairs(w, VALUE_DICT, variables, 3),
				  .prefixes = add_pairs(w, VALUE_LIST, variables + 1, 1),
				  .packages = writer_value(w, packages, sizeof(packages)),
				  .project = add_string(w, "/srv/app"),
				  .start_ns = time_ns,
				  .exit_status = -1,
				  .flags = PROCESS_FORKED | PROCESS_OTHER_FILES };
	uint32_t process = writer_process(w, &p);
	struct thread_info t = { .process = process,
				 .tid = 43,
				 .interpreter = 1,
				 .name = add_string(w, "worker"),
				 .ns_tid = 3 };
	uint32_t thread = writer_thread(w, &t);
	for (unsigned kind = 0; kind < NOTE_KIND_COUNT; kind++) {
		struct note_info n = { .kind = (enum note_kind)kind,
				       .time_ns = time_ns + kind,
				       .process = kind % 3 ? process : UINT32_MAX,
				       .text = kind % 2 ? add_string(w, "what there is to say") : 0,
				       .a = kind * 256u,
				       .b = kind };
		writer_note(w, &n);
	}
	add_event(w, time_ns + 100, "os.fork", thread, NULL, 0);
	/* os.rename(src, dst, src_dir_fd, dst_dir_fd), of which one descriptor is known; and the
	 * same by the names of its arguments */
	static const uint8_t args[] = { VALUE_TUPLE, 4,         4, VALUE_STR, 1, 'a', VALUE_STR, 1,
					'b',         VALUE_INT, 6, VALUE_INT, 8 },
			     list[] = { VALUE_LIST, 4, 4,   VALUE_NONE, VALUE_NONE, VALUE_NONE,
					VALUE_STR,  4, '/', 's',        'r',        'v' };
	static const char *const named[] = { "src_dir_fd", "/srv", "dst_dir_fd", "pipe:[1]" };
	for (unsigned i = 0; i < 2; i++) {
		struct event_info e = { .time_ns = time_ns + 101 + i,
					.name = add_string(w, "os.rename"),
					.thread = thread,
					.args = writer_value(w, args, sizeof(args)) };
		e.task = write_task(w, i);
		e.descriptors = i ? add_pairs(w, VALUE_DICT, named, 2)
				  : writer_value(w, list, sizeof(list));
		writer_event(w, &e);
	}
	if (has_ended) {
		p.end_ns = time_ns + 200;
		p.exit_status = 256;
		p.n_events = 1;
		p.n_lost = 7;
		writer_process_update(w, process, &p);
		t.name = add_string(w, "renamed");
		writer_thread_update(w, thread, &t);
	}
}

/* Make a capture as the writer does: few events uncompressed, more events compressed in several
 * flushes, one without its end. */
static inline size_t capture_seed(unsigned number, uint8_t *to, size_t cap)
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
	struct writer_options o = { .wall_anchor_ns = 1790000000000000000u,
				    .creator = "fuzz",
				    .no_compress = kinds[number].no_compress };
	test_path(path, sizeof path, "fuzz");
	must(writer_open(path, &o, &w));
	write_process(w, 5, false);
	write_random(w, kinds[number].n_events, number + 1, kinds[number].flush_every);
	write_process(w, 20000000, true);
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
