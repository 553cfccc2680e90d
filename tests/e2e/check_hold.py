"""hold: --hold: the thread of an event waits before the operation happens, wherever it is raised; whatever ends the
recorder, the target goes on; a thread whose event does not match is not held.

Whether an operation has happened is asked of the file system while the thread is held: the command of --do lists the
folder in which the program makes folders (victims/held.py).
"""
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import harness
from check_options import TERMINAL
from harness import FILTERED, Capture, Skip, expect, expect_goodbye, kill, victim_path, wait_for

PLACES = ["main", "thread", "child", "del", "interpreter", "atexit"]
FILTER = 'event == "os.mkdir" and args.path contains "/made/" and not args.path contains "other"'


def places_of(python):
    """Free-threaded builds with a subinterpreter end in an assertion of their own, before 3.14."""
    return [p for p in PLACES if p != "interpreter" or not (python.free_threaded and python.minor < 14)]


class Place:
    """A folder for the victim, and what --do writes down there."""

    def __init__(self, ctx, python, label):
        self.folder = ctx.new_folder(f"{label}-{python.name}")
        self.made, self.log, self.go = (os.path.join(self.folder, name) for name in ("made", "log", "go"))
        os.mkdir(self.made)

    def command(self):
        """For --do: a line of what is there now."""
        return f"echo $(ls {self.made}) >> {self.log}"

    def lines(self):
        return open(self.log, encoding="utf-8").read().split("\n")[:-1] if os.path.exists(self.log) else []


def expect_before(lines, places):
    """Each was held, in order, when it and those after it were not there."""
    order = [p for p in places if p != "atexit"] + (["other", "atexit"] if "atexit" in places else ["other"])
    held = [p for p in order if p != "other"]
    expect(len(lines) == len(held), lambda: f"held {len(lines)} times, expected {len(held)}: {lines}")
    for place, line in zip(held, lines):
        there = sorted(order[:order.index(place)])
        expect(sorted(line.split()) == there, lambda: f"before {place}: {line.split()}, expected {there}")


def expect_held(text, n):
    found = re.search(r", held (\d+) times? \(longest ", text)
    expect((int(found.group(1)) if found else 0) == n and "could not be held" not in text, lambda: f"held {n} times: {text[-400:]}")


def expect_output(output, places):
    for place in places:
        expect(output.count(f"made {place}\n") == 1, lambda: f"made {place}: {output!r}")
    expect("end\n" in output, lambda: f"no end: {output!r}")


def launched(ctx, python):
    place, places = Place(ctx, python, "launched"), places_of(python)
    run = harness.Launch(ctx, python, victim_path("held"), place.made, ",".join(places), options=["--hold", FILTER, "--do", place.command()])
    run.expect_status(7)
    expect_before(place.lines(), places)
    expect_output(run.stdout, places)
    expect_held(run.stderr, len(places))
    expect_goodbye(run.stderr, ended=True)
    expect(len(run.capture.named("os.mkdir")) == len(places) + 1, "not every mkdir is in the capture")


