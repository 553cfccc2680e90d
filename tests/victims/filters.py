"""filters: threads that get a seccomp filter, or lose access to the TSC, while they are recorded. Arguments: GO MODE
[N].

kill|thread|trap|errno|trace N     a filter on the main thread with that action, then N marks
strict N                           SECCOMP_MODE_STRICT
one N, one-stays N                 a filter on one thread alone; both raise N marks each. -stays: until GO.leave exists
leader N                           the main thread is filtered and stays in read(2); another thread raises the marks
tsync N                            another thread puts the filter on all
tsync-traced, tsync-let-go N       before GO: a thread that computes gets a filter against new executable memory from
another one, as soon as it is traced, or not traced any more; it gets a processor late. The other one raises the marks.
fork-before N, fork-after N        a forked child gets it before or after its first event
exec N                             a filter that another Python is started under
tsc N, tsc-thread N, tsc-fork N    prctl(PR_SET_TSC, PR_TSC_SIGSEGV)
late-MODE N                        every thread waits in epoll_wait with a timeout, called raw, until GO exists; then MODE
(kill thread trap errno notif trace args strict tsc), without an event before the first mark.
late-one: by one thread alone, which has the filter; another raises its marks a second later. The others read their standard
input last of all.
dispatch N                         prctl(PR_SET_SYSCALL_USER_DISPATCH): calls from code outside libc become signals

It prints READY, waits for the file GO, and raises filters.begin first of all. It ends with status 5. A filter allows
what the program itself needs.
"""
import ctypes
import hashlib
import os
import signal
import struct
import sys
import threading
import time

from calls import NR, numbers_of

LIBC = ctypes.CDLL(None, use_errno=True)
PRCTL, SYSCALL = LIBC.prctl, LIBC.syscall
ALLOWED = numbers_of("read write close fstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn madvise exit clock_gettime "
                     "clock_nanosleep exit_group openat newfstatat")
ACTIONS = {"kill": 0x80000000, "thread": 0, "trap": 0x30000, "errno": 0x50001, "trace": 0x7ff00000, "notif": 0x7fc00000}
trapped = []


def program(numbers, if_in, if_not):
    rows = [(0x20, 0, 0, 0)]
    for i, n in enumerate(numbers):
        rows.append((0x15, len(numbers) - i, 0, n))
    rows += [(0x06, 0, 0, if_not), (0x06, 0, 0, if_in)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *row) for row in rows))
    return code, ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(rows), ctypes.addressof(code)))


def allow_only(numbers, action="kill"):
    return program(numbers, 0x7fff0000, ACTIONS[action])


def install(pair, flags=0):
    if PRCTL(38, 1, 0, 0, 0) or SYSCALL(NR["seccomp"], 1, flags, pair[1]):  # PR_SET_NO_NEW_PRIVS; SECCOMP_SET_MODE_FILTER
        raise OSError(ctypes.get_errno(), "seccomp")


def marks(who, n):
    for i in range(n):
        sys.audit("victim.mark", i, who)


def in_thread(function, *args):
    t = threading.Thread(target=function, args=args)
    t.start()
    return t


def wait_for_file(path):
    while not os.path.exists(path):
        time.sleep(.01)


def finish(ok=True):
    os.write(1, b"DONE\n")
    os._exit(5 if ok and not trapped else 9)


def filtered_thread(pair, n, is_in, let_go):
    install(pair)
    marks("filtered", n)
    os.write(is_in, b"x")
    os.read(let_go, 1)


def forked(when, n):
    pair = allow_only(ALLOWED)
    sys.audit("filters.parent")
    pid = os.fork()
    if not pid:
        if when == "after":
            sys.audit("filters.first")
        install(pair)
        marks("child", n)
        os._exit(7)
    status = os.waitpid(pid, 0)[1]
    finish(status == 7 << 8)


def refuse_executable_mappings():
    """mmap and mprotect with PROT_EXEC kill, whatever the other arguments; so do madvise and the calls that
    open files."""
    rows = [(0x20, 0, 0, 0), (0x15, 5, 0, NR["madvise"]), (0x15, 4, 0, NR.get("open", NR["openat"])), (0x15, 1, 0, NR["mmap"]), (0x15, 0, 3, NR["mprotect"]),
            (0x20, 0, 0, 32), (0x45, 0, 1, 4), (0x06, 0, 0, ACTIONS["kill"]), (0x06, 0, 0, 0x7fff0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *row) for row in rows))
    return code, ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(rows), ctypes.addressof(code)))


def while_visited(go, when, n):
    """The thread that computes is the one that a visitor likes best, because its stop shows least. When that one has let it go, it
    needs a while to run the visitor's calls."""
    pair, status = refuse_executable_mappings(), os.open("/proc/self/status", os.O_RDONLY)
    tid, processors = threading.get_native_id(), os.sched_getaffinity(0)
    one = {min(processors)}
    burner = os.fork()
    if not burner:
        PRCTL(1, signal.SIGKILL)
        os.sched_setaffinity(0, one)
        while True:
            pass

    def other():
        os.sched_setaffinity(0, processors - one or one)
        is_traced, was = False, False
        while not (is_traced if when == "traced" else was and not is_traced):
            was = was or is_traced
            is_traced = b"TracerPid:\t0\n" not in os.pread(status, 4096, 0)
        install(pair, 1)
        os.write(1, b"FILTERED\n")
        while not os.path.exists(go):
            marks("other", n)
            time.sleep(.01)
        os.kill(burner, signal.SIGKILL)
        finish()
    in_thread(other)
    os.sched_setaffinity(tid, one)
    os.setpriority(os.PRIO_PROCESS, tid, 10)
    print("READY", flush=True)
    while True:
        hashlib.pbkdf2_hmac("sha256", b"a", b"b", 1 << 30)


