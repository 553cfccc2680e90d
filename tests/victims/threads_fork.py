"""threads_fork: four threads raise marks without a pause while each forks children; ARG: forks of each thread (default
3).

A child has one thread of its parent's; it raises marks, starts three threads that raise marks, and ends by os._exit.
Marks: (thread, n), in children (thread, fork, thread of the child, n).
"""
import os
import sys
import threading
import warnings

import victim

warnings.simplefilter("ignore")  # forking with threads is dangerous: this is what is tested here
FORKS = int((victim.arguments() or ["3"])[0])
MARKS, OWN = 2000, 50
bad = []


def child(thread, fork):
    def work(who):
        for n in range(OWN):
            sys.audit("victim.child", thread, fork, who, n)

    work(0)
    threads = [threading.Thread(target=work, args=(who,)) for who in (1, 2, 3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    os._exit(20)


def work(thread):
    fork = 0
    started.wait()
    for n in range(MARKS):
        sys.audit("victim.thread", thread, n)
        if n % (MARKS // FORKS) == MARKS // FORKS - 1:
            pid = os.fork()
            if pid == 0:
                child(thread, fork)
            fork += 1
            status = os.waitpid(pid, 0)[1]
            if status != 20 << 8:
                bad.append(status)


victim.threads_fork()
started = threading.Barrier(4)  # a child forked while a thread is created may have the loader's locks held
threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
for _ in victim.rounds(1):
    for t in threads:
        t.start()
for t in threads:
    t.join()
victim.end(bad_children=bad)
