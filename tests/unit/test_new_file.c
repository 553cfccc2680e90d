/*
 * Output files: an existing file is replaced only by a finished one, and nothing but a regular file
 * is ever replaced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/new_file.h"

static int enter_folder(void **state)
{
	char name[] = "/tmp/test-new-file-XXXXXX";
	(void)state;
	return mkdtemp(name) && chdir(name) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
	char name[256], command[300];
	(void)state;
	if (!getcwd(name, sizeof(name)) || chdir("/") != 0)
		return -1;
	snprintf(command, sizeof(command), "rm -rf '%s'", name);
	return system(command);
}

static void must(struct err *err)
{
	if (err)
		fail_msg("%s", err->message);
}

static void file_make(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);
	assert_true(fd >= 0 && io_write(fd, text, strlen(text)));
	fchmod(fd, mode);
	close(fd);
}

static void assert_holds(const char *name, const char *text)
{
	char buf[100] = "";
	int fd = open(name, O_RDONLY);
	if (fd < 0)
		fail_msg("%s is not there", name);
	assert_true(read(fd, buf, sizeof(buf) - 1) >= 0);
	close(fd);
	assert_string_equal(buf, text);
}

static unsigned n_names(void)
{
	DIR *d = opendir(".");
	unsigned n = 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static struct new_file *opened(const char *path, unsigned flags, const char *text)
{
	struct new_file *f;
	must(new_file_open(path, flags, &f));
	assert_true(io_write(new_file_fd(f), text, strlen(text)));
	return f;
}

static void assert_refused(const char *path, unsigned flags, enum err_code code, const char *word)
{
	struct new_file *f;
	struct err *err = new_file_open(path, flags, &f);
	assert_non_null(err);
	assert_int_equal(err->code, code);
	if (!strstr(err->message, word))
		fail_msg("%s does not say %s", err->message, word);
	err_destroy(err);
}

static void test_hidden_until_finished(void **state)
{
	struct stat st;
	(void)state;
	struct new_file *f = opened("out", 0, "new");
	assert_int_equal(access("out", F_OK), -1);
	must(new_file_finish(f));
	assert_holds("out", "new");
	assert_int_equal(stat("out", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(n_names(), 1);
}

static void test_old_stays(void **state)
{
	struct stat st;
	(void)state;
	file_make("out", "old", 0644);
	for (unsigned flags = 0; flags <= NEW_FILE_GROWS; flags++) {
		struct new_file *f = opened("out", flags, "half");
		assert_true(new_file_replaces(f));
		assert_holds("out", "old");
		new_file_destroy(f);
		assert_holds("out", "old");
		assert_int_equal(n_names(), 1);
	}
	must(new_file_finish(opened("out", NEW_FILE_GROWS, "new")));
	assert_holds("out", "new");
	assert_int_equal(stat("out", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(n_names(), 1);
}

static void test_growing(void **state)
{
	(void)state;
	struct new_file *f = opened("out", NEW_FILE_GROWS, "one");
	assert_string_equal(new_file_now_at(f), "out");
	assert_holds("out", "one");
	new_file_keep(f);
	assert_holds("out", "one");

	f = opened("./out", NEW_FILE_GROWS, "two");
	assert_string_equal(new_file_now_at(f), "./out.part");
	new_file_keep(f); /* as after a crash */
	assert_holds("out.part", "two");
	f = opened("out", NEW_FILE_GROWS, "three");
	assert_string_equal(new_file_now_at(f), "out.part2");
	must(new_file_finish(f));
	assert_holds("out", "three");
	assert_holds("out.part", "two");

	unlink("out");
	f = opened("out", NEW_FILE_GROWS, "");
	struct err *err = new_file_end(f, err_create(ERR_SYS, "it failed"));
	err_destroy(err);
	assert_int_equal(access("out", F_OK), -1);
	f = opened("out", NEW_FILE_GROWS, "four");
	err = new_file_end(f, err_create(ERR_SYS, "it failed"));
	assert_string_equal(err->message, "it failed");
	assert_non_null(strstr(err->hint, "out"));
	err_destroy(err);
	assert_holds("out", "four");
}

