"""identity: which process and thread an event belongs to: in namespaces of their own, without a first thread, with long
command lines."""
import os
import signal
import subprocess
import time

import harness
from check_moments import state_of
from harness import Recorder, expect, expect_goodbye, wait_for


def leader(ctx, python, mode, options, number):
    """The first thread has ended, before or during the recording: the process is attached to, recorded and detached
    from as any other."""
    folder = ctx.new_folder("leader")

    def tell(name):
        open(os.path.join(folder, name), "w").close()

    def is_told(name):
        return os.path.exists(os.path.join(folder, name))

    process = subprocess.Popen([*python.command, "-S", harness.victim_path("leader"), folder, mode], stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_told("ready"), 30, "the target")
        with Recorder(ctx, process.pid, *options) as recorder:
            recorder.wait_events(5, "leader.mark")
            if mode == "leaves":
                tell("leave")
                wait_for(lambda: is_told("ended"), 30, "the first thread to end")
                time.sleep(0.3)
            said = recorder.stop()
            expect_goodbye(said, min_events=5)
            expect("it has ended" not in said, lambda: said)
            marks = [e["args"]["0"] for e in recorder.capture.named("leader.mark")]
            expect(marks == list(range(marks[0], marks[0] + len(marks))), lambda: f"marks {marks[:5]} … {marks[-5:]}")
            told = {(e["pid"], e["thread"]) for e in recorder.capture.named("leader.mark")}
            expect(told == {(process.pid, "stays")}, lambda: f"they are of {told}")
            image = next(e["process"] for e in recorder.capture.events() if "process" in e)
            expect(image.get("argv") and image.get("exe"), lambda: f"the process is {image}")
        tell("end")
        status = process.wait(harness.GUARD)
        expect(status == 5, f"status {status}")
        left = open(os.path.join(folder, "told")).read()
        expect(left == "nothing", lambda: f"left in it: {left}")
    finally:
        harness.kill(process)


WORDS = "import sys, os; assert len(sys.argv) == int(os.environ['N']), len(sys.argv)"


def words(ctx, python):
    """A long command line, or one with a long word, is cut, and the capture says so, with its full length; the same
    holds for an environment."""
    short, long, wide = "w" * 4000, "y" * 6000, "é" * 5000

    def image(arguments, **more):
        run = harness.Launch(ctx, python, ["-S", "-c", WORDS], *arguments, env=dict(os.environ, N=str(len(arguments) + 1), **more))
        run.expect_status(0)
        return next(e["process"] for e in run.capture.events() if "process" in e)

    before = [*python.command, "-S", "-c", WORDS]
    for arguments in (["x"] * 203, [short, "last"], ["", "b", ""]):
        told = image(arguments)["argv"]
        expect(told == before + arguments, lambda: f"{len(told)} words: {str(told)[:200]}")
    told = image(["a", long, wide, "b"])["argv"]
    expect(told[:4] == before and told[4] == "a" and told[7] == "b", lambda: str(told)[:200])
    for word, full in ((told[5], long), (told[6], wide)):
        expect(isinstance(word, dict) and word["length"] == len(full) and full.startswith(word["cut"]) and len(word["cut"]) >= 2000, lambda: str(word)[-200:])
    told = image(["k"] * 5000)["argv"]
    expect(isinstance(told, dict) and told["length"] == 5004 and told["cut"][:4] == before and len(told["cut"]) >= 1000, lambda: f"{str(told)[:100]} … {str(told)[-100:]}")
    variables = image(["a"], LONG=long, WIDE=wide, SHORT=short)["environ"]
    expect(variables["SHORT"] == short, "a short variable is cut")
    for name, full in (("LONG", long), ("WIDE", wide)):
        told = variables[name]
        expect(isinstance(told, dict) and told["length"] == len(full) and full.startswith(told["cut"]), lambda: str(told)[-200:])


def victim_command(python, name):
    return [*python.command, "-S", harness.victim_path(name)]


