"""native_attach.py FOLDER SECONDS: three threads, and children that fork, raise one event and end, all through native_ext."""
import os
import sys
import threading
import time
import warnings

sys.path.insert(0, sys.argv[1])
warnings.simplefilter("ignore")  # forking with threads: the children do almost nothing
import native_ext  # noqa: E402


rounds = 0


def event():
    sys.audit("native.test", os.getpid())


def loop():
    n = 0
    while True:
        if n < 3 * rounds:  # no matter which thread the scheduler prefers, each kind of event comes in any 200 of them
            n += 1
            native_ext.call(event)
        time.sleep(0.005)


def main():
    global rounds
    for _ in range(3):
        threading.Thread(target=loop, daemon=True).start()
    print("ready", flush=True)
    end = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < end:
        rounds += 1
        native_ext.sort(event)
        pid = os.fork()
        if pid == 0:
            native_ext.call(event)
            os._exit(0)
        os.waitpid(pid, 0)
        time.sleep(0.01)


main()
