"""A host user who is not root, and users that the base image did not expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts import process
from scripts.crossing.routes import observe_routes, why_build_on_host
from scripts.settings import read_settings
from tests.workspace import REPOSITORY, Workspace, base_image, said

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("docker")


def test_files_made_inside_belong_to_the_person_outside(
    ada: int, adas_workspace: Workspace
) -> None:
    adas_workspace.up()
    plan = adas_workspace.json("plan")
    assert plan["user"] == {"name": "dev", "uid": ada, "gid": ada, "reason": "", "groups": []}
    script = "id -un; echo x > made-inside; git config user.name; mkdir -p ~/.cache && echo home"
    done = adas_workspace.inv("exec", "--", "sh", "-c", script)
    assert said(done) == "dev home"
    assert (adas_workspace.root / "made-inside").stat().st_uid == ada
    assert (adas_workspace.root / ".slipway" / "compose.yml").stat().st_uid == ada


def test_a_commit_inside_leaves_every_file_to_the_person(
    ada: int, adas_workspace: Workspace
) -> None:
    adas_workspace.up()
    script = (
        "echo y > committed && git add committed && "
        "git -c user.name=Ada -c user.email=ada@example.com commit -qm inside && "
        "git log -1 --format=%s"
    )
    assert said(adas_workspace.inv("exec", "--", "sh", "-c", script)) == "inside"
    objects = (adas_workspace.root / ".git" / "objects").rglob("*")
    assert {path.stat().st_uid for path in objects} == {ada}


def test_a_package_can_be_tried_inside_without_root(adas_workspace: Workspace) -> None:
    adas_workspace.up()
    done = adas_workspace.inv("exec", "--", "pip", "install", "--quiet", "six")
    assert done.returncode == 0, said(done)


@pytest.fixture
def image() -> Iterator[str]:
    yield "slipway-test:user"
    process.run(["docker", "image", "rm", "--force", "slipway-test:user"], check=False)


@pytest.mark.parametrize(
    ("username", "uid", "gid"),
    [
        ("dev", 33, 33),  # www-data's, in every Debian
        ("dev", 1000, 100),  # a gid that is the group `users`
        ("dev", 4000000000, 4000000000),  # as directory services give them
        ("root", 0, 0),
    ],
)
def test_a_uid_that_is_taken_or_huge_or_root_works(
    image: str, username: str, uid: int, gid: int
) -> None:
    args = {
        "BASE_IMAGE": base_image(),
        "USERNAME": username,
        "USER_UID": str(uid),
        "USER_GID": str(gid),
        "WORKSPACE": "link",
    }
    flags = [word for key, value in args.items() for word in ("--build-arg", f"{key}={value}")]
    if why_build_on_host(read_settings(REPOSITORY).network, observe_routes()):
        flags += ["--network", "host"]  # as `up` builds, whose layers are taken
    process.run(["docker", "build", "--quiet", "--tag", image, *flags, str(REPOSITORY)])
    script = (
        "id -un; id -u; id -g; touch ~/file && echo home; cd /workspace && pwd -P; "
        "python -c 'import sys; print(sys.prefix)'; bash -lc 'command -v dvc'"
    )
    alone = ["--rm", "--cap-drop", "ALL", "--env", "SLIPWAY_WORKSPACE=/home/someone/project"]
    mounted = ["--tmpfs", "/home/someone/project"]
    done = process.run(["docker", "run", *alone, *mounted, image, "sh", "-c", script])
    assert done.stdout.split() == [
        username, str(uid), str(gid), "home", "/home/someone/project",
        "/opt/environment", "/opt/environment/bin/dvc",
    ]  # fmt: skip
