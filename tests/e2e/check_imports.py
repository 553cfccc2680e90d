"""imports: `stat --by import` names the modules that `python -X importtime` names, each below the same one, and charges the
time to the module that spent it.
"""
import json
import os
import re
import subprocess

import harness
from harness import expect

# slow_b does all that can be told apart by stacks alone: work before, between and after imports, a package with its
# parents, an extension module, "from package import module", two imports on one line.
FILES = {
    "main.py": "import slow_b\nimport shelf.upper.drawer\nfrom shelf import side\nimport json.tool, array\ntry:\n    import not_there\n"
               "except ImportError:\n    pass\n",
    "slow_a.py": "import time\ndef spin(ms):\n    end = time.perf_counter() + ms / 1000\n    while time.perf_counter() < end:\n"
                 "        pass\nspin(60)\n",
    "slow_b.py": "import slow_a\nimport slow_c\n",
    "slow_c.py": "from slow_a import spin\nspin(90)\nimport xml.etree.ElementTree\n",
    "shelf/__init__.py": "", "shelf/side.py": "", "shelf/upper/__init__.py": "", "shelf/upper/drawer.py": "import decimal\n",
}
LINE = re.compile(r"import time: +\d+ \| +\d+ \| ( *)(\S+)")


def parents_of(text):
    """Return {module: the module that imported it, or None} from the output of -X importtime, where what was imported
    stands above, and is indented more than, what imported it."""
    found, above = {}, []
    for match in reversed(list(LINE.finditer(text))):
        depth, name = len(match[1]) // 2, match[2]
        del above[depth:]
        found[name] = above[-1] if above else None
        above.append(name)
    return found


def imports(ctx, python):
    folder = ctx.new_folder("imports")
    for name, text in FILES.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    main, capture = os.path.join(folder, "main.py"), os.path.join(folder, "x.avc")
    # the first run leaves the .pyc files for the second one
    told = subprocess.run([*python.command, "-X", "importtime", main], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, timeout=120)
    told = subprocess.run([*python.command, "-X", "importtime", main], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True, timeout=120)
    expected = parents_of(told.stderr)
    expect(expected.get("slow_c") == "slow_b", lambda: told.stderr[-600:])
    done = subprocess.run([ctx.auditview, "record", "-q", "-o", capture, "--", *python.command, main], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=120)
    expect(done.returncode == 0, lambda: done.stderr[-400:])

    def table(*options):
        text = subprocess.run([ctx.auditview, "stat", capture, "--by", "import", *options], stdout=subprocess.PIPE, text=True, check=True,
                              timeout=120).stdout
        return text

    rows = json.loads(table("--json", "--sort", "first"))["rows"]
    seen = {}
    for row in rows:
        seen.setdefault(row["module"], row)
    expect("not_there" in seen, "the import that failed is not listed")
    for name in set(expected) ^ set(seen):
        expect(False, f"{name}: {'missing' if name in expected else 'not in -X importtime'}")
    for name, parent in expected.items():
        expect(seen[name].get("imported_by") == parent, lambda: f"{name} is imported by {parent}, not by {seen[name].get('imported_by')}")
    for name, least_ms in (("slow_a", 60), ("slow_c", 90)):
        # where times advance with the kernel's tick, they are right to 10 ms
        expect(seen[name]["self_ns"] >= (least_ms - 10) * 1e6, lambda: f"{name} took {seen[name]['self_ns']} ns of its own")
    for row in rows:
        below = sum(r["total_ns"] for r in rows if r.get("imported_by") == row["module"])
        if sum(r["module"] == row["module"] for r in rows) == 1:
            expect(row["self_ns"] + below == row["total_ns"], lambda: f"{row}: {below} ns below it")
    text = table("--sort", "total", "-Y", 'import.module == "slow_b"')
    expect(re.search(r"^ *[\d.]+ +[\d.]+ +[\d ]+ +1  \S*py\S* +slow_b$", text, re.M), text)
    # only what is asked for
    text = table("-Y", 'import.module ~ "^slow"', "--sort", "key")
    expect(re.findall(r"\S+$", text, re.M)[1:-1] == ["slow_a", "slow_b", "slow_c"], text)


def cells(ctx):
    for python in ctx.some_pythons(8, 12):
        yield "as -X importtime has them", python, lambda python=python: imports(ctx, python)
