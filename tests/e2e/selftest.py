#!/usr/bin/env python3
"""selftest: the reference hook is right, and the comparison with it finds every kind of error. Argument: the reference
hook's library."""
import base64
import copy
import os
import subprocess
import sys
import tempfile
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import refhook  # noqa: E402

PROGRAM = r'''
import os, sys
for n in range(3):
    sys.audit("t.values", n, 10**30, -10**30, "a\ud800é大\U0001f40d", b"xx\0y", 1.5, [1, {2: 3}], {4, 5}, None, ..., sys)
sys.audit("t.long", "é" * 5000, list(range(50)))
print(hex(id(sys)))
sys.stdout.flush()
if os.fork() == 0:
    sys.audit("t.child", True)
    os._exit(0)
print(os.wait()[0])
'''


def main():
    with tempfile.TemporaryDirectory() as folder:
        env = dict(os.environ, LD_PRELOAD=os.path.abspath(sys.argv[1]), REFHOOK_DIR=folder, REFHOOK_LOG="1", LC_ALL="C.UTF-8")
        env.pop("ASAN_OPTIONS", None)
        process = subprocess.Popen([sys.executable, "-S", "-c", PROGRAM], env=env, stdout=subprocess.PIPE, text=True)
        address, child = process.communicate(timeout=60)[0].split()
        assert process.returncode == 0
        rows, log = refhook.read(folder), refhook.read_log(folder)
        pid, child = process.pid, int(child)

        # The table and the log must agree.
        assert rows.total() == sum(map(len, log.values())) > 20
        for (p, tid), texts in log.items():
            chain = 0
            for text in texts:
                chain = zlib.crc32(text, chain)
            assert rows[p, tid, ""] == (len(texts), chain)
        assert rows[child, child, "t.child"] == (1, zlib.crc32(b"t.child\n[1:t]"))
        assert log[pid, pid][-1].startswith(b"cpython._PySys_ClearAuditHooks")

        # Correct JSON lines must equal the log.
        def line(name, *values):
            return {"event": name, "pid": pid, "tid": pid, "args": {str(i): v for i, v in enumerate(values)}}
        events = [line("t.values", n, {"int": str(10**30)}, {"int": str(-10**30)}, "a\ud800é大\U0001f40d",
                       {"bytes": base64.b64encode(b"xx\0y").decode()}, 1.5, [1, {"dict": [[2, 3]]}], {"set": [5, 4]}, None,
                       {"const": "Ellipsis"}, {"type": "module", "id": address, "name": "sys"}) for n in range(3)]
        events.append(line("t.long", {"cut": "é" * 2048, "length": 5000}, list(range(50))))

        def of_test(rows):
            return {key: value for key, value in rows.items() if key[2].startswith("t.") and key[2] != "t.child"}
        wanted = of_test(rows)
        assert refhook.differences(wanted, of_test(refhook.rows_of(events))) == []

        # Each error must be found.
        lies = 0
        for change in (lambda e: e.pop(), lambda e: e.append(e[0]), lambda e: e[1]["args"].update({"3": "a\ud801é大\U0001f40d"}),
                       lambda e: e[1]["args"].update({"0": True}), lambda e: e[3]["args"]["0"].update(length=5001),
                       lambda e: e[2]["args"].update({"5": 1.5000000000000002}), lambda e: e[0]["args"].pop("10"),
                       lambda e: e[0]["args"].update({"10": {"type": "module", "id": "0x10"}}), lambda e: e[0].update(tid=1),
                       lambda e: e[0]["args"]["7"]["set"].append(6), lambda e: e[0].update(event="t.value")):
            told = copy.deepcopy(events)
            change(told)
            assert refhook.differences(wanted, of_test(refhook.rows_of(told))), f"lie {lies} was not noticed"
            lies += 1
        told = [events[1], events[0], *events[2:]]
        chains = [refhook.rows_of(e)[pid, pid, ""] for e in (events, told)]
        assert chains[0] != chains[1], "a changed order was not noticed"
        print(f"{rows.total()} events, {lies + 1} lies noticed")


if __name__ == "__main__":
    main()
