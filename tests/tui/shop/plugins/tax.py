import ctypes





def load(region):
    libc = ctypes.CDLL("libc.so.6")
    libc.getpid()
    rule = pickle.loads(RULES[region])
    exec(rule, {"region": region})
    s = socket.socket()
    s.settimeout(0.2)
    try:
        s.connect(("127.0.0.1", 5432))
    except OSError:
        pass
