"""The reference dev-container CLI, which VS Code is built on, opens the same container."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.workspace import said

if TYPE_CHECKING:
    from scripts import process
    from tests.workspace import Workspace

pytestmark = pytest.mark.needs("docker", "devcontainer")


def devcontainer(workspace: Workspace, verb: str, *arguments: str) -> process.Completed:
    program = os.environ.get("SLIPWAY_TEST_DEVCONTAINER", "devcontainer")
    return workspace.run([program, verb, "--workspace-folder", str(workspace.root), *arguments])


def outcome(done: process.Completed) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_it_attaches_to_what_inv_brought_up(workspace: Workspace) -> None:
    workspace.up()
    result = outcome(devcontainer(workspace, "up"))
    assert result["outcome"] == "success"
    assert result["containerId"] == workspace.container_id()
    assert result["remoteWorkspaceFolder"] == str(workspace.root)
    assert result["composeProjectName"] == workspace.project
    inside = devcontainer(workspace, "exec", "python", "-c", "import os; print(os.getcwd())")
    assert inside.stdout.strip() == str(workspace.root)


def test_reopening_makes_the_container_that_inv_would_make(workspace: Workspace) -> None:
    workspace.up()
    workspace.inv("down")
    (workspace.root / ".slipway" / "compose.yml").unlink()
    result = outcome(devcontainer(workspace, "up"))
    assert result["containerId"] == workspace.container_id()
    assert "Nothing to do" in said(workspace.up())
    assert workspace.container_id() == result["containerId"], "one container, two doors"


def test_closing_the_editor_leaves_the_container_running(workspace: Workspace) -> None:
    read = outcome(devcontainer(workspace, "read-configuration"))
    assert read["configuration"]["shutdownAction"] == "none"


def test_attaching_finds_the_user_the_folder_and_the_extensions(workspace: Workspace) -> None:
    workspace.inv("down")
    workspace.inv("build")
    workspace.up()
    label = json.loads(workspace.inspect()["Config"]["Labels"]["devcontainer.metadata"])
    assert label[0]["remoteUser"] == workspace.json("plan")["user"]["name"]
    assert label[0]["workspaceFolder"] == str(workspace.root)
    merged = outcome(
        devcontainer(workspace, "read-configuration", "--include-merged-configuration")
    )["mergedConfiguration"]
    assert merged["remoteUser"] == label[0]["remoteUser"]
    assert "ms-python.python" in merged["customizations"]["vscode"][0]["extensions"]


def test_its_configuration_names_the_two_files_that_compose_reads(workspace: Workspace) -> None:
    read = outcome(devcontainer(workspace, "read-configuration"))
    files = [Path(name).name for name in read["configuration"]["dockerComposeFile"]]
    assert files == ["docker-compose.yml", "compose.yml"]
