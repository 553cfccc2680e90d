"""tables: typical calculations with numpy and pandas; prints the results. tables.py [SECONDS]. The output is the same
each time."""
import hashlib
import io
import sys
import time

import numpy
import pandas

until = time.monotonic() + float(sys.argv[1] if len(sys.argv) > 1 else 0)
seen = set()
while True:
    random = numpy.random.default_rng(7)
    matrix = random.normal(size=(120, 120))
    inverse = numpy.linalg.inv(matrix)
    close = bool(numpy.allclose(matrix @ inverse, numpy.eye(120)))
    frame = pandas.DataFrame({"key": random.integers(0, 9, 5000), "value": random.integers(0, 1000, 5000)})
    text = frame.groupby("key").agg(["sum", "min", "max"]).to_csv()
    again = pandas.read_csv(io.StringIO(frame.to_csv(index=False)))
    joined = frame.merge(again.drop_duplicates("key"), on="key", suffixes=("", "_first"))
    memory = numpy.memmap("numbers.bin", dtype="int64", mode="w+", shape=(1000,))
    memory[:] = numpy.arange(1000) * 3
    memory.flush()
    seen.add((close, hashlib.sha256(text.encode()).hexdigest(), bool(again.equals(frame)), int(joined["value_first"].sum()), int(memory.sum())))
    if time.monotonic() >= until:
        break
print(len(seen), *sorted(seen))
