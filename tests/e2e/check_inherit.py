"""inherit: a launched program inherits the same as without auditview, however it is launched; a program of another user
gets nothing of ours.

victims/inherited.py changes what it inherited, executes a command, and the last program of the chain writes down what
it received.
"""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time

import harness
from harness import Fail, Skip, expect, wait_for

VICTIM = harness.victim_path("inherited")
SINGLE = "c C b p i a u f n l t v d s k w r R o m P e 0 1 2".split()
TOGETHER = ["x", "c", "b", "pi", "fl0", "12C", "aunktv", "dsre", "wRomP", "cbipaufnltvdskwrRomP012"]
OURS = re.compile(r"^argv|^environment \('(_|OLDPWD|SHLVL)'")  # argv: the name of the written file


def inherited(folder, name, first, command):
    path = os.path.join(folder, name)
    with open(os.path.join(folder, "said"), "wb") as said:
        done = subprocess.run([*first, *command, path], stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=harness.GUARD, cwd=folder)
    if not os.path.exists(path):
        raise Fail(f"{name}: status {done.returncode}, nothing written: {open(said.name).read()[-300:]!r}")
    return [line for line in open(path).read().splitlines() if not OURS.match(line)]


def compare(alone, watched, what):
    gone, new = [x for x in alone if x not in watched], [x for x in watched if x not in alone]
    # Ignore standard streams that are redirected on purpose, and the file that the program writes in place of a closed
    # one.
    expect(not gone and not new, lambda: f"{what}: alone {gone}, watched {new}")


def as_without(ctx, python, modes, how, ignore=None):
    """Compare with a run alone; `how`: the command in front of the program."""
    folder = ctx.new_folder("inherit")
    program = [*python.command, "-S", VICTIM]
    command = [ctx.auditview, *(w.replace("FILE", os.path.join(folder, "capture.avc")) for w in how), "--"]
    for mode in modes:
        first = [*program, "FIRST", mode]
        alone, watched = inherited(folder, f"alone-{mode}", first, program), inherited(folder, f"watched-{mode}", first, [*command, *program])
        alone, watched = ([re.sub(r"(alone|watched)-", "", line) for line in lines if not (ignore and re.match(ignore, line))] for lines in (alone, watched))
        compare(alone, watched, mode)
        os.path.exists(os.path.join(folder, "capture.avc")) and os.unlink(os.path.join(folder, "capture.avc"))


def on_screen(ctx, python, modes):
    """In the terminal pane of the screen: session, terminal and streams differ, everything else is as without us."""
    folder = ctx.new_folder("inherit-screen")
    program = [*python.command, "-S", VICTIM]
    for mode in modes:
        first = [*program, "FIRST", mode]
        alone = inherited(folder, f"alone-{mode}", first, program)
        path = os.path.join(folder, f"watched-{mode}")
        pid, master = pty.fork()
        if pid == 0:
            os.closerange(3, 256)
            os.chdir(folder)
            os.environ.update(TERM="xterm", HOME=folder, XDG_CACHE_HOME=folder)
            os.execv(first[0], [*first, ctx.auditview, "-o", os.path.join(folder, f"{mode}.avc"), "--", *program, path])
        try:
            def is_written():
                if select.select([master], [], [], 0.05)[0]:
                    try:
                        os.read(master, 65536)
                    except OSError:
                        return True
                return os.path.exists(path) and "exe " in open(path).read()
            wait_for(is_written, 60, f"the program on the screen, {mode}")
            watched = [line for line in open(path).read().splitlines() if not OURS.match(line)]
        finally:
            os.kill(pid, signal.SIGTERM)
            end = time.monotonic() + harness.GUARD
            while os.waitpid(pid, os.WNOHANG)[0] == 0:
                if select.select([master], [], [], 0.05)[0]:
                    try:
                        os.read(master, 65536)
                    except OSError:
                        pass
                if time.monotonic() > end:
                    os.kill(pid, signal.SIGKILL)
            os.close(master)
        own = r"session|terminals|foreground|fd [012] |fd \d+ .*(alone|watched)-|environment \('(TERM|HOME|XDG_CACHE_HOME|LINES|COLUMNS)'|pdeathsig"
        compare([x for x in alone if not re.match(own, x)], [x for x in watched if not re.match(own, x)], f"{mode} on the screen")


# ---- another user ----

