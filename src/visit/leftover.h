/*
 * leftover: is that a reservation of ours?
 *
 * A recorder that was killed leaves its probe, and a forked child has the probe of its parent. What
 * such a probe says of itself (where it is, how large, how many lanes) stands in memory that the
 * target can write, and is no reason to touch anything. Here it is held against what the kernel
 * says of the process's mappings, and against code and numbers that we know:
 *
 *   the process that was named     every part lies where it must, is mapped as we map it, and
 *                                  nothing else is there
 *   another one                    the same of its own mappings, and the same ring. Where we made
 *                                  that ring ourselves, nobody has it but by fork. Behind a probe
 *                                  that is not ours its own context must say the same, its code
 *                                  must be that of the first, byte by byte, and it must run the
 *                                  same program with the same credentials: whoever can write to the
 *                                  first could write to it anyway
 *
 * What cannot be proved is left alone, and said.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/mem_read.h"

struct link;
struct maps;
struct probe_context;
struct remote_mem;

/* Fill what *l needs to take a probe out, l->pid, l->mem and l->entry being known, from what its
 * context says of itself at `base`; `maps` are those of the process. l->earlier_code is the
 * caller's to free. False: it is none that we know how to take out; *l is untouched. */
MUST_CHECK bool leftover_prove(struct link *l, const struct probe_context *said, raddr base,
			       const struct maps *maps);

/* Is what process `pid` has at the place of l's reservation the same, by fork? ERR_CORRUPT: that
 * cannot be proved. */
MUST_CHECK struct err *kin_prove(const struct link *l, pid_t pid, struct remote_mem *mem,
				 const struct maps *maps);

/* Is `pid` a child that l->pid, or a child of that, has forked since l was begun, with the same
 * program mapped at `code`? For the first hook, which has no ring yet by which children are known.
 */
bool kin_is_forked_since(const struct link *l, pid_t pid, raddr code, const struct maps *of_parent);
