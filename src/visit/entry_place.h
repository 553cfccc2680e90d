/*
 * entry_place: the place in the target for the hook's entry and the mailbox: 32 writable bytes that
 * nothing else uses, and that remain when we have left (a thread may still read an entry that was
 * just unlinked).
 *
 * With glibc it is the rest of the last page behind a module's .bss. musl gives that memory to
 * malloc (musl 1.2.3 ldso/dynlink.c, reclaim_gaps). There the place is the gap that the kernel
 * leaves at the top of the first thread's stack, between the strings of argv and the platform
 * string (Linux 6.1 fs/binfmt_elf.c, create_elf_tables: arch_align_stack). The gap has 0 to 8191
 * bytes at random, is zero, and is below everything that a program may overwrite to change its
 * title.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem_read.h"
#include "python/hook_list.h"

struct maps;
struct mem_reader;
struct python_runtime;

/* The 32 bytes: CPython knows the first 24. */
struct entry_place {
	struct hook_entry hook;
	uint64_t mailbox; /* mailbox.h decodes it */
};
_Static_assert(offsetof(struct entry_place, mailbox) == 24, "arch/x86_64/stub.S, earlier probes");
/* Address of the mailbox of the entry at `entry`. */
static inline raddr entry_place_mailbox(raddr entry)
{
	return raddr_add(entry, offsetof(struct entry_place, mailbox));
}

/* Set rt->slack and slack_bytes (0: there is no place). `i`: how many runtimes of the process
 * already have a place. */
void entry_place_find(pid_t pid, const struct mem_reader *mem, const struct maps *maps, size_t i,
		      struct python_runtime *rt);
