/*
 * remote_call: see remote_call.h. In the target, while the stub runs:
 *
 *        text of some module            stack of the chosen thread
 *   ┌───────────────────────┐       ┌──────────────────────────┐
 *   │ code of the module    │       │ frames                   │ ◀ rsp as it was
 *   │ …                     │       │ red zone, 128 bytes      │
 *   ├─ end of the segment ──┤       │ path of an open()        │
 *   │ stub, saved rip, rsp  │ ◀ rip │ struct stub_data         │ ◀ rsp while the stub runs; it pushes below
 *   └─ end of the page ─────┘       └──────────────────────────┘
 */
#include "tracer/remote_call.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/vec.h"
#include "tracer/maps.h"
#include "tracer/ptrace.h"
#include "tracer/remote_mem.h"

extern const uint8_t stub_blob[]; /* made from arch/x86_64/stub.S; its last 16 bytes are the saved rip and rsp */
extern const size_t stub_blob_bytes;

struct stub_data {
	uint64_t base;
	int64_t fd;
	uint64_t total_bytes, mailbox, n_ops;
	struct remote_op ops[REMOTE_MAX_OPS];
	char path[128];
};
_Static_assert(offsetof(struct stub_data, ops) == 40 && sizeof(struct remote_op) == 56, "stub.S relies on these");

#define RED_ZONE 128u /* System V ABI, x86-64, 3.2.2 */
#define PAGE 4096u

size_t remote_stub_bytes(void)
{
	return stub_blob_bytes;
}

void remote_program_add(struct remote_program *p, uint64_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
			uint64_t a4, uint64_t a5)
{
	CHECK(p->n_ops < REMOTE_MAX_OPS);
	p->ops[p->n_ops++] = (struct remote_op){ op, { a0, a1, a2, a3, a4, a5 } };
}

/* ---- where the stub can be ---- */

/* Bytes between the end of the executable segment that `m` maps and the end of its last page. */
static bool text_slack(struct remote_mem *mem, const struct elf_module *module, const struct mapping *m, raddr *ret_at,
		       size_t *ret_n)
{
	Elf64_Ehdr eh;
	if (!remote_mem_read(mem, module->start, &eh, sizeof(eh)) || memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phnum > 64)
		return false;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph;
		if (!remote_mem_read(mem, raddr_add(module->start, eh.e_phoff + i * sizeof(ph)), &ph, sizeof(ph)))
			return false;
		if (ph.p_type != PT_LOAD || !(ph.p_flags & PF_X) || ph.p_memsz != ph.p_filesz)
			continue;
		uint64_t end = module->base.v + ph.p_vaddr + ph.p_memsz;
		uint64_t page_end = (end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
		if (end <= m->start || page_end > m->end)
			continue;
		end = (end + 15) & ~15ull;
		*ret_at = RADDR(end);
		*ret_n = page_end > end ? page_end - end : 0;
		return true;
	}
	return false;
}

struct err *remote_place_find(struct remote_mem *mem, const struct maps *maps, raddr prefer, struct remote_place *ret)
{
	CHECK(stub_blob_bytes <= sizeof(ret->before));
	/* Three rounds: the module asked for, any with zero bytes there, any. */
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < maps->n_modules; i++) {
			const struct elf_module *module = &maps->modules[i];
			if (round == 0 && module->start.v != prefer.v)
				continue;
			for (size_t k = 0; k < maps->n; k++) {
				const struct mapping *m = &maps->v[k];
				raddr at;
				size_t n;
				uint8_t bytes[sizeof(ret->before)];
				if (!m->exec || m->write || m->shared || !m->inode || m->start < module->start.v ||
				    m->start >= module->end.v || !text_slack(mem, module, m, &at, &n) ||
				    n < stub_blob_bytes || !remote_mem_read(mem, at, bytes, stub_blob_bytes))
					continue;
				bool zero = true;
				for (size_t b = 0; b < stub_blob_bytes; b++)
					zero &= bytes[b] == 0;
				if (round < 2 && !zero)
					continue;
				ret->code = at;
				memcpy(ret->before, bytes, stub_blob_bytes);
				return NULL;
			}
		}
	}
	return err_create(ERR_UNSUPPORTED, "no module of the target has %zu unused bytes behind its code", stub_blob_bytes);
}

