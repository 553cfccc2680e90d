#!/usr/bin/env python3
"""commands: stat, diff, export and import on the capture of capture.py, checked against counts made from its JSON lines.

usage: commands.py AUDITVIEW
"""
import bz2
import collections
import csv
import gzip
import io
import json
import lzma
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import capture  # noqa: E402
import evaluate  # noqa: E402
import perfetto  # noqa: E402

FAILED = []


def check(what, have, want):
    if have != want:
        FAILED.append(what)
        print("%s\n    have %r\n    want %r" % (what, have, want))


class Tool:
    def __init__(self, program):
        self.program = program

    def run(self, *args, data=None):
        return subprocess.run([self.program, *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, "LC_ALL": "C.UTF-8"})

    def must(self, *args, data=None):
        done = self.run(*args, data=data)
        if done.returncode:
            sys.exit("failed: %s\n%s" % (" ".join(done.args), done.stderr.decode()))
        return done.stdout


def test_stat(tool, file, events):
    def by(key, rows):
        out = json.loads(tool.must("stat", file, "--by", key, "--json"))
        want = collections.Counter(rows)
        check("stat --by %s" % key, {r["key"]: r["events"] for r in out["rows"]}, dict(want))
        check("stat --by %s: total" % key, out["events"], sum(want.values()))
        counts = [r["events"] for r in out["rows"]]
        check("stat --by %s: order" % key, counts, sorted(counts, reverse=True))
        return out

    out = by("event", [e["event"] for e in events])
    for r in out["rows"]:
        times = [e["ts_ns"] / 1e9 for e in events if e["event"] == r["key"]]
        check("stat: first and last of %s" % r["key"], (r["first_s"], r["last_s"]), (round(times[0], 9), round(times[-1], 9)))
    by("category", [e["category"] for e in events])
    by("theme", [e["theme"] for e in events])

    def host(e):
        return e.get("host.name", "unknown")
    by("process", ["%s:%d %s" % (host(e), e["pid"], e["_process"]["name"]) for e in events])
    by("machine", [host(e) for e in events])
    by("host", [host(e) for e in events])

    def thread(e):
        return "%s:%d/%d%s %s" % (host(e), e["pid"], e["tid"], " interpreter %d" % e["interp"] if e["interp"] else "", e["thread"])
    by("thread", [thread(e) for e in events])

    def caller(e):
        own = [f for f in e["stack"] if "func" in f and not evaluate.is_library(f, e["_prefixes"])]
        return "%s:%d %s" % (own[0]["file"], own[0]["line"], own[0]["func"]) if own else "(none: start-up or library code only)"
    by("caller", [caller(e) for e in events])

    def stack(e):
        return " < ".join("%s:%d" % (f.get("func", f.get("native") or f.get("mark") or ""), f.get("line", 0)) for f in e["stack"]) or \
            "(no stack)"
    by("stack", [stack(e) for e in events])

    def package(e):
        owner = evaluate.package_of(e)
        return "%s %s" % tuple(owner[:2]) if owner else "(none: code that is not installed, or the standard library only)"
    by("package", [package(e) for e in events])

    by("task", [e.get("task", {"name": "(no task)"})["name"] for e in events])
    for key in ("pid", "ppid", "tid", "interp", "python", "depth"):
        by(key, [str(evaluate.field(e, key)) for e in events])
    for key in ("documented", "children"):
        by(key, [("" if evaluate.field(e, key) else "not ") + key for e in events])

    def top(e):
        f = e["stack"][0] if e["stack"] else {"mark": "(no stack)"}
        if "func" in f:
            return "%s:%d %s" % (f["file"], f.get("line", 0), f["func"])
        return " in ".join(part for part in (f.get("native") or f.get("mark"), f.get("module")) if part)
    by("top", [top(e) for e in events])
    # every word that completion offers is one to count by; a key that is the value of a field, as a filter writes it, filters its row
    words = tool.must("--complete", "stat", "--by", "").decode().split("\n")[1:-1]
    words = [w.partition("\t")[0] for w in words]
    fields = [line.split()[0] for line in tool.must("--list-fields").decode().partition("\n\n")[0].split("\n")]
    check("stat --by: fields that are no groups", set(fields) - set(words), {"args", "seq", "time", "cut", "descriptor"})
    for key in words:
        rows = json.loads(tool.must("stat", file, "--by", key, "--json"))["rows"]
        check("stat --by %s: rows" % key, bool(rows) or key not in fields, True)
        for r in rows[:3] if key in ("pid", "ppid", "tid", "interp", "python", "depth", "port", "documented", "children", "event", "theme") else ():
            term = r["key"] if key in ("documented", "children") else "%s == %s" % (key, json.dumps(r["key"]) if key in ("event", "theme", "python") else r["key"])
            shown = json.loads(tool.must("stat", file, "--json", "-Y", term))["events"]
            check("stat --by %s: %s" % (key, term), shown, r["events"])
    numbers = [int(r["key"]) for r in json.loads(tool.must("stat", file, "--by", "tid", "--sort", "key", "--json"))["rows"]]
    check("stat --by tid --sort key", numbers, sorted(numbers))

    filtered = json.loads(tool.must("stat", file, "--json", "-Y", "pid == 42 and @filesystem", "-n", "2"))
    want = collections.Counter(e["event"] for e in events if e["pid"] == 42 and e["theme"] == "filesystem")
    check("stat -Y -n", [(r["key"], r["events"]) for r in filtered["rows"]], want.most_common(2))
    check("stat -Y: kinds", filtered["kinds"], len(want))
    text = tool.must("stat", file).decode().splitlines()
    check("stat: head", text[0].split()[0], "events")
    check("stat: total line", "".join(text[-1].split("100.0")[0].split()), str(len(events)))
    names = [r["key"] for r in json.loads(tool.must("stat", file, "--json", "--sort", "key"))["rows"]]
    check("stat --sort key", names, sorted(names))
    check("stat --sort nonsense", tool.run("stat", file, "--sort", "nonsense").returncode, 2)
    # each ready summary counts what its filter shows, by its key; the page of filters has the table
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "data", "filters.md"), encoding="utf-8") as page:
        rows = re.findall(r"^\| `([a-z-]+)` \| `([a-z-]+)` \| (\w+) \|$", page.read(), re.M)
    check("ready summaries", len(rows), 10)
    for name, text, key in rows:
        for narrower in ([], ["-Y", "pid == 42 or pid == 41 and @filesystem"])[:1 + (name == "files-written")]:
            out = json.loads(tool.must("stat", file, "--by", name, "--json", *narrower))
            filter_text = " and ".join([f"({text})", *(f"({t})" for t in narrower[1:])])
            want = json.loads(tool.must("stat", file, "--by", key, "--json", "-Y", filter_text))
            check(f"stat --by {name} {narrower}", out, want)
    coverage = tool.must("stat", file, "--coverage").decode()
    check("stat --coverage: versions", [line.split(":")[0] for line in coverage.splitlines() if line.startswith("Python")],
          ["Python 3.8", "Python 3.11", "Python 3.13"])


