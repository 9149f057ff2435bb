"""Open ``.dir`` objects: the lists that say which files a directory holds."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from scripts.errors import Corrupted, ObjectMissing, StoreError
from scripts.migration.digest import digest_for
from scripts.migration.model import Status, StoredObject, is_oid
from scripts.migration.retry import retrying
from scripts.migration.workers import Stop, in_threads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.migration.store import Source
    from scripts.progress import Progress


_large = threading.BoundedSemaphore(2)
"""Lists of more than one piece, hundreds of thousands of files, are in memory two at a time."""


@dataclass(frozen=True)
class Entry:
    """A file of a directory: its path below the directory, and its object."""

    path: str
    item: StoredObject


@dataclass(frozen=True)
class Opened:
    """A directory's list, or why there is none: then ``status`` is ``CORRUPT``, ``MISSING`` ...

    ``files`` are the paths below the directory, each with the file's MD5.
    """

    directory: StoredObject
    files: tuple[tuple[str, str], ...] = ()
    status: Status | None = None
    reason: str = ""

    @property
    def entries(self) -> Iterator[Entry]:
        """Yield each file as an object; it lies in the layout of its directory."""
        for path, md5 in self.files:
            yield Entry(path, StoredObject(md5, self.directory.layout))


def open_directories(
    directories: Iterable[StoredObject],
    places: Iterable[Source],
    *,
    jobs: int,
    progress: Progress,
) -> dict[str, Opened]:
    """Open every directory at the first of ``places`` where its bytes hash to its name.

    Args:
        directories: The ``.dir`` objects that revisions name.
        places: The stores to look into: the source, then the target (a list that was copied before
            the source lost it is as good, being checked by the same hash).
        jobs: How many are read at once.
        progress: Told of each.

    Returns:
        One entry for each directory, by its key.
    """
    found: dict[str, Opened] = {}

    def take(opened: Opened) -> None:
        found[opened.directory.key] = opened

    open_each(directories, places, take, jobs=jobs, progress=progress)
    return found


def open_each(
    directories: Iterable[StoredObject],
    places: Iterable[Source],
    take: Callable[[Opened], None],
    *,
    jobs: int,
    progress: Progress,
) -> None:
    """Open directories as :func:`open_directories` does, and hand each to ``take``, one at a time.

    So that the lists of a long history need not be in memory together.
    """
    wanted = list(directories)
    where = list(places)
    lock = threading.Lock()
    with progress.phase("opening directories", total=len(wanted)) as phase:

        def open_one(item: StoredObject, stop: Stop) -> None:
            opened = _open(item, where, stop, lock)
            with lock:
                take(opened)
            phase.advance()

        in_threads(open_one, wanted, jobs)


def _open(item: StoredObject, places: list[Source], stop: Stop, lock: threading.Lock) -> Opened:
    first: Opened | None = None
    for store in places:
        opened = _open_at(item, store, stop, lock)
        if opened.status is None:
            return opened
        first = first or opened
    return first or Opened(item, (), Status.MISSING, "there is no store to open it from")


def _open_at(item: StoredObject, store: Source, stop: Stop, lock: threading.Lock) -> Opened:
    try:
        with ExitStack() as room:
            content = _read(item, store, stop, room)
            with lock:  # taken apart one at a time: that takes many times the room of the bytes
                return Opened(item, _parse(item, content))
    except ObjectMissing as error:
        return Opened(item, (), Status.MISSING, error.message)
    except Corrupted as error:
        return Opened(item, (), Status.CORRUPT, error.message)
    except StoreError as error:
        return Opened(item, (), Status.FAILED, error.message)


def _read(item: StoredObject, store: Source, stop: Stop, room: ExitStack) -> bytes:
    def read() -> Iterator[bytes]:
        for number, piece in enumerate(store.read(item)):
            if number == 1:
                room.enter_context(_large)
            yield piece

    def read_all() -> bytes:
        room.close()  # a try before this one may have taken it
        return b"".join(read())

    # Twice, as an answer can be damaged on the way: what is wrong on the disk is wrong again.
    for _ in range(2):
        content = retrying(read_all, stop)
        digest = digest_for(item)
        digest.update(content)
        if digest.matches(item):
            return content
    raise Corrupted(f"{store.name}: the bytes of {item.key} do not hash to its name.")


def _parse(item: StoredObject, content: bytes) -> tuple[tuple[str, str], ...]:
    try:
        listed = json.loads(content, object_pairs_hook=_path_and_md5)
    except ValueError as error:
        raise Corrupted(f"{item.key} is not a directory's list of files.") from error
    if not isinstance(listed, list) or not all(isinstance(entry, tuple) for entry in listed):
        raise Corrupted(f"{item.key} is not a directory's list of files.")
    if not all(isinstance(path, str) and is_oid(md5) for path, md5 in listed):
        raise Corrupted(f"{item.key} names a file whose hash is malformed.")
    return tuple(listed)


def _path_and_md5(pairs: list[tuple[str, Any]]) -> tuple[Any, Any]:
    """Return what counts of an entry, at once: as dictionaries, a long list takes thrice that."""
    entry = dict(pairs)
    return entry.get("relpath"), entry.get("md5")
