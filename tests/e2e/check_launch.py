"""launch: events are recorded from the interpreter's first to its last; none is lost, invented or changed.

Each cell launches a victim with the reference hook preloaded and compares the capture with what that hook wrote: per
thread and event name the count and a checksum of all arguments, per thread the order.
"""
import os
import re
import subprocess

import harness
import refhook
from harness import Launch, Skip, expect, expect_goodbye, victim_path

# Victim, its arguments, options of auditview.
QUICK = [("busy", ["--rounds", "500"], []), ("threads8", ["--rounds", "1", "3000"], []), ("forking", [], []), ("threads_fork", ["--rounds", "1"], []),
         ("mp", ["--rounds", "1", "fork"], []), ("mp", ["--rounds", "1", "spawn"], []), ("mp", ["--rounds", "1", "forkserver"], []),
         ("subprocess_storm", [], []), ("import_storm", ["--rounds", "1"], []), ("subinterpreters", [], []),
         ("storm", [], []), ("finalise", [], []), ("values", [], []), ("stacks", [], [])]
FULL = [("threads8", ["--rounds", "1", "500000"], ["--stack", "off"]), ("storm", ["--rounds", "1", "420000"], ["--stack", "off"]), ("busy", ["--rounds", "100000"], []),
        ("subprocess_storm", ["--rounds", "60"], []), ("import_storm", ["--rounds", "20"], []), ("forking", ["--rounds", "200"], [])]
# Threads that run in parallel, each of whose events goes through one of several lanes.
FREE = [("threads8", ["--rounds", "1", "6000"], []), ("threads8", ["--rounds", "1", "20000"], ["--stack", "off"]), ("threads_fork", ["--rounds", "1"], []),
        ("subinterpreters", [], []), ("finalise", [], []), ("mp", ["--rounds", "1", "fork"], [])]
REQUIRED = {"v", "seq", "time", "ts_ns", "pid", "tid", "interp", "thread", "python", "event", "category", "theme", "documented",
            "args", "stack"}
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")


def checked(events, python, seen):
    """Pass events on, after checking that each has schema 1 and that the numbers are consecutive. Fills `seen`."""
    last, time = None, 0
    for event in events:
        missing = REQUIRED - event.keys()
        expect(not missing, lambda: f"event {event.get('seq')} {event.get('event')} lacks {sorted(missing)}")
        expect(event["v"] == 1 and TIME.match(event["time"]) and isinstance(event["args"], dict) and isinstance(event["stack"], list),
               lambda: f"not schema 1: {str(event)[:200]}")
        expect(last is None or event["seq"] == last + 1, lambda: f"seq {event['seq']} follows {last}")
        last = event["seq"]
        seen["n"] += 1
        seen["backwards"] += event["ts_ns"] < time
        time = event["ts_ns"]
        seen["pids"].add(event["pid"])
        seen["versions"].add(event["python"])
        seen["last"] = event["event"]
        yield event


