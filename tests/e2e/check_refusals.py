"""refusals: each cause that can be produced here: exit status 1, cause and cure in the message, the target untouched.

REFUSALS names for each cause (src/visit/access.c), and for each later refusal, the cell that produces it, or why no
cell can; run.py --list prints it. A cause that is missing from the table fails the run.
"""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import harness
from harness import (AS_NOBODY, BECOME_NOBODY, FILTERED, ROOT, STRICT, Child, Fail, Python, Recorder, Skip, Victim, expect, expect_goodbye,
                     expect_same_maps, kill, maps_of, no_python, status_of, wait_asleep, wait_for)

# (cause, cell of this group or "group: cell") or (cause, None, why no test can produce it here and what is tested
# instead)
REFUSALS = [
    ("no-process", "unknown pid"),
    ("thread", "a thread's number"),
    ("self", "itself"),
    ("kernel-thread", "kernel thread"),
    ("zombie", "zombie"),
    ("other-user", "ordinary user"),
    ("capabilities", "more capabilities than we have"),
    ("non-dumpable", "doctor: not dumpable"),
    ("user-namespace", "from inside a user namespace"),
    ("yama", None, "a setting of the whole machine (and this kernel may lack Yama); all its values are judged in tests/unit/test_access.c"),
    ("security-module", "in Landlock, attaching"),
    ("traced", "already traced"),
    ("seccomp", "doctor: seccomp, no CAP_SYS_ADMIN"),
    ("seccomp", "strict seccomp"),
    ("not-python", "not Python"),
    ("translated", "translators: valgrind, sleeping"),
    ("layout", "Python 3.6"),
    ("layout", "Python 3.7"),
    ("layout", "PyPy"),
    ("layout", "a Python from the future"),
    ("finalised", "the interpreter is ending"),
    ("leased", "hostile: leases on its files of /proc"),
    ("attached", "survival: second recorder"),
    ("no-answer", "hostile: pages that never come, file"),
    ("blocked", "all threads in vfork"),
    ("blocked", "frozen, version 1"),
    ("blocked", "frozen, version 2"),
    ("waits", "a filter, and a wait with a timeout"),
    ("no-room", "no memory left"),
    ("no-room", "no data left"),
    ("no-room", "no mappings left"),
    ("no-room", "no descriptors left, as nobody"),
    # decided when the first call is made
    ("no memory (RLIMIT_MEMLOCK)", "no memory to lock left"),
    ("no room for the entry or the code", None, "no build of CPython known has neither; python_runtime_find and elf_slack_find are tested on images in tests/unit"),
    ("the kernel forbids forced writes", None, "proc_mem.force_override is set at boot; the way round is taken in faults: each write EPERM"),
    ("the clock is set back while the ring is mapped", "attach: clock set back"),
    ("interrupted by anything", "faults: each ptrace EPERM"),
]

# Another tracer: it seizes the process and keeps it.
HOLDER = """
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(0x4206, int(sys.argv[1]), 0, 0):
    sys.exit("seize: errno %d" % ctypes.get_errno())
print("held", flush=True)
time.sleep(600)
"""


# Execute argv in a Landlock domain: files may be written below /tmp and the folder argv[1] only, and no process outside
# of it is traced.
LANDLOCK = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
rights = 1 << 1 | 1 << 8  # WRITE_FILE, MAKE_REG
domain = libc.syscall(444, ctypes.c_char_p(struct.pack("Q", rights)), ctypes.c_size_t(8), 0)
if domain < 0:
    sys.exit("no landlock")
for path in ("/tmp", sys.argv[1]):
    if libc.syscall(445, domain, 1, ctypes.c_char_p(struct.pack("=Qi", rights, os.open(path, os.O_PATH))), 0):
        sys.exit("no rule")
libc.prctl(38, 1, 0, 0, 0)
if libc.syscall(446, domain, 0):
    sys.exit("no landlock")
