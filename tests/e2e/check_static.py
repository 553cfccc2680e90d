"""static: the program as one file (-Dprefer_static=true), in a root that has this file and /proc, and nothing else.

Building it takes minutes, so these cells are in --full alone. If AUDITVIEW_STATIC names a program that was built so, it is used.
"""
import copy
import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import termios
import threading
import time

import check_musl
import harness
from check_containers import ALL, Inner, attached
from harness import Fail, Skip, Victim, expect, expect_same_maps, victim_path

MAX_BYTES = 12 << 20
LOCK = threading.Lock()
# "path" or "skip"; one build for all cells
BUILT = {"path": os.environ["AUDITVIEW_STATIC"]} if os.environ.get("AUDITVIEW_STATIC") else {}
# "$1": the root, then the command in it. Its /proc shows the processes of this machine, as in a container that shares its pids.
EMPTY = ["unshare", "--mount", "sh", "-c", 'mount -t proc proc "$1/proc" && exec chroot "$@"', "sh"]


def run(*command, **more):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def built(ctx):
    """The path of the static program."""
    with LOCK:
        if not BUILT:
            if not shutil.which("meson") or not shutil.which("infocmp"):
                BUILT["skip"] = "needs meson and infocmp"
                raise Skip(BUILT["skip"])
            folder = os.path.join(ctx.new_folder("static"), "build")
            done = run("meson", "setup", folder, harness.ROOT, "-Dprefer_static=true", "--buildtype=release", "-Dwerror=true")
            expect(done.returncode == 0, lambda: f"meson setup: {done.stdout[-2000:]}")
            done = run("ninja", "-C", folder, "auditview")
            if done.returncode and ("cannot find -l" in done.stdout or "attempted static link" in done.stdout):
                BUILT["skip"] = f"a static library is missing: {done.stdout[-300:]}"
            else:
                expect(done.returncode == 0, lambda: f"ninja: {done.stdout[-2000:]}")
                expect("warning:" not in done.stdout, lambda: f"warnings: {done.stdout[-2000:]}")
                BUILT["path"] = os.path.join(folder, "auditview")
    if "skip" in BUILT:
        raise Skip(BUILT["skip"])
    return BUILT["path"]


def need_rights():
    if os.geteuid():
        raise Skip("not root: cannot change the root")
    done = run(*EMPTY[:3], "-c", "true")
    if done.returncode:
        raise Skip(f"not allowed here: {done.stdout.strip()[-200:]}")


def empty_root(ctx):
    """Returns the root's path."""
    need_rights()
    program, root = built(ctx), ctx.new_folder("empty")
    os.mkdir(os.path.join(root, "proc"))
    shutil.copy(program, os.path.join(root, "auditview"))
    return root


def one_file(ctx):
    """Its size, and that no interpreter and no library is named in it."""
    path = built(ctx)
    expect(os.path.getsize(path) <= MAX_BYTES, lambda: f"{os.path.getsize(path)} bytes")
    headers = run("readelf", "-lWd", path).stdout
    expect("INTERP" not in headers and "NEEDED" not in headers, headers)
    # These would ask the name service switch, which loads libraries.
    names = {line.split()[-1] for line in run("nm", path).stdout.splitlines()}
    wrong = names & {"getpwnam", "getpwuid", "getpwent", "getgrnam", "getgrouplist", "initgroups", "getaddrinfo"}
    expect(not wrong, f"it refers to {sorted(wrong)}")


def from_inside(ctx, python):
    """From an empty root: attach to a Python outside, doctor, the capture is read there, too; the target is untouched."""
    root = empty_root(ctx)

    def there(*words):
        return run(*EMPTY, root, "/auditview", *words, timeout=harness.GUARD, env={"HOME": "/"})
    with Victim(ctx, python, "busy") as v:
        before = v.maps()
        done = there("doctor", str(v.pid))
        expect(done.returncode == 0 and "ready" in done.stdout, done.stdout)
        done = there("record", "-o", "/run.avc", "--limit", "20", "-p", str(v.pid))
        expect(done.returncode == 0 and "target restored: yes" in done.stdout, done.stdout)
        expect_same_maps(before, v.maps(), False)
        v.stop()
    done = there("print", "/run.avc")
    expect(done.stdout.count("victim.mark") > 5 and "victim.py:" in done.stdout, done.stdout[-500:])
    done = run(*EMPTY, root, "/auditview", "explain", "os.fork", timeout=harness.GUARD, env={"HOME": "/", "LANG": "zh_CN.UTF-8"})
    expect("审计事件" in done.stdout, done.stdout)
    done = there("print", "-u", "nobody", "--", "/auditview", "--version")
    expect(done.returncode == 2 and "no such user" in done.stdout, done.stdout)


