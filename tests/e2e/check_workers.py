"""workers: servers that fork more processes, or start more threads, than a ring has slots: nothing is lost, no process
waits for long, and nothing stays.
"""
import os
import re
import resource
import subprocess
import time

import harness
from harness import AS_NOBODY, Recorder, expect, expect_goodbye, status_of

STATUS = harness.STATUS
N_EVENTS = 40
# Limits for a child's longest event, in seconds: a child that found no slot used to wait for 1 s or more. The median
# does not depend on a loaded machine.
WAIT_MEDIAN, WAIT_MAX = 0.25, 20.0

# All children are alive when the last one has raised its events. `how`: one parent forks all ("star"), each child forks
# the next ("chain"), or there are sqrt(n) parents ("tree").
FORKS = """
import os, sys, time
how, n, wait = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
done_r, done_w = os.pipe()   # each child writes its longest event when it has raised all
hold_r, hold_w = os.pipe()   # until the first process closes it all stay
if wait:
    print("ready", flush=True)
    sys.stdin.readline()
def work():
    worst = 0
    for k in range(%d):
        t = time.monotonic(); sys.audit("workers.kid", k); worst = max(worst, time.monotonic() - t)
    os.write(done_w, b"%%d %%d\\n" %% (os.getpid(), worst * 1e6))
def stay(kids):
    os.close(hold_w)
    os.read(hold_r, 1)
    sys.audit("workers.kid", -1)
    os._exit(1 if any(os.waitpid(k, 0)[1] for k in kids) else 0)
def star(n):
    kids = []
    for i in range(n):
        pid = os.fork()
        if pid == 0:
            work(); stay([])
        kids.append(pid)
    return kids
def chain(n):
    pid = os.fork()
    if pid == 0:
        work(); stay(chain(n - 1) if n > 1 else [])
    return [pid]
def tree(n):
    kids, side = [], int(n ** .5)
    for i in range(side):
        pid = os.fork()
        if pid == 0:
            work(); stay(star(side - 1))
        kids.append(pid)
    return kids
start = time.monotonic()
kids = {"star": star, "chain": chain, "tree": tree}[how](n)
n = n if how != "tree" else int(n ** .5) ** 2
data = b""
while data.count(b"\\n") < n:
    data += os.read(done_r, 65536)
sys.audit("workers.parent", n)
print(time.monotonic() - start, *data.decode().split(), flush=True)
if wait:
    sys.stdin.readline()
os.close(hold_w)
sys.exit(7 if all(os.waitpid(k, 0)[1] == 0 for k in kids) else 1)
""" % N_EVENTS

# Free threads: each has a count of its own, and all run in parallel.
THREADS = """
import sys, threading
n, rounds = int(sys.argv[1]), int(sys.argv[2])
gate = threading.Barrier(n)
def work(i):
    gate.wait()
    for k in range(rounds):
        sys.audit("workers.thread", i, k)
threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
for t in threads: t.start()
for t in threads: t.join()
sys.exit(7)
"""


def expect_all(capture, kids):
    each = {pid: [] for pid in kids}
    for e in capture.named("workers.kid"):
        each.setdefault(e["pid"], []).append(e["args"]["0"])
    wrong = [pid for pid, got in each.items() if got not in (list(range(N_EVENTS)), [*range(N_EVENTS), -1])]
    expect(set(each) == set(kids) and not wrong, lambda: f"{len(each)} of {len(kids)} children, {len(wrong)} of them incomplete or out of order")


def facts_of(line):
    words = line.split()
    waits = sorted(int(x) / 1e6 for x in words[2::2])
    return list(map(int, words[1::2])), waits


