"""pages: an unprivileged program some of whose memory never comes, so that a thread that reads it waits forever.

    pages.py HOW GO

It gives up root, says {"ready": pid}, then waits until the file GO exists.

    context    after GO, the page with the probe's context is one of userfaultfd(2) that nobody serves
    words      before "ready", so are the pages with its command line and environment
    file       before "ready", it has mapped a file of a FUSE file system that answers no read. The file system is mounted in a mount
               namespace of its own
    tree       as "context", but it is a child that does so; the parent goes on
    exec       before "ready", it calls exec(2), which closes a file on FUSE: the server never answers that, so the exec never ends
    kin        as "exec", but after GO, and it is a child that does so
    exit       after GO, it ends with a file on FUSE open. The server never answers its close, so the process has no memory any more and
               never becomes a zombie
    close      before "ready", a thread of it closes such a file, and never returns from that
    source     it runs code whose file is on such a file system; open(2) of that is never answered
    image      as "file", but the first page of the file, an ELF header, is in memory; the rest never comes, and nor does an answer to open

Says {"skip": why} where the kernel does not have it, or not for us; {"done": pid} after GO. The kernel aborts the FUSE connection, and
with it every read, when the program ends.
"""
import ctypes
import encodings.ascii  # noqa: F401  fork's child needs it later, when nobody may not be able to read this Python
import fcntl
import itertools
import json
import mmap
import os
import signal
import struct
import sys
import tempfile
import threading

LIBC = ctypes.CDLL(None, use_errno=True)
SYSCALL, MMAP, MADVISE, PAUSE, ACCESS, USLEEP, IOCTL = LIBC.syscall, LIBC.mmap, LIBC.madvise, LIBC.pause, LIBC.access, LIBC.usleep, LIBC.ioctl
USERFAULTFD = {"x86_64": 323, "aarch64": 282}[os.uname().machine]
UFFDIO_API, UFFDIO_REGISTER, DONTNEED = 0xc018aa3f, 0xc020aa00, 4
FILE_BYTES, FILE_AT = 1 << 16, 0x10000000
NOBODY = 65534
ALARM_S = 150  # longer than a test waits
MMAP.restype = ctypes.c_void_p


def say(**facts):
    print(json.dumps(facts), flush=True)


def skip(why):
    say(skip=why)
    sys.exit(0)


def userfault():
    """A descriptor that also holds what the kernel reads for others: takes CAP_SYS_PTRACE, or vm.unprivileged_userfaultfd."""
    fd = SYSCALL(USERFAULTFD, os.O_CLOEXEC | os.O_NONBLOCK)
    if fd < 0:
        skip(f"userfaultfd: {os.strerror(ctypes.get_errno())}")
    fcntl.ioctl(fd, UFFDIO_API, struct.pack("QQQ", 0xaa, 0, 0))
    return fd


def take_away(fd, page, n_bytes):
    """From here on whoever touches these pages waits."""
    arg = ctypes.create_string_buffer(struct.pack("QQQQ", page, n_bytes, 1, 0))
    at, size, request = ctypes.c_void_p(page), ctypes.c_size_t(n_bytes), ctypes.c_ulong(UFFDIO_REGISTER)
    MADVISE(at, size, DONTNEED)
    if IOCTL(fd, request, arg):
        os._exit(3)


def context():
    """The page that begins with the magic of a probe, in the private memory that ends where the ring begins."""
    below = []
    with open("/proc/self/maps", encoding="ascii") as file:
        for line in file:
            fields = line.split()
            low, high = (int(n, 16) for n in fields[0].split("-"))
            if "/dev/zero" in line or "auditview-ring" in line:
                break
            below = [(low, high, fields[1])] + (below if below and below[0][1] == low else [])
    for low, high, rights in below:
        for page in range(high - 4096, max(low, high - (8 << 20)) - 1, -4096) if rights[0] == "r" else ():
            if ctypes.string_at(page, 8) == b"PRBEB_V1":
                return page
    return 0


