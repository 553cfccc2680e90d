/*
 * captures: see captures.h.
 */
#include "commands/captures.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/new_file.h"
#include "base/say.h"
#include "commands/open_capture.h"
#include "merge/merger.h"
#include "model/trace.h"
#include "options.h"

/* ---- FILE=VALUE ---- */

/* Which inputs does `name` mean: the number of one, or the path of any. */
static bool names_input(const struct options *o, size_t i, const char *name, size_t n)
{
	char number[24];
	int n_number = snprintf(number, sizeof(number), "%zu", i + 1);
	return (n == (size_t)n_number && !memcmp(number, name, n)) ||
	       (n == strlen(o->args[i]) && !memcmp(o->args[i], name, n));
}

static bool offset_parse(const char *text, int64_t *ret)
{
	uint64_t ns;
	bool is_negative = *text == '-';
	if (*text == '-' || *text == '+')
		text++;
	if (!options_number_parse(text, OPTION_DURATION, &ns) || ns > INT64_MAX)
		return false;
	*ret = is_negative ? -(int64_t)ns : (int64_t)ns;
	return true;
}

/* Apply one FILE=VALUE; both are NUL-terminated. */
static struct err *setting_apply(const struct options *o, struct captures *c, const char *option,
				 const char *file, char *value)
{
	bool is_host = !strcmp(option, "--host"), is_known = false;
	for (size_t i = 0; i < c->n; i++) {
		if (!names_input(o, i, file, strlen(file)))
			continue;
		is_known = true;
		if (is_host ? c->inputs[i].host != NULL : c->inputs[i].offset_ns != 0)
			return err_create(ERR_USAGE, "%s is given twice for %s", option,
					  o->args[i]);
		if (is_host)
			c->inputs[i].host = value;
		else if (!offset_parse(value, &c->inputs[i].offset_ns))
			return err_create(ERR_USAGE,
					  "cannot use \"%s\" for --offset: expected a time such as "
					  "1.5s or -20ms",
					  value);
	}
	if (is_known && (!is_host || *value))
		return NULL;
	return err_with_hint(
	    err_create(ERR_USAGE, "%s: \"%s\" is none of the captures", option, file),
	    "say %s FILE=%s, with a path as it is given, or its number: 1 is the "
	    "first",
	    option, is_host ? "NAME" : "TIME");
}

/* Split "FILE=VALUE,FILE=VALUE", in place. */
static struct err *settings_apply(const struct options *o, struct captures *c, const char *option,
				  char *text)
{
	while (text && *text) {
		char *comma = strchr(text, ','), *next = comma ? comma + 1 : NULL;
		if (comma)
			*comma = '\0';
		char *equals = strrchr(text, '=');
		if (equals)
			*equals = '\0';
		struct err *err = setting_apply(o, c, option, text, equals ? equals + 1 : text);
		if (err)
			return err;
		text = next;
	}
	return NULL;
}

/* ---- opening ---- */

struct err *captures_open(const struct options *o, bool whole, struct captures *ret)
{
	struct captures c = { .inputs = calloc(o->n_args + 1, sizeof(*c.inputs)) };
	struct trace_options t = { .cache_bytes = merger_cache_bytes(o->n_args) };
	struct err *err = c.inputs ? NULL : err_no_memory();
	char *offsets = NULL;
	size_t n_stdin = 0;
	c.n = c.inputs ? o->n_args : 0;
	for (size_t i = 0; i < c.n; i++) {
		c.inputs[i].path = o->args[i];
		n_stdin += !strcmp(o->args[i], "-");
	}
	if (!err && n_stdin > 1)
		err = err_create(ERR_USAGE, "standard input can be one of the captures, not two");
	if (!err && ((o->offsets && !(offsets = strdup(o->offsets))) ||
		     (o->hosts && !(c.hosts = strdup(o->hosts)))))
		err = err_no_memory();
	if (!err)
		err = settings_apply(o, &c, "--offset", offsets);
	if (!err)
		err = settings_apply(o, &c, "--host", c.hosts);
	for (size_t i = 0; i < c.n && !err; i++)
		err = open_capture_with(o, o->args[i], &t, &c.inputs[i].trace);
	for (size_t i = 0; i < c.n && !err && whole; i++)
		err = trace_read_whole(c.inputs[i].trace);
	for (size_t i = 0; i < c.n && !err; i++)
		if (c.inputs[i].host && trace_n_hosts(c.inputs[i].trace))
			err = err_create(ERR_USAGE,
					 "--host: %s is a capture of several hosts, and has their "
					 "names",
					 o->args[i]);
	free(offsets);
	if (err)
		captures_fini(&c);
	else
		*ret = c;
	return err;
}

