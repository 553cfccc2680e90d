"""perfetto: what `protoc --decode` reads in a Perfetto trace, as dictionaries of lists."""
import os
import re
import shutil
import subprocess

LINE = re.compile(r'\s*(?:(\w+) \{|(\})|(\w+): (?:"(.*)"|(\S+)))$')


def decode(data):
    """Return the packets; None if there is no protoc (Debian's protobuf-compiler)."""
    if not shutil.which("protoc"):
        return None
    here = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(["protoc", "--decode=Trace", "-I", here, os.path.join(here, "perfetto.proto")], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode or done.stderr:
        raise ValueError("protoc: " + done.stderr.decode("utf-8", "replace")[-300:])
    stack = [{}]
    for line in done.stdout.decode().split("\n"):
        if not line:
            continue
        opens, closes, key, text, word = LINE.match(line).groups()
        if re.fullmatch(r"\d+", key or opens or "x"):
            raise ValueError("a field that the format does not have: " + line)
        if opens:
            stack.append({})
            stack[-2].setdefault(opens, []).append(stack[-1])
        elif closes:
            stack.pop()
        else:
            value = text if text is not None else int(word) if re.fullmatch(r"-?\d+", word) else word
            stack[-1].setdefault(key, []).append(value)
    return stack[0].get("packet", [])
