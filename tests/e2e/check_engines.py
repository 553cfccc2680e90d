"""engines: JSON lines in engines that keep those of many machines, and back: the definitions made from the table of members,
and a real ClickHouse server."""
import collections
import contextlib
import json
import os
import pwd
import re
import shutil
import socket
import subprocess

import harness
from check_exchange import DATA, imported, line, lines_of, record, run, sample
from harness import Skip, expect, kill, wait_for
from packages import need

PROGRAM = """
import os, pickle, socket, subprocess, sys, threading
open('/etc/hosts').close()
with open('made', 'w') as f:
    f.write('x')
os.rename('made', 'moved'); os.remove('moved')
subprocess.run(['true', 'a"b'])
s = socket.socket(); s.connect_ex(('127.0.0.1', 9))
eval('1 + 1')
pickle.loads(pickle.dumps(os.getpid))
t = threading.Thread(target=lambda: sys.audit('victim.x', '\\ud800', {'a': [1, float('nan')]}, b'x', 2 ** 70, {'stack': [{'func': '"'}]}),
                     name='\\ud801 \\udc80"\\\\ {"func":"'); t.start(); t.join()
if not os.fork():
    os._exit(3)
os.wait()
"""


def tables(ctx):
    """The schemas that the program prints are made from one table; data/ has the same JSON Schema."""
    with open(os.path.join(DATA, "auditview-json.schema.json"), "rb") as f:
        expect(f.read() == run(ctx, "export", "--schema", "json").stdout, "data/auditview-json.schema.json is not what --schema json prints")
    members = json.loads(run(ctx, "export", "--schema", "json").stdout)["properties"]
    table = run(ctx, "export", "--schema", "clickhouse").stdout.decode()
    columns = re.findall(r"(?m)^    `([^`]+)` \w+,", table)
    expect(columns == list(members), lambda: f"columns {columns}, members {list(members)}")
    out = os.path.join(ctx.new_folder("tables"), "table.sql")
    run(ctx, "export", "--schema", "clickhouse", "-o", out)
    expect(open(out, encoding="utf-8").read() == table, "-o has another text")
    for words in (["--schema", "mysql"], ["--schema"], ["--schema", "json", "-F", "csv"], ["--schema", "json", "-Y", "open"], ["--schema", "json", out]):
        status = run(ctx, "export", *words, status=None).returncode
        expect(status == 2, f"{words}: status {status}")
    expect(run(ctx, "print", "--schema", "json", status=None).returncode == 2, "print takes --schema")


def strangers(ctx):
    """Members that are JSON text are read as what they hold, and text that only looks so stays text."""
    folder = ctx.new_folder("strangers")
    for given, want in (('{"a":1}', {"a": 1}), ('[1,"x"]', {"0": 1, "1": "x"}), ("{foo}", {"0": "{foo}"}), ("[1, 2", {"0": "[1, 2"}), ('{"a":1} ', {"0": '{"a":1} '}),
                        ("plain", {"0": "plain"}), ("", {"0": ""}), ('{"a":', {"0": '{"a":'}), ("[nan]", {"0": "[nan]"})):
        rows = lines_of(ctx, "export", imported(ctx, folder, "a.avc", [{"event": "victim.x", "args": given}]), "-F", "jsonl")
        expect(rows[0]["args"] == want, lambda: f"{given!r}: {rows[0]['args']}, not {want}")
    for given, want in (('[{"func":"f","file":"a.py","line":3}]', [{"func": "f", "file": "a.py", "line": 3}]), ("[]", []), ("[frame]", ["[frame]"])):
        rows = lines_of(ctx, "export", imported(ctx, folder, "a.avc", [{"event": "victim.x", "args": {}, "stack": given}]), "-F", "jsonl")
        expect([f if isinstance(w, dict) else f["func"] for f, w in zip(rows[0]["stack"], want)] == want, lambda: f"{given!r}: {rows[0]['stack']}")
    for given, want in (("{curious}", "{curious}"), ('{"name":"n","ppid":7}', "n"), ("", "")):
        rows = lines_of(ctx, "export", imported(ctx, folder, "a.avc", [{"event": "victim.x", "pid": 3, "process": given}]), "-F", "jsonl")
        expect(rows[0]["process"]["name"] == want, lambda: f"{given!r}: {rows[0]['process']}")


