#!/usr/bin/env python3
"""The real program in a real terminal: a private tmux, keys in, screens out.

tmux.py AUDITVIEW SCREEN_TOOL [NAME…]      run all scripts, or those named

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
    t.run("clear; cd %s; %s -- %s -c '%s'" % (t.home, av, sys.executable, code))
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
        t.run("clear; TERM=%s %s %s" % (term, av, capture))
        t.wait("Events")
        t.wait("python started")
        t.keys("j", "j", "k")
        t.keys("Q")
        t.wait("READY\\$ ?$")


def environment(t, av, capture):
    """COLUMNS and LINES of another terminal are ignored; a terminal that cannot place text is refused before anything
    is drawn."""
    t.run("clear; COLUMNS=200 LINES=60 %s %s" % (av, capture))
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
        t.run("clear; TERM=%s %s --no-config -Y socket.connect %s" % (term, av, capture))
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


SCRIPTS = [recorded, launched, interactive, killed, suspended, plain, old_terminals, start_page, environment, languages, clusters, hostile, compared, tried, clipboard, mouse, colours]


def main():
    if not shutil.which("tmux"):
        print("skipped: tmux is not installed")
        return 77
    av, tool, names = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3:]
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
