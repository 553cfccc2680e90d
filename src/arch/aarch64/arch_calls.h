/*
 * arch_calls: system calls that other CPUs have and arm64 has not (Linux 6.12
 * include/uapi/asm-generic/unistd.h). Their numbers here differ from each other and from all that
 * exist, so tables of calls need no condition.
 */
#pragma once
#include <sys/syscall.h>

#define SYS_poll       (-1001)
#define SYS_select     (-1002)
#define SYS_pause      (-1003)
#define SYS_epoll_wait (-1004)
#define SYS_vfork      (-1005)
#define SYS_readlink   (-1006)
