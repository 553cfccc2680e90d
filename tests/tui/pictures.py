#!/usr/bin/env python3
"""The pictures of the README: the real program in a real terminal (a private tmux), its screen as SVG.

pictures.py AUDITVIEW SCREEN_TOOL FOLDER            write them, and the minute of tour.svg
pictures.py --check AUDITVIEW SCREEN_TOOL FOLDER    compare with those that are there; exit status 1 if one differs

tour.svg is not compared: each of its scenes is waited for while it is made, which fails if the screen is another.
They show the sample capture of tests/tui/sample.c, so a picture changes only when the screen does.
"""
import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata

from tmux import ROOT, Terminal

SHOP = os.path.join(ROOT, "tests", "tui", "shop")

# name, columns, lines, arguments after the capture, steps: a key, "=text" to type, "?pattern" to wait for
PICTURES = [
    ("main", 120, 36, [],
     ["=/gzip", "Enter", "?▌.*subprocess.Popen", "Escape", "?▾ env +dict"]),
    ("filter", 100, 24, [],
     ["=f", "?filter: ", '=@network and event == "socket.', "?value, in this capture", r"?socket.connect. +[0-9]+"]),
    ("arguments", 100, 24, ["-Y", "subprocess.*"],
     ["G", "k", "?▌.*subprocess.Popen", "Tab", "?━ Arguments", "\\", "?as in this process"]),
    ("inside", 100, 24, [],
     ["=5j", "?▌▸.*import +ssl", "Enter", "?━ Inside import ssl"]),
    ("timeline", 100, 24, [],
     ["i", "?━ Timeline", "=70", "Right", "Space", "=12", "Right", "?┗━━━━+┛"]),
    ("summary", 100, 24, [], ["s", "?━ Summary", "j", "j"]),
    ("diff", 100, 24, ["diff"], ["?━ Diff A .*only in B", "j"]),
]

# One minute of work: what is done, as the caption says it; steps as above; seconds that the scene is shown
TOUR = [
    ("auditview today.avc: what a small shop did, event by event", [], 4),
    ("j goes down: arguments and stack belong to the row under the cursor", ["=5j", "?▌▸.*import +ssl"], 3),
    ("Enter on an import: what it did, module by module", ["Enter", "?━ Inside import ssl"], 4),
    ("q goes back; /gzip searches all columns", ["q", "?━ Events", "=/gzip", "?/gzip"], 2),
    ("Enter: the first hit, and how many there are", ["Enter", "?hit 1 of 12", "?▾ env +dict"], 3),
    ("* shows all events with this command, file or host", ["=*", "?━ Events command =="], 4),
    ("q shows again what was there; /connect goes to a connection", ["q", "=/connect", "Enter", "?▌.*socket.getaddrinfo|▌.*connect"], 3),
    ("* everything with this host, however an event names it", ["=*", "?━ Events peer =="], 4),
    ("= shows all again; f asks a question, and shows the answer while you type", ["=", "?imports folded", "=f", "?filter: ", "=files", "?files-written"], 3),
    ("ready questions: files that were written", ["=-written", "?filter: files-written *24|24", "Enter", "?━ Events files-written"], 4),
    ("s counts them; b groups by caller, file, host …", ["s", "?━ Summary", "b", "?━ Summary .*by caller"], 4),
    ("q back; i is the timeline, a lane for each theme", ["q", "?━ Events", "=", "i", "?━ Timeline"], 3),
    ("Space selects a span; Enter shows only its events", ["g", "=50", "Right", "Space", "=12", "Right", "?┗━━━━+┛"], 3),
    ("I is the cost of each import", ["q", "?━ Events", "=I", "?━ Imports"], 4),
    ("c explains an event: what raises it, and what it does not see", ["q", "?━ Events", "=/Popen", "Enter", "?▌.*Popen", "c", "?ARGUMENTS"], 4),
    (":diff: what today's run does that Monday's did not", ["q", "?━ Events", "=:diff monday.avc", "Enter", "?━ Diff A .*only in B"], 5),
    ("q leaves; a program that was attached to goes on", ["q", "?━ Events"], 3),
]

FONT, CELL_W, CELL_H, PAD = 14, 8.43, 17, 10
BACKGROUND, FOREGROUND = "#1e1e1e", "#d0d0d0"
BASIC = ["#1e1e1e", "#cd3131", "#0dbc79", "#e5e510", "#5f87d7", "#bc3fbc", "#11a8cd", "#e5e5e5",
         "#8a8a8a", "#f14c4c", "#23d18b", "#f5f543", "#75a7ff", "#d670d6", "#29b8db", "#ffffff"]
# the filled share of the cell: height from the bottom, width from the left
BLOCKS = {chr(0x2580 + n): (n / 8, 1) for n in range(1, 9)}
BLOCKS.update({chr(0x2590 - n): (1, n / 8) for n in range(1, 8)})


