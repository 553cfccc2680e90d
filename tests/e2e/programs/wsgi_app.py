"""wsgi_app: the answers as a WSGI application, for gunicorn and gevent. SERVER_FOLDER names the folder of file and
database."""
import os

import answers

FOLDER = os.environ["SERVER_FOLDER"]


def app(environ, start_response):
    body = answers.answer(FOLDER, int(environ["PATH_INFO"].strip("/")))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
