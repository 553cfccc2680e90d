/*
 * probe: what entry.S calls of probe.c, and what the compiler calls even in a freestanding build.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct probe_context;
struct saved_regs;

/* The audit hook: CPython raises `event` with the tuple `args`. Returns 0 always: the probe watches
 * and never refuses. */
int probe_hook(const char *event, uint64_t args, struct probe_context *ctx,
	       const struct saved_regs *regs);
/* Py_AtExit(): Python has ended, its memory is not touched any more. */
void probe_all_is_over(void);

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
