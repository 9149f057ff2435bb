"""A secret planted in each place is found there and nowhere else; none is there by itself."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import process
from scripts.container import places
from scripts.container.layers import search_layers
from scripts.container.needles import Hit, Needles, Secret
from scripts.progress import SilentProgress
from tests.integration.proxy_site import (
    Authority,
    Tinyproxy,
    TlsServer,
    installers,
    lock_of,
    private_wheel,
)
from tests.integration.ssh_server import gateway
from tests.workspace import Workspace, base_image, said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.container.places import Place

pytestmark = pytest.mark.needs("docker")

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "planted/secret+7f3a9c<1>",
    "HF_TOKEN": "hf_plantedsecret5c1b",
    "WANDB_API_KEY": "planted-wandb-0d4e8b",
}
NEEDLES = Needles(Secret(key, value) for key, value in SECRETS.items())
AWS, HF, WANDB = (SECRETS[key] for key in ("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "WANDB_API_KEY"))
TAG = "slipway-test:leaks"
PROXY, INDEX = "planted-proxy-51ce", "planted-index-9a02"
EXTRA, NETRC, DVC, GIT = (
    "planted-extra-77b3",
    "planted-netrc-e4",
    "planted-dvc-20",
    "planted-git-8f",
)


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """A small image with a file, one that a later layer removes, an argument and a variable."""
    encoded = base64.b64encode(f"ada:{HF}".encode()).decode()
    dockerfile = (
        f"FROM {base_image()}\nARG TOKEN\n"
        f"RUN echo 'key = {AWS}' > /kept && echo '{encoded}' > /removed\n"
        f'RUN rm /removed && test -n "$TOKEN"\nENV WANDB_API_KEY={WANDB}\n'
    )
    arguments = ["--build-arg", f"TOKEN={HF}"]
    process.run(["docker", "build", "--quiet", "--tag", TAG, *arguments, "-"], stdin=dockerfile)
    yield process.run(["docker", "image", "inspect", "--format", "{{.Id}}", TAG]).stdout.strip()
    process.run(["docker", "image", "rm", "--force", TAG])


@pytest.fixture(scope="module")
def container(image: str) -> Iterator[str]:
    """A container with a secret in a label, in a variable and on both streams of its log."""
    labelled = ["--label", f"token={HF}"]
    printing = ["sh", "-c", 'echo "$WANDB_API_KEY"; echo "$0" >&2', HF]
    started = process.run(["docker", "run", "--detach", *labelled, image, *printing]).stdout.strip()
    process.run(["docker", "wait", started])
    yield started
    process.run(["docker", "rm", "--force", started])


def found(place: Place) -> dict[str, set[str]]:
    """Return the keys found by where, the digits of identifiers left out."""
    return {
        " ".join(word for word in where.split() if not any(map(str.isdigit, word))): {
            f"{hit.key} {hit.form}" for hit in hits
        }
        for where, hits in place.found.items()
    }


def test_history_and_configuration_of_an_image(image: str) -> None:
    assert found(places.search_history([image], NEEDLES)) == {
        "history of image": {
            "AWS_SECRET_ACCESS_KEY escaped", "HF_TOKEN as it is", "HF_TOKEN in base64",
            "WANDB_API_KEY as it is",
        },
        "configuration of image": {"WANDB_API_KEY as it is"},
    }  # fmt: skip


def test_layers_even_what_a_later_one_removes(image: str) -> None:
    seen = found(search_layers([image], NEEDLES, SilentProgress()))
    layers = {where: hits for where, hits in seen.items() if "layer" in where}
    assert layers == {
        "image layer file /kept": {"AWS_SECRET_ACCESS_KEY as it is"},
        "image layer file /removed": {"HF_TOKEN in base64"},
    }


def test_a_container_and_its_log(container: str) -> None:
    assert found(places.search_containers([container], NEEDLES)) == {
        "configuration of container": {"HF_TOKEN as it is", "WANDB_API_KEY as it is"}
    }
    assert found(places.search_logs([container], NEEDLES)) == {
        "log of container": {"HF_TOKEN as it is", "WANDB_API_KEY as it is"}
    }


def test_files_of_slipway(tmp_path: Path) -> None:
    state = tmp_path / ".slipway"
    (state / "deep").mkdir(parents=True)
    (state / "deep" / "cache.db").write_bytes(b"\0" * (5 << 20) + HF.encode() + b"\0")
    (state / WANDB).touch()
    (state / "link").symlink_to("/etc/passwd")
    place = places.search_state(state, NEEDLES)
    assert place.found == {
        f"name of .slipway/{WANDB}": {Hit("WANDB_API_KEY", "as it is")},
        ".slipway/deep/cache.db": {Hit("HF_TOKEN", "as it is")},
    }


def test_compose_output(workspace: Workspace) -> None:
    """It reads .env by itself; the proxy of a build is no leak, what a service is given is one."""
    workspace.write_env(HF_TOKEN=HF, HTTPS_PROXY=f"http://ada:{WANDB}@proxy.test:3128")
    assert workspace.inv("plan", "--write").returncode == 0
    assert not places.search_compose(workspace.root, NEEDLES).found
    compose = workspace.root / "docker-compose.yml"
    text = compose.read_text()
    planted = 'labels: ["token=$HF_TOKEN"]'
    compose.write_text(text.replace("    init: true", f"    {planted}\n    init: true"))
    place = places.search_compose(workspace.root, NEEDLES)
    compose.write_text(text)
    assert found(place) == {"`docker compose config`": {"HF_TOKEN as it is"}}


@dataclass(frozen=True)
class Site:
    """A company with a proxy and a package index that want accounts, and a person's settings."""

    directory: Path
    server: TlsServer
    bundle: Path
    proxy: Tinyproxy

    def environment(self) -> dict[str, str]:
        """Return a person's environment, in which and in whose files everything is planted."""
        index = f"https://bob:{INDEX}@{self.server.place}/simple/"
        extra = f"https://eve:{EXTRA}@{self.server.place}/hello/"
        proxy = f"http://ada:{PROXY}@{self.server.address}:{self.proxy.port}"
        return {
            "HTTPS_PROXY": proxy,
            "https_proxy": proxy,
            "UV_DEFAULT_INDEX": index,
            "PIP_INDEX_URL": index,
            "UV_INDEX": f"mine={extra}",
            "PIP_EXTRA_INDEX_URL": extra,
            "CA_BUNDLE": str(self.bundle),
            "AWS_ACCESS_KEY_ID": "AKIAPLANTED7EXAMPLE",
            "AWS_SESSION_TOKEN": "planted-session-6d10",
            "NETRC": str(self.directory / "netrc"),
            "GIT_CONFIG_GLOBAL": str(self.directory / "gitconfig"),
            "XDG_CACHE_HOME": str(self.directory / "cache"),
        }


