"""Threads that wait for a disk wait together, and each hears of what could not be written."""

from __future__ import annotations

import errno
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.migration.stores import incoming
from scripts.migration.stores.incoming import FileSystemSync

THREADS = 16


class _Disk:
    """A file system: what was written before a sync begins is on the disk when it has ended."""

    def __init__(self) -> None:
        self.written = 0
        self.kept = 0
        self.syncs = 0
        self.error: OSError | None = None

    def sync(self, directory: Path) -> None:
        assert directory == Path("/disk")
        self.syncs += 1
        written = self.written
        time.sleep(0.02)
        error, self.error = self.error, None  # Linux tells it once
        if error is not None:
            raise error
        self.kept = written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> _Disk:
    disk = _Disk()
    monkeypatch.setattr(incoming, "_sync_file_system", disk.sync)
    return disk


def test_what_was_written_before_is_on_the_disk_and_many_wait_for_one_sync(disk: _Disk) -> None:
    sync, counting = FileSystemSync(Path("/disk")), threading.Lock()

    def write_and_wait(_: int) -> None:
        for _ in range(10):
            with counting:
                disk.written += 1
                own = disk.written
            sync.wait()
            assert disk.kept >= own

    with ThreadPoolExecutor(THREADS) as threads:
        assert len(list(threads.map(write_and_wait, range(THREADS)))) == THREADS
    assert disk.kept == disk.written == THREADS * 10
    assert disk.syncs < disk.written / 2


def test_an_error_reaches_all_that_wait_and_whoever_waits_later(disk: _Disk) -> None:
    sync = FileSystemSync(Path("/disk"))
    disk.error = OSError(errno.EIO, "Input/output error")
    begin = threading.Barrier(THREADS)

    def wait(_: int) -> str:
        begin.wait(timeout=60)
        with pytest.raises(OSError, match="Input/output error"):
            sync.wait()
        return "told"

    with ThreadPoolExecutor(THREADS) as threads:
        assert list(threads.map(wait, range(THREADS))) == ["told"] * THREADS
    with pytest.raises(OSError, match="Input/output error"):
        sync.wait()
    assert disk.kept == 0
