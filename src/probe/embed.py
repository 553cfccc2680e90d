#!/usr/bin/env python3
"""Turn a flat binary into a C array: embed.py IN OUT NAME."""
import sys

source, target, name = sys.argv[1:]
data = open(source, "rb").read()
rows = [", ".join(f"0x{b:02x}" for b in data[i:i + 20]) for i in range(0, len(data), 20)]
with open(target, "w", encoding="ascii") as out:
    out.write(f"/* Made by embed.py from {name}. */\n#include <stddef.h>\n#include <stdint.h>\n")
    out.write(f"extern const uint8_t {name}[];\nextern const size_t {name}_bytes;\n")
    out.write(f"const uint8_t {name}[] = {{\n\t" + ",\n\t".join(rows) + f"\n}};\nconst size_t {name}_bytes = {len(data)};\n")
