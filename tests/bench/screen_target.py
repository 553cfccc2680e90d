"""screen_target: about RATE audit events a second, of the kinds and with the arguments that real programs have.

screen_target.py [RATE]        default 100000

It runs until SIGTERM, then ends with status 0.
"""
import os
import signal
import sys
import threading
import time

RATE = float(sys.argv[1]) if len(sys.argv) > 1 else 100000.0
KINDS = ["open", "socket.connect", "subprocess.Popen", "sqlite3.execute", "json.load", "pickle.find_class", "os.rename", "tempfile.mkstemp"]


def one(i):
    if i % 10 < 6:
        sys.audit("open", "/srv/shop/data/part-%d.json" % (i % 5000), "r", 524288)
    elif i % 10 < 8:
        sys.audit("socket.connect", None, ("10.0.0.%d" % (i % 250), 443))
    else:
        sys.audit(KINDS[i % len(KINDS)], "name-%d" % (i % 20000), i)


def deep(n, i):
    if n:
        deep(n - 1, i)
    else:
        one(i)


def work(share):
    begin, done = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - begin) * share)
        for i in range(done, due):
            if i & 7:
                one(i)
            else:
                deep(i % 20, i)
        done = max(due, done)
        if due - done <= 0:
            time.sleep(0.005)


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    for _ in range(2):
        threading.Thread(target=work, args=(RATE / 2,), daemon=True).start()
    while True:
        time.sleep(3600)


main()
