"""files: an existing file is never lost, only a regular file is ever replaced, and files beside a capture are not
trusted."""
import fcntl
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import termios
import time

from check_options import MARK, TERMINAL, Place, on_screen, run
from harness import GOODBYE, GUARD, Skip, expect, kill, wait_for

FORMATS = "text jsonl csv tsv perfetto chrome folded speedscope sqlite".split()
F_SETPIPE_SZ = 1031  # fcntl(2); the module has the name since 3.10
OLD = b"what was there before\n"


def names(place):
    return sorted(os.listdir(place.folder))


def old_file(place, name="old"):
    with open(place.path(name), "wb") as f:
        f.write(OLD)
    os.chmod(place.path(name), 0o644)
    return place.path(name)


def writers(place, out):
    """Return command lines that write `out`, one for each way to write a file."""
    program = ["--", *place.python.command, "-S", "-c", MARK]
    lines = [["record", "-o", out, *program], ["print", "-o", out, *program], ["print", place.capture, "-o", out],
             ["-o", out, *program], ["import", place.lines, "-o", out]]
    return lines + [["export", place.capture, "-F", f, "-o", out] for f in FORMATS]


def old_stays(ctx, python):
    """A command that fails keeps the old file, and leaves no file beside it."""
    place = Place(ctx, python, "old-stays").fill()
    old, program = old_file(place), ["--", *python.command, "-S", "-c", "pass"]
    bad, empty = place.path("bad.jsonl"), place.path("empty")
    for path, text in ((bad, '{"no": 1}\n'), (empty, "")):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    before = names(place)
    for line in (["record", "-o", old, "--", place.path("typo.py")], ["record", "-o", old, "--", "/no/such/program"],
                 ["record", "-o", old, "-p", "1,999999999"], ["record", "-o", old, "-u", "no-such-user", *program],
                 ["record", "-o", old, "--until", "((", *program], ["record", "-o", old, "--", "/bin/true"], ["print", "-o", old, "--", "/no/such/program"],
                 ["print", "/no/such.avc", "-o", old], ["print", bad, "-o", old], ["import", bad, "-o", old], ["import", empty, "-o", old],
                 ["import", "/no/such", "-o", old], ["export", place.capture, "-F", "csv", "-Y", "((", "-o", old],
                 ["export", empty, "-F", "sqlite", "-o", old], ["export", place.capture, "-F", "nothing", "-o", old]):
        done = run(ctx, *line)
        expect(done.returncode in (1, 2), lambda: f"{line}: status {done.returncode}: {done.stderr}")
        expect(open(old, "rb").read() == OLD and names(place) == before, lambda: f"{line}: {names(place)}, {done.stderr!r}")


FULL = """
folder=$1 has_old=$2; shift 2
mount -t tmpfs -o size=64k none "$folder" || exit 77
test $has_old = 0 || printf 'what was there before\\n' > "$folder/old"
dd if=/dev/zero of="$folder/fill" bs=4096 2>/dev/null
"$@"; echo "status $?" >&2
rm "$folder/fill"; ls -A "$folder"; cat "$folder"/* 2>/dev/null
exit 0
"""


def full_from_the_first_byte(ctx, python):
    """With a file system on which not one byte can be written, every way of writing reports the error, does not claim
    to have kept anything, keeps the old file, and leaves no new one."""
    place = Place(ctx, python, "full-disk").fill()
    folder = place.path("full")
    os.mkdir(folder)
    for line in writers(place, os.path.join(folder, "old")):
        for has_old in (0, 1):
            done = subprocess.run(["unshare", *([] if os.getuid() == 0 else ["-Ur"]), "-m", "sh", "-c", FULL, "sh", folder, str(has_old), ctx.auditview, *line],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=GUARD)
            said = done.stderr.decode()
            if done.returncode == 77 or "unshare" in said:
                raise Skip(f"no file system can be mounted here: {said[-200:]!r}")
            expect("status 1" in said and ("No space left" in said or "disk is full" in said), lambda: f"{line}, {has_old}: {said!r}")
            expect("is kept in" not in said, lambda: f"{line}: nothing is kept, but {said!r}")
            left = done.stdout[done.stdout.rfind(b"old\n"):] if has_old else done.stdout.replace(b"ready\n", b"")
            expect(left == (b"old\n" + OLD if has_old else b""), lambda: f"{line}, {has_old}: left {done.stdout!r}, said {said!r}")


