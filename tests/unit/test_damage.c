/*
 * Captures that are truncated, damaged, forged, still being written, or on a full disk: the reader
 * shows all complete blocks or a clear error, and never crashes, hangs or uses unbounded memory.
 * What it shows of a damaged file is right or blank, never wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "capture_util.h"
#include "capture_walk.h"
#include "heap.h"

static char path[256], other_path[256];

struct bytes {
	uint8_t *p;
	size_t n;
};

static struct bytes file_read(const char *name)
{
	struct bytes b = { 0 };
	FILE *f = fopen(name, "rb");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	b.n = (size_t)ftell(f);
	b.p = malloc(b.n + 1);
	rewind(f);
	assert_int_equal(fread(b.p, 1, b.n, f), b.n);
	fclose(f);
	return b;
}

/* Make a file in memory with these bytes. */
static int memory_file(const void *p, size_t n)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	return fd;
}

/* The content of the undamaged file, to compare with. */
struct truth {
	struct event *events;
	uint64_t n;
};

static struct truth truth_of(const char *name)
{
	struct trace *t;
	must(trace_open(name, NULL, &t));
	struct truth truth = { calloc(trace_n_events(t) + 1, sizeof(struct event)),
			       trace_n_events(t) };
	for (uint64_t i = 0; i < truth.n; i++)
		assert_true(trace_event(t, i, &truth.events[i]));
	trace_close(t);
	return truth;
}

/* Open, and compare every `every`-th row: it must be right or blank. Returns how many events there
 * are; errors must have a message. */
static uint64_t check(const uint8_t *p, size_t n, const struct truth *truth, uint64_t every,
		      uint64_t *ret_blank)
{
	struct trace *t;
	struct err *err = trace_open_fd(memory_file(p, n), "test.avc", NULL, &t);
	*ret_blank = 0;
	if (err) {
		assert_true(strlen(err->message) > 10 && strstr(err->message, "test.avc"));
		err_destroy(err);
		return 0;
	}
	uint64_t n_events = trace_n_events(t);
	for (uint64_t i = 0; i < n_events; i += every) {
		struct event e;
		assert_true(trace_event(t, i, &e));
		if (e.name == 0 || i >= truth->n) {
			++*ret_blank;
			continue;
		}
		const struct event *real = &truth->events[i];
		if (e.time_ns != real->time_ns || e.name != real->name ||
		    e.thread != real->thread || e.flags != real->flags ||
		    (e.args && e.args != real->args) || (e.stack && e.stack != real->stack))
			fail_msg("row %llu is wrong", (unsigned long long)i);
	}
	if (*ret_blank)
		assert_non_null(trace_damage(t));
	if (n_events != truth->n)
		assert_true(trace_damage(t) || !trace_is_finished(t));
	trace_close(t);
	return n_events;
}

static uint64_t file_n_bytes(const char *name)
{
	struct stat st;
	assert_int_equal(stat(name, &st), 0);
	return (uint64_t)st.st_size;
}

static void cut_at_every_byte(void **state)
{
	struct writer *w = test_writer(path);
	uint64_t sizes[12], n_events[12];
	for (int i = 0; i < 12; i++) {
		write_random(w, 9, (uint64_t)i, 0);
		must(writer_flush(w));
		sizes[i] = file_n_bytes(path);
		n_events[i] = writer_n_events(w);
	}
	must(writer_close(w));
	struct truth truth = truth_of(path);
	struct bytes file = file_read(path);
	int flushed = -1;
	for (size_t n = 0; n <= file.n; n++) {
		uint64_t blank;
		while (flushed + 1 < 12 && sizes[flushed + 1] <= n)
			flushed++;
		uint64_t got = check(file.p, n, &truth, 1, &blank);
		assert_int_equal(blank, 0);
		assert_true(got == (flushed < 0 ? 0 : n_events[flushed]) ||
			    (flushed + 1 < 12 && got == n_events[flushed + 1]));
	}
	free(file.p);
	free(truth.events);
}

