#!/usr/bin/env python3
"""functions: a public function is declared in the header of its own file, and its name starts with the noun of that file.

usage: functions.py [--list]        --list prints every function that breaks a rule, also those that functions.tsv allows

The header of x.c is x.h beside it. The noun of filter_parse.c is any run of its words: filter_parse, filter or parse; a plural may be
singular (modules.c: module_find). functions.tsv allows the rest, each row with its reason:

    FILE.c <tab> HEADER.h <tab> reason      public functions of the file (or of a whole folder) may be declared in this header
    FILE.c <tab> prefix_ <tab> reason       ... and may start with this prefix
    FOLDER <tab> NUMBER <tab> reason        at most so many functions of the folder may break a rule

A row that nothing needs any more is an error. clang-format puts the name of a function that is defined at the begin of its line with
the type before it, and the brace alone on a line: so no parser is needed.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tree import ROOT, read_rows, tracked  # noqa: E402

ATTRIBUTE = re.compile(r"\b__attribute__\(\((?:[^()]|\([^()]*\))*\)\) ?")
DEFINITION = re.compile(r"^(?!.*\bstatic\b|typedef\b|#)(?:[A-Za-z_][\w *]*[ *])(\w+)\(([^;{}]*)\)\n\{", re.M)
FEWEST = 900  # fewer found: this test reads the files wrongly


def without_comments(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return ATTRIBUTE.sub("", re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S))


def read_table():
    """Returns {file or folder: {allowed header, prefix or number: reason}}."""
    rows = {}
    for place, allowed, reason in read_rows("functions.tsv")[0]:
        rows.setdefault(place, {})[allowed] = reason
    return rows


def nouns(path):
    """Everything that the name of a function of this file may start with."""
    words = os.path.basename(path)[:-2].split("_")
    runs = {"_".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
    return runs | {run[:-1] for run in runs if run.endswith("s")} | {run[:-3] + "y" for run in runs if run.endswith("ies")}


def main():
    files = tracked()
    headers = {path: set(re.findall(r"\b(\w+)\(", without_comments(path)))
               for path in files if path.startswith(("src/", "ui/")) and path.endswith(".h")}
    rows, used, counts, total, problems, listed = read_table(), set(), {}, 0, [], []
    for path in files:
        if not path.startswith(("src/", "ui/")) or not path.endswith(".c"):
            continue
        folder = os.path.dirname(path)
        allowed = {a: place for place in (folder, path) for a in rows.get(place, {}) if not a.isdigit()}
        for name in (m.group(1) for m in DEFINITION.finditer(without_comments(path))):
            total += 1
            if name == "main":
                continue
            wrong = []
            if name not in headers.get(path[:-2] + ".h", ()):
                found = next((a for a in allowed if a.endswith(".h") and name in headers.get(a, ())), None)
                used.add((allowed.get(found), found))
                if not found:
                    wrong.append(f"is not declared in {path[:-2]}.h")
            if not any(name == noun or name.startswith(noun + "_") for noun in nouns(path)):
                found = next((a for a in allowed if not a.endswith(".h") and name.startswith(a)), None)
                used.add((allowed.get(found), found))
                if not found:
                    wrong.append("does not start with the noun of its file")
            if not wrong:
                continue
            text = f"{path}: {name}() {' and '.join(wrong)}"
            listed.append(text)
            limit = next((n for n in rows.get(folder, {}) if n.isdigit()), None)
            if limit is None:
                problems.append(text)
            else:
                counts[folder] = counts.get(folder, 0) + 1
    for place, entries in sorted(rows.items()):
        for allowed in entries:
            if allowed.isdigit():
                if counts.get(place, 0) > int(allowed):
                    problems.append(f"{place}: {counts[place]} functions break a rule, functions.tsv allows {allowed} (functions.py --list)")
                elif not counts.get(place):
                    problems.append(f"{place}: no function breaks a rule any more: remove the row of functions.tsv")
            elif (place, allowed) not in used:
                problems.append(f"{place}: nothing needs {allowed} any more: remove the row of functions.tsv")
    if total < FEWEST:
        problems.append(f"only {total} functions were found: this test reads the files wrongly")
    if "--list" in sys.argv:
        print("\n".join(listed))
    print("\n".join(problems) or f"{total} public functions, {len(listed)} of them in {len(counts)} listed folders still break a rule")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
