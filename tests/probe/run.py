#!/usr/bin/env python3
"""Run inside.py, with the probe's readers as a library, in every Python tests/pythons.sh finds.

    run.py LIBRARY [VERSION…]        versions: regular expressions, default all
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    library, wanted = sys.argv[1], sys.argv[2:]
    listing = subprocess.run([os.path.join(HERE, "..", "pythons.sh")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    rows = [line.split("\t") for line in listing.stdout.splitlines()]
    rows = [row for row in rows if not wanted or any(re.fullmatch(w, row[0]) for w in wanted)]
    if not rows:
        print("no Python of 3.8 or newer here")
        return 77
    failed = 0
    for version, program in rows:
        try:
            done = subprocess.run([program, "-W", "ignore", os.path.join(HERE, "inside.py"), library], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=180)
            status, output = done.returncode, done.stdout
        except subprocess.TimeoutExpired:
            status, output = "timeout", ""
        if status:
            failed += 1
            print("%-10s FAIL, status %s\n%s" % (version, status, output[-3000:]))
        else:
            print("%-10s ok, %s" % (version, output.strip()))
    return 1 if failed else 0


sys.exit(main())
