"""harness: what the end-to-end tests share: Pythons, victims, recorders, captures.

A cell is one function that returns None (passed), raises Skip(reason) or Fail(what was seen). A cell ends everything
that it started, also when it fails.
"""
import argparse
import atexit
import contextlib
import copy
import json
import os
import pty
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _victims():
    """The folder of the programs to trace: tests/victims, or a copy of it if the tree is where other users cannot enter, such as
    below a home of mode 0700. Some cells run them as another user."""
    path = folder = os.path.join(ROOT, "tests", "victims")
    while os.stat(folder).st_mode & 0o1:
        if folder == "/":
            return path
        folder = os.path.dirname(folder)
    top, owner = tempfile.mkdtemp(prefix="auditview-victims-"), os.getpid()
    os.chmod(top, 0o755)
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(top, ignore_errors=True))
    copied = shutil.copytree(path, os.path.join(top, "victims"))
    for where, _, names in os.walk(copied):
        os.chmod(where, 0o755)
        for name in names:
            os.chmod(os.path.join(where, name), os.stat(os.path.join(where, name)).st_mode | 0o444)
    return copied


VICTIMS = _victims()
sys.path.append(VICTIMS)
import calls  # noqa: E402
STATUS = 7  # victims/victim.py
GOODBYE = re.compile(r"^(?:auditview: )?([\d ,]+) events?, ([\d ,]+) lost\b(.*)$", re.M)


# Seconds after which something hangs, if nothing else is promised. A wait for what works ends at once; a short guard would only
# fail on a machine that is busy. An emulated machine (tests/arm64) is SLOW times slower than a usual one: waits and the victims'
# calls take longer.
SLOW = float(os.environ.get("AUDITVIEW_TEST_SLOW", "1"))
GUARD = int(90 * SLOW)


# Thread identifier -> the processes that it has started: run.py ends those of a cell that hangs.
STARTED = {}


class _Known(subprocess.Popen):
    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        STARTED.setdefault(threading.get_ident(), []).append(weakref.ref(self))  # its pipes are closed as if it were not here


class _Forked:
    """A child that pty.fork() made."""

    def __init__(self, pid):
        self.pid = pid

    @property
    def returncode(self):
        """None if it has not been waited for; this never waits."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as f:
                return None if int(f.read().rsplit(b")", 1)[1].split()[1]) == os.getpid() else 0
        except (OSError, IndexError):
            return 0


_fork = pty.fork


def _known_fork():
    pid, fd = _fork()
    if pid:
        child = _Forked(pid)
        STARTED.setdefault(threading.get_ident(), []).append(lambda: child)
    return pid, fd


subprocess.Popen = _Known
pty.fork = _known_fork


class Skip(Exception):
    """This cell cannot run here; the text says why."""


class Fail(Exception):
    """Says what was expected, and what was seen."""


class Late(Fail):
    """A recorder that has not ended within its deadline."""


def expect(condition, message):
    if not condition:
        raise Fail(message() if callable(message) else message)


class Python:
    """One interpreter: how to start it, and its properties."""

    def __init__(self, name, command):
        self.name = name
        self.command = command
        code = ("import sys, sysconfig; print('%d.%d.%d' % sys.version_info[:3], "
                "int(bool(sysconfig.get_config_var('Py_GIL_DISABLED'))), int(hasattr(sys, 'gettotalrefcount')))")
        done = subprocess.run([*command, "-S", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        if done.returncode:
            raise Skip(f"{name} does not run: {done.stderr.strip()[-200:]}")
        version, free_threaded, debug = done.stdout.split()
        self.version_text = version
        self.version = tuple(map(int, version.split(".")))
        self.free_threaded, self.debug = free_threaded == "1", debug == "1"

    @property
    def minor(self):
        return self.version[1]


def parse_options(usage, *own):
    """Parse the command line of a program that runs tests: the options of all such programs, and its own (name,
    keywords of add_argument)."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--python", default="")
    parser.add_argument("--no-fetch", action="store_true")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("-h", "--help", action="store_true")
    for name, keywords in own:
        parser.add_argument(name, **keywords)
    options = parser.parse_args()
    if options.help:
        print(usage)
        sys.exit(0)
    return options


