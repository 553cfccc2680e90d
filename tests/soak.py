#!/usr/bin/env python3
"""soak: attach, detach, kill, fork, exec and signal storms over all Pythons in rotation, for --minutes.

tests/soak.py [--minutes N] [--build DIR] [--python REGEX] [--only REGEX] [--seed N] [--no-fetch] [-v]

Throughout the run one recorder follows a program that forks, execs and starts threads without end: its memory and
descriptors are sampled. At the same time the scenarios run, one after the other, on one Python after the other, each on
a target of its own. The scenarios named following_* record with `-f --stack both` programs with many threads that fork,
exec and start programs.

Each recorder has a deadline (LEAVING_S): the time from the request to detach, or from the end of its last target, to
its own end. After each scenario no process of auditview may be left. The figures at the end are: recorders that hung
(missed their deadline, or were left), targets harmed (died, hung, wrong results, changed mappings, changed code),
events lost in lossless mode (compared with the target's own count) or, in the lossy mode, not counted as lost, growth
of the recorder. The exit status is 0 only if all are 0.
"""
import collections
import contextlib
import os
import random
import re
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
from harness import Fail, Late, Launch, Recorder, Skip, Victim, expect, expect_goodbye, status_of, victim_path  # noqa: E402

LEAVING_S = 20  # for a loaded machine; the time on a quiet one is printed
FOLLOWING = ("-f", "--stack", "both")

# The limit for a recorder's growth between the second and the last quarter of a run: tables of strings and processes
# double now and then.
GROWTH_KIB = 1024
FIRST_MINUTE_KIB = 4096
DICTIONARIES_KIB = 12288  # src/capture/writer.c: they fill up within about a quarter of an hour, and then forget
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
        expect(not truth["bad_children"], lambda: f"children: {truth}")
        run.counts["forks while attaching"] += 3 * truth["marks"]


def exec_and_count(run, python):
    """Launched, with children that are other programs and Pythons: each child's mark is recorded, once."""
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
    """12 threads in 3 processes: every event is recorded, in order, as many as they raised."""
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
    """Something fails, at any step of a visit."""
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


def without_gaps(events):
    """Return {(event, key…): numbers}: the last argument of the marks, which must rise by one each time."""
    numbers = {}
    for event in events:
        if event["event"] in ("victim.thread", "victim.child", "victim.python"):
            arguments = [event["args"][k] for k in sorted(event["args"])]
            seen = numbers.setdefault((event["event"], *arguments[:-1]), [])
            expect(not seen or arguments[-1] == seen[-1] + 1, lambda: f"{event['event']} {arguments} follows {seen[-1]}")
            seen.append(arguments[-1])
    return numbers


def attached(run, recorder):
    """Wait until the probe is mapped, or the recorder has ended. If a killed recorder's leftover looks the same, wait a
    moment longer."""
    before = set(harness.foreign_maps(recorder.before))
    with contextlib.suppress(Fail):
        harness.wait_for(lambda: recorder.process.poll() is not None or set(harness.foreign_maps(harness.maps_of(recorder.target))) - before, 3,
                         "the probe", is_promise=True)


def ended_in_time(run, recorder, seconds=LEAVING_S):
    """Return its exit status; raise Late if it misses its deadline."""
    started = time.monotonic()
    try:
        status = recorder.process.wait(seconds)
    except harness.subprocess.TimeoutExpired:
        raise Late(f"{harness.recorder_state(recorder.process.pid)}: {recorder.stderr()[-300:]}") from None
    run.ctx.endings.append(time.monotonic() - started)
    return status


TORN = re.compile(r" lost \((?:\d+ )?killed while writing\)")


def expect_true(run, recorder, ended, torn=0):
    """Check a recorder that ended with 0: its goodbye line agrees with its file, and marks have no gap. `torn`: so many
    events may be lost, of threads that were killed while they wrote one."""
    said = recorder.stderr()
    match = harness.GOODBYE.search(said)
    lost = int(re.sub(r"\D", "", match.group(2))) if match and TORN.search(said) else 0
    n = expect_goodbye(said, min_events=0, lost=min(lost, torn), ended=ended)
    held = recorder.capture.events()
    without_gaps(held)
    expect(n == len(held), f"goodbye says {n} events, the capture holds {len(held)}")
    run.counts["events captured while following"] += n


