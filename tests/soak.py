#!/usr/bin/env python3
"""soak: attach, detach, kill, fork, exec and signal storms over all Pythons in rotation, for as long as is asked.

    tests/soak.py [--minutes N] [--build DIR] [--python REGEX] [--seed N] [--no-fetch] [-v]

Throughout the run one recorder follows a program that forks, execs and starts threads without end: its memory and descriptors are
sampled. Beside it one scenario after the other runs on one Python after the other, each on a target of its own. At the end the figures:
targets harmed (died, hung, wrong results, changed mappings, changed code), events lost in lossless mode (compared with the target's own
count), growth of the recorder. Exit status 0 only if all are nothing.
"""
import collections
import os
import random
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "e2e"))
import check_attach  # noqa: E402
import check_faults  # noqa: E402
import check_signals  # noqa: E402
import check_survival  # noqa: E402
import harness  # noqa: E402
from harness import Fail, Launch, Recorder, Skip, Victim, expect, expect_goodbye, status_of, victim_path  # noqa: E402

# What a recorder may grow by between the second and the last quarter of a run: tables of strings and processes double now and then.
GROWTH_KIB = 1024
FIRST_MINUTE_KIB = 4096
DICTIONARIES_KIB = 12288  # src/capture/writer.c: they fill, in a quarter of an hour or so, and then forget
GROWTH_KIB_PER_1000_PROCESSES = 64


# ---- scenarios: (function of run, python; returns nothing, raises Fail) ----

def attach_detach(run, python):
    check_survival.many_cycles(run.ctx, python, 8)
    run.counts["attached and left"] += 8


def kill_recorder(run, python):
    check_survival.killed_at_random(run.ctx, python, 8)
    run.counts["recorders killed"] += 8


def fork_while_attaching(run, python):
    with Victim(run.ctx, python, "forking") as v:
        for _ in range(4):
            with Recorder(run.ctx, v.pid, "--duration", "150ms") as recorder:
                if run.chance.random() < 0.5:
                    expect_goodbye(recorder.wait(), min_events=0)
                else:
                    time.sleep(run.chance.random() * 0.1)
                    recorder.process.kill()
        check_survival.clean_visit(run.ctx, v)
        truth = v.stop()
        expect(truth["bad_children"] == 0, lambda: f"children: {truth}")
        run.counts["forks while attaching"] += 3 * truth["marks"]


def exec_and_count(run, python):
    """Launched, with children of other programs and of Pythons: each child's mark is there, once."""
    rounds = 6
    if python.name.endswith("+ldso"):
        raise Skip("a Python under ld.so cannot start another one by sys.executable")
    done = Launch(run.ctx, python, victim_path("subprocess_storm"), "--rounds", str(rounds), options=["-f"])
    done.expect_status(harness.STATUS)
    expect(done.fact("truth")["bad_children"] == 0, lambda: f"children: {done.facts}")
    expect_goodbye(done.stderr, ended=True)
    marks = sorted(e["args"]["0"] for e in done.capture.named("victim.child"))
    expect(marks == list(range(rounds)), lambda: f"marks of the children: {marks}")
    run.counts["programs started"] += 3 * rounds


def exec_the_target(run, python):
    check_attach.target_exits(run.ctx, python, "exec", 44, [])
    run.counts["targets that exec"] += 1


def signal_storm(run, python):
    check_signals.storm(run.ctx, python, 8)
    run.counts["attached in a signal storm"] += 8


def lossless(run, python):
    """12 threads in 3 processes: every event, in order, as many as they raised."""
    each = 4000
    done = Launch(run.ctx, python, victim_path("storm"), "--rounds", "1", str(each), options=["--stack", run.chance.choice(("off", "python", "both"))])
    done.expect_status(harness.STATUS)
    expect_goodbye(done.stderr, ended=True)
    expect(done.fact("truth") == {"each": each, "bad_children": 0}, lambda: f"truth: {done.facts}")
    following = collections.Counter()
    for event in done.capture.each():
        if event["event"] == "victim.storm":
            process, thread, n = (event["args"][k] for k in "012")
            missing = n - following[process, thread]
            run.counts["events lost"] += max(missing, 0)
            expect(missing == 0, f"process {process}, thread {thread}: {n} follows {following[process, thread] - 1}")
            following[process, thread] += 1
    raised = 12 * each
    run.counts["events raised"] += raised
    run.counts["events lost"] += raised - following.total()
    expect(following.total() == raised, f"{raised} raised, {following.total()} captured")


