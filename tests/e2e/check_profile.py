"""profile and check: the profile of a program is the same for each of its runs, whatever differs between them, and a release of a
package that begins to do something else is found, with the stack.
"""
import json
import os
import socket
import subprocess

import packages
from harness import GUARD, expect, victim_path

DISTRIBUTION = {"METADATA": "Metadata-Version: 2.1\nName: greeter\nVersion: {version}\n", "top_level.txt": "greeter\n",
                "RECORD": "greeter/__init__.py,,\ngreeter/_telemetry.py,,\n"}
GREETER = "import json\n\ndef greet(name):\n    open(__file__).close()\n    return json.dumps('hello ' + name)\n"
TELEMETRY = """import os
import socket

def report(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"used")

"""
PHONES = """import json
import os
from greeter import _telemetry

def greet(name):
    open(__file__).close()
    _telemetry.report(int(os.environ["TEST_PORT"]))
    return json.dumps('hello ' + name)
"""


def build_release(folder, version, text):
    """A site-packages folder with one distribution, as pip leaves it."""
    site = os.path.join(folder, version, "site-packages")
    info = os.path.join(site, f"greeter-{version}.dist-info")
    os.makedirs(os.path.join(site, "greeter"))
    os.makedirs(info)
    for name, content in (("__init__.py", text), ("_telemetry.py", TELEMETRY)):
        with open(os.path.join(site, "greeter", name), "w", encoding="utf-8") as f:
            f.write(content)
    for name, content in DISTRIBUTION.items():
        with open(os.path.join(info, name), "w", encoding="utf-8") as f:
            f.write(content.format(version=version))
    return site


class Case:
    def __init__(self, ctx, python):
        self.ctx, self.python = ctx, python
        self.folder = ctx.new_folder("profile")
        self.profile = os.path.join(self.folder, "app.profile")
        self.old = build_release(self.folder, "1.0", GREETER)
        self.new = build_release(self.folder, "1.1", PHONES)

    def run(self, *words, site=None, number=0, program=True, status=0):
        """Run auditview, with the program of this case at the end; temporary folder and hash seed depend on the number."""
        temporary = os.path.join(self.folder, f"temporary-{number}-{'ab' * number}")
        os.makedirs(temporary, exist_ok=True)
        env = dict(os.environ, PYTHONPATH=site or self.old, PYTHONHASHSEED=str(number), TMPDIR=temporary, TEST_PORT=str(self.port))
        words = [*words, "--", *self.python.command, victim_path("varying")] if program else words
        done = subprocess.run([self.ctx.auditview, *words], env=env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120)
        expect(done.returncode == status, lambda: f"{words}: {done.returncode} instead of {status}: {done.stdout} {done.stderr}")
        return done.stdout

    def record(self, name, **options):
        path = os.path.join(self.folder, name)
        self.run("record", "-q", "-o", path, **options)
        return path

    def __enter__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        return self

    def __exit__(self, *error):
        self.server.close()


def same(ctx, python, times):
    """Each run has the profile of the first one, and check says so."""
    with Case(ctx, python) as case:
        first = case.record("0.avc")
        case.run("profile", first, "-o", case.profile, program=False)
        with open(case.profile, encoding="utf-8") as f:
            text = f.read()
        expect("\n[greeter]\n" in text and "\n[program itself]\n" in text, lambda: f"sections: {text}")
        for want in ("file     open-read <site>/greeter", "command  /bin/echo # <tmp>", "file     open-write <tmp>",
                     "host     socket.bind 127.0.0.1:#", "module   json"):
            expect(want + "\n" in text, lambda: f"no {want!r} in {text}")
        for number in range(1, times):
            capture = case.record(f"{number}.avc", number=number)
            got = case.run("profile", capture, program=False, number=number)
            expect(got == text, lambda: f"run {number} has another profile: {set(got.splitlines()) ^ set(text.splitlines())}")
            out = case.run("check", case.profile, capture, program=False, number=number)
            expect(out.startswith("0 new, "), lambda: f"run {number}: a false alarm: {out}")
        out = case.run("check", "-q", case.profile, number=times)
        expect(out.startswith("0 new, "), lambda: f"a false alarm: {out}")


POOL = """import multiprocessing, os, sys, tempfile
def work(n):
    with tempfile.NamedTemporaryFile() as f:
        f.write(b"x" * n)
    return os.getpid()
if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    pool = multiprocessing.Pool(2)
    pool.map(work, range(8))
    pool.close()
    pool.join()
    queue = multiprocessing.SimpleQueue()
    worker = multiprocessing.Process(target=queue.put, args=("a",))
    worker.start()
    queue.get()
    worker.join()
"""
SERVER = """import http.server, os, tempfile, threading, urllib.request
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with tempfile.TemporaryDirectory() as folder:
            open(os.path.join(folder, "answer"), "w").close()
        self.send_response(200)
        self.end_headers()
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = False
thread = threading.Thread(target=server.serve_forever)
thread.start()
get = lambda: urllib.request.urlopen("http://127.0.0.1:%d/%d" % (server.server_port, os.getpid())).read()
clients = [threading.Thread(target=get) for _ in range(4)]
for each in clients: each.start()
for each in clients: each.join()
server.shutdown()
thread.join()
server.server_close()
"""
SUITE = """import os, subprocess, sys, tempfile, unittest
class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
    def tearDown(self):
        self.folder.cleanup()
    def test_file(self):
        open(os.path.join(self.folder.name, "data%d" % os.getpid()), "w").close()
    def test_child(self):
        subprocess.run([sys.executable, "-S", "-c", "import json"], check=True, cwd=self.folder.name)
    @unittest.expectedFailure
    def test_failure(self):
        self.assertEqual({"a", "b"}, {os.getpid()})
"""
PYTEST = """import os, subprocess, sys
def test_file(tmp_path):
    (tmp_path / ("data%d" % os.getpid())).write_text("x")
def test_child(tmp_path):
    subprocess.run([sys.executable, "-S", "-c", "import json"], check=True, cwd=tmp_path)
def test_failure():
    assert {"a", "b"} == {os.getpid()}
"""
KINDS = {"workers, forked": (POOL, "fork"), "workers, spawned": (POOL, "spawn"), "workers of a server": (POOL, "forkserver"),
         "a server and clients": (SERVER,), "tests": (SUITE, "-m", "unittest", "-q", "program"),
         "tests of pytest": (PYTEST, "-m", "pytest", "-q", "program.py")}


