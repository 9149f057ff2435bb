"""`./inv net`: what of the network works from inside, and which layer fails where it does not."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from scripts.container.inside import ask_inside
from scripts.crossing.agent import follow_agent
from scripts.crossing.proxies import plan_proxies
from scripts.crossing.reached import Reached, hint_for
from scripts.errors import ContainerError
from scripts.settings.indexes import without_account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.container.model import ContainerFacts
    from scripts.crossing.proxies import RelayedProxy
    from scripts.progress import Progress
    from scripts.settings import Settings
    from scripts.settings.values import Port

INSIDE = "scripts.container.net_inside"
_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Row:
    """One thing that work needs the network for.

    ``layer`` is the one that failed, empty where all is well; ``hint`` says what to do then.
    """

    name: str
    layer: str
    seen: str
    elapsed_s: float
    hint: str = ""


@dataclass(frozen=True)
class NetReport:
    """Everything that was tried, in the order that a person reads it."""

    rows: tuple[Row, ...]

    @property
    def failed(self) -> tuple[Row, ...]:
        """The rows that failed."""
        return tuple(row for row in self.rows if row.layer)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "schema_version": 1,
            "works": not self.failed,
            "rows": [asdict(row) for row in self.rows],
        }

    def require_works(self) -> None:
        """End with an error if a row failed.

        Raises:
            ContainerError: Names the rows; their hints stand in the table.
        """
        if self.failed:
            names = ", ".join(row.name for row in self.failed)
            raise ContainerError(
                f"Not everything can be reached from inside: {names}.",
                hint="The table says which layer failed, and what to do.",
            )


def observe_net(
    settings: Settings,
    container: ContainerFacts,
    progress: Progress,
) -> NetReport:
    """Try everything from inside at once, and the published ports from here.

    Args:
        settings: Name the workspace; its secrets reach the remotes' own programs.
        container: The container that runs.
        progress: Told that it is being tried.

    Raises:
        SlipwayError: The inside does not answer.
    """
    request = {
        "call": "net",
        "index_url": without_account(settings.network.indexes.url),
        "root": str(settings.root),
    }
    follow_agent(settings.root, os.environ)
    with progress.phase("asking from inside"):
        answer = ask_inside(settings, container, request, progress, module=INSIDE)
    proxies = plan_proxies(settings.network, services=(), sockets_cross=True).relayed
    rows = [_row(name, Reached(**found), proxies) for name, found in answer["rows"].items()]
    listening = frozenset(answer["listening"])
    return NetReport((*rows, *(reach_port(port, listening) for port in container.ports)))


def reach_port(port: Port, listening: frozenset[int]) -> Row:
    """Connect to a published port from here.

    Docker answers on the port whether or not anything listens inside, so both are asked.
    """
    name = f"port {port.host_port}"
    started = time.monotonic()
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(port.host_address, port.host_address)  # noqa: S104  where it was published
    try:
        socket.create_connection((address, port.host_port), timeout=_TIMEOUT_S).close()
    except OSError as error:
        elapsed_s = time.monotonic() - started
        return Row(name, "TCP", f"{address}: {error.strerror or error}", elapsed_s,
                   "`./inv down` and `./inv up` publish it anew.")  # fmt: skip
    elapsed_s = time.monotonic() - started
    inside = f"{port.container_port} inside"
    if port.container_port not in listening:
        return Row(name, "", f"published; nothing listens on {inside} yet", elapsed_s)
    return Row(name, "", f"reaches {inside}", elapsed_s)


def _row(name: str, found: Reached, proxies: Sequence[RelayedProxy]) -> Row:
    """Return a row; proxies are called what they are outside, not what their relays are inside."""
    seen = found.seen
    for proxy in proxies:
        seen = seen.replace(proxy.place_inside, proxy.proxy.place)
    return Row(name, found.layer, seen, found.elapsed_s, hint_for(found))
