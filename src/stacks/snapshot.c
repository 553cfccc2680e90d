/*
 * snapshot: see snapshot.h.
 *
 *   threads of the process (/proc/PID/task)  ─┐
 *   thread states of each runtime            ─┴▶ pairs ─▶ for each: at rest? walk, describe, still
 *                                                         at rest? ─▶ shared memory ─▶ the owner
 */
#include "stacks/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "base/proc_status.h"
#include "base/worker.h"
#include "base/strbuf.h"
#include "python/locals.h"
#include "python/python.h"
#include "python/stack_walk.h"
#include "python/thread_list.h"
#include "system/descriptor.h"
#include "system/page_cache.h"
#include "system/remote_io.h"
#include "system/thread_rest.h"
#include "system/thread_wait.h"

enum {
	THREADS_MAX = 256,
	FRAMES_MAX = 8192, /* of all threads */
	TEXT_BYTES = 4 << 20,
	RAW_MAX = 1 << 16, /* frames of one thread that are walked */
	SHOWN_INNER = 80,
	SHOWN_OUTER = 20,         /* of a stack that has more than both */
	TRIES_MAX = 3000,         /* for one thread */
	COMPARES_MAX = 8,         /* with one read */
	THREAD_CPU_NS = 60000000, /* the same, of the child's own processor time */
	CPU_NS = 1500000000,      /* for all */
	ANSWER_MS = 3000,
	LOOK_MS = 50,
	STARVED_MS = 60000, /* if it only lacks a processor */
	TID_SEARCH_BYTES = 1024,
	NAME_TRIES = 20,
	SOCKETS_MAX = 32, /* whose addresses are looked up */
};

/* What the child hands over. Texts are offsets, because the memory is elsewhere in the child. */
struct shared_frame {
	uint32_t function, file, line, locals, n_locals;
};
struct answer {
	bool is_done;
	size_t n_threads, n_more, n_frames, n_text;
	struct snapshot_thread threads[THREADS_MAX];
	uint32_t first_frame[THREADS_MAX];
	struct shared_frame frames[FRAMES_MAX];
	char text[TEXT_BYTES];
};

/* ---- in the child ---- */

struct task {
	pid_t tid;
	int ns_tid;
	char state, name[64];
};
struct pair {
	const struct python_runtime *rt;
	struct python_thread thread;
	const struct task *task; /* NULL: of a thread that has ended */
};
struct work {
	pid_t pid;
	const struct python_runtime *runtimes;
	size_t n_runtimes;
	struct answer *answer;
	struct mem_reader mem;
	struct task tasks[THREADS_MAX];
	size_t n_tasks, n_more;
	struct pair pairs[THREADS_MAX];
	size_t n_pairs;
	bool lists_are_whole; /* a thread without a pair is none of Python */
	int cpu;
	bool with_locals;
	pid_t only; /* this thread; 0: all */
	struct stack_frame raw[RAW_MAX];
};

static bool vm_read(void *ctx, raddr from, void *to, size_t n_bytes)
{
	const struct work *w = ctx;
	struct iovec local = { .iov_base = to, .iov_len = n_bytes };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)from.v, .iov_len = n_bytes };
	return process_vm_readv(w->pid, &local, 1, &remote, 1, 0) == (ssize_t)n_bytes;
}

static bool page_read(void *ctx, raddr from, void *to, size_t n_bytes)
{
	return page_cache_read(ctx, from, to, n_bytes);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_tid(const void *a, const void *b)
{
	const struct task *x = a, *y = b;
	return (x->tid > y->tid) - (x->tid < y->tid);
}

static bool tasks_read(struct work *w)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", (int)w->pid);
	DIR *folder = opendir(path);
	if (!folder)
		return false;
	for (struct dirent *e; (e = readdir(folder));) {
		struct proc_status status;
		pid_t tid = (pid_t)atoi(e->d_name);
		if (tid <= 0 || !proc_thread_status(w->pid, tid, &status))
			continue;
		if (w->n_tasks == THREADS_MAX) {
			w->n_more++;
			continue;
		}
		struct task *t = &w->tasks[w->n_tasks++];
		*t = (struct task){ .tid = tid, .ns_tid = status.ns_pid, .state = status.state };
		snprintf(t->name, sizeof(t->name), "%s", status.name);
	}
	closedir(folder);
	qsort(w->tasks, w->n_tasks, sizeof(w->tasks[0]), by_tid);
	return w->n_tasks > 0;
}

