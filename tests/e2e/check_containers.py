"""containers: targets in other namespaces and under another root, attached to and launched from outside.

The other root is the one that tests/pythons.sh unpacks from Debian sid: it has its own libc and Pythons, and no shell,
no /etc, nothing of auditview. programs/contain.py makes the namespaces; a cell that the kernel does not allow is
skipped.
"""
import datetime
import json
import os
import shutil
import subprocess
import sys
import time

import harness
import refhook
from harness import (Capture, Fail, Recorder, Skip, Victim, expect, expect_goodbye, expect_same_maps, foreign_maps, maps_of, status_of,
                     victim_path, wait_for)

CONTAIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "contain.py")
CACHE = os.environ.get("AUDITVIEW_TEST_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "auditview-tests")
ROOT = os.path.join(CACHE, "sid", "root")
ALL = "mnt,pid,net,ipc,uts,cgroup"


class Inner:
    """A Python of the other root, by its path in that root."""

    def __init__(self, minor):
        self.name = f"3.{minor} of another root"
        self.command = [f"/usr/bin/python3.{minor}"]
        self.minor = minor


def contained(ctx, namespaces, root=True, more=()):
    """The beginning of a command line that runs a command in a container."""
    prefix = [sys.executable, "-S", CONTAIN, "--ns", namespaces, *more]
    if root:
        stage = ctx.new_folder("stage")
        prefix += ["--root", ROOT, "--stage", stage, "--bind", f"{harness.VICTIMS}={harness.VICTIMS}", "--bind", f"{ctx.folder}={ctx.folder}"]
    return [*prefix, "--"]


def need_root():
    if not os.path.exists(os.path.join(ROOT, "usr", "bin", "python3.14")):
        raise Skip("Debian sid's Pythons are not unpacked (tests/pythons.sh --sid)")


def try_contained(ctx, python, namespaces, root, more):
    """Skip if the kernel does not allow the container; returns Python's version."""
    done = subprocess.run([*contained(ctx, namespaces, root, more), *python.command, "-S", "-c", "import platform; print(platform.python_version())"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
    if done.returncode == 125:
        raise Skip(f"the kernel does not allow it: {done.stderr.strip()[-200:]}")
    expect(done.returncode == 0, lambda: f"contain.py: {done.returncode}: {done.stderr[-300:]}")
    return done.stdout.strip()


def outer_pid(process, namespaces):
    """The pid of the target outside its namespace: contain.py's only child, or what that child became."""
    if "pid" not in namespaces.split(","):
        return process.pid
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as f:
        return int(f.read().split()[0])


def inner_pids(events):
    """Return {pid: pid in its own namespace}; the first event of a process tells both if they differ."""
    return {e["pid"]: e["process"].get("ns_pid", e["pid"]) for e in events if "process" in e}


def doctor(ctx, pid):
    done = subprocess.run([ctx.auditview, "doctor", "--json", str(pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
    expect(done.returncode == 0, lambda: f"doctor ended with {done.returncode}: {done.stdout[-300:]} {done.stderr[-300:]}")
    text = subprocess.run([ctx.auditview, "doctor", str(pid)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=harness.GUARD).stdout
    return done.stdout, text


def attached(ctx, python, namespaces, root=True, more=(), before=()):
    """Attach from outside and detach, twice: the marks have no gap, both pids are known, nothing is left behind."""
    if root:
        need_root()
    version = try_contained(ctx, python, namespaces, root, more)
    with Victim(ctx, python, "busy", prefix=[*before, *contained(ctx, namespaces, root, more)]) as v:
        pid = outer_pid(v.process, namespaces)
        inner = int(status_of(pid, "NSpid").split()[-1])
        expect(v.pid == inner, f"it is {v.pid} for itself, {inner} by NSpid")
        report, text = doctor(ctx, pid)
        expect('"ready"' in report, lambda: f"doctor: {report[:600]}")
        if "pid" in namespaces:
            expect("its pid is 1" in report and " 1" in text, lambda: f"doctor names no inner pid: {text[-600:]}")
        if set(namespaces.split(",")) & {"pid", "mnt"}:
            expect("container" in text or "namespaces" in text, lambda: f"doctor does not speak of a container: {text[-600:]}")
        for _ in range(2):
            before_maps = maps_of(pid)
            with Recorder(ctx, pid) as recorder:
                recorder.wait_attached()
                recorder.wait_events(2, "victim.mark")
                expect_goodbye(recorder.stop())
                left = foreign_maps(maps_of(pid))
                expect(not left, lambda: f"left behind: {left}")
                expect_same_maps(before_maps, maps_of(pid), False)
                events = recorder.capture.events()
                numbers = [e["args"]["0"] for e in events if e["event"] == "victim.mark"]
                expect(len(numbers) > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers))), lambda: f"marks: {numbers[:30]}")
                expect({e["pid"] for e in events} == {pid}, lambda: f"pids {sorted({e['pid'] for e in events})}, expected {pid}")
                expect(inner_pids(events) == {pid: inner}, lambda: f"pids {inner_pids(events)}, expected {pid}: {inner}")
                expect({e["python"] for e in events} == {version}, lambda: f"python {events[0]['python']}, expected {version}")
                expect(os.path.basename(events[-1]["stack"][-1]["file"]) == "busy.py", lambda: f"stack: {events[-1]['stack']}")
        truth = v.stop()
        expect(not truth.get("lost"), lambda: f"the victim was disturbed: {truth}")


def children(ctx, python):
    """Forks in a container: each child is known by both pids, under its parent."""
    need_root()
    try_contained(ctx, python, ALL, True, ())
    with Victim(ctx, python, "forking", prefix=contained(ctx, ALL)) as v:
        pid = outer_pid(v.process, ALL)
        with Recorder(ctx, pid, "-f") as recorder:
            recorder.wait_attached()
            wait_for(lambda: recorder.process.poll() is not None or os.path.getsize(recorder.path) > 20000, 20, "events of children")
            expect_goodbye(recorder.stop())
            known = inner_pids(recorder.capture.events())
            expect(len(known) >= 4, f"{len(known)} processes")
            # A pid of the inner namespace must not be shown as a pid of ours. (For processes that were there before, or
            # were forked during the attach, and that ended before they were read, it is unknown.)
            wrong = [pair for pair in list(known.items())[8:] if pair[0] == pair[1]]
            expect(not wrong, lambda: f"processes with only one pid: {wrong[:8]} of {len(known)}")
        truth = v.stop()
        expect(not truth["bad_children"], lambda: f"the victim was disturbed: {truth}")


def launched(ctx, python, namespaces, more=()):
    """Launch through the program that makes the container, which is a Python too: every event is recorded, exactly."""
    need_root()
    try_contained(ctx, python, namespaces, True, more)
    folder = ctx.new_folder("launch-contained")
    reference = os.path.join(folder, "reference")
    os.mkdir(reference)
    shutil.copy(ctx.refhook, folder)
    hook = os.path.join(folder, os.path.basename(ctx.refhook))
    capture = Capture(ctx, os.path.join(folder, "capture.avc"))
    done = subprocess.run([ctx.auditview, "record", "-s", "1M", "-o", capture.path, "--", *contained(ctx, namespaces, True, more), *python.command,
                           victim_path("forking"), "--rounds", "3"], env={**os.environ, "LD_PRELOAD": hook, "REFHOOK_DIR": reference},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, stdin=subprocess.DEVNULL)
    expect(done.returncode == harness.STATUS, lambda: f"status {done.returncode}: {done.stderr[-400:]}")
    wanted, captured = refhook.read(reference), refhook.rows_of(by_inner_pid(capture.each()))
    expect(wanted.total() > 100, "the reference hook saw nothing: the test is broken")
    ours = {key: row for key, row in wanted.items()}
    differences = refhook.differences(refhook.Rows(ours), captured)
    expect(not differences, lambda: f"{wanted.total()} raised: " + "; ".join(differences[:5]))
    expect_goodbye(done.stderr, ended=True)


def by_inner_pid(events):
    """Index events by the pids and tids that the process itself sees, as the reference hook does."""
    inner = {}
    for event in events:
        if "process" in event:
            inner[event["pid"]] = event["process"].get("ns_pid", event["pid"])
        pid = inner.get(event["pid"], event["pid"])
        event["tid"] = pid if event["tid"] == event["pid"] else event["tid"]
        event["pid"] = pid
        yield event


def maps_alike(ctx, python):
    """An idle target, in all namespaces and under another root: the text of its mappings is the same before and
    after."""
    need_root()
    try_contained(ctx, python, ALL, True, ())
    with Victim(ctx, python, "sleeping", prefix=contained(ctx, ALL)) as v:
        pid = outer_pid(v.process, ALL)
        v.settle()
        before = maps_of(pid)
        opened = sorted(os.listdir(f"/proc/{pid}/fd"))
        with Recorder(ctx, pid) as recorder:
            recorder.wait_attached()
            recorder.wait_events(1)
            expect_goodbye(recorder.stop())
        expect_same_maps(before, maps_of(pid), True)
        expect(sorted(os.listdir(f"/proc/{pid}/fd")) == opened, "open files differ")
        v.stop()


def from_inside(ctx, python):
    """auditview in a user namespace below the target's is refused with the cause; the target is untouched."""
    with Victim(ctx, python, "busy") as v:
        before = v.maps()
        done = subprocess.run([sys.executable, "-S", CONTAIN, "--ns", "user", "--", ctx.auditview, "record", "-p", str(v.pid), "-o",
                               os.path.join(v.folder, "capture.avc")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=harness.GUARD)
        if done.returncode == 125:
            raise Skip(f"the kernel does not allow it: {done.stdout.strip()[-200:]}")
        expect(done.returncode == 1 and "user namespace" in done.stdout, lambda: f"{done.returncode}: {done.stdout[-400:]}")
        expect_same_maps(before, v.maps(), False)
        v.stop()


# With this prefix the recorder sees a processor whose time stamp counter is not reliable.
NO_TSC = ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" /proc/cpuinfo && shift && exec "$@"', "sh"]


def time_namespace(ctx, python, use_tsc, is_ours):
    """A target whose CLOCK_MONOTONIC differs from the recorder's: the target's own time namespace, its children's, or
    the recorder's."""
    ahead = ["unshare", "--time", "--monotonic", "100000", "--fork", "--kill-child"]
    prefix = [] if use_tsc else [*NO_TSC, os.path.join(ctx.new_folder("time"), "cpuinfo")]
    if prefix:
        with open("/proc/cpuinfo") as real, open(prefix[-1], "w") as file:
            file.write(real.read().replace("constant_tsc", "").replace("nonstop_tsc", ""))
    for command in ([*ahead, "true"], [*prefix, "true"]):
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        except OSError as error:
            raise Skip(str(error)) from None
        if done.returncode:
            raise Skip(f"not allowed here: {done.stdout.strip()[-200:]}")
    if is_ours:
        prefix = [*prefix, "unshare", "--time", "--monotonic", "70000", "sh", "-c", 'exec "$@"', "sh"]
    with Victim(ctx, python, "clocks", "30000", prefix=[] if is_ours else ahead) as v:
        with Recorder(ctx, v.pid, "-f", prefix=prefix) as recorder:
            recorder.wait_linked()
            kinds = set()

            def has_all():
                recorder.capture.cached = None
                return {e["args"]["2"] for e in recorder.capture.named("victim.mark")} >= {"self", "child", "after unshare", "grandchild"}
            recorder.wait_events(1)
            wait_for(has_all, harness.GUARD, "marks of all kinds")
            recorder.capture.cached = None
            expect_goodbye(recorder.stop())
        v.stop()
    # The two clocks were compared when the recorder started. They may drift and be adjusted, but by less than this. If
    # the target's clock were behind, all its marks would have the time of the capture's first moment.
    marks = recorder.capture.named("victim.mark")
    expect(len({e["ts_ns"] for e in marks}) == len(marks), "marks of one time")
    for event in marks:
        told, kind = event["args"]["1"], event["args"]["2"]
        seen = datetime.datetime.fromisoformat(event["time"][:26] + "+00:00").timestamp()
        expect(abs(seen - told) < 60, lambda: f"a mark ({kind}) of {told:.3f} is shown at {seen:.3f}")
        kinds.add(kind)
    expect(kinds == {"self", "child", "after unshare", "grandchild"}, lambda: f"only marks of {kinds}")


def cells(ctx):
    for use_tsc in (True, False):
        clock = "TSC" if use_tsc else "vdso"
        for python in ctx.some_pythons(12):
            yield f"time namespace, {clock}", python, lambda p=python, t=use_tsc: time_namespace(ctx, p, t, False)
            yield f"own time namespace, {clock}", python, lambda p=python, t=use_tsc: time_namespace(ctx, p, t, True)
    host = ctx.some_pythons(11)[0]
    for minor in (13, 14, 15) if ctx.full else (14,):
        inner = Inner(minor)
        yield "pivot_root, all namespaces", inner, lambda p=inner: attached(ctx, p, ALL)
        yield "mappings alike", inner, lambda p=inner: maps_alike(ctx, p)
        yield "children", inner, lambda p=inner: children(ctx, p)
        yield "launched, pivot_root", inner, lambda p=inner: launched(ctx, p, ALL)
        yield "launched, chroot", inner, lambda p=inner: launched(ctx, p, "mnt", ("--chroot",))
        if ctx.full:
            yield "chroot, mount namespace", inner, lambda p=inner: attached(ctx, p, "mnt", True, ("--chroot",))
            yield "with a user namespace", inner, lambda p=inner: attached(ctx, p, "user," + ALL)
    for namespaces in ("mnt", "pid", "user", "net", "user,pid,net,ipc") if ctx.full else ("user,net",):
        yield "namespaces " + namespaces, host, lambda n=namespaces: attached(ctx, host, n, False)
    if shutil.which("setpriv") and os.access("/usr/bin/python3", os.X_OK):
        yield "rootless", None, lambda: rootless(ctx)
    yield "from inside another user namespace", host, lambda: from_inside(ctx, host)


def rootless(ctx):
    """The container is made by a user without privileges, who is root inside it."""
    if os.geteuid():
        raise Skip("not root: cannot become another user")
    python = harness.Python("system", ["/usr/bin/python3"])
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-S"]
    folder = ctx.new_folder("rootless")
    for path in (folder, ctx.folder):
        os.chmod(path, 0o755)
    for name in ("busy.py", "victim.py"):
        shutil.copy(os.path.join(harness.VICTIMS, name), folder)
    contain = shutil.copy(CONTAIN, folder)
    stop = os.path.join(folder, "stop")
    command = [*drop, contain, "--ns", "user,pid,net,ipc", "--", *python.command, os.path.join(folder, "busy.py"), "--until", stop]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, cwd="/") as process:
        try:
            line = process.stdout.readline()
            if not line:
                raise Skip(f"the kernel does not allow it: {process.stderr.read().strip()[-200:]}")
            expect(json.loads(line).get("ready") == 1, lambda: f"it said {line!r}")
            pid = outer_pid(process, "pid")
            with Recorder(ctx, pid) as recorder:
                recorder.wait_attached()
                recorder.wait_events(2, "victim.mark")
                expect_goodbye(recorder.stop())
                events = recorder.capture.events()
                expect(len(recorder.capture.named("victim.mark")) > 1 and inner_pids(events) == {pid: 1}, lambda: f"{len(events)} events, {inner_pids(events)}")
            expect(not foreign_maps(maps_of(pid)), "left behind")
            open(stop, "w").close()
            process.wait(harness.GUARD)
            if process.returncode != harness.STATUS:
                raise Fail(f"the target ended with {process.returncode}: {process.stderr.read()[-300:]}")
        finally:
            harness.kill(process)
