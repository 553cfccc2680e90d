#!/usr/bin/env python3
"""run: the end-to-end tests: the real program on every Python found.

    tests/e2e/run.py [--build DIR] [--full] [--only REGEX] [--python REGEX] [-j N] [--list] [--keep] [--no-fetch] [-v]

A cell is one line: group, what, Python, and ok, skip with its reason, or FAIL with what was seen. Groups are the modules
check_*.py; each has cells(ctx), which yields (what, python or None, function). --full takes every Python and the long
forms; without it a subset that takes a few minutes. --keep leaves captures and logs, and lets the reference hook write
each event down. --no-fetch asks apt for nothing.

A cell that fails beside others is run once more by itself, and if it then holds it is named "unsteady" with what was
seen first: on a loaded machine a target may simply not have come to where the cell looks. Survival is never asked
twice, and more than UNSTEADY_MAX such cells fail the run.
"""
import concurrent.futures
import importlib
import os
import re
import signal
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

# In the order in which they start: the long ones first.
GROUPS = [
    "real",
    "servers",
    "hosts",
    "containers",
    "children",
    "musl",
    "streams",
    "leaving",
    "options",
    "files",
    "doctor",
    "refusals",
    "translators",
    "images",
    "teacher",
    "launch",
    "attach",
    "values",
    "threads",
    "secrets",
    "text",
    "stacks",
    "table",
    "signals",
    "faults",
    "soak",
    "survival",
    "moments",
    "embed",
    "unload",
    "filters",
    "sandbox",
    "inherit",
    "identity",
    "tracers",
    "builds",
    "hostile",
    "weight",
    "workers",
]
UNSTEADY_MAX = 3


def run_cell(function):
    """Return (result, text, seconds)."""
    started = time.monotonic()
    try:
        function()
        result, text = "ok", ""
    except harness.Skip as reason:
        result, text = "skip", str(reason)
    except harness.Fail as what:
        result, text = "FAIL", str(what)
    except Exception:  # a bug of the test, or an error that nobody expected
        result, text = "FAIL", traceback.format_exc(limit=-4)
    return result, text, time.monotonic() - started


def main():
    flag = {"action": "store_true"}
    options = harness.parse_options(__doc__, ("--full", flag), ("--only", {"default": ""}), ("--list", flag), ("--keep", flag),
                                    ("-j", {"type": int, "default": max(1, min(4, os.cpu_count() or 1))}))

    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup, everything that we start would ignore it
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    pythons, notes = harness.find_pythons(not options.no_fetch, options.full)
    if options.python:
        pythons = [p for p in pythons if re.search(options.python, p.name)]
    for note in notes:
        print(f"skip  python           {note}")
        counts["skip"] += 1
    if not pythons:
        print("no CPython of 3.8 or later found")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    ctx = harness.Context(os.path.abspath(options.build), pythons, options.full, options.keep)
    if not os.path.exists(ctx.auditview):
        print(f"{ctx.auditview} is not built")
        print("0 passed, 1 failed, 0 skipped")
        return 1

    cells = []
    for group in GROUPS:
        module = importlib.import_module("check_" + group)
        for what, python, function in module.cells(ctx):
            label = f"{group:9} {what:38} {python.name if python else ''}"
            if re.search(options.only, label):
                # Cells that measure, or need the whole machine, have the attribute `alone`.
                cells.append((label, function, getattr(function, "alone", False)))
    if options.list:
        print("\n".join(label for label, _, _ in cells))
        return 0

    def report(label, outcome):
        result, text, seconds = outcome
        counts[result] += 1
        if result != "ok" or options.v:
            print(f"{result:5} {label:64} {seconds:5.1f} s{'  ' + text if text else ''}", flush=True)

    again, unsteady = [], 0
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        futures = {pool.submit(run_cell, function): (label, function) for label, function, alone in cells if not alone}
        for future in concurrent.futures.as_completed(futures):
            label, function = futures[future]
            outcome = future.result()
            if outcome[0] == "FAIL" and not label.startswith("survival"):
                again.append((label, function, outcome[1]))
            else:
                report(label, outcome)
    for label, function, alone in cells:
        if alone:
            report(label, run_cell(function))
    for label, function, first in again:
        outcome = run_cell(function)
        if outcome[0] != "FAIL":
            unsteady += 1
            print(f"unsteady {label}: {first}", flush=True)
            if unsteady > UNSTEADY_MAX:
                outcome = ("FAIL", f"more than {UNSTEADY_MAX} unsteady cells", outcome[2])
        report(label, outcome)
    ctx.finish(counts["FAIL"])
    if counts["FAIL"]:
        print(f"captures and messages are kept in {ctx.folder}")
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
