"""survival: the recorder is killed at every possible place; the target completes its work correctly, and can be
attached to again.

AUDITVIEW_FAULT=ptrace:N:kill makes the recorder kill itself (SIGKILL) right after its Nth ptrace request
(src/system/fault.h).
"""
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time

from harness import GUARD, Fail, Recorder, Victim, expect, expect_goodbye, expect_same_maps, foreign_maps, status_of, wait_for

MOST_REQUESTS = 80
KILL_LAUNCHES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs", "kill_launches.py")


def clean_visit(ctx, v):
    """A recorder that follows a killed one takes over, and leaves nothing behind."""
    with Recorder(ctx, v.pid, "--duration", "300ms") as recorder:
        n = expect_goodbye(recorder.wait(), min_events=0)
        expect(n == len(recorder.capture.events()), "goodbye and capture disagree")
    expect(not foreign_maps(v.maps()), lambda: f"left behind: {foreign_maps(v.maps())}")
    expect(status_of(v.pid, "TracerPid") == "0", "a tracer is still attached")
    # glibc's fork blocks all signals for a moment (2.43, sysdeps/nptl/_Fork.c)
    wait_for(lambda: int(status_of(v.pid, "SigBlk"), 16) == 0, 5, f"signals not to be blocked: {status_of(v.pid, 'SigBlk')}")


def killed_after_each_request(ctx, python, victim, times):
    """One new recorder for each request, until one survives: then there was no Nth request."""
    started = time.monotonic()
    with Victim(ctx, python, victim) as v:
        deaths = 0
        for request in range(1, MOST_REQUESTS):
            died = 0
            for _ in range(times):
                with Recorder(ctx, v.pid, "--duration", "300ms", env=dict(os.environ, AUDITVIEW_FAULT=f"ptrace:{request}:kill")) as recorder:
                    status = recorder.process.wait(GUARD)
                    died += status == -signal.SIGKILL
                    if v.process.poll() is not None:
                        raise Fail(f"the target died ({v.process.returncode}) after request {request}")
                    expect(status in (-signal.SIGKILL, 0), lambda: f"request {request}: status {status}: {recorder.stderr()[-300:]}")
            deaths += died
            if not died:
                break
        expect(deaths >= 5 * times, f"only {deaths} recorders died: AUDITVIEW_FAULT does not work, the test is broken")
        # A recorder that was killed after the link leaves a probe that disarms itself.
        clean_visit(ctx, v)
        truth = v.stop(40 + 2 * (time.monotonic() - started))  # some victims repeat all their sums, to compare
        for key in ("early", "woke_early"):
            expect(not truth.get(key), lambda: f"the victim was disturbed: {truth}")
        expect(truth.get("total_is_right", True), "the victim counted wrong")


def killed_at_random(ctx, python, times):
    """SIGKILL at a random moment of the recorder's life, with eight busy threads."""
    chance = random.Random(python.name)
    with Victim(ctx, python, "threads8") as v:
        for _ in range(times):
            with Recorder(ctx, v.pid) as recorder:
                time.sleep(chance.choice((0.002, 0.02, 0.2)) * chance.random())
                recorder.process.kill()
            if v.process.poll() is not None:
                raise Fail(f"the target died ({v.process.returncode})")
        clean_visit(ctx, v)
        v.stop(40)


def many_cycles(ctx, python, times):
    """Attach and detach many times, with eight busy threads; the mappings are the same after each."""
    with Victim(ctx, python, "threads8") as v:
        v.settle()
        before = v.maps()
        for n in range(times):
            with Recorder(ctx, v.pid) as recorder:
                recorder.wait_attached()
                time.sleep(0.01)
                expect_goodbye(recorder.stop(), min_events=0)
            expect_same_maps(before, v.maps(), False)
            expect(not foreign_maps(v.maps()), lambda: f"cycle {n}: left behind: {foreign_maps(v.maps())}")
        v.stop()


