"""sandbox: programs that have restricted themselves are recorded without a forbidden call, or refused with the cause;
what they do, print and return is the same as alone.
"""
import os
import re
import signal
import subprocess
import time

import harness
from harness import AS_NOBODY, Recorder, Skip, Victim, expect, expect_goodbye, expect_same_maps, foreign_maps, status_of, wait_for


def marks_of(recorder):
    return [e["args"]["0"] for e in recorder.capture.named("victim.mark")]


def well_ended(v, truth):
    expect(truth["trapped"] == 0, lambda: f"the target got {truth['trapped']} signals for forbidden calls")


def watched(ctx, python, what, prefix=(), options=()):
    """Attach and detach, twice: the marks have no gap, nothing is left, and the target does not notice."""
    with Victim(ctx, python, "sandbox", *what.split(), prefix=prefix) as v:
        before = v.maps()
        for _ in range(2):
            with Recorder(ctx, v.pid, *options) as recorder:
                recorder.wait_linked()
                recorder.wait_events(2, "victim.mark")
                n = expect_goodbye(recorder.stop())
                numbers = marks_of(recorder)
                expect(n == len(recorder.capture.events()) and len(numbers) >= 2, lambda: f"{len(numbers)} marks, goodbye says {n}")
                expect(numbers == list(range(numbers[0], numbers[-1] + 1)), "marks have gaps")
            expect_same_maps(before, v.maps(), False)
            expect(not foreign_maps(v.maps()), lambda: f"left behind: {foreign_maps(v.maps())}")
        well_ended(v, v.stop())


def full_ring(ctx, python, what, lock=False):
    """More events than the ring holds while the recorder is stopped: the target is not allowed to wait, so it does not;
    each loss is counted."""
    with Victim(ctx, python, "sandbox", *what.split()) as v:
        with Recorder(ctx, v.pid, "--ring-size", "1M") as recorder:
            recorder.wait_linked()
            if lock:
                open(v.stop_file + ".lock", "w").close()
                wait_for(lambda: status_of(v.pid, "Seccomp") == "2", 10, "the filter")
                time.sleep(1.2)  # the recorder checks twice a second whether a target has got a filter
            os.kill(recorder.process.pid, signal.SIGSTOP)
            open(v.stop_file + ".burst", "w").close()
            wait_for(lambda: v.fact("burst") or v.process.poll() is not None, 30, "the burst to be over")
            os.kill(recorder.process.pid, signal.SIGCONT)
            time.sleep(0.2)
            said = recorder.stop()
            match = harness.GOODBYE.search(said)
            expect(match and "target restored: yes" in match.group(3), lambda: said[-300:])
            lost = int(re.sub(r"\D", "", match.group(2)))
            numbers = marks_of(recorder)
            expect(lost > 1000, lambda: f"{lost} lost: the ring never was full, the test is broken")
        truth = v.stop()
        well_ended(v, truth)
        # Some events may be lost after the last one that is kept.
        missing, most = numbers[-1] - numbers[0] + 1 - len(numbers), truth["marks"] - numbers[0] - len(numbers)
        expect(missing <= lost <= most and numbers == sorted(set(numbers)), lambda: f"{lost} reported as lost, {missing} to {most} missing")


