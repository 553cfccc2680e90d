"""greenlets: greenlets and gevent tasks that switch to each other at every step. greenlets.py [SECONDS]. The output is
the same each time."""
import sys
import time

import gevent
import gevent.pool
import gevent.queue
import greenlet

until = time.monotonic() + float(sys.argv[1] if len(sys.argv) > 1 else 0)


def deep(n, parent):
    if n:
        return deep(n - 1, parent)
    total = 0
    while True:
        value = parent.switch(total)
        if value is None:
            return total
        sys.audit("greenlet.step", value)
        total += value


def ring(n_greenlets, n_values):
    main = greenlet.getcurrent()
    ones = [greenlet.greenlet(deep) for _ in range(n_greenlets)]
    for depth, one in enumerate(ones):
        one.switch(depth, main)
    return [[one.switch(value) for one in ones] for value in range(n_values)][-1]


def tasks():
    queue = gevent.queue.Queue(4)

    def produce(k):
        for n in range(20):
            queue.put((k, n))
            gevent.sleep(0)

    def consume():
        return sum(k * n for k, n in (queue.get() for _ in range(50)))

    pool = gevent.pool.Pool(20)
    producers = [pool.spawn(produce, k) for k in range(5)]
    consumers = [pool.spawn(consume) for _ in range(2)]
    gevent.joinall(producers + consumers)
    return sum(c.value for c in consumers)


seen = set()
while True:
    seen.add((tuple(ring(9, 30)), tasks()))
    if time.monotonic() >= until:
        break
print(len(seen), *sorted(seen))
