"""What `up` refuses before it makes anything: settings, bases, engines and places of no use."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.workspace import Workspace, base_image, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.needs("docker")


@pytest.fixture(autouse=True)
def _usual_settings(workspace: Workspace) -> Iterator[None]:
    yield
    workspace.write_env()
    assert not workspace.container_id()


@pytest.fixture
def other_python() -> Iterator[str]:
    """A base image whose python3 says that it is another version."""
    name = "slipway-test:python3.12"
    dockerfile = (
        f"FROM {base_image()}\nRUN printf '#!/bin/sh\\necho 3.12\\n' > /usr/bin/python3.x "
        "&& chmod +x /usr/bin/python3.x && ln -sf /usr/bin/python3.x /usr/bin/python3\n"
    )
    process.run(["docker", "build", "--quiet", "--tag", name, "-"], stdin=dockerfile)
    yield name
    process.run(["docker", "image", "rm", "--force", name])


def test_a_base_that_is_not_python_39_is_refused_by_name(
    workspace: Workspace, other_python: str
) -> None:
    workspace.write_env(BASE_IMAGE=other_python)
    done = workspace.inv("build")
    assert done.returncode == 4
    assert f"BASE_IMAGE is {other_python}, which is not Python 3.9: its python3 is 3.12" in said(
        done
    )


@pytest.mark.parametrize(
    ("task", "values", "message"),
    [
        ("up", {"DVC_CACHE_DIR": "/no/such/cache"}, "DVC_CACHE_DIR is /no/such/cache, which does"),
        ("plan", {"BASE_IMAG": "x"}, "the key BASE_IMAG is unknown"),
        ("plan", {"SHM_SIZE": "huge"}, "SHM_SIZE (from .env) is not valid"),
        ("plan", {"CA_BUNDLE": "/no/such.pem"}, "CA_BUNDLE is /no/such.pem"),
        ("plan", {"DVC_CACHE_DIR": "/"}, "DVC_CACHE_DIR is /"),
    ],
)
def test_broken_settings_are_refused_by_their_key(
    workspace: Workspace, task: str, values: dict[str, str], message: str
) -> None:
    """By `up`, which plans first, as by `plan`."""
    workspace.write_env(**values)
    done = workspace.inv(task)
    assert done.returncode == 2
    assert message in said(done)
    assert "HINT" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_engine_it_says_how_to_get_one(workspace: Workspace) -> None:
    done = workspace.inv("up", env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert done.returncode == 4
    assert "No Docker engine answers" in said(done)
    assert "./inv engine" in said(done)
    assert "Traceback" not in done.stderr


def test_without_compose_it_says_so(workspace: Workspace, tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    real = process.run(["sh", "-c", "command -v docker"]).stdout.strip()
    docker.write_text(f'#!/bin/sh\nif [ "$1" = compose ]; then exit 1; fi\nexec {real} "$@"\n')
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    done = workspace.inv("up", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert done.returncode == 3
    assert "`docker compose` is not installed" in said(done)


@pytest.mark.parametrize("first", [True, False])
def test_a_workspace_that_cannot_be_written_is_named(
    adas_workspace: Workspace, first: bool
) -> None:
    """Before there is an environment the wrapper says it, and the plan's check from then on."""
    if not first:
        assert adas_workspace.inv("--list").returncode == 0
    adas_workspace.root.chmod(0o500)
    try:
        done = adas_workspace.inv("up", "--yes")
    finally:
        adas_workspace.root.chmod(0o755)
    assert done.returncode == 2
    assert "where you may not write" in said(done)
    assert "Traceback" not in done.stderr
    assert not (adas_workspace.root / ".slipway" / "compose.yml").exists()


@pytest.mark.needs("root")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """A real one: an ext4 of 12 MB that a file has filled."""
    disk, mounted = tmp_path / "disk", tmp_path / "mounted"
    mounted.mkdir()
    with disk.open("wb") as stream:
        stream.truncate(12 << 20)
    process.run(["mkfs.ext4", "-q", str(disk)])
    process.run(["mount", "-o", "loop", str(disk), str(mounted)])
    try:
        full = Workspace(mounted / "project")
        process.run(["dd", "if=/dev/zero", f"of={mounted}/filler", "bs=4k"], check=False)
        done = full.inv("up", "--yes")
        assert done.returncode == 1
        assert "No space left on device" in said(done)
        assert "Traceback" not in done.stderr
        assert not (full.root / ".slipway" / "compose.yml").exists()
        assert full.container_id() == ""
    finally:
        process.run(["umount", str(mounted)])
