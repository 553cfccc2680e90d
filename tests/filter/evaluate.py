"""evaluate: display filters over JSON lines, written from the description of the language alone (src/model/filter.h,
fields.h).

It shares only the JSON that it reads with the program: it has no dictionaries and no verdicts, and evaluates each event
by itself.
"""
import base64
import errno
import math
import os
import re
import signal
import socket

TOKEN = re.compile(r"""\s*(?:
    (?P<text>b?(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
  | (?P<op>==|!=|<=|>=|!~|=~|&&|\|\||\.\.|[<>~!(){}\[\],=&|])
  | (?P<theme>@[\w.*?$:-]+)
  | (?P<word>(?:(?!\.\.)[\w.*?$:\-/])+)
)""", re.X)
REGEX = re.compile(r"\s*/((?:\\.|[^/\\])*)/([imsx]*)")
SPELLINGS = {"=": "==", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "=~": "~", "matches": "~"}
SPELLINGS.update({k.upper(): v for k, v in SPELLINGS.items()}, IN="in", CONTAINS="contains")
OPERATORS = {"==", "!=", "<", "<=", ">", ">=", "~", "!~", "contains", "in", "&", *SPELLINGS}
SAME = {"null": "None", "none": "None", "nil": "None", "true": "True", "TRUE": "True", "false": "False", "FALSE": "False"}
UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
SIZES = {"k": 1024, "K": 1024, "M": 1024**2, "G": 1024**3}
TEXT_FIELDS = {"package", "descriptor", "task", "task.awaited_by", "event", "category", "theme", "thread", "process", "host", "file", "peer", "command"}
NUMBER_FIELDS = {"task.id", "pid", "ppid", "tid", "interp", "seq", "depth", "port"}
BOOL_FIELDS = {"documented", "children", "cut"}
FRAME_FIELDS = {"stack", "top", "caller"}
YES, NO, ABSENT = "yes", "no", "absent"


def unescape(s):
    def one(m):
        c = m.group(1)
        if c[0] in "xu" and len(c) > 1:
            return chr(int(c[1:], 16))
        return {"n": "\n", "t": "\t", "r": "\r"}.get(c, c if c in "\\\"'" else "\\" + c)
    return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", one, s, flags=re.S)


def constant(name):
    """Return the number that Python itself gives the name, and the bits that are not shown beside it."""
    for module, prefix, ignored in ((os, "O_", os.O_CLOEXEC), (socket, "AF_", 0), (signal, "SIG", 0), (errno, "E", 0),
                                    (socket, "SOCK_", socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)):
        value = getattr(module, name, None)
        if name.startswith(prefix) and isinstance(value, int):
            return int(value), ignored & ~int(value)
    return None


