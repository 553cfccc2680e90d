"""leaving: how a session ends, and what its goodbye line reports: what the file holds, what was lost, whether the
target is restored.

Each report is compared with the facts: the file is read again, the target's mappings are read, and the target runs
on.
"""
import contextlib
import errno
import fcntl
import os
import pty
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

import harness
from harness import BECOME_NOBODY, Capture, Fail, Recorder, Skip, Victim, expect, foreign_maps, kill, maps_of, wait_for

# Each has a word of its own, because what is alike is compressed: also the times, where they advance with the kernel's tick.
MANY = "import sys\nfor i in range(%d): sys.audit('victim.mark', i, 'x' * (i %% 50) + str(hash(str(i))))\nsys.exit(5)"
# The program ends by itself, whatever happens to us.
TICKS = """
import os, sys, time
end, n = time.monotonic() + float(sys.argv[1]), 0
print("ready", os.getpid(), flush=True)
while time.monotonic() < end and not os.path.exists(sys.argv[2]):
    sys.audit("victim.mark", n)
    n += 1
    time.sleep(0.01)
sys.exit(7)
"""


def said(text):
    """Return (events or None, lost or None, restored) of the goodbye line."""
    match = re.search(r"auditview: (?:([\d ]+) events?|events: unknown), (?:([\d ]+) lost|lost: unknown)\b.*target restored: (\w+)", text)
    expect(match, lambda: f"no goodbye line in {text[-400:]!r}")
    return (*(int(g.replace(" ", "")) if g else None for g in match.groups()[:2]), match.group(3))


def expect_lost(text, n_raised):
    """After a failure to write: what is lost is reported, and called unknown if that is not all."""
    events, lost, _ = said(text)
    if lost is None:
        expect(re.search(r"lost: unknown \(at least [\d ]+: not written\)", text), lambda: f"{text!r}")
    else:
        expect(lost and events + lost >= n_raised, lambda: f"{n_raised} were raised: {text!r}")


