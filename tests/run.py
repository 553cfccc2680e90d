#!/usr/bin/env python3
"""run: build, run every test; tests/run installs what is missing first.

    tests/run             gcc build, all tests (end-to-end: the quick subset)
    tests/run --fast      the inner loop: gcc build, then the unit, lint and filter tests; under a minute on two cores
    tests/run --ci        also the clang build and the AddressSanitizer + UBSan build with their unit tests; -Werror; and a short form of
                          the tests on an emulated arm64, if its parts were fetched once (tests/arm64/arm64.sh fetch)
    tests/run --full      the end-to-end tests in full, on every Python found (slow)
    tests/run --tidy      gcc build, then clang-tidy and cppcheck instead of tests (slow)
    tests/run --no-setup  leave apt alone
    tests/run --build DIR build folder for the first build (default: build)

Every stage prints what failed. A test that fails is run once more by itself; it stays a failure if it then holds, and the
line says "unsteady". The last line counts test cases: "N passed, N failed, N skipped"; the exit status is 0 only if nothing
failed. A stage that cannot even be built counts as one failure.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FAST_SUITES = ("unit", "lint", "filter")
MOST_RUN_AGAIN = 3
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")


class Totals:
    """The counts of all stages so far; add() takes one stage."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.begun = time.monotonic()

    def lap(self, stage, counts=""):
        """The stage is over: print how long it took."""
        now = time.monotonic()
        print(f"-- {stage}: {counts}{now - self.begun:.0f} s", flush=True)
        self.begun = now

    def add(self, stage, passed, failed, skipped):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        self.lap(stage, f"{passed} passed, {failed} failed, {skipped} skipped, ")

    def line(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def build_steps(folder, options):
    """The commands that configure (once) and build a folder."""
    path = os.path.join(ROOT, folder)
    # Folders are found when configuring: do it each time.
    again = ["--reconfigure"] if os.path.exists(os.path.join(path, "build.ninja")) else []
    return ["meson", "setup", path, *again, *options], ["ninja", "-C", path]


def build(folder, options, env):
    """Configure and build. Returns true if it worked; otherwise the errors are printed."""
    for step in build_steps(folder, options):
        done = subprocess.run(step, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            print(f"-- {' '.join(step)}: exit status {done.returncode}")
            print("\n".join(done.stdout.splitlines()[-60:]), flush=True)
            return False
        if step[0] == "ninja" and "warning:" in done.stdout:
            print("\n".join(line for line in done.stdout.splitlines() if "warning:" in line), flush=True)
    return True


class Others:
    """The builds that --ci tests after the first one. They begin while the tests of the first one run, which wait more than
    they compute, and use only the time of the processors that nothing else wants. What is not built when those tests have
    ended is built then, and so is what failed: that prints the errors."""

    def __init__(self, werror, env):
        sanitizers = dict(env, UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1", ASAN_OPTIONS="detect_leaks=1")
        self.builds = [("build-clang", "clang build", werror, dict(env, CC="clang")),
                       # gcc gives false warnings when it instruments: here, warnings are no errors.
                       ("build-sanitize", "sanitizer build", ["-Dwerror=false", "-Db_sanitize=address,undefined"], sanitizers)]
        self.lock, self.process, self.is_over = threading.Lock(), None, False
        self.thread = threading.Thread(target=self.begin)
        self.thread.start()

    def begin(self):
        idle = ["chrt", "--idle", "0"] if shutil.which("chrt") else ["nice", "-n", "19"]
        for folder, _, options, env in self.builds:
            for step in build_steps(folder, options):
                with self.lock:
                    if self.is_over:
                        return
                    self.process = subprocess.Popen(idle + step, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                                    stderr=subprocess.DEVNULL)
                if self.process.wait():
                    break

    def test(self, totals):
        with self.lock:
            self.is_over = True
            if self.process and self.process.poll() is None:
                self.process.terminate()  # ninja ends its commands, too
        self.thread.join()
        for folder, name, options, env in self.builds:
            if build(folder, options, env):
                totals.lap(name)
                # What is read from the source alone is the same in each build.
                totals.add(f"tests of the {name}", *meson_tests(folder, env, 8, without=("source",)))
            else:
                totals.add(name, 0, 1, 0)


def holds_alone(path, env, name, timeout_factor):
    """Run one test (the log's "suite / name" or plain name) by itself; returns whether it passed."""
    command = ["meson", "test", "-C", path, "--no-rebuild", "-t", str(timeout_factor), name.split(" / ")[-1]]
    return subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def meson_tests(folder, env, timeout_factor, suites=(), without=()):
    """Run the build's own tests, of these suites or all, without others; returns passed, failed, skipped. cmocka cases are
    counted one by one."""
    path = os.path.join(ROOT, folder)
    log = os.path.join(path, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    chosen = [word for suite in suites for word in ("--suite", suite)] + [word for suite in without for word in ("--no-suite", suite)]
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
    # A failed test is run again by itself only to say whether it depends on what runs beside it: it stays a failure.
    if broken and len(broken) <= MOST_RUN_AGAIN:
        for name in broken:
            if holds_alone(path, env, name, timeout_factor):
                print(f"-- unsteady: {name} held when run by itself", flush=True)
    failed = len(broken)
    if done.returncode and not failed:
        print(done.stdout[-6000:], flush=True)
        failed += 1
    return passed, failed, skipped


def script_tests(stage, command, env):
    """Run a test script of our own: its output is shown, its last line counts. Status 77: skipped, and it says why."""
    counts = None
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            match = COUNTS.match(line.strip())
            if match:
                counts = tuple(map(int, match.groups()))
            else:
                print(line, end="", flush=True)
    if counts is None and process.returncode == 77:
        return 0, 0, 1
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
    kind.add_argument("--tidy", action="store_true")
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
    others = None
    if build(options.build, werror, env):
        totals.lap("gcc build")
        if options.tidy:
            return subprocess.run([sys.executable, os.path.join(ROOT, "tests", "lint", "tidy.py"), os.path.join(ROOT, options.build)],
                                  cwd=ROOT, env=env).returncode
        if options.ci:
            others = Others(werror, env)
        totals.add("tests of the gcc build", *meson_tests(options.build, env, 4, FAST_SUITES if options.fast else ()))
        runner = os.path.join(ROOT, "tests", "e2e", "run.py")
        if not options.no_e2e and not options.fast:
            command = [sys.executable, runner, "--build", os.path.join(ROOT, options.build)]
            totals.add("end to end", *script_tests("end to end", command + (["--full"] if options.full else []), env))
    else:
        totals.add("gcc build", 0, 1, 0)
        if options.ci:
            others = Others(werror, env)

    if others:
        others.test(totals)
        # What is not in the cache is not downloaded: tests/arm64/arm64.sh fetch.
        totals.add("arm64", *script_tests("arm64", ["sh", os.path.join(ROOT, "tests", "arm64", "run.sh"), "--ci"], env))

    print(f"-- {time.monotonic() - started:.0f} s")
    print(totals.line(), flush=True)
    return 1 if totals.failed else 0


if __name__ == "__main__":
    sys.exit(main())
