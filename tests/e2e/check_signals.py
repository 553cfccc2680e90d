"""signals: none is lost or doubled by attaching, and no system call returns EINTR that would not have without us."""
import random
import time

from harness import Recorder, Victim, expect, expect_goodbye, wait_for

CALLS = "nanosleep clock_nanosleep poll ppoll select futex read_pipe accept waitpid epoll_for_ever".split()


def no_eintr(ctx, python, call, times):
    """One thread, in this call: attach and leave while it waits, as often as fits."""
    with Victim(ctx, python, "eintr", call, rounds=1) as v:
        wait_for(lambda: v.fact("enter") == call, 10, "the call")
        time.sleep(0.08)
        n = 0
        while v.fact("call") is None and n < times:
            with Recorder(ctx, v.pid) as recorder:
                wait_for(lambda: v.fact("call") or "/dev/zero" in v.maps() or "memfd:" in v.maps() or
                         recorder.process.poll() is not None, 5, "the probe")
                if v.fact("call") is None:
                    n += 1
                recorder.process.send_signal(2)
                recorder.process.wait(20)
        v.wait()
        fact = next(f for f in v.facts if "call" in f)
        expect(n > 0, f"not once attached in {fact['ms']} ms: the test is broken")
        expect(fact["errno"] == 0, f"{call} failed with errno {fact['errno']}")
        expect(fact["ms"] >= fact["wanted_ms"] - 2, f"{call} came back after {fact['ms']} of {fact['wanted_ms']} ms")
        expect(fact["ms"] <= fact["wanted_ms"] + 600, f"{call} took {fact['ms']} ms, {fact['wanted_ms']} were wanted")


def storm(ctx, python, cycles):
    """A signal every moment; each is acknowledged, so that one lost stops everything."""
    with Victim(ctx, python, "signals") as v:
        chance = random.Random(1)
        for _ in range(cycles):
            with Recorder(ctx, v.pid, "--stack=off") as recorder:
                recorder.wait_attached()
                time.sleep(chance.uniform(0, 0.03))
                expect_goodbye(recorder.stop(), min_events=0)
        truth = v.stop()
        expect(truth["lost"] == 0 and truth["sent"] == truth["seen"], lambda: f"signals: {truth}")


def cells(ctx):
    for python in ctx.some_pythons(12, 8):
        for call in CALLS:
            yield "no EINTR in " + call, python, lambda p=python, c=call: no_eintr(ctx, p, c, 3)
        yield "storm", python, lambda p=python: storm(ctx, p, 200 if ctx.full else 5)
