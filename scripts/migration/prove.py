"""Does a store hold an object? The answer is evidence, never a name and never a size."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

from scripts.errors import ObjectMissing, StoreError, StoreUnavailable
from scripts.migration.digest import digest_for
from scripts.migration.listing import Shards
from scripts.migration.model import ABSENT, OTHER_BYTES, SHARDS, Evidence, Proof, StoredObject
from scripts.migration.retry import retrying
from scripts.migration.table import UNKNOWN_SIZE
from scripts.migration.workers import Stop, in_threads

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping
    from typing import Callable

    from scripts.migration.sample import Sample
    from scripts.migration.store import Source
    from scripts.migration.table import Block, ObjectTable
    from scripts.progress import Progress

_TOLD = {evidence: Proof(evidence) for evidence in Evidence}
_OBJECTS_AT_ONCE = 100_000
"""As many are compared at most at the same time: what is known of them is not packed then."""


class Seen(NamedTuple):
    """What a store holds under the name of an object of a block.

    Attributes:
        row: Which object.
        size_bytes: Its size in a listing; -1 where none tells one.
        listed: How it is listed, where its listing is no proof by itself; ``None`` if it is absent.
        proof: What is known of its bytes.
    """

    row: int
    size_bytes: int
    listed: StoredObject | None
    proof: Proof


def list_store(store: Source, progress: Progress) -> dict[str, StoredObject]:
    """Return every object of ``store`` by its key.

    Raises:
        StoreError: The store cannot be listed.
    """
    listing: dict[str, StoredObject] = {}
    with progress.phase(f"listing {store.name}") as phase:

        def collect() -> None:
            for item in store.list_objects():
                if item.key not in listing:
                    phase.advance()
                listing[item.key] = item

        retrying(collect, Stop())
    return listing


def look_into_shards(
    table: ObjectTable,
    store: Source,
    look: Callable[[int, Iterator[Seen], Stop], None],
    *,
    sample: Sample,
    jobs: int,
    progress: Progress,
    name: str,
) -> None:
    """List ``store`` shard by shard, and hand to ``look`` what it holds of each block.

    Args:
        table: The objects that are looked for.
        store: Where.
        look: Called in ``jobs`` threads with a block's number; each block comes once, and its
            objects come in their order.
        sample: What is read back although the listing proves it.
        jobs: How many shards are looked into at once, at most.
        progress: Told of each object.
        name: The phase's name.

    Raises:
        StoreError: The store cannot be listed, or stopped answering: nothing is known then, which
            is not the same as "not there". Likewise what ``look`` raises.
    """
    chosen = _sampled(sample, table)
    shards = table.by_shard()
    with progress.phase(name, total=len(table)) as phase:
        listed = Shards(store, len(table))

        def look_into(work: tuple[int, list[int]], stop: Stop) -> None:
            shard, numbers = work
            blocks = [table.blocks[number] for number in numbers]
            shelves = retrying(lambda: _shelves(listed.list(shard), blocks), stop)
            for number, shelf in zip(numbers, shelves):
                look(number, shelf.prove(store, chosen[number], stop), stop)
                phase.advance(len(shelf.block))

        in_threads(look_into, shards, shards_at_once(table, jobs))


def shards_at_once(table: ObjectTable, jobs: int) -> int:
    """Return how many shards may be looked into at once, so that memory stays in bounds."""
    return max(2, min(jobs, _OBJECTS_AT_ONCE * SHARDS // max(len(table), 1)))


class _Shelf:
    """What a listing tells of the objects of a block: a byte and a size if it proves them."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.rows = {oid: row for row, oid in enumerate(block.oids())}
        self._told = bytearray(len(block))
        self._sizes_bytes = array("q", [UNKNOWN_SIZE]) * len(block)
        self._others: dict[int, StoredObject] = {}

    def put(self, item: StoredObject) -> None:
        row = self.rows.get(item.oid)
        if row is None:
            return
        if item.size_bytes is not None:
            self._sizes_bytes[row] = item.size_bytes
        if item.checksum is not None and item.checksum == item.oid[:32]:
            self._told[row] = _CODES[item.told_by]
        else:
            self._others[row] = item

    def prove(self, store: Source, read: Container[int], stop: Stop) -> Iterator[Seen]:
        self.rows = {}
        for row, code in enumerate(self._told):
            size_bytes = self._sizes_bytes[row]
            if code and row not in read:
                yield Seen(row, size_bytes, None, _PROOFS[code])
                continue
            listed = self._others.get(row)
            if code:
                listed = self.block.item(row)._replace(size_bytes=size_bytes)
            yield Seen(row, size_bytes, listed, _read_proof(listed, store, stop))


