"""What may be wrong with a cache: full, read-only, removed, or another project's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from scripts import process
from tests.filesystems import MIB, mounted
from tests.integration.cache_site import checkout_row, fill, refused, track, workspace_at

pytestmark = [pytest.mark.needs("docker"), pytest.mark.needs("links")]


def test_a_cache_that_cannot_be_written_is_named(ext4: Path) -> None:
    cache = ext4 / "cache"
    cache.mkdir()
    home = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    try:
        with workspace_at(home / "project", DVC_CACHE_DIR=str(cache)) as made:
            filler = ext4 / "filler"
            fill(filler)
            refused(made.inv("plan"), 7, str(cache), "is full")
            filler.unlink()
            process.run(["mount", "--options", "remount,ro", str(ext4)])
            refused(made.inv("up", "--yes"), 2, str(cache), "read-only")
            process.run(["mount", "--options", "remount,rw", str(ext4)])
            assert not any(cache.iterdir()), "nothing was left in it"
    finally:
        shutil.rmtree(home)


def test_a_full_disk_loses_nothing_while_relinking(btrfs: Path) -> None:
    with mounted("ext4", size_bytes=64 * MIB) as small:
        cache = btrfs / "cache"
        cache.mkdir()
        with workspace_at(small / "project", DVC_CACHE_DIR=str(cache)) as made:
            made.up()
            files = track(made, size=2 * MIB)
            contents = [path.read_bytes() for path in files]
            assert made.inv("cache", "--use", "symlink", "--yes").returncode == 0
            for left in (0, 3, 7, 12):  # blocks of 4 KiB; SQLite makes more of each number
                fill(small / "filler")
                os.truncate(small / "filler", (small / "filler").stat().st_size - left * 4096)
                refused(made.inv("cache", "--use", "copy", "--yes"), 7)
                assert [path.read_bytes() for path in files] == contents
                (small / "filler").unlink()
            assert made.inv("cache", "--use", "copy", "--yes").returncode == 0
            assert [path.read_bytes() for path in files] == contents


def test_a_cache_in_another_projects_workspace_is_refused(ext4: Path) -> None:
    with workspace_at(ext4 / "project", DVC_CACHE_DIR="../other/.dvc/cache") as made:
        (ext4 / "other" / ".dvc" / "cache").mkdir(parents=True)
        refused(made.inv("up", "--yes"), 2, str(ext4 / "other"), "dvc gc")


def test_a_removed_cache_is_said_and_the_files_stay(ext4: Path) -> None:
    cache = ext4 / "cache"
    cache.mkdir()
    with workspace_at(ext4 / "project", DVC_CACHE_DIR=str(cache)) as made:
        made.up()
        files = track(made)
        contents = [path.read_bytes() for path in files]
        shutil.rmtree(cache)
        refused(made.inv("up", "--yes"), 2, str(cache), "does not exist")
        cache.mkdir()
        made.inv("up", "--yes")
        row = checkout_row(made)
        assert row["verdict"] != "works", row
        assert "dvc " in row["hint"]
        made.inv("doctor", "--fix")
        assert [path.read_bytes() for path in files] == contents