def leave(run, v, recorder, at_any_moment, may_fail):
    """End a recorder in one of the possible ways; the target continues."""
    way = run.chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL))
    if not at_any_moment:
        attached(run, recorder)
    time.sleep(run.chance.choice((0.01, 0.1, 0.6)) * run.chance.random())
    recorder.process.send_signal(way)
    status = ended_in_time(run, recorder)
    if status == -signal.SIGKILL:
        run.counts["recorders killed"] += 1
    elif status == -way and at_any_moment: # killed before it had begun
        run.counts["recorders ended before they began"] += 1
    elif status == 0:
        expect_true(run, recorder, "(it has ended)" in recorder.stderr(), 16 if may_fail else 0)
    else:
        expect(may_fail and status == 1 and "cannot attach to" in recorder.stderr(), lambda: f"status {status}: {recorder.stderr()[-300:]}")
        run.counts["attached to no avail"] += 1


def visits(run, v, times, may_fail=False):
    """Attach with -f --stack both and detach, many times; what is captured has no gap. `may_fail`: the target executes
    programs, so an attach may fail; the recorder then says so, and the target continues. An exec also kills the other
    threads, and where several run at once, one may be writing an event just then."""
    torn = 16 if may_fail else 0
    for _ in range(times):
        by_itself = run.chance.choice(((), (), ("--duration", "300ms"), ("--limit", "500")))
        with Recorder(run.ctx, v.pid, *FOLLOWING, *by_itself) as recorder:
            if by_itself:
                status = ended_in_time(run, recorder, LEAVING_S + 5)
                if status == 0:
                    expect_true(run, recorder, "(it has ended)" in recorder.stderr(), torn)
                else:
                    expect(may_fail and status == 1 and "cannot attach to" in recorder.stderr(), lambda: f"status {status}: {recorder.stderr()[-300:]}")
                    run.counts["attached to no avail"] += 1
            else:
                leave(run, v, recorder, may_fail or run.chance.random() < 0.5, may_fail)
            expect(v.process.poll() is None, lambda: f"the target ended with {v.process.returncode}")
        run.counts["attached and left, following"] += 1


def clean_visit(run, v):
    """After all visits, of which the last may have been killed: one more visit leaves nothing behind."""
    with Recorder(run.ctx, v.pid, *FOLLOWING, "--duration", "300ms") as recorder:
        expect(ended_in_time(run, recorder) == 0, lambda: recorder.stderr()[-300:])
        expect_true(run, recorder, False)
    expect(not harness.foreign_maps(v.maps()), lambda: f"left behind: {harness.foreign_maps(v.maps())}")
    for pid in [v.pid, *harness.children_of(v.pid)]:
        tracer = "0"
        try:
            tracer = status_of(pid, "TracerPid")
        except OSError:
            pass
        expect(tracer in ("0", None), lambda: f"{tracer} is still attached to {pid}")


def following_threads(run, python):
    """Nine threads that raise marks, fork and start programs and Pythons."""
    kinds = [] if python.name.endswith("+ldso") else ["pythons"]
    with Victim(run.ctx, python, "soaking", *kinds) as v:
        visits(run, v, 6)
        clean_visit(run, v)
        truth = v.stop(60)
        expect(not truth["bad_children"], lambda: f"children: {truth}")
        run.counts["children while following"] += sum(truth["children"].values())
        run.counts["events raised by threads"] += sum(truth["counts"])


def following_execs(run, python):
    """A program with threads that executes itself from another thread ten times a second."""
    if python.name.endswith("+ldso"):
        raise Skip("a Python under ld.so cannot start another one by sys.executable")
    with Victim(run.ctx, python, "execing") as v:
        visits(run, v, 6, may_fail=True)
        run.counts["programs executed while following"] += v.stop(60)["generation"]


def following_killed_targets(run, python):
    """The target and its children are killed at some moment of the visit: the recorder ends by itself, and keeps what
    it has recorded."""
    for _ in range(4):
        with Victim(run.ctx, python, "soaking") as v:
            with Recorder(run.ctx, v.pid, *FOLLOWING) as recorder:
                if run.chance.random() < 0.7:
                    attached(run, recorder)
                time.sleep(run.chance.choice((0.005, 0.05, 0.4)) * run.chance.random())
                os.killpg(v.process.pid, signal.SIGKILL)
                status = ended_in_time(run, recorder)
                expect(status in (0, 1), lambda: f"the recorder ended with {status}: {recorder.stderr()[-300:]}")
                if status == 0:
                    expect_true(run, recorder, True, torn=16)
                else:
                    expect("auditview: " in recorder.stderr(), "the recorder failed and did not say why")
        run.counts["targets killed while followed"] += 1


