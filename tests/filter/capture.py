#!/usr/bin/env python3
"""capture: a fixed capture as JSON lines, with examples of everything that a filter can test. The bytes are the same in
every run."""
import base64
import json
import sys

SYS_PATH = ["", "/usr/lib/python311.zip", "/usr/lib/python3.11", "/usr/lib/python3.11/lib-dynload", "/srv/app/vendor"]
PREFIXES = ["/usr/lib/python3.11", "/opt/py/stdlib"]


class Lcg:
    """A small random generator of our own: Python's differs between versions."""

    def __init__(self, seed):
        self.v = seed

    def __call__(self, n):
        self.v = (self.v * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.v >> 33) % n

    def of(self, items):
        return items[self(len(items))]


def py(func, file, line):
    return {"func": func, "file": file, "line": line}


def native(name, module, offset):
    return {"native": name, "module": module, "offset": offset}


MAIN = [py("main", "/srv/app/main.py", 50), py("<module>", "/srv/app/main.py", 57)]
STACKS = [
    MAIN,
    [py("load_plugin", "/srv/app/plugins.py", 15)] + MAIN,
    [py("connect", "/usr/lib/python3.11/socket.py", 833), py("pool", "/srv/app/db.py", 61), py("worker", "/srv/app/db.py", 20),
     py("run", "/usr/lib/python3.11/threading.py", 975)],
    [native("sock_connect", "_socket.cpython-311.so", 73), py("send", "/usr/lib/python3/dist-packages/urllib3/connection.py", 9),
     py("fetch", "/srv/app/net.py", 33)] + MAIN,
    [py("_find_spec", "<frozen importlib._bootstrap>", 1000), py("_call", "<frozen importlib._bootstrap>", 241)],
    [py("walk", "/opt/py/stdlib/os.py", 377), py("scan", "/srv/app/scan.py", 5)] + [py("deep%d" % i, "/srv/app/deep.py", i) for i in range(1, 25)],
    [],
    [{"mark": "cut"}, native(None, "libc.so.6", 4096)],
]
PATHS = ["/etc/passwd", "/srv/app/.env", "/srv/app/config.json", "/tmp/shop-x%d/order.txt", "/usr/lib/python3.11/json/__init__.py",
         "/srv/\u5927\u962a.txt", "/home/user/Pass Word.txt", "relative/path.py", "/srv/app/\udcff.bin", "/etc/\u212Aey"]


# name, version, e: editable, paths: one that ends with a slash is a folder
PACKAGES = [["urllib3", "2.0.7", "-", "/usr/lib/python3/dist-packages/urllib3/"], ["Shop_App", "1.0", "e", "/srv/app/"],
            ["deep-lib", "?", "-", "/srv/app/deep.py", "/srv/app/db/"], ["never.seen", "3", "-", "/usr/lib/python3/dist-packages/never/"]]


def process(pid, ppid, name, python, hexa, **more):
    return {"name": name, "ppid": ppid, "python_hex": hexa, "exe": "/usr/bin/python", "argv": ["python", name], "prefixes": PREFIXES,
            "packages": PACKAGES[:2] if pid == 41 else PACKAGES[1:],
            "flags": 1 if ppid == 1 else 4, "start_ns": 0, "python": python, "pid": pid, **more}


PROCESSES = [process(41, 1, "app.py", "3.11.2", 0x030B02F0), process(42, 41, "-m http.server", "3.11.2", 0x030B02F0),
             process(43, 41, "old.py", "3.8.18", 0x030812F0), process(90, 1, "new", "3.13.0", 0x030D00F0)]
THREADS = [(41, 41, 0, "MainThread"), (41, 44, 0, "worker"), (41, 45, 1, ""), (42, 42, 0, "MainThread"), (43, 43, 0, "MainThread"),
           (90, 91, 2, "Thread-7 (work)")]


def b64(data):
    return base64.b64encode(data).decode()


