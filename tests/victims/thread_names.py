"""Threads of many kinds, most of which end within a millisecond. Each raises names.mark with its kind and the name that
the capture has to show for it; "" is a thread without a name. Arguments: the number of short-lived threads; "wait":
wait for a line on stdin first; "interpreters": only threads of another interpreter.
"""
import asyncio
import concurrent.futures
import os
import sys
import threading
import _thread

N = int(sys.argv[1])
held = threading.Event()


def mark(kind, name=None):
    sys.audit("names.mark", kind, threading.current_thread().name if name is None else name)


def run(*threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def short():
    shapes = ["worker-%d", "größe-%d", "поток-%d", "\U0001f40d-%d", "surrogate \udc80 %d", "x" * 200 + "%d", "", "new\nline %d"]
    names = [shapes[i % len(shapes)] % i if shapes[i % len(shapes)] else "" for i in range(N)]
    threads = [threading.Thread(target=mark, args=("short",), name=name or None, daemon=i % 3 == 0) for i, name in enumerate(names)]
    for i in range(0, N, 8):
        run(*threads[i:i + 8])


class Own(threading.Thread):
    """Its attributes come before those of Thread, and `name` is something else."""

    def __init__(self):
        for i in range(60):
            setattr(self, "field_%d" % i, i)
        super().__init__(name="own")

    @property
    def name(self):
        return "not this one"

    @name.setter
    def name(self, value):
        self._name = value

    def run(self):
        mark("own", "own")


class Slotted(threading.Thread):
    __slots__ = ("one", "two")

    def run(self):
        mark("slotted")


class Early(threading.Thread):
    """The name is set before the first event."""

    def run(self):
        threading.current_thread().name = "early"
        mark("early")


class Late(threading.Thread):
    def run(self):
        mark("late", "late")
        self.name = "late"
        mark("late")


class Busy(threading.Thread):
    """It is renamed after thousands of events, to a name at the same address as the previous one."""

    def run(self):
        for i in range(5000):
            sys.audit("names.other", i)
            if i % 1000 == 0:
                self.name = "busy-%04d" % i
        self.name = "busy-last"
        end = threading.Event()
        for i in range(40):
            sys.audit("names.other", i)
            end.wait(0.002)
        mark("busy")


def deep(n):
    if n:
        return deep(n - 1)
    mark("deep")


def kinds():
    dicted = threading.Thread(target=mark, args=("dicted",), name="dicted")
    dicted.__dict__["later"] = 1
    vars(dicted)["name"] = "not this one"
    run(Own(), Slotted(name="slotted"), Early(name="before"), Late(name="before"), Busy(), dicted,
        threading.Thread(target=deep, args=(300,), name="deep"), threading.Timer(0, mark, ("timer",)),
        threading.Thread(target=mark, args=("long", "y" * 255), name="y" * 3000),
        threading.Thread(target=mark, args=("secret", "API_KEY=hidden"), name="API_KEY=sk9Fh2kQp7Lm4Xc1Zr"))
    with concurrent.futures.ThreadPoolExecutor(3, "pool") as pool:
        for _ in range(20):
            pool.submit(mark, "pool").result()
    done = threading.Event()
    _thread.start_new_thread(lambda: (mark("bare", ""), done.set()), ())
    done.wait()
    if sys.version_info >= (3, 9):
        async def work():
            await asyncio.to_thread(mark, "asyncio")
        asyncio.run(work())
    run(threading.Thread(target=forks, name="forks"))
    mark("main", "MainThread")


def forks():
    pid = os.fork()
    if not pid:
        mark("forked")
        os._exit(0)
    os.waitpid(pid, 0)
    mark("forks")


INSIDE = """
import sys
import threading
def run():
    sys.audit("names.mark", "inner", threading.current_thread().name)
for i in range(30):
    thread = threading.Thread(target=run, name="inner-%d" % i)
    thread.start()
    thread.join()
sys.audit("names.mark", "enters", "enters")
"""


def enter():
    """Enter another interpreter, which starts threads of its own."""
    try:
        import _interpreters
        made, run_in = _interpreters.create(), _interpreters.exec
    except ImportError:
        import _xxsubinterpreters as _interpreters
        # isolated interpreters may not start threads
        options = {"isolated": False} if sys.version_info < (3, 12) else {}
        made, run_in = _interpreters.create(**options), _interpreters.run_string
    run_in(made, INSIDE)
    _interpreters.destroy(made)


def hold(i):
    held.wait()
    mark("held")


if "wait" in sys.argv:
    holders = [threading.Thread(target=hold, args=(i,), name="held-%d" % i) for i in range(20)]
    for thread in holders:
        thread.start()
    print("ready", os.getpid(), flush=True)
    sys.stdin.readline()
    held.set()
    for thread in holders:
        thread.join()
if "interpreters" in sys.argv:
    run(threading.Thread(target=enter, name="enters"))
else:
    short()
    kinds()
