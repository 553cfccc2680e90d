"""import_storm: imports much of the standard library, many times in new copies."""
import sys

import victim

NAMES = ["json", "decimal", "fractions", "email.message", "html.parser", "xml.dom.minidom", "http.client", "csv", "gzip",
         "zipfile", "tarfile", "logging.config", "unittest.mock", "argparse", "concurrent.futures", "asyncio", "ctypes",
         "sqlite3", "difflib", "dataclasses", "typing", "configparser", "urllib.request", "xmlrpc.client"]
FRESH = ("json", "email", "html", "xml", "csv", "gzip", "zipfile", "tarfile", "argparse", "difflib", "configparser")
loaded = 0
n = 0
for n in victim.rounds(2):
    victim.mark(n, "import")
    for name in list(sys.modules):
        if name.split(".")[0] in FRESH and name != "json" and not name.startswith("json."):
            del sys.modules[name]
    for name in NAMES:
        try:
            __import__(name)
            loaded += 1
        except ImportError:
            pass
victim.end(marks=n + 1, loaded_any=loaded > 10)