static const struct task *task_of(const struct work *w, uint64_t ns_tid)
{
	for (size_t i = 0; i < w->n_tasks; i++)
		if (ns_tid == (uint64_t)w->tasks[i].ns_tid)
			return &w->tasks[i];
	return NULL;
}

/*
 * Before 3.11 a thread state has only what pthread_self() returned: the address of struct pthread,
 * which holds the tid at an offset that depends on the C library (glibc nptl/descr.h). The offset
 * is the one at which most thread states have the tid of a thread that exists.
 */
static void tids_find(struct work *w, size_t first)
{
	size_t best_n = 0, best = 0;
	static uint32_t words[THREADS_MAX][TID_SEARCH_BYTES / 4];
	for (size_t i = first; i < w->n_pairs; i++)
		if (!vm_read(w, RADDR(w->pairs[i].thread.ident), words[i], sizeof(words[i])))
			memset(words[i], 0, sizeof(words[i]));
	for (size_t k = 0; k < TID_SEARCH_BYTES / 4; k++) {
		size_t n = 0;
		for (size_t i = first; i < w->n_pairs; i++)
			n += task_of(w, words[i][k]) != NULL;
		if (n > best_n) {
			best_n = n;
			best = k;
		}
	}
	for (size_t i = first; i < w->n_pairs && best_n; i++)
		w->pairs[i].task = task_of(w, words[i][best]);
}

static void pairs_read(struct work *w)
{
	static struct python_thread list[THREADS_MAX];
	for (size_t r = 0; r < w->n_runtimes; r++) {
		const struct python_runtime *rt = &w->runtimes[r];
		size_t first = w->n_pairs, n;
		bool is_whole;
		n = thread_list_read(&w->mem, rt, list, THREADS_MAX - w->n_pairs, &is_whole);
		w->lists_are_whole = w->lists_are_whole && is_whole;
		for (size_t i = 0; i < n; i++) {
			struct pair *p = &w->pairs[w->n_pairs++];
			*p = (struct pair){ .rt = rt, .thread = list[i] };
			if (list[i].native_id)
				p->task = task_of(w, list[i].native_id);
		}
		if (rt->layout.minor < 11)
			tids_find(w, first);
	}
}

/* Append a text; its offset, or 0, the empty text, where there is no room. */
static uint32_t text_add(struct answer *a, const char *text)
{
	size_t n = strlen(text) + 1;
	if (n == 1 || n > sizeof(a->text) - a->n_text)
		return 0;
	uint32_t at = (uint32_t)a->n_text;
	memcpy(a->text + at, text, n);
	a->n_text += n;
	return at;
}

/* Encode the variables of a frame. Where there is no room, or they cannot be read, there are
 * none. */
static void locals_add(struct work *w, const struct mem_reader *mem,
		       const struct python_runtime *rt, const struct stack_frame *from,
		       struct shared_frame *to)
{
	struct answer *a = w->answer;
	struct strbuf b = { 0 };
	if (w->with_locals && locals_encode(mem, rt, from, &b) &&
	    b.n <= sizeof(a->text) - a->n_text) {
		to->locals = (uint32_t)a->n_text;
		to->n_locals = (uint32_t)b.n;
		memcpy(a->text + a->n_text, strbuf_str(&b), b.n);
		a->n_text += b.n;
	}
	strbuf_fini(&b);
}

/* Name the frames of the stack in w->raw that are shown. False if one cannot be read. */
static bool frames_add(struct work *w, const struct mem_reader *mem,
		       const struct python_runtime *rt, struct snapshot_thread *t, uint32_t first)
{
	static struct stack_code code;
	struct answer *a = w->answer;
	t->n_shown = 0;
	t->left_out_at = 0;
	for (uint32_t i = 0; i < t->n_frames; i++) {
		if (t->n_frames > SHOWN_INNER + SHOWN_OUTER && i == SHOWN_INNER) {
			t->left_out_at = i;
			i = t->n_frames - SHOWN_OUTER;
		}
		if (first + t->n_shown == FRAMES_MAX)
			break;
		if (!stack_frame_describe(mem, rt, &w->raw[i], &code))
			return false;
		struct shared_frame *f = &a->frames[first + t->n_shown++];
		*f = (struct shared_frame){ .function = text_add(a, code.function),
					    .file = text_add(a, code.file),
					    .line = code.line };
		locals_add(w, mem, rt, &w->raw[i], f);
	}
	if (!t->left_out_at)
		t->left_out_at = t->n_shown;
	return true;
}