struct err *remote_place_clear(const struct remote_target *t)
{
	return remote_mem_write(t->mem, t->place->code, t->place->before, stub_blob_bytes);
}

/* ---- threads ---- */

bool thread_place_read(pid_t pid, pid_t tid, struct thread_place *ret)
{
	char path[64], text[512];
	*ret = (struct thread_place){ .tid = tid, .state = '?', .syscall = -3 };
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	char *paren = strrchr(text, ')');
	if (paren && paren[1] == ' ')
		ret->state = paren[2];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)pid, (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return true;
	text[n] = 0;
	unsigned long a[6], sp, pc;
	long nr;
	if (strncmp(text, "running", 7) == 0) {
		ret->syscall = -2;
	} else if (sscanf(text, "%ld %lx %lx %lx %lx %lx %lx %lx %lx", &nr, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &sp,
			  &pc) == 9) {
		ret->syscall = nr;
		for (unsigned i = 0; i < 6; i++)
			ret->args[i] = a[i];
		ret->sp = sp;
		ret->pc = pc;
	} else if (sscanf(text, "%ld %lx %lx", &nr, &sp, &pc) == 3) {
		ret->syscall = -1;
		ret->sp = sp;
		ret->pc = pc;
	}
	return true;
}

struct err *threads_list(pid_t pid, struct thread_place **ret, size_t *ret_n)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	VEC(struct thread_place) list = { 0 };
	DIR *dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		struct thread_place place;
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		if (tid <= 0 || !thread_place_read(pid, tid, &place) || place.state == 'Z' || place.state == 'X')
			continue;
		if (!vec_push(&list, place)) {
			closedir(dir);
			vec_fini(&list);
			return err_no_memory();
		}
	}
	if (dir)
		closedir(dir);
	*ret = list.v;
	*ret_n = list.n;
	return NULL;
}

/* How little it shows when this thread is interrupted, 0 best (which calls restart by themselves was measured: signal(7)
 * and its kernel sources name them). */
static int thread_rank(const struct thread_place *p)
{
	if (p->state == 'D' || p->state == 't')
		return 9;
	switch (p->syscall) {
	case SYS_futex:
	case SYS_poll:
	case SYS_ppoll:
	case SYS_select:
	case SYS_pselect6:
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_wait4:
	case SYS_waitid:
	case SYS_pause:
	case SYS_rt_sigsuspend:
	case SYS_flock: return 0;
	case SYS_read: return 1; /* of a pipe or terminal; a socket may have a timeout */
	case -2: return 2;
	case SYS_accept:
	case SYS_accept4:
	case SYS_recvfrom:
	case SYS_recvmsg: return 3;
	case -1: return 4;
	case SYS_epoll_wait:
	case SYS_epoll_pwait: return 5;
	default: return 6;
	}
}

static int compare_rank(const void *a, const void *b)
{
	return thread_rank(a) - thread_rank(b);
}

/* ---- setting a stopped thread up ---- */

/* Does a return address of CPython's own text lie near the top of the stack? Then the caller follows PEP 475 and computes
 * the rest of its timeout anew after EINTR; starting the call over would lengthen it. */
static bool called_by_python(const struct remote_target *t, uint64_t sp)
{
	uint64_t words[96];
	if (!t->text_end || !remote_mem_read(t->mem, RADDR(sp), words, sizeof(words)))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i] >= t->text_start && words[i] < t->text_end)
			return true;
	return false;
}

static bool has_finite_timeout(const struct user_regs_struct *r)
{
	switch (r->orig_rax) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait: return (int)r->r10 > 0;
	case SYS_epoll_pwait2:
	case SYS_semtimedop: return r->r10 != 0;
	case SYS_rt_sigtimedwait: return r->rdx != 0;
	case SYS_io_getevents: return r->r8 != 0;
	default: return true;
	}
}

