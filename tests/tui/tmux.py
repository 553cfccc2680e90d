#!/usr/bin/env python3
"""The real program in a real terminal: a private tmux, keys in, screens out.

tmux.py AUDITVIEW SCREEN_TOOL SCREEN_RESIZED [NAME…]      run all scripts, or those named

No step sleeps for a fixed time: every step waits for a text on the screen, with a deadline.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

DEADLINE = 90.0
SCREEN_RESIZED = None
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Terminal:
    """A shell in a tmux of its own; the program is started from the shell, so that what it leaves on the terminal can
    be checked."""

    def __init__(self, columns=80, lines=24, env=None, term="screen-256color"):
        self.home = tempfile.mkdtemp(prefix="auditview-tmux-")
        # No two servers share a path: a server that is still ending takes the connection of the next one with it.
        self.socket = os.path.join(self.home, "socket")
        environment = dict(os.environ, HOME=self.home, XDG_CONFIG_HOME=self.home, XDG_CACHE_HOME=self.home, XDG_STATE_HOME=self.home,
                           LC_ALL="C.UTF-8", ENV="", PS1="$ ", **(env or {}))
        environment.pop("NO_COLOR", None)
        environment.update(env or {})
        config = os.path.join(self.home, "tmux.conf")
        with open(config, "w") as f:
            f.write('set -g default-terminal "%s"\nset -g status off\nset -s escape-time 0\n' % term)
        subprocess.run(["tmux", "-f", config, "-S", self.socket, "new-session", "-d", "-x", str(columns), "-y", str(lines), "sh"],
                       env=environment, check=True)
        self.wait("[#$] ?$")
        self.run("PS1='READY$ '; clear")
        self.wait("^READY\\$ ?$")

    def tmux(self, *args):
        return subprocess.run(["tmux", "-S", self.socket, *args], capture_output=True, text=True).stdout

    def screen(self, escapes=False):
        return self.tmux("capture-pane", "-p", *(["-e"] if escapes else []))

    def wait(self, pattern, gone=False):
        """Wait until the pattern is on the screen (or no longer is)."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            text = self.screen()
            if bool(re.search(pattern, text, re.M)) != gone:
                return text
            time.sleep(0.03)
        raise AssertionError("%s %r in %g s:\n%s" % ("still there:" if gone else "did not come:", pattern, DEADLINE, self.screen()))

    def idle(self):
        """What the programs of this terminal have used of the processors so far; None if one of them runs, or waits for a processor."""
        used = []
        for pid in self.tmux("list-panes", "-F", "#{pane_pid}").split():
            pids = [pid]
            for parent in pids:
                try:
                    pids += open("/proc/%s/task/%s/children" % (parent, parent)).read().split()
                    state = open("/proc/%s/stat" % parent).read().rpartition(")")[2].split()[0]
                    used.append((parent, open("/proc/%s/schedstat" % parent).read().split()[:2]))
                except OSError:
                    continue
                if state == "R":
                    return None
        return used

    def settled(self):
        """Return the screen with its colours, once neither it nor what draws it has moved for a moment."""
        before, same = None, 0
        end = time.monotonic() + DEADLINE
        while same < 5 and time.monotonic() < end:
            now = self.tmux("capture-pane", "-p", "-e", "-N"), self.idle()
            same = same + 1 if now == before and now[1] is not None else 0
            before = now
            time.sleep(0.06)
        return before[0]

    def keys(self, *names):
        self.tmux("send-keys", *names)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def run(self, command):
        self.type(command)
        self.keys("Enter")

    def open(self, command):
        """Run a command that draws the whole screen. What a terminal without a second screen still shows of the program before
        is gone then: waiting for a text of the new one cannot find it there."""
        self.run("clear; " + command)
        self.wait("READY", gone=True)

    def resize(self, columns, lines):
        self.tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def close(self):
        self.tmux("kill-server")
        shutil.rmtree(self.home, ignore_errors=True)


