/*
 * What descriptors were: of the process that runs the test, as a recorder would ask. The events are
 * written by hand, so that each comes at the time that the case needs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/value.h"
#include "model/arguments.h"
#include "model/reach.h"
#include "recorder/fd_names.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"

#define SOON 100000000000u /* later than any look */

struct desk {
	struct recorder r;
	struct process p;
	char folder[64], capture[96];
	uint32_t thread;
};

static void desk_init(struct desk *d)
{
	memset(d, 0, sizeof(*d));
	strcpy(d->folder, "/tmp/fd-names-XXXXXX");
	assert_non_null(mkdtemp(d->folder));
	snprintf(d->capture, sizeof(d->capture), "%s/a.avc", d->folder);
	struct writer_options o = { .creator = "test" };
	assert_null(writer_open(d->capture, &o, &d->r.writer));
	clock_init(&d->r.clock);
	d->p.pid = getpid();
	d->p.pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	assert_true(d->p.pidfd >= 0);
	struct process_info info = { .pid = (uint32_t)getpid(), .python_hex = 0x030c01f0 };
	struct thread_info thread = { .process = writer_process(d->r.writer, &info) };
	d->thread = writer_thread(d->r.writer, &thread);
}

static size_t put_int(uint8_t *to, int v)
{
	uint32_t zigzag = 2 * (uint32_t)v;
	size_t n = 0;
	to[n++] = VALUE_INT;
	for (; zigzag >= 0x80; zigzag >>= 7)
		to[n++] = (uint8_t)(zigzag | 0x80);
	to[n++] = (uint8_t)zigzag;
	return n;
}

/* An event with one argument, a descriptor (or one of a socket object), at a time. */
static void event(struct desk *d, const char *name, int fd, bool is_object, uint64_t time_ns)
{
	uint8_t args[64] = { VALUE_TUPLE, 1, 1 };
	size_t n = 3;
	if (is_object) {
		args[n++] = VALUE_OBJECT_AT;
		n += 8;
		memcpy(args + n, "\6socket\1\2fd", 11);
		n += 11;
	}
	n += put_int(args + n, fd);
	struct event_info e = { .time_ns = time_ns, .thread = d->thread };
	e.name = writer_string(d->r.writer, name, strlen(name));
	uint8_t plain[16] = { VALUE_TUPLE, 1, 1 };
	e.args = writer_value(d->r.writer, plain, 3 + put_int(plain + 3, fd));
	e.descriptors = fd_names_look(&d->r, &d->p, fd_names_of(name, strlen(name)), args, n,
				      time_ns);
	writer_event(d->r.writer, &e);
}

/* open(path), or socket.__new__ if path is NULL. */
static void opening(struct desk *d, const char *path, uint64_t time_ns)
{
	const char *name = path ? "open" : "socket.__new__";
	struct strbuf args = { 0 };
	strbuf_addc(&args, VALUE_TUPLE);
	strbuf_addc(&args, path != NULL);
	strbuf_addc(&args, path != NULL);
	if (path) {
		strbuf_addc(&args, VALUE_STR);
		strbuf_addc(&args, (char)strlen(path));
		strbuf_adds(&args, path);
	}
	uint32_t known = fd_names_look(&d->r, &d->p, fd_names_of(name, strlen(name)),
				       (const uint8_t *)args.s, args.n, time_ns);
	assert_int_equal(known, 0);
	strbuf_fini(&args);
}

/* Close the capture, and compare what the descriptors of its events were; "" nothing is said. */
static void expect_was(struct desk *d, const char *const *was, size_t n)
{
	struct trace *t;
	fd_names_fini(&d->p);
	close(d->p.pidfd);
	assert_null(writer_close(d->r.writer));
	assert_null(trace_open(d->capture, NULL, &t));
	assert_int_equal(trace_n_events(t), n);
	for (size_t i = 0; i < n; i++) {
		struct event e;
		struct arguments a;
		struct argument arg;
		assert_true(trace_event(t, i, &e));
		arguments_init(&a, t, &e);
		assert_true(arguments_next(&a, &arg));
		if ((arg.was ? arg.n_was : 0) != strlen(was[i]) ||
		    memcmp(arg.was ? arg.was : "", was[i], strlen(was[i])) != 0)
			fail_msg("event %zu was %.*s, not %s", i, arg.was ? (int)arg.n_was : 0,
				 arg.was ? arg.was : "", was[i]);
		/* it depends on when the recorder looked: runs are compared without it */
		struct strbuf compared = { 0 };
		reach_read(t, &e, &compared);
		assert_null(strstr(strbuf_str(&compared), "<was"));
		strbuf_fini(&compared);
	}
	trace_close(t);
	unlink(d->capture);
	rmdir(d->folder);
}

