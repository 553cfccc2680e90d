/*
 * kept_view: see kept_view.h.
 */
#include "commands/kept_view.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/new_file.h"
#include "base/spool.h"
#include "commands/keep.h"
#include "merge/join.h"
#include "model/trace.h"

/* A piece is a sixteenth of what is kept, and 64 KiB at least. */
#define BYTES_LEAST (2u << 20)
#define NS_LEAST    4000000000u
/* The new capture has caught up when it is that close to the old one. */
#define CLOSE_NS 200000000u
enum { OPEN_MS = 20000 };

/* A joining process and its file. */
struct generation {
	pid_t pid; /* 0: none */
	int fd;    /* -1: none */
};

struct kept_view {
	char *path, *first;
	uint64_t max_bytes, max_ns; /* of a capture that is shown; 0: no limit */
	struct generation shown, next;
	struct trace *next_trace; /* NULL: it cannot be opened yet */
	bool is_stopped;          /* the process of the shown one was ended, because it is frozen */
};

struct feed {
	const char *path, *first;
	pid_t parent;
};

static char *piece_next(void *ctx, const char *after)
{
	const struct feed *f = ctx;
	return keep_piece_after(f->path, f->first, after);
}

static bool parent_lives(void *ctx)
{
	const struct feed *f = ctx;
	return getppid() == f->parent;
}

static NORETURN void join_process(struct kept_view *k, int fd, pid_t parent)
{
	struct feed f = { k->path, k->first, parent };
	struct join_feed feed = { piece_next, parent_lives, &f };
	struct new_file *file;
	char path[32];
	prctl(PR_SET_NAME, "auditview-join");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_IGN); /* keys are for the screen */
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTSTP, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	struct err *err = new_file_open(path, NEW_FILE_GROWS, &file);
	if (!err)
		err = join_follow(&feed, file);
	_exit(err ? 1 : 0);
}

static struct err *generation_start(struct kept_view *k, struct generation *ret)
{
	int fd = spool_file_open("auditview-kept");
	if (fd < 0)
		return err_sys(errno, "cannot make room for what is shown");
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		join_process(k, fd, parent);
	if (pid < 0) {
		struct err *err = err_sys(errno, "cannot start a process that joins the pieces");
		close(fd);
		return err;
	}
	*ret = (struct generation){ pid, fd };
	return NULL;
}

static void generation_stop(struct generation *g)
{
	if (g->pid > 0) {
		kill(g->pid, SIGKILL);
		while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (g->fd >= 0)
		close(g->fd);
	*g = (struct generation){ 0, -1 };
}

/* NULL: nothing is there yet. */
static struct trace *generation_open(const struct generation *g)
{
	struct trace *t = NULL;
	int fd = fcntl(g->fd, F_DUPFD_CLOEXEC, 3);
	struct err *err = fd < 0 ? err_sys(errno, "cannot open it again")
				 : trace_open_fd(fd, "what is kept", NULL, &t);
	err_destroy(err);
	return err ? NULL : t;
}

struct err *kept_view_create(const char *path, const char *first, const char *keep,
			     struct kept_view **ret, struct trace **ret_trace)
{
	CLEANUP(kept_view) struct kept_view *k = calloc(1, sizeof(*k));
	uint64_t bytes, ns;
	if (!k)
		return err_no_memory();
	k->shown = k->next = (struct generation){ 0, -1 };
	k->path = strdup(path);
	k->first = strdup(first);
	if (!k->path || !k->first)
		return err_no_memory();
	if (keep_parse(keep, &bytes, &ns)) {
		k->max_bytes = !bytes ? 0 : bytes > BYTES_LEAST / 2 ? 2 * bytes : BYTES_LEAST;
		k->max_ns = !ns ? 0 : ns > NS_LEAST / 2 ? 2 * ns : NS_LEAST;
	}
	struct err *err = generation_start(k, &k->shown);
	if (err)
		return err;
	for (int i = 0; i < OPEN_MS / 10 && !(*ret_trace = generation_open(&k->shown)); i++)
		poll(NULL, 0, 10);
	if (!*ret_trace)
		return err_create(ERR_TIMEOUT, "the first piece of %s cannot be read", path);
	*ret = take_ptr(k);
	return NULL;
}

void kept_view_destroy(struct kept_view *k)
{
	if (!k)
		return;
	generation_stop(&k->shown);
	generation_stop(&k->next);
	trace_close(k->next_trace);
	free(k->path);
	free(k->first);
	free(k);
}

static bool is_over_limit(const struct kept_view *k, const struct trace *shown)
{
	const struct trace_about *a = trace_about_get(shown);
	return (k->max_bytes && a->file_bytes > k->max_bytes) ||
	       (k->max_ns && a->last_ns - a->first_ns > k->max_ns);
}

/* Has the next capture what the shown one has at its end? */
static bool has_caught_up(const struct kept_view *k, const struct trace *shown)
{
	return trace_about_get(k->next_trace)->last_ns + CLOSE_NS >=
	       trace_about_get(shown)->last_ns;
}

struct trace *kept_view_renew(struct kept_view *k, struct trace *shown, bool is_frozen)
{
	struct err *err = NULL;
	if (trace_is_finished(shown))
		return NULL;
	if (is_frozen) {
		generation_stop(&k->next);
		trace_close(take_ptr(k->next_trace));
		if (is_over_limit(k, shown) && k->shown.pid > 0) {
			generation_stop(&k->shown);
			k->is_stopped = true;
		}
		return NULL;
	}
	if (k->next.fd < 0) {
		if (k->is_stopped || is_over_limit(k, shown))
			err = generation_start(k, &k->next);
		err_destroy(err); /* the next call tries again */
		return NULL;
	}
	if (!k->next_trace && !(k->next_trace = generation_open(&k->next)))
		return NULL;
	struct trace_change change;
	err_destroy(trace_refresh(k->next_trace, &change));
	if (!has_caught_up(k, shown))
		return NULL;
	generation_stop(&k->shown);
	k->shown = k->next;
	k->next = (struct generation){ 0, -1 };
	k->is_stopped = false;
	return take_ptr(k->next_trace);
}
