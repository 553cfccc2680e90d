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
from check_pipes import Screen, quote
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
            status, peak = record.wait(harness.GUARD)
            text = record.stderr()
            expect(status == 0, lambda: f"status {status}: {text[-400:]}")
            expect(peak < MEMORY_MAX, lambda: f"{peak >> 20} MiB of memory")
            marks = record.named("victim.mark")
            numbers = [e["args"]["0"] for e in marks]
            expect(all(e["pid"] == beside.pid for e in marks), "marks of the program beside it are shown of another")
            expect(how == "limit" or numbers, lambda: f"{len(numbers)} marks of the program beside it: the test is broken, or it was starved")
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
                status, _ = record.wait(harness.GUARD)
                expect(status == 0, lambda: f"status {status}: {record.stderr()[-300:]}")
                shown = {e["pid"] for e in record.named("hostile.ring")}
                expect(number not in shown, f"events of {said['ready']} are shown of process {number}")
                expect("under the number of process" in record.text(), "the false claim is not reported")
        beside.stop()


def mappings(ctx, python, mode):
    """A program that changes the mappings or the head of the ring: "restored: yes" is said only if nothing is left, and
    "0 lost" only if the ring still is what the recorder made."""
    with program(python, "mappings", mode) as (process, said):
        before = harness.foreign_maps(harness.maps_of(said["ready"]))
        with Record(ctx, "-p", said["ready"]) as record:
            changed = {}
            for _ in range(2 if mode == "child" else 1): # of two processes, in any order
                changed.update(json.loads(process.stdout.readline() or "{}"))
            child = changed.get("child")
            expect(changed.get("result") == 0, lambda: f"it could not change the mappings: {changed} {process.poll()}")
            # It may have done so before it was attached to as a whole; told to leave in that moment, the recorder has nothing to say.
            wait_for(lambda: harness.hooks_of(ctx, said["ready"]) or record.process.poll() is not None, harness.GUARD, "the hook")
            time.sleep(0.2)
            record.process.send_signal(signal.SIGINT)
            status, _ = record.wait(harness.GUARD)
            text = record.stderr()
        left = [m for pid in (said["ready"], child) if pid for m in harness.foreign_maps(harness.maps_of(pid)) if m not in before]
        expect(process.poll() is None, lambda: f"the target has ended: {process.returncode}")
        expect(("target restored: yes" in text) == (not left), lambda: f"left: {left}; {text[-300:]}")
        expect((status == 0) == (not left), lambda: f"status {status}, left: {left}")
        if mode in ("remove", "state"):
            expect("lost: unknown" in text, lambda: f"what was not recorded is not said: {text[-300:]}")
            expect("was written over" in record.text(), "the capture has no warning")
        else:
            expect(" 0 lost" in text, lambda: text[-300:])


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
            "while True: sys.audit('x.y'); time.sleep(.01)")
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
                status, _ = record.wait(harness.GUARD)
                expect(status in (0, 1), lambda: f"status {status}: {record.stderr()[-300:]}")
                if status == 0:
                    expect("left alone" in record.text(), "what looks like an earlier probe is not reported")
            expect(process.poll() is None, lambda: f"the parent has died: {process.returncode}")
            harness.expect_same_maps(maps, harness.maps_of(said["parent"]), False)
            os.kill(said["ready"], signal.SIGKILL)
            last = json.loads(process.stdout.readline() or "null")
            expect(process.wait(harness.GUARD) == 7 and last == {"intact": True}, lambda: f"the parent: {process.returncode}, {last}")
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
                status, _ = record.wait(harness.GUARD)
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
            status, _ = record.wait(harness.GUARD)
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
            status, _ = record.wait(harness.GUARD)
            expect(status == 1 and report["why"] in record.stderr(), lambda: f"status {status}: {record.stderr()[-400:]}")
        expect(process.poll() is None, "the program was harmed")


@contextlib.contextmanager
def unread(ctx, python, how):
    """A program of nobody whose pages do not come (pages.py), what it said, and the file that it waits for. Its death ends each read."""
    needs_root()
    go = os.path.join(ctx.new_folder("pages"), "go")
    for folder in (ctx.folder, os.path.dirname(go)):
        os.chmod(folder, 0o755)
    with program(python, "pages", how, go) as (process, said):
        if "skip" in said:
            raise Skip(said["skip"])
        yield process, said, go


