"""moments: what can happen to a target while the recorder holds it. The recorder is stopped at a chosen step
(AUDITVIEW_FAULT=SITE:N:stop, src/system/fault.h), then the target is stopped, or it becomes another program; the
recorder continues, and the result must be as without it.

"write" counts the recorder's writes to the target: the first ones happen while one of its threads makes calls for
us.
"""
import json
import os
import pty
import random
import signal
import subprocess
import sys
import threading
import time

import harness
from check_embed import libraries
from harness import Capture, Fail, Recorder, Skip, Victim, expect, foreign_maps, maps_of, status_of, wait_for

EXECVE = str(harness.calls.NR["execve"])
KILL_LOADS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "kill_loads.py")


def state_of(pid):
    """The state letter of /proc/PID/stat; "Z" also if the process is gone."""
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def stays_stopped(pid):
    """Watched only for a while: a process that runs on would end in that time."""
    for _ in range(30):
        if state_of(pid) not in "tT":
            return False
        time.sleep(0.002)
    return True


def launched_by(pid):
    """Return the child of the recorder that is not an auditview."""
    children = open(f"/proc/{pid}/task/{pid}/children").read().split()
    return next((int(c) for c in children if not (status_of(int(c), "Name") or "auditview").startswith("auditview")), None)


class Held:
    """`auditview record -f -- PROGRAM`, stopped at a step of its work; `pid` is then the program. None if there was no
    such step."""

    def __init__(self, ctx, step, *program, options=()):
        self.path = os.path.join(ctx.new_folder("held"), "capture.avc")
        self.capture = Capture(ctx, self.path)
        self.process = subprocess.Popen([ctx.auditview, "record", "-f", "-o", self.path, *options, "--", *program], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, AUDITVIEW_FAULT=f"{step}:stop"))
        wait_for(lambda: state_of(self.process.pid) in "TZ", 60, "the step")
        self.pid = launched_by(self.process.pid) if state_of(self.process.pid) == "T" else None
        if not self.pid:  # there was no program yet, or no such step
            self.go_on()

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.pid and error[0]:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.go_on()
        harness.kill(self.process)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


def stopped_meanwhile(ctx, python, steps):
    """The target gets SIGSTOP: it stays stopped until SIGCONT."""
    n_stopped = 0
    for step in steps:
        with Held(ctx, step, *python.command, "-S", "-c", "print('fine')") as held:
            if held.pid:
                os.kill(held.pid, signal.SIGSTOP)
                wait_for(lambda: state_of(held.pid) in "tTZ", 20, "it to stop")
                was_there = state_of(held.pid) != "Z"
                held.go_on()
                if was_there:
                    wait_for(lambda: stays_stopped(held.pid) or state_of(held.pid) == "Z", 20, f"it to stay stopped ({step})")
                    expect(state_of(held.pid) != "Z", f"{step}: stopped by SIGSTOP, it ran on to its end")
                    n_stopped += 1
                    os.kill(held.pid, signal.SIGCONT)
            out, err = held.process.communicate(timeout=harness.GUARD)
            expect(held.process.returncode == 0 and out == b"fine\n", lambda: f"{step}: {held.process.returncode}, {out!r}, {err[-300:]!r}")
    expect(n_stopped, "not once was there a target to stop: the test is broken")


def recorder_does_not_run(ctx, python):
    """The recorder gets no processor for longer than any of its deadlines, while it holds a thread: what it has begun is
    done afterwards, and it does not say that the target is to blame."""
    for step in ("write:2", "leave-ptrace:2"):
        with Victim(ctx, python, "busy") as v:
            with Recorder(ctx, v.pid, env=dict(os.environ, AUDITVIEW_FAULT=step + ":stop")) as recorder:
                if step.startswith("leave"):
                    recorder.wait_linked()
                    recorder.process.send_signal(signal.SIGINT)
                wait_for(lambda: state_of(recorder.process.pid) in "TZ", 60, "the step")
                expect(state_of(recorder.process.pid) == "T", lambda: f"{step}: {recorder.stderr()}")
                time.sleep(3.5)  # leaving has 3 s, a call 2 s
                recorder.process.send_signal(signal.SIGCONT)
                if not step.startswith("leave"):
                    recorder.wait_linked()
                    recorder.process.send_signal(signal.SIGINT)
                harness.expect_goodbye(recorder.wait())
            expect(not foreign_maps(v.maps()), lambda: f"{step}: left behind: {foreign_maps(v.maps())}")


