"""The proxy does the harm that it is told to, and none beside it."""

from __future__ import annotations

import http.client
import threading
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
import pytest
from obstore.store import S3Store as Bucket

from tests.contract import s3_server
from tests.faults import harm
from tests.faults.proxy import Proxy, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.proxy import Fault

ANSWER = bytes(range(256)) * 16
BODY = b"what the client sends" * 10


class _Echo(BaseHTTPRequestHandler):
    """Answers ANSWER, and keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str, str, bytes]]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.command, self.path, self.headers["Host"], body))
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    do_PUT = do_GET  # noqa: N815  http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def echo() -> Iterator[tuple[str, list[tuple[str, str, str, bytes]]]]:
    asked: list[tuple[str, str, str, bytes]] = []
    handler = type("Echo", (_Echo,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def proxied() -> Iterator[tuple[Proxy, list[tuple[str, str, str, bytes]]]]:
    with echo() as (upstream, asked), Proxy(upstream).serving() as proxy:
        yield proxy, asked


def ask(
    proxy: Proxy, method: str = "GET", path: str = "/b/k", *, timeout_s: float = 30, **headers: str
) -> tuple[int, bytes]:
    url = urlsplit(proxy.endpoint)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout_s)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, BODY if method == "PUT" else None, sent)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_what_no_rule_is_about_passes_unchanged() -> None:
    with proxied() as (proxy, asked):
        proxy.add(Rule(harm.answers(503), method="GET", where="elsewhere"))
        assert ask(proxy, "PUT", "/b/a%20key?x=%2F", Host="as.it.was:1") == (200, ANSWER)
        assert asked == [("PUT", "/b/a%20key?x=%2F", "as.it.was:1", BODY)]
        assert [request.target for request in proxy.seen] == ["/b/a%20key?x=%2F"]


def test_a_rule_hits_from_its_first_to_its_last_request_and_then_no_more() -> None:
    with proxied() as (proxy, asked):
        rule = proxy.add(Rule(harm.answers(503, "SlowDown"), where="/k", first=2, last=3))
        assert [ask(proxy)[0] for _ in range(5)] == [200, 503, 503, 200, 200]
        assert (rule.matched, rule.hits, len(asked)) == (5, 2, 3)
        proxy.add(Rule(harm.answers(500)))
        proxy.calm()
        assert ask(proxy)[0] == 200


def test_each_nth_request_is_hit() -> None:
    with proxied() as (proxy, _):
        proxy.add(Rule(harm.answers(503), first=2, every=3))
        assert [ask(proxy)[0] for _ in range(6)] == [200, 503, 200, 200, 503, 200]


def test_a_share_is_chosen_by_the_seed() -> None:
    with proxied() as (proxy, _):
        rule = proxy.add(Rule(harm.answers(500), share=0.5))
        answers = [ask(proxy)[0] for _ in range(40)]
        assert rule.hits == answers.count(500)
        assert 10 < rule.hits < 30


@pytest.mark.parametrize(
    ("fault", "reaches"), [(harm.resets_before, 0), (harm.resets_after, 1), (harm.resets_midway, 1)]
)
def test_a_reset_is_one_and_not_a_clean_end(fault: Fault, reaches: int) -> None:
    with proxied() as (proxy, asked):
        proxy.add(Rule(fault))
        with pytest.raises(ConnectionResetError):
            ask(proxy)
        assert len(asked) == reaches


def test_an_answer_that_ends_early_promised_more_and_a_short_one_did_not() -> None:
    with proxied() as (proxy, _):
        proxy.add(Rule(harm.ends_early, last=1))
        proxy.add(Rule(harm.shortens))
        with pytest.raises(http.client.IncompleteRead) as caught:
            ask(proxy)
        assert caught.value.partial == ANSWER[: len(ANSWER) // 2]
        assert ask(proxy) == (200, ANSWER[: len(ANSWER) // 2])


def test_a_request_is_cut_or_damaged_on_its_way() -> None:
    with proxied() as (proxy, asked):
        proxy.add(Rule(harm.shortens_request, last=1))
        proxy.add(Rule(harm.flips_a_bit_of_the_request, last=1))
        proxy.add(Rule(harm.ends_request_early, last=1))
        proxy.add(Rule(harm.flips_a_bit_of_the_answer))
        assert ask(proxy, "PUT") == (200, ANSWER)
        assert ask(proxy, "PUT") == (200, ANSWER)
        assert ask(proxy, "PUT") == (200, ANSWER)
        half, flipped, rest = (body for *_, body in asked)
        assert half == rest == BODY[: len(BODY) // 2]
        assert differing_bits(flipped, BODY) == 1
        assert differing_bits(ask(proxy)[1], ANSWER) == 1


def differing_bits(one: bytes, other: bytes) -> int:
    assert len(one) == len(other)
    return sum(bin(a ^ b).count("1") for a, b in zip(one, other))


def test_a_hang_ends_with_the_proxy() -> None:
    with echo() as (upstream, asked):
        proxy = Proxy(upstream)
        with proxy.serving():
            proxy.add(Rule(harm.hangs))
            with pytest.raises(OSError, match="timed out"):
                ask(proxy, timeout_s=0.3)
        assert asked == []


def test_a_stale_answer_is_the_first_one_again() -> None:
    with proxied() as (proxy, asked):
        stale = harm.Stale()
        proxy.add(Rule(stale))
        assert [ask(proxy, path=path) for path in ("/a", "/b", "/a")] == [(200, ANSWER)] * 3
        assert (stale.replayed, len(asked)) == (1, 2)


def test_what_was_signed_by_another_clock_is_refused() -> None:
    with proxied() as (proxy, _):
        proxy.add(Rule(harm.ClockAhead(timedelta(hours=1))))
        status, body = ask(proxy, x_amz_date="20200101T000000Z")
        assert (status, b"RequestTimeTooSkewed" in body) == (403, True)


@pytest.mark.needs("s3")
def test_signed_requests_pass_to_the_real_server() -> None:
    with s3_server.fresh_bucket() as name, Proxy(s3_server.endpoint()).serving() as proxy:
        bucket = Bucket(
            name,
            endpoint=proxy.endpoint,
            region="us-east-1",
            access_key_id=s3_server.access_key(),
            secret_access_key=s3_server.secret_key(),
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )
        obstore.put(bucket, "some/key with a space", ANSWER)
        assert s3_server.keys(name) == ["some/key with a space"]
        assert obstore.get(bucket, "some/key with a space").bytes().to_bytes() == ANSWER
        assert [meta["path"] for page in obstore.list(bucket) for meta in page] == [
            "some/key with a space"
        ]
        proxy.add(Rule(harm.flips_a_bit_of_the_request, method="PUT"))
        with pytest.raises(obstore.exceptions.BaseError, match=r"XAmzContentSHA256Mismatch|400"):
            obstore.put(bucket, "damaged", ANSWER)
        assert s3_server.keys(name) == ["some/key with a space"]
