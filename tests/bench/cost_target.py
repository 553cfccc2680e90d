"""cost_target: measures on command what an audit event costs. Commands on stdin, one JSON answer each on stdout.

audit DEPTH      ns per sys.audit("x.y", 1, "abc") at that depth of the Python stack, each frame a function of its own
sparse DEPTH     ns of wall-clock time of one such sys.audit after 20 µs of other work, the clock's own cost subtracted
open DEPTH       ns per os.open + os.close of /dev/null (one audit event, two system calls)
task COMMAND …   one of these three, raised in an asyncio task for which another task waits
package FOLDER COMMAND …   one of these three, raised by the code of the module costbench in that folder, which belongs to a
                 distribution and has a copy of this file's functions
floor            from now on a C hook that returns at once (the address of Py_IsInitialized: it ignores its arguments)
json FILE        from now on sys.addaudithook with a function that writes each event as a JSON line
storm N          N events as fast as possible; answers with ns per event
threads T N      N events of each of T threads at once; answers with ns of CPU time of the process per event
quit

A cost is the CPU time of the thread in short bursts, the lower decile of many, so that other programs on the machine
have the least effect; of sparse events, which are measured one by one, it is the median; a storm is measured by wall-clock
time.
"""
import asyncio
import ctypes
import json
import os
import sys
import threading
import time

BURSTS, SECONDS, REST, SPARSE_NS = 100, 0.001, 0.002, 20000
TABLE = [(i, str(i)) for i in range(1024)]


def nested(depth, function):
    """Call it with that many more frames on the stack, no two of which share their code."""
    scope = {"call0": function}
    for i in range(1, depth):
        exec(f"def call{i}():\n" + "    x = 0\n" * (i % 7) + f"    return call{i - 1}()\n", scope)
    return scope[f"call{max(depth - 1, 0)}"]()


def audit_batch(n, clock=time.thread_time_ns):
    audit = sys.audit
    before = clock()
    for _ in range(n):
        audit("x.y", 1, "abc")
    return (clock() - before) / n


def work(steps):
    """Other work, which touches 64 KiB of objects."""
    x, table = 0, TABLE
    for i in range(steps):
        x += table[i * 37 & 1023][0]
    return x


def sparse_batch(n, steps, clock=time.perf_counter_ns):
    audit, costs = sys.audit, []
    for _ in range(n):
        work(steps)
        start = clock()
        before = clock()
        audit("x.y", 1, "abc")
        after = clock()
        costs.append(after - before - (before - start))
    return costs


def sparse():
    clock, times = time.perf_counter_ns, []
    for _ in range(20):
        before = clock()
        work(1000)
        times.append(clock() - before)
    steps = max(1, round(1000 * SPARSE_NS / min(times)))
    costs = []
    for _ in range(BURSTS):
        time.sleep(REST)
        costs += sparse_batch(50, steps)
    return sorted(costs)[len(costs) // 2]


def open_batch(n):
    open_, close, flags = os.open, os.close, os.O_RDONLY
    before = time.thread_time_ns()
    for _ in range(n):
        close(open_("/dev/null", flags))
    return (time.thread_time_ns() - before) / n


def least(batch):
    n = max(20, int(SECONDS * 1e9 / max(batch(200), 1)))
    costs = []
    for _ in range(BURSTS):
        time.sleep(REST)
        costs.append(batch(n))
    return sorted(costs)[BURSTS // 10]


def threads_at_once(n_threads, n):
    start = threading.Barrier(n_threads + 1)

    def work():
        audit = sys.audit
        start.wait()
        for _ in range(n):
            audit("x.y", 1, "abc")

    threads = [threading.Thread(target=work) for _ in range(n_threads)]
    for t in threads:
        t.start()
    before = time.process_time_ns()
    start.wait()
    for t in threads:
        t.join()
    return (time.process_time_ns() - before) / n / n_threads


def in_task(function):
    """Call it in a task for which another task waits."""
    async def job():
        return function()

    async def main():
        return await asyncio.get_running_loop().create_task(job())

    return asyncio.run(main())


def module_of(folder):
    """A copy of this program's functions, in a file that belongs to a distribution."""
    if folder not in sys.path:
        sys.path.insert(0, folder)
    import costbench
    return costbench


def measure(command, depth):
    """Frames of the stack: <module>, main(), measure(), least() or sparse(), the batch; nested() and its functions."""
    if command == "sparse":
        return nested(depth - 5, sparse) if depth > 7 else sparse()
    batch = audit_batch if command == "audit" else open_batch
    return nested(depth - 6, lambda: least(batch)) if depth > 7 else least(batch)


def json_hook(path):
    out = open(path, "w")

    def hook(event, args):
        out.write(json.dumps({"event": event, "args": [repr(a) for a in args]}) + "\n")

    sys.addaudithook(hook)


def main():
    print(json.dumps({"ready": os.getpid()}), flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        answer = True
        if command == "task":
            command, _, argument = argument.partition(" ")
            answer = in_task(lambda: measure(command, int(argument)))
        elif command == "package":
            folder, command, argument = argument.split(" ")
            answer = module_of(folder).measure(command, int(argument))
        elif command in ("audit", "open", "sparse"):
            answer = measure(command, int(argument))
        elif command == "floor":
            ctypes.pythonapi.PySys_AddAuditHook.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
            answer = ctypes.pythonapi.PySys_AddAuditHook(ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p), None) == 0
        elif command == "json":
            json_hook(argument)
        elif command == "storm":
            answer = audit_batch(int(argument), time.perf_counter_ns)
        elif command == "threads":
            answer = threads_at_once(*map(int, argument.split()))
        elif command == "quit":
            break
        print(json.dumps({"answer": answer}), flush=True)


if __name__ == "__main__":
    main()
