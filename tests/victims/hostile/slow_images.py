"""A process that takes long to examine: N mappings of an ELF image whose hash chain does not end. Any user may run it.

slow_images.py N: map them, print "ready", wait for standard input to close.
"""
import ctypes
import os
import struct
import sys

PAGE = 4096
DYNAMIC, HASH, SYMTAB, STRTAB = 0x200, 0x400, 0x500, 0x600  # offsets in the image, which has one page
STEP = 2 * PAGE  # a gap between two of them: otherwise the kernel would merge the mappings


def image():
    """ELF header, PT_LOAD and PT_DYNAMIC, and a DT_HASH table whose only chain leads back to itself."""
    header = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    segments = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, PAGE, PAGE, PAGE)
    segments += struct.pack("<IIQQQQQQ", 2, 4, DYNAMIC, DYNAMIC, DYNAMIC, 0x100, 0x100, 8)
    entries = ((4, HASH), (5, STRTAB), (6, SYMTAB), (10, 0x100), (0, 0))
    page = bytearray(PAGE)
    for at, part in ((0, header), (64, segments), (DYNAMIC, b"".join(struct.pack("<QQ", *e) for e in entries)),
                     (HASH, struct.pack("<IIIII", 1, 2, 1, 0, 1)), (SYMTAB, bytes(24) + struct.pack("<IBBHQQ", 1, 0x12, 0, 1, 16, 8)),
                     (STRTAB, b"\0nosuch\0")):
        page[at:at + len(part)] = part
    return bytes(page)


def main():
    n = int(sys.argv[1])
    fd = os.memfd_create("image")
    os.write(fd, image())
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
    base = libc.mmap(None, n * STEP, 0, 0x4022, -1, 0)  # reserve a place
    for i in range(n):
        libc.mmap(base + i * STEP, PAGE, 5, 0x12, fd, 0)
    print("ready", flush=True)
    sys.stdin.read()


main()
