"""victim: what all victims share. A victim raises known events, and prints the truth about them as JSON lines.

NAME.py [--rounds N | --until FILE] [ARG…]

With --until a victim continues until FILE exists, so that there is time to attach; looking for a file raises no audit
event. Lines on stdout: {"ready": pid} before the first round, {"settled": pid} when some rounds are over, facts, and
last {"truth": …}. Runs on 3.8 and later.
"""
import json
import os
import sys
import threading

SETTLED = 8  # rounds
STATUS = 7  # the exit status of a victim if all went well: no accident ends with it


def say(**facts):
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def arguments():
    """Return the positional arguments: those after --rounds N or --until FILE."""
    return sys.argv[3:] if len(sys.argv) > 2 and sys.argv[1].startswith("--") else sys.argv[1:]


def rounds(default=100):
    """Yield 0, 1, 2 … as often as the command line says. Prints that the victim is ready before the first, and later that it has
    settled: what a round needs for the first time is there."""
    say(ready=os.getpid())
    for n in numbers(default):
        if n == SETTLED:
            say(settled=os.getpid())
        yield n


def numbers(default):
    kind, value = (sys.argv[1], sys.argv[2]) if len(sys.argv) > 2 and sys.argv[1].startswith("--") else ("--rounds", default)
    n = 0
    if kind == "--until":
        while not os.path.exists(value):
            yield n
            n += 1
    else:
        while n < int(value):
            yield n
            n += 1


def mark(n, *more):
    """Raise the event that is counted: victim.mark n …"""
    sys.audit("victim.mark", n, *more)


def threads_fork():
    """To be called before a thread may fork while another one ends.

    The first thread that ends by pthread_exit loads libgcc_s (CPython 3.8, PyThread_exit_thread; glibc, unwind-link.c).
    A child that is forked meanwhile has the loader's locks held for ever, or dies of SIGABRT, with or without a
    recorder."""
    first = threading.Thread(target=int)
    first.start()
    first.join()


def end(**truth):
    say(truth=truth)
    sys.exit(STATUS)
