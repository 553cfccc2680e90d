/*
 * maps: lines of /proc/PID/maps, odd and hostile ones included, modules in a byte array, and this
 * process itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/err.h"
#include "tests/unit/fake_module.h"
#include "system/maps.h"
#include "system/remote_mem.h"

static struct maps *parse(const char *text)
{
	struct maps *m;
	assert_null(maps_parse(text, strlen(text), &m));
	return m;
}

static void lines(void **state)
{
	static const struct {
		const char *line;
		struct mapping want;
	} rows[] = {
		{ "00400000-00420000 r-xp 00001000 fd:01 4711                               "
		  "/usr/bin/python3.11",
		  { 0x400000, 0x420000, 0x1000, 0, 4711, true, false, true, false, false,
		    "/usr/bin/python3.11" } },
		{ "7ffc1000-7ffc2000 rw-p 00000000 00:00 0 ",
		  { 0x7ffc1000, 0x7ffc2000, 0, 0, 0, true, true, false, false, false, "" } },
		{ "7ffc1000-7ffc2000 rw-p 00000000 00:00 0",
		  { 0x7ffc1000, 0x7ffc2000, 0, 0, 0, true, true, false, false, false, "" } },
		{ "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  "
		  "[vsyscall]",
		  { 0xffffffffff600000, 0xffffffffff601000, 0, 0, 0, false, false, true, false,
		    false, "[vsyscall]" } },
		{ "1000-2000 rw-s 00000000 00:01 5  /memfd:ring (deleted)",
		  { 0x1000, 0x2000, 0, 0, 5, true, true, false, true, true, "/memfd:ring" } },
		{ "1000-2000 r--p 00000000 00:01 5  /tmp/a b (deleted) c",
		  { 0x1000, 0x2000, 0, 0, 5, true, false, false, false, false,
		    "/tmp/a b (deleted) c" } },
		{ "1000-2000 r--p 00000000 00:01 5  /tmp/two\\012lines\\",
		  { 0x1000, 0x2000, 0, 0, 5, true, false, false, false, false,
		    "/tmp/two\nlines\\" } },
		{ "1000-2000 r--p 00000000 00:01 5  /1000-2000 r--p 00000000 00:01 5",
		  { 0x1000, 0x2000, 0, 0, 5, true, false, false, false, false,
		    "/1000-2000 r--p 00000000 00:01 5" } },
		{ "1000-2000 r--p 00000000 00:01 5  (deleted)",
		  { 0x1000, 0x2000, 0, 0, 5, true, false, false, false, false, "(deleted)" } },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct maps *m = parse(rows[i].line);
		const struct mapping *w = &rows[i].want;
		assert_int_equal(m->n, 1);
		const struct mapping *g = &m->v[0];
		assert_int_equal(g->start, w->start);
		assert_int_equal(g->end, w->end);
		assert_int_equal(g->offset, w->offset);
		assert_int_equal(g->inode, w->inode);
		assert_true(g->read == w->read && g->write == w->write && g->exec == w->exec &&
			    g->shared == w->shared);
		assert_int_equal(g->deleted, w->deleted);
		assert_string_equal(g->path, w->path);
		maps_destroy(m);
	}
	struct maps *m = parse("1000-2000 r--p 0 fd:1f 5 /x");
	assert_int_equal(m->v[0].dev, makedev(0xfd, 0x1f));
	maps_destroy(m);
}

static void nonsense(void **state)
{
	static const char *const rows[] = {
		"",
		"\n\n",
		"x",
		"1000-2000",
		"1000-2000 r--p",
		"2000-1000 r--p 0 0:0 0",
		"1000-1000 r--p 0 0:0 0",
		"-2000 r--p 0 0:0 0",
		"1000- r--p 0 0:0 0",
		"11111111111111111-2 r--p 0 0:0 0",
		"1000-2000 r--p 0 0:0 ",
		"1000-2000 r--p 0 0:0 99999999999999999999999999",
		"1000-2000 r--p g 0:0 0",
		"1000-2000 r--pp 0 0:0 0",
		"1000-2000 r--p 0 00 0 /x",
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct maps *m = parse(rows[i]);
		if (m->n)
			fail_msg("row %zu gave a mapping", i);
		assert_null(maps_find(m, RADDR(0x1000)));
		maps_destroy(m);
	}
	/* Between good lines, and out of order. */
	struct maps *m = parse("3000-4000 r--p 0 0:0 0\nrubbish\n1000-2000 rw-p 0 0:0 0\n");
	assert_int_equal(m->n, 2);
	assert_int_equal(m->n_skipped, 1);
	assert_ptr_equal(maps_find(m, RADDR(0x1fff)), &m->v[0]);
	assert_null(maps_find(m, RADDR(0x2000)));
	assert_ptr_equal(maps_find(m, RADDR(0x3000)), &m->v[1]);
	assert_null(maps_find(m, RADDR(0x4000)));
	assert_null(maps_find(m, RADDR(0)));
	maps_destroy(m);
}