def rows_back(ctx, python):
    """What -F clickhouse writes gives the same capture as JSON lines do, also through print and a pipe."""
    folder = ctx.new_folder("rows")
    lines = sample(ctx, python, folder)
    a, b = os.path.join(folder, "all.avc"), os.path.join(folder, "b.avc")
    run(ctx, "import", "-q", lines, "-o", a)
    want = run(ctx, "export", a, "-F", "jsonl").stdout
    rows = run(ctx, "export", a, "-F", "clickhouse").stdout
    expect(run(ctx, "print", a, "-F", "clickhouse").stdout == rows, "print and export differ")
    for row in rows.splitlines():
        row = json.loads(row.decode("utf-8", "surrogateescape"))
        expect(all(isinstance(v, (str, int)) for v in row.values()), lambda: f"no plain value in {row}")
        expect(not any(0xd800 <= ord(c) < 0xdc80 for k in ("thread", "event", "host.name") for c in row.get(k, "")), lambda: f"a surrogate is escaped: {row}")
    run(ctx, "import", "-q", "-", "-o", b, input=rows)
    expect(run(ctx, "export", b, "-F", "jsonl").stdout == want, "the rows do not give the same lines")


CONFIG = """<yandex>
<logger><level>warning</level><log>{0}/log</log><errorlog>{0}/errors</errorlog></logger>
<listen_host>127.0.0.1</listen_host><tcp_port>{1}</tcp_port><http_port>{2}</http_port><interserver_http_port>{3}</interserver_http_port>
<path>{0}/data/</path><tmp_path>{0}/tmp/</tmp_path><format_schema_path>{0}/formats/</format_schema_path>
<users_config>{0}/users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
<mark_cache_size>5368709</mark_cache_size>
</yandex>
"""
USERS = """<yandex>
<profiles><default><max_memory_usage>1000000000</max_memory_usage><max_threads>2</max_threads></default></profiles>
<users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
<quotas><default></default></quotas>
</yandex>
"""


def free_ports(n):
    ports = set()
    while len(ports) < n:
        ports.add(harness.free_port())
    return list(ports)


