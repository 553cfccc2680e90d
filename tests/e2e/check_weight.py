"""weight: what a recorder uses of a target's and the machine's resources: address space, locked and touched memory,
core dumps, descriptors, children that are not followed.
"""
import os
import re
import resource
import shutil
import signal
import subprocess
import time

import harness
from harness import Fail, Recorder, Skip, Victim, expect, expect_goodbye, status_of, wait_for

SPACE_MAX = 16 << 20  # limit for a target's address space, by default

READS_MAX = 500  # reads of a target's memory before it is stopped

# The program does not touch what is mapped later, but mlockall(MCL_CURRENT | MCL_FUTURE) would.
LOCKED = """
import ctypes, sys, time
libc = ctypes.CDLL(None)
print(libc.mlockall(3), flush=True)
end = time.monotonic() + 600
while time.monotonic() < end:
    sys.audit("weight.mark"); time.sleep(0.02)
"""

# RLIMIT_AS is set when the ring is there already, as judges and worker pools do.
LIMITED = """
import resource, sys, threading
used = int(open("/proc/self/statm").read().split()[0]) * 4096
limit = used + (64 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
bytearray(32 << 20)
t = threading.Thread(target=lambda: None); t.start(); t.join()
sys.exit(7)
"""

# A line on standard input starts it, the end of standard input ends it. All children live until then.
KIDS = """
import os, select, sys
sys.stdin.readline()
kids = []
is_over, parent = os.pipe()
for i in range(%(n)d):
    pid = os.fork()
    if pid == 0:
        os.close(parent)
        for k in range(%(events)d):
            sys.audit("weight.kid", k)
        while not select.select([is_over], [], [], 0.02)[0]:
            sys.audit("weight.kid", -1)
        os._exit(0)
    kids.append(pid)
sys.audit("weight.parent")
print(*kids, flush=True)
while not select.select([0], [], [], 0.02)[0]:
    sys.audit("weight.parent")
os.close(parent)
sys.exit(7 if all(os.waitpid(k, 0)[1] == 0 for k in kids) else 1)
"""

MARKS = """
import sys, time
print("ready", flush=True)
end = time.monotonic() + 600
while time.monotonic() < end:
    sys.audit("weight.mark"); time.sleep(0.05)
"""


def size_of(pid):
    return int(status_of(pid, "VmSize").split()[0]) * 1024


def script(python, code, stdin=subprocess.DEVNULL):
    return subprocess.Popen([*python.command, "-S", "-c", code], stdin=stdin, stdout=subprocess.PIPE, text=True)


def kids_of(process, n):
    """Start the children of KIDS; returns their process ids once the parent has raised an event."""
    process.stdin.write("\n")
    process.stdin.flush()
    kids = list(map(int, process.stdout.readline().split()))
    expect(len(kids) == n, f"there are {len(kids)} children: the test is broken")
    return kids


def ring_flags(pid):
    """Return the VmFlags of the ring (proc(5), smaps), and how many of its bytes the target has touched."""
    text = open(f"/proc/{pid}/smaps").read()
    match = re.search(r"rw-s [^\n]*(?:/dev/zero|memfd:auditview-ring)[^\n]*\n(.*?VmFlags:[^\n]*)", text, re.S)
    expect(match, "the ring is not there")
    return re.search(r"VmFlags: (.*)", match.group(1)).group(1).split(), int(re.search(r"Rss: *(\d+)", match.group(1)).group(1)) * 1024


def space(ctx, python):
    with Victim(ctx, python, "sleeping") as v:
        before = size_of(v.pid)
        with Recorder(ctx, v.pid) as recorder:
            recorder.wait_linked()
            more = size_of(v.pid) - before
            expect(0 < more <= SPACE_MAX, f"{more / (1 << 20):.1f} MiB of address space are taken")
            flags, _ = ring_flags(v.pid)
            expect("dd" in flags, f"a core dump of the target would hold the ring: {flags}")
            expect_goodbye(recorder.stop(), min_events=0)
        v.stop()


