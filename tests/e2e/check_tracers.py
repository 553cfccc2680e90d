"""tracers: followed programs that trace others, or that change when they are traced: they run as without us, and what
cannot be recorded of them is reported.
"""
import os
import re
import shutil
import signal
import subprocess
import time

import harness
from harness import Capture, Skip, expect, expect_goodbye

OPEN = "import sys; sys.audit('tracers.mark', sys.argv[1])"


def compiler(*names):
    return next((c for c in names if shutil.which(c)), None)


def under(ctx, folder, script, *arguments, auditview=None, prefix=()):
    capture = Capture(ctx, os.path.join(folder, "capture.avc"))
    done = subprocess.run([*prefix, auditview or ctx.auditview, "record", "-o", capture.path, "--", "sh", "-c", script, "sh", *arguments],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, cwd=folder)
    return done, capture


def alone(folder, script, *arguments):
    return subprocess.run(["sh", "-c", script, "sh", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120, cwd=folder)


def marks(capture):
    return [e["args"]["0"] for e in capture.named("tracers.mark")]


def debugger(ctx, python, command):
    """It traces what it starts; what happens before and after is recorded, and the gap is reported."""
    if not shutil.which(command[0]):
        raise Skip(f"no {command[0]} here")
    folder = ctx.new_folder("debugger")
    script = '"$1" -S -c "$2" before; ' + " ".join(command) + ' "$1" -S -c "import sys; print(6 * 7)" inside; echo "status $?"; "$1" -S -c "$2" behind; exit 3'
    arguments = [*python.command, OPEN]
    by_itself = alone(folder, script, *arguments)
    if "42" not in by_itself.stdout or "status 0" not in by_itself.stdout:
        raise Skip(f"{command[0]} cannot do it here by itself: {by_itself.stderr[-200:]}")
    done, capture = under(ctx, folder, script, *arguments)
    def of_interest(text):
        return [line for line in text.splitlines() if line in ("42", "status 0")]
    expect(done.returncode == 3 and of_interest(done.stdout) == of_interest(by_itself.stdout),
           lambda: f"status {done.returncode}, alone {by_itself.stdout!r}, watched {done.stdout!r} {done.stderr[-300:]!r}")
    # The events of the Pythons that it starts are not counted.
    expect(re.search(r"\d events, lost: unknown, .*target restored: yes \(it has ended\)", done.stderr), lambda: done.stderr[-400:])
    expect(re.search(rf"\({command[0]}\) .*what it starts is not followed", done.stderr), lambda: done.stderr[-400:])
    expect(marks(capture) == ["before", "behind"], lambda: str(marks(capture)))


def leak_finder(ctx, python, cc, flag):
    """LeakSanitizer stops its own program at its end: the exit status is as usual."""
    if not compiler(cc):
        raise Skip(f"no {cc}")
    folder = ctx.new_folder("leaks")
    built = subprocess.run([cc, flag, os.path.join(harness.VICTIMS, "leaks.c"), "-o", "leaks"], cwd=folder, capture_output=True, text=True)
    if built.returncode:
        raise Skip(f"{cc} {flag} is not to be had: {built.stderr.strip()[-200:]}")
    script = './leaks; echo "status $?"; "$1" -S -c "$2" behind; exit 3'
    by_itself = alone(folder, script, *python.command, OPEN)
    if "status 0" not in by_itself.stdout:
        raise Skip(f"it does not run here by itself: {by_itself.stderr[-200:]}")
    done, capture = under(ctx, folder, script, *python.command, OPEN)
    expect((done.returncode, done.stdout) == (3, by_itself.stdout), lambda: f"status {done.returncode}: {done.stdout!r} {done.stderr[-300:]!r}")
    expect(re.search(r"\(leaks\) .*LeakSanitizer", done.stderr), lambda: done.stderr[-400:])
    expect(marks(capture) == ["behind"], lambda: str(marks(capture)))


def set_user_id(ctx, is_privileged):
    """A traced program gets no rights from its file unless the tracer has enough privileges: this is reported."""
    ctx.needs_setpriv()
    cc = compiler("cc", "gcc", "clang")
    if not cc:
        raise Skip("no C compiler")
    auditview = ctx.copy_for_all()
    folder = os.path.dirname(auditview)
    program = os.path.join(folder, "rights")
    subprocess.run([cc, os.path.join(harness.VICTIMS, "rights.c"), "-o", program], check=True)
    os.chown(program, 1, 1)
    os.chmod(program, 0o4755)
    prefix = [] if is_privileged else harness.AS_NOBODY
    by_itself = subprocess.run([*prefix, program], stdout=subprocess.PIPE, text=True)
    if "euid 1" not in by_itself.stdout:
        raise Skip("set-user-ID files have no effect in this file system")
    done, _ = under(ctx, folder, program, auditview=auditview, prefix=prefix)
    warning = re.search(r"\(rights\) runs without the rights of its set-user-ID", done.stderr)
    if is_privileged:
        expect("euid 1" in done.stdout and not warning, lambda: f"{done.stdout!r} {done.stderr[-300:]!r}")
    else:
        expect("euid 65534" in done.stdout and warning, lambda: f"{done.stdout!r} {done.stderr[-300:]!r}")


LINGER = """
import threading
n = 0
for i in range(200):
    threads = [threading.Thread(target=int) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    n += int(open("/proc/self/stat").read().rpartition(")")[2].split()[17]) > 1
print(n)
"""


def joined(ctx, python):
    """A thread that has been joined is no longer counted: CPython uses that number to warn of a fork beside threads."""
    if python.minor < 13:
        raise Skip("join() does not wait for the thread itself before 3.13")
    folder = ctx.new_folder("joined")
    command = [*python.command, "-S", "-c", LINGER]
    counted = []
    for _ in range(5):  # by itself it happens as well, the more often the busier the machine is
        by_itself = int(subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120).stdout)
        done = subprocess.run([ctx.auditview, "record", "-q", "-o", os.path.join(folder, "c.avc"), "--", *command], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        expect(done.returncode == 0, lambda: done.stderr[-300:])
        counted.append((int(done.stdout), by_itself))
        if counted[-1][0] <= by_itself + 15:
            return
    raise harness.Fail(f"(counted of 200, alone): {counted}")


def strace_comes_later(ctx, python, seconds):
    """strace attaches to a target that is not followed. Leaving waits for it for a while; if strace stays, it is named as
    the reason, and the next visit takes the probe out."""
    if not shutil.which("strace"):
        raise harness.Skip("strace is not installed")
    with harness.Victim(ctx, python, "busy") as v, harness.Recorder(ctx, v.pid) as recorder:
        recorder.wait_linked()
        with subprocess.Popen(["strace", "-f", "-o", "/dev/null", "-p", str(v.pid)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as strace:
            try:
                harness.wait_for(lambda: harness.status_of(v.pid, "TracerPid") != "0", 10, "strace")
                recorder.process.send_signal(signal.SIGINT)
                time.sleep(seconds)
                if seconds > 1:
                    recorder.process.wait(harness.GUARD)
            finally:
                strace.terminate()
        harness.wait_for(lambda: harness.status_of(v.pid, "TracerPid") == "0", 10, "strace to leave")
        status, text = recorder.process.wait(harness.GUARD), recorder.stderr()
        if seconds > 1:
            expect(status == 1 and "restored: no" in text and "traces it; the probe is disarmed" in text and "root can" not in text,
                   lambda: f"status {status}: {text!r}")
            with harness.Recorder(ctx, v.pid, "--duration", "100ms") as again:
                again.wait()
        else:
            expect(status == 0 and "restored: yes" in text, lambda: f"status {status}: {text!r}")
        expect(not harness.foreign_maps(v.maps()), lambda: f"left behind: {harness.foreign_maps(v.maps())}")
        v.stop()


def cells(ctx):
    for python in ctx.some_pythons(12):
        for seconds in (0.3, 4):
            yield f"strace comes later, for {seconds} s", python, lambda p=python, s=seconds: strace_comes_later(ctx, p, s)
    for python in ctx.some_pythons(11):
        yield "strace inside", python, lambda p=python: debugger(ctx, p, ["strace", "-f", "-o", "/dev/null"])
        yield "gdb inside", python, lambda p=python: debugger(ctx, p, ["gdb", "-q", "-batch", "-ex", "run", "--args"])
        yield "ltrace inside", python, lambda p=python: debugger(ctx, p, ["ltrace", "-o", "/dev/null", "-e", "nothing"])
        for cc, flag in (("clang", "-fsanitize=leak"), ("gcc", "-fsanitize=leak"), ("gcc", "-fsanitize=address")):
            yield f"{cc} {flag}", python, lambda p=python, c=cc, f=flag: leak_finder(ctx, p, c, f)
    yield "set-user-ID, ordinary user", None, lambda: set_user_id(ctx, False)
    yield "set-user-ID, root", None, lambda: set_user_id(ctx, True)
    for python in ctx.some_pythons(13, 14):
        yield "joined threads", python, lambda p=python: joined(ctx, p)