/* Registers as they must be when the thread goes on: a call that our stop interrupted is made again. */
static void resume_regs(const struct remote_target *t, struct user_regs_struct *r, bool *ret_extended)
{
	enum { RESTARTSYS = -512, RESTARTNOINTR = -513, RESTARTNOHAND = -514, RESTART_RESTARTBLOCK = -516 };
	if ((int64_t)r->orig_rax < 0)
		return;
	int64_t rax = (int64_t)r->rax;
	if (rax == RESTARTSYS || rax == RESTARTNOINTR || rax == RESTARTNOHAND) {
		r->rip -= 2;
		r->rax = r->orig_rax;
	} else if (rax == RESTART_RESTARTBLOCK) {
		r->rip -= 2;
		r->rax = SYS_restart_syscall;
	} else if (rax == -EINTR) {
		bool finite = has_finite_timeout(r);
		if (finite && (r->orig_rax == SYS_epoll_wait || r->orig_rax == SYS_epoll_pwait ||
			       r->orig_rax == SYS_rt_sigtimedwait) &&
		    called_by_python(t, r->rsp))
			return;
		r->rip -= 2;
		r->rax = r->orig_rax;
		*ret_extended = finite;
	}
}

static struct err *write_text(const struct remote_target *t, pid_t tid, raddr to, const uint8_t *bytes, size_t n)
{
	struct err *err = remote_mem_write(t->mem, to, bytes, n);
	if (!err)
		return NULL;
	err_destroy(err); /* kernels can forbid it to /proc/PID/mem (proc_mem.force_override), never to the tracer */
	for (size_t i = 0; i < n; i += 8) {
		uint64_t word = 0;
		memcpy(&word, bytes + i, n - i < 8 ? n - i : 8);
		err = ptrace_poke(tid, to.v + i, word);
		if (err)
			return err;
	}
	return NULL;
}

static struct err *set_up(const struct remote_target *t, pid_t tid, const struct remote_program *program,
			  struct remote_call_stats *stats)
{
	struct user_regs_struct regs;
	struct err *err = ptrace_get_regs(tid, &regs);
	if (err)
		return err;
	stats->fs_base = regs.fs_base;
	stats->sp = regs.rsp;
	if (regs.cs != 0x33)
		return err_create(ERR_UNSUPPORTED, "thread %d does not run 64-bit code", (int)tid);
	resume_regs(t, &regs, &stats->timeout_extended);

	struct stub_data data = { .base = program->base,
				  .fd = -1,
				  .total_bytes = program->total_bytes,
				  .mailbox = t->place->mailbox.v,
				  .n_ops = program->n_ops };
	memcpy(data.ops, program->ops, sizeof(data.ops));
	uint64_t at = (regs.rsp - RED_ZONE - sizeof(data)) & ~63ull;
	if (!data.mailbox) /* the caller sees the effect elsewhere; the answer goes where nobody needs it */
		data.mailbox = at + offsetof(struct stub_data, total_bytes);
	if (program->path) {
		if (strlen(program->path) >= sizeof(data.path))
			return err_create(ERR_UNSUPPORTED, "path too long for the target: %s", program->path);
		strcpy(data.path, program->path);
		for (size_t i = 0; i < program->n_ops; i++)
			for (size_t k = 0; k < 6; k++)
				if (data.ops[i].args[k] == REMOTE_PATH)
					data.ops[i].args[k] = at + offsetof(struct stub_data, path);
	}
	uint8_t code[1024];
	memcpy(code, stub_blob, stub_blob_bytes);
	memcpy(code + stub_blob_bytes - 16, &regs.rip, 8);
	memcpy(code + stub_blob_bytes - 8, &regs.rsp, 8);

