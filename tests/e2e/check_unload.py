"""unload: libpython is unloaded while a recorder works on the target, and other memory of the host takes its place: not
a byte of that memory is changed, nothing of the probe stays, and the host continues with Python.

The recorder is stopped on purpose: AUDITVIEW_FAULT=SITE:N:stop stops it after its Nth write, read, ptrace request or
reading of the mappings. Then the host unloads libpython and covers the place with a pattern, and the recorder
continues.
"""
import os
import select
import signal
import time

import harness
from check_embed import MARK, Host, Watch, libraries, marks
from harness import Fail, Recorder, Skip, expect, foreign_maps, kill, maps_of, status_of, wait_for

CLEAR = "import sys; sys.audit('cpython._PySys_ClearAuditHooks')"
SITES = ("write", "own", "ptrace", "read")
STEPS = {("attach", "read"): 29, ("relink", "read"): 29, ("leave", "read"): 5}  # there are hundreds of reads, and some 50 when it leaves


def cleared_by_hand(ctx, library, leave):
    """The event of the interpreter's end is raised by hand: the probe has asked to be called back at the end. That
    never happens, because libpython is unloaded first; the recorder must not wait for it."""
    with Host(ctx, library) as host:
        host.load(0, library)
        before = len(foreign_maps(maps_of(host.pid)))
        with Watch(ctx, host, 1) as watch:
            host.ask("init 0")
            host.ask("run 0 " + CLEAR)
            host.ask("unload 0")
            if not leave:
                wait_for(lambda: len(foreign_maps(maps_of(host.pid))) == before, 20, "the reservation to go")
            watch.recorder.stop()
            expect(not foreign_maps(maps_of(host.pid)), lambda: f"left behind: {foreign_maps(maps_of(host.pid))}")
        host.load(0, library)
        host.life(0)
        host.end()


def is_stopped(recorder):
    return recorder.process.poll() is not None or status_of(recorder.process.pid, "State").startswith("T")


def cover(host):
    """Cover the place unless the host is stopped; returns whether it was done."""
    host.send("cover 0")
    ready = not status_of(host.pid, "State").startswith("t") and select.select([host.process.stdout.fileno()], [], [], 2)[0]
    if ready:
        host.answer("cover 0")
    return bool(ready)


def ask_through(host, recorder, line):
    """Ask a host that a recorder may hold: a recorder that is stopped while it holds the host continues. Returns whether
    the host did it."""
    host.send(line)
    end = time.monotonic() + 60
    while not select.select([host.process.stdout.fileno()], [], [], 0.1)[0] and time.monotonic() < end:
        if is_stopped(recorder) and status_of(host.pid, "State").startswith("t"):
            recorder.process.send_signal(signal.SIGCONT)
    return host.answer(line, may_fail=True)["ok"]


def next_takes_it_out(ctx, host, left):
    """No thread could be stopped, or the recorder had been stopped for too long: the reservation was left, and reported.
    Nothing names it, because its name went with libpython: the next recorder finds it all the same."""
    event = f"run 0 {MARK.format(0)}"
    host.ask("init 0")
    with Recorder(ctx, host.pid) as recorder:
        wait_for(lambda: host.ask(event) and foreign_maps(maps_of(host.pid)) not in ([], left), 20, "the probe of the next one")
        recorder.process.send_signal(signal.SIGINT)
        wait_for(lambda: host.ask(event) and recorder.process.poll() is not None, 30, "the recorder to leave")
        expect("target restored: yes" in recorder.wait(), lambda: f"the next one: {recorder.stderr()[-400:]}")
    left = foreign_maps(maps_of(host.pid))
    expect(not left, lambda: f"left behind by the next one: {left}")
    host.ask("final 0")


