"""kin: a service whose child is hostile. The parent stays root and shares memory with the child; the child gives up its
rights and forges the probe of a killed recorder. In the forgery "the ring" is that shared memory, and the rest is where
the parent keeps what it needs.

kin.py HOW RUNTIME_OFF SLACK NEUTRAL

private    the parent's memory at that place is its own, and holds no context
shared     all of it is shared, so that the child can write a context and code to it
file       the ring is a file that the child may only read

The test passes the last three: the offset of the list of hooks in _PyRuntime, the place where a probe puts its entry,
and a function that does nothing. It prints {"ready": child, "parent": pid}; the parent checks its memory until the
child is killed, then prints {"intact": …} and exits with 7.
"""
import ctypes
import json
import os
import struct
import sys
import time

PAGE = 4096
N = 16 * PAGE
MAGIC = 0x31565f4245425250
PROT_RW, PROT_RX = 3, 5
SHARED_ANON, PRIVATE_ANON, FIXED = 0x21, 0x22, 0x10


def main():
    how, head_off, slack, neutral = sys.argv[1], *(int(x, 0) for x in sys.argv[2:5])
    abi = int(sys.argv[5])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    base = libc.mmap(None, 2 * N, 0, PRIVATE_ANON, -1, 0)
    ring = base + N
    libc.mmap(base, N, PROT_RW, (SHARED_ANON if how == "shared" else PRIVATE_ANON) | FIXED, -1, 0)
    libc.mmap(ring, N, PROT_RW, SHARED_ANON | FIXED, -1, 0)
    ctypes.memset(base, 0x55, N)
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

        def write(at, form, *values):
            ctypes.memmove(at, struct.pack(form, *values), struct.calcsize(form))
        if how == "private":
            libc.mmap(base, N, PROT_RW, PRIVATE_ANON | FIXED, -1, 0)
        if how == "file":
            fd = os.open("/etc/passwd", os.O_RDONLY)
            libc.mmap(ring, PAGE, 1, 1 | FIXED, fd, 0)
        # context, code, state, ring: as an auditview of that version would have left them
        write(base, "<QIIQIIIIQQQ", MAGIC, abi, 0, base, 2 * PAGE, PAGE, N, 1, 2 * N, slack, slack + 24)
        if how == "private":
            code = libc.mmap(base + PAGE, PAGE, PROT_RW, PRIVATE_ANON | FIXED, -1, 0)
            ctypes.memset(code, 0xc3, PAGE)
            libc.mprotect(ctypes.c_void_p(code), PAGE, PROT_RX)
        if how != "file":
            write(ring, "<QII", MAGIC, abi, 64)
            write(ring + 44, "<I", 999999)
        runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
        write(slack, "<QQQ", 0, neutral, base)
        write(runtime + head_off, "<Q", slack)
        time.sleep(600)
        os._exit(0)
    print(json.dumps({"ready": child, "parent": os.getpid()}), flush=True)
    intact = True
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        mine = ctypes.string_at(base, N)
        # If all is shared, the child's own writes are no harm by us; the rest must be unchanged.
        intact &= mine[8192:] == b"\x55" * (N - 8192) if how == "shared" else mine == b"\x55" * N
        time.sleep(0.02)
    print(json.dumps({"intact": intact}), flush=True)
    os._exit(7)


if __name__ == "__main__":
    main()
