/*
 * abi_cpu: what abi.h needs to know about arm64.
 */
#pragma once

/* The parts of a reservation have rights of their own, so they begin at pages of any kernel: 4, 16
 * or 64 KiB (Linux 6.12 arch/arm64/Kconfig, PAGE_SIZE). */
#define PROBE_PAGE        65536u
#define USER_ADDRESS_BITS 48
/* number of registers in record_native.saved: x19 to x28 */
#define NATIVE_SAVED 10u
/* Times are shifted right by this for the table of threads: to units of 1 to 42 ms. */
#define THREAD_TIME_SHIFT 20
