"""Read this Python's own objects and frames with the probe's code and compare them with what Python itself reports.

inside.py LIBRARY [SEED]

It prints the number of comparisons; any difference ends it with status 1. The encoding is described in src/base/value.h
and src/probe/abi.h. It runs in every Python found, so it uses nothing newer than 3.8.
"""
import collections
import ctypes
import enum
import functools
import os
import pathlib
import random
import socket
import struct
import sys
import threading
import time
import types
import _thread

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "victims"))
import tasks  # noqa: E402

NONE, FALSE, TRUE, ELLIPSIS, INT, BIGINT, FLOAT, COMPLEX, STR, STR_CUT, BYTES, BYTES_CUT, BYTEARRAY, BYTEARRAY_CUT, TUPLE, \
    LIST, SET, FROZENSET, DICT, OBJECT, OBJECT_AT = range(1, 22)
DEPTH_MAX = 8
OUT_MIN = 64
FRAME_DEFINES = 0x80000000
FREE_THREADED = hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled()

lib = ctypes.PyDLL(sys.argv[1])
lib.inside_open.restype = ctypes.c_char_p
lib.inside_area.restype = ctypes.c_void_p
lib.inside_value.restype = ctypes.c_long
lib.inside_value.argtypes = [ctypes.py_object, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32,
                             ctypes.POINTER(ctypes.c_int)]
lib.inside_args.restype = ctypes.c_long
lib.inside_args.argtypes = lib.inside_value.argtypes
lib.inside_frames.restype = ctypes.c_long
lib.inside_frames.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32),
                              ctypes.POINTER(ctypes.c_int)]
lib.inside_task.restype = ctypes.c_long
lib.inside_task.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_int)]
rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
n_compared = 0


class Wrong(Exception):
    pass


# ---- decoding ----

