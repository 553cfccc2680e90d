"""storm: three processes of four threads, each raising ARG events (default 1000) as fast as it can."""
import os
import sys
import threading

import victim

N = int((victim.arguments() or ["1000"])[0])


def work(process, thread):
    audit = sys.audit
    for n in range(N):
        audit("victim.storm", process, thread, n, "text %d" % (n & 7))


def threads(process):
    all_threads = [threading.Thread(target=work, args=(process, k)) for k in range(4)]
    for t in all_threads:
        t.start()
    for t in all_threads:
        t.join()


bad = 0
for _ in victim.rounds(1):
    children = []
    for process in (1, 2):
        pid = os.fork()
        if pid == 0:
            threads(process)
            os._exit(0)
        children.append(pid)
    threads(0)
    bad = sum(os.waitpid(pid, 0)[1] != 0 for pid in children)
victim.end(each=N, bad_children=bad)
