"""keep: the flight recorder: only the newest events are kept, and one capture is made of them."""
import glob
import json
import os
import re
import signal
import subprocess
import time

from check_pipes import Screen, quote
from check_rotate import said, storm
from harness import GUARD, Capture, expect, kill, wait_for

# noise, so that the pieces fill: nothing of it can be compressed. It stands still while the file argv[3] + "1" exists, and says
# there how many it has raised; then the same for argv[3] + "2", and so on. It raises argv[4] at least.
TICKS = """
import os, sys, time
noise, i, end, n_holds = os.urandom(1 << 20).hex(), 0, time.monotonic() + float(sys.argv[1]), 1
print("ready", flush=True)
while time.monotonic() < end or i < int((sys.argv[4:] or [0])[0]):
    sys.audit("victim.tick", i, noise[i * 4099 % 1000000:][:int(sys.argv[2])], time.monotonic())
    i += 1
    if i % 50 == 0:
        time.sleep(0.01)
        hold = sys.argv[3] + str(n_holds) if sys.argv[3:] else ""
        if os.path.exists(hold):
            with open(hold, "w") as f: f.write("%d." % i)
            while os.path.exists(hold): time.sleep(0.002)
            n_holds += 1
sys.audit("victim.end", i)
"""


def ticking(ctx):
    folder = ctx.new_folder("keep")
    path = os.path.join(folder, "victim.py")
    with open(path, "w", encoding="utf-8") as f:
        f.write(TICKS)
    return folder, path


def expect_no_gap(events):
    """The ticks follow one another."""
    numbers = [e["args"]["0"] for e in events if e["event"] == "victim.tick"]
    expect(numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers))), lambda: f"{numbers[:3]} … {numbers[-3:]}")
    return numbers


def size_of(*paths):
    """What they have together. They change meanwhile: what grows comes first, so that nothing is counted twice."""
    total = 0
    for path in paths:
        try:
            total += os.path.getsize(path)
        except FileNotFoundError:
            pass
    return total


def memory_of(pid):
    found = re.search(r"VmRSS:\s*(\d+)", open(f"/proc/{pid}/status", encoding="utf-8").read())
    return int(found.group(1))


