"""stacks: raises victim.stack from every kind of frame; the truth of each is the sys._getframe chain of that very line.

Facts: {"stack": key, "frames": [[name, file, line], …]}, innermost first. The helper is called on the line of the audit
call itself, so the line numbers of all frames are those that the event is raised with.
"""
import asyncio
import contextlib
import functools
import sys

import victim

truths = []


def truth(key, frame):
    frames = []
    while frame is not None:
        code = frame.f_code
        frames.append([getattr(code, "co_qualname", code.co_name), code.co_filename, frame.f_lineno])
        frame = frame.f_back
    truths.append((key, frames))
    return key


def plain():
    sys.audit("victim.stack", truth("plain", sys._getframe()))


def many_lines(
    first=1,
    second=2,
):
    values = [
        first,
        sys.audit("victim.stack", truth("many lines", sys._getframe())),
        second,
    ]
    return values


def deep(n, key):
    if n == 0:
        sys.audit("victim.stack", truth(key, sys._getframe()))
        return 0
    return 1 + deep(n - 1, key)


def generator():
    sys.audit("victim.stack", truth("generator first", sys._getframe()))
    yield 1
    sys.audit("victim.stack", truth("generator again", sys._getframe()))
    yield 2


def delegating():
    yield from generator()


async def inner():
    sys.audit("victim.stack", truth("coroutine", sys._getframe()))
    await asyncio.sleep(0)
    sys.audit("victim.stack", truth("coroutine resumed", sys._getframe()))


async def async_generator():
    sys.audit("victim.stack", truth("async generator", sys._getframe()))
    yield 1


async def outer():
    await inner()
    async for _ in async_generator():
        sys.audit("victim.stack", truth("async for", sys._getframe()))
    await asyncio.gather(inner(), inner())


class Collected:
    def __del__(self):
        sys.audit("victim.stack", truth("__del__", sys._getframe()))


class Many:
    @property
    def attribute(self):
        sys.audit("victim.stack", truth("property", sys._getframe()))
        return 1

    @staticmethod
    def static():
        sys.audit("victim.stack", truth("staticmethod", sys._getframe()))

    @classmethod
    def of_class(cls):
        sys.audit("victim.stack", truth("classmethod", sys._getframe()))

    def __eq__(self, other):
        sys.audit("victim.stack", truth("__eq__", sys._getframe()))
        return NotImplemented

    def __getattr__(self, name):
        sys.audit("victim.stack", truth("__getattr__", sys._getframe()))
        return name

    def __enter__(self):
        sys.audit("victim.stack", truth("__enter__", sys._getframe()))

    def __exit__(self, *more):
        sys.audit("victim.stack", truth("__exit__", sys._getframe()))


def decorate(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


@decorate
@decorate
def decorated():
    sys.audit("victim.stack", truth("decorated", sys._getframe()))


@contextlib.contextmanager
def manager():
    sys.audit("victim.stack", truth("contextmanager in", sys._getframe()))
    yield
    sys.audit("victim.stack", truth("contextmanager out", sys._getframe()))


@functools.lru_cache(None)
def cached(n):
    sys.audit("victim.stack", truth("lru_cache", sys._getframe()))
    return n


def key_of(value):
    if value == 2:
        sys.audit("victim.stack", truth("callback of sorted", sys._getframe()))
    return -value


def handler():
    try:
        raise ValueError("expected")
    except ValueError:
        sys.audit("victim.stack", truth("except", sys._getframe()))
    finally:
        sys.audit("victim.stack", truth("finally", sys._getframe()))


def tracer(frame, event, arg):
    if event == "call" and frame.f_code.co_name == "traced":
        sys.audit("victim.stack", truth("trace function", sys._getframe()))
    return None


def traced():
    pass


def run_all():
    plain()
    many_lines()
    for n in (30, 300):
        deep(n, "deep %d" % n)
    for _ in generator():
        pass
    list(delegating())
    asyncio.run(outer())
    Collected()
    many = Many()
    many.attribute
    many.static()
    many.of_class()
    many == 1
    many.unknown
    with many:
        pass
    with manager():
        pass
    decorated()
    cached(1)
    sorted([3, 1, 2], key=key_of)
    list(map(lambda n: sys.audit("victim.stack", truth("lambda in map", sys._getframe())), [1]))
    [sys.audit("victim.stack", truth("list comprehension", sys._getframe())) for _ in [1]]
    {sys.audit("victim.stack", truth("set comprehension", sys._getframe())) for _ in [1]}
    {1: sys.audit("victim.stack", truth("dict comprehension", sys._getframe())) for _ in [1]}
    list(sys.audit("victim.stack", truth("generator expression", sys._getframe())) for _ in [1])
    handler()
    functools.partial(plain)()
    exec("import sys\n\n\nsys.audit('victim.stack', truth('exec', sys._getframe()))", {"truth": truth})
    eval("__import__('sys').audit('victim.stack', truth('eval', __import__('sys')._getframe()))", {"truth": truth})
    exec(compile("\n" * 1000 + "deep(3, 'far down')", "<made up>", "exec"), {"deep": deep})
    exec(compile("def f():\n" + "    x = 1\n" * 700 + "    plain()\n" + "f()", "<long 大阪>", "exec"), {"plain": plain})
    sys.settrace(tracer)
    traced()
    sys.settrace(None)


class Überklasse:
    def größe(self):
        sys.audit("victim.stack", truth("names beyond ASCII", sys._getframe()))


for _ in victim.rounds(1):
    sys.audit("victim.stack", truth("module", sys._getframe()))
    run_all()
    Überklasse().größe()
for key, frames in truths:
    victim.say(stack=key, frames=frames)
victim.end(stacks=len(truths))
