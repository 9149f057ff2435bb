"""Open ``.dir`` objects: the lists that say which files a directory holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.errors import Corrupted, ObjectMissing, StoreError
from scripts.migration.digest import digest_for
from scripts.migration.model import Status, StoredObject, is_oid
from scripts.migration.retry import retrying
from scripts.migration.workers import Stop, in_threads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.migration.store import Source
    from scripts.progress import Progress


@dataclass(frozen=True)
class Entry:
    """A file of a directory: its path below the directory, and its object."""

    path: str
    item: StoredObject


@dataclass(frozen=True)
class Opened:
    """A directory's list, or why there is none: then ``status`` is ``CORRUPT``, ``MISSING`` ..."""

    directory: StoredObject
    entries: tuple[Entry, ...] = ()
    status: Status | None = None
    reason: str = ""


def open_directories(
    directories: Iterable[StoredObject],
    places: Iterable[tuple[Source, Mapping[str, StoredObject]]],
    *,
    jobs: int,
    progress: Progress,
) -> dict[str, Opened]:
    """Open every directory at the first of ``places`` whose bytes hash to its name.

    Args:
        directories: The ``.dir`` objects that revisions name.
        places: Stores and their listings by key: the source, then the target (a list that was
            copied before the source lost it is as good, being checked by the same hash).
        jobs: How many are read at once.
        progress: Told of each.

    Returns:
        One entry for each directory, by its key.
    """
    wanted = list(directories)
    where = list(places)
    with progress.phase("opening directories", total=len(wanted)) as phase:

        def open_one(item: StoredObject, stop: Stop) -> Opened:
            opened = _open(item, where, stop)
            phase.advance()
            return opened

        found = in_threads(open_one, wanted, jobs)
    return {opened.directory.key: opened for opened in found}


def _open(
    item: StoredObject, places: list[tuple[Source, Mapping[str, StoredObject]]], stop: Stop
) -> Opened:
    first: Opened | None = None
    for store, listing in places:
        opened = _open_at(item, store, listing, stop)
        if opened.status is None:
            return opened
        first = first or opened
    return first or Opened(item, (), Status.MISSING, "there is no store to open it from")


def _open_at(
    item: StoredObject, store: Source, listing: Mapping[str, StoredObject], stop: Stop
) -> Opened:
    try:
        return Opened(item, _parse(item, _read(item, store, listing, stop)))
    except ObjectMissing as error:
        return Opened(item, (), Status.MISSING, error.message)
    except Corrupted as error:
        return Opened(item, (), Status.CORRUPT, error.message)
    except StoreError as error:
        return Opened(item, (), Status.FAILED, error.message)


def _read(
    item: StoredObject, store: Source, listing: Mapping[str, StoredObject], stop: Stop
) -> bytes:
    listed = listing.get(item.key)
    if listed is None:
        raise ObjectMissing(f"{store.name}: there is no object {item.key}.")
    content = retrying(lambda: b"".join(store.read(listed)), stop)
    digest = digest_for(item)
    digest.update(content)
    if not digest.matches(item):
        raise Corrupted(f"{store.name}: the bytes of {item.key} do not hash to its name.")
    return content


def _parse(item: StoredObject, content: bytes) -> tuple[Entry, ...]:
    try:
        listed = json.loads(content)
        files = [(entry["relpath"], entry["md5"]) for entry in listed]
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupted(f"{item.key} is not a directory's list of files.") from error
    if not isinstance(listed, list):
        raise Corrupted(f"{item.key} is not a directory's list of files.")
    if not all(isinstance(path, str) and is_oid(md5) for path, md5 in files):
        raise Corrupted(f"{item.key} names a file whose hash is malformed.")
    return tuple(Entry(path, StoredObject(md5, item.layout)) for path, md5 in files)
