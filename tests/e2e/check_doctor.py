"""doctor: what it reports of processes that can be attached to, and of each kind that cannot; the hooks of a process,
by name.

doctor calls the same function as attach. These cells check its own answers: verdict, cause, hooks, exit status, and
that the target does not notice.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from harness import AS_NOBODY, BECOME_NOBODY, STRICT, Child, Skip, Victim, expect, kill, maps_of, status_of, wait_for

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
time.sleep(60)
"""

# prctl(PR_SET_SECCOMP): 2 with a filter that allows everything; harness.STRICT is 1.
FILTERED = """
import ctypes, struct, time
class Program(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("code", ctypes.c_char_p)]
libc = ctypes.CDLL(None)
program = Program(1, struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program), 0, 0):
    raise SystemExit("no seccomp here")
print("ready", flush=True)
time.sleep(60)
"""


def doctor(ctx, *words, command=None):
    """Run doctor; returns (exit status, parsed JSON)."""
    done = subprocess.run([*(command or [ctx.auditview]), "doctor", "--json", *map(str, words)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    expect(done.stdout.startswith("{"), lambda: f"no JSON: status {done.returncode}, {done.stderr[-300:]!r}")
    return done.returncode, json.loads(done.stdout)


def judged(ctx, pid, verdict, cause, in_why="", in_cure="", command=None):
    before = maps_of(pid) if os.path.exists(f"/proc/{pid}") else None
    status, report = doctor(ctx, pid, command=command)
    expect((report["verdict"], report["cause"]) == (verdict, cause), lambda: f"{report['verdict']}, {report['cause']}: {report['why']}")
    expect(status == (0 if verdict == "ready" else 1), f"status {status}")
    expect(in_why in report["why"] and in_cure in report["cure"], lambda: f"{report['why']!r}, {report['cure']!r}")
    text = subprocess.run([*(command or [ctx.auditview]), "doctor", str(pid)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=30).stdout
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
    with Child(*python.command, "-c", FILTERED) as child:
        report = doctor(ctx, child.pid)[1]
        if report["verdict"] != "ready":
            raise Skip(report["why"])
        expect("no system calls" in report["note"], lambda: f"note: {report['note']!r}")


def without_admin(ctx, python):
    """The same target, and an auditview that may trace but may not suspend seccomp filters."""
    with Child(*python.command, "-c", FILTERED) as child:
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
    code = "import ctypes, time; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); print('ready', flush=True); time.sleep(60)"
    with Child(*BECOME_NOBODY, "/usr/bin/python3", "-c", code) as child:
        status, report = doctor(ctx, child.pid, command=[*BECOME_NOBODY, binary])
        expect(status == 1 and report["cause"] == "non-dumpable", lambda: f"{report}")


def traced(ctx, python):
    """A process that a real tracer holds, with whichever tracer is installed."""
    for name, command in (("strace", ["strace", "-o", "/dev/null", "-p"]), ("gdb", ["gdb", "-q", "-n", "-batch", "-ex", "shell sleep 20", "-p"])):
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
                    holder.wait(5)
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
    with Child(*command, *python.command, "-c", "print('ready', flush=True); import time; time.sleep(60)") as child:
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
                       ("vfork", r.VFORK), ("no new executable memory", MDWE), ("a filter", FILTERED), ("a filter and a wait", r.FILTERED_WAIT), ("hooked", HOOKED),
                       ("a wait with a timeout", r.FILTERED_WAIT.replace(r.FILTER_IF, "if False:"))):
        yield name, lambda t=text: Child(*command, t), ()
    for name, text in (("PyPy", r.PYPY), ("the future", r.FUTURE)):
        yield name, lambda t=text: Child(r.compiled(ctx, t)), ()
    for each in ctx.for_all_pythons()[:1]:
        for name, text in (("no descriptors", r.DESCRIPTORS), ("a wait with a timeout, as nobody", r.FILTERED_WAIT.replace(r.FILTER_IF, "if False:")),
                           ("a filter, as nobody", FILTERED), ("asleep, as nobody", "import time; print('ready', flush=True); time.sleep(60)")):
            yield name, lambda t=text, p=each: Child(*AS_NOBODY, *p.command, "-S", "-c", t), AS_NOBODY


def agrees(ctx, make, prefix):
    """doctor says "ready" if and only if an attach succeeds; otherwise both give the same reason."""
    other = ctx.for_nobody() if prefix else ctx
    with make() as process:
        time.sleep(0.2)
        status, report = doctor(other, process.pid, command=[*prefix, other.auditview])
        out = os.path.join(other.new_folder("agrees"), "capture.avc")
        done = subprocess.run([*prefix, other.auditview, "record", "-p", str(process.pid), "-o", out, "--duration", "0.1"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        expect((done.returncode == 0) == report["ready"] == (status == 0),
               lambda: f"doctor: {status}, {report['verdict']}, {report['why']!r}; record: {done.returncode}, {done.stderr!r}")
        expect(report["ready"] or report["why"] in done.stderr, lambda: f"doctor: {report['why']!r}; record: {done.stderr!r}")
        expect(process.poll() is None, "the target ended")


def cells(ctx):
    python = ctx.some_pythons(12)[0]
    yield "this machine", None, lambda: machine(ctx)
    for each in ctx.pythons:
        yield "hooks by name", each, lambda p=each: hooks(ctx, p)
    for name, make, prefix in states(ctx, python):
        yield f"as record: {name}", python, lambda m=make, p=prefix: agrees(ctx, m, p)
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
