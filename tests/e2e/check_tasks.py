"""tasks: each event has the asyncio task that raised it, as the program itself knows it: name, id, and who waits for it."""

import subprocess

import harness
from harness import Launch, Skip, expect, victim_path

N_QUICK, N_FULL = 30, 400
MARKS_LEAST = 300  # of a run without its storm; more with TaskGroup and eager tasks


def wanted_task(event, is_redacted):
    """What the capture has to show for a mark; None: no task."""
    kind, name, ident, waiters = list(event["args"].values())[:4]
    if not ident:
        return None
    if kind == "secret":
        name = "API_KEY=***" if is_redacted else "API_KEY=sk9Fh2kQp7Lm4Xc1Zr"
    elif kind == "long":
        name = "b" * 255 + "…"
    return {"name": name, "id": ident, "awaited_by": waiters}


def check_marks(capture, least, is_redacted=True):
    marks, wrong = capture.named("task.mark"), []
    for event in marks:
        kind, want, got = list(event["args"].values())[0], wanted_task(event, is_redacted), event.get("task")
        if kind == "two" and got:  # 3.14 keeps them in a set
            got = dict(got, awaited_by=sorted(got["awaited_by"][:2]) + got["awaited_by"][2:])
        if got != want:
            wrong.append((kind, want, got))
    expect(not wrong, lambda: f"{len(wrong)} of {len(marks)} events have another task, as (kind, task, shown): {wrong[:6]}")
    expect(len(marks) >= least, lambda: f"{len(marks)} marks, expected at least {least}")


def launch(ctx, python, n, *options):
    run = Launch(ctx, python, victim_path("tasks"), str(n), options=options)
    run.expect_status(0)
    check_marks(run.capture, MARKS_LEAST + 5 * n, "--no-redact" not in options)


def attach(ctx, python, n, *options):
    check_marks(harness.visit_from_go(ctx, python, "tasks", ["wait", str(n)], options), MARKS_LEAST + 5 * n)


def word(ctx, python, what, least):
    run = Launch(ctx, python, victim_path("tasks"), what)
    if "ModuleNotFoundError" in run.stderr:
        raise Skip(f"no {what} for this Python")
    run.expect_status(0)
    check_marks(run.capture, least)


def subinterpreters(ctx, python):
    """Skip if the program does not end well without a recorder: 3.12.1 frees memory twice when such an interpreter ends."""
    alone = subprocess.run([*python.command, victim_path("tasks"), "subinterpreters"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True, timeout=harness.GUARD, check=False)
    if alone.returncode:
        raise Skip(f"without a recorder the program ends with {alone.returncode}: {alone.stderr.strip()[-80:]}")
    run = Launch(ctx, python, victim_path("tasks"), "subinterpreters")
    run.expect_status(0)
    check_marks(run.capture, MARKS_LEAST)
    own = {event["interp"] for event in run.capture.named("task.mark") if event.get("task")}
    expect(len(own) == 3, lambda: f"tasks of the interpreters {own}, expected three")


def cells(ctx):
    n = N_FULL if ctx.full else N_QUICK
    for python in ctx.pythons:
        yield "tasks, launched", python, lambda p=python: launch(ctx, p, n)
    for python in ctx.some_pythons(8, 12, 14) + ctx.free_threaded():
        yield "tasks, attached", python, lambda p=python: attach(ctx, p, n)
    for python in ctx.pythons if ctx.full else ctx.some_pythons(8, 11, 13, 14):
        yield "tasks, subinterpreters", python, lambda p=python: subinterpreters(ctx, p)
    for python in ctx.some_pythons(11, 15):
        yield "tasks, native stacks, not redacted", python, lambda p=python: launch(ctx, p, n, "--stack", "both", "--no-redact")
        yield "tasks, no stack, one event wanted", python, lambda p=python: launch(ctx, p, n, "--stack", "off", "-e", "task.mark")
    for python in ctx.pythons:
        if python.command == ["/usr/bin/python3.11"]:
            yield "tasks, uvloop", python, lambda p=python: word(ctx, p, "uvloop", MARKS_LEAST)
            yield "tasks, anyio", python, lambda p=python: word(ctx, p, "anyio", 6)
