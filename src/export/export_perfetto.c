/*
 * export_perfetto: a Perfetto trace as protobuf, for ui.perfetto.dev and trace_processor.
 *
 * Each process and each thread is a track, and each asyncio task of a thread one below it. An event
 * is an instant of the track of its task, or else of its thread; its theme is the category, its
 * arguments and the tasks that wait for its task are debug annotations. Names, frames and stacks
 * are interned on one packet sequence. A flow leads from a mark on the parent's track, at the time
 * when a child began, to the child's first event. Fields are those of protos/perfetto/trace/ in
 * Perfetto 47; tests/filter/perfetto.proto lists the ones that are used.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash_map.h"
#include "base/utf8.h"
#include "export/export_words.h"
#include "export/exporter_private.h"
#include "model/arguments.h"
#include "model/catalog.h"
#include "model/trace_task.h"
#include "model/value_json.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };
enum { INSTANT = 3, STATE_CLEARED = 1, NEEDS_STATE = 2, CLOCK_REAL = 1, CLOCK_BOOT = 6 };

struct state {
	/* [id] was written, or interned */
	VEC(bool) processes, threads, names, frames, functions, stacks;
	struct hash_map tasks; /* thread, name of a task → number of its track, from 1 */
	uint32_t n_tasks;
	struct strbuf interned, event, part, text;
};

/* ---- protobuf ---- */

static void add_number(struct strbuf *to, unsigned field, uint64_t v)
{
	strbuf_add_varint(to, field << 3 | WIRE_VARINT);
	strbuf_add_varint(to, v);
}

static void add_fixed(struct strbuf *to, unsigned field, uint64_t v)
{
	strbuf_add_varint(to, field << 3 | WIRE_FIXED64);
	strbuf_add(to, &v, sizeof(v));
}

static void add_bytes(struct strbuf *to, unsigned field, const char *s, size_t n)
{
	strbuf_add_varint(to, field << 3 | WIRE_BYTES);
	strbuf_add_varint(to, n);
	strbuf_add(to, s, n);
}

/* A string field must be UTF-8: what is not becomes escapes. */
static void add_text(struct strbuf *to, unsigned field, const char *s, size_t n)
{
	struct strbuf clean = { 0 };
	utf8_add_plain(&clean, s, n, "\n\t");
	add_bytes(to, field, strbuf_str(&clean), clean.n);
	to->failed |= clean.failed;
	strbuf_fini(&clean);
}

static void packet_end(struct exporter *x, struct strbuf *packet)
{
	add_number(packet, 10, 1); /* trusted_packet_sequence_id */
	add_bytes(&x->out, 1, strbuf_str(packet), packet->n);
	x->out.failed |= packet->failed;
	strbuf_clear(packet);
}

/* ---- interning ---- */

/* Mark id; *ret_is_new: it was not marked. False if memory is short. */
#define MARK(vec, id, ret_is_new)                                                                  \
	({                                                                                         \
		bool ok_ = true;                                                                   \
		while (ok_ && (vec)->n <= (id))                                                    \
			ok_ = vec_push(vec, false);                                                \
		*(ret_is_new) = ok_ && !(vec)->v[id];                                              \
		if (ok_)                                                                           \
			(vec)->v[id] = true;                                                       \
		ok_;                                                                               \
	})

/* An InternedString, EventName or EventCategory. iids count from 1. */
static void intern_text(struct state *s, unsigned field, uint64_t iid, const char *text, size_t n)
{
	struct strbuf one = { 0 };
	add_number(&one, 1, iid);
	add_text(&one, 2, text, n);
	add_bytes(&s->interned, field, strbuf_str(&one), one.n);
	s->interned.failed |= one.failed;
	strbuf_fini(&one);
}

static bool frame_intern(struct exporter *x, struct state *s, uint32_t frame)
{
	struct frame_info f;
	size_t n;
	bool is_new;
	if (!MARK(&s->frames, frame, &is_new) || !is_new)
		return is_new || frame < s->frames.n;
	trace_frame(x->trace, frame, &f);
	if (!MARK(&s->functions, f.function, &is_new))
		return false;
	if (is_new) {
		const char *text = trace_string(x->trace, f.function, &n);
		intern_text(s, 5, f.function + 1u, n ? text : "??", n ? n : 2);
	}
	/* the path is interned beside each frame: its iid is that of the frame */
	const char *path = trace_string(x->trace, f.kind == FRAME_NATIVE ? f.module : f.file, &n);
	intern_text(s, 18, frame, path, n);
	strbuf_clear(&s->part);
	add_number(&s->part, 1, frame);
	add_number(&s->part, 2, f.function + 1u);
	if (f.kind == FRAME_NATIVE)
		add_number(&s->part, 4, f.offset);
	add_number(&s->part, 5, frame);
	if (f.line)
		add_number(&s->part, 6, f.line);
	add_bytes(&s->interned, 6, strbuf_str(&s->part), s->part.n);
	return true;
}