def late(go, mode, n):
    """No event is raised between READY and the first mark: calls of ctypes raise none."""
    path, wait, exists, buffers = go.encode(), LIBC.epoll_wait, LIBC.access, [ctypes.create_string_buffer(64) for _ in range(2)]
    fds = [LIBC.epoll_create1(0) for _ in range(2)]
    pair = refuse_executable_mappings() if mode == "args" else allow_only(ALLOWED + numbers_of("futex epoll_wait epoll_pwait") * (mode == "one"), "kill" if mode == "one" else mode) \
        if mode in ACTIONS or mode == "one" else None
    text, write, enumerated, audit, is_done, read = b"DONE\n", os.write, range(n), sys.audit, [], LIBC.read

    def wait_for_go(i):
        while exists(path, 0):
            wait(fds[i], buffers[i], 1, 1500)

    def filtered():
        wait_for_go(1)
        install(pair)
        for i in enumerated:
            audit("victim.mark", i, "filtered")
        is_done.append(True)
        wait(fds[1], buffers[1], 1, 30000)
    if mode == "one":
        in_thread(filtered)
    print("READY", flush=True)
    wait_for_go(0)
    if mode == "one":
        while not is_done:
            wait(fds[0], buffers[0], 1, 1000)
        for i in enumerated:
            audit("victim.mark", i, "main")
        finish()
    if mode == "strict":
        PRCTL(22, 1, 0, 0, 0)
    elif mode == "tsc":
        PRCTL(26, 2, 0, 0, 0)
    else:
        install(pair)
    for i in enumerated:
        audit("victim.mark", i, "main")
    write(1, text)
    read(0, buffers[0], 1)
    SYSCALL(NR["exit" if mode == "strict" else "exit_group"], 9 if trapped else 5)


def main(go, mode, n):
    a, b = os.pipe()
    c, d = os.pipe()
    signal.signal(signal.SIGSYS, lambda *args: trapped.append(args))
    if mode.startswith("late-"):
        late(go, mode[5:], n)
    if mode.startswith("tsync-"):
        while_visited(go, mode[6:], n)
    print("READY", flush=True)
    wait_for_file(go)
    sys.audit("filters.begin")
    if mode in ACTIONS:
        install(allow_only(ALLOWED, mode))
        marks("main", n)
        finish()
    elif mode == "strict":
        text, write, enumerated = b"DONE\n", os.write, range(n)
        PRCTL(22, 1, 0, 0, 0)
        for i in enumerated:
            sys.audit("victim.mark", i, "main")
        write(1, text)
        SYSCALL(NR["exit"], 5)
    elif mode in ("one", "one-stays"):
        t = in_thread(filtered_thread, allow_only(ALLOWED + numbers_of("futex")), n, b, c)
        os.read(a, 1)
        marks("main", n)
        if mode == "one-stays":
            wait_for_file(go + ".leave")
        finish()
    elif mode == "leader":
        def other():
            os.read(c, 1)
            marks("other", n)
            os.write(1, b"MARKED\n")
            wait_for_file(go + ".leave")
            finish()
        in_thread(other)
        install(allow_only(ALLOWED + numbers_of("futex")))
        os.write(d, b"x")
        os.read(a, 1)
    elif mode == "tsync":
        t = in_thread(lambda: install(allow_only(ALLOWED + numbers_of("futex set_robust_list rseq")), 1))  # SECCOMP_FILTER_FLAG_TSYNC
        marks("main", n)
        finish()
    elif mode in ("fork-before", "fork-after"):
        forked(mode[5:], n)
    elif mode == "exec":
        pid = os.fork()
        if not pid:  # the calls that we would make in it, and those that the probe uses
            install(program(numbers_of("madvise sched_yield getppid memfd_create"), ACTIONS["kill"], 0x7fff0000))
            os.execv(sys.executable, [sys.executable, "-S", "-c", "import sys\nfor i in range(%d): sys.audit('victim.mark', i, 'child')" % n])
        finish(os.waitpid(pid, 0)[1] == 0)
    elif mode in ("tsc", "tsc-thread", "tsc-fork"):
        def without_tsc():
            PRCTL(26, 2, 0, 0, 0)
            marks("tsc", n)
        if mode == "tsc":
            without_tsc()
            os.write(1, b"DONE\n")
            os._exit(5)
        pid = os.fork()
        if not pid:
            if mode == "tsc-fork":
                PRCTL(26, 2, 0, 0, 0)
                if not LIBC.fork():  # os.fork() reads the time
                    marks("tsc", n)
                    os._exit(7)
                os._exit(os.wait()[1] >> 8)
            without_tsc()
            os._exit(7)
        finish(os.waitpid(pid, 0)[1] == 7 << 8)
    elif mode == "dispatch":
        start = end = 0
        for line in open("/proc/self/maps"):
            words = line.split()
            if "x" in words[1] and ("libc" in line or "ld-" in line or "python" in line):
                low, high = (int(w, 16) for w in words[0].split("-"))
                start, end = min(start or low, low), max(end, high)
        selector = ctypes.create_string_buffer(b"\1")
        if PRCTL(59, 1, ctypes.c_ulong(start), ctypes.c_ulong(end - start), selector):
            print("SKIP", flush=True)
            os._exit(5)
        marks("main", n)
        selector[0] = b"\0"
        finish()


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