def is_harmed(process):
    """Dead, stopped, or traced: nothing of it is read but what needs no page of it."""
    return process.poll() is not None or harness.status_of(process.pid, "State")[0] in "tT" or harness.status_of(process.pid, "TracerPid") != "0"


def no_reader_is_left(record):
    """The recorder's process that reads for it has ended with it, but for one that waits inside a read of FUSE until that ends."""
    def readers():
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace").read() == "auditview-read\n" and pid in record.readers:
                    found.append(pid)
        return found
    wait_for(lambda: not readers(), 10, "the recorder's readers to end")


def note_readers(record):
    record.readers = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if harness.status_of(int(pid), "PPid") == str(record.process.pid):
                record.readers.add(pid)


def unread_context(ctx, python):
    """A page of an armed process does not come any more: it is left, and that says the truth. The process beside it loses nothing."""
    with unread(ctx, python, "context") as (process, said, go), harness.Victim(ctx, python, "busy") as beside:
        with Record(ctx, "-p", said["ready"], "-p", beside.pid) as record:
            wait_for(lambda: context_is_there(said["ready"]) or record.process.poll() is not None, 30, "the probe")
            time.sleep(0.7)
            open(go, "w", encoding="ascii").close()
            expect(json.loads(process.stdout.readline() or "{}").get("done"), "the program did not take its page away: the test is broken")
            time.sleep(3.5)
            note_readers(record)
            record.process.send_signal(signal.SIGINT)
            status, _ = record.wait(harness.GUARD)
            text = record.stderr()
            expect(status == 1, lambda: f"status {status}: {text[-500:]}")
            expect("does not answer" in text and "restored: unknown" in text and "lost: unknown" in text,
                   lambda: f"not what happened: {text[-500:]}")
            expect("is gone" not in text and "has ended" not in text, lambda: f"it says that the process has ended: {text[-500:]}")
            expect(not is_harmed(process), "the program was harmed")
            numbers = [e["args"]["0"] for e in record.named("victim.mark")]
            expect(len(numbers) > 5 and numbers == list(range(numbers[0], numbers[0] + len(numbers))), "marks of the program beside it have gaps")
            no_reader_is_left(record)
        expect(beside.stop() is not None, "the program beside it was harmed")


def context_is_there(pid):
    return harness.foreign_maps(harness.maps_of(pid))


def unread_file(ctx, python):
    """A page that every examination reads does not come: doctor and record refuse, in time, and say why; the list of processes comes."""
    with unread(ctx, python, "file") as (process, said, _):
        status, report = doctor(ctx, said["ready"])
        expect((status, report["cause"], report["verdict"]) == (1, "no-answer", "busy"), lambda: f"doctor: {status}, {report}")
        expect("does not answer" in report["why"] and "FUSE" in report["cure"], lambda: f"doctor: {report}")
        with Record(ctx, "-p", said["ready"], "--duration", "500ms") as record:
            status, _ = record.wait(harness.GUARD)
            expect(status == 1 and report["why"] in record.stderr(), lambda: f"status {status}: {record.stderr()[-400:]}")
        expect(not is_harmed(process), "the program was harmed")


def unread_words(ctx, python):
    """Its command line and environment do not come: doctor and the recorder end in time, and say the truth."""
    with unread(ctx, python, "words") as (process, said, _):
        status, report = doctor(ctx, said["ready"])  # the pages never come: it could only wait for ever
        expect((status, report["cause"]) in ((0, "fine"), (1, "no-answer")), lambda: f"doctor: {status}, {report}")
        with Record(ctx, "-p", said["ready"], "--duration", "1s") as record:
            status, _ = record.wait(harness.GUARD)
            text = record.stderr()
            expect((status == 0 and "restored: yes" in text) or (status == 1 and "does not answer" in text), lambda: f"status {status}: {text[-400:]}")
            expect("is gone" not in text and "has ended" not in text, lambda: f"it says that the process has ended: {text[-400:]}")
        expect(not is_harmed(process), "the program was harmed")