class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise Wrong("cut in the middle")
        self.at += n
        return self.data[self.at - n:self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def text(self):
        return self.take(self.varint()).decode("utf-8", "surrogatepass")

    def value(self):
        tag = self.take(1)[0]
        if tag in (0, NONE, FALSE, TRUE, ELLIPSIS):
            return (tag,)
        if tag == INT:
            z = self.varint()
            return tag, (z >> 1) ^ -(z & 1)
        if tag == BIGINT:
            negative = self.take(1)[0]
            v = int.from_bytes(self.take(self.varint()), "little")
            return INT, -v if negative else v
        if tag == FLOAT:
            return tag, self.take(8)
        if tag == COMPLEX:
            return tag, self.take(16)
        if tag in (STR, STR_CUT, BYTES, BYTES_CUT, BYTEARRAY, BYTEARRAY_CUT):
            full = self.varint() if tag in (STR_CUT, BYTES_CUT, BYTEARRAY_CUT) else None
            data = self.text() if tag in (STR, STR_CUT) else bytes(self.take(self.varint()))
            return tag, full, data
        if tag in (TUPLE, LIST, SET, FROZENSET):
            full, kept = self.varint(), self.varint()
            return tag, full, [self.value() for _ in range(kept)]
        if tag == DICT:
            full, kept = self.varint(), self.varint()
            return tag, full, [(self.value(), self.value()) for _ in range(kept)]
        if tag == OBJECT_AT:
            address, = struct.unpack("<Q", self.take(8))
            name = self.text()
            return tag, address, name, [(self.text(), self.value()) for _ in range(self.varint())]
        raise Wrong("tag %d" % tag)


area = threading.local()


def read(thing, room=1000000, string_bytes=4096, max_items=200):
    if not hasattr(area, "at"):
        area.at = lib.inside_area()
    cut = ctypes.c_int()
    n = lib.inside_value(thing, area.at, room, string_bytes, max_items, ctypes.byref(cut))
    if n > room:
        raise Wrong("%d bytes written into %d" % (n, room))
    r = Reader(ctypes.string_at(area.at, n))
    value = r.value()
    if r.at != n:
        raise Wrong("%d bytes behind the value" % (n - r.at))
    was_cut = bool(cut.value)
    if room >= OUT_MIN and type(thing) in (int, str, bool, tuple, type(None)):
        compare_args(thing if type(thing) is tuple else (thing, "x", thing), room, string_bytes, max_items)
    return value, was_cut


def compare_args(arguments, *limits):
    """The arguments of an event, which have a path of their own for what is common, and the same tuple as a value."""
    seen = []
    for function in (lib.inside_value, lib.inside_args):
        cut = ctypes.c_int()
        n = function(arguments, area.at, *limits, ctypes.byref(cut))
        seen.append((ctypes.string_at(area.at, n), cut.value))
    if seen[0] != seen[1]:
        raise Wrong("arguments %.200r: %r, as a value %r" % (arguments, seen[1], seen[0]))


# ---- expected results ----

def cut_text(s, limit):
    data = s.encode("utf-8", "surrogatepass")
    if len(data) <= limit:
        return STR, None, s
    n = limit
    while data[n] & 0xc0 == 0x80:
        n -= 1
    return STR_CUT, len(s), data[:n].decode("utf-8", "surrogatepass")


def cut_bytes(tag, data, limit):
    return (tag, None, bytes(data)) if len(data) <= limit else (tag + 1, len(data), bytes(data[:limit]))


def type_names(t):
    """Heap types: module.qualname, without builtins. Static types: tp_name, which has the module unless it is builtins."""
    module, name = t.__module__, t.__qualname__
    return {name if module == "builtins" else "%s.%s" % (module, name), t.__name__, "%s.%s" % (module, t.__name__)}


def attributes(thing, limit):
    def text(s):
        return cut_text(s, limit)

    t = type(thing)
    if t is types.CodeType:
        return [("name", text(getattr(thing, "co_qualname", thing.co_name))), ("file", text(thing.co_filename)),
                ("line", (INT, thing.co_firstlineno))]
    if t is types.MethodType:
        thing = thing.__func__
        if type(thing) is not types.FunctionType:
            return []
        t = types.FunctionType
    if t is types.FunctionType:
        return [("name", text(thing.__qualname__)),
                ("module", (NONE,) if thing.__module__ is None else text(thing.__module__))]
    if t is types.BuiltinFunctionType:
        module = [("module", text(thing.__module__))] if isinstance(thing.__module__, str) else []
        return [("name", text(thing.__name__))] + module
    if t is types.ModuleType:
        return [("name", text(thing.__name__))]
    if isinstance(thing, type):
        return None  # compared separately
    if isinstance(thing, socket.socket):
        # what C has: the attributes of the Python class are the same
        return [("fd", (INT, thing.fileno())), ("family", (INT, int(thing.family))), ("type", (INT, int(thing.type))),
                ("proto", (INT, thing.proto))]
    return []


def check(got, thing, limit, max_items, depth=0):
    """Raise Wrong unless `got` is what a reader with these limits must return for thing."""
    global n_compared
    n_compared += 1

    def wrong(want):
        raise Wrong("%.300r is read as %.300r instead of %.300r" % (thing, got, want))

    def same(want):
        if got != want:
            wrong(want)

    max_items = max_items if depth < DEPTH_MAX else 0
    if thing is None or thing is Ellipsis or thing is True or thing is False:
        same(({None: NONE, Ellipsis: ELLIPSIS, True: TRUE, False: FALSE}[thing],))
    elif isinstance(thing, str):
        same(cut_text(str.__str__(thing), limit))
    elif isinstance(thing, int):
        if int(thing).bit_length() > max(limit, 512) * 8 - 64:
            if got[0] != OBJECT_AT and got != (INT, int(thing)):
                wrong("an object of type int")
        else:
            same((INT, int(thing)))
    elif isinstance(thing, bytes):
        same(cut_bytes(BYTES, thing, limit))
    elif type(thing) is bytearray:
        same(cut_bytes(BYTEARRAY, thing, limit))
    elif type(thing) is float:
        same((FLOAT, struct.pack("<d", thing)))
    elif type(thing) is complex:
        same((COMPLEX, struct.pack("<dd", thing.real, thing.imag)))
    elif isinstance(thing, (tuple, list)):
        items = list(tuple.__iter__(thing) if isinstance(thing, tuple) else list.__iter__(thing))
        if got[:2] != (TUPLE if isinstance(thing, tuple) else LIST, len(items)) or len(got[2]) != min(len(items), max_items):
            wrong("%d items" % len(items))
        for one, item in zip(got[2], items):
            check(one, item, limit, max_items, depth + 1)
    elif type(thing) in (set, frozenset):
        if got[:2] != (SET if type(thing) is set else FROZENSET, len(thing)) or \
                len(got[2]) != min(len(thing), max_items):
            wrong("%d items" % len(thing))
        left = list(thing)
        for one in got[2]:
            for i, item in enumerate(left):
                try:
                    check(one, item, limit, max_items, depth + 1)
                except Wrong:
                    continue
                del left[i]
                break
            else:
                wrong("one of its items")
    elif isinstance(thing, dict):
        # An OrderedDict may have another order than its entries (move_to_end).
        items = list(dict.items(thing))
        if got[:2] != (DICT, len(items)) or len(got[2]) != min(len(items), max_items):
            wrong("%d entries" % len(items))
        for (key, value), (k, v) in zip(got[2], items):
            check(key, k, limit, max_items, depth + 1)
            check(value, v, limit, max_items, depth + 1)
    else:
        if got[0] != OBJECT_AT or got[1] != id(thing) or got[2] not in type_names(type(thing)):
            wrong("%x of type %s" % (id(thing), type_names(type(thing))))
        if isinstance(thing, type):
            names = [v for k, v in got[3] if k == "name"]
            modules = [v for k, v in got[3] if k == "module"]
            if not names or names[0][2] not in (thing.__qualname__, "%s.%s" % (thing.__module__, thing.__name__)) or \
                    modules not in ([], [cut_text(str(thing.__module__), limit)]):
                wrong("a type")
        elif isinstance(thing, pathlib.PurePath):
            path, = got[3]
            if path[0] != "path" or path[1][0] not in (STR, STR_CUT):
                wrong("a path")
            if path[1][0] == STR and pathlib.PurePath(path[1][2]) != pathlib.PurePath(os.fspath(thing)):
                wrong("a path %s" % os.fspath(thing))
        elif got[3] != attributes(thing, limit):
            wrong(attributes(thing, limit))


# ---- things to read ----

class Text(str):
    pass


class Number(int):
    pass


class Colour(enum.IntEnum):
    RED = 3


class Real(float):
    pass


class Group(set):
    pass


class Pair(collections.namedtuple("Pair", "a b")):
    pass


class Outer:
    class Inner:
        __slots__ = ("x",)

        def method(self):
            return self

    def __init__(self):
        self.x = 1
        self.y = 2


class PurePath:
    """It is not pathlib's: it must not be read as if it were."""


class PosixPath(PurePath):
    __slots__ = ()


def grown(n, holes):
    d = {}
    for i in range(n):
        d["key %d" % i if i % 3 else i] = i
    for key in list(d)[:holes]:
        del d[key]
    return d


def fixed():
    r = [None, True, False, Ellipsis, 0, 1, -1, 255, 256, -256, (1 << 30) - 1, 1 << 30, (1 << 60) - 1, 1 << 60,
         (1 << 63) - 1, 1 << 63, -(1 << 63), -(1 << 63) - 1, (1 << 64), 1 << 90, -(1 << 900) + 7, 1 << 5000, 1 << 200000,
         Number(7), Number(1 << 70), Colour.RED, 0.0, -0.0, 1.5, float("inf"), float("nan"), Real(2.5), 1j, complex(-0.0, 3),
         "", "a", "\0", "x" * 4095, "x" * 4096, "x" * 4097, "\xe9" * 2048, "\xe9" * 2049, "\u20ac" * 1366, "\U0001f40d" * 1025,
         "a\U0001f40d" * 900, "\udcff", "\ud800\udc00", Text("sub"), Text("s\xfcb"), Text("\u20ac"), Text(""),
         b"", b"\0" * 4097, b"abc", bytearray(), bytearray(b"xyz" * 3000), (), [], {}, set(), frozenset(), ((),), [[]], [{}],
         (1,) * 199, (1,) * 200, (1,) * 201, list(range(1000)), [None, [1, [2, [3, [4, [5, [6, [7, [8, [9]]]]]]]]]],
         {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}},
         grown(3, 0), grown(5, 3), grown(300, 20), grown(70000, 69990), {1: 2}, {(1, 2): [3]}, {None: None},
         {1, 2, 3}, {"a", "b"}, set(range(500)), frozenset([1, "x", None]), Group([1]), Pair(1, "b"), os.stat("/"),
         collections.OrderedDict(a=1, b=2), collections.defaultdict(list, a=[1]), collections.Counter("aab"),
         Outer().__dict__, vars(Outer()), dict.fromkeys(range(9)), {**vars(Outer())}, sys.version_info,
         fixed, fixed.__code__, compile("1", "f\xefle.py", "exec"), Outer.Inner().method, Outer, Outer.Inner, type, int, object,
         Text, Colour, socket.socket, type(None), collections.OrderedDict, types, sys, os.getpid, len, [].append, "".join,
         print, functools.partial(print), threading.Lock(), iter([]), open(os.devnull), object(), Outer(), Outer.Inner(),
         lambda: 0, staticmethod(len), property(len), Exception("x"), memoryview(b"abc"), range(3), slice(1),
         PurePath(), PosixPath(), pathlib.PurePath("/a", "b"), pathlib.PurePath(""), pathlib.PurePath("rel", "x", "/abs", "y"),
         pathlib.Path("/tmp") / "new", pathlib.Path("/tmp/x/y").parent, pathlib.PurePosixPath("a//b/./c"), pathlib.Path("caf\xe9"),
         socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), type("Made", (), {"__module__": 5}), type("\xd6", (Outer,), {})()]
    shown = pathlib.PurePath("/was", "shown")
    str(shown)
    loop = []
    loop.append(loop)
    deep = {}
    deep["me"] = deep
    half = set(range(40))
    half -= set(range(30))
    late = Outer()
    for i in range(40):
        setattr(late, "z%d" % i, i)
    del late.x
    moved = types.FunctionType(fixed.__code__, {}, "renamed")
    return r + [shown, loop, deep, half, late, late.__dict__, moved, types.MethodType(len, [])]


