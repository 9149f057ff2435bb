"""Where an object is used: the paths and revisions that a loss is told by."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from scripts.migration.directories import open_each
from scripts.migration.model import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.migration.directories import Opened
    from scripts.migration.model import StoredObject
    from scripts.migration.store import Source
    from scripts.migration.table import ObjectTable, Owner, Position
    from scripts.progress import Progress

REFERENCES_KEPT = 8
"""How many of the places that use an object are told: enough to find it, whatever the history."""


def find_references(
    table: ObjectTable,
    positions: Iterable[Position],
    places: Iterable[Source],
    *,
    jobs: int,
    progress: Progress,
) -> dict[Position, tuple[Reference, ...]]:
    """Return where the objects at ``positions`` are used.

    The lists of their directories are opened once more, as nothing of them is kept. Of one that
    cannot be opened now, the directory itself is told.

    Args:
        table: The objects.
        positions: Those that are asked for: few.
        places: Where directories' lists are looked for, in their order.
        jobs: How many lists are read at once.
        progress: Told of each list.
    """
    found: dict[Position, dict[Reference, None]] = {position: {} for position in positions}
    inside: dict[StoredObject, dict[str, list[Position]]] = {}
    references: dict[StoredObject, tuple[Reference, ...]] = {}
    for position, owner in _owners(table, found):
        if owner.item == table.item(position)._replace(size_bytes=None):
            _add(found[position], owner.references)
        elif owner.item is not None:
            references[owner.item] = owner.references
            uses = inside.setdefault(owner.item, {})
            uses.setdefault(table.item(position).md5, []).append(position)

    def take(opened: Opened) -> None:
        outside, uses = references[opened.directory], inside[opened.directory]
        if opened.status is not None:
            for position in itertools.chain(*uses.values()):
                _add(found[position], outside)
        for path, md5 in opened.files:
            for position in uses.get(md5, ()):
                _add(found[position], _below(outside, path))

    if inside:
        open_each(inside, places, take, jobs=jobs, progress=progress)
    return {position: tuple(told) for position, told in found.items()}


def _owners(table: ObjectTable, positions: Iterable[Position]) -> Iterator[tuple[Position, Owner]]:
    for position in positions:
        for number in table.owners_of(position)[:REFERENCES_KEPT]:
            yield position, table.owners[number]


def _below(references: Iterable[Reference], path: str) -> Iterable[Reference]:
    return (Reference(f"{place.path}/{path}", place.revision) for place in references)


def _add(known: dict[Reference, None], references: Iterable[Reference]) -> None:
    for reference in references:
        if len(known) >= REFERENCES_KEPT:
            return
        known[reference] = None
