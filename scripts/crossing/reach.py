"""Reach a server one layer at a time (name, TCP, TLS, HTTP), and say which layer failed.

Runs on either side of the wall; standard library only.
"""

from __future__ import annotations

import errno
import os
import queue
import re
import socket
import ssl
import threading
import time
import urllib.request
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from scripts.crossing.reached import IPV6_ONLY, Reached

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TIMEOUT_S = 8.0
"""For each layer; with a slow name and a slow connection together a row stays below 20 s."""


class _Failed(Exception):
    """A layer failed."""

    def __init__(self, layer: str, seen: str) -> None:
        super().__init__(seen)
        self.layer = layer


def reach(
    url: str,
    *,
    proxies: Mapping[str, str] | None = None,
    ca_bundle: Path | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Reached:
    """Ask a web server for a page, through a proxy where there is one.

    Args:
        url: ``http://`` or ``https://``; an account in it is used.
        proxies: HTTP proxies by scheme, and under ``no`` what is reached without; those of the
            environment if ``None``.
        ca_bundle: The certificates to trust; those of the environment or the system if ``None``.
        timeout_s: The most that each layer may take.
    """
    started = time.monotonic()
    proxy = proxy_for(url, proxies)
    try:
        seen = _ask(urlsplit(url), proxy, ca_bundle, timeout_s)
    except _Failed as error:
        return Reached(error.layer, str(error), time.monotonic() - started)
    return Reached("", seen, time.monotonic() - started)


def resolve(host: str, *, timeout_s: float = TIMEOUT_S) -> tuple[str, ...]:
    """Return a host's addresses, in the order to try them.

    Raises:
        OSError: Nobody knows the name, or no DNS server answers in time.
    """
    answers: queue.Queue[tuple[str, ...] | OSError] = queue.Queue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.put(tuple(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except OSError as error:
            answers.put(error)

    # The system's resolver takes no time limit; as a daemon it holds up nobody's end.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s)
    except queue.Empty:
        raise TimeoutError(errno.ETIMEDOUT, "no DNS server answers") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def proxy_for(url: str, proxies: Mapping[str, str] | None = None) -> str:
    """Return the proxy for a URL, empty for none; takes the same proxies as :func:`reach`."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if proxies is None:
        return "" if proxy_bypass(host) else getproxies().get(parts.scheme, "")
    # typeshed lacks the half of proxy_bypass that reads NO_PROXY
    around = urllib.request.proxy_bypass_environment(host, dict(proxies))  # type: ignore[attr-defined]
    return "" if around else proxies.get(parts.scheme, "")


def certificates(environ: Mapping[str, str] = os.environ, *, now_s: float | None = None) -> Reached:
    """Return which certificates this side trusts, and how many of them have expired.

    Args:
        environ: Where ``SSL_CERT_FILE`` may name a bundle.
        now_s: The time to judge by, in seconds since 1970; the clock's if ``None``.
    """
    started = time.monotonic()
    path = environ.get("SSL_CERT_FILE", "")
    try:
        context = ssl.create_default_context(cafile=path or None)
    except (OSError, ssl.SSLError) as error:
        return Reached("TLS", f"{path} cannot be read: {error}", time.monotonic() - started)
    trusted = context.get_ca_certs()
    now = time.time() if now_s is None else now_s
    ended = [item for item in trusted if ssl.cert_time_to_seconds(str(item["notAfter"])) < now]
    where = path or ssl.get_default_verify_paths().cafile or "the system's own"
    seen = f"{len(trusted)} certificates in {where}"
    if trusted and len(ended) == len(trusted):
        return Reached("TLS", f"{seen}, all of which have expired", time.monotonic() - started)
    if ended:
        seen += f" ({len(ended)} expired)"
    return Reached("", seen, time.monotonic() - started)


def _ask(parts: SplitResult, proxy: str, ca_bundle: Path | None, timeout_s: float) -> str:
    host, port = _address(parts)
    proxy_parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}") if proxy else None
    near = _address(proxy_parts) if proxy_parts else (host, port)
    with _connected(*near, timeout_s) as plain:
        if parts.scheme != "https":
            return _answer(plain, parts, host, proxy_parts)
        if proxy_parts is not None:
            _tunnel(plain, proxy_parts, host, port)
        try:
            context = ssl.create_default_context(cafile=ca_bundle)
            with context.wrap_socket(plain, server_hostname=host) as secure:
                return f"{_answer(secure, parts, host)}, {secure.version()}"
        except ssl.SSLCertVerificationError as error:
            raise _Failed("TLS", f"{host}: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise _Failed("TLS", f"{host}: {error.reason or error}".replace("_", " ")) from error
        except OSError as error:
            raise _Failed("TLS", f"{host}: {error}") from error


def _connected(host: str, port: int, timeout_s: float) -> socket.socket:
    try:
        found = resolve(host, timeout_s=timeout_s)
    except OSError as error:
        raise _Failed("name", f"{host}: {error.strerror or error}") from error
    try:
        return _connect(found, port, timeout_s)
    except OSError as error:
        said = "no answer" if isinstance(error, socket.timeout) else error.strerror or str(error)
        ipv6 = all(":" in address for address in found)
        if ipv6 and error.errno in (errno.ENETUNREACH, errno.EADDRNOTAVAIL):
            said = f"it has {IPV6_ONLY}, which does not get out from here"
        raise _Failed("TCP", f"{host}:{port}: {said}") from error


def _connect(addresses: Sequence[str], port: int, timeout_s: float) -> socket.socket:
    """Connect to the first address that answers; all of them together have the time given."""
    end = time.monotonic() + timeout_s
    for number, address in enumerate(addresses, start=1):
        left_s = max(0.1, end - time.monotonic())
        share_s = left_s / (len(addresses) - number + 1)
        try:
            return socket.create_connection((address, port), timeout=share_s)
        except OSError:
            if number == len(addresses):
                raise
    raise OSError(errno.EADDRNOTAVAIL, "it has no address")


def _tunnel(plain: socket.socket, proxy: SplitResult, host: str, port: int) -> None:
    lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
    status, reason = _request(plain, [*lines, *_account(proxy, "Proxy-Authorization")], "proxy")
    if status != 200:
        raise _refusal(proxy, host, status, reason)


def _refusal(proxy: SplitResult, host: str, status: int, reason: str) -> _Failed:
    """Return what a proxy's no means; a relay's own begins with "The", see relay.py."""
    told = f"{status} {reason}".strip()
    named = f"the proxy {proxy.hostname}:{proxy.port or 80}"
    if status >= 500 and not reason.startswith("The "):
        return _Failed("TCP", f"{host}: {named} cannot reach it ({told})")
    return _Failed("proxy", f"{named} refuses ({told})")


def _account(parts: SplitResult, header: str) -> list[str]:
    """Return the header that carries a URL's account, if it has one; see RFC 7617."""
    if parts.username is None:
        return []
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return [f"{header}: Basic {b64encode(pair.encode()).decode()}"]


def _answer(
    connection: socket.socket, parts: SplitResult, host: str, proxy: SplitResult | None = None
) -> str:
    """Ask for the page, of the proxy itself if one is given: plain HTTP needs no tunnel."""
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
    target = bare.geturl() if proxy else bare._replace(scheme="", netloc="").geturl() or "/"
    lines = [f"GET {target} HTTP/1.1", f"Host: {bare.netloc}", "Connection: close"]
    lines += _account(parts, "Authorization")
    if proxy is not None:
        lines += _account(proxy, "Proxy-Authorization")
    status, reason = _request(connection, lines, "proxy" if proxy else "answer")
    if proxy is not None and (status == 407 or status >= 500):
        raise _refusal(proxy, host, status, reason)
    if status in (401, 403):
        raise _Failed("auth", f"{host} answers {status}")
    if status >= 500:
        raise _Failed("answer", f"{host} answers {status}")
    return f"{host} answers"


def _request(connection: socket.socket, lines: list[str], layer: str) -> tuple[int, str]:
    """Return the status of the answer, and the words that come with it."""
    try:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while b"\r\n\r\n" not in head and len(head) < 65536:
            piece = connection.recv(4096)
            if not piece:
                break
            head += piece
    except socket.timeout as error:
        raise _Failed(layer, "no answer") from error
    except OSError as error:
        raise _Failed(layer, str(error)) from error
    found = re.match(rb"HTTP/\d(?:\.\d)? (\d{3})[ ]?([^\r\n]*)", head)
    if not found:
        raise _Failed(layer, "it does not speak HTTP")
    return int(found[1]), found[2].decode("latin-1")


def _address(parts: SplitResult) -> tuple[str, int]:
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
