/*
 * leftover: is this reservation one of ours?
 *
 * A recorder that was killed leaves its probe, and a forked child has the probe of its parent. What
 * such a probe says about itself (where it is, how large, how many lanes) is in memory that the
 * target can write, so it is not trusted. Here it is checked against what the kernel says about the
 * process's mappings, and against code and numbers that we know:
 *
 *   the process that was named   Every part is at its place and is mapped as we map it, and nothing
 *                                else is there.
 *   another process              The same is true of its own mappings, and it has the same ring. If
 *                                we made that ring ourselves, a process can have it only by fork.
 *                                If the probe is not ours, the process's own context must say the
 *                                same, its code must be that of the first process, byte by byte,
 *                                and it must run the same program with the same credentials:
 *                                a user who can write to the first can write to it anyway.
 *
 * What cannot be proved is left alone and reported.
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

/* Prove a leftover and fill the fields of *l that are needed to take it out. l->pid, l->mem and
 * l->entry must be set. `said` is the context that the target holds at `base`; `maps` are the
 * mappings of the process. The caller frees l->earlier_code. Returns false if it is not a probe
 * that we can take out; *l is then unchanged. */
MUST_CHECK bool leftover_prove(struct link *l, const struct probe_context *said, raddr base,
			       const struct maps *maps);

/* Find a reservation that nothing names: libpython was unloaded together with the entry and the
 * mailbox, and no thread could be stopped then. It is proved as above, no recorder is at work on
 * it, and at its entry's address there is something else now. l->pid and l->mem must be set. Takes
 * half a second if there is a candidate. */
MUST_CHECK bool leftover_find_stray(const struct link *l, const struct maps *maps, raddr *ret_base);

/* Does process `pid` have, at the place of l's reservation, the same reservation by fork?
 * ERR_CORRUPT: this cannot be proved. */
MUST_CHECK struct err *kin_prove(const struct link *l, pid_t pid, struct remote_mem *mem,
				 const struct maps *maps);

/* Was `pid` forked by l->pid, or by a child of that, since l was begun, and does it have the same
 * program mapped at `code`? This is for a lazy link, which has no ring yet by which children are
 * recognised. */
bool kin_is_forked_since(const struct link *l, pid_t pid, raddr code, const struct maps *of_parent);
