"""builds: Pythons that are stripped, moved, rewritten, deleted, started by the loader or by another user, with a JIT or
greenlets.

Each is launched beside the reference hook and compared event by event, and attached to while it runs.
"""
import os
import shutil
import struct
import subprocess
import time

import check_attach
import check_launch
import harness
from harness import Launch, Recorder, Skip, Victim, expect, expect_goodbye, expect_same_maps, foreign_maps, status_of


class Variant:
    """A Python that was found, started in another way, and the files that it is made of."""

    def __init__(self, python, command, *files):
        self.__dict__.update(python.__dict__)
        self.command, self.files = command, files


def tool(name, *more):
    for candidate in (name, *more):
        if shutil.which(candidate):
            return candidate
    raise Skip(f"{name} is not installed")


def executable_of(python):
    done = subprocess.run([*python.command, "-c", "import sys; print(sys.executable, sys.prefix)"], stdout=subprocess.PIPE, text=True,
                          timeout=harness.GUARD)
    path, prefix = done.stdout.split()
    return os.path.realpath(path), prefix


def copied(ctx, python):
    """Copy the program, and its libpython if it has one; returns (Variant, the file that holds Python)."""
    path, prefix = executable_of(python)
    folder = ctx.new_folder("copy-" + python.name)
    os.chmod(folder, 0o755)
    program = shutil.copy(path, os.path.join(folder, "python3"))
    command, main = ["env", "PYTHONHOME=" + prefix, program], program
    libraries = [line.split() for line in subprocess.run(["ldd", path], stdout=subprocess.PIPE, text=True).stdout.splitlines()]
    for words in libraries:
        if words and words[0].startswith("libpython"):
            main = shutil.copy(words[2], os.path.join(folder, words[0]))
            command.insert(1, "LD_LIBRARY_PATH=" + folder)
    for file in (program, main):
        os.chmod(file, 0o755)
    return Variant(python, command, program, main), main


