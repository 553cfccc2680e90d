#!/usr/bin/env python3
"""A reader of capture files that was written from data/capture-format.md alone, to prove that the page is sufficient.

read_capture.py MAKE_CAPTURE AUDITVIEW

It makes captures (complete, without trailer, truncated, with a damaged block), reads them here and with `auditview
export`, and compares every event: time, thread, name, arguments, frames, addresses.
"""
import ctypes
import ctypes.util
import json
import os
import struct
import subprocess
import sys
import tempfile


def library(name, soname):
    return ctypes.CDLL(ctypes.util.find_library(name) or soname)


ZSTD = library("zstd", "libzstd.so.1")
ZSTD.ZSTD_decompress.restype = ctypes.c_size_t
ZSTD.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
XXH = library("xxhash", "libxxhash.so.0")
XXH.XXH3_64bits_withSeed.restype = ctypes.c_uint64
XXH.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]

ABOUT, STRING, FRAME, STACK, VALUE, NAME, PROCESS, THREAD, NOTE, EVENT, INDEX = range(1, 12)


def checksum(data, seed):
    return XXH.XXH3_64bits_withSeed(bytes(data), len(data), seed)


class Varints:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def get(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    def take(self, n):
        self.at += n
        assert self.at <= len(self.data)
        return self.data[self.at - n:self.at]

    def counted(self):
        return self.take(self.get())


def unzigzag(n):
    return n >> 1 ^ -(n & 1)


def columns(data, at, counts, widths, default=None):
    """Return {id: list of numbers}; counts gives n by id, or is a function of what is decoded so far."""
    found = {}
    frames = {}
    while at < len(data):
        ident, encoding, n_bytes = data[at], data[at + 1], struct.unpack_from("<I", data, at + 2)[0]
        frames[ident] = (encoding, data[at + 6:at + 6 + n_bytes])
        at += 6 + n_bytes
    for ident in sorted(frames):
        n = counts(ident, found)
        encoding, body = frames[ident]
        bits = 8 * widths.get(ident, 4)
        if encoding == 1:
            found[ident] = [Varints(body).get()] * n
            continue
        width = body[0]
        assert len(body) == 1 + width * n
        numbers = [0] * n
        for k in range(width):
            plane = body[1 + k * n:1 + (k + 1) * n]
            for i in range(n):
                numbers[i] |= plane[i] << (8 * k)
        if encoding == 2:
            before = 0
            for i in range(n):
                before = numbers[i] = (before + unzigzag(numbers[i])) % (1 << bits)
        found[ident] = numbers
    return found


class Capture:
    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        assert data[:8] == b"\x89AVC\r\n\x1a\n"
        version, first, required, _, _, self.file_id, self.anchor, _, check = struct.unpack_from("<HHIIIQQQQ", data, 8)
        assert version == 1 and required == 0 and check == checksum(data[:48], 0)
        self.strings, self.values, self.frames, self.stacks, self.names = [b""], [b""], [None], [None], [0]
        self.processes, self.threads, self.notes, self.events = {}, {}, [], {}
        self.n_blocks = self.n_indexed = 0
        self.finished = False
        at = first
        while at + 32 <= len(data):
            if data[at:at + 8] == b"AVCEND\r\n":
                index, n_events, check = struct.unpack_from("<QQQ", data, at + 8)
                if check == checksum(data[at:at + 24], self.file_id):
                    self.finished = True
                    assert self.n_indexed == self.n_blocks and n_events == max(self.events, default=-1) + 1
                    break
            magic, kind, flags, m, s, r, _, check = struct.unpack_from("<IHHIIIIQ", data, at)
            end = at + 32 + m + s
            good = magic == 0x4b425641 and end <= len(data) and check == checksum(
                data[at:at + 24], checksum(data[at + 32:end], self.file_id))
            if not good:
                at += 8
                continue
            meta, payload = data[at + 32:at + 32 + m], data[at + 32 + m:end]
            if flags & 1:
                raw = ctypes.create_string_buffer(r)
                assert ZSTD.ZSTD_decompress(raw, r, payload, s) == r
                payload = raw.raw
            self.block(kind, Varints(meta), payload)
            at = (end + 7) // 8 * 8

    def block(self, kind, meta, data):
        self.n_blocks += kind != INDEX
        if kind in (STRING, VALUE):
            table = self.strings if kind == STRING else self.values
            first, n = meta.get(), meta.get()
            table += [None] * (first - len(table))
            size = struct.unpack_from("<I", data, 2)[0] + 6
            at = size
            for length in columns(data[:size], 0, lambda i, f: n, {})[1]:
                table.append(data[at:at + length])
                at += length
            assert at == len(data)
        elif kind in (FRAME, STACK, NAME):
            table = {FRAME: self.frames, STACK: self.stacks, NAME: self.names}[kind]
            first, n = meta.get(), meta.get()
            table += [None] * (first - len(table))
            got = columns(data, 0, lambda i, f: n, {10: 8})
            for i in range(n):
                if kind == FRAME:
                    table.append(tuple(got[c][i] for c in range(1, 11)))
                elif kind == STACK:
                    table.append((first + i - got[1][i], got[2][i]))
                else:
                    table.append(got[1][i])
        elif kind in (PROCESS, THREAD, NOTE):
            records = Varints(data)
            while records.at < len(data):
                fields, values = Varints(records.counted()), []
                while fields.at < len(fields.data):
                    values.append(fields.get())
                if kind == NOTE:
                    self.notes.append(values)
                else:
                    (self.processes if kind == PROCESS else self.threads)[values[0]] = values
        elif kind == EVENT:
            self.event_block(meta, data)
        elif kind == INDEX:
            before, n = meta.get(), meta.get()
            self.n_indexed += n

    def event_block(self, meta, data):
        first, n, earliest, span, _, _ = (meta.get() for _ in range(6))
        names = [(meta.get(), meta.get()) for _ in range(meta.get())]
        threads = [(meta.get(), meta.get()) for _ in range(meta.get())]
        assert sum(c for _, c in names) == n == sum(c for _, c in threads)
        got = columns(data, 0, lambda i, f: sum(f[7]) if i == 8 else n, {1: 8, 8: 8})
        time, objects = earliest, 0
        for i in range(n):
            time += unzigzag(got[1][i])
            assert earliest <= time <= earliest + span
            self.events[first + i] = (time, names[got[2][i]][0], threads[got[3][i]][0], got[4][i], got[5][i], got[6][i],
                                      got[8][objects:objects + got[7][i]])
            objects += got[7][i]

    def stack(self, ident):
        out = []
        while ident:
            ident, frame = self.stacks[ident]
            kind, function, file, _, line = self.frames[frame][:5]
            out.append((self.strings[function].decode(), self.strings[file].decode(), line))
        return out

    def value(self, data, objects):
        tag = data.take(1)[0]
        if tag == 22:
            return self.value(Varints(self.values[data.get()]), objects)
        if tag == 5:
            return unzigzag(data.get())
        if tag == 9:
            return data.counted().decode()
        if tag in (15, 16):
            full, kept = data.get(), data.get()
            return [self.value(data, objects) for _ in range(kept)]
        if tag == 20:
            kind = data.counted().decode()
            attributes = {}
            for _ in range(data.get()):
                name = data.counted().decode()
                attributes[name] = self.value(data, objects)
            return {"type": kind, "id": hex(objects.pop(0)), **attributes}
        raise AssertionError(f"tag {tag} is not in these captures")


def compare(path, auditview, expected_least):
    mine = Capture(path)
    run = subprocess.run([auditview, "export", path, "--format", "jsonl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(lines) >= expected_least, (len(lines), expected_least, run.stderr)
    n_blank = 0
    for line in lines:
        if line["seq"] not in mine.events:
            n_blank += 1 # of a damaged block: the row exists and is blank
            continue
        time, name, thread, args, stack, _, objects = mine.events[line["seq"]]
        thread = mine.threads[thread]
        assert line["ts_ns"] == time and line["event"] == mine.strings[mine.names[name]].decode(), line
        assert line["tid"] == thread[2] and line["pid"] == mine.processes[thread[1]][1], line
        assert [(f["func"], f["file"], f["line"]) for f in line["stack"]] == mine.stack(stack), line
        wanted = mine.value(Varints(mine.values[args]), list(objects))
        assert json.dumps(list(line["args"].values())) == json.dumps(wanted), (line["args"], wanted)
    assert len(mine.events) + n_blank == len(lines)
    return mine, n_blank


def main():
    make_capture, auditview = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.avc")
        for arguments in (["3000", "0"], ["3000", "100"], ["20000", "7000"]):
            subprocess.run([make_capture, path, *arguments], check=True)
            mine, n_blank = compare(path, auditview, int(arguments[0]))
            assert mine.finished and n_blank == 0
            assert mine.strings[mine.processes[0][8]] == b"app.py"
        with open(path, "rb") as f:
            whole = f.read()
        with open(path, "wb") as f:
            f.write(whole[:len(whole) * 2 // 3])
        mine, n_blank = compare(path, auditview, 7000)
        assert not mine.finished and n_blank == 0
        with open(path, "wb") as f: # a bit in the middle, without an index that describes the blocks after it
            f.write(whole[:len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 4]) + whole[len(whole) // 2 + 1:-32])
        mine, n_blank = compare(path, auditview, 20000)
        assert not mine.finished
    return 0


if __name__ == "__main__":
    sys.exit(main())
