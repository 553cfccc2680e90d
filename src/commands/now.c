/*
 * now: see now.h.
 *
 *     screen ── a byte: what is in the shared memory is asked ──▶ child: a snapshot of each process
 *            ◀─ a byte: so many bytes of the answer are there ──
 *
 * The child reads foreign memory, so its answer is checked as a file would be.
 */
#include "commands/now.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/monotonic.h"
#include "base/strbuf.h"
#include "capture/block.h"
#include "base/vec.h"
#include "base/worker.h"
#include "commands/doctor_stacks.h"
#include "stacks/snapshot.h"
#include "system/proc_file.h"

enum {
	ANSWER_BYTES = 4 << 20,
	LATEST_S = 120, /* each read of the child has a deadline of its own, which is earlier */
};

struct exchange {
	size_t n_asked;
	struct app_now_wish asked[APP_NOW_MAX];
	size_t n_bytes;
	uint8_t bytes[ANSWER_BYTES];
};

struct now {
	struct worker worker;
	bool is_asked;
	uint64_t asked_ns;
	size_t n_wishes;
	struct app_now_wish wishes[APP_NOW_MAX];
	struct app_now answer;
	uint8_t *bytes; /* the texts of the answer */
	VEC(struct app_now_process) processes;
	VEC(struct app_now_thread) threads;
	VEC(struct app_now_frame) frames;
};

/* ---- in the child ---- */

/* A text, with a NUL, so that it can be used where it lies. */
static void add_text(struct strbuf *to, const char *text)
{
	size_t n = strlen(text) + 1;
	strbuf_add_varint(to, n);
	strbuf_add(to, text, n);
}

static void add_thread(struct strbuf *to, const struct snapshot_thread *t)
{
	struct strbuf does = { 0 };
	doctor_stacks_add_does(&does, t);
	strbuf_add_varint(to, (uint64_t)t->tid);
	add_text(to, t->name);
	add_text(to, strbuf_str(&does));
	add_text(to, doctor_stacks_note(t));
	strbuf_add_varint(to, (t->holds_gil ? 1u : 0) | (t->is_broken ? 2u : 0));
	strbuf_add_varint(to, t->n_frames);
	strbuf_add_varint(to, t->left_out_at);
	strbuf_add_varint(to, t->n_shown);
	for (uint32_t i = 0; i < t->n_shown; i++) {
		add_text(to, t->frames[i].function);
		add_text(to, t->frames[i].file);
		strbuf_add_varint(to, t->frames[i].line);
	}
	strbuf_fini(&does);
}

static void add_head(struct strbuf *to, int pid, const char *why, uint64_t age_ns, uint64_t cpu_ns)
{
	strbuf_add_varint(to, (uint64_t)pid);
	add_text(to, why);
	strbuf_add_varint(to, monotonic_ns());
	strbuf_add_varint(to, age_ns);
	strbuf_add_varint(to, cpu_ns);
}

static void add_nothing(struct strbuf *to, int pid, const char *why)
{
	add_head(to, pid, why, 0, 0);
	strbuf_add_varint(to, 0);
	strbuf_add_varint(to, 0);
}

static bool is_same(const struct app_now_wish *of)
{
	struct proc_stat stat;
	return proc_stat_read(of->pid, &stat) &&
	       (!of->start_ticks || stat.start_ticks == of->start_ticks);
}

static void add_process(struct strbuf *to, const struct app_now_wish *of)
{
	CLEANUP(snapshot) struct snapshot *s = NULL;
	struct doctor_stacks_header header;
	struct err *err = is_same(of) ? doctor_stacks_take_now(of->pid, &header, &s) : NULL;
	if (err || !s || !is_same(of)) {
		add_nothing(to, of->pid, err ? err->message : "it has ended");
		err_destroy(err);
		return;
	}
	add_head(to, of->pid, "", header.age_ns, header.cpu_ns);
	strbuf_add_varint(to, s->n_more);
	strbuf_add_varint(to, s->n_threads);
	for (size_t i = 0; i < s->n_threads; i++)
		add_thread(to, &s->threads[i]);
}

static void answer(struct exchange *x)
{
	struct strbuf all = { 0 };
	size_t n = x->n_asked < APP_NOW_MAX ? x->n_asked : APP_NOW_MAX;
	strbuf_add_varint(&all, n);
	for (size_t i = 0; i < n; i++) {
		struct strbuf one = { 0 };
		size_t room = (sizeof(x->bytes) - all.n) / (n - i);
		add_process(&one, &x->asked[i]);
		if (one.failed || one.n > room) {
			strbuf_clear(&one);
			add_nothing(&one, x->asked[i].pid, "its stacks are too long");
		}
		strbuf_add(&all, strbuf_str(&one), one.n);
		strbuf_fini(&one);
	}
	x->n_bytes = all.failed || all.n > sizeof(x->bytes) ? 0 : all.n;
	memcpy(x->bytes, strbuf_str(&all), x->n_bytes);
	strbuf_fini(&all);
}

static void serve(int fd, pid_t owner, void *shared)
{
	char byte;
	while (recv(fd, &byte, 1, 0) == 1 && worker_begin(owner)) {
		answer(shared);
		worker_end();
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			break;
	}
}

/* ---- the screen's side ---- */

struct now *now_create(void)
{
	struct now *now = calloc(1, sizeof(*now));
	if (now)
		now->worker = (struct worker)WORKER_NONE;
	return now;
}

void now_destroy(struct now *now)
{
	if (!now)
		return;
	worker_abandon(&now->worker, true);
	free(now->bytes);
	vec_fini(&now->processes);
	vec_fini(&now->threads);
	vec_fini(&now->frames);
	free(now);
}