/* A file as mktemp(1) makes it. */
static void test_empty_file(void **state)
{
	(void)state;
	file_make("out", "", 0640);
	struct new_file *f = opened("out", NEW_FILE_GROWS, "x");
	assert_string_equal(new_file_now_at(f), "out");
	new_file_destroy(f);
	assert_holds("out", "");
	file_make("two", "", 0600);
	assert_int_equal(link("two", "three"), 0); /* the file may be known by another name */
	f = opened("two", NEW_FILE_GROWS, "x");
	assert_string_equal(new_file_now_at(f), "two.part");
	must(new_file_finish(f));
	assert_holds("two", "x");
	assert_holds("three", "");
}

static void test_refused(void **state)
{
	(void)state;
	file_make("out", "old", 0600);
	mkdir("folder", 0700);
	assert_int_equal(symlink("out", "link"), 0);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(s, (struct sockaddr *)&name, sizeof(name)), 0);
	for (unsigned flags = 0; flags < 4; flags++) {
		assert_refused("link", flags, ERR_UNSUPPORTED, "symbolic link");
		assert_refused("dangling", flags, ERR_UNSUPPORTED, "symbolic link");
		assert_refused("folder", flags, ERR_UNSUPPORTED, "directory");
		assert_refused("folder/", flags, ERR_UNSUPPORTED, "directory");
		assert_refused("folder/..", flags, ERR_UNSUPPORTED, "directory");
		assert_refused("socket", flags, ERR_UNSUPPORTED, "socket");
		assert_refused("no/out", flags, ERR_NOT_FOUND, "no/");
		assert_refused("out/x", flags, ERR_SYS, "out/x");
		assert_refused("", flags, ERR_USAGE, "name");
		assert_refused("/dev/fd/999999", flags, ERR_SYS, "/dev/fd/999999");
	}
	assert_refused("fifo", NEW_FILE_REGULAR, ERR_UNSUPPORTED, "FIFO");
	assert_refused("/dev/null", NEW_FILE_REGULAR, ERR_UNSUPPORTED, "device");
	assert_refused("-", NEW_FILE_REGULAR, ERR_UNSUPPORTED, "standard output");
	if (mknod("block", S_IFBLK | 0600, makedev(7, 250)) ==
	    0) { /* only root can make it; it is never opened */
		assert_refused("block", 0, ERR_UNSUPPORTED, "block device");
		assert_int_equal(access("block", F_OK), 0);
	}
	assert_holds("out", "old");
	assert_int_equal(access("nowhere", F_OK), -1);
	close(s);
}

