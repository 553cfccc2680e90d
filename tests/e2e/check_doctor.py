"""doctor: what it reports of processes that can be attached to, and of each kind that cannot; the hooks of a process,
by name.

doctor calls the same function as attach. These cells check its own answers: verdict, cause, hooks, exit status, and
that the target does not notice.
"""
import collections
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import harness
from harness import GUARD, AS_NOBODY, BECOME_NOBODY, FILTERED, FILTERED_IF, STRICT, Child, Skip, Victim, expect, kill, maps_of, status_of, victim_path, wait_asleep, wait_for

# Hooks of every kind. The native one is a harmless function of CPython itself that has a name in every build.
HOOKED = """
import ctypes, functools, operator, sys, time
def plain(event, args): pass
class Watch:
    def write(self, event, args): pass
    def __call__(self, event, args): pass
watch = Watch()
ctypes.pythonapi.PySys_AddAuditHook(ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p), ctypes.c_void_p(0))
for hook in (plain, watch.write, watch, functools.partial(plain), operator.is_, lambda event, args: None):
    sys.addaudithook(hook)
print("ready", flush=True)
time.sleep(600)
"""

FILTERED_SLEEP = FILTERED + """
import time
print("ready", flush=True)
time.sleep(600)
"""


def doctor(ctx, *words, command=None):
    """Run doctor; returns (exit status, parsed JSON)."""
    done = subprocess.run([*(command or [ctx.auditview]), "doctor", "--json", *map(str, words)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=GUARD)
    expect(done.stdout.startswith("{"), lambda: f"no JSON: status {done.returncode}, {done.stderr[-300:]!r}")
    return done.returncode, json.loads(done.stdout)


def judged(ctx, pid, verdict, cause, in_why="", in_cure="", command=None):
    before = maps_of(pid) if os.path.exists(f"/proc/{pid}") else None
    status, report = doctor(ctx, pid, command=command)
    expect((report["verdict"], report["cause"]) == (verdict, cause), lambda: f"{report['verdict']}, {report['cause']}: {report['why']}")
    expect(status == (0 if verdict == "ready" else 1), f"status {status}")
    expect(in_why in report["why"] and in_cure in report["cure"], lambda: f"{report['why']!r}, {report['cure']!r}")
    text = subprocess.run([*(command or [ctx.auditview]), "doctor", str(pid)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=GUARD).stdout
    expect(verdict in text and report["why"] in text and "\033" not in text, lambda: f"as text: {text!r}")
    expect(before is None or maps_of(pid) == before, "the target was changed")
    return report


def machine(ctx):
    status, report = doctor(ctx)
    names = [check["name"] for check in report["checks"]]
    expect({"kernel", "ptrace", "ptrace_scope", "capabilities", "clock"} <= set(names), f"checks: {names}")
    expect(len(names) == len(set(names)), f"a check twice: {names}")
    expect(status == (0 if report["ready"] else 1), f"status {status}")
    for check in report["checks"]:
        expect(check["finding"] in ("ok", "note", "no") and check["text"], lambda: f"{check}")
        expect(check["finding"] != "no" or check["cure"], lambda: f"no cure: {check}")


def hooks(ctx, python):
    with tempfile.NamedTemporaryFile("w", suffix=".py", dir=ctx.new_folder("hooked")) as script:
        script.write(HOOKED)
        script.flush()
        with Child(*python.command, script.name) as child:
            report = judged(ctx, child.pid, "ready", "fine")
            expect(report["python"].startswith(f"3.{python.minor}."), lambda: report["python"])
            seen = [(hook["kind"], hook["name"], hook["place"]) for hook in report["hooks"]]
            code = script.name
            wanted = [("python", "__main__.plain", f"{code}:3"), ("python", "__main__.Watch.write", f"{code}:5"),
                      ("python", "an instance of Watch", ""), ("python", "an instance of functools.partial", ""),
                      ("python", "_operator.is_", ""), ("python", "__main__.<lambda>", f"{code}:9")]
            expect(seen[1:] == wanted, lambda: f"hooks: {seen}")
            expect(seen[0][:2] == ("native", "Py_IsInitialized"), lambda: f"native hook: {seen[0]}")
            expect(report["hooks"][0]["place"], "the native hook's module is not reported")


def no_hooks(ctx, python):
    with Victim(ctx, python, "sleeping") as v:
        report = judged(ctx, v.pid, "ready", "fine")
        expect(report["hooks"] == [], lambda: f"hooks: {report['hooks']}")
        expect(not v.stop().get("woke_early"), "the victim was disturbed")


def thread(ctx):
    with Victim(ctx, ctx.pythons[0], "threads8") as v:
        tids = [int(t) for t in os.listdir(f"/proc/{v.pid}/task") if int(t) != v.pid]
        report = doctor(ctx, tids[0])[1]
        expect(report["cause"] == "thread" and f"-p {v.pid}" in report["cure"], lambda: f"{report}")
        v.stop()


def strict(ctx):
    with Child(sys.executable, "-S", "-c", STRICT) as child:
        wait_for(lambda: status_of(child.pid, "Seccomp") == "1", 5, "strict mode")
        judged(ctx, child.pid, "unsupported", "seccomp", "strict")


def filtered(ctx, python):
    with Child(*python.command, "-c", FILTERED_SLEEP) as child:
        report = doctor(ctx, child.pid)[1]
        if report["verdict"] != "ready":
            raise Skip(report["why"])
        expect("no system calls" in report["note"], lambda: f"note: {report['note']!r}")


def without_admin(ctx, python):
    """The same target, and an auditview that may trace but may not suspend seccomp filters."""
    with Child(*python.command, "-c", FILTERED_SLEEP) as child:
        command = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", ctx.auditview]
        ctx.needs_setpriv()
        judged(ctx, child.pid, "denied", "seccomp", "CAP_SYS_ADMIN", "sudo", command=command)


def nobody(ctx, python):
    ctx.needs_setpriv()
    binary = ctx.copy_for_all()
    with Victim(ctx, python, "sleeping") as v:
        command = [*BECOME_NOBODY, binary]
        status, report = doctor(ctx, v.pid, command=command)
        expect(status == 1 and report["cause"] == "other-user" and "sudo" in report["cure"], lambda: f"{report}")
        v.stop()


def non_dumpable(ctx, python):
    """A process of the same user that has made itself non-dumpable: prctl(PR_SET_DUMPABLE, 0)."""
    ctx.needs_setpriv()
    binary = ctx.copy_for_all()
    code = "import ctypes, time; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); print('ready', flush=True); time.sleep(600)"
    with Child(*BECOME_NOBODY, "/usr/bin/python3", "-c", code) as child:
        status, report = doctor(ctx, child.pid, command=[*BECOME_NOBODY, binary])
        expect(status == 1 and report["cause"] == "non-dumpable", lambda: f"{report}")


def traced(ctx, python):
    """A process that a real tracer holds, with whichever tracer is installed."""
    for name, command in (("strace", ["strace", "-o", "/dev/null", "-p"]), ("gdb", ["gdb", "-q", "-n", "-batch", "-ex", "shell sleep 600", "-p"])):
        if not shutil.which(name):
            continue
        with Victim(ctx, python, "sleeping") as v:
            holder = subprocess.Popen([*command, str(v.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                wait_for(lambda: status_of(v.pid, "TracerPid") != "0", 20, name)
                judged(ctx, v.pid, "busy", "traced", name, "end " + name)
            finally:
                holder.send_signal(signal.SIGINT if name == "strace" else signal.SIGTERM)
                try:
                    holder.wait(10)
                except subprocess.TimeoutExpired:
                    kill(holder)
            if name == "strace":
                v.stop()
        return
    raise Skip("neither strace nor gdb is here")


def stopped(ctx, python):
    with Victim(ctx, python, "sleeping") as v:
        os.kill(v.pid, signal.SIGSTOP)
        wait_for(lambda: status_of(v.pid, "State").startswith("T"), 5, "the target to stop")
        report = judged(ctx, v.pid, "ready", "fine")
        expect(f"kill -CONT {v.pid}" in report["note"], lambda: f"note: {report['note']!r}")
        expect(status_of(v.pid, "State").startswith("T"), "it was woken")
        os.kill(v.pid, signal.SIGCONT)
        v.stop()


def others(ctx):
    judged(ctx, 0x3fffffff, "unsupported", "no-process")
    with Child("sh", "-c", "echo ready; read line") as child:
        judged(ctx, child.pid, "unsupported", "not-python", "_PyRuntime")
    process = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    wait_for(lambda: (status_of(process.pid, "State") or "").startswith("Z"), 10, "a zombie")
    judged(ctx, process.pid, "unsupported", "zombie", str(os.getpid()))
    process.wait()
    done = subprocess.run([ctx.auditview, "doctor", "app.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    expect(done.returncode == 2 and "app.py" in done.stderr, lambda: f"{done.returncode}, {done.stderr!r}")


def pid_namespace(ctx, python):
    """A target that is pid 1 of its namespace."""
    if not shutil.which("unshare"):
        raise Skip("unshare is not here")
    command = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child"]
    with Child(*command, *python.command, "-c", "print('ready', flush=True); import time; time.sleep(600)") as child:
        with open(f"/proc/{child.pid}/task/{child.pid}/children", encoding="ascii") as f:
            inner = int(f.read().split()[0])
        report = judged(ctx, inner, "ready", "fine")
        expect("its pid is 1" in report["note"], lambda: f"note: {report['note']!r}")


# prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN), Linux 6.3.
MDWE = """
import ctypes, sys, time
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    raise SystemExit("no PR_SET_MDWE here")
print("ready", flush=True)
while True:
    sys.audit("mark.x")
    time.sleep(0.01)
"""


def states(ctx, python):
    """Return (name, function that makes a process in that state, prefix of the commands that examine it), for states
    that can be attached to and states that cannot."""
    import check_refusals as r
    command = [*python.command, "-c"]
    for name, text in (("ending", r.ENDING), ("strict seccomp", STRICT), ("no memory", r.FULL), ("no data", r.DATA), ("no mappings", r.MAPPINGS),
                       ("vfork", r.VFORK), ("no new executable memory", MDWE), ("a filter", FILTERED_SLEEP), ("a filter and a wait", r.FILTERED_WAIT), ("hooked", HOOKED),
                       ("a wait with a timeout", r.FILTERED_WAIT.replace(FILTERED_IF, "if False:"))):
        yield name, lambda t=text: Child(*command, t), ()
    for name, text in (("PyPy", r.PYPY), ("the future", r.FUTURE)):
        yield name, lambda t=text: Child(r.compiled(ctx, t)), ()
    for each in ctx.for_all_pythons()[:1]:
        for name, text in (("no descriptors", r.DESCRIPTORS), ("a wait with a timeout, as nobody", r.FILTERED_WAIT.replace(FILTERED_IF, "if False:")),
                           ("a filter, as nobody", FILTERED_SLEEP), ("asleep, as nobody", "import time; print('ready', flush=True); time.sleep(600)")):
            yield name, lambda t=text, p=each: Child(*AS_NOBODY, *p.command, "-S", "-c", t), AS_NOBODY


def agrees(ctx, make, prefix, is_asleep):
    """doctor says "ready" if and only if an attach succeeds; otherwise both give the same reason."""
    other = ctx.for_nobody() if prefix else ctx
    with make() as process:
        if is_asleep:
            wait_asleep(process.pid)
        status, report = doctor(other, process.pid, command=[*prefix, other.auditview])
        out = os.path.join(other.new_folder("agrees"), "capture.avc")
        done = subprocess.run([*prefix, other.auditview, "record", "-p", str(process.pid), "-o", out, "--duration", "0.1"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=GUARD)
        expect((done.returncode == 0) == report["ready"] == (status == 0),
               lambda: f"doctor: {status}, {report['verdict']}, {report['why']!r}; record: {done.returncode}, {done.stderr!r}")
        expect(report["ready"] or report["why"] in done.stderr, lambda: f"doctor: {report['why']!r}; record: {done.stderr!r}")
        expect(process.poll() is None, "the target ended")


def victim_lines():
    """Number of each line of recursing.py that calls, by its text."""
    with open(victim_path("recursing"), encoding="utf-8") as f:
        return {line.strip(): i for i, line in enumerate(f.read().splitlines(), 1)}


def wrong_in_stack(frames, lines):
    """What is wrong with the stack of a thread of recursing.py, None if the program can have it. Each function there calls known
    ones from known lines, so frames of two moments do not fit together."""
    calls = {("a", lines["return b(n - 1) if n else 0"]): {"b"}, ("b", lines["return c(n - 1) if n else 0"]): {"c"},
             ("c", lines["return a(n - 1) if n else 0"]): {"a"}, ("gen", lines["yield from gen(n - 1)"]): {"gen"},
             ("once", lines["a(depth)"]): {"a"}, ("once", lines["for _ in gen(6): pass  # noqa: E701"]): {"gen"},
             ("rounds", lines["once()"]): {"once"}}
    names = [(function.rsplit(".", 1)[-1], file.endswith("recursing.py"), int(line)) for function, file, line in frames]
    own = [i for i, (_, is_own, _) in enumerate(names) if is_own]
    if not own:
        return None
    if own != list(range(own[0], own[-1] + 1)):
        return "frames of other files between those of the program"
    if [name for name, _, _ in names[own[-1] + 1:]] != ["run", "_bootstrap_inner", "_bootstrap"]:
        return "what is below the program's frames"
    if names[own[-1]][0] not in ("once", "rounds", "maker"):
        return "the outermost function of the program"
    for i in own[1:]:
        if names[i - 1][0] not in calls.get((names[i][0], names[i][2]), ()):
            return f"{names[i]} calls {names[i - 1]}"
    if names[own[0]][0] == "maker" or own[0] == 0:
        return None
    return f"{names[own[0]]} calls {names[own[0] - 1]}"


def check_readings(text, truth, counts, lines):
    """Check what read_stacks printed, and count by kind and name of the thread."""
    for line in text.splitlines():
        if line == "-":
            counts["readings"] += 1
            continue
        head, *rest = line.split("\t")
        kind, _, _, name, wait, _, is_whole = head.split("|")
        frames = [tuple(frame.split("|")) for frame in rest]
        # A name is read from a dict that other threads write; if that fails, it is the kernel's.
        if name not in truth and kind == "S" and frames in truth.values():
            counts["without its name"] += 1
            name = next(n for n in truth if truth[n] == frames)
        counts[kind, name] += 1
        if name in truth:
            expect(kind == "S" and frames == truth[name], lambda: f"{head}: {frames}, but it is at {truth[name]}")
            expect(wait.startswith("reading" if name == "MainThread" else "sleeping"), lambda: f"{name} waits: {wait!r}")
        elif kind == "S":
            expect(is_whole == "1", lambda: f"the stack of {name} is broken: {frames}")
            wrong = wrong_in_stack(frames, lines)
            expect(wrong is None, lambda: f"a stack that the program never has: {wrong}, in {frames}")


def read_stacks(ctx, pid, times):
    reader = os.path.join(os.path.dirname(ctx.auditview), "tests", "native", "read_stacks")
    done = subprocess.run([reader, str(pid), str(times)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=300)
    expect(done.returncode == 0, lambda: f"status {done.returncode}: {done.stderr!r}")
    return done.stdout


def stacks(ctx, python, times):
    """Stacks of threads that wait are those that they print themselves; of threads that run, each is one that the program can
    have at one moment, or none is shown."""
    lines, counts, truth = victim_lines(), collections.Counter(), {}
    victim = subprocess.Popen([*python.command, victim_path("recursing")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        for line in iter(victim.stdout.readline, "ready\n"):
            expect(line.startswith("frames "), lambda: f"the program wrote {line!r}")
            name, *frames = line.split()[1:]
            truth[name] = [tuple(frame.split("|")) for frame in frames]
        for line in iter(victim.stdout.readline, ""):  # the main thread prints last
            truth[line.split()[1]] = [tuple(frame.split("|")) for frame in line.split()[2:]]
            break
        # Both need the GIL once more before they wait.
        wait_for(lambda: all(re.search(rf"^S\|S\|-\|{name}\|(?!waiting)", read_stacks(ctx, victim.pid, 1), re.M) for name in truth), 20,
                 "both threads to wait")
        while not counts["S", "rounds"] or counts["readings"] < times:
            n = min(times, 200)
            check_readings(read_stacks(ctx, victim.pid, n), truth, counts, lines)
            expect(counts["S", "rounds"] or counts["readings"] < 100 * n, lambda: f"the stack of a thread that runs was never read: {counts}")
        expect(all(counts["S", name] == counts["readings"] for name in truth) and len(truth) == 2, lambda: f"{counts}")
        expect(counts["without its name"] * 20 <= counts["readings"], lambda: f"{counts}")
        expect(counts["E", "rounds"] == counts["N", "rounds"] == 0, lambda: f"{counts}")
        victim.stdin.close()
        expect(victim.wait(GUARD) == 0, lambda: f"the program ended with {victim.returncode}")
    finally:
        kill(victim)


def stacks_of(ctx, python):
    """The command itself, as text and JSON."""
    code = "import os\ndef inner():\n    print('ready', flush=True); os.read(0, 1)\ndef outer(): inner()\nouter()"
    folder = ctx.new_folder("stacks")
    script = os.path.join(folder, "wai\033ting.py")
    with open(script, "w", encoding="utf-8") as f:
        f.write(code)
    with Child(*python.command, script) as child:
        wait_for(lambda: status_of(child.pid, "State").startswith("S"), 20, "the program to wait")
        before = maps_of(child.pid)
        status, report = doctor(ctx, child.pid, "--stacks")
        expect(status == 0 and len(report["threads"]) == 1, lambda: f"{status}, {report}")
        thread = report["threads"][0]
        got = [(f["func"], os.path.basename(f["file"]), f["line"]) for f in thread["stack"]]
        name = "wai\033ting.py"
        expect(got == [("inner", name, 3), ("outer", name, 4), ("<module>", name, 5)], lambda: f"{thread}")
        expect(thread["wait"].startswith("reading pipe:") and thread["kind"] == "read", lambda: f"{thread}")
        done = subprocess.run([ctx.auditview, "doctor", str(child.pid), "--stacks"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        expect(re.search(r"^process \d+  .*Python 3[.].*ago", done.stdout) and "reading pipe:" in done.stdout, lambda: f"{done}")
        expect(re.search(r"   0  inner  .*wai\\x1bting[.]py:3\n +1  outer  ", done.stdout) and "\033" not in done.stdout, lambda: f"{done}")
        expect(maps_of(child.pid) == before, "the target was changed")
    with Child("sh", "-c", "echo ready; read word") as other:
        for words, status, want in (((), 2, "needs a process id"), ((str(other.pid),), 1, "cannot"), (("99999999",), 1, "99999999")):
            done = subprocess.run([ctx.auditview, "doctor", *words, "--stacks"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            expect(done.returncode == status and want in done.stderr, lambda: f"{words}: {done}")


LAZY = r"""
import ctypes, select, sys
wait = ctypes.CDLL(None).epoll_wait
epoll, event = select.epoll(), ctypes.create_string_buffer(16)
epoll.register(0, select.EPOLLIN)
print("ready", flush=True)
while wait(epoll.fileno(), event, 1, 60000) == 1 and sys.stdin.buffer.raw.read(1):
    sys.audit("doctor.woken")
"""


def attached_at_an_event(ctx, python):
    """Every thread waits in a call that a stop would end early: the recorder waits for an event, and then watches. Both times,
    doctor says that it is attached, and the second time that the hook is auditview's."""
    target = subprocess.Popen([*python.command, "-S", "-c", LAZY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        expect(target.stdout.readline() == b"ready\n", "it did not start")
        wait_for(lambda: open(f"/proc/{target.pid}/stat").read().rpartition(")")[2].split()[0] == "S", 20, "it to wait")
        with harness.Recorder(ctx, target.pid) as recorder:
            def attached():
                answer = doctor(ctx, target.pid)[1]
                return answer if answer["hooks"] and answer["cause"] == "attached" else None
            first = wait_for(attached, 30, "doctor to see the recorder that waits")
            expect(str(recorder.process.pid) in first["why"], lambda: f"another process than {recorder.process.pid}: {first['why']}")
            target.stdin.write(b"!")
            target.stdin.flush()
            wait_for(lambda: [h["name"] for h in doctor(ctx, target.pid)[1]["hooks"]] == ["auditview"], 30, "the hook to be auditview's")
            expect(doctor(ctx, target.pid)[1]["cause"] == "attached", "doctor does not see the recorder any more")
            target.kill()
            recorder.process.wait(30)
    finally:
        target.stdin.close()
        target.kill()
        target.wait()
        target.stdout.close()


def cells(ctx):
    python = ctx.some_pythons(12)[0]
    yield "this machine", None, lambda: machine(ctx)
    for each in ctx.pythons:
        yield "hooks by name", each, lambda p=each: hooks(ctx, p)
    often = ctx.some_pythons(8, 14)[:2] + ctx.free_threaded()
    for each in ctx.pythons:
        times = 10000 if ctx.full else 300 if each in often else 6
        yield "stacks now", each, lambda p=each, n=times: stacks(ctx, p, n)
    yield "stacks, the command", python, lambda: stacks_of(ctx, python)
    for name, make, prefix in states(ctx, python):
        yield f"as record: {name}", python, lambda m=make, p=prefix, s=name != "no new executable memory": agrees(ctx, m, p, s)
    yield "attached at an event", python, lambda: attached_at_an_event(ctx, python)
    yield "no hooks", python, lambda: no_hooks(ctx, python)
    yield "a thread's number", None, lambda: thread(ctx)
    yield "seccomp, strict", None, lambda: strict(ctx)
    yield "seccomp, a filter", python, lambda: filtered(ctx, python)
    yield "seccomp, no CAP_SYS_ADMIN", python, lambda: without_admin(ctx, python)
    yield "another user's", python, lambda: nobody(ctx, python)
    yield "not dumpable", None, lambda: non_dumpable(ctx, python)
    yield "traced", python, lambda: traced(ctx, python)
    yield "stopped", python, lambda: stopped(ctx, python)
    yield "not there, not Python, zombie, no number", None, lambda: others(ctx)
    yield "pid 1 of a namespace", python, lambda: pid_namespace(ctx, python)
