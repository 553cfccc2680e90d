"""secrets: a program holds each shape of tests/redaction/shapes.tsv in its events, command line, environment and name:
none of them is in the decompressed capture, nor in any export of it."""
import ctypes
import ctypes.util
import os
import re
import subprocess

import harness
from harness import Recorder, expect, victim_path, wait_for

SHAPES = os.path.join(harness.ROOT, "tests", "redaction", "shapes.tsv")
SECRET = "Hx7qZw93kPd"  # the secret of many lines of shapes.tsv
FORMATS = ["text", "jsonl", "csv", "tsv", "perfetto", "chrome", "folded", "speedscope", "sqlite"]


def secrets():
    """Return the texts in {{ }} that are too long to occur elsewhere by chance."""
    found = {SECRET}
    for line in open(SHAPES, encoding="utf-8"):
        kind = line.split("\t")[0]
        if not line.startswith("#") and not kind.startswith("cut"):
            found |= {s for s in re.findall(r"\{\{(.+?)\}\}", line) if len(s) >= 8}
    return found


def decompressed(path):
    """Return all of a capture file: its bytes, and the decompressed content of each zstd frame."""
    zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    zstd.ZSTD_decompress.restype = zstd.ZSTD_getFrameContentSize.restype = zstd.ZSTD_findFrameCompressedSize.restype = ctypes.c_size_t
    zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    zstd.ZSTD_getFrameContentSize.argtypes = zstd.ZSTD_findFrameCompressedSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    data = open(path, "rb").read()
    parts, n_frames = [data], 0
    for match in re.finditer(rb"\x28\xb5\x2f\xfd", data):
        frame = data[match.start():match.start() + (64 << 20)]
        size, packed = zstd.ZSTD_getFrameContentSize(frame, len(frame)), zstd.ZSTD_findFrameCompressedSize(frame, len(frame))
        if size > 256 << 20 or packed > len(frame):
            continue
        to = ctypes.create_string_buffer(size or 1)
        if zstd.ZSTD_decompress(to, size, frame, packed) == size:
            parts.append(to.raw[:size])
            n_frames += 1
    expect(n_frames > 3, "the capture holds no compressed block: the test is broken")
    return b"\n".join(parts)


def exported(ctx, capture, folder):
    """Return {format: the exported bytes}."""
    texts = {}
    for name in FORMATS:
        out = os.path.join(folder, "out." + name)
        done = subprocess.run([ctx.auditview, "export", capture, "-F", name, "-o", out], stderr=subprocess.PIPE)
        expect(done.returncode == 0, lambda: f"export {name}: {done.stderr.decode()}")
        texts[name] = open(out, "rb").read()
    done = subprocess.run([ctx.auditview, "stat", "--by", "process", capture], stdout=subprocess.PIPE)
    texts["stat"] = done.stdout
    return texts


def expect_none(texts, wanted):
    leaked = {}
    for where, text in texts.items():
        for secret in wanted:
            if secret.encode() in text:
                leaked.setdefault(secret, []).append(where)
    expect(not leaked, lambda: f"{len(leaked)} of {len(wanted)} secrets are there: " + "; ".join(
        f"{s!r} in {' '.join(w)}" for s, w in sorted(leaked.items())[:12]))


def own(python, more=()):
    """A program with secrets in its command line, its environment and its name."""
    words = [*python.command, victim_path("secrets_held"), *more, SHAPES, "VICTIM_TOKEN", "--password", SECRET, "--api-key=" + SECRET,
             "postgres://u:" + SECRET + "@h/d", "-H", "Authorization: Bearer " + SECRET, "DB_PASSWORD=" + SECRET,
             "ghp_x7qZw93kPdx7qZw93kPdx7qZw93kPdx7qZw9", '{"password": "%s"}' % SECRET]
    env = dict(os.environ, VICTIM_TOKEN=SECRET, DATABASE_URL="mysql://u:" + SECRET + "@h/d", DB_DSN="host=h password=" + SECRET,
               SLACK="https://hooks.slack.com/services/T000/B000/x7qZw93kPdx7qZw93kPd", MY_CONFIG='{"api_key": "%s"}' % SECRET)
    return ["bash", "-c", 'exec -a "worker: password=$VICTIM_TOKEN token=$VICTIM_TOKEN" "$@"', "bash", *words], env


def launched(ctx, python):
    command, env = own(python)
    folder = ctx.new_folder("secrets-" + python.name)
    capture = os.path.join(folder, "capture.avc")
    done = subprocess.run([ctx.auditview, "record", "-q", "-o", capture, "--", *command], env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    expect(done.returncode == harness.STATUS, lambda: f"status {done.returncode}: {done.stderr.decode()[-400:]}")
    texts = exported(ctx, capture, folder)
    texts["file"] = decompressed(capture)
    expect(b"victim.text" in texts["jsonl"] and b"worker: password=***" in texts["file"], "the victim's events or its name are not there")
    expect_none(texts, secrets())


def kept_on_request(ctx, python):
    """--no-redact: every secret is in the capture, which proves that the search above can fail."""
    command, env = own(python)
    folder = ctx.new_folder("no-redact-" + python.name)
    capture = os.path.join(folder, "capture.avc")
    done = subprocess.run([ctx.auditview, "record", "-q", "--no-redact", "-o", capture, "--", *command], env=env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    expect(done.returncode == harness.STATUS, lambda: f"status {done.returncode}: {done.stderr.decode()[-400:]}")
    text = decompressed(capture)
    missing = [s for s in secrets() if s.encode() not in text and "\\" not in s]
    expect(not missing, lambda: f"the search would not find {missing[:5]}")


def attached(ctx, python):
    """A program that runs already: its facts come from /proc."""
    folder = ctx.new_folder("secrets-attached-" + python.name)
    stop = os.path.join(folder, "stop")
    command, env = own(python, ["--until", stop])
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            expect(b"ready" in process.stdout.readline(), "the victim is not ready")
            with Recorder(ctx, process.pid) as recorder:
                recorder.wait_attached()
                wait_for(lambda: os.path.getsize(recorder.path) > 20000, 20, "events in the file")
                recorder.stop()
                texts = exported(ctx, recorder.path, folder)
                texts["file"] = decompressed(recorder.path)
                expect(b"worker: password=***" in texts["file"], "its name is not there")
                expect_none(texts, secrets())
            open(stop, "w").close()
            process.stdout.read()
            expect(process.wait(harness.GUARD) == harness.STATUS, "the target did not end well")
        finally:
            harness.kill(process)


def cells(ctx):
    for python in ctx.some_pythons(11, 13):
        yield "none in capture or exports", python, lambda p=python: launched(ctx, p)
    for python in ctx.some_pythons(12):
        yield "none of what /proc says", python, lambda p=python: attached(ctx, p)
        yield "all with --no-redact", python, lambda p=python: kept_on_request(ctx, p)
