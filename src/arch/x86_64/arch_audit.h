/*
 * arch_audit: the number by which a seccomp filter identifies this CPU's system calls
 * (linux/audit.h; seccomp(2), "arch").
 */
#pragma once
#include <linux/audit.h>

#define NATIVE_AUDIT_ARCH AUDIT_ARCH_X86_64
