"""A DVC remote that is a directory on this machine."""

from __future__ import annotations

import copy
import errno
import os
import re
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple

from scripts.errors import AccessDenied, ObjectMissing, StoreError, StoreUnavailable
from scripts.migration.model import (
    LAYOUTS,
    THIS_MACHINE,
    Evidence,
    Layout,
    Location,
    ServerCopy,
    StoredObject,
    object_at,
)
from scripts.migration.run_entry import RunEntry, run_at
from scripts.migration.store import CHUNK_BYTES, is_small
from scripts.migration.stores.disk_files import (
    NoKernelCopy,
    copy_in_kernel,
    files_in,
    make_directory,
    names_in,
    pieces_of,
    reads_right,
    write_all,
)
from scripts.migration.stores.incoming import (
    INCOMING,
    FileSystemSync,
    Incoming,
    sync_directory,
)
from scripts.migration.stores.read_backs import ReadBacks
from scripts.migration.stores.translation import Translation
from scripts.migration.stores.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.migration.store import Source
    from scripts.migration.stores.disk_workers import DiskWorkers
    from scripts.migration.stores.read_backs import Records
    from scripts.migration.transfer import Advance
    from scripts.migration.tuning import Tuning

_OBJECT_MODE = 0o444
"""As DVC leaves objects in a remote; DVC also skips hashing objects of this mode."""
_PASSING = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT}
_SHARD = re.compile(r"[0-9a-f]{2}")
_FULL = {errno.ENOSPC, errno.EDQUOT}
_MOST_BYTES_IN_BATCH = 256 << 20
"""What a killed writer has to write again, for each of its threads."""


class _Unfinished(NamedTuple):
    """An object that is written and read back, and where it lies; it is not shown yet."""

    item: StoredObject
    temporary: str


