"""exchange: captures joined and cut, and what goes out to other programs and comes back: each output is opened by the
program that it is for."""
import json
import os
import re
import subprocess
import sys
import time

import harness
import packages
from check_options import on_screen
from harness import Skip, expect

FAMILY = """
import os, subprocess, sys, threading
sys.audit('victim.start', sys.argv[1])
def work(n):
    for i in range(300):
        sys.audit('victim.n', n, i, {'k': ['x' * 40, n]})
for i in range(2):
    if not os.fork():
        work(i); os._exit(0)
threads = [threading.Thread(target=work, args=(i,)) for i in (7, 8)]
[t.start() for t in threads]; [t.join() for t in threads]
subprocess.run(['true']); os.wait(); os.wait()
"""


def run(ctx, *arguments, status=0, timeout=harness.GUARD, **more):
    more.setdefault("stdin", subprocess.DEVNULL) if "input" not in more else None
    done = subprocess.run([ctx.auditview, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, **more)
    expect(status is None or done.returncode == status, lambda: f"{arguments}: {done.returncode} {done.stderr[-400:]!r}")
    return done


def lines_of(ctx, *arguments):
    return [json.loads(line) for line in run(ctx, *arguments).stdout.decode("utf-8", "surrogatepass").split("\n") if line]


def record(ctx, python, folder, name, code=FAMILY):
    path = os.path.join(folder, name)
    run(ctx, "record", "-q", "-o", path, "--", *python.command, "-S", "-c", code, name)
    return path


def imported(ctx, folder, name, rows):
    path = os.path.join(folder, name)
    run(ctx, "import", "-q", "-", "-o", path, input="".join(json.dumps(row) + "\n" for row in rows).encode())
    return path


def named(path, ctx, host):
    """The JSON lines of a capture, as bytes, with another name of the host."""
    return re.sub(rb'"host\.name":"[^"]*"', b'"host.name":"' + host.encode() + b'"', run(ctx, "export", path, "-F", "jsonl").stdout)


def merged(ctx, python):
    """A merge is sorted and complete, and cutting by host gives each input back, byte for byte as JSON lines."""
    folder = ctx.new_folder("merged")
    files = [record(ctx, python, folder, name) for name in ("a.avc", "b.avc", "c.avc")]
    out, back = os.path.join(folder, "m.avc"), os.path.join(folder, "back.avc")
    run(ctx, "merge", *files, "-o", out, "--host", "1=web-1", "--host", files[1] + "=web-2,3=db")
    events = lines_of(ctx, "export", out, "-F", "jsonl")
    parts = [lines_of(ctx, "export", f, "-F", "jsonl") for f in files]
    expect(len(events) == sum(map(len, parts)), lambda: f"{len(events)} events of {[len(p) for p in parts]}")
    times = [e["time"] for e in events]
    late = sum(a > b for a, b in zip(times, times[1:]))
    known = sum(a["time"] > b["time"] for part in parts for a, b in zip(part, part[1:]))
    expect(late <= known, f"{late} events out of order, {known} in the inputs")
    expect({e["host.name"] for e in events} == {"web-1", "web-2", "db"}, lambda: f"{ {e['host.name'] for e in events} }")
    for path, host in zip(files, ("web-1", "web-2", "db")):
        run(ctx, "cut", out, "-Y", f'host == "{host}"', "-o", back)
        expect(run(ctx, "export", back, "-F", "jsonl").stdout == named(path, ctx, host), f"{host} does not come back")
    run(ctx, "cut", out, "-o", back)  # the whole
    expect(run(ctx, "export", back, "-F", "jsonl").stdout == run(ctx, "export", out, "-F", "jsonl").stdout, "all of it is not the same")
    deep = os.path.join(folder, "deep.avc")  # a merge of a merge
    run(ctx, "merge", out, files[0], "-o", deep, "--host", "2=again")
    run(ctx, "cut", deep, "-Y", 'host == "web-2"', "-o", back)
    expect(run(ctx, "export", back, "-F", "jsonl").stdout == named(files[1], ctx, "web-2"), "merged twice, it does not come back")
    lines = run(ctx, "export", out, "-F", "jsonl").stdout  # through JSON lines
    again = run(ctx, "import", "-q", "-", "-o", back, input=lines)
    expect(run(ctx, "export", back, "-F", "jsonl").stdout == lines, lambda: f"not the same through JSON lines: {again.stderr!r}")


def several(ctx, python):
    """Several captures where one is expected: print, stat, export, and one of them still growing."""
    folder = ctx.new_folder("several")
    a = record(ctx, python, folder, "a.avc")
    out = os.path.join(folder, "m.avc")
    growing = os.path.join(folder, "g.avc")
    code = "import sys, time\nfor i in range(30):\n    sys.audit('victim.tick', i); time.sleep(.1)"
    with subprocess.Popen([ctx.auditview, "record", "-q", "-o", growing, "--", *python.command, "-S", "-c", code], stdin=subprocess.DEVNULL) as session:
        harness.wait_for(lambda: os.path.exists(growing) and os.path.getsize(growing) > 300, 20, "the capture")
        begun = time.monotonic()
        done = run(ctx, "print", "-f", "-F", "json", a, growing, "-Y", "event == \"victim.tick\"")
        ticks = [json.loads(line)["args"]["0"] for line in done.stdout.splitlines()]
        session.wait(harness.GUARD)
    expect(ticks == list(range(30)), lambda: f"{len(ticks)} ticks of a capture that grows: {ticks[:3]} in {time.monotonic() - begun:.1f} s")
    run(ctx, "merge", a, growing, "-q", "-o", out)
    for words in (["print", "-F", "json"], ["export", "-F", "csv"], ["stat", "--by", "process"], ["export", "-F", "chrome"]):
        expect(run(ctx, *words, a, growing).stdout == run(ctx, *words, out).stdout, f"{words}: not as of a merge")
    expect(run(ctx, "print", a, growing, os.path.join(folder, "none.avc"), status=None).returncode == 1, "a file that is not there")


def line(i, host, pid, second, event="open", **more):
    return {"v": 1, "seq": i, "time": f"2026-11-22T07:00:{second:012.9f}Z", **({"host.name": host} if host else {}), "pid": pid, "tid": pid,
            "interp": 0, "thread": "MainThread", "python": "3.12.1", "event": event, "args": {"path": f"/{host}/{i}", "mode": "r", "flags": 0},
            "stack": [{"func": "main", "file": "/app.py", "line": i + 1}], **more}


def hosts(ctx):
    """The same pid on two hosts is two processes; names, offsets, filters and counts of hosts."""
    folder = ctx.new_folder("hosts")
    a = imported(ctx, folder, "a.avc", [line(i, "web-1", 41, i, process={"name": "one", "ppid": 1}) if not i else line(i, "web-1", 41, i) for i in range(10)])
    b = imported(ctx, folder, "b.avc", [line(i, None, 41, i + .5, process={"name": "two", "ppid": 41}) if not i else line(i, None, 41, i + .5) for i in range(10)])
    out = os.path.join(folder, "m.avc")
    run(ctx, "merge", a, b, "-o", out)
    events = lines_of(ctx, "export", out, "-F", "jsonl")
    expect([e["host.name"] for e in events] == ["web-1", "b"] * 10, lambda: f"{[e['host.name'] for e in events]}")  # b has its file's name
    expect(len(lines_of(ctx, "export", out, "-Y", "children", "-F", "jsonl")) == 0, "a parent on another host")
    expect(len(lines_of(ctx, "export", out, "-Y", "host == \"b\" and pid == 41", "-F", "jsonl")) == 10, "filter by host")
    stat = json.loads(run(ctx, "stat", out, "--by", "process", "--json").stdout)["rows"]
    expect(len(stat) == 2, lambda: f"processes: {stat}")
    for by in ("host", "machine"):
        stat = {r["key"]: r["events"] for r in json.loads(run(ctx, "stat", out, "--by", by, "--json").stdout)["rows"]}
        expect(stat == {"web-1": 10, "b": 10}, lambda: f"--by {by}: {stat}")
    run(ctx, "merge", a, b, "-o", out, "--offset", "2=-5s", "--host", "2=late")
    events = lines_of(ctx, "export", out, "-F", "jsonl")
    expect([e["host.name"] for e in events[:6]] == ["late"] * 5 + ["web-1"], lambda: f"{[e['host.name'] for e in events]}")
    expect([e["time"] for e in events] == sorted(e["time"] for e in events), "not sorted with an offset")
    run(ctx, "cut", out, "-q", "-Y", 'host == "late"', "-o", os.path.join(folder, "l.avc"))
    late = lines_of(ctx, "export", os.path.join(folder, "l.avc"), "-F", "jsonl")
    expect([e["ts_ns"] for e in late] == [i * 10**9 for i in range(10)] and late[0]["time"].startswith("2026-11-22T06:59:55.5"), lambda: f"{late[0]}")
    for words in (["--offset", "9=1s"], ["--offset", "1=soon"], ["--host", "nobody=x"], ["--host", "1="], ["-o", a]):
        done = run(ctx, "merge", a, b, *(["-o", out] if words[0] != "-o" else []), *words, status=None)
        expect(done.returncode == 2, lambda: f"{words}: {done.returncode} {done.stderr!r}")


def screen(ctx):
    """Several captures on one screen; the summary counts by machine."""
    folder = ctx.new_folder("screen")
    files = [imported(ctx, folder, f"{host}.avc", [line(i, None, 41, i) for i in range(7)]) for host in ("web-1", "db-2")]
    text, status = on_screen(ctx, ["--no-config", *files], keys=b":by machine\r", until=("by machine · ".encode(), b"web-1", b"db-2"))
    expect("by machine · " in text and "web-1" in text and "db-2" in text, lambda: f"status {status}: {text[-400:]!r}")


def cut(ctx):
    """By time, in each form, and by filter."""
    folder = ctx.new_folder("cut")
    a = imported(ctx, folder, "a.avc", [line(i, "web-1", 41 + i % 3, i) for i in range(50)])
    out = os.path.join(folder, "o.avc")
    for words, want in ((["--from", "10s", "--to", "20s"], range(10, 20)), (["--from", "2026-11-22T07:00:10Z", "--to", "2026-11-22 07:00:12"], range(10, 12)),
                        (["--from", "2026-11-22T08:00:48.5+01:00"], range(49, 50)), (["--to", "@1795330803"], range(3)), (["--from", "2h"], []),
                        (["--from", "30s", "-Y", "pid == 42"], range(31, 50, 3)), (["-Y", "pid == 43"], range(2, 50, 3)), (["--to", "1969-01-02"], None),
                        (["--from", "noon"], None), (["-Y", "evnt == 3"], None)):
        if want is None:
            status = run(ctx, "cut", a, *words, "-o", out + "x", status=None).returncode
            expect(status == 2 and not os.path.exists(out + "x"), f"{words}: {status}")
            continue
        run(ctx, "cut", a, *words, "-o", out)
        got = [e["args"]["path"] for e in lines_of(ctx, "export", out, "-F", "jsonl")]
        expect(got == [f"/web-1/{i}" for i in want], lambda: f"{words}: {got}")
    expect(run(ctx, "cut", a, "-o", "-", "-q").stdout[:4] == b"\x89AVC", "to standard output")
    piped = run(ctx, "print", "-", "-F", "json", input=run(ctx, "merge", a, a, "-q", "-o", "-").stdout).stdout
    expect(piped.count(b"\n") == 100, f"through a pipe: {piped.count(10)} lines")


def damaged(ctx, python):
    """Captures that end early or are damaged: what is readable is merged, in bounded time."""
    folder = ctx.new_folder("damaged")
    a = record(ctx, python, folder, "a.avc")
    whole, out, bad = open(a, "rb").read(), os.path.join(folder, "m.avc"), os.path.join(folder, "bad.avc")
    n = len(lines_of(ctx, "export", a, "-F", "jsonl"))
    for at in range(200, len(whole), max(1, len(whole) // (40 if ctx.full else 5))):
        for data in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1:]):
            with open(bad, "wb") as f:
                f.write(data)
            begun = time.monotonic()
            done = run(ctx, "merge", a, bad, "-o", out, status=None, timeout=harness.GUARD)
            expect(done.returncode in (0, 1), lambda: f"at {at}: {done.returncode} {done.stderr[-200:]!r}")
            if done.returncode == 0:
                got = len(lines_of(ctx, "export", out, "-F", "jsonl"))
                expect(n <= got <= 2 * n, f"at {at}: {got} events of {n} + {n}")
                run(ctx, "cut", bad, "-q", "-Y", "not @import", "-o", out)
            expect(time.monotonic() - begun < 60, f"at {at}: {time.monotonic() - begun:.0f} s")


def large(ctx):
    """Two large captures: sorted, in bounded memory; the rate is reported."""
    build = os.path.dirname(ctx.auditview)
    generate = os.path.join(build, "tests/bench/generate")
    if not os.access(generate, os.X_OK):
        subprocess.run(["ninja", "-C", build, "tests/bench/generate"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if not os.access(generate, os.X_OK):
        raise Skip("tests/bench/generate is not built")
    folder, n = ctx.new_folder("large"), 10_000_000 if ctx.full else 50_000
    files = [os.path.join(folder, f"{i}.avc") for i in (1, 2)]
    for i, path in enumerate(files):
        subprocess.run([generate, str(n), path, str(i + 1)], stdout=subprocess.DEVNULL, check=True, timeout=500)
    out = os.path.join(folder, "m.avc")
    code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); u = resource.getrusage(resource.RUSAGE_CHILDREN); "
            "print(u.ru_maxrss, u.ru_utime + u.ru_stime)")
    done = subprocess.run([sys.executable, "-c", code, ctx.auditview, "merge", "-q", *files, "-o", out, "--host", "1=a", "--host", "2=b"],
                          stdout=subprocess.PIPE, text=True, timeout=550)
    expect(done.returncode == 0, "merge failed")
    kib, seconds = done.stdout.split()
    if not os.environ.get("ASAN_OPTIONS"):
        expect(int(kib) <= 100 * 1024, f"{int(kib) // 1024} MiB")
    last, count = 0, 0
    with subprocess.Popen([ctx.auditview, "export", out, "-F", "csv"], stdout=subprocess.PIPE) as reader:
        next(reader.stdout)
        for row in reader.stdout:
            if row[0] in b"0123456789":
                now = row.split(b",", 3)[1]
                expect(now >= (last or now), f"event {count} is out of order")
                last, count = now, count + 1
    expect(count >= 2 * n, f"{count} events")
    print(f"    merge of 2 x {n}: {2 * n / float(seconds) / 1e6:.1f} M events per second of CPU, {int(kib) // 1024} MiB")


DATA = os.path.join(harness.ROOT, "data")


def sample(ctx, python, folder):
    """Lines of real processes, of two hosts, with native stacks, with a held event, and with hostile names."""
    code = "import json, os, subprocess, threading; open('/etc/hosts').close(); subprocess.run(['true']); os.fork() or os._exit(0)"
    site = os.path.join(folder, "site-packages")
    for name, text in (("alpha/__init__.py", "open('/etc/hosts').close()\n"), ("alpha-1.0.dist-info/RECORD", "alpha/__init__.py,,\n"),
                       ("alpha-1.0.dist-info/METADATA", "Name: alpha\nVersion: 1.0\n")):
        os.makedirs(os.path.dirname(os.path.join(site, name)), exist_ok=True)
        with open(os.path.join(site, name), "w", encoding="utf-8") as f:
            f.write(text)
    a = record(ctx, python, folder, "a.avc", f"import sys; sys.path.append({site!r}); import alpha; {code}")
    b = os.path.join(folder, "b.avc")
    run(ctx, "record", "-q", "--stack", "both", "--hold", "event == \"os.fork\"", "--do", "continue", "-o", b, "--", *python.command, "-S", "-c", code)
    sys.path.insert(0, os.path.join(harness.ROOT, "tests", "filter"))
    import hostile_names
    c = imported(ctx, folder, "c.avc", hostile_names.lines())
    out = os.path.join(folder, "m.jsonl")
    run(ctx, "export", a, b, c, "-o", out)
    return out


def schema(ctx, python):
    """Real output fits data/auditview-json.schema.json, and every member of the schema occurs or is known to be rare."""
    try:
        import jsonschema
    except ImportError as error:
        raise Skip("needs Debian's python3-jsonschema") from error
    with open(os.path.join(DATA, "auditview-json.schema.json"), encoding="utf-8") as f:
        rules = json.load(f)
    jsonschema.Draft202012Validator.check_schema(rules)
    validator = jsonschema.Draft202012Validator(rules)
    seen = set()
    with open(sample(ctx, python, ctx.new_folder("schema")), encoding="utf-8") as f:
        for row in f:
            event = json.loads(row)
            wrong = next(validator.iter_errors(event), None)
            expect(wrong is None, lambda: f"{wrong.message[:200]} at {list(wrong.absolute_path)}")
            seen |= event.keys()
    missing = rules["properties"].keys() - seen - {"ns_tid", "unnumbered", "flags", "descriptors", "task"}
    expect(not missing, f"members that never occur: {missing}")
    expect(not validator.is_valid({**event, "surprise": 1}) and not validator.is_valid({**event, "pid": "1"}), "the schema takes anything")


def lnav(ctx, python):
    """lnav takes its format file, and finds all events and their members."""
    packages.need(ctx, "lnav")
    folder = ctx.new_folder("lnav")
    path = sample(ctx, python, folder)
    home = {"PATH": os.environ["PATH"], "HOME": folder, "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["lnav", "-i", os.path.join(DATA, "auditview.lnav.json")], env=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=harness.GUARD)
    expect(done.returncode == 0, lambda: f"lnav -i: {done.stdout[-400:]!r}")
    rows = [json.loads(row) for row in open(path, encoding="utf-8")]
    query = ";select count(*) as n, count(distinct pid) as pids, sum(event = 'open') as opens from auditview_log"
    done = subprocess.run(["lnav", "-n", "-c", query, "-c", ":write-json-to -", path],
                          env=home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    found = re.search(rb"\[.*?\]", done.stdout, re.S)
    expect(found, lambda: f"lnav: {done.stdout[-300:]!r} {done.stderr[-300:]!r}")
    want = [{"n": len(rows), "pids": len({r["pid"] for r in rows}), "opens": sum(r["event"] == "open" for r in rows)}]
    got = [{k: int(v) for k, v in row.items()} for row in json.loads(found.group())]
    expect(got == want, lambda: f"lnav counts {got}, not {want}")


def cells(ctx):
    python = ctx.some_pythons(12)[0]
    for function in (merged, several, damaged, schema, lnav):
        yield function.__name__, python, lambda f=function: f(ctx, python)
    for function in (hosts, screen, cut, large):
        yield function.__name__, None, lambda f=function: f(ctx)
