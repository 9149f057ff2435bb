"""What revisions need, the files of directories included: from an inventory to the table."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scripts.migration.directories import open_each
from scripts.migration.inventory import UNREFERENCED
from scripts.migration.model import SHARDS, Reference, Status, StoredObject
from scripts.migration.retry import retrying
from scripts.migration.table import TableBuilder
from scripts.migration.workers import Stop, in_threads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.migration.directories import Opened
    from scripts.migration.inventory import Inventory
    from scripts.migration.store import Source
    from scripts.migration.table import ObjectTable
    from scripts.progress import Progress


_SHARDS_AT_ONCE = 8
"""Each is in memory as a whole when it is listed."""


@dataclass(frozen=True)
class Wanted:
    """Every object that is needed, and which directories could not be opened, by key."""

    table: ObjectTable
    unopened: Mapping[str, Opened] = field(default_factory=dict)


def read_wanted(
    inventory: Inventory,
    places: Iterable[Source],
    *,
    healers: Iterable[Source] = (),
    store: Source | None = None,
    jobs: int,
    progress: Progress,
) -> Wanted:
    """Open every directory that ``inventory`` names, and return all objects, each once.

    Args:
        inventory: What the revisions name.
        places: Where directories' lists are looked for, in their order.
        healers: Where those are looked for that none of ``places`` holds.
        store: A store all of whose objects are wanted beside; ``None`` for none.
        jobs: How many lists are read at once.
        progress: Told of each step.

    Raises:
        StoreError: ``store`` cannot be listed.
    """
    builder = TableBuilder()
    owners: dict[StoredObject, int] = {}
    for item, references in inventory.references.items():
        owners[item] = builder.add_owner(item, references)
    if store is not None:
        for item in _add_all(builder, store, jobs=jobs, progress=progress):
            if item not in owners:
                owners[item] = builder.add_owner(item, (Reference(item.key, UNREFERENCED),))
    unopened: dict[str, Opened] = {}

    def take(opened: Opened) -> None:
        if opened.status is None:
            unopened.pop(opened.directory.key, None)
            owner, layout = owners[opened.directory], opened.directory.layout
            builder.add_files(owner, (md5 for _, md5 in opened.files), layout)
        else:
            unopened.setdefault(opened.directory.key, opened)

    directories = [item for item in owners if item.is_directory]
    open_each(directories, places, take, jobs=jobs, progress=progress)
    lost = [found.directory for found in unopened.values() if found.status is Status.MISSING]
    elsewhere = list(healers)
    if lost and elsewhere:
        open_each(lost, elsewhere, take, jobs=jobs, progress=progress)
    return Wanted(builder.build(), unopened)


def _add_all(
    builder: TableBuilder, store: Source, *, jobs: int, progress: Progress
) -> list[StoredObject]:
    """Add every file that ``store`` holds; return its directories' lists."""
    layouts = store.layouts()
    found: list[StoredObject] = []
    lock = threading.Lock()
    nobody = builder.add_nobody()
    with progress.phase(f"listing {store.name}") as phase:

        def add(shard: int, stop: Stop) -> None:
            listed = retrying(lambda: list(store.list_shard(shard, layouts)), stop)
            with lock:
                for layout in layouts:
                    here = [item for item in listed if item.layout is layout]
                    files = (item.oid for item in here if not item.is_directory)
                    builder.add_files(nobody, files, layout)
                    found.extend(
                        StoredObject(item.oid, layout) for item in here if item.is_directory
                    )
            phase.advance(len(listed))

        in_threads(add, range(SHARDS), min(jobs, _SHARDS_AT_ONCE))
    return sorted(found, key=lambda item: item.key)
