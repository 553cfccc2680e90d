"""filters: a thread that gets a seccomp filter, or loses access to the TSC, at any moment while it is recorded, does,
prints and returns what it does alone; its events are kept, or counted as lost.
"""
import os
import re
import signal
import subprocess
import time

import harness
from check_faults import code_digest
from harness import Recorder, Skip, expect, wait_for

FEW, MANY = 2000, 200000  # numbers of marks: MANY are more than a ring of 1 MiB holds
# mode → how often each number is raised
MODES = {"kill": 1, "thread": 1, "trap": 1, "errno": 1, "trace": 1, "strict": 1, "one": 2, "tsync": 1, "fork-before": 1, "fork-after": 1,
         "notif": 1, "exec": 1, "tsc": 1, "tsc-thread": 1, "tsc-fork": 1, "dispatch": 1}
# raised by a child, so not recorded without -f
CHILDREN = ("fork-before", "fork-after", "exec", "tsc-thread", "tsc-fork")


# All threads wait in a call that a stop would end early, so no thread is stopped. The first event comes from a thread
# that is restricted by then:
LATE = {"kill": 1, "thread": 1, "trap": 1, "errno": 1, "notif": 1, "trace": 1, "args": 1, "strict": 1, "tsc": 1, "one": 2}


def victim(python, go, mode, n):
    return [*python.command, harness.victim_path("filters"), go, mode, str(n)]


def unwatched(python, folder, mode):
    """Skip if the program does not work on this machine even when it runs alone."""
    go = os.path.join(folder, "alone")
    open(go, "w").close()
    done = subprocess.run(victim(python, go, mode, 3), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=harness.GUARD)
    if done.returncode != 5 or "SKIP" in done.stdout:
        raise Skip(f"not to be had here: {done.returncode}, {done.stdout[-200:]!r}")


def counted(recorder_said, capture, n_expected):
    """Kept and lost events add up to the number raised; the kept events of each thread are in order."""
    match = harness.GOODBYE.search(recorder_said)
    expect(match, lambda: recorder_said[-300:])
    lost = int(re.sub(r"\D", "", match.group(2)))
    last = {}
    marks = capture.named("victim.mark")
    for event in marks:
        who, number = event["args"]["1"], event["args"]["0"]
        expect(last.get(who, -1) < number, lambda: f"mark {number} of {who} comes after {last[who]}")
        last[who] = number
    expect(len(marks) <= n_expected <= len(marks) + lost, lambda: f"{len(marks)} kept, {lost} lost, {n_expected} raised")
    return len(marks), lost


