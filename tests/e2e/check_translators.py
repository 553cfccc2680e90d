"""translators: Pythons whose instructions are translated (valgrind, qemu-user, a code cache), and others that cannot be
recorded: record and doctor refuse them with the cause, and if they were launched, alone or as a child, the last message
names them. In contrast, programs that load Python in a way of their own, but run its code, can be attached to.
"""
import glob
import os
import re
import shutil
import subprocess
import time

import harness
from check_doctor import doctor
from harness import Child, Fail, Skip, expect, maps_of

# It sleeps in system calls made from memory without a file, like the code cache of a translator; then it ends with
# status 3.
CACHE = """
import ctypes, mmap, os, struct, sys
code = bytes.fromhex("b8e6000000 0f05 c3".replace(" ", ""))  # mov $230 (clock_nanosleep), %eax; syscall; ret
page = mmap.mmap(-1, 4096, flags=mmap.MAP_ANONYMOUS | getattr(mmap, sys.argv[2]), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
call = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_char_p)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
print("ready", flush=True)
while not os.path.exists(sys.argv[1]):
    for i in range(50):
        call(1, 0, struct.pack("qq", 0, 20000000))
sys.exit(3)
"""

SLEEPS = """
import os, sys, time
print("ready", flush=True)
while not os.path.exists(sys.argv[1]):
    sys.audit("mark.x")
    time.sleep(0.01)
sys.exit(3)
"""
RUNS = SLEEPS.replace("    time.sleep(0.01)\n", "")


def translator(name):
    """The command that runs a program under this translator."""
    commands = {"valgrind": ["valgrind", "-q", "--tool=none"], "qemu": ["qemu-x86_64"]}
    if not shutil.which(commands[name][0]):
        raise Skip(f"{commands[name][0]} is not installed")
    return commands[name]