def following_from_the_start(run, python):
    """Launched; four threads raise marks and fork children with threads: each event of each thread and child is
    recorded."""
    done = launched(run, python, "threads_fork", [], [*FOLLOWING])
    seen = without_gaps(done.capture.each())
    expect(done.truth == {"bad_children": []}, lambda: f"truth: {done.truth}")
    threads = [k for k in seen if k[0] == "victim.thread"]
    children = [k for k in seen if k[0] == "victim.child"]
    raised = 4 * 2000 + 12 * 4 * 50
    captured = sum(map(len, seen.values()))
    run.counts["events raised"] += raised
    run.counts["events lost"] += raised - captured
    expect(len(threads) == 4 and len(children) == 48 and captured == raised, f"{raised} raised, {captured} captured of {len(children)} threads of children")


def following_lossy(run, python):
    """A ring of the smallest size and a target that never waits: events that are not captured are counted as lost, one
    by one."""
    each = 6000
    done = launched(run, python, "storm", ["--rounds", "1", str(each)],
                    [*FOLLOWING, "--may-drop", "--ring-size", "1M", "-e", "victim.storm"], lossy=True)
    captured = sum(e["event"] == "victim.storm" for e in done.capture.each())
    run.counts["events dropped and counted"] += done.lost
    if captured + done.lost != 12 * each:
        run.counts["events lost"] += abs(12 * each - captured - done.lost)
        raise Fail(f"{12 * each} raised, {captured} captured and {done.lost} counted as lost")


class launched:
    """A victim launched by `auditview record`; its recorder must end soon after the victim's last line."""

    def __init__(self, run, python, victim, arguments, options, lossy=False):
        ctx = run.ctx
        folder = ctx.new_folder("launched-" + python.name)
        self.capture = harness.Capture(ctx, os.path.join(folder, "capture.avc"))
        command = [ctx.auditview, "record", "-o", self.capture.path, *options, "--", *python.command, victim_path(victim), *arguments]
        with open(os.path.join(folder, "stdout"), "w+") as out, open(os.path.join(folder, "stderr"), "w+") as err:
            ctx.n_recorders += 1
            with harness.subprocess.Popen(command, stdin=harness.subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True) as process:
                try:
                    process.wait(120)
                except harness.subprocess.TimeoutExpired:
                    state = harness.session_state(process.pid)
                    os.killpg(process.pid, signal.SIGKILL)
                    raise Late(f"{victim} and its recorder have not ended after 120 s: {state}") from None
            took = time.time() - os.stat(out.name).st_mtime  # its last line is the report about itself
            self.stderr = open(err.name).read()
            facts = [harness.json.loads(line) for line in open(out.name)]
        expect(process.returncode == harness.STATUS, lambda: f"status {process.returncode}: {self.stderr[-500:]}")
        expect(facts and "truth" in facts[-1], "the target reported no truth")
        self.truth = facts[-1]["truth"]
        if took > LEAVING_S:
            raise Late(f"the recorder took {took:.1f} s to end after its target")
        ctx.endings.append(took)
        match = harness.GOODBYE.search(self.stderr)
        expect(match and "target restored: yes" in match.group(3), lambda: f"goodbye: {self.stderr[-300:]!r}")
        self.lost = int(re.sub(r"\D", "", match.group(2)))
        expect(lossy or self.lost == 0, lambda: f"goodbye: {match.group(0)!r}")


SCENARIOS = [attach_detach, following_threads, kill_recorder, following_execs, fork_while_attaching, following_killed_targets, exec_and_count,
             following_from_the_start, exec_the_target, following_lossy, signal_storm, lossless, one_fault]


# ---- the recorder that runs throughout ----

