"""clocks: marks with the time of day, raised by the program itself and by its children; every other child is in a time
namespace whose clock is behind.

clocks.py … OFFSET      seconds, from the initial clock to the children's
"""
import ctypes
import os
import time

import victim

CLONE_NEWTIME = 0x80
offset = victim.arguments()[0]
unshare = ctypes.CDLL(None).unshare
n = 0
for n in victim.rounds(10):
    victim.mark(n, time.time(), "self")
    pid = os.fork()
    if not pid:
        victim.mark(n, time.time(), "child")
        if unshare(CLONE_NEWTIME) == 0:
            with open("/proc/self/timens_offsets", "w") as file:
                file.write("monotonic %s 0\n" % offset)
            victim.mark(n, time.time(), "after unshare")
            grandchild = os.fork()
            if not grandchild:
                victim.mark(n, time.time(), "grandchild")
                os._exit(0)
            os.waitpid(grandchild, 0)
        os._exit(0)
    os.waitpid(pid, 0)
    time.sleep(0.02)
victim.end(marks=n + 1)
