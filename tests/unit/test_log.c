/* Debug notes: which are written, and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static char folder[] = "/tmp/auditview-log-XXXXXX";

static void read_file(const char *path, char *to, size_t cap)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, to, cap - 1);
	to[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Write one note from each of four files, and return what got into the log. */
static const char *notes_for(const char *domains)
{
	static char text[4096];
	char path[64], variable[256];
	snprintf(path, sizeof(path), "%s/log", folder);
	unlink(path);
	snprintf(variable, sizeof(variable), "%s%s", domains, path);
	setenv("AUDITVIEW_DEBUG", variable, 1);
	log_init();
	assert_true(log_is_on);
	log_write("../src/visit/attach.c", "note A of %d", 1);
	log_write("../src/visit/leave.c", "note B");
	log_write("/a/src/recorder/follow.c", "note C");
	log_write("../src/recorder/follower.c", "note D");
	read_file(path, text, sizeof(text));
	return text;
}

static void words_choose_files_and_folders(void **state)
{
	static const struct {
		const char *domains, *letters;
	} rows[] = {
		{ "1,", "ABCD" },
		{ "", "ABCD" },
		{ "visit,", "AB" },
		{ "follow,", "C" },
		{ "follower,", "D" },
		{ "visit,follow,", "ABC" },
		{ "leave,recorder,", "BCD" },
		{ "visi,attac,", "" },
		{ "visit,1,", "ABCD" },
		{ ",,leave,", "B" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *text = notes_for(rows[i].domains);
		for (char letter = 'A'; letter <= 'D'; letter++) {
			char note[16];
			snprintf(note, sizeof(note), "note %c", letter);
			if (!strstr(text, note) != !strchr(rows[i].letters, letter))
				fail_msg("\"%s\": %s; the log is:\n%s", rows[i].domains, note,
					 text);
		}
	}
	unsetenv("AUDITVIEW_DEBUG");
}

/* What was written to the terminal before "END". A pty passes it on in pieces. */
static void read_terminal(int master, char *to, size_t cap)
{
	size_t n = 0;
	to[0] = '\0';
	while (n + 1 < cap && !strstr(to, "END")) {
		struct pollfd p = { .fd = master, .events = POLLIN };
		ssize_t more = poll(&p, 1, 30000) == 1 ? read(master, to + n, cap - 1 - n) : 0;
		if (more <= 0)
			fail_msg("the terminal has \"%s\"", to);
		n += (size_t)more;
		to[n] = '\0';
	}
}

/* Notes go to the terminal until there is a screen, then to a file. */
static void a_screen_is_not_written_over(void **state)
{
	char path[96], shown[4096], text[4096];
	int master, slave, saved = dup(STDERR_FILENO);
	assert_return_code(openpty(&master, &slave, NULL, NULL, NULL), 0);
	setenv("AUDITVIEW_DEBUG", "visit", 1);
	setenv("XDG_STATE_HOME", folder, 1);
	dup2(slave, STDERR_FILENO);
	log_init();
	log_write("src/visit/attach.c", "before");
	log_leave_terminal();
	log_write("src/visit/attach.c", "after");
	log_leave_terminal(); /* again: nothing is to be done */
	log_write("src/visit/attach.c", "at last");
	dup2(saved, STDERR_FILENO);
	assert_int_equal(write(slave, "END", 3), 3);
	read_terminal(master, shown, sizeof(shown));
	snprintf(path, sizeof(path), "%s/auditview/debug.log", folder);
	read_file(path, text, sizeof(text));
	unlink(path);
	assert_non_null(strstr(shown, "before"));
	assert_non_null(strstr(shown, path));
	assert_null(strstr(shown, "after"));
	assert_null(strstr(shown, "at last"));
	assert_null(strstr(text, "before"));
	assert_non_null(strstr(text, "after"));
	assert_non_null(strstr(text, "at last"));
	close(master);
	close(slave);
	close(saved);
	unsetenv("AUDITVIEW_DEBUG");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_choose_files_and_folders),
		cmocka_unit_test(a_screen_is_not_written_over),
	};
	char path[64];
	if (!mkdtemp(folder))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(path, sizeof(path), "%s/log", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/auditview", folder);
	rmdir(path);
	rmdir(folder);
	return failed;
}
