"""identity: who a process and a thread are: in namespaces of their own, without a first thread, with many words."""
import os
import subprocess
import time

import harness
from harness import Recorder, expect, expect_goodbye, wait_for


def leader(ctx, python, mode, options, number):
    """The first thread has ended, before or while it is watched: it is attached to, recorded, and left as any other."""
    folder = ctx.new_folder("leader")

    def tell(name):
        open(os.path.join(folder, name), "w").close()

    def is_told(name):
        return os.path.exists(os.path.join(folder, name))

    process = subprocess.Popen([*python.command, "-S", harness.victim_path("leader"), folder, mode], stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_told("ready"), 30, "the target")
        with Recorder(ctx, process.pid, *options) as recorder:
            wait_for(lambda: is_told("ready") and os.path.exists(recorder.path) and os.path.getsize(recorder.path) > 1000, 30, "some events")
            if mode == "leaves":
                tell("leave")
                wait_for(lambda: is_told("ended"), 30, "the first thread to end")
                time.sleep(0.3)
            said = recorder.stop()
            expect_goodbye(said, min_events=5)
            expect("it has ended" not in said, lambda: said)
            marks = [e["args"]["0"] for e in recorder.capture.named("leader.mark")]
            expect(marks == list(range(marks[0], marks[0] + len(marks))), lambda: f"marks {marks[:5]} … {marks[-5:]}")
            told = {(e["pid"], e["thread"]) for e in recorder.capture.named("leader.mark")}
            expect(told == {(process.pid, "stays")}, lambda: f"they are of {told}")
            image = next(e["process"] for e in recorder.capture.events() if "process" in e)
            expect(image.get("argv") and image.get("exe"), lambda: f"the process is {image}")
        tell("end")
        status = process.wait(30)
        expect(status == 5, f"status {status}")
        left = open(os.path.join(folder, "told")).read()
        expect(left == "nothing", lambda: f"left in it: {left}")
    finally:
        harness.kill(process)


WORDS = "import sys, os; assert len(sys.argv) == int(os.environ['N']), len(sys.argv)"


def words(ctx, python):
    """A long command line, or one with a long word, is cut and says so, with its full length; so is an environment."""
    short, long, wide = "w" * 4000, "y" * 6000, "é" * 5000

    def image(arguments, **more):
        run = harness.Launch(ctx, python, ["-S", "-c", WORDS], *arguments, env=dict(os.environ, N=str(len(arguments) + 1), **more))
        run.expect_status(0)
        return next(e["process"] for e in run.capture.events() if "process" in e)

    before = [*python.command, "-S", "-c", WORDS]
    for arguments in (["x"] * 203, [short, "last"], ["", "b", ""]):
        told = image(arguments)["argv"]
        expect(told == before + arguments, lambda: f"{len(told)} words: {str(told)[:200]}")
    told = image(["a", long, wide, "b"])["argv"]
    expect(told[:4] == before and told[4] == "a" and told[7] == "b", lambda: str(told)[:200])
    for word, full in ((told[5], long), (told[6], wide)):
        expect(isinstance(word, dict) and word["length"] == len(full) and full.startswith(word["cut"]) and len(word["cut"]) >= 2000, lambda: str(word)[-200:])
    told = image(["k"] * 5000)["argv"]
    expect(isinstance(told, dict) and told["length"] == 5004 and told["cut"][:4] == before and len(told["cut"]) >= 1000, lambda: f"{str(told)[:100]} … {str(told)[-100:]}")
    variables = image(["a"], LONG=long, WIDE=wide, SHORT=short)["environ"]
    expect(variables["SHORT"] == short, "a short variable is cut")
    for name, full in (("LONG", long), ("WIDE", wide)):
        told = variables[name]
        expect(isinstance(told, dict) and told["length"] == len(full) and full.startswith(told["cut"]), lambda: str(told)[-200:])


def cells(ctx):
    for python in ctx.some_pythons(11):
        yield "long command lines", python, lambda p=python: words(ctx, p)
    for python in ctx.some_pythons(8, 11, 13):
        for mode in ("gone", "leaves"):
            yield f"first thread {mode}", python, lambda p=python, m=mode: leader(ctx, p, m, [], 5)
            yield f"first thread {mode}, -f", python, lambda p=python, m=mode: leader(ctx, p, m, ["-f"], 5)
    for python in ctx.some_pythons(12):
        yield "first thread leaves, native stacks", python, lambda p=python: leader(ctx, p, "leaves", ["--stack", "both"], 5)
