"""subprocess_storm: starts programs that are not Python, and Pythons that raise marks. Truth: their exit statuses and
outputs."""
import subprocess
import sys

import victim

bad = 0
n = 0
for n in victim.rounds(4):
    victim.mark(n, "subprocess")
    bad += subprocess.run(["true"]).returncode != 0
    bad += subprocess.run(["sh", "-c", "exit 3"], cwd="/").returncode != 3
    code = "import sys; sys.audit('victim.child', %d, 'é'); print(%d)" % (n, n)
    done = subprocess.run([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE)
    bad += done.returncode != 0 or done.stdout != b"%d\n" % n
victim.end(marks=n + 1, bad_children=bad)
