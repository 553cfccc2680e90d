"""Make objects of every kind that the layouts describe, print the address and content of each, then wait for the end of
stdin.

<kind> <address, hex> <expected>…

Texts are hex of UTF-8 with surrogates passed ("-" if empty). test_python_live reads the same objects from outside and
compares. A second thread keeps changing objects meanwhile.
"""
import ctypes
import functools
import os
import pathlib
import socket
import sys
import threading


def text(s):
    return s.encode("utf-8", "surrogatepass").hex() or "-"


def say(kind, thing, *expected):
    address = thing if isinstance(thing, int) and kind.startswith("at_") else id(thing)
    print(kind, "%x" % address, *expected)


KEEP = []


def keep(thing):
    KEEP.append(thing)
    return thing


class Text(str):
    pass


class Outer:
    class Inner:
        def method(self):
            return self


class Plain:
    def __init__(self):
        self.first = "one"
        self.second = "two"


class Wide(Plain):
    """It has so many attributes that they leave the inline values, and a deleted one."""

    def __init__(self):
        super().__init__()
        for i in range(60):
            setattr(self, "a%d" % i, "v%d" % i)
        del self.a3


def values():
    for s in ("", "a", "plain ascii", "caf\xe9", "\u20ac uro", "\U0001f40d snake", "\udcff lone \ud800",
              "x" * 3000, "\xe9" * 700, Text("sub class"), Text("s\xfcb")):
        say("str", keep(s), text(s))
    for i in (0, 1, 5, -7, 1 << 29, 1 << 30, (1 << 45) + 12345, -(1 << 62), 1 << 70, -(1 << 200) - 3, True):
        say("int", keep(i), "%x" % abs(i), int(i < 0))
    say("float", keep(1.5e300), (1.5e300).hex())
    say("complex", keep(complex(1.25, -2.5)), (1.25).hex(), (-2.5).hex())
    say("bytes", keep(b"\x00\x01abc\xff"), b"\x00\x01abc\xff".hex())
    changed = keep(bytearray(b"0123456789"))
    del changed[:3]
    say("bytearray", changed, bytes(changed).hex())
    for items in (("t", "u", "v"), ["l", "m"], [], ()):
        say("items", keep(items), *[text(s) for s in items])
    grown = {"k%d" % i: "v%d" % i for i in range(400)}
    del grown["k7"], grown["k8"]
    for d in ({"a": "1", "b": "2"}, grown, {("t",): "x", "k": "y"}, {}):
        say("dict", keep(d), *["%s=%s" % (text(k), text(v)) for k, v in d.items() if isinstance(k, str)])
    say("dict_len", KEEP[-1], 0)
    say("dict_len", grown, len(grown))
    for s in ({"x", "y", "z"}, frozenset("pq"), set()):
        say("set", keep(s), *sorted(text(x) for x in s))
    holes = keep({"h%d" % i for i in range(5)})
    holes.discard("h2")
    holes.discard("h3")
    say("set_fill", holes, 5, 3)
    middle.note = "on a function"
    say("attribute", middle, text("note"), text(middle.note))
    for thing in (Plain(), Wide()):
        say("attribute", keep(thing), text("first"), text("one"))
        say("attribute", thing, text("second"), text("two"))
    say("attribute", thing, text("a59"), text("v59"))
    say("no_attribute", thing, text("a3"))


def objects():
    function = Outer.Inner.method
    code = function.__code__
    lines = code.co_linetable if sys.version_info >= (3, 10) else code.co_lnotab
    say("code", code, text(code.co_filename), text(code.co_name), text(getattr(code, "co_qualname", "")),
        code.co_firstlineno, lines.hex(), getattr(code, "_co_code_adaptive", b"").hex() or "-")
    twins = keep(compile("def a(): pass\ndef b(): pass", "twins", "exec"))
    twins = [c for c in twins.co_consts if hasattr(c, "co_name")]
    say("code_version", twins[0], "%x" % id(twins[1]))
    say("function", function, text(function.__module__), text("method"), text("Outer.Inner.method"), "%x" % id(code))
    bound = keep(Outer.Inner().method)
    say("method", bound, "%x" % id(bound.__func__), "%x" % id(bound.__self__))
    builtin = os.getpid
    say("builtin", builtin, text("getpid"), text("posix"), "%x" % id(builtin.__self__))
    say("heap_type", Outer.Inner, text("Inner"), text("Outer.Inner"), "%x" % id(object), Outer.Inner.__basicsize__)
    say("tp_name", functools.partial, text("functools.partial"))
    say("module", pathlib, text("pathlib"), "%x" % id(pathlib.__dict__))
    s = keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP))
    say("socket", s, s.fileno(), int(s.family), int(s.type), s.proto)
    path = keep(pathlib.PurePath("/tmp", "x.txt"))
    raw = getattr(path, "_raw_paths", None) if sys.version_info >= (3, 12) else None
    say("path", path, text(str(path)), *([text(raw[0]), text(raw[1])] if raw is not None else []))
    fresh = keep(pathlib.PurePath("/tmp", "never", "printed"))
    if sys.version_info < (3, 12):
        say("path_parts", fresh, *[text(p) for p in ("/", "tmp", "never", "printed")])
    for kind, thing in (("none", None), ("true", True), ("false", False), ("ellipsis", ...), ("type_code", type(code)),
                        ("type_module", type(sys)), ("type_function", type(function)), ("type_cfunction", type(builtin)),
                        ("type_method", type(bound)), ("type_type", type), ("type_float", float),
                        ("type_complex", complex), ("type_bytearray", bytearray), ("type_set", set),
                        ("type_frozenset", frozenset), ("type_bool", bool)):
        say("is", thing, kind)


def hook():
    api = ctypes.pythonapi
    harmless = ctypes.cast(api.Py_IsInitialized, ctypes.c_void_p).value
    api.PySys_AddAuditHook.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    assert api.PySys_AddAuditHook(harmless, 0x1234567) == 0
    say("at_hook", harmless, "%x" % 0x1234567)


def busy(stop):
    d = {}
    while not stop.is_set():
        for i in range(2000):
            d[str(i)] = [i]
        for i in range(2000):
            del d[str(i)]


def innermost():
    sys.stdout.flush()
    sys.stdin.read()


def generator():
    yield innermost()


def middle():
    return [list(generator()) for _ in range(1)]


def main():
    values()
    objects()
    hook()
    stop = threading.Event()
    names = ["w\xf6rker-1", "second"]
    threads = [threading.Thread(target=busy, args=(stop,), name=names[0], daemon=True),
               threading.Thread(target=stop.wait, name=names[1], daemon=True)]
    for thread in threads:
        thread.start()
    for thread in threads + [threading.main_thread()]:
        say("at_thread", thread.ident, text(thread.name), thread.native_id)
    say("at_version", sys.hexversion, sys.version.split()[0])
    say("at_sys_path", 0, *[text(p) for p in sys.path if p], text(os.path.dirname(os.__file__)))
    chain = [innermost, generator, middle, main]
    if sys.version_info < (3, 12):  # since PEP 709, comprehensions are part of their function
        chain.insert(2, [c for c in middle.__code__.co_consts if hasattr(c, "co_name")][0])
    say("at_frames", threading.get_ident(), *["%x" % id(getattr(f, "__code__", f)) for f in chain])
    frame = sys._getframe()
    print("at_line", "%x" % frame.f_lineno)
    print("ready")
    middle()
    stop.set()
    for thread in threads:
        thread.join()
    for thing in KEEP:
        if isinstance(thing, socket.socket):
            thing.close()


main()
