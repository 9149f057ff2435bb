"""A machine whose only way out is IPv6, and a container that has none: what each command says.

The commands run in a network namespace that has IPv6 alone, where an index answers; the engine is
this machine's own, met at its socket. The container asks a real DNS server that knows IPv6 alone.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import pytest

from scripts import process
from scripts.crossing.reached import IPV6_HINT
from scripts.crossing.routes import observe_routes
from tests.integration.proxy_site import resolver
from tests.integration.ssh_server import gateway
from tests.workspace import said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.process import Completed
    from tests.workspace import Workspace

pytestmark = pytest.mark.needs("docker", "proxy", "root")

NAME, ADDRESS = "index.six.test", "2001:db8:1::1"
LIMIT_S = 10
NETWORK = f"""
ip link set lo up
ip link add way type veth peer name there
ip link set there mtu {{mtu}} up
ip link set way mtu {{mtu}} up
ip -6 address add {ADDRESS}/64 dev way nodad
ip -6 route add default dev way
echo {ADDRESS} {NAME} >"$0/hosts"
mount --bind "$0/hosts" /etc/hosts
{sys.executable} -m http.server 80 --bind {ADDRESS} --directory "$0" >/dev/null 2>&1 &
server=$!
trap 'kill $server' EXIT
until curl --silent --output /dev/null http://{NAME}/; do sleep 0.1; done
date +%s.%N >"$0/begun"
cd "$1"; shift
"$@"
"""
"""Makes the network, an index in it, and runs a command there; ``$0`` is a directory for both."""


@pytest.fixture(scope="module")
def alone(workspace: Workspace) -> Iterator[Workspace]:
    """A workspace that is up, with a remote of git and one of DVC on the far side."""
    workspace.write_env(DNS_SERVERS=gateway(), UV_DEFAULT_INDEX=f"http://{NAME}/")
    process.run(["git", "remote", "add", "origin", f"https://{NAME}/x.git"], cwd=workspace.root)
    with resolver(gateway(), {"six.test": ADDRESS}):
        workspace.inv("up", "--yes")  # its proof fails already: the name has IPv6 only
        assert workspace.inv("dvc-init").returncode == 0
        for words in (
            ["add", "far", "s3://b/dvc"],
            ["modify", "far", "endpointurl", f"http://{NAME}"],
        ):
            assert workspace.inv("exec", "--", "dvc", "remote", *words).returncode == 0
        yield workspace


def there(workspace: Workspace, *arguments: str) -> tuple[Completed, float]:
    """Run a task in the namespace; return how long it took from when the network was there."""
    state = workspace.root.parent
    script = NETWORK.format(mtu=observe_routes().mtu)
    inv = [sys.executable, "-m", "invoke", "--search-root", str(workspace.root), *arguments]
    keys = {"AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up-too"}
    command = ["unshare", "--net", "--mount", "sh", "-euc", script, str(state), str(workspace.root)]
    done = process.run([*command, *inv], check=False, env=keys)
    return done, time.time() - float((state / "begun").read_text())


@pytest.mark.parametrize("command", ["up", "doctor", "net"])
def test_each_command_says_once_that_there_is_ipv6_only(alone: Workspace, command: str) -> None:
    done, elapsed_s = there(alone, command, *(["--yes"] if command == "up" else []))
    assert done.returncode == 4, said(done)
    assert done.stderr.count("ERROR ") == done.stderr.count("HINT ") == 1, done.stderr
    assert "IPv6 only" in said(done)
    assert elapsed_s < LIMIT_S, "a person does not wait for what cannot work"
    assert alone.container_id(), "what works without a network goes on"


def test_doctor_says_what_the_engine_has_to_be_told(alone: Workspace) -> None:
    done, _ = there(alone, "doctor", "--json")
    (row,) = [row for row in json.loads(done.stdout)["checks"] if row["name"] == "network"]
    assert row["verdict"] == "failed"
    assert row["seen"] == f"{NAME} has IPv6 only, which does not get out from inside"
    assert row["hint"] == IPV6_HINT


def test_the_plan_says_what_the_engine_lacks(alone: Workspace) -> None:
    done, _ = there(alone, "plan", "--json")
    (note,) = [note for note in json.loads(done.stdout)["notes"] if "IPv6 only, but" in note]
    assert "switch IPv6 on in the engine" in note


def test_each_row_of_net_that_needs_the_far_side_names_the_layer(alone: Workspace) -> None:
    done, _ = there(alone, "net", "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)["rows"]}
    far = ("package index", "git remote origin", "DVC remote far")
    assert {name: rows[name]["layer"] for name in far} == dict.fromkeys(far, "TCP"), rows
    assert rows["package index"]["hint"] == IPV6_HINT
    assert rows["name resolution"]["seen"] == f"{NAME}: IPv6 only"