def unread_tree(ctx, python):
    """A page of a followed child does not come any more: the recorder ends in time, says so, and has all of the parent."""
    with unread(ctx, python, "tree") as (process, said, go):
        with Record(ctx, "-f", "-p", said["ready"]) as record:
            child = wait_for(lambda: children_of(said["ready"]), 10, "the child")[0]
            wait_for(lambda: context_is_there(said["ready"]) and context_is_there(child) or record.process.poll() is not None, 30, "the probes")
            time.sleep(0.7)
            open(go, "w", encoding="ascii").close()
            expect(json.loads(process.stdout.readline() or "{}").get("done"), "the child did not take its page away: the test is broken")
            time.sleep(3.5)
            record.process.send_signal(signal.SIGINT)
            status, _ = record.wait(harness.GUARD)
            text = record.stderr()
            expect(status == 1 and "restored: unknown" in text and "lost: unknown" in text, lambda: f"status {status}: {text[-500:]}")
            numbers = [e["args"]["0"] for e in record.named("hostile.parent")]
            expect(len(numbers) > 100 and numbers == list(range(numbers[0], numbers[0] + len(numbers))), lambda: f"{len(numbers)} marks of the parent, with gaps")
            expect(record.named("hostile.child"), "nothing of the child was recorded")
        expect(not is_harmed(process), "the parent was harmed")
        expect(not harness.foreign_maps(harness.maps_of(said["ready"])), "the probe was left in the parent")
        expect(harness.status_of(child, "State")[0] not in "tT" and harness.status_of(child, "TracerPid") == "0", "the child was harmed")


def children_of(pid):
    return [int(c) for c in open(f"/proc/{pid}/task/{pid}/children", encoding="ascii").read().split()]


def unread_exec(ctx, python):
    """An exec of it never ends, and so does no read of what the kernel guards against that: doctor and record end in time."""
    for _ in range(3):
        with unread(ctx, python, "exec") as (process, said, _), harness.Victim(ctx, python, "busy") as beside:
            try:
                check_exec(ctx, process, said["ready"], beside)
            except (harness.Fail, subprocess.TimeoutExpired):
                if is_running(said["server"]):
                    raise
            if is_running(said["server"]):
                return
    raise Skip("this machine is too slow: each time the exec was over before it was examined")


def unread_kin(ctx, python):
    """A child that was forked while its parent was recorded cannot be examined, because an exec of it does not end: the
    recorder does not say that all is restored."""
    for _ in range(3):
        with unread(ctx, python, "kin") as (process, said, go):
            with Record(ctx, "-p", said["ready"]) as record:
                wait_for(lambda: context_is_there(said["ready"]) or record.process.poll() is not None, 30, "the probe")
                open(go, "w", encoding="ascii").close()
                server = json.loads(process.stdout.readline())["server"]
                child = [p for p in children_of(said["ready"]) if p != server]
                record.process.send_signal(signal.SIGINT)
                status, _ = record.wait(harness.GUARD)
                is_in_time = is_running(server)
                text = record.stderr()
                expect(not is_harmed(process), "the parent was harmed")
            if is_in_time:
                expect(status == 1 and f"restored: unknown (process {child[0]}" in text, lambda: f"status {status}: {text[-500:]}")
                return
    raise Skip("this machine is too slow: each time the exec was over before it was examined")


