/*
 * remote_mem: read and write the memory of another process without stopping it.
 *
 * Reading uses process_vm_readv and falls back to /proc/PID/mem; writing goes through
 * /proc/PID/mem, which may also write to mappings the process itself cannot write (FOLL_FORCE; the
 * kernel makes a private copy of the page). Memory of a process that is not trusted is accessed
 * with a deadline (remote_io.h).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/mem_read.h"

struct err;
struct remote_mem;

/* ERR_TARGET_GONE, ERR_TIMEOUT, or ERR_DENIED with a hint. Open it again after the process has
 * called exec: this one still writes to the old address space. */
MUST_CHECK struct err *remote_mem_open(pid_t pid, struct remote_mem **ret);
/* The same memory, opened without its name: also if the process has called exec since. ERR_SYS,
 * ERR_NO_MEMORY. */
MUST_CHECK struct err *remote_mem_dup(const struct remote_mem *m, struct remote_mem **ret);
/*
 * Begin an examination. Until it ends, at most `n_reads` reads are made; after that each read fails
 * as if nothing were mapped. The tables of an image are under the target's control and can be made
 * so that reading them takes minutes, so each examination of a whole process has such a limit. And
 * until it ends each page is read once (page_cache.h): what is read may be as old as the
 * examination.
 */
#define EXAMINATION_READS 200000u /* a process with 1,000 well-formed images takes about 50,000 */
void remote_mem_limit(struct remote_mem *m, uint64_t n_reads);
/* End it. ERR_UNSUPPORTED if the limit was reached: the findings are then incomplete.
 * ERR_TIMEOUT: remote_mem_is_stuck(). */
MUST_CHECK struct err *remote_mem_unlimit(struct remote_mem *m);
/* Has a read not been answered (remote_io.h)? All further reads fail. */
bool remote_mem_is_stuck(const struct remote_mem *m);
/* Borrowed until close. */
const struct mem_reader *remote_mem_reader(const struct remote_mem *m);
bool remote_mem_read(struct remote_mem *m, raddr from, void *to, size_t n_bytes);
/* Writes everything or returns an error: ERR_TARGET_GONE, ERR_SYS, ERR_TIMEOUT, ERR_DENIED (the
 * kernel forbids it). An 8-aligned write of 8 bytes is one store. */
MUST_CHECK struct err *remote_mem_write(struct remote_mem *m, raddr to, const void *from,
					size_t n_bytes);
void remote_mem_close(struct remote_mem *m); /* NULL is fine */