def color(index):
    if index < 16:
        return BASIC[index]
    if index < 232:
        steps = (0, 95, 135, 175, 215, 255)
        index -= 16
        return "#%02x%02x%02x" % (steps[index // 36], steps[index // 6 % 6], steps[index % 6])
    return "#%02x%02x%02x" % ((8 + (index - 232) * 10,) * 3)


def width(c):
    if unicodedata.combining(c):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1


class Style:
    def __init__(self):
        self.reset()

    def reset(self):
        self.fg = self.bg = None
        self.bold = self.dim = self.underline = self.reverse = False

    def take(self, numbers):
        numbers = list(numbers) or [0]
        while numbers:
            n = numbers.pop(0)
            if n == 0:
                self.reset()
            elif n == 1:
                self.bold = True
            elif n == 2:
                self.dim = True
            elif n == 4:
                self.underline = True
            elif n == 7:
                self.reverse = True
            elif n == 22:
                self.bold = self.dim = False
            elif n == 24:
                self.underline = False
            elif n == 27:
                self.reverse = False
            elif 30 <= n <= 37:
                self.fg = color(n - 30)
            elif 90 <= n <= 97:
                self.fg = color(n - 82)
            elif 40 <= n <= 47:
                self.bg = color(n - 40)
            elif 100 <= n <= 107:
                self.bg = color(n - 92)
            elif n == 39:
                self.fg = None
            elif n == 49:
                self.bg = None
            elif n in (38, 48):
                kind = numbers.pop(0)
                value = color(numbers.pop(0)) if kind == 5 else "#%02x%02x%02x" % tuple(numbers.pop(0) for _ in range(3))
                if n == 38:
                    self.fg = value
                else:
                    self.bg = value

    def key(self):
        fg, bg = self.fg or FOREGROUND, self.bg or BACKGROUND
        if self.reverse:
            fg, bg = bg, fg
        return fg, bg, self.bold, self.underline


def cells_of(line, style):
    """Return [(column, text, style)] of one line; each is a run of one style."""
    runs, column, at = [], 0, 0
    while at < len(line):
        escape = re.match(r"\x1b\[([0-9;:]*)m", line[at:])
        if escape:
            style.take(int(n or 0) for n in re.split("[;:]", escape.group(1)))
            at += escape.end()
            continue
        c = line[at]
        at += 1
        if c in "\x0e\x0f" or (c == "\x1b" and line[at:at + 2] in ("(B", "(0")):
            at += 2 if c == "\x1b" else 0
            continue
        # a wide character and what follows it begin new runs: fonts differ in its width
        if runs and runs[-1][2] == style.key() and width(c) == 1 and not runs[-1][3]:
            runs[-1][1] += c
        elif runs and width(c) == 0:
            runs[-1][1] += c
        else:
            runs.append([column, c, style.key(), width(c) == 2])
        column += width(c)
    return [(x, text, key) for x, text, key, _ in runs]


def cells(text):
    return sum(width(c) for c in text)


def line_svg(line, style, top):
    out = []
    for x, text, (fg, bg, bold, underline) in cells_of(line, style):
        left, wide = PAD + x * CELL_W, cells(text) * CELL_W
        if bg != BACKGROUND:
            out.append('<rect x="%.2f" y="%.2f" width="%.2f" height="%d" fill="%s"/>' % (left, top, wide, CELL_H, bg))
        for at, c in enumerate(text):  # bars are drawn as shapes, because they must touch in every font
            high, wide_ = BLOCKS.get(c, (0, 0))
            if high:
                out.append('<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" fill="%s"/>' % (
                    left + cells(text[:at]) * CELL_W, top + CELL_H * (1 - high), CELL_W * wide_ + (0.2 if wide_ == 1 else 0), CELL_H * high, fg))
        text = "".join(" " if c in BLOCKS else c for c in text)
        for part in re.finditer(r"\S+(?: \S+)*", text):  # blanks are not drawn
            before, shown = text[:part.start()], part.group()
            out.append('<text x="%.2f" y="%.2f" textLength="%.2f"%s%s fill="%s">%s</text>' % (
                left + cells(before) * CELL_W, top + CELL_H * 0.76, cells(shown) * CELL_W, ' font-weight="bold"' if bold else "",
                ' text-decoration="underline"' if underline else "", fg, html.escape(shown, quote=False)))
    return out


def svg(screen, columns, lines):
    w, h = columns * CELL_W + 2 * PAD, lines * CELL_H + 2 * PAD
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f">' % (w, h, w, h),
           '<style>text{font:%dpx ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}</style>' % FONT,
           '<rect width="100%%" height="100%%" rx="6" fill="%s"/>' % BACKGROUND]
    style = Style()
    for y, line in enumerate(screen.split("\n")[:lines]):
        out += line_svg(line, style, PAD + y * CELL_H)
    return "\n".join(out) + "\n</svg>\n"


def animation(scenes, columns, lines):
    """Scenes (caption, screen, seconds) as one SVG that shows them in turn. Equal lines of all scenes are kept once."""
    w, h = columns * CELL_W + 2 * PAD, (lines + 2) * CELL_H + 2 * PAD
    whole, names, groups, begin = sum(s for _, _, s in scenes), {}, [], 0
    for caption, screen, seconds in scenes:
        style, uses = Style(), []
        for y, line in enumerate(screen.split("\n")[:lines]):
            drawn = "".join(line_svg(line, style, 0))
            if drawn:
                name = names.setdefault(drawn, "l%d" % len(names))
                uses.append('<use href="#%s" y="%d"/>' % (name, PAD + y * CELL_H))
        uses.append('<rect y="%d" width="100%%" height="%d" fill="#3a3a3a"/><text x="%d" y="%.1f" fill="#ffffff" font-weight="bold">%s</text>' % (
            PAD + lines * CELL_H + CELL_H // 2, CELL_H * 3 // 2 + PAD, PAD, PAD + (lines + 1.6) * CELL_H, html.escape(caption, quote=False)))
        end = begin + seconds
        times = [0, begin / whole, end / whole, 1]
        values = ["hidden", "visible", "hidden", "hidden"]
        if begin == 0:
            times, values = times[1:], values[1:]
        if end == whole:
            times, values = times[:-2] + [1], values[:-2] + ["visible"]
        groups.append('<g visibility="%s"><animate attributeName="visibility" calcMode="discrete" dur="%ds" repeatCount="indefinite" '
                      'keyTimes="%s" values="%s"/>%s</g>' % ("hidden" if begin else "visible", whole, ";".join("%.4g" % t for t in times),
                                                            ";".join(values), "".join(uses)))
        begin = end
    return "\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f">' % (w, h, w, h),
        '<style>text{font:%dpx ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}</style>' % FONT,
        '<rect width="100%%" height="100%%" rx="6" fill="%s"/>' % BACKGROUND, "<defs>",
        *('<g id="%s">%s</g>' % (name, drawn) for drawn, name in names.items()), "</defs>", *groups, "</svg>", ""])


def take_tour(av, folder, columns, lines):
    t = Terminal(columns, lines)
    scenes = []
    try:
        begin(t, av, folder, ["today.avc"])
        for caption, steps, seconds in TOUR:
            go(t, steps)
            scenes.append((caption, t.settled(), seconds))
    finally:
        t.close()
    return animation(scenes, columns, lines)


def begin(t, av, folder, words):
    config = os.path.join(t.home, "auditview")
    os.mkdir(config)
    with open(os.path.join(config, "config"), "w") as f:
        f.write("theme = dark\nsource = %s\n" % SHOP)
    t.run("cd %s; clear; TZ=UTC %s %s" % (folder, av, " ".join(words)))
    t.wait("F1 help")
    t.wait("━ ")


def go(t, steps):
    for step in steps:
        if step[0] == "=" and step != "=":
            t.type(step[1:])
        elif step[0] == "?":
            t.wait(step[1:])
        else:
            t.keys(step)


def take(av, folder, columns, lines, args, steps):
    t = Terminal(columns, lines)
    try:
        begin(t, av, folder, ["diff", "--screen", "monday.avc", "today.avc"] if args == ["diff"] else ["today.avc", *args])
        go(t, steps)
        return svg(t.settled(), columns, lines)
    finally:
        t.close()


def main():
    arguments = sys.argv[1:]
    check = arguments[0] == "--check"
    av, tool, pictures = (os.path.abspath(a) for a in arguments[check:])
    if not shutil.which("tmux"):
        print("skipped: tmux is not installed")
        return 77
    folder = tempfile.mkdtemp(prefix="auditview-pictures-")
    subprocess.run([tool, "--sample", os.path.join(folder, "today.avc")], check=True)
    subprocess.run([tool, "--plain", os.path.join(folder, "monday.avc"), "4"], check=True)
    os.makedirs(pictures, exist_ok=True)
    differ = []
    for name, columns, lines, args, steps in PICTURES:
        path, text = os.path.join(pictures, name + ".svg"), take(av, folder, columns, lines, args, steps)
        if not check:
            with open(path, "w") as f:
                f.write(text)
        elif not os.path.exists(path) or open(path).read() != text:
            differ.append(name)
    if not check:
        with open(os.path.join(pictures, "tour.svg"), "w") as f:
            f.write(take_tour(av, folder, 110, 32))
    shutil.rmtree(folder, ignore_errors=True)
    if differ:
        print("no longer what the screen shows: %s; ninja -C BUILD pictures makes them anew" % ", ".join(differ))
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
