"""teacher: what auditview teaches agrees with what Pythons do.

Every example is run by `auditview try`, the map of calls and the blind spots are measured again, every lesson is run,
and the catalogue is compared with the events that a Python's own library and binaries can raise.
"""
import atexit
import glob
import json
import os
import re
import subprocess
import sys

import harness
from harness import Skip, expect

sys.path.insert(0, os.path.join(harness.ROOT, "data", "gen"))
import gen_api_map  # noqa: E402
import gen_catalog  # noqa: E402
import gen_lessons  # noqa: E402
import measure_apis  # noqa: E402

DATA = os.path.join(harness.ROOT, "data")
QUICK_STEP = 16   # without --full, every 16th example on each Python
SAMPLE = 40       # number of calls that are measured again without --full
AUDIT_CALL = re.compile(r"\bsys\.audit\(\s*[\"']([^\"']+)[\"']", re.S)


def run(command, seconds=90):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=seconds, errors="replace")


def program_of(python):
    if len(python.command) != 1:
        raise Skip("the loader is the program: --python takes a program alone")
    return python.command[0]


def is_here(event, minor):
    return event["since"] <= minor and not (event["removed"] and minor >= event["removed"])


def unfired(python):
    """Events that this build was measured not to raise, with the reason that the catalogue gives."""
    names = set()
    with open(os.path.join(DATA, "verified_events.tsv"), encoding="utf-8") as table:
        for line in table:
            name, version, fired = line.split("\t")[:3]
            if version.split("-")[0] == python.version_text and fired == "no":
                names.add(name)
    return names


# They depend on a build, not on a version: sqlite3 without loadable extensions, ensurepip and nis left out by
# distributions.
OPTIONAL = {"sqlite3.enable_load_extension", "sqlite3.load_extension", "ensurepip.bootstrap"}


MATRIX = {}  # (event, Python) → + raised, s not in this build, ! not raised


def print_matrix(events, pythons):
    """Print events as rows and Pythons as columns: what `auditview try` showed. A dot: the version does not have the
    event."""
    width = max(len(e["name"]) for e in events)
    print(" " * width + "".join(f" {p.name:>8}" for p in pythons))
    for event in events:
        marks = [MATRIX.get((event["name"], p.name), ".") for p in pythons]
        print(f"{event['name']:{width}}" + "".join(f" {m:>8}" for m in marks) + ("  seed" if event["seed"] else ""))
    fired = {name for (name, _), mark in MATRIX.items() if mark == "+"}
    seeds = [e["name"] for e in events if e["seed"]]
    print(f"{len(fired)} of {len(events)} events tried were raised on at least one Python, {len(fired & set(seeds))} of {len(seeds)} of the seed")


def try_event(ctx, python, event):
    key = (event["name"], python.name)
    MATRIX[key] = "!"
    try:
        try_event_now(ctx, python, event)
        MATRIX[key] = "+"
    except Skip:
        MATRIX[key] = "s"
        raise


def try_event_now(ctx, python, event):
    if python.name.endswith("+ldso") and "sys.executable" in event["example"]:
        raise Skip("started through ld.so, Python names that as sys.executable, and the example starts it")
    done = run([ctx.auditview, "try", event["name"], "--python", program_of(python)])
    if done.returncode == 1 and event["name"] in OPTIONAL and " was not raised" in done.stdout:
        raise Skip("not in this build: " + (event["example_note"] or ""))
    expect(done.returncode == 0, f"status {done.returncode}: {done.stdout[-400:]}{done.stderr[-400:]}")
    expect(re.search(rf"^> .*{re.escape(event['name'])[:26]}", done.stdout, re.M), f"not marked in the list:\n{done.stdout}")


def try_some(ctx, python, events):
    skipped = []
    for event in events:
        try:
            try_event(ctx, python, event)
        except Skip as reason:
            skipped.append(f"{event['name']}: {reason}")
        except harness.Fail as what:
            raise harness.Fail(f"{event['name']}: {what}") from None
    if len(skipped) == len(events):
        raise Skip("; ".join(skipped))


