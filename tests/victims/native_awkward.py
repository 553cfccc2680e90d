"""native_awkward.py FOLDER (deleted|elsewhere): a C extension whose file is deleted or replaced; a C stack that is no
thread's.

It prints nothing, and raises native.test below functions that the test knows."""
import importlib.machinery
import importlib.util
import os
import shutil
import sys

folder, case = sys.argv[1:3]


def load(path):
    loader = importlib.machinery.ExtensionFileLoader("native_ext", path)
    return importlib.util.module_from_spec(importlib.util.spec_from_loader("native_ext", loader))


def event():
    sys.audit("native.test", 1)


def outer():
    (native_ext.elsewhere if case == "elsewhere" else native_ext.call)(event)


def main():
    outer()


copy = os.path.join(folder, "native_ext_copy_%d.so" % os.getpid())
shutil.copy(os.path.join(folder, "native_ext.so"), copy)
native_ext = load(copy)
os.unlink(copy)
if case == "deleted":
    with open(copy, "w") as f:
        f.write("another file of that name")
main()
if case == "deleted":
    os.unlink(copy)
