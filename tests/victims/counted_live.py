"""counted_live: raises "count.tick" as often as it may, and forks a child now and then that raises "count.child"."""
import os
import sys
import time

import victim

n = 0
for k in victim.rounds(200):
    for _ in range(50):
        sys.audit("count.tick", n)
        n += 1
    if k % 20 == 0:
        pid = os.fork()
        if pid == 0:
            sys.audit("count.child")
            os._exit(0)
        os.waitpid(pid, 0)
    time.sleep(0.002)
victim.end(ticks=n)