static void big_write(bool no_compress)
{
	struct writer *w;
	struct writer_options o = { .creator = "test", .no_compress = no_compress };
	must(writer_open(path, &o, &w));
	write_random(w, 20000, 5, 700);
	must(writer_close(w));
}

static void cut_at_random(void **state)
{
	big_write(false);
	struct truth truth = truth_of(path);
	struct bytes file = file_read(path);
	uint64_t seed = 1, before = 0;
	for (int i = 0; i < 1000; i++) {
		uint64_t blank, n = test_random(&seed) % file.n;
		uint64_t got = check(file.p, n, &truth, 97, &blank);
		assert_int_equal(blank, 0);
		assert_true(got <= truth.n && got + 1500 >= truth.n * n / file.n / 2);
		before = got > before ? got : before;
	}
	assert_true(before > truth.n / 2);
	free(file.p);
	free(truth.events);
}

static size_t mutate(uint8_t *p, size_t n, uint64_t *seed)
{
	uint64_t r = test_random(seed);
	size_t at = test_random(seed) % n, length = 1 + test_random(seed) % 64;
	length = length < n - at ? length : n - at;
	switch (r % 8) {
	case 0: memset(p + at, 0, length); break;
	case 1: memset(p + at, 0xff, length); break;
	case 2: memmove(p + at, p + test_random(seed) % (n - length + 1), length); break;
	case 3: /* a piece is missing */
		memmove(p + at, p + at + length, n - at - length);
		return n - length;
	case 4: /* a page of another file */
		length = n - at < 4096 ? n - at : 4096;
		for (size_t i = 0; i < length; i++)
			p[at + i] = (uint8_t)(i * 31 + r);
		break;
	default:
		for (uint64_t i = 0; i < 1 + r % 5; i++)
			p[test_random(seed) % n] ^= (uint8_t)(1u << (test_random(seed) % 8));
	}
	return n;
}

/* AUDITVIEW_TEST_ROUNDS=10000 for a long run. */
static int n_rounds(int usual)
{
	const char *s = getenv("AUDITVIEW_TEST_ROUNDS");
	return s ? atoi(s) : usual;
}

static uint64_t cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void damaged_at_random(void **state)
{
	big_write(false);
	struct truth truth = truth_of(path);
	struct bytes file = file_read(path);
	uint8_t *copy = malloc(file.n);
	uint64_t seed = 2, most = 0, recovered = 0;
	int rounds = n_rounds(2500);
	for (int i = 0; i < rounds; i++) {
		uint64_t blank, start_ns = cpu_ns();
		memcpy(copy, file.p, file.n);
		size_t n = mutate(copy, file.n, &seed);
		recovered += check(copy, n, &truth, 331, &blank) - blank * 331 > truth.n / 2;
		most = cpu_ns() - start_ns > most ? cpu_ns() - start_ns : most;
	}
	/* one damaged place costs a block, not the file */
	assert_true(recovered > (uint64_t)rounds * 9 / 10);
	assert_true(most < 2000000000u);
	free(copy);
	free(file.p);
	free(truth.events);
}

/* The same, but every checksum is right: the contents of the blocks are false. */
static void lies(void **state)
{
	struct writer *w;
	struct writer_options o = { .creator = "test", .no_compress = true };
	must(writer_open(path, &o, &w));
	write_random(w, 400, 5, 100);
	must(writer_close(w));
	struct bytes file = file_read(path);
	uint8_t *copy = malloc(file.n);
	uint64_t seed = 3, most = 0;
	int rounds = n_rounds(2500) / 4;
	size_t heap_before = heap_n_bytes();
	for (int i = 0; i < rounds; i++) {
		uint64_t start_ns = cpu_ns();
		struct trace *t;
		struct trace_options options = { .cache_bytes = 1u << 20, .load_bytes = 64u << 20 };
		memcpy(copy, file.p, file.n);
		size_t n = file.n;
		for (uint64_t k = 0; k < 1 + test_random(&seed) % 3; k++)
			n = mutate(copy, n, &seed);
		capture_reseal(copy, n);
		struct err *err = trace_open_fd(memory_file(copy, n), "test.avc", &options, &t);
		if (err) {
			err_destroy(err);
			continue;
		}
		double done;
		capture_walk(t, 500);
		if (trace_n_events(t) < 100000)
			capture_analyse(t);
		err_destroy(trace_load(t, 50000000, &done));
		assert_true(heap_n_bytes() < heap_before + (512u << 20));
		trace_close(t);
		most = cpu_ns() - start_ns > most ? cpu_ns() - start_ns : most;
	}
	assert_true(most < 5000000000u);
	free(copy);
	free(file.p);
}

