"""Real workspaces on the real engine; each takes down what it brought up."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.filesystems import MIB, mounted
from tests.integration.git_site import Site, inside, site_for
from tests.integration.proxy_site import Company, company
from tests.needs import require
from tests.workspace import Workspace, said

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
USER_ID = 1234 + _PROCESS  # a user for each process: one may be done with theirs before the others
USER_NAME = f"slipway-ada-{_PROCESS}"
MOST_UPS = 6
DOORS = [
    pytest.param(("root", "inv exec"), id="inv exec"),
    pytest.param(
        ("root", "devcontainer exec"),
        id="devcontainer exec",
        marks=pytest.mark.needs("devcontainer"),
    ),
    pytest.param(("ada", "inv exec"), id="not root"),
]
"""Who goes inside, and how: what git can do there, it can do three times (test_doors.py)."""
MAINLY_THE_FIRST = [
    DOORS[0],
    *(
        pytest.param(*door.values, id=door.id, marks=[*door.marks, pytest.mark.rare])
        for door in DOORS[1:]
    ),
]


@pytest.fixture(autouse=True, scope="module")
def _few_ups() -> Iterator[None]:
    """Each takes seconds, so that the tests of a file share what they bring up."""
    before = Workspace.ups
    yield
    assert os.environ.get("SLIPWAY_TEST_ALL") or Workspace.ups - before <= MOST_UPS


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
        # What has ended, but init has not waited for yet, counts as a process that uses it.
        process.run(["userdel", "--force", USER_NAME])


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
def pushed_site(site: Site) -> Site:
    """The site whose repository has the branch already, so that it can be fetched."""
    inside(site.exec, "git push -q origin main")
    return site


@pytest.fixture(scope="module")
def adas_site(adas_workspace: Workspace) -> Iterator[Site]:
    with site_for(adas_workspace) as made:
        yield made


@pytest.fixture(params=MAINLY_THE_FIRST)
def each_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The first of the doors, and with --all each in turn."""
    who, door = request.param
    made: Site = request.getfixturevalue("site" if who == "root" else "adas_site")
    with made.person.going_through(door):
        yield made


@pytest.fixture(scope="module")
def firm() -> Iterator[Company]:
    with company() as made:
        yield made


@pytest.fixture(scope="module", name="inside")
def _inside_the_firm(workspace: Workspace, firm: Company) -> Workspace:
    """The workspace, brought up as only people of the firm can."""
    done = workspace.inv("up", "--yes", env=firm.shell())
    assert done.returncode == 0, said(done)
    return workspace


@pytest.fixture
def btrfs() -> Iterator[Path]:
    with mounted("btrfs", size_bytes=512 * MIB) as place:
        yield place


@pytest.fixture
def ext4() -> Iterator[Path]:
    with mounted("ext4", size_bytes=512 * MIB) as place:
        yield place
