"""switches: stacks across the switches of greenlets and gevent. Arguments: greenlet | gevent.

Each event victim.stack NUMBER NAMES says what its stack must be: the functions of this file, innermost first, as
sys._getframe() returns them in the line before.
"""
import os
import sys

import victim


def names():
    found, frame = [], sys._getframe(1)
    while frame:
        if frame.f_code.co_filename == __file__:
            found.append(frame.f_code.co_name)
        frame = frame.f_back
    return ",".join(found)


def stack(n):
    sys.audit("victim.stack", n, names())


def down(depth, n, switch):
    stack(n)
    if depth:
        return down(depth - 1, n, switch) + 1
    switch()
    stack(n)
    return 0


def work(depth, turns, switch):
    for n in range(turns):
        down(depth, n, switch)
        switch()


def by_greenlet():
    import greenlet
    ring = []

    def switch():
        ring.append(ring.pop(0))
        while ring[0].dead:
            ring.pop(0)
        ring[0].switch()

    def begin(depth):
        work(depth, 8, switch)

    for depth in range(1, 10):
        ring.append(greenlet.greenlet(lambda d=depth: begin(d)))
    while any(not g.dead for g in ring):
        stack(-1)
        ring[:] = [g for g in ring if not g.dead]
        if ring:
            ring[0].switch()


def by_gevent():
    import gevent
    gevent.joinall([gevent.spawn(work, depth, 4, lambda: gevent.sleep(0)) for depth in range(1, 12)])


n = 0
try:
    kind = victim.arguments()[0]
    __import__(kind)
except ImportError:
    victim.say(skip=kind + " is not installed for this Python")
    os._exit(victim.STATUS)
for n in victim.rounds(3):
    by_greenlet() if kind == "greenlet" else by_gevent()
    victim.mark(n, kind)
victim.end(rounds=n + 1)