def run(ctx, *arguments, **more):
    return subprocess.run([ctx.auditview, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace", timeout=120, **more)


def held(ctx, path):
    return sum(1 for _ in Capture(ctx, path).lines())


class Ticks:
    """A target that ends by itself with status 7."""

    def __init__(self, ctx, python, seconds=300, prefix=()):
        self.stop_file = os.path.join(ctx.new_folder("ticks"), "stop")
        self.process = subprocess.Popen([*prefix, *python.command, "-S", "-c", TICKS, str(seconds), self.stop_file], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.pid = int(self.process.stdout.readline().split()[1])

    def __enter__(self):
        return self

    def end(self):
        open(self.stop_file, "w").close()
        status = self.process.wait(harness.GUARD)
        expect(status == 7, f"the target ended with {status}, expected 7")

    def __exit__(self, *error):
        kill(self.process)
        self.process.stdout.close()


class Screen:
    """The program on a terminal of its own. Its drawing is not interpreted, only searched."""

    def __init__(self, command, env=None):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})})
            for name in [n for n, value in (env or {}).items() if value is None]:
                del os.environ[name]
            try:
                os.execv(command[0], command)
            finally:
                os._exit(127)
        self.out, self.status = b"", None
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))

    def pump(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:
            data = b""
        self.out += data
        return bool(data)

    def wait(self, text, seconds=harness.GUARD):
        end, start = time.monotonic() + seconds, len(self.out)
        while text not in self.out:
            if time.monotonic() > end or not self.pump(0.1) and text not in self.out:
                raise Fail(f"{text!r} did not come: {self.out[start:][-300:]!r}")

    def send(self, keys):
        os.write(self.master, keys)

    def wait_end(self, seconds=harness.GUARD):
        """Return (exit status, the text on the terminal after the screen)."""
        end = time.monotonic() + seconds
        while self.status is None:
            if time.monotonic() > end:
                raise Fail(f"the screen did not end within {seconds} s: {self.out[-300:]!r}")
            self.pump(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        while select.select([self.master], [], [], 0)[0] and self.pump(0):
            pass
        return self.status, self.out[max(0, self.out.rfind(b"\x1b[?1049l")):].decode("utf-8", "replace").replace("\r", "")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.status is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        os.close(self.master)


def children_of(pid):
    try:
        return [int(p) for p in open(f"/proc/{pid}/task/{pid}/children").read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def recorder_of(pid):
    """The recorder of a viewer, once it has begun."""
    def find():
        return next((p for p in children_of(pid) if harness.status_of(p, "Name") == "auditview-rec"), None)
    return wait_for(find, 20, "the recorder")


def screen_home(ctx):
    home = ctx.new_folder("screen")
    return {"HOME": home, "XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home}


# ---- the file holds what the goodbye line reports ----

def full_disk(ctx, python):
    """The file system fills up: the goodbye line reports what the file holds, and the program ends as usual."""
    folder = ctx.new_folder("full")
    script = ('mount -t tmpfs -o size=400k none "$1" || exit 77; cd "$1"; shift; "$@"; echo "status $?" >&2; '
              f'"{ctx.auditview}" print -F json x.avc | wc -l')
    done = subprocess.run(["unshare", *([] if os.getuid() == 0 else ["-Ur"]), "-m", "sh", "-c", script, "sh", folder, ctx.auditview, "record",
                           "-o", "x.avc", "--", *python.command, "-S", "-c", MANY % 300000], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120)
    if done.returncode == 77 or "unshare" in done.stderr:
        raise Skip("no file system can be mounted: " + done.stderr.strip()[-100:])
    expect("status 5" in done.stderr, lambda: f"the program's status is not passed on: {done.stderr[-400:]!r}")
    events, _, restored = said(done.stderr)
    expect(events == int(done.stdout), lambda: f"{events} events are reported, the file holds {done.stdout.strip()}: {done.stderr!r}")
    expect(events and restored == "yes" and "No space left" in done.stderr, lambda: f"{done.stderr!r}")
    expect_lost(done.stderr, 300000)


def file_size_limit(ctx, python, blocks):
    """RLIMIT_FSIZE (ulimit -f) of a launched program and of a target: it continues, and nothing of ours stays in it."""
    folder = ctx.new_folder("limit")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (blocks * 1024, blocks * 1024))
    path = os.path.join(folder, "launched.avc")
    done = run(ctx, "record", "-o", path, "--", *python.command, "-S", "-c", MANY % 200000, preexec_fn=limit)
    events = said(done.stderr)[0]
    expect(done.returncode == 5, lambda: f"status {done.returncode}: {done.stderr[-300:]}")
    n = held(ctx, path) if os.path.exists(path) else 0
    expect(events == n, lambda: f"{events} events are reported, the file holds {n}: {done.stderr!r}")
    expect("too large" in done.stderr, lambda: f"{done.stderr!r}")
    expect_lost(done.stderr, 200000)
    with Victim(ctx, python, "busy") as v:
        path = os.path.join(folder, "attached.avc")
        done = run(ctx, "record", "-s", "1", "-p", str(v.pid), "-o", path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048)))
        events, lost, restored = said(done.stderr)
        expect(done.returncode == 1 and restored == "yes", lambda: f"status {done.returncode}: {done.stderr!r}")
        n = held(ctx, path) if os.path.exists(path) else 0
        expect(events == n and lost is None, lambda: f"{events} events are reported, the file holds {n}: {done.stderr!r}")
        expect(not foreign_maps(v.maps()), lambda: f"left behind: {foreign_maps(v.maps())}")
        v.stop()


# Writes to captures fail with the errno WRITE_ERRNO behind WRITE_BYTES bytes, or their close(2) with CLOSE_ERRNO.
FAILING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
static long left = -1;
static int is_capture(int fd)
{
	char name[64], path[4096];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(name, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	return strstr(path, ".avc") != NULL;
}
static int fails(int fd, size_t n)
{
	if (!getenv("WRITE_ERRNO") || !is_capture(fd))
		return 0;
	if (left < 0)
		left = atol(getenv("WRITE_BYTES"));
	if ((long)n <= left) {
		left -= (long)n;
		return 0;
	}
	errno = atoi(getenv("WRITE_ERRNO"));
	return 1;
}
#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))
ssize_t write(int fd, const void *b, size_t n) { return fails(fd, n) ? -1 : REAL(write)(fd, b, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) { return fails(fd, n) ? -1 : REAL(pwrite)(fd, b, n, at); }
ssize_t pwrite64(int fd, const void *b, size_t n, off_t at) { return pwrite(fd, b, n, at); }
ssize_t writev(int fd, const struct iovec *v, int c)
{
	size_t n = 0;
	for (int i = 0; i < c; i++)
		n += v[i].iov_len;
	return fails(fd, n) ? -1 : REAL(writev)(fd, v, c);
}
int close(int fd)
{
	int is_ours = getenv("CLOSE_ERRNO") && is_capture(fd), result = REAL(close)(fd);
	if (!is_ours)
		return result;
	errno = atoi(getenv("CLOSE_ERRNO"));
	return -1;
}
"""


def write_fails(ctx, python):
    """The disk has an error, or the quota is used up, with a write or only at the close, as on NFS: the goodbye line reports what the
    file holds, and the program ends as usual."""
    folder, env = ctx.new_folder("fails"), harness.preload(ctx, FAILING)
    program = ["env", "-u", "LD_PRELOAD", *python.command, "-S", "-c", MANY % 100000]
    for number in (errno.EIO, errno.EDQUOT):
        path = os.path.join(folder, f"{number}.avc")
        done = run(ctx, "record", "-o", path, "--", *program, env=dict(env, WRITE_ERRNO=str(number), WRITE_BYTES="70000"))
        events, _, restored = said(done.stderr)
        n = held(ctx, path)
        expect(done.returncode == 5 and restored == "yes", lambda: f"status {done.returncode}: {done.stderr!r}")
        expect(events == n and os.strerror(number) in done.stderr, lambda: f"{events} events are reported, the file holds {n}: {done.stderr!r}")
        expect_lost(done.stderr, 100000)
    path = os.path.join(folder, "close.avc")
    with open(path, "w", encoding="ascii") as f:
        f.write("old")
    done = run(ctx, "record", "-o", path, "--", "env", "-u", "LD_PRELOAD", *python.command, "-S", "-c", "1", env=dict(env, CLOSE_ERRNO=str(errno.EDQUOT)))
    expect(done.returncode == 1 and os.strerror(errno.EDQUOT) in done.stderr and path + ".part" in done.stderr,
           lambda: f"status {done.returncode}: {done.stderr!r}")
    expect(open(path, encoding="ascii").read() == "old", "what was there before is lost")


def always_full(ctx, python):
    """A file to which nothing can be written: this is reported before anything is started."""
    folder = ctx.new_folder("dev-full")
    started = os.path.join(folder, "started")
    done = run(ctx, "record", "-o", "/dev/full", "--", *python.command, "-S", "-c", f"open({started!r}, 'w')")
    expect(done.returncode == 1 and "/dev/full" in done.stderr, lambda: f"status {done.returncode}: {done.stderr!r}")
    expect(not os.path.exists(started), "the program was started for a file that cannot be written")


def reader_leaves(ctx, python):
    """A pipe whose reader closes it early: this is no failure, and the program does not notice."""
    for status in (0, 5):
        with subprocess.Popen([ctx.auditview, "record", "-o", "-", "--", *python.command, "-S", "-c", MANY.replace("5)", f"{status})") % 100000],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            p.stdout.read(100)
            p.stdout.close()
            err = p.stderr.read().decode()
            p.wait(harness.GUARD)
        expect(p.returncode == status and "roken pipe" not in err and said(err)[2] == "yes", lambda: f"status {p.returncode}: {err!r}")


def hang_up(ctx, python):
    """The terminal, or the pipe, on which events are printed is closed: this is no failure, whatever is noticed first, the
    signal or the error of a write."""
    for way in ("terminal", "pipe"):
        for _ in range(3):
            with Ticks(ctx, python) as t:
                master, stdout = pty.openpty() if way == "terminal" else os.pipe()
                with subprocess.Popen([ctx.auditview, "print", "-p", str(t.pid)], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                                      text=True, start_new_session=True) as p:
                    os.close(stdout)
                    os.read(master, 100)
                    os.close(master)
                    err = p.communicate(timeout=harness.GUARD)[1]
                expect(p.returncode == 0 and said(err)[2] == "yes" and "cannot write" not in err, lambda: f"{way}: status {p.returncode}: {err!r}")
                t.end()


# ---- the recorder dies, or is stopped ----

def recorder_killed(ctx, python):
    """A killed recorder reports nothing: unknown facts are not claimed, and the events in the file are counted."""
    with Ticks(ctx, python) as t:
        with subprocess.Popen([ctx.auditview, "print", "-F", "json", "-p", str(t.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as viewer:
            wait_for(lambda: foreign_maps(maps_of(t.pid)), 20, "the probe")
            time.sleep(0.7)
            os.kill(recorder_of(viewer.pid), signal.SIGKILL)
            out, err = viewer.communicate(timeout=harness.GUARD)
        events, lost, restored = said(err)
        expect((events, lost, restored) == (len(out.splitlines()), None, "unknown"), lambda: f"{len(out.splitlines())} lines came; {err!r}")
        expect(viewer.returncode == 1 and "SIGKILL" in err and f"-p {t.pid}" in err, lambda: f"status {viewer.returncode}: {err!r}")
        with Screen([ctx.auditview, "--no-config", "-p", str(t.pid)], screen_home(ctx)) as s:
            s.wait(b"victim.mark")
            time.sleep(0.5)
            os.kill(recorder_of(s.pid), signal.SIGKILL)
            s.wait(b"recorder gone")
            s.send(b"Q")
            status, text = s.wait_end()
        path = re.search(r"(/\S+\.avc)$", text, re.M)
        events, lost, restored = said(text)
        expect(path and events == held(ctx, path.group(1)) and lost is None and restored == "unknown" and status == 1, lambda: f"{status}: {text!r}")
        with Recorder(ctx, t.pid, "--duration", "200ms") as last: # what the message recommended
            harness.expect_goodbye(last.wait(), min_events=0)
        expect(not foreign_maps(maps_of(t.pid)), lambda: f"left behind: {foreign_maps(maps_of(t.pid))}")
        t.end()


SAME_PID = """
import os, subprocess, sys, time
auditview, path, *target = sys.argv[1:]
def record(more):
    with open("/proc/sys/kernel/ns_last_pid", "w") as f: f.write("5000")
    return subprocess.Popen([auditview, "record", "-p", str(process.pid), *more], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
process = subprocess.Popen(target, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
time.sleep(0.3)
first = record(["-o", path + ".1"])
end = time.monotonic() + 20
while "/dev/zero" not in open("/proc/%d/maps" % process.pid).read() and time.monotonic() < end: time.sleep(0.01)
time.sleep(0.2)
first.kill(); first.wait()
second = record(["-o", path, "--limit", "20"])
text = second.communicate(timeout=120)[1]
process.kill()
print(first.pid, second.pid, second.returncode, text)
"""


def recorder_with_same_pid(ctx, python):
    """The pid of a killed recorder is now that of the next one, as in a container that runs nothing else."""
    folder = ctx.new_folder("same-pid")
    code = "import sys, time\nwhile True: sys.audit('victim.mark'); time.sleep(0.01)"
    done = subprocess.run(["unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child", sys.executable, "-c", SAME_PID, ctx.auditview,
                           os.path.join(folder, "x.avc"), *python.command, "-S", "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120)
    if "unshare" in done.stderr or "ns_last_pid" in done.stderr:
        raise Skip("no pid namespace, or pids cannot be chosen in it: " + done.stderr.strip()[-100:])
    first, second, status, text = done.stdout.split(" ", 3)
    if first != second:
        raise Skip(f"another process took the pid: {first}, {second}")
    expect(status == "0" and said(text)[0] > 0 and said(text)[2] == "yes", lambda: f"status {status}: {text!r}")


def recorder_of_try_killed(ctx, python):
    """If the recorder of try or of a lesson is killed, what is shown must not pass for everything that was raised."""
    folder = ctx.new_folder("try-killed")
    runs, stop = (os.path.join(folder, name) for name in ("runs", "stop"))
    code = f"import os, time\nopen({runs!r}, 'w')\nwhile not os.path.exists({stop!r}): time.sleep(0.05)"
    with subprocess.Popen([ctx.auditview, "try", "-c", code, "--python", python.command[0]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as p:
        try:
            recorder = recorder_of(p.pid)
            wait_for(lambda: os.path.exists(runs), harness.GUARD, "the code to run")
            os.kill(recorder, signal.SIGKILL)
        finally:
            open(stop, "w").close()
        out, err = p.communicate(timeout=harness.GUARD)
    expect(p.returncode == 1 and said(err)[1:] == (None, "unknown") and "SIGKILL" in err, lambda: f"status {p.returncode}: {err!r}, {out[-200:]!r}")


def recorder_stopped(ctx, python):
    """The recorder does not answer: the viewer ends anyway, and says so; once the recorder is continued, it detaches by
    itself."""
    with Ticks(ctx, python) as t:
        path = os.path.join(ctx.new_folder("stopped"), "stderr") # not a pipe: the recorder would hold it open
        with open(path, "w+", encoding="utf-8") as stderr, \
                subprocess.Popen([ctx.auditview, "print", "-p", str(t.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=stderr) as viewer:
            wait_for(lambda: foreign_maps(maps_of(t.pid)), 20, "the probe")
            time.sleep(0.5)
            recorder = recorder_of(viewer.pid)
            os.kill(recorder, signal.SIGSTOP)
            try:
                viewer.terminate()
                viewer.wait(harness.GUARD)
                err = open(path, encoding="utf-8").read()
                expect(viewer.returncode == 1 and said(err)[1:] == (None, "unknown") and str(recorder) in err, lambda: f"status {viewer.returncode}: {err!r}")
            finally:
                os.kill(recorder, signal.SIGCONT)
        wait_for(lambda: not os.path.exists(f"/proc/{recorder}"), 30, "the recorder to leave")
        expect(not foreign_maps(maps_of(t.pid)), lambda: f"left behind: {foreign_maps(maps_of(t.pid))}")
        t.end()


def killed_in_an_event(ctx, python):
    """The target is killed while it waits for room in the ring: that event was raised, and is not in the file."""
    for _ in range(20):  # on a busy machine the ring may not be full in time
        if killed_while_waiting(ctx, python):
            return
    raise Fail("it never waited when it was killed")


def killed_while_waiting(ctx, python):
    path = os.path.join(ctx.new_folder("torn"), "x.avc")
    code = "import sys\nprint('ready', flush=True)\nwhile True: sys.audit('victim.mark', 'x' * 3000)"
    with subprocess.Popen([*python.command, "-S", "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as target:
        target.stdout.readline()
        with subprocess.Popen([ctx.auditview, "record", "-p", str(target.pid), "-o", path], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True) as recorder:
            try:
                wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 4096, 20, "events")
                recorder.send_signal(signal.SIGSTOP)
                # the ring fills within some tens of milliseconds; after a second the target would no longer wait
                time.sleep(0.4)
            finally:
                target.kill()
                recorder.send_signal(signal.SIGCONT)
            err = recorder.communicate(timeout=harness.GUARD)[1]
    events, lost, restored = said(err)
    expect((events, restored) == (held(ctx, path), "yes"), lambda: f"{held(ctx, path)} events are held: {err!r}")
    return lost == 1 and "killed while writing" in err


def viewer_killed(ctx, python):
    """The viewer is killed: its recorder detaches by itself, and the target is restored."""
    for command in (["print"], ["record", "-o", os.path.join(ctx.new_folder("killed"), "x.avc")]):
        with Ticks(ctx, python) as t:
            with subprocess.Popen([ctx.auditview, *command, "-p", str(t.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) as viewer:
                wait_for(lambda: foreign_maps(maps_of(t.pid)), 20, "the probe")
                recorder = recorder_of(viewer.pid) if command == ["print"] else None
                viewer.kill()
            if recorder:
                wait_for(lambda: not os.path.exists(f"/proc/{recorder}") or harness.status_of(recorder, "State")[0] == "Z", 30, "the recorder to leave")
                expect(not foreign_maps(maps_of(t.pid)), lambda: f"left behind: {foreign_maps(maps_of(t.pid))}")
            t.end()


EXEC = """
import os, sys, time
go, stop = sys.argv[1:3]
if sys.argv[3:] == ["again"]:
    while not os.path.exists(stop): sys.audit("victim.again"); time.sleep(0.01)
    sys.exit(7)
print("ready", os.getpid(), flush=True)
while not os.path.exists(go): sys.audit("victim.mark"); time.sleep(0.01)
os.execv(sys.executable, [sys.executable, "-S", __file__, go, stop, "again"])
"""


def exec_unfollowed(ctx, python):
    """A process that is not followed executes another program: that is said, and of the other program no part is
    recorded."""
    folder = ctx.new_folder("exec")
    script = os.path.join(folder, "program.py")
    with open(script, "w") as f:
        f.write(EXEC)
    for way in ("attached", "launched"):
        path, go, stop = (os.path.join(folder, way + end) for end in (".avc", ".go", ".stop"))
        if way == "attached":
            with subprocess.Popen([*python.command, "-S", script, go, stop], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as target:
                try:
                    target.stdout.readline()
                    with Recorder(ctx, target.pid) as recorder:
                        recorder.wait_linked()
                        open(go, "w").close()
                        text, path = recorder.wait(), recorder.path  # while the other program runs
                finally:
                    for name in (go, stop):
                        open(name, "w").close()
                expect(target.wait(harness.GUARD) == 7, lambda: f"the target ended with {target.returncode}")
            expect("(it executed another program)" in text, lambda: f"{text!r}")
        else:
            open(go, "w").close()
            recorder = subprocess.Popen([ctx.auditview, "record", "-o", path, "--no-follow", "--", *python.command, "-S", script, go, stop],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            try:  # the recorder sees it while the other program runs
                wait_for(lambda path=path: "executed another program" in run(ctx, "print", path).stdout, 20, "the note of the exec")
            finally:
                open(stop, "w").close()
                text = recorder.communicate(timeout=harness.GUARD)[1]
            expect(recorder.returncode == 7, lambda: f"{recorder.returncode}: {text!r}")
        expect("it has executed another program, and is not followed" in text and said(text)[2] == "yes", lambda: f"{way}: {text!r}")
        expect(not Capture(ctx, path).named("victim.again"), f"{way}: a part of the other program is recorded")


# ---- what cannot be read ----

UNREADABLE = """
import ctypes, os, subprocess, sys, time
how, stop, tool = sys.argv[1:4]
print("ready", os.getpid(), flush=True)
while not os.path.exists(stop + "-go"):
    sys.audit("victim.mark", 0); time.sleep(0.02)
def undumpable(): ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
if how == "itself": undumpable()
elif how == "child" and os.fork() == 0: undumpable()
elif how == "exec": os.execv(tool, [tool, "1000"])
elif how == "tool": child = subprocess.Popen([tool, "1000"])
print("done", flush=True)
while not os.path.exists(stop):
    sys.audit("victim.mark", 1); time.sleep(0.02)
if how == "tool": child.kill()
os._exit(7)
"""


def runs_as_nobody(python):
    return subprocess.run([*BECOME_NOBODY, *python.command, "-S", "-c", ""], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def left_when_unreadable(ctx, binary, pid, how, stop, target):
    """Record the target until it has done that. Returns the recorder's status, and what it said."""
    with subprocess.Popen([*BECOME_NOBODY, binary, "record", "-p", str(pid), "-o", os.path.join(os.path.dirname(binary), how + ".avc")],
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as recorder:
        try:
            wait_for(lambda: harness.hooks_of(ctx, pid) or recorder.poll() is not None, harness.GUARD, "the hook")
            open(stop + "-go", "w").close()
            if how == "exec":  # the recorder ends with the program
                wait_for(lambda: harness.status_of(pid, "Name") == "set-uid-sleep", harness.GUARD, "the exec")
            else:
                expect(target.stdout.readline() == "done\n", f"{how}: the target has ended")
                recorder.send_signal(signal.SIGINT)
            return recorder.wait(harness.GUARD), recorder.stderr.read()
        finally:
            kill(recorder)


def unreadable(ctx, python):
    """A target that its own user may no longer read: the goodbye line says "yes" only if that is proved."""
    ctx.needs_setpriv()
    python = next((p for p in [python, *ctx.pythons] if runs_as_nobody(p)), None)
    if not python:
        raise Skip("no Python here that another user may run")
    binary = ctx.copy_for_all()
    folder = os.path.dirname(binary)
    tool = os.path.join(folder, "set-uid-sleep")
    shutil.copy(shutil.which("sleep"), tool)
    os.chmod(tool, 0o4755)
    for how, answer in (("itself", "no"), ("child", "unknown"), ("exec", "yes"), ("tool", "yes")):
        stop = os.path.join(folder, "stop-" + how)
        with subprocess.Popen([*BECOME_NOBODY, *python.command, "-S", "-c", UNREADABLE, how, stop, tool], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, start_new_session=True) as target:
            try:
                pid = int(target.stdout.readline().split()[1])
                status, text = left_when_unreadable(ctx, binary, pid, how, stop, target)
                restored = said(text)[2]
                ours = foreign_maps(maps_of(pid))
                expect(restored == answer, lambda: f"{how}: restored: {restored}, expected {answer}: {text!r}")
                expect(status == (0 if answer == "yes" else 1), lambda: f"{how}: status {status}: {text!r}")
                expect(bool(ours) == (how == "itself"), lambda: f"{how}: the test is broken: {ours}")
                expect(answer == "yes" or str(pid) in text or how == "child", lambda: f"{how}: {text!r}")
                if how == "itself": # root removes what is left
                    with Recorder(ctx, pid, "--duration", "200ms") as last:
                        harness.expect_goodbye(last.wait(), min_events=0)
                    expect(not foreign_maps(maps_of(pid)), lambda: f"left behind: {foreign_maps(maps_of(pid))}")
                open(stop, "w").close()
                status = target.wait(harness.GUARD) if how != "exec" else 7
                expect(status == 7, f"{how}: the target ended with {status}")
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(target.pid, signal.SIGKILL)


# ---- signals ----

def signals(ctx, python):
    """Each command that records ends on each signal that asks it to: the target is detached from, and the goodbye line
    is printed."""
    commands = {"record": lambda t, f: ["record", "-o", os.path.join(f, "x.avc"), "-p", str(t.pid)], "print": lambda t, f: ["print", "-p", str(t.pid)]}
    for name, command in commands.items():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with Ticks(ctx, python) as t:
                with subprocess.Popen([ctx.auditview, *command(t, ctx.new_folder(name))], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, text=True, start_new_session=True) as p:
                    wait_for(lambda: foreign_maps(maps_of(t.pid)), 20, "the probe")
                    time.sleep(0.2)
                    p.send_signal(signal.SIGPIPE) # SIGPIPE does not end it
                    p.send_signal(number)
                    err = p.communicate(timeout=harness.GUARD)[1]
                expect(p.returncode == 0 and said(err)[1:] == (0, "yes"), lambda: f"{name}, {number.name}: status {p.returncode}: {err!r}")
                expect(not foreign_maps(maps_of(t.pid)), lambda: f"{name}, {number.name}: left behind: {foreign_maps(maps_of(t.pid))}")
                t.end()


def interrupted_at_terminal(ctx, python):
    """Ctrl-C on the terminal that the program shares: the program's end is recorded; on a second Ctrl-C, the recorder
    detaches."""
    # The end of the terminal's session sends it a SIGHUP.
    code = "import sys, time, signal\nsignal.signal(2, signal.SIG_IGN)\nsignal.signal(1, signal.SIG_IGN)\nfor i in range(4000): sys.audit('victim.mark', i); time.sleep(0.05)\nsys.exit(7)"
    for command in (["record", "-o", os.path.join(ctx.new_folder("ctrl-c"), "x.avc")], ["print"]):
        with Screen([ctx.auditview, *command, "--", *python.command, "-S", "-c", code]) as s:
            program = wait_for(lambda: next((p for p in all_below(s.pid) if "python" in (harness.status_of(p, "Name") or "")), None), 20, "the program")
            wait_for(lambda: foreign_maps(maps_of(program)), 20, "the probe")
            wait_for(lambda: int(harness.status_of(program, "SigIgn"), 16) & 3 == 3, harness.GUARD, "the program to ignore signals")
            # Each of two signals counts if the first one has been taken when the second one comes.
            recorders = [p for p in [s.pid, *all_below(s.pid)] if harness.status_of(p, "Name") in ("auditview", "auditview-rec")]
            s.send(b"\x03")
            time.sleep(0.3)
            wait_for(lambda: not any(is_pending(p, signal.SIGINT) for p in recorders), harness.GUARD, "the signal to be taken")
            expect(foreign_maps(maps_of(program)), f"{command[0]}: the first Ctrl-C left a program that continues")
            s.send(b"\x03")
            status, text = s.wait_end()
            expect(status == 0 and said(text)[1:] == (0, "yes"), lambda: f"{command[0]}: status {status}: {text!r}")
            expect(os.path.exists(f"/proc/{program}") and not foreign_maps(maps_of(program)), f"{command[0]}: the program was not left")
            os.kill(program, signal.SIGKILL)


def is_pending(pid, number):
    """Has the process, or its first thread, a signal that it has not taken yet?"""
    try:
        return any(int(harness.status_of(pid, field) or "0", 16) >> number - 1 & 1 for field in ("SigPnd", "ShdPnd"))
    except (FileNotFoundError, ProcessLookupError):
        return False


def all_below(pid):
    found = children_of(pid)
    for p in found:
        found += children_of(p)
    return found


def try_interrupted(ctx, python):
    """Ctrl-C while try's code runs: its events up to then are shown, and no file stays."""
    folder = ctx.new_folder("try")
    with Screen([ctx.auditview, "try", "--python", python.command[0], "-c", "import sys, time\nopen('/dev/null')\nprint('here', flush=True)\ntime.sleep(60)"],
                {"TMPDIR": folder}) as s:
        s.wait(b"here")
        s.send(b"\x03")
        status, text = s.wait_end()
    expect(status == 130 and "/dev/null" in text, lambda: f"status {status}: {text[-400:]!r}")
    expect(not os.listdir(folder), lambda: f"left behind: {os.listdir(folder)}")


# ---- the screen ----

def leave_screen(ctx, python, times):
    """Every way to leave the screen, many times: each prints the goodbye line and returns the right status."""
    env = screen_home(ctx)
    for way in (b"Q", b"q", b"DRQ"):
        for _ in range(times):
            with Ticks(ctx, python) as t:
                with Screen([ctx.auditview, "--no-config", "-p", str(t.pid)], env) as s:
                    s.wait(b"victim.mark")
                    for key in way:
                        s.send(bytes([key]))
                    status, text = s.wait_end()
                expect(status == 0 and said(text)[1:] == (0, "yes"), lambda: f"attached, {way}: status {status}: {text!r}")
                t.end()
        for _ in range(times):
            stop = os.path.join(ctx.new_folder("stop"), "stop")
            with Screen([ctx.auditview, "--no-config", "--on-exit", "term", "--", *python.command, "-S", "-c", TICKS, "60", stop], env) as s:
                s.wait(b"victim.mark")
                for key in way:
                    s.send(bytes([key]))
                status, text = s.wait_end()
                expect(status == 128 + signal.SIGTERM and "(it has ended)" in text and said(text)[1:] == (0, "yes"),
                       lambda: f"launched, {way}: status {status}: {text!r}")


WRITER = """
import os, signal, sys, time
log = open(sys.argv[1], "w", buffering=1)
signal.signal(signal.SIGHUP, lambda *a: log.write("SIGHUP\\n"))
print("pid", os.getpid(), file=log)
n, count = 0, os.open(sys.argv[1] + ".n", os.O_RDWR | os.O_CREAT)
while not os.path.exists(sys.argv[1] + ".stop"):
    n += 1
    os.pwrite(count, b"%9d" % n, 0)
    sys.audit("victim.mark", 1)
    try:
        print("a line that fills the queue of a terminal that nobody reads " * 4, flush=True)
    except OSError as what:
        log.write("failed: %s\\n" % what)
    if not os.isatty(1) or not os.isatty(0):
        log.write("no terminal\\n")
    time.sleep(0.002)
log.write("done\\n")
"""


def lives_on(ctx, python):
    """A program that was detached by "d detach", or whose viewer is killed or hung up, keeps its terminal until it
    ends."""
    for way in ("d", "SIGKILL", "SIGHUP", "--on-exit=detach"):
        log = os.path.join(ctx.new_folder("writer"), "log")
        options = [way] if way.startswith("-") else []
        with Screen([ctx.auditview, "--no-config", *options, "--", *python.command, "-S", "-c", WRITER, log], screen_home(ctx)) as s:
            s.wait(b"victim.mark")
            program = int(open(log).readline().split()[1])
            keeper = wait_for(lambda: next((p for p in children_of(s.pid) if harness.status_of(p, "Name") == "auditview-tty"), None), 10, "the keeper")
            if way.startswith("SIG"):
                os.kill(s.pid, getattr(signal, way))
            else:
                s.send(b"Q")
                if way == "d":
                    s.wait(b"detach")
                    s.send(b"d")
            status, text = s.wait_end()
        if way != "SIGKILL":
            expect(status == 0 and str(keeper) in text and said(text)[2] == "yes", lambda: f"{way}: status {status}: {text!r}")
        wait_for(lambda: not foreign_maps(maps_of(program)), 20, f"{way}: the probe to be taken out")
        rss = int(harness.status_of(keeper, "VmRSS").split()[0])
        expect(rss < 8192 or os.environ.get("ASAN_OPTIONS"), f"{way}: the keeper takes {rss} kB")

        def n_written():
            return int(open(log + ".n").read() or 0)
        n = n_written()
        # More than a terminal holds: it would wait for ever if nobody read.
        wait_for(lambda: n_written() > n + 500, harness.GUARD, f"{way}: the program to write on")
        open(log + ".stop", "w").close()
        wait_for(lambda: "done" in open(log).read(), 60, f"{way}: the program to end by itself")
        lines = open(log).read().split("\n")[1:]
        expect(lines == ["done", ""], lambda: f"{way}: the program noticed: {lines[:5]}")
        wait_for(lambda: not os.path.exists(f"/proc/{keeper}") or harness.status_of(keeper, "State")[0] == "Z", 20, f"{way}: the keeper to end")


def on_exit(ctx, python):
    """wait (chosen on the screen), term, kill: the exit status is the program's own."""
    for way, status in (("w", 7), ("t", 128 + 15), ("k", 128 + 9), ("--on-exit=term", 128 + 15), ("--on-exit=kill", 128 + 9)):
        stop = os.path.join(ctx.new_folder("stop"), "stop")
        code = "import sys\nprint('x' * 300000, flush=True)\n" + TICKS if way == "w" else TICKS
        options = [way] if way.startswith("-") else []
        with Screen([ctx.auditview, "--no-config", *options, "--", *python.command, "-S", "-c", code, "3" if way == "w" else "60", stop],
                    screen_home(ctx)) as s:
            s.wait(b"victim.mark")
            s.send(b"Q")
            if not options:
                s.wait(b"detach")
                s.send(way.encode())
            seen, text = s.wait_end()
            expect(seen == status and said(text)[1:] == (0, "yes"), lambda: f"{way}: status {seen}, expected {status}: {text!r}")


def unknown_terminal(ctx, python):
    """A terminal of unknown type is reported before anything is started."""
    folder = ctx.new_folder("term")
    started, path = os.path.join(folder, "started"), os.path.join(folder, "x.avc")
    for term in (None, "", "no-such-terminal"):
        for command in (["-o", path, "--", *python.command, "-S", "-c", f"open({started!r}, 'w')"],
                        ["try", "--screen", "--python", python.command[0], "-c", f"open({started!r}, 'w')"]):
            with Screen([ctx.auditview, *command], {"TERM": term or "", "HOME": folder, "XDG_CACHE_HOME": folder}) as s:
                status, text = s.wait_end()
            expect(status in (1, 2) and "TERM" in text, lambda: f"TERM={term}: status {status}: {text!r}")
            expect(not os.listdir(folder), lambda: f"TERM={term}: {os.listdir(folder)}")


def odd_terminals(ctx, _python):
    """A terminal of 65,535 × 65,535 cells is drawn on in part, at the start and later. A paste without an end does not keep the keys for
    itself."""
    folder = ctx.new_folder("odd")
    path = os.path.join(folder, "x.avc")
    with open(path + ".jsonl", "w", encoding="ascii") as f:
        f.write('{"event":"an.event","args":[1]}\n' * 50)
    run(ctx, "import", path + ".jsonl", "-o", path)
    home = {"HOME": folder, "XDG_CACHE_HOME": folder}
    for sizes in ([(65535, 65535), (24, 80)], [(24, 80), (1, 65535), (65535, 1), (65535, 65535), (24, 80)]):
        with Screen([ctx.auditview, "--no-config", path], home) as s:
            for lines, columns in sizes:
                fcntl.ioctl(s.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
                if s.out:
                    s.pump(2)
                else:
                    s.wait(b"an.event")
            s.send(b"Q")
            status, text = s.wait_end()
            expect(status == 0, lambda: f"sizes {sizes}: status {status}: {text[-300:]!r}")
    with Screen([ctx.auditview, "--no-config", path], home) as s:
        s.wait(b"an.event")
        s.send(b"\x1b[200~QQ" + b"\xff\xfe" * 500)
        end = time.monotonic() + harness.GUARD
        while s.status is None and time.monotonic() < end:  # it is drawn before Escape comes; how long that takes is not said
            s.pump(1.5)
            s.send(b"\x1b")
            s.pump(1.5)
            s.send(b"Q")
            with contextlib.suppress(Fail):
                s.wait_end(2)
        expect(s.status == 0, lambda: f"status {s.status}: {s.out[-300:]!r}")


def other_processes(ctx, python):
    """To leave, every process of the machine is asked whether it has the ring: that takes few system calls for each."""
    if not shutil.which("strace"):
        raise Skip("strace is not here")
    most, n = 3, 40
    log = os.path.join(ctx.new_folder("calls"), "strace")
    others = [subprocess.Popen(["sleep", "1000"]) for _ in range(n)]
    try:
        with Victim(ctx, python, "sleeping") as v:
            # LeakSanitizer does not work in a program that is traced.
            recorder = Recorder(ctx, v.pid, prefix=("env", "ASAN_OPTIONS=detect_leaks=0", "strace", "-f", "-qq", "-ttt", "-e", "trace=%file", "-o", log))
            recorder.wait_linked()
            began = time.time()
            with open(f"/proc/{recorder.process.pid}/task/{recorder.process.pid}/children", encoding="ascii") as file:
                os.kill(int(file.read().split()[0]), signal.SIGINT)
            recorder.wait(harness.GUARD)
            v.stop()
    finally:
        for process in others:
            kill(process)
    asked = {process.pid: 0 for process in others}
    with open(log, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = re.match(r'\d+ +([\d.]+) \w+\([^"]*"/proc/(\d+)/', line)
            if match and float(match.group(1)) > began and int(match.group(2)) in asked:
                asked[int(match.group(2))] += 1
    expect(min(asked.values()) > 0, "a process was not asked")
    expect(max(asked.values()) <= most, lambda: f"{max(asked.values())} system calls name one other process, at most {most} are needed")


def signal_as_screen_opens(ctx, python):
    """A signal that ends the program before the screen is there: the terminal is as it was, also while its answer to a
    question is awaited."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        with Ticks(ctx, python) as t:
            with Screen([ctx.auditview, "--no-config", "-p", str(t.pid)], {**screen_home(ctx), "TERM": "screen"}) as s:
                before = termios.tcgetattr(s.master)
                s.wait(b"\x1b[c")  # it asks, and gets no answer
                os.kill(s.pid, number)
                status, _ = s.wait_end()
                expect(termios.tcgetattr(s.master)[:4] == before[:4], lambda: f"{number.name}: the terminal was left in raw mode (status {status})")
            t.end()


def cells(ctx):
    python = ctx.some_pythons(12)[0]
    for function in (full_disk, write_fails, always_full, reader_leaves, hang_up, recorder_killed, recorder_with_same_pid, recorder_of_try_killed, recorder_stopped,
                     killed_in_an_event, viewer_killed, exec_unfollowed, unreadable, signals, interrupted_at_terminal,
                     try_interrupted, lives_on, on_exit, unknown_terminal, odd_terminals, signal_as_screen_opens,
                     other_processes):
        yield function.__name__.replace("_", " "), python, lambda f=function: f(ctx, python)
    for blocks in (50, 600):
        yield f"file size limit, {blocks} KiB", python, lambda n=blocks: file_size_limit(ctx, python, n)
    yield "leave the screen", python, lambda: leave_screen(ctx, python, 50 if ctx.full else 2)
