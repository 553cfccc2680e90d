"""text: a program with a hostile folder, file, command line, environment, name and threads: what is shown of it, live
and from its capture, contains no control character and no override of direction, and is UTF-8."""
import json
import os
import re
import sqlite3
import subprocess

import harness
from harness import Recorder, expect, wait_for

BAD = b"\x1b[31m\xff\xe2\x80\xaex\x9b\n\x07y"
FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
PROGRAM = b"""
import os, sys, threading, time
def f():
    sys.audit("bad.\\x1b[32m\\u202e\\n", os.getcwd(), sys.argv)
    os.listdir(b".")
thread = threading.Thread(target=f, name="t\\x1b[33m\\u2066")
thread.start()
thread.join()
print("ready", flush=True)
stop = sys.argv[1]
while not os.path.exists(stop):
    f()
    time.sleep(0.01)
"""


def clean(what, data):
    text = data.decode("utf-8", "surrogateescape")
    bad = FORBIDDEN.search(text)
    expect(not bad, lambda: f"{what} holds {bad.group()!r}: {text[max(0, bad.start() - 60):bad.end() + 30]!r}")
    return text


def run(ctx, *args):
    done = subprocess.run([ctx.auditview, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.GUARD)
    clean(f"{args[0]}: stderr", done.stderr)
    return done.stdout


def hostile_program(ctx, python):
    folder = ctx.new_folder("text-" + python.name)
    cwd = os.path.join(folder.encode(), BAD)
    os.mkdir(cwd)
    with open(os.path.join(cwd, BAD + b".py"), "wb") as f:
        f.write(PROGRAM)
    stop = os.path.join(folder, "stop")
    command = ["bash", "-c", 'exec -a "$0" "$@"', b"name" + BAD, *python.command, os.path.join(cwd, BAD + b".py"), stop, BAD, b"--\xed\xa0\x80"]
    with subprocess.Popen(command, cwd=cwd, env={**os.environb, b"BAD": BAD}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            expect(process.stdout.readline() == b"ready\n", "the program is not ready")
            clean("doctor", run(ctx, "doctor", str(process.pid)))
            with Recorder(ctx, process.pid) as recorder:
                recorder.wait_attached()
                wait_for(lambda: os.path.getsize(recorder.path) > 2000, 20, "events in the file")
                said = recorder.stop()
                clean("the goodbye", said.encode("utf-8", "surrogateescape"))
                path = recorder.path
            live = subprocess.run([ctx.auditview, "print", "-p", str(process.pid), "--limit", "3"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=harness.GUARD)
            clean("print -p", live.stdout + live.stderr)
        finally:
            open(stop, "w").close()
            process.stdout.read()
            process.wait(harness.GUARD)
    for name in ("text", "jsonl", "csv", "tsv", "chrome", "folded", "speedscope"):
        text = clean(name, run(ctx, "export", path, "-F", name))
        expect("bad." in text, f"{name} does not have the event")
    first = json.loads(run(ctx, "export", path, "-F", "jsonl").split(b"\n")[0])
    expect(os.fsencode(first["process"]["cwd"]) == cwd, f"the folder is {first['process']['cwd']!r}")
    expect(os.fsencode(first["process"]["argv"][-2]) == BAD, f"the command line is {first['process']['argv']!r}")
    database = os.path.join(folder, "out.sqlite")
    run(ctx, "export", path, "-F", "sqlite", "-o", database)
    with sqlite3.connect(database) as db:
        expect(cwd in [row[0] for row in db.execute("select cwd from processes")], "the folder is not in the database")
        db.execute("select * from trace").fetchall()
    clean("stat", run(ctx, "stat", "--by", "process", path))


def empty_name(ctx, python):
    """An event whose name is the empty text is an event like any other, and no malformed record."""
    run = harness.Launch(ctx, python, ["-S", "-c", "import sys\nfor i in range(3): sys.audit('', i)"])
    run.expect_status(0)
    expect([e["args"]["0"] for e in run.capture.named("")] == [0, 1, 2] and " 0 lost" in run.stderr, lambda: run.stderr[-300:])


def cells(ctx):
    for python in ctx.some_pythons(12):
        yield "an empty name", python, lambda p=python: empty_name(ctx, p)
        yield "hostile names of a program", python, lambda p=python: hostile_program(ctx, p)
