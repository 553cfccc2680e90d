"""children: processes made in every way, and what their parents learn about them. The output is the same each time.

children.py statuses OTHER      how children end, stop and continue, according to waitpid
children.py spawns OTHER        fork, vfork, posix_spawn, exec, through shells, of this Python and of OTHER
children.py daemon FILE         fork twice; the daemon raises marks until FILE exists, or for a minute
children.py tree FILE OTHER     a tree of processes of two Pythons and a shell, alive until FILE exists
children.py crowd N [untraced]  N children that live at the same time and raise two marks each; untraced: hidden from tracers
children.py brood N STEP        N short-lived children, one by one; after every STEP, print a number and wait for a line
children.py storm N SECONDS     N short-lived children a minute: forked ones, Pythons, other programs
"""
import os
import signal
import subprocess
import sys
import time

ME = os.path.abspath(__file__)


def described(status):
    if os.WIFSTOPPED(status):
        return "stopped by %d" % os.WSTOPSIG(status)
    if os.WIFCONTINUED(status):
        return "went on"
    if os.WIFSIGNALED(status):
        return "killed by %d" % os.WTERMSIG(status)
    return "exited with %d" % os.WEXITSTATUS(status)


def statuses(other):
    for number in (0, 1, 77, 255):
        done = subprocess.run([other, "-S", "-c", "import sys; sys.exit(%d)" % number])
        print("exit", done.returncode)
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGUSR1, signal.SIGRTMIN + 3):
        code = "import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL); os.kill(os.getpid(), %d)" % number
        print("signal", subprocess.run([sys.executable, "-S", "-c", code]).returncode == -number)
    for number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN):
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            signal.signal(signal.SIGUSR2, lambda *_: os._exit(9))
            sys.audit("children.stopping", int(number))
            # A process group of its own whose parent is elsewhere in the session is not orphaned, so SIGTSTP stops it.
            os.kill(os.getpid(), number)
            while True:
                time.sleep(0.01)
        print(described(os.waitpid(pid, os.WUNTRACED)[1]))
        assert os.waitpid(pid, os.WUNTRACED | os.WNOHANG) == (0, 0), "told twice"
        os.kill(pid, signal.SIGCONT)
        print(described(os.waitpid(pid, os.WCONTINUED)[1]))
        os.kill(pid, signal.SIGUSR2)
        print(described(os.waitpid(pid, 0)[1]))
    got = []
    signal.signal(signal.SIGCHLD, lambda *_: got.append(1))
    for n in range(20):
        subprocess.run(["true"])
        subprocess.run([other, "-S", "-c", "pass"])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    print("SIGCHLD", len(got) >= 40)
    print("no such program", subprocess.run(["sh", "-c", "no-such-program-here"], stderr=subprocess.DEVNULL).returncode)


def spawns(other):
    mark = "import sys; sys.audit('children.mark', %r); print(%r, sys.version_info[1]); sys.stdout.flush(); "
    sys.stdout.flush()
    for name, program in (("here", sys.executable), ("other", other)):
        print(os.waitpid(os.posix_spawn(program, [program, "-S", "-c", mark % (name + " spawned", name)], os.environ), 0)[1])
        print(subprocess.run([program, "-S", "-c", mark % (name + " vforked", name) + "sys.exit(5)"]).returncode)
        print(subprocess.run([program, "-S", "-c", mark % (name + " forked", name) + "sys.exit(6)"], preexec_fn=lambda: None).returncode)
        print(subprocess.run(["sh", "-c", 'env "$0" -S -c "$1" | sed s/$/./ | cat; exit 4', program, mark % (name + " piped", name)]).returncode)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            sys.audit("children.mark", name + " about to exec")
            os.execv(program, [program, "-S", "-c", mark % (name + " execed", name)])
        print(described(os.waitpid(pid, 0)[1]))
        sys.stdout.flush()
    os.execv(other, [other, "-S", "-c", mark % ("last", "last") + "sys.exit(21)"])