def measure_again(ctx, python):
    calls = measure_apis.read_calls(os.path.join(DATA, "api_calls.rec"))
    known = measure_apis.read_map(os.path.join(DATA, "api_map.tsv"))
    step = 1 if ctx.full else max(1, len(calls) // SAMPLE)
    wanted = [c if i % step == 0 else None for i, c in enumerate(calls)]
    version, found, errors = measure_apis.measure(program_of(python), wanted, ctx.auditview)
    expect(not errors, lambda: "\n".join(errors))
    compared, differing = 0, []
    for call, events in zip(calls, found):
        expected = known.get((call["call"], python.minor))
        if events is None or expected is None:
            continue
        compared += 1
        if events != expected:
            differing.append(f"{call['call']}: recorded {expected}, measured {events}")
    expect(compared > len(calls) // step // 2, f"only {compared} calls could be compared")
    expect(not differing, lambda: f"CPython {version}:\n" + "\n".join(differing))


def blind_spot(ctx, python, spot):
    folder = ctx.new_folder("blind")
    script, events = os.path.join(folder, "demo.py"), os.path.join(folder, "events.jsonl")
    with open(script, "w", encoding="utf-8") as f:
        f.write(spot["demo"])
    done = run([ctx.auditview, "print", "-F", "json", "--stack", "off", "--no-follow", "-o", events, "--", *python.command, script])
    expect(done.returncode == 0, f"status {done.returncode}: {done.stderr[-400:]}")
    with open(events, encoding="utf-8") as f:
        names = [json.loads(line)["event"] for line in f]
    expect(names.count("demo.here") == 2, f"{names.count('demo.here')} marks, expected 2")
    first = names.index("demo.here")
    between = names[first + 1:names.index("demo.here", first + 1)]
    if spot["but"] and spot["but_minors"] >> python.minor & 1:
        expect(between and set(between) == {spot["but_event"]}, f"expected {spot['but_event']}, seen {between}")
    else:
        expect(not between, f"not blind: {between}")


def blind_spots_shown(ctx, python, spots):
    """The same demonstrations in the form for people."""
    done = run([ctx.auditview, "try", "blind-spots", "--python", program_of(python)], 120)
    expect(done.returncode == 0, f"status {done.returncode}: {done.stdout}{done.stderr}")
    seen = [s for s in spots if s["but"] and s["but_minors"] >> python.minor & 1]
    n = done.stdout.count("raised: nothing\n")
    expect(n == len(spots) - len(seen), f"{n} raised nothing, expected {len(spots) - len(seen)}:\n{done.stdout}")


def all_blind_spots(ctx, python, spots):
    for spot in spots:
        try:
            blind_spot(ctx, python, spot)
        except harness.Fail as what:
            raise harness.Fail(f"{spot['blind']}: {what}") from None


def library_of(python):
    done = run([*python.command, "-S", "-c", "import os, sys; print(os.path.dirname(os.__file__)); print(sys.executable)"])
    return done.stdout.split("\n")[:2]


def own_library(python, events, aliases):
    """Every sys.audit() call of the standard library names an event that the catalogue has for this version."""
    library, _ = library_of(python)
    known = {e["name"] for e in events if is_here(e, python.minor)}
    found, unknown = set(), set()
    for folder, folders, files in os.walk(library):
        folders[:] = [f for f in folders if f not in ("test", "tests", "site-packages", "dist-packages", "__pycache__")]
        for name in files:
            if name.endswith(".py") and os.path.isfile(os.path.join(folder, name)):
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as f:
                    names = set(AUDIT_CALL.findall(f.read()))
                found |= names
                unknown |= {f"{n} ({os.path.join(folder, name)})" for n in names - known}
    expect(len(found) > 20, f"only {len(found)} names found in {library}: the test looks at the wrong place")
    expect(not unknown, lambda: "raised by the library, not in the catalogue for this version: " + ", ".join(sorted(unknown)))


def binaries(python, events):
    """C code that raises an event contains its name; the names of events that a version lacks are not in its
    binaries."""
    library, program = library_of(python)
    done = run([*python.command, "-S", "-c", "print(open('/proc/self/maps').read())"])
    paths = {line.split(None, 5)[5] for line in done.stdout.splitlines() if len(line.split(None, 5)) == 6}
    paths = {p for p in paths if re.search(r"python", os.path.basename(p)) and os.path.isfile(p)}
    paths |= {program} | set(glob.glob(os.path.join(library, "lib-dynload", "*.so")))
    images = []
    for path in sorted(paths):
        with open(path, "rb") as f:
            images.append(f.read())
    # The linker may merge a string into the end of a longer one: only its end is certain.
    expect(any(b"cpython.run_command\0" in i for i in images), f"no event names in {sorted(paths)[:3]}: the wrong place")
    missing, surplus = [], []
    for event in events:
        here = set(event["platforms"]) & {"any", "unix", "linux"}
        from_c = event["formats"] and here and any(s.endswith(".c") or ".c:" in s for s in event["sites"])
        has = any(event["name"].encode() + b"\0" in image for image in images)
        if from_c and is_here(event, python.minor) and not has and event["category"] not in ("sqlite3", "nis"):
            missing.append(event["name"])
        # The name of an event of a later or an earlier version must not be there. Names that are too general are left
        # out.
        if event["formats"] and "/" not in event["name"] and event["name"].startswith(("cpython.", "_thread.start", "sys._")):
            if not is_here(event, python.minor) and has:
                surplus.append(event["name"])
    # A module that this build lacks has no events here.
    optional = {e for e in missing if not glob.glob(os.path.join(library, "lib-dynload", f"*{e.split('.')[0]}*"))}
    missing = [m for m in missing if m not in optional or m.split(".")[0] in ("os", "sys", "cpython", "open", "exec", "import")]
    expect(not missing, lambda: "in the catalogue, not in the binaries: " + ", ".join(missing))
    expect(not surplus, lambda: "in the binaries, not in the catalogue for this version: " + ", ".join(surplus))


def hold_lesson(ctx, python, lesson):
    if lesson.get("module"):
        probe = run([program_of(python), "-c", f"import {lesson['module']}"])
        if probe.returncode:
            raise Skip(f"this Python has no {lesson['module']}")
    done = run([ctx.auditview, "lesson", lesson["lesson"], "--python", program_of(python)], 120)
    expect(done.returncode == 0, f"status {done.returncode}: {done.stdout[-600:]}{done.stderr[-300:]}")
    steps = len(lesson["steps"])
    expect(f"Step {steps} of {steps}" in done.stdout, "the last step is missing")
    # a second run accepts what the first one said; a guess is always accepted
    told = re.findall(r"^Step \d+ of \d+$(?:(?!^Step ).)*", done.stdout, re.M | re.S)
    said = [re.search(r"^    It is (.+)\.$", step, re.M) for step in told]
    answers = "".join(f"{found[1] if found else 1}\n" for found in said)
    done = subprocess.run([ctx.auditview, "lesson", lesson["lesson"], "--python", program_of(python)], input=answers, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120, errors="replace")
    right = done.stdout.count("Right.")
    expect(len(told) == steps and right == sum(found is not None for found in said),
           lambda: f"{right} of {len(told)} answers are right: {answers!r}\n{done.stdout[-900:]}")


def read_in_part(ctx):
    """A reader that wants the first lines only is no error."""
    with subprocess.Popen([ctx.auditview, "lesson", "1"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as lesson:
        lesson.stdout.readline()
        lesson.stdout.close()
        said = lesson.stderr.read()
    expect(not said and lesson.returncode == 0, f"status {lesson.returncode}: {said!r}")


COUNT_MODULES = """
import sys
looked_for = []
sys.addaudithook(lambda event, args: looked_for.append(args[0]) if event == "import" and args[1] is None else None)
import json
print(len(looked_for), len(set(looked_for)))
"""


def answer_import_lesson(ctx, python):
    """Lesson 3 accepts the number that Python itself counts, and no other."""
    program = program_of(python)
    counted = run([program, "-I", "-S", "-c", COUNT_MODULES])
    expect(counted.returncode == 0, counted.stderr[-300:])
    events, modules = (int(word) for word in counted.stdout.split())
    expect(events == modules, f"{events} events for {modules} modules")
    for answer, is_right in ((modules, True), (modules + 1, False)):
        done = subprocess.run([ctx.auditview, "lesson", "3", "--python", program], input=f"5\n{answer}\n", stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120, errors="replace")
        step = done.stdout.partition("Step 2 of")[2].partition("Step 3 of")[0]
        expect(("Right." in step) == is_right, f"{answer} of {modules}: {step[-400:]}")
        expect(f" {modules}. A module" in step, f"the number is another one: {step[-400:]}")


def side_by_side(ctx, pythons):
    """One column for each Python; on a machine that lacks the versions asked for, of any two."""
    programs = [program_of(p) for p in dict.fromkeys([*pythons, *ctx.pythons]) if len(p.command) == 1 and not p.debug][:max(2, len(pythons))][:3]
    if len(programs) < 2:
        raise Skip("needs two Pythons")
    done = run([ctx.auditview, "try", "subprocess.Popen", "--python", ",".join(programs)], 120)
    expect(done.returncode == 0, f"status {done.returncode}: {done.stderr[-400:]}")
    row = re.search(r"^> subprocess\.Popen +(.*)$", done.stdout, re.M)
    expect(row and row[1].split() == ["1"] * len(programs), f"expected one for each:\n{done.stdout}")


def refusals(ctx):
    for words, status, text in [
            (["try", "socket.conect"], 1, "socket.connect"),
            (["try", "winreg.OpenKey"], 1, "Windows"),
            (["try"], 2, "socket.connect"),
            (["explain", "subprocess.popne"], 1, "subprocess.Popen"),
            (["events", "--theme", "nonsense"], 2, "network"),
            (["lesson", "99"], 2, "11"),
            (["try", "-c", "pass", "--python", "/bin/true"], 1, "does not run as a Python"),
            (["explain", "open", "--python", "3.4"], 2, "3.8")]:
        done = run([ctx.auditview, *words])
        expect(done.returncode == status, f"{' '.join(words)}: status {done.returncode}, expected {status}: {done.stderr}")
        expect(text in done.stderr, f"{' '.join(words)}: {done.stderr}")


def as_json(ctx):
    """The whole catalogue, as JSON for other programs."""
    events = json.loads(run([ctx.auditview, "events", "--json"]).stdout)
    _, known = gen_catalog.load(DATA)
    expect({e["event"] for e in events} == {e["name"] for e in known}, "events --json and data/events differ")
    for event in events:
        missing = {"event", "category", "theme", "documented", "args", "since", "removed", "platforms", "raised_by"} - set(event)
        expect(not missing, f"{event['event']}: no {missing}")
    old = json.loads(run([ctx.auditview, "explain", "open", "--json", "--python", "3.8"]).stdout)
    expect([a["name"] for a in old[0]["args"]] == ["file", "mode", "flags"], f"open in 3.8: {old[0]['args']}")
    some = json.loads(run([ctx.auditview, "events", "shutil.copy2", "--json"]).stdout)
    expect({"shutil.copystat", "open"} <= {e["event"] for e in some}, "a call as pattern finds what it was measured to raise")
    table = run([ctx.auditview, "events", "--python", "3.12", "--theme", "threads"]).stdout.splitlines()
    expect(len(table) == 2 and "_thread.start_new_thread" in table[1], f"one event of threads in 3.12: {table}")


def cells(ctx):
    themes, events = gen_catalog.load(DATA)
    measured, _ = gen_api_map.read_map(DATA, events)
    spots = gen_api_map.read_blind_spots(DATA, events, measured)
    aliases = {e["alias"] for e in events if e["alias"]}
    lessons = gen_lessons.load(DATA)
    if ctx.full:
        here = [e for e in events if e["example"] and set(e["platforms"]) & {"any", "unix", "linux"}]
        atexit.register(lambda: MATRIX and print_matrix(here, ctx.pythons))
    yield "refusals", None, lambda: refusals(ctx)
    yield "a lesson that is read in part", None, lambda: read_in_part(ctx)
    yield "as JSON", None, lambda: as_json(ctx)
    yield "side by side", None, lambda: side_by_side(ctx, ctx.some_pythons(8, 12, 15))
    for number, python in enumerate(ctx.some_pythons(8, 12, 15)):
        tried = [e for e in events if e["example"] and is_here(e, python.minor) and set(e["platforms"]) & {"any", "unix", "linux"}]
        if ctx.full:
            absent = unfired(python)
            for event in tried:
                if event["name"] not in absent:
                    yield f"try {event['name']}", python, lambda p=python, e=event: try_event(ctx, p, e)
        else:
            some = tried[number * 5 % QUICK_STEP::QUICK_STEP]
            yield f"try, {len(some)} events", python, lambda p=python, s=some: try_some(ctx, p, s)
        yield "calls measured again", python, lambda p=python: measure_again(ctx, p)
        yield f"blind spots, {len(spots)}", python, lambda p=python: all_blind_spots(ctx, p, spots)
        if ctx.full or number == 0:
            yield "try blind-spots", python, lambda p=python: blind_spots_shown(ctx, p, spots)
        yield "sys.audit() in its library", python, lambda p=python: own_library(p, events, aliases)
        yield "names in its binaries", python, lambda p=python: binaries(p, events)
        yield "lesson 3, answered", python, lambda p=python: answer_import_lesson(ctx, p)
        for lesson in lessons if ctx.full else lessons[number::3]:
            yield f"lesson {lesson['lesson']}", python, lambda p=python, l=lesson: hold_lesson(ctx, p, l)