class Literal:
    def __init__(self, text, quoted):
        self.text, self.quoted, self.ignored, self.is_constant = text, quoted, 0, False

    def span(self):
        """The unit of the last decimal of a time, in ns."""
        m = re.fullmatch(r"-?\d+(?:\.(\d*))?([a-zA-Z]*)", self.text)
        return max(1, (UNITS[m.group(2)] if m.group(2) else 10**9) // 10**len(m.group(1) or ""))

    def value(self):
        """Like number(), for an argument: also names of numbers, joined by |, and octal."""
        if self.quoted:
            return None
        total = None
        for part in self.text.split("|"):
            part = part.strip()
            found = constant(part)
            if found:
                self.is_constant = True
                self.ignored |= found[1]
                number = found[0]
            elif re.fullmatch(r"-?0[0-7]+", part):
                number = int(part, 8)
            else:
                number = Literal(part, False).number()
            if number is None:
                return None
            total = number if total is None else total | number
        if self.is_constant:
            self.ignored &= ~total
        return total

    def number(self, times=False):
        if re.fullmatch(r"-?0[oObB][0-7]+", self.text):
            return int(self.text, 0)
        m = re.fullmatch(r"(-?)(?:0[xX]([0-9a-fA-F]+)|(\d+)(\.\d*)?([a-zA-Z]*))", self.text)
        if not m:
            return None
        sign = -1 if m.group(1) else 1
        if m.group(2):
            return sign * int(m.group(2), 16)
        v = float(m.group(3) + m.group(4)) if m.group(4) else int(m.group(3))
        unit = m.group(5)
        if times:
            v *= UNITS[unit] if unit else 10**9
            return sign * int(math.floor(v + 0.5))
        if unit and unit not in SIZES:
            return None
        return sign * v * (SIZES[unit] if unit else 1)


# ---- values ----

def is_special(v):
    if not isinstance(v, dict) or not v:
        return None
    k = next(iter(v))
    return k if k in ("int", "float", "complex", "const", "bytes", "bytearray", "str", "type", "cut", "set", "frozenset", "dict",
                      "unreadable") else None


def repr_float(f):
    return repr(f)


def plain(v):
    """Return what a filter compares."""
    if v is None or isinstance(v, bool):
        return str(v)
    if isinstance(v, str):
        return v
    if isinstance(v, int):
        return str(v)
    if isinstance(v, float):
        return repr_float(v)
    if isinstance(v, list):
        return "[" + ", ".join(map(plain, v)) + "]"
    k = is_special(v)
    if k == "int":
        return v["int"]
    if k in ("bytes", "bytearray"):
        return base64.b64decode(v[k]).decode("utf-8", "surrogateescape")
    if k == "cut":
        return plain(v["cut"])
    if k in ("set", "frozenset"):
        inner = ", ".join(map(plain, v[k]))
        if k == "set":
            return "{" + inner + "}" if inner else "set()"
        return "frozenset({" + inner + "})" if inner else "frozenset()"
    if k == "type":
        if isinstance(v.get("path"), str):
            return v["path"]
        word = {"code": "code", "type": "class", "function": "function", "module": "module"}.get(v["type"])
        if word and isinstance(v.get("name"), str):
            text = "<" + word + " " + (v["module"] + "." if "module" in v else "") + v["name"]
            if "file" in v:
                text += " " + v["file"]
            return text + (":%d" % v["line"] if "line" in v else "") + ">"
        attrs = "".join(" %s=%s" % (re.sub("_$", "", n), plain(a)) for n, a in v.items() if n not in ("type", "id"))
        return "<" + v["type"] + attrs + ">"
    if k is None:
        return "{" + ", ".join("%s: %s" % (n, plain(a)) for n, a in v.items()) + "}"
    raise ValueError(v)


def numeric(v):
    if isinstance(v, (bool, int, float)):
        return v
    return int(v["int"]) if is_special(v) == "int" else None


def length(v):
    if isinstance(v, (str, list)):
        return len(v)
    k = is_special(v)
    if k == "cut":
        return v["length"]
    if k in ("set", "frozenset", "dict"):
        return v.get("length", len(v[k]))
    if k in ("bytes", "bytearray"):
        return len(base64.b64decode(v[k]))
    if isinstance(v, dict) and k is None:
        return len(v)
    return None


def type_name(v):
    k = is_special(v)
    if k == "cut":
        return type_name(v["cut"])
    if k == "type":
        return v["type"]
    if k in ("int", "bytes", "bytearray", "str", "set", "frozenset", "dict", "float", "complex"):
        return k
    return {type(None): "NoneType"}.get(type(v), type(v).__name__)


def elements(v):
    if isinstance(v, list):
        return v
    k = is_special(v)
    if k == "cut":
        return elements(v["cut"])
    return v[k] if k in ("set", "frozenset") else None


# ---- the language ----

class Filter:
    def __init__(self, text, events, categories):
        self.text, self.at, self.events, self.categories = text, 0, events, categories
        self.tree = self.parse_or() if text.strip() else lambda e: True
        assert not self.text[self.at:].strip(), self.text[self.at:]

    def peek(self, regex=False):
        if regex:
            m = REGEX.match(self.text, self.at)
            if m:
                return "regex", m, m.end()
        m = TOKEN.match(self.text, self.at)
        return (m.lastgroup, m.group(m.lastgroup), m.end()) if m else (None, None, self.at)

    def take(self, regex=False):
        kind, value, self.at = self.peek(regex)
        return kind, value

    def accept(self, *values):
        kind, value, end = self.peek()
        if value in values and kind in ("op", "word"):
            self.at = end
            return value
        return None

    def parse_or(self):
        parts = [self.parse_and()]
        while self.accept("or", "||", "OR"):
            parts.append(self.parse_and())
        return parts[0] if len(parts) == 1 else lambda e: any(p(e) for p in parts)

    def parse_and(self):
        parts = [self.parse_not()]
        while self.accept("and", "&&", "AND"):
            parts.append(self.parse_not())
        return parts[0] if len(parts) == 1 else lambda e: all(p(e) for p in parts)

    def parse_not(self):
        if self.accept("not", "!", "NOT"):
            inner = self.parse_not()
            return lambda e: not inner(e)
        if self.accept("("):
            inner = self.parse_or()
            assert self.accept(")")
            return inner
        kind, value, end = self.peek(regex=True)
        if kind == "regex":
            self.at = end
            rx = compile_regex(value.group(1).replace("\\/", "/"), value.group(2))
            return lambda e: bool(rx.search(e["event"]))
        if kind == "text":
            self.at = end
            needle = unescape(value[1:-1])
            return lambda e: needle in e["event"] or any(needle in plain(v) for v in e["args"].values())
        if kind == "theme":
            self.at = end
            return lambda e: e["theme"] == re.sub("[-_]", " ", value[1:])
        return self.parse_word()

    def parse_word(self):
        _, word, end = self.peek()
        first = word.split(".")[0]
        if word in READY:
            self.at = end
            return READY[word]
        if first in TEXT_FIELDS | NUMBER_FIELDS | BOOL_FIELDS | {"python", "time"} and "." not in word:
            self.at = end
            return self.comparison(lambda e, f=first: gathered(e, f) if f in GATHERED else [field(e, f)], first)
        if first == "task" and word in TEXT_FIELDS | NUMBER_FIELDS:
            self.at = end
            return self.comparison(lambda e: gathered(e, word), word)
        if first in FRAME_FIELDS:
            self.at = end
            member = word.partition(".")[2]
            return self.comparison(lambda e: frames(e, first, member), "package" if member == "package" else
                                   "line" if member == "line" else "frame " + member)
        if first == "args":
            self.at = end
            return self.argument(None, word[4:])
        if "*" in word or "?" in word:
            self.at = end
            rx = re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in word), re.S)
            return lambda e: bool(rx.fullmatch(e["event"]))
        if word in self.events or word in self.categories:
            self.at = end
            if self.text[end:end + 1] == "[":
                return self.argument(word, "")
            return lambda e: e["event"] == word or e["category"] == word
        parts = word.split(".")
        for n in range(len(parts) - 1, 0, -1):
            event = ".".join(parts[:n])
            if event in self.events:
                self.at = end
                return self.argument(event, word[len(event):])
        raise ValueError(word)

    def argument(self, event, rest):
        steps = [s for s in rest.split(".") if s]
        if steps[:1] == ["sys"]:  # an argument named sys.path
            steps[:2] = [".".join(steps[:2])]
        while self.at < len(self.text) and self.text[self.at] in "[.":
            m = re.compile(r"\[(\d+)\]|\.(\w+)").match(self.text, self.at)
            steps.append(int(m.group(1)) if m.group(1) else m.group(2))
            self.at = m.end()

        def values(e):
            if event and e["event"] != event:
                return []
            args = e["args"]
            if not steps:
                chosen = list(args.values())
            elif isinstance(steps[0], int):
                chosen = list(args.values())[steps[0]:steps[0] + 1]
            else:
                name = steps[0]
                if name in ("file", "path") and e["event"] == "open":  # it has another name in other versions
                    name = "file" if "file" in args else "path"
                chosen = [args[name]] if name in args else []
            return [w for v in chosen for w in follow(v, steps[1:])]
        return self.comparison(values, "args")

    def comparison(self, values, kind):
        op = self.accept(*OPERATORS)
        op = SPELLINGS.get(op, op)
        if op is None:
            if kind in BOOL_FIELDS:
                return lambda e: any(v is True for v in values(e))
            return lambda e: any(v is not None or kind == "args" for v in values(e))
        if op in ("~", "!~"):
            tkind, value = self.take(regex=True)
            rx = compile_regex(value.group(1).replace("\\/", "/"), value.group(2)) if tkind == "regex" else \
                compile_regex(value[1:-1].replace('\\"', '"') if tkind == "text" else value, "")
            test = lambda v: bool(rx.search(to_text(v, kind))) or (isinstance(v, Thread) and v.shown == ("main",) and bool(rx.search("main")))
        elif op == "contains":
            needle = self.literal().text
            test = lambda v: needle in to_text(v, kind) or (isinstance(v, Thread) and v.shown == ("main",) and needle in "main")
        elif op == "&":
            literals = [Literal(part.strip(), False) for part in self.literal().text.split("|")]
            bits = [(l.value(), l.is_constant) for l in literals]
            said = self.accept("==", "!=")
            if said:
                assert self.literal().text == "0"
                op = "!=" if said == "==" else op
            test = lambda v: numeric(v) is not None and not isinstance(numeric(v), float) and any(
                (numeric(v) & b) == b if whole else numeric(v) & b for b, whole in bits)
        elif op == "in":
            assert self.accept("{")
            tests = []
            while not self.accept("}"):
                low = self.literal()
                if self.accept(".."):
                    high = self.literal()
                    tests.append(lambda v, a=low, b=high: in_range(v, a, b, kind))
                else:
                    tests.append(lambda v, a=low: compare(v, "==", a, kind))
                self.accept(",")
            test = lambda v: any(t(v) for t in tests)
        else:
            literal = self.literal()
            test = lambda v: compare(v, "==" if op == "!=" else op, literal, kind)

        def run(e):
            found = [v for v in values(e) if v is not None or kind == "args"]
            if op in ("!=", "!~"):
                return bool(found) and not any(test(v) for v in found)
            return any(test(v) for v in found)
        return run

    def literal(self):
        kind, value = self.take()
        if kind == "text":
            return Literal(unescape(value[value[0] == "b":][1:-1]), True)
        while self.accept("|"):
            value += "|" + self.take()[1]
        return Literal(value, False)


