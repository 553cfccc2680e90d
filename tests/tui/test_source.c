/*
 * test_source: where the source of a frame may be read from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/monotonic.h"
#include "ui/source.h"

static bool finds(const char *path, struct source_root root, const char *text)
{
	source_forget();
	const struct source_file *f = source_get(path, NULL, root, NULL, 0);
	return f && f->found && (!text || !strcmp(f->text, text));
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A path from a capture is opened only as a regular file, and only below the root of its
 * process. */
static void test_source(void **state)
{
	const struct source_root ours = { .is_ours = true }, nowhere = { 0 },
				 own = { .pid = (unsigned)getpid() };
	char folder[] = "/tmp/auditview-source-XXXXXX", path[100], inside[100], link[100];
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/app.py", folder);
	write_text(path, "outer\n");
	assert_true(finds(path, ours, "outer\n"));
	assert_false(finds(path, nowhere, NULL));
	assert_true(finds(path, own, "outer\n"));
	/* no device, FIFO or folder is opened, and none of them is waited for */
	snprintf(link, sizeof(link), "%s/fifo", folder);
	assert_int_equal(mkfifo(link, 0600), 0);
	assert_false(finds(link, ours, NULL));
	assert_false(finds(link, own, NULL));
	unlink(link);
	assert_false(finds("/dev/zero", ours, NULL));
	assert_false(finds("/dev/tty", ours, NULL));
	assert_false(finds(folder, ours, NULL));
	/* a process with another root: the same name is its own file, and its links do not lead
	 * out */
	snprintf(inside, sizeof(inside), "%s/root", folder);
	assert_int_equal(mkdir(inside, 0700), 0);
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		char c = chdir(inside) || chroot(".") ? 'n' : 'y';
		if (c == 'y') {
			mkdir("/tmp", 0700);
			mkdir(folder, 0700);
			write_text(path, "inner\n");
			snprintf(link, sizeof(link), "%s/link.py", folder);
			/* it exists only outside */
			c = symlink("/etc/passwd", link) ? 'n' : 'y';
			snprintf(link, sizeof(link), "%s/up.py", folder);
			c = symlink("../../../../../../etc/passwd", link) ? 'n' : c;
		}
		_exit(write(ready[1], &c, 1) != 1 || pause());
	}
	char c = 'n';
	assert_int_equal(read(ready[0], &c, 1), 1);
	if (c == 'y') {
		const struct source_root other = { .pid = (unsigned)pid };
		assert_true(finds(path, other, "inner\n"));
		assert_true(finds(path, ours, "outer\n"));
		snprintf(link, sizeof(link), "%s/link.py", folder);
		assert_false(finds(link, other, NULL));
		snprintf(link, sizeof(link), "%s/up.py", folder);
		assert_false(finds(link, other, NULL));
		assert_false(finds("/etc/passwd", other, NULL));
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	source_forget();
	static const char *const made[] = {
		"root%1$s/link.py", "root%1$s/up.py", "root%1$s/app.py", "root%1$s",
		"root/tmp",         "root",           "app.py"
	};
	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		const char *tail = strstr(made[i], "%1$s");
		snprintf(link, sizeof(link), "%s/%.*s%s%s", folder, tail ? 4 : 100, made[i],
			 tail ? folder : "", tail ? tail + 4 : "");
		remove(link);
	}
	remove(folder);
}

/* The child that reads for this process: the youngest, because an older one may not be reaped
 * yet. */
static pid_t child_of_ours(void)
{
	char path[64];
	int pid = 0;
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (fscanf(f, "%d", &pid) == 1)
		;
	fclose(f);
	assert_true(pid > 0);
	return pid;
}

static uint64_t start_of_ours(void)
{
	char text[1024];
	unsigned long long ticks = 0;
	FILE *f = fopen("/proc/self/stat", "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_int_equal(sscanf(strrchr(text, ')') + 1,
				" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
				"%*d %*d %*d %llu",
				&ticks),
			 1);
	return ticks;
}

/* The number of a process is not that process: a later one has it, too. */
static void test_later_process(void **state)
{
	char path[] = "/tmp/auditview-source-XXXXXX";
	int fd = mkstemp(path);
	uint64_t ticks = start_of_ours();
	const struct source_root own = { .pid = (unsigned)getpid(), .start_ticks = ticks },
				 other = { .pid = (unsigned)getpid(), .start_ticks = ticks - 1 };
	assert_true(fd >= 0);
	assert_true(finds(path, own, ""));
	assert_false(finds(path, other, NULL));
	close(fd);
	unlink(path);
}

/* A read that does not end is waited for once, and nothing of that place is asked for again. What
 * ends the child is no reason to find nothing. */
static void test_no_answer(void **state)
{
	const struct source_root ours = { .is_ours = true }, own = { .pid = (unsigned)getpid() };
	char path[] = "/tmp/auditview-source-XXXXXX", other[] = "/tmp/auditview-source-XXXXXX";
	assert_true(close(mkstemp(path)) == 0 && close(mkstemp(other)) == 0);
	for (int is_ours = 0; is_ours < 2; is_ours++) {
		struct source_root root = is_ours ? ours : own;
		const struct source_file *f;
		assert_true(finds(path, root, ""));
		kill(child_of_ours(), SIGKILL);
		assert_non_null(source_get(other, NULL, root, NULL, 0)->found);
		kill(child_of_ours(), SIGSTOP);
		f = source_get("/tmp/auditview-source-none", NULL, root, NULL, 0);
		assert_true(f && !f->found && f->is_silent);
		uint64_t began = monotonic_ns();
		for (int i = 0; i < 5; i++) {
			char name[40];
			snprintf(name, sizeof(name), "/tmp/auditview-source-%d", i);
			f = source_get(name, NULL, root, NULL, 0);
			assert_true(f && !f->found && f->is_silent);
		}
		assert_true(monotonic_ns() - began < 1000000000);
		/* another folder of ours is asked; of a process, all is one place */
		f = source_get("/etc/passwd", NULL, root, NULL, 0);
		assert_true(f && !f->found == !is_ours);
	}
	unlink(path);
	unlink(other);
	source_forget();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_source),
					    cmocka_unit_test(test_later_process),
					    cmocka_unit_test(test_no_answer) };
	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
