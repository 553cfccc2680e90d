#!/usr/bin/env python3
"""hardening: the program has the protections that were requested, and the code for the target does not.

hardening.py PROGRAM PROBE_ELF FLAG…     the flags that the compiler accepted; needs readelf

A stack protector in the probe would read the target's canary.
"""
import re
import subprocess
import sys


def readelf(option, path):
    return subprocess.run(["readelf", "-W", option, path], capture_output=True, text=True, check=True).stdout


def main():
    program, probe, flags = sys.argv[1], sys.argv[2], sys.argv[3:]
    problems = []
    dynamic, symbols, segments = readelf("-d", program), readelf("--dyn-syms", program), readelf("-l", program)

    def expect(condition, what):
        if not condition:
            problems.append(what)
    expect(re.search(r"Elf file type is DYN", segments), "the program is not position-independent")
    expect("GNU_RELRO" in segments, "no read-only relocations")
    expect(re.search(r"BIND_NOW|\(FLAGS_1\).*NOW", dynamic), "symbols are not bound at the start")
    expect(not re.search(r"GNU_STACK.*E ", segments), "the stack is executable")
    if "-fstack-protector-strong" in flags:
        expect("__stack_chk_fail" in symbols, "no stack protector")
    if "fortify" in flags:
        expect(re.search(r"__(memcpy|snprintf|vsnprintf|read|memset)_chk", symbols), "no _FORTIFY_SOURCE")
    code = subprocess.run(["objdump", "-d", probe], capture_output=True, text=True, check=True).stdout
    expect(not re.search(r"%fs:0x28\b", code), "the probe reads the target's stack canary")
    print("\n".join(problems) or "as asked")
    return 1 if problems else 0


sys.exit(main())
