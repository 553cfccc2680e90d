"""shop: the program of the sample capture; only the lines that its stacks name matter."""
import json
import os
import ssl

import threading
import urllib.request
import http.server

import db
import report


class Handler(http.server.BaseHTTPRequestHandler):

    def do_GET(self):
        self.answer(db.load_order(int(self.path.rpartition("/")[2])))

    def do_POST(self):
        order = json.load(self.rfile)






        report.archive(db.add_order(order))







def settings():
    # once, before anything else
    return json.load(open("/srv/shop/settings.json"))


def main():
    base = "http://127.0.0.1:8077/orders/"
    rules = settings()
    db.migrate()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 8077), Handler)

    threading.Thread(target=server.serve_forever, name="http").start()

    for order in rules["orders"]:
        urllib.request.urlopen(base, json.dumps(order).encode())
        print(urllib.request.urlopen(base + str(order["id"])).read().decode())
    from plugins import tax
    tax.load(rules["region"])



if __name__ == "__main__":
    main()
