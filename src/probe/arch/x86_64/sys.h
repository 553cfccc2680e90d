/*
 * sys: what the probe needs from x86-64 Linux: raw system calls, the clock, the thread pointer.
 * errno is not touched.
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
