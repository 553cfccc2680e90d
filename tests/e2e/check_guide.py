"""guide: each command of data/doc/guide.md and data/doc/ci.md is run, and prints what the page shows.

A block ```console stands below a marker: <!-- run -->, <!-- run: full, pip --> (only with --full; only where this Python
has pip and setuptools), <!-- run: strace --> (only where that is), or <!-- run: container -->: the block is run by a cell of
its own, in a terminal, with a Python that is process 1 of its own namespace, and stand-ins for docker and kubectl. A block below <!-- file: NAME --> is written into the folder.
A shown line must be among those that were printed, in this order. In it a number stands for any number, white space
for any, … at the end for the rest of the line, and a line … for any lines.
"""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import harness
from harness import Fail, Skip, Victim, expect

PAGES = os.path.join(harness.ROOT, "data", "doc")
PORT = "8077"
BLOCK = re.compile(r"(?:^<!-- (?P<marker>[^\n]+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S)


def blocks(page):
    """Return [(marker, kind, text)] of a page."""
    with open(os.path.join(PAGES, page), encoding="utf-8") as f:
        found = [(m["marker"], m["kind"], m["text"]) for m in BLOCK.finditer(f.read())]
    for marker, kind, text in found:
        what = text.split("\n")[0]
        expect(marker, f"the block that begins with {what!r} has no marker")
        if kind == "console":
            expect(re.fullmatch(r"run(: (full, pip|strace|container))?", marker), f"{what!r}: unknown marker {marker!r}")
        else:
            expect(marker.startswith("file: "), f"{what!r}: unknown marker {marker!r}")
    return found


def commands_of(text):
    """Return [(command, [shown line])] of a console block."""
    steps = []
    for line in text.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def pattern_of(line):
    """The expression that a printed line fulfils."""
    line = line.replace(PORT, "0")
    parts = re.split(r"(\d[\d.]*|\s+|…)", line.strip())
    return re.compile(r"\s*" + "".join(
        r"\d[\d.]*" if re.match(r"\d", p) else r"\s+" if p.isspace() else ".*" if p == "…" else re.escape(p) for p in parts) + r"\s*")


def compare(command, shown, printed):
    """The shown lines are the printed ones, apart from what … stands for."""
    at, may_skip = 0, False
    for line in shown:
        if line.strip() == "…":
            may_skip = True
            continue
        pattern = pattern_of(line)
        if may_skip:
            while at < len(printed) and not pattern.fullmatch(printed[at]):
                at += 1
        expect(at < len(printed) and pattern.fullmatch(printed[at]),
               lambda: f"$ {command}\nthe guide shows {line!r}\nand these lines were printed: " + "\n".join(printed)[:3000])
        at, may_skip = at + 1, False
    expect(may_skip or at == len(printed), lambda: f"$ {command}\nthe guide does not show {printed[at]!r}")


def run_block(text, folder, env, port):
    steps = commands_of(text)
    script = "trap 'kill $(jobs -p) 2>/dev/null' EXIT\n"
    for i, (command, _) in enumerate(steps):
        script += f"echo '@@{i}'\n{command.replace(PORT, port)}\necho \"@=$?\"\n"
        if re.match(r"python3 .*& \w+=\$!$", command):  # a reader of the guide types slowly, and Python may start slowly
            script += f"for i in $(seq 600); do auditview doctor $! >/dev/null 2>&1 && break; sleep 0.1; done\n"
    process = subprocess.Popen(["bash", "-c", script], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace")
    try:
        out, _ = process.communicate(timeout=180 * harness.SLOW)
    except subprocess.TimeoutExpired as late:
        process.terminate()
        process.communicate()
        raise Fail(f"after 180 s these commands run still:\n{text}") from late
    for i, (command, shown) in enumerate(steps):
        one = re.search(rf"(?ms)^@@{i}\n(.*?)^@=(\d+)$", out)
        expect(one, lambda: f"$ {command}\nwas not reached: {out[-2000:]}")
        expect(one[2] == "0", lambda: f"$ {command}\nstatus {one[2]}: {one[1][-2000:]}")
        compare(command, shown, one[1].splitlines())


def has_pip(python):
    return not subprocess.run([*python.command, "-c", "import pip, setuptools"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=harness.GUARD).returncode


def can_strace():
    return shutil.which("strace") and not subprocess.run(["strace", "-o", "/dev/null", "true"], stdout=subprocess.DEVNULL,
                                                         stderr=subprocess.DEVNULL, timeout=harness.GUARD).returncode


def begin(ctx, python):
    """Returns the folder of the guide's reader, the folder of the programs that this reader has, and the environment."""
    if len(python.command) != 1:
        raise Skip("the loader is the program: the guide starts python3")
    folder = ctx.new_folder("guide")
    programs = ctx.new_folder("guide-path")
    os.symlink(ctx.auditview, os.path.join(programs, "auditview"))
    # A link would be another prefix to Python.
    with open(os.path.join(programs, "python3"), "w", encoding="utf-8") as f:
        f.write(f'#!/bin/sh\nexec "{python.command[0]}" "$@"\n')
    os.chmod(f.name, 0o755)
    env = {"PATH": programs + ":/usr/bin:/bin", "HOME": folder, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "PIP_NO_INPUT": "1"}
    return folder, programs, env


def follow_guide(ctx, python, page="guide.md", least=9):
    folder, _, env = begin(ctx, python)
    port, n_run = str(harness.free_port()), 0
    for marker, kind, text in blocks(page):
        if kind != "console":
            path = os.path.join(folder, marker[6:])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text.replace(PORT, port))
        elif marker.startswith("run"):
            if "full" in marker and not ctx.full or "pip" in marker and not has_pip(python) or "container" in marker:
                continue
            if "strace" in marker and not can_strace():
                continue
            run_block(text, folder, env, port)
            n_run += 1
    expect(n_run >= least, f"only {n_run} blocks were run: the markers are not found")


# The pod is the process $SHOP; a container beside it, in which $LOOK is its own folder, shares its pids.
STAND_INS = {"docker": """#!/bin/sh
[ "$*" = "inspect -f {{.State.Pid}} shop" ] || exit 2
echo $SHOP
""", "kubectl": """#!/bin/bash
verb=$1
shift
case $verb in
cp) [ "$2" = "shop-0:/auditview" ] && exec cp "$1" "$LOOK/auditview" ;;
debug | exec)
	while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
	[ "$1" = -- ] && shift || exit 2
	case "$verb $*" in
	"debug sleep 1d") exit 0 ;; # the container is begun
	*" /"*) set -- "$LOOK$@" ;;
	esac
	exec nsenter -t $SHOP -p unshare --mount sh -c 'mount -t proc proc /proc && exec "$@"' sh "$@" ;;
esac
exit 2
"""}
OPENS_SCREEN = re.compile(r"(^|\| |-- )auditview( -f)?( -p \S.*| --? ?\S*)$")
NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def run_on_screen(command, folder, env):
    """Run it in a terminal; when it shows events, q leaves."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve("/bin/bash", ["bash", "-c", command], {**env, "TERM": "xterm-256color"})
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 32, 110, 0, 0))
    seen, end, asked = b"", time.monotonic() + harness.GUARD, False
    try:
        while time.monotonic() < end:
            if not select.select([fd], [], [], 1)[0]:
                if asked:  # a program that ran when q came was asked about; once it has ended, q leaves
                    os.write(fd, b"q")
                continue
            try:
                part = os.read(fd, 65536)
            except OSError:  # the terminal is closed
                break
            if not part:
                break
            seen += part
            if not asked and re.search(rb"report\.py|victim\.mark", seen):
                asked = True
                os.write(fd, b"q")
        else:
            os.kill(pid, signal.SIGKILL)
            raise Fail(f"$ {command}\nevents seen: {asked}; it did not end: {seen[-1500:]!r}")
    finally:
        os.close(fd)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    expect(asked and status == 0, lambda: f"$ {command}\nevents seen: {asked}; status {status}: {seen[-1500:]!r}")


def follow_into_container(ctx, python):
    """The blocks that open a screen, or need Docker or a cluster; in the end the target is as it was."""
    if os.geteuid() or not shutil.which("nsenter"):
        raise Skip("needs root and nsenter")
    done = subprocess.run([*NAMESPACE, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
    if done.returncode:
        raise Skip(f"the kernel does not allow it: {done.stderr.strip()[-200:]}")
    folder, programs, env = begin(ctx, python)
    for name, text in STAND_INS.items():
        with open(os.path.join(programs, name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(f.name, 0o755)
    os.mkdir(os.path.join(folder, "build-static"))
    os.symlink(ctx.auditview, os.path.join(folder, "build-static", "auditview"))
    n_commands = n_screens = 0
    with Victim(ctx, python, "busy", prefix=NAMESPACE) as shop:
        env["SHOP"] = str(harness.children_of(shop.process.pid)[0])
        env["LOOK"] = ctx.new_folder("look")
        for marker, kind, text in blocks("guide.md"):
            if kind != "console":
                with open(os.path.join(ctx.new_folder("x") if "/" in marker else folder, os.path.basename(marker[6:])), "w", encoding="utf-8") as f:
                    f.write(text)
            elif marker == "run: container":
                for command, shown in commands_of(text):
                    n_commands += 1
                    if OPENS_SCREEN.search(command):
                        expect(not shown, f"$ {command}\nopens a screen, and the guide shows lines")
                        run_on_screen(command, folder, env)
                        n_screens += 1
                    else:
                        run_block("$ " + "\n".join([command, *(shown or ["…"])]), folder, env, PORT)
        expect(n_commands >= 7 and n_screens >= 4, f"only {n_commands} commands, {n_screens} screens: the markers are not found")
        maps = harness.maps_of(int(env["SHOP"]))
        expect(not harness.foreign_maps(maps), lambda: f"left in the target: {harness.foreign_maps(maps)}")
        shop.stop()


def cells(ctx):
    chosen = ctx.some_pythons(11)
    if ctx.full:  # what is shown is of 3.11; the first of each of these versions prints the same
        chosen = [next(p for p in chosen if p.minor == minor) for minor in sorted({p.minor for p in chosen} & {11, 12, 13})] or chosen[:1]
    for python in chosen:
        yield "every command, and what it prints", python, lambda python=python: follow_guide(ctx, python)
        yield "screens, Docker and Kubernetes", python, lambda python=python: follow_into_container(ctx, python)
        yield "auditview in CI", python, lambda python=python: follow_guide(ctx, python, "ci.md", 4)