static struct fake_module fake;

static void modules(void **state)
{
	fake_begin(&fake, false);
	fake_end(&fake);
	struct maps *m = parse(
	    "7f0000000000-7f0000004000 r-xp 00000000 fd:01 7 /lib/a.so (deleted)\n"
	    "7f0000004000-7f0000005000 rw-p 00004000 fd:01 7 /lib/a.so (deleted)\n"
	    "7f0000005000-7f0000008000 rw-p 00000000 00:00 0 \n"
	    "7f0000010000-7f0000011000 r--p 00000000 fd:01 8 /etc/unreadable\n");
	assert_null(maps_find_modules(m, &fake.reader));
	assert_int_equal(m->n_modules, 1);
	assert_int_equal(m->modules[0].base.v, FAKE_BASE);
	assert_int_equal(m->modules[0].start.v, FAKE_BASE);
	assert_int_equal(m->modules[0].end.v, FAKE_BASE + FAKE_BYTES); /* with .bss */
	assert_string_equal(m->modules[0].path, "/lib/a.so");
	assert_int_equal(m->modules[0].inode, 7);
	maps_destroy(m);
	/* The file claims more than exists: it ends where another mapping begins. */
	m = parse("7f0000000000-7f0000004000 r-xp 00000000 fd:01 7 /lib/a.so\n"
		  "7f0000006000-7f0000007000 r--p 00001000 fd:01 8 /lib/b.so\n");
	assert_null(maps_find_modules(m, &fake.reader));
	assert_int_equal(m->n_modules, 1);
	assert_int_equal(m->modules[0].end.v, FAKE_BASE + 0x6000);
	maps_destroy(m);
	/* Headers with false values: no module, or a bounded one. */
	static const uint8_t values[] = { 0, 0x7f, 0xff };
	for (unsigned at = 0; at < 64 + 3 * 56; at++)
		for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
			uint8_t kept = fake.bytes[at];
			fake.bytes[at] = values[i];
			m = parse("7f0000000000-7f0000008000 r-xp 00000000 fd:01 7 /lib/a.so\n");
			assert_null(maps_find_modules(m, &fake.reader));
			if (m->n_modules)
				assert_true(m->modules[0].end.v > FAKE_BASE &&
					    m->modules[0].end.v - FAKE_BASE <= 1ull << 40);
			maps_destroy(m);
			fake.bytes[at] = kept;
		}
}

