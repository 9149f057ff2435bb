"""Relinking on real btrfs, xfs and ext4: reflinks, limits, full and read-only disks, kill -9."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import process
from scripts.errors import CacheError
from scripts.links.checkout import LinkState
from scripts.links.extents import own_bytes as own_bytes_of_path
from scripts.links.extents import share_extents
from scripts.links.relink import relink
from scripts.links.relinked import verify_sample
from scripts.links.repair import repair
from scripts.links.tracked import observe
from tests.contract.dvc_projects import key_of, make_project, md5
from tests.contract.link_checkouts import (
    FILES,
    content,
    edit,
    is_clean,
    isolate,
    make_checkout,
    states,
    tracked,
)
from tests.filesystems import KINDS, MIB, mounted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.dvc_projects import Project

pytestmark = [
    pytest.mark.needs("links"),
    # DVC itself, in this process: what it uses of pygtrie is about to change there.
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),
]

REPOSITORY = Path(__file__).parents[2]
EXT4_MOST_NAMES = 65_000


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path)


@pytest.fixture(params=KINDS)
def disk(request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    with mounted(request.param) as path:
        yield request.param, path


@pytest.fixture(params=["btrfs", "xfs"])
def reflinking(request: pytest.FixtureRequest) -> Iterator[Path]:
    with mounted(request.param) as path:
        yield path


def used_bytes(path: Path) -> int:
    process.run(["sync", "--file-system", str(path)])
    status = os.statvfs(path)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def test_reflinks_share_the_object_s_extents_and_edits_leave_it_alone(reflinking: Path) -> None:
    project = make_checkout(reflinking, "copy", files={**FILES, "large": 20 * MIB})
    relink(project.root, ["copy"])  # `dvc add` with cache.type copy leaves reflinks
    os.sync()
    bytes_before = content(project)
    assert set(states(project).values()) == {"copy"}
    used_before = used_bytes(reflinking)
    done = relink(project.root, ["reflink"])
    assert set(states(project).values()) == {"reflink"}
    assert all(share_extents(file.path, file.object_path) for file in observe(project.root).files)
    assert content(project) == bytes_before
    assert verify_sample(done.sample) == done.failed == ()
    assert done.bytes_saved >= sum(FILES.values()) + 20 * MIB
    assert used_before - used_bytes(reflinking) > 19 * MIB
    assert is_clean(project)
    assert relink(project.root, ["reflink"]).files_changed == 0
    with (project.root / "large").open("r+b") as file:
        file.write(b"mine")
    found = tracked(project, "large", contents=True)
    assert found.is_right is False
    assert not found.corrupts_cache
    assert Path(found.object_path).read_bytes()[:4] != b"mine"


@pytest.mark.parametrize("types", [["reflink"], ["hardlink"], ["symlink"], ["copy"]])
def test_from_reflinks_to_every_type_and_back(reflinking: Path, types: list[str]) -> None:
    project = make_checkout(reflinking, "reflink")
    bytes_before = content(project)
    assert set(states(project).values()) == {"reflink"}
    relink(project.root, types)
    assert set(states(project).values()) == set(types)
    assert relink(project.root, ["reflink"]).failed == ()
    assert set(states(project).values()) == {"reflink"}
    assert content(project) == bytes_before
    assert is_clean(project)


def test_small_files_of_btrfs_cost_nothing_and_are_not_made_again() -> None:
    with mounted("btrfs") as disk:
        project = make_checkout(disk, "copy", files={"data/tiny": 100, "data/empty": 0})
        os.sync()
        assert set(states(project).values()) == {"inline"}
        assert {file.own_bytes for file in observe(project.root).files} == {0}
        for types in (["reflink"], ["copy"]):
            assert relink(project.root, types).files_changed == 0
        relink(project.root, ["symlink"])
        done = relink(project.root, ["reflink"])
        assert done.files_changed == 2
        assert done.failed == ()
        assert is_clean(project)


def test_symbolic_links_of_btrfs_hold_no_block_and_long_ones_of_ext4_do() -> None:
    with mounted("btrfs") as disk, mounted("ext4") as other:
        for place, own_bytes in ((disk, 0), (other, 4096)):
            link = place / "link"
            link.symlink_to("/" + "far/" * 40)
            assert own_bytes_of_path(link) == own_bytes


def test_ext4_has_no_reflinks_and_copies_are_not_made_unasked() -> None:
    with mounted("ext4") as disk:
        project = make_checkout(disk, "symlink")
        done = relink(project.root, ["reflink", "copy"])
        assert set(states(project).values()) == {"symlink"}
        assert done.left_by_reason == {"no reflink: the file system has none": len(FILES)}
        done = relink(project.root, ["reflink", "hardlink", "copy"])
        assert done.fell_back == {"hardlink": len(FILES)}


def test_a_cache_on_another_disk_can_only_be_linked_softly() -> None:
    with mounted("ext4") as disk, mounted("btrfs") as other:
        project = make_project(disk / "project")
        project.dvc("cache", "dir", "--local", str(other / "cache"))
        project.write("data/a", b"x" * 5000)
        project.add("data")
        done = relink(project.root, ["reflink", "hardlink", "copy"])
        assert len(done.left_alone) == 1
        assert "two file systems" in done.left_alone[0].reason
        assert relink(project.root, ["reflink", "hardlink", "symlink"]).fell_back == {"symlink": 1}
        assert is_clean(project)


# DVC's lock forgets to close its file where a full disk refuses to write it.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("after", ["copy", "hardlink", "symlink"])
def test_a_full_disk_loses_nothing(disk: tuple[str, Path], after: str) -> None:
    """Copies have no room; links need next to none, and break nothing where they get none."""
    kind, path = disk
    files = {f"data/{number}": 3 * MIB for number in range(12)}
    before = "symlink" if after == "hardlink" else "hardlink"
    project = make_checkout(path, before, files=files, push=False)
    bytes_before = content(project)
    fill(path, spare_bytes=8 * MIB if after == "copy" else 0)
    if after == "copy":
        with pytest.raises(CacheError, match="full") as raised:
            relink(project.root, [after])
        assert raised.value.hint
    else:
        with suppress(CacheError):  # a full btrfs takes no new names either
            assert relink(project.root, [after]).failed == ()
    assert content(project) == bytes_before, kind
    assert not list((project.root / "data").glob(".slipway-link-*"))
    (path / "filler").unlink()
    relink(project.root, [after])
    assert set(states(project).values()) == {after}
    assert content(project) == bytes_before
    assert is_clean(project)


def fill(path: Path, *, spare_bytes: int) -> None:
    """Leave about so much room on a disk."""
    os.sync()
    with (path / "spare").open("wb") as spare:
        spare.write(b"\0" * spare_bytes)
        spare.flush()
        os.fsync(spare.fileno())
    with (path / "filler").open("wb", buffering=0) as file:
        size = MIB
        while size >= 4096:
            try:
                file.write(os.urandom(size))
                os.fsync(file.fileno())
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 4
    (path / "spare").unlink()
    os.sync()


def test_a_read_only_disk_is_told_and_nothing_is_lost(disk: tuple[str, Path]) -> None:
    _, path = disk
    project = make_checkout(path, "copy")
    bytes_before = content(project)
    process.run(["mount", "--options", "remount,ro", str(path)])
    try:
        with pytest.raises(CacheError):
            relink(project.root, ["hardlink"])
        assert content(project) == bytes_before
    finally:
        process.run(["mount", "--options", "remount,rw", str(path)])
    assert relink(project.root, ["hardlink"]).files_changed == len(FILES)


def test_a_read_only_cache_can_still_be_linked_to(tmp_path: Path) -> None:
    with mounted("btrfs") as disk:
        project = make_checkout(disk, "copy")
        cache = tmp_path / "cache"
        cache.mkdir()
        process.run(["mount", "--bind", str(project.root / ".dvc/cache"), str(cache)])
        process.run(["mount", "--options", "remount,bind,ro", str(cache)])
        try:
            project.dvc("cache", "dir", "--local", str(cache))
            done = relink(project.root, ["hardlink", "symlink"])
            assert done.fell_back == {"symlink": len(FILES)}
            assert set(states(project).values()) == {"symlink"}
        finally:
            process.run(["umount", "--lazy", str(cache)])


@pytest.mark.rare  # a minute for 65,000 files; what is refused file by file, others show
def test_ext4_runs_out_of_names_and_the_rest_stays_or_falls_back() -> None:
    with mounted("ext4", size_bytes=1024 * MIB, options="loop,noatime") as disk:
        files = EXT4_MOST_NAMES + 100
        project = many_names(disk, files)
        done = relink(project.root, ["hardlink", "copy"])
        assert done.changed == {"hardlink": EXT4_MOST_NAMES - 1}
        (reason,) = done.left_by_reason
        assert done.left_by_reason[reason] == files - EXT4_MOST_NAMES + 1
        assert "as many names" in reason
        done = relink(project.root, ["hardlink", "symlink"])
        assert done.changed == {"symlink": 101}
        assert {name: count.files for name, count in done.after.items()} == {
            "hardlink": EXT4_MOST_NAMES - 1,
            "symlink": 101,
        }
        names = os.listdir(project.root / "data")  # noqa: PTH208  65,100 of them
        assert len(names) == files
        assert all((project.root / "data" / name).read_bytes() == b"same" for name in names[::997])


def many_names(disk: Path, files: int) -> Project:
    """A directory of so many equal files, as DVC would have added it, without its minutes."""
    import json  # noqa: PLC0415

    project = make_project(disk / "project")
    data = project.root / "data"
    data.mkdir()
    oid = md5(b"same")
    cache = project.root / ".dvc/cache"
    listing = json.dumps([{"md5": oid, "relpath": f"{n:05}"} for n in range(files)]).encode()
    for name, stored in ((oid, b"same"), (md5(listing) + ".dir", listing)):
        path = cache / key_of(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored)
        path.chmod(0o444)
    for number in range(files):
        (data / f"{number:05}").write_bytes(b"same")
    project.write(
        "data.dvc",
        f"outs:\n- md5: {md5(listing)}.dir\n  hash: md5\n  nfiles: {files}\n  size: 1\n"
        "  path: data\n",
    )
    return project


@pytest.mark.parametrize("after", ["reflink", "copy"])
def test_kill_9_at_any_moment_leaves_every_file_whole(reflinking: Path, after: str) -> None:
    files = {f"data/{number:04}": 50_000 for number in range(1500)}
    project = make_checkout(reflinking, "hardlink", files=files, push=False)
    bytes_before = content(project)
    code = "import sys; from pathlib import Path; from scripts.links.relink import relink\n"
    code += "relink(Path(sys.argv[1]), [sys.argv[2]])\n"
    killed = 0
    for round_number in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(project.root), after],
            cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        ) as started:  # fmt: skip
            wait_until_relinking(project, 100 * (round_number + 1), started)
            started.send_signal(signal.SIGKILL)
        killed += started.returncode == -signal.SIGKILL
        whole = {name: value for name, value in content(project).items() if "link-" not in name}
        assert whole == bytes_before
        assert set(states(project).values()) <= {"hardlink", after}
    assert killed >= 2, "the machine is too fast for this test"
    assert states(project) != dict.fromkeys(files, "hardlink")
    relink(project.root, [after])
    assert set(states(project).values()) == {after}
    assert content(project) == bytes_before
    assert is_clean(project)


def wait_until_relinking(project: Project, files: int, started: subprocess.Popen[bytes]) -> None:
    """Wait until so many files are no names of their objects any more."""
    data = project.root / "data"
    while started.poll() is None:
        found = [path for path in data.iterdir() if re.fullmatch(r"\d{4}", path.name)]
        if sum(path.stat().st_nlink == 1 for path in found) >= files:
            return
        time.sleep(0.002)


def test_mending_on_btrfs_shares_the_edit_with_the_quarantine(reflinking: Path) -> None:
    project = make_checkout(reflinking, "hardlink")
    edit(project.root / "data/a", b"mine")
    done = repair(project.root, ["hardlink"])
    (moved,) = done.quarantined
    assert moved.is_restored
    assert (project.root / "data/a").read_bytes() == Path(moved.moved_to).read_bytes()
    assert tracked(project, "data/a").state is LinkState.COPY
    assert share_extents(project.root / "data/a", moved.moved_to)