	uint64_t waiting = program->pending ? program->pending | REMOTE_PENDING : 0;
	err = t->place->mailbox.v ? remote_mem_write(t->mem, t->place->mailbox, &waiting, sizeof(waiting)) : NULL;
	if (!err)
		err = remote_mem_write(t->mem, RADDR(at), &data, sizeof(data));
	if (!err)
		err = write_text(t, tid, t->place->code, code, stub_blob_bytes);
	if (err)
		return err;
	regs.rip = t->place->code.v;
	regs.rsp = at;
	regs.orig_rax = (uint64_t)-1;
	return ptrace_set_regs(tid, &regs);
}

struct err *remote_call_prepare_stopped(pid_t tid, const struct remote_target *t, const struct remote_program *program,
					struct remote_call_stats *stats)
{
	return set_up(t, tid, program, stats);
}

/* ---- running it ---- */

static bool is_answer(uint64_t mailbox)
{
	return mailbox && (mailbox & (PAGE - 1)) != REMOTE_PENDING;
}

static bool inside(uint64_t v, uint64_t start, uint64_t end)
{
	return v >= start && v < end;
}

/* Threads that were seized but would not stop in time: they cannot be detached from while they run. They are let go as
 * soon as they stop, or by our own end. */
static pid_t pending_detach[64];
static size_t n_pending_detach;

static bool is_pending(pid_t tid)
{
	for (size_t i = 0; i < n_pending_detach; i++)
		if (pending_detach[i] == tid)
			return true;
	return false;
}

bool remote_call_take_pending(pid_t tid)
{
	for (size_t i = 0; i < n_pending_detach; i++) {
		if (pending_detach[i] == tid) {
			pending_detach[i] = pending_detach[--n_pending_detach];
			return true;
		}
	}
	return false;
}

bool remote_call_add_pending(pid_t tid)
{
	if (n_pending_detach == ARRAY_LEN(pending_detach))
		return false;
	pending_detach[n_pending_detach++] = tid;
	return true;
}

static void pending_detach_poll(void)
{
	for (size_t i = 0; i < n_pending_detach;) {
		int status;
		struct err *err = ptrace_wait_stop(pending_detach[i], 0, &status);
		if (err && err->code == ERR_TIMEOUT) {
			err_destroy(err);
			i++;
			continue;
		}
		if (!err)
			err = ptrace_detach(pending_detach[i], status >> 16 ? 0 : WSTOPSIG(status));
		err_destroy(err);
		pending_detach[i] = pending_detach[--n_pending_detach];
	}
}

/*
 * A thread in a job-control stop runs its list while we hold it. It may trap once more at its first step: SEIZE alone
 * stops a thread that was stopped already (kernel/ptrace.c, ptrace_attach), and if that came before our INTERRUPT, the
 * INTERRUPT is still to come.
 */
static void wait_for_answer(const struct remote_target *t, pid_t tid, uint64_t deadline)
{
	uint64_t value = 0;
	while (!is_answer(value) && monotonic_ns() < deadline && remote_mem_read(t->mem, t->place->mailbox, &value, sizeof(value))) {
		int status;
		struct err *err = ptrace_wait_stop(tid, 0, &status);
		if (!err)
			err = ptrace_continue(tid, status >> 16 ? 0 : WSTOPSIG(status));
		else if (err->code == ERR_TIMEOUT)
			poll(NULL, 0, 1);
		err_destroy(err);
	}
}

/* Seize a thread and bring it to a stop. One that does not stop in time is let go as soon as it does. */
static struct err *hold(const struct remote_target *t, pid_t tid, uint64_t timeout_ns, bool *ret_group_stopped)
{
	struct err *err = NULL;
	if (!t->attached) {
		if (is_pending(tid))
			pending_detach_poll();
		if (is_pending(tid))
			return err_create(ERR_TIMEOUT, "thread %d has not stopped yet", (int)tid);
		err = ptrace_seize(tid, t->filtered ? PTRACE_O_SUSPEND_SECCOMP : 0);
		if (err && t->filtered && (err->sys == EPERM || err->sys == EINVAL))
			err = err_with_hint(err_wrap(err, "its seccomp filter cannot be suspended"),
					    "that takes CAP_SYS_ADMIN, and a kernel with CONFIG_CHECKPOINT_RESTORE");
		if (err)
			return err;
	}
	err = ptrace_stop_for_change(tid, timeout_ns, ret_group_stopped);
	if (!err && t->attached && t->filtered)
		err = ptrace_set_options(tid, PTRACE_FOLLOW_OPTIONS | PTRACE_O_SUSPEND_SECCOMP);
	if (err && !t->attached && err->code != ERR_TARGET_GONE && !remote_call_add_pending(tid))
		log_debug("thread %d stays seized until we end", (int)tid);
	return err;
}