def refused(ctx, python, what, words, prefix=(), command=(), options=()):
    """The attach fails with status 1 and the cause; the target's mappings are unchanged, and it continues."""
    with Victim(ctx, python, "sandbox", *what.split(), prefix=prefix) as v:
        before = v.maps()
        folder = ctx.new_folder("refused")
        os.chmod(folder, 0o777)
        done = subprocess.run([*(command or [ctx.auditview]), "record", "-p", str(v.pid), "-o", os.path.join(folder, "x.avc"), *options],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
        expect(done.returncode == 1, lambda: f"status {done.returncode}, expected 1: {done.stderr!r}")
        for word in words:
            expect(re.search(word, done.stderr, re.I), lambda: f"no {word!r} in {done.stderr!r}")
        expect_same_maps(before, v.maps(), False)
        expect(not foreign_maps(v.maps()), lambda: f"left behind: {foreign_maps(v.maps())}")
        expect(status_of(v.pid, "TracerPid") == "0", "a tracer is still attached")
        well_ended(v, v.stop())


def strict(ctx, python):
    """SECCOMP_MODE_STRICT cannot be suspended for a stop of ours: the attach is refused, and the target continues and
    ends normally."""
    process = subprocess.Popen([*python.command, harness.victim_path("sandbox"), "--rounds", "1", "seccomp", "strict"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    try:
        process.stdout.readline()
        wait_for(lambda: status_of(process.pid, "Seccomp") == "1", 10, "strict mode")
        process.stdin.write(b"m")
        before = harness.maps_of(process.pid)
        out = os.path.join(ctx.new_folder("strict"), "x.avc")
        done = subprocess.run([ctx.auditview, "record", "-p", str(process.pid), "-o", out], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
        expect(done.returncode == 1 and "strict" in done.stderr, lambda: f"{done.returncode}: {done.stderr!r}")
        expect(harness.maps_of(process.pid) == before, "the target was changed")
        process.stdin.write(b"me")
        stdout = process.stdout.read()
        expect(process.wait(harness.GUARD) == harness.STATUS and b'"strict": true' in stdout,
               lambda: f"it ended with {process.returncode}: {stdout!r} {process.stderr.read()[-300:]!r}")
    finally:
        harness.kill(process)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


def as_nobody(ctx):
    ctx.needs_setpriv()
    return [*AS_NOBODY, ctx.copy_for_all()]


def for_everybody(python):
    """/root is closed to other users: they can run only a Python outside it."""
    done = subprocess.run([*AS_NOBODY, *python.command, "-c", "pass"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode:
        raise Skip("this Python cannot be run by another user")


def unprivileged(ctx, python, what, words):
    """A recorder of the same user, without the privilege to suspend a filter, is refused with the cause."""
    command = as_nobody(ctx)
    for_everybody(python)
    refused(ctx, python, what, words, prefix=AS_NOBODY, command=command)


def memlock(ctx, python):
    """MCL_FUTURE and no lockable memory left: one of our mappings fails, and the message names the cause."""
    as_nobody(ctx)
    for_everybody(python)
    refused(ctx, python, "memlock 1", ["cannot map memory", "RLIMIT_MEMLOCK"], prefix=AS_NOBODY)


def user_namespace(ctx, python):
    """A target in a user namespace cannot open our memory by its path: record and doctor say so, and name the cure."""
    command = as_nobody(ctx)
    for_everybody(python)
    prefix = [*AS_NOBODY, "unshare", "-U"]
    if subprocess.run([*prefix, "true"], stderr=subprocess.DEVNULL).returncode:
        raise Skip("no user namespaces here")
    refused(ctx, python, "plain", ["user namespace", "as root"], prefix=prefix, command=command)
    with Victim(ctx, python, "sandbox", "plain", prefix=prefix) as v:
        done = subprocess.run([*command, "doctor", str(v.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        expect(done.returncode == 1 and "user namespace" in done.stdout, lambda: f"{done.returncode}: {done.stdout}")


def memory_cgroup(ctx, python):
    """A memory limit with little room: the ring's pages are charged to the recorder, not to the target."""
    base = "/sys/fs/cgroup/memory"
    name = os.path.join(base, f"auditview-test-{os.getpid()}")
    limit, usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
    if not os.path.exists(os.path.join(base, limit)):
        base, limit, usage = "/sys/fs/cgroup", "memory.max", "memory.current"
        name = os.path.join(base, f"auditview-test-{os.getpid()}")
    try:
        os.mkdir(name)
        open(os.path.join(name, limit), "w").write(str(48 << 20))
    except OSError as error:
        if os.path.isdir(name):
            os.rmdir(name)
        raise Skip(f"no memory cgroup can be made here: {error}") from None
    try:
        with Victim(ctx, python, "sandbox", "plain") as v:
            open(os.path.join(name, "cgroup.procs"), "w").write(str(v.pid))
            with Recorder(ctx, v.pid) as recorder:
                recorder.wait_linked()
                os.kill(recorder.process.pid, signal.SIGSTOP)  # so that the ring fills as far as possible
                start = int(open(os.path.join(name, usage)).read())
                open(v.stop_file + ".burst", "w").close()
                time.sleep(0.5)
                os.kill(recorder.process.pid, signal.SIGCONT)
                wait_for(lambda: v.fact("burst") or v.process.poll() is not None, 30, "the burst to be over")
                grown = int(open(os.path.join(name, usage)).read()) - start
                expect_goodbye(recorder.stop())
                numbers = marks_of(recorder)
                expect(numbers == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) > 60000, "marks have gaps")
            well_ended(v, v.stop())
            expect(grown < 24 << 20, f"the target's memory cgroup has grown by {grown >> 20} MiB")
    finally:
        for _ in range(100):
            try:
                os.rmdir(name)
                break
            except OSError:
                time.sleep(0.02)


def cells(ctx):
    for python in ctx.some_pythons(8, 13):
        for how in ("kill", "errno", "trap", "whitelist"):
            yield "seccomp " + how, python, lambda p=python, h=how: watched(ctx, p, "seccomp " + h)
        yield "ring full, seccomp kill", python, lambda p=python: full_ring(ctx, p, "seccomp kill")
    for python in ctx.some_pythons(11):
        yield "ring full, seccomp whitelist", python, lambda p=python: full_ring(ctx, p, "seccomp whitelist")
        yield "ring full, filter came later", python, lambda p=python: full_ring(ctx, p, "later kill", lock=True)
        yield "seccomp strict", python, lambda p=python: strict(ctx, p)
        yield "seccomp, no privilege", python, lambda p=python: unprivileged(ctx, p, "seccomp errno", ["seccomp", "CAP_SYS_ADMIN|root"])
        yield "user namespace, no privilege", python, lambda p=python: user_namespace(ctx, p)
        yield "no_new_privs", python, lambda p=python: watched(ctx, p, "new-privs")
        yield "RLIMIT_AS, 12 MiB left", python, lambda p=python: watched(ctx, p, "as 12")
        yield "RLIMIT_AS, nothing left", python, lambda p=python: refused(ctx, p, "as 0", ["RLIMIT_AS"])
        yield "RLIMIT_NOFILE", python, lambda p=python: watched(ctx, p, "nofile")
        yield "mlockall, no lockable memory", python, lambda p=python: memlock(ctx, p)
        yield "mlockall", python, lambda p=python: watched(ctx, p, "memlock 1", options=["--ring-size", "1M"])
        yield "memory cgroup", python, lambda p=python: memory_cgroup(ctx, p)
