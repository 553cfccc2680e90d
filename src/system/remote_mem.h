/*
 * remote_mem: read and write the memory of another process without stopping it.
 *
 * Reading uses process_vm_readv and falls back to /proc/PID/mem; writing goes through
 * /proc/PID/mem, which may also write to mappings the process itself cannot write (FOLL_FORCE; the
 * kernel makes a private copy of the page).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/mem_read.h"

struct err;
struct remote_mem;

/* ERR_TARGET_GONE, or ERR_DENIED with a hint. Open it again after the process has called exec: this
 * one still writes to the old address space. */
MUST_CHECK struct err *remote_mem_open(pid_t pid, struct remote_mem **ret);
/*
 * Allow at most `n_reads` further reads; after that each read fails as if nothing were mapped. The
 * tables of an image are under the target's control and can be made so that reading them takes
 * minutes. So each examination of a whole process has such a limit.
 */
#define EXAMINATION_READS 200000u /* a process with 1,000 well-formed images takes about 50,000 */
void remote_mem_limit(struct remote_mem *m, uint64_t n_reads);
/* End the limit. ERR_UNSUPPORTED if it was reached: the findings are then incomplete. */
MUST_CHECK struct err *remote_mem_unlimit(struct remote_mem *m);
/* Borrowed until close. */
const struct mem_reader *remote_mem_reader(const struct remote_mem *m);
bool remote_mem_read(struct remote_mem *m, raddr from, void *to, size_t n_bytes);
/* Writes everything or returns an error: ERR_TARGET_GONE, ERR_SYS, ERR_DENIED (the kernel forbids
 * it). An 8-aligned write of 8 bytes is one store. */
MUST_CHECK struct err *remote_mem_write(struct remote_mem *m, raddr to, const void *from,
					size_t n_bytes);
void remote_mem_close(struct remote_mem *m); /* NULL is fine */
