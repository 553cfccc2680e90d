#!/usr/bin/env python3
"""attach_test.py AUDITVIEW DUMP_STACKS CC [--all] [--greenlet] [PYTHON…]: native stacks of running programs.

Attach to a process with threads and short-lived forked children: every stack must be complete and go through the C
extension's functions. Without --all, only every fourth Python is tested. With --greenlet (on demand; downloads Debian's
python3-greenlet into the test cache), the system's Python runs greenlets, and each stack must end at its own
greenlet."""
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
VICTIMS = os.path.join(HERE, "..", "victims")
CACHE = os.environ.get("AUDITVIEW_TEST_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "auditview-tests")


def stacks_of(dump, capture):
    text = subprocess.run([dump, capture, "native.test"], capture_output=True, text=True).stdout
    return [[tuple(line.split()[:2]) for line in part.splitlines()[1:]] for part in ("\n" + text).split("\nevent ")[1:]], text


def check_attach(auditview, dump, python, folder):
    capture = os.path.join(folder, "attach.avc")
    target = subprocess.Popen([python, os.path.join(VICTIMS, "native_attach.py"), folder, "60"], stdout=subprocess.PIPE, text=True)
    try:
        target.stdout.readline()
        run = subprocess.run([auditview, "record", "-f", "--stack=both", "--limit", "200", "--duration", "30s", "-o", capture, "-p", str(target.pid)],
                             capture_output=True, text=True, timeout=180)
    finally:
        target.kill()
        target.wait()
    stacks, text = stacks_of(dump, capture)
    stacks = [[f for f in s if not f[0].startswith("total")] for s in stacks]
    total = text.splitlines()[-1].split() if text else []
    children = re.search(r"([\d ]+) child", run.stderr)
    kinds = {"call": 0, "sort": 0, "neither": 0}
    wrong = []
    for frames in stacks:
        names = [name for kind, name in frames if kind == "N"]
        whole = frames[-1][1] in ("_start", "clone3", "__clone3", "clone", "__clone") or "+0x" in frames[-1][1]
        kind = ("call" if whole and "call_inner" in names and "call_outer" in names else
                "sort" if whole and "compare" in names and "sort_outer" in names else "neither")
        kinds[kind] += 1
        wrong += ["\n".join(" ".join(f) for f in frames)] if kind == "neither" or any(k not in "PN" for k, _ in frames) else []
    bad = run.returncode or total[2:] != ["0", "0"] or kinds["neither"] or kinds["call"] < 20 or not kinds["sort"] or not children
    print("%s %s attach: %s, %s children, cut and unmerged %s%s" % ("FAIL" if bad else "ok", python, kinds,
          children.group(1).strip() if children else "no", total[2:], ": " + run.stderr + "\n\n".join(wrong) if bad else ""))
    return bool(bad)


def check_greenlets(auditview, dump, folder):
    root = os.path.join(CACHE, "greenlet")
    if not os.path.isdir(root):
        os.makedirs(root)
        subprocess.run(["apt-get", "download", "-qq", "python3-greenlet"], cwd=root, check=True)
        for deb in glob.glob(root + "/*.deb"):
            subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
    capture = os.path.join(folder, "greenlet.avc")
    subprocess.run([auditview, "record", "--stack=both", "-o", capture, "--", "/usr/bin/python3", os.path.join(VICTIMS, "native_greenlets.py"),
                    root + "/usr/lib/python3/dist-packages"], check=True, timeout=180)
    stacks, text = stacks_of(dump, capture)
    wrong = 0
    for frames in stacks[:-1]:
        python = [name for kind, name in frames if kind == "P"]
        wrong += python != ["leaf", "run.<locals>.<lambda>", "run"] or frames[-1] != ("M", "what") or frames[-2][0] != "N"
    last = [f for f in stacks[-1] if not f[0].startswith("total")]
    wrong += [name for kind, name in last if kind == "P"] != ["main", "<module>"] or last[-1][1] != "_start"
    print("%s greenlets: %d of %d stacks wrong" % ("FAIL" if wrong or len(stacks) != 41 else "ok", wrong, len(stacks)))
    return bool(wrong) or len(stacks) != 41


def main():
    auditview, dump, cc, pythons = sys.argv[1], sys.argv[2], sys.argv[3], [a for a in sys.argv[4:] if not a.startswith("--")]
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        if "--greenlet" in sys.argv:
            return int(check_greenlets(auditview, dump, folder))
        if not pythons:
            listed = subprocess.run([os.path.join(HERE, "..", "pythons.sh")], capture_output=True, text=True).stdout
            pythons = [line.split("\t")[1] for line in listed.splitlines() if "t\t" not in line]
            pythons = pythons if "--all" in sys.argv else pythons[::4]
        subprocess.run([cc, "-g", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", os.path.join(VICTIMS, "native_ext.c"), "-o",
                        os.path.join(folder, "native_ext.so")], check=True)
        for python in pythons:
            bad += check_attach(auditview, dump, python, folder)
    return 1 if bad else 0 if pythons else 77


sys.exit(main())
