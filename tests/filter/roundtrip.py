#!/usr/bin/env python3
"""roundtrip: capture → JSON lines → capture → JSON lines gives the same bytes, for a capture of every Python found.

usage: roundtrip.py AUDITVIEW PYTHONS.SH VALUES.PY     Exit status 77: no Python can be recorded.
"""
import json
import os
import subprocess
import sys
import tempfile


def main():
    tool, pythons, victim = sys.argv[1:4]
    listed = subprocess.run([pythons], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode().splitlines()
    failed = done = 0
    with tempfile.TemporaryDirectory() as folder:
        for line in listed:
            version, program = line.split("\t", 1)
            a, b, text, again = (os.path.join(folder, name) for name in ("a.avc", "b.avc", "a.jsonl", "b.jsonl"))
            recorded = subprocess.run([tool, "record", "-q", "-o", a, "--", program, victim], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
            if not os.path.exists(a) or not os.path.getsize(a):
                print("%s: not recorded: %s" % (version, recorded.stderr.decode().strip()))
                continue
            for args in (("export", a, "-F", "jsonl", "-o", text), ("import", "-q", text, "-o", b), ("export", b, "-F", "jsonl", "-o", again)):
                run = subprocess.run([tool, *args], stderr=subprocess.PIPE)
                if run.returncode:
                    sys.exit("%s: %s: %s" % (version, " ".join(args), run.stderr.decode()))
            with open(text, "rb") as f, open(again, "rb") as g:
                first, second = f.read(), g.read()
            events = [json.loads(x) for x in first.splitlines()]
            done += 1
            if first != second:
                failed += 1
                for x, y in zip(first.splitlines(), second.splitlines()):
                    if x != y:
                        print("%s: differs\n    %s\n    %s" % (version, x.decode(), y.decode()))
                        break
            print("%s: %d events, %s" % (version, len(events), "same" if first == second else "not the same"))
            for name in ("a.avc", "b.avc", "a.jsonl", "b.jsonl"):
                os.unlink(os.path.join(folder, name))
    return 77 if not done else failed != 0


if __name__ == "__main__":
    sys.exit(main())
