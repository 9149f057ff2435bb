"""Objects of DVC 2 under names of DVC 3: found by their old names, copied and proven by their new.

DVC 2 named text by its line ends, DVC 3 names every object by its bytes. The two names are equal
where there was nothing to change, but they lie in two places all the same.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Callable, TypeVar

from scripts.errors import Corrupted, ObjectMissing, StoreError, StoreUnavailable
from scripts.migration.digest import digest_for
from scripts.migration.listing import list_some
from scripts.migration.model import Evidence, Layout, Outcome, Status, StoredObject, is_oid
from scripts.migration.retry import retrying
from scripts.migration.sample import EVIDENCE, Sample
from scripts.migration.store import CHUNK_BYTES
from scripts.migration.workers import Stop, in_threads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scripts.migration.opening import Stores
    from scripts.migration.store import Source
    from scripts.progress import Progress

_Result = TypeVar("_Result")
Entries = dict[str, StoredObject]
"""The files of a directory by their paths."""


@dataclass(frozen=True)
class Origin:
    """Where an object is with the bytes that its old name names, and its new name."""

    store: Source
    listed: StoredObject
    named: StoredObject


class Renaming:
    """The work on the objects of one workspace; ``lost`` says of each that fails why.

    Args:
        stores: The project and its remotes.
        jobs: How many objects are in flight at once.
        progress: Where to tell what is going on.
    """

    def __init__(self, stores: Stores, jobs: int, progress: Progress) -> None:
        self._stores = stores
        self._jobs = jobs
        self._progress = progress
        self.lost: dict[StoredObject, Outcome] = {}

    def find(self, olds: Iterable[StoredObject]) -> dict[StoredObject, Origin]:
        """Return where each is, and its new name, which takes a read unless a checksum tells it."""
        wanted = list(dict.fromkeys(olds))
        places = [
            (store, list_some(store, wanted, self._jobs))
            for store in (self._stores.source, self._stores.target)
        ]

        def find(old: StoredObject, stop: Stop) -> Origin:
            found = [(store, listed[old.key]) for store, listed in places if old.key in listed]
            for store, listed in found:
                # Of what it got in this run, the target tells that it is right, not its MD5.
                is_told = store is self._stores.source and listed.checksum == old.md5
                named = _name(old, listed, store, stop, is_told=is_told)
                if named is not None:
                    return Origin(store, listed, named)
            if found:
                raise Corrupted(
                    f"{found[0][0].name}: the bytes of {old.key} do not hash to its name."
                )
            raise ObjectMissing(f"{old.key} is neither in the source nor in the target.")

        return self._over(find, wanted, "naming as DVC 3 does")

    def open_lists(self, origins: Mapping[StoredObject, Origin]) -> dict[StoredObject, Entries]:
        """Return the files that each directory's list names, under their old names."""

        def read(old: StoredObject, stop: Stop) -> Entries:
            content = retrying(lambda: b"".join(_checked(origins[old], stop)), stop)
            return _read_list(old, content)

        return self._over(read, origins, "opening directories")

    def copy(self, origins: Mapping[StoredObject, Origin]) -> dict[StoredObject, Outcome]:
        """Store each under its new name, and return what became of each, by its old name."""
        target = self._stores.target
        kept = list_some(target, [origin.named for origin in origins.values()], self._jobs)

        def copy(old: StoredObject, stop: Stop) -> Outcome:
            origin = origins[old]
            if origin.store is target:  # which cannot be read while it is written, if it is paced
                with tempfile.TemporaryFile() as spool:
                    for chunk in _checked(origin, stop):
                        spool.write(chunk)
                    return self._publish(origin.named, lambda: _again(spool), kept, stop)
            return self._publish(origin.named, lambda: _checked(origin, stop), kept, stop)

        return self._over(copy, origins, "copying under names of DVC 3")

    def copy_contents(self, contents: Mapping[StoredObject, bytes]) -> dict[StoredObject, Outcome]:
        """Store lists of directories that were written anew."""
        kept = list_some(self._stores.target, contents, self._jobs)

        def copy(item: StoredObject, stop: Stop) -> Outcome:
            return self._publish(item, lambda: iter([contents[item]]), kept, stop)

        return self._over(copy, contents, "copying lists under names of DVC 3")

    def _publish(
        self,
        item: StoredObject,
        chunks: Callable[[], Iterator[bytes]],
        kept: Mapping[str, StoredObject],
        stop: Stop,
    ) -> Outcome:
        target = self._stores.target
        there = kept.get(item.key)
        if there is not None and _evidence(there, target, stop).is_proof:
            return Outcome(item, Status.PRESENT)
        repairs = there is not None
        is_ours = (
            retrying(lambda: target.publish(item, chunks(), replace=repairs), stop)
            is not Evidence.NONE
        )
        status = Status.COPIED if is_ours else Status.PRESENT
        return Outcome(item, status, repaired=repairs and is_ours)

    def prove(
        self, items: Iterable[StoredObject], sample: Sample = EVIDENCE
    ) -> dict[StoredObject, Evidence]:
        """Return how each is known to be in the target.

        Raises:
            StoreUnavailable: The target stopped answering: nothing is known then.
        """
        wanted = list(dict.fromkeys(items))
        kept = list_some(self._stores.target, wanted, self._jobs)
        told = sorted(item.key for item in kept.values() if item.checksum == item.md5)
        chosen = sample.choose(len(told))
        again = {key for number, key in enumerate(told) if number in chosen}

        def look(item: StoredObject, stop: Stop) -> tuple[StoredObject, Evidence]:
            there = kept.get(item.key)
            if there is None:
                return item, Evidence.NONE
            return item, _evidence(there, self._stores.target, stop, read=item.key in again)

        with self._progress.phase("verifying names of DVC 3", total=len(wanted)):
            return dict(in_threads(look, wanted, self._jobs))

    def _over(
        self,
        work: Callable[[StoredObject, Stop], _Result],
        items: Iterable[StoredObject],
        name: str,
    ) -> dict[StoredObject, _Result]:
        wanted = list(items)
        done: dict[StoredObject, _Result] = {}
        with self._progress.phase(name, total=len(wanted)) as phase:

            def attempt(item: StoredObject, stop: Stop) -> None:
                try:
                    done[item] = work(item, stop)
                except Corrupted as error:
                    self.lost[item] = Outcome(item, Status.CORRUPT, reason=error.message)
                except ObjectMissing as error:
                    self.lost[item] = Outcome(item, Status.MISSING, reason=error.message)
                except StoreError as error:
                    self.lost[item] = Outcome(item, Status.FAILED, reason=error.message)
                phase.advance()

            in_threads(attempt, wanted, self._jobs)
        return done


