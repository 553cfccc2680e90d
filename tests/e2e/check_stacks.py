"""stacks: each stack equals the sys._getframe chain of that very line: names, files, line numbers, depth."""
import harness
from harness import Launch, expect, victim_path


def frames_of(event):
    """Return [(name, file, line)] without the recorder's marks and native frames."""
    return [[f.get("func"), f.get("file"), f.get("line")] for f in event["stack"] if "native" not in f]


def truths(ctx, python):
    run = Launch(ctx, python, victim_path("stacks"))
    run.expect_status(harness.STATUS)
    facts = [f for f in run.facts if "stack" in f]
    events = run.capture.named("victim.stack")
    expect(len(facts) > 40, "the victim told too little: the test is broken")
    expect(len(events) == len(facts), f"{len(facts)} stacks told, {len(events)} captured")
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


def cells(ctx):
    for python in ctx.pythons:
        yield "equal to sys._getframe", python, lambda p=python: truths(ctx, p)
    for python in ctx.some_pythons(12):
        yield "--stack=off", python, lambda p=python: off(ctx, p)
