"""sleeping: in time.sleep() almost all the time; prints how long the shortest sleep was."""
import time

import victim

NAP = 0.03
shortest = 9.0
n = 0
for n in victim.rounds(30):
    victim.mark(n, "sleeping")
    before = time.monotonic()
    time.sleep(NAP)
    shortest = min(shortest, time.monotonic() - before)
victim.end(marks=n + 1, woke_early=shortest < NAP)
