#!/usr/bin/env python3
"""Check data/events/*.rec and write the C tables of src/model/catalog.h.

    gen_catalog.py DATA_DIR OUT.c     check everything, write OUT.c
    gen_catalog.py DATA_DIR --check   check only

A .rec file holds the events of one theme (its name, spaces as _), one stanza each, in order of name. A stanza is lines
"field: text"; a line that begins with spaces continues the one before. Fields (* may repeat):

    event         name raised                            first line of a stanza
    alias         NAME why: a name the docs use wrongly
    since         3.N, first line of releases that raises it
    removed       3.N, first one that does not
    documented    no, if no version's docs list it
    seed          yes, if it stood in the table auditview began with (data/seed_events.tsv)
    platforms     any unix linux bsd macos windows       default: any
    gist          how it reads in one line; grammar: src/model/catalog.h
    description   when it fires
    arg *         NAME TYPE [+bulk] [+secret] [+fd] meaning    in order
    args-in *     3.N,3.M NAME:TYPE ...                  versions that differ; positions keep their meaning
    format *      Py_BuildValue formats at the call sites over all versions; "none" for no arguments
    raised-by *   a public way to raise it
    site *        FILE:FUNCTION in the sources of sites-version
    note, since-note, example-note
    example       lines below it, indented by four, are a script for Linux

Errors name the place; nothing is written then. Generated text goes to the build folder, never into the sources.
"""
import ast
import os
import re
import sys

GROUPS = ["network", "files", "process", "code", "below", "import", "inside"]
READINGS = ("value path url text argv hostport call code callable type object len count size hex octal fd option oflags "
            "family socktype signal errno fcntl flock lockf mmap rlimit syslog hkey").split()
TYPES = set("int str bytes bool float path object sequence mapping tuple list dict callable code frame type traceback "
            "buffer ast Path None".split())
PLATFORMS = ["any", "unix", "linux", "bsd", "macos", "windows"]
SINGLE = "event alias since removed documented seed platforms gist description note since-note example-note example".split()
MANY = ["arg", "args-in", "format", "raised-by", "site"]
ONCE_MORE = ["sites-version"]
OLDEST, NEWEST = 8, 15
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*([./][A-Za-z0-9_]+)*$")

errors = []


def fail(place, message):
    errors.append(f"{place}: {message}")


def read_stanzas(path):
    """Yield lists of (field, text, place)."""
    label = "data/events/" + os.path.basename(path)
    stanza, in_example, blank = [], False, 0
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    for number, line in enumerate(lines, 1):
        place = f"{label}:{number}"
        if line != line.rstrip():
            fail(place, "spaces at the end of the line")
        if not line.strip():
            blank += 1
            continue
        if line[0] == " ":
            if not stanza:
                fail(place, "a continuation without a field before it")
                continue
            field, text, where = stanza[-1]
            if in_example:
                if not line.startswith("    "):
                    fail(place, "example lines are indented by four spaces")
                if len(line) > 80:
                    fail(place, "an example line is shown as it is, 80 cells are the most")
                text += "\n" * blank + line[4:] + "\n"
            else:
                text += " " + line.strip()
            stanza[-1] = (field, text, where)
            blank = 0
            continue
        blank = 0
        if line[0] == "#":
            continue
        field, colon, text = line.partition(":")
        if not colon:
            fail(place, f"expected 'field: text', found {line!r}")
            continue
        if field == "event" and stanza:
            yield stanza
            stanza = []
        in_example = field == "example"
        stanza.append((field, text.strip(), place))
    if stanza:
        yield stanza


def minor_of(text, place):
    m = re.match(r"3\.(\d+)$", text)
    if not m or not OLDEST <= int(m[1]) <= NEWEST:
        fail(place, f"expected 3.{OLDEST} to 3.{NEWEST}, found {text!r}")
        return OLDEST
    return int(m[1])


def check_type(text, place):
    for word in text.split("|"):
        if word not in TYPES:
            fail(place, f"unknown type {word!r}")


