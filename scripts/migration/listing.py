"""List a few objects of a store without listing all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.migration.retry import retrying
from scripts.migration.workers import Stop, in_threads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts.migration.model import StoredObject
    from scripts.migration.store import Source


def list_some(store: Source, items: Iterable[StoredObject], jobs: int) -> dict[str, StoredObject]:
    """Return those of ``items`` that ``store`` lists, as it does, by key.

    Only the shards are asked for in which they would be.

    Raises:
        StoreError: The store cannot be listed.
    """
    wanted = {item.key: item for item in items}
    layouts = frozenset(item.layout for item in wanted.values())
    if not wanted or not layouts & retrying(store.layouts, Stop()):
        return {}
    found: dict[str, StoredObject] = {}

    def look(shard: int, stop: Stop) -> None:
        def collect() -> list[StoredObject]:
            return [item for item in store.list_shard(shard, layouts) if item.key in wanted]

        found.update((item.key, item) for item in retrying(collect, stop))

    in_threads(look, {item.shard for item in wanted.values()}, jobs)
    return found