def exact(ctx, python, victim, arguments, options):
    if python.name.endswith("+ldso") and victim == "mp" and "fork" not in arguments:
        raise Skip("its program does not run without the loader, so multiprocessing cannot start it by sys.executable")
    run = Launch(ctx, python, victim_path(victim), *arguments, options=["-s", "1M", *options], reference=True, timeout=900 if ctx.full else 2 * harness.GUARD)
    skip = run.fact("skip")
    if skip:
        raise Skip(skip)
    run.expect_status(harness.STATUS)
    wanted = refhook.read(run.reference_folder)
    expect(wanted.total() > 50, "the reference hook saw nothing: the test is broken")
    seen = {"n": 0, "pids": set(), "versions": set(), "last": None, "backwards": 0}
    captured = refhook.rows_of(checked(run.capture.each(), python, seen))
    differences = refhook.differences(wanted, captured)
    expect(not differences, lambda: f"{wanted.total()} raised, {seen['n']} captured: " + "; ".join(differences))
    expect(seen["versions"] == {python.version_text}, f"python is {seen['versions']}, expected {python.version_text}")
    # The order of events of different threads is certain only while no thread is suspended for 100 ms in the middle of
    # an event.
    expect(seen["backwards"] <= 4 + seen["n"] // 200, f"{seen['backwards']} of {seen['n']} events are older than the one before")
    n = expect_goodbye(run.stderr, ended=True)
    expect(n == seen["n"], f"goodbye says {n} events, the capture holds {seen['n']}")
    expect(seen["last"] == "cpython._PySys_ClearAuditHooks" or len(seen["pids"]) > 1, f"the last event is {seen['last']}")
    truth = run.fact("truth") or {}
    for key in ("bad_children", "early", "lost"):
        expect(not truth.get(key), lambda: f"the victim was disturbed: {truth}")


def first_events(ctx, python):
    """The first event is the interpreter's own first, long before site is imported."""
    run = Launch(ctx, python, ["-S", "-c", "pass"], reference=True)
    run.expect_status(0)
    wanted, got = refhook.read(run.reference_folder), refhook.rows_of(run.capture.events())
    differences = refhook.differences(wanted, got)
    expect(not differences, lambda: "; ".join(differences))
    events = [e["event"] for e in run.capture.events()]
    expect("cpython.run_command" in events and events[0] != "cpython.run_command", lambda: f"first: {events[:3]}")
    expect(events[-1] == "cpython._PySys_ClearAuditHooks", lambda: f"last: {events[-3:]}")


def end_by_hand(ctx, python):
    """A program may itself raise the event that marks the interpreter's end: it continues, and recording soon continues
    as well."""
    folder = ctx.new_folder("by-hand")
    stop, capture = os.path.join(folder, "stop"), harness.Capture(ctx, os.path.join(folder, "capture.avc"))
    code = (f"import os, sys, time; time.sleep({6 if ctx.full else 0}); sys.audit('cpython._PySys_ClearAuditHooks')\n"
            f"while not os.path.exists({stop!r}): sys.audit('hand.mark'); time.sleep(0.02)")

    def is_seen():
        capture.cached = None
        return os.path.exists(capture.path) and os.path.getsize(capture.path) > 100 and capture.named("hand.mark")
    with subprocess.Popen([ctx.auditview, "record", "-q", "-o", capture.path, "--", *python.command, "-S", "-c", code], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as recorder:
        try:
            harness.wait_for(lambda: recorder.poll() is not None or is_seen(), harness.GUARD, "a mark")
        finally:
            open(stop, "w").close()
        text = recorder.communicate(timeout=harness.GUARD)[1]
    expect(recorder.returncode == 0 and is_seen(), lambda: f"status {recorder.returncode}: {text[-300:]}")


def through_scripts(ctx, python):
    """sh → env → Python is followed through each exec; the other programs on the way raise nothing."""
    run = Launch(ctx, python, ["-S", "-c", "import sys; sys.audit('victim.mark', 1); sys.exit(9)"],
                 prefix=["sh", "-c", 'env "$@"; exit $?', "sh"])
    run.expect_status(9)
    expect(len(run.capture.named("victim.mark")) == 1, lambda: f"{len(run.capture.events())} events, no mark")


def bytes_in_arguments(ctx, python):
    """An argument that is not valid UTF-8 is in the capture as Python has it (PEP 383)."""
    run = Launch(ctx, python, ["-S", "-c", "import sys; assert sys.argv[1] == 'caf\\udce9', sys.argv"], "caf\udce9")
    run.expect_status(0)
    seen = [e["process"]["argv"][-1] for e in run.capture.events() if "argv" in e.get("process", {})]
    expect(seen and seen[0] == "caf\udce9", f"argv ends with {seen[:1]}")


def cells(ctx):
    for python in ctx.some_pythons(8, 11, 12, 13):
        yield "first and last event", python, lambda p=python: first_events(ctx, p)
        yield "bytes in its arguments", python, lambda p=python: bytes_in_arguments(ctx, p)
        yield "the end by hand", python, lambda p=python: end_by_hand(ctx, p)
        yield "through sh and env", python, lambda p=python: through_scripts(ctx, p)
        for victim, arguments, options in QUICK + (FULL if ctx.full else []):
            what = " ".join([victim, *[a for a in arguments if not a.startswith("--")]])
            yield what, python, lambda p=python, v=victim, a=arguments, o=options: exact(ctx, p, v, a, o)
    for python in ctx.free_threaded():
        for victim, arguments, options in FREE:
            what = " ".join([victim, *[a for a in arguments if not a.startswith("--")], *options])
            yield what, python, lambda p=python, v=victim, a=arguments, o=options: exact(ctx, p, v, a, o)
