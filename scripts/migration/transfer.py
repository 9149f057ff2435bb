"""Copy objects: one, and one shard, which is the unit of work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from scripts.errors import Corrupted, ObjectMissing, StoreError
from scripts.migration.digest import digest_for
from scripts.migration.model import Evidence, Outcome, ServerCopy, Status
from scripts.migration.overlap import beside
from scripts.migration.retry import retrying

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.migration.model import StoredObject
    from scripts.migration.store import Source, Store
    from scripts.migration.workers import Stop

Advance = Callable[[int], None]


def copy_object(
    item: StoredObject,
    source: Source,
    target: Store,
    *,
    stop: Stop,
    advance: Advance,
    replace: bool = True,
) -> Outcome:
    """Copy one object: by the target's own server if it can, else hashing it on the way.

    The target publishes the object only when the stream that it is given ends without an exception,
    and the check is the stream's last step: an object that fails it is never visible in the target.

    Args:
        item: The object to copy, as the source lists it (``size_bytes`` in bytes).
        source: The store to read from. It cannot be written to.
        target: The store to write to.
        stop: Asked before every piece.
        advance: Told the bytes of every piece read.
        replace: Whether what the target holds under the name is wrong, and is to be replaced.

    Returns:
        The outcome, with ``Evidence.HASHED_IN_FLIGHT``: the bytes sent were right (a server that
        copied by itself had them hashed before). That the target kept them is for ``verify`` to
        show; likewise what another writer put there meanwhile, which is ``PRESENT`` without
        evidence.

    Raises:
        Corrupted: The source's bytes do not hash to the object's name.
        StoreError: Either store failed. Retrying is the caller's decision.
    """
    stop.check()
    copied = target.copy_from(source.location, item, replace=replace)
    if copied is ServerCopy.DONE:
        advance(item.size_bytes or 0)
        return Outcome(item, Status.COPIED, Evidence.HASHED_IN_FLIGHT)
    if copied is ServerCopy.THERE_ALREADY or not target.publish(
        item, _checked(item, source, stop, advance), replace=replace
    ):
        return Outcome(item, Status.PRESENT)
    return Outcome(item, Status.COPIED, Evidence.HASHED_IN_FLIGHT)


def _checked(item: StoredObject, source: Source, stop: Stop, advance: Advance) -> Iterator[bytes]:
    with beside(digest_for(item), item.size_bytes) as digest:
        for chunk in source.read(item):
            stop.check()
            digest.update(chunk)
            yield chunk
            advance(len(chunk))
        if not digest.matches(item):
            raise Corrupted(f"{source.name}: the bytes of {item.key} do not hash to its name.")


def copy_shard(
    items: Iterable[StoredObject],
    source: Source,
    target: Store,
    *,
    stop: Stop,
    advance: Advance,
    repairs: frozenset[str] = frozenset(),
) -> list[Outcome]:
    """Copy the objects of one shard, one after the other; each gets exactly one outcome.

    Running it again is harmless: an object is replaced by the same bytes in one step, or stays.

    Args:
        items: The objects, as the source lists them.
        source: The store to read from.
        target: The store to write to.
        stop: Asked before every piece.
        advance: Told the bytes of every piece read.
        repairs: The keys under which the target holds wrong bytes.
    """
    return [
        _copy_or_tell(item, source, target, stop, advance, replace=item.key in repairs)
        for item in items
    ]


def _copy_or_tell(
    item: StoredObject,
    source: Source,
    target: Store,
    stop: Stop,
    advance: Advance,
    *,
    replace: bool,
) -> Outcome:
    def copy() -> Outcome:
        return copy_object(item, source, target, stop=stop, advance=advance, replace=replace)

    try:
        return retrying(copy, stop)
    except Corrupted as error:
        return Outcome(item, Status.CORRUPT, reason=error.message)
    except ObjectMissing as error:
        return Outcome(item, Status.MISSING, reason=error.message)
    except StoreError as error:
        return Outcome(item, Status.FAILED, reason=error.message)
