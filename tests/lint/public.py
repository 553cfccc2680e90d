#!/usr/bin/env python3
"""public: what a file offers is used by another file of the program.

usage: public.py LIBRARY.a… PROGRAM

A function or a table that no other object of the program needs is static, for tests alone, or dead: when it is made static, the
compiler tells which. public.tsv lists those that tests alone call, or call beside the file itself, each with its reason. As cycles.py,
this reads the objects with nm; code for the target and for one CPU (src/probe, src/arch) is not looked at. A row that nothing needs any
more is an error.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cycles import read_objects  # noqa: E402
from tree import ROOT, read_rows  # noqa: E402

FEWEST = 900  # fewer found: this test reads the objects wrongly


def main(arguments):
    paths = [os.path.abspath(p) for p in arguments]
    folders = read_objects(paths, os.path.dirname(paths[-1]))
    files = {f"{folder}/{name}": symbols for folder, names in folders.items() for name, symbols in names.items()}
    needed = set().union(*(needed for _, needed in files.values()))
    rows = {(path, symbol): reason for path, symbol, reason in read_rows("public.tsv")[0]}
    total, unused = 0, set()
    for path, (defined, _) in sorted(files.items()):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            text = file.read()
        # a sanitizer adds symbols of its own
        own = {symbol for symbol in defined if symbol in text}
        total += len(own)
        unused |= {(path, symbol) for symbol in own if symbol not in needed and symbol != "main"}
    problems = [f"{path}: {symbol} is used nowhere else: make it static, remove it, or give a reason in public.tsv"
                for path, symbol in sorted(unused - set(rows))]
    problems += [f"{path}: {symbol} is used elsewhere, or gone: remove the row of public.tsv" for path, symbol in sorted(set(rows) - unused)]
    if total < FEWEST:
        problems.append(f"only {total} symbols were found: this test reads the objects wrongly")
    print("\n".join(problems) or f"{total} public symbols, {len(unused)} of them for tests")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