def unread_exit(ctx, python, *options):
    """The target ends, and the kernel never comes to the end of that, because it waits for a close(2) of a file on FUSE. Its memory
    is gone: the recorder ends when it is told to, and says that nothing is left in it."""
    with unread(ctx, python, "exit") as (process, said, go), harness.Victim(ctx, python, "busy") as beside:
        pid = said["ready"]
        with Record(ctx, *options, "-p", pid, "-p", beside.pid) as record:
            wait_for(lambda: context_is_there(pid) and context_is_there(beside.pid) or record.process.poll() is not None, 30, "the probes")
            time.sleep(0.7)
            open(go, "w", encoding="ascii").close()
            server = json.loads(process.stdout.readline())["server"]
            status, report = doctor(ctx, pid)
            expect((status, report["cause"]) == (1, "no-process") and "ending" in report["why"], lambda: f"doctor: {status}, {report}")
            listed = subprocess.run([ctx.auditview, "doctor", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=harness.GUARD)
            pids = [p["pid"] for p in json.loads(listed.stdout)["processes"]]
            expect(beside.pid in pids and pid not in pids, lambda: f"{pid} and {beside.pid}: in the list are {pids}")
            note_readers(record)
            record.process.send_signal(signal.SIGINT)
            status, _ = record.wait(harness.GUARD)
            text = record.stderr()
            expect(is_running(server), "the recorder ended only when the close was over, or the test is too slow")
            expect(status == 0 and " 0 lost" in text and "restored: yes" in text, lambda: f"status {status}: {text[-500:]}")
            numbers = [e["args"]["0"] for e in record.named("hostile.pages")]
            expect(numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers))), lambda: f"{len(numbers)} marks, with gaps")
            no_reader_is_left(record)
        expect(beside.stop() is not None, "the program beside it was harmed")


def unread_close(ctx, python, *options):
    """A thread of the target never returns from a close(2) of a file on FUSE, and so it cannot be stopped: the target is recorded and
    left all the same."""
    with unread(ctx, python, "close") as (process, said, _):
        with Record(ctx, *options, "-p", said["ready"], "--limit", "20") as record:
            status, _ = record.wait(harness.GUARD)
            text = record.stderr()
            expect(is_running(said["server"]), "the recorder ended only when the close was over, or the test is too slow")
            expect(status == 0 and " 0 lost" in text and "restored: yes" in text, lambda: f"status {status}: {text[-500:]}")
            expect(record.named("hostile.pages"), "nothing of the program was recorded")
        expect(not is_harmed(process), "the program was harmed")
        expect(not harness.foreign_maps(harness.maps_of(said["ready"])), "the probe was left in it")


def unread_source(ctx, python):
    """A source file of the target does not come: the screen shows the stack without it, and says why, in a small pane, too."""
    with unread(ctx, python, "source") as (process, said, _):
        pid, folder = said["ready"], ctx.new_folder("source")
        # The excerpt is that of the caller: the frame in the file that does not come.
        command = quote(ctx.auditview, "--no-config", "--mine", said["folder"], "-e", "hostile.source", "-o",
                        os.path.join(folder, "capture.avc"), "-p", pid)
        with Screen(ctx, f"{command}; echo it ended with $?; sleep 100") as screen:
            for columns, lines in ((200, 60), (80, 24)):
                screen.tmux("resize-window", "-x", str(columns), "-y", str(lines))
                wait_for(lambda c=columns: c - 4 < max(map(len, screen.tmux("capture-pane", "-p").splitlines())) <= c, 20,
                         lambda c=columns, n=lines: f"the size of {c} × {n}: " + screen.tmux("capture-pane", "-p"))
                wait_for(lambda: "its file system does not answer" in screen.tmux("capture-pane", "-p"), 20,
                         lambda c=columns, n=lines: f"the reason at {c} × {n}: " + screen.tmux("capture-pane", "-p"))
            screen.tmux("send-keys", "Q")
            wait_for(lambda: "it ended with 0" in screen.tmux("capture-pane", "-p"), 20,
                     lambda: "the screen to end: " + screen.tmux("capture-pane", "-p"))
        expect(not is_harmed(process), "the program was harmed")
        expect(not harness.foreign_maps(harness.maps_of(pid)), "the probe was left in it")


def is_running(pid):
    with contextlib.suppress(OSError):
        return harness.status_of(pid, "State")[0] not in "ZX"
    return False


