"""Builds behind a proxy with accounts, from an index that a private authority vouches for."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.integration.proxy_site import (
    INDEX_PASSWORD,
    PRIVATE_PACKAGE,
    SYSTEM_BUNDLE,
    Authority,
    Company,
    TlsServer,
    lock_of,
    private_wheel,
)
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.needs("docker", "proxy")


@pytest.fixture(scope="module")
def wheels(firm: Company) -> Path:
    return firm.wheels()


def shell(firm: Company, **changes: str) -> dict[str, str]:
    """Return what a person of this company has in their shell."""
    return {
        "HTTPS_PROXY": firm.https_proxy,
        "UV_DEFAULT_INDEX": firm.index_url,
        "CA_BUNDLE": str(firm.authority.bundle),
        **changes,
    }


@pytest.fixture(scope="module")
def small(firm: Company, wheels: Path) -> Iterator[Workspace]:
    """A workspace whose image holds what the private index has, so that its build must ask it."""
    workspace = Workspace(firm.directory / "small")
    (workspace.root / "environment.lock").write_text(lock_of(wheels))
    yield workspace
    workspace.remove(images=True)


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


def test_a_build_asks_a_private_index_through_the_proxy(small: Workspace, firm: Company) -> None:
    environment = shell(firm)
    done = small.inv("build", "--no-cache", env=environment)
    assert done.returncode == 0, said(done)
    assert firm.through_the_proxy()
    fetched = [line for line in firm.server.log().splitlines() if ".whl" in line]
    assert fetched
    assert all(" bob " in line for line in fetched), "with the index's own account"
    image = small.image
    script = f"import {PRIVATE_PACKAGE.replace('-', '_')} as thing; print(thing.ANSWER)"
    python = ["--entrypoint", "/opt/environment/bin/python", image, "-c", script]
    assert process.run(["docker", "run", "--rm", *python]).stdout.strip() == "42"
    for command in (["history", "--no-trunc"], ["image", "inspect"]):
        assert "planted" not in process.run(["docker", *command, image]).stdout
    apart = {**environment, "XDG_CACHE_HOME": str(firm.directory / "cache")}
    leaks = small.inv("leaks", "--json", env=apart)
    report = json.loads(leaks.stdout)
    assert report["works"], report
    assert {"HTTPS_PROXY", "UV_DEFAULT_INDEX"} <= set(report["keys"])
    overlay = (small.root / ".slipway" / "compose.yml").read_text()
    assert "network: host" in overlay, "a proxy on the host's loopback is reached from its network"
    assert '"UV_DEFAULT_INDEX"' in overlay, "named, not written"


@pytest.mark.parametrize(("door", "version"), [("./inv build", "0.8"), ("compose", "0.9")])
def test_a_build_finds_all_of_it_in_the_env_file_alone(
    small: Workspace, firm: Company, door: str, version: str
) -> None:
    """Through `./inv`, and through compose, which is what an editor calls."""
    assert not {"HTTPS_PROXY", "https_proxy", "UV_DEFAULT_INDEX"} & set(os.environ)
    directory = firm.directory / version
    directory.mkdir()
    wheel = private_wheel(directory, version)
    firm.server.put_wheels(directory)
    lock = small.root / "environment.lock"
    usual = lock.read_text()
    others = [line for line in usual.splitlines() if not line.startswith(PRIVATE_PACKAGE)]
    lock.write_text("\n".join([*others, lock_of(directory)]))
    small.write_env(**shell(firm))
    files = ["--file", "docker-compose.yml", "--file", ".slipway/compose.yml"]
    compose = ["docker", "compose", "--project-name", small.project, *files, "build", "dev"]
    asked = firm.through_the_proxy()
    try:
        done = small.inv("build") if door == "./inv build" else small.run(compose)
        assert done.returncode == 0, said(done)
        assert firm.through_the_proxy() > asked
        assert " bob [" in next(
            line for line in firm.server.log().splitlines() if wheel.name in line
        )
        image = small.image
        for command in (["history", "--no-trunc"], ["image", "inspect"]):
            assert "planted" not in process.run(["docker", *command, image]).stdout
        assert "planted" not in said(done)
    finally:
        small.write_env()
        lock.write_text(usual)


def test_an_index_of_pips_own_file_is_used(small: Workspace, firm: Company, wheels: Path) -> None:
    """Compose cannot find it by itself: `plan --write` builds for an editor that would."""
    conf = firm.directory / "pip.conf"
    conf.write_text(f"[global]\nindex-url = {firm.server.url}/simple/\n")
    netrc = firm.directory / "netrc"
    netrc.write_text(f"machine {firm.server.address} login bob password {INDEX_PASSWORD}\n")
    netrc.chmod(0o600)
    environment = shell(firm, PIP_CONFIG_FILE=str(conf), NETRC=str(netrc))
    del environment["UV_DEFAULT_INDEX"]
    newer = private_wheel(firm.directory, "1.1")
    firm.server.put_wheels(firm.directory)
    (wheels / newer.name).write_bytes(newer.read_bytes())
    private_wheel(wheels).unlink()
    (small.root / "environment.lock").write_text(lock_of(wheels))
    done = small.inv("plan", "--write", env=environment)
    assert done.returncode == 0, said(done)
    assert small.inv("plan", "--json", env=environment).stdout.count("build the image") == 0
    assert newer.name in firm.server.log()
    assert "planted" not in (small.root / ".slipway" / "compose.yml").read_text()


def test_a_proxy_that_refuses_ends_a_build_at_once(small: Workspace, firm: Company) -> None:
    for account, status in (("", "407"), ("ada:wrong-password@", "401")):  # as tinyproxy has it
        environment = shell(firm, HTTPS_PROXY=f"http://{account}{firm.proxy.place}")
        refused(small, environment, f"{firm.proxy.place} refuses ({status}", "USER:PASSWORD@HOST")


def test_an_index_that_refuses_ends_a_build_at_once(small: Workspace, firm: Company) -> None:
    index = f"https://bob:wrong-password@{firm.server.place}/simple/"
    refused(small, shell(firm, UV_DEFAULT_INDEX=index), "answers 401", "credentials")


def test_a_private_authority_must_be_named(small: Workspace, firm: Company) -> None:
    refused(small, shell(firm, CA_BUNDLE=str(SYSTEM_BUNDLE)), "certificate", "CA_BUNDLE")


def test_certificates_that_have_expired_are_named(small: Workspace, firm: Company) -> None:
    directory = firm.directory / "ended"
    directory.mkdir()
    ended = Authority(directory / "authority.pem", ended=True)
    done = small.inv("build", env=shell(firm, CA_BUNDLE=str(ended.path)))
    assert done.returncode == 2
    assert "all of which have expired" in said(done)
    assert done.stderr.count("HINT ") == 1
    certificate = firm.authority.issue(firm.server.address, directory, ended=True)
    server = TlsServer(directory, firm.server.address, certificate, f"bob:{INDEX_PASSWORD}")
    with server.running():
        index = f"{server.url}/simple/"
        refused(small, shell(firm, UV_DEFAULT_INDEX=index), "certificate has expired")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"UV_DEFAULT_INDEX": "https://no-such-host.invalid/simple"}, "no-such-host.invalid"),
        ({"HTTPS_PROXY": "http://no-such-proxy.invalid:3128"}, "no-such-proxy.invalid"),
        ({"HTTPS_PROXY": "http://127.0.0.1:9"}, "127.0.0.1:9: Connection refused"),
    ],
)
def test_out_of_reach_the_cache_does_or_the_build_says_what_is_missing(
    small: Workspace, firm: Company, changes: dict[str, str], what: str
) -> None:
    assert small.inv("build", env=shell(firm)).returncode == 0
    environment = shell(firm, **changes)
    done = small.inv("build", env=environment)
    assert done.returncode == 0, said(done)
    assert "what is cached has to do" in said(done)
    lock = small.root / "environment.lock"
    cached = lock.read_text()
    lock.write_text(f"{cached}slipway-never-published==1.0 --hash=sha256:{'0' * 64}\n")
    refused(small, environment, "packages that are not cached", what)
    lock.write_text(cached)


def test_an_unreadable_bundle_is_named(small: Workspace, firm: Company) -> None:
    done = small.inv("build", env=shell(firm, CA_BUNDLE=str(firm.directory / "absent.pem")))
    assert done.returncode == 2
    assert "absent.pem" in said(done)
    assert done.stderr.count("HINT ") == 1
