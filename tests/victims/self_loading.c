/*
 * self_loading: a program that loads another one by itself, as packers (UPX) and restorers (DMTCP)
 * do: it maps the dynamic loader, gives it a stack, and jumps to it. The kernel's facts about the
 * process (exe, auxiliary vector) are those of this program; the code that runs is the mapped one.
 *
 *   self_loading LD.SO PROGRAM ARG…      like "LD.SO PROGRAM ARG…"
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STACK_BYTES = 8 << 20, WORDS = 4096 };
#define PAGE 4096ul

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Map all segments of a position-independent ELF file, at a free place. Returns the load bias. */
static uintptr_t map_file(const char *path, Elf64_Ehdr *eh)
{
	static char head[PAGE];
	int fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, head, sizeof(head)) < (ssize_t)sizeof(*eh))
		die(path);
	memcpy(eh, head, sizeof(*eh));
	const Elf64_Phdr *ph = (const void *)(head + eh->e_phoff);
	uintptr_t end = 0;
	for (unsigned i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_vaddr + ph[i].p_memsz > end)
			end = ph[i].p_vaddr + ph[i].p_memsz;
	char *base = mmap(NULL, end, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		die("mmap");
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type != PT_LOAD)
			continue;
		uintptr_t skip = ph[i].p_vaddr % PAGE, file_end = ph[i].p_vaddr + ph[i].p_filesz,
			  page_end = (file_end + PAGE - 1) & ~(PAGE - 1);
		int prot = (ph[i].p_flags & PF_R ? PROT_READ : 0) |
			   (ph[i].p_flags & PF_W ? PROT_WRITE : 0) |
			   (ph[i].p_flags & PF_X ? PROT_EXEC : 0);
		if (mmap(base + ph[i].p_vaddr - skip, ph[i].p_filesz + skip, prot,
			 MAP_PRIVATE | MAP_FIXED, fd, (off_t)(ph[i].p_offset - skip)) == MAP_FAILED)
			die("mmap");
		if (!(ph[i].p_flags & PF_W) || ph[i].p_memsz == ph[i].p_filesz)
			continue;
		memset(base + file_end, 0, page_end - file_end);
		if (ph[i].p_vaddr + ph[i].p_memsz > page_end)
			mprotect(base + page_end, ph[i].p_vaddr + ph[i].p_memsz - page_end, prot);
	}
	close(fd);
	return (uintptr_t)base;
}

int main(int argc, char **argv, char **envp)
{
	Elf64_Ehdr eh;
	if (argc < 3)
		return 2;
	uintptr_t base = map_file(argv[1], &eh);
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		die("mmap");
	/* 16-aligned, as the entry point requires */
	uint64_t *words = (uint64_t *)(stack + STACK_BYTES - WORDS * sizeof(uint64_t));
	size_t n = 0, n_env = 0;
	while (envp[n_env])
		n_env++;
	if ((size_t)argc + n_env + 80 > WORDS)
		return 2;
	words[n++] = (uint64_t)argc - 1;
	for (int i = 1; i <= argc; i++)
		words[n++] = (uint64_t)argv[i];
	for (size_t i = 0; i <= n_env; i++)
		words[n++] = (uint64_t)envp[i];
	for (const Elf64_auxv_t *a = (const void *)(envp + n_env + 1);; a++) {
		uint64_t value = a->a_un.a_val;
		switch (a->a_type) {
		case AT_PHDR: value = base + eh.e_phoff; break;
		case AT_PHNUM: value = eh.e_phnum; break;
		case AT_ENTRY: value = base + eh.e_entry; break;
		case AT_BASE: value = 0; break;
		default: break;
		}
		words[n++] = a->a_type;
		words[n++] = value;
		if (a->a_type == AT_NULL)
			break;
	}
	__asm__ volatile(
	    "movq %0, %%rsp\n\txorl %%edx, %%edx\n\txorl %%ebp, %%ebp\n\tjmp *%1" ::"r"(words),
	    "r"(base + eh.e_entry)
	    : "memory");
	__builtin_unreachable();
}
