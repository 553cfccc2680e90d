/* What is written is read back completely; interning; notes, processes, threads; values; many small
 * blocks; following; memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/new_file.h"
#include "base/spool.h"
#include "capture_util.h"
#include "model/trace.h"
#include "model/value_iter.h"

static char path[256];

static void writes_and_reads(void **state)
{
	struct writer *w = test_writer(path);
	struct strbuf b = { 0 };
	uint32_t app = add_string(w, "app.py");
	assert_int_equal(app, add_string(w, "app.py"));
	assert_int_equal(writer_string(w, NULL, 0), 0);
	struct process_info p = { .pid = 41,
				  .ns_pid = 41,
				  .ppid = 40,
				  .python_hex = 0x030c01f0,
				  .name = app,
				  .exit_status = -1 };
	assert_int_equal(writer_process(w, &p), 0);
	struct thread_info th = { .process = 0, .tid = 41, .name = add_string(w, "MainThread") };
	assert_int_equal(writer_thread(w, &th), 0);
	th.tid = 42;
	assert_int_equal(writer_thread(w, &th), 1);
	uint32_t outer = add_frame(w, 0, "/srv/app.py", "<module>", 12);
	uint32_t inner = add_frame(w, outer, "/usr/lib/python3.12/json/__init__.py", "load", 293);
	assert_int_equal(inner,
			 add_frame(w, outer, "/usr/lib/python3.12/json/__init__.py", "load", 293));
	put_container(&b, VALUE_TUPLE, 3, 3);
	put_str(&b, "/etc/passwd");
	put_str(&b, "r");
	put_int(&b, -524288);
	add_event(w, 1000, "open", 0, &b, inner);
	struct note_info note = { .kind = NOTE_LOST, .time_ns = 1500, .a = 312, .b = 4100000 };
	writer_note(w, &note);
	uint64_t addresses[2] = { 0x7f5c0bfff6c0, 0x55aa };
	put_container(&b, VALUE_TUPLE, 2, 2);
	put_object(&b, "socket.socket", 1);
	put_counted(&b, "fd");
	put_int(&b, 5);
	put_object(&b, "object", 0);
	struct event_info e = { .time_ns = 900,
				.name = add_string(w, "socket.connect"),
				.thread = 1,
				.args = writer_value(w, b.s, b.n),
				.stack = outer,
				.flags = EVENT_ARGS_CUT,
				.n_objects = 2,
				.objects = addresses };
	writer_event(w, &e);
	assert_int_equal(writer_n_events(w), 2);
	p.exit_status = 256;
	p.end_ns = 5000;
	writer_process_update(w, 0, &p);
	must(writer_close(w));

	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	struct trace *t;
	must(trace_open(path, NULL, &t));
	assert_null(trace_damage(t));
	assert_true(trace_is_finished(t));
	assert_string_equal(trace_about_get(t)->creator, "test");
	assert_string_equal(trace_about_get(t)->host, "here");
	assert_int_equal(trace_about_get(t)->first_ns, 900);
	assert_int_equal(trace_about_get(t)->last_ns, 1000);
	assert_int_equal(trace_n_events(t), 2);
	assert_int_equal(trace_n_names(t), 2);
	uint32_t open_name = trace_name_find(t, "open", 4);
	assert_int_equal(trace_count_by_name(t)[open_name], 1);
	assert_int_equal(trace_count_by_thread(t)[1], 1);
	assert_int_equal(trace_process(t, 0)->exit_status, 256);
	assert_int_equal(trace_n_lost(t), 312);
	assert_int_equal(trace_note_get(t, 0)->seq, 1);
	struct event ev;
	assert_true(trace_event(t, 0, &ev));
	assert_int_equal(ev.time_ns, 1000);
	assert_string_equal(trace_name(t, ev.name, NULL), "open");
	assert_int_equal(trace_stack_depth(t, ev.stack), 2);
	struct frame_info f;
	assert_true(trace_frame(t, trace_caller(t, ev.stack), &f));
	assert_int_equal(f.line, 12);
	assert_false(trace_event(t, 2, &ev));
	assert_true(trace_event(t, 1, &ev));
	assert_int_equal(ev.time_ns, 900);
	assert_int_equal(ev.flags, EVENT_ARGS_CUT);
	uint32_t n_objects;
	const uint64_t *objects = trace_event_objects(t, 1, &n_objects);
	assert_int_equal(n_objects, 2);
	struct value_iter it;
	struct value_node n;
	value_iter_init(&it, t, ev.args, objects, n_objects);
	static const struct {
		enum value_tag tag;
		int depth;
		uint64_t address;
	} expected[] = { { VALUE_TUPLE, 0, 0 },
			 { VALUE_OBJECT, 1, 0x7f5c0bfff6c0 },
			 { VALUE_INT, 2, 0 },
			 { VALUE_OBJECT, 1, 0x55aa } };
	for (size_t i = 0; i < 4; i++) {
		assert_true(value_iter_next(&it, &n));
		assert_int_equal(n.tag, expected[i].tag);
		assert_int_equal(n.depth, expected[i].depth);
		assert_int_equal(n.address, expected[i].address);
		if (n.tag == VALUE_INT) {
			assert_int_equal(n.i, 5);
			assert_memory_equal(n.attr, "fd", 2);
		}
	}
	assert_false(value_iter_next(&it, &n));
	assert_false(value_iter_failed(&it));
	trace_close(t);
	strbuf_fini(&b);
}

/* The same events, whatever the size of the blocks; a sum over everything is compared with the one
 * made while writing. */
