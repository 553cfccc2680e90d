#!/usr/bin/env python3
"""tree: what the project promises about its own shape. One check per argument, all without; prints each offence.

    top-level   only src ui data tests meson.build README.md LICENSE and dotfiles
    paths       no path of one person's machine, no registry or mirror host
    length      no source file of more than 1000 lines, no function of C in src/ and ui/ of more than 100
    columns     no line of C of more than 100 columns outside of tables, where clang-format is off: it leaves comments alone
    unfinished  no word that says so
    readme      the README's two commands exist and can be run, its map names each folder and none else; LICENSE names the licence meson.build names
    docs        what data/doc names exists: files and folders, and tables in the files; NEWS begins with the version being built
    commands    README and manual page know every command
    exits       nothing in src/ and ui/ but main.c calls exit()
    writers     nothing in src/ and ui/ but the writers writes to a standard stream, and no message has its prefix twice
    words       no message says "1 events", and "who" and "nobody" are people
    comments    files of the project that a comment names exist
    cpu         no #if on the CPU outside of folders named arch
    ring        memory shared with a target is looked into by src/visit/ring.c alone
"""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAX_LINES = 1000
MAX_COLUMNS = 100
MAX_FUNCTION_LINES = 100


def read_rows(name):
    """Returns ([three columns, of which the last is a reason], [comment line…]) of a table beside this file."""
    rows, comments = [], []
    with open(os.path.join(ROOT, "tests", "lint", name), encoding="utf-8") as file:
        for line in file.read().splitlines():
            if not line or line.startswith("#"):
                comments.append(line)
                continue
            first, second, reason = line.split("\t")
            assert reason, line
            rows.append((first, second, reason))
    return rows, comments


def tracked():
    """Return the files that git tracks; without git, or in an unpacked archive, all files except builds."""
    if shutil.which("git"):
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if done.returncode == 0 and done.stdout:
            return [f for f in done.stdout.decode().split("\0") if f and os.path.exists(os.path.join(ROOT, f))]
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [f for f in folders if f != ".git" and not f.startswith("build") and f != "__pycache__"]
        found += [os.path.relpath(os.path.join(folder, f), ROOT) for f in files]
    return found


def text_of(path):
    """Return the text of a file, or None if it does not exist or is not UTF-8."""
    try:
        return open(os.path.join(ROOT, path), encoding="utf-8").read()
    except (UnicodeDecodeError, IsADirectoryError, FileNotFoundError):
        return None


def check_top_level(files):
    allowed = {"src", "ui", "data", "tests", "meson.build", "README.md", "LICENSE"}
    for top in sorted({f.split("/")[0] for f in files}):
        if top not in allowed and not top.startswith("."):
            yield f"{top}: does not belong on the top level"
    for must in ("meson.build", "README.md", "LICENSE", ".ci/run"):
        if must not in files:
            yield f"{must}: missing"


def check_paths(files):
    # The folder that holds this copy, a home, hosts of packages. Each pattern is written so that it does not match
    # itself.
    here = os.path.dirname(ROOT)
    common = {"/", "/tmp", "/var/tmp", "/usr/src", "/opt", "/srv", "/home", "/mnt"}
    words = [r"(?<![\w\"])/[r]oot/", r"/[r]oot/\.", r"https?://[^/ ]*(?:mirror|artifactory|nexus|proxy|registry)[^ ]*"]
    if here not in common:
        words.append(r"(?<![\w\"}])" + re.escape(here) + "/")
    pattern = re.compile("|".join(words))
    for path in files:
        text = text_of(path)
        if text is None or path.startswith("tests/fuzz/"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                yield f"{path}:{number}: a path or host of one machine: {line.strip()[:100]}"


def check_length(files):
    for path in files:
        if path.endswith((".c", ".h", ".S", ".py", ".sh")):
            n = (text_of(path) or "").count("\n")
            if n > MAX_LINES:
                yield f"{path}: {n} lines, {MAX_LINES} are the most"
    # clang-format puts the braces around the body of a function, and nothing else, alone on a line at the left edge.
    n = 0
    for path in files:
        if path.startswith(("src/", "ui/")) and path.endswith((".c", ".h")):
            lines = (text_of(path) or "").split("\n")
            for start, line in enumerate(lines):
                if line == "{" and "}" in lines[start:]:
                    n += 1
                    length = lines.index("}", start) - start + 2  # with the line of its name
                    if length > MAX_FUNCTION_LINES:
                        yield f"{path}:{start}: {length} lines, {MAX_FUNCTION_LINES} are the most: {lines[start - 1].strip()}"
    if n < 4000:
        yield f"only {n} functions were found: the check itself is broken"


def check_columns(files):
    n = 0
    for path in files:
        if not path.startswith(("src/", "ui/", "tests/")) or not path.endswith((".c", ".h", ".S")):
            continue
        is_table = False
        for number, line in enumerate((text_of(path) or "").splitlines(), 1):
            n += 1
            is_table = "clang-format off" in line or (is_table and "clang-format on" not in line)
            width = len(line.expandtabs(8))
            if width > MAX_COLUMNS and not is_table:
                yield f"{path}:{number}: {width} columns, {MAX_COLUMNS} are the most"
    if n < 10000:
        yield f"only {n} lines were looked at: the check itself is broken"


def check_unfinished(files):
    words = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK|not impl" r"emented|place" r"holder)\b")
    for path in files:
        if path.startswith(("src/", "ui/", "tests/", "data/")) and path.endswith((".c", ".h", ".S", ".py", ".sh", ".build", ".md")):
            for number, line in enumerate((text_of(path) or "").splitlines(), 1):
                if words.search(line):
                    yield f"{path}:{number}: unfinished by its own word: {line.strip()[:100]}"


