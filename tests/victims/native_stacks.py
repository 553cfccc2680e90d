"""native_stacks.py FOLDER: events below known nests of Python and C frames; prints the stack that each must have.

First "pid PID", then one line "stack NUMBER NAME…" per event native.test(NUMBER): innermost first, only functions of
this file and of native_ext (built from native_ext.c into FOLDER), by the last part of their name."""
import functools
import os
import sys
import threading

sys.path.insert(0, sys.argv[1])
import native_ext  # noqa: E402

C_CALL = ["call_inner", "call_middle", "call_outer"]
C_SORT = ["compare", "sort_outer"]
C_CLEAR = ["clear_inner", "clear_outer"]
MAIN = ["main", "<module>"]
number = 0


def event():
    sys.audit("native.test", number)


def expect(*names):
    global number
    number += 1
    print("stack", number, *sum((n if isinstance(n, list) else [n] for n in names), []))


def in_sort():
    native_ext.call(event)


def nested():
    native_ext.sort(in_sort)


class Dies:
    def __del__(self):
        event()


def deleting():
    native_ext.clear([Dies()])


def numbers():
    yield 1
    yield native_ext.call(event)


def generating():
    list(numbers())


def down(n):
    return native_ext.call(event) if n == 0 else down(n - 1)


def zig(n):
    return native_ext.call(functools.partial(zag, n - 1)) if n else event()


def zag(n):
    return native_ext.sort(functools.partial(zig, n - 1)) if n else event()


def key(x):
    native_ext.call(event)
    return x


def sorting():
    sorted([1], key=key)


def executing():
    exec(compile("event()", "<string>", "exec"), globals())


async def inner():
    native_ext.call(event)


async def outer():
    await inner()


def awaiting():
    try:
        outer().send(None)
    except StopIteration:
        pass


class Meta(type):
    def __call__(cls):
        return cls.value

    @property
    def value(cls):
        return native_ext.call(event)


class Made(metaclass=Meta):
    pass


def through_slots():
    Made()


def main():
    print("pid", os.getpid())
    expect("event", C_CALL, "in_sort", C_SORT, "nested", MAIN)
    nested()
    expect("event", "__del__", C_CLEAR, "deleting", MAIN)
    deleting()
    expect("event", C_CALL, "numbers", "generating", MAIN)
    generating()
    expect("event", C_CALL, ["down"] * 31, MAIN)
    down(30)
    expect("event", "zig", (C_SORT + ["zag"] + C_CALL + ["zig"]) * 5, MAIN)
    zig(10)
    expect("event", C_CALL, "key", "sorting", MAIN)
    sorting()
    expect("event", "<module>", "executing", MAIN)
    executing()
    expect("event", C_CALL, "inner", "outer", "awaiting", MAIN)
    awaiting()
    expect("event", C_CALL, "value", "__call__", "through_slots", MAIN)
    through_slots()
    expect("event", C_CALL, "in_sort", C_SORT, "nested")
    thread = threading.Thread(target=nested)
    thread.start()
    thread.join()
    sys.stdout.flush()


main()
