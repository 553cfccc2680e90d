/*
 * merger: see merge.h. A heap holds the inputs that have an event ready; its key is the latest time
 * that was seen in the input so far, because times within a capture ascend only nearly.
 */
#include "merge/merger.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/new_file.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "capture/writer.h"
#include "merge/copier.h"
#include "merge/id_map.h"
#include "model/trace.h"

#define HOLD_NS     1000000000u
#define POLL_MS     100
#define CACHE_BYTES (16u << 20) /* of all inputs */
#define CACHE_LEAST (1u << 20)

struct source {
	struct merge_input in;
	struct copier *copier;
	uint64_t next; /* seq of the first event that is not copied */
	uint32_t row, n_rows;
	const uint64_t *times;
	uint64_t key;
	uint64_t wall_anchor_ns; /* with the offset */
	bool is_at_end;          /* it does not grow any more */
};

struct merger {
	struct writer *w;
	struct source *sources;
	size_t n;
	struct source **heap;
	size_t n_heap;
	struct id_pool pool;
	uint64_t wall_anchor_ns;
};

size_t merger_cache_bytes(size_t n_inputs)
{
	size_t n = CACHE_BYTES / (n_inputs ? n_inputs : 1);
	return n > CACHE_LEAST ? n : CACHE_LEAST;
}

/* ---- the heap ---- */

static bool is_before(const struct source *a, const struct source *b)
{
	return a->key < b->key || (a->key == b->key && a < b);
}

static void heap_sink(struct merger *m, size_t at)
{
	struct source *s = m->heap[at];
	for (size_t child; (child = 2 * at + 1) < m->n_heap; at = child) {
		if (child + 1 < m->n_heap && is_before(m->heap[child + 1], m->heap[child]))
			child++;
		if (!is_before(m->heap[child], s))
			break;
		m->heap[at] = m->heap[child];
	}
	m->heap[at] = s;
}

static void heap_add(struct merger *m, struct source *s)
{
	size_t at = m->n_heap++;
	for (; at && is_before(s, m->heap[(at - 1) / 2]); at = (at - 1) / 2)
		m->heap[at] = m->heap[(at - 1) / 2];
	m->heap[at] = s;
}

static void heap_drop_first(struct merger *m)
{
	m->heap[0] = m->heap[--m->n_heap];
	if (m->n_heap)
		heap_sink(m, 0);
}

/* ---- inputs ---- */

static void key_update(struct source *s)
{
	if (s->times[s->row] > s->key)
		s->key = s->times[s->row];
}

/* Make the next rows ready. *ret: there are some. */
static struct err *rows_load(struct source *s, bool *ret)
{
	*ret = s->next < trace_n_events(s->in.trace);
	if (!*ret)
		return NULL;
	struct err *err = copier_chunk(s->copier, (uint32_t)(s->next >> TRACE_CHUNK_SHIFT),
				       (uint32_t)(s->next & (TRACE_CHUNK - 1)));
	if (err)
		return err;
	s->row = 0;
	s->times = copier_times(s->copier, &s->n_rows);
	*ret = s->n_rows > 0;
	if (*ret)
		key_update(s);
	return NULL;
}

static uint64_t add_offset(uint64_t anchor_ns, int64_t offset_ns)
{
	uint64_t sum = anchor_ns + (uint64_t)offset_ns;
	if (offset_ns < 0)
		return sum > anchor_ns ? 0 : sum;
	return sum < anchor_ns ? UINT64_MAX : sum;
}

/* "web-1" of "/var/tmp/web-1.avc" */
static size_t label_of(const char *path, const char **ret)
{
	const char *slash = strrchr(path, '/');
	*ret = slash && slash[1] ? slash + 1 : path;
	size_t n = strlen(*ret);
	return n > 4 && !strcmp(*ret + n - 4, ".avc") ? n - 4 : n;
}

