"""A reverse proxy that stands before a real HTTP server and does harm by rule.

What no rule is about passes unchanged, the Host header too: S3 requests are signed for the address
that the client knows, and the server checks the signature against the Host that it is sent.
"""

from __future__ import annotations

import http.client
import random
import re
import socket
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

Headers = tuple[tuple[str, str], ...]
Fault = Callable[["Exchange"], None]

_ONE_HOP = {"connection", "keep-alive", "transfer-encoding"}
_UPSTREAM_S = 120
_ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: closing sends RST, and drops what was not sent yet."""


@dataclass(frozen=True)
class Request:
    """What a client asked: ``target`` is path and query."""

    method: str
    target: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        return _header(self.headers, name)


@dataclass(frozen=True)
class Response:
    status: int
    headers: Headers = ()
    body: bytes = b""

    def sized(self) -> Response:
        """Return it with the Content-Length that its body has."""
        return replace(self, headers=_with(self.headers, "Content-Length", str(len(self.body))))


class Exchange:
    """One request and what a fault may do with it."""

    def __init__(self, request: Request, proxy: Proxy, handler: _Handler) -> None:
        self.request = request
        self.random = proxy.random
        self.closing = proxy.closing
        self._proxy = proxy
        self._handler = handler

    def forward(self, request: Request | None = None) -> Response:
        """Ask the server, and return its whole answer."""
        return self._proxy.ask(request or self.request, whole=True)

    def forward_a_part(self, request: Request) -> Response:
        """Send the server less than the request promises, and end the connection cleanly."""
        return self._proxy.ask(request, whole=False)

    def send(self, response: Response, *, body_bytes: int | None = None) -> None:
        """Answer the client; end the connection cleanly after ``body_bytes`` if that is given."""
        reason = http.client.responses.get(response.status, "Unknown")
        lines = [f"HTTP/1.1 {response.status} {reason}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if body_bytes is not None:
            self._handler.close_connection = True
        self._handler.wfile.write(head + response.body[:body_bytes])

    def close(self) -> None:
        """End the connection cleanly, without an answer."""
        self._handler.close_connection = True

    def reset(self) -> None:
        """End the connection with RST."""
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._handler.close_connection = True


@dataclass
class Rule:
    """Which requests a fault hits.

    Attributes:
        fault: What is done to them.
        method: The HTTP method; empty for any.
        where: What path and query must contain, as a regular expression.
        first: The first of the matching requests that is hit, counted from 1.
        last: The last of them; ``None`` for no end.
        every: Of those between, each every-th is hit.
        share: How many of these are hit, chosen with the proxy's seed.
        matched: How many requests matched so far.
        hits: How many were hit.
    """

    fault: Fault
    method: str = ""
    where: str = ""
    first: int = 1
    last: int | None = None
    every: int = 1
    share: float = 1.0
    matched: int = field(default=0, init=False)
    hits: int = field(default=0, init=False)

    def wants(self, request: Request, chance: random.Random) -> bool:
        if self.method not in {"", request.method} or not re.search(self.where, request.target):
            return False
        self.matched += 1
        hit = self.matched >= self.first and (self.last is None or self.matched <= self.last)
        hit = hit and (self.matched - self.first) % self.every == 0
        hit = hit and (self.share >= 1 or chance.random() < self.share)
        self.hits += hit
        return hit


class Proxy:
    """The proxy, while it runs at ``endpoint``.

    Args:
        upstream: The server's address, ``http://host:port``.
        seed: Of all that the rules and faults choose.
    """

    def __init__(self, upstream: str, seed: int = 1) -> None:
        url = urlsplit(upstream)
        self._upstream = (url.hostname or "", url.port or 80)
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.random = random.Random(seed)
        self.closing = threading.Event()
        self.seen: list[Request] = []
        """Every request, in the order in which they came; without their bodies."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, rule: Rule) -> Rule:
        """Do harm by ``rule``, if no earlier one wants the request."""
        with self._lock:
            self._rules.append(rule)
        return rule

    def calm(self) -> None:
        """Do no more harm."""
        with self._lock:
            self._rules.clear()

    @contextmanager
    def serving(self) -> Iterator[Proxy]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def choose(self, request: Request) -> Fault:
        """Return what is done with ``request``."""
        with self._lock:
            self.seen.append(replace(request, body=b""))
            rules = (rule for rule in self._rules if rule.wants(request, self.random))
            rule = next(rules, None)
        return rule.fault if rule else passes

    def ask(self, request: Request, *, whole: bool) -> Response:
        connection = http.client.HTTPConnection(*self._upstream, timeout=_UPSTREAM_S)
        try:
            connection.putrequest(
                request.method, request.target, skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers:
                if name.lower() not in _ONE_HOP:
                    connection.putheader(name, value)
            connection.endheaders()
            if not request.header("Expect") or _goes_on(connection.sock):
                connection.send(request.body)
            if not whole:
                connection.sock.shutdown(socket.SHUT_WR)
            answer = connection.getresponse()
            body = answer.read()
            headers = tuple(pair for pair in answer.getheaders() if pair[0].lower() not in _ONE_HOP)
        finally:
            connection.close()
        response = Response(answer.status, headers, body)
        return response if _header(headers, "Content-Length") else response.sized()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    proxy: Proxy

    def shutdown_request(self, request: Any) -> None:
        """Close without shutdown() what is to be reset: shutdown() would end it cleanly."""
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER):
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let clients go away as they like: killing them is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, tuple(self.headers.items()), body)
        proxy.choose(request)(Exchange(request, proxy, self))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815  http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _goes_on(upstream: socket.socket) -> bool:
    """Return whether the server wants the body, rather than answers without it and hangs up."""
    upstream.settimeout(_UPSTREAM_S)
    return b" 100 " in upstream.recv(16, socket.MSG_PEEK)


def _header(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key.lower() == name.lower()), "")


def _with(headers: Headers, name: str, value: str) -> Headers:
    return (*(pair for pair in headers if pair[0].lower() != name.lower()), (name, value))


def passes(exchange: Exchange) -> None:
    exchange.send(exchange.forward())
