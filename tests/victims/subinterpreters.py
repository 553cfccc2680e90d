"""subinterpreters: three interpreters at once, with a GIL of their own from 3.12 on; prints {"skip": reason} if there
are none."""
import sys
import threading

import victim

try:
    import _interpreters as interpreters  # 3.13+

    create = interpreters.create
    run = interpreters.exec
except ImportError:
    try:
        import _xxsubinterpreters as interpreters

        create = interpreters.create
        run = interpreters.run_string
    except ImportError:
        interpreters = None

if interpreters is None:
    victim.say(skip="this Python has no interpreters module")
    sys.exit(victim.STATUS)

CODE = """
import sys
for n in range(2000):
    sys.audit("victim.interp", %d, n, "text")
"""
ids = []
for _ in victim.rounds(1):
    ids = [create() for _ in range(3)]
    threads = [threading.Thread(target=run, args=(one, CODE % k)) for k, one in enumerate(ids)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for one in ids:
        interpreters.destroy(one)
victim.end(interpreters=3, each=2000)
