/*
 * trace: opening, following, and what a capture says about itself. See trace.h; the
 * layout is in trace_private.h.
 */
#include "model/trace.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/monotonic.h"
#include "model/trace_private.h"

#define CACHE_BYTES_DEFAULT (16u << 20)

/* ---- loading everything ---- */

/* Parts in the order of their use: what filters test first, then the rows. */
static const enum page_kind load_order[] = { PAGE_VALUE, PAGE_STRING, PAGE_FRAME, PAGE_STACK };

static uint64_t n_parts(const struct trace *t)
{
	uint64_t n = t->chunks.n;
	for (size_t i = 0; i < ARRAY_LEN(load_order); i++)
		n += t->pages[load_order[i]].n_slots;
	return n;
}

/* Load and pin the next part; false when all is done. */
static bool part_load(struct trace *t, struct err **ret_err)
{
	while (t->load_kind < ARRAY_LEN(load_order)) {
		enum page_kind kind = load_order[t->load_kind];
		if (t->load_at < t->pages[kind].n_slots) {
			struct cached *page = page_get(t, kind,
						       page_slot_at(&t->pages[kind], t->load_at++));
			if (page)
				trace_cache_pin(t, page);
			else
				*ret_err = err_no_memory();
			return true;
		}
		t->load_kind++;
		t->load_at = 0;
	}
	if (t->load_at >= t->chunks.n)
		return false;
	struct chunk_columns *c = chunk_columns_get(t, t->load_at++);
	if (c)
		trace_cache_pin(t, &c->cached);
	else
		*ret_err = err_no_memory();
	return true;
}

struct err *trace_load(struct trace *t, uint64_t budget_ns, double *ret_done)
{
	uint64_t start_ns = monotonic_ns();
	struct err *err = NULL;
	bool more = true;
	while (!err && more && !t->load_full) {
		t->load_full = t->pinned_bytes >= t->options.load_bytes;
		if (!t->load_full)
			more = part_load(t, &err);
		if (budget_ns != UINT64_MAX && monotonic_ns() - start_ns >= budget_ns)
			break;
	}
	uint64_t before = t->load_at, n = n_parts(t);
	for (uint32_t i = 0; i < t->load_kind; i++)
		before += t->pages[load_order[i]].n_slots;
	*ret_done = !more || t->load_full || n == 0 ? 1.0 : (double)before / (double)n;
	return err;
}

/* ---- open, follow, close ---- */

static void limits_fill(struct trace_options *o)
{
	if (o->cache_bytes == 0)
		o->cache_bytes = CACHE_BYTES_DEFAULT;
	/* room for 40 M events; in a session of several days the rest is read when it is needed */
	if (o->load_bytes == 0) {
		o->load_bytes = (size_t)sysconf(_SC_PHYS_PAGES) / 4 * (size_t)sysconf(_SC_PAGESIZE);
		if (o->load_bytes > (size_t)1 << 30)
			o->load_bytes = (size_t)1 << 30;
	}
}

static void about_fill(struct trace *t)
{
	t->about.creator = t->creator ? t->creator : "";
	t->about.host = t->host ? t->host : "";
	t->about.boot_id = t->boot_id ? t->boot_id : "";
	t->about.wall_anchor_ns = reader_wall_anchor_ns(t->reader);
	t->about.file_bytes = reader_n_bytes(t->reader);
	t->about.finished = reader_is_finished(t->reader);
}

struct err *trace_open_fd(int fd, const char *label, const struct trace_options *options,
			  struct trace **ret)
{
	CLEANUP(trace) struct trace *t = calloc(1, sizeof(*t));
	if (!t) {
		close(fd);
		return err_no_memory();
	}
	for (int kind = 0; kind < PAGE_KIND_COUNT; kind++)
		t->pages[kind].end = 1;
	if (options)
		t->options = *options;
	limits_fill(&t->options);
	struct err *err = reader_open_fd(fd, label, &t->reader);
	if (err)
		return err;
	t->label = strdup(label);
	struct name_entry nothing = { "", 0 };
	if (!t->label || !vec_push(&t->names, nothing) || !vec_push(&t->count_by_name, 0))
		return err_no_memory();
	err = reader_refresh(t->reader, trace_index_block, t);
	if (err)
		return err;
	about_fill(t);
	*ret = take_ptr(t);
	return NULL;
}

