/*
 * probe_cpu: what the probe needs from x86-64 Linux: raw system calls, the clock, the thread
 * pointer, the registers that entry.S has pushed. errno is not touched.
 */
#pragma once
#include <stdint.h>

enum { SYS_FUTEX = 202 };

static inline long sys_call4(long nr, long a0, long a1, long a2, long a3)
{
	register long r10 __asm__("r10") = a3;
	long ret;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a0), "S"(a1), "d"(a2), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline uint64_t cpu_ticks(void)
{
	uint32_t lo, hi;
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* Read a u32 of the running thread's struct pthread. */
static inline uint32_t thread_u32(uint32_t off)
{
	uint32_t v;
	__asm__ volatile("movl %%fs:(%1), %0" : "=r"(v) : "r"((uint64_t)off));
	return v;
}

static inline uint64_t thread_u64(uint32_t off)
{
	uint64_t v;
	__asm__ volatile("movq %%fs:(%1), %0" : "=r"(v) : "r"((uint64_t)off));
	return v;
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* Fetch the cache line at `p` for writing, without waiting for it. Any address will do. */
static inline void cpu_fetch_for_write(const void *p)
{
	__asm__ volatile("prefetchw %0" : : "m"(*(const uint8_t *)p));
}

/* The thread pointer itself is at %fs:0 (System V ABI for AMD64, ELF handling for TLS). */
static inline uint64_t thread_pointer(void)
{
	return thread_u64(0);
}

/* Possible values of pthread_self(): with glibc and musl it is the thread pointer. */
#define THREAD_SELVES 1
static inline uint64_t thread_self(uint32_t tid_off, unsigned i)
{
	(void)tid_off;
	(void)i;
	return thread_pointer();
}

/* The lowest address of what is above the thread's stack in its block: its struct pthread
 * (tcbhead_t.self of glibc). */
static inline uint64_t thread_block_top(void)
{
	return thread_u64(0x10);
}

/* The counter advances by dozens between two reads in one thread. */
#define CPU_TICKS_ARE_COARSE 0

static inline void copy_words(void *to, uint64_t from, uint64_t n)
{
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n)::"memory");
}

struct saved_regs { /* as entry.S pushes them */
	uint64_t r12, r13, r14, r15, rbx, rbp, ret;
};
/* The fields of a struct record_native from the registers at `r`; the stack of the caller begins
 * behind them. */
#define SAVED_NATIVE(r)                                                                            \
	{                                                                                          \
		(r)->ret, (uint64_t)((r) + 1), (r)->rbp,                                           \
		{                                                                                  \
			(r)->rbx, (r)->r12, (r)->r13, (r)->r14, (r)->r15                           \
		}                                                                                  \
	}