void captures_damage_say(const struct options *o, const struct captures *c)
{
	for (size_t i = 0; i < c->n; i++)
		capture_damage_say(o, c->inputs[i].path, c->inputs[i].trace);
}

void captures_fini(struct captures *c)
{
	for (size_t i = 0; i < c->n; i++)
		trace_close(c->inputs[i].trace);
	free(c->inputs);
	free(c->hosts);
	*c = (struct captures){ 0 };
}

/* ---- as one ---- */

/* A file without a name; it is gone when it is closed. */
static struct err *unnamed_file(int *ret)
{
	const char *folder = getenv("TMPDIR");
	int fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = memfd_create("auditview-merge", MFD_CLOEXEC);
	if (fd < 0)
		return err_sys(errno, "cannot make room to merge the captures");
	*ret = fd;
	return NULL;
}

static bool parent_lives(void *ctx)
{
	return getppid() == *(const pid_t *)ctx;
}

static NORETURN void follow_in_child(struct merger *m, pid_t parent)
{
	/* Keys at the terminal are for the screen; the end of the parent ends this process. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	struct err *err = merger_follow(m, parent_lives, &parent);
	if (!err)
		err = merger_close(m);
	_exit(err ? 1 : 0);
}

/* Merge what there is, and leave the rest to a process of its own if something is growing. */
static struct err *merge_into(const struct options *o, struct captures *c, bool follow, int fd)
{
	CLEANUP(merger) struct merger *m = NULL;
	struct new_file *file;
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct err *err = new_file_open(path, NEW_FILE_GROWS, &file);
	if (!err)
		err = merger_create(c->inputs, c->n, file, &m);
	if (err)
		return err;
	bool is_growing = false;
	for (size_t i = 0; i < c->n; i++)
		is_growing |= !trace_is_over(c->inputs[i].trace);
	if (follow && is_growing) {
		pid_t parent = getpid(), pid = fork();
		if (pid < 0)
			return err_sys(errno, "cannot start a process that merges");
		if (pid == 0)
			follow_in_child(m, parent);
		merger_forget(take_ptr(m));
		for (size_t i = 0; i < c->n; i++)
			trace_forget(take_ptr(c->inputs[i].trace));
		return NULL;
	}
	err = merger_run(m);
	if (err)
		return err;
	captures_damage_say(o, c);
	if (merger_excess(m) && !o->quiet)
		say_error("%s describes more than its size explains: parts of it are left out",
			  merger_excess(m));
	return merger_close(take_ptr(m));
}

struct err *captures_open_as_one(const struct options *o, bool follow, struct trace **ret)
{
	struct captures c;
	int fd = -1;
	if (o->n_args == 1)
		return follow ? open_capture(o, o->args[0], ret)
			      : open_capture_whole(o, o->args[0], ret);
	struct err *err = captures_open(o, !follow, &c);
	if (err)
		return err;
	err = unnamed_file(&fd);
	if (!err)
		err = merge_into(o, &c, follow, fd);
	captures_fini(&c);
	if (!err)
		return trace_open_fd(fd, "the captures", NULL, ret);
	if (fd >= 0)
		close(fd);
	return err;
}