def by_size(ctx, python):
    """--keep SIZE: the disk and the memory have a bound; at the end one capture holds the newest, without a gap."""
    folder, script = ticking(ctx)
    disk = ctx.new_folder("disk")
    out, keep = os.path.join(disk, "run.avc"), 64 << 20 if ctx.full else 2 << 20
    with open(os.path.join(folder, "stderr"), "wb") as stderr:
        recorder = subprocess.Popen([ctx.auditview, "record", "-o", out, "--keep", f"{keep >> 20}M", "--", *python.command, "-S", script,
                                     "60" if ctx.full else "4", "1000", "-", "6000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
    sizes, memory, joining = [], [], [0]
    while recorder.poll() is None:
        now = size_of(out), size_of(*glob.glob(os.path.join(disk, "run_keep_*")))
        joins = os.path.exists(out)  # at the end the capture is made beside the pieces
        (joining if joins else sizes).append(sum(now))
        try:
            if not joins:
                memory.append(memory_of(recorder.pid))
        except (AttributeError, FileNotFoundError):
            pass
        time.sleep(0.02 if not joins else 0.002)
    text = open(os.path.join(folder, "stderr"), encoding="utf-8").read()
    expect(recorder.returncode == 0 and os.listdir(disk) == ["run.avc"], lambda: f"{recorder.returncode} {os.listdir(disk)} {text}")
    # what the manual says; on a loaded machine a piece gets what has piled up
    piled = 1 << 18 if ctx.full else 1 << 20
    most = keep * 9 // 8 + piled
    expect(max(sizes) <= most, lambda: f"{max(sizes)} bytes on the disk, expected {most} at most")
    most = keep * 4 // 3 + piled
    expect(max(joining) <= most, lambda: f"{max(joining)} bytes on the disk as one capture is made, expected {most} at most")
    half = memory[len(memory) // 3:len(memory) // 2]
    # AddressSanitizer does not reuse freed memory until it holds 256 MiB of it.
    if not os.environ.get("ASAN_OPTIONS"):
        expect(max(memory[len(memory) // 2:]) <= max(half) * 1.2 + 4096, lambda: f"memory in KiB: {memory[::20]}")
    events = list(Capture(ctx, out).each())
    numbers, last = expect_no_gap(events), next(e for e in events if e["event"] == "victim.end")
    expect(numbers[0] > 0 and numbers[-1] + 1 == last["args"]["0"], lambda: f"{numbers[0]} … {numbers[-1]}, the last was {last}")
    expect(os.path.getsize(out) >= keep * 0.6, lambda: f"only {os.path.getsize(out)} bytes are kept")
    expect(said(text)[0] == len(events), lambda: f"{len(events)} events: {text}")


def by_time(ctx, python):
    folder, script = ticking(ctx)
    out = os.path.join(folder, "run.avc")
    done = subprocess.run([ctx.auditview, "record", "-o", out, "--keep", "1s", "--", *python.command, "-S", script, "4", "20"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=GUARD)
    expect(done.returncode == 0, lambda: done.stderr)
    events = list(Capture(ctx, out).each())
    expect_no_gap(events)
    times = [e["args"]["2"] for e in events if e["event"] == "victim.tick"]
    expect(0.7 < times[-1] - times[0] < 3.5, lambda: f"{times[-1] - times[0]:.2f} s are kept, expected about 1")


def on_request(ctx, python):
    """SIGUSR1: a capture of what is kept, and the recording goes on; --until: the end, and the capture ends there."""
    folder, script = ticking(ctx)
    out = os.path.join(folder, "run.avc")
    target = subprocess.Popen([*python.command, "-S", script, "600", "100", os.path.join(folder, "hold")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    with open(os.path.join(folder, "stderr"), "wb") as stderr:
        recorder = subprocess.Popen([ctx.auditview, "record", "-o", out, "--keep", "1M", "-p", str(target.pid)], stdin=subprocess.DEVNULL,
                                    stderr=stderr)
    try:
        target.stdout.readline()
        wait_for(lambda: glob.glob(os.path.join(folder, "run_keep_*")), 20, "the first piece")
        wait_for(lambda: any(os.path.getsize(p) > 20000 for p in glob.glob(os.path.join(folder, "run_keep_*"))), 20, "ticks")
        for n in (1, 2):
            hold = os.path.join(folder, f"hold{n}")
            open(hold, "w", encoding="ascii").close()
            raised = wait_for(lambda hold=hold: re.fullmatch(r"(\d+)\.", open(hold, encoding="ascii").read()), 20, "the target to stand still")
            recorder.send_signal(signal.SIGUSR1)
            found = wait_for(lambda n=n: glob.glob(os.path.join(folder, f"run_2*_{n:06d}.avc")), 20, "the capture")
            wait_for(lambda n=n: open(os.path.join(folder, "stderr"), encoding="utf-8").read().count("the newest") == n, 20, "its message")
            events = list(Capture(ctx, found[0]).each())
            numbers = expect_no_gap(events)
            expect(numbers[-1] + 1 == int(raised[1]), lambda: f"the newest is {numbers[-1]}, {raised[1]} were raised")
            os.unlink(hold)
        recorder.send_signal(signal.SIGINT)
        expect(recorder.wait(GUARD) == 0 and target.poll() is None, "the recorder failed, or the target ended")
        expect(os.path.exists(out) and not glob.glob(os.path.join(folder, "run_keep_*")), lambda: f"{os.listdir(folder)}")
        expect_no_gap(Capture(ctx, out).events())
    finally:
        kill(recorder)
        kill(target)


def one_family(ctx, python):
    """Processes and threads that several pieces describe are one in the capture; --until ends it."""
    folder, script = storm(ctx, "family")
    out = os.path.join(folder, "run.avc")
    done = subprocess.run([ctx.auditview, "record", "-o", out, "--keep", "50M", "--until", 'event == "victim.joined"', "--",
                           *python.command, "-S", script, "20000" if ctx.full else "3000", "1"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=100)
    expect(done.returncode == 0, lambda: done.stderr)
    for keep, path in (("50M", out), ("700ms", os.path.join(folder, "short.avc"))):
        if path != out:
            subprocess.run([ctx.auditview, "record", "-q", "-o", path, "--keep", keep, "--", *python.command, "-S", script, "3000", "1"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=100)
        rows = subprocess.run([ctx.auditview, "stat", "--json", "--by", "process", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True, timeout=GUARD).stdout
        keys = [r["key"] for r in json.loads(rows)["rows"]]
        expect(len(keys) == 3 and len(set(keys)) == 3, lambda: f"{keep}: {keys}")
    last = Capture(ctx, out).events()[-1]
    expect(last["event"] == "victim.joined", lambda: f"the last is {last}")


def killed(ctx, python):
    """A recorder that is killed leaves its pieces, which can be read."""
    folder, script = ticking(ctx)
    recorder = subprocess.Popen([ctx.auditview, "record", "-q", "-o", os.path.join(folder, "run.avc"), "--keep", "1M", "--", *python.command,
                                 "-S", script, "10", "2000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        # A piece has what the ring held when it was read: on a loaded machine, few pieces make up the size.
        wait_for(lambda: len(glob.glob(os.path.join(folder, "run_keep_*"))) > 2, 20, "pieces")
        recorder.kill()
        recorder.wait()
        events = []
        for path in sorted(glob.glob(os.path.join(folder, "run_keep_*"))):
            if os.path.getsize(path):
                events += Capture(ctx, path).events()
        expect_no_gap(events)
    finally:
        try:
            os.killpg(recorder.pid, signal.SIGKILL)  # with the target, which the recorder leaves alive
        except ProcessLookupError:
            pass
        recorder.wait()


def on_the_screen(ctx, python):
    """auditview --keep: the screen shows the newest events and drops the others; W makes a capture of what is kept, and never
    replaces a file; at the end there is one capture."""
    folder, script = ticking(ctx)
    out, status = os.path.join(folder, "run.avc"), os.path.join(folder, "status")
    target = subprocess.Popen([*python.command, "-S", script, "120", "1000"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        target.stdout.readline()
        command = f"cd {quote(folder)}; {quote(ctx.auditview, '--no-config', '-o', 'run.avc', '--keep', '1M', '-p', target.pid)} 2> stderr; echo $? > status"
        with Screen(ctx, command) as screen:
            def wait(pattern):
                return wait_for(lambda: re.search(pattern, screen.tmux("capture-pane", "-p")), 40, f"{pattern} on the screen")
            wait("keeps the newest 1M .* events")
            n_max = 0

            def dropped():
                nonlocal n_max
                found = re.search(r"newest 1M +([\d ]+) events", screen.tmux("capture-pane", "-p"))
                n = int(found.group(1).replace(" ", "")) if found else 0
                n_max = max(n, n_max)
                return 0 < n < n_max
            wait_for(dropped, 60, "the screen to drop the oldest events")
            for taken in (False, True):
                asked = time.monotonic()
                screen.tmux("send-keys", "W")
                wait(r"dump to: kept_\w+Z\.avc")
                screen.tmux("send-keys", "C-u")
                screen.tmux("send-keys", "-l", "dump.avc")
                wait("dump to: dump.avc")
                screen.tmux("send-keys", "Enter")
                if taken:  # the prompt stays, and so does the file
                    wait("cannot write dump.avc: it exists")
                else:
                    screen.tmux("send-keys", "!")
                    wait(r"the newest \d+ events, [\d.]+ s, are in dump.avc")
                    screen.tmux("send-keys", "Escape")
                    events = Capture(ctx, os.path.join(folder, "dump.avc")).events()
                    expect_no_gap(events)
                    newest = max(e["args"]["2"] for e in events if e["event"] == "victim.tick")
                    expect(newest > asked - 10, lambda: f"the newest is {asked - newest:.2f} s older than the key")
            screen.tmux("send-keys", "Escape")
            wait("all [0-9]|following")
            screen.tmux("send-keys", "Q")
            wait_for(lambda: os.path.exists(status) and open(status, encoding="utf-8").read(), 40, "the end")
        expect(open(status, encoding="utf-8").read() == "0\n" and not glob.glob(os.path.join(folder, "run_keep_*")), lambda: f"{os.listdir(folder)}")
        expect(target.poll() is None, "the target has ended")
        text = open(os.path.join(folder, "stderr"), encoding="utf-8").read()
        events = Capture(ctx, out).events()
        numbers = expect_no_gap(events)
        expect("restored: yes" in text and said(text)[0] == len(events), lambda: f"{len(events)} events: {text}")
        expect(numbers[0] > 0, "everything is kept")
    finally:
        kill(target)


def cells(ctx):
    python = ctx.some_pythons(11)[0]
    for name, function in (("by size", by_size), ("by time", by_time), ("on request", on_request), ("one family", one_family),
                           ("killed", killed), ("on the screen", on_the_screen)):
        yield name, python, lambda function=function: function(ctx, python)
