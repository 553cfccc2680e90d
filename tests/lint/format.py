#!/usr/bin/env python3
"""format: every C file has the layout that .clang-format describes. Prints the first lines that differ.

Other versions of clang-format lay some lines out in another way, so only the version named below is asked; where it is not installed
the test is skipped (exit status 77) with that reason. To mend a file: clang-format -i FILE.
"""
import concurrent.futures
import difflib
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tree import ROOT, tracked  # noqa: E402

VERSION = "14"
SHOWN = 12


def tool():
    """Path of the right clang-format, or None."""
    for name in (f"clang-format-{VERSION}", "clang-format"):
        path = shutil.which(name)
        if path:
            text = subprocess.run([path, "--version"], stdout=subprocess.PIPE, text=True).stdout
            match = re.search(r"version (\d+)", text)
            if match and match.group(1) == VERSION:
                return path
    return None


def suspects(command, files):
    """The files that clang-format would change. It is started once for each core: for one file alone, the start takes ten
    times as long as the work."""
    def check(batch):
        done = subprocess.run([command, "--dry-run", "-Werror", "--ferror-limit=1", *batch], cwd=ROOT, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, encoding="utf-8")
        found = set(re.findall(r"^(\S+?):\d+:\d+: error: code should be clang-formatted", done.stderr, re.M))
        assert bool(found) == bool(done.returncode), done.stderr[-2000:]
        return found

    n = os.cpu_count() or 1
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return sorted(set().union(*pool.map(check, [files[i::n] for i in range(n)])))


def difference(command, path):
    """The first lines of a unified diff between the file and its formatted text; empty if there is none."""
    full = os.path.join(ROOT, path)
    done = subprocess.run([command, full], stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True)
    with open(full, encoding="utf-8") as file:
        here = file.read()
    if here == done.stdout:
        return ""
    lines = difflib.unified_diff(here.splitlines(), done.stdout.splitlines(), path, path + " (formatted)", lineterm="", n=1)
    return "\n".join(list(lines)[:SHOWN])


def main():
    command = tool()
    if not command:
        print(f"clang-format {VERSION} is not installed: the layout was not looked at")
        return 77
    files = [f for f in tracked() if f.endswith((".c", ".h"))]
    wrong = suspects(command, files)
    offences = [difference(command, f) or f"{f}: clang-format would change it" for f in wrong]
    print("\n".join(offences))
    print(f"{len(offences)} of {len(files)} files differ from .clang-format")
    return 1 if offences or not files else 0


if __name__ == "__main__":
    sys.exit(main())
