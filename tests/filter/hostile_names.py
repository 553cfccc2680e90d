#!/usr/bin/env python3
"""hostile_names: names that control terminals, are not UTF-8, or end fields, in every place of a capture: the consumer
of each export can read it, and no output for people or as text contains a control character, an override of direction
or a byte that is not UTF-8.

hostile_names.py AUDITVIEW
"""
import csv
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import perfetto  # noqa: E402

NAMES = ["\x1b[31mred\x1b]0;title\x07", "a\nb", "a\tb\rc", "nul\0byte", "\x7f\x80\x9b31m", "line\u2028sep\u2029", "\u202eevil\u202c\u2066x\u2069", "\ufeffbom",
         "surrogate\udcff\udc80", "high\ud800", "semi;colon 5", '"quote",comma', "<tag attr='x'>&amp;]]>", "\\back\\slash", "=1+1", "long" * 1000, "tag\U000e0041",
         "emoji \U0001f469\u200d\U0001f4bb", "%s%n%d", "{path:path}", ""]
# Forbidden in a text file: C0 except tab, newline and return; DEL; C1; what changes the direction or the lines of other
# text.
FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]")
failed = 0


def check(what, condition, seen=""):
    global failed
    if not condition:
        failed += 1
        print(f"{what}: {str(seen)[:300]!r}")


def lines():
    for i, name in enumerate(NAMES):
        event = name or "x"
        yield {"v": 1, "seq": i, "time": "2026-11-22T07:00:00.%09dZ" % i, "ts_ns": i, "host.name": name, "pid": i + 1, "tid": i + 1, "interp": 0, "thread": name, "python": "3.12.1", "event": event,
               "process": {"name": name, "exe": name, "cwd": name, "argv": [name, "x"], "environ": {"A" + name: name}, "prefixes": [name], "ppid": 1},
               "notes": [{"kind": "warning", "ts_ns": i, "text": name}],
               "args": {name: name, "d": {name: [name, {"bytes": "/wA="}]}, "o": {"type": name, "id": "0x1", "path": name}},
               "stack": [{"func": name, "file": name, "line": 1}, {"native": name, "module": name, "offset": 3}, {"mark": name}]}
        for known, args in (("open", [name, "r", 0]), ("subprocess.Popen", [name, [name], name, {name: name}]), ("socket.connect", ["s", [name, 80]]),
                            ("import", [name, name, None, None, None]), ("os.system", [name]), ("sqlite3.connect", [name])):
            yield {"event": known, "args": args, "pid": i + 1, "stack": [{"func": name, "file": name, "line": 2}]}


def clean(what, data):
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        check(what, False, f"{error}: {data[max(0, error.start - 40):error.end + 20]!r}")
        return ""
    bad = FORBIDDEN.search(text)
    check(what + " holds a control", not bad, bad and text[max(0, bad.start() - 40):bad.end() + 20])
    return text


