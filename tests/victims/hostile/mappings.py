"""mappings: a program that changes the mappings of the memory that a recorder shares with it.

mappings.py MODE

It prints {"ready": pid}, waits until the ring is mapped, changes it, prints {"changed": MODE}, and raises
"hostile.mark" until it is killed.

remove  all contents are dropped: the ring reads as zeros
state   one word of the head is cleared: hooks return at once
split   the last page cannot be written any more, so the kernel shows two mappings
cut     the last page is unmapped
move    the last MiB is elsewhere
child   as split, in a forked child
"""
import ctypes
import json
import os
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
POINTER, SIZE, INT = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
libc.mprotect.argtypes = libc.madvise.argtypes = [POINTER, SIZE, INT]
libc.munmap.argtypes = [POINTER, SIZE]
libc.mremap.argtypes, libc.mremap.restype = [POINTER, SIZE, SIZE, INT], POINTER
MADV_REMOVE, MREMAP_MAYMOVE, PROT_READ, PAGE, ENABLED = 9, 1, 1, 4096, 36


def say(**what):
    """One line by one write: two processes write to this pipe, and print() may write a line in two parts."""
    os.write(1, json.dumps(what).encode() + b"\n")


def ring_range():
    for line in open("/proc/self/maps"):
        fields = line.split(None, 5)
        if fields[1] == "rw-s" and len(fields) > 5 and ("/dev/zero" in fields[5] or "auditview-ring" in fields[5]):
            start, end = (int(x, 16) for x in fields[0].split("-"))
            if ctypes.string_at(start, 8) == b"PRBEB_V1" and ctypes.c_uint32.from_address(start + ENABLED).value:
                return start, end
    return None


def change(mode, start, end):
    if mode == "remove":
        return libc.madvise(start, end - start, MADV_REMOVE)
    if mode == "state":
        ctypes.c_uint32.from_address(start + ENABLED).value = 0
        return 0
    if mode == "cut":
        return libc.munmap(end - PAGE, PAGE)
    if mode == "move":  # shrinking leaves a hole; growing makes the kernel move it
        libc.mmap.argtypes, libc.mmap.restype = [POINTER, SIZE, INT, INT, INT, ctypes.c_long], POINTER
        to = libc.mmap(None, 4 << 20, 0, 0x22, -1, 0)
        return 0 if libc.mremap(end - (1 << 20), 1 << 20, 1 << 20, MREMAP_MAYMOVE | 2, POINTER(to)) == to else -1
    return libc.mprotect(end - PAGE, PAGE, PROT_READ)


def main():
    mode = sys.argv[1]
    say(ready=os.getpid())
    until = time.monotonic() + 60
    while not (ring := ring_range()):
        sys.audit("hostile.mark")
        time.sleep(0.005)
    if mode == "child":
        child = os.fork()
        if child:
            say(child=child)
    if mode != "child" or not child:
        result = change(mode, *ring)
        say(changed=mode, result=result, pid=os.getpid())
    while time.monotonic() < until:
        sys.audit("hostile.mark")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