def compile_regex(pattern, flags):
    return re.compile(pattern, sum({"i": re.I, "m": re.M, "s": re.S, "x": re.X}[f] for f in flags))


class Thread(str):
    """A name, with the form that the screen shows."""
    shown = ()


def argv(v):
    """Return it as a line for the shell."""
    return " ".join((w if w and not re.search(r"[\s\"'\\$`*?\[\]{}()<>|&;!]|^[#~]", w) else "'" + w + "'") if isinstance(w, str) else plain(w)
                    for w in v)


# Which arguments of which events hold a file, a host, a port, a command: by hand, from the documentation of Python.
FILES = {"open": ["path", "file"], "os.listdir": ["path"], "os.remove": ["path"], "os.rmdir": ["path"], "os.mkdir": ["path"], "os.rename": ["src", "dst"], "sqlite3.connect": ["database"],
         "shutil.copyfile": ["src", "dst"], "os.chmod": ["path"], "os.truncate": ["fd", "path"]}
HOSTS = {"socket.getaddrinfo": ("host", "port"), "socket.gethostbyname": ("hostname", None), "http.client.connect": ("host", "port")}
ADDRESSES = {"socket.connect", "socket.bind", "socket.sendto"}
COMMANDS = {"subprocess.Popen": "args", "os.system": "command", "os.posix_spawn": "argv", "os.exec": "args"}
GATHERED = {"file", "peer", "port", "command", "descriptor", "task", "task.id", "task.awaited_by"}


