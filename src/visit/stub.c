/*
 * stub: see stub.h. In the target, while the stub runs:
 *
 *        text of some module            stack of the chosen thread
 *   ┌───────────────────────┐       ┌──────────────────────────┐
 *   │ code of the module    │       │ frames                   │ ◀ rsp as it was
 *   │ …                     │       │ red zone, 128 bytes      │
 *   ├─ end of the segment ──┤       │ path of an open()        │
 *   │ stub, saved rip, rsp  │ ◀ rip │ struct stub_data         │ ◀ rsp in the stub; it pushes below
 *   └─ end of the page ─────┘       └──────────────────────────┘
 */
#include "visit/stub.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "base/proc_status.h"
#include "system/fault.h"
#include "system/remote_mem.h"
#include "visit/hold.h"
#include "visit/interrupted.h"
#include "visit/mailbox.h"
#include "visit/one_thread.h"
#include "visit/ptrace.h"
#include "visit/remote_place.h"
#include "visit/remote_target.h"
#include "visit/way_back.h"

/* made from stub.S of src/arch; its last 16 bytes say where it returns to */
extern const uint8_t stub_blob[];
extern const size_t stub_blob_bytes;

_Static_assert(offsetof(struct stub_data, ops) == 40 && sizeof(struct remote_op) == 56,
	       "stub.S and ops.inc rely on these");

size_t stub_bytes(void)
{
	return stub_blob_bytes;
}

bool stub_is_at(const uint8_t *bytes)
{
	return memcmp(bytes, stub_blob, stub_blob_bytes - 16) == 0;
}

bool stub_has(const struct remote_target *t, uint64_t pc)
{
	return pc - t->place->code.v < stub_blob_bytes;
}

/* Clear the stub's way back, of a thread that is not in it. */
static struct err *clear_back(const struct remote_target *t, pid_t tid)
{
	struct remote_place *p = t->place;
	struct err *err = p->back.v
			      ? hold_write(t, tid, p->back, p->back_before, sizeof(p->back_before))
			      : NULL;
	if (!err)
		p->back = RADDR(0);
	return err;
}

struct err *stub_clear(const struct remote_target *t, pid_t tid)
{
	struct err *err = clear_back(t, tid);
	return err ? err : hold_write(t, tid, t->place->code, t->place->before, t->place->n_bytes);
}

/* A test wants one of these calls to fail: the thread makes another call instead, which always
 * fails in that way. */
static void fail_on_purpose(pid_t tid, struct remote_op *ops, size_t n)
{
	const uint64_t no_calls = REMOTE_FLAG(REMOTE_LINK) | REMOTE_FLAG(REMOTE_UNLINK) |
				  REMOTE_FLAG(REMOTE_STORE);
	for (size_t i = 0; i < n; i++) {
		struct proc_status status = { .ns_pid = tid };
		switch (ops[i].op & no_calls ? 0 : fault_before(FAULT_CALL)) {
		case 0: break;
		case ENOMEM: /* more than the address space has */
			ops[i] = (struct remote_op){ SYS_mmap,
						     { 0, ARCH_TOO_MANY_BYTES, PROT_NONE,
						       MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1,
						       0 } };
			break;
		/* a process cannot trace itself: kernel/ptrace.c, ptrace_attach,
		 * same_thread_group */
		case EPERM:
			err_destroy(proc_status_read(tid, &status));
			ops[i] = (struct remote_op){
				SYS_ptrace, { PTRACE_SEIZE, (uint64_t)status.ns_pid, 0, 0, 0, 0 }
			};
			break;
		/* no such call: ENOSYS */
		default: ops[i] = (struct remote_op){ 0xfff, { 0 } }; break;
		}
	}
}

