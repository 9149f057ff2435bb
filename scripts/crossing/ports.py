"""Ports: which ones of the host the container's are published on, where some are taken. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from scripts.settings.values import Port

NEIGHBOURS = 20
"""How many ports above a taken one are looked at."""
_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104  compared with, never bound


def candidates(wanted: Sequence[Port]) -> tuple[Port, ...]:
    """Return every place where the ports may end up, in the order in which it is tried."""
    return tuple(place for port in wanted for place in _places(port))


def choose_ports(
    wanted: Sequence[Port],
    *,
    taken: Collection[Port],
    held: Sequence[Port] = (),
    kept: Sequence[Port] = (),
) -> tuple[Port, ...]:
    """Return where each port is published, in the order of ``wanted``.

    A port that is taken gets the next one above it that is free and that no other entry wants. One
    that a person fixed (``HOST:CONTAINER``) stays where it is, and so does one that has no free
    neighbour: whether they can be had is for the apply to check.

    Args:
        wanted: What ``PORTS`` says.
        taken: Those of :func:`candidates` on which something listens.
        held: What this workspace's own running container holds; it is not taken by others.
        kept: Where a container that was made for the same ``PORTS`` publishes them: a choice that
            was made once holds, though the other program may have ended.
    """
    asked = {port.host_port for port in wanted}
    chosen: list[Port] = []
    for port in wanted:
        used = asked | {other.host_port for other in chosen}
        free = [
            place
            for place in _places(port)
            if (place not in taken or is_ours(place, held))
            and (place == port or place.host_port not in used)
        ]
        before = [place for place in free if place in kept]
        chosen.append((before or free or [port])[0])
    return tuple(chosen)


def is_ours(port: Port, held: Sequence[Port]) -> bool:
    """Tell whether what listens there is a container that holds the ports ``held``."""
    return any(
        port.host_port == mine.host_port
        and (
            port.host_address == mine.host_address
            or port.host_address in _WILDCARDS
            or mine.host_address in _WILDCARDS
        )
        for mine in held
    )


def moved_notes(ports: Sequence[Port], taken: Collection[Port]) -> tuple[str, ...]:
    """Return for each port that is published elsewhere than wanted what a person should know."""
    notes = []
    for port in ports:
        if port.instead_of is None:
            continue
        if replace(port, host_port=port.instead_of) in taken:
            notes.append(
                f"port {port.instead_of} is taken by another program: {port.host_port} instead"
            )
        else:
            notes.append(
                f"port {port.instead_of} was taken when the container was made: {port.host_port} "
                "since then; `./inv down` and `./inv up` ask for it again"
            )
    return tuple(notes)


def _places(port: Port) -> tuple[Port, ...]:
    if port.fixed:
        return (port,)
    last = min(port.host_port + NEIGHBOURS, 65535)
    above = range(port.host_port + 1, last + 1)
    return (
        port,
        *(replace(port, host_port=number, instead_of=port.host_port) for number in above),
    )