def refused(ctx, command, text, word, words=()):
    """record and doctor refuse it with the cause; it ends as it would alone."""
    stop = os.path.join(ctx.new_folder("stop"), "stop")
    with Child(*command, "-S", "-c", text, stop, *words) as process:
        time.sleep(0.2)
        before = maps_of(process.pid)
        status, report = doctor(ctx, process.pid)
        expect((status, report["cause"], report["verdict"]) == (1, "translated", "unsupported"), lambda: f"doctor: {status}, {report}")
        expect(word in report["why"] and report["cure"], lambda: f"doctor: {report['why']!r}, {report['cure']!r}")
        out = os.path.join(ctx.new_folder("translated"), "capture.avc")
        done = subprocess.run([ctx.auditview, "record", "-p", str(process.pid), "-o", out, "--duration", "0.2"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
        expect(done.returncode == 1 and report["why"] in done.stderr and report["cure"] in done.stderr,
               lambda: f"record: {done.returncode}, {done.stderr!r}")
        after = harness.foreign_maps(maps_of(process.pid))
        expect([x for x in after if "s " in x.split()[1] + " "] == [x for x in harness.foreign_maps(before) if "s " in x.split()[1] + " "],
               lambda: f"something was mapped: {after}")
        open(stop, "w").close()
        try:
            ended = process.wait(120)
        except subprocess.TimeoutExpired:
            raise Fail("the target hangs") from None
        expect(ended == 3, lambda: f"the target ended with {ended}: {process.stderr.read().decode()[-300:]}")


def watched(ctx, command, text):
    """It runs its own code, however it was loaded: attach and detach work."""
    with Child(*command, "-S", "-c", text, os.path.join(ctx.new_folder("stop"), "stop")) as process:
        status, report = doctor(ctx, process.pid)
        expect(status == 0, lambda: f"doctor: {report}")
        with harness.Recorder(ctx, process.pid) as recorder:
            recorder.wait_events(1)
            harness.expect_goodbye(recorder.stop())
        expect(process.poll() is None, "the target ended")


def said(ctx, command, words, how):
    """Launched, alone or as a child of a shell: the last messages say why it was not recorded, once for each cause. Its
    events were not counted, so the number of lost events is unknown."""
    out = os.path.join(ctx.new_folder("launched"), "capture.avc")
    times = 1 if how == "alone" else 2
    if how != "alone":
        line = " ".join(f"'{word}'" for word in command)
        command = ["sh", "-c", f"{line}; {line}; exit 9"]
    done = subprocess.run([ctx.auditview, "record", "-o", out, "--", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120)
    expect(done.returncode == (5 if how == "alone" else 9), lambda: f"status {done.returncode}: {done.stderr[-300:]!r}")
    lines = [line for line in done.stderr.splitlines() if "is not watched: " in line]
    expect(len(lines) == 1 and re.search(r"process \d+ \(.+\) is not watched: ", lines[0]), lambda: f"{done.stderr!r}")
    for word in words:
        expect(word in lines[0], lambda: f"no {word!r} in {lines[0]!r}")
    expect(("(and 1 more)" in lines[0]) == (times == 2), lambda: f"{times} of them: {lines[0]!r}")
    expect(" 0 events, lost: unknown," in done.stderr, lambda: f"the end: {done.stderr!r}")
    expect(how == "alone" or ", 2 children, 2 children not followed," in done.stderr, lambda: f"the end: {done.stderr!r}")
    text = subprocess.run([ctx.auditview, "print", out], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD).stdout
    expect(text.count(" is not watched: ") == 1, lambda: f"in the capture: {text!r}")


def no_python_ran(ctx):
    out = os.path.join(ctx.new_folder("launched"), "capture.avc")
    done = subprocess.run([ctx.auditview, "record", "-o", out, "--", "true"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
    expect(done.returncode == 0 and "no CPython ran" in done.stderr and " 0 events, 0 lost," in done.stderr, lambda: f"{done.returncode}: {done.stderr!r}")


def no_symbols(ctx):
    """A program that is called python and has no symbols of CPython, like a Python that is linked statically and
    stripped."""
    if not shutil.which("cc"):
        raise Skip("no C compiler")
    program = os.path.join(ctx.new_folder("static"), "python3.12")
    subprocess.run(["cc", "-static", "-s", "-o", program, "-x", "c", "-"], input=b"int main(void) { return 5; }", check=True)
    return [program]


def unreadable(ctx, python):
    """A Python that its user may execute and not read: the kernel hides its memory from an unprivileged tracer."""
    if os.geteuid() != 0:
        raise Skip("not root: no file can be made that we may not read")
    folder = ctx.new_folder("unreadable")
    for path, mode in ((ctx.folder, 0o755), (folder, 0o777)):
        os.chmod(path, mode)
    program = os.path.join(folder, "program")
    shutil.copy(os.path.realpath(python.command[0]), program)
    os.chmod(program, 0o711)
    done = subprocess.run([ctx.copy_for_all(), "record", "-o", os.path.join(folder, "capture.avc"), "--", program, "-S", "-c", "raise SystemExit(5)"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD, user=65534, group=65534,
                          extra_groups=[], cwd="/")
    expect(done.returncode == 5 and "whether it is a Python is not known" in done.stderr and "lost: unknown," in done.stderr,
           lambda: f"{done.returncode}: {done.stderr!r}")


PROGRAM_32BIT = """
.globl _start
_start:
    mov $162, %eax
    mov $ts, %ebx
    xor %ecx, %ecx
    int $0x80
    mov $1, %eax
    mov $5, %ebx
    int $0x80
.data
ts: .long 0, 500000000
"""


def program_32bit(ctx, milliseconds):
    folder = ctx.new_folder("i386")
    source, program = os.path.join(folder, "python.S"), os.path.join(folder, "python3.9")
    with open(source, "w", encoding="utf-8") as f:
        f.write(PROGRAM_32BIT.replace("500000000", str(milliseconds * 1000000)))
    done = subprocess.run(["cc", "-m32", "-nostdlib", "-static", "-o", program, source], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        if done.returncode or subprocess.run([program]).returncode != 5:
            raise Skip("no 32-bit program can be built here")
    except OSError as error: # the kernel may have no 32-bit support
        raise Skip(f"no 32-bit program can be run here: {error.strerror}") from None
    return program


def self_loading(ctx):
    """Build the program that loads another one by itself; returns it and this machine's loader."""
    loader = "/lib64/ld-linux-x86-64.so.2"
    if not shutil.which("cc") or not os.path.exists(loader):
        raise Skip("no C compiler, or no glibc")
    program = os.path.join(ctx.new_folder("self-loading"), "self_loading")
    subprocess.run(["cc", "-O1", "-o", program, os.path.join(harness.VICTIMS, "self_loading.c")], check=True)
    return [program, loader]


def old_python(minor):
    found = glob.glob(os.path.expanduser(f"~/.pyenv/versions/{minor}.*/bin/python"))
    if not found:
        raise Skip(f"no Python {minor} here")
    return found[0]


def pypy():
    return shutil.which("pypy3") or shutil.which("pypy") or (_ for _ in ()).throw(Skip("no PyPy here"))


def cells(ctx):
    python = ctx.some_pythons(11)[0]
    five = ["-c", "raise SystemExit(5)"]
    yield "valgrind, sleeping", python, lambda: refused(ctx, [*translator("valgrind"), *python.command], SLEEPS, "translator")
    yield "qemu, sleeping", python, lambda: refused(ctx, [*translator("qemu"), *python.command], SLEEPS, "translator")
    for how in ("MAP_PRIVATE", "MAP_SHARED"):
        yield f"a cache of code, {how}", python, lambda h=how: refused(ctx, python.command, CACHE, "no file", [h])
    for each in [p for p in (ctx.pythons if ctx.full else [python]) if "+" not in p.name and "/sid/" not in p.command[0]]:
        yield "loaded by itself", each, lambda p=each: watched(ctx, [*self_loading(ctx), *p.command], SLEEPS)
    if ctx.full:
        for each in ctx.pythons:
            yield "valgrind, busy", each, lambda p=each: refused(ctx, [*translator("valgrind"), *p.command], RUNS, "translator")
            yield "qemu, busy", each, lambda p=each: refused(ctx, [*translator("qemu"), *p.command], RUNS, "translator")
    for how in ("alone", "as a child"):
        if ctx.full or how == "alone":
            yield f"valgrind, launched {how}", python, lambda h=how: said(ctx, [*translator("valgrind"), *python.command, *five], ["translator"], h)
        yield f"PyPy, launched {how}", None, lambda h=how: said(ctx, [pypy(), *five], ["PyPy"], h)
        yield f"3.7, launched {how}", None, lambda h=how: said(ctx, [old_python("3.7"), *five], ["no audit events"], h)
    if ctx.full:
        yield "qemu, launched alone", python, lambda: said(ctx, [*translator("qemu"), *python.command, *five], ["translator"], "alone")
        yield "2.7, launched alone", None, lambda: said(ctx, [old_python("2.7"), *five], ["no audit events"], "alone")
    yield "32 bits, launched alone", None, lambda: said(ctx, [program_32bit(ctx, 500)], ["32-bit"], "alone")
    yield "32 bits, launched as a child, short", None, lambda: said(ctx, [program_32bit(ctx, 0)], ["32-bit"], "as a child")
    for how in ("alone", "as a child"):
        yield f"no symbols, launched {how}", None, lambda h=how: said(ctx, no_symbols(ctx), ["no symbols of CPython"], h)
    yield "unreadable, launched alone", python, lambda: unreadable(ctx, python)
    yield "no Python, launched", None, lambda: no_python_ran(ctx)