def interrupted_meanwhile(ctx, python):
    """The target ends while the recorder attaches, and the user interrupts the recorder: it still says why it failed."""
    with Victim(ctx, python, "busy") as v:
        with Recorder(ctx, v.pid, env=dict(os.environ, AUDITVIEW_FAULT="ptrace:1:stop")) as recorder:
            wait_for(lambda: state_of(recorder.process.pid) in "TZ", 60, "the step")
            v.process.kill()
            wait_for(lambda: state_of(v.pid) == "Z", 20, "the target to end")
            recorder.process.send_signal(signal.SIGINT)
            recorder.process.send_signal(signal.SIGCONT)
            status, text = recorder.process.wait(harness.GUARD), recorder.stderr()
            expect(status == 1 and "auditview: " in text, lambda: f"the recorder ended with {status}, and said {text!r}")


WAITS = r"""
import ctypes, os, select, sys
wait = ctypes.CDLL(None, use_errno=True).epoll_wait
epoll, event = select.epoll(), ctypes.create_string_buffer(16)
epoll.register(0, select.EPOLLIN)
print("ready", flush=True)
os.read(0, 1)
n = wait(epoll.fileno(), event, 1, 60000)
print(n, ctypes.get_errno(), flush=True)
sys.audit("moments.waited")
"""


