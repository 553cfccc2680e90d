"""hostile: an unprivileged program may falsify what is shown of it, and achieves nothing else against a recorder that
runs as root: no memory or file of others is read or written, the recorder ends when it is told to, in bounded memory,
and its report on other processes is right.
"""
import contextlib
import json
import os
import signal
import subprocess
import time

import harness
from check_doctor import doctor
from harness import Skip, expect, wait_for

HOSTILE = os.path.join(harness.VICTIMS, "hostile")
MEMORY_MAX = 400 << 20  # limit for a recorder, whatever the target does; 1.6 GB were seen once


def needs_root():
    if os.getuid() != 0:
        raise Skip("needs root, to record the program of another user")


@contextlib.contextmanager
def program(python, name, *arguments):
    """Start a hostile program and wait until it says that it is ready; returns what it said."""
    command = [*python.command, os.path.join(HOSTILE, name + ".py"), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          start_new_session=True) as process:
        try:
            line = process.stdout.readline()
            if not line:
                raise harness.Fail(f"{name}.py printed nothing: {process.stderr.read()[-500:]}")
            yield process, json.loads(line)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Record:
    """`auditview record`, and the resources that it used."""

    def __init__(self, ctx, *arguments, **popen):
        self.folder = ctx.new_folder("hostile")
        self.path = os.path.join(self.folder, "capture.avc")
        self.capture = harness.Capture(ctx, self.path)
        self.ctx = ctx
        self.stderr_path = os.path.join(self.folder, "stderr")
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen([ctx.auditview, "record", "-o", self.path, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=stderr, **popen)

    def stderr(self):
        return open(self.stderr_path, encoding="utf-8", errors="replace").read()

    def wait(self, seconds):
        """Return (exit status, peak memory in bytes, as far as it was sampled). getrusage(2) would include the process
        that forked it."""
        end, peak = time.monotonic() + seconds, 0
        while True:
            with contextlib.suppress(OSError, AttributeError):  # the process is gone
                peak = max(peak, int(harness.status_of(self.process.pid, "VmHWM").split()[0]) * 1024)
            if self.process.poll() is not None:
                return self.process.returncode, peak
            if time.monotonic() > end:
                raise harness.Fail(f"the recorder did not end within {seconds} s: {self.stderr()[-300:]}")
            time.sleep(0.01)

    def print(self, *options):
        done = subprocess.run([self.ctx.auditview, "print", *options, self.path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120)
        expect(done.returncode == 0, lambda: f"print: {done.returncode}: {done.stderr[-300:]}")
        return done.stdout.decode("utf-8", "replace")

    def named(self, name):
        """Only the events of that name: there can be a great many others."""
        return [json.loads(line) for line in self.print("-F", "json", "-Y", f'event == "{name}"').splitlines()]

    def text(self):
        """The capture as text for people, with its warnings, without events."""
        return self.print("-Y", 'event == "no.such.event"')

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()


def ring(ctx, python, mode, how="duration"):
    """A ring with false contents: the recorder ends on time, in bounded memory, with status 0, and records another
    program beside it correctly."""
    needs_root()
    with program(python, "ring", mode) as (_, said), harness.Victim(ctx, python, "busy") as beside:
        options = {"duration": ["--duration", "1s"], "limit": ["--limit", "20000"]}.get(how, [])
        with Record(ctx, "-p", said["ready"], "-p", beside.pid, *options) as record:
            if how not in ("duration", "limit"):
                wait_for(lambda: harness.foreign_maps(harness.maps_of(said["ready"])), 15, "the ring")
                time.sleep(0.8)
                record.process.send_signal(how)
            status, peak = record.wait(25)
            text = record.stderr()
            expect(status == 0, lambda: f"status {status}: {text[-400:]}")
            expect(peak < MEMORY_MAX, lambda: f"{peak >> 20} MiB of memory")
            marks = record.named("victim.mark")
            numbers = [e["args"]["0"] for e in marks]
            expect(all(e["pid"] == beside.pid for e in marks), "marks of the program beside it are shown of another")
            expect(how == "limit" or len(numbers) > 5, lambda: f"{len(numbers)} marks of the program beside it: the test is broken, or it was starved")
            expect(numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True, "marks of the program beside it have gaps")
            if mode in ("sizes", "lengths", "heads"):
                expect("malformed" in record.text(), "malformed records are not reported")
        truth = beside.stop()
        expect(truth is not None, "the program beside it was harmed")


def claim(ctx, python, whose):
    """A slot that claims to belong to another process: its events are shown for no process, least of all for the one
    recorded beside it."""
    needs_root()
    with harness.Victim(ctx, python, "busy") as beside:
        number = {"beside": beside.pid, "init": 1, "recorder's parent": os.getpid()}[whose]
        with program(python, "ring", "claim", number) as (_, said):
            with Record(ctx, "-p", said["ready"], "-p", beside.pid, "--duration", "1s") as record:
                status, _ = record.wait(20)
                expect(status == 0, lambda: f"status {status}: {record.stderr()[-300:]}")
                shown = {e["pid"] for e in record.named("hostile.ring")}
                expect(number not in shown, f"events of {said['ready']} are shown of process {number}")
                expect("under the number of process" in record.text(), "the false claim is not reported")
        beside.stop()


def find_entry(pid, runtime, neutral):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for off in range(0, 32768, 8):
            mem.seek(runtime + off)
            at = int.from_bytes(mem.read(8), "little")
            if not at or at % 8 or at >> 47:
                continue
            try:
                mem.seek(at + 16)
                mem.seek(int.from_bytes(mem.read(8), "little"))
                head = mem.read(12)
            except (OSError, ValueError, OverflowError):
                continue
            if head[:8] == b"PRBEB_V1":
                return off, at, neutral, int.from_bytes(head[8:], "little")
    return None


def hooks_place(ctx, python):
    """Return (offset of the list in _PyRuntime, address of the entry, address of a harmless function), as a killed
    recorder leaves them."""
    code = ("import ctypes,time,sys\n"
            "print(ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi,'_PyRuntime')),"
            "ctypes.cast(ctypes.pythonapi.Py_IsInitialized,ctypes.c_void_p).value,flush=True)\n"
            "t=time.time()\nwhile time.time()-t<20: sys.audit('x.y'); time.sleep(.01)")
    with subprocess.Popen(["setarch", "-R", *python.command, "-S", "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            runtime, neutral = map(int, process.stdout.readline().split())
            with Record(ctx, "-p", process.pid) as record:
                wait_for(lambda: harness.hooks_of(ctx, process.pid) or record.process.poll() is not None, 20, "the hook")
                return wait_for(lambda: find_entry(process.pid, runtime, neutral), 10, "the hook's entry")
        finally:
            process.kill()


def kin(ctx, python, how):
    """A forged leftover in a child: the parent, which the user did not name, is not touched."""
    needs_root()
    off, entry, neutral, abi = hooks_place(ctx, python)
    command = ["setarch", "-R", *python.command, os.path.join(HOSTILE, "kin.py"), how, str(off), str(entry), str(neutral), str(abi)]
    before = os.stat("/etc/passwd")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          start_new_session=True) as process:
        try:
            said = json.loads(process.stdout.readline() or "null")
            expect(said, lambda: f"kin.py printed nothing: {process.stderr.read()[-300:]}")
            time.sleep(0.3)
            maps = harness.maps_of(said["parent"])
            with Record(ctx, "-p", said["ready"], "--duration", "500ms") as record:
                status, _ = record.wait(20)
                expect(status in (0, 1), lambda: f"status {status}: {record.stderr()[-300:]}")
                if status == 0:
                    expect("left alone" in record.text(), "what looks like an earlier probe is not reported")
            expect(process.poll() is None, lambda: f"the parent has died: {process.returncode}")
            harness.expect_same_maps(maps, harness.maps_of(said["parent"]), False)
            os.kill(said["ready"], signal.SIGKILL)
            last = json.loads(process.stdout.readline() or "null")
            expect(process.wait(10) == 7 and last == {"intact": True}, lambda: f"the parent: {process.returncode}, {last}")
            after = os.stat("/etc/passwd")
            expect((before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size), "a file that is only read was written")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def swap(ctx, python, how):
    """What the target was told to map is replaced, at each of our steps between mapping it and using it."""
    needs_root()
    path = os.path.join(ctx.new_folder("swap"), "file")
    os.chmod(ctx.folder, 0o755)
    os.chmod(os.path.dirname(path), 0o755)
    with open(path, "wb") as f:
        f.write(b"root:x:0:0\n" * (2 << 20))
    before = os.stat(path)
    n_swapped = 0
    for step in range(1, 40):
        with program(python, "swap", how, path) as (process, said):
            env = dict(os.environ, AUDITVIEW_FAULT=f"own:{step}:stop")
            with Record(ctx, "-p", said["ready"], "--duration", "300ms", env=env) as record:
                def stopped():
                    return record.process.poll() is not None or harness.status_of(record.process.pid, "State").startswith("T")
                wait_for(stopped, 20, "the recorder to stop itself, or to end")
                if record.process.poll() is not None:  # there is no such step: all steps were tried
                    break
                os.kill(said["ready"], signal.SIGUSR1)
                n_swapped += json.loads(process.stdout.readline() or "{}").get("swapped", False)
                record.process.send_signal(signal.SIGCONT)
                time.sleep(0.05)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(said["ready"], signal.SIGUSR2)
                status, _ = record.wait(25)
                expect(status in (0, 1), lambda: f"step {step}: the recorder ended with {status}: {record.stderr()[-300:]}")
        after = os.stat(path)
        expect((before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size) and open(path, "rb").read(11) == b"root:x:0:0\n",
               f"step {step}: the file was written")
    expect(n_swapped > 0, "the ring was never replaced: the test is broken")


def locks(ctx, python, how, whose):
    """A process holds the lock that two recorders use against each other: it keeps no recorder from attaching or
    detaching."""
    needs_root()
    with contextlib.ExitStack() as stack:
        beside = stack.enter_context(harness.Victim(ctx, python, "busy")) if whose == "another's" else None
        _, said = stack.enter_context(program(python, "lock", how, *([beside.pid] if beside else [])))
        maps = harness.maps_of(said["ready"])
        with Record(ctx, "-p", said["ready"], "--duration", "500ms") as record:
            status, _ = record.wait(20)
            text = record.stderr()
            expect(status == 0, lambda: f"status {status}: {text[-400:]}")
            expect("restored: yes" in text, lambda: f"not restored: {text[-400:]}")
        harness.expect_same_maps(maps, harness.maps_of(said["ready"]), False)
        event = "victim.mark" if beside else "hostile.lock"
        expect(record.named(event), f"no {event} was recorded")
        if beside:
            expect(beside.stop() is not None, "the program was harmed")


def leases(ctx, python, how):
    """open(2) of a file with a lease waits for 45 s. The recorder does not wait: it reports the file and the process
    that holds the lease. doctor says the same."""
    needs_root()
    with program(python, "lock", how) as (process, said):
        status, report = doctor(ctx, said["ready"])
        expect((status, report["cause"], report["verdict"]) == (1, "leased", "busy"), lambda: f"doctor: {status}, {report}")
        expect(f"process {said['ready']} holds a lease on it" in report["why"] and "seconds" in report["cure"], lambda: f"doctor: {report}")
        with Record(ctx, "-p", said["ready"], "--duration", "500ms") as record:
            status, _ = record.wait(15)
            expect(status == 1 and report["why"] in record.stderr(), lambda: f"status {status}: {record.stderr()[-400:]}")
        expect(process.poll() is None, "the program was harmed")


def holds_lock(holder, pid):
    return any(f" {holder} " in line and f":{os.stat(f'/proc/{pid}/stat').st_ino} " in line for line in open("/proc/locks"))


def lock_of_auditview(ctx, python):
    """An auditview that is stopped while it attaches keeps another one from attaching, and is named in the message."""
    needs_root()
    for step in range(3, 12):
        with harness.Victim(ctx, python, "busy") as victim:
            env = dict(os.environ, AUDITVIEW_FAULT=f"own:{step}:stop")
            with Record(ctx, "-p", victim.pid, "--duration", "100ms", env=env) as first:
                def stopped(process=first.process):
                    return process.poll() is not None or harness.status_of(process.pid, "State").startswith("T")
                wait_for(stopped, 20, "the recorder to stop itself, or to end")
                is_locked = first.process.poll() is None and holds_lock(first.process.pid, victim.pid)
                if is_locked:
                    with Record(ctx, "-p", victim.pid, "--duration", "100ms") as second:
                        status, _ = second.wait(20)
                        expect(status == 1 and f"another auditview (process {first.process.pid})" in second.stderr(),
                               lambda: f"status {status}: {second.stderr()[-400:]}")
                with contextlib.suppress(ProcessLookupError):
                    first.process.send_signal(signal.SIGCONT)
                first.wait(20)
            expect(victim.stop() is not None, "the program was harmed")
        if is_locked:
            return
    raise harness.Fail("no step of attaching holds the lock: the test is broken")


def cells(ctx):
    few = ["geometry", "heads", "sizes", "lengths", "codes", "threads"]
    more = ["nested", "names", "times", "state", "flood"]
    for python in ctx.some_pythons() if ctx.full else [p for p in ctx.pythons if p.minor >= 11 and not p.free_threaded][:1]:
        for mode in few + (more if ctx.full else []):
            yield "ring, " + mode, python, lambda p=python, m=mode: ring(ctx, p, m)
        for name, how in (("INT", signal.SIGINT), ("TERM", signal.SIGTERM), ("--limit", "limit"))[:3 if ctx.full else 1]:
            yield "ring, flood, ended by " + name, python, lambda p=python, h=how: ring(ctx, p, "flood", h)
        for whose in ("beside", "init", "recorder's parent")[:3 if ctx.full else 2]:
            yield "claims to be " + whose, python, lambda p=python, w=whose: claim(ctx, p, w)
        for how in ("file", "memfd", "before", "short")[:4 if ctx.full else 2]:
            yield "swapped, " + how, python, lambda p=python, h=how: swap(ctx, p, h)
        for how in ("private", "shared", "file"):
            yield "kin, " + how, python, lambda p=python, h=how: kin(ctx, p, h)
        for how in ("exclusive", "passed", "shared")[:3 if ctx.full else 2]:
            for whose in ("own", "another's"):
                yield f"locks {whose} files of /proc, {how}", python, lambda p=python, h=how, w=whose: locks(ctx, p, h, w)
        for how in ("lease", "lease-maps", "lease-mem"):
            yield f"leases on its files of /proc, {how}", python, lambda p=python, h=how: leases(ctx, p, h)
        yield "locked by a real auditview", python, lambda p=python: lock_of_auditview(ctx, p)
