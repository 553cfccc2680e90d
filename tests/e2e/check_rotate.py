"""rotate: a capture in several files: -C, -G, -W."""
import glob
import json
import os
import re
import subprocess

import refhook
from harness import GUARD, Capture, Skip, expect, kill, wait_for

# arguments: events of each of the six that raise them, and how long they take at least
STORM = """
import os, sys, threading, time

def raising(number, n, end):
    def deep(k):
        if k:
            return deep(k - 1)
        sys.audit("victim.deep", i, number)
    for i in range(n):
        sys.audit("victim.storm", i, f"text {i * 7919 % 99991} of {number}", [i, {"key": i % 100}])
        if i % 50 == 0:
            deep(i // 50 % 40)
        if i % 200 == 0:
            os.stat("/"), open(os.devnull).close(), exec(f"value = {i}")
            time.sleep(max(0.001, (end - time.monotonic()) / max(1, (n - i) // 200)))

n, end = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
threads = [threading.Thread(target=raising, args=(k, n, end), name=f"thread {k}") for k in range(3)]
for thread in threads:
    thread.start()
children = []
for k in range(2):
    children.append(os.fork())
    if children[-1] == 0:
        raising(10 + k, n, end)
        os._exit(0)
raising(99, n, end)
for thread in threads:
    thread.join()
sys.audit("victim.joined")
for child in children:
    os.waitpid(child, 0)
sys.audit("victim.last")
"""


def storm(ctx, label):
    folder = ctx.new_folder(label)
    path = os.path.join(folder, "victim.py")
    with open(path, "w", encoding="utf-8") as f:
        f.write(STORM)
    return folder, path


