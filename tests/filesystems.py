"""Real file systems for the tests of links: btrfs, xfs and ext4 in files, loop-mounted."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from scripts import process

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = ("btrfs", "xfs", "ext4")
_MAKE = {
    "btrfs": ["mkfs.btrfs", "--quiet"],
    "xfs": ["mkfs.xfs", "-q"],
    "ext4": ["mkfs.ext4", "-q"],
}
MIB = 1024 * 1024


@contextmanager
def mounted(kind: str, *, size_bytes: int = 512 * MIB, options: str = "loop") -> Iterator[Path]:
    """Mount a new file system and yield where; it is gone afterwards.

    Args:
        kind: One of :data:`KINDS`.
        size_bytes: Its size; the file is sparse. xfs wants 300 MiB at least.
        options: Mount options, ``loop`` among them.
    """
    directory = Path(tempfile.mkdtemp(prefix=f"slipway-{kind}-"))
    image, target = directory / "image", directory / "mounted"
    try:
        with image.open("wb") as file:
            file.truncate(size_bytes)
        process.run([*_MAKE[kind], str(image)])
        target.mkdir()
        process.run(["mount", "--options", options, str(image), str(target)])
        try:
            yield target
        finally:
            process.run(["umount", "--lazy", str(target)])
    finally:
        shutil.rmtree(directory)