struct err *stub_set_up(const struct remote_target *t, pid_t tid,
			const struct remote_program *program, struct remote_call_stats *stats,
			uint64_t *ret_data, struct arch_regs *ret_back)
{
	struct arch_regs regs;
	struct err *err = interrupted_get_regs(tid, &regs);
	if (err)
		return err;
	stats->thread_pointer = arch_thread_pointer(&regs);
	stats->sp = arch_sp(&regs);
	if (!arch_is_64bit(&regs))
		return err_create(ERR_UNSUPPORTED, "thread %d does not run 64-bit code", (int)tid);
	hold_restart_call(t, &regs, &stats->timeout_extended);

	struct stub_data data = { .base = program->base,
				  .fd = -1,
				  .total_bytes = program->total_bytes,
				  .mailbox = t->place->mailbox.v,
				  .n_ops = program->n_ops };
	memcpy(data.ops, program->ops, sizeof(data.ops));
	fail_on_purpose(tid, data.ops, data.n_ops);
	uint64_t at = arch_stub_data_at(&regs, sizeof(data));
	CHECK(at);
	/* the caller sees the effect elsewhere; the answer goes where it is not needed */
	if (!data.mailbox)
		data.mailbox = at + offsetof(struct stub_data, total_bytes);
	if (program->path) {
		if (strlen(program->path) >= sizeof(data.path))
			return err_create(ERR_UNSUPPORTED, "path too long for the target: %s",
					  program->path);
		strcpy(data.path, program->path);
		for (size_t i = 0; i < program->n_ops; i++)
			for (size_t k = 0; k < 6; k++)
				if (data.ops[i].args[k] == REMOTE_PATH)
					data.ops[i].args[k] = at + offsetof(struct stub_data, path);
	}
	/* The first hook of a lazy link (lazy_link.h) that is there may be longer. Its rest is
	 * cleared too, because nothing would tell of it if we were killed. */
	uint8_t code[REMOTE_PLACE_BYTES];
	size_t n_code = t->place->n_bytes > stub_blob_bytes ? t->place->n_bytes : stub_blob_bytes;
	memcpy(code, t->place->before, n_code);
	memcpy(code, stub_blob, stub_blob_bytes);
	uint8_t back_code[sizeof(t->place->back_before)] = { 0 };
	err = clear_back(t, tid); /* of a thread before, which has left it */
	if (!err)
		err = way_back_find(t, arch_pc(&regs));
	if (err)
		return err;
	arch_stub_set_back(code, stub_blob_bytes, &regs, t->place->back.v, back_code);

	uint64_t waiting = mailbox_word_pending(program->pending);
	err = t->place->mailbox.v
		  ? remote_mem_write(t->mem, t->place->mailbox, &waiting, sizeof(waiting))
		  : NULL;
	if (!err)
		err = remote_mem_write(t->mem, RADDR(at), &data, sizeof(data));
	if (!err)
		err = hold_write(t, tid, t->place->code, code, n_code);
	if (!err && t->place->back.v)
		err = hold_write(t, tid, t->place->back, back_code, sizeof(back_code));
	if (err)
		return err;
	arch_forget_call(&regs);
	*ret_back = regs;
	*ret_data = at;
	arch_set_pc(&regs, t->place->code.v);
	arch_set_sp(&regs, at);
	return ptrace_set_regs(tid, &regs);
}

bool stub_was_last_call(const struct arch_regs *r, const struct stub_data *d, int *ret_error)
{
	int64_t left = arch_stub_left(r), result = arch_call_result(r);
	*ret_error = 0;
	if (left < 0) {
		*ret_error = (int)-left;
		return arch_call(r) == SYS_close || d->fd < 0;
	}
	if (result >= 0 || result < -4095)
		return left == 0;
	*ret_error = (int)-result;
	return (!d->base || !d->total_bytes) && d->fd < 0;
}

bool stub_take_back(const struct remote_target *t, pid_t tid, const struct arch_regs *back)
{
	struct arch_regs regs;
	bool is_back = false;
	struct err *err = ptrace_get_regs(tid, &regs);
	if (!err && arch_pc(&regs) == t->place->code.v) {
		err = ptrace_set_regs(tid, back);
		is_back = !err;
	}
	err_destroy(err);
	return is_back;
}

bool stub_is_running(const struct remote_target *t, pid_t tid)
{
	struct arch_regs regs;
	struct err *err = ptrace_get_regs(tid, &regs);
	bool is_in = !err && way_back_place_holds(t->place, arch_pc(&regs));
	err_destroy(err);
	return is_in;
}
