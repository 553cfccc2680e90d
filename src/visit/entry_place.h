/*
 * entry_place: where in the target the hook's entry and the mailbox can stand: 32 writable bytes
 * that nobody else uses, and that stay when we have left (a thread may still look at an entry that
 * was just unlinked).
 *
 * With glibc that is the rest of the last page behind a module's .bss. musl gives just that to
 * malloc (musl 1.2.3 ldso/dynlink.c, reclaim_gaps). There it is the gap that the kernel leaves at
 * the top of the first thread's stack, between the strings of argv and the platform string
 * (Linux 6.1 fs/binfmt_elf.c, create_elf_tables: arch_align_stack): 0 to 8191 bytes at random,
 * zero, below everything a program may overwrite to change its title.
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>

struct maps;
struct mem_reader;
struct python_runtime;

/* Set rt->slack and slack_bytes (0: there is no place). `i`: how many runtimes of the process have
 * a place already. */
void entry_place_find(pid_t pid, const struct mem_reader *mem, const struct maps *maps, size_t i,
		      struct python_runtime *rt);
