"""swap: an unprivileged program that puts something else where it was told to map the memory it shares with a recorder.

swap.py HOW FILE

It gives up root and prints {"ready": pid}. At SIGUSR1 it replaces what was mapped as the ring, and prints {"swapped":
…}:

file     by FILE, which it may only read
memfd    by a memory file of its own, which it truncates to 0 at SIGUSR2
before   by shared memory that it had before
short    by new shared memory of one page
"""
import ctypes
import json
import os
import signal
import sys
import time

PAGE = 4096
RW, RO = 3, 1
SHARED, ANON, FIXED = 1, 0x20, 0x10
RING_BYTES = 64 << 20


def ring_range():
    best = None
    for line in open("/proc/self/maps"):
        fields = line.split(None, 5)
        start, end = (int(x, 16) for x in fields[0].split("-"))
        if fields[1][3] == "s" and len(fields) > 5 and "/dev/zero" in fields[5] and start != old:
            best = start, end - start
    return best


libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mremap.restype = ctypes.c_void_p
libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p]
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
how, path = sys.argv[1:3]
old = libc.mmap(None, RING_BYTES, RW, SHARED | ANON, -1, 0)
memory = os.memfd_create("dev/zero")


def swap(*_):
    there = ring_range()
    if there:
        at, n = there
        if how == "file":
            libc.mmap(at, n, RO, SHARED | FIXED, os.open(path, os.O_RDONLY), 0)
        elif how == "memfd":
            os.ftruncate(memory, n)
            libc.mmap(at, n, RW, SHARED | FIXED, memory, 0)
        elif how == "before":
            libc.mremap(old, RING_BYTES, n, 3, at)  # MREMAP_MAYMOVE | MREMAP_FIXED
        elif how == "short":
            libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(n))
            libc.mmap(at, PAGE, RW, SHARED | ANON | FIXED, -1, 0)
    print(json.dumps({"swapped": bool(there)}), flush=True)


signal.signal(signal.SIGUSR1, swap)
signal.signal(signal.SIGUSR2, lambda *_: os.ftruncate(memory, 0))
print(json.dumps({"ready": os.getpid()}), flush=True)
end = time.monotonic() + 30
while time.monotonic() < end:
    time.sleep(0.01)
