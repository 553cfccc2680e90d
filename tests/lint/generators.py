#!/usr/bin/env python3
"""generators: the checks of data/gen refuse bad data, name the place, and write nothing.

Each case is one change to a copy of data/: the file, what is replaced by what, and what the message must contain.
"""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CASES = [
    # generator, file, old, new, expected in the message
    ("gen_catalog.py", "events/network.rec", "event: socket.bind\n", "event: socket.zbind\n", "keep the order of names"),
    ("gen_catalog.py", "events/network.rec", "event: socket.bind\n", "event: socket bind\n", "no event name"),
    ("gen_catalog.py", "events/network.rec", "{address:hostport}", "{adress:hostport}", "no argument 'adress'"),
    ("gen_catalog.py", "events/network.rec", "{address:hostport}", "{address:hostprt}", "no reading 'hostprt'"),
    ("gen_catalog.py", "events/filesystem.rec", "[ in {dir_fd:fd}]", "[ in {dir_fd:fd}", "[ without ]"),
    ("gen_catalog.py", "events/filesystem.rec", "arg: path path|int ", "arg: path path|integer ", "unknown type 'integer'"),
    ("gen_catalog.py", "events/process.rec", "since: 3.8\n", "since: 2.7\n", "expected 3.8 to 3.15"),
    ("gen_catalog.py", "events/process.rec", "event: os.kill\n", "event: os.kill\nevent_: x\n", "unknown field 'event_'"),
    ("gen_catalog.py", "events/native.rec", "arg: name path|None library", "gist: {x}\narg: name path|None library", "given twice"),
    ("gen_catalog.py", "events/native.rec", "    import ctypes\n", "    import ctypes (\n", "example: line"),
    ("gen_catalog.py", "events/native.rec", "    import ctypes\n", "    import ctypes" + 70 * " " + "# long\n", "80 cells are the most"),
    ("gen_catalog.py", "events/threads.rec", "documented: no\n", "documented: perhaps\n", "yes or no"),
    ("gen_catalog.py", "verified_events.tsv", "os.kill\t3.8.18\tyes\t2", "os.kill\t3.8.18\tyes\t3", "had 3 arguments"),
    ("gen_catalog.py", "seed_events.tsv", "os.truncate", "os.truncat", "has no entry"),
    ("gen_catalog.py", "startup_events.tsv", "cpython.run_command", "cpython.run_comand", "but unknown"),
    ("gen_catalog.py", "themes.tsv", "threads\tprocess", "threads\tproces", "unknown group"),
    ("gen_api_map.py", "api_map.tsv", "os.rename(a, b)\t3.8-3.15\tos.rename", "os.rename(a, b)\t3.8-3.15\tos.renam", "unknown to the catalogue"),
    ("gen_api_map.py", "api_map.tsv", "os.rename(a, b)", "os.rename(a, c)", "is not in api_calls.rec"),
    ("gen_api_map.py", "api_map.tsv", "time.sleep(0)\t3.13-", "time.sleep(0)\t3.12-", "does not have it"),
    ("gen_api_map.py", "events/filesystem.rec", "raised-by: os.rmdir()\n", "raised-by: os.unlink()\n", "never measured"),
    ("gen_api_map.py", "blind_spots.rec", "calls: os.waitpid(pid, 0)", "calls: os.rename(a, b)", "raises something"),
    ("gen_api_map.py", "blind_spots.rec", "events: import exec compile", "events: import exec compil", "no event or theme compil"),
    ("gen_redaction.py", "redaction.rec", "rule: github\nanchor: ", "rule: github\nanchr: ", "unknown field 'anchr'"),
    ("gen_redaction.py", "redaction.rec", "rule: bearer\nanchor: bearer\n", "rule: bearer\n", "neither an anchor nor an event"),
    ("gen_redaction.py", "redaction.rec", "hide: got Bearer {{mF_9.B5f-4.1JqM}} back", "hide: got Bearer", "nothing in {{ }}"),
    ("gen_redaction.py", "redaction.rec", "least: 57", "least: many", "is no number"),
    ("gen_redaction.py", "redaction.rec", "kind: command", "kind: comand", "unknown kind 'comand'"),
    ("gen_redaction.py", "redaction.rec", "tells: pass ", "tells: pass pass ", "given twice"),
    ("gen_lessons.py", "lessons/2_socket.rec", "answer: number", "answer: numbr", "kinds are"),
    ("gen_lessons.py", "lessons/2_socket.rec", "lesson: 2\n", "lesson: 3\n", "expected 2, found 3"),
    ("gen_lessons.py", "lessons/2_socket.rec", "    client.close()\n", "    client.close(\n", "program: line"),
    ("gen_lessons.py", "lessons/2_socket.rec", "hint: ", "hnt: ", "unknown field 'hnt'"),
    ("gen_po.py", "po/zh_CN.po", 'msgid "network"', 'msgid network', "expected msgid or msgstr"),
    ("gen_po.py", "po/zh_CN.po", 'msgid "network"', 'msgid "process"', "given twice"),
    ("gen_po.py", "po/zh_CN.po", "3.%d 不引发它", "3.%s 不引发它", "conversions of"),
    ("gen_po.py", "po/zh_CN.po", "charset=UTF-8", "charset=GB18030", "charset=UTF-8 first"),
]


def run(generator, data):
    out = os.path.join(data, "out.c")
    done = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "data", "gen", generator), data, out], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout, os.path.exists(out)


def main():
    problems = 0
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "data")
        shutil.copytree(os.path.join(ROOT, "data"), data)
        for generator in sorted({c[0] for c in CASES}):
            status, text, is_there = run(generator, data)
            if status or not is_there:
                print(f"{generator} refuses the data as they are: {text}")
                problems += 1
            else:
                os.unlink(os.path.join(data, "out.c"))
        for generator, name, old, new, message in CASES:
            path = os.path.join(data, name)
            with open(path, encoding="utf-8") as f:
                good = f.read()
            if old not in good:
                print(f"{name}: {old!r} is not there: this test is out of date")
                problems += 1
                continue
            with open(path, "w", encoding="utf-8") as f:
                f.write(good.replace(old, new, 1))
            status, text, is_there = run(generator, data)
            if status == 0 or is_there or message not in text or name.split("/")[-1] not in text:
                print(f"{name}: {old!r} -> {new!r}: status {status}, expected {message!r} with the place:\n{text}")
                problems += 1
            with open(path, "w", encoding="utf-8") as f:
                f.write(good)
    print(f"{len(CASES)} kinds of bad data, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
