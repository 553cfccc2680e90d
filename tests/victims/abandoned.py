"""abandoned: runs of the evaluator that are left without a return, by _exit() in a child that shares our memory, or by longjmp().

    abandoned.py LIBRARY [FILE]     LIBRARY: abandoned.c; wait until FILE exists

Each case is tried in a process of its own, in the main thread and in another one. Prints a line for each: how it ended. CPython
survives most cases, not all: on 3.10 to 3.12 it uses the abandoned stack itself.
"""
import ctypes
import os
import sys
import threading
import time

lib = ctypes.PyDLL(sys.argv[1])
FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int)
kept = []


def callback(function):
    kept.append(FUNCTION(function))
    return kept[-1]


def mark(*what):
    for n in range(3):
        sys.audit("abandoned.mark", *what, n)


def deep(n, function):
    return deep(n - 1, function) if n else function()


def generator(function):
    yield 1
    yield function()


def end():
    mark("in the child")
    os._exit(3)


def end_in_generator():
    list(generator(end))


def jump():
    mark("before the jump")
    lib.jump_out()


def jump_in_generator():
    list(generator(jump))


def again():
    mark("again")
    deep(5, lambda: [mark(x) for x in range(2)])
    return 0


def thrower():
    try:
        yield 1
    except ValueError:
        mark("thrown")
        raise


def outer(depth):
    yield from outer(depth - 1) if depth else thrower()


class Dies:
    def __del__(self):
        mark("in __del__")


def go_on():
    """What a program does after it: calls from Python and from C, generators, deep stacks, each with events."""
    lib.guarded(callback(again))
    deep(30, lambda: mark("deep"))
    lib.above_garbage(callback(again))
    sorted([3, 2, 1], key=lambda x: (mark("sorted"), x)[1])
    Dies()
    for _ in generator(lambda: mark("in a generator")):
        mark("loop")
    list(generator(again))
    try:
        thrown = outer(3)
        next(thrown)
        thrown.throw(ValueError)
    except ValueError:
        mark("caught")
    thrown = outer(3)
    next(thrown)
    thrown.close()


def try_case(start, function):
    start(callback(function))
    sys.audit("abandoned.now")
    mark("after")
    go_on()
    mark("end")


def in_process(name, start, function, in_thread, depth):
    pid = os.fork()
    if pid == 0:
        if in_thread:
            thread = threading.Thread(target=deep, args=(depth, lambda: try_case(start, function)))
            thread.start()
            thread.join()
        else:
            deep(depth, lambda: try_case(start, function))
        os._exit(9)
    print(name, "thread" if in_thread else "main", depth, os.waitpid(pid, 0)[1], flush=True)


if len(sys.argv) > 2:
    print("READY", flush=True)
    while not os.path.exists(sys.argv[2]):
        time.sleep(0.02)
jumps = {"jump": jump, "jump in a generator": jump_in_generator, "deep jump": lambda: deep(50, jump_in_generator)}
ends = {"_exit": end, "_exit in a generator": end_in_generator, "_exit of __next__": generator(end).__next__,
        "deep _exit": lambda: deep(200, end_in_generator)}
next(ends["_exit of __next__"].__self__)
for thread, n in (False, 0), (False, 20), (True, 3):
    for title, what in jumps.items():
        in_process(title, lib.guarded, what, thread, n)
    for title, what in ends.items():
        for stack in "kept", "filled", "gone":
            in_process(f"{title}, stack {stack}", lib[f"on_stack_{stack}"], what, thread, n)
os._exit(7)
