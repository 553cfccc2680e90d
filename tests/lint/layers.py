#!/usr/bin/env python3
"""layers: check every #include of src/ and ui/ against layers.tsv. Prints each offence; exit status 1 if there is one."""
import fnmatch
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[>"]', re.M)


def read_table(path):
    """Returns ({unit: [allowed…]}, {system header: [files or folders…]}, {header of ours: [beginnings of paths…]})."""
    rows, system, private = {}, {}, {}
    for line in open(path, encoding="utf-8"):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        key, _, value = line.partition("\t")
        if key.startswith("system "):
            system[key.split()[1]] = value.split()
        elif key.startswith("private "):
            private[key.split()[1]] = value.split()
        else:
            rows[key] = [] if value == "-" else value.split()
    return rows, system, private


def unit_of(path):
    """Return the row that a file of the tree belongs to: 'src/base', 'ui', 'top' …"""
    parts = path.split("/")
    if parts[0] == "src":
        return "src/" + parts[1] if len(parts) > 2 else "top"
    return parts[0]


def find_header(includer, name):
    """Return the path of a quoted header below the root, or None if it is generated."""
    folder = os.path.dirname(includer)
    for base in (folder, "src", "", "ui", "src/arch/x86_64", "src/probe/arch/x86_64"):
        path = os.path.normpath(os.path.join(base, name))
        if os.path.exists(os.path.join(ROOT, path)):
            return path
    return None


def may_include(allowed, header):
    for word in allowed:
        if word == "*":
            return True
        if word.endswith(".h"):
            if header == word or header == "src/" + word:
                return True
        elif unit_of(header) in ("src/" + word, word):
            return True
    return False


def check(rows, system, private):
    problems = [f"layers.tsv: there is no {header}" for header in private if not glob.glob(os.path.join(ROOT, header))]
    n = 0
    for top in ("src", "ui"):
        for folder, _, files in os.walk(os.path.join(ROOT, top)):
            for name in sorted(files):
                if not name.endswith((".c", ".h", ".S")):
                    continue
                path = os.path.relpath(os.path.join(folder, name), ROOT)
                unit = unit_of(path)
                allowed = rows.get(path, rows.get(unit))
                if allowed is None:
                    problems.append(f"{path}: folder {unit} has no row in layers.tsv")
                    continue
                text = re.sub(r"/\*.*?\*/", "", open(os.path.join(folder, name), encoding="utf-8").read(), flags=re.S)
                for kind, header in INCLUDE.findall(text):
                    n += 1
                    if kind == "<":
                        owners = system.get(header)
                        if owners and not any(path == o or path.startswith(o + "/") for o in owners):
                            problems.append(f"{path}: <{header}> belongs to {' '.join(owners)} alone")
                        continue
                    found = find_header(path, header)
                    if found is None:
                        # It is generated at build time, with the name <folder>_*.h or by its own folder's build: no
                        # rule applies.
                        continue
                    # The longest pattern that fits is the rule.
                    pattern = max((p for p in private if fnmatch.fnmatchcase(found, p)), key=len, default=None)
                    if pattern and not any(path.startswith(p) for p in private[pattern]):
                        problems.append(f"{path}: {found} is for {' '.join(private[pattern])}* alone")
                    if unit_of(found) == unit and path not in rows:
                        continue
                    if not may_include(allowed, found):
                        problems.append(f"{path}: may not include {found} (layers.tsv: {' '.join(allowed) or 'nothing'})")
    return problems, n


def main():
    problems, n = check(*read_table(os.path.join(ROOT, "tests", "lint", "layers.tsv")))
    for problem in problems:
        print(problem)
    if n == 0:
        print("not one #include found: the check itself is broken")
        return 1
    print(f"{n} includes, {len(problems)} against the layer rule")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
