#!/usr/bin/env python3
"""installed: the program works from the place where it was installed, after the source and the build folder are gone.

installed.py SOURCE BUILD DATADIR MANDIR BINDIR      the last three as Meson knows them, absolute

Both folders are hidden by an empty one in a mount namespace. Where the system allows no such namespace, what is installed is
run nevertheless, and the text in it is searched for the folders' names.
"""
import json
import os
import subprocess
import sys
import tempfile

SCRIPT = "import os\nos.close(os.open('/dev/null', os.O_RDONLY))\n"
HIDE = 'for d in "$1" "$2"; do [ ! -d "$d" ] || mount -t tmpfs none "$d"; done; shift 2; cd / && exec "$@"'


def run(words, **more):
    return subprocess.run(words, env=dict(os.environ, LC_ALL="C.UTF-8"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, text=True, **more)


class Installed:
    def __init__(self, source, build, root, bindir):
        self.program = root + bindir + "/auditview"
        self.hide = ["unshare", "--mount", "--propagation", "private", *([] if os.getuid() == 0 else ["--user", "--map-root-user"]),
                     "sh", "-c", HIDE, "sh", build, source]
        looked = run([*self.hide, "ls", "-a", source, build]) if os.path.isdir(source) else None
        self.is_hidden = looked is not None and looked.returncode != 127 and "meson.build" not in looked.stdout and \
            "build.ninja" not in looked.stdout and "unshare:" not in looked.stdout and "mount:" not in looked.stdout
        self.problems = []

    def expect(self, what, words, *texts):
        """Runs the program with these words; each of the texts must be in what it prints. Returns what it printed."""
        done = run([*(self.hide if self.is_hidden else []), self.program, *words])
        if done.returncode or any(text not in done.stdout for text in texts):
            self.problems.append(f"{what}: status {done.returncode}, expected {texts}, printed:\n{done.stdout[-2000:]}")
        return done.stdout


def check_files(root, datadir, mandir):
    expected = [datadir + "/bash-completion/completions/auditview.bash", datadir + "/zsh/site-functions/_auditview",
                datadir + "/fish/vendor_completions.d/auditview.fish", datadir + "/auditview/auditview-json.schema.json",
                datadir + "/auditview/auditview.lnav.json", mandir + "/man1/auditview.1"]
    for path in expected:
        if not os.path.isfile(root + path) or os.path.getsize(root + path) < 100:
            yield f"{path}: not installed"
        elif path.endswith(".json"):
            json.load(open(root + path, encoding="utf-8"))


def check_text(path, folders):
    """Sections that are loaded. The debug information of a build names the folder, and may."""
    with tempfile.NamedTemporaryFile() as loaded:
        done = run(["objcopy", "-O", "binary", "-j", ".rodata", "-j", ".data.rel.ro", "-j", ".data", path, loaded.name])
        text = loaded.read()
    if done.returncode or len(text) < 10000:
        yield f"{path}: objcopy: {done.stdout} ({len(text)} bytes)"
    for folder in folders:
        if os.fsencode(folder) + b"/" in text:
            yield f"{path}: its text names {folder}"


def main():
    source, build, datadir, mandir, bindir = (os.path.realpath(p) if i < 2 else p for i, p in enumerate(sys.argv[1:]))
    with tempfile.TemporaryDirectory(prefix="installed.", dir="/var/tmp") as root:
        done = run(["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", root])
        if done.returncode:
            print(done.stdout)
            return 1
        at = Installed(source, build, root, bindir)
        capture, script = root + "/run.avc", root + "/script.py"
        with open(script, "w", encoding="utf-8") as f:
            f.write(SCRIPT)
        at.problems += check_files(root, datadir, mandir)
        at.problems += check_text(at.program, {source, build})
        at.expect("explain", ["explain", "open"], "open", "mode")
        at.expect("lesson", ["lesson", "3"], "import json")
        at.expect("events", ["events", "--theme", "network"], "socket.connect")
        at.expect("record", ["record", "-o", capture, "--", sys.executable, script])
        at.expect("print", ["print", "-Y", 'event == "open" and args.path == "/dev/null"', capture], "/dev/null")
        at.expect("version", ["--version"], "auditview")
        print("\n".join(at.problems) or f"holds, source and build folder {'hidden' if at.is_hidden else 'not hidden: no mount namespace'}")
        return 1 if at.problems else 0


sys.exit(main())
