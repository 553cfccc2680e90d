"""soaking: nine threads at work until they are told to stop. Five raise marks, two fork children that start threads,
one starts programs, and one, if ARG is "pythons", starts Pythons that start threads.

Marks: victim.thread (thread, n); in a forked child victim.child (child, thread, n); in a Python victim.python (child,
thread, n). A child raises OWN marks in each of its three threads. Truth: the marks of each thread, how many children of
which kind, how many ended wrongly.
"""
import os
import subprocess
import sys
import threading
import time
import warnings

import victim

warnings.simplefilter("ignore")  # forking in a program with threads is dangerous: this is what is tested here
OWN = 40
PYTHON = """
import sys, threading
def work(who):
    for n in range(%d):
        sys.audit("victim.python", %d, who, n)
threads = [threading.Thread(target=work, args=(who,)) for who in (1, 2)]
for t in threads:
    t.start()
work(0)
for t in threads:
    t.join()
sys.exit(21)
"""
stop = False
bad = 0
counts = [0] * 5
children = {"fork": 0, "program": 0, "python": 0}
lock = threading.Lock()


def started(kind):
    with lock:
        children[kind] += 1
        return children[kind] - 1


def ended(is_right):
    global bad
    with lock:
        bad += not is_right


def mark(thread):
    n = 0
    while not stop:
        sys.audit("victim.thread", thread, n)
        n += 1
        if n % 16 == 0:
            time.sleep(0.001)
    counts[thread] = n


def child(number):
    def work(thread):
        for n in range(OWN):
            sys.audit("victim.child", number, thread, n)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in (1, 2)]
    for t in threads:
        t.start()
    work(0)
    for t in threads:
        t.join()
    os._exit(20)


def fork():
    everyone.wait()
    while not stop:
        number = started("fork")
        pid = os.fork()
        if pid == 0:
            child(number)
        ended(os.waitpid(pid, 0)[1] == 20 << 8)
        time.sleep(0.02)


def program():
    while not stop:
        started("program")
        ended(subprocess.call(["/bin/sh", "-c", "exit 3"]) == 3)
        time.sleep(0.02)


def python():
    while not stop:
        ended(subprocess.call([sys.executable, "-S", "-c", PYTHON % (OWN, started("python"))]) == 21)
        time.sleep(0.05)


work = [threading.Thread(target=mark, args=(k,)) for k in range(5)] + [threading.Thread(target=f) for f in (fork, fork, program)]
if "pythons" in victim.arguments():
    work.append(threading.Thread(target=python))
victim.threads_fork()
everyone = threading.Barrier(3)  # a child forked while a thread is created may have the loader's locks held
for t in work:
    t.start()
everyone.wait()
for _ in victim.rounds():
    time.sleep(0.02)
stop = True
for t in work:
    t.join()
victim.end(counts=counts, children=children, own=OWN, bad_children=bad)
