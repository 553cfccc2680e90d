"""Print the line tables of some hundred code objects, and what this Python itself decodes from them.

C <first line> <table in hex>
R <start> <end> <line> <end line> <column> <end column>     bytes of code, half open; 0 = none; columns 1-based

Run by test_line_table in every Python found.
"""
import dis
import os
import sys
import types

TRICKY = '''
def deep(a,
         b=(1,
            2)):
    return (a
            + b[0]
            ) if a else [
        x for x in b
        if x]

async def agen():
    try:
        async with a as b, c as d:
            yield (await x)
    except* ValueError if 0 else ValueError:
        pass
'''.replace("except* ValueError if 0 else ValueError", "except ValueError")
TRICKY += "def far():\n    x = (1 +" + "\n" * 300 + "        y)\n    return " + "a + " * 100 + "a\n"
TRICKY += "def wide():\n    return '" + "é" * 200 + "', q.w.e(r)\n"


def codes(code):
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from codes(const)


def positions(code):
    n = len(code.co_code)
    if sys.version_info >= (3, 11):
        for i, (line, end_line, column, end_column) in enumerate(code.co_positions()):
            yield (2 * i, line or 0, end_line or 0, 0 if column is None else column + 1,
                   0 if end_column is None else end_column + 1)
        return
    line = code.co_firstlineno
    if sys.version_info >= (3, 10):
        lines = {}
        for start, end, at in code.co_lines():
            for offset in range(start, end):
                lines[offset] = at or 0
        for offset in range(0, n, 2):
            yield offset, lines[offset], lines[offset], 0, 0
        return
    starts = dict(dis.findlinestarts(code))
    for offset in range(0, n, 2):
        line = starts.get(offset, line)
        yield offset, line, line, 0, 0


def main():
    sources = [TRICKY]
    for name in ("dataclasses.py", "contextlib.py", "asyncio/base_events.py", "ast.py"):
        with open(os.path.join(os.path.dirname(os.__file__), name), encoding="utf-8") as f:
            sources.append(f.read())
    for source in sources:
        for code in codes(compile(source, "x", "exec", dont_inherit=True)):
            table = code.co_linetable if sys.version_info >= (3, 10) else code.co_lnotab
            print("C", code.co_firstlineno, table.hex() or "-")
            run = None
            for offset, *where in positions(code):
                if run and run[2:] == where:
                    run[1] = offset + 2
                    continue
                if run:
                    print("R", *run)
                run = [offset, offset + 2] + where
            if run:
                print("R", *run)


main()
