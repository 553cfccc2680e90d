"""finalise: events while the interpreter shuts down: atexit, __del__ of a module's object, a daemon thread."""
import atexit
import sys
import threading
import time

import victim


class Last:
    """It raises an event when it is collected, long after the last line of the program has run."""

    def __init__(self, n, audit=sys.audit):
        self.n = n
        self.audit = audit

    def __del__(self):
        self.audit("victim.del", self.n)


keep = [Last(n) for n in range(20)]
cycle = Last(20)
cycle.self = cycle


def at_exit():
    for n in range(10):
        sys.audit("victim.atexit", n)


def daemon():
    while True:
        sys.audit("victim.daemon", "still here")
        time.sleep(0.001)


atexit.register(at_exit)
threading.Thread(target=daemon, daemon=True).start()
n = 0
for n in victim.rounds(5):
    victim.mark(n, "finalise")
    time.sleep(0.002)
victim.end(marks=n + 1, atexit=10, deleted=21)