static struct err *source_start(struct merger *m, struct source *s)
{
	const struct trace_about *about = trace_about_get(s->in.trace);
	const char *label, *host = s->in.host ? s->in.host : about->host;
	size_t n_label = label_of(s->in.path, &label);
	struct host_info h = {
		.boot_id = *about->boot_id
			       ? writer_string(m->w, about->boot_id, strlen(about->boot_id))
			       : 0,
		.label = writer_string(m->w, label, n_label),
		.wall_anchor_ns = s->wall_anchor_ns,
		.flags = *host ? 0 : HOST_NAME_IS_LABEL,
	};
	h.name = *host ? writer_string(m->w, host, strlen(host)) : h.label;
	struct copier_options o = { .shift_ns = s->wall_anchor_ns - m->wall_anchor_ns,
				    .pool = &m->pool,
				    .host = &h,
				    .offset_ns = s->in.offset_ns };
	s->is_at_end = trace_is_over(s->in.trace) || trace_is_disturbed(s->in.trace);
	struct err *err = copier_create(s->in.trace, m->w, &o, &s->copier);
	return err ? err : copier_processes(s->copier);
}

struct err *merger_create(const struct merge_input *inputs, size_t n, struct new_file *file,
			  struct merger **ret)
{
	CLEANUP(merger) struct merger *m = calloc(1, sizeof(*m));
	if (m) {
		m->sources = calloc(n ? n : 1, sizeof(*m->sources));
		m->heap = calloc(n ? n : 1, sizeof(struct source *));
	}
	if (!m || !m->sources || !m->heap) {
		new_file_destroy(file);
		return err_no_memory();
	}
	m->n = n;
	m->pool.n_pages_max = ID_POOL_PAGES;
	m->wall_anchor_ns = UINT64_MAX;
	for (size_t i = 0; i < n; i++) {
		struct source *s = &m->sources[i];
		s->in = inputs[i];
		s->wall_anchor_ns = add_offset(trace_about_get(s->in.trace)->wall_anchor_ns,
					       s->in.offset_ns);
		if (s->wall_anchor_ns < m->wall_anchor_ns)
			m->wall_anchor_ns = s->wall_anchor_ns;
	}
	struct writer_options w = { .wall_anchor_ns = m->wall_anchor_ns,
				    .creator = "auditview " AUDITVIEW_VERSION,
				    .is_in_hurry = true };
	struct err *err = writer_open_file(file, &w, &m->w);
	for (size_t i = 0; i < n && !err; i++)
		err = source_start(m, &m->sources[i]);
	if (!err)
		err = writer_flush(m->w);
	if (err)
		return err;
	*ret = take_ptr(m);
	return NULL;
}

/* ---- running ---- */

/* Copy events of the first input of the heap as long as they come before those of all others. */
static struct err *first_copy(struct merger *m, uint64_t limit_ns)
{
	struct source *s = m->heap[0], *second = NULL;
	bool is_ready = true;
	if (m->n_heap > 1)
		second = m->n_heap > 2 && is_before(m->heap[2], m->heap[1]) ? m->heap[2]
									    : m->heap[1];
	while (s->key <= limit_ns && (!second || is_before(s, second))) {
		copier_notes(s->copier, s->next);
		copier_event(s->copier, s->row);
		s->next++;
		if (++s->row < s->n_rows) {
			key_update(s);
			continue;
		}
		struct err *err = rows_load(s, &is_ready);
		if (!err && writer_is_broken(m->w))
			err = writer_flush(m->w);
		if (err)
			return err;
		if (!is_ready) {
			copier_notes(s->copier, s->next);
			heap_drop_first(m);
			return NULL;
		}
	}
	heap_sink(m, 0);
	return NULL;
}

/* Copy all events up to a time. */
static struct err *copy_until(struct merger *m, uint64_t limit_ns)
{
	while (m->n_heap && m->heap[0]->key <= limit_ns) {
		struct err *err = first_copy(m, limit_ns);
		if (err)
			return err;
	}
	return writer_is_broken(m->w) ? writer_flush(m->w) : NULL;
}

