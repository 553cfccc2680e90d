"""refhook: read what the reference hook (refhook.c) saw, and say the same of a capture's JSON lines.

Canonical text of an event: its name, a line feed, and its argument tuple as one value:

    None n   True t   False f   Ellipsis e   int i<hex>;   float d<16 hex digits of its bits>; (NaN dnan;)   complex c<float><float>
    str s<code points>:<head>      bytes, bytearray b<length>:<head>      any other object o@<hex address>;
    tuple, list [<count>:<items>]  dict {<count>:<key value …>}           set, frozenset <<count>:<sum of items' CRCs>>

A head is the first HEAD bytes (UTF-8, whole code points, surrogates like others), or HEAD_BULK for three events; of
containers the first MAX_ITEMS items count, and none MAX_DEPTH levels down. So what auditview cuts does not differ here,
and the lengths it must still know are compared. Constants as in refhook.c.
"""
import base64
import json
import math
import os
import struct
import zlib

MAX_DEPTH, MAX_ITEMS, HEAD_BULK, HEAD = 5, 12, 240, 4000
BULK = {"marshal.loads", "compile", "code.__new__"}
HEADER = struct.Struct("<8sIIII")
ROW = struct.Struct("<IIQQ88s")


class Rows(dict):
    """(pid, tid, name) → (count, checksum). The empty name holds a thread's total and the CRC chained over its events."""

    def total(self):
        return sum(count for (_, _, name), (count, _) in self.items() if not name)


def read(folder):
    """All tables of a folder. Rows of several images of one process (exec) are added; their chains are not comparable."""
    rows = Rows()
    for name in sorted(os.listdir(folder)):
        if name.endswith(".log"):
            continue
        data = open(os.path.join(folder, name), "rb").read()
        magic, pid, row_bytes, n_rows, overflow = HEADER.unpack_from(data)
        if magic != b"REFHOOK1" or row_bytes != ROW.size:
            raise ValueError(f"{name} is no table of the reference hook")
        if overflow:
            raise ValueError(f"{name}: {overflow} events did not fit into the table")
        for i in range(n_rows):
            tid, used, count, total, raw = ROW.unpack_from(data, HEADER.size + i * ROW.size)
            if used:
                key = (pid, tid, raw.split(b"\0")[0].decode("utf-8", "replace"))
                if key in rows:
                    count, total = count + rows[key][0], None if not key[2] else total + rows[key][1]
                rows[key] = (count, total)
    return rows


def head_of(text, limit):
    """UTF-8 of the longest head of whole code points that fits; surrogates as three bytes."""
    raw = text[:limit].encode("utf-8", "surrogatepass")
    if len(raw) <= limit:
        return raw
    end = limit
    while raw[end] & 0xC0 == 0x80:
        end -= 1
    return raw[:end]


def double(value):
    return b"dnan;" if math.isnan(value) else b"d%016x;" % struct.unpack("<Q", struct.pack("<d", value))[0]


def integer(value):
    return b"i%s;" % format(value, "x").encode()


def items_of(values, count, depth, limit):
    body = b"" if depth >= MAX_DEPTH else b"".join(canonical(v, depth + 1, limit) for v in values[:MAX_ITEMS])
    return b"[%d:%s]" % (count, body)


