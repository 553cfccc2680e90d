"""native_greenlets.py FOLDER: events in greenlets that were switched out and in again; FOLDER holds the greenlet
package."""
import sys

sys.path.insert(0, sys.argv[1])
import greenlet  # noqa: E402


def leaf(number):
    sys.audit("native.test", number)
    top.switch()
    sys.audit("native.test", number)


def run(number):
    sorted([1], key=lambda x: leaf(number))


def main():
    started = [greenlet.greenlet(run) for _ in range(20)]
    for number, g in enumerate(started):
        g.switch(number)
    for g in started:
        g.switch()
    sys.audit("native.test", -1)


top = greenlet.getcurrent()
main()