def limited(ctx, python):
    run = harness.Launch(ctx, python, ["-c", LIMITED])
    run.expect_status(harness.STATUS)


def locked(ctx, python):
    """In a process that locks everything it maps, none of our memory is locked, or touched before it is used."""
    with script(python, LOCKED) as process:
        try:
            if process.stdout.readline().strip() != "0":
                raise harness.Skip("mlockall(2) is not allowed here")
            before = status_of(process.pid, "VmLck")
            with Recorder(ctx, process.pid) as recorder:
                recorder.wait_linked()
                flags, touched = ring_flags(process.pid)
                expect("lo" not in flags, "the ring is locked")
                expect(touched < 2 << 20, f"{touched >> 10} KiB of the ring were touched by a few events")
                kib = [int(x.split()[0]) for x in (before, status_of(process.pid, "VmLck"))]
                expect(kib[1] - kib[0] < 256, f"{kib[1] - kib[0]} KiB more are locked")
                expect_goodbye(recorder.stop(), 0) # it may leave before the next event
        finally:
            process.kill()


def expect_clean(*pids):
    for pid in pids:
        expect(not harness.foreign_maps(harness.maps_of(pid)), f"something is left in {pid}")


def end(process):
    """Let the target end, and check that it ends as it does without us."""
    process.stdin.close()
    expect(process.wait(harness.GUARD) == harness.STATUS, f"the target ended with {process.returncode}")


def unfollowed(ctx, python):
    """With --no-follow, a forked child has no hook after its first event, and is not recorded."""
    with script(python, KIDS % {"n": 3, "events": 1}, subprocess.PIPE) as process:
        try:
            with Recorder(ctx, process.pid, "--no-follow") as recorder:
                recorder.wait_linked()
                kids = kids_of(process, 3)
                if not python.free_threaded:
                    for kid in kids:
                        wait_for(lambda k=kid: harness.hooks_of(ctx, k) == 0, 10, "a child to be without a hook")
                expect_goodbye(recorder.stop())
                expect(not recorder.capture.named("weight.kid"), "events of children are recorded")
                expect(recorder.capture.named("weight.parent"), "nothing is recorded: the test is broken")
                expect_clean(process.pid, *kids)
            end(process)
        finally:
            process.kill()


def many_kids(ctx, python, n):
    """Forked children that live at the same time share one ring: nothing is lost."""
    run = harness.Launch(ctx, python, ["-S", "-c", KIDS % {"n": n, "events": 50}])
    run.expect_status(harness.STATUS)
    expect_goodbye(run.stderr, ended=True)
    each = {}
    for e in run.capture.named("weight.kid"):
        if e["args"]["0"] >= 0:
            each.setdefault(e["pid"], []).append(e["args"]["0"])
    expect(len(each) == n and all(v == list(range(50)) for v in each.values()), lambda: f"{len(each)} children of {n}, {sum(map(len, each.values()))} events")


def taken_over(ctx, python):
    """What a killed recorder left is removed from the process that the user names, and from those of its children that
    are proved to have the same."""
    with script(python, KIDS % {"n": 2, "events": 1}, subprocess.PIPE) as process:
        try:
            with Recorder(ctx, process.pid) as recorder:
                recorder.wait_linked()
                kids = kids_of(process, 2)
                recorder.process.kill()
            with Recorder(ctx, process.pid, "--duration", "300ms") as recorder:
                expect_goodbye(recorder.wait(), min_events=0)
            expect_clean(process.pid, *kids)
            end(process)
        finally:
            process.kill()