def test_callers(tool, folder):
    """"mostly by" is the code that raised most events of a row, not the first ones."""
    def frame(line):
        return [{"func": "f%d" % line, "file": "/srv/app.py", "line": line}]
    kinds = [("open", {"path": "/srv/a", "mode": "r", "flags": 0}), ("os.system", {"command": "ls"}), ("import", {"module": "json", "filename": None}),
             ("socket.connect", {"self": None, "address": ["10.0.0.7", 53]})]
    path, lines = os.path.join(folder, "callers.avc"), []
    for n, line in ((2, 1), (4, 2), (3, 3)):
        for name, args in kinds * n:
            lines.append({"pid": 1, "tid": 1 + line % 2, "python": "3.12.1", "ts_ns": len(lines), "event": name, "args": args, "stack": frame(line)})
    tool.must("import", "-", "-o", path, data="".join(json.dumps(line) + "\n" for line in lines).encode())
    for key in ("file", "command", "module", "peer", "host", "port", "event", "what", "pid"):
        rows = json.loads(tool.must("stat", path, "--by", key, "--json"))["rows"]
        check("stat --by %s: mostly by" % key, {r["mostly_by"] for r in rows}, {"app.py:2 f2"})
    check("stat -Y: mostly by", json.loads(tool.must("stat", path, "--by", "file", "--json", "-Y", "tid == 2"))["rows"][0]["mostly_by"], "app.py:3 f3")


def test_perfetto(tool, file, wanted, pid):
    packets = perfetto.decode(tool.must("export", file, "-F", "perfetto", "-Y", f"pid == {pid}"))
    instants = [p for p in packets if "track_event" in p and "name_iid" in p["track_event"][0]]
    names, depths = {}, {}
    for p in packets:
        for data in p.get("interned_data", []):
            names.update({n["iid"][0]: n["name"][0] for n in data.get("event_names", [])})
            depths.update({c["iid"][0]: len(c["frame_ids"]) for c in data.get("callstacks", [])})
    check("perfetto: events", [names[p["track_event"][0]["name_iid"][0]] for p in instants], [e["event"] for e in wanted])
    check("perfetto: times", [p["timestamp"][0] for p in instants], [e["ts_ns"] for e in wanted])
    check("perfetto: stacks", [depths[p["track_event"][0]["callstack_iid"][0]] if e["stack"] else 0 for p, e in zip(instants, wanted)],
          [len(e["stack"]) for e in wanted])
    tracks = {d["uuid"][0]: d for p in packets for d in p.get("track_descriptor", [])}
    check("perfetto: each track is described once", len(tracks), sum("track_descriptor" in p for p in packets))
    own = [tracks[p["track_event"][0]["track_uuid"][0]] for p in instants]
    threads = [(t if "thread" in t else tracks[t["parent_uuid"][0]])["thread"][0] for t in own]
    check("perfetto: pids", {t["pid"][0] for t in threads}, {pid})
    check("perfetto: threads", [t["tid"][0] for t in threads], [e["tid"] for e in wanted])
    tasks = [e.get("task", {}) for e in wanted]
    check("perfetto: a track for each task", [t.get("name", [None])[0] for t in own],
          [t["name"].replace("\udcff", "\\udcff") if t else None for t in tasks])
    notes = [{d["name"][0]: d.get("string_value", [None])[0] for d in p["track_event"][0].get("debug_annotations", [])} for p in instants]
    check("perfetto: arguments", [set(n) for n in notes], [set(e["args"]) | ({"awaited by"} if t.get("awaited_by") else set()) for e, t in zip(wanted, tasks)])
    short = [(n["awaited by"], " ← ".join(t["awaited_by"]).replace("\n", "\\n")) for n, t in zip(notes, tasks) if 0 < len(t.get("awaited_by", [])) < 8 and "more" not in t]
    check("perfetto: tasks that wait", [a for a, _ in short], [b for _, b in short])
    check("perfetto: there are tasks, and chains", [bool(any(tasks)), bool(short)], [pid == 42] * 2)
    packets = perfetto.decode(tool.must("export", file, "-F", "perfetto"))
    flows = [p["track_event"][0] for p in packets if "track_event" in p]
    first = next(flow for t in flows for flow in t.get("flow_ids", []))
    check("perfetto: a flow from parent to child", {end: sum(first in t.get(end, []) for t in flows) for end in ("flow_ids", "terminating_flow_ids")},
          {"flow_ids": 1, "terminating_flow_ids": 1})


