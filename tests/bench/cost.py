#!/usr/bin/env python3
"""cost: what recording costs, in one table per Python. Run it on demand on a quiet machine; it is no test.

tests/bench/cost.py [--build DIR] [--python REGEX] [--visits N] [--events N] [--threads-only | --table-only]
                    [--rounds N] [--readme FILE]

One process per Python measures itself under each condition in turn, so the columns of one row can be compared: no hook;
auditview (stack off, the same in an asyncio task, depth 5, the same by code of a distribution, depth 30, an event that is not wanted,
one that is only counted); no hook again; a C hook that does nothing (the minimum: CPython's own making of the argument tuple);
strace -f; bpftrace; a Python hook that writes JSON.
Each condition is measured with events in a loop, and with sparse events: one after each 20 µs of other work, when neither the
probe nor the ring is in the processor's first cache. Both are shown as ns and as a multiple of the minimum, because ns of two
machines cannot be compared; what the clock and a cache line that moves between two processors cost stands above the table.
A number is the lowest of N rounds. --readme FILE also writes the table of README.md: what stands in FILE between the two lines that name this program. After that
come the longest pause of N visits, the events per second through the ring and into the file, and the number lost (it
should be 0). First comes the CPU time of an event, above that minimum, when 1, 2, 8 and 32 threads raise events as fast
as they can.
"""
import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
import harness  # noqa: E402