/* Whether the thread is the holder of `gil`, or waits for it in the call that it sleeps in. */
static void gil_compare(const struct python_gil *gil, const struct pair *p, const char *syscall,
			struct snapshot_thread *t)
{
	struct thread_call call;
	uint64_t at;
	t->holds_gil = gil->holder == p->thread.tstate;
	t->waits_for_gil = !t->holds_gil && thread_call_parse(syscall, &call) &&
			   thread_call_futex(&call, &at) && at - gil->at < gil->n_bytes;
}

/* The thread ran while it was read. Is it at rest again, and is everything that was read the same
 * now? To compare takes a small part of the time that it took to read and to describe, so this
 * succeeds for a thread that wakes up often and sleeps at the same place again. */
static bool rests_as_read(struct thread_rest *rest, struct page_cache *pages)
{
	for (unsigned i = 0; i < COMPARES_MAX; i++)
		if (thread_rest_begin(rest)) {
			if (!page_cache_is_same(pages))
				return false;
			if (thread_rest_end(rest))
				return true;
		}
	return false;
}

/* One read of a stack as it is at a moment at which the thread is at rest. False: it ran, or what
 * was read is not whole. */
static bool stack_try(struct work *w, const struct pair *p, struct thread_rest *rest, bool is_last,
		      struct snapshot_thread *t, uint32_t first)
{
	size_t n = 0, n_text = w->answer->n_text;
	struct python_gil gil;
	bool has_gil = false;
	if (!thread_rest_begin(rest))
		return false;
	struct page_cache *pages = page_cache_create(&w->mem);
	if (!pages)
		return false;
	struct mem_reader mem = { .read = page_read, .ctx = pages };
	bool ok = thread_list_is_same(&mem, p->rt, &p->thread);
	if (ok) {
		enum stack_end end = stack_walk(&mem, p->rt, p->thread.tstate, w->raw, RAW_MAX, &n);
		t->n_frames = (uint32_t)n;
		t->is_broken = end != STACK_WHOLE;
		/* Of a sleeping thread no second look will show more. */
		ok = (end != STACK_BROKEN || (is_last && rest->state != 'R')) &&
		     frames_add(w, &mem, p->rt, t, first);
		has_gil = thread_list_gil(&mem, p->rt, &p->thread, &gil);
	}
	ok = ok && (thread_rest_end(rest) || rests_as_read(rest, pages));
	page_cache_destroy(pages);
	t->holds_gil = t->waits_for_gil = false;
	if (ok) {
		if (has_gil)
			gil_compare(&gil, p, rest->syscall, t);
		w->answer->n_frames = first + t->n_shown;
		return true;
	}
	w->answer->n_text = n_text;
	return false;
}

static void wait_describe(struct work *w, const char *syscall, struct snapshot_thread *t)
{
	struct thread_call call;
	t->wait[0] = 0;
	if (t->waits_for_gil)
		snprintf(t->wait, sizeof(t->wait), "waiting for the GIL");
	else if (thread_call_parse(syscall, &call))
		thread_call_describe(&call, w->pid, t->wait, sizeof(t->wait));
}

static struct snapshot_thread *thread_add(struct work *w, const struct task *task)
{
	struct answer *a = w->answer;
	if (a->n_threads == THREADS_MAX) {
		a->n_more++;
		return NULL;
	}
	struct snapshot_thread *t = &a->threads[a->n_threads];
	*t = (struct snapshot_thread){ .tid = task->tid, .state = task->state };
	snprintf(t->name, sizeof(t->name), "%s", task->name);
	a->first_frame[a->n_threads++] = (uint32_t)a->n_frames;
	return t;
}