def stripped(ctx, python):
    variant, file = copied(ctx, python)
    done = subprocess.run([tool("strip"), "--strip-all", file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    expect(done.returncode == 0, done.stdout)
    return variant


def without_sections(ctx, python):
    """Strip a file as sstrip does: no section header, and no offset of one (elf(5))."""
    variant, file = copied(ctx, python)
    with open(file, "r+b") as f:
        f.seek(0x28)
        f.write(struct.pack("<Q", 0))
        f.seek(0x3a)
        f.write(struct.pack("<HHH", 0, 0, 0))
    return variant


def bolted(ctx, python):
    """Rewrite a file with a post-link optimizer: blocks are reversed, cold halves are moved, the addresses are old and
    new."""
    variant, file = copied(ctx, python)
    done = subprocess.run([tool("llvm-bolt", "llvm-bolt-16", "llvm-bolt-19"), file, "-o", file + ".new", "-split-functions", "-split-all-cold",
                           "-reorder-blocks=reverse", "-skip-funcs=_PyEval_EvalFrameDefault"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise Skip("llvm-bolt: " + done.stdout.strip().splitlines()[-1])
    os.rename(file + ".new", file)
    return variant


def by_loader(ctx, python):
    path, _ = executable_of(python)
    done = subprocess.run([tool("readelf"), "-l", path], stdout=subprocess.PIPE, text=True).stdout
    loader = done.split("Requesting program interpreter: ")[1].split("]")[0]
    return Variant(python, [loader, path])


def visited(ctx, python, prefix=(), env=None, after_start=None, makes_code=False, options=()):
    """Attach, record and detach, twice, as in check_attach, after something was done to the target."""
    with Victim(ctx, python, "busy", prefix=prefix, env=env) as v:
        if after_start:
            after_start(v)
        before = v.maps()
        for _ in range(2):
            with Recorder(ctx, v.pid, *options) as recorder:
                recorder.wait_linked()
                recorder.wait_events(3, "victim.mark")
                n = expect_goodbye(recorder.stop())
                events = recorder.capture.events()
                expect(n == len(events), f"goodbye says {n} events, the capture holds {len(events)}")
                for event in events:  # with --stack=both there are native frames; runpy is not part of the victim
                    event["stack"] = [f for f in event["stack"] if os.path.dirname(f.get("file", "")) == harness.VICTIMS]
                check_attach.check_window("busy", events)
            left = [line for line in foreign_maps(v.maps()) if not makes_code or line.split()[1][3] == "s"]
            expect(not left, lambda: f"left behind: {left}")
            if not makes_code:  # otherwise the target maps memory for generated code, which looks like our own mappings
                expect_same_maps(before, v.maps(), False)
            expect(status_of(v.pid, "TracerPid") == "0", "a tracer is still attached")
        expect(v.stop().get("total_is_right", True), "the victim counted wrong")


def both(ctx, python, make):
    variant = make(ctx, python)
    check_launch.exact(ctx, variant, "busy", ["--rounds", "300"], [])
    visited(ctx, variant)


def deleted(ctx, python, replace):
    """Before the first visit, the target's files are deleted or other files have their names."""
    variant, _ = copied(ctx, python)

    def remove(_):
        for file in set(variant.files):
            os.unlink(file)
            if replace:
                shutil.copy("/bin/sleep", file)
    visited(ctx, variant, after_start=remove)


def dropped(ctx, python):
    """The target is started by root and changes to another user: it is not dumpable, and its files in /proc belong to
    root (proc(5))."""
    if os.getuid() != 0:
        raise Skip("needs root")
    code = "import os, sys, runpy; os.setgid(65534); os.setuid(65534); sys.argv = sys.argv[1:]; " \
           "sys.path.insert(0, os.path.dirname(sys.argv[0])); runpy.run_path(sys.argv[0], run_name='__main__')"
    path, _ = executable_of(python)
    variant = Variant(python, [path, "-c", code])

    def check(v):
        expect(status_of(v.pid, "Uid").split()[0] == "65534" and os.stat(f"/proc/{v.pid}/maps").st_uid == 0,
               "it has not dropped its privileges: the test is broken")
    # its stop file is in a folder of ours: the target can read there, not write
    with Victim(ctx, variant, "busy") as probe:
        os.chmod(ctx.folder, 0o755)
        check(probe)
        probe.stop()
    visited(ctx, variant, after_start=check)


def with_switch(ctx, python, kind):
    run = Launch(ctx, python, harness.victim_path("switches"), "--rounds", "3", kind)
    run.expect_status(harness.STATUS)
    if run.fact("skip"):
        raise Skip(run.fact("skip"))
    expect_goodbye(run.stderr, ended=True)
    events = run.capture.named("victim.stack")
    expect(len(events) > 400, f"{len(events)} stacks")
    for event in events:
        got = [f["func"].split(".")[-1] for f in event["stack"] if f["file"].endswith("switches.py")]
        expect([n for n in got if n != "stack"] == event["args"]["1"].split(",")[1:] and got[0] == "stack",
               lambda: f"stack {got}, expected {event['args']['1']}")
    expect(len({len(e["stack"]) for e in events}) > 8, "all stacks are alike: the test is broken")


def jit(ctx, python):
    env = dict(os.environ, PYTHON_JIT="1")
    done = subprocess.run([*python.command, "-c", "import sys; print(sys._jit.is_enabled())"], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    if done.stdout.strip() != "True":
        raise Skip("no JIT in this build")
    visited(ctx, python, env=env, makes_code=True, options=["--stack=both"])


CALLS = """#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
int main(void)
{
	struct rusage used;
	long sum = 0;
	for (int i = 0; i < 20000; i++)
		sum += getppid() != 0;
	getrusage(RUSAGE_SELF, &used);
	printf("%ld calls, %s\\n", sum, used.ru_nvcsw < 10000 ? "in one go" : "stopped at each");
	return 7;
}
"""
PYTHON_MAIN = "#include <Python.h>\nint main(int argc, char **argv) { return Py_BytesMain(argc, argv); }\n"
NAMED = ["-Wl,-u,_dl_debug_state", "-Wl,--export-dynamic-symbol=_dl_debug_state"]


def build(ctx, source, *options):
    program = os.path.join(ctx.new_folder("program"), "program")
    built = subprocess.run([*os.environ.get("CC", "cc").split(), "-O1", "-x", "c", "-", "-x", "none", "-o", program, *options], input=source,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if built.returncode:
        raise Skip(f"cannot be built: {built.stdout.strip()[-200:]}")
    return program


def run_both(ctx, program, *arguments):
    """A program run alone and a launched one have the same output and exit status."""
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
    capture = harness.Capture(ctx, program + ".avc")
    launched = subprocess.run([ctx.auditview, "record", "-o", capture.path, "--", program, *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
    expect((launched.returncode, launched.stdout) == (done.returncode, done.stdout),
           lambda: f"alone {done.returncode} {done.stdout!r}, launched {launched.returncode} {launched.stdout!r}: {launched.stderr[-300:]}")
    return done, capture


def stands_alone(ctx, *options):
    """A program without a loader, or with a function that has the name of the loader's function for debuggers, is past
    its start at its first call."""
    done, _ = run_both(ctx, build(ctx, CALLS, *options))
    expect((done.returncode, done.stdout) == (7, "20000 calls, in one go\n"), lambda: f"{done.returncode}, {done.stdout!r}")


def static_python(ctx, python):
    """libpython in a static position-independent program is recorded from the first event to the last."""
    code = "import sysconfig as s; v = s.get_config_var; print(v('INCLUDEPY'), v('LIBPL'), v('LDVERSION'))"
    include, folder, version = subprocess.run([*python.command, "-c", code], stdout=subprocess.PIPE, text=True, timeout=harness.GUARD).stdout.split()
    library = os.path.join(folder, f"libpython{version}-pic.a")
    if not os.path.exists(library):
        raise Skip(f"no {library}")
    program = build(ctx, PYTHON_MAIN, "-static-pie", *NAMED, "-Wl,--export-dynamic-symbol=Py*", "-Wl,--export-dynamic-symbol=_Py*", "-w",
                    "-I" + include, library, "-lexpat", "-lz", "-lm")
    arguments = ["-S", "-c", "import sys; sys.audit('static.mark', 1); print(sum(range(9)))"]
    _, capture = run_both(ctx, program, *arguments)
    usual = harness.Capture(ctx, program + ".usual.avc")
    subprocess.run([ctx.auditview, "record", "-o", usual.path, "--", *python.command, *arguments], stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=harness.GUARD)
    names, other = ([e["event"] for e in c.events()] for c in (capture, usual))
    expect(names[0] == other[0] and names[-1] == other[-1] and names.count("static.mark") == 1,
           lambda: f"{names[:3]} … {names[-3:]}, as a rule {other[:3]} … {other[-3:]}")


def cells(ctx):
    for what, options in (("static", ["-static"]), ("static, position-independent", ["-static-pie"]),
                          ("static, named as a loader", ["-static-pie", *NAMED]),
                          ("dynamic, named as a loader", ["-rdynamic", "-Wl,--defsym=_dl_debug_state=main"])):
        yield what, None, lambda x=options: stands_alone(ctx, *x)
    for python in [p for p in ctx.pythons if p.command[0].startswith("/usr/bin/")]:
        yield "static Python", python, lambda p=python: static_python(ctx, p)
    whole = [p for p in ctx.some_pythons(8, 13) if not p.name.endswith("+ldso") and not p.debug]
    for python in whole:
        yield "strip --strip-all", python, lambda p=python: both(ctx, p, stripped)
        yield "no section headers", python, lambda p=python: both(ctx, p, without_sections)
    for python in [p for p in ctx.pythons if ctx.full and "+" not in p.name]:  # this takes seconds for each Python
        yield "post-link optimizer", python, lambda p=python: both(ctx, p, bolted)
    for python in ctx.some_pythons(11):
        yield "the loader is the program", python, lambda p=python: both(ctx, p, by_loader)
        yield "deleted", python, lambda p=python: deleted(ctx, p, False)
        yield "replaced", python, lambda p=python: deleted(ctx, p, True)
        yield "setuid dropped", python, lambda p=python: dropped(ctx, p)
    for python in ctx.some_pythons(12):
        yield "deleted", python, lambda p=python: deleted(ctx, p, False)
        yield "perf trampolines", python, lambda p=python: visited(ctx, p, env=dict(os.environ, PYTHONPERFSUPPORT="1"), makes_code=True, options=["--stack=both"])
    for python in [p for p in ctx.pythons if (p.debug or p.free_threaded) and "+" not in p.name]:
        yield "debug" if python.debug else "free-threaded", python, lambda p=python: visited(ctx, p)
    for python in [p for p in ctx.pythons if p.minor >= 14 and not p.debug and "+" not in p.name]:
        yield "JIT", python, lambda p=python: jit(ctx, p)
    for python in [p for p in ctx.pythons if p.command[0].startswith("/usr/bin/")]:
        for kind in ("greenlet", "gevent"):
            yield kind, python, lambda p=python, k=kind: with_switch(ctx, p, k)
