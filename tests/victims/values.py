"""values: raises victim.value KEY VALUE with values of every kind.

Facts: {"value": key, "is": what the JSON lines must contain (schema 1)}; for objects, the keys that must be there at
least.
"""
import base64
import collections
import enum
import os
import pathlib
import socket
import sys
import types

import victim


class Plain:
    """An instance of a class of this program."""


class Slotted:
    __slots__ = ("a",)


class Text(str):
    pass


class Number(int):
    pass


class Colour(enum.Enum):
    RED = 1


class Flag(enum.IntFlag):
    A = 4


class Inner:
    class Nested:
        def method(self):
            pass


Point = collections.namedtuple("Point", "x y")


def function():
    pass


def json_of(value):
    """Return the JSON lines form, schema 1, of plain values; for the facts that only this program knows about objects
    see cases()."""
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**64 else {"int": str(int(value))}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return {type(value).__name__: base64.b64encode(bytes(value)).decode()}
    if isinstance(value, (list, tuple)):
        return [json_of(v) for v in value]
    if isinstance(value, dict):
        return {k: json_of(v) for k, v in value.items()}
    raise TypeError(type(value))


def at(value, type_name, **more):
    return dict(more, type=type_name, id=hex(id(value)))


def cases():
    """Return (key, value, expected JSON)."""
    plain = [
        ("none", None), ("true", True), ("false", False), ("zero", 0), ("one", 1), ("minus", -1),
        ("2**30-1", 2**30 - 1), ("2**30", 2**30), ("-2**30", -(2**30)), ("2**31", 2**31), ("2**60", 2**60),
        ("2**63-1", 2**63 - 1), ("-2**63", -(2**63)),
        ("-2**63-1", -(2**63) - 1), ("2**64", 2**64), ("-2**64", -(2**64)), ("10**40", 10**40), ("-7**200", -(7**200)),
        ("float", 1.5), ("-0.0", -0.0), ("tiny", 5e-324), ("max", sys.float_info.max), ("0.1", 0.1),
        ("empty str", ""), ("ascii", "hello, world"), ("nul", "a\0b"), ("control", "\x1b[2J\r\n\t\x7f\x9b"),
        ("latin-1", "crème brûlée ÿ"), ("ucs-2", "大阪 Łódź"), ("ucs-4", "a\U0001f40dz"), ("astral only", "\U0010ffff"),
        ("lone high", "a\ud800b"), ("lone low", "\udcff"), ("two lone", "\udc00\ud800"), ("quotes", "\"'\\/"),
        ("bom", "\ufeffx"), ("long enough", "x" * 4000), ("latin-1 long", "é" * 1900),
        ("empty bytes", b""), ("bytes", b"\0\1\xff"), ("all bytes", bytes(range(256))), ("bytearray", bytearray(b"xyz")),
        ("empty tuple", ()), ("tuple", (1, "two", 3.0)), ("list", [1, [2, [3, [4]]]]), ("empty list", []),
        ("dict", {"a": 1, "b": {"c": [None, True]}}), ("empty dict", {}), ("namedtuple", Point(1, 2)),
        ("dict with a hole", dict([("a", 1), ("b", 2), ("c", 3)])),
        ("str subclass", Text("sub")), ("instance dict", Plain().__dict__),
    ]
    hole = plain[-3][1]
    del hole["b"]
    for key, value in plain:
        yield key, value, json_of(value)

    grown = bytearray(b"0123456789")
    del grown[:4]
    yield "bytearray with a moved start", grown, json_of(grown)
    split = Plain()
    split.x, split.y = 1, "two"
    yield "split dict", split.__dict__, {"x": 1, "y": "two"}

    instance, slotted, nested = Plain(), Slotted(), Inner.Nested()
    yield "instance", instance, at(instance, "__main__.Plain")
    yield "slotted", slotted, at(slotted, "__main__.Slotted")
    yield "nested class", nested, at(nested, "__main__.Inner.Nested")
    yield "class", Plain, at(Plain, "type", name="Plain", module="__main__")
    yield "class inside", Inner.Nested, at(Inner.Nested, "type", name="Inner.Nested", module="__main__")
    yield "builtin type", dict, at(dict, "type", name="dict")
    yield "module", os, at(os, "module", name="os")
    yield "module of ours", victim, at(victim, "module", name="victim")
    yield "function", function, at(function, "function", name="function", module="__main__")
    yield "inner function", Inner.Nested.method, at(Inner.Nested.method, "function", name="Inner.Nested.method")
    yield "lambda", (f := eval("lambda: 1")), at(f, "function", name="<lambda>")
    yield "builtin", len, at(len, "builtin_function_or_method", name="len")
    code = function.__code__
    yield "code", code, at(code, "code", name="function", file=code.co_filename, line=code.co_firstlineno)
    path = pathlib.Path("/tmp/大阪") / "x.txt"
    str(path)  # pathlib keeps it in the path object
    yield "path", path, at(path, type(path).__module__ + ".PosixPath", path="/tmp/大阪/x.txt")
    fresh = pathlib.PurePosixPath("/etc") / "host name"
    yield "path never shown", fresh, at(fresh, type(fresh).__module__ + ".PurePosixPath")
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    yield "socket", one, at(one, "socket.socket", fd=one.fileno(), family=int(socket.AF_INET))
    yield "ellipsis", ..., None
    yield "object()", (o := object()), at(o, "object")
    yield "enum", Colour.RED, at(Colour.RED, "__main__.Colour")
    yield "namespace", (n := types.SimpleNamespace(a=1)), at(n, "types.SimpleNamespace")
    error = ValueError("text")
    yield "exception", error, at(error, "ValueError")


for _ in victim.rounds(1):
    for key, value, expected in cases():
        sys.audit("victim.value", key, value)
        victim.say(value=key, **{"is": expected})
    loop = [1]
    loop.append(loop)
    deep = []
    for _ in range(100):
        deep = [deep]
    sys.audit("victim.odd", "loop", loop)
    sys.audit("victim.odd", "deep", deep)
    sys.audit("victim.odd", "set", {1}, frozenset(["a"]))
    sys.audit("victim.odd", "nan", float("nan"), float("inf"), -float("inf"), 1 + 2j)
    sys.audit("victim.odd", "keys", {1: "one", (2, 3): b"x", None: 0})
    sys.audit("victim.odd", "cut str", "y" * 10000)
    sys.audit("victim.odd", "cut wide", "大" * 10000)
    sys.audit("victim.odd", "cut bytes", b"z" * 10000)
    sys.audit("victim.odd", "long list", list(range(100000)))
    sys.audit("victim.odd", "huge int", 1 << 100000)
    sys.audit("victim.odd", "number", Number(5), Flag.A, socket.AF_INET)
    sys.audit("victim.odd", "none at all")
    sys.audit("victim.odd.alone")
    sys.audit("victim.odd.大阪", "event names may be anything")
    sys.audit("victim.odd." + "n" * 200, "and long")
    if "--long-name" in sys.argv:  # auditview keeps the first 255 bytes
        sys.audit("victim.odd." + "m" * 1000, "and very long")
victim.end(values="see above")