PLANTED_KEYS = {
    *SECRETS, "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "HTTPS_PROXY", "https_proxy",
    "UV_DEFAULT_INDEX", "PIP_INDEX_URL", "UV_INDEX", "PIP_EXTRA_INDEX_URL",
    "password of git.test", "password of packages.test", "password of 'remote \"web\"'",
}  # fmt: skip


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    directory = Path(tempfile.mkdtemp(prefix="slipway-leaks-"))
    authority = Authority(directory / "authority.pem")
    address = gateway()
    certificate = authority.issue(address, directory)
    server = TlsServer(directory, address, certificate, f"bob:{INDEX}")
    proxy = Tinyproxy(directory, f"ada:{PROXY}")
    # Not only on loopback: a build would use the host's network, and the real image be built anew.
    with (directory / "tinyproxy.conf").open("a") as configuration:
        configuration.write(f"Listen {address}\n")
    bundle = directory / "bundle.pem"
    system = Path("/etc/ssl/certs/ca-certificates.crt").read_bytes()
    bundle.write_bytes(system + authority.path.read_bytes())
    machines = {"packages.test": NETRC, "git.test": GIT}
    (directory / "netrc").write_text(
        "".join(f"machine {name} login ada password {word}\n" for name, word in machines.items())
    )
    (directory / "gitconfig").write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.com\n[credential]\n"
        f'\thelper = "!f() {{ echo username=ada; echo password={GIT}; }}; f"\n'
    )
    with proxy.running(), server.running():
        yield Site(directory, server, bundle, proxy)
    shutil.rmtree(directory)


def plant(workspace: Workspace) -> None:
    """Write the secrets of a workspace's own files."""
    values = {key: f"'{value}'" for key, value in SECRETS.items()}
    workspace.write_env(GIT_CREDENTIALS="host", **values)
    remote = ["git", "remote", "add", "web", "https://git.test/x.git"]
    process.run(remote, cwd=workspace.root)
    local = workspace.root / ".dvc" / "config.local"
    local.parent.mkdir(exist_ok=True)
    local.write_text(f"['remote \"web\"']\n    url = https://data.test/\n    password = {DVC}\n")


def require_clean(workspace: Workspace, environment: dict[str, str]) -> None:
    """Look for leaks as a person does: all that is planted is looked for, nothing is found."""
    done = workspace.inv("leaks", "--json", env=environment)
    assert done.returncode == 0, said(done)
    assert "planted" not in said(done)
    report = json.loads(done.stdout)
    assert set(report["keys"]) >= PLANTED_KEYS
    assert report["findings"] == report["unsearched"] == []


@pytest.fixture(scope="module")
def small(site: Site) -> Iterator[Workspace]:
    """A workspace whose image is built anew, of little, with everything planted."""
    wheels = site.directory / "wheels"
    wheels.mkdir()
    installers(wheels)
    private_wheel(wheels)
    site.server.put_wheels(wheels)
    workspace = Workspace(site.directory / "small")
    (workspace.root / "environment.lock").write_text(lock_of(wheels))
    plant(workspace)
    done = workspace.inv("build", "--no-cache", env=site.environment())
    assert done.returncode == 0, said(done)
    yield workspace
    workspace.remove(images=True)


