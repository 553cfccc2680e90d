"""eintr: a single thread that blocks in one system call after the other, called raw, so that an EINTR would be seen.

ARG: names of calls (default: all). Facts: {"enter": name} before, {"call": name, "errno": E, "ms": T, "wanted_ms": W,
"waited_ms": P} after each, of which P were spent waiting for a processor, or {"skip": why} for a call that this kernel does
not have. Python's own wrappers would hide EINTR (PEP 475); ctypes does not. The calls named py_… are made by Python itself.
"""
import ctypes
import fcntl
import os
import select as python_select
import signal
import socket
import struct
import tempfile
import time

import victim
from calls import NR

libc = ctypes.CDLL(None, use_errno=True)
MS = int(700 * float(os.environ.get("AUDITVIEW_TEST_SLOW", "1")))  # how much slower than a usual machine this one is
read_end, write_end = os.pipe()
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(1)
timeout = ctypes.create_string_buffer(struct.pack("qq", MS // 1000, MS % 1000 * 1000000))
timeval = ctypes.create_string_buffer(struct.pack("qq", MS // 1000, MS % 1000 * 1000))
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
    return libc.syscall(NR["futex"], ctypes.byref(word), 128, 5, timeout, None, 0)


def futex_until():
    end = time.clock_gettime(time.CLOCK_MONOTONIC) + MS / 1000
    return libc.syscall(NR["futex"], ctypes.byref(word), 9 | 128, 5, struct.pack("qq", int(end), int(end % 1 * 1e9)), None, 0xffffffff)


def read_pipe():
    late_writer()
    one = ctypes.create_string_buffer(1)
    return libc.read(read_end, one, 1)


def accept():
    late_connector()
    return libc.accept(listener.fileno(), None, None)


def waitpid():
    return libc.waitpid(child_that_sleeps(), None, 0)


# epoll_wait without a timeout restarts only with the tracer's help; with a timeout the kernel returns EINTR, as it does
# for any stop.
def epoll_for_ever():
    late_writer()
    epoll = libc.epoll_create1(0)
    event = ctypes.create_string_buffer(struct.pack("<IQ", 1, 0))
    libc.epoll_ctl(epoll, 1, read_end, event)
    got = libc.epoll_wait(epoll, ctypes.create_string_buffer(64), 1, -1)
    os.read(read_end, 1)
    os.close(epoll)
    return got


class Missing(Exception):
    pass


def need(value, what):
    if value == -1:
        raise Missing(f"{what}: errno {ctypes.get_errno()}")
    return value


def later(action):
    """Fork a child that does it after the delay."""
    pid = os.fork()
    if pid == 0:
        time.sleep(MS / 1000)
        action()
        os._exit(0)
    return pid


def socket_with(option):
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, option, struct.pack("qq", MS // 1000, MS % 1000 * 1000))
    return ours, theirs


def clock_nanosleep_until():
    end = time.clock_gettime(time.CLOCK_MONOTONIC) + MS / 1000
    return libc.clock_nanosleep(1, 1, struct.pack("qq", int(end), int(end % 1 * 1e9)), None)


def pselect():
    fds[0] = 1 << read_end
    return libc.pselect(read_end + 1, fds, None, None, timeout, None)


def pause():
    """It can end only with EINTR."""
    signal.signal(signal.SIGUSR1, lambda *_: None)
    later(lambda: os.kill(os.getppid(), signal.SIGUSR1))
    libc.pause()
    return 0


def sigsuspend():
    """It can end only with EINTR."""
    signal.signal(signal.SIGUSR1, lambda *_: None)
    later(lambda: os.kill(os.getppid(), signal.SIGUSR1))
    libc.sigsuspend(ctypes.create_string_buffer(128))
    return 0


def recv():
    ours, theirs = socket.socketpair()
    later(lambda: theirs.send(b"x"))
    return libc.recv(ours.fileno(), ctypes.create_string_buffer(1), 1, 0)


def connect():
    """Connect to a listener whose queue is full: a packet is sent again after a second, so this takes longer."""
    full = socket.socket(socket.AF_UNIX)
    full.bind("\0eintr-%d" % os.getpid())
    full.listen(0)
    first = socket.socket(socket.AF_UNIX)
    first.connect(full.getsockname())
    later(lambda: full.accept())
    second = socket.socket(socket.AF_UNIX)
    address = struct.pack("h", socket.AF_UNIX) + full.getsockname()
    return libc.connect(second.fileno(), address, len(address))


def read_inotify():
    fd = need(libc.inotify_init1(0), "inotify_init1")
    folder = tempfile.mkdtemp()
    libc.inotify_add_watch(fd, folder.encode(), 0x100)
    later(lambda: (open(folder + "/x", "w").close(), os.unlink(folder + "/x"), os.rmdir(folder)))
    return libc.read(fd, ctypes.create_string_buffer(256), 256)


def read_timerfd():
    fd = need(libc.timerfd_create(1, 0), "timerfd_create")
    libc.timerfd_settime(fd, 0, struct.pack("qqqq", 0, 0, MS // 1000, MS % 1000 * 1000000), None)
    return libc.read(fd, ctypes.create_string_buffer(8), 8)


def read_tty():
    ours, theirs = os.openpty()
    later(lambda: os.write(ours, b"x\n"))
    got = libc.read(theirs, ctypes.create_string_buffer(8), 8)
    os.close(ours)
    os.close(theirs)
    return got


def held_file():
    """Return a file that a child holds locked until the delay is over."""
    f = tempfile.TemporaryFile()
    path = "/proc/self/fd/%d" % f.fileno()
    ready, tell = os.pipe()

    def hold():
        other = open(path, "rb+")
        fcntl.flock(other, fcntl.LOCK_EX)
        fcntl.lockf(other, fcntl.LOCK_EX)
        os.write(tell, b"x")
        time.sleep(MS / 1000)
    if os.fork() == 0:
        hold()
        os._exit(0)
    os.read(ready, 1)
    return f


def flock():
    f = held_file()
    return libc.flock(f.fileno(), fcntl.LOCK_EX)


def lock_region():
    f = held_file()
    return libc.fcntl(f.fileno(), fcntl.F_SETLKW, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))


def msgrcv():
    queue = need(libc.msgget(0, 0o600), "msgget")
    later(lambda: libc.msgsnd(queue, struct.pack("qc", 1, b"x"), 1, 0))
    got = libc.msgrcv(queue, ctypes.create_string_buffer(16), 1, ctypes.c_long(0), 0)
    libc.msgctl(queue, 0, None)
    return got


def mq_timedreceive():
    name = b"/eintr-%d" % os.getpid()
    queue = need(libc.mq_open(name, os.O_CREAT | os.O_RDWR, 0o600, None), "mq_open")
    libc.mq_unlink(name)
    end = time.time() + MS / 1000
    return libc.mq_timedreceive(queue, ctypes.create_string_buffer(8192), ctypes.c_size_t(8192), None,
                                struct.pack("qq", int(end), int(end % 1 * 1e9)))


# ---- calls that a stop would end early ----

def epoll_timeout():
    epoll = libc.epoll_create1(0)
    got = libc.epoll_wait(epoll, ctypes.create_string_buffer(64), 1, MS)
    os.close(epoll)
    return got


def epoll_pwait2():
    epoll = libc.epoll_create1(0)
    got = libc.syscall(441, epoll, ctypes.create_string_buffer(64), 1, timeout, None, 8)
    os.close(epoll)
    return got


def recv_timeout():
    ours, theirs = socket_with(socket.SO_RCVTIMEO)
    return libc.recv(ours.fileno(), ctypes.create_string_buffer(1), 1, 0)


def read_timeout():
    ours, theirs = socket_with(socket.SO_RCVTIMEO)
    return libc.read(ours.fileno(), ctypes.create_string_buffer(1), 1)


def accept_timeout():
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    other.listen(1)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", MS // 1000, MS % 1000 * 1000))
    return libc.accept(other.fileno(), None, None)


def send_timeout():
    ours, theirs = socket_with(socket.SO_SNDTIMEO)
    lump = b"x" * 65536
    while libc.send(ours.fileno(), lump, len(lump), 0x40) > 0:
        pass
    return libc.send(ours.fileno(), lump, len(lump), 0)


def blocked(number):
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    return ctypes.create_string_buffer(struct.pack("Q", 1 << (number - 1)))


def sigtimedwait():
    return libc.sigtimedwait(blocked(signal.SIGUSR2), None, timeout)


def sigwaitinfo():
    which = blocked(signal.SIGUSR2)
    later(lambda: os.kill(os.getppid(), signal.SIGUSR2))
    return libc.sigwaitinfo(which, None)


def semaphore():
    return need(libc.semget(0, 1, 0o600), "semget")


def semtimedop():
    s = semaphore()
    got = libc.semtimedop(s, struct.pack("Hhh", 0, -1, 0), ctypes.c_size_t(1), timeout)
    error = ctypes.get_errno()
    libc.semctl(s, 0, 0)
    ctypes.set_errno(error)
    return got


def semop():
    s = semaphore()
    later(lambda: libc.semop(s, struct.pack("Hhh", 0, 1, 0), ctypes.c_size_t(1)))
    got = libc.semop(s, struct.pack("Hhh", 0, -1, 0), ctypes.c_size_t(1))
    libc.semctl(s, 0, 0)
    return got


def io_getevents():
    context = ctypes.c_ulong(0)
    need(libc.syscall(NR["io_setup"], 1, ctypes.byref(context)), "io_setup")
    return libc.syscall(NR["io_getevents"], context, ctypes.c_long(1), ctypes.c_long(1), ctypes.create_string_buffer(32), timeout)


def io_uring():
    fd = need(libc.syscall(425, 1, ctypes.create_string_buffer(120)), "io_uring_setup")
    argument = ctypes.create_string_buffer(struct.pack("QIIQ", 0, 0, 0, ctypes.addressof(timeout)))
    return libc.syscall(426, fd, 0, 1, 1 | 8, argument, ctypes.c_size_t(24))


def io_uring_submit():
    """A call that also submits: after a stop it would return at once with the number that it has submitted."""
    parameters = ctypes.create_string_buffer(120)
    fd = need(libc.syscall(425, 1, parameters), "io_uring_setup")
    _, tail, _, _, _, _, array, _ = struct.unpack_from("8I", parameters, 40)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    ring, entries = (need(libc.mmap(None, 4096, 3, 1, fd, offset), "mmap of a ring") for offset in (0, 0x10000000))
    entry = struct.pack("BBHiQQIIQ", 11, 0, 0, -1, 0, ctypes.addressof(timeout), 1, 0, 1) # IORING_OP_TIMEOUT
    ctypes.memmove(entries, entry.ljust(64, b"\0"), 64)
    ctypes.memmove(ring + array, bytes(4), 4)
    ctypes.memmove(ring + tail, struct.pack("I", 1), 4)
    got = libc.syscall(426, fd, 1, 1, 1, None, ctypes.c_size_t(0))
    os.close(fd)
    return got


# ---- Python's own ----

def py_epoll():
    with python_select.epoll() as epoll:
        epoll.poll(MS / 1000)
    return 0


def py_sigtimedwait():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    signal.sigtimedwait([signal.SIGUSR2], MS / 1000)
    return 0


CALLS = [nanosleep, clock_nanosleep, poll, ppoll, select, futex, read_pipe, accept, waitpid, epoll_for_ever, clock_nanosleep_until,
         pselect, pause, recv, connect, read_inotify, read_timerfd, flock, lock_region, msgrcv, mq_timedreceive, sigwaitinfo, semop,
         epoll_timeout, epoll_pwait2, recv_timeout, read_timeout, accept_timeout, send_timeout, sigtimedwait, semtimedop, io_getevents,
         io_uring, io_uring_submit, futex_until, sigsuspend, read_tty, py_epoll, py_sigtimedwait]
# The errors that they return when their time is over.
TIMES_OUT = {"futex": 110, "futex_until": 110, "mq_timedreceive": 110, "recv_timeout": 11, "read_timeout": 11, "accept_timeout": 11,
             "send_timeout": 11, "sigtimedwait": 11, "semtimedop": 11, "io_uring": 62}

# proc(5): time that this thread has waited for a processor, in ns, is the second number
schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY) if os.path.exists("/proc/thread-self/schedstat") else -1


def waited_ms():
    return int(os.pread(schedstat, 200, 0).split()[1]) / 1e6 if schedstat >= 0 else 0


wanted = victim.arguments()
for _ in victim.rounds(1):
    for call in CALLS:
        if wanted and call.__name__ not in wanted:
            continue
        victim.mark(0, call.__name__)
        victim.say(enter=call.__name__)
        ctypes.set_errno(0)
        waited = waited_ms()
        before = time.monotonic()
        try:
            result = call()
        except (Missing, AttributeError, OSError) as reason:
            victim.say(skip=str(reason))
            continue
        error = ctypes.get_errno() if result == -1 else 0
        over = time.monotonic()
        took = (over - before) * 1000
        if error == TIMES_OUT.get(call.__name__):
            error = 0
        victim.say(call=call.__name__, errno=error, ms=round(took), wanted_ms=MS, waited_ms=round(waited_ms() - waited), over=over)
        victim.mark(1, call.__name__)
victim.end(calls=len(wanted) or len(CALLS))
