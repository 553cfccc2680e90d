"""faults: everything that can fail while we attach, record or detach is made to fail, one thing at a time; the target
must not notice.

With AUDITVIEW_FAULT (src/system/fault.h) the Nth ptrace request, injected call, read, write or step of the recorder
fails, or the recorder is killed or stopped right after it. While it is stopped there, the target gets signals, and its
handlers must count every signal that was sent. After each fault the target is compared with its state before: mappings,
the bytes of all its code, the system call of each thread, open files, threads, signal masks; at its end, its counts and
exit status. The recorder must report whatever it could not remove, and the next recorder removes it.
"""
import hashlib
import os
import random
import re
import signal
import time

from harness import GUARD, Fail, Recorder, Victim, expect, foreign_maps, hooks_of, maps_of, status_of, wait_for

FIRED = re.compile(r"^fault: (\S+) (\d+) (\S+)$", re.M)
VISIT = "40ms"
HANDLED = ("SIGALRM", "SIGCHLD", "SIGUSR1", "SIGTERM")
MOST = {"ptrace": 90, "call": 24, "write": 40, "own": 24, "answer": 12, "read": 4000}


# ---- comparing the target ----

def code_digest(pid, maps):
    """A digest of all executable bytes that are mapped from files: nothing may stay patched."""
    digest = hashlib.sha1()
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps.splitlines():
            fields = line.split(None, 5)
            if "x" in fields[1] and fields[4] != "0":
                start, end = (int(a, 16) for a in fields[0].split("-"))
                memory.seek(start)
                digest.update(memory.read(end - start))
    return digest.hexdigest()


def open_files(pid):
    files = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            files[name] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            pass
    return files


def threads_at_rest(pid):
    """Return {tid: (system call, its first arguments, sp, pc)} of the threads that stay in one call."""
    threads = {}
    for tid in sorted(os.listdir(f"/proc/{pid}/task"), key=int):
        text = open(f"/proc/{pid}/task/{tid}/syscall").read().split()
        threads[tid] = "sleeps" if int(tid) == pid else text[:4] + text[7:]
    return threads


def snapshot(pid):
    maps = maps_of(pid)
    return {"mappings": maps, "code": code_digest(pid, maps), "open files": open_files(pid), "threads": threads_at_rest(pid),
            "tracer": status_of(pid, "TracerPid"), "blocked signals": [status_of_thread(pid, t, "SigBlk") for t in os.listdir(f"/proc/{pid}/task")],
            "handled signals": status_of(pid, "SigCgt"), "ignored signals": status_of(pid, "SigIgn")}


def status_of_thread(pid, tid, field):
    for line in open(f"/proc/{pid}/task/{tid}/status", encoding="utf-8"):
        if line.startswith(field + ":"):
            return line.split(":", 1)[1].strip()
    return None


def difference(before, after):
    """Return what differs, for a message; "" if nothing does."""
    told = []
    for key, value in before.items():
        if after[key] != value:
            told.append(f"{key}: {sorted(set(value.splitlines()) ^ set(after[key].splitlines()))}" if key == "mappings" else
                        f"{key}: {value} before, {after[key]} after")
    return "; ".join(told)


def expect_as_before(v, before, what):
    """Compare until it is equal, with a deadline: a thread may be seen between two of its own steps."""
    if v.process.poll() is not None:
        raise Fail(f"{what}: the target died ({v.process.returncode})")
    end = time.monotonic() + GUARD
    while True:
        text = difference(before, snapshot(v.pid))
        if not text:
            return
        if time.monotonic() > end:
            raise Fail(f"{what}: {text}")
        time.sleep(0.01)


# ---- one fault ----

def visit(ctx, v, spec, meanwhile=None, duration=VISIT):
    """Run a recorder with this fault; returns (whether the fault struck, exit status, what the recorder printed)."""
    env = dict(os.environ, **({"AUDITVIEW_FAULT": spec} if spec else {}))
    with Recorder(ctx, v.pid, "--duration", duration, env=env) as recorder:
        if meanwhile:
            meanwhile(recorder)
        status = recorder.process.wait(GUARD)
        text = recorder.stderr()
    expect(status in (0, 1, -signal.SIGKILL), lambda: f"{spec}: the recorder ended with {status}: {text[-300:]}")
    return bool(FIRED.search(text)), status, text


def expect_removed(ctx, v, spec):
    """The next recorder removes what is left. It may find that every thread has come to wait in a call that a stop would
    end early: then it says so, and it is left to the one after it."""
    for _ in range(4):
        _, status, text = visit(ctx, v, None)
        if status == 0 and "target restored: yes" in text:
            return
        if "a stop would end early" not in text:
            break
    raise Fail(f"the visit after {spec}: status {status}: {text[-300:]}")


