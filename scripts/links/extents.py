"""Extents: where a file's bytes lie on the disk, and which of them other files share (FIEMAP)."""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FS_IOC_FIEMAP = 0xC020660B
_FIEMAP_FLAG_SYNC = 1
_HEADER = struct.Struct("=QQLLLL")
_EXTENT = struct.Struct("=QQQ2QL3L")
_LAST, _INLINE, _SHARED = 0x1, 0x200, 0x2000
"""See linux/fiemap.h."""
_AT_ONCE = 64
_SECTOR_BYTES = 512
_BTRFS_MAGIC = 0x9123683E
_btrfs: dict[int, bool] = {}
"""Which devices are btrfs; devices keep their number while they are mounted."""
UNTOLD = (errno.ENOTSUP, errno.ENOTTY, errno.EINVAL)
"""How a file system says that it tells no extents, and so has no reflinks."""


@dataclass(frozen=True)
class Extent:
    """A run of a file's bytes: its place in the file and on the disk, in bytes.

    ``is_inline`` tells one that lies among the file system's own records (btrfs, small files).
    """

    logical: int
    physical: int
    length: int
    is_shared: bool
    is_inline: bool


def extents_of(path: str | Path) -> tuple[Extent, ...]:
    """Return the extents of a regular file, those of a symbolic link's target included.

    Raises:
        OSError: The file cannot be read, or its file system tells no extents (``ENOTSUP``,
            ``ENOTTY``).
    """
    import fcntl  # noqa: PLC0415  not on Windows, where `up` shall run too

    found: list[Extent] = []
    descriptor = os.open(path, os.O_RDONLY)
    try:
        start = 0
        while True:
            buffer = bytearray(_HEADER.size + _AT_ONCE * _EXTENT.size)
            _HEADER.pack_into(
                buffer, 0, start, 2**64 - 1 - start, _FIEMAP_FLAG_SYNC, 0, _AT_ONCE, 0
            )
            fcntl.ioctl(descriptor, _FS_IOC_FIEMAP, buffer)
            count = _HEADER.unpack_from(buffer)[3]
            last = True
            for number in range(count):
                fields = _EXTENT.unpack_from(buffer, _HEADER.size + number * _EXTENT.size)
                logical, physical, length, flags = fields[0], fields[1], fields[2], fields[5]
                found.append(
                    Extent(logical, physical, length, bool(flags & _SHARED), bool(flags & _INLINE))
                )
                last = bool(flags & _LAST)
                start = logical + length
            if count == 0 or last:
                return tuple(found)
    finally:
        os.close(descriptor)


def places_of(extents: tuple[Extent, ...]) -> tuple[tuple[int, int], ...]:
    """Return where in the file and where on the disk each extent begins, inline ones left out."""
    return tuple((item.logical, item.physical) for item in extents if not item.is_inline)


def share_extents(path: str | Path, other: str | Path) -> bool:
    """Tell whether two files are the same bytes on the disk: reflinks of one another.

    Two files so small that their bytes are inline have no place to compare; they count as sharing
    none.
    """
    try:
        mine, others = extents_of(path), extents_of(other)
    except OSError as error:
        if error.errno in UNTOLD:
            return False
        raise
    return bool(places_of(mine)) and places_of(mine) == places_of(others)


def own_bytes(path: str | Path) -> int:
    """Return the bytes on disk that a directory entry holds alone.

    A file with several names holds none, a symbolic link those of its own, a file whose extents
    other files share only the rest. Bytes inline among the file system's own records are none.
    """
    status = os.lstat(path)
    if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        return 0
    if stat.S_ISLNK(status.st_mode):
        return own_bytes_of_link(path, status)
    if not stat.S_ISREG(status.st_mode) or status.st_blocks == 0:
        return status.st_blocks * _SECTOR_BYTES
    try:
        return own_bytes_of(status, extents_of(path))
    except OSError as error:
        if error.errno in UNTOLD:
            return own_bytes_of(status, None)
        raise


def own_bytes_of_link(path: str | Path, status: os.stat_result) -> int:
    """Return the bytes on disk that a symbolic link holds.

    btrfs says a block, but keeps the link among its own records.
    """
    if status.st_blocks == 0 or _is_btrfs(os.path.dirname(path), status.st_dev):  # noqa: PTH120
        return 0
    return status.st_blocks * _SECTOR_BYTES


def _is_btrfs(directory: str, device: int) -> bool:
    if device not in _btrfs:
        import ctypes  # noqa: PLC0415  only links with blocks of their own need it

        answer = ctypes.create_string_buffer(256)
        libc = ctypes.CDLL(None)
        told = sys.platform == "linux" and libc.statfs(os.fsencode(directory or "."), answer) == 0
        kind = ctypes.c_long.from_buffer(answer).value
        _btrfs[device] = bool(told) and kind == _BTRFS_MAGIC
    return _btrfs[device]


def own_bytes_of(status: os.stat_result, extents: tuple[Extent, ...] | None) -> int:
    """Return the bytes on disk that a regular file with one name holds alone.

    Args:
        status: What ``os.lstat`` says of it.
        extents: Its extents; ``None`` where the file system tells none, and so shares none.
    """
    allocated = status.st_blocks * _SECTOR_BYTES
    if extents is None:
        return allocated
    if not places_of(extents):
        return 0
    return max(0, allocated - sum(item.length for item in extents if item.is_shared))