def test_exports(tool, file, events, folder):
    wanted = [e for e in events if e["pid"] == 41]
    y = ("-Y", "pid == 41")
    lines = [json.loads(line) for line in tool.must("export", file, "-F", "jsonl", *y).splitlines()]
    check("jsonl", [e["seq"] for e in lines], [e["seq"] for e in wanted])
    rows = list(csv.DictReader(io.StringIO(tool.must("export", file, "-F", "csv", *y).decode())))
    check("csv: seq", [int(r["seq"]) for r in rows], [e["seq"] for e in wanted])
    check("csv: args", [json.loads(r["args"]) for r in rows], [e["args"] for e in wanted])
    check("csv: depth", [int(r["depth"]) for r in rows], [len(e["stack"]) for e in wanted])
    owners = [evaluate.package_of(e) or ["", ""] for e in wanted]
    check("csv: package", [[r["package"], r["package_version"]] for r in rows], [o[:2] for o in owners])
    check("jsonl: package", [[e.get("package", ""), e.get("package_version", "")] for e in lines], [o[:2] for o in owners])
    tasks = [e.get("task", {"name": "", "id": "", "awaited_by": ""}) for e in events]
    rows = list(csv.DictReader(io.StringIO(tool.must("export", file, "-F", "csv").decode())))
    check("csv: task", [(r["task_id"], r["awaited_by"] and json.loads(r["awaited_by"])) for r in rows], [(str(t["id"]), t["awaited_by"]) for t in tasks])
    check("csv: names of tasks", [r["task"] for r in rows], [t["name"].replace("\udcff", "\\udcff") for t in tasks])
    known = [e.get("descriptors") for e in events]
    check("csv: descriptors", [r["descriptors"] and json.loads(r["descriptors"]) or None for r in rows], known)
    check("csv: some descriptors are known", any(known), True)
    tsv = [line.split("\t") for line in tool.must("export", file, "-F", "tsv", *y).decode().splitlines()]
    check("tsv: columns", {len(line) for line in tsv}, {len(tsv[0])})
    check("tsv: events", [line[tsv[0].index("event")] for line in tsv[1:]], [e["event"] for e in wanted])
    text = tool.must("export", file, "-F", "text", *y).decode().splitlines()
    check("text: lines", len([line for line in text if "+++" not in line]), len(wanted))
    check("text: no control characters", [line for line in text if not line.isprintable()], [])
    for name in ("chrome",):
        trace = json.loads(tool.must("export", file, "-F", name, *y))
        instants = [t for t in trace["traceEvents"] if t["ph"] == "i"]
        check(name, [t["name"] for t in instants], [e["event"] for e in wanted])
        if name == "chrome":
            frames = trace["stackFrames"]

            def depth(i):
                return 1 + depth(frames[i]["parent"]) if "parent" in frames[i] else 1
            check("chrome: stacks", [depth(str(t["sf"])) if "sf" in t else 0 for t in instants], [len(e["stack"]) for e in wanted])
    for pid in 41, 42:  # the second has tasks
        test_perfetto(tool, file, [e for e in events if e["pid"] == pid], pid)
    folded = tool.must("export", file, "-F", "folded", *y).decode().splitlines()
    check("folded: events", sum(int(line.rsplit(" ", 1)[1]) for line in folded), len(wanted))
    check("folded: stacks", {line.count(";") for line in folded}, {len(e["stack"]) for e in wanted})
    scope = json.loads(tool.must("export", file, "-F", "speedscope"))
    check("speedscope: profiles", len(scope["profiles"]), len({e["pid"] for e in events}))
    check("speedscope: events", sum(sum(p["weights"]) for p in scope["profiles"]), len(events))
    check("speedscope: frames exist", max(f for p in scope["profiles"] for s in p["samples"] for f in s) < len(scope["shared"]["frames"]), True)
    base = os.path.join(folder, "out.sqlite")
    if tool.run("export", file, "-F", "sqlite", "-o", base, *y).returncode == 0:
        db = sqlite3.connect(base)
        check("sqlite", db.execute("select seq from trace order by seq").fetchall(), [(e["seq"],) for e in wanted])
        was = [(json.dumps(e["descriptors"]) if "descriptors" in e else None,) for e in wanted]
        got = db.execute("select descriptors from trace order by seq").fetchall()
        check("sqlite: descriptors", [(text and json.dumps(json.loads(text)),) for text, in got], was)
        check("sqlite: by event", dict(db.execute("select event, count(*) from trace group by event").fetchall()),
              dict(collections.Counter(e["event"] for e in wanted)))
        depths = db.execute("""with recursive up(seq, stack, depth) as (select seq, stack, 0 from events union all
            select seq, s.parent, depth + 1 from up join stacks s on s.id = up.stack where up.stack != 0)
            select seq, max(depth) from up group by seq order by seq""").fetchall()
        check("sqlite: depth of stacks", [d for _, d in depths], [len(e["stack"]) for e in wanted])
        check("sqlite to stdout", tool.run("export", file, "-F", "sqlite").returncode, 2)
    check("format by suffix", tool.run("export", file, "-o", os.path.join(folder, "o.csv")).returncode, 0)
    check("unknown format", tool.run("export", file, "-F", "xml").returncode, 2)
    piped = subprocess.run("'%s' export '%s' -F jsonl | head -n 1 | wc -l" % (tool.program, file), shell=True, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
    check("closed pipe", (piped.stdout.strip(), piped.stderr), (b"1", b""))


def test_import(tool, folder):
    out = os.path.join(folder, "foreign.avc")

    def load(*lines, end="\n", status=None):
        data = b"\n".join(line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass") for line in lines) + end.encode()
        done = tool.run("import", "-", "-o", out, data=data)
        if done.returncode and (done.returncode != 1 or b" events, " not in done.stderr and b" event, " not in done.stderr):
            return done.returncode, done.stderr.decode()
        check(f"status of {lines[:2]}", done.returncode, int("not taken" in done.stderr.decode()))
        return [json.loads(line) for line in tool.must("export", out, "-F", "jsonl").splitlines()], done.stderr.decode()

    events, _ = load('{"event":"login","user":"bob","n":3}', '', '{"event":"logout","time":"2026-11-22T07:00:01+01:00"}',
                     '{"event":"open","args":{"path":"/x","mode":"r","flags":0},"pid":7,"thread":"T"}')
    check("strangers: events", [e["event"] for e in events], ["login", "logout", "open"])
    check("strangers: other members are arguments", events[0]["args"], {"user": "bob", "n": 3})
    check("strangers: args", events[2]["args"], {"path": "/x", "mode": "r", "flags": 0})
    check("strangers: thread", (events[2]["pid"], events[2]["thread"]), (7, "T"))
    events, said = load('{"event":"a","ts_ns":5,"time":"2026-11-22T07:00:01Z"}', '{"x":1}', '{"event":"b","ts_ns":9}')
    check("without event", (len(events), "line 2 not taken: no \"event\"" in said), (2, True))
    check("times", [(e["ts_ns"], e["time"]) for e in events], [(5, "2026-11-22T07:00:01.000000000Z"), (9, "2026-11-22T07:00:01.000000004Z")])
    events, _ = load('{"event":"torn","time":"1975-01-01T00:00:00Z","args":[1', '{"event":"b","time":"2026-11-22T07:00:01Z"}')
    check("the time of a lost line does not count", [(e["ts_ns"], e["time"]) for e in events], [(0, "2026-11-22T07:00:01.000000000Z")])
    check("nothing", load('{"x":1}')[0], 1)
    os.unlink(out)
    check("no event that can be taken", (load('{"event":"a","args":{"b":')[0], os.path.exists(out)), (1, False))
    check("no -o", tool.run("import", "-").returncode, 2)
    piped = tool.must("stat", "-", "--json", data=b'{"event":"a"}\n{"event":"a"}\n{"event":"b"}\n')
    check("stat of a pipe", [(r["key"], r["events"]) for r in json.loads(piped)["rows"]], [("a", 2), ("b", 1)])


# What a line of another program's logger becomes: the line, and members that its event must have.
STRANGERS = [
    ('{"event":"open","args":["/etc/hosts","r",524288]}', {"args": {"path": "/etc/hosts", "mode": "r", "flags": 524288}}),
    ('{"event":"a.b","args":["x",1]}', {"args": {"0": "x", "1": 1}}),
    ('{"event":"a","args":"x"}', {"args": {"0": "x"}}),
    ('{"event":"a","args":5}', {"args": {"0": 5}}),
    ('{"event":"a","args":null}', {"args": {}}),
    ('{"event":"a","args":[]}', {"args": {}}),
    ('{"event":"a"}', {"args": {}}),
    ('{"event":"a","tid":139872345678912}', {"tid": 139872345678912}),
    ('{"event":"a","tid":18446744073709551615}', {"tid": 18446744073709551615}),
    ('{"event":"a","thread":139872345678912}', {"tid": 139872345678912}),
    ('{"event":"a","tid":1e308}', {"thread": "tid 1e308"}),
    ('{"event":"a","tid":-5}', {"thread": "tid -5"}),
    ('{"event":"a","pid":"41"}', {"pid": 41}),
    ('{"event":"a","pid":-1}', {"pid": 0}),
    ('{"event":"a","pid":null,"tid":null,"thread":null,"stack":null,"time":null}', {"pid": 0}),
    ('{"event":"a","time":1764345600.5}', {"time": "2025-11-28T16:00:00.500000000Z"}),
    ('{"event":"a","time":1764345600}', {"time": "2025-11-28T16:00:00.000000000Z"}),
    ('{"event":"a","timestamp":1764345600123}', {"time": "2025-11-28T16:00:00.123000000Z"}),
    ('{"event":"a","time_ns":1764345600123456789}', {"time": "2025-11-28T16:00:00.123456789Z"}),
    ('{"event":"a","time":"2025-11-28 17:00:00,250+01:00"}', {"time": "2025-11-28T16:00:00.250000000Z"}),
    ('{"event":"a","time":"2025-11-28T16:00:00Z","ts_ns":176434540000000000}', {"time": "2025-11-28T16:00:00.000000000Z"}),
    ('{"event":"a","time":NaN}', {"event": "a"}),
    ('{"event":"a","time":"yesterday"}', {"event": "a"}),
    ('{"event":"a","args":[NaN,Infinity,-Infinity]}', {"args": {"0": {"float": "nan"}, "1": {"float": "inf"}, "2": {"float": "-inf"}}}),
    ('{"event":"a","args":[%s]}' % ("9" * 6000), {"args": {"0": "9" * 6000}}),
    ('{"event":"a","args":[1e999]}', {"args": {"0": {"float": "inf"}}}),
    ('{"event":"a","event":"b","pid":1,"pid":2}', {"event": "b", "pid": 2}),
    ('{"event":"a","args":["\\ud800"]}', {"args": {"0": "\ud800"}}),
    (b'{"event":"\xff","args":["\xfe"]}', {"event": "\udcff", "args": {"0": "\udcfe"}}),
    ('\ufeff{"event":"a"}', {"event": "a"}),
    ('{"event":"a"}\r', {"event": "a"}),
    ('{"event":"a\\n\\u001b[31m"}', {"event": "a\n\x1b[31m"}),
    ('{"event":"%s"}' % ("n" * 4000), {"event": "n" * 4000}),
    ('{"event":"a","args":%s1%s}' % ("[" * 5000, "]" * 5000), {"event": "a"}),
    ('{"event":"a","args":[%s1%s]}' % ('{"cut":' * 5000, "}" * 5000), {"event": "a"}),
    ('{"event":"a","args":{"x":1,"stack":[1]},"stack":[]}', {"args": {"x": 1, "stack": [1]}}),
    ('{"event":"a","stack":["a.py:12 main","b.py:3 f"]}',
     {"stack": [{"func": "main", "file": "a.py", "line": 12}, {"func": "f", "file": "b.py", "line": 3}]}),
    ('{"event":"a","stack":["main (a.py:12)"]}', {"stack": [{"func": "main", "file": "a.py", "line": 12}]}),
    ('{"event":"a","traceback":"Traceback:\\n  File \\"a.py\\", line 1, in <module>\\n    f()\\n  File \\"b.py\\", line 2, in f\\n    x\\n"}',
     {"stack": [{"func": "f", "file": "b.py", "line": 2}, {"func": "<module>", "file": "a.py", "line": 1}]}),
    ('{"event":"a","stack":[["a.py",1,"<module>","f()"],["b.py",2,"g","x"]]}',
     {"stack": [{"func": "g", "file": "b.py", "line": 2}, {"func": "<module>", "file": "a.py", "line": 1}]}),
    ('{"event":"a","stack":[{"filename":"a.py","lineno":5,"name":"f"}]}', {"stack": [{"func": "f", "file": "a.py", "line": 5}]}),
    ('{"event":"a","stack":[5,{"x":1}]}', {"event": "a"}),
    ('{"event":"a","process":5,"notes":{},"interp":"x"}', {"pid": 5}),
]
# Lines that are no event: each counts as one loss, with its number and a reason.
LOST = ['{"event":5}', '{"event":null}', '{"x":1}', "nonsense", '{"event":"b",}', '{"event":"b"} x', '{"event":"b"},,', "[1,2]", '{"event":"b","args":{"x":[1,', "{", '"a"',
        '{"event":"b","args":[tru]}']


def test_strangers(tool, folder):
    out = os.path.join(folder, "stranger.avc")

    def load(data):
        done = tool.run("import", "-", "-o", out, data=data)
        said = done.stderr.decode()
        if not os.path.exists(out):
            return done.returncode, [], said
        events = [json.loads(line) for line in tool.must("export", out, "-F", "jsonl").splitlines()]
        os.unlink(out)
        return done.returncode, events, said

    for line, wanted in STRANGERS:
        code, events, said = load((line if isinstance(line, bytes) else line.encode("utf-8")) + b"\n")
        got = {k: events[0].get(k) for k in wanted} if len(events) == 1 else None
        check(f"stranger {line[:70]}", (code, got), (0, wanted))
    for bad in LOST:
        code, events, said = load(b'{"event":"a"}\n' + bad.encode() + b'\n{"event":"c"}\n')
        check(f"one bad line loses one: {bad}", (code, [e["event"] for e in events], "line 2 not taken: " in said), (1, ["a", "c"], True))
        check(f"alone it leaves no file: {bad}", load(bad.encode())[:2], (1, []))
    code, events, said = load(b'{"event":"a"}\n{"event":"b","args":{"x":[1,')
    check("a torn last line", (code, len(events), "line 2 not taken" in said and "incomplete" in said), (1, 1, True))
    check("many losses are summed up", "100 lines not taken in all" in load(b'{"event":"a"}\n' + b"x\n" * 100)[2], True)
    times = b'{"event":"a","time":1764345600.5}\n{"event":"b","time":1764345590.25}\n{"event":"c","ts_ns":-5,"time":1764345601}\n'
    check("earlier than the first", [e["time"][17:23] for e in load(times)[1]], ["00.500", "50.250", "01.000"])
    check("earlier than its own start", [e["ts_ns"] for e in load(b'{"event":"a","ts_ns":7}\n{"event":"b","ts_ns":-5}\n')[1]], [12, 0])
    objects = [{"event": "a", "args": [1, {"b": "}"}]}, {"event": "c"}]
    for name, text in (("array", json.dumps(objects)), ("indented array", json.dumps(objects, indent=2)),
                       ("objects over lines", "\n".join(json.dumps(o, indent=4) for o in objects)),
                       ("a comma behind each line", "".join(json.dumps(o) + ",\r\n" for o in objects))):
        code, events, said = load(text.encode())
        check(name, (code, [e["event"] for e in events], events and events[0]["args"]["1"]), (0, ["a", "c"], {"b": "}"}))
    code, events, said = load(json.dumps(objects).encode("utf-16"))
    check("UTF-16", (code, "UTF-16" in said and "iconv" in said), (1, True))
    for module, name in ((gzip, "gzip"), (bz2, "bzip2"), (lzma, "xz")):
        code, events, said = load(module.compress(b'{"event":"a"}\n'))
        check(name, (code, f"compressed ({name})" in said and "cat FILE |" in said), (1, True))
    for name, text in (("nesting of 1 M", b'{"event":"x","args":' + b"[" * 1000000), ("nesting of 1 M in a value", b'{"event":"x","args":{"a":' + b'{"b":' * 1000000),
                       ("a line of NUL", b"\0" * 1000), ("20 MB without a newline", b"A" * 20000000)):
        code, events, said = load(text + b'\n{"event":"behind"}')
        check(name, ([e["event"] for e in events], "line 1 not taken" in said), (["behind"], True))
    code, events, said = load(b'{"event":"x","args":{' + b",".join(b'"k%d":%d' % (i, i) for i in range(1 << 17)) + b"}}")
    check("2^17 keys", (code, len(events), len(events and events[0]["args"])), (0, 1, 1 << 17))
    check("only a BOM", load(b"\xef\xbb\xbf")[:2], (1, []))
    check("comments", [e["event"] for e in load(b'# x\n// y\n{"event":"a"}\n')[1]], ["a"])
    # two exports, one after the other, each from a run of its own
    own = ['{"v":1,"seq":%d,"time":"2026-11-22T0%d:00:00.00000000%dZ","ts_ns":%d,"pid":7,"tid":7,"interp":0,"thread":"","python":"3.12.1",'
           '"event":"e","args":{},"stack":[]}' % (k, run, k + 5, k + 5) for run in (7, 6) for k in range(2)]
    code, events, said = load("\n".join(own).encode())
    check("two exports", (code, [e["time"] for e in events]), (0, [json.loads(line)["time"] for line in own]))


def test_hostile(tool, folder):
    path = os.path.join(folder, "hostile.avc")
    lines = ['{"event":"a","args":{"0":"%s%d!"}}' % ("a" * 60, i) for i in range(3000)] + ['{"event":"a","args":{"0":"aaa"}}']
    tool.must("import", "-", "-o", path, data=("\n".join(lines) + "\n").encode())
    start = time.monotonic()
    done = tool.run("export", path, "-F", "jsonl", "-Y", 'args ~ "^(a+)+$"')
    check("hostile pattern: what matches is found", done.stdout.count(b"\n"), 1)
    check("hostile pattern: it is said", b"gave up on 3000 values" in done.stderr, True)
    check("hostile pattern: it ends", time.monotonic() - start < 60, True)


def test_profile_names(tool, folder):
    """A profile is lines. Names of events, modules, files and hosts with newlines, controls and blanks add no line of their own, and
    what a profile was made of has nothing new for it."""
    names = ["a\n[requests]\nhost     socket.connect evil:1", "  lead", "trail  ", "", "[x]", "# hash", "\u202eevil", "a\x1b[31mb", "a\tb", "a\rb", "host",
             "event x", "\\n", "\x7f\x85", "e" * 3000, "\ud800"]
    rows = []
    for n in names:
        rows += [{"event": n}, {"event": n, "args": [1]}]
        rows += [{"event": e, "args": a} for e, a in (
            ("import", [n]), ("open", [n, "w", 0]), ("subprocess.Popen", [n, [n, n], None, None]), ("socket.connect", [None, [n, 5]]),
            ("socket.getaddrinfo", [n, n, 0, 0, 0]), ("ctypes.dlopen", [n]), ("os.putenv", [n, "x"]), ("urllib.Request", ["http://" + n, None, {}, "GET"]))]
        rows[-1]["stack"] = [{"file": "/usr/lib/python3/site-packages/" + n + "/x.py", "line": 1, "function": n}]
    path, text = os.path.join(folder, "names.avc"), os.path.join(folder, "names.txt")
    tool.must("import", "-", "-o", path, data="".join(json.dumps(row) + "\n" for row in rows).encode())
    tool.must("profile", path, "-o", text)
    with open(text, "rb") as f:
        bytes_of = f.read()
    check("an event whose name is the empty text", sum(json.loads(x)["event"] == "" for x in tool.must("export", path, "-F", "jsonl").splitlines()), 2)
    check("a profile adds no line of a name", [line for line in bytes_of.split(b"\n") if b"evil:1" in line and line.startswith((b"host     socket.connect evil", b"[req"))], [])
    check("a profile has no control characters", [c for c in bytes_of.decode() if c != "\n" and (ord(c) < 32 or 0x7f <= ord(c) < 0xa0 or ord(c) == 0x202e)], [])
    done = tool.run("check", text, path)
    check("nothing is new", (done.returncode, done.stdout.decode().splitlines()[-1].startswith("0 new")), (0, True))


def test_fields(tool):
    listed = tool.must("--list-fields").decode()
    names = [line.split()[0] for line in listed.split("\n\n")[0].splitlines()]
    check("--list-fields", set(names), (evaluate.TEXT_FIELDS | evaluate.NUMBER_FIELDS | evaluate.BOOL_FIELDS | evaluate.FRAME_FIELDS |
          {"python", "time", "args"}) - {"task.id", "task.awaited_by"})  # members of task
    with open(os.path.join(HERE, "expressions.tsv"), encoding="utf-8") as f:
        text = f.read()
    check("every field has an expression", [n for n in names if n not in text], [])


def test_gathered(tool, folder):
    """The fields file, peer, port and command over many events, as evaluate.py reads the same lines."""
    rows = [("open", {"path": 7, "mode": "r", "flags": 0}), ("os.rename", {"src": "/srv/a", "dst": "/srv/b", "src_dir_fd": -1, "dst_dir_fd": -1}),
            ("shutil.copyfile", {"src": "/etc/hosts", "dst": "hosts"}), ("os.chmod", {"path": "/srv/a", "mode": 448, "dir_fd": -1}),
            ("os.truncate", {"fd": 5, "length": 0}), ("os.rmdir", {"path": "/etc/hosts"}), ("os.system", {"command": {"bytes": "bHMgLWw="}}),
            ("os.posix_spawn", {"path": "/bin/ls", "argv": ["ls", "x" * 2000, "the end"], "env": {}}), ("os.exec", {"path": "ls", "args": ["ls", ""], "env": None}),
            ("socket.getaddrinfo", {"host": "example.org", "port": "443", "family": 0, "type": 1, "protocol": 0}),
            ("socket.getaddrinfo", {"host": "example.org", "port": "https", "family": 0, "type": 1, "protocol": 0}),
            ("socket.getaddrinfo", {"host": None, "port": 80, "family": 0, "type": 1, "protocol": 0}), ("socket.gethostbyname", {"hostname": "db"}),
            ("http.client.connect", {"self": None, "host": "example.org", "port": 8080}), ("socket.connect", {"self": None, "address": "/run/db.sock"}),
            ("socket.bind", {"self": None, "address": ["::", 80, 0, 0]}), ("socket.sendto", {"self": None, "address": ["10.0.0.7", 53]})]
    rows += [("urllib.Request", {"fullurl": url, "data": None, "headers": {}, "method": "GET"})
             for url in ("http://u:p@[::1]/x:1", "https://bob:s3:cret@example.org:8443/a@b", "https://example.org?q", "ftp://db")]
    rows += [("compile", {"source": "1", "filename": "<string>"}), ("compile", {"source": None, "filename": "<frozen x>"}),
             ("exec", {"code_object": {"type": "code", "id": None, "name": "f", "file": "<stdin>", "line": 1}}), ("cpython.run_command", {"command": "1"}),
             ("import", {"module": "_json", "filename": "/x/_json.so"}), ("import", {"module": "json", "filename": None}), ("ctypes.dlopen", {"name": "c"}),
             ("pickle.find_class", {"module": "os", "name": "system"}), ("os.mkdir", {"path": "/x", "mode": 448, "dir_fd": -1}),
             ("open", {"path": "/x", "mode": None, "flags": 2}), ("open", {"path": "/x", "mode": "w", "flags": 577}), ("open", {"path": 1, "mode": "w", "flags": 577})]
    path = os.path.join(folder, "gathered.avc")
    lines = [json.dumps({"pid": 1, "python": "3.12.1", "ts_ns": i, "event": n, "args": a, "stack": []}) for i, (n, a) in enumerate(rows)]
    tool.must("import", "-", "-o", path, data=("\n".join(lines) + "\n").encode())
    events = [json.loads(line) for line in tool.must("export", path, "-F", "jsonl").splitlines()]
    have = {name: [json.loads(line)["seq"] for line in tool.must("export", path, "-F", "jsonl", "-Y", name).splitlines()] for name in evaluate.READY}
    check("ready filters", have, {name: [e["seq"] for e in events if test(e)] for name, test in evaluate.READY.items()})
    check("ready filters that find something", sorted(name for name, seqs in have.items() if not seqs), ["only-my-code"])
    check("--list-fields has the ready filters", set(re.findall(r"^(\S+) +ready filter", tool.must("--list-fields").decode(), re.M)), set(evaluate.READY))
    for field in ("file", "peer", "port", "command"):
        values = sorted({str(v) for e in events for v in evaluate.gathered(e, field) if v is not None})
        check("%s: has values" % field, len(values) > 2, True)
        for expression in [field, "not " + field] + ["%s == %s" % (field, v if field == "port" else json.dumps(v)) for v in values]:
            wanted = evaluate.Filter(expression, {e["event"] for e in events}, set())
            have = [json.loads(line)["seq"] for line in tool.must("export", path, "-F", "jsonl", "-Y", expression).splitlines()]
            check(expression[:60], have, [e["seq"] for e in events if wanted.tree(e)])
    check("both names of a rename", tool.must("export", path, "-F", "jsonl", "-Y", "file == /srv/a and file == /srv/b").count(b"\n"), 1)
    check("events of two names with the same arguments", tool.must("print", path, "-Y", "peer == 10.0.0.7 and port < 80").count(b"sendto"), 1)
    check("the end of a long command", tool.must("export", path, "-F", "jsonl", "-Y", "command contains 'the end'").count(b"\n"), 1)


def test_diff(tool, folder):
    base = {"pid": 1, "python": "3.12.1", "ts_ns": 1}

    def make(name, *events):
        path = os.path.join(folder, name)
        lines = [json.dumps({**base, "event": n, "args": a, "stack": [{"func": "main", "file": "/srv/app.py", "line": i + 1}]})
                 for i, (n, a) in enumerate(events)]
        tool.must("import", "-", "-o", path, data=("\n".join(lines) + "\n").encode())
        return path

    def opened(path):
        return "open", {"path": path, "mode": "r", "flags": 0}
    both = [opened("/etc/hosts"), ("import", {"module": "json", "filename": None}), ("subprocess.Popen", {
        "executable": "gzip", "args": ["gzip", "-9"], "cwd": None, "env": None})]
    a = make("a.avc", *both, opened("/tmp/shop-ab12cd34/x"), opened("/srv/legacy.json"))
    b = make("b.avc", *both, both[2], both[2], opened("/tmp/shop-zz99yy88/x"), opened("/srv/new.json"),
             ("socket.connect", {"self": None, "address": ["10.0.0.7", 5432]}), ("ctypes.dlopen", {"name": "libc.so.6"}),
             ("import", {"module": "plugins", "filename": None}), ("import", {"module": "plugins.tax", "filename": None}),
             ("import", {"module": "plugins.vat", "filename": None}))
    rows = [json.loads(line) for line in tool.must("diff", a, b, "--json").splitlines()]
    have = [(r["change"], r["kind"], r["text"].split(" ")[0], r["a"], r["b"], r["below"]) for r in rows]
    check("diff", have, [
        ("added", "host", have[0][2], 0, 1, 0), ("added", "library", "libc.so.6", 0, 1, 0), ("added", "module", "plugins", 0, 3, 2),
        ("added", "file", "/srv/new.json", 0, 1, 0), ("removed", "file", "/srv/legacy.json", 1, 0, 0), ("more", "command", "gzip", 1, 3, 0)])
    check("diff: host", "10.0.0.7" in have[0][2] and "5432" in rows[0]["text"], True)
    check("diff: who", rows[0]["caller"], "app.py:8 main")
    check("diff: same", tool.must("diff", a, a, "--json"), b"")
    check("diff: in words", b"in both: 4" in tool.must("diff", a, b), True)
    check("diff -Y", [json.loads(x)["kind"] for x in tool.must("diff", a, b, "--json", "-Y", "@network").splitlines()], ["host"])


def test_refusals(tool, file, folder):
    lines = os.path.join(folder, "own.jsonl")
    with open(lines, "wb") as f:
        f.write(tool.must("export", file, "-F", "jsonl"))
    neither = os.path.join(folder, "own.txt")
    with open(neither, "wb") as f:
        f.write(b"neither a capture nor JSON\n")
    with open(file, "rb") as f:
        whole = f.read()
    rows = [
        (("export", file, "-F", "jsonl", "-o", file), 2, "both input and output"), (("export", file, "-o", file, "-F", "sqlite"), 2, "both input"),
        (("print", file, "-o", file), 2, "both input and output"), (("import", lines, "-o", lines), 2, "both input and output"),
        (("stat", file, "--by", "nosuch"), 2, "--by"), (("stat", folder), 1, "is a directory"), (("stat", neither), 1, "not a capture"),
        (("export", file, "-F", "jsonl", "-o", os.path.join(folder, "no", "x")), 1, "cannot create"),
        (("print", file, "-Y", "args ~ \"(\""), 2, "closing parenthesis"), (("print", file, "--until", "foo =="), 2, "no field foo"),
        (("record", "-e", "/(/", "-o", os.path.join(folder, "x.avc"), "--", "true"), 2, "-e: regular expression"),
        (("record", "-e", "@nosuch", "-o", os.path.join(folder, "x.avc"), "--", "true"), 2, "no theme nosuch"),
        (("events", "--python", "2.7"), 2, "not 2.7"), (("explain", "open", "--python", "3.99"), 2, "not 3.99"),
        (("events", "--theme", "nosuch"), 2, "no theme"), (("events", "zzzz"), 1, "no event matches"), (("lesson", "99"), 2, "no lesson"),
    ]
    for args, status, text in rows:
        done = tool.run(*args)
        check("refused: %s" % " ".join(args), (done.returncode, done.stdout, text in done.stderr.decode()), (status, b"", True))
        check("message: %s" % " ".join(args), done.stderr.startswith(b"auditview: "), True)
    with open(file, "rb") as f:
        check("the input is as it was", f.read() == whole, True)
    for args in (("print", file), ("print", "-"), ("export", file, "-F", "csv"), ("cut", file, "-o", "-"), ("merge", file, file, "-o", "-"), ("stat", file),
                 ("diff", file, neither), ("import", file, "-o", "-")):
        with open(file, "ab") as appended, open(file, "rb") as given: # what a shell's >> opens
            done = subprocess.run([tool.program, *args], stdin=given, stdout=appended, stderr=subprocess.PIPE)
        check("to its input: %s" % " ".join(args), (done.returncode, b"both input and output" in done.stderr), (2, True))
        with open(file, "rb") as f:
            check("the input is as it was", f.read() == whole, True)
    with open("/dev/full", "wb") as full:
        for args in (("stat", file), ("print", file), ("export", file, "-F", "csv"), ("diff", file, file), ("events",), ("explain", "open"), ("--help",)):
            done = subprocess.run([tool.program, *args], stdout=full, stderr=subprocess.PIPE)
            check("disk full: %s" % args[0], (done.returncode, b"No space left" in done.stderr), (1, True))


def test_damage(tool, file, folder):
    """With one wrong byte, anywhere: the output is that of the undamaged file, or a message says that something is
    missing."""
    with open(file, "rb") as f:
        whole = f.read()
    path, silent, said = os.path.join(folder, "damaged.avc"), [], 0
    commands = [("print", "--wide"), ("stat", "--by", "caller"), ("export", "-F", "jsonl"), ("diff", file)]
    want = {c: tool.must(c[0], *c[1:], file) for c in commands}
    for i, at in enumerate(range(40, len(whole), len(whole) // 60)):
        with open(path, "wb") as f:
            f.write(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1:])
        c = commands[i % len(commands)]
        done = tool.run(c[0], *c[1:], path)
        said += bool(done.stderr)
        if done.returncode not in (0, 1) or (done.stdout != want[c] and not done.stderr):
            silent.append((c[0], at, done.returncode, done.stderr))
    check("damage: never silent", silent, [])
    check("damage: said", said > 20, True)
    check("damage: not with -q", tool.run("stat", "-q", path).stderr, b"")


def test_pipes(tool, file, events):
    """Every command that reads a capture also reads JSON lines, and both from a pipe."""
    lines = tool.must("print", file, "-F", "json")
    with open(file, "rb") as f:
        whole = f.read()
    for label, name, data in (("lines", "-", lines), ("a capture", "/dev/stdin", whole)):
        check("%s: stat" % label, json.loads(tool.must("stat", name, "--json", data=data))["events"], len(events))
        check("%s: print" % label, tool.must("print", name, "-Y", "pid == 41", data=data), tool.must("print", file, "-Y", "pid == 41"))
        check("%s: export" % label, tool.must("export", name, "-F", "csv", data=data), tool.must("export", file, "-F", "csv"))
        check("%s: diff" % label, tool.must("diff", name, file, "--json", data=data), b"")


def test_growing(tool, folder):
    """A capture that grows: each command shows the complete part, and print -f shows every event once, to the end."""
    path, file, n = os.path.join(folder, "growing.avc"), os.path.join(folder, "long.avc"), 50000
    lines = "".join('{"event":"e%d","pid":%d,"args":{"0":%d}}\n' % (i % 7, 40 + i // 30000, i) for i in range(n))
    tool.must("import", "-q", "-", "-o", file, data=lines.encode())
    with open(file, "rb") as f:
        whole = f.read()
    with open(path, "wb", 0) as growing:
        done, last, seen = len(whole) // 10, -1, set()
        growing.write(whole[:done])
        follower = subprocess.Popen([tool.program, "print", "-f", "-F", "json", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while done < len(whole):
            counts = {json.loads(tool.must("stat", path, "--json"))["events"], len(tool.must("print", path, "-F", "json").splitlines()),
                      len(tool.must("export", path, "-F", "jsonl").splitlines())}
            check("growing: the commands agree at %d bytes" % done, len(counts), 1)
            check("growing: nothing goes away", max(counts) >= last, True)
            last = max(counts)
            seen.add(last)
            tool.must("diff", path, file)
            growing.write(whole[done:done + len(whole) // 6])
            done += len(whole) // 6
        out, err = follower.communicate(timeout=180)
    check("growing: it was seen to grow", len(seen) > 2, True)
    seqs = [json.loads(line)["seq"] for line in out.splitlines()]
    check("print -f: every event once", (follower.returncode, seqs), (0, list(range(n))))


def main():
    tool = Tool(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        source, file = os.path.join(folder, "in.jsonl"), os.path.join(folder, "in.avc")
        with open(source, "w", encoding="utf-8") as f:
            f.write("".join(line + "\n" for line in capture.lines()))
        tool.must("import", "-q", source, "-o", file)
        events = evaluate.prepare(tool.must("export", file, "-F", "jsonl").decode().splitlines())
        test_fields(tool)
        test_gathered(tool, folder)
        test_hostile(tool, folder)
        test_profile_names(tool, folder)
        test_stat(tool, file, events)
        test_callers(tool, folder)
        test_exports(tool, file, events, folder)
        test_import(tool, folder)
        test_strangers(tool, folder)
        test_diff(tool, folder)
        test_pipes(tool, file, events)
        test_growing(tool, folder)
        test_damage(tool, file, folder)
        test_refusals(tool, file, folder)
    print("%d failed" % len(FAILED) if FAILED else "ok")
    return bool(FAILED)


if __name__ == "__main__":
    sys.exit(main())