class Attached:
    """victims/held.py, which waits to be told; and a recorder of it that holds."""

    def __init__(self, ctx, python, label, places, *options, code=None):
        self.ctx, self.place = ctx, Place(ctx, python, label)
        self.capture = os.path.join(self.place.folder, "a.avc")
        self.stderr_path, self.out = os.path.join(self.place.folder, "stderr"), os.path.join(self.place.folder, "stdout")
        program = [victim_path("held")] if code is None else ["-c", code]
        with open(self.out, "wb") as out:
            self.target = subprocess.Popen([*python.command, *program, self.place.made, ",".join(places), self.place.go], stdout=out,
                                           stdin=subprocess.DEVNULL)
        self.recorder = None
        self.options = options

    def __enter__(self):
        try:
            wait_for(lambda: b"ready" in open(self.out, "rb").read() or self.target.poll() is not None, 60, "the target to be ready")
            if self.target.poll() is not None:
                raise Skip(f"the target cannot be made here: {self.output()!r}")
            with open(self.stderr_path, "wb") as stderr:
                self.recorder = subprocess.Popen([self.ctx.auditview, "record", "-p", str(self.target.pid), "-o", self.capture, *self.options],
                                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
            wait_for(lambda: self.recorder.poll() is not None or harness.hooks_of(self.ctx, self.target.pid), 60, "the hook to be there")
            open(self.place.go, "w").close()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        kill(self.recorder)
        kill(self.target)

    def stderr(self):
        return open(self.stderr_path, encoding="utf-8", errors="replace").read()

    def output(self):
        return open(self.out, encoding="utf-8").read()

    def wait_held(self, n=1):
        wait_for(lambda: self.stderr().count("continues it") >= n, 60, "a thread to be held")

    def expect_waits(self, *made):
        """The target is asleep in the hook, and nothing else has happened."""
        expect(sorted(os.listdir(self.place.made)) == sorted(made), lambda: f"{os.listdir(self.place.made)}, expected {made}")

    def end(self, places, seconds=60):
        try:
            status = self.target.wait(seconds)
        except subprocess.TimeoutExpired:
            raise harness.Fail(f"the target did not end: {self.stderr()[-400:]}") from None
        expect(status == 7, lambda: f"the target ended with {status}: {self.output()!r}")
        expect_output(self.output(), places)

    def end_recorder(self):
        status = self.recorder.wait(harness.GUARD)
        expect(status == 0, lambda: f"the recorder ended with {status}: {self.stderr()[-400:]}")
        return self.stderr()


def continued(ctx, python):
    """Attached to, without --do: SIGUSR2 continues; --hold-ignore leaves the first match alone. Doctor says who holds what."""
    places = ["main", "thread", "del"]
    with Attached(ctx, python, "continued", places, "-f", "--hold", FILTER, "--hold-ignore", "1") as run:
        run.wait_held()
        run.expect_waits("main")
        said = subprocess.run([ctx.auditview, "doctor", str(run.target.pid)], capture_output=True, text=True, timeout=60).stdout
        who = re.search(r"attached already \((\d+)\), and holds thread (\d+)", " ".join(said.split()))
        tids = os.listdir(f"/proc/{run.target.pid}/task")
        expect(who and int(who.group(1)) == run.recorder.pid and who.group(2) in tids and who.group(2) != str(run.target.pid), lambda: said)
        expect(f"kill -USR2 {run.recorder.pid}" in said, lambda: said)
        run.recorder.send_signal(signal.SIGUSR2)
        run.wait_held(2)
        run.expect_waits("main", "thread")
        run.recorder.send_signal(signal.SIGUSR2)
        run.end(places)
        text = run.end_recorder()
        expect_held(text, 2)
        expect_goodbye(text, ended=True)


def dumped(ctx, python):
    """While a thread is held, another auditview reads the stacks of all threads."""
    place = Place(ctx, python, "dumped")
    run = harness.Launch(ctx, python, victim_path("held"), place.made, "thread",
                         options=["--hold", FILTER, "--do", f"{ctx.auditview} doctor --stacks {{pid}} > {place.log}"])
    run.expect_status(7)
    expect_held(run.stderr, 1)
    text = "\n".join(place.lines())
    expect(re.search(r" make +.*held\.py:\d+\n", text) and re.search(r" in_thread +.*held\.py:\d+\n", text), lambda: text)


def expect_locals(stack, truth):
    """What was read from outside is what the program said of its own frames, in names and in all values that it could say."""
    expect(len(stack) == len(truth), lambda: f"{len(stack)} frames of {len(truth)}")
    for frame, own in zip(stack, truth):
        found = frame.get("locals")
        expect(found is not None, lambda: f"{own['function']}: no variables")
        for passing in ("lines", "out"):  # they say it, and have changed since
            found.pop(passing, None)
            own["locals"].pop(passing, None)
        expect(set(found) == set(own["locals"]), lambda: f"{own['function']}: {sorted(found)}, expected {sorted(own['locals'])}")
        for name, value in own["locals"].items():
            expect(value in (None, found[name]), lambda: f"{own['function']}: {name} = {found[name]}, expected {value}")


def locals_held(ctx, python):
    """While a thread is held, the variables of all its frames are those that the program itself sees."""
    place = Place(ctx, python, "locals")
    run = harness.Launch(ctx, python, victim_path("locals"), os.path.join(place.made, "x"),
                         options=["--hold", "os.mkdir", "--do", f"{ctx.auditview} doctor --locals --json {{pid}} > {place.log}"])
    expect(run.status == 0 and run.stdout.endswith("ready\nend\n"), lambda: f"{run.status}: {run.stdout!r} {run.stderr[-400:]}")
    truth = [json.loads(line) for line in run.stdout.split("\n") if line.startswith("{")]
    expect_locals(json.loads("\n".join(place.lines()))["threads"][0]["stack"], truth)


def handed_over(ctx, python):
    """gdb attaches to the held process; when it continues, the operation happens under its eyes."""
    if not shutil.which("gdb"):
        raise Skip("no gdb")
    place = Place(ctx, python, "gdb")
    with Attached(ctx, python, "gdb", ["main"], "--hold", FILTER, "--do",
                  f"timeout 100 gdb -p {{pid}} -batch -ex 'break mkdir' -ex continue -ex bt > {place.log} 2>&1") as run:
        run.end(["main"], 120)
        expect_held(run.end_recorder(), 1)
    text = "\n".join(place.lines())
    if "ptrace: Operation not permitted" in text:
        raise Skip("gdb may not attach here")
    expect(re.search(r"Breakpoint 1.*mkdir", text) and re.search(r"#\d+ .*(PyEval|_PyRun|Py_RunMain|Py_BytesMain|main)", text), lambda: text[-1500:])


def killed(ctx, python, how):
    """The recorder ends while it holds: asked to, which leaves nothing behind, or killed, after which the target goes on
    by itself."""
    rounds = 20 if ctx.full else 1
    for _ in range(rounds):
        with Attached(ctx, python, "killed", ["main"], "--hold", FILTER) as run:
            run.wait_held()
            run.expect_waits()
            began = time.monotonic()
            run.recorder.send_signal(how)
            if how == signal.SIGKILL:
                run.recorder.wait()
            else:
                text = run.end_recorder()
                expect_goodbye(text)
                expect_held(text, 1)
            wait_for(lambda: os.listdir(run.place.made), 20, "the target to go on")
            took = time.monotonic() - began
            # 2 s by itself; another second for a machine that is busy
            expect(how != signal.SIGKILL or not ctx.full or took < 3, lambda: f"the target went on after {took:.1f} s")
            run.end(["main"])


NOT_HELD = """
import os, sys, time
{filtered}
os.write(1, b"ready\\n")
while not os.path.exists(sys.argv[3]):
    time.sleep(0.01)
for i in range({n}):
    try: open("/no such folder/%d" % i)
    except OSError: pass
os.mkdir(os.path.join(sys.argv[1], "main"))
os.write(1, b"made main\\nend\\n")
sys.exit(7)
"""


def not_matched(ctx, python):
    """Every event may match until its arguments are known: none is held, none is lost."""
    n = 20000 if ctx.full else 100
    with Attached(ctx, python, "unmatched", ["main"], "--hold", 'args contains "nobody has this"', code=NOT_HELD.format(filtered="", n=n)) as run:
        run.end(["main"])
        text = run.end_recorder()
        expect_held(text, 0)
        expect_goodbye(text, n, ended=True)
        opened = [e for e in Capture(ctx, run.capture).named("open") if "no such folder" in str(e["args"])]
        expect(len(opened) == n, f"{len(opened)} of {n} events")


def filtered(ctx, python):
    """A system call could kill a thread that has a seccomp filter: it is not held, and that is said."""
    with Attached(ctx, python, "seccomp", ["main"], "--hold", FILTER, code=NOT_HELD.format(filtered=FILTERED, n=1)) as run:
        run.end(["main"])
        text = run.end_recorder()
        expect("1 could not be held" in text, lambda: text[-400:])


class Screen:
    """auditview in a terminal; what it has written so far is read with wait()."""

    def __init__(self, ctx, *arguments):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(ctx.auditview, [ctx.auditview, "--no-config", *arguments], {**os.environ, **TERMINAL})

    def __enter__(self):
        return self

    def __exit__(self, *error):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def keys(self, text):
        os.write(self.fd, text.encode())

    def read(self, seconds=.1):
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                self.seen += os.read(self.fd, 65536)
            except OSError:  # the terminal is closed
                return False
        return True

    def wait(self, condition, what):
        end = time.monotonic() + 60
        while not condition():
            expect(time.monotonic() < end, lambda: f"waited for {what}: {self.seen[-600:]!r}")
            if not self.read():
                return

    def wait_text(self, text, redraw=False):
        """redraw: what the screen shows now is written again until it has this text."""
        end, at = time.monotonic() + 60, 0 if not redraw else len(self.seen)
        while text.encode() not in self.seen[at:]:
            expect(time.monotonic() < end, lambda: f"waited for {text}: {self.seen[-600:]!r}")
            if redraw:
                self.keys("\f")
            if not self.read(.3):
                return


def on_screen(ctx, python):
    """The first line says who is held, and C continues it."""
    place = Place(ctx, python, "screen")
    with Screen(ctx, "--hold", FILTER, "-o", os.path.join(place.folder, "a.avc"), "--", *python.command, victim_path("held"), place.made,
                "main") as screen:
        screen.wait_text("C continues")
        expect(not os.listdir(place.made), "it has happened")
        screen.keys("C")
        screen.wait(lambda: os.path.exists(os.path.join(place.made, "other")), "the program to go on")
        screen.wait_text("ended 7")
        screen.keys("Q")
        screen.wait_text("held 1 time")


def typed(ctx, python):
    """What is held is changed on the screen, while the target runs: hold, ignore, next event of this thread, until, remove."""
    place = Place(ctx, python, "typed")
    out = os.path.join(place.folder, "stdout")
    with open(out, "wb") as file:
        target = subprocess.Popen([*python.command, victim_path("held"), place.made, "main,thread,del", place.go], stdout=file, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: b"ready" in open(out, "rb").read(), 60, "the target to be ready")
        with Screen(ctx, "-o", os.path.join(place.folder, "a.avc"), "-p", str(target.pid)) as screen:
            wait_for(lambda: harness.hooks_of(ctx, target.pid), 60, "the hook to be there")

            screen.wait_text("0 events")
            # the list shows what the recorder says: from then on such events are held
            screen.keys(":hold os.mkdir\rB")
            screen.wait_text("1 hold ", redraw=True)
            screen.keys(":hold socket.connect\r")
            screen.wait_text("2 holds", redraw=True)
            screen.keys(":unhold 2\r")
            screen.wait_text("1 hold ", redraw=True)
            open(place.go, "w").close()
            screen.wait_text("1 held now", redraw=True)
            expect(not os.listdir(place.made), "it has happened")
            screen.keys("u")
            screen.wait(lambda: os.listdir(place.made) == ["main"], "the first to happen")
            screen.wait_text("hold 3 ", redraw=True)
            screen.keys(":unhold\r")
            screen.wait_text("0 holds", redraw=True)
            screen.keys(':until args.path contains "made/del"\r')
            screen.wait(lambda: len(os.listdir(place.made)) == 2, "the thread not to be held")
            while target.poll() is None:  # it is held before the last one, or soon
                screen.keys(":continue\r")
                screen.read()
            expect(target.wait() == 7, "the target ended otherwise")
            screen.wait_text("ended", redraw=True)
            screen.keys("Q")
            screen.wait_text("held 3 times")
    finally:
        kill(target)


def refused(ctx, python):
    """What makes no sense is refused before anything starts."""
    place = Place(ctx, python, "refused")
    for options, word in ((["--hold", "evnt == 3"], "evnt"), (["--hold", "open", "--may-drop"], "--may-drop"), (["--do", "stacks"], "--hold"),
                          (["--hold-ignore", "3"], "--hold")):
        done = subprocess.run([ctx.auditview, "record", "-o", os.path.join(place.folder, "x"), *options, "--", *python.command, "-c",
                               f"open({place.go!r}, 'w')"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=harness.GUARD)
        expect(done.returncode == 2 and word in done.stderr, lambda: f"{options}: {done.returncode} {done.stderr}")
        expect(not os.path.exists(place.go), f"{options}: the program was started")


def cells(ctx):
    for python in ctx.some_pythons(8, 12, 14) + ctx.free_threaded():
        yield "held in every place", python, lambda p=python: launched(ctx, p)
        yield "locals of every frame", python, lambda p=python: locals_held(ctx, p)
    for python in ctx.some_pythons(12):
        yield "continued by a signal", python, lambda p=python: continued(ctx, p)
        yield "asked to end while it holds", python, lambda p=python: killed(ctx, p, signal.SIGINT)
        yield "stacks of all threads", python, lambda p=python: dumped(ctx, p)
        yield "on the screen", python, lambda p=python: on_screen(ctx, p)
        yield "holds typed on the screen", python, lambda p=python: typed(ctx, p)
        yield "may match, does not", python, lambda p=python: not_matched(ctx, p)
    for python in ctx.some_pythons(12) if ctx.full else ():
        yield "handed over to gdb", python, lambda p=python: handed_over(ctx, p)
    for python in ctx.some_pythons(9):
        yield "killed while it holds", python, lambda p=python: killed(ctx, p, signal.SIGKILL)
        yield "may not sleep", python, lambda p=python: filtered(ctx, p)
    yield "refused", ctx.some_pythons(12)[0], lambda: refused(ctx, ctx.some_pythons(12)[0])
