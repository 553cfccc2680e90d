#!/usr/bin/env python3
"""Measure which audit events the calls of data/api_calls.rec raise, in order, on every Python given.

    measure_apis.py --auditview PROGRAM [--python P]... --write data/api_map.tsv
    measure_apis.py --auditview PROGRAM [--python P]... --check data/api_map.tsv [--sample N]

Each Python runs all calls in one process under "auditview print"; audit events of our own mark where each begins and
ends. A call is run twice and the second run counts, so that modules it imports lazily do not. With --hook in place of
--auditview a hook of sys.addaudithook does the recording, which makes an independent second opinion.

Without --python: one of each release line that tests/pythons.sh lists. --check measures N calls spread over the list (all
without --sample) and compares; exit status 1 and a list of what differs if any does.

The result: api TAB call TAB versions TAB events (event, or event*N; "-" for none), one line per distinct outcome.
"""
import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CALLS = os.path.join(os.path.dirname(HERE), "api_calls.rec")
MARK = "auditview.measure"


# ---- the list of calls ----

def read_calls(path):
    """[{call, api, setup, fails, once, note}], as data/api_calls.rec says."""
    calls, call, field = [], None, None
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            if line.startswith("    "):
                if field != "setup":
                    sys.exit(f"{path}:{number}: only setup has lines below it")
                call["setup"] += line[4:] + "\n"
                continue
            field, _, text = line.partition(":")
            text = text.strip()
            if field == "call":
                m = re.match(r"[\w.]+", text)
                call = dict(call=text, api=m[0] if m else text, setup="", fails="", once=False, note="")
                calls.append(call)
            elif field == "once":
                call["once"] = text == "yes"
            elif field in ("api", "fails", "note"):
                call[field] = text
            elif field != "setup":
                sys.exit(f"{path}:{number}: unknown field {field!r}")
    names = [c["call"] for c in calls]
    for c in names:
        if names.count(c) > 1:
            sys.exit(f"{path}: the call {c} stands there twice")
    return calls


def find_pythons():
    """One program per release line from 3.8 on, the ordinary builds that tests/pythons.sh lists."""
    script = os.path.join(HERE, "..", "..", "tests", "pythons.sh")
    listed = subprocess.run(["sh", script], stdout=subprocess.PIPE, check=True).stdout.decode()
    by_line = {}
    for line in listed.splitlines():
        version, _, program = line.partition("\t")
        m = re.match(r"3\.(\d+)(\.\d+)*$", version)
        if m and int(m[1]) >= 8:
            by_line[int(m[1])] = program
    return [by_line[m] for m in sorted(by_line)]


# ---- inside the Python that is measured ----

class Skip(Exception):
    pass


def import_names(source, namespace):
    """Import what the code names: the longest dotted prefix that is a module."""
    import importlib
    try:
        tree = ast.parse(source)
    except SyntaxError as e:
        raise Skip(str(e))
    chains = set()
    for node in ast.walk(tree):
        parts = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            chains.add((node.id,) + tuple(parts))
    given = set(namespace)
    for chain in sorted(chains):
        if chain[0] in given or hasattr(__builtins__, chain[0]):
            continue
        for n in range(1, len(chain) + 1):
            try:
                importlib.import_module(".".join(chain[:n]))
            except ImportError:
                break
        root = sys.modules.get(chain[0])
        if root is not None:
            namespace[chain[0]] = root


