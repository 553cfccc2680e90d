/*
 * open_capture: see open_capture.h.
 */
#include "base/inherited.h"
#include "base/say.h"
#include "commands/open_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "capture/block.h"
#include "commands/import_pipe.h"
#include "import/import.h"
#include "model/filter.h"
#include "model/trace.h"
#include "options.h"

/* Import JSON lines into an unnamed capture, which disappears when it is closed. Takes over fd. */
static struct err *import_input(const struct options *o, int in, const char *label,
				const struct trace_options *options, struct trace **ret)
{
	int fd = spool_file_open("auditview-import");
	struct err *err = fd < 0 ? err_sys(errno, "cannot make room for %s", label) : NULL;
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct import_result result;
	if (!err) {
		err = import_jsonl(in, label, path, &result);
		if (!o->quiet) {
			struct strbuf text = { 0 };
			import_losses_say(&text, label, &result);
			say_error_text(&text);
			strbuf_fini(&text);
		}
	}
	close(in);
	if (!err)
		return trace_open_fd(fd, label, options, ret);
	if (fd >= 0)
		close(fd);
	return err;
}

struct err *capture_check_stdin(const char *in)
{
	if (strcmp(in, "-") != 0 || !inherited_was_closed(STDIN_FILENO))
		return NULL;
	return err_create(ERR_USAGE, "cannot read standard input: it is closed");
}

/* Standard input, moved away from its number: the writer of the pipe must see when we stop reading,
 * and a child must not have it. */
static struct err *take_stdin(int *ret)
{
	struct err *err = capture_check_stdin("-");
	if (err)
		return err;
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1),
	    nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && nothing >= 0)
		dup2(nothing, STDIN_FILENO);
	if (nothing >= 0)
		close(nothing);
	if (fd < 0)
		return err_sys(errno, "cannot read standard input");
	*ret = fd;
	return NULL;
}

/* Can JSON begin with this byte? White space, a comment, an object, an array, a byte order mark. */
static bool may_be_json(int first)
{
	return first > 0 && (strchr(" \t\r\n{[#/", first) || first == 0xef);
}

struct err *capture_check_not_same(const char *in, const char *out)
{
	struct stat a, b;
	bool is_stdin = !strcmp(in, "-"), is_stdout = !out || !strcmp(out, "-");
	if ((is_stdin ? fstat(STDIN_FILENO, &a) : stat(in, &a)) ||
	    (is_stdout ? fstat(STDOUT_FILENO, &b) : stat(out, &b)) || !S_ISREG(a.st_mode) ||
	    a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return NULL;
	return err_create(ERR_USAGE, "%s is both input and output",
			  is_stdin ? "standard input" : in);
}

/* The first byte decides: a capture begins with one that no text has. */
static struct err *open_by_content(const struct options *o, const char *path,
				   const struct trace_options *options, struct trace **ret)
{
	bool is_stdin = !strcmp(path, "-");
	const char *label = is_stdin ? "standard input" : path;
	struct stat st;
	int fd = -1;
	struct err *err = capture_check_not_same(path, NULL);
	if (!err)
		err = is_stdin ? take_stdin(&fd) : io_open_input(path, &fd);
	if (err)
		return err;
	bool is_file = fstat(fd, &st) != 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
	int first = spool_peek(fd);
	if (first != (unsigned char)SUPERBLOCK_MAGIC[0] && (may_be_json(first) || is_stdin))
		return is_file ? import_input(o, fd, label, options, ret)
			       : import_pipe_open(o, fd, label, options, ret);
	if (is_stdin || !is_file)
		return trace_open_fd(fd, label, options, ret);
	close(fd);
	return trace_open(path, options, ret); /* the name is watched, too */
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
	return open_capture_with(o, path, NULL, ret);
}

struct err *open_capture_with(const struct options *o, const char *path,
			      const struct trace_options *options, struct trace **ret)
{
	CLEANUP(trace) struct trace *t = NULL;
	struct err *err = open_by_content(o, path, options, &t);
	if (err)
		return err;
	if (!trace_is_stream(t)) /* the end of what has come is always incomplete */
		capture_damage_say(o, path, t);
	*ret = take_ptr(t);
	return NULL;
}

struct err *open_capture_whole(const struct options *o, const char *path, struct trace **ret)
{
	CLEANUP(trace) struct trace *t = NULL;
	struct err *err = open_capture(o, path, &t);
	if (!err)
		err = trace_read_whole(t);
	if (err)
		return err;
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
		say_error("the filter's regular expression gave up on %llu value%s (too many "
			  "steps): not matching",
			  (unsigned long long)filter_run_n_limit_hits(ret->run),
			  filter_run_n_limit_hits(ret->run) == 1 ? "" : "s");
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