os.execv(sys.argv[2], sys.argv[2:])
"""


def in_landlock(folder):
    """Return what runs a program in such a domain."""
    prefix = [sys.executable, "-c", LANDLOCK, folder]
    done = subprocess.run([*prefix, "/bin/true"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
    if done.returncode:
        raise Skip("this kernel has no Landlock: " + done.stderr.strip()[-100:])
    return prefix


def landlock_attaching(ctx, python):
    prefix = in_landlock(ctx.folder)
    with Victim(ctx, python, "sleeping") as v:
        refused(ctx, v.pid, ["security module"], "Landlock", command=[*prefix, ctx.auditview])
        expect(not v.stop().get("woke_early"), "the victim was disturbed")


def landlock_launching(ctx, python):
    """The program is in the same domain, so it can be traced, but its memory cannot be written: it runs unwatched, and why is said."""
    folder = ctx.new_folder("landlock")
    done = subprocess.run([*in_landlock(folder), ctx.auditview, "record", "-o", os.path.join(folder, "capture.avc"), "--", *python.command, "-S",
                           "-c", "import sys; sys.audit('a.b'); sys.exit(5)"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
    expect(done.returncode == 5, lambda: f"status {done.returncode}: {done.stderr[-400:]}")
    expect(re.search(r"is not watched: cannot open /proc/\d+/mem to write to it: Permission denied", done.stderr) and "lost: unknown" in done.stderr,
           lambda: f"{done.stderr[-500:]}")


def refused(ctx, pid, words, cure, command=None, untouched=True):
    """`record -p PID` is refused: status 1, each of `words` (alternatives separated by |) in the message, and one of
    the cures."""
    before = maps_of(pid)
    folder = ctx.new_folder("refused")
    os.chmod(folder, 0o777)
    out = os.path.join(folder, "capture.avc")
    done = subprocess.run([*(command or [ctx.auditview]), "record", "-p", str(pid), "-o", out], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
    text = done.stderr
    expect(done.returncode == 1, lambda: f"status {done.returncode}, expected 1: {text[-300:]!r}")
    expect(done.stdout == "", lambda: f"stdout: {done.stdout[:200]!r}")
    for word in [str(pid), *words]:
        expect(any(w.lower() in text.lower() for w in word.split("|")), lambda: f"no {word!r} in the message {text!r}")
    expect(any(w.lower() in text.lower() for w in cure.split("|")), lambda: f"no cure ({cure}) in the message {text!r}")
    if untouched:
        expect(maps_of(pid) == before, "the target was changed")
    return text


def unknown_pid(ctx):
    pid = 4190000
    while os.path.exists(f"/proc/{pid}"):
        pid -= 1
    refused(ctx, pid, ["no such process|no process|not running|does not exist"], "ps |pgrep|auditview")


def not_python(ctx):
    with no_python() as process:
        refused(ctx, process.pid, ["python"], "libpython|_PyRuntime|look|interpreter")
        expect(process.poll() is None, "the target ended")


def old_python(ctx, minor):
    found = glob.glob(os.path.expanduser(f"~/.pyenv/versions/3.{minor}.*/bin/python3"))
    if not found:
        raise Skip(f"no Python 3.{minor} here")
    python = Python(f"3.{minor}", found[:1])
    process = subprocess.Popen([*python.command, "-c", "import time; print(1, flush=True); time.sleep(600)"], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        refused(ctx, process.pid, [f"3.{minor}|older than 3.8|before 3.8"], "3.8")
        expect(process.poll() is None, "the target ended")
    finally:
        kill(process)
        process.stdout.close()


def ordinary_user(ctx, python):
    ctx.needs_setpriv()
    binary = ctx.copy_for_all()
    with Victim(ctx, python, "sleeping") as v:
        prefix = [*AS_NOBODY, binary]
        refused(ctx, v.pid, ["not permitted|permission|not allowed|denied|another user"], "root|sudo|CAP_SYS_PTRACE|ptrace_scope", command=prefix)
        expect(not v.stop().get("woke_early"), "the victim was disturbed")


def already_traced(ctx, python):
    with Victim(ctx, python, "sleeping") as v:
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(v.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            if not holder.stdout.readline():
                raise Skip("ptrace is not allowed here: " + holder.stderr.read().decode()[-100:])
            refused(ctx, v.pid, ["traced|tracer|holds", str(holder.pid)], "detach|quit|end|leave|stop|let")
        finally:
            kill(holder)
            holder.stdout.close()
            holder.stderr.close()
        v.stop()


def zombie(ctx):
    process = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    try:
        wait_for(lambda: (status_of(process.pid, "State") or "").startswith("Z"), 10, "a zombie")
        refused(ctx, process.pid, ["zombie|has ended|ended already|has exited|dead"], "parent|wait|ended|nothing")
    finally:
        process.wait()


def stopped(ctx, python):
    """A stopped process is refused, or attached to and not woken (check_attach.py tests this). Here: it never wakes up,
    and ends normally."""
    with Victim(ctx, python, "sleeping") as v:
        os.kill(v.pid, signal.SIGSTOP)
        wait_for(lambda: status_of(v.pid, "State").startswith("T"), 5, "the target to stop")
        out = os.path.join(ctx.new_folder("stopped"), "capture.avc")
        done = subprocess.run([ctx.auditview, "record", "-p", str(v.pid), "-o", out, "--duration", "300ms"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
        expect(done.returncode in (0, 1), lambda: f"status {done.returncode}: {done.stderr[-300:]}")
        if done.returncode == 1:
            for word in (str(v.pid), "stopped", "cont"):
                expect(word in done.stderr.lower(), lambda: f"no {word!r} in the message {done.stderr!r}")
        expect(status_of(v.pid, "State").startswith("T"), lambda: f"state is {status_of(v.pid, 'State')} afterwards")
        os.kill(v.pid, signal.SIGCONT)
        v.stop()


def kernel_thread(ctx):
    if not os.path.exists("/proc/2/maps") or maps_of(2):
        raise Skip("pid 2 is no kernel thread here")
    refused(ctx, 2, ["python|kernel"], "libpython|kernel|_PyRuntime|look|interpreter", untouched=False)


def itself(ctx):
    """A recorder that cannot write its output says so before it touches the target."""
    with Victim(ctx, ctx.pythons[0], "sleeping") as v:
        before = v.maps()
        done = subprocess.run([ctx.auditview, "record", "-p", str(v.pid), "-o", "/nonexistent/folder/x.avc"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
        expect(done.returncode == 1 and "/nonexistent/folder/x.avc" in done.stderr, lambda: f"{done.returncode}: {done.stderr!r}")
        expect(v.maps() == before, "the target was changed")
        v.stop()


# ---- targets that are made for one refusal ----

def compiled(ctx, text):
    """A program that exports what this C text defines."""
    folder = ctx.new_folder("compiled")
    source, program = os.path.join(folder, "program.c"), os.path.join(folder, "program")
    with open(source, "w", encoding="utf-8") as f:
        f.write("#include <unistd.h>\n" + text + '\nint main(void) { if (write(1, "ready\\n", 6) < 6) return 1; for (;;) pause(); }\n')
    if not shutil.which("cc"):
        raise Skip("no C compiler")
    subprocess.run(["cc", "-rdynamic", "-O1", "-o", program, source], check=True)
    return program


PYPY = "int rpython_startup_code(void); int rpython_startup_code(void) { return 0; }"
FUTURE = """
char _PyRuntime[65536] __attribute__((visibility("default"))) = "xdebugpy";
const unsigned long Py_Version = 0x03630100;
int PySys_AddAuditHook(void *a, void *b); int PySys_AddAuditHook(void *a, void *b) { return a == b; }
int Py_IsInitialized(void); int Py_IsInitialized(void) { return 1; }
"""
# In finalize_modules: the runtime is finalising, and this is the last code that runs.
ENDING = """
import os, sys, time
class Last:
    def __del__(self, write=os.write, sleep=time.sleep):
        write(1, b"ready\\n")
        sleep(600)