def watched(ctx, python, program, is_attached):
    """Run a program that makes children, under `record -f`: launched, or attached while it waits for the file that is
    its last argument. Returns its pid, status and output, what the recorder said, and the capture."""
    if not is_attached:
        run = harness.Launch(ctx, python, program[len(python.command):])
        return run.capture.events()[0]["pid"], run.status, run.stdout, run.stderr, run.capture
    go = os.path.join(ctx.new_folder("watched"), "go")
    with subprocess.Popen([*program, go], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        expect(process.stdout.readline() == "READY\n", "it did not start")
        with Recorder(ctx, process.pid, "-f") as recorder:
            recorder.wait_linked()
            open(go, "w").close()
            text = process.stdout.read()
            return process.pid, process.wait(harness.GUARD), text, recorder.wait(), recorder.capture


def namespaces(ctx, python, is_attached):
    """Processes and threads have the numbers that they have here; those of their own namespace are shown beside
    them."""
    if os.geteuid():
        raise harness.Skip("not root: no pid namespace can be made")
    _, status, _, said, capture = watched(ctx, python, victim_command(python, "namespaces"), is_attached)
    if status == 77:
        raise harness.Skip("the kernel makes no pid namespace")
    expect(status == 0, f"status {status}")
    expect_goodbye(said, ended=True)
    expect(", 4 children" in said, lambda: said[-200:])
    marks = {}
    for e in capture.named("namespaces.mark"):
        marks.setdefault(e["args"]["0"], set()).add((e["pid"], e["tid"], e.get("ns_tid", e["tid"]), e["args"]["1"], e["args"]["2"]))
    images = {e["pid"]: e["process"] for e in capture.events() if "process" in e}
    expect(all(len(m) == 1 for m in marks.values()) and len(marks) == 5, lambda: str(marks))
    root = capture.events()[0]["pid"]
    outer = {name: next(iter(m)) for name, m in marks.items()}
    for name in ("bare fork", "bare clone", "unshared", "unshared child"):
        pid, tid, ns_tid, own, parent = outer[name]
        expect(tid == pid and ns_tid == own, lambda n=name: f"{n}: {outer[n]}")
        expect(images[pid].get("ns_pid", pid) == own, lambda n=name: f"{n}: {images}")
        expect(images[pid]["ppid"] == (outer["unshared"][0] if name == "unshared child" else root), lambda n=name: f"{n}: {images}, the first is {root}")
    pid, tid, ns_tid, own, own_tid = outer["unshared thread"]
    expect(pid == outer["unshared"][0] and tid not in (pid, own_tid) and ns_tid == own_tid, lambda: str(outer))
    expect(len({o[0] for o in outer.values()}) == 4, lambda: str(outer))


def clones(ctx, python, is_attached):
    """Children made by every variant of clone(2): each ends as it does alone, and all their events are recorded, with
    the numbers that they have here. A child that shares its parent's memory is shown as the thread that made it."""
    if os.geteuid():
        raise harness.Skip("not root: no namespaces can be made")
    program = victim_command(python, "clones")
    by_itself = subprocess.run(program, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=harness.GUARD)
    expect(by_itself.returncode == 7, lambda: f"by itself: {by_itself}")
    root, status, text, said, capture = watched(ctx, python, program, is_attached)
    expect((status, text) == (7, by_itself.stdout), lambda: f"status {status}, by itself {by_itself.stdout!r}, watched {text!r}")
    expect_goodbye(said, ended=True)
    names = [line.rpartition(" ")[0].removesuffix(" is") for line in text.splitlines() if not line.endswith(" refused")]
    expect(f", {len(names)} children" in said, lambda: said[-200:])
    marks = {}
    for e in capture.named("clones.mark"):
        marks.setdefault(e["args"]["0"], []).append(e)
    expect(sorted(marks) == sorted(names), lambda: f"of {names} there are {list(marks)}")
    seen = set()
    for name, events in marks.items():
        expect([e["args"]["3"] for e in events] == list(range(10)), lambda n=name, ev=events: f"{n}: {[e['args']['3'] for e in ev]}")
        told = {(e["pid"], e["tid"], e.get("ns_tid", e["tid"]), e["args"]["1"], e["args"]["2"]) for e in events}
        expect(len(told) == 1, lambda n=name, t=told: f"{n}: {t}")
        pid, tid, ns_tid, own, own_tid = told.pop()
        if name.startswith("shared vm"):
            expect((pid, tid) == (root, root), lambda n=name, t=(pid, tid): f"{n}: {t}")
            continue
        expect(pid == tid and pid not in seen and pid != root and ns_tid == own_tid, lambda n=name, t=(pid, tid, ns_tid, own, own_tid): f"{n}: {t}")
        expect(pid == own or own == 1, lambda n=name, t=(pid, own): f"{n}: {t}")
        seen.add(pid)


FIVE = """
import os, subprocess, sys
for i in range(3):
    child = os.fork()
    if child == 0:
        sys.audit("five.mark", i)
        os._exit(0)
    os.waitpid(child, 0)
for i in range(2):
    subprocess.run([sys.executable, "-S", "-c", "import sys; sys.audit('five.mark', 9)"], close_fds=True)
"""


def counted(ctx, python):
    """Children are counted once, whether they fork or become another program."""
    run = harness.Launch(ctx, python, ["-S", "-c", FIVE])
    run.expect_status(0)
    expect(", 5 children" in run.stderr, lambda: run.stderr[-200:])
    expect([e["args"]["0"] for e in run.capture.named("five.mark")] == [0, 1, 2, 9, 9], "not all is recorded")


FORKS = """
import os, sys
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        sys.audit("forks.mark", line.strip())
        os._exit(3)
    print(os.waitpid(child, 0)[1] >> 8, flush=True)
"""


def fork_at_request(ctx, python, n):
    """Attach with -f. When the recorder stops after its ptrace request n, the target forks, if it is linked and nothing
    of it is traced. Returns the goodbye line and the capture; None if the request was another one."""
    target = subprocess.Popen([*python.command, "-S", "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        expect(target.stdout.readline() == "ready\n", "it did not start")
        with Recorder(ctx, target.pid, "-f", env=dict(os.environ, AUDITVIEW_FAULT=f"ptrace:{n}:stop")) as recorder:
            wait_for(lambda: state_of(recorder.process.pid) in "TZ", harness.GUARD, f"request {n}")
            if harness.status_of(target.pid, "TracerPid") != "0" or not harness.hooks_of(ctx, target.pid):
                recorder.process.kill()
                return None
            target.stdin.write("early\n")
            target.stdin.flush()
            expect(target.stdout.readline() == "3\n", "the child's status is another one")
            recorder.process.send_signal(signal.SIGCONT)
            recorder.wait_events(1, "forks.mark")
            return recorder.stop(), recorder.capture
    finally:
        harness.kill(target)
        target.stdin.close()
        target.stdout.close()


def forked_before_followed(ctx, python):
    """A child that is forked after its parent was linked and before it is followed, and has ended when the children that
    are there are looked for, is recorded, so it is counted."""
    found = next(filter(None, (fork_at_request(ctx, python, n) for n in range(2, 40))), None)
    expect(found, "there was no step between linking and following: the test is broken")
    said, capture = found
    expect_goodbye(said)
    expect([e["args"]["0"] for e in capture.named("forks.mark")] == ["early"], "the child is not recorded")
    expect(", 1 child," in said, lambda: said[-200:])


ALONE = """
import os, sys, time
n = 0
while not os.path.exists(sys.argv[1]):
    child = os.fork()
    if child == 0:
        for k in range(20):
            sys.audit("alone.child", k)
        os._exit(0)
    os.waitpid(child, 0)
    sys.audit("alone.mark", n)
    n += 1
    time.sleep(0.01)
"""


def not_followed(ctx, python):
    """Attached to without -f: the target's own events are recorded, and none of its forked children."""
    folder = ctx.new_folder("alone")
    stop = os.path.join(folder, "stop")
    with subprocess.Popen([*python.command, "-S", "-c", ALONE, stop], stdin=subprocess.DEVNULL) as process:
        try:
            with Recorder(ctx, process.pid) as recorder:
                recorder.wait_linked()
                recorder.wait_events(3, "alone.mark")
                said = recorder.stop()
            expect_goodbye(said)
            expect("child" not in said, lambda: said[-200:])
            names = {e["event"] for e in recorder.capture.events()}
            expect("alone.mark" in names and "alone.child" not in names, lambda: str(names))
            expect({e["pid"] for e in recorder.capture.events()} == {process.pid}, "events of others")
        finally:
            open(stop, "w").close()


def cells(ctx):
    for python in ctx.some_pythons(9, 12):
        yield "namespaces, launched", python, lambda p=python: namespaces(ctx, p, False)
        yield "namespaces, attached", python, lambda p=python: namespaces(ctx, p, True)
        yield "clones, launched", python, lambda p=python: clones(ctx, p, False)
        yield "clones, attached", python, lambda p=python: clones(ctx, p, True)
        yield "children counted", python, lambda p=python: counted(ctx, p)
        yield "forked before it is followed", python, lambda p=python: forked_before_followed(ctx, p)
        yield "children not followed", python, lambda p=python: not_followed(ctx, p)
    for python in ctx.some_pythons(11):
        yield "long command lines", python, lambda p=python: words(ctx, p)
    for python in ctx.some_pythons(8, 11, 13):
        for mode in ("gone", "leaves"):
            yield f"first thread {mode}", python, lambda p=python, m=mode: leader(ctx, p, m, [], 5)
            yield f"first thread {mode}, -f", python, lambda p=python, m=mode: leader(ctx, p, m, ["-f"], 5)
    for python in ctx.some_pythons(12):
        yield "first thread leaves, native stacks", python, lambda p=python: leader(ctx, p, "leaves", ["--stack", "both"], 5)
