#!/usr/bin/env python3
"""cycles: inside one folder, files use each other in one direction only. Prints every cycle that cycles.tsv does not justify.

usage: cycles.py [--write] LIBRARY.a… PROGRAM

A file uses another when its object needs a symbol that the other's object defines (nm). The files of a folder are the members of its
static libraries; those of src/commands and src are the objects of the program, which ninja leaves in PROGRAM.p. Code for the target
(src/probe, src/arch) is built without such objects and is not looked at. A cycle is a strongly connected component: each of its files
needs, by some way, each of the others, so none can be understood or tested alone.

Every row of cycles.tsv must be exactly one cycle that was found: a row whose cycle is gone or has changed is an error too. --write
rewrites the list from what was found and keeps the reasons of rows that overlap.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tree import ROOT, read_rows  # noqa: E402

TABLE = "cycles.tsv"
DEFINED = set("TDRBVWCGSiu")
NEW_ROW = "(no reason given)"


def read_table(name):
    """Returns ({(folder, frozenset of files): reason}, [comment line…])."""
    rows, comments = read_rows(name)
    return {(folder, frozenset(files.split())): reason for folder, files, reason in rows}, comments


def row(folder, files, reason):
    return f"{folder}\t{' '.join(sorted(files))}\t{reason}"


def source_of(member, folder):
    """Return 'ui/app.c' for an object of a folder's library or of the program; None: its source is generated or no
    longer exists."""
    name = os.path.basename(member)[:-len(".o")].replace("meson-generated_.._", "")
    candidates = [f"{folder}/{name}"] if folder else [name.replace("src_commands_", "src/commands/").replace("src_", "src/")]
    return candidates[0] if os.path.exists(os.path.join(ROOT, candidates[0])) else None


def nm(path):
    """Yields (member, type letter, symbol) of an archive or an object."""
    out = subprocess.run(["nm", "-A", "-g", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    for line in out.splitlines():
        member, _, rest = line.rpartition(":")
        words = rest.split()
        if len(words) >= 2:
            yield member, words[-2], words[-1]


def read_objects(paths, build):
    """Returns {folder: {file: (defined symbols, needed symbols)}}."""
    folders = {}
    for path in paths:
        if path.endswith(".a"):
            inputs, folder = [path], os.path.relpath(os.path.dirname(path), build)
        else:
            inputs, folder = sorted(os.path.join(path + ".p", f) for f in os.listdir(path + ".p") if f.endswith(".o")), ""
        for each in inputs:
            for member, letter, symbol in nm(each):
                source = source_of(member, folder)
                if not source:
                    continue
                files = folders.setdefault(os.path.dirname(source), {})
                defined, needed = files.setdefault(os.path.basename(source), (set(), set()))
                if letter in DEFINED:
                    defined.add(symbol)
                elif letter == "U":
                    needed.add(symbol)
    return folders


def uses_of(files):
    """Returns {file: {file it uses: [symbols]}}."""
    owner = {symbol: name for name, (defined, _) in files.items() for symbol in defined}
    graph = {name: {} for name in files}
    for name, (defined, needed) in files.items():
        for symbol in sorted(needed - defined):
            if owner.get(symbol, name) != name:
                graph[name].setdefault(owner[symbol], []).append(symbol)
    return graph


def components(graph):
    """Strongly connected components of more than one file (Tarjan)."""
    index, low, stack, on_stack, found = {}, {}, [], set(), []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on_stack.add(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in on_stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = set()
            while node not in part:
                part.add(stack.pop())
            on_stack.difference_update(part)
            if len(part) > 1:
                found.append(frozenset(part))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def describe(graph, part):
    lines = []
    for name in sorted(part):
        for other in sorted(set(graph[name]) & part):
            symbols = graph[name][other]
            lines.append(f"    {name} uses {other}: {' '.join(symbols[:4])}{' …' if len(symbols) > 4 else ''}")
    return "\n".join(lines)


def main(arguments):
    write = arguments[:1] == ["--write"]
    paths = [os.path.abspath(p) for p in arguments[write:]]
    build = os.path.dirname(paths[-1])
    listed, comments = read_table(TABLE)
    folders = read_objects(paths, build)
    n_files = sum(len(files) for files in folders.values())
    if n_files < 100 or "ui" not in folders or "src/commands" not in folders:
        print(f"only {n_files} objects found: is {build} built?")
        return 1
    found, problems = set(), []
    for folder in sorted(folders):
        graph = uses_of(folders[folder])
        for part in components(graph):
            found.add((folder, part))
            if (folder, part) not in listed:
                problems.append(f"{folder}: a cycle of {len(part)} files is not in cycles.tsv\n{describe(graph, part)}")
    for folder, part in sorted(set(listed) - found, key=lambda key: (key[0], sorted(key[1]))):
        problems.append(f"{folder}: this is not a cycle any more, change or remove its row: {' '.join(sorted(part))}")
    if write:
        rows = []
        for folder, part in sorted(found, key=lambda key: (key[0], sorted(key[1]))):
            reasons = [reason for (f, p), reason in listed.items() if f == folder and p & part]
            rows.append(row(folder, part, reasons[0] if reasons else NEW_ROW))
        with open(os.path.join(ROOT, "tests", "lint", TABLE), "w", encoding="utf-8") as file:
            file.write("\n".join(comments + rows) + "\n")
    problems += [f"{folder}: a row without a reason: {' '.join(sorted(part))}" for (folder, part), reason in listed.items()
                 if not reason.strip() or reason == NEW_ROW]
    print("\n".join(problems))
    print(f"{n_files} files in {len(folders)} folders, {len(found)} cycles, {len(listed)} listed")
    return 1 if problems and not write else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
