"""values: a value in the JSON lines equals the one that the program passed, for values of every kind."""
import json

import harness
from harness import Launch, expect, victim_path


def matches(want, got):
    """Compare: an object must contain all wanted members and may have more; everything else must be equal, in type
    too."""
    if isinstance(want, dict) and "type" in want and "id" in want:
        return isinstance(got, dict) and all(k in got and matches(v, got[k]) for k, v in want.items())
    if isinstance(want, dict):
        return isinstance(got, dict) and list(want) == list(got) and all(matches(v, got[k]) for k, v in want.items())
    if isinstance(want, list):
        return isinstance(got, list) and len(want) == len(got) and all(map(matches, want, got))
    return type(want) is type(got) and (want == got) and str(want) == str(got)


def is_cut(value, length, head):
    return (isinstance(value, dict) and value.get("length") == length and "cut" in value and
            head(value["cut"]))


def odd_values(events):
    """Check values that have no plain JSON form."""
    rows = {}
    for event in events:
        if not event["event"].startswith("victim.odd"):
            continue
        values = list(event["args"].values())
        rows[event["event"], values[0] if values else None] = values[1:]
    problems = []

    def check(key, condition, event="victim.odd"):
        values = rows.get((event, key))
        if values is None:
            problems.append(f"{key}: event is missing")
        elif not condition(values):
            problems.append(f"{key}: {json.dumps(values)[:160]}")

    check("loop", lambda v: isinstance(v[0], list) and v[0][0] == 1 and len(json.dumps(v)) < 2000)
    check("deep", lambda v: len(json.dumps(v)) < 2000)
    check("set", lambda v: "1" in json.dumps(v[0]) and '"a"' in json.dumps(v[1]))
    check("nan", lambda v: len(v) == 4 and "nan" in json.dumps(v[0]).lower() and "inf" in json.dumps(v[1]).lower() and
          "-" in json.dumps(v[2]) and "2" in json.dumps(v[3]))
    check("keys", lambda v: all(text in json.dumps(v) for text in ("one", "2", "3", "eA==")))
    check("cut str", lambda v: is_cut(v[0], 10000, lambda h: set(h.rstrip("…")) == {"y"} and 4000 < len(h) < 4100))
    check("cut wide", lambda v: is_cut(v[0], 10000, lambda h: set(h.rstrip("…")) == {"大"} and 1300 < len(h) < 1400))
    check("cut bytes", lambda v: is_cut(v[0], 10000, lambda h: len(json.dumps(h)) > 5000))
    check("long list", lambda v: "100000" in json.dumps(v) and len(json.dumps(v)) < 100000)
    check("huge int", lambda v: len(v) == 1)
    check("number", lambda v: len(v) == 3)
    check("none at all", lambda v: v == [])
    check(None, lambda v: v == [], "victim.odd.alone")
    check("event names may be anything", lambda v: v == [], "victim.odd.大阪")
    check("and long", lambda v: v == [], "victim.odd." + "n" * 200)
    if not any(name.startswith("victim.odd.mmmm") for name, _ in rows):
        problems.append("an event with a name of 1000 characters is missing")
    return problems


def all_kinds(ctx, python):
    run = Launch(ctx, python, victim_path("values"), "--long-name")
    run.expect_status(harness.STATUS)
    got = {}
    for event in run.capture.named("victim.value"):
        got[event["args"]["0"]] = event["args"].get("1", "(no second argument)")
    facts = [f for f in run.facts if "value" in f]
    expect(len(facts) > 60, "the victim reported too little: the test is broken")
    problems = []
    for fact in facts:
        key, want = fact["value"], fact["is"]
        if key == "ellipsis":
            if "llipsis" not in json.dumps(got.get(key)):
                problems.append(f"{key}: {json.dumps(got.get(key))}")
        elif key not in got:
            problems.append(f"{key}: event is missing")
        elif not matches(want, got[key]):
            problems.append(f"{key}: {json.dumps(want)[:140]} was passed, {json.dumps(got[key])[:140]} captured")
    problems += odd_values(run.capture.events())
    expect(not problems, lambda: f"{len(problems)} of {len(facts) + 15}: " + "\n        ".join([""] + problems[:30]))


def cells(ctx):
    for python in ctx.pythons:
        yield "values of every kind", python, lambda p=python: all_kinds(ctx, p)
