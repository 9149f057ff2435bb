"""The relay of the SSH agent: a program of its own, which needs nothing but Python.

It listens on a socket in the workspace and passes each connection on to the host's agent. It ends
when its socket is taken away or replaced, or when the agent's is gone.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from pathlib import Path

_LOOK_EVERY_S = 2
_CHUNK_BYTES = 65536


def serve(listening: Path, agent: str, owner: tuple[int, int] | None) -> None:
    """Pass connections on until there is no use for it any more.

    Args:
        listening: The socket to listen on; only its owner may connect.
        agent: The agent's socket.
        owner: Who the socket shall belong to, by uid and gid.
    """
    os.chdir(
        listening.parent
    )  # a socket's path is shorter than 108 bytes, a workspace's may not be
    os.umask(0o177)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(listening.name)
        if owner is not None:
            os.chown(listening.name, *owner)
        server.listen(16)
        server.settimeout(_LOOK_EVERY_S)
        own = _identity(listening)
        while _identity(listening) == own and Path(agent).exists():
            with contextlib.suppress(socket.timeout):
                client = server.accept()[0]
                threading.Thread(target=_pass_on, args=(client, agent), daemon=True).start()
    if _identity(listening) == own:
        listening.unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _pass_on(client: socket.socket, agent: str) -> None:
    with client, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as upstream:
        try:
            client.settimeout(None)
            upstream.connect(agent)
        except OSError:
            return
        back = threading.Thread(target=_pump, args=(upstream, client), daemon=True)
        back.start()
        _pump(client, upstream)
        back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            received = source.recv(_CHUNK_BYTES)
            if not received:
                break
            sink.sendall(received)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    _owner = (int(sys.argv[3]), int(sys.argv[4])) if len(sys.argv) > 4 else None
    serve(Path(sys.argv[1]).resolve(), sys.argv[2], _owner)
