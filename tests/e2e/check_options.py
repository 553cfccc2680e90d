"""options: every command with every option, from the program's own table: each is obeyed, or refused before anything
starts."""
import json
import os
import pty
import re
import select
import subprocess
import sys
import time

import harness
from harness import Skip, expect, wait_for

MARK = "import sys; sys.audit('victim.mark', 'm' * 300, {'password': 'hunter22'}); "
VALUES = {"pid": "1", "user": "root", "python": "3.12", "on-exit": "kill", "events": "open", "stack": "off", "stack-bytes": "8k",
          "string-bytes": "10", "bulk-bytes": "10", "duration": "1s", "limit": "5", "until": "event == \"open\"", "ring-size": "2M",
          "hold": "event == \"open\"", "do": "stacks", "hold-ignore": "3", "hold-locals": "1k", "keep": "1M", "interval": "1s", "rotate-size": "1", "rotate-time": "1s", "rotate-count": "3",
          "filter": "event == \"open\"", "mine": "/nowhere", "format": "csv", "output": "/dev/null", "by": "event", "sort": "key", "rows": "3",
          "category": "open", "theme": "filesystem", "code": "1", "offset": "1=1s", "host": "1=web", "from": "0s", "to": "1h", "schema": "json", "color": "never", "completion": "bash"}
LIVE = ("record", "print", "-")
# ncurses keeps what it read about the terminal
TERMINAL = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=0"}