def parse_gist(text, names, place):
    """-> [(kind, group, arg, reading, or_next, text)]"""
    parts, group, groups, i, literal = [], 0, 0, 0, ""

    def flush():
        nonlocal literal
        if literal:
            parts.append(("GIST_TEXT", group, 0, 0, False, literal))
            literal = ""

    while i < len(text):
        c = text[i]
        if c == "[":
            flush()
            if group:
                fail(place, "gist: [ inside [ ]")
            groups += 1
            group = groups
        elif c == "]":
            flush()
            if not group:
                fail(place, "gist: ] without [")
            group = 0
        elif c == "{":
            flush()
            end = text.find("}", i)
            if end < 0:
                fail(place, "gist: { without }")
                return parts
            choices = text[i + 1:end].split("|")
            for n, choice in enumerate(choices):
                name, _, reading = choice.partition(":")
                if name not in names:
                    fail(place, f"gist: no argument {name!r}")
                    name = names[0] if names else ""
                if (reading or "value") not in READINGS:
                    fail(place, f"gist: no reading {reading!r}; known: {' '.join(READINGS)}")
                    reading = "value"
                position = names.index(name) if names else 0
                parts.append(("GIST_ARG", group, position, READINGS.index(reading or "value"), n + 1 < len(choices), ""))
            i = end
        elif c == "}":
            fail(place, "gist: } without {")
        else:
            literal += c
        i += 1
    flush()
    if group:
        fail(place, "gist: [ without ]")
    return parts


def parse_args_in(text, event, place):
    versions, _, rest = text.partition(" ")
    minors = [minor_of(v, place) for v in versions.split(",")]
    args = []
    for n, word in enumerate(rest.split()):
        name, _, kind = word.partition(":")
        check_type(kind, place)
        base = event["args"][n] if n < len(event["args"]) else None
        if base is None:
            fail(place, f"argument {n + 1} of args-in has no meaning: list it with arg")
            continue
        args.append((name, kind, base[2], base[3]))
    for m in minors:
        if not (event["since"] <= m and (not event["removed"] or m < event["removed"])):
            fail(place, f"args-in: 3.{m} does not raise it")
    return minors, args