class Target:
    """cost_target.py, controlled line by line."""

    def __init__(self, python):
        self.process = subprocess.Popen([*python.command, os.path.join(HERE, "cost_target.py")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.pid = json.loads(self.process.stdout.readline())["ready"]

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise harness.Fail(f"the target ended with {self.process.wait()} at {command!r}")
        return json.loads(line)["answer"]

    def close(self):
        self.process.kill()
        self.process.wait()


class Visit:
    """auditview record, for the duration of a with block."""

    def __init__(self, ctx, pid, *options):
        self.recorder = harness.Recorder(ctx, pid, *options)
        self.recorder.wait_linked()
        time.sleep(0.05)

    def __enter__(self):
        return self.recorder

    def __exit__(self, *error):
        self.said = self.recorder.stop()


class Counting:
    """auditview stat --count, for the duration of a with block."""

    def __init__(self, ctx, target):
        self.process = subprocess.Popen([ctx.auditview, "stat", "--count", "-p", str(target.pid)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        harness.wait_for(lambda: harness.hooks_of(ctx, target.pid) or self.process.poll() is not None, 15, "the hook")
        harness.expect(self.process.poll() is None, "auditview stat --count has ended")
        for _ in range(3):  # the first events of a name are written, until the recorder has told the probe
            target.ask("storm 100")
            time.sleep(0.3)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=60)
        harness.expect("x.y" in said, lambda: f"auditview stat --count has not counted: {said[-300:]}")


def tool(command, seconds=1.0):
    """Start another tool and give it time to attach."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    time.sleep(seconds)
    return process


def make_package(folder):
    """Put the target's functions into a module that a distribution has installed. Return its folder."""
    packages = os.path.join(folder, "packages")
    info = os.path.join(packages, "costbench-1.0.dist-info")
    os.makedirs(info, exist_ok=True)
    shutil.copy(os.path.join(HERE, "cost_target.py"), os.path.join(packages, "costbench.py"))
    for name, text in (("METADATA", "Metadata-Version: 2.1\nName: costbench\nVersion: 1.0\n"),
                       ("RECORD", "costbench.py,,\ncostbench-1.0.dist-info/METADATA,,\ncostbench-1.0.dist-info/RECORD,,\n")):
        with open(os.path.join(info, name), "w", encoding="utf-8") as f:
            f.write(text)
    return packages


def costs(ctx, python, folder, rounds, with_tools):
    """Return [(condition, ns of sys.audit, ns of a sparse sys.audit, ns of os.open+close)]; None: not measured."""
    target = Target(python)
    package = make_package(folder)
    lowest = {}

    def measure(name, depth=2, where=""):
        seen = [target.ask(f"{where}{what} {depth}") for what in ("audit", "sparse", "open")]
        lowest[name] = [min(pair) for pair in zip(seen, lowest.get(name, seen))]

    try:
        for _ in range(rounds):
            measure("no hook")
            with Visit(ctx, target.pid, "--stack=off"):
                measure("probe, no stack")
                measure("probe, no stack, in a task", where="task ")
            with Visit(ctx, target.pid, "--stack=python"):
                measure("probe, depth 5", 5)
                measure("probe, depth 5, of a package", 5, f"package {package} ")
                measure("probe, depth 30", 30)
            with Visit(ctx, target.pid, "-e", "no.such.event"):
                measure("probe, not wanted")
            with Counting(ctx, target):
                measure("probe, counted")
            measure("no hook, after")
        if target.ask("floor"):
            for _ in range(rounds):
                measure("C hook that returns (floor)")
        for name, command in with_tools * (("strace -f", ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(target.pid)]),
                              ("bpftrace usdt", ["bpftrace", "-q", "-p", str(target.pid), "-e", "usdt:*:audit { @n = count(); }"])):
            if shutil.which(command[0]):
                process = tool(command)
                measure(name + (" + floor" if process.poll() is None else " (did not attach)"))
                process.send_signal(signal.SIGINT)
                process.wait()
            else:
                lowest[name + " (not installed)"] = [None, None, None]
        target.ask("json " + os.path.join(folder, "hook.jsonl"))
        measure("sys.addaudithook, JSON + floor")
    finally:
        target.close()
    return [(name, *numbers) for name, numbers in lowest.items()]


def pauses(ctx, python, visits):
    """Return the longest pause that each visit reports, in ms, and how long detaching took."""
    target = Target(python)
    longest, leaving = [], []
    try:
        for _ in range(visits):
            recorder = harness.Recorder(ctx, target.pid, "--stack=off")
            recorder.wait_linked()
            started = time.monotonic()
            recorder.process.send_signal(signal.SIGINT)
            recorder.process.wait()  # without a timeout: with one, Python polls after 0.5, 1.5, 3.5, 7.5 ms
            leaving.append((time.monotonic() - started) * 1000)
            said = recorder.stderr()
            match = re.search(r"longest pause ([\d.]+) ?(ns|µs|us|ms|s)\b", said)
            if match:
                longest.append(float(match.group(1)) * {"ns": 1e-6, "µs": 1e-3, "us": 1e-3, "ms": 1, "s": 1000}[match.group(2)])
    finally:
        target.close()
    return longest, leaving


def throughput(ctx, python, n, where):
    """Return (events per second that the target measured, the same up to the end of the recorder, lost)."""
    target = Target(python)
    try:
        folder = ctx.new_folder("throughput")
        path = where or os.path.join(folder, "storm.avc")
        process = subprocess.Popen([ctx.auditview, "record", "-p", str(target.pid), "-o", path, "--stack=off", "-e", "x.y"],
                                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        # Mapped is not yet linked: what is raised in between is not seen.
        harness.wait_for(lambda: harness.hooks_of(ctx, target.pid) or process.poll() is not None, 10, "the hook")
        started = time.monotonic()
        ns = target.ask(f"storm {n}")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
        took = time.monotonic() - started
        match = harness.GOODBYE.search(said)
        n_events, lost = (int(re.sub(r"\D", "", g)) for g in match.groups()[:2]) if match else (0, n)
        size = os.path.getsize(path) if os.path.isfile(path) else 0
        return 1e9 / ns, n_events / took, n_events, lost, size / max(n_events, 1)
    finally:
        target.close()


def threads(ctx, python, n):
    """Return [(threads, ns of the minimum, ns above it without a stack, ns above it with one)], each the lowest of
    three runs."""
    rows = []
    for n_threads in (1, 2, 8, 32):
        command = f"threads {n_threads} {n // n_threads}"
        target = Target(python)
        try:
            target.ask("floor")

            def least_of(*options):
                with Visit(ctx, target.pid, "-o", "/dev/null", *options):
                    return min(target.ask(command) for _ in range(3))

            floor = min(target.ask(command) for _ in range(3))
            rows.append((n_threads, floor, least_of("--stack=off") - floor, least_of("--stack=python") - floor))
        finally:
            target.close()
    return rows


README_MARKS = ("<!-- made by tests/bench/cost.py --readme README.md -->", "<!-- end of what tests/bench/cost.py made -->")
README_COLUMNS = (("counted", "probe, counted"), ("not wanted", "probe, not wanted"), ("name and arguments", "probe, no stack"),
                  ("and a stack of 5", "probe, depth 5"), ("of 30", "probe, depth 30"),
                  ("Python hook writing JSON", "sys.addaudithook, JSON + floor"))


def readme_text(machine, load, rounds, measured):
    """The part of README.md, lines without the marks. measured: [(version, costs() of it)]."""
    lines = [f"Measured at load {load:.0f} on {os.cpu_count()} processors, the lowest of {rounds} rounds; {machine}.", "",
             "| CPython | no hook, ns | after leaving, ns | floor, ns | " + " | ".join(label for label, _ in README_COLUMNS) + " |",
             "|---|---:|---:|---:|" + "---:|" * len(README_COLUMNS)]
    for version, rows in measured:
        by_name = {row[0]: row for row in rows}
        floor = by_name.get("C hook that returns (floor)")
        if not floor:
            continue
        cells = [" / ".join(f"{(by_name[name][i] - floor[i]) / floor[i]:+.2f}" for i in (1, 2)) if name in by_name else ""
                 for _, name in README_COLUMNS]
        plain = [f"{by_name[name][1]:.0f} / {by_name[name][2]:.0f}" for name in ("no hook", "no hook, after", floor[0])]
        lines.append(f"| {version} | " + " | ".join(plain + cells) + " |")
    return lines


def readme_renew(path, lines):
    with open(path, encoding="utf-8") as f:
        before, begin, rest = f.read().partition(README_MARKS[0] + "\n")
    _, end, after = rest.partition(README_MARKS[1] + "\n")
    if not begin or not end:
        raise SystemExit(f"{path} has no lines {README_MARKS[0]} and {README_MARKS[1]}")
    with open(path, "w", encoding="utf-8") as f:
        f.write(before + begin + "\n".join(lines) + "\n" + end + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(harness.ROOT, "build"))
    parser.add_argument("--python", default="")
    parser.add_argument("--visits", type=int, default=100)
    parser.add_argument("--events", type=int, default=2000000)
    parser.add_argument("--threads-only", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--table-only", action="store_true", help="no threads, other tools, pauses and throughput")
    parser.add_argument("--readme", metavar="FILE")
    options = parser.parse_args()
    measured, load = [], os.getloadavg()[0]
    pythons, notes = harness.find_pythons()
    pythons = [p for p in pythons if re.search(options.python, p.name)]
    for note in notes:
        print("skipped:", note)
    ctx = harness.Context(os.path.abspath(options.build), pythons, True, False)
    folder = tempfile.mkdtemp(prefix="auditview-cost-")
    print(f"load {load:.1f} on {os.cpu_count()} CPUs; ns are CPU time, lower decile of 100 bursts of 1 ms, and of sparse events the median of "
          "5,000; compare inside one Python only\n")
    machine = os.path.join(options.build, "tests", "bench", "machine")
    if os.access(machine, os.X_OK):
        machine = subprocess.run([machine], capture_output=True, text=True, timeout=60).stdout.strip()
    else:
        machine = "clock and cache lines not measured: meson compile -C build tests/bench/machine builds what does it"
    print(machine + "\n")
    for python in pythons:
        print(f"## {python.name} ({python.version_text})\n")
        try:
            if not options.table_only:
                print("| threads at once | floor, ns | no stack, above it | with stack, above it |\n|---:|---:|---:|---:|")
                for n_threads, floor, off, on in threads(ctx, python, options.events // 4):
                    print(f"| {n_threads} | {floor:.0f} | {off:+.0f} | {on:+.0f} |")
                print(flush=True)
            if options.threads_only:
                continue
            rows = costs(ctx, python, folder, options.rounds, not options.table_only)
            measured.append((python.version_text, rows))
            base = rows[0]
            floor = next((r for r in rows if "floor)" in r[0]), base)
            print("| condition | sys.audit, ns | above floor | × floor | sparse sys.audit, ns | above floor | × floor | os.open+close, ns |\n"
                  "|---|---:|---:|---:|---:|---:|---:|---:|")
            for row in rows:
                if row[1] is None:
                    print(f"| {row[0]} | | | | | | | |")
                    continue
                audit = " | ".join(f"{row[i]:.0f} | {row[i] - floor[i]:+.0f} | {(row[i] - floor[i]) / floor[i]:.2f}" for i in (1, 2))
                print(f"| {row[0]} | {audit} | {row[3]:.0f} |")
            if options.table_only:
                print(flush=True)
                continue
            longest, leaving = pauses(ctx, python, options.visits)
            if longest:
                print(f"\npause of {len(longest)} visits: median {statistics.median(longest):.3f} ms, worst {max(longest):.3f} ms; ", end="")
            print(f"leaving, recorder's end included: median {statistics.median(leaving):.1f} ms, worst {max(leaving):.1f} ms")
            for label, where in (("into the file", None), ("ring alone (-o /dev/null)", "/dev/null")):
                seen, whole, n, lost, size = throughput(ctx, python, options.events, where)
                print(f"{label}: target {seen / 1e6:.2f} M events/s, to the end {whole / 1e6:.2f} M events/s, {n} events, {lost} lost"
                      + (f", {size:.1f} bytes each" if size else ""))
        except harness.Fail as what:
            print("failed:", what)
        print(flush=True)
    shutil.rmtree(folder)
    if options.readme:
        readme_renew(options.readme, readme_text(machine, load, options.rounds, measured))
    ctx.finish(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