static bool stack_intern(struct exporter *x, struct state *s, uint32_t stack)
{
	enum { FRAMES_MAX = 4096 };
	uint32_t frames[FRAMES_MAX];
	bool is_new;
	if (!MARK(&s->stacks, stack, &is_new) || !is_new)
		return stack < s->stacks.n;
	uint32_t n = trace_stack_frames(x->trace, stack, frames, FRAMES_MAX);
	n = n < FRAMES_MAX ? n : FRAMES_MAX;
	for (uint32_t i = 0; i < n; i++)
		if (frames[i] && !frame_intern(x, s, frames[i]))
			return false;
	strbuf_clear(&s->part);
	add_number(&s->part, 1, stack);
	for (uint32_t i = n; i-- > 0;) /* outermost first */
		if (frames[i])
			add_number(&s->part, 2, frames[i]);
	add_bytes(&s->interned, 7, strbuf_str(&s->part), s->part.n);
	return true;
}

/* ---- tracks ---- */

static uint64_t process_track(uint32_t process)
{
	return 1 + 2 * (uint64_t)process;
}

static uint64_t thread_track(uint32_t thread)
{
	return 2 + 2 * (uint64_t)thread;
}

/* Threads and processes have smaller numbers than 2^34. */
static uint64_t task_track(uint32_t number)
{
	return ((uint64_t)1 << 34) + number;
}

/* Pids must differ between hosts: see export_chrome.c. They are 32-bit numbers here. */
static uint32_t shown_pid(const struct process_info *p)
{
	return (p->pid + (p->host << 22)) & INT32_MAX;
}

static void process_describe(struct exporter *x, struct state *s, uint32_t process)
{
	const struct process_info *p = trace_process(x->trace, process);
	struct strbuf packet = { 0 }, track = { 0 };
	size_t n;
	strbuf_clear(&s->part);
	add_number(&s->part, 1, shown_pid(p));
	const char *name = trace_string(x->trace, p->name, &n);
	add_text(&s->part, 6, name, n);
	const char *host = trace_process_host(x->trace, process, &n);
	if (n)
		add_text(&s->part, 8, host, n);
	add_number(&track, 1, process_track(process));
	add_bytes(&track, 3, strbuf_str(&s->part), s->part.n);
	add_bytes(&packet, 60, strbuf_str(&track), track.n);
	packet_end(x, &packet);
	uint32_t parent = trace_process_parent(x->trace, process);
	if (parent != UINT32_MAX) { /* where the flow begins */
		strbuf_clear(&track);
		add_number(&track, 9, INSTANT);
		add_number(&track, 11, process_track(parent));
		add_text(&track, 23, "child", 5);
		add_fixed(&track, 47, process_track(process));
		add_number(&packet, 8, p->start_ns);
		add_bytes(&packet, 11, strbuf_str(&track), track.n);
		packet_end(x, &packet);
	}
	strbuf_fini(&packet);
	strbuf_fini(&track);
}

static void thread_describe(struct exporter *x, struct state *s, const struct event *e)
{
	const struct thread_info *t = trace_thread(x->trace, e->thread);
	struct strbuf packet = { 0 }, track = { 0 };
	strbuf_clear(&s->part);
	add_number(&s->part, 1, shown_pid(trace_process(x->trace, e->process)));
	add_number(&s->part, 2, t->tid & INT32_MAX);
	strbuf_clear(&s->text);
	export_words_thread(x, &s->text, e->thread);
	add_text(&s->part, 5, strbuf_str(&s->text), s->text.n);
	add_number(&track, 1, thread_track(e->thread));
	add_bytes(&track, 4, strbuf_str(&s->part), s->part.n);
	add_number(&track, 5, process_track(e->process));
	add_bytes(&packet, 60, strbuf_str(&track), track.n);
	packet_end(x, &packet);
	strbuf_fini(&packet);
	strbuf_fini(&track);
}

/* The track of an event; 0: memory is short. The track of a task is described before its first
 * event. Tasks of one name have one track in each thread, as elsewhere. */
static uint64_t event_track(struct exporter *x, struct state *s, const struct event *e)
{
	uint32_t name = trace_task_name(x->trace, e->task);
	if (!name)
		return thread_track(e->thread);
	uint32_t *at = hash_map_place(&s->tasks, hash_map_key(e->thread, name));
	if (!at || *at)
		return at ? task_track(*at) : 0;
	*at = ++s->n_tasks;
	struct strbuf packet = { 0 }, track = { 0 };
	size_t n;
	const char *text = trace_task_name_text(x->trace, name, &n);
	add_number(&track, 1, task_track(s->n_tasks));
	add_text(&track, 2, n ? text : "(task)", n ? n : 6);
	add_number(&track, 5, thread_track(e->thread));
	add_bytes(&packet, 60, strbuf_str(&track), track.n);
	packet_end(x, &packet);
	strbuf_fini(&packet);
	strbuf_fini(&track);
	return task_track(s->n_tasks);
}

/* ---- events ---- */