def parse_event(stanza, theme):
    place = stanza[0][2]
    event = dict(place=place, theme=theme, alias=None, alias_note=None, removed=0, documented=True, seed=False,
                 platforms=["any"], gist=None, gist_parts=[], args=[], signatures=[], formats=[], raised_by=[], sites=[],
                 sites_version=None, note=None, since_note=None, example_note=None, example=None, since=None,
                 description=None, seen=0, startup={})
    if stanza[0][0] != "event":
        fail(place, "a stanza begins with event:")
        return None
    event["name"] = stanza[0][1]
    seen = set()
    gist_place = place
    for field, text, where in stanza:
        if field in seen and field not in MANY:
            fail(where, f"{field} given twice")
        seen.add(field)
        if not text and field != "example":
            fail(where, f"{field} is empty")
        if field == "event":
            if not NAME.match(text):
                fail(where, f"{text!r} is no event name")
        elif field == "alias":
            event["alias"], _, event["alias_note"] = text.partition(" ")
        elif field in ("since", "removed"):
            event[field] = minor_of(text, where)
        elif field in ("documented", "seed"):
            if text not in ("yes", "no"):
                fail(where, f"{field} is yes or no")
            event[field] = text == "yes"
        elif field == "platforms":
            event["platforms"] = text.split()
            for word in event["platforms"]:
                if word not in PLATFORMS:
                    fail(where, f"unknown platform {word!r}")
        elif field == "gist":
            event["gist"], gist_place = text, where
        elif field in ("description", "note", "since-note", "example-note"):
            event[field.replace("-", "_")] = text
            if field == "description" and not text.endswith("."):
                fail(where, "a description is a sentence")
        elif field == "arg":
            words = text.split(None, 2)
            if len(words) < 3:
                fail(where, "expected arg: NAME TYPE meaning")
                continue
            name, kind, meaning = words
            flags = []
            while meaning.startswith("+"):
                flag, _, meaning = meaning.partition(" ")
                if flag not in ("+bulk", "+secret", "+fd"):
                    fail(where, f"unknown flag {flag}")
                flags.append("ARG_" + flag[1:].upper())
            check_type(kind, where)
            if not meaning:
                fail(where, f"argument {name} has no meaning")
            if name in [a[0] for a in event["args"]]:
                fail(where, f"argument {name} given twice")
            event["args"].append((name, kind, meaning, " | ".join(flags) or "0"))
        elif field == "format":
            event["formats"] += ["" if f == "none" else f for f in text.split()]
        elif field == "raised-by":
            event["raised_by"].append(text)
        elif field == "site":
            if not re.match(r"[\w./-]+:[\w.<>]+$", text):
                fail(where, f"expected FILE:FUNCTION, found {text!r}")
            event["sites"].append(text)
        elif field == "sites-version":
            event["sites_version"] = text
        elif field == "example":
            event["example"] = text
            try:
                ast.parse(text)
            except SyntaxError as e:
                fail(where, f"example: line {e.lineno}: {e.msg}")
        elif field != "args-in":
            fail(where, f"unknown field {field!r}")
    for needed in ("since", "description"):
        if event[needed] is None:
            fail(place, f"{event['name']} has no {needed}")
            event[needed] = event[needed] or (OLDEST if needed == "since" else "")
    if event["removed"] and event["removed"] <= event["since"]:
        fail(place, "removed before it came")
    if not event["raised_by"]:
        fail(place, "no raised-by")
    if bool(event["sites"]) != bool(event["sites_version"]):
        fail(place, "site and sites-version belong together")
    if event["gist"]:
        event["gist_parts"] = parse_gist(event["gist"], [a[0] for a in event["args"]], gist_place)
    elif event["args"] and event["seed"]:
        fail(place, "a seed event with arguments needs a gist")
    for field, text, where in stanza:
        if field == "args-in":
            event["signatures"].append(parse_args_in(text, event, where))
    event["category"] = event["name"].split(".", 1)[0]
    return event


def read_table(path, columns):
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            cells = line.rstrip("\n").split("\t")
            place = f"data/{os.path.basename(path)}:{number}"
            if len(cells) != columns:
                fail(place, f"expected {columns} columns, found {len(cells)}")
            elif number > 1 or columns == 2:
                yield place, cells


def args_of(event, minor):
    for minors, args in event["signatures"]:
        if minor in minors:
            return args
    return event["args"]


def check_facts(data, events):
    """The catalogue against what was measured and what the seed table says."""
    by_name = {e["name"]: e for e in events}
    aliases = {e["alias"]: e for e in events if e["alias"]}
    for place, cells in read_table(os.path.join(data, "verified_events.tsv"), 6):
        name, version, fired, count = cells[:4]
        minor = int(version.split(".")[1])
        event = by_name.get(name)
        if event is None:
            if name not in aliases:
                fail(place, f"measured, but unknown: {name}")
            continue
        if fired == "yes" and int(count) != len(args_of(event, minor)):
            fail(place, f"{name} had {count} arguments in {version}, the catalogue says {len(args_of(event, minor))}")
        here = event["since"] <= minor and not (event["removed"] and minor >= event["removed"])
        if fired == "yes" and not here:
            fail(place, f"{name} fired in {version}, the catalogue does not have it there")
        if fired == "yes":
            event["seen"] |= 1 << minor
    for place, cells in read_table(os.path.join(data, "startup_events.tsv"), 5):
        version, phase, name, count, times = cells
        event, minor = by_name.get(name), int(version.split(".")[1])
        if event is None:
            fail(place, f"raised at start-up, but unknown: {name}")
        elif phase not in ("initialization", "before_program", "after_program", "shutdown"):
            fail(place, f"unknown phase {phase!r}")
        else:
            event["startup"].setdefault(minor, [0, 0])[phase in ("after_program", "shutdown")] += int(times)
    seeds = set()
    for place, cells in read_table(os.path.join(data, "seed_events.tsv"), 2):
        seeds.add(cells[0])
        if cells[0] not in by_name and cells[0] not in aliases:
            fail(place, f"seed event {cells[0]} has no entry")
    for e in events:
        if e["seed"] != (e["name"] in seeds or e["alias"] in seeds):
            fail(e["place"], "seed: disagrees with seed_events.tsv")


