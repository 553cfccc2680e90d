"""calls: numbers of system calls, for programs that make or forbid calls by number.

NR has those that this CPU has. x86-64's are in Linux's arch/x86/entry/syscalls/syscall_64.tbl; newer CPUs share those of
include/uapi/asm-generic/unistd.h, and have no calls that a later one replaces: libc's stat() is newfstatat there.
"""
import os

ROWS = {  # name: x86-64, newer CPUs
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None), "fstat": (5, 80), "lstat": (6, None),
    "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "select": (23, None), "sched_yield": (24, 124), "madvise": (28, 233),
    "nanosleep": (35, 101), "getpid": (39, 172), "clone": (56, 220), "execve": (59, 221), "exit": (60, 93), "getppid": (110, 173),
    "sigaltstack": (131, 132), "gettid": (186, 178), "futex": (202, 98), "io_setup": (206, 0), "io_getevents": (208, 4),
    "clock_gettime": (228, 113), "clock_nanosleep": (230, 115), "exit_group": (231, 94), "epoll_wait": (232, None),
    "openat": (257, 56), "newfstatat": (262, 79), "pselect6": (270, 72), "set_robust_list": (273, 99), "epoll_pwait": (281, 22),
    "seccomp": (317, 277), "memfd_create": (319, 279), "userfaultfd": (323, 282), "rseq": (334, 293)}
NR = {name: row[os.uname().machine != "x86_64"] for name, row in ROWS.items() if row[os.uname().machine != "x86_64"] is not None}


def numbers_of(text):
    """Return the numbers of these calls, without those that this CPU does not have."""
    unknown = set(text.split()) - set(ROWS)
    if unknown:
        raise KeyError(unknown)
    return [NR[name] for name in text.split() if name in NR]