static void blocks_of_any_size(void **state)
{
	static const uint32_t flush_every[] = { 0, 1, 7, 1000, 16384, 20000 };
	uint64_t sums[ARRAY_LEN(flush_every)] = { 0 };
	for (size_t k = 0; k < ARRAY_LEN(flush_every); k++) {
		uint64_t n_events = flush_every[k] == 1 ? 3000 : 40000;
		struct writer *w = test_writer(path);
		write_random(w, n_events, 7, flush_every[k]);
		must(writer_close(w));
		struct trace *t;
		struct trace_options o = { .cache_bytes = 1 };
		must(trace_open(path, &o, &t));
		assert_int_equal(trace_n_events(t), n_events);
		assert_null(trace_damage(t));
		uint64_t count = 0, last_ns = 0;
		for (uint32_t name = 1; name <= trace_n_names(t); name++)
			count += trace_count_by_name(t)[name];
		assert_int_equal(count, n_events);
		for (uint64_t seq = 0; seq < n_events; seq++) {
			struct event e;
			assert_true(trace_event(t, seq, &e));
			assert_true(e.time_ns >= last_ns && e.name && e.args && e.stack);
			last_ns = e.time_ns;
			uint32_t n_objects;
			const uint64_t *objects = trace_event_objects(t, seq, &n_objects);
			bool is_exec = strcmp(trace_name(t, e.name, NULL), "exec") == 0;
			assert_int_equal(n_objects, is_exec ? 1 : 0);
			if (seq < 3000)
				sums[k] = sums[k] * 31 + e.time_ns + e.args * 7u + e.stack * 3u +
					  e.thread + e.flags + (n_objects ? objects[0] : 0) +
					  trace_stack_depth(t, e.stack);
			if (seq % 4096 == 0)
				trace_trim(t);
		}
		assert_int_equal(trace_seq_at(t, last_ns + 1), n_events);
		double done;
		must(trace_load(t, UINT64_MAX, &done));
		assert_true(done == 1.0);
		assert_null(trace_damage(t));
		trace_close(t);
		assert_int_equal(sums[k], sums[0]);
	}
}

static void follows(void **state)
{
	struct writer *w = test_writer(path);
	must(writer_flush(w));
	struct trace *t;
	struct trace_change change;
	must(trace_open(path, NULL, &t));
	assert_int_equal(trace_n_events(t), 0);
	uint64_t seen = 0;
	for (int round = 0; round < 40; round++) {
		write_random(w, 1000, (uint64_t)round, 0);
		must(writer_flush(w));
		must(trace_refresh(t, &change));
		assert_int_equal(change.first_seq, seen);
		assert_int_equal(change.n_events, 1000);
		assert_true(change.processes);
		assert_false(change.finished);
		for (uint64_t i = 0; i < change.n_events; i++) {
			struct event e;
			assert_true(trace_event(t, seen + i, &e));
			assert_true(e.name != 0);
		}
		seen += change.n_events;
	}
	must(trace_refresh(t, &change));
	assert_int_equal(change.n_events, 0);
	must(writer_close(w));
	must(trace_refresh(t, &change));
	assert_true(change.finished);
	assert_null(trace_damage(t));
	trace_close(t);
}

/* A file is opened when a part of it is there, and the rest comes at once: what it says about
 * itself is as complete as in the whole file. */