/* Check whether the name now refers to another file: then what is shown is not what the name stands
 * for. */
static void replacement_check(struct trace *t)
{
	struct stat ours, named;
	if (t->path && fstat(reader_fd(t->reader), &ours) == 0)
		t->replaced = stat(t->path, &named) != 0 || named.st_ino != ours.st_ino ||
			      named.st_dev != ours.st_dev;
}

struct err *trace_open(const char *path, const struct trace_options *options, struct trace **ret)
{
	struct trace *t;
	int fd;
	struct err *err = io_open_input(path, &fd);
	if (!err)
		err = trace_open_fd(fd, path, options, &t);
	if (err)
		return err;
	t->path = strdup(path);
	if (!t->path) {
		trace_close(t);
		return err_no_memory();
	}
	replacement_check(t);
	if (t->replaced) { /* it was a pipe: there is no file to compare with */
		free(t->path);
		t->path = NULL;
		t->replaced = false;
	}
	*ret = t;
	return NULL;
}

void trace_close(struct trace *t)
{
	if (!t)
		return;
	trace_index_fini(t);
	caller_fini(t);
	task_fini(t);
	vec_fini(&t->loaded);
	reader_destroy(t->reader);
	strbuf_fini(&t->damage);
	strbuf_fini(&t->damage_said);
	vec_fini(&t->unreadable);
	free(t->creator);
	free(t->host);
	free(t->boot_id);
	free(t->path);
	free(t->label);
	free(t);
}

void trace_forget(struct trace *t)
{
	if (t)
		reader_forget(t->reader);
	trace_close(t);
}

bool trace_is_disturbed(const struct trace *t)
{
	return reader_was_overwritten(t->reader) || reader_was_shortened(t->reader) || t->replaced;
}

struct err *trace_refresh(struct trace *t, struct trace_change *ret)
{
	uint64_t first_seq = t->n_events;
	size_t n_notes = t->notes.n;
	t->processes_changed = false;
	bool was_disturbed = trace_is_disturbed(t);
	struct err *err = reader_refresh(t->reader, trace_index_block, t);
	if (err)
		return err;
	replacement_check(t);
	if (!t->about.finished)
		about_fill(t);
	*ret = (struct trace_change){
		.first_seq = first_seq,
		.n_events = t->n_events - first_seq,
		.n_notes = (uint32_t)(t->notes.n - n_notes),
		.processes = t->processes_changed,
		.finished = reader_is_finished(t->reader),
		.disturbed = !was_disturbed && trace_is_disturbed(t),
	};
	return NULL;
}

bool trace_is_finished(const struct trace *t)
{
	return reader_is_finished(t->reader);
}

bool trace_is_over(const struct trace *t)
{
	return reader_is_over(t->reader);
}

bool trace_is_stream(const struct trace *t)
{
	return reader_is_stream(t->reader);
}

void trace_wait(struct trace *t, int timeout_ms)
{
	reader_wait(t->reader, timeout_ms);
}

struct err *trace_read_whole(struct trace *t)
{
	struct trace_change change;
	struct err *err = NULL;
	while (!err && trace_is_stream(t) && !trace_is_over(t)) {
		trace_wait(t, -1);
		err = trace_refresh(t, &change);
	}
	return err;
}

void trace_watch_path(const struct trace *t, char ret[32])
{
	snprintf(ret, 32, "/proc/self/fd/%d", reader_fd(t->reader));
}

/* ---- about ---- */

const struct trace_about *trace_about_get(const struct trace *t)
{
	return &t->about;
}

