#!/usr/bin/env python3
"""run: every expression of expressions.tsv on the capture of capture.py, by the program and by evaluate.py.

usage: run.py AUDITVIEW [--write]     --write: fill in the counts (only of what both agree on)

A row is: count TAB expression, or  error AT TEXT TAB expression  where TEXT must be in the message.
"""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import capture  # noqa: E402
import evaluate  # noqa: E402


def run(program, *args):
    return subprocess.run([program, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": "C.UTF-8"})


def must(done):
    if done.returncode:
        sys.exit("failed: %s\n%s" % (" ".join(done.args), done.stderr.decode()))
    return done.stdout


def check_error(done, want):
    at, text = want.split(" ", 1)
    lines = done.stderr.decode().split("\n")
    caret = next((line.index("^") for line in lines if line.lstrip().startswith("^")), -1)
    problems = []
    if done.returncode != 2:
        problems.append("exit status %d, not 2" % done.returncode)
    if caret != int(at):
        problems.append("caret at %d, not %s" % (caret, at))
    if text not in done.stderr.decode():
        problems.append("no '%s' in: %s" % (text, " / ".join(lines)))
    return problems


def main():
    program, write = sys.argv[1], "--write" in sys.argv
    table = os.path.join(HERE, "expressions.tsv")
    with open(table, encoding="utf-8") as f:
        rows = [line.rstrip("\n").split("\t", 1) for line in f]
    failed = n = 0
    with tempfile.TemporaryDirectory() as folder:
        source, file, back = (os.path.join(folder, name) for name in ("in.jsonl", "in.avc", "out.jsonl"))
        with open(source, "w", encoding="utf-8") as f:
            f.write("".join(line + "\n" for line in capture.lines()))
        must(run(program, "import", "-q", source, "-o", file))
        out = must(run(program, "export", file, "-F", "jsonl"))
        # Exporting, importing and exporting again must give the same bytes.
        with open(back, "wb") as f:
            f.write(out)
        must(run(program, "import", "-q", back, "-o", file + "2"))
        if must(run(program, "export", file + "2", "-F", "jsonl")) != out:
            sys.exit("capture → JSON lines → capture → JSON lines is not the same")
        events = evaluate.prepare(out.decode("utf-8").splitlines())
        names = {e["event"] for e in events} | {"socket.bind", "os.open"}
        categories = {e["category"] for e in events}
        for i, row in enumerate(rows):
            if len(row) != 2 or row[0].startswith("#"):
                continue
            n += 1
            want, expression = row
            done = run(program, "export", file, "-F", "jsonl", "-Y", expression)
            problems = []
            if want.startswith("error "):
                problems = check_error(done, want[6:])
            else:
                have = [int(s) for s in re.findall(rb'^\{"v":1,"seq":(\d+)', done.stdout, re.M)]
                if done.returncode:
                    problems.append("exit status %d: %s" % (done.returncode, done.stderr.decode()))
                else:
                    f = evaluate.Filter(expression, names, categories)
                    expected = [e["seq"] for e in events if f.tree(e)]
                    if have != expected:
                        extra, missing = set(have) - set(expected), set(expected) - set(have)
                        problems.append("the program says %d, the evaluator %d; too many: %s, missing: %s" %
                                        (len(have), len(expected), sorted(extra)[:5], sorted(missing)[:5]))
                    elif write:
                        rows[i][0] = str(len(have))
                    elif str(len(have)) != want:
                        problems.append("%d events, expected %s" % (len(have), want))
            for p in problems:
                print("%s\n    %s" % (expression, p))
            failed += bool(problems)
    if write:
        with open(table, "w", encoding="utf-8") as f:
            f.write("".join("\t".join(row) + "\n" for row in rows))
    print("%d expressions, %d failed" % (n, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
