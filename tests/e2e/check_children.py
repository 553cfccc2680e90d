"""children: children of every kind, through exec, shells and daemons, are recorded, have their place in the tree, and
do not notice.

programs/children.py must print the same when it runs alone, when auditview launches it, and when auditview attaches to
it.
"""
import os
import re
import shutil
import signal
import subprocess
import time

import harness
from harness import Capture, Fail, Launch, Skip, expect, expect_goodbye, foreign_maps, maps_of, status_of, wait_for

CHILDREN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "children.py")


def by_itself(python, *arguments, cwd):
    done = subprocess.run([*python.command, CHILDREN, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120, cwd=cwd)
    expect(not done.stderr, lambda: f"by itself: {done.stderr[-300:]}")
    return done.returncode, done.stdout


def launch(ctx, python, *arguments, options=(), timeout=240):
    folder = ctx.new_folder("children-" + arguments[0])
    capture = Capture(ctx, os.path.join(folder, "capture.avc"))
    process = subprocess.Popen([ctx.auditview, "record", "-o", capture.path, *options, "--", *python.command, CHILDREN, *arguments],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, start_new_session=True)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        state = harness.session_state(process.pid)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise Fail(f"not ended after {timeout} s: {state}") from None
    return process.returncode, out, err, capture


def processes(events):
    """Return {pid: [the facts about each of its programs]}."""
    found = {}
    for e in events:
        if "process" in e:
            found.setdefault(e["pid"], []).append(e["process"])
    return found


def as_by_itself(ctx, python, what, other):
    """The launched program prints and returns what it does alone. Returns the capture."""
    alone = by_itself(python, what, *other.command, cwd=ctx.new_folder("alone"))
    status, out, err, capture = launch(ctx, python, what, *other.command)
    expect((status, out) == alone, lambda: f"status {status}, by itself {alone[0]}: {out!r} is not {alone[1]!r}; {err[-300:]}")
    expect_goodbye(err, ended=True)
    return capture


def statuses(ctx, python, other):
    """Exit statuses, signals, stops and SIGCHLD reach the parent as usual."""
    as_by_itself(ctx, python, "statuses", other)


def statuses_attached(ctx, python, other):
    folder = ctx.new_folder("alone")
    alone = by_itself(python, "statuses", *other.command, cwd=folder)
    for _ in range(10):  # on a busy machine it may end before it was visited twice
        if visited_often(ctx, python, other, folder, alone) > 1:
            return
    raise Fail("it was never visited twice: the test is broken")


def visited_often(ctx, python, other, folder, alone):
    process = subprocess.Popen([*python.command, CHILDREN, "statuses", *other.command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    visits = 0
    while process.poll() is None:
        done = subprocess.run([ctx.auditview, "record", "-f", "-p", str(process.pid), "--duration", "80ms", "-o", os.path.join(folder, "c.avc")],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=harness.GUARD)
        visits += done.returncode == 0
        expect(done.returncode == 0 or re.search("no such|loading Python|interpreter|ending|ended|gone|no CPython", done.stdout, re.I), lambda: done.stdout[-300:])
    out = process.communicate()[0]
    expect((process.returncode, out) == alone, lambda: f"status {process.returncode}: {out!r} is not {alone[1]!r} after {visits} visits")
    return visits


def spawns(ctx, python, other):
    """Each child is in the capture with its version, its command line and its parent."""
    capture = as_by_itself(ctx, python, "spawns", other)
    marks = {e["args"]["0"]: e for e in capture.events() if e["event"] == "children.mark"}
    wanted = {f"{name} {how}" for name in ("here", "other") for how in ("spawned", "vforked", "forked", "piped", "about to exec", "execed")} | {"last"}
    expect(marks.keys() == wanted, lambda: f"marks missing: {wanted - marks.keys()}, more: {marks.keys() - wanted}")
    images, root = processes(capture.events()), capture.events()[0]["pid"]
    for mark, event in marks.items():
        version = python.version_text if mark.startswith("here") or mark.endswith("to exec") else other.version_text
        expect(event["python"] == version, f"{mark}: python {event['python']}, expected {version}")
        image = images[event["pid"]][-1]
        if mark != "last" and not mark.endswith("to exec"):
            expect(image["argv"][1:3] == ["-S", "-c"], lambda: f"{mark}: command line {image['argv']}")
        expect(event["pid"] == root if mark == "last" else event["pid"] != root, f"{mark}: pid {event['pid']}, the first is {root}")
        if not mark.endswith("piped") and mark != "last":
            expect(image["ppid"] == root, f"{mark}: parent {image['ppid']}, expected {root}")
    expect(marks["here about to exec"]["pid"] == marks["here execed"]["pid"], "an exec has changed the pid")


def daemon(ctx, python):
    """The launched program ends at once; the processes that it left are recorded to their end."""
    folder = ctx.new_folder("daemon")
    stop = os.path.join(folder, "stop")
    capture = Capture(ctx, os.path.join(folder, "capture.avc"))
    process = subprocess.Popen([ctx.auditview, "record", "-o", capture.path, "--", *python.command, CHILDREN, "daemon", stop],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        expect(process.stdout.readline() == "started\n", "it did not start")
        wait_for(lambda: os.path.exists(capture.path) and os.path.getsize(capture.path) > 3000, 30, "a capture that grows")
        time.sleep(0.3)
        expect(process.poll() is None, "the recorder did not wait for the daemon")
        open(stop, "w").close()
        err = process.communicate(timeout=harness.GUARD)[1]
    finally:
        open(stop, "w").close()
        harness.kill(process)
    expect(process.returncode == 12, lambda: f"status {process.returncode}, expected the program's, 12: {err[-300:]}")
    marks = [e["args"]["0"] for e in capture.named("children.daemon")]
    told = int(open(stop + ".marks").read())
    expect(told > 3 and marks == list(range(told)), lambda: f"{told} marks were made, {len(marks)} captured")


def pids_of_session(session):
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            if os.getsid(pid) == session and maps_of(pid):
                found.append(pid)
        except OSError:
            pass
    return found


def late_detach(ctx, python, other):
    """The recorder detaches in the middle of the run: every process of the tree is untraced and restored, continues,
    and ends as it should."""
    folder = ctx.new_folder("tree")
    stop = os.path.join(folder, "stop")
    process = subprocess.Popen([ctx.auditview, "record", "-o", os.path.join(folder, "capture.avc"), "--", *python.command, CHILDREN, "tree", stop,
                                *other.command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        expect(process.stdout.readline() == "ready\n", "it did not start")
        capture = Capture(ctx, os.path.join(folder, "capture.avc"))
        def leaves():
            capture.cached = None
            return {(e["args"]["0"], e["pid"]) for e in capture.named("children.leaf")}
        wait_for(lambda: len(leaves()) == 5, 60, "events of all five leaves")
        process.send_signal(signal.SIGINT)
        # The command waits for what it launched even after it has detached from it.
        def is_left():
            others = [p for p in pids_of_session(process.pid) if p != process.pid and status_of(p, "Name") != "auditview"]
            return len(others) >= 6 and all(status_of(p, "TracerPid") == "0" and not foreign_maps(maps_of(p)) for p in others)
        def safely():
            try:
                return is_left()
            except (OSError, TypeError):
                return False  # one of the short-lived processes ended while it was read
        wait_for(safely, 30, "all of the tree to be left")
        open(stop, "w").close()
        out, err = process.communicate(timeout=harness.GUARD)
    finally:
        open(stop, "w").close()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    expect("target restored: yes" in err, lambda: f"it said {err[-300:]}")
    wait_for(lambda: not pids_of_session(process.pid), 30, "all of the tree to end")
    expect(out in ("", "[30, 30, 30] [31, 31]\n"), lambda: f"the tree ended with {out!r}")


def there_already(ctx, python, other):
    """Attach with -f when the target already has children and grandchildren: the events of each are recorded, and what
    a shell among them starts next."""
    folder = ctx.new_folder("there")
    stop = os.path.join(folder, "stop")
    root = subprocess.Popen([*python.command, CHILDREN, "tree", stop, *other.command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        expect(root.stdout.readline() == "ready\n", "it did not start")
        wait_for(lambda: len(pids_of_session(root.pid)) >= 7, 30, "the leaf of the shell")
        with harness.attached_at_last(ctx, root.pid, "-f") as recorder:
            def leaves():
                recorder.capture.cached = None
                return {(e["args"]["0"], e["pid"]) for e in recorder.capture.named("children.leaf")}

            wait_for(lambda: len(leaves()) == 5 and recorder.capture.named("children.root"), 60, "events of the root and all five leaves")
            said = recorder.stop()
            expect_goodbye(said)
            expect(int(re.search(r"(\d+) children", said).group(1)) >= 5, lambda: f"children: {said[-300:]}")
            shown = recorder.capture.events()
            expect(any(e["event"] == "children.root" for e in shown), "nothing of the root")
        family = {root.pid, *(pid for _, pid in leaves())}
        expect(len(family) == 6 and family <= set(pids_of_session(root.pid)), lambda: f"not a family: {family}")
        # A process that is named in addition, before or after its parent, is still recorded once, as a child of that
        # parent.
        first, *others = family - {root.pid}
        with harness.attached_at_last(ctx, first, f"-p{root.pid}", *(f"-p{pid}" for pid in others), f"-p{root.pid}", "-f") as recorder:
            wait_for(lambda: len(leaves()) == 5, 60, "events of all five leaves, named")
            linked = [harness.hooks_of(ctx, pid) for pid in family]
            expect(linked == [1] * 6, lambda: f"hooks of ours: {linked}")
            expect_goodbye(recorder.stop())
        for pid in family:
            expect(status_of(pid, "TracerPid") == "0" and not foreign_maps(maps_of(pid)), f"process {pid} is not as it was")
        open(stop, "w").close()
        out, err = root.communicate(timeout=harness.GUARD)
    finally:
        open(stop, "w").close()
        if root.poll() is None:
            os.killpg(root.pid, signal.SIGKILL)
            root.wait()
    expect(root.returncode == 7 and out == "[30, 30, 30] [31, 31]\n" and not err, lambda: f"status {root.returncode}: {out!r} {err[-300:]}")


# It starts until the file $STARTS_UNTIL is there.
SLOW = """#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void slow(void)
{
	const char *path = getenv("STARTS_UNTIL");
	while (path && access(path, F_OK))
		usleep(10000);
}
"""


def killed_while_one_starts(ctx, python):
    """The recorder is killed while a program has not reached the breakpoint at its first instruction: the program must
    not notice."""
    folder = ctx.new_folder("starting")
    library, until = os.path.join(folder, "slow.so"), os.path.join(folder, "until")
    cc = next((c for c in ("cc", "gcc", "clang") if shutil.which(c)), None)
    if not cc:
        raise Skip("no C compiler")
    subprocess.run([cc, "-shared", "-fPIC", "-xc", "-", "-o", library], input=SLOW, text=True, check=True)
    script = 'LD_PRELOAD="$0" "$@"; echo "status $?"'
    process = subprocess.Popen([ctx.auditview, "record", "-q", "-o", os.path.join(folder, "capture.avc"), "--", "sh", "-c", script, library,
                                *python.command, "-S", "-c", "import sys; sys.exit(3)"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, start_new_session=True, env=dict(os.environ, STARTS_UNTIL=until))
    def is_starting():
        """It has the library, and sleeps there. The shell does not have it."""
        return any("slow.so" in maps_of(p) and (status_of(p, "State") or "?").startswith("S") for p in pids_of_session(process.pid))
    try:
        wait_for(is_starting, 30, "a program between exec and its first instruction")
        process.kill()
        process.wait()
        open(until, "w").close()
        out = process.stdout.read()  # this reads until the shell has ended, too
        expect(out == "status 3\n", lambda: f"it ended with {out!r}")
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def resources(pid):
    """Return (number of descriptors, resident kB)."""
    return len(os.listdir(f"/proc/{pid}/fd")), int(status_of(pid, "VmRSS").split()[0])


def storm(ctx, python, seconds, rate=1500):
    """1,000 short-lived children a minute and more: none is disturbed, none is lost, and the recorder does not grow."""
    folder = ctx.new_folder("storm")
    capture = Capture(ctx, os.path.join(folder, "capture.avc"))
    process = subprocess.Popen([ctx.auditview, "record", "-o", capture.path, "--stack", "off", "--", *python.command, CHILDREN, "storm", str(rate),
                                str(seconds)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    seen = []
    try:
        begin = time.monotonic()
        while process.poll() is None and time.monotonic() < begin + seconds * 4 + 60:
            try:
                seen.append(resources(process.pid))
            except (OSError, TypeError, AttributeError):
                pass
            time.sleep(0.2)
        out, err = process.communicate(timeout=harness.GUARD)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    expect(process.returncode == 0, lambda: f"status {process.returncode}: {err[-300:]}")
    n, bad = map(int, out.split())
    expect_goodbye(err, ended=True)
    expect(not bad, f"{bad} of {n} children ended otherwise")
    numbers = [e["args"]["0"] for e in capture.each() if e["event"] == "children.short"]
    wanted = [k for k in range(n) if k % 3 != 1]
    expect(sorted(numbers) == wanted, lambda: f"{len(numbers)} of {len(wanted)} children are in the capture")
    early, late = seen[len(seen) // 4:len(seen) // 2] or seen, seen[len(seen) * 3 // 4:] or seen
    fds, kb = [max(s[i] for s in late) - max(s[i] for s in early) for i in (0, 1)]
    print(f"note  {n * 60 / seconds:.0f} children a minute for {seconds} s: {max(s[0] for s in seen)} descriptors at most, grown by {fds}; "
          f"{max(s[1] for s in seen)} kB at most, grown by {kb} kB in half of the time; {len(numbers)} events of {len(wanted)}", flush=True)
    expect(fds < 40, f"descriptors grew by {fds}: {early[0]} to {late[-1]}")
    # AddressSanitizer does not reuse freed memory until it holds 256 MiB of it.
    if not os.environ.get("ASAN_OPTIONS"):
        expect(kb < 4096, f"memory grew by {kb} kB: {early[0]} to {late[-1]}")


def brood(ctx, python, steps, step):
    """What the recorder keeps of ended processes does not grow with their number, nor does its work for the next
    one."""
    folder = ctx.new_folder("brood")
    process = subprocess.Popen([ctx.auditview, "record", "-o", os.path.join(folder, "capture.avc"), "--", *python.command, CHILDREN, "brood",
                                str(steps * step), str(step)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
    seen = []  # (its own kB, descriptors, CPU ns)
    try:
        for k in range(steps):
            line = process.stdout.readline()
            expect(line == f"{(k + 1) * step}\n", lambda: f"the program says {line!r}, the recorder {process.stderr.read()[-300:]}")
            with open(f"/proc/{process.pid}/schedstat") as f:
                seen.append((int(status_of(process.pid, "RssAnon").split()[0]), len(os.listdir(f"/proc/{process.pid}/fd")), int(f.read().split()[0])))
            process.stdin.write("\n")
            process.stdin.flush()
        err = process.communicate(timeout=harness.GUARD)[1]
    finally:
        harness.kill(process)
    expect_goodbye(err, ended=True)
    # In the first third, every buffer is used for the first time.
    first, last = seen[steps // 3 - 1], seen[-1]
    children = (steps - steps // 3) * step
    each = (last[0] - first[0]) * 1024 / children
    cpu = [(b[2] - a[2]) / step / 1e3 for a, b in zip(seen, seen[1:])]
    print(f"note  {children} children: the recorder has grown by {each:.0f} B for each, {last[1]} descriptors ({last[1] - first[1]:+d}), "
          f"CPU us for each: {' '.join('%.0f' % c for c in cpu)}", flush=True)
    # A buffer that grows late (a slow disk, a busy machine) is a constant, whatever the number of children.
    expect(each * children < (1 << 20) + 200 * children, f"grown by {each:.0f} B for each of {children} children")
    expect(last[1] <= first[1] + 8, f"descriptors grew from {first[1]} to {last[1]}")


def crowd(ctx, python, *how, n=90):
    """More processes at a time than a ring has slots: the recorder gives rings to those that are reported to it. The
    others that have no slot continue, and their events are counted as lost."""
    alone = by_itself(python, "crowd", str(n), *how, cwd=ctx.new_folder("alone"))
    status, out, err, capture = launch(ctx, python, "crowd", str(n), *how, timeout=harness.GUARD)
    expect((status, out) == alone, lambda: f"status {status}, by itself {alone[0]}: {out!r} is not {alone[1]!r}; {err[-300:]}")
    lost = int(re.sub(r"\D", "", harness.GOODBYE.search(err).group(2)))
    expect_goodbye(err, lost=lost, ended=True)
    marks = [e["args"]["0"] for name in ("children.crowd", "children.crowd.leaves") for e in capture.named(name)]
    if how:
        expect(len(marks) + lost >= 2 * n > len(marks) >= n // 4, f"{len(marks)} of {2 * n} marks captured, {lost} lost")
    else:
        expect(len(marks) == 2 * n and not lost, f"{len(marks)} of {2 * n} marks captured, {lost} lost")


EXECS = """
import os, sys, time
child = os.fork()
if child == 0:
    for n in range(%d):
        sys.audit("child.mark", n, "x" * 3000)
        if n %% 50 == 0:
            time.sleep(0.002)  # now and then all of it has been taken
    open("done", "w").close()
    os._exit(0)
time.sleep(0.3)
os.execv("/bin/sh", ["sh", "-c", "while ! test -e done; do sleep 0.1; done; exit 9"])
"""


def parent_execs(ctx, python):
    """The parent becomes another program; its forked child continues to write, more than a ring holds."""
    count = 40000
    run = Launch(ctx, python, ["-S", "-c", EXECS % count], timeout=harness.GUARD)
    run.expect_status(9)
    marks = [e["args"]["0"] for e in run.capture.each() if e["event"] == "child.mark"]
    expect(marks == list(range(count)), lambda: f"{len(marks)} marks of {count}")


def no_program_of_its_own():
    raise Skip("its program does not run without the loader, so programs/children.py cannot start it by sys.executable")


def no_false_alarm(ctx, python, n):
    """Pythons that start one after the other are examined while their loader is at work: they must not be reported as
    not watched."""
    code = f"import subprocess, sys\nfor _ in range({n}): subprocess.run([sys.executable, '-S', '-c', 'import sys; sys.audit(\"victim.mark\")'])"
    done = Launch(ctx, python, ["-c", code], options=["-f"])
    done.expect_status(0)
    expect("not watched" not in done.stderr, lambda: done.stderr)
    harness.expect_goodbye(done.stderr, ended=True)
    marks = len(done.capture.named("victim.mark"))
    expect(marks == n, f"{marks} of {n} children were seen")


def cells(ctx):
    pythons = ctx.some_pythons(12)
    other = next((p for p in ctx.pythons if p.minor == 8), ctx.pythons[0])
    for python in ctx.some_pythons(9):  # here one with a libpython of its own
        if not python.name.endswith("+ldso"):
            yield "no false alarm at a start", python, lambda p=python: no_false_alarm(ctx, p, 100 if ctx.full else 25)
    for python in pythons:
        if python.name.endswith("+ldso"):
            yield "all", python, no_program_of_its_own
            continue
        yield "statuses, stops, signals", python, lambda p=python: statuses(ctx, p, other)
        yield "statuses, attached with -f", python, lambda p=python: statuses_attached(ctx, p, other)
        yield "fork, vfork, spawn, exec, shells", python, lambda p=python: spawns(ctx, p, other)
        yield "a daemon", python, lambda p=python: daemon(ctx, p)
        yield "late detach of a tree", python, lambda p=python: late_detach(ctx, p, other)
        yield "attached to with -f, children there", python, lambda p=python: there_already(ctx, p, other)
        yield "a parent that execs", python, lambda p=python: parent_execs(ctx, p)
        yield "recorder killed while one starts", python, lambda p=python: killed_while_one_starts(ctx, p)
        yield "more at a time than a ring has slots", python, lambda p=python: crowd(ctx, p)
        yield "the same, forked untraced", python, lambda p=python: crowd(ctx, p, "untraced")
    first = next((p for p in pythons if not p.name.endswith("+ldso")), None)
    if first:
        yield "thousands that have ended", first, lambda: brood(ctx, first, *((30, 2000) if ctx.full else (6, 500)))
        yield "a thousand a minute", first, lambda: storm(ctx, first, 240 if ctx.full else 6)