/* A process writes and is killed at some moment; another process reads meanwhile. Every event is
 * read once, and what was flushed stays. */
static void writer_killed(void **state)
{
	uint64_t seed = 99;
	for (int round = 0; round < 12; round++) {
		unlink(path);
		struct writer *whole = test_writer(other_path);
		write_random(whole, 30000, (uint64_t)round, 0);
		must(writer_close(whole));
		struct truth truth = truth_of(other_path);
		int started[2];
		assert_int_equal(pipe(started), 0);
		pid_t pid = fork();
		if (pid == 0) {
			struct writer *w = test_writer(path);
			must(writer_flush(w));
			if (write(started[1], "s", 1) != 1)
				_exit(1);
			write_random(w, 30000, (uint64_t)round, 50 + (uint32_t)round * 37);
			for (;;)
				pause();
		}
		char c;
		assert_int_equal(read(started[0], &c, 1), 1);
		close(started[0]);
		close(started[1]);
		struct trace *t;
		struct trace_change change;
		must(trace_open(path, NULL, &t));
		uint64_t seen = trace_n_events(t),
			 deadline = 2000000 + test_random(&seed) % 60000000;
		struct timespec start, now;
		clock_gettime(CLOCK_MONOTONIC, &start);
		bool killed = false;
		for (;;) {
			must(trace_refresh(t, &change));
			assert_int_equal(change.first_seq, seen);
			for (uint64_t i = 0; i < change.n_events; i++) {
				struct event e;
				assert_true(trace_event(t, seen + i, &e));
				assert_int_equal(e.time_ns, truth.events[seen + i].time_ns);
				assert_true(e.name && e.stack && e.args);
			}
			seen += change.n_events;
			assert_false(change.finished);
			if (killed && change.n_events == 0)
				break;
			clock_gettime(CLOCK_MONOTONIC, &now);
			uint64_t passed = (uint64_t)(now.tv_sec - start.tv_sec) * 1000000000u +
					  (uint64_t)(now.tv_nsec - start.tv_nsec);
			if (!killed && passed > deadline) {
				kill(pid, SIGKILL);
				waitpid(pid, NULL, 0);
				killed = true;
			}
		}
		struct trace *again;
		must(trace_open(path, NULL, &again));
		assert_int_equal(trace_n_events(again), seen);
		assert_int_equal(trace_n_events(t), seen);
		trace_close(again);
		trace_close(t);
		free(truth.events);
	}
	unlink(other_path);
}

/* In a child with a limit on file size: the error is reported once, what was flushed is kept, and
 * nothing is reported afterwards. */
static void disk_full(void **state)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit limit = { 200000, 200000 };
		setrlimit(RLIMIT_FSIZE, &limit);
		struct writer *w = test_writer(path);
		int n_errors = 0;
		bool hinted = false;
		for (int i = 0; i < 60; i++) {
			write_random(w, 1000, (uint64_t)i, 0);
			struct err *err = writer_flush(w);
			if (err) {
				n_errors++;
				hinted = err->hint && strstr(err->hint, "kept") &&
					 strstr(err->message, path);
				err_destroy(err);
			}
		}
		bool broken = writer_is_broken(w);
		struct err *err = writer_close(w);
		_exit(n_errors == 1 && hinted && broken && !err ? 0 : 1);
	}
	int status;
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	struct trace *t;
	must(trace_open(path, NULL, &t));
	assert_true(trace_n_events(t) >= 3000);
	assert_null(trace_damage(t)); /* the half-written block was taken back */
	struct event e;
	assert_true(trace_event(t, trace_n_events(t) - 1, &e) && e.name);
	trace_close(t);
}

