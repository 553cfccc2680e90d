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

from harness import Skip, expect

MARK = "import sys; sys.audit('victim.mark', 'm' * 300, {'password': 'hunter22'}); "
VALUES = {"pid": "1", "user": "root", "python": "3.12", "on-exit": "kill", "events": "open", "stack": "off", "stack-bytes": "8k",
          "string-bytes": "10", "bulk-bytes": "10", "duration": "1s", "limit": "5", "until": "event == \"open\"", "ring-size": "2M",
          "filter": "event == \"open\"", "format": "csv", "output": "/dev/null", "by": "event", "sort": "key", "rows": "3",
          "category": "open", "theme": "filesystem", "code": "1", "color": "never", "completion": "bash"}
LIVE = ("record", "print", "-")
# ncurses keeps what it read about the terminal
TERMINAL = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=0"}


def run(ctx, *arguments, timeout=60, **more):
    return subprocess.run([ctx.auditview, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, errors="replace", timeout=timeout, cwd=more.pop("cwd", ctx.folder), **more)


def table(ctx):
    """Return {command: {option: (needs --screen, what it needs, takes a value)}}."""
    done = run(ctx, "--list-options")
    commands = {}
    for line in done.stdout.splitlines():
        command, option, how, needs, value = line.split("\t")
        commands.setdefault(command, {})[option] = (how == "screen", needs.split(), value == "value")
    expect(len(commands) == 12, lambda: f"--list-options: {done.stdout[:200]!r} {done.stderr[:200]!r}")
    return commands


class Place:
    """A folder with a capture, a script that leaves a witness file if it runs, and command lines that would use
    them."""

    def __init__(self, ctx, python, label):
        self.ctx, self.python = ctx, python
        self.folder = ctx.new_folder(label)
        self.witness, self.out = self.path("witness"), self.path("out")
        self.capture, self.lines, self.script = self.path("a.avc"), self.path("a.jsonl"), self.path("n.py")
        with open(self.script, "w", encoding="utf-8") as f:
            f.write(f"open({self.witness!r}, 'w').close()\n" + MARK + "\n")

    def path(self, name):
        return os.path.join(self.folder, name)

    def fill(self):
        done = run(self.ctx, "record", "-q", "-o", self.capture, "--", *self.python.command, "-S", "-c", MARK)
        expect(done.returncode == 0, lambda: f"record: {done.stderr}")
        done = run(self.ctx, "export", self.capture, "-o", self.lines)
        expect(done.returncode == 0, lambda: f"export: {done.stderr}")
        return self

    def line(self, command):
        program = ["--", *self.python.command, "-S", self.script]
        return {"-": [], "record": ["record", "-o", self.out], "print": ["print"],
                "export": ["export", self.capture, "-F", "jsonl"], "import": ["import", self.lines, "-o", self.out],
                "stat": ["stat", self.capture], "diff": ["diff", self.capture, self.capture], "events": ["events"],
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


WRONG = [("--until", "bad (("), ("--until", "evnt == 3"), ("-e", "/(/"), ("-e", "@nowhere"), ("--limit", "x"), ("--duration", "soon"),
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

    def __init__(self, ctx, python, command, options, code, timeout=60, program=None):
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


def on_screen(ctx, line, keys=b"Q", cwd=None, env=None, seconds=40):
    """Run on a terminal of its own and send keys once the screen is drawn. Returns what it wrote, and its status."""
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
        if time.monotonic() > deadline:
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


ALWAYS = {"help": only_tells(["--help"], "usage: auditview"), "version": only_tells(["--version"], "auditview "),
          "completion": only_tells(["--completion", "bash"], "complete ")}
JSON = shows("--json", check=is_json)
ONLY_MARK = shows("-Y", "event == \"victim.mark\"", has_not=r'"event":"(marshal|import|open|exec)')
PROOFS = {
    "live": {"pid": live_pid, "user": live_user, "python": live_python, "on-exit": live_on_exit, "events": live_events,
             "stack": live_stack, "stack-bytes": live_stack_bytes, "string-bytes": live_string_bytes, "bulk-bytes": live_bulk_bytes,
             "follow": live_follow, "duration": live_duration, "limit": live_limit, "until": live_until, "may-drop": live_may_drop,
             "ring-size": live_ring_size, "redact": live_redact, "output": live_output, "quiet": live_quiet, "filter": live_filter,
             "format": live_format, "wide": live_wide, "color": live_color},
    "-": {"list-fields": only_tells(["--list-fields"], "stack"), "no-tty": screen_no_tty, "no-config": screen_no_config},
    "export": {"filter": ONLY_MARK, "format": shows("-F", "csv", want="(?m)^seq,"), "output": shows("-o", "{out}", check=written),
               "quiet": shows("-q", check=is_quiet)},
    "import": {"output": shows("-o", "{out}", check=imported), "quiet": shows("-q", check=is_quiet)},
    "stat": {"filter": shows("-Y", "event == \"victim.mark\"", has_not="marshal"), "by": shows("--by", "thread", want="MainThread"),
             "sort": shows("--sort", "key", check=lambda d, p, _: expect(sorted(d.stdout) == sorted(p.stdout) and d.stdout != p.stdout, "same")),
             "rows": shows("-n", "2", check=n_rows), "coverage": shows("--coverage", want="never"), "json": JSON,
             "quiet": shows("-q", check=is_quiet)},
    "diff": {"filter": shows("-Y", "event == \"no.such\"", check=lambda d, p, _: expect(d.stdout != p.stdout, "same")), "json": JSON,
             "screen": screen_shows, "color": screen_color, "no-config": screen_no_config, "quiet": shows("-q", check=is_quiet)},
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
               "quiet": shows("-q", check=is_quiet, status=None)},
}


def all_pythons(ctx, python, command):
    tried("--all-pythons", "-c", "open('/dev/null')", want=r"3\.\d+\.\d+")(ctx, python, command)


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


def cells(ctx):
    python = ctx.some_pythons(12)[0]
    yield "a proof for each", None, lambda: complete(ctx)
    for function in (refused, needs, wrong_values, of_a_file):
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
