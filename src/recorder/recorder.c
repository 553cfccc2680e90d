/*
 * recorder: see recorder.h.
 *
 *   source    one armed runtime: a link and its ring; every process that inherited it by fork writes to a slot of its own
 *   client    one claim of one slot: a process image, with its decoder
 *   process   what the capture knows of a process; pidfd tells its end
 *
 * Slots are drained together in the order of their time stamps. A record is copied out before it is looked at. A process
 * that has ended has its slot drained to the end, then the slot is free again.
 */
#include "recorder/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "base/value.h"
#include "base/vec.h"
#include "capture/writer.h"
#include "recorder/clock.h"
#include "recorder/decode.h"
#include "recorder/recorder_private.h"
#include "tracer/access.h"
#include "tracer/maps.h"
#include "tracer/procs.h"
#include "tracer/ptrace.h"
#include "tracer/remote_mem.h"

enum {
	FLUSH_NS = 200 * 1000 * 1000,
	HEARTBEAT_NS = 100 * 1000 * 1000,
	CHECK_NS = 500 * 1000 * 1000,
	REPORT_NS = 100 * 1000 * 1000,
	DRAIN_BYTES = 2 * 1024 * 1024, /* of one slot, before the poll loop has its turn */
	PUBLISH_BYTES = 64 * 1024,
	IDLE_MAX_MS = 10,
};

