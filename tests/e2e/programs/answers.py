"""answers: what the servers of these tests do for one request, and the right answer. Runs on 3.8 and later.

Request N raises the event server.request with N, so that a capture can be compared with the clients' requests; the
answer takes a file, a database, a compression and a hash, as in real servers.
"""
import hashlib
import os
import sqlite3
import sys
import zlib

TEXT = b"The quick brown fox jumps over the lazy dog. " * 20


def expected(n):
    """Return the body of the answer to request N, computed without the server's file and database."""
    value = (n % 50) * 7 + 1
    return ("%d %d %s\n" % (n, value, hashlib.sha256(TEXT * (1 + n % 3) + str(value).encode()).hexdigest())).encode()


def prepare(folder):
    """Make the file and the database that answer() reads."""
    with open(os.path.join(folder, "text"), "wb") as f:
        f.write(TEXT)
    database = sqlite3.connect(os.path.join(folder, "answers.db"))
    database.execute("create table if not exists answers (n integer primary key, value integer)")
    database.executemany("insert or replace into answers values (?, ?)", [(n, n * 7 + 1) for n in range(50)])
    database.commit()
    database.close()


def answer(folder, n):
    sys.audit("server.request", n, "N" * (n % 300))
    with open(os.path.join(folder, "text"), "rb") as f:
        text = zlib.decompress(zlib.compress(f.read()))
    database = sqlite3.connect(os.path.join(folder, "answers.db"), timeout=30)
    value = database.execute("select value from answers where n = ?", (n % 50,)).fetchone()[0]
    database.close()
    return ("%d %d %s\n" % (n, value, hashlib.sha256(text * (1 + n % 3) + str(value).encode()).hexdigest())).encode()
