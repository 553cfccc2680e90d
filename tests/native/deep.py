"""deep.py [CASE]: one stack through as many kinds of native frames as this Python has, in the main thread and in
another one; prints "ready TID FRAMES TID FRAMES" when both sleep at its end (FRAMES: Python frames on that thread's
stack)."""
import ctypes
import functools
import json
import os
import re
import signal
import sys
import threading
import time

native_id = getattr(threading, "get_native_id", lambda: os.getpid())
ready = {}


def sleep():
    frame, depth = sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    ready[threading.current_thread().name] = "%d %d" % (native_id(), depth)
    if len(ready) == 2 and threading.current_thread() is threading.main_thread():
        print("ready", ready["MainThread"], ready["second"], flush=True)
    time.sleep(600)


def through_sort(f):
    sorted([2, 1], key=lambda x: f())


def through_regex(f):
    re.sub("a", lambda m: f() or "", "a")


def through_json(f):
    json.loads('{"a": 1}', object_hook=lambda o: f())


def through_generator(f):
    def gen():
        yield 1
        yield f()
    list(map(lambda x: x, gen()))


def through_reduce(f):
    functools.reduce(lambda a, b: f(), [1, 2])


def through_del(f):
    class Dies:
        def __del__(self):
            f()
    Dies()


def through_qsort(f):
    compare_t = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    compare = compare_t(lambda a, b: f() or 0)
    libc = ctypes.CDLL(None)
    libc.qsort((ctypes.c_int * 3)(3, 1, 2), 3, 4, compare)


def through_property(f):
    class Meta(type):
        def __call__(cls):
            return cls.value

        @property
        def value(cls):
            return f()
    class Made(metaclass=Meta):
        pass
    Made()


def through_exec(f):
    exec(compile("f()", "<string>", "exec"), {"f": f})


def through_sqlite(f):
    try:
        import sqlite3
    except ImportError:
        return f()
    db = sqlite3.connect(":memory:")
    db.create_function("f", 0, lambda: f() or 0)
    db.execute("select f()").fetchall()


def through_asyncio(f):
    import asyncio
    async def inner():
        f()
    async def outer():
        await inner()
    asyncio.new_event_loop().run_until_complete(outer())


def through_c_signal(f):
    """A C handler puts the frame of the interrupted code and the trampoline's on the stack."""
    handler_t = ctypes.CFUNCTYPE(None, ctypes.c_int)
    handler = handler_t(lambda n: f() and None)
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.signal(int(signal.SIGUSR1), ctypes.cast(handler, ctypes.c_void_p))
    libc.raise_(int(signal.SIGUSR1)) if hasattr(libc, "raise_") else getattr(libc, "raise")(int(signal.SIGUSR1))


def through_recursion(f, depth=60):
    return f() if depth == 0 else through_recursion(f, depth - 1)


MANY = [through_sort, through_regex, through_json, through_generator, through_reduce, through_del, through_qsort,
        through_property, through_exec, through_sqlite, through_asyncio, through_recursion]


def nest(steps):
    if not steps:
        return sleep()
    return steps[0](lambda: nest(steps[1:]))


sys.setrecursionlimit(5000)
other = threading.Thread(target=nest, args=(MANY,), name="second", daemon=True)
other.start()
while "second" not in ready:
    time.sleep(0.001)
nest(MANY + ([through_c_signal] if "nosignal" not in sys.argv else []))
