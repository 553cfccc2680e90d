"""lock: an unprivileged program that holds the locks that two recorders use against each other.

lock.py HOW [PID]

It gives up root, takes flock(2) on the files in /proc/PID that every user may read (its own without PID), and prints
{"ready": pid}:

exclusive    of all, for the whole time
shared       likewise, as a lock that several can hold
lease        a lease instead, on each of its own files: open(2) waits 45 s for it to be broken
lease-NAME   on that file alone: lease-maps
passed       by a child that has ended: the kernel names a holder that does not exist
"""
import fcntl
import json
import os
import signal
import sys
import time

FILES = ("stat", "status", "statm", "cmdline", "comm", "limits", "cgroup")

if os.getuid() == 0:  # the files in /proc of a process that gave up root belong to root until its next exec
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    os.execv(sys.executable, [sys.executable, *sys.argv])
how = sys.argv[1]
pid = int(sys.argv[2]) if len(sys.argv) > 2 else os.getpid()
kept = [open(f"/proc/{pid}/{name}", "rb") for name in FILES]


def lock():
    for file in kept:
        fcntl.flock(file, (fcntl.LOCK_SH if how == "shared" else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def lease():
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    n = 0
    for name in os.listdir("/proc/self") if how == "lease" else [how[len("lease-"):]]:
        try:
            file = open(f"/proc/{pid}/{name}", "rb", buffering=0)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except OSError:
            continue
        kept.append(file)
        n += 1
    if not n:
        sys.exit("no lease was given")


if how.startswith("lease"):
    for file in kept:
        file.close()
    lease()
elif how == "passed":
    child = os.fork()
    if not child:
        lock()
        os._exit(0)
    os.waitpid(child, 0)
else:
    lock()
print(json.dumps({"ready": pid}), flush=True)
end = time.monotonic() + 60
while time.monotonic() < end:
    sys.audit("hostile.lock")
    time.sleep(0.01)