static void this_process(void **state)
{
	struct maps *m;
	struct remote_mem *memory;
	assert_null(maps_read(getpid(), &m));
	assert_null(remote_mem_open(getpid(), &memory));
	assert_null(maps_find_modules(m, remote_mem_reader(memory)));
	assert_int_equal(m->n_skipped, 0);
	bool here = false, vdso = false;
	for (size_t i = 0; i < m->n_modules; i++) {
		const struct elf_module *module = &m->modules[i];
		here |= (uint64_t)(uintptr_t)this_process - module->start.v <
			module->end.v - module->start.v;
		vdso |= strcmp(module->path, "[vdso]") == 0;
		if (i)
			assert_true(module->start.v >= m->modules[i - 1].end.v);
	}
	/* On arm64 the kernel may put it between two segments of the loader, which are 64 KiB
	 * apart: then it is inside that module's span. */
	for (size_t i = 0; i < m->n && !vdso; i++)
		for (size_t k = 0; k < m->n_modules; k++)
			vdso |= strcmp(m->v[i].path, "[vdso]") == 0 &&
				m->v[i].start > m->modules[k].start.v &&
				m->v[i].end < m->modules[k].end.v;
	assert_true(here && vdso);
	/* Read and write across the end of a mapping, and to a read-only page. */
	long page = sysconf(_SC_PAGESIZE);
	uint8_t *p = mmap(NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	munmap(p + page, (size_t)page);
	const raddr last = RADDR(p + page - 8);
	uint64_t value = 0x1122334455667788, got = 0;
	assert_null(remote_mem_write(memory, last, &value, 8));
	assert_memory_equal(p + page - 8, &value, 8);
	assert_true(remote_mem_read(memory, last, &got, 8));
	assert_int_equal(got, value);
	assert_false(remote_mem_read(memory, raddr_add(last, 1), &got, 8));
	assert_false(remote_mem_read(memory, RADDR(UINT64_MAX - 3), &got, 8));
	assert_true(remote_mem_read(memory, RADDR(UINT64_MAX - 3), &got, 0));
	struct err *err = remote_mem_write(memory, RADDR(p + page), &value, 8);
	assert_non_null(err);
	err_destroy(err);
	munmap(p, (size_t)page);
	remote_mem_close(memory);
	maps_destroy(m);
}

static void nobody(void **state)
{
	struct maps *m;
	struct remote_mem *memory;
	const pid_t none = 0x3ffffffe; /* above the kernel's PID_MAX_LIMIT */
	struct err *err = maps_read(none, &m);
	assert_non_null(err);
	assert_int_equal(err->code, ERR_TARGET_GONE);
	err_destroy(err);
	err = remote_mem_open(none, &memory);
	assert_non_null(err);
	assert_int_equal(err->code, ERR_TARGET_GONE);
	err_destroy(err);
	maps_destroy(NULL);
	remote_mem_close(NULL);
}

/* A process with so many mappings that its list takes many reads; it waits to be killed. */
static pid_t crowd_start(unsigned n)
{
	int ready[2];
	char one = 0;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (!pid) {
		for (unsigned i = 0; i < n; i++)
			mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
		if (write(ready[1], &one, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &one, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* The list of a process that is killed while it is read is whole, or an error. */
static void killed_while_read(void **state)
{
	enum { ROUNDS = 20, MAPPINGS = 3000 };
	(void)state;
	unsigned n_whole = 0, n_errors = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct maps *m;
		pid_t pid = crowd_start(MAPPINGS), killer;
		assert_null(maps_read(pid, &m));
		size_t n = m->n;
		maps_destroy(m);
		assert_true(n >= MAPPINGS);
		if (!(killer = fork())) {
			usleep(round * 100);
			kill(pid, SIGKILL);
			_exit(0);
		}
		for (bool gone = false; !gone;) {
			struct err *err = maps_read(pid, &m);
			gone = err;
			if (err) {
				assert_true(err->code == ERR_NOT_FOUND ||
					    err->code == ERR_TARGET_GONE);
				err_destroy(err);
				n_errors++;
			} else {
				assert_int_equal(m->n, n);
				maps_destroy(m);
				n_whole++;
			}
		}
		assert_int_equal(waitpid(killer, NULL, 0), killer);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	print_message("%u lists, %u errors\n", n_whole, n_errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),   cmocka_unit_test(nonsense),
		cmocka_unit_test(modules), cmocka_unit_test(this_process),
		cmocka_unit_test(nobody),  cmocka_unit_test(killed_while_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