def check_exec(ctx, process, pid, beside):
    status, report = doctor(ctx, pid)
    expect((status, report["cause"], report["verdict"]) == (1, "no-answer", "busy"), lambda: f"doctor: {status}, {report}")
    listed = subprocess.run([ctx.auditview, "doctor", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=harness.GUARD)
    pids = [p["pid"] for p in json.loads(listed.stdout)["processes"]]
    expect(beside.pid in pids and pid not in pids, lambda: f"{pid} and {beside.pid}: in the list are {pids}")
    with Record(ctx, "-p", beside.pid, "--duration", "500ms") as record:
        status, _ = record.wait(harness.GUARD)
        expect(status == 0 and "restored: yes" in record.stderr(), lambda: f"beside it, status {status}: {record.stderr()[-400:]}")
    with Record(ctx, "-p", pid, "--duration", "500ms") as record:
        status, _ = record.wait(harness.GUARD)
        expect(status == 1 and report["why"] in record.stderr(), lambda: f"status {status}: {record.stderr()[-400:]}")
    expect(not is_harmed(process), "the program was harmed")
    expect(beside.stop() is not None, "the program beside it was harmed")


def unread_image(ctx, python):
    """The rest of a library that is no Python does not come: the program is recorded all the same, and restored."""
    with unread(ctx, python, "image") as (process, said, _), harness.Victim(ctx, python, "busy") as beside:
        with Record(ctx, "-p", said["ready"], "-p", beside.pid, "--stack", "both", "--duration", "2s") as record:
            status, _ = record.wait(harness.GUARD)
            text = record.stderr()
            expect(status == 0 and "restored: yes" in text, lambda: f"status {status}: {text[-400:]}")
            expect(record.named("victim.mark"), "nothing of the program beside it was recorded")
        expect(not is_harmed(process), "the program was harmed")
        expect(not harness.foreign_maps(harness.maps_of(said["ready"])), "the probe was left in it")
        expect(beside.stop() is not None, "the program beside it was harmed")


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
                        status, _ = second.wait(harness.GUARD)
                        expect(status == 1 and f"another auditview (process {first.process.pid})" in second.stderr(),
                               lambda: f"status {status}: {second.stderr()[-400:]}")
                with contextlib.suppress(ProcessLookupError):
                    first.process.send_signal(signal.SIGCONT)
                first.wait(harness.GUARD)
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
        for mode in ("remove", "split", "child", "state", "cut", "move")[:6 if ctx.full else 3]:
            yield "mappings, " + mode, python, lambda p=python, m=mode: mappings(ctx, p, m)
        for how in ("file", "memfd", "before", "short")[:4 if ctx.full else 2]:
            yield "swapped, " + how, python, lambda p=python, h=how: swap(ctx, p, h)
        for how in ("private", "shared", "file"):
            yield "kin, " + how, python, lambda p=python, h=how: kin(ctx, p, h)
        for how in ("exclusive", "passed", "shared")[:3 if ctx.full else 2]:
            for whose in ("own", "another's"):
                yield f"locks {whose} files of /proc, {how}", python, lambda p=python, h=how, w=whose: locks(ctx, p, h, w)
        for how in ("lease", "lease-maps", "lease-mem"):
            yield f"leases on its files of /proc, {how}", python, lambda p=python, h=how: leases(ctx, p, h)
        yield "pages that never come, context", python, lambda p=python: unread_context(ctx, p)
        yield "pages that never come, file", python, lambda p=python: unread_file(ctx, p)
        yield "pages that never come, words", python, lambda p=python: unread_words(ctx, p)
        yield "pages that never come, tree", python, lambda p=python: unread_tree(ctx, p)
        if ctx.full:  # whatever reads all of /proc, as ps does, waits as long as this cell
            yield "pages that never come, exec", python, lambda p=python: unread_exec(ctx, p)
            yield "pages that never come, kin", python, lambda p=python: unread_kin(ctx, p)
        yield "pages that never come, exit", python, lambda p=python: unread_exit(ctx, p)
        yield "pages that never come, close, following", python, lambda p=python: unread_close(ctx, p, "-f")
        if ctx.full:
            yield "pages that never come, exit, following", python, lambda p=python: unread_exit(ctx, p, "-f")
            yield "pages that never come, close", python, lambda p=python: unread_close(ctx, p)
        yield "pages that never come, source", python, lambda p=python: unread_source(ctx, p)
        yield "pages that never come, image", python, lambda p=python: unread_image(ctx, p)
        yield "locked by a real auditview", python, lambda p=python: lock_of_auditview(ctx, p)