def drive(calls, mark):
    """Run the calls; mark(index, what, text) is told of begin, end, skip and error."""
    import itertools
    import shutil
    import socket
    import types
    import warnings
    warnings.simplefilter("ignore")
    tmp = tempfile.mkdtemp(prefix="auditview-measure-")
    os.chdir(tmp)
    numbers, place = itertools.count(), [""]
    main_pid = os.getpid()

    def path(*parts):
        full = os.path.join(tmp, place[0], *parts)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        return full

    def file(name, content=""):
        with open(path(name), "w") as f:
            f.write(content)
        return path(name)

    def folder(name):
        os.makedirs(path(name), exist_ok=True)
        return path(name)

    def unique():
        return str(next(numbers))

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    address = listener.getsockname()
    server_pid = os.fork()
    if server_pid == 0:  # answers every connection; ends with its parent
        import signal
        try:
            import ctypes
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        except Exception:
            signal.alarm(120)
        while True:
            try:
                c, _ = listener.accept()
                c.settimeout(0.05)
                try:
                    c.recv(4096)
                    c.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
                except OSError:
                    pass
                c.close()
            except OSError:
                pass
    listener.close()
    environment = dict(os.environ)
    saved = {n: getattr(sys, n) for n in ("stdin", "stdout", "breakpointhook")}
    builtin_names = set(dir(__import__("builtins")))
    for index, call in enumerate(calls):
        if call is None:
            continue
        place[0] = str(index)  # each call has a folder of its own: what others left there is not seen
        os.mkdir(os.path.join(tmp, place[0]))
        state = dict(path=path, file=file, folder=folder, unique=unique, server=lambda: address, tmp=path(),
                     main_pid=main_pid, os=os, sys=sys, __name__="measured")
        try:
            import_names(call["setup"] + "\n" + call["call"], dict(state, **dict.fromkeys(builtin_names)))
            for n, m in list(sys.modules.items()):
                if "." not in n and n not in state and n not in builtin_names and isinstance(m, types.ModuleType):
                    state[n] = m
            body = "".join("    " + line + "\n" for line in call["call"].split("\n"))
            program = compile("def measured_call():\n    import_ = 0\n" + body, "<measured>", "exec")
            exec(program, state)
            setup = compile(call["setup"], "<setup>", "exec")
            for run in ("warm", "measured"):
                if call["once"] and run == "warm":
                    continue
                exec(setup, state)
                function, failure = state["measured_call"], None
                if run == "measured":
                    mark(index, "begin", "")
                try:
                    function()
                except Exception as e:
                    failure = e
                if run == "measured" and os.getpid() == main_pid:
                    mark(index, "end", "")
                if "after" in state:
                    state["after"]()
                if failure is not None:
                    kinds = [k.__name__ for k in type(failure).__mro__]
                    if not call["fails"] or call["fails"] not in kinds:
                        raise failure
        except (Skip, ImportError, AttributeError, NameError) as e:
            mark(index, "skip", repr(e))
        except Exception as e:
            mark(index, "error", repr(e))
        if os.getpid() != main_pid:
            os._exit(0)
        for n, v in saved.items():
            setattr(sys, n, v)
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        if "tracemalloc" in sys.modules:
            sys.modules["tracemalloc"].stop()
        if os.getcwd() != tmp:
            os.chdir(tmp)
        state = None
    os.kill(server_pid, 9)
    os.waitpid(server_pid, 0)
    os.chdir("/")
    shutil.rmtree(tmp, ignore_errors=True)


def drive_under_auditview(calls):
    drive(calls, lambda index, what, text: sys.audit(MARK, index, what, text))


def drive_under_hook(calls):
    lines, pid = [], os.getpid()

    def hook(event, args):
        if os.getpid() == pid:
            lines.append((event, args if event == MARK else None))

    sys.addaudithook(hook)
    drive(calls, lambda index, what, text: sys.audit(MARK, index, what, text))
    found = list(lines)
    with os.fdopen(3, "w") as out:
        for event, args in found:
            out.write(json.dumps({"event": event, "pid": pid, "args": args and dict(zip("012", args))}) + "\n")


# ---- outside ----

def sequences(lines, n_calls):
    """[events or None] per call, and [(index, what went wrong)], from JSON lines of events."""
    result, errors, now, pid = [None] * n_calls, [], None, None
    for line in lines:
        event = json.loads(line)
        if event["event"] == MARK:
            args = event["args"]
            index, what, text = int(args["0"]), args["1"], args["2"]
            pid = pid or event.get("pid")
            if what == "begin":
                now = result[index] = []
            elif what == "end":
                now = None
            elif what == "skip":
                result[index] = now = None
            else:
                errors.append((index, text))
        elif now is not None and event.get("pid") == pid:
            now.append(event["event"])
    return result, errors


def compress(events):
    out = []
    for e in events:
        if out and out[-1][0] == e:
            out[-1][1] += 1
        else:
            out.append([e, 1])
    return " ".join(e if n == 1 else f"{e}*{n}" for e, n in out) or "-"