static void warn(struct recorder *r, enum note_kind kind, uint32_t process, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void warn(struct recorder *r, enum note_kind kind, uint32_t process, const char *fmt, ...)
{
	struct strbuf text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	strbuf_addv(&text, fmt, ap);
	va_end(ap);
	struct note_info note = { .kind = kind,
				  .time_ns = clock_time_now(&r->clock),
				  .process = process,
				  .text = writer_string(r->writer, strbuf_str(&text), text.n) };
	writer_note(r->writer, &note);
	strbuf_fini(&text);
}

/* ---- processes ---- */

static struct process *process_find(struct recorder *r, pid_t pid)
{
	for (size_t i = r->processes.n; i-- > 0;)
		if (r->processes.v[i]->pid == pid && !r->processes.v[i]->ended)
			return r->processes.v[i];
	return NULL;
}

/* Read what /proc says of it into the capture's record. A process that is already gone keeps what is known. */
static void process_describe(struct recorder *r, struct process *p)
{
	char text[4096];
	struct proc_status status;
	struct err *err = proc_status_read(p->pid, &status);
	if (err) {
		err_destroy(err);
		return;
	}
	p->info.ppid = (uint32_t)status.ppid;
	p->info.ns_pid = (uint32_t)status.ns_pid;
	ssize_t n = proc_link_read(p->pid, "exe", text, sizeof(text));
	if (n > 0)
		p->info.exe = writer_string(r->writer, text, (size_t)n);
	n = proc_link_read(p->pid, "cwd", text, sizeof(text));
	if (n > 0)
		p->info.cwd = writer_string(r->writer, text, (size_t)n);
	n = proc_file_read(p->pid, "cmdline", text, sizeof(text));
	if (n <= 0)
		return;
	char name[256];
	proc_command_name(text, (size_t)n, name, sizeof(name));
	p->info.name = writer_string(r->writer, name, strlen(name));
	struct strbuf list = { 0 };
	unsigned count = 0;
	for (ssize_t i = 0; i < n; i += (ssize_t)strlen(text + i) + 1)
		count++;
	if (count > 127)
		count = 127;
	strbuf_addc(&list, VALUE_LIST);
	strbuf_addc(&list, (char)count);
	strbuf_addc(&list, (char)count);
	for (ssize_t i = 0; count-- > 0;) {
		size_t len = strlen(text + i);
		strbuf_addc(&list, VALUE_STR);
		for (size_t v = len; ; v >>= 7) {
			strbuf_addc(&list, (char)(v >= 0x80 ? v | 0x80 : v));
			if (v < 0x80)
				break;
		}
		/* Arguments are bytes; the capture holds text. What is no UTF-8 is kept byte by byte as U+DCxx, as Python does. */
		if (utf8_is_valid(text + i, len)) {
			strbuf_add(&list, text + i, len);
		} else {
			for (size_t k = 0; k < len; k++)
				strbuf_addc(&list, (char)(text[i + (ssize_t)k] & 0x7f));
		}
		i += (ssize_t)len + 1;
	}
	if (!list.failed)
		p->info.argv = writer_value(r->writer, list.s, list.n);
	strbuf_fini(&list);
}

static struct process *process_add(struct recorder *r, pid_t pid, const struct python_runtime *rt, uint32_t flags)
{
	struct process *p = calloc(1, sizeof(*p));
	if (!p || !vec_push(&r->processes, p)) {
		free(p);
		return NULL;
	}
	p->pid = pid;
	p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	p->status = -1;
	p->info = (struct process_info){ .pid = (uint32_t)pid,
					 .ns_pid = (uint32_t)pid,
					 .start_ns = clock_time_now(&r->clock),
					 .exit_status = -1,
					 .flags = flags };
	if (rt) {
		p->info.python_hex = rt->layout.version_hex;
		p->info.python = writer_string(r->writer, rt->version, strlen(rt->version));
		p->info.flags |= rt->layout.free_threaded ? PROCESS_FREE_THREADED : 0;
		p->info.flags |= rt->layout.debug_build ? PROCESS_DEBUG_BUILD : 0;
	}
	process_describe(r, p);
	p->index = writer_process(r->writer, &p->info);
	return p;
}

static void process_update(struct recorder *r, struct process *p)
{
	writer_process_update(r->writer, p->index, &p->info);
}

/* sys.path and friends, once the interpreter knows them. */
static void process_read_prefixes(struct recorder *r, struct process *p, struct source *s)
{
	char text[16384];
	if (p->info.prefixes || p->prefix_tries > 20)
		return;
	p->prefix_tries++;
	struct remote_mem *mem = NULL;
	struct err *err = remote_mem_open(p->pid, &mem);
	if (err) {
		err_destroy(err);
		return;
	}
	long n = python_sys_path_read(remote_mem_reader(mem), &s->link->runtime, text, sizeof(text));
	remote_mem_close(mem);
	if (n <= 2)
		return;
	struct strbuf list = { 0 }, body = { 0 };
	unsigned count = 0;
	for (long i = 0; i < n && text[i] && count < 127; i += (long)strlen(text + i) + 1) {
		size_t len = strlen(text + i);
		strbuf_addc(&body, VALUE_STR);
		for (size_t v = len;; v >>= 7) {
			strbuf_addc(&body, (char)(v >= 0x80 ? v | 0x80 : v));
			if (v < 0x80)
				break;
		}
		strbuf_add(&body, text + i, len);
		count++;
	}
	strbuf_addc(&list, VALUE_LIST);
	strbuf_addc(&list, (char)count);
	strbuf_addc(&list, (char)count);
	strbuf_add(&list, strbuf_str(&body), body.n);
	if (count && !list.failed && !body.failed) {
		p->info.prefixes = writer_value(r->writer, list.s, list.n);
		process_update(r, p);
	}
	strbuf_fini(&list);
	strbuf_fini(&body);
}

static void process_ended(struct recorder *r, struct process *p, int status)
{
	if (p->ended)
		return;
	p->ended = true;
	p->status = status;
	p->info.exit_status = status;
	p->info.end_ns = clock_time_now(&r->clock);
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->pidfd = -1;
	process_update(r, p);
	struct note_info note = { .kind = NOTE_EXITED, .time_ns = p->info.end_ns, .process = p->index, .a = (uint64_t)(int64_t)status };
	writer_note(r->writer, &note);
	r->check_ns = 0;
}

/* ---- clients: who writes to a slot ---- */

static uint32_t thread_name(void *ctx, uint32_t tid, uint32_t *ret_host_tid)
{
	struct client *c = ctx;
	char name[256];
	uint32_t ns_pid = c->ns_pid;
	*ret_host_tid = tid;
	if (c->process->pid != (pid_t)ns_pid && tid == ns_pid)
		*ret_host_tid = (uint32_t)c->process->pid;
	if (tid == ns_pid)
		return writer_string(c->recorder->writer, "MainThread", 10);
	if (!c->mem) {
		struct err *err = remote_mem_open(c->process->pid, &c->mem);
		err_destroy(err);
	}
	if (c->mem && python_thread_name(remote_mem_reader(c->mem), &c->source->link->runtime, tid, name, sizeof(name)))
		return writer_string(c->recorder->writer, name, strlen(name));
	return 0;
}

static bool wants(void *ctx, const char *name, uint32_t n)
{
	struct client *c = ctx;
	struct recorder *r = c->recorder;
	if (!r->options.wants)
		return true;
	bool wanted = r->options.wants(r->options.wants_ctx, name, n);
	/* From now on the probe knows: the table is open addressing, filled by us alone, never full. */
	uint64_t hash = name_hash(name, n);
	for (size_t i = 0; i < r->sources.n; i++) {
		struct ring_shared *shared = r->sources.v[i]->link->ring.shared;
		if (r->sources.v[i]->n_verdicts > VERDICT_COUNT / 2)
			continue;
		for (uint32_t k = 0; k < VERDICT_COUNT; k++) {
			uint64_t *line = &shared->verdicts[(hash + k) % VERDICT_COUNT];
			if ((*line & ~3ull) == (hash & ~3ull) && *line)
				break;
			if (*line)
				continue;
			__atomic_store_n(line, (hash & ~3ull) | (wanted ? VERDICT_WANTED : VERDICT_UNWANTED), __ATOMIC_RELAXED);
			r->sources.v[i]->n_verdicts++;
			break;
		}
	}
	return wanted;
}

static struct ring_slot *slot_at(const struct source *s, uint32_t i)
{
	return (struct ring_slot *)((uint8_t *)s->link->ring.shared + s->slots_off + (uint64_t)i * s->slot_bytes);
}

/* The process that claimed a slot, by the pid it knows of itself. */
static pid_t host_pid(struct source *s, uint32_t ns_pid)
{
	if (!s->other_pid_ns)
		return (pid_t)ns_pid;
	if (ns_pid == s->root_ns_pid)
		return s->link->pid;
	pid_t *pids = NULL, found = 0;
	size_t n = 0;
	struct err *err = link_processes(s->link, &pids, &n);
	for (size_t i = 0; !err && i < n && !found; i++) {
		struct proc_status status;
		struct err *e = proc_status_read(pids[i], &status);
		if (!e && (uint32_t)status.ns_pid == ns_pid)
			found = pids[i];
		err_destroy(e);
	}
	err_destroy(err);
	free(pids);
	return found;
}

static struct client *client_add(struct recorder *r, struct source *s, uint32_t slot_index)
{
	struct ring_slot *slot = slot_at(s, slot_index);
	uint32_t ns_pid = __atomic_load_n(&slot->pid, __ATOMIC_ACQUIRE);
	struct client *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->recorder = r;
	c->source = s;
	c->ns_pid = ns_pid;
	c->claimed_tsc = slot->claimed_tsc;
	pid_t pid = host_pid(s, ns_pid);
	c->process = pid ? process_find(r, pid) : NULL;
	if (!c->process) {
		c->process = process_add(r, pid ? pid : (pid_t)ns_pid, &s->link->runtime, PROCESS_FORKED);
		if (c->process) {
			c->process->source = s;
			if (!c->process->info.ppid || !c->process->info.name) { /* gone already */
				c->process->info.ppid = (uint32_t)slot->parent_pid;
				c->process->info.name = s->process->info.name;
				c->process->info.argv = s->process->info.argv;
				c->process->info.exe = s->process->info.exe;
				c->process->info.cwd = s->process->info.cwd;
			}
			c->process->info.prefixes = s->process->info.prefixes;
			process_update(r, c->process);
			r->n_children++;
		}
	}
	c->muted = r->options.only_targets && c->process && c->process->info.flags & PROCESS_FORKED;
	struct decoder_options o = { .writer = r->writer,
				     .minor = s->link->runtime.layout.minor,
				     .process = c->process ? c->process->index : 0,
				     .thread_name = thread_name,
				     .wants = wants,
				     .ctx = c,
				     .native = native_context_for(r, s, c->process ? c->process->pid : 0) };
	struct err *err = c->process ? decoder_create(&o, &c->decoder) : err_no_memory();
	if (err) {
		err_destroy(err);
		free(c);
		return NULL;
	}
	s->clients[slot_index] = c;
	return c;
}

static void client_remove(struct source *s, uint32_t slot_index)
{
	struct client *c = s->clients[slot_index];
	if (!c)
		return;
	decoder_destroy(c->decoder);
	remote_mem_close(c->mem);
	free(c);
	s->clients[slot_index] = NULL;
}

/* ---- draining ---- */

struct drain {
	struct source *s;
	struct client *c;
	struct ring_slot *slot;
	uint64_t tail, head, published;
	uint64_t time;         /* ticks of the next record */
};

static void drain_publish(struct drain *d)
{
	__atomic_store_n(&d->slot->tail, d->tail, __ATOMIC_SEQ_CST);
	d->published = d->tail;
	if (__atomic_load_n(&d->slot->waiting, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &d->slot->tail, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* Copy the next record out; false when there is none left, or the ring makes no sense (it is then skipped to its head). */
static bool drain_next(struct recorder *r, struct drain *d, struct record *ret_head)
{
	while (d->tail < d->head) {
		uint64_t at = d->tail & (d->s->data_bytes - 1);
		const uint8_t *p = (const uint8_t *)d->slot + PROBE_PAGE + at;
		memcpy(ret_head, p, sizeof(*ret_head));
		uint64_t size = ret_head->size;
		if (size < 8 || size % 8 || size > d->head - d->tail || size > d->s->data_bytes - at) {
			log_debug("slot of %u makes no sense at %llu", d->slot->pid, (unsigned long long)d->tail);
			d->c->n_bad++;
			d->tail = d->head;
			return false;
		}
		if (ret_head->type != RECORD_PAD && size >= sizeof(struct record)) {
			d->time = ret_head->tsc;
			return true;
		}
		d->tail += size;
	}
	(void)r;
	return false;
}

static void handle_record(struct recorder *r, struct drain *d, const struct record *head)
{
	const uint8_t *p = (const uint8_t *)d->slot + PROBE_PAGE + (d->tail & (d->s->data_bytes - 1));
	uint64_t time = clock_time_of(&r->clock, head->tsc);
	struct client *c = d->c;
	switch (head->type) {
	case RECORD_EVENT:
		if (r->limit_reached || c->muted)
			break;
		memcpy(r->record, p, head->size);
		((struct record *)r->record)->size = head->size; /* may have changed meanwhile */
		((struct record *)r->record)->n_frames = head->n_frames;
		decoder_event(c->decoder, (struct record *)r->record, head->size, time);
		if (r->options.limit && writer_n_events(r->writer) >= r->options.limit)
			r->limit_reached = true;
		break;
	case RECORD_LOST: {
		struct record_lost lost;
		if (head->size < sizeof(lost))
			break;
		memcpy(&lost, p, sizeof(lost));
		uint64_t first = clock_time_of(&r->clock, lost.first_tsc);
		struct note_info note = { .kind = NOTE_LOST,
					  .time_ns = time,
					  .process = c->process->index,
					  .a = lost.n_lost,
					  .b = time > first ? time - first : 0 };
		writer_note(r->writer, &note);
		r->n_lost += lost.n_lost;
		c->n_lost += lost.n_lost;
		break;
	}
	case RECORD_FINALISED: {
		struct note_info note = { .kind = NOTE_FINALISED, .time_ns = time, .process = c->process->index };
		writer_note(r->writer, &note);
		if (c->process->pid == d->s->link->pid)
			d->s->finalised = true;
		break;
	}
	default: c->n_bad++; break;
	}
}

/* Take what has arrived in all slots, oldest first. Returns bytes taken. */
static uint64_t drain_all(struct recorder *r)
{
	struct drain drains[256];
	size_t n = 0;
	uint64_t taken = 0;
	for (size_t i = 0; i < r->sources.n; i++) {
		struct source *s = r->sources.v[i];
		uint32_t claimed = __atomic_load_n(&s->link->ring.shared->slots_claimed, __ATOMIC_ACQUIRE);
		for (uint32_t k = 0; k < s->n_slots && n < ARRAY_LEN(drains); k++) {
			struct ring_slot *slot = slot_at(s, k);
			if (!s->clients[k] && (claimed == s->seen_claims || __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != SLOT_ACTIVE ||
					       !__atomic_load_n(&slot->pid, __ATOMIC_ACQUIRE) || !client_add(r, s, k)))
				continue;
			struct drain d = { .s = s, .c = s->clients[k], .slot = slot };
			d.head = __atomic_load_n(&slot->head, __ATOMIC_ACQUIRE);
			d.tail = d.published = s->clients[k]->tail;
			if (d.head == d.tail)
				continue;
			if (d.head < d.tail || d.head - d.tail > s->data_bytes || d.head % 8) {
				d.c->n_bad++; /* the target wrote over it; start again where it says it is */
				d.head &= ~7ull;
				d.tail = d.head;
				s->clients[k]->tail = d.tail;
				drain_publish(&d);
				continue;
			}
			drains[n++] = d;
		}
		s->seen_claims = claimed;
	}
	struct record head[ARRAY_LEN(drains)];
	for (size_t i = 0; i < n;) {
		if (drain_next(r, &drains[i], &head[i])) {
			i++;
			continue;
		}
		drain_publish(&drains[i]);
		drains[i].c->tail = drains[i].tail;
		drains[i] = drains[--n];
	}
	uint64_t budget = DRAIN_BYTES * (n ? n : 1);
	while (n && taken < budget) {
		size_t best = 0;
		for (size_t i = 1; i < n; i++)
			if (drains[i].time < drains[best].time)
				best = i;
		struct drain *d = &drains[best];
		handle_record(r, d, &head[best]);
		d->tail += head[best].size;
		taken += head[best].size;
		if (d->tail - d->published >= PUBLISH_BYTES)
			drain_publish(d);
		if (!drain_next(r, d, &head[best])) {
			drain_publish(d);
			d->c->tail = d->tail;
			drains[best] = drains[n - 1];
			head[best] = head[n - 1];
			n--;
		}
	}
	for (size_t i = 0; i < n; i++) {
		drain_publish(&drains[i]);
		drains[i].c->tail = drains[i].tail;
	}
	if (taken && !r->unflushed_since)
		r->unflushed_since = monotonic_ns();
	return taken;
}

/* ---- slots of ended processes ---- */

static void recycle(struct recorder *r, struct source *s, uint32_t k)
{
	struct ring_slot *slot = slot_at(s, k);
	struct client *c = s->clients[k];
	if (c->tail != __atomic_load_n(&slot->head, __ATOMIC_ACQUIRE))
		return;
	uint64_t dropped = slot->n_dropped > c->n_lost ? slot->n_dropped - c->n_lost : 0;
	if (dropped) { /* it ended before it could say so itself */
		struct note_info note = { .kind = NOTE_LOST, .time_ns = clock_time_now(&r->clock), .process = c->process->index, .a = dropped };
		writer_note(r->writer, &note);
		r->n_lost += dropped;
		c->n_lost += dropped;
	}
	c->process->info.n_events += decoder_n_events(c->decoder);
	c->process->info.n_lost += c->n_lost;
	process_update(r, c->process);
	client_remove(s, k);
	madvise((uint8_t *)slot + PROBE_PAGE, s->data_bytes, MADV_REMOVE);
	uint32_t generation = slot->generation + 1;
	memset(slot, 0, sizeof(*slot));
	slot->generation = generation;
	__atomic_store_n(&slot->state, SLOT_FREE, __ATOMIC_RELEASE);
}

/* An image is over when its process is, or when it made room for another by exec. */
static bool client_is_over(struct client *c)
{
	return c->process->ended || (c->process->source && c->process->source != c->source);
}

static void recycle_ended(struct recorder *r)
{
	for (size_t i = 0; i < r->sources.n; i++)
		for (uint32_t k = 0; k < r->sources.v[i]->n_slots; k++)
			if (r->sources.v[i]->clients[k] && client_is_over(r->sources.v[i]->clients[k]))
				recycle(r, r->sources.v[i], k);
}

/* ---- arming ---- */

static void filter_fill(struct recorder *r, struct source *s)
{
	for (size_t i = 0; r->options.wants && i < r->n_known_names; i++) {
		struct client probe_side = { .recorder = r, .source = s };
		wants(&probe_side, r->known_names[i], (uint32_t)strlen(r->known_names[i]));
	}
}

static void source_destroy(struct source *s)
{
	if (!s)
		return;
	for (uint32_t k = 0; s->clients && k < s->n_slots; k++)
		client_remove(s, k);
	native_context_free(s);
	free(s->clients);
	link_destroy(s->link);
	free(s);
}

static struct source *source_add(struct recorder *r, struct link *link, struct process *p)
{
	struct source *s = calloc(1, sizeof(*s));
	if (s)
		s->clients = calloc(r->options.probe.n_slots, sizeof(*s->clients));
	if (!s || !s->clients || !vec_push(&r->sources, s)) {
		if (s)
			free(s->clients);
		free(s);
		return NULL;
	}
	s->link = link;
	s->process = p;
	s->n_slots = r->options.probe.n_slots;
	s->data_bytes = r->options.probe.slot_data_bytes;
	s->slot_bytes = s->data_bytes + PROBE_PAGE;
	s->slots_off = link->ring.shared->slots_off;
	s->root_ns_pid = p->info.ns_pid;
	s->other_pid_ns = p->info.ns_pid != p->info.pid;
	s->armed_ns = monotonic_ns();
	if (!p->source)
		p->source = s;
	filter_fill(r, s);
	return s;
}

struct err *recorder_create(const struct recorder_options *options, struct recorder **ret)
{
	CLEANUP(recorder) struct recorder *r = calloc(1, sizeof(*r));
	if (!r)
		return err_no_memory();
	r->options = *options;
	r->signal_fd = -1;
	clock_init(&r->clock);
	if (!r->clock.use_tsc)
		r->options.probe.flags |= PROBE_CLOCK_VDSO;
	r->record_cap = 1u << 20;
	while (r->record_cap < 512 * 1024 + 2 * (size_t)options->probe.slice_bytes)
		r->record_cap *= 2;
	r->record = malloc(r->record_cap);
	if (!r->record)
		return err_no_memory();
	char host[65] = "";
	gethostname(host, sizeof(host) - 1);
	struct writer_options w = { .wall_anchor_ns = r->clock.wall_start_ns,
				    .creator = "auditview " AUDITVIEW_VERSION,
				    .host = host };
	struct err *err = writer_open(options->path, &w, &r->writer);
	if (err)
		return err;
	static const struct follow_ops ops = {
		.at_entry = recorder_at_entry, .execed = recorder_execed, .forked = recorder_forked, .exited = recorder_exited,
	};
	err = follow_create(&ops, r, &r->follow);
	if (err)
		return err;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &r->old_mask);
	r->masked = true;
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signal_fd < 0)
		return err_sys(errno, "cannot watch for signals");
	r->started_ns = monotonic_ns();
	*ret = take_ptr(r);
	return NULL;
}

void recorder_destroy(struct recorder *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->sources.n; i++)
		source_destroy(r->sources.v[i]);
	vec_fini(&r->sources);
	for (size_t i = 0; i < r->processes.n; i++) {
		if (r->processes.v[i]->pidfd >= 0)
			close(r->processes.v[i]->pidfd);
		free(r->processes.v[i]);
	}
	vec_fini(&r->processes);
	follow_destroy(r->follow);
	writer_destroy(r->writer);
	if (r->signal_fd >= 0)
		close(r->signal_fd);
	if (r->masked)
		sigprocmask(SIG_SETMASK, &r->old_mask, NULL);
	free(r->record);
	free(r);
}

/* Link every runtime that was found; the first failure counts only if none succeeds. */
static struct err *arm(struct recorder *r, pid_t pid, bool at_entry, uint32_t flags, bool *ret_any)
{
	struct remote_mem *mem = NULL;
	CLEANUP(maps) struct maps *maps = NULL;
	struct python_runtime *rts = NULL;
	size_t n = 0;
	*ret_any = false;
	struct err *err = remote_mem_open(pid, &mem), *first = NULL;
	if (!err)
		err = runtimes_find(pid, mem, &maps, &rts, &n);
	for (size_t i = 0; !err && i < n; i++) {
		struct link *link = NULL;
		struct err *e = at_entry ? link_attach_at_entry(pid, &rts[i], &r->options.probe, &link)
					 : link_attach(pid, &rts[i], &r->options.probe, follow_has(r->follow, pid), &link);
		if (e) {
			if (first)
				err_destroy(e);
			else
				first = e;
			continue;
		}
		struct process *p = process_find(r, pid);
		bool fresh = !p || (p->source && p->source->link->pid == pid && p->source->gone);
		if (fresh && p)
			process_ended(r, p, -1);
		if (fresh)
			p = process_add(r, pid, &rts[i], flags);
		struct source *s = p ? source_add(r, link, p) : NULL;
		if (!s) {
			struct detach_report report;
			link_detach(link, NULL, NULL, 1000000000, &report);
			link_destroy(link);
			err = err_no_memory();
			break;
		}
		if (!r->first)
			r->first = p;
		struct note_info note = { .kind = NOTE_ATTACHED, .time_ns = clock_time_now(&r->clock), .process = p->index, .a = link->pause_ns };
		writer_note(r->writer, &note);
		if (link->timeout_extended)
			warn(r, NOTE_MESSAGE, p->index, "a system call with a timeout was interrupted by attaching and started over");
		log_debug("armed %d: Python %s, %s", (int)pid, rts[i].version, rts[i].how);
		*ret_any = true;
	}
	if (first && *ret_any) {
		log_debug("one runtime of %d was not armed: %s", (int)pid, first->message);
		err_destroy(first);
		first = NULL;
	}
	free(rts);
	remote_mem_close(mem);
	if (err)
		err_destroy(first);
	return err ? err : first;
}

struct err *recorder_attach(struct recorder *r, pid_t pid)
{
	struct access access;
	struct err *err = access_check(pid, &access);
	if (err)
		return err;
	/* A probe whose recorder is dead is taken out by link_attach(). */
	err = access_to_err(&access);
	if (err)
		return err;
	if (r->options.follow) {
		err = follow_seize(r->follow, pid);
		if (err)
			return err;
	}
	bool any;
	r->n_roots++;
	return err_wrap(arm(r, pid, false, PROCESS_ATTACHED, &any), "cannot attach to %d", (int)pid);
}

struct err *recorder_launch(struct recorder *r, char *const argv[], const char *user, const struct follow_stdio *io)
{
	r->launching = true;
	r->n_roots++;
	return follow_launch(r->follow, argv, r->options.follow, user, io, &r->launched_pid);
}

bool recorder_at_entry(void *ctx, pid_t pid)
{
	struct recorder *r = ctx;
	bool any;
	struct err *err = arm(r, pid, true, r->launching && !r->first ? PROCESS_LAUNCHED : PROCESS_EXECED, &any);
	if (err && err->code != ERR_NOT_PYTHON) {
		warn(r, NOTE_WARNING, UINT32_MAX, "process %d is not traced: %s", (int)pid, err->message);
		log_debug("not armed at entry of %d: %s", (int)pid, err->message);
	}
	bool not_python = err && err->code == ERR_NOT_PYTHON;
	err_destroy(err);
	return any || !not_python;
}

static void source_gone(struct recorder *r, pid_t pid)
{
	for (size_t i = 0; i < r->sources.n; i++)
		if (r->sources.v[i]->link->pid == pid)
			r->sources.v[i]->gone = true;
}

void recorder_execed(void *ctx, pid_t pid)
{
	struct recorder *r = ctx;
	struct process *p = process_find(r, pid);
	if (!p)
		return;
	struct note_info note = { .kind = NOTE_EXEC, .time_ns = clock_time_now(&r->clock), .process = p->index };
	writer_note(r->writer, &note);
	drain_all(r);
	source_gone(r, pid);
	/* The image is over: its process record ends here, a new one begins when the new image turns out to be Python. */
	process_ended(r, p, -1);
	if (p == r->first)
		r->first_execed = true;
}

void recorder_forked(void *ctx, pid_t parent, pid_t child)
{
	struct recorder *r = ctx;
	(void)parent;
	(void)child;
	r->check_ns = 0;
}

void recorder_exited(void *ctx, pid_t pid, int status)
{
	struct recorder *r = ctx;
	if (pid == r->launched_pid) {
		r->launched_ended = true;
		r->launched_status = status;
	}
	drain_all(r);
	struct process *p = process_find(r, pid);
	if (p)
		process_ended(r, p, status);
}

/* ---- the loop ---- */

static void heartbeat(struct recorder *r, uint64_t now)
{
	if (now - r->heartbeat_ns < HEARTBEAT_NS)
		return;
	r->heartbeat_ns = now;
	for (size_t i = 0; i < r->sources.n; i++)
		__atomic_fetch_add(&r->sources.v[i]->link->ring.shared->heartbeat, 1, __ATOMIC_RELAXED);
}

/* After Py_Finalize the list is empty and would stay so: put the entry back while no interpreter runs, and the next
 * Py_Initialize keeps it (Python/pystate.c, _PyRuntimeState_Init). Never earlier: the teardown raises events too. */
static void relink(struct recorder *r, struct source *s)
{
	struct link *l = s->link;
	struct python_runtime now;
	uint64_t head = 0;
	if (s->gone || s->process->ended || !remote_mem_read(l->mem, RADDR(l->runtime.layout.audit_head), &head, sizeof(head)) || head)
		return;
	struct err *err = python_runtime_find(remote_mem_reader(l->mem), &l->runtime.module, &now);
	if (!err && !now.is_initialised) {
		err = link_again(l, follow_has(r->follow, l->pid));
		if (!err)
			s->finalised = false;
	}
	if (err)
		log_debug("cannot link again in %d: %s", (int)l->pid, err->message);
	err_destroy(err);
}

static void check(struct recorder *r, uint64_t now)
{
	if (now - r->check_ns < CHECK_NS)
		return;
	r->check_ns = now;
	for (size_t i = 0; i < r->processes.n; i++) {
		struct process *p = r->processes.v[i];
		if (p->ended)
			continue;
		if (p->source)
			process_read_prefixes(r, p, p->source);
		if (p->pidfd < 0 && kill(p->pid, 0) < 0 && errno == ESRCH)
			process_ended(r, p, -1);
	}
	uint64_t unserved = 0;
	for (size_t i = 0; i < r->sources.n; i++) {
		struct source *s = r->sources.v[i];
		unserved += s->link->ring.shared->lost_unserved;
		for (uint32_t k = 0; k < s->n_slots; k++)
			if (s->clients[k])
				decoder_refresh_threads(s->clients[k]->decoder);
		if (s->gone || s->process->ended || r->leaving)
			continue;
		enum link_health health = link_check(s->link);
		if (health == LINK_GONE && !s->process->ended && kill(s->link->pid, 0) == 0) {
			s->gone = true; /* exec, without us being told: not followed */
			struct note_info note = { .kind = NOTE_EXEC, .time_ns = clock_time_now(&r->clock), .process = s->process->index };
			writer_note(r->writer, &note);
			process_ended(r, s->process, -1);
		} else if (health == LINK_UNLINKED && s->finalised) {
			relink(r, s);
		} else if (health == LINK_UNLINKED && now - s->armed_ns < 5000000000ull && !s->finalised) {
			/* A hook that was being added to an empty list at that very moment. Not while the interpreter ends. */
			struct python_runtime rt;
			struct err *err = python_runtime_find(remote_mem_reader(s->link->mem), &s->link->runtime.module, &rt);
			if (!err && rt.is_initialised && !rt.is_finalising)
				err = link_again(s->link, follow_has(r->follow, s->link->pid));
			err_destroy(err);
		}
	}
	if (unserved > r->n_unserved) {
		struct note_info note = { .kind = NOTE_LOST, .time_ns = clock_time_now(&r->clock), .process = UINT32_MAX, .a = unserved - r->n_unserved };
		writer_note(r->writer, &note);
		r->n_lost += unserved - r->n_unserved;
		r->n_unserved = unserved;
	}
	recycle_ended(r);
}

static bool any_alive(struct recorder *r)
{
	if (r->launching && !r->launched_ended)
		return true;
	for (size_t i = 0; i < r->processes.n; i++)
		if (!r->processes.v[i]->ended)
			return true;
	return follow_n_tracees(r->follow) > 0;
}

static void set_enabled(struct recorder *r, bool on)
{
	if (r->paused == !on)
		return;
	r->paused = !on;
	for (size_t i = 0; i < r->sources.n; i++)
		__atomic_store_n(&r->sources.v[i]->link->ring.shared->enabled, on, __ATOMIC_SEQ_CST);
	struct note_info note = { .kind = on ? NOTE_RESUMED : NOTE_PAUSED, .time_ns = clock_time_now(&r->clock), .process = UINT32_MAX };
	writer_note(r->writer, &note);
}

static void on_signal(struct recorder *r, const struct signalfd_siginfo *info)
{
	bool from_terminal = info->ssi_code == SI_KERNEL;
	switch (info->ssi_signo) {
	case SIGCHLD: return;
	case SIGINT:
	case SIGQUIT:
		/* The program in the foreground got it too: its end is part of the story. A second one means us. */
		if (r->launching && !r->launched_ended && from_terminal && !r->options.own_terminal && !r->n_interrupts) {
			r->n_interrupts++;
			return;
		}
		break;
	default: break;
	}
	r->n_interrupts++;
	if (r->leaving)
		r->hurry = true;
	r->leaving = true;
	r->by_signal = true;
}

static void on_control(struct recorder *r)
{
	struct control_message m;
	ssize_t n = recv(r->options.control_fd, &m, sizeof(m), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		r->options.control_fd = -1;
		if (!r->viewer_left)
			r->leaving = r->by_signal = true;
		return;
	}
	if (n != (ssize_t)sizeof(m))
		return;
	switch ((enum control_request)m.request) {
	case CONTROL_PAUSE: set_enabled(r, false); break;
	case CONTROL_RESUME: set_enabled(r, true); break;
	case CONTROL_DETACH:
		r->by_signal = true;
		r->leaving = true;
		break;
	case CONTROL_STOP: r->leaving = true; break;
	case CONTROL_TERM:
	case CONTROL_KILL:
		if (r->launched_pid && !r->launched_ended)
			kill(r->launched_pid, m.request == CONTROL_KILL ? SIGKILL : SIGTERM);
		break;
	case CONTROL_FOLLOW:
		r->options.follow = true;
		for (size_t i = 0; i < r->processes.n; i++) {
			struct process *p = r->processes.v[i];
			struct err *err = p->ended || follow_has(r->follow, p->pid) ? NULL : follow_seize(r->follow, p->pid);
			if (err)
				warn(r, NOTE_WARNING, p->index, "cannot follow: %s", err->message);
			err_destroy(err);
		}
		break;
	case CONTROL_WAIT: r->viewer_left = true; break;
	}
}

static void report(struct recorder *r, enum recorder_state state, const char *text, uint64_t now)
{
	if (r->options.control_fd < 0 || (state != RECORDER_ENDED && now - r->report_ns < REPORT_NS))
		return;
	r->report_ns = now;
	struct control_report m = { .state = state,
				    .target_pid = r->first ? r->first->pid : r->launched_pid,
				    .n_events = writer_n_events(r->writer),
				    .n_lost = r->n_lost,
				    .n_children = r->n_children,
				    .n_bytes = writer_n_bytes(r->writer),
				    .exit_status = r->launched_ended ? r->launched_status : r->first ? r->first->status : -1,
				    .target_ended = r->first ? r->first->ended : r->launched_ended,
				    .is_restored = r->restored };
	for (size_t i = 0; i < r->sources.n; i++)
		if (r->sources.v[i]->link->pause_ns > m.pause_ns)
			m.pause_ns = r->sources.v[i]->link->pause_ns;
	if (text)
		snprintf(m.text, sizeof(m.text), "%s", text);
	if (send(r->options.control_fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		log_debug("the viewer does not listen: %s", strerror(errno));
}

static void wait_for_more(struct recorder *r, int timeout_ms)
{
	struct pollfd fds[64];
	struct process *who[64];
	nfds_t n = 0;
	fds[n++] = (struct pollfd){ .fd = r->signal_fd, .events = POLLIN };
	nfds_t control = n;
	if (r->options.control_fd >= 0)
		fds[n++] = (struct pollfd){ .fd = r->options.control_fd, .events = POLLIN };
	nfds_t first = n;
	for (size_t i = r->processes.n; i-- > 0 && n < ARRAY_LEN(fds);) {
		if (r->processes.v[i]->pidfd < 0)
			continue;
		who[n] = r->processes.v[i];
		fds[n++] = (struct pollfd){ .fd = r->processes.v[i]->pidfd, .events = POLLIN };
	}
	if (poll(fds, n, timeout_ms) <= 0)
		return;
	if (fds[0].revents) {
		struct signalfd_siginfo info;
		while (read(r->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
			on_signal(r, &info);
	}
	if (first > control && fds[control].revents)
		on_control(r);
	for (nfds_t i = first; i < n; i++) {
		/* Our own children are reaped by follow_poll(), which knows their status; others end here. */
		if (!fds[i].revents || follow_has(r->follow, who[i]->pid) || who[i]->pid == r->launched_pid)
			continue;
		drain_all(r);
		process_ended(r, who[i], -1);
	}
}

static bool is_attached(void *ctx, pid_t pid)
{
	struct recorder *r = ctx;
	return follow_has(r->follow, pid);
}

/* Leave every target that lives; drain to the last record. */
static void leave(struct recorder *r, struct recorder_summary *sum)
{
	uint64_t timeout = r->hurry ? 500000000ull : 3000000000ull;
	sum->is_restored = true;
	for (size_t i = 0; i < r->sources.n; i++) {
		struct source *s = r->sources.v[i];
		/* Ring full of waiters? Make room before anybody is asked to leave. */
		while (drain_all(r) && !r->hurry)
			;
		struct detach_report report;
		link_detach(s->link, is_attached, r, timeout, &report);
		if (!report.restored) {
			sum->is_restored = false;
			snprintf(sum->left, sizeof(sum->left), "%s", report.left);
			s->process->info.flags |= PROCESS_NOT_RESTORED;
		}
		if (report.n_processes) {
			struct note_info note = { .kind = NOTE_DETACHED, .time_ns = clock_time_now(&r->clock), .process = s->process->index };
			writer_note(r->writer, &note);
		}
	}
	follow_release(r->follow, timeout);
	while (drain_all(r))
		;
	r->restored = sum->is_restored;
}

/* We are out of the program that we launched, and it still runs. */
static void end_launched(struct recorder *r)
{
	if (!r->launching || r->launched_ended || !r->launched_pid)
		return;
	switch (r->options.on_end) {
	case RECORDER_LEAVE: return;
	case RECORDER_TERM: kill(r->launched_pid, SIGTERM); break;
	case RECORDER_KILL: kill(r->launched_pid, SIGKILL); break;
	case RECORDER_WAIT:
		if (r->by_signal)
			return;
		break;
	}
	r->leaving = false; /* from here on a signal or request ends the wait */
	while (!r->launched_ended && !r->leaving) {
		follow_poll(r->follow);
		if (!r->launched_ended)
			wait_for_more(r, 100);
		report(r, RECORDER_LIVE, NULL, monotonic_ns());
	}
}

struct err *recorder_run(struct recorder *r, struct recorder_summary *ret)
{
	struct recorder_summary sum = { .exit_status = -1, .launched = r->launching };
	int idle_ms = 0;
	struct err *err = NULL;
	uint64_t grace_until = 0;
	while (!r->leaving) {
		uint64_t now = monotonic_ns();
		heartbeat(r, now);
		clock_adjust(&r->clock);
		uint64_t taken = drain_all(r);
		idle_ms = taken ? (taken > 256 * 1024 ? 0 : 1) : idle_ms < IDLE_MAX_MS ? idle_ms + 1 : IDLE_MAX_MS;
		follow_poll(r->follow);
		wait_for_more(r, idle_ms);
		follow_poll(r->follow);
		check(r, now);
		if (r->unflushed_since && now - r->unflushed_since > FLUSH_NS) {
			r->unflushed_since = 0;
			err = writer_flush(r->writer);
			if (err)
				break;
		}
		report(r, r->paused ? RECORDER_PAUSED : RECORDER_LIVE, NULL, now);
		if (r->limit_reached || (r->options.duration_ns && now - r->started_ns >= r->options.duration_ns))
			break;
		if (writer_is_broken(r->writer))
			break;
		if (!any_alive(r)) {
			/* Forked children that raised no event yet have no line of their own: ask the kernel who has the ring. */
			if (!grace_until)
				grace_until = now;
			bool found = false;
			for (size_t i = 0; i < r->sources.n && !r->options.only_targets; i++) {
				pid_t *pids = NULL;
				size_t n = 0;
				struct err *e = link_processes(r->sources.v[i]->link, &pids, &n);
				for (size_t k = 0; !e && k < n; k++)
					if (!process_find(r, pids[k])) {
						struct process *p = process_add(r, pids[k], &r->sources.v[i]->link->runtime, PROCESS_FORKED);
						if (p)
							p->source = r->sources.v[i];
						found = p != NULL;
						r->n_children++;
					}
				err_destroy(e);
				free(pids);
			}
			if (!found)
				break;
		}
	}
	leave(r, &sum);
	follow_poll(r->follow);
	end_launched(r);
	recycle_ended(r);
	for (size_t i = 0; i < r->sources.n; i++) {
		struct source *s = r->sources.v[i];
		if (s->link->pause_ns > sum.pause_ns)
			sum.pause_ns = s->link->pause_ns;
		for (uint32_t k = 0; k < s->n_slots; k++) {
			struct client *c = s->clients[k];
			if (!c)
				continue;
			uint64_t dropped = slot_at(s, k)->n_dropped;
			if (dropped > c->n_lost)
				r->n_lost += dropped - c->n_lost;
			c->process->info.n_events += decoder_n_events(c->decoder);
			c->process->info.n_lost += dropped;
			process_update(r, c->process);
		}
	}
	sum.n_events = writer_n_events(r->writer);
	sum.n_lost = r->n_lost;
	sum.n_children = r->n_children;
	sum.target_ended = r->launching ? r->launched_ended : r->first && r->first->ended;
	if (r->launched_ended)
		sum.exit_status = r->launched_status;
	struct strbuf text = { 0 };
	sum.n_bytes = writer_n_bytes(r->writer);
	recorder_goodbye(&sum, NULL, &text); /* the file need not know its own name */
	struct note_info note = { .kind = NOTE_GOODBYE,
				  .time_ns = clock_time_now(&r->clock),
				  .process = UINT32_MAX,
				  .text = writer_string(r->writer, strbuf_str(&text), text.n),
				  .a = sum.pause_ns,
				  .b = sum.is_restored };
	writer_note(r->writer, &note);
	strbuf_clear(&text);
	recorder_goodbye(&sum, r->options.path, &text);
	struct err *closed = writer_close(r->writer);
	r->writer = NULL;
	if (err)
		err_destroy(closed);
	else
		err = closed;
	if (err)
		snprintf(sum.write_error, sizeof(sum.write_error), "%s", err->message);
	r->final = sum;
	if (r->options.control_fd >= 0) {
		struct control_report m = { .state = RECORDER_ENDED, .n_events = sum.n_events, .n_lost = sum.n_lost,
					    .n_children = sum.n_children, .pause_ns = sum.pause_ns, .n_bytes = sum.n_bytes,
					    .target_pid = r->first ? r->first->pid : r->launched_pid,
					    .exit_status = r->launched_ended ? r->launched_status : -1,
					    .target_ended = sum.target_ended, .is_restored = sum.is_restored, .failed = err != NULL };
		snprintf(m.text, sizeof(m.text), "%s", err ? err->message : strbuf_str(&text));
		if (send(r->options.control_fd, &m, sizeof(m), MSG_NOSIGNAL) < 0)
			log_debug("the viewer is gone");
	}
	strbuf_fini(&text);
	*ret = sum;
	return err;
}

void recorder_goodbye(const struct recorder_summary *s, const char *path, struct strbuf *to)
{
	strbuf_add_count(to, s->n_events);
	strbuf_adds(to, s->n_events == 1 ? " event, " : " events, ");
	strbuf_add_count(to, s->n_lost);
	strbuf_adds(to, " lost");
	if (s->n_children) {
		strbuf_adds(to, ", ");
		strbuf_add_count(to, s->n_children);
		strbuf_adds(to, s->n_children == 1 ? " child" : " children");
	}
	strbuf_addf(to, ", longest pause %.*f ms", s->pause_ns < 10000000 ? 2 : 0, (double)s->pause_ns / 1e6);
	if (s->target_ended)
		strbuf_adds(to, ", target ended");
	else
		strbuf_addf(to, ", target restored: %s", s->is_restored ? "yes" : "no");
	if (!s->is_restored)
		strbuf_addf(to, " (%s)", s->left);
	if (path)
		strbuf_addf(to, ", %s", path);
}
