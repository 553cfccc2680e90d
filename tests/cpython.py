#!/usr/bin/env python3
"""cpython: CPython's own tests, with and without `auditview record -f` around them: each test must have the same result. On demand.

    tests/cpython.py [--build DIR] [--python REGEX] [--again N] [--options "RECORD OPTIONS"] [MODULE…]

Default: the modules that start processes and threads, raise signals, or are debugged, on 3.9, 3.12 and 3.13. Only Pythons
that have their tests are used. Each module runs once alone and once under record; results are compared test by test. Tests
whose results differ are run N more times on each side (default 5), by themselves, in turn. A test that gave each of its
results under record also without it is "flaky without auditview": it is shown, and is no difference. Every other result is a
difference, even if it was seen only once. The recorder's last message must say "target restored: yes" and "0 lost", or "lost:
unknown" if it names what could not be watched and why. The exit status of the run must be that of the run alone. A run that
hangs alone is shown and repeated. The exit status is 0 only if nothing differs.
"""
import argparse
import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "e2e"))
import harness  # noqa: E402

MODULES = ["test_os", "test_subprocess", "test_threading", "test_signal", "test_faulthandler", "test_multiprocessing_fork", "test_asyncio", "test_gdb"]
SECONDS = 900  # of one run
# What was not watched is reported; how many of its events were lost is then unknown.
GOOD = re.compile(r"auditview: [\d ]+ events, (0 lost|lost: unknown), .*target restored: yes")
# /proc/PID/comm, process ids and addresses are in some names of subtests.
CHANGES = re.compile(r"0x[0-9a-f]+|\b\d{3,}\b")


