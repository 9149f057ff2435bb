"""Disks that are full, and disks that may not be written to: what only real mounts show."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from scripts.process import run
from tests.contract.dvc_projects import BIG_BYTES, WHO, Project
from tests.faults.migrating import Wish, migrate
from tests.faults.sites import Directory, make_template, md5s, pull_every_commit
from tests.filesystems import MIB, mounted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.tally import Tally

pytestmark = [
    pytest.mark.needs("links"),
    # DVC's own use of pygtrie, whose newer versions stand in the host's lock.
    pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning"),
]

DISK_BYTES = 48 * MIB


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in WHO.items():
            patch.setenv(name, value)
        make_template(tmp_path)
        yield Project(tmp_path / "project")


def add_remotes(project: Project, **places: Path) -> None:
    told = "".join(f"['remote \"{name}\"']\n    url = {at}\n" for name, at in places.items())
    project.write(".dvc/config.local", told)


def fill(path: Path, *, room_bytes: int) -> None:
    """Write a file until the disk is full, and give ``room_bytes`` back."""
    with path.open("wb", buffering=0) as stream:
        try:
            while stream.write(bytes(MIB // 16)):
                os.fsync(stream.fileno())
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017  the loop ends by it alone
        stream.truncate(max(stream.tell() - room_bytes, 0))
        os.fsync(stream.fileno())


@pytest.mark.parametrize("room_bytes", [0, MIB // 8, BIG_BYTES // 2])
def test_a_full_target(project: Project, tally: Tally, room_bytes: int) -> None:
    truth = md5s(project.hdd)
    with mounted("ext4", size_bytes=DISK_BYTES) as disk, tally.fault("a target disk that is full"):
        target = Directory(disk / "ssd")
        add_remotes(project, ssd=target.path)
        target.path.mkdir()
        fill(disk / "filler", room_bytes=room_bytes)
        ending = migrate(Wish(project.root, "hdd", "ssd"))
        assert ending.exit_code in {5, 6}, ending
        told = ending.message + str(ending.report.get("not_intact", ""))
        assert "No space left on device" in told
        assert "run the same command again" in ending.hint
        assert target.md5s().items() <= truth.items()
        (disk / "filler").unlink()
        assert migrate(Wish(project.root, "hdd", "ssd")).complete
        assert target.md5s() == truth == md5s(project.hdd)
        assert target.leftovers() == []
        assert pull_every_commit(project, target) == pull_every_commit(
            project, Directory(project.hdd)
        )


def test_a_source_that_may_not_be_written_to(
    project: Project, tally: Tally, tmp_path: Path
) -> None:
    truth = md5s(project.hdd)
    with mounted("ext4", size_bytes=DISK_BYTES) as disk, tally.fault("a read-only source"):
        shutil.copytree(project.hdd, disk / "hdd")
        run(["mount", "--options", "remount,ro", str(disk)])
        with pytest.raises(OSError, match="Read-only file system"):
            (disk / "hdd" / "probe").touch()
        target = Directory(tmp_path / "ssd")
        add_remotes(project, hdd=disk / "hdd", ssd=target.path)
        ending = migrate(Wish(project.root, "hdd", "ssd"))
        assert ending.complete, ending
        assert target.md5s() == truth == md5s(disk / "hdd")
        assert pull_every_commit(project, target) == pull_every_commit(
            project, Directory(project.hdd)
        )
