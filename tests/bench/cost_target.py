"""cost_target: measures, when told to, what an audit event costs. Commands on stdin, one JSON answer each on stdout.

    audit DEPTH      ns per sys.audit("x.y", 1, "abc") at that depth of the Python stack: median of batches
    open DEPTH       ns per os.open + os.close of /dev/null (one audit event, two system calls)
    floor            from now on a C hook that returns at once (the address of Py_IsInitialized: it ignores its arguments)
    json FILE        from now on sys.addaudithook with a function that writes each event as a JSON line
    storm N          N events as fast as possible; answers with ns per event
    quit

Costs are CPU time of the thread, so that other programs on the machine do not count; a storm is by the clock on the wall.
"""
import ctypes
import json
import os
import sys
import time

BATCHES, SECONDS = 15, 0.02


def nested(depth, function):
    return function() if depth <= 1 else nested(depth - 1, function)


def audit_batch(n, clock=time.thread_time_ns):
    audit = sys.audit
    before = clock()
    for _ in range(n):
        audit("x.y", 1, "abc")
    return (clock() - before) / n


def open_batch(n):
    open_, close, flags = os.open, os.close, os.O_RDONLY
    before = time.thread_time_ns()
    for _ in range(n):
        close(open_("/dev/null", flags))
    return (time.thread_time_ns() - before) / n


def median(batch):
    n = max(50, int(SECONDS * 1e9 / max(batch(50), 1)))
    return sorted(batch(n) for _ in range(BATCHES))[BATCHES // 2]


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
        if command in ("audit", "open"):
            batch = audit_batch if command == "audit" else open_batch
            # main() and <module> are two frames, median() and the batch two more.
            answer = nested(int(argument) - 4, lambda: median(batch)) if int(argument) > 5 else median(batch)
        elif command == "floor":
            ctypes.pythonapi.PySys_AddAuditHook.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
            answer = ctypes.pythonapi.PySys_AddAuditHook(ctypes.cast(ctypes.pythonapi.Py_IsInitialized, ctypes.c_void_p), None) == 0
        elif command == "json":
            json_hook(argument)
        elif command == "storm":
            answer = audit_batch(int(argument), time.perf_counter_ns)
        elif command == "quit":
            break
        print(json.dumps({"answer": answer}), flush=True)


main()
