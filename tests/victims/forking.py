"""forking: forks a child per round; each child raises a mark, forks a grandchild, and ends by os._exit or by running to
its end."""
import os
import sys

import victim


def descend(n, level):
    """Fork; the child raises a mark and forks the next level. Returns the child's exit status; the child never
    returns."""
    pid = os.fork()
    if pid == 0:
        for k in range(5):
            sys.audit("victim.child", n, level, k)
        status = descend(n, level + 1) if level < 2 else 0
        os._exit(level + (0 if status == level + 1 or level == 2 else 100))
    return os.WEXITSTATUS(os.waitpid(pid, 0)[1])


bad = 0
n = 0
for n in victim.rounds(10):
    victim.mark(n, "fork")
    bad += descend(n, 1) != 1
# One child that ends as Python usually does, with all of its shutdown events.
pid = os.fork()
if pid == 0:
    sys.audit("victim.child", -1, 0, 0)
    sys.exit(3)
bad += os.WEXITSTATUS(os.waitpid(pid, 0)[1]) != 3
victim.end(marks=n + 1, bad_children=bad)
