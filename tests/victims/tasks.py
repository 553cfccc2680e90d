"""asyncio tasks of many kinds. Each raises task.mark with its kind, the name and id of asyncio.current_task() ("" and 0 for none), and
the names of the tasks that wait for it, as the program knows them: nearest first. Arguments: "wait": wait for a line on stdin first;
"uvloop", "anyio", "subinterpreters": only what these add; N: tasks of the storm.
"""
import asyncio
import concurrent.futures
import os
import sys

NEW_WAIT_FOR = sys.version_info >= (3, 12)


def mark(kind, *waiters):
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        task = None
    tell(kind, task, waiters)


def tell(kind, task, waiters, name=None):
    if task is None:
        sys.audit("task.mark", kind, "", 0, [])
    else:
        sys.audit("task.mark", kind, name or task.get_name(), id(task), list(waiters))


async def job(kind, *waiters):
    mark(kind, *waiters)
    await asyncio.sleep(0)
    mark(kind, *waiters)


def start(coroutine, name):
    return asyncio.get_running_loop().create_task(coroutine, name=name) if sys.version_info >= (3, 11) else \
        named(asyncio.get_running_loop().create_task(coroutine), name)


def named(task, name):
    task.set_name(name)
    return task


async def chained(depth, waiters):
    mark("chain", *waiters)
    if depth:
        name = asyncio.current_task().get_name()
        await start(chained(depth - 1, [name] + waiters), "level-%d" % depth)
        mark("chain", *waiters)


async def waits():
    await start(job("awaited", "main"), "job-1")
    await chained(5, [])
    await asyncio.gather(start(job("gather", "main"), "g-1"), job("gather", "main"), start(job("gather", "main"), "g-3"))
    await start(gathers(), "outer")
    await asyncio.wait_for(start(job("wait_for", "main"), "limited"), 90)
    await asyncio.wait_for(job("wait_for coroutine", *([] if NEW_WAIT_FOR else ["main"])), 90)
    await asyncio.shield(start(job("shield", "main"), "shielded"))
    await asyncio.wait([start(job("wait", "main"), "w-1"), start(job("wait", "main"), "w-2")])
    lonely = start(job("not awaited"), "lonely")
    while not lonely.done():
        mark("main")
        await asyncio.sleep(0)
    if hasattr(asyncio, "TaskGroup"):
        async with asyncio.TaskGroup() as group:
            group.create_task(job("group", "main"), name="t-1")
            group.create_task(groups(), name="t-2")
    await two()


async def gathers():
    await asyncio.gather(start(job("gather in a task", "outer", "main"), "i-1"), job("gather in a task", "outer", "main"))
    mark("outer", "main")


async def groups():
    async with asyncio.TaskGroup() as group:
        for i in range(3):
            group.create_task(job("group in a group", "t-2", "main"), name="n-%d" % i)


async def two():
    """Two tasks wait for a third one."""
    async def awaits():
        await third
    third = start(job("two"), "third")

    async def late():
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        mark("two", "first", "second", "main")
        await asyncio.sleep(0)
        mark("two", "first", "second", "main")
    third.cancel()
    third = start(late(), "third")
    await asyncio.gather(start(awaits(), "first"), start(awaits(), "second"))


async def names():
    task = asyncio.current_task()
    for name in ["x", "größe", "поток-7", "\U0001f40d", "new\nline", "a" * 200, "x", "y", "z", "\udc80", "main"]:
        task.set_name(name)
        mark("named")
    task.set_name("b" * 300)
    mark("long")
    task.set_name("API_KEY=sk9Fh2kQp7Lm4Xc1Zr")
    mark("secret")
    task.set_name("main")
    # the name of a task that nobody has asked for may still be a number
    first = asyncio.get_running_loop().create_task(asyncio.sleep(0))
    number = int(first.get_name().split("-")[1])

    async def lazy():
        tell("lazy", asyncio.current_task(), ["main"], "Task-%d" % (number + 1))
        mark("lazy", "main")
    await asyncio.get_running_loop().create_task(lazy())
    await first


async def reused():
    """Tasks and names at addresses where others were a moment ago."""
    task = asyncio.current_task()
    for i in range(30):
        task.set_name("name-%030d" % i)
        mark("new name")
        task.set_name("x" * 34)
        task.set_name("name-%030d" % -i)
        mark("new name")
    task.set_name("main")

    async def one(kind, *waiters):
        mark(kind, *waiters)
    for i in range(30):
        await start(one("new task", "main"), "task-%030d" % i)


