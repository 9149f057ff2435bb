"""Real workspaces on the real engine; each takes down what it brought up."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.integration.git_site import Site, site_for
from tests.needs import require
from tests.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
USER_ID = 1234 + _PROCESS  # a user for each process: one may be done with theirs before the others
USER_NAME = f"slipway-ada-{_PROCESS}"
DOORS = [
    pytest.param(("root", "inv exec"), id="inv exec"),
    pytest.param(
        ("root", "devcontainer exec"),
        id="devcontainer exec",
        marks=pytest.mark.needs("devcontainer"),
    ),
    pytest.param(("ada", "inv exec"), id="not root"),
]
"""Who goes inside, and how: what git can do there, it can do three times."""


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    """A clone of this process's own user."""
    directory = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    made = Workspace(directory / "project")
    yield made
    made.remove()
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def ada() -> Iterator[int]:
    """A user of this machine who is not root, in the engine's group; returns the uid."""
    require("root")
    known = process.run(["id", str(USER_ID)], check=False)
    if known.returncode != 0:
        options = ["--no-log-init", "--no-create-home", "--groups", "docker"]
        process.run(["useradd", *options, "--uid", str(USER_ID), "--user-group", USER_NAME])
    yield USER_ID
    if known.returncode != 0:
        process.run(["userdel", USER_NAME])


@pytest.fixture(scope="module")
def adas_workspace(ada: int) -> Iterator[Workspace]:
    """A clone of a user who is not root, below a directory that only they may enter."""
    directory = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    made = Workspace(directory / "project", uid=ada)
    process.run(["chown", f"{ada}:{ada}", str(directory)])
    yield made
    made.remove()
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def site(workspace: Workspace) -> Iterator[Site]:
    with site_for(workspace) as made:
        yield made


@pytest.fixture(scope="module")
def adas_site(adas_workspace: Workspace) -> Iterator[Site]:
    with site_for(adas_workspace) as made:
        yield made


@pytest.fixture(params=DOORS)
def each_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Each of the doors in turn."""
    who, door = request.param
    made: Site = request.getfixturevalue("site" if who == "root" else "adas_site")
    with made.person.going_through(door):
        yield made
