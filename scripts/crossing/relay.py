"""A relay through the container's wall: a program of its own, which needs nothing but Python.

    relay.py LISTEN UPSTREAM [--owner UID:GID] [--proxy] [--authorized]

``LISTEN`` is ``unix:PATH`` or ``tcp:HOST:PORT``; ``UPSTREAM`` may be ``tls:HOST:PORT`` too. With
``--proxy`` a client hears in HTTP that the upstream cannot be reached; with ``--authorized`` the
first line of standard input is added to each request as its Proxy-Authorization.

One that listens on a socket of the workspace ends when that is taken away or replaced, or when
the upstream's own socket is gone; open connections are finished first.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Tuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOOK_EVERY_S = 2
_CONNECT_S = 8
_CHUNK_BYTES = 1 << 16
_PER_HOP = (b"connection:", b"proxy-connection:", b"keep-alive:")

Streams = Tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Relay:
    """What is passed on from where to where.

    Attributes:
        listen: Where clients connect, as on the command line.
        upstream: Where each connection is passed on to.
        owner: The uid and gid that a listening socket shall belong to.
        proxy: Whether the upstream is an HTTP proxy, so that a failure can be said in HTTP.
        authorization: The value of Proxy-Authorization; empty for none.
    """

    listen: str
    upstream: str
    owner: Optional[Tuple[int, int]] = None
    proxy: bool = False
    authorization: str = ""

    def __repr__(self) -> str:
        """Return it without the password: a traceback may show it."""
        return f"Relay({self.listen!r}, {self.upstream!r})"


async def serve(relay: Relay) -> None:
    """Pass connections on until there is no use for it any more."""
    open_connections: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_pass_on(relay, (reader, writer)))
        open_connections.add(task)
        try:
            await task
        finally:
            open_connections.discard(task)
            writer.close()

    kind, _, where = relay.listen.partition(":")
    if kind == "tcp":
        host, _, port = where.rpartition(":")
        server = await asyncio.start_server(accept, host.strip("[]"), int(port))
        async with server:
            await server.serve_forever()
    path = Path(where)
    # From its directory: a socket's path is shorter than 108 bytes, a workspace's may not be.
    os.chdir(path.parent)
    os.umask(0o177)
    server = await asyncio.start_unix_server(accept, path.name)
    if relay.owner is not None:
        os.chown(path.name, *relay.owner)
    own = _identity(path)
    while own is not None and _identity(path) == own and _is_there(relay.upstream):  # noqa: ASYNC110  no event tells of files
        await asyncio.sleep(_LOOK_EVERY_S)
    _remove(path, own)
    server.close()
    await asyncio.gather(*open_connections, return_exceptions=True)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _remove(path: Path, own: tuple[int, int] | None) -> None:
    if _identity(path) == own:
        path.unlink(missing_ok=True)


def _is_there(upstream: str) -> bool:
    kind, _, where = upstream.partition(":")
    return kind != "unix" or Path(where).exists()


async def _pass_on(relay: Relay, client: Streams) -> None:
    head = b""
    try:
        if relay.authorization:
            head = authorized(await client[0].readuntil(b"\r\n\r\n"), relay.authorization)
        upstream = await asyncio.wait_for(_connected(relay.upstream), _CONNECT_S)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return  # the client went away, or speaks no HTTP
    except (OSError, asyncio.TimeoutError) as error:
        if relay.proxy:
            await _refuse(client, _failure(relay.upstream, error), heard=bool(head))
        return
    try:
        upstream[1].write(head)
        await asyncio.gather(_pump(client[0], upstream[1]), _pump(upstream[0], client[1]))
    finally:
        upstream[1].close()


async def _refuse(client: Streams, answer: bytes, *, heard: bool) -> None:
    """Answer a request once it is heard: closed before, a connection may swallow the answer."""
    with contextlib.suppress(
        OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
    ):
        if not heard:
            await asyncio.wait_for(client[0].readuntil(b"\r\n\r\n"), _CONNECT_S)
        client[1].write(answer)
        await client[1].drain()


async def _connected(upstream: str) -> Streams:
    kind, _, where = upstream.partition(":")
    if kind == "unix":
        return await asyncio.open_unix_connection(where)
    host, _, port = where.rpartition(":")
    trust = ssl.create_default_context() if kind == "tls" else None
    return await asyncio.open_connection(host.strip("[]"), int(port), ssl=trust)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while True:
            received = await source.read(_CHUNK_BYTES)
            if not received:
                break
            sink.write(received)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
            return
    sink.close()


def authorized(head: bytes, authorization: str) -> bytes:
    """Return a request's head with its Proxy-Authorization; pure.

    A plain request is made the connection's only one, as later ones would go without.
    """
    first, *lines = head[: -len(b"\r\n\r\n")].split(b"\r\n")
    dropped: tuple[bytes, ...] = (b"proxy-authorization:",)
    added = [f"Proxy-Authorization: {authorization}".encode()]
    if not first.upper().startswith(b"CONNECT "):
        dropped += _PER_HOP
        added.append(b"Connection: close")
    kept = [line for line in lines if not line.lower().startswith(dropped)]
    return b"\r\n".join([first, *kept, *added, b"", b""])


def _failure(upstream: str, error: BaseException) -> bytes:
    kind, _, where = upstream.partition(":")
    if kind == "unix":
        reason = "The relay to the proxy does not run on the host; ./inv up starts it"
    else:
        told = getattr(error, "strerror", None) or "no answer"
        reason = f"The proxy {where} cannot be reached from the host ({told})"
    return f"HTTP/1.1 502 {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def main(argv: Sequence[str]) -> None:
    """Serve what the command line says."""
    parser = argparse.ArgumentParser(description="Pass connections on through the wall.")
    parser.add_argument("listen")
    parser.add_argument("upstream")
    parser.add_argument("--owner", default="", metavar="UID:GID")
    parser.add_argument("--proxy", action="store_true")
    parser.add_argument("--authorized", action="store_true")
    wanted = parser.parse_args(argv)
    uid, _, gid = wanted.owner.partition(":")
    relay = Relay(
        listen=wanted.listen,
        upstream=wanted.upstream,
        owner=(int(uid), int(gid)) if wanted.owner else None,
        proxy=wanted.proxy,
        authorization=sys.stdin.readline().strip() if wanted.authorized else "",
    )
    asyncio.run(serve(relay))


if __name__ == "__main__":
    main(sys.argv[1:])