/* A real disk that is full: a small tmpfs in a mount namespace of the child. Only root can make
 * one. */
static void small_disk(void **state)
{
	char folder[] = "/tmp/auditview-disk-XXXXXX", name[64];
	assert_non_null(mkdtemp(folder));
	snprintf(name, sizeof(name), "%s/x.avc", folder);
	pid_t pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) != 0 ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		    mount("auditview", folder, "tmpfs", 0, "size=256k") != 0)
			_exit(77);
		struct writer *w = test_writer(name);
		struct err *err = NULL;
		for (int i = 0; i < 60 && !err; i++) {
			write_random(w, 1000, (uint64_t)i, 0);
			err = writer_flush(w);
		}
		if (!err || err->sys != ENOSPC || !err->hint || !strstr(err->hint, "make room"))
			_exit(1);
		err = writer_close(w);
		struct trace *t;
		if (err || trace_open(name, NULL, &t))
			_exit(2);
		struct event e;
		bool whole = trace_n_events(t) >= 3000 && !trace_damage(t) &&
			     trace_event(t, trace_n_events(t) - 1, &e) && e.name;
		_exit(whole ? 0 : 3);
	}
	int status;
	waitpid(pid, &status, 0);
	rmdir(folder);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void cannot_write(void **state)
{
	static const struct {
		const char *name;
		const char *says;
	} rows[] = { { "/nonexistent/x.avc", "cannot create /nonexistent/x.avc" },
		     { "/", "cannot write /" },
		     { "/proc/self/x.avc", "cannot create /proc/self/x.avc" },
		     { "/dev/full", "cannot write to /dev/full" } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct writer *w;
		struct writer_options o = { .creator = "test" };
		struct err *err = writer_open(rows[i].name, &o, &w);
		assert_non_null(err);
		assert_non_null(strstr(err->message, rows[i].says));
		err_destroy(err);
	}
	/* if the reader of a pipe exits, that is an error, not a SIGPIPE */
	int ends[2];
	char name[64];
	assert_int_equal(pipe(ends), 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", ends[1]);
	struct writer *w = test_writer(name);
	close(ends[0]);
	write_random(w, 100, 1, 0);
	struct err *err = writer_flush(w);
	assert_non_null(err);
	assert_int_equal(err->sys, EPIPE);
	err_destroy(err);
	must(writer_close(w));
	close(ends[1]);
}

static void replaced_or_shortened(void **state)
{
	struct writer *w = test_writer(path);
	write_random(w, 3000, 1, 500);
	must(writer_flush(w));
	struct trace *t;
	struct trace_change change;
	must(trace_open(path, NULL, &t));
	struct writer *other = test_writer(other_path);
	must(writer_close(other));
	assert_int_equal(rename(other_path, path), 0);
	write_random(w, 3000, 2, 500);
	must(writer_flush(w));
	must(trace_refresh(t, &change));
	assert_int_equal(change.n_events, 3000);
	assert_non_null(strstr(trace_damage(t), "replaced"));
	struct err *gone = writer_close(w); /* its file has no name any more */
	assert_non_null(gone);
	assert_int_equal(gone->code, ERR_NOT_FOUND);
	err_destroy(gone);
	trace_close(t);

	w = test_writer(path);
	write_random(w, 3000, 1, 500);
	must(writer_flush(w));
	must(trace_open(path, NULL, &t));
	assert_int_equal(truncate(path, 1000), 0);
	must(trace_refresh(t, &change));
	assert_int_equal(change.n_events, 0);
	assert_non_null(strstr(trace_damage(t), "cut short"));
	for (uint64_t i = 0; i < trace_n_events(t); i += 100) {
		struct event e;
		assert_true(trace_event(t, i, &e));
	}
	trace_close(t);
	writer_destroy(w);
}

/* A block whose damage is found only when it is read is reported once, and counted once however
 * often it is read. */
static void damage_found_late(void **state)
{
	big_write(true);
	struct bytes file = file_read(path);
	struct trace *t;
	must(trace_open(path, NULL, &t));
	assert_null(trace_damage_news(t));
	trace_close(t);
	uint64_t n_late = 0;
	for (size_t at = 256; at + 512 < file.n; at += file.n / 40) {
		/* nothing stays in the cache */
		struct trace_options options = { .cache_bytes = 1 };
		file.p[at] ^= 0xff;
		must(trace_open_fd(memory_file(file.p, file.n), "test.avc", &options, &t));
		file.p[at] ^= 0xff;
		const char *early = trace_damage_news(t);
		assert_null(trace_damage_news(t));
		if (!early) {
			capture_walk(t, UINT64_MAX);
			const char *late = trace_damage_news(t);
			assert_non_null(late);
			assert_true(!strncmp(late, "1 block could not be read", 25));
			trace_trim(t);
			capture_walk(t, UINT64_MAX);
			assert_null(trace_damage_news(t));
			n_late++;
		}
		trace_close(t);
	}
	assert_true(n_late > 20);
	free(file.p);
}

/* Threads that events name and the capture does not describe: its THREAD blocks are damaged. The
 * table of counts grows, and so moves, while the counts of one EVENT block are added. */
static void threads_not_described(void **state)
{
	enum { N = 3000 };
	struct writer *w;
	struct writer_options o = { .creator = "test", .no_compress = true };
	struct process_info process = { .pid = 1, .exit_status = -1 };
	struct superblock sb;
	must(writer_open(path, &o, &w));
	uint32_t index = writer_process(w, &process), name = writer_string(w, "x.y", 3);
	for (uint32_t i = 0; i < N; i++) {
		struct thread_info thread = { .process = index, .tid = 100 + i };
		assert_int_equal(writer_thread(w, &thread), i);
	}
	for (uint32_t i = 0; i < 2 * N; i++) {
		struct event_info e = { .time_ns = i, .name = name, .thread = i % N };
		writer_event(w, &e);
	}
	must(writer_close(w));
	struct bytes file = file_read(path);
	unsigned n_damaged = 0;
	for (size_t at = sizeof(sb); at + sizeof(struct block_header) <= file.n;
	     at += BLOCK_ALIGN) {
		struct block_header h;
		memcpy(&h, file.p + at, sizeof(h));
		if (h.magic != BLOCK_MAGIC || h.type != BLOCK_THREAD)
			continue;
		file.p[at + sizeof(h) + h.meta_bytes] ^= 0xff;
		n_damaged++;
	}
	assert_true(n_damaged > 0);
	struct trace *t;
	must(trace_open_fd(memory_file(file.p, file.n), "test.avc", NULL, &t));
	assert_non_null(trace_damage(t));
	assert_int_equal(trace_n_events(t), 2 * N);
	assert_int_equal(trace_n_threads(t), N);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(trace_count_by_thread(t)[i], 2);
	capture_walk(t, UINT64_MAX);
	trace_close(t);
	free(file.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_at_every_byte),
		cmocka_unit_test(cut_at_random),
		cmocka_unit_test(damaged_at_random),
		cmocka_unit_test(lies),
		cmocka_unit_test(writer_killed),
		cmocka_unit_test(disk_full),
		cmocka_unit_test(small_disk),
		cmocka_unit_test(cannot_write),
		cmocka_unit_test(replaced_or_shortened),
		cmocka_unit_test(damage_found_late),
		cmocka_unit_test(threads_not_described),
	};
	test_path(path, sizeof(path), "damage");
	test_path(other_path, sizeof(other_path), "other");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	unlink(other_path);
	return failed;
}
