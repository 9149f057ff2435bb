"""docker-compose.yml alone, without Slipway's overlay, as `docker compose up` reads it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import process
from scripts.container.model import RAY_NODES
from scripts.crossing.network import find_ca_bundle
from tests.integration.proxy_site import installers, lock_of
from tests.workspace import REPOSITORY, Workspace, base_image

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker")

PROJECT = "slipway-alone"
DEFAULT_USER_ID = 1000


@pytest.fixture
def alone() -> Iterator[Workspace]:
    directory = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    workspace = Workspace(directory / "project", uid=DEFAULT_USER_ID)
    installers(directory)  # an image of little: what is in it compose has no part in
    (workspace.root / "environment.lock").write_text(lock_of(directory))
    # Other containers may hold the usual ports.
    (workspace.root / "no-ports.yml").write_text("services: {dev: {ports: !reset []}}\n")
    yield workspace
    compose(workspace, "down", "--timeout", "1")
    process.run(["docker", "image", "rm", "--force", "slipway-dev:latest"], check=False)
    shutil.rmtree(directory)


def compose(workspace: Workspace, *arguments: str) -> process.Completed:
    command = ["docker", "compose", "--project-name", PROJECT, "--file", "docker-compose.yml"]
    bundle = find_ca_bundle(None, {})
    env = {"BASE_IMAGE": base_image(), **({"CA_BUNDLE": str(bundle)} if bundle else {})}
    return process.run(
        [*command, "--file", "no-ports.yml", *arguments], cwd=workspace.root, env=env
    )


def test_it_works_alone(alone: Workspace) -> None:
    compose(alone, "up", "--detach", "--build", "--wait", "dev")
    script = "id -u; pwd; python -c 'import sys; print(sys.version_info[:2])'; touch made-inside"
    done = compose(alone, "exec", "--no-TTY", "dev", "sh", "-c", script)
    assert done.stdout.splitlines() == [str(DEFAULT_USER_ID), "/workspace", "(3, 9)"]
    assert (alone.root / "made-inside").stat().st_uid == DEFAULT_USER_ID


def test_it_is_hardened_and_publishes_on_loopback_only() -> None:
    command = ["docker", "compose", "--file", "docker-compose.yml", "--profile", "*"]
    read = process.run([*command, "config", "--format", "json"], cwd=REPOSITORY)
    services = json.loads(read.stdout)["services"]
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"]
        assert "cap_add" not in service
        assert "no-new-privileges:true" in service["security_opt"]
        assert service["init"] is True
        hosts = {port["host_ip"] for port in service.get("ports", [])}
        assert hosts == (set() if name in RAY_NODES else {"127.0.0.1"})
    dev = services["dev"]
    assert dev["healthcheck"]["test"][0] == "CMD"
    assert dev["shm_size"] == str(8 * 1024**3)
    assert not any(volume["bind"].get("create_host_path") for volume in dev["volumes"])
