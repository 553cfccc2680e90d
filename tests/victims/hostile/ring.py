"""ring: an unprivileged program that writes anything into the memory that a recorder shares with it.

ring.py MODE [NUMBER]

It gives up root, prints {"ready": pid}, and waits until the ring is mapped. Then a thread of its own attacks the ring
while the main thread raises "hostile.mark". It ends after 60 s or when it is killed. Its layout of the ring is that of
src/probe/abi.h.

geometry   every number of the header that describes the layout is rewritten without end
heads      the head of a slot jumps: backwards, far ahead, misaligned
sizes      records of size 0, 4, 12, larger than the ring, larger than what was published
lengths    events whose parts are longer than the record, or whose sum overflows; lost counts of 2^63
nested     arguments nested a hundred deep, and a tuple that claims to have 2^40 elements
codes      frames that define code objects of ids up to 2^31
threads    an event of a new thread id each time, without end
names      an event of a new name each time, without end
times      time stamps of 0, 2^64 - 1 and of the far future, backwards
flood      correct events, without end
claim      a slot that claims to belong to process NUMBER
state      slots claimed and released without end, counters that run
counters   numbers of events that are counted: at random, backwards, of all slots
verdicts   verdicts on names: removed, moved, changed
"""
import ctypes
import json
import os
import random
import struct
import sys
import threading
import time

PAGE = 4096
SHARED = {"n_slots": 12, "slot_bytes": 16, "slot_data_bytes": 24, "slots_off": 32, "enabled": 36, "heartbeat": 40, "slots_freed": 52,
          "slots_claimed": 56, "slot_waited": 60, "lost_unserved": 64, "first_extra_bytes": 88}
SLOT = {"head": 0, "state": 8, "pid": 12, "tid": 16, "waiting": 20, "n_dropped": 24, "parent_pid": 32, "birth": 36, "writing": 48, "time": 56,
        "tail": 64}
EVENT, LOST = 2, 3


def ring_address():
    """Return (start, bytes) of the ring once a recorder has filled its header; None before."""
    for line in open("/proc/self/maps"):
        fields = line.split(None, 5)
        if fields[1] == "rw-s" and len(fields) > 5 and ("/dev/zero" in fields[5] or "auditview-ring" in fields[5]):
            start, end = (int(x, 16) for x in fields[0].split("-"))
            if ctypes.string_at(start, 8) == b"PRBEB_V1" and ctypes.c_uint32.from_address(start + SHARED["slots_off"]).value:
                return start, end - start
    return None


class Slot:
    """A slot that this program claims for itself, without the probe."""

    def __init__(self, start, index, pid):
        def u32(off):
            return ctypes.c_uint32.from_address(start + off).value
        def u64(off):
            return ctypes.c_uint64.from_address(start + off).value
        self.bytes = u64(SHARED["slot_data_bytes"])
        self.at = start + u32(SHARED["slots_off"]) + index * u64(SHARED["slot_bytes"]) + u64(SHARED["first_extra_bytes"])  # index > 0
        self.data = self.at + PAGE
        self.head = 0
        self.set("birth", 77)
        self.set("tid", pid)
        self.set("parent_pid", os.getpid())
        self.set("state", 1)
        self.set("pid", pid)
        claims = ctypes.c_uint32.from_address(start + SHARED["slots_claimed"])
        claims.value += 1

    def set(self, name, value):
        kind = ctypes.c_uint64 if name in ("head", "n_dropped", "writing", "time", "tail") else ctypes.c_uint32
        kind.from_address(self.at + SLOT[name]).value = value

    def room(self):
        return self.bytes - (self.head - ctypes.c_uint64.from_address(self.at + SLOT["tail"]).value)

    def put(self, record, wait=True):
        """Publish bytes; if they do not fit before the end, a PAD comes first."""
        to_end = self.bytes - self.head % self.bytes
        if to_end < len(record):
            self.put(struct.pack("<IBBH", to_end, 1, 0, 0) + bytes(to_end - 8), wait)
        while wait and self.room() < len(record):
            time.sleep(0.0005)
        ctypes.memmove(self.data + self.head % self.bytes, record, len(record))
        self.head += len(record)
        self.set("head", self.head)


def pad8(b):
    return b + bytes(-len(b) % 8)


def ticks():
    return time.monotonic_ns()


def event(name=b"hostile.ring", args=b"\x0f\x00\x00", frames=b"", n_frames=0, tid=None, tsc=0, **wrong):
    """Return one RECORD_EVENT; `wrong` replaces its description of its own parts."""
    says = {"size": None, "n_frames": n_frames, "name_bytes": len(name), "args_bytes": len(args), "frames_bytes": len(frames),
            "n_anchors": 0, "slice_bytes": 0, "flags": 0}
    says.update(wrong)
    body = pad8(name) + pad8(args) + pad8(frames)
    size = 48 + len(body) if says["size"] is None else says["size"]
    head = struct.pack("<IBBHQIIIHHIIII", size, EVENT, says["flags"], says["n_frames"] & 0xffff, tsc, tid or os.getpid(), 0, 0,
                       says["name_bytes"] & 0xffff, says["n_anchors"], says["args_bytes"], says["frames_bytes"], says["slice_bytes"], 0)
    return head + body


def geometry(start, n_bytes, slot):
    words = [SHARED[n] for n in ("n_slots", "slots_off")], [SHARED[n] for n in ("slot_bytes", "slot_data_bytes")]
    values = (0, 1, 8, 4095, 4096, 1 << 20, 0x10049000, 0x7fffffff, 0xffffffff)
    while True:
        value = random.choice(values)
        for off in words[0]:
            ctypes.c_uint32.from_address(start + off).value = value
        for off in words[1]:
            ctypes.c_uint64.from_address(start + off).value = value * random.choice((1, 1 << 20, 1 << 32))
        slot.put(event())


