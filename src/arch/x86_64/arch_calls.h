/*
 * arch_calls: x86-64 has every system call that a table names.
 */
#pragma once
#include <sys/syscall.h>
