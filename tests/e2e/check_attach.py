"""attach: attach to a running program, detach, attach again, detach again; the program must not notice.

The capture holds a window of what the victim raised: marks without a gap or a duplicate and with the right arguments.
The mappings afterwards are the mappings before.
"""
import os
import re
import select
import signal
import subprocess
import sys
import time

import harness
from harness import Launch, Recorder, Victim, expect, expect_goodbye, expect_same_maps, foreign_maps, maps_of, status_of, wait_for

# Victim, its arguments, whether its own mappings stay the same meanwhile.
QUICK = [("busy", [], False), ("sleeping", [], True), ("in_select", [], True), ("in_epoll", [], True), ("in_futex", [], True),
         ("threads8", [], False), ("forking", [], False), ("signals", [], False)]
# The events that a capture needs for check_window().
ENOUGH = {"threads8": (4000, "victim.thread"), "forking": (30, "victim.child"), "busy": (5, "victim.mark"), "signals": (5, "victim.mark"),
          "sleeping": (3, "victim.mark"), "in_select": (3, "victim.mark"), "in_epoll": (3, "victim.mark"), "in_futex": (3, "victim.mark")}
FULL = [("mp", ["fork"], False), ("mp", ["spawn"], False), ("mp", ["forkserver"], False), ("subprocess_storm", [], False),
        ("import_storm", [], False)]


def check_window(victim, events):
    """Check the marks of a victim in a capture that began and ended in the middle of its run."""
    if victim == "threads8":
        for thread in range(8):
            mine = [e for e in events if e["event"] == "victim.thread" and e["args"]["0"] == thread]
            expect(len(mine) > 3, f"{len(mine)} marks of thread {thread}")
            numbers = [e["args"]["1"] for e in mine]
            expect(numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"marks of thread {thread} have gaps or doubles")
            expect(all(e["args"]["2"] == "payload %d" % (e["args"]["1"] & 15) for e in mine), "wrong arguments")
            expect(len({e["tid"] for e in mine}) == 1, f"marks of thread {thread} come from several tids")
        return
    marks = [e for e in events if e["event"] == "victim.mark"]
    expect(len(marks) >= 2, f"{len(marks)} marks among {len(events)} events")
    numbers = [e["args"]["0"] for e in marks]
    expect(numbers == list(range(numbers[0], numbers[0] + len(numbers))), lambda: f"marks have gaps or doubles: {numbers[:40]}")
    for mark in marks:
        expect(mark["stack"] and os.path.basename(mark["stack"][-1]["file"]) == os.path.basename(harness.victim_path(victim)),
               lambda: f"stack of a mark: {mark['stack']}")
    if victim == "forking":
        children = {}
        for e in events:
            if e["event"] == "victim.child":
                children.setdefault(e["pid"], []).append(e["args"]["2"])
        # All children that began after the attach are complete; those that ran already may lack their beginning.
        whole = [c for c in children.values() if c in ([0, 1, 2, 3, 4], [0])]
        expect(len(children) >= 2 and len(whole) >= len(children) - 4, lambda: f"children: {list(children.values())[:20]}")


def attach_twice(ctx, python, victim, arguments, keeps_maps):
    with Victim(ctx, python, victim, *arguments) as v:
        v.settle()
        before = v.maps()
        for _ in range(2):
            with Recorder(ctx, v.pid, *(["-f"] if victim in ("forking", "mp", "subprocess_storm") else [])) as recorder:
                recorder.wait_attached()
                recorder.wait_events(*ENOUGH.get(victim, (5,)))
                said = recorder.stop()
                after = v.maps()
                n = expect_goodbye(said)
                events = recorder.capture.events()
                expect(n == len(events), f"goodbye says {n} events, the capture holds {len(events)}")
                check_window(victim, events)
                expect(not foreign_maps(after), lambda: f"left behind: {foreign_maps(after)}")
                expect_same_maps(before, after, keeps_maps)
                expect(status_of(v.pid, "TracerPid") == "0", "a tracer is still attached")
        truth = v.stop()
        for key in ("bad_children", "early", "lost", "woke_early"):
            expect(not truth.get(key), lambda: f"the victim was disturbed: {truth}")
        expect(truth.get("total_is_right", True), "the victim counted wrong")