class DiskStore:
    """A :class:`~scripts.migration.store.Store` in ``directory``.

    Objects are written under ``.slipway-incoming/`` of the same directory, read back there, and
    renamed into place.

    Args:
        name: The remote's name in DVC's configuration.
        directory: Where it is.
        may_be_new: Whether a directory that is not there, in one that is, is an empty store. A
            source that is not there is more likely a disk that is not mounted.
    """

    is_batched = True

    def __init__(self, name: str, directory: Path, *, may_be_new: bool = False) -> None:
        self._may_be_new = may_be_new
        self.name = name
        self.place = str(directory)
        self.location: Location | None = Location(THIS_MACHINE, str(directory))
        self._root = directory
        self._incoming = Incoming(directory)
        self._disk = FileSystemSync(directory)
        self._own = threading.local()
        self._turns = Turns()
        self._read_backs = ReadBacks()
        self._is_made = False

    def list_objects(self) -> Iterator[StoredObject]:
        """Yield every object, without a checksum: a disk computes none."""
        with self._translated(""):
            if self._is_there():
                for layout in Layout:
                    for name in names_in(self._root / layout.value):
                        if _SHARD.fullmatch(name):
                            yield from self._list_directory(layout, name)

    def list_few(self, looked_for: int) -> None:
        """Return nothing: a disk is read directory by directory."""

    def layouts(self) -> frozenset[Layout]:
        """Return the layouts that are there."""
        with self._translated(""):
            top = names_in(self._root) if self._is_there() else []
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
                        yield from self._list_directory(layout, f"{shard:02x}")

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

    def _list_directory(self, layout: Layout, name: str) -> Iterator[StoredObject]:
        with self._turns.one():
            files = files_in(f"{self._root}/{layout.value}{name}")
        seen = self._read_backs.of(layout, int(name, 16))
        for file_name, size_bytes, changed_ns in files:
            item = object_at(f"{layout.value}{name}/{file_name}")
            if item is None:
                continue
            if seen.get((item.md5, item.is_directory)) == changed_ns:
                yield item._replace(
                    size_bytes=size_bytes, checksum=item.md5, told_by=Evidence.READ_BACK
                )
            else:
                yield item._replace(size_bytes=size_bytes)

    def read(self, item: StoredObject) -> Iterator[bytes]:
        """Yield the bytes of ``item``: of a small one that is as large as it is listed, at once."""
        if not is_small(item):
            return self._read_pieces(item)
        size_bytes = item.size_bytes or 0
        with self._translated(item.key):
            # Not with Path.open: of a million small objects, that alone is half a minute.
            descriptor = os.open(f"{self._root}/{item.key}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                content = os.read(descriptor, size_bytes + 1)
            finally:
                os.close(descriptor)
        return iter((content,)) if len(content) == size_bytes else self._read_pieces(item)

    def _read_pieces(self, item: StoredObject) -> Iterator[bytes]:
        with self._translated(item.key):
            descriptor = os.open(f"{self._root}/{item.key}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                yield from pieces_of(descriptor)
            finally:
                os.close(descriptor)

    def list_runs(self) -> Iterator[RunEntry]:
        """Yield every entry of the run-cache, without a checksum."""
        with self._translated("runs"):
            for shard in names_in(self._root / "runs"):
                for stage in names_in(self._root / "runs" / shard):
                    for name in names_in(self._root / "runs" / shard / stage):
                        entry = run_at(f"runs/{shard}/{stage}/{name}")
                        path = self._root / "runs" / shard / stage / name
                        if entry is not None and path.is_file():
                            yield RunEntry(entry.oid, entry.layout, path.stat().st_size)

    def list_top(self) -> Iterator[str]:
        """Yield the names at the top."""
        with self._translated(""):
            for name in names_in(self._root):
                yield f"{name}/" if (self._root / name).is_dir() else name

    def publish(
        self,
        item: StoredObject,
        chunks: Iterable[bytes],
        *,
        replace: bool = True,  # noqa: ARG002  a rename cannot tell
    ) -> Evidence:
        """Write ``item`` beside its place, read it back, and rename it once all that went well."""

        def write(descriptor: int) -> None:
            for chunk in chunks:
                with self._translated(item.key):
                    write_all(descriptor, chunk)
            os.lseek(descriptor, 0, os.SEEK_SET)

        if not self._publish(item, write):
            raise StoreUnavailable(f"{self.name}: the disk returns other bytes than were written.")
        return Evidence.READ_BACK

    def copy_from(
        self,
        origin: Location | None,
        item: StoredObject,
        *,
        replace: bool = True,  # noqa: ARG002
    ) -> ServerCopy:
        """Let the kernel copy ``item`` from another directory, and read the copy back.

        A copy that reads wrong is not shown; whose fault it is shows when the source is read.
        """
        if origin is None or origin.server != THIS_MACHINE:
            return ServerCopy.UNABLE
        try:
            source = os.open(f"{origin.bucket}/{item.key}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ServerCopy.UNABLE  # reading it tells what is wrong, by the source's name
        try:
            is_right = self._publish(
                item, lambda target: copy_in_kernel(source, target, item.size_bytes)
            )
        except NoKernelCopy:
            return ServerCopy.UNABLE
        finally:
            os.close(source)
        return ServerCopy.DONE if is_right else ServerCopy.UNABLE

    def _publish(self, item: StoredObject, write: Callable[[int], None]) -> bool:
        """Show ``item`` if what ``write`` writes reads back right; return whether it did.

        ``write`` leaves the descriptor at the start of what it wrote.

        Paths are text here: path objects would take as long as the system does.
        """
        batch = self._batch()
        with self._translated(item.key):
            self._make_root()
            descriptor, temporary = self._incoming.make_file(item.oid.rpartition("/")[2])
        is_kept = False
        try:
            with self._translated(item.key):
                write(descriptor)
                os.fchmod(descriptor, _OBJECT_MODE)
                if (item.size_bytes or 0) > CHUNK_BYTES:
                    # The disk begins to write while the object is read back.
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                is_kept = reads_right(descriptor, item)
                if batch is None:
                    os.fsync(descriptor)
        finally:
            os.close(descriptor)
            if not is_kept:
                os.unlink(temporary)  # noqa: PTH108
        if not is_kept:
            return False
        unfinished = _Unfinished(item, temporary)
        if batch is None:
            self._show([unfinished])
        else:
            batch.append(unfinished)
            self._own.left_bytes -= item.size_bytes or 1
            if self._own.left_bytes <= 0:
                self._end_batch()
        return True

    @contextmanager
    def together(self) -> Iterator[None]:
        """Wait for the disk once for all that this thread publishes in the block, not for each."""
        self._own.batch = []
        self._own.left_bytes = _MOST_BYTES_IN_BATCH
        try:
            yield
            self._end_batch()
        finally:
            left, self._own.batch = self._own.batch, None
            for unfinished in left:
                Path(unfinished.temporary).unlink(missing_ok=True)

    def _batch(self) -> list[_Unfinished] | None:
        return getattr(self._own, "batch", None)

    def _end_batch(self) -> None:
        batch = self._batch()
        if batch:
            with self._translated(""):
                self._disk.wait()
            self._show(batch)
            batch.clear()
            self._own.left_bytes = _MOST_BYTES_IN_BATCH

    def _show(self, finished: list[_Unfinished]) -> None:
        """Give objects that are on the disk their names, and see that these are on it as well."""
        directories = set()
        for item, temporary in finished:
            final = f"{self._root}/{item.key}"
            directory = final.rpartition("/")[0]
            with self._translated(item.key):
                if directory not in directories:
                    make_directory(Path(directory))
                    directories.add(directory)
                os.replace(temporary, final)  # noqa: PTH105
                if item.md5:  # an entry of the run-cache has none
                    self._read_backs.remember(item, os.stat(final).st_ctime_ns)  # noqa: PTH116
        with self._translated(""):
            for directory in directories:
                sync_directory(Path(directory))

    def _make_root(self) -> None:
        if not self._is_made:
            make_directory(self._root)
            self._is_made = True

    def processes(
        self, source: Source, advance: Advance, jobs: int, tuning: Tuning
    ) -> DiskWorkers | None:
        """Return a process for each processor, if the source is on this machine as well."""
        from scripts.migration.stores.disk_workers import (  # noqa: PLC0415  for large copies only
            DiskWorkers,
            Start,
        )
        from scripts.migration.stores.processes import count_of  # noqa: PLC0415  as above

        origin = source.location
        if origin is None or origin.server != THIS_MACHINE or count_of(jobs, tuning) < 2:
            return None
        there, here = Path(origin.bucket).absolute(), self._root.absolute()
        start = Start(source.name, str(there), self.name, str(here))
        know = self._read_backs.add
        return DiskWorkers(start, jobs, advance=advance, know=know, clean=self.clean, tuning=tuning)

    def for_another_thread(self) -> DiskStore:
        """Return this store once more, with read-backs of its own: what one thread does is told."""
        twin = copy.copy(self)
        twin._read_backs = ReadBacks()  # noqa: SLF001  of this class
        return twin

    def take_read_backs(self) -> Records:
        """Return what was read back since this was last asked; it is no longer known here."""
        return self._read_backs.take()

    def cautions(self) -> tuple[str, ...]:
        """Return nothing: such a place has no rules of its own."""
        return ()

    def require_writable(self) -> tuple[str, ...]:
        """Make a file where objects are written, and remove it."""
        with self._translated(""):
            self._make_root()
            descriptor, path = self._incoming.make_file("writable")
            os.close(descriptor)
            Path(path).unlink()
        return ()

    def remove(self, item: StoredObject) -> None:
        """Remove ``item``."""
        with self._translated(item.key):
            (self._root / item.key).unlink(missing_ok=True)

    def clean(self, *, thorough: bool = True) -> int:  # noqa: ARG002  one look is enough
        """Remove the files of writers that are gone."""
        with self._translated(INCOMING):
            return self._incoming.clean()

    def _translated(self, key: str) -> Translation:
        return Translation(lambda error: self._ours_of(error, key))

    def _ours_of(self, error: BaseException, key: str) -> StoreError | None:
        if not isinstance(error, OSError):
            return None
        what = f"{self.name}: {self._root / key}"
        if isinstance(error, FileNotFoundError):
            return ObjectMissing(f"{what} is not there.")
        if isinstance(error, PermissionError):
            return AccessDenied(
                f"{what}: permission denied.", hint="Check who owns it, and its mode."
            )
        if error.errno in _PASSING:
            return StoreUnavailable(f"{what}: {error.strerror}.")
        hint = "Make room and run the same command again." if error.errno in _FULL else ""
        return StoreError(f"{what}: {error.strerror or error}.", hint=hint)