static void comes_in_two_parts(void **state)
{
	char text[200 * 1024], part[300];
	struct writer *w = test_writer(path);
	write_random(w, 50, 1, 0);
	must(writer_close(w));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text)), n_opened = 0;
	assert_true(n > 0 && n < (ssize_t)sizeof(text));
	close(fd);
	snprintf(part, sizeof(part), "%s.part", path);
	for (ssize_t first = 0; first < n; first += first < 512 ? 1 : 97) {
		struct trace *t;
		struct trace_change change;
		fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		assert_int_equal(write(fd, text, (size_t)first), first);
		struct err *err = trace_open(part, NULL, &t);
		assert_int_equal(write(fd, text + first, (size_t)(n - first)), n - first);
		close(fd);
		if (err) { /* not even the header is there */
			err_destroy(err);
			continue;
		}
		n_opened++;
		must(trace_refresh(t, &change));
		const struct trace_about *about = trace_about_get(t);
		assert_true(change.finished && about->finished);
		assert_string_equal(about->host, "here");
		assert_string_equal(about->creator, "test");
		assert_int_equal(about->file_bytes, n);
		trace_close(t);
	}
	assert_true(n_opened > 100);
	unlink(part);
}

/* Every tag, containers in containers (which the writer takes apart), and values that must be
 * rejected. */
static void values(void **state)
{
	struct writer *w = test_writer(path);
	struct strbuf b = { 0 };
	put_container(&b, VALUE_TUPLE, 2, 2);
	put_container(&b, VALUE_LIST, 100, 3);
	put_str(&b, "/a/rather/long/path/of/sys.path");
	put_container(&b, VALUE_DICT, 1, 1);
	put_str(&b, "key which is long enough to be split");
	put_int(&b, INT64_MIN);
	strbuf_addc(&b, VALUE_NONE);
	put_str(&b, "after");
	uint32_t id = writer_value(w, b.s, b.n), again = writer_value(w, b.s, b.n);
	assert_int_equal(id, again);
	assert_int_equal(id, 3); /* the dict, the list, the tuple */
	/* a value that refers to itself, to a later one, and too deep a chain */
	uint8_t self[] = { VALUE_TUPLE, 1, 1, VALUE_REF, 4 };
	assert_int_equal(writer_value(w, self, sizeof(self)), 4);
	uint32_t chain = id;
	for (int i = 0; i < 40; i++) {
		uint8_t next[] = { VALUE_TUPLE,   2, 2, VALUE_REF, (uint8_t)chain, VALUE_REF,
				   (uint8_t)chain };
		chain = writer_value(w, next, sizeof(next));
	}
	struct process_info p = { .pid = 1, .argv = id, .environ = 4, .prefixes = chain };
	writer_process(w, &p);
	must(writer_close(w));
	struct trace *t;
	must(trace_open(path, NULL, &t));
	struct value_iter it;
	struct value_node n;
	static const enum value_tag tags[] = { VALUE_TUPLE, VALUE_LIST, VALUE_STR,  VALUE_DICT,
					       VALUE_STR,   VALUE_INT,  VALUE_NONE, VALUE_STR };
	static const int depths[] = { 0, 1, 2, 2, 3, 3, 2, 1 };
	value_iter_init(&it, t, id, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		assert_true(value_iter_next(&it, &n));
		assert_int_equal(n.tag, tags[i]);
		assert_int_equal(n.depth, depths[i]);
		assert_int_equal(n.is_key, i == 4);
		if (i == 1)
			assert_true(n.full == 100 && n.n_children == 3);
	}
	assert_false(value_iter_next(&it, &n));
	value_iter_init(&it, t, id, NULL, 0);
	assert_true(value_iter_next(&it, &n) && value_iter_next(&it, &n));
	value_iter_skip(&it, &n);
	assert_true(value_iter_next(&it, &n));
	assert_memory_equal(n.bytes, "after", 5);
	assert_false(value_iter_failed(&it));
	static const uint32_t hostile[] = { 4, 44 };
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		uint64_t n_nodes = 0;
		value_iter_init(&it, t, hostile[i], NULL, 0);
		while (value_iter_next(&it, &n))
			n_nodes++;
		assert_true(value_iter_failed(&it));
		assert_in_range(n_nodes, 1, VALUE_ITER_NODES + 1);
	}
	value_iter_init(&it, t, 0, NULL, 0);
	assert_false(value_iter_next(&it, &n));
	trace_close(t);
	strbuf_fini(&b);
}

