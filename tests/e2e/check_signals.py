"""signals: attaching loses and doubles no signal, and no system call returns EINTR, or early, unless it would have done
so without us.

The cells cover every row of the table of calls: those that restart, those that we make again (without a timeout, or
called by Python, which recomputes it), and those that a stop would end early: then no thread is stopped
(src/visit/lazy_link.h), and the probe is mapped at the next event.
"""
import os
import random
import re
import subprocess
import time

from check_faults import code_digest
from harness import GUARD, AS_NOBODY, SLOW, Fail, Recorder, Skip, Victim, expect, expect_goodbye, foreign_maps, is_in_call, maps_of, wait_for

QUICK = "nanosleep poll select futex read_pipe accept waitpid epoll_for_ever recv sigwaitinfo semop py_epoll py_sigtimedwait".split()
CALLS = QUICK + ("clock_nanosleep clock_nanosleep_until ppoll pselect pause connect read_inotify read_timerfd flock lock_region msgrcv "
                 "mq_timedreceive futex_until sigsuspend read_tty").split()
QUICK_SHOWING = "epoll_timeout recv_timeout sigtimedwait io_uring".split()
SHOWING = QUICK_SHOWING + "epoll_pwait2 read_timeout accept_timeout send_timeout semtimedop io_getevents io_uring_submit".split()


def in_the_call(v, call):
    """Wait until the thread sleeps in the call."""
    wait_for(lambda: v.fact("enter") == call, 10, "the call")
    seen = []

    def waits():
        """It was asleep at the same place each time, five times in turn: not in one of the short calls before."""
        with open(f"/proc/{v.pid}/task/{v.pid}/syscall", encoding="ascii") as f:
            now = f.read()
        seen[:] = [now] if not now[0].isdigit() or now not in seen else seen + [now]
        time.sleep(0.02)
        return len(seen) >= 5 or v.fact("skip") or v.fact("call")
    wait_for(waits, GUARD, "the call")
    if v.fact("skip"):
        raise Skip(v.fact("skip"))


def expect_as_alone(v, call, may_be_late=False):
    """What each call returned, and when. Returns a text about one that came back too late, which a busy machine causes, too."""
    facts = [f for f in v.facts if "call" in f]
    expect(facts, "no call was made")
    for fact in facts:
        expect(fact["errno"] == 0, f"{call} failed with errno {fact['errno']}")
        expect(fact["ms"] >= fact["wanted_ms"] - 2, f"{call} came back after {fact['ms']} of {fact['wanted_ms']} ms")
        # The thread that ends the call, and the recorder, wait for a processor as this thread does.
        if fact["ms"] > fact["wanted_ms"] + 600 * SLOW + 3 * fact["waited_ms"]:
            late = f"{call} took {fact['ms']} ms, {fact['wanted_ms']} were wanted, {fact['waited_ms']} waited for a processor"
            expect(may_be_late, late)
            return late
    return ""


def in_time_once(visit, times=4):
    """A call that we make longer is late in each visit; one that is late because the machine is busy, in some."""
    for n in range(times):
        late = visit()
        if not late:
            return
    raise Fail(f"{late}, and so {times} times")


def passed_by(said):
    """The first event is held for 0.2 s. If the recorder gets no processor in that time, events pass, and are counted."""
    passed = re.search(r"([\d ,]+) lost \(the probe was not there yet\)", said)
    return int(re.sub(r"\D", "", passed.group(1))) if passed else 0


def not_stopped(ctx, python, call, prefix=()):
    in_time_once(lambda: not_stopped_once(ctx, python, call, prefix))


