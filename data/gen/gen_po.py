#!/usr/bin/env python3
"""Translations: data/po/LANGUAGE.po, checked against the program's texts, become a C table.

    gen_po.py DATA_DIR OUT.c          check the files, write the tables of src/base/tr.h
    gen_po.py --check TOP             no text is missing, stale or marked fuzzy in any language; for tests
    gen_po.py --update TOP [LANGUAGE] write the files anew from the texts of today (a new one: `--update . de`)

A text is found by its English wording, as gettext does it. Three kinds are translated:

    * fields of the records: events, themes, blind spots, notes of measured calls, lessons
    * tr("literal") and N_("literal") in src/ and ui/; N_ only marks the text, tr() of it is called where it is shown. CALLS below
      names further functions that translate what they are given: the messages of the screen
    * columns of tables that cannot be marked: TABLES below

The files are those of gettext, so that its editors and msgfmt --check can be used; neither is needed for a build. --update keeps
what is translated. If an English text has changed, the translation of the text that was most like it is kept below it, marked
"#, fuzzy": mend it, and remove the mark. Fuzzy and empty translations are not used; the English text is shown.

A translation has the printf conversions of its text in the same order, the same {answer}, and all words of the text that are
code: os.remove, open(), O_RDWR, --python.
"""
import difflib
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gen_api_map
import gen_catalog
import gen_lessons
import measure_apis
from gen_catalog import c_string, fail

STRING = r'"(?:[^"\\\n]|\\.)*"'
# function: which of its arguments are texts that it translates. Each literal of such an argument is a text, also "a" and "b" of
# `x ? "a" : "b"`; what is an argument of another call in it is not. Literals without a word ("%s: %d") need no translation.
CALLS = {"tr": (0,), "N_": (0,), "app_flash": (1,), "host_flash": (1,), "app_message": (1, 4)}
CALL = re.compile(r"(?<![\w\"])(%s)\(" % "|".join(CALLS))
TOKEN = re.compile(r"%s|'(?:[^'\\]|\\.)+'|/\*.*?\*/|." % STRING, re.S)
# file: (what a row looks like, with one group per column that is shown)
TABLES = {
    "ui/action.h": re.compile(r'^\tX\([A-Z_]+,.*?, +(%s)\) *\\?$' % STRING, re.M),
    "ui/pane_id.h": re.compile(r'^\tX\([A-Z]+, +\w+, +%s, +(%s),' % (STRING, STRING), re.M),
    "ui/keys.c": re.compile(r'\{ PANE_[A-Z]+, %s, ACTION_[A-Z_]+, (%s) \}' % (STRING, STRING)),
    "src/model/fields.c": re.compile(r'^\t\[FIELD_[A-Z]+\] += \{ %s, +DOMAIN_[A-Z]+, +FIELD_[A-Z]+, +(?:true|false), +(%s),' % (STRING, STRING), re.M),
    "src/model/filter_ready.c": re.compile(r'^\t\{ %s, (%s),$' % (STRING, STRING), re.M),
    "src/model/summary_ready.c": re.compile(r'^\t\{ %s, (%s), %s, %s \},$' % (STRING, STRING, STRING, STRING), re.M),
}
CONVERSION = re.compile(r"%(?:\d+\$)?[-+#0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j|t)?[diouxXcsfFgGeEpn%]")
CODE = re.compile(r"(?<![\w-])--?[a-z][a-z-]+|[A-Za-z_]\w*(?:\.\w+)+(?:\(\))?|\w+\(\)|\b[A-Za-z]*_\w+|\bPEP \d+|\b3\.\d+|\{\w+\}|:[a-z]+\b")


def literals_of_call(source, at, wanted):
    """The literals in the wanted arguments of the call whose arguments begin at `at`; adjacent ones are one. And where it ends."""
    found, depth, argument, joins = [], 1, 0, False
    while depth:
        m = TOKEN.match(source, at)
        if not m:
            break
        at, token = m.end(), m[0]
        if token[0] == '"' and len(token) > 1:
            if depth == 1 and argument in wanted:
                found += [token[1:-1]] if not joins else [found.pop() + token[1:-1]]
                joins = True
            continue
        joins = joins and (token.isspace() or token.startswith("/*"))
        depth += (token in ("(", "{", "[")) - (token in (")", "}", "]"))
        argument += token == "," and depth == 1
    return found


def has_word(text):
    return re.search(r"[A-Za-z]{2}", CONVERSION.sub("", text)) is not None


def unescape(literal):
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), literal)