def kind(ctx, python, name, times):
    """Runs of a program of this kind differ in pids, ports, temporary names and in the order of what runs side by side."""
    code, *arguments = KINDS[name]
    folder = ctx.new_folder("kind")
    with open(os.path.join(folder, "program.py"), "w", encoding="utf-8") as f:
        f.write(code)
    command = [*python.command, *(arguments if "-m" in arguments else [os.path.join(folder, "program.py"), *arguments])]
    capture, profile = os.path.join(folder, "a.avc"), os.path.join(folder, "profile")
    want = 1 if name == "tests of pytest" else 0  # of the program: a test fails
    if want and subprocess.run([*python.command, "-c", "import pytest"], stderr=subprocess.DEVNULL, check=False).returncode:
        packages.need(ctx, "python3-pytest")

    def tool(number, *words):
        temporary = os.path.join(folder, f"temporary-{number}-{'ab' * number}")
        os.makedirs(temporary, exist_ok=True)
        done = subprocess.run([ctx.auditview, *words], env=dict(os.environ, PYTHONHASHSEED=str(number), TMPDIR=temporary), cwd=folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=GUARD)
        runs = words[0] != "profile"
        expect(done.returncode == runs * want, lambda: f"{words}: {done.returncode}: {done.stdout} {done.stderr}")
        expect(words[0] != "check" or "0 new, " in done.stdout, lambda: f"{words}: {done.stdout} {done.stderr}")
        expect(not runs or not want or "1 failed, 2 passed" in done.stdout + done.stderr, lambda: f"{words}: {done.stdout} {done.stderr}")
    tool(0, "record", "-q", "-o", capture, "--", *command)
    tool(0, "profile", capture, "-o", profile)
    for number in range(1, times):
        tool(number, "check", "-q", profile, "--", *command)


def found(ctx, python):
    """The release that phones home."""
    with Case(ctx, python) as case:
        case.run("profile", case.record("old.avc"), "-o", case.profile, program=False)
        out = case.run("check", "-q", case.profile, site=case.new, number=3, status=3)
        at = out.find("+ [greeter] host  socket.connect 127.0.0.1:#\n")
        expect(at >= 0, lambda: f"not found: {out}")
        stack = out[at:].split("\n+ ")[0]
        expect(f"socket.connect 127.0.0.1 {case.port}" in stack or f"127.0.0.1:{case.port}" in stack, lambda: f"{stack}")
        frames = [line.split("/")[-1] for line in stack.splitlines()]
        lines = [f for f in frames if f.startswith(("_telemetry.py", "__init__.py", "varying.py"))]
        expect(lines[0] == "_telemetry.py:5 report" and lines[1] == "__init__.py:7 greet" and lines[2].startswith("varying.py:"), lambda: f"{stack}")
        news = json.loads(case.run("check", "-q", "--json", case.profile, site=case.new, number=4, status=3))["new"]
        new = [n for n in news if n["kind"] == "host" and n["text"] == "socket.connect 127.0.0.1:#"]
        expect([n["package"] for n in new] == ["greeter"] and any(f["func"] == "report" for f in new[0]["stack"]), lambda: f"{news}")
        expect({n["package"] for n in news} == {"greeter"}, lambda: f"other packages: {news}")
        with open(case.profile, "rb") as profile: # what can be read once only
            done = subprocess.run([ctx.auditview, "check", "-q", "/dev/stdin", os.path.join(case.folder, "old.avc")], input=profile.read(),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=GUARD)
        expect(done.returncode == 0 and done.stdout.startswith(b"0 new, "), lambda: f"from a pipe: {done}")


def refused(ctx, python):
    """A profile that is none is refused before the program runs."""
    with Case(ctx, python) as case:
        for name, text in (("empty", ""), ("other", "hello\n"), ("torn", "# auditview profile 1\n[a]\nfile\n"), ("early", "# auditview profile 1\nfile  x\n")):
            path = os.path.join(case.folder, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            witness = os.path.join(case.folder, "ran")
            done = subprocess.run([ctx.auditview, "check", path, "--", *python.command, "-c", f"open({witness!r}, 'w')"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=GUARD)
            expect(done.returncode == 1 and "profile" in done.stderr and not os.path.exists(witness), lambda: f"{name}: {done}")


def cells(ctx):
    for python in ctx.pythons if ctx.full else ctx.some_pythons(8, 14):
        yield "no false alarm", python, lambda p=python: same(ctx, p, 10 if ctx.full else 2)
    for python in ctx.some_pythons(11):
        for name in KINDS:
            yield f"no false alarm: {name}", python, lambda p=python, n=name: kind(ctx, p, n, 10 if ctx.full else 3)
    for python in ctx.pythons if ctx.full else ctx.some_pythons(11):
        yield "a release that phones home", python, lambda p=python: found(ctx, p)
    yield "what is no profile", None, lambda: refused(ctx, ctx.pythons[0])