static void test_streams(void **state)
{
	char buf[10] = "";
	int fds[2];
	struct stat st;
	(void)state;
	assert_int_equal(mkfifo("fifo", 0600), 0);
	int reader = open("fifo", O_RDONLY | O_NONBLOCK);
	struct new_file *f = opened("fifo", NEW_FILE_GROWS, "abc");
	assert_true(new_file_is_stream(f));
	must(new_file_finish(f));
	assert_int_equal(read(reader, buf, sizeof(buf)), 3);
	new_file_destroy(opened("fifo", 0, "abc"));
	assert_int_equal(lstat("fifo", &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	close(reader);

	assert_int_equal(pipe(fds), 0);
	char name[40];
	snprintf(name, sizeof(name), "/dev/fd/%d", fds[1]);
	must(new_file_finish(opened(name, 0, "def")));
	assert_int_equal(read(fds[0], buf, sizeof(buf)), 3);
	assert_int_equal(fcntl(fds[1], F_GETFD), FD_CLOEXEC);
	snprintf(name, sizeof(name), "/dev/fd/%d", fds[0]);
	assert_refused(name, 0, ERR_SYS, name);
	must(new_file_finish(opened("/dev/null", NEW_FILE_GROWS, "x")));
	assert_int_equal(n_names(), 1);
}

static void test_two_writers(void **state)
{
	(void)state;
	struct new_file *f = opened("out", NEW_FILE_GROWS, "one");
	for (unsigned flags = 0; flags <= NEW_FILE_GROWS; flags++)
		assert_refused("out", flags, ERR_BUSY, "another process");
	new_file_keep(f);
	f = opened("out", NEW_FILE_GROWS, "two"); /* a file that grows beside it */
	for (unsigned flags = 0; flags <= NEW_FILE_GROWS; flags++)
		assert_refused("out", flags, ERR_BUSY, "another process");
	/* The name was free when this one began, and is not free any more. */
	struct new_file *late = opened("late", 0, "three");
	struct new_file *early = opened("late", NEW_FILE_GROWS, "four");
	struct err *err = new_file_finish(late);
	assert_non_null(err);
	assert_int_equal(err->code, ERR_BUSY);
	err_destroy(err);
	must(new_file_finish(early));
	assert_holds("late", "four");
	must(new_file_finish(f));
	assert_holds("out", "two");
	assert_int_equal(n_names(), 2);
}

/* When a file is finished, what is at its name is checked again. */
static void test_place_changes(void **state)
{
	(void)state;
	file_make("target", "target", 0600);
	struct new_file *f = opened("out", 0, "x");
	assert_int_equal(symlink("target", "out"), 0);
	struct err *err = new_file_finish(f);
	assert_non_null(err);
	err_destroy(err);
	assert_holds("target", "target");
	assert_int_equal(n_names(), 2);
	unlink("out");
	f = opened("out", NEW_FILE_GROWS, "y");
	unlink("out");
	file_make("out", "not ours", 0600);
	new_file_destroy(f);
	assert_holds("out", "not ours");
}

static void assert_lost(struct new_file *f, const char *word)
{
	struct err *err = new_file_finish(f);
	assert_non_null(err);
	assert_int_equal(err->code, ERR_NOT_FOUND);
	if (!strstr(err->message, word))
		fail_msg("%s does not say %s", err->message, word);
	err_destroy(err);
}

/* A file that nobody finds under its name is not finished, and no other file takes its place. */
static void test_taken_away(void **state)
{
	(void)state;
	struct new_file *f = opened("out", NEW_FILE_GROWS, "a");
	unlink("out");
	assert_lost(f, "lost");
	f = opened("out", NEW_FILE_GROWS, "b");
	assert_int_equal(rename("out", "elsewhere"), 0);
	assert_lost(f, "/elsewhere");
	assert_holds("elsewhere", "b");
	f = opened("out", NEW_FILE_GROWS, "c");
	file_make("other", "other", 0600);
	assert_int_equal(rename("other", "out"), 0);
	assert_lost(f, "lost");
	assert_holds("out", "other");
	f = opened("out", NEW_FILE_GROWS, "d"); /* in out.part */
	file_make("other", "no capture", 0600);
	assert_int_equal(rename("other", "out.part"), 0);
	assert_lost(f, "lost");
	assert_holds("out", "other");
	assert_holds("out.part", "no capture");
	assert_int_equal(mkdir("folder", 0700), 0);
	f = opened("folder/out", NEW_FILE_GROWS, "e");
	unlink("folder/out");
	assert_int_equal(rmdir("folder"), 0);
	assert_lost(f, "lost");
}

static void test_killed(void **state)
{
	int status;
	(void)state;
	file_make("out", "old", 0600);
	pid_t pid = fork();
	if (pid == 0) {
		struct new_file *f;
		if (new_file_open("out", 0, &f) || !io_write(new_file_fd(f), "x", 1) ||
		    n_names() != 2)
			_exit(1);
		if (fork() == 0) { /* if a child of the writer dies, the writer continues */
			raise(SIGTERM);
			_exit(1);
		}
		wait(&status);
		if (n_names() != 2)
			_exit(2);
		raise(SIGTERM);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	assert_holds("out", "old");
	assert_int_equal(n_names(), 1);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_hidden_until_finished),
		IN_FOLDER(test_old_stays),
		IN_FOLDER(test_growing),
		IN_FOLDER(test_empty_file),
		IN_FOLDER(test_refused),
		IN_FOLDER(test_streams),
		IN_FOLDER(test_two_writers),
		IN_FOLDER(test_place_changes),
		IN_FOLDER(test_taken_away),
		IN_FOLDER(test_killed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
