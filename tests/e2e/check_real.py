"""real: real programs are recorded, and must do what they do alone.

Each program runs three times, each time in a folder that is made anew: alone; launched under auditview with the
reference hook preloaded, whose count the capture must equal; and as a process that recorders attach to and detach from
as fast as they can. Its exit status, both outputs, and every file that it leaves are compared byte for byte, except for
what the program's row names as variable. The Python is the one that the program's package depends on.
"""
import os
import re
import shutil
import signal
import subprocess
import time

import harness
import packages
import refhook
from harness import Capture, Fail, Skip, expect, expect_goodbye, foreign_maps, maps_of

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
SYSTEM = "/usr/bin/python3"

HG = r"""
set -e
export HGPLAIN=1 HGRCPATH= HGUSER=t
hg init origin
cd origin
for n in 1 2 3 4; do
    seq $n 40 >"file$n"; hg add "file$n"; hg commit -d "$n 0" -m "change $n"
done
hg update -q 1; echo branch >other; hg add other; hg commit -q -d '9 0' -m 'a second head'
hg merge -q 3; hg commit -d '10 0' -m merge
cd ..
hg clone -q --pull origin copy
cd copy
hg log --debug -p; hg verify -q; hg annotate file2; hg archive -t tar - | tar t; hg bundle -q --all ../all.hg
hg debugdata -c 2; hg status --all; hg grep --all 17 || true; hg id -n
hg update -q no-such-revision || exit 40
"""
MESON = r"""
set -e
cat >meson.build <<'END'
project('demo', 'c', version: '1.2')
lib = static_library('d', 'd.c')
configure_file(output: 'config.h', configuration: {'A': 3})
executable('e', 'e.c', link_with: lib)
test('runs', executable('t', 't.c', link_with: lib))
nothing = dependency('no-such-thing', required: false)
END
printf 'int d(void); int d(void) { return 3; }\n' >d.c
printf 'int d(void); int main(void) { return d() - 3; }\n' >e.c; cp e.c t.c
meson setup out
meson introspect out --targets --tests
[ -n "$FULL" ] || exit 41
ninja -C out -t targets all | sort
meson setup out --reconfigure -Dbuildtype=release
meson configure out -Dno-such-option=1 || exit 41
"""


class Program:
    """One row: a shell script that is run with `sh -c` in an empty folder."""

    def __init__(self, name, script, status=0, needs=(), masks=(), variable_files=(), env=None, quick=False, files=(), seconds=120):
        self.name, self.script, self.status, self.needs = name, script, status, needs
        self.masks = [(re.compile(pattern.encode()), replacement.encode()) for pattern, replacement in masks]
        self.variable_files = [re.compile(v) for v in variable_files]
        self.env, self.quick, self.files, self.seconds = env or {}, quick, files, seconds


def script(name, *arguments, python=SYSTEM):
    return f"exec {python} {os.path.join(PROGRAMS, name)} {' '.join(arguments)}"


