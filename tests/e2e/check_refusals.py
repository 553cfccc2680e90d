"""refusals: each cause that can be produced here: exit status 1, cause and cure in the message, the target untouched."""
import glob
import os
import shutil
import signal
import subprocess
import sys

from harness import Python, Skip, Victim, expect, kill, maps_of, no_python, status_of, wait_for

# A tracer of somebody else's: seizes the process and keeps it.
HOLDER = """
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(0x4206, int(sys.argv[1]), 0, 0):
    sys.exit("seize: errno %d" % ctypes.get_errno())
print("held", flush=True)
time.sleep(60)
"""


def refused(ctx, pid, words, cure, command=None, untouched=True):
    """`record -p PID` is refused: status 1, each of words (alternatives by |) in the message, and one of the cures."""
    before = maps_of(pid)
    folder = ctx.new_folder("refused")
    os.chmod(folder, 0o777)
    out = os.path.join(folder, "capture.avc")
    done = subprocess.run([*(command or [ctx.auditview]), "record", "-p", str(pid), "-o", out], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    text = done.stderr
    expect(done.returncode == 1, lambda: f"status {done.returncode}, expected 1: {text[-300:]!r}")
    expect(done.stdout == "", lambda: f"stdout: {done.stdout[:200]!r}")
    for word in [str(pid), *words]:
        expect(any(w.lower() in text.lower() for w in word.split("|")), lambda: f"no {word!r} in the message {text!r}")
    expect(any(w.lower() in text.lower() for w in cure.split("|")), lambda: f"no cure ({cure}) in the message {text!r}")
    if untouched:
        expect(maps_of(pid) == before, "the target was changed")
    return text


def unknown_pid(ctx):
    pid = 4190000
    while os.path.exists(f"/proc/{pid}"):
        pid -= 1
    refused(ctx, pid, ["no such process|no process|not running|does not exist"], "ps |pgrep|auditview")


def not_python(ctx):
    with no_python() as process:
        refused(ctx, process.pid, ["python"], "libpython|_PyRuntime|look|interpreter")
        expect(process.poll() is None, "the target ended")


def old_python(ctx, minor):
    found = glob.glob(os.path.expanduser(f"~/.pyenv/versions/3.{minor}.*/bin/python3"))
    if not found:
        raise Skip(f"no Python 3.{minor} here")
    python = Python(f"3.{minor}", found[:1])
    process = subprocess.Popen([*python.command, "-c", "import time; print(1, flush=True); time.sleep(60)"], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        refused(ctx, process.pid, [f"3.{minor}|older than 3.8|before 3.8"], "3.8")
        expect(process.poll() is None, "the target ended")
    finally:
        kill(process)
        process.stdout.close()


def ordinary_user(ctx, python):
    if os.getuid() != 0:
        raise Skip("needs root, to become somebody else")
    folder = ctx.new_folder("nobody")
    for path in (ctx.folder, folder):
        os.chmod(path, 0o777)
    binary = os.path.join(folder, "auditview")
    shutil.copy(ctx.auditview, binary)
    os.chmod(binary, 0o755)
    with Victim(ctx, python, "sleeping") as v:
        prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "env", "HOME=/nonexistent", binary]
        refused(ctx, v.pid, ["not permitted|permission|not allowed|denied|another user"], "root|sudo|CAP_SYS_PTRACE|ptrace_scope", command=prefix)
        expect(not v.stop().get("woke_early"), "the victim was disturbed")


def already_traced(ctx, python):
    with Victim(ctx, python, "sleeping") as v:
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(v.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            if not holder.stdout.readline():
                raise Skip("ptrace is not allowed here: " + holder.stderr.read().decode()[-100:])
            refused(ctx, v.pid, ["traced|tracer|holds", str(holder.pid)], "detach|quit|end|leave|stop|let")
        finally:
            kill(holder)
            holder.stdout.close()
            holder.stderr.close()
        v.stop()


def zombie(ctx):
    process = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    try:
        wait_for(lambda: (status_of(process.pid, "State") or "").startswith("Z"), 10, "a zombie")
        refused(ctx, process.pid, ["zombie|has ended|ended already|has exited|dead"], "parent|wait|ended|nothing")
    finally:
        process.wait()


def stopped(ctx, python):
    """Refused, or attached to without waking it: check_attach.py proves the latter. Here: it never wakes, and ends well."""
    with Victim(ctx, python, "sleeping") as v:
        os.kill(v.pid, signal.SIGSTOP)
        wait_for(lambda: status_of(v.pid, "State").startswith("T"), 5, "the target to stop")
        out = os.path.join(ctx.new_folder("stopped"), "capture.avc")
        done = subprocess.run([ctx.auditview, "record", "-p", str(v.pid), "-o", out, "--duration", "300ms"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
        expect(done.returncode in (0, 1), lambda: f"status {done.returncode}: {done.stderr[-300:]}")
        if done.returncode == 1:
            for word in (str(v.pid), "stopped", "cont"):
                expect(word in done.stderr.lower(), lambda: f"no {word!r} in the message {done.stderr!r}")
        expect(status_of(v.pid, "State").startswith("T"), lambda: f"state is {status_of(v.pid, 'State')} afterwards")
        os.kill(v.pid, signal.SIGCONT)
        v.stop()


def kernel_thread(ctx):
    if not os.path.exists("/proc/2/maps") or maps_of(2):
        raise Skip("pid 2 is no kernel thread here")
    refused(ctx, 2, ["python|kernel"], "libpython|kernel|_PyRuntime|look|interpreter", untouched=False)


def itself(ctx):
    """A recorder asked for something that cannot be written says so before it touches the target."""
    with Victim(ctx, ctx.pythons[0], "sleeping") as v:
        before = v.maps()
        done = subprocess.run([ctx.auditview, "record", "-p", str(v.pid), "-o", "/nonexistent/folder/x.avc"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
        expect(done.returncode == 1 and "/nonexistent/folder/x.avc" in done.stderr, lambda: f"{done.returncode}: {done.stderr!r}")
        expect(v.maps() == before, "the target was changed")
        v.stop()


def cells(ctx):
    python = ctx.some_pythons(12)[0]
    yield "unknown pid", None, lambda: unknown_pid(ctx)
    yield "not Python", None, lambda: not_python(ctx)
    for minor in (6, 7):
        yield f"Python 3.{minor}", None, lambda m=minor: old_python(ctx, m)
    yield "ordinary user", python, lambda: ordinary_user(ctx, python)
    yield "already traced", python, lambda: already_traced(ctx, python)
    yield "zombie", None, lambda: zombie(ctx)
    yield "stopped", python, lambda: stopped(ctx, python)
    yield "kernel thread", None, lambda: kernel_thread(ctx)
    yield "capture cannot be written", None, lambda: itself(ctx)
