"""clones: children made by the variants of clone(2) and clone3(2), and around changes of namespaces; each raises ten
events with what it knows about itself.

clones.py [FILE]     wait until FILE exists

It prints a line for each child: its name, and how it ended.
"""
import ctypes
import os
import struct
import sys
import time

SYS_CLONE, SYS_CLONE3, SYS_GETPID, SYS_GETTID, SIGCHLD, SIGWINCH, WALL = 56, 435, 39, 186, 17, 28, 0x40000000
VM, FS, FILES, SIGHAND, VFORK, PARENT = 0x100, 0x200, 0x400, 0x800, 0x4000, 0x8000
NEWTIME, NEWUSER, NEWPID, NEWNS, CLEAR_SIGHAND, IO = 0x80, 0x10000000, 0x20000000, 0x20000, 0x100000000, 0x80000000

libc = ctypes.PyDLL(None, use_errno=True)  # the calls are made with the GIL held, so the returning child has it, too
libc.syscall.restype = ctypes.c_long
FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
libc.clone.argtypes = [FUNCTION, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
stack = ctypes.create_string_buffer(1 << 20)


def mark(name):
    for n in range(10):
        sys.audit("clones.mark", name, libc.syscall(SYS_GETPID), libc.syscall(SYS_GETTID), n)


def tell(name, pid):
    print(name, os.waitpid(pid, WALL)[1] if pid > 0 else "refused", flush=True)


def is_living(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def bare(name, flags, signal=SIGCHLD):
    pid = libc.syscall(SYS_CLONE, ctypes.c_ulong(flags | signal), 0, 0, 0, 0)
    if pid == 0:
        mark(name)
        os._exit(3)
    if not flags & PARENT:
        return tell(name, pid)
    while is_living(pid):  # it is a child of our parent
        time.sleep(0.01)
    print(name, "is gone", flush=True)


def bare3(name, flags):
    arguments = ctypes.create_string_buffer(struct.pack("8Q", flags, 0, 0, 0, SIGCHLD, 0, 0, 0), 64)
    pid = libc.syscall(SYS_CLONE3, arguments, ctypes.c_size_t(64))
    if pid == 0:
        mark(name)
        os._exit(4)
    tell(name, pid)


def with_stack(name, flags):
    @FUNCTION
    def run(_):
        mark(name)
        return 5
    tell(name, libc.clone(run, (ctypes.addressof(stack) + len(stack)) & ~15, flags | SIGCHLD, None))


def forked(name, before=None):
    pid = os.fork()
    if pid == 0:
        if before:
            before()
        mark(name)
        os._exit(6)
    tell(name, pid)


if len(sys.argv) > 1:
    print("READY", flush=True)
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.02)
bare("clone", 0)
bare("signal 0", 0, 0)
bare("another signal", 0, SIGWINCH)
bare("files, fs, io", FILES | FS | IO)
bare("parent", PARENT)
bare("vfork", VFORK)
bare("newpid", NEWPID)
bare("newuser", NEWUSER)
bare("newuser, newpid, newns", NEWUSER | NEWPID | NEWNS)
bare3("clone3", 0)
bare3("clear_sighand", CLEAR_SIGHAND)
bare3("newtime", NEWTIME)
with_stack("stack", 0)
with_stack("shared vm", VM | VFORK)
with_stack("shared vm, files, fs, sighand", VM | VFORK | FILES | FS | SIGHAND)
libc.unshare(NEWTIME)
forked("unshared time")
with open("/proc/self/ns/pid", "rb") as own:
    libc.unshare(NEWPID)
    forked("unshared pid")
    libc.setns(own.fileno(), NEWPID)
forked("set back")
forked("unshared user", lambda: libc.unshare(NEWUSER))
os._exit(7)
