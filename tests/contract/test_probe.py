"""The proof's questions, asked of a real Python as the container's is asked."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

PROBE = Path(__file__).parents[2] / "scripts" / "container" / "probe.py"


class Proxy(BaseHTTPRequestHandler):
    """Answers whatever it is asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as its base has it
        """Print nothing."""


def test_a_relay_that_begins_with_the_container_is_waited_for() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    asked = {"checks": ["network"], "index_url": "http://index.test/simple/"}
    environ = {**os.environ, "http_proxy": f"http://127.0.0.1:{port}", "no_proxy": ""}
    command = [sys.executable, str(PROBE), json.dumps(asked)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as probe:
        time.sleep(1)  # it finds nobody there
        with HTTPServer(("127.0.0.1", port), Proxy) as relay:
            serving = threading.Thread(target=relay.serve_forever)
            serving.start()
            printed, _ = probe.communicate(timeout=60)
            relay.shutdown()
            serving.join()
    assert json.loads(printed)["network"] == {
        "works": True, "seen": "package index answers, through the proxy",
    }  # fmt: skip
