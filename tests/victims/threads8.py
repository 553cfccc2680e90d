"""threads8: eight threads that raise marks, ARG of each (default 20000) as fast as they can; with --until some thousand a second.
Marks: (thread, n, text)."""
import sys
import threading
import time

import victim

N = int((victim.arguments() or ["20000"])[0])
counts = [0] * 8
stop = False


def work(thread):
    audit = sys.audit
    n = 0
    while n < N if ENDLESS is False else not stop:
        audit("victim.thread", thread, n, "payload %d" % (n & 15))
        n += 1
        if ENDLESS and n % 16 == 0:
            time.sleep(0.004)
    counts[thread] = n


ENDLESS = "--until" in sys.argv
threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
if ENDLESS:
    for t in threads:
        t.start()
    for _ in victim.rounds():
        time.sleep(0.02)
    stop = True
else:
    for _ in victim.rounds(1):
        for t in threads:
            t.start()
for t in threads:
    t.join()
victim.end(counts=counts)
