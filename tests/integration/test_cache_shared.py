"""A cache that several use: projects of one person, a group, and an engine that cannot see it."""

from __future__ import annotations

import pwd
import shutil
from typing import TYPE_CHECKING

import pytest

from scripts import process
from tests.integration.cache_site import checkout_row, refused, track, workspace_at
from tests.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("links")]

GROUP_ID = 4711
TEAM = "slipway-team"


def test_a_path_that_the_engine_cannot_see_is_named(ext4: Path) -> None:
    """A mount that only this process sees, as a private mount or a remote engine brings it."""
    (ext4 / "hidden").mkdir()
    with workspace_at(ext4 / "project", DVC_CACHE_DIR=str(ext4 / "hidden" / "cache")) as made:
        script = 'mount -t tmpfs none "$1/hidden" && mkdir "$1/hidden/cache" && shift && exec "$@"'
        unshared = ["unshare", "--mount", "sh", "-c", script, "sh", str(ext4)]
        done = made.run([*unshared, "./inv", "up", "--yes"])
        refused(done, 4, str(ext4 / "hidden" / "cache"))
        assert not made.container_id()


def test_two_projects_may_want_different_types_on_one_cache(btrfs: Path) -> None:
    cache = btrfs / "cache"
    cache.mkdir()
    env = {"DVC_CACHE_DIR": str(cache)}
    with workspace_at(btrfs / "one", **env) as one, workspace_at(btrfs / "two", **env) as two:
        one.up()
        files = track(one)
        shutil.copytree(one.root / ".dvc", two.root / ".dvc", ignore=shutil.ignore_patterns("tmp"))
        shutil.copy(one.root / "data.dvc", two.root / "data.dvc")
        two.up()
        assert two.inv("exec", "--", "dvc", "checkout", "--quiet").returncode == 0
        assert one.inv("cache", "--use", "hardlink", "--yes").returncode == 0
        assert two.inv("cache", "--use", "symlink", "--yes").returncode == 0
        theirs = [two.root / path.relative_to(one.root) for path in files]
        assert {path.stat().st_nlink for path in files} == {2}
        assert all(path.is_symlink() and path.exists() for path in theirs)
        (project,) = one.json("cache", "--files", "0")["projects"]
        assert project == {"root": str(two.root), "cache_type": ["symlink"]}
        for made in (one, two):
            assert checkout_row(made)["verdict"] == "works"


@pytest.fixture
def team() -> Iterator[int]:
    """A group of this machine; returns its gid."""
    process.run(["groupadd", "--gid", str(GROUP_ID), TEAM])
    yield GROUP_ID
    process.run(["groupdel", TEAM])


def test_a_group_shares_a_cache_by_contract(ext4: Path, ada: int, team: int) -> None:
    """Each breach is named, nothing is changed on the host; then it works inside."""
    home, cache = ext4 / "ada", ext4 / "cache"
    for directory in (home, cache):
        directory.mkdir()
    process.run(["chown", "-R", f"{ada}:{ada}", str(home)])
    ext4.parent.chmod(0o755)
    cache.chmod(0o755)
    process.run(["chgrp", str(team), str(cache)])
    env = {"DVC_CACHE_DIR": str(cache), "DVC_CACHE_SHARED": "group"}
    made = Workspace(home / "project", uid=ada)
    made.write_env(**env)
    try:
        refused(made.inv("up", "--yes"), 2, "may not write")
        cache.chmod(0o777)
        refused(made.inv("up", "--yes"), 7, TEAM, "not in", "setgid", "usermod -aG", "g+s")
        assert (cache.stat().st_mode & 0o7777, cache.stat().st_gid) == (0o777, team)
        cache.chmod(0o2770)
        name = pwd.getpwuid(ada).pw_name
        process.run(["usermod", "--append", "--groups", TEAM, name])
        made.up()
        assert str(team) in made.inspect()["HostConfig"]["GroupAdd"]
        said_inside = made.inv("exec", "--", "sh", "-c", "umask; id -G").stdout.split()
        assert said_inside[0] == "0002"
        assert str(team) in said_inside[1:]
        track(made)
        refused(made.inv("cache", "--use", "hardlink", "--yes"), 2, "everybody", "MOUNT_WHOLE")
        assert made.inv("cache", "--use", "symlink", "--yes").returncode == 0
        shard = next(path for path in (cache / "files" / "md5").iterdir())
        assert shard.stat().st_mode & 0o7777 == 0o2775
        assert {path.stat().st_gid for path in cache.rglob("*") if path.is_dir()} == {team}
        entry = next((cache / ".slipway" / "projects").iterdir())
        assert entry.stat().st_mode & 0o020, "a colleague can bring it up to date"
        assert made.inv("doctor").returncode == 0
    finally:
        made.remove()
