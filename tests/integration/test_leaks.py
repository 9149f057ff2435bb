"""A secret planted in each place is found there and nowhere else; none is there by itself."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from scripts import process
from scripts.container import places
from scripts.container.layers import search_layers
from scripts.container.needles import Hit, Needles, Secret
from scripts.progress import SilentProgress
from tests.workspace import Workspace, base_image, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


def test_after_up_nothing_is_found_anywhere(workspace: Workspace) -> None:
    workspace.write_env(**{key: f"'{value}'" for key, value in SECRETS.items()})
    workspace.up()
    seen = workspace.inv("exec", "--", "sh", "-c", "echo $AWS_SECRET_ACCESS_KEY")
    assert seen.stdout.strip() == AWS
    done = workspace.inv("leaks")
    assert done.returncode == 0, said(done)
    assert "Looked for 3 secrets" in said(done)
    assert done.stdout.count("✓") == 6
    for value in SECRETS.values():
        assert value not in done.stdout + done.stderr


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
