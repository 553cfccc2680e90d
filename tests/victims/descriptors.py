"""Raises events about descriptors, once for each line that it reads, and writes to the file argv[1] what they are: a list of
event, argument, text. All is opened before, so each number means one thing while there are events."""
import fcntl
import json
import mmap
import os
import socket
import struct
import sys

os.chdir(os.path.dirname(os.path.abspath(sys.argv[1])))


def link(fd):
    return os.readlink("/proc/self/fd/%d" % fd)


def opened(name, flags=os.O_RDWR | os.O_CREAT):
    return os.open(name, flags, 0o600)


os.mkfifo("fifo")
fds = [opened("plain"), opened("a\x1b[31m b\n\"c\\"), opened(b"\xff\xfe"), opened("gone"), opened("fifo", os.O_RDWR), *os.pipe(),
       opened("x" * 200), os.open("/dev/null", os.O_RDONLY)]
os.unlink("gone")
folder = os.open(".", os.O_RDONLY)
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen()
client = socket.create_connection(listening.getsockname())
server = listening.accept()[0]
bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
bound.bind(("127.0.0.1", 0))
os.write(fds[0], bytes(4096))


def kernel_knows_unix_sockets():
    """Does it answer sock_diag(7) about them? It needs the module unix_diag."""
    ask = struct.pack("=IHHIIBBHIIIII", 40, 20, 1, 1, 0, socket.AF_UNIX, 0, 0, 0xffffffff, os.fstat(left.fileno()).st_ino, 5, *[0xffffffff] * 2)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as s:
        s.send(ask)
        return struct.unpack("=IH", s.recv(4096)[:6])[1] == 20


left, right = socket.socketpair()
unix_server = socket.socket(socket.AF_UNIX)
unix_server.bind(os.path.join(os.getcwd(), "unix"))
unix_server.listen()
unix_client = socket.socket(socket.AF_UNIX)
unix_client.connect(unix_server.getsockname())
unix_accepted = unix_server.accept()[0]


def name(s, peer=None):
    return "%s %s:%d" % (("tcp" if s.type == socket.SOCK_STREAM else "udp",) + s.getsockname()) + ("->%s:%d" % peer if peer else "")


truth = [["fcntl.fcntl", "fd", link(fd)] for fd in fds]
truth += [["os.chmod", "path", link(fds[0])], ["os.truncate", "fd", link(fds[0])],
          ["mmap.__new__", "fileno", link(fds[0])], ["os.listdir", "path", link(folder)], ["os.mkdir", "dir_fd", link(folder)],
          ["os.rename", "src_dir_fd", link(folder)], ["os.rename", "dst_dir_fd", link(folder)], ["os.rmdir", "dir_fd", link(folder)],
          ["socket.sendmsg", "self", name(client, client.getpeername())], ["socket.sendmsg", "self", name(server, server.getpeername())],
          ["socket.sendto", "self", name(bound)]]
if kernel_knows_unix_sockets():
    with open("/proc/self/comm", encoding="utf-8") as f:
        self = " %s[%d]" % (f.read().strip(), os.getpid())
    path = unix_server.getsockname()
    truth += [["socket.sendmsg", "self", "unix ->" + self], ["socket.sendmsg", "self", "unix ->" + path + self],
              ["socket.sendmsg", "self", "unix " + path + "->" + self]]
with open(sys.argv[1], "w", encoding="utf-8") as f:
    json.dump(truth, f)
    f.write("\n")
sys.audit("descriptors.ready")
for line in sys.stdin:
    for fd in fds:
        fcntl.fcntl(fd, fcntl.F_GETFD)
    os.chmod(fds[0], 0o600)
    os.truncate(fds[0], 4096)
    mmap.mmap(fds[0], 4096).close()
    os.listdir(folder)
    os.mkdir("made", dir_fd=folder)
    os.rename("made", "moved", src_dir_fd=folder, dst_dir_fd=folder)
    os.rmdir("moved", dir_fd=folder)
    client.sendmsg([b"x"])
    server.sendmsg([b"x"])
    bound.sendto(b"x", bound.getsockname())
    for s in left, unix_client, unix_accepted:
        s.sendmsg([b"x"])
    for s in right, unix_accepted, unix_client:
        s.recv(1)
    sys.audit("descriptors.round")