static void forget_answer(struct now *now)
{
	free(now->bytes);
	now->bytes = NULL;
	now->processes.n = now->threads.n = now->frames.n = 0;
	now->answer = (struct app_now){ 0 };
}

/* Make an answer: nothing could be read, because of this. */
static const struct app_now *answer_why(struct now *now, const char *why)
{
	forget_answer(now);
	for (size_t i = 0; i < now->n_wishes; i++) {
		struct app_now_process p = { .pid = now->wishes[i].pid,
					     .why = why,
					     .at_ns = monotonic_ns() };
		if (!vec_push(&now->processes, p))
			break;
	}
	now->answer = (struct app_now){ .n = now->processes.n, .v = now->processes.v };
	return &now->answer;
}

void now_ask(struct now *now, const struct app_now_wish *of, size_t n)
{
	char byte = 0;
	if (now->is_asked || !n)
		return;
	now->is_asked = true;
	now->asked_ns = monotonic_ns();
	now->n_wishes = n < APP_NOW_MAX ? n : APP_NOW_MAX;
	memcpy(now->wishes, of, now->n_wishes * sizeof(*of));
	if (!now->worker.pid &&
	    !worker_start(&now->worker, sizeof(struct exchange), WORKER_ABANDONED_MAX, serve))
		return; /* now_get() says so */
	struct exchange *x = now->worker.shared;
	x->n_asked = now->n_wishes;
	memcpy(x->asked, now->wishes, sizeof(x->asked));
	if (send(now->worker.fd, &byte, 1, MSG_NOSIGNAL) != 1)
		worker_abandon(&now->worker, true);
}

int now_fd(const struct now *now)
{
	return now->is_asked ? now->worker.fd : -1;
}

struct bytes {
	const uint8_t *at, *end;
	bool is_bad;
};

static uint64_t take_number(struct bytes *b)
{
	uint64_t v = 0;
	b->is_bad = b->is_bad || !varint_get(&b->at, b->end, &v);
	return b->is_bad ? 0 : v;
}

static const char *take_text(struct bytes *b)
{
	uint64_t n = take_number(b);
	if (b->is_bad || !n || n > (uint64_t)(b->end - b->at) || b->at[n - 1]) {
		b->is_bad = true;
		return "";
	}
	const char *text = (const char *)b->at;
	b->at += n;
	return text;
}

static void take_thread(struct now *now, struct bytes *b)
{
	struct app_now_thread t = { .tid = (int)take_number(b) };
	t.name = take_text(b);
	t.does = take_text(b);
	t.note = take_text(b);
	uint64_t flags = take_number(b);
	t.holds_gil = flags & 1;
	t.is_broken = flags & 2;
	t.n_frames = (uint32_t)take_number(b);
	t.left_out_at = (uint32_t)take_number(b);
	t.n_shown = (uint32_t)take_number(b);
	b->is_bad = b->is_bad || t.n_shown > t.n_frames;
	for (uint32_t i = 0; i < t.n_shown && !b->is_bad; i++) {
		struct app_now_frame f = { .function = take_text(b) };
		f.file = take_text(b);
		f.line = (uint32_t)take_number(b);
		b->is_bad = b->is_bad || !vec_push(&now->frames, f);
	}
	b->is_bad = b->is_bad || !vec_push(&now->threads, t);
}

static void take_process(struct now *now, struct bytes *b)
{
	struct app_now_process p = { .pid = (int)take_number(b) };
	p.why = take_text(b);
	p.at_ns = take_number(b);
	p.age_ns = take_number(b);
	p.cpu_ns = take_number(b);
	p.n_more = (size_t)take_number(b);
	p.n_threads = (size_t)take_number(b);
	for (size_t i = 0; i < p.n_threads && !b->is_bad; i++)
		take_thread(now, b);
	b->is_bad = b->is_bad || !vec_push(&now->processes, p);
}

/* Read the answer. The lists may move while they grow, so they are joined at the end. */
static bool take_answer(struct now *now)
{
	const struct exchange *x = now->worker.shared;
	size_t n_bytes = x->n_bytes <= sizeof(x->bytes) ? x->n_bytes : 0;
	forget_answer(now);
	now->bytes = malloc(n_bytes + 1);
	if (!now->bytes)
		return false;
	memcpy(now->bytes, x->bytes, n_bytes);
	struct bytes b = { .at = now->bytes, .end = now->bytes + n_bytes };
	uint64_t n = take_number(&b);
	for (uint64_t i = 0; i < n && !b.is_bad; i++)
		take_process(now, &b);
	if (b.is_bad || !n)
		return false;
	const struct app_now_frame *frames = now->frames.v;
	struct app_now_thread *threads = now->threads.v;
	for (size_t i = 0; i < now->threads.n; i++) {
		threads[i].frames = frames;
		frames += threads[i].n_shown;
	}
	for (size_t i = 0; i < now->processes.n; i++) {
		now->processes.v[i].threads = threads;
		threads += now->processes.v[i].n_threads;
	}
	now->answer = (struct app_now){ .n = now->processes.n, .v = now->processes.v };
	return true;
}

const struct app_now *now_get(struct now *now)
{
	char byte;
	if (!now->is_asked)
		return NULL;
	if (!now->worker.pid) {
		now->is_asked = false;
		return answer_why(now, "no process can be started that reads it");
	}
	ssize_t n = recv(now->worker.fd, &byte, 1, MSG_DONTWAIT);
	if (n < 0 && monotonic_ns() - now->asked_ns < LATEST_S * 1000000000ull)
		return NULL;
	now->is_asked = false;
	if (n == 1 && take_answer(now))
		return &now->answer;
	worker_abandon(&now->worker, true);
	return answer_why(now, n < 0 ? "its stacks were not read in time"
				     : "what reads its stacks has ended");
}
