"""stacks: each stack equals the sys._getframe chain of that very line: names, files, line numbers, depth."""
import os
import shutil
import subprocess

import harness
from harness import Launch, Recorder, Skip, expect, victim_path

library = None


def frames_of(event):
    """Return [(name, file, line)] without the recorder's marks and native frames."""
    return [[f.get("func"), f.get("file"), f.get("line")] for f in event["stack"] if "native" not in f]


def truths(ctx, python):
    run = Launch(ctx, python, victim_path("stacks"))
    run.expect_status(harness.STATUS)
    facts = [f for f in run.facts if "stack" in f]
    events = run.capture.named("victim.stack")
    expect(len(facts) > 40, "the victim reported too little: the test is broken")
    expect(len(events) == len(facts), f"{len(facts)} stacks reported, {len(events)} captured")
    problems = []
    for fact, event in zip(facts, events):
        expect(event["args"]["0"] == fact["stack"], lambda: f"{event['args']} where {fact['stack']} was expected")
        got = frames_of(event)
        if got != fact["frames"]:
            where = next((i for i, pair in enumerate(zip(got, fact["frames"])) if pair[0] != pair[1]), min(len(got), len(fact["frames"])))
            problems.append(f"{fact['stack']}: {len(fact['frames'])} frames, {len(got)} captured; frame {where} is "
                            f"{fact['frames'][where:where + 1]}, captured {got[where:where + 1]}")
    expect(not problems, lambda: f"{len(problems)} of {len(facts)}: " + "\n        ".join([""] + problems[:20]))


def off(ctx, python):
    """--stack=off: events are recorded, without frames."""
    run = Launch(ctx, python, victim_path("stacks"), options=["--stack=off"])
    run.expect_status(harness.STATUS)
    events = run.capture.events()
    expect(len(run.capture.named("victim.stack")) > 40, "events are missing")
    expect(not any(e["stack"] for e in events), "there are stacks")


def library_of_abandoned(ctx):
    """victims/abandoned.c, built once."""
    global library
    if not library:
        if not shutil.which(os.environ.get("CC", "cc").split()[0]):
            raise Skip("no compiler")
        path = os.path.join(ctx.new_folder("abandoned"), "abandoned.so")
        done = subprocess.run([*os.environ.get("CC", "cc").split(), "-O1", "-shared", "-fPIC", "-o", path, os.path.join(harness.VICTIMS, "abandoned.c")],
                              stderr=subprocess.PIPE, text=True, check=False)
        expect(done.returncode == 0, lambda: f"victims/abandoned.c: {done.stderr[-300:]}")
        library = path
    return library


def abandoned(ctx, python, options, is_attached):
    """Runs of the evaluator that never return leave addresses in the thread state that lead nowhere. Each process ends as by itself."""
    arguments = [victim_path("abandoned"), library_of_abandoned(ctx)]
    program = [*python.command, "-S", *arguments]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    # CPython up to 3.12 reads some of these addresses itself; what comes of that need not be the same each time.
    alone = [subprocess.run(program, timeout=120, **quiet) for _ in range(2 if python.minor <= 12 else 1)]
    expect(all(a.returncode == 7 for a in alone), lambda: f"by itself: {alone}")
    if is_attached:
        go = os.path.join(ctx.new_folder("go"), "go")
        with subprocess.Popen([*program, go], **quiet) as process:
            expect(process.stdout.readline() == "READY\n", "it did not start")
            with Recorder(ctx, process.pid, *options) as recorder:
                recorder.wait_linked()
                open(go, "w").close()
                status, lines = process.wait(120), process.stdout.read().splitlines()
                recorder.wait()
        capture = recorder.capture
    else:
        run = Launch(ctx, python, ["-S", *arguments], options=options)
        status, lines, capture = run.status, run.stdout.splitlines(), run.capture
    expect(status == 7, f"status {status}")
    known = [set(line) for line in zip(*(a.stdout.splitlines() for a in alone))]
    same = [line for line in known if len(line) == 1]
    survivors = sum(next(iter(line)).endswith(f" {9 << 8}") for line in same)
    expect(len(same) > 30 and survivors >= 12, lambda: f"by itself {survivors} survive, {len(same)} the same way: the test is broken")
    expect(len(lines) == len(known), lambda: f"{len(lines)} lines, by itself {len(known)}")
    others = [(line, was) for line, was in zip(lines, known) if line not in was and len(was) == 1]
    expect(not others, lambda: f"{len(others)} end otherwise than by themselves: {others[:5]}")
    ends = [e for e in capture.named("abandoned.mark") if e["args"]["0"] == "end"]
    if "-f" in options or not is_attached:
        expect(len(ends) >= 3 * survivors, f"{len(ends)} events of {survivors} processes")
    expect(is_attached or all(frames_of(e)[:1] and frames_of(e)[0][0] == "mark" for e in ends if python.minor > 12), "the last events have no stack")


def cells(ctx):
    for python in ctx.pythons:
        yield "equal to sys._getframe", python, lambda p=python: truths(ctx, p)
    for python in ctx.some_pythons(12):
        yield "--stack=off", python, lambda p=python: off(ctx, p)
    for python in ctx.some_pythons(8, 10, 11, 12, 13, 14):
        yield "abandoned runs, launched", python, lambda p=python: abandoned(ctx, p, [], False)
    for python in ctx.some_pythons(11, 13):
        yield "abandoned runs, both stacks", python, lambda p=python: abandoned(ctx, p, ["--stack", "both"], False)
        yield "abandoned runs, attached", python, lambda p=python: abandoned(ctx, p, [], True)
        yield "abandoned runs, attached with -f", python, lambda p=python: abandoned(ctx, p, ["-f"], True)
