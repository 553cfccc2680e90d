#!/usr/bin/env python3
"""run: the end-to-end tests: the real program on every Python found.

    tests/e2e/run.py [--build DIR] [--full] [--only REGEX] [--python REGEX] [-j N] [--list] [--keep] [--no-fetch] [-v]

A cell is one line: group, what, Python, and ok, skip with its reason, or FAIL with what was seen. Groups are the modules
check_*.py; each has cells(ctx), which yields (what, python or None, function). --full takes every Python and the long
forms; without it a subset that takes a few minutes. -j N cells run at a time; by default one more than there are
processors, because most of them wait. --keep leaves captures and logs, and lets the reference hook write
each event down. --no-fetch asks apt for nothing.

A cell that fails beside others is run once more by itself. It stays a failure, also if it then holds: a note says
"unsteady" to show where to look. A cell that depends on time or load is a defect of the cell or of the program.

A cell that hangs ends nothing but itself: after CELL_LIMIT its processes are killed, and the line says where it waited.

At the end it says which groups and cells took longest: who adds a cell sees what it costs.
"""
import concurrent.futures
import importlib
import os
import re
import signal
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

# In the order in which they start: the long ones first.
GROUPS = [
    "real",
    "servers",
    "static",
    "hosts",
    "containers",
    "children",
    "musl",
    "streams",
    "pipes",
    "rotate",
    "keep",
    "turns",
    "leaving",
    "hold",
    "options",
    "files",
    "imports",
    "origins",
    "descriptors",
    "exchange",
    "engines",
    "doctor",
    "refusals",
    "translators",
    "images",
    "teacher",
    "guide",
    "launch",
    "attach",
    "values",
    "threads",
    "tasks",
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
    "counts",
    "weight",
    "workers",
    "profile",
]


CELL_LIMIT = 600 * harness.SLOW  # seconds: far more than any cell of a quick run takes on a loaded machine
FULL_LIMIT = 6 * 3600 * harness.SLOW
NOTICE = 180 * harness.SLOW  # a cell that takes longer is named while it runs


class Watch:
    """Ends cells that hang. A cell runs in one thread; the processes that the thread starts are known to `harness.STARTED`."""

    def __init__(self, limit, on_stuck):
        self.limit, self.on_stuck = limit, on_stuck
        self.running, self.lock = {}, threading.Lock()
        threading.Thread(target=self.watch, daemon=True).start()

    def run(self, label, function):
        """Run a cell. Returns (result, text, seconds)."""
        me, cell = threading.get_ident(), {"label": " ".join(label.split()), "begun": time.monotonic(), "noticed": False, "where": None}
        with self.lock:
            self.running[me] = cell
        harness.STARTED.pop(me, None)
        result, text, seconds = run_cell(function)
        with self.lock:
            del self.running[me]
        if cell["where"]:
            return "FAIL", f"{cell['where']}; killed, it ended with {result}: {text[-400:]}", seconds
        return result, text, seconds

    def watch(self):
        while True:
            time.sleep(1)
            with self.lock:
                cells = list(self.running.items())
            for thread, cell in cells:
                seconds = time.monotonic() - cell["begun"]
                if seconds > NOTICE and not cell["noticed"]:
                    cell["noticed"] = True
                    print(f"note  {cell['label']} has run for {seconds:.0f} s: {self.where(thread)}", flush=True)
                if seconds > self.limit:
                    cell["where"] = cell["where"] or f"not over after {seconds:.0f} s: {self.where(thread)}"
                    self.kill(thread)
                if seconds > self.limit + 120 * harness.SLOW:  # it waits for something that is not a process
                    self.on_stuck(cell["label"], cell["where"])

    @staticmethod
    def involved(thread):
        """The processes that a thread has started and not waited for, with their descendants, and those that hold the other end
        of a pipe from which it may read: they may be children whose parent has ended."""
        started = [process for process in (get() for get in harness.STARTED.get(thread, [])) if process]
        pids, pipes = set(), set()
        for process in started:
            if process.returncode is None:
                pids.update([process.pid, *harness.children_of(process.pid)])
            for stream in (getattr(process, "stdout", None), getattr(process, "stderr", None)):
                try:
                    pipes |= {f"pipe:[{os.fstat(stream.fileno()).st_ino}]"} if stream else set()
                except (OSError, ValueError):  # it is closed
                    pass
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if int(pid) != os.getpid() and pipes & {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}:
                    pids.add(int(pid))
            except OSError:
                pass
        return sorted(pids)

    def where(self, thread):
        """The place in the source where a thread is, and what the processes do for which it may wait."""
        frames = traceback.extract_stack(sys._current_frames().get(thread))
        own = [f"{os.path.basename(f.filename)}:{f.lineno}" for f in frames if os.path.dirname(f.filename) == os.path.dirname(harness.__file__)]
        states = [harness.process_state(pid) for pid in self.involved(thread)]
        return f"{' '.join(own[-5:])}; processes: {', '.join(filter(None, states)) or 'none'}"

    def kill(self, thread):
        for pid in self.involved(thread):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


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


MOST_RUN_AGAIN = 10  # failed cells: more have a cause that is no chance
MOST_LONG = 20  # groups and cells that are named at the end


def main():
    flag = {"action": "store_true"}
    options = harness.parse_options(__doc__, ("--full", flag), ("--only", {"default": ""}), ("--list", flag), ("--keep", flag),
                                    ("-j", {"type": int, "default": min(4, (os.cpu_count() or 1) + 1)}))

    harness.restore_signals()
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

    spent = []

    def report(label, outcome):
        result, text, seconds = outcome
        counts[result] += 1
        spent.append((seconds, " ".join(label.split())))
        if result != "ok" or options.v:
            print(f"{result:5} {label:64} {seconds:5.1f} s{'  ' + text if text else ''}", flush=True)

    def on_stuck(label, where):
        """A cell cannot be ended: say so, and end without it."""
        print(f"FAIL  {label}: {where}; it cannot be ended")
        print(f"{counts['ok']} passed, {counts['FAIL'] + 1} failed, {counts['skip']} skipped", flush=True)
        os._exit(1)

    watch = Watch(FULL_LIMIT if options.full else CELL_LIMIT, on_stuck)
    again = []
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        futures = {pool.submit(watch.run, label, function): (label, function) for label, function, alone in cells if not alone}
        for future in concurrent.futures.as_completed(futures):
            label, function = futures[future]
            outcome = future.result()
            report(label, outcome)
            if outcome[0] == "FAIL" and outcome[2] < watch.limit:
                again.append((label, function))
    for label, function, alone in cells:
        if alone:
            report(label, watch.run(label, function))
    for label, function in again[:MOST_RUN_AGAIN]:
        if watch.run(label, function)[0] != "FAIL":
            print(f"note  unsteady, it held when run by itself: {' '.join(label.split())}", flush=True)
    ctx.finish(counts["FAIL"])
    if len(spent) > MOST_LONG:
        by_group = {}
        for seconds, label in spent:
            by_group[label.split()[0]] = by_group.get(label.split()[0], 0) + seconds
        groups = sorted(by_group.items(), key=lambda item: -item[1])[:MOST_LONG]
        print("note  seconds of the longest groups: " + ", ".join(f"{group} {seconds:.0f}" for group, seconds in groups))
        print("note  seconds of the longest cells: " + ", ".join(f"{label} {seconds:.0f}" for seconds, label in sorted(spent, reverse=True)[:MOST_LONG]))
    if counts["FAIL"]:
        print(f"captures and messages are kept in {ctx.folder}")
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
