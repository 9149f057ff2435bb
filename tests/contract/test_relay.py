"""Two real relays in a row, as a container and its host have them, and a proxy that is gone."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from scripts.crossing.relays import RELAY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUEST = b"CONNECT index.test:443 HTTP/1.1\r\nHost: index.test:443\r\n\r\n"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def relay(listen: str, upstream: str) -> Iterator[None]:
    command = [sys.executable, "-I", str(RELAY), listen, upstream, "--proxy"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as started:
        try:
            yield
        finally:
            started.terminate()


def connected(port: int) -> socket.socket:
    end = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        except ConnectionRefusedError:
            assert time.monotonic() < end, "the relay does not listen"
            time.sleep(0.05)


def test_that_the_proxy_is_gone_is_heard_each_time(tmp_path: Path) -> None:
    """The answer must not be lost with the request that it comes before."""
    port, gone, meeting = free_port(), free_port(), tmp_path / "meet.sock"
    with (
        relay(f"unix:{meeting}", f"tcp:127.0.0.1:{gone}"),
        relay(f"tcp:127.0.0.1:{port}", f"unix:{meeting}"),
    ):
        connected(port).close()
        for _ in range(300):
            with connected(port) as client:
                client.sendall(REQUEST)
                told = client.makefile("rb").readline().decode()
            assert told.startswith("HTTP/1.1 502 The "), told
    assert f"proxy 127.0.0.1:{gone} cannot be reached from the host" in told
