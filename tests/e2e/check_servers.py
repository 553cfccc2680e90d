"""servers: servers under constant load while recorders attach and detach: every answer is right, and each request in a
recorder's window is in its capture, once.

Clients ask for one number after the other and compare each answer with their own result. A request that was sent after
the probe was linked and answered before the recorder was asked to detach must be in the capture; none may be there
twice.
"""
import http.client
import os
import signal
import subprocess
import sys
import threading
import time

import harness
import packages
from harness import Fail, Recorder, expect, expect_goodbye, foreign_maps, maps_of, wait_for

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
sys.path.insert(0, PROGRAMS)
import answers  # noqa: E402

SYSTEM = "/usr/bin/python3"


class Load:
    """Clients with one request at a time each. keep: each client uses one connection as long as the server keeps it
    open."""

    def __init__(self, port, n_clients, keep):
        self.port, self.keep = port, keep
        self.numbers = iter(range(1, 1 << 40))
        self.lock = threading.Lock()
        self.done = []            # (n, time sent, time answered)
        self.wrong = []
        self.stopping = False
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(n_clients)]
        for thread in self.threads:
            thread.start()

    def client(self):
        connection = None
        while not self.stopping and len(self.wrong) < 5:
            with self.lock:
                n = next(self.numbers)
            sent = time.monotonic()
            try:
                if not connection:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=harness.GUARD)
                connection.request("GET", f"/{n}", headers={} if self.keep else {"Connection": "close"})
                body = connection.getresponse().read()
                if body != answers.expected(n):
                    self.wrong.append(f"{n}: {body[:60]!r}")
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(f"{n}: {error!r}")
                connection = None
            if not self.keep and connection:
                connection.close()
                connection = None
            self.done.append((n, sent, time.monotonic()))
            time.sleep(0.001)
        if connection:
            connection.close()

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(70)
        return self.done


class Server:
    def __init__(self, ctx, name, command, status, env=None):
        self.folder = ctx.new_folder("server-" + name)
        self.status = status
        answers.prepare(self.folder)
        self.stderr_path = os.path.join(self.folder, "stderr")
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen([c.format(folder=self.folder) for c in command], stdin=subprocess.DEVNULL, stdout=stderr,
                                            stderr=stderr, start_new_session=True, cwd=self.folder,
                                            env={**os.environ, "SERVER_FOLDER": self.folder, **(env or {})})

    def stderr(self):
        return open(self.stderr_path, encoding="utf-8", errors="replace").read()[-600:]

    def port(self):
        def known():
            expect(self.process.poll() is None, lambda: f"the server ended with {self.process.returncode}: {self.stderr()}")
            path = os.path.join(self.folder, "port")
            return os.path.exists(path) and int(open(path).read())
        return wait_for(known, 60, "the server to listen")

    def pids(self):
        """Return all of its living processes."""
        found = []
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                if os.getsid(pid) == self.process.pid and maps_of(pid):
                    found.append(pid)
            except OSError:
                pass
        return sorted(found)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(harness.GUARD)
        except subprocess.TimeoutExpired:
            raise Fail(f"the server does not end: {harness.session_state(self.process.pid)}") from None
        expect(self.process.returncode == self.status, lambda: f"the server ended with {self.process.returncode}: {self.stderr()}")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def check_window(recorder, load, since, until, stays):
    """stays: the processes that answer are those that were there at the attach, so no request may be missing."""
    seen = [e["args"]["0"] for e in recorder.capture.each() if e["event"] == "server.request"]
    expect(len(seen) == len(set(seen)), "a request is in the capture twice")
    asked = {n for n, sent, answered in load.done if sent > since and answered < until}
    missing = sorted(asked - set(seen))
    expect(len(asked) > 3, f"only {len(asked)} requests were made in the window")
    expect(not missing or not stays, lambda: f"{len(missing)} of {len(asked)} requests are not in the capture: {missing[:10]}")
    return len(asked)


