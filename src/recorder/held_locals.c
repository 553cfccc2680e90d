/*
 * held_locals: see held_locals.h.
 */
#include "recorder/held_locals.h"

#include <string.h>

#include "base/log.h"
#include "base/monotonic.h"
#include "base/strbuf.h"
#include "base/value_add.h"
#include "capture/block.h"
#include "recorder/holds.h"
#include "recorder/notes.h"
#include "recorder/recorder_private.h"
#include "recorder/tap.h"
#include "recorder/translate.h"
#include "stacks/snapshot.h"
#include "visit/probe_link.h"

#define READING_NS 1000000000ull

bool held_locals_are_kept(const struct recorder *r)
{
	return r->options.hold_locals_bytes > 0;
}

static void fail(struct recorder *r, const struct held *h, const char *why)
{
	if (!r->holds.has_no_locals)
		notes_add(r, NOTE_WARNING, h->info.process,
			  "the variables of thread %d of process %d are not in the capture: %s",
			  (int)h->info.tid, (int)h->info.pid, why);
	r->holds.has_no_locals = true;
}

static void text_add(struct strbuf *to, const char *key, const char *text)
{
	value_add_str(to, key, strlen(key));
	value_add_str(to, text, strlen(text));
}

/* Append the DICT of a frame. vars NULL: they are not known. */
static void frame_add(struct strbuf *to, const struct snapshot_frame *f, const struct strbuf *vars)
{
	struct strbuf items = { 0 };
	text_add(&items, "func", f->function);
	text_add(&items, "file", f->file);
	value_add_str(&items, "line", 4);
	strbuf_addc(&items, VALUE_INT);
	strbuf_add_varint(&items, zigzag(f->line));
	value_add_str(&items, "vars", 4);
	if (vars)
		strbuf_add(&items, vars->s, vars->n);
	else
		strbuf_addc(&items, VALUE_NONE);
	value_add_container(to, VALUE_DICT, 4, 4, &items);
	strbuf_fini(&items);
}

/* The frames of a thread as one value, without secrets, of at most max_bytes. Variables for which
 * there is no room are not known; frames for which there is none are cut off at the outer end. */
static void frames_add(struct recorder *r, const struct snapshot_thread *t, size_t max_bytes,
		       struct strbuf *to)
{
	struct strbuf frames = { 0 };
	uint64_t n_kept = 0;
	for (uint32_t i = 0; i < t->n_shown && i < t->left_out_at; i++, n_kept++) {
		const struct snapshot_frame *f = &t->frames[i];
		struct strbuf vars = { 0 };
		size_t before = frames.n;
		bool is_known = f->locals &&
				translate_locals(r->redactor, f->locals, f->n_locals, &vars);
		frame_add(&frames, f, is_known ? &vars : NULL);
		strbuf_fini(&vars);
		if (frames.n > max_bytes && is_known) {
			strbuf_cut(&frames, before);
			frame_add(&frames, f, NULL);
		}
		if (frames.n > max_bytes) {
			strbuf_cut(&frames, before);
			break;
		}
	}
	if (n_kept)
		value_add_container(to, VALUE_LIST, t->n_frames < n_kept ? n_kept : t->n_frames,
				    n_kept, &frames);
	strbuf_fini(&frames);
}

static void keep(struct recorder *r, const struct held *h, const struct snapshot *s)
{
	const struct snapshot_thread *t = s && s->n_threads ? &s->threads[0] : NULL;
	struct strbuf value = { 0 };
	if (t && t->kind == SNAPSHOT_STACK)
		frames_add(r, t, r->options.hold_locals_bytes, &value);
	if (!value.n || value.failed)
		fail(r, h, "its stack could not be read");
	else if (h->n_before != writer_n_before(r->writer))
		fail(r, h, "another file was begun meanwhile");
	else
		writer_event_locals(r->writer, h->info.seq,
				    writer_value(r->writer, value.s, value.n));
	strbuf_fini(&value);
}

void held_locals_end(struct recorder *r, struct held *h)
{
	if (h->locals == HELD_LOCALS_READING) {
		snapshot_job_destroy(r->holds.job);
		r->holds.job = NULL;
	}
	h->locals = HELD_LOCALS_DONE;
}

static void begin(struct recorder *r, struct held *h)
{
	struct err *err = snapshot_begin(h->info.pid, h->info.tid, &h->tap->link->runtime,
					 &r->holds.job);
	h->locals = err ? HELD_LOCALS_DONE : HELD_LOCALS_READING;
	r->holds.job_ns = monotonic_ns();
	if (err)
		fail(r, h, err->message);
	err_destroy(err);
}

void held_locals_poll(struct recorder *r, struct held *h)
{
	struct snapshot *s = NULL;
	switch ((enum held_locals_state)h->locals) {
	case HELD_LOCALS_DONE: return;
	case HELD_LOCALS_WANTED:
		if (!r->holds.job)
			begin(r, h);
		return;
	case HELD_LOCALS_READING:
		if (snapshot_is_done(r->holds.job, &s))
			keep(r, h, s);
		else if (monotonic_ns() - r->holds.job_ns < READING_NS)
			return;
		else
			fail(r, h, "they could not be read within a second");
		snapshot_destroy(s);
		held_locals_end(r, h);
		return;
	}
}
