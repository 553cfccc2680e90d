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

/* ERR_TARGET_GONE, ERR_DENIED with what to do. After the process did exec, open it again: writes
 * still go to the memory it had before. */
MUST_CHECK struct err *remote_mem_open(pid_t pid, struct remote_mem **ret);
/*
 * Let at most `n_reads` further reads through; then each read fails, as if nothing were mapped.
 * Images are the target's: their tables can be made so that looking at them takes minutes. Each
 * examination of a process as a whole runs below such a limit.
 */
#define EXAMINATION_READS 200000u /* a process with 1,000 honest images takes about 50,000 */
void remote_mem_limit(struct remote_mem *m, uint64_t n_reads);
/* End the limit. ERR_UNSUPPORTED when it was reached: what was found until then is not all there
 * is. */
MUST_CHECK struct err *remote_mem_unlimit(struct remote_mem *m);
/* Borrowed until close. */
const struct mem_reader *remote_mem_reader(const struct remote_mem *m);
bool remote_mem_read(struct remote_mem *m, raddr from, void *to, size_t n_bytes);
/* All or an error: ERR_TARGET_GONE, ERR_SYS, ERR_DENIED (the kernel forbids it). An 8-aligned write
 * of 8 bytes is one store. */
MUST_CHECK struct err *remote_mem_write(struct remote_mem *m, raddr to, const void *from,
					size_t n_bytes);
void remote_mem_close(struct remote_mem *m); /* NULL is fine */