class Resident:
    """`record -f` of a program that is never idle; now and then (seconds, RSS KiB, descriptors, children so far) of its
    recorder is sampled."""

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
        """Return (facts, complaints)."""
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
            # The lowest number counts: the descriptors of living children come and go.
            more = min(s[2] for s in last) - min(s[2] for s in second)
            facts.update(first_kib=median([s[1] for s in second]), last_kib=median([s[1] for s in last]), grown_kib=grown, descriptors=self.samples[-1][2])
            allowed = GROWTH_KIB + GROWTH_KIB_PER_1000_PROCESSES * processes // 2000
            if time.monotonic() - self.started < 60:  # its buffers are still being used for the first time
                allowed += FIRST_MINUTE_KIB
            elif time.monotonic() - self.started < 900:
                allowed += DICTIONARIES_KIB
            if grown > allowed:
                complaints.append(f"its memory grew by {grown} KiB with {processes // 2} processes, at most {allowed} are explained")
            # In a short run a Python may live through a whole quarter, with a handle of its process, of its ring, and
            # of its memory.
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
        self.hung = []
        self.only = SCENARIOS
        self.skipped = collections.Counter()

    def turn(self, scenario, python):
        started = time.monotonic()
        try:
            try:
                scenario(self, python)
            finally:
                self.expect_none_left()
            result = "ok"
        except Skip as reason:
            self.skipped[str(reason)] += 1
            result = "skip"
        except Late as what:
            result = f"HUNG {what}"
            self.hung.append(f"{scenario.__name__} {python.name}: {what}")
        except Exception as what:  # a Fail, or an unexpected error: both are findings
            result = f"HARMED {type(what).__name__}: {what}"
            self.harmed.append(f"{scenario.__name__} {python.name}: {what}")
        if self.verbose or result.startswith(("HARMED", "HUNG")):
            print(f"{time.strftime('%H:%M:%S')} {scenario.__name__:22} {python.name:10} {time.monotonic() - started:5.1f} s  {result}", flush=True)

    def expect_none_left(self):
        """No process of auditview remains but the resident ones; any other one is killed and counts as a hang."""
        def left():
            mine = {self.resident.process.pid, *harness.children_of(self.resident.process.pid)}
            found = []
            for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
                try:
                    # Others may run the same program.
                    is_of_this_run = self.ctx.folder.encode() in open(f"/proc/{pid}/cmdline", "rb").read()
                    if (pid not in mine and is_of_this_run and os.readlink(f"/proc/{pid}/exe").startswith(self.ctx.auditview) and
                            status_of(pid, "State")[0] != "Z"):
                        found.append(pid)
                except (OSError, TypeError):
                    pass
            # The processes that the resident recorder has started meanwhile do not count.
            return set(found) - {*harness.children_of(self.resident.process.pid)}
        try:
            harness.wait_for(lambda: not left(), LEAVING_S, "recorders to end", is_promise=True)
        except Fail:
            states = "; ".join(harness.recorder_state(pid) for pid in left())
            for pid in left():
                os.kill(pid, signal.SIGKILL)
            raise Late(f"left running: {states}") from None

    def run(self):
        """Return the complaints; the figures are printed."""
        end = time.monotonic() + self.seconds
        plain = [p for p in self.ctx.pythons if not p.debug]
        resident = self.resident = Resident(self.ctx, plain[len(plain) // 2])
        scenarios = self.only
        order = [(s, p) for k, s in enumerate(scenarios) for p in self.ctx.pythons[k % len(self.ctx.pythons):] + self.ctx.pythons[:k % len(self.ctx.pythons)]]
        # Every scenario in turn, each time on the next Python: after len(order) turns all pairs have run.
        order = [order[(k % len(scenarios)) * len(self.ctx.pythons) + k // len(scenarios)] for k in range(len(order))]
        n = 0
        try:
            while time.monotonic() < end:
                folder = self.ctx.folder
                scenario, python = order[n % len(order)]
                had = len(self.harmed) + len(self.hung)
                before = set(os.listdir(folder))
                self.turn(scenario, python)
                if len(self.harmed) + len(self.hung) == had: # hours of captures would fill a disk
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
        for reason, times in self.skipped.items():
            print(f"skipped {times} times: {reason}")
        endings = sorted(self.ctx.endings) or [0.0]
        print(f"{self.ctx.n_recorders} recorders; {len(self.ctx.endings)} had to end within {LEAVING_S} s: median {endings[len(endings) // 2]:.2f} s, "
              f"longest {endings[-1]:.2f} s")
        print(f"{len(self.hung)} recorders hung, {len(self.harmed)} targets harmed, {self.counts['events lost']} events lost")
        print("the recorder that stayed: " + ", ".join(f"{k} {v}" for k, v in facts.items()))
        for text in complaints:
            print("complaint: " + text)
        return self.hung + self.harmed + complaints


def main():
    harness.restore_signals()
    options = harness.parse_options(__doc__, ("--minutes", {"type": float, "default": 60}),
                                    ("--only", {"default": ""}), ("--seed", {"type": int, "default": int(time.time())}))
    pythons, notes = harness.find_pythons(not options.no_fetch, True)
    for note in notes:
        print("skip  " + note)
    pythons = [p for p in pythons if re.search(options.python, p.name)]
    ctx = harness.Context(os.path.abspath(options.build), pythons, False, False)
    print(f"seed {options.seed}, Pythons: {' '.join(p.name for p in pythons)}", flush=True)
    soak = Soak(ctx, options.minutes * 60, options.seed, options.v)
    soak.only = [s for s in SCENARIOS if re.search(options.only, s.__name__)]
    complaints = soak.run()
    ctx.finish(bool(complaints))
    if complaints:
        print(f"captures and messages are kept in {ctx.folder}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