def few_descriptors(ctx, python, limit, n):
    """More targets than descriptors: whatever happens, nothing stays in any target, and the status reports it."""
    targets = [script(python, MARKS) for _ in range(n)]
    try:
        for t in targets:
            t.stdout.readline()
        path = os.path.join(ctx.new_folder("descriptors"), "capture.avc")
        command = [ctx.auditview, "record", "--duration", "500ms", "-o", path]
        for t in targets:
            command += ["-p", str(t.pid)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit))
        expect(done.returncode in (0, 1), lambda: f"status {done.returncode}: {done.stderr[-300:]}")
        expect(done.returncode == 0 or "oo many open files" in done.stderr, lambda: f"the cause is not reported: {done.stderr[-300:]}")
        if limit[1] > 1000:
            expect(done.returncode == 0, lambda: f"the limit was not raised: {done.stderr[-300:]}")
        for t in targets:
            expect(not harness.foreign_maps(harness.maps_of(t.pid)), f"a probe stays in {t.pid}")
            expect(t.poll() is None, f"a target ended with {t.returncode}")
    finally:
        for t in targets:
            t.kill()
            t.wait()
            t.stdout.close()


def few_reads(ctx, python):
    """What a process is is found once: few reads of its memory, and few of its mappings, before the first request of ptrace."""
    strace = shutil.which("strace")
    if not strace:
        raise Skip("no strace here")
    folder = ctx.new_folder("reads")
    log = os.path.join(folder, "strace")
    with Victim(ctx, python, "busy") as v:
        done = subprocess.run([strace, "-f", "-o", log, ctx.auditview, "record", "-q", "-p", str(v.pid), "-o", os.path.join(folder, "capture.avc"),
                               "--duration", "200ms"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        expect(done.returncode == 0, lambda: f"status {done.returncode}: {done.stdout[-400:]}")
        before = []
        for line in open(log, encoding="utf-8", errors="replace"):
            if " ptrace(" in line:
                break
            before.append(line)
        else:
            raise Fail("no request of ptrace: the test is broken")
        reads = sum(" process_vm_readv(" in line or " pread64(" in line for line in before)
        maps, memory = (sum(f'"/proc/{v.pid}/{name}"' in line for line in before) for name in ("maps", "mem"))
        expect(20 < reads <= READS_MAX, f"{reads} reads before the first request")
        # record examines it before the file is made, and then to attach; a third time if the machine is so slow that the facts got old.
        expect(2 <= maps <= 3 and 2 <= memory <= 3, f"its mappings were read {maps} times, its memory was opened {memory} times")
        v.stop()


def stopped_at_read(ctx, python):
    """The same by what the target shows: a recorder that stops at this read has mapped the probe by then."""
    with Victim(ctx, python, "busy") as v:
        with Recorder(ctx, v.pid, "--duration", "1s", env=dict(os.environ, AUDITVIEW_FAULT=f"read:{READS_MAX}:stop")) as recorder:
            def is_stopped():
                return recorder.process.poll() is not None or status_of(recorder.process.pid, "State").startswith("T")
            wait_for(is_stopped, 30, "the recorder to stop or end")
            if recorder.process.poll() is None:
                expect(harness.foreign_maps(v.maps()), f"after {READS_MAX} reads nothing was mapped")
                recorder.process.send_signal(signal.SIGCONT)
            expect_goodbye(recorder.wait())
        v.stop()


def cells(ctx):
    for python in ctx.some_pythons(11, 13) + ctx.free_threaded():
        yield "reads before the first stop, counted", python, lambda p=python: few_reads(ctx, p)
        yield "reads before the first stop, shown", python, lambda p=python: stopped_at_read(ctx, p)
        yield "address space", python, lambda p=python: space(ctx, p)
        yield "RLIMIT_AS set later", python, lambda p=python: limited(ctx, p)
        yield "mlockall, nothing touched", python, lambda p=python: locked(ctx, p)
        yield "children that nobody follows", python, lambda p=python: unfollowed(ctx, p)
    for python in ctx.some_pythons(11):
        yield "24 children side by side", python, lambda p=python: many_kids(ctx, p, 24)
        yield "a killed recorder's, with children", python, lambda p=python: taken_over(ctx, p)
        yield "12 targets, 40 descriptors", python, lambda p=python: few_descriptors(ctx, p, (40, 40), 12)
        yield "12 targets, soft limit of 40", python, lambda p=python: few_descriptors(ctx, p, (40, 4096), 12)
