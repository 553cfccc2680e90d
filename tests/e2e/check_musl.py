"""musl: a CPython that is linked with musl: another loader, another thread structure, and a malloc that uses the rest
of every data page, where the hook's entry is placed with glibc.

The Python is built once from Debian's source with musl-gcc (tests/pythons.sh --musl), in a full run; later runs use the
cached one.
"""
import os
import shutil
import struct
import subprocess
import sys
import time

import check_attach
import check_builds
import check_launch
import check_survival
import harness
import packages
from harness import Skip, expect

LOADER = "/lib/ld-musl-x86_64.so.1"
CACHE = os.environ.get("AUDITVIEW_TEST_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "auditview-tests")
PROGRAM = os.path.join(CACHE, "musl", "bin", "python3.13")


class Built:
    """A name for --list; the Python is built or found when the first cell needs it, which may take minutes."""

    def __init__(self, as_loader):
        self.name = "3.13 musl" + (", ld.so" if as_loader else "")
        self.as_loader = as_loader

    def python(self, ctx):
        if not os.path.exists(PROGRAM):
            if not ctx.full:
                raise Skip("not built; a full run builds it")
            packages.need(ctx, "musl-tools", "musl-dev")
            with packages.LOCK:
                done = subprocess.run([os.path.join(harness.ROOT, "tests", "pythons.sh"), "--musl"], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True, timeout=3600)
            if not os.path.exists(PROGRAM):
                raise Skip(done.stderr.strip()[-300:] or "the build failed")
        if not os.path.exists(LOADER):
            raise Skip(f"no {LOADER} (package musl)")
        return harness.Python(self.name, ([LOADER] if self.as_loader else []) + [PROGRAM])


class Here:
    """The context, with a reference hook that musl's loader can load."""

    def __init__(self, ctx):
        self.ctx = ctx
        self.refhook = os.path.join(CACHE, "musl", "librefhook.so")

    def __getattr__(self, name):
        return getattr(self.ctx, name)


def doctor(ctx, python):
    with harness.Victim(ctx, python, "sleeping") as v:
        done = subprocess.run([ctx.auditview, "doctor", str(v.pid)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=harness.GUARD)
        expect(done.returncode == 0 and "3.13" in done.stdout, lambda: f"{done.returncode}: {done.stdout[-400:]}")
        v.stop()


# Run under a seccomp filter that allows everything (this Python has no ctypes): prctl(2), PR_SET_NO_NEW_PRIVS,
# PR_SET_SECCOMP.
FILTERED = [sys.executable, "-S", "-c", """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
allow = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(allow)))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])"""]


def filtered(ctx, python):
    """If the probe may make no system calls, it cannot ask the kernel for a thread's number: it reads the number where
    musl keeps it."""
    with harness.Victim(ctx, python, "busy", prefix=FILTERED) as v:
        expect(harness.status_of(v.pid, "Seccomp") == "2", "there is no filter")
        with harness.Recorder(ctx, v.pid) as recorder:
            recorder.wait_linked()
            time.sleep(0.2)
            harness.expect_goodbye(recorder.stop())
            tids = {e["tid"] for e in recorder.capture.named("victim.mark")}
            expect(tids == {v.pid}, lambda: f"marks of threads {tids}, expected {v.pid}")
        v.stop()


def without_relro(here, python):
    """If no part becomes read-only (PT_GNU_RELRO), no call tells that the program is relocated: it is armed at its
    first call. Up to 3.12 that is too late for some events (loader.h); from 3.13 on none is missed."""
    program = shutil.copy(python.command[-1], os.path.join(here.new_folder("norelro"), "python3"))
    with open(program, "r+b") as f:
        head = f.read(64)
        at, n = struct.unpack_from("<Q", head, 32)[0], struct.unpack_from("<H", head, 56)[0]
        kinds = []
        for i in range(n):
            f.seek(at + i * 56)
            kinds.append(struct.unpack("<I", f.read(4))[0])
            if kinds[-1] == 0x6474e552:  # elf.h, PT_GNU_RELRO
                f.seek(at + i * 56)
                f.write(struct.pack("<I", 0))
    expect(0x6474e552 in kinds, "it had none: the test is broken")
    check_launch.exact(here, check_builds.Variant(python, [program], program), "busy", ["--rounds", "300"], [])


def cells(ctx):
    here = Here(ctx)
    built = Built(False)

    def cell(function, *arguments, which=built):
        return lambda: function(here, which.python(ctx), *arguments)

    launched = [("busy", ["--rounds", "500"]), ("forking", []), ("threads8", ["--rounds", "1", "3000"]), ("import_storm", ["--rounds", "1"])]
    for victim, arguments in launched if ctx.full else launched[:2]:
        yield "launched, " + victim, built, cell(check_launch.exact, victim, arguments, [])
    attached = [("busy", False), ("sleeping", True), ("threads8", False), ("forking", False)]
    for victim, keeps_maps in attached if ctx.full else attached[:2]:
        yield "attached, " + victim, built, cell(check_attach.attach_twice, victim, [], keeps_maps)
    yield "doctor", built, cell(doctor)
    yield "launched, without RELRO", built, cell(without_relro)
    yield "seccomp", built, cell(filtered)
    if not ctx.full:
        return
    yield "attach and detach", built, cell(check_survival.many_cycles, 100)
    yield "launched, busy", Built(True), cell(check_launch.exact, "busy", ["--rounds", "500"], [], which=Built(True))
    yield "attached, busy", Built(True), cell(check_attach.attach_twice, "busy", [], False, which=Built(True))
