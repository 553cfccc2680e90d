"""eintr: a single thread that blocks in one system call after the other, called raw, so that an EINTR would be seen.

ARG: names of calls (default: all that must not notice). Facts: {"enter": name} before, {"call": name, "errno": E, "ms": T,
"wanted_ms": W} after each. Python's own wrappers would hide EINTR (PEP 475); ctypes does not.
"""
import ctypes
import os
import socket
import struct
import time

import victim

libc = ctypes.CDLL(None, use_errno=True)
MS = 700
read_end, write_end = os.pipe()
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(1)
timeout = ctypes.create_string_buffer(struct.pack("qq", 0, MS * 1000000))
timeval = ctypes.create_string_buffer(struct.pack("qq", 0, MS * 1000))
word = ctypes.c_uint32(5)
fds = (ctypes.c_ulong * 16)()
fds[0] = 1 << read_end


def pollfd():
    return ctypes.create_string_buffer(struct.pack("ihh", read_end, 1, 0))


def child_that_sleeps():
    pid = os.fork()
    if pid == 0:
        time.sleep(MS / 1000)
        os._exit(0)
    return pid


def late_writer():
    pid = os.fork()
    if pid == 0:
        time.sleep(MS / 1000)
        os.write(write_end, b"x")
        os._exit(0)
    return pid


def late_connector():
    pid = os.fork()
    if pid == 0:
        time.sleep(MS / 1000)
        socket.create_connection(listener.getsockname())
        os._exit(0)
    return pid


def nanosleep():
    return libc.nanosleep(timeout, None)


def clock_nanosleep():
    return libc.clock_nanosleep(1, 0, timeout, None)


def poll():
    return libc.poll(pollfd(), 1, MS)


def ppoll():
    return libc.ppoll(pollfd(), 1, timeout, None)


def select():
    fds[0] = 1 << read_end
    return libc.select(read_end + 1, fds, None, None, ctypes.create_string_buffer(timeval.raw))


def futex():
    return libc.syscall(202, ctypes.byref(word), 128, 5, timeout, None, 0)


def read_pipe():
    late_writer()
    one = ctypes.create_string_buffer(1)
    return libc.read(read_end, one, 1)


def accept():
    late_connector()
    return libc.accept(listener.fileno(), None, None)


def waitpid():
    return libc.waitpid(child_that_sleeps(), None, 0)


# epoll_wait without an end restarts only with the tracer's help; with a timeout the kernel gives EINTR, as it does for any stop.
def epoll_for_ever():
    late_writer()
    epoll = libc.epoll_create1(0)
    event = ctypes.create_string_buffer(struct.pack("<IQ", 1, 0))
    libc.epoll_ctl(epoll, 1, read_end, event)
    got = libc.epoll_wait(epoll, ctypes.create_string_buffer(64), 1, -1)
    os.read(read_end, 1)
    os.close(epoll)
    return got


CALLS = [nanosleep, clock_nanosleep, poll, ppoll, select, futex, read_pipe, accept, waitpid, epoll_for_ever]
TIMES_OUT = {"futex": 110}  # ETIMEDOUT is right

wanted = victim.arguments()
for _ in victim.rounds(1):
    for call in CALLS:
        if wanted and call.__name__ not in wanted:
            continue
        victim.mark(0, call.__name__)
        victim.say(enter=call.__name__)
        ctypes.set_errno(0)
        before = time.monotonic()
        result = call()
        error = ctypes.get_errno() if result == -1 else 0
        took = (time.monotonic() - before) * 1000
        if error == TIMES_OUT.get(call.__name__):
            error = 0
        victim.say(call=call.__name__, errno=error, ms=round(took), wanted_ms=MS)
        victim.mark(1, call.__name__)
victim.end(calls=len(wanted) or len(CALLS))
