"""A small test suite for unittest: what passes, fails and is skipped must be the same under auditview."""
import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest


class Files(unittest.TestCase):
    def test_round_trip(self):
        with tempfile.TemporaryDirectory() as folder:
            for n in range(60):
                path = os.path.join(folder, str(n))
                with open(path, "w") as f:
                    f.write("x" * n)
                os.rename(path, path + ".done")
            self.assertEqual(sum(os.path.getsize(os.path.join(folder, n)) for n in os.listdir(folder)), 1770)

    def test_missing(self):
        with self.assertRaises(FileNotFoundError):
            open("/no/such/file")

    def test_that_fails(self):
        self.assertEqual(sorted(os.listdir("/proc/self/fd"))[:3], ["fails", "always"][1:])


class Work(unittest.TestCase):
    def test_database(self):
        database = sqlite3.connect(":memory:")
        database.execute("create table t (n)")
        database.executemany("insert into t values (?)", [(n,) for n in range(500)])
        self.assertEqual(database.execute("select sum(n) from t").fetchone(), (124750,))

    def test_children(self):
        for n in range(5):
            self.assertEqual(subprocess.run([sys.executable, "-S", "-c", "import sys; sys.exit(%d)" % n]).returncode, n)
            self.assertEqual(subprocess.run(["sh", "-c", "kill -TERM $$"]).returncode, -15)

    def test_threads(self):
        numbers = []
        threads = [threading.Thread(target=lambda n=n: numbers.append(n)) for n in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(numbers), list(range(40)))

    def test_loop(self):
        async def wait(n):
            await asyncio.sleep(n / 1000)
            return n

        async def main():
            return sum(await asyncio.gather(*map(wait, range(100))))
        self.assertEqual(asyncio.run(main()), 4950)

    @unittest.skip("as some are")
    def test_skipped(self):
        self.fail("it is skipped")