def anything(depth=0):
    kind = rng.randrange(16 if depth < 6 else 9)
    n = rng.choice((0, 1, 2, 3, 5, 9, 40))
    if kind == 0:
        return rng.choice((None, True, False, ..., 1.25, 2j))
    if kind == 1:
        return rng.randrange(-1000, 1000)
    if kind == 2:
        return rng.getrandbits(rng.choice((20, 31, 62, 64, 65, 200, 4000))) * rng.choice((1, -1))
    if kind < 6:
        letters = "ab\xe9\u0394\u20ac\U0001f40d\udc80" if kind > 3 else "qrs"
        return "".join(rng.choices(letters, k=n)) * rng.choice((1, 1, 60))
    if kind == 6:
        return bytes(rng.getrandbits(8) for _ in range(n)) * rng.choice((1, 100))
    if kind == 7:
        return Text("t" * n)
    if kind == 8:
        return rng.choice((len, Outer, Outer(), sys, anything, pathlib.PurePath("/x", str(n))))
    items = [anything(depth + 1) for _ in range(min(n, 12))]
    if kind < 11:
        return tuple(items)
    if kind < 13:
        return items
    keys = ["k%d" % i if rng.random() < 0.7 else i for i in range(len(items))]
    if kind == 13:
        return set(keys) if rng.random() < 0.5 else frozenset(keys)
    d = dict(zip(keys, items))
    for key in keys[:rng.randrange(3)]:
        del d[key]
    return d