static void thread_read(struct work *w, const struct task *task, const struct pair *p)
{
	struct thread_rest rest;
	char name[64], state;
	struct snapshot_thread *t = thread_add(w, task);
	if (!t)
		return;
	uint32_t first = (uint32_t)w->answer->n_frames;
	uint64_t active = 0, begin = cpu_ns();
	/* It is in a dict of all threads. Other threads write it meanwhile; a thread that begins is
	 * not in it yet. */
	for (unsigned i = 0; p && i < NAME_TRIES; i++)
		if (python_thread_name(&w->mem, p->rt, p->thread.ident, &active, name,
				       sizeof(name)) &&
		    name[0]) {
			snprintf(t->name, sizeof(t->name), "%s", name);
			break;
		}
	t->kind = p || !w->lists_are_whole ? SNAPSHOT_RUNS : SNAPSHOT_NATIVE;
	if (!thread_rest_open(&rest, w->pid, task->tid)) {
		t->kind = SNAPSHOT_ENDED;
		return;
	}
	rest.cpu = w->cpu;
	if (p)
		t->interp_id = p->thread.interp_id;
	for (unsigned i = 0; p && i < TRIES_MAX; i++) {
		uint64_t now = cpu_ns();
		bool is_last = i >= 20;
		if (stack_try(w, p, &rest, is_last, t, first)) {
			t->kind = SNAPSHOT_STACK;
			break;
		}
		if (now - begin > THREAD_CPU_NS || now > CPU_NS)
			break;
	}
	/* Of a thread without a stack it is told where it waits, if it does. */
	if (t->kind != SNAPSHOT_STACK) {
		t->n_frames = t->n_shown = t->left_out_at = 0;
		t->is_broken = t->holds_gil = t->waits_for_gil = false;
		(void)thread_rest_begin(&rest);
	}
	t->state = rest.state;
	wait_describe(w, rest.syscall, t);
	if (!proc_state_read(w->pid, task->tid, &state) || state == 'Z' || state == 'X') {
		if (t->kind != SNAPSHOT_STACK)
			t->kind = SNAPSHOT_ENDED;
	}
	w->cpu = rest.cpu;
	thread_rest_close(&rest);
}

static void work_do(struct work *w)
{
	/* The child has no other descriptor than the socket, and no reader of remote_io.h. */
	w->mem = (struct mem_reader){ .read = vm_read, .ctx = w };
	w->cpu = -1;
	if (!tasks_read(w))
		return;
	w->lists_are_whole = true;
	pairs_read(w);
	for (size_t i = 0; i < w->n_tasks; i++) {
		bool is_python = false;
		if (w->only && w->tasks[i].tid != w->only)
			continue;
		for (size_t k = 0; k < w->n_pairs; k++)
			if (w->pairs[k].task == &w->tasks[i]) {
				thread_read(w, &w->tasks[i], &w->pairs[k]);
				is_python = true;
			}
		if (!is_python)
			thread_read(w, &w->tasks[i], NULL);
	}
	w->answer->n_more += w->n_more;
	w->answer->is_done = true;
}

/* ---- the owner's side ---- */

/* Set before the child is forked, which inherits it. Not for several threads. */
static struct question {
	pid_t pid;
	const struct python_runtime *runtimes;
	size_t n_runtimes;
	bool with_locals;
	pid_t only;
} question;

static void serve(int fd, pid_t owner, void *shared)
{
	struct work *w = calloc(1, sizeof(*w));
	char byte = 0;
	if (w && worker_begin(owner)) {
		w->pid = question.pid;
		w->runtimes = question.runtimes;
		w->n_runtimes = question.n_runtimes;
		w->with_locals = question.with_locals;
		w->only = question.only;
		w->answer = shared;
		w->answer->n_text = 1; /* offset 0 is the empty text */
		work_do(w);
		worker_end();
	}
	(void)send(fd, &byte, 1, MSG_NOSIGNAL);
}

/* Wait for the child's answer. False: it did not come in time. A child that waits for a read which
 * never ends is never seen runnable; one that lacks a processor is, between its short waits. */
static bool answer_wait(const struct worker *worker)
{
	uint64_t end = monotonic_ns() + STARVED_MS * 1000000ull;
	for (unsigned idle_ms = 0; idle_ms < ANSWER_MS && monotonic_ns() < end;) {
		struct pollfd p = { .fd = worker->fd, .events = POLLIN };
		int n = poll(&p, 1, LOOK_MS);
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		idle_ms = worker_is_runnable(worker) ? 0 : idle_ms + LOOK_MS;
	}
	return false;
}

static const char *text_of(const struct answer *a, char *text, uint32_t at)
{
	return text + (at < a->n_text ? at : 0);
}

