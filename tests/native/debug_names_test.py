#!/usr/bin/env python3
"""debug_names_test.py UNWIND_CHECK [--fetch]: Debian's stripped python3.11 gets its names from the debug files of its
-dbg package.

With --fetch both packages are first downloaded by apt (38 MB) and unpacked into the test cache; nothing is installed.
If they are not in the cache, the test is skipped. Without the debug files about half of the interpreter's frames have
no name; with them every frame must have one, evaluator parts included, and a source line."""
import glob
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("AUDITVIEW_TEST_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "auditview-tests")
ROOT = os.path.join(CACHE, "debian-dbg")


def fetch():
    archives = os.path.join(ROOT, "archives")
    os.makedirs(archives, exist_ok=True)
    if subprocess.run(["apt-get", "download", "-qq", "python3.11-dbg", "python3.11-minimal"], cwd=archives).returncode:
        return False
    for deb in glob.glob(archives + "/*.deb"):
        subprocess.run(["dpkg-deb", "-x", deb, ROOT], check=True)
        os.unlink(deb)
    return True


def main():
    program = sys.argv[1]
    python = ROOT + "/usr/bin/python3.11"
    if "--fetch" in sys.argv and not os.path.exists(python) and not fetch():
        print("skipped: apt cannot download python3.11-dbg and python3.11-minimal")
        return 77
    if not os.path.exists(python):
        print("skipped: no debug packages in %s (run with --fetch)" % ROOT)
        return 77
    target = subprocess.Popen([python, HERE + "/deep.py"], stdout=subprocess.PIPE, text=True)
    try:
        tid = target.stdout.readline().split()[1]
        unnamed = {}
        for folder in ("/nonexistent", ROOT + "/usr/lib/debug"):
            out = subprocess.run([program, tid, "--names", "--debug", folder], capture_output=True, text=True).stdout
            frames = [line.split() for line in out.splitlines() if line.startswith("frame ")]
            own = [f for f in frames if f[4] == "python3.11"]
            unnamed[folder] = sum("+0x" in f[3] for f in own)
            without_line = [f for f in own if f[5].endswith(":0")]
            parts = next(line for line in out.splitlines() if line.startswith("evaluators")).split()[3:]
            print("debug files in %s: %d of %d frames of the interpreter unnamed, %d without line; evaluator: %s" %
                  (folder.replace(CACHE, "CACHE"), unnamed[folder], len(own), len(without_line), " ".join(parts)))
        before, after = unnamed.values()
        # The start-up code of crt1.o has no debug information, hence no line.
        if before == 0 or after != 0 or any(f[3] != "_start" for f in without_line):
            print("FAIL: expected unnamed frames without the debug files and none with them; without line: %s" % without_line)
            return 1
        if parts != ["_PyEval_EvalFrameDefault", "_PyEval_EvalFrameDefault.cold"]:
            print("FAIL: the evaluator's parts are not those the debug file names")
            return 1
    finally:
        target.kill()
        target.wait()
    return 0


sys.exit(main())
