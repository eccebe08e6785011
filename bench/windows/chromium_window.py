"""Chromium with a text area; the page sends its text here whenever it changes, and it goes to a file."""

import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from bench.windows.written import write_down

PAGE = b"""<!doctype html><meta charset=utf-8><title>window</title>
<textarea autofocus style="width:95vw;height:90vh"></textarea><script>
const area = document.querySelector("textarea");
let last = Promise.resolve();
area.oninput = () => { last = last.then(() => fetch("/", {method: "POST", body: area.value})); };
</script>"""
out = Path(sys.argv[1])


class Handler(BaseHTTPRequestHandler):
    """Serves the page, and takes its text."""

    def do_GET(self) -> None:
        """The page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def do_POST(self) -> None:
        """Its text."""
        write_down(self.rfile.read(int(self.headers["Content-Length"])).decode(), out)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:  # type: ignore[override]
        """Nothing."""


server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
flags = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    address = f"--app=http://127.0.0.1:{server.server_port}/"
    program = shutil.which("chromium") or "chromium"
    browser = subprocess.Popen([program, *flags, f"--user-data-dir={profile}", address])
    signal.signal(signal.SIGTERM, lambda _number, _frame: browser.terminate())
    browser.wait()
