"""threads: each thread is shown with the name that Python has for it, also a thread that ends within a millisecond."""
import collections

import harness
from harness import Launch, expect, victim_path

N_QUICK, N_FULL = 240, 4000
KINDS = {"own": 1, "slotted": 1, "early": 1, "late": 2, "busy": 1, "dicted": 1, "deep": 1, "timer": 1, "long": 1, "secret": 1, "pool": 20,
         "bare": 1, "forked": 1, "forks": 1, "main": 1}


def check_names(capture, minor, counts, is_redacted=True):
    """The arguments of each mark contain the name that its thread must have."""
    got, wrong = collections.Counter(), []
    for event in capture.named("names.mark"):
        kind, name = list(event["args"].values())[:2]
        if kind == "secret":
            name = "API_KEY=***" if is_redacted else "API_KEY=sk9Fh2kQp7Lm4Xc1Zr"
        elif kind == "long":
            name = event["thread"] if event["thread"] and set(event["thread"]) == {"y"} and len(event["thread"]) <= 255 else "y…"
        got[kind] += 1
        if event["thread"] != name:
            wrong.append((kind, name, event["thread"]))
    expect(not wrong, lambda: f"{len(wrong)} of {sum(got.values())} events have another thread name, as (kind, name, shown): {wrong[:6]}")
    counts = dict(KINDS, **counts)
    if minor >= 9:
        counts["asyncio"] = 1
    expect(got == counts, lambda: f"marks seen {dict(got)}, expected {counts}")


def launch(ctx, python, n, *options):
    run = Launch(ctx, python, victim_path("thread_names"), str(n), options=options)
    run.expect_status(0)
    check_names(run.capture, python.minor, {"short": n}, "--no-redact" not in options)


def attach(ctx, python, *options):
    """Twenty threads run already, and raise their first event after the attach. Others start later."""
    capture = harness.visit_from_go(ctx, python, "thread_names", ["64", "wait"], options)
    check_names(capture, python.minor, {"short": 64, "held": 20})


def interpreters(ctx, python):
    """A thread that another interpreter started has a name, and a thread that enters another interpreter keeps its
    name."""
    run = Launch(ctx, python, victim_path("thread_names"), "0", "interpreters")
    run.expect_status(0)
    marks = run.capture.named("names.mark")
    wrong = [(e["thread"], e["args"]) for e in marks if e["thread"] != list(e["args"].values())[1]]
    expect(len(marks) == 31 and all(e["interp"] for e in marks) and not wrong,
           lambda: f"{len(marks)} marks; those with another thread name: {wrong[:5]}")


def cells(ctx):
    for python in ctx.pythons:
        yield "names, launched", python, lambda p=python: launch(ctx, p, N_FULL if ctx.full else N_QUICK)
    for python in ctx.some_pythons(8, 11, 15) + ctx.free_threaded():
        yield "names, attached", python, lambda p=python: attach(ctx, p)
        yield "names, native stacks, not redacted", python, lambda p=python: launch(ctx, p, 64, "--stack", "both", "--no-redact")
        yield "names, no stack, one event wanted", python, lambda p=python: launch(ctx, p, 64, "--stack", "off", "-e", "names.mark")
        if python.minor >= 9:
            yield "names, interpreters", python, lambda p=python: interpreters(ctx, p)