def from_outside(ctx):
    """It attaches to a Python of another root, in other namespaces, from outside."""
    need_rights()
    other = copy.copy(ctx)
    other.auditview = built(ctx)
    attached(other, Inner(14), ALL)


# "$1": the root, then what it is to have in it, then "--" and the command.
MUSL_ROOT = ["unshare", "--mount", "sh", "-c", """
root=$1
shift
while [ "$1" != -- ]; do
	mkdir -p "$root$1" && mount --bind "$1" "$root$1" || exit 125
	shift
done
shift
mount -t proc proc "$root/proc" && exec chroot "$root" "$@"
""", "sh"]


def in_musl_root(ctx):
    """A root as Alpine has it, of musl's loader, a Python linked with it and /proc: attached to from outside and from inside."""
    python = check_musl.Built(False).python(ctx)
    root = empty_root(ctx)
    os.mkdir(os.path.join(root, "lib"))
    shutil.copy(os.path.realpath(check_musl.LOADER), root + check_musl.LOADER)
    has = [os.path.join(check_musl.CACHE, "musl"), harness.VICTIMS, ctx.folder]
    with Victim(ctx, python, "busy", prefix=[*MUSL_ROOT, root, *has, "--"]) as v:
        before, folder = v.maps(), ctx.new_folder("musl-root")
        expect("ld-musl" in before and "libc.so.6" not in before, before)
        inside = ["nsenter", "-t", str(v.pid), "--mount", "--root", "--", "/auditview"]
        for where, program in ("outside", [built(ctx)]), ("inside", inside):
            done = run(*program, "doctor", str(v.pid), timeout=harness.GUARD, env={"HOME": "/", "PATH": os.environ["PATH"]})
            expect(done.returncode == 0 and "ready" in done.stdout, lambda: f"{where}: {done.stdout}")
            path = os.path.join(folder, where + ".avc")
            done = run(*program, "record", "-o", path, "--limit", "20", "-p", str(v.pid), timeout=harness.GUARD,
                       env={"HOME": "/", "PATH": os.environ["PATH"]})
            expect(done.returncode == 0 and "target restored: yes" in done.stdout, lambda: f"{where}: {done.stdout}")
            done = run(*program, "print", path, timeout=harness.GUARD, env={"HOME": "/", "PATH": os.environ["PATH"]})
            expect(done.stdout.count("victim.mark") > 5 and "victim.py:" in done.stdout, lambda: f"{where}: {done.stdout[-500:]}")
        expect_same_maps(before, v.maps(), False)
        v.stop()


def launches(ctx, python):
    """It launches, with names of C++ functions, as the other one does."""
    done = run(built(ctx), "print", "--stack", "both", "-F", "json", "--", *python.command, victim_path("busy"), "--rounds", "3", timeout=harness.GUARD)
    expect("victim.mark" in done.stdout and "target restored: yes" in done.stdout, done.stdout[-500:])


def screen(ctx, terminal):
    """The screen opens in an empty root, where terminfo has nothing, and leaves TERMINFO alone."""
    root = empty_root(ctx)
    pid, fd = pty.fork()
    if pid == 0:
        os.execve("/usr/bin/env", ["env", "-i", "PATH=" + os.environ["PATH"], "TERM=" + terminal, "HOME=/", "LANG=C.UTF-8", *EMPTY, root, "/auditview"],
                  {})
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    seen, end, asked = b"", time.monotonic() + 60, False
    try:
        while time.monotonic() < end:
            if select.select([fd], [], [], 1)[0]:
                try:
                    part = os.read(fd, 65536)
                except OSError:
                    part = b""
                if not part:
                    break
                seen += part
            if b"What pip really opens" in seen and not asked:
                asked = True
                os.write(fd, b"q")
    finally:
        os.close(fd)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if terminal == "nothing-known":
        expect(status != 0 and b"is not known" in seen, lambda: f"{status}: {seen[-500:]!r}")
    elif not asked or status:
        raise Fail(f"status {status}: {seen[-1500:]!r}")


def cells(ctx):
    if not ctx.full:
        return
    one = ctx.some_pythons(11)[0]
    yield "one file", None, lambda: one_file(ctx)
    yield "attach from an empty root", one, lambda: from_inside(ctx, one)
    yield "attach from outside", None, lambda: from_outside(ctx)
    yield "attach in a root of musl", None, lambda: in_musl_root(ctx)
    yield "launch", one, lambda: launches(ctx, one)
    for terminal in ("xterm-256color", "screen-256color", "linux", "nothing-known"):
        yield f"screen of {terminal} in an empty root", None, lambda t=terminal: screen(ctx, t)