/* The mailbox is written a few instructions before the thread has left the stub, and the way back stands in the stub: if
 * the thread lost its processor just there, the stub must not be written anew. */
static bool is_in_stub(const struct remote_target *t, pid_t tid)
{
	struct user_regs_struct regs;
	struct err *err = ptrace_get_regs(tid, &regs);
	bool is_in = !err && inside(regs.rip, t->place->code.v, t->place->code.v + stub_blob_bytes);
	err_destroy(err);
	return is_in;
}

/* The thread that must be looked at before the stub is used again, because nobody knows where it is; 0 none. */
static pid_t straggler(const struct remote_target *t)
{
	struct thread_place at;
	pid_t tid = t->place->last_tid;
	if (!tid || !thread_place_read(t->pid, tid, &at))
		return 0;
	bool is_known = at.syscall != -2 && at.syscall != -3;
	return is_known && !inside(at.pc, t->place->code.v, t->place->code.v + stub_blob_bytes) ? 0 : tid;
}

static struct err *run_in_thread(const struct remote_target *t, pid_t tid, const struct remote_program *program,
				 uint64_t timeout_ns, struct remote_call_stats *stats)
{
	uint64_t start = monotonic_ns();
	bool group_stopped;
	struct err *err = hold(t, tid, timeout_ns, &group_stopped);
	if (err)
		return err;
	if (tid == t->place->last_tid && is_in_stub(t, tid)) {
		err = t->attached ? ptrace_continue(tid, 0) : ptrace_detach(tid, 0);
		return err ? err : err_create(ERR_TIMEOUT, "thread %d has not come back from an earlier call", (int)tid);
	}
	err = set_up(t, tid, program, stats);
	/* A job-control stop would keep the thread from running its list: let it run now, it stops again on detach. A seccomp
	 * filter is suspended only while we are attached: stay until the list is done. */
	bool stay = t->filtered || (group_stopped && !t->attached);
	struct err *go = stay || t->attached ? ptrace_continue(tid, 0) : ptrace_detach(tid, 0);
	stats->pause_ns = monotonic_ns() - start;
	stats->tid = tid;
	t->place->last_tid = tid;
	if (stay) {
		bool again;
		if (!err && !go)
			wait_for_answer(t, tid, monotonic_ns() + timeout_ns);
		err_destroy(ptrace_stop_for_change(tid, timeout_ns, &again));
		if (t->attached) {
			err_destroy(ptrace_set_options(tid, PTRACE_FOLLOW_OPTIONS));
			err_destroy(ptrace_continue(tid, 0));
		} else {
			err_destroy(ptrace_detach(tid, 0));
		}
	}
	if (err)
		err_destroy(go);
	return err ? err : go;
}

struct err *remote_call_answer(const struct remote_target *t, uint64_t *ret_value)
{
	uint64_t value = 0;
	if (!remote_mem_read(t->mem, t->place->mailbox, &value, sizeof(value)))
		return err_create(ERR_TARGET_GONE, "process %d is gone", (int)t->pid);
	if (!is_answer(value))
		return err_create(ERR_TIMEOUT, "process %d has not answered yet", (int)t->pid);
	if ((int64_t)value < 0 && (int64_t)value > -4096)
		return err_sys((int)-(int64_t)value, "a system call made in process %d failed", (int)t->pid);
	*ret_value = value;
	return NULL;
}

