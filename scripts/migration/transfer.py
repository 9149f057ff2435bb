"""Copy one object: its bytes are checked on the way, and what the target then says is evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from scripts.errors import Corrupted, ObjectMissing, StoreError
from scripts.migration.digest import digest_for
from scripts.migration.model import Evidence, Result, ServerCopy, Status
from scripts.migration.overlap import beside
from scripts.migration.retry import retrying
from scripts.migration.store import is_small

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.migration.digest import Digest
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
) -> Result:
    """Copy one object: by the target's own server if it can, else hashing it on the way.

    The target publishes the object only when the stream that it is given ends without an exception,
    and the check is the stream's last step at the latest: an object that fails it is never visible
    in the target.

    Args:
        item: The object to copy, as the source lists it (``size_bytes`` in bytes).
        source: The store to read from. It cannot be written to.
        target: The store to write to.
        stop: Asked before every piece.
        advance: Told the bytes of every piece read.
        replace: Whether what the target holds under the name is wrong, and is to be replaced.

    Returns:
        ``COPIED`` with the evidence that publishing gave; or ``PRESENT`` without any, if another
        writer put something there meanwhile.

    Raises:
        Corrupted: The source's bytes do not hash to the object's name.
        StoreError: Either store failed. Retrying is the caller's decision.
    """
    stop.check()
    copied = target.copy_from(source.location, item, replace=replace)
    if copied is ServerCopy.DONE:
        advance(item.size_bytes or 0)
        return Result(Status.COPIED, Evidence.HASHED_IN_FLIGHT, repaired=replace)
    if copied is ServerCopy.THERE_ALREADY:
        return Result(Status.PRESENT)
    evidence = target.publish(item, _checked(item, source, stop, advance), replace=replace)
    if evidence is Evidence.NONE:
        return Result(Status.PRESENT)
    return Result(Status.COPIED, evidence, repaired=replace)


def _checked(item: StoredObject, source: Source, stop: Stop, advance: Advance) -> Iterable[bytes]:
    """Return the bytes of ``item``: of a small one checked already, else checked as they go."""
    if not is_small(item):
        return _checking(item, source, stop, advance)
    digest = digest_for(item)
    content = b"".join(source.read(item))  # which is the only piece itself, if there is one
    digest.update(content)
    advance(len(content))
    _require_right(digest, item, source)
    return (content,)


def _checking(item: StoredObject, source: Source, stop: Stop, advance: Advance) -> Iterator[bytes]:
    with beside(digest_for(item), item.size_bytes) as digest:
        for chunk in source.read(item):
            stop.check()
            digest.update(chunk)
            yield chunk
            advance(len(chunk))
        _require_right(digest, item, source)


def _require_right(digest: Digest, item: StoredObject, source: Source) -> None:
    if not digest.matches(item):
        raise Corrupted(f"{source.name}: the bytes of {item.key} do not hash to its name.")


def copy_or_tell(
    item: StoredObject,
    source: Source,
    target: Store,
    *,
    stop: Stop,
    advance: Advance,
    replace: bool,
) -> tuple[Result, str]:
    """Copy an object, trying again where that may help; return what became of it, and why.

    Takes what :func:`copy_object` does. Running it again is harmless: an object is replaced by the
    same bytes in one step, or stays.
    """

    def copy() -> Result:
        return copy_object(item, source, target, stop=stop, advance=advance, replace=replace)

    try:
        try:
            return retrying(copy, stop), ""
        except Corrupted:  # of the source, or of one answer on its way: the next one tells
            return retrying(copy, stop), ""
    except Corrupted as error:
        return Result(Status.CORRUPT), error.message
    except ObjectMissing as error:
        return Result(Status.MISSING), error.message
    except StoreError as error:
        return Result(Status.FAILED), error.message