def check_readme(files):
    text = text_of("README.md") or ""
    for command in ("tests/demo/run", "tests/run"):
        if not re.search(r"^\s*(?:\./)?" + re.escape(command) + r"\s*$", text, re.M):
            yield f"README.md: the command {command} does not stand on a line of its own"
        if not os.access(os.path.join(ROOT, command), os.X_OK):
            yield f"{command}: cannot be run"
    named = set(re.findall(r"`((?:src|ui|data|tests)/[\w./-]*)", text))
    for path in sorted(named):
        if not os.path.exists(os.path.join(ROOT, path)):
            yield f"README.md: there is no {path}"
    for folder in sorted({"/".join(f.split("/")[:2]) + "/" for f in files if f.startswith(("src/", "tests/")) and f.count("/") > 1} - named):
        yield f"README.md: does not say what {folder} is"
    licence = re.search(r"license:\s*'([^']+)'", text_of("meson.build") or "")
    if not licence:
        yield "meson.build: names no licence"
    elif licence.group(1).startswith("GPL-2") and "version 2" not in (text_of("LICENSE") or ""):
        yield "LICENSE: is not the licence meson.build names"


def check_docs(files):
    pages = [f for f in files if f.startswith("data/doc/") and f.endswith(".md")]
    if len(pages) < 3:
        yield "data/doc: HACKING.md, GLOSSARY.md and NEWS.md are expected"
    n_tables = 0
    for page in pages:
        text = text_of(page) or ""
        for path in sorted(set(re.findall(r"`((?:src|ui|data|tests)/[\w./-]*)[` ]", text))):
            if not os.path.exists(os.path.join(ROOT, path)):
                yield f"{page}: there is no {path}"
        for names, path in re.findall(r"((?:`\w+(?:\[\])?`,? )+)in `([\w./-]+)`", text):
            for name in re.findall(r"\w+", names):
                n_tables += 1
                if not re.search(rf"\b{name}\b", text_of(path) or ""):
                    yield f"{page}: {path} has no {name}"
    if n_tables < 10:
        yield f"data/doc: only {n_tables} tables are named; the check itself is broken"
    version = re.search(r"version: '([^']+)'", text_of("meson.build") or "")
    news = re.search(r"^## (\S+)$", text_of("data/doc/NEWS.md") or "", re.M)
    if not version or not news or version.group(1) != news.group(1):
        yield "data/doc/NEWS.md: its first section is not the version of meson.build"


def check_commands(files):
    table = text_of("src/commands/commands.c") or ""
    names = re.findall(r'^\s*\.name\s*=\s*"([a-z-]+)"', table, re.M)
    if not names:
        yield "src/commands/commands.c: no command found; the check itself is broken"
    for page, form in (("README.md", "auditview %s"),):  # the manual page is made from the table itself
        text = text_of(page)
        for name in names if text is not None else ():
            if not re.search(r"(?<![\w-])" + re.escape(form % name) + r"(?![\w-])", text):
                yield f"{page}: does not know the command {name}"