static void damage_add(struct strbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void damage_add(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;
	if (b->n)
		strbuf_adds(b, "; ");
	va_start(ap, fmt);
	strbuf_addv(b, fmt, ap);
	va_end(ap);
}

static void damage_describe(const struct trace *t, struct strbuf *b, bool with_tail)
{
	uint64_t tail = reader_n_bytes_tail(t->reader), inside = reader_n_bytes_damaged(t->reader);
	strbuf_clear(b);
	if (tail && with_tail)
		damage_add(b,
			   "the last %" PRIu64 " of %" PRIu64
			   " bytes are an incomplete block and were left out",
			   tail, reader_n_bytes(t->reader) + tail);
	if (trace_is_stream(t) && trace_is_over(t) && !trace_is_finished(t)) {
		int sys = reader_stream_errno(t->reader);
		if (sys)
			damage_add(b, "what came could not be kept any more: %s", strerror(sys));
		else
			damage_add(b, "it ended before its recorder had finished the capture");
	}
	if (inside)
		damage_add(b, "%" PRIu64 " bytes inside are damaged and were passed over", inside);
	if (t->n_bad_blocks)
		damage_add(b,
			   t->n_bad_blocks == 1 ? "%u block is malformed and was left out"
						: "%u blocks are malformed and were left out",
			   t->n_bad_blocks);
	if (t->n_lost_rows)
		damage_add(b,
			   t->n_lost_rows == 1 ? "%" PRIu64 " event is lost"
					       : "%" PRIu64 " events are lost",
			   t->n_lost_rows);
	if (t->n_bad_tasks)
		damage_add(b,
			   t->n_bad_tasks == 1 ? "%u task is malformed and was left out"
					       : "%u tasks are malformed and were left out",
			   t->n_bad_tasks);
	if (t->unreadable.n)
		damage_add(b,
			   "%zu block%s could not be read, and what stood there is shown as ?? or "
			   "left empty",
			   t->unreadable.n, t->unreadable.n == 1 ? "" : "s");
	if (reader_was_overwritten(t->reader))
		damage_add(b,
			   "something else was written into %s while it was open; what was not "
			   "read before cannot be shown",
			   t->label);
	else if (reader_was_shortened(t->reader))
		damage_add(b, "the file was cut short while it was open");
	if (t->replaced)
		damage_add(b, "%s was replaced or removed; this is still the old file", t->label);
}

const char *trace_damage(const struct trace *t)
{
	/* the text is made from the counters on demand; the buffer is not part of the trace's
	 * state */
	struct strbuf *b = &((struct trace *)(uintptr_t)t)->damage;
	damage_describe(t, b, true);
	return b->n && !b->failed ? b->s : NULL;
}

const char *trace_damage_news(struct trace *t)
{
	bool is_first = !t->damage_is_said;
	damage_describe(t, &t->damage, false);
	bool is_new = strcmp(strbuf_str(&t->damage), strbuf_str(&t->damage_said)) != 0;
	strbuf_clear(&t->damage_said);
	strbuf_adds(&t->damage_said, strbuf_str(&t->damage));
	t->damage_is_said = true;
	return is_first || is_new ? trace_damage(t) : NULL;
}

uint32_t trace_n_names(const struct trace *t)
{
	return (uint32_t)t->names.n - 1;
}

const char *trace_name(const struct trace *t, uint32_t name, size_t *ret_n_bytes)
{
	const struct name_entry *e = &t->names.v[name < t->names.n ? name : 0];
	if (ret_n_bytes)
		*ret_n_bytes = e->n_bytes;
	return e->text;
}

const uint64_t *trace_count_by_name(const struct trace *t)
{
	return t->count_by_name.v;
}

const uint64_t *trace_count_by_thread(const struct trace *t)
{
	return t->count_by_thread.v;
}

uint32_t trace_n_processes(const struct trace *t)
{
	return (uint32_t)t->processes.n;
}

uint32_t trace_n_threads(const struct trace *t)
{
	return (uint32_t)t->threads.n;
}

const struct process_info *trace_process(const struct trace *t, uint32_t process)
{
	return process < t->processes.n ? &t->processes.v[process] : NULL;
}

bool trace_is_ticked(const struct trace *t, uint32_t process)
{
	const struct process_info *p = trace_process(t, process);
	return p && p->flags & PROCESS_TICK_TIMES;
}

uint64_t trace_tick_round(uint64_t ns)
{
	return (ns + PROCESS_TICK_NS / 2) / PROCESS_TICK_NS * PROCESS_TICK_NS;
}

const struct thread_info *trace_thread(const struct trace *t, uint32_t thread)
{
	return thread < t->threads.n ? &t->threads.v[thread] : NULL;
}

uint32_t trace_n_hosts(const struct trace *t)
{
	return (uint32_t)t->hosts.n;
}

const struct host_info *trace_host(const struct trace *t, uint32_t host)
{
	return host && host <= t->hosts.n ? &t->hosts.v[host - 1] : NULL;
}

const char *trace_host_name(struct trace *t, uint32_t host, size_t *ret_n_bytes)
{
	const struct host_info *h = trace_host(t, host);
	if (h)
		return trace_string(t, h->name, ret_n_bytes);
	*ret_n_bytes = strlen(t->about.host);
	return t->about.host;
}

const char *trace_process_host(struct trace *t, uint32_t process, size_t *ret_n_bytes)
{
	uint32_t host = process < t->processes.n ? t->processes.v[process].host : 0;
	return trace_host_name(t, host, ret_n_bytes);
}

const char *trace_process_boot_id(struct trace *t, uint32_t process, size_t *ret_n_bytes)
{
	uint32_t host = process < t->processes.n ? t->processes.v[process].host : 0;
	const struct host_info *h = trace_host(t, host);
	if (h)
		return trace_string(t, h->boot_id, ret_n_bytes);
	*ret_n_bytes = strlen(t->about.boot_id);
	return t->about.boot_id;
}

/* Find the parents of all processes in one pass: pids are reused, so a parent is the latest process
 * of this pid that was there before the child. */
static bool parents_find(struct trace *t)
{
	struct hash_map latest = { 0 }; /* (pid, host) → index + 1 */
	t->parents.n = 0;
	bool ok = vec_reserve(&t->parents, t->processes.n) &&
		  hash_map_reserve(&latest, t->processes.n);
	for (size_t i = 0; ok && i < t->processes.n; i++) {
		const struct process_info *p = &t->processes.v[i];
		uint32_t parent = hash_map_get(&latest, hash_map_key(p->ppid, p->host));
		t->parents.v[t->parents.n++] = p->ppid && parent ? parent - 1 : UINT32_MAX;
		uint32_t *at = hash_map_place(&latest, hash_map_key(p->pid, p->host));
		ok = at != NULL;
		if (ok)
			*at = (uint32_t)i + 1;
	}
	hash_map_fini(&latest);
	t->n_parent_records = t->n_process_records;
	return ok;
}

uint32_t trace_process_parent(struct trace *t, uint32_t process)
{
	bool is_known = t->n_parent_records == t->n_process_records &&
			t->parents.n == t->processes.n;
	if (process >= t->processes.n || (!is_known && !parents_find(t)))
		return UINT32_MAX;
	return t->parents.v[process];
}

uint32_t trace_n_counted(const struct trace *t)
{
	return (uint32_t)t->counted.n;
}

const struct trace_counted *trace_counted_get(const struct trace *t, uint32_t i)
{
	return i < t->counted.n ? &t->counted.v[i] : NULL;
}

uint32_t trace_n_notes(const struct trace *t)
{
	return (uint32_t)t->notes.n;
}

const struct trace_note *trace_note_get(const struct trace *t, uint32_t note)
{
	return note < t->notes.n ? &t->notes.v[note] : NULL;
}

uint64_t trace_n_lost(const struct trace *t)
{
	return t->n_lost;
}

bool trace_is_loss_known(const struct trace *t)
{
	return trace_is_finished(t) && !t->is_more_lost;
}
