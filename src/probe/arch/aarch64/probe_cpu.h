/*
 * probe_cpu: what the probe needs from arm64 Linux: raw system calls, the clock, the thread
 * pointer, the registers that entry.S has stored. errno is not touched.
 */
#pragma once
#include <stdint.h>

enum { SYS_FUTEX = 98 };

static inline long sys_call4(long nr, long a0, long a1, long a2, long a3)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a0;
	register long x1 __asm__("x1") = a1;
	register long x2 __asm__("x2") = a2;
	register long x3 __asm__("x3") = a3;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

/* The virtual counter advances 25 to 1000 times in a microsecond, so two reads can return the same
 * value. */
#define CPU_TICKS_ARE_COARSE 1
/* Without the barrier the counter may be read before earlier instructions are done (Arm ARM,
 * D12.1.2). */
static inline uint64_t cpu_ticks(void)
{
	uint64_t v;
	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(v)::"memory");
	return v;
}

static inline uint64_t thread_pointer(void)
{
	uint64_t v;
	__asm__("mrs %0, tpidr_el0" : "=r"(v));
	return v;
}

/* Read a word of the running thread's struct pthread. It ends at the thread pointer (TLS variant 1:
 * AAELF64, "Thread Local Storage"), so the offset is a negative number of 32 bits. */
static inline uint32_t thread_u32(uint32_t off)
{
	return *(const volatile uint32_t *)(thread_pointer() + (uint64_t)(int64_t)(int32_t)off);
}

static inline uint64_t thread_u64(uint32_t off)
{
	return *(const volatile uint64_t *)(thread_pointer() + (uint64_t)(int64_t)(int32_t)off);
}

/* Possible values of pthread_self(): the address of struct pthread, in which tid is at 0xd0 with
 * glibc (2.36, nptl/descr.h with TLS_DTV_AT_TP) and at 0x20 with musl
 * (1.2.3 src/internal/pthread_impl.h, TLS_ABOVE_TP). */
#define THREAD_SELVES 2
static inline uint64_t thread_self(uint32_t tid_off, unsigned i)
{
	return thread_pointer() + (uint64_t)(int64_t)(int32_t)tid_off - (i ? 0x20 : 0xd0);
}

/* The lowest address of what is above the thread's stack in its block: its struct pthread, which
 * has less than 2 KiB (glibc 2.36 to 2.43). */
static inline uint64_t thread_block_top(void)
{
	return thread_pointer() - 2048;
}

/* Fetch the cache line at `p` for writing, without waiting for it. Any address will do. */
static inline void cpu_fetch_for_write(const void *p)
{
	__asm__ volatile("prfm pstl1keep, %0" : : "Q"(*(const uint8_t *)p));
}

static inline void cpu_relax(void)
{
	__asm__ volatile("isb" ::: "memory");
}

static inline void copy_words(void *to, uint64_t from, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		((volatile uint64_t *)to)[i] = ((const volatile uint64_t *)from)[i];
}

struct saved_regs { /* as entry.S stores them */
	uint64_t fp, ret, x19_to_x28[10];
};
/* The fields of a struct record_native from the registers at `r`; the stack of the caller begins
 * behind them. */
#define SAVED_NATIVE(r)                                                                            \
	{                                                                                          \
		(r)->ret, (uint64_t)((r) + 1), (r)->fp,                                            \
		{                                                                                  \
			(r)->x19_to_x28[0], (r)->x19_to_x28[1], (r)->x19_to_x28[2],                \
			    (r)->x19_to_x28[3], (r)->x19_to_x28[4], (r)->x19_to_x28[5],            \
			    (r)->x19_to_x28[6], (r)->x19_to_x28[7], (r)->x19_to_x28[8],            \
			    (r)->x19_to_x28[9]                                                     \
		}                                                                                  \
	}