def check_ring(files):
    """The members of struct ring_shared and ring_slot are read in the probe, in ring.c and by lineup_look(). Elsewhere
    only offsetof() is allowed."""
    may = {"src/visit/ring.c", "src/recorder/lineup.c"}
    word = re.compile(r"\bring_(?:shared|slot) *\*|\bring\.shared *->|->shared *->|\bshared->(?!.*offsetof)")
    for path in files:
        if not path.startswith(("src/", "ui/")) or path.startswith("src/probe/") or path in may or not path.endswith((".c", ".h")):
            continue
        for number, line in enumerate((text_of(path) or "").splitlines(), 1):
            found = word.search(line)
            if found and not (path == "src/visit/ring.h" or re.search(r"lineup_look\(const struct ring_slot \*slot\);", line)):
                yield f"{path}:{number}: looks into the ring past ring.h: {line.strip()[:100]}"


# Files of other projects that comments name without a folder: sources of CPython, the kernel, SQLite, ncurses, and
# examples.
FOREIGN = {"setup.py", "manage.py", "pycore_runtime.h", "pycore_debug_offsets.h", "pycore_dict.h", "pycore_object.h", "pycore_stackref.h", "codeobject.c", "winreg.h",
           "cxxabi.h", "os_unix.c", "lib_tstp.c", "lib_mouse.c", "file.py", "__init__.py", "TARGET.py", "app.py", "compress.c"}
# The first folder of a path in another project: the kernel's, CPython's, glibc's, musl's, libunwind's and PostgreSQL's
# sources, system headers.
FOREIGN_FOLDERS = ("kernel/", "fs/", "mm/", "net/", "nptl/", "elf/", "lib/", "ldso/", "security/", "include/", "linux/", "arch/x86/", "arch/arm64/", "drivers/",
                   "src/dwarf/", "src/internal/", "src/backend/", "Include/", "Objects/", "Python/", "Modules/", "Lib/", "sys/", "shop/", "db/")


def check_cpu(files):
    """The CPU is chosen by the build, which takes a folder of arch/ (src/arch/arch.h)."""
    macro = re.compile(r"^\s*#\s*(?:el)?if[^/\n]*\b_*(?:x86_64|amd64|i[36]86|aarch64|arm|riscv|powerpc\w*|s390x?|loongarch\w*)(?:__)?\b", re.M)
    for path in files:
        if path.endswith((".c", ".h", ".S")) and "arch" not in path.split("/"):
            for found in macro.finditer(text_of(path)):
                yield f"{path}: {found.group().strip()}: what depends on the CPU belongs into arch/"


def check_comments(files):
    """A comment can outlive the file that it names. Only names with a suffix of source code or of our tables are
    checked."""
    name = re.compile(r'(?<![\w/.<"*{}-])((?:[\w.-]+/)*[\w-]+\.(?:c|h|S|py|tsv|rec|sh|lds|md))(?![\w/(*{])')
    ends = {"/".join(parts[i:]) for parts in (f.split("/") for f in files) for i in range(len(parts))}
    n = 0
    for path in files:
        if not path.startswith(("src/", "ui/", "tests/")) or not path.endswith((".c", ".h", ".S")):
            continue
        text = text_of(path) or ""
        for comment in re.finditer(r"/\*.*?\*/", text, re.S):
            for found in name.finditer(comment.group()):
                n += 1
                named = found.group(1)
                if named not in ends and named not in FOREIGN and not named.startswith(FOREIGN_FOLDERS):
                    line = text.count("\n", 0, comment.start() + found.start()) + 1
                    yield f"{path}:{line}: names {named}, which does not exist (or add it to FOREIGN of this check)"
    if n < 300:
        yield f"only {n} names of files were found in comments: the check itself is broken"


def check_exits(files):
    call = re.compile(r"(?<![\w.>])(?:exit|quick_exit)\s*\(")
    for path in files:
        if path.startswith(("src/", "ui/")) and path.endswith(".c") and path != "src/main.c":
            text = re.sub(r"/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", lambda m: "\n" * m.group().count("\n"), text_of(path) or "", flags=re.S)
            for number, line in enumerate(text.splitlines(), 1):
                if call.search(line):
                    yield f"{path}:{number}: only main.c exits"


# Which other files may write to a standard stream, and why. Formats of events use the exporters (io_write), the screen
# uses ui/term_curses.c; src/recorder/relay.c copies a launched program's own output.
WRITERS = {
    "src/base/say.c": "the writer: nothing leaves it that commands a terminal",
    "src/base/err.c": "a failed CHECK: texts of our own, and nothing may be allocated any more",
    "src/base/log.c": "AUDITVIEW_DEBUG, by way of utf8_add_plain()",
    "src/commands/pythons.c": "a child's standard error is closed",
    "src/system/fault.c": "faults of the tests, texts of our own",
}


