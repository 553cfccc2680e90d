/*
 * join: see join.h.
 */
#include "merge/join.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/new_file.h"
#include "capture/writer.h"
#include "merge/copier.h"
#include "merge/id_map.h"
#include "model/trace.h"

/* Each piece is read from its begin to its end, once, and the recorder's memory should stay as it
 * was. */
#define CACHE_BYTES    (4u << 20)
#define POOL_PAGES_MAX 2048u /* 8 MiB */

struct join {
	struct writer *w;
	struct new_file *file; /* NULL once the writer has it */
	struct id_pool pool;
	struct copier_family family;
};

static struct err *writer_start(struct join *j, const struct trace *t)
{
	const struct trace_about *about = trace_about_get(t);
	struct writer_options w = { .wall_anchor_ns = about->wall_anchor_ns,
				    .creator = "auditview " AUDITVIEW_VERSION,
				    .host = about->host,
				    .boot_id = about->boot_id,
				    .is_in_hurry = true };
	return writer_open_file(take_ptr(j->file), &w, &j->w);
}

static struct err *events_copy(struct join *j, struct trace *t, struct copier *c)
{
	uint32_t n;
	for (uint32_t k = 0; k < trace_n_chunks(t); k++) {
		uint64_t first = (uint64_t)k << TRACE_CHUNK_SHIFT;
		struct err *err = copier_chunk(c, k, 0);
		if (err)
			return err;
		copier_times(c, &n);
		for (uint32_t i = 0; i < n; i++) {
			copier_notes(c, first + i);
			copier_event(c, i);
		}
		if (writer_is_broken(j->w))
			break;
	}
	copier_notes(c, UINT64_MAX);
	return writer_flush(j->w);
}

static struct err *piece_copy(struct join *j, struct trace *t)
{
	CLEANUP(copier) struct copier *c = NULL;
	struct copier_options o = { .pool = &j->pool, .family = &j->family };
	struct err *err = j->w ? NULL : writer_start(j, t);
	if (!err)
		err = copier_create(t, j->w, &o, &c);
	if (!err)
		err = copier_processes(c);
	return err ? err : events_copy(j, t, c);
}

static void note_gap(struct join *j, const char *name, const struct err *why)
{
	char text[512];
	if (!j->w)
		return;
	snprintf(text, sizeof(text), "%s could not be read, and is missing here: %s", name,
		 why->message);
	struct note_info note = { .kind = NOTE_WARNING,
				  .process = UINT32_MAX,
				  .text = writer_string(j->w, text, strlen(text)) };
	writer_note(j->w, &note);
}

/* ---- while the pieces are written ---- */

enum { FOLLOW_POLL_MS = 40 };

/* The piece that is followed. */
struct followed {
	char *path;
	struct trace *trace; /* NULL: none is open */
	struct copier *copier;
	uint64_t next; /* seq of the first event that is not copied */
	bool is_last;  /* the recorder has said goodbye in it */
};

static void followed_close(struct followed *f)
{
	copier_destroy(f->copier);
	trace_close(f->trace);
	f->copier = NULL;
	f->trace = NULL;
	f->next = 0;
}

/* Open the next piece, if it is there. */
static struct err *followed_open(struct join *j, const struct join_feed *feed, struct followed *f)
{
	char *path = feed->next(feed->ctx, f->path);
	if (!path)
		return NULL;
	struct copier_options o = { .pool = &j->pool, .family = &j->family };
	struct trace_options t = { .cache_bytes = CACHE_BYTES };
	struct err *err = trace_open(path, &t, &f->trace);
	if (err && err->code == ERR_CORRUPT) { /* it has no head yet */
		char *later = feed->next(feed->ctx, path);
		bool is_abandoned = later != NULL;
		free(later);
		if (!is_abandoned) {
			err_destroy(err);
			free(path);
			return NULL;
		}
	}
	free(f->path);
	f->path = path;
	if (err) { /* it has been removed, or cannot be read */
		note_gap(j, path, err);
		err_destroy(err);
		return NULL;
	}
	err = j->w ? NULL : writer_start(j, f->trace);
	if (!err)
		err = copier_create(f->trace, j->w, &o, &f->copier);
	return err ? err : copier_processes(f->copier);
}

/* Copy what the piece has now. */
static struct err *followed_copy(struct join *j, struct followed *f)
{
	struct trace_change change = { 0 };
	uint32_t n;
	struct err *err = trace_refresh(f->trace, &change);
	if (!err && change.processes)
		err = copier_processes(f->copier);
	while (!err && f->next < trace_n_events(f->trace) && !writer_is_broken(j->w)) {
		err = copier_chunk(f->copier, (uint32_t)(f->next >> TRACE_CHUNK_SHIFT),
				   (uint32_t)(f->next & (TRACE_CHUNK - 1)));
		if (err)
			break;
		copier_times(f->copier, &n);
		if (!n)
			break;
		for (uint32_t i = 0; i < n; i++) {
			copier_notes(f->copier, f->next);
			copier_event(f->copier, i);
			f->next++;
		}
	}
	if (!err) {
		copier_notes(f->copier, f->next);
		err = writer_flush(j->w);
	}
	uint32_t n_notes = trace_n_notes(f->trace);
	f->is_last = n_notes && trace_note_get(f->trace, n_notes - 1)->note.kind == NOTE_GOODBYE;
	return err;
}

struct err *join_follow(const struct join_feed *feed, struct new_file *file)
{
	struct join j = { .file = file, .pool.n_pages_max = POOL_PAGES_MAX };
	struct followed f = { 0 };
	struct err *err = NULL;
	while (!err && feed->is_wanted(feed->ctx)) {
		if (!f.trace)
			err = followed_open(&j, feed, &f);
		if (!err && f.trace)
			err = followed_copy(&j, &f);
		bool is_whole = !err && f.trace && trace_is_finished(f.trace);
		if (is_whole && f.is_last)
			break;
		if (is_whole)
			followed_close(&f);
		else if (!err)
			poll(NULL, 0, FOLLOW_POLL_MS);
	}
	followed_close(&f);
	free(f.path);
	if (!err && j.w)
		err = f.is_last ? writer_close(take_ptr(j.w)) : writer_flush(j.w);
	writer_destroy(j.w);
	new_file_destroy(j.file);
	copier_family_fini(&j.family);
	return err;
}

struct err *join_write(const int *fds, const char *const *names, size_t n, struct new_file *file,
		       const struct join_options *options, uint64_t *ret_n_events)
{
	struct join j = { .file = file, .pool.n_pages_max = POOL_PAGES_MAX };
	struct err *err = NULL;
	for (size_t i = 0; i < n; i++) {
		CLEANUP(trace) struct trace *t = NULL;
		if (fds[i] < 0)
			continue;
		if (err) {
			close(fds[i]);
			continue;
		}
		struct trace_options o = { .cache_bytes = CACHE_BYTES };
		struct err *unread = trace_open_fd(fds[i], names[i], &o, &t);
		if (unread)
			note_gap(&j, names[i], unread);
		else
			err = piece_copy(&j, t);
		err_destroy(unread);
		if (!err && !unread && options->done)
			options->done(options->ctx, i);
	}
	if (!err && !j.w)
		err = err_create(ERR_NOT_FOUND, "nothing is kept yet");
	if (!err)
		*ret_n_events = writer_n_events(j.w);
	if (!err)
		err = writer_close(take_ptr(j.w));
	writer_destroy(j.w); /* what is in it stays */
	new_file_destroy(j.file);
	copier_family_fini(&j.family);
	return err;
}
