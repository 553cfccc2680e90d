"""guest: a program that would show any harm: idle threads, open files, handlers for signals, a count of what it did.

The main thread sleeps, raises marks, and prints {"seen": {signal: times}} whenever a handler has run. One thread waits
for a lock forever, one reads a pipe that is never written to. It does nothing else, so mappings, open files and
threads are the same at any two idle moments.
"""
import os
import signal
import threading
import time

import victim

NAP = 0.01
HANDLED = ("SIGALRM", "SIGCHLD", "SIGUSR1", "SIGTERM", "SIGCONT")
seen = {name: 0 for name in HANDLED}
told = dict(seen)
lock = threading.Lock()
lock.acquire()
read_end, write_end = os.pipe()
kept = open(__file__, "rb")


def handler_for(name):
    def handler(number, frame):
        seen[name] += 1

    return handler


for name in HANDLED:
    signal.signal(getattr(signal, name), handler_for(name))
threading.Thread(target=lock.acquire, daemon=True).start()
threading.Thread(target=os.read, args=(read_end, 1), daemon=True).start()
time.sleep(0.05)
shortest = 9.0
n = 0
for n in victim.rounds(30):
    victim.mark(n, "guest")
    before = time.monotonic()
    time.sleep(NAP)
    shortest = min(shortest, time.monotonic() - before)
    if seen != told:
        told = dict(seen)
        victim.say(seen=told)
victim.end(marks=n + 1, woke_early=shortest < NAP, file_is_open=kept.read(3) == b'"""', seen=seen)