/* What is handed out is one block: the list, the frames, the texts. */
static struct err *answer_copy(const struct answer *a, struct snapshot **ret)
{
	size_t n_threads = a->n_threads < THREADS_MAX ? a->n_threads : THREADS_MAX;
	size_t n_frames = a->n_frames < FRAMES_MAX ? a->n_frames : FRAMES_MAX;
	size_t n_text = a->n_text < TEXT_BYTES ? a->n_text : TEXT_BYTES;
	size_t threads_bytes = n_threads * sizeof(struct snapshot_thread),
	       frames_bytes = n_frames * sizeof(struct snapshot_frame);
	struct snapshot *s = calloc(1, sizeof(*s) + threads_bytes + frames_bytes + n_text + 1);
	if (!s)
		return err_no_memory();
	struct snapshot_frame *frames = (struct snapshot_frame *)((char *)(s + 1) + threads_bytes);
	char *text = (char *)frames + frames_bytes;
	s->threads = (struct snapshot_thread *)(s + 1);
	s->n_threads = n_threads;
	s->n_more = a->n_more;
	memcpy(s->threads, a->threads, threads_bytes);
	memcpy(text, a->text, n_text);
	for (size_t i = 0; i < n_frames; i++) {
		const struct shared_frame *f = &a->frames[i];
		frames[i] = (struct snapshot_frame){ .function = text_of(a, text, f->function),
						     .file = text_of(a, text, f->file),
						     .line = f->line };
		if (f->n_locals && f->locals <= n_text && f->n_locals <= n_text - f->locals) {
			frames[i].locals = (const uint8_t *)text + f->locals;
			frames[i].n_locals = f->n_locals;
		}
	}
	for (size_t i = 0; i < n_threads; i++) {
		struct snapshot_thread *t = &s->threads[i];
		size_t first = a->first_frame[i] < n_frames ? a->first_frame[i] : n_frames;
		t->frames = frames + first;
		if (t->n_shown > n_frames - first)
			t->n_shown = (uint32_t)(n_frames - first);
	}
	*ret = s;
	return NULL;
}

/* Name a socket by its addresses in the words for where a thread waits. Returns whether it waits
 * for one. */
static bool socket_name(pid_t pid, struct snapshot_thread *t)
{
	char name[DESCRIPTOR_SOCKET_BYTES];
	char *at = strstr(t->wait, "socket:[");
	uint64_t inode;
	if (at && descriptor_is_socket(at, &inode) && descriptor_socket(pid, inode, name))
		snprintf(at, sizeof(t->wait) - (size_t)(at - t->wait), "%s", name);
	return at != NULL;
}

/* Start the process that reads. */
static struct err *reader_start(struct worker *w, unsigned n_abandoned_max, struct question q)
{
	if (remote_io_is_stuck(q.pid))
		return remote_io_stuck_error(q.pid);
	question = q;
	if (!worker_start(w, sizeof(struct answer), n_abandoned_max, serve))
		return err_sys(errno, "cannot start a process that reads stacks");
	return NULL;
}

struct err *snapshot_take(pid_t pid, const struct python_runtime *runtimes, size_t n_runtimes,
			  bool with_locals, struct snapshot **ret)
{
	static struct worker worker = WORKER_NONE; /* it reaps those of earlier calls */
	struct err *err = reader_start(&worker, WORKER_ABANDONED_MAX,
				       (struct question){ .pid = pid,
							  .runtimes = runtimes,
							  .n_runtimes = n_runtimes,
							  .with_locals = with_locals });
	if (err)
		return err;
	bool is_answered = answer_wait(&worker);
	const struct answer *a = worker.shared;
	if (!is_answered)
		err = err_create(ERR_TIMEOUT, "process %d did not let its stacks be read in time",
				 (int)pid);
	else if (!a->is_done)
		err = err_create(ERR_TARGET_GONE, "process %d has ended", (int)pid);
	else if (!(err = answer_copy(a, ret)))
		for (size_t i = 0, n = 0; i < (*ret)->n_threads && n < SOCKETS_MAX; i++)
			n += socket_name(pid, &(*ret)->threads[i]);
	worker_abandon(&worker, true);
	return err;
}

/* ---- of one thread, without waiting ---- */

struct snapshot_job {
	struct worker worker;
};

struct err *snapshot_begin(pid_t pid, pid_t tid, const struct python_runtime *runtime,
			   struct snapshot_job **ret)
{
	struct snapshot_job *job = calloc(1, sizeof(*job));
	if (!job)
		return err_no_memory();
	job->worker = (struct worker)WORKER_NONE;
	struct err *err = reader_start(&job->worker, 1,
				       (struct question){ .pid = pid,
							  .runtimes = runtime,
							  .n_runtimes = 1,
							  .with_locals = true,
							  .only = tid });
	if (err)
		free(job);
	else
		*ret = job;
	return err;
}

bool snapshot_is_done(struct snapshot_job *job, struct snapshot **ret)
{
	struct pollfd p = { .fd = job->worker.fd, .events = POLLIN };
	const struct answer *a = job->worker.shared;
	if (poll(&p, 1, 0) <= 0)
		return false;
	*ret = NULL;
	if (a->is_done)
		err_destroy(answer_copy(a, ret));
	return true;
}

void snapshot_job_destroy(struct snapshot_job *job)
{
	if (!job)
		return;
	worker_abandon(&job->worker, true);
	free(job);
}

void snapshot_destroy(struct snapshot *s)
{
	free(s);
}
