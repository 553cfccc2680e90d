"""contain: run a program as containers do, in namespaces and a root file system of its own.

contain.py [--ns mnt,pid,net,user,ipc,uts,cgroup] [--root ROOT [--bind FROM=TO]… [--chroot]] [--uid N] -- PROGRAM ARG…

The root's folders are mounted in a new file system, which becomes the root by pivot_root(2), or by chroot(2) with
--chroot. Of the machine itself only /proc is in it. With a pid namespace, PROGRAM is its process 1. The exit status is
PROGRAM's; it is 125 if the kernel does not allow the container, and the message says what. No program of the root is
needed for any of this.
"""
import argparse
import ctypes
import os
import signal
import sys

FLAGS = {"mnt": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000}
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 4096, 16384, 1 << 18, 2
libc = ctypes.CDLL(None, use_errno=True)


def call(what, result):
    if result < 0:
        sys.stderr.write("contain: %s: %s\n" % (what, os.strerror(ctypes.get_errno())))
        sys.stderr.flush()
        os._exit(125)


def mount(source, target, kind, flags):
    call("mount " + target, libc.mount(source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags), None))


def write(path, text):
    try:
        with open(path, "w") as f:
            f.write(text)
    except OSError as error:
        sys.stderr.write("contain: %s\n" % error)
        sys.stderr.flush()
        os._exit(125)


def enter_root(options):
    stage = options.stage
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("container", stage, "tmpfs", 0)
    for bind in [options.root + "/usr=/usr"] + options.bind:
        source, target = bind.split("=")
        os.makedirs(stage + target, exist_ok=True)
        mount(source, stage + target, None, MS_BIND | MS_REC)
    for name in ("lib", "lib64", "bin"):
        os.symlink("usr/" + name, os.path.join(stage, name))
    for name in ("proc", "tmp", "old"):
        os.makedirs(os.path.join(stage, name), exist_ok=True)
    # A /proc of the new pid namespace or, if none is made, of the present one.
    if "pid" in options.ns:
        mount("proc", stage + "/proc", "proc", 0)
    else:
        mount("/proc", stage + "/proc", None, MS_BIND | MS_REC)
    os.chdir(stage)
    if options.chroot:
        os.chroot(stage)
    else:
        call("pivot_root", libc.pivot_root(b".", b"old"))
        os.chdir("/")
        call("umount", libc.umount2(b"/old", MNT_DETACH))
    os.chdir("/tmp")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ns", default="")
    parser.add_argument("--root")
    parser.add_argument("--stage")
    parser.add_argument("--bind", action="append", default=[])
    parser.add_argument("--chroot", action="store_true")
    parser.add_argument("--uid", type=int)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    options.ns = [n for n in options.ns.split(",") if n]
    uid, gid = os.getuid(), os.getgid()
    flags = 0
    for name in options.ns:
        flags |= FLAGS[name]
    if flags:
        call("unshare " + ",".join(options.ns), libc.unshare(flags))
    if "user" in options.ns:
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", "0 %d 1" % uid)
        write("/proc/self/gid_map", "0 %d 1" % gid)
    if "pid" in options.ns:
        child = os.fork()
        if child:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda n, _: os.kill(child, n))
            while True:
                try:
                    status = os.waitpid(child, 0)[1]
                    break
                except InterruptedError:
                    pass
            os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if options.root:
        enter_root(options)
    if options.uid is not None:
        os.setgroups([])
        os.setgid(options.uid)
        os.setuid(options.uid)
    os.execv(options.command[0], options.command)


main()