def rotated(ctx, python, *options, n=3000, seconds=1.5, before=(), env=None, folder=None, status=0):
    """Record a storm into rotated files. Returns the files in the order of their names, and the messages."""
    _, script = storm(ctx, "storm")
    folder = folder or ctx.new_folder("rotated")
    done = subprocess.run([ctx.auditview, "record", "-o", os.path.join(folder, "run.avc"), *options, "--", *before, *python.command, "-S",
                           script, str(n), str(seconds)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300, env=env)
    expect(done.returncode == status, lambda: f"{options}: {done.returncode} {done.stderr[-300:]}")
    return files_in(folder), done.stderr


def files_in(folder):
    return sorted(glob.glob(os.path.join(folder, "run*.avc")))


def events_of(ctx, files):
    for path in files:
        yield from Capture(ctx, path).each()


def said(text):
    found = re.search(r"([\d ]+) events?, ([\d ]+) lost", text)
    expect(found, lambda: f"no goodbye line: {text!r}")
    return [int(n.replace(" ", "")) for n in found.groups()]


def count(ctx, path):
    done = subprocess.run([ctx.auditview, "stat", "--json", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=GUARD)
    expect(done.returncode == 0, lambda: f"{path}: {done.stderr}")
    return json.loads(done.stdout)["events"], done.stderr


def equals_reference(ctx, python, *options):
    """All files together hold each event that the reference hook saw, thread by thread in the same order."""
    reference = ctx.new_folder("reference")
    files, text = rotated(ctx, python, "-s", "64k", *options, env={**os.environ, "REFHOOK_DIR": reference},
                          before=["env", f"LD_PRELOAD={ctx.refhook}"], n=60000 if ctx.full else 3000, seconds=4 if ctx.full else 1.5)
    expect(len(files) > 2, lambda: f"{options}: {files}")
    expect(said(text)[1] == 0 and f"({len(files)} files)" in text, lambda: text[-300:])
    differences = refhook.differences(refhook.read(reference), refhook.rows_of(events_of(ctx, files)))
    expect(not differences, lambda: f"{options}, {len(files)} files: " + "; ".join(differences[:5]))
    total = 0
    for path in files:
        n, damage = count(ctx, path)
        # The last one is empty if the one before was full, or its time was over, when the last event had come.
        expect((n or path == files[-1]) and not damage, lambda: f"{path}: {n} events, {damage}")
        total += n
    expect(total == said(text)[0], lambda: f"{total} events: {text[-300:]}")
    for event in Capture(ctx, files[-1]).each():
        expect(event["thread"] and event["python"], lambda: f"the last file does not know its threads: {event}")


def newest(ctx, python):
    """-W 3 keeps the three newest files, which have no gap between them."""
    files, text = rotated(ctx, python, "-C", "10k", "-W", "3")
    expect(len(files) == 3 and "(3 files)" in text, lambda: f"{files} {text[-300:]}")
    numbers = [int(path[-10:-4]) for path in files]
    expect(numbers[0] > 1 and numbers == list(range(numbers[0], numbers[0] + 3)), lambda: f"{files}")
    events, at = list(events_of(ctx, files)), {}
    expect("victim.last" in [e["event"] for e in events[-9:]], lambda: f"the last is {events[-1]}")
    for e in events:
        if e["event"] == "victim.storm":
            i = e["args"]["0"]
            expect(at.get(e["tid"], i - 1) == i - 1, lambda: f"{at.get(e['tid'])} is followed by {i}")
            at[e["tid"]] = i


def exact(ctx, python):
    """--limit and --until are exact across files."""
    files, text = rotated(ctx, python, "-C", "10k", "--limit", "11111")
    counts = [count(ctx, path)[0] for path in files]
    expect(len(files) > 2 and sum(counts) == 11111 == said(text)[0], lambda: f"{counts} {text[-300:]}")
    files, text = rotated(ctx, python, "-C", "10k", "--until", 'event == "victim.joined"')
    events = list(events_of(ctx, files))
    expect(len(files) > 2 and [e["event"] for e in events].index("victim.joined") == len(events) - 1,
           lambda: f"{len(files)} files, {len(events)} events, the last is {events[-1]}")
    expect(len(events) == said(text)[0], lambda: f"{len(events)} {text[-300:]}")


def refused(ctx, python):
    folder, script = storm(ctx, "refused")
    for options in (["-o", "-", "-C", "1"], ["-o", "/dev/null", "-G", "1"], ["-o", "x.avc", "-W", "3"], ["-o", "x.avc", "-C", "0"]):
        done = subprocess.run([ctx.auditview, "record", *options, "--", *python.command, script, "1", "0"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=GUARD, cwd=folder)
        expect(done.returncode == 2 and done.stderr and not done.stdout, lambda: f"{options}: {done.returncode} {done.stderr!r}")


def killed(ctx, python):
    """Killed at any moment, also within a turn: each file can be read, and the target goes on."""
    for i in range(40 if ctx.full else 4):
        folder = ctx.new_folder("killed")
        _, script = storm(ctx, "storm")
        with open(os.path.join(folder, "stderr"), "wb") as stderr:
            target = subprocess.Popen([*python.command, "-S", script, "3000", "0.8"], stdin=subprocess.DEVNULL)
            recorder = subprocess.Popen([ctx.auditview, "record", "-o", os.path.join(folder, "run.avc"), "-C", "10k", "-p", str(target.pid)],
                                        stdin=subprocess.DEVNULL, stderr=stderr)
        try:
            wait_for(lambda: len(files_in(folder)) > 1 + i % 5 or recorder.poll() is not None, 20, "files")
            recorder.kill()
            recorder.wait()
            expect(target.wait(GUARD) == 0, lambda: f"the target ended with {target.returncode}")
            files = files_in(folder)
            if os.path.getsize(files[-1]) == 0: # it had been created, and nothing more
                files.pop()
            total = sum(count(ctx, path)[0] for path in files)
            expect(total > 0, "no event was kept")
        finally:
            kill(recorder)
            kill(target)


def disk_full(ctx, python):
    """A full disk: what is there stays, the target goes on, and the messages say what the files hold."""
    if os.getuid() != 0:
        raise Skip("needs root, to mount a small disk")
    folder, script = storm(ctx, "full")
    disk = os.path.join(folder, "disk")
    os.mkdir(disk)
    record = " ".join([ctx.auditview, "record", "-C", "20k", "-o", f"{disk}/run.avc", "--", *python.command, "-S", script, "3000", "1"])
    done = subprocess.run(["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size=64k none {disk} && {{ {record}; echo $? > {folder}/status; "
                           f"cp {disk}/* {folder}; }}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=GUARD)
    expect(os.path.exists(f"{folder}/status"), lambda: f"no disk could be made: {done.stderr}")
    expect(open(f"{folder}/status", encoding="utf-8").read().strip() == "1", lambda: done.stderr[-300:])
    total = sum(count(ctx, path)[0] for path in files_in(folder))
    found = re.search(r"([\d ]+) events, lost: unknown .*\((\d+) files\)", done.stderr)
    expect(found and int(found.group(1).replace(" ", "")) == total and int(found.group(2)) == len(files_in(folder)),
           lambda: f"{total} in {len(files_in(folder))} files: {done.stderr[-400:]}")
    expect("No space left" in done.stderr, lambda: done.stderr[-400:])


def cells(ctx):
    first = ctx.some_pythons(11)[0]
    for python in ctx.some_pythons(11, 13):
        for options in (("-C", "1"), ("-G", "1"), ("-C", "1", "-G", "1")) if ctx.full else (("-C", "40k", "-G", "400ms"),):
            yield "reference " + " ".join(options), python, lambda p=python, o=options: equals_reference(ctx, p, *o)
    for name, function in (("newest", newest), ("exact", exact), ("refused", refused), ("killed", killed), ("disk full", disk_full)):
        yield name, first, lambda function=function: function(ctx, first)
