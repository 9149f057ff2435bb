"""A proxy that is gone or refuses, and relays to one that ended: said, or mended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.workspace import said

if TYPE_CHECKING:
    from tests.integration.proxy_site import Company
    from tests.workspace import Workspace

pytestmark = pytest.mark.needs("docker", "proxy")

LIMIT_S = 10


def test_relays_that_a_restart_ended_are_started_anew(inside: Workspace, firm: Company) -> None:
    page = f"{firm.server.url}/hello"
    curl = ["curl", "--silent", "--show-error", "--fail", page]
    (listening,) = (inside.root / ".slipway" / "proxy").glob("*.sock")
    listening.unlink()
    done = inside.run(["docker", "exec", inside.container_id(), *curl])
    assert done.returncode != 0
    assert "502" in done.stderr
    assert inside.inv("exec", "--", *curl, env=firm.shell()).stdout == "hello\n"
    process.run(["docker", "restart", inside.container_id()])
    done = inside.run(
        ["docker", "exec", inside.container_id(), "sh", "-c", "sleep 2; " + " ".join(curl)]
    )
    assert done.stdout == "hello\n", "the inside's relay starts with the container"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://{}", "refuses (407"),
        ("http://ada:wrong-password@{}", "refuses (401"),  # as tinyproxy has it
        ("http://127.0.0.1:9", "127.0.0.1:9 cannot be reached from the host"),
        ("http://no-such-proxy.invalid:3128", "no-such-proxy.invalid"),
    ],
)
def test_a_proxy_that_is_gone_or_refuses_is_said(
    inside: Workspace, firm: Company, address: str, told: str
) -> None:
    proxy = address.format(firm.proxy.place)
    wrong = firm.shell(HTTPS_PROXY=proxy, HTTP_PROXY=proxy)
    for command in (["up", "--yes"], ["doctor"], ["net"]):
        started = time.monotonic()
        done = inside.inv(*command, env=wrong)
        assert time.monotonic() - started < LIMIT_S, command
        assert done.returncode == 4, said(done)
        assert done.stderr.count("ERROR ") == done.stderr.count("HINT ") == 1, done.stderr
    rows = inside.rows_of_net(wrong)
    assert rows["proxy"]["layer"] in {"proxy", "name"}, rows
    assert told in rows["proxy"]["seen"], rows
    assert rows["package index"]["layer"] == rows["proxy"]["layer"]