BECOME_NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]  # needs ctx.needs_setpriv()
AS_NOBODY = [*BECOME_NOBODY, "env", "HOME=/nonexistent"]


class Context:
    """The options of this run, and its paths."""

    def __init__(self, build, pythons, full, keep):
        self.auditview = os.path.join(build, "auditview")
        self.refhook = os.path.join(build, "tests", "e2e", "librefhook.so")
        self.pythons = pythons
        self.full = full
        self.keep = keep
        self.folder = tempfile.mkdtemp(prefix="auditview-e2e-")
        self.lock = threading.Lock()
        self.n_folders = [0]  # shared by all copies of the context
        self.is_for_all = False
        self.n_recorders = 0  # number of Recorder objects
        self.endings = []  # seconds that each recorder took from the request to end to its end

    def new_folder(self, label):
        with self.lock:
            self.n_folders[0] += 1
            path = os.path.join(self.folder, f"{self.n_folders[0]:04d}-{re.sub(r'[^A-Za-z0-9.]+', '-', label)[:60]}")
        os.mkdir(path)
        if self.is_for_all:
            os.chmod(path, 0o777)
        return path

    def needs_setpriv(self):
        if os.getuid() != 0 or not shutil.which("setpriv"):
            raise Skip("needs root and setpriv, to become another user")

    def copy_for_all(self):
        """Return the path of an auditview that every user may run, wherever the tree is."""
        folder = self.new_folder("for-all")
        for path in (self.folder, folder):
            os.chmod(path, 0o777)
        binary = os.path.join(folder, "auditview")
        shutil.copy(self.auditview, binary)
        os.chmod(binary, 0o755)
        return binary

    def for_nobody(self):
        """Return a context for an ordinary user, to be used with prefix=AS_NOBODY: every user may use the program and
        all folders."""
        self.needs_setpriv()
        other = copy.copy(self)
        other.auditview = self.copy_for_all()
        other.is_for_all = True
        return other

    def for_all_pythons(self):
        """Return the Pythons that an ordinary user may run."""
        return [p for p in self.pythons if p.command[0].startswith("/usr/")]

    def some_pythons(self, *versions):
        """Return all Pythons in a full run; else those of the given minor versions (one each), or the nearest ones."""
        if self.full:
            return self.pythons
        chosen = []
        for minor in versions:
            match = [p for p in self.pythons if p.minor == minor and p not in chosen and not p.debug and not p.free_threaded]
            chosen += match[:1]
        return chosen or self.pythons[:1]

    def free_threaded(self):
        """Return the Pythons whose threads run in parallel; a full run uses all Pythons anyway."""
        return [] if self.full else [p for p in self.pythons if p.free_threaded and "+" not in p.name][:1]

    def finish(self, failed):
        if not (self.keep or failed):
            shutil.rmtree(self.folder, ignore_errors=True)


# ---- processes ----

def wait_for(condition, seconds, what, is_promise=False):
    """Poll until the condition is true; returns its value. `what` is a text, or a function that makes one of what is there at the end.
    It waits for GUARD seconds at least, unless the time is promised."""
    begun = now = time.monotonic()
    seconds = seconds * SLOW if is_promise else max(seconds * SLOW, GUARD)
    while True:
        value = condition()
        if value:
            return value
        if now > begun + seconds:
            raise Fail(f"waited {seconds} s for {what() if callable(what) else what}")
        # A condition may take a process to find out: look less often the longer it takes.
        time.sleep(min(0.05, 0.005 + (now - begun) / 50))
        now = time.monotonic()


