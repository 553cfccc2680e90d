"""origins: which distribution and whose code did it. Each module of the truth program raises origin.truth with the name of
the distribution that installed it, and with the file that is to be named as the caller.
"""
import json
import os
import shutil
import signal
import subprocess
import zipfile

from harness import GUARD, expect, kill, wait_for

ACT = "import sys\ndef act(*more):\n    sys.audit('origin.truth', {owner!r}, {caller!r})\n    for f in more[:1]:\n        f(*more[1:])\n"


TRUTH = 'event == "origin.truth"'
WORDS = {"1.0": "before", "2.0": "after"}  # of two releases of alpha


def record_of(*files):
    return "".join(f"{name},,\n" for name in files)


def make_site(site, version):
    """Return {name of a module: its distribution}."""
    files, owners = {}, {"alpha": "alpha", "alpha._vendor.beta": "alpha", "beta": "Beta", "ns.one": "ns.one", "ns.two": "ns_two",
                         "legacy": "Legacy", "single": "single", "editable_app": "editable-app"}
    for module, owner in owners.items():
        parts = module.split(".")
        path = "/".join(parts) + (".py" if module == "single" else "/__init__.py")
        if module.startswith("editable"):
            path = "../checkout/src/" + path
        files[path] = ACT.format(owner=owner, caller="main.py")
    files["alpha/_vendor/__init__.py"] = ""
    files["alpha/__init__.py"] += f"def version():\n    open(__file__ + '.{WORDS[version]}', 'w').close()\n"
    for name, folder, record in (
            ("alpha", f"alpha-{version}", record_of("alpha/__init__.py", "alpha/_vendor/__init__.py", "alpha/_vendor/beta/__init__.py")),
            ("Beta", "beta-3", record_of("beta/__init__.py", "../../../etc/passwd", "/etc/passwd.py", "../checkout/src/editable_app/__init__.py")),
            ("ns.one", "ns.one-1", record_of("ns/one/__init__.py")), ("ns_two", "ns_two-2", record_of("ns/two/__init__.py"))):
        files[f"{folder}.dist-info/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {folder.split('-')[-1]}\n\n"
        files[f"{folder}.dist-info/RECORD"] = record
    files["Legacy-0.1-py3.9.egg-info/PKG-INFO"] = "Name: Legacy\nVersion: 0.1\n"
    files["Legacy-0.1-py3.9.egg-info/top_level.txt"] = "legacy\n"
    files["single-7.egg-info"] = "Metadata-Version: 1.0\nName: single\nVersion: 7\n"
    files["editable_app-5.dist-info/METADATA"] = "Name: editable-app\nVersion: 5\n"
    files["editable_app-5.dist-info/RECORD"] = record_of("editable_app.pth")
    files["editable_app-5.dist-info/direct_url.json"] = json.dumps(
        {"dir_info": {"editable": True}, "url": "file://" + os.path.join(os.path.dirname(site), "checkout")})
    write(site, files)
    with zipfile.ZipFile(os.path.join(site, "zipped-9-py3.9.egg"), "w") as f:
        f.writestr("zipped/__init__.py", ACT.format(owner="zipped", caller="main.py"))
    return {**owners, "zipped": "zipped"}


def write(folder, files):
    for name, text in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)


def record(ctx, python, capture, *words, env, cwd):
    done = subprocess.run([ctx.auditview, "record", "-q", "-o", capture, "--", *python.command, *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env}, cwd=cwd, timeout=120)
    expect(done.returncode == 0, lambda: f"{words}: {done.returncode} {done.stderr[-500:]}")