def target_exits(ctx, python, how, status, more):
    """The target ends while it is recorded: all its events are in the capture, and the recorder ends by itself with
    status 0."""
    with Victim(ctx, python, "exits", how) as v:
        with Recorder(ctx, v.pid) as recorder:
            recorder.wait_attached()
            recorder.wait_events(2, "victim.mark")
            open(v.stop_file, "w").close()
            v.process.wait(harness.GUARD)
            expect(v.process.returncode == status, f"the target ended with {v.process.returncode}, expected {status}")
            recorder.wait()
            events = recorder.capture.events()
            for name in more:
                expect(events[-1]["event"] == name, lambda: f"the last event is {events[-1]['event']}, expected {name}")
            numbers = [e["args"]["0"] for e in events if e["event"] == "victim.mark"]
            expect(numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers))), "marks have gaps")


def stopped_target(ctx, python):
    """A target stopped by SIGSTOP: the attach succeeds, the target stays stopped, and its events are recorded after
    SIGCONT."""
    with Victim(ctx, python, "busy") as v:
        os.kill(v.pid, signal.SIGSTOP)
        wait_for(lambda: status_of(v.pid, "State").startswith("T"), 5, "the target to stop")
        with Recorder(ctx, v.pid) as recorder:
            wait_for(lambda: foreign_maps(maps_of(v.pid)) or recorder.process.poll() is not None, 20, "an answer")
            if recorder.process.poll() is not None:
                # A refusal is allowed if it names cause and cure; the target must then be as it was.
                expect(recorder.process.returncode == 1 and "stopped" in recorder.stderr(), lambda: recorder.stderr()[-300:])
                expect(status_of(v.pid, "State").startswith("T"), "the target is not stopped any more")
            else:
                time.sleep(0.2)
                expect(status_of(v.pid, "State").startswith("T"), "the target is not stopped any more")
                os.kill(v.pid, signal.SIGCONT)
                recorder.wait_events(5, "victim.mark")
                expect_goodbye(recorder.stop())
                check_window("busy", recorder.capture.events())
        os.kill(v.pid, signal.SIGCONT)
        v.stop()


