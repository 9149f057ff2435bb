"""Clones of the same content share one image: built once, by whoever comes first."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import process
from scripts.container.engines.docker import DockerEngine
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker")

LARGE_BYTES = 150_000_000
LARGE = f"RUN head -c {LARGE_BYTES} /dev/urandom >/large\n"


@pytest.fixture(scope="module")
def clones() -> Iterator[tuple[Workspace, Workspace]]:
    """Two clones of one content that nothing else has; they came up at once."""
    directory = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    made = (Workspace(directory / "one"), Workspace(directory / "another"))
    for clone in made:
        with (clone.root / "Dockerfile").open("a") as dockerfile:
            dockerfile.write(f"LABEL slipway.test={directory.name}\n")
    with ThreadPoolExecutor() as pool:
        list(pool.map(Workspace.up, made))
    yield made
    for clone in made:
        clone.remove(images=True)
    shutil.rmtree(directory)


def test_two_that_come_up_at_once_both_work_and_share_it(
    clones: tuple[Workspace, Workspace],
) -> None:
    assert clones[0].image == clones[1].image
    for clone in clones:
        assert clone.container_id()
        assert clone.json("plan")["steps"] == [], "whichever build took the name last"


def test_the_second_clone_builds_nothing(clones: tuple[Workspace, Workspace]) -> None:
    _, another = clones
    assert another.inv("down").returncode == 0
    shutil.rmtree(another.root / ".slipway")
    assert "build the image" not in said(another.up())
    linked = another.inv("exec", "--", "sh", "-c", "cd /workspace && pwd -P && command -v train")
    assert linked.stdout.split() == [
        str(another.root), "/var/lib/slipway/workspace/demo/bin/train"
    ]  # fmt: skip


def test_a_link_is_there_again_after_a_restart(clones: tuple[Workspace, Workspace]) -> None:
    process.run(["docker", "restart", "--time", "0", clones[0].container_id()])
    seen = clones[0].inv("exec", "--", "readlink", "-f", "/workspace")
    assert seen.stdout.strip() == str(clones[0].root)


def test_an_image_that_nothing_uses_any_more_is_told(clones: tuple[Workspace, Workspace]) -> None:
    one, another = clones
    assert another.inv("down").returncode == 0
    dockerfile = one.root / "Dockerfile"
    text = dockerfile.read_text()
    user, rest = text.rsplit("USER ", 1)
    dockerfile.write_text(f"{user}{LARGE}USER {rest}")
    one.up()
    old = one.image
    dockerfile.write_text(text + f"LABEL slipway.test.again={secrets.token_hex(4)}\n")
    told = said(one.up())
    assert "of which no container is made" in told
    assert "`./inv clean` removes them" in told
    assert process.run(["docker", "image", "inspect", old], check=False).returncode == 0, "unasked"
    refused = one.inv("clean")
    assert refused.returncode == 2
    assert "Nothing was removed" in refused.stderr
    assert old in said(one.inv("clean", "--dry-run"))
    found = json.loads(one.inv("clean", "--dry-run", "--json").stdout)
    assert found["freed_bytes"] is None
    assert {old, another.image} <= set(found["images"])
    assert one.image not in found["images"]
    assert found["size_bytes"] >= LARGE_BYTES
    engine = DockerEngine()
    assert LARGE_BYTES <= engine.remove_images([old]) < 2 * LARGE_BYTES
    engine.close()