def words():
    """The whole pages of the words it was started with: proc(5), stat, fields 48 to 51. The page before may have frames of its stack."""
    with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    arg_start, _, _, env_end = (int(n) for n in fields[45:49])
    start = arg_start + 4095 & ~4095
    return start, (env_end + 4095 & ~4095) - start


def header():
    """The first page of a library that is one piece, without a dynamic section."""
    elf = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    return (elf + struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, FILE_BYTES, FILE_BYTES, 4096)).ljust(4096, b"\0")


def answer(fuse, unique, body=b"", error=0):
    os.write(fuse, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


def serve(fuse, first_page, opens, at_flush=None):
    """linux/fuse.h, protocol 7.31: one folder with one file. `opens`: how many open(2) it answers; `first_page`: what it can read;
    at_flush: called when a close(2) waits, which then gets no answer."""
    def attributes(node):
        mode, size = (0o40755, 0) if node == 1 else (0o100755, FILE_BYTES)
        return struct.pack("<QQQQQQIIIIIIIIII", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)
    while True:
        request = os.read(fuse, 1 << 18)
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        if opcode == 26:  # INIT
            answer(fuse, unique, struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 12, 10, 65536, 1, 16, 0, 0))
        elif opcode == 1:  # LOOKUP
            answer(fuse, unique, struct.pack("<QQQQII", 2, 0, 3600, 3600, 0, 0) + attributes(2))
        elif opcode == 3:  # GETATTR
            answer(fuse, unique, struct.pack("<QII", 3600, 0, 0) + attributes(node))
        elif opcode in (14, 27):  # OPEN, OPENDIR
            opens -= 1
            if opens >= 0:
                answer(fuse, unique, struct.pack("<QII", 1, 2, 0))  # FOPEN_KEEP_CACHE
        elif opcode == 15 and first_page and struct.unpack_from("<QQI", request, 40)[1] == 0:  # READ
            answer(fuse, unique, first_page)
        elif opcode == 25 and at_flush:  # FLUSH
            at_flush()
        elif opcode in (2, 42, 36, 15):  # FORGET, BATCH_FORGET, INTERRUPT, and READ: no answer
            continue
        else:
            answer(fuse, unique, error=-38)  # ENOSYS


def fuse_mount():
    """Mount it in a mount namespace of our own; returns the descriptor of its server, and the folder."""
    try:
        fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        skip(f"/dev/fuse: {error.strerror}")
    if LIBC.unshare(0x20000) or LIBC.mount(None, b"/", None, 1 << 18 | 1 << 14, None):  # CLONE_NEWNS; MS_PRIVATE | MS_REC
        skip(f"unshare: {os.strerror(ctypes.get_errno())}")
    folder = tempfile.mkdtemp()
    options = b"fd=%d,rootmode=40000,user_id=%d,group_id=%d,allow_other,max_read=4096" % (fuse, NOBODY, NOBODY)
    if LIBC.mount(b"pages", folder.encode(), b"fuse", 0, options):
        skip(f"mount: {os.strerror(ctypes.get_errno())}")
    return fuse, folder


def exec_for_ever(go=None):
    """The server is a child, because exec ends all other threads. It says "ready" when the exec waits for it."""
    fuse, folder = fuse_mount()
    pid = os.getpid()

    def stuck():
        signal.alarm(ALARM_S)  # a program that reads all of /proc, as ps does, waits with it
        say(**{"done" if go else "ready": pid, "server": os.getpid()})
    if os.fork() == 0:
        signal.alarm(300)
        serve(fuse, None, 1, stuck)
    os.close(fuse)
    give_up_root()
    if go:
        say(ready=pid)
        while ACCESS(go, 0):
            sys.audit("hostile.parent")
            USLEEP(20000)
        if os.fork():
            while True:
                sys.audit("hostile.parent")
                USLEEP(20000)
    os.open(folder + "/lib.so", os.O_RDONLY)  # with O_CLOEXEC
    os.execv("/bin/sh", ["sh", "-c", "echo 'the exec has ended'"])  # nobody may not start every Python


