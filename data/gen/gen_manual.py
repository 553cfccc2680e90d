#!/usr/bin/env python3
"""gen_manual: the manual pages, from their texts and the sections that the program makes from its tables.

    gen_manual.py DATA SECTIONS VERSION PAGE…

DATA is the folder data/, SECTIONS is what `auditview --manual` prints (the build runs it, because the program may be of
another CPU), each PAGE is a file to write; its base name chooses the text (PAGES).

A text is man(7) source (.in), or Markdown that is read on its own, too. Of Markdown this is understood: headings,
paragraphs, lists, tables, indented and fenced code, `code`, **bold**, *emphasis* and links. Its first line names the page:
<!-- NAME(SECTION): what it is -->. A line "@SECTION@" (in Markdown in a comment) is replaced by the section of that name
which the program makes, and @MEMBERS@ by the members of JSON lines, from their schema. A section that no page asks for, or
one that a page asks for and does not get, is an error.
"""
import json
import os
import re
import sys

# What a terminal without UTF-8 shows: groff (1.22) has no fallback for these, and warns. Other readers ignore it.
FALLBACKS = "".join(f".if \\n(.g .fchar \\[{char}] {text}\n" for char, text in (("u2026", "..."), ("ua", "^"), ("da", "v")))

PAGES = {
    "auditview.1": "auditview.1.in",
    "auditview-filter.7": "filters.md",
    "auditview-capture.5": "capture-format.md",
    "auditview-json.5": "json-lines.md",
}
MANUALS = {"1": "User Commands", "5": "File Formats", "7": "Miscellanea"}
WIDE = 24  # a column with a cell of more characters is filled, its lines are broken


def escape(text):
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti").replace("`", "\\(ga")


def guard(line):
    """A line that begins with a dot or a quote is a request; make it text."""
    return "\\&" + line if line[:1] in (".", "'") else line


def inline(text):
    """Markdown within a paragraph to roff."""
    out = []
    for part in re.split(r"(`[^`]+`|\*\*[^*]+\*\*|(?<![\w*\\])\*[^\s*][^*]*\*|\[[^\]]+\]\([^)]+\))", text):
        if part.startswith("`"):
            out.append("\\fB" + escape(part[1:-1].replace("\\|", "|")) + "\\fR")
        elif part.startswith("**"):
            out.append("\\fB" + escape(part[2:-2]) + "\\fR")
        elif re.fullmatch(r"\*[^\s*][^*]*\*", part):
            out.append("\\fI" + escape(part[1:-1]) + "\\fR")
        elif re.fullmatch(r"\[[^\]]+\]\([^)]+\)", part):
            words, target = re.fullmatch(r"\[([^\]]+)\]\(([^)]+)\)", part).groups()
            out.append(inline(words) + ("" if target.startswith("#") else f" ({escape(target)})"))
        else:
            out.append(escape(part))
    return "".join(out)


def paragraph(text):
    """One roff line per sentence keeps lines short and the space after full stops right."""
    return [guard(s) for s in re.split(r"(?<=[a-z)\]R][.?!:;]) +(?=\S)", inline(text))]


def cells_of(row):
    return [c.strip() for c in re.split(r"(?<!\\)\|", row.strip().strip("|"))]


def table(rows):
    """Two columns become tagged paragraphs, more a table."""
    head, body = cells_of(rows[0]), [cells_of(r) for r in rows[2:]]
    if len(head) == 2:
        out = []
        for left, right in body:
            out += [".TP", guard(inline(left)), *paragraph(right)]
        return out + [".PP"]
    wide = [max(len(r[i]) for r in body) > WIDE for i in range(len(head))]
    share = (40 if sum(wide) < 2 else 44) // max(1, sum(wide))
    lines = [".TS", " ".join("lB" for _ in head), " ".join(f"lw({share}n)" if w else "l" for w in wide) + "."]
    lines.append("\t".join(inline(h) for h in head))
    for row in body:
        lines.append("\t".join("T{\n" + "\n".join(paragraph(c)) + "\nT}" if w else inline(c) for c, w in zip(row, wide)))
    return lines + [".TE", ".PP"]


def code(lines):
    return [".PP", ".RS 4", ".nf", *[guard(escape(line)) for line in lines], ".fi", ".RE", ".PP"]


def blocks(lines):
    """Group the lines of a Markdown text: yields (kind, lines)."""
    i = 0
    while i < len(lines):
        line = lines[i]
        start = i
        if not line.strip():
            i += 1
        elif line.startswith("```"):
            i += 1
            while not lines[i].startswith("```"):
                i += 1
            i += 1
            yield "code", lines[start + 1:i - 1]
        elif line.startswith("    "):
            while i < len(lines) and (lines[i].startswith("    ") or not lines[i].strip()):
                i += 1
            yield "code", "\n".join(x[4:] for x in lines[start:i]).rstrip().split("\n")
        elif line.startswith("|"):
            while i < len(lines) and lines[i].startswith("|"):
                i += 1
            yield "table", lines[start:i]
        elif line.startswith("#"):
            i += 1
            yield "heading", [line]
        elif re.match(r"<!--", line):
            i += 1
            yield "comment", [line]
        elif line.startswith("* "):
            i += 1
            while i < len(lines) and lines[i].startswith("  "):
                i += 1
            yield "item", [x[2:] for x in lines[start:i]]
        else:
            while i < len(lines) and lines[i].strip() and not re.match(r"[|#]|\* |```|<!--", lines[i]):
                i += 1
            yield "text", lines[start:i]