@contextlib.contextmanager
def server(ctx):
    """A ClickHouse of our own on loopback, as an ordinary user; yields a function that runs the client."""
    program, client = shutil.which("clickhouse-server", path=os.environ["PATH"] + ":/usr/sbin"), shutil.which("clickhouse-client")
    if not program or not client:
        raise Skip("needs Debian's clickhouse-server and clickhouse-client, 200 MB")
    folder = ctx.new_folder("clickhouse")
    ports = free_ports(3)
    for name in ("data", "tmp", "formats"):
        os.mkdir(os.path.join(folder, name))
    for name, text in (("config.xml", CONFIG.format(folder, *ports)), ("users.xml", USERS)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)
    prefix = []
    if os.getuid() == 0:
        ctx.needs_setpriv()
        nobody = pwd.getpwnam("nobody")
        for path, names, files in os.walk(folder):
            for name in [path, *(os.path.join(path, n) for n in names + files)]:
                os.chown(name, nobody.pw_uid, nobody.pw_gid)
        os.chmod(ctx.folder, os.stat(ctx.folder).st_mode | 0o011)
        prefix = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]

    def query(text, stdin=b"", status=0):
        done = subprocess.run([client, "--host", "127.0.0.1", "--port", str(ports[0]), "-q", text], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=harness.GUARD, cwd=folder, env={"PATH": os.environ["PATH"], "HOME": folder})
        expect(status is None or done.returncode == status, lambda: f"{text[:200]}: {done.returncode} {done.stderr[-400:]!r}")
        return done

    with open(os.path.join(folder, "out"), "wb") as out:
        process = subprocess.Popen([*prefix, program, "--config-file=" + os.path.join(folder, "config.xml")], cwd=folder,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    try:
        def answers():
            expect(process.poll() is None, lambda: f"the server has ended: {open(os.path.join(folder, 'out'), 'rb').read()[-400:]!r}")
            return query("SELECT 1", status=None).stdout == b"1\n"

        harness.wait_for(answers, 40, "the ClickHouse server")
        yield query
    finally:
        process.terminate()
        try:
            process.wait(harness.GUARD)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def questions():
    """The queries of data/auditview.clickhouse.sql."""
    with open(os.path.join(DATA, "auditview.clickhouse.sql"), encoding="utf-8") as f:
        text = "\n".join(row for row in f.read().split("\n") if not row.startswith("--"))
    return [q.strip() for q in text.split(";\n") if q.strip()]


def clickhouse(ctx, python):
    """Through the real server and back; each question has the answer that is in the JSON lines."""
    with server(ctx) as query:
        folder = ctx.new_folder("engine")
        a, b = os.path.join(folder, "a.avc"), os.path.join(folder, "b.avc")
        script = os.path.join(folder, "program.py")
        with open(script, "w", encoding="utf-8") as f:
            f.write(PROGRAM)
        run(ctx, "record", "-q", "-o", a, "--", *python.command, script, cwd=folder)
        lines = run(ctx, "export", a, "-F", "jsonl").stdout
        events = [json.loads(row) for row in lines.decode("utf-8").split("\n") if row]
        query(run(ctx, "export", "--schema", "clickhouse").stdout.decode().strip().rstrip(";"))
        insert, select = "INSERT INTO auditview FORMAT JSONEachRow", "SELECT * FROM auditview ORDER BY seq FORMAT JSONEachRow"
        query(insert, run(ctx, "export", a, "-F", "clickhouse").stdout)
        back = query(select).stdout
        expect(run(ctx, "print", "-", "-F", "json", input=back).stdout == lines, "not the same lines through ClickHouse")
        run(ctx, "import", "-q", "-", "-o", b, input=back)
        expect(run(ctx, "export", b, "-F", "jsonl").stdout == lines, "not the same capture through ClickHouse")

        ask = [lambda n=n: [json.loads(row) for row in query(questions()[n] + " FORMAT JSONEachRow").stdout.decode("utf-8", "replace").splitlines()] for n in range(10)]
        expect(len(questions()) == 10, f"{len(questions())} questions")
        named = collections.defaultdict(list)
        for e in events:
            named[e["event"]].append(e)

        def where(e):
            return "{file}:{line} {func}".format(**next(f for f in e["stack"] if f.get("file") == script))

        expect({r["event"]: int(r["events"]) for r in ask[0]()} == {k: len(v) for k, v in named.items()}, "1: counts")
        expect(("socket.connect", ["127.0.0.1", 9], where(named["socket.connect"][0])) in
               [(r["event"], json.loads(r["peer"]), r["a_caller"]) for r in ask[1]() if r["peer"].startswith("[")], "2: hosts")
        expect({r["module"] for r in ask[2]()} == {e["args"]["module"] for e in named["import"]}, "3: modules")
        hosts = [e for e in named["open"] if "/etc/hosts" in (e["args"].get("path"), e["args"].get("file"))]
        expect([(r["time"], r["caller"], r["mode"]) for r in ask[3]()] == [(e["time"], where(e), "r") for e in hosts] and hosts, "4: who opened")
        expect({r["class"] for r in ask[4]()} == {f"{e['args']['module']}.{e['args']['name']}" for e in named["pickle.find_class"]} != set(), "5: classes")
        commands = {r["event"]: (json.loads(r["args"])["args"], r["caller"]) for r in ask[5]() if r["event"] == "subprocess.Popen"}
        expect(commands == {"subprocess.Popen": (["true", 'a"b'], where(named["subprocess.Popen"][0]))}, lambda: f"6: commands {commands}")
        evals = [(e, where(e)) for e in named["compile"] if any(f.get("file") == script for f in e["stack"]) and e["args"]["filename"] == "<string>"]
        expect(any(e["stack"][0]["file"] == script for e, _ in evals) and {w for _, w in evals} <= {r["caller"] for r in ask[6]()}, "7: code")
        native = {e["args"]["filename"] for e in named["import"] if e["args"]["filename"]}
        expect({r["library"] for r in ask[7]() if r["event"] == "import"} == native, "8: native code")
        expect({"os.rename", "os.remove", "open"} <= {r["event"] for r in ask[8]()} and any(r["what"] == '"made"' for r in ask[8]()), "9: files")
        day = max(e["time"] for e in events)[:8]
        newer = [line(i, "web-2", 9, 0, event="victim.new" if i else "open", time=f"{int(day[:4]) + 1}-01-0{1 + i}T00:00:00.000000000Z") for i in range(2)]
        query(insert, run(ctx, "export", imported(ctx, folder, "n.avc", newer), "-F", "clickhouse").stdout)
        expect([(r["event"], r["caller"]) for r in ask[9]()] == [("victim.new", "/app.py:2 main")], lambda: f"10: new {ask[9]()}")
        part = query(f"SELECT * FROM auditview WHERE event = 'open' AND `host.name` = 'web-2' FORMAT JSONEachRow").stdout
        expect([(e["host.name"], e["args"]["path"]) for e in map(json.loads, run(ctx, "print", "-", "-F", "json", input=part).stdout.splitlines())] ==
               [("web-2", "/web-2/0")], "a part does not come back")


def shipper(ctx, python):
    """The recipe for a log shipper, with the real syslog-ng and a file in place of Kafka: each line arrives whole and in order, with
    the key of its process; the lines are then the same capture."""
    syslog_ng = shutil.which("syslog-ng", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not syslog_ng:
        need(ctx, "syslog-ng-core")
        syslog_ng = "/usr/sbin/syslog-ng"
    with open(os.path.join(DATA, "doc", "engines.md"), encoding="utf-8") as f:
        recipe = re.search(r"(?ms)^    source s_auditview.*?^    log .*?$", f.read()).group(0)
    folder = ctx.new_folder("shipper")
    fifo, out, keys, config, control = (os.path.join(folder, name) for name in ("fifo", "out", "keys", "syslog-ng.conf", "ctl"))
    os.mkfifo(fifo)
    key, message = re.search(r'key\("([^"]*)"\) message\("([^"]*)"\)', recipe).groups()
    recipe = recipe.replace("/run/auditview.fifo", fifo)
    recipe = re.sub(r"(?s)(destination d_kafka \{).*?\};", lambda m: f'{m.group(1)} file("{out}" template("{message}\\n")); file("{keys}" template("{key}\\n")); }};',
                    recipe)
    version = re.search(r"\((\d+\.\d+)", subprocess.run([syslog_ng, "--version"], stdout=subprocess.PIPE, text=True, timeout=harness.GUARD).stdout).group(1)
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"@version: {version}\n{recipe}\n")
    with open(sample(ctx, python, folder), "rb") as f:
        lines = f.read().split(b"\n")[:-1]
    with open(os.path.join(folder, "log"), "wb") as log:
        daemon = subprocess.Popen([syslog_ng, "-F", "--no-caps", "-f", config, "-R", os.path.join(folder, "persist"), "-c", control, "-p",
                                   os.path.join(folder, "pid")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        def expect_runs():
            expect(daemon.poll() is None, lambda: open(os.path.join(folder, "log"), encoding="utf-8", errors="replace").read()[-900:])
            return True
        wait_for(lambda: expect_runs() and os.path.exists(control), 40, "syslog-ng")

        def opened():
            expect_runs()
            try:
                return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # it does not read yet
                return None
        fd = wait_for(opened, 40, "syslog-ng to read")
        os.set_blocking(fd, True)
        with open(fd, "wb") as f:
            f.write(b"".join(line + b"\n" for line in lines))

        def arrived():
            return expect_runs() and all(os.path.exists(p) and open(p, "rb").read().count(b"\n") >= len(lines) for p in (out, keys))
        wait_for(arrived, 40, "the lines")
    finally:
        kill(daemon)
    with open(out, "rb") as f:
        came = f.read()
    expect(came.split(b"\n")[:-1] == lines, lambda: f"{came.count(10)} lines came of {len(lines)}, or they are changed")
    first = json.loads(lines[0])
    with open(keys, encoding="utf-8", errors="replace") as f:
        expect(f.readline() == f"{first['host.name']}/{first['pid']}\n", "the key of the first line")
    back = run(ctx, "export", "-F", "jsonl", "-", input=came, stdin=None).stdout
    expect(back.split(b"\n")[:-1] == lines, "the lines are not the same capture")


def cells(ctx):
    python = ctx.some_pythons(12)[0]
    for function in (tables, strangers):
        yield function.__name__, None, lambda f=function: f(ctx)
    for function in (rows_back, clickhouse, shipper):
        yield function.__name__, python, lambda f=function: f(ctx, python)
