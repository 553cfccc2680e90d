"""in_select: blocked in select() on a pipe that is never written to."""
import os
import select
import time

import victim

WAIT = 0.05
read_end, write_end = os.pipe()
early = 0
n = 0
for n in victim.rounds(20):
    victim.mark(n, "select")
    before = time.monotonic()
    ready = select.select([read_end], [], [], WAIT)
    early += time.monotonic() - before < WAIT or ready != ([], [], [])
victim.end(marks=n + 1, early=early)