def page_of(path, version, made):
    """The roff of a Markdown text; made(name) returns a section."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    names = re.fullmatch(r"<!-- ([a-z-]+)\((\d)\): (.+) -->", lines[0])
    if not names:
        sys.exit(f"{path}: the first line does not name the page")
    name, number, what = names.groups()
    out = ["'\\\" t", f'.TH {name.upper()} {number} "" "auditview {version}" "{MANUALS[number]}"', ".SH NAME", f"{escape(name)} \\- {inline(what)}",
           ".SH DESCRIPTION"]
    for kind, block in blocks(lines[1:]):
        if kind == "heading":
            level, text = re.fullmatch(r"(#+) (.*)", block[0]).groups()
            if len(level) == 2:
                out.append(".SH " + inline(text).upper().replace("\\FB", "\\fB").replace("\\FR", "\\fR").replace("\\E", "\\e"))
            elif len(level) > 2:
                out.append(".SS " + inline(text))
        elif kind == "comment":
            wanted = re.fullmatch(r"<!-- @([A-Z ]+)@ -->", block[0])
            if wanted:
                out += made(wanted.group(1)).rstrip("\n").split("\n")
        elif kind == "table":
            out += table(block)
        elif kind == "code":
            out += code(block)
        elif kind == "item":
            out += [".IP \\(bu 3", *paragraph(" ".join(x.strip() for x in block))]
        else:
            out += [".PP", *paragraph(" ".join(x.strip() for x in block))]
    out += [".SH SEE ALSO", ",\n".join(f".BR {escape(p.rpartition('.')[0])} ({p[-1]})" for p in PAGES if p != f"{name}.{number}")]
    # A paragraph before a heading, a list or another paragraph is nothing but a warning.
    text, out = out, []
    for line in text:
        if line == ".PP" and out[-1].startswith((".SH", ".SS", ".PP")):
            continue
        while line.startswith((".SH", ".SS", ".TP", ".IP", ".TS")) and out and out[-1] == ".PP":
            out.pop()
        out.append(line)
    return "\n".join(out) + "\n"


def type_words(rule):
    if "const" in rule:
        return f"always {rule['const']}"
    if "enum" in rule:
        return "one of " + ", ".join(rule["enum"])
    if "$ref" in rule:
        return {"count": "integer, 0 or more", "value": "Python value"}[rule["$ref"].rpartition("/")[2]]
    kind = rule.get("type", "")
    return "string or null" if isinstance(kind, list) else kind


def members(rule, out):
    """Tagged paragraphs of an object's members."""
    for name, member in rule["properties"].items():
        out += [".TP", f".BR {escape(name)}" + ("" if name in rule.get("required", []) else ' " (optional)"')]
        text = type_words(member)
        if "description" in member:
            text += ": " + member["description"]
        out.append(guard(escape(text)))
        inner = member if member.get("type") == "object" else member.get("items", {})
        kinds = inner.get("oneOf", [inner] if "properties" in inner else [])
        for i, kind in enumerate(kinds):
            if len(kinds) > 1:
                out += [".IP", ("either" if i == 0 else "or") + " an object with"]
            out.append(".RS")
            members(kind, out)
            out.append(".RE")


def main():
    data, made_file, version, *outputs = sys.argv[1:]
    with open(made_file, encoding="utf-8") as f:
        made = f.read()
    sections = {text.split("\n", 1)[0][4:]: text for text in re.split(r"(?m)^(?=\.SH )", made) if text}
    used = set()
    with open(os.path.join(data, "auditview-json.schema.json"), encoding="utf-8") as f:
        schema = json.load(f)

    def section(name):
        if name == "MEMBERS":
            out = [".SH MEMBERS"]
            members(schema, out)
            return "\n".join(out) + "\n"
        if name not in sections:
            sys.exit(f"{data}: the program makes no section {name}")
        used.add(name)
        return sections[name]

    texts = {}
    for output in outputs:
        source = os.path.join(data, PAGES[os.path.basename(output)])
        if source.endswith(".md"):
            texts[output] = page_of(source, version, section)
            continue
        lines = []
        for line in open(source, encoding="utf-8"):
            lines.append(section(line[1:-2]) if re.fullmatch(r"@[A-Z ]+@\n", line) else line.replace("@VERSION@", version))
        texts[output] = "".join(lines)
    if set(sections) - used:
        sys.exit(f"{data}: no page has these sections: {', '.join(sorted(set(sections) - used))}")
    for output, text in texts.items():
        with open(output, "w", encoding="utf-8") as f:
            f.write(re.sub(r"(?m)^(?=\.TH )", lambda _: FALLBACKS, text, count=1))


main()
