#!/usr/bin/env python3
"""Check data/api_map.tsv and data/blind_spots.rec against the catalogue and write the C tables of src/model/api_map.h.

    gen_api_map.py DATA_DIR OUT.c

Refused: events that the catalogue does not know or that it denies to a version where they were measured, calls that
data/api_calls.rec does not list, raised-by that measuring denies, blind spots with calls that raise something or were never measured.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gen_catalog
import measure_apis
from gen_catalog import c_string, fail

BLIND_FIELDS = ["blind", "events", "text", "calls", "but", "demo"]


def read_map(data, events):
    """{call: [(minors, [(event index, times)])]}, and the versions line"""
    index = {e["name"]: n for n, e in enumerate(events)}
    found, versions = {}, ""
    with open(os.path.join(data, "api_map.tsv"), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            place = f"data/api_map.tsv:{number}"
            line = line.rstrip("\n")
            if line.startswith("#"):
                versions = versions or line.partition("CPython ")[2]
                continue
            cells = line.split("\t")
            if len(cells) != 4:
                fail(place, f"expected 4 columns, found {len(cells)}")
                continue
            _, call, when, sequence = cells
            minors, steps = measure_apis.versions_set(when), []
            for word in [] if sequence == "-" else sequence.split():
                name, _, times = word.partition("*")
                if name not in index:
                    fail(place, f"measured, but unknown to the catalogue: {name}")
                    continue
                event = events[index[name]]
                for m in minors:
                    if m < event["since"] or (event["removed"] and m >= event["removed"]):
                        fail(place, f"{name} was measured on 3.{m}, where the catalogue does not have it")
                steps.append((index[name], int(times or 1)))
            found.setdefault(call, []).append((minors, steps))
    return found, versions


def check_raised_by(events, calls, measured):
    """A call that is said to raise an event was seen to, if it was measured. "call() (when)" says that it depends."""
    names = [e["name"] for e in events]
    by_api = {}
    for call in calls:
        by_api.setdefault(call["api"], []).extend(measured.get(call["call"], []))
    for number, event in enumerate(events):
        if not set(event["platforms"]) & {"any", "unix", "linux"}:
            continue
        for text in event["raised_by"]:
            outcomes = by_api.get(text[:-2]) if text.endswith("()") else None
            if outcomes and not any(number == step for _, steps in outcomes for step, _ in steps):
                seen = sorted({names[step] for _, steps in outcomes for step, _ in steps})
                fail(event["place"], f"{event['name']}: {text} was never measured to raise it, but {' '.join(seen) or 'nothing'}")


def read_blind_spots(data, events, measured):
    spots = []
    for stanza in read_stanzas(os.path.join(data, "blind_spots.rec")):
        place = stanza[0][2]
        spot = dict.fromkeys(BLIND_FIELDS, "")
        for field, text, where in stanza:
            if field not in BLIND_FIELDS:
                fail(where, f"unknown field {field!r}")
            spot[field] = text
        for needed in ("blind", "events", "text", "demo"):
            if not spot[needed]:
                fail(place, f"no {needed}")
        ids = set()
        for word in spot["events"].split():
            found = [n for n, e in enumerate(events) if e["name"] == word or "@" + e["theme"].replace(" ", "_") == word]
            if not found:
                fail(place, f"no event or theme {word}")
            ids.update(found)
        calls = [c.strip() for c in spot["calls"].split(";") if c.strip()]
        for call in calls:
            if call not in measured:
                fail(place, f"{call} was not measured")
            elif any(steps for _, steps in measured[call]):
                fail(place, f"{call} raises something")
        but_minors, but_event = 0, None
        if spot["but"]:
            versions, but_event = spot["but"].split()
            but_minors = sum(1 << m for m in measure_apis.versions_set(versions))
            if but_event not in [e["name"] for e in events]:
                fail(place, f"no event {but_event}")
        if spot["demo"].count('sys.audit("demo.here")') != 2:
            fail(place, "a demo has two marks")
        spots.append(dict(spot, ids=sorted(ids), calls=calls, but_minors=but_minors, but_event=but_event))
    return spots


def read_stanzas(path):
    """As the catalogue's, but a stanza begins with "blind", and the example field is called demo."""
    stanza = []
    label = "data/" + os.path.basename(path)
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            if line.startswith("    ") and stanza:
                field, text, place = stanza[-1]
                text = text + line[4:] + "\n" if field == "demo" else text + " " + line.strip()
                stanza[-1] = (field, text, place)
                continue
            field, _, text = line.partition(":")
            if field == "blind" and stanza:
                yield stanza
                stanza = []
            stanza.append((field, text.strip(), f"{label}:{number}"))
    if stanza:
        yield stanza


def write_c(path, calls, measured, versions, spots):
    out = ["/* Generated by data/gen/gen_api_map.py from data/api_map.tsv and data/blind_spots.rec. */",
           '#include "model/api_map.h"', ""]
    rows, n = [], 0
    for call in sorted(calls, key=lambda c: c["api"].encode()):
        if call["call"] not in measured:
            continue
        cells = []
        for m, (minors, steps) in enumerate(measured[call["call"]]):
            name = "NULL"
            if steps:
                name = f"steps_{n}_{m}"
                out.append(f"static const struct api_step {name}[] = {{ {', '.join(f'{{ {e}, {t} }}' for e, t in steps)} }};")
            cells.append(f"{{ {sum(1 << v for v in minors)}u, {len(steps)}, {name} }}")
        out.append(f"static const struct api_outcome outcomes_{n}[] = {{ {', '.join(cells)} }};")
        rows.append(f"\t{{ {c_string(call['api'])}, {c_string(call['call'])}, {c_string(call['note'] or None)}, "
                    f"{len(cells)}, outcomes_{n} }},")
        n += 1
    out += ["const struct api_call api_calls[] = {"] + rows + ["};"]
    out.append("const size_t n_api_calls = sizeof(api_calls) / sizeof(api_calls[0]);")
    out.append(f"const char api_versions[] = {c_string(versions)};")
    rows = []
    for n, s in enumerate(spots):
        out.append(f"static const uint16_t blind_events_{n}[] = {{ {', '.join(map(str, s['ids']))} }};")
        gen_catalog.c_strings(f"blind_calls_{n}", s["calls"], out)
        rows.append(f"\t{{ {c_string(s['blind'])}, {c_string(s['text'])}, {c_string(s['demo'])}, {c_string(s['but_event'])}, "
                    f"{s['but_minors']}u, blind_calls_{n}, blind_events_{n}, {len(s['ids'])} }},")
    out += ["const struct blind_spot blind_spots[] = {"] + rows + ["};"]
    out.append("const size_t n_blind_spots = sizeof(blind_spots) / sizeof(blind_spots[0]);")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    data, path = sys.argv[1:]
    _, events = gen_catalog.load(data)
    calls = measure_apis.read_calls(os.path.join(data, "api_calls.rec"))
    measured, versions = read_map(data, events)
    listed = {c["call"] for c in calls}
    for call in measured:
        if call not in listed:
            fail("data/api_map.tsv", f"{call} is not in api_calls.rec: measure again")
    check_raised_by(events, calls, measured)
    spots = read_blind_spots(data, events, measured)
    if gen_catalog.errors:
        sys.exit("\n".join(gen_catalog.errors))
    write_c(path, calls, measured, versions, spots)


if __name__ == "__main__":
    main()
