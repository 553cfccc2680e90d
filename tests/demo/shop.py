"""shop: a small order service that shows every theme of audit events within seconds.

One process: an HTTP server on loopback, a client that orders from it, a SQLite database, a gzip child per order, plug-ins
that are imported late, threads, temporary files and a little ctypes. It needs nothing but the standard library.

    shop.py             take twelve orders, print them, end
    shop.py --serve     take orders until interrupted
    shop.py --pace S    seconds between two orders (default 0.25)
"""
import argparse
import ctypes
import glob
import http.server
import importlib
import json
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

CITIES = ["Utrecht", "大阪", "Kraków", "Łódź", "São Paulo", "Reykjavík"]
TAX_PLUGIN = '''"""Tax of one region; the rate comes from a pickle, the rule is compiled when first needed."""
import ctypes, marshal, pickle, socket

RATES = pickle.loads(pickle.dumps({"eu": 0.21, "jp": 0.10}))

def load(region):
    libc = ctypes.CDLL("libc.so.6")
    libc.getpid()
    rule = compile("rate = RATES[region]", "<tax:%s>" % region, "exec")
    scope = {"RATES": RATES, "region": region}
    exec(marshal.loads(marshal.dumps(rule)), scope)
    probe = socket.socket()
    probe.settimeout(0.05)
    try:
        probe.connect(("127.0.0.1", 9))      # a tax office that is never open
    except OSError:
        pass
    finally:
        probe.close()
    return scope["rate"]
'''


class Database:
    """One connection per thread, as sqlite3 requires."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "shop.db")

    def connect(self):
        connection = sqlite3.connect(self.path)
        connection.execute("pragma foreign_keys = on")
        return connection

    def migrate(self, folder):
        connection = self.connect()
        for name in sorted(glob.glob(os.path.join(folder, "*.sql"))):
            with open(name, encoding="utf-8") as script:
                connection.executescript(script.read())
        connection.close()

    def add_order(self, order):
        connection = self.connect()
        with connection:
            connection.execute("insert into orders values (?, ?, ?)", (order["id"], order["sum"], order["city"]))
        connection.close()

    def load_order(self, number):
        connection = self.connect()
        row = connection.execute("select id, sum, city from orders where id = ?", (number,)).fetchone()
        connection.close()
        return dict(zip(("id", "sum", "city"), row)) if row else None


def archive(order):
    """Write the order to a file, compress it with gzip(1), delete both."""
    folder = tempfile.mkdtemp(prefix="shop-")
    try:
        path = os.path.join(folder, "%s-%d.txt" % (order["city"], order["id"]))
        with open(path, "w", encoding="utf-8") as out:
            json.dump(order, out, ensure_ascii=False)
        gzip = shutil.which("gzip") or sys.executable
        command = [gzip, "-9", path] if gzip != sys.executable else [gzip, "-c", "pass"]
        subprocess.run(command, check=True, env=dict(os.environ, SHOP_TOKEN="s3cret"))
    finally:
        shutil.rmtree(folder)


class Handler(http.server.BaseHTTPRequestHandler):
    """POST /orders/ takes an order, GET /orders/N shows one."""

    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.database.add_order(order)
        archive(order)
        self.reply(201, order)

    def do_GET(self):
        order = self.server.database.load_order(int(self.path.rsplit("/", 1)[1]))
        self.reply(200 if order else 404, order)

    def reply(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing is logged: the screen belongs to the orders."""


def settings(folder):
    """The shop's own files: settings, one migration, one plug-in."""
    os.makedirs(os.path.join(folder, "migrations"))
    os.makedirs(os.path.join(folder, "plugins"))
    with open(os.path.join(folder, "settings.json"), "w", encoding="utf-8") as out:
        json.dump({"region": "eu", "cities": CITIES}, out)
    with open(os.path.join(folder, "migrations", "001.sql"), "w", encoding="utf-8") as out:
        out.write("create table orders (id integer primary key, sum text, city text);\n")
    with open(os.path.join(folder, "plugins", "tax.py"), "w", encoding="utf-8") as out:
        out.write(TAX_PLUGIN)
    with open(os.path.join(folder, "settings.json"), encoding="utf-8") as source:
        return json.load(source)


def place_order(base, number, city):
    body = json.dumps({"id": number, "sum": "%d.50" % (number * 3), "city": city}).encode()
    request = urllib.request.Request(base + "/orders/", data=body, headers={"Content-Type": "application/json"})
    urllib.request.urlopen(request).read()
    return urllib.request.urlopen("%s/orders/%d" % (base, number)).read().decode()


def main():
    parser = argparse.ArgumentParser(description="a small order service to look at")
    parser.add_argument("--serve", action="store_true", help="until interrupted")
    parser.add_argument("--pace", type=float, default=0.25, metavar="SECONDS", help="between two orders")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # on either signal the shop cleans up

    folder = tempfile.mkdtemp(prefix="shop-data-")
    try:
        config = settings(folder)
        database = Database(folder)
        database.migrate(os.path.join(folder, "migrations"))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.database = database
        threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
        base = "http://127.0.0.1:%d" % server.server_address[1]
        number = 0
        while options.serve or number < 12:
            number += 1
            print(place_order(base, number, config["cities"][number % len(CITIES)]), flush=True)
            if number == 3:
                sys.path.insert(0, folder)
                tax = importlib.import_module("plugins.tax")
                print("tax", tax.load(config["region"]), flush=True)
            if number % 5 == 0:
                print("pid of libc", ctypes.CDLL(None).getpid(), flush=True)
                pickle.loads(pickle.dumps(ValueError("a class that pickle has to find")))
            time.sleep(options.pace)
        server.shutdown()
    except KeyboardInterrupt:
        print("closing", flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
