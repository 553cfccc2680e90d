/*
 * ending: see ending.h.
 */
#include "recorder/ending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/new_file.h"
#include "base/strbuf.h"
#include "capture/block.h"
#include "capture/capture_count.h"
#include "recorder/client.h"
#include "recorder/counts.h"
#include "recorder/decoder.h"
#include "recorder/process.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"
#include "recorder/taps.h"
#include "recorder/unwatched.h"
#include "visit/probe_link.h"

void ending_stop(struct recorder *r, enum end_stop why)
{
	if (r->end.stop == END_STOP_UNKNOWN)
		r->end.stop = (uint8_t)why;
}

void ending_request(struct recorder *r, enum end_stop why)
{
	ending_stop(r, why);
	if (!phase_is_leaving(r->phase))
		r->phase = PHASE_LEAVING;
}

/* What the first target runs now, or ran last. */
static const struct process *last_program(const struct recorder *r, pid_t pid)
{
	for (size_t i = r->processes.n; i-- > 0;)
		if (r->processes.v[i]->pid == pid)
			return r->processes.v[i];
	return r->first;
}

void ending_take(struct recorder *r, struct session_end *e)
{
	*e = r->end;
	e->is_launched = r->launched != LAUNCHED_NONE;
	e->target_pid = 0;
	e->target_ended = END_NO;
	e->exit_status = -1;
	if (e->is_launched) {
		bool has_ended = r->launched == LAUNCHED_ENDED;
		e->target_pid = r->launched_pid;
		e->target_ended = has_ended ? END_YES : END_NO;
		e->exit_status = has_ended ? r->launched_status : -1;
	} else if (r->first) {
		const struct process *last = last_program(r, r->first->pid);
		e->target_pid = last->pid;
		/* if it was not followed, its end is not seen */
		e->target_execed = last->execed && process_has_memory(last->pid);
		e->target_ended = last->ended && !e->target_execed ? END_YES : END_NO;
		e->exit_status = last->status;
	}
	e->n_children = r->n_children;
	e->are_children_known = true;
	e->pause_ns = r->pause_ns;
	for (size_t i = 0; i < r->taps.n; i++)
		if (r->taps.v[i]->link->pause_ns > e->pause_ns)
			e->pause_ns = r->taps.v[i]->link->pause_ns;
	if (r->writer)
		session_end_count(e, writer_n_events(r->writer));
}

/* Why the file is not whole: the first error counts. */
static void write_failed(struct recorder *r, const struct err *err)
{
	if (!err || r->end.write_error[0] || r->end.reader_left)
		return;
	if (err->sys == EPIPE) { /* the reader of the pipe has closed it, which is no failure */
		r->end.reader_left = true;
		return;
	}
	snprintf(r->end.write_error, sizeof(r->end.write_error), "%s", err->message);
	snprintf(r->end.write_hint, sizeof(r->end.write_hint), "%s", err->hint ? err->hint : "");
}

void ending_flush(struct recorder *r)
{
	struct err *err = writer_flush(r->writer);
	write_failed(r, err);
	err_destroy(err);
}

/* After all is drained: note what each process lost and has not reported itself, and its totals. */
static void close_clients(struct recorder *r)
{
	client_recycle_ended(r);
	taps_count_unserved(r);
	for (size_t i = 0; i < r->taps.n; i++) {
		struct tap *t = r->taps.v[i];
		tap_check(r, t);
		for (uint32_t k = 0; k < t->n_slots; k++) {
			struct client *c = t->clients[k];
			if (!c)
				continue;
			client_count_losses(r, t, k);
			counts_take(r, t, k);
			client_add_totals(r, c);
		}
	}
}

/* If no Python was found, keep an older capture of the same name instead of an empty one. */
static bool keep_older(struct recorder *r)
{
	struct session_end *e = &r->end;
	if (e->n_events || r->taps.n || e->write_error[0] ||
	    !new_file_replaces(writer_file(r->writer)))
		return false;
	writer_discard(r->writer);
	r->writer = NULL;
	snprintf(e->write_error, sizeof(e->write_error),
		 "nothing was recorded, so %s stays as it was", r->options.path);
	e->is_file_whole = END_NO;
	return true;
}

/* How many events are in the file. If the disk was full when it was begun, it has no head: then
 * there are none. A file without any name is lost. `fd` is taken over. */
static struct err *count_file(int fd, const char *path, uint64_t *ret)
{
	struct stat st;
	if (fd < 0)
		return err_create(ERR_SYS, "cannot count what is in %s", path);
	if (fstat(fd, &st) != 0 || (st.st_nlink && st.st_size >= (off_t)sizeof(struct superblock)))
		return capture_count_fd(fd, path, ret);
	close(fd);
	*ret = 0;
	return NULL;
}

/* Write the last note, close the file, and find out what it holds. */
static void close_file(struct recorder *r)
{
	struct session_end *e = &r->end;
	for (size_t i = 0; i < r->processes.n; i++)
		unwatched_add_late(r, r->processes.v[i]);
	unwatched_say(r, e->unwatched, sizeof(e->unwatched));
	ending_flush(r);
	ending_take(r, e);
	session_end_count(e, writer_n_written(r->writer));
	e->lost[LOSS_UNWRITTEN] = writer_n_unwritten(r->writer);
	if (keep_older(r))
		return;
	struct strbuf text = { 0 };
	session_end_add_line(e, NULL, &text); /* without the name of the file itself */
	struct note_info note = { .kind = NOTE_GOODBYE,
				  .time_ns = clock_time_now(&r->clock),
				  .process = UINT32_MAX,
				  .text = writer_string(r->writer, strbuf_str(&text), text.n),
				  .a = e->pause_ns,
				  .b = (e->restored == END_YES ? GOODBYE_RESTORED : 0) |
				       (e->restored == END_UNKNOWN ? GOODBYE_RESTORED_UNKNOWN : 0) |
				       (e->is_loss_known ? 0 : GOODBYE_LOST_UNKNOWN) };
	writer_note(r->writer, &note);
	strbuf_fini(&text);
	uint64_t n_before = writer_n_before(r->writer);
	bool is_stream = new_file_is_stream(writer_file(r->writer));
	/* by its name another file may be found then */
	int fd = is_stream ? -1 : fcntl(new_file_fd(writer_file(r->writer)), F_DUPFD_CLOEXEC, 0);
	struct err *err = writer_close(r->writer);
	r->writer = NULL;
	write_failed(r, err);
	err_destroy(err);
	e->is_file_whole = e->write_error[0] || e->reader_left ? END_NO : END_YES;
	/* a stream cannot be read again */
	if (e->is_file_whole == END_YES || is_stream) {
		if (e->write_error[0]) /* how much the reader has is unknown */
			e->is_counted = e->is_loss_known = false;
		if (fd >= 0)
			close(fd);
		return;
	}
	/* After a failed close(2) it is unknown how much of what was written before is in the file
	 * (close(2), "Dealing with error returns"): count it. */
	uint64_t n_events, n_handed = e->n_events + e->lost[LOSS_UNWRITTEN];
	err = count_file(fd, r->options.path, &n_events);
	if (!err) {
		session_end_count(e, n_before + n_events);
		n_events += n_before;
		e->lost[LOSS_UNWRITTEN] = n_handed > n_events ? n_handed - n_events : 0;
	} else {
		e->is_counted = e->is_loss_known = false;
		e->lost[LOSS_UNWRITTEN] = 0;
	}
	err_destroy(err);
}

void ending_close(struct recorder *r)
{
	close_clients(r);
	close_file(r);
}
