"""signals: a storm of signals to itself; each is sent only after the previous one was counted, so a lost signal stops
the storm.

Truth: how many were sent and how many arrived, for an ordinary and a real-time signal, SIGALRM by timer and SIGCHLD.
"""
import os
import signal
import time

import victim

seen = {"usr1": 0, "rt": 0, "alrm": 0, "chld": 0}


def count(name):
    def handler(number, frame):
        seen[name] += 1

    return handler


signal.signal(signal.SIGUSR1, count("usr1"))
signal.signal(signal.SIGRTMIN + 1, count("rt"))
signal.signal(signal.SIGALRM, count("alrm"))
signal.signal(signal.SIGCHLD, count("chld"))
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
sent = {"usr1": 0, "rt": 0, "chld": 0}
late = 0


def arrived(name):
    """Wait until the sent signal was counted; after a second it counts as lost."""
    end = time.monotonic() + 5
    while seen[name] < sent[name]:
        if time.monotonic() > end:
            return False
    return True


n = 0
for n in victim.rounds(200):
    victim.mark(n, "signals")
    for name, number in (("usr1", signal.SIGUSR1), ("rt", signal.SIGRTMIN + 1)):
        sent[name] += 1
        os.kill(os.getpid(), number)
        late += not arrived(name)
    if n % 10 == 0:
        sent["chld"] += 1
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        late += not arrived("chld")
        os.waitpid(pid, 0)
    if late:
        break
signal.setitimer(signal.ITIMER_REAL, 0)
victim.end(marks=n + 1, sent=sent, seen={k: seen[k] for k in sent}, lost=late, alarms=seen["alrm"] > 0 or n < 20)
