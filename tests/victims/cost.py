"""cost: what one sys.audit() costs, measured repeatedly. Facts: {"ns": median of a batch} each round."""
import sys
import time

import victim

CALLS = 2000


def batch():
    audit = sys.audit
    before = time.perf_counter_ns()
    for _ in range(CALLS):
        audit("victim.cost", 1, "abc")
    return (time.perf_counter_ns() - before) / CALLS


for _ in victim.rounds(20):
    victim.say(ns=sorted(batch() for _ in range(9))[4])
    time.sleep(0.01)
victim.end(measured=True)
