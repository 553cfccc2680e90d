"""kill_loads: a program that loads and unloads a module without end (victims/loads.c) under `record -f`; the recorder
gets SIGKILL.

kill_loads.py AUDITVIEW FOLDER LOADS MODULE N SEED

This happens N times, at a random moment. The program must end normally each time. One line is printed: a JSON object
with the counts.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import time


def once(auditview, folder, loads, module, moment):
    """Return what the program printed, and whether the recorder lived until it was killed."""
    os.mkdir(folder)  # a new one each time: a recorder refuses to write beside 100 unfinished captures
    recorder = subprocess.Popen([auditview, "record", "-q", "-f", "-o", os.path.join(folder, "capture.avc"), "--", loads, module],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    said = recorder.stdout.readline()
    time.sleep(moment)
    recorder.kill()
    killed = recorder.wait() < 0
    time.sleep(0.01)  # a leftover that kills the program does so at its next load, within microseconds
    recorder.stdin.close()
    said += recorder.stdout.read()  # this reads until the program has ended, too
    recorder.stdout.close()
    shutil.rmtree(folder)
    return said.decode(), killed


def main():
    auditview, folder, loads, module, n, seed = sys.argv[1:]
    chance = random.Random(seed)
    counts = {"killed": 0, "harmed": 0}
    for _ in range(int(n)):
        said, killed = once(auditview, os.path.join(folder, "one"), loads, module, chance.uniform(0, 0.03))
        counts["killed"] += killed
        counts["harmed"] += said != "go\nfine\n"
    print(json.dumps(counts))


main()