def expect_clean(ctx, v, before, spec, status, text):
    """The recorder reported everything that it left, and the next recorder removes it."""
    owns_up = status == -signal.SIGKILL or (status == 0 and "target restored: no" in text) or (status == 1 and "auditview" in text)
    if status == 0 and "target restored: yes" in text:
        expect(not foreign_maps(maps_of(v.pid)), lambda: f"{spec}: reported as restored, but: {foreign_maps(maps_of(v.pid))}: {text[-300:]}")
    elif not owns_up:
        raise Fail(f"{spec}: status {status}, and nothing is reported: {text[-300:]}")
    if status == 1:
        # A thread that is stopped by a signal may be in the probe: that is reported, and stays for the next visit.
        may_stay = "left" in text or "target restored: no" in text
        expect(not foreign_maps(maps_of(v.pid)) or may_stay, lambda: f"{spec}: refused, but it left {foreign_maps(maps_of(v.pid))}: {text[-300:]}")
    if status != 0 or "target restored: yes" not in text:
        expect_removed(ctx, v, spec)
    expect_as_before(v, before, spec)


def expect_healthy(v):
    truth = v.stop(40)
    expect(truth["file_is_open"] and not truth["woke_early"], lambda: f"the target was disturbed: {truth}")
    return truth


def numbers(limit, full, site, seed):
    """Return which of a site's events get a fault: all of them; in a quick run, and of reads, only some, which differ
    from Python to Python."""
    if site != "read" or full:
        return range(1, limit) if site != "read" else range(1, limit, 7)
    chance = random.Random(seed)
    return sorted(chance.sample(range(1, 400), 6))


def each_denied(ctx, python, site, action, leaving=False):
    with Victim(ctx, python, "guest") as v:
        before = snapshot(v.pid)
        struck = 0
        for n in numbers(MOST[site], ctx.full, site, f"{python.name}{action}"):
            spec = f"{'leave-' if leaving else ''}{site}:{n}:{action}"
            fired, status, text = visit(ctx, v, spec)
            if not fired:
                break
            struck += 1
            expect_clean(ctx, v, before, spec, status, text)
        expect(struck >= 2, f"struck {struck} times: the test is broken")
        expect_healthy(v)


def signals_in_each_window(ctx, python, site, stopping, step, leaving=False):
    """The recorder is stopped after its Nth step, the target gets signals, then the recorder continues."""
    with Victim(ctx, python, "guest") as v:
        before = snapshot(v.pid)
        sent = {name: 0 for name in HANDLED}
        struck = 0

        def seen():
            return next((f["seen"] for f in reversed(v.facts) if "seen" in f), {name: 0 for name in HANDLED})

        def meanwhile(recorder):
            nonlocal struck
            wait_for(lambda: recorder.process.poll() is not None or status_of(recorder.process.pid, "State")[0] in "TZ", 20, "the window")
            if recorder.process.poll() is not None or status_of(recorder.process.pid, "State")[0] != "T":
                return
            struck += 1
            for name in HANDLED:
                sent[name] += 1
                os.kill(v.pid, getattr(signal, name))
            if stopping:
                os.kill(v.pid, signal.SIGSTOP)
            os.kill(recorder.process.pid, signal.SIGCONT)
            if stopping:
                recorder.process.wait(GUARD)
                wait_for(lambda: status_of(v.pid, "State")[0] == "T", 5, "the target to rest in its stop")
                os.kill(v.pid, signal.SIGCONT)

        for n in range(1, MOST[site], step):
            spec = f"{'leave-' if leaving else ''}{site}:{n}:stop"
            had = struck
            fired, status, text = visit(ctx, v, spec, meanwhile)
            if struck == had:
                expect(not fired, f"{spec}: it was not seen to freeze")
                break
            wait_for(lambda: v.process.poll() is not None or all(seen()[k] == sent[k] for k in HANDLED), 10,
                     f"{spec}: signals: {sent} sent, {seen()} handled")
            expect_clean(ctx, v, before, spec, status, text)
        expect(struck >= 2, f"struck {struck} times: the test is broken")
        truth = expect_healthy(v)
        expect(all(truth["seen"][k] == sent[k] for k in HANDLED), lambda: f"signals: {sent} sent, {truth['seen']} handled")


def first_hook(ctx, python, action, duration, leaving):
    """The same where no thread is stopped (src/visit/lazy_link.h), with a thread in its call that would notice."""
    with Victim(ctx, python, "eintr", "epoll_timeout") as v:
        def count(key):
            return sum(key in f for f in v.facts)
        wait_for(lambda: count("call") > 1 or v.process.poll() is not None, 20, "two calls")
        before = snapshot(v.pid)
        struck = 0
        for n in range(1, MOST["write"], 1 if ctx.full else 3):
            spec = f"{'leave-' if leaving else ''}write:{n}:{action}"
            calls = count("enter")
            wait_for(lambda: count("enter") > calls, 10, "the next call")
            fired, status, text = visit(ctx, v, spec, duration=duration)
            if not fired:
                break
            struck += 1
            expect_clean(ctx, v, before, spec, status, text)
        expect(struck >= 2, f"struck {struck} times: the test is broken")
        v.stop(40)
        for fact in (f for f in v.facts if "call" in f):
            expect(fact["errno"] == 0 and fact["ms"] >= fact["wanted_ms"] - 2, lambda: f"a call was disturbed: {fact}")


