"""descriptors: what the numbers in arguments were. A program says what its descriptors are, keeps them open, and raises events
about them until the addresses of its sockets were said, for which a recorder takes its time.
"""
import json
import os
import subprocess

from harness import Fail, expect, kill_group, victim_path

ROUNDS_MAX = 200


def lines_until(program, event):
    """Return the lines of JSON up to the next event of that name."""
    lines = []
    for text in program.stdout:
        lines.append(json.loads(text))
        if lines[-1]["event"] == event:
            return lines
    raise Fail(f"the stream ended before {event}: {program.stderr.read()[-500:]!r}")


def said(lines):
    """[event, argument, text] of all that was said."""
    return [[line["event"], name, text] for line in lines for name, text in line.get("descriptors", {}).items()]


def is_socket(row):
    return row[0].startswith("socket.")


def equal(ctx, python):
    folder = os.path.realpath(ctx.new_folder("descriptors"))
    capture, truth_file = os.path.join(folder, "a.avc"), os.path.join(folder, "truth")
    pipe = '"$0" record -q -o - -- "$@" | tee "$CAPTURE" | "$0" print -F json -'
    program = subprocess.Popen(["sh", "-c", pipe, ctx.auditview, *python.command, victim_path("descriptors"), truth_file],
                               env={**os.environ, "CAPTURE": capture}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True)
    try:
        lines_until(program, "descriptors.ready")
        with open(truth_file, encoding="utf-8") as f:
            truth = json.load(f)
        files = [row for row in truth if not is_socket(row)]
        sockets, seen = [row for row in truth if is_socket(row)], []
        for n in range(ROUNDS_MAX):
            program.stdin.write(b"\n")
            program.stdin.flush()
            rows = said(lines_until(program, "descriptors.round"))
            expect([r for r in rows if not is_socket(r)] == files, lambda: f"round {n}: {rows} instead of {files}")
            wrong = [r for r in rows if is_socket(r) and r not in sockets]
            expect(not wrong, lambda: f"round {n}: {wrong} instead of {sockets}")
            seen += [r for r in rows if is_socket(r)]
            if all(row in seen for row in sockets):
                break
        else:
            expect(False, lambda: f"of {sockets} only {seen}")
        program.stdin.close()
        program.stdout.read()
        expect(program.wait(60) == 0, lambda: f"{program.returncode}: {program.stderr.read()[-500:]}")
    finally:
        kill_group(program)
    found = tool(ctx, "print", capture, "-F", "json", "-Y", 'descriptor ~ "/plain$"')
    plain = [row[0] for row in files if row[2].endswith("/plain")]
    expect([json.loads(line)["event"] for line in found.splitlines()] == plain * (n + 1), found[:500])
    text = tool(ctx, "print", capture, "-Y", "event == os.mkdir and descriptor")
    expect(f"<was {folder}>" in text, text[:500])
    # what was exported says the same when it is imported
    again = os.path.join(folder, "b.avc")
    tool(ctx, "export", capture, "-F", "jsonl", "-o", os.path.join(folder, "a.jsonl"))
    tool(ctx, "import", os.path.join(folder, "a.jsonl"), "-o", again)
    merged = os.path.join(folder, "c.avc")
    tool(ctx, "merge", capture, "-o", merged)
    want = tool(ctx, "print", capture, "-F", "json", "-Y", "descriptor")
    for copy in (again, merged):
        rows = tool(ctx, "print", copy, "-F", "json", "-Y", "descriptor")
        expect(said(map(json.loads, rows.splitlines())) == said(map(json.loads, want.splitlines())), copy)


def tool(ctx, *words):
    return subprocess.run([ctx.auditview, *words], stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout


def cells(ctx):
    for python in ctx.some_pythons(8, 12, 14):
        yield "what descriptors were", python, lambda p=python: equal(ctx, p)