sys.last = Last()
"""
FULL = """
import resource, time
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + (1 << 20),) * 2)
print("ready", flush=True)
time.sleep(600)
"""
DATA = FULL.replace("RLIMIT_AS", "RLIMIT_DATA").replace("(pages * 4096 + (1 << 20),) * 2", "(1 << 20,) * 2")
# mlockall(MCL_CURRENT | MCL_FUTURE), with a limit 1 MiB above what is locked; it applies to users without CAP_IPC_LOCK.
LOCKED = """
import ctypes, resource, time
libc = ctypes.CDLL(None)
if libc.mlockall(3):
    raise SystemExit("mlockall is not allowed here")
kib = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmLck:"))
resource.setrlimit(resource.RLIMIT_MEMLOCK, ((kib << 10) + (1 << 20),) * 2)
print("ready", flush=True)
time.sleep(600)
"""
# Mappings that cannot be merged, up to the limit.
MAPPINGS = """
import ctypes, time
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.write  # looked up while there is room
n = 0
while libc.mmap(None, 4096, 1 + 2 * (n % 2), 0x22, -1, 0) != ctypes.c_void_p(-1).value:
    n += 1
libc.write(1, b"ready\\n", 6)
time.sleep(600)
"""
DESCRIPTORS = """
import os, resource, time
resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1,) * 2)
while True:
    try:
        os.dup(1)
    except OSError:
        break
