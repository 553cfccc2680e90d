"""exits: ends in the way that ARG names: status, exception, _exit, SIGNAL, exec."""
import os
import signal
import sys
import time

import victim

how = (victim.arguments() or ["status"])[0]
for n in victim.rounds(3):
    victim.mark(n, how)
    time.sleep(0.002)
if how == "status":
    sys.exit(42)
if how == "exception":
    raise RuntimeError("the end of this victim")
if how == "_exit":
    os._exit(43)
if how == "exec":
    os.execv("/bin/sh", ["sh", "-c", "exit 44"])
if how == "python":
    os.execv(sys.executable, [sys.executable, "-S", "-c", "import sys; sys.audit('victim.second', 1); sys.exit(45)"])
os.kill(os.getpid(), getattr(signal, how))
signal.pause()