def canonical(value, depth=0, limit=HEAD, length=None):
    """Canonical text of one JSON-lines value (schema 1). `length` is the full length of a cut one."""
    if value is None:
        return b"n"
    if value is True or value is False:
        return b"t" if value else b"f"
    if isinstance(value, int):
        return integer(value)
    if isinstance(value, float):
        return double(value)
    if isinstance(value, str):
        return b"s%d:%s" % (len(value) if length is None else length, head_of(value, limit))
    if isinstance(value, list):
        return items_of(value, len(value) if length is None else length, depth, limit)
    if "cut" in value and "length" in value:
        return canonical(value["cut"], depth, limit, value["length"])
    key = next(iter(value), None)
    inner = value.get(key)
    length = value.get("length", length)
    if key == "type" and "id" in value:
        return b"o@%x;" % int(value["id"] or "0", 16)
    if value.keys() <= {key, "length"}:
        if key == "int":
            return integer(int(inner, 0))
        if key in ("bytes", "bytearray"):
            raw = base64.b64decode(inner)
            return b"b%d:%s" % (len(raw) if length is None else length, raw[:limit])
        if key == "str":
            text = base64.b64decode(inner).decode("utf-8", "surrogatepass")
            return b"s%d:%s" % (len(text) if length is None else length, head_of(text, limit))
        if key == "float":
            return double(float(inner))
        if key == "complex":
            return b"c" + b"".join(double(float(v["float"] if isinstance(v, dict) else v)) for v in inner)
        if key in ("set", "frozenset"):
            if depth >= MAX_DEPTH:
                return b"<%d:>" % (len(inner) if length is None else length)
            total = sum(zlib.crc32(canonical(v, depth + 1, limit)) for v in inner)
            return b"<%d:%x>" % (len(inner) if length is None else length, total & 0xFFFFFFFFFFFFFFFF)
        if key == "dict":
            return pairs_of(inner, len(inner) if length is None else length, depth, limit)
        if key == "const":
            return b"e"
    return pairs_of(list(value.items()), len(value), depth, limit)


def pairs_of(pairs, count, depth, limit):
    body = b""
    if depth < MAX_DEPTH:
        body = b"".join(canonical(k, depth + 1, limit) + canonical(v, depth + 1, limit) for k, v in pairs[:MAX_ITEMS])
    return b"{%d:%s}" % (count, body)


def text_of(event):
    """Canonical text of one JSON line."""
    limit = HEAD_BULK if event["event"] in BULK else HEAD
    arguments = list(event["args"].values())
    return event["event"].encode("utf-8", "surrogatepass") + b"\n" + items_of(arguments, len(arguments), 0, limit)


def rows_of(events):
    """The rows the reference hook would have written for these JSON lines (dicts, in the order of the capture)."""
    rows = Rows()
    memo = {}
    for event in events:
        key = (event["event"], json.dumps(event["args"]))
        text = memo.get(key)
        if text is None:
            text = text_of(event)
            if len(memo) < 100000:
                memo[key] = text
        pid, tid = event["pid"], event["tid"]
        name = event["event"].encode("utf-8", "surrogatepass")[:87].decode("utf-8", "replace")
        count, total = rows.get((pid, tid, name), (0, 0))
        rows[pid, tid, name] = (count + 1, total + zlib.crc32(text))
        count, chain = rows.get((pid, tid, ""), (0, 0))
        rows[pid, tid, ""] = (count + 1, zlib.crc32(text, chain))
    return rows


def read_log(folder):
    """With REFHOOK_LOG: {(pid, tid): [canonical text, …]}."""
    texts = {}
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".log"):
            continue
        data = open(os.path.join(folder, name), "rb").read()
        pid, at = int(name.split(".")[0]), 0
        while at < len(data):
            end = data.index(b"\n", at)
            tid, n = map(int, data[at:end].split())
            texts.setdefault((pid, tid), []).append(data[end + 1:end + 1 + n])
            at = end + 2 + n
    return texts


def differences(reference, capture, most=6):
    """What differs between the two, for a message; empty when they are equal."""
    found = []
    for key in sorted(set(reference) | set(capture), key=str):
        pid, tid, name = key
        want, got = reference.get(key), capture.get(key)
        if want == got:
            continue
        if want and want[1] is None and got and want[0] == got[0]:
            continue
        label = f"pid {pid} tid {tid} {name or '(all)'}"
        if not got:
            found.append(f"{label}: {want[0]} raised, none captured")
        elif not want:
            found.append(f"{label}: {got[0]} captured, none raised")
        elif want[0] != got[0]:
            found.append(f"{label}: {want[0]} raised, {got[0]} captured")
        elif name:
            found.append(f"{label}: {want[0]} events, arguments differ")
        elif not any(line.startswith(f"pid {pid} tid {tid} ") for line in found):
            found.append(f"{label}: order differs")
    # The total line of a thread comes first and says less than the others.
    found.sort(key=lambda line: "(all)" in line)
    return found[:most] + ([f"… {len(found) - most} more"] if len(found) > most else [])