def slow(ctx, library, spec, when, patient=False, built=()):
    """Return None if the recorder ended without having been stopped; else whether the host ran meanwhile. It is best if
    the host is stopped."""
    with Host(ctx, library, built=built) as host:
        host.load(0, library)
        if patient:
            host.ask("patient")
        if when != "attach":
            host.ask("init 0")
        recorder = Recorder(ctx, host.pid, env=dict(os.environ, AUDITVIEW_FAULT=spec))
        try:
            wait_for(lambda: is_stopped(recorder) or host.hooks() == 1, 20, "the hook, or the stop")
            if when == "leave":
                host.ask("final 0")
                wait_for(lambda: is_stopped(recorder) or host.hooks() == 1, 20, "the hook to be back")
                recorder.process.send_signal(signal.SIGINT)
                wait_for(lambda: is_stopped(recorder), 20, "the recorder to stop or end")
            elif when == "relink" and not is_stopped(recorder):
                while ask_through(host, recorder, "fill 0 1"):
                    pass
                expect(ask_through(host, recorder, "final 0"), "Python was not finalised")
                wait_for(lambda: is_stopped(recorder) or host.hooks() == 1, 20, "the hook to be back, or the stop")
            said = None
            if recorder.process.poll() is None and is_stopped(recorder):
                said = cover(host)
                recorder.process.send_signal(signal.SIGCONT)
                if not said:
                    host.answer("cover 0")
            else:  # it may still come to its step, and hold the host there
                expect(ask_through(host, recorder, "cover 0"), "libpython was not unloaded")
            if recorder.process.poll() is None:
                time.sleep(0.05)
                recorder.process.send_signal(signal.SIGINT)
                wait_for(lambda: recorder.process.send_signal(signal.SIGCONT) or recorder.process.poll() is not None, 20, "the recorder to end")
            host.send("intact 0")
            expect(host.answer("intact 0", may_fail=True)["ok"], lambda: f"the host's memory was changed: {host.stderr()[-300:]}; {recorder.stderr()[-400:]}")
            left = foreign_maps(maps_of(host.pid))
            told = "takes it out" in recorder.stderr()
            expect(not left or told, lambda: f"left behind: {left}; status {recorder.process.returncode}: {recorder.stderr()[-400:]}")
        finally:
            kill(recorder.process)
        host.load(0, library)
        if left:
            next_takes_it_out(ctx, host, left)
        host.life(0)
        host.end()
        return said


def every(ctx, library, site, when, step=1, patient=False, built=()):
    """Stop at every place, one after the other, until there are no more."""
    n, held, free, none = 1, 0, 0, 0
    while none < 3:  # at some places it may fail, but not stop
        spec = f"{'leave-' if when == 'leave' else ''}{site}:{n}:stop"
        try:
            done = slow(ctx, library, spec, when, patient, built)
        except Fail as what:
            raise Fail(f"{spec}: {what}") from None
        none = none + 1 if done is None else 0
        free += done is True
        held += done is False
        n += step
    expect(free + held > 2, f"stopped {free + held} times: the test is broken")


def killed(ctx, library, site):
    """A recorder is killed after its Nth request, while it attaches to or detaches from a host that might unload
    Python: the next recorder removes what is left."""
    with Host(ctx, library) as host:
        host.load(0, library)
        host.ask("init 0")
        for lead in ("", "leave-"):
            for n in range(1, 100, 1 if ctx.full else 3):
                with Recorder(ctx, host.pid, "--duration", "0.1", env=dict(os.environ, AUDITVIEW_FAULT=f"{lead}{site}:{n}:kill")) as recorder:
                    status = recorder.process.wait(harness.GUARD)
                if status == 0:
                    break
                with Recorder(ctx, host.pid, "--duration", "0.1") as recorder:
                    expect("target restored: yes" in recorder.wait(harness.GUARD), lambda: f"behind {lead}{site}:{n}: {recorder.stderr()[-300:]}")
                left = foreign_maps(maps_of(host.pid))
                expect(not left, lambda: f"killed after {lead}{site}:{n}, then left behind: {left}")
            expect(3 < n < 99, f"killed {n - 1} times: the test is broken")
        host.ask(f"run 0 {MARK.format(0)}")
        host.ask("final 0")
        host.end()


def cells(ctx):
    found = [x for x in libraries(ctx) if not x.debug]
    if not found:
        yield "unloaded", None, lambda: (_ for _ in ()).throw(Skip("no shared libpython found"))
        return
    for library in found if ctx.full else found[len(found) // 2:len(found) // 2 + 1]:
        for leave in (False, True):
            yield "cleared by hand, " + ("left" if leave else "watched"), library, lambda x=library, y=leave: cleared_by_hand(ctx, x, y)
        for site in ("ptrace", "write"):
            yield f"killed, {site}", library, lambda x=library, y=site: killed(ctx, x, y)
        for when in ("attach", "relink", "leave"):
            for site in SITES if ctx.full else SITES[:2]:
                yield f"slow at {when}, {site}", library, lambda x=library, w=when, s=site: every(ctx, x, s, w, STEPS.get((w, s), 1))
        for when in ("attach", "relink", "leave") if ctx.full else ("attach",):
            yield f"slow at {when}, write, no room", library, lambda x=library, w=when: every(ctx, x, "write", w, built=("-DFULL_TEXT",))
        if ctx.full:
            yield "slow at attach, in epoll_wait()", library, lambda x=library: every(ctx, x, "write", "attach", patient=True)