def not_stopped_once(ctx, python, call, prefix=()):
    """In a call that a stop would end early: armed from outside; left again before any event; then a complete visit."""
    with Victim(ctx, python, "eintr", call, prefix=prefix) as v:
        in_the_call(v, call)
        before = code_digest(v.pid, v.maps())
        doctor = subprocess.run([*prefix, ctx.auditview, "doctor", str(v.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        expect(doctor.returncode == 0, lambda: f"doctor: {doctor.stdout}")
        with Recorder(ctx, v.pid, prefix=prefix) as recorder: # the recorder attaches and detaches within the call
            wait_for(lambda: code_digest(v.pid, v.maps()) != before or recorder.process.poll() is not None, 10, "the first hook")
            mapped, looked = foreign_maps(v.maps()), time.monotonic()
            expect_goodbye(recorder.stop(), min_events=0)
        expect(code_digest(v.pid, maps_of(v.pid)) == before, "code is left in the target")
        if mapped:  # by the first event after the call: before that fact is read, if the machine is busy
            wait_for(lambda: v.fact("call"), 2 * GUARD, "the end of the call")
            over = next(f["over"] for f in v.facts if "over" in f)
            expect(over < looked, lambda: f"something was mapped {over - looked:.3f} s before the call ended: {mapped}")
        # the recorder gets the events after the call, and detaches within the next call
        with Recorder(ctx, v.pid, prefix=prefix) as recorder:
            wait_for(lambda: foreign_maps(v.maps()) or recorder.process.poll() is not None, 10, "the next event")
            calls = sum("call" in f for f in v.facts)
            wait_for(lambda: sum("enter" in f for f in v.facts) > calls + 1, 10, "an event that the probe sees")
            said = recorder.stop()
            expect_goodbye(said, min_events=1, lost=passed_by(said))
            marks = recorder.capture.named("victim.mark")
            expect(marks, "no mark was captured")
        expect(code_digest(v.pid, maps_of(v.pid)) == before, "code is left in the target")
        expect(not foreign_maps(v.maps()), lambda: f"left behind: {foreign_maps(v.maps())}")
        v.stop()
        return expect_as_alone(v, call, may_be_late=True)


def no_eintr(ctx, python, call, times, *options):
    """One thread in this call: attach and detach while it waits, as often as possible."""
    late = "not once attached: the test is broken"
    for _ in range(6):  # on a loaded machine, the call may end before the recorder has attached
        with Victim(ctx, python, "eintr", call, rounds=1) as v:
            in_the_call(v, call)
            n = 0
            while v.fact("call") is None and n < times:
                with Recorder(ctx, v.pid, *options) as recorder:
                    wait_for(lambda: v.fact("call") or "/dev/zero" in v.maps() or "memfd:" in v.maps() or
                             recorder.process.poll() is not None, 5, "the probe")
                    if v.fact("call") is None:
                        n += 1
                    recorder.process.send_signal(2)
                    recorder.process.wait(GUARD)
            v.wait()
            late = expect_as_alone(v, call, may_be_late=True) if n > 0 else late
        if n > 0 and not late:
            return
    raise Fail(late)


LONG_WAIT = """import ctypes, os, select, sys, time
wait, epoll, buffer = ctypes.CDLL(None).epoll_wait, select.epoll(), ctypes.create_string_buffer(64)
epoll.register(0, select.EPOLLIN)
print("READY", flush=True)
while not os.path.exists(sys.argv[1]):
    sys.audit("victim.mark", 0)
    time.sleep(.01)
print("woke", wait(epoll.fileno(), buffer, 1, 600000), flush=True)
sys.stdin.readline()
while not os.path.exists(sys.argv[2]):
    sys.audit("victim.mark", 1)
    time.sleep(.01)
"""


def left_in_a_long_wait(ctx, python):
    """No thread can be stopped until the recorder gives up: it reports what it leaves, and the next recorder removes
    it."""
    folder = ctx.new_folder("long-wait")
    go, stop = os.path.join(folder, "go"), os.path.join(folder, "stop")
    with subprocess.Popen([*python.command, "-c", LONG_WAIT, go, stop], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            expect(process.stdout.readline() == "READY\n", "it is not ready")
            before, digest = foreign_maps(maps_of(process.pid)), code_digest(process.pid, maps_of(process.pid))
            with Recorder(ctx, process.pid) as recorder:
                recorder.wait_linked()
                open(go, "w").close()
                wait_for(lambda: is_in_call(process.pid, "epoll_wait", "epoll_pwait"), 10, "the wait")
                time.sleep(.2)
                recorder.process.send_signal(2)
                expect(recorder.process.wait(GUARD) == 1, "its status says that all is well")
                text = recorder.stderr()
                expect(re.search(r"restored: no \(.*waits in a call.* KiB of it stay mapped and unused", text), lambda: f"it says {text[-300:]}")
            with Recorder(ctx, process.pid) as recorder:
                wait_for(lambda: code_digest(process.pid, maps_of(process.pid)) != digest, GUARD, "the first hook")
                process.stdin.write("\n")
                process.stdin.flush()
                expect(process.stdout.readline() == "woke 1\n", "the wait was disturbed")
                recorder.wait_events(1)
                said = recorder.stop()
                expect_goodbye(said, min_events=1, lost=passed_by(said))
                expect(foreign_maps(maps_of(process.pid)) == before, "something is left behind")
            open(stop, "w").close()
            expect(process.wait(GUARD) == 0, lambda: f"its status is {process.returncode}")
        finally:
            process.kill()


def storm(ctx, python, cycles):
    """Signals are sent all the time; each is acknowledged, so a single lost one stops everything."""
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
        for call in CALLS if ctx.full else QUICK:
            yield "no EINTR in " + call, python, lambda p=python, c=call: no_eintr(ctx, p, c, 3)
        # all threads are tracees then, and are detached one by one
        for call in ("poll", "epoll_for_ever", "sigwaitinfo", "py_epoll"):
            yield f"no EINTR in {call}, following", python, lambda p=python, c=call: no_eintr(ctx, p, c, 1, "-f")
        for call in SHOWING if ctx.full else QUICK_SHOWING:
            yield "not stopped in " + call, python, lambda p=python, c=call: not_stopped(ctx, p, c)
        if ctx.full or python.version_text.startswith("3.12"):
            yield "left in a long wait", python, lambda p=python: left_in_a_long_wait(ctx, p)
        yield "storm", python, lambda p=python: storm(ctx, p, 200 if ctx.full else 5)
    for python in ctx.for_all_pythons()[:1]:
        for call in SHOWING if ctx.full else ("epoll_timeout", "recv_timeout"):
            yield f"not stopped in {call}, as nobody", python, lambda p=python, c=call: not_stopped(ctx.for_nobody(), p, c, AS_NOBODY)
