"""hosts: applications of Debian that have a Python inside: editors, debuggers, servers, a database. Each is launched,
and attached to with -f twice: every mark made while a recorder was attached is in its capture, once; the host's output
and exit status are as without us.

A mark is `sys.audit("host.mark", n)`, run by the means of the host.
"""
import glob
import http.client
import os
import shutil
import signal
import socket
import struct
import subprocess
import time

import harness
import packages
from harness import Capture, Recorder, Skip, expect, expect_goodbye, foreign_maps, hooks_of, maps_of, wait_for

MARK = "import sys; sys.audit('host.mark', {n}); open('done.{n}', 'w').close()"
APP = """import sys
def application(environ, start_response):
    sys.audit("host.mark", int(environ["PATH_INFO"][1:]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode()]
"""


class Host:
    """A host, started in a folder of its own that every user may use. `status`: its exit status."""
    needs, status, ends_by = (), 0, signal.SIGTERM

    def __init__(self, ctx, before=()):
        packages.need(ctx, *self.needs)
        ctx.needs_setpriv()
        self.folder = ctx.new_folder("host-" + type(self).__name__.lower())
        for path in (ctx.folder, self.folder):
            os.chmod(path, 0o777)
        command = self.prepare()
        self.output = open(os.path.join(self.folder, "output"), "w+b")
        self.process = subprocess.Popen([*before, *command], stdin=subprocess.PIPE, stdout=self.output, stderr=self.output, cwd=self.folder,
                                        start_new_session=True, env={**os.environ, "TERM": "dumb", "HOME": self.folder})
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in (self.process, *self.pids()) if self.process.poll() is None else self.pids():
            try:
                os.kill(getattr(process, "pid", process), signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process.stdin.close()
        self.output.close()

    def said(self):
        with open(self.output.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def pids(self):
        """Return all of its processes, whatever session they belong to."""
        found = []
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                if os.readlink(f"/proc/{pid}/cwd").startswith(self.folder) and pid != os.getpid():
                    found.append(pid)
            except OSError:
                pass
        return found

    def until(self, question, what):
        def answer():
            expect(self.process.poll() is None, lambda: f"the host ended with {self.process.returncode}: {self.said()[-600:]}")
            return question()
        return wait_for(answer, 60, what)

    def ready(self):
        """Wait until the host executes commands."""

    def end(self):
        self.process.send_signal(self.ends_by)

    def wait(self):
        try:
            status = self.process.wait(harness.GUARD)
        except subprocess.TimeoutExpired:
            raise harness.Fail(f"the host did not end: {harness.session_state(self.pid)}; {self.said()[-400:]}") from None
        expect(status == self.status, lambda: f"the host ended with {status}, expected {self.status}: {self.said()[-600:]}")


class Scripted(Host):
    """A host that takes commands from its standard input."""
    line, last = "", b""

    def mark(self, n):
        self.process.stdin.write(self.line.format(code=MARK.format(n=n)).encode())
        self.process.stdin.flush()
        self.until(lambda: os.path.exists(os.path.join(self.folder, f"done.{n}")), f"mark {n}")

    def end(self):
        self.process.stdin.write(self.last)
        self.process.stdin.flush()


class Gdb(Scripted):
    needs, line, last = ("gdb",), "python {code}\n", b"quit\n"

    def prepare(self):
        return ["gdb", "-q", "-n"]


class Vim(Scripted):
    needs, line, last = ("vim-nox",), "py3 {code}\n", b"qa!\n"

    def prepare(self):
        return ["vim.nox", "-u", "NONE", "-es"]


class Weechat(Host):
    """It loads libpython with a plugin; a timer of a script executes commands that it finds in files."""
    needs = ("weechat-headless", "weechat-python")

    def prepare(self):
        self.write("home/python/autoload/marks.py", """import glob, os, sys, weechat
weechat.register("marks", "", "1", "GPL3", "", "", "")
def look(data, calls):
    for path in glob.glob(r"%s/ask.*"):
        n = path.rsplit(".")[-1]
        os.unlink(path)
        sys.audit("host.mark", int(n))
        open(r"%s/done." + n, "w").close()
    return weechat.WEECHAT_RC_OK
weechat.hook_timer(20, 0, 0, "look", "")
open(r"%s/ready", "w").close()
""" % (self.folder, self.folder, self.folder))
        return ["weechat-headless", "-d", os.path.join(self.folder, "home")]

    def ready(self):
        self.until(lambda: os.path.exists(os.path.join(self.folder, "ready")), "the script")

    def mark(self, n):
        self.write(f"ask.{n}", "")
        self.until(lambda: os.path.exists(os.path.join(self.folder, f"done.{n}")), f"mark {n}")


class Collectd(Host):
    """It loads a plugin with dlopen; the plugin's own threads call into Python."""
    needs = ("collectd-core",)

    def prepare(self):
        self.write("marks.py", f"""import collectd, glob, os, sys
def look():
    for path in glob.glob("{self.folder}/ask.*"):
        n = path.rsplit(".")[-1]
        os.unlink(path)
        sys.audit("host.mark", int(n))
        open("{self.folder}/done." + n, "w").close()
collectd.register_read(look, 0.02)
open("{self.folder}/ready", "w").close()
""")
        config = self.write("collectd.conf", f"""BaseDir "{self.folder}"
PIDFile "{self.folder}/pid"
Interval 1
LoadPlugin python
<Plugin python>
  ModulePath "{self.folder}"
  LogTraces true
  Import "marks"
</Plugin>
""")
        return ["collectd", "-f", "-C", config]

    ready, mark = Weechat.ready, Weechat.mark


class Nbdkit(Host):
    """Each connection is a thread; the number of the mark is the name of the requested export."""
    needs = ("nbdkit", "nbdkit-plugin-python")

    def prepare(self):
        script = self.write("marks.py", """import sys, nbdkit
API_VERSION = 2
def open(readonly):
    sys.audit("host.mark", int(nbdkit.export_name()))
    return 1
def get_size(h):
    return 512
def pread(h, buf, offset, flags):
    buf[:] = bytes(len(buf))
""")
        self.path = os.path.join(self.folder, "socket")
        return ["nbdkit", "-f", "-U", self.path, "python", script]

    def ready(self):
        def is_up():
            with socket.socket(socket.AF_UNIX) as s:
                return s.connect_ex(self.path) == 0
        self.until(is_up, "the socket")

    def mark(self, n):
        """Speak the NBD protocol, newstyle negotiation: NBD_OPT_EXPORT_NAME is answered with the size."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(self.path)
            stream = s.makefile("rwb")
            expect(stream.read(18)[8:16] == b"IHAVEOPT", "no NBD server")
            name = str(n).encode()
            stream.write(struct.pack(">I8sII", 3, b"IHAVEOPT", 1, len(name)) + name)
            stream.flush()
            size = stream.read(10)
            expect(size[:8] == struct.pack(">Q", 512), lambda: f"{size!r}: {self.said()[-400:]}")


class Web(Host):
    def free_port(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        return self.port

    def ask(self, n):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=harness.GUARD)
            connection.request("GET", f"/{n}")
            return connection.getresponse().read() == b"/%d" % n
        except OSError:
            return False

    def ready(self):
        def is_up():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        self.until(is_up, "the server to listen")

    def mark(self, n):
        expect(self.ask(n), lambda: f"request {n} was not answered: {self.said()[-600:]}")


class Uwsgi(Web):
    needs = ("uwsgi-core", "uwsgi-plugin-python3")

    def prepare(self):
        self.write("app.py", APP)
        return ["uwsgi", "--plugin", "python3", "--http-socket", f"127.0.0.1:{self.free_port()}", "--wsgi-file", "app.py", "--master",
                # with threads it sometimes hangs at its end, even without a recorder
                "--processes", "3", "--die-on-term"]


class Apache(Web):
    """Every worker process starts Python after it was forked, with one interpreter for each application."""
    needs = ("apache2", "libapache2-mod-wsgi-py3")

    def prepare(self):
        script = self.write("app.py", APP)
        modules = "/usr/lib/apache2/modules"
        config = self.write("httpd.conf", f"""ServerRoot {self.folder}
Listen 127.0.0.1:{self.free_port()}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
User www-data
Group www-data
PidFile {self.folder}/pid
ErrorLog {self.folder}/errors
ServerName localhost
DocumentRoot {self.folder}
WSGISocketPrefix {self.folder}/wsgi
WSGIDaemonProcess marks processes=2 threads=3
WSGIProcessGroup marks
WSGIScriptAlias / {script}
<Directory />
Require all granted
</Directory>
""")
        return ["apache2", "-DFOREGROUND", "-f", config]

    def pids(self):
        found = super().pids()
        path = os.path.join(self.folder, "pid")
        if os.path.exists(path):
            root = open(path).read().strip()
            found += [int(p) for p in subprocess.run(["pgrep", "-P", root], stdout=subprocess.PIPE, text=True).stdout.split()] + [int(root)]
        return found


class Postgres(Host):
    """The server has no Python; each of its forked children loads one when its first function in Python is called."""
    needs, ends_by = ("postgresql-15", "postgresql-plpython3-15"), signal.SIGINT

    def prepare(self):
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not programs:
            raise Skip("no PostgreSQL here")
        self.become = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        data = os.path.join(self.folder, "data")
        os.mkdir(data)
        shutil.chown(data, "postgres", "postgres")
        done = subprocess.run([*self.become, programs[-1] + "/initdb", "-D", data, "-A", "trust", "-N"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, cwd=self.folder)
        expect(done.returncode == 0, lambda: done.stdout[-400:])
        return [*self.become, programs[-1] + "/postgres", "-D", data, "-k", self.folder, "-h", ""]

    def sql(self, text):
        return subprocess.run([*self.become, "psql", "-q", "-h", self.folder, "postgres", "-c", text], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, cwd=self.folder)

    def ready(self):
        self.until(lambda: self.sql("select 1").returncode == 0, "the server")
        done = self.sql("create extension plpython3u; create function mark(n int) returns int as $$ import sys; sys.audit('host.mark', n); "
                        "return n $$ language plpython3u")
        expect(done.returncode == 0, lambda: done.stdout)

    def mark(self, n):
        done = self.sql(f"select mark({n})")
        expect(done.returncode == 0, lambda: done.stdout)


def marks_of(capture):
    return sorted(e["args"]["0"] for e in capture.named("host.mark"))


def launched(ctx, kind):
    folder = ctx.new_folder("host")
    capture = Capture(ctx, os.path.join(folder, "capture.avc"))
    with kind(ctx, [ctx.auditview, "record", "-f", "-o", capture.path, "--"]) as host:
        host.ready()
        for n in range(12):
            host.mark(n)
        if isinstance(host, Scripted):
            host.end()
        else:  # the program itself, not its recorder
            os.kill(next(p for p in host.pids() if harness.status_of(p, "PPid") == str(host.pid) and
                         not harness.status_of(p, "Name").startswith("auditview")), host.ends_by)
        host.wait()
        expect_goodbye(host.said().replace("auditview: ", "\nauditview: "), ended=True)  # for example after a prompt
    found = marks_of(capture)
    expect(found == list(range(12)), lambda: f"marks {found}")
    # Events are recorded from the first one of each interpreter: those of site come before those of the application, in
    # the same process or, before a fork, in the parent.
    events = capture.events()
    parents = {e["pid"]: e["process"]["ppid"] for e in events if "process" in e}
    begun = set()
    for event in events:
        if event["event"] == "import" and event["args"].get("module") == "site":
            begun.add(event["pid"])
        expect(event["event"] != "host.mark" or begun & {event["pid"], parents.get(event["pid"])},
               lambda: f"process {event['pid']}: its start is missing")


def attached(ctx, kind):
    with kind(ctx) as host:
        host.ready()
        n = 100
        host.mark(n)
        for _ in range(2):
            before = {pid: foreign_maps(maps_of(pid)) for pid in host.pids()}
            with Recorder(ctx, host.pid, "-f") as recorder:
                wait_for(lambda: os.path.exists(recorder.path) and any(hooks_of(ctx, p) for p in host.pids()) or kind is Postgres, 30, "a hook")
                time.sleep(0.5)
                first = n + 1
                for n in range(first, first + 8):
                    host.mark(n)
                expect_goodbye(recorder.stop())
                found = marks_of(recorder.capture)
                expect(found == list(range(first, first + 8)), lambda: f"marks {found}, expected from {first}")
            for pid in host.pids():
                left = set(foreign_maps(maps_of(pid))) - set(before.get(pid, before[host.pid]))
                expect(not left, lambda: f"left behind in {pid}: {left}")
        host.mark(n := n + 1)
        host.end()
        host.wait()


def cells(ctx):
    if not ctx.full:
        return
    for kind in (Gdb, Vim, Weechat, Collectd, Nbdkit, Uwsgi, Apache, Postgres):
        name = kind.__name__.lower()
        yield name + ", launched", None, lambda k=kind: launched(ctx, k)
        yield name + ", attached to", None, lambda k=kind: attached(ctx, k)
