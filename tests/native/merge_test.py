#!/usr/bin/env python3
"""merge_test.py AUDITVIEW DUMP_STACKS CC [--all] [PYTHON…]: merged stacks, end to end, compared with what
victims/native_stacks.py prints.

For each Python: record --stack=both, then every native.test event must have exactly the stack that the victim printed;
no event of the whole run may be cut or unmerged. Then --stack=native: the same C frames, no Python frame, and only
native ones. From 3.12 on this is repeated with perf trampolines: pieces of code without unwind information that are
gone when the last events are read. 3.14 and later are also tested with the JIT, if the build has one. Without --all,
most Pythons are tested with --stack=both only."""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
VICTIMS = os.path.join(HERE, "..", "victims")
C_CALL = ["call_inner", "call_middle", "call_outer"]
C_NAMES = {"call_inner", "call_middle", "call_outer", "compare", "sort_outer", "clear_inner", "clear_outer"}


def build(cc, folder, free_threaded):
    target = os.path.join(folder, "t" if free_threaded else "d")
    if not os.path.isdir(target):
        os.mkdir(target)
        flags = ["-DFREE_THREADED"] if free_threaded else []
        subprocess.run([cc, "-g", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", *flags, os.path.join(VICTIMS, "native_ext.c"), "-o",
                        os.path.join(target, "native_ext.so")], check=True)
    return target


def stacks_of(text):
    """Return [(flags, [(kind, name, rest)…])…], total line."""
    events, total = [], ""
    for line in text.splitlines():
        words = line.split(" ")
        if words[0] == "event":
            events.append((int(words[2]), []))
        elif words[0] == "total":
            total = words[1:]
        else:
            events[-1][1].append((words[0], words[1], line))
    return events, total


def known(frames):
    """Return the frames of the victim and its extension, by the last part of their name."""
    return [name.split(".")[-1] for kind, name, rest in frames
            if (kind == "P" and "native_stacks.py" in rest or kind == "P" and "<string>" in rest) or (kind == "N" and name in C_NAMES
                                                                                              and "native_ext.so" in rest)]


def check(auditview, dump, python, folder, mode, variables):
    capture = os.path.join(folder, "x.avc")
    run = subprocess.run([auditview, "record", "--stack=" + mode, "-o", capture, "--", python, os.path.join(VICTIMS, "native_stacks.py"),
                          folder], capture_output=True, text=True, timeout=180, env={**os.environ, **variables})
    for line in run.stdout.splitlines():
        if line.startswith("pid ") and variables:
            for name in ("/tmp/perf-%s.map", "/tmp/jit-%s.dump"):
                if os.path.exists(name % line.split()[1]):
                    os.unlink(name % line.split()[1])
    expected = [line.split()[2:] for line in run.stdout.splitlines() if line.startswith("stack ")]
    events, total = stacks_of(subprocess.run([dump, capture, "native.test"], capture_output=True, text=True).stdout)
    problems = []
    if run.returncode or len(expected) != 10 or len(events) != len(expected):
        problems.append("exit status %d, %d stacks printed, %d events: %s" % (run.returncode, len(expected), len(events), run.stderr[-300:]))
    n_frames = 0
    for i, ((flags, frames), names) in enumerate(zip(events, expected)):
        n_frames += len(frames)
        if mode == "native":
            names = [n for n in names if n in C_NAMES]
            if any(kind == "P" for kind, _, _ in frames):
                problems.append("event %d has Python frames" % (i + 1))
        if known(frames) != names or flags:
            problems.append("event %d, flags %d: %s\n          expected %s\n%s" %
                            (i + 1, flags, " ".join(known(frames)), " ".join(names), "\n".join("          " + f[2] for f in frames[:40])))
        if not frames or frames[-1][1] not in ("_start", "clone3", "__clone3", "clone", "__clone") and "+0x" not in frames[-1][1]:
            problems.append("event %d does not end at the outermost frame: %s" % (i + 1, frames[-1:]))
    if not total or total[1:] != ["0", "0"]:
        problems.append("cut or unmerged events: %s" % (total,))
    print("%s %s %s: %d stacks as expected, %d frames; of %s events %s cut, %s unmerged" %
          ("FAIL" if problems else "ok", python, " ".join([mode, *variables]), len(expected) - len(problems), n_frames, *(total or "???")))
    for problem in problems:
        print("     " + problem)
    return bool(problems)


