/*
 * abandoned: ways out of a run of Python's evaluator that do not return from it. The library is
 * loaded by abandoned.py.
 */
#define _GNU_SOURCE
#include <alloca.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STACK_BYTES (1u << 20)
/* An address where nothing is mapped. Its lowest byte is 0, as a cframe of 3.11 needs it. */
#define NOWHERE 0x7f1234560000u

typedef int callback(void);

int on_stack_kept(callback *f);
int on_stack_filled(callback *f);
int on_stack_gone(callback *f);
int guarded(callback *f);
void jump_out(void);
int above_garbage(callback *f);

static int run(void *f)
{
	return ((callback *)f)();
}

enum after { KEPT, FILLED, GONE };

/* Call f in a child that shares our memory, as vfork() does, but on a stack of its own. */
static int in_child(callback *f, enum after after)
{
	int status = -1;
	uint64_t *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		return -1;
	int pid = clone(run, stack + STACK_BYTES / 8, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)f);
	for (size_t i = 0; after == FILLED && i < STACK_BYTES / 8; i++)
		stack[i] = NOWHERE;
	if (after == GONE)
		munmap(stack, STACK_BYTES);
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

int on_stack_kept(callback *f)
{
	return in_child(f, KEPT);
}

int on_stack_filled(callback *f)
{
	return in_child(f, FILLED);
}

int on_stack_gone(callback *f)
{
	return in_child(f, GONE);
}

static _Thread_local jmp_buf out;

int guarded(callback *f)
{
	return setjmp(out) ? 77 : f();
}

void jump_out(void)
{
	longjmp(out, 1);
}

static __attribute__((noinline)) void fill_stack(void)
{
	volatile uint64_t *words = alloca(65536);
	for (size_t i = 0; i < 65536 / 8; i++)
		words[i] = NOWHERE;
}

/* Overwrite what earlier calls left on the stack, then call f. */
int above_garbage(callback *f)
{
	fill_stack();
	return f();
}