def run(ctx, *arguments, timeout=harness.GUARD, **more):
    return subprocess.run([ctx.auditview, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, errors="replace", timeout=timeout, cwd=more.pop("cwd", ctx.folder), **more)


def table(ctx):
    """Return {command: {option: (needs --screen, what it needs, takes a value)}}."""
    done = run(ctx, "--list-options")
    commands = {}
    for line in done.stdout.splitlines():
        command, option, how, needs, value = line.split("\t")
        commands.setdefault(command, {})[option] = (how == "screen", needs.split(), value == "value")
    expect(len(commands) == 16, lambda: f"--list-options: {done.stdout[:200]!r} {done.stderr[:200]!r}")
    return commands


class Place:
    """A folder with a capture, a script that leaves a witness file if it runs, and command lines that would use
    them."""

    def __init__(self, ctx, python, label):
        self.ctx, self.python = ctx, python
        self.folder = ctx.new_folder(label)
        self.witness, self.out = self.path("witness"), self.path("out")
        self.capture, self.lines, self.script = self.path("a.avc"), self.path("a.jsonl"), self.path("n.py")
        self.profile = self.path("a.profile")
        with open(self.script, "w", encoding="utf-8") as f:
            f.write(f"open({self.witness!r}, 'w').close()\n" + MARK + "\n")

    def path(self, name):
        return os.path.join(self.folder, name)

    def fill(self):
        done = run(self.ctx, "record", "-q", "-o", self.capture, "--", *self.python.command, "-S", "-c", MARK)
        expect(done.returncode == 0, lambda: f"record: {done.stderr}")
        done = run(self.ctx, "export", self.capture, "-o", self.lines)
        expect(done.returncode == 0, lambda: f"export: {done.stderr}")
        done = run(self.ctx, "profile", self.capture, "-o", self.profile)
        expect(done.returncode == 0, lambda: f"profile: {done.stderr}")
        return self

    def line(self, command):
        program = ["--", *self.python.command, "-S", self.script]
        return {"-": [], "record": ["record", "-o", self.out], "print": ["print"],
                "export": ["export", self.capture, "-F", "jsonl"], "import": ["import", self.lines, "-o", self.out],
                "merge": ["merge", self.capture, self.capture, "-o", self.out], "cut": ["cut", self.capture, "-o", self.out],
                "profile": ["profile", self.capture], "check": ["check", self.profile, self.capture], "stat": ["stat", self.capture], "diff": ["diff", self.capture, self.capture], "events": ["events"],
                "explain": ["explain", "open"], "try": ["try", self.script], "lesson": ["lesson", "3"],
                "doctor": ["doctor", str(os.getpid())]}[command], program if command in LIVE else []


def refused(ctx, python):
    """An option that the table does not name is refused with status 2, and nothing was started, written or printed."""
    place, commands = Place(ctx, python, "refused").fill(), table(ctx)
    options = {}
    for taken in commands.values():
        options.update({name: value for name, (_, _, value) in taken.items()})
    for command, taken in commands.items():
        for name, has_value in options.items():
            if name in taken and not taken[name][0]:
                continue
            head, program = place.line(command)
            words = ["--" + name] + ([VALUES[name]] if has_value else [])
            done = run(ctx, *head, *words, *program)
            what = " ".join([command, *words])
            expect(done.returncode == 2, lambda: f"{what}: status {done.returncode}, expected 2: {done.stderr[-300:]}")
            expect(name in done.stderr and not done.stdout, lambda: f"{what}: said {done.stderr[-300:]!r}")
            expect(not os.path.exists(place.witness), f"{what}: the program was started")
            expect(not os.path.exists(place.out), f"{what}: a file was made")


def needs(ctx, python):
    """An accepted option without what it needs: a capture instead of a target, a process instead of a program."""
    place, commands = Place(ctx, python, "needs").fill(), table(ctx)
    for command in LIVE:
        for name, (_, wants, has_value) in commands[command].items():
            words = ["--" + name] + ([VALUES[name]] if has_value else [])
            lines = []
            if wants and command != "record":
                lines.append([*place.line(command)[0], *words, place.capture])
            if "program" in wants or "script" in wants:
                lines.append([*place.line(command)[0], *words, "-p", str(os.getpid())])
            if "script" in wants:
                lines.append([*place.line(command)[0], *words, "--", *python.command, place.script])
            if "native" in wants:
                lines.append([*place.line(command)[0], *words, "--", *python.command, place.script])
            for line in lines:
                done = run(ctx, *line)
                expect(done.returncode == 2 and name in done.stderr, lambda: f"{line}: {done.returncode} {done.stderr[-300:]!r}")
                expect(not os.path.exists(place.witness), f"{line}: the program was started")
                expect(not os.path.exists(place.out), f"{line}: a file was made")


WRONG = [("--until", "bad (("), ("--hold", "evnt == 3"), ("--until", "evnt == 3"), ("-e", "/(/"), ("-e", "@nowhere"), ("--limit", "x"), ("--duration", "soon"),
         ("--stack", "some"), ("-s", "-1"), ("--ring-size", "1"), ("--on-exit", "stay"), ("--python", "3.77"),
         ("--python", "/no/such/python"), ("-u", "no-such-user-here"), ("-Y", "evnt == 3"), ("-Y", "event =="), ("-F", "sqlite"),
         ("-F", "papyrus"), ("-o", "/no/such/folder/x"), ("-o", "/"), ("--color", "blue")]


def wrong_values(ctx, python):
    """All values are checked before anything is started."""
    place = Place(ctx, python, "wrong")
    for command in LIVE:
        for option, value in WRONG:
            if command == "record" and option in ("-Y", "-F", "--color"):
                continue
            head = [] if command == "-" else [command]
            if command == "record" and option != "-o":
                head += ["-o", place.out]
            program = [place.script] if option == "--python" else [*python.command, "-S", place.script]
            done = run(ctx, *head, option, value, "--", *program)
            status = (1, 2) if option in ("-o", "-u") else (2,)
            expect(done.returncode in status, lambda: f"{command} {option} {value}: {done.returncode} {done.stderr[-300:]!r}")
            expect(not os.path.exists(place.witness), f"{command} {option} {value}: the program was started")
            expect(not os.path.exists(place.out), f"{command} {option} {value}: a file was made")
    done = run(ctx, "record", "-o", place.out, "--", place.path("typo.py"))
    expect(done.returncode == 1 and "typo.py" in done.stderr and not os.path.exists(place.out), lambda: f"typo.py: {done.stderr!r}")


# ---- obeyed: a test for each command and option of the table ----

class Live:
    """A program under one of the three commands that record one; and its events."""

    def __init__(self, ctx, python, command, options, code, timeout=harness.GUARD, program=None):
        place = Place(ctx, python, "live")
        out = place.path("events")
        head = {"record": ["record", "-o", out], "print": ["print", "-F", "json", "-o", out], "-": ["-F", "json", "-o", out]}[command]
        self.began = time.monotonic()
        self.done = run(ctx, *head, *options, *(["--", *(program or [*python.command, "-S", "-c", code])] if code or program else []),
                        timeout=timeout)
        self.seconds = time.monotonic() - self.began
        if command == "record" and os.path.exists(out):
            lines = run(ctx, "print", "-F", "json", out).stdout
        else:
            lines = open(out, encoding="utf-8").read() if os.path.exists(out) else ""
        self.events = [json.loads(line) for line in lines.splitlines()]
        self.names = [e["event"] for e in self.events]
        expect(self.events, lambda: f"{command} {options}: no events: {self.done.stderr[-400:]}")

    def said(self):
        found = re.search(r"([\d ]+) events?, ([\d ]+) lost", self.done.stderr)
        expect(found, lambda: f"no goodbye line: {self.done.stderr!r}")
        return [int(n.replace(" ", "")) for n in found.groups()]


def marks(live):
    return [e for e in live.events if e["event"] == "victim.mark"]


def live_pid(ctx, python, command):
    code = "import sys, time\nwhile True:\n    sys.audit('victim.tick'); time.sleep(.01)"
    target = subprocess.Popen([*python.command, "-S", "-c", code], stdin=subprocess.DEVNULL)
    try:
        time.sleep(.5)
        live = Live(ctx, python, command, ["-p", str(target.pid), "--duration", "500ms"], None)
        expect({e["pid"] for e in live.events} == {target.pid}, "events of another process")
        expect(target.poll() is None, "the target has ended")
    finally:
        target.kill()
        target.wait()


def live_user(ctx, python, command):
    system = "/usr/bin/python3"
    if os.getuid() != 0 or not os.access(system, os.X_OK):
        raise Skip("needs root, and a Python that everybody may run")
    live = Live(ctx, python, command, ["-u", "nobody"], None, program=[system, "-S", "-c", "import os, sys; sys.audit('x.uid', os.getuid())"])
    uids = [e["args"]["0"] for e in live.events if e["event"] == "x.uid"]
    expect(uids and uids[0] != 0, lambda: f"uid {uids}")


def live_python(ctx, python, command):
    place = Place(ctx, python, "script")
    with open(place.script, "w", encoding="utf-8") as f:
        f.write("import sys; sys.audit('x.version', sys.version.split()[0])")
    live = Live(ctx, python, command, ["--python", python.command[0]], None, program=[place.script])
    expect([e["args"]["0"] for e in live.events if e["event"] == "x.version"], "the script was not run")
    expect(live.events[0]["python"] == python.name.split("+")[0], lambda: f"run by {live.events[0]['python']}")


def live_on_exit(ctx, python, command):
    live = Live(ctx, python, command, ["--on-exit", "kill", "-e", "victim.mark", "--limit", "1"], MARK + "import time; time.sleep(50)")
    expect(live.seconds < 40 and live.done.returncode == 128 + 9, lambda: f"{live.seconds:.0f} s, status {live.done.returncode}")


def live_events(ctx, python, command):
    live = Live(ctx, python, command, ["-e", "victim.mark"], MARK)
    expect(live.names == ["victim.mark"], lambda: f"{live.names[:5]}")


def live_stack(ctx, python, command):
    for option, there in (("off", False), ("python", True)):
        mark = marks(Live(ctx, python, command, ["--stack", option], MARK))[0]
        expect(bool(mark.get("stack")) == there, f"--stack {option}: {mark.get('stack')}")


DEEP = "import sys\ndef f(n):\n    return max([n], key=lambda x: f(n - 1)) if n else sys.audit('victim.deep') or 0\nf(60)"


def live_stack_bytes(ctx, python, command):
    depths = []
    for size in ("1k", "256k"):
        live = Live(ctx, python, command, ["--stack", "native", "--stack-bytes", size, "-e", "victim.deep"], DEEP)
        depths.append(len(live.events[0].get("stack", [])))
    expect(depths[0] < depths[1], lambda: f"{depths} frames with 1k and 256k")


def live_string_bytes(ctx, python, command):
    value = marks(Live(ctx, python, command, ["-s", "10"], MARK))[0]["args"]["0"]
    expect(value == {"cut": "m" * 10, "length": 300}, lambda: f"{value}")


def live_bulk_bytes(ctx, python, command):
    live = Live(ctx, python, command, ["--bulk-bytes", "20", "-e", "compile"], "exec(compile('x = 1\\n' * 500, 'big', 'exec'))")
    cut = [e["args"]["source"]["cut"] for e in live.events if isinstance(e["args"].get("source"), dict) and "cut" in e["args"]["source"]]
    expect(cut and all(len(json.dumps(c)) < 60 for c in cut), lambda: f"{str(live.events)[:300]}")


FORK = "import os, sys\np = os.fork()\nif not p:\n    sys.audit('victim.child'); os._exit(0)\nos.waitpid(p, 0); sys.audit('victim.parent')"


def live_follow(ctx, python, command):
    for option, n in (("--follow", 1), ("--no-follow", 0)):
        live = Live(ctx, python, command, [option], FORK)
        expect(live.names.count("victim.child") == n and "victim.parent" in live.names, f"{option}: {live.names.count('victim.child')}")


def live_duration(ctx, python, command):
    live = Live(ctx, python, command, ["--duration", "500ms", "--on-exit", "kill"], MARK + "import time; time.sleep(50)")
    expect(live.seconds < 40, f"{live.seconds:.0f} s")


MANY = "import sys\nfor i in range(40000):\n    sys.audit('victim.n', i)"
SPARSE = "import sys, time\nfor i in range(6):\n    sys.audit('victim.n', i)\n    time.sleep(0.3)"
FAMILY = """
import os, sys, threading
def work(n):
    for i in range(2000):
        sys.audit('victim.n', i)
pids = []
for _ in range(2):
    pid = os.fork()
    if not pid:
        work(0); os._exit(0)
    pids.append(pid)
threads = [threading.Thread(target=work, args=(1,)) for _ in range(2)]
[t.start() for t in threads]; [t.join() for t in threads]
[os.waitpid(p, 0) for p in pids]
"""


def live_limit(ctx, python, command):
    for n, code in ((1, MANY), (20000, MANY), (777, FAMILY)):
        live = Live(ctx, python, command, ["--limit", str(n), "-f"], code)
        expect(len(live.events) == n and live.said()[0] == n, lambda: f"--limit {n}: {len(live.events)}, {live.done.stderr!r}")


def live_until(ctx, python, command):
    """The first event that matches is the last one recorded, wherever it is in a block."""
    for at, code in ((0, MANY), (16383, MANY), (20001, MANY), (123, FAMILY)):
        live = Live(ctx, python, command, ["--until", f"event == \"victim.n\" and args[0] == {at}", "-f"], code)
        hits = [i for i, e in enumerate(live.events) if e["event"] == "victim.n" and e["args"]["0"] == at]
        expect(hits == [len(live.events) - 1], lambda: f"{at}: {len(live.events)} events, found at {hits}")
        expect(live.said() == [len(live.events), 0], lambda: f"{at}: {live.done.stderr!r}")
    # Each event is alone in its block, so the one that matches is also the last of its block.
    live = Live(ctx, python, command, ["--until", "event == \"victim.n\" and args[0] == 2", "-e", "victim.n"], SPARSE)
    expect(len(live.events) == 3, lambda: f"alone in a block: {len(live.events)} events")
    live = Live(ctx, python, command, ["--until", "event == \"victim.n\" and args[0] == 50", "-e", "victim.n"], MANY)
    expect(len(live.events) == 51, lambda: f"with -e: {len(live.events)}")
    live = Live(ctx, python, command, ["--until", "event == \"no.such\"", "-e", "victim.n"], MANY)
    expect(len(live.events) == 40000, lambda: f"without a match: {len(live.events)}")


def live_may_drop(ctx, python, command):
    code = "import sys\nx = 'y' * 4000\nfor i in range(40000):\n    sys.audit('victim.n', x)"
    live = Live(ctx, python, command, ["--may-drop", "--ring-size", "1M", "-e", "victim.n", "--stack", "off"], code)
    n, lost = live.said()
    # The names of lost events are unknown: some may be events that -e leaves out.
    expect(lost > 0 and 40000 <= n + lost < 41000 and n == len(live.events), lambda: f"{n} events, {lost} lost")


def live_rotate(ctx, python, command):
    """check_rotate.py has the rest."""
    # Random words, because what is alike is compressed: also the times, where they advance with the kernel's tick.
    code = MARK + "import random, time\nfor i in range(6):\n for k in range(2000): sys.audit('victim.mark', i, '%x' % random.getrandbits(64))\n time.sleep(.25)"
    for options, least, most in ((["-C", "10k"], 3, 99), (["-G", "200ms"], 3, 99), (["-C", "10k", "-W", "2"], 2, 2)):
        place = Place(ctx, python, "rotate")
        done = run(ctx, command, "-o", place.path("run.avc"), *options, "--", *python.command, "-S", "-c", code)
        files = [name for name in os.listdir(place.folder) if name.startswith("run_")]
        expect(done.returncode == 0 and least <= len(files) <= most, lambda: f"{options}: {files} {done.stderr[-300:]}")


def live_keep(ctx, python, command):
    """check_keep.py has the rest."""
    live = Live(ctx, python, command, ["--keep", "64k"], MARK + "import os\nfor i in range(20000): sys.audit('victim.n', i, os.urandom(99))\n")
    numbers = [e["args"]["0"] for e in live.events if e["event"] == "victim.n"]
    expect(numbers[-1] == 19999 and 0 < numbers[0] and len(numbers) == 20000 - numbers[0], lambda: f"{numbers[:2]} {numbers[-2:]}")


def live_hold(ctx, python, command):
    """check_hold.py has the rest."""
    code = "import sys\nfor i in range(9): sys.audit('victim.n', i)\n"
    hold = ["--hold", "event == \"victim.n\" and args[0] > 3", "--do"]
    live = Live(ctx, python, command, [*hold, "stacks", "--hold-ignore", "2"], code)
    shown = re.findall(r"(?s)victim.n\((\d)\).*?\n +0  <module> +<string>:2\n", live.done.stderr)
    expect(shown == ["6", "7", "8"] and ", held 3 times (" in live.done.stderr, lambda: f"{shown}: {live.done.stderr!r}")
    log = Place(ctx, python, "hold").path("log")
    live = Live(ctx, python, command, [*hold, f"echo {{pid}} {{tid}} {{seq}} >> {log}; exit $(({{seq}} % 2))"], code)
    lines = [line.split() for line in open(log).read().splitlines()]
    ticks = [e for e in live.events if e["event"] == "victim.n"][4:]
    expect([[e["pid"], e["tid"], e["seq"]] for e in ticks] == [[int(n) for n in line] for line in lines], lambda: f"{ticks} {lines}")
    expect("of --do ended with status 1" in live.done.stderr and live.done.returncode == 1, lambda: f"{live.done.returncode}: {live.done.stderr!r}")


def live_hold_locals(ctx, python, command):
    """check_hold.py has the rest."""
    code = "import sys\ndef f(n, text):\n    f(n - 1, text) if n else sys.audit('victim.n')\nf(30, 'y' * 200)\n"
    hold = ["--hold", "event == \"victim.n\"", "--do", "continue", "--hold-locals"]
    sizes = []
    for size in ("0", "1k", "64k"):
        live = Live(ctx, python, command, [*hold, size], code)
        event = next(e for e in live.events if e["event"] == "victim.n")
        sizes.append(len(json.dumps(event.get("locals", ""))))
    expect(sizes[0] == 2 < sizes[1] < sizes[2], lambda: f"bytes of variables: {sizes}")


def live_ring_size(ctx, python, command):
    code = ("import sys\nsizes = [int(l.split('-')[1].split()[0], 16) - int(l.split('-')[0], 16) for l in open('/proc/self/maps')\n"
            "         if ' rw-s ' in l]\nsys.audit('x.maps', max(sizes))")
    sizes = []
    for size in ("1M", "8M"):
        live = Live(ctx, python, command, ["--ring-size", size], code)
        sizes.append([e["args"]["0"] for e in live.events if e["event"] == "x.maps"][0])
    expect(sizes[0] < sizes[1], lambda: f"mapped: {sizes}")


def live_redact(ctx, python, command):
    for option, there in (("--redact", False), ("--no-redact", True)):
        text = json.dumps(marks(Live(ctx, python, command, [option], MARK)))
        expect(("hunter22" in text) == there, f"{option}: {text[:200]}")


def live_output(ctx, python, command):
    Live(ctx, python, command, [], MARK)  # each of these commands gets its events in this way


def live_quiet(ctx, python, command):
    for options, there in ((["-q"], False), ([], True)):
        expect(bool(Live(ctx, python, command, options, MARK).done.stderr) == there, f"{options}")


def text_of(ctx, python, command, *options):
    done = run(ctx, *([] if command == "-" else [command]), *options, "--", *python.command, "-S", "-c", MARK)
    expect(done.returncode == 0, lambda: f"{options}: {done.stderr!r}")
    return done.stdout


def live_filter(ctx, python, command):
    live = Live(ctx, python, command, ["-Y", "event == \"victim.mark\""], MARK)
    expect(live.names == ["victim.mark"], lambda: f"{live.names[:5]}")


def live_mine(ctx, python, command):
    for folder, n in (("/nowhere", 0), (None, 1)):
        live = Live(ctx, python, command, ["-Y", "event == \"victim.mark\" and caller", *(["--mine", folder] if folder else [])], MARK)
        expect(len(live.names) == n, lambda: f"{folder}: {live.names[:5]}")


def live_format(ctx, python, command):
    expect(text_of(ctx, python, command, "-F", "csv").startswith("seq,"), "no CSV")
    expect(text_of(ctx, python, command, "-F", "tsv").startswith("seq\t"), "no TSV")


def live_wide(ctx, python, command):
    expect("m" * 300 in text_of(ctx, python, command, "-w") and "m" * 300 not in text_of(ctx, python, command), "cut, or not cut")


def live_color(ctx, python, command):
    expect("\x1b[" in text_of(ctx, python, command, "--color", "always"), "no colour")
    expect("\x1b[" not in text_of(ctx, python, command, "--color", "never"), "colour")


def only_tells(option, word):
    def proof(ctx, python, command):
        place = Place(ctx, python, "tells").fill()
        head, program = place.line(command)
        done = run(ctx, *head, *option, *program)
        expect(done.returncode == 0 and word in done.stdout, lambda: f"{command} {option}: {done.returncode} {done.stderr!r}")
        expect(not os.path.exists(place.witness) and not os.path.exists(place.out), "something was started")
    return proof


def shows(*options, want=None, has_not=None, check=None, status=0, line=None):
    """The command's output with the options contains `want`, and without them it does not."""
    def proof(ctx, python, command):
        place = Place(ctx, python, "shows").fill()
        given = [o.format(python=python.command[0], out=place.path("x")) for o in options]
        head = [w.format(capture=place.capture, script=place.script) for w in line] if line else place.line(command)[0]
        done, plain = run(ctx, *head, *given), run(ctx, *head)
        expect(status is None or done.returncode == status, lambda: f"{given}: {done.returncode} {done.stderr!r}")
        if want:
            expect(re.search(want, done.stdout) and not re.search(want, plain.stdout), lambda: f"{given}: {done.stdout[:300]!r}")
        if has_not:
            expect(not re.search(has_not, done.stdout) and re.search(has_not, plain.stdout), lambda: f"{given}: {done.stdout[:300]!r}")
        if check:
            check(done, plain, place)
    return proof


def written(done, plain, place):
    expect(not done.stdout and open(place.path("x"), "rb").read() == plain.stdout.encode() and
           os.stat(place.path("x")).st_mode & 0o777 == 0o600, "not what goes to standard output")


def imported(done, plain, place):
    expect(open(place.path("x"), "rb").read(4) == b"\x89AVC", "no capture")


def cut_is_empty(done, plain, place):
    rows = run(place.ctx, "export", place.path("x"), "-F", "jsonl").stdout
    expect(not rows, lambda: f"{rows[:300]}")


def diff_mine(ctx, python, command):
    place = Place(ctx, python, "diff").fill()
    done = run(ctx, "record", "-q", "-o", place.out, "--", *python.command, "-S", "-c", MARK + "open('/dev/null')")
    expect(done.returncode == 0, lambda: f"record: {done.stderr}")
    for options, there in (([], True), (["--mine", "/nowhere"], False)):
        done = run(ctx, "diff", place.capture, place.out, *options)
        # in parentheses: code that is not the user's own
        expect(("(<string>" in done.stdout) != there and "<string>" in done.stdout, lambda: f"{options}: {done.stdout}")


def is_quiet(done, plain, place):
    expect(not done.stderr, lambda: f"said {done.stderr!r}")


def is_json(done, plain, place):
    try:
        json.loads(done.stdout)
    except ValueError:
        for line in done.stdout.splitlines(): # JSON lines
            json.loads(line)
    expect(done.stdout != plain.stdout, "no JSON")


def n_rows(done, plain, place):
    expect(len(done.stdout.splitlines()) < len(plain.stdout.splitlines()), "as many rows")


def on_screen(ctx, line, keys=b"Q", cwd=None, env=None, seconds=harness.GUARD, until=()):
    """Run on a terminal of its own and send keys once the screen is drawn. Returns what it wrote, and its status. It is killed when it
    has written all words of `until`."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(cwd or ctx.folder)
        os.execve(ctx.auditview, [ctx.auditview, *line], {**os.environ, **TERMINAL, **(env or {})})
    text, deadline, sent, quiet_since = b"", time.monotonic() + seconds, 0, None
    while True:
        ready = select.select([fd], [], [], .3)[0]
        try:
            piece = os.read(fd, 65536) if ready else None
        except OSError:
            break
        if piece == b"":
            break
        text += piece or b""
        if not ready and b"\x1b[?1049h" in text and sent < 5:  # nothing more arrives: the screen is drawn
            os.write(fd, keys)
            sent += 1
        if time.monotonic() > deadline or until and all(word in text for word in until):
            os.kill(pid, 9)
            break
    status = os.waitpid(pid, 0)[1]
    os.close(fd)
    return text.decode("utf-8", "replace"), os.waitstatus_to_exitcode(status)


SCREEN = {"diff": ["diff", "--screen", "{capture}", "{capture}"], "try": ["try", "--screen", "-c", "1"], "lesson": ["lesson", "--screen"],
          "-": ["{capture}"]}


def screen_line(place, command):
    return [w.format(capture=place.capture) for w in SCREEN[command]]


def screen_shows(ctx, python, command):
    place = Place(ctx, python, "screen").fill()
    text, status = on_screen(ctx, screen_line(place, command))
    expect("\x1b[?1049h" in text and status == 0, lambda: f"status {status}: {text[-300:]!r}")


def screen_color(ctx, python, command):
    place = Place(ctx, python, "screen").fill()
    color = re.compile(r"\x1b\[[0-9;]*(3[0-9]|38;5;\d+|4[0-7])[;m]")
    for option, there in (("always", True), ("never", False)):
        text, _ = on_screen(ctx, [*screen_line(place, command), "--color", option])
        expect(bool(color.search(text)) == there, f"--color {option}")


def screen_no_config(ctx, python, command):
    place = Place(ctx, python, "screen").fill()
    os.makedirs(place.path("auditview"))
    with open(place.path("auditview/config"), "w", encoding="utf-8") as f:
        f.write("nonsense here\n")
    for option, there in (([], True), (["--no-config"], False)):
        text, _ = on_screen(ctx, [*screen_line(place, command), *option], env={"XDG_CONFIG_HOME": place.folder})
        expect(("nonsense" in text) == there, lambda: f"{option}: {text[-500:]!r}")


def screen_filter(ctx, python, command):
    place = Place(ctx, python, "screen").fill()
    text, _ = on_screen(ctx, [*screen_line(place, command), "-Y", "event == \"victim.mark\""])
    expect("victim.mark" in text, lambda: f"{text[-500:]!r}")
    _, status = on_screen(ctx, [*screen_line(place, command), "-Y", "evnt == 3"])
    expect(status == 2, f"a wrong filter: status {status}")


def screen_no_tty(ctx, python, command):
    """The program's output goes to a file beside the capture, and the last message says so."""
    place = Place(ctx, python, "no-tty")
    out = place.out + ".out"
    text, status = on_screen(ctx, ["--no-tty", "-o", place.out, "--", *python.command, "-S", "-c",
                                   MARK + "print('to a file'); print('this too', file=sys.stderr)"])
    expect(os.path.exists(out), lambda: f"no {out}: {text[-400:]!r}")
    expect(sorted(open(out, encoding="utf-8").read().split("\n")) == ["", "this too", "to a file"], lambda: f"{open(out).read()!r}")
    expect(os.stat(out).st_mode & 0o777 == 0o600 and out in text and status == 0, lambda: f"status {status}: {text[-400:]!r}")
    # The file is never written through a symbolic link, and then nothing starts.
    os.unlink(place.out)
    os.rename(out, place.path("elsewhere"))
    os.symlink("elsewhere", out)
    text, status = on_screen(ctx, ["--no-tty", "-o", place.out, "--", *python.command, "-S", place.script])
    expect(status == 1 and "symbolic link" in text and not os.path.exists(place.witness), lambda: f"status {status}: {text[-400:]!r}")


def on_terminal(option):
    """--wide: on a terminal of 80 columns, lines are longer than that."""
    def proof(ctx, python, command):
        place = Place(ctx, python, "wide").fill()
        head = place.line(command)[0]
        widths = []
        for options in ([], [option]):
            text, _ = on_screen(ctx, [*head, *options], env={"PAGER": "cat", "COLUMNS": "80"})
            widths.append(max(len(line) for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()))
        expect(widths[0] < widths[1], lambda: f"widths {widths}")
    return proof


def tried(*options, want, head=("try",)):
    def proof(ctx, python, command):
        done = run(ctx, *head, *[o.format(python=python.command[0]) for o in options], timeout=120)
        expect(done.returncode == 0 and re.search(want.format(version=re.escape(python.name.split("+")[0])), done.stdout),
               lambda: f"{options}: {done.returncode} {done.stdout[:400]!r} {done.stderr!r}")
    return proof


def made(option, value, right):
    """The capture that the command writes with the option is right, and without it is not."""
    def proof(ctx, python, command):
        place = Place(ctx, python, "made").fill()
        results = []
        for words in ([option, value], []):
            done = run(ctx, *place.line(command)[0], *words)
            lines = run(ctx, "print", "-F", "json", place.out).stdout.splitlines()
            results.append(done.returncode == 0 and bool(right([json.loads(line) for line in lines])))
        expect(results == [True, False], lambda: f"{option} {value}: with it {results[0]}, without {results[1]}: {done.stderr}")
    return proof


ALWAYS = {"help": only_tells(["--help"], "usage: auditview"), "version": only_tells(["--version"], "auditview "),
          "completion": only_tells(["--completion", "bash"], "complete ")}
JSON = shows("--json", check=is_json)
ONLY_MARK = shows("-Y", "event == \"victim.mark\"", has_not=r'"event":"(marshal|import|open|exec)')
def stat_as_record(*options, code=None):
    """`stat OPTIONS -- PROGRAM` counts what `record OPTIONS` has."""
    def check(ctx, python, command):
        place = Place(ctx, python, "counts")
        program = ["--", *python.command, "-S", "-c", code or MANY]
        plain, counts = place.path("plain"), []
        done = run(ctx, "record", "-q", "-o", plain, *options, *program)
        expect(done.returncode == 0, lambda: done.stderr)
        for line in ([plain], [*options, *program]):
            done = run(ctx, "stat", "--json", "-Y", "event ~ \"^victim\"", "--sort", "key", *line)
            expect(done.returncode == 0, lambda: f"{line}: {done.stderr[-300:]}")
            counts.append([(r["key"], r["events"], r["mostly_by"]) for r in json.loads(done.stdout)["rows"]])
        expect(counts[0] and counts[0] == counts[1], lambda: f"{options}: recorded {counts[0]}, counted live {counts[1]}")
    return check


def stat_pid(ctx, python, command):
    """Attach, print a table each 200 ms, and one at the end."""
    target = subprocess.Popen([*python.command, "-S", "-c", "import sys, time\nwhile True:\n    sys.audit('victim.tick'); time.sleep(.01)"],
                              stdin=subprocess.DEVNULL)
    try:
        done = run(ctx, "stat", "-p", str(target.pid), "--duration", "700ms", "--interval", "200ms")
        expect(done.returncode == 0 and done.stdout.count("victim.tick") >= 3 and "in all" in done.stdout, lambda: f"{done.stdout} {done.stderr}")
        expect(target.poll() is None, "the target has ended")
    finally:
        target.kill()
        target.wait()


def stat_output(ctx, python, command):
    place = Place(ctx, python, "output")
    done = run(ctx, "stat", "-o", place.out, "--", *python.command, "-S", "-c", MARK + "print('own')")
    expect(done.stdout == "own\n" and "victim.mark" in open(place.out, encoding="utf-8").read(), lambda: f"{done.stdout!r} {done.stderr!r}")


def stat_count(ctx, python, command):
    """Counted by name, without times and callers."""
    done = run(ctx, "stat", "--count", "--", *python.command, "-S", "-c", MARK)
    expect(done.returncode == 0 and "victim.mark" in done.stdout and "first s" not in done.stdout and "mostly by" not in done.stdout,
           lambda: f"{done.returncode} {done.stdout} {done.stderr}")


def stat_program(*options):
    """An option that does not change the counts, with a program: it is taken, and the table comes."""
    def check(ctx, python, command):
        place = Place(ctx, python, "program")
        words = [place.script if o == "{script}" else python.command[0] if o == "{python}" else o for o in options]
        if "{script}" not in options:
            words += ["--", *python.command, "-S", "-c", MARK]
        if "-u" in options:
            if os.getuid() != 0 or not os.access("/usr/bin/python3", os.X_OK):
                raise Skip("needs root, and a Python that everybody may run")
            words = ["-u", "nobody", "--", "/usr/bin/python3", "-S", "-c", MARK]
        else:
            words = words[:-1] + ["--", words[-1]] if "{script}" in options else words
        done = run(ctx, "stat", *words)
        expect(done.returncode == 0 and "victim.mark" in done.stdout, lambda: f"{words}: {done.returncode} {done.stdout} {done.stderr}")
    return check


def screen_keep(ctx, python, command):
    """check_keep.py has the rest."""
    place = Place(ctx, python, "keep")
    text, status = on_screen(ctx, ["--keep", "64k", "-o", place.out, "--on-exit", "kill", "--", *python.command, "-S", "-c",
                                   "import os, sys, time\nfor i in range(20000): sys.audit('victim.n', i, os.urandom(99))\ntime.sleep(9)"])
    expect(status is not None and "keeps the newest 64k" in text and os.path.exists(place.out), lambda: f"{status} {text[-900:]}")


def diff_status(ctx, python, command):
    """Something new has the status 3; nothing new, and something that is gone, have 0."""
    place = Place(ctx, python, "status").fill()
    fewer = place.path("fewer.avc")
    done = run(ctx, "cut", place.capture, "-Y", "event != \"victim.mark\"", "-o", fewer)
    expect(done.returncode == 0, lambda: f"cut: {done.stderr}")
    for a, b, option, status in ((fewer, place.capture, ["--exit-code"], 3), (place.capture, place.capture, ["--exit-code"], 0),
                                 (place.capture, fewer, ["--exit-code"], 0), (fewer, place.capture, [], 0)):
        done = run(ctx, "diff", a, b, *option)
        expect(done.returncode == status, lambda: f"{a} {b} {option}: {done.returncode} instead of {status}: {done.stdout}{done.stderr}")


def check_live(*options):
    """An option that starts or selects the target of check: the mark of the target is new to the profile of another program."""
    def proof(ctx, python, command):
        place = Place(ctx, python, "check")
        other = place.path("other.avc")
        for words in (["record", "-q", "-o", other, "--", *python.command, "-S", "-c", "pass"], ["profile", other, "-o", place.profile]):
            done = run(ctx, *words)
            expect(done.returncode == 0, lambda: f"{words}: {done.stderr}")
        target, program = None, ["--", *python.command, "-S", "-c", MARK]
        given = [python.command[0] if o == "{python}" else o for o in options]
        if "-u" in options:
            if os.getuid() != 0 or not os.access("/usr/bin/python3", os.X_OK):
                raise Skip("needs root, and a Python that everybody may run")
            program = ["--", "/usr/bin/python3", "-S", "-c", MARK]
        elif "--python" in options:
            program = ["--", place.script]
        elif "-p" in options:
            code = "import sys\nprint(flush=True)\nsys.stdin.readline()\n" + MARK
            target = subprocess.Popen([*python.command, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            target.stdout.readline()
            given, program = ["-p", str(target.pid)], []
        words = [ctx.auditview, "check", place.profile, *given, *program]
        checker = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            if target:
                wait_for(lambda: harness.hooks_of(ctx, target.pid) > 0, 30, "check to attach")
                target.stdin.write("\n")
                target.stdin.flush()
            out, err = checker.communicate(timeout=harness.GUARD)
            expect(checker.returncode == 3 and re.search(r"(?m)^\+ .* event  victim[.]mark", out), lambda: f"{words}: {checker.returncode} {out} {err}")
        finally:
            for process in (checker, target):
                if process:
                    harness.kill(process)
    return proof


def doctor_redact(ctx, python, command):
    """A variable of this function, whose name says that it is a secret."""
    password = "b6ecret44"
    for options, there in (([], False), (["--redact"], False), (["--no-redact"], True)):
        done = run(ctx, "doctor", str(os.getpid()), "--locals", *options)
        expect(done.returncode == 0 and (f'password = "{password}"' in done.stdout) == there and "password = " in done.stdout,
               lambda: f"{options}: {done.returncode} {done.stdout[:2000]!r} {done.stderr!r}")


def export_async(ctx, python, command):
    """The frames of a task stand under those that wait for it, equal chains are one; names cannot forge frames or lines."""
    place = Place(ctx, python, "async")
    line = {"time": "2026-11-22T07:00:00Z", "pid": 41, "tid": 41, "event": "open", "args": {},
            "stack": [{"func": "f", "file": "/srv/a.py", "line": 3}]}
    tasks = [{"name": "job-1", "id": 1, "awaited_by": ["job-2", "main"]}, {"name": "job-1", "id": 2, "awaited_by": ["job-2", "main"]},
             {"name": "a;b\nc\u001b[2J", "id": 3, "awaited_by": [], "more": 9}, {"name": "x", "awaited_by": [f"w{i}" for i in range(10000)]}, None]
    with open(place.path("in.jsonl"), "w", encoding="utf-8") as f:
        f.writelines(json.dumps({**line, **({"task": t} if t else {})}) + "\n" for t in tasks)
    done = run(ctx, "import", "-q", place.path("in.jsonl"), "-o", place.path("in.avc"))
    expect(done.returncode == 0, lambda: done.stderr)
    rows = run(ctx, command, place.path("in.avc"), "-F", "folded", "--async").stdout.split("\n")
    chain = ";".join(f"w{i}" for i in reversed(range(10000)))
    want = ["main;job-2;job-1;f (a.py);open 2", r"…;a_b\nc\x1b[2J;f (a.py);open 1", chain + ";x;f (a.py);open 1", "f (a.py);open 1", ""]
    expect(rows == want, lambda: f"{[r[:200] for r in rows]}")
    expect(run(ctx, command, place.path("in.avc"), "-F", "folded").stdout == "f (a.py);open 5\n", "tasks are there without --async")
    for other in ("speedscope", "csv", "jsonl"):
        done = run(ctx, command, place.path("in.avc"), "-F", other, "--async")
        expect(done.returncode == 2 and not done.stdout and "--async" in done.stderr, lambda: f"{other}: {done.returncode} {done.stderr!r}")


PROOFS = {
    "live": {"pid": live_pid, "user": live_user, "python": live_python, "on-exit": live_on_exit, "events": live_events,
             "stack": live_stack, "stack-bytes": live_stack_bytes, "string-bytes": live_string_bytes, "bulk-bytes": live_bulk_bytes,
             "follow": live_follow, "duration": live_duration, "limit": live_limit, "until": live_until, "may-drop": live_may_drop,
             "rotate-size": live_rotate, "rotate-time": live_rotate, "rotate-count": live_rotate,
             "keep": live_keep, "hold": live_hold, "do": live_hold, "hold-ignore": live_hold, "hold-locals": live_hold_locals,
             "ring-size": live_ring_size, "redact": live_redact, "output": live_output, "quiet": live_quiet, "filter": live_filter, "mine": live_mine,
             "format": live_format, "wide": live_wide, "color": live_color},
    "-": {"list-fields": only_tells(["--list-fields"], "stack"), "no-tty": screen_no_tty, "no-config": screen_no_config,
          "keep": screen_keep},
    "export": {"async": export_async, "filter": ONLY_MARK, "mine": shows("-F", "csv", "-Y", "event == \"victim.mark\" and caller", "--mine", "/nowhere", has_not="victim"), "format": shows("-F", "csv", want="(?m)^seq,"), "output": shows("-o", "{out}", check=written),
               "schema": shows("--schema", "clickhouse", line=["export"], want="CREATE TABLE.*\n.*\n *`v` UInt8"), "quiet": shows("-q", check=is_quiet)},
    "import": {"output": shows("-o", "{out}", check=imported), "quiet": shows("-q", check=is_quiet)},
    "merge": {"output": shows("-o", "{out}", check=imported), "quiet": shows("-q", check=is_quiet),
              "offset": made("--offset", "2=1h", lambda rows: rows[-1]["ts_ns"] > 3600e9), "host": made("--host", "2=web", lambda rows: rows[-1]["host.name"] == "web")},
    "cut": {"output": shows("-o", "{out}", check=imported), "quiet": shows("-q", check=is_quiet),
            "filter": made("-Y", "event == \"victim.mark\"", lambda rows: len(rows) == 1),
            "mine": shows("-Y", "caller", "--mine", "/nowhere", "-o", "{out}", check=cut_is_empty), "from": made("--from", "1h", lambda rows: not rows),
            "to": made("--to", "0s", lambda rows: not rows)},
    "stat": {"mine": shows("--mine", "/nowhere", has_not="<string>"), "filter": shows("-Y", "event == \"victim.mark\"", has_not="marshal"), "by": shows("--by", "thread", want="MainThread"),
             "sort": shows("--sort", "key", check=lambda d, p, _: expect(sorted(d.stdout) == sorted(p.stdout) and d.stdout != p.stdout, "same")),
             "rows": shows("-n", "2", check=n_rows), "coverage": shows("--coverage", want="never"), "json": JSON,
             "quiet": shows("-q", check=is_quiet), "pid": stat_pid, "duration": stat_pid, "interval": stat_pid, "output": stat_output, "count": stat_count,
             "events": stat_as_record("-e", "victim.n", code=MARK + "\nfor i in range(999): sys.audit('victim.n', i)"), "limit": stat_as_record("--limit", "777"),
             "until": stat_as_record("--until", "event == \"victim.n\" and args[0] == 41"), "stack": stat_as_record("--stack", "off"),
             "stack-bytes": stat_as_record("--stack", "both", "--stack-bytes", "8k"), "string-bytes": stat_as_record("-s", "10"),
             "bulk-bytes": stat_as_record("--bulk-bytes", "10"), "follow": stat_as_record("--no-follow", code=FAMILY),
             "may-drop": stat_program("--may-drop"), "ring-size": stat_as_record("--ring-size", "2M"),
             "redact": stat_as_record("--no-redact"), "user": stat_program("-u"), "python": stat_program("--python", "{python}", "{script}"),
             "on-exit": stat_program("--on-exit", "kill")},
    "diff": {"mine": diff_mine, "filter": shows("-Y", "event == \"no.such\"", check=lambda d, p, _: expect(d.stdout != p.stdout, "same")), "json": JSON,
             "screen": screen_shows, "color": screen_color, "no-config": screen_no_config, "quiet": shows("-q", check=is_quiet),
             "exit-code": diff_status},
    "profile": {"output": shows("-o", "{out}", check=written), "filter": shows("-Y", "event == \"victim.mark\"", has_not="(?m)^module"), "quiet": shows("-q", check=is_quiet)},
    "check": {"filter": shows("-Y", "event == \"no.such\"", want="^0 new, 0 known"), "json": shows("--json", check=is_json),
              "quiet": shows("-q", check=is_quiet), "pid": check_live("-p"), "user": check_live("-u", "nobody"),
              "python": check_live("--python", "{python}"), "on-exit": check_live("--on-exit", "kill")},
    "events": {"python": shows("--python", "3.8", check=n_rows), "category": shows("--category", "open", check=n_rows),
               "theme": shows("--theme", "network", check=n_rows), "json": JSON, "wide": on_terminal("-w"),
               "quiet": shows("-q", check=is_quiet)},
    "explain": {"python": shows("--python", "3.8", line=["explain", "marshal.load"], check=lambda d, p, _: expect(d.stdout != p.stdout, "same")),
                "json": JSON, "color": shows("--color", "always", want=r"\x1b\["), "quiet": shows("-q", check=is_quiet)},
    "try": {"python": tried("--python", "{python}", "open", want=r"CPython {version}"), "code": tried("-c", "open('/dev/null')", want="/dev/null"),
            "all-pythons": None, "screen": screen_shows, "color": screen_color, "no-config": screen_no_config,
            "filter": None, "quiet": shows("-q", line=["try", "{script}"], check=is_quiet)},
    "lesson": {"python": tried("--python", "{python}", want=r"CPython {version}", head=("lesson", "1")), "screen": screen_shows,
               "color": screen_color, "no-config": screen_no_config, "filter": None, "quiet": shows("-q", line=["lesson"], check=is_quiet)},
    "doctor": {"json": shows("--json", check=is_json, status=None), "color": shows("--color", "always", want=r"\x1b\[", status=None),
               "stacks": shows("--stacks", want=r"(?m)^thread \d+ .*\n +0  "), "locals": shows("--locals", want=r"(?m)^ {10}\w+ = "),
               "redact": doctor_redact,
               "quiet": shows("-q", check=is_quiet, status=None)},
}


def all_pythons(ctx, python, command):
    """The versions stand above the columns; if only one Python is found, there is no column."""
    tried("--all-pythons", "-c", "open('/dev/null')", want=r"3\.\d+\.\d+|open +/dev/null r")(ctx, python, command)


PROOFS["try"]["all-pythons"] = all_pythons
PROOFS["try"]["filter"] = lambda ctx, python, command: refuse_filter(ctx, ["try", "--screen", "-c", "1"])
PROOFS["lesson"]["filter"] = lambda ctx, python, command: refuse_filter(ctx, ["lesson", "--screen"])


def refuse_filter(ctx, line):
    """screen_filter() tests that it is applied on the screen; here, that it is checked before anything starts."""
    _, status = on_screen(ctx, [*line, "-Y", "evnt == 3"])
    expect(status == 2, f"a wrong filter: status {status}")
    _, status = on_screen(ctx, [*line, "-Y", "event == \"open\""])
    expect(status == 0, f"a filter: status {status}")


def proof_of(command, option):
    own = PROOFS.get(command, {}).get(option)
    return own or ALWAYS.get(option) or (PROOFS["live"].get(option) if command in LIVE else None)


def complete(ctx):
    """Every option needs a test here, else it is unknown whether it is obeyed."""
    for command, taken in table(ctx).items():
        for option in taken:
            expect(proof_of(command, option), f"there is no proof that {command} obeys --{option}")


def of_a_file(ctx, python):
    """print FILE: --limit and --until, alone, together, and with -Y."""
    place = Place(ctx, python, "file")
    done = run(ctx, "record", "-q", "-o", place.capture, "--", *python.command, "-S", "-c", MANY)
    expect(done.returncode == 0, lambda: done.stderr)
    for head in (["print"], []):
        for options, n in ((["--limit", "7"], 7), (["--limit", "7", "-Y", "event == \"victim.n\""], 7),
                           (["--until", "event == \"victim.n\" and args[0] == 41", "-Y", "event == \"victim.n\""], 42),
                           (["--until", "event == \"victim.n\" and args[0] == 41", "-Y", "event == \"victim.n\"", "--limit", "9"], 9)):
            lines = run(ctx, *head, place.capture, "-F", "json", *options).stdout.splitlines()
            expect(len(lines) == n, lambda: f"{options}: {len(lines)} lines, expected {n}")
    done = run(ctx, "print", place.capture, "--until", "bad ((")
    expect(done.returncode == 2 and not done.stdout, lambda: f"{done.returncode} {done.stderr!r}")


# ---- pairs ----

# Values of which each changes what is printed of Place.capture by itself, or is refused.
EFFECT = {"filter": ["-Y", 'event == "open" or caller'], "mine": ["--mine", "/nowhere"], "format": ["-F", "csv"], "output": ["-o", "{out}"],
          "limit": ["--limit", "30"], "until": ["--until", 'event == "victim.mark"'], "wide": ["-w"], "color": ["--color", "always"],
          "by": ["--by", "caller"], "sort": ["--sort", "key"], "rows": ["-n", "2"], "coverage": ["--coverage"], "json": ["--json"],
          "async": ["--async"], "schema": ["--schema", "json"], "from": ["--from", "1ms"], "to": ["--to", "1h"],
          "offset": ["--offset", "2=1h"], "host": ["--host", "1=web"], "exit-code": ["--exit-code"], "python": ["--python", "3.8"],
          "category": ["--category", "os"], "theme": ["--theme", "filesystem"], "redact": ["--no-redact"], "stacks": ["--stacks"],
          "locals": ["--locals"], "list-fields": ["--list-fields"]}
# Options that change nothing of the output of these command lines, and why.
UNSEEN = {"quiet": "leaves out messages only", "follow": "the capture is finished", "async": "the capture has no tasks", "wide": "no terminal, nothing is cut",
          "exit-code": "only the status", "redact": "needs --locals"}
# (option, other option): what the first says is done already by the second.
COVERED = {("until", "limit"): "whichever comes first", ("limit", "until"): "whichever comes first", ("stacks", "locals"): "the same with variables",
           ("to", "from"): "the end of the capture", ("mine", "limit"): "the first events have no caller", ("mine", "until"): "the first events have no caller"}
ALWAYS_REFUSED = {"help", "version", "completion"}  # they print something else and end, as is usual
PAIRED = {"stat": ["stat", "{capture}"], "print": ["print", "{capture}"], "-": ["{capture}"], "export": ["export", "{capture}"], "cut": ["cut", "{capture}"],
          "merge": ["merge", "{capture}", "{other}"], "profile": ["profile", "{capture}"], "check": ["check", "{profile}", "{capture}"],
          "diff": ["diff", "{capture}", "{other}"], "events": ["events"], "explain": ["explain", "open"]}


def printed(ctx, place, command, options):
    """Return (status, standard output, the file of -o) of the command with these options."""
    effect = {**EFFECT, "filter": ["-Y", 'event == "open"']} if command == "check" else EFFECT
    words = PAIRED[command] + [w for o in options for w in effect.get(o, ["--" + o])]
    if command in ("cut", "merge") and "output" not in options:
        words += ["-o", "-"]
    if command == "export" and "format" not in options and "schema" not in options:
        words += ["-F", "text"]
    fields = {"out": place.out, "capture": place.capture, "other": place.path("b.avc"), "profile": place.profile}
    words = [w[1:-1] in fields and fields[w[1:-1]] or w for w in words]
    done = subprocess.run([ctx.auditview, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=place.folder,
                          timeout=harness.GUARD)
    file = None
    if os.path.exists(place.out):
        with open(place.out, "rb") as f:
            file = f.read()
        os.unlink(place.out)
    return done.returncode, done.stdout, file


def pairs(ctx, python, command):
    """Each two options that a command takes together on a capture: both are obeyed, or they are refused. An option is
    obeyed if the output differs from that without it."""
    place, taken = Place(ctx, python, "pairs"), table(ctx)[command]
    with open(place.script, "a", encoding="utf-8") as f:
        f.write("open('/etc/passwd').close(); open('/etc/hosts').close()\n")
    run(ctx, "record", "-q", "-o", place.path("b.avc"), "--", *python.command, "-S", place.script)
    with open(place.script, "a", encoding="utf-8") as f:
        f.write("import json, socket; exec(compile('1', 'x', 'exec'))\nfor i in range(9): sys.audit('victim.n', i)\n")
    run(ctx, "record", "-q", "-o", place.capture, "--", *python.command, "-S", place.script)
    run(ctx, "profile", place.path("b.avc"), "-o", place.profile)
    options = [o for o, (screen, _, _) in taken.items() if not screen and o not in ALWAYS_REFUSED and (o in EFFECT or o in UNSEEN)]
    alone = {o: printed(ctx, place, command, [o]) for o in options}
    nothing = printed(ctx, place, command, [])
    expect(nothing[0] in (0, 3) and nothing[1], lambda: f"{command}: status {nothing[0]}")
    for o in options:
        expect(o in UNSEEN or alone[o][0] == 2 or alone[o] != nothing, f"{command} --{o} is accepted and ignored")
    n_refused = 0
    for i, a in enumerate(options):
        for b in options[i + 1:]:
            if alone[a][0] == 2 or alone[b][0] == 2:
                continue
            both = printed(ctx, place, command, [a, b])
            n_refused += both[0] == 2
            for one, other in ((a, b), (b, a)):
                expect(both[0] == 2 or both != alone[other] or one in UNSEEN or (one, other) in COVERED,
                       f"{command}: --{one} is accepted and ignored next to --{other}")
    return n_refused


COUNT_REFUSES = (["--may-drop"], ["--ring-size", "2M"], ["--no-redact"], ["--mine", "/nowhere"], ["--stack", "both"], ["-s", "9"], ["--bulk-bytes", "9"],
                 ["--limit", "3"], ["--until", "event == \"open\""], ["--by", "caller"], ["--by", "import"], ["--by", "tid"], ["--sort", "first"])
LIVE_REFUSES = [("stat", ["--count", *words]) for words in COUNT_REFUSES] + [
    ("stat", words) for words in (["--sort", "nonsense"], ["--by", "import", "--sort", "first-of-all"], ["--stack", "off", "--by", "caller"],
                                  ["--stack", "native", "--by", "my-code"], ["--stack", "off", "--by", "stack"], ["--stack", "off", "--by", "package"],
                                  ["--stack", "off", "--mine", "/nowhere"], ["--by", "depth", "--mine", "/nowhere"], ["--stack", "off", "--by", "top"], ["--coverage", "--json"])] + [
    ("print", words) for words in (["--stack", "off", "--mine", "/nowhere", "-Y", "caller"], ["-F", "json", "--mine", "/nowhere"], ["-F", "csv", "--color", "always"],
                                   ["-F", "csv", "-w"], ["--hold", "event == \"open\"", "--may-drop"])] + [
    ("record", words) for words in (["--keep", "1M", "--rotate-size", "1"], ["--rotate-count", "3"], ["--hold", "event == \"open\"", "--may-drop"])] + [
    ("-", words) for words in (["--list-fields", "-F", "csv"], ["--list-fields", "--stack", "off"])]


def live_pairs(ctx, python):
    """Options that contradict one another are refused with status 2 before the program is started."""
    place = Place(ctx, python, "pairs")
    for command, words in LIVE_REFUSES:
        head = {"record": ["record", "-o", place.out], "-": []}.get(command, [command])
        done = run(ctx, *head, *words, "--", *python.command, "-S", place.script)
        what = " ".join([command, *words])
        expect(done.returncode == 2 and done.stderr, lambda: f"{what}: status {done.returncode}, expected 2: {done.stderr[-300:]}")
        expect(not os.path.exists(place.witness), f"{what}: the program was started")
        expect(not os.path.exists(place.out), f"{what}: a file was made")


def same_twice(ctx, python):
    """merge and cut: a setting of one capture that would replace another, and times in the wrong order."""
    place = Place(ctx, python, "twice").fill()
    for words in (["merge", place.capture, place.capture, "--host", "1=a", "--host", "1=b"], ["merge", place.capture, place.capture, "--offset", "1=1s,1=2s"],
                  ["cut", place.capture, "--from", "2s", "--to", "1s"], ["cut", place.capture, "--from", "1s", "--to", "1s"]):
        done = run(ctx, *words, "-o", place.out)
        expect(done.returncode == 2 and not os.path.exists(place.out), lambda: f"{words}: {done.returncode} {done.stderr!r}")
    done = run(ctx, "doctor", str(os.getpid()), "--no-redact")
    expect(done.returncode == 2 and not done.stdout, lambda: f"doctor --no-redact: {done.returncode} {done.stderr!r}")


def odd_words(ctx, python):
    """A version with something behind it is no version; a dash needs a standard input."""
    for words in (["events"], ["explain", "open"], ["lesson", "1"], ["try", "-c", "1"]):
        for version in ("3.12.junk", "3.12.", "3.12x", "3.12.1.", "3.12.0rc", "12.x"):
            done = run(ctx, *words, "--python", version)
            expect(done.returncode in (1, 2) and not done.stdout and version in done.stderr, lambda: f"{words} {version}: {done.returncode} {done.stderr!r}")
    for version in ("3.12", "12", "3.12.1", "3.12.0rc2"):
        expect(run(ctx, "events", "--python", version).returncode == 0, f"events --python {version}")
    for words in (["print"], ["stat"], ["export", "-F", "csv"], ["import", "-o", os.path.join(ctx.folder, "no.avc")]):
        done = subprocess.run(["sh", "-c", '"$@" <&-', "sh", ctx.auditview, *words, "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        expect(done.returncode == 2 and "standard input: it is closed" in done.stderr, lambda: f"{words} - <&-: {done.returncode} {done.stderr!r}")


def cells(ctx):
    python = ctx.some_pythons(12)[0]
    yield "a proof for each", None, lambda: complete(ctx)
    for command in PAIRED:
        if ctx.full or command != "-":  # without a screen it is print
            yield f"pairs, {command}", python, lambda c=command: pairs(ctx, python, c)
    for function in (refused, needs, wrong_values, of_a_file, live_pairs, same_twice, odd_words):
        yield function.__name__.replace("_", " "), python, lambda f=function: f(ctx, python)
    quick = {("-", option) for option in PROOFS["live"]} | {("print", option) for option in PROOFS["live"]}
    quick -= {("print", "until"), ("print", "filter"), ("print", "format"), ("print", "wide")}
    for command, taken in table(ctx).items():
        for option in taken:
            # The three commands that record share the code for most options: a quick run tests one of them.
            if (not ctx.full and (command, option) in quick) or option in ALWAYS and command not in ("-", "record") and not ctx.full:
                continue
            proof = proof_of(command, option)
            if proof:
                yield f"{command} --{option}", python, lambda p=proof, c=command: p(ctx, python, c)
