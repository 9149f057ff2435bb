"""Each layer that can fail, failing for real on this machine: names, TCP, proxy, TLS, HTTP."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable

import pytest

from scripts.crossing.reach import certificates, proxy_for, reach
from scripts.crossing.reached import layer_of, masked
from tests.contract.certificates import certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _PROXIES:
        monkeypatch.delenv(name, raising=False)


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve connections on a free port of this machine, one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # closed: the test is over
                    return
                with connection:
                    connection.settimeout(10)
                    try:
                        answer(connection)
                    except OSError:  # the client went away, as a failed handshake does
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield port
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def saying(status: str) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    return answer


def test_a_name_that_nobody_knows() -> None:
    found = reach("https://no-such-host.invalid/")
    assert found.layer == "name"
    assert "no-such-host.invalid" in found.seen


def test_a_port_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = reach(f"http://127.0.0.1:{port}/")
    assert found.layer == "TCP"
    assert str(port) in found.seen


@pytest.mark.parametrize(
    ("status", "layer"), [("200 OK", ""), ("404 no", ""), ("401 no", "auth"), ("503 no", "answer")]
)
def test_what_a_server_answers(status: str, layer: str) -> None:
    with serving(saying(status)) as port:
        assert reach(f"http://127.0.0.1:{port}/").layer == layer


def test_a_server_that_says_nothing_does_not_hold_us() -> None:
    with serving(lambda _: time.sleep(2)) as port:
        found = reach(f"http://127.0.0.1:{port}/", timeout_s=0.5)
    assert (found.layer, found.seen) == ("answer", "no answer")


def test_only_a_trusted_certificate_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            saying("200 OK")(secure)

    with serving(answer) as port:
        found = reach(f"https://127.0.0.1:{port}/")
        assert found.layer == "TLS"
        assert "certificate" in found.seen.lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        assert reach(f"https://127.0.0.1:{port}/").layer == ""


def test_a_proxy_that_wants_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []

    def answer(connection: socket.socket) -> None:
        asked = connection.recv(4096).decode()
        heard.append(asked)
        right = "Proxy-Authorization: Basic YWRhOnNlY3JldCE=" in asked  # ada:secret!
        connection.sendall(f"HTTP/1.1 {200 if right else 407} x\r\n\r\n".encode())
        if right:
            saying("200 OK")(connection)

    with serving(answer) as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        found = reach("http://example.invalid/")
        assert found.layer == "proxy"
        assert "407" in found.seen
        monkeypatch.setenv("http_proxy", f"http://ada:secret%21@127.0.0.1:{port}")
        assert reach("http://example.invalid/").layer == ""
    assert heard[0].startswith("GET http://example.invalid/ "), "a tunnel is for TLS alone"


def test_a_tunnel_through_a_proxy_that_is_named(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    heard = []

    def answer(connection: socket.socket) -> None:
        heard.append(connection.recv(4096).decode())
        connection.sendall(b"HTTP/1.1 200 x\r\n\r\n")
        with context.wrap_socket(connection, server_side=True) as secure:
            saying("200 OK")(secure)

    with serving(answer) as port:
        proxies = {"https": f"http://127.0.0.1:{port}", "no": "near.test"}
        url = "https://ada:secret@127.0.0.1:1/"
        assert reach(url, proxies=proxies, ca_bundle=cert).layer == ""
        assert proxy_for("https://near.test/", proxies) == ""
    assert heard[0].startswith("CONNECT 127.0.0.1:1 ")
    assert "YWRhOnNlY3JldA" not in heard[0], "the account is the server's, not the proxy's"


def test_a_proxy_is_passed_by_for_what_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", "near.invalid")
    assert proxy_for("https://far.invalid/") == "http://proxy.invalid:3128"
    assert proxy_for("https://near.invalid/") == ""


def test_certificates_that_cannot_be_read_or_have_expired(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    assert certificates({"SSL_CERT_FILE": str(broken)}).layer == "TLS"
    assert certificates({"SSL_CERT_FILE": str(tmp_path / "absent")}).layer == "TLS"
    cert, _ = certificate(tmp_path)
    assert certificates({"SSL_CERT_FILE": str(cert)}).seen.startswith("1 certificates in")
    found = certificates({"SSL_CERT_FILE": str(cert)}, now_s=time.time() + 3 * 86_400)
    assert found.layer == "TLS"
    assert "expired" in found.seen


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("fatal: unable to access 'x': Could not resolve host: x", "name"),
        ("ssh: connect to host x port 22: Connection refused", "TCP"),
        ("fatal: unable to access 'https://[::1]/x': Couldn't connect to server", "TCP"),
        ("git@x: Permission denied (publickey).", "auth"),
        ("Host key verification failed.", "host key"),
        ("server certificate verification failed. CAfile: none CRLfile: none", "TLS"),
        ("Received HTTP code 407 from proxy after CONNECT", "proxy"),
        ("could not read Username for 'https://x': terminal prompts disabled", "auth"),
        ("ClientError An error occurred (403) when calling ListObjectsV2: Forbidden", "auth"),
        ("NoCredentialsError Unable to locate credentials", "auth"),
        ("PermissionError The request signature we calculated does not match the", "auth"),
        (
            "PermissionError The AWS Access Key Id you provided does not exist in our records.",
            "auth",
        ),
        ("PermissionError The provided token has expired.", "auth"),
        ('EndpointConnectionError Could not connect to the endpoint URL: "http://x"', "TCP"),
        ("fatal: repository 'x' does not exist", "answer"),
    ],
)
def test_other_programs_say_which_layer_failed(text: str, layer: str) -> None:
    assert layer_of(text) == layer


def test_credentials_in_addresses_are_not_shown() -> None:
    assert masked("cannot read https://ada:pw@x/y") == "cannot read https://***@x/y"