def texts_of_records(data):
    themes, events = gen_catalog.load(data)
    for name, _, about in themes:
        yield "themes.tsv " + name, name
        yield "themes.tsv " + name, about
    for e in events:
        for field in ("description", "note", "since_note", "example_note", "alias_note"):
            if e[field]:
                yield "events " + e["name"], e[field]
        for arg in e["args"]:
            yield "events " + e["name"], arg[2]
        for call in e["raised_by"]:
            if " " in call and not re.match(r"python [-A-Z]|.*\[(C|name)\]|\S+ \(3\.\d+\)$", call):
                yield "events " + e["name"], call
    for call in measure_apis.read_calls(os.path.join(data, "api_calls.rec")):
        if call["note"]:
            yield "api_calls.rec " + call["call"], call["note"]
    for stanza in gen_api_map.read_stanzas(os.path.join(data, "blind_spots.rec")):
        for field, text, _ in stanza:
            if field in ("blind", "text"):
                yield "blind_spots.rec", text
    for lesson in gen_lessons.load(data):
        where = f"lesson {lesson['lesson']}"
        yield where, lesson["title"]
        yield where, lesson["about"]
        for step in lesson["steps"]:
            for field in ("step", "question", "hint", "after"):
                yield where, step[field]


def texts_of_sources(top):
    for folder in ("src", "ui"):
        for place, _, names in sorted(os.walk(os.path.join(top, folder))):
            for name in sorted(names):
                path = os.path.join(place, name)
                label = os.path.relpath(path, top)
                if not name.endswith((".c", ".h")) or label == "src/base/tr.h":
                    continue
                with open(path, encoding="utf-8") as f:
                    source = f.read()
                found = [(m.start(), text) for m in CALL.finditer(source) for text in literals_of_call(source, m.end(), CALLS[m[1]])
                         if m[1] in ("tr", "N_") or has_word(text)]
                if label in TABLES:
                    rows = [(m.start(), m[1][1:-1]) for m in TABLES[label].finditer(source)]
                    if len(rows) < 10:
                        fail(label, "rows of its table are not recognised: see TABLES in gen_po.py")
                    found = sorted(found + rows)
                for _, text in found:
                    yield label, unescape(text)


def texts(top):
    """{text: [places]}, in the order of reading"""
    found = {}
    for place, text in list(texts_of_records(os.path.join(top, "data"))) + list(texts_of_sources(top)):
        if text and place not in found.setdefault(text, []):
            found[text].append(place)
    return found


def read_po(path):
    """-> (comments and header, [(text, translation, is_fuzzy, place)]). Obsolete entries (#~) are left out."""
    label = "data/po/" + os.path.basename(path)
    entries, header, field, fuzzy, value, where = [], [], None, False, {}, label

    def finish():
        nonlocal fuzzy, value, field
        if "msgid" in value:
            entries.append((value["msgid"], value.get("msgstr", ""), fuzzy, where))
            fuzzy = False
        value, field = {}, None

    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            m = re.match(r'(msgid|msgstr)? ?(%s)$' % STRING, line)
            if not line or line[0] == "#":
                finish()
                fuzzy = fuzzy or line.startswith("#,") and "fuzzy" in line
                if not entries and line:
                    header.append(line)
            elif not m or not (m[1] or field):
                fail(f"{label}:{number}", f"expected msgid or msgstr and a text, found {line!r}")
            else:
                if m[1] == "msgid":
                    finish()
                    where = f"{label}:{number}"
                field = m[1] or field
                if m[1] and m[1] in value:
                    fail(f"{label}:{number}", f"{m[1]} given twice")
                value[field] = value.get(field, "") + unescape(m[2][1:-1])
    finish()
    if not entries or entries[0][0] or "charset=UTF-8" not in entries[0][1]:
        fail(label, "expected a header with charset=UTF-8 first")
        return header, "", []
    seen = set()
    for text, _, _, place in entries[1:]:
        if text in seen:
            fail(place, f"given twice: {text[:60]!r}")
        seen.add(text)
    return header, entries[0][1], entries[1:]


def check_entry(text, translation, place):
    if CONVERSION.findall(text) != CONVERSION.findall(translation):
        fail(place, f"conversions of {text[:60]!r} are {CONVERSION.findall(text)}, of its translation {CONVERSION.findall(translation)}")
    if text[:1].isspace() != translation[:1].isspace() and translation.isascii():
        fail(place, f"{text[:60]!r} begins with a space, or its translation does")


def check_words(text, translation, place):
    missing = [w for w in dict.fromkeys(CODE.findall(text)) if w not in translation]
    if missing:
        fail(place, f"{' '.join(missing)} is in the text and not in its translation: {text[:60]!r}")