def cost_after(ctx, python):
    """sys.audit() costs no more after a visit than before, as a multiple of a call that no hook changes; the same program measures
    both, before and after. That it is faster afterwards is no fault: machines change their speed."""
    with Victim(ctx, python, "cost") as v:
        def collect():
            measured = []

            def is_enough():
                measured[:] = [f for f in v.facts[start:] if "ns" in f]
                return len(measured) > 8 or v.process.poll() is not None
            start = len(v.facts)
            wait_for(is_enough, GUARD, "measurements")
            return sorted(f["ns"] / f["call_ns"] for f in measured[1:])  # the first one may have begun before
        before = collect()
        with Recorder(ctx, v.pid) as recorder:
            recorder.wait_linked()
            watched = collect()
            expect_goodbye(recorder.stop())
        after = collect()
        said = f"{before[0]:.2f} calls before, {statistics.median(watched):.2f} while watched, {after[0]:.2f} after"
        expect(statistics.median(watched) > 1.5 * before[0], f"{said}: a hook is not measured, the test is broken")
        expect(after[0] < 1.7 * before[0], said)  # a hook that stays, even if it does nothing: 2.3 to 3.5
        v.stop()


def second_recorder(ctx, python):
    """A second recorder is refused while the first one runs; the message names it, and neither recorder nor target is
    disturbed."""
    with Victim(ctx, python, "busy") as v:
        with Recorder(ctx, v.pid) as first:
            first.wait_attached()
            with Recorder(ctx, v.pid) as second:
                status = second.process.wait(GUARD)
                text = second.stderr()
                expect(status == 1, lambda: f"the second one ended with {status}: {text[-300:]}")
                expect("auditview" in text.replace("auditview: ", "", 1) and str(first.process.pid) in text or "already" in text,
                       lambda: f"the message does not name the first one ({first.process.pid}): {text!r}")
            expect(first.process.poll() is None, "the first one ended")
            first.wait_events(2, "victim.mark")
            expect_goodbye(first.stop())
            numbers = [e["args"]["0"] for e in first.capture.named("victim.mark")]
            expect(numbers == list(range(numbers[0], numbers[0] + len(numbers))), "marks have gaps")
        v.stop()


def launcher_killed(ctx, python, how, times):
    """The recorder is killed while programs start: each program prints and ends as it does alone."""
    done = subprocess.run([sys.executable, KILL_LAUNCHES, ctx.auditview, ctx.new_folder("kills"), how, str(times), python.name, *python.command],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=GUARD + 5 * times)
    expect(done.returncode == 0, lambda: f"the test is broken: {done.stderr[-500:]}")
    told = json.loads(done.stdout)
    print(f"note  {python.name}, by {how}: {told['killed']} recorders killed, {told['harmed']} programs harmed", flush=True)
    expect(not told["harmed"], lambda: f"{told['harmed']} of {told['killed']} programs were harmed: {told['seen'][:3]}")
    expect(told["killed"] >= times // 4, lambda: f"only {told['killed']} recorders were killed: the test is broken")


def alone(function):
    function.alone = True
    return function


def cells(ctx):
    full = ctx.full
    for python in ctx.some_pythons(8, 13):
        for victim in ("busy", "in_select") + (("threads8", "in_futex") if full else ()):
            yield "killed after each request, " + victim, python, \
                lambda p=python, v=victim: killed_after_each_request(ctx, p, v, 20 if full else 1)
        for how, times in (("requests", 600 if full else 10), ("moments", 1000 if full else 12)):
            yield f"launcher killed, {how}", python, lambda p=python, h=how, n=times: launcher_killed(ctx, p, h, n)
        yield "killed at random", python, lambda p=python: killed_at_random(ctx, p, 200 if full else 15)
    for python in ctx.some_pythons(9, 12):
        yield "attach and detach", python, lambda p=python: many_cycles(ctx, p, 300 if full else 15)
        yield "second recorder", python, lambda p=python: second_recorder(ctx, p)
        yield "cost after", python, alone(lambda p=python: cost_after(ctx, p))
