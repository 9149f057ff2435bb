"""The network's plan: what the build and the container are told, so that both get out. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scripts.crossing.proxies import ProxyPlan, plan_proxies
from scripts.crossing.routes import smaller_mtu, why_build_on_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts.crossing.routes import Routes
    from scripts.settings import NetworkSettings

_ENGINE_REACHES_NEAR_RESOLVER = 26
"""The first Docker whose own resolver asks one on the host's loopback; see its release notes."""


@dataclass(frozen=True)
class NetworkPlan:
    """What crosses of the network, without any password.

    Attributes:
        proxies: How programs inside reach the host's proxies.
        build_proxies: Proxy variables of the build; ``None`` lets compose look the value up.
        build_secrets: Secrets of the build by the variable in which compose finds each.
        build_on_host: Whether the build uses the host's own network.
        mtu: The MTU of the container's network in bytes, ``None`` for the engine's default.
        dns_servers: DNS servers of the container; none for the engine's choice.
        notes: What a person should know of it.
    """

    proxies: ProxyPlan = field(default_factory=ProxyPlan)
    build_proxies: Mapping[str, str | None] = field(default_factory=dict)
    build_secrets: Mapping[str, str] = field(default_factory=dict)
    build_on_host: bool = False
    mtu: int | None = None
    dns_servers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def plan_network(
    network: NetworkSettings,
    routes: Routes,
    *,
    services: Sequence[str],
    in_vm: bool,
    rootless: bool,
    engine_version: str,
) -> NetworkPlan:
    """Plan it.

    Args:
        network: What is set.
        routes: What the host's network is like.
        services: Names of the services beside the container.
        in_vm: Whether the engine runs in a virtual machine, as on macOS and Windows.
        rootless: Whether the engine runs without root, in a network of its own.
        engine_version: What it says of itself.
    """
    proxies = plan_proxies(network, services=services, sockets_cross=not in_vm)
    near = [one for one in (network.http_proxy, network.https_proxy) if one and one.is_near]
    moved = proxies.environment if in_vm and near else {}
    own_network = not in_vm and not rootless
    why = why_build_on_host(network, routes) if own_network else ""
    notes = [*proxies.notes]
    if why:
        notes.append(f"the image is built on this machine's own network: {why}")
    if near and rootless:
        notes.append(
            f"a rootless engine's builds cannot reach the proxy {near[0].place}, which listens on "
            "this machine alone: let it listen on another address too"
        )
    notes += _resolver_notes(network, routes, engine_version)
    if routes.ipv6_only:
        notes.append(
            "this machine has IPv6 only, but the engine's networks have IPv4: switch IPv6 on in "
            'the engine ("ipv6" and "ip6tables" in daemon.json), or nothing gets out from inside'
        )
    return NetworkPlan(
        proxies=proxies,
        build_proxies={name: moved.get(name) for name in network.proxy_names},
        build_secrets=network.indexes.variables,
        build_on_host=bool(why),
        mtu=smaller_mtu(routes) if own_network else None,
        dns_servers=network.dns_servers,
        notes=tuple(notes),
    )


def _resolver_notes(network: NetworkSettings, routes: Routes, engine_version: str) -> Iterator[str]:
    number = re.match(r"\d+", engine_version)
    old = number is not None and int(number[0]) < _ENGINE_REACHES_NEAR_RESOLVER
    if routes.near_resolver and old and not network.dns_servers:
        yield (
            f"the DNS server {routes.near_resolver} listens on this machine alone, where "
            f"containers of Docker {engine_version} cannot ask it: set DNS_SERVERS in .env"
        )