def values():
    keep = fixed()
    random_ones = [anything() for _ in range(150)]
    for limit, max_items in ((4096, 200), (16, 3)):
        for thing in keep + random_ones:
            got, cut = read(thing, string_bytes=limit, max_items=max_items)
            check(got, thing, limit, max_items)
    # With room of any size: never a byte too many, and always something that can be decoded.
    for thing in keep[::3] + random_ones[::10]:
        for room in list(range(OUT_MIN, 420, 23)) + [1023, 1024, 1025, 1400, 3000]:
            read(thing, room=room, string_bytes=rng.choice((1, 100, 5000)), max_items=rng.choice((1, 20, 16383)))
    for thing in keep:
        if hasattr(thing, "fileno") and not isinstance(thing, type):
            thing.close()


# ---- names of threads ----

lib.inside_thread_name.restype = ctypes.c_long
lib.inside_thread_name.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64, ctypes.POINTER(ctypes.c_int)]
PERIOD = lib.inside_period()  # a number of ticks, which differs between CPUs


def told_name(tid=None, now=0):
    """Return (name as a value or None, whether the probe searched for it)."""
    if not hasattr(area, "at"):
        area.at = lib.inside_area()
    due = ctypes.c_int()
    n = lib.inside_thread_name(area.at, tid or threading.get_native_id(), now, ctypes.byref(due))
    if n < 0:
        raise Wrong("a lock was kept")
    return (Reader(ctypes.string_at(area.at, n)).value() if n else None), bool(due.value)