def recorded(t, av, capture):
    """A capture: move, search, filter, resize, leave; the shell's screen returns."""
    t.run("echo before; stty -g > %s/stty.1" % t.home)
    t.wait("^before")
    t.run("%s %s" % (av, capture))
    t.wait("━ Events .* ended ━")
    t.keys("G")
    t.wait("exited with status 0")
    t.type("/dlopen")
    t.keys("Enter")
    t.wait("━ hit 1 of 1 · row [0-9]+ of [0-9]+ · event [0-9]+ · ended ━|312 lost · hit 1 of 1 · row [0-9]+ of [0-9]+ · event [0-9]+")
    t.wait("▌•? +[0-9.]+ main ctypes.dlopen")
    t.type("f")
    t.wait("filter: ")
    t.type("@native")
    t.wait("━ Events @native ━+ 2 of 436")
    t.keys("Enter")
    t.wait("F1 help")
    t.resize(120, 40)
    t.wait("Categories .*Events @native")
    t.resize(200, 60)
    t.wait("capture [0-9.]+ k?B")
    t.resize(30, 5)
    t.wait("needs 40 × 8")
    t.resize(80, 24)
    t.wait("━ Events @native")
    t.keys("F1")
    t.wait("━ Help events")
    t.keys("q")
    t.wait("━ Events @native")
    t.keys("Q")
    t.wait("^before")
    t.wait("READY\\$ ?$")
    t.run("stty -g > %s/stty.2; cmp %s/stty.1 %s/stty.2 && echo same tty" % ((t.home,) * 3))
    t.wait(r"^(READY\$ )?same tty")


def launched(t, av, capture):
    """A program started here: it is followed, its terminal is usable, quitting asks, the goodbye line is printed."""
    t.run("%s -- %s %s --serve" % (av, sys.executable, os.path.join(ROOT, "tests", "demo", "shop.py")))
    t.wait("following")
    t.wait("● live")
    t.keys("p")
    t.wait("‖ frozen")
    t.keys("p")
    t.wait("following")
    t.type(":terminal")
    t.keys("Enter")
    t.wait("keys go to the program")
    t.wait('"city"')
    t.keys("C-]")
    t.wait("━ Events")
    t.keys("Q")
    t.wait("w wait  d detach  t term  k kill")
    t.keys("t")
    t.wait("events, 0 lost")


def interactive(t, av, capture):
    """A program that asks for input: its terminal is below the list, with its colours; events appear above while one types."""
    code = 'print("\\33[31mred\\33[0m"); [open(input("name %d: " % i), "w").close() for i in range(3)]'
    t.open("cd %s; %s -- %s -c '%s'" % (t.home, av, sys.executable, code))
    for i, (columns, lines) in enumerate([(80, 24), (120, 40), (200, 60)]):
        t.resize(columns, lines)
        t.wait("━ Terminal .* %d×[0-9]+ · keys go to the program, Ctrl-] leaves" % columns)
        t.wait("^name %d: ?$" % i)
        t.wait("^ C-\\] to the events, then  z zoom  < smaller  > larger  x close  \\] send C-\\]")
        assert re.search("\x1b\\[31m(\x1b\\[[0-9;]*m)*red", t.screen(escapes=True)), t.screen(escapes=True)
        if i < 2:
            t.type("q%d" % i)  # a key of auditview everywhere else
            t.keys("Enter")
            t.wait(r"open +.*q%d" % i)
    t.keys("C-]")
    t.wait("━ Events")
    t.wait("Terminal .* Ctrl-] types here")
    t.keys("z")
    t.wait("Events", gone=True)
    t.keys("C-]", "z")
    t.wait("─ Events")
    t.type("q2")
    t.keys("Enter")
    t.wait("the program has ended")
    t.wait("■ ended 0")
    t.keys("Q")
    t.wait("events, 0 lost")


IDLE = """import os, sys
def nap():
    os.read(0, 1)
def deeper():
    while True:
        nap()
        sys.audit("idle.woken")
os.write(1, b"r"); deeper()
"""


