"""A program of which each run differs: names, ports, pids, addresses and the order of a set. It uses the package greeter."""
import os
import shutil
import socket
import subprocess
import tempfile

import greeter

folder = tempfile.mkdtemp(prefix="varying-")
for name in {"alpha", "beta", "gamma", "delta"}:
    with open(os.path.join(folder, name + str(os.getpid())), "w", encoding="utf-8") as f:
        f.write(greeter.greet(name))
with tempfile.NamedTemporaryFile() as f:
    f.write(b"x")
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
subprocess.run(["/bin/echo", str(os.getpid()), folder], stdout=subprocess.DEVNULL, check=True)
local = socket.socket(socket.AF_UNIX)
local.bind(os.path.join(folder, "socket"))
local.listen()
peer = socket.socket(socket.AF_UNIX)
peer.connect(local.getsockname())
hidden = socket.socket(socket.AF_UNIX)
hidden.bind(f"\0varying-{os.getpid()}")
for each in (hidden, peer, local):
    each.close()
client.close()
server.close()
shutil.rmtree(folder)
