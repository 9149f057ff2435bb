"""A gate in front of the real S3 server that refuses chosen kinds of requests as AWS documents it.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: 403 AccessDenied. What it lets
pass, it passes on unchanged, so signatures stay right.
"""

from __future__ import annotations

import http.client
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Callable
from urllib.parse import urlsplit

from tests.contract import s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator

Refuses = Callable[[str, str], bool]
"""Given a request's method and its path with the query."""

_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message>"
    b"<RequestId>4442587FB7D0A2F9</RequestId></Error>"
)


@contextmanager
def gate(refuses: Refuses = lambda _method, _path: False) -> Iterator[str]:
    """Open a gate; its URL is another address of the server."""
    server = urlsplit(s3_server.endpoint())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if refuses(self.command, self.path):
                self._send(403, [("Content-Type", "application/xml")], _DENIED)
                return
            connection = http.client.HTTPConnection(server.hostname or "", server.port, timeout=60)
            try:
                connection.putrequest(
                    self.command, self.path, skip_host=True, skip_accept_encoding=True
                )
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                self._send(answer.status, answer.getheaders(), answer.read())
            finally:
                connection.close()

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815  http.server's names

        def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            self.send_response_only(status)
            length = str(len(body))
            for name, value in headers:
                if name.lower() == "content-length":
                    length = value  # of a HEAD's answer, which has no body
                elif name.lower() not in {"connection", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    class Gate(ThreadingHTTPServer):
        daemon_threads = True

    with Gate(("127.0.0.1", 0), Handler) as gate_server:
        thread = threading.Thread(target=gate_server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{gate_server.server_address[1]}"
        finally:
            gate_server.shutdown()
            thread.join()
