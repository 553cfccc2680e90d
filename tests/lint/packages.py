#!/usr/bin/env python3
"""packages: the README and the Debian package name what tests/setup.sh says the build needs."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MANAGERS = {"Debian": "apt", "Fedora": "dnf", "Arch": "pacman", "Alpine": "apk"}
# Each Debian build has them: build-essential, and what meson depends on.
GIVEN = {"gcc", "libc6-dev", "linux-libc-dev", "binutils", "ninja-build"}
CALLED = {"pkg-config": "pkgconf"}


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def names_for(manager):
    return subprocess.run([os.path.join(ROOT, "tests/setup.sh"), "--build", "--list", manager], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()


def main():
    problems = []
    readme = text_of("README.md")
    for system, manager in MANAGERS.items():
        row = f"| {system} | `{names_for(manager)}` |"
        if row not in readme.splitlines():
            problems.append(f"README.md: expected the line {row}")
    field = re.search(r"^Build-Depends:((?:.|\n )*)", text_of("data/packaging/debian/control"), re.M).group(1)
    has = set(re.findall(r"(?:^|,)\s*([a-z0-9.+-]+)", field))
    wanted = {CALLED.get(name, name) for name in names_for("apt").split()} - GIVEN
    if len(wanted) < 8:
        problems.append(f"only {len(wanted)} packages found: the check itself is broken")
    problems += [f"data/packaging/debian/control: Build-Depends has no {name}" for name in sorted(wanted - has)]
    if "zsh/vendor-completions" not in text_of("data/packaging/debian/rules"):
        problems.append("data/packaging/debian/rules: Debian's zsh finds completions in /usr/share/zsh/vendor-completions alone")
    print("\n".join(problems) or f"{len(wanted)} packages, {len(MANAGERS)} systems")
    return 1 if problems else 0


sys.exit(main())