def languages(data):
    folder = os.path.join(data, "po")
    return sorted(n[:-3] for n in os.listdir(folder) if n.endswith(".po"))


def write_c(data, path):
    out = ["/* Generated by data/gen/gen_po.py from data/po. */", '#include "base/tr.h"', "", "#include <stddef.h>", ""]
    rows = []
    for language in languages(data):
        if not re.match(r"[a-z]{2,3}(_[A-Z]{2})?$", language):
            fail(f"data/po/{language}.po", "its name is no language such as de or zh_CN")
        _, _, entries = read_po(os.path.join(data, "po", language + ".po"))
        used = [(t, s) for t, s, fuzzy, _ in entries if s and not fuzzy]
        for text, translation, fuzzy, place in entries:
            if translation and not fuzzy:
                check_entry(text, translation, place)
        out.append(f"static const struct tr_text texts_{language}[] = {{")
        out += [f"\t{{ {c_string(t)}, {c_string(s)} }}," for t, s in sorted(used, key=lambda u: u[0].encode())]
        out.append("\t{ NULL, NULL },")
        out.append("};")
        rows.append(f"\t{{ {c_string(language)}, texts_{language}, {len(used)} }},")
    out += ["const struct tr_language tr_languages[] = {"] + rows + ["\t{ NULL, NULL, 0 },", "};"]
    if gen_catalog.errors:
        sys.exit("\n".join(gen_catalog.errors))
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")


def check(top):
    wanted = texts(top)
    for language in languages(os.path.join(top, "data")):
        path = os.path.join(top, "data", "po", language + ".po")
        has = {}
        for text, translation, fuzzy, place in read_po(path)[2]:
            has[text] = place
            if text not in wanted:
                fail(place, f"stale: no such text is in the program: {text[:70]!r}")
            elif not translation or fuzzy:
                fail(place, ("marked fuzzy: " if fuzzy else "not translated: ") + repr(text[:70]))
            else:
                check_entry(text, translation, place)
                check_words(text, translation, place)
        for text, places in wanted.items():
            if text not in has:
                fail(f"data/po/{language}.po", f"missing, from {places[0]}: {text[:70]!r}")
    if gen_catalog.errors:
        print("\n".join(gen_catalog.errors))
        print(f"{len(gen_catalog.errors)} problems; `python3 data/gen/gen_po.py --update .` writes what is missing into the files and "
              "marks what changed: translate it there")
        return 1
    print(f"{len(wanted)} texts in {', '.join(languages(os.path.join(top, 'data')))}")
    return 0


def po_string(text):
    def quote(t):
        return '"' + t.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
    if len(text) <= 100:
        return quote(text)
    lines, line = ['""'], ""
    for word in re.findall(r"[^ ]* ?|.", text):
        if line and len(line) + len(word) > 100:
            lines.append(quote(line))
            line = ""
        line += word
    return "\n".join(lines + [quote(line)])


HEADER = "Project-Id-Version: auditview\nPO-Revision-Date: \nLast-Translator: \nLanguage-Team: {0}\nLanguage: {0}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n"


def update(top, language):
    path = os.path.join(top, "data", "po", language + ".po")
    comments, head, entries = (["# auditview: texts of the screen and of explain."], HEADER.format(language), [])
    if os.path.exists(path):
        comments, head, entries = read_po(path)
    wanted = texts(top)
    known = {t: (s, fuzzy) for t, s, fuzzy, _ in entries}
    stale = [t for t in known if t not in wanted and known[t][0]]
    out = comments + ['msgid ""', 'msgstr ""'] + [f'"{line}\\n"' for line in head.rstrip("\n").split("\n")] + [""]
    for text, places in wanted.items():
        translation, fuzzy = known.get(text, ("", False))
        near = [] if text in known else difflib.get_close_matches(text, stale, 1, 0.6)
        if near:
            translation, fuzzy = known[near[0]][0], True
        out.append("#. " + ", ".join(places[:4]) + (" …" if len(places) > 4 else ""))
        if fuzzy:
            out.append("#, fuzzy")
            if near:
                out.append("#| msgid " + po_string(near[0]).replace("\n", "\n#| "))
        out += ["msgid " + po_string(text), "msgstr " + po_string(translation), ""]
    if gen_catalog.errors:
        sys.exit("\n".join(gen_catalog.errors))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out))


def main():
    words = sys.argv[1:]
    if len(words) == 2 and words[0] == "--check":
        sys.exit(check(words[1]))
    if len(words) in (2, 3) and words[0] == "--update":
        for language in words[2:] or languages(os.path.join(words[1], "data")):
            update(words[1], language)
    elif len(words) == 2:
        write_c(*words)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
