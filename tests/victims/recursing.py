"""Threads whose stacks are known: two print their own and wait; others recurse, and begin and end, without a pause.

A line "frames NAME function|file|line …", innermost first, for each that waits; then "ready". It ends when its input does.
"""
import os
import sys
import threading
import time


def show(name):
    words, frame = [], sys._getframe(1)
    while frame:
        code = frame.f_code
        words.append("%s|%s|%d" % (getattr(code, "co_qualname", code.co_name), code.co_filename, frame.f_lineno))
        frame = frame.f_back
    sys.stdout.write("frames %s %s\n" % (name, " ".join(words)))
    sys.stdout.flush()


class Waiter:
    def __init__(self):
        self.is_waiting = threading.Event()

    def items(self, n):
        if n:
            yield from self.items(n - 1)
        show("waiter"); self.is_waiting.set(); time.sleep(10 ** 6)  # noqa: E702
        yield n

    def run(self):
        return [x for x in map(lambda y: y, self.items(3))]


def a(n):
    return b(n - 1) if n else 0


def b(n):
    return c(n - 1) if n else 0


def c(n):
    return a(n - 1) if n else 0


def gen(n):
    if n:
        yield from gen(n - 1)
    yield n


def once():
    for depth in 0, 1, 2, 7, 30:
        a(depth)
    for _ in gen(6): pass  # noqa: E701


def rounds():
    while True:
        once()


def maker():
    while True:
        thread = threading.Thread(target=once, daemon=True, name="short")
        thread.start()
        thread.join()


def wait_here():
    show("MainThread"); os.read(0, 1)  # noqa: E702


waiter = Waiter()
for target, name in (waiter.run, "waiter"), (rounds, "rounds"), (maker, "maker"):
    threading.Thread(target=target, daemon=True, name=name).start()
waiter.is_waiting.wait()
print("ready", flush=True)
wait_here()
os._exit(0)
