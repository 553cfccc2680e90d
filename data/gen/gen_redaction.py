#!/usr/bin/env python3
"""Check data/redaction.rec, which says what its fields mean, and write C of it.

    gen_redaction.py DATA_DIR TABLES.c [EXAMPLES.h]

TABLES.c     the words and rules of src/recorder/redact_tables.h, and an automaton (Aho and Corasick) that finds in one pass
             over a text which anchors it holds
EXAMPLES.h   the examples, for tests/unit/test_redact.c
"""
import os
import re
import shlex
import sys

WORDS = ["tells-end", "tells", "tells-name", "about", "before", "key-of", "key-open"]
FIELDS = ["rule", "kind", "event", "anchor", "least", "pattern", "hide", "hide-words", "show"]
MANY = ["anchor", "hide", "hide-words", "show"]
NAME = r"(?<![A-Za-z0-9_.\-\[\]])(?<name>[A-Za-z0-9_.\-\[\]]{2,80}+)"
# What a command line is made of, as one text and as words with a NUL between them.
SHELL = {"~": r"[ \t]+", "%v": r"""(?:(?!"?\$[({A-Z0-9])"(?:[^"\\\n]|\\.)*+"?|'[^'\n]*+'?|(?!\$[({A-Z0-9])[^\s"';|&<>()`\x00]++)""",
         "%w": r"(?:[ \t]+[^\s|;&\x00]++)*?"}
ARGV = {"~": r"\x00", "%v": r"(?!\$\{?[A-Z][A-Z0-9_]*\}?(?:\x00|\z))[^\x00]++", "%w": r"(?:\x00[^\x00]*+)*?"}


def fail(place, message):
    sys.exit(f"{place}: {message}")


def c_string(data):
    """A C string literal of bytes."""
    out = "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in data)
    return f'"{out}"'


def unescape(text):
    return re.sub(r"\\([rnt\\])", lambda m: {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}[m.group(1)], text)


def read(path):
    label = "data/redaction.rec"
    words, rules, field = {}, [], None
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f.read().split("\n"), 1):
            place = f"{label}:{number}"
            if not line.strip() or line.startswith("#"):
                field = None
                continue
            if line.startswith("    "):
                if field is None:
                    fail(place, "a continued line without a field before it")
                where = rules[-1] if rules else words
                if field in WORDS:
                    words[field] += " " + line.strip()
                elif field in MANY:
                    where[field][-1] += " " + line.strip()
                else:
                    where[field] += line.strip()
                continue
            field, colon, text = line.partition(":")
            text = text[1:] if text.startswith(" ") else text
            if not colon or field not in WORDS + FIELDS:
                fail(place, f"unknown field '{field}'")
            if field in WORDS:
                words[field] = text
            elif field == "rule":
                rules.append({"rule": text, "place": place, "anchor": [], "hide": [], "hide-words": [], "show": []})
            elif not rules:
                fail(place, "a field before the first rule")
            elif field in MANY:
                rules[-1][field].append(text)
            elif field in rules[-1]:
                fail(place, f"{field} is given twice")
            else:
                rules[-1][field] = text
    for field in WORDS:
        if field not in words:
            fail(label, f"no {field}")
        words[field] = words[field].split()
        for w in words[field]:
            if w != w.lower() or words[field].count(w) > 1:
                fail(label, f"{field}: '{w}' is not in small letters, or given twice")
    return words, rules


def check(rule):
    place = rule["place"]
    if "pattern" not in rule:
        fail(place, "no pattern")
    if rule.get("kind", "text") not in ("text", "words", "command"):
        fail(place, f"unknown kind '{rule['kind']}'")
    if not rule.get("least", "1").isdigit():
        fail(place, f"least: '{rule['least']}' is no number")
    if "(?<secret>" not in rule["pattern"]:
        fail(place, "no group 'secret' in the pattern")
    if not rule["anchor"] and "event" not in rule:
        fail(place, "neither an anchor nor an event: the pattern would be tried on every text")
    if not rule["hide"]:
        fail(place, "no example of what is hidden")
    for text in rule["hide"] + rule["hide-words"]:
        if not re.search(r"\{\{.+?\}\}", text, re.S):
            fail(place, f"nothing in {{{{ }}}}: {text}")
    for text in rule["show"]:
        if "{{" in text:
            fail(place, f"{{{{ in what is shown: {text}")


def patterns_of(rule):
    """[(is_argv, pattern)…] of one rule."""
    pattern = rule["pattern"].replace("%N", NAME)
    kind = rule.get("kind", "text")
    made = []
    for is_argv, macros in {"text": [(False, {})], "words": [(True, ARGV)], "command": [(False, SHELL), (True, ARGV)]}[kind]:
        p = pattern
        for macro, text in macros.items():
            p = p.replace(macro, text)
        made.append((is_argv, p))
    return made


