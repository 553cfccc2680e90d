"""kill_launches: launch programs under a recorder, kill it with SIGKILL, and check what happens to the programs.

kill_launches.py AUDITVIEW FOLDER requests|moments N SEED PYTHON...

It launches in turn one Python, and a shell that starts three, one of them by exec. `requests`: the recorder is killed
right after a ptrace request (AUDITVIEW_FAULT), N times, spread over all requests that a launch makes; `moments`: N
times at a random moment of its life. Each program must print and end as it does alone; orphans become children of this
process, so their exit statuses are known. One line is printed: a JSON object with the counts, and with what was seen of
the harmed programs.
"""
import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
# A process of the recorder itself, not a launched program. If the recorder is killed while this one reads for it, the kernel kills it too
# (PR_SET_PDEATHSIG in src/base/worker.c).
READER = "auditview-read"
SCRIPT = """for i in 1 2; do "$@" -S -c "print($i); raise SystemExit($i)"; echo "status $?"; done; sh -c 'exec "$@" -S -c "print(3)"' sh "$@"; echo "status $?" """


def reap():
    """Wait for all children; returns what ended badly, and whether a launched program was among them."""
    bad, launched = [], False
    while True:
        try:
            child = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            name = open(f"/proc/{child.si_pid}/comm").read().strip()
            os.waitpid(child.si_pid, 0)
        except ChildProcessError:
            return bad, launched
        if name == READER:
            continue
        launched = True
        if child.si_code != os.CLD_EXITED or child.si_status:
            bad.append(f"{name}: {'status' if child.si_code == os.CLD_EXITED else 'signal'} {child.si_status}")


class Launch:
    def __init__(self, auditview, folder, python):
        self.folder = os.path.join(folder, "one")
        self.record = [auditview, "record", "-q", "-o", os.path.join(self.folder, "capture.avc"), "--"]
        self.programs = [([*python, "-S", "-c", "print('fine')"], "fine\n"),
                         (["sh", "-c", SCRIPT, "sh", *python], "1\nstatus 1\n2\nstatus 2\n3\nstatus 0\n")]
        self.counts = {"killed": 0, "not launched yet": 0, "had ended": 0, "harmed": 0}
        self.seen = []

    def once(self, which, spec=None, moment=None):
        """Return true if the recorder was killed."""
        argv, wanted = self.programs[which]
        env = dict(os.environ, **({"AUDITVIEW_FAULT": spec} if spec else {}))
        os.mkdir(self.folder)  # a new one each time: a recorder refuses to write beside 100 unfinished captures
        recorder = subprocess.Popen([*self.record, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
        if moment is not None:
            time.sleep(moment)
            recorder.kill()
        status = recorder.wait()
        out = recorder.stdout.read().decode()  # this reads until the programs have ended, too
        recorder.stdout.close()
        bad, launched = reap()
        shutil.rmtree(self.folder)
        killed = status == -signal.SIGKILL
        if killed and not launched and not out and not bad:
            self.counts["not launched yet"] += 1
            return True
        self.counts["killed" if killed else "had ended"] += 1
        if out != wanted or bad or (not killed and status):
            self.counts["harmed"] += 1
            self.seen.append(f"{spec or f'{moment * 1e3:.2f} ms'}: recorder {status}, {bad or 'ended well'}, printed {out!r}")
        return killed

    def duration(self, which):
        begin = time.monotonic()
        self.once(which)
        return time.monotonic() - begin

    def n_requests(self, which):
        """Return an upper bound of the requests that such a launch makes; found by doubling."""
        n = 8
        while self.once(which, f"ptrace:{n}:kill"):
            n *= 2
        return n


def main():
    auditview, folder, how, n, seed, *python = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    chance = random.Random(seed)
    launch = Launch(auditview, folder, python)
    for which in range(2):
        share = (int(n) + 1) // 2
        if how == "requests":
            most = launch.n_requests(which)
            step = max(1, most // share)
            for request in range(1, most, step):
                launch.once(which, f"ptrace:{request + chance.randrange(step)}:kill")
        else:
            span = max(launch.duration(which) for _ in range(2))
            for _ in range(share):
                launch.once(which, moment=chance.uniform(0, span))
    print(json.dumps({**launch.counts, "seen": launch.seen}))


main()
