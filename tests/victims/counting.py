"""counting: raises events in every way in which a counter could miss one, and knows how many there were.

counting.py [PART,PART…]

Each part raises events of names of its own; {"truth": {name: number}} is printed at the end.

loop      in a loop, of a name that is new and of one that is in the catalogue
threads   eight threads of one name at once, most of them from their first event on
names     of hundreds of names, each new; a name of 2,100 bytes, one of no byte, one that is no ASCII
forks     children that end by os._exit(), by SIGKILL in the middle of their work, and by exec
nested    a child of a child, both of names that only they raise
interps   three interpreters at once, with a GIL of their own from 3.12 on
"""
import json
import os
import signal
import sys
import threading

truth = {}


def times(name, n):
    truth[name] = truth.get(name, 0) + n
    audit = sys.audit
    for _ in range(n):
        audit(name, 1, "abc")


def raised(name, n):
    """The same in a child: it is added to the truth here."""
    truth[name] = truth.get(name, 0) + n


def loop():
    times("count.loop", 20000)
    times("urllib.Request", 5000)


def threads():
    barrier = threading.Barrier(8)

    def run():
        barrier.wait()
        for _ in range(5000):
            sys.audit("count.thread")
    all_of = [threading.Thread(target=run) for _ in range(8)]
    for t in all_of:
        t.start()
    for t in all_of:
        t.join()
    raised("count.thread", 40000)


def names():
    for i in range(700):
        times(f"count.name.{i}", 1 + i % 3)
    times("count." + "n" * 2100, 7)
    times("", 3)
    times("count.größe", 5)


def child(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def forks():
    def plain():
        times("count.child", 100)

    def killed():
        times("count.killed", 100)
        os.kill(os.getpid(), signal.SIGKILL)

    def replaced():
        times("count.before", 10)
        os.execv(sys.executable, [sys.executable, "-S", "-c", "import sys\nfor _ in range(30): sys.audit('count.after')"])
    for _ in range(3):
        child(plain)
        child(killed)
        child(replaced)
    raised("count.child", 300)
    raised("count.killed", 300)
    raised("count.before", 30)
    raised("count.after", 90)


def nested():
    def outer():
        def inner():
            times("count.inner", 50)
        times("count.outer", 20)
        child(inner)
        times("count.outer", 20)
    child(outer)
    raised("count.inner", 50)
    raised("count.outer", 40)


def interps():
    try:
        import _interpreters as interpreters  # 3.13+
        run = interpreters.exec
    except ImportError:
        try:
            import _xxsubinterpreters as interpreters
            run = interpreters.run_string
        except ImportError:
            return
    code = "import sys\nfor _ in range(3000): sys.audit('count.interp')"
    ids = [interpreters.create() for _ in range(3)]
    all_of = [threading.Thread(target=run, args=(one, code)) for one in ids]
    for t in all_of:
        t.start()
    for t in all_of:
        t.join()
    for one in ids:
        interpreters.destroy(one)
    raised("count.interp", 9000)


for part in sys.argv[1].split(",") if len(sys.argv) > 1 else ["loop", "threads", "names", "forks", "nested", "interps"]:
    globals()[part]()
print(json.dumps({"truth": truth}))
