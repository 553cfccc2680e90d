#!/usr/bin/env python3
"""manual: the documentation knows every option, command, action, field and format, and none that does not exist.

manual.py PAGE PROGRAM

PAGE is the built manual page. Tables are read from the sources, so a row that the program forgets to print is found
too.
"""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


def names(pattern, text):
    return set(re.findall(pattern, text, re.M))


def main():
    page_path, program = sys.argv[1:]
    with open(page_path, encoding="utf-8") as f:
        page = f.read().replace("\\-", "-")
    problems = []

    def expect(wanted, seen, what, where):
        for name in sorted(wanted - seen):
            problems.append(f"{what} {name} is not in {where}")

    options_c = read("src", "options.c")
    rows = re.findall(r'\{ "([a-z-]+)", (?:\'(.)\'|0),( \.is_hidden = true,)?(.*)', options_c)
    options = {name for name, _, hidden, _ in rows if not hidden}
    switches = {name for name, _, _, rest in rows if "OPTION_SWITCH" in rest}
    letters = {letter for _, letter, _, _ in rows if letter}
    commands = names(r'\.name = "([a-z]+)"', read("src", "commands", "commands.c"))
    actions = names(r'^\tX\([A-Z_]+, +"([a-z-]+)"', read("ui", "action.h"))
    fields = names(r'^\t\[FIELD_[A-Z]+\] += \{ "([a-z]+)"', read("src", "model", "fields.c"))
    settings = names(r'^\t\{ "([a-z]+)", set_', read("ui", "config.c"))
    for what, found, at_least in (("settings", settings, 9), ("options", options, 25), ("commands", commands, 11), ("actions", actions, 50), ("fields", fields, 15)):
        if len(found) < at_least:
            problems.append(f"only {len(found)} {what} were found in the sources: this test reads them wrongly")

    bold = names(r"^\.B (\S+)", page)
    section = dict(re.findall(r"(?ms)^\.SH ([A-Z ]+)\n(.*?)(?=^\.SH |\Z)", page))
    expect({f"--{o}" for o in options - switches} | {f"--[no-]{o}" for o in switches}, names(r"(--(?:\[no-\])?[a-z-]+)", section["OPTIONS"]),
           "option", "the manual's OPTIONS")
    expect({f"-{c}" for c in letters}, names(r"^\.B (-\w), ", section["OPTIONS"]), "letter", "the manual's OPTIONS")
    expect(commands, names(r"^\.B auditview ([a-z]+)", section["COMMANDS"]), "command", "the manual's COMMANDS")
    expect(actions, {b.split("\\")[0] for b in bold}, "action", "the manual's ACTIONS AND KEYS")
    expect(fields, names(r"^\.B (\S+)", section["FILTER FIELDS"]), "field", "the manual's FILTER FIELDS")
    expect(settings, names(r"^\.B (\S+)", section["CONFIGURATION"]), "setting", "the manual's CONFIGURATION")
    formats = names(r"^\.B (\S+)", section["FORMATS"])
    spoken = re.search(r'"format", .*?\.doc = (.*?) \}', options_c, re.S).group(1)
    words = set(re.findall(r'"(\w+)"', re.search(r"format_words\[\] = \{(.*?)\}", options_c, re.S).group(1)))
    expect(formats - {"jsonl"} | {"json"}, words, "format", "format_words[] of src/options.c (completion)")
    expect(words - {"json"}, formats, "format of format_words[]", "the table in src/export/exporter.c")
    expect(formats, set(re.findall(r"\w+", spoken)), "format", "the doc of --format in src/options.c")

    # Text written by hand must name no option or command that does not exist, and the README's table must have all
    # commands.
    known = {f"--{o}" for o in options} | {f"--no-{o}" for o in switches}
    for path in (("README.md",), ("data", "auditview.1.in")):
        text = read(*path).replace("\\-", "-")
        for line in text.split("\n"):
            if "auditview" not in line and path[0] == "README.md":
                continue
            expect(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", line)) - {"--manual"}, known, "option", f"{'/'.join(path)}: there is no such option")
        expect(set(re.findall(r"(?<!/)\bauditview (?!is\b|has\b|does\b|or\b|and\b)([a-z]+) ", "\n".join(re.findall(r"`auditview [^`]*`|^    auditview .*$", text, re.M)))) - {"run"},
               commands, "command", f"{'/'.join(path)}: there is no such command")
    expect(commands, names(r"^\| `auditview ([a-z]+)`", read("README.md")), "command", "the table in README.md")

    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-k", page_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in done.stderr.decode().splitlines():
            if "cannot adjust line" not in line and "can't break line" not in line:
                problems.append(line)
    for command in [[]] + [[c] for c in sorted(commands)]:
        done = subprocess.run([program, *command, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode or b"usage: auditview" not in done.stdout or done.stderr:
            problems.append(f"auditview {' '.join(command)} --help: status {done.returncode}, {done.stderr.decode()[:200]}")
    print("\n".join(problems) or f"{len(options)} options, {len(commands)} commands, {len(actions)} actions, {len(fields)} fields, "
          f"{len(formats)} formats: all documented")
    return 1 if problems else 0


sys.exit(main())