def main():
    tool = os.path.abspath(sys.argv[1])

    def run(*args, status=(0,), data=None):
        done = subprocess.run([tool, *args], input=data, stdin=None if data is not None else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        check(f"status of {args[:2]}", done.returncode in status, done)
        clean(f"stderr of {args[:2]}", done.stderr)
        return done.stdout

    with tempfile.TemporaryDirectory() as folder:
        file, other = os.path.join(folder, "a.avc"), os.path.join(folder, "b.avc")
        rows = list(lines())
        run("import", "-q", "-", "-o", file, data="\n".join(map(json.dumps, rows)).encode())
        run("import", "-q", "-", "-o", other, data=b'{"event":"open","args":["/x","r",0]}\n')
        outs = {}
        for name in ("text", "jsonl", "csv", "tsv", "perfetto", "chrome", "folded", "speedscope", "sqlite", "clickhouse"):
            path = os.path.join(folder, "out." + name)
            run("export", file, "-F", name, "-o", path)
            outs[name] = open(path, "rb").read()
            if name not in ("sqlite", "perfetto"):
                # lone high surrogates are bytes there
                clean(name, outs[name] if name != "clickhouse" else re.sub(rb"\xed[\xa0-\xaf][\x80-\xbf]", b"?", outs[name]))
        events = [json.loads(line) for line in outs["jsonl"].decode().split("\n") if line]
        check("jsonl: events", len(events) == len(rows), len(events))
        for event, row in zip(events[::7], rows[::7]):
            check("jsonl: host comes back", event.get("host.name", "") == row["host.name"], event)
            for key in ("event", "thread", "args"):
                check(f"jsonl: {key} comes back", event[key] == row[key], (event[key], row[key]))
            check("jsonl: stack comes back", [f.get("func") or f.get("native") or f.get("mark") or "" for f in event["stack"]] ==
                  [f.get("func") or f.get("native") or f.get("mark") or "" for f in row["stack"]], event["stack"])
        again = os.path.join(folder, "again.avc")
        run("import", "-q", "-", "-o", again, data=outs["jsonl"])
        check("jsonl: twice is the same", run("export", again, "-F", "jsonl") == outs["jsonl"])
        run("import", "-q", "-", "-o", again, data=outs["clickhouse"])
        check("clickhouse: comes back", run("export", again, "-F", "jsonl") == outs["jsonl"])
        table = list(csv.reader(io.StringIO(outs["csv"].decode(), newline="")))
        check("csv: rows and columns", len(table) == len(rows) + 1 and {len(r) for r in table} == {len(set(table[0]))}, [len(r) for r in table][:5])
        check("csv: arguments are JSON", all(isinstance(json.loads(r[11]), dict) for r in table[1:]))
        check("csv: a line break stays one", table[1 + 7][8] == "a\nb", table[1 + 7][8])
        table = [line.split("\t") for line in outs["tsv"].decode().split("\n")[:-1]]
        check("tsv: rows and columns", len(table) == len(rows) + 1 and {len(r) for r in table} == {len(set(table[0]))}, [len(r) for r in table][:5])
        for name in ("chrome", "speedscope"):
            json.loads(outs[name].decode(), parse_constant=lambda word: check(name, False, word))
        found = sum("name_iid" in p["track_event"][0] for p in perfetto.decode(outs["perfetto"]) if "track_event" in p)
        check("perfetto: events", found == len(rows), found)
        for line in outs["folded"].decode().split("\n")[:-1]:
            check("folded: a line", re.fullmatch(r"(?:[^;\n]*;)*[^;\n]+ [0-9]+", line), line)
        with sqlite3.connect(os.path.join(folder, "out.sqlite")) as db:
            for (relation,) in db.execute("select name from sqlite_master where type in ('table', 'view')").fetchall():
                db.execute(f"select * from {relation}").fetchall()
            cwds = [row[0] for row in db.execute("select cwd from processes order by id")]
            check("sqlite: text that is none is bytes", b"surrogate\xff\x80" in cwds and "a\nb" in cwds, cwds)
            check("sqlite: arguments", all(isinstance(json.loads(row[0]), dict) for row in db.execute("select args from trace")))
        for by in ("event", "category", "theme", "caller", "file", "thread", "process", "stack"):
            clean(f"stat --by {by}", run("stat", "--by", by, file))
            json.loads(clean(f"stat --json --by {by}", run("stat", "--json", "--by", by, file)))
        clean("diff", run("diff", other, file))
        for line in clean("diff --json", run("diff", "--json", other, file)).splitlines():
            json.loads(line)
        clean("print", run("print", file))
        for text in (b"\x1b[31m\xff.avc", "\u202ex\nauditview: all is well".encode(), b"\x9b\x07"):
            name = os.path.join(folder.encode(), text)
            for args in (("print", name), ("export", name, "-F", "csv"), ("stat", name), ("import", name, "-o", "x"), ("import", file, "-o", name + b"/x"),
                         ("diff", name, file), ("print", file, "-Y", text), ("export", file, "-F", text), (text,), ("explain", text), ("events", text), ("record", "-o", name),
                         ("doctor", text), ("lesson", text), ("--" + "x", text)):
                done = subprocess.run([tool, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder)
                clean(f"{args[0]} of a hostile name", done.stdout)
                said = clean(f"error of {args[0]}", done.stderr)
                check(f"error of {args[0]}: a line of its own", "\nauditview: all is well" not in said, said)
    print("ok" if not failed else f"{failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
