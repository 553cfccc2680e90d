"""streams: which output goes to which stream, what the exit status is, and what a capture contains afterwards."""
import json
import os
import re
import signal
import subprocess
import time

import harness
from harness import Capture, Launch, Recorder, Victim, expect, expect_goodbye, victim_path

PROGRAM = "import sys; sys.audit('victim.mark', 1); print('out'); print('err', file=sys.stderr); sys.exit(5)"


def run(ctx, *arguments, stdin=subprocess.DEVNULL, env=None, timeout=harness.GUARD, cwd=None):
    return subprocess.run([ctx.auditview, *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=env, timeout=timeout, errors="replace", cwd=cwd or ctx.folder)


def print_launched(ctx, python):
    """print -- PROGRAM: only events on stdout; the program's own stdout goes to stderr."""
    done = run(ctx, "print", "-F", "json", "--", *python.command, "-S", "-c", PROGRAM)
    expect(done.returncode == 5, lambda: f"status {done.returncode}, expected 5: {done.stderr[-300:]}")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    expect(sum(e["event"] == "victim.mark" for e in events) == 1, "the mark is missing")
    lines = done.stderr.splitlines()
    expect("out" in lines and "err" in lines, lambda: f"stderr: {done.stderr!r}")


def print_to_file(ctx, python):
    """print -o OUT -- PROGRAM: events in OUT, the program's streams are unchanged."""
    out = os.path.join(ctx.new_folder("print"), "events.jsonl")
    done = run(ctx, "print", "-F", "json", "-o", out, "--", *python.command, "-S", "-c", PROGRAM)
    expect(done.returncode == 5, lambda: f"status {done.returncode}, expected 5: {done.stderr[-300:]}")
    expect(done.stdout == "out\n", lambda: f"stdout: {done.stdout[:200]!r}")
    events = [json.loads(line) for line in open(out, encoding="utf-8")]
    expect(any(e["event"] == "victim.mark" for e in events), "the mark is missing")


def quiet(ctx, python):
    done = run(ctx, "print", "-q", "-F", "json", "-o", "/dev/null", "--", *python.command, "-S", "-c", PROGRAM)
    expect(done.stderr == "err\n" and done.stdout == "out\n", lambda: f"stdout {done.stdout!r}, stderr {done.stderr!r}")


def statuses(ctx, python):
    """The exit status is the launched program's; 128+N for a signal."""
    for how, status in (("status", 42), ("exception", 1), ("_exit", 43), ("SIGTERM", 128 + 15), ("SIGKILL", 128 + 9), ("SIGSEGV", 128 + 11),
                        ("exec", 44), ("python", 45)):
        launch = Launch(ctx, python, victim_path("exits"), how)
        launch.expect_status(status)
        marks = launch.capture.named("victim.mark")
        expect(len(marks) == 3, f"{how}: {len(marks)} marks, expected 3")
        if how == "python":
            expect(len(launch.capture.named("victim.second")) == 1, "the second image of the process was not followed")


def usage(ctx):
    """Status 2 for a wrong command line, with the nearest word; 1 for a failure; never any text on stdout."""
    cases = [(["--no-such-option"], 2, "--no-such-option"), (["recrod", "-p", "1"], 2, "record"), (["record", "--stack=pyton"], 2, "python"),
             (["print"], 2, ""), (["record", "-p", "twelve"], 2, "twelve"), (["print", "/nonexistent.avc"], 1, "/nonexistent.avc"),
             (["record", "-o", "x", "--", "/no/such/program"], 1, "/no/such/program")]
    for arguments, status, word in cases:
        done = run(ctx, *arguments)
        expect(done.returncode == status, lambda: f"{arguments}: status {done.returncode}, expected {status}: {done.stderr[-200:]!r}")
        expect(word in done.stderr and done.stderr.strip(), lambda: f"{arguments}: no {word!r} in {done.stderr!r}")
        expect(done.stdout == "", lambda: f"{arguments}: stdout {done.stdout[:100]!r}")


def help_everywhere(ctx):
    first = run(ctx, "--help")
    expect(first.returncode == 0 and "--stack" in first.stdout, lambda: f"--help: {first.returncode} {first.stderr[:200]}")
    version = run(ctx, "--version")
    expect(version.returncode == 0 and re.match(r"auditview \d+\.\d+", version.stdout), lambda: f"--version: {version.stdout!r}")
    for command in "record print export import stat diff events explain try doctor".split():
        done = run(ctx, command, "--help")
        expect(done.returncode == 0 and command in done.stdout and not done.stderr, lambda: f"{command} --help: {done.stderr[:200]!r}")
        expect(all(len(line) <= 110 for line in done.stdout.splitlines()), f"{command} --help is too wide")


def closed_pipe(ctx, python):
    """A reader that closes the pipe early: no message, and no harm to the program."""
    out = os.path.join(ctx.new_folder("pipe"), "done")
    code = "import sys\nfor n in range(20000): sys.audit('victim.mark', n)\nopen(%r, 'w').close()" % out
    with subprocess.Popen([ctx.auditview, "print", "--", *python.command, "-S", "-c", code], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        process.stdout.readline()
        process.stdout.close()
        stderr = process.stderr.read().decode()
        process.wait(harness.GUARD)
    expect("roken pipe" not in stderr and "rror" not in stderr, lambda: f"stderr: {stderr[-300:]!r}")
    harness.wait_for(lambda: os.path.exists(out), 20, "the program to finish its work")


def plain_text(ctx, python):
    """text, csv, tsv: as many lines as events; no escape sequence in a pipe, also none from the program's own bytes."""
    launch = Launch(ctx, python, victim_path("values"))
    n = len(launch.capture.events())
    for name, header in (("text", 0), ("csv", 1), ("tsv", 1), ("json", 0)):
        done = run(ctx, "print", "-F", name, launch.capture.path)
        expect(done.returncode == 0, lambda: f"{name}: status {done.returncode}: {done.stderr[-200:]}")
        # As in strace, lines with +++ say what else happened: attached, exited, lost.
        lines = [line for line in done.stdout.split("\n")[:-1] if name != "text" or not line.endswith(" +++")]
        expect(len(lines) == n + header, f"{name}: {len(lines)} lines, {n} events")
        expect(not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.stdout), f"{name}: a control character came through")


def only(ctx, python):
    """-e: names, globs, themes, categories, negation; decided before arguments are read."""
    code = "import os, sys, socket; sys.audit('victim.mark', 1); os.listdir('/'); socket.socket().close(); open('/dev/null').close()"
    for expression, want, never in (("open", {"open"}, None), ("os.*,socket.__new__", {"os.listdir", "socket.__new__"}, None),
                                    ("@network", {"socket.__new__"}, None), ("victim", {"victim.mark"}, None),
                                    ("/^os[.]list/", {"os.listdir"}, None), ("!import,!open", {"victim.mark", "os.listdir"}, {"import", "open"}),
                                    ("@filesystem,!open", {"os.listdir"}, {"open"})):
        launch = Launch(ctx, python, ["-S", "-c", code], options=["-e", expression])
        names = {e["event"] for e in launch.capture.events()}
        expect(want <= names and not (never or set()) & names, f"-e {expression}: captured {sorted(names)[:8]}, expected {sorted(want)}")
        if never is None:
            expect(names == want, f"-e {expression}: captured {sorted(names)[:8]}, expected {sorted(want)} alone")


def limits(ctx, python):
    """--limit and --duration end a capture; the target continues."""
    with Victim(ctx, python, "busy") as v:
        with Recorder(ctx, v.pid, "--limit", "50") as recorder:
            expect_goodbye(recorder.wait())
            n = len(recorder.capture.events())
            expect(n == 50, f"--limit 50: {n} events")
        started = time.monotonic()
        with Recorder(ctx, v.pid, "--duration", "400ms") as recorder:
            expect_goodbye(recorder.wait(), min_events=0)
            took = time.monotonic() - started
            expect(took >= 0.4, f"--duration 400ms: {took:.2f} s")
        v.stop()


def cut_strings(ctx, python):
    launch = Launch(ctx, python, ["-S", "-c", "import sys; sys.audit('victim.mark', 'x' * 100, b'y' * 100, 'é' * 100, 'short')"],
                    options=["-s", "10"])
    values = list(launch.capture.named("victim.mark")[0]["args"].values())
    expect([v.get("length") if isinstance(v, dict) else v for v in values] == [100, 100, 100, "short"], lambda: f"-s 10: {values}")
    expect(values[0]["cut"].rstrip("…") == "x" * 10 and values[2]["cut"].rstrip("…") == "é" * 5, lambda: f"-s 10: {values}")


def signals_to_recorder(ctx, python):
    """Ctrl-C, SIGTERM, SIGHUP: on each, the recorder detaches cleanly and ends with 0."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with Victim(ctx, python, "busy") as v:
            with Recorder(ctx, v.pid) as recorder:
                recorder.wait_attached()
                recorder.wait_events(4, "victim.mark")
                expect_goodbye(recorder.stop(number))
                expect(len(recorder.capture.named("victim.mark")) > 3, "no marks")
            v.stop()


def capture_file(ctx, python):
    """The file has mode 0600; it is readable while it grows, and so is any prefix of it."""
    with Victim(ctx, python, "busy") as v:
        with Recorder(ctx, v.pid) as recorder:
            recorder.wait_attached()
            n = 20
            for _ in range(6):  # so many times something was written
                recorder.wait_events(n)
                n = recorder.count_events() + 1
            expect_goodbye(recorder.stop())
        v.stop()
    mode = os.stat(recorder.path).st_mode & 0o777
    expect(mode == 0o600, f"mode of the capture is {mode:o}")
    whole = recorder.capture.events()
    data = open(recorder.path, "rb").read()
    cut = recorder.path + ".cut"
    last = 0
    for part in (0.2, 0.5, 0.9):
        with open(cut, "wb") as out:
            out.write(data[:int(len(data) * part)])
        events = Capture(ctx, cut).events()
        expect(events == whole[:len(events)], f"the first {part:.0%} of the file tell something else")
        # What follows the last event may be more than a tenth of the file.
        expect(last <= len(events) < len(whole) + (part > 0.5), f"{len(events)} of {len(whole)} events in the first {part:.0%}")
        last = len(events)
    expect(last > 0, "nothing readable in nine tenths of a capture")


def script_by_python(ctx, python):
    """A *.py file is run by python3, or by the Python that --python names."""
    folder = ctx.new_folder("script")
    script = os.path.join(folder, "program.py")
    with open(script, "w", encoding="utf-8") as out:
        out.write("import sys\nsys.audit('victim.mark', sys.executable)\n")
    if len(python.command) > 1:
        raise harness.Skip("this Python needs more than one word to start")
    done = run(ctx, "print", "-F", "json", "-e", "victim", "--python", python.command[0], "--", script)
    expect(done.returncode == 0, lambda: f"status {done.returncode}: {done.stderr[-200:]}")
    event = json.loads(done.stdout.splitlines()[0])
    expect(event["python"] == python.version_text, lambda: f"run by {event['python']}")


SECRETIVE = """
import os, subprocess, sys
os.environ["DB_PASSWORD"] = "hunter2"
sys.audit("victim.mark", {"api_key": "hunter2", "city": "Utrecht"}, "https://bob:hunter2@host/x", "hunter2 stays: no name says it is one")
subprocess.run([sys.executable, "-S", "-c", "pass"], env=dict(os.environ, A_TOKEN="hunter2", PLAIN="hunter3"))
"""


def secrets(ctx, python):
    """What looks like a secret is neither in the events nor in the recorded environment; --no-redact keeps
    everything."""
    folder = ctx.new_folder("secrets")
    env = dict(os.environ, LAUNCH_TOKEN="hunter2", PLAIN="hunter3")
    for option in ((), ("--no-redact",)):
        path = os.path.join(folder, "%s.avc" % ("kept" if option else "clean"))
        done = run(ctx, "record", *option, "-o", path, "-e", "victim,os.putenv,subprocess", "--no-follow", "--",
                   *python.command, "-S", "-c", SECRETIVE, env=env)
        expect(done.returncode == 0, lambda: f"status {done.returncode}: {done.stderr[-300:]}")
        text = run(ctx, "export", path, "--format", "jsonl").stdout
        first = json.loads(text.splitlines()[0])
        expect(first["process"]["environ"]["PLAIN"] == "hunter3", "the environment is not in the capture")
        expect((first["process"]["environ"]["LAUNCH_TOKEN"] == "hunter2") == bool(option), lambda: f"{first['process']['environ']['LAUNCH_TOKEN']}")
        events = [json.loads(line) for line in text.splitlines()]
        mark = next(e for e in events if e["event"] == "victim.mark")["args"]
        expect((mark["0"]["api_key"] == "hunter2") == bool(option) and mark["0"]["city"] == "Utrecht", lambda: f"{mark}")
        expect(mark["1"] == ("https://bob:hunter2@host/x" if option else "https://bob:***@host/x"), lambda: f"{mark}")
        expect(mark["2"].startswith("hunter2 stays"), lambda: f"{mark}")
        child = next(e for e in events if e["event"] == "subprocess.Popen")["args"]["env"]
        expect((child["A_TOKEN"] == "hunter2") == bool(option) and child["PLAIN"] == "hunter3", lambda: f"{child['A_TOKEN']}")


def cells(ctx):
    python = ctx.some_pythons(12)[0]
    for function in (usage, help_everywhere):
        yield function.__name__.replace("_", " "), None, lambda f=function: f(ctx)
    for function in (print_launched, print_to_file, quiet, statuses, closed_pipe, plain_text, only, limits, cut_strings,
                     signals_to_recorder, capture_file, script_by_python, secrets):
        yield function.__name__.replace("_", " "), python, lambda f=function: f(ctx, python)