# To add a program, add a row. `masks` matches what the program itself would not print twice: say what it is.
ROWS = [
    Program("meson", MESON, 41, ["meson", "ninja-build", "gcc"], quick=True, variable_files=[
        # durations; temporary names of the compiler
        r"^out/meson-(logs|private)/", r"\.ninja_log$", r"\.ninja_deps$"]),
    Program("mercurial", HG, 40, ["mercurial"], seconds=400, variable_files=[
        # how long files were locked
        r"/\.hg/(dirstate|cache/|wcache/|undo\.|last-message)", r"/\.hg/store/(undo|fncache)"]),
    Program("ansible", f"""
        printf '{{%% for n in range(9) %%}}line {{{{ n * n }}}}\\n{{%% endfor %%}}' >page.j2
        export HOME=$PWD ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_NOCOLOR=1 LC_ALL=C.UTF-8
        for run in 1 2; do ansible-playbook -i localhost, -c local {PROGRAMS}/playbook.yml -e where=$PWD; done""",
            0, ["ansible-core"], variable_files=[r"^\.ansible/"], seconds=300, masks=[
                (r'"(start|end)": "[-0-9 :.]+"', r'"\1": 0'), (r'"delta": "[0-9:.]+"', r'"delta": 0')]),
    Program("pytest of numpy", f"""
        exec {SYSTEM} -m pytest -q -p no:cacheprovider -p no:randomly -W ignore --pyargs numpy.linalg.tests.test_linalg numpy.core.tests.test_memmap \
            numpy.core.tests.test_records numpy.lib.tests.test_format -k 'not slow and not large'""",
            0, ["python3-numpy", "python3-pytest", "python3-hypothesis"], seconds=600, variable_files=[r"^\.hypothesis/"],
            env={"PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "2"},
            masks=[(r"in \d+\.\d+s( \(\d+:\d+:\d+\))?", "in a while")]),
    Program("numpy and pandas", script("tables.py", "3"), 0, ["python3-numpy", "python3-pandas"],
            env={"OPENBLAS_NUM_THREADS": "3"}),
    Program("greenlets", script("greenlets.py", "3"), 0, ["python3-gevent", "python3-greenlet"]),
    Program("pools", script("pools.py", "2"), 0, ["python3"], seconds=240),
    Program("unittest", f"""cp {PROGRAMS}/test_*.py . && exec {SYSTEM} -B -m unittest -v""", 1, ["python3"], quick=True,
            # 3.13 warns of what the garbage collector closes: where that happens is not the same twice, nor the object's address.
            masks=[(r"Ran (\d+) tests in [0-9.]+s", r"Ran \1 tests"),
                   (r"\S+:\d+: ResourceWarning: unclosed database[^\n]*\n(  [^\n]*\n)*(ResourceWarning: Enable tracemalloc[^\n]*\n)?", "")]),
]


# ---- runs ----

class Outcome:
    def __init__(self, program, folder, status):
        self.status = status
        self.parts = {}
        for where, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(where, name)
                relative = os.path.relpath(path, folder)
                if any(v.search(relative) for v in program.variable_files) or "__pycache__" in relative or not os.path.isfile(path):
                    continue
                with open(path, "rb") as f:
                    data = f.read()
                for pattern, replacement in program.masks:
                    data = pattern.sub(replacement, data)
                self.parts[relative] = data

    def expect_same(self, other, how):
        expect(self.status == other.status, lambda: f"status {other.status} {how}, {self.status} by itself; "
                                                    f"stderr: {other.parts.get('.stderr', b'')[-400:]!r}")
        for name in sorted(self.parts.keys() | other.parts.keys()):
            a, b = self.parts.get(name), other.parts.get(name)
            expect(b is not None, f"{name} is missing {how}")
            expect(a is not None, f"{name} is there only {how}")
            if a != b:
                at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
                raise Fail(f"{name} differs {how} at {at}: {a[max(0, at - 60):at + 60]!r} by itself, {b[max(0, at - 60):at + 60]!r}")


class Stage:
    """A folder that has the same path in every run of a program, so that the paths it prints are equal."""

    def __init__(self, ctx, program):
        self.ctx, self.program = ctx, program
        self.top = ctx.new_folder("real-" + program.name)
        self.folder = os.path.join(self.top, "here")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LD_"))}
        self.environment.update(program.env, LC_ALL="C.UTF-8", PYTHONHASHSEED="1", FULL="1" if ctx.full else "", TMPDIR=os.path.join(self.top, "tmp"))

    def start(self, prefix=()):
        for folder in (self.folder, self.environment["TMPDIR"]):
            shutil.rmtree(folder, ignore_errors=True)
            os.mkdir(folder)
        out = os.path.join(self.folder, ".stdout"), os.path.join(self.folder, ".stderr")
        outer = 'exec "$@" >.stdout 2>.stderr </dev/null'
        command = [*prefix, "sh", "-c", outer, "sh", "sh", "-c", self.program.script]
        log = open(os.path.join(self.top, "log"), "wb")
        with log:
            return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    start_new_session=True), out

    def finish(self, process):
        try:
            status = process.wait(self.program.seconds)
        except subprocess.TimeoutExpired:
            state = harness.session_state(process.pid)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise Fail(f"not ended after {self.program.seconds} s: {state}") from None
        return Outcome(self.program, self.folder, status)

    def log(self):
        return open(os.path.join(self.top, "log"), encoding="utf-8", errors="replace").read()

    def alone(self):
        outcome = self.finish(self.start()[0])
        expect(outcome.status == self.program.status,
               lambda: f"by itself it ended with {outcome.status}: {outcome.parts.get('.stderr', b'')[-400:]!r}")
        return outcome