static void refuses(void **state)
{
	static const struct {
		const char *content;
		size_t n;
		enum err_code code;
		const char *says;
	} rows[] = {
		{ "", 0, ERR_CORRUPT, "empty" },
		{ "PK\3\4 and more, not a capture at all, but long enough to be one of them", 70,
		  ERR_CORRUPT, "not a capture" },
		{ "\x89"
		  "AVC\r\n\x1a\n",
		  8, ERR_CORRUPT, "cut short" },
	};
	struct trace *t = NULL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		FILE *f = fopen(path, "w");
		fwrite(rows[i].content, 1, rows[i].n, f);
		fclose(f);
		struct err *err = trace_open(path, NULL, &t);
		assert_non_null(err);
		assert_int_equal(err->code, rows[i].code);
		assert_non_null(strstr(err->message, rows[i].says));
		err_destroy(err);
	}
	unlink(path);
	struct err *err = trace_open(path, NULL, &t);
	assert_int_equal(err->code, ERR_NOT_FOUND);
	err_destroy(err);
	err = trace_open("/", NULL, &t);
	assert_non_null(err);
	err_destroy(err);
}

/* A process that writes a capture into a pipe. It flushes what it has, waits for a byte through
 * `go`, and goes on; with is_killed it dies then. */
static pid_t pipe_writer(int to[2], int go[2], bool is_killed)
{
	char name[64], byte;
	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(go), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(to[0]);
		snprintf(name, sizeof(name), "/proc/self/fd/%d", to[1]);
		struct writer *w = test_writer(name);
		write_random(w, 20000, 4, 1000);
		must(writer_flush(w));
		if (read(go[0], &byte, 1) != 1 || is_killed)
			_exit(0);
		write_random(w, 20000, 4, 1000);
		must(writer_close(w));
		_exit(0);
	}
	close(to[1]);
	close(go[0]);
	return pid;
}

static void read_until(struct trace *t, uint64_t n_events)
{
	struct trace_change change;
	for (int i = 0; i < 1000 && trace_n_events(t) < n_events; i++) {
		trace_wait(t, 100);
		must(trace_refresh(t, &change));
	}
	assert_int_equal(trace_n_events(t), n_events);
}

/* A capture through a pipe is read while it is written, and its end is noticed. */
static void pipes(void **state)
{
	for (int is_killed = 0; is_killed < 2; is_killed++) {
		int to[2], go[2];
		struct trace *t;
		pid_t pid = pipe_writer(to, go, is_killed);
		assert_int_equal(spool_peek(to[0]), 0x89);
		must(trace_open_fd(to[0], "pipe", NULL, &t));
		assert_true(trace_is_stream(t));
		read_until(t, 20000);
		assert_false(trace_is_over(t));
		assert_null(trace_damage(t));
		assert_int_equal(write(go[1], "", 1), 1);
		must(trace_read_whole(t));
		assert_true(trace_is_over(t));
		assert_int_equal(trace_n_events(t), is_killed ? 20000 : 40000);
		assert_int_equal(trace_is_finished(t), !is_killed);
		if (is_killed)
			assert_non_null(strstr(trace_damage(t), "it ended before"));
		else
			assert_null(trace_damage(t));
		trace_close(t);
		close(go[1]);
		waitpid(pid, NULL, 0);
	}
}

/* Nobody reads: the writer does not wait, tells how much is waiting, and gives up when it is told
 * to. */
static bool give_up(void *ctx, int fd)
{
	return ++*(int *)ctx < 3;
}

static void a_reader_that_does_not_read(void **state)
{
	int ends[2], n_asked = 0;
	char name[64];
	struct new_file *file;
	struct writer *w;
	assert_int_equal(pipe(ends), 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", ends[1]);
	must(new_file_open(name, NEW_FILE_GROWS, &file));
	struct writer_options options = { .wait = { give_up, &n_asked } };
	must(writer_open_file(file, &options, &w));
	write_random(w, 100000, 4, 1000);
	must(writer_flush(w));
	assert_true(writer_n_waiting(w) > 100000);
	assert_true(writer_stream_fd(w) >= 0);
	struct err *err = writer_close(w);
	assert_int_equal(n_asked, 3);
	assert_non_null(strstr(err->message, "did not take the last"));
	err_destroy(err);
	close(ends[0]);
	close(ends[1]);
}

static size_t heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();
	return m.uordblks + m.hblkhd;
}

/* Add an event whose path and list depend on `n`, and whose stack has as many frames of its own. */
/* A lease of another process (fcntl(2), F_SETLEASE) makes open(2) wait for 45 s. */
static void a_lease_is_not_waited_for(void **state)
{
	struct writer *w = test_writer(path);
	must(writer_close(w));
	signal(SIGIO, SIG_IGN); /* tells the holder that somebody wants to open the file */
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	if (fcntl(fd, F_SETLEASE, F_WRLCK) != 0) {
		print_message("no lease on %s: %s\n", path, strerror(errno));
		close(fd);
		skip();
	}
	struct trace *t = NULL;
	struct err *err = trace_open(path, NULL, &t);
	close(fd);
	assert_non_null(err);
	assert_int_equal(err->sys, EWOULDBLOCK);
	err_destroy(err);
	must(trace_open(path, NULL, &t));
	trace_close(t);
}