def expect_quick(waits):
    expect(waits[len(waits) // 2] < WAIT_MEDIAN and waits[-1] < WAIT_MAX, lambda: f"an event took {waits[len(waits) // 2]:.3f} s in the median child, {waits[-1]:.3f} s at worst")


def launched(ctx, python, how, n, options=(), limit=0):
    prefix = ["prlimit", f"--as={limit}"] if limit else []
    run = harness.Launch(ctx, python, ["-S", "-c", FORKS], how, str(n), "0", options=options, prefix=prefix)
    run.expect_status(STATUS)
    expect_goodbye(run.stderr, ended=True)
    kids, waits = facts_of(run.stdout)
    expect_all(run.capture, kids)
    expect_quick(waits)


def attached(ctx, python, n, killed, prefix=()):
    """Workers are forked while we are attached; then the recorder detaches, or is killed and followed by another."""
    command = [*prefix, *python.command, "-S", "-c", FORKS, "star", str(n), "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            process.stdout.readline()
            size = int(status_of(process.pid, "VmSize").split()[0])
            with Recorder(ctx, process.pid, "-f", prefix=prefix) as recorder:
                recorder.wait_linked()
                process.stdin.write("\n")
                process.stdin.flush()
                kids, waits = facts_of(process.stdout.readline())
                sizes = [int(status_of(pid, "VmSize").split()[0]) - size for pid in (process.pid, *kids)]
                expect(max(sizes) <= 17 << 10, lambda: f"{max(sizes) >> 10} MiB of address space are taken")
                expect(min(sizes[1:]) < sizes[0] // 2, "no child has a ring of its own: the test is broken")
                if killed:
                    recorder.process.kill()
                else:
                    expect_goodbye(recorder.stop())
                    expect_all(recorder.capture, kids)
                    expect_quick(waits)
            if killed:
                started = time.monotonic()
                with Recorder(ctx, process.pid, "-f", "--duration", "100ms", prefix=prefix) as recorder:
                    expect_goodbye(recorder.wait(harness.GUARD), min_events=0)
                taken_over = time.monotonic() - started
                with Recorder(ctx, process.pid, "-f", "--duration", "100ms", prefix=prefix) as recorder:
                    expect_goodbye(recorder.wait(), min_events=0)
                again = time.monotonic() - started - taken_over
                # The recorder waits half a second for a heartbeat of the first recorder, once and not for each ring.
                expect(taken_over < 0.4 * n + 4 * again, f"taken over in {taken_over:.1f} s; without anything to take over, a visit takes {again:.1f} s")
            for pid in (process.pid, *kids):
                expect(not harness.foreign_maps(harness.maps_of(pid)), f"something is left in {pid}")
            process.stdin.write("\n")
            process.stdin.flush()
            expect(process.wait(harness.GUARD) == STATUS, f"the target ended with {process.returncode}")
        finally:
            process.kill()


def faulty(ctx, python, calls):
    """One of many calls fails while a child is given its ring: the child uses its parent's ring, or is not recorded,
    which is reported. The child continues."""
    n_given = 0
    for k in calls:
        env = dict(os.environ, AUDITVIEW_FAULT=f"call:{k}:ENOMEM")
        run = harness.Launch(ctx, python, ["-S", "-c", FORKS], "star", "16", "0", env=env)
        run.expect_status(STATUS)
        if "fault: call" not in run.stderr:
            break
        kids, _ = facts_of(run.stdout)
        got = {e["pid"] for e in run.capture.named("workers.kid")}
        n_given += len(got) > 12
        missing = set(kids) - got
        if got and missing:
            expect("unknown" in run.stderr or "not watched" in run.stderr, lambda: f"{len(missing)} children are missing, and that is not reported: {run.stderr[-300:]}")
    expect(n_given, "no child was recorded: the test is broken")


def threads(ctx, python, n, rounds):
    run = harness.Launch(ctx, python, ["-S", "-c", THREADS], str(n), str(rounds), options=["--stack", "off"])
    run.expect_status(STATUS)
    expect_goodbye(run.stderr, ended=True)
    each = {}
    for e in run.capture.named("workers.thread"):
        each.setdefault(e["args"]["0"], []).append(e["args"]["1"])
    expect(len(each) == n and all(v == list(range(rounds)) for v in each.values()), lambda: f"{len(each)} threads, {sum(map(len, each.values()))} events, or out of order")


BORN_LATE = """
import os, sys, time
while not os.path.exists(sys.argv[1]): time.sleep(0.005)
for i in range(40):
    if os.fork() == 0:
        for k in range(20):
            sys.audit("victim.mark", os.getpid(), k)
            time.sleep(0.02)
        os._exit(0)
    time.sleep(0.005)
try:
    while True: os.wait()
except ChildProcessError:
    sys.exit(7)
"""


def descriptors(ctx, python, limit):
    """The recorder may open no more files, part-way: what it records is shown of the process that raised it, children are
    counted once, and what is missing is said."""
    go = os.path.join(ctx.new_folder("descriptors"), "go")
    with subprocess.Popen([*python.command, "-S", "-c", BORN_LATE, go], stdin=subprocess.DEVNULL) as target:
        try:
            with Recorder(ctx, target.pid, "-f") as recorder:
                recorder.wait_linked()
                resource.prlimit(recorder.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
                open(go, "w").close()
                expect(target.wait(harness.GUARD) == 7, lambda: f"the target ended with {target.returncode}")
                text = recorder.wait()
                marks = [(e["pid"], e["args"]["0"], e["args"]["1"]) for e in recorder.capture.named("victim.mark")]
        finally:
            harness.kill(target)
    wrong = [m for m in marks if m[0] != m[1]]
    expect(not wrong, lambda: f"{len(wrong)} events are shown of another process: {wrong[:3]}")
    expect(len(set(marks)) == len(marks), "events are shown twice")
    lost = re.search(r"([\d ]+) lost", text)
    expect(not lost or len(marks) + int(lost.group(1).replace(" ", "")) >= 800, lambda: f"{len(marks)} of 800 events: {text!r}")
    expect(" 40 children," in text and "malformed" not in text, lambda: f"{text!r}")


def cells(ctx):
    for python in ctx.some_pythons(11):
        for limit in (12, 24) if ctx.full else (12,):
            yield f"{limit} descriptors, part-way", python, lambda p=python, n=limit: descriptors(ctx, p, n)
    n = 200 if ctx.full else 100
    for python in ctx.some_pythons(8, 13) + ctx.free_threaded():
        yield "64 workers at once", python, lambda p=python: launched(ctx, p, "star", 64)
    for python in ctx.some_pythons(11):
        yield f"{n} workers at once", python, lambda p=python: launched(ctx, p, "star", n)
        yield "fork in fork in fork, 40 deep", python, lambda p=python: launched(ctx, p, "chain", 40)
        yield "7 masters of 6 workers", python, lambda p=python: launched(ctx, p, "tree", 49)
        yield "40 workers, native stacks", python, lambda p=python: launched(ctx, p, "star", 40, options=["--stack", "both"])
        yield "40 workers, RLIMIT_AS", python, lambda p=python: launched(ctx, p, "star", 40, limit=120 << 20)
        yield "40 workers, attach and leave", python, lambda p=python: attached(ctx, p, 40, False)
        yield "40 workers, killed recorder", python, lambda p=python: attached(ctx, p, 40, True)
        yield "40 workers, another user", python, lambda p=python: attached(ctx.for_nobody(), p, 40, False, prefix=AS_NOBODY)
        yield "a call fails as a ring is given", python, lambda p=python: faulty(ctx, p, range(1, 60) if ctx.full else range(8, 16))
    for python in ([p for p in ctx.pythons if p.free_threaded] if ctx.full else ctx.free_threaded()):
        yield "32 threads side by side", python, lambda p=python: threads(ctx, p, 32, 20000 if ctx.full else 1500)
