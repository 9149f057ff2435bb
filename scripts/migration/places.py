"""Where an object is used: the paths and revisions that a loss is told by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.migration.directories import open_each
from scripts.migration.model import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts.migration.directories import Opened
    from scripts.migration.model import StoredObject
    from scripts.migration.store import Source
    from scripts.migration.table import ObjectTable, Position
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
    found: dict[Position, dict[Reference, None]] = {}
    inside: dict[StoredObject, tuple[tuple[Reference, ...], dict[str, list[Position]]]] = {}
    for position in positions:
        item = table.item(position)
        found[position] = {}
        for number in table.owners_of(position)[:REFERENCES_KEPT]:
            owner = table.owners[number]
            if owner.item is None:
                continue
            if owner.item.key == item.key:
                _add(found[position], owner.references)
            else:
                uses = inside.setdefault(owner.item, (owner.references, {}))[1]
                uses.setdefault(item.md5, []).append(position)

    def take(opened: Opened) -> None:
        references, uses = inside[opened.directory]
        if opened.status is not None:
            for position in (position for here in uses.values() for position in here):
                _add(found[position], references)
        for path, md5 in opened.files:
            for position in uses.get(md5, ()):
                _add(found[position], _below(references, path))

    if inside:
        open_each(inside, places, take, jobs=jobs, progress=progress)
    return {position: tuple(references) for position, references in found.items()}


def _below(references: Iterable[Reference], path: str) -> Iterable[Reference]:
    return (Reference(f"{place.path}/{path}", place.revision) for place in references)


def _add(known: dict[Reference, None], references: Iterable[Reference]) -> None:
    for reference in references:
        if len(known) >= REFERENCES_KEPT:
            return
        known[reference] = None