def launched(ctx, program):
    packages.need(ctx, *program.needs)
    stage = Stage(ctx, program)
    alone = stage.alone()
    capture = Capture(ctx, os.path.join(stage.top, "capture.avc"))
    reference = os.path.join(stage.top, "reference")
    os.mkdir(reference)
    stage.environment["REFHOOK_DIR"] = reference
    process, _ = stage.start([ctx.auditview, "record", "-s", "1M", "-o", capture.path, "--", "env", f"LD_PRELOAD={ctx.refhook}"])
    watched = stage.finish(process)
    alone.expect_same(watched, "when launched under auditview")
    wanted, captured = refhook.read(reference), refhook.rows_of(capture.each())
    expect(wanted.total() > 50, "the reference hook saw nothing: the test is broken")
    differences = refhook.differences(wanted, captured)
    expect(not differences, lambda: f"{wanted.total()} raised: " + "; ".join(differences[:5]))
    expect_goodbye(stage.log(), ended=True)


def pythons_of(session):
    """Return the processes of a session that contain an interpreter."""
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            if os.getsid(pid) == session and "python" in os.path.basename(os.readlink(f"/proc/{pid}/exe")):
                found.append(pid)
        except OSError:
            pass
    return sorted(found)


REFUSED = re.compile(r"no such process|is gone|is ending|has ended|ending just now|interpreter")


def pestered(ctx, program, follow):
    for _ in range(8):  # on a busy machine it may be over before it was visited twice
        visits, events = pestered_once(ctx, program, follow)
        if visits >= 2 and events:
            return
    raise Fail(f"{visits} visits, {events} events: it was not watched")


def pestered_once(ctx, program, follow):
    """Recorders attach and detach as long as it runs."""
    packages.need(ctx, *program.needs)
    stage = Stage(ctx, program)
    alone = stage.alone()
    process, _ = stage.start()
    visits, events, pause = 0, 0, 0.05
    try:
        while process.poll() is None:
            targets = pythons_of(process.pid)
            if not targets:
                time.sleep(0.002)
                continue
            target = targets[visits % len(targets)]
            done = subprocess.run([ctx.auditview, "record", "-p", str(target), "--follow" if follow else "--no-follow", "--duration",
                                   f"{int(pause * 1000)}ms", "-o", os.path.join(stage.top, "capture.avc")],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=harness.GUARD)
            if done.returncode == 0:
                events += expect_goodbye(done.stdout, min_events=0)
                visits += 1
            else:
                # A refusal is right if the process is ending, or becoming another program: it is gone in a moment.
                if not REFUSED.search(done.stdout):
                    harness.wait_for(lambda: target not in pythons_of(process.pid), 1, f"{target} to end, of which the recorder said: {done.stdout[-400:]}")
            if os.path.exists(f"/proc/{target}"):
                left = foreign_maps(maps_of(target))
                expect(not left, lambda: f"left behind in {target}: {left}")
            pause = 0.02 if pause > 0.1 else pause * 1.7
    finally:
        outcome = stage.finish(process) if process.poll() is not None else None
        if outcome is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    alone.expect_same(outcome, f"with {visits} recorders that came and went")
    return visits, events


def cells(ctx):
    for program in ROWS:
        if not (program.quick or ctx.full):
            continue
        yield program.name + ", launched", None, lambda p=program: launched(ctx, p)
        yield program.name + ", visited", None, lambda p=program: pestered(ctx, p, False)
        if ctx.full:
            yield program.name + ", visited with -f", None, lambda p=program: pestered(ctx, p, True)