def gathered(e, name):
    args, event = e["args"], e["event"]
    text = lambda v: plain(v) if isinstance(v, str) or is_special(v) in ("bytes", "cut") else None
    if name.startswith("task"):
        by = e.get("task")
        return (by["awaited_by"] if name == "task.awaited_by" else [by[name.partition(".")[2] or "name"]]) if by else []
    if name == "descriptor":
        return list(e.get("descriptors", {}).values())
    if name == "file":
        return [text(args[a]) for a in FILES.get(event, []) if a in args]
    if name == "command":
        v = args.get(COMMANDS.get(event))
        return [argv(v) if isinstance(v, list) else text(v)]
    host = port = None
    if event in ADDRESSES:
        address = args["address"]
        host, port = (address[0], address[1]) if isinstance(address, list) else (address, None)
    elif event in HOSTS:
        host, port = (args.get(a) for a in HOSTS[event])
    elif event == "urllib.Request":
        import urllib.parse
        url = urllib.parse.urlsplit(args["fullurl"])
        host, port = url.hostname, url.port or {"http": 80, "https": 443, "ftp": 21}[url.scheme]
    if name == "peer":
        return [text(host)]
    return [port if isinstance(port, int) else int(port) if isinstance(port, str) and port.isdigit() else None]


def is_opened(e, to_write):
    named = any(v is not None for v in gathered(e, "file"))
    return e["event"] == "open" and named and ((e["args"]["flags"] & 3) in (1, 2) if to_write else (e["args"]["flags"] & 3) != 1)


