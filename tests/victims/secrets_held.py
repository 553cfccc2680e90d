"""secrets_held: holds each shape of tests/redaction/shapes.tsv: in arguments of events, in a list of words, in names
and values, nested. The test provides its command line and environment."""
import os
import re
import sys
import threading

import victim


def rows(path):
    for line in open(path, encoding="utf-8"):
        kind, tab, text = line.rstrip("\n").partition("\t")
        if tab and not line.startswith("#"):
            text = re.sub(r"\\([rn0\\])", lambda m: {"r": "\r", "n": "\n", "0": "\0", "\\": "\\"}[m.group(1)], text)
            yield kind, text.replace("{{", "").replace("}}", "")


def raise_all(path, secret):
    n = 0
    for kind, text in rows(path):
        n += 1
        raw = text.encode()
        if kind == "name":
            sys.audit("victim.dict", {text: secret}, {raw: secret.encode()}, [{"a": [{text: secret}]}])
            sys.audit("victim.pair", [(text, secret)], [[text, [secret, secret.encode()]]], ((raw, secret.encode()), 1))
            sys.audit("os.putenv", raw, secret.encode())
            sys.audit("subprocess.Popen", "x", ["x"], None, {text: secret, "HOME": "/"})
            if re.fullmatch("[A-Z][A-Z0-9_]+", text):
                sys.audit("os.system", ("%s=%s make" % (text, secret)).encode())
                sys.audit("os.exec", "env", ["env", "%s=%s" % (text, secret), "make"], {})
                sys.audit("os.posix_spawn", "sh", ["sh", "-c", "export %s=%s; make" % (text, secret)], None)
        elif kind == "text":
            sys.audit("victim.text", text)
            sys.audit("victim.bytes", raw, bytearray(raw))
            sys.audit("victim.deep", [[[{"a": text}]], (raw,)])
            sys.audit("os.system", raw)
            sys.audit("victim.unknown." + str(n), 0, None, text, 1)
        elif kind == "words":
            words = text.split("\0")
            sys.audit("subprocess.Popen", words[0], words, None, None)
            sys.audit("os.exec", words[0], tuple(w.encode() for w in words), None)
            sys.audit("os.posix_spawn", words[0], words, {})
        elif kind == "cut" and not text.startswith("a1"):
            whole = "." * (4095 - len(text)) + "\n" + text
            sys.audit("victim.cut", whole + "Z" * 100, whole.encode() + b"Z" * 100)
        elif kind.startswith("text:"):
            sys.audit(kind[5:], None, text)
            sys.audit(kind[5:], None, raw)
    return n


def main():
    path, name = victim.arguments()[0:2]
    secret = os.environ[name]
    for _ in victim.rounds(1):
        thread = threading.Thread(target=victim.mark, args=(0,), name="token=" + secret)
        thread.start()
        thread.join()
        n = raise_all(path, secret)
    victim.end(shapes=n)


if __name__ == "__main__":
    main()