static struct err *begin(struct exporter *x)
{
	struct strbuf packet = { 0 }, clocks = { 0 }, clock = { 0 };
	const uint64_t times[][2] = { { CLOCK_BOOT, 0 },
				      { CLOCK_REAL, trace_about_get(x->trace)->wall_anchor_ns } };
	x->state = calloc(1, sizeof(struct state));
	if (!x->state)
		return err_no_memory();
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		strbuf_clear(&clock);
		add_number(&clock, 1, times[i][0]);
		add_number(&clock, 2, times[i][1]);
		add_bytes(&clocks, 1, strbuf_str(&clock), clock.n);
	}
	add_bytes(&packet, 6, strbuf_str(&clocks), clocks.n);
	add_number(&packet, 13, STATE_CLEARED);
	packet_end(x, &packet);
	strbuf_fini(&packet);
	strbuf_fini(&clocks);
	strbuf_fini(&clock);
	return NULL;
}

static void add_arguments(struct exporter *x, struct state *s, const struct event *e)
{
	struct arguments a;
	struct argument arg;
	arguments_init(&a, x->trace, e);
	while (arguments_next(&a, &arg)) {
		strbuf_clear(&s->part);
		add_text(&s->part, 10, arg.name, arg.n_name);
		if (arg.value.tag == VALUE_INT) {
			add_number(&s->part, 4, (uint64_t)arg.value.i);
		} else if (arg.value.tag == VALUE_STR) {
			add_text(&s->part, 6, (const char *)arg.value.bytes, arg.value.n_bytes);
		} else {
			strbuf_clear(&s->text);
			value_json_write(&s->text, &a.it, &arg.value);
			add_text(&s->part, 6, strbuf_str(&s->text), s->text.n);
		}
		add_bytes(&s->event, 4, strbuf_str(&s->part), s->part.n);
	}
}

static void add_awaited_by(struct exporter *x, struct state *s, const struct event *e)
{
	struct trace_task task;
	if (!trace_task(x->trace, e->task, &task) || (!task.n_awaited && !task.n_more))
		return;
	strbuf_clear(&s->part);
	strbuf_clear(&s->text);
	trace_task_add_awaited(&s->text, &task, TASKS_SHOWN);
	add_text(&s->part, 10, "awaited by", 10);
	add_text(&s->part, 6, strbuf_str(&s->text), s->text.n);
	add_bytes(&s->event, 4, strbuf_str(&s->part), s->part.n);
}

static struct err *write_event(struct exporter *x, uint64_t seq)
{
	struct state *s = x->state;
	struct event e;
	bool is_new, is_first;
	size_t n;
	if (!trace_event(x->trace, seq, &e) || !trace_thread(x->trace, e.thread) ||
	    !trace_process(x->trace, e.process))
		return NULL;
	if (!MARK(&s->processes, e.process, &is_first) || !MARK(&s->threads, e.thread, &is_new))
		return err_no_memory();
	if (is_first)
		process_describe(x, s, e.process);
	if (is_new)
		thread_describe(x, s, &e);
	strbuf_clear(&s->interned);
	const char *name = trace_name(x->trace, e.name, &n);
	enum catalog_theme theme = catalog_theme_of(name, n);
	const char *category = catalog_theme_name(theme);
	if (!MARK(&s->names, e.name, &is_new) || (e.stack && !stack_intern(x, s, e.stack)))
		return err_no_memory();
	if (is_new) {
		intern_text(s, 2, e.name + 1u, name, n);
		intern_text(s, 1, e.name + 1u, category, strlen(category));
	}
	strbuf_clear(&s->event);
	uint64_t track = event_track(x, s, &e);
	if (!track)
		return err_no_memory();
	add_number(&s->event, 9, INSTANT);
	add_number(&s->event, 11, track);
	add_number(&s->event, 10, e.name + 1u);
	add_number(&s->event, 3, e.name + 1u);
	add_arguments(x, s, &e);
	add_awaited_by(x, s, &e);
	if (e.stack)
		add_number(&s->event, 56, e.stack);
	if (is_first && trace_process_parent(x->trace, e.process) != UINT32_MAX)
		add_fixed(&s->event, 48, process_track(e.process));
	struct strbuf packet = { 0 };
	add_number(&packet, 8, e.time_ns);
	add_bytes(&packet, 11, strbuf_str(&s->event), s->event.n);
	if (s->interned.n)
		add_bytes(&packet, 12, strbuf_str(&s->interned), s->interned.n);
	add_number(&packet, 13, NEEDS_STATE);
	packet.failed |= s->interned.failed || s->event.failed || s->part.failed;
	packet_end(x, &packet);
	strbuf_fini(&packet);
	return NULL;
}

static struct err *end(struct exporter *x, bool ok)
{
	struct state *s = x->state;
	vec_fini(&s->processes);
	vec_fini(&s->threads);
	vec_fini(&s->names);
	vec_fini(&s->frames);
	vec_fini(&s->functions);
	vec_fini(&s->stacks);
	hash_map_fini(&s->tasks);
	strbuf_fini(&s->interned);
	strbuf_fini(&s->event);
	strbuf_fini(&s->part);
	strbuf_fini(&s->text);
	free(s);
	return NULL;
}

const struct exporter_format export_perfetto = {
	.name = "perfetto",
	.suffix = ".perfetto-trace",
	.doc = "Perfetto trace (protobuf), for ui.perfetto.dev",
	.begin = begin,
	.event = write_event,
	.end = end,
};
