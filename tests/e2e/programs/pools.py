"""pools: pools of processes and threads; prints their results. pools.py [SECONDS]. The output is the same each time."""
import concurrent.futures
import functools
import multiprocessing
import operator
import sys
import time


def work(n):
    sys.audit("pool.work", n)
    return sum(k * k for k in range(n % 97 * 20)) % 1000003


def main():
    until = time.monotonic() + float(sys.argv[1] if len(sys.argv) > 1 else 0)
    right = [work(n) for n in range(200)]
    wrong = 0
    while True:
        for method in ("fork", "spawn", "forkserver"):
            with multiprocessing.get_context(method).Pool(3, maxtasksperchild=40) as pool:
                wrong += pool.map(work, range(200), chunksize=5) != right
            context = multiprocessing.get_context(method)
            with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                wrong += list(pool.map(work, range(200), chunksize=20)) != right
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            wrong += list(pool.map(work, range(200))) != right
        if time.monotonic() >= until:
            break
    print("wrong", wrong, "of", functools.reduce(operator.xor, right))


if __name__ == "__main__":
    main()
