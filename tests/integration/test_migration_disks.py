"""Disks that are full, disks and projects that may not be written to, readers without rights.

What only real mounts show, and users that only root can become.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import stat
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.process import run
from tests.contract.dvc_projects import BIG_BYTES, Project, use_own_identity
from tests.faults.colleague import reading
from tests.faults.migrating import Ending, Running, Wish, migrate, migrate_here, rot, run_apart
from tests.faults.sites import Directory, make_template, md5s, pull_every_commit
from tests.filesystems import MIB, mounted
from tests.rare import usual_of

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        use_own_identity(patch)
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


@pytest.mark.parametrize(
    ("room_bytes", "processes"),
    usual_of(
        [(0, True), (MIB // 8, False), (BIG_BYTES // 2, True)],
        itertools.product([0, MIB // 8, BIG_BYTES // 2], [False, True]),
    ),
)
def test_a_full_target(project: Project, tally: Tally, room_bytes: int, processes: bool) -> None:
    truth = md5s(project.hdd)
    with mounted("ext4", size_bytes=DISK_BYTES) as disk, tally.fault("a target disk that is full"):
        target = Directory(disk / "ssd")
        add_remotes(project, ssd=target.path)
        target.path.mkdir()
        fill(disk / "filler", room_bytes=room_bytes)
        ending = migrate(Wish(project.root, "hdd", "ssd", processes=processes))
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


def modes(directory: Path) -> dict[str, str]:
    """The mode of every directory and file, by its path."""
    found = {}
    for folder, below, names in os.walk(directory):
        for name in (*below, *names):
            path = Path(folder, name)
            found[str(path.relative_to(directory))] = stat.filemode(path.stat().st_mode)
    return found


def fill_both(wish: Wish, umask: int) -> Ending | str:
    """Fill one directory by a migration and another by `dvc push`, as one person does."""
    import dvc.cli  # noqa: PLC0415  the fork server has it already

    os.umask(umask)
    ending = migrate_here(wish)
    os.chdir(wish.root)
    for command in (["fetch", "--remote", "hdd"], ["push", "--remote", "pushed"]):
        assert dvc.cli.main([*command, "--quiet"]) == 0
    return ending


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077], ids=oct)
def test_who_may_read_what_was_written_is_as_after_dvc_push(project: Project, umask: int) -> None:
    ssd, pushed = (project.root.parent / name for name in ("ssd", "pushed"))
    add_remotes(project, ssd=ssd, pushed=pushed)
    ending = run_apart(fill_both, Wish(project.root, "hdd", "ssd"), umask)
    assert ending.complete, ending
    ours, theirs = modes(ssd), modes(pushed)
    assert len([path for path in theirs if (pushed / path).is_file()]) > 10
    assert {path: ours[path] for path in theirs} == theirs


@pytest.fixture
def shared(project: Project) -> Iterator[Directory]:
    """The remote ssd in a directory that all may enter: the way to tmp_path is root's alone."""
    top = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    try:
        top.chmod(0o755)
        add_remotes(project, ssd=top / "ssd")
        yield Directory(top / "ssd")
    finally:
        shutil.rmtree(top)


COLLEAGUE = "a reader without root's rights"


def test_a_colleague_reads_what_root_migrates(
    project: Project, shared: Directory, tally: Tally
) -> None:
    truth = md5s(project.hdd)
    with tally.fault(COLLEAGUE):
        with reading(shared.path) as read:
            assert migrate(Wish(project.root, "hdd", "ssd")).complete
        assert sorted(read) == sorted(truth.items())
        assert shared.leftovers() == []


def test_a_colleague_reads_what_a_killed_root_left_and_what_is_repaired(
    project: Project, shared: Directory, tally: Tally
) -> None:
    """What is not checked yet, or was never finished, is root's alone; the rest is everyone's."""
    truth = md5s(project.hdd)
    wish = Wish(project.root, "hdd", "ssd")
    boundaries = migrate(wish).boundaries
    shared.empty()
    with tally.fault(COLLEAGUE):
        with reading(shared.path) as read:
            dies_at = boundaries.index("copying ends") + 1
            assert Running(replace(wish, dies_at=dies_at)).ended() is None
            (key, *_) = sorted(truth)
            rot(shared.path / key)
            assert migrate(wish).complete
        wrong = {(seen, md5) for seen, md5 in read if truth[seen] != md5}
        assert {seen for seen, _ in wrong} <= {key}
        assert dict(read) == truth
        assert shared.leftovers() == []


def test_a_project_on_a_read_only_mount(project: Project, shared: Directory, tally: Tally) -> None:
    with tally.fault("a project that may not be written to"):
        assert migrate(Wish(project.root, "hdd", "ssd")).complete
        shared.empty()
        run(["mount", "--bind", str(project.root), str(project.root)])
        try:
            run(["mount", "--options", "remount,bind,ro", str(project.root)])
            ending = migrate(Wish(project.root, "hdd", "ssd"))
        finally:
            run(["umount", "--lazy", str(project.root)])
        assert ending.complete, ending
        assert "Read-only file system" in ending.said[-1]
        assert shared.md5s() == md5s(project.hdd)