def load(data):
    themes = []
    for place, cells in read_table(os.path.join(data, "themes.tsv"), 3):
        if cells[1] not in GROUPS:
            fail(place, f"unknown group {cells[1]!r}")
        themes.append(cells)
    events = []
    files = sorted(os.listdir(os.path.join(data, "events")))
    for theme, _, _ in themes:
        name = theme.replace(" ", "_") + ".rec"
        if name not in files:
            fail("data/themes.tsv", f"no file events/{name}")
            continue
        files.remove(name)
        before = ""
        for stanza in read_stanzas(os.path.join(data, "events", name)):
            event = parse_event(stanza, theme)
            if event is None:
                continue
            if event["name"] <= before:
                fail(event["place"], f"{event['name']} stands after {before}: keep the order of names")
            before = event["name"]
            events.append(event)
    for name in files:
        fail(f"data/events/{name}", "no such theme in themes.tsv")
    events.sort(key=lambda e: e["name"].encode())
    names = {}
    for e in events:
        for name in filter(None, (e["name"], e["alias"])):
            if name in names:
                fail(e["place"], f"{name} has an entry already, at {names[name]}")
            names[name] = e["place"]
    check_facts(data, events)
    return themes, events


def c_string(text):
    if text is None:
        return "NULL"
    out = ""
    for byte in text.encode():
        ch = chr(byte)
        if ch == "\n":
            out += "\\n"
        elif ch in '\\"':
            out += "\\" + ch
        elif ch == "?":
            out += "\\?"
        elif 32 <= byte < 127:
            out += ch
        else:
            out += f"\\{byte:03o}"
    return f'"{out}"'


def c_strings(name, items, out):
    out.append(f"static const char *const {name}[] = {{ {''.join(c_string(i) + ', ' for i in items)}NULL }};")


def write_args(name, args, out):
    out.append(f"static const struct catalog_arg {name}[] = {{")
    for arg, kind, meaning, flags in args:
        out.append(f"\t{{ {c_string(arg)}, {c_string(kind)}, {c_string(meaning)}, {flags} }},")
    out.append("};")


