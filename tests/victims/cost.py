"""cost: what one sys.audit() costs, measured repeatedly beside a call that no hook changes. Facts each round: {"ns", "call_ns"}.

Each of both is the least of many short batches, which take turns: an interruption makes batches longer, never shorter, and what
makes the machine slower for a while meets both.
"""
import sys
import time

import victim

CALLS = 200
TURNS = 40


def audits(count=range(CALLS)):
    audit, now = sys.audit, time.perf_counter_ns
    before = now()
    for _ in count:
        audit("victim.cost", 1, "abc")
    return (now() - before) / CALLS


def calls(count=range(CALLS)):
    call, now = isinstance, time.perf_counter_ns
    before = now()
    for _ in count:
        call("victim.cost", int)
    return (now() - before) / CALLS


for _ in victim.rounds(20):
    both = [(audits(), calls()) for _ in range(TURNS)]
    victim.say(ns=min(audit for audit, _ in both), call_ns=min(call for _, call in both))
    time.sleep(0.01)
victim.end(measured=True)