def quiet(t, av, capture):
    """A program that raises no event: the header names it at once, its stack is shown, and it is not stopped."""
    script = os.path.join(t.home, "idle.py")
    with open(script, "w") as f:
        f.write(IDLE)
    target = subprocess.Popen([sys.executable, "-S", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        target.stdout.read(1)  # its start, which raises events, is over
        t.run("%s -p %d" % (av, target.pid))
        t.wait("^ %d idle.py +python 3" % target.pid)
        t.wait("waiting for the first event")
        t.wait("what it does now, read (just now|[0-9]+s ago)")
        t.wait("^ +main +reading pipe:")
        t.wait(r"^ +0 nap .*idle\.py:3")
        t.keys("@")
        t.wait("━ Now .* read (just now|[0-9]+s ago) ━")
        t.wait(r"^ +1 deeper .*idle\.py:6")
        t.keys("q")
        target.stdin.write(b"!")
        target.stdin.flush()
        t.wait("idle.woken")
        t.wait("(just now|[0-9]+s ago): reading pipe:")
        target.kill()
        target.wait()
        t.wait("■ (ended|killed)")
        t.keys("@")
        t.wait("━ Now")
        t.keys("Q")
        t.wait("events?, 0 lost")
    finally:
        target.kill()
        target.wait()


def shim(t, av, capture):
    """A lesson runs the Python that a script such as pyenv's selects, and not the script; q comes back to the first screen,
    which folds the capture of the lesson, also of one that was left early."""
    log = os.path.join(t.home, "log")
    os.mkdir(os.path.join(t.home, "bin"))
    path = os.path.join(t.home, "bin", "python3")
    with open(path, "w") as f:
        f.write('#!/bin/sh\nprintf "%%s\\n" "$*" >>%s\nexec %s "$@"\n' % (log, sys.executable))
    os.chmod(path, 0o755)
    t.open("PATH=%s:$PATH %s" % (os.path.dirname(path), av))
    t.wait("━ Python processes ━")
    t.keys("BTab", "Enter")
    t.wait("━ Lesson 1: ")
    t.wait("How often was a file opened")
    t.wait("Enter, then your answer")
    t.keys("Escape")
    t.wait("Python processes")
    t.wait("1 of lessons and tries")
    with open(log) as f:
        assert "tempfile" not in f.read(), "the script ran the lesson"
    t.keys("q")
    t.wait("READY\\$ ?$")


def killed(t, av, capture):
    """Whatever ends the viewer (SIGTERM, SIGSEGV), the terminal is restored."""
    for sig in (signal.SIGTERM, signal.SIGSEGV):
        t.run("clear; stty -g > %s/stty.1; %s %s; stty -g > %s/stty.2" % (t.home, av, capture, t.home))
        t.wait("━ Events")
        pids = subprocess.run(["pgrep", "-f", "^%s %s" % (re.escape(av), re.escape(capture))], capture_output=True, text=True).stdout
        os.kill(int(pids.split()[0]), sig)
        t.wait("━ Events", gone=True)
        t.run("clear; cmp %s/stty.1 %s/stty.2 && echo same tty %d" % (t.home, t.home, sig))
        t.wait(r"^(READY\$ )?same tty %d" % sig)


def suspended(t, av, capture):
    """Ctrl-Z returns to the shell, fg to the screen."""
    t.run("set -m; %s %s" % (av, capture))
    t.wait("━ Events")
    t.keys("C-z")
    t.wait("Stopped|Suspended")
    t.run("fg")
    t.wait("━ Events")
    t.keys("Q")
    t.wait("READY\\$ ?$")


def plain(t, av, capture):
    """NO_COLOR: no colour is sent; the mono theme shows the same words."""
    t.run("NO_COLOR=1 %s %s" % (av, capture))
    t.wait("━ Events")
    coloured = re.findall(r"\x1b\[(?:[0-9;]*;)?[34][0-8](?:;[0-9;]*)?m", t.screen(escapes=True))
    assert not coloured, coloured
    t.keys("Q")
    t.wait("READY\\$ ?$")


def old_terminals(t, av, capture):
    """Other terminal types draw the same."""
    for term in ("linux", "xterm", "screen", "vt100"):
        t.open("TERM=%s %s %s" % (term, av, capture))
        t.wait("Events")
        t.wait("python started")
        t.keys("j", "j", "k")
        t.keys("Q")
        t.wait("READY\\$ ?$")


def size_meanwhile(t, av, capture):
    """A size that the terminal gets while the program begins, before it waits for such news, is used."""
    t.open("%s --run %s" % (SCREEN_RESIZED, capture))
    t.wait("python started")
    t.wait("F1 help")
    lines = t.screen().rstrip("\n").split("\n")
    assert lines[19].startswith(" F1 help") and max(map(len, lines)) <= 64, t.screen()
    t.keys("Q")
    t.wait("READY\\$ ?$")


def environment(t, av, capture):
    """COLUMNS and LINES of another terminal are ignored; a terminal that cannot place text is refused before anything
    is drawn."""
    t.open("COLUMNS=200 LINES=60 %s %s" % (av, capture))
    t.wait("━ Events")
    t.wait("F1 help")
    assert t.screen().rstrip("\n").split("\n")[23].startswith(" F1 help"), t.screen()
    t.keys("j", "s", "q", "Q")
    t.wait("READY\\$ ?$")
    t.run("clear; TERM=dumb %s %s; echo status $?" % (av, capture))
    t.wait("cannot place text")
    t.wait("status [12]$")
    assert "Events" not in t.screen()


def languages(t, av, capture):
    """Without UTF-8 the screen is plain, and says what to do; a locale that is not installed but names UTF-8 has signs and its words."""
    t.run("LC_ALL=C %s --no-config %s" % (av, capture))
    t.wait("LANG=C.UTF-8 shows all")
    assert "\u2501" not in t.screen()
    t.type("!")
    t.wait("note.*LANG=C.UTF-8")
    t.type("Q")
    t.wait("READY\\$ ?$")
    t.run("LC_ALL=zh_CN.UTF-8 %s --no-config %s" % (av, capture))
    t.wait("\u2501 事件 ")
    t.wait("F1 帮助")
    t.type("Q")
    t.wait("READY\\$ ?$")


def clusters(t, av, capture):
    """Characters made of several code points: the terminal and the screen agree where each cell is."""
    names = ["\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea\U0001f1fa\U0001f1f8", "\U0001f44d\U0001f3fd",
             "\u2764\ufe0f", "1\ufe0f\u20e3", "e\u0301\u0301", "\u1112\u1161\u11ab", "\u0915\u094d\u0937\u093f", "\u5927\u962a",
             "\U0001f3f4\U000e0067\U000e0062\U000e007f", "\u0644\u0627", "a" + "\u0303" * 9]
    with open(capture + ".clusters.jsonl", "w", encoding="utf-8") as f:
        for i in range(60):
            f.write(json.dumps({"event": "open", "args": {"path": "/tmp/%s-end" % names[i % len(names)]}, "ts_ns": i * 1000000}) + "\n")
    t.run("%s import -q -o %s.clusters.avc %s.clusters.jsonl; %s %s.clusters.avc" % (av, capture, capture, av, capture))
    t.wait("━ Events")
    for key in ["j"] * 4 + ["G"] + ["k"] * 3 + ["PageUp", "s", "q"]:
        t.keys(key)
        drawn = t.settled()
        t.keys("C-l")
        again = t.settled()
        assert drawn == again, "%s left cells behind:\n%s\n%s" % (key, drawn, again)
    t.keys("Q")
    t.wait("READY\\$ ?$")


def start_page(t, av, capture):
    """auditview without arguments: processes, captures, lessons."""
    t.run(av)
    t.wait("━ Python processes ━")
    t.wait("Learn")
    t.keys("BTab")
    t.wait("▌ +1")
    t.type("/socket")
    t.wait("▌ +2  A socket's life")
    t.wait("[0-9]+ processes, [0-9]+ captures, [0-9]+ to learn")
    t.keys("Enter")
    t.wait("━ Learn ━")
    t.keys("Escape")
    t.wait("  1  What a program does")
    t.type(":catalogue socket.connect")
    t.keys("Enter")
    t.wait("socket.connect · since 3.8")
    t.keys("q")
    t.wait("━ Python processes|─ Python processes")
    t.keys("q")
    t.wait("READY\\$ ?$")


def hostile(t, av, capture):
    """A file name full of control sequences stays text."""
    t.run("%s -Y 'open.path contains \"red\"' %s" % (av, capture))
    t.wait(r"\\x1b\[31mred\\u202e")
    assert "\u202e" not in t.screen()
    t.keys("Q")
    t.wait("READY\\$ ?$")


TICKING = """import sys, time
%s
i = 0
while True:
    i += 1
    globals()["f" + str(i %% 9 + 1)](i)
    time.sleep(0.01)
""" % "\n".join("def f%d(i):\n    sys.audit('tick.f%d', i)" % (i, i) for i in range(1, 10))


def row_and_details(screen):
    """The event under the cursor as the list has it, and as the title, the argument and the stack below have it; None if the
    screen shows no such event."""
    row = re.search(r"^▌.*(tick\.f\d) +own (\d+) +[^ ]+:(\d+) (f\d) *$", screen, re.M)
    title = re.search(r"─ Arguments ─+ (tick\.f\d) ─", screen)
    value = re.search(r"^ +0 +(\d+) +│", screen, re.M)
    frame = re.search(r"│.*\b0 (f\d) +[^ ]+:(\d+)", screen)
    if not (row and title and value and frame):
        return None
    return row.groups(), (title[1], value[1], frame[2], frame[1])


def snapshot(t, av, capture):
    """While events arrive, the row under the cursor, the title, the arguments and the stack are of one event."""
    script = os.path.join(t.home, "ticking.py")
    with open(script, "w") as f:
        f.write(TICKING)
    t.open("%s -- %s -S %s" % (av, sys.executable, script))
    t.wait(r"^▌.*tick\.f\d.*own \d")
    # tmux may read a frame in two parts: most screens, and the one that is left in the end, show one event
    seen, same = {}, 0
    end = time.monotonic() + DEADLINE
    while len(seen) < 12 and time.monotonic() < end:
        both = row_and_details(t.screen())
        if both and both[0][1] not in seen:
            seen[both[0][1]] = both
            same += both[0] == both[1]
        time.sleep(0.02)
    assert len(seen) == 12 and same > 6, "%d of %d screens show one event: %s" % (same, len(seen), seen)
    # the cursor moves away from the newest event: events go on arriving, and what is under it stays
    t.keys("k")
    t.wait(r"━ Events .* row [0-9 ]+ of [0-9 ]+ · event [0-9 ]+ · \+[0-9 ]+ below ━")
    t.keys("k", "k")
    below = None
    while time.monotonic() < end:
        first = t.screen()
        t.wait(r"\+[0-9 ]*[0-9] below")
        both, now = row_and_details(first), re.search(r"\+([0-9 ]+) below", first)
        if both and both[0] == both[1] and now and below and below[1] != now[1] and below[0] == both:
            break
        below = (both, now[1]) if now else None
        time.sleep(0.3)
    assert below and time.monotonic() < end, t.screen()
    row, of, event = (int(x.replace(" ", "")) for x in
                      re.search(r"row ([0-9 ]+) of ([0-9 ]+) · event ([0-9 ]+) · ", first).groups())
    assert row < of and row <= event, first
    t.keys("F")
    t.wait("· following ━")
    t.keys("Q")
    t.wait("end ticking.py")
    t.keys("k")
    t.wait("events, 0 lost")


def positions(t, av, capture):
    """A search counts its hits, the title says where the cursor is, and both are those of the capture."""
    found = subprocess.run([av, "export", "-F", "jsonl", "-Y", "subprocess.Popen", capture], capture_output=True, text=True, check=True).stdout
    seqs = [json.loads(line)["seq"] for line in found.splitlines()]
    assert len(seqs) > 3
    t.open("%s %s" % (av, capture))
    t.wait("━ Events .* row 1 of [0-9]+ · event 0 · ended ━|━ Events .*row 1 of [0-9]+ · event 0 ")
    t.type("/Popen")
    t.wait("^ /Popen +%d hits$" % len(seqs))
    t.keys("Enter")
    for i, seq in enumerate(seqs):
        t.wait(r"━ Events .* hit %d of %d · row [0-9]+ of [0-9]+ · event %d " % (i + 1, len(seqs), seq))
        t.wait(r"^▌.* subprocess\.Popen ")
        t.keys("n")
    t.wait("hit 1 of %d · " % len(seqs))
    t.keys("Q")
    t.wait("READY\\$ ?$")
    t.resize(120, 40)
    t.open("%s -Y subprocess.Popen %s" % (av, capture))
    t.wait("━ Events subprocess.Popen ━.* %d of 436 · .*row 1 of [0-9]+ · event %d " % (len(seqs), seqs[0]))
    t.keys("j")
    t.wait("row 2 of [0-9]+ · event %d " % seqs[1])
    t.keys("Q")
    t.wait("READY\\$ ?$")


IN_COLUMNS = """import asyncio, os, sys
import columns_demo
async def fetch():
    sys.audit("shop.fetch", 1)
    await asyncio.sleep(0)
async def main():
    await asyncio.create_task(fetch(), name="fetcher")
asyncio.run(main())
columns_demo.work()
"""


def columns(t, av, capture):
    """seq, pid, task, package and interp are columns: += adds them, -= takes them, and what has no room is named."""
    site = os.path.join(t.home, ".local", "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    os.makedirs(os.path.join(site, "columns_demo-1.0.dist-info"))
    with open(os.path.join(site, "columns_demo.py"), "w") as f:
        f.write("import sys\ndef work():\n    sys.audit('shop.packed', 2)\n")
    with open(os.path.join(site, "columns_demo-1.0.dist-info", "METADATA"), "w") as f:
        f.write("Metadata-Version: 2.1\nName: columns-demo\nVersion: 1.0\n")
    with open(os.path.join(site, "columns_demo-1.0.dist-info", "RECORD"), "w") as f:
        f.write("columns_demo.py,,\n")
    script, made = os.path.join(t.home, "in_columns.py"), os.path.join(t.home, "in_columns.avc")
    with open(script, "w") as f:
        f.write(IN_COLUMNS)
    t.run("PYTHONPATH=%s %s record -q -o %s -- %s %s; echo status $?" % (site, av, made, sys.executable, script))
    t.wait("^status 0$")
    found = subprocess.run([av, "export", "-F", "jsonl", "-Y", 'event == "shop.fetch" or event == "shop.packed"', made],
                           capture_output=True, text=True, check=True).stdout
    fetch, packed = map(json.loads, found.splitlines())
    t.resize(200, 60)
    t.open("%s %s" % (av, made))
    t.wait("━ Events")
    t.type(":set columns+=pid seq ta")
    t.keys("Tab")
    t.wait("^ :set columns\\+=pid seq task$")
    t.keys("Enter")
    t.wait("^ columns = seq time process pid thread event arguments caller task; \\+= adds, -= takes")
    t.type(":set columns+=package interp")
    t.keys("Enter")
    t.wait("columns = seq .* interp .* package task")
    t.type("f")
    t.wait("filter: ")
    t.type('event == "shop.fetch" or event == "shop.packed"')
    t.keys("Enter")
    # in the order of the list: event, time, process, interpreter, task, event, package, arguments
    t.wait(r"^.*│▌•? +%d +[0-9.]+ +%d +i0 +fetcher +shop\.fetch +own " % (fetch["seq"], fetch["pid"]))
    t.wait(r"^.*│ •? +%d +[0-9.]+ +%d +i0 +shop\.packed +columns.demo +own " % (packed["seq"], packed["pid"]))
    t.type(":set columns-=pid interp")
    t.keys("Enter")
    t.wait(r"^.*│▌•? +%d +[0-9.]+ +fetcher +shop\.fetch " % fetch["seq"])
    t.type(":set columns+=pid interp")
    t.keys("Enter")
    t.wait(" columns = seq time process pid interp")
    t.resize(80, 24)
    t.wait("^─ Arguments ─+ shop.fetch ─│─ Stack ─+ [0-9]+ frames ─$")  # a command does what the size asks for that is drawn
    t.type(":set columns+=pid")
    t.keys("Enter")
    t.wait(r"^ no room on this screen for .*interp.*; columns = seq")
    t.type(":set columns=+pid")
    t.keys("Enter")
    t.wait("columns= replaces the list; :set columns\\+=pid adds to it")
    t.keys("Q")
    t.wait("READY\\$ ?$")


ASKED = """import ctypes, os, pickle, socket, subprocess, sys
HERE = os.path.dirname(os.path.abspath(__file__))
class Order:
    pass
def work():
    with open(os.path.join(HERE, "written.txt"), "w") as f:
        f.write("1")
    with open(os.path.join(HERE, "written.txt")) as f:
        f.read()
    os.chmod(os.path.join(HERE, "written.txt"), 0o600)
    subprocess.run(["/bin/echo", "hello"], stdout=subprocess.DEVNULL)
    socket.getaddrinfo("localhost", 4321)
    with socket.socket() as s:
        s.settimeout(5)
        try:
            s.connect(("127.0.0.1", 9))
        except OSError:
            pass
    eval("1 + 1")
    ctypes.CDLL("libc.so.6")
    pickle.loads(pickle.dumps(Order()))
    sys.audit("asker.done", 7)
work()
"""

# What is chosen, how many events match (None: not said here), what is looked for, and a row that must be there then.
READY_FILTERS = [("files-written", 2, "written", r"open +.*written.txt w "), ("files-read", None, "written", r"open +.*written.txt r "),
                 ("commands-run", 1, "echo", "subprocess.Popen +/bin/echo hello"), ("network-out", 1, "socket", "socket.connect +127.0.0.1:9 "),
                 ("names-looked-up", 1, "localhost", "socket.getaddrin.* localhost 4321"),
                 ("code-from-strings", None, "asked.py:19", "compile +<string> +asked.py:19 work"),
                 ("native-loaded", None, "libc.so", "ctypes.dlopen +libc.so.6"), ("objects-unpickled", 1, "Order", "pickle.find_class +__main__.Order"),
                 ("permissions-changed", 1, "written", r"os.chmod +.*written.txt 0600"), ("only-my-code", None, "asker.done", "asker.done +own 7")]
READY_SUMMARIES = [("files-written", "file", "written", r"written\.txt +1 "), ("files-read", "file", "written", r"written\.txt +1 "),
                   ("hosts-contacted", "host", "127", "127.0.0.1:9 +1 "), ("names-looked-up", "host", "localhost", "localhost:4321 +1 "),
                   ("commands-run", "command", "echo", "/bin/echo hello +1 "), ("modules-imported", "module", "pickle", "_?pickle +[0-9]"),
                   ("code-from-strings", "caller", "asked.py:19", "asked.py:19 work +2 "), ("libraries-loaded", "what", "libc", "libc.so.6 +1 "),
                   ("objects-unpickled", "what", "Order", "Order +1 "), ("my-code", "caller", "asked.py:1", "asked.py:1 <module> +[0-9]")]


def questions(t, av, capture):
    """The ten ready filters and the ten ready summaries are opened by keys; file, peer, port, command and bits of flags are asked for."""
    script, made = os.path.join(t.home, "asked.py"), os.path.join(t.home, "asked.avc")
    with open(script, "w") as f:
        f.write(ASKED)
    t.run("%s record -q -o %s -- %s -B %s; echo status $?" % (av, made, sys.executable, script))
    t.wait("^status 0$")
    t.open("%s --no-config %s" % (av, made))
    t.wait("━ Events")
    for i, (name, n, word, row) in enumerate(READY_FILTERS):
        t.keys("f", "C-u", *["Down"] * (i + 1), "Enter", "/", *word, "Enter")
        t.wait("━ Events %s ━.* %s of [0-9]+.* hit " % (name, n or "[1-9][0-9]*"))
        t.wait(row)
    for name, by, word, row in READY_SUMMARIES:
        t.keys(":", *"summary", "Space", *name[:-1], "Tab", "Enter", "/", *word, "Enter")
        t.wait("━ Summary .* by %s · " % by)
        t.wait("^▌ .*" + row)
        t.keys("q")
    for text, n, row in [('file contains "written"', 3, "os.chmod"), ('peer == "127.0.0.1"', 1, "socket.connect"), ("port == 9", 1, "socket.connect"),
                         ('command contains "echo"', 1, "subprocess.Popen"), ('open.flags & O_CREAT and file contains "written"', 1, "written.txt w ")]:
        t.keys("f", "C-u", *(" ".join(text).replace("   ", " Space ").split()), "Enter")
        t.wait("━ Events %s.* %d of [0-9]+" % (re.escape(text[:10]), n))
        t.wait("^.*" + row)
    t.keys("Q")
    t.wait("READY\\$ ?$")


def folds(t, av, capture):
    """What Python does before a program's first line is one row that explains itself; a program's own events alarm nobody."""
    script, made = os.path.join(t.home, "folded.py"), os.path.join(t.home, "folded.avc")
    with open(script, "w") as f:
        f.write("import json, sys\nsys.audit('folded.done', 7)\n")
    t.run("%s record -q -o %s -- %s %s; echo status $?" % (av, made, sys.executable, script))
    t.wait("^status 0$")
    t.open("%s %s" % (av, made))
    first = t.wait("^▌▸ +[0-9.]+ python started +[0-9]+ events before your first line · Enter (opens|looks inside)")
    n = int(re.search("([0-9]+) events before your first line", first)[1])
    assert n > 10 and "marshal.loads" not in first, first
    t.wait(r"^ ▸ +[0-9.]+ import +json +\+[0-9]+, [0-9.]+ (ns|µs|ms) +folded.py:1 <module>")
    t.wait(r"Python raised %d events before the" % n)
    t.keys("Enter")
    t.wait("━ Inside python started ━+ %d events, .* Bksp back ━" % n)
    t.keys("BSpace")
    t.wait("━ Events .*imports folded")
    t.keys("z")  # each event in the list
    t.wait("^▌▾")
    t.keys("z")
    t.wait("^▌▸.*%d events before your first line" % n)
    t.type("/folded.done")
    t.keys("Enter")
    t.wait(r"^▌.* folded\.done +own 7 +folded.py:2 <module>")
    t.wait("The program's own event")
    t.keys("k")
    t.wait(r"^ .* folded\.done +own 7 ")
    assert "[unknown]" not in t.screen()
    own = next(line for line in t.screen(escapes=True).split("\n") if "folded.done" in line)
    codes = [set(code.split(";")) for code in re.findall(r"\x1b\[([0-9;]*)m", own)]
    assert not any("7" in code or "210" in code for code in codes), "trouble: %r" % own
    t.resize(120, 40)
    t.wait("python started +[0-9]+ events before your first line · Enter looks inside")
    t.keys("Q")
    t.wait("READY\\$ ?$")


def compared(t, av, capture):
    """Two captures: what one does that the other does not; + makes a filter of it."""
    t.run("%s diff --screen %s %s" % (av, capture + ".few", capture))
    t.wait("━ Diff A .* → B .*only in B")
    t.wait(r"^▌ [+↑] +host")
    t.type("/Utrecht")
    t.keys("Enter")
    t.wait(r"^▌ \+ +file +/tmp/shop-\*/Utrecht")
    t.type("+")
    t.wait("━ Events event == .open. and args contains")
    t.keys("Q")
    t.wait("READY\\$ ?$")


def tried(t, av, capture):
    """try --screen: the screen shows the run itself."""
    t.run("%s try --screen --python %s -c 'import json; open(\"/dev/null\")'" % (av, sys.executable))
    t.wait("▸ .* import +json")
    t.wait("open +/dev/null r")
    t.wait("■ ended 0")
    t.keys("g", "g")  # 3.13 and newer import linecache first, and the list follows its end
    t.wait("python started +[0-9]+ events before your first line")
    t.keys("Q")
    t.wait("target restored: yes")


def clipboard(t, av, capture):
    """y copies the line to the terminal's clipboard (OSC 52); a text pasted into a prompt is not executed (bracketed
    paste)."""
    t.tmux("set-option", "-s", "set-clipboard", "on")
    t.run("%s -Y socket.bind %s" % (av, capture))
    t.wait("━ Events socket.bind")
    t.type("y")
    t.wait("[0-9 ]+ bytes sent to the terminal")
    end = time.monotonic() + DEADLINE
    while "socket.bind" not in t.tmux("show-buffer"):
        assert time.monotonic() < end, "the clipboard holds %r" % t.tmux("show-buffer")
        time.sleep(0.03)
    t.tmux("set-buffer", "@files\nq")
    t.type("f")
    t.wait("filter: socket.bind")
    t.keys("C-u")
    t.wait("filter: +436$")
    t.tmux("paste-buffer", "-p")
    t.wait("filter: @files")
    t.keys("Escape")
    t.wait("━ Events socket.bind")
    t.keys("Q")
    t.wait("READY\\$ ?$")


def mouse(t, av, capture):
    """A click moves the cursor, the wheel scrolls what is under it, a drag moves the border."""
    t.resize(120, 40)
    # a terminal type whose mouse reports are known: ESC [ < button ; column ; line
    t.run("TERM=xterm-256color %s %s" % (av, capture))
    t.wait("▌▸ .*python started")

    def send(button, column, line, end="M"):
        t.tmux("send-keys", "-H", *("%02x" % b for b in b"\x1b[<%d;%d;%d%s" % (button, column, line, end.encode())))

    def border():
        return t.screen().split("\n")[3].index("│")

    send(0, 60, 7)
    send(0, 60, 7, "m")
    t.wait("^ .*│▌.*exec ")
    for _ in range(6):
        send(65, 60, 12)
    t.wait("python started", gone=True)
    before = border()
    end = time.monotonic() + DEADLINE
    while border() == before:
        assert time.monotonic() < end, "the border did not move:\n" + t.screen()
        # ncurses 6.4 drops a press that it reads together with the move after it: drag again, as a hand would
        send(0, before + 1, 20)
        send(32, before + 9, 20)
        send(0, before + 9, 20, "m")
        t.settled()
    t.keys("Q")
    t.wait("READY\\$ ?$")


def colours(t, av, capture):
    """As many colours as the terminal has: 256, 8 or none; themes differ."""
    def ink(term, theme):
        t.open("TERM=%s %s --no-config -Y socket.connect %s" % (term, av, capture))
        t.wait("Events socket.connect")
        t.type(":theme " + theme)
        t.wait(":theme %s" % theme)
        t.keys("Enter")
        t.wait("theme %s[a-z-]*: " % theme)
        line = next(one for one in t.screen(escapes=True).split("\n")[4:] if "socket.connect" in one)
        t.keys("Q")
        t.wait("READY\\$ ?$")
        return re.findall(r"\x1b\[([0-9;]*)m", line[:line.index("socket.connect")])[-1]
    for term in ("screen-256color", "xterm-256color", "tmux-256color"):
        if subprocess.run(["infocmp", term], capture_output=True).returncode == 0:
            assert ink(term, "dark").endswith("38;5;75"), term
    inks = [ink("screen-256color", theme) for theme in ("dark", "light", "cb")]
    assert len(set(inks)) == 3, inks
    assert ink("linux", "dark").endswith("36"), "cyan of eight"
    assert "3" not in re.sub("39", "", ink("vt100", "dark")), "none of none"


SCRIPTS = [recorded, launched, interactive, snapshot, positions, columns, questions, folds, shim, quiet, killed, suspended, plain, old_terminals, size_meanwhile, start_page, environment, languages, clusters, hostile, compared, tried, clipboard, mouse, colours]


def main():
    if not shutil.which("tmux"):
        print("skipped: tmux is not installed")
        return 77
    global SCREEN_RESIZED
    av, tool, SCREEN_RESIZED = map(os.path.abspath, sys.argv[1:4])
    names = sys.argv[4:]
    folder = tempfile.mkdtemp(prefix="auditview-tmux-")
    capture = os.path.join(folder, "shop.avc")
    subprocess.run([tool, "--sample", capture], check=True)
    subprocess.run([tool, "--sample", capture + ".few", "4"], check=True)
    failed = 0
    for script in SCRIPTS:
        if names and script.__name__ not in names:
            continue
        t = Terminal()
        begin = time.monotonic()
        try:
            script(t, av, capture)
            print("ok    %-14s %.1f s" % (script.__name__, time.monotonic() - begin))
        except AssertionError as e:
            failed += 1
            print("FAIL  %s: %s\n%s" % (script.__name__, script.__doc__, e))
        finally:
            t.close()
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
