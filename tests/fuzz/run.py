#!/usr/bin/env python3
"""run: run libFuzzer on the parsers of hostile bytes, and print how much of the code it reached. On demand; needs
clang.

tests/fuzz/run.py [--seconds N] [--build DIR] [--corpus DIR] [NAME…]     default: 60 s each, all of meson.build

All libraries are instrumented, not only the harness, and built with AddressSanitizer and UBSan. The inputs that
libFuzzer finds stay in --corpus (default: DIR/fuzz-corpus) and start the next run; an input that causes a fault is
written there, too. The last line counts faults; the exit status is 0 if there were none.
"""
import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FLAGS = ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined"]


def names():
    return sorted(os.path.basename(p)[len("fuzz_"):-2] for p in glob.glob(os.path.join(HERE, "fuzz_*.c"))
                  if not os.path.basename(p).startswith("fuzz_mutate"))


def build(folder, wanted):
    env = dict(os.environ, CC="clang")
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        subprocess.run(["meson", "setup", folder, ROOT, *FLAGS], env=env, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", folder, *(f"tests/fuzz/{kind}_{n}" for n in wanted for kind in ("libfuzzer", "fuzz"))], env=env, check=True,
                   stdout=subprocess.DEVNULL)


def fuzz(folder, corpus, name, seconds):
    """Fuzz one parser for that many seconds; returns (faults, text)."""
    learnt, found = os.path.join(corpus, name), os.path.join(corpus, "faults", name) + "-"
    os.makedirs(learnt, exist_ok=True)
    os.makedirs(os.path.dirname(found), exist_ok=True)
    subprocess.run([os.path.join(folder, "tests", "fuzz", "fuzz_" + name), "--write-seeds", learnt], check=True)
    command = [os.path.join(folder, "tests", "fuzz", "libfuzzer_" + name), f"-max_total_time={seconds}", "-rss_limit_mb=2048",
               "-timeout=20", "-max_len=65536", "-print_final_stats=1", f"-artifact_prefix={found}", learnt,
               os.path.join(HERE, "corpus", name)]
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    # holds the files that a target leaves after a fault
    with tempfile.TemporaryDirectory(prefix="auditview-fuzz-", dir=memory) as scratch:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              env=dict(os.environ, TMPDIR=scratch, UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1"))
    out = done.stdout
    there = sum(int(n) for n in re.findall(r"Loaded \d+ modules\s+\((\d+) inline 8-bit counters\)", out)[:1])
    reached = max([0] + [int(n) for n in re.findall(r"\bcov: (\d+)", out)])
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", out)
    bad = done.returncode != 0
    text = f"{reached} of {there} edges, {runs.group(1) if runs else '?'} inputs"
    return bad, text + (f"\n{out[-3000:]}" if bad else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--build", default=os.path.join(ROOT, "build-fuzz"))
    parser.add_argument("--corpus")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    unknown = set(options.names) - set(names())
    if unknown:
        parser.error(f"no such parser: {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    wanted = options.names or names()
    build(options.build, wanted)
    n_bad = 0
    for name in wanted:
        bad, text = fuzz(options.build, options.corpus or os.path.join(options.build, "fuzz-corpus"), name, options.seconds)
        n_bad += bad
        print(f"{'FAULT' if bad else 'ok':5} {name:12} {text}", flush=True)
    print(f"{len(wanted) - n_bad} passed, {n_bad} failed")
    return 1 if n_bad else 0


sys.exit(main())