def launched(ctx, python, mode, n, *options):
    folder = ctx.new_folder("filters")
    unwatched(python, folder, mode)
    go, path = os.path.join(folder, "go"), os.path.join(folder, "x.avc")
    open(go, "w").close()
    done = subprocess.run([ctx.auditview, "record", "-o", path, *options, "--", *victim(python, go, mode, n)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    expect(done.returncode == 5 and "DONE" in done.stdout, lambda: f"status {done.returncode}: {done.stdout!r} {done.stderr[-400:]!r}")
    counted(done.stderr, harness.Capture(ctx, path), n * MODES[mode])


def attached(ctx, python, mode, n, *options, stop_recorder=False):
    folder = ctx.new_folder("filters")
    unwatched(python, folder, mode)
    go = os.path.join(folder, "go")
    with subprocess.Popen(victim(python, go, mode, n), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            expect(process.stdout.readline() == b"READY\n", "it is not ready")
            with Recorder(ctx, process.pid, *options) as recorder:
                recorder.wait_linked()
                if stop_recorder:
                    os.kill(recorder.process.pid, signal.SIGSTOP)
                open(go, "w").close()
                started = time.monotonic()
                said = process.stdout.read()
                status = process.wait(harness.GUARD)
                spent = time.monotonic() - started
                if stop_recorder:
                    os.kill(recorder.process.pid, signal.SIGCONT)
                expect(status == 5 and b"DONE" in said, lambda: f"status {status}: {said!r}")
                text, lost = recorder.wait(), 0
                if mode not in CHILDREN or "-f" in options:
                    _, lost = counted(text, recorder.capture, n * MODES[mode])
                if stop_recorder:
                    expect(lost > 0, "nothing is lost: the ring never was full, the test is broken")
                    expect(spent < 20, lambda: f"it stood for {spent:.1f} s")
        finally:
            harness.kill(process)


def while_visited(ctx, python, mode):
    """Another thread puts a filter on all threads while one of them makes our calls, or is about to. It kills for new executable
    memory, which the program never asks for. Whether it comes between two of the calls is chance: the cell tries several times."""
    folder = ctx.new_folder("filters")
    go = os.path.join(folder, "go")
    with subprocess.Popen(victim(python, go, mode, FEW), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as process:
        try:
            expect(process.stdout.readline() == "READY\n", "it is not ready")
            with Recorder(ctx, process.pid) as recorder:
                said = process.stdout.readline()
                expect(said == "FILTERED\n", lambda: f"status {process.wait(harness.GUARD)}: {said!r} {recorder.stderr()[-300:]}")
                recorder.wait_events(1, "victim.mark")
                open(go, "w").close()
                said = process.stdout.read()
                expect(process.wait(harness.GUARD) == 5 and said == "DONE\n", lambda: f"status {process.returncode}: {said!r}")
                recorder.wait()
        finally:
            harness.kill(process)


def left(ctx, python, mode):
    """Some threads have a filter when the recorder detaches: other threads make our calls, or the filter is
    suspended."""
    folder = ctx.new_folder("filters")
    go = os.path.join(folder, "go")
    with subprocess.Popen(victim(python, go, mode, FEW), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            expect(process.stdout.readline() == b"READY\n", "it is not ready")
            before = harness.maps_of(process.pid)
            with Recorder(ctx, process.pid) as recorder:
                recorder.wait_linked()
                open(go, "w").close()

                def n_filtered():
                    tasks = os.listdir(f"/proc/{process.pid}/task")
                    return sum(harness.status_of(int(t), "Seccomp") == "2" for t in tasks)
                wait_for(n_filtered, 20, "the filter")
                time.sleep(0.3)
                harness.expect_goodbye(recorder.stop())
            expect(not [m for m in harness.foreign_maps(harness.maps_of(process.pid)) if m not in harness.foreign_maps(before)],
                   "something is left behind")
            open(go + ".leave", "w").close()
            said = process.stdout.read()
            expect(process.wait(harness.GUARD) == 5, lambda: f"status {process.returncode}: {said!r}")
        finally:
            harness.kill(process)


def late(ctx, python, mode, *options, prefix=(), then=None):
    """The thread gets its filter after the attach, and the probe arrives after the filter. `prefix`: the recorder may
    not suspend filters, and reports what it misses. Other ways to miss events: `then` the recorder is "stopped" until the
    program has ended, or there are more than the first hook counts ("many") before it leaves."""
    n = MANY if then == "many" else FEW
    folder = ctx.new_folder("filters")
    unwatched(python, folder, "late-" + mode)
    go = os.path.join(folder, "go")
    with subprocess.Popen([*prefix, *victim(python, go, "late-" + mode, n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            expect(process.stdout.readline() == b"READY\n", "it is not ready")
            wait_for(lambda: harness.is_in_call(process.pid, "epoll_wait", "epoll_pwait"), 10, "the wait")
            before = code_digest(process.pid, harness.maps_of(process.pid))
            with Recorder(ctx, process.pid, *options, prefix=prefix) as recorder:
                wait_for(lambda: code_digest(process.pid, harness.maps_of(process.pid)) != before or recorder.process.poll() is not None, 20,
                         "the first hook")
                expect(not harness.foreign_maps(harness.maps_of(process.pid)), "a thread was stopped: the test is broken")
                if then == "stopped":
                    recorder.process.send_signal(signal.SIGSTOP)
                    wait_for(lambda: harness.status_of(recorder.process.pid, "State").startswith("T"), 10, "the recorder to be stopped")
                open(go, "w").close()
                said = process.stdout.readline()
                text = recorder.stop() if then == "many" else ""
                process.stdin.close()
                said += process.stdout.read()
                status = process.wait(harness.GUARD)
                recorder.process.send_signal(signal.SIGCONT)
                expect(status == 5 and b"DONE" in said, lambda: f"status {status}: {said!r}")
                text = text or recorder.wait()
                if prefix or then: # the thread ended before its memory was read again
                    is_counted = " 0 events" in text and f"{n:,} lost".replace(",", " ") in text
                    expect("lost: unknown" in text or is_counted and not then, lambda: f"what was not recorded is not said: {text[-400:]}")
                    return
                if " 0 events" in text and "lost: unknown" in text:
                    return False
                kept, _ = counted(text, recorder.capture, n * LATE[mode])
                expect(kept > 0, lambda: f"nothing was recorded: {text[-400:]}")
                return True
        finally:
            harness.kill(process)


def late_but_recorded(ctx, python, mode, *options):
    """The first hook holds the thread for 0.2 s at most. A recorder that gets no processor for so long has nothing, and
    says that it does not know what it missed; that may not be so three times."""
    expect(any(late(ctx, python, mode, *options) for _ in range(3)), "nothing was recorded in three visits")


def cells(ctx):
    pythons = ctx.some_pythons(8, 11, 13) if ctx.full else ctx.some_pythons(11)
    for python in ctx.for_all_pythons()[:1]:
        yield "late, kill, as nobody", python, lambda p=python: late(ctx.for_nobody(), p, "kill", prefix=harness.AS_NOBODY)
        yield "late, more than are counted", python, lambda p=python: late(ctx.for_nobody(), p, "kill", prefix=harness.AS_NOBODY, then="many")
        yield "late, ended before it is seen", python, lambda p=python: late(ctx, p, "kill", then="stopped")
    for python in pythons:
        for mode in MODES:
            n = MANY if ctx.full else FEW
            yield f"launched, {mode}", python, lambda p=python, m=mode, n=n: launched(ctx, p, m, n)
            yield f"attached, {mode}", python, lambda p=python, m=mode, n=n: attached(ctx, p, m, n)
        for mode in LATE if ctx.full else ("kill", "args", "strict", "tsc", "one"):
            yield f"late, {mode}", python, lambda p=python, m=mode: late_but_recorded(ctx, p, m)
            if ctx.full:
                yield f"late, {mode}, with -f", python, lambda p=python, m=mode: late_but_recorded(ctx, p, m, "-f")
        yield "late, kill, with -f", python, lambda p=python: late_but_recorded(ctx, p, "kill", "-f")
        for mode in CHILDREN:
            yield f"attached with -f, {mode}", python, lambda p=python, m=mode: attached(ctx, p, m, FEW, "-f")
        for mode in ("kill", "strict", "tsc"):
            yield f"small ring, {mode}", python, lambda p=python, m=mode: attached(ctx, p, m, MANY // 4, "--ring-size", "1M")
            yield f"recorder stopped, {mode}", python, lambda p=python, m=mode: attached(ctx, p, m, MANY // 4, "--ring-size", "1M",
                                                                                         stop_recorder=True)
        yield "small ring, launched, dispatch", python, lambda p=python: launched(ctx, p, "dispatch", MANY // 4, "--ring-size", "1M")
        yield "native stacks, kill", python, lambda p=python: launched(ctx, p, "kill", FEW, "--stack", "both")
        yield "native stacks, tsc", python, lambda p=python: launched(ctx, p, "tsc", FEW, "--stack", "both")
        if os.getuid() == 0:  # an ordinary user may not suspend filters
            for mode in ("tsync-traced", "tsync-let-go"):
                yield f"while visited, {mode}", python, lambda p=python, m=mode: [while_visited(ctx, p, m) for _ in range(4)]
        for mode in ("one-stays", "leader"):
            yield f"left, {mode}", python, lambda p=python, m=mode: left(ctx, p, m)
