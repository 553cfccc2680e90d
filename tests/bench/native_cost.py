#!/usr/bin/env python3
"""native_cost.py AUDITVIEW UNWIND_CHECK [PYTHON…]: what native stacks cost, in one run so that the rows can be
compared.

Per Python: a loop of os.open + os.close some 50 native frames deep, alone, then recorded with each kind of stack: CPU
time per turn of the loop in the target, and of the recorder per event (with start-up and symbol tables spread over the
events). Then one copied stack is unwound many times: ns per walk by our own rows, by libunwind with its cache, and
without. "The first time" is the first walk of a stack of new pcs, in modules that are open. The costs of a process that
is met for the first time are listed separately: its maps and the interpreter's own tables; opening and measuring the
other modules, with the walk of the first event; and names, for which debug files must be inflated and read. The tables
are read once for a file, whatever number of processes map it. If strace and gdb are installed: the same loop under
strace -k, and one gdb backtrace."""
import os
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
start = time.perf_counter()
def deep(n):
    if n:
        return sorted([n], key=lambda x: deep(n - 1)) if n % 5 == 0 else deep(n - 1)
    best = 1e9
    for _ in range(10):
        t = time.process_time()
        for _ in range(N // 10):
            os.close(os.open("/dev/null", 0))
        best = min(best, (time.process_time() - t) / (N // 10))
    print("%.3f" % (best * 1e6), end=" ")
deep(20)
print(time.process_time(), (time.perf_counter() - start) / N * 1e6)
"""


def loop_cost(python, script, n, auditview=None, mode=None, folder=None, slice_bytes="64k"):
    """Return CPU us per turn in the target (best tenth), and CPU us of the recorder per event: all time but the
    target's own."""
    command = [python, script, str(n)]
    if mode:
        command = [auditview, "record", "--stack=" + mode, "--stack-bytes", slice_bytes, "-o", os.path.join(folder, "c.avc"), "-e", "open", "--", *command]
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.split()
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime
    return float(out[0]), (total - float(out[1])) / n * 1e6


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
            n = 40000
            print(python)
            print("  CPU us per open + close, and of the recorder per event:  bare %.2f" % loop_cost(python, script, n)[0], end="", flush=True)
            for mode in ("off", "python", "native", "both"):
                print("  %s %.2f, %.2f" % (mode, *loop_cost(python, script, n, auditview, mode, folder)), end="", flush=True)
            print()
            # The conditions take turns and the lowest of each is used: the load of the machine changes from run to run.
            off, small, warm = 1e9, 1e9, 1e9
            for _ in range(3):
                off = min(off, loop_cost(python, script, n, auditview, "off", folder)[0])
                small = min(small, loop_cost(python, script, n, auditview, "native", folder, "16k")[0])
                few = loop_cost(python, script, n, auditview, "native", folder)[1]
                many = loop_cost(python, script, 3 * n, auditview, "native", folder)[1]
                warm = min(warm, (3 * many - few) / 2)
            print("  the probe, for 16 KiB of stack: %.2f us; the recorder warm (without its start): %.2f us per event" %
                  (small - off, warm), flush=True)
            target = subprocess.Popen([python, os.path.join(HERE, "..", "native", "deep.py")], stdout=subprocess.PIPE, text=True)
            try:
                tid = target.stdout.readline().split()[1]
                out = subprocess.run([check, tid, "--repeat", "400"], capture_output=True, text=True).stdout
                words = next((line.split() for line in out.splitlines() if line.startswith("cost ")), None)
                if words:
                    frames, rows, cached, uncached, cold = (float(w) for w in words[1:])
                    first = next(line.split() for line in out.splitlines() if line.startswith("first "))
                    print("  one stack of %d frames, us: own rows %.1f (the first time %.0f), libunwind cached %.1f, uncached %.0f "
                          "(%.0f ns a frame by rows)" % (frames, rows / 1e3, cold / 1e3, cached / 1e3, uncached / 1e3, rows / frames))
                    print("  nothing known at all, us: the process met, maps %.0f, interpreter %.0f; its first walk, %s other modules to be opened, %.0f; all names %.0f" %
                          (float(first[1]) / 1e3, float(first[2]) / 1e3, first[4], float(first[3]) / 1e3, float(first[5]) / 1e3))
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
                if done.returncode == 0 and done.stdout:
                    print("  the same loop under strace -k: %.0f us per turn" % float(done.stdout.split()[2]))


main()