def tool(ctx, *words):
    return subprocess.run([ctx.auditview, *words], stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout


def packages(ctx, python):
    folder = os.path.realpath(ctx.new_folder("packages"))
    site, captures = os.path.join(folder, "site-packages"), []
    for version in ("1.0", "2.0"):
        owners = make_site(site, version)
        if captures:
            shutil.rmtree(os.path.join(site, "alpha-1.0.dist-info"))
        write(folder, {"app/main.py": "import json, os\n" + "".join(f"import {m}\n{m}.act()\n" for m in owners) +
                       ACT.format(owner="", caller="main.py") + "act()\nact(alpha.act)\nalpha.act(beta.act)\nalpha.version()\n"
                       "if os.fork() == 0:\n    beta.act()\n    os._exit(0)\nos.wait()\n"})
        capture = os.path.join(folder, version + ".avc")
        egg = os.path.join(site, "zipped-9-py3.9.egg")
        record(ctx, python, capture, os.path.join(folder, "app", "main.py"), cwd=os.path.join(folder, "app"),
               env={"PYTHONPATH": os.pathsep.join([site, egg, os.path.join(folder, "checkout", "src")])})
        captures.append(capture)
        found = [json.loads(line) for line in tool(ctx, "export", capture, "-F", "jsonl", "-Y", TRUTH).splitlines()]
        expect(len(found) == len(owners) + 6, lambda: f"{len(found)} events")
        for e in found:
            want = list(e["args"].values())[0]
            expect(e.get("package", "") == want, lambda: f"{want!r} is {e.get('package')!r}: {e['stack'][:2]}")
        versions = {e["package"]: e["package_version"] for e in found if "package" in e}
        expect(versions == {"alpha": version, "Beta": "3", "ns.one": "1", "ns_two": "2", "Legacy": "0.1", "single": "7",
                            "editable-app": "5", "zipped": "9"}, lambda: f"{versions}")
        rows = json.loads(tool(ctx, "stat", capture, "--by", "package", "--json", "-Y", TRUTH))["rows"]
        counts = {r["key"].split()[0]: r["events"] for r in rows if not r["key"].startswith("(")}
        want = [list(e["args"].values())[0] for e in found]
        expect(counts == {p: want.count(p) for p in set(want) - {""}}, lambda: f"{counts}")
        # an editable install is the user's own, what is installed is not
        own = tool(ctx, "export", capture, "-F", "csv", "-Y", TRUTH + ' and caller.package == "editable-app"').splitlines()
        expect(len(own) == 2, lambda: f"{own}")
        library = tool(ctx, "export", capture, "-F", "jsonl", "-Y", TRUTH + ' and caller.file ~ "/site-packages/"')
        expect(not library, lambda: f"library code as caller: {library[:300]}")
    changes = [json.loads(line) for line in tool(ctx, "diff", *captures, "--json").splitlines()]
    new = [c for c in changes if ".after" in c["text"] and c["change"] == "added"]
    expect(new and new[0]["package"] == "alpha" and new[0]["package_version"] == "2.0" and new[0]["other_version"] == "1.0", lambda: f"{changes}")
    text = tool(ctx, "diff", *captures)
    expect("[alpha 1.0 → 2.0]" in text, text)


def callers(ctx, python):
    """A launcher calls a library, which calls the project, which runs generated code: the project is the caller."""
    folder = os.path.realpath(ctx.new_folder("callers"))
    truth = "import sys\ndef work(then=None):\n    sys.audit('origin.truth', {0!r})\n    return then and then()\n"
    write(folder, {
        "env/bin/runner": "from lib import run\nimport os, sys\nsys.path.insert(0, os.getcwd())\nimport app\nrun(app.main)\n",
        "env/site-packages/lib/__init__.py": "import sys\ndef run(f):\n    f()\ndef helper(f=None):\n"
                                             "    sys.audit('origin.truth', 'app.py')\n    return f and f()\n",
        "env/site-packages/lib-1.dist-info/RECORD": "lib/__init__.py,,\n",
        "project/pyproject.toml": "",
        "project/sub/app.py": truth.format("app.py") + "import lib\nimport elsewhere\ndef main():\n    work(lib.helper)\n    space = {}\n"
                              "    exec('def made(sys):\\n    sys.audit(\"origin.truth\", \"app.py\")\\n', space)\n    space['made'](sys)\n"
                              "    elsewhere.work()\n    lib.helper(elsewhere.work)\n    elsewhere.work(inner)\ndef inner():\n"
                              "    sys.audit('origin.truth', 'app.py')\n",
        "elsewhere/elsewhere.py": truth.format("app.py"),
    })
    env = {"PYTHONPATH": os.pathsep.join([os.path.join(folder, "env", "site-packages"), os.path.join(folder, "elsewhere")])}
    capture, sub = os.path.join(folder, "x.avc"), os.path.join(folder, "project", "sub")
    record(ctx, python, capture, os.path.join(folder, "env", "bin", "runner"), env=env, cwd=sub)

    def named(*options):
        rows = [json.loads(line) for line in tool(ctx, "export", capture, "-F", "jsonl", "-Y", TRUTH, *options).splitlines()]
        of = {}
        for name in ("app.py", "elsewhere.py"):
            for line in tool(ctx, "export", capture, "-F", "jsonl", "-Y", f"{TRUTH} and caller.file == {name}", *options).splitlines():
                of[json.loads(line)["seq"]] = name
        return [(list(e["args"].values())[0], of.get(e["seq"])) for e in rows]

    expect(named() == [("app.py", "app.py")] * 8, lambda: f"{named()}")
    project = [json.loads(line) for line in tool(ctx, "export", capture, "-F", "jsonl").splitlines()][0]["process"].get("project")
    expect(project == os.path.join(folder, "project"), lambda: f"the project is {project}")
    # what the user says counts for more than what is guessed
    other = named("--mine", os.path.join(folder, "elsewhere"))
    expect(sorted(str(name) for _, name in other) == ["None"] * 4 + ["elsewhere.py"] * 4, lambda: f"{other}")
    library = tool(ctx, "export", capture, "-F", "jsonl", "-Y", TRUTH + ' and caller.file ~ lib', "--mine", os.path.join(folder, "env", "site-packages"))
    expect(len(library.splitlines()) == 8, lambda: f"{len(library.splitlines())} events of the library")


GONE = "import os, sys\nprint(os.getpid(), flush=True)\nsys.stdin.readline()\nsys.audit('origin.truth')\n"


def gone(ctx, python):
    """The program has ended when the recorder sees its first frame: its project is known all the same."""
    folder = os.path.realpath(ctx.new_folder("gone"))
    write(folder, {"project/setup.cfg": "", "project/app.py": GONE})
    capture, app = os.path.join(folder, "x.avc"), os.path.join(folder, "project", "app.py")
    recorder = subprocess.Popen([ctx.auditview, "record", "-q", "-o", capture, "--", *python.command, "-S", app], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
    try:
        pid = int(recorder.stdout.readline())
        recorder.send_signal(signal.SIGSTOP)
        recorder.stdin.write(b"\n")
        recorder.stdin.close()

        def has_ended():
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                return f.read().rsplit(")", 1)[1].split()[0] == "Z"
        wait_for(has_ended, GUARD, "the end of the program")
        recorder.send_signal(signal.SIGCONT)
        expect(recorder.wait(GUARD) == 0, lambda: f"its status is {recorder.returncode}")
    finally:
        kill(recorder)
    rows = [json.loads(line) for line in tool(ctx, "export", capture, "-F", "jsonl").splitlines()]
    expect(rows[0]["process"].get("project") == os.path.join(folder, "project"), lambda: f"{rows[0]['process']}")


def cells(ctx):
    for python in ctx.some_pythons(8, 12, 14):
        yield "each module's distribution", python, lambda p=python: packages(ctx, p)
    for python in ctx.some_pythons(9, 13):
        yield "the project is the caller", python, lambda p=python: callers(ctx, p)
        yield "the project of a program that is gone", python, lambda p=python: gone(ctx, p)
