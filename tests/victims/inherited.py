"""inherited: everything that a program inherits, one line each; as FIRST, it runs before that program and changes it.

inherited.py FIRST MODE COMMAND…     change what the letters of MODE name, then become COMMAND
inherited.py FILE                    write what was inherited into FILE
"""
import ctypes
import os
import resource
import signal
import sys
import threading

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 1, 2, 36, 37
PR_SET_TIMERSLACK, PR_GET_TIMERSLACK, PR_SET_NO_NEW_PRIVS, PR_GET_KEEPCAPS, PR_GET_SECUREBITS = 29, 30, 38, 7, 27
IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGTERM, signal.SIGTSTP, signal.SIGWINCH)
RESET_ON_FORK = 0x40000000


def block_all():
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP})


def pending():
    block_all()
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR2)


def limits():
    for name, value in (("NOFILE", 200), ("CORE", 4096), ("STACK", 4 << 20), ("MEMLOCK", 65536)):
        which = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def descriptors():
    for to in (5, 9, 77):
        os.dup2(os.open("/dev/null", os.O_RDONLY), to, inheritable=True)


def write_to(path, text):
    with open(path, "w") as f:
        f.write(text)


CHANGES = {
    "x": lambda: None,
    "c": lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    "C": lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),
    "b": block_all,
    "p": pending,
    "i": lambda: [signal.signal(s, signal.SIG_IGN) for s in IGNORED],
    "a": lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
    "u": lambda: os.umask(0o077),
    "f": descriptors,
    "n": lambda: os.nice(7),
    "l": limits,
    "t": lambda: signal.setitimer(signal.ITIMER_REAL, 1000, 500),
    "v": lambda: signal.setitimer(signal.ITIMER_PROF, 1000),
    "d": lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGUSR1),
    "s": lambda: libc.prctl(PR_SET_CHILD_SUBREAPER, 1),
    "k": lambda: libc.prctl(PR_SET_TIMERSLACK, 123456),
    "w": lambda: libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
    "r": lambda: os.sched_setscheduler(0, os.SCHED_BATCH | RESET_ON_FORK, os.sched_param(0)),
    "R": lambda: os.sched_setscheduler(0, os.SCHED_FIFO | RESET_ON_FORK, os.sched_param(3)),
    "o": lambda: write_to("/proc/self/oom_score_adj", "321"),
    "m": lambda: write_to("/proc/self/coredump_filter", "0x13"),
    "P": lambda: libc.personality(0x0040000),
    "e": lambda: os.environ.clear(),
    "0": lambda: os.close(0),
    "1": lambda: os.close(1),
    "2": lambda: os.close(2),
}


def get_int(option):
    value = ctypes.c_int()
    libc.prctl(option, ctypes.byref(value))
    return value.value


def lines():
    told = ("SigBlk SigIgn SigCgt SigPnd ShdPnd NoNewPrivs Seccomp Seccomp_filters CapInh CapPrm CapEff CapBnd CapAmb Cpus_allowed Mems_allowed Umask "
            "Threads FDSize Groups Uid Gid CoreDumping THP_enabled Speculation_Store_Bypass SpeculationIndirectBranch NStgid").split()
    for line in open("/proc/self/status"):
        if line.split(":")[0] in told and not (line.startswith("NStgid") and len(line.split()) == 2):
            yield line.strip()
    for f in sorted(int(f) for f in os.listdir("/proc/self/fd")):
        try:
            yield f"fd {f} {os.readlink(f'/proc/self/fd/{f}')} {open(f'/proc/self/fdinfo/{f}').read().split()[3]}"
        except OSError:
            pass  # the descriptor of the folder itself
    for item in sorted(os.environ.items()):
        yield f"environment {item}"
    for name in sorted(n for n in dir(resource) if n.startswith("RLIMIT")):
        yield f"{name} {resource.getrlimit(getattr(resource, name))}"
    yield f"scheduling {os.nice(0)} {os.sched_getscheduler(0)} {os.sched_getparam(0).sched_priority} {sorted(os.sched_getaffinity(0))}"
    for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        left, interval = signal.getitimer(which)
        yield f"timer {which} {'none' if not left else 'soon' if left < 900 else 'as set'} {interval}"
    for name in ("oom_score_adj", "personality", "coredump_filter", "cgroup", "timerslack_ns", "loginuid", "sessionid", "attr/current"):
        try:
            yield f"{name} {open('/proc/self/' + name).read().split()}"
        except OSError as error:
            yield f"{name} {error.strerror}"
    yield f"terminals {[os.isatty(fd) for fd in range(3)]}"
    yield f"session {os.getsid(0)}"
    try:
        with open("/dev/tty") as terminal:
            yield f"foreground {os.tcgetpgrp(terminal.fileno()) == os.getpgrp()}"
    except OSError as error:
        yield f"foreground {error.strerror}"
    yield f"pdeathsig {get_int(PR_GET_PDEATHSIG)} subreaper {get_int(PR_GET_CHILD_SUBREAPER)}"
    yield f"keepcaps {libc.prctl(PR_GET_KEEPCAPS)} securebits {libc.prctl(PR_GET_SECUREBITS)} slack {libc.prctl(PR_GET_TIMERSLACK)}"
    for name in ("mnt", "pid", "net", "ipc", "uts", "user", "cgroup", "time"):
        yield f"namespace {os.readlink('/proc/self/ns/' + name)}"
    with open("/proc/self/cmdline") as f:
        yield f"argv {f.read().split(chr(0))} {sys.argv[0]}"
    yield f"cwd {os.getcwd()} exe {os.readlink('/proc/self/exe')} comm {open('/proc/self/comm').read().strip()}"


if sys.argv[1] == "FIRST":
    for letter in sys.argv[2]:
        CHANGES[letter]()
    os.execvp(sys.argv[3], sys.argv[3:])
found = list(lines())
with open(sys.argv[1], "w") as out:
    out.write("\n".join(found) + "\n")
