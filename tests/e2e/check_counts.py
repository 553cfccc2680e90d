"""counts: `stat --count`: what the target counts itself is what the reference hook saw and what the program knows, to the
last event; what cannot be known is said; and the target is left as it was found.
"""
import collections
import json
import os
import re
import signal
import subprocess
import time

import harness
import refhook
from check_hostile import needs_root, program
from harness import Victim, expect, victim_path, wait_for

CATALOGUE = "urllib.Request"


def stat(ctx, *words, env=None, timeout=120):
    """Return (status, the tables, what was said)."""
    done = subprocess.run([ctx.auditview, "stat", "--count", "--json", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="replace", timeout=timeout, env=env)
    return done.returncode, done.stdout, done.stderr


def rows(text):
    table = json.loads(text)
    found = {r["key"]: r["events"] for r in table["rows"]}
    expect(len(found) == len(table["rows"]) == table["kinds"] and sum(found.values()) == table["events"], "the table does not add up")
    return table, found


def short(name):
    """As the reference hook keeps a name."""
    return name.encode("utf-8", "surrogatepass")[:87].decode("utf-8", "replace")


def launched(ctx, python, by, *options, parts=()):
    """Run the victim with the reference hook. Returns (table, {key: events}, rows of the reference hook, the truth)."""
    folder = ctx.new_folder("count-" + python.name)
    reference, out = os.path.join(folder, "reference"), os.path.join(folder, "table")
    os.mkdir(reference)
    status, stdout, stderr = stat(ctx, "--by", by, "-o", out, *options, "--", "env", f"LD_PRELOAD={ctx.refhook}", f"REFHOOK_DIR={reference}",
                                  *python.command, victim_path("counting"), *([",".join(parts)] if parts else []),
                                  env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"})
    expect(status == 0, lambda: f"status {status}: {stderr[-400:]}")
    expect(" 0 lost" in stderr and "restored: yes" in stderr, lambda: stderr[-300:])
    table, found = rows(open(out, encoding="utf-8").read())
    expect(table["lost"] == 0 and table["is_loss_known"], lambda: f"{table['lost']} lost, known: {table['is_loss_known']}")
    expect(harness.expect_goodbye(stderr, ended=True) == table["events"], lambda: f"the table has {table['events']}: {stderr[-200:]}")
    return table, found, refhook.read(reference), json.loads(stdout.splitlines()[-1])["truth"]


def by_name(ctx, python):
    """By event: every name that was ever raised, in the loop, in threads, children, killed ones, by exec, in
    subinterpreters."""
    _, found, reference, truth = launched(ctx, python, "event")
    wanted = collections.Counter()
    for (_, _, name), (count, _) in reference.items():
        if name:
            wanted[name] += count
    # The reference hook keeps the total of a thread under the empty name, which the event of that name shares.
    got = collections.Counter()
    for name, n in found.items():
        if name:
            got[short(name)] += n
    differences = {n: (wanted[n], got[n]) for n in wanted | got if wanted[n] != got[n]}
    expect(not differences, lambda: f"(raised, counted): {dict(list(differences.items())[:6])}")
    for name, n in truth.items():
        got = sum(v for k, v in found.items() if k == name or (len(name) > 2000 and k == name[:2047] + "…"))
        expect(got == n, lambda: f"{name[:40]!r}: {n} raised, {got} counted")


def by_process(ctx, python):
    """By process: the events of a child are its own, and a program that was executed is another one."""
    _, found, reference, _ = launched(ctx, python, "process", parts=("loop", "threads", "forks", "nested"))
    wanted = collections.Counter()
    for (pid, _, name), (count, _) in reference.items():
        if name:
            wanted[pid] += count
    got = collections.Counter()
    for key, n in found.items():
        got[int(key.split()[0])] += n
    expect(wanted == got, lambda: f"raised {sorted(wanted.items())}, counted {sorted(got.items())}")


def chosen(ctx, python):
    """-e and -Y by names: what they leave out is neither counted nor shown."""
    for options, names in ((["-e", "count.child,urllib.Request"], {"count.child": 300, CATALOGUE: 5000}),
                           (["-Y", "event ~ \"^count[.](loop|killed)\" or event == \"urllib.Request\""],
                            {"count.loop": 20000, "count.killed": 300, CATALOGUE: 5000}),
                           (["-Y", "not category == \"count\" and theme == \"network\""], {CATALOGUE: 5000})):
        out = os.path.join(ctx.new_folder("chosen"), "table")
        status, _, stderr = stat(ctx, "-o", out, *options, "--", *python.command, victim_path("counting"), "loop,forks")
        expect(status == 0, lambda: f"{options}: {stderr[-300:]}")
        _, found = rows(open(out, encoding="utf-8").read())
        expect(found == names, lambda: f"{options}: {found}, expected {names}")


def many_names(ctx, python):
    """More names than the table of verdicts has room for: those that are left are written down, and none is missed."""
    n = 20000 if ctx.full else 6000
    code = f"import sys\nfor k in range(2):\n    for i in range({n}): sys.audit('dyn.%d' % i)"
    status, text, stderr = stat(ctx, "-e", "/^dyn[.]/", "--", *python.command, "-S", "-c", code)
    expect(status == 0 and " 0 lost" in stderr, lambda: stderr[-300:])
    _, found = rows(text)
    wrong = {k: v for k, v in found.items() if v != 2}
    expect(len(found) == n and not wrong, lambda: f"{len(found)} names of {n}, wrong: {dict(list(wrong.items())[:5])}")


def many_threads(ctx, python):
    """200 threads at once, and names of 64 KiB, which are known by their first 2,047 bytes, and say so."""
    code = ("import sys, threading\ngo = threading.Event()\n"
            "def work(i):\n go.wait()\n for k in range(500): sys.audit('side.%d' % (i % 7)); sys.audit('by' * 32768 + str(i))\n"
            "threads = [threading.Thread(target=work, args=(i,)) for i in range(200)]\n"
            "for t in threads: t.start()\ngo.set()\nfor t in threads: t.join()")
    status, text, stderr = stat(ctx, "-e", "/^(side|by)/", "--", *python.command, "-S", "-c", code)
    expect(status == 0 and " 0 lost" in stderr, lambda: stderr[-300:])
    _, found = rows(text)
    wanted = {f"side.{i}": 500 * len(range(i, 200, 7)) for i in range(7)} | {("by" * 1024)[:2047] + "…": 500 * 200}
    expect(found == wanted, lambda: f"{ {k[:20]: v for k, v in found.items()} }")


def attached(ctx, python, options):
    """A process that runs already, with children: counted from the first table on, and left as it was found."""
    with Victim(ctx, python, "counted_live") as victim:
        victim.settle()
        before = victim.maps()
        out = os.path.join(ctx.new_folder("live"), "table")
        process = subprocess.Popen([ctx.auditview, "stat", "--count", "--json", "-p", str(victim.pid), "-o", out, "--interval", "100ms", *options],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            wait_for(lambda: os.path.exists(out) and open(out, encoding="utf-8").read().count('"key":"count.tick"') > 2, 30, "three tables")
            process.send_signal(signal.SIGINT)
            stderr = process.communicate(timeout=harness.GUARD)[1]
        finally:
            process.kill()
            process.wait()
        expect(process.returncode == 0 and " 0 lost" in stderr and "restored: yes" in stderr, lambda: f"{process.returncode}: {stderr[-300:]}")
        harness.expect_same_maps(before, victim.maps(), True)
        tables, decoder, text = [], json.JSONDecoder(), open(out, encoding="utf-8").read()
        while text.strip():
            one, end = decoder.raw_decode(text.lstrip())
            tables.append(one)
            text = text.lstrip()[end:]
        parts = collections.Counter()
        for one in tables[:-1]:
            for row in one["interval"]["rows"]:
                parts[row["key"]] += row["events"]
        whole = {r["key"]: r["events"] for r in tables[-1]["rows"]}
        expect(dict(parts) == whole, lambda: f"the tables say {dict(parts)}, in all {whole}")
        expect(("count.child" in whole) == ("-f" in options), lambda: f"{options}: {whole}")
        raised = victim.stop()["ticks"]
        expect(0 < whole["count.tick"] <= raised, lambda: f"{whole['count.tick']} counted, {raised} raised")


def killed(ctx, python):
    """The recorder is killed: what was counted is unknown, and is said to be; the target goes on, and the next recorder
    takes out what was left in it."""
    with Victim(ctx, python, "counted_live") as victim:
        out = os.path.join(ctx.new_folder("killed"), "table")
        process = subprocess.Popen([ctx.auditview, "stat", "--count", "-p", str(victim.pid), "-o", out, "--interval", "100ms"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            wait_for(lambda: os.path.exists(out) and "count.tick" in open(out, encoding="utf-8").read(), 30, "the first table")
            recorders = harness.children_of(process.pid)
            os.kill(next(iter(recorders)), signal.SIGKILL)
            stderr = process.communicate(timeout=harness.GUARD)[1]
        finally:
            process.kill()
            process.wait()
        expect(process.returncode == 1 and "events: unknown" in stderr and "lost: unknown" in stderr, lambda: f"{process.returncode}: {stderr[-300:]}")
        expect("the capture does not tell how many more" in open(out, encoding="utf-8").read(), "the table does not say that it is a part")
        n_ticks = 0
        for duration in (0.3, 3, 30):
            status, text, stderr = stat(ctx, "-p", str(victim.pid), "--duration", str(duration))
            expect(status == 0 and "restored: yes" in stderr, lambda: stderr[-300:])
            n_ticks = rows(text)[1].get("count.tick", 0)
            if n_ticks:
                break
        expect(n_ticks > 0, lambda: text)
        expect(not harness.foreign_maps(victim.maps()), lambda: f"left: {harness.foreign_maps(victim.maps())}")
        victim.stop()


def hostile(ctx, python, mode):
    """Counters and verdicts that the target writes itself: they end nothing, and no number is believed that cannot be."""
    needs_root()
    with program(python, "ring", mode) as (_, said):
        started = time.monotonic()
        status, text, stderr = stat(ctx, "-p", str(said["ready"]), "--duration", "1s", "--interval", "50ms")
        expect(status == 0, lambda: f"status {status}: {stderr[-300:]}")
        expect("lost: unknown" in stderr and "restored: yes" in stderr, lambda: stderr[-300:])
        table, found = rows("{\"by\"" + text.rsplit("\n{\"by\"", 1)[1])
        expect(not table["is_loss_known"], "the table is said to be whole")
        most = (time.monotonic() - started) * 1e9
        expect(all(n < most for n in found.values()), lambda: f"more than one event in a nanosecond: {found}")


def refused(ctx):
    """What needs more than names is refused before anything is started."""
    folder = ctx.new_folder("refused")
    witness = os.path.join(folder, "witness")
    for options, word in ((["--by", "caller"], "caller"), (["--by", "thread"], "thread"), (["--by", "file"], "file"), (["--by", "peer"], "peer"),
                          (["--sort", "first"], "times"), (["--limit", "5"], "--limit"), (["--until", "open"], "--until"),
                          (["--stack", "python"], "--stack"), (["-s", "10"], "--string-bytes"), (["--bulk-bytes", "10"], "--bulk-bytes"),
                          (["-Y", "args.mode == \"w\""], "-Y"), (["-Y", "open and pid == 5"], "-Y"), (["-Y", "time > 2s"], "-Y"),
                          (["-Y", "\"word\""], "-Y")):
        done = subprocess.run([ctx.auditview, "stat", "--count", *options, "--", "touch", witness], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
        expect(done.returncode == 2 and word in done.stderr and not done.stdout, lambda: f"{options}: {done.returncode} {done.stderr!r}")
        expect(not os.path.exists(witness), f"{options}: the program was started")
    done = subprocess.run([ctx.auditview, "stat", "--count", os.devnull], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
    expect(done.returncode == 2 and re.search("--count", done.stderr), lambda: f"a capture: {done.returncode} {done.stderr!r}")


def cells(ctx):
    yield "refused", None, lambda: refused(ctx)
    for python in ctx.some_pythons(8, 12) + ctx.free_threaded():
        yield "by name", python, lambda python=python: by_name(ctx, python)
    one = ctx.some_pythons(11)[0]
    for python in ctx.pythons if ctx.full else [one]:
        yield "by process", python, lambda python=python: by_process(ctx, python)
        yield "chosen names", python, lambda python=python: chosen(ctx, python)
        yield "many names", python, lambda python=python: many_names(ctx, python)
        if ctx.full:
            yield "many threads", python, lambda python=python: many_threads(ctx, python)
        yield "attached", python, lambda python=python: attached(ctx, python, ())
        yield "attached, with children", python, lambda python=python: attached(ctx, python, ("-f",))
        yield "recorder killed", python, lambda python=python: killed(ctx, python)
    for mode in ("counters", "verdicts"):
        yield f"hostile {mode}", one, lambda mode=mode: hostile(ctx, one, mode)
