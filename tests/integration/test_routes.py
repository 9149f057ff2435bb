"""The way out, asked of the real kernel in network namespaces of our own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.workspace import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs("proxy", "root")

WAY = (
    "ip link add way type veth peer name there; ip link set there mtu 1380 up; "
    "ip link set way mtu 1380 up; "
)
IPV4 = "ip address add 10.9.8.7/24 dev way; ip route add default dev way; "
IPV6 = "ip -6 address add 2001:db8:1::1/64 dev way nodad; ip -6 route add default dev way; "
ASK = "from scripts.crossing.routes import observe_routes as o; r = o(); print(r.mtu, r.ipv6_only)"


@pytest.mark.parametrize(
    ("network", "found"),
    [
        (WAY + IPV4, "1380 False"),
        (WAY + IPV4 + IPV6, "1380 False"),
        (WAY + IPV6, "1380 True"),
        ("", "1500 False"),
    ],
)
def test_the_kernel_tells_the_way_out(network: str, found: str) -> None:
    script = f'{network} exec "$0" -c "{ASK}"'
    done = process.run(["unshare", "--net", "sh", "-euc", script, sys.executable], cwd=REPOSITORY)
    assert done.stdout.strip() == found


def test_a_resolver_that_is_silent_holds_nobody_up(tmp_path: Path) -> None:
    """The system's own limit would be 5 s for each try and each server."""
    (tmp_path / "resolv.conf").write_text("nameserver 10.9.8.9\nnameserver 10.9.8.10\n")
    ask = "from scripts.crossing.reach import reach; f = reach('https://x.test/', timeout_s=1);"
    mount = f"mount --bind {tmp_path}/resolv.conf /etc/resolv.conf; "
    script = f'{WAY}{IPV4}{mount} exec timeout 5 "$0" -c "{ask} print(f.layer, f.seen)"'
    command = ["unshare", "--net", "--mount", "sh", "-euc", script, sys.executable]
    done = process.run(command, cwd=REPOSITORY)
    assert done.stdout.strip() == "name x.test: no DNS server answers"


def test_no_way_out_is_said_by_layer() -> None:
    ask = "from scripts.crossing.reach import reach; f = reach('https://[2001:db8::1]/');"
    script = f'exec "$0" -c "{ask} print(f.layer, f.seen)"'
    done = process.run(["unshare", "--net", "sh", "-euc", script, sys.executable], cwd=REPOSITORY)
    assert "TCP 2001:db8::1:443: it has IPv6 only, which does not get out" in done.stdout
