"""Make a folder, with timers that go off and children that end while that is held. Arguments: the folder, and a file whose
appearance begins it. Standard input is read to its end afterwards. Prints JSON: what was lost, if anything."""
import json
import os
import signal
import sys
import time

N_CHILDREN = 60
seen = dict.fromkeys(("SIGALRM", "SIGVTALRM", "SIGPROF", "SIGCHLD", "SIGUSR1"), 0)


def handler(name):
    def count(number, frame):
        seen[name] += 1
    return count


os.write(1, b"ready\n")
while not os.path.exists(sys.argv[2]):
    time.sleep(0.01)
for name in seen:
    signal.signal(getattr(signal, name), handler(name))
release, hold = os.pipe()
children = []
for number in range(N_CHILDREN):
    pid = os.fork()
    if not pid:
        for name in seen:
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        os.close(hold)
        os.read(release, 1)  # until the parent has closed its end
        time.sleep(number * 0.01)
        os._exit(number)
    children.append(pid)
os.close(release)
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
signal.setitimer(signal.ITIMER_VIRTUAL, 0.05, 0.05)
signal.setitimer(signal.ITIMER_PROF, 0.05, 0.05)
os.close(hold)
before, real = dict(seen), time.monotonic()
os.mkdir(sys.argv[1])
took = time.monotonic() - real
for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
    signal.setitimer(timer, 0)
statuses = [os.WEXITSTATUS(os.waitpid(pid, 0)[1]) for pid in children]
print(json.dumps({"took": took, "statuses": statuses, "more": {name: seen[name] - before[name] for name in seen},
                  "lines": [int(line) for line in sys.stdin.read().split()]}))
sys.exit(7)
