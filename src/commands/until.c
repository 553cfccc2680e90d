/*
 * until: see until.h.
 */
#include "commands/until.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "commands/open_capture.h"
#include "model/filter.h"
#include "model/selection.h"
#include "model/trace.h"

struct until {
	const char *text;
	struct trace *trace;
	struct filter *filter;
	struct filter_run *run;
	uint64_t next; /* the first event that was not checked yet */
};

struct err *until_create(const char *text, struct until **ret)
{
	struct err *err = capture_filter_check("--until", text);
	struct until *u = err ? NULL : calloc(1, sizeof(*u));
	if (!err && !u)
		err = err_no_memory();
	if (err)
		return err;
	u->text = text;
	*ret = u;
	return NULL;
}

void until_destroy(struct until *u)
{
	if (!u)
		return;
	filter_run_destroy(u->run);
	filter_destroy(u->filter);
	trace_close(u->trace);
	free(u);
}

static struct err *until_open(struct until *u, int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return err_sys(errno, "cannot read the capture for --until");
	struct err *err = trace_open_fd(own, "the capture", NULL, &u->trace);
	if (!err)
		err = filter_compile(u->text, strlen(u->text), u->trace, &u->filter);
	if (err && err->code == ERR_SYNTAX)
		err = capture_filter_error("--until", u->text, err);
	return err ? err : filter_run_create(u->trace, u->filter, NULL, &u->run);
}

static struct err *gate(void *ctx, int fd, uint64_t *ret_n_events)
{
	struct until *u = ctx;
	struct trace_change change;
	struct err *err = u->trace ? trace_refresh(u->trace, &change) : until_open(u, fd);
	if (!err)
		err = filter_run_step(u->run, UINT64_MAX, NULL);
	if (err)
		return err;
	uint64_t hit = selection_next(filter_run_rows(u->run), u->next),
		 n = trace_n_events(u->trace);
	*ret_n_events = hit < n ? hit + 1 : UINT64_MAX;
	u->next = n;
	trace_trim(u->trace);
	return NULL;
}

/* The next file is another capture, with events from number 0 on. */
static void turned(void *ctx)
{
	struct until *u = ctx;
	filter_run_destroy(u->run);
	filter_destroy(u->filter);
	trace_close(u->trace);
	*u = (struct until){ .text = u->text };
}

struct writer_gate until_gate(struct until *u)
{
	return (struct writer_gate){ .fn = u ? gate : NULL, .turned = turned, .ctx = u };
}
