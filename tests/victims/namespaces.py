"""namespaces: children made in every way, also without the C library and in pid namespaces of their own; each raises
events with what it knows about itself.

namespaces.py [FILE]     wait until FILE exists
"""
import ctypes
import os
import sys
import threading
import time

CLONE_NEWPID, SIGCHLD, SYS_CLONE, SYS_FORK = 0x20000000, 17, 56, 57
libc, python_libc = ctypes.CDLL(None, use_errno=True), ctypes.PyDLL(None, use_errno=True)


def inside(name, status):
    for n in range(5):
        sys.audit("namespaces.mark", name, os.getpid(), os.getppid(), n)
        time.sleep(0.01)
    os._exit(status)


def with_thread(name, status):
    def work():
        for n in range(5):
            sys.audit("namespaces.mark", name + " thread", os.getpid(), threading.get_native_id(), n)
            time.sleep(0.01)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    child = os.fork()
    if child == 0:
        inside(name + " child", 3)
    os.waitpid(child, 0)
    inside(name, status)


def bare(name, flags):
    child = python_libc.syscall(SYS_CLONE, ctypes.c_ulong(flags | SIGCHLD), 0, 0, 0, 0) if flags else python_libc.syscall(SYS_FORK)
    if child == 0:
        inside(name, 4)
    assert child > 0, ctypes.get_errno()
    return os.waitpid(child, 0)[1] >> 8


if len(sys.argv) > 1:
    print("READY", flush=True)
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.02)
statuses = [bare("bare fork", 0), bare("bare clone", CLONE_NEWPID)]
if libc.unshare(CLONE_NEWPID):
    sys.exit(77)
pid = os.fork()
if pid == 0:
    with_thread("unshared", 5)
statuses.append(os.waitpid(pid, 0)[1] >> 8)
sys.exit(0 if statuses == [4, 4, 5] else 1)
