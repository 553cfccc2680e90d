#!/usr/bin/env python3
"""hold.py AUDITVIEW BREAKPOINT [PYTHON…]: how long an event waits whose name a hold may match, and whose arguments it does not.

Per Python, in turns, so that all rows see the same machine: an event recorded without a hold, with such a hold (the
event waits in the hook until the recorder has matched it), and a process that stops at a breakpoint and is continued by its
tracer, which is what a debugger costs at the least. Each event is timed in the target. Shown are p50 and p99 in us, the extra
wait, and its ratio to the breakpoint, at several rates: the next event comes at once, or after so many milliseconds of sleep
(the process with the breakpoint sleeps as long). The goal, on an idle machine: p99 of the extra wait below 50 us."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TURNS = 4
RATES = (("in a row", 1000, 0), ("each 1 ms", 300, 1), ("each 3 ms", 200, 3), ("each 20 ms", 60, 20))
LOOP = """
import sys, time
n, pause = int(sys.argv[1]), float(sys.argv[2])
clock, audit, took = time.perf_counter_ns, sys.audit, []
for i in range(n + 50):
    if pause:
        time.sleep(pause)
    begin = clock()
    audit("bench.hold", i)
    took.append(clock() - begin)
print("\\n".join(map(str, took[50:])))
"""
HOLD = ["--hold", 'event == "bench.hold" and args[0] < 0', "--do", "continue"]


def times(command):
    return [int(word) for word in subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.split()]


def percentiles(values):
    values = sorted(values)
    return values[len(values) // 2] / 1e3, values[len(values) * 99 // 100] / 1e3


def main():
    auditview, breakpoint, pythons = sys.argv[1], sys.argv[2], sys.argv[3:]
    if not pythons:
        listed = subprocess.run([os.path.join(HERE, "..", "pythons.sh")], capture_output=True, text=True).stdout
        pythons = [line.split("\t")[1] for line in listed.splitlines() if "d\t" not in line]
    print("load %s, %d processors" % (os.getloadavg()[0], os.cpu_count()))
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "loop.py")
        with open(script, "w") as f:
            f.write(LOOP)
        for python in pythons:
            print(python)
            for what, n, pause in RATES:
                plain, held, stopped = [], [], []
                for _ in range(TURNS):
                    for to, options in ((plain, []), (held, HOLD)):
                        to += times([auditview, "record", "-o", os.path.join(folder, "c.avc"), "-e", "bench.hold", *options, "--", python,
                                     script, str(n), str(pause / 1000)])
                    stopped += times([breakpoint, str(n), str(pause * 1000)])
                rows = [percentiles(v) for v in (plain, held, stopped)]
                extra = [h - p for h, p in zip(rows[1], rows[0])]
                print("  %-12s  p50, p99 in us: recorded %.1f %.1f  may be held %.1f %.1f  breakpoint %.1f %.1f;  extra wait %.1f %.1f, %.2f and %.2f of a breakpoint"
                      % (what, *rows[0], *rows[1], *rows[2], *extra, extra[0] / rows[2][0], extra[1] / rows[2][1]), flush=True)


main()
