"""execing: four threads raise marks, and every 100 ms one of the five threads executes this program again, until it is
told to stop.

ARG: the generation, 0 at first. Marks: victim.thread (generation, thread, n). Truth: the last generation.
"""
import os
import sys
import threading
import time

import victim

GENERATION = int((victim.arguments() or ["0"])[0])
LIFE = 0.1
stop = False
again = threading.Event()


def execute():
    os.execv(sys.executable, [sys.executable, *(["-S"] if sys.flags.no_site else []), *sys.argv[:3], str(GENERATION + 1)])


def work(thread):
    n = 0
    while not stop:
        sys.audit("victim.thread", GENERATION, thread, n)
        n += 1
        if n % 16 == 0:
            time.sleep(0.001)
            if again.is_set() and thread == GENERATION % 5:
                execute()


threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
born = time.monotonic()
for t in threads:
    t.start()
for _ in victim.rounds():
    time.sleep(0.01)
    if time.monotonic() - born > LIFE:
        again.set()
        if GENERATION % 5 == 4:
            execute()
stop = True
for t in threads:
    t.join()
victim.end(generation=GENERATION)