static void add_numbered(struct writer *w, uint64_t time_ns, uint32_t n)
{
	char text[64];
	struct strbuf b = { 0 };
	uint32_t stack = 0;
	snprintf(text, sizeof(text), "/var/spool/jobs/incoming/%08u", n);
	put_container(&b, VALUE_TUPLE, 2, 2);
	put_str(&b, text);
	put_container(&b, VALUE_LIST, 2, 2);
	put_str(&b, text);
	put_str(&b, "in a list long enough to be an entry of its own");
	/* a number in base 64: few frames, as many stacks as numbers */
	for (unsigned i = 0; i < 4; i++)
		stack = add_frame(w, stack, "/srv/app.py", "step", 1 + 64 * i + (n >> 6 * i) % 64);
	add_event(w, time_ns, "open", 0, &b, stack);
	strbuf_fini(&b);
}

static void assert_numbered(struct trace *t, uint64_t seq, uint32_t n)
{
	struct event e;
	struct value_iter it;
	struct value_node node;
	char text[64];
	unsigned n_found = 0;
	assert_true(trace_event(t, seq, &e));
	snprintf(text, sizeof(text), "/var/spool/jobs/incoming/%08u", n);
	value_iter_init(&it, t, e.args, NULL, 0);
	while (value_iter_next(&it, &node))
		n_found += node.tag == VALUE_STR && node.n_bytes == strlen(text) &&
			   !memcmp(node.bytes, text, node.n_bytes);
	assert_int_equal(n_found, 2);
	assert_int_equal(trace_stack_depth(t, e.stack), 4);
	for (unsigned i = 4; i-- > 0;) {
		struct frame_info f;
		uint32_t frame;
		assert_true(trace_stack(t, e.stack, &e.stack, &frame));
		assert_true(trace_frame(t, frame, &f));
		assert_int_equal(f.line, 1 + 64 * i + (n >> 6 * i) % 64);
	}
}

/* However long a session lasts and whatever is recorded, the writer's memory has a bound, and
 * everything is read back correctly. */
static void remembers_no_more_than_it_must(void **state)
{
	enum { N = 400000, QUARTER = N / 4 };
	struct writer *w = test_writer(path);
	size_t bytes[4];
	for (uint32_t n = 0; n < N; n++) {
		add_numbered(w, n, n % 100 == 99 ? 7777777 : n);
		if (n % QUARTER == QUARTER - 1)
			bytes[n / QUARTER] = heap_bytes();
	}
	add_numbered(w, N, 0); /* forgotten long ago */
	assert_true(bytes[0] < 40u << 20);
	/* (a sanitizer's allocator returns 0 for all) */
	assert_true(bytes[3] <= bytes[1] + (1u << 20));
	must(writer_close(w));
	struct trace *t;
	must(trace_open(path, NULL, &t));
	assert_int_equal(trace_n_events(t), N + 1);
	assert_int_equal(trace_n_frames(t), 3 * 64 + 3); /* no frame is written twice */
	struct event first, last, hot[2];
	assert_true(trace_event(t, 0, &first) && trace_event(t, N, &last));
	assert_true(trace_event(t, 99, &hot[0]) && trace_event(t, N - 1, &hot[1]));
	assert_true(first.args != last.args && first.stack != last.stack);
	assert_true(hot[0].args == hot[1].args && hot[0].stack == hot[1].stack);
	for (uint32_t n = 0; n < N; n += 1 + n % 997) {
		assert_numbered(t, n, n % 100 == 99 ? 7777777 : n);
		trace_trim(t);
	}
	assert_numbered(t, N, 0);
	trace_destroy(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_and_reads),
		cmocka_unit_test(blocks_of_any_size),
		cmocka_unit_test(follows),
		cmocka_unit_test(comes_in_two_parts),
		cmocka_unit_test(values),
		cmocka_unit_test(refuses),
		cmocka_unit_test(pipes),
		cmocka_unit_test(a_reader_that_does_not_read),
		cmocka_unit_test(a_lease_is_not_waited_for),
		cmocka_unit_test(remembers_no_more_than_it_must),
	};
	test_path(path, sizeof(path), "capture");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