class Liar(asyncio.Task):
    def get_name(self):
        return "liar"

    def __repr__(self):
        return 1 / 0

    @property
    def _name(self):
        raise AssertionError("the name was asked for by Python code")


async def lies(kind, waiters):
    tell(kind, asyncio.current_task(), waiters, kind)


async def other_types():
    loop = asyncio.get_running_loop()
    await Liar(lies("truth", ["main"]), loop=loop, name="truth")
    mark("main")
    python_task = asyncio.tasks._PyTask

    async def inner():
        mark("python task", "main")
        await start(job("awaited by a python task", "py", "main"), "c-child")
        await python_task(job("python in python", "py", "main"), loop=loop, name="py-child")
        mark("python task", "main")
    await python_task(inner(), loop=loop, name="py")
    if hasattr(asyncio, "eager_task_factory"):
        loop.set_task_factory(asyncio.eager_task_factory)

        async def eager():
            mark("eager")  # it runs before anybody can wait for it
            await asyncio.sleep(0)
            mark("eager", "main")
        for i in range(3):
            task = asyncio.create_task(eager(), name="eager-%d" % i)
            mark("main")
            await task
        loop.set_task_factory(None)


async def elsewhere():
    """Threads without a loop, callbacks, threads with loops of their own, forked children."""
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, mark, "executor")
    done = loop.create_future()
    loop.call_soon(lambda: (mark("callback"), done.set_result(None)))
    await done
    mark("main")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        nested = [loop.run_in_executor(pool, run_nested, i) for i in range(4)]
        while not all(n.done() for n in nested):
            mark("main")
            await asyncio.sleep(0)
        await asyncio.gather(*nested)
    pid = os.fork()
    if not pid:
        mark("forked")
        os._exit(0)
    os.waitpid(pid, 0)
    mark("main")


def run_nested(i):
    async def main():
        named(asyncio.current_task(), "nested-%d" % i)
        for k in range(20):
            await start(job("nested", "nested-%d" % i), "nested-%d-%d" % (i, k))
            mark("nested main")
            await asyncio.sleep(0)
    mark("thread")
    asyncio.run(main())
    mark("thread")


async def storm(n):
    async def one(i):
        for _ in range(5):
            mark("storm", "main")
            await asyncio.sleep(0)
    await asyncio.gather(*[start(one(i), "storm-%d" % i) for i in range(n)])


async def main(n):
    mark("unnamed main")
    named(asyncio.current_task(), "main")
    mark("main")
    await waits()
    await names()
    await reused()
    await other_types()
    await elsewhere()
    await storm(n)

    async def cancelled():
        try:
            await asyncio.sleep(1000)
        finally:
            mark("cancelled")
    start(cancelled(), "cancelled")
    await asyncio.sleep(0)


def with_uvloop():
    import uvloop
    policy = uvloop.EventLoopPolicy()
    asyncio.set_event_loop_policy(policy)
    asyncio.run(main(20))
    asyncio.set_event_loop_policy(None)


def with_anyio():
    import anyio

    async def main():
        task = asyncio.current_task()
        task.set_name("main")
        async with anyio.create_task_group() as group:
            group.start_soon(job, "anyio", "main", name="a-1")
            group.start_soon(job, "anyio", "main", name="a-2")
            mark("main")
        await anyio.to_thread.run_sync(mark, "anyio thread")
    anyio.run(main)


def with_subinterpreters():
    """Each of two interpreters, one after the other, has a module _asyncio and tasks of its own."""
    try:
        import _interpreters as interpreters
        run = interpreters.exec
    except ImportError:
        import _xxsubinterpreters as interpreters
        run = interpreters.run_string
    code = "import sys; sys.path.insert(0, %r); import tasks; tasks.in_subinterpreter()" % os.path.dirname(os.path.abspath(__file__))
    mark("before")
    for _ in range(2):
        one = interpreters.create()
        failed = run(one, code)
        if failed:
            raise RuntimeError(failed)
        interpreters.destroy(one)
    asyncio.run(main(1))


def in_subinterpreter():
    async def run():
        named(asyncio.current_task(), "main")
        mark("main")
        await waits()
        await names()
        await storm(5)
    mark("before")
    asyncio.run(run())
    mark("after")


if __name__ == "__main__":
    words = sys.argv[1:]
    if "wait" in words:
        print("ready", os.getpid(), flush=True)
        sys.stdin.readline()
    for word, run in [("uvloop", with_uvloop), ("anyio", with_anyio), ("subinterpreters", with_subinterpreters)]:
        if word in words:
            run()
            break
    else:
        mark("before")
        asyncio.run(main(int(words[-1])))
        mark("after")
