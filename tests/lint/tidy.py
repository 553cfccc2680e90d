#!/usr/bin/env python3
"""tidy: clang-tidy and cppcheck with short lists of checks that have no findings. Prints each finding.

usage: tidy.py BUILD [FILE.c…]

The checks of clang-tidy are those of .clang-tidy at the top. Of cppcheck's, those in WRONG_HERE are left out, because it does not
follow what they judge. A finding that is no fault gets a NOLINT comment with its reason. A tool that is not installed is named and
skipped; the exit status is 77 if neither is there. It takes minutes, so it is not a test of the build: tests/run --tidy.
"""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tree import ROOT  # noqa: E402

BATCH = 8
WRONG_HERE = {
    "arrayIndexOutOfBoundsCond": "it takes a comparison with PANE_NONE for a bound",
    "memleak": "it does not know the attribute cleanup (base/attr.h)",
    "uninitvar": "it does not see what a function stores through a pointer",
    "uninitStructMember": "the same",
    "nullPointer": "it does not see that a bound excludes it",
    "nullPointerRedundantCheck": "a check after memchr() within known bounds",
    "nullPointerArithmeticRedundantCheck": "the same",
    "invalidLifetime": "it does not see that strbuf_take() moves the memory",
    "returnDanglingLifetime": "the pointers are used up before the function returns",
    "identicalInnerCondition": "hash_map_place(): a pointer, and what is there",
    "shiftTooManyBitsSigned": "gcc and clang shift arithmetically, and no other compiler is used",
    "signConversion": "a sign times an int64_t",
}


def sources(build, wanted):
    """C files of src/ and ui/ that the build compiles for this machine, without those made for the target alone."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        paths = {os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT) for entry in json.load(file)}
    files = sorted(path for path in paths if path.startswith(("src/", "ui/")) and not path.startswith("src/probe/"))
    return [path for path in files if path in wanted] if wanted else files


def clang_tidy(build, files):
    def check(batch):
        done = subprocess.run(["clang-tidy", "-p", build, "--quiet", *batch], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = [line for line in done.stdout.splitlines() if re.search(r": (?:warning|error): ", line)]
        return lines or (["clang-tidy: " + done.stderr.strip()[-500:]] if done.returncode else [])

    batches = [files[i:i + BATCH] for i in range(0, len(files), BATCH)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return sorted(set().union(*pool.map(check, batches)))


def cppcheck(files):
    suppressed = [f"--suppress={name}" for name in WRONG_HERE]
    done = subprocess.run(["cppcheck", "--enable=warning,portability", "--quiet", "--std=c11", "-j", str(os.cpu_count() or 1), "-Isrc", "-I.",
                           "--suppress=missingInclude", "--suppress=preprocessorErrorDirective", "--suppress=unknownMacro",
                           *suppressed, "--template={file}:{line}: {severity}: {message} [{id}]", *files],
                          cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return [line for line in done.stderr.splitlines() if re.match(r"\S+:\d+: (?:error|warning|portability): ", line)]


def main():
    build = os.path.abspath(sys.argv[1])
    files = sources(build, set(sys.argv[2:]))
    if not files:
        print("no file to check was found: the check itself is broken")
        return 1
    findings, ran = [], 0
    for name, run in (("clang-tidy", lambda: clang_tidy(build, files)), ("cppcheck", lambda: cppcheck(files))):
        if shutil.which(name):
            ran += 1
            found = run()
            print(f"-- {name}: {len(files)} files, {len(found)} findings", flush=True)
            findings += found
        else:
            print(f"-- {name}: not installed")
    print("\n".join(findings))
    return 1 if findings else 0 if ran else 77


if __name__ == "__main__":
    sys.exit(main())
