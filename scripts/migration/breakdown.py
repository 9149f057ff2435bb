"""A plan by revision and by path: how much of each is there, to be copied, or lost. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts.migration.inventory import UNREFERENCED, WORKSPACE
from scripts.migration.plan import Action, Plan, Share
from scripts.migration.table import UNKNOWN_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts.migration.plan import Decision
    from scripts.migration.table import Ledger, Owner

Counts = Counter[tuple[Action, str]]
"""Objects and bytes of each action, of those that one name stands for."""


def break_down(plan: Plan, tips: Iterable[str]) -> Plan:
    """Return ``plan`` with its shares by revision and by path.

    Told are the revisions at which a ref stands (``tips``), and the workspace: those that people
    have names for. What any other one lacks is named with it among the losses.
    """
    revisions: dict[str, Counts] = {name: Counter() for name in (WORKSPACE, *sorted(tips))}
    paths: dict[str, Counts] = {}
    table = plan.decisions.table
    uses = [_names(owner, revisions) for owner in table.owners]
    for family, counts in _count_families(plan.decisions).items():
        members = table.families.members(family)
        for name in set().union(*(uses[member][0] for member in members)):
            revisions[name].update(counts)
        for name in set().union(*(uses[member][1] for member in members)):
            paths.setdefault(name, Counter()).update(counts)
    return replace(
        plan,
        by_revision=tuple(_share(name, counts) for name, counts in revisions.items()),
        by_path=tuple(_share(name, counts) for name, counts in sorted(paths.items())),
    )


def _names(owner: Owner, revisions: Mapping[str, Counts]) -> tuple[set[str], set[str]]:
    """Return the told revisions and the paths that need what ``owner`` owns."""
    return (
        {place.revision for place in owner.references} & revisions.keys(),
        {place.path for place in owner.references if place.revision != UNREFERENCED},
    )


def _count_families(decisions: Ledger[Decision]) -> dict[int, Counts]:
    """Return what is to be done with the objects of each family: these have the same uses."""
    objects: Counter[tuple[int, int]] = Counter()
    sizes: Counter[tuple[int, int]] = Counter()
    for number, block in enumerate(decisions.table.blocks):
        codes = decisions.codes(number)
        objects.update(zip(block.families, codes))
        for kind, size_bytes in zip(zip(block.families, codes), block.sizes_bytes):
            if size_bytes != UNKNOWN_SIZE:
                sizes[kind] += size_bytes
    found: dict[int, Counts] = {}
    for (family, code), count in objects.items():
        action = decisions.meaning(code).action
        counts = found.setdefault(family, Counter())
        counts[action, "objects"] += count
        counts[action, "bytes"] += sizes[family, code]
    return found


def _share(name: str, counts: Counts) -> Share:
    def total(of: str, *actions: Action) -> int:
        return sum(counts[action, of] for action in actions)

    return Share(
        name,
        objects=total("objects", *Action),
        present=total("objects", Action.KEEP),
        to_copy=total("objects", Action.COPY, Action.REPAIR),
        to_repair=total("objects", Action.REPAIR),
        lost=total("objects", Action.NONE),
        size_bytes=total("bytes", *Action),
        bytes_to_copy=total("bytes", Action.COPY, Action.REPAIR),
    )