def check_awkward(auditview, dump, python, folder, case, prefix):
    """A deleted and replaced library: the stack is complete, and has names if the file can still be opened. A foreign
    stack: Python frames and a mark."""
    capture = os.path.join(folder, case + "-nobody" * bool(prefix) + ".avc")
    program = shutil.copy(os.path.join(VICTIMS, "native_awkward.py"), folder)  # where another user can read it
    os.chmod(program, 0o644)
    run = subprocess.run([*prefix, auditview, "record", "--stack=both", "-o", capture, "--", python, program, folder, case], capture_output=True, text=True, timeout=180)
    events, total = stacks_of(subprocess.run([dump, capture, "native.test"], capture_output=True, text=True).stdout)
    frames = events[0][1] if events else []
    names = [f[1] for f in frames if f[0] == "P" or "native_ext" in f[2]]
    if case == "elsewhere":
        bad = names != ["event", "outer", "main", "<module>"] or not any(f[2].startswith("M this stack could not") for f in frames)
    elif prefix: # the file cannot be reached any more
        bad = len(names) != 7 or not all(n.startswith("native_ext_copy") and "+0x" in n for n in names[1:4])
    else:
        bad = names != ["event", *C_CALL, "outer", "main", "<module>"]
    bad = bad or run.returncode or (total[1:] != ["0", "0"] and case == "deleted")
    print("%s %s %s%s: %s" % ("FAIL" if bad else "ok", python, case, " as nobody" if prefix else "", " ".join(names) + run.stderr * bool(bad)))
    return bool(bad)


def check_jit(auditview, dump, python, folder):
    """Every stack is complete and has the two Python frames in their place, with or without generated code below
    them."""
    capture = os.path.join(folder, "jit.avc")
    run = subprocess.run([auditview, "record", "--stack=both", "-o", capture, "--", python, os.path.join(VICTIMS, "native_jit.py")],
                         capture_output=True, text=True, timeout=180, env={**os.environ, "PYTHON_JIT": "1"})
    if "jit True" not in run.stdout:
        print("skipped %s: no JIT in this build" % python)
        return False
    events, total = stacks_of(subprocess.run([dump, capture, "native.test"], capture_output=True, text=True).stdout)
    n_generated = sum(any(f[1].startswith("<generated") for f in frames) for _, frames in events)
    n_wrong = sum(flags != 0 or [f[1] for f in frames if f[0] == "P"] != ["hot", "main", "<module>"] or frames[-1][1] != "_start" or
                  [f[0] for f in frames].index("P") not in range(2, 12) for flags, frames in events)
    bad = len(events) != 12000 or n_wrong or not n_generated
    print("%s %s JIT: %d of %d stacks wrong, %d with generated code" % ("FAIL" if bad else "ok", python, n_wrong, len(events), n_generated))
    return bool(bad)


def main():
    auditview, dump, cc, pythons = sys.argv[1], sys.argv[2], sys.argv[3], [a for a in sys.argv[4:] if a != "--all"]
    if not pythons:
        listed = subprocess.run([os.path.join(HERE, "..", "pythons.sh")], capture_output=True, text=True).stdout
        pythons = [line.split("\t")[1] for line in listed.splitlines()]
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for python in pythons:
            about = subprocess.run([python, "-c", "import sys; print(sys.version_info[1], sys.abiflags)"], capture_output=True, text=True)
            minor, flags = (about.stdout + " ").split(" ")[:2]
            target = build(cc, folder, "t" in flags)
            bad += check(auditview, dump, python, target, "both", {})
            if "--all" not in sys.argv and python not in pythons[0::7] + pythons[-2:]:
                continue
            bad += check(auditview, dump, python, target, "native", {})
            bad += check_awkward(auditview, dump, python, target, "deleted", [])
            if int(minor) < 14: # from 3.14 on, a stack that the interpreter does not know is an overflow
                bad += check_awkward(auditview, dump, python, target, "elsewhere", [])
            if os.getuid() == 0 and shutil.which("setpriv") and python.startswith("/usr/"):
                os.chmod(folder, 0o777)
                os.chmod(target, 0o777)
                mine = shutil.copy(auditview, folder)
                bad += check_awkward(mine, dump, python, target, "deleted", ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
            if int(minor) >= 12 and "t" not in flags:
                bad += check(auditview, dump, python, target, "both", {"PYTHONPERFSUPPORT": "1"})
            if int(minor) >= 14:
                bad += check_jit(auditview, dump, python, target)
    return 1 if bad else 0 if pythons else 77


sys.exit(main())