def make_event(rnd, i, minor):
    """Return (event, args)."""
    kind = rnd(20)
    path = rnd.of(PATHS)
    if "%d" in path:
        path = path % rnd(4)
    sock = {"type": "socket.socket", "id": "0x7f%04x" % (rnd(3) * 16), "fd": rnd(5) + 3, "family": 2, "type_": 1, "proto": 0}
    if kind < 5:
        name = "file" if minor == 8 else "path"
        fd = rnd(10) == 0
        return "open", {name: 3 if fd else path, "mode": rnd.of(["r", "w", "rb", None]), "flags": rnd.of([0, 524288, 577])}
    if kind < 7:
        return "import", {"module": rnd.of(["json", "ssl", "socket", "os.path"]), "filename": None, "sys.path": SYS_PATH,
                          "sys.meta_path": [{"type": "type", "id": "0x%x" % (4096 + i), "name": "PathFinder"}], "sys.path_hooks": []}
    if kind == 7:
        return "socket.connect", {"self": sock, "address": [rnd.of(["127.0.0.1", "10.0.0.7", "::1"]), rnd.of([80, 443, 5432])]}
    if kind == 8:
        return "socket.__new__", {"self": sock, "family": rnd.of([2, 10]), "type": 1, "protocol": 0}
    if kind == 9:
        return "subprocess.Popen", {"executable": "/bin/ls", "args": ["/bin/ls", "-9", path], "cwd": rnd.of([None, "/srv"]),
                                    "env": rnd.of([None, {"HOME": "/root", "TOKEN": "secret"}])}
    if kind == 10:
        return "compile", {"source": {"cut": {"bytes": b64(b"import os\n# password = 1\n")}, "length": 9000 + rnd(3)}, "filename": path}
    if kind == 11:
        return "marshal.loads", {"bytes": {"bytes": b64(bytes([227, 0, 0, rnd(256)]) + b"marshal")}}
    if kind == 12:
        return "exec", {"code_object": {"type": "code", "id": None, "name": rnd.of(["<module>", "f"]), "file": path, "line": rnd(9) + 1}}
    if kind == 13:
        return "os.listdir", {"path": path}
    if kind == 14:
        return "os.remove", {"path": path, "dir_fd": rnd.of([-1, 8])}
    if kind == 15:
        return "sqlite3.connect", {"database": "/srv/app/db.sqlite" if rnd(2) else ":memory:"}
    if kind == 16:
        return "myapp.login", {"0": rnd.of(["bob", "alice", "mallory"]), "1": rnd.of([1.5, 2.25, -3.0]), "2": {"int": str(10**25)}}
    if kind == 17:
        return "myapp.named", {"user": rnd.of(["bob", "eve"]), "score": rnd(100), "tags": {"set": ["a", "b"]}}
    if kind == 18:
        return "time.sleep", {"0": rnd.of([0.1, 2, 30])}
    return "gc.get_objects", {"generation": rnd.of([-1, 0, 1])}


def descriptors(event, args, i):
    """Return what the descriptors in the arguments were, by the arguments' names; of some nothing is known."""
    was = {}
    for name, value in args.items():
        if i % 3 and event == "open" and value == 3:
            was[name] = "/srv/app/data.db"
        elif i % 2 and event == "os.remove" and value == 8:
            was[name] = "/var/spool/\u5927 \udcff"
        elif i % 5 == 0 and event == "socket.connect" and name == "self":
            was[name] = "tcp 127.0.0.1:%d->%s:%d" % (40000 + i, *args["address"])
        elif i % 7 == 0 and event == "myapp.login":
            was[name] = ["pipe:[7]", "", "pipe:[8]"][int(name)]
    return {k: v for k, v in was.items() if v}


def task(pid, tid, i):
    """Return the asyncio task of an event in one of two threads that run a loop; between tasks the loop itself runs."""
    if (pid, tid) not in ((42, 42), (90, 91)) or i % 5 == 0:
        return None
    chains = [("job-%d" % (i % 4), ["gather\n", "main"]), ("main", []), ("job-1", ["main"]), ("\u5927 \udcff", ["job-%d" % k for k in range(i % 3 * 40)]),
              ("Task-9", ["job-1", "job-2"])]
    name, awaited_by = chains[i % 7 % 5]
    return {"name": name, "id": 140000000000000 + i % 11 * 64, "awaited_by": awaited_by, **({"more": 3} if name == "Task-9" else {})}


def held_locals(i):
    """Return the variables of a thread that was held before event i."""
    frames = [{"func": "work", "file": "/srv/app/jobs.py", "line": i + 1,
               "vars": {"n": i, "\udcff": "\u5927", "text": {"cut": "head", "length": 9000}, "job": {"type": "Job", "id": "0x7f%06x" % i},
                        "seen": {"set": [1, None]}, "pairs": {"dict": [[1, [2.5, {"bytes": "AP8="}]]]}}},
              {"func": "<module>", "file": "<string>", "line": 1, "vars": None}]
    return frames if i % 2 else {"cut": frames, "length": 40}


def lines(n=4000):
    rnd = Lcg(20261122)
    ns = 1000
    seen = set()
    for i in range(n):
        ns += rnd(4000000)
        pid, tid, interp, thread = rnd.of(THREADS)
        p = next(q for q in PROCESSES if q["pid"] == pid)
        minor = p["python_hex"] >> 16 & 255
        event, args = make_event(rnd, i, minor)
        line = {"v": 1, "seq": i, "time": "2026-11-22T07:%02d:%02d.%09dZ" % (ns // 60000000000, ns // 1000000000 % 60, ns % 1000000000),
                "ts_ns": ns, **({"host.name": "web-1"} if pid < 90 else {}), "pid": pid, "tid": tid, "interp": interp, "thread": thread, "python": p["python"], "event": event}
        if pid not in seen:
            seen.add(pid)
            line["process"] = {k: v for k, v in p.items() if k not in ("pid", "python")}
        if rnd(40) == 0:
            line["flags"] = rnd.of([1, 2, 4, 8])
        by = task(pid, tid, i)
        if by:
            line["task"] = by
        was = descriptors(event, args, i)
        if was:
            line["descriptors"] = was
        if i % 97 == 0:
            line["locals"] = held_locals(i)
        line["args"] = args
        line["stack"] = rnd.of(STACKS)
        yield json.dumps(line, separators=(",", ":"))


if __name__ == "__main__":
    sys.stdout.write("".join(line + "\n" for line in lines()))