_CODES = {evidence: code for code, evidence in enumerate(Evidence, start=1)}
_PROOFS = {code: _TOLD[evidence] for evidence, code in _CODES.items()}


def _shelves(listed: Iterable[StoredObject], blocks: list[Block]) -> list[_Shelf]:
    shelves = [_Shelf(block) for block in blocks]
    by_kind = {(shelf.block.layout, shelf.block.is_directory): shelf for shelf in shelves}
    for item in listed:
        shelf = by_kind.get((item.layout, item.is_directory))
        if shelf is not None:
            shelf.put(item)
    return shelves


def _sampled(sample: Sample, table: ObjectTable) -> list[Container[int]]:
    """Return for each block of ``table`` the indices of the objects that ``sample`` chooses."""
    if not sample.share:
        return [()] * len(table.blocks)
    chosen = sample.choose(len(table))
    found: list[Container[int]] = []
    first = 0
    for block in table.blocks:
        ordinals = range(first, first + len(block))
        found.append({number - first for number in ordinals if number in chosen})
        first += len(block)
    return found


def prove_objects(
    items: Iterable[StoredObject],
    store: Source,
    listing: Mapping[str, StoredObject],
    *,
    jobs: int,
    progress: Progress,
    name: str = "verifying",
) -> dict[str, Proof]:
    """Return for every item what ``store`` holds under its name, by key: for some objects of many.

    Args:
        items: The objects to prove.
        store: Where they must be.
        listing: A fresh listing of the store, by key.
        jobs: How many objects are read back at once.
        progress: Told of each object.
        name: The phase's name.

    Raises:
        StoreUnavailable: The store stopped answering.
    """
    wanted = list(items)
    with progress.phase(name, total=len(wanted)) as phase:

        def look(item: StoredObject, stop: Stop) -> tuple[str, Proof]:
            proof = prove_listed(item, listing.get(item.key), store, stop)
            phase.advance()
            return item.key, proof

        return dict(in_threads(look, wanted, jobs))


def prove_listed(
    item: StoredObject, listed: StoredObject | None, store: Source, stop: Stop
) -> Proof:
    """Return what ``store`` holds of ``item``, which it lists as ``listed``."""
    if listed is not None and listed.checksum == item.md5:
        return _TOLD[listed.told_by]
    return _read_proof(listed, store, stop)


def prove_published(
    item: StoredObject, listed: StoredObject | None, store: Source, stop: Stop
) -> Proof:
    """Return what :func:`prove_listed` does; but what no listing shows is asked for by its name.

    For what was found or written there a moment ago: the listings of some servers (OpenStack Swift,
    Ceph in several zones) lag behind, while reading does not.
    """
    if listed is not None:
        return prove_listed(item, listed, store, stop)
    return _read_proof(item._replace(size_bytes=None, checksum=None), store, stop)


def _read_proof(listed: StoredObject | None, store: Source, stop: Stop) -> Proof:
    if listed is None:
        return ABSENT

    def read() -> bool:
        return retrying(lambda: _read_back(listed, store, stop), stop)

    try:
        # Twice if need be: an answer can be damaged on the way, and is right the next time.
        is_right = read() or read()
    except StoreUnavailable:
        raise
    except ObjectMissing:
        return ABSENT
    except StoreError as error:
        return Proof(Evidence.NONE, f"it cannot be read back: {error.message}")
    if is_right:
        return Proof(Evidence.READ_BACK)
    return OTHER_BYTES


def _read_back(listed: StoredObject, store: Source, stop: Stop) -> bool:
    digest = digest_for(listed)
    for chunk in store.read(listed):
        stop.check()
        digest.update(chunk)
    return digest.matches(listed)
