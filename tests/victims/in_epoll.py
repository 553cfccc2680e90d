"""in_epoll: blocked in epoll_wait() with a timeout."""
import os
import select
import time

import victim

WAIT = 0.05
read_end, write_end = os.pipe()
poller = select.epoll()
poller.register(read_end, select.EPOLLIN)
early = late = 0
n = 0
for n in victim.rounds(20):
    victim.mark(n, "epoll")
    before = time.monotonic()
    ready = poller.poll(WAIT)
    took = time.monotonic() - before
    early += took < WAIT - 0.001 or ready != []
victim.end(marks=n + 1, early=early)