def wait_asleep(pid):
    """Wait until the first thread has come to the wait that it said it would begin: it sleeps, and has not run meanwhile."""
    def stays():
        before = [status_of(pid, field) for field in ("State", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")]
        time.sleep(0.02)
        return before[0][0] in "SD" and before == [status_of(pid, field) for field in ("State", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")]
    wait_for(stays, GUARD, f"process {pid} to sleep")


def kill(process):
    if process and process.poll() is None:
        process.kill()
        process.wait()


def maps_of(pid):
    """Return the text of /proc/PID/maps; empty if the process is gone."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as f:
            return f.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def foreign_maps(text):
    """Return the lines of maps that no Python has by itself: shared memory, anonymous executable memory."""
    lines = []
    for line in text.splitlines():
        fields = line.split(None, 5)
        name = fields[5] if len(fields) > 5 else ""
        if fields[1][3] == "s" and ("/dev/zero" in name or "memfd:" in name):
            lines.append(line)
        elif "x" in fields[1] and not name:
            lines.append(line)
    return lines


def expect_same_maps(before, after, exactly):
    """The texts must be identical; if the program allocates meanwhile, its anonymous memory may differ."""
    def lines(text):
        kept = set()
        for line in text.splitlines():
            fields = line.split(None, 5)
            name = fields[5] if len(fields) > 5 else ""
            if exactly or not (name in ("", "[heap]", "[stack]") and "x" not in fields[1] and fields[1][3] == "p"):
                kept.add(line)
        return kept
    changed = lines(before) ^ lines(after)
    expect(not changed, lambda: f"maps differ: {sorted(changed)}")


def status_of(pid, field):
    """Return the field of /proc/PID/status; None if there is no such field, or no such process any more."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            for line in f:
                if line.startswith(field + ":"):
                    return line.split(":", 1)[1].strip()
    except (FileNotFoundError, ProcessLookupError):
        pass
    return None


def is_in_call(pid, *names):
    """Is the first thread in one of these system calls (victims/calls.py)? It may be one that this CPU does not have."""
    call = open(f"/proc/{pid}/syscall", encoding="ascii").read().split()[0]
    return call in {str(calls.NR[name]) for name in names if name in calls.NR}


@contextlib.contextmanager
def no_python():
    """An idle process that is not Python: its mappings do not change any more."""
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            wait_for(lambda: status_of(process.pid, "Name") == "sleep", GUARD, "sleep")
            wait_asleep(process.pid)
            yield process
        finally:
            process.kill()


def restore_signals():
    """Undo what nohup, and a shell that starts a background command of a script, have set: they ignore signals, and
    everything that we start would ignore them, too. A signal that a recorder gets before it blocks it would be lost."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def process_state(pid):
    """Return what a process does, for a message about one that hangs; "" if it is gone."""
    try:
        wait, call = (open(f"/proc/{pid}/{name}").read().split(" ")[0] for name in ("wchan", "syscall"))
        return f"{pid} {status_of(pid, 'Name')} {status_of(pid, 'State')} {wait} in call {call.strip()} tracer {status_of(pid, 'TracerPid')}"
    except OSError:
        return ""


def recorder_state(pid):
    """The same of a recorder and the processes that it started."""
    return ", ".join(filter(None, map(process_state, [pid, *children_of(pid)])))


def children_of(pid):
    """Return the process ids of all descendants."""
    parents = {}
    for child in filter(str.isdigit, os.listdir("/proc")):
        try:
            parents[int(child)] = int(open(f"/proc/{child}/stat", "rb").read().rsplit(b")", 1)[1].split()[1])
        except (OSError, IndexError):
            pass
    found = [pid]
    for parent in found:
        found += [child for child, its_parent in parents.items() if its_parent == parent]
    return found[1:]


def session_state(session):
    """Return what the processes of a session do, for a message about one that hangs."""
    states = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(pid)) == session:
                states.append(process_state(pid))
        except OSError:
            pass
    return ", ".join(filter(None, states))


def kill_group(process):
    """Kill a process that leads its group, with the group, and wait for it."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


class Victim:
    """A victim that runs until it is told to stop."""

    def __init__(self, ctx, python, name, *arguments, rounds=None, env=None, prefix=()):
        self.folder = ctx.new_folder(f"{name}-{python.name}")
        self.stop_file = os.path.join(self.folder, "stop")
        how = ["--rounds", str(rounds)] if rounds else ["--until", self.stop_file]
        self.stderr_path = os.path.join(self.folder, "stderr")
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen([*prefix, *python.command, os.path.join(VICTIMS, name + ".py"), *how, *arguments],
                                            stdout=subprocess.PIPE, stderr=stderr, stdin=subprocess.DEVNULL, text=True,
                                            env=env, start_new_session=True)
        self.facts = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            try:
                self.facts.append(json.loads(line))
            except ValueError:
                self.facts.append({"not JSON": line})

    def __enter__(self):
        try:
            wait_for(lambda: self.is_ready() or self.process.poll() is not None, GUARD, "a victim to be ready")
            if not self.is_ready():  # it has ended: what it wrote may not have been read yet
                self.reader.join(GUARD)
                expect(self.is_ready(), lambda: f"the victim ended with {self.process.returncode}: {self.errors()}")
        except Fail:
            kill(self.process)
            raise
        return self

    def is_ready(self):
        return self.fact("ready") is not None

    def errors(self):
        return open(self.stderr_path, encoding="utf-8", errors="replace").read()[-600:]

    def settle(self):
        """Wait until its rounds allocate no memory for the first time any more: its mappings then stay as they are."""
        wait_for(lambda: self.fact("settled") is not None or self.process.poll() is not None, GUARD, "a victim to settle")

    @property
    def pid(self):
        return next(f["ready"] for f in self.facts if "ready" in f)

    def maps(self):
        return maps_of(self.pid)

    def fact(self, key):
        return next((f[key] for f in self.facts if key in f), None)

    def stop(self, seconds=GUARD):
        """Tell it to stop; returns the facts that it prints about itself. Fails if it does not end as a healthy victim
        does."""
        open(self.stop_file, "w").close()
        return self.wait(seconds)

    def wait(self, seconds=GUARD):
        try:
            self.process.wait(max(seconds, GUARD))
        except subprocess.TimeoutExpired:
            where = open(f"/proc/{self.pid}/wchan").read() if os.path.exists(f"/proc/{self.pid}/wchan") else "?"
            raise Fail(f"the target did not end within {seconds} s (state {status_of(self.pid, 'State')}, {where})") from None
        expect(self.process.returncode == STATUS, lambda: f"the target ended with {self.process.returncode}, expected {STATUS}: {self.errors()}")
        # Its children may keep its output open: do not wait for the end of that.
        wait_for(lambda: self.fact("truth") is not None or not self.reader.is_alive(), GUARD, "the truth")
        truth = self.fact("truth")
        expect(truth is not None, "the target reported no truth")
        return truth

    def __exit__(self, *error):
        kill_group(self.process)
        self.process.stdout.close() if not self.reader.is_alive() else None


class Capture:
    """A capture file, read by `auditview print -F json`."""

    def __init__(self, ctx, path):
        self.ctx = ctx
        self.path = path
        self.cached = None

    def lines(self):
        """Yield JSON lines as text, one by one: a capture may hold millions."""
        with tempfile.TemporaryFile() as stderr:
            with subprocess.Popen([self.ctx.auditview, "print", "-F", "json", self.path], stdout=subprocess.PIPE, stderr=stderr,
                                  stdin=subprocess.DEVNULL, text=True, encoding="utf-8") as process:
                yield from process.stdout
            stderr.seek(0)
            expect(process.returncode == 0,
                   lambda: f"auditview print: status {process.returncode}: {stderr.read().decode()[-500:]}")

    def each(self):
        for line in self.lines():
            yield json.loads(line)

    def events(self):
        if self.cached is None:
            self.cached = list(self.each())
        return self.cached

    def named(self, name):
        return [e for e in self.events() if e["event"] == name]


# prctl(PR_SET_SECCOMP): 2 with a filter that allows everything. What follows may use `libc`.
FILTERED = """
import ctypes, struct
class Program(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("code", ctypes.c_char_p)]
libc = ctypes.CDLL(None)
program = Program(1, struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program), 0, 0):
    raise SystemExit("no seccomp here")
"""
FILTERED_IF = "if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program), 0, 0):"
# A process under prctl(PR_SET_SECCOMP, 1): only read, write and exit are allowed.
STRICT = """
import ctypes
libc = ctypes.CDLL(None)
read, prctl, byte = libc.read, libc.prctl, ctypes.create_string_buffer(1)
libc.write(1, b"ready\\n", 6)
prctl(22, 1, 0, 0, 0)
read(0, byte, 1)
"""


class Child:
    """A process that printed "ready"; Skip if it cannot be made."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        start_new_session=True)

    def __enter__(self):
        if self.process.stdout.readline() != b"ready\n":
            text = self.process.stderr.read().decode()[-200:]
            self.__exit__()
            raise Skip("it cannot be made here: " + text.strip())
        return self.process

    def __exit__(self, *error):
        try:
            os.killpg(self.process.pid, signal.SIGKILL) # a child in vfork outlives its parent
        except ProcessLookupError:
            pass
        kill(self.process)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


class ControlGroup:
    """A cgroup of our own, of version 1 (with this controller) or 2; Skip if none can be made. It is removed at the end,
    when its processes have ended."""

    def __init__(self, version, controller):
        places = [f"/sys/fs/cgroup/{controller}"] if version == 1 else ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]
        self.version = version
        self.folder = None
        for place in places:
            if os.path.exists(os.path.join(place, "cgroup.procs")) and (version == 1 or os.path.exists(os.path.join(place, "cgroup.controllers"))):
                self.folder = os.path.join(place, f"auditview-e2e-{os.getpid()}-{threading.get_ident()}")
                break
        try:
            os.mkdir(self.folder)
        except (OSError, TypeError) as why:
            raise Skip(f"no control group of version {version} can be made here: {why}") from None

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as f:
            f.write(text)

    def put(self, pid):
        self.write("cgroup.procs", str(pid))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                os.rmdir(self.folder)
                return
            except OSError:  # its process has not ended yet
                time.sleep(0.05)


def attached_at_last(ctx, pid, *options):
    """A Recorder that is linked. A program that starts others is refused while it waits for one in vfork(2), with the words to try
    again: so do that."""
    for _ in range(20):
        recorder = Recorder(ctx, pid, *options)
        try:
            recorder.wait_linked()
            return recorder
        except Fail:
            kill(recorder.process)
            if "vfork" not in recorder.stderr():
                raise
    raise Fail(f"refused again and again: {recorder.stderr()[-300:]}")


class Recorder:
    """`auditview record -p PID -o FILE`, running."""

    def __init__(self, ctx, pid, *options, env=None, prefix=()):
        self.folder = ctx.new_folder(f"record-{pid}")
        self.path = os.path.join(self.folder, "capture.avc")
        self.ctx = ctx
        self.capture = Capture(ctx, self.path)
        self.stderr_path = os.path.join(self.folder, "stderr")
        self.target = pid
        self.before = maps_of(pid)
        ctx.n_recorders += 1
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen([*prefix, ctx.auditview, "record", "-p", str(pid), "-o", self.path, *options],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, env=env)

    def stderr(self):
        return open(self.stderr_path, encoding="utf-8", errors="replace").read()

    def wait_attached(self, seconds=GUARD):
        """Wait until the probe's shared memory is in the target."""
        def is_there():
            if self.process.poll() is not None:
                raise Fail(f"the recorder ended with {self.process.returncode}: {self.stderr()[-500:]}")
            return len(foreign_maps(maps_of(self.target))) > len(foreign_maps(self.before))
        wait_for(is_there, seconds, "the probe to appear in the target")

    def wait_linked(self, seconds=GUARD):
        """Wait until the hook is in the list, too."""
        self.wait_attached(seconds)
        wait_for(lambda: hooks_of(self.ctx, self.target), seconds, "the hook to be in the list")

    def count(self, what, *options):
        """Return a number that `stat --json` tells of the capture, which may grow; None if it cannot be read yet."""
        done = subprocess.run([self.ctx.auditview, "stat", "--json", *options, self.path], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=GUARD)
        return json.loads(done.stdout)[what] if done.returncode == 0 else None

    def count_events(self, name=None):
        """Return how many events the capture holds, in all or of this name; None if it cannot be read yet."""
        return self.count("events", *(["-Y", f'event == "{name}"'] if name else []))

    def wait_events(self, n, name=None, seconds=GUARD):
        """Wait until the capture, which grows, holds n events, or n of this name."""
        def are_there():
            time.sleep(0.1)
            count = self.count_events(name)
            if self.process.poll() is not None:
                raise Fail(f"the recorder ended with {self.process.returncode}: {self.stderr()[-500:]}")
            return count is not None and count >= n
        wait_for(are_there, seconds, f"{n} events {name or ''}")

    def stop(self, number=signal.SIGINT, seconds=GUARD):
        """Detach; returns the messages. Fails unless the recorder ends with 0 and says that the target is restored."""
        self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds=GUARD):
        started = time.monotonic()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            state = recorder_state(self.process.pid)
            self.process.kill()
            raise Late(f"the recorder did not end within {seconds} s ({state}): {self.stderr()[-500:]}") from None
        self.ctx.endings.append(time.monotonic() - started)
        text = self.stderr()
        expect(status == 0, lambda: f"the recorder ended with {status}: {text[-500:]}")
        return text

    def __enter__(self):
        return self

    def __exit__(self, *error):
        kill(self.process)


def free_port():
    """A TCP port of loopback on which nothing listens, and which no connection gets by itself (ip_local_port_range begins above)."""
    for _ in range(100):
        with socket.socket() as s:
            port = random.randrange(20000, 32000)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise Skip("no port is free")


def doctor_finding(ctx, name):
    """Return what doctor says of this machine under that name: whether it is "ok", and in which words."""
    done = subprocess.run([ctx.auditview, "doctor"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=GUARD)
    found = re.search(rf"(?m)^  (ok|note) +{name} +(.*)$", done.stdout)
    expect(found, lambda: f"doctor says nothing of {name}: {done.stdout}")
    return found[1] == "ok", found[2]


def needs_breakpoints(ctx):
    """Skip where a program that loads Python late is noticed some milliseconds later, so its first events are missing."""
    if not doctor_finding(ctx, "breakpoints")[0]:
        raise Skip("doctor: breakpoints cannot be set, or are not reported, on this machine")


def hooks_of(ctx, pid):
    """Return how many hooks of an auditview the runtimes of a process have, as doctor reports it."""
    done = subprocess.run([ctx.auditview, "doctor", str(pid)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)
    return len(re.findall(r"^ *native +auditview\b", done.stdout, re.M))


def visit_from_go(ctx, python, victim, arguments, options=()):
    """Attach with -f to a victim that prints its pid and waits for a line, let it go on, and wait for its end. Return the capture."""
    process = subprocess.Popen([*python.command, victim_path(victim), *arguments], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    try:
        pid = int(process.stdout.readline().split()[1])
        with Recorder(ctx, pid, "-f", *options) as recorder:
            recorder.wait_linked()
            process.stdin.write("go\n")
            process.stdin.flush()
            recorder.wait(GUARD)
            expect(process.wait(GUARD) == 0, lambda: f"the target ended with {process.returncode}")
            return recorder.capture
    finally:
        kill(process)
        process.stdin.close()
        process.stdout.close()


class Launch:
    """`auditview record -o FILE -- PYTHON …`, run to its end."""

    def __init__(self, ctx, python, program, *arguments, options=(), env=None, reference=False, timeout=120, prefix=()):
        self.folder = ctx.new_folder("launch-" + python.name)
        self.capture = Capture(ctx, os.path.join(self.folder, "capture.avc"))
        self.reference_folder = os.path.join(self.folder, "reference")
        command = [*python.command, *([program] if isinstance(program, str) else program), *arguments]
        if reference:
            os.mkdir(self.reference_folder)
            more = ["REFHOOK_LOG=1"] if ctx.keep else []
            command = ["env", f"LD_PRELOAD={ctx.refhook}", f"REFHOOK_DIR={self.reference_folder}", *more, *command]
        command = [ctx.auditview, "record", "-o", self.capture.path, *options, "--", *prefix, *command]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                              cwd=self.folder, start_new_session=True) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                state = session_state(process.pid)
                os.killpg(process.pid, signal.SIGKILL)
                stderr = process.communicate()[1]
                raise Late(f"not ended after {timeout} s: {state}; stderr: {stderr[-300:]!r}") from None
        self.status = process.returncode
        self.stdout = stdout.decode("utf-8", "replace")
        self.stderr = stderr.decode("utf-8", "replace")
        self.facts = []
        for line in self.stdout.splitlines():
            try:
                self.facts.append(json.loads(line))
            except ValueError:
                pass

    def fact(self, key):
        return next((f[key] for f in self.facts if key in f), None)

    def expect_status(self, status):
        expect(self.status == status, lambda: f"status {self.status}, expected {status}; stderr: {self.stderr[-500:]}")


def victim_path(name):
    return os.path.join(VICTIMS, name + ".py")


def expect_goodbye(text, min_events=1, lost=0, ended=False):
    """Check the goodbye line: events, lost, 'target restored: yes', or that the target ended. Returns the number of
    events."""
    match = GOODBYE.search(text)
    expect(match, lambda: f"no goodbye line in {text[-300:]!r}")
    n_events, n_lost = (int(re.sub(r"\D", "", g)) for g in match.groups()[:2])
    expect(n_events >= min_events, f"goodbye says {n_events} events, expected at least {min_events}")
    expect(n_lost == lost, f"goodbye says {n_lost} lost")
    state = "target restored: yes (it has ended)" if ended else "target restored: yes"
    expect(state in match.group(3), lambda: f"goodbye: {match.group(0)!r}, expected {state!r}")
    return n_events


def preload(ctx, c_text):
    """Compile a library that replaces functions of libc; returns an environment that loads it (LD_PRELOAD)."""
    library, compiler = os.path.join(ctx.new_folder("preload"), "library.so"), os.environ.get("CC", "cc").split()
    if not shutil.which(compiler[0]):
        raise Skip("no C compiler")
    subprocess.run([*compiler, "-shared", "-fPIC", "-xc", "-", "-o", library, "-ldl"], input=c_text, text=True, check=True, timeout=60)
    return dict(os.environ, LD_PRELOAD=library)


def find_pythons(fetch=False, more=False):
    """Return what tests/pythons.sh finds: [Python], [why something was skipped]. `fetch` lets it use apt, `more` lets
    it build."""
    options = (["--sid"] if fetch else []) + (["--nogil", "--ldso"] if more else [])
    done = subprocess.run([os.path.join(ROOT, "tests", "pythons.sh"), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=3600)
    notes = [line.replace("pythons.sh: skipped ", "") for line in done.stderr.splitlines()
             if "skipped" in line and "older than 3.8" not in line]
    pythons = []
    for line in done.stdout.splitlines():
        name, program = line.split("\t")
        try:
            pythons.append(Python(name, [program]))
        except (Skip, OSError, subprocess.TimeoutExpired) as reason:
            notes.append(f"{name}: {reason}")
    return sorted(pythons, key=lambda p: (p.version, p.name)), notes