def replaced_when_finished(ctx, python):
    """Every way of writing replaces a file by a complete one of mode 0600, and leaves no other file."""
    place = Place(ctx, python, "replaced").fill()
    before = names(place)
    for line in writers(place, place.path("old")):
        for make in (old_file, lambda p: None):
            make(place)
            done = run(ctx, *line)
            expect(done.returncode == 0, lambda: f"{line}: {done.stderr!r}")
            content = open(place.path("old"), "rb").read()
            expect(len(content) > 50 and OLD not in content, lambda: f"{line}: {content[:50]!r}")
            expect(stat.S_IMODE(os.stat(place.path("old")).st_mode) == 0o600, f"{line}: the mode")
            os.unlink(place.path("old"))
            expect(names(place) == before, lambda: f"{line}: left {names(place)}")


def no_regular_file(ctx, python):
    """Links, folders, sockets and block devices are refused; FIFOs and character devices are written to, or refused,
    and never replaced."""
    place = Place(ctx, python, "special").fill()
    target = old_file(place, "target")
    os.symlink("target", place.path("link"))
    os.symlink("nowhere", place.path("dangling"))
    os.mkdir(place.path("folder"))
    os.mkfifo(place.path("fifo"))
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(place.path("socket"))
    nodes = ["link", "dangling", "folder", "socket"]
    if os.getuid() == 0:
        os.mknod(place.path("block"), 0o600 | stat.S_IFBLK, os.makedev(7, 251))  # the device is never opened
        os.mknod(place.path("null"), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        nodes.append("block")
    before = names(place)
    kinds = {name: os.lstat(place.path(name)).st_mode for name in before}

    def unchanged(line, done):
        expect({name: os.lstat(place.path(name)).st_mode for name in names(place)} == kinds, lambda: f"{line}: {names(place)}")
        expect(open(target, "rb").read() == OLD, f"{line}: written through the link")

    for name in nodes:
        for line in writers(place, place.path(name)):
            done = run(ctx, *line)
            expect(done.returncode == 1 and place.path(name) in done.stderr, lambda: f"{line}: {done.returncode} {done.stderr!r}")
            unchanged(line, done)
    for line in writers(place, place.path("fifo")):
        reader = os.open(place.path("fifo"), os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(reader, F_SETPIPE_SZ, 1 << 20)  # nothing is read before the writer has ended
        done = run(ctx, *line)
        got = os.read(reader, 1 << 16) if "sqlite" not in line else b""
        os.close(reader)
        expect(("sqlite" in line) == (done.returncode == 1) and ("sqlite" in line) == (not got), lambda: f"{line}: {done.stderr!r}")
        unchanged(line, done)
    if "null" in before:
        no_devices = os.statvfs(place.path("null")).f_flag & os.ST_NODEV  # as a container's /tmp is often mounted: nobody can open it
        for line in writers(place, place.path("null")):
            done = run(ctx, *line)
            expect(done.returncode == (1 if "sqlite" in line or no_devices else 0), lambda: f"{line}: {done.stderr!r}")
            unchanged(line, done)
    bound.close()


def two_recorders(ctx, python):
    """A file that is being written is refused to other recorders, whether or not it existed before; the first recorder
    finishes it."""
    for existed in (False, True):
        place = Place(ctx, python, "two").fill()
        out = old_file(place) if existed else place.path("new")
        code = "import sys, time\nsys.audit('victim.mark')\nwhile not __import__('os').path.exists(%r):\n    time.sleep(.02)" % place.path("go")
        first = subprocess.Popen([ctx.auditview, "record", "-q", "-o", out, "--", *python.command, "-S", "-c", code],
                                 stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_for(lambda: os.path.exists(out + ".part" if existed else out), 20, "the capture")
        for line in writers(place, out):
            done = run(ctx, *line)
            expect(done.returncode == 1 and "another process" in done.stderr, lambda: f"{line}: {done.returncode} {done.stderr!r}")
        open(place.path("go"), "w", encoding="utf-8").close()
        first.wait(GUARD)
        events = run(ctx, "print", "-F", "json", out).stdout
        expect(first.returncode == 0 and "victim.mark" in events and not os.path.exists(out + ".part"), lambda: first.stderr.read())


HOLD = """
import fcntl, os, sys, time
how, user, path = sys.argv[1:]
os.setgid(int(user))
os.setuid(int(user))
file = open(path, "rb")
if how != "passed" or os.fork() == 0:
    fcntl.flock(file, fcntl.LOCK_SH if how == "shared" else fcntl.LOCK_EX)
    if how == "passed":
        os._exit(0)
else:
    os.wait()
print("ready", flush=True)
time.sleep(120)
"""


def locked_by_a_reader(ctx, python):
    """A user who may read a file can lock it: that does not keep others from writing it, unless the user may write the
    file, too."""
    if os.getuid() != 0:
        raise Skip("not root: cannot become another user")
    place = Place(ctx, python, "locked").fill()
    for path in (ctx.folder, place.folder):
        os.chmod(path, 0o755)
    for how, user in (("exclusive", 65534), ("shared", 65534), ("passed", 65534), ("exclusive", 0)):
        for line in writers(place, place.path("old")):
            old_file(place)
            with subprocess.Popen(["/usr/bin/python3", "-S", "-c", HOLD, how, str(user), place.path("old")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as holder:
                try:
                    expect(holder.stdout.readline() == b"ready\n", "the lock was not taken")
                    done = run(ctx, *line)
                    text = open(place.path("old"), "rb").read()
                finally:
                    holder.kill()
            if user:
                expect(done.returncode == 0 and text != OLD, lambda: f"{how}: {line}: {done.returncode} {done.stderr!r}")
            else:
                expect(done.returncode == 1 and text == OLD and f"another process ({holder.pid}) is writing" in done.stderr,
                       lambda: f"{line}: {done.returncode} {done.stderr!r}")


def killed(ctx, python):
    """The recorder is killed: the old file and the recorded events remain, and the next recorder touches neither."""
    place = Place(ctx, python, "killed").fill()
    out = old_file(place)
    stop = os.path.join(ctx.new_folder("killed"), "stop")  # the program outlives its recorder
    code = f"import os, sys, time\nwhile not os.path.exists({stop!r}):\n    sys.audit('victim.n', 1); time.sleep(.01)"
    first = subprocess.Popen([ctx.auditview, "record", "-o", out, "--on-exit", "kill", "--", *python.command, "-S", "-c", code],
                             stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: "victim.n" in run(ctx, "print", "-F", "json", out + ".part").stdout, 30, "events in the file that grows")
        expect(open(out, "rb").read() == OLD, "the old file is gone while the new one is not finished")
        pid = first.pid
        first.send_signal(signal.SIGKILL)
        first.wait()
    finally:
        open(stop, "w", encoding="ascii").close()
        kill(first)
    said = first.stderr.read()
    expect(out + ".part" in said, lambda: f"said {said!r}")
    done = run(ctx, "record", "-o", out, "--", *python.command, "-S", "-c", MARK)
    expect(done.returncode == 0 and "victim.mark" in run(ctx, "print", "-F", "json", out).stdout, lambda: done.stderr)
    expect("victim.n" in run(ctx, "print", "-F", "json", out + ".part").stdout, f"what {pid} had recorded is gone")


def disk_full(ctx, python):
    """A file that could not be written completely replaces nothing."""
    place = Place(ctx, python, "full").fill()
    out = old_file(place)
    code = "import sys, os\nfor i in range(30000):\n    sys.audit('victim.n', os.urandom(40))"
    done = run(ctx, "record", "-o", out, "--", *python.command, "-S", "-c", code,
               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000)))
    expect(done.returncode == 1 and out + ".part" in done.stderr and open(out, "rb").read() == OLD, lambda: f"{done.returncode} {done.stderr!r}")
    for form in FORMATS:
        done = run(ctx, "export", place.capture, "-F", form, "-o", out,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)))
        expect(done.returncode == 1 and open(out, "rb").read() == OLD, lambda: f"{form}: {done.returncode} {done.stderr!r}")
    expect(names(place) == ["a.avc", "a.jsonl", "a.profile", "n.py", "old", "old.part"], lambda: f"left: {names(place)}")


def dash(ctx, python):
    """- is standard output, and standard input with a capture or with JSON lines."""
    place = Place(ctx, python, "dash").fill()
    capture, lines = open(place.capture, "rb").read(), open(place.lines, "rb").read()

    def piped(given, *line):
        return subprocess.run([ctx.auditview, *line], input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=GUARD, cwd=place.folder)

    for given in (capture, lines):
        for line in (["print", "-F", "json", "-"], ["-F", "json", "-"], ["export", "-", "-F", "jsonl"], ["export", "-", "-F", "jsonl", "-o", "-"]):
            done = piped(given, *line)
            expect(done.returncode == 0 and done.stdout == lines, lambda: f"{line}: {done.stderr!r} {done.stdout[:200]!r}")
        done = piped(given, "stat", "-")
        expect(b"victim.mark" in done.stdout, lambda: f"stat: {done.stderr!r}")
        done = piped(given, "diff", "-", place.capture)
        expect(done.returncode == 0, lambda: f"diff: {done.stderr!r}")
    with open(place.capture, "rb") as f:
        done = subprocess.run([ctx.auditview, "print", "-F", "json", "-"], stdin=f, stdout=subprocess.PIPE, timeout=GUARD, check=False)
    expect(done.stdout == lines, "from a file on standard input")
    done = piped(lines, "import", "-", "-o", "-")
    expect(done.stdout[:4] == b"\x89AVC" and piped(done.stdout, "print", "-F", "json", "-").stdout == lines, lambda: f"import: {done.stderr!r}")
    done = piped(b"", "record", "-o", "-", "--", *python.command, "-S", "-c", MARK + "print('to stderr')")
    expect(b"victim.mark" in piped(done.stdout, "stat", "-").stdout and b"to stderr" in done.stderr, lambda: f"record: {done.stderr!r}")
    expect(piped(capture, "diff", "-", "-").returncode == 2, "both captures from standard input")
    expect("-" not in names(place), "a file called -")
    text, status = on_screen(ctx, ["record", "-o", "-", "--", *python.command, "-S", place.script], cwd=place.folder)
    expect(status == 2 and "terminal" in text and not os.path.exists(place.witness), lambda: f"on a terminal: {status} {text!r}")


def closed_output(ctx, python):
    """Closed or full standard output is an error of every command that writes to it."""
    place = Place(ctx, python, "closed").fill()
    program = ["--", *python.command, "-S", "-c", MARK]
    for line in (["print", place.capture], [place.capture], ["print", *program], ["export", place.capture, "-F", "csv"], ["stat", place.capture],
                 ["diff", place.capture, place.capture], ["events"], ["explain", "open"], ["try", "-c", "1"], ["lesson"], ["doctor"],
                 ["--help"], ["--version"], ["--list-fields"], ["record", "-o", "-", *program], ["import", place.lines, "-o", "-"]):
        for words in (">&-", ">/dev/full"):
            done = subprocess.run(["/bin/sh", "-c", 'exec "$@" ' + words, "sh", ctx.auditview, *line], stdin=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True, timeout=GUARD)
            expect(done.returncode == 1 and "cannot write" in done.stderr, lambda: f"{line} {words}: {done.returncode} {done.stderr!r}")


class Screen:
    """A viewer on a terminal of its own, which can be sent keys."""

    def __init__(self, ctx, line, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:  # wide enough for a message with a long path
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 250, 0, 0))
            os.execve(ctx.auditview, [ctx.auditview, *line], {**os.environ, **TERMINAL, **(env or {})})
        self.text = ""
        self.settle()

    def read(self, seconds):
        """Read what arrives; returns whether anything did, None at the end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            self.text += os.read(self.fd, 65536).decode("utf-8", "replace")
            return True
        except OSError:
            return None

    def settle(self, seconds=GUARD):
        """Wait until the screen is drawn and nothing more arrives."""
        deadline, quiet = time.monotonic() + seconds, 0
        while time.monotonic() < deadline and (quiet < 2 or "\x1b[?1049h" not in self.text):
            more = self.read(.2)
            if more is None:
                return
            quiet = 0 if more else quiet + 1

    def until(self, condition, seconds=GUARD):
        """Read what arrives until the condition holds; returns whether it does."""
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            if self.read(.05) is None:
                break
        return condition()

    def keys(self, keys):
        os.write(self.fd, keys)
        self.settle()

    def leave(self):
        for _ in range(GUARD // 3):
            try:
                os.write(self.fd, b"Q")
            except OSError:
                pass
            deadline = time.monotonic() + 3
            while time.monotonic() < deadline:
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    os.close(self.fd)
                    return
                if self.read(.05) is None:
                    time.sleep(.05)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)
        os.close(self.fd)
        expect(False, f"the screen does not end: {self.text[-300:]!r}")


def marks(ctx, python):
    """Two viewers mark one capture: the marks of both stay; a mark that one of them removes is gone for both."""
    place = Place(ctx, python, "marks").fill()
    first, second = Screen(ctx, [place.capture]), Screen(ctx, [place.capture])
    file = place.capture + ".marks"

    def lines():
        return open(file, encoding="utf-8").read().splitlines()[1:] if os.path.exists(file) else []

    def expect_lines(n, screen, what):
        expect(screen.until(lambda: len(lines()) == n), lambda: f"{what}: {lines()}")

    first.keys(b"gm")
    expect_lines(1, first, "no mark")
    second.keys(b"gjjjm")
    expect_lines(2, second, "the first viewer's mark is gone")
    first.keys(b"jm")
    expect_lines(3, first, "the second viewer's mark is gone")
    second.keys(b"gjjjm")
    expect_lines(2, second, "it is not taken away")
    first.leave()
    second.leave()
    expect(stat.S_IMODE(os.stat(file).st_mode) == 0o600, "the mode")


def hostile_marks(ctx, python):
    """Files beside a capture in a folder of another user are never waited for, followed or trusted."""
    place = Place(ctx, python, "hostile").fill()
    file, victim = place.capture + ".marks", old_file(place, "victim")
    for make in (lambda: os.mkfifo(file), lambda: os.symlink("victim", file), lambda: os.symlink("victim", file + ".new"),
                 lambda: os.mkdir(file)):
        make()
        screen = Screen(ctx, [place.capture])
        screen.keys(b"gm")
        screen.leave()
        expect(open(victim, "rb").read() == OLD, "written through a link")
        for name in (file, file + ".new"):
            if os.path.isdir(name) and not os.path.islink(name):
                os.rmdir(name)
            elif os.path.lexists(name):
                os.unlink(name)
    if os.getuid() != 0:
        return
    head = f"# auditview marks of the capture begun at 1\n0 a note of somebody else\n"
    with open(file, "w", encoding="utf-8") as f:
        f.write(head)
    os.chown(file, 65534, 65534)
    screen = Screen(ctx, [place.capture])
    screen.keys(b"gm")
    screen.leave()
    expect(open(file, encoding="utf-8").read() == head, "another user's file was replaced")


def folders(ctx, python):
    """A folder for captures, history and marks that is not ours is not used; if there is no home, a private folder is
    used."""
    place = Place(ctx, python, "folders").fill()
    program = ["--", *python.command, "-S", "-c", MARK]
    elsewhere, tmp = place.path("elsewhere"), place.path("tmp")
    os.mkdir(elsewhere)
    os.mkdir(tmp)
    plain = {k: v for k, v in os.environ.items() if k != "HOME" and not k.startswith("XDG_")}
    cases = []
    linked = place.path("linked")
    os.mkdir(linked)
    os.symlink(elsewhere, os.path.join(linked, "auditview"))
    cases.append(linked)
    for name, mode, owner in (("open", 0o777, None), ("theirs", 0o700, 65534)):
        base = place.path(name)
        os.makedirs(os.path.join(base, "auditview"))
        os.chmod(os.path.join(base, "auditview"), mode)
        if owner and os.getuid() == 0:
            os.chown(os.path.join(base, "auditview"), owner, owner)
        cases.append(base)
    cases.append(place.script)  # without any folder
    for base in cases:
        env = {**plain, "XDG_CACHE_HOME": base, "XDG_STATE_HOME": base, "XDG_CONFIG_HOME": base, "TMPDIR": tmp}
        done = run(ctx, "print", "-F", "json", *program, env=env)
        expect(done.returncode == 0 and "victim.mark" in done.stdout, lambda: f"{base}: {done.stderr!r}")
        screen = Screen(ctx, [place.capture], env)
        screen.keys(b"/open\r")
        screen.leave()
        expect(not os.listdir(elsewhere), f"{base}: {os.listdir(elsewhere)}")
        for folder in (os.path.join(base, "auditview"), tmp):
            if os.path.isdir(folder) and not os.path.islink(folder):
                expect(not os.listdir(folder), f"{base}: {os.listdir(folder)} in {folder}")
    if os.getuid() == 0 and not os.path.lexists("/tmp/.cache"):
        done = run(ctx, "print", "-F", "json", *program, env=plain)
        expect(done.returncode == 0 and not os.path.lexists("/tmp/.cache"), lambda: f"without a home: {done.stderr!r}")


def recorded_anew(ctx, python):
    """The capture that a viewer has open is overwritten, truncated or replaced: the viewer reports it and shows nothing
    wrong."""
    place = Place(ctx, python, "anew").fill()
    other = place.path("other.avc")
    code = "import sys\nfor i in range(60000):\n    sys.audit('other.event', i)"
    done = run(ctx, "record", "-q", "-o", other, "--", *python.command, "-S", "-c", code)
    expect(done.returncode == 0, lambda: done.stderr)
    ways = {"overwritten": lambda to: open(to, "r+b").write(open(other, "rb").read()), "cut": lambda to: os.truncate(to, 500),
            "emptied": lambda to: os.truncate(to, 0), "replaced": lambda to: os.rename(other, to)}
    screens = []
    for how, change in ways.items():  # side by side: each waits for what its screen notices
        opened = place.path(how + ".avc")
        with open(opened, "wb") as f:
            f.write(open(place.capture, "rb").read())
        screens.append((how, change, opened, Screen(ctx, [opened, "--no-config"])))
    changed = []
    for how, change, opened, screen in screens:
        changed.append((how, screen, len(screen.text)))
        change(opened)
    for how, screen, n_before in changed:
        screen.settle()
        screen.keys(b"gG")
        noticed = screen.until(lambda s=screen, n=n_before: any(word in s.text[n:] for word in ("was written into", "cut short", "replaced or removed")))
        after = screen.text[n_before:]
        screen.leave()
        expect(noticed, lambda: f"{how}: {after[-600:]!r}")
        expect("other.event" not in after, f"{how}: events of the other capture are shown")


def taken_away(ctx, python):
    """The output is removed, moved or replaced while it is written, which no write reports: the goodbye says what is in
    the file, and nothing is finished in the place of another one."""
    place = Place(ctx, python, "taken-away")
    ways = {"removed": (lambda out: os.remove(out), "lost"),
            "moved": (lambda out: os.rename(out, place.path("elsewhere")), "elsewhere"),
            "replaced": (lambda out: os.rename(old_file(place, "other"), out), "lost"),
            "with its folder": (lambda out: shutil.rmtree(os.path.dirname(out)), "lost")}
    for how, (take, word) in ways.items():
        os.mkdir(place.path(how))
        out, go = os.path.join(place.path(how), "out.avc"), place.path(how + " go")
        code = f"import os, sys, time\nsys.audit('victim.mark', 0)\nwhile not os.path.exists({go!r}): time.sleep(0.01)\nsys.exit(7)"
        with subprocess.Popen([ctx.auditview, "record", "-o", out, "--", *python.command, "-S", "-c", code], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                wait_for(lambda: os.path.exists(out), GUARD, "the capture")
                take(out)
            finally:
                open(go, "w").close()
            said = process.communicate(timeout=GUARD)[1]
        match = GOODBYE.search(said)
        expect(process.returncode == 7 and word in said and match, lambda: f"{how}: status {process.returncode}, {said!r}")
        n, lost = (int(re.sub(r"\D", "", match.group(i))) for i in (1, 2))
        if how == "moved":
            done = run(ctx, "print", "-F", "json", place.path("elsewhere"))
            expect(n == len(done.stdout.splitlines()) > 0 and not lost, lambda: f"{n} events, {lost} lost, but: {done.stderr}")
        else:
            expect(n == 0 and lost > 0, lambda: f"{how}: {said!r}")
        if how == "replaced":
            expect(open(out, "rb").read() == OLD, "the file that took its name was changed")


def cells(ctx):
    python = ctx.some_pythons(12)[0]
    for function in (old_stays, replaced_when_finished, no_regular_file, two_recorders, locked_by_a_reader, killed, disk_full, full_from_the_first_byte, dash, closed_output, marks,
                     hostile_marks, folders, recorded_anew, taken_away):
        yield function.__name__.replace("_", " "), python, lambda f=function: f(ctx, python)
