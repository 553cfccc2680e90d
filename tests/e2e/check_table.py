"""table: the catalogue's example of each event raises it, and the capture names its arguments as the catalogue does.

Each cell compares three independent sources: the catalogue (names and number of arguments in this version),
verified_events.tsv (types that were measured with another tool), and the reference hook in the same run (every
value).
"""
import os
import subprocess
import sys

import harness
import refhook
from harness import Launch, Skip, expect

sys.path.insert(0, os.path.join(harness.ROOT, "data", "gen"))
import gen_catalog  # noqa: E402

JSON_TYPE = {"str": str, "int": (int, dict), "bytes": dict, "NoneType": type(None), "bool": bool, "float": float, "tuple": list,
             "list": list}


def load():
    data = os.path.join(harness.ROOT, "data")
    _, events = gen_catalog.load(data)
    measured = {}
    with open(os.path.join(data, "verified_events.tsv"), encoding="utf-8") as table:
        for line in table:
            name, version, fired, _, types, where = line.rstrip("\n").split("\t")
            measured[name, version] = (fired, types.split(",") if types else [], where)
    return events, measured


def exists_in(event, minor):
    return event["since"] <= minor and not (event["removed"] and minor >= event["removed"])


def here(event):
    return bool(set(event["platforms"]) & {"any", "unix", "linux"})


def example(ctx, python, event, measured):
    name = event["name"]
    row = measured.get((name, python.version_text)) or measured.get((name, python.version_text + "-debian"))
    if row and row[0] == "no":
        raise Skip("this build was measured not to raise it" + (": " + event["example_note"] if event["example_note"] else ""))
    folder = ctx.new_folder(name)
    script = os.path.join(folder, "example.py")
    with open(script, "w", encoding="utf-8") as out:
        out.write(event["example"])
    run = Launch(ctx, python, script, options=["-s", "1M", "--stack=off"], reference=True, timeout=harness.GUARD)
    reference = refhook.read(run.reference_folder)
    if not any(key[2] == name for key in reference):
        raise Skip("the example does not raise it on this build; the reference hook saw none either")
    got = run.capture.named(name)
    expect(got, f"not captured, though the reference hook saw it; status {run.status}: {run.stderr[-200:]}")
    # Events that the program itself raises in addition to the documented call may have other arguments; one with the
    # documented arguments must be among them.
    names = [a[0] for a in gen_catalog.args_of(event, python.minor)]
    exact = [e for e in got if list(e["args"]) == names]
    expect(exact, lambda: f"arguments are {list(got[0]['args'])}, the catalogue says {names}")
    expect(all(e["theme"] == event["theme"] and e["category"] == event["category"] and e["documented"] == event["documented"]
               for e in got), lambda: f"theme, category, documented are {[got[0][k] for k in ('theme', 'category', 'documented')]}")
    if row and row[0] == "yes" and row[1]:
        def fits(one):
            return all(isinstance(v, JSON_TYPE.get(t, object)) for t, v in zip(row[1], one["args"].values()))
        expect(any(map(fits, exact)), lambda: f"types once measured: {row[1]}, captured: {exact[0]['args']}")
    differences = [d for d in refhook.differences(reference, refhook.rows_of(run.capture.events()), 100) if f" {name}:" in d]
    expect(not differences, lambda: "; ".join(differences[:3]))


def misspelt(ctx, python, event):
    """A wrong name from the documentation finds the real event, in the catalogue and in -e."""
    for command in (["events", event["alias"]], ["explain", event["alias"]]):
        done = subprocess.run([ctx.auditview, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, timeout=harness.GUARD)
        expect(done.returncode == 0 and event["name"] in done.stdout, lambda: f"{' '.join(command)}: {done.stdout[:200]!r}")
    run = Launch(ctx, python, ["-S", "-c", event["example"]], options=["-e", event["alias"]])
    expect({e["event"] for e in run.capture.events()} == {event["name"]},
           lambda: f"-e {event['alias']} captured {sorted({e['event'] for e in run.capture.events()})[:5]}")


def cells(ctx):
    events, measured = load()
    everything = ctx.some_pythons(12)
    for python in ctx.some_pythons(8, 12, 13):
        for event in events:
            if event["example"] and here(event) and exists_in(event, python.minor) and (event["seed"] or python in everything):
                yield event["name"], python, lambda p=python, e=event: example(ctx, p, e, measured)
    for python in ctx.some_pythons(12)[:1]:
        for event in events:
            if event["alias"] and event["example"]:
                yield "alias " + event["alias"], python, lambda p=python, e=event: misspelt(ctx, p, e)
