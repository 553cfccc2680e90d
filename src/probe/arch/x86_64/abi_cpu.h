/*
 * abi_cpu: what abi.h needs to know about x86-64.
 */
#pragma once

#define PROBE_PAGE        4096u
#define USER_ADDRESS_BITS 47
/* number of registers in record_native.saved: rbx, r12, r13, r14, r15 */
#define NATIVE_SAVED 5u
/* Times are shifted right by this for the table of threads: to units of 4 to 17 ms. */
#define THREAD_TIME_SHIFT 24
