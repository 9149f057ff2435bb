"""Whether DVC has room for what it remembers: without it, the kernel may end the process."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

ROOM_BYTES = 64 * 1024
"""What SQLite maps into memory (32 KiB) and begins its log with.

With 20 to 36 KiB left on ext4 it gets the file and not its blocks, and SIGBUS as it writes there;
with more, it tells by itself that the disk is full.
"""


def require_room() -> None:
    """Try whether there is room where DVC remembers what it hashed; to be called before it opens.

    Raises:
        OSError: The disk is full, or one's quota is used up. Whatever else keeps files from being
            written there is for DVC to tell, which works on without some of them.
    """
    from dvc.dirs import site_cache_dir  # noqa: PLC0415  with the rest of DVC

    directory = Path(site_cache_dir())
    try:
        while not directory.exists():
            directory = directory.parent
        with tempfile.TemporaryFile(dir=directory) as scratch:
            os.posix_fallocate(scratch.fileno(), 0, ROOM_BYTES)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise OSError(error.errno, os.strerror(error.errno), str(directory / "room")) from error
