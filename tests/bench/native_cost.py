#!/usr/bin/env python3
"""native_cost.py AUDITVIEW UNWIND_CHECK [PYTHON…]: what native stacks cost, in one run so that the rows can be compared.

Per Python: a loop of os.open + os.close some 50 native frames deep, bare, then recorded with each kind of stack: time per turn in
the target, and CPU time of the recorder per event. Then one copied stack unwound many times: ns per walk by own rows, by
libunwind with its cache, without. With strace and gdb at hand: the same loop under strace -k, and one gdb backtrace."""
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LOOP = """
import os, sys, time
N = int(sys.argv[1])
def deep(n):
    if n:
        return sorted([n], key=lambda x: deep(n - 1)) if n % 5 == 0 else deep(n - 1)
    best = 1e9
    for _ in range(5):
        t = time.perf_counter()
        for _ in range(N // 5):
            os.close(os.open("/dev/null", 0))
        best = min(best, (time.perf_counter() - t) / (N // 5))
    print("%.3f" % (best * 1e6))
deep(20)
"""


def run(command):
    """Output, and user + system time of the command itself, not of what it waited for and launched."""
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done, end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def loop_cost(auditview, python, script, n, mode, folder):
    """us per turn, and us of recorder per event (its CPU time less the target's, which tells its own)."""
    capture = os.path.join(folder, "c.avc")
    command = [python, script, str(n)]
    if mode:
        command = [auditview, "record", "--stack=" + mode, "-o", capture, "-e", "open", "--", *command]
    done, cpu = run(command)
    if done.returncode:
        return None, None, done.stderr
    return float(done.stdout.split()[0]), cpu, ""


def main():
    auditview, check, pythons = sys.argv[1], sys.argv[2], sys.argv[3:]
    if not pythons:
        listed = subprocess.run([os.path.join(HERE, "..", "pythons.sh")], capture_output=True, text=True).stdout
        pythons = [line.split("\t")[1] for line in listed.splitlines() if "d\t" not in line]
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "loop.py")
        with open(script, "w") as f:
            f.write(LOOP)
        for python in pythons:
            n = 20000
            print(python)
            print("  target, us per open + close:", end="", flush=True)
            for mode in (None, "off", "python", "native", "both"):
                us, cpu, error = loop_cost(auditview, python, script, n, mode, folder)
                print("  %s %s" % (mode or "bare", "%.2f" % us if us else error), end="", flush=True)
            print()
            target = subprocess.Popen([python, os.path.join(HERE, "..", "native", "deep.py")], stdout=subprocess.PIPE, text=True)
            try:
                tid = target.stdout.readline().split()[1]
                out = subprocess.run([check, tid, "--repeat", "400"], capture_output=True, text=True).stdout
                words = next((line.split() for line in out.splitlines() if line.startswith("cost ")), None)
                if words:
                    frames, rows, cached, uncached = (float(w) for w in words[1:])
                    print("  one stack of %d frames, us: own rows %.1f, libunwind cached %.1f, uncached %.0f (%.0f ns a frame by rows)" %
                          (frames, rows / 1e3, cached / 1e3, uncached / 1e3, rows / frames))
                if shutil.which("gdb"):
                    start = time.perf_counter()
                    subprocess.run(["gdb", "-nx", "-batch", "-p", str(target.pid), "-ex", "python import time",
                                    "-ex", "python t = time.time()", "-ex", "bt", "-ex", "python t1 = time.time()"],
                                   capture_output=True)
                    print("  gdb, attach + one backtrace: %.0f ms" % ((time.perf_counter() - start) * 1e3))
            finally:
                target.kill()
                target.wait()
            if shutil.which("strace"):
                done = subprocess.run(["strace", "-k", "-e", "trace=openat", "-o", os.path.join(folder, "k"), python, script, "50"],
                                      capture_output=True, text=True)
                if re.match(r"[\d.]+\s*$", done.stdout):
                    print("  the same loop under strace -k: %.0f us per turn" % float(done.stdout))


main()
