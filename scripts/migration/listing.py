"""List some of what a store holds, by as few requests as that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.migration.model import LAYOUTS
from scripts.migration.retry import retrying
from scripts.migration.workers import Stop, in_threads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts.migration.model import Layout, StoredObject
    from scripts.migration.store import Source


class Shards:
    """A store's objects by shard: of a small one, all by one request, which is made at once.

    Args:
        store: The store.
        looked_for: For how many objects it will be looked.

    Raises:
        StoreError: The store cannot be listed.
    """

    def __init__(self, store: Source, looked_for: int) -> None:
        self._store = store
        self._listed: dict[int, list[StoredObject]] | None = None
        few = retrying(lambda: store.list_few(looked_for), Stop())
        if few is None:
            self._layouts = retrying(store.layouts, Stop())
            return
        self._listed = {}
        for item in few:
            self._listed.setdefault(item.shard, []).append(item)

    def list(self, shard: int, layouts: frozenset[Layout] = LAYOUTS) -> Iterable[StoredObject]:
        """Return what :meth:`Source.list_shard` yields, and ask for no layout that is not there.

        Raises:
            StoreError: As that; also while what is returned is read.
        """
        if self._listed is None:
            there = self._layouts & layouts
            return self._store.list_shard(shard, there) if there else ()
        return (item for item in self._listed.get(shard, ()) if item.layout in layouts)


def list_some(store: Source, items: Iterable[StoredObject], jobs: int) -> dict[str, StoredObject]:
    """Return those of ``items`` that ``store`` lists, as it does, by key.

    Only the shards are asked for in which they would be.

    Raises:
        StoreError: The store cannot be listed.
    """
    wanted = {item.key: item for item in items}
    if not wanted:
        return {}
    layouts = frozenset(item.layout for item in wanted.values())
    shards = Shards(store, len(wanted))
    found: dict[str, StoredObject] = {}

    def look(shard: int, stop: Stop) -> None:
        def collect() -> list[StoredObject]:
            return [item for item in shards.list(shard, layouts) if item.key in wanted]

        found.update((item.key, item) for item in retrying(collect, stop))

    in_threads(look, {item.shard for item in wanted.values()}, jobs)
    return found
