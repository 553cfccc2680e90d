"""leader: the first thread ends, at once ("gone") or when it is told to ("leaves"); another thread continues, and
prints what is left in the process.

leader.py FOLDER gone|leaves        files in FOLDER: "end" is made by the test, "ready", "ended", "told" by this program
"""
import ctypes
import os
import sys
import threading
import time

folder, mode = sys.argv[1:]
SYS_EXIT = 60


def maps():
    return sorted(line for line in open("/proc/thread-self/maps")
                  if "x" in line.split()[1] and len(line.split()) < 6 or " /dev/zero" in line or "memfd:" in line)


def exists(name):
    return os.path.exists(os.path.join(folder, name))


def tell(name, text=""):
    with open(os.path.join(folder, name + ".new"), "w") as f:
        f.write(text)
    os.rename(os.path.join(folder, name + ".new"), os.path.join(folder, name))


def work():
    before, n = maps(), 0
    while open(f"/proc/self/task/{os.getpid()}/stat").read().rpartition(")")[2].split()[0] != "Z" if mode == "gone" else False:
        time.sleep(0.001)
    tell("ready")
    while not exists("end"):
        sys.audit("leader.mark", n)
        n += 1
        time.sleep(0.002)
        if mode == "leaves" and exists("leave") and not exists("ended"):
            while open(f"/proc/self/task/{os.getpid()}/stat").read().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.001)
            tell("ended")
    tell("told", "".join(set(maps()) - set(before)) or "nothing")
    os._exit(5)


threading.Thread(target=work, name="stays").start()
while mode == "leaves" and not exists("leave"):
    time.sleep(0.002)
ctypes.CDLL(None).syscall(SYS_EXIT, 0)
