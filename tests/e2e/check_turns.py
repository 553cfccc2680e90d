"""turns: killed, the disk full, the reader gone, at each moment of a turn: while files are rotated, pieces kept and
joined, captures merged and cut.

What was written stays readable, and has no gap; an earlier file is whole, or replaced by a whole one; what is said is
true; the target runs on. Moments are the recorder's own system calls on files, which strace(1) counts: a first run says
how many there are, and in each further run one of them gets a SIGKILL.
"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess

from check_pipes import quote
from check_rotate import said
from harness import GUARD, Capture, Skip, expect, wait_for

CALLS = "write,ftruncate,rename,renameat,renameat2,unlink,unlinkat,link,linkat"
PROGRAM = """
import os, sys
open(sys.argv[1] + "/begun", "w")
noise = os.urandom(200000).hex()
for i in range(1200):
    sys.audit("victim.tick", i, noise[i * 299:][:400])
open(sys.argv[1] + "/done", "w")
"""
N_TICKS = 1200
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}  # it cannot look while strace does


def chosen(ctx, moments):
    """All of them, or a few from the whole row."""
    n = len(moments) if ctx.full else 3
    return [moments[i * len(moments) // n] for i in range(min(n, len(moments)))] if len(moments) > n else moments


def events_in(ctx, path):
    """The events of a capture; none if nothing is in it yet."""
    done = subprocess.run([ctx.auditview, "print", "-q", "-F", "json", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=GUARD)
    if done.returncode:
        expect(os.path.getsize(path) < 1000, lambda: f"{path}, {os.path.getsize(path)} bytes: {done.stderr}")
        return []
    return [json.loads(line) for line in done.stdout.splitlines()]


def numbers_of(events):
    return [e["args"]["0"] for e in events if e["event"] == "victim.tick"]


def numbers_in(ctx, path):
    """The numbers of the ticks in a capture."""
    return numbers_of(events_in(ctx, path))


def expect_no_gap(numbers, what):
    expect(numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True, lambda: f"{what}: {numbers[:3]} … {numbers[-3:]}")


def traced(log, *more):
    return ["strace", "-qq", "-o", log, "-e", "trace=" + CALLS, *more]


def moments_of(ctx, words, folder):
    """(system call, its number) for each call that this command makes."""
    if not shutil.which("strace"):
        raise Skip("no strace here")
    log = os.path.join(folder, "log")
    done = subprocess.run([*traced(log), *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT,
                          cwd=folder, timeout=GUARD, text=True)
    if not os.path.exists(log) or os.path.getsize(log) == 0:
        raise Skip(f"strace cannot trace here: {done.stderr[-200:]}")
    expect(done.returncode == 0, lambda: f"{words}: {done.returncode} {done.stderr[-500:]}")
    counts, moments = {}, []
    with open(log, encoding="utf-8", errors="replace") as f:
        for line in f:
            name = line.partition("(")[0]
            if re.fullmatch(r"\w+", name):
                counts[name] = counts.get(name, 0) + 1
                moments.append((name, counts[name]))
    return moments


def kill_at(words, folder, moment):
    """Run the command, and kill it when it makes this call. False: it came to its end before."""
    name, n = moment
    done = subprocess.run([*traced("/dev/null", "-e", f"inject={name}:signal=KILL:when={n}"), *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT, cwd=folder, timeout=GUARD)
    return done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)


def recorded(ctx, python, *options):
    """A command that records the program, and where."""
    folder = ctx.new_folder("turns")
    path = os.path.join(folder, "program.py")
    with open(path, "w", encoding="utf-8") as f:
        f.write(PROGRAM)
    return folder, [ctx.auditview, "record", "-o", "run.avc", *options, "--", *python.command, "-S", path, folder]


def runs(folder):
    """Does a program run that was given this folder?"""
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as f:
                if os.fsencode(folder) in f.read().split(b"\0"):
                    return True
        except (FileNotFoundError, ProcessLookupError):
            pass
    return False


def expect_done(folder, moment):
    """The program comes to its end; or it was not begun, because the recorder was killed before it had launched it."""
    begun, done = os.path.join(folder, "begun"), os.path.join(folder, "done")
    wait_for(lambda: os.path.exists(done) or not runs(folder), 40, f"{moment}: the program")
    expect(os.path.exists(done) or not os.path.exists(begun), f"{moment}: the program did not come to its end")
    for path in (begun, done):
        if os.path.exists(path):
            os.unlink(path)


def killed_while_recording(ctx, python, *options):
    """The files that a killed recorder leaves follow one another, and the program runs to its end."""
    folder, words = recorded(ctx, python, *options)
    moments = moments_of(ctx, words, folder)
    expect(len(moments) > 20, lambda: f"{moments}")
    expect_done(folder, "no moment")
    n_killed = 0
    for moment in chosen(ctx, moments):
        for name in glob.glob(os.path.join(folder, "run*")):
            os.unlink(name)
        n_killed += kill_at(words, folder, moment)
        expect_done(folder, moment)
        out, numbers = os.path.join(folder, "run.avc"), []
        for path in sorted(glob.glob(os.path.join(folder, "run_*"))):
            numbers += numbers_in(ctx, path)
        if "--keep" in options:  # the capture that is made has what was in the pieces that are gone
            made = [n for path in glob.glob(out + "*") for n in numbers_in(ctx, path)]
            expect_no_gap(made, f"{moment}: the capture")
            numbers = sorted(set(made) | set(numbers))
        expect_no_gap(numbers, f"{moment}")
        expect(not numbers or "--keep" in options or numbers[0] == 0, lambda: f"{moment}: {numbers[:3]}")
    expect(n_killed, "none was killed")


def two_captures(ctx, python):
    folder, words = recorded(ctx, python)
    for name in ("a.avc", "b.avc"):
        done = subprocess.run([name if word == "run.avc" else word for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, cwd=folder, timeout=GUARD)
        expect(done.returncode == 0, lambda: f"{done.stderr}")
    return folder


def killed_while_copying(ctx, python, *words):
    """merge, cut: the earlier file stays until the new one is whole; what lies beside them is a beginning of it."""
    folder = two_captures(ctx, python)
    words = [ctx.auditview, *words, "-o", "out.avc"]
    out = os.path.join(folder, "out.avc")
    moments = moments_of(ctx, words, folder)
    whole = [(e["event"], e["ts_ns"], e["args"]) for e in Capture(ctx, out).events()]
    with open(os.path.join(folder, "a.avc"), "rb") as f:
        earlier = f.read()
    n_killed = 0
    for moment in chosen(ctx, moments):
        with open(out, "wb") as f:
            f.write(earlier)
        n_killed += kill_at(words, folder, moment)
        with open(out, "rb") as f:
            is_earlier = f.read() == earlier
        if not is_earlier:
            expect([(e["event"], e["ts_ns"], e["args"]) for e in Capture(ctx, out).events()] == whole, f"{moment}: neither the earlier nor the new one")
        for name in set(os.listdir(folder)) - {"a.avc", "b.avc", "out.avc", "program.py", "done", "log"}:
            path = os.path.join(folder, name)
            if os.path.getsize(path) >= 1000:
                part = [(e["event"], e["ts_ns"], e["args"]) for e in Capture(ctx, path).events()]
                expect(part == whole[:len(part)], f"{moment}: {name} is no beginning of it")
            os.unlink(path)
    expect(n_killed, "none was killed")


def on_a_small_disk(ctx, words, folder, n_bytes):
    """Run the command in a file system of that size. Returns its status, what it said, and a folder with a copy of its
    files."""
    disk, copy = os.path.join(folder, "disk"), ctx.new_folder("copy")
    os.makedirs(disk, exist_ok=True)
    command = f"mount -t tmpfs -o size={n_bytes} none {quote(disk)} || exit 77; cd {quote(disk)}; {quote(*words)}; s=$?; cp -a . {quote(copy)}; exit $s"
    done = subprocess.run(["unshare", "-m", "sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, timeout=GUARD)
    if done.returncode == 77 or "unshare" in done.stderr:
        raise Skip(f"no file system can be mounted here: {done.stderr.strip()[-100:]}")
    return done.returncode, done.stderr, copy


def disk_full(ctx, python, *options):
    """As many events as are said are in the files, without a gap; the others are counted; the program runs on."""
    if os.getuid() != 0:
        raise Skip("needs root, for a small file system")
    folder, words = recorded(ctx, python, *options)
    n_full = 0
    for n_bytes in chosen(ctx, list(range(8 << 10, 460 << 10, 4 << 10))):
        status, text, copy = on_a_small_disk(ctx, words, folder, n_bytes)
        expect(status == 1 or os.path.exists(os.path.join(folder, "done")), lambda: f"{n_bytes}: the program did not run: {text}")
        expect_done(folder, f"{n_bytes}")
        paths, n = sorted(glob.glob(os.path.join(copy, "run*"))), 0
        numbers = []
        for path in paths:
            events = events_in(ctx, path)  # the disk may be full before the first tick
            expect_no_gap(numbers_of(events), f"{n_bytes}: {path}")
            numbers += numbers_of(events)
            n += len(events)
        expect_no_gap(sorted(set(numbers)), f"{n_bytes}")
        n_full += status != 0
        if status == 0:
            expect(said(text)[0] == n, lambda: f"{n_bytes}: {n} events are there: {text}")
            continue
        expect("No space left" in text, lambda: f"{n_bytes}: {status} {text}")
        if "--keep" not in options:
            # the number that is lost is unknown if the recording stopped
            found = re.search(r"auditview: ([\d ]+) events?, (?:lost: unknown(?: \(at least )?)?([\d ]*)", text)
            n_said, n_lost = [int(x.replace(" ", "") or 0) for x in found.groups()] if found else (-1, 0)
            expect(n_said == n and (n_said + n_lost >= N_TICKS or "recording stopped then" in text), lambda: f"{n_bytes}: {n} events are there: {text}")
    expect(n_full, "the disk was never full")


def reader_gone(ctx, python):
    """record -o - | head -c N: quiet, and the program runs to its end."""
    folder, words = recorded(ctx, python)
    words = ["-" if word == "run.avc" else word for word in words]
    for n_bytes in chosen(ctx, [0, 1, 55, 56, 57, 100, 1000, 20000, 65536, 100000, 200000]):
        done = subprocess.run(["bash", "-c", f"{quote(*words)} | head -c {n_bytes} > head; exit ${{PIPESTATUS[0]}}"], stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, cwd=folder, timeout=GUARD)
        head = os.path.join(folder, "head")
        expect(done.returncode == 0, lambda: f"{n_bytes}: {done.returncode} {done.stderr}")
        expect(os.path.exists(os.path.join(folder, "done")), lambda: f"{n_bytes}: the program did not run: {done.stderr}")
        expect_done(folder, f"{n_bytes}")
        expect(os.path.getsize(head) == n_bytes, f"{n_bytes}: {os.path.getsize(head)} bytes came")
        expect_no_gap(numbers_in(ctx, head), f"{n_bytes}")


def cells(ctx):
    python = ctx.some_pythons(11)[0]
    for name, function in (("killed, rotate", lambda: killed_while_recording(ctx, python, "-C", "60k")),
                           ("killed, keep", lambda: killed_while_recording(ctx, python, "--keep", "100k")),
                           ("killed, merge", lambda: killed_while_copying(ctx, python, "merge", "a.avc", "b.avc")),
                           ("killed, cut", lambda: killed_while_copying(ctx, python, "cut", "a.avc", "-Y", "event == \"victim.tick\"")),
                           ("disk full, one file", lambda: disk_full(ctx, python)),
                           ("disk full, rotate", lambda: disk_full(ctx, python, "-C", "60k")),
                           ("disk full, keep", lambda: disk_full(ctx, python, "--keep", "200k")),
                           ("reader gone", lambda: reader_gone(ctx, python))):
        yield name, python, function
