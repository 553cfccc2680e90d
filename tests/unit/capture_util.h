/*
 * capture_util: captures for tests: values written by hand, a small capture with examples of
 * everything, a larger one made from a seed.
 */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "base/value.h"
#include "capture/writer.h"
#include "model/trace.h"

#define must(expr)                                                                                 \
	do {                                                                                       \
		struct err *err_ = (expr);                                                         \
		if (err_) {                                                                        \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, err_->message);         \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static inline void put_counted(struct strbuf *b, const char *s)
{
	strbuf_add_varint(b, strlen(s));
	strbuf_adds(b, s);
}

static inline void put_str(struct strbuf *b, const char *s)
{
	strbuf_addc(b, VALUE_STR);
	put_counted(b, s);
}

static inline void put_int(struct strbuf *b, int64_t v)
{
	strbuf_addc(b, VALUE_INT);
	strbuf_add_varint(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static inline void put_container(struct strbuf *b, enum value_tag tag, uint64_t full, uint64_t kept)
{
	strbuf_addc(b, (char)tag);
	strbuf_add_varint(b, full);
	strbuf_add_varint(b, kept);
}

static inline void put_object(struct strbuf *b, const char *type, uint64_t n_attrs)
{
	strbuf_addc(b, VALUE_OBJECT);
	put_counted(b, type);
	strbuf_add_varint(b, n_attrs);
}

static inline uint32_t add_string(struct writer *w, const char *s)
{
	return writer_string(w, s, strlen(s));
}

/* Add the Python frame file:line function on top of `parent`. */
static inline uint32_t add_frame(struct writer *w, uint32_t parent, const char *file,
				 const char *function, uint32_t line)
{
	struct frame_info f = { .kind = FRAME_PYTHON,
				.function = add_string(w, function),
				.file = add_string(w, file),
				.line = line,
				.first_line = 1 };
	return writer_stack(w, parent, writer_frame(w, &f));
}

static inline void add_event(struct writer *w, uint64_t time_ns, const char *name, uint32_t thread,
			     struct strbuf *args, uint32_t stack)
{
	struct event_info e = {
		.time_ns = time_ns, .name = add_string(w, name), .thread = thread, .stack = stack
	};
	if (args) {
		e.args = writer_value(w, args->s, args->n);
		strbuf_clear(args);
	}
	writer_event(w, &e);
}

static inline uint64_t test_random(uint64_t *state) /* splitmix64 */
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Write a capture of the same shape for every seed and n: open() with one of many paths, import
 * with a list, sometimes an object. */
static inline void write_random(struct writer *w, uint64_t n_events, uint64_t seed,
				uint32_t flush_every)
{
	struct strbuf b = { 0 };
	char text[64];
	put_container(&b, VALUE_LIST, 2, 2);
	put_str(&b, "/usr/lib/python3.11");
	put_str(&b, "/usr/lib/python3.11/site-packages");
	struct process_info p = { .pid = 41,
				  .ns_pid = 41,
				  .exit_status = -1,
				  .prefixes = writer_value(w, b.s, b.n),
				  .name = add_string(w, "app.py") };
	uint32_t process = writer_process(w, &p);
	for (uint32_t i = 0; i < 3; i++) {
		struct thread_info t = { .process = process, .tid = 41 + i };
		writer_thread(w, &t);
	}
	uint64_t state = seed, time_ns = 1000;
	for (uint64_t i = 0; i < n_events; i++) {
		uint64_t r = test_random(&state);
		time_ns += r % 50000;
		uint32_t thread = (uint32_t)(r >> 20) % 3;
		uint32_t stack = add_frame(w, 0, "/srv/app/main.py", "<module>",
					   1 + (uint32_t)(r >> 24) % 9);
		uint32_t depth = (uint32_t)(r >> 32) % 12;
		for (uint32_t d = 0; d < depth; d++) {
			snprintf(text, sizeof(text), "function_%u", d);
			stack = add_frame(
			    w, stack, d % 3 ? "/usr/lib/python3.11/pathlib.py" : "/srv/app/work.py",
			    text, 10 * d + (uint32_t)(r >> 40) % 3);
		}
		strbuf_clear(&b);
		if (r % 4 == 0) {
			uint64_t address = 0x7f0000000000u + (r >> 8) % 1000 * 16;
			put_container(&b, VALUE_TUPLE, 1, 1);
			put_object(&b, "code", 1);
			put_counted(&b, "name");
			put_str(&b, "work");
			struct event_info e = { .time_ns = time_ns,
						.name = add_string(w, "exec"),
						.thread = thread,
						.args = writer_value(w, b.s, b.n),
						.stack = stack,
						.n_objects = 1,
						.objects = &address,
						.flags = r & 1 };
			writer_event(w, &e);
		} else {
			snprintf(text, sizeof(text), "/srv/data/file_%u.txt",
				 (uint32_t)(r >> 44) % 700);
			put_container(&b, VALUE_TUPLE, 3, 3);
			put_str(&b, text);
			put_str(&b, "r");
			put_int(&b, 524288);
			add_event(w, time_ns, r % 4 == 1 ? "open" : "os.listdir", thread, &b,
				  stack);
		}
		if (flush_every && i % flush_every == flush_every - 1)
			must(writer_flush(w));
	}
	strbuf_fini(&b);
}

/* Begin a growing capture at `path`, and replace what was there before. */
static inline struct writer *test_writer(const char *path)
{
	struct writer *w;
	struct stat st;
	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
		unlink(path);
	struct writer_options o = { .wall_anchor_ns = 1790000000000000000u,
				    .creator = "test",
				    .host = "here" };
	must(writer_open(path, &o, &w));
	return w;
}

/* End the capture and open it; its file is removed. */
static inline struct trace *test_trace(struct writer *w, const char *path)
{
	struct trace *t;
	must(writer_close(w));
	must(trace_open(path, NULL, &t));
	unlink(path);
	return t;
}

/* Make a new name in the build's scratch folder; the file is not created. */
static inline const char *test_path(char *to, size_t cap, const char *what)
{
	const char *folder = getenv("TMPDIR");
	snprintf(to, cap, "%s/auditview-test-%d-%s.avc", folder ? folder : "/tmp", (int)getpid(),
		 what);
	return to;
}
