#!/usr/bin/env python3
"""completions: TAB in real shells, and what the program answers them. completions.py AUDITVIEW

Shells that are not installed are named; if none is, only the answers are compared.
"""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.abspath(sys.argv[1])
NO_PYTHON = subprocess.Popen(["sleep", "600"])
# words, the first line of the answer, a candidate that it must have, one that it must not
ANSWERS = [
    ([""], "captures", "explain", "open"),
    (["explain", "op"], "words", "open", "socket.bind"),
    (["events", "--theme", ""], "words", "network", "open"),
    (["print", "-e", "open,!@netw"], "words", "open,!@network", "open"),
    (["lesson", ""], "words", "1", "open"),
    (["stat", "--sort", ""], "words", "events", "network"),
    (["record", "-"], "words", "--events", "--sort"),
    (["-p", ""], "words", str(os.getpid()), str(NO_PYTHON.pid)),
    (["-Y", "depth > 3 and call"], "words", "depth > 3 and caller", "depth"),
    (["record", "-o", ""], "files", None, "open"),
    (["record", "--", "ls", "-"], "program 2", None, "--events"),
]
# what is typed, and the line after TAB
TYPED = [
    ("auditview expl", "auditview explain "),
    ("auditview events --theme=net", "auditview events --theme=network "),
    ("auditview print -e open,@netw", "auditview print -e open,@network "),
    ("auditview print a", "auditview print a\\ run.avc "),
    ("auditview print no", "auditview print no"),
    ("auditview -- ./onl", "auditview -- ./only-here "),
]
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "PS1='ready> '; bind 'set bell-style none'; source <(auditview --completion bash)\n"),
    "zsh": (["zsh", "-f", "-i"], "PROMPT='ready> '; autoload -U compinit; compinit -u -D; source <(auditview --completion zsh)\n"),
}


def answers():
    for words, kind, has, has_not in ANSWERS:
        lines = subprocess.run([PROGRAM, "--complete", *words], stdout=subprocess.PIPE, text=True, check=True, timeout=180).stdout.splitlines()
        candidates = {line.split("\t")[0] for line in lines[1:]}
        if lines[:1] != [kind] or (has and has not in candidates) or has_not in candidates:
            yield f"--complete {words}: {lines[:5]}"


def shown(text):
    """The line that a terminal shows for these bytes: backspaces go back, the bell is not seen."""
    line = []
    at = 0
    for c in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x07", "", text):
        if c == "\b":
            at = max(0, at - 1)
        elif c == "\r":
            at = 0
        else:
            line[at:at + 1] = [c]
            at += 1
    return "".join(line)


def in_shell(shell, folder):
    words, start = START[shell]
    env = dict(PATH=os.path.dirname(PROGRAM) + ":" + os.environ["PATH"], HOME=folder, TERM="dumb", LC_ALL="C.UTF-8")
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe(words[0], words, env)

    def read_until(condition, seconds):
        text, end = "", time.monotonic() + seconds
        while time.monotonic() < end and not condition(text):
            if select.select([fd], [], [], 0.2)[0]:
                try:
                    text += os.read(fd, 65536).decode(errors="replace")
                except OSError:
                    break
        return text
    try:
        os.write(fd, start.encode())
        read_until(lambda t: "ready> " in re.sub(r"PS1='ready> |PROMPT='ready> ", "", t), 60)
        for typed, want in TYPED:
            os.write(fd, (typed + "\t").encode())
            text = read_until(lambda t: shown(t).rstrip("\n").endswith(want), 60)
            if want == typed:  # an answer that must not come is waited for a second only
                text += read_until(lambda t: False, 1)
            if not shown(text).endswith(want):
                yield f"{shell}: after {typed!r} and TAB: {shown(text)!r}"
            os.write(fd, b"\x15\n")
            read_until(lambda t: "ready> " in t, 60)
    finally:
        os.close(fd)
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def in_fish(folder):
    for typed, want in TYPED:
        word = want.split()[-1] if "a\\ run" not in want else "a run.avc"
        script = f"auditview --completion fish | source; complete -C {typed!r}"
        env = dict(os.environ, PATH=os.path.dirname(PROGRAM) + ":" + os.environ["PATH"], HOME=folder)
        out = subprocess.run(["fish", "--no-config", "-c", script], stdout=subprocess.PIPE, text=True, cwd=folder, env=env, timeout=180).stdout
        offered = [line.split("\t")[0] for line in out.splitlines()]
        if (want != typed and not any(o.lstrip("./") == word.lstrip("./") for o in offered)) or (want == typed and offered):
            yield f"fish: {typed!r}: {offered[:5]}"


def main():
    problems = list(answers())
    tried = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a run.avc", "notes.txt", "only-here"):
            open(os.path.join(folder, name), "w").close()
        os.chmod(os.path.join(folder, "only-here"), 0o755)
        for shell in ("bash", "zsh", "fish"):
            if not shutil.which(shell):
                print(f"{shell} is not installed: not tried")
                continue
            tried.append(shell)
            problems += in_fish(folder) if shell == "fish" else in_shell(shell, folder)
    print("\n".join(problems) or f"{len(ANSWERS)} answers, TAB in {', '.join(tried) or 'no shell'}")
    return 1 if problems else 0


try:
    sys.exit(main())
finally:
    NO_PYTHON.kill()