class Named(threading.Thread):
    """Other attributes come first, some are deleted again, and `name` is not threading's."""
    name = property(lambda self: 1 / 0, lambda self, value: setattr(self, "_name", value))
    n_before = 0

    def __init__(self, name, target):
        for i in range(self.n_before):
            setattr(self, "before_%d" % i, i)
        for i in range(self.n_before // 2):
            delattr(self, "before_%d" % i)
        super().__init__(name=name, target=target)

    def __repr__(self):
        return "a thread"


def thread_names():
    wrong = []

    def in_thread(kind, function, name=None, prepare=None):
        def run():
            try:
                function()
            except BaseException as e:
                wrong.append(repr(e))
        thread = kind(name=name, target=run)
        if prepare:
            prepare(thread)
        thread.start()
        thread.join()
        if wrong:
            raise Wrong("thread %.100r: %s" % (name, wrong[0]))

    def expect(got, want):
        global n_compared
        n_compared += 1
        if got != want:
            raise Wrong("told %.200r instead of %.200r" % (got, want))

    texts = ["a", "worker-7", "x" * 127, "x" * 128, "y" * 255, "z" * 256, "z" * 100000, "größe", "поток" * 30, "поток" * 60,
             "\U0001f40d" * 63, "\U0001f40d" * 64, "\udc80 \ud800", "new\nline\0nul", Text("sub"), Text("s\xfcb")]
    kinds = [threading.Thread, Named] + [type("N%d" % n, (Named,), {"n_before": n}) for n in (2, 20, 40, 200)]
    prepares = [None, lambda t: t.__dict__, lambda t: t.__dict__.update(later=1), lambda t: [setattr(t, "l%d" % i, i) for i in range(60)],
                lambda t: setattr(t, "__dict__", dict(t.__dict__)), lambda t: setattr(t, "__dict__", {**t.__dict__, 5: 1})]
    for name in texts:
        for kind in kinds:
            for prepare in prepares:
                def check_name():
                    # threading keeps str(name)
                    expect(told_name()[0], cut_text(str.__str__(threading.current_thread()._name), 255))
                    expect(told_name()[0], None)  # a name is recorded only once
                in_thread(kind, check_name, name, prepare)

    def renamed():
        me = threading.current_thread()
        expect(told_name()[0], cut_text("before", 255))
        for i in range(20):
            me._name = "after-%02d" % i
            expect(told_name()[0], cut_text("after-%02d" % i, 255))
        while told_name()[1]:  # for a while, the name of a new thread is searched for at each event
            pass
        me._name = "late"
        expect(told_name(), (None, False))
        expect(told_name(now=PERIOD), (cut_text("late", 255), True))
        expect(told_name(now=PERIOD), (None, False))
        expect(told_name(now=2 * PERIOD), (None, True))
        expect(told_name(now=(PERIOD << 32) - 1), (None, False))  # the clock went back as far as it can go forward
    in_thread(threading.Thread, renamed, "before")

    def strange():
        me = threading.current_thread()
        ident = me._ident
        for name in (None, 5, b"bytes", ["list"], 1.5):
            me._name = name
            expect(told_name()[0], None)
        me._name = "name"
        for other in (None, 0, -1, -ident, ident + 1, ident + (1 << 64), ident << 30, 1 << 200, "x"):
            me._ident = other
            expect(told_name()[0], None)
        me._ident = ident
        expect(told_name()[0], cut_text("name", 255))
        del me._name
        expect(told_name()[0], None)
        me._name = "again"
        expect(told_name()[0], cut_text("again", 255))
        me._name = "end"
    in_thread(threading.Thread, strange, "strange")

    def deep(n):
        if n:
            return deep(n - 1)
        expect(told_name(), (cut_text("deep", 255), True))
        for i in range(2 if sys.version_info < (3, 11) else 8):
            told_name()
        expect(told_name()[1], False)
        expect(told_name(now=2 * PERIOD)[1], False)  # a deep stack is searched less often
        expect(told_name(now=32 * PERIOD)[1], True)
    in_thread(threading.Thread, lambda: deep(400), "deep")

    # Three threads whose cache lines belong to one set of two: one loses its line, and its name is recorded again when
    # it returns.
    def crowd():
        tids = [77, 77 + 1024, 77 + 2048]
        for tid in tids:
            expect(told_name(tid), (cut_text("crowd", 255), True))
        again = [told_name(tid) for tid in tids]
        expect(any(a == (cut_text("crowd", 255), True) for a in again) and all(a[0] in (None, cut_text("crowd", 255)) for a in again), True)
    in_thread(threading.Thread, crowd, "crowd")

    # These are not threading's: bare threads, the first one, and functions that only look like it.
    done = threading.Event()

    def bare():
        try:
            expect(told_name(), (None, True))
        except Wrong as e:
            wrong.append(e)
        done.set()

    def _bootstrap(self=None, *rest):
        bare()
    class Cell:
        _name, _ident = "class", 1
    for call, args in ((bare, ()), (_bootstrap, ()), (_bootstrap, (5,)), (_bootstrap, ("x",)), (_bootstrap, (Cell,)), (_bootstrap, (Cell(),)),
                       (_bootstrap, ({"_name": "x", "_ident": 1},)), (_bootstrap, (object(),)), (lambda: _bootstrap(5), ())):
        done.clear()
        _thread.start_new_thread(call, args)
        done.wait()
        time.sleep(0.002)
    def _bootstrap():  # without a parameter
        bare()
    done.clear()
    _thread.start_new_thread(_bootstrap, ())
    done.wait()
    if wrong:
        raise Wrong("a bare thread: %s" % wrong[0])
    expect(told_name()[0], None)


# ---- frames ----

known = {}  # id → what was defined


def frames(room=300000, most=5000):
    if not hasattr(area, "at"):
        area.at = lib.inside_area()
    n_frames, cut = ctypes.c_uint32(), ctypes.c_int()
    n = lib.inside_frames(area.at, room, most, ctypes.byref(n_frames), ctypes.byref(cut))
    return decode_frames(ctypes.string_at(area.at, n), n_frames.value), bool(cut.value)


def decode_frames(data, n_frames):
    at, r = 0, []
    for _ in range(n_frames):
        code, lasti = struct.unpack_from("<II", data, at)
        at += 8
        if code & FRAME_DEFINES:
            size, first, n_file, n_name, n_table, n_full = struct.unpack_from("<6I", data, at)
            texts = Reader(data[at + 24:at + size])
            file, name = texts.value(), texts.value()
            if texts.at != n_file + n_name or (n_table and n_table != n_full) or size % 8:
                raise Wrong("a definition of %d + %d + %d bytes" % (n_file, n_name, n_table))
            code &= ~FRAME_DEFINES
            if code in known:
                raise Wrong("id %d was defined before" % code)
            known[code] = file[2], name[2], first, bytes(texts.take(n_table)), n_full
            at += size
        if code not in known:
            raise Wrong("id %d was never defined" % code)
        r.append((known[code], lasti))
    if at != len(data):
        raise Wrong("%d bytes behind the frames" % (len(data) - at))
    return r


def truth(frame):
    r = []
    while frame:
        c = frame.f_code
        table = c.co_linetable if sys.version_info >= (3, 10) else c.co_lnotab
        r.append(((c.co_filename, getattr(c, "co_qualname", c.co_name), c.co_firstlineno, table, len(table)), frame.f_lasti))
        frame = frame.f_back
    return r


def look(*_, **limits):
    """Compare the whole stack; called from many places. The two innermost frames continue between the two readings."""
    global n_compared
    got, cut = frames()
    want = truth(sys._getframe())
    n_compared += len(want)
    if [f[0] for f in got[1:]] != [f[0] for f in want] or [f[1] for f in got[2:]] != [f[1] for f in want[1:]] or cut:
        for i in range(max(len(got) - 1, len(want))):
            print(i, got[i + 1] if i + 1 < len(got) else None, want[i] if i < len(want) else None, file=sys.stderr)
        raise Wrong("the stack differs")
    return True


def recurse(n):
    return recurse(n - 1) if n else look()


def places():
    look()
    recurse(300)
    list(map(look, range(2)))
    sorted(range(3), key=look)
    [look() for _ in range(2)]
    {look(): look() for _ in range(2)}

    def gen():
        look()
        yield look()
        yield from (look() for _ in range(2))
    list(gen())
    next(gen())

    async def leaf():
        return look()

    async def agen():
        yield look()

    async def coro():
        await leaf()
        async for _ in agen():
            look()
        return [look() async for _ in agen()]
    try:
        coro().send(None)
    except StopIteration:
        pass

    class Body:
        look()

        @property
        def p(self):
            return look()

        def __del__(self):
            look()

        def __getattr__(self, name):
            return look()

        def __eq__(self, other):
            return look()

        def __hash__(self):
            return 1 if look() else 0
    b = Body()
    b.p
    b.other
    b in [1]
    {b: 1}
    del b
    exec("look()\ndef inner():\n    look()\ninner()", {"look": look})
    eval("look() + 1", {"look": look})
    try:
        raise ValueError
    except ValueError:
        look()
    finally:
        look()
    functools.reduce(lambda a, c: look(), range(3))
    with open(os.devnull) as f:
        look()
    old = sys.gettrace()
    for i in range(50):  # code objects are freed, and others get the same addresses
        exec(compile("\n" * i + "def f%d():\n%s    look()\nf%d()" % (i % 5, "    x = 1\n" * (i % 7), i % 5), "made %d" % (i % 3),
                     "exec"), {"look": look})
    big = "def wide():\n" + "    x = 1\n" * 20000 + "    look()\nwide()"
    exec(compile(big, "wide", "exec"), {"look": look_wide})
    threads = [threading.Thread(target=recurse, args=(i,)) for i in (1, 20)]
    for thread in threads:
        thread.start()
        thread.join()
    return old


def look_wide():
    """A line table that is too large for its room: only its first line is known."""
    got, cut = frames(room=20000)
    if not any(f[0][1] == "wide" and f[0][3] == b"" and f[0][4] > 20000 for f in got):
        raise Wrong("the wide function was not found, or with its table")


def limits():
    def down(n, see):
        return down(n - 1, see) if n else see()

    def few():
        got, cut = frames(most=10)
        if len(got) != 10 or not cut:
            raise Wrong("10 frames were wanted")

    def tight():
        for room in range(OUT_MIN, 3000, 57):
            got, cut = frames(room=room)
            if not cut:
                raise Wrong("no room, but nothing was cut")
    down(50, few)
    down(400, tight)


SUB = """
import ctypes, os
lib = ctypes.PyDLL({library!r})
lib.inside_area.restype = ctypes.c_void_p
lib.inside_frames.restype = ctypes.c_long
lib.inside_frames.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p]
def f{n}():
    area, n_frames, cut = lib.inside_area(), ctypes.c_uint32(), ctypes.c_int()
    n = lib.inside_frames(area, 60000, 100, ctypes.addressof(n_frames), ctypes.addressof(cut))
    os.write({fd}, n_frames.value.to_bytes(4, "little") + ctypes.string_at(area, n))
f{n}()
"""


def interpreters():
    """Code objects of short-lived interpreters get the same addresses with the same version numbers."""
    global n_compared
    if sys.version_info < (3, 13):  # before 3.13, _ctypes cannot be imported in an interpreter of its own
        return
    import _interpreters
    for i in range(6):
        there, back = os.pipe()
        interpreter = _interpreters.create()
        error = _interpreters.run_string(interpreter, SUB.format(library=sys.argv[1], n=i, fd=back))
        _interpreters.destroy(interpreter)
        if error:
            raise Wrong("an interpreter failed: %s" % error)
        data = os.read(there, 65536)
        os.close(there)
        os.close(back)
        got = [f[0][1] for f in decode_frames(data[4:], int.from_bytes(data[:4], "little"))]
        if got != ["f%d" % i, "<module>"]:
            raise Wrong("interpreter %d: %s" % (i, got))
        n_compared += 1


# ---- while other threads change the objects ----

def storm(seconds):
    shared = {"list": [1], "dict": {}, "set": set(), "bytes": bytearray(b"x" * 100), "deep": [[], {}]}
    end = time.monotonic() + seconds
    errors = []

    def change(seed):
        r = random.Random(seed)
        while time.monotonic() < end:
            for _ in range(200):
                i = r.randrange(100)
                shared["list"][:] = ["s%d" % k for k in range(i)]
                shared["dict"]["k%d" % i] = [i]
                shared["dict"].pop("k%d" % r.randrange(100), None)
                shared["set"].add("e%d" % i)
                shared["set"].discard("e%d" % r.randrange(100))
                shared["bytes"] = bytearray(i)
                shared["deep"][0].append(i)
                seer._name = "seer-%d" % i
                setattr(seer, "more_%d" % i, i)
                if i == 5:
                    vars(seer)
                    shared["deep"][0].clear()
                    shared["dict"].clear()

    def see():
        global n_compared
        try:
            now = 0
            while time.monotonic() < end:
                for _ in range(50):
                    read(shared)
                    now += PERIOD
                    name, _ = told_name(now=now)
                    if name and not (name[0] == STR and name[2].startswith("seer-") and len(name[2]) < 8):
                        raise Wrong("a thread name %.300r" % (name,))
                    frames()
                    n_compared += 2
        except Exception as e:
            errors.append(e)
    seer = threading.Thread(target=see, name="seer-0")
    # In free-threaded builds only the objects' own locks protect them. Frames share one cache, so there is one reader.
    threads = [threading.Thread(target=change, args=(i,)) for i in range(2)] + [seer]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


# ---- asyncio ----

TASK_NONE, TASK_SAME, TASK_OTHER = range(3)


class Tasks:
    """An audit hook that reads the task of each event, as the probe does."""

    def __init__(self):
        self.area, self.last, self.wrong, self.lock, self.n = lib.inside_area(), None, [], threading.Lock(), 0
        self.pid = os.getpid()

    def __call__(self, event, args):
        if event != "task.mark" or os.getpid() != self.pid:
            return
        kind, name, ident, waiters = args
        answer = ctypes.c_int()
        with self.lock:
            n = lib.inside_task(self.area, ctypes.byref(answer))
            if n < 0:
                self.wrong.append("a lock was kept")
            elif answer.value == TASK_OTHER:
                self.last = Reader(ctypes.string_at(self.area, n)).value()
            last, self.n = self.last, self.n + 1
        want = None
        if ident:
            names = [cut_text(w, 255) for w in waiters]
            want = (LIST, 3, [cut_text(name, 255), (INT, ident), (LIST, len(names), names)])
        got = last if answer.value != TASK_NONE else None
        if got and kind == "two":  # 3.14 has a set of them
            got[2][2][2][:2] = sorted(got[2][2][2][:2])
        if got != want:
            self.wrong.append("%s: %.300r instead of %.300r" % (kind, got, want))


def published():
    """What the module's section .AsyncioDebug says (v3.14.0 Modules/_asynciomodule.c, Py_AsyncioModuleDebugOffsets)."""
    import _asyncio
    with open(getattr(_asyncio, "__file__", None) or os.path.realpath("/proc/self/exe"), "rb") as f:
        data = f.read()
    table, = struct.unpack_from("<Q", data, 40)
    n, names = struct.unpack_from("<HH", data, 60)
    sections = [struct.unpack_from("<IIQQQQ", data, table + 64 * i) for i in range(n)]
    for name, _, _, _, at, size in sections:
        start = sections[names][4] + name
        if data[start:data.index(b"\0", start)] == b".AsyncioDebug":
            said = struct.unpack_from("<%dQ" % (size // 8), data, at)
            return [said[0], said[1], said[2], said[4], said[11]]
    return None


def task_layout():
    global n_compared
    values = (ctypes.c_uint32 * 5)()
    lib.inside_task_layout(values)
    said = published()
    if sys.version_info >= (3, 14) and said != list(values):
        raise Wrong("the layout of tasks is %s, the module says %s" % (list(values), said))
    n_compared += 5


def asyncio_tasks():
    global n_compared
    task_layout()
    hook = Tasks()
    sys.addaudithook(hook)
    tasks.mark("before")
    tasks.asyncio.run(tasks.main(100))
    tasks.mark("after")
    n_compared += hook.n
    if hook.wrong or hook.n < 700:
        raise Wrong("%d of %d tasks:\n%s" % (len(hook.wrong), hook.n, "\n".join(hook.wrong[:8])))
    hook.pid = 0


def main():
    why = lib.inside_open()
    if why:
        sys.exit(why.decode())
    values()
    thread_names()
    places()
    limits()
    interpreters()
    asyncio_tasks()
    storm(0.6 if FREE_THREADED else 0.2)
    print("%d comparisons" % n_compared)


main()