def is_from_text(e):
    code = e["args"].get("code_object")
    file = code.get("file", "") if isinstance(code, dict) else e["args"].get("filename") if e["event"] == "compile" else ""
    return e["event"] == "cpython.run_command" or (e["event"] in ("compile", "exec") and isinstance(file, str) and file.startswith("<") and
                                                   not file.startswith("<frozen "))


LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}
READY = {
    "files-written": lambda e: is_opened(e, True) or e["event"] in ("os.truncate", "os.rename", "os.link", "os.symlink", "os.mkdir", "os.remove", "os.rmdir"),
    "files-read": lambda e: is_opened(e, False),
    "commands-run": lambda e: any(v is not None for v in gathered(e, "command")),
    "network-out": lambda e: any(v is not None for v in gathered(e, "peer")) and e["event"] not in LOOKUPS | {"socket.bind"},
    "names-looked-up": lambda e: e["event"] in LOOKUPS,
    "code-from-strings": is_from_text,
    "native-loaded": lambda e: e["event"] in ("ctypes.dlopen", "sqlite3.load_extension") or (
        e["event"] == "import" and bool(re.search(r"\.(so|pyd|dylib)", e["args"]["filename"] or ""))),
    "objects-unpickled": lambda e: e["event"] == "pickle.find_class",
    "permissions-changed": lambda e: e["event"] in ("os.chmod", "os.chown", "os.chflags", "os.setxattr", "os.removexattr", "shutil.chown",
                                                    "shutil.copymode"),
    "only-my-code": lambda e: bool(frames(e, "caller", "")) and not any(
        f and (f.startswith("<frozen ") or "/importlib/" in f) for f in frames(e, "top", "file")) and not any(
        f and (f == "<frozen site>" or re.search(r"/python[0-9.]+t?/site\.py$", f)) for f in frames(e, "stack", "file")),
}


def ends_with(v, text, separator):
    return bool(text) and text[0] != separator and v.endswith(separator + text)


def to_text(v, kind):
    return plain(v) if kind == "args" else str(v)


def order(a, op, b):
    return {"==": a == b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]


def version(text):
    return tuple(int(x) for x in text.split("."))


def compare(v, op, literal, kind):
    if kind in NUMBER_FIELDS or kind == "line":
        return order(v, op, literal.number())
    if kind == "time":
        number = wall(literal.text) if re.match(r"\d{4}-", literal.text) else None
        if op == "==" and number is None:
            return 0 <= v["ns"] - literal.number(True) < literal.span()
        return order(v["wall"] if number is not None else v["ns"], op, number if number is not None else literal.number(True))
    if kind in BOOL_FIELDS:
        return v == (literal.text in ("true", "True", "1", "yes"))
    if kind == "python":
        want = version(literal.text)
        return order(version(v)[:len(want)], op, want)
    if kind == "args":
        number = literal.value()
        if number is not None:
            have = numeric(v)
            if have is not None:
                return order(have & ~literal.ignored if isinstance(have, int) else have, op, number)
            if op != "==":
                return False
        if op == "==" and not literal.quoted and plain(v) == SAME.get(literal.text):
            return True
        if op == "==" and isinstance(v, list) and argv(v) == literal.text:
            return True
        return order(plain(v).encode("utf-8", "surrogatepass"), op, literal.text.encode("utf-8", "surrogatepass"))
    if op == "==" and kind == "package" and re.sub("[-_.]", "-", v.lower()) == re.sub("[-_.]", "-", literal.text.lower()):
        return True
    if op == "==" and isinstance(v, Thread) and literal.text in v.shown:
        return True
    if op == "==" and kind in ("frame file", "frame func", "file") and ends_with(v, literal.text, "." if kind == "frame func" else "/"):
        return True
    return order(v, op, literal.text)


def in_range(v, low, high, kind):
    if kind == "args" and numeric(v) is None:
        return False
    return compare(v, ">=", low, kind) and compare(v, "<=", high, kind)


def wall(text):
    import calendar
    import time
    m = re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?Z?", text)
    seconds = calendar.timegm(time.strptime(m.group(1) + " " + m.group(2), "%Y-%m-%d %H:%M:%S"))
    return seconds * 10**9 + int(((m.group(3) or "") + "0" * 9)[:9])


