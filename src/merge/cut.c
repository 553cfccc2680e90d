/*
 * cut: see cut.h.
 */
#include "merge/cut.h"

#include <stdlib.h>
#include <string.h>

#include "base/new_file.h"
#include "capture/writer.h"
#include "merge/copier.h"
#include "merge/id_map.h"
#include "model/group.h"
#include "model/selection.h"
#include "model/trace.h"

struct cut {
	struct trace *t;
	const struct selection *rows;
	bool *processes; /* [process] */
	bool *hosts;     /* [number] it has an event that is kept */
	struct writer *w;
	struct copier *copier;
	struct id_pool pool;
	uint64_t from_ns, to_ns;
};

/* No filter on events can select a process that has none (a shell, a child that was not Python), so
 * it is kept if something of its host is, and if it lived in the span. */
static struct err *eventless_choose(struct cut *c, uint32_t n)
{
	uint32_t n_threads = trace_n_threads(c->t);
	const uint64_t *counts = trace_count_by_thread(c->t);
	bool *has_events = calloc(n + 1u, sizeof(bool));
	if (!has_events)
		return err_no_memory();
	for (uint32_t i = 0; i < n_threads; i++)
		if (counts[i] && trace_thread(c->t, i)->process < n)
			has_events[trace_thread(c->t, i)->process] = true;
	for (uint32_t i = 0; i < n; i++) {
		const struct process_info *p = trace_process(c->t, i);
		uint32_t host = p->host <= trace_n_hosts(c->t) ? p->host : 0;
		c->processes[i] |= !has_events[i] && c->hosts[host] && p->start_ns < c->to_ns &&
				   (!p->end_ns || p->end_ns >= c->from_ns);
	}
	free(has_events);
	return NULL;
}

/* Keep the processes of selected events, and their parents. */
static struct err *processes_choose(struct cut *c)
{
	uint32_t n = trace_n_processes(c->t), n_threads = trace_n_threads(c->t);
	c->processes = calloc(n + 1u, sizeof(bool));
	c->hosts = calloc(trace_n_hosts(c->t) + 1u, sizeof(bool));
	uint64_t *counts = calloc(n_threads + 1u, sizeof(*counts));
	struct err *err = c->processes && c->hosts && counts ? NULL : err_no_memory();
	if (!err)
		err = group_count(c->t, c->rows, 0, trace_n_events(c->t), GROUP_THREAD, NULL,
				  n_threads + 1u, counts);
	for (uint32_t i = 0; i < n_threads && !err; i++) {
		uint32_t process = trace_thread(c->t, i)->process;
		const struct process_info *p = counts[i] ? trace_process(c->t, process) : NULL;
		if (p)
			c->hosts[p->host <= trace_n_hosts(c->t) ? p->host : 0] = true;
		for (; p && !c->processes[process]; p = trace_process(c->t, process)) {
			c->processes[process] = true;
			process = trace_process_parent(c->t, process);
		}
	}
	if (!err)
		err = eventless_choose(c, n);
	free(counts);
	return err;
}

/* The only host of what is kept; 0 if there are several. */
static uint32_t sole_host(const struct cut *c)
{
	uint32_t found = 0;
	for (uint32_t i = 0; i <= trace_n_hosts(c->t); i++) {
		if (!c->hosts[i])
			continue;
		if (found || !i)
			return 0;
		found = i;
	}
	return found;
}

static bool wants_note(void *ctx, const struct note_info *note)
{
	const struct cut *c = ctx;
	uint32_t host = note->host <= trace_n_hosts(c->t) ? note->host : 0;
	return note->time_ns >= c->from_ns && note->time_ns < c->to_ns && c->hosts[host];
}

static struct err *writer_start(struct cut *c, struct new_file *file)
{
	const struct trace_about *about = trace_about_get(c->t);
	uint32_t sole = sole_host(c);
	const struct host_info *host = trace_host(c->t, sole);
	struct writer_options w = { .wall_anchor_ns = about->wall_anchor_ns,
				    .creator = "auditview " AUDITVIEW_VERSION,
				    .is_in_hurry = true };
	char *name = NULL, *boot_id = NULL;
	size_t n;
	if (host) {
		const char *s = trace_string(c->t, host->name, &n);
		name = strndup(host->flags & HOST_NAME_IS_LABEL ? "" : s, n);
		s = trace_string(c->t, host->boot_id, &n);
		boot_id = strndup(s, n);
		w.host = name;
		w.boot_id = boot_id;
		if (host->wall_anchor_ns)
			w.wall_anchor_ns = host->wall_anchor_ns;
	} else {
		w.host = about->host;
		w.boot_id = about->boot_id;
	}
	struct copier_options o = { .shift_ns = about->wall_anchor_ns - w.wall_anchor_ns,
				    .pool = &c->pool,
				    .sole_host = sole,
				    .wants_note = wants_note,
				    .note_ctx = c,
				    .processes = c->processes };
	struct err *err = writer_open_file(file, &w, &c->w);
	if (!err)
		err = copier_create(c->t, c->w, &o, &c->copier);
	if (!err)
		err = copier_processes(c->copier);
	free(name);
	free(boot_id);
	return err;
}

static struct err *events_copy(struct cut *c)
{
	uint32_t n_chunks = trace_n_chunks(c->t);
	for (uint32_t k = 0; k < n_chunks; k++) {
		uint64_t first = (uint64_t)k << TRACE_CHUNK_SHIFT;
		uint64_t at = c->rows ? selection_next(c->rows, first) : first;
		uint32_t n;
		if (at == SELECTION_NONE)
			break;
		if (at >> TRACE_CHUNK_SHIFT != k)
			continue;
		struct err *err = copier_chunk(c->copier, k, 0);
		if (err)
			return err;
		copier_times(c->copier, &n);
		for (; at != SELECTION_NONE && at - first < n;
		     at = c->rows ? selection_next(c->rows, at + 1) : at + 1) {
			copier_notes(c->copier, at);
			copier_event(c->copier, (uint32_t)(at - first));
		}
		if (writer_is_broken(c->w))
			return writer_flush(c->w);
	}
	copier_notes(c->copier, UINT64_MAX);
	return NULL;
}

struct err *cut_write(struct trace *t, const struct selection *rows, uint64_t from_ns,
		      uint64_t to_ns, struct new_file *file, uint64_t *ret_n_events)
{
	struct cut c = { .t = t,
			 .rows = rows,
			 .from_ns = from_ns,
			 .to_ns = to_ns,
			 .pool.n_pages_max = ID_POOL_PAGES };
	struct err *err = processes_choose(&c);
	if (err)
		new_file_destroy(file);
	else
		err = writer_start(&c, file);
	if (!err)
		err = events_copy(&c);
	if (!err) {
		*ret_n_events = writer_n_events(c.w);
		err = writer_close(take_ptr(c.w));
	}
	copier_destroy(c.copier);
	writer_discard(c.w);
	free(c.processes);
	free(c.hosts);
	return err;
}
