/*
 * open_capture: see open_capture.h.
 */
#include "base/say.h"
#include "commands/open_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/strbuf.h"
#include "capture/block.h"
#include "import/import.h"
#include "model/filter.h"
#include "model/trace.h"
#include "options.h"

/* Copy a descriptor to its end into an unnamed file, after the bytes that were already read. */
static struct err *spool(int from, const char *head, size_t n_head, int *ret)
{
	const char *folder = getenv("TMPDIR");
	char piece[64 << 10];
	int to = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (to < 0)
		to = memfd_create("auditview-stdin", MFD_CLOEXEC);
	if (to < 0)
		return err_sys(errno, "cannot make room for standard input");
	bool ok = io_write(to, head, n_head);
	ssize_t n = 1;
	while (ok && n != 0) {
		n = read(from, piece, sizeof(piece));
		ok = n > 0 ? io_write(to, piece, (size_t)n) : n == 0 || errno == EINTR;
	}
	if (ok && lseek(to, 0, SEEK_SET) == 0) {
		*ret = to;
		return NULL;
	}
	struct err *err = err_sys(errno, "cannot take in standard input");
	close(to);
	return err;
}

/* Import JSON lines into an unnamed capture, which disappears when it is closed. Takes over fd. */
static struct err *import_input(const struct options *o, int in, struct trace **ret)
{
	int fd = memfd_create("auditview-import", MFD_CLOEXEC);
	struct err *err = fd < 0 ? err_sys(errno, "cannot make room for standard input") : NULL;
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct import_result result;
	if (!err) {
		err = import_jsonl(in, "standard input", path, &result);
		if (!o->quiet) {
			struct strbuf text = { 0 };
			import_losses_say(&text, "standard input", &result);
			say_error_text(&text);
			strbuf_fini(&text);
		}
	}
	close(in);
	if (!err)
		return trace_open_fd(fd, "standard input", NULL, ret);
	if (fd >= 0)
		close(fd);
	return err;
}

/* The first bytes decide: a capture has a magic number. */
static struct err *open_stdin(const struct options *o, struct trace **ret)
{
	char head[sizeof(((struct superblock *)0)->magic)];
	size_t n = 0;
	int fd;
	while (n < sizeof(head)) {
		ssize_t got = read(STDIN_FILENO, head + n, sizeof(head) - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(errno, "cannot read standard input");
		if (got == 0)
			break;
		n += (size_t)got;
	}
	struct err *err = spool(STDIN_FILENO, head, n, &fd);
	if (err)
		return err;
	if (n == sizeof(head) && memcmp(head, SUPERBLOCK_MAGIC, n) == 0)
		return trace_open_fd(fd, "standard input", NULL, ret);
	return import_input(o, fd, ret);
}

struct err *capture_check_not_same(const char *in, const char *out)
{
	struct stat a, b;
	if (!out || !strcmp(in, "-") || !strcmp(out, "-") || stat(in, &a) || stat(out, &b) ||
	    !S_ISREG(a.st_mode) || a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return NULL;
	return err_create(ERR_USAGE, "%s is both input and output", in);
}

void capture_damage_say(const struct options *o, const char *path, struct trace *t)
{
	const char *damage = trace_damage_news(t);
	if (!damage || o->quiet)
		return;
	say_error("%s: %s", path, damage);
}

struct err *open_capture(const struct options *o, const char *path, struct trace **ret)
{
	CLEANUP(trace) struct trace *t = NULL;
	struct err *err = strcmp(path, "-") ? trace_open(path, NULL, &t) : open_stdin(o, &t);
	if (err)
		return err;
	capture_damage_say(o, path, t);
	*ret = take_ptr(t);
	return NULL;
}

struct err *capture_filter_error(const char *option, const char *text, struct err *err)
{
	if (err->code != ERR_SYNTAX)
		return err;
	struct strbuf b = { 0 }, line = { 0 };
	strbuf_adds(&line, text);
	for (size_t i = 0; i < line.n; i++) /* the caret must be below its own line */
		line.s[i] = line.s[i] == '\n' || line.s[i] == '\r' ? ' ' : line.s[i];
	filter_error_show(&b, strbuf_str(&line), err);
	strbuf_fini(&line);
	if (b.n && b.s[b.n - 1] == '\n')
		strbuf_cut(&b, b.n - 1);
	err_destroy(err);
	struct err *shown = err_create(ERR_USAGE, "%s:\n%s", option, strbuf_str(&b));
	strbuf_fini(&b);
	if (shown->code != ERR_NO_MEMORY)
		shown->is_lines = true;
	return shown;
}

struct err *capture_filter_check(const char *option, const char *text)
{
	CLEANUP(filter) struct filter *f = NULL;
	struct err *err = filter_compile(text, strlen(text), NULL, &f);
	return err ? capture_filter_error(option, text, err) : NULL;
}

struct err *capture_shown_make(const struct options *o, struct trace *t, struct shown *ret)
{
	*ret = (struct shown){ 0 };
	if (!o->filter || !*o->filter)
		return NULL;
	struct err *err = filter_compile(o->filter, strlen(o->filter), t, &ret->filter);
	if (err)
		return capture_filter_error("-Y", o->filter, err);
	err = filter_run_create(t, ret->filter, NULL, &ret->run);
	if (!err)
		err = filter_run_step(ret->run, UINT64_MAX, NULL);
	if (!err && filter_run_n_limit_hits(ret->run))
		say_error("the filter's regular expression gave up on %llu values (too many "
			  "steps); they count as "
			  "not matching",
			  (unsigned long long)filter_run_n_limit_hits(ret->run));
	if (err)
		capture_shown_fini(ret);
	return err;
}

void capture_shown_fini(struct shown *s)
{
	filter_run_destroy(s->run);
	filter_destroy(s->filter);
	*s = (struct shown){ 0 };
}
