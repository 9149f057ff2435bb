"""A DVC remote that is a directory on this machine."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import replace as replaced
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.errors import AccessDenied, ObjectMissing, StoreError, StoreUnavailable
from scripts.migration.model import LAYOUTS, Layout, StoredObject, object_at
from scripts.migration.run_entry import RunEntry, run_at
from scripts.migration.store import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_INCOMING = ".slipway-incoming"
_OBJECT_MODE = 0o444
"""As DVC leaves objects in a remote; DVC also skips hashing objects of this mode."""
_PASSING = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT}
_SHARD = re.compile(r"[0-9a-f]{2}")
_FULL = {errno.ENOSPC, errno.EDQUOT}


class DiskStore:
    """A :class:`~scripts.migration.store.Store` in ``directory``.

    Objects are written under ``.slipway-incoming/`` of the same directory and renamed into place.

    Args:
        name: The remote's name in DVC's configuration.
        directory: Where it is.
        may_be_new: Whether a directory that is not there, in one that is, is an empty store. A
            source that is not there is more likely a disk that is not mounted.
    """

    def __init__(self, name: str, directory: Path, *, may_be_new: bool = False) -> None:
        self._may_be_new = may_be_new
        self.name = name
        self.place = str(directory)
        self._root = directory

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield every object, without a checksum: a disk computes none."""
        with self._translated(""):
            if self._is_there():
                for layout in Layout:
                    for name in _names(self._root / layout.value):
                        if _SHARD.fullmatch(name):
                            yield from self._list_directory(f"{layout.value}{name}")

    def layouts(self) -> frozenset[Layout]:
        """Return the layouts that are there."""
        with self._translated(""):
            top = _names(self._root) if self._is_there() else []
        found = {Layout.LEGACY} if any(map(_SHARD.fullmatch, top)) else set()
        return frozenset(found | {Layout.CURRENT} if "files" in top else found)

    def list_shard(
        self, shard: int, layouts: frozenset[Layout] = LAYOUTS
    ) -> Iterator[StoredObject]:
        """Yield the objects of one shard."""
        with self._translated(""):
            if self._is_there():
                for layout in Layout:
                    if layout in layouts:
                        yield from self._list_directory(f"{layout.value}{shard:02x}")

    def _is_there(self) -> bool:
        """Return whether there is a directory; raise if there should be one."""
        if self._root.is_dir():
            return True
        if self._may_be_new and self._root.parent.is_dir():
            return False
        raise StoreError(
            f"{self.name}: there is no directory {self._root}.",
            hint="Is its disk mounted? `dvc remote list` shows where each remote is.",
        )

    def _list_directory(self, shard: str) -> Iterator[StoredObject]:
        try:
            entries = list(os.scandir(self._root / shard))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            item = object_at(f"{shard}/{entry.name}")
            if item is not None and entry.is_file():
                yield StoredObject(item.oid, item.layout, entry.stat().st_size)

    def read(self, item: StoredObject) -> Iterator[bytes]:
        """Yield the bytes of ``item``."""
        with self._translated(item.key), (self._root / item.key).open("rb", buffering=0) as stream:
            while True:
                chunk = stream.read(CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk

    def list_runs(self) -> Iterator[RunEntry]:
        """Yield every entry of the run-cache, without a checksum."""
        with self._translated("runs"):
            for shard in _names(self._root / "runs"):
                for stage in _names(self._root / "runs" / shard):
                    for name in _names(self._root / "runs" / shard / stage):
                        entry = run_at(f"runs/{shard}/{stage}/{name}")
                        path = self._root / "runs" / shard / stage / name
                        if entry is not None and path.is_file():
                            yield replaced(entry, size_bytes=path.stat().st_size)

    def list_top(self) -> Iterator[str]:
        """Yield the names at the top."""
        with self._translated(""):
            for name in _names(self._root):
                yield f"{name}/" if (self._root / name).is_dir() else name

    def publish(
        self,
        item: StoredObject,
        chunks: Iterable[bytes],
        *,
        replace: bool = True,  # noqa: ARG002  a rename cannot tell
    ) -> bool:
        """Write ``item`` beside its place and rename it once ``chunks`` has ended well."""
        final = self._root / item.key
        with self._translated(item.key):
            _make_directory(self._root)
            (self._root / _INCOMING).mkdir(exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._root / _INCOMING, prefix=item.oid)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as stream:
                _claim(stream.fileno())
                for chunk in chunks:
                    with self._translated(item.key):
                        _write_all(stream.fileno(), chunk)
                with self._translated(item.key):
                    os.fchmod(stream.fileno(), _OBJECT_MODE)
                    os.fsync(stream.fileno())
                    _make_directory(final.parent)
                    Path(temporary).replace(final)
                    _sync_directory(final.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return True

    def require_writable(self) -> None:
        """Make a file where objects are written, and remove it."""
        with self._translated(""):
            _make_directory(self._root)
            incoming = self._root / _INCOMING
            incoming.mkdir(exist_ok=True)
            tempfile.TemporaryFile(dir=incoming).close()

    def remove(self, item: StoredObject) -> None:
        """Remove ``item``."""
        with self._translated(item.key):
            (self._root / item.key).unlink(missing_ok=True)

    def clean(self) -> int:
        """Remove the files of writers that are gone."""
        incoming = self._root / _INCOMING
        removed = 0
        with self._translated(_INCOMING):
            for name in _names(incoming):
                removed += _remove_unclaimed(incoming / name)
            if incoming.is_dir() and not _names(incoming):
                incoming.rmdir()
        return removed

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        what = f"{self.name}: {self._root / key}"
        try:
            yield
        except FileNotFoundError as error:
            raise ObjectMissing(f"{what} is not there.") from error
        except PermissionError as error:
            raise AccessDenied(
                f"{what}: permission denied.", hint="Check who owns it, and its mode."
            ) from error
        except OSError as error:
            if error.errno in _PASSING:
                raise StoreUnavailable(f"{what}: {error.strerror}.") from error
            hint = "Make room and run the same command again." if error.errno in _FULL else ""
            raise StoreError(f"{what}: {error.strerror or error}.", hint=hint) from error


def _names(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208  names are wanted, not paths
    except (FileNotFoundError, NotADirectoryError):
        return []


def _write_all(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _claim(descriptor: int) -> None:
    """Hold a lock while the file is open: a killed writer loses it, a slow one does not."""
    import fcntl  # noqa: PLC0415  not on Windows, where the rest of this module can be imported

    fcntl.flock(descriptor, fcntl.LOCK_EX)


def _remove_unclaimed(path: Path) -> int:
    import fcntl  # noqa: PLC0415

    with path.open("rb") as stream:
        try:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        path.unlink(missing_ok=True)
    return 1


def _make_directory(directory: Path) -> None:
    """Make it and those above; each name is on the disk before anything depends on it."""
    if directory.is_dir():
        return
    _make_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    _sync_directory(directory.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