def automaton(anchors):
    """anchors: [(word, bit)…] → classes[256], goto[state][class], bits[state]."""
    used = sorted({c for word, _ in anchors for c in word})
    classes = [0] * 256
    for i, c in enumerate(used, 1):
        classes[ord(c)] = i
        classes[ord(c.upper())] = i
    n = len(used) + 1
    goto, fails, bits = [[0] * n], [0], [0]
    for word, bit in anchors:
        state = 0
        for c in word:
            k = classes[ord(c)]
            if not goto[state][k]:
                goto[state][k] = len(goto)
                goto.append([0] * n)
                fails.append(0)
                bits.append(0)
            state = goto[state][k]
        bits[state] |= 1 << bit
    queue = [s for s in goto[0] if s]
    while queue:
        state = queue.pop(0)
        bits[state] |= bits[fails[state]]
        for k in range(n):
            child = goto[state][k]
            if child:
                fails[child] = goto[fails[state]][k]
                queue.append(child)
            else:
                goto[state][k] = goto[fails[state]][k]
    return classes, goto, bits


def write_tables(path, words, rules):
    sets, anchors = {}, []
    for rule in rules:
        for text in rule["anchor"]:
            key = tuple(sorted(set(text.split())))
            if key not in sets:
                sets[key] = len(sets)
                anchors += [(unescape(w).lower(), sets[key]) for w in key]
    if len(sets) > 128:
        fail("data/redaction.rec", f"{len(sets)} different anchor lines, 128 are the most")
    by_word = {}
    for word, bit in anchors:
        by_word.setdefault(word, []).append(bit)
    flat = [(word, bit) for word, all_bits in by_word.items() for bit in all_bits]
    classes, goto, bits = automaton(flat)
    with open(path, "w", encoding="utf-8") as f:
        f.write('/* Made by data/gen/gen_redaction.py from data/redaction.rec. */\n#include "recorder/redact_tables.h"\n\n')
        f.write("const char *const *const redact_lists[REDACT_WORDS_COUNT] = {\n")
        for i, field in enumerate(WORDS):
            listed = ", ".join(c_string(w.encode()) for w in words[field])
            f.write(f"\t[{i}] = (const char *const[]){{ {listed}, 0 }},\n")
        f.write("};\n\nconst struct redact_rule redact_rules[] = {\n")
        n, firsts = 0, [0] * 130
        for rule in rules:
            rule["needs"] = [sets[tuple(sorted(set(text.split())))] for text in rule["anchor"]]
        for rule in sorted(rules, key=lambda rule: rule["needs"][0] + 1 if rule["needs"] else 0):
            mask, needs = [0, 0], rule["needs"]
            for bit in needs:
                mask[bit // 64] |= 1 << bit % 64
            for is_argv, pattern in patterns_of(rule):
                events = c_string(rule["event"].encode()) if "event" in rule else "0"
                f.write(f"\t{{ {c_string(rule['rule'].encode())}, {c_string(pattern.encode())}, {events}, "
                        f"{{ {mask[0]:#x}u, {mask[1]:#x}u }}, {rule.get('least', '1')}, {'true' if is_argv else 'false'} }},\n")
                n += 1
                for bit in range(needs[0] + 1 if needs else 0, 129):
                    firsts[bit + 1] = n
        f.write(f"}};\nconst unsigned redact_n_rules = {n};\n")
        f.write("const unsigned char redact_first_rule[130] = { " + ", ".join(map(str, firsts)) + " };\n\n")
        if n > 255:
            fail("data/redaction.rec", f"{n} patterns, 255 are the most")
        f.write("const unsigned char redact_classes[256] = { " + ", ".join(map(str, classes)) + " };\n")
        f.write(f"const unsigned redact_n_classes = {len(goto[0])};\n")
        f.write("const unsigned short redact_goto[] = {\n" + "".join("\t" + ", ".join(map(str, row)) + ",\n" for row in goto) + "};\n")
        f.write("const unsigned long long redact_bits[][2] = {\n" +
                "".join(f"\t{{ {b & (1 << 64) - 1:#x}u, {b >> 64:#x}u }},\n" for b in bits) + "};\n")


def split(text):
    """(what is given, what must come out) of an example."""
    return re.sub(r"\{\{(.*?)\}\}", r"\1", text, flags=re.S), re.sub(r"\{\{.*?\}\}", "***", text, flags=re.S)


def as_words(text):
    return "\0".join(shlex.split(text))


def write_examples(path, rules):
    with open(path, "w", encoding="utf-8") as f:
        f.write("/* Made by data/gen/gen_redaction.py from data/redaction.rec: rule, event, in words?, given, expected. */\n")
        for rule in rules:
            event = c_string(rule["event"].split()[0].encode()) if "event" in rule else "0"
            examples = [(False, unescape(t)) for t in rule["hide"] + rule["show"]]
            if rule.get("kind") == "words":
                examples = [(True, t.replace("|", "\0")) for _, t in examples]
            if rule.get("kind") == "command":
                examples += [(True, as_words(unescape(t))) for t in rule["hide"] + rule["show"] if not re.search("[;|<]", t)]
            examples += [(True, unescape(t).replace("|", "\0")) for t in rule["hide-words"]]
            for is_argv, text in examples:
                given, expected = (s.encode() for s in split(text))
                f.write(f"{{ {c_string(rule['rule'].encode())}, {event}, {'true' if is_argv else 'false'}, "
                        f"{c_string(given)}, {len(given)}, {c_string(expected)}, {len(expected)} }},\n")


def main():
    data, tables = sys.argv[1:3]
    words, rules = read(os.path.join(data, "redaction.rec"))
    for rule in rules:
        check(rule)
    write_tables(tables, words, rules)
    if len(sys.argv) > 3:
        write_examples(sys.argv[3], rules)


if __name__ == "__main__":
    main()