class Run:
    """One run of a module: {test: result}, status, the recorder's messages."""

    def __init__(self, ctx, python, module, recorder, tests=()):
        self.folder = ctx.new_folder(f"{module}-{python.name}")
        results, matches = os.path.join(self.folder, "results.xml"), os.path.join(self.folder, "matches")
        command = [*python.command, "-m", "test", "--junit-xml", results, "--tempdir", self.folder]
        if tests:
            with open(matches, "w") as f:
                f.writelines(f"{test}\n" for test in tests)
            command += ["--matchfile", matches]
        recording = [ctx.auditview, "record", *recorder, "-o", os.path.join(self.folder, "capture.avc"), "--"] if recorder else []
        started = time.monotonic()
        with open(os.path.join(self.folder, "stdout"), "w+", errors="replace") as out, \
                open(os.path.join(self.folder, "stderr"), "w+", errors="replace") as err:
            process = subprocess.Popen([*recording, *command, module], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
            try:
                self.status = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self.status = f"not ended after {SECONDS} s: {harness.session_state(process.pid)}"
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            err.seek(0)
            self.stderr = err.read()
        self.seconds = time.monotonic() - started
        self.results = {}
        if os.path.exists(results) and os.path.getsize(results):
            for case in xml.etree.ElementTree.parse(results).iter("testcase"):
                kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
                result = next((k for k in ("error", "failure", "skipped") if k in kinds), case.get("result", "ok"))
                name = CHANGES.sub("#", case.get("name"))
                self.results[name] = max(self.results.get(name, ""), "ok" if result == "completed" else result, key=("", "ok", "skipped", "failure", "error").index)

    def complaint(self):
        """Return what is wrong with the recording itself; "" if nothing."""
        if any(GOOD.match(line) for line in self.said()):
            return ""
        return " / ".join(self.said())[-600:] or f"it said nothing: {self.stderr[-300:]!r}"

    def said(self):
        return [line for line in self.stderr.splitlines() if line.startswith("auditview: ")]


def summary(results):
    counts = collections.Counter(results.values())
    return ", ".join(f"{counts[k]} {k}" for k in ("ok", "skipped", "failure", "error") if counts[k])


def compare(ctx, python, module, options):
    """Return the number of differences; they are printed."""
    lines = []
    plain = Run(ctx, python, module, None)
    for _ in range(2):
        if not isinstance(plain.status, str):
            break
        lines.append(f"      flaky without auditview: {plain.status}")
        plain = Run(ctx, python, module, None)
    recorded = Run(ctx, python, module, options.options.split())
    if isinstance(recorded.status, str) and lines: # as it does by itself
        lines.append(f"      under record too, once more: {recorded.status}")
        recorded = Run(ctx, python, module, options.options.split())
    seen = {name: (collections.Counter(), collections.Counter()) for name in {*plain.results, *recorded.results}}

    def add(run, side):
        for name in seen:
            if name in run.results:
                seen[name][side][run.results[name]] += 1

    add(plain, 0)
    add(recorded, 1)
    differing = sorted(name for name, sides in seen.items() if sides[0] != sides[1])
    # The names in the other form that --matchfile takes: the last word, which matches all tests of that name.
    words = sorted({re.split(r"[ (\[]", name)[0].rsplit(".", 1)[-1] for name in differing})
    for _ in range(options.again if differing else 0):
        add(Run(ctx, python, module, None, words), 0)
        add(Run(ctx, python, module, options.options.split(), words), 1)
    n_different = n_flaky = 0
    for name in differing:
        without, under = seen[name]
        flaky = set(under) <= set(without)
        n_flaky += flaky
        n_different += not flaky
        lines.append(f"      {'flaky without auditview' if flaky else 'DIFFERS'}  {name}: {dict(without)} by itself, {dict(under)} under record")
    complaint = recorded.complaint()
    if complaint:
        lines.append("      RECORDER " + complaint)
    lines += ["      said " + line for line in recorded.said() if " not " in line]
    if plain.status != recorded.status and not differing:
        lines.append(f"      STATUS {plain.status} by itself, {recorded.status} under record")
    is_empty = not plain.results and not recorded.results
    if is_empty:
        lines.append("      no test of it can run here: this Python has not got it, or skips it as a whole")
    bad = n_different + bool(complaint) + (plain.status != recorded.status and not differing)
    print(f"{'FAIL' if bad else 'skip' if is_empty else 'ok':5} {python.name:8} {module:26} {len(seen)} tests: {summary(plain.results) or '-'}; status {plain.status}, "
          f"{plain.seconds:.0f} s by itself, {recorded.status}, {recorded.seconds:.0f} s under record; {n_different} differ, {n_flaky} flaky", flush=True)
    for line in lines:
        print(line, flush=True)
    if not bad:
        for run in (plain, recorded):
            shutil.rmtree(run.folder, ignore_errors=True)
    return bad, len(seen)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(harness.ROOT, "build"))
    parser.add_argument("--python", default=r"^3\.(9|12|13)\.\d+$")
    parser.add_argument("--again", type=int, default=5)
    parser.add_argument("--options", default="-f")
    parser.add_argument("modules", nargs="*", default=MODULES)
    options = parser.parse_args()
    # A shell ignores them for what it starts in the background, and tests that interrupt themselves would hang or fail.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    pythons, notes = harness.find_pythons()
    chosen = {}
    for python in pythons:
        has_tests = "import importlib.util, sys; sys.exit(importlib.util.find_spec('test.test_os') is None)"
        if re.search(options.python, python.name) and subprocess.run([*python.command, "-c", has_tests], timeout=60).returncode == 0:
            chosen.setdefault(python.minor, python)  # one of each version
    if not chosen:
        print("no such Python has its tests\n0 passed, 1 failed, 0 skipped")
        return 1
    ctx = harness.Context(os.path.abspath(options.build), list(chosen.values()), True, False)
    n_bad = n_tests = 0
    for python in chosen.values():
        for module in options.modules:
            bad, n = compare(ctx, python, module, options)
            n_bad += bad
            n_tests += n
    ctx.finish(n_bad)
    if n_bad:
        print(f"captures and messages are kept in {ctx.folder}")
    print(f"{n_tests} tests on {len(chosen)} Pythons, {n_bad} differences")
    return 1 if n_bad else 0


if __name__ == "__main__":
    sys.exit(main())
