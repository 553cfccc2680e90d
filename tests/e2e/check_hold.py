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
        self.auditview, self.folder = ctx.auditview, ctx.new_folder(f"{label}-{python.name}")
        self.made, self.log, self.go = (os.path.join(self.folder, name) for name in ("made", "log", "go"))
        os.mkdir(self.made)

    def command(self):
        """For --do: a line of what is there now."""
        return f"echo $(ls {self.made}) >> {self.log}"

    def views(self):
        """For --do: a file of the variables of all frames, for each hold."""
        return f"{self.auditview} doctor --json --locals {{pid}} > {self.folder}/view.{{seq}}.{{tid}}"

    def expect_views(self, output, places):
        """The variables of each function, while it was held, are those that it saw itself."""
        files = sorted((name.split(".") for name in os.listdir(self.folder) if name.startswith("view.")), key=lambda words: int(words[1]))
        truths = [json.loads(line[5:]) for line in output.split("\n") if line.startswith("view ")]
        expect([t["place"] for t in truths] == places and len(files) == len(places), lambda: f"{files} {truths}")
        for words, truth in zip(files, truths):
            text = open(os.path.join(self.folder, ".".join(words)), encoding="utf-8").read()
            thread = next((t for t in json.loads(text)["threads"] if str(t["tid"]) == words[2]), None)
            expect(thread and thread["stack"] and "locals" in thread["stack"][0], lambda: f"{truth['place']}: {text}")
            found = {name: json.loads(value) for name, value in thread["stack"][0]["locals"].items() if name in truth}
            expect(found == truth, lambda: f"{found}, expected {truth}")

    def expect_kept(self, capture, output):
        """So are those in the capture, of the innermost frame of each event that was held."""
        kept = [e["locals"] for e in capture.named("os.mkdir") if "locals" in e]
        truths = [json.loads(line[5:]) for line in output.split("\n") if line.startswith("view ")]
        expect(len(kept) == len(truths), lambda: f"{len(kept)} of {len(truths)} events have variables")
        for frames, truth in zip(kept, truths):
            found = {name: value_of(value) for name, value in frames[0]["vars"].items() if name in truth}
            expect(found == truth and frames[0]["func"], lambda: f"{frames[0]}, expected {truth}")

    def lines(self):
        return open(self.log, encoding="utf-8").read().split("\n")[:-1] if os.path.exists(self.log) else []


def value_of(value):
    """A value of print -F json as Python has it, as far as victims/held.py needs."""
    return int(value["int"], 0) if isinstance(value, dict) and "int" in value else value


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
    run = harness.Launch(ctx, python, victim_path("held"), place.made, ",".join(places), options=["--hold", FILTER, "--do", f"{place.command()}; {place.views()}"])
    run.expect_status(7)
    place.expect_views(run.stdout, places)
    place.expect_kept(run.capture, run.stdout)
    expect_before(place.lines(), places)
    expect_output(run.stdout, places)
    expect_held(run.stderr, len(places))
    expect_goodbye(run.stderr, ended=True)
    expect(len(run.capture.named("os.mkdir")) == len(places) + 1, "not every mkdir is in the capture")


def attached(ctx, python):
    """The same of a program that is attached to."""
    places = places_of(python)
    place = Place(ctx, python, "attached")
    with Attached(ctx, python, "attached", places, "-f", "--hold", FILTER, "--do", f"{place.command()}; {place.views()}", place=place) as run:
        run.end(places)
        text = run.end_recorder()
        place.expect_views(run.output(), places)
        place.expect_kept(Capture(ctx, run.capture), run.output())
        expect_before(place.lines(), places)
        expect_held(text, len(places))
        expect_goodbye(text, ended=True)


class Attached:
    """victims/held.py, which waits to be told; and a recorder of it that holds."""

    def __init__(self, ctx, python, label, places, *options, code=None, place=None):
        self.ctx, self.place = ctx, place or Place(ctx, python, label)
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
        expect(f"kill -USR2 {run.recorder.pid}" in said and "gdb cannot attach" in " ".join(said.split()), lambda: said)
        expect("a debugger needs --no-follow" in run.stderr(), run.stderr)
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
    thread = json.loads("\n".join(place.lines()))["threads"][0]
    expect(thread["stack"], lambda: f"no stack: {thread}, {run.stderr[-600:]}")
    expect_locals(thread["stack"], truth)


SECRET = """
import os, sys
def make(path, password):
    words = ["--password", "b6ecret44", path[-1:]]
    os.mkdir(path)
make(sys.argv[1], "b6ecret" + "44")
"""


