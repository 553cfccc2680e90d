#!/usr/bin/env python3
"""packages: the README and the Debian package name what tests/setup.sh says the build needs."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

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


def set_up_on_a_bare_system():
    """What tests/setup.sh says where there is nothing but a shell's tools, and apt-get brings all that it looks for."""
    tools = "sh awk sed grep sort tee cat mktemp find env wc head tail rm dirname".split()
    wanted = set(re.findall(r"\bc:([\w-]+)", text_of("tests/setup.sh"))) | {"pkg-config", "cc"}
    with tempfile.TemporaryDirectory() as folder:
        for tool in tools:
            os.symlink(shutil.which(tool), os.path.join(folder, tool))
        bring = "".join(f"printf '#!/bin/sh\\ncat >/dev/null </dev/null\\n' >{folder}/{name}; chmod 755 {folder}/{name}\n"
                        for name in sorted(wanted - set(tools)))
        for name, text in (("id", "echo 0"), ("apt-get", f"PATH={os.environ['PATH']}\n{bring}"), ("apt-cache", ":")):
            path = os.path.join(folder, name)
            with open(path, "w", encoding="ascii") as f:
                f.write(f"#!/bin/sh\n{text}\n")
            os.chmod(path, 0o755)
        done = subprocess.run([os.path.join(folder, "sh"), os.path.join(ROOT, "tests/setup.sh")], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={"PATH": folder, "TMPDIR": folder})
    return done.returncode, done.stdout


def main():
    problems = []
    status, said = set_up_on_a_bare_system()
    if status or "installing" not in said or re.search(r"still not found:.*ncursesw", said):
        problems.append(f"tests/setup.sh, where apt-get brings pkg-config: status {status}, {said}")
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
