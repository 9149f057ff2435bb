"""Routes: how the host gets out to the network, and where a container would fall short of it."""

from __future__ import annotations

import ipaddress
import re
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts.settings import NetworkSettings

ETHERNET_MTU = 1500
"""Bytes in a packet on a network that the engine makes, unless it is told otherwise."""
_SOMEWHERE = {socket.AF_INET: ("203.0.113.1", 9), socket.AF_INET6: ("2001:db8::1", 9)}
"""Addresses of documentation (RFC 5737, RFC 3849): only the way there is asked for."""
_IP_MTU = 14  # of ip(7): the MTU of the way that a connected socket takes
_RESOLV_CONF = Path("/etc/resolv.conf")
_SYSTEMD_STUB = "127.0.0.53"
"""systemd-resolved's own; engines look behind it by themselves."""


@dataclass(frozen=True)
class Routes:
    """What the host's network is like.

    ``mtu`` is the size in bytes of the largest packet on the way out, ``bridge_mtu`` that of the
    network in which the engine builds. ``near_resolver`` is the address of a DNS server that
    listens on this machine alone, empty if there is another. ``ipv6_only`` tells that there is
    no way out but by IPv6.
    """

    mtu: int = ETHERNET_MTU
    bridge_mtu: int = ETHERNET_MTU
    near_resolver: str = ""
    ipv6_only: bool = False


def observe_routes() -> Routes:
    """Ask the kernel for the way out, and which DNS servers are used; no packet is sent."""
    if sys.platform != "linux":  # the engine's virtual machine follows its host by itself
        return Routes()
    mtu = _mtu(socket.AF_INET)
    ipv6_mtu = _mtu(socket.AF_INET6)
    return Routes(
        mtu=mtu or ipv6_mtu or ETHERNET_MTU,
        bridge_mtu=_bridge_mtu(),
        near_resolver=near_resolver(_text(_RESOLV_CONF)),
        ipv6_only=not mtu and bool(ipv6_mtu),
    )


def near_resolver(resolv_conf: str) -> str:
    """Return the DNS server of a resolv.conf(5) that listens on this machine alone; pure.

    Empty if there is another one too, or if it is that of systemd-resolved.
    """
    servers = re.findall(r"(?m)^\s*nameserver\s+([^\s#;%]+)", resolv_conf)
    near = [server for server in servers if _is_loopback(server)]
    return near[0] if near and near == servers and near != [_SYSTEMD_STUB] else ""


def smaller_mtu(routes: Routes) -> int | None:
    """Return the MTU that the container's network needs, ``None`` where Ethernet's will do; pure.

    A larger one than the way out has lets small answers through and swallows large ones.
    """
    return routes.mtu if routes.mtu < ETHERNET_MTU else None


def why_build_on_host(network: NetworkSettings, routes: Routes) -> str:
    """Return why a build needs the host's own network, empty where the engine's will do; pure."""
    for proxy in (network.https_proxy, network.http_proxy):
        if proxy is not None and proxy.is_near:
            return f"the proxy {proxy.place} listens on this machine alone"
    if routes.near_resolver:
        return f"the DNS server {routes.near_resolver} listens on this machine alone"
    if routes.ipv6_only:
        return "this machine has IPv6 only"
    if routes.mtu < routes.bridge_mtu:
        return f"packets larger than {routes.mtu} bytes do not get out of this machine"
    return ""


def _mtu(family: socket.AddressFamily) -> int:
    """Return the MTU of the way out, 0 where there is none."""
    level = socket.IPPROTO_IP if family == socket.AF_INET else socket.IPPROTO_IPV6
    option = _IP_MTU if family == socket.AF_INET else 24  # IPV6_MTU of ipv6(7)
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as way:
            way.connect(_SOMEWHERE[family])
            return way.getsockopt(level, option)
    except OSError:
        return 0


def _bridge_mtu() -> int:
    try:
        return int(Path("/sys/class/net/docker0/mtu").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return ETHERNET_MTU


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