def each_denied_launched(ctx, python, site, action):
    """Faults at the entry point of a program that we launch: it runs as without us, traced or not; if it is not traced,
    nothing of ours is in it."""
    struck = 0
    for n in numbers(MOST[site], False, site, f"{python.name}launched"):
        spec = f"{site}:{n}:{action}"
        path = os.path.join(ctx.new_folder("launched"), "capture.avc")
        with Victim(ctx, python, "guest", env=dict(os.environ, AUDITVIEW_FAULT=spec), prefix=[ctx.auditview, "record", "-o", path, "--"]) as v:
            hooks, left = hooks_of(ctx, v.pid), foreign_maps(v.maps())
            expect(hooks == 1 or not left, lambda: f"{spec}: not traced, but left behind: {left}")
            v.stop(40)
            text = open(v.stderr_path, encoding="utf-8").read()
        if not FIRED.search(text):
            if site != "read":
                break
            continue
        struck += 1
        expect(hooks == 1 or "not watched" in text or "not traced" in text or " 0 events" in text, lambda: f"{spec}: not traced, and nothing is reported: {text[-300:]}")
    expect(struck >= 1, f"struck {struck} times: the test is broken")


def late_at_launch(ctx, python):
    """A launched program whose thread does not make our calls in time runs on, is tried again, and is watched from then on. That its first
    events are missing is said."""
    for follow in ("--follow", "--no-follow"):
        for n in range(1, 12) if ctx.full else (3,):
            path = os.path.join(ctx.new_folder("late"), "capture.avc")
            spec = f"wait:{n}:ENOMEM"
            with Victim(ctx, python, "guest", env=dict(os.environ, AUDITVIEW_FAULT=spec),
                        prefix=[ctx.auditview, "record", follow, "-o", path, "--"]) as v:
                wait_for(lambda: hooks_of(ctx, v.pid) == 1, 40, f"{follow} {spec}: the program is watched")
                expect(follow == "--follow" or status_of(v.pid, "TracerPid") == "0", f"{spec}: it is not followed, and traced")
                v.stop(40)
                text = open(v.stderr_path, encoding="utf-8").read()
            expect(FIRED.search(text), lambda: f"{spec} did not strike: the test is broken")
            expect("was not watched when it started: thread" in text and "did not stop within 2000 ms" in text and "lost: unknown" in text,
                   lambda: f"{follow} {spec}: {text[-400:]}")


def cells(ctx):
    full = ctx.full
    pythons = ctx.pythons if full else ctx.some_pythons(12)
    for python in pythons:
        for site, actions in (("call", ("ENOMEM", "EPERM", "ENOSYS")), ("ptrace", ("EPERM", "kill")), ("write", ("EPERM", "kill")), ("answer", ("EPERM",)),
                              ("own", ("ENOMEM", "kill")), ("read", ("EPERM", "kill"))):
            for action in actions if full else actions[:1]:
                yield f"each {site} {action}", python, lambda p=python, s=site, a=action: each_denied(ctx, p, s, a)
        if full:
            for site, action in (("read", "EPERM"), ("own", "EPERM")):
                yield f"each {site} {action}, leaving", python, lambda p=python, s=site, a=action: each_denied(ctx, p, s, a, leaving=True)
        for site, action in (("call", "ENOMEM"), ("write", "EPERM"), ("answer", "EPERM"), ("own", "EPERM"), ("read", "EPERM")):
            if full or site == "answer":
                yield f"each {site} {action}, launched", python, lambda p=python, s=site, a=action: each_denied_launched(ctx, p, s, a)
        yield "late at launch", python, lambda p=python: late_at_launch(ctx, p)
        for site in ("ptrace", "write") if full else ("ptrace",):
            for stopping in (False, True):
                what = f"signals{' and SIGSTOP' if stopping else ''} after each {site}"
                yield what, python, lambda p=python, s=site, t=stopping: signals_in_each_window(ctx, p, s, t, 1 if full else 3)
        for action, duration, leaving in (("kill", "40ms", False), ("EPERM", "40ms", False), ("kill", "40ms", True), ("EPERM", "40ms", True),
                                          ("kill", "900ms", True), ("EPERM", "900ms", True))[:6 if full else 1]:
            what = f"first hook, each write {action}{', leaving after ' + duration if leaving else ''}"
            yield what, python, lambda p=python, a=action, d=duration, e=leaving: first_hook(ctx, p, a, d, e)