def _read_list(old: StoredObject, content: bytes) -> Entries:
    try:
        listed = {entry["relpath"]: entry["md5"] for entry in json.loads(content)}
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupted(f"{old.key} is not a directory's list of files.") from error
    if not all(map(is_oid, listed.values())):
        raise Corrupted(f"{old.key} names a file whose hash is malformed.")
    return {path: StoredObject(oid, Layout.LEGACY) for path, oid in listed.items()}


def _name(
    old: StoredObject, listed: StoredObject, store: Source, stop: Stop, *, is_told: bool
) -> StoredObject | None:
    """Return what DVC 3 calls what is there; ``None`` if it is not what the old name names.

    ``is_told`` is whether the bytes are known to have the MD5 that is the old name.
    """
    suffix = old.oid[len(old.md5) :]
    if is_told:
        return StoredObject(old.oid, size_bytes=listed.size_bytes)

    def read() -> str | None:
        plain, digest = hashlib.md5(usedforsecurity=False), digest_for(old)
        for chunk in store.read(listed):
            stop.check()
            plain.update(chunk)
            digest.update(chunk)
        return plain.hexdigest() if digest.matches(old) else None

    md5 = retrying(read, stop)
    return StoredObject(md5 + suffix, size_bytes=listed.size_bytes) if md5 else None


def _checked(origin: Origin, stop: Stop) -> Iterator[bytes]:
    """Yield the bytes; the check is the last step, so that wrong ones are never published."""
    md5 = hashlib.md5(usedforsecurity=False)
    for chunk in origin.store.read(origin.listed):
        stop.check()
        md5.update(chunk)
        yield chunk
    if md5.hexdigest() != origin.named.md5:
        raise Corrupted(f"{origin.store.name}: {origin.listed.key} changed while it was copied.")


def _again(spool: IO[bytes]) -> Iterator[bytes]:
    spool.seek(0)
    while chunk := spool.read(CHUNK_BYTES):
        yield chunk


def _evidence(listed: StoredObject, store: Source, stop: Stop, *, read: bool = False) -> Evidence:
    if listed.checksum == listed.md5 and not read:
        return listed.told_by

    def is_right() -> bool:
        digest = digest_for(listed)
        for chunk in store.read(listed):
            stop.check()
            digest.update(chunk)
        return digest.matches(listed)

    try:
        return Evidence.READ_BACK if retrying(is_right, stop) else Evidence.NONE
    except StoreUnavailable:
        raise
    except StoreError:
        return Evidence.NONE