os.write(1, b"ready\\n")
time.sleep(600)
"""
# A filter that allows everything, then an epoll_wait() with a timeout that CPython itself did not call.
FILTERED_WAIT = FILTERED + """
import select
epoll = select.epoll()
print("ready", flush=True)
libc.epoll_wait(epoll.fileno(), ctypes.create_string_buffer(96), 8, 600000)
"""
# vfork by ctypes: the child borrows the parent's only thread and sleeps in it.
VFORK = """
import ctypes, sys
libc = ctypes.CDLL(None)
print("ready", flush=True)
if libc.vfork() == 0:
    libc.sleep(600)
    libc._exit(0)
"""


def program_refused(ctx, text, words, cure):
    with Child(compiled(ctx, text)) as process:
        refused(ctx, process.pid, words, cure)
        expect(process.poll() is None, "the target ended")


def python_refused(ctx, python, text, words, cure, settle=None):
    with Child(*python.command, "-c", text) as process:
        if settle:
            wait_for(lambda: settle(process.pid), 10, "the target to get there")
        wait_asleep(process.pid)
        said = refused(ctx, process.pid, words, cure)
        expect(process.poll() is None, "the target ended")
        expect(status_of(process.pid, "TracerPid") == "0", "a tracer is still attached")
        return said


class Frozen(harness.ControlGroup):
    """A cgroup of our own, frozen; Skip if none can be made."""

    def __init__(self, version):
        super().__init__(version, "freezer")

    def set(self, frozen):
        if self.version == 1:
            self.write("freezer.state", "FROZEN" if frozen else "THAWED")
        else:
            self.write("cgroup.freeze", "1" if frozen else "0")

    def is_frozen(self):
        name, line = ("freezer.state", "FROZEN\n") if self.version == 1 else ("cgroup.events", "frozen 1\n")
        return line in open(os.path.join(self.folder, name), encoding="ascii").readlines()

    def put(self, pid):
        super().put(pid)
        self.set(True)
        wait_for(self.is_frozen, 10, "the group to be frozen")

    def __exit__(self, *error):
        self.set(False)
        super().__exit__(*error)


def frozen(ctx, python, version):
    with Frozen(version) as group, Victim(ctx, python, "sleeping") as v:
        try:
            group.put(v.pid)
            refused(ctx, v.pid, ["frozen", os.path.basename(group.folder)], "thaw")
        finally:
            group.set(False)
        expect(not v.stop().get("woke_early"), "the victim was disturbed")


def frozen_midway(ctx, python, steps):
    """The cgroup is frozen after the Nth ptrace request of an attach: the attach is refused, and nothing is left, or
    the message says what is left."""
    with Frozen(2) as group, Victim(ctx, python, "sleeping") as v:
        for n in steps:
            before = v.maps()
            with Recorder(ctx, v.pid, "--duration", "0.2", env=dict(os.environ, AUDITVIEW_FAULT=f"ptrace:{n}:stop")) as recorder:
                wait_for(lambda: recorder.process.poll() is not None or status_of(recorder.process.pid, "State").startswith("T"), 20, "the stop")
                try:
                    group.put(v.pid)
                    recorder.process.send_signal(signal.SIGCONT)
                    recorder.process.wait(harness.GUARD)
                finally:
                    group.set(False)
                text = recorder.stderr()
            expect("frozen" in text and ("thaw" in text or "is left" in text or "restored: no" in text), lambda: f"{n}: {text[-300:]!r}")
            wait_for(lambda: status_of(v.pid, "TracerPid") == "0", 5, "it to be let go")
            left = v.maps() != before
            expect(not left or "is left" in text or "restored: no" in text, lambda: f"{n}: left without a word: {text[-300:]!r}")
            with Recorder(ctx, v.pid, "--duration", "0.1") as recorder:
                expect_goodbye(recorder.wait(harness.GUARD), min_events=0)
            expect_same_maps(before, v.maps(), exactly=False)
        v.stop()


def interrupted(ctx, python, number):
    """Ctrl-C at many moments of an attach to a target that cannot be stopped: nothing is left."""
    with Child(*python.command, "-c", VFORK) as process:
        wait_for(lambda: status_of(process.pid, "State").startswith("D"), 10, "the target to get there")
        before = maps_of(process.pid)
        for i in range(12 if ctx.full else 4):
            out = os.path.join(ctx.new_folder("interrupted"), "capture.avc")
            with subprocess.Popen([ctx.auditview, "record", "-p", str(process.pid), "-o", out], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as recorder:
                time.sleep(0.02 * i)
                recorder.send_signal(number)
                text = recorder.communicate(timeout=harness.GUARD)[1]
            expect(recorder.returncode == -number or (recorder.returncode == 1 and "vfork" in text), lambda: f"{recorder.returncode}: {text!r}")
            expect(maps_of(process.pid) == before, "something is left")
            expect(status_of(process.pid, "TracerPid") == "0", "it is still traced")


def python_refused_as_nobody(ctx, text, words, cure):
    pythons = ctx.for_all_pythons()
    if not pythons:
        raise Skip("no Python that an ordinary user may run")
    other = ctx.for_nobody()
    with Child("prlimit", "--memlock=1000000000", *AS_NOBODY, *pythons[0].command, "-S", "-c", text) as process:
        wait_asleep(process.pid)
        refused(other, process.pid, words, cure, command=[*AS_NOBODY, other.auditview])
        expect(process.poll() is None, "the target ended")


def a_thread(ctx, python):
    with Victim(ctx, python, "guest") as v:
        other = max(map(int, os.listdir(f"/proc/{v.pid}/task")))
        refused(ctx, other, ["thread", str(v.pid)], f"auditview -p {v.pid}", untouched=False)
        v.stop()


def its_own_pid(ctx):
    out = os.path.join(ctx.new_folder("self"), "capture.avc")
    done = subprocess.run(["sh", "-c", f"exec {ctx.auditview} record -p $$ -o {out}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
    expect(done.returncode == 1 and "itself" in done.stderr, lambda: f"{done.returncode}: {done.stderr!r}")


def capabilities(ctx, python):
    """A target of the same user that has more capabilities."""
    ctx.needs_setpriv()
    binary = ctx.copy_for_all()
    python = next((p for p in [python, *ctx.pythons] if p.command[0].startswith("/usr/")), None)
    if not python:
        raise Skip("no Python that another user may run")
    with Child(*BECOME_NOBODY, "--inh-caps", "+net_raw", "--ambient-caps", "+net_raw", *python.command, "-S", "-c",
               "import time; print('ready', flush=True); time.sleep(600)") as process:
        refused(ctx, process.pid, ["not permitted", "capabilities"], "root|sudo", command=[*AS_NOBODY, binary])


def user_namespace(ctx, python):
    with Victim(ctx, python, "sleeping") as v:
        if subprocess.run(["unshare", "-U", "-r", "true"], stderr=subprocess.DEVNULL).returncode:
            raise Skip("no user namespaces here")
        refused(ctx, v.pid, ["not permitted", "user namespace"], "outside|same one", command=["unshare", "-U", "-r", ctx.auditview])
        expect(not v.stop().get("woke_early"), "the victim was disturbed")


def second_reason(reason):
    raise Skip(reason)


def table_is_whole(all_cells):
    """Each cause has its row, and each row its cell."""
    text = open(os.path.join(ROOT, "src", "visit", "access.c"), encoding="utf-8").read()
    causes = set(re.findall(r'\[ACCESS_\w+\] = \{ "([a-z-]+)", ERR_', text)) - {"fine"}
    expect(len(causes) > 10, "the causes were not found in access.c: the test is broken")
    expect(causes <= {row[0] for row in REFUSALS}, lambda: f"not in the table: {sorted(causes - {row[0] for row in REFUSALS})}")
    for row in REFUSALS:
        group, _, cell = (row[1] or "").rpartition(": ")
        source = open(os.path.join(ROOT, "tests", "e2e", f"check_{group}.py"), encoding="utf-8").read() if group else ""
        if row[1] and not group and cell not in all_cells:
            raise Fail(f"{row[0]}: there is no cell {cell!r}")
        if group and cell not in source and not re.search(r'f"each \{', source):
            raise Fail(f"{row[0]}: there is no cell {cell!r} in {group}")


def cells(ctx):
    found = list(own_cells(ctx))
    yield from found
    yield "the table of causes is whole", None, lambda: table_is_whole({what for what, _, _ in found})
    for row in REFUSALS:
        if row[1] is None:
            yield row[0], None, lambda r=row[2]: second_reason(r)


def own_cells(ctx):
    python = ctx.some_pythons(12)[0]
    yield "unknown pid", None, lambda: unknown_pid(ctx)
    yield "not Python", None, lambda: not_python(ctx)
    for minor in (6, 7):
        yield f"Python 3.{minor}", None, lambda m=minor: old_python(ctx, m)
    yield "ordinary user", python, lambda: ordinary_user(ctx, python)
    yield "already traced", python, lambda: already_traced(ctx, python)
    yield "zombie", None, lambda: zombie(ctx)
    yield "stopped", python, lambda: stopped(ctx, python)
    yield "kernel thread", None, lambda: kernel_thread(ctx)
    yield "capture cannot be written", None, lambda: itself(ctx)
    yield "a thread's number", python, lambda: a_thread(ctx, python)
    yield "itself", None, lambda: its_own_pid(ctx)
    yield "more capabilities than we have", python, lambda: capabilities(ctx, python)
    yield "from inside a user namespace", python, lambda: user_namespace(ctx, python)
    yield "in Landlock, attaching", python, lambda: landlock_attaching(ctx, python)
    yield "in Landlock, launching", python, lambda: landlock_launching(ctx, python)
    yield "PyPy", None, lambda: program_refused(ctx, PYPY, ["pypy"], "hook list|CPython")
    yield "a Python from the future", None, lambda: program_refused(ctx, FUTURE, ["3.99"], "3.8|newer|auditview|report")
    yield "the interpreter is ending", python, lambda: python_refused(ctx, python, ENDING, ["ending"], "ending|no more")
    yield "strict seccomp", python, lambda: python_refused(ctx, python, STRICT, ["seccomp"], "seccomp",
                                                           lambda pid: status_of(pid, "Seccomp") == "1")
    yield "no memory left", python, lambda: python_refused(ctx, python, FULL, ["RLIMIT_AS"], "prlimit")
    yield "no data left", python, lambda: python_refused(ctx, python, DATA, ["RLIMIT_DATA"], "prlimit")
    yield "no memory to lock left", None, lambda: python_refused_as_nobody(ctx, LOCKED, ["RLIMIT_MEMLOCK"], "prlimit")
    yield "no mappings left", python, lambda: python_refused(ctx, python, MAPPINGS, ["max_map_count"], "sysctl")
    yield "no descriptors left, as nobody", None, lambda: python_refused_as_nobody(ctx, DESCRIPTORS, ["RLIMIT_NOFILE"], "prlimit")
    yield "a filter, and a wait with a timeout", python, lambda: python_refused(ctx, python, FILTERED_WAIT, ["waits", "seccomp"], "try again")
    for version in (1, 2):
        yield f"frozen, version {version}", python, lambda v=version: frozen(ctx, python, v)
    yield "frozen midway", python, lambda: frozen_midway(ctx, python, range(1, 12) if ctx.full else (2, 4, 7))
    for number in (signal.SIGINT, signal.SIGTERM):
        yield f"{number.name} while it cannot be stopped", python, lambda n=number: interrupted(ctx, python, n)
    yield "all threads in vfork", python, lambda: python_refused(ctx, python, VFORK, ["stop", "vfork"], "try again",
                                                                 lambda pid: status_of(pid, "State").startswith("D"))