def under_load(ctx, name, command, status, keep, stays=True, env=None, visits=None, during=None, needs=(), n_processes=1):
    packages.need(ctx, *needs)
    with Server(ctx, name, command, status, env) as server:
        load = Load(server.port(), 4, keep)
        wait_for(lambda: len(load.done) > 20 or load.wrong, 60, "the first answers")
        wait_for(lambda: len(server.pids()) >= n_processes, 60, "all workers")
        for visit in range(visits or (10 if ctx.full else 3)):
            pids = server.pids() if stays else [server.process.pid]
            with Recorder(ctx, pids[0], *[f"-p{p}" for p in pids[1:]], "-f" if visit % 2 or not stays else "--no-follow") as recorder:
                wait_for(lambda: recorder.process.poll() is not None or all(foreign_maps(maps_of(p)) or not maps_of(p) for p in pids), 60,
                         "the probe to be in all processes")
                expect(recorder.process.poll() is None, lambda: f"the recorder ended: {recorder.stderr()[-400:]}")
                # A process of the pool is armed a moment after its mapping appears.
                wait_for(lambda: recorder.process.poll() is not None or all(harness.hooks_of(ctx, p) or not maps_of(p) for p in pids), 60, "the hooks")
                since, n = time.monotonic(), len(load.done)
                if during:
                    during(server, visit)
                wait_for(lambda: len(load.done) > n + 40 or load.wrong, 120, "answers")
                until = time.monotonic()
                expect_goodbye(recorder.stop(seconds=60))
            expect(not load.wrong, lambda: f"wrong answers: {load.wrong}; {server.stderr()}")
            check_window(recorder, load, since, until, stays)
            for pid in server.pids():
                expect(not foreign_maps(maps_of(pid)), lambda: f"left behind in {pid}: {foreign_maps(maps_of(pid))}")
        load.stop()
        expect(not load.wrong, lambda: f"wrong answers: {load.wrong}; {server.stderr()}")
        server.stop()


def gunicorn(kind, *more):
    port = harness.free_port()
    when_ready = f"def when_ready(server):\n    open('port', 'w').write('{port}')\n"
    shell = f"printf '%s' \"$1\" >conf.py; shift; exec \"$@\""
    return ["sh", "-c", shell, "sh", when_ready, SYSTEM, "-m", "gunicorn", "-c", "conf.py", "-b", f"127.0.0.1:{port}", "-w", "3", "-k", kind,
            "--worker-tmp-dir", "/dev/shm", "--graceful-timeout", "30", "--timeout", "120", *more, "wsgi_app:app"]


def renew(server, visit):
    """gunicorn makes a new pool on SIGHUP, one more worker on SIGTTIN, one less on SIGTTOU."""
    server.process.send_signal((signal.SIGTTIN, signal.SIGHUP, signal.SIGTTOU)[visit % 3])


def cells(ctx):
    full = ctx.full
    for python in ctx.some_pythons(8, 12) if full else ctx.some_pythons(12):
        for kind in ("asyncio", "threads", "forks") if full else ("asyncio", "forks"):
            command = [*python.command, os.path.join(PROGRAMS, "servers.py"), kind, "{folder}"]
            yield kind, python, lambda c=command, k=kind: under_load(ctx, k, c, 7, k != "forks", k != "forks")
    if not full:
        return
    at = {"PYTHONPATH": PROGRAMS}
    for kind, more, needs in (("sync", (), ()), ("gthread", ("--threads", "3"), ()), ("gevent", (), ("python3-gevent",))):
        yield f"gunicorn, {kind}", None, lambda k=kind, m=more, n=needs: under_load(
            ctx, "gunicorn-" + k, gunicorn(k, *m), 0, False, env=at, needs=("gunicorn", *n), n_processes=4)
    yield "gunicorn, a pool that is renewed", None, lambda: under_load(
        ctx, "gunicorn-renewed", gunicorn("sync", "--max-requests", "40", "--max-requests-jitter", "10"), 0, False, stays=False, env=at,
        during=renew, needs=("gunicorn",))
    yield "gevent", None, lambda: under_load(ctx, "gevent", [SYSTEM, os.path.join(PROGRAMS, "servers.py"), "gevent", "{folder}"], 7, True,
                                             needs=("python3-gevent",))
