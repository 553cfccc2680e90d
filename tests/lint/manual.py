#!/usr/bin/env python3
"""manual: the documentation knows every option, command, action, field and format, and none that does not exist.

manual.py PROGRAM PAGE…

Each PAGE is a built manual page; none of them has a warning of groff, man or mandoc, as far as these are installed. Tables are read from the sources, so a row that the program forgets to print is found
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


CHECKERS = [
    ["groff", "-t", "-man", "-Tutf8", "-ww", "-k"],
    ["man", "--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l"],
    ["man", "--warnings", "-E", "ascii", "-Tascii", "-Z", "-l"],  # as with LANG=C
    ["mandoc", "-T", "lint", "-W", "warning"],
]


def page_warnings(paths):
    """What the checkers that are installed say of the pages. A page has no date, because its build is reproducible."""
    found = []
    env = dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8")
    for path in paths:
        for checker in CHECKERS:
            if not shutil.which(checker[0]):
                continue
            done = subprocess.run([*checker, path], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=180)
            said = done.stderr + (done.stdout if checker[0] == "mandoc" else b"")
            if checker[0] != "mandoc" and len(done.stdout) < 2000:
                found.append(f"{checker[0]} {path}: only {len(done.stdout)} bytes")
            found += [line for line in said.decode().splitlines() if line and not re.search("missing date|cannot adjust line|can't break line", line)]
    return found


def twice(pages):
    """Sentences that two places of the pages have: a fact is said once."""
    seen, found = {}, []
    for name, text in pages.items():
        text = re.sub(r"(?m)^\.(?:SH|SS|TP|PP|IP|nf|fi|br|RS|RE).*$", "\n\n", text)
        plain = re.sub(r"(?m)^\.[BIR]+ |\\f[BIR]|[\"\\]", "", text)
        for sentence in re.split(r"\n\n|(?<=[.:;])\s", plain):
            words = " ".join(sentence.split())
            if len(words) < 60 or words.startswith("Taken by:"):
                continue
            if words in seen:
                found.append(f"{seen[words]} and {name} both say: {words}")
            seen[words] = name
    return found


def main():
    program, *page_paths = sys.argv[1:]
    pages = {}
    for path in page_paths:
        with open(path, encoding="utf-8") as f:
            pages[os.path.basename(path)] = f.read().replace("\\-", "-")
    page = pages["auditview.1"]
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
    section = dict(s for p in pages.values() for s in re.findall(r"(?ms)^\.SH ([A-Z ]+)\n(.*?)(?=^\.SH |\Z)", p))
    order = re.findall(r"(?m)^\.SH (.*)", page)
    if order[3:4] != ["EXAMPLES"]:
        problems.append(f"auditview.1: EXAMPLES is not the fourth section: {order[:5]}")
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
    for path in (("README.md",), ("data", "auditview.1.in"), ("data", "filters.md"), ("data", "json-lines.md"),
                 ("data", "doc", "guide.md")):
        text = read(*path).replace("\\-", "-")
        for line in text.split("\n"):
            if "auditview" not in line and path[-1] in ("README.md", "guide.md"):
                continue
            if path[-1] == "guide.md":  # which names options of other programs, too
                line = line[line.index("auditview"):].split(" -- ")[0]
            expect(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", line)) - {"--manual"}, known, "option", f"{'/'.join(path)}: there is no such option")
        expect(set(re.findall(r"(?<!/)\bauditview (?!is\b|has\b|does\b|or\b|and\b)([a-z]+) ", "\n".join(re.findall(r"`auditview [^`]*`|^(?:    |\\$ )auditview .*$", text, re.M)))) - {"run"},
               commands, "command", f"{'/'.join(path)}: there is no such command")
    expect(commands, names(r"^\| `auditview ([a-z]+)`", read("README.md")), "command", "the table in README.md")

    problems += page_warnings(page_paths) + twice(pages)
    for command in [[]] + [[c] for c in sorted(commands)]:
        done = subprocess.run([program, *command, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode or b"usage: auditview" not in done.stdout or done.stderr:
            problems.append(f"auditview {' '.join(command)} --help: status {done.returncode}, {done.stderr.decode()[:200]}")
    print("\n".join(problems) or f"{len(options)} options, {len(commands)} commands, {len(actions)} actions, {len(fields)} fields, "
          f"{len(formats)} formats: all documented")
    return 1 if problems else 0


sys.exit(main())
