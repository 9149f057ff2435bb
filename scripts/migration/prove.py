"""Does a store hold an object? The answer is evidence, never a name and never a size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.errors import StoreError, StoreUnavailable
from scripts.migration.digest import digest_for
from scripts.migration.model import ABSENT, OTHER_BYTES, Evidence, Proof
from scripts.migration.retry import retrying
from scripts.migration.workers import Stop, in_threads

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping
    from typing import Callable

    from scripts.migration.model import Layout, StoredObject
    from scripts.migration.sample import Sample
    from scripts.migration.store import Source
    from scripts.migration.table import Block, ObjectTable
    from scripts.progress import Progress

Shelf = dict["Layout", dict[str, "StoredObject"]]
"""What a store lists of one shard: by layout, then by name."""
_TOLD = {evidence: Proof(evidence) for evidence in Evidence}


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


def list_shard(store: Source, shard: int, layouts: frozenset[Layout], stop: Stop) -> Shelf:
    """Return what ``store`` lists of one shard.

    Raises:
        StoreError: The store cannot be listed.
    """

    def collect() -> Shelf:
        shelf: Shelf = {layout: {} for layout in layouts}
        for item in store.list_shard(shard, layouts):
            shelf[item.layout][item.oid] = item
        return shelf

    return retrying(collect, stop)


def look_into_shards(
    table: ObjectTable,
    store: Source,
    look: Callable[[Shelf, list[int], Stop], None],
    *,
    jobs: int,
    progress: Progress,
    name: str,
) -> None:
    """List ``store`` shard by shard, and hand each shelf and the blocks of its shard to ``look``.

    Args:
        table: The objects that are looked for.
        store: Where.
        look: Called in ``jobs`` threads; each block comes once.
        jobs: How many shards are looked into at once.
        progress: Told of each object.
        name: The phase's name.

    Raises:
        StoreError: The store cannot be listed, or ``look`` raised it.
    """
    with progress.phase(name, total=len(table)) as phase:
        layouts = retrying(store.layouts, Stop())

        def look_into(work: tuple[int, list[int]], stop: Stop) -> None:
            shard, blocks = work
            look(list_shard(store, shard, layouts, stop), blocks, stop)
            phase.advance(sum(len(table.blocks[block]) for block in blocks))

        in_threads(look_into, table.by_shard(), jobs)


def prove_block(
    block: Block, shelf: Shelf, store: Source, stop: Stop, *, read: Container[int] = ()
) -> Iterator[tuple[int, StoredObject | None, Proof]]:
    """Yield of every object of a block its index, how ``store`` lists it, and what that proves.

    Args:
        block: The objects.
        shelf: A fresh listing of their shard.
        store: Where the listing is from; what it does not tell is read back.
        stop: Ends the reading.
        read: The indices of those that are read back whatever the listing tells.

    Raises:
        StoreUnavailable: The store stopped answering: nothing is known then, which is not the same
            as "not there".
    """
    listing = shelf.get(block.layout, {})
    for index, oid in enumerate(block.oids()):
        listed = listing.get(oid)
        if listed is not None and listed.checksum == oid[:32] and index not in read:
            yield index, listed, _TOLD[listed.told_by]
        else:
            yield index, listed, _read_proof(listed, store, stop)


def sampled(sample: Sample, table: ObjectTable) -> list[Container[int]]:
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


def _read_proof(listed: StoredObject | None, store: Source, stop: Stop) -> Proof:
    if listed is None:
        return ABSENT
    try:
        is_right = retrying(lambda: _read_back(listed, store, stop), stop)
    except StoreUnavailable:
        raise
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
