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
#include <sys/types.h>

struct maps;
struct mem_reader;
struct python_runtime;

/* Set rt->slack and slack_bytes (0: there is no place). `i`: how many runtimes of the process
 * already have a place. */
void entry_place_find(pid_t pid, const struct mem_reader *mem, const struct maps *maps, size_t i,
		      struct python_runtime *rt);
