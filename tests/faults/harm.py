"""What may go wrong between a client and an S3 server, each as a fault of the proxy."""

from __future__ import annotations

import math
import re
import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING

from tests.faults.proxy import Response, passes

if TYPE_CHECKING:
    from tests.faults.proxy import Exchange, Fault, Headers

SKEW_ALLOWED = timedelta(minutes=15)
"""S3 refuses requests that were signed longer ago than this, or later."""


def error_body(code: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        "<Message>A fault of the test.</Message><RequestId>tx0</RequestId></Error>"
    ).encode()


def answers(status: int, code: str = "", headers: Headers = ()) -> Fault:
    """Answer by itself: the server never hears of the request."""
    body = error_body(code) if code else b""
    response = Response(status, (*headers, ("Content-Type", "application/xml")), body).sized()

    def fault(exchange: Exchange) -> None:
        exchange.send(response)

    return fault


def answers_after(status: int, code: str) -> Fault:
    """Answer so although the server did what it was asked."""
    answer = answers(status, code)

    def fault(exchange: Exchange) -> None:
        exchange.forward()
        answer(exchange)

    return fault


def resets_before(exchange: Exchange) -> None:
    """Reset the connection; the server never hears of the request."""
    exchange.reset()


def resets_after(exchange: Exchange) -> None:
    """Reset the connection although the server did what it was asked."""
    exchange.forward()
    exchange.reset()


def resets_midway(exchange: Exchange) -> None:
    """Reset the connection in the middle of the answer."""
    response = exchange.forward()
    exchange.send(response, body_bytes=len(response.body) // 2)
    exchange.reset()


def hangs(exchange: Exchange) -> None:
    """Take the request and say nothing, as long as the proxy runs."""
    exchange.closing.wait()
    exchange.close()


def ends_early(exchange: Exchange) -> None:
    """End the connection cleanly in the middle of the answer, which promised more."""
    response = exchange.forward()
    exchange.send(response, body_bytes=len(response.body) // 2)


def shortens(exchange: Exchange) -> None:
    """Send half of the answer as if it were all."""
    response = exchange.forward()
    half = response.body[: len(response.body) // 2]
    exchange.send(replace(response, body=half).sized())


def ends_request_early(exchange: Exchange) -> None:
    """Send the server half of what the request promises, and end that connection cleanly."""
    request = exchange.request
    half = request.body[: len(request.body) // 2]
    exchange.send(exchange.forward_a_part(replace(request, body=half)))


def shortens_request(exchange: Exchange) -> None:
    """Send the server half of the request as if it were all."""
    request = exchange.request
    half = request.body[: len(request.body) // 2]
    headers = tuple(
        (name, str(len(half)) if name.lower() == "content-length" else value)
        for name, value in request.headers
    )
    exchange.send(exchange.forward(replace(request, headers=headers, body=half)))


def flips_a_bit_of_the_answer(exchange: Exchange) -> None:
    response = exchange.forward()
    exchange.send(replace(response, body=flipped(response.body, exchange)))


def flips_a_bit_of_the_request(exchange: Exchange) -> None:
    request = exchange.request
    exchange.send(exchange.forward(replace(request, body=flipped(request.body, exchange))))


def flipped(content: bytes, exchange: Exchange) -> bytes:
    if not content:
        return content
    wrong = bytearray(content)
    wrong[exchange.random.randrange(len(wrong))] ^= 1 << exchange.random.randrange(8)
    return bytes(wrong)


class Stale:
    """Answers the same request always as it was answered first."""

    def __init__(self) -> None:
        self._known: dict[str, Response] = {}
        self._lock = threading.Lock()
        self.replayed = 0

    def __call__(self, exchange: Exchange) -> None:
        with self._lock:
            target = exchange.request.target
            self.replayed += target in self._known
            if target not in self._known:
                self._known[target] = exchange.forward()
            response = self._known[target]
        exchange.send(response)


class ClockAhead:
    """Makes the server's clock go ``by`` ahead of the client's: in what it refuses and tells."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def __call__(self, exchange: Exchange) -> None:
        signed = exchange.request.header("x-amz-date")
        then = datetime.strptime(signed, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        date = ("Date", format_datetime(datetime.now(timezone.utc) + self._by, usegmt=True))
        if abs(datetime.now(timezone.utc) + self._by - then) > SKEW_ALLOWED:
            answers(403, "RequestTimeTooSkewed", (date,))(exchange)
        else:
            passes(exchange)


class Omits:
    """Leaves an object out of listings, the first ``times`` times that it is in them."""

    def __init__(self, key: str, times: float = math.inf) -> None:
        self._times = times
        self._entry = re.compile(
            rb"<Contents>(?:(?!</Contents>).)*"
            + re.escape(key).encode()
            + rb"</Key>.*?</Contents>",
            re.DOTALL,
        )

    def __call__(self, exchange: Exchange) -> None:
        response = exchange.forward()
        if self._times > 0 and self._entry.search(response.body):
            self._times -= 1
            response = replace(response, body=self._entry.sub(b"", response.body)).sized()
        exchange.send(response)


class TellsLater:
    """Tells times that are ``by`` later than they were: in headers and in listings."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def __call__(self, exchange: Exchange) -> None:
        response = exchange.forward()
        now = format_datetime(datetime.now(timezone.utc) + self._by, usegmt=True)
        headers = tuple(
            (name, now if name.lower() in {"date", "last-modified"} else value)
            for name, value in response.headers
        )
        body = re.sub(rb"(?<=<LastModified>)[^<]+", self._shifted, response.body)
        exchange.send(replace(response, headers=headers, body=body).sized())

    def _shifted(self, found: re.Match[bytes]) -> bytes:
        then = datetime.strptime(found.group().decode(), "%Y-%m-%dT%H:%M:%S.%f%z")
        return (then + self._by).strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()
