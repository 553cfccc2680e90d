"""soak: the short form of tests/soak.py; the long one is run on demand. The short one makes the same choices each time."""
import os
import sys
import zlib

import harness
from harness import Fail

sys.path.insert(0, os.path.join(harness.ROOT, "tests"))


def short(ctx):
    import soak
    # tests/soak.py removes its own folder
    own = harness.Context(os.path.dirname(ctx.auditview), ctx.pythons, False, False)
    seed = zlib.crc32(own.folder.encode()) if ctx.full else 1
    complaints = soak.Soak(own, 600 if ctx.full else 12, seed, False).run()
    own.finish(bool(complaints))
    if complaints:
        raise Fail(f"seed {seed}: {'; '.join(complaints)[:1500]}; see {own.folder}")


def cells(ctx):
    yield "short form", None, lambda: short(ctx)