def stacks_said(ctx, python):
    """--do stacks: the frames of all threads with their variables, first those of the one that is held; secrets are left out."""
    for options, there in (([], False), (["--no-redact"], True), (["--stack", "both"], False), (["--hold-locals", "0"], False)):
        place = Place(ctx, python, "stacks")
        run = harness.Launch(ctx, python, "-c", SECRET, os.path.join(place.made, "x"), options=["--hold", "os.mkdir", "--do", "stacks", *options])
        run.expect_status(0)
        expect_held(run.stderr, 1)
        found = re.search(r"\nthread \d+  \S+  held.*\n +0  make  <string>:5\n +path = (.*)\n +password = (.*)\n +words = (.*)\n +1  <module>", run.stderr)
        expect(found and json.loads(found.group(1)) == os.path.join(place.made, "x"), lambda: f"{options}: {run.stderr[-1500:]}")
        kept = [e["locals"] for e in run.capture.named("os.mkdir") if "locals" in e]
        expect(len(kept) == ("--hold-locals" not in options), lambda: f"{options}: {kept}")
        expect(("b6ecret44" in json.dumps(kept)) == there, lambda: f"{options}: {kept}")
        expect(not kept or [f["func"] for f in kept[0]] == ["make", "<module>"], lambda: f"{options}: {kept}")
        expect(found.group(2) == ('"b6ecret44"' if there else "<redacted, 9 chars>") and
               found.group(3) == '["--password", "%s", "x"]' % ("b6ecret44" if there else "***"), lambda: f"{options}: {found.groups()}")


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


KILLED = """
import os, sys, time
os.write(1, b"ready\\n")
while not os.path.exists(sys.argv[3]):
    time.sleep(0.01)
os.mkdir(os.path.join(sys.argv[1], "main"))
with open("/proc/thread-self/schedstat") as file:
    stat = file.read()
os.write(1, ("made main\\nend\\ndelay %s\\n" % stat.split()[1]).encode())
sys.exit(7)
"""


def steal_s():
    """What the host has kept from this machine's processors so far."""
    with open("/proc/stat", encoding="utf-8") as file:
        return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


def delay_s(text):
    """How long a thread has waited for a processor so far (the kernel's Documentation/scheduler/sched-stats.rst)."""
    return int(text.split()[-1]) / 1e9


def killed(ctx, python, how):
    """The recorder ends while it holds: asked to, which leaves nothing behind, or killed, after which the target goes on
    by itself: within 2 s, in which the time does not count that its thread waited for a processor."""
    rounds, longest = 20 if ctx.full else 1, (0, 0)
    for _ in range(rounds):
        with Attached(ctx, python, "killed", ["main"], "--hold", FILTER, code=KILLED) as run:
            run.wait_held()
            run.expect_waits()
            path = f"/proc/{run.target.pid}/task/{run.target.pid}/schedstat"
            with open(path, encoding="utf-8") as file:
                waited = -delay_s(" ".join(file.read().split()[:2])) - steal_s()
            began = time.time()
            run.recorder.send_signal(how)
            if how == signal.SIGKILL:
                run.recorder.wait()
            else:
                text = run.end_recorder()
                expect_goodbye(text)
                expect_held(text, 1)
            wait_for(lambda: os.listdir(run.place.made), harness.GUARD, "the target to go on")
            run.end(["main"])
            # when it went on is what the folder says, not when this was noticed here
            took = os.stat(os.path.join(run.place.made, "main")).st_mtime - began
            waited += delay_s(run.output()) + steal_s()
            expect(how != signal.SIGKILL or took - waited < 2, lambda: f"the target went on after {took:.2f} s, {waited:.2f} s of which it waited for a processor")
            longest = max(longest, (took, waited))
    if ctx.full:
        print(f"note  hold: {python.name}: {rounds} recorders ended while they held; the target went on after {longest[0]:.2f} s at most, {longest[1]:.2f} s of which it waited for a processor")