/* Put inputs that have new rows into the heap. */
static struct err *sources_ready(struct merger *m)
{
	for (size_t i = 0; i < m->n; i++) {
		struct source *s = &m->sources[i];
		bool is_ready, is_in = false;
		for (size_t k = 0; k < m->n_heap; k++)
			is_in |= m->heap[k] == s;
		if (is_in)
			continue;
		struct err *err = rows_load(s, &is_ready);
		if (err)
			return err;
		if (is_ready)
			heap_add(m, s);
		else
			copier_notes(s->copier, s->next);
	}
	return NULL;
}

struct err *merger_run(struct merger *m)
{
	struct err *err = sources_ready(m);
	return err ? err : copy_until(m, UINT64_MAX);
}

static uint64_t wall_now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* An input has ended while the merge went on. If its end is missing, the copy says so, because
 * the input is read by no one else. `why` NULL: what the trace says. */
static void source_end(struct merger *m, struct source *s, const char *why)
{
	struct strbuf text = { 0 };
	uint64_t now = wall_now_ns();
	s->is_at_end = true;
	why = why ? why : trace_damage(s->in.trace);
	if (!why)
		return;
	strbuf_addf(&text, "%s: %s", s->in.path, why);
	copier_warn(s->copier, now > m->wall_anchor_ns ? now - m->wall_anchor_ns : 0,
		    strbuf_str(&text));
	strbuf_fini(&text);
}

/* Read what an input has now. */
static struct err *source_refresh(struct merger *m, struct source *s)
{
	struct trace_change change = { 0 };
	struct err *err = trace_refresh(s->in.trace, &change);
	if (err) { /* of this input; the others go on */
		source_end(m, s, err->message);
		err_destroy(err);
		return NULL;
	}
	return change.processes ? copier_processes(s->copier) : NULL;
}

/* Up to which time all inputs are known. *ret_growing: some can still grow. */
static struct err *sources_refresh(struct merger *m, uint64_t *ret_limit_ns, bool *ret_growing)
{
	uint64_t now = wall_now_ns(), limit = UINT64_MAX;
	uint64_t settled = now > HOLD_NS + m->wall_anchor_ns ? now - HOLD_NS - m->wall_anchor_ns
							     : 0;
	*ret_growing = false;
	for (size_t i = 0; i < m->n; i++) {
		struct source *s = &m->sources[i];
		struct trace *t = s->in.trace;
		if (s->is_at_end)
			continue;
		struct err *err = source_refresh(m, s);
		if (err)
			return err;
		if (!s->is_at_end && (trace_is_over(t) || trace_is_disturbed(t)))
			source_end(m, s, NULL);
		if (s->is_at_end)
			continue;
		*ret_growing = true;
		uint64_t known = s->key > settled ? s->key : settled;
		if (s->next >= trace_n_events(t) && known < limit)
			limit = known;
	}
	*ret_limit_ns = limit;
	return NULL;
}

struct err *merger_follow(struct merger *m, bool (*is_wanted)(void *ctx), void *ctx)
{
	bool is_growing = true;
	while (is_growing && is_wanted(ctx)) {
		uint64_t limit_ns;
		struct err *err = sources_refresh(m, &limit_ns, &is_growing);
		if (!err)
			err = sources_ready(m);
		if (!err)
			err = copy_until(m, is_growing ? limit_ns : UINT64_MAX);
		if (!err)
			err = writer_flush(m->w);
		if (err)
			return err;
		if (is_growing)
			poll(NULL, 0, POLL_MS);
	}
	return NULL;
}

uint64_t merger_n_events(const struct merger *m)
{
	return writer_n_events(m->w);
}

const char *merger_excess(const struct merger *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (copier_is_over(m->sources[i].copier))
			return m->sources[i].in.path;
	return NULL;
}

static void release(struct merger *m)
{
	for (size_t i = 0; m->sources && i < m->n; i++)
		copier_destroy(m->sources[i].copier);
	free(m->sources);
	free(m->heap);
	free(m);
}

struct err *merger_close(struct merger *m)
{
	struct err *err = writer_close(take_ptr(m->w));
	release(m);
	return err;
}

void merger_forget(struct merger *m)
{
	writer_destroy(m->w);
	release(m);
}

void merger_destroy(struct merger *m)
{
	if (!m)
		return;
	writer_discard(m->w);
	release(m);
}
