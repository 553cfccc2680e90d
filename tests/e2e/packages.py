"""packages: Debian packages that single cells need. A full run installs them; otherwise, a cell without them is
skipped."""
import os
import shutil
import subprocess
import threading

from harness import Skip

LOCK = threading.Lock()
TRIED = {}


def is_installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status}", package], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout == "installed"


def install(packages):
    """Return why they could not be installed; None if they are."""
    if os.geteuid():
        return "not root"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["install"], ["update"], ["install"]):
        more = ["--no-install-recommends", *packages] if command == ["install"] else []
        done = subprocess.run(["apt-get", "-qy", *command, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=environment, timeout=1200)
        if done.returncode == 0 and more:
            return None
    return (done.stdout.strip().splitlines() or ["apt-get failed"])[-1]


def need(ctx, *packages):
    """Skip unless they are installed, or can be installed."""
    if not packages:
        return
    if not shutil.which("dpkg-query"):
        raise Skip("needs Debian's packages " + " ".join(packages))
    with LOCK:
        missing = [p for p in packages if not is_installed(p)]
        if not missing:
            return
        if not ctx.full:
            raise Skip(f"needs {' '.join(missing)}; a full run installs what is missing")
        key = tuple(missing)
        if key not in TRIED:
            TRIED[key] = install(missing)
        if TRIED[key]:
            raise Skip(f"{' '.join(missing)} cannot be installed: {TRIED[key]}")
