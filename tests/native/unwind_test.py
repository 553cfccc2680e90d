#!/usr/bin/env python3
"""unwind_test.py UNWIND_CHECK [--gdb] [PYTHON…]: stacks of stopped Pythons, unwound from a copy, compared with
libunwind and gdb.

Every frame's pc and sp must be the same, and there must be as many frames of the evaluator as Python frames (3.8-3.10).
gdb takes a second per Python, so without --gdb only the last Python is compared with it. Prints one line per stack; the
exit status is 1 if any differs, 77 if nothing ran."""
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def frames_of(text):
    return [tuple(line.split()[1:3]) for line in text.splitlines() if line.startswith("frame ")]


def gdb_frames(pid, tid):
    command = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set auto-load off", "-p", str(pid),
               "-ex", "thread find LWP %d" % tid]
    find = "python [t.switch() for t in gdb.selected_inferior().threads() if t.ptid[1] == %d]" % tid
    command[-2:] = ["-ex", find, "-x", os.path.join(HERE, "gdb_frames.py")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=180)
    return frames_of(result.stdout), result.stderr


def check_python(program, python, with_gdb):
    target = subprocess.Popen([python, os.path.join(HERE, "deep.py")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    bad = 0
    version = tuple(map(int, subprocess.run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True,
                                            text=True).stdout.split(".")))
    try:
        line = target.stdout.readline().split()
        if not line or line[0] != "ready":
            print("FAIL %s: the target did not start: %s" % (python, target.stderr.read()[-300:]))
            return 1
        for tid, depth, label in ((int(line[1]), int(line[2]), "main"), (int(line[3]), int(line[4]), "thread")):
            # "ready" can be read before both threads sleep (they may still wait for the GIL): repeat until nothing
            # changes.
            ours = None
            for _ in range(50):
                result = subprocess.run([program, str(tid), "--libunwind"], capture_output=True, text=True, timeout=180)
                before, ours = ours, frames_of(result.stdout)
                if ours == before:
                    break
                time.sleep(0.05)
            tail = result.stdout.strip().splitlines()[-1] if result.stdout else result.stderr
            problems = []
            words = next((line.split() for line in result.stdout.splitlines() if line.startswith("evaluators ")), ["", "0"])
            runs = int(words[1])
            # Before 3.11, every Python frame is an evaluator run of its own; since then a run may contain several.
            if runs != depth if version < (3, 11) else not 0 < runs <= depth:
                problems.append("%d evaluator frames for %d Python frames; parts: %s" % (runs, depth, words[2:]))
            if result.returncode:
                problems.append(tail)
            if "stop complete" not in result.stdout:
                problems.append("walk: " + tail)
            if with_gdb:
                theirs, errors = gdb_frames(target.pid, tid)
                if not theirs:
                    problems.append("gdb gave nothing: " + errors[-200:])
                elif theirs != ours:
                    where = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
                    problems.append("gdb differs at frame %d of %d/%d: %s %s" % (where, len(ours), len(theirs), ours[where:where + 2],
                                                                            theirs[where:where + 2]))
            print("%s %s %s: %d frames%s, %d evaluators in %s part(s) for %d Python frames" %
                  ("FAIL" if problems else "ok", python, label, len(ours), ", as gdb" if with_gdb and not problems else "", runs,
                   words[2] if len(words) > 2 else "?", depth))
            for problem in problems:
                print("     " + problem)
            bad += bool(problems)
    finally:
        target.kill()
        target.wait()
    return bad


def main():
    program, pythons = sys.argv[1], [a for a in sys.argv[2:] if a != "--gdb"]
    if not pythons:
        listed = subprocess.run([os.path.join(HERE, "..", "pythons.sh")], capture_output=True, text=True).stdout
        pythons = [line.split("\t")[1] for line in listed.splitlines()]
    has_gdb = shutil.which("gdb") is not None
    bad = 0
    for python in pythons:
        with_gdb = has_gdb and ("--gdb" in sys.argv or python == pythons[-1])
        bad += check_python(program, python, with_gdb)
    return 1 if bad else 0 if pythons else 77


sys.exit(main())
