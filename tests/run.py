#!/usr/bin/env python3
"""run: build, run every test; tests/run installs what is missing first.

    tests/run             gcc build, all tests (end-to-end: the quick subset)
    tests/run --fast      the inner loop: gcc build, then the unit, lint and filter tests; under a minute on two cores
    tests/run --ci        also the clang build and the AddressSanitizer + UBSan build with their unit tests; -Werror
    tests/run --full      the end-to-end tests in full, on every Python found (slow)
    tests/run --no-setup  leave apt alone
    tests/run --build DIR build folder for the first build (default: build)

Every stage prints what failed. The last line counts test cases: "N passed, N failed, N skipped"; the exit status is 0
only if nothing failed. A stage that cannot even be built counts as one failure.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FAST_SUITES = ("unit", "lint", "filter")
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")


class Totals:
    """The counts of all stages so far; add() takes one stage."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, stage, passed, failed, skipped):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        print(f"-- {stage}: {passed} passed, {failed} failed, {skipped} skipped", flush=True)

    def line(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def build(folder, options, env):
    """Configure (once) and build. Returns true if it worked; otherwise the errors are printed."""
    path = os.path.join(ROOT, folder)
    # Folders are found when configuring: do it each time.
    again = ["--reconfigure"] if os.path.exists(os.path.join(path, "build.ninja")) else []
    command = ["meson", "setup", path, *again, *options]
    for step in (command, ["ninja", "-C", path]):
        done = subprocess.run(step, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            print(f"-- {' '.join(step)}: exit status {done.returncode}")
            print("\n".join(done.stdout.splitlines()[-60:]), flush=True)
            return False
        if step[0] == "ninja" and "warning:" in done.stdout:
            print("\n".join(line for line in done.stdout.splitlines() if "warning:" in line), flush=True)
    return True


def retry(path, env, name, timeout_factor):
    """Run one test (the log's "suite / name" or plain name) by itself; returns whether it passed."""
    command = ["meson", "test", "-C", path, "--no-rebuild", "-t", str(timeout_factor), name.split(" / ")[-1]]
    return subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def meson_tests(folder, env, timeout_factor, suites=()):
    """Run the build's own tests, of these suites or all of them; returns passed, failed, skipped. cmocka cases are
    counted one by one."""
    path = os.path.join(ROOT, folder)
    log = os.path.join(path, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    chosen = [word for suite in suites for word in ("--suite", suite)]
    done = subprocess.run(["meson", "test", "-C", path, "--no-rebuild", "--print-errorlogs", "-t", str(timeout_factor), *chosen],
                          cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    passed = skipped = 0
    broken = []
    if os.path.exists(log):
        for line in open(log, encoding="utf-8"):
            test = json.loads(line)
            output = (test.get("stdout") or "") + (test.get("stderr") or "")
            cases = re.findall(r"^\[  ((?:     OK|  FAILED|SKIPPED) ) ?\] [^ ]", output, re.M)
            n_ok = sum("OK" in c for c in cases)
            n_skipped = sum("SKIP" in c for c in cases)
            if test["result"] == "SKIP":
                skipped += 1
            elif test["result"] in ("OK", "EXPECTEDFAIL"):
                passed += max(n_ok, 1)
                skipped += n_skipped
            else:
                passed += n_ok
                broken.append(test["name"])
                print(f"-- failed: {test['name']} ({test['result']})\n{output[-6000:]}", flush=True)
    # Screens under tmux and live targets share the cores with everything else: one failed test may be run again, by
    # itself.
    if len(broken) == 1 and not suites and retry(path, env, broken[0], timeout_factor):
        print(f"-- unsteady: {broken[0]} held when run by itself", flush=True)
        passed, broken = passed + 1, []
        done.returncode = 0
    failed = len(broken)
    if done.returncode and not failed:
        print(done.stdout[-6000:], flush=True)
        failed += 1
    return passed, failed, skipped


def script_tests(stage, command, env):
    """Run a test script of our own: its output is shown, its last line counts."""
    counts = None
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            match = COUNTS.match(line.strip())
            if match:
                counts = tuple(map(int, match.groups()))
            else:
                print(line, end="", flush=True)
    if counts is None:
        print(f"-- {stage}: ended with status {process.returncode} and without its closing line", flush=True)
        return 0, 1, 0
    passed, failed, skipped = counts
    if process.returncode and not failed:
        failed = 1
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("-h", "--help", action="store_true")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--fast", action="store_true")
    kind.add_argument("--ci", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--no-setup", action="store_true")
    parser.add_argument("--no-e2e", action="store_true")
    parser.add_argument("--build", default="build")
    options = parser.parse_args()
    if options.help:
        print(__doc__)
        return 0
    started = time.monotonic()
    totals = Totals()
    env = dict(os.environ, LC_ALL="C.UTF-8", MESON_TESTTHREADS=str(max(1, min(4, os.cpu_count() or 1))))
    werror = ["-Dwerror=true"] if options.ci else []
    if build(options.build, werror, env):
        totals.add("tests of the gcc build", *meson_tests(options.build, env, 2, FAST_SUITES if options.fast else ()))
        runner = os.path.join(ROOT, "tests", "e2e", "run.py")
        if not options.no_e2e and not options.fast:
            command = [sys.executable, runner, "--build", os.path.join(ROOT, options.build)]
            totals.add("end to end", *script_tests("end to end", command + (["--full"] if options.full else []), env))
    else:
        totals.add("gcc build", 0, 1, 0)

    if options.ci:
        others = (("build-clang", "clang build", ["-Dwerror=true"], dict(env, CC="clang")),
                  # gcc gives false warnings when it instruments: here, warnings are no errors.
                  ("build-sanitize", "sanitizer build", ["-Dwerror=false", "-Db_sanitize=address,undefined"],
                   dict(env, UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1", ASAN_OPTIONS="detect_leaks=1")))
        for folder, name, flags, its_env in others:
            if build(folder, flags, its_env):
                totals.add(f"tests of the {name}", *meson_tests(folder, its_env, 4))
            else:
                totals.add(name, 0, 1, 0)

    print(f"-- {time.monotonic() - started:.0f} s")
    print(totals.line(), flush=True)
    return 1 if totals.failed else 0


if __name__ == "__main__":
    sys.exit(main())