def measure(python, calls, auditview):
    """-> ("3.N", [text or None] per call, [errors])"""
    version = subprocess.run([python, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"], stdout=subprocess.PIPE,
                             check=True).stdout.decode().strip()
    with tempfile.TemporaryDirectory() as d:
        listing, events = os.path.join(d, "calls.json"), os.path.join(d, "events.jsonl")
        with open(listing, "w") as f:
            json.dump(calls, f)
        # -I -S: nothing of the user's, no .pth files. Compiled modules are kept apart, so that each version has them alike.
        inner = [python, "-I", "-S", "-X", "pycache_prefix=" + d, os.path.abspath(__file__)]
        if auditview:
            command = [auditview, "print", "--stack", "off", "--no-follow", "-F", "json", "-o", events, "--"]
            command += inner + ["--drive", listing]
            fds = ()
        else:
            command = ["sh", "-c", '"$@" 3> "$0"', events] + inner + ["--drive-hook", listing]
            fds = ()
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              pass_fds=fds, timeout=120)
        with open(events, encoding="utf-8") as f:
            result, errors = sequences(f, len(calls))
        if done.returncode or not any(r is not None for r in result):
            sys.exit(f"{python}: exit status {done.returncode}\n{done.stderr.decode(errors='replace')[-2000:]}")
    failed = {i for i, _ in errors}
    texts = [None if r is None or i in failed else compress(r) for i, r in enumerate(result)]
    return version, texts, [f"{version}: {calls[i]['call']}: {text}" for i, text in errors]


def versions_text(minors):
    """3.8-3.11,3.13"""
    parts, minors = [], sorted(minors)
    for m in minors:
        if parts and parts[-1][1] == m - 1:
            parts[-1][1] = m
        else:
            parts.append([m, m])
    return ",".join(f"3.{a}" if a == b else f"3.{a}-3.{b}" for a, b in parts)


def versions_set(text):
    minors = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        a, b = int(first.split(".")[1]), int((last or first).split(".")[1])
        minors.update(range(a, b + 1))
    return minors


def write_map(path, calls, measured):
    lines = ["# Measured by data/gen/measure_apis.py on CPython " + " ".join(v for v, _ in measured),
             "# api\tcall\tversions\tevents in order"]
    for i, call in enumerate(calls):
        outcomes = {}
        for version, texts in measured:
            if texts[i] is not None:
                outcomes.setdefault(texts[i], set()).add(int(version.split(".")[1]))
        for text, minors in sorted(outcomes.items(), key=lambda o: min(o[1])):
            lines.append("\t".join([call["api"], call["call"], versions_text(minors), text]))
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


def read_map(path):
    """{(call, minor): events}"""
    found = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            if not line.startswith("#"):
                _, call, versions, events = line.rstrip("\n").split("\t")
                for minor in versions_set(versions):
                    found[call, minor] = events
    return found


def blind_spot_lies(calls, measured):
    for version, texts in measured:
        for call, text in zip(calls, texts):
            if call["note"].startswith("Blind spot") and text not in (None, "-"):
                yield f"{version}: {call['call']} is called a blind spot, yet raises {text}"


def main():
    if len(sys.argv) == 3 and sys.argv[1] in ("--drive", "--drive-hook"):
        with open(sys.argv[2], encoding="utf-8") as f:
            calls = json.load(f)
        return (drive_under_auditview if sys.argv[1] == "--drive" else drive_under_hook)(calls)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--auditview", metavar="PROGRAM")
    how.add_argument("--hook", action="store_true")
    parser.add_argument("--python", action="append")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", metavar="FILE")
    what.add_argument("--check", metavar="FILE")
    parser.add_argument("--sample", type=int, default=0)
    options = parser.parse_args()
    calls = read_calls(CALLS)
    wanted = calls
    if options.sample:
        step = max(1, len(calls) // options.sample)
        wanted = [c if i % step == 0 else None for i, c in enumerate(calls)]
    measured, problems, other = [], [], 0
    for python in options.python or find_pythons():
        version, texts, errors = measure(python, wanted, options.auditview)
        print(f"{version}: {sum(t is not None for t in texts)} calls measured, {len(errors)} failed", flush=True)
        measured.append((version, texts))
        problems += errors
    if not measured:
        sys.exit("no Python found")
    problems += blind_spot_lies(calls, measured)
    if options.write:
        write_map(options.write, calls, measured)
    else:
        known = read_map(options.check)
        n = 0
        for version, texts in measured:
            for call, text in zip(calls, texts):
                if text is None:
                    continue
                n += 1
                expected = known.get((call["call"], int(version.split(".")[1])))
                if expected is None:
                    other += 1
                elif expected != text:
                    problems.append(f"{version}: {call['call']}\n    recorded {expected}\n    measured {text}")
        print(f"{n} outcomes compared, {other} of them of versions or calls without a record")
        if n == other:
            problems.append("nothing was compared")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
