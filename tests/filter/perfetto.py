"""perfetto: what a Perfetto trace says, as dictionaries of lists, by the names and numbers in perfetto.proto.

protoc --decode prints the same, but is not always installed. A field that the file does not have is an error.
"""
import os
import re


def read_messages(text):
    """Return {message: {number: (name, type)}}; nested messages and enums by their own names."""
    text = re.sub(r"//.*", "", text)
    messages, stack = {}, []
    token = re.compile(r"(message|enum) (\w+) *[{]|(?:optional|repeated) (\w+) (\w+) = (\d+);|([}])|\w+ = \d+;")
    for m in token.finditer(text):
        if m[1]:
            stack.append(m[2])
            messages[m[2]] = {} if m[1] == "message" else None
        elif m[6]:
            stack.pop()
        elif m[3]:
            messages[stack[-1]][int(m[5])] = (m[4], m[3])
    return messages


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def message(messages, name, data):
    """Return {field: [value, …]} of the bytes of a message."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        field, kind = messages[name][key >> 3]
        if key & 7 == 0:
            value, at = varint(data, at)
            value -= (kind.startswith("int") and value >> 63) << 64
        elif key & 7 == 1:
            value, at = int.from_bytes(data[at:at + 8], "little"), at + 8
        else:
            assert key & 7 == 2, (name, field, key & 7)
            n, at = varint(data, at)
            assert at + n <= len(data), (name, field)
            value, at = data[at:at + n], at + n
        is_bytes = isinstance(value, bytes)
        assert is_bytes == (kind in ("string", "bytes") or bool(messages.get(kind))), (name, field)
        if messages.get(kind):
            value = message(messages, kind, value)
        elif kind == "string":
            value = value.decode()
        found.setdefault(field, []).append(value)
    return found


def decode(data):
    """Return the packets."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "perfetto.proto"), encoding="utf-8") as f:
        messages = read_messages(f.read())
    return message(messages, "Trace", data).get("packet", [])
