"""A plan by revision and by path: how much of each is there, to be copied, or lost. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.migration.inventory import UNREFERENCED, WORKSPACE
from scripts.migration.plan import Action, Plan, PlannedObject, Share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.migration.inventory import Inventory


def break_down(plan: Plan, inventory: Inventory) -> Plan:
    """Return ``plan`` with its shares by revision and by path.

    Told are the revisions at which a ref stands, and the workspace: those that people have names
    for. What any other one lacks is named with it among the losses.
    """
    revisions = [WORKSPACE, *sorted(inventory.tips)]
    by_revision: dict[str, set[str]] = {revision: set() for revision in revisions}
    by_path: dict[str, set[str]] = {}
    for item, places in inventory.references.items():
        keys = {item.key, *plan.contents.get(item.key, ())}
        for revision in {place.revision for place in places} & by_revision.keys():
            by_revision[revision] |= keys
        for path in {place.path for place in places if place.revision != UNREFERENCED}:
            by_path.setdefault(path, set()).update(keys)
    planned = {entry.item.key: entry for entry in plan.objects}
    return replace(
        plan,
        by_revision=tuple(_share(name, keys, planned) for name, keys in by_revision.items()),
        by_path=tuple(_share(name, keys, planned) for name, keys in sorted(by_path.items())),
    )


def _share(name: str, keys: set[str], planned: Mapping[str, PlannedObject]) -> Share:
    entries = [planned[key] for key in keys]
    actions = Counter(entry.action for entry in entries)
    copied = [entry for entry in entries if entry.action in (Action.COPY, Action.REPAIR)]
    return Share(
        name,
        objects=len(entries),
        present=actions[Action.KEEP],
        to_copy=len(copied),
        to_repair=actions[Action.REPAIR],
        lost=actions[Action.NONE],
        size_bytes=sum(entry.item.size_bytes or 0 for entry in entries),
        bytes_to_copy=sum(entry.item.size_bytes or 0 for entry in copied),
    )
