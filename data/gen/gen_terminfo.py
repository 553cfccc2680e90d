#!/usr/bin/env python3
"""Write the C table of ui/terminfo_fallback.h: terminal types for a static program.

    gen_terminfo.py OUT.c [INFOCMP]

INFOCMP is the program of ncurses, 6.1 or newer; without it the table is empty. Types that this machine's database does not have
are left out, but the first must be there.
"""
import os
import subprocess
import sys

TYPES = ["xterm-256color", "xterm", "screen", "screen-256color", "tmux", "tmux-256color", "linux", "vt100", "vt220", "ansi", "dumb",
         "alacritty", "foot", "gnome-256color", "konsole-256color", "putty", "putty-256color", "rxvt", "rxvt-unicode",
         "rxvt-unicode-256color", "screen.xterm-256color", "st-256color", "vte-256color", "xterm-color", "xterm-ghostty", "xterm-kitty"]


def entry(infocmp, name):
    """The compiled entry as TERMINFO may have it, or None if the database has no such type."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("TERM")}
    done = subprocess.run([infocmp, "-x", "-q", "-Q", "2", name], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    text = "".join(done.stdout.split())
    return text if done.returncode == 0 and text.startswith("b64:") else None


def main():
    out, *infocmp = sys.argv[1:]
    lines = ['#include "ui/terminfo_fallback.h"', "", "const struct terminfo_fallback terminfo_fallbacks[] = {"]
    for name in TYPES if infocmp else []:
        text = entry(infocmp[0], name)
        if text:
            parts = [text[at:at + 80] for at in range(0, len(text), 80)]
            lines.append(f'\t{{ "{name}",')
            lines += [f'\t  "{part}"' for part in parts]
            lines[-1] += " },"
        elif name == TYPES[0]:
            sys.exit(f"gen_terminfo.py: {infocmp[0]} -Q 2 {name} prints no entry")
    lines += ["\t{ 0 },", "};", ""]
    with open(out, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


if __name__ == "__main__":
    main()
