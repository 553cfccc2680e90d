"""images: ELF images, symbol names and debug information that were made to harm their reader.

Another user runs the target. It may falsify what is shown of it, but the time and memory that we use must have a
bound.
"""
import os
import resource
import subprocess
import time

from harness import BECOME_NOBODY, VICTIMS, Child, Fail, expect, maps_of

SECONDS = 20  # of CPU time: far above what it takes (below 2 s), far below what it once took (minutes)
SLOW = os.path.join(VICTIMS, "hostile", "slow_images.py")
MEMORY = 1 << 30


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def bounded(command, what):
    """Run a command in bounded time and memory; returns its status and text."""
    started = time.monotonic()
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=6 * SECONDS, preexec_fn=limited)
    except subprocess.TimeoutExpired:
        raise Fail(f"{what} did not end within {6 * SECONDS} s") from None
    expect(done.returncode >= 0, lambda: f"{what} was ended by signal {-done.returncode}: {done.stdout[-300:]}")
    return done.returncode, done.stdout, time.monotonic() - started


def slow_tables(ctx, python, n_images, is_readable):
    """doctor names the problem; record is refused, or attaches if it found the Python before the limit."""
    ctx.needs_setpriv()
    with Child(*BECOME_NOBODY, *python.command, SLOW, str(n_images)) as target:
        before = maps_of(target.pid)
        status, text, _ = bounded([ctx.auditview, "doctor", str(target.pid)], "doctor")
        expect(status in (0, 1), lambda: f"doctor: status {status}: {text[-300:]}")
        if not is_readable:
            expect("ELF images" in text, lambda: f"doctor does not say why: {text[-600:]}")
        folder = ctx.new_folder("slow")
        status, text, _ = bounded([ctx.auditview, "record", "--duration", "300ms", "-o", os.path.join(folder, "c.avc"), "-p",
                                   str(target.pid)], "record")
        expect(status in (0, 1), lambda: f"record: status {status}: {text[-300:]}")
        expect(status == 0 or "ELF images" in text, lambda: f"record does not say why: {text[-300:]}")
        expect(maps_of(target.pid) == before, "the target's mappings changed")


def list_of_processes(ctx, python):
    """One such process does not block the list of Pythons."""
    ctx.needs_setpriv()
    with Child(*BECOME_NOBODY, *python.command, SLOW, "300"):
        status, text, _ = bounded([ctx.auditview, "doctor"], "doctor")
        expect(status in (0, 1), lambda: f"doctor: status {status}: {text[-300:]}")


def cells(ctx):
    for python in ctx.some_pythons(11):
        yield "endless hash chains", python, lambda p=python: slow_tables(ctx, p, 200, True)
        yield "very many images", python, lambda p=python: slow_tables(ctx, p, 20000, False)
        yield "the list of processes", python, lambda p=python: list_of_processes(ctx, p)