def waits_meanwhile(ctx, python):
    """When the probe is mapped and not linked yet, the only thread begins to wait in a call that a stop would end early:
    the probe is linked without a stop."""
    def call_of(pid):
        return open(f"/proc/{pid}/syscall").read().split()[0]
    target = subprocess.Popen([*python.command, "-S", "-c", WAITS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        expect(target.stdout.readline() == b"ready\n", "it did not start")
        wait_for(lambda: state_of(target.pid) == "S", 20, "it to read")
        reads = call_of(target.pid)
        for n in range(1, 30):
            with Recorder(ctx, target.pid, env=dict(os.environ, AUDITVIEW_FAULT=f"write:{n}:stop")) as recorder:
                wait_for(lambda: state_of(recorder.process.pid) in "TZ", 60, f"write {n}")
                is_mapped = bool(foreign_maps(maps_of(target.pid)))
                if not is_mapped:
                    recorder.process.send_signal(signal.SIGINT)
                    recorder.process.send_signal(signal.SIGCONT)
                    recorder.wait()
                    continue
                target.stdin.write(b"!")
                target.stdin.flush()
                wait_for(lambda: state_of(target.pid) == "S" and call_of(target.pid) != reads, 20, "it to wait")
                recorder.process.send_signal(signal.SIGCONT)
                wait_for(lambda: recorder.process.poll() is not None or harness.hooks_of(ctx, target.pid), 30, "the hook")
                target.stdin.close()  # this ends its wait
                said, status = target.stdout.read(), recorder.process.wait(harness.GUARD)
                expect(status == 0 and said == b"1 0\n", lambda: f"write {n}: status {status}, it printed {said!r}: {recorder.stderr()[-500:]}")
                expect(len(recorder.capture.named("moments.waited")) == 1, "its event is missing")
                return
        raise Fail("it was never mapped before it was linked: the test is broken")
    finally:
        target.stdin.close()
        target.kill()
        target.wait()
        target.stdout.close()


WAITS_OFTEN = r"""
import ctypes, os, select, sys
wait = ctypes.CDLL(None).epoll_wait
epoll, event, n = select.epoll(), ctypes.create_string_buffer(16), 0
epoll.register(0, select.EPOLLIN)
print("ready", flush=True)
os.read(0, 1)
while wait(epoll.fileno(), event, 1, 150) == 0:
    n += 1
    sys.audit("moments.waited")
os.read(0, 1)
print("left", flush=True)
os.read(0, 1)
"""


def waits_while_left(ctx, python, steps):
    """While it is left, the only thread begins to wait in calls that a stop would end early, with an event between each two of
    them: the event's thread unmaps the probe, and nothing is left."""
    n_waited = 0
    for step in steps:
        target = subprocess.Popen([*python.command, "-S", "-c", WAITS_OFTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            expect(target.stdout.readline() == b"ready\n", "it did not start")
            wait_for(lambda: state_of(target.pid) == "S", 20, "it to read")
            with Recorder(ctx, target.pid, env=dict(os.environ, AUDITVIEW_FAULT=f"leave-write:{step}:stop")) as recorder:
                wait_for(lambda: harness.hooks_of(ctx, target.pid) or recorder.process.poll() is not None, 30, "the hook")
                recorder.process.send_signal(signal.SIGINT)
                wait_for(lambda: state_of(recorder.process.pid) in "TZ", 60, f"write {step}")
                n_waited += state_of(recorder.process.pid) == "T"
                target.stdin.write(b"!")
                target.stdin.flush()
                recorder.process.send_signal(signal.SIGCONT)
                status = recorder.process.wait(60)
                expect(status == 0, lambda: f"write {step}: status {status}: {recorder.stderr()[-500:]}")
                expect(not foreign_maps(maps_of(target.pid)), lambda: f"write {step}: left behind: {foreign_maps(maps_of(target.pid))}")
            target.stdin.write(b"!!")
            target.stdin.close()
            expect(target.stdout.readline() == b"left\n" and target.wait(30) == 0, f"write {step}: it ended with {target.returncode}")
        finally:
            target.stdin.close()
            target.kill()
            target.wait()
            target.stdout.close()
    expect(n_waited, "the recorder never was stopped while it left: the test is broken")


def loads_program(ctx):
    """Build victims/loads.c, once."""
    with ctx.lock:
        if "loads_program" not in ctx.__dict__:
            path = os.path.join(ctx.folder, "loads")
            done = subprocess.run([*os.environ.get("CC", "cc").split(), "-O1", "-o", path, os.path.join(harness.VICTIMS, "loads.c"), "-ldl", "-lpthread"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                raise Skip(f"it cannot be built: {done.stdout[-200:]}")
            ctx.loads_program = path
        return ctx.loads_program


def program_of(pid):
    """Return where /proc/PID/exe leads, or None."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None


def exec_meanwhile(held):
    """Tell the second thread of loads to call exec, while the recorder is stopped. Returns whether it did: either the
    program is another one, or exec(2) waits for a thread that only the recorder can release."""
    loads = program_of(held.pid)
    held.process.stdin.write(b"!")
    held.process.stdin.flush()

    def has_called():
        try:
            tids = os.listdir(f"/proc/{held.pid}/task")
            calls = [open(f"/proc/{held.pid}/task/{tid}/syscall").read().split()[0] for tid in tids if int(tid) != held.pid]
        except (FileNotFoundError, ProcessLookupError):
            return False  # its threads change: it is in exec, or it ends
        return program_of(held.pid) != loads or EXECVE in calls

    def cannot():
        """The second thread is a stopped tracee, or the first one is before it made the second. The first one may run while the
        recorder holds only the second."""
        tids = [int(tid) for tid in os.listdir(f"/proc/{held.pid}/task")]
        others = [tid for tid in tids if tid != held.pid]
        holders = others or [held.pid]
        return all(state_of(f"{held.pid}/task/{tid}") in "tTXZ" for tid in holders) and program_of(held.pid) == loads

    def seen():
        threads = {tid: state_of(f"{held.pid}/task/{tid}") for tid in os.listdir(f"/proc/{held.pid}/task")}
        return f"the exec: process {held.pid} with threads {threads}"

    wait_for(lambda: has_called() or state_of(held.pid) == "Z" or cannot(), 60, seen)
    return has_called()


def execs_meanwhile(ctx, python, module, steps, more):
    """Another thread of the target calls exec: the new program is recorded from its first event. `more` are the steps to
    take if none of `steps` came at a moment when that thread could run."""
    n_execed = 0
    command = [*python.command, "-S", "-c", "import sys; sys.audit('moments.after'); print('fine')"]
    for i, step in enumerate([*steps, *more]):
        if i >= len(steps) and n_execed:
            break
        with Held(ctx, step, loads_program(ctx), module, *command) as held:
            if held.pid:
                n_execed += exec_meanwhile(held)
                held.go_on()
            out, err = held.process.communicate(b"" if held.pid else b"!", timeout=harness.GUARD)
            # What one thread prints and when the other one calls exec is a race of the program itself.
            expect(held.process.returncode == 0 and out in (b"go\nfine\n", b"gofine\n", b"fine\n"), lambda: f"{step}: {held.process.returncode}, {out!r}, {err[-500:]!r}")
            expect(len(held.capture.named("moments.after")) == 1, lambda: f"{step}: the event of the new program is missing: {err[-500:]!r}")
    expect(n_execed, "not once had it called exec: the test is broken")


class Viewer:
    """auditview on a terminal of its own; keys can be pressed there."""

    def __init__(self, ctx, *command):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", LINES="40", COLUMNS="120")
            os.execv(ctx.auditview, [ctx.auditview, *command])
        # without a reader, it would wait for the terminal
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        try:
            while os.read(self.terminal, 65536):
                pass
        except OSError:
            pass

    def press(self, key, condition, what):
        """Press a key until it has its effect: auditview may not listen yet."""
        def has_effect():
            os.write(self.terminal, key)
            until = time.monotonic() + 0.5
            while time.monotonic() < until:
                if condition():
                    return True
                time.sleep(0.02)
            return False
        wait_for(has_effect, 30, what)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        os.kill(self.pid, signal.SIGTERM)
        self.reader.join(20)
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


def left_and_gone_back(ctx, python):
    """A viewer leaves a followed shell for a while; the Python that the shell starts after the viewer has returned is
    recorded."""
    folder = ctx.new_folder("again")
    path = lambda name: os.path.join(folder, name)
    audit = "import sys; sys.audit('moments.again')"
    command = f'echo $$ >{path("pid")}; until [ -e {path("go")} ]; do sleep 0.05; done; {" ".join(python.command)} -S -c "{audit}"; ' \
              f'until [ -e {path("end")} ]; do sleep 0.05; done'
    capture = Capture(ctx, path("capture.avc"))
    def is_traced(pid):
        return status_of(pid, "TracerPid") not in (None, "0")
    def is_seen():
        capture.cached = None
        return len(capture.named("moments.again")) == 1
    with Viewer(ctx, "-f", "-o", capture.path, "--", "sh", "-c", command) as viewer:
        try:
            wait_for(lambda: os.path.exists(path("pid")) and open(path("pid")).read().strip(), 30, "the shell")
            shell = int(open(path("pid")).read())
            wait_for(lambda: is_traced(shell), 30, "the shell to be followed")
            viewer.press(b"D", lambda: not is_traced(shell), "the shell to be left")
            viewer.press(b"R", lambda: is_traced(shell), "the shell to be followed again")
            open(path("go"), "w").close()
            wait_for(is_seen, 30, "the event of the Python that it started")
        finally:
            open(path("end"), "w").close()
            open(path("go"), "w").close()


def killed_while_loading(ctx, times):
    """The recorder waits for a Python in a program without Python that loads modules without end; then the recorder is
    killed."""
    done = subprocess.run([sys.executable, KILL_LOADS, ctx.auditview, ctx.new_folder("kills"), loads_program(ctx), "libm.so.6", str(times), "1"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD + 5 * times)
    expect(done.returncode == 0, lambda: f"the test is broken: {done.stderr[-500:]}")
    told = json.loads(done.stdout)
    expect(told["killed"] == times, lambda: f"{told['killed']} of {times} recorders were killed: the test is broken")
    expect(not told["harmed"], lambda: f"{told['harmed']} of {told['killed']} programs were harmed")


def cells(ctx):
    chance = random.Random(7)
    def steps(n_writes, most, n):
        """The first writes, and some ptrace requests."""
        return [f"write:{i}" for i in range(1, n_writes + 1)] + [f"ptrace:{i}" for i in sorted(chance.sample(range(1, most), n))]
    full = ctx.full
    for python in ctx.some_pythons(12, 8):
        yield "stopped meanwhile", python, lambda p=python: stopped_meanwhile(ctx, p, steps(8 if full else 5, 500, 200 if full else 3))
    for python in ctx.some_pythons(12):
        yield "left, and gone back", python, lambda p=python: left_and_gone_back(ctx, p)
        yield "recorder does not run", python, lambda p=python: recorder_does_not_run(ctx, p)
        yield "interrupted, and it ends meanwhile", python, lambda p=python: interrupted_meanwhile(ctx, p)
        yield "waits meanwhile", python, lambda p=python: waits_meanwhile(ctx, p)
        yield "waits while it is left", python, lambda p=python: waits_while_left(ctx, p, range(1, 16) if full else (2, 3))
    library = next((l for l in libraries(ctx) if not l.loader), None)
    for python in ctx.some_pythons(12):
        if library:
            yield "execs meanwhile", python, lambda p=python: execs_meanwhile(ctx, p, library.path, steps(12 if full else 5, 400, 200 if full else 3), steps(0, 400, 40))
    yield "killed while it loads", None, lambda: killed_while_loading(ctx, 600 if full else 25)
