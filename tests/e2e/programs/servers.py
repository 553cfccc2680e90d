"""servers: the answers (answers.py) over HTTP, in the ways Python servers work. servers.py KIND FOLDER

KIND: asyncio (one thread; the work is done in a pool of threads), threads (one thread per connection), forks (one child
per request), gevent (greenlets; needs gevent). The port is written to FOLDER/port once the server listens. SIGTERM ends
it with status 7.
"""
import os
import signal
import sys

import answers

kind, folder = sys.argv[1:3]


def listening(port):
    with open(os.path.join(folder, "port.new"), "w") as f:
        f.write(str(port))
    os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))


def serve_asyncio():
    import asyncio

    async def serve_one(reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            n = int(head.split(b" ")[1].strip(b"/"))
            body = await asyncio.get_running_loop().run_in_executor(None, answers.answer, folder, n)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()

    async def client(reader, writer):
        try:
            await serve_one(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    async def main():
        done = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
        server = await asyncio.start_server(client, "127.0.0.1", 0)
        listening(server.sockets[0].getsockname()[1])
        await done.wait()

    asyncio.run(main())


def serve_classic(mixin):
    import http.server
    import socketserver
    import threading

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0" if kind == "forks" else "HTTP/1.1"

        def do_GET(self):
            body = answers.answer(folder, int(self.path.strip("/")))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(getattr(socketserver, mixin), http.server.HTTPServer):
        request_queue_size = 128
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    listening(server.server_port)
    server.serve_forever(0.05)


def serve_gevent():
    from gevent import monkey
    monkey.patch_all()
    from gevent import pywsgi, signal_handler
    os.environ["SERVER_FOLDER"] = folder
    import wsgi_app
    server = pywsgi.WSGIServer(("127.0.0.1", 0), wsgi_app.app, log=None)
    signal_handler(signal.SIGTERM, server.stop)
    server.start()
    listening(server.server_port)
    server.serve_forever()


answers.prepare(folder)
if kind == "asyncio":
    serve_asyncio()
elif kind == "gevent":
    serve_gevent()
else:
    serve_classic({"threads": "ThreadingMixIn", "forks": "ForkingMixIn"}[kind])
sys.exit(7)
