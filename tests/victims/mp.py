"""mp: a pool of multiprocessing; ARG: fork, spawn or forkserver. Each task raises a mark in the process that runs
it."""
import multiprocessing
import os
import sys

import victim


def task(n):
    sys.audit("victim.task", n, n * n)
    return n * n, os.getpid()


def main():
    context = multiprocessing.get_context((victim.arguments() or ["fork"])[0])
    done = []
    pids = set()
    for n in victim.rounds(2):
        victim.mark(n, "mp")
        with context.Pool(2) as pool:
            for square, pid in pool.map(task, range(10), chunksize=2):
                done.append(square)
                pids.add(pid)
            pool.close()
            pool.join()
    victim.end(tasks=len(done), right=sum(done) == 285 * (len(done) // 10), elsewhere=os.getpid() not in pids)


if __name__ == "__main__":
    main()
