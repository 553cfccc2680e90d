"""Make a folder in every place that a program can raise an event from: the main thread, a worker thread, a forked child, a
finaliser, a subinterpreter, an atexit function. Arguments: the folder, the places (joined by commas), and, to wait before
the first, a file whose appearance ends that. Each folder is <folder>/<place>. Prints a line for each that was made, and
before that what the function itself sees of its variables."""
import atexit
import os
import sys
import threading
import time

folder, places = sys.argv[1], sys.argv[2].split(",")
lock = threading.Lock()


def view(place, number, words):
    with lock:
        os.write(1, ('view {"place": "%s", "number": %d, "words": ["%s", %d]}\n' % (place, number, words[0], words[1])).encode())


def make(place):
    number, words = len(place) ** 30, [place * 2, -len(place)]
    view(place, number, words)
    os.mkdir(os.path.join(folder, place))
    with lock:
        os.write(1, b"made %s\n" % place.encode())


IN_INTERPRETER = """
import os
place, number, words = "interpreter", 11 ** 30, ["interpreter" * 2, -11]
os.write(1, ('view {"place": "%%s", "number": %%d, "words": ["%%s", %%d]}\\n' %% (place, number, words[0], words[1])).encode())
os.mkdir(%r)
os.write(1, b'made interpreter\\n')
"""


class Finalised:
    def __del__(self):
        make("del")


def in_child():
    pid = os.fork()
    if not pid:
        make("child")
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def in_thread():
    thread = threading.Thread(target=make, args=("thread",))
    thread.start()
    thread.join()


def in_interpreter():
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            module = __import__(name)
        except ImportError:
            continue
        interpreter = module.create()
        module.run_string(interpreter, IN_INTERPRETER % os.path.join(folder, "interpreter"))
        module.destroy(interpreter)
        return


def in_finaliser():
    thing = Finalised()
    del thing


if len(sys.argv) > 3:
    os.write(1, b"ready\n")
    while not os.path.exists(sys.argv[3]):
        time.sleep(0.01)
whereabouts = {"main": lambda: make("main"), "thread": in_thread, "child": in_child, "del": in_finaliser, "interpreter": in_interpreter,
               "atexit": lambda: atexit.register(make, "atexit")}
for place in places:
    whereabouts[place]()
os.mkdir(os.path.join(folder, "other"))
os.write(1, b"end\n")
sys.exit(7)