def follow(v, steps):
    for i, s in enumerate(steps):
        last = i == len(steps) - 1
        if isinstance(s, int):
            items = elements(v)
            if items is None or s >= len(items):
                return []
            v = items[s]
            continue
        k = is_special(v)
        if k == "type" and s not in ("type", "id") and s in v:
            v = v[s]
        elif isinstance(v, dict) and k is None and s in v:
            v = v[s]
        elif last and s == "type":
            return [type_name(v)]
        elif last and s == "id" and k == "type" and v["id"]:
            return [Address(int(v["id"], 16))]
        elif last and s == "length" and length(v) is not None:
            return [length(v)]
        else:
            return []
    return [v]


class Address(int):
    """An int that is shown as hexadecimal."""

    def __str__(self):
        return hex(int(self))


def field(e, name):
    if name in ("event", "category", "theme", "pid", "tid", "interp", "seq", "documented", "python"):
        return e[name]
    if name == "thread":
        name = Thread(e["thread"] or str(e["tid"]))
        if e["thread"] == "MainThread" or (not e["thread"] and e["tid"] == e["pid"]):
            name.shown = ("main",)
        m = re.fullmatch(r"Thread-(.+) \(.*", e["thread"])
        if m:
            name.shown = ("Thread-" + m.group(1), "T-" + m.group(1))
        return name
    if name == "host":
        return e.get("host.name")
    if name == "time":
        return {"ns": e["ts_ns"], "wall": wall(e["time"])}
    if name == "depth":
        return len(e["stack"])
    if name == "package":
        owner = package_of(e)
        return owner and owner[0]
    if name == "cut":
        return bool(e.get("flags", 0) & 7)
    p = e["_process"]
    return {"ppid": p["ppid"], "process": p["name"], "children": e["_is_child"]}[name]


def package(f, packages):
    """Return the entry of the longest path that the file is, or is below."""
    if "func" not in f or f["file"].startswith("<frozen") or re.search(r"/lib(64)?/python3\.\d+t?/|/importlib/", f["file"]):
        return None
    site = "-packages/" in f["file"]
    best = max(((len(path), -i, p) for i, p in enumerate(packages) for path in p[3:]
                if (f["file"].startswith(path) if path.endswith("/") else f["file"] == path) and not (site and p[2] == "e")), default=None)
    return best and best[2]


def is_library(f, prefixes):
    file = f["file"]
    owner = package(f, prefixes.packages)
    return (owner is not None and owner[2] == "-") or (file.startswith("<frozen ") or "/importlib/" in file or "/site-packages/" in file or "/dist-packages/" in file or
            bool(re.search(r"/lib(64)?/python3\.\d+t?/", file)) or any(file.startswith(p + "/") for p in prefixes))


class Prefixes(list):
    """Folders of the standard library, and the distributions that the capture names."""
    packages = ()


def package_of(e):
    """Return the entry of the innermost frame that is not of the standard library."""
    for f in e["stack"]:
        owner = package(f, e["_prefixes"].packages)
        if "func" in f and (owner or not is_library(f, e["_prefixes"]) or "-packages/" in f["file"]):
            return owner
    return None


def frames(e, which, member):
    stack = e["stack"]
    if which == "top":
        stack = stack[:1]
    elif which == "caller":
        own = [f for f in stack if "func" in f and not is_library(f, e["_prefixes"])]
        stack = own[:1]
    if not member:
        return [True for f in stack]
    found = []
    for f in stack:
        if member == "package":
            owner = package(f, e["_prefixes"].packages)
            found.append(owner and owner[0])
            continue
        v = f.get("func", f.get("native", f.get("mark"))) if member == "func" else f.get(member)
        found.append(v or None)
    return found


def prepare(lines):
    """Give every event the facts that the first event of its process has."""
    import json
    events = [json.loads(line) for line in lines]
    processes = {}
    for e in events:
        if "process" in e:
            processes[e["pid"]] = e["process"]
    prefixes = Prefixes(p for q in processes.values() for p in q["prefixes"])
    prefixes.packages = [p for q in processes.values() for p in q.get("packages", ())]
    for e in events:
        e["_process"] = processes[e["pid"]]
        e["_is_child"] = processes[e["pid"]]["ppid"] in processes
        e["_prefixes"] = prefixes
    return events