INTRUDER = r"""
import fcntl, os, sys, time
typed = b"echo INTRUDER\n"
open(sys.argv[1], "w").write(f"{os.getuid()} {os.getgroups()} {os.environ['HOME']} {os.environ['USER']} {os.environ['LOGNAME']}\n")
def push(fd):
    n = 0
    for k in range(len(typed)):
        try:
            fcntl.ioctl(fd, 0x5412, typed[k:k + 1])
            n += 1
        except OSError:
            pass
    return n
fds = [int(f) for f in os.listdir("/proc/self/fd")]
others = []
for fd in fds:
    try:
        name = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        continue
    if fd > 2:
        others.append((fd, name))
    push(fd)
try:
    push(os.open("/dev/tty", os.O_RDWR))
except OSError:
    pass
open(sys.argv[1], "a").write(f"{others}\n")
print("tried", flush=True)
"""

# It stands in for the program that reads the terminal: it starts the command, then reads what was typed meanwhile.
SHELL = r"""
import os, signal, subprocess, sys, termios
before = termios.tcgetattr(0)
done = subprocess.run(sys.argv[1:])
os.write(1, b"\nSTATUS %d %s\n" % (done.returncode, b"as before" if termios.tcgetattr(0) == before else b"CHANGED"))
os.set_blocking(0, False)
try:
    os.write(1, b"TYPED %r\n" % os.read(0, 4096))
except BlockingIOError:
    os.write(1, b"TYPED nothing\n")
"""


class Terminal:
    """A terminal with a program that takes the place of the shell."""

    def __init__(self, *command):
        self.text = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, "-c", SHELL, *command])

    def read(self):
        if select.select([self.master], [], [], 0.05)[0]:
            try:
                self.text += os.read(self.master, 65536)
            except OSError:
                pass
        return self.text

    def wait(self, pattern, seconds=30):
        try:
            return wait_for(lambda: re.search(pattern, self.read()), seconds, repr(pattern))
        except Fail as fail:
            raise Fail(f"{fail}; the terminal shows {self.text[-600:]!r}") from None

    def type(self, keys):
        os.write(self.master, keys)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)
        os.close(self.master)


def as_nobody(ctx):
    """Make what another user can use: (an auditview, a folder, a python)."""
    ctx.needs_setpriv()
    auditview = ctx.copy_for_all()
    folder = os.path.dirname(auditview)
    python = "/usr/bin/python3"
    if not os.access(python, os.X_OK):
        raise Skip("no Python of the system, which everybody may run")
    return auditview, folder, python


def intruder(ctx, command, redirect):
    """A program of another user cannot type into our terminal through any descriptor, and has no descriptor of ours."""
    auditview, folder, python = as_nobody(ctx)
    told, script = os.path.join(folder, "told"), os.path.join(folder, "intruder.py")
    open(script, "w").write(INTRUDER)
    line = [auditview, *command, "-u", "nobody", "--", python, script, told]
    if redirect:
        line = ["sh", "-c", '"$@" ' + redirect, "sh", *line]
    with Terminal(*(w.replace("FOLDER", folder) for w in line)) as terminal:
        terminal.wait(rb"STATUS 0 as before")
        terminal.wait(rb"TYPED nothing")
        if not redirect:
            expect(terminal.text.index(b"tried") < terminal.text.index(b"STATUS"), lambda: f"{terminal.text!r}")
    who, fds = open(told).read().splitlines()
    home = os.path.expanduser("~nobody")
    expect(who.split()[0] == "65534" and f"{home} nobody nobody" in who and "[0" not in who, lambda: f"it was {who}")
    expect(fds == "[]" or re.fullmatch(r"\[\(3, '/proc/\d+/fd'\)\]", fds), lambda: f"it has {fds}")


KEYS = r"""
import os, signal, sys, time
print("READY", os.isatty(0), os.ttyname(0) == os.ttyname(1), os.tcgetpgrp(0) == os.getpgrp(), flush=True)
print("LINE", repr(input()), flush=True)
try:
    print("SLEEPS", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("INTERRUPTED", flush=True)
size = os.get_terminal_size()
signal.signal(signal.SIGCONT, lambda *a: print("CONTINUED", flush=True))
print("SIZE", size.columns, size.lines, flush=True)
print("LAST", repr(sys.stdin.readline()), flush=True)
sys.exit(9)
"""


def keys(ctx, command):
    """On a terminal that stands in for ours, typing, Ctrl-C, Ctrl-Z, Ctrl-D and the exit status work as usual."""
    auditview, folder, python = as_nobody(ctx)
    script = os.path.join(folder, "keys.py")
    open(script, "w").write(KEYS)
    line = [auditview, *(w.replace("FOLDER", folder) for w in command), "-u", "nobody", "--", python, script]
    with Terminal(*line) as terminal:
        terminal.wait(rb"READY True True True")
        terminal.type(b"some words\n")
        terminal.wait(rb"LINE 'some words'")
        terminal.wait(rb"SLEEPS")
        time.sleep(0.2)
        terminal.type(b"\x03")
        terminal.wait(rb"INTERRUPTED")
        terminal.wait(rb"SIZE \d+ \d+")
        terminal.type(b"\x04")
        terminal.wait(rb"LAST ''")
        terminal.wait(rb"STATUS 9 as before")
        terminal.wait(rb"TYPED nothing")


