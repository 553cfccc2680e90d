"""in_futex: waits for a lock with a timeout (futex); a second thread waits forever."""
import threading
import time

import victim

WAIT = 0.05
lock = threading.Lock()
lock.acquire()
for_ever = threading.Lock()
for_ever.acquire()
waiter = threading.Thread(target=for_ever.acquire)
waiter.start()
early = 0
n = 0
for n in victim.rounds(20):
    victim.mark(n, "futex")
    before = time.monotonic()
    got = lock.acquire(timeout=WAIT)
    early += got or time.monotonic() - before < WAIT - 0.001
for_ever.release()
waiter.join()
victim.end(marks=n + 1, early=early)