def recorder_sleeps(ctx, python):
    """The recorder is stopped for longer than the target is willing to wait: the target continues, the missing events
    are counted, and recording continues with the recorder."""
    with Victim(ctx, python, "threads8") as v:
        with Recorder(ctx, v.pid, "--stack=off", "--ring-size", "1M", "-e", "victim.thread") as recorder:
            recorder.wait_attached()
            time.sleep(0.3)
            # How long it takes to fill the ring, and to find that nothing empties it, depends on the load.
            for seconds in (4, 8, 16, 32):
                recorder.process.send_signal(signal.SIGSTOP)
                time.sleep(seconds)
                held = recorder.count_events() or 0
                recorder.process.send_signal(signal.SIGCONT)
                recorder.wait_events(held + 20000)  # what the ring held, and more
                if recorder.count("lost"):
                    break
            said = recorder.stop()
            lost = int(re.sub(r"\D", "", harness.GOODBYE.search(said).group(2)))
            expect(lost > 0, "nothing was lost: either the ring is too large for this test, or losses are not counted")
            events = recorder.capture.events()
            expect(expect_goodbye(said, lost=lost) == len(events), "goodbye and capture disagree")
        missing = 0
        for thread in range(8):
            numbers = [e["args"]["1"] for e in events if e["event"] == "victim.thread" and e["args"]["0"] == thread]
            expect(numbers == sorted(set(numbers)), f"marks of thread {thread} are out of order or double")
            missing += numbers[-1] - numbers[0] + 1 - len(numbers)
        # on a busy machine the ring may be full once more at the end, behind the last mark that was kept
        expect(missing <= lost <= missing + lost // 10, f"{missing} marks are missing, {lost} were counted as lost")
        v.stop()


def stopped_while_it_asks(ctx, python):
    """The recorder is stopped, for longer than a target may take to answer, between a question to its reader and the answer: the
    target is not to blame, and is left as it was found."""
    with Victim(ctx, python, "busy") as v:
        for n in (1, 2, 4):
            with Recorder(ctx, v.pid, "--duration", "0.2", env=dict(os.environ, AUDITVIEW_FAULT=f"ask:{n}:stop")) as recorder:
                wait_for(lambda: open(f"/proc/{recorder.process.pid}/stat").read().rpartition(")")[2].split()[0] in "TZ", 30, f"question {n}")
                time.sleep(3.2)
                recorder.process.send_signal(signal.SIGCONT)
                said = recorder.wait(60)
                expect("does not answer" not in said and f"ask {n} stop" in said, lambda: f"question {n}: {said[-400:]}")
                expect_goodbye(said)
        v.stop()


def two_at_once(ctx, python):
    """-p A -p B: one capture, two processes."""
    with Victim(ctx, python, "sleeping") as a, Victim(ctx, python, "busy") as b:
        with Recorder(ctx, a.pid, "-p", str(b.pid)) as recorder:
            recorder.wait_attached()
            wait_for(lambda: {e["pid"] for e in recorder.capture.each()} == {a.pid, b.pid}, 20, "events of both")
            expect_goodbye(recorder.stop())
            pids = {e["pid"] for e in recorder.capture.events()}
            expect(pids == {a.pid, b.pid}, f"events of {pids}, expected {a.pid} and {b.pid}")
        a.stop()
        b.stop()


QUOTA_US, PERIOD_US = 1000, 100000  # of CPU time; 1000 is the least that the kernel takes


def limited_group():
    """A cgroup whose processes get 1 % of a CPU, whatever else the machine does; Skip if none can be made."""
    try:
        group = harness.ControlGroup(1, "cpu")
        name, text = "cpu.cfs_quota_us", str(QUOTA_US)
    except harness.Skip:
        group = harness.ControlGroup(2, "cpu")
        name, text = "cpu.max", f"{QUOTA_US} {PERIOD_US}"
    try:
        group.write(name, text)
    except OSError as why:
        group.__exit__()
        raise harness.Skip(f"CPU time cannot be limited here: {why}") from None
    return group


def starved(ctx, python):
    """A target that gets almost no CPU time: attach and detach work as usual, only later."""
    program = "import os, sys\nn = 0\nprint(flush=True)\nwhile not os.path.exists(sys.argv[1]):\n    sys.audit('starved.mark', n); n += 1\nsys.exit(5)"
    stop = os.path.join(ctx.new_folder("starved"), "stop")
    with limited_group() as group, subprocess.Popen([*python.command, "-S", "-c", program, stop], stdout=subprocess.PIPE) as target:
        try:
            target.stdout.readline()
            group.put(target.pid)
            for _ in range(2):
                with Recorder(ctx, target.pid) as recorder:
                    recorder.wait_linked(2 * harness.GUARD)
                    expect_goodbye(recorder.stop(seconds=2 * harness.GUARD), min_events=0)
                    left = foreign_maps(maps_of(target.pid))
                    expect(not left, lambda: f"left behind: {left}")
            open(stop, "w").close()
            expect(target.wait(harness.GUARD) == 5, lambda: f"the target ended with {target.returncode}")
        finally:
            harness.kill(target)


STORM = "import json, math, sys\nn = 0\nprint(flush=True)\nwhile True:\n    sys.audit('starved.mark', n); n += 1\n    json.dumps([n]); math.sqrt(n)"


def starved_recorder(ctx, python):
    """A recorder that gets 6 of 100 ms: to read the tables of the modules that are on the first native stacks takes it more than a
    second. The target, whose ring is full meanwhile, waits for it, and nothing is lost."""
    with subprocess.Popen([*python.command, "-S", "-c", STORM], stdout=subprocess.PIPE) as target:
        try:
            target.stdout.readline()
            with Recorder(ctx, target.pid, "--stack", "both") as recorder:
                recorder.wait_linked()
                until = time.monotonic() + 8
                while time.monotonic() < until and recorder.process.poll() is None:
                    time.sleep(0.006 * harness.SLOW)
                    recorder.process.send_signal(signal.SIGSTOP)
                    time.sleep(0.094)
                    recorder.process.send_signal(signal.SIGCONT)
                expect_goodbye(recorder.stop(), min_events=1000)
        finally:
            harness.kill(target)


def impatient(ctx, python):
    """Ctrl-C is sent many times: the recorder detaches as usual and prints its goodbye line."""
    with Victim(ctx, python, "sleeping") as v:
        with Recorder(ctx, v.pid) as recorder:
            recorder.wait_linked()
            while recorder.process.poll() is None:
                recorder.process.send_signal(signal.SIGINT)
                time.sleep(0.0002)
            expect_goodbye(recorder.wait(), min_events=0)
        v.stop()


# Another thread executes the program again when it is told to.
EXECUTES = """
import os, sys, threading, time
stem, generation = sys.argv[1], int(sys.argv[2])
print("ready", generation, flush=True)
def work():
    while not os.path.exists(stem + ".execute") or generation:
        time.sleep(0.01)
    os.execv(sys.executable, [sys.executable, "-S", "-c", CODE, stem, "1"])
threading.Thread(target=work, daemon=True).start()
while not os.path.exists(stem + ".stop"):
    sys.audit("victim.mark", generation)
    time.sleep(0.01)
os._exit(7)
"""
SITES = ["ptrace:1", "ptrace:3", "ptrace:5", "ptrace:8", "ptrace:11", "own:1", "own:6", "read:1", "read:200", "read:400", "write:1", "write:8"]


def executes_meanwhile(ctx, python, sites):
    """The target executes a program during the visit, at any step of it: the new program is then attached to."""
    for site in sites:
        stem = os.path.join(ctx.new_folder("executes"), "file")
        code = "CODE = " + repr("exec(open(%r).read())" % (stem + ".py")) + EXECUTES
        with open(stem + ".py", "w") as f:
            f.write(code)
        target = subprocess.Popen([*python.command, "-S", "-c", "exec(open(%r).read())" % (stem + ".py"), stem, "0"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, text=True)
        try:
            expect(target.stdout.readline() == "ready 0\n", "the target does not start")
            env = dict(os.environ, AUDITVIEW_FAULT=site + ":stop")
            with Recorder(ctx, target.pid, env=env) as recorder:
                wait_for(lambda: status_of(recorder.process.pid, "State")[0] in "TZ", 10, "the recorder to stop at " + site)
                open(stem + ".execute", "w").close()
                # During the visit, the thread that executes may be the one that is stopped.
                select.select([target.stdout], [], [], 2)
                recorder.process.send_signal(signal.SIGCONT)
                # The new program is attached to, unless it is that of a target that had been attached to before: it is not
                # followed, and the recorder ends.
                expect(select.select([target.stdout], [], [], 30)[0] and target.stdout.readline() == "ready 1\n", "the new program does not start")
                wait_for(lambda: foreign_maps(maps_of(target.pid)) or recorder.process.poll() is not None, 15, f"the probe, {site}")
                if recorder.process.poll() is None:
                    wait_for(lambda: recorder.count_events() or recorder.process.poll() is not None, harness.GUARD, f"an event, {site}")
                    recorder.process.send_signal(signal.SIGINT)
                expect_goodbye(recorder.wait(), min_events=0)
            open(stem + ".stop", "w").close()
            expect(target.wait(harness.GUARD) == 7, f"{site}: the target ended with {target.returncode}")
        finally:
            harness.kill(target)
            target.stdout.close()


# The first question for the coarse time of day gets a later answer than all others: the clock was set back after it.
SET_BACK = r"""
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *to)
{
	static int n;
	int result = (int)syscall(SYS_clock_gettime, clock, to);
	if (clock == CLOCK_REALTIME_COARSE && n++ == 0)
		to->tv_sec += 3600;
	return result;
}
"""


def clock_set_back(ctx, python):
    """The time at which the ring was mapped is earlier than the request: the target is not accused of it, and left as it was."""
    env = harness.preload(ctx, SET_BACK)
    with Victim(ctx, python, "busy") as v:
        before = maps_of(v.pid)
        with Recorder(ctx, v.pid, "--duration", "300ms", env=env) as recorder:
            status = recorder.process.wait(harness.GUARD)
            expect(status == 1 and "the clock of this machine was set back" in recorder.stderr() and "try again" in recorder.stderr(),
                   lambda: f"status {status}: {recorder.stderr()[-400:]}")
        expect_same_maps(before, maps_of(v.pid), False)
        with Recorder(ctx, v.pid) as recorder:
            recorder.wait_events(1)
            expect_goodbye(recorder.stop())
        v.stop()


def times(ctx, python):
    """A capture says whose times advance with the kernel's tick, and doctor says on which machines that is so."""
    is_trusted, words = harness.doctor_finding(ctx, "clock")
    expect(re.search(r"tick of \d+ ms", words), lambda: f"doctor says of the clock: {words}")

    def is_exact(events):
        flags = [e["process"]["flags"] for e in events if e.get("process")]
        expect(flags, lambda: "no process")
        return {not f & 256 for f in flags}
    exact = {is_trusted}
    with Victim(ctx, python, "busy") as v:
        for options, wanted in (([], {False}), (["-f"], exact)):
            with Recorder(ctx, v.pid, *options) as recorder:
                recorder.wait_linked()
                recorder.wait_events(1)
                recorder.stop()
            expect(is_exact(recorder.capture.events()) == wanted, lambda: f"{options}: exact {is_exact(recorder.capture.events())}")
        v.stop()
    for options, wanted in (([], exact), (["--no-follow"], {False})):
        run = Launch(ctx, python, ["-S", "-c", "pass"], options=options)
        run.expect_status(0)
        expect(is_exact(run.capture.events()) == wanted, lambda: f"launched {options}: exact {is_exact(run.capture.events())}")


def cells(ctx):
    for python in ctx.some_pythons(8, 11, 13):
        for victim, arguments, keeps_maps in QUICK + (FULL if ctx.full else []):
            what = " ".join([victim, *arguments])
            yield what, python, lambda p=python, v=victim, a=arguments, k=keeps_maps: attach_twice(ctx, p, v, a, k)
    for python in ctx.free_threaded():
        yield "threads8", python, lambda p=python: attach_twice(ctx, p, "threads8", [], False)
        yield "recorder sleeps", python, lambda p=python: recorder_sleeps(ctx, p)
    for python in ctx.some_pythons(12):
        yield "starved target", python, lambda p=python: starved(ctx, p)
        function = lambda p=python: starved_recorder(ctx, p)  # noqa: E731
        function.alone = True  # beside others, it would get still less
        yield "starved recorder", python, function
        clear = ["cpython._PySys_ClearAuditHooks"]
        for how, status, more in (("status", 42, clear), ("exception", 1, clear), ("_exit", 43, []), ("SIGKILL", -9, []), ("SIGTERM", -15, []),
                                  ("exec", 44, [])):
            yield "target ends by " + how, python, lambda p=python, h=how, s=status, m=more: target_exits(ctx, p, h, s, m)
        yield "times", python, lambda p=python: times(ctx, p)
        yield "stopped target", python, lambda p=python: stopped_target(ctx, p)
        yield "recorder sleeps", python, lambda p=python: recorder_sleeps(ctx, p)
        if ctx.full:  # what it waits for takes seconds
            yield "stopped while it asks", python, lambda p=python: stopped_while_it_asks(ctx, p)
        yield "told to leave again and again", python, lambda p=python: impatient(ctx, p)
        yield "executes a program meanwhile", python, lambda p=python: executes_meanwhile(ctx, p, SITES if ctx.full else SITES[1::3])
        yield "clock set back", python, lambda p=python: clock_set_back(ctx, p)
        yield "two targets", python, lambda p=python: two_at_once(ctx, p)
