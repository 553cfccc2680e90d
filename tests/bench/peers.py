#!/usr/bin/env python3
"""peers: the same questions to auditview and to the tools people would use on its JSON lines; whole processes, wall clock.

usage: peers.py AUDITVIEW FILE [EVENTS]     EVENTS: how many are exported (default 100000; a million takes 4 GB of JSON)

Each tool starts cold from its own file (capture, JSON lines with stacks, JSON lines without, SQLite) and must give the same
number. The best of three runs counts. What is not installed is left out.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

TASKS = [
    # what, filter, ripgrep's pattern on a line, jq's condition, SQLite's condition
    ("a text in an argument", 'args contains "site-packages"', None,
     '[.args[]|tostring]|any(contains("site-packages"))', "args like '%site-packages%'"),
    ("one event with a mode", 'event == "open" and args.mode == "r"', r'"event":"open".*"args":\{[^}]*"mode":"r"',
     '.event=="open" and .args.mode=="r"', "event = 'open' and json_extract(args, '$.mode') = 'r'"),
    ("a function anywhere on the stack", 'stack.func == "function_1_1"', r'"func":"function_1_1"',
     'any(.stack[];.func=="function_1_1")', None),
]


def best(command, parse):
    times, value = [], None
    for _ in range(3):
        start = time.monotonic()
        done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        times.append(time.monotonic() - start)
        value = parse(done.stdout)
    return min(times), value


def number(out):
    return int(out.split()[0]) if out.strip() else 0


def main():
    tool, file = sys.argv[1:3]
    events = int(sys.argv[3]) if len(sys.argv) > 3 else 100000
    with tempfile.TemporaryDirectory() as folder:
        full, slim, part, base = (os.path.join(folder, n) for n in ("full.jsonl", "slim.jsonl", "part.avc", "base.sqlite"))
        subprocess.run([tool, "export", file, "-F", "jsonl", "-Y", "seq < %d" % events, "-o", full], check=True)
        subprocess.run([tool, "import", "-q", full, "-o", part], check=True)
        start = time.monotonic()
        subprocess.run([tool, "export", part, "-F", "sqlite", "-o", base], check=True)
        made = time.monotonic() - start
        with open(full, encoding="utf-8", errors="surrogatepass") as f, open(slim, "w", encoding="utf-8", errors="surrogatepass") as g:
            for line in f:
                g.write(line[:line.index(',"stack":[')] + "}\n")
        print("%d events; capture %.1f MB, JSON lines %.1f MB, without stacks %.1f MB, SQLite %.1f MB (made in %.1f s)" % (
            events, *(os.path.getsize(p) / 1e6 for p in (part, full, slim, base)), made))
        for what, y, rg, jq, sql in TASKS:
            rows = [("auditview", best("'%s' stat '%s' -Y '%s' --json -n 1" % (tool, part, y), lambda o: json.loads(o)["events"]))]
            has_stack = y.startswith("stack")
            lines = full if has_stack else slim
            if rg and shutil.which("rg"):
                rows.append(("ripgrep", best("rg -c '%s' %s" % (rg, lines), number)))
            if shutil.which("jq"):
                rows.append(("jq", best("jq -c 'select(%s)|.seq' %s | wc -l" % (jq, lines), number)))
            if sql and shutil.which("sqlite3"):
                rows.append(("SQLite", best("sqlite3 %s \"select count(*) from trace where %s\"" % (base, sql), number)))
            print(what)
            for name, (seconds, value) in rows:
                print("    %-10s %9.1f ms  %5.1f ×  %d" % (name, seconds * 1e3, seconds / rows[0][1][0], value))
            if len({value for _, (_, value) in rows}) != 1:
                print("    they do not agree")


if __name__ == "__main__":
    main()