def job_control(ctx):
    """Ctrl-Z stops program and recorder and gives the terminal back to the shell; fg continues both."""
    auditview, folder, python = as_nobody(ctx)
    script = os.path.join(folder, "keys.py")
    open(script, "w").write(KEYS)
    if not shutil.which("bash"):
        raise Skip("needs bash")
    pid, master = pty.fork()
    if pid == 0:
        os.execvp("bash", ["bash", "--norc", "-i"])
    text = b""

    def wait(pattern):
        nonlocal text
        def has():
            nonlocal text
            if select.select([master], [], [], 0.05)[0]:
                text += os.read(master, 65536)
            return re.search(pattern, text)
        try:
            wait_for(has, 30, repr(pattern))
        except Fail as fail:
            raise Fail(f"{fail}: {text[-500:]!r}") from None
    try:
        os.write(master, f"PS1='PROMPT '; {auditview} record -q -o {folder}/job.avc -u nobody -- {python} {script}\n".encode())
        wait(rb"READY True")
        os.write(master, b"\x1a")
        wait(rb"Stopped")
        os.write(master, b"echo $((6*7))\n")
        wait(rb"\b42\b")
        os.write(master, b"fg\n")
        os.write(master, b"words\n")
        wait(rb"LINE 'words'")
        wait(rb"SLEEPS")
        time.sleep(0.2)
        os.write(master, b"\x03")
        wait(rb"SIZE")
        os.write(master, b"\x04")
        wait(rb"LAST ''\r\n.*PROMPT")
        os.write(master, b"echo status $?\n")
        wait(rb"status 9")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(master)


def left_running(ctx):
    """The recorder is gone: a program of another user keeps its terminal, may write without end, and shows nothing on
    ours."""
    auditview, folder, python = as_nobody(ctx)
    os.chmod(folder, 0o777)
    done = os.path.join(folder, "done")
    go = os.path.join(folder, "go")
    script = (f"import os, sys, time\nprint('STARTED', flush=True)\nwhile not os.path.exists({go!r}): time.sleep(0.02)\nfor k in range(3000): print('x' * 100)\n"
              f"sys.stdout.flush()\nopen({done!r}, 'w').write('ended')")
    with Terminal(auditview, "record", "-o", os.path.join(folder, "left.avc"), "--on-exit", "detach", "--duration", "1s", "-u", "nobody", "--",
                  python, "-c", script) as terminal:
        terminal.wait(rb"STARTED")
        terminal.wait(rb"target restored: yes")
        terminal.wait(rb"STATUS 0 as before")
        open(go, "w").close()
        wait_for(lambda: os.path.exists(done) and open(done).read(), 30, "the program to end by itself")
        expect(b"xxxx" not in terminal.read(), "what it writes later is on our terminal")


def cells(ctx):
    for python in ctx.some_pythons(11):
        record = ["record", "-q", "-o", "FILE"]
        if ctx.full:
            yield "record, one by one", python, lambda p=python: as_without(ctx, p, SINGLE, record)
        yield "record, several", python, lambda p=python: as_without(ctx, p, TOGETHER, record)
        # print sends the program's output to standard error; the descriptors that this changes, also on a terminal, are
        # ignored.
        own = r"fd [012] |fd \d+ .*FILE"
        yield "print", python, lambda p=python: as_without(ctx, p, ["x", "cbp", "cbipaufnltvdskwrRomP", "0"], ["print", "-q"], own)
        yield "on the screen", python, lambda p=python: on_screen(ctx, p, ["pbi", "cflausntvkmoP"])
    yield "another user, record", None, lambda: intruder(ctx, ["record", "-o", "FOLDER/i.avc"], "")
    yield "another user, print", None, lambda: intruder(ctx, ["print"], "")
    yield "another user, redirected", None, lambda: intruder(ctx, ["record", "-o", "FOLDER/i.avc"], "</dev/null >/dev/null 2>/dev/null")
    yield "another user, output in a pipe", None, lambda: intruder(ctx, ["record", "-q", "-o", "FOLDER/i.avc"], "| cat")
    yield "another user, keys", None, lambda: keys(ctx, ["record", "-o", "FOLDER/k.avc"])
    yield "another user, keys, print", None, lambda: keys(ctx, ["print"])
    yield "another user, Ctrl-Z", None, lambda: job_control(ctx)
    yield "another user, left", None, lambda: left_running(ctx)