def end_for_ever(how, go):
    """The server is a child: the end of this process must not end it. It tells when the close(2) waits for it."""
    fuse, folder = fuse_mount()
    pid = os.getpid()

    def stuck():
        signal.alarm(ALARM_S)
        say(**{"ready" if how == "close" else "done": pid, "server": os.getpid()})
    if os.fork() == 0:
        signal.alarm(300)
        serve(fuse, None, 1, stuck)
    os.close(fuse)
    give_up_root()
    fd = os.open(folder + "/lib.so", os.O_RDONLY)
    if how == "close":
        threading.Thread(target=LIBC.close, args=(fd,), daemon=True).start()
    else:
        say(ready=pid)
    for number in itertools.count():
        sys.audit("hostile.pages", number)
        USLEEP(20000)
        if how == "exit" and not ACCESS(go, 0):
            os._exit(7)


def run_fuse_source():
    fuse, folder = fuse_mount()
    threading.Thread(target=serve, args=(fuse, None, 0), daemon=True).start()
    raiser = {}
    exec(compile("import sys\ndef raise_one():\n    sys.audit('hostile.source')\n", folder + "/lib.py", "exec"), raiser)
    give_up_root()
    say(ready=os.getpid(), folder=folder)
    while True:
        raiser["raise_one"]()
        USLEEP(20000)


def map_fuse_file(first_page):
    fuse, folder = fuse_mount()
    threading.Thread(target=serve, args=(fuse, first_page, 1), daemon=True).start()
    fd = os.open(folder + "/lib.so", os.O_RDONLY)
    # Below all modules: the first to be examined. As a library would be, with its headers and its code.
    if MMAP(ctypes.c_void_p(FILE_AT), ctypes.c_size_t(FILE_BYTES), mmap.PROT_READ | mmap.PROT_EXEC, 2 | 0x10, fd, ctypes.c_long(0)) != FILE_AT:
        skip(f"mmap: {os.strerror(ctypes.get_errno())}")
    os.close(fd)  # now: a close(2) that comes with the end of the program would wait for the server, which has ended
    if first_page:
        MADVISE(ctypes.c_void_p(FILE_AT), ctypes.c_size_t(FILE_BYTES), 1)  # MADV_RANDOM: no read ahead
        LIBC.memcmp(ctypes.c_void_p(FILE_AT), ctypes.create_string_buffer(16), ctypes.c_size_t(16))  # without the GIL, which the server needs


def give_up_root():
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def tree(path):
    """The parent's marks are numbered. A descriptor of userfaultfd(2) is for the memory of the process that made it: the child's own."""
    if os.fork() == 0:
        fd = userfault()
        give_up_root()
        while ACCESS(path, 0):
            sys.audit("hostile.child")
            USLEEP(20000)
        lose_context(fd)
    give_up_root()
    say(ready=os.getpid())
    for number in itertools.count():
        sys.audit("hostile.parent", number)
        USLEEP(20000)


def lose_context(fd):
    """No event from here on: the probe needs its context, too."""
    text, write = json.dumps({"done": os.getpid()}).encode() + b"\n", LIBC.write
    take_away(fd, context(), 4096)
    write(1, text, len(text))
    while True:
        PAUSE()


def main(how, go, padding=""):
    if how in ("exec", "kin"):
        exec_for_ever(go.encode() if how == "kin" else None)
    if how in ("exit", "close"):
        end_for_ever(how, go.encode())
    if how == "source":
        run_fuse_source()
    if how == "tree":
        tree(go.encode())
    if how == "words" and not padding:
        os.execv(sys.executable, [sys.executable, *sys.argv, "x" * 16384])
    fd = userfault() if how in ("context", "words") else None
    if how in ("file", "image"):
        map_fuse_file(header() if how == "image" else None)
    give_up_root()
    path = go.encode()
    if how == "words":
        sys.argv = []
        take_away(fd, *words())
    say(ready=os.getpid())
    while ACCESS(path, 0):
        USLEEP(20000)
        if how == "context":
            sys.audit("hostile.pages")
    if how == "context":
        lose_context(fd)
    while True:
        PAUSE()


main(*sys.argv[1:])