def held_for_long(ctx, python):
    """Timers go off, 60 children end, signals come and a supervisor polls while a thread is held; in the long form for 10
    minutes. Nothing is lost but time."""
    place = Place(ctx, python, "long")
    paths = {name: os.path.join(place.folder, name) for name in ("capture", "stderr", "stdout", "go", "holds")}
    command, recorder = f"while [ -e {paths['holds']} ]; do sleep 0.1; done", None
    open(paths["holds"], "w").close()
    with open(paths["stdout"], "wb") as out, open(paths["stderr"], "wb") as err:
        target = subprocess.Popen([*python.command, victim_path("held_long"), os.path.join(place.made, "x"), paths["go"]], stdout=out, stdin=subprocess.PIPE)
        try:
            wait_for(lambda: open(paths["stdout"]).read() == "ready\n", 60, "the target to be ready")
            recorder = subprocess.Popen([ctx.auditview, "record", "-p", str(target.pid), "-o", paths["capture"], "--hold", "os.mkdir", "--do", command],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)
            wait_for(lambda: harness.hooks_of(ctx, target.pid), 60, "the hook to be there")
            open(paths["go"], "w").close()
            wait_for(lambda: "held before" in open(paths["stderr"]).read(), 60, "the thread to be held")
            began, n_lines = time.monotonic(), 0
            while True:  # the supervisor
                os.kill(target.pid, signal.SIGUSR1 if n_lines % 2 else 0)
                target.stdin.write(b"%d\n" % n_lines)
                target.stdin.flush()
                n_lines += 1
                states = [line.split()[2] for line in children_of(target.pid)]
                if states.count("Z") == 60 and n_lines >= 20 and (not ctx.full or time.monotonic() - began > 600):
                    break
                expect(target.poll() is None and not os.listdir(place.made), lambda: f"it went on after {time.monotonic() - began:.1f} s")
                expect(time.monotonic() - began < 600 + harness.GUARD, lambda: f"the children did not end: {states}")
                time.sleep(0.1)
            held = time.monotonic() - began
            os.unlink(paths["holds"])
            wait_for(lambda: os.listdir(place.made), 60, "the target to go on")
            target.stdin.close()
            expect(target.wait(harness.GUARD) == 7, lambda: f"the target ended with {target.returncode}")
            expect(recorder.wait(harness.GUARD) == 0, lambda: open(paths["stderr"]).read()[-400:])
        finally:
            kill(recorder)
            kill(target)
    text, own = open(paths["stderr"]).read(), json.loads(open(paths["stdout"]).read().split("\n")[1])
    expect_held(text, 1)
    expect_goodbye(text, ended=True)
    expect(own["statuses"] == list(range(60)) and own["lines"] == list(range(n_lines)), lambda: f"{own}")
    # a signal that was pending is handled once, however often it came
    expect(own["took"] >= held and all(own["more"][name] for name in ("SIGALRM", "SIGCHLD", "SIGUSR1")), lambda: f"{own}")


def children_of(pid):
    """The lines /proc/PID/stat of its children, the command left out."""
    lines = []
    for name in open(f"/proc/{pid}/task/{pid}/children").read().split():
        with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
            lines.append(re.sub(r"\(.*\)", "-", file.read()))
    return lines


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
                          (["--hold-ignore", "3"], "--hold"), (["--hold", "open", "--do", "timeout 9 /usr/bin/gdb -p {pid}"], "--no-follow"),
                          (["--hold", "open", "-f", "--do", "(strace -p$AUDITVIEW_PID)"], "--no-follow")):
        done = subprocess.run([ctx.auditview, "record", "-o", os.path.join(place.folder, "x"), *options, "--", *python.command, "-c",
                               f"open({place.go!r}, 'w')"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=harness.GUARD)
        expect(done.returncode == 2 and word in done.stderr, lambda: f"{options}: {done.returncode} {done.stderr}")
        expect(not os.path.exists(place.go), f"{options}: the program was started")


def cells(ctx):
    for python in ctx.some_pythons(8, 12, 14) + ctx.free_threaded():
        yield "held in every place", python, lambda p=python: launched(ctx, p)
        yield "held in every place, attached", python, lambda p=python: attached(ctx, p)
        yield "locals of every frame", python, lambda p=python: locals_held(ctx, p)
    for python in ctx.some_pythons(12):
        yield "continued by a signal", python, lambda p=python: continued(ctx, p)
        yield "asked to end while it holds", python, lambda p=python: killed(ctx, p, signal.SIGINT)
        yield "stacks of all threads", python, lambda p=python: dumped(ctx, p)
        yield "stacks that --do prints", python, lambda p=python: stacks_said(ctx, p)
        yield "on the screen", python, lambda p=python: on_screen(ctx, p)
        yield "holds typed on the screen", python, lambda p=python: typed(ctx, p)
        yield "may match, does not", python, lambda p=python: not_matched(ctx, p)
    for python in ctx.some_pythons(12) if ctx.full else ():
        yield "handed over to gdb", python, lambda p=python: handed_over(ctx, p)
    python = next((p for p in ctx.pythons if p.minor == 12), ctx.pythons[0])
    yield "held for long", python, lambda p=python: held_for_long(ctx, p)
    for python in ctx.some_pythons(9):
        yield "killed while it holds", python, lambda p=python: killed(ctx, p, signal.SIGKILL)
        yield "may not sleep", python, lambda p=python: filtered(ctx, p)
    yield "refused", ctx.some_pythons(12)[0], lambda: refused(ctx, ctx.some_pythons(12)[0])
