"""Proxies: how the container reaches those of the host, whose passwords stay outside.

A proxy that listens on the host alone, or that asks for an account, is reached through two
relays: one inside, on 127.0.0.1, and one on the host, which adds the account. They meet at a socket
in the workspace: docs/decisions/proxies-through-relays.md.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from scripts.crossing.paths import WORKSPACE_AGAIN
from scripts.crossing.relays import RELAY, answers, start_relay

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence
    from pathlib import Path

    from scripts.settings import NetworkSettings
    from scripts.settings.values import Proxy

HOST_NAME = "host.docker.internal"
_DIRECTORY = ".slipway/proxy"
_FIRST_PORT = 31280
"""Inside, where nothing else is likely to listen."""
_PYTHON = "/opt/environment/bin/python"


@dataclass(frozen=True)
class RelayedProxy:
    """A proxy that is reached through relays.

    ``socket`` is where they meet, below the workspace; ``port`` where the inside's listens on
    127.0.0.1.
    """

    proxy: Proxy
    socket: str
    port: int

    @property
    def place_inside(self) -> str:
        """``HOST:PORT`` as programs inside see it."""
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True)
class ProxyPlan:
    """How proxies reach the container.

    ``environment`` holds no password. ``by_value`` does: it is handed to single commands only,
    where no relay can be.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    relayed: tuple[RelayedProxy, ...] = ()
    by_value: Mapping[str, str] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()


def plan_proxies(
    network: NetworkSettings, *, services: Sequence[str], sockets_cross: bool
) -> ProxyPlan:
    """Plan how programs inside reach the proxies of the host; pure.

    Args:
        network: The proxies that are set.
        services: Names of the services beside the container, which no proxy reaches.
        sockets_cross: Whether a socket of the workspace works inside: not where the engine runs in
            a virtual machine.
    """
    relayed: dict[Proxy, RelayedProxy] = {}
    plain: dict[str, str] = {}
    by_value: dict[str, str] = {}
    notes = []
    wanted = (("http", network.http_proxy), ("https", network.https_proxy))
    for scheme, proxy in wanted:
        if proxy is None:
            continue
        if sockets_cross and _needs_relay(proxy):
            number = len(relayed)
            new = RelayedProxy(proxy, f"{_DIRECTORY}/{scheme}.sock", _FIRST_PORT + number)
            found = relayed.setdefault(proxy, new)
            inside = "http" if proxy.speaks_http else "socks5h"
            plain[scheme] = f"{inside}://{found.place_inside}"
            continue
        near = replace(proxy, host=HOST_NAME) if proxy.is_near else proxy
        if proxy.username:
            by_value[scheme] = near.url
        else:
            plain[scheme] = near.url
    if by_value:
        notes.append(
            "the proxy's password reaches commands of `./inv` only, not an editor that attaches: "
            "it is a SOCKS proxy, or the engine runs in a virtual machine"
        )
    if plain or by_value:
        listed = [name for name in network.no_proxy.split(",") if name]
        around = (*listed, "localhost", "127.0.0.1", HOST_NAME, *services)
        plain["no"] = ",".join(dict.fromkeys(around))
    return ProxyPlan(
        _both_cases(plain), tuple(relayed.values()), _both_cases(by_value), tuple(notes)
    )


def relay_commands(relayed: Sequence[RelayedProxy]) -> list[str]:
    """Return the shell commands that run the relays inside, each started anew if it ends; pure."""
    commands = []
    for one in relayed:
        words = [
            _PYTHON, "-I", f"{WORKSPACE_AGAIN}/scripts/crossing/{RELAY.name}",
            f"tcp:{one.place_inside}", f"unix:{WORKSPACE_AGAIN}/{one.socket}",
            *_options(one.proxy),
        ]  # fmt: skip
        commands.append(f"(while :; do {shlex.join(words)}; sleep 1; done) &")
    return commands


def export_proxies(network: NetworkSettings, environ: MutableMapping[str, str]) -> None:
    """Let programs on the host find the proxies too, of .env or in the other case of letters.

    apt reads small letters only, and ``.env`` is nobody's but ours.
    """
    wanted = {"http": network.http_proxy, "https": network.https_proxy}
    found = {scheme: proxy.url for scheme, proxy in wanted.items() if proxy is not None}
    if network.no_proxy:
        found["no"] = network.no_proxy
    for name, value in _both_cases(found).items():
        environ.setdefault(name, value)


def with_relays(argv: Sequence[str], relayed: Sequence[RelayedProxy]) -> list[str]:
    """Return a command that runs with the relays beside it: for a container of its own; pure."""
    relays = relay_commands(relayed)
    return ["sh", "-c", " ".join([*relays, 'exec "$@"']), "sh", *argv] if relays else list(argv)


def forward_proxies(root: Path, relayed: Sequence[RelayedProxy], *, anew: bool) -> None:
    """See that the host's relays run, and none that is not wanted any more.

    Args:
        root: The workspace.
        relayed: The proxies to reach.
        anew: Start each, as its proxy may have changed; else only one that does not answer.
    """
    stop_proxies(root, kept=[one.socket for one in relayed])
    for one in relayed:
        listening = root / one.socket
        if not anew and answers(listening):
            continue
        proxy, options = one.proxy, _options(one.proxy)
        if proxy.authorization:
            options.append("--authorized")
        upstream = f"{'tls' if proxy.scheme == 'https' else 'tcp'}:{proxy.place}"
        start_relay(root, listening, upstream, *options, secret=proxy.authorization)


def stop_proxies(root: Path, kept: Sequence[str] = ()) -> None:
    """Take the relays' sockets away, on which they end."""
    for listening in (root / _DIRECTORY).glob("*.sock"):
        if listening.relative_to(root).as_posix() not in kept:
            listening.unlink(missing_ok=True)


def _needs_relay(proxy: Proxy) -> bool:
    """Tell whether a relay helps: it adds accounts in HTTP only."""
    return proxy.speaks_http if proxy.username else proxy.is_near


def _options(proxy: Proxy) -> list[str]:
    return ["--proxy"] if proxy.speaks_http else []


def _both_cases(values: Mapping[str, str]) -> dict[str, str]:
    """Return the variables in small letters and in capitals: each tool reads only one of them."""
    small = {f"{name}_proxy": value for name, value in values.items()}
    return {**small, **{name.upper(): value for name, value in small.items()}}