def heads(start, n_bytes, slot):
    while True:
        slot.put(event())
        slot.set("head", random.choice((0, 1, 7, 1 << 20, 1 << 40, 1 << 63, (1 << 64) - 8, slot.head + 4)))
        slot.set("writing", random.choice((0, 1, slot.head + 1, (1 << 64) - 1)))
        time.sleep(random.choice((0, 0.002)))


def sizes(start, n_bytes, slot):
    while True:
        for size in (0, 4, 7, 8, 12, 15, 16, 40, 48, 56, 1 << 16, 1 << 20, 1 << 30, (1 << 32) - 8):
            slot.put(event(size=size))
            slot.put(event())
        time.sleep(0.001)


def lengths(start, n_bytes, slot):
    while True:
        for n in (1, 100, 0xffff, 1 << 20, (1 << 31) - 1, (1 << 32) - 8, (1 << 32) - 1):
            slot.put(event(args_bytes=n))
            slot.put(event(frames_bytes=n, n_frames=n))
            slot.put(event(name_bytes=n))
            slot.put(event(args_bytes=n, frames_bytes=(1 << 32) - n))
            slot.put(event(slice_bytes=n, n_anchors=n & 0xffff, flags=4))
            slot.put(struct.pack("<IBBHQQQ", 32, LOST, 0, 0, ticks(), (1 << 63) + n, (1 << 64) - 1))
        time.sleep(0.001)


def nested(start, n_bytes, slot):
    while True:
        for depth in (1, 8, 16, 100, 1000, 20000):
            slot.put(event(args=b"\x0f\x01\x01" * depth + b"\x0f\x00\x00"))
        slot.put(event(args=b"\x0f" + b"\xff" * 5 + b"\x01" + b"\xff" * 5 + b"\x01"))
        slot.put(event(args=b"\x0f" + b"\xff" * 20))
        time.sleep(0.001)


def codes(start, n_bytes, slot):
    def defines(code):
        text = b"\x09\x01x" * 2
        body = pad8(struct.pack("<IIIIII", 24 + 8, 1, 3, 3, 0, 0) + text)
        return struct.pack("<II", code | 1 << 31, 0) + body
    n = 0
    while True:
        for code in (1, 50 << 20, (50 << 20) - 1, (1 << 31) - 1, 1 << 30, n & 0x7fffffff, n * 2654435761 & 0x7fffffff):
            slot.put(event(frames=defines(code), n_frames=1))
        n += 1


def threads(start, n_bytes, slot):
    n = 1
    while True:
        slot.put(event(tid=n))
        n = n % 0x7fffffff + 1


def names(start, n_bytes, slot):
    n = 0
    while True:
        slot.put(event(name=b"hostile.%x" % n))
        n += 1


def times(start, n_bytes, slot):
    while True:
        for tsc in (0, 1, (1 << 64) - 1, 1 << 63, ticks(), ticks() << 8):
            slot.put(event(tsc=tsc))
            slot.set("time", tsc)
            slot.set("writing", slot.head + 1)
        time.sleep(0.0005)


def flood(start, n_bytes, slot):
    batch = event() * 500
    while True:
        slot.put(batch)


def state(start, n_bytes, slot):
    while True:
        for off in (SHARED["slots_claimed"], SHARED["heartbeat"], SHARED["slots_freed"], SHARED["slot_waited"]):
            ctypes.c_uint32.from_address(start + off).value = random.getrandbits(32)
        ctypes.c_uint64.from_address(start + SHARED["lost_unserved"]).value = random.getrandbits(64)
        slot.set("n_dropped", random.getrandbits(64))
        slot.set("waiting", 1)
        slot.set("state", random.choice((0, 1, 2, 1 << 31)))
        slot.set("pid", random.choice((0, 1, os.getpid(), (1 << 32) - 1)))
        time.sleep(0.0002)


def counters(start, n_bytes, slot):
    """The counters are behind the slots: 4096 of eight bytes for each."""
    n_slots = ctypes.c_uint32.from_address(start + SHARED["n_slots"]).value
    first = start + n_bytes - n_slots * 4096 * 8
    while True:
        for i in range(n_slots * 4096):
            at = ctypes.c_uint64.from_address(first + 8 * i)
            at.value = random.choice((0, at.value + (1 << 40), random.getrandbits(64), (1 << 64) - 1))
        time.sleep(0.001)


def verdicts(start, n_bytes, slot):
    """They are behind the first 128 bytes of the ring."""
    while True:
        for i in range(4096):
            at = ctypes.c_uint64.from_address(start + 128 + 8 * i)
            at.value = random.choice((0, at.value, at.value ^ 3, at.value ^ 1, random.getrandbits(64)))
        time.sleep(0.001)


def main():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    mode, number = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print(json.dumps({"ready": os.getpid()}), flush=True)
    until = time.monotonic() + 60
    while not (ring := ring_address()):
        sys.audit("hostile.mark")
        time.sleep(0.005)

    def mischief():
        slot = Slot(ring[0], 5, number or os.getpid())
        if mode == "claim":
            flood(*ring, slot)
        globals()[mode](*ring, slot)
    threading.Thread(target=mischief, daemon=True).start()
    while time.monotonic() < until:
        if mode not in ("geometry",):  # the probe may have to read it as well
            sys.audit("hostile.mark")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
