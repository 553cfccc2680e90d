/*
 * threads_outside: see threads_outside.h.
 */
#include "visit/threads_outside.h"

#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "system/remote_mem.h"
#include "visit/hold.h"
#include "visit/remote_target.h"
#include "visit/sigframe.h"
#include "visit/threads.h"

static bool is_in(const struct code_range *code, uint64_t v)
{
	return v >= code->start && v < code->end;
}

/* The registers of a running thread: it is stopped for a few microseconds and continued at once.
 * Our wait costs it nothing until it gets a processor to stop on. */
static struct err *look_at_running(const struct remote_target *t, pid_t tid,
				   const struct code_range *code, bool *ret_outside)
{
	struct arch_regs r;
	bool group_stopped;
	struct err *err = hold_begin(t, tid, 500 * 1000000ull, &group_stopped);
	if (err)
		return err;
	err = hold_repair(t, tid, &r);
	if (!err) {
		uint64_t top[2] = { 0, 0 };
		remote_mem_read(t->mem, RADDR(arch_sp(&r)), top, sizeof(top));
		uint64_t values[ARCH_VALUES + 2];
		size_t n = arch_values(&r, values);
		memcpy(values + n, top, sizeof(top));
		for (size_t i = 0; i < n + 2; i++)
			if (is_in(code, values[i]))
				*ret_outside = false;
		if (sigframe_points_into(t->mem, RADDR(arch_sp(&r)), code))
			*ret_outside = false;
	}
	struct err *go = hold_end(t, tid, group_stopped);
	if (err)
		err_destroy(go);
	return err ? err : go;
}

struct err *threads_outside_check(const struct remote_target *t, uint64_t start, uint64_t end,
				  bool *ret_outside)
{
	return threads_outside_check_range(t, &(struct code_range){ .start = start, .end = end },
					   ret_outside);
}

struct err *threads_outside_check_range(const struct remote_target *t,
					const struct code_range *code, bool *ret_outside)
{
	struct thread_place *threads = NULL;
	size_t n = 0;
	*ret_outside = true;
	struct err *err = threads_list(t->pid, &threads, &n);
	for (size_t i = 0; !err && i < n && *ret_outside; i++) {
		if (threads[i].syscall != -2) {
			if (is_in(code, threads[i].pc) ||
			    sigframe_points_into(t->mem, RADDR(threads[i].sp), code))
				*ret_outside = false;
			continue;
		}
		err = look_at_running(t, threads[i].tid, code, ret_outside);
		/* a thread that has ended is outside forever */
		if (err && err->code == ERR_TARGET_GONE) {
			err_destroy(err);
			err = NULL;
		}
	}
	free(threads);
	return err;
}