struct err *remote_call_run(const struct remote_target *t, const struct remote_program *program, uint64_t avoid_start,
			    uint64_t avoid_end, uint64_t timeout_ns, struct remote_call_stats *stats, uint64_t *ret_value)
{
	uint64_t deadline = monotonic_ns() + timeout_ns;
	struct err *last = NULL;
	bool started = false;
	pending_detach_poll();
	while (!started) {
		struct thread_place *threads;
		size_t n;
		struct err *err = threads_list(t->pid, &threads, &n);
		if (err) {
			err_destroy(last);
			return err;
		}
		if (!n) {
			free(threads);
			err_destroy(last);
			return err_create(ERR_TARGET_GONE, "process %d is gone", (int)t->pid);
		}
		qsort(threads, n, sizeof(*threads), compare_rank);
		pid_t only = straggler(t);
		for (size_t i = 0; i < n && !started && monotonic_ns() < deadline; i++) {
			if (only && threads[i].tid != only)
				continue;
			if (threads[i].pc >= avoid_start && threads[i].pc < avoid_end && avoid_end)
				continue;
			uint64_t left = deadline - monotonic_ns();
			if (left > timeout_ns / 4 + 1)
				left = timeout_ns / 4 + 1;
			*stats = (struct remote_call_stats){ 0 };
			err_destroy(last);
			last = run_in_thread(t, threads[i].tid, program, left, stats);
			started = !last;
			if (last && (last->code == ERR_DENIED || last->sys == ESTALE)) {
				free(threads);
				return last;
			}
		}
		free(threads);
		if (!started && monotonic_ns() >= deadline)
			return last ? last : err_create(ERR_TIMEOUT, "no thread of process %d could be stopped", (int)t->pid);
		ptrace_serve();
		if (!started)
			poll(NULL, 0, 1);
	}
	if (!t->place->mailbox.v) {
		*ret_value = 1;
		return NULL;
	}
	for (unsigned spins = 0;; spins++) {
		struct err *err = remote_call_answer(t, ret_value);
		if (!err || err->code != ERR_TIMEOUT || monotonic_ns() >= deadline)
			return err;
		err_destroy(err);
		ptrace_serve();
		if (spins < 100)
			sched_yield();
		else
			poll(NULL, 0, 1);
	}
}

/* A running thread's registers: stopped for a few microseconds, let go at once. Until it gets a processor to stop on, it
 * loses nothing by our waiting. */
static struct err *look_at_running(const struct remote_target *t, pid_t tid, uint64_t start, uint64_t end, bool *ret_outside)
{
	struct user_regs_struct r;
	bool group_stopped;
	struct err *err = hold(t, tid, 500 * 1000000ull, &group_stopped);
	if (err)
		return err;
	err = ptrace_get_regs(tid, &r);
	if (!err) {
		uint64_t top[2] = { 0, 0 };
		remote_mem_read(t->mem, RADDR(r.rsp), top, sizeof(top));
		const uint64_t values[] = { r.rip, r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.r8, r.r9,
					    r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, top[0], top[1] };
		for (size_t i = 0; i < ARRAY_LEN(values); i++)
			if (inside(values[i], start, end))
				*ret_outside = false;
	}
	struct err *go = t->attached ? (group_stopped ? ptrace_listen(tid) : ptrace_continue(tid, 0)) : ptrace_detach(tid, 0);
	if (err)
		err_destroy(go);
	return err ? err : go;
}

struct err *threads_check_outside(const struct remote_target *t, uint64_t start, uint64_t end, bool *ret_outside)
{
	struct thread_place *threads = NULL;
	size_t n = 0;
	*ret_outside = true;
	struct err *err = threads_list(t->pid, &threads, &n);
	for (size_t i = 0; !err && i < n && *ret_outside; i++) {
		if (threads[i].syscall != -2) {
			if (inside(threads[i].pc, start, end))
				*ret_outside = false;
			continue;
		}
		err = look_at_running(t, threads[i].tid, start, end, ret_outside);
		if (err && err->code == ERR_TARGET_GONE) { /* a thread that ended is outside for good */
			err_destroy(err);
			err = NULL;
		}
	}
	free(threads);
	return err;
}