def write_c(themes, events, path):
    out = ["/* Generated by data/gen/gen_catalog.py from data/events and data/themes.tsv. */", '#include "model/catalog.h"', ""]
    out.append(f"_Static_assert(CATALOG_MINOR_OLDEST == {OLDEST} && CATALOG_MINOR_NEWEST == {NEWEST}, \"versions\");")
    out.append(f"_Static_assert(READING_KIND_COUNT == {len(READINGS)}, \"gen_catalog.py: READINGS\");")
    out += [f"_Static_assert(READING_{r.upper()} == {n}, \"gen_catalog.py: READINGS\");" for n, r in enumerate(READINGS)]
    out.append(f"_Static_assert(THEME_UNKNOWN == {len(themes)}, \"themes.tsv\");")
    out += [f"_Static_assert(THEME_{t[0].replace(' ', '_').upper()} == {n}, \"themes.tsv\");" for n, t in enumerate(themes)]
    out.append("")
    rows = []
    for n, e in enumerate(events):
        c = {k: "NULL" for k in ("args", "signatures", "gist_parts")}
        if e["args"]:
            c["args"] = f"args_{n}"
            write_args(c["args"], e["args"], out)
        if e["signatures"]:
            for m, (minors, args) in enumerate(e["signatures"]):
                write_args(f"args_{n}_{m}", args, out)
            c["signatures"] = f"signatures_{n}"
            out.append(f"static const struct catalog_signature signatures_{n}[] = {{")
            for m, (minors, args) in enumerate(e["signatures"]):
                out.append(f"\t{{ {sum(1 << v for v in minors)}u, {len(args)}, args_{n}_{m} }},")
            out.append("};")
        if e["gist_parts"]:
            c["gist_parts"] = f"gist_{n}"
            out.append(f"static const struct catalog_gist_part gist_{n}[] = {{")
            for kind, group, arg, reading, or_next, text in e["gist_parts"]:
                out.append(f"\t{{ {kind}, {group}, {arg}, {reading}, {str(or_next).lower()}, "
                           f"{c_string(text) if kind == 'GIST_TEXT' else 'NULL'} }},")
            out.append("};")
        c["startup"] = "NULL"
        if e["startup"]:
            c["startup"] = f"startup_{n}"
            cells = ", ".join(f"{{ {m}, {a}, {b} }}" for m, (a, b) in sorted(e["startup"].items()))
            out.append(f"static const struct catalog_startup startup_{n}[] = {{ {cells} }};")
        for key in ("formats", "raised_by", "sites"):
            c_strings(f"{key}_{n}", e[key], out)
        rows.append("\n".join([
            f"\t{{ .name = {c_string(e['name'])}, .category = {c_string(e['category'])},",
            f"\t  .alias = {c_string(e['alias'])}, .alias_note = {c_string(e['alias_note'])},",
            f"\t  .theme = THEME_{e['theme'].replace(' ', '_').upper()}, .since = {e['since']}, .removed = {e['removed']},",
            f"\t  .documented = {str(e['documented']).lower()}, .seed = {str(e['seed']).lower()},",
            f"\t  .platforms = {' | '.join('PLATFORM_' + p.upper() for p in e['platforms'])},",
            f"\t  .n_args = {len(e['args'])}, .n_signatures = {len(e['signatures'])}, .n_gist = {len(e['gist_parts'])},",
            f"\t  .n_startup = {len(e['startup'])}, .startup = {c['startup']}, .seen_minors = {e['seen']}u,",
            f"\t  .description = {c_string(e['description'])},",
            f"\t  .args = {c['args']}, .signatures = {c['signatures']}, .gist = {c_string(e['gist'])}, .gist_parts = {c['gist_parts']},",
            f"\t  .formats = formats_{n}, .raised_by = raised_by_{n}, .sites = sites_{n}, .sites_version = {c_string(e['sites_version'])},",
            f"\t  .note = {c_string(e['note'])}, .since_note = {c_string(e['since_note'])},",
            f"\t  .example = {c_string(e['example'])}, .example_note = {c_string(e['example_note'])} }},"]))
    out += ["", "const struct catalog_event catalog_events[] = {"] + rows + ["};"]
    out += ["const size_t n_catalog_events = sizeof(catalog_events) / sizeof(catalog_events[0]);", ""]
    for n, theme in enumerate(themes):
        ids = sorted((i for i, e in enumerate(events) if e["theme"] == theme[0]),
                     key=lambda i: (events[i]["category"], events[i]["name"]))
        out.append(f"static const uint16_t theme_{n}[] = {{ {', '.join(map(str, ids)) or '0'} }};")
        theme.append(len(ids))
    out.append("const struct catalog_theme_info catalog_themes[THEME_COUNT] = {")
    for n, (name, group, about, n_ids) in enumerate(themes):
        out.append(f"\t{{ {c_string(name)}, {c_string(about)}, GROUP_{group.upper()}, theme_{n}, {n_ids} }},")
    out.append('\t[THEME_UNKNOWN] = { "unknown", "events without an entry here: from packages, or newer than this catalogue",')
    out.append("\t\t\t    GROUP_INSIDE, NULL, 0 },")
    out.append("};")
    out.append(f"_Static_assert(GROUP_COUNT == {len(GROUPS)}, \"gen_catalog.py: GROUPS\");")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    themes, events = load(sys.argv[1])
    if errors:
        sys.exit("\n".join(errors))
    if sys.argv[2] == "--check":
        print(f"{len(events)} events, {sum(len(e['args']) for e in events)} arguments, "
              f"{sum(e['example'] is not None for e in events)} examples: sound")
    else:
        write_c(themes, events, sys.argv[2])


if __name__ == "__main__":
    main()