def daemon(stop):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        with open(os.devnull, "r+b") as null:
            for fd in (0, 1, 2):
                os.dup2(null.fileno(), fd)
        until = time.monotonic() + 60
        n = 0
        while not os.path.exists(stop) and time.monotonic() < until:
            sys.audit("children.daemon", n)
            n += 1
            time.sleep(0.01)
        with open(stop + ".marks", "w") as f:
            f.write(str(n))
        os._exit(0)
    print("started")
    sys.exit(12)


def tree(stop, other):
    code = "import os, sys, time\nwhile not os.path.exists(%r):\n    sys.audit('children.leaf', %%r); time.sleep(0.01)\nsys.exit(30)" % stop
    leaves = [subprocess.Popen([sys.executable, "-S", "-c", code % "here"]), subprocess.Popen([other, "-S", "-c", code % "other"]),
              subprocess.Popen(["sh", "-c", '"$0" -S -c "$1"; exit $?', other, code % "shell"])]
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            while not os.path.exists(stop):
                sys.audit("children.leaf", "forked")
                time.sleep(0.01)
            os._exit(31)
    print("ready")
    sys.stdout.flush()
    while not os.path.exists(stop):
        subprocess.run(["true"])
        sys.audit("children.root")
        time.sleep(0.02)
    print([leaf.wait() for leaf in leaves], sorted(os.WEXITSTATUS(os.wait()[1]) for _ in range(2)))
    sys.exit(7)


def fork_untraced():
    import ctypes
    sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "victims"))
    import calls
    libc = ctypes.PyDLL(None)  # the GIL is held, as os.fork() holds it
    return libc.syscall(calls.NR["clone"], ctypes.c_ulong(0x00800000 | signal.SIGCHLD), 0, 0, 0, 0)  # CLONE_UNTRACED


def crowd(n, how=""):
    fork = fork_untraced if how else os.fork
    came, mark = os.pipe()
    wait, go = os.pipe()
    pids = []
    for k in range(int(n)):
        pid = fork()
        if pid == 0:
            os.close(go)
            sys.audit("children.crowd", k)
            os.write(mark, b".")
            os.read(wait, 1)
            sys.audit("children.crowd.leaves", k)
            os._exit(k % 100)
        pids.append(pid)
    got = 0
    while got < len(pids):
        got += len(os.read(came, 4096))
    print(got, "came")
    os.close(go)
    print(all(os.waitpid(pid, 0)[1] == (k % 100) << 8 for k, pid in enumerate(pids)))


def brood(n, step):
    for k in range(int(n)):
        pid = os.fork()
        if pid == 0:
            if k % 50 == 0:
                os.execv("/bin/true", ["true"])
            sys.audit("children.brood", 1)
            os._exit(0)
        os.waitpid(pid, 0)
        if (k + 1) % int(step) == 0:
            print(k + 1, flush=True)
            sys.stdin.readline()


def storm(rate, seconds):
    bad = n = 0
    begin = time.monotonic()
    while time.monotonic() < begin + seconds:
        kind = n % 3
        if kind == 0:
            pid = os.fork()
            if pid == 0:
                sys.audit("children.short", n)
                os._exit(n % 100)
            bad += os.WEXITSTATUS(os.waitpid(pid, 0)[1]) != n % 100
        elif kind == 1:
            bad += subprocess.run(["true"]).returncode != 0
        else:
            bad += subprocess.run([sys.executable, "-S", "-c", "import sys; sys.audit('children.short', %d); sys.exit(3)" % n]).returncode != 3
        n += 1
        left = begin + n * 60 / rate - time.monotonic()
        if left > 0:
            time.sleep(left)
    print(n, bad)
    sys.stdout.flush()


what, arguments = sys.argv[1], sys.argv[2:]
if what == "storm":
    storm(float(arguments[0]), float(arguments[1]))
else:
    {"statuses": statuses, "spawns": spawns, "daemon": daemon, "tree": tree, "crowd": crowd, "brood": brood}[what](*arguments)
