#!/usr/bin/env python3
"""gen_manual: the manual page, from its template and the sections that the program makes from its tables.

    gen_manual.py TEMPLATE PROGRAM VERSION OUTPUT

A section that the template does not ask for, or asks for and does not get, is an error.
"""
import re
import subprocess
import sys


def main():
    template, program, version, output = sys.argv[1:]
    made = subprocess.run([program, "--manual"], stdout=subprocess.PIPE, check=True).stdout.decode("utf-8")
    sections = {}
    for text in re.split(r"(?m)^(?=\.SH )", made):
        if text:
            sections[text.split("\n", 1)[0][4:]] = text
    lines = []
    for line in open(template, encoding="utf-8"):
        if re.fullmatch(r"@[A-Z ]+@\n", line):
            name = line[1:-2]
            if name not in sections:
                sys.exit(f"{template}: the program makes no section {name}")
            lines.append(sections.pop(name))
        else:
            lines.append(line.replace("@VERSION@", version))
    if sections:
        sys.exit(f"{template}: these sections are left out: {', '.join(sections)}")
    with open(output, "w", encoding="utf-8") as f:
        f.writelines(lines)


main()