static int make(struct desk *d, const char *name, char path[96])
{
	snprintf(path, 96, "%s/%s", d->folder, name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static void nothing_is_said_of_what_is_gone(void **state)
{
	struct desk d;
	char a[96], deleted[128];
	desk_init(&d);
	int fd = make(&d, "a", a);
	event(&d, "os.truncate", fd, false, 0);
	event(&d, "os.frobnicate", fd, false, 0); /* not in the catalogue */
	unlink(a);
	event(&d, "fcntl.flock", fd, false, SOON);
	close(fd);
	event(&d, "os.truncate", fd, false, SOON);
	event(&d, "os.truncate", fd, false, 0); /* not even if the answer was once known */
	snprintf(deleted, sizeof(deleted), "%s (deleted)", a);
	const char *was[] = { a, "", deleted, "", "" };
	expect_was(&d, was, 5);
}

static void a_number_that_was_used_again_is_not_believed(void **state)
{
	struct desk d;
	char a[96], b[96];
	desk_init(&d);
	/* the program: open a, truncate, close, open b, chmod; the recorder decodes it late */
	int fd = make(&d, "a", a), again;
	close(fd);
	again = make(&d, "b", b);
	assert_int_equal(again, fd);
	opening(&d, a, 1);
	event(&d, "os.truncate", fd, false, 2);
	opening(&d, "x/b", 3);
	event(&d, "os.chmod", fd, false, 4);
	opening(&d, "c", 5); /* that is not what was found */
	opening(&d, NULL, 6);
	const char *was[] = { "", b };
	close(again);
	unlink(a);
	unlink(b);
	expect_was(&d, was, 2);
}

static void a_later_open_takes_nothing_back(void **state)
{
	struct desk d;
	char a[96];
	desk_init(&d);
	int fd = make(&d, "a", a);
	event(&d, "os.truncate", fd, false, 1);
	opening(&d, a, SOON); /* after the look */
	const char *was[] = { a };
	close(fd);
	unlink(a);
	expect_was(&d, was, 1);
}

static void a_socket_is_a_socket(void **state)
{
	struct desk d;
	char a[96];
	int pair[2];
	desk_init(&d);
	int fd = make(&d, "a", a);
	for (int i = 0; i < 2; i++)
		assert_true((pair[i] = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0);
	event(&d, "socket.sendmsg", fd, true, 0);      /* it was one, and is a file now */
	event(&d, "socket.sendmsg", pair[0], true, 0); /* without addresses: nothing new */
	event(&d, "socket.bind", 100000, true, 0);
	const char *was[] = { "", "", "" };
	close(fd);
	close(pair[0]);
	close(pair[1]);
	unlink(a);
	expect_was(&d, was, 3);
}

static void many_descriptors_and_events(void **state)
{
	enum { FILES = 40, EVENTS = 3000 };
	struct desk d;
	static char paths[FILES][96];
	static const char *was[EVENTS];
	int fds[FILES];
	desk_init(&d);
	for (int i = 0; i < FILES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "f%d", i);
		fds[i] = make(&d, name, paths[i]);
	}
	/* none can be taken back any more than so many: then nothing is said */
	for (int i = 0; i < EVENTS; i++) {
		event(&d, "os.truncate", fds[i % FILES], false, 0);
		was[i] = i < 1024 ? paths[i % FILES] : "";
	}
	for (int i = 0; i < FILES; i++) {
		close(fds[i]);
		unlink(paths[i]);
	}
	expect_was(&d, was, EVENTS);
}

static void malformed_arguments_are_survived(void **state)
{
	static const uint8_t object[] = { VALUE_TUPLE,
					  1,
					  1,
					  VALUE_OBJECT_AT,
					  0,
					  0,
					  0,
					  0,
					  0,
					  0,
					  0,
					  0,
					  6,
					  's',
					  'o',
					  'c',
					  'k',
					  'e',
					  't',
					  1,
					  2,
					  'f',
					  'd',
					  VALUE_INT,
					  2 };
	struct desk d;
	desk_init(&d);
	for (size_t n = 0; n <= sizeof(object); n++) {
		uint8_t *copy = malloc(n + 1);
		assert_non_null(copy);
		memcpy(copy, object, n);
		for (size_t i = 3; i < n; i++) {
			uint8_t before = copy[i];
			copy[i] = 0xff;
			(void)fd_names_look(&d.r, &d.p, 0x7fffffffu | FD_NAMES_OPENS, copy, n, 0);
			copy[i] = before;
		}
		(void)fd_names_look(&d.r, &d.p, 1, copy, n, 0);
		free(copy);
	}
	expect_was(&d, NULL, 0);
}

static void the_table_is_that_of_the_catalogue(void **state)
{
	assert_int_equal(fd_names_of("os.truncate", 11), 1);
	assert_int_equal(fd_names_of("os.chmod", 8), 1 | 4);
	assert_int_equal(fd_names_of("open", 4), 1 | FD_NAMES_OPENS);
	assert_int_equal(fd_names_of("open\0", 5), 0);
	assert_int_equal(fd_names_of("socket.__new__", 14), FD_NAMES_OPENS);
	assert_int_equal(fd_names_of("socket.connect", 14), 1);
	assert_int_equal(fd_names_of("os.system", 9), 0);
	assert_int_equal(fd_names_of("", 0), 0);
	for (size_t i = 1; i < fd_names_n_events; i++)
		assert_true(strcmp(fd_names_events[i - 1].name, fd_names_events[i].name) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_said_of_what_is_gone),
		cmocka_unit_test(a_number_that_was_used_again_is_not_believed),
		cmocka_unit_test(a_later_open_takes_nothing_back),
		cmocka_unit_test(a_socket_is_a_socket),
		cmocka_unit_test(many_descriptors_and_events),
		cmocka_unit_test(malformed_arguments_are_survived),
		cmocka_unit_test(the_table_is_that_of_the_catalogue),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