@pytest.mark.needs("proxy")
def test_a_build_with_planted_secrets_leaks_none(small: Workspace, site: Site) -> None:
    require_clean(small, site.environment())


@pytest.mark.needs("proxy")
def test_what_was_clean_is_not_read_again(small: Workspace, site: Site) -> None:
    first = small.inv(
        "leaks", env={**site.environment(), "XDG_CACHE_HOME": str(site.directory / "x")}
    )
    assert "searched before" not in said(first)
    again = small.inv(
        "leaks", env={**site.environment(), "XDG_CACHE_HOME": str(site.directory / "x")}
    )
    assert again.returncode == 0
    assert "layers searched before for the same secrets" in said(again)
    other = {**site.environment(), "XDG_CACHE_HOME": str(site.directory / "x")}
    other["AWS_SESSION_TOKEN"] = "another-session-token"
    assert "searched before" not in said(small.inv("leaks", env=other))
    (record,) = (site.directory / "x" / "slipway").iterdir()
    assert record.stat().st_mode & 0o777 == 0o600
    assert "planted" not in record.read_text()


@pytest.mark.needs("proxy")
def test_a_planted_leak_is_found_named_and_gone_when_removed(small: Workspace, site: Site) -> None:
    environment = site.environment()
    root = small.root
    notes = root / ".slipway" / "notes.txt"
    originals = {name: (root / name).read_text() for name in ("Dockerfile", "docker-compose.yml")}
    lines = f"\nRUN echo '{AWS}' > /forgotten\nRUN rm /forgotten\nENV HF_TOKEN={HF}\n"
    (root / "Dockerfile").write_text(originals["Dockerfile"] + lines)
    assert small.inv("build", env=environment).returncode == 0
    image = small.image
    labelled = originals["docker-compose.yml"].replace(
        "    init: true", f"    labels: ['token={PROXY}']\n    init: true"
    )
    assert labelled != originals["docker-compose.yml"]
    (root / "docker-compose.yml").write_text(labelled)
    notes.write_text(base64.b64encode(f"ada:{INDEX}".encode()).decode())
    label = f"com.docker.compose.project={small.project}"
    printing = ["sh", "-c", "echo $0", WANDB]
    started = process.run(["docker", "run", "--detach", "--label", label, image, *printing])
    container = started.stdout.strip()
    process.run(["docker", "wait", container])
    try:
        done = small.inv("leaks", env={**environment, "COLUMNS": "300"})
        report = json.loads(small.inv("leaks", "--json", env=environment).stdout)
    finally:
        process.run(["docker", "rm", "--force", container])
        notes.unlink()
        for name, text in originals.items():
            (root / name).write_text(text)
    assert done.returncode == 4
    assert "planted" not in done.stdout + done.stderr
    assert "Secrets stand where others may read them:" in said(done)
    assert done.stderr.count("HINT ") == 1
    found_at = {(finding["key"], finding["place"]) for finding in report["findings"]}
    short = process.run(["docker", "image", "inspect", "--format", "{{.Id}}", image]).stdout[7:19]
    for key, place in {
        ("AWS_SECRET_ACCESS_KEY", f"history of image {short}"),
        ("HF_TOKEN", f"configuration of image {short}"),
        ("WANDB_API_KEY", f"configuration of container {container[:12]}"),
        ("WANDB_API_KEY", f"log of container {container[:12]}"),
        ("HTTPS_PROXY", "`docker compose config`"),
        ("UV_DEFAULT_INDEX", ".slipway/notes.txt"),
    }:
        assert (key, place) in found_at
        assert key in said(done)
        assert place in said(done)
    in_layer = [place for _, place in found_at if place.endswith(", file /forgotten")]
    assert len(in_layer) == 1
    assert in_layer[0] in said(done)
    assert small.inv("build", env=environment).returncode == 0
    require_clean(small, environment)


@pytest.mark.rare  # the engine takes a minute to hand out 8.6 GB of the same steps as `small`'s
@pytest.mark.needs("proxy")
def test_after_up_with_the_real_image_nothing_is_found_anywhere(
    workspace: Workspace, site: Site
) -> None:
    workspace.write_env()
    workspace.up()  # first without them: no layer is built anew for what is planted
    plant(workspace)
    environment = site.environment()
    done = workspace.inv("up", "--yes", env=environment)
    assert done.returncode == 0, said(done)
    assert "planted" not in said(done)
    script = "echo $AWS_SECRET_ACCESS_KEY; echo url=https://git.test/x.git | git credential fill"
    seen = workspace.inv("exec", "--", "sh", "-c", script, env=environment)
    assert AWS in seen.stdout
    assert f"password={GIT}" in seen.stdout, "it was lent, so that it could have leaked"
    require_clean(workspace, environment)
