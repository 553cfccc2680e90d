"""sandbox: a program that has restricted itself. Arguments: what, and how.

seccomp kill|errno|trap        the calls that auditview could make in it are forbidden: memory, files, waiting, ids
seccomp whitelist              only what this loop needs is allowed; anything else kills
seccomp strict                 SECCOMP_MODE_STRICT: read, write and exit
later kill                     as the first, once the file FILE.lock exists
new-privs                      no_new_privs alone
as MIB, nofile, memlock MIB    little, or no, address space, descriptors or lockable memory left
plain                          no restriction

It raises victim.mark n TEXT, a burst of them once FILE.burst exists, and prints at its end how many. In strict mode it
cannot look for files: there it reads one byte of its stdin for every mark, until one is "e".
"""
import ctypes
import gc
import json
import os
import resource
import signal
import struct
import sys
import time

import victim
from calls import NR, numbers_of

LIBC = ctypes.CDLL(None, use_errno=True)
FORBIDDEN = "mmap mprotect madvise memfd_create open openat futex sched_yield getpid getppid gettid"
ALLOWED = ("select pselect6 read write close stat fstat lstat lseek munmap brk rt_sigaction rt_sigprocmask rt_sigreturn nanosleep exit "
           "sigaltstack clock_gettime clock_nanosleep exit_group newfstatat")
KILL, TRAP, EPERM, ALLOW = 0x80000000, 0x00030000, 0x00050001, 0x7fff0000


def check(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def install(numbers, if_in, if_not):
    """Install a filter over system call numbers (seccomp(2)): load nr; equal to one of them → if_in; else → if_not."""
    rows = [(0x20, 0, 0, 0)]
    for i, n in enumerate(numbers):
        rows.append((0x15, len(numbers) - i, 0, n))
    rows += [(0x06, 0, 0, if_not), (0x06, 0, 0, if_in)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *row) for row in rows))
    program = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(rows), ctypes.addressof(code)))
    check(LIBC.prctl(38, 1, 0, 0, 0))  # PR_SET_NO_NEW_PRIVS
    check(LIBC.prctl(22, 2, program, 0, 0))  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def seccomp(how):
    if how == "whitelist":
        install(numbers_of(ALLOWED), ALLOW, KILL)
    else:
        install(numbers_of(FORBIDDEN), {"kill": KILL, "trap": TRAP, "errno": EPERM}[how], ALLOW)


def lock_in(what, how):
    if what == "seccomp" and how != "strict":
        seccomp(how)
    elif what == "new-privs":
        check(LIBC.prctl(38, 1, 0, 0, 0))
    elif what == "as":
        pages = int(open("/proc/self/statm").read().split()[0])
        limit = pages * resource.getpagesize() + int(how) * 1048576
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    elif what == "nofile":
        n = len(os.listdir("/proc/self/fd")) - 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
    elif what == "memlock":
        limit = int(how) * 1048576
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
        check(LIBC.mlockall(2))  # MCL_FUTURE


def strict():
    """It does not use rounds(): looking for a file would kill it."""
    victim.say(ready=os.getpid())
    exit_now, write, n = LIBC.syscall, os.write, 0
    text = b'{"truth": {"strict": true}}\n'
    check(LIBC.prctl(22, 1, 0, 0, 0))
    while os.read(0, 1) != b"e":
        sys.audit("victim.mark", n, "strict")
        n += 1
    write(1, text)
    exit_now(NR["exit"], victim.STATUS)


trapped = []
arguments = victim.arguments()
what, how = arguments[0], arguments[1] if len(arguments) > 1 else ""
signal.signal(signal.SIGSYS, lambda *a: trapped.append(a))
json.dumps({"all": ["imports", 1.5]})
gc.disable()
room = [bytearray(64) for _ in range(20000)]  # so that no more memory has to be mapped
del room[::2]
if (what, how) == ("seccomp", "strict"):
    strict()
stop = sys.argv[2] if sys.argv[1] == "--until" else ""
pid = os.getpid()
os.getpid = lambda: pid
if what != "later":
    lock_in(what, how)
burst = 0
n = 0
for _ in victim.rounds():
    victim.mark(n, "sandbox")
    n += 1
    if what == "later" and os.path.exists(stop + ".lock"):
        seccomp(how)
        what = "locked"
    if not burst and os.path.exists(stop + ".burst"):
        burst = 60000
        for _ in range(burst):
            victim.mark(n, "burst of marks, " * 8)
            n += 1
        victim.say(burst=burst)
    time.sleep(0.002)
victim.end(marks=n, trapped=len(trapped))