def check_writers(files):
    call = re.compile(r"(?<![\w.>])(?:v?printf|puts|putchar|perror|putchar_unlocked)\s*\(|\b(?:stdout|stderr)\b"
                      r"|(?<![\w.>])v?dprintf\s*\(|(?<![\w.>])write\s*\(\s*(?:[12]|STD(?:OUT|ERR)_FILENO)\b")
    used = set()
    for path in files:
        if not path.startswith(("src/", "ui/")) or not path.endswith((".c", ".h")) or path.startswith("src/probe/") or path == "ui/term_curses.c":
            continue
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text_of(path) or "", flags=re.S)
        for match in re.finditer(r'\bsay_error\(\s*"auditview: ', text):
            yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}: say_error() itself writes the \"auditview: \""
        text = re.sub(r"\"(?:\\.|[^\"\\\n])*\"", '""', text)
        for number, line in enumerate(text.splitlines(), 1):
            if call.search(line):
                used.add(path)
                if path not in WRITERS:
                    yield f"{path}:{number}: only {', '.join(WRITERS)} write to a standard stream; use base/say.h: {line.strip()[:80]}"
    for path in sorted(set(WRITERS) - used):
        yield f"{path}: writes to no standard stream any more: take it off the list"


# Counts that are never 1, or are not counts; each with its reason. Debug notes are not checked.
NEVER_ONE = {
    "its first %zu bytes are damaged": "the size of the superblock",
    "  (%llu times)": "said from 2 on",
    "event%s of %zu captures": "two or more are merged",
    "%zu of %zu documented events": "a part of many",
    "expected fewer than %d terms": "a limit",
    "at most %d parentheses": "a limit",
    "a filter of more than %d bytes": "a limit",
    "(%zu files)": "said from 2 on",
    "at most %llu mappings": "a limit of the kernel",
    "at most %llu descriptors": "a limit of the kernel",
    "cannot write %zu bytes": "a store of a word or more",
    "%zu interpreters' libraries": "said from 2 on",
    "%zu unused bytes": "the size of the stub",
    "of its %zu modules": "a program and its loader",
    "shared memory of %zu bytes": "whole pages",
    "%u threads are watched": "a limit",
    "more than %zu folders": "a limit",
    "%s: %d columns": "a pane has many",
    "%s: %d lines": "a pane has many",
    "%zu events of Python 3": "the catalogue",
    "%d summaries": "ready ones",
    "%u workers": "one is not folded",
    "at most %zu characters": "a limit",
}
COUNTED = re.compile(r"%[-0-9.*]*(?:ll|l|z)?[ud] (?:more |documented |unused )?(?!(?:this|does|is|was|has|as|its|it|lives|keeps|continues|starts|stays|makes|waits|happens|holds|process)\b)"
                     r"(?:[a-z]{2,}s|children)\b")


def check_words(files):
    used = set()
    for path in files:
        if not path.startswith(("src/", "ui/")) or not path.endswith(".c") or path.startswith("src/probe/"):
            continue
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text_of(path) or "", flags=re.S)
        for match in re.finditer(r'"((?:\\.|[^"\\\n])*)"(?:\s*"(?:\\.|[^"\\\n])*")*', text):
            said = re.sub(r'"\s*"', "", match.group())[1:-1]
            where = f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
            before = text[text.rfind(";", 0, match.start()) + 1:match.start()]
            if "log_debug" in before:
                continue
            if " " in said and re.search(r"\b(?:who|whom|nobody|somebody|sorry)\b", said):
                if path not in ("src/model/explain.c",) and "nobody may trace anything" not in said:
                    yield f"{where}: a process is \"it\"; say what is meant: {said[:80]}"
            if COUNTED.search(said) and not re.search(r"== 1\s*\?", before):  # one has a text of its own
                row = next((r for r in NEVER_ONE if r in said), None)
                used.add(row)
                if not row:
                    yield f"{where}: can it be 1? strbuf_add_number_of(), or a row in NEVER_ONE: {said[:80]}"
    for row in sorted(set(NEVER_ONE) - used):
        yield f"NEVER_ONE: no message says \"{row}\" any more"


CHECKS = {"writers": check_writers, "words": check_words, "top-level": check_top_level, "paths": check_paths, "length": check_length, "columns": check_columns, "unfinished": check_unfinished,
          "readme": check_readme, "docs": check_docs, "commands": check_commands, "exits": check_exits, "ring": check_ring, "comments": check_comments,
          "cpu": check_cpu}


def main():
    files = tracked()
    if len(files) < 10:
        print("fewer than ten files found: the check itself is broken")
        return 1
    bad = 0
    for name in sys.argv[1:] or CHECKS:
        for problem in CHECKS[name](files):
            print(problem)
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
