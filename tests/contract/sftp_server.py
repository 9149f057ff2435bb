"""An SSH server for contract tests: real SSH and SFTP over loopback, serving one directory."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import asyncssh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER, PASSWORD = "ada", "not secret"


class _Server(asyncssh.SSHServer):
    def __init__(self, connections: list[asyncssh.SSHServerConnection]) -> None:
        self.connections = connections

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connections.append(conn)

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002  all need a password
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


@contextmanager
def serving(directory: Path) -> Iterator[int]:
    """Serve ``directory`` as the root of all; yield the port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    connections: list[asyncssh.SSHServerConnection] = []

    def in_loop(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(timeout=60)

    async def listen() -> Any:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: _Server(connections),
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=bytes(directory)),
        )

    async def end(server: Any) -> None:
        server.close()
        await server.wait_closed()
        for connection in connections:
            connection.abort()
            await connection.wait_closed()

    server = in_loop(listen())
    try:
        yield server.get_port()
    finally:
        in_loop(end(server))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=60)
        loop.close()


def remote(port: int, path: str) -> dict[str, Any]:
    """Return what DVC's configuration says of such a remote."""
    return {
        "url": f"ssh://127.0.0.1/{path}",
        "port": port,
        "user": USER,
        "password": PASSWORD,
    }
