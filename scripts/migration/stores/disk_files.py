"""What a disk's store does with files by system calls: copy, write, read back, make directories."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from scripts.migration.digest import digest_for
from scripts.migration.stores.incoming import sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.migration.model import StoredObject

_NO_COPIES = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP}
"""What kernels and file systems answer that do not copy by themselves."""
_PIECE_BYTES = 1 << 20
"""What a processor's own cache holds while it is hashed and handed on."""


class NoKernelCopy(Exception):
    """The kernel, or one of the file systems, does not copy by itself."""


def names_in(directory: Path) -> list[str]:
    """Return the names in a directory, sorted; none if there is no directory."""
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208  names are wanted, not paths
    except (FileNotFoundError, NotADirectoryError):
        return []


def files_in(directory: str) -> list[tuple[str, int, int]]:
    """Return the files in a directory, none if there is none: name, size in bytes, ctime in ns."""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_file():
                    told = entry.stat()
                    found.append((entry.name, told.st_size, told.st_ctime_ns))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return found


def write_all(descriptor: int, chunk: bytes) -> None:
    """Write all of ``chunk``, however little the system takes at once."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def copy_in_kernel(source: int, target: int, size_bytes: int | None) -> None:
    """Let the kernel copy one open file to another, sharing blocks where the file system can.

    Args:
        source: A descriptor whose position is the start.
        target: A descriptor of an empty file; its position stays at the start.
        size_bytes: How much is to be copied, if that is known: asking the kernel whether there is
            more costs as much as copying a small object.

    Raises:
        NoKernelCopy: It does not copy between these two.
        OSError: It failed.
    """
    done_bytes = 0
    try:
        while size_bytes is None or done_bytes < size_bytes:
            copied = os.copy_file_range(source, target, 1 << 30, offset_dst=done_bytes)
            if not copied:
                break
            done_bytes += copied
    except OSError as error:
        if error.errno in _NO_COPIES:
            raise NoKernelCopy from error
        raise


def reads_right(descriptor: int, item: StoredObject) -> bool:
    """Read an open file from where it is; return whether its bytes hash to the object's name."""
    digest = digest_for(item)
    for piece in pieces_of(descriptor, item.size_bytes):
        digest.update(piece)
    return digest.matches(item)


def pieces_of(descriptor: int, size_bytes: int | None = None) -> Iterator[bytes]:
    """Yield what is in a file, up to its end as it is when that is reached.

    No piece asks for much more room than it needs: for a small object that costs more than reading.

    Args:
        descriptor: The open file.
        size_bytes: What it should hold, if that is known; ``None`` to ask the system.
    """
    left_bytes = os.fstat(descriptor).st_size if size_bytes is None else size_bytes
    while True:
        room_bytes = min(max(left_bytes, 0) + 1, _PIECE_BYTES)
        piece = os.read(descriptor, room_bytes)
        left_bytes -= len(piece)
        if piece:
            yield piece
        if len(piece) < room_bytes:  # a file gives less than is asked for only at its end
            return


def make_directory(directory: Path) -> None:
    """Make it and those above; each name is on the disk before anything depends on it."""
    if directory.is_dir():
        return
    make_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    sync_directory(directory.parent)