def one_fault(run, python):
    """Something fails, anywhere in a visit."""
    with Victim(run.ctx, python, "guest") as v:
        before = check_faults.snapshot(v.pid)
        for _ in range(6):
            site = run.chance.choice(("ptrace", "write", "read", "own", "call"))
            action = run.chance.choice(("EPERM", "ENOMEM", "ENOSYS") if site == "call" else ("EPERM", "kill"))
            n = run.chance.randrange(1, {"ptrace": 26, "write": 24, "read": 400, "own": 20, "call": 8}[site])
            spec = f"{run.chance.choice(('', 'leave-'))}{site}:{n}:{action}"
            fired, status, text = check_faults.visit(run.ctx, v, spec)
            check_faults.expect_clean(run.ctx, v, before, spec, status, text)
            run.counts["faults"] += fired
        check_faults.expect_healthy(v)


SCENARIOS = [attach_detach, kill_recorder, fork_while_attaching, exec_and_count, exec_the_target, signal_storm, lossless, one_fault]


# ---- the recorder that stays ----

class Resident:
    """`record -f` of a program that never rests; (seconds, RSS KiB, descriptors, children so far) of its recorder now and then."""

    PROGRAM = """
import os, subprocess, sys, threading, time
n = 0
while not os.path.exists(sys.argv[1]):
    sys.audit("soak.round", n)
    pid = os.fork()
    if pid == 0:
        sys.audit("soak.child", n)
        os._exit(0)
    os.waitpid(pid, 0)
    subprocess.run(["/bin/true"])
    if n % 8 == 0:
        subprocess.run([sys.executable, "-S", "-c", "import sys; sys.audit('soak.python', 1)"])
    thread = threading.Thread(target=sys.audit, args=("soak.thread", n))
    thread.start()
    thread.join()
    n += 1
    time.sleep(0.05)
print(n)
"""

    def __init__(self, ctx, python):
        self.folder = ctx.new_folder("resident")
        self.stop_file = os.path.join(self.folder, "stop")
        self.capture = harness.Capture(ctx, os.path.join(self.folder, "capture.avc"))
        self.out = open(os.path.join(self.folder, "stdout"), "w+")
        self.err = open(os.path.join(self.folder, "stderr"), "w+")
        self.process = harness.subprocess.Popen([ctx.auditview, "record", "-f", "--stack=off", "-o", self.capture.path, "--", *python.command, "-S", "-c",
                                                 self.PROGRAM, self.stop_file], stdin=harness.subprocess.DEVNULL, stdout=self.out, stderr=self.err,
                                                start_new_session=True)
        self.samples = []
        self.started = time.monotonic()

    def sample(self):
        expect(self.process.poll() is None, lambda: f"the recorder that stays ended with {self.process.returncode}: {open(self.err.name).read()[-300:]}")
        pid = self.process.pid
        self.samples.append((time.monotonic() - self.started, int(status_of(pid, "RssAnon").split()[0]), len(os.listdir(f"/proc/{pid}/fd"))))

    def finish(self):
        """(what it saw, complaints)"""
        open(self.stop_file, "w").close()
        try:
            status = self.process.wait(60)
        except harness.subprocess.TimeoutExpired:
            return {}, ["the recorder that stays, or its program, does not end"]
        complaints = [] if status == 0 else [f"the recorder that stays ended with {status}"]
        rounds = int(open(self.out.name).read() or 0)
        goodbye = open(self.err.name).read()
        try:
            expect_goodbye(goodbye, ended=True)
        except Fail as what:
            complaints.append(str(what))
        counts = collections.Counter()
        for event in self.capture.each():
            if event["event"].startswith("soak."):
                counts[event["event"]] += 1
        wanted = {"soak.round": rounds, "soak.child": rounds, "soak.thread": rounds, "soak.python": (rounds + 7) // 8}
        lost = sum(wanted.values()) - sum(counts.values())
        if dict(counts) != wanted:
            complaints.append(f"raised {wanted}, captured {dict(counts)}")
        n = len(self.samples)
        processes = 2 * rounds + wanted["soak.python"]
        facts = {"rounds": rounds, "processes": processes, "lost": lost}
        if n >= 8:
            def median(values):
                return sorted(values)[len(values) // 2]
            second, last = self.samples[n // 4:n // 2], self.samples[3 * n // 4:]
            grown = median([s[1] for s in last]) - median([s[1] for s in second])
            # The fewest: those of the children that are alive come and go.
            more = min(s[2] for s in last) - min(s[2] for s in second)
            facts.update(first_kib=median([s[1] for s in second]), last_kib=median([s[1] for s in last]), grown_kib=grown, descriptors=self.samples[-1][2])
            allowed = GROWTH_KIB + GROWTH_KIB_PER_1000_PROCESSES * processes // 2000
            if time.monotonic() - self.started < 60:  # its buffers are still being met for the first time
                allowed += FIRST_MINUTE_KIB
            elif time.monotonic() - self.started < 900:
                allowed += DICTIONARIES_KIB
            if grown > allowed:
                complaints.append(f"its memory grew by {grown} KiB with {processes // 2} processes, at most {allowed} are explained")
            # In a short run a Python may live through all of a quarter: a handle of its process, of its ring, of its memory.
            if more > (3 if time.monotonic() - self.started < 60 else 0):
                complaints.append(f"it has {more} descriptors more")
        return facts, complaints

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.out.close()
        self.err.close()


class Soak:
    def __init__(self, ctx, seconds, seed, verbose):
        self.ctx = ctx
        self.seconds = seconds
        self.chance = random.Random(seed)
        self.verbose = verbose
        self.counts = collections.Counter()
        self.harmed = []
        self.skipped = collections.Counter()

    def turn(self, scenario, python):
        started = time.monotonic()
        try:
            scenario(self, python)
            result = "ok"
        except Skip as reason:
            self.skipped[str(reason)] += 1
            result = "skip"
        except Exception as what:  # a Fail, or what nobody thought of: both are findings
            result = f"HARMED {type(what).__name__}: {what}"
            self.harmed.append(f"{scenario.__name__} {python.name}: {what}")
        if self.verbose or result.startswith("HARMED"):
            print(f"{time.strftime('%H:%M:%S')} {scenario.__name__:22} {python.name:10} {time.monotonic() - started:5.1f} s  {result}", flush=True)

    def run(self):
        """Complaints; figures are printed."""
        end = time.monotonic() + self.seconds
        plain = [p for p in self.ctx.pythons if not p.debug]
        resident = Resident(self.ctx, plain[len(plain) // 2])
        order = [(s, p) for k, s in enumerate(SCENARIOS) for p in self.ctx.pythons[k % len(self.ctx.pythons):] + self.ctx.pythons[:k % len(self.ctx.pythons)]]
        # Every scenario in turn, each time on the next Python: after len(order) turns all have met.
        order = [order[(k % len(SCENARIOS)) * len(self.ctx.pythons) + k // len(SCENARIOS)] for k in range(len(order))]
        n = 0
        try:
            while time.monotonic() < end:
                folder = self.ctx.folder
                scenario, python = order[n % len(order)]
                had = len(self.harmed)
                before = set(os.listdir(folder))
                self.turn(scenario, python)
                if len(self.harmed) == had: # hours of captures would fill a disk
                    for name in set(os.listdir(folder)) - before:
                        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
                resident.sample()
                n += 1
            facts, complaints = resident.finish()
        except Fail as what:
            facts, complaints = {}, [str(what)]
        finally:
            resident.kill()
        self.counts["events lost"] += facts.get("lost", 0)
        print(f"{n} scenarios in {self.seconds / 60:.1f} minutes on {len(self.ctx.pythons)} Pythons; " +
              ", ".join(f"{v} {k}" for k, v in sorted(self.counts.items()) if k != "events lost"))
        print(f"{len(self.harmed)} targets harmed, {self.counts['events lost']} events lost")
        print("the recorder that stayed: " + ", ".join(f"{k} {v}" for k, v in facts.items()))
        for text in complaints:
            print("complaint: " + text)
        return self.harmed + complaints


def main():
    options = harness.parse_options(__doc__, ("--minutes", {"type": float, "default": 60}),
                                    ("--seed", {"type": int, "default": int(time.time())}))
    pythons, notes = harness.find_pythons(not options.no_fetch, True)
    for note in notes:
        print("skip  " + note)
    pythons = [p for p in pythons if harness.re.search(options.python, p.name)]
    ctx = harness.Context(os.path.abspath(options.build), pythons, False, False)
    print(f"seed {options.seed}, Pythons: {' '.join(p.name for p in pythons)}", flush=True)
    complaints = Soak(ctx, options.minutes * 60, options.seed, options.v).run()
    ctx.finish(bool(complaints))
    if complaints:
        print(f"captures and messages are kept in {ctx.folder}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
